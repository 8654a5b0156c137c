"""What one client may cost: hostile clients beside honest ones, with the labs of test/daemon.

One file for each thing that a client could use up, named by what must not happen.

honest       clients of this process that only receive what a test emits to everyone
make_siege   python-socketio clients in other processes beside an attack, and what it costs:

    siege = make_siege("--byte-rate", "300kB")
    with siege.attack() as cost:
        ...                         # what the strangers do: siege.world, siege.token(NODE)
    assert cost.wal < 20000000      # the honest clients were not harmed, or this is not reached

release      has the labs of a test run the program without sanitizers: then RSS says something
"""
import importlib.util
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
DAEMON = os.path.join(os.path.dirname(HERE), "daemon")
sys.path.insert(0, HERE)
# Not "import conftest", which is this file.
_spec = importlib.util.spec_from_file_location("daemon_conftest", f"{DAEMON}/conftest.py")
_daemon = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_daemon)
globals().update({name: value for name, value in vars(_daemon).items()
                  if not name.startswith("_") and name not in globals()})

from clients import Raw  # noqa: E402
from lablib.lab import TOP  # noqa: E402
from siege import SETTINGS, Siege  # noqa: E402

CAST = (1, 2, 3, 4, 5, 11, 12, 13, 14, 15)
HONEST = 50


class Honest:
    """Clients that only receive. Each must receive each event once, and none may be closed."""

    def __init__(self, world, clients, without):
        self.world, self.events = world, 0
        cast = [ident for ident in CAST if ident not in without]
        self.clients = [clients(Raw(world, cast[n % len(cast)])) for n in range(HONEST)]
        world.joined(*self.clients)

    def receive(self, times=1):
        """So many events reach all of them."""
        for _ in range(times):
            self.events += 1
            self.world.emit("honest", [self.events], "everyone")
        for client in self.clients:
            client.wait("honest", self.events)

    def well(self):
        """One event more reaches all; none was closed, and none has missed or repeated one."""
        self.receive()
        for client in self.clients:
            assert not client.closed, f"{client} was closed"
            numbers = [event[1] for event in client.heard("honest")]
            assert numbers == list(range(1, self.events + 1)), f"{client} received {numbers}"


@pytest.fixture
def honest(clients):
    """honest(world, without=()): 50 honest clients, none of them one of these principals."""
    return lambda world, without=(): Honest(world, clients, without)


@pytest.fixture
def release(monkeypatch):
    """The labs of this test run the program without sanitizers."""
    monkeypatch.setenv("PUSHD", f"{TOP}/build/release/vantage6-pushd")


@pytest.fixture
def make_siege(own_lab):  # noqa: F821  pylint: disable=undefined-variable
    """make_siege(*options, settings="", honest=50): a lab with honest clients and strangers."""
    made = []

    def make(*options, settings="", **more):
        world = own_lab(options=list(options), settings=SETTINGS + settings)
        made.append(Siege(world, **more))
        return made[-1]

    yield make
    for siege in made:
        siege.close()
