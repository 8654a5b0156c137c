"""Which requests are refused, in which order, and with what."""
import json

import pytest

from sessions import UNKNOWN_SID, Poll, Ws
from rawlib.blocking import Http, WebSocket

ERRORS = {0: "Transport unknown", 1: "Session ID unknown", 2: "Bad handshake method",
          3: "Bad request", 5: "Unsupported protocol version"}
NO_SID = "x" * 20

# (what, method, parameters, code): parameters replace those of a good polling handshake, None
# leaves one out.
HANDSHAKES = [
    ("no transport", "GET", {"transport": None}, 0),
    ("unknown transport", "GET", {"transport": "smoke"}, 0),
    ("empty transport", "GET", {"transport": ""}, 0),
    ("transport in capitals", "GET", {"transport": "POLLING"}, 0),
    ("webtransport", "GET", {"transport": "webtransport"}, 0),
    ("the property of an object", "GET", {"transport": "constructor"}, 0),
    ("transport before version", "GET", {"transport": "smoke", "EIO": "3"}, 0),
    ("transport before method", "POST", {"transport": "smoke"}, 0),
    ("transport before sid", "GET", {"transport": "smoke", "sid": NO_SID}, 0),
    ("unknown sid", "GET", {"sid": NO_SID}, 1),
    ("short sid", "GET", {"sid": "x"}, 1),
    ("long sid", "GET", {"sid": "x" * 3000}, 1),
    ("the name of an object's method", "GET", {"sid": "hasOwnProperty"}, 1),
    ("POST to an unknown sid", "POST", {"sid": NO_SID}, 1),
    ("PUT to an unknown sid", "PUT", {"sid": NO_SID}, 1),
    ("DELETE to an unknown sid", "DELETE", {"sid": NO_SID}, 1),
    ("sid before version", "GET", {"sid": NO_SID, "EIO": "3"}, 1),
    ("sid before websocket without Upgrade", "GET", {"sid": NO_SID, "transport": "websocket"}, 1),
    ("POST without sid", "POST", {}, 2),
    ("PUT without sid", "PUT", {}, 2),
    ("DELETE without sid", "DELETE", {}, 2),
    ("PATCH without sid", "PATCH", {}, 2),
    ("method before version", "POST", {"EIO": "3"}, 2),
    ("method before websocket without Upgrade", "POST", {"transport": "websocket"}, 2),
    ("websocket without Upgrade", "GET", {"transport": "websocket"}, 3),
    ("websocket without Upgrade before version", "GET", {"transport": "websocket", "EIO": "3"}, 3),
    ("no version", "GET", {"EIO": None}, 5),
    ("version 3", "GET", {"EIO": "3"}, 5),
    ("version abc", "GET", {"EIO": "abc"}, 5),
    ("empty version", "GET", {"EIO": ""}, 5),
    ("version 5", "GET", {"EIO": "5"}, 5),
    ("version 44", "GET", {"EIO": "44"}, 5),
]


def names(rows):
    """Test names of a table's rows."""
    return [row[0].replace(" ", "_") for row in rows]


@pytest.mark.parametrize("method, parameters, code", [row[1:] for row in HANDSHAKES],
                         ids=names(HANDSHAKES))
def test_a_bad_request_is_told_why(engine, method, parameters, code):
    for origin in (None, "https://ui.example"):
        answer = Http(engine).request(method, engine.target(**parameters),
                                      headers=[f"Origin: {origin}"] if origin else [])
        assert (answer.status, answer.text) == (400,
                                                f'{{"code":{code},"message":"{ERRORS[code]}"}}')
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers.get("access-control-allow-origin") == origin
        if origin:
            assert answer.headers["access-control-allow-credentials"] == "true"
    assert Http(engine).request("GET", engine.target()).status == 200


def test_the_version_is_needed_with_every_request(engine):
    poll, http = Poll(engine), Http(engine)
    for version in (None, "3", "abc", "5"):
        for method in ("GET", "POST"):
            answer = http.request(method, engine.target(sid=poll.sid, EIO=version), "4x"
                                  if method == "POST" else b"")
            assert (answer.status, json.loads(answer.text)["code"]) == (400, 3), (version, method)
        assert WebSocket(engine, engine.target("websocket", sid=poll.sid,
                                               EIO=version)).opening.status == 400
    poll.send("4unharmed")
    assert poll.receive() == "4unharmed"


