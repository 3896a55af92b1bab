from __future__ import annotations

from stream.domain.events import OrderCompleted, ProductAdded, ProductClicked, ProductViewed
from stream.domain.history import history_of
from stream.domain.sessions import Session, advance
from stream.domain.trail import Kind
from tests.unit.builders import clicks_at, make_order, make_view, orders_at


def acted(*acts: tuple[str, type]) -> Session:
    """Return the session after acts on products, one a minute."""
    session = Session()
    for at, (product_id, kind) in enumerate(acts):
        if kind is OrderCompleted:
            event = make_order(at, products=product_id.split())
            session = advance(session, event, orders_at(at))
        else:
            viewed = make_view(at, product_id=product_id, kind=kind)
            session = advance(session, viewed, clicks_at(at))
    return session


def test_acts_are_read_with_their_kinds() -> None:
    session = acted(("milk", ProductViewed), ("bread", ProductClicked), ("eggs", OrderCompleted))

    assert history_of(session) == (
        ["milk", "bread", "eggs"],
        [Kind.VIEW, Kind.CLICK, Kind.PURCHASE],
    )


def test_of_a_run_of_acts_on_one_product_the_last_is_read() -> None:
    session = acted(("milk", ProductViewed), ("milk", ProductAdded), ("bread", ProductViewed))

    assert history_of(session) == (["milk", "bread"], [Kind.ADD, Kind.VIEW])


def test_what_was_looked_at_and_bought_later_is_bought() -> None:
    session = acted(
        ("milk", ProductViewed),
        ("eggs", ProductAdded),
        ("jam", ProductViewed),
        ("milk eggs", OrderCompleted),
    )

    assert history_of(session) == (
        ["jam", "milk", "eggs"],
        [Kind.VIEW, Kind.PURCHASE, Kind.PURCHASE],
    )


def test_what_was_bought_before_and_is_looked_at_again_is_both() -> None:
    session = acted(("milk", OrderCompleted), ("jam", ProductViewed), ("milk", ProductViewed))

    assert history_of(session) == (
        ["milk", "jam", "milk"],
        [Kind.PURCHASE, Kind.VIEW, Kind.VIEW],
    )


def test_what_was_bought_twice_is_read_twice() -> None:
    session = acted(("milk", OrderCompleted), ("jam", OrderCompleted), ("milk", OrderCompleted))

    assert history_of(session).products == ["milk", "jam", "milk"]


def test_nobody_has_no_history() -> None:
    assert history_of(Session()) == ([], [])
