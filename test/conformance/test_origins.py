"""Browsers of other origins: preflight requests, the headers of every answer, origins that are not
allowed."""
import pytest

from sessions import Poll
from rawlib.blocking import Http, WebSocket

UI = "https://ui.example"
PREFLIGHT = ["Access-Control-Request-Method: GET",
             "Access-Control-Request-Headers: authorization,x-other"]


def preflight(server, target, origin=UI):
    """A preflight request and its answer."""
    return Http(server).request("OPTIONS", target, headers=[f"Origin: {origin}", *PREFLIGHT])


def test_a_preflight_is_answered_before_anything_is_asked(engine):
    poll = Poll(engine)
    for target in (engine.target(), engine.target(sid="unknown"), engine.target("smoke", EIO=None),
                   poll.target, engine.path):
        answer = preflight(engine, target)
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == UI
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert answer.headers["access-control-allow-headers"] == "authorization,x-other"
        assert {"GET", "POST"} <= set(
            answer.headers["access-control-allow-methods"].replace(" ", "").split(","))
        assert "origin" in answer.headers["vary"].lower()


def test_a_preflight_keeps_the_connection(engine):
    http = Http(engine)
    assert http.request("OPTIONS", engine.target(),
                        headers=[f"Origin: {UI}", *PREFLIGHT]).status == 204
    assert http.request("GET", engine.target(), headers=[f"Origin: {UI}"]).status == 200


def answers(server):
    """(status, answer) of every kind of request, all with an origin."""
    headers = [f"Origin: {UI}"]
    poll, http = Poll(server, headers), Http(server)
    yield 200, http.request("GET", server.target(), headers=headers)
    yield 200, poll.post("4x", headers)
    yield 200, http.request("GET", poll.target, headers=headers)
    yield 400, http.request("GET", server.target("smoke"), headers=headers)
    yield 400, http.request("GET", server.target(sid="unknown"), headers=headers)
    yield 400, http.request("GET", server.target(EIO="3"), headers=headers)
    yield 400, http.request("POST", server.target(), headers=headers)


def test_every_answer_allows_the_origin_it_was_asked_from(engine):
    for status, answer in answers(engine):
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == UI, answer
        assert answer.headers["access-control-allow-credentials"] == "true", answer
        assert "origin" in answer.headers["vary"].lower(), answer


def test_answers_without_a_body_allow_the_origin_too(engine):
    headers = [f"Origin: {UI}"]
    octets, large = Poll(engine, headers), Poll(engine, headers)
    for status, answer in (
            (400, octets.post("4x", [*headers, "Content-Type: application/octet-stream"])),
            (413, large.post("4" * 1000001, headers))):
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == UI, answer


def test_no_origin_needs_no_headers(engine):
    for target in (engine.target(), engine.target(sid="unknown")):
        assert "access-control-allow-origin" not in Http(engine).request("GET", target).headers


def test_a_websocket_handshake_of_another_origin(engine):
    ws = WebSocket(engine, engine.target("websocket"), headers=[f"Origin: {UI}"])
    assert ws.opening.status == 101
    assert ws.message()[0] == "0"


@pytest.mark.ours(
    "Node's cors option refuses nothing: it leaves headers out, and protects no WebSocket")
@pytest.mark.parametrize("origin", ["https://evil.example", "https://ui.example.evil.example",
                                    "http://ui.example", "https://ui.example:8443", "null",
                                    "HTTPS://UI.EXAMPLE/"])
def test_an_origin_that_is_not_allowed_is_refused(start, origin):
    server = start("engine", cors_allowed_origins=f"{UI} http://localhost:4200")
    answer = Http(server).request("GET", server.target(), headers=[f"Origin: {origin}"])
    assert (answer.status, answer.text) == (403, '{"code":4,"message":"Forbidden"}')
    assert "access-control-allow-origin" not in answer.headers
    assert WebSocket(server, server.target("websocket"),
                     headers=[f"Origin: {origin}"]).opening.status == 403
    assert "access-control-allow-origin" not in preflight(server, server.target(), origin).headers
    poll = Poll(server, headers=[f"Origin: {UI}"])
    assert poll.post("4x", [f"Origin: {origin}"]).status == 403
    poll.send("4y")
    assert poll.receive() == "4y"


def test_the_origins_that_are_allowed(start):
    server = start("engine", cors_allowed_origins=f"{UI} http://localhost:4200")
    for origin in (UI, "http://localhost:4200"):
        answer = Http(server).request("GET", server.target(), headers=[f"Origin: {origin}"])
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, origin)
        assert preflight(server, server.target(),
                         origin).headers["access-control-allow-origin"] == origin
        assert WebSocket(server, server.target("websocket"), headers=[f"Origin: {origin}"]).is_open
    assert Http(server).request("GET", server.target()).status == 200, "programs send none"
