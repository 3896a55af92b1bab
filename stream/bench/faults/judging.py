"""What must hold once all is settled, whatever happened meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from stream.bench.faults.books import Books
from stream.bench.faults.folding import Fold, Products, Sessions, differences, without_alerts
from stream.domain.outputs import StockAlert, alert_id
from stream.domain.products import Product, is_sold_out
from stream.state import products as stored_products
from stream.state import sessions as stored_sessions
from stream.topics import PRODUCTS_CHANGELOG, SESSIONS_CHANGELOG


@dataclass(frozen=True, slots=True)
class Verdict:
    """What does not hold, one line each.

    Attributes:
        lost: Records that are owed an answer or a dead letter and have neither; order lines that
            moved no product; outputs about what was never sent.
        state_mismatches: Sessions and products that are not what the input folds to.
        missing_transitions: Revisions of alerts that state remembers and nobody was told, and
            empty shelves whose last alert does not say so.
    """

    lost: list[str] = field(default_factory=list)
    state_mismatches: list[str] = field(default_factory=list)
    missing_transitions: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """All of it."""
        return [*self.lost, *self.state_mismatches, *self.missing_transitions]


def judged(books: Books) -> Verdict:
    """Return what does not hold of a run whose outputs and state were read to their ends."""
    products = _products(books)
    said = {id_: told.keys() for id_, told in books.alerts.items()}
    lost = [f"{place} is neither answered nor set aside" for place in books.unaccounted()]
    lost += [f"{line} moved nothing" for line in books.lines.unmoved()]
    if n_unread := books.n_unread():
        lost.append(f"{n_unread} outputs are about records that were never sent")
    return Verdict(
        lost,
        mismatches(books.fold, _sessions(books), products),
        [*unsaid(products, said), *untold(products, books.last_alert)],
    )


def mismatches(fold: Fold, sessions: Sessions, products: Products) -> list[str]:
    """Say where what is stored is not what the input folds to."""
    return [
        *differences(sessions, fold.sessions),
        *differences(without_alerts(products), fold.products),
    ]


def unsaid(products: Products, said: Mapping[str, Collection[int]]) -> Iterator[str]:
    """Yield the messages that state remembers, each revision of each situation, and nobody got.

    *said* has the revisions of each alert that were published.
    """
    for (_, product_id), product in products.items():
        for state in product.alerts:
            id_ = alert_id(product_id, state.known_since_day, state.episode, state.situation)
            for revision in range(1, state.revision + 1):
                if revision not in said.get(id_, ()):
                    of = f"{state.situation} {state.episode}"
                    yield f"{product_id}: revision {revision} of {of} is not said"


def untold(products: Products, last: Mapping[str, StockAlert]) -> Iterator[str]:
    """Yield the products that are sold out and of which no open alert says so.

    *last* has the last alert about a shortage of each product.
    """
    for (_, product_id), product in products.items():
        if is_sold_out(product) and product.demand and not _says_empty(last.get(product_id)):
            yield f"{product_id} is sold out, last alert: {last.get(product_id)}"


def _says_empty(alert: StockAlert | None) -> bool:
    if alert is None or alert.status == "resolved":
        return False
    return alert.kind in ("out_of_stock", "oversold")


def _sessions(books: Books) -> Sessions:
    return {
        (partition, key.decode()): stored_sessions.load(value)
        for (topic, partition), stored in books.stored.items()
        if topic == SESSIONS_CHANGELOG.name
        for key, value in stored.items()
    }


def _products(books: Books) -> dict[tuple[int, str], Product]:
    return {
        (partition, key.decode()): stored_products.load(value)
        for (topic, partition), stored in books.stored.items()
        if topic == PRODUCTS_CHANGELOG.name
        for key, value in stored.items()
    }
