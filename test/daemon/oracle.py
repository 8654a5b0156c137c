"""The oracle: from the log and the rights of each moment, what a client must have received, and
what it must not.

book      when each event was emitted, and between which two times its transaction was committed, by
          the writers' clock
rights    which rooms each principal was in, and between which two times that began
reach     of an event for a client: from its commit until the client receives something that was
          emitted after it. It was read within that time, and the rights that count are those of the
          read. So it is certainly for the client if it is by all rights of its reach, and certainly
          not if it is by none
chapter   a stretch of a client's story in which it received everything: a connection, and those
          that were recovered. What was committed after the first event of a chapter and before the
          last one was emitted belongs to it
excuse    why a client that came back may be told that it is not recovered: the database has
          crashed, which forgets who was connected; rights may have changed; an earlier try of it
          was under way when a fault began, which may have cut off the answer after a part of what
          it had missed; or nothing came on the connection that it resumes, and the database did not
          know that yet: CONNECT is answered before
order     a durable event to nodes. Each connection receives it until it is acknowledged; by its key
          a node knows one that it has carried out
"""
import json
import math
import re
import threading
import time
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict

import psycopg2

from background import Background
from storm import Storm, is_loss
from test_rights import CHANGES

EMIT = "SELECT vantage6_events.emit(%s, %s::json, %s::text[], durable => %s)"
LOG = """SELECT id, xid::text, rooms, name, payload FROM vantage6_events.event
         WHERE name IN ('storm', 'order') AND repeats IS NULL AND id > %s"""
ROOMS = "SELECT a.id, ARRAY(SELECT vantage6_events.rooms(a.id)) FROM authenticatable a"
ORDERS = """SELECT i.id, i.node_id, extract(epoch FROM i.acked_at)::float8
    FROM vantage6_events.instruction i
            WHERE i.name = 'order' AND i.id > %s"""
# Each connection that the database knew, and since when, in a table that a crash does not empty.
KNOWN = "SELECT sid, extract(epoch FROM at)::float8 FROM public.known_connection"
KEEP_KNOWN = """
CREATE TABLE public.known (sid text);
CREATE FUNCTION public.know() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN INSERT INTO public.known VALUES (new.sid); RETURN NULL; END $$;
CREATE TRIGGER know AFTER INSERT ON vantage6_events.lease
    FOR EACH ROW EXECUTE FUNCTION public.know();
CREATE VIEW public.known_connection AS
    SELECT sid, min(pg_xact_commit_timestamp(xmin)) AS at FROM public.known GROUP BY sid"""
# Seconds between an acknowledgement's time and its commit, at most; what is repeated may take as
# long again.
LATE = 2.0
HIT = 0.5   # seconds within which a fault strikes that has begun
SEEN = 0.2  # seconds between the time of a commit and when others see it, at most
NOBODY = frozenset()
# Those of the changes that are no excuse for others.
NARROW = ["node", "organization", "role", "rule"]


class Entry:
    """An event in the book. Its row of the log, once it is known to be committed."""

    def __init__(self):
        self.emitted, self.committing, self.committed = time.time(), math.inf, math.inf
        self.id = self.xid = self.rooms = self.durable = None


