"""HTTP byte by byte: what is a request, when its connection may be used again, and what comes in
part."""
import os
import signal
import time

import pytest

from clients import Raw
from crowds import cpu
from http_connection import USER, Poll
from lablib.facts import wait_for
from rawlib.blocking import Http
from rawlib.wire import POLLING, WEBSOCKET, handshake, request

MAX, SECONDS = 20000, 2


@pytest.fixture(scope="module")
def edge(make_world):
    """A lab with a small max_payload and little time for requests."""
    return make_world(options=["--max-payload", str(MAX), "--request-timeout", f"{SECONDS}s"])


@pytest.fixture(autouse=True)
def honest(edge, clients):
    """The same process serves before and after each test."""
    pid = edge.lab.daemon(0).pid()
    yield
    assert edge.lab.daemon(0).pid() == pid
    assert Poll(edge).works()
    edge.joined(clients(Raw(edge, 12)))


def refused(world, reason):
    """How many requests were refused for this reason."""
    return world.metric("refused_requests", reason=reason)


# --- bytes behind a request ----------------------------------------------------------------------

def post(path, body):
    """A POST."""
    return request("POST", path, body=body)


@pytest.mark.parametrize("first, second", [
    ("get", "get"), ("get", "post"), ("post", "get"), ("post", "post"), ("post", "large"),
    ("post", "its own head"), ("post", "\r\n"), ("head", "get"), ("refused", "post"),
    ("post", "upgrade"), ("upgrade", "post")])
def test_a_second_request_in_one_segment_harms_nobody(edge, first, second):
    """libwebsockets took the head of a second POST for its body, read freed memory, or went round
    for ever."""
    poll = Poll(edge)
    head = f"POST {poll.path} HTTP/1.1\r\nHost: x\r\nContent-Length: "
    own = head + f"{len(head) + 7}\r\n\r\n" + "6" * (len(head) + 7)
    kinds = {"get": request("GET", POLLING), "post": post(poll.path, "6"),
             "large": post(poll.path, "6" * 3000), "its own head": own.encode(),
             "head": request("HEAD", POLLING), "refused": post("/elsewhere", "6"),
             "upgrade": handshake(WEBSOCKET), "\r\n": b"\r\n"}
    wires = [Http(edge, kinds[first] + kinds[second]) for _ in range(3)]
    used, begun = cpu(edge.lab.daemon(0).pid()), time.monotonic()
    assert Poll(edge).works()
    wait_for(lambda: time.monotonic() > begun + 0.5, "half a second to look at")
    assert cpu(edge.lab.daemon(0).pid()) - used < 0.4
    for wire in wires:
        wire.finish()
        wire.close()


def test_a_post_with_bytes_behind_it_closes_the_connection(edge):
    for more in (post("/socket.io/", "6"), b"x", b"\r\n"):
        poll = Poll(edge)
        assert Http(edge, post(poll.path, "6") + more).answers() <= 1
        assert poll.works()


def test_bytes_behind_a_post_are_seen_before_its_answer_also_in_a_crowd(own_lab):
    """With more than 1024 events libuv looks for others in the same turn: an answer could be
    written too early."""
    world = own_lab(options=["--event-rate", "0"])
    poll, daemon = Poll(world), world.lab.daemon(0)
    wires = [Http(world, request("GET", "/elsewhere")) for _ in range(1500)]
    assert all(wire.status() == 404 for wire in wires)
    os.kill(daemon.pid(), signal.SIGSTOP)
    for wire in wires:
        wire.send(post(poll.path, "6") * 2)
    os.kill(daemon.pid(), signal.SIGCONT)
    assert sum(wire.rest().count(b" 200 OK") for wire in wires) == 0
    assert poll.works()


def test_a_head_that_comes_while_a_get_is_held_is_no_second_request(edge):
    poll = Poll(edge)
    held = Http(edge, request("GET", poll.path))
    held.send("X-More: 1\r\n\r\n")
    held.send("X-More: 1\r\n\r\n")
    poll.post("40/tasks,{}")
    held.finish()
    assert held.answers() <= 1


# --- one after the other -------------------------------------------------------------------------

def ends(wire):
    """The status of the next answer, which says that the connection ends, as it then does."""
    answer = wire.reply()
    assert b"Connection: close\r\n" in answer.head and wire.rest() == b""
    return answer.status


