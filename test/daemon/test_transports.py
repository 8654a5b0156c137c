"""Every client that the field uses connects to /tasks and receives what SQL emits; a rollback is
silent."""
import pytest

from browser import Chromium, without_place
from clients import Node, Python
from http_connection import Poll
from lablib.facts import wait_for

N3, USER = 3, 15  # a node of collaboration 1; a user of global scope


def python(transports, wait):
    """A maker of python-socketio clients."""
    def make(world, ident):
        return Python(world, ident, transports=transports, wait=wait)
    return make


def node(*transports):
    """A maker of socket.io-client in Node."""
    def make(world, ident):
        return Node(world, ident, transports=transports)
    return make


CLIENTS = {
    "python": python(None, False),
    "python-websocket": python(["websocket"], False),
    "python-polling": python(["polling"], False),
    "python-wait": python(None, True),
    "node": node("polling", "websocket"),
    "node-websocket": node("websocket"),
    "node-polling": node("polling"),
    "chromium": Chromium,
    "chromium-polling": lambda world, ident: Chromium(world, ident, transports=("polling",)),
}


@pytest.mark.parametrize("make", CLIENTS.values(), ids=CLIENTS)
def test_a_committed_event_is_heard_and_a_rolled_back_one_is_not(v5, clients, make):
    client = clients(make(v5, USER))
    v5.joined(client)
    db = v5.connect()
    db.autocommit = False
    with db.cursor() as cursor:
        cursor.execute("SELECT vantage6_events.emit('rolled_back', '{}'::json, 'collaboration_1')")
        db.rollback()
        cursor.execute("SAVEPOINT a")
        cursor.execute("SELECT vantage6_events.emit('rolled_back', '{}'::json, 'collaboration_1')")
        cursor.execute("ROLLBACK TO a")
        cursor.execute("SELECT vantage6_events.emit('lab_event', %s, 'collaboration_1')",
                       ('[{"text": "grüße \\u2028 \\" \\\\ 漢字 😀", "n": 1.5}, null, "two"]',))
        db.commit()
    db.close()
    heard = client.wait("lab_event")
    assert without_place(client, heard) == [
        "lab_event", {"text": 'grüße \u2028 " \\ 漢字 😀', "n": 1.5}, None, "two"]
    v5.settled(client)
    assert client.heard() == [heard]


def test_a_large_event_reaches_both_transports(v5, clients):
    text = "x" * 200_000
    both = [clients(Python(v5, USER, transports=["polling"])),
            clients(Python(v5, USER, transports=["websocket"]))]
    v5.joined(*both)
    v5.emit("large", [text], "user_15")
    for client in both:
        assert client.wait("large") == ["large", text]


def test_200_events_in_one_transaction_reach_a_polling_python_client_without_a_reconnect(
        v5, clients):
    client = clients(Python(v5, N3, transports=["polling"], in_order=True))
    v5.joined(client)
    v5.sql(
        "SELECT vantage6_events.emit('many', to_json(i), 'node_3') FROM generate_series(1, 200) i")
    client.wait("many", times=200)
    assert [event[1] for event in client.heard("many")] == list(range(1, 201))
    assert client.connects == 1 and client.disconnects == 0


def test_a_polling_request_at_another_instance_is_refused_and_its_client_begins_anew(v5, clients):
    """Why a balancer must send the requests of one session to one instance."""
    session, before = Poll(v5), v5.metric("refused_requests", instance=1, reason="sid")
    for method, body in (("GET", None), ("POST", "40/tasks,{}")):
        assert v5.http(method, session.path, body,
                       instance=1)[::2] == (400, '{"code":1,"message":"Session ID unknown"}')
    assert v5.metric("refused_requests", instance=1, reason="sid") == before + 2
    assert session.works(), "the session is not harmed"
    client = clients(Python(v5, USER, transports=["polling"]))
    v5.joined(client)
    # But for those under way.
    client.sio.eio.base_url = client.sio.eio.base_url.replace(v5.url(0), v5.url(1))
    v5.emit("let_go", None, f"user_{USER}")
    # The old session is left to its timeout.
    wait_for(lambda: client.connects == 2, "it to begin anew")
    v5.joined(client)
    v5.emit("after", None, f"user_{USER}")
    client.wait("after")


def test_an_acknowledgement_is_always_answered(v5, clients):
    client = clients(Python(v5, N3))
    for name in ("ping", "no_such_event", "error", "message"):
        assert client.call(name) == []


# The only connection of a principal has been told, so that presence does not write its status any
# more.
TOLD = """SELECT count(*) = 1 AND NOT EXISTS (SELECT FROM vantage6_events.pending
    WHERE principal_id = %s)
    AND EXISTS (SELECT FROM vantage6_events.announced WHERE principal_id = %s AND online)
    FROM vantage6_events.lease WHERE principal_id = %s"""


def test_an_event_with_bytes_is_acknowledged_and_has_no_effect(v5, clients):
    client = clients(Python(v5, N3, in_order=True))
    v5.joined(client)

    def taken():
        return sum(row[0]
                   for row in v5.sql("SELECT seq FROM vantage6_events.received", user="postgres"))

    wait_for(lambda: v5.sql(TOLD, N3, N3, N3, user="postgres")[0][0], "presence to be told")
    v5.sql("UPDATE authenticatable SET status = NULL WHERE id = %s", N3)
    before = taken()
    assert client.call("ping", b"bytes", {"more": b""}) == []
    assert client.call("after") == []
    wait_for(lambda: taken() > before, "the database to take what came after")
    assert v5.sql("SELECT status FROM authenticatable WHERE id = %s", N3) == [(None,)]
    client.emit("ping")
    wait_for(lambda: v5.sql("SELECT status FROM authenticatable WHERE id = %s", N3)
             == [("online",)], "ping to count")
    assert client.connects == 1 and client.disconnects == 0
