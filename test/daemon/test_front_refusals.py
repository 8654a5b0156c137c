"""What the front refuses, with which status and under which reason: doc/protocol.md has the same in
a table.

Every refusal says that the connection ends, has a Date and the headers of CORS, and is counted
once. What stands behind the request is not taken for another one.
"""
import email.utils
import re
import time

import pytest

from http_connection import Poll
from rawlib.blocking import Http
from rawlib.wire import POLLING, WEBSOCKET, handshake, request

UI = "https://ui.example"
MAX = 20000
LINE = f"GET {POLLING} HTTP/1.1"


@pytest.fixture(scope="module")
def edge(make_world):
    """A lab that allows one origin."""
    return make_world(options=["--cors-allowed-origins", UI, "--max-payload", str(MAX)])


@pytest.fixture(autouse=True)
def honest(edge):
    """The same process serves before and after each test."""
    pid = edge.lab.daemon(0).pid()
    yield
    assert edge.lab.daemon(0).pid() == pid
    assert Poll(edge).works()


def head(*lines, line=LINE, host="Host: x", origin=UI, end="\r\n"):
    """A head of exactly these lines; those that are bytes hold what text cannot."""
    lines = [line, host, f"Origin: {origin}", *lines, "", ""]
    lines = [each if isinstance(each, bytes) else each.encode()
             for each in lines if each is not None]
    return end.encode().join(lines)


def post(*lines, target=POLLING + "&sid=x"):
    """A POST with these lines."""
    return head(*lines, line=f"POST {target} HTTP/1.1")


def get(line):
    """A head with another request line."""
    return head(line=line)


def at(target, method="GET"):
    """A head with another target."""
    return get(method.encode() + b" " + target + b" HTTP/1.1")


MALFORMED = {
    "lines end in LF": head(end="\n"), "one line ends in LF": head("Accept: x\nX-A: y"),
    "CR in a value": head("Accept: x\rContent-Length: 1"), "CR before CRLF": head("Accept: x\r"),
    "CR CR LF": head("Accept: x\r\r\nX-A: y"), "NUL in a value": head("Accept: x\0y"),
    "NUL in a name": head("Acc\0ept: x"), "NUL in Authorization": head("Authorization: a\0b"),
    "a control character in a value": head("Accept: \x01"), "DEL in a value": head("Accept: \x7f"),
    "a control character in a name": head("X-\x01: x"),
    "folded by a blank": head("Accept: x", " y"), "folded by a tab": head("Accept: x", "\ty"),
    "folded Content-Length": post("Accept: x", " Content-Length: 5"),
    "a blank behind an empty line": head("Accept: x", " "),
    "a first line that is folded": head(host=" Host: x"),
    "a blank before a colon": head("Accept : x"),
    "a tab before a colon": head("Accept\t: x"), "a blank in a name": head("Acc ept: x"),
    "blank before Host's colon": head(host="Host : x"), "an empty name": head(": x"),
    "no colon": head("Accept"), "no colon but a value": head("Accept x"),
    "a name in quotes": head('"Accept": x'), "a name with a slash": head("A/B: x"),
    "a name with a parenthesis": head("A(b): x"), "a name that is not ASCII": head("Ä: x"),
    # --- the request line ---
    "a blank before the method": get(" " + LINE), "two blanks": get(LINE.replace(" ", "  ", 1)),
    "two blanks before the version": get(LINE.replace(" HTTP", "  HTTP")),
    "a tab": get(LINE.replace(" ", "\t", 1)), "a blank behind": get(LINE + " "),
    "no version": get(f"GET {POLLING}"), "an empty version": get(f"GET {POLLING} "),
    "a version in lower case": get(f"GET {POLLING} http/1.1"),
    "a version of one digit": get(f"GET {POLLING} HTTP/1"),
    "a version of three": get(f"GET {POLLING} HTTP/1.1.1"),
    "a version with zeros": get(f"GET {POLLING} HTTP/01.1"),
    "a version that is none": get(f"GET {POLLING} HTTP/a.b"), "only a method": get("GET"),
    "a method that is no token": get(LINE.replace("GET", "G@T")),
    "a method that is not ASCII": get(LINE.replace("GET", "GÄT")),
    "NUL in a target": at(b"/socket.io/\0?EIO=4&transport=polling"),
    "a control character in a target": at(b"/socket.io/?EIO=4&transport=polling&a=\x01"),
    "a target that is not ASCII": at(POLLING.encode() + "&ä=1".encode()),
    "a fragment": at(POLLING.encode() + b"#x"), "a target without a slash": at(b"socket.io/"),
    "an asterisk": at(b"*"), "an authority": at(b"x:80", "CONNECT"),
    "another scheme": at(b"ftp://x/socket.io/"),
    "half a scheme": at(b"http:/socket.io/"), "no target": get("GET  HTTP/1.1"),
    "no authority": at(b"http:///socket.io/"), "a port alone": at(b"http://:80/socket.io/"),
    "a user in the authority": at(b"http://a@x/socket.io/"),
    # --- what may be there once ---
    "no host": head(host=None), "two hosts": head("Host: y"),
    "the same host twice": head("Host: x"),
    "a host with a slash": head(host="Host: x/y"), "a host with a blank": head(host="Host: x y"),
    "a host with a name": head(host="Host: a@b"), "a port that is none": head(host="Host: x:8a"),
    "half an address": head(host="Host: [::1"), "two origins": head("Origin: https://ui.example"),
    "two tokens": head("Authorization: Bearer a", "Authorization: Bearer b"),
    "two types": post("Content-Length: 0", "Content-Type: a/b", "Content-Type: a/b"),
    # --- lengths ---
    "a GET with a body": head("Content-Length: 1"), "OPTIONS with a body": head(
        "Content-Length: 1", line=f"OPTIONS {POLLING} HTTP/1.1"),
    "chunked and HTTP/1.0": head("Transfer-Encoding: chunked",
                                 line=f"POST {POLLING} HTTP/1.0"),
    "chunked is not the last": post("Transfer-Encoding: chunked, gzip"),
    "chunked is not the last line": post("Transfer-Encoding: chunked", "Transfer-Encoding: gzip"),
}
LENGTHS = [["1", "1"], ["1", "2"], ["1", ""], ["", "1"], ["1, 1"], ["+1"], ["-1"], ["1x"], ["0x1"],
           ["1 1"], ["1,"], [""], ["18446744073709551617"], ["9223372036854775808"], ["1.0"],
           ["\u0661"], ["9" * 100]]
