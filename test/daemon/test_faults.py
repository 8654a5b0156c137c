"""What today's server gets wrong, numbered, and by which test each is held to be right here.

 1  refused sockets act
        test_cast_says.test_nothing_of_those_who_are_refused_has_an_effect_and_they_hear_nothing
        test_tokens.test_a_wrong_token_is_told_so_hears_nothing_and_is_closed_after_the_grace
 2  payloads are trusted
        test_02_where_a_node_is_heard_is_not_for_it_to_say
 3  anybody's log
        test_03_no_node_appends_to_the_log_of_a_run_that_is_not_its_own
 4  a leak through all_nodes
        test_presence.test_a_node_comes_and_goes
 5  logs and names to nodes
        test_cast_says.test_log_lines_are_told_to_users_at_once_and_come_into_the_row
        test_presence.test_a_user_comes_and_goes_unheard_by_nodes
 6  rights are judged once
        test_cast.test_rights_follow_hqs_rows_and_who_joins_or_leaves_is_told
        test_cast.test_a_principal_that_hq_removes_is_out_at_once
 7  keys are read once
        test_tokens.test_new_keys_are_used_without_a_restart
        test_keys_rotation.test_a_key_taken_out_of_the_realm_is_no_key
 8  no limits
        test_08_what_a_node_may_leave_behind_has_limits
        test_08_no_node_makes_up_metrics_or_labels
 9  late disconnects
        test_presence.test_only_the_first_connection_and_the_last_end_are_told
        test_09_one_of_two_tabs_that_is_closed_leaves_the_user_online
10  pings join twice
        test_10_a_ping_sets_the_status_and_joins_nothing
11  stale or silent status
        test_drain.test_clients_of_a_daemon_that_died_for_good_are_announced_offline_by_another
        test_drain.test_after_a_kill_and_a_restart_only_those_who_stay_away_are_announced_offline
        test_presence.test_last_seen_of_a_connected_node_is_kept_fresh_without_pings
12  times of a zone
        test_presence.test_times_are_utc_and_a_restart_of_pushd_tells_nobody
13  innocent runs killed
        test_kills.test_each_node_kills_its_own
14  lost kills, grandchildren
        test_kills.test_each_node_kills_its_own
15  everybody but the node
        test_kills.test_dataframes
16  nothing to CO
        test_runs.test_three_runs_in_three_commits
        test_runs.test_a_status_changed
17  HQ's changes, five times
        test_17_a_change_is_told_once_whoever_writes_it_and_says_it
18  before or without commit
        test_runs.test_all_runs_in_one_commit
        test_runs.test_rollbacks_are_silent
        test_runs.test_rows_that_hq_writes_while_pushd_is_away_are_told_later
19  quadratic logs
        test_19_a_log_is_not_written_anew_with_each_line
20  a commit per row
        test_20_a_configuration_comes_and_goes_in_one_commit
21  RabbitMQ
        test_21_daemons_share_nothing_but_the_database
"""
import json
import os
import re

import pytest

from cast import done, joined, presence, report, say, status
from clients import Node, Raw
from lablib.facts import wait_for
from test_runs import new_run, new_task

HERE = os.path.dirname(os.path.abspath(__file__))
C1_NODES, C2_NODES, C1_USERS = (1, 2, 3), (4, 5), (11, 13, 15)


@pytest.fixture(scope="module")
def world(make_world):
    """A lab of two daemons that take events as fast as they come."""
    made = make_world(instances=2, options=["--event-rate", "0", "--byte-rate", "0"])
    yield made
    made.end()


@pytest.fixture
def cast(world, clients):
    """Nodes and users of both collaborations."""
    made = {ident: clients(Raw(world, ident)) for ident in (*C1_NODES, *C2_NODES, *C1_USERS)}
    world.joined(*made.values())
    for client in made.values():
        wait_for(lambda: world.sql("SELECT status FROM authenticatable WHERE id = %s", client.ident)
                 == [("online",)],
                 f"{client} to be online")
    forget(world, made)
    return made


def forget(world, cast):
    """What they have received so far is not asked about."""
    world.settled(*cast.values())
    for client in cast.values():
        client.events.clear()


def heard(world, cast, *names):
    """{who: events}, of those who received any, once all has arrived."""
    world.settled(*cast.values())
    return {ident: client.heard(*names) for ident, client in cast.items() if client.heard(*names)}


def log_of(world, run):
    """What HQ's row has."""
    return world.sql("SELECT log FROM run WHERE id = %s", run)[0][0]


