"""A connection on a plain socket: Connection, Http and WebSocket.

The server is whatever has an address, (host, port).
"""
import os
import select
import socket
import struct

from lablib.facts import DEADLINE, wait_for

from . import wire
from .wire import BINARY, CLOSE, TEXT, Answer, Closed, as_bytes, frame

RESET = struct.pack("ii", 1, 0)


class Connection:
    """A TCP connection to the server, and what has come on it (got).

    source: where it comes from.
    """

    def __init__(self, server, data=b"", source=None):
        self.host = server.address[0]
        self.sock = socket.create_connection(server.address, timeout=DEADLINE,
                                             source_address=source and (source, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got = b""
        if data:
            self.send(data)

    def send(self, data):
        """Send all of it, bytes or text."""
        self.sock.sendall(as_bytes(data))
        return self

    def more(self):
        """Wait for more bytes; Closed at the end."""
        try:
            data = self.sock.recv(65536)
        except ConnectionError:
            data = b""
        except socket.timeout:
            last = self.got[-100:]
            raise AssertionError(
                f"{self.sock.gettimeout()} s nothing came after {last!r}") from None
        if not data:
            raise Closed()
        self.got += data

    def take(self, wanted):
        """So many bytes, or those up to and with these."""
        if isinstance(wanted, bytes):
            while wanted not in self.got:
                self.more()
            wanted = self.got.index(wanted) + len(wanted)
        while len(self.got) < wanted:
            self.more()
        data, self.got = self.got[:wanted], self.got[wanted:]
        return data

    def read(self, reader):
        """What a reader of wire.py finds next."""
        try:
            wanted = next(reader)
            while True:
                wanted = reader.send(self.take(wanted))
        except StopIteration as end:
            return end.value

    def until(self, end):
        """Wait until this has come, or the server closes; all that has come, which is kept."""
        try:
            while end not in self.got:
                self.more()
        except Closed:
            pass
        return self.got

    def rest(self):
        """Whatever comes until the server closes."""
        try:
            while True:
                self.more()
        except Closed:
            return self.got

    def silent(self):
        """Has nothing come?"""
        return not self.got and not select.select([self.sock], [], [], 0)[0]

    def taken(self):
        """Wait until the server's process has read all that was sent: what follows comes later."""
        wait_for(lambda: has_taken(self.sock), "the server to read")
        return self

    def finish(self):
        """Nothing more will be sent; the server may have closed already."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        """Close our side."""
        self.sock.close()

    def reset(self):
        """Break the connection: RST in place of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.sock.close()


def has_taken(sock):
    """Has the process at the other end, on this machine, read all that was sent?"""
    ours, theirs = sock.getsockname(), sock.getpeername()
    return _queued(ours, theirs)[0] == 0 == _queued(theirs, ours)[1]


def _queued(local, remote):
    """(bytes not acknowledged by remote, bytes not read by the process) of the socket at local."""
    def name(address):
        return f"{socket.inet_aton(address[0])[::-1].hex().upper()}:{address[1]:04X}"
    with open("/proc/net/tcp", encoding="ascii") as file:
        for row in file:
            fields = row.split()
            if fields[1:3] == [name(local), name(remote)]:
                return tuple(int(count, 16) for count in fields[4].split(":"))
    return 0, 0


class Http(Connection):
    """A connection for HTTP requests, one after the other."""

    def ask(self, method, target, body=None, headers=()):
        """Send a request; headers are lines. A POST has a body, if an empty one."""
        body = body or (b"" if method == "POST" else None)
        return self.send(wire.request(method, target, *headers, body=body, host=self.host))

    def answer(self, **how):
        """Wait for the next answer; how: see wire.read_answer."""
        return self.read(wire.read_answer(**how))

    def request(self, method, target, body=None, headers=()):
        """A request and its answer."""
        return self.ask(method, target, body, headers).answer()

    def reply(self, **how):
        """The next answer; its status is 0 if the server closes without one."""
        try:
            return self.answer(**how)
        except Closed:
            return Answer()

    def status(self, **how):
        """The status of the reply."""
        return self.reply(**how).status

    def answers(self):
        """How many answers come until the server closes."""
        return self.rest().count(b"HTTP/1.1 ")


class WebSocket(Http):
    """A WebSocket.

    opening is the answer to its request: if it is not 101, the server refused it.
    """

    def __init__(self, server, target=wire.WEBSOCKET, headers=(), upgrade="websocket", early=b""):
        super().__init__(server)
        key = os.urandom(16)
        opening = wire.handshake(target, *headers, key=key, upgrade=upgrade, host=self.host)
        self.send(opening + early)
        self.opening = self.answer()
        self.is_open = wire.accepted(self.opening, key)

    def text(self, text, **how):
        """Send a text frame."""
        return self.send(frame(TEXT, text, **how))

    def binary(self, data, **how):
        """Send a binary frame."""
        return self.send(frame(BINARY, data, **how))

    def frame(self):
        """The next frame: (opcode, payload, final)."""
        return self.read(wire.read_frame())

    def message(self):
        """The next message, text or bytes; Closed at the end."""
        return self.read(wire.read_message())

    def ended(self):
        """Wait until the server closes: (what still came, the code of its close frame)."""
        came = []
        try:
            while True:
                came.append(self.message())
        except Closed as end:
            return came, end.code

    def closing(self):
        """The same, and answer its close frame."""
        found = self.ended()
        try:
            self.send(frame(CLOSE))
        except OSError:
            pass
        self.close()
        return found
