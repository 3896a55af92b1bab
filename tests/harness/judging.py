"""What must hold of a store's topics once all is settled, whatever happened to its workers.

What state must be, and what alerts must have said, is judged as ``storestream bench faults`` does.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

import msgspec

from stream.bench.faults.folding import Fold
from stream.bench.faults.judging import mismatches, unsaid, untold
from stream.domain.events import StockMovement
from stream.topics import EVENTS, INPUTS, ORDERS, STOCK_MOVEMENTS
from tests.harness.events import N_PARTITIONS
from tests.harness.store import Sent, Store

_decode_movement = msgspec.json.Decoder(StockMovement).decode


def losses(store: Store, sent: Sequence[Sent]) -> list[str]:
    """Say what is missing or counted twice, of *sent* and of all that it led to.

    *sent* are valid, and the visitors' events among them are all owed an answer.
    """
    owed = [each for each in sent if each.place.topic in {EVENTS.name, ORDERS.name}]
    products, alerts = store.products(), store.alerts()
    said: defaultdict[str, set[int]] = defaultdict(set)
    for alert in alerts:
        said[alert.alert_id].add(alert.revision)
    return [
        *(f"{place} is not answered" for place in store.unanswered(owed)),
        *mismatches(folded(store), store.sessions(), products),
        *untold(products, {a.product_id: a for a in alerts if a.situation == "shortage"}),
        *unsaid(products, said),
    ]


def folded(store: Store) -> Fold:
    """Return what the input topics, as they were read, fold to."""
    fold, epochs = Fold(N_PARTITIONS), store.epochs()
    for topic in INPUTS:
        for partition, record in store.records(topic):
            value, epoch = record.value or b"", epochs[topic.name]
            fold.take(topic.name, partition, record.offset, epoch=epoch, value=value)
    return fold


def repeats(store: Store) -> list[Hashable]:
    """Return what was published more than once: answers to a record, order lines, alerts."""
    said: Counter[Hashable] = Counter()
    for answer in store.answers():
        said[answer.decoded.recommendation_id] += 1
    for _, record in store.records(STOCK_MOVEMENTS):
        origin = _decode_movement(record.value or b"").origin
        said[origin.partition, origin.offset, origin.line] += 1
    for alert in store.alerts():
        said[alert.alert_id, alert.revision] += 1
    return [what for what, n_times in said.items() if n_times > 1]
