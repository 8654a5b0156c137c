"""5,000 clients that do nothing cost little memory and no CPU to speak of; one event reaches each
of them once.

The program that is installed is measured, not the one with sanitizers.
"""
import time

import pytest

from crowds import OPTIONS, Crowd, cpu, room_for, rss
from lablib.facts import wait_for
from lablib.lab import TOP

CLIENTS = 5000
PING_SECONDS = 5
# Users of every scope and of none, and a node: whatever a client's rooms cost is in it.
IDENTS = [3, 11, 12, 13, 14, 15, 16, 17]


@pytest.fixture
def crowd(own_lab, monkeypatch):
    """5,000 clients at a daemon; (world, crowd, growth of its memory)."""
    if not room_for(CLIENTS):
        pytest.skip("expected a hard limit of open files "
                    f"(ulimit -Hn) for {CLIENTS} connections, found less")
    monkeypatch.setenv("PUSHD", f"{TOP}/build/release/vantage6-pushd")
    world = own_lab(options=[*OPTIONS, "--ping-interval", f"{PING_SECONDS}s"])
    people = Crowd(world, IDENTS)
    before = rss(world.lab.daemon(0).pid())
    people.open(CLIENTS)
    wait_for(lambda: world.metric("sockets_joined") == CLIENTS, "everyone to join", 60)
    # A round of pings: what buffers idle clients need, they have by then.
    wait_for(lambda: people.facts()["pings"] >= CLIENTS, "a ping to everyone", 60)
    yield world, people, rss(world.lab.daemon(0).pid()) - before
    people.close()


def test_5000_idle_clients_are_cheap_and_each_hears_an_event_once(crowd):
    world, people, growth = crowd
    pid = world.lab.daemon(0).pid()

    pings, used, began = people.facts()["pings"], cpu(pid), time.monotonic()
    wait_for(lambda: people.facts()["pings"] >= pings + CLIENTS, "another ping to everyone", 60)
    used, took = cpu(pid) - used, time.monotonic() - began

    deliveries = world.metric("deliveries")
    began = time.monotonic()
    world.emit("news", {"number": 1}, "everyone")
    facts = people.ask(settle="news")
    spent = time.monotonic() - began
    print(f"{growth / CLIENTS:.0f} bytes a client, {used / took:.3f} CPU idle with "
          f"pings every {PING_SECONDS} s, "
          f"one event to {CLIENTS} in {spent * 1000:.0f} ms")

    assert facts["open"] == CLIENTS and facts["ends"] == 0
    assert world.metric("deliveries") - deliveries == CLIENTS
    report = people.ask(report=True)
    news = report["texts"].index('42/tasks,["news",{"number":1}]')
    times = {stream.count(news): 0 for *_, stream in report["streams"]}
    for _, _, count, _, stream in report["streams"]:
        times[stream.count(news)] += count
    assert times == {1: CLIENTS}
    assert growth <= 4096 * CLIENTS, f"{growth / CLIENTS:.0f} bytes a client"
    # Five times the pings of the default, in which a core is nearly idle.
    assert used / took < 0.2, f"{used:.2f} s of CPU in {took:.1f} s"
