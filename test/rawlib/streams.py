"""A connection on asyncio, for many at once: Connection and WebSocket."""
import asyncio
import os
import socket
import time

from . import wire
from .blocking import RESET, has_taken
from .wire import Answer, Closed, as_bytes

SLOW_SECONDS = 0.02  # between the parts of what is sent in parts


class Connection:
    """One TCP connection, which carries requests or becomes a WebSocket. used: when it last did."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.used = time.monotonic()

    @classmethod
    async def open(cls, address, source=None, room=None):
        """A new one. source: where it comes from; room: how much the system keeps of what comes."""
        sock = socket.socket()
        sock.setblocking(False)
        if room:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        if source:
            sock.bind((source, 0))
        await asyncio.get_running_loop().sock_connect(sock, address)
        return cls(*await asyncio.open_connection(sock=sock))

    @property
    def usable(self):
        """May carry another request."""
        return not (self.writer.is_closing() or self.reader.at_eof())

    def write(self, data):
        """Bytes or text, as long as somebody takes them."""
        if not self.writer.is_closing():
            self.writer.write(as_bytes(data))

    async def send(self, data, cuts=()):
        """Send it, in parts if there are cuts (fractions of its length)."""
        places = [0, *sorted(int(len(data) * cut) for cut in cuts), len(data)]
        for start, stop in zip(places, places[1:]):
            if start:
                await asyncio.sleep(SLOW_SECONDS)
            if self.writer.is_closing():
                raise ConnectionResetError
            self.writer.write(data[start:stop])
            await self.writer.drain()

    async def taken(self, seconds=1):
        """Wait until the server's process has read all that was sent, or will not."""
        end = time.monotonic() + seconds
        try:
            while not has_taken(self.writer.get_extra_info("socket")) and time.monotonic() < end:
                await asyncio.sleep(0.005)
        except OSError:
            pass

    async def read(self, reader):
        """What a reader of wire.py finds next; Closed at the end."""
        try:
            wanted = next(reader)
            while True:
                take = (self.reader.readuntil if isinstance(wanted, bytes) else
                        self.reader.readexactly)
                wanted = reader.send(await take(wanted))
        except StopIteration as end:
            return end.value
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise Closed() from None

    async def answer(self):
        """The next answer; its status is 0 if the server closes without one."""
        try:
            return await self.read(wire.read_answer())
        except Closed:
            return Answer()

    async def request(self, data, cuts=()):
        """A request and its answer, after which the connection is closed if either says so."""
        began = time.monotonic()
        try:
            await self.send(data, cuts)
            answer = await self.answer()
        except OSError:
            answer = Answer()
        if not answer.status or answer.headers.get("connection", "").lower() == "close":
            self.end()
        answer.began, self.used = began, answer.ended
        return answer

    def end(self, reset=False):
        """Close it, orderly or by a reset."""
        if reset and not self.writer.is_closing():
            sock = self.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        (self.writer.transport.abort if reset else self.writer.close)()


class WebSocket:
    """on_message(bytes or str) and on_close() are called as things come."""

    def __init__(self, connection):
        self.connection, self.closed = connection, False
        self.pongs, self.error = set(), None
        self.task, self.came = None, asyncio.Event()

    @classmethod
    async def open(cls, address, target):
        """(WebSocket or None, answer)"""
        connection, key = await Connection.open(address), os.urandom(16)
        answer = await connection.request(wire.handshake(target, key=key))
        if not wire.accepted(answer, key):
            connection.end()
            return None, answer
        return cls(connection), answer

    def listen(self, on_message, on_close):
        """Take what comes from now on."""
        self.task = asyncio.ensure_future(self._read(on_message, on_close))

    async def _read(self, on_message, on_close):
        try:
            while True:
                on_message(await self.connection.read(wire.read_message(self._pong)))
        except Closed:
            pass
        except (AssertionError, ValueError) as error:
            self.error = error
        self.closed = True
        self.connection.end()
        self.came.set()
        on_close()

    def _pong(self, payload):
        self.pongs.add(payload)
        self.came.set()

    async def moved(self):
        """Wait until a pong or the end has come, for a while."""
        self.came.clear()
        try:
            await asyncio.wait_for(self.came.wait(), 0.2)
        except asyncio.TimeoutError:
            pass

    async def send(self, data):
        """Send bytes; the server may have closed already."""
        try:
            await self.connection.send(data)
        except OSError:
            pass

    def end(self, reset=False):
        """Close the TCP connection, whatever the server thinks."""
        self.connection.end(reset)
        if self.task:
            self.task.cancel()
