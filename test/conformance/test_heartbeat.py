"""Pings of the server, pongs of the client, and what happens without. Time is the subject here: tests wait for it."""
import time

import pytest

from rawlib.blocking import Http
from rawlib.wire import Closed
from server import QUICK
from sessions import SESSIONS, Poll, Upgraded, Ws, begin_upgrade, decode, probe

INTERVAL, TIMEOUT = 0.3, 0.2
EARLY = 0.02  # the server's clock is read once a turn
LATE = 2  # of a loaded machine


@pytest.fixture
def quick(start):
    """An echo with the heartbeat that the public suites presume."""
    server = start("engine", **QUICK)
    yield server
    assert server.runs(), server.errors()


def within(seconds, least):
    """Is it so long, or a little more?"""
    return least - EARLY <= seconds <= least + LATE


@pytest.fixture(params=SESSIONS)
def timed(request, quick):
    """(a session that shows pings, when its handshake began)"""
    begun = time.monotonic()
    session = SESSIONS[request.param](quick)
    session.pings = True
    yield session, begun
    session.close()


def test_a_ping_comes_after_each_interval(timed):
    session, last = timed
    for _ in range(3):
        assert session.receive() == "2"
        now = time.monotonic()
        assert within(now - last, INTERVAL)
        last = now
        session.send("3")


def test_the_interval_begins_with_the_pong(timed):
    session, _ = timed
    assert session.receive() == "2"
    time.sleep(TIMEOUT / 2)
    begun = time.monotonic()
    session.send("3")
    assert session.receive() == "2"
    assert within(time.monotonic() - begun, INTERVAL)


def test_a_client_that_answers_stays(timed):
    """For longer than interval and timeout together, several times."""
    session, begun = timed
    while time.monotonic() < begun + 4 * (INTERVAL + TIMEOUT):
        assert session.receive() == "2"
        session.send("3")
    session.send("4x")
    assert session.receive() == "4x"


def test_a_client_that_does_not_answer_is_closed(timed):
    session, begun = timed
    assert session.receive() == "2"
    with pytest.raises(Closed):
        session.receive()
    assert within(time.monotonic() - begun, INTERVAL + TIMEOUT)
    assert session.gone()


def test_a_client_that_never_polls_is_closed(quick):
    begun = time.monotonic()
    poll = Poll(quick)
    time.sleep(INTERVAL + TIMEOUT + 0.1)
    while not (gone := poll.gone()) and time.monotonic() < begun + LATE:
        pass
    assert gone


def test_a_client_that_says_all_but_pong_is_closed(timed):
    """Once the pong is due, nothing else takes its place. (Node grants one more timeout.)"""
    session, begun = timed
    assert session.receive() == "2"
    while time.monotonic() < begun + INTERVAL + TIMEOUT * 0.8:
        session.offend("6")
        time.sleep(0.02)
    with pytest.raises(Closed):
        session.receive()
    assert time.monotonic() - begun < INTERVAL + 2 * TIMEOUT + LATE


def test_a_pong_may_carry_data_and_come_unasked(timed):
    session, _ = timed
    session.send("3", "3probe", "4x")
    assert session.receive() == "4x"
    assert session.receive() == "2"
    session.send("3anything")
    assert session.receive() == "2"


@pytest.mark.ours("Node answers the waiting GET with a close packet, after which python-socketio never comes back")
def test_a_get_that_waits_when_the_heartbeat_fails_is_told_that_there_is_no_such_session(quick):
    poll = Poll(quick)
    assert poll.get().text == "2"
    answer = poll.get()
    assert (answer.status, answer.text) == (400, '{"code":1,"message":"Session ID unknown"}')


def test_pings_go_to_the_polling_transport_until_the_upgrade_is_complete(quick):
    poll = Poll(quick)
    ws = probe(poll)
    found = []
    while "2" not in found:
        answer = poll.get()
        assert answer.status == 200
        found += decode(answer.text)
    assert set(found) == {"2", "6"}
    assert ws.silent()
    poll.send("3")
    ws.text("5")
    ws.text("4x")
    came = ws.message()
    assert (ws.message() if came == "2" else came) == "4x"


def test_a_pong_may_come_over_the_new_transport(quick):
    poll = Poll(quick)
    assert poll.get().text == "2"
    ws = begin_upgrade(poll)
    for packet in ("2probe", "5", "3"):
        ws.text(packet)
    assert ws.message() == "3probe"
    assert ws.message() == "2"


@pytest.mark.ours("Node forgets the pong that is due when the transport changes: such a session never ends")
def test_a_pong_is_due_also_across_an_upgrade(quick):
    begun = time.monotonic()
    poll = Poll(quick)
    assert poll.get().text == "2"
    ws = probe(poll)
    ws.text("5")
    ws.sock.settimeout(5)
    assert ws.closing() == ([], 1005)
    assert within(time.monotonic() - begun, INTERVAL + TIMEOUT)


def test_an_upgraded_session_times_out(quick):
    session = Upgraded(quick)
    assert session.ended() == ["2"]
    assert session.code == 1005


def test_a_session_does_not_end_while_another_does(quick):
    silent = [Poll(quick), Ws(quick)]
    live = Ws(quick)
    for each in silent:
        while not each.gone():
            live.send("4x")
            assert live.receive() == "4x"


def test_a_get_waits_no_longer_than_the_interval(quick):
    """So that proxies with a short patience see an answer."""
    poll = Poll(quick)
    begun = time.monotonic()
    answer = Http(quick).request("GET", poll.target)
    assert answer.text == "2" and time.monotonic() - begun < INTERVAL + LATE
