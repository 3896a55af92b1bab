"""The judges find each fault that is planted in a run without any."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from stream.bench.faults.judging import judged
from stream.domain.products import AlertState, Product, is_sold_out
from stream.state import products as stored_products
from stream.topics import (
    EVENTS,
    PRODUCTS_CHANGELOG,
    RECOMMENDATIONS,
    SESSIONS_CHANGELOG,
    STOCK_MOVEMENTS,
    dead_letter_name,
)
from tests.unit.bench.faults.story import Story, story


def test_nothing_is_wrong_with_a_run_without_a_fault() -> None:
    told = with_alerts_said(story())

    books = told.read()

    assert judged(books).lines == []
    assert sum(books.said.repeats.values()) == 0
    assert books.said.unrecognised_repeats == 0


def test_an_event_without_an_answer_is_lost() -> None:
    told = with_alerts_said(story())
    del told.outputs[RECOMMENDATIONS.name, 0][17]

    verdict = judged(told.read())

    assert len(verdict.lost) == 1
    assert verdict.lines == verdict.lost


def test_bad_input_without_a_dead_letter_is_lost() -> None:
    told = with_alerts_said(story())
    told.outputs[dead_letter_name(EVENTS.name), 0].pop()

    assert len(judged(told.read()).lost) == 1


def test_an_order_line_that_moved_nothing_is_lost() -> None:
    told = with_alerts_said(story())
    told.outputs[STOCK_MOVEMENTS.name, 0].pop()

    [line] = judged(told.read()).lost

    assert "moved nothing" in line


def test_an_answer_to_nothing_that_was_sent_is_found() -> None:
    told = with_alerts_said(story())
    record = told.outputs[RECOMMENDATIONS.name, 0][-1]
    value = (record.value or b"").replace(b'"last_offset":', b'"last_offset":9')
    told.outputs[RECOMMENDATIONS.name, 0].append(replace(record, value=value))

    [line] = judged(told.read()).lost

    assert line == "1 outputs are about records that were never sent"


def test_state_that_is_not_what_the_input_folds_to_is_found() -> None:
    told = with_alerts_said(story())
    records = told.outputs[stored_at(told, SESSIONS_CHANGELOG.name)]
    records.append(replace(records[0], value=None))

    verdict = judged(told.read())

    assert len(verdict.state_mismatches) == 1
    assert verdict.lines == verdict.state_mismatches


def test_a_product_counted_twice_is_found() -> None:
    told = with_alerts_said(story())
    records = told.outputs[stored_at(told, PRODUCTS_CHANGELOG.name)]
    product = stored_products.load(records[0].value or b"")
    [position] = product.positions
    more = msgspec.structs.replace(position, changes=((1, -1), *position.changes))
    twice = msgspec.structs.replace(product, positions=(more,))
    records.append(replace(records[0], value=stored_products.dump(twice)))

    [line] = judged(told.read()).state_mismatches

    assert ".positions: expected" in line


def test_a_revision_that_state_remembers_and_nobody_was_told_is_missing() -> None:
    told = with_alerts_said(story())
    at = stored_at(told, PRODUCTS_CHANGELOG.name)
    records = told.outputs[at]
    state = AlertState(1, 2, False, "out_of_stock", "critical", 0)
    remembered = msgspec.structs.replace(
        stored_products.load(records[0].value or b""), alerts=(state,), positions=()
    )
    told.fold.products[at[1], remembered.product_id] = msgspec.structs.replace(
        remembered, alerts=()
    )
    told.books.fold = told.fold
    records.append(replace(records[0], value=stored_products.dump(remembered)))

    verdict = judged(told.read())

    assert len(verdict.missing_transitions) == 2
    assert verdict.lines == verdict.missing_transitions


def test_an_empty_shelf_that_no_alert_tells_of_is_missing() -> None:
    told = story()
    empty = [line for line in judged(told.read()).missing_transitions if "sold out" in line]

    assert len(empty) == len(sold_out(told)) > 0


def with_alerts_said(told: Story) -> Story:
    """Leave out the products that are sold out: no worker was there to tell of them."""
    for (topic, _), records in told.outputs.items():
        if topic == PRODUCTS_CHANGELOG.name:
            gone = {key for _, key in sold_out(told)}
            records[:] = [each for each in records if (each.key or b"").decode() not in gone]
    for key in sold_out(told):
        del told.fold.products[key]
    told.books.fold = told.fold
    return told


def stored_at(told: Story, topic: str) -> tuple[str, int]:
    return next(at for at in told.outputs if at[0] == topic)


def sold_out(told: Story) -> list[tuple[int, str]]:
    return [key for key, product in told.fold.products.items() if _is_empty(product)]


def _is_empty(product: Product) -> bool:
    return is_sold_out(product) and bool(product.demand)
