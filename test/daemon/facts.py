"""Waiting for facts."""
import time

DEADLINE = 30  # seconds; generous, since nothing waits that long unless it fails


def wait_for(fact, what="a fact", deadline=DEADLINE):
    """Call fact() until it is true, and return what it returned."""
    end = time.monotonic() + deadline
    while True:
        found = fact()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline} s for {what}")
        time.sleep(0.01)
