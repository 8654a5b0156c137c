"""A node with the real one's handlers and payloads, unchanged: nothing that it receives makes it
raise, all that it says counts."""
import pytest

from clients import Raw
from lablib.facts import wait_for
from forge import Forge
from node_client import CONFIG, NodeClient
from test_runs import new_run, new_task

PLACES = {1: (1, 1), 2: (1, 2)}
USER = 15  # receives all


@pytest.fixture(scope="module", params=["v5", "v4"])
def world(request, make_world):
    """A lab of each version."""
    made = make_world(hq=request.param)
    yield made
    made.end()


@pytest.fixture
def node(world, clients):
    """Node 1, greeted."""
    made = clients(NodeClient(world, 1, PLACES[1]))
    made.called("sync")
    yield made
    assert made.failures == []
    world.sql("DELETE FROM vantage6_events.instruction", user="postgres")


@pytest.fixture
def user(world, clients):
    """Who receives what the node says."""
    made = clients(Raw(world, USER))
    world.joined(made)
    return made


def config_of(world):
    """What is known of the node's configuration."""
    return sorted(world.sql("SELECT key, value FROM nodeconfig WHERE node_id = 1"))


def statuses(user, run):
    """All that was told of a run's status."""
    return [event[1] for event in user.heard("algorithm_status_change")
            if event[1]["run_id"] == run]


def relayed(status, run, task, parent=None):
    """What others receive of it: whole numbers."""
    return {"status": status, "run_id": run, "task_id": task, "job_id": 7, "collaboration_id": 1,
            "node_id": 1, "organization_id": 1, "parent_id": parent}


def test_each_handler_is_called_with_what_it_takes(world, node, clients):
    other = clients(NodeClient(world, 2, PLACES[2]))
    other.called("sync")
    task = new_task(world, parent=1)
    run = new_run(world, task, 1)
    node.called(world.new_task)
    node.containers = [{"run": run, "task": task}]
    if world.hq == "v5":
        world.sql("INSERT INTO dataframetobedeletedatnode (dataframe_name, session_id, node_id) "
                  "VALUES ('df', 1, 1)")
        assert node.called("delete_dataframe", 2)[-1] == [{"df_name": "df", "session_id": 1}]
    world.sql("SELECT vantage6_events.kill_node(1)")
    node.called("kill_containers", 2)
    presence = [{"id": 2, "name": "n2_alpha_b", "org_id": 2}]
    assert node.called("node-online") == [presence], "it has no handler for this"
    other.close()
    assert node.called("node-offline") == [presence]
    assert node.called("connect") == [[]] and node.called("sync") == [[]]
    assert (node.called(world.new_task) == [[{"id": task, "parent_id": 1}]]
            and node.queued[-1] == task)
    messages = {"Node <n2_alpha_b> joined room <collaboration_1>",
                "n2_alpha_b left room collaboration_1"}
    wait_for(lambda: messages <= set(node.lines), "the messages")
    # The list came first, but each handler runs in a thread of its own.
    assert [{"node_id": 1, "collaboration_id": 1}] in node.called("kill_containers")
    assert [relayed("killed by user", run, task,
                    parent=1)] in node.called("algorithm_status_change")
    assert (node.containers, node.failures + other.failures) == ([], [])


def test_at_sync_it_shares_its_configuration(world, node):
    shared = {"v5": [("allowed_algorithms", "all"), ("database_labels", "default"),
                     ("db_type_default", "csv"), ("encryption", "False")],
              "v4": [("allowed_algorithms", "all"), ("encryption", "false")]}[world.hq]
    assert set(CONFIG[world.hq]) >= {"encryption", "allowed_algorithms"}
    wait_for(lambda: config_of(world) == shared, "its configuration")
    node.close()
    wait_for(lambda: config_of(world) == [], "it to be gone with the node")


