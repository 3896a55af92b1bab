"""The demo's report: what was sent, what became of it, how fast, and what is left behind."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import tritonclient.grpc as triton_grpc

from stream.demo.audit import Audit, Lost
from stream.demo.sending import Replayed
from stream.model_specs import FORECASTER, RECOMMENDER


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests that a model answered and the rows in them."""

    n_requests: int
    n_rows: int

    def since(self, before: Requests) -> Requests:
        return Requests(self.n_requests - before.n_requests, self.n_rows - before.n_rows)

    @property
    def rows_per_request(self) -> float | None:
        return round(self.n_rows / self.n_requests, 2) if self.n_requests else None


def requests_so_far(triton_url: str) -> dict[str, Requests]:
    """What Triton itself counts, by model, over all versions."""
    client = triton_grpc.InferenceServerClient(triton_url)
    try:
        return {
            spec.name: _counted(client.get_inference_statistics(spec.name, client_timeout=5))
            for spec in (RECOMMENDER, FORECASTER)
        }
    finally:
        client.close()


def _counted(statistics: triton_grpc.service_pb2.ModelStatisticsResponse) -> Requests:
    models = statistics.model_stats
    return Requests(
        sum(model.inference_stats.success.count for model in models),
        sum(model.inference_count for model in models),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that a run found out, before it was stopped."""

    n_past: int
    replayed: Replayed
    audit: Audit
    lost: Lost
    requests: Mapping[str, Requests]
    triton_version: str


def report_of(
    story: Story,
    *,
    left_behind: list[str],
    settings: Mapping[str, object],
    seconds: Mapping[str, float],
) -> dict[str, object]:
    """The JSON report; its keys are promised in the README."""
    return {
        "events": _events(story),
        "recommendations": _recommendations(story.audit),
        "stock_alerts": {
            "published": story.audit.outputs.alerts.total(),
            "by_kind": dict(story.audit.outputs.alerts),
            "repeats": story.audit.outputs.repeated_alerts,
        },
        "outputs": {
            "invalid": story.audit.outputs.invalid,
            "dead_letters": story.audit.outputs.dead_letters,
            "expired_states": story.audit.outputs.expired,
        },
        "latency_ms": story.audit.latency_ms(),
        "triton": {
            "version": story.triton_version,
            "rows_per_request": story.requests[RECOMMENDER.name].rows_per_request,
            "forecaster_rows_per_request": story.requests[FORECASTER.name].rows_per_request,
        },
        "left_behind": left_behind,
        "seconds": {**seconds, "replay": round(story.replayed.seconds, 1)},
        "settings": dict(settings),
        "machine": machine(),
    }


def _events(story: Story) -> dict[str, object]:
    return {
        "sent": story.replayed.n_events,
        "sent_by_kind": {
            "real": dict(story.replayed.real),
            "simulated": dict(story.replayed.simulated),
        },
        "past": story.n_past,
        "lost": story.lost.total,
        "lost_by_reason": {
            "missing": story.lost.missing,
            "unanswered": story.lost.unanswered,
            "unfolded": story.lost.unfolded,
            "unmoved": story.lost.unmoved,
        },
    }


def _recommendations(audit: Audit) -> dict[str, object]:
    outputs = audit.outputs
    share = outputs.degraded / outputs.recommendations if outputs.recommendations else None
    return {
        "published": outputs.recommendations,
        "degraded_share": None if share is None else round(share, 6),
        "repeats": outputs.repeats,
        "by_strategy": dict(outputs.strategies),
    }


def machine() -> dict[str, object]:
    """Where the figures come from."""
    return {
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
    }


def write_report(report: Mapping[str, object], path: Path) -> None:
    """Write it as indented JSON, making the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