def test_a_connection_serves_one_request_after_the_other(edge):
    poll = Poll(edge)
    wire = Http(edge)
    for text, status in ((request("GET", POLLING), 200), (post(poll.path, "40/tasks,{}"), 200),
                         (request("GET", poll.path), 200),
                         (request("GET", "/socket.io/?EIO=4"), 400),
                         (request("GET", "/elsewhere"), 404), (request("HEAD", POLLING), 400),
                         (request("OPTIONS", POLLING), 204), (request("DELETE", poll.path), 500),
                         (post(poll.path, ""), 400), (request("GET", POLLING), 200)):
        # An answer to HEAD has the length of a body that does not come.
        answer = wire.send(text).reply(bodiless=text.startswith(b"HEAD"))
        assert answer.status == status, text[:80]
        assert b"Connection: close" not in answer.head and not wire.got
    wire.finish()
    assert wire.rest() == b"", "nothing came after the last answer"


def test_413_is_read_by_a_client_that_sends_all_first(edge):
    before = refused(edge, "max_payload")
    poll = Poll(edge)
    for size in (MAX + 1, 10 * MAX, 1000 * MAX):
        wire = Http(edge, post(poll.path, "x" * size) + post(poll.path, "1"))
        assert ends(wire) == 413
    assert refused(edge, "max_payload") == before + 3
    assert poll.post("40/tasks,{}") == (200, "ok"), "the session goes on"


@pytest.mark.parametrize("lines", [["Content-Length: 0"], ["Content-Length: 1"], []])
def test_a_post_elsewhere_is_answered(edge, lines):
    body = "6" if "Content-Length: 1" in lines else ""
    assert ends(Http(edge, request("POST", "/elsewhere", *lines, rest=body))) == 404


def test_expect_100_continue(edge):
    poll = Poll(edge)
    wire = Http(edge, request("POST", poll.path, "Content-Length: 1", "Expect: 100-continue"))
    assert wire.status(interim=True) == 100
    wire.send("6")
    assert wire.status() == 200
    wire.send(request("POST", poll.path, f"Content-Length: {MAX + 1}", "Expect: 100-continue"))
    assert wire.status(interim=True) == 413, "no body is asked for that is not wanted"


@pytest.mark.parametrize("head",
                         ["Connection: close", "Connection: Close", "Connection: keep-alive, close",
                          "X-Forwarded-For: 192.0.2.1", "Via: 1.1 proxy"])
def test_a_connection_that_ends_says_so(edge, head):
    """Of a proxy's, since one may carry several clients, and libwebsockets can be made to overlook
    a header."""
    assert ends(Http(edge, request("GET", POLLING, head))) == 200


# --- heads ---------------------------------------------------------------------------------------

def plain(*lines, path=POLLING, version="HTTP/1.1", end="\r\n"):
    """A GET with exactly these lines."""
    return end.join([f"GET {path} {version}".rstrip(), *lines, "", ""]).encode()


HEADS = {
    "HTTP/1.0 without a host": (plain(version="HTTP/1.0"), 200),
    "HTTP/1.0": (plain("Host: x", version="HTTP/1.0"), 200), "no host": (plain(), 400),
    "two hosts": (plain("Host: x", "Host: y"), 400),
    "HTTP/1.2": (plain("Host: x", version="HTTP/1.2"), 400),
    "HTTP/2.0": (plain("Host: x", version="HTTP/2.0"), 400),
    "no version": (plain("Host: x", version=""), 400),
    "lines end in LF": (plain("Host: x", end="\n"), 200),
    "LF and CRLF": (plain("Host: x\nAccept: y"), 200),
    "host in another case": (plain("hOsT: x"), 200), "3000 bytes of query": (
        plain("Host: x", path=f"/socket.io/?x={'x' * 3000}&EIO=4&transport=polling"), 200),
    "an encoded ampersand": (plain("Host: x", path=POLLING + "&t=%26EIO=3"), 200),
    "the last counts": (plain("Host: x", path=POLLING + "&EIO=3"), 400),
    "twice a slash": (plain("Host: x", path=POLLING.replace("io/", "io//")), 200),
    "15 KB": (plain("Host: x", f"User-Agent: {'x' * 15000}"), 200),
    "absolute form": (plain("Host: x", path="http://x" + POLLING), 403),
    "an asterisk": (plain("Host: x", path="*"), 403),}


