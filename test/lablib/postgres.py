"""A private PostgreSQL cluster: its own directory, port, socket and passwords; nothing of the
system's.

The home of a cluster holds data/ (PGDATA), run/ (the socket) and postgres.log, .pid, .exit.
PostgreSQL refuses to run as root, so root's clusters belong to the system user postgres.
"""
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile

from .facts import holds_within
from .process import Daemon, LabError, children, send, started

SETTINGS = """
# Written by test/lab.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{run}'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 64MB
log_line_prefix = '%m [%p] %q%u@%d/%a '
log_checkpoints = off
max_prepared_transactions = 10
"""
# What an operator adds for the doorbell.
DOORBELL = "shared_preload_libraries = 'vantage6_events'\n"
# A socket's whole path may have 107 bytes; its name takes up to 16 of them.
LONGEST_SOCKET_DIR = 90
START_SECONDS = 90
STOP_SECONDS = 60
# What postgresql.conf and a conninfo take without quotes.
PLAIN = re.compile(r"[\w./+-]+", re.ASCII)


def quote(value):
    """A value of a conninfo."""
    if PLAIN.fullmatch(value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def clean_env():
    """The environment without what would redirect libpq or translate messages."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    env.update(LC_ALL="C.UTF-8", TZ="UTC")
    return env


def bindir(pg_config):
    """Where the programs of the PostgreSQL that pg_config belongs to are."""
    try:
        path = subprocess.run([pg_config, "--bindir"], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise LabError(f"expected {pg_config}, found none ({error}): run 'make deps'") from error
    if not os.access(path.stdout.strip() + "/initdb", os.X_OK):
        raise LabError(f"expected the PostgreSQL server in {path.stdout.strip()}: run 'make deps'")
    return path.stdout.strip()


class Cluster:
    """One cluster. make() creates it; start, stop, crash and restart mean what they say."""

    def __init__(self, home, port, pgbin):
        self.home, self.port, self.pgbin = home, port, pgbin
        self.data, self.run, self.log = (f"{home}/{name}"
                                         for name in ("data", "run", "postgres.log"))
        self.daemon = Daemon(f"{home}/postgres")

    @staticmethod
    def owner():
        """The account that the server runs as, or None for the caller's own."""
        if os.geteuid() != 0:
            return None
        try:
            return pwd.getpwnam("postgres")
        except KeyError:
            raise LabError(
                "root cannot run PostgreSQL: expected a system user postgres, found none; "
                "run 'make deps'") from None

    def _as_owner(self, argv, check=True):
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              cwd="/", errors="replace", env=clean_env(), check=False,
                              **self._who())
        if check and done.returncode:
            raise LabError(
                f"{os.path.basename(argv[0])} failed: {done.stdout}{done.stderr}".rstrip())
        return done

    def _who(self):
        owner = self.owner()
        return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}

    @classmethod
    def make(cls, wish, port, pgbin, password, settings=""):
        """A new cluster with home wish, or under /tmp with a link at wish if it cannot be there.

        settings: more lines of its postgresql.conf.
        """
        owner = cls.owner()
        os.mkdir(wish, 0o700)
        if owner:
            os.chown(wish, owner.pw_uid, owner.pw_gid)
        cluster = cls(wish, port, pgbin)
        reachable = cluster._as_owner(["test", "-w", wish], check=False).returncode == 0
        if (not reachable or len(cluster.run) > LONGEST_SOCKET_DIR
            or not PLAIN.fullmatch(cluster.run)):
            os.rmdir(wish)
            cluster = cls(tempfile.mkdtemp(prefix="vantage6-lab.", dir="/tmp"), port, pgbin)
            os.symlink(cluster.home, wish)
            if owner:
                os.chown(cluster.home, owner.pw_uid, owner.pw_gid)
        cluster._initdb(password, settings)
        return cluster

    def _initdb(self, password, settings):
        pwfile = f"{self.home}/password"
        with open(os.open(pwfile, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
            file.write(password)
        if self.owner():
            os.chown(pwfile, self.owner().pw_uid, -1)
        self._as_owner([f"{self.pgbin}/initdb", "-D", self.data, "-U", "postgres", "-E", "UTF8",
                        "--locale=C.UTF-8", "--auth-local=trust", "--auth-host=scram-sha-256",
                        f"--pwfile={pwfile}", "--no-sync"])
        os.unlink(pwfile)
        self._as_owner(["mkdir", "-m", "700", self.run])
        with open(f"{self.data}/postgresql.conf", "a", encoding="utf-8") as file:
            file.write(SETTINGS.format(port=self.port, run=self.run) + settings)

    def conninfo(self, user, dbname, passfile):
        """libpq's words for a connection; over TCP too, once host is replaced."""
        words = {"host": self.run, "port": self.port, "user": user, "dbname": dbname,
                 "passfile": passfile}
        return " ".join(f"{name}={quote(str(value))}" for name, value in words.items())

    def psql(self, conninfo, sql=None, file=None):
        """Run SQL from a text or a file in one session; returns what it printed, unaligned."""
        argv = [f"{self.pgbin}/psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d",
                conninfo]
        done = subprocess.run(argv + ["-f", file or "-"], input=sql or "", capture_output=True,
                              text=True, env=clean_env(), check=False)
        if done.returncode:
            raise LabError(f"psql: {done.stderr.strip() or f'exit status {done.returncode}'}")
        return done.stdout

    def pid(self):
        """The postmaster's pid, or None if it is not running."""
        return self.daemon.pid()

    def _settled(self):
        """True once it takes connections, or has ended."""
        try:
            with open(f"{self.data}/postmaster.pid", encoding="utf-8") as file:
                lines = file.read().split("\n")
        except OSError:
            lines = []
        ready = len(lines) > 7 and lines[7].strip() == "ready" and lines[0] == str(self.pid())
        return ready or not self.pid()

    def start(self):
        """Start it and wait until it takes connections, recovery included."""
        if self.pid():
            return
        self.daemon.start([f"{self.pgbin}/postgres", "-D", self.data], clean_env(), **self._who())
        if not holds_within(self._settled, START_SECONDS) or not self.pid():
            raise LabError(
                f"PostgreSQL does not start; the end of {self.log}:\n{self.daemon.tail()}")

    def stop(self):
        """An orderly end, after which a start has nothing to recover."""
        if not self.daemon.end([signal.SIGINT], STOP_SECONDS):
            raise LabError(f"PostgreSQL did not end within {STOP_SECONDS} s: see {self.log}")

    def restart(self):
        """stop, then start."""
        self.stop()
        self.start()

    def crash(self):
        """Kill every process of the cluster at once, as a power cut would. It stays down."""
        pid = self.pid()
        if not pid:
            return
        send(pid, signal.SIGSTOP)  # a postmaster that saw its children die would start others
        family = [pid] + children(pid)
        for member in reversed(family):
            send(member, signal.SIGKILL)
        if (not holds_within(lambda: not any(map(started, family)), 10)
            or not self.daemon.end([], 0)):
            raise LabError(f"PostgreSQL (pid {pid}) is still there after SIGKILL")

    def remove(self, wish):
        """Leave nothing running, and nothing outside the lab's own directory."""
        if not self.daemon.end([signal.SIGQUIT], 5):
            self.crash()
        if os.path.islink(wish):
            shutil.copyfile(self.log, f"{os.path.dirname(wish)}/postgres.log")
            os.unlink(wish)
            shutil.rmtree(self.home)


def new_password():
    """A password for a cluster's roles."""
    return secrets.token_hex(16)