def test_a_request_must_name_the_transport_that_the_session_has(engine):
    poll, ws, http = Poll(engine), Ws(engine), Http(engine)
    for sid, transport in ((poll.sid, "websocket"), (ws.sid, "polling")):
        for method in ("GET", "POST"):
            answer = http.request(method, engine.target(transport, sid=sid))
            assert (answer.status, answer.text) == (400, '{"code":3,"message":"Bad request"}')
    for unharmed in (poll, ws):
        unharmed.send("4x")
        assert unharmed.receive() == "4x"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_another_method_for_a_session_is_refused_and_harms_nothing(engine, method):
    poll = Poll(engine)
    answer = Http(engine).request(method, poll.target, headers=["Content-Length: 0"])
    assert (answer.status, answer.body) == (500, b"")
    poll.send("4x")
    assert poll.receive() == "4x"


def test_a_head_request_opens_nothing(engine):
    http = Http(engine).ask("HEAD", engine.target())
    assert http.take(b"\r\n").startswith(b"HTTP/1.1 400 ")


def test_an_answer_to_one_who_has_an_odd_origin(engine):
    """Printable is all an origin has to be, as long as all are allowed."""
    answer = Http(engine).request("GET", engine.target(), headers=["Origin: null"])
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "null")


@pytest.mark.parametrize("origin", [b"https://x\x01y", b"https://x\x7fy"],
                         ids=["control", "delete"])
def test_an_origin_with_a_control_character_opens_nothing(engine, origin):
    """Node's own HTTP parser refuses it already, with 400 and without a body."""
    http = Http(engine)
    http.send(b"GET " + engine.target().encode() + b" HTTP/1.1\r\nHost: x\r\nOrigin: " + origin
              + b"\r\n\r\n")
    answer = http.answer()
    assert answer.status == 400 and b"sid" not in answer.body


# --- upgrade requests ---------------------------------------------------------------------------

UPGRADES = [
    ("no transport", {"transport": None}, 0),
    ("unknown transport", {"transport": "smoke"}, 0),
    ("transport before version", {"transport": "smoke", "EIO": "3"}, 0),
    ("unknown sid", {"sid": NO_SID}, 1),
    ("sid before version", {"sid": NO_SID, "EIO": "3"}, 1),
]
LATE_UPGRADES = [
    ("no version", {"EIO": None}, 5),
    ("version abc", {"EIO": "abc"}, 5),
    ("version 3", {"EIO": "3"}, 5),
    ("polling", {"transport": "polling"}, 3),
]


@pytest.mark.parametrize("parameters, code", [row[1:] for row in UPGRADES], ids=names(UPGRADES))
def test_a_bad_upgrade_is_refused_before_it_is_a_websocket(engine, parameters, code):
    ws = WebSocket(engine, engine.target(**{"transport": "websocket", **parameters}))
    assert ws.opening.status == 400
    assert ERRORS[code] in ws.opening.text
    assert ws.rest() == b"", "the connection is closed"


@pytest.mark.ours(
    "Node completes the handshake, then writes an HTTP answer into the WebSocket, or closes it")
@pytest.mark.parametrize("parameters, code", [row[1:] for row in LATE_UPGRADES],
                         ids=names(LATE_UPGRADES))
def test_a_bad_upgrade_is_refused_before_it_is_a_websocket_also_for_its_version(
        engine, parameters, code):
    ws = WebSocket(engine, engine.target(**{"transport": "websocket", **parameters}))
    assert (ws.opening.status, ws.opening.text) == (400,
                                                    f'{{"code":{code},"message":"{ERRORS[code]}"}}')
    assert ws.rest() == b"", "the connection is closed"


@pytest.mark.ours("Node writes the bare message with Content-type: text/html")
def test_a_refused_upgrade_has_the_same_body_as_a_refused_request(engine):
    ws = WebSocket(engine, engine.target("websocket", sid=NO_SID),
                   headers=["Origin: https://ui.example"])
    assert (ws.opening.status, ws.opening.text) == (400, UNKNOWN_SID)
    assert ws.opening.headers["content-type"] == "application/json"
    assert ws.opening.headers["access-control-allow-origin"] == "https://ui.example"


@pytest.mark.parametrize("upgrade", ["h2c", "nonsense", "websocket2"])
def test_an_upgrade_to_anything_else_is_refused(engine, upgrade):
    for transport in ("websocket", "polling"):
        ws = WebSocket(engine, engine.target(transport), upgrade=upgrade)
        assert ws.opening.status in (400, 403)




def test_a_refusal_leaves_the_session_as_it_was(engine):
    poll = Poll(engine)
    held = poll.hold()
    for method, target in (("GET", engine.target("smoke", sid=poll.sid)), ("PUT", engine.target()),
                           ("GET", engine.target(sid=poll.sid, EIO="3"))):
        assert Http(engine).request(method, target).status == 400
    assert held.silent()
    poll.send("4x")
    assert held.answer().text == "4x"