@pytest.mark.parametrize("text, status", HEADS.values(),
                         ids=[name.replace(" ", "_") for name in HEADS])
def test_heads(edge, text, status):
    answer = Http(edge, text).reply(bodiless=True)
    assert answer.status == status, answer.head


def test_a_head_of_more_than_16_kb_closes_the_connection_and_fills_no_log(edge):
    size = len(edge.log())
    for _ in range(20):
        assert Http(edge, plain("Host: x", f"User-Agent: {'x' * 17000}")).rest() == b""
    assert edge.log()[size:].count("libwebsockets") <= 1


@pytest.mark.parametrize("lines", [
    ["Content-Length: 1", "Content-Length: 1"], ["Content-Length: 1", "Content-Length: 2"],
    ["Content-Length: 1", "Content-Length:"], ["Content-Length:", "Content-Length: 1"],
    ["Content-Length: 1, 1"], ["Content-Length: +1"], ["Content-Length: 1x"],
    ["Content-Length : 1"], ["Content-Length\t: 1"], [" Content-Length: 1"],
    ["Content-Length: 0x1"], ["Content-Length: 1 1"],
    ["Content-Length: 1", "Transfer-Encoding : chunked"],
    ["Content-Length: 1", "Transfer-Encoding\t: chunked"], ["Content-Length: 18446744073709551617"],
    ["Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked", "Content-Length: 1"],
    ["Content-Length: 1", "Transfer-Encoding: identity"],
    ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
    ["Transfer-Encoding:", "Content-Length: 1"], ["Accept: x\rContent-Length: 1"]])
def test_a_length_that_can_be_read_in_two_ways_is_refused(edge, lines):
    poll = Poll(edge)
    kinds = {name: refused(edge, name) for name in ("malformed", "length", "max_payload")}
    rest = b"1\r\n" + request("GET", POLLING)
    assert ends(Http(edge, request("POST", poll.path, *lines, rest=rest))) in (400, 411, 413)
    assert sum(refused(edge, name) for name in kinds) == sum(kinds.values()) + 1
    assert poll.works()


def test_a_header_that_libwebsockets_takes_for_two_opens_no_way_around_a_proxy(edge):
    """X-A is the beginning of X-Auth-Token: the next header is taken for a part of it."""
    wire = Http(edge, request("GET", POLLING, "X-Forwarded-For: 192.0.2.1", "X-A: 1",
                              "Content-Length: 400", "Accept: x"))
    assert wire.status() == 200
    try:
        wire.send(request("GET", POLLING))
    except OSError:
        pass
    assert wire.rest() == b""


# --- bodies and heads that come in part -----------------------------------------------------------

def slowly(wire, text, seconds=20):
    """Send byte by byte until the server closes; what came.

    A second may bring more than BODY_RATE asks for or less.
    """
    wire.sock.settimeout(0.1)
    end = time.monotonic() + seconds
    for byte in text:
        try:
            wire.send(bytes([byte]))
            data = wire.sock.recv(65536)
            if not data:
                return wire.got
            wire.got += data
        except TimeoutError:
            assert time.monotonic() < end, "the server should have closed"
        except OSError:
            return wire.got
    raise AssertionError("all was sent")


def test_a_request_that_does_not_arrive_is_closed_and_counted(edge):
    for what in (b"", b"GET /socket.io/?EI", plain("Host: x")[:-2]):
        before, begun = refused(edge, "request_timeout"), time.monotonic()
        wires = [Http(edge, what) for _ in range(5)]
        assert all(wire.rest() == b"" for wire in wires)
        assert SECONDS - 0.2 < time.monotonic() - begun < SECONDS + 5
        assert refused(edge, "request_timeout") == before + 5, what


def test_a_head_that_comes_byte_by_byte_is_closed(edge):
    begun = time.monotonic()
    assert slowly(Http(edge), request("GET", POLLING, "Accept: " + "x" * 1000)) == b""
    assert time.monotonic() - begun < SECONDS + 5


