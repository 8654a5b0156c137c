"""Events and acknowledgements, text and binary, in both directions."""
import json

import pytest

from sessions import SESSIONS, Client

PLACE = '{"_placeholder":true,"num":%d}'
ONE, TWO = PLACE % 0, PLACE % 1


# --- acks -----------------------------------------------------------------------------------------

def test_an_event_with_an_ack_id_is_acknowledged(client):
    client.send('42456["message-with-ack",1,"2",{"3":[false]}]')
    assert client.receive() == '43456[1,"2",{"3":[false]}]'


@pytest.mark.parametrize("number", ["0", "1", "9007199254740991"])
def test_ack_ids(client, number):
    client.send(f'42{number}["message-with-ack"]')
    assert client.receive() == f"43{number}[]"


def test_acks_of_many_events(client):
    client.send(*(f'42{number}["message-with-ack",{number}]' for number in range(50)))
    assert client.receive(50) == [f"43{number}[{number}]" for number in range(50)]


def test_the_same_ack_id_again(client):
    for word in ("a", "b"):
        client.send(f'427["message-with-ack","{word}"]')
        assert client.receive() == f'437["{word}"]'


def asked(client, *args):
    """The ack id of the event that the server sends when it is asked to ask."""
    client.send("42" + json.dumps(["ask", *args], separators=(",", ":")))
    packet = client.receive()
    head, _, rest = packet.partition("[")
    assert json.loads("[" + rest) == ["asked", *args]
    assert head.startswith("42") and head[2:].isdigit(), packet
    return head[2:]


def test_the_server_asks_and_hears_the_answer(client):
    number = asked(client, "what?", {"a": [1]})
    client.send(f'43{number}["this",{{"b":2}}]')
    assert client.receive() == '42["answered","this",{"b":2}]'
    assert client.alive()


def test_an_empty_answer(client):
    client.send(f"43{asked(client)}[]")
    assert client.receive() == '42["answered"]'


def test_answers_in_another_order(client):
    numbers = [asked(client, number) for number in range(5)]
    assert len(set(numbers)) == 5
    for at in (3, 0, 4, 1, 2):
        client.send(f"43{numbers[at]}[{at}]")
        assert client.receive() == f'42["answered",{at}]'


def test_an_answer_counts_once(client):
    number = asked(client)
    client.send(f"43{number}[1]", f"43{number}[2]")
    assert client.receive() == '42["answered",1]'
    assert client.alive()


def test_the_answer_of_another_client_does_not_count(server):
    one, two = (Client(SESSIONS[kind](server)) for kind in ("websocket", "polling"))
    number = asked(one)
    two.send(f"43{number}[]")
    assert two.alive() and one.alive()
    one.send(f'43{number}["mine"]')
    assert one.receive() == '42["answered","mine"]'


# --- attachments ----------------------------------------------------------------------------------

def test_attachments_there_and_back(client):
    client.send(f'452-["message",{ONE},{TWO}]', b"\1\2\3", b"\4\5\6")
    assert client.receive(3) == [f'452-["message-back",{ONE},{TWO}]', b"\1\2\3", b"\4\5\6"]
    assert client.alive()


def test_an_ack_with_attachments(client):
    client.send(f'452-789["message-with-ack",{ONE},{TWO}]', b"\1\2\3", b"\4\5\6")
    assert client.receive(3) == [f"462-789[{ONE},{TWO}]", b"\1\2\3", b"\4\5\6"]
    assert client.alive()


def test_the_server_asks_with_attachments(client):
    client.send(f'451-["ask",{ONE}]', b"question")
    packet, data = client.receive(2)
    assert data == b"question"
    head, _, rest = packet.partition("[")
    assert head.startswith("451-") and "[" + rest == f'["asked",{ONE}]'
    client.send(f'461-{head[4:]}["x",{ONE}]', b"answer")
    assert client.receive(2) == [f'451-["answered","x",{ONE}]', b"answer"]
    number = asked(client)
    client.send(f"462-{number}[{ONE},{TWO}]", b"", b"\0")
    assert client.receive(3) == [f'452-["answered",{ONE},{TWO}]', b"", b"\0"]
    assert client.alive()


def both(packets):
    """A binary packet in pieces, placeholders replaced by what they stand for."""
    def fill(value):
        if isinstance(value, list):
            return [fill(item) for item in value]
        if isinstance(value, dict):
            return (packets[1 + value["num"]] if value.get("_placeholder")
                    else {key: fill(item) for key, item in value.items()})
        return value
    return fill(json.loads(packets[0][packets[0].index("["):]))


def test_placeholders_anywhere_in_any_order(client):
    client.send(f'453-["message",{{"a":[{PLACE % 2}],"b":{{"c":{ONE}}}}},{TWO},"text"]', b"zero",
                b"one", b"two")
    packets = client.receive(4)
    assert packets[0].startswith('453-["message-back",')
    assert both(packets) == ["message-back", {"a": [b"two"], "b": {"c": b"zero"}}, b"one", "text"]


def test_an_attachment_used_twice(client):
    client.send(f'451-["message",{ONE},{ONE}]', b"x")
    first = client.receive()
    packets = [first, *(client.receive() for _ in range(int(first[2])))]
    assert both(packets) == ["message-back", b"x", b"x"]


