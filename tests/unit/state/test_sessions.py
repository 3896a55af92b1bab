from __future__ import annotations

from stream.domain.applied import Applied
from stream.domain.sessions import Interaction, Kind, Session, advance_all
from stream.state.sessions import dump, is_expired, load
from tests.unit.builders import clicks_at, make_view

AT_MS = 1_500_000_000_000

SESSION = Session(
    (
        Interaction(AT_MS, 0, 3, 17, 0, "milk", Kind.VIEW, 1),
        Interaction(AT_MS + 1, 1, 3, 4, 2, "bread", Kind.PURCHASE, 6),
    ),
    (Applied(0, 3, 77, 17, b"\xff" * 8), Applied(1, 3, 78, 4, b"fivefive", (3, 4))),
    AT_MS + 2,
)
#: What version 1 wrote. These bytes are in changelogs: when the test fails, write version 2.
GOLDEN = bytes.fromhex(
    "01939298cf0000015d3ef7980000031100a46d696c6b010198cf0000015d3ef7980101030402a56272656164060692"
    "9600034d11c408ffffffffffffffff909601034e04c4086669766566697665920304cf0000015d3ef79802"
)


def test_stored_sessions_keep_their_bytes() -> None:
    assert dump(SESSION) == GOLDEN


def test_sessions_stored_by_version_1_are_read() -> None:
    assert load(GOLDEN) == SESSION


def test_fingerprints_are_the_same_in_every_process() -> None:
    session = advance_all(Session(), [(make_view(event_id="event-0"), clicks_at(0))])

    assert session.applied[0].recent_ids == bytes.fromhex("fd360468c8326a3f")


def test_full_session_stays_small() -> None:
    views = [(make_view(i, product_id=f"{i:08d}"), clicks_at(i)) for i in range(200)]

    assert len(dump(advance_all(Session(), views))) < 2_048


def test_session_expires_after_its_time() -> None:
    assert not is_expired(SESSION, AT_MS + 2 + 1_000, ttl_ms=1_000)
    assert is_expired(SESSION, AT_MS + 2 + 1_001, ttl_ms=1_000)
