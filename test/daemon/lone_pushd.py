"""vantage6-pushd by itself: its options, its key file and its admin port. No database is there."""
import json
import os
import re
import signal
import subprocess

from lablib.facts import wait_for
from lablib.lab import TOP
from lablib.process import free_ports
from rawlib.blocking import Http
from rawlib.wire import request

PUSHD = os.environ.get("PUSHD", f"{TOP}/build/asan/vantage6-pushd")
EX_CONFIG = 78

with open(f"{TOP}/test/vectors/auth/token/keysets.json", encoding="utf-8") as vectors:
    KEYSETS = {keyset["name"]: keyset["text"] for keyset in json.load(vectors)["keysets"]}


def free_addresses():
    """Options to listen where nobody does; a pushd of this machine may have the default ports."""
    port = free_ports(2)
    return ["--listen", f"127.0.0.1:{port}", "--admin-listen", f"127.0.0.1:{port + 1}"]


def ask(*options):
    """Start it with options for an end of its own: (status, output)."""
    done = subprocess.run([PUSHD, "--config", "/dev/null", *free_addresses(), *options],
                          capture_output=True, text=True, check=False, timeout=60,
                          stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


class Pushd:
    """The daemon with these options. before: words before its own; environment: over the test's."""

    def __init__(self, folder, *options, before=(), **environment):
        self.log, listen = f"{folder}/pushd.log", free_addresses()
        self.address = "127.0.0.1", int(listen[-1].rpartition(":")[2])  # of the admin port
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith(("KEYCLOAK_", "SSL_CERT"))}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [*before, PUSHD, "--config", "/dev/null", "--max-connections", "100", *listen,
                 "--conninfo", "host=/nonexistent", *options],
                stderr=log, stdin=subprocess.DEVNULL, env={**clean, **environment})
        wait_for(lambda: "listening" in self.logged(), "the daemon to listen")

    def logged(self):
        """What it has logged."""
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def get(self, path, method="GET"):
        """The answer of the admin port."""
        return Http(self, request(method, path)).answer(bodiless=method == "HEAD")

    def raw(self, data):
        """What comes for these bytes until the admin port closes."""
        return Http(self, data).rest().decode()

    def reason(self):
        """What /readyz says of keys; "" if they are there."""
        return "".join(line for line in self.get("/readyz").text.splitlines() if "key" in line)

    def metric(self, name):
        """A number that it keeps of itself."""
        found = re.search(rf"^vantage6_pushd_{re.escape(name)} (\S+)$", self.get("/metrics").text,
                          re.M)
        return float(found.group(1))

    def end(self):
        """An orderly end, with no error that a sanitizer found."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, self.logged()
        assert not re.search("Sanitizer|runtime error", self.logged()), self.logged()
