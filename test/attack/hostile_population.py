#!/usr/bin/python3
"""A hostile population: many connections, each of which does whatever harm its dice say.

usage: hostile_population.py URL, then lines of JSON on standard input:
  {"seed": N, "size": CONNECTIONS, "runs": {kind of token: [run]}, "tokens": {kind: [token]}}
  {"tokens": {kind: [token]}}      from now on, since the keys have been rotated
The end of standard input ends it; then it writes {kind of harm: [times, times ended by pushd or
for lack of it]}. It judges nothing: the honest clients beside it, the metrics and the sanitizers
do.

kinds of token   node, lone, user, reader: good; short: ends soon; unknown: names a key that there
                 is not; expired; forged; nonsense
"""
import asyncio
import json
import os
import random
import sys
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [f"{HERE}/../daemon", f"{HERE}/.."]

import hostile  # noqa: E402
from hostile_connections import Connections  # noqa: E402
from rawlib import streams  # noqa: E402
from rawlib.wire import BINARY, PING, TEXT, WEBSOCKET, Closed, frame, handshake  # noqa: E402

GOOD = ["node", "lone", "user", "reader", "short"]
BAD = ["unknown", "expired", "forged", "nonsense"]
LIVES = [0.05, 0.5, 2, 5, 15]  # seconds, after which each goes, whatever it is at
NUMBERS = "0.1," * 200000
NOISE = os.urandom(95000).hex()  # what no table compresses well
# What hostile.py and hostile_connections.py have, and is nothing that waits for the whole crowd.
PETTY = ["half_head", "slow_body", "silent", "bad_frame", "bad_packet", "too_many_attachments",
         "too_deep", "large_message", "large_body", "refused", "nonsense", "event_flood",
         "byte_flood", "handshake_flood", "abort", "no_pong", "no_namespace", "two_gets",
         "upgrades", "slow_head", "slow_second_head", "endless_head", "endless_lines",
         "half_closed", "resets", "deaf", "abandoned_upgrade", "half_handshake", "bad_handshake"]
COSTLY = ["orders", "half_event", "giant_event", "slow_reader", "pings", "frames", "configurations",
          "log_lines", "statuses", "says", "rushes", "resumes", "visits"]


class Link(hostile.Connection):
    """A connection whose reading ends when it is told to: wait_for() may miss that."""

    read = streams.Connection.read


