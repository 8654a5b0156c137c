"""What a queue holds is no limit of what a commit may have."""
from clients import Raw


def test_a_commit_larger_than_a_queue_reaches_those_who_read(v5, clients):
    fast = [clients(Raw(v5, ident)) for ident in (11, 12, 15)]
    v5.joined(*fast)
    slow = v5.metric("closed_sessions", reason="queue_bytes")
    v5.sql("SELECT vantage6_events.emit('burst', to_json(i || repeat('x', 10000)), 'everyone')"
           " FROM generate_series(1, 600) i")
    for client in fast:
        client.wait("burst", times=600)
        assert [int(event[1].rstrip("x")) for event in client.heard("burst")] == list(range(1, 601))
    assert v5.metric("closed_sessions", reason="queue_bytes") == slow
