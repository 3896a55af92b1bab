"""Notes as they lie in the topic: readable by people, and by every later version."""

from __future__ import annotations

import pytest

from stream.kafka.notes import (
    Begun,
    Illegible,
    SetAside,
    begun_key,
    dump,
    is_set_aside_key,
    load,
    set_aside_key,
)

GOLDEN = {
    Begun(100, 2, 7, n_records=33, last_offset=140): (
        b'{"type":"begun","first":100,"n_owners":2,"epoch":7,"n_records":33,"last_offset":140}'
    ),
    SetAside(140, "Quarantined", 3, 7): (
        b'{"type":"set-aside","offset":140,"reason":"Quarantined","n_crashes":3,"epoch":7}'
    ),
}


@pytest.mark.parametrize("note", GOLDEN)
def test_notes_are_written_and_read_as_ever(note: Begun | SetAside) -> None:
    assert dump(note) == GOLDEN[note]
    assert load(GOLDEN[note]) == note


@pytest.mark.parametrize("stored", [b"", b"\xff", b"{}", b'{"type":"begun","first":"?"}'])
def test_note_that_nobody_can_read_says_nothing(stored: bytes) -> None:
    assert load(stored) == Illegible()


def test_keys_tell_what_a_note_is_about() -> None:
    topic = "store.events.v1"

    assert is_set_aside_key(set_aside_key(topic, 7), topic)
    assert not is_set_aside_key(begun_key(topic), topic)
    assert not is_set_aside_key(set_aside_key(f"{topic}1", 7), topic)
