"""The end of a daemon: orderly, hurried and violent.

Clients come back by themselves, and are not missed meanwhile.
"""
import os
import signal

import pytest
import websocket

from clients import Node, Python, Raw
from crowds import OPTIONS, Crowd
from lablib.facts import wait_for

N3, N4, N5, USER = 3, 4, 5, 15  # three nodes; a user in the rooms of both collaborations
MANY = 1000  # enough for a drain that lasts
DRAIN_SECONDS = 3


@pytest.fixture(scope="module")
def world(make_world):
    """Two daemons that can be ended; a grace long enough for a restart."""
    made = make_world(instances=2, options=[*OPTIONS, "--drain-time", f"{DRAIN_SECONDS}s"])
    made.sql("ALTER DATABASE hq SET vantage6_events.drain_grace = '6s'", user="postgres")
    for instance in (0, 1):
        made.lab.stop_pushd(instance)
        made.lab.start_pushd(instance)
    return made


@pytest.fixture
def restart(world):
    """Whatever a test did to them, both daemons run after it."""
    yield
    for instance in (0, 1):
        world.lab.start_pushd(instance)


@pytest.fixture
def crowd(world):
    """Many clients at instance 0."""
    people = Crowd(world, [14])
    people.open(MANY)
    yield people
    people.close()


def send(world, instance, number):
    """Send a signal to a daemon."""
    os.kill(world.lab.daemon(instance).pid(), number)


def wait_end(world, instance):
    """Wait until a daemon has ended; its exit status."""
    daemon = world.lab.daemon(instance)
    wait_for(lambda: not daemon.pid(), "the daemon to end")
    return daemon.exit_status()


def offline(client):
    """Ids of nodes of which the client received that they are offline."""
    return [event[1]["id"] for event in client.heard("node-offline")]


def test_at_sigterm_clients_are_closed_over_the_drain_time_and_told_nothing_that_keeps_them_away(
        world, restart, clients, crowd):
    raw = clients(Raw(world, USER))
    world.joined(raw)
    send(world, 0, signal.SIGTERM)
    status, text = wait_for(lambda: (answer := world.http("GET", "/readyz", admin=True))[0] == 503
                            and answer[::2],
                            "the daemon to be not ready")
    assert status == 503 and "stopping" in text
    with pytest.raises((OSError, websocket.WebSocketException)):
        Raw(world, USER)
    assert world.lab.daemon(0).pid(), "the drain was over too soon to be looked at"
    assert wait_end(world, 0) == 0
    facts = crowd.facts()
    assert facts["ends"] == MANY and facts["goodbyes"] == 0
    assert DRAIN_SECONDS / 4 < facts["ends_spread"] < 2 * DRAIN_SECONDS
    raw.wait_closed()
    assert not any(packet.startswith("41") for packet in raw.packets)
    assert offline(raw) == []


def test_the_real_clients_come_back_to_a_restarted_daemon_by_themselves_and_were_never_offline(
        world, restart, clients):
    user = clients(Raw(world, USER, instance=1))
    real = [clients(Python(world, N3)), clients(Python(world, N4, transports=["polling"])),
            clients(Node(world, 11))]
    world.joined(user, *real)
    world.lab.stop_pushd(0)
    for client in real:
        wait_for(lambda: client.disconnects == 1, f"{client} to notice")  # noqa: B023
    world.lab.start_pushd(0)
    for client in real:
        wait_for(lambda: client.connects == 2, f"{client} to come back")  # noqa: B023
    world.joined(*real)
    for node in real[:2]:
        node.wait("sync", times=2)
    # The grace of those who did not come back would be over now, and that of these was never
    # needed.
    wait_for(lambda: not world.sql("SELECT 1 FROM vantage6_events.pending", user="postgres"),
             "no grace to run")
    world.settled(user)
    assert offline(user) == []


def test_a_second_sigterm_ends_at_once(world, restart, crowd):
    send(world, 0, signal.SIGTERM)
    wait_for(lambda: "stopping" in world.http("GET", "/readyz", admin=True)[2],
             "the drain to begin")
    send(world, 0, signal.SIGTERM)
    assert wait_end(world, 0) == 0
    assert "by a second SIGTERM" in world.log()
    assert crowd.facts()["goodbyes"] == 0


def test_sigterm_without_a_database_ends_too(world, restart, clients):
    raw = clients(Raw(world, USER))
    world.lab.cluster.stop()
    world.forget_connection()
    try:
        wait_for(lambda: not world.ready(), "the daemon to notice")
        send(world, 0, signal.SIGTERM)
        assert wait_end(world, 0) == 0
        raw.wait_closed()
    finally:
        world.lab.cluster.start()
    wait_for(lambda: world.ready(1), "the other daemon to be ready")


def test_after_a_kill_and_a_restart_only_those_who_stay_away_are_announced_offline(
        world, restart, clients):
    world.alone()
    user = clients(Raw(world, USER, instance=1))
    comes_back, stays_away = clients(Python(world, N3)), clients(Raw(world, N4))
    world.joined(user, comes_back, stays_away)
    world.lab.kill_pushd(0)
    world.lab.start_pushd(0)
    wait_for(lambda: comes_back.connects == 2, "the node to come back")
    wait_for(lambda: offline(user), "node-offline")
    wait_for(lambda: not world.sql("SELECT 1 FROM vantage6_events.pending", user="postgres"),
             "no grace to run")
    world.settled(user)
    assert offline(user) == [N4]
    assert (dict(world.sql("SELECT id, status FROM authenticatable WHERE id IN (3, 4)"))
            == {3: "online", 4: "offline"})


def test_clients_of_a_daemon_that_died_for_good_are_announced_offline_by_another(
        world, restart, clients):
    world.alone()
    user, node = clients(Raw(world, USER, instance=1)), clients(Raw(world, N5))
    world.joined(user, node)
    both = world.links()
    world.lab.kill_pushd(0)
    wait_for(lambda: world.links() <= both / 2, "its links to end, and its last beat with them")
    # As if 20 s had passed.
    world.sql("UPDATE vantage6_events.instance SET beat_at = beat_at - interval '20 s' "
              "WHERE name = 'lab-0'", user="postgres")
    wait_for(lambda: offline(user), "node-offline")
    assert offline(user) == [N5]


def test_what_a_node_has_sent_before_the_orderly_end_has_its_effect(world, clients, restart):
    lines, heard = (
        150, "SELECT count(*) FROM vantage6_events.event WHERE payload LIKE '[\"algorithm_log\",%'")
    before = world.sql(heard, user="postgres")[0][0]
    node = clients(Raw(world, 1))
    world.joined(node)
    # Nothing is taken until all clients are closed.
    with world.connect("postgres").cursor() as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE vantage6_events.received")
        for number in range(lines):
            node.send(f'42/tasks,{number}["algorithm_log",{{"run_id":1,"log":"{number}"}}]')
        wait_for(lambda: f"43/tasks,{lines - 1}[]" in node.packets, "all to be acknowledged")
        send(world, 0, signal.SIGTERM)
        node.wait_closed()
        other.execute("COMMIT")
    wait_end(world, 0)
    assert world.sql(heard, user="postgres")[0][0] == before + lines
