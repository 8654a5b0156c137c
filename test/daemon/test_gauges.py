"""What nodes measure is shown beside pushd's own numbers, as long as they are connected."""
import re

from clients import Python
from lablib.facts import wait_for
from openmetrics import families

NODE, OTHER = 1, 3
GPU = ("gpu_load", "gpu_memory_used", "gpu_memory_free", "gpu_temperature")
MEASURED = {"cpu_percent": 12.5, "memory_percent": 40, "num_algorithm_containers": 2, "os": "Linux",
            "platform": "Linux", "cpu_count": 8, "memory_total": 68719476736,
            "memory_available": 34359738368, "gpu_count": 2, "gpu_load": [0.25, 0.5],
            "gpu_memory_used": [1000, 2000], "gpu_memory_free": [3000, 4000],
            "gpu_temperature": [50, 61.5]}


def shown(world):
    """{(name, labels without platform): value} of the gauges of clients; all of them have one."""
    found = {}
    for name, (kind, samples) in families(world.http("GET", "/metrics", admin=True)[2]).items():
        if name.startswith("vantage6_pushd_"):
            continue
        assert kind == "gauge", name
        for sample, value in samples.items():
            labels = dict(re.findall(r'(\w+)="([^"]*)"', sample))
            assert labels.pop("platform"), sample
            found[name, tuple(sorted(labels.items()))] = value
    return found


def expected(ident, measured):
    """The same, as a node measured it."""
    node = (("node_id", str(ident)), ("os", measured["os"]))
    one = {(name, node): value for name, value in measured.items() if name not in GPU
           and name not in ("os", "platform")}
    return {**one, **{(name, (("gpu_id", str(gpu)), *node)): value
                      for name in GPU for gpu, value in enumerate(measured.get(name, ()))}}


def nothing_came_of(world, client):
    """What the client sent before has been taken, since what it sends now has (to no effect)."""
    def refused():
        return sum(world.reasons("refused_events").values())
    before = refused()
    client.emit("algorithm_log", {"run_id": 999999, "log": "of no run"})
    wait_for(lambda: refused() > before, "a log of no run to be refused")


def test_gauges_of_a_node_are_shown_until_it_leaves(limited, clients):
    world = limited()
    client, other = clients(Python(world, NODE)), clients(Python(world, OTHER))
    world.joined(client, other)
    assert shown(world) == {}
    client.emit("node_metrics_update", MEASURED)
    wait_for(lambda: shown(world) == expected(NODE, MEASURED), "the gauges of a node")
    assert len({name for name, _ in shown(world)}) == 11
    assert world.metric("gauges") == len(shown(world)) == 15
    without = {key: value for key, value in MEASURED.items() if not key.startswith("gpu_")}
    other.emit("node_metrics_update", without)
    both = {**expected(NODE, MEASURED), **expected(OTHER, without)}
    wait_for(lambda: shown(world) == both, "those of another beside them")
    client.emit("node_metrics_update", {**without, "cpu_percent": 99})
    both = {**expected(NODE, {**without, "cpu_percent": 99}), **expected(OTHER, without)}
    wait_for(lambda: shown(world) == both, "new ones in the place of the earlier ones")
    client.close()
    wait_for(lambda: shown(world) == expected(OTHER, without),
             "those of a node that left to be gone")
    other.close()
    wait_for(lambda: shown(world) == {}, "all to be gone")
    assert world.metric("gauges") == 0


def test_gauges_stay_when_an_earlier_connection_of_the_node_ends(limited, clients):
    world = limited()
    early, late = clients(Python(world, NODE)), clients(Python(world, NODE))
    world.joined(early, late)
    early.emit("node_metrics_update", MEASURED)
    wait_for(lambda: shown(world) == expected(NODE, MEASURED), "the gauges of a node")
    now = {**MEASURED, "cpu_percent": 1.5}
    late.emit("node_metrics_update", now)
    wait_for(lambda: shown(world) == expected(NODE, now), "those of its later connection")
    early.close()
    wait_for(lambda: world.metric("sockets") == 1, "the earlier one to be gone")
    assert shown(world) == expected(NODE, now)


def test_past_max_gauges_they_are_counted_and_said_once(limited, clients):
    world = limited("--max-gauges", "3")
    before = world.log().count("more gauges than max_gauges")
    client = clients(Python(world, NODE))
    world.joined(client)
    for times in (1, 2):
        client.emit("node_metrics_update", MEASURED)
        wait_for(lambda: world.metric("refused_gauges", reason="max_gauges") == 12 * times,
                 f"12 to be refused {times} times")
        assert len(shown(world)) == world.metric("gauges") == 3
    assert world.log().count("more gauges than max_gauges") == before + 1
    client.close()
    wait_for(lambda: shown(world) == {}, "all to be gone")


def test_max_gauges_0_hides_them(limited, clients):
    world = limited("--max-gauges", "0")
    client = clients(Python(world, NODE))
    world.joined(client)
    client.emit("node_metrics_update", MEASURED)
    nothing_came_of(world, client)
    assert shown(world) == {} and world.metric("gauges") == 0
    assert world.metric("refused_gauges", reason="max_gauges") == 0
