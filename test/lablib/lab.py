"""A lab: one directory with a private PostgreSQL, HQ's sample tables and cast, and vantage6-pushd.

DIR/lab.json   what the lab was made with; read by every later command
DIR/env        the same for people and scripts, to be sourced
DIR/cast.json  who is in HQ's tables, so that tokens need no database
DIR/keys/      what tokens are signed and verified with
DIR/pg/        the cluster (a link, where PostgreSQL could not reach DIR)
DIR/pushd.I.*  log, pid and exit status of instance I
"""
import filecmp
import glob
import http.client
import json
import os
import re
import shlex
import signal
import subprocess

from . import tokens
from .postgres import DOORBELL, Cluster, bindir, new_password
from .facts import holds_within
from .process import Daemon, LabError, free_ports

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
READY_SECONDS = 60
# An orderly end may take the drain time; a lab that goes down does not wait for it.
STOP_SECONDS = 90

ROLES = """
CREATE ROLE hq LOGIN PASSWORD '{password}';
CREATE ROLE pushd LOGIN PASSWORD '{password}';
CREATE DATABASE hq OWNER hq;
"""
CAST = {
    "v5": "SELECT a.id, a.type, a.keycloak_id AS subject",
    "v4": "SELECT a.id, a.type, a.id::text AS subject",
}
CAST_FROM = """, coalesce(n.name, u.username) AS name FROM authenticatable a
    LEFT JOIN node n ON n.id = a.id LEFT JOIN "user" u ON u.id = a.id"""


def check_installed(pg_config):
    """What is installed must be what was built, or the lab would test something else."""
    def where(option):
        return subprocess.run([pg_config, option], check=True, capture_output=True,
                              text=True).stdout.strip()
    built = {f"{TOP}/vantage6_events.so": where("--pkglibdir"),
             f"{TOP}/vantage6_events.control": where("--sharedir") + "/extension"}
    with open(f"{TOP}/vantage6_events.control", encoding="ascii") as control:
        version = re.search(r"^default_version *= *'(.*)'", control.read(), re.MULTILINE).group(1)
    # Not those that another version has left.
    scripts = {*glob.glob(f"{TOP}/vantage6_events--*{version}.sql"),
               f"{TOP}/vantage6_events--{version}.sql"}
    built.update((script, where("--sharedir") + "/extension") for script in scripts)
    for path, folder in built.items():
        if not os.path.exists(path):
            raise LabError(f"expected the built extension, found no {path}: run 'make'")
        installed = f"{folder}/{os.path.basename(path)}"
        if not os.path.exists(installed) or not filecmp.cmp(path, installed, shallow=False):
            raise LabError(f"expected {installed} as built, found "
                           f"{'another' if os.path.exists(installed) else 'none'}: "
                           "run 'make install' as root")


def check_pushd(path):
    """The daemon's program, absolute."""
    path = os.path.abspath(path or f"{TOP}/build/release/vantage6-pushd")
    if not os.access(path, os.X_OK):
        raise LabError(f"expected vantage6-pushd as {path}, found none: run 'make', or set PUSHD")
    return path


