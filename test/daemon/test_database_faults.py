"""PostgreSQL goes away in every way there is: clients stay, and what was committed meanwhile
reaches them once."""
import contextlib
import os
import random
import re
import signal
import threading
from collections import Counter

import psycopg2
import pytest

from clients import Python, Raw
from lablib.facts import wait_for
from storm import QUIET, Storm, Watch, cast_rooms, new_seed

WATCHED = [1, 3, 5, 12, 13, 14, 15]
# Retries and pings come often, so that many of them fit into a short outage; reads have many pages,
# to be lost amid.
OPTIONS = ["--retry-max", "200ms", "--ping-interval", "300ms", "--ping-timeout", "60s",
           "--beat-interval", "1s", "--read-rows", "7"]
BACKENDS = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name ~ %s")
ANY_LINK, LOG_LINK, WORK_LINK = "^vantage6-pushd", "^vantage6-pushd log", "^vantage6-pushd work"


@pytest.fixture(scope="module")
def world(make_world):
    """Two daemons whose PostgreSQL comes and goes."""
    made = make_world(instances=2, options=OPTIONS)
    for grace in ("drain_grace", "epoch_grace"):
        made.sql(f"ALTER DATABASE hq SET vantage6_events.{grace} = '8s'", user="postgres")
    terminate(made, ANY_LINK)
    wait_ready(made)
    return made


def terminate(world, links):
    """End backends of both daemons; how many."""
    return world.sql(BACKENDS, links, user="postgres")[0][0]


def log_backend(world):
    """The process of PostgreSQL that serves a log link."""
    return world.sql("SELECT pid FROM pg_stat_activity WHERE application_name ~ %s", LOG_LINK,
                     user="postgres")[0][0]


def wait_ready(world):
    """Both daemons work with the database again."""
    for instance in (0, 1):
        wait_for(lambda: world.ready(instance), f"instance {instance} to be ready", 60)


def reason(world, instance=0):
    """Why the daemon is not ready; None if it is."""
    status, _, text = world.http("GET", "/readyz", instance=instance, admin=True)
    assert status in (200, 503)
    return text if status == 503 else None


def pings(client):
    """How often the client was pinged."""
    return client.packets.count("2")


def crowd(world, clients):
    """Several clients at both daemons, joined."""
    made = [clients(Raw(world, ident, instance=instance)) for ident in WATCHED
            for instance in (0, 1)]
    world.joined(*made)
    return made


def never_dropped(made):
    """Every client is still on its first connection."""
    return all(not client.closed and client.connects == 1 for client in made)


def registered(world, made):
    """Each client has a lease of an incarnation that lives."""
    return world.sql("""SELECT count(*) FROM vantage6_events.lease l
        JOIN vantage6_events.instance i USING (incarnation)""", user="postgres")[0][0] == len(made)


def down(world, how):
    """Stop PostgreSQL: an operator's fast stop, or as a power cut does."""
    world.lab.cluster.stop() if how == "restart" else world.lab.cluster.crash()
    world.forget_connection()


def end_and_start(world, how):
    """Likewise, and start it.

    killed: one of its processes is, as by the kernel when memory is short, and it starts the others
    anew.
    """
    if how == "killed":
        wait_ready(world)
        os.kill(log_backend(world), signal.SIGKILL)
        world.forget_connection()
    else:
        down(world, how)
        world.lab.cluster.start()


# --- what is committed meanwhile ------------------------------------------------------------------

def test_daemons_whose_backends_are_terminated_at_random_lose_and_repeat_nothing(world, clients):
    made = crowd(world, clients)
    watch = Watch(world, made)
    seed = new_seed()
    dice, killed = random.Random(seed), 0
    storm = Storm(world, cast_rooms(world), seed, writers=8).start()
    while killed < 15:  # some times there is none
        storm.wait_commits(dice.randint(1, 40))
        killed += terminate(world, dice.choice((ANY_LINK, LOG_LINK, WORK_LINK)))
    storm.stop()
    wait_ready(world)
    assert watch.check() > 500
    assert never_dropped(made)
    wait_for(lambda: registered(world, made), "every client to be registered again")


