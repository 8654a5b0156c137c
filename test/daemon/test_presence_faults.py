"""Presence when something goes wrong: told when it is so, once, and never of a node that is there.

The times that make an instance dead are written into its row, not waited for.
"""
import os
import signal

import pytest

from clients import Node, Python, Raw
from lablib.facts import wait_for

NODE, OTHER, USER = 1, 2, 11
BEATS = ["--beat-interval", "200ms"]


@pytest.fixture
def pair(own_lab):
    """Two instances that beat often; clients have a second to come back."""
    world = own_lab(instances=2, options=["--drain-time", "0", *BEATS])
    world.sql("ALTER DATABASE hq SET vantage6_events.drain_grace = '1s'", user="postgres")
    # For the links that are there already.
    world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pushd'",
              user="postgres")
    wait_for(lambda: world.ready(0) and world.ready(1), "the links to be back")
    return world


def told(watcher):
    """What it received of nodes' presence."""
    return [[name, more["id"]] for name, more in watcher.heard("node-online", "node-offline")]


def state(world, ident=NODE):
    """The status of a principal."""
    return world.sql("SELECT status FROM authenticatable WHERE id = %s", ident)[0][0]


def age(world, seconds):
    """So long ago was the last beat of the first instance."""
    world.sql("UPDATE vantage6_events.instance "
              "SET beat_at = clock_timestamp() - %s * interval '1 s' WHERE name = 'lab-0'",
              seconds, user="postgres")


def beats(world, instance, times=3):
    """Wait until the instance has beaten so often; what it finds dead it has ended by then."""
    def last():
        return world.sql("SELECT beat_at FROM vantage6_events.instance WHERE name = %s",
                         f"lab-{instance}", user="postgres")
    for _ in range(times):
        before = last()
        wait_for(lambda: last() != before, "a beat")  # noqa: B023


def incarnation(world):
    """That of the first instance, if it has one."""
    return world.sql("SELECT incarnation FROM vantage6_events.instance WHERE name = 'lab-0'",
                     user="postgres")


def cast(world, clients):
    """A node at the first instance, somebody at the second who is told of it."""
    watcher = clients(Raw(world, USER, instance=1))
    world.joined(watcher)
    node = clients(Python(world, NODE))
    watcher.wait("node-online")
    world.sql("INSERT INTO nodeconfig (node_id, key, value) VALUES (1, 'k', 'v')")
    return node, watcher


def nothing_happened(world, watcher):
    """The node was there all the time."""
    wait_for(lambda: not world.sql("SELECT FROM vantage6_events.pending", user="postgres"),
             "nothing to be pending")
    world.settled(watcher)
    assert told(watcher) == [["node-online", NODE]]
    assert (state(world) == "online"
            and world.sql("SELECT key FROM nodeconfig WHERE node_id = 1") == [("k",)])


def test_a_frozen_instance_lives_as_long_as_it_holds_its_lock(pair, clients):
    world = pair
    node, watcher = cast(world, clients)
    pid, before = world.lab.daemon(0).pid(), incarnation(world)
    os.kill(pid, signal.SIGSTOP)
    try:
        age(world, 85)
        beats(world, 1)
        assert incarnation(world) == before
    finally:
        os.kill(pid, signal.SIGCONT)
    beats(world, 0)
    nothing_happened(world, watcher)
    assert incarnation(world) == before and node.connects == 1


def test_an_instance_that_was_ended_while_it_was_frozen_registers_its_clients_again(pair, clients):
    world = pair
    world.sql("ALTER DATABASE hq SET vantage6_events.drain_grace = '5min'", user="postgres")
    node, watcher = cast(world, clients)
    pid, before = world.lab.daemon(0).pid(), incarnation(world)
    os.kill(pid, signal.SIGSTOP)
    try:
        age(world, 91)
        wait_for(lambda: not incarnation(world), "the other instance to end it")
        assert not world.sql("SELECT FROM vantage6_events.lease WHERE principal_id = 1",
                             user="postgres")
        world.sql("UPDATE vantage6_events.pending SET due = clock_timestamp() + interval '5 min'",
                  user="postgres")
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: incarnation(world) not in ([], before), "a new incarnation")
    world.joined(node)
    world.sql(
        "DELETE FROM vantage6_events.pending WHERE due > clock_timestamp() + interval '1 min'",
        user="postgres")
    nothing_happened(world, watcher)
    assert node.connects == 1, "the client noticed nothing"


def test_a_blip_of_a_link_ends_no_instance(pair, clients):
    world = pair
    node, watcher = cast(world, clients)
    for application in world.sql("SELECT pid FROM pg_stat_activity WHERE usename = 'pushd'",
                                 user="postgres"):
        world.sql("SELECT pg_terminate_backend(%s)", *application, user="postgres")
        age(world, 19)
        beats(world, 1)
    world.joined(node)
    nothing_happened(world, watcher)
    assert node.connects == 1


