"""What must hold of a store's topics once all is settled, whatever happened to its workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

import msgspec

from stream.domain.events import StockMovement
from stream.domain.outputs import StockAlert, alert_id
from stream.domain.products import is_sold_out
from stream.topics import EVENTS, ORDERS, STOCK_MOVEMENTS
from tests.harness.folding import differences, fold, without_alerts
from tests.harness.store import Sent, Store

_decode_movement = msgspec.json.Decoder(StockMovement).decode


def losses(store: Store, sent: Sequence[Sent]) -> list[str]:
    """Say what is missing or counted twice, of *sent* and of all that it led to.

    *sent* are valid, and the visitors' events among them are all owed an answer.
    """
    owed = [each for each in sent if each.place.topic in {EVENTS.name, ORDERS.name}]
    sessions, products = fold(store)
    return [
        *(f"{place} is not answered" for place in store.unanswered(owed)),
        *differences(store.sessions(), sessions),
        *differences(without_alerts(store.products()), products),
        *_untold(store),
        *_unsaid(store),
    ]


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


def _untold(store: Store) -> Iterator[str]:
    """Yield the products that are sold out and of which no open alert says so."""
    last = {alert.product_id: alert for alert in store.alerts()}
    for (_, product_id), product in store.products().items():
        if is_sold_out(product) and product.demand and not _says_empty(last.get(product_id)):
            yield f"{product_id} is sold out, last alert: {last.get(product_id)}"


def _says_empty(alert: StockAlert | None) -> bool:
    return alert is not None and alert.kind == "out_of_stock" and alert.status != "resolved"


def _unsaid(store: Store) -> Iterator[str]:
    """Yield the messages that state remembers, each revision of each shortage, and nobody got."""
    said = {(alert.alert_id, alert.revision) for alert in store.alerts()}
    for (_, product_id), product in store.products().items():
        state = product.alert
        if state is None:
            continue
        id_ = alert_id(product_id, state.known_since_day, state.episode)
        for revision in range(1, state.revision + 1):
            if (id_, revision) not in said:
                yield f"{product_id}: revision {revision} of shortage {state.episode} is not said"
