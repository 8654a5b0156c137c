"""How a session begins: routing, parameters, the open packet, headers."""
import json
import re

import pytest

from server import QUICK
from sessions import Poll, Ws
from rawlib.blocking import Http, WebSocket
from rawlib.wire import TEXT, Closed, frame

KEYS = {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}


def opened(answer):
    """The data of the open packet of a polling handshake."""
    assert answer.status == 200, answer
    assert answer.text[0] == "0", answer
    return json.loads(answer.text[1:])


def test_a_polling_handshake(start):
    server = start("engine", **QUICK)
    answer = Http(server).request("GET", server.target())
    said = opened(answer)
    assert set(said) == KEYS
    assert said["upgrades"] == ["websocket"]
    assert (said["pingInterval"], said["pingTimeout"], said["maxPayload"]) == (300, 200, 1000000)
    assert all(type(said[name]) is int for name in ("pingInterval", "pingTimeout", "maxPayload"))
    assert re.fullmatch("[A-Za-z0-9_-]{20,}", said["sid"])
    assert answer.headers["content-type"].replace(" ", "").lower() == "text/plain;charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert "set-cookie" not in answer.headers


def test_a_websocket_handshake(start):
    server = start("engine", **QUICK)
    ws = WebSocket(server, server.target("websocket"))
    assert ws.is_open, "which means also that Sec-WebSocket-Accept is right"
    first = ws.message()
    assert first[0] == "0"
    said = json.loads(first[1:])
    assert set(said) == KEYS and said["upgrades"] == []
    assert (said["pingInterval"], said["pingTimeout"], said["maxPayload"]) == (300, 200, 1000000)
    ws.close()


def test_the_settings_are_what_the_open_packet_says(start):
    server = start("engine", ping_interval="7s", ping_timeout="3s", max_payload="12345")
    said = opened(Http(server).request("GET", server.target()))
    assert (said["pingInterval"], said["pingTimeout"], said["maxPayload"]) == (7000, 3000, 12345)


def test_each_session_has_a_sid_of_its_own(engine):
    http = Http(engine)
    sids = {opened(http.request("GET", engine.target()))["sid"] for _ in range(50)}
    assert len(sids) == 50


QUERIES = {
    "javascript": "EIO=4&transport=polling&t=9c2mjjhj",
    "python": "transport=polling&EIO=4&t=1795377040.67825",
    "with the user's own": "token=abc&x=%20&transport=polling&EIO=4",
    "an empty sid": "EIO=4&transport=polling&sid=",
    "b64 of older versions": "EIO=4&transport=polling&b64=1",
    "the last of two": "EIO=3&transport=smoke&EIO=4&transport=polling",
    "an encoded ampersand": "EIO=4&transport=polling&x=%26EIO=3&y=a%26transport=smoke",
    "a long one before": "token=" + "x" * 5000 + "&EIO=4&transport=polling",
    "an empty parameter": "EIO=4&&transport=polling&",
    "a name without a value": "flag&EIO=4&transport=polling",
}


@pytest.mark.parametrize("query", QUERIES.values(),
                         ids=[name.replace(" ", "_") for name in QUERIES])
def test_parameters_in_any_order_and_others_besides(engine, query):
    answer = Http(engine).request("GET", f"{engine.path}?{query}")
    assert opened(answer)["upgrades"] == ["websocket"]


@pytest.mark.ours("JSONP is of version 3: Node still answers with a call of a function")
def test_there_is_no_jsonp(engine):
    opened(Http(engine).request("GET", engine.target(j="0")))


def test_a_duplicate_sid_counts_as_the_last(engine):
    poll = Poll(engine)
    http = Http(engine)
    assert http.request("POST", engine.target(sid="x" * 20) + f"&sid={poll.sid}",
                        "4a").status == 200
    assert http.request("POST", poll.target + "&sid=" + "x" * 20, "4b").status == 400
    assert poll.get().text == "4a"


