"""Socket.IO: connecting to namespaces, refusals, and who never connects."""
import json
import re
import time

import pytest

from sessions import SESSIONS, Client, Poll, Ws

LATE = 10  # of a loaded machine


def reply_of(packet, head):
    """The data of a CONNECT reply that begins so."""
    assert packet.startswith(head + "{"), packet
    return json.loads(packet[len(head):])


@pytest.mark.parametrize("auth",
                         ["", "{}", '{"token":"123"}', '{"a":{"b":[1,2.5,null,true,"grüße 😀"]}}'])
@pytest.mark.parametrize("nsp", ["", "/custom,"], ids=["main", "custom"])
def test_a_connect_is_answered_with_a_sid_and_then_come_events(nobody, nsp, auth):
    nobody.send(f"40{nsp}{auth}")
    said = reply_of(nobody.receive(), f"40{nsp}")
    assert set(said) == {"sid"}
    assert re.fullmatch("[A-Za-z0-9_-]{20,}", said["sid"])
    assert said["sid"] != nobody.session.sid, "the sid of the session is a secret"
    assert nobody.receive() == f'42{nsp}["auth",{auth or "{}"}]'


@pytest.mark.parametrize("packet, nsp",
                         [("40/custom", "/custom,"), ("40/,", ""), ("40/", ""), ("40/,{}", "")])
def test_other_forms_of_a_namespace(nobody, packet, nsp):
    nobody.send(packet)
    reply_of(nobody.receive(), f"40{nsp}")
    assert nobody.receive() == f'42{nsp}["auth",{{}}]'


def test_sids_differ(server):
    sids = {Client(SESSIONS[kind](server)).sid for kind in SESSIONS for _ in range(5)}
    assert len(sids) == 15


@pytest.mark.parametrize("packet, name", [
    ("40/random", "/random"), ("40/random,", "/random"), ('40/random,{"token":1}', "/random"),
    ("40/customs,", "/customs"),
    ("40/custom/,", "/custom/"), ("40/CUSTOM,", "/CUSTOM"),
    ("40/custom?token=1,", "/custom?token=1"), ("40//,", "//"), ("40/grüße,", "/grüße")])
def test_an_unknown_namespace_is_refused_and_the_connection_stays(nobody, packet, name):
    nobody.send(packet)
    assert nobody.receive() == f'44{name},{{"message":"Invalid namespace"}}'
    nobody.connect()
    assert nobody.alive()


@pytest.mark.parametrize("data", [None, {"code": 7}, "text", 0, [1, "ü"]])
def test_a_refusal_says_why_and_the_client_may_try_again(nobody, data):
    auth = {"refuse": 'not "you"'} if data is None else {"refuse": 'not "you"', "data": data}
    for _ in range(2):
        nobody.send("40" + json.dumps(auth))
        said = reply_of(nobody.receive(), "44")
        assert said == {"message": 'not "you"', **({} if data is None else {"data": data})}
    nobody.connect("/custom")
    nobody.connect()
    assert nobody.alive()


def test_several_namespaces_are_independent(nobody):
    main, custom = nobody.connect(auth={"a": 1}), nobody.connect("/custom", {"b": 2})
    assert main != custom
    assert nobody.alive()


def test_all_connects_at_once(nobody):
    nobody.send("40", "40/custom,", "40/random,")
    heard = nobody.receive(5)
    assert '44/random,{"message":"Invalid namespace"}' in heard
    for nsp in ("", "/custom,"):
        begins = [packet.startswith(f"40{nsp}{{") for packet in heard]
        assert begins.count(True) == 1
        event = heard.index(f'42{nsp}["auth",{{}}]')
        assert begins.index(True) < event, "the reply comes before events"


@pytest.mark.parametrize("packet", ['40["token"]', '40"token"', "40null", "40true", "40{",
                                    '40{"a":1', "40{}x", '40/custom,["x"]', "40/custom,x",
                                    "40[]", "40/random,[]"])
def test_a_connect_that_is_no_connect_closes(nobody, packet):
    assert nobody.breaks(packet)


@pytest.mark.parametrize("packet", ['42["message","x"]', '42/custom,["x"]', '42/random,["x"]', "41",
                                    "41/custom,", "41/random", '431["x"]', "43/random,1[]"])
def test_nothing_else_comes_before_a_connect(nobody, packet):
    assert nobody.breaks(packet)


def test_a_second_connect_closes(client):
    assert client.breaks("40")


def test_a_second_connect_to_another_namespace_closes(client):
    client.connect("/custom")
    assert client.breaks("40/custom,{}")


@pytest.mark.parametrize("packet",
                         ['44{"message":"x"}', "44", '44/custom,{"message":"x"}', '44"x"'])
def test_a_refusal_by_a_client_closes(client, packet):
    assert client.breaks(packet)


# --- connect_timeout ------------------------------------------------------------------------------

@pytest.fixture(params=["polling", "websocket"])
def hurried(request, serve):
    """(session at a server that waits 300 ms for a CONNECT, when it began)"""
    server = serve("socket", connect_timeout="300ms")
    begun = time.monotonic()
    session = SESSIONS[request.param](server)
    yield session, begun
    session.close()


def test_a_session_without_a_namespace_is_closed(hurried):
    session, begun = hurried
    assert session.ended() == []
    assert 0.28 <= time.monotonic() - begun < LATE


def test_a_refused_connect_is_none(hurried):
    session, begun = hurried
    client = Client(session, nsp=None)
    client.send("40/random,")
    assert client.receive().startswith("44/random,")
    client.send('40{"refuse":"no"}')
    assert client.receive().startswith("44{")
    assert session.ended() == []
    assert 0.28 <= time.monotonic() - begun < LATE


def test_who_has_connected_once_stays(hurried):
    session, _ = hurried
    client = Client(session)
    client.leave()
    Ws(session.server).ended()  # a session that began later
    client.connect()
    assert client.alive()


def test_a_session_whose_get_waits_is_closed_too(start):
    """Node sends a close packet, we say that there is no such session: see doc/protocol.md."""
    server = start("socket", connect_timeout="300ms")
    poll = Poll(server)
    answer = poll.get()
    assert (answer.status, answer.text) in ((200, "1"),
                                            (400, '{"code":1,"message":"Session ID unknown"}'))
    assert poll.gone()


@pytest.mark.ours("Node sends a close packet, after which python-socketio never comes back")
def test_a_session_whose_get_waits_is_told_that_it_is_gone(start):
    answer = Poll(start("socket", connect_timeout="300ms")).get()
    assert (answer.status, answer.text) == (400, '{"code":1,"message":"Session ID unknown"}')


def test_the_time_begins_with_the_session_not_with_the_upgrade(start):
    server = start("socket", connect_timeout="300ms")
    begun = time.monotonic()
    session = SESSIONS["upgraded"](server)
    assert session.ended() == []
    assert 0.28 <= time.monotonic() - begun < LATE


def test_the_double_slash_of_some_proxies(server):
    server_path, server.path = server.path, server.path + "/"
    try:
        for kind in (Poll, Ws):
            assert Client(kind(server)).alive()
    finally:
        server.path = server_path