def test_a_run_from_its_start_to_its_end(world, node, user):
    """The texts are those of Kubernetes' annotations."""
    task = new_task(world, parent=4)
    run = new_run(world, task, 1)
    node.called(world.new_task)
    annotations = {"task": task, "parent": 4}
    if world.hq == "v5":
        annotations = {"task": str(task), "parent": "4"}
    world.sql("UPDATE run SET status = 'initializing', assigned_at = now() WHERE id = %s", run)
    world.sql("UPDATE run SET status = 'active' WHERE id = %s", run)
    node.emit("algorithm_status_change", node.report("active", run, task, 4))
    node.emit("algorithm_log",
              {"collaboration_id": 1, "run_id": run, "task_id": task, "log": "half"})
    assert user.wait("algorithm_log")[1] == {"run_id": run, "task_id": task, "log": "half"}
    if world.hq == "v4":  # says it before it writes it
        node.emit("algorithm_status_change", node.report("completed", run, **annotations))
        user.wait("algorithm_status_change", 3)
    world.sql("UPDATE run SET result = 'r', log = 'half\nwhole', status = 'completed', "
              "finished_at = now() WHERE id = %s", run)
    if world.hq == "v5":
        node.emit("algorithm_status_change", node.report("completed", run, **annotations))
    node.emit("algorithm_log",
              {"collaboration_id": 1, "run_id": run, "task_id": task, "log": "late"})
    wait_for(lambda: world.sql("SELECT log FROM run WHERE id = %s", run)
             == [("half\nwhole\nlate",)], "the log")
    world.settled(user)
    assert statuses(user, run) == [relayed(status, run, task, 4) for status in
                                   ("initializing", "active",
                                    *["completed"] * (2 if world.hq == "v4" else 1))]


def test_texts_are_as_good_as_numbers(world, node, user):
    task = new_task(world)
    run = new_run(world, task, 1)
    for status, ids in (("initializing", (run, task, None)),
                        ("active", (str(run), str(task), "None")),
                        ("failed", (run, str(task), "3"))):
        node.emit("algorithm_status_change", node.report(status, *ids))
    wait_for(lambda: len(statuses(user, run)) == 3, "all of them")
    assert statuses(user, run) == [relayed(status, run, task)
                                   for status in ("initializing", "active", "failed")]


def test_a_kill_ends_with_the_nodes_word_for_it(world, node, clients):
    task = new_task(world)
    runs = [new_run(world, task, 1) for _ in range(2)]
    unrelated = {"run": 999, "task": 998}
    node.containers = [*({"run": run, "task": task, "parent": None} for run in runs), unrelated]

    def pending():
        return world.sql(
            "SELECT id FROM vantage6_events.pending_instructions WHERE name = 'kill_containers'")
    assert world.sql("SELECT vantage6_events.kill_task(%s)", task) == [(2,)]
    node.called("kill_containers")
    wait_for(lambda: not pending(), "the instruction to be over")
    assert node.containers == [unrelated]
    again = clients(NodeClient(world, 1, PLACES[1]))
    again.called("sync")
    assert ["kill_containers"] not in [call[:1] for call in again.calls] and again.failures == []


def test_the_whole_run_for_its_id_is_refused_and_the_node_stays(world, node, user):
    """What the node sends when a run has an action that it does not know."""
    task = new_task(world)
    run = new_run(world, task, 1)
    whole = {"id": run, "task": {"id": task, "name": "new", "parent": None}, "action": "dance",
             "status": "pending", "arguments": None}
    before = sum(world.reasons("refused_events").values())
    world.sql("UPDATE run SET status = 'failed', finished_at = now(), log = 'Unrecognized "
              "action dance' WHERE id = %s", run)
    node.emit("algorithm_status_change", node.report("failed", whole, task))
    wait_for(lambda: sum(world.reasons("refused_events").values()) == before + 1, "the count")
    user.wait("algorithm_status_change")
    world.settled(user)
    assert statuses(user, run) == [relayed("failed", run, task)]
    assert node.sio.connected and node.called("connect") == [[]]


@pytest.mark.parametrize("event", ["expired_token", "invalid_token"])
def test_with_a_bad_token_it_renews_it_and_is_served(world, clients, event):
    forge = Forge(world)
    node = clients(NodeClient(world, 1, PLACES[1], forge.good(1, ttl=-120)
                              if event == "expired_token" else forge.good(1, forged=True)))
    node.called(event)
    assert node.called("sync") == [[]] and node.called("connect", 2) == [[], []]
    task = new_task(world)
    new_run(world, task, 1)
    assert node.called(world.new_task)[-1] == [{"id": task, "parent_id": None}]
    assert node.failures == []
