"""A version in the shadow: it scores what was answered, is compared, and shown to nobody."""

from __future__ import annotations

import asyncio

import structlog

from stream.errors import InferenceError
from stream.pipeline.candidates import Histories, Said, ask
from stream.pipeline.scoring import Vocabulary
from stream.ports import Inference
from stream.telemetry import Telemetry

log = structlog.get_logger(__name__)

#: Of each answer, the candidates that are compared.
N_COMPARED = 10


class Shadow:
    """Compares one micro-batch at a time beside the pipeline; what comes meanwhile is left out.

    Nothing it does can hold an answer up or fail it: whatever goes wrong is counted. How long it
    takes is bounded by the deadlines of *inference*.
    """

    def __init__(self, inference: Inference, telemetry: Telemetry) -> None:
        self._inference = inference
        self._telemetry = telemetry
        self._comparing: asyncio.Task[None] | None = None
        self._stopped = False

    async def start(self) -> None:
        """Begin with the first micro-batch: there is nothing to open."""

    async def stop(self) -> None:
        """End what is under way, and begin nothing more."""
        self._stopped = True
        if self._comparing is not None:
            self._comparing.cancel()
            await asyncio.gather(self._comparing, return_exceptions=True)

    def compare(self, vocabulary: Vocabulary, said: Said, histories: Histories) -> None:
        """Ask the version of *vocabulary* as well about the rows of *said*; return at once."""
        if self._stopped or not said.rows:
            return
        if self._comparing is not None and not self._comparing.done():
            self._count(vocabulary, "left_out", len(said.rows))
            return
        asked = {row: histories[row] for row in said.rows}
        self._comparing = asyncio.create_task(self._compare(vocabulary, said, asked))

    async def _compare(self, vocabulary: Vocabulary, said: Said, histories: Histories) -> None:
        try:
            shadow = await ask(self._inference, vocabulary, histories, halving=False)
        except InferenceError:
            self._count(vocabulary, "failed", len(histories))
            return
        except Exception:  # a shadow must not end what it only watches
            log.exception("shadow_failed", version=vocabulary.version)
            self._count(vocabulary, "failed", len(histories))
            return
        if shadow.is_foreign or shadow.not_finite():
            self._count(vocabulary, "failed", len(shadow.rows))
            return
        self._measure(said, shadow)
        n_refused = len(shadow.refused)
        self._count(vocabulary, "refused", n_refused)
        self._count(vocabulary, "unknown", len(histories) - len(shadow.rows) - n_refused)

    def _measure(self, said: Said, shadow: Said) -> None:
        answered = dict(zip(said.rows, said.best(N_COMPARED), strict=True))
        shares = [
            len(answered[row] & best) / N_COMPARED
            for row, best in zip(shadow.rows, shadow.best(N_COMPARED), strict=True)
        ]
        if shares:
            overlap = self._telemetry.shadow_overlap
            labels = said.vocabulary.version, shadow.vocabulary.version
            overlap.labels(*labels).observe(sum(shares) / len(shares))
        self._count(shadow.vocabulary, "compared", len(shares))

    def _count(self, vocabulary: Vocabulary, outcome: str, n_rows: int) -> None:
        self._telemetry.shadow_rows.labels(vocabulary.version, outcome).inc(n_rows)
