#!/usr/bin/python3
"""Honest clients in a process of their own: python-socketio, as users and nodes have it.

usage: honest_clients.py URL, then a line of JSON on standard input for each client:
  [number, ident, token, transports]
Whatever happens to a client is a line [number, kind, ...], as Client.take() has it. They go when
standard input ends.
"""
import json
import os
import sys
import threading
import types

sys.path[:0] = [f"{os.path.dirname(os.path.abspath(__file__))}/../daemon",
                os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from clients import Python  # noqa: E402

LOCK = threading.Lock()


class Told(Python):
    """One, which tells and keeps nothing."""

    def __init__(self, world, number, ident, token, transports):
        self.number = number
        super().__init__(world, ident, token=token, transports=transports, in_order=True)

    def take(self, kind, *what):
        if kind != "event":
            super().take(kind, *what)
        with LOCK:
            print(json.dumps([self.number, kind, *what]), flush=True)


def main(url):
    """All of them."""
    world, made = types.SimpleNamespace(url=lambda instance: url), []
    for line in sys.stdin:
        made.append(Told(world, *json.loads(line)))
    for client in made:
        client.close()


if __name__ == "__main__":
    main(sys.argv[1])
