"""The story goes on, with the same cast: what clients send."""
import collections
import re

from cast import C, CO, UNHEARD, config, report, script, users
from lablib.facts import wait_for

C_USERS = users(C[1])


def test_log_lines_are_told_to_users_at_once_and_come_into_the_row(stage):
    task, run = stage.task(1)
    ears = C_USERS | users(CO[1, 1])
    stage.forget()
    for line in ("first", "second\n", "third"):
        stage.say(1, "algorithm_log",
                  {"collaboration_id": 1, "run_id": run, "task_id": task, "log": line})
    stage.done(1)
    assert (stage.heard()
            == script(*((ears, ["algorithm_log", {"run_id": run, "task_id": task, "log": line}])
                        for line in ("first", "second\n", "third"))))
    wait_for(lambda: stage.world.sql("SELECT log FROM run WHERE id = %s", run)
             == [("first\nsecond\nthird",)], "the lines")
    assert stage.changed() == {f"run {run}": {"log": "first\nsecond\nthird"}}
    assert stage.heard() == {}


def test_what_hq_writes_into_the_log_wins_over_lines_that_are_on_their_way(stage):
    """The node writes the whole log when the run has ended."""
    task, run = stage.task(1)
    stage.forget()
    for written in ("whole", ""):
        stage.say(1, "algorithm_log", {"run_id": run, "log": "on its way"})
        stage.done(1)
        stage.world.sql("UPDATE run SET log = %s WHERE id = %s", written, run)
        stage.say(1, "algorithm_log", {"run_id": run, "log": "late"})
        stage.say(1, "algorithm_log", {"run_id": run, "log": "later"})
        log = "\n".join([written, "late", "later"]).lstrip("\n")
        wait_for(lambda: stage.world.sql("SELECT log FROM run WHERE id = %s", run) == [(log,)],
                 "the late lines")


CONFIGURATION = {
    "v5": ({"encryption": "True", "allowed_algorithms": ["a/.*", "b"], "allowed_users": ["x"],
            "allowed_orgs": ["1", "2"], "database_labels": ["default", "other"],
            "database_types": {"db_type_default": "csv", "db_type_other": "parquet"}},
           [("encryption", "True"), ("allowed_algorithms", "a/.*"), ("allowed_algorithms", "b"),
            ("allowed_users", "x"), ("allowed_orgs", "1"), ("allowed_orgs", "2"),
            ("database_labels", "default"), ("database_labels", "other"),
            ("db_type_default", "csv"), ("db_type_other", "parquet")]),
    "v4": ({"encryption": True, "allowed_algorithms": "all",
            "database_columns": {"columns_default": ["age", "sex"]}},
           [("encryption", "true"), ("allowed_algorithms", "all"), ("columns_default", "age"),
            ("columns_default", "sex")]),
}


def test_a_configuration_replaces_that_of_its_node(stage):
    payload, rows = CONFIGURATION[stage.hq]
    stage.say(3, "node_info_update", payload)
    stage.done(3)
    names = {config(3, *row) for row in rows}
    assert (stage.changed() == dict.fromkeys(names, "new")
            | {config(3, "stale", "from an earlier connection"): "gone"})
    stage.say(3, "node_info_update", {"encryption": False, "number": 7})
    stage.done(3)
    assert (stage.changed() == dict.fromkeys(names, "gone")
            | {config(3, "encryption", "false"): "new", config(3, "number", "7"): "new"})
    assert stage.heard() == {}


def test_a_ping_is_of_its_sender_alone(stage):
    old = stage.world.sql("UPDATE authenticatable "
                          "SET status = 'x', last_seen = timezone('UTC', now()) - interval '20 s' "
                          "RETURNING last_seen")[0][0]
    stage.changed()
    for ident in (2, 14):
        stage.say(ident, "ping")
        stage.status_becomes(ident, "online")
    assert stage.changed() == {f"authenticatable {ident}": {"status": "online"}
                               for ident in (2, 14)}
    assert stage.world.sql("SELECT id FROM authenticatable WHERE last_seen <> %s ORDER BY id",
                           old) == [(2,), (14,)]
    stage.world.sql("UPDATE authenticatable SET status = 'online'")
    assert stage.heard() == {}


def all_events(task, run):
    """Everything that a node may say of a run of organization 1."""
    yield "algorithm_status_change", report("failed", run, task)
    yield "algorithm_log", {"collaboration_id": 1, "run_id": run, "task_id": task, "log": "line"}
    yield "node_info_update", {"encryption": "True"}
    yield "node_metrics_update", {"cpu_percent": 1.5, "os": "posix", "platform": "linux"}
    yield "dataframe_deleted", {"df_name": "df_old", "session_id": 1, "node_id": 1}


def test_a_user_can_say_nothing_but_ping(stage):
    task, run = stage.task(1)
    stage.forget()
    before, events = stage.refusals(), list(all_events(task, run))
    for ident in (11, 13, 15):
        for name, payload in events:
            stage.say(ident, name, payload)
    stage.done(11, 13, 15)
    assert (stage.heard(), stage.changed()) == ({}, {})
    wait_for(lambda: stage.refusals() - before == {"user": 3 * len(events)}, "the count")


