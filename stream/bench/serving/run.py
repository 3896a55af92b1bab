"""``storestream bench inference --device``: rows a second and latency of Triton alone."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tritonclient.grpc as triton_grpc
from rich.console import Console

from stream.bench.serving.asking import Answers, Load, answers_to, serve
from stream.bench.serving.bare import Bare
from stream.bench.serving.catalogues import export_random
from stream.bench.serving.figures import Catalogue, Point, Run, said, table, written
from stream.bench.serving.questions import N_SESSIONS
from stream.errors import LocalPartMissing, Misconfigured, PartDied
from stream.local.triton import EmbeddedTriton
from stream.model_specs import RECOMMENDER

#: Requests that are compared, and the share of their candidates that must be the same.
_N_COMPARED = 64
_ALIKE = 0.99
#: A graph's sums are not added up in the same order each time, in half precision.
_TOLERANCE = {"cpu": 1e-4, "cuda": 0.05}
_START_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be measured; medians of *runs*, each of *seconds* a way.

    Attributes:
        n_instances: Processes of the model, of which each answers a request at a time.
    """

    device: str
    items: Sequence[int]
    rows: Sequence[int]
    runs: int
    seconds: float
    n_in_flight: int
    n_instances: int = 1


def run_bench_serving(*, report: Path | None, asked: Asked) -> int:
    """Measure each catalogue, print a table and write the report; return 0.

    Raises:
        Misconfigured: More rows a request than there are sessions.
        LocalPartMissing: There is no such device, or Triton cannot run here.
        PartDied: Triton answered otherwise than the model it serves.
    """
    check_device(asked.device)
    if max(asked.rows) > N_SESSIONS:
        raise Misconfigured(f"--rows: expected at most {N_SESSIONS:,}, got {max(asked.rows):,}")
    console = Console(highlight=False)
    found: list[Catalogue] = []
    for n_items in asked.items:
        found.append(_catalogue(asked, n_items, console))
        # What is found stays, should the next one take longer than somebody has the machine.
        if report is not None:
            written(
                found,
                report,
                device=asked.device,
                n_in_flight=asked.n_in_flight,
                n_instances=asked.n_instances,
            )
    console.print(table(found))
    return 0


def check_device(device: str) -> None:
    """Raise ``LocalPartMissing`` where torch has no such device."""
    if device == "cuda" and not torch.cuda.is_available():
        raise LocalPartMissing(
            f"--device cuda: torch {torch.__version__} finds no GPU; it takes an NVIDIA GPU with "
            "its driver, a torch that was built for CUDA, and nvidia-pytriton with numpy below 2; "
            "--device cpu measures the same without"
        )


def _catalogue(asked: Asked, n_items: int, console: Console) -> Catalogue:
    with tempfile.TemporaryDirectory(prefix="storestream-bench-") as name:
        folder, max_rows = Path(name), max(*asked.rows, RECOMMENDER.max_rows)
        repository = folder / "models"
        version = export_random(
            repository,
            n_items,
            max_rows=max_rows,
            device=asked.device,
            n_instances=asked.n_instances,
        )
        weights_mib = (version / "weights.pt").stat().st_size / 2**20
        (folder / "triton").mkdir()
        triton = EmbeddedTriton(folder / "triton", repository, start_timeout_s=_START_TIMEOUT_S)
        with Bare(version, n_items, max_rows=max_rows, device=asked.device) as bare:
            try:
                triton.start([RECOMMENDER.name])
                _check_kind(triton.grpc, asked.device)
                loads = [_load(asked, triton.grpc, n_items, n_rows) for n_rows in asked.rows]
                points = [_point(asked, load, bare, console) for load in loads]
            finally:
                triton.stop()
            found = Catalogue(n_items, weights_mib, bare.memory_mib(), bare.overlap(256), points)
    console.print(
        f"{n_items:,} products: weights of {weights_mib:,.0f} MiB, {found.memory_mib:,.0f} MiB in "
        f"memory, {found.overlap:.2%} of the candidates are those of full precision"
    )
    return found


def _load(asked: Asked, url: str, n_items: int, n_rows: int) -> Load:
    return Load(url, n_items, n_rows, asked.n_in_flight, asked.seconds)


def _point(asked: Asked, load: Load, bare: Bare, console: Console) -> Point:
    _check_same(load, bare, _TOLERANCE[asked.device])
    runs = []
    for _ in range(asked.runs):
        runs.append(Run(serve(load), bare.measure(load.n_rows, load.seconds)))
        console.print(f"{load.n_items:,} products, {load.n_rows} rows: {said(runs[-1])}")
    return Point(load.n_rows, runs)


def _check_same(load: Load, bare: Bare, tolerance: float) -> None:
    """Raise ``PartDied`` where Triton answers otherwise than the model does by itself."""
    n_requests = min(_N_COMPARED, max(1, N_SESSIONS // load.n_rows))
    served, own = answers_to(load, n_requests), bare.answers_to(load.n_rows, n_requests)
    if told := difference(served, own, tolerance):
        raise PartDied(f"{load.n_rows} rows of {load.n_items:,} products: {told}")


def difference(served: Answers, own: Answers, tolerance: float) -> str:
    """Say how far Triton's answers are from the model's own; empty where they are the same."""
    (candidates, scores), (expected, expected_scores) = served, own
    alike = np.mean([np.isin(*each).mean() for each in zip(candidates, expected, strict=True)])
    apart = float(np.abs(scores - expected_scores).max())
    # No number is above a bound or below it.
    if alike >= _ALIKE and apart <= tolerance:
        return ""
    return (
        f"{alike:.2%} of Triton's candidates are the model's own, "
        f"their scores up to {apart:.3g} apart"
    )


def _check_kind(url: str, device: str) -> None:
    client = triton_grpc.InferenceServerClient(url)
    try:
        config = client.get_model_config(RECOMMENDER.name, client_timeout=5).config
    finally:
        client.close()
    [group] = config.instance_group
    if (device == "cuda") != (group.kind == group.KIND_GPU):
        raise LocalPartMissing(f"--device {device}: Triton serves by {group.Kind.Name(group.kind)}")
