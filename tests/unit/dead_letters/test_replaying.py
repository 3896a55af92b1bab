from __future__ import annotations

from collections.abc import Sequence

import pytest

from stream.dead_letters import replaying
from stream.dead_letters.replaying import Comeback, Limits, Replayer, Replays
from stream.dead_letters.report import Order, report
from stream.errors import PublishFailed
from stream.kafka.records import OutRecord
from stream.letters import Letter, letter_of
from stream.topics import EVENTS, READ, REPLAYS, dead_letter_name
from tests.unit.builders import NOON_MS, Record
from tests.unit.dead_letters.letters import make_letter

DEAD_LETTERS = dead_letter_name(EVENTS.name)
PARTITIONS = {spec.name: 4 for spec in (*READ, REPLAYS)}


class Topics:
    """Keeps what is published; refuses a topic that is *broken*."""

    def __init__(self, *, broken: str = "") -> None:
        self.records: list[OutRecord] = []
        self._broken = broken

    async def publish(self, records: Sequence[OutRecord]) -> None:
        if any(record.topic == self._broken for record in records):
            raise PublishFailed("the broker is gone")
        self.records.extend(records)

    def sent(self) -> list[OutRecord]:
        return [record for record in self.records if record.topic != REPLAYS.name]


def make_replayer(
    topics: Topics | None,
    replays: Replays | None = None,
    *,
    max_replays: int = 3,
    again: bool = False,
    max_bytes: int = 100_000,
) -> Replayer:
    limits = Limits(max_replays, again, PARTITIONS, max_bytes)
    return Replayer(topics, replays or Replays(), limits)


def came_back(record: OutRecord, offset: int) -> Letter:
    """What becomes of *record* when it is set aside once more."""
    return make_letter(record.value, key=record.key, headers=tuple(record.headers), offset=offset)


async def test_original_is_sent_and_then_remembered() -> None:
    topics = Topics()
    replayer = make_replayer(topics)

    await replayer.take([make_letter(headers=[("trace", b"1")])])

    [sent, noted] = topics.records
    assert sent == OutRecord(
        EVENTS.name, 2, b"ann", b"not JSON", (("trace", b"1"), ("dl-replays", b"1"))
    )
    assert (noted.topic, noted.partition) == (REPLAYS.name, 2)
    assert replayer.outcome.sent == {EVENTS.name: 1}


async def test_dry_run_sends_nothing_and_counts_the_same() -> None:
    replayer = make_replayer(None)

    await replayer.take([make_letter(offset=1), make_letter(offset=2), make_letter(offset=2)])

    assert (replayer.outcome.sent, replayer.outcome.n_before) == ({EVENTS.name: 2}, 1)


async def test_what_an_earlier_run_sent_is_sent_again_only_when_asked() -> None:
    topics, replays = Topics(), Replays()
    letter = make_letter()
    await make_replayer(topics, replays).take([letter])

    second, third = make_replayer(topics, replays), make_replayer(topics, replays, again=True)
    await second.take([letter])
    await third.take([letter])

    assert (second.outcome.n_before, second.outcome.sent.total()) == (1, 0)
    assert third.outcome.sent.total() == 1
    assert [dict(record.headers)["dl-replays"] for record in topics.sent()] == [b"1", b"2"]


async def test_asking_again_and_again_ends_as_well() -> None:
    topics, replays = Topics(), Replays()

    replayers = [make_replayer(topics, replays, again=True) for _ in range(9)]
    for replayer in replayers:
        await replayer.take([make_letter()])

    assert len(topics.sent()) == 3
    assert replayers[-1].outcome.refused == {replaying.TOO_OFTEN: 1}


@pytest.mark.parametrize("again", [False, True])
async def test_two_letters_of_one_record_are_sent_as_one(again: bool) -> None:
    topics = Topics()
    replayer = make_replayer(topics, again=again)

    await replayer.take([make_letter(letter_offset=8), make_letter(letter_offset=9)])
    await replayer.take([make_letter(letter_offset=10)])

    assert len(topics.sent()) == 1
    assert replayer.outcome.n_before == 2


async def test_record_of_a_topic_created_again_is_another_one() -> None:
    topics = Topics()
    letters = []
    for at_ms in (NOON_MS, NOON_MS + 1):
        story = {
            "dl-topic": EVENTS.name,
            "dl-partition": "2",
            "dl-offset": "3",
            "dl-at": f"{at_ms}",
        }
        headers = [(key, text.encode()) for key, text in story.items()]
        letters.append(letter_of(Record(b"", headers=headers), DEAD_LETTERS, 2))

    await make_replayer(topics).take(letters)

    assert len(topics.sent()) == 2


