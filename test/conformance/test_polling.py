"""GET and POST of a session that polls; packets and payloads of Engine.IO."""
import pytest

from lablib.facts import wait_for
from rawlib.blocking import Http
from rawlib.wire import Closed
from sessions import SEPARATOR, UNKNOWN_SID, Poll, Ws, decode


def echoed(poll, count):
    """So many packets, and how many came in each answer."""
    found, sizes = [], []
    while len(found) < count:
        answer = poll.get()
        assert answer.status == 200
        found += decode(answer.text)
        sizes.append(len(decode(answer.text)))
    return found, sizes


# --- POST ----------------------------------------------------------------------------------------

def test_a_post_is_answered_with_ok(engine):
    poll = Poll(engine)
    answer = poll.post("4hello")
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.headers["content-type"] == "text/html"
    answer = poll.get()
    assert (answer.status, answer.body) == (200, b"4hello")
    assert answer.headers["content-type"].replace(" ", "").lower() == "text/plain;charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"


PAYLOADS = {
    "one": ["4hello"], "three": ["4test1", "4test2", "4test3"],
    "text and binary": ["4hello", "bAQIDBA=="], "binary first": ["bAQIDBA==", "4hello"],
    "only binary": ["bAA==", "bAAA=", "bAAAA", "b/+8="],
    "an empty text": ["4"],
    "letters of the world": ["4grüße 漢字 😀 \u2028 \x7f"], "a NUL": ["4a\0b"],
    "line ends": ["4a\r\nb\n"], "digits": ["4123", "44"],
    "base64 in a text": ["4bAQIDBA=="],
}


@pytest.mark.parametrize("packets", PAYLOADS.values(),
                         ids=[name.replace(" ", "_") for name in PAYLOADS])
def test_a_payload_there_and_back(engine, packets):
    poll = Poll(engine)
    assert poll.post(SEPARATOR.join(packets)).text == "ok"
    assert poll.get().text == SEPARATOR.join(packets)


def test_a_post_may_hold_any_number_of_packets(engine):
    poll = Poll(engine)
    packets = [f"4{number}" for number in range(100)]
    poll.send(*packets)
    assert echoed(poll, 100)[0] == packets


@pytest.mark.ours(
    "python-engineio drops the connection at an answer of more than 16 packets; Node sends all")
def test_an_answer_holds_16_packets_at_most(engine):
    poll = Poll(engine)
    packets = [f"4{number}" if number % 3 else bytes([number]) for number in range(40)]
    poll.send(*packets)
    assert echoed(poll, 40) == (packets, [16, 16, 8])


@pytest.mark.parametrize("kind", ["text/plain;charset=UTF-8", "text/plain", "application/json",
                                  "nonsense", ""])
def test_the_type_of_a_post_does_not_matter(engine, kind):
    poll = Poll(engine)
    assert poll.post("4x", [f"Content-Type: {kind}"]).text == "ok"
    assert poll.get().text == "4x"


def test_an_octet_stream_ends_the_session(engine):
    """It was how version 3 sent binary."""
    poll = Poll(engine)
    answer = poll.post("4x", ["Content-Type: application/octet-stream"])
    assert (answer.status, answer.body) == (400, b"")
    assert poll.gone()


def test_a_post_in_pieces(engine):
    poll = Poll(engine)
    http = Http(engine)
    http.send(f"POST {poll.target} HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n".encode())
    for piece in (b"4hel", b"lo", "\x1e4ü".encode()[:3], "ü".encode()[1:], b"!"):
        http.taken()
        http.send(piece)
    assert http.answer().text == "ok"
    assert poll.get().text == f"4hello{SEPARATOR}4ü!"


def test_a_post_may_ask_whether_to_continue(engine):
    poll = Poll(engine)
    http = Http(engine).ask("POST", poll.target,
                            headers=["Content-Length: 6", "Expect: 100-continue"])
    http.send(b"4hello")
    assert http.answer().text == "ok"
    assert poll.get().text == "4hello"


@pytest.mark.ours(
    "clients do not send it, and who decodes it wrongly sees other requests than a proxy")
def test_a_chunked_post_is_refused(engine):
    poll = Poll(engine)
    http = Http(engine).ask("POST", poll.target, b"6\r\n4hello\r\n0\r\n\r\n",
                            headers=["Transfer-Encoding: chunked"])
    assert http.answer().status == 411
    poll.send("4x")
    assert poll.get().text == "4x"


BAD_PACKETS = ["abc", "", "7x", "b*", "bA", "B", " 4x", "4x" + SEPARATOR, SEPARATOR + "4x",
               "4a" + SEPARATOR * 2 + "4b", "-1", "\ufeff4x"]


@pytest.mark.parametrize("body", [body for body in BAD_PACKETS if body not in ("b*", "bA")])
def test_a_bad_packet_ends_the_session(engine, body):
    poll = Poll(engine)
    answer = poll.offend(body)
    assert answer is None or answer.status in (200, 400)
    poll.ended()


@pytest.mark.ours("Node says ok first; the protocol's own tests accept 400 only")
@pytest.mark.parametrize("body", BAD_PACKETS)
def test_a_bad_packet_is_answered_with_400(engine, body):
    poll = Poll(engine)
    answer = poll.post(body)
    assert (answer.status, answer.body) == (400, b"")
    assert poll.gone()


@pytest.mark.ours("Node's base64 takes what it understands and leaves out the rest")
@pytest.mark.parametrize("text", ["*", "A", "AAA", "AQIDBA", "AQ=A", "AQID BA==", "AQIDBA==\n",
                                  "A===", "====", "AQIDBA==AQ==", "-_-_"])