def test_an_attachment_that_nobody_refers_to(client):
    client.send('451-["message","alone"]', b"x")
    heard = client.receive()
    assert heard in ('42["message-back","alone"]', '451-["message-back","alone"]')
    if heard[1] == "5":
        assert client.receive() == b"x"
    assert client.alive()


def test_attachments_of_every_size(client):
    for size in (0, 1, 125, 126, 65535, 65536, 500_000):
        client.send(f'451-["message",{ONE}]', b"\xff" * size)
        assert client.receive(2) == [f'451-["message-back",{ONE}]', b"\xff" * size]


def test_ten_attachments_are_taken_and_eleven_close(client):
    def packet(count):
        return f'45{count}-["message",' + ",".join(PLACE % number for number in range(count)) + "]"
    parts = [bytes([number]) for number in range(11)]
    client.send(packet(10), *parts[:10])
    assert client.receive(11) == [packet(10).replace("message", "message-back"), *parts[:10]]
    assert client.breaks(packet(11), *parts)


def test_attachments_for_another_namespace_of_the_same_connection(client):
    """What is awaited belongs to the connection."""
    client.connect("/custom")
    client.send(f'451-/custom,["no such event",{ONE}]', b"x")
    assert client.alive()
    client.send(f'451-/,["message",{ONE}]', b"x")
    assert client.receive(2) == [f'451-["message-back",{ONE}]', b"x"]


def test_packets_of_engine_io_may_come_between(client):
    client.send(f'452-["message",{ONE},{TWO}]', "3", b"a", "6", b"b")
    assert client.receive(3) == [f'452-["message-back",{ONE},{TWO}]', b"a", b"b"]


def test_attachments_arrive_in_several_posts_or_frames(client):
    for part in (f'452-["message",{ONE},{TWO}]', b"a", b"b"):
        client.send(part)
    assert client.receive(3) == [f'452-["message-back",{ONE},{TWO}]', b"a", b"b"]


VIOLATIONS = {
    "no count": [f'45-["message",{ONE}]', b"x"], "count 0": ['450-["message"]'],
    "no hyphen": [f'451["message",{ONE}]', b"x"],
    "a negative count": ['45-1-["message"]'], "a letter": ['45x-["message"]'],
    "a fraction": ['451.5-["message"]', b"x"],
    "a count without an end": ["451"], "nothing": ["45"],
    "a huge count": ['4599999999999999999999-["message"]'],
    "text in place of an attachment": [f'451-["message",{ONE}]', '42["message"]'],
    "another binary packet": [f'451-["message",{ONE}]', f'451-["message",{ONE}]'],
    "a connect in place of an attachment": [f'451-["message",{ONE}]', "40/custom,"],
    "an attachment nobody awaits": [b"x"],
    "one attachment too many": [f'451-["message",{ONE}]', b"x", b"y"],
    "num out of range": [f'451-["message",{TWO}]', b"x"],
    "num negative": ['451-["message",{"_placeholder":true,"num":-1}]', b"x"],
    "num a text": ['451-["message",{"_placeholder":true,"num":"0"}]', b"x"],
    "num missing": ['451-["message",{"_placeholder":true}]', b"x"],
    "num null": ['451-["message",{"_placeholder":true,"num":null}]', b"x"],
    "num huge": ['451-["message",{"_placeholder":true,"num":1e99}]', b"x"],
    "no array": ['451-{"a":1}', b"x"], "an empty array": ["451-[]", b"x"],
    "a reserved name": [f'451-["connect",{ONE}]', b"x"],
    "not JSON": ["451-[", b"x"], "a placeholder as the name": [f"451-[{ONE}]", b"x"],
    "an ack of an object": [f'461-1{{"a":{ONE}}}', b"x"],
    "a namespace nobody connected to": [f'451-/custom,["message",{ONE}]', b"x"],
}


@pytest.mark.parametrize("packets", VIOLATIONS.values(),
                         ids=[name.replace(" ", "_") for name in VIOLATIONS])
def test_a_violation_closes(client, packets):
    if packets == [b"x"]:
        assert client.breaks(*packets)
    elif packets[-1] == b"y":
        client.send(*packets[:-1])
        assert client.receive(2)
        assert client.breaks(b"y")
    else:
        assert client.breaks(*packets)


def test_an_unfinished_packet_has_no_effect(server):
    other = Client(SESSIONS["websocket"](server))
    for kind in SESSIONS.values():
        client = Client(kind(server))
        client.send(f'452-["message",{ONE},{TWO}]', b"x")
        client.session.close()
    assert other.alive()


@pytest.mark.ours("base64 is exact: Node leaves out what it does not understand")
def test_an_attachment_by_polling_is_base64(server):
    poll = SESSIONS["polling"](server)
    Client(poll)
    assert poll.post(f'451-["message",{ONE}]\x1ebAQI').status == 400
    assert poll.gone()


@pytest.mark.ours("max_attachments is a setting")
def test_the_greatest_number_of_attachments_is_a_setting(start):
    client = Client(SESSIONS["websocket"](start("socket", max_attachments=2)))
    client.send(f'452-["message",{ONE},{TWO}]', b"a", b"b")
    assert len(client.receive(3)) == 3
    assert client.breaks(f'453-["message",{ONE},{TWO},{PLACE % 2}]', b"a", b"b", b"c")
