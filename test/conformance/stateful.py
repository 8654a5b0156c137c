#!/usr/bin/python3
"""Clients that play at random against a model of the server: stateful.py [--seconds S] [--seed N]
[--url URL] ...

Many clients at once, each with a history of its own: legal and illegal moves of Engine.IO and
Socket.IO (moves.py), and after each all that the server must have answered (model.py), neither less
nor more. A failure prints the seed and the shortest history found that still fails, which --play
repeats.

Without --url it starts the fixture (or CONFORMANCE_SERVER, see server.py) with the settings of
model.Rules. --node allows what the reference server does otherwise.
"""
import argparse
import asyncio
import json
import os
import random
import sys
import time
from urllib.parse import urlsplit

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from client import Client  # noqa: E402
from model import Rules  # noqa: E402
from model_set import Finding  # noqa: E402
from moves import ending, next_move, show  # noqa: E402
from server import Server  # noqa: E402

MOVES = 60          # of a history
SHRINK_SECONDS = 60


class Failure(Exception):
    """A history that the server did not get right."""

    def __init__(self, name, finding, history):
        super().__init__(f"{name}: {finding}")
        self.history = history


class Run:
    """Clients against one server, from one seed."""

    def __init__(self, address, rules, seed, say=print):
        self.address, self.rules, self.seed, self.say = address, rules, seed, say
        self.seen = set()  # all sids
        self.histories = self.moves = self.noops = 0

    async def history(self, name, end):
        """One history, drawn from its name; raises Failure."""
        dice = random.Random(f"{self.seed} {name}")
        client, played = Client(self.address, self.rules, self.seen), []
        try:
            for _ in range(dice.randint(5, MOVES)):
                if time.monotonic() > end:
                    break
                played.append(next_move(dice, client.model_set.likely, name))
                await client.play(played[-1])
            for move in ending(dice, client.model_set.likely):
                played.append(move)
                await client.play(move)
        except (Finding, AssertionError, OSError) as finding:
            raise Failure(name, finding, played) from None
        finally:
            self.histories, self.moves = self.histories + 1, self.moves + len(played)
            self.noops += client.noops
            await client.close()

    async def play(self, history):
        """A history once more: the finding, or None."""
        client = Client(self.address, self.rules, self.seen)
        try:
            for move in history:
                await client.play(move)
        except (Finding, AssertionError, OSError) as finding:
            return finding
        finally:
            await client.close()
        return None

    async def shrink(self, history):
        """A shorter history that fails too: without runs of moves, ever shorter ones."""
        end, size = time.monotonic() + SHRINK_SECONDS, len(history) // 2
        while size:
            at = 0
            while at < len(history) - 1 and time.monotonic() < end:
                shorter = history[:at] + history[at + size:]
                if shorter and await self.play(shorter):
                    history = shorter
                else:
                    at += size
            size //= 2
        return history

    async def worker(self, number, end):
        """Histories, one after the other."""
        count = 0
        while time.monotonic() < end:
            await self.history(f"{number}.{count}", end)
            count += 1

    async def run(self, clients, seconds):
        """All clients; raises Failure with the shortest history."""
        end = time.monotonic() + seconds
        tasks = [asyncio.ensure_future(self.worker(number, end)) for number in range(clients)]
        try:
            await asyncio.gather(*tasks)
        except Failure as failure:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.explain(failure)
            raise

    async def explain(self, failure):
        """Print what failed, as short as can be."""
        self.say(f"STATEFUL_SEED={self.seed}\n{failure}\nwhole history:")
        for move in failure.history:
            self.say("  " + show(move))
        if not await self.play(failure.history):
            self.say("alone it does not fail: it needs the others, or chance")
            return
        self.say("alone it fails too; the shortest history found:")
        for move in await self.shrink(failure.history):
            self.say("  " + show(move))
        self.say(f"{failure}")


def main():
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--mode", choices=("socket", "engine"), default="socket")
    parser.add_argument(
        "--url", help="a server that runs, with the settings of model.Rules; else one is started")
    parser.add_argument("--event-rate", type=int, default=200, help="of the server that is started")
    parser.add_argument("--node", action="store_true", help="it is the reference server")
    parser.add_argument("--play", metavar="FILE",
                        help="a history, a move a line, instead of random ones")
    asked = parser.parse_args()
    rules = Rules(mode=asked.mode, node=asked.node, event_rate=asked.event_rate)
    server = None if asked.url else Server(asked.mode, **rules.options())
    address = (urlsplit(asked.url).hostname,
               urlsplit(asked.url).port) if asked.url else server.address
    run = Run(address, rules, asked.seed)
    print(f"STATEFUL_SEED={asked.seed}", flush=True)
    try:
        if asked.play:
            with open(asked.play, encoding="utf-8") as file:
                finding = asyncio.run(run.play([json.loads(line) for line in file if line.strip()]))
            sys.exit(str(finding) if finding else 0)
        asyncio.run(run.run(asked.clients, asked.seconds))
    except Failure as failure:
        sys.exit(str(failure))
    finally:
        if server:
            server.end()
    print(f"{run.histories} histories, {run.moves} moves, {len(run.seen)} sids, {run.noops} noops")


if __name__ == "__main__":
    main()
