#!/usr/bin/python3
"""Connections that mean harm, many at once in one process, away from the honest clients' own.

usage: hostile.py URL, then one line of JSON on standard input:
  {"tokens": {kind of token: [...]}, "rounds": N, "flood": EVENTS, "kinds": {kind: [connections, source address]}}
and each kind (a function below) is done by that many connections at a time, N times by each. When all have ended
but those that wait to be released, it says "waiting", and goes on after another line; when all have ended, it
writes {outcome: count}. Of an outcome "refused X" or "closed X" pushd has to have counted the reason X; "held"
and others are ends that have none; "wrong ..." is what must not be.
"""
import asyncio
import json
import os
import socket
import struct
import sys
from collections import Counter
from urllib.parse import urlsplit

TEXT, BINARY, CLOSE = 1, 2, 8
RESET = struct.pack("ii", 1, 0)
UPGRADE = ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
POLLING, WEBSOCKET = "EIO=4&transport=polling", "EIO=4&transport=websocket"
PATIENCE = 60  # seconds; who waits so long for the server has found something
STATUS = {400: "malformed", 404: "path", 411: "length", 413: "max_payload", 429: "handshake_rate"}
CODE = {0: "transport", 1: "sid", 2: "method", 3: "malformed", 5: "version"}
WAIT = ("never_reads", "crowded")
BAD_FRAMES = [b"\x81\x01" + b"2", b"\xf1\x81\0\0\0\0" + b"3", b"\x83\x81\0\0\0\0" + b"3", b"\x8b\x80\0\0\0\0",
              b"\x89\xfe\0\x80\0\0\0\0" + b"x" * 128, b"\x80\x81\0\0\0\0" + b"3", b"\x81\x82\0\0\0\0\xff\xfe",
              b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", b"\x88\x81\0\0\0\0x"]
BAD_PACKETS = ["", "7", "x", "2", "4", "49", "42[]", "42/tasks,[]", '42/tasks,["connect"]', '42/nowhere,["x"]', "40/tasks,[]",
               "43/tasks,{}", '44/tasks,{"message":"x"}', '450-/tasks,["x"]', "42/tasks,1abc"]
NONSENSE = [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0" * 100, b"GET\r\n\r\n", b"\xff\xfe" * 500 + b"\r\n\r\n",
            b"GET " + b"/" * 20000 + b" HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]


def frame(data, opcode=TEXT, fin=True):
    """A frame with a mask of zeros."""
    data = data.encode() if isinstance(data, str) else data
    size = (bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
            if len(data) < 65536 else b"\xff" + len(data).to_bytes(8, "big"))
    return bytes([(0x80 if fin else 0) | opcode]) + size + b"\0\0\0\0" + data


class Wire:
    """One TCP connection."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def send(self, data):
        """Bytes or text, as long as somebody takes them."""
        if not self.writer.is_closing():
            self.writer.write(data.encode() if isinstance(data, str) else data)

    async def ended(self):
        """Everything that comes until the server closes."""
        got = b""
        try:
            while True:
                data = await asyncio.wait_for(self.reader.read(65536), PATIENCE)
                if not data:
                    break
                got = got[-1000:] + data
        except ConnectionError:
            pass
        return got

    async def drip(self, data=b"x", pause=0.2):
        """Bytes, one by one, until the server closes; what it said."""
        end = asyncio.ensure_future(self.ended())
        while not end.done():
            self.send(data)
            await asyncio.wait([end], timeout=pause)
        return end.result()

    async def answer(self):
        """(status, body) of an HTTP answer; 0 for a connection that is closed without one."""
        try:
            head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)).decode()
            status = int(head.split(" ", 2)[1])
            size = head.lower().partition("content-length: ")[2].partition("\r")[0]
            return status, (await self.reader.readexactly(int(size or 0))).decode() if status != 101 else ""
        except (OSError, asyncio.IncompleteReadError):
            return 0, ""

    async def frame(self):
        """(opcode, data) of the next frame; (CLOSE, code) or (CLOSE, b"") at the end."""
        try:
            first, size = await asyncio.wait_for(self.reader.readexactly(2), PATIENCE)
            if size >= 126:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            data = await self.reader.readexactly(size)
        except (OSError, asyncio.IncompleteReadError):
            return CLOSE, b""
        return first & 15, data

    def end(self, reset=True):
        """Close it."""
        if reset and not self.writer.is_closing():
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        (self.writer.transport.abort if reset else self.writer.close)()


class Hostile:
    """One connection's worth of harm; number tells it what to vary."""

    def __init__(self, crowd, source, number):
        self.crowd, self.source, self.number = crowd, source, number
        self.wires = []

    # --- what all use ---

    async def wire(self, data="", room=None):
        """A connection to pushd."""
        sock = socket.socket()
        sock.setblocking(False)
        if room:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        sock.bind((self.source, 0))
        await asyncio.get_running_loop().sock_connect(sock, self.crowd.address)
        self.wires.append(Wire(*await asyncio.open_connection(sock=sock)))
        self.wires[-1].send(data)
        return self.wires[-1]

    def request(self, query, method="GET", body=None, more="", path="/socket.io/"):
        """A request as text."""
        length = f"Content-Length: {len(body)}\r\n" if body is not None else ""
        return f"{method} {path}?{query} HTTP/1.1\r\nHost: x\r\n{length}{more}\r\n{body or ''}"

    async def ask(self, *args, **more):
        """A request on a connection of its own, and its answer."""
        wire = await self.wire(self.request(*args, **more))
        answer = await wire.answer()
        wire.end(reset=False)
        return answer

    def authorization(self, kind="good"):
        """The header with a token."""
        tokens = self.crowd.tokens[kind]
        return f"Authorization: Bearer {tokens[self.number % len(tokens)]}\r\n"

    async def session(self):
        """The query of a session by polling."""
        status, body = await self.ask(POLLING, more=self.authorization())
        if status != 200:
            raise Refused(status, body)
        return f"{POLLING}&sid={json.loads(body[1:])['sid']}"

    async def websocket(self, token="good", query=WEBSOCKET, connect=True, room=None):
        """A WebSocket, connected to the namespace."""
        more = UPGRADE + (self.authorization(token) if token else "")
        wire = await self.wire(self.request(query, more=more), room)
        status, body = await wire.answer()
        if status != 101:
            raise Refused(status, body)
        if connect:
            wire.send(frame("40/tasks,{}"))
            while not (await wire.frame())[1].startswith(b"40"):
                pass
        return wire

    async def closed(self, wire, reason, pongs=True, code=None):
        """The server closes a WebSocket."""
        while True:
            opcode, data = await wire.frame()
            if opcode == CLOSE:
                good = code is None or data[:2] in (b"", code.to_bytes(2, "big"))
                return f"closed {reason}" if good else f"wrong close {data[:2]} for {reason}"
            if data == b"2" and pongs:
                wire.send(frame("3"))

    # --- kinds ---

    async def half_head(self):
        """Headers that never end."""
        wire = await self.wire(self.request(POLLING, more="X-Slow: ")[:-4])
        got = await wire.drip()
        return "wrong half_head" if b" 200 " in got else "held half_head"

    async def slow_body(self):
        """A body that never ends."""
        query = await self.session()
        wire = await self.wire(self.request(query, "POST", more="Content-Length: 1000\r\n"))
        got = await wire.drip()
        return "wrong slow_body" if b" 200 " in got else "held slow_body"

    async def silent(self):
        """Connections that say nothing at all."""
        await (await self.wire()).ended()
        return "held silent"

    async def bad_frame(self):
        """What is not WebSocket, not masked frames among it."""
        wire = await self.websocket()
        wire.send(BAD_FRAMES[self.number % len(BAD_FRAMES)])
        return await self.closed(wire, "by its frame")

    async def bad_packet(self):
        """What is not Engine.IO or Socket.IO."""
        wire = await self.websocket()
        wire.send(frame(BAD_PACKETS[self.number % len(BAD_PACKETS)]))
        return await self.closed(wire, "malformed")

    async def too_many_attachments(self):
        """More than max_attachments."""
        wire = await self.websocket()
        wire.send(frame('4511-/tasks,["x"]'))
        return await self.closed(wire, "max_attachments")

    async def too_deep(self):
        """Nested deeper than max_depth."""
        wire = await self.websocket()
        wire.send(frame('42/tasks,["x",' + "[" * 3000 + "]" * 3000 + "]"))
        return await self.closed(wire, "max_depth")

    async def large_message(self):
        """Over max_payload, in one frame or in parts."""
        wire = await self.websocket()
        if self.number % 2:
            wire.send(frame("4" * 300000, fin=False) + frame("4" * 300000, opcode=0, fin=False) * 3)
        else:
            wire.send(frame("4" + "x" * 1000000))
        return await self.closed(wire, "max_payload", code=1009)

    async def large_body(self):
        """Over max_payload."""
        status, _ = await self.ask(await self.session(), "POST", more="Content-Length: 1000001\r\n")
        return "refused max_payload" if status == 413 else f"wrong {status} for a large body"

    async def refused(self):
        """Requests of every kind that are refused."""
        kind = self.number % 8
        args, more = [("EIO=4&transport=smoke", "GET"), (f"{POLLING}&sid={os.urandom(10).hex()}", "GET"),
                      (POLLING, "POST"), (WEBSOCKET, "GET"), ("EIO=3&transport=polling", "GET"), (POLLING, "GET"),
                      (POLLING, "POST"), (f"{POLLING}&sid=", "PUT")][kind], {}
        if kind == 2:
            more["body"] = ""
        if kind == 5:
            more["path"] = "/elsewhere"
        if kind == 6:
            more["more"] = "Transfer-Encoding: chunked\r\n"
        status, body = await self.ask(*args, **more)
        return told(status, body)

    async def nonsense(self):
        """Not HTTP."""
        wire = await self.wire(NONSENSE[self.number % len(NONSENSE)])
        wire.writer.write_eof()
        return "wrong nonsense" if b'"sid"' in await wire.ended() else "held nonsense"

    async def event_flood(self):
        """Events as fast as they go; each is acknowledged in the end."""
        wire = await self.websocket()
        wire.send(b"".join(frame(f'42/tasks,{i}["flood"]') for i in range(self.crowd.flood)))
        wanted = f"43/tasks,{self.crowd.flood - 1}[]".encode()
        while True:
            opcode, data = await wire.frame()
            if opcode == CLOSE:
                return "wrong end of a flood of events"
            if data == b"2":
                wire.send(frame("3"))
            if data == wanted:
                return "paused event_rate"

    async def byte_flood(self):
        """Large events."""
        wire = await self.websocket()
        wire.send(frame('42/tasks,1["flood","' + "x" * 900000 + '"]') * 2)
        wire.send(frame('42/tasks,2["flood"]'))
        while True:
            opcode, data = await wire.frame()
            if opcode == CLOSE:
                return "wrong end of a flood of bytes"
            if data == b"2":
                wire.send(frame("3"))
            if data == b"43/tasks,2[]":
                return "paused byte_rate"

    async def handshake_flood(self):
        """Handshakes as fast as they go, and none is used."""
        wire = await self.wire()
        for _ in range(20):
            wire.send(self.request(POLLING))
            status, body = await wire.answer()
            if status == 0:
                return "wrong end of a flood of handshakes"
            self.crowd.found["opened" if status == 200 else told(status, body)] += 1
        return "flooded"

    async def abort(self):
        """Go away, in every state that a session by polling has."""
        state = self.number % 9
        if state == 0:
            await self.wire(self.request(POLLING))
            return "aborted"
        query = await self.session()
        if state in (1, 2, 3):  # a GET: held, on its way, or ended orderly
            wire = await self.wire(self.request(query))
            await asyncio.sleep(0.05 * (state != 2))
            wire.end(reset=state != 3)
        elif state in (4, 5):   # a POST: half, or whole
            await self.wire(self.request(query, "POST", "40/tasks,{}")[:-(state == 4) or None])
        elif state == 6:        # both
            await self.wire(self.request(query))
            await self.wire(self.request(query, "POST", "40/tasks,{}"))
        else:                   # an upgrade, before and after its probe
            wire = await self.wire(self.request(query.replace("polling", "websocket"), more=UPGRADE))
            if state == 8:
                wire.send(frame("2probe"))
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.01 * (self.number % 3))
        return "aborted"

    async def bad_token(self):
        """Tokens that are forged, expired, nonsense, or absent."""
        wire = await self.websocket(token="bad" if self.number % 4 else None)
        return await self.closed(wire, "token")

    async def never_reads(self):
        """A client to whom much is sent, and who reads nothing, but seems to be alive."""
        wire = await self.websocket(token="slow", room=4096)
        self.crowd.begun += 1
        wire.writer.transport.pause_reading()
        while not self.crowd.released.is_set():
            wire.send(frame("3"))
            await asyncio.sleep(0.5)
        return "held never_reads"

    async def no_pong(self):
        """A client that is asleep."""
        return await self.closed(await self.websocket(), "ping_timeout", pongs=False)

    async def no_namespace(self):
        """A client that never says what it wants."""
        return await self.closed(await self.websocket(connect=False), "connect_timeout")

    async def two_gets(self):
        """Two GETs at once."""
        query = await self.session()
        wires = [await self.wire(self.request(query)) for _ in range(2)]
        answers = sorted([await wire.answer() for wire in wires])
        return "closed overlap" if answers == [(200, "1"), (400, "")] else f"wrong answers to two GETs: {answers}"

    async def upgrades(self):
        """WebSockets on a session that has one, and probes that are none: the session goes on."""
        query = await self.session()
        ours = query.replace("polling", "websocket")
        for data in (frame("4x"), frame(b"x", BINARY), BAD_FRAMES[self.number % len(BAD_FRAMES)]):
            wire = await self.wire(self.request(ours, more=UPGRADE))
            if (await wire.answer())[0] != 101:
                return "wrong refusal of an upgrade"
            wire.send(data)
            await self.closed(wire, "its probe")
            wire.end()
        said = None
        while said != (TEXT, b"3probe"):  # that the last one has ended has to be noticed
            first = await self.wire(self.request(ours, more=UPGRADE))
            if (await first.answer())[0] != 101:
                return "wrong end of a session that was to be upgraded"
            first.send(frame("2probe"))
            said = await first.frame()
        others = [await self.wire(self.request(ours, more=UPGRADE)) for _ in range(3)]
        for wire in others:
            await wire.answer()
            await self.closed(wire, "declined")
        first.send(frame("5") + frame("40/tasks,{}"))
        said = await first.frame()
        while said[1] == b"2":
            said = await first.frame()
        if not said[1].startswith(b"40/tasks,"):
            return f"wrong end of an upgrade: {said}"
        first.send(frame(b"", CLOSE))
        await self.closed(first, "client")
        return "upgraded"

    async def visit(self):
        """No harm at all: a session, and its orderly end."""
        self.source = f"127.0.1.{1 + self.number % 8}"
        await self.ask(await self.session(), "POST", "1")
        return "visited"

    async def crowded(self):
        """One address more than it may have."""
        wire = None
        while not wire:
            try:
                wire = await self.websocket()
            except Refused as refused:
                self.crowd.found[refused.told] += 1
                if refused.told == "refused max_connections_per_address":
                    self.crowd.begun += 1
                    return "crowded out"
                if refused.told != "refused handshake_rate":
                    return f"wrong answer to a crowd: {refused.told}"
                await asyncio.sleep(1)
        self.crowd.begun += 1
        end = asyncio.ensure_future(self.closed(wire, "a crowd"))
        released = asyncio.ensure_future(self.crowd.released.wait())
        await asyncio.wait([end, released], return_when=asyncio.FIRST_COMPLETED)
        released.cancel()
        if end.done():
            return "wrong end in a crowd"
        end.cancel()
        return "held crowded"


def told(status, body):
    """Which reason an answer gives."""
    code = json.loads(body)["code"] if body.startswith("{") else None
    if status == 503:
        return "refused max_connections_per_address"
    if status == 400 and code in CODE:
        return f"refused {CODE[code]}"
    return f"refused {STATUS[status]}" if status in STATUS else f"wrong answer {status} {body[:100]}"


class Refused(Exception):
    """A handshake that was needed was refused."""

    def __init__(self, status, body):
        super().__init__(f"{status} {body}")
        self.told = told(status, body)


class Crowd:
    """All of them."""

    def __init__(self, url):
        self.address = (urlsplit(url).hostname, urlsplit(url).port)
        self.found = Counter()
        self.released = asyncio.Event()
        self.begun = 0  # of those that wait

    async def one(self, kind, number, source, rounds):
        """One connection of a kind, again and again."""
        for turn in range(rounds):
            hostile = Hostile(self, source, number + turn)
            try:
                outcome = await getattr(hostile, kind)()
            except Exception as error:  # pylint: disable=broad-except
                outcome = f"wrong {kind}: {error!r}"
            for wire in hostile.wires:
                wire.end()
            self.found[outcome] += 1

    async def run(self):
        """All kinds. Those that wait to be released are when all others have ended."""
        loop = asyncio.get_running_loop()
        asked = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
        self.tokens, self.flood = asked["tokens"], asked["flood"]
        tasks = {kind: [asyncio.ensure_future(self.one(kind, number, source, asked["rounds"])) for number in range(count)]
                 for kind, (count, source) in asked["kinds"].items()}
        await asyncio.gather(*(task for kind in tasks if kind not in WAIT for task in tasks[kind]))
        while self.begun < sum(len(tasks.get(kind, ())) for kind in WAIT):
            await asyncio.sleep(0.05)
        print("waiting", flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
        self.released.set()
        await asyncio.gather(*(task for some in tasks.values() for task in some))
        print(json.dumps(self.found), flush=True)


if __name__ == "__main__":
    asyncio.run(Crowd(sys.argv[1]).run())
