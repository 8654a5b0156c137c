"""The honest clients notice what must not happen to them."""
import pytest


def test_one_that_is_closed_or_misses_an_event_is_noticed(own_lab, honest):
    others = honest(own_lab())
    others.receive(3)
    others.well()
    others.clients[7].events.insert(0, ["honest", 2])
    with pytest.raises(AssertionError, match=r"received \[2, 1, 2, 3"):
        others.well()
    others.clients[7].events.remove(["honest", 2])
    others.clients[3].closed = True
    with pytest.raises(AssertionError, match="was closed"):
        others.well()
