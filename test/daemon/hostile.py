#!/usr/bin/python3
"""Connections that mean harm, many at once in one process, away from the honest clients' own.

usage: hostile.py URL, then one line of JSON on standard input:
  {"tokens": {kind of token: [...]}, "rounds": N, "flood": EVENTS,
   "kinds": {kind: [connections, source address]}}
Each kind (a function below) is done by that many connections at a time, N times by each. When all
have ended but those that wait to be released, it says "waiting", and goes on after another line.
When all have ended, it writes {outcome: count}. pushd must have counted the reason X of each
outcome "refused X" or "closed X". "held" and others are ends without a reason; "wrong ..." is what
must not be.
"""
import asyncio
import json
import os
import sys
from collections import Counter
from urllib.parse import urlsplit

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from rawlib import streams  # noqa: E402
from rawlib.wire import (BAD_FRAMES, BINARY, CLOSE, POLLING, TEXT, WEBSOCKET,  # noqa: E402
                         Closed, fragments, frame, handshake, read_frame, request)

PATIENCE = 60  # seconds; who waits so long for the server has found something
STATUS = {400: "malformed", 404: "path", 411: "length", 413: "max_payload", 429: "handshake_rate"}
CODE = {0: "transport", 1: "sid", 2: "method", 3: "malformed", 5: "version"}
WAIT = ("never_reads", "crowded")
BROKEN = list(BAD_FRAMES.values())
BAD_PACKETS = ["", "7", "x", "2", "4", "49", "42[]", "42/tasks,[]", '42/tasks,["connect"]',
               '42/nowhere,["x"]', "40/tasks,[]", "43/tasks,{}", '44/tasks,{"message":"x"}',
               '450-/tasks,["x"]', "42/tasks,1abc"]
