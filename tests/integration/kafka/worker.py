"""A worker process for the transport's tests: completes each batch late, and writes down both.

Arguments: bootstrap, group, topic, journal file, seconds to complete a batch, batches to complete.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, TextIO

import faust

from stream.kafka.records import RecordBatch
from stream.kafka.transport import BatchApp, Batching, batch_topic


async def answer(batch: RecordBatch, delay_s: float, journal: TextIO) -> None:
    await asyncio.sleep(delay_s)
    note("completed", batch, journal)
    batch.complete()


def note(fact: str, batch: RecordBatch, journal: TextIO) -> None:
    line = [fact, batch.partition, batch.first_offset, batch.last_offset]
    journal.write(json.dumps(line) + "\n")
    journal.flush()


def main() -> None:
    bootstrap, group, topic, path, delay_s, n_completed = sys.argv[1:]
    with Path(path).open("a") as journal:
        app = make_app(
            bootstrap,
            group,
            topic,
            journal=journal,
            delay_s=float(delay_s),
            n_completed=int(n_completed),
        )
        faust.Worker(app, loglevel="INFO").execute_from_commandline()


def make_app(
    bootstrap: str, group: str, topic: str, *, journal: TextIO, delay_s: float, n_completed: int
) -> BatchApp:
    app = BatchApp(
        group,
        broker=f"storestream://{bootstrap}",
        batching=Batching(max_chunk_records=100),
        broker_commit_interval=0.2,
        datadir=Path(journal.name).parent / "faust",
        worker_redirect_stdouts=False,
    )
    answers: list[asyncio.Task[None]] = []

    @app.agent(batch_topic(app, topic))  # type: ignore[untyped-decorator]  # Faust's is
    async def take(stream: Any) -> None:
        async for batch in stream:
            note("begun", batch, journal)
            if len(answers) < n_completed:
                answers.append(asyncio.create_task(answer(batch, delay_s, journal)))

    return app


if __name__ == "__main__":
    main()
