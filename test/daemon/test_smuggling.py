"""Behind nginx, HAProxy and both in a row, which send the requests of all clients over the same
connections: whatever an attacker sends, each client gets its own answers, and nobody else's."""
import itertools
import json
import select
from collections import Counter

import pytest

from proxies import running
from rawlib.blocking import Http
from rawlib.wire import POLLING, Closed
from smuggling import HIDDEN, Attacks

HONEST = 11
OPTIONS = {"trusted-proxies": "127.0.0.1", "handshake-rate": 0, "max-payload": 20000,
           "max-connections-per-address": 100000, "ping-interval": "5min"}
ANSWER_SECONDS = 0.03  # that an attack has to be answered, before others come


@pytest.fixture(scope="module")
def world(make_world):
    """A daemon that trusts the proxies of this machine."""
    return make_world(options=[word for name, value in OPTIONS.items()
                               for word in (f"--{name}", str(value))])


@pytest.fixture(scope="module")
def routes(world):
    """{name: the world as it looks from before this proxy}."""
    with running(world) as made:
        yield {name: proxy.before() for name, proxy in made.items()}


class Session:
    """By polling, of a client that knows which answers are its own."""

    def __init__(self, route, ident):
        self.route, self.number = route, 0
        self.posts, self.gets = Http(route), Http(route)
        answer = self.posts.request("GET", POLLING, headers=[
            f"Authorization: Bearer {route.token(ident)}"])
        assert answer.status == 200, answer
        self.sid = json.loads(answer.text[1:])["sid"]
        self.path = f"{POLLING}&sid={self.sid}"
        self.say("40/tasks,{}")
        self.name = None
        while not self.name:
            self.ask()
            self.name = next((packet for packet in self.packets() if packet.startswith("40")), None)

    def say(self, packet):
        """Send one."""
        answer = self.posts.request("POST", self.path, packet)
        assert answer.said == (200, "ok"), answer

    def ask(self):
        """Ask for packets."""
        self.gets.ask("GET", self.path)

    def packets(self):
        """Those that come."""
        answer = self.gets.answer()
        assert answer.status == 200, answer
        return answer.text.split("\x1e")

    def event(self):
        """Send an event, whose acknowledgement nobody else can get."""
        self.number += 1
        self.say(f'42/tasks,{self.number}["any"]')

    def acknowledged(self):
        """It comes, and no other does."""
        acks = []
        while not acks:
            packets = self.packets()
            acks = [packet for packet in packets if not packet.startswith("42")]
            if not acks:
                self.ask()
        assert acks == [f"43/tasks,{self.number}[]"], packets

    def anew(self):
        """On new connections, which a proxy may join to others than before."""
        for connection in (self.posts, self.gets):
            connection.close()
        self.posts, self.gets = Http(self.route), Http(self.route)

    def close(self):
        """End it."""
        self.say("1")
        self.anew()
        self.posts.close()
        self.gets.close()


def sid(world):
    """That of a new session, which has not been asked for by a proxy."""
    wire = Http(world)
    answer = wire.request("GET", POLLING)
    wire.close()
    return json.loads(answer.text[1:])["sid"]


def attacked(route, data):
    """A connection on which this was sent, and which had a while to be answered."""
    wire = Http(route, data)
    select.select([wire.sock], [], [], ANSWER_SECONDS)
    return wire


def came(wire):
    """What has come on it so far."""
    try:
        while select.select([wire.sock], [], [], 0)[0]:
            wire.more()
    except Closed:
        pass
    return wire.got


@pytest.mark.parametrize("name, hidden, packet", [
    *itertools.product(["nginx", "haproxy"], HIDDEN, [b"", b"6"]),
    ("haproxy_nginx", "beginning", b"6"), ("nginx_haproxy", "beginning", b"")])
def test_nobody_gets_anybody_elses_answer(world, routes, clients, name, hidden, packet):
    """An honest client has a request waiting when each attack comes, and makes others after it."""
    route, pid = routes[name], world.lab.daemon(0).pid()
    honest, waiting = clients(Session(route, HONEST)), clients(Session(route, HONEST))
    waiting.ask()
    secrets = [text.encode() for text in (honest.sid, honest.name, waiting.sid, waiting.name)]
    attackers = []
    for attack, data in Attacks(HIDDEN[hidden], packet).all().items():
        data = data.replace(b"SID", sid(world).encode())
        honest.ask()
        attackers.append((attack, clients(attacked(route, data))))
        try:
            honest.event()
            honest.acknowledged()
            honest.anew()
            honest.ask()
            honest.event()
            honest.acknowledged()
        except (AssertionError, Closed) as error:
            raise AssertionError(f"after {attack}: {error}") from None
    answered = [came(wire) for _, wire in attackers]
    for (attack, _), text in zip(attackers, answered):
        assert not any(secret in text for secret in secrets), f"{attack} brought {text}"
    print(f"{len(answered)} attacks, answered: {Counter(text[9:12] for text in answered)}")
    waiting.event()
    waiting.acknowledged()
    assert world.lab.daemon(0).pid() == pid
