"""pg_dump and restore, into another database and another cluster: what is remembered goes along,
nothing is announced."""
import os
import shutil
import subprocess
import tempfile

import psycopg2
import pytest

from catalog import differences, inventory
from clients import Raw
from lablib.facts import wait_for
from lablib.lab import TOP
from lablib.postgres import Cluster, clean_env, new_password
from lablib.process import free_ports

NO_PASSWORDS = "/nonexistent"
# What outlives a dump: all that is logged but the events, whose xids mean nothing elsewhere.
REMEMBERED = """SELECT c.relname FROM pg_class c, pg_extension e WHERE e.extname = 'vantage6_events'
    AND c.oid = ANY (e.extconfig) AND c.relkind = 'r' ORDER BY 1"""
SEQUENCES = """SELECT relname FROM pg_class WHERE relnamespace = 'vantage6_events'::regnamespace
    AND relkind = 'S' AND relname NOT IN ('incarnation', 'pending_id_seq') ORDER BY 1"""
# What belongs to a life of the database: nothing of it may be there, nor be made by the restore.
OF_A_LIFE = ("event", "rights_change", "lease", "instance", "pending", "epoch", "done_once",
             "run_to_kill")


@pytest.fixture(scope="module")
def world(make_world):
    """A lab in which everything that is remembered has rows."""
    made = make_world()
    made.sql("ALTER DATABASE hq SET vantage6_events.drain_grace = '7s'", user="postgres")
    client = Raw(made, 3)
    made.joined(client)
    wait_for(lambda: made.sql("SELECT count(*) FROM vantage6_events.announced",
                              user="postgres")[0][0], "an announcement")
    run = made.sql("""INSERT INTO run (task_id, organization_id, status)
        SELECT t.id, n.organization_id, 'pending' FROM task t JOIN node n USING (collaboration_id)
        LIMIT 1 RETURNING id, task_id""")[0]
    made.sql("INSERT INTO task (collaboration_id, parent_id) SELECT collaboration_id, id "
             "FROM task WHERE id = %s", run[1])
    made.sql("SELECT vantage6_events.kill_task(%s)", run[1])
    made.sql("""INSERT INTO vantage6_events.log_line (run_id, line, at)
        VALUES (1, E'a line\\n', now());
        INSERT INTO vantage6_events.deferred (principal_id, name, arg, since)
        VALUES (1, 'algorithm_log', '{"a": 1}', now())""",
             user="postgres")
    made.lab.kill_pushd(0)  # its leases stay
    assert made.sql("SELECT count(*) > 0 FROM vantage6_events.lease", user="postgres")[0][0]
    client.close()
    return made


@pytest.fixture(scope="module")
def other(world):
    """Another cluster, with the roles of the first."""
    home = tempfile.mkdtemp(prefix="vantage6-dump.", dir="/tmp")
    os.chmod(home, 0o755)
    cluster = Cluster.make(f"{home}/pg", free_ports(1), world.lab.cluster.pgbin, new_password())
    cluster.start()
    roles = program(world, "pg_dumpall", "--roles-only", database="postgres")
    cluster.psql(cluster.conninfo("postgres", "postgres", NO_PASSWORDS), "\n".join(
        line for line in roles.splitlines() if " ROLE postgres" not in line))
    yield cluster
    cluster.remove(f"{home}/pg")
    shutil.rmtree(home)


