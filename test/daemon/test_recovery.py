"""A browser that lost its connection comes back, and gets what it missed: all of it, in order and
once, or it is told that it is not."""
import json
import random
import re
import time

import pytest

from clients import Node, Python, Raw
from lablib.facts import wait_for

USER = 13
ROOM = "collaboration_1_organization_1/users"
PAGE = ["User-Agent: Mozilla/5.0"]
OFFSET = re.compile(r"[\d:,]+/[\d:,]+/\d+/[0-9a-f]{32}")


def numbers(client):
    """What it has been told of the events n, in its order."""
    return [event[1] for event in client.heard("n")]


def emit(world, *ns):
    """Events n, one commit each."""
    for n in ns:
        world.emit("n", [n], ROOM)


def recoveries(world):
    """How many resumes were good, and how many not, at both instances."""
    found = [world.reasons("claims", instance, "result")
             for instance in range(len(world.lab.facts["http"]))]
    return tuple(sum(one[result] for one in found) for result in ("recovered", "not_recovered"))


def answer(client):
    """The data of its last answer to CONNECT."""
    return json.loads(next(p for p in reversed(client.packets)
                           if p.startswith("40/tasks,")).split(",", 1)[1])


def offset_of(client, name):
    """The last argument of an event, which is its offset."""
    packet = next(p for p in client.packets if p.startswith(f'42/tasks,["{name}"'))
    return json.loads(packet.split(",", 1)[1])[-1]


def resume(world, client, offset=None, **more):
    """Another connection that goes on as this one."""
    return Raw(world, client.ident, headers=PAGE,
               auth={"pid": answer(client)["pid"], **({"offset": offset} if offset else {})},
               **more)


@pytest.mark.parametrize("transports", [["polling"], ["polling", "websocket"]], ids="-".join)
def test_what_a_page_missed_comes_before_it_is_connected_again_at_either_instance(v5, clients,
                                                                                  transports):
    page = clients(Node(v5, USER, transports=transports))
    witness = clients(Raw(v5, USER))
    v5.joined(page, witness)
    emit(v5, 1, 2)
    wait_for(lambda: numbers(page) == [1, 2], "the first two")
    for turn, instance in enumerate((1, 0, 1), 1):
        page.order("go", v5.url(instance))
        wait_for(lambda: page.disconnects == turn, "it to be away")  # noqa: B023
        emit(v5, *range(10 * turn, 10 * turn + 3))
        wait_for(lambda: page.connects == turn + 1, "it to be back")  # noqa: B023
        emit(v5, 10 * turn + 3)
        v5.settled(page, witness)
        assert numbers(page) == numbers(witness)
    assert page.recovered == [False, True, True, True]


def test_a_restarted_or_killed_daemon_is_no_loss_to_it(own_lab, clients):
    world = own_lab(options=["--drain-time", "0"])
    page = clients(Node(world, USER))
    world.joined(page)
    emit(world, 0)
    wait_for(lambda: numbers(page) == [0], "the first")
    for turn, end in enumerate((world.lab.stop_pushd, world.lab.kill_pushd), 1):
        end(0)
        wait_for(lambda: page.disconnects == turn, "it to be away")  # noqa: B023
        emit(world, 2 * turn - 1)
        world.lab.start_pushd(0)
        wait_for(lambda: page.connects == turn + 1, "it to be back")  # noqa: B023
        emit(world, 2 * turn)
        world.settled(page)
        assert numbers(page) == list(range(2 * turn + 1))
    assert page.recovered == [False, True, True]


def test_only_pages_get_offsets(v5, clients):
    page, bare, python, node = (clients(Raw(v5, USER, headers=PAGE)), clients(Raw(v5, USER)),
                                clients(Python(v5, USER)), clients(Raw(v5, 1, headers=PAGE)))
    v5.joined(page, bare, python, node)
    v5.emit("x", ["text"], "everyone")
    v5.settled(page, bare, python, node)
    assert OFFSET.fullmatch(offset_of(page, "x"))
    assert [client.heard("x") for client in (bare, python, node)] == [[["x", "text"]]] * 3
    assert set(answer(page)) == {"sid", "pid"} and set(answer(bare)) == {"sid"}
    assert answer(page)["pid"] != answer(page)["sid"]


def test_one_whose_rights_have_changed_gets_offsets_as_before(v5, clients):
    page = clients(Raw(v5, USER, headers=PAGE))
    v5.joined(page)
    v5.sql('INSERT INTO "UserPermission" (user_id, rule_id) VALUES (13, 2)')
    v5.emit("x", ["text"], "collaboration_1")
    page.wait("x")
    v5.sql('DELETE FROM "UserPermission" WHERE user_id = 13')
    v5.settled(page)  # the offset of what is read together with the change is older than that
    v5.emit("y", ["text"], ROOM)
    page.wait("y")
    assert OFFSET.fullmatch(offset_of(page, "x")) and OFFSET.fullmatch(offset_of(page, "y"))
    page.close()
    emit(v5, 1)
    second = clients(resume(v5, page, offset_of(page, "y")))
    v5.joined(second)
    assert numbers(second) == [1] and answer(second)["pid"] == answer(page)["pid"]