class Ledger(Storm):
    """Writers that keep the book.

    orders: rooms of nodes, to which some events go that are durable.
    """

    def __init__(self, world, rooms, orders, seed, **more):
        super().__init__(world, rooms, seed, faults=True, **more)
        self.book, self.orders, self.mine = {}, orders, threading.local()
        self.marks = 0

    def _put(self, cursor, key, rooms, durable=False):
        self.book[key] = entry = Entry()
        self.mine.open.append(entry)
        text = json.dumps({"w": key[0], "n": key[1]})
        cursor.execute(EMIT, ("order" if durable else "storm", text, rooms, durable))

    def _emit(self, cursor, writer, number, dice):
        kind = dice.random()
        if kind < 0.1:
            self._put(cursor, (writer, number), [dice.choice(self.orders)], durable=True)
        elif kind < 0.25:
            self._put(cursor, (writer, number), ["everyone"])
        else:
            self._put(cursor, (writer, number), dice.sample(self.rooms, dice.randint(1, 3)))

    def _transaction(self, db, writer, number, dice):
        self.mine.open = []
        return super()._transaction(db, writer, number, dice)

    def _end(self, db, dice):
        now = time.time()
        for entry in self.mine.open:
            entry.committing = now
        super()._end(db, dice)
        now = time.time()
        for entry in self.mine.open:
            entry.committed = now

    def mark(self):
        """An event to everyone, in the book like the others; its key."""
        self.marks += 1
        self.mine.open = []
        with psycopg2.connect(self.world.lab.conninfo("hq")) as db, db.cursor() as cursor:
            self._put(cursor, (-1, self.marks), ["everyone"])
        db.close()
        entry = self.book[-1, self.marks]
        entry.committing, entry.committed = entry.emitted, time.time()
        return -1, self.marks

    def read_log(self, after):
        """Fill in the rows; the events that are committed, by their keys."""
        log = {}
        for ident, xid, rooms, name, payload in self.world.sql(LOG, after, user="postgres"):
            what = json.loads(payload)[1]
            entry = log[what["w"], what["n"]] = self.book[what["w"], what["n"]]
            entry.id, entry.xid, entry.rooms = ident, xid, frozenset(rooms)
            entry.durable = name == "order"
        return log


class Rights(Background):
    """Who was in which rooms, and a thread that grants and revokes at random; narrow: only what
    concerns one principal."""

    def __init__(self, world, dice, narrow=False):
        super().__init__()
        self.world, self.dice, self.granted = world, dice, set()
        self.names = NARROW if narrow else sorted(CHANGES)
        self.since, self.until = [-math.inf], [-math.inf]
        with world.connect() as db:
            self.rooms = [[self._read(db)]]  # at each time one, or one of several
        db.close()
        self.changes = []

    @staticmethod
    def _read(db):
        with db.cursor() as cursor:
            cursor.execute(ROOMS)
            return {ident: frozenset(rooms) for ident, rooms in cursor.fetchall()}

    def _began(self, since, until, *rooms):
        self.since.append(since)
        self.until.append(until)
        self.rooms.append(rooms)

    def of(self, ident, begin, end):
        """The principal's rooms by all rights that may have been in force between the two times."""
        first, last = max(0, bisect_left(self.until, begin) - 1), bisect_right(self.since, end)
        return [rooms.get(ident, NOBODY) for several in self.rooms[first:last] for rooms in several]

    def _words(self, statement):
        """HQ 4 has the scopes of rules in capitals."""
        return re.sub("'(own|global)'", lambda scope: scope[0].upper(),
                      statement) if self.world.hq == "v4" else statement

    def _change(self, what, grant):
        """Grant or revoke; False if nobody knows whether that was committed."""
        begun, rooms = time.time(), None
        try:
            db = psycopg2.connect(self.world.lab.conninfo("hq"))
            with db, db.cursor() as cursor:
                cursor.execute(self._words(CHANGES[what][2 if grant else 3]))
                rooms = self._read(db)
                begun = time.time()
            db.close()
            self._began(begun, time.time(), rooms)
            return True
        except psycopg2.Error as error:
            if not is_loss(error):
                raise
            if rooms:
                self._began(begun, time.time(), rooms, *self.rooms[-1])
            return False
        finally:
            ident = CHANGES[what][0] if what in NARROW else None
            self.changes.append((begun, time.time(), ident))

    def toggle(self):
        """Grant something or take it back."""
        what = self.dice.choice(self.names)
        if what not in self.granted and self._change(what, True):
            self.granted.add(what)
            return
        self.revoke(what)

    def revoke(self, what):
        """However often it takes; what is revoked twice is revoked."""
        while not self._change(what, False):
            self.over.wait(0.1)
        self.granted.discard(what)

    def run(self):
        while not self.over.wait(self.dice.random() * 1.5):
            self.toggle()

    def stop(self):
        """Take back what is granted."""
        super().stop()
        for what in sorted(self.granted):
            self.revoke(what)