@pytest.mark.parametrize("max_replays", [1, 3])
async def test_record_that_comes_back_each_time_is_sent_so_often_and_no_more(
    max_replays: int,
) -> None:
    topics, letter, replays = Topics(), make_letter(), Replays()
    replayers = [make_replayer(topics, replays, max_replays=max_replays) for _ in range(9)]
    for offset, replayer in enumerate(replayers, start=20):
        await replayer.take([letter])
        if replayer.outcome.sent:
            letter = came_back(topics.sent()[-1], offset)

    assert len(topics.sent()) == max_replays
    assert replayers[-1].outcome.refused == {replaying.TOO_OFTEN: 1}


@pytest.mark.parametrize(
    ("letter", "refusal"),
    [
        (make_letter(b"v" * 5_000, max_bytes=3_000), replaying.CUT),
        (make_letter(headers=[("unreadable", b"")]), replaying.UNREADABLE),
        (make_letter(headers=[("dl-replays", b"3")]), replaying.TOO_OFTEN),
        (make_letter(partition=4), replaying.NO_PARTITION),
        (make_letter(b"v" * 6_000), replaying.TOO_LARGE),
        (letter_of(Record(b"x"), DEAD_LETTERS, 0), replaying.NO_STORY),
    ],
)
async def test_letter_that_cannot_be_sent_is_refused_and_holds_up_no_other(
    letter: Letter, refusal: str
) -> None:
    topics = Topics()
    replayer = make_replayer(topics, max_bytes=5_000)

    await replayer.take([letter, make_letter(offset=99)])

    assert replayer.outcome.refused == {refusal: 1}
    assert len(topics.sent()) == 1


async def test_what_was_not_confirmed_is_not_counted_as_sent() -> None:
    replayer = make_replayer(Topics(broken=EVENTS.name))

    with pytest.raises(PublishFailed):
        await replayer.take([make_letter()])
    replayer.outcome.failure = "gone"

    assert list(report(replayer.outcome, Comeback(), Order(max_replays=3))) == [
        "sent           0",
        "not confirmed  1 more may have been sent: a second run sends them again",
        "stopped        gone",
    ]


async def test_what_was_sent_and_not_noted_down_is_said() -> None:
    topics = Topics(broken=REPLAYS.name)
    replayer = make_replayer(topics)

    with pytest.raises(PublishFailed):
        await replayer.take([make_letter()])
    replayer.outcome.failure = "the broker\x1b is gone"

    told = list(report(replayer.outcome, Comeback(), Order(max_replays=3, wait_s=5)))
    assert len(topics.sent()) == 1
    assert told == [
        "sent           0",
        "not noted      1 more were sent and not noted down: a second run sends them again",
        "stopped        the broker\\x1b is gone",
    ]


async def test_record_that_came_back_is_known_again_and_no_other() -> None:
    topics, comeback = Topics(), Comeback()
    planned = await make_replayer(topics).take([make_letter(b"a"), make_letter(b"b", offset=4)])
    comeback.expect(planned)
    first, second = topics.sent()

    for other in (make_letter(b"a"), make_letter(b"c"), letter_of(Record(b"a"), DEAD_LETTERS, 2)):
        comeback.take(other)
    assert not comeback.reasons
    for letter in (came_back(first, offset=40), came_back(first, offset=41)):
        comeback.take(letter)
    assert comeback.reasons == {(EVENTS.name, "InvalidEvent"): 1}
    assert not comeback.is_complete
    comeback.take(came_back(second, offset=42))
    assert comeback.is_complete


async def test_report_says_what_went_through_and_what_did_not() -> None:
    replayer, comeback = make_replayer(Topics()), Comeback()
    planned = await replayer.take(
        [make_letter(), make_letter(), make_letter(headers=[("dl-replays", b"9")], offset=7)]
    )
    comeback.expect(planned)
    comeback.take(came_back(planned[0].record, offset=40))

    told = list(report(replayer.outcome, comeback, Order(max_replays=3, wait_s=5)))

    assert told == [
        "sent           1 to store.events.v1",
        "skipped        1: replayed before (--again sends them again)",
        "refused        1: it was sent again as often as --max-replays allows",
        "came back      1 within 5 s",
        "               1 of store.events.v1: InvalidEvent",
    ]


def test_nothing_sent_is_said_too() -> None:
    replayer = make_replayer(None)

    told = list(report(replayer.outcome, Comeback(), Order(max_replays=3, dry_run=True, wait_s=5)))

    assert told == ["would be sent  0"]
