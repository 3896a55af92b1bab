"""Makes both models from a store's past and writes the repository that Triton serves."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np

from stream.models.acts import History
from stream.models.demand_history import DemandHistory
from stream.models.export import export_forecaster, export_recommender
from stream.models.fitting import Budget
from stream.models.forecaster import train_forecaster
from stream.models.progress import Progress, silent
from stream.models.recommender import train_recommender

#: The rest of the time goes to the forecaster, which learns faster.
_RECOMMENDER_SHARE = 0.75


@dataclass(frozen=True, slots=True)
class Report:
    """What was trained, on what, and how well it did on what it had not seen.

    Attributes:
        data: SHA-256 of the training data.
        recommender: HR@10 on the validation tail, beside popularity and the own items.
        forecaster: Pinball loss on the last days, beside empirical quantiles.
    """

    data: str
    seed: int
    budget_s: float
    seconds: float
    n_products: int
    recommender: Mapping[str, float]
    forecaster: Mapping[str, float]


def train_all(
    histories: Sequence[History],
    demand: DemandHistory,
    repository: Path,
    *,
    budget_s: float = 100.0,
    seed: int = 1,
    min_count: int = 20,
    progress: Progress = silent,
) -> Report:
    """Train both models and put them at *repository*, which appears whole or not at all.

    A repository that is already there is replaced. Arguments are those of
    ``train_recommender`` and ``train_forecaster``; loading and validating add a few seconds to
    *budget_s*.
    """
    started = time.perf_counter()
    recommender = train_recommender(
        histories,
        min_count=min_count,
        budget=Budget(_RECOMMENDER_SHARE * budget_s),
        seed=seed,
        progress=progress,
    )
    left_s = (1 - _RECOMMENDER_SHARE) * budget_s
    forecaster = train_forecaster(demand, seconds=left_s, seed=seed, progress=progress)
    report = Report(
        data=_hash_of(histories, demand),
        seed=seed,
        budget_s=budget_s,
        seconds=round(time.perf_counter() - started, 1),
        n_products=len(recommender.product_ids),
        recommender=recommender.metrics,
        forecaster=forecaster.metrics,
    )
    partial = repository.with_name(f".{repository.name}-{uuid4().hex[:8]}")
    try:
        export_recommender(recommender, partial)
        export_forecaster(forecaster, partial)
        (partial / "report.json").write_text(json.dumps(asdict(report), indent=2), "utf-8")
        _put(partial, repository)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return report


def _put(partial: Path, repository: Path) -> None:
    if repository.exists():
        old = repository.with_name(f"{partial.name}-old")
        repository.rename(old)
        partial.rename(repository)
        shutil.rmtree(old)
    else:
        partial.rename(repository)


def _hash_of(histories: Sequence[History], demand: DemandHistory) -> str:
    digest = hashlib.sha256()
    for each in histories:
        digest.update("\t".join(each.product_ids).encode() + b"\n")
        digest.update(np.array([each.at_ms, each.kinds], dtype=np.int64).tobytes())
    digest.update(str(demand.units.shape).encode())
    for known in (demand.units, demand.is_open, demand.price):
        digest.update(known.tobytes())
    return digest.hexdigest()
