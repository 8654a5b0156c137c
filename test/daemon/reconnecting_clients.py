"""Clients that come, stay for a while, and lose their connection, again and again, at any of the
instances.

story    what a client lived through, in its order: (time, kind, ...), where kind is
         try      it sends CONNECT, or is about to
         open     CONNECT was answered; is it recovered, did it ask to resume, and its sid
         receive  an event of the storm came, by its key
key      (writer, number) of an event, which names it: see storm.py
resume   a browser names its pid and offset, as socket.io-client does; others begin anew each time

Each client has dice of its own. Page, Bare and Worker are WebSockets of our own, Browser and Poller
socket.io-client in Node.
"""
import json
import random
import socket
import threading
import time

import websocket

from background import Background
from clients import UPGRADE, Node, Raw
from lablib.facts import wait_for
from test_recovery import OFFSET, PAGE

STAY = 3.0   # seconds, on the average
AWAY = 1.5   # at most


class ReconnectingClient(Background):
    """What they have in common."""

    def __init__(self, world, ident, number, seed):
        Background.__init__(self)
        self.world, self.ident, self.number = world, ident, number
        self.dice = random.Random(f"{seed} {number}")
        self.story, self.keys, self.marks = [], set(), []

    def __str__(self):
        return f"client {self.number}, {type(self).__name__} of principal {self.ident}"

    def names(self):
        """The marks of World.joined()."""
        return self.marks

    def note(self, kind, *what):
        """Something has happened."""
        self.story.append((time.time(), kind, *what))

    def receive(self, name, *args):
        """An event has come."""
        if name in ("storm", "order"):
            key = args[0]["w"], args[0]["n"]
            self.note("receive", key)
            self.keys.add(key)
        elif name.startswith("mark_"):
            self.marks.append(name)

    def stop(self):
        """Be connected, and stay, once over is set."""
        self.thread.join(150)
        assert (not self.failed
                and not self.thread.is_alive()), f"{self}: {self.failed or 'cannot come back'}"

    def run(self):
        """Come and go."""
        while not self.over.is_set():
            self.stay(self.dice.expovariate(1 / STAY))
            if not self.over.is_set():
                self.leave()
                self.over.wait(self.dice.choice((0, 0, 1)) * self.dice.random() * AWAY)
                self.come()
        self.come()


class Wire(Raw):
    """One connection of such a client. deaf: it neither takes nor answers what still comes."""

    def __init__(self, owner, instance, headers):
        self.owner, self.deaf, self.lock = owner, False, threading.Lock()
        super().__init__(owner.world, owner.ident, owner.token, instance, connect=False,
                         headers=headers)

    def _packet(self, packet):
        with self.lock:
            if not self.deaf:
                super()._packet(packet)

    def take(self, kind, *what):
        super().take(kind, *what)
        if kind == "event":
            self.owner.receive(*what[1:])
        elif kind == "connect":
            self.owner.opened(json.loads(self.packets[-1].split(",", 1)[1]))

    def end(self, gently=False):
        """The connection breaks, or is closed by a frame."""
        with self.lock:
            self.deaf = True
        try:
            if gently:
                self.ws.send_close()
            self.ws.sock.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError, websocket.WebSocketException):
            pass  # it has ended by itself
        self.thread.join(10)
        self.close()


