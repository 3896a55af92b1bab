from __future__ import annotations

import pytest
from msgspec.structs import replace

from stream.domain.applied import Applied
from stream.domain.products import AlertState, Level, OriginMark, Product
from stream.state.products import dump, is_expired, load

AT_MS = 1_500_000_000_000

PRODUCT = Product(
    "milk",
    name="Milk 1 l",
    name_told=2 * AT_MS + 1,
    price=2.5,
    price_told=2 * AT_MS,
    lead_time_days=7.0,
    lead_time_told=2 * AT_MS + 3,
    level=Level(AT_MS, partition=1, offset=9, on_hand=100, reserved=5, inbound=20),
    changes=((AT_MS + 1, -2),),
    demand=((17361, 3), (17362, -1)),
    known_since_day=17300,
    bought_with=(("bread", 4),),
    origins=(OriginMark(0, 78, 4, 2),),
    applied=(Applied(2, 1, 79, 9, b"six six "),),
    updated_at_ms=AT_MS + 1,
    alert=AlertState(2, 3, True, "stockout_risk", "high", AT_MS, 17364, 17300),
    received=((AT_MS + 1, 4),),
)
#: What version 1 wrote. These bytes are in changelogs: when the test fails, write version 2.
GOLDEN = bytes.fromhex(
    "01dc0011a46d696c6ba84d696c6b2031206ccf000002ba7def3001cb4004000000000000cf000002ba7def3000cb40"
    "1c000000000000cf000002ba7def300396cf0000015d3ef7980001096405149192cf0000015d3ef79801fe9292cd43"
    "d10392cd43d2ffcd43949192a56272656164049194004e0402919602014f09c408736978207369782090cf0000015d"
    "3ef79801990203c3ad73746f636b6f75745f7269736ba468696768cf0000015d3ef79800cd43d4cd4394c39192cf00"
    "00015d3ef7980104"
)
#: The same before alerts could be in doubt: what was remembered then was told.
FORMER = bytes.fromhex(
    "01dc0011a46d696c6ba84d696c6b2031206ccf000002ba7def3001cb4004000000000000cf000002ba7def3000cb40"
    "1c000000000000cf000002ba7def300396cf0000015d3ef7980001096405149192cf0000015d3ef79801fe9292cd43"
    "d10392cd43d2ffcd43949192a56272656164049194004e0402919602014f09c408736978207369782090cf0000015d"
    "3ef79801980203c3ad73746f636b6f75745f7269736ba468696768cf0000015d3ef79800cd43d4cd43949192cf0000"
    "015d3ef7980104"
)


def test_stored_products_keep_their_bytes() -> None:
    assert dump(PRODUCT) == GOLDEN


@pytest.mark.parametrize("stored", [GOLDEN, FORMER])
def test_products_stored_by_version_1_are_read(stored: bytes) -> None:
    assert load(stored) == PRODUCT


def test_product_expires_after_its_time() -> None:
    resolved = replace(PRODUCT, alert=None)

    assert not is_expired(resolved, AT_MS + 1 + 1_000, ttl_ms=1_000)
    assert is_expired(resolved, AT_MS + 1 + 1_001, ttl_ms=1_000)


def test_product_whose_last_alert_may_not_be_told_does_not_expire() -> None:
    assert PRODUCT.alert is not None
    in_doubt = replace(PRODUCT, alert=replace(PRODUCT.alert, is_open=False, is_told=False))

    assert not is_expired(in_doubt, AT_MS + 10**12, ttl_ms=1_000)


def test_product_with_an_open_alert_does_not_expire() -> None:
    assert not is_expired(PRODUCT, AT_MS + 10**12, ttl_ms=1_000)
