from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from stream.domain.applied import Applied
from stream.domain.sessions import Interaction, Kind, Session
from stream.domain.trail import Trail
from stream.errors import RecoveryFailed
from stream.state.sessions import dump, is_expired, load
from tests.unit.builders import clicks_at, folded, make_view

AT_MS = 1_500_000_000_000

SESSION = Session(
    Trail.of(
        [
            Interaction(AT_MS, 0, 3, 17, 0, "milk", Kind.VIEW, 1),
            Interaction(AT_MS + 1, 1, 3, 4, 2, "bread", Kind.PURCHASE, 6),
        ]
    ),
    (Applied(0, 3, 77, 17, b"\xff" * 8), Applied(1, 3, 78, 4, b"fivefive", (3, 4))),
    AT_MS + 2,
)
#: What older versions wrote.
VERSION_1 = bytes.fromhex(
    "01939298cf0000015d3ef7980000031100a46d696c6b010198cf0000015d3ef7980101030402a56272656164060692"
    "9600034d11c408ffffffffffffffff909601034e04c4086669766566697665920304cf0000015d3ef79802"
)
#: What this one writes. These bytes are in changelogs: when the test fails, write version 3.
VERSION_2 = bytes.fromhex(
    "02939292a46d696c6ba56272656164c4320000015d3ef7980000000003000000000000044001000000010000015d"
    "3ef798011000000300000000000001020600000006929600034d11c408ffffffffffffffff909601034e04c40866"
    "69766566697665920304cf0000015d3ef79802"
)


def test_stored_sessions_keep_their_bytes() -> None:
    assert dump(SESSION) == VERSION_2


@pytest.mark.parametrize("stored", [VERSION_1, VERSION_2])
def test_sessions_of_every_version_are_read(stored: bytes) -> None:
    assert load(stored) == SESSION


@pytest.mark.parametrize("rows", [b"\x00", SESSION.trail.rows.replace(b"\x06", b"\x63")])
def test_session_whose_columns_are_damaged_is_not_read(rows: bytes) -> None:
    damaged = replace(SESSION, trail=replace(SESSION.trail, rows=rows))

    with pytest.raises(RecoveryFailed, match="columns"):
        load(dump(damaged))


def test_fingerprints_are_the_same_in_every_process() -> None:
    session = folded([(make_view(event_id="event-0"), clicks_at(0))])

    assert session.applied[0].recent_ids == bytes.fromhex("fd360468c8326a3f")


def test_full_session_stays_small() -> None:
    views = [(make_view(i, product_id=f"{i:08d}"), clicks_at(i)) for i in range(200)]

    assert len(dump(folded(views))) < 2_048


def test_version_1_session_of_a_time_before_1970_is_read() -> None:
    """A record's own stamp could be such a time, and events were held to it."""
    old = msgspec.msgpack.encode([[[-5, 0, 3, 17, 0, "milk", 1, 1]], [], -5])

    [act] = load(b"\x01" + old).trail

    assert (act.occurred_at_ms, act.product_id) == (0, "milk")


def test_session_expires_after_its_time() -> None:
    assert not is_expired(SESSION, AT_MS + 2 + 1_000, ttl_ms=1_000)
    assert is_expired(SESSION, AT_MS + 2 + 1_001, ttl_ms=1_000)
