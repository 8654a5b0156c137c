"""A storm of writers, and the oracle: what each client must have received of it, by SELECT.

storm   concurrent writers on connections of their own: transactions of one event or many, with
        pauses in the database, savepoints and rollbacks, into random rooms of the cast
watch   a stretch of the log between two marks that everyone receives. In it each client must have
        received every committed event of its rooms once, and nothing else

A storm is drawn from its seed. STORM_SEED=N in the environment repeats one.
"""
import json
import os
import random
import threading
from collections import Counter, defaultdict

import psycopg2

from clients import Raw
from lablib.facts import wait_for

EMIT = "SELECT vantage6_events.emit('storm', %s::json, %s::text[])"
# What every client of a principal is to receive between two marks.
ORACLE = """
SELECT e.id, e.xid::text, e.payload FROM vantage6_events.event e
WHERE e.namespace = '/tasks' AND e.id > %s AND e.name NOT LIKE 'mark\\_%%'
    AND e.except_principal IS DISTINCT FROM %s
  AND e.rooms && ARRAY(SELECT vantage6_events.rooms(%s)) ORDER BY e.id"""
QUIET = """SELECT NOT EXISTS (SELECT FROM vantage6_events.pending)
  AND NOT EXISTS (SELECT FROM vantage6_events.lease l WHERE NOT EXISTS (
      SELECT FROM vantage6_events.announced a
      WHERE a.principal_id = l.principal_id AND a.online))"""


def new_seed():
    """The seed of a storm; printed, so that a failure can be repeated."""
    seed = int(os.environ.get("STORM_SEED") or random.randrange(1 << 32))
    print(f"STORM_SEED={seed}")
    return seed


def cast_rooms(world):
    """All rooms of all principals."""
    idents = [ident for ident, in world.sql("SELECT id FROM authenticatable")]
    return sorted(set().union(*(world.rooms(ident) for ident in idents)))


def is_loss(error):
    """True if the connection was lost.

    Now and then psycopg2 says DatabaseError; what the server reports has a SQLSTATE.
    """
    own = (psycopg2.OperationalError, psycopg2.InterfaceError)
    return isinstance(error, own) or type(error) is psycopg2.DatabaseError and error.pgcode is None


class Storm:
    """Writers. faults: a lost connection is part of the weather, and the writer connects again."""

    def __init__(self, world, rooms, seed, writers=12, first=0, transactions=None, faults=False,
                 pause=0.02):
        self.world, self.rooms, self.faults = world, rooms, faults
        self.transactions, self.pause = transactions, pause
        self.committed = self.rolled_back = self.lost = 0
        self.errors = []
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._write,
                                          args=(w, random.Random(seed * 100 + w)))
                         for w in range(first, first + writers)]

    def start(self):
        """Begin to write."""
        for thread in self._threads:
            thread.start()
        return self

    def join(self):
        """Wait until the writers have done their transactions."""
        for thread in self._threads:
            thread.join()
        assert not self.errors, self.errors

    def stop(self):
        """Let the transactions under way end."""
        self._stop.set()
        self.join()

    def wait_commits(self, more, deadline=60):
        """Wait until so many more transactions have been committed."""
        goal = self.committed + more
        wait_for(lambda: self.committed >= goal or self.errors, f"{more} commits", deadline)
        assert not self.errors, self.errors

    def _count(self, what):
        with self._lock:
            setattr(self, what, getattr(self, what) + 1)

    def _connect(self):
        try:
            return psycopg2.connect(self.world.lab.conninfo("hq"))
        except psycopg2.OperationalError:
            if not self.faults:
                raise
            return None

    def _write(self, writer, dice):
        db, number, done = None, 0, 0
        try:
            while not self._stop.is_set() and done != self.transactions:
                db = db or wait_for(lambda: self._stop.is_set() or self._connect(), "a server", 120)
                if db is True:
                    return
                try:
                    number = self._transaction(db, writer, number, dice)
                    done += 1
                except psycopg2.Error as error:
                    if not (self.faults and is_loss(error)):
                        raise
                    # It may be committed or not; the log knows.
                    number += 1000
                    self._count("lost")
                    db = db.close()
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(repr(error))
        finally:
            if db and db is not True:
                db.close()

    def _emit(self, cursor, writer, number, dice):
        rooms = dice.sample(self.rooms, min(dice.randint(1, 3), len(self.rooms)))
        cursor.execute(EMIT, (json.dumps({"w": writer, "n": number}), rooms))

    def _transaction(self, db, writer, number, dice):
        """One transaction; the next free number of the writer's events."""
        with db.cursor() as cursor:
            for _ in range(dice.choice((1, 1, 2, 3, 5, 20))):
                undo = dice.random() < 0.25
                if undo:
                    cursor.execute("SAVEPOINT s")
                self._emit(cursor, writer, number, dice)
                number += 1
                if undo:
                    cursor.execute("ROLLBACK TO s" if dice.random() < 0.5 else "RELEASE s")
                if dice.random() < 0.3:
                    longest = 20 * self.pause if dice.random() < 0.05 else self.pause
                    cursor.execute("SELECT pg_sleep(%s)", (dice.random() * longest,))
        self._end(db, dice)
        return number

    def _end(self, db, dice):
        """Commit it, or not."""
        if dice.random() < 0.1:
            db.rollback()
            self._count("rolled_back")
        else:
            db.commit()
            self._count("committed")


