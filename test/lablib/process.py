"""Processes that outlive the command that started them, and ports for them.

A process is known by its pid and its start time, so that a pid used again by another is not
mistaken for it. A zombie counts as ended: a container's first process need not collect it.
"""
import os
import random
import signal
import socket
import subprocess

from .facts import holds_within


class LabError(Exception):
    """One line for the operator: what was expected, what was found, what to do."""


def started(pid):
    """When this process started, in clock ticks since boot; None if it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def children(pid):
    """The pids whose parent is pid."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(name))
        except OSError:
            pass
    return found


def send(pid, sig):
    """Send a signal; that the process has ended meanwhile is no error."""
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass


# Stays as the parent to learn the exit status, which nobody else could, and to collect the process:
# where nobody does, its pid would seem alive to PostgreSQL's lock files.
SUPERVISE = 'base=$1; shift; "$@" & echo $! >"$base.pid"; wait $!; echo $? >"$base.exit"'


class Daemon:
    """A process that keeps BASE.log, BASE.pid and, once it has ended, BASE.exit."""

    def __init__(self, base):
        self.base = base

    def _read(self, suffix):
        try:
            with open(self.base + suffix, encoding="utf-8") as file:
                return file.read().split()
        except OSError:
            return []

    def start(self, argv, env, **who):
        """Start argv in a session of its own; who as subprocess.Popen takes it (user, group)."""
        for suffix in (".pid", ".exit"):
            if os.path.exists(self.base + suffix):
                os.unlink(self.base + suffix)
        with open(self.base + ".log", "ab") as log:
            parent = subprocess.Popen(["/bin/sh", "-c", SUPERVISE, "lab", self.base, *argv],
                                      env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                      cwd="/",
                                      start_new_session=True, **who)
        pid = holds_within(lambda: self._read(".pid"), 10)
        if not pid:
            raise LabError(f"{argv[0]} did not start: see {self.base}.log")
        with open(self.base + ".pid", "a", encoding="ascii") as file:
            file.write(f"{started(int(pid[0])) or 0}\n{parent.pid}\n{started(parent.pid) or 0}\n")

    def _alive(self, which):
        fields = [int(field) for field in self._read(".pid")]
        if len(fields) == 4 and started(fields[which]) == fields[which + 1]:
            return fields[which]
        return None

    def pid(self):
        """Its pid, or None if it is not running."""
        return self._alive(0)

    def _gone(self):
        """True once its parent, who writes BASE.exit, has ended too."""
        return not self._alive(0) and not self._alive(2)

    def exit_status(self):
        """As the shell tells it (128 + signal), or None while it runs or if it never did."""
        fields = self._read(".exit") if holds_within(self._gone, 0 if self.pid() else 5) else []
        return int(fields[0]) if fields else None

    def end(self, signals, seconds):
        """Send the signals one after the other until it has ended, each with these seconds."""
        pid = self.pid()
        for sig in signals if pid else ():
            send(pid, sig)
            if holds_within(self._gone, seconds):
                break
        return holds_within(self._gone, 0 if self.pid() else 5)

    def kill(self):
        """End it without a chance to say goodbye."""
        return self.end([signal.SIGKILL], 10)

    def tail(self, lines=15):
        """The last lines of its log."""
        try:
            with open(self.base + ".log", encoding="utf-8", errors="replace") as file:
                return "".join(file.readlines()[-lines:]).rstrip()
        except OSError:
            return ""


class Ports:
    """A block of ports from which no other process of these tests takes any, as long as this one
    lives.

    It lies below the range that the system gives to outgoing connections. It is reserved by a
    socket that has a name only: such names belong to a network namespace as ports do, and go with
    the process.
    """

    FIRST, SIZE = 10000, 500

    def __init__(self):
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            limit = int(file.read().split()[0])
        limit = limit if limit >= self.FIRST + 2 * self.SIZE else 32768
        blocks = list(range(self.FIRST, limit - self.SIZE, self.SIZE))
        random.shuffle(blocks)
        self.lock = socket.socket(socket.AF_UNIX)
        self.start = next(filter(self._reserve, blocks), None)
        if self.start is None:
            raise LabError(
                f"expected a free block of {self.SIZE} ports from {self.FIRST} to {limit}, "
                "found none")
        self.next = self.start

    def _reserve(self, first):
        try:
            self.lock.bind(f"\0vantage6-test-ports-{first}")
        except OSError:
            return False
        return True

    def free(self, count, taken):
        """The first of count free ports in a row, which were not given out for the longest time."""
        for _ in range(self.SIZE):
            first, self.next = self.next, self.next + 1
            if first + count > self.start + self.SIZE:
                first, self.next = self.start, self.start + 1
            row = range(first, first + count)
            if set(taken).isdisjoint(row) and all(map(_is_free, row)):
                self.next = first + count
                return first
        raise LabError(f"expected {count} free ports in a row from {self.start} to "
                       f"{self.start + self.SIZE}, found none")


def _is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


PORTS = []


def free_ports(count, taken=()):
    """The first of count free ports in a row, none of them in taken."""
    if not PORTS:
        PORTS.append(Ports())
    return PORTS[0].free(count, taken)
