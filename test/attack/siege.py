"""An attack, honest clients beside it, and what it costs.

honest     python-socketio clients in processes of their own: users and nodes, by WebSocket, by an
           upgrade and by polling. During an attack they receive every event of their rooms once,
           and none of them is closed
strangers  an organization with two nodes and two users, whom a test may have do anything. Node 6
           is in the collaboration of most honest clients; node 7 is in one of its own, so what it
           floods is for no honest client by right
cost       what the attack took: memory, disk, log, ids. See Cost
"""
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import Counter

from background import Background
from clients import Client
from crowds import files, rss
from lablib.facts import holds_within, wait_for
from storm import Storm, Watch, cast_rooms, new_seed

HERE = os.path.dirname(os.path.abspath(__file__))
HONEST, PROCESSES = 50, 5
LATE, GONE = 30, 120  # seconds, after which an event is lost, and what is still there was left
# Not those who may receive what every node of every collaboration sends.
IDENTS = [1, 2, 3, 4, 5, 12, 13, 14, 16, 17, 18, 20, 21]
WAYS = [["websocket"], None, ["websocket"], ["polling"], ["websocket"]]
NODE, LONE_NODE, USER, READER = 6, 7, 22, 23
RUNS = {NODE: [101, 102], LONE_NODE: [103, 104]}
STRANGERS = """
BEGIN;
INSERT INTO organization (id, name) VALUES (4, 'org_d');
INSERT INTO collaboration (id, name, encrypted) VALUES (3, 'gamma', 'f');
INSERT INTO "Member" (organization_id, collaboration_id) VALUES (4, 1), (4, 3);
INSERT INTO authenticatable (id, type, keycloak_id)
SELECT i, CASE WHEN i < 10 THEN 'node' ELSE 'user' END,
       '00000000-0000-4000-8000-0000000000' || lpad(i::text, 2, '0')
FROM unnest(ARRAY[6, 7, 22, 23]) AS i;
INSERT INTO node (id, name, collaboration_id, organization_id) VALUES
    (6, 'n6_alpha_d', 1, 4), (7, 'n7_gamma_d', 3, 4);
INSERT INTO "user" (id, username, organization_id) VALUES (22, 'u_nothing', 4), (23, 'u_reads', 4);
INSERT INTO "UserPermission" (user_id, rule_id) VALUES (23, 2);
INSERT INTO task (id, name, collaboration_id, job_id, init_org_id) VALUES
    (101, 'task101', 1, 101, 4), (102, 'task102', 3, 102, 4);
INSERT INTO run (id, task_id, organization_id, status, action) VALUES
    (101, 101, 4, 'active', 'federated_compute'), (102, 101, 4, 'pending', 'federated_compute'),
    (103, 102, 4, 'active', 'federated_compute'), (104, 102, 4, 'pending', 'federated_compute');
SELECT setval(pg_get_serial_sequence('task', 'id'), 200);
SELECT setval(pg_get_serial_sequence('run', 'id'), 200);
COMMIT"""
# A node is sent what it has not done again and again; the log has that only once.
SETTINGS = "vantage6_events.instruction_repeat = 1d\n"
SIZES = """
SELECT pg_database_size(current_database()), (pg_current_wal_lsn() - '0/0')::bigint,
       (SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits
        WHERE inhparent = 'vantage6_events.event'::regclass)"""
SEQUENCES = """SELECT sequencename::text, coalesce(last_value, 0) FROM pg_sequences
               WHERE schemaname = 'public'"""
GAUGE = "# TYPE vantage6_pushd_"
# Gauges that are no number of what clients have.
OTHERS = {"keys", "keys_age_seconds", "bell", "ready"}


class Honest(Client):
    """One honest client, which is in another process."""


