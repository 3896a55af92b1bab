"""What asks the models: the connection to Triton, and who finds and asks their versions."""

from __future__ import annotations

from functools import cached_property, partial

from stream.adapters.breaker import Breaker
from stream.adapters.metered import MeteredInference
from stream.adapters.nothing import NoModels
from stream.adapters.triton import Patience, TritonModels
from stream.agents.parts import Connection
from stream.model_specs import FORECASTER, RECOMMENDER
from stream.pipeline import lineup
from stream.pipeline.forecasts import Forecaster
from stream.pipeline.proposals import Proposer
from stream.pipeline.rollouts import Rollouts
from stream.pipeline.serving import Serving, Wishes
from stream.pipeline.shadow import Shadow
from stream.settings import Settings
from stream.telemetry import ANSWERS, CANARY, SHADOW, WARM_UP, Telemetry

#: Between two looks whether other versions are wanted, or those in use are gone.
_LOOK_S = 1.0
#: Between two warm-ups of a version that failed one, while another answers.
_AGAIN_S = 15.0


class Connections:
    """Several that are opened and closed together, the last one first."""

    def __init__(self, *parts: Connection) -> None:
        self._parts = parts

    async def start(self) -> None:
        """Open all of them."""
        for part in self._parts:
            await part.start()

    async def stop(self) -> None:
        """Close all of them."""
        for part in reversed(self._parts):
            await part.stop()


class ModelParts:
    """Makes each part once; without inference there is no connection, and nobody looks for one.

    What is on trial or in the shadow is asked over connections of its own: their breakers, and
    their places for requests in flight, are no others'.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry, rollouts: Rollouts) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._rollouts = rollouts
        trial_s = lineup.SHARE_OF_TRIAL * settings.triton_deadline_s
        self._models = self._connection(ANSWERS, settings.triton_deadline_s)
        self._canary = self._connection(CANARY, trial_s)
        self._shadowed = self._connection(SHADOW, trial_s)
        self._warming = self._connection(WARM_UP, settings.triton_deadline_s)
        self._shadow = Shadow(self._metered(self._shadowed, SHADOW), telemetry)
        inference = self._metered(self._models, ANSWERS)
        self.proposer = Proposer(
            inference, trial=self._metered(self._canary, CANARY), shadow=self._shadow
        )
        self.calendar = settings.days.calendar()
        self.forecaster = Forecaster(inference, self.calendar)

    @cached_property
    def models(self) -> Connections | None:
        if self._settings.inference == "none":
            return None
        connections = self._models, self._canary, self._shadowed, self._warming
        return Connections(*connections, self._shadow)

    @cached_property
    def serving(self) -> Serving | None:
        settings = self._settings
        if settings.inference == "none":
            return None
        pinned = {
            RECOMMENDER.name: settings.triton_recommender_version,
            FORECASTER.name: settings.triton_forecaster_version,
        }
        full_rows = {
            RECOMMENDER.name: settings.max_rows,
            FORECASTER.name: settings.stock_in_flight_rows,
        }
        return Serving(
            {
                lineup.ANSWERING: self._models,
                lineup.CANARY: self._canary,
                lineup.SHADOW: self._shadowed,
                lineup.WARMING: self._warming,
            },
            self.proposer,
            self.forecaster,
            wishes=Wishes(self._rollouts, pinned=pinned, full_rows=full_rows),
            telemetry=self._telemetry,
            retry_s=_LOOK_S,
            again_s=_AGAIN_S,
        )

    def _metered(self, models: TritonModels, purpose: str) -> MeteredInference:
        """Return *models* with their requests counted; nobody answers where inference is off."""
        inference = NoModels() if self._settings.inference == "none" else models
        return MeteredInference(inference, self._telemetry, purpose=purpose)

    def _connection(self, purpose: str, deadline_s: float) -> TritonModels:
        """Return a connection for a *purpose*; it opens nothing until it is started."""
        settings = self._settings
        return TritonModels(
            settings.triton_url,
            patience=Patience(
                timeout_s=min(settings.triton_timeout_s, deadline_s),
                deadline_s=deadline_s,
                n_retries=settings.triton_retries,
                backoff_s=settings.triton_backoff_s,
            ),
            max_in_flight=settings.triton_in_flight,
            make_breaker=partial(
                Breaker, n_failures=settings.breaker_failures, reset_s=settings.breaker_reset_s
            ),
            telemetry=self._telemetry,
            purpose=purpose,
        )
