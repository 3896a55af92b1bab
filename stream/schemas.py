"""The JSON Schemas of the topics, generated from the types: ``python -m stream.schemas check``.

The types in ``domain/events.py`` and ``domain/outputs.py`` are the source; the files are for
producers and readers in other languages, and a build fails when the two differ.
"""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Iterator, Sequence
from inspect import cleandoc
from pathlib import Path

import msgspec

from stream import topics
from stream.domain.events import ClickstreamEvent, OrdersEvent, StockLevelEvent, StockMovement
from stream.domain.outputs import ProductState, Recommendation, StockAlert
from stream.domain.rollouts import Rollout

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ADDRESS = "https://storestream.example/schemas"
FOLDER = Path("schemas")

#: What a record's value is, by topic. Dead letters hold original bytes, changelogs MessagePack.
TYPES: dict[topics.TopicSpec, object] = {
    topics.EVENTS: ClickstreamEvent,
    topics.ORDERS: OrdersEvent,
    topics.STOCK_LEVELS: StockLevelEvent,
    topics.STOCK_MOVEMENTS: StockMovement,
    topics.PRODUCT_STATE: ProductState,
    topics.MODEL_ROLLOUTS: Rollout,
    topics.RECOMMENDATIONS: Recommendation,
    topics.STOCK_ALERTS: StockAlert,
}


def documents() -> dict[str, str]:
    """Return each schema's file name and text; equal types give equal text."""
    return {
        f"{topic.name}.json": json.dumps(schema_of(topic), indent=2, sort_keys=False) + "\n"
        for topic in TYPES
    }


def schema_of(topic: topics.TopicSpec) -> dict[str, object]:
    """Return the JSON Schema 2020-12 of the values of *topic*; unknown fields are allowed."""
    (schema,), parts = msgspec.json.schema_components([TYPES[topic]], ref_template="#/$defs/{name}")
    return {
        "$schema": DIALECT,
        "$id": f"{ADDRESS}/{topic.name}.json",
        "title": topic.name,
        **schema,
        "$defs": {name: _described(parts[name]) for name in sorted(parts)},
    }


def write(folder: Path = FOLDER) -> None:
    """Write every schema into *folder*, and remove those of topics that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = documents()
    for stray in set(_present(folder)) - set(wanted):
        (folder / stray).unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")


def differences(folder: Path = FOLDER) -> Iterator[str]:
    """Yield the lines by which the files in *folder* differ from the types."""
    wanted, present = documents(), _present(folder)
    for name in sorted({*wanted, *present}):
        yield from difflib.unified_diff(
            present.get(name, "").splitlines(),
            wanted.get(name, "").splitlines(),
            fromfile=str(folder / name),
            tofile=f"{name} from the types",
            lineterm="",
        )


def check(folder: Path = FOLDER) -> int:
    """Print how *folder* differs from the types; return 1 if it does, else 0."""
    lines = list(differences(folder))
    if lines:
        lines.append("The schemas differ from the types: run `python -m stream.schemas write`.")
        sys.stdout.write("\n".join(lines) + "\n")
    return 1 if lines else 0


def main(arguments: Sequence[str]) -> int:
    """Run ``check`` (the default) or ``write`` on the folder named after it."""
    command, *rest = arguments or ("check",)
    folder = Path(rest[0]) if rest else FOLDER
    if command == "check":
        return check(folder)
    if command == "write":
        write(folder)
        return 0
    sys.stderr.write("usage: python -m stream.schemas [check|write] [FOLDER]\n")
    return 2


def _described(part: dict[str, object]) -> dict[str, object]:
    """Take the indentation of the source out of a type's docstring."""
    return {**part, "description": cleandoc(str(part.get("description", "")))}


def _present(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
