"""The fault bench itself: half a minute of load with a fault of each part, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from stream.bench.faults.report import Asked
from stream.bench.faults.run import chosen_kinds, run_faults
from stream.demo.narration import Narrator
from tests.harness.fixtures import LEAKS_KNOWN

pytestmark = [pytest.mark.kafka, pytest.mark.triton, pytest.mark.slow, *LEAKS_KNOWN]

KINDS = ("worker_killed", "triton_errors", "poison_input")


def test_half_a_minute_of_faults_loses_nothing(tiny_repository: Path, tmp_path: Path) -> None:
    narrator = Narrator(Console(), headless=True)
    asked = Asked(0.5, 100, seed=3, exactly_once=False, n_workers=2, every_s=9)
    logs = tmp_path / "logs"
    logs.mkdir()

    run = run_faults(
        narrator, logs, tiny_repository, asked=asked, kinds=chosen_kinds(",".join(KINDS))
    )

    assert run.wrong == []
    assert {each.kind for each in run.rounds} == {*KINDS}
    assert run.said.dead_letters > 0
    assert run.said.degraded > 0
    assert run.endings["-9"] >= 1
    assert run.said.answers <= run.n_sent
