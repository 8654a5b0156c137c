"""The log is emptied behind the daemons, and they go on."""
from clients import Raw
from lablib.facts import wait_for
from lablib.postgres import DOORBELL

# Which slot is written now is a matter of time: old events go into the next one.
AGE = """UPDATE vantage6_events.event SET emitted_at = emitted_at - interval '30 days', slot =
    (floor(extract(epoch FROM
    clock_timestamp() - timestamptz '2000-01-01 00:00Z'))::bigint / 604800 + 1) % 3 RETURNING id"""
LEFT = "SELECT count(*) FROM vantage6_events.event WHERE emitted_at < now() - interval '29 days'"


def grow_old(world):
    """All events so far are of last month."""
    assert world.sql(AGE, user="postgres")


def gone(world):
    """The old ones are."""
    wait_for(lambda: world.sql(LEFT, user="postgres")[0][0] == 0, "old events to be removed")


def test_pushd_sees_to_it(own_lab, clients):
    """An emptied log is not one that was set back: after a crash of PostgreSQL pushd goes on where
    it was, since its place is that of the ids, not of what the log still holds."""
    world = own_lab(options=["--beat-interval", "200ms", "--retry-max", "200ms"])
    client = clients(Raw(world, 12))
    world.joined(client)
    world.emit("before", None, "everyone")
    client.wait("before")
    grow_old(world)

    def emptied():  # of what presence had to say, too
        world.sql(AGE, user="postgres")
        return world.sql("SELECT count(*) FROM vantage6_events.event", user="postgres") == [(0,)]
    wait_for(emptied, "an empty log")
    world.lab.cluster.crash()
    world.lab.cluster.start()
    world.forget_connection()
    wait_for(lambda: world.log().count("database ready") == 2, "pushd to be back")
    world.joined(client)
    world.emit("after", None, "everyone")
    client.wait("after")
    assert len(client.heard("before")) == 1
    assert "the event log ends before" not in world.log()


def test_the_worker_sees_to_it(own_lab):
    """Without a daemon."""
    world = own_lab(settings=DOORBELL + "vantage6_events.upkeep_interval = 1s\n")
    world.emit("old", None, "everyone")
    world.lab.stop_pushd(0)
    grow_old(world)
    gone(world)


def test_two_daemons_do_not_trip_over_each_other(own_lab, clients):
    """Slot after slot is emptied while both deliver."""
    world = own_lab(instances=2, options=["--beat-interval", "200ms"])
    heard = [clients(Raw(world, 12, instance=instance)) for instance in (0, 1)]
    world.joined(*heard)
    for i in range(20):
        world.emit(f"turn_{i}", None, "everyone")
        for client in heard:
            client.wait(f"turn_{i}")
        grow_old(world)
        gone(world)
    for client in heard:
        assert [name for name in client.names()
                if name.startswith("turn_")] == [f"turn_{i}" for i in range(20)]
    for instance in (0, 1):
        assert world.metric("database_errors", instance) == 0


def test_a_part_that_fails_is_told_and_counted_and_all_else_goes_on(own_lab):
    """Also where everything is published, and a table cannot be told by its rows."""
    world = own_lab(options=["--beat-interval", "200ms"])
    world.sql("CREATE PUBLICATION everything FOR ALL TABLES;"
              "INSERT INTO vantage6_events.rights_change (scopes, changed_at)"
              " VALUES ('{users}', '2000-01-01')", user="postgres")
    world.emit("old", None, "everyone")
    grow_old(world)
    gone(world)
    wait_for(lambda: world.sql("SELECT count(*) FROM vantage6_events.rights_change "
                               "WHERE changed_at < '2001-01-01'", user="postgres") == [(0,)],
             "the old change of rights to be removed")
    assert world.metric("database_warnings") == 0
    world.sql("ALTER FUNCTION vantage6_events.fold_logs() RENAME TO broken", user="postgres")
    wait_for(lambda: world.metric("database_warnings") >= 2, "two warnings")
    assert "warning: fold_logs() failed: " in world.log()
    assert world.sql("SELECT failures FROM vantage6_events.status", user="postgres")[0][0] >= 2
    world.emit("old", None, "everyone")
    grow_old(world)
    gone(world)
    assert world.metric("database_errors") == 0
    assert world.metric("ready") == 1
