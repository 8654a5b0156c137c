"""A node that sends as fast as it may over all its connections: what it writes to the disk has
limits, all of it counts in the end, and nobody is closed for it. Nor does HQ ever wait.
"""
import json
import threading
import time

import pytest

from clients import Raw
from lablib.facts import wait_for

NODE, RUN, USER = 1, 1, 11
USERS = (11, 12, 13, 14, 15)  # who would receive all these lines
RATE = 200_000  # bytes a second of one principal
LINES, LINE = 16, 30_000  # of each connection
COUNT = "SELECT count(*) FROM vantage6_events.event WHERE name = 'algorithm_log'"


def lines_taken(world):
    """How many lines the database has taken."""
    return world.sql(COUNT, user="postgres")[0][0]


def setting(world, name, value):
    """Set it for all sessions."""
    with world.connect("postgres").cursor() as cursor:
        cursor.execute(f"ALTER SYSTEM SET vantage6_events.{name} = '{value}'")
        cursor.execute("SELECT pg_reload_conf()")


def paused(world, instance):
    """How often a client of the instance was not read from for its principal."""
    return world.metric("paused_clients", instance=instance, reason="principal")


def test_twelve_connections_of_a_node_write_no_more_than_one_may(own_lab, clients, honest):
    world = own_lab(instances=2, options=["--event-rate", "0", "--byte-rate", "0"],
                    settings=f"vantage6_events.principal_byte_rate = '{RATE}B'\n")
    others = honest(world, without=(NODE, *USERS))
    hostile = [clients(Raw(world, NODE, instance=n % 2)) for n in range(12)]
    world.joined(*hostile)
    packet = f'42/tasks,["algorithm_log",{json.dumps({"run_id": RUN, "log": "x" * LINE})}]'
    began = time.monotonic()
    floods = [threading.Thread(target=lambda c=c: [c.send(packet) for _ in range(LINES)])
              for c in hostile]
    for flood in floods:
        flood.start()

    def taken():
        """A mean of 10 s; and what each connection may have had on its way at that time: what
        waits for the database, and one line more."""
        n = lines_taken(world)
        allowed = RATE * (10 + time.monotonic() - began) + 12 * (65536 + 2 * LINE)
        assert n * LINE <= allowed, f"{n} lines after {time.monotonic() - began} s"
        return n
    wait_for(lambda: taken() >= 0 and paused(world, 0) and paused(world, 1),
             "both instances to read nothing more of the node")
    others.receive()  # while the node is kept waiting
    assert not any(client.closed for client in hostile)
    wait_for(lambda: taken() == 12 * LINES, "all lines to be taken", deadline=120)
    for flood in floods:
        flood.join()
    others.well()
    assert not any(client.closed for client in hostile)
    assert "a principal sends too much" in world.log(0) + world.log(1)


def test_a_node_that_is_not_read_from_gains_nothing_by_coming_back(own_lab, clients):
    world = own_lab(options=["--event-rate", "0", "--byte-rate", "0"],
                    settings="vantage6_events.principal_event_rate = 10\n")
    first = clients(Raw(world, NODE))
    world.joined(first)
    for _ in range(400):  # four times what is taken at once: for 14 s nothing is read
        first.send('42/tasks,["x"]')
    wait_for(lambda: paused(world, 0) == 1, "it to be not read from")
    first.close()
    again, user = clients(Raw(world, NODE)), clients(Raw(world, USER))
    world.joined(user, again)  # it receives
    wait_for(lambda: paused(world, 0) == 2, "it to be not read from again")
    before = world.metric("received_events")
    again.send('42/tasks,1["x"]')
    user.send('42/tasks,1["x"]')
    wait_for(lambda: "43/tasks,1[]" in user.packets, "the other to be answered")
    assert world.metric("received_events") == before + 1
    wait_for(lambda: "43/tasks,1[]" in again.packets, "it to be answered when it is read from")


def test_the_oldest_connection_of_a_principal_makes_room(own_lab, clients, honest):
    world = own_lab(options=["--max-connections-per-principal", "10"])
    others = honest(world, without=(NODE,))
    mine = [clients(Raw(world, NODE)) for _ in range(10)]
    world.joined(*mine)
    for old in mine[:5]:
        before = world.metric("closed_sessions", reason="max_connections_per_principal")
        mine.append(clients(Raw(world, NODE)))
        wait_for(lambda old=old: old.closed, "the oldest to be closed")
        assert world.metric("closed_sessions",
                            reason="max_connections_per_principal") == before + 1
    world.settled(*mine[5:])
    assert not any(client.closed for client in mine[5:])
    others.well()


@pytest.mark.parametrize("name,args", [("algorithm_log", {"run_id": RUN, "log": "it waits"}),
                                       ("node_info_update", {"it": "waits"})])
def test_a_full_log_holds_up_what_clients_send_and_nothing_of_hq(own_lab, clients, honest, name,
                                                                 args):
    world = own_lab(instances=2, options=["--beat-interval", "200ms"],
                    settings="vantage6_events.max_log_bytes = '2MB'\n")
    others = honest(world, without=(NODE,))
    node = clients(Raw(world, NODE))
    world.joined(node)
    assert world.http("GET", "/readyz", admin=True)[2] == "ready\n"
    assert world.metric("log_fill") == 0
    noise = world.sql("SELECT string_agg(md5(i::text), '') FROM generate_series(1, 25000) AS i")
    for _ in range(30):  # HQ goes on at more than ten times the limit
        world.emit("large", noise[0][0], "collaboration_4711")
    for instance in range(2):
        wait_for(lambda i=instance: world.metric("log_fill", instance=i) > 10, "it to be told")
        status, _, text = world.http("GET", "/readyz", instance=instance, admin=True)
        assert status == 200 and text.startswith("ready\nevent log: "), text
    taken = "SELECT coalesce(max(seq), 0) FROM vantage6_events.received"
    before = world.sql(taken, user="postgres")
    node.send(f'42/tasks,1{json.dumps([name, args])}')
    wait_for(lambda: "43/tasks,1[]" in node.packets, "its acknowledgement")
    beats = "SELECT min(beat_at) > %s::timestamptz + interval '1 s' FROM vantage6_events.instance"
    now = world.sql("SELECT clock_timestamp()")[0][0]
    wait_for(lambda: world.sql(beats, now, user="postgres")[0][0], "several beats")
    assert world.sql(taken, user="postgres") == before
    world.sql("UPDATE run SET status = 'active' WHERE id = 2")  # its trigger
    others.well()
    others.receive(10)
    setting(world, "max_log_bytes", "10GB")
    wait_for(lambda: world.sql(taken, user="postgres") != before, "what waited to be taken")
    wait_for(lambda: world.http("GET", "/readyz", admin=True)[2] == "ready\n", "the note to go")
    assert world.metric("log_fill") == 0
    others.well()
    assert not node.closed
    assert "what client" in world.log() and "below three quarters" in world.log()
