"""With shared_preload_libraries a background worker rings the bell.

Reads that no bell causes are an hour apart here.
"""
import contextlib
import os
import signal
import threading
import time

import psycopg2
import pytest

from clients import Raw
from lablib.facts import wait_for
from lablib.postgres import DOORBELL

WORKERS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'vantage6_events' AND datname = %s"
WAITS = """SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND database = 0 AND NOT granted
    AND pid = %s"""
# A transaction that has nothing to write waits for no standby.
NOTIFY = "SELECT pg_notify('somebody', ''), pg_logical_emit_message(true, 'test', '')"
EMIT = "SELECT vantage6_events.emit(%s, NULL, 'everyone')"


@pytest.fixture(scope="module")
def world(make_world):
    """One daemon that receives bells only."""
    return make_world(options=["--read-interval", "1h", "--retry-max", "200ms"], settings=DOORBELL)


def workers(world, database="hq"):
    """The pids of a database's workers."""
    return [pid for pid, in world.sql(WORKERS, database, user="postgres")]


def worker(world, database="hq"):
    """The one that lives."""
    return wait_for(lambda: workers(world, database), f"a worker of database {database}")[0]


@pytest.fixture
def client(world, clients):
    """One that has joined. What it receives, a bell has brought."""
    made = clients(Raw(world, 12))
    world.joined(made)
    return made


@contextlib.contextmanager
def transaction(world):
    """A cursor in a transaction of its own connection, which the block ends."""
    db = psycopg2.connect(world.lab.conninfo("hq"))
    try:
        yield db, db.cursor()
    finally:
        db.close()


@contextlib.contextmanager
def stopped(pid):
    """A process that does nothing for a while."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_the_mode_is_told(world, v5, client):
    """In the view, and in pushd's metrics, in both modes."""
    assert world.sql("SELECT bell FROM vantage6_events.status") == [("worker",)]
    assert world.metric("bell", kind="worker") == 1
    if not os.environ.get("DOORBELL"):
        assert v5.sql("SELECT bell FROM vantage6_events.status") == [("notify",)]
        assert v5.metric("bell", kind="notify") == 1
    assert len(workers(world)) == 1
    world.emit("told", None, "everyone")
    client.wait("told")


def test_what_did_not_commit_is_not_heard(world, client):
    """A rollback, and a savepoint that was rolled back; what the transaction emitted besides is
    received."""
    with transaction(world) as (db, cursor):
        cursor.execute(EMIT, ("never",))
        db.rollback()
        cursor.execute("SAVEPOINT s")
        cursor.execute(EMIT, ("undone",))
        cursor.execute("ROLLBACK TO s")
        db.commit()
        cursor.execute("SAVEPOINT s")
        cursor.execute(EMIT, ("undone",))
        cursor.execute("ROLLBACK TO s")
        cursor.execute("SAVEPOINT t")
        cursor.execute(EMIT, ("kept",))
        cursor.execute("RELEASE t")
        db.commit()
    client.wait("kept")
    assert client.heard("never", "undone") == []


def test_a_prepared_transaction_is_heard_when_it_commits(world, client):
    """In another session than the one that prepared it."""
    world.sql("BEGIN")
    world.sql(EMIT, "prepared")
    world.sql("PREPARE TRANSACTION 'doorbell'")
    world.sql(EMIT, "meanwhile")
    client.wait("meanwhile")
    assert client.heard("prepared") == []
    world.connect().cursor().execute("COMMIT PREPARED 'doorbell'")
    client.wait("prepared")


def test_what_was_prepared_before_a_crash_counts_when_it_commits(own_lab, clients):
    """An event, and a change of rights."""
    world = own_lab(options=["--retry-max", "200ms"], settings=DOORBELL)
    client = clients(Raw(world, 13))
    world.joined(client)
    world.sql("BEGIN")
    world.sql("DELETE FROM \"Permission\" WHERE user_id = 13")
    world.sql(EMIT, "prepared")
    world.sql("PREPARE TRANSACTION 'rights'")
    world.lab.cluster.crash()
    world.forget_connection()
    world.lab.cluster.start()
    wait_for(lambda: world.log().count("database ready") == 2, "the daemon to be back")
    world.joined(client)
    world.emit("before", None, "collaboration_1_organization_1/users")
    client.wait("before")
    world.sql("COMMIT PREPARED 'rights'")
    client.wait("prepared")
    world.emit("after", None, "collaboration_1_organization_1/users")
    world.settled(client)
    assert not client.heard("after")


def test_hq_never_takes_the_lock_of_notify(world, client):
    """A commit that notifies has it while it waits for a standby that does not exist; HQ's commits
    go on, only the worker waits."""
    world.sql("ALTER DATABASE hq SET synchronous_commit = local", user="postgres")
    world.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", user="postgres")
    world.sql("SELECT pg_reload_conf()", user="postgres")
    hq, holder = world.connect(), world.connect("postgres")
    holder.cursor().execute("SET synchronous_commit = on")
    thread = threading.Thread(target=holder.cursor().execute, args=(NOTIFY,))
    try:
        wait_for(lambda: world.sql("SHOW synchronous_standby_names", user="postgres")
                 == [("nobody",)], "the setting")
        thread.start()
        wait_for(lambda: world.sql("SELECT wait_event FROM pg_stat_activity WHERE pid = %s",
                                   holder.get_backend_pid(), user="postgres") == [("SyncRep",)],
                 "NOTIFY to wait")
        with hq.cursor() as cursor:
            cursor.execute("SET statement_timeout = '20s'")
            cursor.execute(EMIT, ("while_locked",))
        wait_for(lambda: world.sql(WAITS, worker(world), user="postgres")[0][0] == 1,
                 "the worker to wait")
        assert client.heard("while_locked") == []
    finally:
        world.sql("ALTER SYSTEM RESET synchronous_standby_names", user="postgres")
        world.sql("SELECT pg_reload_conf()", user="postgres")
        world.sql("ALTER DATABASE hq RESET synchronous_commit", user="postgres")
    thread.join(20)
    client.wait("while_locked")
    hq.close()
    holder.close()


