"""Waiting for facts, so that no test waits by the clock."""
import os
import time

# Seconds; generous, since nothing waits that long unless it fails.
DEADLINE = float(os.environ.get("CONFORMANCE_PATIENCE", "30"))


def holds_within(fact, seconds, interval=0.02):
    """The first true value of fact(), or its last value once the seconds are over."""
    end = time.monotonic() + seconds
    while True:
        value = fact()
        if value or time.monotonic() > end:
            return value
        time.sleep(interval)


def wait_for(fact, what="a fact", deadline=DEADLINE):
    """Call fact() until it is true, and return what it returned."""
    found = holds_within(fact, deadline, 0.005)
    if not found:
        raise AssertionError(f"waited {deadline} s for {what}")
    return found
