"""A crowd as a process of its own (crowd.py), and what /proc says of a daemon."""
import json
import os
import resource
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
SPARE_FILES = 500
# A crowd comes from one address, and few principals.
OPTIONS = ["--max-connections-per-address", "1000000", "--handshake-rate", "0",
           "--max-connections-per-principal", "1000000"]


def room_for(clients):
    """True if this many connections fit into the limit of open files, on both ends."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= clients + SPARE_FILES


class Crowd:
    """Clients at one instance. idents: members of the cast, which the clients are in turn."""

    def __init__(self, world, idents, instance=0, ttl=24 * 3600):
        self.idents = list(idents)
        self.tokens = [world.token(ident, ttl) for ident in self.idents]
        self.process = subprocess.Popen([f"{HERE}/crowd.py", world.url(instance)], text=True,
                                        bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        preexec_fn=self._raise_limit)

    @staticmethod
    def _raise_limit():
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def send(self, **command):
        """Send a command; answer() is to be called for it later."""
        self.process.stdin.write(json.dumps(command) + "\n")

    def answer(self):
        """The answer to the oldest command without one."""
        line = self.process.stdout.readline()
        assert line, f"the crowd has ended with status {self.process.wait()}"
        return json.loads(line)

    def ask(self, **command):
        """Send a command and wait for its answer."""
        self.send(**command)
        return self.answer()

    def open(self, clients):
        """So many clients more; returns when all are connected."""
        return self.ask(open=clients, tokens=self.tokens)

    def facts(self):
        """Its numbers."""
        return self.ask(facts=True)

    def close(self):
        """End it, and with it all its connections."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def rss(pid):
    """Resident memory of a process, in bytes."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def cpu(pid):
    """Seconds of CPU that a process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def files(world):
    """How many files the daemon has open."""
    return len(os.listdir(f"/proc/{world.lab.daemon(0).pid()}/fd"))