def test_a_bell_outlives_its_worker(world, client):
    """Asked for while the worker ends: its successor rings."""
    pid = worker(world)
    with stopped(pid):
        world.emit("unrung", None, "everyone")
        world.sql("SELECT pg_terminate_backend(%s)", pid, user="postgres")
    client.wait("unrung")
    assert worker(world) != pid


def test_many_bells_are_one(world, client):
    """What commits while the worker is busy is one notification; presence may add some."""
    listener = world.connect()
    listener.cursor().execute("LISTEN vantage6_events")
    with stopped(worker(world)):
        for i in range(50):
            world.emit(f"many_{i}", None, "everyone")
    client.wait("many_49")
    listener.poll()
    assert (1 <= len(listener.notifies) < 10
            and {notice.payload for notice in listener.notifies} == {""})
    listener.close()


def test_a_pause_is_kept_between_bells(world, client):
    """And what was committed in it is received after it."""
    listener = world.connect()
    listener.cursor().execute("LISTEN vantage6_events")
    world.sql("ALTER SYSTEM SET vantage6_events.bell_pause = '1s'", user="postgres")
    world.sql("SELECT pg_reload_conf()", user="postgres")
    began = time.monotonic()
    try:
        for i in range(20):
            world.emit(f"paced_{i}", None, "everyone")
            client.round_trip()
        client.wait("paced_19")
    finally:
        world.sql("ALTER SYSTEM RESET vantage6_events.bell_pause", user="postgres")
        world.sql("SELECT pg_reload_conf()", user="postgres")
    listener.poll()
    assert 2 <= len(listener.notifies) <= 4 + time.monotonic() - began
    listener.close()


def test_a_killed_worker(world, client):
    """PostgreSQL restarts everything, as for any of its processes; the next commit has a worker."""
    pid, witness = worker(world), world.connect()

    def answers(connect):
        try:
            return connect().cursor().execute("SELECT") is None
        except psycopg2.Error:
            return False
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not answers(lambda: witness), "PostgreSQL to end every session")
    wait_for(lambda: answers(world.connect), "PostgreSQL to be back", 60)
    world.forget_connection()
    world.emit("after_the_kill", None, "everyone")
    client.wait("after_the_kill")
    assert worker(world) != pid


def test_each_database_has_a_worker(world, client):
    """It rings in its own, and ends with the extension, so that the database can be dropped."""
    world.sql("CREATE DATABASE other", user="postgres")
    db = psycopg2.connect(world.lab.conninfo("postgres", "other"))
    db.autocommit = True
    cursor = db.cursor()
    cursor.execute("CREATE EXTENSION vantage6_events")
    cursor.execute("LISTEN vantage6_events")
    cursor.execute(EMIT, ("other",))
    pid = worker(world, "other")
    world.emit("here", None, "everyone")
    client.wait("here")

    def rung():
        db.poll()
        return db.notifies
    assert wait_for(rung, "the bell of the other database")[0].pid == pid
    assert client.heard("other") == []
    world.sql("ALTER SYSTEM SET vantage6_events.upkeep_interval = '1s'", user="postgres")
    world.sql("SELECT pg_reload_conf()", user="postgres")
    cursor.execute("DROP EXTENSION vantage6_events")
    db.close()
    wait_for(lambda: not workers(world, "other"), "its worker to end")
    world.sql("DROP DATABASE other", user="postgres")
    assert len(workers(world)) == 1


def test_no_worker_to_be_had(own_lab, clients):
    """Then commits ring the plain bell, until there is one."""
    world = own_lab(options=["--read-interval", "1h"],
                    settings=DOORBELL + "max_worker_processes = 0\n")
    assert world.sql("SELECT bell FROM vantage6_events.status") == [("notify",)]
    client = clients(Raw(world, 12))
    world.joined(client)
    world.emit("plain", None, "everyone")
    client.wait("plain")


def test_a_database_is_renamed_when_its_worker_has_ended(own_lab):
    world = own_lab(settings=DOORBELL)
    world.emit("before", None, "everyone")
    worker(world)
    world.lab.stop_pushd(0)
    world.forget_connection()
    postgres = world.connect("postgres", "postgres").cursor()
    rename = "ALTER DATABASE hq RENAME TO other"
    with pytest.raises(psycopg2.errors.ObjectInUse):
        postgres.execute(rename)
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'hq'")
    postgres.execute(rename)
    with world.connect("postgres", "other") as db, db.cursor() as cursor:
        cursor.execute(EMIT, ("after",))
    postgres.execute(WORKERS, ("other",))
    wait_for(lambda: postgres.execute(WORKERS, ("other",)) or postgres.fetchall(), "a worker")
