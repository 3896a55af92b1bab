"""What is set aside, seen and sent back from the command line, with a worker beside it."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from stream.codec import dead_letter
from stream.dead_letters.box import LetterBox
from stream.dead_letters.choice import Choice
from stream.dead_letters.replay_command import Replaying
from stream.dead_letters.report import Order
from stream.domain.events import Item
from stream.errors import InvalidEvent
from stream.kafka.records import InRecord, OutRecord, Place
from stream.local.broker import EmbeddedBroker
from stream.settings import Settings
from stream.topics import EVENTS, ORDERS, REPLAYS, STOCK_LEVELS, STOCK_MOVEMENTS, dead_letter_name
from tests.harness.events import order, raw
from tests.harness.store import DeadLetter, Store
from tests.harness.worker import Worker
from tests.unit.builders import Record

pytestmark = [pytest.mark.broker, pytest.mark.slow]

KEY = b"ann"
HOSTILE = b'\x1b[2J{"type":\xff\x9b\r'
TRACE = (("trace", b"abc"), ("bytes", b"\xff\x00"))
MAX_EVENT_BYTES = 2 * 1024
#: Longer than the worker takes to set a record aside, with much to spare; it ends before that.
WAIT_S = "30"


def strict(store: Store, folder: Path) -> Worker:
    """Start a worker that takes small events only."""
    return Worker(folder, store.bootstrap, triton=None, max_event_bytes=MAX_EVENT_BYTES)


@pytest.fixture
def strict_worker(store: Store, tmp_path: Path) -> Iterator[Worker]:
    with strict(store, tmp_path) as started:
        yield started.wait_ready()


def dead_letters(bootstrap: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stream", "dead-letters", *arguments],
        check=False,
        env={**os.environ, "STORESTREAM_BOOTSTRAP_SERVERS": bootstrap},
        capture_output=True,
        text=True,
        timeout=120,
    )


def bad(n: int) -> OutRecord:
    """No event, and nothing that a terminal should see."""
    return replace(raw(EVENTS, HOSTILE + b"%d" % n, key=KEY), headers=TRACE)


def source_records(store: Store, value: bytes | None) -> list[InRecord]:
    store.read()
    return [record for _, record in store.records(EVENTS) if record.value == value]


def replays_of(letters: list[DeadLetter]) -> Counter[str]:
    return Counter(letter.headers.get("dl-replays", "0") for letter in letters)


def letters_of(store: Store, *values: bytes | None) -> list[DeadLetter]:
    store.read()
    return [letter for letter in store.dead_letters() if letter.value in values]


def n_replayed(store: Store) -> int:
    """Return how many letters are listed as sent again."""
    listed = dead_letters(store.bootstrap, "list", "--topic", EVENTS.name, "--json")
    return sum(group["replayed"] for group in json.loads(listed.stdout)["groups"])


def at(place: Place) -> str:
    return f"{place.topic}[{place.partition}]@{place.offset}"


def set_aside(store: Store, *records: OutRecord) -> list[Place]:
    """Publish *records* and return their places once each is a dead letter."""
    places = [sent.place for sent in store.publish(*records)]
    store.until(
        lambda: {letter.source for letter in store.dead_letters()} >= set(places),
        "all are set aside",
    )
    return places


def test_record_that_comes_back_is_counted_and_refused_at_last(
    store: Store, strict_worker: Worker
) -> None:
    values = [bad(n).value for n in range(3)]
    set_aside(store, *map(bad, range(3)))

    first, second, third = (
        dead_letters(store.bootstrap, "replay", "--max-replays", "2", "--wait", WAIT_S)
        for _ in range(3)
    )

    assert (first.returncode, first.stdout.splitlines()) == (
        1,
        [
            "sent           3 to store.events.v1",
            "came back      3 within 30 s",
            "               3 of store.events.v1: InvalidEvent",
        ],
    ), first.stderr
    assert "skipped        3: replayed before" in second.stdout
    assert "sent           3 to store.events.v1" in second.stdout
    assert third.returncode == 1
    assert "sent           0" in third.stdout
    assert "skipped        6: replayed before" in third.stdout
    assert "refused        3: it was sent again as often as --max-replays allows" in third.stdout
    assert replays_of(letters_of(store, *values)) == {"0": 3, "1": 3, "2": 3}


def test_record_sent_again_is_the_original_with_one_header_more(
    store: Store, strict_worker: Worker
) -> None:
    [place] = set_aside(store, bad(100))
    n_before = n_replayed(store)

    dead_letters(store.bootstrap, "replay")

    shown = dead_letters(store.bootstrap, "show", at(place))
    assert "0 before it was set aside; sent again since, as number 1" in shown.stdout
    assert n_replayed(store) > n_before
    original, *sent_again = source_records(store, bad(100).value)
    assert original.offset == place.offset
    assert [(record.key, tuple(record.headers)) for record in sent_again] == [
        (KEY, (*TRACE, ("dl-replays", b"1")))
    ]


def test_what_is_mended_goes_through(store: Store, tmp_path: Path) -> None:
    small = order("bea", Item("p1", quantity=1))
    large = replace(small, value=(small.value or b"")[:-1] + b',"more":"%s"}' % (b"x" * 3_000))
    with strict(store, tmp_path) as worker:
        worker.wait_ready()
        set_aside(store, large)
        worker.terminate()
        worker.wait_ended()

    with Worker(tmp_path, store.bootstrap, triton=None) as lenient:
        lenient.wait_ready()
        done = dead_letters(store.bootstrap, "replay", "--topic", ORDERS.name, "--wait", "3")
        store.settle()

    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        ["sent           1 to store.orders.v1", "came back      0 within 3 s"],
    ), done.stderr
    visitors = [answer.decoded.visitor_id for answer in store.answers()]
    assert visitors.count("bea") == 1


def test_list_counts_by_topic_and_reason_and_show_shows_what_it_names(
    store: Store, strict_worker: Worker
) -> None:
    [place] = set_aside(store, replace(raw(STOCK_LEVELS, HOSTILE, key=KEY), headers=TRACE))

    listed = dead_letters(
        store.bootstrap, "list", "--topic", STOCK_LEVELS.name, "--since", "10m", "--json"
    )
    table = dead_letters(store.bootstrap, "list", "--topic", STOCK_LEVELS.name)
    [group] = json.loads(listed.stdout)["groups"]
    shown = dead_letters(store.bootstrap, "show", group["example"])
    by_letter = dead_letters(store.bootstrap, "show", shown.stdout.splitlines()[0])

    assert (group["topic"], group["reason"], group["letters"]) == (
        STOCK_LEVELS.name,
        "InvalidEvent",
        1,
    )
    assert group["example"] == at(place)
    assert all(part in table.stdout for part in ("InvalidEvent", group["example"]))
    assert shown.returncode == 0
    assert "trace: abc" in shown.stdout
    assert r'\x1b[2J{"type":\xff\x9b\r' in shown.stdout
    assert shown.stdout.replace("\n", "").isprintable()
    assert by_letter.stdout == shown.stdout


def test_letters_are_shown_by_topic_reason_and_time(store: Store, strict_worker: Worker) -> None:
    places = [at(set_aside(store, raw(STOCK_LEVELS, b"%d" % n, key=KEY))[0]) for n in (1, 2)]
    chosen = "show", "--topic", STOCK_LEVELS.name, "--reason", "InvalidEvent"

    both = dead_letters(store.bootstrap, *chosen, "--since", "10m")
    first = dead_letters(store.bootstrap, *chosen, "--limit", "1")
    of_another_reason = dead_letters(store.bootstrap, *chosen[:-1], "RefusedRow")
    of_before = dead_letters(store.bootstrap, *chosen, "--until", "10m")
    and_a_place = dead_letters(store.bootstrap, *chosen, places[0])

    assert both.returncode == 0
    assert [place in both.stdout for place in places] == [True, True]
    assert first.stdout.count("  source ") == 1
    assert "there are more than 1" in first.stderr
    assert [(done.returncode, done.stdout) for done in (of_another_reason, of_before)] == 2 * [
        (1, "")
    ]
    assert and_a_place.returncode == 2


def test_letter_that_is_not_there_is_said(store: Store) -> None:
    done = dead_letters(
        store.bootstrap, "show", "store.stock-levels.v1[1]@777", "store.orders.v1[3000]@7"
    )

    assert done.returncode == 1
    assert done.stderr.count("no dead letter of it is kept") == 2


def test_dry_run_sends_nothing_and_a_filter_leaves_the_others(
    store: Store, strict_worker: Worker
) -> None:
    set_aside(store, bad(200))
    n_before = len(source_records(store, bad(200).value))

    dry = dead_letters(store.bootstrap, "replay", "--dry-run", "--reason", "InvalidEvent")
    other = dead_letters(store.bootstrap, "replay", "--reason", "RefusedRow")
    early = dead_letters(store.bootstrap, "replay", "--until", "1d")

    assert "would be sent" in dry.stdout
    assert "to store.events.v1" in dry.stdout
    assert [done.stdout for done in (other, early)] == ["sent           0\n"] * 2
    assert len(source_records(store, bad(200).value)) == n_before
    assert (
        dead_letters(store.bootstrap, "replay", "--topic", EVENTS.name, "--since", "1m").stdout
        != ""
    )
    assert len(source_records(store, bad(200).value)) == n_before + 1
    assert len(store.records(REPLAYS)) > 0


def test_what_the_broker_refuses_ends_the_run_and_is_reported(store: Store) -> None:
    source = STOCK_MOVEMENTS.name
    why = InvalidEvent(source, 7, 3, "malformed")
    lost = dead_letter(Record(b"x"), source, 7, why)
    store.publish(OutRecord(dead_letter_name(source), 0, lost.key, lost.value, lost.headers))
    settings = Settings(bootstrap_servers=store.bootstrap)
    box = LetterBox(settings)
    # As if the topic had lost partitions since it was asked.
    box.partitions[source] = 8
    out = io.StringIO()

    replaying = Replaying(settings, box, Order(max_replays=3), Console(file=out, width=200))
    code = asyncio.run(replaying.run(Choice(topic=source)))

    assert code == 1
    assert out.getvalue().splitlines() == [
        "sent           0",
        "not confirmed  1 more may have been sent: a second run sends them again",
        "stopped        store.stock-movements.v1[7]: the topic has 4 partitions",
    ]


def test_broker_that_lacks_the_topics_or_is_not_there_is_said(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path)
    broker.start()
    without_topics = dead_letters(broker.bootstrap, "list")
    broker.stop()
    gone = dead_letters(broker.bootstrap, "list")

    assert (without_topics.returncode, gone.returncode) == (2, 2)
    assert "`storestream topics create`" in without_topics.stderr
    assert "No broker answers" in gone.stderr
    assert "Traceback" not in without_topics.stderr + gone.stderr
