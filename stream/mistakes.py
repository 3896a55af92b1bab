"""How a wrong setting is told: its name, where it stands, what was expected, what was got."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic_core import ErrorDetails


@dataclass(frozen=True, slots=True)
class Rule:
    """What several settings must satisfy together; how they do is told beside the settings."""

    names: tuple[str, ...]
    expected: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing to change before the process can start."""

    name: str
    where: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.name} ({self.where}): expected {self.expected}, got {self.got}"


def from_errors(
    errors: Iterable[ErrorDetails], where: Mapping[str, str], secrets: frozenset[str]
) -> list[Mistake]:
    """Name the settings that pydantic refused one by one; without repeating secrets."""
    mistakes = []
    for error in errors:
        name = ".".join(str(part) for part in error["loc"])
        expected = error["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
        got = _shown(name, error["input"], secrets)
        mistakes.append(Mistake(name, where.get(name, "default"), expected, got))
    return mistakes


def from_rules(
    rules: Iterable[Rule],
    values: Mapping[str, object],
    where: Mapping[str, str],
    secrets: frozenset[str],
) -> list[Mistake]:
    """Name the settings that contradict each other, each with where it comes from."""
    return [
        Mistake(
            name=" and ".join(rule.names),
            where=", ".join(dict.fromkeys(where.get(name, "default") for name in rule.names)),
            expected=rule.expected,
            got=", ".join(_shown(name, values[name], secrets) for name in rule.names),
        )
        for rule in rules
    ]


def from_unknown(names: Iterable[str], known: Sequence[str], where: str) -> list[Mistake]:
    """Name what is no setting at all, with the one that was probably meant."""
    mistakes = []
    spelled = {name.lower(): name for name in known}
    for name in names:
        close = get_close_matches(name.lower(), spelled, n=1)
        expected = f"perhaps {spelled[close[0]]}" if close else "the name of a setting"
        mistakes.append(Mistake(name, where, expected, "an unknown name"))
    return mistakes


def listed(mistakes: Sequence[Mistake]) -> str:
    """All mistakes in one message, one a line."""
    head = "1 setting is wrong" if len(mistakes) == 1 else f"{len(mistakes)} settings are wrong"
    return "\n".join([f"{head}:", *(f"  {mistake}" for mistake in mistakes)])


def _shown(name: str, value: object, secrets: frozenset[str]) -> str:
    return "a secret" if name in secrets and value is not None else repr(value)
