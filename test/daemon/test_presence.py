"""Who is connected: what it writes into HQ's tables, and who receives it.

The cast is in the head of test_runs.py.
"""
import datetime
import socket

import pytest

from clients import Node, Python, Raw
from lablib.facts import wait_for

NODE = 1  # n1_alpha_a, organization 1 in collaboration 1
NAME = "n1_alpha_a"
ONLINE, OFFLINE = (["node-online", {"id": 1, "name": NAME, "org_id": 1}],
                   ["node-offline", {"id": 1, "name": NAME, "org_id": 1}])
C, CO = "collaboration_1", "collaboration_1_organization_1"
PRESENCE = ("message", "node-online", "node-offline")


def alone(world):
    """Wait until nobody is connected any more, and that has been told and written."""
    world.alone()
    world.sql("UPDATE authenticatable SET status = 'unknown', last_seen = NULL")


@pytest.fixture(scope="module")
def labs(make_world):
    """labs(hq): a lab where nobody of other tests may still be taken for connected, made at first
    use."""
    made = {}

    def lab(hq):
        made[hq] = made.get(hq) or make_world(hq=hq, instances=2 if hq == "v5" else 1)
        alone(made[hq])
        return made[hq]

    yield lab
    for one in made.values():
        one.end()


@pytest.fixture(params=["v5", "v4"])
def world(request, labs):
    """A lab of each version with nobody in it."""
    return labs(request.param)


@pytest.fixture
def lab5(labs):
    """A lab of two instances with nobody in it."""
    return labs("v5")


def state(world, ident=NODE):
    """status and last_seen of a principal, as HQ reads them."""
    return world.sql("SELECT status, last_seen FROM authenticatable WHERE id = %s", ident)[0]


def is_now(moment):
    """Is this the time now, in UTC and without a zone?"""
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    return moment is not None and abs(now - moment) < datetime.timedelta(seconds=30)


def config_of(world):
    """Keys of the node's configuration."""
    return [key for key, in world.sql("SELECT key FROM nodeconfig WHERE node_id = %s", NODE)]


def watchers(world, clients, *idents):
    """Clients that watch, and have received all of each other; what they received of it is
    forgotten."""
    made = {ident: clients(Raw(world, ident)) for ident in idents}
    world.joined(*made.values())
    for ident in idents:
        wait_for(lambda: state(world, ident)[0] == "online", f"{ident} to be online")  # noqa: B023
    world.settled(*made.values())
    for client in made.values():
        client.events.clear()
    return made


def told(world, cast):
    """What each has received of presence, once everything has arrived."""
    world.settled(*cast.values())
    return {ident: client.heard(*PRESENCE) for ident, client in cast.items()}


def joins(*rooms):
    """The messages of the node's joining."""
    return [["message", f"Node <{NAME}> joined room <{room}>"] for room in rooms]


def leaves(*rooms):
    """The messages of the node's leaving."""
    return [["message", f"{NAME} left room {room}"] for room in rooms]


def test_a_node_comes_and_goes(world, clients):
    cast = watchers(world, clients, 2, 4, 11, 13, 14, 17)
    node = Raw(world, NODE)
    wait_for(lambda: state(world)[0] == "online", "the node to be online")
    assert is_now(state(world)[1])
    everyone = {**cast, NODE: node}
    heard = told(world, everyone)
    for ident in (2, 11):  # in C
        assert heard[ident] == [ONLINE, *joins(C)], f"principal {ident}"
    assert heard[13] == [ONLINE, *joins(CO)]
    assert not any(heard[ident] for ident in (4, 14, 17))
    assert heard[NODE] == joins(C, CO), "itself as today, and not that it is online"
    assert node.heard("sync") == [["sync"]]
    assert not any(client.heard("sync") for client in cast.values())

    for client in cast.values():
        client.events.clear()
    world.sql("INSERT INTO nodeconfig (node_id, key, value) VALUES (%s, 'encryption', 'true')",
              NODE)
    last_seen = state(world)[1]
    node.close()
    wait_for(lambda: state(world)[0] == "offline", "the node to be offline")
    assert state(world)[1] == last_seen and config_of(world) == []
    heard = told(world, cast)
    for ident in (2, 11):
        assert heard[ident] == [OFFLINE, *leaves(C)], f"principal {ident}"
    assert heard[13] == [OFFLINE, *leaves(CO)]
    assert not any(heard[ident] for ident in (4, 14, 17))


