"""Clients at random against a model of the server: stateful.py, for a few seconds a seed.

STATEFUL_SEED=N in the environment repeats one, as far as chance lets it; stateful.py --play repeats
a history.
"""
import asyncio
import os
import random

import pytest

from model import Rules
from server import OTHER, Server
from stateful import Failure, Run

FRESH = "fresh"
# Mode, seed, seconds, settings.
RUNS = [("socket", FRESH, 7, {}), ("socket", 1, 3, {}), ("socket", 20261123, 3, {}),
        ("engine", FRESH, 3, {}), ("socket", FRESH, 4, {"event_rate": 20})]


@pytest.mark.parametrize("mode, seed, seconds, settings", RUNS,
                         ids=[f"{mode}-{seed}{''.join('-' + name for name in more)}"
                              for mode, seed, _, more in RUNS])
def test_every_answer_is_one_that_the_model_allows(mode, seed, seconds, settings):
    seed = int(os.environ.get("STATEFUL_SEED")
               or random.randrange(1 << 32)) if seed == FRESH else seed
    print(f"STATEFUL_SEED={seed}")
    rules = Rules(mode=mode, node=bool(OTHER), **settings)
    server = Server(mode, **rules.options())
    run = Run(server.address, rules, seed)
    try:
        asyncio.run(run.run(clients=20, seconds=seconds))
    except Failure as failure:
        pytest.fail(f"{failure}\n{server.errors()}", pytrace=False)
    finally:
        server.end()
    print(f"{run.histories} histories, {run.moves} moves, {len(run.seen)} sids")
    assert run.moves > 200 and run.noops > 0
