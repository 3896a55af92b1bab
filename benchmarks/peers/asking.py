"""Asking the model, for the peers that do: what a session's latest products lead to."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tritonclient.grpc.aio as triton

MAX_ITEMS = 50
SHOWN = 10
#: As the model's version was exported: the product with index ``i + 1`` at place ``i``.
PRODUCTS: list[str] = json.loads(Path(os.environ["PEER_VOCABULARY"]).read_text(encoding="utf-8"))
INDEX = {product_id: index for index, product_id in enumerate(PRODUCTS, start=1)}


def client() -> triton.InferenceServerClient:
    """Return a connection to Triton; within a running loop."""
    return triton.InferenceServerClient(os.environ["PEER_TRITON"])


async def candidates(
    asked: triton.InferenceServerClient, latest: Sequence[Sequence[str]]
) -> tuple[list[list[int]], list[list[float]]]:
    """Ask the model what goes on from each of *latest*, products with the newest last."""
    rows = np.zeros((len(latest), MAX_ITEMS), dtype=np.int64)
    for row, products in zip(rows, latest, strict=True):
        row[-len(products) :] = [INDEX[product_id] for product_id in products]
    items = triton.InferInput("items", list(rows.shape), "INT64").set_data_from_numpy(rows)
    found = await asked.infer("recommender", [items], client_timeout=5)
    return found.as_numpy("candidates").tolist(), found.as_numpy("scores").tolist()
