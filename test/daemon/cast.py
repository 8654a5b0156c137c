"""All principals connected at once, and clients with bad tokens. What does each receive, and what
becomes of HQ's rows?

A scene is written as a script: lines of who receives what, in order. Who is in a room is in the
tables below and is computed nowhere: they are the contract for the cast of test/hq.
"""
import collections
import datetime
import itertools
import json

from clients import Raw
from lablib.facts import wait_for
from forge import Forge
from test_runs import new_run, new_task
from test_tokens import CONTAINER

USERS = {11: "u_global_role", 12: "u_collab_role", 13: "u_org_role", 14: "u_none",
         15: "u_global_rule", 16: "u_collab_rule", 17: "u_org_rule", 18: "u_send_only",
         19: "u_multi", 20: "u_noorg", 21: "u_own"}
NODES = {1: "n1_alpha_a", 2: "n2_alpha_b", 3: "n3_alpha_c", 4: "n4_beta_a", 5: "n5_beta_b"}
# Of each node: collaboration, organization.
PLACE = {1: (1, 1), 2: (1, 2), 3: (1, 3), 4: (2, 1), 5: (2, 2)}
C = {1: {1, 2, 3, 11, 12, 15, 16, 19}, 2: {4, 5, 11, 12, 15, 19}}  # collaboration_<c>
# ..._organization_<o>.
CO = {(1, 1): {1, 13}, (1, 2): {2, 17}, (1, 3): {3}, (2, 1): {4, 13}, (2, 2): {5, 17}}
# Every public room but all_nodes, as (collaboration,) or (collaboration, organization).
PUBLIC = [(1,), (2,), *CO]
ROOMS_OF_USERS = {11: [(1,), (2,)], 12: [(1,), (2,)], 13: [(1, 1), (2, 1)], 15: [(1,), (2,)],
                  16: [(1,)], 17: [(1, 2), (2, 2)], 19: [(1,), (2,)]}
UNHEARD = {"expired": [["expired_token"]], "expired user": [["expired_token"]],
           "forged": [["invalid_token"]], "unknown subject": [], "container": [], "no token": []}
OPTIONS = ("--refused-grace", "10min", "--client-types", "node=10min user=10min", "--event-rate",
           "0")
NOW = "now"
NUMBERS = itertools.count(1)


def users(*rooms):
    """The users of these sets."""
    return set().union(*rooms) & set(USERS)


def both(collaboration, organization):
    """C and CO: who receives what concerns an organization's run."""
    return C[collaboration] | CO[collaboration, organization]


def room(place):
    """The room of (collaboration,) or (collaboration, organization)."""
    return f"collaboration_{place[0]}" + (f"_organization_{place[1]}" if len(place) > 1 else "")


def members(place):
    """Who is in it."""
    return C[place[0]] if len(place) == 1 else CO[place]


def joined(ident, place):
    """The message of a principal's joining."""
    who = f"Node <{NODES[ident]}>" if ident in NODES else f"User <{USERS[ident]}>"
    return ["message", f"{who} joined room <{room(place)}>"]


def left(ident, place):
    """The message of its leaving."""
    return ["message", f"{(NODES | USERS)[ident]} left room {room(place)}"]


def presence(event, ident):
    """node-online or node-offline."""
    return [event, {"id": ident, "name": NODES[ident], "org_id": PLACE[ident][1]}]


def status(value, run, task, organization, collaboration=1, parent=None):
    """algorithm_status_change as everybody receives it, of a task made by Stage.task()."""
    node = next(node for node, place in PLACE.items() if place == (collaboration, organization))
    return ["algorithm_status_change",
            {"status": value, "run_id": run, "task_id": task, "job_id": 7,
             "collaboration_id": collaboration, "node_id": node, "organization_id": organization,
             "parent_id": parent}]


def report(value, run, task, node=1, parent=None):
    """The argument of algorithm_status_change as the node sends it."""
    return {"node_id": node, "status": value, "run_id": run, "task_id": task,
            "collaboration_id": PLACE[node][0], "organization_id": PLACE[node][1],
            "parent_id": parent}


def text(event):
    """An event so that 1, true and 1.0 differ."""
    return json.dumps(event, sort_keys=True)


def script(*lines):
    """{who: [events, in order]} of lines (ears, event)."""
    heard = collections.defaultdict(list)
    for ears, event in lines:
        for ident in ears:
            heard[ident].append(text(event))
    return dict(heard)


def config(node, key, value):
    """The name of a row of nodeconfig in Stage.changed()."""
    return f"nodeconfig {text({'node_id': node, 'key': key, 'value': value})}"


def is_now(moment):
    """Is this text the time now, in UTC and without a zone?"""
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    return abs(now - datetime.datetime.fromisoformat(moment)) < datetime.timedelta(minutes=1)


def say(client, name, *args):
    """A client sends an event, and it is acknowledged with nothing."""
    number = next(NUMBERS)
    client.send(f"42/tasks,{number}{json.dumps([name, *args])}")
    wait_for(lambda: f"43/tasks,{number}[]" in client.packets, f"{client} to get the ack of {name}")


