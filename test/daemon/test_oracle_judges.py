"""The oracle itself: a story that is as it should be is found so, and each wrong one wrong, in its
words."""
from types import SimpleNamespace

import pytest

from oracle import KNOWN, Entry, Oracle

IDENT, ROOM = 7, "a"


class MockLedger:
    """A ledger, rights and weather that somebody wrote."""

    def __init__(self):
        self.log, self.acked, self.known = {}, [], [("new", 0), ("again", 2.3)]
        self.world = SimpleNamespace(
            sql=lambda statement, *_, **__: self.known if statement == KNOWN else self.acked)
        self.changes, self.away, self.crashes = [], [], []
        for n in range(1, 6):  # event n was emitted at n and committed at n + 0.1
            self.event(n, n)

    def event(self, number, at, rooms=(ROOM,), xid=None, durable=False):
        """One that is committed."""
        entry = self.log[0, number] = Entry()
        entry.emitted, entry.committing, entry.committed = at, at + 0.1, at + 0.1
        entry.id, entry.xid, entry.rooms, entry.durable = number, xid or str(number), frozenset(
            rooms), durable

    def instruction(self, number, at, acked):
        """One to the node, and when that acknowledged it."""
        self.event(number, at, [f"node_{IDENT}"], durable=True)
        self.acked.append((number, IDENT, acked))

    def read_log(self, _):
        """The ledger's."""
        return self.log

    def of(self, *_):
        """The rights'."""
        return [frozenset([ROOM])]

    def oracle(self):
        """The judge of all that."""
        return Oracle(self, self, 0, self)


def client(*story):
    """A client with a story: (time, kind, ...), or (time, number of the event that it receives)."""
    story = [what
             if isinstance(what[1], str) else (what[0], "receive", (0, what[1])) for what in story]
    return SimpleNamespace(ident=IDENT, story=story,
                           keys={what[2] for what in story if what[1] == "receive"})


def wrong(ledger, *story):
    """What is wrong with it: the words before the colon."""
    return [text.split(":")[0].split(" between")[0]
            for text in ledger.oracle().judge(client(*story))]


NEW, BACK = (0, "open", False, False, "new"), (3.5, "open", True, True, "back")
LOST = (3.5, "open", False, True, "back")
ALL = [(n + 0.2, n) for n in range(1, 6)]


@pytest.mark.parametrize("story, expected", [
    ([NEW, *ALL], []),
    ([NEW, *ALL[:3], BACK, *ALL[3:]], []),
    ([NEW, *ALL, (5.3, 2)], ["received twice", "received out of order"]),
    ([NEW, *ALL[:2], *ALL[3:]], ["lost"]),
    ([NEW, *ALL[:2], BACK, *ALL[3:]], ["lost"]),
    ([NEW, *ALL[:2], LOST, *ALL[3:]], ["not recovered, without an excuse"]),
    ([NEW, ALL[0], (2.3, 3), (2.4, 2), *ALL[3:]], ["received out of order"]),
    ([NEW, ALL[0], (2.2, 6), *ALL[1:]], ["received what was never committed"]),
], ids=["all", "recovered", "twice", "lost", "lost in a recovery", "not recovered", "out of order",
        "never committed"])
def test_of_a_story(story, expected):
    assert wrong(MockLedger(), *story) == expected


def test_of_what_is_not_for_it():
    ledger = MockLedger()
    ledger.event(3, 3, ["b"])
    assert wrong(ledger, NEW, *ALL) == ["received what was not for it"]
    assert not wrong(ledger, NEW, *ALL[:2], *ALL[3:])
    ledger.of = lambda *_: [frozenset("a"), frozenset("b")]  # both may have been in force
    assert not wrong(ledger, NEW, *ALL) and not wrong(ledger, NEW, *ALL[:2], *ALL[3:])


def test_of_the_order_within_a_transaction():
    ledger = MockLedger()
    for number in (2, 3):
        ledger.event(number, 2, xid="one")
    assert not wrong(ledger, NEW, *ALL)
    assert wrong(ledger, NEW, ALL[0], (2.3, 3), (2.4, 2), *ALL[3:]) == ["received out of order"]


@pytest.mark.parametrize("excuse, is_one", [
    ({"crashes": [(3.3, 3.4)]}, True), ({"changes": [(3.3, 3.4, IDENT)]}, True),
    ({"changes": [(3.3, 3.4, None)]}, True), ({"changes": [(3.3, 3.4, IDENT + 1)]}, False),
    ({"crashes": [(9, 10)]}, False), ({"away": [(3.3, 3.4)]}, False)])
