"""Accepting connections: how many of one address and in all, what makes room, and that each gives
its file back, wherever its client leaves it."""
import os
import resource
import threading
import time

import pytest

from clients import Raw
from crowds import cpu, files
from http_connection import USER, Poll, refused
from lablib.facts import wait_for
from rawlib.blocking import Http, WebSocket
from rawlib.wire import POLLING, TEXT, WEBSOCKET, frame, handshake, request

MOST = 10
BEGUN = b"GET /socket.io/ HTTP/1.1\r\nHo"
BAD = b"GET / HTTP/1.1\r\nA b\r\n\r\n"
OPTIONS = request("OPTIONS", POLLING)
FULL = '{"code":4,"message":"Too many connections"}'
FULL_ADDRESS = '{"code":4,"message":"Too many connections from this address"}'


@pytest.fixture(scope="module")
def edge(make_world):
    """A lab that allows each address few connections."""
    return make_world(options=["--max-connections-per-address", str(MOST)])


@pytest.fixture(scope="module")
def roomy(make_world):
    """A lab that does not."""
    return make_world(options=["--connect-timeout", "3s", "--handshake-rate", "0"])


@pytest.fixture(autouse=True)
def honest(edge, clients):
    """The same process serves before and after each test."""
    pid = edge.lab.daemon(0).pid()
    yield
    assert edge.lab.daemon(0).pid() == pid
    edge.joined(clients(Raw(edge, 12, source="127.0.0.99")))


def is_open(wire):
    """The server has not closed it; nothing was to come."""
    try:
        wire.sock.setblocking(False)
        return wire.sock.recv(1) == b"?"
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        wire.sock.setblocking(True)


def full(wire, body=FULL_ADDRESS):
    """It is refused before it has said anything."""
    answer = wire.reply()
    assert answer.said == (503, body) and wire.rest() == b""
    assert answer.headers["connection"] == "close" and "date" in answer.headers
    assert answer.headers["content-type"] == "application/json"
    return True


# --- of one address ------------------------------------------------------------------------------

def test_idle_connections_make_room_for_others_of_their_address(edge, clients):
    before, poll = refused(edge, "max_connections_per_address"), Poll(edge)
    open_before, wires, text = files(edge), [], request("POST", poll.path, body="6")

    def opened():
        wires.append(clients(Http(edge, text, source="127.0.0.5")))
        assert wires[-1].status() == 200
    for _ in range(330):
        opened()
    wait_for(lambda: files(edge) <= open_before + MOST, "the others to be closed")
    assert [is_open(wire) for wire in wires] == [False] * 320 + [True] * MOST
    assert wires[320].send(text).status() == 200
    opened()
    wait_for(lambda: not is_open(wires[321]), "that which is idle longest to make room")
    assert is_open(wires[320])
    for _ in range(100):
        assert clients(Http(edge, OPTIONS, source="127.0.0.5")).status() == 204
    assert sum(is_open(wire) for wire in wires) == MOST - 1, "who was not served makes room first"
    assert refused(edge, "max_connections_per_address") == before
    poll.post("1")


@pytest.mark.parametrize("begun", [b"", b"G", BEGUN, request("POST", POLLING + "&sid=x",
                                                             "Content-Length: 9")])
def test_connections_that_do_not_wait_for_a_request_make_no_room(edge, clients, begun):
    before = refused(edge, "max_connections_per_address")
    wires = [clients(Http(edge, begun, source="127.0.0.6")) for _ in range(MOST)]
    for wire in wires:
        wire.taken()
    for number in range(3):
        assert full(clients(Http(edge, source="127.0.0.6")))
        assert refused(edge, "max_connections_per_address") == before + number + 1
    assert clients(Http(edge, OPTIONS, source="127.0.0.7")).status() == 204
    wires[0].reset()
    wait_for(lambda: clients(Http(edge, OPTIONS, source="127.0.0.6")).status() == 204, "room again")


def test_a_connection_that_served_before_it_was_begun_again_makes_no_room(edge, clients):
    wires = [clients(Http(edge, OPTIONS, source="127.0.0.6")) for _ in range(MOST)]
    for wire in wires:
        assert wire.status() == 204
        wire.send(BEGUN).taken()
    assert full(clients(Http(edge, source="127.0.0.6")))
    assert wires[0].send("st: x\r\n\r\n").status() == 400, "it is served"


