"""Messages that are too large, on either transport; the exact limit."""
import pytest

from rawlib.blocking import Http
from rawlib.wire import BINARY, CONTINUATION, TEXT, Closed, fragments, frame
from sessions import Poll, Upgraded, Ws

LIMIT = 20_000


@pytest.fixture
def small(serve):
    """An echo that takes 20 kB."""
    return serve("engine", max_payload=str(LIMIT))


def test_the_open_packet_tells_the_limit(small):
    assert Poll(small).open["maxPayload"] == LIMIT
    assert Ws(small).open["maxPayload"] == LIMIT


def test_a_post_of_the_limit_is_taken(small):
    poll = Poll(small)
    body = "4" + "x" * (LIMIT - 1)
    assert poll.post(body).text == "ok"
    assert poll.get().text == body


def test_the_limit_is_of_bytes(small):
    poll = Poll(small)
    assert poll.post("4" + "ü" * (LIMIT // 2)).status == 413


def test_a_post_over_the_limit_is_refused_and_the_session_goes_on(small):
    poll = Poll(small)
    answer = poll.post("4" + "x" * LIMIT)
    assert (answer.status, answer.body) == (413, b"")
    poll.writer = Http(small)
    poll.send("4x")
    assert poll.get().text == "4x"


def test_a_post_over_the_limit_is_refused_though_a_get_waits(small):
    poll = Poll(small)
    held = poll.hold()
    assert poll.post("4" + "x" * LIMIT).status == 413
    assert held.silent()
    poll.writer = Http(small)
    poll.send("4x")
    assert held.answer().text == "4x"


@pytest.mark.ours("Node reads on until the limit is passed; the length says it before")
def test_a_post_that_announces_too_much_is_refused_before_it_comes(small):
    poll = Poll(small)
    http = Http(small).ask("POST", poll.target, headers=[f"Content-Length: {LIMIT + 1}"])
    http.sock.settimeout(5)
    assert http.answer().status == 413
    http = Http(small).ask("POST", poll.target, headers=["Content-Length: 100000000000000000000"])
    assert http.answer().status in (400, 413)
    poll.send("4x")
    assert poll.get().text == "4x"


@pytest.fixture(params=[Ws, Upgraded], ids=["websocket", "upgraded"])
def session(request, small):
    """A session by WebSocket."""
    made = request.param(small)
    yield made
    made.close()


@pytest.mark.parametrize("kind", [TEXT, BINARY], ids=["text", "binary"])
def test_a_message_of_the_limit_is_taken(session, kind):
    data = b"4" * LIMIT
    session.ws.send(frame(kind, data))
    heard = session.receive()
    assert heard == (data.decode() if kind == TEXT else data)


def closed_as_too_large(session, data):
    """Is it closed with 1009?"""
    try:
        session.ws.send(data)
    except OSError:
        pass
    came, code = session.ws.closing()
    assert came == []
    # With bytes unread, closing is a reset, which may overtake the close frame.
    assert code in (1009, 1006)
    return code


@pytest.mark.parametrize("kind", [TEXT, BINARY], ids=["text", "binary"])
def test_a_message_over_the_limit_is_closed_with_1009(session, kind):
    closed_as_too_large(session, frame(kind, b"4" * (LIMIT + 1)))
    assert session.gone()


def test_the_head_of_a_frame_is_enough(session):
    """Nobody has to read what will be refused."""
    session.ws.send(frame(BINARY, b"", length=LIMIT + 1) + b"x")
    assert session.ws.closing() == ([], 1009)
    session.ws.close()


def test_fragments_over_the_limit_together_are_closed_with_1009(session):
    piece = b"4" * (LIMIT // 2)
    session.ws.send(frame(TEXT, piece, final=False) + frame(CONTINUATION, piece, final=False))
    session.ws.taken()
    assert closed_as_too_large(session, frame(CONTINUATION, b"4")) == 1009
    assert session.gone()


def test_fragments_of_the_limit_together_are_taken(session):
    piece = b"4" * (LIMIT // 4)
    session.ws.send(b"".join(fragments(TEXT, *[piece] * 4)))
    assert session.receive() == "4" * LIMIT


def test_empty_fragments_count_nothing(session):
    session.ws.send(b"".join(fragments(TEXT, "4", *[""] * 5000, "x")))
    assert session.receive() == "4x"


def test_a_head_of_a_megabyte_is_refused(small):
    http = Http(small)
    try:
        http.ask("GET", small.target(), headers=["X-Large: " + "x" * 1_000_000])
        assert http.answer().status in (400, 413, 431)
    except (Closed, OSError):
        pass
    assert Http(small).request("GET", small.target()).status == 200