def test_a_transaction_open_across_the_last_read_before_a_lost_link_is_delivered(world, clients):
    made = crowd(world, clients)
    watch = Watch(world, made)
    late = world.connect()
    late.autocommit = False
    with late.cursor() as cursor:
        cursor.execute("SELECT vantage6_events.emit('late', '1'::json, 'everyone')")
        # A greater id, read before the smaller one is visible.
        world.emit("later", None, "everyone")
        for client in made:
            client.wait("later")
        assert terminate(world, ANY_LINK) >= 2
        wait_for(lambda: reason(world), "the daemon to notice")
    late.commit()
    late.close()
    wait_ready(world)
    watch.check()
    assert never_dropped(made)


def test_a_read_that_is_lost_half_way_is_gone_on_with(world, clients):
    made = crowd(world, clients)
    watch = Watch(world, made)
    total = 0

    def so_far():
        return len(made[0].heard("long"))

    def lost_half_way():  # on a busy machine it may be over before it can be lost
        nonlocal total
        world.sql("SELECT vantage6_events.emit('long', to_json(i), 'everyone') "
                  "FROM generate_series(%s, %s) i",
                  total + 1, total + 3000)
        total += 3000
        for _ in range(3):
            seen = so_far()
            wait_for(lambda: so_far() > seen
                     or so_far() == total, f"a page after {seen} events of {total}")
            wait_for(lambda: terminate(world, LOG_LINK), "a link to end")
        return so_far() < total
    assert any(lost_half_way() for _ in range(5)), "each was over too soon to be lost"
    wait_ready(world)
    watch.check()
    assert [event[1] for event in made[0].heard("long")] == list(range(1, total + 1))


def test_a_link_whose_last_words_come_with_an_error_is_made_anew_at_once(own_lab, clients):
    """As on a busy machine: the server ends with a statement unread (ECONNRESET) before the daemon
    has read why."""
    # No statement by itself.
    world = own_lab(options=["--read-interval", "1h", "--retry-max", "200ms"])
    client = clients(Raw(world, 15))
    world.joined(client)
    backend = log_backend(world)
    daemon = world.lab.daemon(0).pid()
    try:
        os.kill(backend, signal.SIGSTOP)
        late = clients(Raw(world, 12))
        late.round_trip()  # by now the database has been told of it
        os.kill(daemon, signal.SIGSTOP)
        assert terminate(world, LOG_LINK) == 1
        os.kill(backend, signal.SIGCONT)
        wait_for(lambda: not os.path.exists(f"/proc/{backend}"),
                 "its process to have closed the link")
    finally:
        for pid in (backend, daemon):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    world.joined(client, late)
    assert never_dropped([client, late])


def test_a_server_that_no_longer_answers_is_asked_anew(own_lab, clients):
    """Its process hangs, as on a disk that does. The other link goes on."""
    world = own_lab(options=["--answer-timeout", "1s", "--retry-max", "200ms"])
    client = clients(Raw(world, 15))
    world.joined(client)
    backend = log_backend(world)
    os.kill(backend, signal.SIGSTOP)
    try:
        world.emit("while_it_hangs", None, "everyone")
        client.wait("while_it_hangs")
        assert ("database (log link): no answer from the server within answer_timeout, 1 s"
                in world.log())
    finally:
        os.kill(backend, signal.SIGCONT)
    world.joined(client)
    assert never_dropped([client]) and len(client.heard("while_it_hangs")) == 1


@pytest.mark.parametrize("how", ["restart", "crash", "killed"])
def test_what_was_committed_around_an_end_of_postgresql_is_delivered_once(world, clients, how):
    world.alone()  # nobody is told of the end of clients before
    made = crowd(world, clients)
    watch = Watch(world, made)
    late = world.connect()  # its transaction ends with the server, committed by nobody
    late.autocommit = False
    late.cursor().execute("SELECT vantage6_events.emit('nobody', NULL::json, 'everyone')")
    seed = new_seed()
    storm = Storm(world, cast_rooms(world), seed, writers=6, faults=True).start()
    for _ in range(2):
        storm.wait_commits(60)
        end_and_start(world, how)
    storm.wait_commits(60)
    storm.stop()
    late.close()
    wait_ready(world)
    assert watch.check() > 300
    assert not any(client.heard("nobody") for client in made)
    assert never_dropped(made)
    wait_for(lambda: registered(world, made), "every client to be registered again")
    told = [event for client in made for event in client.events if event[0] == "node-offline"]
    assert told == [], "clients that stayed were announced offline"


