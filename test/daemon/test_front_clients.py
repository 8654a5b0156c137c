"""Real clients with headers, parameters and subprotocols of their own receive their events."""
from functools import partial

import pytest

from clients import Node, Python
from lablib.facts import wait_for

NODE, USER = 3, 15
TRANSPORTS = {"polling": ("polling",), "websocket": ("websocket",),
              "upgrade": ("polling", "websocket")}
OPTIONS = {
    "a header that begins like others": {"extraHeaders": {"X-Auth": "a"}},
    "several such headers": {"extraHeaders": {"x-f": "1", "ori": "2", "Cont": "3", "Sec-Web": "4",
                                              "Auth": "5"}},
    "a subprotocol": {"protocols": ["foo"]}, "several subprotocols": {"protocols": ["foo", "bar"]},
    "a newline in a parameter": {"query": {"a": "l1\nl2"}},
    "all that a parameter may hold": {"query": {"a&b\n": "\r\nOrigin: x\r\n\r\n", "c": "\0%&=+#",
                                                "d": "ü😀", "%0a": "%250a", "e": ""}},
}


def node(more):
    """A maker of socket.io-client in Node with these options."""
    # The token's header goes into a copy: options are shared by the tests.
    more = {name: dict(value) if isinstance(value, dict) else value for name, value in more.items()}
    return lambda world, transports: Node(world, USER, transports=transports, more=more)


def python(headers):
    """A maker of python-socketio with these headers."""
    return lambda world, transports: Python(world, NODE, transports=list(transports),
                                            headers=headers)


MAKERS = {**{f"node {name}": partial(node, more) for name, more in OPTIONS.items()},
          "python a header that begins like others": partial(python, {"X-Auth": "a"}),
          "python several such headers": partial(python, OPTIONS["several such headers"]
                                                 ["extraHeaders"])}


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS)
@pytest.mark.parametrize("make", MAKERS.values(), ids=[name.replace(" ", "_") for name in MAKERS])
def test_a_client_with_options_of_its_own_receives_its_events(v5, clients, make, transports):
    client = clients(make()(v5, transports))
    v5.joined(client)
    wait_for(lambda: client.transport == transports[-1], f"{client} to use {transports[-1]}")
    v5.emit("for_it", ["x"], f"user_{client.ident}", f"node_{client.ident}")
    assert client.wait("for_it")[:2] == ["for_it", "x"]
    assert client.connects == 1 and not client.disconnects and not client.errors
