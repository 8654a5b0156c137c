"""Heads of requests that the front takes: it reads from them what they say, whatever stands beside.

What it refuses is in test_front_refusals.py.
"""
import json

import pytest

from http_connection import USER, Poll, bearer
from lablib.facts import wait_for
from rawlib.blocking import Http, WebSocket
from rawlib.wire import POLLING, WEBSOCKET, handshake, request

UI = "https://ui.example"
ORIGIN = f"Origin: {UI}"
# Their beginnings are those of headers that mean something.
NAMES = ["X-Auth", "x-f", "ori", "Cont", "Sec-Web", "Auth", "x", "Ho", "X-Forwarded", "Con",
         "Origi", "Authorizatio", "Upgrad", "Sec-WebSocket-K", "X-Forwarded-For-", "Content-Lengt",
         "Authorization-", "acc", "Transfer-Encodin"]


@pytest.fixture(scope="module")
def edge(make_world):
    """A lab whose tests are the proxy that it trusts."""
    return make_world(options=["--trusted-proxies", "127.0.0.1", "--cors-allowed-origins", UI])


@pytest.fixture(autouse=True)
def honest(edge):
    """The same process serves before and after each test."""
    pid = edge.lab.daemon(0).pid()
    yield
    assert edge.lab.daemon(0).pid() == pid
    assert Poll(edge).works()


def places(extra, *lines):
    """The lines with another one before, between and behind them."""
    return [[*lines[:at], extra, *lines[at:]] for at in range(len(lines) + 1)]


def known(world, ident=USER):
    """The addresses of this principal's connections, as the database has them."""
    return [address for address, in world.sql(
        "SELECT address FROM vantage6_events.connections WHERE principal_id = %s", ident,
        user="postgres")]


def polls_as(world, lines, address="127.0.0.1"):
    """A session with this head is that of USER, at this address."""
    poll = Poll(world, lines=lines)
    assert poll.post("40/tasks,{}") == (200, "ok")
    wait_for(lambda: known(world) == [address], f"it to be known at {address}")
    poll.post("1")
    wait_for(lambda: not known(world), "the connection to be gone from the database")
    return poll.opening


def opens_as(world, lines, address="127.0.0.1"):
    """So is a WebSocket."""
    ws = WebSocket(world, headers=lines)
    assert ws.is_open, ws.opening
    ws.text("40/tasks,{}")
    wait_for(lambda: known(world) == [address], f"it to be known at {address}")
    ws.close()
    wait_for(lambda: not known(world), "the connection to be gone from the database")


# --- names ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", NAMES)
def test_a_header_whose_name_begins_a_known_one_hides_none(edge, name):
    for lines in places(f"{name}: a", bearer(edge), ORIGIN):
        opening = polls_as(edge, lines)
        assert opening.headers["access-control-allow-origin"] == UI, lines
        opens_as(edge, lines)


@pytest.mark.parametrize("name", NAMES)
def test_a_header_beside_the_proxys_leaves_the_address_that_the_proxy_saw(edge, name):
    """HAProxy writes its header last: what the client put before it must not hide it."""
    for lines in places(f"{name}: 9.9.9.9", "X-Forwarded-For: 9.9.9.9",
                        "X-Forwarded-For: 203.0.113.9"):
        polls_as(edge, [bearer(edge), *lines], "203.0.113.9")
        opens_as(edge, [bearer(edge), *lines], "203.0.113.9")


def test_a_client_behind_a_proxy_that_calls_itself_by_such_a_header_is_logged_where_it_is(edge):
    size = len(edge.log())
    ws = WebSocket(edge, headers=["X-Forwarded-For: 9.9.9.9", "x-f: 1",
                                  "X-Forwarded-For: 203.0.113.9", "Authorization: Bearer a.b.c"])
    ws.text("40/tasks,{}")
    wait_for(lambda: "address=203.0.113.9" in edge.log()[size:], "a line about its token")
    assert "9.9.9.9" not in edge.log()[size:].replace("203.0.113.9", "")
    ws.close()


def test_names_are_compared_without_case(edge):
    token = bearer(edge).partition(": ")[2]
    polls_as(edge, [f"aUTHORIZATION: {token}", "x-FORWARDED-for: 203.0.113.9"], "203.0.113.9")
    assert Http(edge, f"GET {POLLING} HTTP/1.1\r\nhOST: x\r\n\r\n").status() == 200


def test_a_hundred_headers_and_16_kb_are_taken(edge):
    polls_as(edge, [*[f"X-{i}: {'x' * 100}" for i in range(98)], bearer(edge)])
    polls_as(edge, [f"User-Agent: {'x' * 14000}", bearer(edge)])


