"""Rights that change while clients are connected: at once, in order with events, and announced."""
import os
import random
import threading

import pytest

from clients import Raw
from lablib.facts import wait_for

# Who, the room, what lets it into the room, what takes it out again.
CHANGES = {
    "rule": (14, "collaboration_2_organization_1/users",
             'INSERT INTO "UserPermission" (user_id, rule_id) VALUES (14, 3)',
             'DELETE FROM "UserPermission" WHERE user_id = 14'),
    "role": (14, "collaboration_1/users",
             'INSERT INTO "Permission" (user_id, role_id) VALUES (14, 2)',
             'DELETE FROM "Permission" WHERE user_id = 14 AND role_id = 2'),
    "rule of a role": (14, "collaboration_1",
                       "INSERT INTO role_rule_association (role_id, rule_id) VALUES (4, 1)",
                       "DELETE FROM role_rule_association WHERE role_id = 4 AND rule_id = 1"),
    "rule itself": (21, "collaboration_2",
                    "UPDATE rule SET scope = 'global' WHERE id = 6",
                    "UPDATE rule SET scope = 'own' WHERE id = 6"),
    "organization": (20, "collaboration_2/users",
                     'UPDATE "user" SET organization_id = 1 WHERE id = 20',
                     'UPDATE "user" SET organization_id = NULL WHERE id = 20'),
    "membership": (16, "collaboration_2",
                   'INSERT INTO "Member" (organization_id, collaboration_id) VALUES (3, 2)',
                   'DELETE FROM "Member" WHERE organization_id = 3 AND collaboration_id = 2'),
    "collaboration": (15, "collaboration_9",
                      "INSERT INTO collaboration (id, name) VALUES (9, 'new')",
                      "DELETE FROM collaboration WHERE id = 9"),
    "node": (3, "collaboration_2/nodes",
             "UPDATE node SET collaboration_id = 2 WHERE id = 3",
             "UPDATE node SET collaboration_id = 1 WHERE id = 3"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_granted_is_heard_from_the_next_commit_on_and_what_is_revoked_no_more(
        v5, clients, what):
    who, room, grant, revoke = CHANGES[what]
    cast = [clients(Raw(v5, who, instance=instance)) for instance in (0, 1)]
    v5.joined(*cast)
    v5.emit("before", [], room)
    v5.settled(*cast)  # rights are those of the read, which may be of both commits
    v5.sql(grant)
    v5.emit("granted", [], room)
    v5.settled(*cast)
    v5.sql(revoke)
    v5.emit("revoked", [], room)
    v5.settled(*cast)
    assert [client.heard("before", "granted", "revoked") for client in cast] == [[["granted"]]] * 2
    assert not any(client.closed for client in cast)


def test_joining_and_leaving_is_announced_once(v5, clients):
    v5.alone()
    user, other, node = clients(Raw(v5, 14)), clients(Raw(v5, 13, instance=1)), clients(Raw(v5, 1))
    second = clients(Raw(v5, 14, instance=1))
    v5.joined(user, other, node, second)
    wait_for(lambda: v5.sql(
        "SELECT NOT EXISTS (SELECT FROM vantage6_events.pending) AND online FROM "
        "vantage6_events.announced WHERE principal_id = 14", user="postgres") == [(True,)],
             "presence to be told")
    mark = len(other.events)
    v5.sql('INSERT INTO "UserPermission" (user_id, rule_id) VALUES (14, 3)')
    wait_for(lambda: len([e for e in other.events[mark:] if e[0] == "message"]) >= 2,
             "it to join two rooms")
    v5.sql('DELETE FROM "UserPermission" WHERE user_id = 14')
    wait_for(lambda: len([e for e in other.events[mark:] if e[0] == "message"]) >= 4,
             "it to leave them")
    v5.settled(other, user, node)
    told = [event[1] for event in other.events[mark:] if event[0] == "message"]
    rooms = [f"collaboration_{c}_organization_1" for c in (1, 2)]
    assert told == [f"User <u_none> joined room <{room}>"
                    for room in rooms] + [f"u_none left room {room}" for room in rooms]
    assert not [event for event in node.events
                if "u_none" in str(event)], "nodes are told no users' names"


def test_a_node_that_is_moved_goes_offline_there_and_online_here(v5, clients):
    v5.alone()
    there, here = clients(Raw(v5, 16)), clients(Raw(v5, 5))
    v5.joined(there, here)
    node = clients(Raw(v5, 3))
    there.wait("node-online")
    event = {"id": 3, "name": "n3_alpha_c", "org_id": 3}
    v5.sql("UPDATE node SET collaboration_id = 2 WHERE id = 3")
    here.wait("node-online")
    there.wait("node-offline")
    v5.sql("UPDATE node SET collaboration_id = 1 WHERE id = 3")
    here.wait("node-offline")
    there.wait("node-online", 2)
    assert [e for e in there.heard("node-online", "node-offline") if e[1]["id"] == 3] == [
        ["node-online", event], ["node-offline", event], ["node-online", event]]
    assert not [e for e in node.heard("node-online", "node-offline")
                if e[1]["id"] == 3], "never the node itself"
    assert v5.sql("SELECT status FROM authenticatable WHERE id = 3") == [("online",)]


def test_who_is_removed_is_out_at_once(limited, clients):
    world = limited("--refused-grace", "1s")
    user, watcher = clients(Raw(world, 21)), clients(Raw(world, 11))
    world.joined(user, watcher)
    node = clients(Raw(world, 3))
    world.joined(node)
    wait_for(lambda: world.sql(
        "SELECT FROM vantage6_events.announced WHERE online AND principal_id = 3", user="postgres"),
             "the node to be announced")
    world.sql('DELETE FROM "UserPermission" WHERE user_id = 21')
    world.sql('DELETE FROM "user" WHERE id = 21')
    world.sql("DELETE FROM nodeconfig WHERE node_id = 3")
    world.sql("DELETE FROM node WHERE id = 3")
    world.emit("after", [], "everyone", "node_3", "user_21", "collaboration_1")
    world.settled(watcher)
    assert watcher.heard("after") and not user.heard("after") and not node.heard("after")
    node.send('42/tasks,["ping"]')
    assert watcher.wait("node-offline")[1]["id"] == 3
    wait_for(lambda: user.closed and node.closed, "both to be closed")
    assert not world.sql("SELECT FROM vantage6_events.announced WHERE principal_id IN (3, 21)",
                         user="postgres")


@pytest.mark.parametrize("run", range(int(os.environ.get("REVOCATIONS", "3"))))
def test_revoked_while_events_are_committed(v5, clients, run):  # pylint: disable=unused-argument
    """Nothing that was begun after the revocation had committed, and a prefix of what all others
    receive."""
    user, witness = clients(Raw(v5, 13)), clients(Raw(v5, 17))
    v5.joined(user, witness)
    v5.sql('INSERT INTO "UserPermission" (user_id, rule_id) VALUES (13, 1), (17, 1)')
    begun = [0]
    db = v5.connect()

    def write():
        with db.cursor() as cursor:
            for begun[0] in range(10000):
                cursor.execute("SELECT vantage6_events.emit('n', %s::json, 'collaboration_2')",
                               (str(begun[0]),))
    writer = threading.Thread(target=write)
    writer.start()
    try:
        turn = random.randint(2000, 8000)
        wait_for(lambda: begun[0] >= turn, f"event {turn}", 300)  # commits, each with its flush
        v5.sql('DELETE FROM "Permission" WHERE user_id = 13')
        v5.sql('DELETE FROM "UserPermission" WHERE user_id = 13')
        last = begun[0]
        writer.join()
        v5.settled(user, witness)
    finally:
        writer.join()
        v5.sql('INSERT INTO "Permission" (user_id, role_id) VALUES (13, 3)')
        v5.sql('DELETE FROM "UserPermission" WHERE user_id IN (13, 17) AND rule_id = 1')
        db.close()
    heard = [event[1] for event in user.heard("n")]
    assert heard == list(range(len(heard))), "each, in order"
    assert 0 < len(heard) <= last + 1, f"turn {turn}, revoked before {last + 1}"
    assert [event[1] for event in witness.heard("n")] == list(range(10000))


def test_many_rows_cost_one_reading_per_client(v5, clients):
    cast = [clients(Raw(v5, who)) for who in (14, 18, 21)]
    v5.joined(*cast)
    before = v5.reasons("rights_changes", label="found")
    v5.sql('INSERT INTO "UserPermission" (user_id, rule_id) '
           "SELECT u, 3 FROM unnest(ARRAY[14, 18, 21]) AS u, generate_series(1, 3333)")
    v5.emit("granted", [], "collaboration_2_organization_1/users")
    v5.settled(*cast)
    after = v5.reasons("rights_changes", label="found")
    v5.sql('DELETE FROM "UserPermission" WHERE rule_id = 3 AND user_id <> 17')
    assert all(client.heard("granted") for client in cast)
    assert after == {**before, "noted": before["noted"] + 3}


def test_a_lock_on_a_table_of_rights_delays_nothing_but_new_rooms(limited, clients):
    world = limited()
    user, other = clients(Raw(world, 14)), clients(Raw(world, 11))
    node = clients(Raw(world, 1))
    world.joined(user, other, node)
    db = world.connect()
    db.autocommit = False
    with db.cursor() as cursor:
        cursor.execute('LOCK TABLE "Member" IN ACCESS EXCLUSIVE MODE')
    world.sql('INSERT INTO "UserPermission" (user_id, rule_id) VALUES (14, 3)')
    late = clients(Raw(world, 13))
    wait_for(lambda: world.reasons("rights_changes", label="found")["doubt"] >= 1,
             "its rights to be in doubt")
    wait_for(lambda: "is put off" in world.log(), "the newcomer to wait")
    for n in range(100):
        world.emit("meanwhile", n, "everyone")
        wait_for(lambda: len(other.heard("meanwhile")) == n + 1 == len(node.heard("meanwhile")),
                 "those whose rights did not change to go on")
    node.send('42/tasks,["algorithm_log",{"run_id":1,"log":"a line"}]')
    other.wait("algorithm_log")
    assert (not late.heard("meanwhile")
            and not user.heard("meanwhile")), "nothing before the rights are known"
    db.commit()
    db.close()
    world.joined(late)
    user.wait_closed()  # it may have missed something, and comes back
    assert world.metric("closed_sessions", reason="doubt") == 1
    assert not (other.closed or node.closed or late.closed)
    user = clients(Raw(world, 14))
    world.joined(user)
    world.emit("granted", [], "collaboration_1_organization_1/users")
    world.settled(user, late)
    assert user.heard("granted") and late.heard("granted")
    world.sql('DELETE FROM "UserPermission" WHERE user_id = 14')


def test_the_audit_finds_what_no_row_of_the_log_has_said(limited, clients):
    world = limited("--audit-interval", "100ms", "--read-interval", "100ms")
    user, other = clients(Raw(world, 14)), clients(Raw(world, 11))
    world.joined(user, other)
    table = world.sql("SELECT hq_schema FROM vantage6_events.attachment", user="postgres")[0][0]
    world.sql(f'ALTER TABLE {table}."UserPermission" DISABLE TRIGGER USER')
    world.sql('INSERT INTO "UserPermission" (user_id, rule_id) VALUES (14, 3)')
    world.sql(f'ALTER TABLE {table}."UserPermission" ENABLE TRIGGER USER')
    wait_for(lambda: world.reasons("rights_changes", label="found")["audit"] == 1,
             "the audit to find it")
    world.emit("found", [], "collaboration_1_organization_1/users")
    world.settled(user, other)
    assert user.heard("found") and not other.heard("found")
    assert "1 sockets were in other rooms" in world.log()
    world.sql('DELETE FROM "UserPermission" WHERE user_id = 14')
    world.settled(user)
    assert world.reasons("rights_changes", label="found")["audit"] == 1
