"""Models of random weights, as large as the catalogue that is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from stream.model_specs import MAX_ITEMS, RECOMMENDER, ModelSpec
from stream.models.export import config_of, export_recommender
from stream.models.recommender import NETWORK, TrainedRecommender
from stream.models.served.recommender.network import SessionTransformer
from stream.repository import CONFIG, replace_text

_SEED = 1
_NEIGHBOUR_WEIGHT = 2.0
_NEAREST = 0.3
_AUTO = "kind: KIND_AUTO count: 1"
_MUST_BE_GPU = 'parameters { key: "must_be_gpu" value { string_value: "yes" } }\n'


def export_random(
    repository: Path, n_items: int, *, max_rows: int, device: str, n_instances: int
) -> Path:
    """Write a model of *n_items* products to be served on *device*; return its version's folder."""
    settings = {"n_products": n_items, "length": MAX_ITEMS, **NETWORK}
    settings["neighbour_weight"] = _NEIGHBOUR_WEIGHT
    product_ids = tuple(f"p{index}" for index in range(1, n_items + 1))
    trained = TrainedRecommender(_random(settings), settings, product_ids, {})
    version = export_recommender(trained, repository)
    model = repository / RECOMMENDER.name
    config = config_of(wider(max_rows), [version])
    replace_text(model / CONFIG, on_device(config, device, n_instances))
    return model / version


def on_device(config: str, device: str, n_instances: int) -> str:
    """Return *config* with so many instances on *device*, the first where there are several GPUs."""
    if device == "cpu":
        return config.replace(_AUTO, f"kind: KIND_CPU count: {n_instances}")
    return config.replace(_AUTO, f"kind: KIND_GPU gpus: [ 0 ] count: {n_instances}") + _MUST_BE_GPU


def wider(max_rows: int) -> ModelSpec:
    """Return the recommender's specification for requests of more rows."""
    return replace(RECOMMENDER, max_rows=max(max_rows, RECOMMENDER.max_rows))


def load_network(version: Path, device: str) -> SessionTransformer:
    """Read a version's network as the version does itself."""
    stored = torch.load(version / "weights.pt", map_location=device, weights_only=True)
    with torch.device("meta"):
        network = SessionTransformer(**stored["settings"])
    network.load_state_dict(stored["weights"], assign=True)
    return network.eval()


def _random(settings: dict[str, float]) -> SessionTransformer:
    """Return a network of which each product has as many neighbours as it may."""
    fractions = ("dropout", "temperature", "neighbour_weight")
    whole = {name: each if name in fractions else int(each) for name, each in settings.items()}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(_SEED)
        network = SessionTransformer(**whole)  # type: ignore[arg-type]
        network.products.weight[1:].normal_()
        network.popularity.normal_(-9.0)
        network.neighbours[1:].random_(1, network.n_products + 1)
        network.nearness[1:].uniform_(0, _NEAREST)
    return network.eval()
