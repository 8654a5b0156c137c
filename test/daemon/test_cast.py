"""One story with all 16 principals and those that are refused, connected at once.

It has every event of the contract in both directions: who receives what in which order, and what
becomes of HQ's rows. HQ writes as it does, one commit per statement. The tables are in cast.py.
"""
import pytest

from cast import (C, CO, NODES, NOW, PLACE, PUBLIC, ROOMS_OF_USERS, USERS, both, config, joined,
                  left, members, presence, report, room, script, status, users)
from lablib.facts import wait_for

KILLED = ("UPDATE run SET status = 'killed by user', finished_at = now() AT TIME ZONE 'UTC' "
          "WHERE id = %s")
DATAFRAMES = {1: ["df_old", 1], 2: ["df_old", 1], 5: ["df_beta", 2]}  # of the seed for HQ 5
C_USERS = users(C[1])


def delete_dataframe(name, session):
    """The instruction."""
    return ["delete_dataframe", {"df_name": name, "session_id": session}]


def status_update(run):
    """What goes with each change of a status in the row."""
    return ["status_update", {"run_id": run}]


def kill(task, run, organization):
    """The instruction to kill one run."""
    return ["kill_containers",
            {"kill_list": [{"task_id": task, "run_id": run, "organization_id": organization}],
             "collaboration_id": 1}]


def lines(stage, task, organization):
    """Who receives what of a task when a run of it is inserted."""
    ears = {node for node, place in PLACE.items()
            if place == (1, organization)} | C_USERS | users(CO[1, organization])
    return ears, [stage.new_task, {"id": task, "parent_id": None}]


# --- they come -----------------------------------------------------------------------------------

@pytest.mark.parametrize("ident", USERS)
def test_a_user_that_comes_is_told_to_the_users_in_its_rooms(theatre, ident):
    there = [who for who in USERS if who <= ident]
    heard, changed = theatre.arrivals[ident]
    assert heard == script(
        *((users(C[place[0]] if len(place) == 1 else CO[place]) & set(there), joined(ident, place))
          for place in ROOMS_OF_USERS.get(ident, ())))
    assert changed == {f"authenticatable {ident}": {"status": "online"}}


@pytest.mark.parametrize("ident", NODES)
def test_a_node_that_comes_is_greeted_and_told_in_its_rooms_once(theatre, ident):
    there, place = {*USERS, *(who for who in NODES if who <= ident)}, PLACE[ident]
    in_c, in_co = C[place[0]] & there, CO[place] & there
    frames = ([delete_dataframe(*DATAFRAMES[ident])] if theatre.hq == "v5"
              and ident in DATAFRAMES else [])
    heard, changed = theatre.arrivals[ident]
    greeting, messages = (script(*(({ident}, event) for event in events))[ident] for events in (
        [*frames, ["sync"]], [joined(ident, place[:1]), joined(ident, place)]))
    told = heard[ident]
    if frames:  # what comes to its rooms does not wait until the node has acknowledged these
        told = sorted(told, key=lambda event: event not in greeting)
    assert told == greeting + messages
    others = {who: events for who, events in heard.items() if who != ident}
    assert others == script(((in_c | in_co) - {ident}, presence("node-online", ident)),
                            (in_c - {ident}, joined(ident, place[:1])),
                            (in_co - {ident}, joined(ident, place)))
    assert changed == {f"authenticatable {ident}": {"status": "online"}}


# --- tasks and runs ------------------------------------------------------------------------------

def test_a_task_is_told_with_each_run_to_users_and_once_to_each_node_that_runs_it(stage):
    task, *runs = stage.task(1, 2, 3)
    assert stage.heard() == script(*(lines(stage, task, organization)
                                     for organization in (1, 2, 3)))
    assert stage.changed() == {f"task {task}": "new"} | {f"run {run}": "new" for run in runs}


