"""Whether a message is what its topic's schema says."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import jsonschema

from stream.topics import TopicSpec

_SCHEMAS = Path(__file__).parents[2] / "schemas"


def faults(topic: TopicSpec, value: bytes) -> list[str]:
    """Say what of *value* is not as the schema of *topic* has it."""
    return [error.message for error in _validator(topic.name).iter_errors(json.loads(value))]


@cache
def _validator(topic_name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((_SCHEMAS / f"{topic_name}.json").read_text())
    return jsonschema.Draft202012Validator(schema)
