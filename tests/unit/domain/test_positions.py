"""The position is what all events come to, however they arrive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stream.domain import changes
from stream.domain.applied import Source
from stream.domain.events import (
    Delivery,
    PositionFact,
    StockAdjusted,
    StockLevelSet,
    StockMovement,
    StockOrdered,
    StockReceived,
)
from stream.domain.product_folding import apply_level, apply_movement
from stream.domain.products import (
    Product,
    available,
    deliveries,
    demand_window,
    inbound,
    on_hand,
    reserved,
)
from tests.unit.builders import NOON_MS, TODAY, levels_at, make_level, make_movement
from tests.unit.builders import deliveries as delivered

LOCATIONS = ("Graz", "Wien", None)
MINUTE_MS = 60_000

Fact = StockMovement | tuple[PositionFact, Source]


# --- Any order, repeat and delay ---------------------------------------------------------------

AT_MS = st.integers(-2_000, 2_000).map(lambda n: NOON_MS + n * MINUTE_MS)
UNITS = st.integers(1, 9)
PLACE = st.sampled_from(LOCATIONS)


@st.composite
def level_events(draw: st.DrawFn) -> PositionFact:
    """An event of the stock levels topic, as of some time within three days."""
    at_ms, units, kind = draw(AT_MS), draw(UNITS), draw(st.sampled_from("cccroa"))
    about: dict[str, Any] = {
        "event_id": f"{kind}{draw(st.integers(0, 30))}",
        "occurred_at_ms": at_ms,
        "product_id": "milk",
        "location": draw(PLACE),
    }
    if kind == "c":
        due = tuple(Delivery(draw(UNITS), NOON_MS + 10**9 + at_ms % 97) for _ in range(units % 3))
        return StockLevelSet(
            **about, on_hand=10 * units, reserved=units // 2, inbound=units, deliveries=due
        )
    if kind == "r":
        return StockReceived(**about, quantity=units)
    if kind == "o":
        due_ms = draw(st.none() | st.just(NOON_MS + 10**9 + units))
        return StockOrdered(**about, quantity=units, expected_at_ms=due_ms)
    return StockAdjusted(**about, difference=5 - units, reserved_difference=units - 5)


@st.composite
def order_lines(draw: st.DrawFn) -> StockMovement:
    """A sale, a cancellation or a return, as of some time within three days."""
    at_ms, cause = draw(AT_MS), draw(st.sampled_from(("order", "order", "return")))
    units = draw(UNITS) if cause == "return" else draw(st.integers(-9, 3).filter(bool))
    movement = make_movement(units=units, occurred_at_ms=at_ms)
    return replace(movement, location=draw(PLACE), cause=cause)


@dataclass(frozen=True)
class Book:
    """What all facts come to, worked out at once: the latest counts, and each later change once."""

    facts: Sequence[Fact]

    @property
    def once(self) -> list[tuple[int, StockMovement | PositionFact]]:
        found, seen = list[tuple[int, StockMovement | PositionFact]](), set[str]()
        for place, fact in enumerate(self.facts):
            if isinstance(fact, StockMovement):
                found.append((place, fact))
            elif fact[0].event_id not in seen:
                seen.add(fact[0].event_id)
                found.append((fact[1].offset, fact[0]))
        return found

    @property
    def counts(self) -> dict[str | None, StockLevelSet]:
        """The latest count of each location; of all by their names, or of all in one without."""
        counted: dict[str | None, StockLevelSet] = {}
        last: StockLevelSet | None = None
        told = ((each.occurred_at_ms, place, each) for place, each in self.once)
        for _, _, each in sorted(told, key=lambda fact: fact[:2]):
            if isinstance(each, StockLevelSet):
                counted[each.location] = last = each
        if last is None or last.location is not None:
            counted.pop(None, None)
            return counted
        return {None: last}

    def after_counts(self, kind: type | tuple[type, ...]) -> list[StockMovement | PositionFact]:
        """Those of a kind that no count knows of; where one's location was never counted, any."""
        counts = self.counts
        last_ms = max((each.occurred_at_ms for each in counts.values()), default=-1)
        found = []
        for _, each in self.once:
            count = counts.get(each.location)
            if isinstance(each, kind) and each.occurred_at_ms > (
                last_ms if count is None else count.occurred_at_ms
            ):
                found.append(each)
        return found

    @property
    def on_hand(self) -> int:
        counted = sum(count.on_hand for count in self.counts.values())
        moved = sum(
            each.units
            for each in self.after_counts(StockMovement)
            if isinstance(each, StockMovement)
        )
        got = sum(
            each.quantity
            for each in self.after_counts(StockReceived)
            if isinstance(each, StockReceived)
        )
        found = sum(
            each.difference
            for each in self.after_counts(StockAdjusted)
            if isinstance(each, StockAdjusted)
        )
        return counted + moved + got + found


def folded(facts: Sequence[Fact]) -> Product:
    product = Product("milk")
    for fact in facts:
        if isinstance(fact, StockMovement):
            product = apply_movement(product, fact)
        else:
            product = apply_level(product, *fact)
    return product


@given(
    st.randoms(use_true_random=False),
    st.lists(order_lines(), max_size=16),
    st.lists(level_events(), max_size=16),
)
def test_position_is_that_of_an_offline_fold_in_any_order_with_any_repeat(
    chance: Random, lines: list[StockMovement], events: list[PositionFact]
) -> None:
    movements: list[Fact] = [
        replace(line, origin=replace(line.origin, offset=offset))
        for offset, line in enumerate(lines)
    ]
    levels: list[Fact] = [(event, levels_at(offset)) for offset, event in enumerate(events)]
    offline, live = folded([*levels, *movements]), folded(delivered(chance, movements, levels))

    assert live == offline
    assert on_hand(live) == Book([*levels, *movements]).on_hand
    assert available(live) == on_hand(live) - reserved(live)
    assert inbound(live) == sum(units for _, units in deliveries(live))
    assert (demand_window(live, TODAY) == demand_window(offline, TODAY)).all()


# --- Bounded memory ----------------------------------------------------------------------------


def minutes_of_sales(n: int, *, each_ms: int) -> list[StockMovement]:
    return [make_movement(i, occurred_at_ms=NOON_MS + (i + 1) * each_ms) for i in range(n)]


def test_count_heard_of_within_the_bound_is_exact() -> None:
    """A hundred sales are heard of before a count that was made when there were thirty."""
    sales = minutes_of_sales(200, each_ms=1_000)
    count = make_level(500, event_id="late", as_of_ms=NOON_MS + 100 * 1_000)
    product = folded([(make_level(), levels_at(0)), *sales, (count, levels_at(1))])

    assert on_hand(product) == 500 - 100


def test_count_heard_of_beyond_the_bound_is_off_by_what_sold_in_its_minute() -> None:
    sales = minutes_of_sales(3_000, each_ms=1_000)
    count = make_level(5_000, event_id="late", as_of_ms=NOON_MS + 900 * 1_000)
    product = folded([(make_level(), levels_at(0)), *sales, (count, levels_at(1))])

    assert abs(on_hand(product) - (5_000 - 2_100)) <= 60


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=300), st.integers(8, 32))
def test_changes_are_bounded_in_order_and_never_lose_a_unit(
    times: list[int], capacity: int
) -> None:
    kept: changes.Changes = ()
    for at_ms in times:
        kept = changes.add(kept, at_ms, 1, capacity)
        assert len(kept) <= capacity

    assert changes.total(kept) == len(times)
    assert [at_ms for at_ms, _ in kept] == sorted({at_ms for at_ms, _ in kept})
    assert kept[-1][0] == max(times)
