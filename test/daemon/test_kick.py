"""An operator closes all connections of a user or node, at every instance and at once."""
import re

from clients import Node, Python, Raw
from lablib.facts import wait_for
from test_recovery import PAGE, USER, answer, offset_of, resume


def kick(world, who):
    return world.sql("SELECT vantage6_events.kick(%s)", who)[0][0]


def reasons(world, who, since):
    return world.sql("SELECT reason FROM vantage6_events.connection_history "
                     "WHERE principal_id = %s AND connected_at > %s ORDER BY connected_at",
                     who, since, user="postgres")


def kicks(world):
    return [world.metric("closed_sessions", instance, reason="kicked") for instance in (0, 1)]


def test_all_of_one_are_closed_at_once_and_nobody_else(v5, clients):
    v5.alone()
    since, before = v5.sql("SELECT clock_timestamp()")[0][0], kicks(v5)
    logs = [len(v5.log(instance)) for instance in (0, 1)]
    pythons = [clients(Python(v5, 2, instance=instance, transports=[transport]))
               for instance in (0, 1) for transport in ("polling", "websocket")]
    raws = [clients(Raw(v5, 2, instance=instance)) for instance in (0, 1)]
    others = [clients(Raw(v5, who, instance=instance)) for who in (1, USER) for instance in (0, 1)]
    v5.joined(*pythons, *raws, *others)
    assert kick(v5, 2) == 6
    v5.emit("after", [], "everyone")
    for raw in raws:
        raw.wait_closed()
    for python in pythons:
        wait_for(lambda: python.disconnects == 1, "it to be kicked")  # noqa: B023
        wait_for(lambda: python.connects == 2, "it to be back")  # noqa: B023
    v5.settled(*others)
    assert [other.heard("after") for other in others] == [[["after"]]] * 4
    assert not any(other.closed for other in others)
    assert not any(client.heard("after") for client in pythons + raws)
    assert [now - then for now, then in zip(kicks(v5), before)] == [3, 3]
    assert sorted(reasons(v5, 2, since), key=str) == sorted(
        [("kicked",)] * 6 + [(None,)] * 4, key=str)
    for instance in (0, 1):
        lines = re.findall(r'client ended principal=2 .* reason="kicked"$',
                           v5.log(instance)[logs[instance]:], re.M)
        assert len(lines) == 3


def test_a_page_that_was_kicked_comes_back_with_its_token_and_does_not_recover(v5, clients):
    page, raw = clients(Node(v5, USER)), clients(Raw(v5, USER, instance=1, headers=PAGE))
    v5.joined(page, raw)
    v5.emit("x", [], "everyone")
    page.wait("x")
    raw.wait("x")
    assert kick(v5, USER) == 2
    wait_for(lambda: page.connects == 2, "it to be back")
    assert page.recovered == [False, False]
    raw.wait_closed()
    for instance in (0, 1):
        again = clients(resume(v5, raw, offset_of(raw, "x"), instance=instance))
        v5.joined(again)
        assert answer(again)["pid"] != answer(raw)["pid"]


def test_one_that_was_kicked_while_its_daemon_had_no_database_is_closed_when_it_has_one(
        own_lab, clients):
    world = own_lab()
    kicked, other = clients(Raw(world, 2)), clients(Raw(world, 1))
    world.joined(kicked, other)
    world.sql("ALTER ROLE pushd NOLOGIN", user="postgres")
    world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pushd'",
              user="postgres")
    wait_for(lambda: world.links() == 0 and not world.ready(), "the daemon to be without it")
    assert kick(world, 2) == 1
    world.sql("ALTER ROLE pushd LOGIN", user="postgres")
    kicked.wait_closed()
    wait_for(lambda: world.metric("closed_sessions", reason="kicked") == 1, "the count")
    world.joined(other)
    assert not other.closed
