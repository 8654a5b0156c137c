"""Connections that no session holds: they cost little, are counted by the system, and end."""
from clients import Raw
from crowds import cpu
from lablib.facts import wait_for
from rawlib.blocking import Http
from rawlib.wire import POLLING, request


def test_when_files_run_out_pushd_waits_and_serves_those_it_has(few_files, clients):
    """libwebsockets would spin on EMFILE, and log each turn."""
    world = few_files()
    pid = world.lab.daemon(0).pid()
    client = clients(Raw(world, 15))
    world.joined(client)
    idle = [Http(world) for _ in range(200)]
    used, size = cpu(pid), len(world.log())
    world.settled(client)
    world.emit("heard", None, "everyone")
    client.wait("heard")
    assert cpu(pid) - used < 1 and len(world.log()) - size < 10000
    for connection in idle:
        connection.close()
    again = clients(Raw(world, 12))
    world.joined(again)


def test_bytes_after_a_request_do_not_hold_the_connection_for_ever(v5):
    """libwebsockets lets nobody write any more: the time for an answer ends the connection."""
    waiting = []
    get = request("GET", POLLING)
    for more in (b"x", get):
        waiting.append(Http(v5, get + more))
    for connection in waiting:
        connection.sock.settimeout(60)
        connection.rest()
        connection.close()
    wait_for(lambda: v5.ready(), "pushd to serve")


def test_a_commit_larger_than_a_queue_reaches_those_who_read(v5, clients):
    fast = [clients(Raw(v5, ident)) for ident in (11, 12, 15)]
    v5.joined(*fast)
    slow = v5.metric("closed_sessions", reason="queue_bytes")
    v5.sql("SELECT vantage6_events.emit('burst', to_json(i || repeat('x', 10000)), 'everyone')"
           " FROM generate_series(1, 600) i")
    for client in fast:
        client.wait("burst", times=600)
        assert [int(event[1].rstrip("x")) for event in client.heard("burst")] == list(range(1, 601))
    assert v5.metric("closed_sessions", reason="queue_bytes") == slow
