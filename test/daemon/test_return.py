"""A client whose connection the server ended returns with the token that it had been accepted with,
though that has expired meanwhile. All other expired tokens count as expired."""
import threading
import time

import pytest

from clients import Python, Raw
from lablib.facts import wait_for

NODE, USER = 3, 13
OPTIONS = ("--leeway", "0s", "--drain-time", "0s")


class Token:
    """One that is good for some seconds."""

    def __init__(self, world, ident=NODE, ttl=5):
        self.text, self.end = world.token(ident, ttl=ttl), time.time() + ttl

    def wait_expired(self):
        """Wait until it has expired. It counts in whole seconds."""
        wait_for(lambda: time.time() > self.end + 1, "the token to expire")


def drain(world, _client):
    """An update of pushd."""
    world.lab.stop_pushd(0)
    world.lab.start_pushd(0)


def kill(world, _client):
    """pushd ends by force, and is started again."""
    world.lab.kill_pushd(0)
    world.lab.start_pushd(0)


def lose(world, client):
    """pushd ends by force, and another instance gets its clients before it has missed it."""
    client.sio.connection_url = world.url(1)
    world.lab.kill_pushd(0)


def configures(world, client, value):
    """What it sends has an effect in HQ's tables."""
    client.emit("node_info_update", {"said": value})
    wait_for(lambda: world.sql("SELECT FROM nodeconfig WHERE node_id = %s AND value = %s",
                               client.ident, value), f"{client} to be believed")


@pytest.mark.parametrize("end", [drain, kill, lose])
def test_a_node_whose_connection_the_server_ended_returns_with_its_expired_token(
        own_lab, clients, end):
    world = own_lab(instances=2, options=OPTIONS)
    token = Token(world)
    node = clients(Python(world, NODE, token=token.text))
    node.wait("sync")
    configures(world, node, "before")
    token.wait_expired()
    end(world, node)
    node.wait("sync", 2)
    configures(world, node, "after")
    assert node.heard("expired_token") == [] and node.heard("sync") == [["sync"]] * 2
    assert world.sql("SELECT count(*) FROM vantage6_events.lease WHERE principal_id = %s", NODE,
                     user="postgres") == [(1,)]


def accepted(world, clients, ident=NODE, **how):
    """A client that the server has accepted, and its token, which has expired since."""
    token = Token(world, ident, ttl=5)
    client = clients(Raw(world, ident, token=token.text, **how))
    world.joined(client)
    token.wait_expired()
    return client, token.text


def comes(world, clients, token, ident=NODE, **how):
    """True if one with this token is accepted, False if it is told that it has expired."""
    client = clients(Raw(world, ident, token=token, **how))
    mark = "still_here"

    def told():
        world.emit(mark, None, f"node_{ident}", f"user_{ident}")
        return client.heard(mark, "expired_token")
    return wait_for(told, f"{client} to be told")[0][0] == mark


def test_each_end_is_good_once_and_only_for_its_token_and_address(
        limited, clients):
    world = limited(*OPTIONS, "--trusted-proxies", "127.0.0.1")
    here, there = ({"headers": [f"X-Forwarded-For: {a}"]} for a in ("192.0.2.1", "192.0.2.2"))
    for ident in (NODE, USER):
        token = accepted(world, clients, ident, **here)[1]
        other = Token(world, ident, ttl=1)
        other.wait_expired()
        drain(world, None)
        assert not comes(world, clients, token, ident, **there)
        assert not comes(world, clients, other.text, ident, **here)
        assert comes(world, clients, token, ident, **here)
        assert not comes(world, clients, token, ident, **here)
    assert token not in world.log() and other.text not in world.log()


def leave(_world, client):
    """The client ends it."""
    client.close()


def be_silent(_world, client):
    """The client answers no ping."""
    client.send = lambda packet: None
    client.wait_closed()


def be_slow(world, client):
    """The client does not read, until its queue is full."""
    reads = threading.Event()
    client._packet = lambda packet: reads.wait()
    while world.metric("closed_sessions", reason="queue_bytes") == 0:
        world.emit("much", "x" * 50_000, f"node_{NODE}")
    reads.set()


def misbehave(_world, client):
    """The client sends what is no Socket.IO."""
    client.send("4x")
    client.wait_closed()


def crash(world, _client):
    """The database ends by force, after pushd was drained."""
    world.lab.stop_pushd(0)
    world.lab.cluster.crash()
    world.forget_connection()
    world.lab.cluster.start()
    world.lab.start_pushd(0)


@pytest.mark.parametrize("end", [leave, be_silent, be_slow, misbehave, crash])
def test_no_other_end_lets_an_expired_token_return(own_lab, clients, end):
    world = own_lab(options=[*OPTIONS, "--ping-interval", "1s", "--ping-timeout", "1s",
                             "--queue-bytes", "100kB"])
    client, token = accepted(world, clients)
    end(world, client)
    wait_for(lambda: not world.sql("SELECT FROM vantage6_events.lease", user="postgres"),
             "the connection to be over")
    assert not comes(world, clients, token)


def switched_off(world):
    """resume_token is 0."""
    world.sql("ALTER DATABASE hq SET vantage6_events.resume_token = 0", user="postgres")


def no_grace(world):
    """It comes later than drain_grace."""
    world.sql("ALTER DATABASE hq SET vantage6_events.drain_grace = 0", user="postgres")


@pytest.mark.parametrize("what", [switched_off, no_grace])
def test_who_may_return_is_a_setting(own_lab, clients, what):
    world = own_lab(options=OPTIONS)
    what(world)
    token = accepted(world, clients)[1]
    drain(world, None)
    assert not comes(world, clients, token)


def test_where_expiry_closes_nobody_returns(limited, clients):
    world = limited(*OPTIONS, "--token-expiry", "close", "--refused-grace", "1s")
    token = Token(world, ttl=5)
    client = clients(Raw(world, NODE, token=token.text))
    client.wait("sync")
    drain(world, None)
    token.wait_expired()
    again = clients(Raw(world, NODE, token=token.text))
    again.wait("expired_token")
    assert not again.heard("sync")


def test_without_an_answer_of_the_database_it_is_told_after_claim_timeout(own_lab, clients):
    world = own_lab(options=[*OPTIONS, "--claim-timeout", "2s"])
    token = accepted(world, clients)[1]
    world.lab.stop_pushd(0)
    world.lab.cluster.stop()
    world.forget_connection()
    world.start(path="/livez")
    late = clients(Raw(world, NODE, token=token))
    late.wait("expired_token")
    world.lab.cluster.start()
    wait_for(world.ready, "the links to be back")
    late.round_trip()
    assert not late.heard("sync")
