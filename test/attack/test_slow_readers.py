"""Clients that do not read, their queues just over half full: a large commit waits for them once,
and reaches those who read.
"""
import socket

import pytest

from clients import Raw
from http_connection import HttpConnection
from lablib.facts import wait_for

SLOW, READER = 15, 11
HALF, EVENTS = 2_000_000, 20_000
BURST = """SELECT vantage6_events.emit('burst', to_json(i), ARRAY['user_15', 'user_11'])
           FROM generate_series(%s::int, %s::int) i"""


def not_reading(world):
    """A connection whose client reads nothing but the handshake."""
    slow = HttpConnection(world, token=world.token(SLOW))
    slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    assert slow.websocket().status == 101
    slow.say("40/tasks,{}")
    return slow


@pytest.mark.parametrize("count", (1, 10, 100))
def test_clients_that_do_not_read_delay_one_page_in_all(own_lab, clients, honest, count):
    world = own_lab(options=["--ping-timeout", "1h", "--queue-bytes", "4MB"])
    others = honest(world, without=(SLOW, READER))
    readers = [clients(Raw(world, READER)) for _ in range(3)]
    world.joined(*readers)
    joined = world.metric("sockets_joined")
    slow = [clients(not_reading(world)) for _ in range(count)]
    wait_for(lambda: world.metric("sockets_joined") == joined + count, "all to be joined")
    while world.metric("queued_bytes") < count * 1.1 * HALF:
        world.emit("fill", "x" * 50_000, f"user_{SLOW}")
    before = world.metric("pages_waited")
    for first in (1, EVENTS + 1):
        world.sql(BURST, first, first + EVENTS - 1)
        for reader in readers:
            reader.wait("burst", times=first + EVENTS - 1)
    for reader in readers:
        assert [event[1] for event in reader.heard("burst")] == list(range(1, 2 * EVENTS + 1))
    assert world.metric("pages_waited") - before <= 1
    assert world.metric("queued_bytes") > count * 1.1 * HALF
    assert world.metric("closed_sessions", reason="queue_bytes") == 0
    assert world.metric("sessions") == joined + len(slow)
    others.well()