def test_a_killed_instance_is_ended_by_the_other_and_its_node_is_gone_after_the_grace(
        pair, clients):
    world = pair
    node, watcher = cast(world, clients)
    node.close()
    watcher.wait("node-offline")
    mute = clients(Raw(world, NODE))
    watcher.wait("node-online", 2)
    world.lab.kill_pushd(0)
    wait_for(lambda: mute.closed, "its connection to be gone")
    beats(world, 1)
    assert told(watcher)[2:] == [["node-online", NODE]], "its last beat is not old enough"
    age(world, 21)
    watcher.wait("node-offline", 2)
    assert state(world) == "offline" and not world.sql("SELECT FROM nodeconfig WHERE node_id = 1")


def test_a_node_that_is_back_after_a_kill_has_no_grace_left_when_it_leaves(pair, clients):
    world = pair
    world.sql("ALTER DATABASE hq SET vantage6_events.drain_grace = '1h'", user="postgres")
    node, watcher = cast(world, clients)
    world.lab.kill_pushd(0)
    world.lab.start_pushd(0)
    wait_for(lambda: node.connects == 2, "the node to come back")
    world.joined(node)
    node.close()
    watcher.wait("node-offline")
    assert told(watcher) == [["node-online", NODE], ["node-offline", NODE]]
    assert state(world) == "offline"


def test_a_node_that_answers_no_pings_is_gone_at_once_then(own_lab, clients):
    world = own_lab(options=["--ping-interval", "200ms", "--ping-timeout", "300ms"])
    world.sql("ALTER DATABASE hq SET vantage6_events.drain_grace = '1h'", user="postgres")
    watcher = clients(Raw(world, USER))
    world.joined(watcher)
    node = clients(Raw(world, NODE))
    watcher.wait("node-online")
    world.sql("INSERT INTO nodeconfig (node_id, key, value) VALUES (1, 'k', 'v')")
    node.send = lambda packet: None  # from now on
    wait_for(lambda: node.closed, "pushd to give it up")
    assert watcher.wait("node-offline")[1]["id"] == NODE
    assert told(watcher) == [["node-online", NODE], ["node-offline", NODE]]
    wait_for(lambda: state(world) == "offline", "its status")
    assert not world.sql("SELECT FROM nodeconfig WHERE node_id = 1")


def test_hqs_own_sweep_finds_nothing_to_do(pair, clients):
    """It marks nodes offline that are online and were not seen for a minute, and stumbles over
    NULL."""
    world = pair
    _, watcher = cast(world, clients)
    silent = clients(Raw(world, OTHER))
    watcher.wait("node-online", 2)
    sweep = (
        "UPDATE authenticatable SET status = 'offline' WHERE type = 'node' "
        "AND status = 'online' AND "
        "(last_seen IS NULL OR last_seen < timezone('UTC', now()) - interval '60 s') RETURNING id")
    for _ in range(3):
        world.sql(
            "UPDATE authenticatable SET last_seen = last_seen - interval '31 s' WHERE id IN (1, 2)")
        beats(world, 0)
        assert world.sql(sweep) == []
    silent.close()
    watcher.wait("node-offline")
    wait_for(lambda: state(world, OTHER) == "offline", "its status")
    assert world.sql(sweep) == [] and state(world) == "online"


def test_two_tabs_of_a_user_are_one_user(pair, clients):
    world = pair
    first, watcher = clients(Raw(world, 12)), clients(Raw(world, USER, instance=1))
    world.joined(watcher)
    wait_for(lambda: state(world, 12) == "online", "the user to be online")
    second = clients(Raw(world, 12, instance=1))
    world.joined(second)
    first.close()
    wait_for(lambda: world.sql(
        "SELECT count(*) FROM vantage6_events.connections WHERE principal_id = 12") == [(1,)],
             "the first tab to be gone")
    wait_for(lambda: not world.sql("SELECT FROM vantage6_events.pending", user="postgres"),
             "nothing to be pending")
    assert state(world, 12) == "online"
    second.close()
    wait_for(lambda: state(world, 12) == "offline", "the user to be offline")
    world.settled(watcher)
    assert [e[1] for e in watcher.events if e[0] == "message" and "u_collab_role left" in e[1]] == [
        f"u_collab_role left room collaboration_{c}" for c in (1, 2)]


def test_the_view_says_who_is_connected_where_how_and_until_when(pair, clients):
    world = pair
    node = clients(Python(world, NODE, transports=["polling"]))
    tab = clients(Raw(world, 12, instance=1))
    page = clients(Node(world, 13))
    world.joined(node, tab, page)
    rows = world.sql("SELECT principal_id, kind, instance, namespace, transport, address, "
                     "connected_at BETWEEN now() - interval '1 min' AND now(), "
                     "expires_at BETWEEN now() + interval '50 min' AND now() + interval '61 min' "
                     "FROM vantage6_events.connections WHERE principal_id < 13 ORDER BY 1")
    assert rows == [(1, "node", "lab-0", "/tasks", "polling", "127.0.0.1", True, True),
                    (12, "user", "lab-1", "/tasks", "websocket", "127.0.0.1", True, True)]
    transport = "SELECT transport FROM vantage6_events.connections WHERE principal_id = 13"
    wait_for(lambda: world.sql(transport) == [("websocket",)], "an upgrade to be seen")
