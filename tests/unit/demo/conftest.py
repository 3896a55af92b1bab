from __future__ import annotations

from datetime import date, timedelta

import pytest

from stream.demo.catalogue import Catalogue
from stream.demo.household_orders import Purchases
from stream.demo.replay import PAST_FROM, REPLAYED_UNTIL, Replay
from tests.unit.demo.store import make_catalogue, make_purchases


@pytest.fixture(scope="session")
def purchases() -> Purchases:
    first = PAST_FROM - timedelta(days=30)
    return make_purchases(first, (REPLAYED_UNTIL - first).days)


@pytest.fixture(scope="session")
def catalogue(purchases: Purchases) -> Catalogue:
    return make_catalogue(purchases)


@pytest.fixture
def replay(purchases: Purchases, catalogue: Catalogue) -> Replay:
    return Replay(purchases, catalogue, n_partitions=4, seed=1)


@pytest.fixture
def monday() -> date:
    return date(2017, 10, 2)