# --- while it is away -----------------------------------------------------------------------------

def outage_lines(text):
    """What a log says of the database's links, without time and level."""
    return re.findall(r"database \((?:log|work) link\): .*|database ready", text)


def test_an_outage_is_said_in_readyz_and_once_in_the_log(world, clients):
    client = clients(Raw(world, 15))
    world.joined(client)
    before = len(world.log())
    down(world, "restart")
    said = wait_for(lambda: reason(world), "the daemon to notice")
    assert "database (log link): " in said
    assert world.http("GET", "/livez", admin=True)[0] == 200
    seen = pings(client)
    wait_for(lambda: pings(client) >= seen + 6, "time for many retries")
    while_down = Counter(outage_lines(world.log()[before:]))
    world.lab.cluster.start()
    wait_ready(world)
    lines = outage_lines(world.log()[before:])
    assert while_down and max(while_down.values()) == 1, f"said more than once: {while_down}"
    assert len(while_down) <= 4  # of each link: why it ended, why it cannot be made again
    assert lines.count("database ready") == 1
    assert never_dropped([client])


def test_connect_is_answered_without_the_database_and_rooms_follow(world, clients):
    down(world, "restart")
    try:
        wait_for(lambda: reason(world), "the daemon to notice")
        # Each waits until it is connected.
        made = [clients(Raw(world, 15)), clients(Raw(world, 3)), clients(Python(world, 1)),
                clients(Python(world, 12, transports=["polling"]))]
        assert not any(client.events for client in made)
        assert reason(world)
    finally:
        world.lab.cluster.start()
    wait_ready(world)
    for client in made[1:3]:
        client.wait("sync")
    world.joined(*made)
    world.emit("to_all", None, "collaboration_1")
    for client in made:
        client.wait("to_all")
    assert never_dropped(made[:2])


def test_clients_that_leave_while_the_database_is_away_are_offline_after(world, clients):
    user = clients(Raw(world, 15))
    stays, leaves = Raw(world, 3), Raw(world, 2)
    clients(stays)
    world.joined(user, stays, leaves)
    # Those of the tests before have been told to be gone.
    wait_for(lambda: world.sql(QUIET, user="postgres")[0][0], "presence to be told", 60)
    world.settled(user)
    before = len(user.events)
    down(world, "restart")
    try:
        wait_for(lambda: reason(world), "the daemon to notice")
        leaves.close()
        leaves.wait_closed()
    finally:
        world.lab.cluster.start()
    wait_ready(world)

    def told():
        return [event[1]["id"] for event in user.events[before:] if event[0] == "node-offline"]
    wait_for(told, "node-offline")
    assert told() == [2]
    status = dict(world.sql("SELECT id, status FROM authenticatable WHERE id IN (2, 3)"))
    assert status == {2: "offline", 3: "online"}


# --- a database that is not as it should be -------------------------------------------------------

def broken_and_mended(world, clients, breaks, says, mends):
    """The daemon says what to do, stays up with its clients, and works again once that is done."""
    client = clients(Raw(world, 15))
    world.joined(client)
    pid = world.lab.daemon(0).pid()
    breaks()
    try:
        terminate(world, ANY_LINK)
        wait_for(lambda: reason(world), "the daemon to notice")
        try:
            wait_for(lambda: re.search(says, reason(world) or ""), f"readyz to say {says}", 10)
        except AssertionError as error:
            raise AssertionError(f"{error}, it says {reason(world)}") from None
        assert clients(Raw(world, 12)).connects == 1
    finally:
        mends()
    wait_ready(world)
    world.joined(client)
    assert world.lab.daemon(0).pid() == pid and never_dropped([client])


def attach(world):
    """What an operator does, the grants included."""
    world.sql("SELECT vantage6_events.grant_hq('hq')", user="postgres")
    world.sql("SELECT vantage6_events.attach('public')")
    world.sql("SELECT vantage6_events.grant_pushd('pushd')", user="postgres")