def test_of_excuses(excuse, is_one):
    ledger = MockLedger()
    vars(ledger).update(excuse)
    assert wrong(ledger, NEW, *ALL[:3], LOST,
                 *ALL[3:]) == ([] if is_one else ["not recovered, without an excuse"])


@pytest.mark.parametrize("tries, fault, is_one", [
    ((3.3, 3.45), 3.4, True), ((3.3, 3.45), 2.7, False), ((3.45,), 3.4, False),
    ((3.3, 3.35, 3.45), 3.4, True), ((3.3, 3.45), 3.48, False)])
def test_a_fault_excuses_what_it_may_have_cut_off(tries, fault, is_one):
    """Not what came during it: that waits for its end."""
    ledger = MockLedger()
    ledger.away = [(fault, fault + 1)]
    assert wrong(ledger, NEW, *ALL[:3], *((at, "try") for at in tries), LOST, *ALL[3:]) == (
        [] if is_one else ["not recovered, without an excuse"])


@pytest.mark.parametrize("known, tried, is_one", [
    ([], 3.4, True), ([("again", 2.3)], 3.4, False), ([("again", 3.25)], 3.4, True),
    ([("again", 3.1)], 3.4, False), ([("again", 3.1)], 3.2, True), ([("new", 0)], 3.4, True)])
def test_what_heard_nothing_and_was_not_known_yet_is_not_recovered(known, tried, is_one):
    ledger = MockLedger()
    ledger.known = known
    again, tries = (2.25, "open", False, False, "again"), [(tried, "try"), (3.45, "try")]
    assert wrong(ledger, NEW, *ALL[:2], again, *tries, LOST,
                 *ALL[3:]) == ([] if is_one else ["not recovered, without an excuse"])
    assert wrong(ledger, NEW, again, *ALL[:2], LOST,
                 *ALL[3:]) == ["not recovered, without an excuse"]


def test_after_an_outage_an_excuse_may_be_as_old_as_the_read_before_it():
    """What is received then has the place of that read."""
    ledger = MockLedger()
    ledger.changes = [(0.2, 0.3, None)]
    assert wrong(ledger, NEW, *ALL[:3], LOST, *ALL[3:]) == ["not recovered, without an excuse"]
    ledger.away = [(0.9, 1.1), (1.2, 2.9)]
    assert not wrong(ledger, NEW, *ALL[:3], LOST, *ALL[3:])


def test_of_a_page_that_gets_no_offset():
    one = client(NEW, *ALL)
    one.unmarked = [(2.5, "x", "text"), (3.5, "x", "-")]
    ledger = MockLedger()
    assert ledger.oracle().judge(one)[0].startswith("received without an offset: 2 of 5")
    ledger.crashes = [(3.0, 3.4)]
    assert ledger.oracle().judge(one)[0].startswith("received without an offset: 1 of 5")
    one.unmarked.pop(0)
    assert not ledger.oracle().judge(one)


TRY = (10.0, "try")


@pytest.mark.parametrize("story, expected", [
    ([TRY, (10.1, 11), (10.2, 12)], []),
    ([TRY, (10.1, 11), (10.2, 12), (13.1, 12)], []),  # repeated, until it is acknowledged
    ([TRY, (10.1, 12), (10.2, 11)], ["instructions out of order"]),
    ([TRY, (10.1, 11), (10.2, 12), (20.0, "try"), (20.1, 12)],
     ["told again after its acknowledgement"]),
    ([TRY, (10.1, 11), (18.0, 11), (18.1, 12)], ["told again after its acknowledgement"]),
], ids=["all", "repeated", "out of order", "again at a later connection", "again"])
def test_of_instructions(story, expected):
    ledger = MockLedger()
    ledger.instruction(11, 8.0, 10.2)
    ledger.instruction(12, 9.0, 13.2)
    assert wrong(ledger, *story) == expected


def test_of_instructions_that_nobody_has_heard():
    ledger = MockLedger()
    ledger.instruction(11, 8.0, None)
    oracle = ledger.oracle()
    assert not list(oracle.undone([client(TRY, (10.1, 11))]))
    assert [text.split(":")[1] for text in oracle.undone([client(TRY)])] == [" instructions lost"]
