"""The cursors that a reader of the log could have, beside each other: only the last loses nothing.

id        what has a greater id than any read before
snapshot  what the snapshot of the last read did not see
both      vantage6-pushd's own (cursor.c), by events_since()
"""

ALL = "SELECT id, payload FROM vantage6_events.event WHERE {} ORDER BY id"
SINCE = """SELECT id, payload, snapshot::text FROM vantage6_events.events_since(
    %s::pg_snapshot, %s, %s, NULL, 0, 10000000, 1000000000)"""
BY_HAND = ALL.format("id > %s OR NOT pg_visible_in_snapshot(xid, %s::pg_snapshot)")
NOW = ("SELECT pg_current_snapshot()::text, max(id), vantage6_events.timeline() "
       "FROM vantage6_events.event")


class Reader:
    """All three, over any superuser's connection; each begins at the present end of the log.

    On a standby, where events_since() does not work, the last is done by hand.
    """

    KINDS = ("id", "snapshot", "both")

    def __init__(self, db, on_standby=False):
        self.on_standby = on_standby
        start = NOW.replace("vantage6_events.timeline()", "1") if on_standby else NOW
        self.snapshot, hi, self.timeline = self._ask(db, start)[0]
        self.last = self.high = hi or 0
        self.found = {kind: [] for kind in self.KINDS}

    @staticmethod
    def _ask(db, statement, *values):
        with db.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall()

    def read(self, db):
        """Read what each finds new, from one snapshot; {kind: [payload]} of this time."""
        db.autocommit = False
        with db.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        fresh = {"id": self._ask(db, ALL.format("id > %s"), self.last), "snapshot": self._ask(
            db, ALL.format("NOT pg_visible_in_snapshot(xid, %s::pg_snapshot)"), self.snapshot)}
        if self.on_standby:
            timeline = self.timeline
            rows = self._ask(db, BY_HAND, self.high, self.snapshot)
            snapshot = self._ask(db, "SELECT pg_current_snapshot()::text")[0][0]
        else:
            timeline = self._ask(db, "SELECT vantage6_events.timeline()")[0][0]
            (_, _, snapshot), *rows = self._ask(db, SINCE, self.snapshot, self.high,
                                                self.timeline if timeline > self.timeline else None)
        db.rollback()
        db.autocommit = True
        fresh["both"] = [row[:2] for row in rows]
        if timeline > self.timeline:
            self.high = 0  # ids go back
        self.last = max([self.last] + [ident for ident, _ in fresh["id"]])
        self.high = max([self.high] + [ident for ident, _ in fresh["both"]])
        self.snapshot, self.timeline = snapshot, timeline
        payloads = {kind: [payload for _, payload in rows] for kind, rows in fresh.items()}
        for kind, found in payloads.items():
            self.found[kind] += found
        return payloads
