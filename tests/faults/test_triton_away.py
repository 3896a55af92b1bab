"""Triton killed or frozen: answers go on, degraded and soon; good ones come back by themselves."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from stream.domain.events import Item
from stream.domain.outputs import Recommendation
from stream.local.triton import EmbeddedTriton
from tests.harness.events import order, view
from tests.harness.load import latencies_ms, send_over
from tests.harness.store import Sent, Store, first_answers
from tests.harness.waiting import until
from tests.harness.worker import Worker

pytestmark = [pytest.mark.broker, pytest.mark.triton, pytest.mark.slow, pytest.mark.alone]


_ordinals = itertools.count(1)


@pytest.fixture(scope="module")
def worker(
    store: Store, own_triton: EmbeddedTriton, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Worker]:
    """A worker that has sold something, so that there is a trend to fall back on."""
    folder = tmp_path_factory.mktemp("worker")
    with Worker(folder, store.bootstrap, triton=own_triton.grpc) as started:
        started.wait_ready()
        store.publish(*(order(f"buyer-{n}", Item(f"p{n % 20}")) for n in range(40)))
        store.settle()
        yield started


def test_killed_triton_means_degraded_answers_within_a_second(
    store: Store, own_triton: EmbeddedTriton, worker: Worker
) -> None:
    assert not is_degraded(store)

    own_triton.kill()
    sent = send_over(store, [view(f"while-dead-{n}", f"p{n % 80}") for n in range(300)], 1.5)
    store.settle()
    strategies = {answer.strategy for answer in answers_to(store, sent)}

    assert store.unanswered(sent) == []
    assert all(answer.degraded and answer.items for answer in answers_to(store, sent))
    assert strategies <= {"trending", "bought_with"}
    assert max(latencies_ms(store, sent)) <= 1000

    own_triton.start(())
    until(lambda: not is_degraded(store), "the worker loads the models again and uses them")


def test_frozen_triton_means_degraded_answers_within_a_second(
    store: Store, own_triton: EmbeddedTriton, worker: Worker
) -> None:
    until(lambda: not is_degraded(store), "the model answers")

    os.kill(own_triton.child.pid, signal.SIGSTOP)
    early = send_over(store, [view(f"frozen-{n}", f"p{n % 80}") for n in range(200)], 1)
    until(lambda: held_back(worker) == {"recommender", "forecaster"}, "both are held back")
    late = send_over(store, [view(f"still-frozen-{n}", f"p{n % 80}") for n in range(200)], 1)
    store.settle()
    os.kill(own_triton.child.pid, signal.SIGCONT)

    assert store.unanswered([*early, *late]) == []
    assert all(answer.degraded for answer in answers_to(store, late))
    assert max(latencies_ms(store, early)) <= 1000
    assert max(latencies_ms(store, late)) <= 1000
    until(lambda: not is_degraded(store), "the thawed server answers again")


def test_worker_that_has_nothing_to_ask_is_not_ready_while_triton_is_away(
    own_triton: EmbeddedTriton, worker: Worker
) -> None:
    until(worker.ready, "it is ready")

    os.kill(own_triton.child.pid, signal.SIGSTOP)
    until(lambda: not worker.ready(), "it is not ready")
    _, why = worker.ask("/ready")
    live = worker.ask("/live")[0]
    os.kill(own_triton.child.pid, signal.SIGCONT)

    assert "the model server does not answer" in why
    assert live == HTTPStatus.OK
    until(worker.ready, "it is ready again")


def held_back(worker: Worker) -> set[str]:
    """Return the models whose breaker is open; the vocabulary is read at the start only."""
    models = ("recommender", "forecaster")
    return {model for model in models if worker.metric("stream_breaker_open", model=model)}


def is_degraded(store: Store) -> bool:
    """Ask for one more visitor."""
    [sent] = store.publish(view(f"visitor-{next(_ordinals)}", "p7"))
    store.until(lambda: store.answer_to(sent), "the visitor is answered")
    [answer] = answers_to(store, [sent])
    return answer.degraded


def answers_to(store: Store, sent: list[Sent]) -> list[Recommendation]:
    """Return the first answer to each of *sent*."""
    found = first_answers(store.answers(), sent)
    return [found[each.place].decoded for each in sent]
