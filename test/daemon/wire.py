"""Requests and frames byte by byte, and an Engine.IO session by polling."""
import json
import re
import socket

POLLING, WEBSOCKET = "/socket.io/?EIO=4&transport=polling", "/socket.io/?EIO=4&transport=websocket"
UPGRADE = ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
USER = 11


class Wire:
    """A TCP connection to pushd and what comes back."""

    def __init__(self, world, data=b""):
        self.sock = socket.create_connection(("127.0.0.1", world.lab.facts["http"][0]), timeout=20)
        self.got = b""
        self.send(data)

    def send(self, data):
        """Send bytes or text."""
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def until(self, end):
        """Read until this has come, or the end of it."""
        while end not in self.got:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                break
            self.got += data
        return self.got

    def finish(self):
        """Nothing more will be sent; the server may have closed already."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def closed(self):
        """Read until the server closes; what came."""
        self.until(b"\0never\0")
        self.sock.close()
        return self.got

    def answers(self):
        """How many answers came until the server closed."""
        return self.closed().count(b"HTTP/1.1 ")

    def head(self):
        """The status of the next answer, whose body is not waited for; 0 if it closes without one."""
        self.got = b""
        found = re.match(rb"HTTP/1.[01] (\d+) ", self.until(b"\r\n\r\n"))
        return int(found.group(1)) if found else 0

    def status(self):
        """The status of the next answer, whose body is read too; 0 if it closes without one."""
        self.got = b""
        head = self.until(b"\r\n\r\n")
        found = re.match(rb"HTTP/1.1 (\d+) ", head)
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        while length and len(self.got) < head.index(b"\r\n\r\n") + 4 + int(length.group(1)):
            self.got += self.sock.recv(65536)
        return int(found.group(1)) if found else 0


class Poll:
    """An Engine.IO session by polling."""

    def __init__(self, world, ident=USER):
        self.world = world
        status, _, body = world.http("GET", POLLING, headers={"Authorization": f"Bearer {world.token(ident)}"})
        assert status == 200
        self.path = f"{POLLING}&sid={json.loads(body[1:])['sid']}"

    def get(self):
        """(status, body)"""
        return self.world.http("GET", self.path)[::2]

    def post(self, body, **headers):
        """(status, body)"""
        return self.world.http("POST", self.path, body, headers)[::2]

    def works(self):
        """CONNECT is answered."""
        assert self.post("40/tasks,{}") == (200, "ok")
        assert self.get()[1].startswith('40/tasks,{"sid":"')
        self.post("1")
        return True

    def gone(self):
        """The session is closed."""
        return self.get() == (400, '{"code":1,"message":"Session ID unknown"}')


def request(method, path, *headers, body=""):
    """A request as text."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers, "", body])


def frame(opcode, payload=b"", final=True, masked=True, reserved=0, length=None):
    """A frame of a WebSocket, with a length that may lie."""
    data = payload.encode() if isinstance(payload, str) else payload
    size = len(data) if length is None else length
    head = bytes([final << 7 | reserved << 4 | opcode])
    mask = 0x80 if masked else 0
    if size < 126:
        head += bytes([mask | size])
    elif size < 65536:
        head += bytes([mask | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([mask | 127]) + size.to_bytes(8, "big")
    key = b"\x11\x22\x33\x44" if masked else b""
    return head + key + (bytes(byte ^ key[i % 4] for i, byte in enumerate(data)) if masked else data)


CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Frames(Wire):
    """A WebSocket frame by frame."""

    def __init__(self, world, *headers, path=WEBSOCKET):
        super().__init__(world, f"GET {path} HTTP/1.1\r\nHost: x\r\n{UPGRADE}" + "".join(f"{h}\r\n" for h in headers) + "\r\n")
        self.head = self.until(b"\r\n\r\n").partition(b"\r\n\r\n")[0]
        self.got = self.got.partition(b"\r\n\r\n")[2]

    def _take(self, count):
        while len(self.got) < count:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self.got += data
        taken, self.got = self.got[:count], self.got[count:]
        return taken

    def next(self):
        """(opcode, payload) of the next frame; (None, b"") at the end of the connection."""
        try:
            first, size = self._take(2)
            if size >= 126:
                size = int.from_bytes(self._take(2 if size == 126 else 8), "big")
            return first & 15, self._take(size)
        except (EOFError, ConnectionResetError):
            return None, b""

    def text(self):
        """The next text frame; pings of the session are passed over."""
        while True:
            opcode, payload = self.next()
            if opcode != TEXT or payload != b"2":
                return payload.decode() if opcode == TEXT else (opcode, payload)

    def close_code(self):
        """The code that the server closes with; 1005 if it gives none, 1006 if it just goes."""
        while True:
            opcode, payload = self.next()
            if opcode is None:
                return 1006
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big") if payload else 1005