def answer(port, path):
    """Status and body of GET path on the admin port; (0, reason) if nothing answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


class Lab:
    """An existing lab (Lab(dir)) or a new one (Lab.up(...))."""

    def __init__(self, folder):
        self.dir = os.path.abspath(folder)
        try:
            with open(f"{self.dir}/lab.json", encoding="utf-8") as file:
                self.facts = json.load(file)
        except OSError:
            raise LabError(
                f"expected a lab in {self.dir}, found none: run 'test/lab up {folder}'") from None
        self.cluster = Cluster(self.facts["home"], self.facts["pg"], self.facts["pgbin"])

    # --- coming up -------------------------------------------------------------------------------

    @classmethod
    def up(cls, folder, hq, ports, instances, options, settings=""):
        """Make the lab and start everything; what was started is ended again if that fails.

        settings: more lines of postgresql.conf. The variable DOORBELL adds those of the doorbell.
        """
        if os.environ.get("DOORBELL"):
            settings = DOORBELL + settings
        pg_config = os.environ.get("PG_CONFIG", "pg_config")
        folder = os.path.abspath(folder)
        if os.path.exists(folder) and os.listdir(folder):
            raise LabError(f"expected {folder} absent or empty, found files: "
                           f"choose another, or 'test/lab down {folder}' and remove it")
        pgbin, program = bindir(pg_config), check_pushd(os.environ.get("PUSHD"))
        check_installed(pg_config)
        os.makedirs(folder, mode=0o755, exist_ok=True)
        facts = {"hq": hq, "pgbin": pgbin, "pushd": program, "options": options,
                 "password": new_password(), **cls._ports(ports, instances)}
        cluster = Cluster.make(f"{folder}/pg", facts["pg"], pgbin, facts["password"], settings)
        facts["home"] = cluster.home
        cls._private(f"{folder}/lab.json", json.dumps(facts, indent=2))
        lab = cls(folder)
        try:
            lab._fill()
            for number in range(instances):
                lab._launch(number)
            for number in range(instances):
                lab._wait_answer(number, "/readyz")
            lab.write_env()
        except BaseException:
            lab.down()
            raise
        return lab

    @staticmethod
    def _ports(wishes, instances):
        """The port of pg, the lists of ports of http and admin: as wished, or free ones."""
        counts = {"pg": 1, "http": instances, "admin": instances}
        ports = {name: list(range(first, first + counts[name])) for name, first in wishes.items()
                 if first}
        for name, count in counts.items():
            if name not in ports:
                first = free_ports(count, sum(ports.values(), []))
                ports[name] = list(range(first, first + count))
        ports["pg"] = ports["pg"][0]
        return ports

    @staticmethod
    def _private(path, text):
        """Write a file whole or not at all, readable by its owner only."""
        with open(os.open(path + ".new", os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w",
                  encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def _fill(self):
        """The database: HQ's tables and cast, the extension, and the grants an operator makes."""
        hq, cluster = self.facts["hq"], self.cluster
        self._private(f"{self.dir}/pgpass", f"*:*:*:*:{self.facts['password']}\n")
        tokens.make_keys(hq, f"{self.dir}/keys")
        cluster.start()
        cluster.psql(self.conninfo("postgres", "postgres"), ROLES.format(**self.facts))
        for part in ("hq", "seed"):
            cluster.psql(self.conninfo("hq"), file=f"{TOP}/test/hq/{part}-{hq}.sql")
        cluster.psql(self.conninfo("postgres"), "CREATE EXTENSION vantage6_events;"
                     "SELECT vantage6_events.grant_hq('hq');")
        cluster.psql(self.conninfo("hq"), "SELECT vantage6_events.attach('public')")
        cluster.psql(self.conninfo("postgres"), "SELECT vantage6_events.grant_pushd('pushd')")
        self._private(f"{self.dir}/cast.json", self._ask_cast())

    def _ask_cast(self):
        sql = f"SELECT json_agg(x) FROM ({CAST[self.facts['hq']]}{CAST_FROM}) x"
        return self.cluster.psql(self.conninfo("hq"), sql)

    def conninfo(self, user, dbname="hq"):
        """How a role connects; through the socket without a password."""
        return self.cluster.conninfo(user, dbname, f"{self.dir}/pgpass")

    def write_env(self):
        """DIR/env. LAB_PIDS holds those of the running instances, in order."""
        facts, running = self.facts, [self.daemon(i).pid() for i in range(len(self.facts["http"]))]
        urls = [f"http://127.0.0.1:{port}" for port in facts["http"]]
        admin = [f"http://127.0.0.1:{port}" for port in facts["admin"]]
        v5 = facts["hq"] == "v5"
        secret = ""
        if not v5:
            with open(f"{self.dir}/keys/signer.secret", encoding="ascii") as file:
                secret = file.read()
        env = {"LAB_URL": urls[0], "LAB_URLS": " ".join(urls),
               "LAB_ADMIN_URL": admin[0], "LAB_ADMIN_URLS": " ".join(admin),
               "LAB_DB": self.conninfo("hq"), "LAB_SUPERUSER_DB": self.conninfo("postgres"),
               "LAB_PUSHD_DB": self.conninfo("pushd"),
               "LAB_PGDATA": self.cluster.data, "LAB_PGBIN": facts["pgbin"], "LAB_HQ": facts["hq"],
               "LAB_JWKS": f"{self.dir}/keys/jwks.json" if v5 else "", "LAB_SECRET": secret,
               "LAB_PIDS": " ".join(str(pid) for pid in running if pid)}
        self._private(f"{self.dir}/env", "".join(f"{k}={shlex.quote(v)}\n" for k, v in env.items()))

    # --- vantage6-pushd --------------------------------------------------------------------------

    def daemon(self, number):
        """The process of instance number, running or not."""
        if not 0 <= number < len(self.facts["http"]):
            raise LabError(
                f"expected an instance from 0 to {len(self.facts['http']) - 1}, found {number}")
        return Daemon(f"{self.dir}/pushd.{number}")

    def _launch(self, number):
        facts = self.facts
        keys = (["--jwks-file", f"{self.dir}/keys/jwks.json"] if facts["hq"] == "v5" else
                ["--jwt-secret-file", f"{self.dir}/keys/signer.secret"])
        program = check_pushd(os.environ.get("PUSHD", facts["pushd"]))
        # The machine's own configuration file is none of the lab's.
        self.daemon(number).start(
            [program, "--config", "/dev/null", "--listen", f"127.0.0.1:{facts['http'][number]}",
             "--admin-listen", f"127.0.0.1:{facts['admin'][number]}", "--instance", f"lab-{number}",
             "--conninfo", self.conninfo("pushd"), *keys, *facts["options"]], dict(os.environ))

    def _wait_answer(self, number, path):
        """Wait until the instance answers path with 200; say why if it ends or does not."""
        daemon, last = self.daemon(number), [0, ""]

        def settled():
            last[:] = answer(self.facts["admin"][number], path)
            return last[0] == 200 or not daemon.pid()
        holds_within(settled, READY_SECONDS)
        if last[0] != 200:
            state = (f"{path} says {last[0] or 'nothing'}: {last[1]}" if daemon.pid() else
                     f"it ended with status {daemon.exit_status()}")
            raise LabError(f"pushd {number} is not ready: {state}; the end of "
                           f"{daemon.base}.log:\n{daemon.tail()}")

    def start_pushd(self, number):
        """Start an instance and wait: until ready, or only alive while the database is down."""
        if not self.daemon(number).pid():
            self._launch(number)
        self._wait_answer(number, "/readyz" if self.cluster.pid() else "/livez")
        self.write_env()

    def stop_pushd(self, number):
        """The orderly end, as an operator does it. An exit status other than 0 is an error."""
        daemon = self.daemon(number)
        was_running = daemon.pid()
        if not daemon.end([signal.SIGTERM], STOP_SECONDS):
            raise LabError(f"pushd {number} did not end within {STOP_SECONDS} s of SIGTERM: "
                           f"see {daemon.base}.log")
        self.write_env()
        if was_running and daemon.exit_status() != 0:
            raise LabError(f"pushd {number} ended with status {daemon.exit_status()}; the end of "
                           f"{daemon.base}.log:\n"
                           f"{daemon.tail()}")

    def kill_pushd(self, number):
        """SIGKILL: no goodbye to clients or database."""
        self.daemon(number).kill()
        self.write_env()

    # --- the rest --------------------------------------------------------------------------------

    def token(self, ident, ttl, forged):
        """A token for a member of the cast, or of the tables by now."""
        with open(f"{self.dir}/cast.json", encoding="utf-8") as file:
            cast = {member["id"]: member for member in json.load(file)}
        if ident not in cast:
            cast = {member["id"]: member for member in json.loads(self._ask_cast())}
        if ident not in cast:
            raise LabError(f"expected the id of a principal ({', '.join(map(str, sorted(cast)))}), "
                           f"found {ident}")
        return tokens.token(self.facts["hq"], f"{self.dir}/keys", cast[ident], ttl, forged)

    def logs(self):
        """Paths of all logs, in the order of interest."""
        logs = [f"{self.daemon(i).base}.log" for i in range(len(self.facts["http"]))]
        logs += [self.cluster.log, f"{self.dir}/postgres.log"]
        return [log for log in logs if os.path.exists(log)]

    def down(self):
        """End everything, quickly; the logs stay."""
        daemons = [self.daemon(i) for i in range(len(self.facts["http"]))]
        for daemon in daemons:
            daemon.end([signal.SIGTERM], 0)
        for daemon in daemons:
            daemon.end([signal.SIGTERM, signal.SIGKILL], 3)
        self.cluster.remove(f"{self.dir}/pg")
