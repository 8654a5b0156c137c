"""From 1.0.0 to this version: what is there afterwards equals a fresh installation, and what was
remembered is kept.

In a PostgreSQL that has the script of 1.0.0 beside that of this version.
"""
import contextlib
import glob
import os
import re
import shutil
import subprocess
import tempfile

import psycopg2
import pytest

from catalog import differences, inventory
from clients import Raw
from lablib.facts import wait_for
from lablib.lab import TOP
from private_postgres import PrivatePostgres

SCRIPT = f"{TOP}/test/upgrade/vantage6_events--1.0.0.sql"
UPDATE = "ALTER EXTENSION vantage6_events UPDATE; SELECT vantage6_events.attach('public')"
KEPT = ("event", "announced", "attachment", "granted", "node_at")
# Its trigger calls announce(), as do those of every version.
NEW_RUN = """INSERT INTO run (task_id, organization_id, status) SELECT task_id, organization_id,
    'pending' FROM run
    ORDER BY id LIMIT 1 RETURNING id"""
LAST = "SELECT max(id) FROM vantage6_events.event"


@pytest.fixture(scope="module")
def private_postgres():
    """A PostgreSQL that knows both versions."""
    folder = tempfile.mkdtemp(prefix="vantage6-postgres.", dir="/tmp")
    os.chmod(folder, 0o755)
    made = PrivatePostgres(f"{folder}/usr")
    made.put(SCRIPT, made.extensions)
    yield made
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def lab(private_postgres, make_world):
    """A lab in it, and what is in the catalog after a fresh installation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PG_CONFIG", private_postgres.pg_config)
        world = make_world(options=["--retry-max", "200ms"])
    # Once more: grants in the order of a second one.
    world.sql("SELECT vantage6_events.attach('public')")
    world.fresh = inventory(world)
    yield world
    world.end()  # while its programs are there


def as_superuser(world, statement, *values):
    """Statements of an operator, in one transaction."""
    return world.sql(statement, *values, user="postgres")


@pytest.fixture
def old(lab):
    """The same lab with 1.0.0 installed, attached and in use."""
    lab.lab.stop_pushd(0)  # what it asks might meet the DROP in a deadlock
    wait_for(lambda: lab.links() == 0, "its sessions to end")
    lab.sql("SELECT vantage6_events.detach()")
    as_superuser(lab, "DROP EXTENSION vantage6_events; DROP SCHEMA vantage6_events;"
                 "CREATE EXTENSION vantage6_events VERSION '1.0.0';"
                 "SELECT vantage6_events.grant_hq('hq'), vantage6_events.grant_pushd('pushd')")
    lab.sql("SELECT vantage6_events.attach('public')")
    for number in range(5):
        lab.emit("before", number, "everyone")
    as_superuser(
        lab, "INSERT INTO vantage6_events.announced VALUES"
        " (1, 'node', 'a node', 1, true, '{collaboration_1}', now()) ON CONFLICT DO NOTHING")
    lab.start(path="/livez")
    return lab


def rows(world, table):
    """All rows of a table of the extension, as JSON."""
    return as_superuser(
        world,
        f"SELECT to_jsonb(t) - 'attached_at' FROM vantage6_events.{table} t ORDER BY t::text")


def test_after_an_update_all_is_as_in_a_fresh_installation_and_what_was_remembered_is_kept(old):
    kept = {table: rows(old, table) for table in KEPT}
    last = as_superuser(old, LAST)[0][0]
    incarnation = as_superuser(old, "SELECT nextval('vantage6_events.incarnation')")[0][0]
    as_superuser(old, UPDATE)
    assert not differences(inventory(old), old.fresh)
    for table, was in kept.items():
        now = rows(old, table)
        assert len(was) == len(now) > 0, table
        assert all(before.items() <= after.items() for (before,), (after,) in zip(was, now)), table
    assert old.emit("after", None, "everyone") == last + 1, "ids go on"
    assert as_superuser(old, "SELECT nextval('vantage6_events.incarnation')")[0][0] > incarnation
    assert as_superuser(old, "SELECT * FROM vantage6_events.faults()") == []


def test_pushd_says_what_is_to_be_done_and_its_clients_stay(old):
    client = Raw(old, 15)
    try:
        for what, says in ((None, "too old: run ALTER EXTENSION vantage6_events UPDATE"),
                           ("ALTER EXTENSION vantage6_events UPDATE", "42501.*grant_pushd.*attach"),
                           ("SELECT vantage6_events.grant_pushd('pushd')",
                            r"V6005.*attach\('public'\)")):
            if what:
                as_superuser(old, what)
            try:
                wait_for(lambda: re.search(says, old.http("GET", "/readyz", admin=True)[2]), says)
            except AssertionError as error:
                raise AssertionError(f"{error}: {old.http('GET', '/readyz', admin=True)}") from None
        as_superuser(old, "SELECT vantage6_events.attach('public')")
        wait_for(old.ready, "the daemon to be ready")
        old.joined(client)
        assert client.connects == 1 and not client.closed
    finally:
        client.close()


def test_hq_goes_on_with_the_old_script_and_the_new_library(old):
    last = as_superuser(old, LAST)[0][0]
    old.sql(NEW_RUN)
    names = [name for name, in as_superuser(
        old, "SELECT name FROM vantage6_events.event WHERE id > %s", last)]
    assert old.new_task in names and "before" not in names
    assert old.sql("SELECT vantage6_events.rooms(15)")


def test_an_update_that_would_break_somebody_elses_view_is_refused_and_changes_nothing(old):
    before = inventory(old)
    for relation in ("event", "recent_events"):
        as_superuser(old, f"CREATE VIEW public.mine AS SELECT * FROM vantage6_events.{relation}")
        with pytest.raises(psycopg2.errors.DependentObjectsStillExist,
                           match="view public.mine depends on"):
            as_superuser(old, UPDATE)
        as_superuser(old, "DROP VIEW public.mine")
        assert not differences(before, inventory(old))


def test_an_update_waits_for_no_lock_of_hq_for_long(old):
    before = inventory(old)
    db = old.connect()
    db.autocommit = False
    try:
        db.cursor().execute("SELECT count(*) FROM task")
        with pytest.raises(psycopg2.errors.LockNotAvailable, match="could not be locked"):
            as_superuser(old, UPDATE)
    finally:
        db.close()
    assert not differences(before, inventory(old))


def test_an_update_without_attachment_needs_none(old):
    old.sql("SELECT vantage6_events.detach()")
    as_superuser(old, "ALTER EXTENSION vantage6_events UPDATE")
    as_superuser(old, "SELECT vantage6_events.grant_hq('hq')")
    old.sql("SELECT vantage6_events.attach('public')")
    assert as_superuser(old, "SELECT * FROM vantage6_events.faults()") == []


@pytest.fixture
def old_library(private_postgres, tmp_path):
    """A library that has what 1.0.0 had, and no more; afterwards there is this version's again."""
    exports = set(re.findall(r"'(v6e_\w+)'", open(SCRIPT, encoding="utf-8").read())) - {"v6e_emit_"}
    exports |= {f"v6e_emit_{kind}_{rooms}" for kind in ("json", "jsonb", "text")
                for rooms in ("room", "rooms")}
    names = ";".join(
        sorted(exports | {f"pg_finfo_{name}" for name in exports} | {"Pg_magic_func", "_PG_init"}))
    (tmp_path / "exports").write_text(f"{{ global: {names}; local: *; }};")
    subprocess.run(["gcc", "-shared", "-o", f"{tmp_path}/vantage6_events.so",
                    *glob.glob(f"{TOP}/src/*.o"), f"-Wl,--version-script={tmp_path}/exports"],
                   check=True)
    private_postgres.put(f"{tmp_path}/vantage6_events.so", private_postgres.libraries)
    yield
    private_postgres.put(f"{TOP}/vantage6_events.so", private_postgres.libraries)


def test_the_new_script_is_refused_by_the_old_library_and_a_session_that_kept_it_says_so(
        old, private_postgres, old_library):
    before = inventory(old)
    with pytest.raises(psycopg2.errors.UndefinedFunction,
                       match='could not find function "v6e_\\w+" in file'):
        as_superuser(old, UPDATE)
    assert not differences(before, inventory(old))
    with contextlib.closing(old.connect()) as db, db.cursor() as kept:
        emit = "SELECT vantage6_events.emit('by_the_old', NULL::json, 'everyone')"
        kept.execute(emit)
        private_postgres.put(f"{TOP}/vantage6_events.so", private_postgres.libraries)
        as_superuser(old, UPDATE)
        kept.execute(emit)
        with pytest.raises(psycopg2.errors.UndefinedFunction,
                           match='could not find function "v6e_\\w+" in file'):
            kept.execute('DELETE FROM "UserPermission" WHERE user_id = 15')
    old.sql('DELETE FROM "UserPermission" WHERE user_id = -1')
