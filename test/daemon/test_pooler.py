"""PgBouncer between the daemon and PostgreSQL: in session mode it works, in transaction mode it is
said what to do."""
import os
import re
import shutil
import socket
import subprocess

import pytest

from clients import Raw
from lablib.facts import wait_for
from lablib.postgres import Cluster
from lablib.process import free_ports

PGBOUNCER = shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
SETTINGS = """
[databases]
hq = host={run} port={pg} user=pushd
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
"""


def answers(port):
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def pooled(own_lab):
    """pooled(mode, size): a lab whose daemon goes through a pooler."""
    if not PGBOUNCER:
        pytest.skip("expected pgbouncer, found none: run 'make deps'")
    world, ends = own_lab(options=["--retry-max", "200ms", "--beat-interval", "1s"]), []

    def start(mode, size):
        port, owner = free_ports(1), Cluster.owner()
        path = f"{world.lab.dir}/pgbouncer.ini"
        with open(path, "w", encoding="utf-8") as file:
            file.write(SETTINGS.format(run=world.lab.cluster.run, pg=world.lab.cluster.port,
                                       port=port, mode=mode, size=size))
        ends.append(subprocess.Popen([PGBOUNCER, path], user=owner.pw_uid if owner else None,
                                     stderr=subprocess.DEVNULL))
        wait_for(lambda: answers(port), "pgbouncer to listen")
        world.lab.stop_pushd(0)
        world.lab.facts["options"] += ["--read-interval", "1h" if mode == "session" else "1s",
                                       "--conninfo",
                                       f"host=127.0.0.1 port={port} user=pushd dbname=hq"]
        world.start(path="/livez")
        return world

    yield start
    world.end()
    for process in ends:
        process.terminate()
        process.wait()


def test_a_pooler_in_session_mode_works(pooled, clients):
    world = pooled("session", 20)
    client = clients(Raw(world, 15))
    world.joined(client)  # by bells alone: the daemon does not look by itself
    assert world.ready()


@pytest.mark.parametrize("size", [1, 20])
def test_a_pooler_in_transaction_mode_is_said(pooled, clients, size):
    world = pooled("transaction", size)
    client = clients(Raw(world, 15))
    wait_for(lambda: re.search("A connection pooler in between.*session mode",
                               world.http("GET", "/readyz", admin=True)[2]), "readyz to say so")
    assert client.round_trip() is None and not client.closed