def test_the_path_may_have_more_behind_it(engine):
    """Some proxies send a second slash."""
    http = Http(engine)
    for path in (f"{engine.path}/", f"{engine.path}more"):
        opened(http.request("GET", f"{path}?EIO=4&transport=polling"))
    ws = WebSocket(engine, f"{engine.path}/?EIO=4&transport=websocket")
    assert ws.message()[0] == "0"
    poll = Poll(engine)
    poll.target = poll.target.replace("?", "/?")
    poll.send("4x")
    assert poll.receive() == "4x"


@pytest.mark.parametrize("path",
                         ["/", "/elsewhere/", "/engine.iox/", "/x/engine.io/", "/engine.io"])
def test_elsewhere_is_not_found(engine, path):
    for method in ("GET", "POST"):
        assert Http(engine).request(method, f"{path}?EIO=4&transport=polling").status == 404


@pytest.mark.ours("Node drops the connection after a second, without an answer")
def test_a_websocket_elsewhere_is_not_found(engine):
    assert WebSocket(engine, "/elsewhere/?EIO=4&transport=websocket").opening.status == 404


def test_connections_are_kept_alive(engine):
    http = Http(engine)
    sid = opened(http.request("GET", engine.target()))["sid"]
    for i in range(20):
        assert http.request("POST", engine.target(sid=sid), f"4{i}").status == 200
        assert http.request("GET", engine.target(sid=sid)).text == f"4{i}"
    assert http.request("GET", engine.target(sid="unknown")).status == 400
    assert http.request("GET", engine.target()).status == 200


def test_a_connection_is_closed_for_who_asks_so(engine):
    http = Http(engine).ask("GET", engine.target(), headers=["Connection: close"])
    opened(http.answer())
    with pytest.raises(Closed):
        http.more()


@pytest.mark.parametrize("header", ["Connection: Upgrade", "Connection: keep-alive, Upgrade",
                                    "Connection: upgrade, close", "Connection:"])
def test_a_polling_request_is_one_whatever_its_connection_header_says(engine, header):
    """Some proxies send Connection: Upgrade with every request."""
    poll = Poll(engine, headers=[header] if "close" not in header else [])
    http = Http(engine)
    assert http.request("POST", poll.target, "4x", headers=[header]).text == "ok"
    assert Http(engine).request("GET", poll.target, headers=[header]).text == "4x"


def websocket_request(server, *headers):
    """A handshake with these headers."""
    return Http(server).ask("GET", server.target("websocket"), headers=[
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", *headers])


@pytest.mark.parametrize("headers", [
    ("Upgrade: websocket", "Connection: keep-alive, Upgrade"),
    ("Upgrade: WebSocket", "Connection: upgrade"),
    ("upgrade: websocket", "connection: Upgrade,keep-alive")])
def test_the_forms_of_an_upgrade(engine, headers):
    http = websocket_request(engine, *headers)
    answer = http.answer()
    assert answer.status == 101
    assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize("offer",
                         ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
                          "Sec-WebSocket-Extensions: x-unknown"])
def test_no_extension_is_taken(engine, offer):
    ws = WebSocket(engine, engine.target("websocket"), headers=[offer])
    assert ws.opening.status == 101
    assert "sec-websocket-extensions" not in ws.opening.headers
    assert ws.message()[0] == "0"
    ws.text("4x" * 1000)
    assert ws.message() == "4x" * 1000


def test_frames_in_one_piece_with_the_request_are_not_lost(engine):
    ws = WebSocket(engine, engine.target("websocket"), early=frame(TEXT, "4early"))
    assert ws.message()[0] == "0"
    assert ws.message() == "4early"


def test_sessions_do_not_mix(engine):
    polls, sockets = [Poll(engine) for _ in range(10)], [Ws(engine) for _ in range(10)]
    everyone = polls + sockets
    for number, each in enumerate(everyone):
        each.send(f"4{number}")
    assert [each.receive() for each in everyone] == [f"4{number}" for number in range(20)]
