"""What a client may send: how fast, how large, how deep.

Over a rate it is read from later: nothing is dropped and nobody is closed; over a size it is closed
or refused. Each is counted under its reason, and others notice nothing.
"""
import json
import os
import re
import socket
import struct
import time

import pytest
import websocket

from clients import Raw
from lablib.facts import wait_for
from rawlib.wire import POLLING

USER, OTHER, N3 = 15, 11, 3


def closed(world, reason):
    """How many sessions ended for it."""
    return world.metric("closed_sessions", reason=reason)


def paused(world, reason):
    """How often a client was not read from for it."""
    return world.metric("paused_clients", reason=reason)


class Taken:
    """What pushd has taken of the events of clients since it was made, and that it never was too
    much for one of them."""

    def __init__(self, world, rate):
        self.world, self.rate = world, rate
        self.began, self.before = time.monotonic(), world.metric("received_events")

    def events(self):
        """How many so far; a rate allows those of a second at once, and one more that makes the
        debt. Others send one."""
        taken = self.world.metric("received_events") - self.before
        allowed = self.rate * (1 + time.monotonic() - self.began) + 2
        assert taken <= allowed, (
            f"{taken} events in {time.monotonic() - self.began} s at {self.rate} a second")
        return taken


def acked(client, first, last):
    """The acknowledgements of these ids, in order."""
    found = [packet for packet in list(client.packets) if packet.startswith("43/tasks,")]
    assert found == [f"43/tasks,{i}[]" for i in range(first, first + len(found))]
    return len(found) == last - first + 1


# --- rates ---------------------------------------------------------------------------------------

def test_events_over_the_rate_are_taken_later(limited, clients):
    world = limited("--event-rate", "50")
    fast, other = clients(Raw(world, USER)), clients(Raw(world, OTHER))
    world.joined(fast, other)
    taken = Taken(world, 50)
    for i in range(1, 201):  # many of them in one segment
        fast.send(f'42/tasks,{i}["ping"]')
    wait_for(lambda: taken.events() > 20, "the first of them")
    other.send('42/tasks,1["ping"]')
    wait_for(lambda: "43/tasks,1[]" in other.packets, "the other to be answered")
    assert not acked(fast, 1, 200), "it does not wait for the fast one"
    world.settled(other, fast)  # who is not read from is written to
    wait_for(lambda: taken.events() >= 0 and acked(fast, 1, 200), "all to be taken")
    assert time.monotonic() - taken.began > 2.5
    assert taken.events() == 201 and not fast.closed
    assert paused(world, "event_rate") >= 1 and paused(world, "byte_rate") == 0
    fast.packets.clear()
    time.sleep(1.1)  # time alone fills the allowance: after a second it may send as many at once
    for i in range(1, 41):
        fast.send(f'42/tasks,{i}["ping"]')
    wait_for(lambda: acked(fast, 1, 40), "a second's events")
    before = paused(world, "event_rate")
    fast.round_trip()
    assert paused(world, "event_rate") == before


def test_bytes_over_the_rate_are_taken_later_and_a_message_is_whole(limited, clients):
    world = limited("--byte-rate", "100kB")
    client, other = clients(Raw(world, N3)), clients(Raw(world, OTHER))
    world.joined(client, other)
    began, before = time.monotonic(), world.metric("received_events")
    large = "x" * 300_000
    client.send(f'42/tasks,1["error","{large}"]')
    # Whole, though three seconds' worth.
    wait_for(lambda: "43/tasks,1[]" in client.packets, "the large one")
    for i in range(2, 5):
        client.send(f'42/tasks,{i}["error","{large[:50_000]}"]')
    other.round_trip()

    def all_in_time():
        sent = 300_000 + 50_000 * (world.metric("received_events") - before - 2)
        assert sent <= 100_000 * (1 + time.monotonic() - began) + 300_000
        return acked(client, 1, 4)
    wait_for(all_in_time, "all to be taken")
    assert time.monotonic() - began > 2.5 and not client.closed
    assert paused(world, "byte_rate") >= 1 and paused(world, "event_rate") == 0


def test_a_post_over_the_rate_is_answered_later_and_the_get_goes_on(limited, connect):
    world = limited("--event-rate", "10")
    post = connect(world, token=world.token(USER))
    assert post.poll().status == 200
    assert post.post("40/tasks,{}").text == "ok"
    get = connect(world)
    get.sid = post.sid
    assert get.get().text.startswith('40/tasks,{"sid"')
    began = time.monotonic()
    body = "\x1e".join(f'42/tasks,{i}["ping"]' for i in range(50))
    post.ask_post(body)
    got = ""
    while got.count("43/tasks,") < 50:
        got += get.get().text
    assert post.silent(), "the answers to its events do not wait"
    assert post.answer().said == (200, "ok")
    assert time.monotonic() - began > 3.8
    assert paused(world, "event_rate") == 1
    assert post.post("41/tasks,").said == (200, "ok") and post.post("1").said == (200, "ok")


