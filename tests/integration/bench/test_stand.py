"""The benches' own parts on a real broker and a real Triton: nothing counted that was not there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stream.bench import inference
from stream.bench.books import Books
from stream.bench.contestants import ours_with_models
from stream.bench.direct import ask
from stream.bench.loading import Visits, load
from stream.bench.measuring import Bench, stamped_by_broker
from stream.bench.scene import Scene, requests_by_rows
from stream.bench.stand import standing
from stream.domain.history import History
from stream.domain.trail import Kind
from stream.errors import PartDied
from stream.kafka.administration import create_topics
from stream.pipeline.scoring import Vocabulary, encode_sessions
from stream.settings import Settings
from tests.harness.brokers import broker_in
from tests.integration.triton_fixtures import make_models

pytestmark = [pytest.mark.triton, pytest.mark.slow]


@pytest.fixture(scope="module")
def here(
    triton: str, tiny_repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("bench")
    broker = broker_in(tmp_path_factory.mktemp("broker"))
    broker.start()
    settings = Settings(bootstrap_servers=broker.bootstrap, triton_url=triton)
    yield Scene(settings, folder, asyncio.run(vocabulary(triton)), tiny_repository, "")
    broker.stop()


async def vocabulary(url: str) -> Vocabulary:
    models = make_models(url)
    await models.start()
    product_ids = await models.vocabulary("1")
    await models.stop()
    return Vocabulary.of("1", product_ids)


def test_pipeline_and_direct_load_say_the_same_of_the_same_rows(here: Scene) -> None:
    bench = Bench(here.settings, here.folder, here.products)

    run = inference._run(here, bench, 1_500, 0)

    assert run.pipeline.n_answers == run.pipeline.n_covered == 1_500
    assert sum(rows * n for rows, n in run.n_requests.items()) == 1_500
    assert all(rate > 0 for rate in run.direct.values())


def test_direct_load_asks_for_each_row_in_requests_of_the_given_sizes(here: Scene) -> None:
    spans = [here.products[place : place + 5] for place in range(40)]
    histories = [History(products, [Kind.VIEW] * 5) for products in spans]
    rows = encode_sessions(histories, here.vocabulary)
    url, sizes = here.settings.triton_url, [1, 7, 2, 30]
    before = requests_by_rows(url)

    direct = asyncio.run(ask(url, rows, sizes, version="1", n_in_flight=3))

    new = {n: count - before.get(n, 0) for n, count in requests_by_rows(url).items()}
    at_once = asyncio.run(ask(url, rows, [40], version="1", n_in_flight=1))
    assert {n: count for n, count in new.items() if count} == dict.fromkeys(sizes, 1)
    assert np.array_equal(direct.candidates[:, :10], at_once.candidates[:, :10])
    assert len(direct.request_ms) == 4


def test_all_of_a_load_is_in_the_books_with_its_answers_and_a_death_is_reported(
    here: Scene,
) -> None:
    contestant = ours_with_models(here.settings, conflate=True)

    with standing(here, contestant, 1) as stand:
        sent = stand.load(events_per_s=300, seconds=2)
        stand.wait()
        stand.audit()
        stand.child.kill()
        stand.load(events_per_s=50, seconds=0.2)
        with pytest.raises(PartDied, match="ended with code"):
            stand.wait()

    latency_ms = stand.books.latency_ms(sent)
    assert len(latency_ms) == sent.n_events
    assert latency_ms.min() >= 0
    assert 0 < stand.books.n_answers(sent.began_ms, sent.ended_ms + 60_000) <= sent.n_events


def test_events_that_nobody_answers_are_lost_in_the_books(here: Scene) -> None:
    contestant = ours_with_models(here.settings, conflate=True)
    visits = Visits(here.products, number=2)
    create_topics(here.settings.bootstrap, stamped_by_broker(contestant))
    books = Books.of(here.settings.bootstrap[0], contestant, here.settings.partitions)
    books.read(timeout_s=30)
    n_before = books.n_unanswered()

    sending = load(here.settings, contestant.events, visits, events_per_s=200, seconds=0.5)
    sent = asyncio.run(sending)
    books.read(timeout_s=30)

    assert books.n_unanswered() - n_before == sent.n_events > 0
    assert (books.latency_ms(sent) == -1).all()
