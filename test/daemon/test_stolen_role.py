"""Somebody else has the password of pushd's role: what becomes of events, and how it ends.

sql/stolen_role.sql tries what the role may do in the database.
"""
import re

import psycopg2
import pytest

from clients import Raw
from lablib.facts import wait_for
from lablib.lab import TOP

NODE = 1


def test_forged_bells_forge_lose_and_repeat_no_event(v5, clients):
    client = clients(Raw(v5, 15))
    v5.joined(client)
    thief = v5.connect("pushd").cursor()
    for i in range(100):
        thief.execute("""SELECT pg_notify('vantage6_events', n || repeat('x', 7000)), pg_notify(
            'vantage6_events', '["forged", ' || n || ']') FROM generate_series(1, 20) AS n""")
        v5.emit("real", i, "collaboration_1")
    v5.settled(client)
    assert [event[1] for event in client.heard("real")] == list(range(100))
    assert not client.heard("forged")
    assert v5.ready()


def advice():
    """The SQL of doc/guarantees.md, for the role and the database of a lab."""
    with open(f"{TOP}/doc/guarantees.md", encoding="utf-8") as file:
        section = file.read().partition("\n## If the role of pushd is stolen\n")[2]
    sql = re.search(r"^```sql\n(.*?)^```", section, re.MULTILINE | re.DOTALL).group(1)
    sql, found = re.subn(r'^\\password ("[\w-]+")$', r"ALTER ROLE \1 PASSWORD 'another';", sql,
                         flags=re.MULTILINE)
    assert found == 1
    return sql.replace("vantage6-pushd", "pushd").replace("DATABASE vantage6", "DATABASE hq")


def test_what_is_to_be_done_ends_the_thief_and_pushd_comes_back(own_lab, clients):
    world = own_lab()
    client = clients(Raw(world, 15))
    world.joined(client)
    thief = world.connect("pushd").cursor()
    thief.execute("SELECT incarnation, secret FROM vantage6_events.open('thief', '1.0.0')")
    incarnation, secret = thief.fetchone()
    subject, = world.sql("SELECT keycloak_id FROM authenticatable WHERE id = %s", NODE)[0]
    thief.execute("SELECT kind FROM vantage6_events.connect(%s, json_build_array("
                  "json_build_object('sid', 'a', 'nsp', '/tasks', 'subject', %s::text)))",
                  (incarnation, subject))
    assert thief.fetchall() == [("node",)]
    thief.execute("SELECT lo_create(4711)")
    thief.execute("ALTER ROLE pushd SET default_transaction_read_only = on")
    thief.execute("ALTER ROLE pushd PASSWORD 'of the thief'")

    world.lab.cluster.psql(world.lab.conninfo("postgres"), advice())

    with pytest.raises(psycopg2.Error):
        thief.execute("SELECT 1")
    assert world.sql("SELECT count(*) FROM pg_largeobject_metadata", user="postgres") == [(0,)]
    assert not world.sql("SELECT FROM pg_db_role_setting WHERE setrole = 'pushd'::regrole",
                         user="postgres")
    wait_for(world.ready, "pushd to be back", 30)
    assert world.sql("SELECT count(*) FROM vantage6_events.secret WHERE value <> %s", secret,
                     user="postgres") == [(1,)]
    world.emit("afterwards", 1, "collaboration_1")
    client.wait("afterwards")
    assert client.disconnects == 0
    wait_for(lambda: not world.sql("SELECT FROM vantage6_events.connections"
                                   " WHERE instance = 'thief' OR instance IS NULL"),
             "what the thief said to be connected to end", 100)