MALFORMED.update({f"length {' and '.join(values)[:24]}": post(
    *[f"Content-Length: {value}" for value in values]) for values in LENGTHS})
MALFORMED.update({f"coding {coding} and a length": post(f"Transfer-Encoding: {coding}",
                                                       "Content-Length: 1")
                  for coding in ("chunked", "gzip", "identity", "")})
MALFORMED["a length and chunked"] = post("Content-Length: 1", "Transfer-Encoding: chunked")
MALFORMED["a length and chunked in disguise"] = post("Content-Length: 1",
                                                     "Transfer-Encoding : chunked")
OTHERS = {
    "elsewhere": (post("Content-Length: 1", target="/elsewhere"), 404, "path"),
    "elsewhere without a length": (post(target="/elsewhere"), 404, "path"),
    "no length": (post(), 411, "length"),
    "chunked": (post("Transfer-Encoding: chunked"), 411, "length"),
    "chunked in capitals": (post("Transfer-Encoding: Chunked"), 411, "length"),
    "a large body": (post(f"Content-Length: {MAX + 1}"), 413, "max_payload"),
    "the largest length": (post("Content-Length: 9223372036854775807"), 413, "max_payload"),
    "a long target": (get(f"GET {POLLING}&x={'x' * 8200} HTTP/1.1"), 414, None),
    "a target without an end": (get(f"GET {POLLING}&x={'x' * 100000} HTTP/1.1"), 414, None),
    "a long line": (head(f"X-Large: {'x' * 16384}"), 431, None),
    "a line without an end": (head(f"X-Large: {'x' * 300000}"), 431, None),
    "many lines": (head(*[f"X-{i}: x" for i in range(101)]), 431, None),
    "many lines of a list": (head(*["X-Forwarded-For: ::1"] * 48), 431, None),
    "a coding": (post("Transfer-Encoding: gzip"), 501, None),
    "a coding and chunked": (post("Transfer-Encoding: gzip, chunked"), 501, None),
    "identity": (post("Transfer-Encoding: identity"), 501, None),
    "a coding that only looks like chunked": (post("Transfer-Encoding: xchunked"), 501, None),
    "HTTP/1.2": (get(f"GET {POLLING} HTTP/1.2"), 505, None),
    "HTTP/2.0": (get(f"GET {POLLING} HTTP/2.0"), 505, None),
    "HTTP/0.9": (get(f"GET {POLLING} HTTP/0.9"), 505, None),
    "HTTP/9.9": (get(f"GET {POLLING} HTTP/9.9"), 505, None),
}
REFUSALS = {**{name: (text, 400, "malformed") for name, text in MALFORMED.items()}, **OTHERS}


def is_now(date):
    """It is the form that HTTP wants, and now."""
    assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", date), date
    return abs(email.utils.parsedate_to_datetime(date).timestamp() - time.time()) < 5


