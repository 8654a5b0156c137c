"""Who receives what: for every principal of both casts the rooms, computed here from HQ's own
tables, and what its connected client receives of an event to each of them."""
import pytest

from clients import Raw

SUFFIX = {"node": "/nodes", "user": "/users"}


class Tables:
    """HQ's tables as plain SELECTs return them, and the rule of the rooms in plain Python."""

    def __init__(self, world):
        def rows(sql):
            return world.sql(sql)
        self.nodes = {row[0]: row[1:]
                      for row in rows("SELECT id, collaboration_id, organization_id FROM node")}
        self.users = dict(rows('SELECT id, organization_id FROM "user"'))
        self.collaborations = [row[0] for row in rows("SELECT id FROM collaboration")]
        self.members = set(rows('SELECT organization_id, collaboration_id FROM "Member"'))
        rules = {row[0]: row[1:]
                 for row in rows("SELECT id, name, operation::text, scope::text FROM rule")}
        self.receive = {ident: scope.lower() for ident, (name, operation, scope) in rules.items()
                        if name == "event" and operation.lower() == "receive"}
        self.rules_of_role = rows("SELECT role_id, rule_id FROM role_rule_association")
        self.roles_of_user = rows('SELECT user_id, role_id FROM "Permission"')
        self.rules_of_user = rows('SELECT user_id, rule_id FROM "UserPermission"')

    def kind(self, ident):
        """node or user."""
        return "node" if ident in self.nodes else "user"

    def scopes(self, user):
        """The scopes in which a user may receive events, by role or directly."""
        held = {rule for who, rule in self.rules_of_user if who == user}
        for who, role in self.roles_of_user:
            if who == user:
                held |= {rule for of, rule in self.rules_of_role if of == role}
        return {self.receive[rule] for rule in held if rule in self.receive}

    def public(self, ident):
        """The rooms that today's server puts this principal into."""
        if ident in self.nodes:
            collaboration, organization = self.nodes[ident]
            return {"all_nodes", f"collaboration_{collaboration}",
                    f"collaboration_{collaboration}_organization_{organization}"}
        scopes, own = self.scopes(ident), self.users[ident]
        if "global" in scopes:
            return {f"collaboration_{each}" for each in self.collaborations}
        joined = [collaboration for organization, collaboration in self.members
                  if organization == own]
        if "collaboration" in scopes:
            return {f"collaboration_{each}" for each in joined}
        if "organization" in scopes:
            return {f"collaboration_{each}_organization_{own}" for each in joined}
        return set()

    def rooms(self, ident):
        """All of them: the public ones, each with its side, and the private ones."""
        public, kind = self.public(ident), self.kind(ident)
        sides = {room + SUFFIX[kind] for room in public if room != "all_nodes"}
        return public | sides | {f"{kind}_{ident}", "everyone"}

    def all(self):
        """Every principal."""
        return sorted([*self.nodes, *self.users])


@pytest.fixture(params=["v5", "v4"])
def world(request):
    """Each version's shared lab."""
    return request.getfixturevalue(request.param)


def test_the_rooms_of_every_principal_are_those_of_the_rule(world):
    tables = Tables(world)
    assert len(tables.all()) == 16
    for ident in tables.all():
        assert world.rooms(ident) == tables.rooms(ident), f"principal {ident}"
    every = set().union(*(tables.rooms(ident) for ident in tables.all()))
    for ident in tables.all():
        allowed = {room for room in every
                   if world.sql("SELECT vantage6_events.may_receive(%s, %s)", ident, room)[0][0]}
        assert allowed == tables.rooms(ident), f"principal {ident}"


def test_the_cast_has_every_kind_of_right(world):
    """Else the test above would show little."""
    tables = Tables(world)
    assert {frozenset(tables.scopes(user)) for user in tables.users} >= {
        frozenset(), frozenset(["global"]), frozenset(["collaboration"]),
        frozenset(["organization"]), frozenset(["own"]),
        frozenset(["collaboration", "organization"]), frozenset(["global", "organization"])}


def test_an_event_to_a_room_is_heard_by_exactly_those_in_it(world, clients):
    tables = Tables(world)
    cast = {ident: clients(Raw(world, ident)) for ident in tables.all()}
    world.joined(*cast.values())
    rooms = sorted(set().union(*(tables.rooms(ident) for ident in tables.all())) |
                   {f"collaboration_{c}_organization_{o}" for c in (1, 2) for o in (1, 2, 3)} |
                   {"collaboration_3", "collaboration_10", "collaboration_1_organization",
                    "node_99", "nobody"})
    for room in rooms:
        world.emit("to_room", [room], room)
    world.settled(*cast.values())
    for ident, client in cast.items():
        found = sorted(event[1] for event in client.heard("to_room"))
        assert found == sorted(tables.rooms(ident) & set(rooms)), f"principal {ident}"


def test_an_event_to_several_rooms_is_heard_once(world, clients):
    tables = Tables(world)
    cast = {ident: clients(Raw(world, ident)) for ident in (1, 2, 11, 13, 14)}
    world.joined(*cast.values())
    rooms = {"collaboration_1", "collaboration_1_organization_1", "all_nodes", "collaboration_2",
             "user_11"}
    world.emit("to_rooms", [], *sorted(rooms))
    world.emit("to_rooms", [], *sorted(rooms))
    world.settled(*cast.values())
    for ident, client in cast.items():
        assert len(client.heard("to_rooms")) == (2 if tables.rooms(ident) & rooms
                                                 else 0), f"principal {ident}"


def test_another_namespace_hears_nothing_of_it(own_lab, clients):
    world = own_lab(options=["--namespaces", "/tasks /other"])
    tasks, other = clients(Raw(world, 11)), clients(Raw(world, 11, nsp="/other"))
    world.joined(tasks)
    world.sql("SELECT vantage6_events.emit('only_other', '[]'::json, 'user_11', '/other')")
    other.wait("only_other")
    world.emit("only_tasks", [], "everyone")
    world.sql("SELECT vantage6_events.emit('only_other', '[]'::json, 'everyone', '/other')")
    other.wait("only_other", times=2)
    world.settled(tasks)
    assert other.heard() == [["only_other"], ["only_other"]]
    assert tasks.heard() == [["only_tasks"]]
