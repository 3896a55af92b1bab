from __future__ import annotations

import pytest
from msgspec.structs import replace

from stream.domain.applied import Applied
from stream.domain.positions import Count, Incoming, Order, Position
from stream.domain.price_plans import PlannedPrice
from stream.domain.prices import with_price
from stream.domain.products import AlertState, OriginMark, Product
from stream.state.products import dump, is_expired, load

AT_MS = 1_500_000_000_000

FORMER = Product(
    "milk",
    name="Milk 1 l",
    name_told=2 * AT_MS + 1,
    price=2.5,
    price_told=2 * AT_MS,
    lead_time_days=7.0,
    lead_time_told=2 * AT_MS + 3,
    positions=(
        Position(
            "",
            level=Count(AT_MS, 1, 9, 100),
            changes=((AT_MS + 1, -2),),
            held=Count(AT_MS, 1, 9, 5),
            incoming=Incoming(AT_MS, 1, 9, 20),
            received=((AT_MS + 1, 4),),
        ),
    ),
    demand=((17361, 3), (17362, -1)),
    known_since_day=17300,
    bought_with=(("bread", 4),),
    origins=(OriginMark(0, 78, 4, 2),),
    applied=(Applied(2, 1, 79, 9, b"six six "),),
    updated_at_ms=AT_MS + 1,
    alerts=(AlertState(2, 3, True, "stockout_risk", "high", AT_MS, 17364, 17300),),
)
UNPRICED = replace(
    FORMER,
    pack_size=6,
    pack_size_told=2 * AT_MS,
    minimum_order=12,
    minimum_order_told=2 * AT_MS + 1,
    positions=(
        *FORMER.positions,
        Position(
            "Graz",
            level=Count(AT_MS, 1, 10, 3),
            incoming=Incoming(AT_MS, 1, 10, 8, ((AT_MS + 9, 8),)),
            set_aside=((AT_MS + 2, 1),),
            ordered=(Order(AT_MS + 3, AT_MS + 99, 6),),
        ),
    ),
    alerts=(
        AlertState(
            1, 1, True, "overstock", "info", AT_MS, 33.0, 17300, True, "excess", AT_MS, None
        ),
        AlertState(
            2,
            3,
            True,
            "stockout_risk",
            "high",
            AT_MS,
            17364,
            17300,
            False,
            "shortage",
            AT_MS,
            17366,
        ),
    ),
    sold_out=(17340, 17341, 17342),
    drought_since_day=17361,
)
PRODUCT = replace(
    UNPRICED,
    paid=with_price(with_price(with_price(b"", 17361, 2.5), 17360, 2.25), 17361, 2.0),
    plans=(
        PlannedPrice(17365, 17372, AT_MS, 1, 11, 1.75),
        PlannedPrice(17372, 17379, AT_MS + 1, 1, 12, None),
    ),
)
#: What version 2 wrote. These bytes are in changelogs: when the test fails, write version 3.
GOLDEN = bytes.fromhex(
    "02dc0017a46d696c6ba84d696c6b2031206ccf000002ba7def3001cb4004000000000000cf000002ba7def3000cb40"
    "1c000000000000cf000002ba7def300306cf000002ba7def30000ccf000002ba7def30019298a094cf0000015d3ef7"
    "98000109649192cf0000015d3ef79801fe94cf0000015d3ef798000109059095cf0000015d3ef79800010914909091"
    "92cf0000015d3ef798010498a44772617a94cf0000015d3ef79800010a0390c09192cf0000015d3ef798020195cf00"
    "00015d3ef79800010a089192cf0000015d3ef79809089193cf0000015d3ef79803cf0000015d3ef7986306909292cd"
    "43d10392cd43d2ffcd43949192a56272656164049194004e0402919602014f09c408736978207369782090cf000001"
    "5d3ef79801929c0101c3a96f76657273746f636ba4696e666fcf0000015d3ef79800cb4040800000000000cd4394c3"
    "a6657863657373cf0000015d3ef79800c09c0203c3ad73746f636b6f75745f7269736ba468696768cf0000015d3ef7"
    "9800cd43d4cd4394c2a873686f7274616765cf0000015d3ef79800cd43d693cd43bccd43bdcd43becd43d1c420d043"
    "0000105522000000000001000000d143000020aa440000000000020000009296cd43d5cd43dccf0000015d3ef79800"
    "010bcb3ffc00000000000096cd43dccd43e3cf0000015d3ef79801010cc0"
)
#: The same before prices were remembered.
BEFORE_PRICES = bytes.fromhex(
    "02dc0015a46d696c6ba84d696c6b2031206ccf000002ba7def3001cb4004000000000000cf000002ba7def3000cb40"
    "1c000000000000cf000002ba7def300306cf000002ba7def30000ccf000002ba7def30019298a094cf0000015d3ef7"
    "98000109649192cf0000015d3ef79801fe94cf0000015d3ef798000109059095cf0000015d3ef79800010914909091"
    "92cf0000015d3ef798010498a44772617a94cf0000015d3ef79800010a0390c09192cf0000015d3ef798020195cf00"
    "00015d3ef79800010a089192cf0000015d3ef79809089193cf0000015d3ef79803cf0000015d3ef7986306909292cd"
    "43d10392cd43d2ffcd43949192a56272656164049194004e0402919602014f09c408736978207369782090cf000001"
    "5d3ef79801929c0101c3a96f76657273746f636ba4696e666fcf0000015d3ef79800cb4040800000000000cd4394c3"
    "a6657863657373cf0000015d3ef79800c09c0203c3ad73746f636b6f75745f7269736ba468696768cf0000015d3ef7"
    "9800cd43d4cd4394c2a873686f7274616765cf0000015d3ef79800cd43d693cd43bccd43bdcd43becd43d1"
)
#: What version 1 wrote.
GOLDEN_1 = bytes.fromhex(
    "01dc0011a46d696c6ba84d696c6b2031206ccf000002ba7def3001cb4004000000000000cf000002ba7def3000cb40"
    "1c000000000000cf000002ba7def300396cf0000015d3ef7980001096405149192cf0000015d3ef79801fe9292cd43"
    "d10392cd43d2ffcd43949192a56272656164049194004e0402919602014f09c408736978207369782090cf0000015d"
    "3ef79801990203c3ad73746f636b6f75745f7269736ba468696768cf0000015d3ef79800cd43d4cd4394c39192cf00"
    "00015d3ef7980104"
)
#: The same before alerts could be in doubt: what was remembered then was told.
BEFORE_DOUBT = bytes.fromhex(
    "01dc0011a46d696c6ba84d696c6b2031206ccf000002ba7def3001cb4004000000000000cf000002ba7def3000cb40"
    "1c000000000000cf000002ba7def300396cf0000015d3ef7980001096405149192cf0000015d3ef79801fe9292cd43"
    "d10392cd43d2ffcd43949192a56272656164049194004e0402919602014f09c408736978207369782090cf0000015d"
    "3ef79801980203c3ad73746f636b6f75745f7269736ba468696768cf0000015d3ef79800cd43d4cd43949192cf0000"
    "015d3ef7980104"
)


