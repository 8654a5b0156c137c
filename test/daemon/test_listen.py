"""What the daemon listens on, and how many files it may have open for it."""
import fcntl
import resource
import socket
import struct

import pytest

from lablib.facts import wait_for
from lablib.process import free_ports
from lone_pushd import KEYSETS, Pushd
from rawlib.blocking import Http
from rawlib.wire import POLLING, request

ADDRESS = "198.51.100.7"  # RFC 5737: for documentation, so no machine has it
SIOCSIFADDR, SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8916, 0x8913, 0x8914, 1


def set_alias(address):
    """Give the loopback interface this address as well; None takes it away."""
    name = b"lo:vantage6"[:15]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        if address:
            packed = struct.pack("16sH2s4s8s", name, socket.AF_INET, b"", socket.inet_aton(address),
                                 b"")
            fcntl.ioctl(sock, SIOCSIFADDR, packed)
        else:
            flags = fcntl.ioctl(sock, SIOCGIFFLAGS, struct.pack("16sh", name, 0))
            flags = struct.unpack_from("16sh", flags)[1] & ~IFF_UP
            fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh", name, flags))


@pytest.fixture
def start(tmp_path):
    daemons = []

    def start_one(*options, **more):
        keys = tmp_path / "keys.json"
        keys.write_text(KEYSETS["one"])
        daemons.append(Pushd(str(tmp_path), "--jwks-file", str(keys), *options, **more))
        return daemons[-1]
    yield start_one
    for daemon in daemons:
        daemon.end()


class Public:
    """The public port, for Http."""

    def __init__(self, host, port):
        self.address = host, port


@pytest.fixture
def alias():
    """Makes and removes the address."""
    yield lambda: set_alias(ADDRESS)
    try:
        set_alias(None)
    except OSError:
        pass  # it was not made


@pytest.mark.parametrize("host, client", [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"),
                                          ("[::1]", "::1"), ("[::]", "::1")])
def test_ipv4_and_ipv6(start, host, client):
    port = free_ports(1)
    start("--listen", f"{host}:{port}")
    assert Http(Public(client, port), request("GET", POLLING)).status() == 200


def test_an_address_that_comes_late_is_waited_for(start, alias):
    port = free_ports(1)
    daemon = start("--listen", f"{ADDRESS}:{port}")
    assert "listen: this machine does not have the address yet" in daemon.get("/readyz").text
    assert daemon.logged().count("tried again every second") == 1
    assert "not listening yet" in daemon.logged()
    try:
        alias()
    except PermissionError:
        pytest.skip("an address can be added by root only")
    wait_for(lambda: "listening at last" in daemon.logged(), "the daemon to listen")
    assert "listen:" not in daemon.get("/readyz").text
    assert Http(Public(ADDRESS, port), request("GET", POLLING)).status() == 200


def test_an_address_that_comes_late_may_be_taken(start, alias):
    port = free_ports(1)
    with socket.create_server(("0.0.0.0", port)):
        daemon = start("--listen", f"{ADDRESS}:{port}")
        try:
            alias()
        except PermissionError:
            pytest.skip("an address can be added by root only")
        wait_for(lambda: "address already in use" in daemon.logged(), "it to be told")
        assert "listen: the address cannot be used" in daemon.get("/readyz").text
    wait_for(lambda: "listening at last" in daemon.logged(), "the daemon to listen")


def test_it_ends_while_it_waits_for_its_address(start):
    start("--listen", f"{ADDRESS}:{free_ports(1)}").end()


def test_the_limit_of_files_is_what_is_needed_and_no_more(start):
    """libwebsockets allocates by it, and containers have limits of 2^30."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    needed = 100 + 50 + 192  # max_connections, max_polling, its own
    assert most == resource.RLIM_INFINITY or most > needed
    daemon = start("--max-polling", "50", before=["prlimit", f"--nofile={most}:{most}"])
    with open(f"/proc/{daemon.process.pid}/limits", encoding="ascii") as limits:
        soft = next(line for line in limits if line.startswith("Max open files")).split()[3]
    assert int(soft) == needed
