from __future__ import annotations

import pytest
from kafka.admin import KafkaAdminClient
from kafka.errors import CoordinatorNotAvailableError

from stream.demo.reading import Progress


def test_nothing_is_committed_while_the_group_has_no_coordinator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise CoordinatorNotAvailableError

    monkeypatch.setattr(KafkaAdminClient, "__init__", lambda *_, **__: None)
    monkeypatch.setattr(KafkaAdminClient, "list_group_offsets", refuse)

    assert Progress("127.0.0.1:9", "nobody").committed() == {}