NONSENSE = [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0" * 100, b"GET\r\n\r\n",
            b"\xff\xfe" * 500 + b"\r\n\r\n", b"GET " + b"/" * 20000 + b" HTTP/1.1\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]


class Connection(streams.Connection):
    """One TCP connection; what the server owes it comes soon, or is a finding."""

    async def read(self, reader):
        return await asyncio.wait_for(super().read(reader), PATIENCE)

    async def rest(self):
        """The end of what comes until the server closes."""
        got = b""
        try:
            while data := await asyncio.wait_for(self.reader.read(65536), PATIENCE):
                got = got[-1000:] + data
        except ConnectionError:
            pass
        return got

    async def drip(self, data=b"x", pause=0.2):
        """Bytes, one by one, until the server closes; what it said."""
        rest = asyncio.ensure_future(self.rest())
        while not rest.done():
            self.write(data)
            await asyncio.wait([rest], timeout=pause)
        return rest.result()

    async def frame(self):
        """(opcode, payload) of the next frame; at the end it is as if a CLOSE had come."""
        try:
            return (await self.read(read_frame()))[:2]
        except Closed:
            return CLOSE, b""


class Hostile:
    """One connection's worth of harm; number tells it what to vary."""

    def __init__(self, crowd, source, number):
        self.crowd, self.source, self.number = crowd, source, number
        self.connections = []

    # --- what all use ---

    async def open(self, data=b"", room=None):
        """A connection to pushd, on which this is sent."""
        made = await Connection.open(self.crowd.address, self.source, room)
        self.connections.append(made)
        made.write(data)
        return made

    async def ask(self, *args, **more):
        """A request on a connection of its own, and its answer."""
        connection = await self.open(request(*args, **more))
        answer = await connection.answer()
        connection.end()
        return answer

    def authorization(self, kind="good"):
        """The header with a token."""
        tokens = self.crowd.tokens[kind]
        return f"Authorization: Bearer {tokens[self.number % len(tokens)]}"

    async def session(self):
        """The path of a session by polling."""
        answer = await self.ask("GET", POLLING, self.authorization())
        if answer.status != 200:
            raise Refused(answer)
        return f"{POLLING}&sid={json.loads(answer.text[1:])['sid']}"

    async def websocket(self, token="good", connect=True, room=None):
        """A WebSocket, connected to the namespace."""
        lines = [self.authorization(token)] if token else []
        connection = await self.open(handshake(WEBSOCKET, *lines), room)
        answer = await connection.answer()
        if answer.status != 101:
            raise Refused(answer)
        if connect:
            connection.write(frame(TEXT, "40/tasks,{}"))
            opcode, data = await connection.frame()
            while not data.startswith(b"40"):
                if opcode == CLOSE:
                    raise Closed()
                opcode, data = await connection.frame()
        return connection

    async def closed(self, connection, reason, pongs=True, code=None):
        """The server closes a WebSocket."""
        while True:
            opcode, data = await connection.frame()
            if opcode == CLOSE:
                good = code is None or data[:2] in (b"", code.to_bytes(2, "big"))
                return f"closed {reason}" if good else f"wrong close {data[:2]} for {reason}"
            if data == b"2" and pongs:
                connection.write(frame(TEXT, "3"))

    async def acknowledged(self, connection, number, rate):
        """The server acknowledges this event in the end; the rate has paused it before."""
        while True:
            opcode, data = await connection.frame()
            if opcode == CLOSE:
                return f"wrong end over {rate}"
            if data == b"2":
                connection.write(frame(TEXT, "3"))
            if data == f"43/tasks,{number}[]".encode():
                return f"paused {rate}"

    # --- kinds ---

    async def half_head(self):
        """Headers that never end."""
        connection = await self.open(request("GET", POLLING, "X-Slow: ")[:-4])
        got = await connection.drip()
        return "wrong half_head" if b" 200 " in got else "held half_head"

    async def slow_body(self):
        """A body that never ends."""
        connection = await self.open(request("POST", await self.session(), "Content-Length: 1000"))
        got = await connection.drip()
        return "wrong slow_body" if b" 200 " in got else "held slow_body"

    async def silent(self):
        """Connections that say nothing at all."""
        await (await self.open()).rest()
        return "held silent"

    async def bad_frame(self):
        """What is not WebSocket, not masked frames among it."""
        connection = await self.websocket()
        connection.write(BROKEN[self.number % len(BROKEN)])
        return await self.closed(connection, "by its frame")

    async def bad_packet(self):
        """What is not Engine.IO or Socket.IO."""
        connection = await self.websocket()
        connection.write(frame(TEXT, BAD_PACKETS[self.number % len(BAD_PACKETS)]))
        return await self.closed(connection, "malformed")

    async def too_many_attachments(self):
        """More than max_attachments."""
        connection = await self.websocket()
        connection.write(frame(TEXT, '4511-/tasks,["x"]'))
        return await self.closed(connection, "max_attachments")

    async def too_deep(self):
        """Nested deeper than max_depth."""
        connection = await self.websocket()
        connection.write(frame(TEXT, '42/tasks,["x",' + "[" * 3000 + "]" * 3000 + "]"))
        return await self.closed(connection, "max_depth")

    async def large_message(self):
        """Over max_payload, in one frame or in parts."""
        connection = await self.websocket()
        parts = ["4" * 300000] * 4 if self.number % 2 else ["4" + "x" * 1000000]
        connection.write(b"".join(fragments(TEXT, *parts)))
        return await self.closed(connection, "max_payload", code=1009)

    async def large_body(self):
        """Over max_payload."""
        answer = await self.ask("POST", await self.session(), "Content-Length: 1000001")
        return ("refused max_payload" if answer.status == 413 else
                f"wrong {answer.status} for a large body")

    async def refused(self):
        """Requests of every kind that are refused."""
        requests = [("GET", POLLING.replace("polling", "smoke")),
                    ("GET", f"{POLLING}&sid={os.urandom(10).hex()}"),
                    ("POST", POLLING, "Content-Length: 0"), ("GET", WEBSOCKET),
                    ("GET", POLLING.replace("EIO=4", "EIO=3")), ("GET", "/elsewhere"),
                    ("POST", POLLING, "Transfer-Encoding: chunked"), ("PUT", f"{POLLING}&sid=")]
        return told(await self.ask(*requests[self.number % len(requests)]))

    async def nonsense(self):
        """Not HTTP."""
        connection = await self.open(NONSENSE[self.number % len(NONSENSE)])
        connection.writer.write_eof()
        return "wrong nonsense" if b'"sid"' in await connection.rest() else "held nonsense"

    async def event_flood(self):
        """Events as fast as they go; each is acknowledged in the end."""
        connection = await self.websocket()
        connection.write(b"".join(frame(TEXT, f'42/tasks,{i}["flood"]')
                                  for i in range(self.crowd.flood)))
        return await self.acknowledged(connection, self.crowd.flood - 1, "event_rate")

    async def byte_flood(self):
        """Large events."""
        connection = await self.websocket()
        connection.write(frame(TEXT, '42/tasks,1["flood","' + "x" * 900000 + '"]') * 2)
        connection.write(frame(TEXT, '42/tasks,2["flood"]'))
        return await self.acknowledged(connection, 2, "byte_rate")

    async def handshake_flood(self):
        """Handshakes as fast as they go, and none is used."""
        connection = await self.open()
        for _ in range(20):
            connection.write(request("GET", POLLING))
            answer = await connection.answer()
            if not answer.status:
                return "wrong end of a flood of handshakes"
            self.crowd.found["opened" if answer.status == 200 else told(answer)] += 1
        return "flooded"

    async def abort(self):
        """Go away, in every state that a session by polling has."""
        state = self.number % 9
        if state == 0:
            await self.open(request("GET", POLLING))
            return "aborted"
        path = await self.session()
        if state in (1, 2, 3):  # a GET: held, on its way, or ended orderly
            connection = await self.open(request("GET", path))
            # Chance decides what the server has seen of it.
            await asyncio.sleep(0.05 * (state != 2))
            connection.end(reset=state != 3)
        elif state in (4, 5):   # a POST: half, or whole
            post = request("POST", path, body="40/tasks,{}")
            await self.open(post[:-1] if state == 4 else post)
        elif state == 6:        # both
            await self.open(request("GET", path))
            await self.open(request("POST", path, body="40/tasks,{}"))
        else:                   # an upgrade, before and after its probe
            connection = await self.open(handshake(path.replace("polling", "websocket")))
            if state == 8:
                connection.write(frame(TEXT, "2probe"))
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.01 * (self.number % 3))
        return "aborted"

    async def bad_token(self):
        """Tokens that are forged, expired, nonsense, or absent."""
        connection = await self.websocket(token="bad" if self.number % 4 else None)
        return await self.closed(connection, "token")

    async def never_reads(self):
        """A client to whom much is sent, and who reads nothing, but seems to be alive."""
        connection = await self.websocket(token="slow", room=4096)
        self.crowd.begun.release()
        connection.writer.transport.pause_reading()
        released = asyncio.ensure_future(self.crowd.released.wait())
        while not released.done():
            connection.write(frame(TEXT, "3"))
            await asyncio.wait([released], timeout=0.5)
        return "held never_reads"

    async def no_pong(self):
        """A client that is asleep."""
        return await self.closed(await self.websocket(), "ping_timeout", pongs=False)

    async def no_namespace(self):
        """A client that never says what it wants."""
        return await self.closed(await self.websocket(connect=False), "connect_timeout")

    async def two_gets(self):
        """Two GETs at once."""
        path = await self.session()
        connections = [await self.open(request("GET", path)) for _ in range(2)]
        answers = sorted([(await connection.answer()).said for connection in connections])
        return ("closed overlap" if answers == [(200, "1"), (400, "")] else
                f"wrong answers to two GETs: {answers}")

    async def upgrades(self):
        """WebSockets on a session that has one, and probes that are none: the session goes on."""
        upgrade = handshake((await self.session()).replace("polling", "websocket"))
        for data in (frame(TEXT, "4x"), frame(BINARY, "x"), BROKEN[self.number % len(BROKEN)]):
            connection = await self.open(upgrade)
            if (await connection.answer()).status != 101:
                return "wrong refusal of an upgrade"
            connection.write(data)
            await self.closed(connection, "its probe")
            connection.end(reset=True)
        said = None
        while said != (TEXT, b"3probe"):  # that the last one has ended has to be noticed
            first = await self.open(upgrade)
            if (await first.answer()).status != 101:
                return "wrong end of a session that was to be upgraded"
            first.write(frame(TEXT, "2probe"))
            said = await first.frame()
        others = [await self.open(upgrade) for _ in range(3)]
        for connection in others:
            await connection.answer()
            await self.closed(connection, "declined")
        first.write(frame(TEXT, "5") + frame(TEXT, "40/tasks,{}"))
        said = await first.frame()
        while said[1] == b"2":
            said = await first.frame()
        if not said[1].startswith(b"40/tasks,"):
            return f"wrong end of an upgrade: {said}"
        first.write(frame(CLOSE))
        await self.closed(first, "client")
        return "upgraded"

    async def visit(self):
        """No harm at all: a session, and its orderly end."""
        self.source = f"127.0.1.{1 + self.number % 8}"
        await self.ask("POST", await self.session(), body="1")
        return "visited"

    async def crowded(self):
        """One address more than it may have."""
        connection = None
        while not connection:
            try:
                connection = await self.websocket()
            except Refused as refused:
                self.crowd.found[refused.told] += 1
                if refused.told == "refused max_connections_per_address":
                    self.crowd.begun.release()
                    return "crowded out"
                if refused.told != "refused handshake_rate":
                    return f"wrong answer to a crowd: {refused.told}"
                await asyncio.sleep(1)  # as 429 says: Retry-After
        self.crowd.begun.release()
        end = asyncio.ensure_future(self.closed(connection, "a crowd"))
        released = asyncio.ensure_future(self.crowd.released.wait())
        await asyncio.wait([end, released], return_when=asyncio.FIRST_COMPLETED)
        released.cancel()
        if end.done():
            return "wrong end in a crowd"
        end.cancel()
        return "held crowded"


