"""An epoch is small, stable, and another one for another topic id."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.kafka.epochs import epoch_of


@given(st.uuids())
def test_epoch_is_a_positive_int_of_31_bits(topic_id: uuid.UUID) -> None:
    assert 0 < epoch_of(str(topic_id)) < 2**31


@pytest.mark.parametrize("topic_id", [None, str(uuid.UUID(int=0))])
def test_topic_without_id_has_epoch_zero(topic_id: str | None) -> None:
    assert epoch_of(topic_id) == 0


def test_epoch_of_an_id_never_changes() -> None:
    assert epoch_of("01a205f5-ad42-7cd0-b6b5-a3687a250aef") == 457843473
