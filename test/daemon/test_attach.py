"""attach() and detach() on a server at work: they get their locks, hold them briefly, and say who
is in the way."""
import re
import threading

import psycopg2
import pytest

from lablib.facts import wait_for

ATTACH, DETACH = "SELECT vantage6_events.attach('public')", "SELECT vantage6_events.detach()"
SETTINGS = {"max_prepared_transactions": "2", "autovacuum_naptime": "1s"}
# At any change, and for minutes.
VACUUM = """ALTER TABLE run SET (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_cost_limit = 1,
                                 autovacuum_vacuum_cost_delay = 100)"""


@pytest.fixture(scope="module")
def world(make_world):
    """Two daemons that call the database often."""
    made = make_world(instances=2, options=["--beat-interval", "100ms", "--retry-max", "200ms"])
    for name, value in SETTINGS.items():
        made.sql(f"ALTER SYSTEM SET {name} = '{value}'", user="postgres")
    made.lab.cluster.restart()
    made.forget_connection()
    return made


@pytest.fixture
def attached(world):
    """Attached before the test, and again after it."""
    def attach():
        world.sql(ATTACH)
        for instance in (0, 1):
            wait_for(lambda: world.ready(instance), "the daemon to be ready", 60)  # noqa: B023
    attach()
    yield
    attach()


def transaction(world, statement, user="hq", name=""):
    """A connection that has done something and not committed it."""
    db = psycopg2.connect(world.lab.conninfo(user), application_name=name)
    db.cursor().execute(statement)
    return db


class Hammer:
    """Sessions that call a function of pushd without a pause, whatever comes of it."""

    def __init__(self, world, statement, sessions=4):
        self.world, self.statement, self.calls = world, statement, 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(sessions)]

    def _call(self):
        db = self.world.connect("pushd")
        while not self._stop.is_set():
            try:
                db.cursor().execute(self.statement)
                self.calls += 1
            except psycopg2.Error:
                pass  # while nothing is attached there is no such function
        db.close()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        wait_for(lambda: self.calls > 10, "calls of pushd's functions")
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_what_pushd_asks_without_a_pause_keeps_nobody_from_attaching_and_detaching(world, attached):
    with Hammer(world, "SELECT vantage6_events.presence(1)") as hammer:
        for _ in range(5):
            world.sql(DETACH)
            world.sql(ATTACH)
            seen = hammer.calls
            wait_for(lambda: hammer.calls > seen, "calls after attach()")  # noqa: B023


def test_an_autovacuum_of_hqs_tables_makes_way(world, attached):
    with world.connect("postgres").cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no trigger, no event
        cursor.execute("""INSERT INTO run (task_id, organization_id, status)
            SELECT (SELECT min(id) FROM task), 1, 'pending' FROM generate_series(1, 20000)""")
        cursor.execute("DELETE FROM run WHERE status = 'pending'")
        cursor.execute(VACUUM)

    def vacuumed():
        return world.sql("""SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
            WHERE relation = 'run'::regclass AND backend_type = 'autovacuum worker'
              AND mode = 'ShareUpdateExclusiveLock' AND granted""", user="postgres")
    wait_for(vacuumed, "autovacuum to come", 90)
    try:
        world.sql(ATTACH)
    finally:
        world.sql("ALTER TABLE run SET (autovacuum_enabled = off)")
    with open(world.lab.cluster.log, encoding="utf-8") as log:
        assert "canceling autovacuum task" in log.read()


def test_who_is_in_the_way_is_said_as_far_as_the_caller_may_know(world, attached):
    """10 s: that is attach's patience."""
    ready = transaction(world, "LOCK TABLE node IN ROW EXCLUSIVE MODE")
    ready.cursor().execute("PREPARE TRANSACTION 'left behind'")
    idle = transaction(world, "UPDATE run SET status = status", name="a forgotten shell")
    other = transaction(world, "SELECT FROM task FOR UPDATE; SELECT FROM run", user="postgres",
                        name="a dump")
    try:
        with pytest.raises(psycopg2.errors.LockNotAvailable) as refusal:
            world.sql(DETACH)
    finally:
        for db in (idle, other):
            db.close()
        world.sql("ROLLBACK PREPARED 'left behind'")
        ready.close()
    said = refusal.value.diag.message_detail
    assert re.search(
        r"^In the way: the prepared transaction 'left behind': RowExclusiveLock on public\.node$",
        said, re.M), said
    assert re.search(
        r'process \d+ \(hq, application "a forgotten shell", idle in transaction, transaction of '
        r"20[^)]+\): RowExclusiveLock on public\.run", said), said
    assert re.search(
        r'process \d+ \(postgres, application "a dump"\): AccessShareLock on public\.run',
        said), said
    assert "pg_terminate_backend" in refusal.value.diag.message_hint
    assert world.sql("SELECT count(*) FROM vantage6_events.faults()", user="postgres")[0][0] == 0


def test_no_query_of_the_extension_is_compiled_before_it_runs(world, attached):
    """JIT takes a second, attach() holds locks, and the estimates of queries over functions are far
    too high."""
    plans = []

    class Notices:
        """psycopg2 keeps the last 50 only."""

        append = staticmethod(plans.append)

    db = world.connect("postgres")
    db.notices = Notices()
    incarnation = "(SELECT max(incarnation) FROM vantage6_events.instance)"
    with db.cursor() as cursor:
        cursor.execute("""LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0;
            SET client_min_messages = log;
            SET auto_explain.log_nested_statements = on; SET auto_explain.log_analyze = on""")
        for call in (DETACH, ATTACH, "SELECT vantage6_events.open('a', '1.0.0')",
                     f"SELECT vantage6_events.connect({incarnation}, '[]')",
                     "SELECT vantage6_events.presence(10)",
                     f"SELECT vantage6_events.beat({incarnation})",
                     f"SELECT vantage6_events.receive({incarnation}, 's', '[]')",
                     "SELECT vantage6_events.rooms(1)", "SELECT FROM vantage6_events.status",
                     f"SELECT vantage6_events.disconnect({incarnation}, '[]')"):
            plans.clear()
            cursor.execute(call)
            assert plans, f"{call}: auto_explain said nothing"
            assert not [plan for plan in plans if "\nJIT:" in plan], call
    db.close()