def test_lists_may_be_in_several_lines(edge):
    lines = ["X-Forwarded-For: 9.9.9.9, 203.0.113.9", "X-Forwarded-For: 127.0.0.1",
             "Connection: keep-alive", "User-Agent: one", "User-Agent: two"]
    polls_as(edge, [bearer(edge), *lines], "203.0.113.9")
    opens_as(edge, [bearer(edge), *lines], "203.0.113.9")


# --- values --------------------------------------------------------------------------------------

BLANKS = {"none": "{}", "one before": " {}", "a tab before": "\t{}", "one behind": " {} ",
          "a tab behind": " {}\t", "many": " \t  {}\t \t"}


@pytest.mark.parametrize("form", BLANKS.values(), ids=[name.replace(" ", "_") for name in BLANKS])
def test_blanks_around_a_value_do_not_count(edge, form):
    def put(name, value):
        return f"{name}:{form.format(value)}"

    token = bearer(edge).partition(": ")[2]
    lines = [put("Authorization", token), put("Origin", UI),
             put("X-Forwarded-For", "203.0.113.9")]
    opening = polls_as(edge, lines, "203.0.113.9")
    assert f"Access-Control-Allow-Origin: {UI}\r\n".encode() in opening.head
    opens_as(edge, lines, "203.0.113.9")
    head = "\r\n".join([f"GET {WEBSOCKET} HTTP/1.1", put("Host", "x"), put("Upgrade", "websocket"),
                        put("Connection", "Upgrade"), put("Sec-WebSocket-Version", "13"),
                        put("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), "", ""])
    assert Http(edge, head).status() == 101
    assert Http(edge, head.replace("Host", "X-Host", 1)).status() == 400, "it is read"
    poll = Poll(edge)
    wire = Http(edge, request("POST", poll.path, put("Content-Length", "11"), rest="40/tasks,{}"))
    assert wire.reply().said == (200, "ok")
    assert poll.get()[1].startswith("40/tasks,") and poll.post("1") == (200, "ok")
    wire = Http(edge, request("GET", POLLING, put("Connection", "close")))
    assert wire.reply().headers["connection"] == "close" and wire.rest() == b""


@pytest.mark.parametrize("value", [b"a\tb", b"\xc3\xa4", b"\xff\xfe", b"", b'"a\\"b"', b"a: b: c"])
def test_a_value_that_means_nothing_here_may_hold_anything_but_control_characters(edge, value):
    head = request("GET", POLLING, ORIGIN)[:-2] + b"X-Auth: " + value + b"\r\n\r\n"
    answer = Http(edge, head).reply()
    assert answer.status == 200 and answer.headers["access-control-allow-origin"] == UI


@pytest.mark.parametrize("host", ["x", "x:80", "127.0.0.1:1", "[::1]", "[::1]:80", "a_b-c.example",
                                  "a%20b", "x:", ""])
def test_hosts(edge, host):
    assert Http(edge, request("GET", POLLING, host=host)).status() == 200


# --- targets -------------------------------------------------------------------------------------

OTHERS = ["a=l1%0Al2", "a=l1%0D%0AOrigin:%20https://ui.example", "%0aOrigin:x", "%0d%0a%0d%0a=1",
          "q=%0aOrigin:x", "a%0A=1", "a=%26EIO=3", "%26EIO=3", "a=1%26sid=x", "a=%3D%26", "a=%00",
          "%00=1", "a=%00%26transport=smoke", "a=%25", "a=%", "%", "a=%f", "a=%zz", "%zz=1", "a=%2",
          "a=%ff%fe", "a=+", "a=/../..", "a=?b", "a=|^{}[]\\`\"<>", "=", "a==b", "&&", "EI=3",
          "EIO%3D=3", "xEIO=3", "EIO%00=3", "a=%0d%0aContent-Length:%205%0d%0a%0d%0a40/x,",
          "&".join(f"p{i}={i}" for i in range(700))]


@pytest.mark.parametrize("other", OTHERS, ids=range(len(OTHERS)))
def test_other_parameters_may_hold_anything(edge, other):
    lines = [bearer(edge)]
    for query in (f"{other}&EIO=4&transport=KIND", f"EIO=4&{other}&transport=KIND",
                  f"EIO=4&transport=KIND&{other}"):
        path = f"/socket.io/?{query.replace('KIND', 'polling')}"
        answer = Http(edge, request("GET", path, *lines)).reply()
        assert answer.status == 200, answer
        assert "access-control-allow-origin" not in answer.headers, "no Origin was sent"
        path += f"&sid={json.loads(answer.text[1:])['sid']}"
        wire = Http(edge, request("POST", path, body="40/tasks,{}"))
        assert wire.reply().said == (200, "ok")
        assert Http(edge, request("GET", path)).reply().text.startswith("40/tasks,")
        assert Http(edge, request("POST", path, body="1")).status() == 200
        ws = WebSocket(edge, f"/socket.io/?{query.replace('KIND', 'websocket')}", headers=lines)
        assert ws.is_open and ws.message().startswith('0{"sid"'), ws.opening
        ws.close()


@pytest.mark.parametrize("query, status, code", [
    ("EIO=%34&transport=polling", 200, None), ("%45IO=4&transport=%70olling", 200, None),
    ("EIO=4&%74ransport=pollin%67", 200, None), ("EIO=4&transport=polling&s%69d=", 200, None),
    ("EIO=%2534&transport=polling", 400, 5), ("%2545IO=4&transport=polling", 400, 5),
    ("EIO=4%00&transport=polling", 400, 5), ("EIO=4%0a&transport=polling", 400, 5),
    ("EIO=4%&transport=polling", 400, 5), ("EIO=4%3&transport=polling", 400, 5),
    ("EIO=4&transport=polling%00", 400, 0), ("EIO=4&transport=polling%0A", 400, 0),
    ("EIO=4&transport=polling&sid=%00", 400, 1), ("EIO=4&transport=polling&sid=%0a", 400, 1),
    ("EIO=4&transport=polling&EIO=3", 400, 5), ("EIO=3&transport=polling&%45IO=4", 200, None),
    ("EIO=4&transport=polling%26EIO=3", 400, 0), ("EIO=4;transport=polling", 400, 0),
    ("eio=4&transport=polling", 400, 5), ("", 400, 0)])
def test_our_parameters_are_decoded_once(edge, query, status, code):
    answer = Http(edge, request("GET", f"/socket.io/?{query}")).reply()
    assert answer.status == status, answer
    assert code is None or json.loads(answer.text)["code"] == code


def test_a_sid_may_be_encoded(edge):
    poll = Poll(edge)
    sid = poll.path.rpartition("=")[2]
    poll.path = f"{POLLING}&sid={''.join(f'%{ord(letter):02x}' for letter in sid)}"
    assert poll.works()


@pytest.mark.parametrize("target, status", [
    (f"http://x{POLLING}", 200), (f"https://x{POLLING}", 200), (f"HTTP://y:80{POLLING}", 200),
    (f"http://[::1]{POLLING}", 200), (f"http://127.0.0.1:7602{POLLING}", 200),
    ("http://x/elsewhere", 404), ("http://x", 404),
    (f"http://x?{POLLING}", 404), ("/socket.io//?EIO=4&transport=polling", 200),
    ("/socket%2Eio/?EIO=4&transport=polling", 404), ("/socket.io?EIO=4&transport=polling", 404),
    ("//socket.io/?EIO=4&transport=polling", 404), ("/x/../socket.io/?EIO=4", 404),
    (f"/socket.io/?x={'x' * 8000}&EIO=4&transport=polling", 200)])
def test_targets(edge, target, status):
    answer = Http(edge, request("GET", target)).reply()
    assert answer.status == status, answer


def test_the_absolute_form_serves_every_request(edge):
    poll = Poll(edge)
    poll.path = f"http://elsewhere.example{poll.path}"
    for body in ("40/tasks,{}", "1"):
        wire = Http(edge, request("POST", poll.path, body=body))
        assert wire.reply().said == (200, "ok")
    answer = Http(edge, handshake(f"http://x{WEBSOCKET}"))
    assert answer.status() == 101
    assert Http(edge, request("OPTIONS", f"http://x{POLLING}")).status() == 204


# --- versions ------------------------------------------------------------------------------------

@pytest.mark.parametrize("lines", [[], ["Host: x"], ["Connection: keep-alive"],
                                   ["Host: x", "Connection: keep-alive, upgrade"]])
def test_http_1_0_is_answered_and_closed(edge, lines):
    wire = Http(edge, "\r\n".join([f"GET {POLLING} HTTP/1.0", *lines, "", ""]))
    answer = wire.reply()
    assert answer.status == 200 and answer.headers["connection"] == "close"
    assert wire.rest() == b""


def test_empty_lines_before_a_request_are_skipped(edge):
    wire = Http(edge)
    for before in (b"", b"\r\n", b"\r\n\r\n\r\n"):
        assert wire.send(before + request("GET", POLLING)).status() == 200


def test_a_head_in_any_segments(edge):
    text = request("GET", POLLING, "X-Auth: a", bearer(edge), ORIGIN, "X-Forwarded-For: ::1")
    for size in (1, 7, 100):
        wire = Http(edge)
        for at in range(0, len(text), size):
            wire.send(text[at:at + size])
        answer = wire.reply()
        assert answer.status == 200 and answer.headers["access-control-allow-origin"] == UI
        wire.close()
