"""contrib/hq: emit() for HQ's code, in sessions as HQ has them, received by real clients."""
import datetime
import enum
import os
import sys
import threading
import traceback

import psycopg2.extensions
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.orm import scoped_session, sessionmaker

from clients import Python, Raw
from lablib.facts import wait_for

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../contrib/hq"))

from vantage6_emit import Emitter, EmitError  # noqa: E402

NODE, OTHER_NODE, USER = 1, 4, 11  # the first two of collaborations 1 and 2; the user receives both
C = "collaboration_1"
SECRET = "sesame"  # a traceback shows the line that has the name only


def uri(world, user="hq", dbname="hq"):
    """How SQLAlchemy connects to the lab, as text."""
    words = psycopg2.extensions.parse_dsn(world.lab.conninfo(user, dbname))
    name, database = words.pop("user"), words.pop("dbname")
    return str(URL.create("postgresql+psycopg2", username=name, database=database, query=words))


@pytest.fixture(params=["v5", "v4"])
def world(request):
    """Both versions of HQ."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def emitter(request):
    """The emitter of a test, for `world` if it has that and else for `v5`."""
    lab = request.getfixturevalue("world" if "world" in request.fixturenames else "v5")
    made = Emitter(uri(lab))
    yield made
    made.close()


@pytest.fixture
def session(request):
    """A session as HQ's Database makes it; removed at the end, as HQ does after each request."""
    lab = request.getfixturevalue("world" if "world" in request.fixturenames else "v5")
    engine = create_engine(uri(lab), pool_pre_ping=True)
    made = scoped_session(sessionmaker(autocommit=False, autoflush=False))
    made.configure(bind=engine)
    yield made
    made.remove()
    engine.dispose()


def heard(world, client, *names):
    """What the client has received of these, once all that is committed has arrived."""
    world.settled(client)
    return client.heard(*names)


def test_real_clients_hear_it(world, emitter, clients):
    node, other, user = (clients(kind(world, ident)) for kind, ident in
                         ((Python, NODE), (Python, OTHER_NODE), (Raw, USER)))
    world.joined(node, other, user)
    ident = emitter.emit("status_update", {"run_id": 1}, namespace="/tasks", room=C)
    told = ["status_update", {"run_id": 1}]
    assert node.wait("status_update") == user.wait("status_update") == told
    assert not heard(world, other, "status_update")
    assert world.sql("SELECT name, rooms FROM vantage6_events.recent_events WHERE id = %s",
                     ident) == [("status_update", [C])]


def test_a_session_that_is_rolled_back_afterwards(world, emitter, session, clients):
    """HQ's way: save() commits, emit(), and the end of the request rolls back the rest."""
    user = clients(Raw(world, USER))
    world.joined(user)
    session.execute(text("UPDATE task SET name = 'saved' WHERE id = 1"))
    session.commit()
    session.execute(text("UPDATE task SET name = 'not saved' WHERE id = 1"))
    emitter.emit("renamed", {"id": 1}, room=C)
    session.remove()
    assert user.wait("renamed") == ["renamed", {"id": 1}]
    assert world.sql("SELECT name FROM task WHERE id = 1") == [("saved",)]


def test_with_the_session_the_event_shares_its_fate(world, emitter, session, clients):
    user = clients(Raw(world, USER))
    world.joined(user)
    session.execute(text("UPDATE task SET name = 'lost' WHERE id = 1"))
    emitter.emit("renamed", {"name": "lost"}, room=C, session=session)
    session.remove()
    emitter.emit("renamed", {"name": "forgotten"}, room=C, session=session())
    session.rollback()
    session.execute(text("UPDATE task SET name = 'kept' WHERE id = 1"))
    emitter.emit("renamed", {"name": "kept"}, room=C, session=session)
    assert not heard(world, user, "renamed"), "nothing precedes the commit"
    session.commit()
    assert user.wait("renamed") == ["renamed", {"name": "kept"}]
    assert heard(world, user, "renamed") == [["renamed", {"name": "kept"}]]
    assert world.sql("SELECT name FROM task WHERE id = 1") == [("kept",)]


