"""New model versions under load: one switch, nobody lost, nobody degraded; and the way back."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from stream.domain.outputs import Recommendation
from stream.domain.rollouts import Trial, is_in_canary
from stream.local.triton import EmbeddedTriton
from stream.model_specs import MODELS, RECOMMENDER, VOCABULARY
from stream.repository import ModelRepository
from stream.topics import MODEL_ROLLOUTS, RECOMMENDATIONS
from tests.harness.events import view
from tests.harness.load import Load, send_over, under_load
from tests.harness.store import Sent, Store, first_answers
from tests.harness.waiting import until
from tests.harness.worker import Worker, shared_out
from tests.integration.triton_fixtures import MODEL_NAMES, inputs_of, make_items, make_models

pytestmark = [pytest.mark.broker, pytest.mark.triton, pytest.mark.slow]

#: No command may take longer.
COMMAND_S = 240.0
RATE, N_MORE = 40, 200
RAISES = """
class TritonPythonModel:
    def initialize(self, args):
        raise RuntimeError("CUDA out of memory")
"""


@pytest.fixture(scope="module")
def repository(tiny_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1 is served; 2 has its vocabulary the other way round, 3 no numbers, 4 no start."""
    folder: Path = tmp_path_factory.mktemp("repository") / "models"
    shutil.copytree(tiny_repository, folder)
    for version in ("2", "3", "4"):
        for spec in MODELS:
            shutil.copytree(folder / spec.name / "1", folder / spec.name / version)
    for spec in (RECOMMENDER, VOCABULARY):
        path = folder / spec.name / "2" / "vocabulary.json"
        path.write_text(json.dumps(json.loads(path.read_text())[::-1]))
    poison(folder / RECOMMENDER.name / "3" / "weights.pt")
    (folder / RECOMMENDER.name / "4" / "model.py").write_text(RAISES)
    return folder


def poison(weights: Path) -> None:
    stored = torch.load(weights, weights_only=True)
    stored["weights"]["popularity"].fill_(float("nan"))
    torch.save(stored, weights)


@pytest.fixture(scope="module")
def server(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedTriton]:
    started = EmbeddedTriton(tmp_path_factory.mktemp("triton"), repository)
    started.start(MODEL_NAMES)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def workers(
    store: Store, server: EmbeddedTriton, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Worker]]:
    """Two, so that a decision has to reach more than one."""
    folder = tmp_path_factory.mktemp("worker")
    with (
        Worker(folder, store.bootstrap, triton=server.grpc) as one,
        Worker(folder, store.bootstrap, triton=server.grpc) as other,
    ):
        one.wait_ready()
        other.wait_ready()
        until(lambda: shared_out(one, other), "the two share the partitions")
        until(lambda: one.ready() and other.ready(), "both are ready")
        yield [one, other]


class Lifecycle:
    """The commands, each in a process of its own, and what a version answers without them."""

    def __init__(self, store: Store, server: EmbeddedTriton, repository: Path) -> None:
        self._environment = {
            **os.environ,
            "STORESTREAM_BOOTSTRAP_SERVERS": store.bootstrap,
            "STORESTREAM_TRITON_URL": server.grpc,
        }
        self._repository, self._url = repository, server.grpc

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "stream",
                "models",
                *arguments,
                "--repository",
                self._repository,
            ],
            check=False,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
        )

    def proposed(self, version: str) -> list[str]:
        """Return what *version* proposes who looked at ``p7``: ten, by its own names."""
        path = self._repository / RECOMMENDER.name / version / "vocabulary.json"
        product_ids: list[str] = json.loads(path.read_text())
        looked = inputs_of(make_items(1 + product_ids.index("p7")))

        async def ask() -> list[int]:
            models = make_models(self._url)
            await models.start()
            try:
                answer = await models.infer(RECOMMENDER, version, looked)
            finally:
                await models.stop()
            best: list[int] = answer["candidates"][0, :10].tolist()
            return best

        return [product_ids[index - 1] for index in asyncio.run(ask())]


@pytest.fixture(scope="module")
def models(store: Store, server: EmbeddedTriton, repository: Path) -> Lifecycle:
    return Lifecycle(store, server, repository)