def test_no_rate_is_none(limited, clients):
    world = limited("--event-rate", "0", "--byte-rate", "0")
    client = clients(Raw(world, USER))
    world.joined(client)
    for i in range(1, 5001):
        client.send(f'42/tasks,{i}["ping","{"x" * 1000}"]')
    wait_for(lambda: acked(client, 1, 5000), "all")
    assert paused(world, "event_rate") == paused(world, "byte_rate") == 0


# --- living without being read from --------------------------------------------------------------

@pytest.fixture
def stuck(limited):
    """A lab whose clients are not read from for long, since the database is down: they are pinged
    each 300 ms."""
    world = limited("--inbox-bytes", "1000", "--ping-interval", "300ms", "--ping-timeout", "600ms")
    yield world
    if not world.lab.cluster.pid():
        world.lab.cluster.start()
        world.forget_connection()


def fill(world, client):
    """Send events until pushd does not read any more."""
    before = paused(world, "inbox_bytes")
    for _ in range(30):
        client.send('42/tasks,["ping","' + "x" * 100 + '"]')
    wait_for(lambda: paused(world, "inbox_bytes") > before, "the client not to be read from")


def test_a_client_that_is_not_read_from_lives_on(stuck, clients):
    client, other = clients(Raw(stuck, N3)), clients(Raw(stuck, OTHER))
    stuck.joined(client, other)
    stuck.lab.cluster.stop()
    fill(stuck, client)
    client.packets.clear()
    wait_for(lambda: client.packets.count("2") > 10, "ten pings, far beyond the timeout")
    assert not client.closed and not other.closed
    stuck.lab.cluster.start()
    stuck.forget_connection()
    wait_for(stuck.ready, "pushd to be ready")
    stuck.joined(client, other)
    client.round_trip()
    assert closed(stuck, "ping_timeout") == 0 and stuck.metric("sessions") == 2


@pytest.mark.parametrize("end", ["reset", "fin"])
def test_a_client_that_has_gone_is_noticed_without_reading(stuck, clients, end):
    client, other = clients(Raw(stuck, N3)), clients(Raw(stuck, OTHER))
    stuck.joined(client, other)
    stuck.lab.cluster.stop()
    fill(stuck, client)
    sock = client.ws.sock
    if end == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(sock.detach())
    wait_for(lambda: stuck.metric("sessions") == 1, "the session to end")
    assert closed(stuck, "client") == 1 and not other.closed


def test_a_client_that_is_read_from_again_and_silent_ends(stuck, clients, connect):
    """It has its time once more, and not for ever."""
    silent, other = connect(stuck, token=stuck.token(N3)), clients(Raw(stuck, OTHER))
    assert silent.websocket().status == 101
    silent.say("40/tasks,{}")
    stuck.joined(other)
    wait_for(lambda: stuck.metric("sockets_joined") == 2, "both to be joined")
    stuck.lab.cluster.stop()
    before = paused(stuck, "inbox_bytes")
    for _ in range(30):
        silent.say('42/tasks,["ping","' + "x" * 100 + '"]')
    wait_for(lambda: paused(stuck, "inbox_bytes") > before, "the client not to be read from")
    stuck.lab.cluster.start()
    stuck.forget_connection()
    wait_for(lambda: closed(stuck, "ping_timeout") == 1, "it to be closed")
    other.round_trip()


def copy_of_fd(pid, fd):
    """A descriptor of another process (pidfd_getfd); None where that is not allowed."""
    import ctypes  # pylint: disable=import-outside-toplevel
    found = ctypes.CDLL(None, use_errno=True).syscall(438, os.pidfd_open(pid), fd, 0)
    return found if found >= 0 else None


def test_a_vanished_client_is_given_up_in_the_time_of_a_silent_one(stuck, clients):
    """A host that has lost its network sends no RST: the system is told how long to try."""
    client = clients(Raw(stuck, OTHER))
    pid, port = stuck.lab.daemon(0).pid(), client.ws.sock.getsockname()[1]
    for fd in os.listdir(f"/proc/{pid}/fd"):
        if not os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:"):
            continue
        copy = copy_of_fd(pid, int(fd))
        if copy is None:
            pytest.skip("expected pidfd_getfd(2) to be allowed")
        with socket.socket(fileno=copy) as sock:
            try:
                mine = sock.getpeername()[1:2] == (port,)
            except OSError:
                mine = False
            if mine:
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 900
                return
    raise AssertionError("no descriptor of this connection")


