"""Who may begin a session: at each limit all is well, over it the answer is the documented one and
is counted under its reason, others are not harmed, and what ends makes room. Whose address it is
behind a proxy."""
import pytest

from clients import Python, Raw
from lablib.facts import wait_for
from rawlib.wire import POLLING, WEBSOCKET

USER, OTHER = 15, 11
FULL = '{"code":4,"message":"Too many connections"}'
FULL_ADDRESS = '{"code":4,"message":"Too many connections from this address"}'
FULL_POLLING = '{"code":4,"message":"Too many polling connections"}'
FAST = '{"code":4,"message":"Too many new connections from this address"}'


def refused(answer, status, body):
    """It is this refusal, in full."""
    assert answer.said == (status, body)
    assert answer.headers["content-type"] == "application/json"
    return True


def refusals(world, reason):
    """How many requests were refused for it."""
    return world.metric("refused_requests", reason=reason)


def test_connections_in_all(limited, clients, connect):
    world = limited("--max-connections", "4")
    client = clients(Raw(world, USER))
    world.joined(client)
    assert (connect(world, source="127.0.0.2").poll().status
            == connect(world, source="127.0.0.3").poll().status == 200)
    last = connect(world, source="127.0.0.4")
    assert last.websocket().status == 101
    for source in ("127.0.0.5", "127.0.0.1"):
        assert refused(connect(world, source=source).poll(), 503, FULL)
        assert refused(connect(world, source=source).websocket(), 503, FULL)
    assert refusals(world, "max_connections") == 4 and world.metric("sessions") == 4
    world.settled(client)
    last.close()
    wait_for(lambda: connect(world, source="127.0.0.5").poll().status == 200, "room for another")
    assert refused(connect(world).poll(), 503, FULL)


def test_connections_of_one_address(limited, clients, connect):
    world = limited("--max-connections-per-address", "2")
    client = clients(Raw(world, USER, source="127.0.0.9"))
    world.joined(client)
    first, second = connect(world), connect(world)
    assert (first.poll().status, second.websocket().status) == (200, 101)
    assert refused(connect(world).poll(), 503, FULL_ADDRESS)
    assert refused(connect(world).websocket(), 503, FULL_ADDRESS)
    assert (refusals(world, "max_connections_per_address") == 2
            and refusals(world, "max_connections") == 0)
    assert connect(world, source="127.0.0.2").poll().status == 200
    world.settled(client)
    assert first.post("1").text == "ok"
    wait_for(lambda: connect(world).poll().status == 200, "room for another")
    assert refused(connect(world).poll(), 503, FULL_ADDRESS)


def test_polling_sessions(limited, clients, connect):
    world = limited("--max-polling", "2")
    client = clients(Raw(world, USER))  # WebSockets are not counted
    world.joined(client)
    first, second = connect(world), connect(world)
    assert first.poll().status == second.poll().status == 200
    assert refused(connect(world).poll(), 503, FULL_POLLING)
    assert refusals(world, "max_polling") == 1
    assert connect(world).websocket().status == 101
    upgrade = connect(world)
    assert upgrade.websocket(first.sid).status == 101
    assert refused(connect(world).poll(), 503, FULL_POLLING)  # not yet
    upgrade.say("2probe")
    upgrade.say("5")
    third = connect(world)
    wait_for(lambda: third.poll().status == 200, "room for another")
    assert refused(connect(world).poll(), 503, FULL_POLLING)
    assert second.post("1").text == "ok"
    # A client that upgrades takes a place for a moment only.
    for _ in range(3):
        world.joined(clients(Python(world, USER)))
    world.settled(client)


def test_new_connections_a_second(limited, clients, connect):
    world = limited("--handshake-rate", "5")
    client = clients(Raw(world, USER, source="127.0.0.9"))
    world.joined(client)

    def burst(source):
        """Handshakes as fast as they can be made: how each was answered."""
        return [connection.poll() if i % 2 else connection.websocket() for i, connection in
                enumerate([connect(world, source=source) for _ in range(40)])]
    answers = burst("127.0.0.2")
    good = [answer for answer in answers if answer.status in (101, 200)]
    bad = [answer for answer in answers if answer not in good]
    assert len(good) >= 5 and all(answer in good for answer in answers[:5]) and bad
    for answer in bad:
        assert refused(answer, 429, FAST) and answer.headers["retry-after"] == "1"
    assert refusals(world, "handshake_rate") == len(bad)
    assert connect(world, source="127.0.0.3").poll().status == 200
    world.settled(client)
    connection = connect(world, source="127.0.0.2")
    wait_for(lambda: connection.poll().status == 200, "another second")


def test_no_rate_is_none(limited, connect):
    world = limited("--handshake-rate", "0")
    assert all(connect(world).poll().status == 200 for _ in range(100))


# --- time without a token ------------------------------------------------------------------------

def test_the_time_without_a_good_token_is_limited(limited, clients, connect):
    world = limited("--refused-grace", "500ms", "--connect-timeout", "700ms")
    client = clients(Raw(world, USER))
    world.joined(client)
    without = clients(Raw(world))
    idle = clients(Raw(world, OTHER, connect=False))
    polling = connect(world, token=world.token(OTHER))
    assert polling.poll().status == 200
    without.wait_closed()
    idle.wait_closed()
    wait_for(lambda: world.metric("closed_sessions", reason="connect_timeout") == 2,
             "both to be closed")
    assert world.metric("closed_sessions", reason="token") == 1
    assert polling.get().said == (400, '{"code":1,"message":"Session ID unknown"}')
    world.settled(client)
    assert world.metric("sessions") == 1


# --- proxies -------------------------------------------------------------------------------------