class HonestClients:
    """All of them, once each is connected. token(ident) makes their tokens."""

    def __init__(self, world, count, token, idents):
        self.clients = [Honest(world, idents[i % len(idents)]) for i in range(count)]
        self.processes = [subprocess.Popen(
            [sys.executable, f"{HERE}/honest_clients.py", world.url()], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(PROCESSES)]
        self.threads = [threading.Thread(target=self._read, args=(process,), daemon=True)
                        for process in self.processes]
        tokens = {ident: token(ident) for ident in idents}
        for number, client in enumerate(self.clients):
            stdin = self.processes[number % PROCESSES].stdin
            stdin.write(json.dumps([number, client.ident, tokens[client.ident],
                                    WAYS[number % len(WAYS)]]) + "\n")
            stdin.flush()
        for thread in self.threads:
            thread.start()
        for client in self.clients:
            client.wait_connected(90)
        wait_for(lambda: world.metric("sockets_joined") == count, "the honest to join", 60)

    def _read(self, process):
        for line in process.stdout:
            number, *what = json.loads(line)
            self.clients[number].take(*what)

    def harmed(self):
        """Those who lost their connection or got an error."""
        return [f"{client}: {client.connects} connects, {client.disconnects} ends, {client.errors}"
                for client in self.clients
                if (client.connects, client.disconnects, client.errors) != (1, 0, [])]

    def close(self):
        """They leave."""
        for process in self.processes:
            process.stdin.close()
        for process, thread in zip(self.processes, self.threads):
            process.wait(60)
            thread.join(10)
            process.stdout.close()


class LiveWatch(Watch):
    """The same while others go on emitting."""

    def _all(self, client):
        """What it has received but for marks, as the log has it."""
        return Counter(json.dumps(event) for event in client.events[self.begin[client]:]
                       if not event[0].startswith("mark_"))

    def _logged(self, client):
        return Counter(json.dumps(json.loads(payload)) for _, _, payload in self._rows(client))

    def check(self):
        """What was in the log before, has come; what has come, is in the log after."""
        self._mark()
        total = 0
        for client in self.clients:
            due = self._logged(client)
            holds_within(lambda: not due - self._all(client), LATE, 0.5)  # noqa: B023
            came = self._all(client)
            missing, extra = due - came, came - self._logged(client)
            assert not missing and not extra, (
                f"{client}, of {sum(due.values())} events: {sum(missing.values())} missing, such "
                f"as {list(missing)[:3]}; {sum(extra.values())} too many, such as "
                f"{list(extra)[:3]}")
            total += sum(came.values())
        return total


class Cost(Background):
    """What was taken since it began, in bytes; each is what came on top.

    rss        of pushd, at its greatest
    database   the whole database, indexes included
    wal        written-ahead log
    log        the log of events
    sequences  {name: ids given out} of HQ's sequences, only those that gave any
    """

    def __init__(self, world):
        super().__init__()
        self.world, self.pid = world, world.lab.daemon(0).pid()
        self.before, self.ids = self._sizes()
        self.first = self.most = rss(self.pid)
        self.rss = self.database = self.wal = self.log = 0
        self.sequences = {}

    def _sizes(self):
        return (self.world.sql(SIZES, user="postgres")[0],
                dict(self.world.sql(SEQUENCES, user="postgres")))

    def run(self):
        while not self.over.wait(0.1):
            self.most = max(self.most, rss(self.pid))

    def stop(self):
        super().stop()
        sizes, ids = self._sizes()
        self.rss = self.most - self.first
        self.database, self.wal, self.log = (now - then for now, then in zip(sizes, self.before))
        self.sequences = {name: last - self.ids[name] for name, last in ids.items()
                          if last > self.ids[name]}

    def __str__(self):
        sizes = {name: f"{getattr(self, name) / 1e6:.1f} MB"
                 for name in ("rss", "database", "wal", "log")}
        return f"{sizes} {self.sequences}"


def gauges(world):
    """{name: number} of all that clients have: sessions, queues and so on."""
    text = world.http("GET", "/metrics", admin=True)[2]
    names = [line.split()[0] for line in text.split(GAUGE)[1:] if line.split()[1] == "gauge"]
    return {name: world.metric(name) for name in names if name not in OTHERS}


class Siege:
    """A lab in which all this is. token: makes the tokens, if the lab does not."""

    def __init__(self, world, honest=HONEST, idents=None, token=None):
        self.world, self.token = world, token or world.token
        world.sql(STRANGERS)
        self.empty, self.files_empty = gauges(world), files(world)
        self.honest = HonestClients(world, honest, self.token, idents or IDENTS)
        self.seed = new_seed()
        self.watch, self.closed = None, False

    @contextlib.contextmanager
    def attack(self, faults=False, pause=0.4):
        """An attack goes on within. faults: it takes the database away for a while, too."""
        world, open_before, counts = self.world, files(self.world), gauges(self.world)
        self.watch, cost = LiveWatch(world, self.honest.clients), Cost(world)
        storm = Storm(world, cast_rooms(world), self.seed, writers=2, faults=faults, pause=pause)
        self.seed += 1
        cost.start()
        storm.start()
        try:
            yield cost
        finally:
            storm.stop()
            cost.stop()
        print(f"{storm.committed} transactions committed, {self.well()} events received; cost "
              f"{cost}")
        assert world.lab.daemon(0).pid() == cost.pid and world.ready()
        self.back_to(counts, open_before)

    def well(self):
        """The honest clients have all that was committed, and none was closed. How many events."""
        self.world.forget_connection()
        heard = self.watch.check()
        assert not self.honest.harmed(), self.honest.harmed()
        return heard

    def back_to(self, counts, open_before):
        """Wait until clients have no more than this, and no more files are open."""
        def more():
            return {name: now for name, now in gauges(self.world).items() if now > counts[name]}
        try:
            wait_for(lambda: not more(), deadline=GONE)
        except AssertionError:
            raise AssertionError(f"expected no more than {counts}, found {more()}") from None
        # A polling client may hold one connection more or less at the moment.
        wait_for(lambda: files(self.world) <= open_before,
                 f"files to be {open_before} again, now {files(self.world)}", GONE)

    def leave(self):
        """The honest clients leave too: no client is left anywhere."""
        self.close()
        self.back_to(self.empty, self.files_empty)
        wait_for(lambda: self.world.sql("SELECT count(*) FROM vantage6_events.lease",
                                        user="postgres") == [(0,)], "no lease to be left", GONE)

    def close(self):
        """The honest clients leave. May be called twice."""
        if not self.closed:
            self.closed = True
            self.honest.close()
