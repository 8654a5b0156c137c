"""100 nodes log at once while HQ reads and patches their runs: what ends in run.log, and what a
line costs."""
import json
import threading

from clients import Raw
from lablib.facts import wait_for

NODES, QUARTER, FIRST = 100, 50, 1001
OPTIONS = ["--max-connections-per-address", "1000", "--handshake-rate", "0", "--event-rate", "0",
           "--beat-interval", "1s"]
# Full pages after a checkpoint are no line's cost.
SETTINGS = "full_page_writes = off\nautovacuum = off\n"
PATCHED = range(FIRST, FIRST + NODES, 10)  # runs whose log HQ writes too


def populate(world):
    """So many organizations in collaboration 1, each with a node and an active run of its id."""
    ids = f"generate_series({FIRST}, {FIRST + NODES - 1}) AS i"
    for statement in (
            f"INSERT INTO organization (id, name) SELECT i, 'o' || i FROM {ids}",
            f'INSERT INTO "Member" (organization_id, collaboration_id) SELECT i, 1 FROM {ids}',
            "INSERT INTO authenticatable (id, type, keycloak_id) "
            f"SELECT i, 'node', gen_random_uuid()::text FROM {ids}",
            "INSERT INTO node (id, name, collaboration_id, organization_id) "
            f"SELECT i, 'n' || i, 1, i FROM {ids}",
            "INSERT INTO run (id, task_id, organization_id, status, action) "
            f"SELECT i, 1, i, 'active', 'central_compute' FROM {ids}"):
        world.sql(statement)


def line(number):
    """The so-manieth line of a run, 100 bytes."""
    return f"{number} ".ljust(100, "x")


def say(nodes, first):
    """A quarter of the lines, from all nodes in turn."""
    for number in range(first, first + QUARTER):
        for node in nodes:
            node.send("42/tasks," + json.dumps(
                ["algorithm_log", {"run_id": node.ident, "task_id": 1, "log": line(number)}]))


def patch(world, quarter):
    """HQ reads each run and writes another column; of some the log, as a node's PATCH has it do."""
    db = world.connect()
    with db.cursor() as cursor:
        for run in range(FIRST, FIRST + NODES):
            cursor.execute("SELECT log, status FROM run WHERE id = %s", (run,))
            cursor.execute("UPDATE run SET assigned_at = now() WHERE id = %s", (run,))
            if run in PATCHED:
                cursor.execute("UPDATE run SET log = %s WHERE id = %s", (f"patched {quarter}", run))
    db.close()


def folded(world, lines):
    """Have all lines come, and been folded?"""
    return world.sql("SELECT (SELECT count(*) FROM vantage6_events.event "
                     "WHERE payload LIKE '[\"algorithm_log\",%%'), "
                     "(SELECT count(*) FROM vantage6_events.log_line)",
                     user="postgres") == [(lines, 0)]


def test_nothing_is_lost_but_what_hq_overwrote_and_the_last_line_costs_what_the_first_did(
        own_lab, clients):
    world = own_lab(options=OPTIONS, settings=SETTINGS)
    populate(world)
    nodes = [clients(Raw(world, FIRST + i)) for i in range(NODES)]
    world.joined(*nodes)
    wal = []
    for quarter in range(4):
        before = world.sql("SELECT pg_current_wal_insert_lsn()")[0][0]
        hq = threading.Thread(target=patch, args=(world, quarter))
        hq.start()
        say(nodes, quarter * QUARTER)
        hq.join()
        wait_for(lambda: folded(world, (quarter + 1) * QUARTER * NODES),  # noqa: B023
                 "the lines to be in the runs", 120)
        wal.append(world.sql("SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", before)[0][0])
    logs = dict(world.sql("SELECT id, log FROM run WHERE id >= %s", FIRST))
    whole = [line(number) for number in range(4 * QUARTER)]
    for run, log in logs.items():
        lines = log.split("\n")
        if run in PATCHED:
            assert lines.pop(0) == "patched 3"
            assert lines == whole[len(whole) - len(lines):], f"run {run}"
        else:
            assert lines == whole, f"run {run}"
    cost = [int(bytes_) / (QUARTER * NODES) for bytes_ in wal]
    assert max(cost) < 5 * min(cost), f"bytes of WAL per line, by quarter: {cost}"
