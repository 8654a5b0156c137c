"""Whatever strangers send: they are refused, and an honest client goes on hearing events."""
import json
import os
import socket
import time

import pytest
import websocket

from clients import Raw
from facts import wait_for
from forge import Forge
from wire import POLLING, UPGRADE, USER, WEBSOCKET, Poll, Wire, request


@pytest.fixture(autouse=True)
def honest(v5, clients):
    """Connected before and after each test, to the same process."""
    client, pid = clients(Raw(v5, USER)), v5.lab.daemon(0).pid()
    v5.joined(client)
    yield client
    v5.emit("afterwards", [], f"user_{USER}")
    assert client.wait("afterwards")
    assert not client.closed and v5.lab.daemon(0).pid() == pid
    another = clients(Raw(v5, 12))
    v5.joined(another)


# --- HTTP ----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def half_open(make_world, v5):
    """200 connections that began a request and say no more."""
    wires = [Wire(v5, b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nX-Slow: ") for _ in range(200)]
    yield wires
    for wire in wires:
        wire.sock.close()


def test_half_open_connections_keep_nobody_out(v5, half_open):
    assert len(half_open) == 200
    assert Poll(v5).works()


def test_a_chunked_post_is_refused_with_411(v5):
    poll = Poll(v5)
    for more in ([], ["Content-Length: 4"]):  # with both, a proxy might see other requests than we do
        wire = Wire(v5, request("POST", poll.path, "Transfer-Encoding: chunked", *more,
                                body="b\r\n40/tasks,{}\r\n0\r\n\r\n" + request("POST", poll.path, body="1")))
        assert wire.status() == 411
        assert wire.closed().count(b"HTTP/1.1") == 1
    assert poll.works()


def test_a_request_without_a_use_for_a_body_must_not_have_one(v5):
    before = v5.metric("handshakes")
    for method, header in (("GET", "Content-Length: 5"), ("GET", "Transfer-Encoding: chunked"), ("OPTIONS", "Content-Length: 5")):
        wire = Wire(v5, request(method, POLLING, header, body="5\r\nx1x"))
        assert wire.status() == 400
        wire.sock.close()
    assert v5.metric("handshakes") == before
    assert Wire(v5, request("GET", POLLING, "Content-Length: 0")).status() == 200


def test_a_post_over_max_payload_is_refused_with_413_and_the_session_goes_on(v5):
    poll = Poll(v5)
    wire = Wire(v5, request("POST", poll.path, "Content-Length: 1000001", body="x" * 1000))
    assert wire.status() == 413
    wire.sock.close()
    assert Wire(v5, request("POST", poll.path, "Content-Length: 99999999999999999999999")).status() in (400, 413)
    assert poll.works()
    poll = Poll(v5)
    assert poll.post("40/tasks,{}") == (200, "ok")
    largest = '42/tasks,["large","' + "x" * (1000000 - 21) + '"]'
    assert len(largest) == 1000000
    assert poll.post(largest) == (200, "ok")
    assert poll.post("1") == (200, "ok")


@pytest.mark.parametrize("length", ["-1", "5abc", "", "0x5", "1, 1"])
def test_a_nonsensical_length_is_refused(v5, length):
    poll = Poll(v5)
    wire = Wire(v5, request("POST", poll.path, f"Content-Length: {length}", body="40/tasks,{}"))
    assert wire.status() in (400, 411, 413)
    assert wire.closed().count(b"HTTP/1.1") == 1
    assert poll.works()


def test_errors_are_those_of_the_reference_server(v5):
    poll = Poll(v5)
    for method, path, code in (("GET", "/socket.io/?EIO=4", 0), ("GET", "/socket.io/?EIO=4&transport=smoke", 0),
                               ("GET", POLLING + "&sid=" + "x" * 20, 1), ("POST", POLLING + "&sid=" + "x" * 2000, 1),
                               ("POST", POLLING, 2), ("GET", WEBSOCKET, 3), ("GET", POLLING.replace("4", "3"), 5),
                               ("GET", poll.path.replace("EIO=4", "EIO=3"), 3)):
        status, _, body = v5.http(method, path)
        assert (status, json.loads(body)["code"]) == (400, code), (method, path)
    for method in ("PUT", "DELETE", "PATCH", "HEAD", "CONNECT", "BREW"):
        assert Wire(v5, request(method, poll.path)).status() in (0, 400, 404, 405, 500), method
    assert poll.works()


def test_elsewhere_is_404(v5):
    for path in ("/", "/socket.io", "/socket.iox/?EIO=4&transport=polling", "/metrics", "/etc/passwd", "/%2e%2e/",
                 "/tasks/socket.io/?EIO=4&transport=polling"):
        assert v5.http("GET", path)[0] == 404, path
        assert v5.http("POST", path, "x")[0] == 404, path
    assert Wire(v5, f"GET /elsewhere HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n").status() == 404
    assert v5.http("GET", "/socket.io//?EIO=4&transport=polling")[0] == 200, "as some proxies send it"


def test_two_gets_at_once_end_the_session(v5):
    poll = Poll(v5)
    held = Wire(v5, request("GET", poll.path))
    wait_for(lambda: poll.get()[0] == 400, "the second to be refused")
    assert held.status() == 200 and held.got.endswith(b"\r\n\r\n1")
    assert poll.gone()


def test_an_octet_stream_ends_the_session(v5):
    poll = Poll(v5)
    assert poll.post("40/tasks,{}", **{"Content-Type": "application/octet-stream"})[0] == 400
    assert poll.gone()


def cpu_seconds(world):
    """Processor time that pushd has used."""
    with open(f"/proc/{world.lab.daemon(0).pid()}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_held_gets_that_are_aborted_leave_no_session_and_no_spinning(own_lab, clients):
    world = own_lab()
    watcher = clients(Raw(world, 15))
    world.joined(watcher)
    polls = [Poll(world) for _ in range(20)]
    held = [Wire(world, request("GET", poll.path)) for poll in polls]
    assert world.metric("sessions") == 21
    for _ in range(3):  # turns of the loop: a request that a reset finds unread would never have been held
        watcher.round_trip()
    for number, wire in enumerate(held):
        if number % 2:  # a reset, not an end
            wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        wire.sock.close()
    wait_for(lambda: world.metric("sessions") == 1, "the sessions to end")
    used, begun = cpu_seconds(world), time.monotonic()
    wait_for(lambda: time.monotonic() > begun + 1, "a second to look at")
    assert cpu_seconds(world) - used < 0.5
    world.settled(watcher)


# --- headers -------------------------------------------------------------------------------------

def test_a_token_of_8_kb_passes_and_headers_of_more_than_16_are_refused(v5, clients):
    forge = Forge(v5)
    token = forge.other(USER, claims={"roles": "r" * 5000})
    assert 7500 < len(token) <= 8192
    v5.joined(clients(Raw(v5, USER, token=token)))
    wire = Wire(v5, request("GET", POLLING, "X-Large: " + "x" * 40000))
    assert wire.status() in (0, 400, 413, 431)
    wire = Wire(v5, request("GET", POLLING, *(f"X-{i}: {'x' * 100}" for i in range(400))))
    assert wire.status() in (0, 400, 413, 431)


def test_nonsense_before_any_request(v5):
    for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0" * 100, b"\r\n\r\n\r\n", b"GET\r\n\r\n",
                 b"GET /socket.io/?EIO=4&transport=polling\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                 b"GET /socket.io/?" + b"EIO=4&" * 5000 + b" HTTP/1.1\r\n\r\n",
                 b"GET " + b"/" * 20000 + b" HTTP/1.1\r\n\r\n", b"\xff\xfe" * 500 + b"\r\n\r\n"):
        wire = Wire(v5, data)
        wire.finish()
        assert b"101 Switching" not in wire.closed() and b'"sid"' not in wire.got, data[:40]


@pytest.mark.parametrize("name", ["nonsense", "h2c", "", "websocket2", "x" * 500],
                         ids=["nonsense", "h2c", "empty", "websocket2", "long"])
def test_an_unknown_upgrade_on_a_connection_in_use_is_refused(v5, name):
    """It was a use after free in libwebsockets (CVE-2025-11677)."""
    for more in ("", "HTTP2-Settings: AAMAAABkAAQAAP__\r\n", "Sec-WebSocket-Protocol: none\r\n"):
        wire = Wire(v5, request("GET", POLLING))
        assert wire.status() == 200
        wire.send(f"GET {WEBSOCKET} HTTP/1.1\r\nHost: x\r\n{UPGRADE.replace('websocket', name)}{more}\r\n")
        assert wire.status() in (400, 403)
        wire.sock.close()


def test_the_name_of_the_upgrade_is_compared_without_case(v5):
    wire = Wire(v5, f"GET {WEBSOCKET} HTTP/1.1\r\nHost: x\r\n{UPGRADE.replace('websocket', 'WebSocket')}\r\n")
    assert wire.until(b'"sid"').startswith(b"HTTP/1.1 101 ")
    wire.sock.close()


def test_connection_upgrade_without_its_name_is_a_plain_request(v5):
    """As some deployments' nginx sends it."""
    wire = Wire(v5, request("GET", POLLING, "Connection: Upgrade"))
    assert wire.status() == 200 and b'0{"sid"' in wire.got


def test_a_connection_that_the_client_wants_closed_is_said_to_close(v5):
    """Some clients use it again otherwise."""
    wire = Wire(v5, request("GET", POLLING, "Connection: close"))
    head, _, body = wire.closed().partition(b"\r\n\r\n")
    assert b"\r\nconnection: close" in head.lower() and body.startswith(b'0{"sid"')
    wire = Wire(v5, request("GET", POLLING, "Connection: keep-alive"))
    assert wire.status() == 200 and b"connection: close" not in wire.got.lower()


# --- WebSocket -----------------------------------------------------------------------------------

def test_a_message_over_max_payload_is_closed_with_1009(v5, clients):
    exact = clients(Raw(v5, 13))
    exact.send('42/tasks,["large","' + "x" * (1000000 - 21) + '"]')
    exact.round_trip()
    for send in (lambda c: c.send("4" + "2" * 1000000), lambda c: [c.ws.send_frame(websocket.ABNF.create_frame(
            "4" * 300000, websocket.ABNF.OPCODE_TEXT if i == 0 else websocket.ABNF.OPCODE_CONT, 0)) for i in range(4)]):
        client = clients(Raw(v5, 13))
        try:
            send(client)
        except (OSError, websocket.WebSocketException):
            pass  # closed while it is still sending
        client.wait_closed()
        assert client.close_code in (1009, None)
    exact.round_trip()


FRAMES = {
    "not masked": b"\x81\x01" + b"2", "reserved bits": b"\xf1\x81\0\0\0\0" + b"3",
    "reserved opcode": b"\x83\x81\0\0\0\0" + b"3", "reserved control": b"\x8b\x80\0\0\0\0",
    "long control": b"\x89\xfe\0\x80\0\0\0\0" + b"x" * 128, "fragmented control": b"\x09\x81\0\0\0\0x",
    "continuation of nothing": b"\x80\x81\0\0\0\0" + b"3", "not UTF-8": b"\x81\x82\0\0\0\0\xff\xfe",
    "half a character": b"\x81\x82\0\0\0\0" + b"4\xc3", "2^63 bytes": b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",
    "bad close": b"\x88\x81\0\0\0\0x", "binary": b"\x82\x81\0\0\0\0" + b"3",
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=[name.replace(" ", "_") for name in FRAMES])
def test_a_bad_frame_ends_its_connection(v5, clients, frame):
    client = clients(Raw(v5, 13))
    v5.joined(client)
    client.ws.sock.sendall(frame)
    client.wait_closed(deadline=10)


PACKETS = ["", "7", "x", "2", "2probe", "4", "49", "42[]", "42/tasks,[]", "42/tasks,{}", '42/tasks,["connect"]', "42/tasks,[",
           "42/nowhere,[\"x\"]", "40/tasks,{}", '40/tasks,["x"]', '44/tasks,{"message":"x"}', "451-/tasks,[\"x\"]", "450[]",
           '4511-/tasks,["x"]', "42/tasks,1abc", "43/tasks,{}", "42/tasks," + "[" * 3000, "42" + "/" * 5000,
           "42/tasks," + "9" * 5000 + '["x"]', '42/tasks,["\\ud800"]', '42/tasks,[1e999]']


def test_bad_packets_end_their_connection_or_are_ignored(v5, clients):
    for packet in PACKETS:
        client = clients(Raw(v5, 13))
        client.send(packet)
        try:
            client.send('42/tasks,77["ping"]')
        except (OSError, websocket.WebSocketException):
            pass
        wait_for(lambda: client.closed or "43/tasks,77[]" in client.packets, f"an end of {packet[:30]!r}")  # noqa: B023
        assert not any(other.startswith("44") for other in client.packets), packet[:30]
        client.close()
    assert v5.metric("closed_sessions", reason="malformed") >= 15


# --- origins -------------------------------------------------------------------------------------

def test_a_preflight_is_answered_before_anything_is_asked(v5):
    for path in (POLLING, POLLING + "&sid=unknown", "/socket.io/"):
        status, headers, body = v5.http("OPTIONS", path, headers={
            "Origin": "https://ui.example", "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization"})
        assert (status, body) == (204, "")
        assert headers["Access-Control-Allow-Origin"] == "https://ui.example"
        assert headers["Access-Control-Allow-Credentials"] == "true"
        assert headers["Access-Control-Allow-Headers"] == "authorization"
        assert {"GET", "POST", "OPTIONS"} <= set(headers["Access-Control-Allow-Methods"].split(", "))
        assert "Origin" in headers["Vary"]


def test_answers_carry_the_origin_also_when_they_refuse(v5):
    for path, expected in ((POLLING, 200), ("/socket.io/?EIO=4", 400), (POLLING + "&sid=x", 400)):
        status, headers, _ = v5.http("GET", path, headers={"Origin": "https://ui.example"})
        assert (status, headers["Access-Control-Allow-Origin"]) == (expected, "https://ui.example")
    assert "Access-Control-Allow-Origin" not in v5.http("GET", POLLING)[1]


def test_other_origins_are_refused_on_both_transports(own_lab, clients):
    world = own_lab(options=["--cors-allowed-origins", "https://ui.example http://localhost:4200"])
    for origin in ("https://evil.example", "https://ui.example.evil", "http://ui.example", "null", "https://ui.example:8"):
        status, headers, body = world.http("GET", POLLING, headers={"Origin": origin})
        assert (status, body) == (403, '{"code":4,"message":"Forbidden"}'), origin
        assert "Access-Control-Allow-Origin" not in headers
        wire = Wire(world, f"GET {WEBSOCKET} HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\n{UPGRADE}\r\n")
        assert wire.status() == 403, origin
        assert "Access-Control-Allow-Origin" not in world.http("OPTIONS", POLLING, headers={"Origin": origin})[1]
    sid = Poll(world).path
    assert world.http("GET", sid, headers={"Origin": "https://evil.example"})[0] == 403
    for origin in ("https://ui.example", "http://localhost:4200"):
        status, headers, _ = world.http("GET", POLLING, headers={"Origin": origin})
        assert (status, headers["Access-Control-Allow-Origin"]) == (200, origin)
        wire = Wire(world, f"GET {WEBSOCKET} HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\n{UPGRADE}\r\n")
        assert wire.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    assert world.http("GET", POLLING)[0] == 200, "nodes send none"


def test_half_open_connections_are_closed_in_the_end(half_open):
    """Last in this file: most of their time is over by now."""
    for wire in half_open:
        wire.sock.settimeout(40)
        assert b" 200 " not in wire.closed()
