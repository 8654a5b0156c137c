"""WebSocket (RFC 6455) below Engine.IO: fragments, control frames, what is not allowed, closing."""
import os

import pytest

from lablib.facts import wait_for
from rawlib.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Closed, fragments, frame
from sessions import Poll, Upgraded, Ws, begin_upgrade


@pytest.fixture(params=[Ws, Upgraded], ids=["websocket", "upgraded"])
def ws(request, engine):
    """The WebSocket of a session that began so or otherwise."""
    session = request.param(engine)
    yield session.ws
    session.close()


def works(ws):
    """Is the next message echoed?"""
    mark = "4" + os.urandom(8).hex()
    ws.text(mark)
    assert ws.message() == mark
    return True


def test_a_message_in_fragments(ws):
    ws.send(b"".join(fragments(TEXT, "4he", "l", "lo")))
    assert ws.message() == "4hello"
    ws.send(b"".join(fragments(BINARY, b"\1\2", b"\3")))
    assert ws.message() == b"\1\2\3"
    assert works(ws)


def test_fragments_one_by_one(ws):
    """Also in the middle of a character, and with empty ones."""
    text = "4grüße 😀".encode()
    ws.text(b"", final=False)
    for byte in text:
        ws.taken().send(frame(CONTINUATION, bytes([byte]), final=False))
    ws.taken().send(frame(CONTINUATION, b""))
    assert ws.message() == "4grüße 😀"
    assert works(ws)


def test_a_frame_byte_by_byte(ws):
    for part in frame(TEXT, "4slow"):
        ws.taken().send(bytes([part]))
    assert ws.message() == "4slow"


def test_many_frames_in_one_piece(ws):
    ws.send(b"".join(frame(TEXT, f"4{number}") for number in range(500)))
    assert [ws.message() for _ in range(500)] == [f"4{number}" for number in range(500)]


def test_fragments_of_a_large_message(ws):
    """Larger than any buffer on the way."""
    data = os.urandom(300_000)
    pieces = [data[at:at + 7001] for at in range(0, len(data), 7001)]
    ws.send(b"".join(fragments(BINARY, *pieces)))
    assert ws.message() == data
    assert works(ws)


@pytest.mark.parametrize("data", [b"", b"x", b"y" * 125], ids=["empty", "short", "longest"])
def test_a_ping_is_answered_with_a_pong(ws, data):
    ws.send(frame(PING, data))
    assert ws.frame() == (PONG, data, True)
    assert works(ws)


def test_control_frames_between_fragments(ws):
    between = frame(PING, b"now?") + frame(PONG, b"unasked")
    ws.send(between.join(fragments(TEXT, "4he", "llo")))
    assert {ws.frame(), ws.frame()} == {(PONG, b"now?", True), (TEXT, b"4hello", True)}
    assert works(ws)


def test_an_unasked_pong_is_ignored(ws):
    ws.send(frame(PONG, b"x"))
    assert works(ws)


VIOLATIONS = {
    "reserved bit 1": (frame(TEXT, "4x", reserved=4), 1002),
    "reserved bit 2": (frame(TEXT, "4x", reserved=2), 1002),
    "reserved bit 3": (frame(TEXT, "4x", reserved=1), 1002),
    "opcode 3": (frame(3, "4x"), 1002),
    "opcode 7": (frame(7, "4x"), 1002),
    "opcode 11": (frame(11), 1002),
    "opcode 15": (frame(15), 1002),
    "a long ping": (frame(PING, b"x" * 126), 1002),
    "a ping in fragments": (frame(PING, b"x", final=False), 1002),
    "a continuation of nothing": (frame(CONTINUATION, "4x"), 1002),
    "a text within a message": (frame(TEXT, "4x", final=False) + frame(TEXT, "4y"), 1002),
    "2^63 bytes": (frame(BINARY, b"", length=2 ** 63), 1009),
    "not UTF-8": (frame(TEXT, b"4\xff\xfe"), 1007),
    "half a character at the end": (frame(TEXT, b"4\xc3"), 1007),
    "half a character in fragments": (b"".join(fragments(TEXT, b"4\xe2\x82", b"x")), 1007),
    "a surrogate": (frame(TEXT, b"4\xed\xa0\x80"), 1007),
    "an overlong character": (frame(TEXT, b"4\xc0\xaf"), 1007),
    "beyond Unicode": (frame(TEXT, b"4\xf5\x80\x80\x80"), 1007),
}


@pytest.mark.parametrize("data, code", VIOLATIONS.values(),
                         ids=[name.replace(" ", "_") for name in VIOLATIONS])
def test_a_violation_ends_the_connection_and_the_session(engine, data, code):
    session = Ws(engine)
    session.ws.send(data)
    came = session.ended()
    assert came == []
    assert session.code in (code, 1002,
                            1006), "the code, or the connection has gone before it could be read"


def test_invalid_utf8_is_told_by_its_code(ws):
    ws.send(frame(TEXT, b"4\xff\xfe"))
    assert ws.closing() == ([], 1007)


@pytest.mark.parametrize("payload, expected",
                         [(b"", (1005, 1000)), (b"\x03\xe8", (1000,)), (b"\x03\xe8bye", (1000,)),
                          (b"\x0f\xa0own", (4000,))],
                         ids=["empty", "1000", "reason", "4000"])
def test_a_close_frame_is_answered_and_ends_the_session(engine, payload, expected):
    session = Ws(engine)
    session.ws.send(frame(CLOSE, payload))
    assert session.ended() == []
    assert session.code in expected


@pytest.mark.parametrize("payload", [b"x", b"\x03\xe7", b"\x03\xed", b"\x03\xe8\xff"],
                         ids=["one byte", "999", "1005", "not UTF-8"])
def test_a_bad_close_frame_ends_the_session_too(engine, payload):
    session = Ws(engine)
    session.ws.send(frame(CLOSE, payload))
    assert session.ended() == []


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_websocket_that_breaks_off_ends_the_session(engine, how):
    session = Ws(engine)
    getattr(session.ws, how)()
    wait_for(session.gone, "the session to end")


def test_nothing_after_a_close_frame_counts(engine):
    session = Ws(engine)
    session.ws.send(frame(CLOSE) + frame(TEXT, "4x"))
    assert session.ended() == []


def test_a_bad_packet_closes_without_a_code(engine):
    for bad in ("abc", "", "7", "\x1e"):
        session = Ws(engine)
        session.send(bad)
        assert session.ended() == []
        assert session.code == 1005, bad


def test_a_frame_is_one_packet(engine):
    """The separator is of polling: here it is a character like any other."""
    session = Ws(engine)
    session.send("4a\x1e4b")
    assert session.receive() == "4a\x1e4b"


def test_a_violation_on_a_probe_leaves_the_session(engine):
    poll = Poll(engine)
    for data in (frame(TEXT, "2probe", reserved=4), frame(TEXT, b"2prob\xff"), frame(3),
                 frame(CLOSE)):
        probe = begin_upgrade(poll)
        probe.send(data)
        with pytest.raises(Closed):
            probe.message()
    poll.send("4x")
    assert poll.receive() == "4x"
