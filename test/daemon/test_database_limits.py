"""A database with too little patience, room or leave to write: clients stay, /readyz says why, and
it heals."""
import contextlib
import os
import subprocess

import psycopg2
import pytest

from clients import Raw
from lablib.facts import wait_for
from test_database_faults import ANY_LINK, broken_and_mended, crowd, never_dropped, pings, terminate

OPTIONS = ["--retry-max", "200ms", "--ping-interval", "300ms", "--ping-timeout", "60s",
           "--beat-interval", "1s", "--read-interval", "1h"]
IMPATIENT = {"statement_timeout": "1ms", "lock_timeout": "1ms",
             "idle_in_transaction_session_timeout": "1ms", "idle_session_timeout": "1s",
             "transaction_timeout": "1ms", "default_transaction_isolation": "serializable",
             "default_transaction_deferrable": "on"}
LINKS = "SELECT pid FROM pg_stat_activity WHERE application_name ~ '^vantage6-pushd' ORDER BY 1"


@pytest.fixture(scope="module")
def world(make_world):
    """Two daemons, whose reads wait for bells."""
    return make_world(options=OPTIONS, instances=2)


def as_superuser(world, *statements):
    """Each in a transaction of its own, as ALTER SYSTEM needs."""
    for statement in statements:
        world.sql(statement, user="postgres")


def test_timeouts_that_its_role_has_are_not_for_the_daemon(world, clients):
    known = {name for name, in world.sql("SELECT name FROM pg_settings")} & IMPATIENT.keys()
    assert len(known) >= 6
    as_superuser(world, *(f"ALTER ROLE pushd SET {name} = '{IMPATIENT[name]}'" for name in known))
    try:
        terminate(world, ANY_LINK)
        made = crowd(world, clients)
        for instance in (0, 1):
            wait_for(lambda: world.ready(instance), "the daemon to be ready")  # noqa: B023
        links = world.sql(LINKS, user="postgres")
        assert len(links) == 4
        seen = pings(made[0])
        wait_for(lambda: pings(made[0]) > seen + 8, "more than idle_session_timeout")
        assert world.sql(LINKS, user="postgres") == links, "a link was ended"
    finally:
        as_superuser(world, "ALTER ROLE pushd RESET ALL")
    world.joined(*made)
    assert never_dropped(made)


def read_only(world, switch):
    """Switch it on or off for all sessions."""
    act = ("SET default_transaction_read_only = on"
           if switch else "RESET default_transaction_read_only")
    as_superuser(world, f"ALTER SYSTEM {act}", "SELECT pg_reload_conf()")


def test_a_database_that_is_read_only_is_said_and_heals(world, clients):
    broken_and_mended(world, clients, lambda: read_only(world, True), "session is read-only",
                      lambda: read_only(world, False))


def test_links_that_turn_read_only_notice_by_themselves(world, clients):
    client = clients(Raw(world, 15))
    world.joined(client)
    links = world.sql(LINKS, user="postgres")
    read_only(world, True)
    try:
        wait_for(lambda: "read-only" in world.http("GET", "/readyz", admin=True)[2],
                 "a beat to be refused")
    finally:
        read_only(world, False)
    wait_for(world.ready, "the daemon to be ready")
    assert world.sql(LINKS, user="postgres") != links
    world.joined(client)
    assert never_dropped([client])


@pytest.fixture
def small_disk(world):
    """A directory of 1 MB on a file system of its own, as a tablespace."""
    folder = f"{world.lab.dir}/small"
    os.mkdir(folder)
    if (os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0777", "small", folder],
                          check=False, capture_output=True).returncode):
        pytest.skip("expected to be allowed to mount a small file system")
    try:
        inner = f"{folder}/space"
        os.mkdir(inner)
        os.chown(inner, world.lab.cluster.owner().pw_uid, -1)
        as_superuser(world, f"CREATE TABLESPACE small LOCATION '{inner}'")
        yield folder
        as_superuser(world, "ALTER TABLE vantage6_events.lease SET TABLESPACE pg_default",
                     "CHECKPOINT", "DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_said_and_heals(world, clients, small_disk):
    def fill():
        as_superuser(world, "ALTER TABLE vantage6_events.lease SET TABLESPACE small",
                     "TRUNCATE vantage6_events.lease")
        with contextlib.suppress(OSError), open(f"{small_disk}/filler", "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        with pytest.raises(psycopg2.errors.DiskFull):
            as_superuser(world, "INSERT INTO vantage6_events.lease "
                         "(sid, incarnation, nsp, principal_id, subject, kind, connected_at) "
                         "VALUES ('a', 1, 'b', 1, 'c', 'user', now())")
    broken_and_mended(world, clients, fill, "No space left on device.*53100",
                      lambda: os.unlink(f"{small_disk}/filler"))
