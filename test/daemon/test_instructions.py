"""Instructions to nodes: each in order, acknowledged, once; over restarts of everything; and what
does not count as an ack."""
import threading

import pytest

from clients import Python, Raw
from lablib.facts import wait_for
from test_runs import new_run, new_task

KILLED = ("UPDATE run SET status = 'killed by user', finished_at = now() AT TIME ZONE 'UTC' "
          "WHERE id = %s")
QUIET = ("message", "node-online", "node-offline")


@pytest.fixture(scope="module")
def lab(make_world):
    """Two instances with little patience."""
    return make_world(instances=2, options=["--ack-timeout", "1s", "--beat-interval", "500ms"])


@pytest.fixture
def world(lab):
    """Without instructions, and with HQ's rows as they were."""
    tasks = tuple(row[0] for row in lab.sql("SELECT id FROM task"))
    yield lab
    lab.sql("DELETE FROM run WHERE task_id NOT IN %s", tasks)
    lab.sql("DELETE FROM task WHERE id NOT IN %s", tasks)
    lab.sql("DELETE FROM dataframetobedeletedatnode WHERE id > 100")
    lab.sql("DELETE FROM vantage6_events.instruction", user="postgres")


def instruct(world, name, *rooms, args=None):
    """A durable event; its id."""
    return world.sql("SELECT vantage6_events.emit(%s, %s::json, %s::text[], durable => true)", name,
                     args, list(rooms))[0][0]


def pending(world, node):
    """(name, sends) of what the node has not acknowledged, in order."""
    return world.sql("SELECT name, sends FROM vantage6_events.pending_instructions "
                     "WHERE node_id = %s AND id IS NOT NULL ORDER BY id", node)


def done(world, node):
    """Wait until the node has acknowledged all."""
    wait_for(lambda: not pending(world, node), f"node {node} to have done all")


def told(client):
    """All that it received, but marks and presence."""
    return [event for event in list(client.events) if event[0] not in QUIET
            and not event[0].startswith("mark_")]


def names(client):
    return [event[0] for event in told(client)]


@pytest.mark.parametrize("kind", [Raw, Python])
def test_away_for_an_hour_of_kills_and_deletions_it_comes_back_to_what_is_pending(
        world, clients, kind):
    """Exactly that, once, in order, before sync; and acknowledged it does not come again."""
    node = clients(Python(world, 1))
    world.joined(node)
    instruct(world, "done_before", "node_1")
    done(world, 1)
    node.close()
    world.alone()
    task = new_task(world)
    runs = [new_run(world, task, 1) for _ in range(4)]
    below = new_run(world, new_task(world, parent=task), 1)
    world.sql(KILLED, runs[0])
    instruct(world, "too_late", "node_1")
    others = instruct(world, "of_others", "node_2", "collaboration_2/nodes")
    for ident, name in (101, "df_1"), (102, "df_2"), (103, "df_3"):
        world.sql("INSERT INTO dataframetobedeletedatnode "
                  "(id, dataframe_name, session_id, node_id) VALUES (%s, %s, 1, 1)", ident, name)
    world.sql(KILLED, runs[1])
    world.sql(KILLED, runs[2])
    world.sql("UPDATE run SET status = 'pending', finished_at = NULL WHERE id = %s", runs[1])
    instruct(world, "to_all", "collaboration_1/nodes", args='{"a": [1.50, "é"]}')
    world.sql("DELETE FROM dataframetobedeletedatnode WHERE id = 102")
    world.sql("""UPDATE vantage6_events.instruction
        SET created_at = created_at - interval '1 h', told_at = told_at - interval '1 h',
        expires_at = CASE name WHEN 'too_late' THEN now() ELSE expires_at - interval '1 h'
            END""", user="postgres")
    expected = [[below, runs[0]], [runs[2]]]
    back = clients(kind(world, 1, instance=1))
    back.wait("sync")
    heard = told(back)
    assert [sorted(item["run_id"] for item in event[1]["kill_list"])
            for event in heard[:2]] == [sorted(runs) for runs in expected]
    assert heard[2] == ["to_all", {"a": [1.5, "é"]}]
    assert [event[1]["df_name"] for event in heard[3:-1]] == ["df_old", "df_1", "df_3"]
    assert heard[-1] == ["sync"]
    done(world, 1)
    world.settled(back)
    assert told(back) == heard, "what the greeting brought does not come by the log as well"
    again = clients(kind(world, 1))
    again.wait("sync")
    assert names(again) == ["delete_dataframe"] * 3 + ["sync"]
    assert world.sql(
        "SELECT count(*) FROM vantage6_events.instruction WHERE id = %s AND acked_at IS NULL",
        others, user="postgres") == [(3,)]


