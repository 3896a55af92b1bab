from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.demo.reading import TopicsReader
from stream.kafka.administration import Topic, create_topics
from stream.kafka.producer import BulkProducer
from stream.kafka.records import OutRecord
from tests.harness.brokers import broker_in

pytestmark = pytest.mark.broker


@pytest.fixture
def bootstrap(tmp_path: Path) -> Iterator[str]:
    broker = broker_in(tmp_path)
    broker.start()
    try:
        create_topics([broker.bootstrap], [Topic("kept", 2, 1), Topic("empty", 2, 1)])
        yield broker.bootstrap
    finally:
        broker.stop()


async def append(bootstrap: str, n_records: int) -> None:
    producer = BulkProducer([bootstrap], client_id="test")
    await producer.start()
    try:
        records = [OutRecord("kept", i % 2, b"k", str(i).encode()) for i in range(n_records)]
        await producer.publish(records)
    finally:
        await producer.stop()


def count(reader: TopicsReader) -> int:
    return sum(len(chunk.records) for chunk in reader.rest())


async def test_batches_of_many_records_are_read_to_their_last_one(bootstrap: str) -> None:
    await append(bootstrap, 3_001)

    assert count(TopicsReader(bootstrap, {"kept": 2, "empty": 2})) == 3_001


async def test_only_what_is_new_is_read_again_also_after_nothing(bootstrap: str) -> None:
    reader = TopicsReader(bootstrap, {"kept": 2, "empty": 2})
    counts = [count(reader)]
    for n_records in (5, 700):
        await append(bootstrap, n_records)
        counts.append(count(reader))

    assert counts == [0, 5, 700]
    assert count(reader) == 0


async def test_reading_to_the_end_logs_no_error(
    bootstrap: str, caplog: pytest.LogCaptureFixture
) -> None:
    await append(bootstrap, 5)
    reader = TopicsReader(bootstrap, {"kept": 2, "empty": 2})

    for _ in range(3):
        count(reader)

    assert [entry.getMessage() for entry in caplog.records if entry.levelname == "ERROR"] == []
