"""Whatever strangers send: they are refused, and an honest client goes on receiving events."""
import json
import time

import pytest
import websocket

from clients import Raw
from crowds import cpu
from lablib.facts import wait_for
from forge import Forge
from http_connection import USER, Poll, ends
from rawlib.blocking import Http, WebSocket
from rawlib.wire import BAD_FRAMES, BINARY, POLLING, WEBSOCKET, frame, handshake, request


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
    begun = request("GET", POLLING, "X-Slow: ")[:-4]
    connections = [Http(v5, begun) for _ in range(200)]
    yield connections
    for connection in connections:
        connection.close()


def test_half_open_connections_keep_nobody_out(v5, half_open):
    assert len(half_open) == 200
    assert Poll(v5).works()


def test_a_chunked_post_is_refused(v5):
    poll = Poll(v5)
    # With both, a proxy might see other requests than we do.
    for more, status in (([], 411), (["Content-Length: 4"], 400)):
        behind = b"b\r\n40/tasks,{}\r\n0\r\n\r\n" + request("POST", poll.path, rest="1")
        connection = Http(v5, request("POST", poll.path, "Transfer-Encoding: chunked", *more,
                                      rest=behind))
        assert ends(connection) == status
    assert poll.works()


def test_a_request_without_a_use_for_a_body_must_not_have_one(v5):
    before = v5.metric("handshakes")
    for method, header, status in (("GET", "Content-Length: 5", 400),
                                   ("GET", "Transfer-Encoding: chunked", 411),
                                   ("OPTIONS", "Content-Length: 5", 400)):
        connection = Http(v5, request(method, POLLING, header, rest="5\r\nx1x"))
        assert ends(connection) == status
        connection.close()
    assert v5.metric("handshakes") == before
    assert Http(v5, request("GET", POLLING, "Content-Length: 0")).status() == 200


def test_a_post_over_max_payload_is_refused_with_413_and_the_session_goes_on(v5):
    poll = Poll(v5)
    connection = Http(v5, request("POST", poll.path, "Content-Length: 1000001", rest="x" * 1000))
    assert connection.status() == 413
    connection.close()
    endless = request("POST", poll.path, "Content-Length: 99999999999999999999999")
    assert Http(v5, endless).status() in (400, 413)
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
    connection = Http(v5,
                      request("POST", poll.path, f"Content-Length: {length}", rest="40/tasks,{}"))
    assert connection.status() in (400, 411, 413)
    assert connection.rest() == b""
    assert poll.works()


def test_errors_are_those_of_the_reference_server(v5):
    poll = Poll(v5)
    for method, path, code in (
            ("GET", "/socket.io/?EIO=4", 0), ("GET", "/socket.io/?EIO=4&transport=smoke", 0),
            ("GET", POLLING + "&sid=" + "x" * 20, 1), ("POST", POLLING + "&sid=" + "x" * 2000, 1),
            ("POST", POLLING, 2), ("GET", WEBSOCKET, 3), ("GET", POLLING.replace("4", "3"), 5),
            ("GET", poll.path.replace("EIO=4", "EIO=3"), 3)):
        status, _, body = v5.http(method, path)
        assert (status, json.loads(body)["code"]) == (400, code), (method, path)
    for method in ("PUT", "DELETE", "PATCH", "HEAD", "CONNECT", "BREW"):
        status = Http(v5, request(method, poll.path)).status(bodiless=method == "HEAD")
        assert status in (0, 400, 403, 404, 405, 500), method
    assert poll.works()


def test_elsewhere_is_404(v5):
    for path in ("/", "/socket.io", "/socket.iox/?EIO=4&transport=polling", "/metrics",
                 "/etc/passwd", "/%2e%2e/", "/tasks/socket.io/?EIO=4&transport=polling"):
        assert v5.http("GET", path)[0] == 404, path
        assert v5.http("POST", path, "x")[0] == 404, path
    assert Http(v5, handshake("/elsewhere")).status() == 404
    assert v5.http("GET",
                   "/socket.io//?EIO=4&transport=polling")[0] == 200, "as some proxies send it"


def test_two_gets_at_once_end_the_session(v5):
    poll = Poll(v5)
    held = Http(v5, request("GET", poll.path))
    wait_for(lambda: poll.get()[0] == 400, "the second to be refused")
    assert held.answer().said == (200, "1")
    assert poll.gone()


