"""The largest product there can be, and the smallest record batch that may be set."""

from __future__ import annotations

from msgspec.structs import replace

from stream.domain.applied import Applied
from stream.domain.events import (
    MAX_PARTITIONS,
    Delivery,
    StockAdjusted,
    StockLevelEvent,
    StockLevelSet,
    StockOrdered,
    StockReceived,
)
from stream.domain.positions import Position
from stream.domain.product_folding import apply_level
from stream.domain.products import AlertState, OriginMark, Product
from stream.state import products
from tests.unit.builders import levels_at

MOST = 2**63 - 1
LATE_MS = 250_000_000_000_000
WIDE = "\U0001f600"
ID = WIDE * 128
DAY = 2_900_000
MAX_BATCH_BYTES = 256 * 1024


def filled() -> tuple[Position, ...]:
    product, offset = Product(ID), 0
    for place in range(16):
        at, units = WIDE * 63 + chr(65 + place), 10**6
        events: list[StockLevelEvent] = [
            StockLevelSet(
                event_id=f"c{place}", occurred_at_ms=LATE_MS, product_id=ID, location=at,
                on_hand=10**9, reserved=10**9, inbound=10**9,
                deliveries=tuple(Delivery(units, LATE_MS + n) for n in range(16)),
            )
        ]  # fmt: skip
        for n in range(256 // (place + 1)):
            set_aside = -units if n < 16 else 0
            events.append(
                StockAdjusted(
                    event_id=f"a{place}/{n}", occurred_at_ms=LATE_MS + 1 + n, product_id=ID,
                    location=at, difference=-units, reserved_difference=set_aside,
                )
            )  # fmt: skip
        for n in range(16):
            told = {"product_id": ID, "location": at, "occurred_at_ms": LATE_MS + 1 + n}
            events += [
                StockReceived(event_id=f"r{place}/{n}", quantity=units, **told),  # type: ignore[arg-type]
                StockOrdered(
                    event_id=f"o{place}/{n}", quantity=units, expected_at_ms=LATE_MS + n, **told
                ),  # type: ignore[arg-type]
                StockAdjusted(event_id=f"b{place}/{n}", difference=-units, **told),  # type: ignore[arg-type]
            ]
        for event in events:
            product, offset = apply_level(product, event, levels_at(offset)), offset + 1
    return product.positions


def test_largest_product_fits_into_the_smallest_record_batch() -> None:
    product = replace(
        Product(ID),
        name=WIDE * 512,
        price=1e12,
        lead_time_days=3.5,
        positions=filled(),
        demand=tuple((DAY + n, -(10**6)) for n in range(84)),
        bought_with=tuple((WIDE * 126 + f"{n:02}", 10**9) for n in range(20)),
        origins=tuple(
            OriginMark(partition, MOST - epoch, MOST, 499)
            for partition in range(MAX_PARTITIONS)
            for epoch in range(2)
        ),
        applied=tuple(
            Applied(2, 4000 + n, MOST, MOST, b"x" * 256, tuple(range(MOST - 32, MOST)))
            for n in range(16)
        ),
        droughts=tuple((DAY + n, DAY + n) for n in range(16)),
        alerts=(AlertState(10**6, 10**6, True, "demand_spike", "critical", LATE_MS, 1e9, DAY),) * 4,
    )

    assert len(products.dump(product)) + len(ID.encode()) + 101 <= MAX_BATCH_BYTES
