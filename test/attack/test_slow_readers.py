"""Clients that do not read what they are sent: the others do not wait for them."""
import socket

import pytest

from clients import Raw
from lablib.facts import wait_for
from rawlib.blocking import WebSocket

HOSTILE, READER = 11, 12
HALF = 2_000_000  # of queue_bytes
EVENTS, PAGE = 20_000, 1000


def come_and_read_nothing(world):
    """A connection that the system takes little for, either."""
    client = WebSocket(world, headers=[f"Authorization: Bearer {world.token(HOSTILE)}"])
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, 4096)
    return client.text("40/tasks,{}")


@pytest.mark.parametrize("slow", [1, 10, 100])
def test_pages_do_not_wait_for_who_does_not_read(own_lab, clients, honest, release, slow):
    world = own_lab(options=["--read-rows", str(PAGE)])
    others, reader = honest(world, without=(HOSTILE,)), clients(Raw(world, READER))
    world.joined(reader)
    joined = world.metric("sockets_joined")
    hostile = [come_and_read_nothing(world) for _ in range(slow)]
    wait_for(lambda: world.metric("sockets_joined") == joined + slow, "all to be joined")
    while world.metric("queued_bytes") < slow * HALF * 1.1:
        world.emit("fill", "x" * 100_000, f"user_{HOSTILE}")
    world.sql("SELECT count(vantage6_events.emit('flood', to_json(i), %s::text[]))"
              " FROM generate_series(1, %s) AS i", [f"user_{HOSTILE}", f"user_{READER}"], EVENTS)
    reader.wait("flood", times=EVENTS)
    assert [event[1] for event in reader.heard("flood")] == list(range(1, EVENTS + 1))
    assert world.metric("pages_waited") <= 1  # of 20
    assert world.metric("queued_bytes") > slow * HALF, "they were not slow"
    others.well()
    assert world.reasons("closed_sessions")["queue_bytes"] == 0
    for client in hostile:
        client.close()