def test_with_an_offset_it_goes_on_there_and_without_one_at_its_beginning(v5, clients):
    page = clients(Raw(v5, USER, headers=PAGE))
    v5.joined(page)
    emit(v5, 1)
    v5.emit("mark", [], ROOM)
    emit(v5, 2)
    v5.settled(page)
    offset = offset_of(page, "mark")
    page.close()
    second = clients(resume(v5, page, offset))
    v5.joined(second)
    assert numbers(second) == [2] and answer(second)["pid"] == answer(page)["pid"]
    assert [p[:10] for p in second.packets
            if p[:2] in ("40", "42")].index("40/tasks,{") > 0, "before it is connected"
    second.close()
    third = clients(resume(v5, second, "1:1:/2:2:/3/00000000000000000000000000000000"))
    v5.joined(third)
    assert (answer(third)["pid"] != answer(page)["pid"]
            and numbers(third) == []), "a forged one is none"
    emit(v5, 3)
    v5.settled(third)
    third.close()
    fourth = clients(resume(v5, third))
    v5.joined(fourth)
    assert numbers(fourth) == [3] and answer(fourth)["pid"] == answer(third)["pid"]


def test_the_replay_may_be_cut_off_too(v5, clients):
    """Each event of it has an offset from which the rest follows."""
    page = clients(Raw(v5, USER, headers=PAGE))
    v5.joined(page)
    emit(v5, 1)
    wait_for(lambda: numbers(page), "the first")
    offset = offset_of(page, "n")
    page.close()
    emit(v5, 2, 3, 4)
    expected = [2, 3, 4]
    while expected:
        page = clients(resume(v5, page, offset))
        v5.joined(page)
        assert numbers(page) == expected
        offset = offset_of(page, "n")
        page.close()
        expected.pop(0)


def test_who_seems_to_live_still_is_taken_over(limited, clients):
    world = limited("--refused-grace", "1s")
    page = clients(Raw(world, USER, headers=PAGE))
    world.joined(page)
    second = clients(resume(world, page))
    world.joined(second)
    emit(world, 1)
    world.settled(second)
    assert numbers(second) == [1] and numbers(page) == []
    wait_for(lambda: page.closed, "the first to be closed")
    assert not second.closed


def test_a_resume_that_meets_the_end_of_its_connection_is_good(v5, clients):
    """Its lease is being ended by a transaction that has not committed yet."""
    page = clients(Raw(v5, USER, headers=PAGE))
    v5.joined(page)
    db = v5.connect("postgres")
    db.autocommit = False
    with db.cursor() as cursor:
        cursor.execute("""SELECT vantage6_events.disconnect(
                              l.incarnation, json_build_array(json_build_object('sid', l.sid)))
                          FROM vantage6_events.lease l WHERE l.key = %s""", [answer(page)["pid"]])
    second = clients(Raw(v5, USER, headers=PAGE, instance=1, connect=False))
    second.send("40/tasks," + json.dumps({"pid": answer(page)["pid"]}))
    wait_for(lambda: v5.sql(
        "SELECT FROM pg_stat_activity WHERE usename = 'pushd' AND wait_event_type = 'Lock'",
        user="postgres"),
             "the resume to wait")
    db.commit()
    db.close()
    second.wait_connected()
    assert answer(second)["pid"] == answer(page)["pid"]


def test_not_recovered_is_connected_all_the_same(limited, clients):
    world = limited()
    page = clients(Node(world, USER))
    world.joined(page)
    for turn, spoil in enumerate((
            lambda: world.sql('INSERT INTO "UserPermission" (user_id, rule_id) VALUES (13, 6)'),
            lambda: world.sql(
                "UPDATE vantage6_events.resumable SET ended_at = ended_at - interval '3 min'",
                user="postgres")), 1):
        emit(world, turn)
        wait_for(lambda: turn in numbers(page), "it to receive")  # noqa: B023
        page.order("cut")
        wait_for(lambda: world.sql("SELECT FROM vantage6_events.resumable WHERE holder IS NULL",
                                   user="postgres"), "it to be away")
        emit(world, -turn)
        spoil()
        wait_for(lambda: page.connects == turn + 1, "it to be back")  # noqa: B023
        world.joined(page)
        assert -turn not in numbers(page) and not page.recovered[turn]
    world.sql('DELETE FROM "UserPermission" WHERE user_id = 13')


