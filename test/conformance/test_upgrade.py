"""From polling to WebSocket."""
import time

import pytest

from lablib.facts import wait_for
from rawlib.blocking import Http, WebSocket
from rawlib.wire import Closed
from sessions import SEPARATOR, Poll, Upgraded, Ws, begin_upgrade, decode, probe

MISMATCH = '{"code":3,"message":"Bad request"}'


def echo(ws, packet):
    """There and back over a WebSocket."""
    ws.text(packet)
    assert ws.message() == packet
    return True


def test_an_upgrade(engine):
    poll = Poll(engine)
    ws = begin_upgrade(poll)
    ws.text("2probe")
    assert ws.message() == "3probe"
    assert poll.get().text == "6", "a GET is released by a noop"
    ws.text("5")
    assert echo(ws, "4hello")


def test_an_upgrade_without_waiting_for_answers(engine):
    poll = Poll(engine)
    ws = begin_upgrade(poll)
    for packet in ("2probe", "5", "4a", "4b"):
        ws.text(packet)
    assert [ws.message() for _ in range(3)] == ["3probe", "4a", "4b"]


def test_an_upgrade_without_a_probe(engine):
    ws = begin_upgrade(Poll(engine))
    ws.text("5")
    assert echo(ws, "4x")


@pytest.mark.ours("Node answers each: what a client may ask for without end")
def test_a_probe_is_answered_once(engine):
    poll = Poll(engine)
    ws = probe(poll)
    ws.text("2probe")
    assert ws.closing() == ([], 1005)
    poll.send("4x")
    assert poll.receive() == "4x"


def test_a_get_that_waits_is_released(engine):
    poll = Poll(engine)
    held = poll.hold()
    ws = probe(poll)
    assert held.answer().text == "6"
    ws.text("5")
    assert echo(ws, "4x")


def test_every_get_of_an_upgrade_is_released(engine):
    """The client's next one may already be under way when it is told of the probe."""
    poll = Poll(engine)
    ws = probe(poll)
    begun = time.monotonic()
    for _ in range(4):
        answer = poll.get()
        assert (answer.status, answer.text) == (200, "6")
    assert time.monotonic() - begun > 0.06, "no busy loop"
    assert ws.silent()
    ws.text("5")
    assert echo(ws, "4x")


def test_a_get_before_the_probe_is_asked_waits(engine):
    """The WebSocket alone changes nothing."""
    poll = Poll(engine)
    ws = begin_upgrade(poll)
    held = poll.hold()
    poll.send("4x")
    assert held.answer().text == "4x"
    ws.text("2probe")
    assert ws.message() == "3probe"


def test_the_answer_to_the_probe_is_the_first_frame(engine):
    """What waits goes to the polling transport, or to the WebSocket after the upgrade."""
    poll = Poll(engine)
    poll.send("4waiting")
    ws = begin_upgrade(poll)
    poll.send("4more")
    ws.text("2probe")
    assert ws.message() == "3probe"
    poll.send(b"still")
    assert ws.silent()
    ws.text("5")
    assert [ws.message() for _ in range(3)] == ["4waiting", "4more", b"still"]
    assert echo(ws, "4x")


def test_polling_goes_on_until_the_upgrade_is_complete(engine):
    poll = Poll(engine)
    ws = probe(poll)
    poll.send("4a", b"b")
    assert decode(poll.get().text) == ["4a", b"b"]
    held = poll.hold()
    poll.send("4c")
    got = held.answer().text
    assert got in ("4c", "6")
    ws.text("5")
    if got == "6":
        assert ws.message() == "4c"
    assert echo(ws, "4x")


def test_nothing_is_lost_or_doubled_across_an_upgrade(engine):
    poll = Poll(engine)
    packets = [f"4{number}" for number in range(30)]
    poll.send(*packets[:20])
    heard = decode(poll.get().text)
    ws = probe(poll)
    poll.send(*packets[20:])
    ws.text("5")
    while len(heard) < 30:
        heard.append(ws.message())
    assert heard == packets
    assert echo(ws, "4x")


@pytest.mark.ours(
    "Node ends it with a close packet, which a client may take for the end of the session")
def test_a_get_that_waits_at_the_end_of_an_upgrade_gets_a_noop(engine):
    poll = Poll(engine)
    ws = begin_upgrade(poll)
    held = poll.hold()
    ws.text("5")
    assert held.answer().text == "6"
    assert echo(ws, "4x")


def test_a_post_under_way_at_the_end_of_an_upgrade(engine):
    """It has been accepted; whether it still counts is not promised, but that the session goes on
    is."""
    poll = Poll(engine)
    ws = probe(poll)
    post = Http(engine).ask("POST", poll.target, b"4he", headers=["Content-Length: 6"]).taken()
    ws.text("5")
    assert echo(ws, "4first")
    try:
        post.send(b"llo")
        assert post.answer().status in (200, 400)
    except (Closed, OSError):
        pass
    ws.text("4x")
    heard = [ws.message()]
    if heard == ["4hello"]:
        heard = [ws.message()]
    assert heard == ["4x"]