def test_a_user_comes_and_goes_unheard_by_nodes(world, clients):
    cast = watchers(world, clients, 1, 2, 11, 13, 16)
    user = Raw(world, 12)
    wait_for(lambda: state(world, 12)[0] == "online", "the user to be online")
    assert is_now(state(world, 12)[1])
    first, second = ([["message", f"User <u_collab_role> joined room <collaboration_{c}>"]]
                     for c in (1, 2))
    # 16 shares collaboration 1 with it; 11 receives both; 13 only its own organization's rooms.
    assert told(world, {**cast, 12: user}) == {1: [], 2: [], 11: first + second, 13: [], 16: first,
                                               12: first + second}
    assert user.heard("sync") == []
    for client in cast.values():
        client.events.clear()
    user.close()
    wait_for(lambda: state(world, 12)[0] == "offline", "the user to be offline")
    first, second = ([["message", f"u_collab_role left room collaboration_{c}"]] for c in (1, 2))
    assert told(world, cast) == {1: [], 2: [], 11: first + second, 13: [], 16: first}


def test_a_user_of_organization_scope_is_announced_in_its_organizations_rooms(world, clients):
    cast = watchers(world, clients, 1, 11)
    user = clients(Raw(world, 13))
    wait_for(lambda: state(world, 13)[0] == "online", "the user to be online")
    assert told(world, {**cast, 13: user}) == {1: [], 11: [], 13: [
        ["message", f"User <u_org_role> joined room <collaboration_{c}_organization_1>"]
        for c in (1, 2)]}


def test_only_the_first_connection_and_the_last_end_are_told(lab5, clients):
    world = lab5
    cast = watchers(world, clients, 2, 11)
    first = clients(Raw(world, NODE))
    wait_for(lambda: state(world)[0] == "online", "the node to be online")
    second = clients(Node(world, NODE, instance=1))
    third = clients(Python(world, NODE, transports=["polling"]))
    for client in (second, third):
        world.joined(client)
        assert client.heard("sync") == [["sync"]], "on each connection"
    assert first.heard("sync") == [["sync"]]
    world.sql("INSERT INTO nodeconfig (node_id, key, value) VALUES (%s, 'encryption', 'true')",
              NODE)

    def leases():
        return world.sql("SELECT count(*) FROM vantage6_events.lease WHERE principal_id = 1",
                         user="postgres")[0][0]
    assert leases() == 3
    for client, left in ((first, 2), (third, 1)):
        client.close()
        wait_for(lambda: leases() <= left, "its lease to end")  # noqa: B023
        assert leases() == left
    wait_for(lambda: not world.sql("SELECT FROM vantage6_events.pending", user="postgres"),
             "nothing to be pending")
    assert state(world)[0] == "online" and config_of(world) == ["encryption"]
    assert told(world, cast) == {ident: [ONLINE, *joins(C)] for ident in cast}
    second.close()
    wait_for(lambda: state(world)[0] == "offline", "the node to be offline")
    assert told(world, cast) == {ident: [ONLINE, *joins(C), OFFLINE, *leaves(C)] for ident in cast}
    assert config_of(world) == []


def test_a_connection_cut_off_ends_at_once(world, clients):
    cast = watchers(world, clients, 2)
    node = Raw(world, NODE)
    cast[2].wait("node-online")
    node.ws.sock.shutdown(socket.SHUT_RDWR)
    assert cast[2].wait("node-offline") == OFFLINE
    node.thread.join(10)