class Watch:
    """What these clients receive from now until check()."""

    def __init__(self, world, clients):
        self.world, self.clients = world, clients
        wait_for(lambda: world.sql(QUIET, user="postgres")[0][0], "presence to be told", 90)
        self.start = self._mark()
        self.begin = {client: len(client.events) for client in clients}

    def _mark(self):
        mark = f"mark_{os.urandom(6).hex()}"
        ident = self.world.emit(mark, None, "everyone")
        for client in self.clients:
            wait_for(lambda: mark in client.names(), f"{client} to receive a mark", 60)
        return ident

    def _heard(self, client, count):
        """All that the client has received since the beginning, once it is so much at least."""
        def found():
            return [json.dumps(event) for event in client.events[self.begin[client]:]
                    if not event[0].startswith("mark_")]
        try:
            wait_for(lambda: len(found()) >= count, "what python-socketio has in hand", 5)
        except AssertionError:
            pass  # the comparison says what is missing
        return found()

    def _rows(self, client):
        """What the log has for it."""
        return self.world.sql(ORACLE, self.start, client.ident, client.ident, user="postgres")

    def check(self):
        """Compare what was received with the log.

        Returns the number of events received by all together.
        """
        self._mark()
        total = 0
        for client in self.clients:
            rows = self._rows(client)
            heard = self._heard(client, len(rows))
            self._same(client, rows, heard)
            if isinstance(client, Raw):  # python-socketio has a thread for each packet
                self._ordered(client, rows, heard)
            total += len(heard)
        return total

    @staticmethod
    def _same(client, rows, heard):
        expected = Counter(json.dumps(json.loads(payload)) for _, _, payload in rows)
        missing, extra = expected - Counter(heard), Counter(heard) - expected
        assert not missing and not extra, (
            f"{client} at instance {client.instance}, of {len(rows)} events: "
            f"{sum(missing.values())} missing, such as {list(missing)[:3]}; "
            f"{sum(extra.values())} too many, such as {list(extra)[:3]}")

    @staticmethod
    def _ordered(client, rows, heard):
        """Events of one transaction come in the order in which they were emitted."""
        place = {text: i for i, text in enumerate(heard)}
        by_xid = defaultdict(list)
        for _, xid, payload in rows:
            by_xid[xid].append(place[json.dumps(json.loads(payload))])
        wrong = [xid for xid, places in by_xid.items() if places != sorted(places)]
        assert not wrong, f"{client} heard transactions {wrong[:3]} out of order"
