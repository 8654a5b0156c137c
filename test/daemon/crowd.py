#!/usr/bin/python3
"""A crowd of WebSocket clients in one process, cheap enough for tens of thousands.

usage: crowd.py URL, and commands as lines of JSON on standard input, each answered by one line:
  {"open": N, "tokens": [T, ...]}  N more clients, which take the tokens in turn; answered when all
                                   are connected
  {"facts": true}                  how many are open, answered pings, received events, ended, and
                                   received a packet "41"
  {"report": true}                 what was received: clients with the same token and stream are one
                                   line of it
  {"settle": MARK}                 answered when every open client has received an event of that
                                   name
A client whose connection ends connects again, as the real ones do. Its new connection has a stream
of its own. The process ends with its standard input.
"""
import errno
import json
import os
import re
import select
import socket
import sys
import time
from array import array
from collections import Counter
from urllib.parse import urlsplit

PONG = b"\x81\x81\0\0\0\0" + b"3"
CONNECT = b"\x81\x8b\0\0\0\0" + b"40/tasks,{}"
HANDSHAKE = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: crowd\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
    "AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    "Authorization: Bearer %s\r\n\r\n")
NAME = re.compile(rb'42/tasks,\["([^"]*)"')
NUMBERED = re.compile(rb'42/tasks,(\d+)(.*)', re.DOTALL)
AT_ONCE = 200  # handshakes under way
AGAIN = 0.1    # seconds until a refused connection is tried again
READ = select.EPOLLIN


class Client:
    """One client; its connection may change."""

    __slots__ = ("sock", "token", "text", "connected", "upgraded", "stream", "since", "marked")

    def __init__(self, token):
        self.token, self.sock = token, None
        self.begin()

    def begin(self):
        """A new connection: nothing received yet."""
        self.text, self.connected, self.upgraded = b"", False, False
        self.stream, self.since, self.marked = array("I"), 0.0, None


