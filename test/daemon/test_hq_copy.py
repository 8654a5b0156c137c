"""The project's own copy of HQ's tables and cast says what the true one says, where that is at
hand."""
import os
import shutil
import tempfile

import pytest

from lablib.postgres import Cluster, bindir, new_password
from lablib.process import free_ports

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OURS, TRUE = f"{TOP}/test/hq", f"{os.path.dirname(TOP)}/shared/hq"

COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
       a.attgenerated, regexp_replace(pg_get_expr(d.adbin, d.adrelid), '\\w+\\.', '', 'g')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (c.oid, a.attnum)
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
    AND NOT a.attisdropped
ORDER BY 1, a.attnum"""
# Names of constraints are nobody's business; what they say is.
CONSTRAINTS = """
SELECT c.relname, n.contype, pg_get_constraintdef(n.oid) FROM pg_constraint n
    JOIN pg_class c ON c.oid = n.conrelid
WHERE c.relnamespace = 'public'::regnamespace AND n.contype IN ('p', 'u', 'f', 'c', 'x')
    ORDER BY 1, 2, 3"""
INDEXES = """
SELECT c.relname, pg_get_indexdef(i.indexrelid, 0, true) ~ 'UNIQUE', i.indkey::text, am.amname
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_am am ON am.oid = x.relam
WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1, 3"""
TYPES = """
SELECT t.typname, array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_type t
    JOIN pg_enum e ON e.enumtypid = t.oid
GROUP BY 1 ORDER BY 1"""
TABLES = ("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
          "AND relkind = 'r' ORDER BY 1")
SEQUENCES = (
    "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1")


@pytest.fixture(scope="module")
def cluster():
    """A private PostgreSQL without anything."""
    if not os.path.isdir(TRUE):
        pytest.skip(
            f"there is no {os.path.relpath(TRUE, TOP)} beside this checkout to compare with")
    folder = tempfile.mkdtemp(prefix="vantage6-test.", dir="/tmp")
    os.chmod(folder, 0o755)
    made = Cluster.make(f"{folder}/pg", free_ports(1),
                        bindir(os.environ.get("PG_CONFIG", "pg_config")), new_password())
    try:
        made.start()
        yield made
    finally:
        made.remove(f"{folder}/pg")
        shutil.rmtree(folder)


def load(cluster, name, files):
    """A database of this name with these files; a function that queries it."""
    def conninfo(database):
        return cluster.conninfo("postgres", database, "/dev/null")
    cluster.psql(conninfo("postgres"), f'CREATE DATABASE "{name}"')
    for file in files:
        cluster.psql(conninfo(name), file=file)

    def ask(sql):
        return cluster.psql(conninfo(name),
                            f"SET search_path = public; COPY ({sql}) TO STDOUT").splitlines()
    return ask


@pytest.mark.parametrize("hq", ["v5", "v4"])
def test_the_copy_equals_the_true_one(cluster, hq):
    ours, true = (load(cluster, f"{name}_{hq}",
                       [f"{folder}/{part}-{hq}.sql" for part in ("hq", "seed")])
                  for name, folder in (("ours", OURS), ("true", TRUE)))
    for what in (TABLES, COLUMNS, CONSTRAINTS, INDEXES, TYPES):
        assert ours(what) == true(what)
    tables = ours(TABLES)
    assert len(tables) > 15 and len(ours(COLUMNS)) > 80
    for table in tables:
        rows = f'SELECT t::text FROM "{table}" t ORDER BY 1'
        assert ours(rows) == true(rows), table
    assert len(ours("SELECT id FROM authenticatable")) == 16
    for line in ours(SEQUENCES):  # else the first row that a test adds would collide
        sequence, last = line.split("\t")
        highest = ours(f'SELECT coalesce(max(id), 0) FROM "{sequence.removesuffix("_id_seq")}"')[0]
        assert int(last.replace("\\N", "0")) >= int(highest), line
