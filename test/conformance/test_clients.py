"""The real clients, over each transport: bytes and acks both ways, and two namespaces on one
connection."""
import os
import sys
from functools import partial

import pytest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "daemon"))

from browser import Chromium  # noqa: E402
from clients import Node, Python, pack  # noqa: E402
from lablib.facts import wait_for  # noqa: E402

TRANSPORTS = {"polling": ("polling",), "websocket": ("websocket",),
              "upgrade": ("polling", "websocket")}
KINDS = {"python": partial(Python, in_order=True), "node": Node, "chromium": Chromium}
MAIN, CUSTOM = "/", "/custom"
AUTH = {"key": "value", "n": [1, None, True]}
# What JSON and base64 might spoil: every byte, none, enough for more than one frame of WebSocket,
# and names like escapes.
BYTES = bytes(range(256))
ARGUMENTS = {
    "text": ["grüße \u2028 \x1e \" \\ 漢字 😀", 1.5, None, {"a": []}],
    "none": [],
    "bytes": [BYTES],
    "no bytes": [b""],
    "many": [b"\x00", {"deep": [b"\x1e\xff", {"er": b"2probe"}]}, "b4", b"x" * 100_000],
}


class Place:
    """A server of this folder as the world of a client."""

    def __init__(self, server):
        self.server = server

    def url(self, _instance=0):
        """Where clients connect."""
        return "http://{}:{}".format(*self.server.address)

    def token(self, _ident):
        """There are none."""
        return None


@pytest.fixture(scope="module", params=[(kind, way) for kind in KINDS for way in TRANSPORTS],
                ids="-".join)
def real(request, start):
    """A client of each kind over each transport, in two namespaces."""
    kind, way = request.param
    made = KINDS[kind](Place(start("socket")), None, transports=TRANSPORTS[way],
                       namespaces=[MAIN, CUSTOM], auth=AUTH)
    yield made
    made.close()


def test_the_transport_is_the_one_that_was_asked_for(real, request):
    way = request.node.callspec.params["real"][1]
    wait_for(lambda: real.transport == ("polling" if way == "polling" else "websocket"),
             f"{real} to use {way}")


def test_auth_reaches_the_server_and_comes_back_in_each_namespace(real):
    for nsp in (MAIN, CUSTOM):
        assert real.wait("auth", nsp=nsp) == ["auth", AUTH]


def test_two_namespaces_share_one_connection(real):
    assert real.connects_in == {MAIN: 1, CUSTOM: 1}
    assert len(real.engines) == 2 and len(set(real.engines)) == 1


@pytest.mark.parametrize("args", ARGUMENTS.values(), ids=ARGUMENTS)
def test_an_event_there_and_back(real, args):
    before = len(real.heard("message-back"))
    real.emit("message", *args)
    assert real.wait("message-back", before + 1) == ["message-back", *args]


@pytest.mark.parametrize("args", ARGUMENTS.values(), ids=ARGUMENTS)
def test_the_server_acknowledges(real, args):
    assert real.call("message-with-ack", *args) == args


@pytest.mark.parametrize("args", ARGUMENTS.values(), ids=ARGUMENTS)
def test_the_client_acknowledges(real, args):
    before = len(real.heard("answered"))
    real.emit("ask", *args)
    assert real.wait("answered", before + 1) == ["answered", *args]
    assert real.heard("asked")[-1] == ["asked", *args]


def test_events_with_and_without_bytes_stay_in_order(real):
    before = len(real.heard("message-back"))
    sent = [[i, bytes([i]) * i] if i % 3 else [i] for i in range(60)]
    for args in sent:
        real.emit("message", *args)
    real.wait("message-back", before + len(sent))
    assert [event[1:] for event in real.heard("message-back")[before:]] == sent


@pytest.mark.parametrize("kind", [Node, Chromium])
def test_what_is_sent_before_and_during_the_upgrade_is_answered_once_and_in_order(start, kind):
    sent = [[i, bytes([i]) * i * 10] for i in range(200)]
    early = [["emit", MAIN, None, "message", *pack(args)] for args in sent]
    made = kind(Place(start("socket")), None, namespaces=[MAIN], early=early)
    try:
        wait_for(lambda: made.upgrades == ["websocket"], f"{made} to upgrade")
        assert made.call("message-with-ack", "last") == ["last"]
        assert [event[1:] for event in made.heard("message-back")] == sent
    finally:
        made.close()


def test_a_namespace_is_left_and_the_other_stays(real):
    """The last: what is left is not joined again."""
    real.leave(CUSTOM)
    wait_for(lambda: real.disconnects_in[CUSTOM] == 1, f"{real} to have left")
    assert real.call("message-with-ack", 1) == [1]
    assert (real.disconnects_in[MAIN] == 0 and not real.errors
            and not real.heard("message-back", nsp=CUSTOM))