def test_an_octet_stream_ends_the_session(v5):
    poll = Poll(v5)
    assert poll.post("40/tasks,{}", **{"Content-Type": "application/octet-stream"})[0] == 400
    assert poll.gone()


def test_held_gets_that_are_aborted_leave_no_session_and_no_spinning(own_lab, clients):
    world = own_lab()
    watcher = clients(Raw(world, 15))
    world.joined(watcher)
    polls = [Poll(world) for _ in range(20)]
    held = [Http(world, request("GET", poll.path)) for poll in polls]
    assert world.metric("sessions") == 21
    # Turns of the loop: a request that a reset finds unread would never have been held.
    for _ in range(3):
        watcher.round_trip()
    for number, connection in enumerate(held):
        (connection.reset if number % 2 else connection.close)()
    wait_for(lambda: world.metric("sessions") == 1, "the sessions to end")
    pid = world.lab.daemon(0).pid()
    used, begun = cpu(pid), time.monotonic()
    wait_for(lambda: time.monotonic() > begun + 1, "a second to look at")
    assert cpu(pid) - used < 0.5
    world.settled(watcher)


# --- headers -------------------------------------------------------------------------------------

def test_a_token_of_8_kb_passes_and_headers_of_more_than_16_are_refused(v5, clients):
    forge = Forge(v5)
    token = forge.other(USER, claims={"roles": "r" * 5000})
    assert 7500 < len(token) <= 8192
    v5.joined(clients(Raw(v5, USER, token=token)))
    for lines in (["X-Large: " + "x" * 40000], [f"X-{i}: {'x' * 100}" for i in range(400)]):
        assert Http(v5, request("GET", POLLING, *lines)).status() == 431


def test_nonsense_before_any_request(v5):
    for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0" * 100, b"\r\n\r\n\r\n",
                 b"GET\r\n\r\n", b"GET /socket.io/?EIO=4&transport=polling\r\n\r\n",
                 b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                 b"GET /socket.io/?" + b"EIO=4&" * 5000 + b" HTTP/1.1\r\n\r\n",
                 b"GET " + b"/" * 20000 + b" HTTP/1.1\r\n\r\n", b"\xff\xfe" * 500 + b"\r\n\r\n"):
        connection = Http(v5, data)
        connection.finish()
        got = connection.rest()
        assert b"101 Switching" not in got and b'"sid"' not in got, data[:40]


@pytest.mark.parametrize("name", ["nonsense", "h2c", "", "websocket2", "x" * 500],
                         ids=["nonsense", "h2c", "empty", "websocket2", "long"])
def test_an_unknown_upgrade_on_a_connection_in_use_is_refused(v5, name):
    """In libwebsockets it was a use after free (CVE-2025-11677)."""
    for more in ([], ["HTTP2-Settings: AAMAAABkAAQAAP__"], ["Sec-WebSocket-Protocol: none"]):
        connection = Http(v5, request("GET", POLLING))
        assert connection.status() == 200
        connection.send(handshake(WEBSOCKET, *more, upgrade=name))
        assert ends(connection) == 400


def test_the_name_of_the_upgrade_is_compared_without_case(v5):
    ws = WebSocket(v5, upgrade="WebSocket")
    assert ws.is_open and '"sid"' in ws.message()
    ws.close()


def test_connection_upgrade_without_its_name_is_a_plain_request(v5):
    """As some deployments' nginx sends it."""
    answer = Http(v5, request("GET", POLLING, "Connection: Upgrade")).answer()
    assert answer.status == 200 and answer.text.startswith('0{"sid"')


def test_a_connection_that_the_client_wants_closed_is_said_to_close(v5):
    """Some clients use it again otherwise."""
    connection = Http(v5, request("GET", POLLING, "Connection: close"))
    answer = connection.answer()
    assert answer.headers["connection"] == "close" and answer.text.startswith('0{"sid"')
    assert connection.rest() == b""
    answer = Http(v5, request("GET", POLLING, "Connection: keep-alive")).answer()
    assert answer.status == 200 and answer.headers.get("connection") != "close"


# --- WebSocket -----------------------------------------------------------------------------------

