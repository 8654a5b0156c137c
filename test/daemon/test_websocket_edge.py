"""WebSocket byte by byte (RFC 6455): the handshake, frames, fragments, closing."""
import json
import socket

import pytest

from clients import Raw
from http_connection import Poll
from lablib.facts import wait_for
from rawlib.blocking import Http, WebSocket
from rawlib.wire import (BINARY, CLOSE, CONTINUATION, PING, PONG, POLLING, TEXT, WEBSOCKET,
                         accepted, fragments, frame, handshake)

MAX = 20000
NONCE = b"the sample nonce"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
CONNECT, EVENT = "40/tasks,", '42/tasks,1["no_such_event"]'


@pytest.fixture(scope="module")
def edge(make_world):
    """A lab with a small max_payload, which clients without a token may use up."""
    return make_world(options=["--max-payload", str(MAX), "--stranger-bytes", str(MAX)])


@pytest.fixture(autouse=True)
def honest(edge, clients):
    """The same process serves before and after each test."""
    pid = edge.lab.daemon(0).pid()
    yield
    assert edge.lab.daemon(0).pid() == pid
    edge.joined(clients(Raw(edge, 12)))


@pytest.fixture
def ws(edge):
    """A WebSocket that is connected to /tasks."""
    made = WebSocket(edge)
    assert json.loads(packet(made)[1:])["maxPayload"] == MAX
    made.text(CONNECT)
    assert packet(made).startswith("40/tasks,{")
    yield made
    made.close()


def packet(ws):
    """The next packet; pings of the session are passed over."""
    while (found := ws.message()) == "2":
        pass
    return found


def acknowledged(ws, number=1):
    """The event was taken."""
    return packet(ws) == f"43/tasks,{number}[]"


def close_code(ws):
    """The code that the server closes with; see Closed."""
    return ws.ended()[1]


# --- the handshake -------------------------------------------------------------------------------

def upgrade(*changes, method="GET", path=WEBSOCKET, body=""):
    """The handshake with lines left out ("-Name") or added."""
    lines = handshake(path, key=NONCE).decode().split("\r\n")[1:-2]
    for change in changes:
        if change.startswith("-"):
            lines = [line for line in lines if not line.startswith(change[1:] + ":")]
        else:
            lines.append(change)
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", body])


