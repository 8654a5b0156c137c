"""Connections are visible: a line of the log at the beginning and the end, a row for auditors."""
import re

from clients import Python, Raw
from lablib.facts import wait_for

HISTORY = ("SELECT namespace, transport, address, user_agent, reason FROM "
           "vantage6_events.connection_history WHERE principal_id = %s AND connected_at > %s "
           "ORDER BY namespace, transport")


def history(world, since, who):
    return world.sql(HISTORY, who, since, user="postgres")


def lines(world, what, who, log_before):
    return re.findall(rf"client {what} principal={who} namespace=(\S+) transport=(\S+) "
                      r'address=(\S+) sid=\S{20} user_agent="([^"]*)"(?: reason="([^"]*)")?$',
                      world.log()[log_before:], re.M)


def test_a_client_has_a_line_and_a_row_when_it_comes_and_when_it_goes(v5, clients):
    since, before = v5.sql("SELECT clock_timestamp()")[0][0], len(v5.log())
    agent = ("User-Agent", 'Node "x" \\ ' + "y" * 200)
    said = ("Node \\x22x\\x22 \\x5c " + "y" * 200)[:100]
    client = clients(Python(v5, 2, transports=["websocket"], headers=[agent]))
    v5.joined(client)
    wait_for(lambda: lines(v5, "connected", 2, before), "the line")
    (line,) = lines(v5, "connected", 2, before)
    assert (line[0], line[1], line[3]) == ("/tasks", "websocket", said)
    assert history(v5, since, 2) == [("/tasks", "websocket", line[2], said, None)]
    client.close()
    wait_for(lambda: lines(v5, "ended", 2, before), "the line of the end")
    (end,) = lines(v5, "ended", 2, before)
    assert end[:4] == line[:4]
    wait_for(lambda: history(v5, since, 2)[0][4], "the end in the table")
    assert history(v5, since, 2) == [(*line[:4], end[4])]
    assert end[4] in ("client namespace disconnect", "transport close")


def test_more_clients_than_client_log_rate_are_in_the_table_and_their_number_in_the_log(
        own_lab, clients):
    world = own_lab(options=["--client-log-rate", "2"])
    since = world.sql("SELECT clock_timestamp()")[0][0]
    crowd = [clients(Raw(world, 3)) for _ in range(20)]
    world.joined(*crowd)
    wait_for(lambda: "more were not logged" in world.log(), "the number of the others")
    assert len(history(world, since, 3)) == 20
    assert 0 < len(lines(world, "connected", 3, 0)) < 20
