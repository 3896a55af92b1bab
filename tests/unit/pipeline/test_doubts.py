"""What becomes of alerts nobody can end; each of these fails and says what was expected."""

from __future__ import annotations

from msgspec.structs import replace

from stream.domain.calendar import DAY_MS
from stream.domain.products import is_counted
from tests.unit.builders import NOON_MS, make_level, make_movement
from tests.unit.pipeline.fakes import settled
from tests.unit.pipeline.scenes import StockScene


async def test_open_alert_outlives_no_count_that_places_pushed_out() -> None:
    scene = StockScene()
    await scene.sales(make_movement(1, occurred_at_ms=NOON_MS - 5))
    await scene.levels(make_level(3))
    places = [replace(make_movement(10 + n), location=f"place-{n}") for n in range(16)]
    await scene.sales(*places)

    scene.clock.observe("levels", 0, NOON_MS + 200 * DAY_MS)
    scene.pipeline.look_after(scene.owned[0], [b"milk"])
    await settled()

    # Nobody asks about it any more, nor does it expire: it stays in the list for ever.
    assert is_counted(scene.product()) or not any(each.is_open for each in scene.product().alerts)


async def test_spike_of_an_uncounted_product_is_told() -> None:
    scene = StockScene()
    for day in range(30):
        at_ms = NOON_MS - (30 - day) * DAY_MS
        await scene.sales(make_movement(day, units=-5, occurred_at_ms=at_ms))

    await scene.sales(make_movement(99, units=-500))

    assert [alert.kind for alert in scene.alerts()] == ["demand_spike"]