def test_polling_after_the_upgrade_is_a_mistake(engine):
    session = Upgraded(engine)
    session.send("4x")
    assert session.receive() == "4x"
    http = Http(engine)
    for method, body in (("GET", b""), ("POST", b"4lost")):
        answer = http.request(method, session.poll.target, body)
        assert (answer.status, answer.text) == (400, MISMATCH)
    session.send("4y")
    assert session.receive() == "4y"


def closed_again(ws):
    """Refused at once, or closed without a word."""
    return ws.opening.status == 400 or ws.closing() == ([], 1005)


def test_a_second_websocket_after_the_upgrade_is_closed(engine):
    session = Upgraded(engine)
    session.send("4x")
    assert session.receive() == "4x"
    assert closed_again(WebSocket(engine, engine.target("websocket", sid=session.sid)))
    session.send("4y")
    assert session.receive() == "4y"


def test_a_second_websocket_during_the_upgrade_is_closed(engine):
    poll = Poll(engine)
    ws = probe(poll)
    assert closed_again(WebSocket(engine, engine.target("websocket", sid=poll.sid)))
    ws.text("5")
    assert echo(ws, "4x")


@pytest.mark.ours("Node lets it begin an upgrade that leads nowhere, and closes it after its time")
def test_a_websocket_for_a_session_that_began_as_one_is_closed(engine):
    session = Ws(engine)
    assert closed_again(WebSocket(engine, engine.target("websocket", sid=session.sid)))
    session.send("4x")
    assert session.receive() == "4x"


def test_an_unknown_session_has_no_upgrade(engine):
    assert WebSocket(engine, engine.target("websocket", sid="x" * 20)).opening.status == 400


@pytest.mark.parametrize("packet", ["4x", "2", "2prob", "2probed", "3probe", "1", "6", "x", "",
                                    b"2probe", b""])
def test_a_wrong_probe_is_closed_and_the_session_polls_on(engine, packet):
    poll = Poll(engine)
    for begin in (begin_upgrade, probe):
        ws = begin(poll)
        held = poll.hold()
        (ws.binary if isinstance(packet, bytes) else ws.text)(packet)
        assert ws.closing() == ([], 1005)
        if held.silent():
            poll.send("4x")
        if (got := held.answer().text) == "6":
            poll.send("4x")
            got = poll.get().text
        assert got == "4x"
    ws = probe(poll)
    ws.text("5")
    assert echo(ws, "4y"), "a further upgrade is allowed"


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_probe_that_breaks_off_leaves_the_session(engine, how):
    poll = Poll(engine)
    getattr(probe(poll), how)()
    # Another upgrade is possible as soon as the server has been told of it.
    made = []

    def again():
        ws = WebSocket(engine, engine.target("websocket", sid=poll.sid))
        try:
            ws.text("2probe")
            made.append(ws)
            return ws.message() == "3probe"
        except (Closed, OSError):
            return False
    wait_for(again, "an upgrade")
    poll.send("4x")
    assert decode(poll.get().text) in (["4x"], ["6"])
    made[-1].text("5")
    assert poll.gone() or Http(engine).request("GET", poll.target).text == MISMATCH


def test_an_upgrade_that_takes_too_long_is_given_up(start):
    server = start("engine", upgrade_timeout="300ms")
    for begin in (begin_upgrade, probe):
        poll = Poll(server)
        begun = time.monotonic()
        ws = begin(poll)
        assert ws.closing() == ([], 1005)
        assert 0.28 < time.monotonic() - begun < 10
        poll.send("4x")
        assert poll.get().text == "4x"
        ws = probe(poll)
        ws.text("5")
        assert echo(ws, "4y"), "a further upgrade is allowed"


def test_a_session_that_ends_while_it_upgrades_closes_the_probe(engine):
    for goodbye in ("1", "x"):
        poll = Poll(engine)
        ws = probe(poll)
        poll.offend(goodbye)
        came, code = ws.closing()
        assert (came, code) == ([], 1005)
        assert poll.gone()


def test_a_get_given_up_while_it_upgrades_ends_the_session(engine):
    """As at any other time: the client is gone."""
    poll = Poll(engine)
    ws = begin_upgrade(poll)
    poll.hold().close()
    assert ws.closing()[0] == []
    assert poll.gone()


def test_many_packets_at_once_after_an_upgrade(engine):
    poll = Poll(engine)
    ws = begin_upgrade(poll)
    packets = [f"4{number}" for number in range(300)]
    assert poll.post(SEPARATOR.join(packets)).text == "ok"
    ws.text("2probe")
    ws.text("5")
    assert [ws.message() for _ in range(301)] == ["3probe", *packets]