VERSION = "-Sec-WebSocket-Version"
GOOD = {
    "as it should be": upgrade(),
    "Upgrade in another case": upgrade("-Upgrade", "upgrade: WEBSOCKET"),
    "Connection in another case": upgrade("-Connection", "connection: UPGRADE"),
    "Connection a list": upgrade("-Connection", "Connection: keep-alive, Upgrade"),
    "compression offered": upgrade("Sec-WebSocket-Extensions: permessage-deflate; "
                                   "client_max_window_bits, x-webkit-deflate-frame"),
    "twice a slash": upgrade(path=WEBSOCKET.replace("io/", "io//")),
    "an empty body": upgrade("Content-Length: 0"),
    "another upgrade besides": upgrade("Upgrade: h2c"),
    "Upgrade in a list": upgrade("-Upgrade", "Upgrade: h2c, websocket"),
    "Connection in two lines": upgrade("-Connection", "Connection: keep-alive",
                                       "Connection: upgrade"),
    "blanks": upgrade("-Upgrade", VERSION, "Upgrade:\twebsocket ", "Sec-WebSocket-Version:13\t"),
    "the absolute form": upgrade(path=f"http://x{WEBSOCKET}"),
    "headers of others": upgrade("Cookie: a=b", "Sec-Fetch-Mode: websocket", "DNT: 1", "x-f: 1"),
}
BAD = {
    "no key": upgrade("-Sec-WebSocket-Key"),
    "an empty key": upgrade("-Sec-WebSocket-Key", "Sec-WebSocket-Key:"),
    "a short key": upgrade("-Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="),
    "a long key": upgrade("-Sec-WebSocket-Key", "Sec-WebSocket-Key: " + "A" * 200 + "=="),
    "two keys": upgrade(KEY), "a key that is not base64": upgrade(
        "-Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j*Q=="),
    "no version": upgrade(VERSION), "version 8": upgrade(VERSION, "Sec-WebSocket-Version: 8"),
    "version 130": upgrade(VERSION, "Sec-WebSocket-Version: 130"),
    "version 13, 8": upgrade("Sec-WebSocket-Version: 8"), "no host": upgrade("-Host"),
    "no Connection": upgrade("-Connection"),
    "Connection keep-alive": upgrade("-Connection", "Connection: keep-alive"),
    "Connection up": upgrade("-Connection", "Connection: up"),
    "an empty version": upgrade(VERSION, "Sec-WebSocket-Version:"),
    "a subprotocol that is no token": upgrade("Sec-WebSocket-Protocol: a/b"),
    "a subprotocol in quotes": upgrade('Sec-WebSocket-Protocol: "chat"'),
    "a subprotocol with a blank": upgrade("Sec-WebSocket-Protocol: chat one"),
    "a bad subprotocol besides": upgrade("Sec-WebSocket-Protocol: chat, a{b"),
    "h2c": upgrade("-Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
    "HTTP/1.0": upgrade().replace("HTTP/1.1", "HTTP/1.0"), "an empty Upgrade": upgrade(
        "-Upgrade", "Upgrade:"),
    "a body": upgrade("Content-Length: 5", body="40abc"),
    "POST": upgrade(method="POST"), "HEAD": upgrade(method="HEAD"), "PUT": upgrade(method="PUT"),
    "polling": upgrade(path=POLLING),}


@pytest.mark.parametrize("text", GOOD.values(), ids=[name.replace(" ", "_") for name in GOOD])
def test_a_good_handshake(edge, text):
    connection = Http(edge, text)
    answer = connection.answer()
    assert answer.status == 101 and accepted(answer, NONCE)
    assert b"extensions" not in answer.head.lower() and b"protocol:" not in answer.head.lower()
    assert b'"sid"' in connection.until(b'"sid"')
    connection.close()


OFFERS = {"foo": "foo", "foo, bar": "foo", "chat,superchat": "chat", " \tfoo\t": "foo",
          "a!#$%&'*+-.^_`|~9": "a!#$%&'*+-.^_`|~9", "foo\r\nSec-WebSocket-Protocol: bar": "foo",
          "v10.stomp, v11.stomp": "v10.stomp", "default": "default"}


@pytest.mark.parametrize("offer, first", OFFERS.items(), ids=range(len(OFFERS)))
def test_the_first_subprotocol_is_spoken_as_by_ws_of_node(edge, offer, first):
    connection = Http(edge, upgrade(f"Sec-WebSocket-Protocol: {offer}"))
    answer = connection.answer()
    assert answer.status == 101 and accepted(answer, NONCE)
    assert answer.headers["sec-websocket-protocol"] == first
    assert b'"sid"' in connection.until(b'"sid"')
    connection.close()
    poll = Poll(edge)
    path = poll.path.replace("polling", "websocket")
    connection = Http(edge, upgrade(f"Sec-WebSocket-Protocol: {offer}", path=path))
    assert connection.answer().headers["sec-websocket-protocol"] == first
    connection.close()
    assert poll.works()


@pytest.mark.parametrize("name", ["X-Auth", "Sec-Web", "Sec-WebSocket-", "Upgr", "Con", "ho", "X-F",
                                  "Sec-WebSocket-Key1", "Sec-WebSocket-Version-"])
def test_no_header_beside_hides_one_of_the_handshake(edge, name):
    lines = upgrade().split("\r\n")
    for at in range(1, len(lines) - 1):
        text = "\r\n".join([*lines[:at], f"{name}: a", *lines[at:]])
        connection = Http(edge, text)
        assert accepted(connection.answer(), NONCE), text
        connection.close()


@pytest.mark.parametrize("text", BAD.values(), ids=[name.replace(" ", "_") for name in BAD])
@pytest.mark.parametrize("reused", [False, True], ids=["new", "reused"])
def test_a_bad_handshake_is_refused_in_json_with_cors(edge, text, reused):
    before = edge.metric("handshakes")
    connection = Http(edge)
    if reused:
        assert connection.request("OPTIONS", "/socket.io/").status == 204
    connection.send(text.replace("\r\n", "\r\nOrigin: https://ui.example\r\n", 1))
    has_body = not text.startswith("HEAD")
    answer = connection.answer(bodiless=not has_body)
    assert answer.status == 400
    for line in ("Access-Control-Allow-Origin: https://ui.example",
                 "Content-Type: application/json", "Connection: close"):
        assert f"\r\n{line}\r\n" in answer.head.decode()
    assert "date" in answer.headers
    if has_body:
        assert json.loads(answer.text)["code"] == 3
    assert connection.rest() == b""
    assert edge.metric("handshakes") == before


def test_upgrades_are_refused_as_polling_requests_are(edge):
    poll = Poll(edge)
    for path, status, code in (
            (WEBSOCKET.replace("4", "3"), 400, 5), (WEBSOCKET + "&sid=" + "x" * 20, 400, 1),
            ("/socket.io/?EIO=4&transport=smoke", 400, 0), ("/elsewhere", 404, 3),
            (poll.path.replace("EIO=4", "EIO=3").replace("polling", "websocket"), 400, 3)):
        connection = Http(edge, upgrade(path=path))
        answer = connection.answer()
        assert (answer.status, json.loads(answer.text)["code"]) == (status, code), path
        connection.close()
    ours = poll.path.replace("polling", "websocket")
    assert Http(edge, upgrade(path=ours, method="POST")).status() == 400, "POST with a session"
    assert poll.works()


def test_a_frame_in_the_segment_of_the_handshake_is_heard(edge):
    WebSocket(edge).close()
    ws = WebSocket(edge, early=frame(TEXT, CONNECT) + frame(TEXT, EVENT))
    assert ws.until(b"43/tasks,1[]").count(b"40/tasks,{") == 1
    ws.close()


# --- frames --------------------------------------------------------------------------------------

def pieces(opcode, *parts, between=b""):
    """A message in fragments, with these bytes between them."""
    return between.join(fragments(opcode, *parts))


TAKEN = {
    "one frame": frame(TEXT, EVENT), "fragments": pieces(TEXT, EVENT[:3], EVENT[3:9], EVENT[9:]),
    "an empty first fragment": pieces(TEXT, "", EVENT),
    "an empty last fragment": pieces(TEXT, EVENT, ""),
    "an empty fragment between": pieces(TEXT, EVENT[:5], "", "", EVENT[5:]),
    "only empty ones before": pieces(TEXT, "", "", "", EVENT),
    "a character over two fragments": pieces(TEXT, b'42/tasks,1["\xe2\x82', b'\xac"]'),
    "a character over four": pieces(TEXT, b'42/tasks,1["\xf0', b"\x9f", b"\x98", b'\x80"]'),
    "pongs between": pieces(TEXT, b'42/tasks,1["\xe2\x82', b'\xac"]',
                            between=frame(PONG, b"\xff\xfe")),
    "a pong that is not text": frame(PONG, b"\xff\xfe") + frame(TEXT, EVENT),
    "an empty pong": frame(PONG) + frame(TEXT, EVENT), "125 bytes of pong": frame(PONG, "p" * 125)
    + frame(TEXT, EVENT), "U+10FFFF": frame(TEXT, b'42/tasks,1["\xf4\x8f\xbf\xbf"]'),}


@pytest.mark.parametrize("data", TAKEN.values(), ids=[name.replace(" ", "_") for name in TAKEN])
@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
def test_messages_that_are_taken(ws, data, bytewise):
    for part in [data[i:i + 1] for i in range(len(data))] if bytewise else [data]:
        ws.send(part)
    assert acknowledged(ws)
    ws.text(EVENT.replace("1", "2", 1))
    assert acknowledged(ws, 2), "and the next"


def test_pings_are_answered_also_between_fragments(ws):
    ws.send(frame(PING, b"\xff" * 125))
    assert ws.frame() == (PONG, b"\xff" * 125, True)
    ws.send(frame(PING))
    assert ws.frame() == (PONG, b"", True)
    ws.send(frame(TEXT, EVENT[:5], final=False) + frame(PING, "between"))
    assert ws.frame() == (PONG, b"between", True)
    ws.send(frame(CONTINUATION, EVENT[5:]))
    assert acknowledged(ws)


REFUSED = {
    "reserved bit 1": (frame(TEXT, EVENT, reserved=4), 1002),
    "reserved bit 2": (frame(TEXT, EVENT, reserved=2), 1002),
    "reserved bit 3": (frame(TEXT, EVENT, reserved=1), 1002),
    **{f"opcode {op}": (frame(op, "x"), 1002) for op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "a long ping": (frame(PING, "p" * 126), 1006),
    "a long close": (frame(CLOSE, b"\x03\xe8" + b"x" * 124), 1006),
    "a fragmented ping": (frame(PING, "p", final=False), 1002),
    "a continuation of nothing": (frame(CONTINUATION, EVENT), 1002),
    "a continuation after the last": (pieces(TEXT, "3", "") + frame(CONTINUATION, "3"), 1002),
    "a text within a text": (frame(TEXT, "4", final=False) + frame(TEXT, "2"), 1002),
    "a binary within a text": (frame(TEXT, "4", final=False) + frame(BINARY, "2"), 1002),
    "2^63 bytes": (frame(TEXT, "x", length=2**63), 1006),
    "2^62 bytes": (frame(TEXT, "x", length=2**62), 1009),
    "not UTF-8": (frame(TEXT, b'42/tasks,["\xff"]'), 1007),
    "a surrogate": (frame(TEXT, b'42/tasks,["\xed\xa0\x80"]'), 1007),
    "overlong": (frame(TEXT, b'42/tasks,["\xc0\xaf"]'), 1007),
    "beyond U+10FFFF": (frame(TEXT, b'42/tasks,["\xf4\x90\x80\x80"]'), 1007),
    "a surrogate over fragments": (pieces(TEXT, b'42/tasks,["\xed', b"\xa0", b'\x80"]'), 1007),
    "half a character": (frame(TEXT, b"4\xc3"), 1007),
    "half a character and an empty fragment": (pieces(TEXT, b"4\xc3", ""), 1007),
    "nothing": (frame(TEXT), 1005), "nothing in fragments": (pieces(TEXT, "", ""), 1005),
}


@pytest.mark.parametrize("data, code", REFUSED.values(),
                         ids=[name.replace(" ", "_") for name in REFUSED])
def test_frames_that_close(edge, ws, data, code):
    before = edge.metric("sessions")
    ws.send(data)
    assert close_code(ws) == code
    wait_for(lambda: edge.metric("sessions") == before - 1, "the session to end at once",
             deadline=10)


def event(size):
    """An event of so many bytes."""
    return '42/tasks,1["' + "x" * (size - 14) + '"]'


# What lws hands over at once ends here (RECEIVE_ROOM of server.c), and where a frame's length
# changes its form.
EDGES = [edge + beside for edge in (126, 256, 512, 1024, 4096) for beside in (-2, -1, 0, 1, 2)]


def test_a_message_may_end_wherever_the_room_to_receive_does(ws):
    for number, size in enumerate(EDGES, start=10):
        ws.text(event(size - 1).replace("1", str(number), 1))
        assert acknowledged(ws, number), f"{size} bytes"


SIZES = {
    "text": lambda n: frame(TEXT, event(n)),
    "fragments": lambda n: pieces(TEXT, event(n)[:9000], event(n)[9000:9001], event(n)[9001:]),
    "empty end": lambda n: pieces(TEXT, event(n), ""),
}


@pytest.mark.parametrize("make", SIZES.values(), ids=SIZES)
def test_max_payload_to_the_byte(ws, make):
    ws.send(make(MAX))
    assert acknowledged(ws)
    try:
        ws.send(make(MAX + 1))
    except OSError:
        pass
    assert close_code(ws) == 1009


ATTACHED = '451-/tasks,1["a",{"_placeholder":true,"num":0}]'


@pytest.mark.parametrize("fragments", [False, True], ids=["one", "fragments"])
def test_a_binary_message_up_to_max_payload(edge, ws, fragments):
    """All of a packet counts: what it says of its attachments, and these."""
    before = edge.metric("closed_sessions", reason="max_payload")
    for size in (MAX - len(ATTACHED), MAX + 1):
        data = b"\xff" * size
        ws.text(ATTACHED)
        ws.send(pieces(BINARY, data[:9000], data[9000:]) if fragments else frame(BINARY, data))
        if size < MAX:
            assert acknowledged(ws)
    assert close_code(ws) == 1009
    assert edge.metric("closed_sessions", reason="max_payload") == before + 1


def test_nothing_is_kept_of_a_size_that_was_only_announced(edge, ws):
    ws.text("4", length=MAX)
    ws.send(b"x" * 10)
    wait_for(lambda: edge.metric("receiving_bytes") > 0, "the beginning to be taken")
    assert edge.metric("receiving_bytes") <= 4096
    ws.close()
    wait_for(lambda: edge.metric("receiving_bytes") == 0, "it to be forgotten")


def test_messages_in_part_have_a_limit_of_all(own_lab):
    world = own_lab(options=["--receive-bytes", "1MB", "--max-payload", "500000",
                             "--stranger-bytes", "1MB"])
    sockets = []
    for number in range(3):
        sockets.append(WebSocket(world))
        packet(sockets[-1])
        sockets[-1].text("4" + "2" * 399999, final=False)
        wait_for(lambda: world.metric("receiving_bytes") >= min(number + 1, 2) * 400000,
                 "what was sent to be taken")
    assert close_code(sockets[2]) == 1013
    assert world.metric("closed_sessions", reason="receive_bytes") == 1
    small = WebSocket(world)
    packet(small)
    small.send(pieces(TEXT, "40/ta", "sks,"))
    assert packet(small).startswith("40/tasks,{"), "small ones pass"
    for each in sockets:
        each.close()
    wait_for(lambda: world.metric("receiving_bytes") == 0, "room again")


# --- closing -------------------------------------------------------------------------------------

CODES = {1000: 1000, 1001: 1001, 1003: 1003, 1007: 1007, 1011: 1011, 3000: 3000, 4999: 4999,
         0: 1002, 999: 1002, 1004: 1002, 1005: 1002, 1006: 1002, 1015: 1002, 1016: 1002, 2999: 1002,
         5000: 1002, 65535: 1002}


@pytest.mark.parametrize("code, answer", CODES.items())
def test_a_close_frame_is_answered(edge, ws, code, answer):
    before = edge.metric("sessions")
    ws.send(frame(CLOSE, code.to_bytes(2, "big") + "grüße".encode()))
    assert close_code(ws) == answer
    wait_for(lambda: edge.metric("sessions") == before - 1, "the session to end at once",
             deadline=10)


@pytest.mark.parametrize("payload, answer", [(b"", 1005), (b"x", 1002), (b"\x03\xe8\xff", 1007),
                                             (b"\x03\xe8" + b"x" * 123, 1000)])
def test_a_close_frame_with_or_without_a_text(ws, payload, answer):
    ws.send(frame(CLOSE, payload))
    assert close_code(ws) == answer


def test_nothing_is_heard_after_a_close_frame(edge, ws):
    before = edge.metric("received_events")
    ws.send(frame(CLOSE, b"\x03\xe8") + frame(TEXT, EVENT) + frame(CLOSE, b"\x03\xe9"))
    assert close_code(ws) == 1000
    assert ws.rest() == b""
    assert edge.metric("received_events") == before


def test_pushd_closes_with_a_frame_and_waits_for_no_answer(edge, ws):
    ws.text("1")
    assert ws.frame() == (CLOSE, b"", True)
    assert ws.rest() == b""


def test_a_close_is_read_by_a_client_that_is_still_sending(edge, ws):
    """What it sends is read and thrown away, so that no reset overtakes the frame."""
    # So that the system does not take all of it.
    ws.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    ws.send(frame(TEXT, "x" * (MAX + 1)) + frame(TEXT, "x" * 1000000))
    assert close_code(ws) == 1009