def test_a_row_of_hq_that_is_locked_delays_only_its_node(world, clients):
    cast = watchers(world, clients, 11)
    db = world.connect()
    db.autocommit = False
    with db.cursor() as cursor:
        cursor.execute("SELECT FROM authenticatable WHERE id = %s FOR UPDATE", (NODE,))
    held, other = clients(Raw(world, NODE)), clients(Raw(world, 2))
    wait_for(lambda: state(world, 2)[0] == "online", "the other node to be online")
    world.joined(held, other)
    assert held.heard("sync") == [["sync"]], "it is served all the same"
    held.send('42/tasks,["ping"]')
    held.round_trip()
    assert ["node-online", {"id": 2, "name": "n2_alpha_b", "org_id": 2}] in told(world, cast)[11]
    assert ONLINE not in cast[11].events and state(world)[0] == "unknown"
    db.commit()
    db.close()
    wait_for(lambda: ONLINE in cast[11].events, "the node to be announced")
    assert state(world)[0] == "online"


def test_ping_updates_its_sender_alone(world, clients):
    one, two, user = clients(Python(world, NODE)), clients(Raw(world, 2)), clients(Raw(world, 11))
    for ident in (NODE, 2, 11):
        wait_for(lambda: state(world, ident)[0] == "online", f"{ident} to be online")  # noqa: B023
    world.sql("UPDATE authenticatable "
              "SET status = 'x', last_seen = timezone('UTC', now()) - interval '20 s'")
    before = {ident: state(world, ident) for ident in (2, 3, 11)}
    user.send('42/tasks,["ping",{"node_id":3}]')
    wait_for(lambda: state(world, 11)[0] == "online", "the user's ping to count")
    assert is_now(state(world, 11)[1])
    assert state(world)[0] == "x" and {ident: state(world, ident) for ident in (2, 3)} == {
        ident: before[ident] for ident in (2, 3)}
    before[11] = state(world, 11)
    one.emit("ping")
    wait_for(lambda: state(world)[0] == "online", "the ping to count")
    assert is_now(state(world)[1]) and state(world)[1] > before[2][1]
    assert {ident: state(world, ident) for ident in before} == before
    two.send('42/tasks,["ping",{"node_id":3,"anything":[]}]')
    wait_for(lambda: state(world, 2)[0] == "online", "the second node's ping to count")
    assert state(world, 3) == before[3]


def test_last_seen_of_a_connected_node_is_kept_fresh_without_pings(lab5, clients):
    """HQ's own sweep marks a node offline whose last_seen is old, and trips over NULL."""
    clients(Raw(lab5, NODE))
    wait_for(lambda: state(lab5)[0] == "online", "the node to be online")
    lab5.sql("UPDATE authenticatable SET last_seen = NULL WHERE id IN (1, 2)")
    wait_for(lambda: is_now(state(lab5)[1]), "last_seen to be written")
    assert state(lab5, 2)[1] is None


def test_times_are_utc_and_a_restart_of_pushd_tells_nobody(own_lab, clients):
    world = own_lab(instances=2, options=["--drain-time", "0", "--beat-interval", "500ms"])
    world.sql("ALTER DATABASE hq SET timezone = 'Asia/Tokyo'", user="postgres")
    world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pushd'",
              user="postgres")
    alone(world)
    watcher = clients(Raw(world, 11, instance=1))
    world.joined(watcher)
    node = clients(Python(world, NODE))
    assert watcher.wait("node-online") == ONLINE
    wait_for(lambda: is_now(state(world)[1]), "last_seen")
    node.sio.connection_url = world.url(1)  # where its next attempt goes, as through a balancer
    world.lab.stop_pushd(0)
    wait_for(lambda: node.connects == 2, "the node to be back at the other instance")
    world.joined(node)
    wait_for(lambda: world.sql("SELECT min(due) > now() FROM vantage6_events.pending",
                               user="postgres")[0][0]
             is not False, "nothing to be due")
    world.settled(watcher)
    assert watcher.heard("node-online", "node-offline") == [ONLINE]
    assert state(world)[0] == "online"
    world.sql("UPDATE authenticatable SET last_seen = NULL WHERE id = 1")
    wait_for(lambda: is_now(state(world)[1]), "the beat to write last_seen")
    world.sql("UPDATE authenticatable "
              "SET status = 'x', last_seen = timezone('UTC', now()) - interval '20 s'")
    node.emit("ping")
    wait_for(lambda: state(world)[0] == "online", "the ping to count")
    assert is_now(state(world)[1])
