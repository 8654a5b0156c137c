"""Leaving namespaces, and what may still be under way then; rooms."""
import json

import pytest

from server import QUICK
from sessions import SESSIONS, Client, Poll, Ws, probe


def test_leaving_the_main_namespace_is_not_answered_and_the_connection_stays(start):
    session = Ws(start("socket", **QUICK))
    Client(session)
    session.pings = True
    session.send("41")
    for _ in range(3):
        assert session.receive() == "2"
        session.send("3")


@pytest.mark.parametrize("form", ["41/custom", "41/custom,"])
def test_leaving_one_namespace_leaves_the_others(client, form):
    client.connect("/custom")
    client.send(form, '42["message","still here"]')
    assert client.receive() == '42["message-back","still here"]'


@pytest.mark.parametrize("form", ["41", "41/", "41/,"])
def test_forms_of_leaving_the_main_namespace(client, form):
    client.connect("/custom")
    client.send(form)
    client.send("40/random,")
    assert client.receive().startswith("44/random,")
    client.connect()
    assert client.alive()


def test_a_namespace_may_be_joined_again_with_another_sid(client):
    sids = {client.sid}
    for _ in range(3):
        client.leave()
        sids.add(client.connect())
    assert len(sids) == 4
    assert client.alive()


@pytest.mark.ours("Node takes what arrives in one piece with a disconnect as if it had come "
                  "before it, and closes")
def test_leaving_and_joining_at_once(client):
    client.send("41", "40", '42["message","x"]')
    heard = client.receive(3)
    assert (heard[0].startswith('40{"sid":"')
            and heard[1:] == ['42["auth",{}]', '42["message-back","x"]'])


@pytest.mark.ours("they may have crossed: Node closes the whole connection")
@pytest.mark.parametrize("packet",
                         ['42["message","late"]', '427["message-with-ack"]', "431[]", "41"])
def test_packets_for_a_namespace_that_was_left_are_ignored(client, packet):
    client.connect("/custom")
    client.leave()
    client.send(packet)
    client.connect()
    assert client.alive()


@pytest.mark.ours("they may have crossed: Node closes the whole connection")
def test_an_attachment_for_a_namespace_that_was_left_is_ignored(client):
    client.leave()
    client.send('451-["message",{"_placeholder":true,"num":0}]', b"late")
    client.connect()
    assert client.alive()


def test_an_event_with_attachments_that_began_before_leaving_cannot_be_finished_after_it(client):
    assert client.breaks('451-["message",{"_placeholder":true,"num":0}]', "41")


def test_leaving_ends_what_was_asked(client):
    """An ack id belongs to the socket that was asked, not to the one that follows it."""
    client.send('42["ask"]')
    packet = client.receive()
    number = packet[2:packet.index("[")]
    client.leave()
    client.connect()
    client.send(f"43{number}[]")
    assert client.alive()


# --- rooms ----------------------------------------------------------------------------------------

def test_an_event_reaches_those_in_the_room_over_every_transport(server):
    inside = [Client(kind(server)) for kind in SESSIONS.values()]
    outside = Client(Ws(server))
    for client in inside:
        client.send('42["join","blue"]')
        assert client.alive()
    outside.send('42["room-emit","blue",{"n":1},"ü"]')
    for client in inside:
        assert client.receive() == '42["room-message",{"n":1},"ü"]'
        assert client.alive()
    assert outside.alive()


def test_who_leaves_hears_no_more(server):
    stays, leaves = (Client(Ws(server)) for _ in range(2))
    for client in (stays, leaves):
        client.send('42["join","green"]')
        assert client.alive()
    leaves.leave()
    leaves.connect()
    stays.send('42["room-emit","green"]')
    assert stays.receive() == '42["room-message"]'
    assert leaves.alive()


def test_events_to_a_client_keep_their_order_across_an_upgrade(server):
    poll, sender = Poll(server), Client(Ws(server))
    client = Client(poll)
    client.send('42["join","red"]')
    assert client.alive()

    def emit(numbers):
        sender.send(*(f'42["room-emit","red",{number}]' for number in numbers))
        assert sender.alive()
    emit(range(10))
    heard = [client.receive()]
    ws = probe(poll)
    emit(range(10, 20))
    heard += [packet for packet in poll.waiting if packet != "6"]
    ws.text("5")
    while len(heard) < 20:
        heard.append(ws.message())
    assert [json.loads(packet[2:])[1] for packet in heard] == list(range(20))