def test_a_status_is_told_when_the_node_says_it_and_when_the_row_says_it_and_not_again(stage):
    task, run, _ = stage.task(1, 2)
    ears = both(1, 1)
    stage.forget()

    def says(value, again=1):
        for _ in range(again):
            stage.say(1, "algorithm_status_change", report(value, run, task))
        stage.done(1)
        return stage.heard(), stage.changed()
    assert says("initializing", 3) == (script((ears, status("initializing", run, task, 1))), {})
    stage.world.sql("UPDATE run SET status = 'initializing', assigned_at = timezone('UTC', now()) "
                    "WHERE id = %s", run)
    told = script((ears, status_update(run)), (ears, status("initializing", run, task, 1)))
    assert ((stage.heard(), stage.changed())
            == (told, {f"run {run}": {"status": "initializing", "assigned_at": NOW}}))
    assert says("initializing") == ({}, {}), "the row has it"
    assert says("active") == (script((ears, status("active", run, task, 1))), {})
    assert says("active") == ({}, {}), "it was told"
    stage.world.sql("UPDATE run SET status = 'pending' WHERE id = %s", run)
    stage.forget()
    assert says("active") == (script((ears, status("active", run, task, 1))),
                              {}), "the row has changed since"


def test_a_status_that_the_node_has_told_is_told_anew_when_the_row_has_changed_and_is_as_it_was(
        stage):
    """A run that is started again."""
    task, run = stage.task(1)
    for _ in range(2):
        stage.forget()
        stage.say(1, "algorithm_status_change", report("initializing", run, task))
        stage.done(1)
        assert stage.heard() == script((both(1, 1), status("initializing", run, task, 1)))
        for value in ("initializing", "pending"):
            stage.world.sql("UPDATE run SET status = %s WHERE id = %s", value, run)


def test_a_status_in_the_other_collaboration_is_told_there(stage):
    task, run = stage.task(2, collaboration=2, parent=4)
    stage.forget()
    stage.say(5, "algorithm_status_change", report("active", run, task, node=5, parent=4))
    stage.done(5)
    assert stage.heard() == script((both(2, 2),
                                    status("active", run, task, 2, collaboration=2, parent=4)))
    assert stage.changed() == {}


def test_what_depends_on_a_task_is_told_when_the_row_says_that_it_is_complete(stage):
    first, run = stage.task(1)
    second, *_ = stage.task(2)
    if stage.hq == "v5":  # HQ 4 knows no such thing
        stage.world.sql("INSERT INTO task_depends_on VALUES (%s, %s)", second, first)
    stage.forget()
    stage.world.sql("UPDATE run SET status = 'completed', finished_at = now() AT TIME ZONE "
                    "'UTC', result = 'r', log = 'l' "
                    "WHERE id = %s", run)
    stage.say(1, "algorithm_status_change", report("completed", run, first))
    stage.done(1)
    told = [(both(1, 1), status_update(run)), (both(1, 1), status("completed", run, first, 1))]
    assert stage.heard() == script(*told, *([lines(stage, second, 2)] if stage.hq == "v5" else []))
    assert stage.changed() == {f"run {run}": {"status": "completed", "finished_at": NOW,
                                              "result": "r", "log": "l"}}


def test_a_kill_reaches_each_node_for_its_own_runs_and_is_over_when_the_node_says_so(stage):
    """As HQ does it: the task's runs and those of its direct children, one commit each."""
    task, mine, others = stage.task(1, 2)
    child, below = stage.task(3, parent=task)
    stage.forget()
    for run in (mine, others, below):
        stage.world.sql(KILLED, run)
    told = [(ears, event) for ears, run, of, parent in ((both(1, 1), mine, (task, 1), None), (
        both(1, 2), others, (task, 2), None), (both(1, 3), below, (child, 3), task))
            for event in (status_update(run), status("killed by user", run, *of, parent=parent))]
    heard = script(*told[:2], ({1}, kill(task, mine, 1)), ({3}, kill(child, below, 3)),
                   *told[2:4], ({2}, kill(task, others, 2)), *told[4:])
    assert stage.heard() == heard
    assert stage.changed() == {f"run {run}": {"status": "killed by user", "finished_at": NOW}
                               for run in (mine, others, below)}
    for node, of, run in ((1, task, mine), (2, task, others), (3, child, below)):
        stage.say(node, "algorithm_status_change",
                  report("killed by user", str(run), str(of), node, parent="None"))
    stage.done(1, 2, 3)
    assert (stage.heard(), stage.changed()) == ({}, {})
    assert not stage.world.sql(
        "SELECT id FROM vantage6_events.pending_instructions WHERE name = 'kill_containers'")


