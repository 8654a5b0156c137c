"""A node that shares another configuration again and again, or comes and goes with one.

HQ numbers the rows of nodeconfig by a sequence of 2^31 ids. When it is used up, no node can share
its configuration any more.
"""
import json

from clients import Raw
from lablib.facts import wait_for

REWRITER, COMER = 1, 3
ROWS, TIMES, COMINGS = 1000, 60, 6


def used(world):
    """How many ids have been given out."""
    return world.sql("SELECT last_value FROM nodeconfig_id_seq")[0][0]


def taken(world):
    """How many events of clients the database has taken."""
    return int(world.sql("SELECT coalesce(sum(seq), 0) FROM vantage6_events.received",
                         user="postgres")[0][0])


def config(world, node):
    """What HQ has of a node."""
    return [value for value, in world.sql("SELECT value FROM nodeconfig WHERE node_id = %s "
                                          "ORDER BY id", node)]


def share(client, values):
    """Send a configuration of one list."""
    client.send("42/tasks," + json.dumps(["node_info_update", {"a": values}]))


def test_a_node_uses_up_no_more_ids_than_it_has_rows(own_lab, clients, honest):
    world = own_lab(options=["--event-rate", "10000", "--byte-rate", "0"])
    others = honest(world, without=(REWRITER, COMER))
    node = clients(Raw(world, REWRITER))
    world.joined(node)
    at_first, before = used(world), taken(world)
    for n in range(TIMES):
        share(node, [n % 2] * 100_000)  # more rows than it may have
    for n in range(TIMES):
        share(node, list(range(n % 2 * ROWS, n % 2 * ROWS + ROWS)))
    wait_for(lambda: taken(world) >= before + 2 * TIMES, "all to be taken", deadline=300)
    assert len(config(world, REWRITER)) == ROWS
    assert used(world) <= at_first + ROWS
    assert world.reasons("refused_events")["size"] == TIMES
    others.well()


def test_a_node_that_comes_and_goes_uses_up_none(own_lab, clients, honest):
    world = own_lab()
    others = honest(world, without=(REWRITER, COMER))
    world.sql("DELETE FROM nodeconfig WHERE node_id = %s", COMER)
    for n in range(COMINGS):
        node = clients(Raw(world, COMER))
        world.joined(node)
        share(node, [f"{n}-{row}" for row in range(20)])
        wait_for(lambda: config(world, COMER) == [f"{n}-{row}" for row in range(20)],  # noqa: B023
                 "the configuration to be HQ's")
        at_first = used(world) if n == 0 else at_first
        node.close()
        wait_for(lambda: not config(world, COMER), "it to go with the node")
    assert used(world) == at_first
    others.well()
