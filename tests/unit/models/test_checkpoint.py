from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stream.errors import Misconfigured
from stream.models.checkpoint import Checkpoint
from stream.models.forecaster import TrainedForecaster, train_forecaster
from stream.models.progress import Progress, silent
from tests.integration.triton_fixtures import make_history


def test_what_is_kept_is_handed_back(tmp_path: Path) -> None:
    checkpoint, taken = Checkpoint(tmp_path / "kept.pt", every_s=0), list[dict[str, int]]()

    checkpoint.resume(taken.append)
    checkpoint.keep(lambda: {"n_steps": 7})
    checkpoint.resume(taken.append)

    assert taken == [{"n_steps": 7}]
    assert [path.name for path in tmp_path.iterdir()] == ["kept.pt"]


def test_it_is_written_now_and_then_only(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "kept.pt", every_s=3600)

    checkpoint.keep(lambda: pytest.fail("asked for a state"))

    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("kept", [b"", b"no checkpoint", {"network": {}}])
def test_what_is_no_checkpoint_is_named(tmp_path: Path, kept: bytes | dict[str, object]) -> None:
    path = tmp_path / "kept.pt"
    path.write_bytes(kept) if isinstance(kept, bytes) else torch.save(kept, path)

    with pytest.raises(Misconfigured, match=r"kept\.pt: expected a training of this model"):
        train_forecaster(make_history(), seconds=60, max_steps=2, checkpoint=Checkpoint(path))


def test_a_forecaster_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    def kill(_stage: str, share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    def train(checkpoint: Checkpoint | None, progress: Progress = silent) -> TrainedForecaster:
        return train_forecaster(
            make_history(), seconds=600, max_steps=60, checkpoint=checkpoint, progress=progress
        )

    kept = Checkpoint(tmp_path / "kept.pt", every_s=0)
    with pytest.raises(KeyboardInterrupt):
        train(kept, kill)
    resumed_at: list[float] = []

    resumed = train(kept, lambda _, share: resumed_at.append(share))
    whole = train(None)

    assert min(resumed_at) > 0.5
    assert resumed.metrics == whole.metrics
    for one, other in zip(resumed.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(one, other)
