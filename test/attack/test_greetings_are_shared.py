"""A node with a thousand connections and a megabyte of instructions: the megabyte is kept once."""
import json

import pytest

from crowds import rss
from lablib.facts import wait_for
from rawlib.blocking import WebSocket

CONNECTIONS, ALONE, NODE, MOST = 1000, 50, 1, 100_000_000
# How many instructions, and how long each is: together the megabyte that a greeting has.
KINDS = {"small": (950, 1000), "some": (95, 10_000), "large": (19, 50_000)}


def connect(world, clients):
    """All of them ask for the namespace in one turn, as far as that can be had."""
    joined = world.metric("sockets_joined")
    for client in clients:
        client.text("40/tasks,{}")
    wait_for(lambda: world.metric("sockets_joined") == joined + len(clients),
             "all to be joined", deadline=120)


def instructions(client, number):
    """Reads so many, and acknowledges each."""
    found = []
    while len(found) < number:
        text = client.message()
        if text.startswith("42/tasks,"):
            ack, event = text.removeprefix("42/tasks,").split("[", 1)
            if ack:
                found.append(json.loads("[" + event))
                client.text(f"43/tasks,{ack}[]")
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_connections_of_a_node_share_its_instructions(own_lab, release, honest, kind):
    number, length = KINDS[kind]
    world = own_lab(options=["--ack-timeout", "5s", "--max-connections-per-address", "5000",
                             "--handshake-rate", "0", "--max-connections-per-principal", "5000",
                             "--ping-interval", "300s", "--ping-timeout", "300s",
                             "--connect-timeout", "300s"])
    others = honest(world, without=(NODE,))
    world.sql("SELECT count(vantage6_events.emit('instruct', to_json(i || repeat('x', %s)), "
              "'node_1', durable => true)) FROM generate_series(1, %s) AS i", length, number)
    header = [f"Authorization: Bearer {world.token(NODE)}"]
    others.receive()
    before = rss(world.lab.daemon(0).pid())
    clients = [WebSocket(world, headers=header) for _ in range(CONNECTIONS)]
    for client in clients[:ALONE]:
        connect(world, [client])
    connect(world, clients[ALONE:])
    grown = rss(world.lab.daemon(0).pid()) - before
    assert grown < MOST, f"{grown / 1e6:.0f} MB"
    wait_for(lambda: world.metric("errands", outcome="ack_timeout") >= CONNECTIONS,
             "nobody to be waited for", deadline=60)
    others.receive()
    grown = rss(world.lab.daemon(0).pid()) - before
    assert grown < MOST, f"{grown / 1e6:.0f} MB once nobody is waited for"
    for client in (clients[0], clients[-1]):
        found = instructions(client, number)
        assert {len(event[1].lstrip("0123456789")) for event in found} == {length}
        assert [int(event[1].rstrip("x")) for event in found] == list(range(1, number + 1))
    for client in clients:
        client.close()
    wait_for(lambda: world.metric("queued_bytes") == world.metric("instruction_bytes") == 0,
             "nothing to be kept", deadline=60)
    others.well()