class Oracle:
    """Judges stories."""

    def __init__(self, ledger, rights, after, weather):
        self.log, self.rights, self.weather = ledger.read_log(after), rights, weather
        self.by_time = sorted((entry for entry in self.log.values() if not entry.durable),
                              key=lambda e: e.committing)
        self.times = [entry.committing for entry in self.by_time]
        self.orders = defaultdict(dict)  # of each node: the order's id, when it was acknowledged
        for ident, node, acked in ledger.world.sql(ORDERS, after, user="postgres"):
            self.orders[node][ident] = acked
        self.known = dict(ledger.world.sql(KNOWN, user="postgres"))
        self.heard = self.sure = 0
        self.opens = Counter()

    def judge(self, one):
        """What is wrong with a client's story, in words."""
        heard = [(at, what[1]) for at, *what in one.story if what[0] == "receive"]
        self.heard += len(heard)
        unknown = [key for _, key in heard if key not in self.log]
        if unknown:
            return [f"received what was never committed: {unknown[:5]}"]
        plain = [(at, self.log[key]) for at, key in heard if not self.log[key].durable]
        wrong = [self._twice(plain), self._foreign(one, heard), self._disorder(plain),
                 self._unrecovered(one), self._unmarked(one), *self._lost(one), *self._orders(one)]
        return [text for text in wrong if text]

    @staticmethod
    def _say(what, found, total):
        return found and f"{what}: {len(found)} of {total}, such as {found[:5]}"

    def _twice(self, plain):
        counts = Counter(entry.id for _, entry in plain)
        return self._say("received twice", [ident for ident, n in counts.items() if n > 1],
                         len(plain))

    def _foreign(self, one, heard):
        found = []
        for at, key in heard:
            entry = self.log[key]
            if entry.id not in self.orders[one.ident] and not any(
                    rooms & entry.rooms
                    for rooms in self.rights.of(one.ident, entry.committing, at)):
                found.append((entry.id, sorted(entry.rooms),
                              f"heard {at - entry.committing:.3f} s after its commit"))
        return self._say("received what was not for it", found, len(heard))

    def _disorder(self, plain):
        """What was emitted after another had been committed comes after it; a transaction's events
        come in their order."""
        found, latest, newest = [], -math.inf, {}
        for _, entry in plain:
            if entry.committed < latest or entry.id < newest.get(entry.xid, 0):
                found.append(entry.id)
            latest = max(latest, entry.emitted)
            newest[entry.xid] = entry.id
        return self._say("received out of order", found, len(plain))

    def _unrecovered(self, one):
        """An excuse must be newer than the read before that of what it has received."""
        found, before, tries, silent = [], None, [], None
        for at, kind, *what in one.story:
            if kind == "receive":
                before, silent = self._read_after(at), None
            if kind == "try":
                tries.append(at)
            if kind != "open":
                continue
            recovered, resuming, sid = what
            self.opens["recovered" if recovered else "not recovered" if resuming else "new"] += 1
            if resuming and not recovered and not (
                    self._excused(one.ident, before, at) or self._cut_off(tries)
                    or silent and self._unknown(silent, (tries or [at])[0])):
                found.append(f"{before:.3f} to {at:.3f}; before that: {self._before(one, at)}")
            before, tries, silent = before or at, [], sid
        return self._say("not recovered, without an excuse", found, "its connections")

    def _read_after(self, heard):
        """When the read before the one of an event was, at the earliest: a moment ago, or before
        the database was away."""
        before = heard - LATE
        for since, until in reversed(self.weather.away):
            if since <= heard and until >= before:
                before = min(before, since - LATE)
        return before

    def _unmarked(self, one):
        """The last argument of what a page receives is an offset, whatever it is.

        In the first read after a crash it says: none.
        """
        found = [what for what in getattr(one, "unmarked", []) if what[2:] != ("-",) or not any(
            since <= what[0] <= until + LATE for since, until in self.weather.crashes)]
        return self._say("received without an offset", found, len(one.keys))

    def _was_away(self, begin, end):
        return any(since <= end and until >= begin for since, until in self.weather.away)

    def _excused(self, ident, begin, end):
        return (any(since <= end and until >= begin for since, until in self.weather.crashes)
                or any(since <= end and until >= begin
                       and who in (None, ident) for since, until, who in self.rights.changes))

    def _before(self, one, end):
        """What happened to a client, and around it, in the ten seconds before it was lost."""
        story = [(at, kind, *what) for at, kind, *what in one.story if end - 10 < at <= end]
        kept = [line for n, line in enumerate(story) if line[1] != "receive"
                or story[n + 1:n + 2] == [] or story[n + 1][1] != "receive"]
        around = [(since, "fault until", until - end) for since, until in self.weather.away] + [
            (since, "rights until", until - end, who) for since, until, who in self.rights.changes]
        near = sorted([*kept, *(line for line in around if end - 10 < line[0] <= end)],
                      key=lambda line: line[0])
        return "; ".join(f"{line[0] - end:.3f} " + " ".join(str(word) for word in line[1:])
                         for line in near)

    def _cut_off(self, tries):
        return any(begin <= since + HIT and since <= end for begin, end in zip(tries, tries[1:])
                   for since, _ in self.weather.away)

    def _unknown(self, sid, tried):
        return self.known.get(sid, math.inf) + SEEN > tried

    def _lost(self, one):
        chapter = []
        for at, kind, *what in [*one.story, (math.inf, "open", False, False, "")]:
            if kind == "open" and not what[0]:
                yield self._lost_in(one, chapter)
                chapter = []
            elif kind == "receive" and not self.log[what[0]].durable:
                chapter.append((at, self.log[what[0]]))

    def _lost_in(self, one, chapter):
        """What belongs to the chapter, and is not in it."""
        if not chapter:
            return None
        latest, upto = [], -math.inf  # the time of emission of the newest event received until then
        for _, entry in chapter:
            upto = max(upto, entry.emitted)
            latest.append(upto)
        first, ids, found = min(entry.committed
                                for _, entry in chapter), {entry.id for _, entry in chapter}, []
        for entry in self.by_time[bisect_left(self.times, first):bisect_right(self.times, upto)]:
            if entry.committed <= upto:
                read_by = chapter[bisect_left(latest, entry.committed)][0]
                if all(rooms & entry.rooms
                       for rooms in self.rights.of(one.ident, entry.committing, read_by)):
                    self.sure += 1
                    if entry.id not in ids:
                        found.append((entry.id, sorted(entry.rooms),
                                      f"committed at {entry.committed:.3f}"))
        return self._say(f"lost between {chapter[0][0]:.3f} and {chapter[-1][0]:.3f}", found,
                         len(chapter))

    # --- instructions ---

    def _orders(self, one):
        """Each connection receives them in order, and after they were acknowledged no more."""
        acked, seen, began, latest, again, wrong = self.orders[one.ident], {}, 0, -math.inf, [], []
        for at, kind, *what in one.story:
            if kind == "try":
                seen, began, latest = {}, at, -math.inf
            if kind != "receive" or not self.log[what[0]].durable:
                continue
            entry = self.log[what[0]]
            done = acked.get(entry.id)
            if done and (done + LATE < began or (entry.id in seen and done + 2 * LATE < at
                                                 and not self._was_away(done, at))):
                again.append(entry.id)
            if entry.id not in seen and entry.rooms == {f"node_{one.ident}"}:
                if entry.committed < latest:
                    wrong.append(entry.id)
                latest = max(latest, entry.emitted)
            seen[entry.id] = at
        yield self._say("told again after its acknowledgement", again, len(acked))
        yield self._say("instructions out of order", wrong, len(acked))

    def undone(self, everyone):
        """Instructions that no client of their node has received."""
        for node, orders in self.orders.items():
            keys = set().union(*(one.keys for one in everyone if one.ident == node))
            lost = sorted(set(orders) - {self.log[key].id for key in keys})
            if lost:
                yield f"node {node}: " + self._say("instructions lost", lost, len(orders))