def test_connections_of_sessions_are_none_of_them(edge, clients):
    """Held polls and WebSockets are counted as sessions."""
    sockets = [clients(WebSocket(edge)) for _ in range(MOST - 4)]
    assert all(ws.is_open for ws in sockets)
    polls = [Poll(edge) for _ in range(3)]
    held = [clients(Http(edge, request("GET", poll.path))).taken() for poll in polls]
    begun = [clients(Http(edge, BEGUN)).taken() for _ in range(MOST - 1)]
    assert clients(Http(edge, OPTIONS)).status() == 204, "the last place"
    begun.append(clients(Http(edge, BEGUN)).taken())
    assert full(clients(Http(edge)))
    for wire in begun:
        wire.close()
    wait_for(lambda: clients(Http(edge, OPTIONS)).status() == 204, "room again")
    assert polls[0].post("40/tasks,{}") == (200, "ok")
    assert held[0].reply().text.startswith("40/tasks,")
    for poll in polls:
        poll.post("1")


def test_a_held_poll_that_was_answered_counts_again(edge, clients):
    poll = Poll(edge)
    wire = clients(Http(edge, request("GET", poll.path))).taken()
    begun = [clients(Http(edge, BEGUN)).taken() for _ in range(MOST)]
    for each in begun[1:]:
        each.close()
    assert poll.post("40/tasks,{}") == (200, "ok")
    assert wire.reply().text.startswith("40/tasks,")
    begun = [clients(Http(edge, BEGUN)).taken() for _ in range(MOST - 1)]
    wait_for(lambda: not is_open(wire), "it to make room")
    poll.post("1")


def test_what_proxies_bring_is_counted_by_its_sessions_only(own_lab, clients):
    world = own_lab(options=["--max-connections-per-address", "2",
                             "--trusted-proxies", "127.0.0.1"])
    wires = [clients(Http(world, BEGUN)).taken() for _ in range(20)]
    assert clients(Http(world, OPTIONS)).status() == 204 and Poll(world).works()
    assert all(is_open(wire) for wire in wires)
    for _ in range(2):
        clients(Http(world, BEGUN, source="127.0.0.2")).taken()
    assert full(clients(Http(world, source="127.0.0.2")))


# --- in all --------------------------------------------------------------------------------------

def test_the_limit_of_files_is_a_limit_of_connections(few_files, clients):
    """Those over it are told, and counted; the log has one line."""
    world = few_files()
    pid, client = world.lab.daemon(0).pid(), clients(Raw(world, USER))
    world.joined(client)
    used, lines = cpu(pid), world.log().count("\n")
    wires = [clients(Http(world)) for _ in range(200)]
    last = [wire for wire in wires[-30:] if full(wire, FULL)]
    assert len(last) == 30 and is_open(wires[0])
    world.emit("heard", None, "everyone")
    client.wait("heard")
    count = refused(world, "max_connections")
    assert 50 < count == sum(not is_open(wire) for wire in wires)
    assert world.log().count("\n") - lines == 1, world.log()[-2000:]
    assert cpu(pid) - used < 1
    for wire in wires:
        wire.close()
    world.joined(clients(Raw(world, 12)))


def test_when_the_system_gives_no_more_files_pushd_waits_and_serves_those_it_has(own_lab, clients):
    world = own_lab()
    pid, client = world.lab.daemon(0).pid(), clients(Raw(world, USER))
    world.joined(client)
    kept = clients(Http(world, OPTIONS))
    assert kept.status() == 204
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
    used, size = cpu(pid), len(world.log())
    wires = [clients(Http(world, OPTIONS)) for _ in range(50)]
    for _ in range(20):
        world.settled(client)
        assert kept.send(OPTIONS).status() == 204
    assert cpu(pid) - used < 1 and len(world.log()) - size < 10000
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert all(wire.status() in (204, 503, 0) for wire in wires), "none is left waiting"
    world.joined(clients(Raw(world, 12)))


# --- wherever they break off ---------------------------------------------------------------------