def refusal(world, text):
    """The only answer to this, with all that a refusal has; and its reason."""
    before, sessions = world.reasons("refused_requests"), world.metric("handshakes")
    wire = Http(world, text + b"1\r\n" + request("GET", POLLING))
    answer = wire.reply()
    assert answer.status, "it is answered"
    assert answer.headers["connection"] == "close" and wire.rest() == b""
    assert is_now(answer.headers["date"])
    assert int(answer.headers["content-length"]) == len(answer.body)
    after = world.reasons("refused_requests")
    grown = {reason: after[reason] - before[reason] for reason in after
             if after[reason] != before[reason]}
    assert sum(grown.values()) == 1, grown
    assert world.metric("handshakes") == sessions
    return answer, list(grown)[0]


@pytest.mark.parametrize("text, status, reason", REFUSALS.values(),
                         ids=[name.replace(" ", "_") for name in REFUSALS])
def test_a_refusal(edge, text, status, reason):
    answer, counted = refusal(edge, text)
    assert answer.status == status, answer.head
    assert reason in (None, counted)


@pytest.mark.parametrize("text, status, reason", [*OTHERS.values(), (head("A b"), 400, None)],
                         ids=range(len(OTHERS) + 1))
def test_a_refusal_allows_the_origin_that_is_allowed(edge, text, status, reason):
    line_is_good = status not in (414, 505)  # else the lines behind it are not read
    answer = refusal(edge, text)[0]
    assert ("access-control-allow-origin" in answer.headers) == line_is_good, reason
    if line_is_good:
        assert answer.headers["access-control-allow-origin"] == UI
        assert answer.headers["access-control-allow-credentials"] == "true"
    answer = refusal(edge, text.replace(UI.encode(), b"https://evil.example"))[0]
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x16", b"\0",
                                  b"\x80", b"\xff\xfe", b"(", b" ", b"\n", b"\r\n\r\n\0", b":"],
                         ids=range(10))
def test_what_can_begin_no_method_is_refused_at_once(edge, data):
    before = edge.metric("refused_requests", reason="malformed")
    begun, wire = time.monotonic(), Http(edge, data)
    answer = wire.reply()
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert wire.rest() == b"" and time.monotonic() - begun < 5, "the time for a head is longer"
    assert edge.metric("refused_requests", reason="malformed") == before + 1


def test_what_cannot_become_a_head_is_not_waited_for(edge):
    for text in (head(end="\n"), f"{LINE}\n", f"GET /{'x' * 8300}", "GET  ", "GET /\1",
                 f"GET {POLLING} HTTP/1.2\r\n", f"{LINE}\r\nHost : x\r\n", f"{LINE}\r\n x\r\n",
                 f"{LINE}\r\nX-Large: {'x' * 17000}"):
        begun = time.monotonic()
        assert Http(edge, text).status() >= 400, text[:60]
        assert time.monotonic() - begun < 5, "the time for a head is longer"


def test_a_refusal_byte_by_byte_is_the_same(edge):
    for name in ("two hosts", "folded by a tab", "chunked", "HTTP/1.2", "CR in a value"):
        text, status, _ = REFUSALS[name]
        wire = Http(edge)
        for byte in text:
            try:
                wire.send(bytes([byte]))
            except OSError:
                break
        assert wire.reply().status == status, name


@pytest.mark.parametrize("text", [get(LINE), head(line=f"OPTIONS {POLLING} HTTP/1.1"),
                                  head(line="GET /elsewhere HTTP/1.1"),
                                  head(line="GET /socket.io/ HTTP/1.1"),
                                  head(line=f"HEAD {POLLING} HTTP/1.1")], ids=range(5))
def test_every_answer_has_a_date(edge, text):
    answer = Http(edge, text).reply(bodiless=True)
    assert is_now(answer.headers["date"])
    assert "connection" not in answer.headers


@pytest.mark.parametrize("name", ["no host", "two hosts", "two tokens", "NUL in a value",
                                  "folded by a tab", "lines end in LF"])
def test_an_upgrade_is_refused_like_any_request(edge, name):
    lines = MALFORMED[name].partition(b"\r\n" if b"\r\n" in MALFORMED[name] else b"\n")[2]
    key = handshake(WEBSOCKET).partition(b"Host: x\r\n")[2]
    text = f"GET {WEBSOCKET} HTTP/1.1\r\n".encode() + key[:-2] + lines
    answer, reason = refusal(edge, text)
    assert (answer.status, reason) == (400, "malformed")


def test_a_session_survives_what_is_refused_on_its_path(edge):
    poll = Poll(edge)
    for lines in (["Content-Length: 1", "Content-Length: 2"], ["Transfer-Encoding: chunked"], [],
                  [f"Content-Length: {MAX + 1}"], ["Content-Length : 1"],
                  ["Content-Length: 1", " 2"]):
        text = post(*lines, target=poll.path)
        assert Http(edge, text + b"4\r\n40/tasks,{}\r\n0\r\n\r\n").status() in (400, 411, 413)
    assert poll.works()