def test_after_a_crash_of_the_database_nobody_is_recovered_by_halves(own_lab, clients):
    world = own_lab()
    page = clients(Raw(world, USER, headers=PAGE))
    world.joined(page)
    emit(world, 1)
    wait_for(lambda: numbers(page), "the first")
    offset = offset_of(page, "n")
    world.lab.cluster.crash()
    world.forget_connection()
    world.lab.cluster.start()
    wait_for(world.ready, "the daemon to be ready")
    second = clients(resume(world, page, offset))
    world.joined(second)
    assert answer(second)["pid"] != answer(page)["pid"] and numbers(second) == []


def resume_unanswered(world, client, clients, instance=0):
    """A resume that the daemon has, and has not answered."""
    before = world.metric("sockets", instance)
    second = clients(Raw(world, USER, headers=PAGE, instance=instance, connect=False))
    second.send("40/tasks," + json.dumps({"pid": answer(client)["pid"]}))
    wait_for(lambda: world.metric("sockets", instance) > before, "the resume to arrive")
    return second


def test_a_page_that_is_back_before_the_database_waits_for_it(own_lab, clients):
    world = own_lab(options=["--claim-timeout", "3s", "--retry-max", "500ms"])
    page, other = (clients(Raw(world, USER, headers=PAGE)) for _ in range(2))
    world.joined(page, other)
    world.lab.kill_pushd(0)
    emit(world, 1)
    world.lab.cluster.stop()
    world.forget_connection()
    world.start(path="/livez")
    late = resume_unanswered(world, other, clients)
    late.wait_connected()
    assert answer(late)["pid"] != answer(other)["pid"], "its patience is over"
    second = resume_unanswered(world, page, clients)
    fresh = clients(Raw(world, USER, headers=PAGE))  # is answered without the database
    assert not second.connects
    world.lab.cluster.start()
    second.wait_connected()
    assert answer(second)["pid"] == answer(page)["pid"]
    world.joined(second, fresh)
    emit(world, 2)
    world.settled(second, fresh, late)
    assert (numbers(second), numbers(fresh), numbers(late)) == ([1, 2], [2], [2])


