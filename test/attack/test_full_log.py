"""Logs that are meant to fill the database, or to make the beat fail for everybody."""
import json

from clients import Raw
from lablib.facts import wait_for

NODE, OTHER = 1, 2     # organizations 1 and 2, runs 1 and 2 of task 1
CONNECTIONS, LINES, SIZE = 6, 25, 190_000
LIMIT = 4 * 1024 * 1024
OPTIONS = ["--event-rate", "0", "--byte-rate", "0", "--beat-interval", "500ms"]


def limit(world, size):
    """A log may have so many bytes, however fast they come."""
    for setting, value in (("max_run_log", size), ("principal_byte_rate", 0)):
        world.sql(f"ALTER DATABASE hq SET vantage6_events.{setting} = {value}", user="postgres")
    world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pushd'",
              user="postgres")


def line(run, text):
    """A line of a run."""
    return "42/tasks," + json.dumps(["algorithm_log", {"run_id": run, "task_id": 1, "log": text}])


def one(world, statement, *values):
    """A single value, as a superuser."""
    return world.sql(statement, *values, user="postgres")[0][0]


def beats(world):
    """Two beats more have been done, and no part of one has failed."""
    for _ in range(2):
        last = one(world, "SELECT beat_at FROM vantage6_events.instance")
        wait_for(lambda: one(world, "SELECT beat_at FROM vantage6_events.instance")
                 > last, "a beat")  # noqa: B023
    assert world.sql("SELECT part, error FROM vantage6_events.failure", user="postgres") == []


def taken(world):
    """How many events of clients the database has taken."""
    return int(one(world, "SELECT coalesce(sum(seq), 0) FROM vantage6_events.received"))


def test_a_run_whose_row_is_locked_takes_its_limit_and_the_beat_goes_on(own_lab, clients, honest):
    world = own_lab(options=OPTIONS)
    limit(world, LIMIT)
    others = honest(world, without=(NODE, OTHER))
    nodes = [clients(Raw(world, NODE)) for _ in range(CONNECTIONS)]
    other = clients(Raw(world, OTHER))
    world.joined(*nodes, other)
    world.sql("UPDATE run SET log = NULL, status = 'active' WHERE id IN (1, 2)")
    hq = world.connect()
    hq.autocommit = False
    hq.cursor().execute("SELECT FROM run WHERE id = 1 FOR UPDATE")
    before = taken(world)
    for _ in range(LINES):
        for node in nodes:
            node.send(line(1, "x" * SIZE))
    other.send(line(2, "of another run"))
    wait_for(lambda: taken(world) >= before + CONNECTIONS * LINES + 1, "all to be taken", 120)
    wait_for(lambda: world.sql("SELECT log FROM run WHERE id = 2") == [("of another run",)],
             "the other run's line")
    beats(world)
    kept = -(-LIMIT // (SIZE + 1))  # the last one may begin just below the limit
    assert one(world, "SELECT count(*) FROM vantage6_events.log_line WHERE run_id = 1") == kept
    assert one(world, "SELECT count(*) FROM vantage6_events.event "
               "WHERE payload LIKE '[\"algorithm_log\",{\"run_id\":1,%%'") == kept
    assert world.reasons("refused_events")["full"] == CONNECTIONS * LINES - kept
    hq.commit()
    hq.close()
    wait_for(lambda: one(world, "SELECT count(*) FROM vantage6_events.log_line") == 0,
             "the lines to be in the run", 60)
    assert world.sql("SELECT octet_length(log) FROM run WHERE id = 1") == [
        (kept * (SIZE + 1) - 1,)]
    others.well()


def test_what_fails_is_set_aside_and_everything_else_goes_on(own_lab, clients, honest):
    """A gigabyte of lines, more than a value of PostgreSQL may have; and lines that HQ refuses."""
    world = own_lab(options=OPTIONS)
    others = honest(world, without=(NODE, OTHER))
    nodes = [clients(Raw(world, ident)) for ident in (NODE, OTHER)]
    world.joined(*nodes)
    world.sql("UPDATE run SET log = NULL, status = 'active'")
    world.sql("ALTER TABLE run ADD CHECK (log NOT LIKE 'poison%')")
    limit(world, 16 << 20)
    world.sql("INSERT INTO vantage6_events.log_line (run_id, line, at) "
              "SELECT 3, repeat('a', 262144), clock_timestamp() - interval '1 min' "
              "FROM generate_series(1, 4200)", user="postgres")
    nodes[0].send(line(1, "poison"))
    wait_for(lambda: world.sql("SELECT run_id, split_part(reason, ':', 1) "
                               "FROM vantage6_events.set_aside ORDER BY 1", user="postgres")
             == [(1, "23514"), (3, "full")], "both to be set aside", 120)
    size = world.sql("SELECT octet_length(log) FROM run WHERE id = 3")[0][0]
    assert 16 << 20 < size < 21 << 20
    nodes[1].send(line(2, "fine"))
    wait_for(lambda: world.sql("SELECT log FROM run WHERE id = 2") == [("fine",)],
             "the other run's line")
    assert one(world, "SELECT count(*) FROM vantage6_events.log_line") == 1
    beats(world)
    others.well()
