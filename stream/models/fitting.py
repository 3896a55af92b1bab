"""Fits the session transformer, until validation gains no more by it or time is up."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stream.models.progress import Progress, silent
from stream.models.sampled_softmax import sampled_softmax
from stream.models.served.recommender.network import SessionTransformer
from stream.models.validation import Held, ndcg, places_of
from stream.models.windows import Windows

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
        checkpoint: Written then, and gone on from where it is there already.
    """

    def __init__(
        self,
        network: SessionTransformer,
        windows: Windows,
        held: Held,
        *,
        seed: int,
        checkpoint: Path | None = None,
    ) -> None:
        self._network = network
        self._windows = windows
        self._held = held
        self._seed = seed
        self._checkpoint = checkpoint
        self._average = copy.deepcopy(network).eval().requires_grad_(False)
        self._optimizer = torch.optim.Adam(network.parameters(), lr=_LEARNING_RATE, betas=_BETAS)
        self._best: dict[str, Any] = {}
        self._best_ndcg = -1.0
        self._n_stale = 0
        self._n_epochs = 0
        self._n_steps = 0
        self._validated_at = 0
        self._spent_s = 0.0

    def run(self, budget: Budget, progress: Progress = silent) -> dict[str, float]:
        """Train, leave the network with the average that did best, and return what it took.

        Raises:
            Misconfigured: The checkpoint is of another network.
        """
        self._resume()
        began_s = time.monotonic() - self._spent_s

        def spent() -> float:
            self._spent_s = time.monotonic() - began_s
            return budget.spent(self._spent_s, self._n_steps) if self._n_steps else 0.0

        while self._n_stale < _PATIENCE and spent() < 1:
            self._train_epoch(spent, progress)
            if self._n_steps - self._validated_at >= _STEPS_PER_VALIDATION or spent() >= 1:
                self._validate()
                self._save()
        progress("recommender", 1.0)
        self._network.load_state_dict(self._best)
        self._network.eval()
        return {"n_steps": float(self._n_steps), "n_epochs": float(self._n_epochs)}

    def _train_epoch(self, spent: Callable[[], float], progress: Progress) -> None:
        self._n_epochs += 1
        seed = self._seed, self._n_epochs
        torch.manual_seed(self._seed + self._n_epochs)
        self._network.train()
        for batch in self._windows.epoch(seed):
            if (share := spent()) >= 1:
                return
            if self._n_steps % _STEPS_PER_REPORT == 0:
                progress("recommender", share)
            for group in self._optimizer.param_groups:
                group["lr"] = _LEARNING_RATE * min(1.0, (self._n_steps + 1) / _N_WARM_UP)
            self._optimizer.zero_grad()
            sampled_softmax(self._network, batch).backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            self._n_steps += 1
            self._take_into_average()

    @torch.no_grad()
    def _take_into_average(self) -> None:
        """Count the first steps for more, so that the beginning is soon forgotten."""
        kept = min(_KEPT, self._n_steps / (self._n_steps + 10))
        pairs = zip(self._average.parameters(), self._network.parameters(), strict=True)
        for average, newest in pairs:
            average.lerp_(newest, 1 - kept)

    def _validate(self) -> None:
        """Keep the average where it is better than before; without questions the last is kept."""
        self._validated_at = self._n_steps
        self._average.eval()
        reached = ndcg(places_of(self._average.score, self._held)) if len(self._held) else 0.0
        if self._best and reached <= self._best_ndcg and len(self._held):
            self._n_stale += 1
            return
        self._best_ndcg, self._n_stale = reached, 0
        self._best = copy.deepcopy(self._average.state_dict())

    # -- to go on where it was stopped

    def _resume(self) -> None:
        if self._checkpoint is None or not self._checkpoint.exists():
            return
        stored = torch.load(self._checkpoint, weights_only=True)
        self._network.load_state_dict(stored["network"])
        self._average.load_state_dict(stored["average"])
        self._optimizer.load_state_dict(stored["optimizer"])
        self._best = stored["best"]
        self._best_ndcg, self._n_stale, self._n_epochs, self._n_steps, self._spent_s = stored["at"]
        self._validated_at = self._n_steps

    def _save(self) -> None:
        if self._checkpoint is None:
            return
        partial = self._checkpoint.with_suffix(".partial")
        torch.save(
            {
                "network": self._network.state_dict(),
                "average": self._average.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "best": self._best,
                "at": (
                    self._best_ndcg,
                    self._n_stale,
                    self._n_epochs,
                    self._n_steps,
                    self._spent_s,
                ),
            },
            partial,
        )
        partial.replace(self._checkpoint)
