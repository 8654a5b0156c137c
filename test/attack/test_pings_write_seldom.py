"""A client that sends ping without pause: HQ's row is written when it says something new."""
from clients import Raw
from lablib.facts import wait_for

COUNT = """
    CREATE TABLE public.written (id integer, was text, became text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.written VALUES (NEW.id, OLD.status, NEW.status);
        RETURN NULL;
    END $$;
    CREATE TRIGGER note AFTER UPDATE ON authenticatable FOR EACH ROW EXECUTE FUNCTION note();
"""
USER, NODE = 14, 2  # 14 has no rights at all
PINGS = 200


def taken(world):
    """How many events of clients the database has taken."""
    return int(world.sql("SELECT coalesce(sum(seq), 0) FROM vantage6_events.received",
                         user="postgres")[0][0])


def test_pings_without_pause_write_hqs_row_once_in_30_seconds(own_lab, clients, honest):
    world = own_lab(options=["--event-rate", "10000"])
    others = honest(world, without=(USER, NODE))
    hostile = [clients(Raw(world, ident)) for ident in (USER, NODE)]
    world.joined(*hostile)
    wait_for(lambda: world.sql("SELECT count(*) FROM authenticatable WHERE status = 'online' "
                               "AND id = ANY (%s)", [USER, NODE]) == [(2,)], "both to be online")
    world.sql(COUNT)
    world.sql("UPDATE authenticatable SET last_seen = timezone('UTC', now()) - interval '1 min' "
              "WHERE id = ANY (%s)", [USER, NODE])
    world.sql("TRUNCATE written")
    before = taken(world)
    for _ in range(PINGS):
        for client in hostile:
            client.send('42/tasks,["ping"]')
    wait_for(lambda: taken(world) >= before + 2 * PINGS, "all pings to be taken", deadline=120)
    found = world.sql("SELECT id, count(*) FROM written WHERE id = ANY (%s) GROUP BY id "
                      "ORDER BY id", [USER, NODE])
    assert found == [(NODE, 1), (USER, 1)]
    others.well()
