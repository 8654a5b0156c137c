"""What a task's runs announce, written by plain SQL as HQ writes them: the task, commit, each run,
commit."""
import types

import pytest

from clients import Raw

# Of collaboration 1, by organization; of collaboration 2.
NODES, OTHER_NODES = {1: 1, 2: 2, 3: 3}, (4, 5)
C_USERS = (11, 12, 15, 16, 19)  # receive collaboration 1: by global or collaboration scope
CO_USERS = {13: 1, 17: 2}  # receive only their organization in it
DEAF = (14, 18, 20, 21)
CAST = (*NODES.values(), *OTHER_NODES, *C_USERS, *CO_USERS, *DEAF)
STATUS = ("status_update", "algorithm_status_change")


@pytest.fixture(params=["v5", "v4"])
def hq(request, clients):
    """A version's shared lab with everybody connected; what a test adds to its tables is taken out
    again."""
    world = request.getfixturevalue(request.param)
    cast = {ident: clients(Raw(world, ident)) for ident in CAST}
    world.joined(*cast.values())
    before = world.sql("SELECT id, status, log FROM run")
    tasks = tuple(row[0] for row in world.sql("SELECT id FROM task"))
    yield types.SimpleNamespace(world=world, cast=cast)
    world.sql("DELETE FROM run WHERE task_id NOT IN %s", tasks)
    world.sql("DELETE FROM task WHERE id NOT IN %s", tasks)
    for ident, status, log in before:
        world.sql("UPDATE run SET status = %s, log = %s WHERE id = %s", status, log, ident)


def new_task(world, collaboration=1, parent=None):
    """Insert a task as HQ does; its id."""
    return world.sql(
        "INSERT INTO task (name, collaboration_id, parent_id, job_id, init_org_id, init_user_id) "
        "VALUES ('new', %s, %s, 7, 1, 13) RETURNING id", collaboration, parent)[0][0]


def new_run(world, task, organization):
    """Insert a run as HQ does; its id."""
    return world.sql("INSERT INTO run (task_id, organization_id, status) "
                     "VALUES (%s, %s, 'pending') RETURNING id",
                     task, organization)[0][0]


def heard(hq, *names):
    """What each has received of these events, once all that is committed has arrived."""
    hq.world.settled(*hq.cast.values())
    return {ident: client.heard(*names) for ident, client in hq.cast.items()}


def test_three_runs_in_three_commits(hq):
    world = hq.world
    task = new_task(world, parent=1)
    assert not any(heard(hq).values()), "a task without runs concerns nobody"
    for organization in (1, 2, 3):
        new_run(world, task, organization)
    event = [world.new_task, {"id": task, "parent_id": 1}]
    times = {**dict.fromkeys(NODES.values(), 1), **dict.fromkeys(C_USERS, 3),
             **dict.fromkeys(CO_USERS, 1)}
    assert heard(hq) == {ident: [event] * times.get(ident, 0) for ident in CAST}


def test_all_runs_in_one_commit(hq):
    """No node receives a task twice, though it has two runs of it."""
    world, db = hq.world, hq.world.connect()
    db.autocommit = False
    with db.cursor() as cursor:
        cursor.execute(
            "INSERT INTO task (name, collaboration_id, job_id) VALUES ('new', 1, 7) RETURNING id")
        task = cursor.fetchone()[0]
        cursor.execute("INSERT INTO run (task_id, organization_id, status) "
                       "SELECT %s, o, 'pending' FROM unnest(ARRAY[1, 1, 3]) o", (task,))
    assert not any(heard(hq).values()), "nothing precedes the commit"
    db.commit()
    db.close()
    event = [world.new_task, {"id": task, "parent_id": None}]
    times = {1: 1, 3: 1, **dict.fromkeys(C_USERS, 3), 13: 2}
    assert heard(hq) == {ident: [event] * times.get(ident, 0) for ident in CAST}


def test_a_run_in_the_other_collaboration(hq):
    world = hq.world
    task = new_task(world, collaboration=2)
    new_run(world, task, 2)
    event = [world.new_task, {"id": task, "parent_id": None}]
    ears = {5, 11, 12, 15, 19, 17}  # 16 is of an organization that is no member
    assert heard(hq) == {ident: [event] if ident in ears else [] for ident in CAST}