def test_a_body_that_stops_is_closed_and_counted_and_its_session_goes_on(edge):
    poll, before = Poll(edge), refused(edge, "request_timeout")
    wire = Http(edge, request("POST", poll.path, "Content-Length: 100", body="40/tasks,{}"))
    assert wire.rest() == b""
    assert refused(edge, "request_timeout") == before + 1
    assert poll.works()


def test_a_body_that_comes_byte_by_byte_is_refused_with_408(edge):
    poll, before = Poll(edge), refused(edge, "request_timeout")
    wire = Http(edge, request("POST", poll.path, "Content-Length: 1000"))
    assert slowly(wire, b"4" * 1000).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert refused(edge, "request_timeout") == before + 1
    assert poll.works()


def test_a_large_body_for_no_session_is_not_waited_for(edge):
    for path, code in ((POLLING, 2), (POLLING + "&sid=" + "x" * 20, 1), ("/socket.io/?EIO=4", 0)):
        wire = Http(edge,
                    request("POST", path, f"Content-Length: {MAX}", "Origin: https://ui.example"))
        answer = wire.reply()
        assert answer.status == 400 and f'{{"code":{code},' in answer.text
        assert b"Access-Control-Allow-Origin: https://ui.example\r\n" in answer.head


@pytest.mark.parametrize("size", [1, MAX])
def test_a_post_while_another_comes_ends_the_session(edge, size):
    poll, before = Poll(edge), edge.metric("closed_sessions", reason="overlap")
    first = Http(edge, request("POST", poll.path, f"Content-Length: {MAX}", body="6" * 5000))
    wait_for(lambda: edge.metric("receiving_bytes") >= 5000, "the first to come")
    second = Http(edge, post(poll.path, "6" * size))
    assert second.reply().said == (400, "")
    assert edge.metric("closed_sessions", reason="overlap") == before + 1
    first.send("6" * (MAX - 5000))
    assert first.status() == 400, "there is no session"
    assert poll.gone()


def test_a_post_after_one_that_was_given_up_is_taken(edge):
    poll = Poll(edge)
    first = Http(edge, request("POST", poll.path, f"Content-Length: {MAX}", body="6" * 5000))
    wait_for(lambda: edge.metric("receiving_bytes") >= 5000, "the first to come")
    first.close()
    wait_for(lambda: edge.metric("receiving_bytes") == 0, "it to be forgotten")
    assert poll.works()


def test_a_connection_waits_for_its_next_request_as_long(edge):
    before = refused(edge, "request_timeout")
    wire = Http(edge, request("GET", POLLING))
    assert wire.status() == 200
    begun = time.monotonic()
    assert wire.rest() == b""
    assert SECONDS - 0.5 < time.monotonic() - begun < SECONDS + 5
    assert refused(edge, "request_timeout") == before, "it did nothing wrong"


def test_a_slow_crowd_keeps_out_nobody_for_longer_than_the_time_for_a_request(few_files, clients):
    world = few_files(options=["--request-timeout", f"{SECONDS}s"])
    crowd = [Http(world, b"POST /socket.io/ HTTP/1.1\r\nHo") for _ in range(250)]
    begun = time.monotonic()
    world.joined(clients(Raw(world, USER)))
    assert (time.monotonic() - begun < 4 * SECONDS
            + 5), "in two rounds: those taken at once, and those that waited"
    for wire in crowd:
        wire.close()


def test_bodies_in_part_have_a_limit_of_all(own_lab):
    world = own_lab(options=["--receive-bytes", "1MB", "--max-payload", "500000"])
    polls = [Poll(world) for _ in range(4)]
    wires = []
    for poll in polls[:3]:
        wires.append(Http(world, request("POST", poll.path, "Content-Length: 500000",
                                         body="4" + "2" * 399999)))
        wait_for(lambda: world.metric("receiving_bytes") >= min(len(wires), 2) * 400000,
                 "what was sent to be taken")
    assert ends(wires[2]) == 503
    assert refused(world, "receive_bytes") == 1
    assert polls[3].works(), "small ones pass"
    for wire in wires[:2]:
        wire.close()
    wait_for(lambda: world.metric("receiving_bytes") == 0, "room again")
    last = Poll(world)
    assert last.post("6" * 300000) == (200, "ok")
