"""A lab with a connection to its database: what the tests of the daemon stand in."""
import http.client
import json
import os
import re

import psycopg2

from lablib.facts import wait_for
from lablib.lab import Lab

SANITIZED = re.compile(r"(AddressSanitizer|LeakSanitizer|runtime error:|UndefinedBehavior)[^\n]*")


class World:
    """One lab."""

    def __init__(self, folder, hq="v5", instances=1, options=(), settings=""):
        ports = {"http": None, "pg": None, "admin": None}
        self.hq = hq
        self.lab = Lab.up(folder, hq, ports, instances, list(options), settings)
        self.new_task = "new_task" if hq == "v4" else "new_task_update"
        self._db = None

    # --- places ----------------------------------------------------------------------------------

    def url(self, instance=0):
        """Where clients connect."""
        return f"http://127.0.0.1:{self.lab.facts['http'][instance]}"

    @property
    def address(self):
        """The same of the first instance, as (host, port)."""
        return "127.0.0.1", self.lab.facts["http"][0]

    def token(self, ident, ttl=3600, forged=False):
        """A token for a member of the cast."""
        return self.lab.token(ident, ttl, forged)

    def http(self, method, path, body=None, headers=None, instance=0, admin=False):
        """One request: (status, headers, body)."""
        port = self.lab.facts["admin" if admin else "http"][instance]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, dict(answer.getheaders()), text

    def metric(self, name, instance=0, **labels):
        """A number that pushd keeps of itself: metric("closed_sessions", reason="queue_bytes")."""
        text = self.http("GET", "/metrics", instance=instance, admin=True)[2]
        label = "".join(rf'\{{{key}="{value}"\}}' for key, value in labels.items())
        found = re.search(rf"^vantage6_pushd_{name}(?:_total)?{label} ([0-9.e+-]+)$", text,
                          re.MULTILINE)
        assert found, f"no metric {name} in:\n{text}"
        return float(found.group(1))

    def reasons(self, name, instance=0, label="reason"):
        """{reason: number} of a metric that has reasons, or another label."""
        text = self.http("GET", "/metrics", instance=instance, admin=True)[2]
        found = re.findall(rf'^vantage6_pushd_{name}_total\{{{label}="(\w+)"\}} ([0-9.e+-]+)$',
                           text, re.MULTILINE)
        assert found, f"no metric {name} in:\n{text}"
        return {reason: float(number) for reason, number in found}

    def ready(self, instance=0):
        """Does /readyz say so?"""
        return self.http("GET", "/readyz", instance=instance, admin=True)[0] == 200

    def start(self, instance=0, path="/readyz"):
        """Start an instance that was stopped, and wait until path says yes."""
        self.lab._launch(instance)
        self.lab._wait_answer(instance, path)

    # --- the database ----------------------------------------------------------------------------

    def connect(self, user="hq", database="hq"):
        """A new connection of a role, autocommit: one commit per statement, as HQ writes."""
        db = psycopg2.connect(self.lab.conninfo(user, database))
        db.autocommit = True
        return db

    def sql(self, statement, *values, user="hq"):
        """Run a statement as HQ does; rows, if it returns any."""
        if user == "hq" and (self._db is None or self._db.closed):
            self._db = self.connect()
        with (self._db if user == "hq" else self.connect(user)).cursor() as cursor:
            cursor.execute(statement, values or None)
            if not cursor.description:  # also of rows without columns
                return [()] * cursor.rowcount if cursor.statusmessage.startswith("SELECT") else None
            return cursor.fetchall()

    def forget_connection(self):
        """The server has ended: the next statement connects anew."""
        self._db = None

    def emit(self, name, args, *rooms):
        """vantage6_events.emit() in a transaction of its own; the event's id."""
        return self.sql("SELECT vantage6_events.emit(%s, %s::json, %s::text[])", name,
                        json.dumps(args), list(rooms))[0][0]

    def links(self):
        """How many sessions the daemons have. One that has ended may still work for a moment."""
        return self.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'pushd'",
                        user="postgres")[0][0]

    def rooms(self, ident):
        """All rooms of a principal."""
        return {room for room, in self.sql("SELECT vantage6_events.rooms(%s)", ident)}

    def joined(self, *clients):
        """Wait until the rooms of these clients are known: an event to each alone arrives."""
        for client in clients:
            mark = f"mark_{os.urandom(6).hex()}"

            def heard():
                # What was committed before it joined is not for it, so one event may be too early.
                self.emit(mark, None, f"node_{client.ident}", f"user_{client.ident}")  # noqa: B023
                try:
                    return wait_for(lambda: mark in client.names(), deadline=0.2)  # noqa: B023
                except AssertionError:
                    return False
            wait_for(heard, f"{client} to join")

    def settled(self, *clients):
        """All events committed so far have reached these clients."""
        mark = f"mark_{os.urandom(6).hex()}"
        self.emit(mark, None, "everyone")
        for client in clients:
            wait_for(lambda: mark in client.names(), f"{client} to receive all so far")

    def alone(self):
        """Wait until nobody is connected any more, and that has been told and written.

        A client that polled when its process was killed is gone after ping_interval and
        ping_timeout."""
        def left():
            return self.sql(
                "SELECT 'lease', l.principal_id, l.transport FROM vantage6_events.lease AS l "
                "UNION ALL "
                "SELECT 'pending', p.principal_id, p.due::text FROM vantage6_events.pending AS p "
                "UNION ALL "
                "SELECT 'announced', a.principal_id, a.changed_at::text "
                "FROM vantage6_events.announced AS a WHERE a.online", user="postgres")
        try:
            wait_for(lambda: not left(), "the clients of earlier tests to be gone", 100)
        except AssertionError as error:
            raise AssertionError(f"{error}; left: {left()}") from error

    # --- the end ---------------------------------------------------------------------------------

    def log(self, instance=0):
        """What an instance has logged."""
        with open(f"{self.lab.daemon(instance).base}.log", encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    def end(self):
        """Down, and nothing that the sanitizers complained of. May be called twice."""
        if self._db:
            self._db.close()
            self._db = None
        for instance in range(len(self.lab.facts["http"])):
            if self.lab.daemon(instance).pid() and self.lab.cluster.pid():
                self.lab.stop_pushd(instance)
        self.lab.down()
        for instance in range(len(self.lab.facts["http"])):
            found = SANITIZED.search(self.log(instance))
            assert not found, f"instance {instance}: {self.log(instance)[found.start():][:4000]}"