# --- sizes ---------------------------------------------------------------------------------------

def event(size):
    """An event whose message has so many bytes."""
    head, tail = '42/tasks,7["ping","', '"]'
    return head + "x" * (size - len(head) - len(tail)) + tail


def test_the_size_of_a_message(limited, clients, connect):
    world = limited("--max-payload", "10kB")
    client, other = clients(Raw(world, USER)), clients(Raw(world, OTHER))
    world.joined(client, other)
    client.send(event(10_000))
    wait_for(lambda: "43/tasks,7[]" in client.packets, "the largest one to be acknowledged")
    client.send(event(10_001))
    client.wait_closed()
    assert client.close_code == 1009 and closed(world, "max_payload") == 1
    polling = connect(world, token=world.token(USER))
    assert polling.poll().status == 200 and polling.post("40/tasks,{}").status == 200
    assert polling.post(event(10_000)).status == 200
    large = connect(world)
    large.sid = polling.sid
    assert large.post(event(10_001)).status == 413
    assert world.metric("refused_requests", reason="max_payload") == 1
    assert closed(world, "max_payload") == 1
    got = ""
    while "43/tasks,7[]" not in got:  # the session goes on
        got += polling.get().text
    world.settled(other)


def test_the_nesting_of_json(limited, clients):
    world = limited("--max-depth", "5")
    other = clients(Raw(world, OTHER))
    for deep, good in ((5, True), (6, False)):
        client = clients(Raw(world, USER))
        client.send('42/tasks,7["ping",' + "[" * (deep - 1) + "]" * (deep - 1) + "]")
        wait_for(lambda: client.closed or "43/tasks,7[]" in client.packets, "an answer")
        assert client.closed != good and closed(world, "max_depth") == (not good)
    other.round_trip()


def test_the_number_of_attachments(limited, clients):
    world = limited("--max-attachments", "2")
    other = clients(Raw(world, OTHER))
    for n, good in ((2, True), (3, False)):
        client = clients(Raw(world, USER))
        places = ",".join(json.dumps({"_placeholder": True, "num": i}) for i in range(n))
        client.send(f'45{n}-/tasks,7["ping",{places}]')
        try:
            for i in range(n):
                client.ws.send_binary(b"x")
        except (OSError, websocket.WebSocketException):
            pass
        wait_for(lambda: client.closed
                 or any(re.match(r"43/tasks,7\[", p) for p in client.packets), "an answer")
        assert client.closed != good and closed(world, "max_attachments") == (not good)
    other.round_trip()


def test_the_queue_of_a_client(limited, clients, connect):
    """One that takes nothing of what is sent to it is closed; those who read receive all."""
    world = limited("--queue-bytes", "100kB", "--ping-timeout", "1h")
    slow = connect(world, token=world.token(USER))
    slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    assert slow.websocket().status == 101
    slow.say("40/tasks,{}")
    other = clients(Raw(world, OTHER))
    world.joined(other)
    wait_for(lambda: world.metric("sockets_joined") == 2, "both to be joined")
    sent = 0
    while closed(world, "queue_bytes") == 0:
        world.emit("much", "x" * 50_000, "everyone")
        sent += 1
        other.wait("much", times=sent)
        assert sent < 1000
    assert world.metric("sessions") == 1 and not other.closed


# --- ends ------------------------------------------------------------

def test_each_end_is_counted_under_one_reason(limited, clients, connect):
    world = limited()
    ends = {"client": lambda client: client.close(), "malformed": lambda client: client.send("x")}
    for reason, end in ends.items():
        client = clients(Raw(world, USER))
        before = world.reasons("closed_sessions")
        end(client)
        wait_for(lambda: closed(world, reason) == before[reason] + 1, "the session to end")
        after = world.reasons("closed_sessions")
        assert {name: after[name] - n for name, n in before.items()
                if after[name] != n} == {reason: 1}
    polling = connect(world)
    assert polling.poll().status == 200
    first, second = connect(world), connect(world)
    first.sid = second.sid = polling.sid
    first.ask("GET", f"{POLLING}&sid={polling.sid}")
    wait_for(lambda: second.get().status == 400, "two at once")
    assert closed(world, "overlap") == 1
