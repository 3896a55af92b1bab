"""The commands ``storestream bench``; like ``cli.py`` it only parses, and imports late."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Measure, beside others doing the same work.", no_args_is_help=True)

Report = Annotated[Path | None, typer.Option(help="Write the figures to this JSON file.")]


class Broker(StrEnum):
    """Where a benchmark runs: the embedded broker, Apache Kafka itself, or the settings' broker."""

    TANSU = "tansu"
    KAFKA = "kafka"
    SETTINGS = "settings"


class Device(StrEnum):
    """What the model runs on."""

    CPU = "cpu"
    CUDA = "cuda"


OnBroker = Annotated[Broker, typer.Option(help="Which broker.")]
Runs = Annotated[int, typer.Option(min=1, max=20, help="Runs of each; medians count.")]
Events = Annotated[int, typer.Option(min=1000, help="Events a run.")]


@app.command("stream")
def stream(
    report: Report = None,
    broker: OnBroker = Broker.TANSU,
    peers: Annotated[str, typer.Option(help="Comma-separated names.")] = "all",
    runs: Runs = 3,
    events: Events = 50_000,
) -> None:
    """Compare our throughput without inference with others' at the same work."""
    from stream.bench.stream import run_bench_stream

    code = run_bench_stream(
        report=report, broker=broker.value, peers=peers, runs=runs, events=events
    )
    raise typer.Exit(code)


@app.command("inference")
def inference(
    report: Report = None,
    broker: OnBroker = Broker.TANSU,
    runs: Runs = 3,
    events: Events = 30_000,
    device: Annotated[
        Device | None, typer.Option(help="Triton alone on it, of random weights; no broker.")
    ] = None,
    items: Annotated[str, typer.Option(help="Catalogues, with --device.")] = "20000,200000,2000000",
    rows: Annotated[str, typer.Option(help="Of a request, with --device.")] = "1,8,64,256,1024",
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="A run, with --device.")] = 5,
    in_flight: Annotated[int, typer.Option(min=1, max=64, help="Requests, with --device.")] = 4,
    instances: Annotated[
        int,
        typer.Option(
            min=1, max=8, help="Of the model, with --device: one copies while another computes."
        ),
    ] = 1,
) -> None:
    """Compare recommendations a second with what Triton gives to a direct load of the same rows."""
    if device is not None:
        from stream.bench.serving.run import Asked, run_bench_serving

        counts = _counts(items, "--items"), _counts(rows, "--rows")
        asked = Asked(device.value, *counts, runs, seconds, in_flight, instances)
        raise typer.Exit(run_bench_serving(report=report, asked=asked))
    from stream.bench.inference import run_bench_inference

    code = run_bench_inference(report=report, broker=broker.value, runs=runs, events=events)
    raise typer.Exit(code)


@app.command("latency")
def latency(
    report: Report = None,
    broker: OnBroker = Broker.TANSU,
    runs: Runs = 3,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="Of each load.")] = 20,
    loads: Annotated[str, typer.Option(help="Percent of the saturated rate.")] = "25,50,80",
) -> None:
    """Measure how long answers take at shares of full load, beside others on the same model."""
    from stream.bench.latency import run_bench_latency

    shares = _counts(loads, "--loads")
    code = run_bench_latency(
        report=report, broker=broker.value, runs=runs, seconds=seconds, loads=shares
    )
    raise typer.Exit(code)


@app.command("overload")
def overload(
    report: Report = None,
    broker: OnBroker = Broker.TANSU,
    runs: Runs = 3,
    seconds: Annotated[float, typer.Option(min=5, max=600, help="Of the burst.")] = 60,
    times: Annotated[float, typer.Option(min=1, max=20, help="The saturated rate.")] = 5,
) -> None:
    """Send more than can be answered one by one, and watch memory, freshness and conflation."""
    from stream.bench.overload import Burst, run_bench_overload

    burst = Burst(times=times, seconds=seconds)
    code = run_bench_overload(report=report, broker=broker.value, runs=runs, burst=burst)
    raise typer.Exit(code)


@app.command("exactly-once")
def exactly_once(
    report: Report = None,
    broker: OnBroker = Broker.KAFKA,
    runs: Runs = 3,
    events: Events = 100_000,
    rate: Annotated[float, typer.Option(min=1, help="Events a second, for the latency.")] = 1_000,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="Of that load.")] = 20,
) -> None:
    """Measure what transactions cost: throughput, and when answers can be read; not on tansu."""
    from stream.bench.exactly_once import Load, run_bench_exactly_once

    load_ = Load(events=events, events_per_s=rate, seconds=seconds)
    raise typer.Exit(
        run_bench_exactly_once(report=report, broker=broker.value, runs=runs, load=load_)
    )


@app.command("growth")
def growth(
    report: Report = None,
    visitors: Annotated[str, typer.Option(help="Numbers to compare.")] = "10000,100000,1000000",
    interactions: Annotated[int, typer.Option(min=1, max=50, help="Of each visitor.")] = 10,
    runs: Runs = 3,
    events: Events = 50_000,
) -> None:
    """Measure CPU an event, memory a visitor and recovery, at more and more visitors."""
    from stream.bench.growth import Load, run_bench_growth

    load_ = Load(_counts(visitors, "--visitors"), interactions, events)
    raise typer.Exit(run_bench_growth(report=report, load=load_, runs=runs))


@app.command("workers")
def workers(
    report: Report = None,
    workers: Annotated[str, typer.Option(help="Numbers to compare, 4 at most.")] = "1,2,4",
    runs: Runs = 3,
    events: Events = 200_000,
) -> None:
    """Measure the CPU that the same events take with more and more workers."""
    from stream.bench.workers import run_bench_workers

    counts = _counts(workers, "--workers")
    raise typer.Exit(run_bench_workers(report=report, workers=counts, events=events, runs=runs))


@app.command("faults")
def faults(
    report: Report = None,
    broker: Annotated[Broker, typer.Option(help="Apache Kafka only: it takes a cluster.")] = (
        Broker.KAFKA
    ),
    minutes: Annotated[float, typer.Option(min=0.5, max=240, help="Of faults.")] = 40,
    rate: Annotated[float, typer.Option(min=20, max=5000, help="Events a second.")] = 150,
    kinds: Annotated[str, typer.Option(help="Comma-separated names.")] = "all",
    workers: Annotated[int, typer.Option(min=2, max=4, help="To begin with.")] = 2,
    seed: Annotated[int, typer.Option(help="Of the faults' order and of the load.")] = 1,
    exactly_once: Annotated[
        bool, typer.Option("--exactly-once", help="Workers use transactions; no repeats.")
    ] = False,
) -> None:
    """Do faults of every part to a system under load, and look for what was lost or came twice."""
    from stream.bench.faults.report import Asked
    from stream.bench.faults.run import run_bench_faults

    if broker is not Broker.KAFKA:
        raise typer.BadParameter("kafka: three nodes are started", param_hint="--broker")
    asked = Asked(minutes, rate, seed, exactly_once=exactly_once, n_workers=workers)
    raise typer.Exit(run_bench_faults(report=report, asked=asked, kinds=kinds))


def _counts(listed: str, option: str) -> tuple[int, ...]:
    counts = tuple(int(each) for each in listed.split(",") if each.isdecimal())
    if not counts or len(counts) != listed.count(",") + 1 or min(counts) < 1:
        raise typer.BadParameter("numbers above 0, comma-separated", param_hint=option)
    return counts
