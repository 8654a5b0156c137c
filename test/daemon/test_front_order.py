"""Several requests on a connection at once, which are answered in their order; and clients that
close their side after a request."""
import socket
import threading
import time

import pytest

from clients import Raw
from crowds import cpu
from http_connection import Poll, ends
from lablib.facts import wait_for
from rawlib.blocking import Http
from rawlib.wire import POLLING, WEBSOCKET, handshake, request

OPTIONS = request("OPTIONS", POLLING)
BAD = b"GET / HTTP/1.1\r\nA b\r\n\r\n"


@pytest.fixture(scope="module")
def edge(make_world):
    """A lab."""
    return make_world(options=["--handshake-rate", "0"])


@pytest.fixture(autouse=True)
def honest(edge, clients):
    """The same process serves before and after each test."""
    pid = edge.lab.daemon(0).pid()
    yield
    assert edge.lab.daemon(0).pid() == pid
    edge.joined(clients(Raw(edge, 12)))


def post(path, body):
    """A POST."""
    return request("POST", path, body=body)


# --- what stands behind a request ----------------------------------------------------------------

PAIRS = [("get", "get"), ("get", "post"), ("post", "get"), ("post", "post"), ("post", "large"),
         ("post", "its own head"), ("large", "large"), ("head", "get"), ("get", "head"),
         ("elsewhere", "get"), ("unknown", "options"), ("options", "unknown"), ("get", "\r\n"),
         ("post", "\r\n"), ("refused", "post"), ("post", "refused"), ("close", "get"),
         ("1.0", "get"), ("post", "upgrade"), ("options", "upgrade"), ("get", "bad"),
         ("bad", "get")]
STATUS = {"head": 400, "elsewhere": 404, "unknown": 400, "options": 204, "refused": 404,
          "upgrade": 101, "bad": 400}
LAST = ("refused", "bad", "close", "1.0", "upgrade")  # no answer comes behind theirs


def kinds(poll):
    """Requests of its session by name."""
    line = f"POST {poll.path} HTTP/1.1\r\nHost: x\r\nContent-Length: "
    return {"get": request("GET", POLLING), "post": post(poll.path, "6"), "\r\n": b"\r\n",
            "large": post(poll.path, "6" * 9000), "head": request("HEAD", POLLING),
            "its own head": f"{line}{len(line) + 7}\r\n\r\n{'6' * (len(line) + 7)}".encode(),
            "elsewhere": request("GET", "/elsewhere"), "options": OPTIONS,
            "unknown": request("GET", "/socket.io/?EIO=4"), "bad": BAD,
            "refused": post("/elsewhere", "6"), "upgrade": handshake(WEBSOCKET),
            "close": request("GET", POLLING, "Connection: close"),
            "1.0": f"GET {POLLING} HTTP/1.0\r\n\r\n".encode()}


@pytest.mark.parametrize("first, second", PAIRS)
def test_requests_in_one_segment_are_answered_in_their_order(edge, first, second):
    poll = Poll(edge)
    texts = kinds(poll)
    wire = Http(edge, texts[first] + texts[second])
    for name in [first] if first in LAST else [first, second]:
        if name != "\r\n":
            answer = wire.reply(bodiless=name == "head")
            assert answer.status == STATUS.get(name, 200), (name, answer)
    if second != "upgrade":
        ended = {first, second} & set(LAST)
        assert wire.rest() == b"" if ended else wire.send(OPTIONS).status() == 204
    assert poll.works()


def test_an_upgrade_takes_what_stands_behind_it_for_frames(edge):
    poll = Poll(edge)
    wire = Http(edge, handshake(WEBSOCKET) + post(poll.path, "6"))
    assert wire.status() == 101
    assert b"HTTP/1.1" not in wire.rest()
    assert poll.works()


BEGUN = {"x": OPTIONS, "G": request("GET", POLLING)[1:], "\r\n": OPTIONS, "\r": b"\n" + OPTIONS,
         "GET /socket.io/?EI": request("GET", POLLING)[18:], "OPTIONS": OPTIONS[7:]}


@pytest.mark.parametrize("more, rest", BEGUN.items(), ids=range(len(BEGUN)))
def test_the_beginning_of_a_request_behind_another_delays_nothing(edge, more, rest):
    poll = Poll(edge)
    for text in (request("GET", POLLING), post(poll.path, "6"), OPTIONS):
        begun, wire = time.monotonic(), Http(edge, text + more.encode())
        assert wire.status() in (200, 204) and time.monotonic() - begun < 5
        # A method that nobody knows is one.
        assert wire.send(rest).status() == (400 if more == "x" else 200 if more[0] == "G" else 204)
        wire.close()
    assert poll.works()


def test_hundreds_of_requests_in_one_piece(edge):
    poll = Poll(edge)
    round_ = [(OPTIONS, 204), (request("GET", "/elsewhere"), 404), (post(poll.path, "6"), 200),
              (request("GET", "/socket.io/?EIO=4"), 400), (request("HEAD", POLLING), 400)]
    wire = Http(edge)
    sender = threading.Thread(target=wire.send, args=(b"".join(text for text, _ in round_) * 400,))
    sender.start()
    for _ in range(400):
        for text, status in round_:
            assert wire.reply(bodiless=text.startswith(b"HEAD")).status == status
    sender.join()
    assert wire.send(OPTIONS).status() == 204 and not wire.got
    assert poll.works()


