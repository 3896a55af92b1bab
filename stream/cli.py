"""The command ``storestream``. Parts are imported by the command that needs them: help is quick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stream import __version__
from stream.bench.cli import app as bench_app
from stream.dead_letters.cli import app as dead_letters_app
from stream.errors import Misconfigured, StoreStreamError, TopicMismatch
from stream.evaluation.cli import app as evaluate_app
from stream.lifecycle.cli import app as models_app
from stream.planning.cli import stock as stock_command
from stream.reporting.cli import report as report_command
from stream.settings import load
from stream.training.cli import app as train_app

app = typer.Typer(
    help="Store events in; recommendations and stock alerts out, while they still matter.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
topics_app = typer.Typer(help="Create, list or check the topics.", no_args_is_help=True)
schemas_app = typer.Typer(help="The JSON Schemas of all topics.", no_args_is_help=True)
app.add_typer(topics_app, name="topics")
app.add_typer(dead_letters_app, name="dead-letters")
app.add_typer(bench_app, name="bench")
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(train_app, name="train")
app.add_typer(models_app, name="models")
app.add_typer(schemas_app, name="schemas")
app.command("report")(report_command)
app.command("stock")(stock_command)

SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", help="TOML file; STORESTREAM_FILE names it as well."),
]
Report = Annotated[Path | None, typer.Option(help="Write the figures to this JSON file.")]
Folder = Annotated[Path, typer.Option(help="Where the schemas are.")]


def main() -> int:
    """Run the command line; return 0, 1 for what failed, 2 for what is misconfigured."""
    try:
        app()
    except Misconfigured as error:
        return _refused(error, 2)
    except StoreStreamError as error:
        return _refused(error, 1)
    return 0


@app.callback(invoke_without_command=True)
def storestream(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Print the version if asked for it; the commands do the rest."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def worker(settings: SettingsFile = None) -> None:
    """Answer events until stopped; start as many workers as there are partitions, at most."""
    from stream.app import run_worker

    loaded = load(settings)
    typer.echo(f"A worker of group {loaded.group_id} reads {loaded.bootstrap_servers}.", err=True)
    code = run_worker(loaded)
    if code == 0:
        typer.echo("The worker has stopped; its offsets are committed.", err=True)
    else:
        typer.echo("The worker has failed; what it did not commit is read again.", err=True)
    raise typer.Exit(code)


@app.command()
def skip(
    topic: Annotated[str, typer.Argument(help="A topic that workers read.")],
    partition: Annotated[int, typer.Argument(min=0)],
    offset: Annotated[int, typer.Argument(min=0)],
    settings: SettingsFile = None,
) -> None:
    """Set one record aside that no worker gets behind; it becomes a dead letter."""
    from stream.adapters.security import client_options
    from stream.kafka.records import Place
    from stream.kafka.skipping import skip as skip_record
    from stream.topics import ATTEMPTS, READ, dead_letter_name

    names = [spec.name for spec in READ]
    if topic not in names:
        raise typer.BadParameter(f"expected one of {', '.join(names)}", param_hint="TOPIC")
    loaded, place = load(settings), Place(topic, partition, offset)
    committed = skip_record(
        place,
        loaded.bootstrap,
        group_id=loaded.group_id,
        notes=ATTEMPTS.name,
        security=client_options(loaded),
    )
    so_far = "nothing yet" if committed is None else f"up to offset {committed}"
    typer.echo(
        f"{place} will be set aside by the next worker that is assigned the partition: restart "
        f"one that runs. Group {loaded.group_id} has committed {so_far}; the dead letter will be "
        f"in {dead_letter_name(topic)}[{partition}], its reason Skipped."
    )


@app.command()
def config(
    settings: SettingsFile = None,
    describe: Annotated[bool, typer.Option("--describe", help="All that can be set.")] = False,
) -> None:
    """Print the settings that hold, as a settings file, with secrets masked."""
    from stream.settings_table import as_toml, described

    lines = described() if describe else as_toml(load(settings))
    typer.echo("\n".join(lines))


@app.command()
def demo(
    speed: Annotated[str, typer.Option(help="Events a second, or max.")] = "400",
    headless: Annotated[bool, typer.Option("--headless", help="No live view.")] = False,
    seconds: Annotated[float | None, typer.Option(min=1, help="Length of the replay.")] = None,
    report: Report = None,
    folder: Annotated[Path | None, typer.Option(help="Keep models and logs here.")] = None,
) -> None:
    """Run all of it on this machine, on real orders, until Ctrl-C."""
    from stream.demo.command import run_demo

    if speed != "max" and not _is_pace(speed):
        raise typer.BadParameter("events a second above 0, or max", param_hint="--speed")
    code = run_demo(speed=speed, headless=headless, seconds=seconds, report=report, folder=folder)
    raise typer.Exit(code)


@topics_app.command("create")
def create_topics(settings: SettingsFile = None) -> None:
    """Create the topics that are missing; those that exist stay as they are."""
    from stream.adapters.security import client_options
    from stream.kafka import administration
    from stream.wanted_topics import wanted_topics

    loaded = load(settings)
    wanted = wanted_topics(loaded)
    created = administration.create_topics(
        loaded.bootstrap, wanted, security=client_options(loaded)
    )
    for name in created:
        typer.echo(f"created {name}")
    n_present = len(wanted) - len(created)
    typer.echo(f"{len(created)} created, {n_present} were there: `storestream topics check`.")


@topics_app.command("list")
def list_topics(settings: SettingsFile = None) -> None:
    """Print the topics of the table that are on the broker."""
    from stream.adapters.security import client_options
    from stream.kafka import administration
    from stream.topics import TOPICS

    loaded = load(settings)
    found = administration.list_topics(
        loaded.bootstrap, [topic.name for topic in TOPICS], security=client_options(loaded)
    )
    for topic in found:
        copies = f"{topic.partitions} partitions, {topic.replication} copies"
        typer.echo(f"{topic.name}: {copies}, {topic.config.get('cleanup.policy', 'policy unsaid')}")
    typer.echo(f"{len(found)} of {len(TOPICS)} topics are on {loaded.bootstrap_servers}.")


@topics_app.command("check")
def check_topics(settings: SettingsFile = None) -> None:
    """Compare the topics with what is wanted; change nothing, and fail on a difference."""
    from stream.adapters.security import client_options
    from stream.kafka import administration
    from stream.wanted_topics import wanted_topics

    loaded = load(settings)
    wanted = wanted_topics(loaded)
    differences = administration.check_topics(
        loaded.bootstrap, wanted, security=client_options(loaded)
    )
    certain = [difference for difference in differences if difference.is_certain]
    if certain:
        listed = "\n".join(f"  {difference}" for difference in certain)
        raise TopicMismatch(f"topics on {loaded.bootstrap_servers} differ:\n{listed}")
    n_unsaid = len(differences)
    typer.echo(f"{len(wanted)} topics are as wanted; the broker does not say {n_unsaid} settings.")


@schemas_app.command("write")
def write_schemas(folder: Folder = Path("schemas")) -> None:
    """Generate the schemas from the types."""
    from stream import schemas

    schemas.write(folder)
    typer.echo(f"The schemas are in {folder}/: review the difference, then commit it.")


@schemas_app.command("check")
def check_schemas(folder: Folder = Path("schemas")) -> None:
    """Fail if the schemas are not what the types say."""
    from stream import schemas

    if schemas.check(folder):
        raise typer.Exit(1)
    typer.echo(f"The schemas in {folder}/ are what the types say.")


def _is_pace(speed: str) -> bool:
    try:
        return float(speed) > 0
    except ValueError:
        return False


def _refused(error: StoreStreamError, code: int) -> int:
    print(f"storestream: {error}", file=sys.stderr)
    return code
