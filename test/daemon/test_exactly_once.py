"""12 writers at once, two daemons: every client receives every committed event of its rooms once,
and no other."""
import json

from clients import Python, Raw
from lablib.facts import wait_for
from storm import Storm, Watch, cast_rooms, new_seed

# Nodes of both collaborations, users of every scope and of none.
WATCHED = [1, 3, 5, 11, 12, 13, 14, 15, 17]


def test_writers_at_once_are_heard_exactly_once_by_clients_of_two_daemons(v5, clients):
    world = v5
    heard = [clients(Raw(world, ident, instance=instance)) for ident in WATCHED
             for instance in (0, 1)]
    heard += [clients(Python(world, 3, transports=["polling"])),
              clients(Python(world, 16, instance=1, transports=["polling"]))]
    world.joined(*heard)
    watch = Watch(world, heard)
    storm = Storm(world, cast_rooms(world), new_seed(), transactions=60).start()
    storm.join()
    assert storm.rolled_back > 20
    assert watch.check() > 2000
    assert all(client.connects == 1 and client.disconnects == 0 for client in heard)


# As emit() does it, but without the bell: no daemon reads before the next one rings.
SILENT = """INSERT INTO vantage6_events.event (slot, tli, namespace, rooms, name, payload)
SELECT slot, tli, namespace, '{collaboration_1}', 'silent', '["silent"]' FROM vantage6_events.event
ORDER BY id DESC LIMIT 1 RETURNING id"""


def test_what_was_committed_before_a_client_joined_is_not_for_it_though_read_later(v5, clients):
    early = clients(Raw(v5, 15))
    v5.joined(early)
    v5.settled(early)
    v5.sql(SILENT, user="postgres")
    late = clients(Raw(v5, 11))
    v5.joined(late)
    v5.settled(early, late)
    early.wait("silent")
    assert not late.heard("silent")
    assert len(early.heard("silent")) == 1


def test_an_event_whose_bell_was_lost_is_read_after_read_interval(limited, clients):
    world = limited("--read-interval", "300ms")
    client = clients(Raw(world, 15))
    world.joined(client)
    world.settled(client)
    world.sql(SILENT, user="postgres")
    wait_for(lambda: client.heard("silent"), "the event, sooner than by the default of 5 s", 4)


def test_clients_that_join_in_the_middle_of_a_storm_hear_all_that_begins_after_and_nothing_twice(
        v5, clients):
    first = clients(Raw(v5, 15))
    v5.joined(first)
    watch = Watch(v5, [first])
    storm = Storm(v5, ["collaboration_1", "everyone"], new_seed(), writers=6).start()
    late = []
    for instance in (0, 1) * 4:
        storm.wait_commits(10)
        late.append(clients(Raw(v5, 11, instance=instance)))
        v5.joined(late[-1])
        late[-1].began = v5.sql("SELECT clock_timestamp()")[0][0]
    storm.wait_commits(50)
    storm.stop()
    v5.settled(*late)
    watch.check()
    rows = v5.sql(
        "SELECT payload, emitted_at FROM vantage6_events.event WHERE name = 'storm' AND id > %s",
        watch.start, user="postgres")
    log = {payload: emitted_at for payload, emitted_at in rows}
    for client in late:
        heard = [json.dumps(event, separators=(",", ":")) for event in client.heard("storm")]
        assert len(heard) == len(set(heard)), f"{client} heard an event twice"
        assert set(heard) <= set(log)
        missing = {payload for payload, at in log.items() if at > client.began} - set(heard)
        assert not missing, f"{client} did not hear {sorted(missing)[:3]}"
