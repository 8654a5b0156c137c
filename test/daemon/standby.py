"""A second cluster that follows the first by streaming replication."""
import os

from lablib.postgres import Cluster
from lablib.process import free_ports

SETTINGS = """
port = {port}
unix_socket_directories = '{run}'
primary_conninfo = 'host={host} port={primary} user=postgres application_name=standby'
"""


def make_standby(primary, home):
    """A running standby of the cluster."""
    os.mkdir(home, 0o700)
    owner = Cluster.owner()
    if owner:
        os.chown(home, owner.pw_uid, owner.pw_gid)
    made = Cluster(home, free_ports(1, [primary.port]), primary.pgbin)
    made._as_owner([f"{made.pgbin}/pg_basebackup", "-D", made.data, "-h", primary.run, "-p",
                    str(primary.port), "-U", "postgres", "-X", "stream", "-c", "fast", "--no-sync"])
    made._as_owner(["mkdir", "-m", "700", made.run])
    made._as_owner(["touch", f"{made.data}/standby.signal"])
    with open(f"{made.data}/postgresql.conf", "a", encoding="utf-8") as file:
        file.write(SETTINGS.format(port=made.port, run=made.run, host=primary.run,
                                   primary=primary.port))
    made.start()
    return made


def promote(cluster, conninfo):
    """Make the standby the primary."""
    cluster.psql(conninfo, "SELECT pg_promote()")
