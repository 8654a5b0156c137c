"""Everything at once, at random, and an oracle: each client has received what its rights allow,
once and in order.

Writers, clients that come and go, some with tokens of 5 s, grants and revocations, and faults of
the daemons, their links and PostgreSQL; HQ 4 or 5. What each client lived through is compared with
the log: see oracle.py and reconnecting_clients.py, which define the words. A round takes a minute
at most;
ORACLE_SECONDS=N makes as many as that takes. In every other one rights change for few, so that few
have that excuse. All of a round is drawn from its seed, which is printed and is in each failure:
ORACLE_SEED=N begins with that one. (What meets what is up to the machine.)
"""
import os
import random
import time
from collections import Counter

from background import Background
from lablib.facts import wait_for
from lablib.postgres import DOORBELL
from oracle import KEEP_KNOWN, Ledger, Oracle, Rights
from storm import cast_rooms
from reconnecting_clients import Bare, Brief, Browser, Page, Poller, Worker

SECONDS = float(os.environ.get("ORACLE_SECONDS", "40"))
ROUND = 50  # seconds at most
CAST = [(Worker, 1), (Worker, 2), (Worker, 3), (Worker, 3), (Worker, 4), (Worker, 5),
        (Brief, 2), (Brief, 4), (Brief, 5),
        (Bare, 11), (Bare, 13), (Bare, 14), (Bare, 16), (Bare, 19),
        (Page, 11), (Page, 12), (Page, 13), (Page, 14), (Page, 15), (Page, 17), (Page, 20),
        (Page, 21), (Browser, 13), (Browser, 14), (Poller, 12)]
ORDERS = [f"node_{n}" for n in range(1, 6)] * 2 + [f"collaboration_{n}/nodes" for n in (1, 2)]
# What only those are in who were granted something.
GRANTED = ["collaboration_9", "collaboration_9/users", "collaboration_2_organization_3/users",
           "collaboration_2_organization_1/users"]
OPTIONS = ["--beat-interval", "500ms", "--ack-timeout", "2s", "--retry-max", "500ms",
           "--drain-time", "0s", "--leeway", "0s"]
SETTINGS = "vantage6_events.instruction_repeat = 3s\ntrack_commit_timestamp = on\n"
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pushd'"
ALL_DONE = ("SELECT NOT EXISTS (SELECT FROM vantage6_events.instruction WHERE name = 'order' "
            "AND acked_at IS NULL)")


class Weather(Background):
    """A thread of faults.

    away: when the database was, to some daemon; crashes: when it lost who was connected; [(from,
    until)].
    """

    def __init__(self, world, dice):
        super().__init__()
        self.world, self.dice, self.faults = world, dice, Counter()
        self.away, self.crashes = [], []

    def terminated(self):
        """Links of daemons, as by an operator."""
        self.world.sql(TERMINATE, user="postgres")

    def restarted(self):
        """PostgreSQL, in an orderly way."""
        self.world.lab.cluster.restart()

    def crashed(self):
        """PostgreSQL, without a chance to write anything."""
        self.world.lab.cluster.crash()
        self.world.lab.cluster.start()

    def killed(self):
        """A daemon."""
        number = self.dice.randrange(2)
        self.world.lab.kill_pushd(number)
        self.world.lab.start_pushd(number)

    def stopped(self):
        """A daemon, in an orderly way."""
        number = self.dice.randrange(2)
        self.world.lab.stop_pushd(number)
        self.world.lab.start_pushd(number)

    def _fault(self):
        fault = self.dice.choices((self.terminated, self.restarted, self.crashed, self.killed,
                                   self.stopped), (4, 2, 2, 4, 1))[0]
        begun = time.time()
        fault()
        for instance in (0, 1):
            wait_for(lambda: self.world.ready(instance), f"instance {instance} to be ready", 90)
        self.away.append((begun, time.time()))
        if fault == self.crashed:
            self.crashes.append(self.away[-1])
        self.faults[fault.__name__] += 1

    def run(self):
        while not self.over.wait(self.dice.uniform(1, 6)):
            self._fault()


def all_hear(world, ledger, everyone):
    """Everybody is connected and receives."""
    world.forget_connection()
    world.joined(*everyone)
    mark = ledger.mark()
    for one in everyone:
        wait_for(lambda: mark in one.keys, f"{one} to receive a mark", 60)  # noqa: B023


def one_round(world, seed, seconds, keep):
    """A round, and what is wrong: lines."""
    after = world.emit("round", None, "everyone")
    rights, weather = Rights(world, random.Random(f"{seed} rights"),
                             seed // 4 % 2), Weather(world, random.Random(f"{seed} weather"))
    ledger = Ledger(world, sorted({*cast_rooms(world), *GRANTED} - {"everyone"}), ORDERS, seed,
                    writers=4, pause=0.1)
    everyone = [keep(kind(world, ident, number, seed)) for number, (kind, ident) in enumerate(CAST)]
    for one in everyone:
        one.come()
    all_hear(world, ledger, everyone)
    for each in (ledger, rights, weather, *everyone):
        each.start()
    end = time.monotonic() + seconds
    try:
        wait_for(lambda: time.monotonic() > end or rights.failed
                 or weather.failed, "the end of the round", seconds + 10)
        weather.stop()
        rights.stop()
    finally:
        ledger.stop()
    for one in everyone:
        one.over.set()
    for one in everyone:
        one.stop()
    all_hear(world, ledger, everyone)
    wait_for(lambda: world.sql(ALL_DONE, user="postgres")[0][0],
             "all instructions to be acknowledged", 60)
    oracle = Oracle(ledger, rights, after, weather)
    wrong = [f"{one}: {text}" for one in everyone
             for text in oracle.judge(one)] + list(oracle.undone(everyone))
    print(f"seed {seed}: {len(oracle.log)} events, {oracle.heard} heard, {oracle.sure} "
          f"times one had to be; {dict(oracle.opens)}; "
          f"{len(rights.changes)} changes of rights; {dict(weather.faults)}; {ledger.lost} "
          f"transactions lost; {sum(getattr(one, 'returns', 0) for one in everyone)} returns with "
          "expired tokens")
    assert (oracle.sure > 20 * seconds and oracle.opens["recovered"]
            and weather.faults), "this round has not tried enough"
    return wrong


def test_each_client_hears_what_its_rights_allow_once_and_in_order(own_lab, clients):
    seed, left = int(os.environ.get("ORACLE_SEED") or random.randrange(1 << 32)), SECONDS
    world = own_lab(hq=("v5", "v4")[seed // 2 % 2], instances=2, options=OPTIONS,
                    settings=SETTINGS + DOORBELL * (seed % 2))
    world.sql(KEEP_KNOWN, user="postgres")
    while left > 0:
        print(f"ORACLE_SEED={seed}", flush=True)
        mine = []
        wrong = one_round(world, seed, min(left, ROUND), lambda one: mine.append(clients(one))
                          or one)
        assert not wrong, f"ORACLE_SEED={seed}\n" + "\n".join(wrong)
        for one in mine:
            one.close()
        left -= ROUND
        seed += 4  # the doorbell and the version of HQ stay; whose rights change, does not
