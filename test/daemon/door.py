"""Handshakes byte by byte: from which address, with which headers, and what exactly is answered."""
import base64
import json
import os
import socket

POLLING, WEBSOCKET = "/socket.io/?EIO=4&transport=polling", "/socket.io/?EIO=4&transport=websocket"


class Door:
    """A connection that makes one request after the other. by: what it says in X-Forwarded-For, source: where it comes from."""

    def __init__(self, world, by=None, source="127.0.0.1", token=None):
        port = world.lab.facts["http"][0]
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(source, 0))
        self.file = self.sock.makefile("rb")
        self.common = ["Host: x"] + [f"X-Forwarded-For: {line}" for line in ([by] if isinstance(by, str) else by or ())]
        self.common += [f"Authorization: Bearer {token}"] if token else []
        self.sid = None

    def ask(self, method, path, body="", *headers):
        """(status, headers, body) of the answer."""
        lines = [f"{method} {path} HTTP/1.1", *self.common, *headers]
        lines += [f"Content-Length: {len(body)}"] if method == "POST" else []
        self.sock.sendall("\r\n".join([*lines, "", body]).encode())
        return self.answer()

    def answer(self):
        """(status, headers, body) of the next answer; (0, {}, "") at the end."""
        line = self.file.readline()
        if not line:
            return 0, {}, ""
        found = {}
        while (header := self.file.readline()) not in (b"\r\n", b""):
            name, _, value = header.decode().rstrip("\r\n").partition(": ")
            found.setdefault(name.lower(), []).append(value)
        body = self.file.read(int(found.get("content-length", ["0"])[0])).decode()
        return int(line.split()[1]), found, body

    def poll(self):
        """A handshake by polling."""
        answer = self.ask("GET", POLLING)
        if answer[0] == 200:
            self.sid = json.loads(answer[2][1:])["sid"]
        return answer

    def websocket(self, sid=""):
        """A handshake by WebSocket, or the upgrade of sid. 101: it is one now."""
        key = base64.b64encode(os.urandom(16)).decode()
        return self.ask("GET", WEBSOCKET + (f"&sid={sid}" if sid else ""), "", "Connection: Upgrade", "Upgrade: websocket",
                        "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}")

    def get(self):
        """The next packets of the session."""
        return self.ask("GET", f"{POLLING}&sid={self.sid}")

    def post(self, body):
        """Send packets in the session."""
        return self.ask("POST", f"{POLLING}&sid={self.sid}", body)

    def say(self, packet):
        """Send a WebSocket text frame."""
        data, mask = packet.encode(), b"\0\0\0\0"
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
        self.sock.sendall(b"\x81" + size + mask + data)

    def close(self):
        """Gone, and not politely."""
        self.file.close()
        self.sock.close()