def test_each_fault_has_a_test_that_exists():
    named = {}
    for number, test in re.findall(r"^ ?(\d+)  |^ {8}(\S*test_\w+)$", __doc__, re.MULTILINE):
        if number:
            named[int(number)] = []
        else:
            named[max(named)].append(test)
    assert list(named) == list(range(1, 22)) and all(named.values())
    for test in sum(named.values(), []):
        module, _, function = test.rpartition(".")
        with open(f"{HERE}/{module or 'test_faults'}.py", encoding="utf-8") as file:
            assert re.search(rf"^def {function}\(", file.read(), re.MULTILINE), test


def test_02_where_a_node_is_heard_is_not_for_it_to_say(world, cast):
    task = new_task(world)
    run = new_run(world, task, 1)
    forget(world, cast)
    lie = {"task_id": 4, "collaboration_id": 2, "node_id": 4, "organization_id": 2, "parent_id": 1,
           "job_id": 3}
    say(cast[1], "algorithm_status_change", {**report("active", run, task), **lie})
    say(cast[1], "algorithm_log", {"run_id": run, "log": "line", **lie})
    for other in (2, 6):  # of another organization, and of its own in another collaboration
        say(cast[1], "algorithm_status_change", report("failed", other, 1))
        say(cast[1], "algorithm_log",
            {"run_id": other, "task_id": 1, "collaboration_id": 1, "log": "line"})
    done(world, cast[1])
    change, line = status("active", run, task, 1), ["algorithm_log",
                                                    {"run_id": run, "task_id": task, "log": "line"}]
    assert heard(world, cast) == {**dict.fromkeys(C1_NODES, [change]),
                                  **dict.fromkeys(C1_USERS, [change, line])}


def test_03_no_node_appends_to_the_log_of_a_run_that_is_not_its_own(world, cast):
    mine = new_run(world, new_task(world), 1)
    before = {run: log_of(world, run) for run in (2, 3, 4, 6, 7)}
    for run in (*before, mine):
        say(cast[1], "algorithm_log",
            {"run_id": run, "task_id": 1, "collaboration_id": 1, "log": "line"})
    wait_for(lambda: log_of(world, mine) == "line", "its own")
    assert {run: log_of(world, run) for run in before} == before


def test_08_what_a_node_may_leave_behind_has_limits(world, cast):
    """A message of a megabyte is not a million rows, nor a row of a megabyte."""
    for payload in ({f"key{n}": n for n in range(50000)}, {"list": list(range(100000))},
                    {"one": "x" * 900000}, {"k" * 900000: "one"},
                    {"deep": {"deeper": {"deepest": [["x"]]}}}):
        say(cast[1], "node_info_update", payload)
        done(world, cast[1])
        count, key, value = world.sql(
            "SELECT count(*), coalesce(max(length(key)), 0), coalesce(max(length(value)), 0) "
            "FROM nodeconfig WHERE node_id = 1")[0]
        assert count <= 1000 and key <= 1000 and value <= 10000, str(payload)[:40]
    say(cast[1], "node_info_update", {"encryption": "True"})
    done(world, cast[1])
    left = world.sql("SELECT key, value FROM nodeconfig WHERE node_id = 1")
    assert left == [("encryption", "True")]


def test_08_no_node_makes_up_metrics_or_labels(world, cast):
    """Each payload is looked at while it is shown: it is when its cpu_percent is."""
    true = {"os": "posix", "platform": "linux"}
    for number, payload in enumerate((
            {"os": "evil", "platform": "evil"}, {"os": "evil\n\"} 1", "platform": ["evil"]},
            {"evil": 1, "node_id": 9, **true}, {"os": "e" * 900000},
            {"gpu_count": 10000, "gpu_load": [1] * 10000, **true},
            {f"evil{n}": n for n in range(10000)})):
        say(cast[1], "node_metrics_update", {**payload, "cpu_percent": number})

        def series():
            lines = world.http("GET", "/metrics", admin=True)[2].splitlines()
            found = [line for line in lines if 'node_id="' in line or "evil" in line]
            return any(line.startswith("cpu_percent{")
                       and line.endswith(f"}} {number}") for line in found) and found
        found = wait_for(series, f"payload {number}")
        assert len(found) <= 100 and not [line for line in found if 'node_id="1"' not in line
                                          or "evil" in line or len(line) > 200]


def test_09_one_of_two_tabs_that_is_closed_leaves_the_user_online(world, cast, clients):
    first, second = (clients(Raw(world, 12, instance=instance)) for instance in (0, 1))
    world.joined(first, second)

    def leases():
        return world.sql("SELECT count(*) FROM vantage6_events.lease WHERE principal_id = 12",
                         user="postgres")[0][0]
    assert leases() == 2
    first.close()
    wait_for(lambda: leases() == 1
             and not world.sql("SELECT principal_id FROM vantage6_events.pending", user="postgres"),
             "its end")
    assert world.sql("SELECT status FROM authenticatable WHERE id = 12") == [("online",)]
    told = [joined(12, (1,)), joined(12, (2,))]
    assert heard(world, cast, "message") == dict.fromkeys((11, 15), told)


