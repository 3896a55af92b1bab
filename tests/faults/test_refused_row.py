"""A row that the model itself refuses, through the whole pipeline."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.local.triton import EmbeddedTriton
from stream.model_specs import VOCABULARY
from tests.harness.events import view
from tests.harness.store import Store
from tests.harness.worker import Worker
from tests.integration.triton_fixtures import MODEL_NAMES

pytestmark = [pytest.mark.broker, pytest.mark.triton, pytest.mark.slow]


@pytest.fixture
def triton_with_a_stranger(tiny_repository: Path, tmp_path: Path) -> Iterator[str]:
    """Its vocabulary names one product more than its recommender knows."""
    repository = tmp_path / "models"
    shutil.copytree(tiny_repository, repository)
    path = repository / VOCABULARY.name / "1" / "vocabulary.json"
    path.write_text(json.dumps([*json.loads(path.read_text()), "stranger"]))
    server = EmbeddedTriton(tmp_path / "triton", repository)
    server.start(MODEL_NAMES)
    yield server.grpc
    server.stop()


def test_a_refused_row_is_set_aside_and_the_others_are_answered(
    store: Store, triton_with_a_stranger: str, tmp_path: Path
) -> None:
    with Worker(tmp_path, store.bootstrap, triton=triton_with_a_stranger) as worker:
        worker.wait_ready()
        good = [view(f"good-{n}", f"p{n}") for n in range(60)]
        sent = store.publish(*good[:30], view("bad", "stranger"), *good[30:])
        store.settle()

    refused = sent.pop(30)
    [letter] = store.dead_letters()
    assert store.unanswered(sent) == []
    assert {a.decoded.strategy for a in store.answers()} == {"session_transformer"}
    assert store.unanswered([refused]) == [refused.place]
    assert (letter.source, letter.value) == (refused.place, refused.record.value)
    assert letter.headers["dl-reason"] == "RefusedRow"
    assert "recommender refused visitor 'bad'" in letter.headers["dl-error"]
