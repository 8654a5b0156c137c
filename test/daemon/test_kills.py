"""Kills, dependents and dataframes to delete, as HQ writes them: who receives what, also who was
away."""
from threading import Thread

import pytest

from clients import Raw
from lablib.facts import wait_for
from test_runs import new_run, new_task

KILLED = ("UPDATE run SET status = 'killed by user', finished_at = now() AT TIME ZONE 'UTC' "
          "WHERE id = %s")


@pytest.fixture(params=["v5", "v4"])
def world(request):
    """A version's shared lab; what a test adds to its tables is taken out again."""
    lab = request.getfixturevalue(request.param)
    tasks = tuple(row[0] for row in lab.sql("SELECT id FROM task"))
    yield lab
    lab.sql("DELETE FROM run WHERE task_id NOT IN %s", tasks)
    if lab.hq == "v5":
        lab.sql("DELETE FROM task_depends_on WHERE task_id NOT IN %s", tasks)
    lab.sql("DELETE FROM task WHERE id NOT IN %s", tasks)
    lab.sql("DELETE FROM vantage6_events.instruction", user="postgres")


def kills(client):
    """Runs of each list that the client was sent."""
    return [[item["run_id"] for item in event[1]["kill_list"]]
            for event in client.heard("kill_containers")]


def test_each_node_kills_its_own(world, clients):
    """A kill of one organization's run reaches no other's node, nor any user; who was away is told
    when it comes, before sync."""
    task = new_task(world)
    below = new_task(world, parent=new_task(world, parent=task))
    mine, others, far = new_run(world, task, 1), new_run(world, task, 2), new_run(world, below, 2)
    cast = {ident: clients(Raw(world, ident)) for ident in (1, 3, 4, 11, 12, 13)}
    world.joined(*cast.values())
    world.sql(KILLED, mine)
    world.sql(KILLED, others)
    world.settled(*cast.values())
    assert {ident: kills(client) for ident, client in cast.items()} == {
        1: [[mine]], 3: [], 4: [], 11: [], 12: [], 13: []}
    assert cast[1].heard("kill_containers") == [["kill_containers", {
        "kill_list": [{"task_id": task, "run_id": mine, "organization_id": 1}],
        "collaboration_id": 1}]]
    late = clients(Raw(world, 2))
    late.wait("sync")
    assert kills(late) == [[far], [others]]
    assert late.names().index("sync") > max(n for n, name in enumerate(late.names())
                                            if name == "kill_containers")
    world.settled(late)
    assert kills(late) == [[far],
                           [others]], "what the greeting brought does not come by the log as well"


def test_kill_task_and_kill_node(world, clients):
    node, other = clients(Raw(world, 1)), clients(Raw(world, 2))
    world.joined(node, other)
    task = new_task(world)
    runs = [new_run(world, task, 1), new_run(world, new_task(world, parent=task), 1)]
    assert world.sql("SELECT vantage6_events.kill_task(%s)", task) == [(2,)]
    run = new_run(world, new_task(world), 1)
    left = world.sql(
        "SELECT id FROM run r WHERE organization_id = 1 AND status IN ('pending', 'active')"
        " AND (SELECT collaboration_id FROM task t WHERE t.id = r.task_id) = 1 ORDER BY 1")
    before = world.sql("SELECT id, status, finished_at FROM run WHERE id IN %s",
                       tuple(ident for ident, in left))
    assert world.sql("SELECT vantage6_events.kill_node(1)") == [(len(left),)]
    world.settled(node, other)
    for ident, status, finished in before:
        world.sql("UPDATE run SET status = %s, finished_at = %s WHERE id = %s", status, finished,
                  ident)
    assert run in {ident for ident, in left}
    first, second, everything = node.heard("kill_containers")
    assert [item["run_id"] for item in first[1]["kill_list"]] == runs
    assert [item["run_id"] for item in second[1]["kill_list"]] == [ident for ident, in left]
    assert everything == ["kill_containers", {"node_id": 1, "collaboration_id": 1}]
    assert not other.heard("kill_containers")


