"""What must not happen to honest clients is noticed, and what an attack costs is measured."""
import pytest

import siege as besieged
from clients import Raw
from siege import LONE_NODE, USER

BIG = """SELECT vantage6_events.emit('big', to_json(x.text), 'node_7') FROM (
    SELECT string_agg(md5(random()::text), '') AS text
    FROM generate_series(1, 40000) AS i GROUP BY i % 400) x"""


@pytest.fixture
def siege(make_siege, monkeypatch):
    """With few honest clients, and without patience."""
    monkeypatch.setattr(besieged, "LATE", 1)
    monkeypatch.setattr(besieged, "GONE", 3)
    return make_siege(honest=10)


def test_a_client_that_misses_or_repeats_an_event_or_is_closed_is_noticed(siege):
    one = siege.honest.clients[3]
    with siege.attack():
        siege.world.emit("news", 1, "everyone")
        one.wait("news")
        assert siege.well() >= 10
        one.events.remove(["news", 1])
        with pytest.raises(AssertionError, match="1 missing"):
            siege.well()
        one.events += [["news", 1], ["news", 1]]
        with pytest.raises(AssertionError, match="1 too many"):
            siege.well()
        one.events.remove(["news", 1])
        one.disconnects_in["/tasks"] += 1
        with pytest.raises(AssertionError, match="1 connects, 1 ends"):
            siege.well()
        one.disconnects_in["/tasks"] -= 1


def test_a_client_that_stays_is_noticed(siege, clients):
    with pytest.raises(AssertionError, match="found {.*'sessions': 11"), siege.attack():
        clients(Raw(siege.world, USER))


def test_what_it_costs_is_measured(siege):
    with siege.attack() as cost:
        siege.world.sql(BIG)
        siege.world.sql("INSERT INTO nodeconfig (node_id, key, value) "
                        "SELECT %s, 'a', 'b' FROM generate_series(1, 50)", LONE_NODE)
    assert cost.log > 1200000 and cost.wal > 1200000 and cost.database > 1200000
    assert cost.sequences["nodeconfig_id_seq"] == 50
