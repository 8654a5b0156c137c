"""A database that is not UTF8: what it cannot hold is counted by reason, and all else goes on."""
import pytest

from cast import say
from clients import Raw
from lablib import tokens
from lablib.facts import wait_for
from lablib.lab import TOP

NODE, USER = 1, 11


@pytest.fixture(scope="module")
def latin(make_world):
    """HQ's tables in a database with encoding LATIN1."""
    world = make_world()
    world.lab.stop_pushd(0)
    postgres = world.lab.conninfo("postgres", "postgres")
    world.lab.cluster.psql(
        postgres, "ALTER DATABASE hq RENAME TO utf8; CREATE DATABASE hq OWNER hq"
        " TEMPLATE template0 ENCODING LATIN1 LOCALE 'C';")
    for part in ("hq", "seed"):
        world.lab.cluster.psql(world.lab.conninfo("hq"), file=f"{TOP}/test/hq/{part}-v5.sql")
    world.lab.cluster.psql(world.lab.conninfo("postgres"), """CREATE EXTENSION vantage6_events;
        SELECT vantage6_events.grant_hq('hq'), vantage6_events.attach('public');
        SELECT vantage6_events.grant_pushd('pushd')""")
    world.forget_connection()
    world.start()
    return world


def test_what_the_encoding_lacks_is_counted_by_reason_and_all_else_has_its_effect(latin, clients):
    world = latin
    node, user = clients(Raw(world, NODE)), clients(Raw(world, USER))
    world.joined(node, user)
    run, = world.sql("SELECT min(id) FROM run WHERE organization_id = 1")[0]
    before = world.metric("database_errors")
    for line in ("before", "10 \u20ac", "Gr\u00f6\u00dfe", "\u4e00", "after"):
        say(node, "algorithm_log", {"run_id": run, "log": line})
    say(node, "error", "\u20ac")
    wait_for(lambda: "after" in [more["log"] for _, more in user.heard("algorithm_log")],
             "the last line")
    assert ([more["log"] for _, more in user.heard("algorithm_log")]
            == ["before", "Gr\u00f6\u00dfe", "after"])
    wait_for(lambda: world.reasons("refused_events") == {"other": 0, "encoding": 3}, "the counts")
    assert world.metric("database_errors") > before
    for event in ("algorithm_log", "error"):
        assert (f"had no effect principal={NODE} reason=encoding n=1 event={event}"
                in world.log())


def test_a_subject_that_the_encoding_lacks_is_nobodys_and_harms_nobody(latin, clients):
    world = latin
    others = clients(Raw(world, NODE)), clients(Raw(world, USER))
    world.joined(*others)
    before = world.metric("database_errors")
    keys = f"{world.lab.dir}/keys"
    strangers = [clients(Raw(world, token=tokens.token("v5", keys, {
        "type": "user", "name": "x", "subject": subject}, 3600)))
        for subject in ("\u20ac", "a\u4e00b", "Gr\u00f6\u00dfe", "\\u20ac", "\U0001f600")]
    wait_for(lambda: world.metric("unknown_subjects") >= len(strangers), "all to be nobody")
    # The secret name of an earlier connection is what a client says it is.
    user = clients(Raw(world, USER, auth={"pid": 6 * "\u20ac" + "aa", "offset": "\u20ac"}))
    world.joined(user)
    world.settled(*others)
    assert world.metric("database_errors") == before
    assert all(client.disconnects == 0 for client in others)


def test_a_subject_with_a_character_that_the_encoding_has_is_its_principals(latin, clients):
    world = latin
    subject = "Gr\u00f6\u00dfe"
    world.sql("UPDATE authenticatable SET keycloak_id = %s WHERE id = 12", subject)
    token = tokens.token("v5", f"{world.lab.dir}/keys",
                         {"type": "user", "name": "x", "subject": subject}, 3600)
    world.joined(clients(Raw(world, 12, token=token)))
