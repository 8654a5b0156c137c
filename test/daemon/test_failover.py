"""A standby takes over, a server crashes with xids unflushed: what other cursors than ours would
lose."""
import contextlib
import os
import shutil
import socket
import tempfile
import threading

import psycopg2
import pytest

from clients import Raw
from lablib.facts import wait_for
from reader import Reader
from standby import make_standby, promote

BEHIND = int(os.environ.get("BEHIND", "20000"))
OPTIONS = ["--retry-max", "200ms", "--ping-timeout", "60s", "--read-interval", "2s", "--drain-time",
           "0s"]


class Pair:
    """A lab with a standby: two daemons that know both servers."""

    def __init__(self, world, folder):
        self.world, self.primary = world, world.lab.cluster
        self.standby = make_standby(self.primary, f"{folder}/standby")
        both = (self.primary, self.standby)
        words = {"host": ",".join(c.run for c in both), "port": ",".join(str(c.port) for c in both),
                 "user": "pushd", "dbname": "hq"}
        for instance in (0, 1):
            world.lab.stop_pushd(instance)
        world.lab.facts["options"] += ["--conninfo",
                                       " ".join(f"{key}={value}" for key, value in words.items())]
        for instance in (0, 1):
            world.lab.start_pushd(instance)

    def connect(self, cluster, user="postgres"):
        """A connection to one of them."""
        db = psycopg2.connect(cluster.conninfo(user, "hq", "/nonexistent"))
        db.autocommit = True
        return db

    def ask(self, cluster, statement, *values):
        """Rows of one of them."""
        with contextlib.closing(self.connect(cluster)) as db, db.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else None

    def caught_up(self):
        """Wait until the standby has replayed all that there is."""
        end = self.ask(self.primary, "SELECT pg_current_wal_insert_lsn()")[0][0]
        self.ask(self.primary, "SELECT pg_logical_emit_message(false, '', '')")
        self.ask(self.primary, "SELECT pg_switch_wal()")
        wait_for(lambda: self.ask(self.standby, "SELECT pg_last_wal_replay_lsn() >= %s", end)[0][0],
                 "the standby")

    def fail_over(self):
        """The primary is gone for ever, the standby is the primary now."""
        self.primary.crash()
        self.standby.start()
        promote(self.standby, self.standby.conninfo("postgres", "postgres", "/nonexistent"))
        self.world.lab.cluster = self.standby
        self.world.forget_connection()

    def end(self):
        """As it was, so that the lab can be taken down."""
        self.world.end()
        self.primary.crash()
        self.standby.crash()


@pytest.fixture
def pair(own_lab):
    """A Pair of the test's own."""
    folder = tempfile.mkdtemp(prefix="vantage6-standby.", dir="/tmp")
    os.chmod(folder, 0o755)
    made = Pair(own_lab(instances=2, options=OPTIONS), folder)
    yield made
    made.end()
    shutil.rmtree(folder)


def test_a_server_that_hangs_is_passed_by(own_lab, clients):
    """It takes the connection, and says nothing: libpq alone would wait for it for ever."""
    world = own_lab(options=OPTIONS)
    cluster = world.lab.cluster
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        world.lab.stop_pushd(0)
        world.lab.facts["options"] += [
            "--conninfo", f"host=127.0.0.1,{cluster.run} port={port},{cluster.port} user=pushd "
            "dbname=hq connect_timeout=1"]
        world.start(path="/livez")
        wait_for(world.ready, "it to be ready", 30)
        assert f"no answer from 127.0.0.1, port {port}, within connect_timeout" in world.log()
        world.joined(clients(Raw(world, 12)))


def crowd(world, clients):
    """Clients at both daemons."""
    made = [clients(Raw(world, ident, instance=instance)) for ident in (3, 12, 15)
            for instance in (0, 1)]
    world.joined(*made)
    return made


def numbers(payloads):
    """The arguments of events of test()."""
    return [int(payload.rpartition(",")[2][:-1]) for payload in payloads
            if payload.startswith('["n",')]


def heard(client):
    """The same as received by a client."""
    return [event[1] for event in client.heard("n")]


def wait_same(made, expected):
    """Each client receives these, once, and is still on its first connection."""
    for client in made:
        wait_for(lambda: len(heard(client)) >= len(expected),
                 f"{client} to receive {len(expected)} events")
        assert sorted(heard(client)) == sorted(expected)
        assert client.connects == 1 and not client.closed


def emit(world, first, count):
    """Events with these numbers, each in a transaction of its own."""
    for number in range(first, first + count):
        world.emit("n", number, "everyone")
    return list(range(first, first + count))


def test_a_standby_that_lacks_many_events_takes_over_and_what_it_commits_is_delivered(
        pair, clients):
    world = pair.world
    made = crowd(world, clients)
    pair.caught_up()
    with contextlib.closing(pair.connect(pair.primary)) as db:
        reader = Reader(db)
    pair.standby.stop()  # what comes now it never gets
    early = emit(world, 0, 100)
    wait_same(made, early)
    with contextlib.closing(pair.connect(pair.primary)) as db:
        reader.read(db)
    pair.fail_over()
    late = emit(world, 1000, 41)
    with contextlib.closing(pair.connect(pair.standby)) as db:
        again = {kind: numbers(found) for kind, found in reader.read(db).items()}
    assert again["both"] == late
    assert len(again["id"]) < 41 and len(again["snapshot"]) < 41, "this is no trap"
    wait_same(made, early + late)
    for instance in (0, 1):
        wait_for(lambda: world.ready(instance), "the daemon to be ready")  # noqa: B023
        assert "a standby was promoted" in world.log(instance)
    wait_same(made, early + late + emit(world, 2000, 5))