def test_a_resume_that_loses_its_link_is_made_again(v5, clients):
    page = clients(Raw(v5, USER, headers=PAGE))
    v5.joined(page)
    page.close()
    wait_for(
        lambda: v5.sql("SELECT FROM vantage6_events.resumable WHERE key = %s AND holder IS NULL",
                       answer(page)["pid"], user="postgres"), "it to be away")
    emit(v5, 1)
    with v5.connect("postgres") as db, db.cursor() as cursor:
        db.autocommit = False
        cursor.execute("LOCK TABLE vantage6_events.resumable IN EXCLUSIVE MODE")
        second = resume_unanswered(v5, page, clients, instance=1)
        waiting = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE usename = 'pushd' AND wait_event_type = 'Lock'"""
        wait_for(lambda: v5.sql(waiting, user="postgres"), "it to wait")
    db.close()
    second.wait_connected()
    v5.joined(second)
    assert numbers(second) == [1] and answer(second)["pid"] == answer(page)["pid"]


def test_one_that_has_heard_nothing_yet_goes_on_at_its_beginning_though_a_link_was_lost(v5,
                                                                                        clients):
    page = clients(Raw(v5, USER, headers=PAGE))
    v5.joined(page)
    emit(v5, 1)
    v5.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pushd'",
           user="postgres")
    wait_for(lambda: v5.ready(0) and v5.ready(1), "the links to be back")
    emit(v5, 2)
    second = resume_unanswered(v5, page, clients, 1)
    second.wait_connected()
    assert answer(second)["pid"] == answer(page)["pid"] and numbers(second) == [1, 2]


def test_a_replay_of_which_a_part_may_have_come_is_not_sent_again(v5, clients):
    """Who shows the same place again never got the answer to its CONNECT: but what of the events
    before that?"""
    page = clients(Raw(v5, USER, headers=PAGE))
    v5.joined(page)
    page.close()
    for _ in range(2):  # of nothing no part can have come
        page = clients(resume(v5, page))
        page.wait_connected()
        page.close()
    emit(v5, 1)
    second = clients(resume(v5, page, instance=1))
    v5.joined(second)
    second.close()
    third = clients(resume(v5, page))
    v5.joined(third)
    assert (answer(second)["pid"], numbers(second)) == (answer(page)["pid"], [1])
    assert answer(third)["pid"] != answer(page)["pid"] and numbers(third) == []


def test_the_real_client_whose_replay_is_cut_off_hears_nothing_twice(v5, clients):
    """It keeps what came of it, and tells that when it is connected again.

    By polling it comes in parts.
    """
    page, other = clients(Node(v5, USER, transports=["polling"])), clients(Raw(v5, USER))
    v5.joined(page, other)
    emit(v5, 0)
    wait_for(lambda: numbers(page) == [0], "the first")
    # It cannot come back before all are there.
    with v5.connect("postgres") as db, db.cursor() as cursor:
        db.autocommit = False
        cursor.execute("LOCK TABLE vantage6_events.resumable IN EXCLUSIVE MODE")
        page.order("interrupt", 5)
        page.order("cut")
        wait_for(lambda: page.disconnects == 1, "it to be away")
        emit(v5, *range(1, 201))
    db.close()
    wait_for(lambda: page.connects == 2, "it to be back")
    v5.joined(page)
    emit(v5, 201)
    v5.settled(page, other)
    assert page.recovered == [False, False]
    heard = numbers(page)
    part = len(heard) - 2
    assert heard == [0, *range(1, part + 1), 201] and 5 <= part < 200, "a part, once"


def test_what_does_not_fit_into_the_queue_is_not_sent_again(limited, clients):
    world = limited("--queue-bytes", "100kB")
    page = clients(Raw(world, USER, headers=PAGE))
    world.joined(page)
    for events, recovered in ((4, True), (5, False)):
        page.close()
        for n in range(events):
            world.emit("n", [n, "x" * 11000], ROOM)
        before, page = page, clients(resume(world, page))
        world.joined(page)
        assert (answer(page)["pid"] == answer(before)["pid"]) == recovered
        assert numbers(page) == (list(range(events)) if recovered else [])
        world.emit("mark", [], ROOM)
        page.wait("mark")


def test_an_expired_token_is_good_as_long_as_its_bearer_proves_himself(limited, clients):
    world = limited("--leeway", "0s")
    token, end = world.token(USER, ttl=2), time.time() + 2
    page = clients(Raw(world, USER, token=token, headers=PAGE))
    world.joined(page)
    wait_for(lambda: time.time() > end + 1, "the token to expire")
    page.close()
    emit(world, 1)
    second = clients(resume(world, page, token=token))
    world.joined(second)
    emit(world, 2)
    world.settled(second)
    assert numbers(second) == [1, 2] and not second.heard("expired_token")
    third = clients(Raw(world, USER, token=token, headers=PAGE, auth={"pid": "A" * 20}))
    third.wait("expired_token")
    world.sql("ALTER DATABASE hq SET vantage6_events.resume_identity = 0", user="postgres")
    world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pushd'",
              user="postgres")
    wait_for(world.ready, "the links to be back")
    second.close()
    fourth = clients(resume(world, second, token=token))
    fourth.wait("expired_token")
    world.sql("ALTER DATABASE hq RESET vantage6_events.resume_identity", user="postgres")


def test_coming_back_does_not_renew_an_expired_token_and_a_restart_costs_it_nothing(
        own_lab, clients):
    world = own_lab(options=["--leeway", "0s", "--drain-time", "0s"])
    world.sql("ALTER DATABASE hq SET vantage6_events.resume_identity = '20s'", user="postgres")
    world.lab.stop_pushd(0)
    world.lab.start_pushd(0)
    token, end = world.token(USER, ttl=5), time.time() + 5
    page = clients(Raw(world, USER, token=token, headers=PAGE))
    world.joined(page)
    wait_for(lambda: time.time() > end + 1, "the token to expire")
    for _ in range(3):  # each time it goes on as it was
        page.close()
        page = clients(resume(world, page, token=token))
        world.joined(page)
    wait_for(lambda: time.time() > end + 21, "the time to be over")
    world.lab.stop_pushd(0)
    world.lab.start_pushd(0)
    page = clients(resume(world, page, token=token))
    world.joined(page)
    page.close()
    last = clients(resume(world, page, token=token))
    last.wait("expired_token")


def test_pages_that_hop_at_random_hear_everything_once(v5, clients):
    """Two writers whose transactions overlap; the seed is in the failure."""
    seed = random.randrange(10 ** 6)
    dice = random.Random(seed)
    pages = [clients(Node(v5, USER, instance=n % 2)) for n in range(3)]
    v5.joined(*pages)
    emit(v5, "first")
    wait_for(lambda: all("first" in numbers(page) for page in pages), "all to have an offset")
    slow, n = v5.connect(), 0
    slow.autocommit = False
    with slow.cursor() as cursor:
        for _ in range(60):
            cursor.execute("SELECT vantage6_events.emit('n', %s::json, %s)", (str(n), ROOM))
            emit(v5, n + 1)
            n += 2
            if dice.random() < 0.3:
                slow.commit()
            if dice.random() < 0.3:
                page = dice.choice(pages)
                if page.connected():
                    page.order("go", v5.url(dice.randrange(2)))
        slow.commit()
    slow.close()
    for page in pages:
        page.wait_connected()
    v5.settled(*pages)
    for page in pages:
        assert all(page.recovered[1:]), f"seed {seed}"
        assert sorted(numbers(page)[1:]) == list(range(n)), f"seed {seed}"
