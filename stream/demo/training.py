"""The demo's data, and its models: trained once on what came before the replay, then kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stream.demo.catalogue import catalogue_of
from stream.demo.household_orders import read_descriptions, read_purchases
from stream.demo.narration import Narrator
from stream.demo.replay import PAST_FROM, REPLAYED_FROM, training_data
from stream.demo.story import SEED, Data
from stream.domain.prices import relative_prices
from stream.model_specs import MODELS
from stream.models.demand_history import DemandHistory, open_steps
from stream.repository import fits

#: Keeps the models for later runs, and the logs of a run that failed.
FOLDER = Path("var/demo")
TRAINING_S = 120.0


def read_data(narrator: Narrator) -> Data:
    """Return a year of orders, and what was on the shelves before the replay begins."""
    with narrator.step("reading", "Reading a year of real orders"):
        purchases = read_purchases()
        past = purchases.between(PAST_FROM, REPLAYED_FROM)
        return Data(purchases, catalogue_of(past, read_descriptions()))


def models_in(folder: Path, narrator: Narrator, data: Callable[[], Data]) -> Path:
    """Return the model repository in *folder*, trained on *data* where there is none that fits."""
    repository = folder / "models"
    if repository.exists() and all(fits(repository / spec.name, spec) for spec in MODELS):
        return repository
    from stream.models.acts import History  # noqa: PLC0415 - torch, not needed again
    from stream.models.train import train_all  # noqa: PLC0415

    known = data()
    seen = training_data(known.purchases, known.catalogue)
    with narrator.step("training", "Training both models on what came before") as update:
        train_all(
            [History.bought(*household) for household in seen.households],
            DemandHistory.of(
                seen.demand,
                seen.first_weekday,
                is_open=open_steps(seen.demand),
                price=relative_prices(seen.paid, seen.demand),
            ),
            repository,
            budget_s=TRAINING_S,
            seed=SEED,
            progress=lambda stage, share: update(share, stage),
        )
    return repository