def stages(path):
    """What a client has sent when it goes away, by name."""
    post, upgrade = request("POST", path, body="6" * 9000), handshake(WEBSOCKET)
    ours = handshake(path.replace("polling", "websocket"))
    return {"nothing": b"", "a letter": b"G", "half a head": BEGUN, "almost a head": OPTIONS[:-1],
            "a request": OPTIONS, "two requests": OPTIONS * 2, "many requests": OPTIONS * 300,
            "a session": request("GET", POLLING), "half a body": post[:-5000],
            "no body": post[:-9000], "a POST": post, "a bad head": BAD,
            "a POST elsewhere": request("POST", "/elsewhere", "Content-Length: 9"),
            "a large body": request("POST", path, "Content-Length: 99999999", rest="x" * 99999),
            "a held poll": request("GET", path),
            "a held poll and more": request("GET", path) + OPTIONS * 200,
            "an upgrade": upgrade, "an upgrade and frames": upgrade + frame(TEXT, "40/tasks,{}"),
            "an upgrade and half a frame": upgrade + frame(TEXT, "40/tasks,{}")[:-3],
            "an upgrade of a session": ours, "its probe": ours + frame(TEXT, "2probe"),
            "its end": ours + frame(TEXT, "2probe") + frame(TEXT, "5"),
            "an upgrade that is refused": handshake(WEBSOCKET, upgrade="h2c"),
            "half an upgrade": upgrade[:-2]}


STAGES = list(stages(POLLING))


@pytest.mark.parametrize("end", ["reset", "close", "finish"])
@pytest.mark.parametrize("stage", STAGES, ids=[name.replace(" ", "_") for name in STAGES])
def test_a_client_may_go_away_at_every_stage(roomy, stage, end):
    pid, before, wires = roomy.lab.daemon(0).pid(), files(roomy), []
    for taken in (False, True) * 5:
        wires.append(Http(roomy))
        try:
            wires[-1].send(stages(Poll(roomy).path)[stage])
            if taken:
                wires[-1].taken()
        except OSError:  # it is refused
            pass
        getattr(wires[-1], end)()
    for wire in wires if end == "finish" else ():
        wire.rest()
        wire.close()
    wait_for(lambda: files(roomy) <= before, f"files to be {before} again, now {files(roomy)}")
    assert roomy.metric("receiving_bytes") == 0
    assert roomy.lab.daemon(0).pid() == pid


def test_no_session_is_left_of_those_who_went_away(roomy):
    """Last in this file."""
    wait_for(lambda: roomy.metric("sessions") == 0, "their sessions to end")
    assert roomy.metric("queued_bytes") == 0 and Poll(roomy).works()


# --- what a connection does just then -------------------------------------------------------------

LARGE = request("POST", POLLING, "Content-Length: 5000")


@pytest.mark.parametrize("head", [handshake(WEBSOCKET), LARGE, request("GET", POLLING)],
                         ids=["upgrade", "large_post", "get"])
def test_a_head_that_is_complete_just_when_its_time_is_over(own_lab, clients, head):
    """Its time must not run out while the core looks at it."""
    world = own_lab(options=["--request-timeout", "1s", "--handshake-rate", "0"])
    pid = world.lab.daemon(0).pid()
    for _ in range(3):
        begun, wires = time.monotonic(), []
        for _ in range(300):
            wires.append((time.monotonic(), Http(world, head[:-1])))
        for at, wire in wires:
            wait_for(lambda: time.monotonic() >= at + 0.9995, "its time to be almost over")
            try:
                wire.send(head[-1:])
            except OSError:
                pass  # it was over
        for _, wire in wires:
            wire.close()
    assert world.lab.daemon(0).pid() == pid
    world.joined(clients(Raw(world, 12)))


def test_many_requests_in_one_piece_are_answered_in_their_order(edge):
    kinds = [(request("GET", "/elsewhere"), 404), (request("OPTIONS", POLLING), 204),
             (request("GET", "/socket.io/?EIO=4"), 400)]
    wire = Http(edge)
    sender = threading.Thread(target=wire.send, args=(b"".join(text for text, _ in kinds) * 1000,))
    sender.start()
    assert [wire.status() for _ in range(3000)] == [status for _, status in kinds] * 1000
    sender.join()
    wire.close()


def test_an_answered_poll_of_an_address_that_is_full_is_the_last(edge):
    poll = Poll(edge)
    held = Http(edge, request("GET", poll.path)).taken()
    begun = [Http(edge, BEGUN).taken() for _ in range(MOST)]
    full(Http(edge))
    other = Http(edge, request("POST", poll.path, body="40/tasks,{}"), source="127.0.0.2")
    assert other.status() == 200
    answer = held.reply()
    assert answer.status == 200 and b"Connection: close\r\n" in answer.head
    assert held.rest() == b""
    for wire in [held, other, *begun]:
        wire.close()
