"""HTTP byte by byte: one request after the other on a connection, and bodies and heads that come in
part.

Several requests at once are in test_front_order.py, heads in test_front_heads.py and
test_front_refusals.py.
"""
import time

import pytest

from clients import Raw
from http_connection import USER, Poll, ends, refused
from lablib.facts import wait_for
from rawlib.blocking import Http
from rawlib.wire import POLLING, request

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


def post(path, body):
    """A POST."""
    return request("POST", path, body=body)


# --- one after the other -------------------------------------------------------------------------

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


@pytest.mark.parametrize("length, statuses", [(1, (200,)), (9000, (100, 200))])
def test_a_body_that_is_there_already_is_not_asked_for(edge, length, statuses):
    """Of a large one the beginning may have come."""
    poll = Poll(edge)
    wire = Http(edge, request("POST", poll.path, "Expect: 100-continue", body="6" * length))
    assert wire.status(interim=True) in statuses
    wire = Http(edge, request("POST", poll.path, "Content-Length: 0", "Expect: 100-continue"))
    assert wire.status(interim=True) == 400, "an empty body is no packet"


@pytest.mark.parametrize("line", ["expect: 100-Continue", "Expect:\t100-continue "])
def test_the_forms_of_an_expectation(edge, line):
    poll = Poll(edge)
    wire = Http(edge, request("POST", poll.path, "Content-Length: 1", line))
    assert wire.status(interim=True) == 100
    assert wire.send("6").status() == 200
    wire = Http(edge, f"POST {poll.path} HTTP/1.0\r\nContent-Length: 1\r\n{line}\r\n\r\n")
    assert wire.taken().send("6").status(interim=True) == 200, "HTTP/1.0 knows no such answer"


def test_an_answer_to_head_has_the_length_of_a_body_that_does_not_come(edge):
    for path in (POLLING, "/socket.io/?EIO=4", POLLING + "&sid=x"):
        wire = Http(edge, request("HEAD", path) + request("OPTIONS", POLLING))
        answer = wire.reply(bodiless=True)
        assert answer.status == 400 and int(answer.headers["content-length"]) > 0
        assert wire.status() == 204


@pytest.mark.parametrize("line",
                         ["Connection: close", "Connection: Close", "Connection: keep-alive, close",
                          "Connection: ,close,", "Connection: x\r\nConnection: close"])
def test_a_connection_that_ends_says_so(edge, line):
    for method, path, status in (("GET", POLLING, 200), ("OPTIONS", POLLING, 204),
                                 ("GET", "/elsewhere", 404), ("GET", "/socket.io/", 400)):
        assert ends(Http(edge, request(method, path, line) + request("GET", POLLING))) == status


@pytest.mark.parametrize("line", ["X-Forwarded-For: 192.0.2.1", "Via: 1.1 proxy", "Connection: ",
                                  "Connection: Upgrade", "Connection: closed", "Keep-Alive: 1"])
def test_a_connection_is_kept_also_behind_a_proxy(edge, line):
    poll, wire = Poll(edge), Http(edge)
    for text in (request("GET", POLLING, line),
                 request("POST", poll.path, line, body="40/tasks,{}"),
                 request("GET", poll.path, line), request("POST", poll.path, line, body="1")):
        answer = wire.send(text).reply()
        assert answer.status == 200 and "connection" not in answer.headers
    assert wire.send(request("OPTIONS", POLLING)).status() == 204


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
    for what in (b"", b"GET /socket.io/?EI", request("GET", POLLING)[:-2]):
        before, begun = refused(edge, "request_timeout"), time.monotonic()
        wires = [Http(edge, what) for _ in range(5)]
        assert all(wire.rest() == b"" for wire in wires)
        assert SECONDS - 0.2 < time.monotonic() - begun < SECONDS + 5
        assert refused(edge, "request_timeout") == before + 5, what


@pytest.mark.parametrize("what", [b"G", request("GET", POLLING)[:-2]], ids=["a letter", "most"])
def test_a_request_that_does_not_arrive_on_a_connection_in_use_is_closed_and_counted(edge, what):
    before = refused(edge, "request_timeout")
    wire = Http(edge, request("OPTIONS", POLLING))
    assert wire.status() == 204
    begun = time.monotonic()
    assert wire.send(what).rest() == b""
    assert SECONDS - 0.5 < time.monotonic() - begun < SECONDS + 5
    assert refused(edge, "request_timeout") == before + 1


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
    wire = Http(edge, request("POST", poll.path, "Content-Length: 1000", "Origin: http://a"))
    answer = slowly(wire, b"4" * 1000)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    for line in (b"Connection: close", b"Access-Control-Allow-Origin: http://a\r\n", b"Date: "):
        assert b"\r\n" + line in answer
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
    wait_for(lambda: Http(world, request("OPTIONS", POLLING)).status() == 204, "room again")
    assert time.monotonic() - begun < 2 * SECONDS + 5
    world.joined(clients(Raw(world, USER)))
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
