"""Counting. A suite yields results, one per test; a suite without any has failed."""
import os
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class Skip(Exception):
    """The whole suite cannot run here, and why."""


def environment(**more):
    """The environment for a suite's programs; a make in it is not part of our caller's."""
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    env.update(PYTHONDONTWRITEBYTECODE="1", **more)
    return env


def run(argv, seconds=600, show=False, **more):
    """Run argv in the top directory; returns (exit status, output).

    show passes the output on as it comes.
    """
    process = subprocess.Popen(argv, cwd=TOP, env=environment(**more), stdin=subprocess.DEVNULL,
                               stdout=None if show else subprocess.PIPE,
                               stderr=None if show else subprocess.STDOUT, text=True,
                               errors="replace", start_new_session=True)
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        output, _ = process.communicate()
        output = (output or "") + f"\n{argv[0]}: expected to end within {seconds} s, was killed\n"
    except KeyboardInterrupt:
        os.killpg(process.pid, 9)
        raise
    return process.returncode, output or ""


def say(text):
    """To the screen at once: what follows may come from another process."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Report:
    """The counts of all suites."""

    def __init__(self):
        self.counts = {PASSED: 0, FAILED: 0, SKIPPED: 0}
        self.failures = []

    def add(self, suite, results):
        """Count (name, result, text) triples, which a suite yields as it runs.

        text is shown for what failed and for why it was skipped.
        """
        began = time.monotonic()
        counts = {PASSED: 0, FAILED: 0, SKIPPED: 0}
        try:
            for name, result, text in results:
                counts[result] += 1
                if result != PASSED:
                    say(f"{result}: {suite}: {name}{': ' if text else ''}{text.rstrip()}")
                if result == FAILED:
                    self.failures.append(f"{suite}: {name}")
        except Skip as reason:
            counts[SKIPPED] += 1
            say(f"skipped: {suite}: {reason}")
        if not sum(counts.values()):
            counts[FAILED] += 1
            self.failures.append(f"{suite}: it ran no test")
            say(f"failed: {suite}: expected tests, found none")
        for result, count in counts.items():
            self.counts[result] += count
        say(f"-- {suite}: {self.line(counts)}, {time.monotonic() - began:.0f} s")

    @staticmethod
    def line(counts):
        """The counts in words."""
        skipped = f", {counts[SKIPPED]} skipped" if counts[SKIPPED] else ""
        return f"{counts[PASSED]} passed, {counts[FAILED]} failed{skipped}"

    def finish(self):
        """The last words, and the exit status."""
        if self.failures:
            say("\nfailed:\n  " + "\n  ".join(self.failures))
        os.makedirs(f"{TOP}/build/check", exist_ok=True)
        with open(f"{TOP}/build/check/counts", "w", encoding="ascii") as file:
            file.write(self.line(self.counts) + "\n")
        say(self.line(self.counts))
        return 1 if self.counts[FAILED] or not self.counts[PASSED] else 0
