"""Every real client over every transport, in two namespaces on one connection: it comes back by
itself, and receives on."""
import os
from functools import partial

import pytest

from browser import Chromium, without_place
from clients import Node, Python
from lablib.facts import wait_for

TASKS, NEWS = "/tasks", "/news"
TRANSPORTS = {"polling": ("polling",), "websocket": ("websocket",),
              "upgrade": ("polling", "websocket")}
KINDS = {"python": (partial(Python, in_order=True), 3), "node": (Node, 11),
         "chromium": (Chromium, 15)}  # with whom each speaks for


@pytest.fixture(scope="module")
def world(make_world):
    """A daemon with two namespaces; clients that come back are not missed meanwhile."""
    made = make_world(options=["--namespaces", f"{TASKS} {NEWS}", "--drain-time", "1s"])
    made.sql("ALTER DATABASE hq SET vantage6_events.drain_grace = '10min'", user="postgres")
    made.lab.stop_pushd(0)
    made.lab.start_pushd(0)
    return made


@pytest.fixture(scope="module")
def crew(world):
    """A client of each kind over each transport: the same ones in all tests of this file."""
    made = {}
    try:
        for kind, (make, ident) in KINDS.items():
            for way, transports in TRANSPORTS.items():
                made[f"{kind}-{way}"] = make(world, ident, transports=transports,
                                             namespaces=[TASKS, NEWS])
        yield made
    finally:
        for client in made.values():
            client.close()


def emit(world, name, nsp, *args):
    """An event to all of a namespace."""
    world.sql("SELECT vantage6_events.emit(%s, to_json(%s::text[]), 'everyone', %s)", name,
              list(args), nsp)


def joined(world, crew):
    """Wait until the rooms of all are known, in both namespaces."""
    world.joined(*crew.values())
    for name, client in crew.items():
        def heard():
            mark = f"mark_{os.urandom(6).hex()}"
            emit(world, mark, NEWS)
            try:
                return wait_for(lambda: client.heard(mark, nsp=NEWS), deadline=0.2)  # noqa: B023
            except AssertionError:
                return False
        wait_for(heard, f"{name} to join {NEWS}")


def check_hearing(world, crew, name):
    """Events reach each in their own namespace, once."""
    for nsp in (TASKS, NEWS):
        emit(world, name, nsp, nsp)
    emit(world, f"{name}_end", NEWS)
    world.settled(*crew.values())
    for which, client in crew.items():
        client.wait(f"{name}_end", nsp=NEWS)
        for nsp in (TASKS, NEWS):
            assert [without_place(client, event)
                    for event in client.heard(name, nsp=nsp)] == [[name, nsp]], f"{which} in {nsp}"


def test_two_namespaces_share_one_connection(world, crew):
    joined(world, crew)
    check_hearing(world, crew, "first")
    for name, client in crew.items():
        assert client.connects_in == {TASKS: 1, NEWS: 1}, name
        assert len(set(client.engines)) == 1, f"{name} has several connections"
    leases = dict(world.sql("SELECT nsp, count(*) FROM vantage6_events.lease GROUP BY 1",
                            user="postgres"))
    assert leases == {TASKS: len(crew), NEWS: len(crew)}
    assert world.metric("handshakes") == len(crew)


def test_each_uses_the_transport_that_it_was_given(crew):
    for name, client in crew.items():
        expected = "polling" if name.endswith("polling") else "websocket"
        wait_for(lambda: client.transport == expected, f"{name} to use {expected}")  # noqa: B023


@pytest.mark.parametrize("how", ["orderly", "killed"])
def test_all_come_back_to_a_restarted_daemon_by_themselves(world, crew, how):
    before = {name: dict(client.disconnects_in) for name, client in crew.items()}
    if how == "orderly":
        world.lab.stop_pushd(0)
    else:
        world.lab.kill_pushd(0)
    for name, client in crew.items():
        wait_for(lambda: all(client.disconnects_in[nsp] > before[name][nsp]
                             for nsp in (TASKS, NEWS)),
                 f"{name} to notice")
    world.lab.start_pushd(0)
    for client in crew.values():
        client.wait_connected()
    joined(world, crew)
    check_hearing(world, crew, how)
    for client in crew.values():
        assert client.call("any") == [], "an event of a client is acknowledged"
    offline = world.sql(
        "SELECT count(*) FROM vantage6_events.recent_events WHERE name = 'node-offline'",
        user="postgres")
    assert offline == [(0,)]


def test_200_queued_events_reach_those_who_poll_without_a_reconnect(world, crew):
    connects = {name: client.connects for name, client in crew.items()}
    world.sql("SELECT vantage6_events.emit('many', to_json(i), 'everyone') "
              "FROM generate_series(1, 200) i")
    for name, client in crew.items():
        client.wait("many", times=200)
        assert [event[1] for event in client.heard("many")] == list(range(1, 201)), name
        assert client.connects == connects[name] and client.connected(), name
