"""HTTP and WebSocket over asyncio, byte for byte: whatever a client may send, and what comes back.

Connection  one TCP connection that carries requests, or becomes a WebSocket
WebSocket   frames as they are, also those that no client should send
"""
import asyncio
import base64
import hashlib
import os
import re
import socket
import struct
import time
from dataclasses import dataclass

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
RESET = struct.pack("ii", 1, 0)
SLOW_SECONDS = 0.02  # between the parts of what is sent in parts


@dataclass
class Answer:
    """An HTTP answer. status is 0 if the connection ended without one; times are of time.monotonic()."""

    status: int
    headers: dict
    body: bytes
    began: float
    ended: float

    def __str__(self):
        return f"{self.status} {self.body[:300]!r}" if self.status else "no answer"


class Connection:
    """One TCP connection."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.used = time.monotonic()

    @classmethod
    async def open(cls, address):
        """A new one."""
        return cls(*await asyncio.open_connection(*address))

    @property
    def usable(self):
        """May carry another request."""
        return not (self.writer.is_closing() or self.reader.at_eof())

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

    async def request(self, method, target, headers=(), body=None, cuts=(), length=None):
        """One request and its answer. body None: no Content-Length either; length: another than it has."""
        lines = [f"{method} {target} HTTP/1.1", "Host: x", *headers]
        if body is not None:
            lines.append(f"Content-Length: {len(body) if length is None else length}")
        began = time.monotonic()
        try:
            await self.send("\r\n".join([*lines, "", ""]).encode() + (body or b""), cuts)
            status, fields = await self.head()
            body = await self.body(fields) if status != 101 else b""
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            status, fields, body = 0, {}, b""
        if status == 0 or length is not None or fields.get("connection", "").lower() == "close":
            self.end()
        self.used = time.monotonic()
        return Answer(status, fields, body, began, self.used)

    async def head(self):
        """Status and headers, names in small letters."""
        while True:
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            status = int(re.match(r"HTTP/1\.1 (\d{3}) ", lines[0] + " ").group(1))
            if status != 100:
                break
        return status, {name.lower(): value.strip() for name, _, value in
                        (line.partition(":") for line in lines[1:] if line)}

    async def body(self, fields):
        """The body, whole or in chunks."""
        if fields.get("transfer-encoding") != "chunked":
            return await self.reader.readexactly(int(fields.get("content-length", 0)))
        body = b""
        while True:
            size = int((await self.reader.readuntil(b"\r\n")), 16)
            body += (await self.reader.readexactly(size + 2))[:-2]
            if size == 0:
                return body

    def end(self, reset=False):
        """Close it, orderly or by a reset."""
        if reset and not self.writer.is_closing():
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        (self.writer.transport.abort if reset else self.writer.close)()


class WebSocket:
    """on_message(bytes or str) and on_close() are called as things come."""

    def __init__(self, connection):
        self.connection, self.closed, self.code = connection, False, None
        self.pongs, self.error = set(), None
        self.task, self.came = None, asyncio.Event()

    @classmethod
    async def open(cls, address, target, headers=(), cuts=()):
        """(WebSocket or None, answer)"""
        connection = await Connection.open(address)
        key = base64.b64encode(os.urandom(16))
        answer = await connection.request("GET", target, [
            "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key.decode()}", *headers], cuts=cuts)
        if answer.status != 101:
            connection.end()
            return None, answer
        expected = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        assert answer.headers.get("sec-websocket-accept") == expected, answer.headers
        return cls(connection), answer

    def listen(self, on_message, on_close):
        """Take what comes from now on."""
        self.task = asyncio.ensure_future(self._read(on_message, on_close))

    async def _read(self, on_message, on_close):
        read, whole, kind = self.connection.reader.readexactly, b"", None
        try:
            while True:
                first, size = await read(2)
                assert not first & 0x70 and not size & 0x80, f"frame with bits {first:#x} {size:#x}"
                if size >= 126:
                    size = int.from_bytes(await read(2 if size == 126 else 8), "big")
                data, opcode = await read(size), first & 15
                self.came.set()
                if opcode == PONG:
                    self.pongs.add(data)
                elif opcode == CLOSE:
                    self.code = int.from_bytes(data[:2], "big") if data else None
                    break
                elif opcode != PING:
                    whole, kind = whole + data, opcode or kind
                    if first & 0x80:
                        on_message(whole.decode() if kind == TEXT else whole)
                        whole = b""
        except (OSError, asyncio.IncompleteReadError):
            pass
        except (AssertionError, ValueError) as error:
            self.error = error
        self.closed = True
        self.connection.end()
        self.came.set()
        on_close()

    async def moved(self):
        """Wait until something has come, for a while."""
        self.came.clear()
        try:
            await asyncio.wait_for(self.came.wait(), 0.2)
        except asyncio.TimeoutError:
            pass

    @staticmethod
    def frame(data, opcode=TEXT, fin=True, mask=True, rsv=0):
        """The bytes of a frame."""
        head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
        bit = 0x80 if mask else 0
        if len(data) < 126:
            head += bytes([bit | len(data)])
        elif len(data) < 65536:
            head += bytes([bit | 126]) + len(data).to_bytes(2, "big")
        else:
            head += bytes([bit | 127]) + len(data).to_bytes(8, "big")
        if not mask:
            return head + data
        key = os.urandom(4)
        pad = key * (len(data) // 4 + 1)
        return head + key + (int.from_bytes(data, "big") ^ int.from_bytes(pad[:len(data)], "big")).to_bytes(
            len(data), "big")

    async def send(self, data, cuts=()):
        """Send bytes; the server may have closed already."""
        try:
            await self.connection.send(data, cuts)
        except OSError:
            pass

    def end(self, reset=False):
        """Close the TCP connection, whatever the server thinks."""
        self.connection.end(reset)
        if self.task:
            self.task.cancel()