@contextmanager
def views_meanwhile(store: Store, name: str) -> Iterator[Load]:
    """Publish views while a command runs, and for five seconds more."""
    n_most = int(RATE * (COMMAND_S + 30))
    views = [view(f"{name}-{n % 97}", f"p{n % 80}") for n in range(n_most)]
    with under_load(store, views, n_most / RATE) as load:
        yield load
        load.goes_on(N_MORE)
        load.enough()


def answers_to(store: Store, sent: list[Sent]) -> list[Recommendation]:
    found = first_answers(store.answers(), sent)
    return [found[each.place].decoded for each in sent]


def versions_by_partition(store: Store, sent: list[Sent]) -> dict[int, list[str]]:
    """Return whose answers lie in each partition, one after the other, without repetition."""
    visitors = {(each.record.key or b"") for each in sent}
    runs: dict[int, list[str]] = defaultdict(list)
    for partition, record in store.records(RECOMMENDATIONS):
        if record.key not in visitors:
            continue
        version = json.loads(record.value or b"")["model_version"]
        if runs[partition][-1:] != [version]:
            runs[partition].append(version)
    return runs


def shown(store: Store, visitor_id: str) -> Recommendation:
    """Return what a visitor is shown who now looks at ``p7``."""
    [sent] = store.publish(view(visitor_id, "p7"))
    store.until(lambda: store.answer_to(sent), "the visitor is answered")
    return answers_to(store, [sent])[0]


def answering(store: Store) -> str:
    """Return whose answer a visitor gets now."""
    return shown(store, "somebody").model_version


def test_a_version_promoted_under_load_answers_from_one_point_on_and_so_does_the_way_back(
    store: Store, workers: list[Worker], models: Lifecycle
) -> None:
    with views_meanwhile(store, "promoted") as load:
        promoted = models("promote", RECOMMENDER.name, "2")
    forth = load.sent()
    store.settle()

    assert (promoted.returncode, promoted.stderr) == (0, "")
    assert "unloaded" in promoted.stdout
    assert store.unanswered(forth) == []
    assert not any(answer.degraded for answer in answers_to(store, forth))
    assert versions_by_partition(store, forth) == {n: ["1", "2"] for n in range(4)}
    by_2 = [item.product_id for item in shown(store, "of-2").items]
    assert by_2 == models.proposed("2")

    with views_meanwhile(store, "back") as load:
        back = models("rollback", RECOMMENDER.name)
    back_again = load.sent()
    store.settle()

    assert back.returncode == 0, back.stderr
    assert store.unanswered(back_again) == []
    assert not any(answer.degraded for answer in answers_to(store, back_again))
    assert versions_by_partition(store, back_again) == {n: ["2", "1"] for n in range(4)}
    by_1 = [item.product_id for item in shown(store, "of-1").items]
    assert by_1 == models.proposed("1") != by_2
    assert {answer.variant for answer in answers_to(store, back_again)} == {
        "recommender-1",
        "recommender-2",
    }


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize("broken", [("3", "numbers"), ("4", "CUDA out of memory")])
def test_a_broken_version_is_refused_and_answers_go_on(
    store: Store, repository: Path, models: Lifecycle, broken: tuple[str, str]
) -> None:
    (version, reason), before = broken, answering(store)
    served = [ModelRepository(repository).served(name) for name in MODEL_NAMES]

    with views_meanwhile(store, f"broken-{version}") as load:
        refused = models("promote", RECOMMENDER.name, version)
    sent = load.sent()
    store.settle()

    assert refused.returncode == 1
    assert f"recommender version {version} is refused" in refused.stderr
    assert reason in refused.stderr
    assert store.unanswered(sent) == []
    assert {(a.model_version, a.degraded) for a in answers_to(store, sent)} == {(before, False)}
    assert decided(store)["version"] == before
    assert [ModelRepository(repository).served(name) for name in MODEL_NAMES] == served