def test_stored_products_keep_their_bytes() -> None:
    assert dump(PRODUCT) == GOLDEN
    assert load(GOLDEN) == PRODUCT


def test_products_stored_before_prices_were_remembered_are_read() -> None:
    assert load(BEFORE_PRICES) == UNPRICED


@pytest.mark.parametrize("stored", [GOLDEN_1, BEFORE_DOUBT])
def test_products_stored_by_version_1_are_read(stored: bytes) -> None:
    assert load(stored) == FORMER


def test_product_of_version_1_that_was_never_counted_has_no_position() -> None:
    assert load(b"\x01\x91\xa4milk") == Product("milk")


def test_product_expires_after_its_time() -> None:
    resolved = replace(PRODUCT, alerts=())

    assert not is_expired(resolved, AT_MS + 1 + 1_000, ttl_ms=1_000)
    assert is_expired(resolved, AT_MS + 1 + 1_001, ttl_ms=1_000)


def test_product_whose_last_alert_may_not_be_told_does_not_expire() -> None:
    ended = [replace(alert, is_open=False) for alert in PRODUCT.alerts]
    told = replace(PRODUCT, alerts=tuple(replace(alert, is_told=True) for alert in ended))
    in_doubt = replace(PRODUCT, alerts=tuple(ended))

    assert is_expired(told, AT_MS + 10**12, ttl_ms=1_000)
    assert not is_expired(in_doubt, AT_MS + 10**12, ttl_ms=1_000)


def test_product_with_an_open_alert_does_not_expire() -> None:
    assert not is_expired(PRODUCT, AT_MS + 10**12, ttl_ms=1_000)
