"""Requests, answers, frames and messages as bytes, without a socket.

A reader (read_...) is a generator. It yields what it needs next, a number of bytes or the bytes
that end them, is sent these, and returns what it has read. So both kinds of connection read alike.
"""
import base64
import hashlib
import os
import re
import time
from dataclasses import dataclass, field

POLLING = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Closed(Exception):
    """The server has closed.

    code is that of its close frame, 1005 if it had none, 1006 if there was no frame.
    """

    def __init__(self, code=1006):
        super().__init__(code)
        self.code = code


# --- HTTP ----------------------------------------------------------------------------------------

@dataclass
class Answer:
    """An HTTP answer. status is 0 if the connection ended without one.

    headers: by name in lower case; head: all before the body; began, ended: when its request was
    sent, if that is known, and when it had come, on the monotonic clock.
    """

    status: int = 0
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    head: bytes = b""
    began: float = 0
    ended: float = field(default_factory=time.monotonic)

    def __str__(self):
        return f"{self.status} {self.body[:300]!r}" if self.status else "no answer"

    @property
    def text(self):
        """The body as text."""
        return self.body.decode()

    @property
    def said(self):
        """(status, text)"""
        return self.status, self.text


def as_bytes(data):
    """Text as UTF-8; bytes as they are."""
    return data.encode() if isinstance(data, str) else bytes(data)


def request(method, target, *headers, body=None, rest=b"", host="x"):
    """A request. headers are lines; a body has a Content-Length unless these give a length.

    rest follows the head as it is, with no word about its length.
    """
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *headers]
    body = None if body is None else as_bytes(body)
    has_length = any(re.match("content-length|transfer-encoding", line, re.I) for line in headers)
    if body is not None and not has_length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"") + as_bytes(rest)


def read_answer(interim=False, bodiless=False):
    """The next Answer.

    interim: also if its status is 1xx; bodiless: to HEAD, or its body is left.
    """
    while True:
        head = yield b"\r\n\r\n"
        first, *rows = head.decode("latin-1").split("\r\n")[:-2]
        status = int(re.match(r"HTTP/1\.[01] (\d{3}) ", first + " ").group(1))
        if interim or status >= 200 or status == 101:
            break
    headers = {}
    for row in rows:
        name, _, value = row.partition(":")
        seen = headers.get(name.lower())
        headers[name.lower()] = value.strip() if seen is None else f"{seen}, {value.strip()}"
    bodiless = bodiless or status in (101, 204, 304)
    body = b"" if bodiless else (yield from _read_body(headers))
    return Answer(status, headers, body, head)


def _read_body(headers):
    if headers.get("transfer-encoding") != "chunked":
        return (yield int(headers.get("content-length", 0)))
    body = b""
    while size := int((yield b"\r\n"), 16):
        body += yield size
        yield 2
    yield 2
    return body


# --- WebSocket -----------------------------------------------------------------------------------

def handshake(target, *headers, key=None, upgrade="websocket", host="x"):
    """The request for a WebSocket; key: 16 bytes."""
    key = base64.b64encode(key or os.urandom(16)).decode()
    return request("GET", target, "Connection: Upgrade", f"Upgrade: {upgrade}",
                   "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", *headers, host=host)


def accepted(answer, key):
    """Is it the server's consent to the handshake with this key? False if the server refused."""
    if answer.status != 101:
        return False
    digest = hashlib.sha1(base64.b64encode(key) + GUID).digest()
    assert answer.headers.get("sec-websocket-accept") == base64.b64encode(digest).decode(), answer
    return True


def frame(opcode, payload=b"", final=True, masked=True, reserved=0, length=None):
    """A frame of a client; length may lie."""
    payload = as_bytes(payload)
    size = len(payload) if length is None else length
    mask = masked << 7
    head = bytes([final << 7 | reserved << 4 | opcode])
    if size < 126:
        head += bytes([mask | size])
    elif size < 65536:
        head += bytes([mask | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([mask | 127]) + size.to_bytes(8, "big")
    if not masked:
        return head + payload
    key, count = os.urandom(4), len(payload)
    stream = (key * (count // 4 + 1))[:count]
    covered = int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")
    return head + key + covered.to_bytes(count, "big")


def fragments(opcode, *parts):
    """The frames of one message in parts."""
    last = len(parts) - 1
    return [frame(CONTINUATION if i else opcode, part, final=i == last)
            for i, part in enumerate(parts)]


# Each ends its connection.
BAD_FRAMES = {
    "not masked": frame(TEXT, "2", masked=False),
    "reserved bits": frame(TEXT, "3", reserved=4),
    "reserved opcode": frame(3, "3"),
    "reserved control": frame(11),
    "long control": frame(PING, b"x" * 126),
    "control in parts": frame(PING, "x", final=False),
    "continuation of nothing": frame(CONTINUATION, "3"),
    "not UTF-8": frame(TEXT, b"\xff\xfe"),
    "half a character": frame(TEXT, b"4\xc3"),
    "2^63 bytes": b"\x81\xff" + b"\xff" * 8 + b"\0" * 4,
    "close of one byte": frame(CLOSE, "x"),
}


def read_frame():
    """(opcode, payload, final) of the next frame. Those of a server are not masked."""
    first, size = yield 2
    assert not size & 0x80, "a frame of the server is masked"
    assert not first & 0x70, "reserved bits are set though nothing was negotiated"
    if size >= 126:
        size = int.from_bytes((yield 2 if size == 126 else 8), "big")
    return first & 0x0f, (yield size), bool(first & 0x80)


def read_message(pong=None):
    """The next message, text or bytes; Closed at a close frame.

    Pings are left out, and so are pongs, but pong(payload) is called for each.
    """
    parts, kind = [], None
    while True:
        opcode, payload, final = yield from read_frame()
        if opcode == CLOSE:
            raise Closed(int.from_bytes(payload[:2], "big") if payload else 1005)
        if opcode == PONG and pong:
            pong(payload)
        if opcode in (PING, PONG):
            continue
        kind = opcode or kind
        parts.append(payload)
        if final:
            whole = b"".join(parts)
            return whole.decode() if kind == TEXT else whole