def addresses(world, ident):
    """Which addresses the database has of this client."""
    return [address for address, in world.sql(
        "SELECT address FROM vantage6_events.connections WHERE principal_id = %s", ident,
        user="postgres")]


HEADERS = {
    "203.0.113.9": "203.0.113.9",
    "198.51.100.7, 203.0.113.9": "203.0.113.9",
    "198.51.100.7, 203.0.113.9, 10.1.2.3": "203.0.113.9",
    ("198.51.100.7", "203.0.113.9", "10.1.2.3"): "203.0.113.9",
    "2001:DB8:0::9": "2001:db8::9",
    "[2001:db8::9]:4711, 10.0.0.7:80": "2001:db8::9",
    "::ffff:203.0.113.9": "203.0.113.9",
    "203.0.113.9, unknown": "127.0.0.1",
    "203.0.113.9, unknown, 10.0.0.1": "10.0.0.1",
    "": "127.0.0.1",
    ", ".join(["203.0.113.9"] + ["10.0.0.1"] * 100): "10.0.0.1",
    "x" * 12000: "127.0.0.1",
    "1" * 12000 + ", 203.0.113.9": "203.0.113.9",
}


def test_the_address_is_that_behind_the_proxy(limited, clients):
    world = limited("--trusted-proxies", "127.0.0.1 10.0.0.0/8")
    for said, expected in HEADERS.items():
        lines = [f"X-Forwarded-For: {line}" for line in ([said] if isinstance(said, str) else said)]
        client = clients(Raw(world, USER, headers=lines))
        world.joined(client)
        assert addresses(world, USER) == [expected], said[:50]
        client.close()
        wait_for(lambda: not addresses(world, USER), "the connection to be gone from the database")


def test_who_is_no_trusted_proxy_cannot_lie_about_its_address(limited, clients, connect):
    world = limited("--max-connections-per-address", "2", "--trusted-proxies", "127.0.0.1")
    client = clients(Raw(world, USER, headers=["X-Forwarded-For: 203.0.113.9"], source="127.0.0.2"))
    world.joined(client)
    assert addresses(world, USER) == ["127.0.0.2"]
    assert connect(world, by="203.0.113.1", source="127.0.0.2").poll().status == 200
    assert refused(connect(world, by="203.0.113.2", source="127.0.0.2").poll(), 503, FULL_ADDRESS)
    assert refused(connect(world, by="203.0.113.3", source="127.0.0.2").websocket(), 503,
                   FULL_ADDRESS)
    # Through the proxy each has its own; what a client writes itself stands left of it.
    for by in ("203.0.113.1", "203.0.113.2", "203.0.113.3"):
        assert (connect(world, by=by).poll().status,
                connect(world, by=f"192.0.2.77, {by}").websocket().status) == (200, 101)
        assert refused(connect(world, by=f"192.0.2.78, {by}").poll(), 503, FULL_ADDRESS)
    # A net of IPv6 is one address.
    assert (connect(world, by="2001:db8:0:1::1").poll().status
            == connect(world, by="2001:db8:0:1:ffff::").poll().status == 200)
    assert refused(connect(world, by="2001:db8:0:1:8000::9").poll(), 503, FULL_ADDRESS)
    assert connect(world, by="2001:db8:0:2::1").poll().status == 200


def test_without_trusted_proxies_the_header_means_nothing(limited, connect):
    world = limited("--max-connections-per-address", "2")
    assert [connect(world, by=f"203.0.113.{i}").poll().status for i in range(3)] == [200, 200, 503]


def test_an_address_behind_the_proxy_is_told_of_its_bad_token_for_itself(limited, clients):
    world = limited("--trusted-proxies", "127.0.0.1")
    heard = {}
    for by in ("203.0.113.1", "203.0.113.2", "203.0.113.1"):
        client = clients(Raw(world, token=world.token(3, forged=True),
                             headers=[f"X-Forwarded-For: {by}"]))
        client.round_trip()
        heard.setdefault(by, []).append("invalid_token" in client.names())
    assert heard == {"203.0.113.1": [True, False], "203.0.113.2": [True]}


# --- the cookie ----------------------------------------------------------------------------------

def test_a_cookie_leads_back_here(limited, clients, connect):
    world = limited("--cookie", "io")
    connection = connect(world)
    answer = connection.poll()
    assert answer.status == 200
    assert answer.headers["set-cookie"] == f"io={connection.sid}; Path=/; HttpOnly; SameSite=Lax"
    assert "set-cookie" not in connection.post("40/tasks,{}").headers
    assert "set-cookie" not in connection.get().headers
    assert "set-cookie" not in connection.request("OPTIONS", POLLING).headers
    assert "set-cookie" not in connection.request("GET", f"{POLLING}&sid=x").headers
    assert "set-cookie" not in connect(world).websocket().headers
    world.joined(clients(Python(world, USER, transports=["polling"])),
                 clients(Python(world, OTHER)))


def test_there_is_none_by_default(v5, connect):
    assert "set-cookie" not in connect(v5).poll().headers


# --- reasons -------------------------------------------------------------------------------------

@pytest.mark.parametrize("reason,method,path", [
    ("transport", "GET", "/socket.io/?EIO=4&transport=x"),
    ("sid", "GET", f"{POLLING}&sid=AAAAAAAAAAAAAAAAAAAA"),
    ("method", "POST", POLLING),
    ("version", "GET", "/socket.io/?EIO=3&transport=polling"),
    ("malformed", "GET", WEBSOCKET),
    ("path", "GET", "/elsewhere"),
])
def test_what_is_refused_is_counted_under_its_reason(v5, connect, reason, method, path):
    before = v5.reasons("refused_requests")
    assert connect(v5).request(method, path).status in (400, 404)
    assert {name: n - before[name] for name, n in v5.reasons("refused_requests").items()
            if n != before[name]} == {reason: 1}