@pytest.mark.parametrize("run, task, job, parent, organization",
                         [(2, 1, 1, None, 2), (4, 2, 1, 1, 3)])
def test_a_status_changed(hq, run, task, job, parent, organization):
    hq.world.sql("UPDATE run SET status = 'active' WHERE id = %s", run)
    events = [
        ["status_update", {"run_id": run}],
        ["algorithm_status_change",
         {"status": "active", "run_id": run, "task_id": task, "job_id": job, "collaboration_id": 1,
          "node_id": NODES[organization], "organization_id": organization, "parent_id": parent}]]
    ears = {*NODES.values(), *C_USERS,
            *(user for user, of in CO_USERS.items() if of == organization)}
    assert heard(hq) == {ident: events if ident in ears else [] for ident in CAST}


def test_what_does_not_change_a_status_is_silent(hq):
    hq.world.sql("UPDATE run SET status = status, log = 'more', finished_at = now() WHERE id = 2")
    assert not any(heard(hq).values())
    hq.world.sql("UPDATE run SET finished_at = NULL WHERE id = 2")


def test_one_statement_that_changes_many(hq):
    hq.world.sql("UPDATE run SET status = 'crashed' WHERE task_id = 1")
    told = heard(hq, *STATUS)
    for ident in (*NODES.values(), *C_USERS):
        assert sorted(event[1]["run_id"] for event in told[ident]) == [1, 1, 2, 2, 3, 3]
    assert [event[1]["run_id"] for event in told[13]] == [1, 1]
    assert [event[1]["run_id"] for event in told[17]] == [2, 2]
    assert not any(told[ident] for ident in (*OTHER_NODES, *DEAF))


def test_rollbacks_are_silent(hq):
    world, db = hq.world, hq.world.connect()
    db.autocommit = False
    with db.cursor() as cursor:
        cursor.execute(
            "INSERT INTO run (task_id, organization_id, status) VALUES (1, 2, 'pending')")
        cursor.execute("UPDATE run SET status = 'active' WHERE id = 2")
        db.rollback()
        cursor.execute("SAVEPOINT a")
        cursor.execute(
            "INSERT INTO run (task_id, organization_id, status) VALUES (1, 1, 'pending')")
        cursor.execute("UPDATE run SET status = 'failed' WHERE task_id = 1")
        cursor.execute("ROLLBACK TO a")
        cursor.execute("UPDATE run SET status = 'initializing' WHERE id = 3")
        db.commit()
    db.close()
    told = heard(hq)
    for ident in (*NODES.values(), *C_USERS):
        assert [event[0] for event in told[ident]] == ["status_update", "algorithm_status_change"]
        assert told[ident][1][1]["status"] == "initializing" and told[ident][1][1]["run_id"] == 3
    assert not any(told[ident] for ident in (*OTHER_NODES, *CO_USERS, *DEAF))


def test_rows_without_an_addressee_are_no_error(hq):
    """A row that HQ may write must never fail because of us."""
    world = hq.world
    task = new_task(world)
    run = new_run(world, task, None)
    world.sql("UPDATE run SET status = 'active' WHERE id = %s", run)
    stray = world.sql("INSERT INTO run (status) VALUES ('pending') RETURNING id")[0][0]
    world.sql("UPDATE run SET status = NULL WHERE id = %s", stray)
    world.sql("DELETE FROM run WHERE id = %s", stray)
    told = heard(hq)
    change = {"status": "active", "run_id": run, "task_id": task, "job_id": 7,
              "collaboration_id": 1, "node_id": None, "organization_id": None, "parent_id": None}
    for ident in (*NODES.values(), *C_USERS):
        assert told[ident][-1] == ["algorithm_status_change", change]
    assert not any(told[ident] for ident in (*OTHER_NODES, *CO_USERS, *DEAF))


def test_rows_that_hq_writes_while_pushd_is_away_are_told_later(hq):
    """To clients that were connected all the time: here only PostgreSQL's side of it was away."""
    world = hq.world
    world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pushd'",
              user="postgres")
    task = new_task(world)
    new_run(world, task, 3)
    event = [world.new_task, {"id": task, "parent_id": None}]
    hq.cast[3].wait(world.new_task)
    told = heard(hq)
    assert told[3] == [event] and told[11] == [event]
    assert not any(client.closed for client in hq.cast.values())
