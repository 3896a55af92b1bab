"""Where inference is measured: a broker, Triton with the demo's models, and products they know."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tritonclient.grpc as triton_grpc
from rich.console import Console

from stream.adapters.triton import TritonModels
from stream.bench.brokers import started
from stream.demo.narration import Narrator
from stream.demo.training import FOLDER, models_in, read_data
from stream.local.triton import EmbeddedTriton
from stream.model_specs import MODELS, RECOMMENDER, VOCABULARY
from stream.pipeline.scoring import Vocabulary
from stream.settings import Settings


@dataclass(frozen=True, slots=True)
class Scene:
    """What a measurement finds.

    Attributes:
        settings: With the addresses of broker and Triton.
        folder: For logs; it goes with the scene.
        triton_version: As Triton says it.
    """

    settings: Settings
    folder: Path
    vocabulary: Vocabulary
    repository: Path
    triton_version: str

    @property
    def products(self) -> tuple[str, ...]:
        """Product ids that the recommender knows."""
        return self.vocabulary.product_ids

    @property
    def vocabulary_file(self) -> Path:
        """JSON, the same product ids: for those who do not ask Triton for them."""
        version = self.repository / VOCABULARY.name / self.vocabulary.version
        return (version / "vocabulary.json").resolve()


@contextmanager
def scene(broker: str, console: Console) -> Iterator[Scene]:
    """Start *broker* and Triton; the models are trained first where there are none yet.

    Raises:
        LocalPartMissing: What is to be started cannot run here.
    """
    narrator = Narrator(console, headless=not console.is_terminal)
    repository = models_in(FOLDER, narrator, lambda: read_data(narrator))
    with (
        tempfile.TemporaryDirectory(prefix="storestream-bench-") as name,
        started(broker) as of_broker,
    ):
        folder = Path(name)
        (folder / "triton").mkdir()
        triton = EmbeddedTriton(folder / "triton", repository)
        try:
            triton.start([spec.name for spec in MODELS])
            settings = of_broker.model_copy(update={"triton_url": triton.grpc})
            vocabulary = asyncio.run(_vocabulary(triton.grpc))
            yield Scene(settings, folder, vocabulary, repository, triton.version)
        finally:
            triton.stop()


async def _vocabulary(triton_url: str) -> Vocabulary:
    models = TritonModels(triton_url)
    await models.start()
    try:
        version = await models.newest_version(RECOMMENDER)
        return Vocabulary.of(version, await models.vocabulary(version))
    finally:
        await models.stop()


def requests_by_rows(triton_url: str) -> dict[int, int]:
    """Return how many requests of so many rows the recommender has answered, as Triton counts.

    Triton counts what the backend executes; without dynamic batching that is one request each.
    """
    client = triton_grpc.InferenceServerClient(triton_url)
    try:
        answer = client.get_inference_statistics(RECOMMENDER.name, client_timeout=5)
    finally:
        client.close()
    found: dict[int, int] = {}
    for model in answer.model_stats:
        for batch in model.batch_stats:
            found[batch.batch_size] = found.get(batch.batch_size, 0) + batch.compute_infer.count
    return found
