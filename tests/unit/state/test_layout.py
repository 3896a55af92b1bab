from __future__ import annotations

import msgspec
import pytest

from stream.errors import RecoveryFailed
from stream.state.layout import Layout


class Basket(msgspec.Struct, frozen=True, array_like=True):
    products: tuple[str, ...]
    n_views: int = 0


class FormerBasket(msgspec.Struct, frozen=True, array_like=True):
    product: str


def upgrade(body: bytes) -> Basket:
    former = msgspec.msgpack.decode(body, type=FormerBasket)
    return Basket((former.product,))


LAYOUT = Layout(Basket, 2, {1: upgrade})


def test_stored_value_is_read_as_it_was() -> None:
    assert LAYOUT.load(LAYOUT.dump(Basket(("milk",), 3))) == Basket(("milk",), 3)


def test_first_byte_is_the_version() -> None:
    assert LAYOUT.dump(Basket(()))[0] == 2


def test_value_of_an_older_version_is_upgraded() -> None:
    stored = b"\x01" + msgspec.msgpack.encode(FormerBasket("milk"))

    assert LAYOUT.load(stored) == Basket(("milk",))


def test_field_added_at_the_end_takes_its_default() -> None:
    stored = b"\x02" + msgspec.msgpack.encode([["milk"]])

    assert LAYOUT.load(stored) == Basket(("milk",), 0)


def test_value_of_a_newer_program_is_refused_with_what_to_do() -> None:
    with pytest.raises(RecoveryFailed, match="expected version 2 or older, got 9: a newer program"):
        LAYOUT.load(b"\x09\x90")


@pytest.mark.parametrize("stored", [b"", b"\x02", b"\x02\xc1", b"\x02\x91\xa1x", b"\x01\xff"])
def test_damaged_value_is_refused(stored: bytes) -> None:
    with pytest.raises(RecoveryFailed, match="stored Basket"):
        LAYOUT.load(stored)
