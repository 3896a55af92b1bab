"""Offsets know of which life of a topic they are."""

from __future__ import annotations

import pytest
from aiokafka.structs import OffsetAndMetadata

from stream.kafka.epoch_consumer import is_of, marked


def test_an_offset_is_of_the_epoch_it_was_marked_with() -> None:
    assert is_of(marked(7, 1234), 1234)


def test_an_offset_is_of_no_other_epoch() -> None:
    assert not is_of(marked(7, 1234), 123)


@pytest.mark.parametrize("metadata", ["", None, "a tool's own words"])
def test_an_offset_without_a_mark_is_believed(metadata: str | None) -> None:
    assert is_of(OffsetAndMetadata(7, metadata), 1234)


def test_where_epochs_are_not_known_every_offset_is_believed() -> None:
    assert is_of(marked(7, 1234), 0)
    assert is_of(marked(7, 0), 1234)