def test_base64_is_exact(engine, text):
    poll = Poll(engine)
    poll.offend("b" + text)
    assert poll.gone()


@pytest.mark.ours("Node decodes what is no UTF-8 to replacement characters")
@pytest.mark.parametrize("data", [b"4\xff", b"4\xc3", b"4\xed\xa0\x80", b"4\xc0\x80",
                                  b"4a\x1e4\xf5\x80\x80\x80"])
def test_a_post_is_utf8(engine, data):
    poll = Poll(engine)
    poll.post(data)
    assert poll.gone()


def test_packets_before_a_bad_one_count_and_those_after_it_do_not(engine):
    poll = Poll(engine)
    held = poll.hold()
    poll.offend("4before", "x", "4after")
    answer = held.answer()
    assert answer.status in (200, 400)
    assert "4after" not in answer.text
    poll.ended()


@pytest.mark.parametrize("packet", ["6", "5", "0", "0{}", "3"])
def test_packets_without_a_meaning_here_are_ignored(engine, packet):
    poll = Poll(engine)
    poll.send(packet, "4x")
    assert poll.get().text == "4x"


def test_a_second_post_at_once_ends_the_session(engine):
    """Large ones: a small one is over as soon as it has begun."""
    poll = Poll(engine)
    first = Http(engine).ask("POST", poll.target, b"4" + b"x" * 5999,
                             headers=["Content-Length: 6001"]).taken()
    answer = poll.post("4" + "y" * 6000)
    assert (answer.status, answer.body) == (400, b"")
    assert poll.gone()
    first.close()


# --- GET -----------------------------------------------------------------------------------------

def test_a_get_waits_for_a_packet(engine):
    poll = Poll(engine)
    held = poll.hold()
    assert held.silent()
    poll.send("4x")
    answer = held.answer()
    assert (answer.status, answer.text) == (200, "4x")
    held = poll.hold()
    assert held.silent(), "it was sent once"
    poll.send(b"\x01\x02")
    assert held.answer().text == "bAQI="


def test_a_get_brings_what_is_waiting(engine):
    poll = Poll(engine)
    poll.send("4a")
    poll.send("4b", b"c")
    poll.send("4d")
    assert decode(poll.get().text) == ["4a", "4b", b"c", "4d"]


def test_a_post_is_answered_while_a_get_waits(engine):
    poll = Poll(engine)
    held = poll.hold()
    assert poll.post("6").text == "ok"
    assert held.silent()
    poll.send("4x")
    assert held.answer().text == "4x"


def test_two_gets_at_once_end_the_session(engine):
    poll = Poll(engine)
    first = poll.hold()
    second = poll.get()
    assert (second.status, second.body) == (400, b"")
    answer = first.answer()
    assert (answer.status, answer.text) == (200, "1")
    assert poll.gone()


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_get_that_is_given_up_ends_the_session(engine, how):
    poll = Poll(engine)
    held = poll.hold()
    getattr(held, how)()
    wait_for(lambda: poll.post("6").text == UNKNOWN_SID, "the session to end")


def test_a_connection_that_ends_between_requests_ends_nothing(engine):
    poll = Poll(engine)
    for _ in range(3):
        assert Http(engine).request("POST", poll.target, "4x").text == "ok"
        http = Http(engine)
        assert http.request("GET", poll.target).text == "4x"
        http.close()
    poll.send("4y")
    assert poll.get().text == "4y"


def test_a_post_that_is_given_up_brings_nothing(engine):
    poll = Poll(engine)
    Http(engine).ask("POST", poll.target, b"4he", headers=["Content-Length: 6"]).taken().close()
    held = Http(engine).ask("GET", poll.target)
    try:
        poll.post("4x")
        assert held.answer().text in ("4x", UNKNOWN_SID, "1"), "Node ends the session"
    except Closed:
        pass


def test_a_large_message_there_and_back(session):
    for size in (125, 126, 65535, 65536, 999_999):
        session.send("4" + "x" * (size - 1))
        assert session.receive() == "4" + "x" * (size - 1)


def test_binary_there_and_back(session):
    every = bytes(range(256))
    for data in (b"", b"\0", every, every * 255, every * 256, every * 2900):
        session.send(data)
        assert session.receive() == data


def test_messages_keep_their_order(session):
    packets = [f"4{number}" if number % 2 else bytes([number]) for number in range(200)]
    session.send(*packets)
    assert [session.receive() for _ in packets] == packets


# --- close ---------------------------------------------------------------------------------------

def test_a_polling_client_says_goodbye(engine):
    poll = Poll(engine)
    held = poll.hold()
    answer = poll.post("1")
    assert (answer.status, answer.text) == (200, "ok")
    answer = held.answer()
    assert (answer.status, answer.text) == (200, "6")
    assert poll.gone()
    assert poll.post("4x").text == UNKNOWN_SID


def test_a_polling_client_says_goodbye_without_a_get(engine):
    poll = Poll(engine)
    assert poll.post("1").text == "ok"
    assert poll.gone()


def test_packets_before_goodbye_count_and_those_after_it_do_not(engine):
    poll = Poll(engine)
    held = poll.hold()
    assert poll.post(SEPARATOR.join(["4before", "1", "4after"])).text == "ok"
    assert held.answer().text in ("4before", "6")
    assert poll.gone()


@pytest.mark.ours("Node ignores it: the session lives until its heartbeat fails")
def test_a_websocket_client_says_goodbye(engine):
    session = Ws(engine)
    session.send("1")
    assert session.ended() == []
    assert session.code == 1005


@pytest.mark.parametrize("packet", ["2", "2probe"])
def test_a_ping_of_a_client_ends_the_session(session, packet):
    """Pings are the server's, in version 4."""
    session.offend(packet)
    session.ended()