def done(world, client):
    """All that the client has sent before has had its effect: so has a ping."""
    world.sql("UPDATE authenticatable SET status = 'x' WHERE id = %s", client.ident)
    say(client, "ping")
    wait_for(lambda: world.sql("SELECT status FROM authenticatable WHERE id = %s", client.ident)
             == [("online",)],
             f"{client}'s ping to count")


class Stage:
    """A lab with everybody in it."""

    def __init__(self, world):
        self.world, self.hq, self.new_task = world, world.hq, world.new_task
        self.cast, self.refused, self.arrivals = {}, {}, {}
        self.tables = [name for name, in world.sql(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        self.before = self.rows()
        for number, (name, (ident, token)) in enumerate(self._bad_tokens().items(), 1):
            self.refused[name] = Raw(world, ident, token=token, source=f"127.0.1.{number}")
        for ident in (*USERS, *NODES):
            self.enter(ident)
            self.arrivals[ident] = self.heard(), self.changed()

    def _bad_tokens(self):
        forge, v5 = Forge(self.world), self.hq == "v5"
        container = ({"vantage6_client_type": "container"} if v5 else
                     {"client_type": "container", "sub": CONTAINER, "exp": None})
        return {"expired": (3, forge.good(3, ttl=-120)),
                "expired user": (13, forge.good(13, ttl=-120)),
                "forged": (3, forge.good(3, forged=True)),
                "unknown subject": (3, forge.other(
                    3, claims={"sub": "00000000-0000-4000-8000-000000000099" if v5 else 99})),
                "container": (3, forge.other(3, claims=container)), "no token": (3, "")}

    # --- who is there ----------------------------------------------------------------------------

    def enter(self, ident):
        """It connects, and that has been told."""
        self.cast[ident] = Raw(self.world, ident)
        self.world.joined(self.cast[ident])
        self.status_becomes(ident, "online")

    def leave(self, ident):
        """It goes, and that has been told."""
        self.cast.pop(ident).close()
        self.status_becomes(ident, "offline")

    def status_becomes(self, ident, wanted):
        """Wait until HQ's row says so."""
        wait_for(lambda: self.world.sql("SELECT status FROM authenticatable WHERE id = %s", ident)
                 == [(wanted,)],
                 f"{ident} to be {wanted}")

    def end(self):
        """Everybody goes."""
        for client in (*self.cast.values(), *self.refused.values()):
            client.close()

    # --- what they do ----------------------------------------------------------------------------

    def say(self, who, name, *args):
        """A principal, or a client that is none, sends an event."""
        say(self.cast.get(who, who), name, *args)

    def done(self, *idents):
        """All that these have sent before has had its effect."""
        for ident in idents:
            done(self.world, self.cast[ident])

    def task(self, *organizations, collaboration=1, parent=None):
        """HQ makes a task with runs: the task, commit, each run, commit.

        The id of the task, and those of the runs.
        """
        task = new_task(self.world, collaboration, parent)
        return task, *(new_run(self.world, task, organization) for organization in organizations)

    # --- what comes of it ------------------------------------------------------------------------

    def heard(self, *names):
        """{who: [events]} since the last time, of those who received any; names: only these, the
        others are kept."""
        self.world.settled(*self.cast.values())
        found = {}
        for ident, client in self.cast.items():
            for event in list(client.events):
                mark = event[0].startswith("mark_")
                if mark or not names or event[0] in names:
                    client.events.remove(event)
                    found.setdefault(ident, []).extend([] if mark else [text(event)])
        return {ident: events for ident, events in found.items() if events}

    def rows(self):
        """{name: row} of all of HQ's tables.

        What has no id, or one that nobody knows before, is named by what is in it.
        """
        found, times = {}, collections.Counter()
        for table in self.tables:
            for row, in self.world.sql(f'SELECT to_jsonb(t) FROM "{table}" AS t'):
                row.pop("last_seen", None)
                ident = row.pop("id", None)
                name = f"{table} {text(row) if table == 'nodeconfig' or ident is None else ident}"
                times[name] += 1
                found[name if times[name] == 1 else f"{name} #{times[name]}"] = row
        return found

    def changed(self):
        """{name: "new", "gone" or {column: value}} of HQ's rows that are not as the last time."""
        before, self.before = self.before, self.rows()
        found = {}
        for name, row in self.before.items():
            was = before.get(name)
            if row != was:
                found[name] = "new" if was is None else {
                    column: NOW if column.endswith("_at") and value and is_now(value) else value
                    for column, value in row.items() if value != was[column]}
        return found | {name: "gone" for name in before if name not in self.before}

    def forget(self):
        """A new scene: what has been received and changed so far is not asked about."""
        self.heard()
        self.changed()

    def refusals(self):
        """How many events were refused, by reason."""
        return collections.Counter(self.world.reasons("refused_events"))
