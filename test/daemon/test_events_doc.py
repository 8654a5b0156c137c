"""doc/events.md: its packets are received, or have their effect; its statements are good SQL."""
import os
import re

from clients import Raw
from lablib.facts import wait_for

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NODE, OTHER_NODE, THIRD_NODE, USER, ORG_USER = 1, 2, 3, 12, 13
INSERT = "INSERT INTO run (task_id, organization_id, status) VALUES (1, 1, 'active')"

with open(f"{TOP}/doc/events.md", encoding="utf-8") as file:
    TEXT = file.read()
SERVER, CLIENTS = TEXT.split("\n## From the server\n")[1].split("\n## From clients\n")
CLIENTS = CLIENTS.split("\n## ")[0]


def packets(part):
    """The packets of a part, in its order."""
    found = re.findall(r"^    (42/tasks,.*)$", part, re.M)
    assert len(found) > 5
    return found


def unnumbered(heard):
    """The set of them, each with 0 for the number that asks for an acknowledgement."""
    return {re.sub(r"^42/tasks,\d+", "42/tasks,0", packet) for packet in heard}


def samples(part, pattern):
    """Lines of its examples that begin so."""
    found = re.findall(rf"^    ({pattern}.*)$", part, re.M)
    assert found, pattern
    return found


def test_every_packet(own_lab, clients):
    lab = own_lab()
    heard = [clients(Raw(lab, ident)) for ident in (USER, ORG_USER, OTHER_NODE)]
    lab.joined(*heard)
    node = clients(Raw(lab, NODE))
    lab.joined(node)
    lab.sql(INSERT)
    lab.sql("UPDATE run SET status = 'active' WHERE id = 2")
    lab.sql("INSERT INTO run (id, task_id, organization_id, status) VALUES (500, 1, 1, 'active')")
    lab.sql("UPDATE run SET status = 'killed by user' WHERE id = 500")
    lab.sql("INSERT INTO dataframetobedeletedatnode (dataframe_name, session_id, node_id) "
            "VALUES ('df_one', 1, 1)")

    for packet in packets(CLIENTS):
        node.send(packet)
    heard[0].wait("algorithm_log")
    rows = [tuple(cell.strip() for cell in row.split("|")) for row in samples(CLIENTS, r"\w+ +\| ")]
    wait_for(lambda: [("key", "value"),
                      *lab.sql("SELECT key, value FROM nodeconfig WHERE node_id = 1 ORDER BY id")]
             == rows, "the configuration")
    assert not lab.sql("SELECT FROM dataframetobedeletedatnode WHERE dataframe_name = 'df_one'")
    metrics = lab.http("GET", "/metrics", admin=True)[2].splitlines()
    assert set(samples(CLIENTS, r"\w+\{")) <= set(metrics)
    wait_for(lambda: lab.sql("SELECT log FROM run WHERE id = 101") == [("line one",)],
             "the log in HQ's row")
    node.send('42/tasks,["algorithm_log",{"run_id":7,"log":"of another"}]')
    for line in samples(CLIENTS, "WARN "):
        wait_for(lambda: line in lab.log(), line)  # noqa: B023
    assert "hello HQ" in lab.log() and "something broke" in lab.log()

    for statement in re.findall(r"```sql\n(.*?)```", TEXT, re.S):
        lab.sql(statement)

    assert lab.sql("SELECT vantage6_events.kill_node(1) > 0") == [(True,)]
    heard += [clients(Raw(lab, THIRD_NODE, token))
              for token in (lab.token(3, ttl=-120), lab.token(3, forged=True))]
    lab.settled(node)
    node.close()
    heard.append(node)
    expected = unnumbered(packet for packet in packets(SERVER) if '"new_task"' not in packet)
    wait_for(lambda: expected
             <= unnumbered(packet for client in heard for packet in client.packets),
             f"all of {sorted(expected)}")


def test_the_installation_counts_the_triggers(v5, v4):
    with open(f"{TOP}/doc/install.md", encoding="utf-8") as file:
        text = " ".join(file.read().split())
    told = re.search(r"puts (\d+) triggers on (\d+) tables of HQ 5 \((\d+) on (\d+) of HQ 4\)",
                     text)
    counts = ("SELECT count(*), count(DISTINCT tgrelid) FROM pg_trigger "
              "WHERE tgname LIKE 'vantage6_events%'")
    assert [int(number) for number in told.groups()] == [*v5.sql(counts)[0], *v4.sql(counts)[0]]


def test_new_task_of_hq_4(v4, clients):
    user = clients(Raw(v4, USER))
    v4.joined(user)
    v4.sql(INSERT)
    try:
        user.wait("new_task")
        assert [packet for packet in packets(SERVER) if packet in user.packets] == [
            packet for packet in packets(SERVER) if '"new_task"' in packet]
    finally:
        v4.sql("DELETE FROM run WHERE id = (SELECT max(id) FROM run)")