def test_the_order_within_a_session_is_that_of_the_calls(world, emitter, session, clients):
    user = clients(Raw(world, USER))
    world.joined(user)
    emitter.emit("before", None, room=C, session=session)
    session.execute(
        text("INSERT INTO run (task_id, organization_id, status) VALUES (1, 3, 'pending')"))
    emitter.emit("after", None, room=C, session=session)
    session.commit()
    user.wait("after")
    assert user.heard() == [["before"], [world.new_task, {"id": 1, "parent_id": None}], ["after"]]
    world.sql("DELETE FROM run WHERE id = (SELECT max(id) FROM run)")


def test_a_session_that_was_closed(v5, emitter, session, clients):
    user = clients(Raw(v5, USER))
    v5.joined(user)
    plain = session()
    plain.execute(text("SELECT 1"))
    plain.close()
    emitter.emit("closed", 1, room=C)
    emitter.emit("closed", 2, room=C, session=plain)  # which begins a transaction
    plain.commit()
    user.wait("closed", 2)
    assert heard(v5, user, "closed") == [["closed", 1], ["closed", 2]]


def test_kill_node_in_place_of_an_event(world, session, clients):
    """The lines that doc/migration.md has for HQ's KillNodeTasks."""
    node, other = clients(Raw(world, 4)), clients(Raw(world, 5))
    world.joined(node, other)
    world.sql("INSERT INTO run (id, task_id, organization_id, status) VALUES (700, 4, 1, 'active')")
    session.execute(text("SELECT vantage6_events.kill_node(:id)"), {"id": 4})
    session.commit()
    node.wait("kill_containers", 2)
    assert {"node_id": 4,
            "collaboration_id": 2} in [event[1] for event in heard(world, node, "kill_containers")]
    assert not heard(world, other, "kill_containers")
    assert world.sql("SELECT status FROM run WHERE id = 700") == [("killed by user",)]
    world.sql("DELETE FROM run WHERE id = 700")


class Status(str, enum.Enum):
    """As TaskStatus of server 4 and RunStatus of HQ 5."""
    KILLED = "killed by user"


@pytest.mark.parametrize("data, args", [
    ({"id": 7, "parent_id": None}, [{"id": 7, "parent_id": None}]),
    ({"kill_list": [{"task_id": 1, "run_id": 2, "organization_id": 3}], "collaboration_id": 1},)
    * 2,
    ({"status": Status.KILLED, "ok": True, "share": 0.5},
     [{"status": "killed by user", "ok": True, "share": 0.5}]),
    ({1: 2 ** 53}, [{"1": 2 ** 53}]), ("text", ["text"]), (0, [0]), (False, [False]), ({}, [{}]),
    ("Zoë \u2603 \U0001F40D \x7f \"\\", ["Zoë \u2603 \U0001F40D \x7f \"\\"]),
    (None, []), ([1, 2], [[1, 2]]), ([], [[]]), ((1, "two"), [1, "two"]), ((), []),
], ids=repr)
def test_data(v5, emitter, clients, data, args):
    node = clients(Raw(v5, NODE))
    v5.joined(node)
    emitter.emit("data", data, room="node_1")
    assert node.wait("data") == ["data", *([args] if isinstance(args, dict) else args)]


@pytest.mark.parametrize("data", [float("nan"), {"at": datetime.datetime(2026, 1, 1)}, b"bytes",
                                  {1, 2}, [object()]], ids=lambda data: type(data).__name__)
def test_data_that_json_does_not_know(v5, emitter, data):
    with pytest.raises(EmitError, match="event 'unfit': expected data for JSON: "):
        emitter.emit("unfit", data, room=C)
    assert not v5.sql("SELECT id FROM vantage6_events.recent_events WHERE name = 'unfit'")


@pytest.mark.parametrize("room", [C, [C], (C, "collaboration_1/nodes"), {C, "node_1"}, "all_nodes",
                                  "everyone"], ids=str)
def test_rooms(v5, emitter, clients, room):
    """Who is in several of them receives it once."""
    node = clients(Raw(v5, NODE))
    v5.joined(node)
    emitter.emit("rooms", None, room=room)
    node.wait("rooms")
    assert heard(v5, node, "rooms") == [["rooms"]]