class Crowd:
    """All clients, and the loop."""

    def __init__(self, url):
        self.address = (urlsplit(url).hostname, urlsplit(url).port)
        self.epoll = select.epoll()
        self.by_fd, self.waiting = {}, []
        self.handshakes = self.connected = 0
        self.pings = self.events = self.ends = self.goodbyes = 0
        self.end_times = []
        self.retry_at = 0.0
        self.words, self.names = {}, []
        self.past = []  # streams of connections that have ended
        self.mark = None
        self.marked = 0

    # --- connections ---

    def open_some(self):
        """Begin handshakes, as many as may be under way."""
        now = time.monotonic()
        while self.waiting and self.handshakes < AT_ONCE and now >= self.retry_at:
            client = self.waiting.pop()
            client.begin()
            client.sock = socket.socket()
            client.sock.setblocking(False)
            status = client.sock.connect_ex(self.address)
            if status not in (0, errno.EINPROGRESS):
                client.sock.close()
                self.waiting.append(client)
                self.retry_at = now + AGAIN
                return
            self.by_fd[client.sock.fileno()] = client
            self.epoll.register(client.sock.fileno(), select.EPOLLOUT)
            self.handshakes += 1

    def writable(self, fd, client):
        """The connection stands, or was refused."""
        if client.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.ended(fd, client)
            return
        self.epoll.modify(fd, READ)
        try:
            client.sock.sendall((HANDSHAKE % self.tokens[client.token]).encode())
        except OSError:
            self.ended(fd, client)

    def ended(self, fd, client):
        """The connection is gone; the client comes back."""
        if client.connected:
            self.connected -= 1
            self.marked -= client.marked == self.mark and self.mark is not None
            self.ends += 1
            self.end_times.append(time.time())
            self.past.append((client.token, client.since, client.stream))
        else:
            self.handshakes -= 1
            self.retry_at = time.monotonic() + AGAIN
        self.epoll.unregister(fd)
        del self.by_fd[fd]
        client.sock.close()
        self.waiting.append(client)

    # --- what comes ---

    def readable(self, fd, client):
        """Take what has come."""
        try:
            data = client.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.ended(fd, client)
            return
        data = client.text + data
        if not client.upgraded:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                client.text = head
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.ended(fd, client)
                return
            client.upgraded = True
        try:
            client.text = self.frames(client, data)
        except OSError:
            self.ended(fd, client)

    def frames(self, client, data):
        """Handle whole frames; returns what is left."""
        at, end = 0, len(data)
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2:at + 4], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(data[at + 2:at + 10], "big"), at + 10
            if start + size > end:
                break
            if data[at] == 0x88:  # close
                client.sock.shutdown(socket.SHUT_RDWR)
                return b""
            self.packet(client, data[start:start + size])
            at = start + size
        return data[at:]

    def packet(self, client, packet):
        """One Engine.IO packet."""
        if packet == b"2":
            client.sock.send(PONG)
            self.pings += 1
        elif packet.startswith(b"42"):
            self.event(client, packet)
        elif packet.startswith(b"0"):
            client.sock.send(CONNECT)
        elif packet.startswith(b"40"):
            client.connected = True
            self.handshakes -= 1
            self.connected += 1
        elif packet.startswith(b"41"):
            self.goodbyes += 1

    def event(self, client, packet):
        """Keep the number of the packet's text."""
        self.events += 1
        wanted = NUMBERED.match(packet)
        if wanted:
            answer = b"43/tasks," + wanted.group(1) + b"[]"
            client.sock.send(b"\x81" + bytes([0x80 | len(answer)]) + b"\0\0\0\0" + answer)
            packet = b"42/tasks," + wanted.group(2)
        number = self.words.get(packet)
        if number is None:
            number = self.words[packet] = len(self.names)
            self.names.append(NAME.match(packet).group(1).decode())
        if not client.stream:
            client.since = time.time()
        client.stream.append(number)
        if self.names[number] == self.mark and client.marked != self.mark:
            client.marked = self.mark
            self.marked += 1

    # --- commands ---

    def report(self):
        """What was received: texts, and [token, open, clients, since (the latest), until, stream]
        of each group."""
        groups = {}
        open_now = [(c.token, True, c.since, c.stream) for c in self.by_fd.values() if c.connected]
        for token, alive, since, stream in open_now + [(t, False, s, st) for t, s, st in self.past]:
            key = token, alive, stream.tobytes()
            count, latest = groups.get(key, (0, 0.0))
            groups[key] = count + 1, max(latest, since)
        return {"texts": [text.decode() for text in self.words],
                "streams": [[token, alive, count, since, array("I", stream).tolist()]
                            for (token, alive, stream), (count, since) in groups.items()]}

    def facts(self):
        """Numbers."""
        return {"open": self.connected, "pings": self.pings, "events": self.events,
                "ends": self.ends, "goodbyes": self.goodbyes,
                "ends_spread": max(self.end_times) - min(self.end_times)
                if self.end_times else 0, "names": Counter(self.names)}

    def command(self, line):
        """A condition to be met, and what to answer then."""
        said = json.loads(line)
        if "open" in said:
            self.tokens = said["tokens"]
            goal = len(self.by_fd) + len(self.waiting) + said["open"]
            self.waiting += [Client(i % len(self.tokens)) for i in range(said["open"])]
            return lambda: self.connected >= goal, self.facts
        if "settle" in said:
            self.mark = said["settle"]
            number = {name: i for i, name in enumerate(self.names)}.get(self.mark)
            for client in self.by_fd.values():
                if client.connected and number is not None and number in client.stream:
                    client.marked = self.mark
            self.marked = sum(client.marked == self.mark for client in self.by_fd.values())
            return (lambda: not self.waiting and not self.handshakes
                    and self.marked >= self.connected, self.facts)
        return lambda: True, self.report if "report" in said else self.facts

    def run(self):
        """Until standard input ends."""
        self.epoll.register(0, READ)
        commands, pending, text = [], None, b""
        while True:
            self.open_some()
            for fd, events in self.epoll.poll(0.05 if self.waiting else -1, 1024):
                if fd == 0:
                    got = os.read(0, 1 << 20)
                    if not got:
                        return
                    *lines, text = (text + got).split(b"\n")
                    commands += lines
                elif fd in self.by_fd:
                    client = self.by_fd[fd]
                    (self.writable if events & select.EPOLLOUT else self.readable)(fd, client)
            while pending or commands:
                pending = pending or self.command(commands.pop(0))
                if not pending[0]():
                    break
                print(json.dumps(pending[1]()), flush=True)
                pending = None


if __name__ == "__main__":
    Crowd(sys.argv[1]).run()