def test_requests_behind_a_held_get_wait_until_it_is_answered(edge):
    poll = Poll(edge)
    wire = Http(edge, request("GET", poll.path) + OPTIONS).taken()
    wire.send(post(poll.path, "6") + request("GET", "/elsewhere")).taken()
    assert poll.post("40/tasks,{}") == (200, "ok"), "the session goes on"
    assert wire.reply().text.startswith('40/tasks,{"sid":"')
    assert [wire.status() for _ in range(3)] == [204, 200, 404]


def test_no_more_than_16_kb_are_read_behind_a_held_get(edge):
    poll = Poll(edge)
    wire = Http(edge, request("GET", poll.path)).taken()
    wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    count = 20000
    sender = threading.Thread(target=wire.send, args=(OPTIONS * count,))
    sender.start()
    assert Poll(edge).works()
    used, begun = cpu(edge.lab.daemon(0).pid()), time.monotonic()
    wait_for(lambda: time.monotonic() > begun + 0.5, "half a second to look at")
    assert cpu(edge.lab.daemon(0).pid()) - used < 0.3, "it does not spin"
    assert sender.is_alive(), "the system's buffers are full"
    assert poll.post("40/tasks,{}") == (200, "ok")
    assert wire.reply().text.startswith("40/tasks,")
    for _ in range(count):
        assert wire.status() == 204
    sender.join()
    wire.close()


def test_a_refusal_behind_a_held_get_waits_its_turn(edge):
    poll = Poll(edge)
    wire = Http(edge, request("GET", poll.path) + BAD).taken()
    assert poll.post("40/tasks,{}") == (200, "ok") and wire.reply().text.startswith("40/tasks,")
    assert ends(wire) == 400


def test_a_second_get_of_the_session_behind_a_held_one_waits_its_turn(edge):
    """On another connection it would be a second GET at once."""
    poll = Poll(edge)
    wire = Http(edge, request("GET", poll.path) * 2).taken()
    assert poll.post("40/tasks,{}") == (200, "ok") and wire.reply().text.startswith("40/tasks,")
    wait_for(lambda: edge.emit("mark_all", None, "everyone") and not wire.silent(), "an event")
    assert wire.reply().text.startswith("42/tasks,")


def ended(poll):
    """Wait until there is no such session; a POST harms none."""
    wait_for(lambda: poll.post("6") != (200, "ok"), "the session to end")
    return poll.gone()


@pytest.mark.parametrize("end", ["finish", "reset"])
def test_a_held_get_with_requests_behind_it_ends_with_its_connection(edge, end):
    poll = Poll(edge)
    wire = Http(edge, request("GET", poll.path) + OPTIONS * 3).taken()
    assert poll.post("6") == (200, "ok")
    getattr(wire, end)()
    assert ended(poll)


# --- a client that sends no more -----------------------------------------------------------------

def answered(wire, status, said=""):
    """The answer comes, and then the end."""
    wire.finish()
    answer = wire.reply()
    assert answer.status == status and answer.text.startswith(said), answer
    assert status == 101 or wire.rest() == b""
    wire.close()


def test_a_request_whose_client_sends_no_more_is_answered(edge):
    poll = Poll(edge)
    for text, *expected in ((request("GET", POLLING), 200, '0{"sid"'),
                            (post(poll.path, "6"), 200, "ok"), (OPTIONS, 204),
                            (request("GET", "/elsewhere"), 404), (post("/elsewhere", "6"), 404),
                            (request("GET", "/socket.io/"), 400, '{"code":0'),
                            (handshake(WEBSOCKET), 101), (BAD, 400)):
        answered(Http(edge, text), *expected)
        answered(Http(edge, text).taken(), *expected)
    assert poll.works()


def test_a_get_for_which_something_waits_is_answered_to_a_client_that_sends_no_more(edge):
    poll = Poll(edge)
    assert poll.post("40/tasks,{}") == (200, "ok")
    answered(Http(edge, request("GET", poll.path)), 200, '40/tasks,{"sid"')
    assert poll.post("1") == (200, "ok"), "the session is there"


def test_all_requests_of_a_client_that_sends_no_more_are_answered(edge):
    poll = Poll(edge)
    wire = Http(edge, OPTIONS + post(poll.path, "6") + request("GET", "/elsewhere"))
    wire.finish()
    assert [wire.status() for _ in range(3)] == [204, 200, 404] and wire.rest() == b""
    assert poll.works()


@pytest.mark.parametrize("at_once", [True, False])
def test_a_held_poll_ends_its_session_when_its_client_sends_no_more(edge, at_once):
    before = edge.metric("closed_sessions", reason="client")
    poll = Poll(edge)
    wire = Http(edge, request("GET", poll.path))
    if not at_once:
        wire.taken()
    wire.finish()
    assert ended(poll)
    assert edge.metric("closed_sessions", reason="client") > before


def test_half_a_request_whose_client_sends_no_more_is_none(edge):
    poll, before = Poll(edge), edge.metric("receiving_bytes")
    for text in (b"", b"G", request("GET", POLLING)[:-2], post(poll.path, "40/tasks,{}")[:-1],
                 OPTIONS[:-1]):
        wire, begun = Http(edge, text), time.monotonic()
        wire.finish()
        assert wire.rest() == b"" and time.monotonic() - begun < 5
    assert edge.metric("receiving_bytes") == before
    assert poll.works()