def test_10_a_ping_sets_the_status_and_joins_nothing(world, cast):
    world.sql("UPDATE authenticatable SET status = 'offline' WHERE id = 1")
    for _ in range(3):
        say(cast[1], "ping")
    wait_for(lambda: world.sql("SELECT status FROM authenticatable WHERE id = 1") == [("online",)],
             "it to count")
    world.emit("once", [], "collaboration_1", "all_nodes")
    world.emit("once", [], "collaboration_1_organization_1")
    assert heard(world, cast, "once", "message", "node-online", "sync") == {
        1: [["once"], ["once"]], **dict.fromkeys((2, 3, 4, 5, 11, 15), [["once"]]), 13: [["once"]]}


def test_17_a_change_is_told_once_whoever_writes_it_and_says_it(world, cast):
    task = new_task(world)
    runs = [new_run(world, task, 1) for _ in range(3)]
    forget(world, cast)
    for run, value in zip(runs, ("active", "killed by user", "depended on failed task")):
        world.sql("UPDATE run SET status = %s WHERE id = %s", value, run)
        for _ in range(5):
            say(cast[1], "algorithm_status_change", report(value, run, task))
        done(world, cast[1])
        told = [["status_update", {"run_id": run}], status(value, run, task, 1)]
        assert heard(world, cast, "status_update",
                     "algorithm_status_change") == dict.fromkeys((*C1_NODES, *C1_USERS), told)
        forget(world, cast)


def test_19_a_log_is_not_written_anew_with_each_line(world, cast):
    world.sql("""CREATE TABLE written (run integer, bytes integer);
        CREATE FUNCTION note_written() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO public.written VALUES (NEW.id, octet_length(NEW.log)); RETURN NULL;
            END $$;
        CREATE TRIGGER note_written AFTER UPDATE ON run FOR EACH ROW
            WHEN (OLD.log IS DISTINCT FROM NEW.log) EXECUTE FUNCTION note_written()""")
    task = new_task(world)
    run = new_run(world, task, 1)
    lines = [f"line {n} of a log that may become long" for n in range(3000)]
    for line in lines:
        said = {"run_id": run, "task_id": task, "collaboration_id": 1, "log": line}
        cast[1].send("42/tasks," + json.dumps(["algorithm_log", said]))
    wait_for(lambda: (log_of(world, run) or "").endswith(lines[-1]), "the last line", 60)
    assert log_of(world, run) == "\n".join(lines)
    wait_for(lambda: len(cast[15].heard("algorithm_log")) >= len(lines), "each line to be told")
    assert [event[1]["log"] for event in cast[15].heard("algorithm_log")] == lines
    writes, written = world.sql("SELECT count(*), sum(bytes) FROM written WHERE run = %s", run)[0]
    assert writes < 100 and written < 10 * len(log_of(world, run))


def test_20_a_configuration_comes_and_goes_in_one_commit(world, cast):
    world.sql("""CREATE TABLE commits (xid text, op text);
        CREATE FUNCTION note_commit() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO public.commits VALUES (pg_current_xact_id()::text, TG_OP); RETURN NULL;
            END $$;
        CREATE TRIGGER note_commit AFTER INSERT OR UPDATE OR DELETE ON nodeconfig
            FOR EACH ROW EXECUTE FUNCTION note_commit()""")

    def commits():
        rows = world.sql(
            "SELECT op, count(*), count(DISTINCT xid) FROM commits GROUP BY op ORDER BY op")
        world.sql("DELETE FROM commits")
        return rows
    payload = {"allowed_algorithms": [str(n) for n in range(40)], "encryption": "True"}
    for number, expected in enumerate(([("INSERT", 41, 1)], [("INSERT", 1, 1)])):
        say(cast[2], "node_info_update", {**payload, **({"one": "more"} if number else {})})
        done(world, cast[2])
        assert commits() == expected
    cast.pop(2).close()
    assert cast[15].wait("node-offline") == presence("node-offline", 2)
    assert commits() == [("DELETE", 42, 1)]


def test_21_daemons_share_nothing_but_the_database(world, clients):
    """A node at one, a user at the other, who begins by polling: each receives what the other and
    HQ do."""
    node, user = clients(Raw(world, 3, instance=1)), clients(Node(world, 15, instance=0))
    world.joined(node, user)
    task = new_task(world)
    run = new_run(world, task, 3)
    node.wait("new_task_update")
    say(node, "algorithm_status_change", report("active", run, task, node=3))
    assert user.wait("algorithm_status_change") == status("active", run, task, 3)
    assert node.wait("algorithm_status_change") == status("active", run, task, 3)