def test_nothing_of_those_who_are_refused_has_an_effect_and_they_hear_nothing(stage):
    task, run = stage.task(1)
    stage.forget()
    before = stage.world.sql("SELECT last_seen FROM authenticatable WHERE id = 13")
    for client in stage.refused.values():
        for name, payload in (*all_events(task, run), ("ping", None)):
            stage.say(client, name, payload)
    stage.done(1)
    assert (stage.heard(), stage.changed()) == ({}, {})
    assert stage.world.sql("SELECT last_seen FROM authenticatable WHERE id = 13") == before
    assert {name: client.events for name, client in stage.refused.items()} == UNHEARD
    assert not any(client.closed for client in stage.refused.values())


def test_words_without_a_meaning_are_acknowledged(stage):
    for ident in (1, 11):
        for name, *args in (("message", "hello"), ("error", {"a": [1]}), ("error",),
                            ("unknown", 1, "two", None)):
            stage.say(ident, name, *args)
    stage.done(1, 11)
    assert (stage.heard(), stage.changed()) == ({}, {})


def gauges(world, node):
    """{(name, gpu): value} of a node's gauges; their other labels are checked here."""
    answer = world.http("GET", "/metrics", admin=True)[2]
    found = {}
    for name, labels, value in re.findall(r"^(\w+)\{(.*)\} (\S+)$", answer, re.MULTILINE):
        labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels))
        if labels.pop("node_id", None) == str(node):
            gpu = labels.pop("gpu_id", None)
            assert labels == {"platform": "linux", "os": "posix"}, name
            assert f"# TYPE {name} gauge\n" in answer
            found[name, gpu] = float(value)
    return found


METRICS = {"cpu_percent": 12.5, "memory_percent": 40.25, "num_algorithm_containers": 2,
           "cpu_count": 8, "memory_total": 33554432000, "memory_available": 16777216000}
GPUS = {"gpu_load": [10, 20], "gpu_memory_used": [1000, 2000], "gpu_memory_free": [9000, 8000],
        "gpu_temperature": [50, 61]}


def test_the_metrics_of_a_node_are_gauges(stage):
    sender = {"os": "posix", "platform": "linux"}
    stage.say(1, "node_metrics_update", {**METRICS, **sender, "gpu_count": 2, **GPUS})
    expected = {(name, None): value for name, value in (METRICS | {"gpu_count": 2}).items()}
    expected |= {(name, str(gpu)): value for name, values in GPUS.items()
                 for gpu, value in enumerate(values)}
    wait_for(lambda: gauges(stage.world, 1), "the gauges")
    assert gauges(stage.world, 1) == expected
    stage.say(1, "node_metrics_update", {**METRICS, **sender, "cpu_percent": 99})
    stage.say(2, "node_metrics_update", {**METRICS, **sender})
    wait_for(lambda: gauges(stage.world, 2), "the other node's")
    assert gauges(stage.world, 2) == {(name, None): value for name, value in METRICS.items()}
    assert gauges(stage.world, 1)["cpu_percent", None] == 99
    assert (stage.heard(), stage.changed()) == ({}, {})


def bad(run, others, far):
    """(reason, event) that must be refused: run is of organization 1, the others of organization 2
    and of collaboration 2."""
    for reason, wrongs in (("run", (others, far, 999999, str(others), 0)), ("shape", (
            "", "x", f" {run}", f"{run} ", f"+{run}", f"{run}.0", "12345678901", "-1", -1, 1.5,
            2 ** 40, 2 ** 70, True, None, [run], {"id": run}))):
        for wrong in wrongs:
            yield reason, "algorithm_status_change", {"status": "failed", "run_id": wrong}
            yield reason, "algorithm_log", {"run_id": wrong, "log": "line"}
    for wrong in (None, 5, True, ["failed"], {"status": "failed"}):
        yield "shape", "algorithm_status_change", {"status": wrong, "run_id": run}
        yield "shape", "algorithm_log", {"run_id": run, "log": wrong}
    for name in ("algorithm_status_change", "algorithm_log"):
        for args in (("text",), (5,), (None,), ([],), ([run],), ({},), ()):
            yield "shape", name, *args


def test_an_event_that_means_no_run_of_the_senders_is_acknowledged_and_counted(stage):
    _, run, others = stage.task(1, 2)
    _, far = stage.task(1, collaboration=2)
    stage.forget()
    before, events = stage.refusals(), list(bad(run, others, far))
    for _, *event in events:
        stage.say(1, *event)
    stage.done(1)
    assert (stage.heard(), stage.changed()) == ({}, {})
    wait_for(lambda: sum((stage.refusals() - before).values()) >= len(events), "the count")
    assert stage.refusals() - before == collections.Counter(reason for reason, *_ in events)


def test_payloads_of_the_wrong_kind_have_no_effect(stage):
    before = gauges(stage.world, 1)
    for name in ("node_info_update", "node_metrics_update", "dataframe_deleted"):
        for args in ((), (None,), ("text",), (5,), ([],), ([{}],), (True,)):
            stage.say(1, name, *args)
    for wrong in ("x", None, {}, True, [[1]]):
        stage.say(1, "node_metrics_update",
                  {"cpu_percent": wrong, "os": "posix", "platform": "linux"})
    for wrong in ({}, {"df_name": "df_old"}, {"df_name": None, "session_id": None},
                  {"df_name": ["df_old"], "session_id": 1},
                  {"df_name": "df_old", "session_id": "x"}):
        stage.say(1, "dataframe_deleted", wrong)
    stage.done(1)
    assert (stage.heard(), stage.changed()) == ({}, {})
    assert gauges(stage.world, 1).items() <= before.items()
