"""What came again, and whether a consumer who follows the rule knows it."""

from __future__ import annotations

import pytest

from stream.bench.faults.books import OWED, Books, Given
from stream.codec import encode
from stream.domain.events import Item
from stream.topics import EVENTS, ORDERS, RECOMMENDATIONS, STOCK_MOVEMENTS, dead_letter_name
from tests.unit.bench.faults.story import Story, answer
from tests.unit.builders import Record, make_order, make_view

AT = EVENTS.name, 0
ANSWERS = RECOMMENDATIONS.name, 0


def test_an_answer_that_comes_again_is_a_repeat_and_recognised() -> None:
    books = sent("ann", "ann")

    read(books, ("ann", 0, 1), ("ann", 0, 1))

    assert books.said.repeats["answers"] == 1
    assert books.said.unrecognised_repeats == 0


def test_an_answer_that_covers_new_and_old_is_a_repeat_and_recognised() -> None:
    books = sent("ann", "ann")

    read(books, ("ann", 0, 0), ("ann", 0, 1))

    assert books.said.repeats["answers"] == 1
    assert books.said.unrecognised_repeats == 0


def test_answers_that_go_on_are_no_repeats() -> None:
    books = sent("ann", "bob", "ann")

    read(books, ("ann", 0, 0), ("bob", 1, 1), ("ann", 2, 2))

    assert sum(books.said.repeats.values()) == 0
    assert books.said.unrecognised_repeats == 0


def test_an_answer_that_claims_to_go_on_and_covers_nothing_new_is_not_recognised() -> None:
    books = sent("ann", "bob")

    read(books, ("ann", 0, 0), ("ann", 0, 1))

    assert books.said.unrecognised_repeats == 1


def test_an_answer_out_of_order_is_taken_for_a_repeat_and_so_not_recognised() -> None:
    books = sent("ann", "ann")

    read(books, ("ann", 1, 1), ("ann", 0, 0))

    assert books.said.repeats["answers"] == 0
    assert books.said.unrecognised_repeats == 1


def test_an_answer_may_be_read_before_the_load_hears_of_its_event() -> None:
    books = Books(1)
    read(books, ("ann", 0, 0))
    before = books.said.answers

    send(books, 0, "ann")

    assert before == 0
    assert books.said.answers == 1
    assert [*books.unaccounted()] == []


def test_a_topic_created_again_begins_anew_and_what_it_owed_stays_lost() -> None:
    books = sent("ann", "ann")
    read(books, ("ann", 0, 0))

    books.renew(EVENTS.name)
    send(books, 0, "ann")
    read(books, ("ann", 0, 0))

    assert sum(books.said.repeats.values()) == 0
    assert [*books.unaccounted()] == ["store.events.v1[0]@1"]


def test_an_order_line_that_comes_again_is_a_repeat() -> None:
    told = Story()
    event = make_order(products=[Item("p1"), Item("p2")])
    told.send(ORDERS.name, b"ann", encode(event), owed=True)
    moved = told.outputs[STOCK_MOVEMENTS.name, 0]
    moved.append(moved[1])

    assert told.read().said.repeats == {"answers": 0, "order lines": 1}


def test_a_second_dead_letter_of_a_record_is_a_repeat() -> None:
    told = Story()
    told.spoil(b"ann")
    letters = told.outputs[dead_letter_name(EVENTS.name), 0]
    letters.append(letters[0])

    books = told.read()

    assert (books.said.dead_letters, books.said.repeats["dead letters"]) == (2, 1)


def test_a_gap_in_what_the_brokers_confirm_is_no_basis_for_a_judgement() -> None:
    with pytest.raises(ValueError, match="offset 1 where 0 was expected"):
        send(Books(1), 1, "ann")


def test_the_oldest_open_event_is_the_first_without_an_answer() -> None:
    books = Books(1)
    for offset, due_s in enumerate((1.0, 2.0, 3.0)):
        send(books, offset, "ann", due_s=due_s)

    read(books, ("ann", 0, 0), ("ann", 2, 2))

    assert books.partitions[AT].oldest_open_s() == 2.0
    assert books.partitions[AT].answered_s == 3.0


def sent(*visitors: str) -> Books:
    """Books of one partition with a view of each of *visitors*, in turn."""
    books = Books(1)
    for offset, visitor in enumerate(visitors):
        send(books, offset, visitor)
    return books


def send(books: Books, offset: int, visitor: str, *, due_s: float = 0.0) -> None:
    value = encode(make_view(offset, visitor_id=visitor))
    books.sent(AT, offset, [Given(visitor.encode(), value, due_s, OWED)], epoch=1)


def read(books: Books, *answers: tuple[str, int, int]) -> None:
    for visitor, first, last in answers:
        books.take(ANSWERS, Record(answer(visitor, AT, first, last)))
