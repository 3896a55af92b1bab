"""Fits the session transformer, until validation gains no more by it or time is up."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from stream.models.checkpoint import Checkpoint
from stream.models.progress import Progress, silent
from stream.models.sampled_softmax import sampled_softmax
from stream.models.served.recommender.network import SessionTransformer
from stream.models.validation import Held, ndcg, places_of
from stream.models.windows import Batch, Windows

_LEARNING_RATE = 1e-3
_BETAS = (0.9, 0.98)
_N_WARM_UP = 100
#: What a step leaves of the average of the weights, once there have been many.
_KEPT = 0.998
#: Validations in a row without a better one, after which it ends, and what lies between two at
#: least: a small store has epochs of a few steps.
_PATIENCE = 10
_STEPS_PER_VALIDATION = 100
_STEPS_PER_REPORT = 20


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a training may go on; it ends before where it gains no more.

    Attributes:
        seconds: Of all its runs together, where it is resumed.
    """

    seconds: float
    max_steps: int = 1_000_000

    def spent(self, seconds: float, n_steps: int) -> float:
        """Return the share of it that is spent; 1 and more is all of it."""
        return max(seconds / max(self.seconds, 1e-9), n_steps / self.max_steps)


class Fitting:
    """One training of *network*, a step at a time.

    What is validated, and kept, is the exponential average of the weights (Polyak and Juditsky
    1992): it needs no falling learning rate, so that nobody must know beforehand how long the
    training will be.

    Args:
        held: Asked after an epoch, which says what to keep and when to end.
        checkpoint: Written now and then, and gone on from where it is there already.
    """

    def __init__(
        self,
        network: SessionTransformer,
        windows: Windows,
        held: Held,
        *,
        seed: int,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self._network = network
        self._windows = windows
        self._held = held
        self._seed = seed
        self._checkpoint = checkpoint or Checkpoint(None)
        self._average = copy.deepcopy(network).eval().requires_grad_(False)
        self._optimizer = torch.optim.Adam(network.parameters(), lr=_LEARNING_RATE, betas=_BETAS)
        self._best: dict[str, Any] = {}
        self._at = _At()

    def run(self, budget: Budget, progress: Progress = silent) -> dict[str, float]:
        """Train, leave the network with the average that did best, and return what it took.

        Raises:
            Misconfigured: The checkpoint is of another network.
        """
        self._checkpoint.resume(self._resume)
        at = self._at
        began_s = time.monotonic() - at.spent_s

        def spent() -> float:
            at.spent_s = time.monotonic() - began_s
            return budget.spent(at.spent_s, at.n_steps) if at.n_steps else 0.0

        while at.n_stale < _PATIENCE and spent() < 1:
            self._train_epoch(spent, progress)
            if at.n_steps - at.validated_at >= _STEPS_PER_VALIDATION or spent() >= 1:
                self._validate()
        if not self._best:  # it was stopped before it was validated, and has no time left now
            self._validate()
        progress("recommender", 1.0)
        self._network.load_state_dict(self._best)
        self._network.eval()
        return {"n_steps": float(at.n_steps), "n_epochs": float(at.n_epochs)}

    def _train_epoch(self, spent: Callable[[], float], progress: Progress) -> None:
        """Train on what is left of an epoch; the checkpoint says where that begins."""
        at = self._at
        self._network.train()
        if not at.n_batches:
            torch.manual_seed(self._seed + at.n_epochs + 1)
        for number, batch in enumerate(self._windows.epoch((self._seed, at.n_epochs + 1))):
            if number < at.n_batches:
                continue
            if (share := spent()) >= 1:
                break
            if at.n_steps % _STEPS_PER_REPORT == 0:
                progress("recommender", share)
            self._step(batch)
            self._checkpoint.keep(self._state)
        at.n_epochs, at.n_batches = at.n_epochs + 1, 0

    def _step(self, batch: Batch) -> None:
        at = self._at
        for group in self._optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * min(1.0, (at.n_steps + 1) / _N_WARM_UP)
        self._optimizer.zero_grad()
        sampled_softmax(self._network, batch).backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        at.n_steps, at.n_batches = at.n_steps + 1, at.n_batches + 1
        self._take_into_average()

    @torch.no_grad()
    def _take_into_average(self) -> None:
        """Count the first steps for more, so that the beginning is soon forgotten."""
        n_steps = self._at.n_steps
        kept = min(_KEPT, n_steps / (n_steps + 10))
        pairs = zip(self._average.parameters(), self._network.parameters(), strict=True)
        for average, newest in pairs:
            average.lerp_(newest, 1 - kept)

    def _validate(self) -> None:
        """Keep the average where it is better than before; without questions the last is kept."""
        at = self._at
        at.validated_at = at.n_steps
        self._average.eval()
        reached = ndcg(places_of(self._average.score, self._held)) if len(self._held) else 0.0
        if self._best and reached <= at.best_ndcg and len(self._held):
            at.n_stale += 1
            return
        at.best_ndcg, at.n_stale = reached, 0
        self._best = copy.deepcopy(self._average.state_dict())

    # -- to go on where it was stopped

    def _state(self) -> dict[str, Any]:
        return {
            "network": self._network.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "best": self._best,
            "at": asdict(self._at),
            "drawn": torch.get_rng_state(),
        }

    def _resume(self, state: Mapping[str, Any]) -> None:
        self._network.load_state_dict(state["network"])
        self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._best = state["best"]
        self._at = _At(**state["at"])
        torch.set_rng_state(state["drawn"])


@dataclass(slots=True)
class _At:
    """How far a training is.

    Attributes:
        n_epochs: That are over.
        n_batches: Of the epoch under way, that were trained on.
        validated_at: After how many steps.
        n_stale: Validations since the best one.
    """

    n_steps: int = 0
    n_epochs: int = 0
    n_batches: int = 0
    validated_at: int = 0
    n_stale: int = 0
    best_ndcg: float = -1.0
    spent_s: float = 0.0
