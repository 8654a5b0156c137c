"""Conformance: Engine.IO 4 and Socket.IO 5 as a client sees them, against any server.

The tests follow the protocols and, where these are silent, the reference server (socket.io 4.8 in
Node). They run against build/asan/fixture, or by hand against another server that does what
fixture.c says (see also server.py):

    CONFORMANCE_SERVER="node /somewhere/server.js" /usr/bin/python3 -m pytest test/conformance

A test marked `ours("reason")` holds what we do differently on purpose: with another server it must
fail. CONFORMANCE_PATIENCE=SECONDS is how long a test waits for what does not come.

`engine` and `server` are the calm servers of a module; `start(mode, **options)` makes one with
other options.
"""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from rawlib.wire import Closed  # noqa: E402
from server import CALM, OTHER, Server  # noqa: E402
from sessions import SESSIONS, Client  # noqa: E402


def pytest_configure(config):
    """The one mark there is."""
    config.addinivalue_line("markers",
                            "ours(reason): we differ from the reference server on purpose")


def pytest_collection_modifyitems(items):
    """Another server is expected to do otherwise."""
    for item in items:
        mark = item.get_closest_marker("ours")
        if mark:
            assert mark.args, f"{item.nodeid}: expected a reason"
            if OTHER:
                item.add_marker(pytest.mark.xfail(reason=mark.args[0], strict=True,
                                                  raises=(AssertionError, Closed)))


@pytest.fixture(scope="module")
def start():
    """start(mode, **options): a server with these options beside the calm ones; the same again for
    the same."""
    servers = {}

    def make(mode, **options):
        key = (mode, *sorted(options.items()))
        if key not in servers:
            servers[key] = Server(mode, **{**CALM, **options})
        assert servers[key].runs(), servers[key].errors()
        return servers[key]

    yield make
    failures = []
    for made in servers.values():
        try:
            made.end()
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, "\n".join(failures)


@pytest.fixture
def serve(start):
    """The same, of a server that must still run at the end of the test."""
    used = []

    def one(mode, **options):
        used.append(start(mode, **options))
        return used[-1]
    yield one
    for server in used:
        assert server.runs(), server.errors()


@pytest.fixture
def engine(serve):
    """Engine.IO: each message is echoed."""
    return serve("engine")


@pytest.fixture
def server(serve):
    """Socket.IO with the namespaces / and /custom."""
    return serve("socket")


@pytest.fixture(params=SESSIONS)
def session(request, engine):
    """An Engine.IO session over each transport."""
    made = SESSIONS[request.param](engine)
    yield made
    made.close()


@pytest.fixture(params=SESSIONS)
def nobody(request, server):
    """A client over each transport that has not connected to any namespace."""
    made = SESSIONS[request.param](server)
    yield Client(made, nsp=None)
    made.close()


@pytest.fixture
def client(nobody):
    """A client over each transport that is connected to the main namespace."""
    nobody.sid = nobody.connect()
    return nobody