class Bare(ReconnectingClient):
    """A user's client that is no browser: each connection is a new one."""

    headers = ()

    def __init__(self, *args):
        super().__init__(*args)
        self.token, self.wire, self.lost = self.world.token(self.ident), None, []

    def resume(self):
        """The data of CONNECT."""
        return {}

    def opened(self, answer):
        """CONNECT was answered."""
        self.note("open", False, False, answer["sid"])

    def come(self):
        """Connect, if it is not, however long that takes."""
        wait_for(lambda: self.here() or self._try(), f"{self} to connect", 120)

    def here(self):
        """Is it connected?"""
        return self.wire and self.wire.connected() and not self.wire.closed

    def _try(self):
        self.note("try")
        try:
            wire = self.wire = Wire(self, self.dice.randrange(2), self.headers)
            wire.send(f"40/tasks,{json.dumps(self.resume())}")
        except (OSError, websocket.WebSocketException):
            return False
        wait_for(lambda: wire.connects or wire.closed, f"{self} to be answered", 90)
        return self.here()

    def stay(self, seconds):
        """Until the server ends it, at most so long."""
        self.wire.thread.join(seconds)

    def leave(self):
        """In one of the ways in which connections end."""
        way = self.dice.choice(("cut", "cut", "closed", "unheard", "farewell"))
        if way == "unheard" and not self.wire.closed:
            with self.wire.lock:  # the server believes that it lives
                self.wire.deaf = True
            self.lost.append(self.wire)
            self.wire = None
        elif way == "farewell":
            self.farewell()
        else:
            self.wire.end(way == "closed")
        while len(self.lost) > 1:
            self.lost.pop(0).end()

    def farewell(self):
        """Say goodbye."""
        with self.wire.lock:
            self.wire.deaf = True
        try:
            self.wire.send("41/tasks,")
        except (OSError, websocket.WebSocketException):
            pass
        self.wire.end()

    def close(self):
        """The end of the test."""
        for wire in [*self.lost, self.wire]:
            if wire:
                wire.end()


class Worker(Bare):
    """A node, which acknowledges."""


class Brief(Worker):
    """A node whose tokens are good for 5 s: it comes with what it has, and gets a new one if it is
    told that this has expired. It has come when it has got sync.

    returns: how often it came with an expired token, and went on.
    """

    TTL = 5

    def __init__(self, *args):
        super().__init__(*args)
        self.returns = 0
        self._renew()

    def _renew(self):
        self.token, self.until = self.world.token(self.ident, ttl=self.TTL), time.time() + self.TTL

    def _try(self):
        expired = time.time() > self.until + 1
        if not super()._try():
            return False
        wire = self.wire
        told = wait_for(lambda: wire.closed or wire.heard("sync", "expired_token"),
                        f"{self} to be told", 90)
        if told is True or told[0] == ["sync"]:
            self.returns += expired and told is not True
            return self.here()
        self._renew()
        wire.end()
        return False


class Page(Bare):
    """A browser's client: it goes on where it was.

    unmarked: when it received events without an offset.
    """

    headers = PAGE

    def __init__(self, *args):
        super().__init__(*args)
        self.pid, self.offset, self.unmarked = None, None, []

    def resume(self):
        return {"pid": self.pid,
                **({"offset": self.offset} if self.offset else {})} if self.pid else {}

    def opened(self, answer):
        resuming = self.pid is not None
        recovered = resuming and answer.get("pid") == self.pid
        self.pid = answer.get("pid")
        self.note("open", recovered, resuming, answer["sid"])

    def receive(self, name, *args):
        super().receive(name, *args)
        if args and isinstance(args[-1], str):
            self.offset = args[-1]
        if not args or not OFFSET.fullmatch(str(args[-1])):
            self.unmarked.append((time.time(), name, *args[-1:]))

    def farewell(self):
        super().farewell()
        self.pid = self.offset = None


class Browser(ReconnectingClient, Node):
    """socket.io-client itself. It connects again by itself."""

    transports = UPGRADE

    def __init__(self, world, ident, number, seed):
        ReconnectingClient.__init__(self, world, ident, number, seed)
        self.opens = 0
        Node.__init__(self, world, ident, transports=self.transports)
        self.number = number

    def take(self, kind, *what):
        Node.take(self, kind, *what)
        if kind == "event":
            self.receive(*what[1:])
        elif kind == "open":
            self.note("try")
        elif kind == "connect":
            self.note("open", what[3], self.opens > 0, what[4])
            self.opens += 1

    def come(self):
        """Wait until it is back."""
        self.wait_connected(120)

    def stay(self, seconds):
        """So long."""
        self.over.wait(seconds)

    def leave(self):
        """The network fails, and comes back here or there."""
        if self.connected():
            self.order("go", self.world.url(self.dice.randrange(2)))

    names, __str__ = ReconnectingClient.names, ReconnectingClient.__str__


class Poller(Browser):
    """One behind a proxy that lets no WebSocket through."""

    transports = ["polling"]