def program(world, name, *options, database="hq", text=None, cluster=None, user="postgres"):
    """Run a program of PostgreSQL, as a superuser unless it says otherwise; what it wrote."""
    cluster = cluster or world.lab.cluster
    done = subprocess.run([f"{cluster.pgbin}/{name}", *options, "-d",
                           cluster.conninfo(user, database, NO_PASSWORDS)],
                          input=text, capture_output=True, env=clean_env(),
                          text=not isinstance(text, bytes), check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def dump(world, *options):
    """A dump in the custom format, as bytes."""
    return program(world, "pg_dump", "-Fc", *options, text=b"")


class Place:
    """A database of a cluster; answers like a world."""

    def __init__(self, cluster, name="hq"):
        self.cluster, self.name = cluster, name

    def connect(self, user="postgres", database=None):
        """As World.connect()."""
        db = psycopg2.connect(self.cluster.conninfo(user, database or self.name, NO_PASSWORDS))
        db.autocommit = True
        return db

    def sql(self, statement, *values, user="postgres"):
        """As World.sql()."""
        with self.connect(user).cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else None


def is_the_same(world, place, anew=()):
    """What was remembered is there, but for the columns anew, and nothing else; the daemon may
    open."""
    source = Place(world.lab.cluster)
    assert not differences(inventory(source), inventory(place, place.name))
    for table, in source.sql(REMEMBERED):
        rows = f"SELECT (to_jsonb(t) - %s::text[])::text FROM vantage6_events.{table} t ORDER BY 1"
        was, now = (where.sql(rows, list(anew)) for where in (source, place))
        assert was == now, table
    for table in OF_A_LIFE:
        assert place.sql(f"SELECT count(*) FROM vantage6_events.{table}") == [(0,)], table
    for sequence, in source.sql(SEQUENCES):
        was, now = (where.sql(f"SELECT last_value, is_called FROM vantage6_events.{sequence}")
                    for where in (source, place))
        assert was == now, sequence
    last = source.sql("SELECT max(id) FROM vantage6_events.event")[0][0]
    assert place.sql("SELECT * FROM vantage6_events.faults()") == []
    assert place.sql("SELECT vantage6_events.emit('first', NULL::json, 'everyone')",
                     user="hq")[0][0] > last
    # As a daemon: opened, all that is announced as online has a grace, and rows of HQ are
    # announced.
    epoch = place.sql("SELECT epoch FROM vantage6_events.open('i', '1.1.0')", user="pushd")[0][0]
    assert (epoch,) not in source.sql("SELECT value FROM vantage6_events.epoch")
    ids = "SELECT array_agg(principal_id ORDER BY 1) FROM vantage6_events."
    assert place.sql(ids + "pending") == source.sql(ids + "announced WHERE online")
    place.sql("UPDATE run SET status = 'active' WHERE id = (SELECT min(id) FROM run)", user="hq")
    assert ("status_update",) in place.sql("SELECT name FROM vantage6_events.event")


def test_everything_that_is_remembered_has_rows_here(world):
    empty = [table for table, in world.sql(REMEMBERED, user="postgres")
             if not world.sql(f"SELECT EXISTS (SELECT FROM vantage6_events.{table})",
                              user="postgres")[0][0]]
    assert set(empty) <= {"dependency", "ready_task", "undecided_task", "unwanted_dataframe"}
    lost = world.sql("""SELECT c.relname FROM pg_class c, pg_extension e
        WHERE e.extname = 'vantage6_events'
        AND c.relnamespace = 'vantage6_events'::regnamespace AND c.relkind = 'r'
            AND c.relpersistence = 'p'
        AND NOT c.oid = ANY (e.extconfig) AND NOT relispartition""", user="postgres")
    assert sorted(lost) == [("kicked",), ("received",), ("rights_change",), ("secret",)], (
        "a table that neither a dump nor a crash was meant to forget")


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_a_dump_goes_into_another_cluster(world, other, form):
    place = Place(other)
    program(world, "psql", "-c", "DROP DATABASE IF EXISTS hq", database="postgres", cluster=other)
    if form == "plain":
        program(world, "psql", "-v", "ON_ERROR_STOP=1", "-q", cluster=other, database="postgres",
                text=program(world, "pg_dump", "-C"))
    else:
        program(world, "pg_restore", "-C", "-e", database="postgres", cluster=other,
                text=dump(world))
    assert place.sql("SHOW vantage6_events.drain_grace") == [("7s",)]
    is_the_same(world, place)


def test_a_dump_goes_into_another_database(world):
    place = Place(world.lab.cluster, "copy")
    world.sql("CREATE DATABASE copy OWNER hq", user="postgres")
    program(world, "pg_restore", "-e", database="copy", text=dump(world))
    is_the_same(world, place)


@pytest.mark.parametrize("options",
                         [["--no-privileges"], ["--no-owner"], ["--no-owner", "--no-privileges"]])
def test_a_restore_without_privileges_or_owners_is_refused_until_attach_has_mended_it(
        world, options):
    name = "_".join(["bare", *options]).replace("-", "")
    place = Place(world.lab.cluster, name)
    world.sql(f'CREATE DATABASE "{name}" OWNER hq', user="postgres")
    program(world, "pg_restore", "-e", *options, database=name, text=dump(world))
    if "--no-owner" in options:  # HQ's tables are given back, as an operator must
        for table, in place.sql("SELECT oid::regclass::text FROM pg_class "
                                "WHERE relnamespace = 'public'::regnamespace"
                                " AND relkind = 'r'"):
            place.sql(f"ALTER TABLE {table} OWNER TO hq")
    with pytest.raises(psycopg2.Error) as refused:
        place.sql("SELECT * FROM vantage6_events.open('i', '1.1.0')")
    assert refused.value.pgcode == "V6005"
    advice = "As the owner of HQ's tables: SELECT vantage6_events.attach('public')"
    assert advice in str(refused.value)
    place.sql("SELECT vantage6_events.attach('public')")
    is_the_same(world, place, anew=("attached_at", "created_at", "told_at"))


def test_a_restore_without_a_role_says_so_and_a_dump_has_no_role_that_is_gone(world):
    world.sql("CREATE ROLE gone; SELECT vantage6_events.grant_hq('gone')", user="postgres")
    before = dump(world)
    world.sql("DROP OWNED BY gone; DROP ROLE gone", user="postgres")
    world.sql("CREATE DATABASE lacking OWNER hq", user="postgres")
    place = Place(world.lab.cluster, "lacking")
    with pytest.raises(AssertionError, match='COPY failed for table "granted": .*"gone"'):
        program(world, "pg_restore", database="lacking", text=before)
    assert place.sql("SELECT count(*) FROM vantage6_events.granted") == [(0,)]
    assert place.sql("SELECT agent FROM vantage6_events.status") == [("hq",)]
    assert world.sql("SELECT count(*) FROM vantage6_events.granted", user="postgres") == [(3,)]
    world.sql("CREATE DATABASE without OWNER hq", user="postgres")
    program(world, "pg_restore", "-e", database="without", text=dump(world))
    assert Place(world.lab.cluster, "without").sql(
        "SELECT grantee::text FROM vantage6_events.granted ORDER BY 1") == [("hq",), ("pushd",)]
    world.sql("SELECT vantage6_events.attach('public')")  # forgets it
    assert world.sql("SELECT count(*) FROM vantage6_events.granted", user="postgres") == [(2,)]


def dumped(world, **more):
    """The lines of a dump, without what is different each time."""
    return [line for line in program(world, "pg_dump", **more).splitlines()
            if not line.startswith(("\\restrict", "\\unrestrict"))]


def test_the_owner_of_hqs_tables_makes_the_same_dump_as_a_superuser(world):
    assert dumped(world, user="hq") == dumped(world)


def test_a_role_that_reads_all_data_makes_the_same_dump_and_does_so_while_nothing_is_attached(
        world):
    world.sql("CREATE ROLE backup LOGIN; GRANT pg_read_all_data TO backup", user="postgres")
    assert dumped(world, user="backup") == dumped(world)
    world.sql("CREATE DATABASE bare OWNER hq", user="postgres")
    Place(world.lab.cluster, "bare").sql("CREATE EXTENSION vantage6_events")
    assert dumped(world, user="backup", database="bare") == dumped(world, database="bare")


def test_detached_and_dropped_it_leaves_hqs_tables_as_if_it_had_never_been(world):
    place = Place(world.lab.cluster, "gone")
    world.sql("CREATE DATABASE gone OWNER hq", user="postgres")
    for part in ("hq", "seed"):
        world.lab.cluster.psql(world.lab.conninfo("hq", "gone"),
                               file=f"{TOP}/test/hq/{part}-v5.sql")
    before = dumped(world, database="gone")
    place.sql("CREATE EXTENSION vantage6_events; SELECT vantage6_events.grant_hq('hq');"
              "SELECT vantage6_events.attach('public')")
    with pytest.raises(psycopg2.errors.DependentObjectsStillExist,
                       match="trigger vantage6_events_on_run_inserted"):
        place.sql("DROP EXTENSION vantage6_events")
    place.sql("SELECT vantage6_events.detach()", user="hq")
    place.sql("DROP EXTENSION vantage6_events; DROP SCHEMA vantage6_events")
    assert dumped(world, database="gone") == before