def test_a_message_over_max_payload_is_closed_with_1009(v5, clients):
    exact = clients(Raw(v5, 13))
    exact.send('42/tasks,["large","' + "x" * (1000000 - 21) + '"]')
    exact.round_trip()
    for send in (lambda c: c.send("4" + "2" * 1000000),
                 lambda c: [c.ws.send_frame(websocket.ABNF.create_frame(
                     "4" * 300000, websocket.ABNF.OPCODE_TEXT
                     if i == 0 else websocket.ABNF.OPCODE_CONT, 0)) for i in range(4)]):
        client = clients(Raw(v5, 13))
        try:
            send(client)
        except (OSError, websocket.WebSocketException):
            pass  # closed while it is still sending
        client.wait_closed()
        assert client.close_code in (1009, None)
    exact.round_trip()


FRAMES = {**BAD_FRAMES, "binary": frame(BINARY, "3")}


@pytest.mark.parametrize("data", FRAMES.values(), ids=[name.replace(" ", "_") for name in FRAMES])
def test_a_bad_frame_ends_its_connection(v5, clients, data):
    client = clients(Raw(v5, 13))
    v5.joined(client)
    client.ws.sock.sendall(data)
    client.wait_closed(deadline=10)


PACKETS = ["", "7", "x", "2", "2probe", "4", "49", "42[]", "42/tasks,[]", "42/tasks,{}",
           '42/tasks,["connect"]', "42/tasks,[", "42/nowhere,[\"x\"]", "40/tasks,{}",
           '40/tasks,["x"]', '44/tasks,{"message":"x"}', "451-/tasks,[\"x\"]", "450[]",
           '4511-/tasks,["x"]', "42/tasks,1abc", "43/tasks,{}", "42/tasks," + "[" * 3000, "42" + "/"
           * 5000, "42/tasks," + "9" * 5000 + '["x"]', '42/tasks,["\\ud800"]', '42/tasks,[1e999]']


def test_bad_packets_end_their_connection_or_are_ignored(v5, clients):
    for packet in PACKETS:
        client = clients(Raw(v5, 13))
        client.send(packet)
        try:
            client.send('42/tasks,77["ping"]')
        except (OSError, websocket.WebSocketException):
            pass
        wait_for(lambda: client.closed
                 or "43/tasks,77[]" in client.packets, f"an end of {packet[:30]!r}")
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
        assert {"GET", "POST",
                "OPTIONS"} <= set(headers["Access-Control-Allow-Methods"].split(", "))
        assert "Origin" in headers["Vary"]


def test_answers_carry_the_origin_also_when_they_refuse(v5):
    for path, expected in ((POLLING, 200), ("/socket.io/?EIO=4", 400), (POLLING + "&sid=x", 400)):
        status, headers, _ = v5.http("GET", path, headers={"Origin": "https://ui.example"})
        assert (status, headers["Access-Control-Allow-Origin"]) == (expected, "https://ui.example")
    assert "Access-Control-Allow-Origin" not in v5.http("GET", POLLING)[1]


def test_other_origins_are_refused_on_both_transports(own_lab, clients):
    world = own_lab(options=["--cors-allowed-origins", "https://ui.example http://localhost:4200"])
    for origin in ("https://evil.example", "https://ui.example.evil", "http://ui.example", "null",
                   "https://ui.example:8"):
        status, headers, body = world.http("GET", POLLING, headers={"Origin": origin})
        assert (status, body) == (403, '{"code":4,"message":"Forbidden"}'), origin
        assert "Access-Control-Allow-Origin" not in headers
        assert WebSocket(world, headers=[f"Origin: {origin}"]).opening.status == 403, origin
        headers = world.http("OPTIONS", POLLING, headers={"Origin": origin})[1]
        assert "Access-Control-Allow-Origin" not in headers
    sid = Poll(world).path
    assert world.http("GET", sid, headers={"Origin": "https://evil.example"})[0] == 403
    for origin in ("https://ui.example", "http://localhost:4200"):
        status, headers, _ = world.http("GET", POLLING, headers={"Origin": origin})
        assert (status, headers["Access-Control-Allow-Origin"]) == (200, origin)
        assert WebSocket(world, headers=[f"Origin: {origin}"]).is_open
    assert world.http("GET", POLLING)[0] == 200, "nodes send none"


def test_half_open_connections_are_closed_in_the_end(half_open):
    """Last in this file: most of their time is over by now."""
    for connection in half_open:
        connection.sock.settimeout(40)
        assert b" 200 " not in connection.rest()
