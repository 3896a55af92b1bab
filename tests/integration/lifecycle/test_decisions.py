from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.domain.rollouts import Rollout, first, promoted
from stream.errors import DecisionOvertaken, TopicMismatch
from stream.kafka.producer import BulkProducer
from stream.kafka.records import OutRecord
from stream.lifecycle.decisions import Decisions
from stream.local.local_broker import LocalBroker
from stream.settings import Settings
from stream.topics import MODEL_ROLLOUTS
from tests.harness.brokers import broker_in
from tests.harness.store import Store

pytestmark = pytest.mark.broker

FIRST = first("recommender", "1", decided_at_ms=0)


@pytest.fixture
def decisions(store: Store) -> Decisions:
    return Decisions(Settings(bootstrap_servers=store.bootstrap))


@pytest.fixture
def empty_broker(tmp_path: Path) -> Iterator[LocalBroker]:
    started = broker_in(tmp_path)
    started.start()
    yield started
    started.stop()


async def test_the_last_readable_decision_of_each_model_holds(
    store: Store, decisions: Decisions
) -> None:
    other = Rollout(model="forecaster", revision=1, version="7", decided_at_ms=0)
    second = promoted(FIRST, "2", decided_at_ms=1)

    before = await decisions.all()
    await decisions.publish(FIRST, after=None)
    await decisions.publish(second, after=FIRST)
    await decisions.publish(other, after=None)
    await disturb(store.bootstrap)

    assert before == {}
    assert await decisions.all() == {"recommender": second, "forecaster": other}

    with pytest.raises(DecisionOvertaken, match="revision 2 holds by now"):
        await decisions.publish(promoted(FIRST, "3", decided_at_ms=2), after=FIRST)

    assert await decisions.of("recommender") == second


async def disturb(bootstrap: str) -> None:
    """Append what is no decision, in every partition."""
    producer = BulkProducer([bootstrap], client_id="test")
    await producer.start()
    await producer.publish(
        [OutRecord(MODEL_ROLLOUTS.name, n, b"recommender", b'{"model":') for n in range(4)]
    )
    await producer.stop()


def test_a_broker_without_the_topic_is_told_what_to_run(empty_broker: LocalBroker) -> None:
    with pytest.raises(TopicMismatch, match="storestream topics create"):
        Decisions(Settings(bootstrap_servers=empty_broker.bootstrap))