def test_one_is_outstanding_and_the_next_follows_its_acknowledgement(world, clients):
    instruct(world, "one", "node_3")
    instruct(world, "two", "node_3")
    node = clients(Raw(world, 3, silent=True))
    node.wait("one")
    instruct(world, "three", "node_3")
    world.sql("INSERT INTO dataframetobedeletedatnode (id, dataframe_name, session_id, node_id) "
              "VALUES (104, 'df', 1, 3)")
    world.settled(node)
    assert names(node) == ["one"]
    node.acknowledge(node.numbers[-1])
    node.wait("two")
    node.acknowledge(node.numbers[-1])
    node.wait("three")
    assert names(node) == ["one", "two", "sync", "three"]
    wait_for(lambda: pending(world, 3) == [("three", 1)], "the others to be acknowledged")
    node.acknowledge(node.numbers[-1])
    node.wait("delete_dataframe")
    done(world, 3)


def test_python_socketio_handles_one_at_a_time_and_acknowledges_by_itself(world, clients):
    release = threading.Event()
    instruct(world, "slow", "node_3")
    instruct(world, "after_it", "node_3")

    class Slow(Python):
        """Whose handler of one event takes its time."""

        def take(self, kind, *what):
            super().take(kind, *what)
            if what[1:2] == ("slow",):
                release.wait()
    node = clients(Slow(world, 3))
    node.wait("slow")
    world.settled(node)
    assert names(node) == ["slow"]
    release.set()
    node.wait("sync")
    assert names(node) == ["slow", "after_it", "sync"]
    done(world, 3)


def test_one_that_never_acknowledges_gets_all_after_ack_timeout_and_may_still_do_so(world, clients):
    before = world.reasons("errands", label="outcome")
    for name in "one", "two", "three":
        instruct(world, name, "node_3")
    node = clients(Raw(world, 3, silent=True))
    node.wait("sync")
    assert names(node) == ["one", "two", "three", "sync"]
    wait_for(lambda: pending(world, 3) == [("one", 1), ("two", 1), ("three", 1)],
             "what was sent to be known")
    after = world.reasons("errands", label="outcome")
    assert {key: after[key] - before[key] for key in after} == {
        "sent": 3, "acknowledged": 0, "ack_timeout": 1}
    sent = world.sql("SELECT DISTINCT p.sent_at IS NOT NULL, c.principal_id "
                     "FROM vantage6_events.pending_instructions p"
                     " JOIN vantage6_events.connections c ON c.sid = p.sent_to WHERE p.node_id = 3")
    assert sent == [(True, 3)]
    node.acknowledge(node.numbers[1])
    wait_for(lambda: [name for name, _ in pending(world, 3)] == ["one", "three"],
             "the late one to count")


def test_it_is_repeated_while_it_is_pending(world, clients):
    instruct(world, "again", "node_3")
    node = clients(Raw(world, 3, silent=True))
    node.wait("sync")
    for times in 2, 3:
        world.sql("UPDATE vantage6_events.instruction SET told_at = now() - interval '11 min'",
                  user="postgres")
        node.wait("again", times)
    wait_for(lambda: pending(world, 3) == [("again", 3)], "the three to be counted")
    node.acknowledge(node.numbers[-1])
    done(world, 3)
    world.sql("UPDATE vantage6_events.instruction SET told_at = now() - interval '11 min'",
              user="postgres")
    beats = "SELECT min(beat_at) > clock_timestamp() FROM vantage6_events.instance"
    until = world.sql("SELECT clock_timestamp()")[0][0]
    wait_for(lambda: world.sql(beats.replace("clock_timestamp()", "%s"), until,
                               user="postgres")[0][0], "beats")
    world.settled(node)
    assert len(node.heard("again")) == 3


def test_only_the_addressed_node_can_acknowledge(world, clients):
    node = clients(Raw(world, 3, silent=True))
    other, user = clients(Raw(world, 4, silent=True)), clients(Raw(world, 11))
    world.joined(node, other, user)
    instruct(world, "mine", "node_3", "node_4")
    node.wait("mine")
    other.wait("mine")
    for number in range(10):
        user.acknowledge(number)
    other.acknowledge(other.numbers[-1])
    for number in (node.numbers[-1] + 1, 2**40, 2**62):
        node.acknowledge(number)
    for client in (node, other, user):
        client.round_trip()
    done(world, 4)
    assert [name for name, _ in pending(world, 3)] == ["mine"]
    node.acknowledge(node.numbers[-1])
    done(world, 3)