def test_a_whole_node_is_killed_by_its_runs_and_then_by_all_that_it_has(stage):
    stage.task(3)
    stage.heard()
    stage.world.sql("SELECT vantage6_events.kill_node(3)")
    heard = stage.heard("kill_containers")
    assert set(heard) == {3} and len(heard[3]) == 2
    assert '"kill_list": [{' in heard[3][0]
    assert heard[3][1:] == script(({3},
                                   ["kill_containers", {"node_id": 3, "collaboration_id": 1}]))[3]


def test_a_dataframe_is_deleted_at_each_node_and_its_row_when_that_node_has_done_so(stage):
    if stage.hq == "v4":  # which knows no dataframes
        stage.say(1, "dataframe_deleted", {"df_name": "df", "session_id": 1, "node_id": 1})
        stage.done(1)
        assert (stage.heard(), stage.changed()) == ({}, {})
        return
    rows = [stage.world.sql(
        "INSERT INTO dataframetobedeletedatnode (dataframe_name, session_id, node_id) "
        "VALUES ('df', 1, %s) RETURNING id", node)[0][0] for node in (1, 2, 3)]
    assert stage.heard() == script(*(({node}, delete_dataframe("df", 1)) for node in (1, 2, 3)))
    stage.changed()
    stage.say(2, "dataframe_deleted", {"df_name": "df", "session_id": 1, "node_id": 2})
    stage.say(3, "dataframe_deleted", {"df_name": "df", "session_id": 2, "node_id": 3})
    stage.done(2, 3)
    assert (stage.heard(), stage.changed()) == ({},
                                                {f"dataframetobedeletedatnode {rows[1]}": "gone"})


# --- rights --------------------------------------------------------------------------------------

# Who, its rooms before and after, HQ's statement and its opposite.
CHANGES = {
    "a rule": (14, [], [(1, 1), (2, 1)],
               'INSERT INTO "UserPermission" (user_id, rule_id) VALUES (14, 3)',
               'DELETE FROM "UserPermission" WHERE user_id = 14'),
    "a rule of a role": (14, [], [(1,), (2,)],
                         "INSERT INTO role_rule_association (role_id, rule_id) VALUES (4, 2)",
                         "DELETE FROM role_rule_association WHERE role_id = 4 AND rule_id = 2"),
    "a role": (13, [(1, 1), (2, 1)], [],
               'DELETE FROM "Permission" WHERE user_id = 13',
               'INSERT INTO "Permission" (user_id, role_id) VALUES (13, 3)'),
    "a membership": (16, [(1,)], [(1,), (2,)],
                     'INSERT INTO "Member" (organization_id, collaboration_id) VALUES (3, 2)',
                     'DELETE FROM "Member" WHERE organization_id = 3 AND collaboration_id = 2'),
    "an organization": (17, [(1, 2), (2, 2)], [(1, 3)],
                        'UPDATE "user" SET organization_id = 3 WHERE id = 17',
                        'UPDATE "user" SET organization_id = 2 WHERE id = 17'),
    "a collaboration": (5, [(2,), (2, 2)], [(1,), (1, 2)],
                        "UPDATE node SET collaboration_id = 1 WHERE id = 5",
                        "UPDATE node SET collaboration_id = 2 WHERE id = 5"),
}


