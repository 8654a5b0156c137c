#!/usr/bin/python3
"""Connections that never become what they began to be: a crowd as in hostile.py, with these kinds.

Each comes from one of 40 addresses of its kind, but a crowd from one.
"""
import asyncio
import sys

from hostile import Crowd, Hostile
from rawlib.wire import POLLING, TEXT, WEBSOCKET, frame, handshake, request

ADDRESSES = 40
PIECE = 2000      # bytes at once of what does not end
HELD = 0.05       # seconds; chance decides what the server has seen by then
DEAF_SECONDS = 2
TLS = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x07" * 60
NONE, RESET, FIN = range(3)


class Connections(Hostile):
    """One connection's worth of harm."""

    def __init__(self, crowd, source, number):
        kind = source.rpartition(".")[2]
        super().__init__(crowd, f"127.0.{kind}.{1 + number % ADDRESSES}", number)
        self.one_source = source

    def choice(self, *choices):
        """One of these, by the number; the rest of the number."""
        rest, which = divmod(self.number, len(choices))
        return choices[which], rest

    async def leave(self, connection, how):
        """Go at once, or once the server has seen something; by a reset or orderly."""
        if how:
            await asyncio.sleep(HELD)
        connection.end(reset=how != FIN)

    # --- heads ---

    async def slow_head(self):
        """A byte or two a second, or five times as many."""
        (begun, more), rest = self.choice(
            (b"G", b"E"), (b"\r\n", b"\r\n"), (request("GET", POLLING, "X-Slow: ")[:-4], b"x"))
        got = await (await self.open(begun)).drip(more, pause=1 if rest % 2 else 0.2)
        return f"wrong answer {got[:50]}" if got else "held slow_head"

    async def slow_second_head(self):
        """The same on a connection that has been used."""
        connection = await self.open(request("OPTIONS", POLLING))
        if (await connection.answer()).status != 204:
            return "wrong answer to OPTIONS"
        connection.write("GET ")
        got = await connection.drip(b"/", pause=1 if self.number % 2 else 0.2)
        return f"wrong answer {got[:50]}" if got else "held slow_head"

    async def silent(self):
        """Nothing at all, from the beginning or after a request."""
        connection = await self.open(request("OPTIONS", POLLING) if self.number % 2 else b"")
        if self.number % 2 and (await connection.answer()).status != 204:
            return "wrong answer to OPTIONS"
        if got := await connection.rest():
            return f"wrong answer {got[:50]}"
        return "held idle" if self.number % 2 else "held silent"

    async def endless_head(self):
        """Faster than the time runs out."""
        (begun, more, status), _ = self.choice(
            (f"GET {POLLING} HTTP/1.1\r\n", "X-A: 1\r\n", 431),
            (f"GET {POLLING} HTTP/1.1\r\nX-A: ", "x", 431),
            (f"GET {POLLING} HTTP/1.1\r\n", "x", 431), (f"GET {POLLING}&a=", "x", 414))
        connection = await self.open(begun)
        got = await connection.drip(more.encode() * (PIECE // len(more)), pause=0.02)
        return ("refused endless_head" if got.startswith(b"HTTP/1.1 %d " % status) else
                f"wrong answer {got[:50]} to an endless head, expected {status}")

    async def endless_lines(self):
        """Empty ones, before the request."""
        got = await (await self.open()).drip(b"\r\n" * 100, pause=0.05)
        return f"wrong answer {got[:50]}" if got else "held endless_lines"

    async def many(self):
        """More than one address may have."""
        self.source = self.one_source
        got = await (await self.open()).rest()
        if got.startswith(b"HTTP/1.1 503 "):
            return "refused max_connections_per_address"
        return f"wrong answer {got[:50]}" if got else "held many"

    # --- requests ---

    async def half_closed(self):
        """Nothing more will be sent: the answer comes all the same."""
        connection = await self.open(request(*self.choice(("OPTIONS", POLLING), ("GET", POLLING),
                                                          ("GET", "/elsewhere"))[0]))
        connection.writer.write_eof()
        answer, rest = await connection.answer(), await connection.rest()
        return ("answered" if answer.status in (200, 204, 404) and not rest else
                f"wrong answer {answer} to a client that has finished")

    async def resets(self):
        """At every stage of a request."""
        path = await self.session()
        post = request("POST", path, body="40/tasks,{}")
        head = post.index(b"{}") - len("40/tasks,")
        data, rest = self.choice(
            b"", b"\r\n", post[:1], post[:30], post[:head // 2], post[:head - 2], post[:head],
            post[:head + 3], post, post * 3, request("GET", path), request("GET", path) * 2,
            request("GET", path) + post, request("OPTIONS", path) * 5,
            request("POST", path, "Content-Length: 100", "Expect: 100-continue"),
            request("POST", path, "Content-Length: 9000000", body="x" * 20000),
            request("HEAD", path), request("GET", "/elsewhere", body="x"))
        await self.leave(await self.open(data), rest % 3)
        return "left"

    async def deaf(self):
        """Many requests, and no answer is read."""
        connection = await self.open(room=4096)
        connection.writer.transport.pause_reading()
        connection.write(request("OPTIONS", POLLING, "Origin: https://ui.example") * 5000)
        await asyncio.sleep(DEAF_SECONDS)
        connection.end(reset=True)
        return "left"

    # --- upgrades ---

    async def abandoned_upgrade(self):
        """Of a session by polling, at every stage."""
        upgrade = handshake((await self.session()).replace("polling", "websocket"))
        probe, five = frame(TEXT, "2probe"), frame(TEXT, "5")
        (data, then, last), rest = self.choice(
            (upgrade[:40], None, b""), (upgrade[:-2], None, b""), (upgrade, None, b""),
            (upgrade + probe[:1], None, b""), (upgrade + probe, None, b""),
            (upgrade + probe + five, None, b""), (upgrade, b"", b""), (upgrade, probe[:3], b""),
            (upgrade, probe, b""), (upgrade, probe, five[:1]), (upgrade, probe, five),
            (upgrade, probe, five + frame(TEXT, "40/tasks,{}")))
        connection = await self.open(data)
        if then is not None:
            if (await connection.answer()).status != 101:
                return "wrong answer to an upgrade"
            connection.write(then)
            if then == probe and await connection.frame() != (TEXT, b"3probe"):
                return "wrong answer to a probe"
            connection.write(last)
        await self.leave(connection, rest % 3)
        return "left"

    async def half_handshake(self):
        """Of a WebSocket: held until the server has enough of it."""
        whole = handshake(WEBSOCKET, self.authorization())
        data, _ = self.choice(whole[:20], whole[:100], whole[:-2], whole[:-1],
                              whole + frame(TEXT, "40/tasks,{}")[:1], whole,
                              whole + frame(TEXT, "40/tasks,{}")[:9])
        got = await (await self.open(data)).rest()
        good = b"HTTP/1.1 101 " in got if data.startswith(whole) else not got
        return "held half_handshake" if good else f"wrong answer {got[:50]} to half a handshake"

    async def bad_handshake(self):
        """That is none."""
        whole = handshake(WEBSOCKET)
        data, _ = self.choice(TLS, whole.replace(b": 13", b": 8"), whole.replace(b"Key", b"Kye"),
                              whole.replace(b"GET", b"PUT"), whole.replace(b"1.1", b"1.0"),
                              whole.replace(b": websocket", b": h2c"))
        got = await (await self.open(data + b"x" * 100)).rest()
        return ("refused bad_handshake" if got.startswith(b"HTTP/1.1 400 ") else
                f"wrong answer {got[:50]} to {data[:60]}")


if __name__ == "__main__":
    asyncio.run(Crowd(sys.argv[1], Connections).run())
