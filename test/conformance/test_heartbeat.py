"""Pings of the server, pongs of the client, and what happens without.

Time is the subject here, so times are measured. What is to happen meanwhile is not timed by the
test's own clock, but by another session of the same server: its ping or its end says how late it
is.
"""
import time

import pytest

from lablib.facts import wait_for
from rawlib.blocking import Http
from rawlib.wire import Closed
from server import QUICK
from sessions import SESSIONS, Poll, Upgraded, Ws, begin_upgrade, decode, probe

INTERVAL, TIMEOUT = 0.3, 0.2
EARLY = 0.02  # the server's clock is read once a turn
LATE = 10  # of a loaded machine


@pytest.fixture
def quick(serve):
    """An echo with the heartbeat that the public suites presume."""
    return serve("engine", **QUICK)


@pytest.fixture
def patient(serve):
    """The same interval, and all the time for a pong that a loaded machine may need."""
    return serve("engine", ping_interval="300ms")


@pytest.fixture
def steady(serve):
    """The same interval, and a timeout that a client can keep which answers at once."""
    return serve("engine", ping_interval="300ms", ping_timeout="1s")


def within(seconds, least):
    """Is it so long, or a little more?"""
    return least - EARLY <= seconds <= least + LATE


def timed(kind, server):
    """A session that shows pings, and when its handshake began."""
    begun = time.monotonic()
    session = SESSIONS[kind](server)
    session.pings = True
    return session, begun


@pytest.fixture(params=SESSIONS)
def mute(request, quick):
    """timed() of each transport, with little time for a pong."""
    session, begun = timed(request.param, quick)
    yield session, begun
    session.close()


@pytest.fixture(params=SESSIONS)
def answering(request, patient):
    """timed() of each transport, with much time for a pong."""
    session, begun = timed(request.param, patient)
    yield session, begun
    session.close()


def test_a_ping_comes_after_each_interval(answering):
    session, last = answering
    for _ in range(3):
        assert session.receive() == "2"
        now = time.monotonic()
        assert within(now - last, INTERVAL)
        last = now
        session.send("3")


def test_the_interval_begins_with_the_pong(answering, patient):
    session, _ = answering
    assert session.receive() == "2"
    other, _ = timed("websocket", patient)
    assert other.receive() == "2", "an interval has passed"
    begun = time.monotonic()
    session.send("3")
    assert session.receive() == "2"
    assert within(time.monotonic() - begun, INTERVAL)


@pytest.mark.parametrize("kind", SESSIONS)
def test_a_client_that_answers_stays(steady, kind):
    """For longer than one that does not answer."""
    session, _ = timed(kind, steady)
    silent = Ws(steady)
    while not silent.gone():
        assert session.receive() == "2"
        session.send("3")
    session.send("4x")
    assert session.receive() == "4x"
    session.close()


def test_a_client_that_does_not_answer_is_closed(mute):
    session, begun = mute
    assert session.receive() == "2"
    with pytest.raises(Closed):
        session.receive()
    assert within(time.monotonic() - begun, INTERVAL + TIMEOUT)
    assert session.gone()


def test_a_client_that_never_polls_is_closed(quick):
    poll = Poll(quick)
    Ws(quick).ended()  # which began later
    wait_for(poll.gone, "the session to end")


def test_a_client_that_says_all_but_pong_is_closed(mute):
    """Once the pong is due, nothing else takes its place. (Node grants one more timeout.)"""
    session, _ = mute
    assert session.receive() == "2"

    def talk():
        session.offend("6")
        return session.gone()
    wait_for(talk, "the session to end")
    with pytest.raises(Closed):
        session.receive()


def test_a_pong_may_carry_data_and_come_unasked(answering):
    session, _ = answering
    session.send("3", "3probe", "4x")
    assert session.receive() == "4x"
    assert session.receive() == "2"
    session.send("3anything")
    assert session.receive() == "2"


@pytest.mark.ours("Node answers the waiting GET with a close packet, after which python-socketio "
                  "never comes back")
def test_a_get_that_waits_when_the_heartbeat_fails_is_told_that_there_is_no_such_session(quick):
    poll = Poll(quick)
    assert poll.get().text == "2"
    answer = poll.get()
    assert (answer.status, answer.text) == (400, '{"code":1,"message":"Session ID unknown"}')


def test_pings_go_to_the_polling_transport_until_the_upgrade_is_complete(patient):
    poll = Poll(patient)
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


def test_a_pong_may_come_over_the_new_transport(patient):
    poll = Poll(patient)
    assert poll.get().text == "2"
    ws = begin_upgrade(poll)
    for packet in ("2probe", "5", "3"):
        ws.text(packet)
    assert ws.message() == "3probe"
    assert ws.message() == "2"


@pytest.mark.ours(
    "Node forgets the pong that is due when the transport changes: such a session never ends")
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


def test_a_session_does_not_end_while_another_does(steady):
    silent = [Poll(steady), Ws(steady)]
    live = Ws(steady)
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
