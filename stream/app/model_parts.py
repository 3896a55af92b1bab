"""What asks the models: the connection to Triton, and who finds and asks their versions."""

from __future__ import annotations

from functools import cached_property, partial

from stream.adapters.breaker import Breaker
from stream.adapters.metered import MeteredInference
from stream.adapters.nothing import NoModels
from stream.adapters.triton import Patience, TritonModels
from stream.model_specs import FORECASTER, RECOMMENDER
from stream.pipeline.forecasts import Forecaster
from stream.pipeline.proposals import Proposer
from stream.pipeline.serving import Serving
from stream.settings import Settings
from stream.telemetry import Telemetry

#: Between two looks for models that are not there yet.
_SERVING_RETRY_S = 1.0


class ModelParts:
    """Makes each part once; without inference there is no connection, and nobody looks for one."""

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self._settings = settings
        self._telemetry = telemetry
        inference = MeteredInference(self.models or NoModels(), telemetry)
        self.proposer = Proposer(inference)
        self.forecaster = Forecaster(inference)

    @cached_property
    def models(self) -> TritonModels | None:
        settings = self._settings
        if settings.inference == "none":
            return None
        return TritonModels(
            settings.triton_url,
            patience=Patience(
                timeout_s=settings.triton_timeout_s,
                deadline_s=settings.triton_deadline_s,
                n_retries=settings.triton_retries,
                backoff_s=settings.triton_backoff_s,
            ),
            max_in_flight=settings.triton_in_flight,
            make_breaker=partial(
                Breaker, n_failures=settings.breaker_failures, reset_s=settings.breaker_reset_s
            ),
            telemetry=self._telemetry,
        )

    @cached_property
    def serving(self) -> Serving | None:
        if self.models is None:
            return None
        pinned = {
            RECOMMENDER.name: self._settings.triton_recommender_version,
            FORECASTER.name: self._settings.triton_forecaster_version,
        }
        return Serving(
            self.models,
            self.proposer,
            self.forecaster,
            versions=pinned,
            full_rows={
                RECOMMENDER.name: self._settings.max_rows,
                FORECASTER.name: self._settings.stock_in_flight_rows,
            },
            retry_s=_SERVING_RETRY_S,
        )