def decided(store: Store) -> dict[str, Any]:
    """Return the decision that holds for the recommender."""
    store.read()
    of_it = [r for _, r in store.records(MODEL_ROLLOUTS) if r.key == RECOMMENDER.name.encode()]
    found: dict[str, Any] = json.loads(of_it[-1].value or b"{}")
    return found


def test_a_canary_answers_exactly_the_visitors_of_its_hash_always(
    store: Store, workers: list[Worker], models: Lifecycle
) -> None:
    main = answering(store)
    started = models("promote", RECOMMENDER.name, "2", "--canary", "0.3")
    until(
        lambda: all(
            w.metric("stream_model_version", model="recommender", role="canary", version="2")
            for w in workers
        ),
        "all workers have the canary",
    )

    visitors = [f"canary-{n % 150}" for n in range(600)]
    sent = send_over(store, [view(visitor, f"p{n % 80}") for n, visitor in enumerate(visitors)], 5)
    store.settle()
    listed = models("list")
    ended = models("rollback", RECOMMENDER.name, "--wait", "0")

    trial = Trial("2", 0.3)
    wrong = [
        answer.visitor_id
        for answer in answers_to(store, sent)
        if (answer.model_version, answer.variant)
        != (
            ("2", "recommender-2-canary")
            if is_in_canary(answer.visitor_id, RECOMMENDER.name, trial)
            else (main, f"recommender-{main}")
        )
    ]
    assert (started.returncode, ended.returncode) == (0, 0)
    assert wrong == []
    assert not any(answer.degraded for answer in answers_to(store, sent))
    assert "canary 30 %" in listed.stdout


def test_a_shadow_is_compared_and_seen_by_nobody(
    store: Store, workers: list[Worker], models: Lifecycle
) -> None:
    main = answering(store)
    started = models("promote", RECOMMENDER.name, "2", "--shadow")
    until(
        lambda: all(
            w.metric("stream_model_version", model="recommender", role="shadow", version="2")
            for w in workers
        ),
        "all workers have the shadow",
    )

    sent = send_over(store, [view(f"shadowed-{n}", f"p{n % 80}") for n in range(200)], 5)
    store.settle()
    until(
        lambda: sum(
            w.metric("stream_shadow_rows_total", version="2", outcome="compared") for w in workers
        ),
        "rows are compared",
    )
    compared = models("compare", RECOMMENDER.name, "1", "2")
    ended = models("rollback", RECOMMENDER.name, "--wait", "0")

    assert (started.returncode, compared.returncode, ended.returncode) == (0, 0, 0)
    assert {answer.model_version for answer in answers_to(store, sent)} == {main}
    assert "overlap at 10" in compared.stdout


def test_a_trial_goes_on_after_a_restart_of_triton_and_ends_also_without_it(
    store: Store, workers: list[Worker], models: Lifecycle, server: EmbeddedTriton
) -> None:
    models("promote", RECOMMENDER.name, "2", "--canary", "0.5")

    server.kill()
    server.start()
    until(
        lambda: all(
            w.ready()
            and w.metric("stream_model_version", model="recommender", role="canary", version="2")
            for w in workers
        ),
        "all workers have both versions again",
        within_s=90,
    )
    sent = send_over(store, [view(f"restarted-{n}", f"p{n % 80}") for n in range(200)], 5)
    store.settle()
    server.kill()
    ended = models("rollback", RECOMMENDER.name)
    server.start()

    assert {answer.model_version for answer in answers_to(store, sent)} == {"1", "2"}
    assert (ended.returncode, "left loaded" in ended.stdout) == (0, True)
    assert decided(store)["canary"] is None


def test_what_is_not_there_is_not_promoted(
    store: Store, workers: list[Worker], models: Lifecycle
) -> None:
    unknown = models("promote", RECOMMENDER.name, "9")
    no_model = models("promote", "oracle", "1")
    forecaster = models("promote", "forecaster", "2", "--shadow")

    assert [each.returncode for each in (unknown, no_model, forecaster)] == [2, 2, 2]
    assert "expected one of the versions 1, 2, 3, 4, got 9" in unknown.stderr
    assert "expected one of recommender, forecaster" in no_model.stderr
    assert "only recommender is tried" in forecaster.stderr
