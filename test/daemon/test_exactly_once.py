"""12 writers at once, two daemons: every client hears every committed event of its rooms once, and no other."""
from clients import Python, Raw
from storm import Storm, Watch, cast_rooms, new_seed

WATCHED = [1, 3, 5, 11, 12, 13, 14, 15, 17]  # nodes of both collaborations, users of every scope and of none


def test_writers_at_once_are_heard_exactly_once_by_clients_of_two_daemons(v5, clients):
    world = v5
    heard = [clients(Raw(world, ident, instance=instance)) for ident in WATCHED for instance in (0, 1)]
    heard += [clients(Python(world, 3, transports=["polling"])),
              clients(Python(world, 16, instance=1, transports=["polling"]))]
    world.joined(*heard)
    watch = Watch(world, heard)
    storm = Storm(world, cast_rooms(world), new_seed(), transactions=60).start()
    storm.join()
    assert storm.rolled_back > 20
    assert watch.check() > 2000
    assert all(client.connects == 1 and client.disconnects == 0 for client in heard)