class Hostile(Connections):
    """One connection's worth of harm, by its dice."""

    def __init__(self, crowd, dice):
        super().__init__(crowd, f"127.0.0.{dice.randint(20, 60)}", dice.randrange(1 << 20))
        self.dice, self.pid = dice, None

    # --- what all use ---

    async def open(self, data=b"", room=None):
        made = await Link.open(self.crowd.address, self.source, room)
        self.connections.append(made)
        made.write(data)
        return made

    def any_token(self, *kinds):
        """A kind of token, or none."""
        return self.dice.choice(kinds or [*GOOD, *BAD, None])

    async def read_on(self, connection):
        """Answer pings until the server closes, and remember what may be resumed."""
        while True:
            opcode, data = await connection.frame()
            if opcode == hostile.CLOSE:
                return "ended"
            if data == b"2":
                connection.write(frame(TEXT, "3"))
            elif data.startswith(b"40/tasks,{"):
                self.pid = json.loads(data[9:]).get("pid")
                if self.pid:
                    self.crowd.pids.append(self.pid)

    async def beside(self, connection, sending):
        """Send, and read on, until either ends."""
        tasks = [asyncio.ensure_future(what) for what in (sending, self.read_on(connection))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            connection.end(reset=True)
            results = await asyncio.gather(*tasks, return_exceptions=True)
        return "ended" if "ended" in results else "left"

    @staticmethod
    async def put(connection, data):
        """As soon as it is taken; the others have their turn, also if that is at once."""
        connection.write(data)
        await connection.writer.drain()
        await asyncio.sleep(0)

    async def send_all(self, connection, texts):
        """As fast as they are taken."""
        for text in texts:
            await self.put(connection, frame(TEXT, text))

    async def flood(self, kinds, make):
        """Events without end: make(number) is the array. Some want an acknowledgement."""
        kind = self.any_token(*kinds)
        connection = await self.websocket(token=kind)
        acks = self.dice.random() < 0.3

        def texts():
            number = 0
            while True:
                number += 1
                event = json.dumps(make(kind, number))
                yield f"42/tasks,{number if acks else ''}{event}"
        return await self.beside(connection, self.send_all(connection, texts()))

    # --- kinds ---

    async def orders(self):
        """CONNECT and DISCONNECT in any order, with any token, and events between."""
        connection = await self.websocket(token=self.any_token(), connect=False)
        pid = self.dice.choice([*self.crowd.pids[-20:], "A" * 20, 7])
        packets = ["40/tasks,", "40/tasks,", "41/tasks,", "40/nowhere,", '42/tasks,["ping"]',
                   f'40/tasks,{json.dumps({"pid": pid, "offset": "0-0"})}', "3", "wait"]

        async def sending():
            for packet in self.dice.choices(packets, k=self.dice.randint(1, 10)):
                if packet == "wait":
                    await asyncio.sleep(self.dice.random())
                else:
                    connection.write(frame(TEXT, packet))
            await asyncio.sleep(60)
        return await self.beside(connection, sending())

    async def half_event(self):
        """An event some of whose attachments come, but never the last one."""
        connection = await self.websocket(token=self.any_token(), connect=self.dice.random() < 0.2)
        size = self.dice.choice([10, 5000, 490000])
        connection.write(frame(TEXT, '453-/tasks,["x",{"_placeholder":true,"num":0},'
                               '{"_placeholder":true,"num":1},{"_placeholder":true,"num":2}]'))
        for _ in range(self.dice.randint(0, 2)):
            connection.write(frame(BINARY, b"x" * size))
        return await self.read_on(connection)

    async def giant_event(self):
        """Close to what a message may have; numbers, since these grow when they are written anew.

        Before its CONNECT, or while nobody knows the key of its token.
        """
        connection = await self.websocket(token=self.any_token(), connect=False)
        texts = ["40/tasks,", f'42/tasks,["x",[{NUMBERS}0]]', f'42/tasks,1["x","{"x" * 900000}"]']
        self.dice.shuffle(texts)

        async def sending():
            await self.send_all(connection, texts)
            await asyncio.sleep(60)
        return await self.beside(connection, sending())

    async def slow_reader(self):
        """Takes what comes a little at a time, or not at all."""
        connection = await self.websocket(token=self.any_token("reader", "node", "user"), room=4096)
        connection.writer.transport.pause_reading()
        while not connection.writer.is_closing():
            connection.write(frame(TEXT, "3"))
            if self.dice.random() < 0.5:
                connection.writer.transport.resume_reading()
                await asyncio.sleep(0.01)
                connection.writer.transport.pause_reading()
            await asyncio.sleep(0.3)
        return "ended"

    async def pings(self):
        """vantage6's own, without a pause."""
        return await self.flood(GOOD, lambda kind, number: ["ping"])

    async def frames(self):
        """WebSocket's pings, and empty frames, without a pause."""
        connection = await self.websocket(token=self.any_token())
        data = self.dice.choice([frame(PING, "x" * 125), frame(TEXT, "3"), frame(PING) * 100])

        async def sending():
            while True:
                await self.put(connection, data)
        return await self.beside(connection, sending())

    async def configurations(self):
        """The node's own, rewritten again and again."""
        items = self.dice.choice([1, 100, 2000])
        return await self.flood(["node", "lone"], lambda kind, number: [
            "node_info_update", {"a": [number % 2] * items, f"k{number % 7}": "x"}])

    async def log_lines(self):
        """Of a run of its own, in a collaboration of its own; few and short where others are."""
        size = self.dice.choice([10, 1000, 190000])

        def make(kind, number):
            run = self.dice.choice(self.crowd.runs[kind])
            return ["algorithm_log", {"run_id": run, "log": NOISE[:size if kind == "lone" else 10]}]
        return await self.flood(["lone", "lone", "node"], make)

    async def statuses(self):
        """Of runs of its own and of others."""
        return await self.flood(["node", "lone"], lambda kind, number: [
            "algorithm_status_change", {"run_id": self.dice.choice([1, 2, 3, 101, 103, 1 << 40]),
                                        "status": f"s{number % 3}"}])

    async def says(self):
        """To the operators; gauges; and what means nothing."""
        events = [["error", "x" * 1000], ["metrics", {"cpu": 1.5, "gpus": [{"a": 1}] * 100}],
                  ["dataframe_deleted", {"df_name": "x", "session_id": 1}], ["nothing", {}], ["x"]]
        return await self.flood(GOOD, lambda kind, number: self.dice.choice(events))

    async def rushes(self):
        """Many at once, with any tokens."""
        tokens = [self.any_token() for _ in range(self.dice.choice([5, 40]))]
        opened = await asyncio.gather(*(self.websocket(token=kind, connect=False)
                                        for kind in tokens), return_exceptions=True)
        for connection in opened:
            if not isinstance(connection, Exception):
                connection.write(frame(TEXT, "40/tasks,") * self.dice.randint(0, 2))
        await asyncio.sleep(self.dice.random() * 3)
        return "left"

    async def resumes(self):
        """A browser that comes back with what it, or somebody else, was told."""
        kind = self.any_token("user", "reader", "short", "expired", "node")
        for _ in range(self.dice.randint(2, 8)):
            connection = await self.open(handshake(
                WEBSOCKET, "User-Agent: Mozilla/5.0", self.authorization(kind)))
            if (await connection.answer()).status != 101:
                return "ended"
            mine = {"pid": self.pid} if self.pid else {}
            other = {"pid": self.dice.choice(self.crowd.pids[-50:] or ["x"]),
                     "offset": self.dice.choice(["-", "0-0", "x", f"{1 << 62}-1"])}
            auth = mine if self.dice.random() < 0.7 else other
            connection.write(frame(TEXT, f"40/tasks,{json.dumps(auth)}"))
            try:
                await asyncio.wait_for(self.read_on(connection), 0.2 + self.dice.random())
            except asyncio.TimeoutError:
                pass
            connection.end(reset=self.dice.random() < 0.5)
            await asyncio.sleep(self.dice.random() / 5)
        return "left"

    async def visits(self):
        """A node that comes and goes."""
        for _ in range(self.dice.randint(1, 20)):
            connection = await self.websocket(token=self.any_token("node", "lone"))
            if self.dice.random() < 0.5:
                connection.write(frame(TEXT, '42/tasks,["node_info_update",{"a":[1,2,3]}]'))
            connection.end(reset=self.dice.random() < 0.5)
        return "left"


class Population(hostile.Crowd):
    """All of them, until the end of standard input."""

    def __init__(self, url):
        super().__init__(url)
        self.pids, self.runs, self.tokens, self.flood, self.over = [], {}, {}, 200, False
        self.times, self.ended, self.failed = Counter(), Counter(), Counter()

    def take(self, line):
        """What the test says."""
        said = json.loads(line)
        self.tokens.update(said["tokens"])
        self.tokens["good"] = [token for kind in GOOD for token in self.tokens[kind]]
        self.tokens["bad"] = [token for kind in BAD for token in self.tokens[kind]]
        return said

    async def actor(self, name):
        """One after the other."""
        dice = random.Random(name)
        while not self.over:  # wait_for() may lose the end of its task
            kind = dice.choice(PETTY if dice.random() < 0.4 else COSTLY)
            one = Hostile(self, dice)
            self.times[kind] += 1
            try:
                outcome = await asyncio.wait_for(getattr(one, kind)(), dice.choice(LIVES))
                self.ended[kind] += outcome == "ended"
            except asyncio.TimeoutError:
                pass
            except (OSError, Closed, hostile.Refused):
                self.ended[kind] += 1
            except Exception as error:  # pylint: disable=broad-except
                self.failed[f"{kind}: {error!r}"[:200]] += 1
            finally:
                for connection in one.connections:
                    unsent = connection.writer.transport.get_write_buffer_size()
                    connection.end(reset=bool(unsent) or dice.random() < 0.5)
            del self.pids[:-1000]
            await asyncio.sleep(0.02)

    async def run(self):
        loop = asyncio.get_running_loop()
        first = self.take(await loop.run_in_executor(None, sys.stdin.readline))
        self.runs = first["runs"]
        actors = [asyncio.ensure_future(self.actor(f"{first['seed']} {number}"))
                  for number in range(first["size"])]
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            self.take(line)
        self.over = True
        for actor in actors:
            actor.cancel()
        await asyncio.wait(actors, timeout=10)
        print(json.dumps({"failed": self.failed, "done": {
            kind: [times, self.ended[kind]] for kind, times in sorted(self.times.items())}}),
              flush=True)
        os._exit(0)  # whatever is still at something


if __name__ == "__main__":
    asyncio.run(Population(sys.argv[1]).run())
