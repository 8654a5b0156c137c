"""HTTP/1.1 and WebSocket (RFC 6455) on plain sockets, byte for byte: a test can also do what no client would."""
import base64
import os
import select
import socket
import struct
import time

PATIENCE = float(os.environ.get("CONFORMANCE_PATIENCE", "30"))  # seconds; nothing waits that long unless it fails
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def wait_for(fact, what):
    """Ask until it is so."""
    end = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < end, f"waited {PATIENCE} s for {what}"
        time.sleep(0.005)


class Closed(Exception):
    """The server has closed. code is that of its close frame, 1005 if it had none, 1006 if there was no frame."""

    def __init__(self, code=1006):
        super().__init__(code)
        self.code = code


class Answer:
    """An HTTP answer: status, headers (lower case), body (bytes), text."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"

    @property
    def text(self):
        """The body as text."""
        return self.body.decode()


class Connection:
    """A TCP connection to the server, and what has come on it."""

    def __init__(self, server):
        self.server = server
        self.sock = socket.create_connection((server.host, server.port), timeout=PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got = b""

    def write(self, data):
        """Send all of data."""
        self.sock.sendall(data)

    def more(self):
        """Wait for more bytes; Closed at the end."""
        try:
            data = self.sock.recv(65536)
        except ConnectionError:
            data = b""
        except socket.timeout:
            raise AssertionError(f"nothing came within {PATIENCE} s after {self.got[-100:]!r}") from None
        if not data:
            raise Closed()
        self.got += data

    def take(self, count):
        """The next count bytes."""
        while len(self.got) < count:
            self.more()
        data, self.got = self.got[:count], self.got[count:]
        return data

    def line(self, end):
        """What comes up to and with end."""
        while end not in self.got:
            self.more()
        return self.take(self.got.index(end) + len(end))

    def silent(self):
        """Has nothing come?"""
        return not self.got and not select.select([self.sock], [], [], 0)[0]

    def rest(self):
        """Whatever comes until the server closes."""
        try:
            while True:
                self.more()
        except Closed:
            return self.got

    def taken(self):
        """Wait until the server's process has read all we have sent: what we send elsewhere comes later to it."""
        ours, theirs = self.sock.getsockname(), self.sock.getpeername()
        wait_for(lambda: _queued(ours, theirs)[0] == 0 == _queued(theirs, ours)[1], "the server to read")
        return self

    def close(self):
        """Close our side."""
        self.sock.close()

    def reset(self):
        """Break the connection: RST in place of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def _queued(local, remote):
    """(bytes that remote has not acknowledged, bytes that nobody has read) of the socket at local."""
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

    def ask(self, method, target, body=b"", headers=()):
        """Send a request; headers are lines. A body has a Content-Length, as has an empty one of a POST."""
        body = body.encode() if isinstance(body, str) else body
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.server.host}", *headers]
        if (body or method == "POST") and not any(
                line.lower().startswith(("content-length", "transfer-encoding")) for line in headers):
            lines.append(f"Content-Length: {len(body)}")
        self.write("\r\n".join([*lines, "", ""]).encode() + body)
        return self

    def answer(self):
        """Wait for the next answer, interim ones (1xx) left out."""
        while True:
            head = self.line(b"\r\n\r\n").decode("latin-1").split("\r\n")
            status = int(head[0].split()[1])
            if status >= 200 or status == 101:
                break
        headers = {}
        for row in head[1:-2]:
            name, _, value = row.partition(":")
            headers[name.lower()] = value.strip()
        return Answer(status, headers, self._body(status, headers))

    def _body(self, status, headers):
        if status in (101, 204, 304):
            return b""
        if headers.get("transfer-encoding") != "chunked":
            return self.take(int(headers.get("content-length", 0)))
        body = b""
        while count := int(self.line(b"\r\n"), 16):
            body += self.take(count)
            self.take(2)
        self.take(2)
        return body

    def request(self, method, target, body=b"", headers=()):
        """A request and its answer."""
        return self.ask(method, target, body, headers).answer()


def frame(opcode, payload=b"", final=True, masked=True, reserved=0, length=None):
    """A frame of a client; length may lie."""
    payload = payload.encode() if isinstance(payload, str) else bytes(payload)
    n = len(payload) if length is None else length
    size = bytes([n]) if n < 126 else b"\x7e" + struct.pack(">H", n) if n < 65536 else b"\x7f" + struct.pack(">Q", n)
    head = bytes([final << 7 | reserved << 4 | opcode, masked << 7 | size[0]]) + size[1:]
    if not masked:
        return head + payload
    key = os.urandom(4)
    stream = (key * (len(payload) // 4 + 1))[:len(payload)]
    return head + key + (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(payload), "big")


class WebSocket(Http):
    """A WebSocket. opening is the answer to its request; if that is not 101 the server has refused it."""

    def __init__(self, server, target, headers=(), upgrade="websocket", early=b""):
        super().__init__(server)
        self.key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {target} HTTP/1.1", f"Host: {server.host}", f"Upgrade: {upgrade}", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {self.key}", *headers]
        self.write("\r\n".join([*lines, "", ""]).encode() + early)
        self.opening = self.answer()
        self.is_open = self.opening.status == 101

    def text(self, text, **how):
        """Send a text frame."""
        self.write(frame(TEXT, text, **how))
        return self

    def binary(self, data, **how):
        """Send a binary frame."""
        self.write(frame(BINARY, data, **how))
        return self

    def frame(self):
        """The next frame: (opcode, payload, final). A server's frames are not masked."""
        first, second = self.take(2)
        assert not second & 0x80, "a frame of the server is masked"
        assert not first & 0x70, "reserved bits are set though nothing was negotiated"
        n = second & 0x7f
        if n == 126:
            n = struct.unpack(">H", self.take(2))[0]
        elif n == 127:
            n = struct.unpack(">Q", self.take(8))[0]
        return first & 0x0f, self.take(n), bool(first & 0x80)

    def message(self):
        """The next message, text or bytes; Closed at the end. Control frames but close are left out."""
        parts, kind = [], None
        while True:
            opcode, payload, final = self.frame()
            if opcode == CLOSE:
                raise Closed(int.from_bytes(payload[:2], "big") if payload else 1005)
            if opcode in (PING, PONG):
                continue
            kind = opcode or kind
            parts.append(payload)
            if final:
                whole = b"".join(parts)
                return whole.decode() if kind == TEXT else whole

    def closing(self):
        """Wait until the server closes, and answer its close frame: (what still came, the code)."""
        came = []
        try:
            while True:
                came.append(self.message())
        except Closed as end:
            code = end.code
        try:
            self.write(frame(CLOSE))
        except OSError:
            pass
        self.close()
        return came, code
