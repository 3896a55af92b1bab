from __future__ import annotations

from collections.abc import Callable

import pytest
from kafka.admin import KafkaAdminClient
from kafka.errors import (
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    NotCoordinatorError,
    UnknownBrokerIdError,
)

from stream.demo.reading import Progress

Refuse = Callable[[type[KafkaError]], list[KafkaAdminClient]]


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Let every client be refused with an error; return those that were made."""

    def refuse(error: type[KafkaError]) -> list[KafkaAdminClient]:
        made: list[KafkaAdminClient] = []

        def list_group_offsets(*_: object) -> None:
            raise error

        monkeypatch.setattr(KafkaAdminClient, "__init__", lambda self, **_: made.append(self))
        monkeypatch.setattr(KafkaAdminClient, "close", lambda _: None)
        monkeypatch.setattr(KafkaAdminClient, "list_group_offsets", list_group_offsets)
        return made

    return refuse


@pytest.mark.parametrize(
    "error",
    [
        CoordinatorNotAvailableError,
        NotCoordinatorError,
        KafkaConnectionError,
        UnknownBrokerIdError,
    ],
)
def test_nothing_is_committed_while_the_group_has_no_coordinator_and_another_is_looked_for(
    refuse: Refuse, error: type[KafkaError]
) -> None:
    made = refuse(error)
    progress = Progress("127.0.0.1:9", "nobody")

    assert [progress.committed(), progress.committed()] == [{}, {}]
    assert len(made) == 2


def test_an_error_that_does_not_pass_is_told(refuse: Refuse) -> None:
    refuse(GroupAuthorizationFailedError)

    with pytest.raises(GroupAuthorizationFailedError):
        Progress("127.0.0.1:9", "nobody").committed()
