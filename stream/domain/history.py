"""What the recommender reads of a session."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from operator import ne
from typing import NamedTuple, TypeVar

from stream.domain.sessions import DRAWN_TO, Session
from stream.domain.trail import Kind

T = TypeVar("T")


class History(NamedTuple):
    """Products acted on, oldest first, and what was done with each; as many of the one as of the other."""

    products: Sequence[str]
    kinds: Sequence[int]


def history_of(session: Session) -> History:
    """Return the acts that say what a visitor is drawn to, at most ``MAX_ITEMS``.

    What was looked at and bought later is bought: the look is left out. A run of acts on one product
    (viewed, added) is its last one: it is one interest, and repeating it would push older ones out.
    """
    products: Sequence[str] = session.trail.products
    kinds: Sequence[int] = session.trail.kinds
    if not session.trail.has_only(DRAWN_TO):
        products, kinds = _those(products, kinds, [kind in DRAWN_TO for kind in kinds])
    return read(products, kinds)


def read(products: Sequence[str], kinds: Sequence[int]) -> History:
    """Return of acts in columns, oldest first, those that the model reads, as ``history_of`` has it."""
    if Kind.PURCHASE in kinds:
        products, kinds = _those(products, kinds, _not_bought_later(products, kinds))
    return History(*without_runs(products, kinds))


def without_runs(acted_on: Sequence[T], kinds: Sequence[int]) -> tuple[list[T], list[int]]:
    """Return acts in columns with each run of acts on one product as its last act."""
    ends = [*map(ne, acted_on, acted_on[1:]), True]
    return [*compress(acted_on, ends)], [*compress(kinds, ends)]


def _not_bought_later(products: Sequence[str], kinds: Sequence[int]) -> list[bool]:
    bought = set[str]()
    kept = []
    for product_id, kind in zip(reversed(products), reversed(kinds), strict=True):
        kept.append(kind == Kind.PURCHASE or product_id not in bought)
        if kind == Kind.PURCHASE:
            bought.add(product_id)
    return kept[::-1]


def _those(products: Sequence[str], kinds: Sequence[int], kept: Sequence[bool]) -> History:
    return History([*compress(products, kept)], [*compress(kinds, kept)])
