"""The grammar of Socket.IO packets: legal forms are taken, a violation closes the whole connection
without a word."""
import pytest

from sessions import SESSIONS, Client, Poll

# Forms of an event that are taken: (packet, what comes back).
EVENTS = [
    ('42["message"]', '42["message-back"]'),
    ('42["message",1,"2",{"3":[true]}]', '42["message-back",1,"2",{"3":[true]}]'),
    ('42/,["message","x"]', '42["message-back","x"]'),
    ('42[ "message" , "x" ]', '42["message-back","x"]'),
    ('42["message",null,false,[],{},""]', '42["message-back",null,false,[],{},""]'),
    ('42["message","\\u00fc\\ud83d\\ude00\\n\\"\\\\/"]', '42["message-back","ü😀\\n\\"\\\\/"]'),
    ('42["message","ü漢😀"]', '42["message-back","ü漢😀"]'),
    ('42["message",-0.5,1e3,12345678901]', '42["message-back",-0.5,1000,12345678901]'),
    ('42["\\u006dessage",1]', '42["message-back",1]'),
    ('42["message",{"_placeholder":false,"num":0}]',
     '42["message-back",{"_placeholder":false,"num":0}]'),
    ('42["message",{"_placeholder":true,"num":0}]',
     '42["message-back",{"_placeholder":true,"num":0}]'),
    ('42["message",' + "[" * 30 + "]" * 30 + "]", '42["message-back",' + "[" * 30 + "]" * 30 + "]"),
]


@pytest.mark.parametrize("packet, heard", EVENTS,
                         ids=[str(number) for number in range(len(EVENTS))])
def test_an_event_is_taken(client, packet, heard):
    client.send(packet)
    got = client.receive()
    assert got.replace("1000.0", "1000") == heard
    assert client.alive()


IGNORED = ['42["ping"]', '42["error","x"]', '42["pong"]', '42["no such event",1,2]', '42[""]',
           "42[0]", "42[7,\"x\"]", "42[1.5]",
           '42["Connect"]', '42["reconnect"]', '42["__proto__"]', '42["constructor"]', "431[]",
           '43999999["x"]', "430[]", '42', '42/', '42/,']


@pytest.mark.parametrize("packet", IGNORED)
def test_an_event_without_a_handler_is_ignored(client, packet):
    client.send(packet)
    assert client.alive()


VIOLATIONS = {
    "unknown type 7": "47", "unknown type 9": '49["x"]', "a letter": "4abc",
    "a blank": '4 2["message"]', "nothing": "4",
    "a type of two digits": '412["message"]',
    "an empty array": "42[]", "an object": "42{}", "a text": '42"x"', "null": "42null",
    "true": "42true", "not JSON": "42[", "not JSON either": "42[message]",
    "JSON and more": '42["message"]x',
    "two arrays": '42["message"]["x"]',
    "JSON with a comma too many": '42["message",]', "JSON in single quotes": "42['message']",
    "NaN": '42["message",NaN]',
    "a name that is no name": "42[null]", "a name that is true": "42[true]",
    "a name that is an array": '42[["message"]]',
    "a name that is an object": '42[{"message":1}]',
    "a letter for an ack id": '42abc["message-with-ack",1]',
    "a sign before an ack id": '42-1["message-with-ack"]', "a plus": '42+1["message-with-ack"]',
    "an ack id with a fraction": '421.5["message"]',
    "the ack of an object": '431{"a":1}', "the ack of a text": '431"x"',
    "the ack of not JSON": "431[", "the ack of null": "431null",
    "a disconnect with data": "41{}", "a disconnect with an array": '41["x"]',
    "a disconnect with a text": '41"x"', "event of another namespace": '42/custom,["message"]',
    "ack of another namespace": "43/custom,1[]", "leaving another namespace": "41/custom,",
    "event of an unknown namespace": '42/random,["message"]',
    "leaving an unknown namespace": "41/random",}


@pytest.mark.parametrize("packet", VIOLATIONS.values(),
                         ids=[name.replace(" ", "_") for name in VIOLATIONS])
def test_a_violation_closes(client, packet):
    assert client.breaks(packet)


@pytest.mark.parametrize("name", ["connect", "connect_error", "disconnect", "disconnecting",
                                  "newListener", "removeListener"])
def test_a_reserved_name_closes(client, name):
    assert client.breaks(f'42["{name}"]')


@pytest.mark.parametrize("packet", ['42{}', '42["connect"]', "4abc", b"\1"])
def test_a_violation_closes_every_namespace(client, packet):
    client.connect("/custom")
    assert client.breaks(packet)


def test_packets_after_a_violation_do_not_count(server):
    for kind in ("polling", "websocket"):
        assert Client(SESSIONS[kind](server)).breaks("42{}", '42["message","x"]')


def test_a_get_that_waits_at_a_violation_is_closed(server):
    poll = Poll(server)
    Client(poll)
    held = poll.hold()
    poll.offend("42{}")
    answer = held.answer()
    assert (answer.status, answer.text) == (200, "1")
    assert poll.gone()


# --- ours ----------------------------------------------------------------------------------------

@pytest.mark.ours("an ack id is echoed as it came, up to 20 digits; Node makes a number of it")
@pytest.mark.parametrize("digits", ["007", "18446744073709551615", "99999999999999999999"])
def test_an_ack_id_is_echoed_as_it_came(client, digits):
    client.send(f'42{digits}["message-with-ack",1]')
    assert client.receive() == f"43{digits}[1]"


@pytest.mark.ours("an ack id has 20 digits at most")
def test_an_ack_id_of_more_than_20_digits_closes(client):
    assert client.breaks("42" + "1" * 21 + '["message-with-ack",1]')


@pytest.mark.ours("an ack without an array is a mistake; Node takes it for an empty one")
@pytest.mark.parametrize("packet", ["431", "43"])
def test_an_ack_without_a_payload_closes(client, packet):
    assert client.breaks(packet)


@pytest.mark.ours("max_depth: nesting is limited, since every reader of JSON recurses")
def test_json_may_not_nest_without_end(client):
    assert client.breaks('42["message",' + "[" * 1000 + "]" * 1000 + "]")


@pytest.mark.ours("max_depth is a setting")
def test_the_depth_is_a_setting(start):
    client = Client(SESSIONS["websocket"](start("socket", max_depth=5)))
    for deep in ("[[[[]]]]", '[{"a":[{}]}]'):
        client.send(f'42["message",{deep}]')
        assert client.receive() == f'42["message-back",{deep}]'
    client.send('42["message","[[[[[[[[["]')
    assert client.receive() == '42["message-back","[[[[[[[[["]', "a text is no depth"
    assert client.breaks('42["message",[[[[[]]]]]]')


@pytest.mark.ours("a namespace has a greatest length; Node answers any")
def test_a_namespace_has_a_greatest_length(client):
    assert client.breaks("40/" + "x" * 2000 + ",")


@pytest.mark.ours(
    "a namespace is sent back: 0x1e in it would end the packet that holds it. Node sends any")
@pytest.mark.parametrize("character", ["\x01", "\x1f", "\0"])
def test_a_namespace_has_no_control_characters(client, character):
    assert client.breaks(f"40/a{character}b,")