def test_two_connections_of_a_node_at_two_instances(world, clients):
    """Each is told once; the first acknowledgement ends it for all that come."""
    pair = [clients(Raw(world, 3, instance=instance, silent=True)) for instance in (0, 1)]
    world.joined(*pair)
    instruct(world, "both", "node_3")
    for client in pair:
        client.wait("both")
    pair[0].acknowledge(pair[0].numbers[-1])
    done(world, 3)
    pair[1].acknowledge(pair[1].numbers[-1])
    world.settled(*pair)
    assert [len(client.heard("both")) for client in pair] == [1, 1]
    for instance in (0, 1):
        late = clients(Raw(world, 3, instance=instance))
        late.wait("sync")
        assert names(late) == ["sync"]


def test_pushd_is_killed_between_sending_and_acknowledgement(own_lab, clients):
    """Told again; after the acknowledgement never."""
    world = own_lab(options=["--beat-interval", "500ms"])
    instruct(world, "one", "node_3")
    node = clients(Raw(world, 3, silent=True))
    node.wait("one")
    world.lab.kill_pushd(0)
    node.wait_closed()
    world.start()
    node = clients(Raw(world, 3, silent=True))
    node.wait("one")
    node.acknowledge(node.numbers[-1])
    done(world, 3)
    world.lab.kill_pushd(0)
    world.start()
    node = clients(Raw(world, 3))
    node.wait("sync")
    assert names(node) == ["sync"]


def test_postgresql_crashes_between_sending_and_acknowledgement(own_lab, clients):
    """What the client says meanwhile counts; the client stays."""
    world = own_lab(options=["--beat-interval", "500ms", "--retry-max", "200ms"])
    instruct(world, "one", "node_3")
    instruct(world, "two", "node_3")
    node = clients(Raw(world, 3, silent=True))
    node.wait("one")
    world.lab.cluster.crash()
    world.forget_connection()
    node.acknowledge(node.numbers[-1])
    node.wait("two")
    world.lab.cluster.start()
    wait_for(world.ready, "pushd to be ready")
    wait_for(lambda: [name for name, _ in pending(world, 3)] == ["two"],
             "what was acknowledged meanwhile to count")
    node.acknowledge(node.numbers[-1])
    done(world, 3)
    node.wait("sync")
    assert names(node) == ["one", "two", "sync"] and not node.closed


def test_none_is_lost_while_the_node_comes_and_goes(world, clients):
    """Whether by the greeting or by the log: each connection receives them in order, none twice;
    all are acknowledged at last."""
    total, enough = 0, threading.Event()

    def write():
        nonlocal total
        db = world.connect()
        with db.cursor() as cursor:
            while not enough.wait(0.002):
                cursor.execute(
                    "SELECT vantage6_events.emit('n', %s::json, 'node_3', durable => true)",
                    [str(total)])
                total += 1
        db.close()
    writer = threading.Thread(target=write)
    writer.start()
    made = []
    try:
        for number in range(10):
            if made:
                made[-1].close()
            made.append(clients(Raw(world, 3, instance=number % 2)))
            made[-1].wait("sync")
            made[-1].wait("n")
        wait_for(lambda: total >= 300, "enough to be written")
    finally:
        enough.set()
        writer.join()
    done(world, 3)
    heard = [[event[1] for event in client.heard("n")] for client in made]
    assert all(numbers == sorted(set(numbers)) for numbers in heard)
    assert set().union(*heard) == set(range(total))


def test_an_acknowledgement_of_what_hq_is_changing_counts_when_it_has_changed_it(world, clients):
    task = new_task(world)
    runs = [new_run(world, task, 3) for _ in range(2)]
    node = clients(Raw(world, 3, silent=True))
    node.wait("sync")
    world.sql("SELECT vantage6_events.kill_task(%s)", task)
    node.wait("kill_containers")
    hq = world.connect()
    hq.autocommit = False
    with hq.cursor() as cursor:
        cursor.execute("UPDATE run SET status = 'pending', finished_at = NULL WHERE id = %s",
                       [runs[0]])
    instruct(world, "next", "node_3")
    node.acknowledge(node.numbers[-1])
    node.wait("next")
    node.acknowledge(node.numbers[-1])
    wait_for(lambda: [name for name, _ in pending(world, 3)] == ["kill_containers"],
             "the other to count, said after it")
    hq.commit()
    hq.close()
    done(world, 3)