def probe(stage, absent, present=()):
    """Events to all rooms at once: those of the tables receive them, but for the absent, and those
    present in (who, rooms)."""
    for place in PUBLIC:
        stage.world.emit("to_room", room(place), room(place))
    heard = script(*((members(place) - set(absent) | {who for who, places in present
                                                      if place in places}, ["to_room", room(place)])
                     for place in PUBLIC))
    assert stage.heard("to_room") == heard


def check_move(stage, who, old, new):
    """It is in the new rooms now, whatever it received before, and those concerned are told."""
    probe(stage, [who], [(who, new)])
    ears, node = ((members, [presence("node-offline", who), presence("node-online", who)])
                  if who in NODES else (
                      lambda place: users(members(place)), []))
    expected = script(
        *((set().union(*map(members, places)) - {who}, event)
          for places, event in zip((old, new), node)),
        *((ears(place) - {who}, left(who, place)) for place in old if place not in new),
        *((ears(place) | {who}, joined(who, place)) for place in new if place not in old))
    wait_for(lambda: sum(len(client.heard("message", "node-online", "node-offline"))
                         for client in stage.cast.values())
             >= sum(map(len, expected.values())), "the messages")
    assert stage.heard() == expected


@pytest.mark.parametrize("change", CHANGES)
def test_rights_follow_hqs_rows_and_who_joins_or_leaves_is_told(stage, change):
    who, before, after, there, back = CHANGES[change]
    stage.world.sql(there)
    try:
        check_move(stage, who, before, after)
    finally:
        stage.world.sql(back)
    check_move(stage, who, after, before)
    assert stage.changed() == {}


# --- they go -------------------------------------------------------------------------------------

def test_a_node_that_goes_is_told_in_its_rooms_and_its_configuration_is_deleted(stage):
    stage.leave(3)
    assert stage.heard() == script((both(1, 3) - {3}, presence("node-offline", 3)),
                                   (C[1] - {3}, left(3, (1,))))
    assert stage.changed() == {"authenticatable 3": {"status": "offline"},
                               config(3, "stale", "from an earlier connection"): "gone"}
    stage.enter(3)


def test_a_user_that_goes_is_told_to_users(stage):
    stage.leave(16)
    assert stage.heard() == script((C_USERS - {16}, left(16, (1,))))
    assert stage.changed() == {"authenticatable 16": {"status": "offline"}}
    stage.enter(16)


def remove(world, *statements):
    """HQ removes something, in one commit."""
    db = world.connect()
    db.autocommit = False
    with db.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    db.commit()
    db.close()


def test_a_principal_that_hq_removes_is_out_at_once(stage):
    """A user, and then a node as well."""
    user = stage.cast.pop(19)
    remove(stage.world, 'DELETE FROM "Permission" WHERE user_id = 19',
           'DELETE FROM "UserPermission" WHERE user_id = 19', 'DELETE FROM "user" WHERE id = 19',
           "DELETE FROM authenticatable WHERE id = 19")
    probe(stage, [19])
    stage.cast[11].wait("message", times=2)
    assert stage.heard() == script((C_USERS - {19}, left(19, (1,))),
                                   (users(C[2]) - {19}, left(19, (2,))))
    node = stage.cast.pop(4)
    remove(stage.world, "DELETE FROM node WHERE id = 4", "DELETE FROM authenticatable WHERE id = 4")
    probe(stage, [19, 4])
    stage.cast[13].wait("message")
    assert stage.heard() == script((both(2, 1) - {4, 19}, presence("node-offline", 4)),
                                   (C[2] - {4, 19}, left(4, (2,))), ({13}, left(4, (2, 1))))
    assert stage.changed() == {
        name: "gone"
        for name in ("authenticatable 19", "user 19", 'Permission {"role_id": 3, "user_id": 19}',
                     'UserPermission {"rule_id": 1, "user_id": 19}', "authenticatable 4", "node 4")}
    assert user.heard() == [] and node.heard() == []
