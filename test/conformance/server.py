"""The server under test: a process that speaks the protocol and does little else.

It is build/asan/fixture, made of the daemon's own core and network edge without a database
(fixture.c), or what CONFORMANCE_SERVER says: a command that takes the same arguments, such as "node
/somewhere/server.js".
"""
import os
import shlex
import signal
import subprocess
import tempfile

from lablib.process import free_ports

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OTHER = os.environ.get("CONFORMANCE_SERVER")
COMMAND = shlex.split(OTHER) if OTHER else [os.environ.get("FIXTURE", f"{TOP}/build/asan/fixture")]

# Most tests are not about time: nothing ends by itself while they run, and nobody is slowed down.
CALM = {"ping_interval": "25s", "ping_timeout": "20s", "connect_timeout": "45s",
        "upgrade_timeout": "10s", "event_rate": 0, "byte_rate": 0}
# What the public suites presume.
QUICK = {"ping_interval": "300ms", "ping_timeout": "200ms", "connect_timeout": "1s"}


class Server:
    """One process. mode is engine (an echo of messages) or socket (namespaces / and /custom)."""

    def __init__(self, mode, **options):
        self.mode, self.address = mode, ("127.0.0.1", free_ports(1))
        self.path = f"/{mode}.io/"
        self.stderr = tempfile.TemporaryFile()
        arguments = [word for name, value in options.items()
                     for word in ("--" + name.replace("_", "-"), str(value))]
        listen = ":".join(map(str, self.address))
        self.process = subprocess.Popen([*COMMAND, mode, "--listen", listen, *arguments],
                                        stdout=subprocess.PIPE, stderr=self.stderr, text=True)
        said = self.process.stdout.readline()
        assert said.startswith("listening"), (
            f"{COMMAND} {mode}: expected 'listening', found {said!r}\n{self.errors()}")

    def target(self, transport="polling", **parameters):
        """The path and query of a request; a parameter None is left out."""
        parameters = {"EIO": "4", "transport": transport, **parameters}
        return self.path + "?" + "&".join(f"{name}={value}" for name, value in parameters.items()
                                          if value is not None)

    def errors(self):
        """What it has written to stderr."""
        self.stderr.seek(0)
        return self.stderr.read().decode(errors="replace")[-5000:]

    def runs(self):
        """Has it not ended?"""
        return self.process.poll() is None

    def end(self):
        """Ask it to end; an end by a signal, with an error of a sanitizer or with a leak is a
        failure."""
        if self.runs():
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = f"{self.process.wait()} after being killed: it did not end at SIGTERM"
        errors = self.errors()
        self.process.stdout.close()
        self.stderr.close()
        assert status == 0, (
            f"{COMMAND} {self.mode}: expected to end with 0, found {status}\n{errors}")
