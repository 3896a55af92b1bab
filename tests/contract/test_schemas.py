"""Schemas, examples, types and the topics table say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import msgspec
import pytest

from stream import schemas, topics
from stream.domain import events

FOLDER = Path(__file__).parents[2] / "schemas"
EXAMPLES = FOLDER / "examples"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
BY_NAME = {topic.name: topic for topic in schemas.TYPES}


def example_paths(kind: str) -> list[str]:
    return sorted(str(path.relative_to(EXAMPLES)) for path in (EXAMPLES / kind).glob("*/*.json"))


def topic_of(path: str) -> topics.TopicSpec:
    return BY_NAME[Path(path).parent.name]


def read(path: str) -> bytes:
    return (EXAMPLES / path).read_bytes()


def validator_of(topic: topics.TopicSpec) -> jsonschema.Draft202012Validator:
    text = (FOLDER / f"{topic.name}.json").read_text(encoding="utf-8")
    return jsonschema.Draft202012Validator(json.loads(text))


def rows_of(heading: str) -> list[list[str]]:
    """The cells of the table under *heading* of the README, without their back-ticks."""
    section = README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [
        [cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines
    ]


# --- Files -------------------------------------------------------------------------------------


def test_committed_schemas_are_those_of_the_types() -> None:
    assert list(schemas.differences(FOLDER)) == []


def test_every_schema_is_valid_json_schema() -> None:
    for topic in schemas.TYPES:
        jsonschema.Draft202012Validator.check_schema(schemas.schema_of(topic))


def test_difference_fails_the_check_and_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schemas.write(tmp_path)
    path = tmp_path / "store.events.v1.json"
    path.write_text(path.read_text().replace('"maxLength": 128', '"maxLength": 64'))

    assert schemas.main(["check", str(tmp_path)]) == 1
    assert '-          "maxLength": 64' in capsys.readouterr().out


def test_schema_of_a_topic_that_is_gone_fails_the_check_until_written(tmp_path: Path) -> None:
    schemas.write(tmp_path)
    (tmp_path / "store.former.v1.json").write_text("{}\n")

    assert schemas.check(tmp_path) == 1
    schemas.main(["write", str(tmp_path)])
    assert schemas.check(tmp_path) == 0


def test_unknown_command_is_refused() -> None:
    assert schemas.main(["polish"]) == 2


# --- Examples ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", example_paths("valid"))
def test_valid_example_suits_schema_and_decoder(path: str) -> None:
    topic = topic_of(path)

    validator_of(topic).validate(json.loads(read(path)))
    value = msgspec.json.decode(read(path), type=schemas.TYPES[topic])

    validator_of(topic).validate(json.loads(msgspec.json.encode(value)))


@pytest.mark.parametrize("path", example_paths("invalid"))
def test_invalid_example_suits_neither_schema_nor_decoder(path: str) -> None:
    topic = topic_of(path)

    assert not validator_of(topic).is_valid(json.loads(read(path)))
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(read(path), type=schemas.TYPES[topic])


def test_every_event_type_has_a_valid_example() -> None:
    shown = {json.loads(read(path)).get("type") for path in example_paths("valid")}

    assert event_types() <= shown


def test_every_topic_has_valid_and_invalid_examples() -> None:
    for kind in ("valid", "invalid"):
        assert {Path(path).parent.name for path in example_paths(kind)} == set(BY_NAME)


# --- README ------------------------------------------------------------------------------------


def event_types() -> set[str]:
    unions = (events.ClickstreamEvent, events.OrdersEvent, events.StockLevelEvent)
    return {str(type_.__struct_config__.tag) for union in unions for type_ in union.__args__}


def test_table_of_topics_is_the_table_in_code() -> None:
    told = {cells[0]: cells[1:5] for cells in rows_of("Topics")}

    kept = {None: "last of each key", topics.WEEK_MS: "1 week"} | {
        n_weeks * topics.WEEK_MS: f"{n_weeks} weeks" for n_weeks in (4, 6)
    }
    assert told == {
        topic.name: [
            topic.direction,
            topic.key,
            kept[topic.retention_ms],
            topic.co_partitioned or "",
        ]
        for topic in topics.TOPICS
    }


def test_table_of_events_names_every_type_and_what_it_causes() -> None:
    told = {cells[0]: cells[5] for cells in rows_of("Events")}

    answered = {str(type_.__struct_config__.tag) for type_ in events.ANSWERED}
    assert set(told) == event_types()
    assert {type_ for type_, causes in told.items() if causes == "recommendation"} == answered


@pytest.mark.parametrize(
    "topic",
    [
        topics.RECOMMENDATIONS,
        topics.STOCK_ALERTS,
        topics.PRODUCT_STATE,
        topics.MODEL_ROLLOUTS,
    ],
)
def test_every_field_of_an_output_is_described(topic: topics.TopicSpec) -> None:
    section = README.split(f"### `{topic.name}`\n", 1)[1].split("\n### ", 1)[0].split("\n## ", 1)[0]

    fields = {field.name for field in msgspec.structs.fields(schemas.TYPES[topic])}  # type: ignore[arg-type]
    assert fields <= set(re.findall(r"`(\w+)`", section))