@pytest.mark.parametrize("room", [None, [], [None], 7, [C, 7]], ids=str)
def test_no_room(v5, emitter, session, room):
    """HQ's socket would send to everybody. The session is still good."""
    session.execute(text("UPDATE task SET name = 'good' WHERE id = 1"))
    with pytest.raises(EmitError, match="expected a room or a list of rooms, found .*'everyone'"):
        emitter.emit("rooms", None, room=room, session=session)
    session.commit()
    assert v5.sql("SELECT name FROM task WHERE id = 1") == [("good",)]


@pytest.mark.parametrize("event, namespace, room, sqlstate", [
    ("disconnect", "/tasks", C, "V6106"), ("a b", "/tasks", C, "V6105"),
    (None, "/tasks", C, "V6105"), ("name", "tasks", C, "V6101"),
    ("name", "/tasks", "no room", "V6102"),
    ("name", "/tasks", [f"node_{i}" for i in range(101)], "V6104")])
def test_what_postgresql_refuses(v5, emitter, session, event, namespace, room, sqlstate):
    """It says what to do, and not what was to be sent; the emitter goes on, the session after a
    rollback."""
    for of in (None, session):
        with pytest.raises(EmitError, match=rf"{sqlstate}: .* \(.*\)$") as caught:
            emitter.emit(event, {"password": SECRET}, namespace, room, of)
        assert caught.value.sqlstate == sqlstate
        assert SECRET not in "".join(traceback.format_exception(caught.value))
        session.rollback()
        assert emitter.emit("good", None, room=C, session=of) > 0


def test_not_installed_and_not_granted(v5):
    with pytest.raises(ValueError,
                       match="expected the URI of a PostgreSQL database, found one of sqlite"):
        Emitter("sqlite:////tmp/test.db")
    v5.sql("CREATE ROLE stranger LOGIN", user="postgres")
    try:
        for user, dbname, cure in (("stranger", "hq", r"42501: .*grant_hq"),
                                   ("hq", "postgres", "3F000: .*CREATE EXT")):
            emitter = Emitter(uri(v5, user, dbname))
            with pytest.raises(EmitError, match=cure):
                emitter.emit("name", None, room=C)
            emitter.close()
    finally:
        v5.sql("DROP ROLE stranger", user="postgres")


def test_more_threads_than_connections(v5, emitter, session, clients):
    """Each holds one of HQ's pool while it emits: waiting for a second one of it, they would wait
    for each other."""
    user = clients(Raw(v5, USER))
    v5.joined(user)
    everybody, failed = threading.Barrier(15), []

    def work(number):
        try:
            session.execute(text("SELECT 1"))
            everybody.wait(30)
            for _ in range(5):
                emitter.emit("busy", number, room=C)
        except Exception as error:  # pylint: disable=broad-except
            failed.append(error)
        finally:
            session.remove()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(15)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    user.wait("busy", 75)
    assert sorted(event[1] for event in heard(v5, user, "busy")) == sorted([*range(15)] * 5)


@pytest.fixture
def lab(own_lab):
    """A lab of its own with a second namespace."""
    return own_lab(options=["--namespaces", "/tasks /reports"])


def test_namespaces_and_a_database_that_was_away(lab, clients):
    reader, node = clients(Raw(lab, USER, nsp="/reports")), clients(Raw(lab, NODE))
    emitter = Emitter(uri(lab))

    def mine():
        emitter.emit("early", None, "/reports", f"user_{USER}")
        return reader.heard("early")
    wait_for(mine, "the rooms of the reader")
    lab.joined(node)
    for namespace in ("/reports", "/nobody", "/tasks"):
        emitter.emit("told", namespace, namespace, "everyone")
    assert node.wait("told") == ["told", "/tasks"]
    assert reader.wait("told") == ["told", "/reports"]

    lab.lab.cluster.stop()
    with pytest.raises(EmitError, match="event 'lost': no answer from the database: ") as caught:
        emitter.emit("lost", {"password": SECRET}, room="everyone")
    assert caught.value.sqlstate is None
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    lab.lab.cluster.start()
    lab.forget_connection()
    emitter.emit("found", None, room="everyone")
    node.wait("found")
    lab.settled(node)
    assert node.heard("told", "lost", "found") == [["told", "/tasks"], ["found"]]
    emitter.close()