def test_dependents(v5, clients):
    """Announced to the nodes that have something to run, once all it waits for has finished."""
    cast = {ident: clients(Raw(v5, ident)) for ident in (1, 2, 3, 11, 13, 17)}
    v5.joined(*cast.values())
    first, second = new_task(v5), new_task(v5)
    v5.sql("INSERT INTO task_depends_on VALUES (%s, %s)", second, first)
    runs = [new_run(v5, first, 1), new_run(v5, first, 2)]
    new_run(v5, second, 1)
    event = ["new_task_update", {"id": second, "parent_id": None}]

    def times():
        v5.settled(*cast.values())
        return {ident: client.heard("new_task_update").count(event)
                for ident, client in cast.items()}
    created = {1: 1, 2: 0, 3: 0, 11: 1, 13: 1, 17: 0}
    v5.sql("UPDATE run SET status = 'completed', finished_at = now() WHERE id = %s", runs[0])
    assert times() == created
    v5.sql("UPDATE run SET status = 'completed', finished_at = now() WHERE id = %s", runs[1])
    assert times() == {ident: 2 * n for ident, n in created.items()}
    v5.sql("DELETE FROM run WHERE task_id IN (%s, %s)", first, second)
    v5.sql("DELETE FROM task_depends_on WHERE task_id = %s", second)
    v5.sql("DELETE FROM task WHERE id IN (%s, %s)", first, second)


def test_a_dependent_is_announced_though_a_standby_held_up_what_finished(v5, clients):
    """Two transactions finish the last runs, and neither sees the other: a beat looks again."""
    node = clients(Raw(v5, 1))
    v5.joined(node)
    first, second = new_task(v5), new_task(v5)
    v5.sql("INSERT INTO task_depends_on VALUES (%s, %s)", second, first)
    runs = [new_run(v5, first, 1), new_run(v5, first, 2)]
    new_run(v5, second, 1)
    event = ["new_task_update", {"id": second, "parent_id": None}]
    wait_for(lambda: node.heard("new_task_update").count(event) == 1, "that it was made")

    def standby(names):
        v5.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'", user="postgres")
        v5.sql("SELECT pg_reload_conf()", user="postgres")

    def hangs(statement, *values, again=False):
        """A thread whose commit waits for the standby; again: once the server has noticed it."""
        db = v5.connect()

        def commit():
            with db.cursor() as cursor:
                cursor.execute(statement, values)
                while again and not released:
                    cursor.execute(statement, values)
        thread = Thread(target=commit)
        thread.start()
        # For the standby, or for the lock of NOTIFY, which another has that waits for it.
        wait_for(lambda: v5.sql("SELECT wait_event FROM pg_stat_activity WHERE pid = %s",
                                db.get_backend_pid(), user="postgres")
                 in ([("SyncRep",)], [("object",)]), "a commit to be held up")
        return thread
    finished = "UPDATE run SET status = 'completed', finished_at = now() WHERE id = %s"
    released, threads = [], []
    standby("ghost")
    try:
        threads.append(hangs("UPDATE task SET name = 'held up' WHERE id = %s", first, again=True))
        threads += [hangs(finished, run) for run in runs]
    finally:
        released.append(True)
        standby("")
    for thread in threads:
        thread.join()
    wait_for(lambda: node.heard("new_task_update").count(event) == 2, "a beat")
    v5.sql("DELETE FROM run WHERE task_id IN (%s, %s)", first, second)
    v5.sql("DELETE FROM task_depends_on WHERE task_id = %s", second)
    v5.sql("DELETE FROM task WHERE id IN (%s, %s)", first, second)


def test_dataframes(v5, clients):
    """To the addressed node: at once, at each connection, and again while the row stands."""
    node, other = clients(Raw(v5, 3)), clients(Raw(v5, 4))
    v5.joined(node, other)
    ident = v5.sql("INSERT INTO dataframetobedeletedatnode (dataframe_name, session_id, node_id) "
                   "VALUES ('df', 1, 3) RETURNING id")[0][0]
    event = ["delete_dataframe", {"df_name": "df", "session_id": 1}]
    v5.settled(node, other)
    assert (node.heard("delete_dataframe"), other.heard("delete_dataframe")) == ([event], [])
    again = clients(Raw(v5, 3))
    again.wait("sync")
    assert again.names().index("delete_dataframe") < again.names().index("sync")
    v5.sql("UPDATE vantage6_events.unwanted_dataframe SET told_at = now() - interval '11 min' "
           "WHERE id = %s", ident, user="postgres")
    wait_for(lambda: again.heard("delete_dataframe") == [event, event], "the next beat")
    v5.sql("DELETE FROM dataframetobedeletedatnode WHERE id = %s", ident)
    last = clients(Raw(v5, 3))
    last.wait("sync")
    assert not last.heard("delete_dataframe")
