"""Which days count: closed ones, and those on which a product was sold out."""

from __future__ import annotations

import numpy as np

from stream.models.demand_history import (
    DemandHistory,
    mean_by_day,
    open_steps,
    without_sold_out,
)


def test_a_step_on_which_nothing_sold_is_closed_where_much_sells() -> None:
    units = np.ones((9, 6), dtype=np.float32)
    units[:, 2] = 0
    units[:, 4] = -1

    assert open_steps(units).tolist() == [True, True, False, True, False, True]


def test_a_small_shop_that_sold_nothing_was_open() -> None:
    units = np.ones((3, 6), dtype=np.float32)
    units[:, 2] = 0

    assert open_steps(units).all()
    assert open_steps(np.zeros((3, 6), dtype=np.float32)).all()


def test_a_small_shop_that_never_sold_on_a_weekday_is_closed_on_it() -> None:
    units = np.ones((2, 70), dtype=np.float32)
    units[:, 5::7] = 0
    units[:, 30] = 0

    assert np.flatnonzero(~open_steps(units)).tolist() == list(range(5, 70, 7))
    assert open_steps(units[:, :35]).all()


def test_sold_out_days_are_unknown_unless_they_sold_what_an_ordinary_day_does() -> None:
    units = np.array([[4, 2, 0, 9, 2, 3, -1]], dtype=np.float32)
    is_sold_out = np.array([[0, 0, 1, 1, 1, 1, 1]], dtype=bool)

    assert without_sold_out(units, is_sold_out).tolist() == [[4, 2, -1, 9, -1, 3, -1]]


def test_a_product_that_was_always_sold_out_is_unknown() -> None:
    units = np.array([[0, 3, 0]], dtype=np.float32)

    assert without_sold_out(units, np.ones_like(units, dtype=bool)).tolist() == [[-1, -1, -1]]


def test_the_price_of_a_day_is_the_mean_of_its_lines() -> None:
    prices = np.array([1.0, 2.0, np.nan, 5.0])

    means = mean_by_day(prices, np.array([0, 0, 0, 1]), np.array([1, 1, 0, 0]), shape=(2, 2))

    assert np.array_equal(means, [[np.nan, 1.5], [5.0, np.nan]], equal_nan=True)


def test_what_is_known_of_the_days_goes_on_after_what_was_sold() -> None:
    past = DemandHistory.of(np.ones((2, 9), dtype=np.float32), 3)

    before = past.until(4)

    assert before.units.shape == (2, 4)
    assert before.is_open.shape == (9,)
    assert before.first_phase == 3
