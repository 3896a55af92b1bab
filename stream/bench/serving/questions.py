"""What is asked, and of which version; without torch, which clients need not wait for."""

from __future__ import annotations

import numpy as np

from stream.domain.trail import Kind
from stream.model_specs import MAX_ITEMS
from stream.ports import Tensors

VERSION = "1"
#: Sessions, which requests take in turn.
N_SESSIONS = 4_096
#: Of the network, whose 0 is padding.
N_KINDS = max(Kind) + 1
_SEED = 1


def sessions(n_items: int) -> Tensors:
    """Return the model's inputs: random products, and lengths from 1 to as many as it reads."""
    draw = np.random.default_rng(_SEED)
    items = draw.integers(1, n_items + 1, (N_SESSIONS, MAX_ITEMS))
    kinds = draw.integers(1, N_KINDS, items.shape)
    lengths = draw.integers(1, MAX_ITEMS + 1, N_SESSIONS)
    there = np.arange(MAX_ITEMS) >= MAX_ITEMS - lengths[:, None]
    return {"items": items * there, "kinds": kinds * there}