def told(answer):
    """Which reason an answer gives."""
    code = json.loads(answer.text)["code"] if answer.text.startswith("{") else None
    if answer.status == 503:
        return "refused max_connections_per_address"
    if answer.status == 400 and code in CODE:
        return f"refused {CODE[code]}"
    return (f"refused {STATUS[answer.status]}" if answer.status in STATUS else
            f"wrong answer {answer}")


class Refused(Exception):
    """A handshake that was needed was refused."""

    def __init__(self, answer):
        super().__init__(str(answer))
        self.told = told(answer)


class Crowd:
    """All of them."""

    def __init__(self, url, harm=Hostile):
        self.address = (urlsplit(url).hostname, urlsplit(url).port)
        self.harm, self.found = harm, Counter()
        self.released = asyncio.Event()
        self.begun = asyncio.Semaphore(0)  # has as many as wait

    async def one(self, kind, number, source, rounds):
        """One connection of a kind, again and again."""
        for turn in range(rounds):
            hostile = self.harm(self, source, number + turn)
            try:
                outcome = await getattr(hostile, kind)()
            except Exception as error:  # pylint: disable=broad-except
                outcome = f"wrong {kind}: {error!r}"
            for connection in hostile.connections:
                connection.end(reset=True)
            self.found[outcome] += 1

    async def run(self):
        """All kinds. Those that wait to be released are when all others have ended."""
        loop = asyncio.get_running_loop()
        asked = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
        self.tokens, self.flood = asked["tokens"], asked["flood"]
        tasks = {kind: [asyncio.ensure_future(self.one(kind, number, source, asked["rounds"]))
                        for number in range(count)]
                 for kind, (count, source) in asked["kinds"].items()}
        await asyncio.gather(*(task for kind in tasks if kind not in WAIT for task in tasks[kind]))
        for _ in range(sum(len(tasks.get(kind, ())) for kind in WAIT)):
            await self.begun.acquire()
        print("waiting", flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
        self.released.set()
        await asyncio.gather(*(task for some in tasks.values() for task in some))
        print(json.dumps(self.found), flush=True)


if __name__ == "__main__":
    asyncio.run(Crowd(sys.argv[1]).run())
