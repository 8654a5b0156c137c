"""A thousand connections that never become what they began to be (hostile_connections.py), beside
a hundred honest clients that notice nothing."""
import json
import os
import signal

import pytest

from clients import Python, Raw
from http_connection import Poll
from lablib.facts import wait_for
from rawlib.blocking import Http
from rawlib.wire import POLLING, request
from storm import Storm, Watch, cast_rooms, new_seed
from test_hostile import CAST, Hostile, files

HONEST, BY_PYTHON = 100, 12
ADDRESS, OVER = 150, 50
OPTIONS = {"ping-interval": "2s", "ping-timeout": "4s", "connect-timeout": "3s",
           "request-timeout": "3s", "max-connections-per-address": ADDRESS, "handshake-rate": 0}
# Connections, and a number that tells their address.
KINDS = {"slow_head": (120, 2), "slow_second_head": (60, 3), "silent": (60, 4),
         "endless_head": (100, 5), "endless_lines": (20, 6), "half_closed": (60, 7),
         "resets": (160, 8), "deaf": (20, 9), "abandoned_upgrade": (120, 10),
         "half_handshake": (50, 11), "bad_handshake": (30, 12), "many": (ADDRESS + OVER, 77)}
assert sum(count for count, _ in KINDS.values()) == 1000


@pytest.fixture
def world(own_lab):
    """A daemon with little patience."""
    return own_lab(options=[word for name, value in OPTIONS.items()
                            for word in (f"--{name}", str(value))])


def honest_clients(world, clients):
    """By WebSocket, by polling, and by both."""
    kinds = [lambda ident: Python(world, ident, transports=["polling"]),
             lambda ident: Python(world, ident)]
    made = [clients(kinds[i % 2](CAST[i % len(CAST)]) if i < BY_PYTHON else
                    Raw(world, CAST[i % len(CAST)])) for i in range(HONEST)]
    wait_for(lambda: world.metric("sockets_joined") == HONEST, "the honest to join")
    return made


def test_a_thousand_connections_that_come_to_nothing_harm_nobody(world, clients):
    honest, pid = honest_clients(world, clients), world.lab.daemon(0).pid()
    before, open_before = world.reasons("refused_requests"), files(world)
    watch = Watch(world, honest)
    storm = Storm(world, cast_rooms(world), new_seed(), writers=2, pause=0.4).start()
    crowd = Hostile(world, KINDS, 1, {"good": [world.token(ident) for ident in CAST if ident > 10]},
                    program="hostile_connections.py")
    try:
        crowd.wait(1)
        crowd.say("released")
        found = json.loads(crowd.wait(2))
    finally:
        storm.stop()
    print(f"{storm.committed} transactions committed, {watch.check()} events received, {found}")
    assert not {outcome: count for outcome, count in found.items() if outcome.startswith("wrong")}
    assert all(client.disconnects == 0 for client in honest)
    wait_for(lambda: world.metric("sessions") == HONEST, "all sessions of the crowd to end", 60)
    # A polling client may hold one connection more or less at the moment.
    wait_for(lambda: files(world) <= open_before,
             f"files to be {open_before} again, now {files(world)}", 60)
    wait_for(lambda: world.metric("queued_bytes") == world.metric("receiving_bytes") == 0,
             "queues to be empty")
    grown = {reason: count - before[reason]
             for reason, count in world.reasons("refused_requests").items()}
    assert grown["max_connections_per_address"] == found["refused max_connections_per_address"] > 0
    assert grown["request_timeout"] >= sum(found[f"held {kind}"] for kind in (
        "slow_head", "silent", "endless_lines", "many"))
    assert world.lab.daemon(0).pid() == pid and world.ready()
    world.joined(clients(Python(world, 12)))


def test_requests_of_one_turn_that_overlap_are_each_answered_once(v5):
    """Of two GETs of a session the second is refused, and the first answered. pushd was stopped, so
    that all come in one turn."""
    pid = v5.lab.daemon(0).pid()
    polls = [Poll(v5) for _ in range(3)]
    wire = Http(v5, b"".join(request("GET", poll.path) for poll in polls)).taken()
    others = [Http(v5, request("OPTIONS", POLLING)) for _ in polls[:2]]
    assert [other.status() for other in others] == [204, 204]
    os.kill(pid, signal.SIGSTOP)
    try:
        others[0].send(request("GET", polls[0].path))
        wire.send("GET")
        others[1].send(request("GET", polls[1].path))
    finally:
        os.kill(pid, signal.SIGCONT)
    assert others[0].reply().said == (400, "") and wire.reply().said == (200, "1")
    assert sorted([others[1].reply().said, wire.reply().said]) == [(200, "1"), (400, "")]
    assert polls[2].post("40/tasks,{}") == (200, "ok")
    assert wire.reply().text.startswith("40/tasks,{")
    wire.close()
    for other in others:
        other.close()
    assert Poll(v5).works()