def test_a_missing_extension_is_said_and_heals(world, clients):
    def dropped():
        with contextlib.suppress(psycopg2.errors.DeadlockDetected):  # with what a daemon asks
            return world.sql("DROP EXTENSION vantage6_events CASCADE", user="postgres") is None
        return False

    def drop():
        world.sql("SELECT vantage6_events.detach()")
        wait_for(dropped, "the extension to be dropped")
        world.sql("DROP SCHEMA IF EXISTS vantage6_events CASCADE", user="postgres")

    def create():
        world.sql("CREATE EXTENSION vantage6_events", user="postgres")
        attach(world)
    broken_and_mended(world, clients, drop, "CREATE EXTENSION vantage6_events", create)


def test_an_extension_that_is_not_attached_is_said_and_heals(world, clients):
    broken_and_mended(world, clients, lambda: world.sql("SELECT vantage6_events.detach()"),
                      r"V6001.*SELECT vantage6_events\.attach\('", lambda: attach(world))


def test_a_function_that_a_superuser_owns_is_refused_until_it_is_mended(world, clients):
    function = "vantage6_events.connect(bigint, json)"
    broken_and_mended(
        world, clients,
        lambda: world.sql(f"ALTER FUNCTION {function} OWNER TO postgres", user="postgres"),
        r"connect belongs to postgres.*V6005.*SELECT vantage6_events\.attach\('public'\)",
        lambda: world.sql("SELECT vantage6_events.attach('public')", user="postgres"))


def test_a_revoked_grant_is_said_and_heals(world, clients):
    function = ("vantage6_events.events_since(pg_snapshot, bigint, integer, pg_snapshot, "
                "bigint, integer, integer)")
    broken_and_mended(
        world, clients, lambda: world.sql(f"REVOKE ALL ON FUNCTION {function} FROM pushd",
                                          user="postgres"), r"42501.*grant_pushd",
        lambda: world.sql("SELECT vantage6_events.grant_pushd('pushd')", user="postgres"))


def test_a_daemon_that_starts_without_its_database_stays_up_and_heals(world, clients):
    world.lab.stop_pushd(1)
    down(world, "restart")
    try:
        world.lab.start_pushd(1)
        assert "database (log link): " in reason(world, 1)
        client = clients(Raw(world, 15, instance=1))
    finally:
        world.lab.cluster.start()
    wait_ready(world)
    world.joined(client)


def test_a_lock_on_hqs_tables_delays_only_those_who_connect_meanwhile(world, clients):
    early = clients(Raw(world, 15))
    world.joined(early)
    db = world.connect()
    db.autocommit = False
    cursor = db.cursor()
    cursor.execute("LOCK TABLE authenticatable IN ACCESS EXCLUSIVE MODE")
    late = clients(Raw(world, 12))
    wait_for(lambda: "registering sockets is put off" in world.log(), "the daemon to be locked out")
    done = threading.Event()
    threading.Thread(target=lambda: (world.emit("meanwhile", None, "everyone"), done.set())).start()
    early.wait("meanwhile")
    wait_for(done.is_set, "emit to return")
    assert not late.events and world.ready()
    db.rollback()
    db.close()
    world.joined(late)
    assert never_dropped([early, late])
    assert not late.heard("meanwhile")


def test_a_lock_on_hqs_tables_across_a_lost_link_makes_nobody_miss_an_event(world, clients):
    client = clients(Raw(world, 15))
    world.joined(client)
    db = world.connect()
    db.autocommit = False
    db.cursor().execute("LOCK TABLE authenticatable IN ACCESS EXCLUSIVE MODE")
    terminate(world, ANY_LINK)
    wait_for(lambda: reason(world), "the daemon to lose its links")
    wait_for(lambda: world.log().count("registering sockets is put off") > 1,
             "the daemon to be locked out")
    world.emit("meanwhile", None, "everyone")
    assert not client.heard()
    db.rollback()
    db.close()
    client.wait("meanwhile")
    wait_ready(world)
    assert never_dropped([client]) and len(client.heard("meanwhile")) == 1


def test_the_daemon_has_no_idle_connection_besides_its_two(world):
    wait_ready(world)
    count = world.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'pushd'",
                      user="postgres")[0][0]
    assert count == 4  # two links of two daemons
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        world.sql("SELECT * FROM vantage6_events.event", user="pushd")
