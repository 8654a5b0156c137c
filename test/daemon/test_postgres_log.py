"""What PostgreSQL writes into its own log if its settings say so, and what to do about it."""
import json

from clients import Raw

USER = 11
PAGE = ["User-Agent: Mozilla/5.0"]


def secret_name(client):
    """The pid that its CONNECT was answered with: who knows it may go on as that client."""
    packet = next(p for p in client.packets if p.startswith("40/tasks,"))
    return json.loads(packet.split(",", 1)[1])["pid"]


def logged(world):
    """All that PostgreSQL has logged."""
    with open(world.lab.cluster.log, encoding="utf-8") as file:
        return file.read()


def test_pids_are_in_the_log_of_statements_until_their_role_logs_no_parameters(own_lab, clients):
    world = own_lab(settings="log_statement = 'all'\nlog_min_duration_statement = 0\n")
    client = clients(Raw(world, USER, headers=PAGE))
    world.joined(client)
    assert secret_name(client) in logged(world)
    world.sql("ALTER ROLE pushd SET log_parameter_max_length = 0", user="postgres")
    world.lab.stop_pushd(0)
    world.start()
    before = len(logged(world))
    client = clients(Raw(world, USER, headers=PAGE))
    world.joined(client)
    assert "vantage6_events.connect(" in logged(world)[before:]
    assert secret_name(client) not in logged(world)