def test_what_was_acknowledged_by_a_synchronous_pair_is_delivered_whichever_server_lives(
        pair, clients):
    world = pair.world
    pair.ask(pair.primary, "ALTER SYSTEM SET synchronous_standby_names = 'standby'")
    pair.ask(pair.primary, "SELECT pg_reload_conf()")
    wait_for(lambda: pair.ask(pair.primary, "SELECT sync_state FROM pg_stat_replication")
             == [("sync",)],
             "a synchronous standby")
    made = crowd(world, clients)
    acknowledged, ended = [], threading.Event()

    def write(writer):
        number = writer * 100000
        with (contextlib.suppress(psycopg2.Error),
              contextlib.closing(pair.connect(pair.primary, "hq")) as db):
            cursor = db.cursor()
            while not ended.is_set():
                cursor.execute("SELECT vantage6_events.emit('n', to_json(%s), 'everyone')",
                               (number,))
                acknowledged.append(number)
                number += 1
    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for writer in writers:
        writer.start()
    wait_for(lambda: len(acknowledged) >= 200, "commits")
    pair.fail_over()
    ended.set()
    for writer in writers:
        writer.join()
    pair.ask(pair.standby, "ALTER SYSTEM RESET synchronous_standby_names")
    pair.ask(pair.standby, "SELECT pg_reload_conf()")
    # What is there and was not acknowledged was committed, and its acknowledgement lost: it counts,
    # too.
    there = [int(number) for number, in pair.ask(
        pair.standby, "SELECT payload::json ->> 1 FROM vantage6_events.event WHERE name = 'n'")]
    assert set(acknowledged) <= set(there)
    wait_same(made, there + emit(world, 9000000, 5))


def test_a_standby_is_no_place_to_read(pair):
    """Its snapshots omit transactions that run on the primary."""
    with contextlib.closing(pair.connect(pair.primary)) as late, contextlib.closing(
            pair.connect(pair.standby)) as db:
        pair.world.emit("n", 0, "everyone")
        pair.caught_up()
        reader = Reader(db, on_standby=True)
        late.autocommit = False
        late.cursor().execute("SELECT vantage6_events.emit('n', '1'::json, 'everyone')")
        emit(pair.world, 2, 3)
        pair.caught_up()
        reader.read(db)
        late.commit()
        pair.caught_up()
        reader.read(db)
        lost = {kind for kind, found in reader.found.items() if 1 not in numbers(found)}
        assert lost == set(Reader.KINDS), "this is no trap"
        for call, says in (("open('i', '1.1.0')", "this server is a standby"),
                           ("events_since(pg_current_snapshot(), 0, NULL, NULL, 0, 1)",
                            "during recovery")):
            with pytest.raises(psycopg2.Error, match=says), db.cursor() as cursor:
                cursor.execute(f"SELECT * FROM vantage6_events.{call}")


def test_xids_that_are_given_out_again_after_a_crash_hide_no_event(own_lab, clients):
    world = own_lab(options=OPTIONS)
    superuser = {"user": "postgres"}
    world.sql("ALTER SYSTEM SET wal_writer_delay = '10s'", **superuser)
    world.sql("SELECT pg_reload_conf()", **superuser)
    client = clients(Raw(world, 15))
    world.joined(client)
    world.lab.stop_pushd(0)  # so that nobody else writes, and takes ours to the disk
    before = emit(world, 0, 3)
    world.sql("CHECKPOINT", **superuser)
    with contextlib.closing(world.connect("postgres")) as db:
        unflushed = [world.connect("postgres") for _ in range(20)]
        for other in unflushed:
            other.autocommit = False
            other.cursor().execute("SELECT pg_current_xact_id()")
        for other in unflushed:
            other.rollback()
        reader = Reader(db)
    world.lab.cluster.crash()
    world.forget_connection()
    world.lab.cluster.start()
    after = emit(world, 100, 3)
    with contextlib.closing(world.connect("postgres")) as db:
        found = {kind: numbers(payloads) for kind, payloads in reader.read(db).items()}
    assert before and found["both"] == after
    assert len(found["snapshot"]) < 3, "this is no trap"


def test_an_open_transaction_behind_many_events_is_found_when_it_commits(own_lab):
    world = own_lab(options=OPTIONS)
    with contextlib.closing(world.connect("postgres")) as db, contextlib.closing(
            world.connect()) as late:
        reader = Reader(db)
        late.autocommit = False
        late.cursor().execute("SELECT vantage6_events.emit('n', '1'::json, 'everyone')")
        world.sql("SELECT count(vantage6_events.emit('n', to_json(i), 'everyone')) "
                  "FROM generate_series(2, %s) i", BEHIND)
        reader.read(db)
        world.lab.stop_pushd(0)
        # The reader's link is lost, too.
        with contextlib.closing(world.connect("postgres")) as another:
            emit(world, BEHIND + 1, 3)
            reader.read(another)
            late.commit()
            reader.read(another)
    found = {kind: set(numbers(payloads)) for kind, payloads in reader.found.items()}
    assert found["both"] == set(range(1, BEHIND + 4))
    assert found["id"] == found["both"] - {1}, "this is no trap"
