"""A random hostile population (hostile_population.py) beside fifty honest clients, while the keys
rotate and the database is restarted.

Under sanitizers. Afterwards pushd has nothing of anybody, and the honest clients received all.
ATTACK_SECONDS is how long it goes on, ATTACK_SEED what it is drawn from: `make soak-attack`.
"""
import json
import os
import random
import subprocess
import sys
import time

import pytest

from lablib.facts import wait_for
from siege import LONE_NODE, NODE, READER, RUNS, SETTINGS, USER, Siege
from test_keys_rotation import Realm
from world import SANITIZED

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = float(os.environ.get("ATTACK_SECONDS", 40))
ROUND = 60  # seconds between two looks at what the honest clients received
SIZE = 60   # hostile connections at a time, and what each opens besides
OPTIONS = {"ping-interval": "5s", "connect-timeout": "5s", "request-timeout": "3s",
           "refused-grace": "5s", "client-types": "node=5s user=5s", "upgrade-timeout": "3s",
           "handshake-rate": 0, "event-rate": 100, "byte-rate": "300kB", "retry-max": "1s",
           "keys-refresh-interval": "1s", "keys-timeout": "1s", "claim-timeout": "3s"}
# What pushd must have counted, or the population has tried too little.
TRIED = ["event_rate", "byte_rate", "good", "expired", "invalid", "refused", "recovered",
         "not_recovered", "token", "max_payload", "max_attachments", "overlap", "connect_timeout"]
WHO = {"node": NODE, "lone": LONE_NODE, "user": USER, "reader": READER}


class Population:
    """The process of them."""

    def __init__(self, realm, seed):
        self.realm = realm
        self.process = subprocess.Popen(
            [sys.executable, f"{HERE}/hostile_population.py", realm.world.url()], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        runs = {kind: RUNS[ident] for kind, ident in WHO.items() if ident in RUNS}
        self.say(seed=seed, size=SIZE, runs=runs, tokens=self.tokens())

    def tokens(self):
        """Of every kind, by the keys of now."""
        realm, now = self.realm, int(time.time())
        everyone = list(WHO.values())
        return {**{kind: [realm.token(ident), realm.token(ident, age=1)]
                   for kind, ident in WHO.items()},
                "short": [realm.token(ident, exp=now + 10 * n) for n, ident in enumerate(everyone)],
                "unknown": [realm.bogus(ident) for ident in everyone]
                + ["eyJhbGciOiJSUzI1NiIsImtpZCI6Im5vYm9keSJ9.eyJzdWIiOiJ4IiwiZXhwIjo5ZTl9.AAAA"],
                "expired": [realm.token(ident, exp=now - 100) for ident in everyone],
                "forged": [realm.forge.good(ident, forged=True) for ident in everyone],
                "nonsense": ["x", "a.b.c", "." * 5000]}

    def say(self, **what):
        """A line for it."""
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def end(self):
        """It goes at once; what it did."""
        try:
            said, _ = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        assert self.process.returncode == 0
        return json.loads(said)


@pytest.fixture
def realm(tmp_path, own_lab):
    """A lab whose keys come from a Keycloak."""
    words = [word for name, value in OPTIONS.items() for word in (f"--{name}", str(value))]
    made = Realm(tmp_path, lambda options: own_lab(options=options, settings=SETTINGS), *words)
    made.rotate()
    yield made
    made.keycloak.stop()


def passes(seconds):
    """So long, since that is what it is about."""
    end = time.monotonic() + seconds
    wait_for(lambda: time.monotonic() > end, deadline=seconds + 10)


def one_round(siege, realm, population, dice, seconds):
    """Everything goes on; the keys rotate and the database is restarted, in any order."""
    faults = [realm.rotate, siege.world.lab.cluster.restart]
    dice.shuffle(faults)
    for fault in faults:
        passes(seconds / 3 * dice.random())
        fault()
        population.say(tokens=population.tokens())
        siege.world.forget_connection()
        wait_for(siege.world.ready, "pushd to be ready", 60)
    passes(seconds / 3)


def test_a_hostile_population_harms_nobody_and_leaves_nothing(realm, clients):
    seed = int(os.environ.get("ATTACK_SEED") or random.randrange(1 << 32))
    print(f"ATTACK_SEED={seed}", flush=True)
    dice, end, world = random.Random(seed), time.monotonic() + SECONDS, realm.world
    siege = clients(Siege(world, token=realm.token))
    with siege.attack(faults=True):
        population = Population(realm, seed)
        try:
            while (left := end - time.monotonic()) > 0:
                one_round(siege, realm, population, dice, min(left, ROUND))
                siege.well()
        finally:
            done = population.end()
            print(done)
    siege.leave()
    assert not done["failed"]
    tried = {**world.reasons("paused_clients"), **world.reasons("claims", label="result"),
             **world.reasons("tokens", label="verdict"), **world.reasons("closed_sessions")}
    assert not [what for what in TRIED if not tried[what]], "expected that each was tried"
    assert not SANITIZED.search(world.log())
    world.end()  # that pushd ends, and no sanitizer, not even that of leaks, has anything to say
