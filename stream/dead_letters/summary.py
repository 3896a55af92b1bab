"""Dead letters counted by topic and reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.table import Table
from rich.text import Text

from stream.kafka.records import Place
from stream.letters import Letter
from stream.moments import moment
from stream.printable import escaped

#: Foreign letters may name any reason; what is counted must not grow with them.
MAX_GROUPS = 500
OTHER_REASONS = "other reasons"


@dataclass(slots=True)
class Group:
    """The letters of one topic and reason.

    Attributes:
        n_replayed: Of these, sent again since.
        first_ms: When the earliest was set aside, ms since the Unix epoch.
        example: The latest, by its source where that is known.
    """

    n_letters: int = 0
    n_replayed: int = 0
    n_cut: int = 0
    first_ms: int = 0
    last_ms: int = 0
    example: Place | None = None

    def add(self, letter: Letter, *, is_replayed: bool) -> None:
        """Count *letter*."""
        at_ms = letter.at_ms
        self.first_ms = min(self.first_ms, at_ms) if self.n_letters else at_ms
        if self.example is None or at_ms >= self.last_ms:
            self.last_ms = at_ms
            self.example = letter.source.place if letter.source else letter.at
        self.n_letters += 1
        self.n_replayed += is_replayed
        self.n_cut += letter.is_cut


@dataclass(slots=True)
class Summary:
    """Counts by topic and reason, in the order of the topics and of the reasons' names."""

    _groups: dict[tuple[str, str], Group] = field(default_factory=dict)

    def add(self, letter: Letter, *, is_replayed: bool) -> None:
        """Count *letter* with its like."""
        kind = letter.topic, letter.reason
        if kind not in self._groups and len(self._groups) >= MAX_GROUPS:
            kind = letter.topic, OTHER_REASONS
        self._groups.setdefault(kind, Group()).add(letter, is_replayed=is_replayed)

    @property
    def n_letters(self) -> int:
        return sum(group.n_letters for group in self._groups.values())

    def table(self, where: str) -> Table:
        """Return the counts for a terminal."""
        shown = Table(title=f"{self.n_letters:,} dead letters on {where}")
        for column in ("topic", "reason", "first", "last", "the last one"):
            shown.add_column(column, overflow="fold")
        for column in ("letters", "replayed", "cut"):
            shown.add_column(column, justify="right")
        for (topic, reason), group in self._sorted():
            shown.add_row(
                topic,
                Text(escaped(reason)),
                moment(group.first_ms, "seconds"),
                moment(group.last_ms, "seconds"),
                Text(str(group.example)),
                *(f"{count:,}" for count in (group.n_letters, group.n_replayed, group.n_cut)),
            )
        return shown

    def as_json(self) -> str:
        """Return the counts for machines, ASCII only."""
        groups = [
            {
                "topic": topic,
                "reason": reason,
                "letters": group.n_letters,
                "replayed": group.n_replayed,
                "cut": group.n_cut,
                "first_at_ms": group.first_ms,
                "last_at_ms": group.last_ms,
                "example": str(group.example),
            }
            for (topic, reason), group in self._sorted()
        ]
        return json.dumps({"letters": self.n_letters, "groups": groups}, indent=2)

    def _sorted(self) -> Iterator[tuple[tuple[str, str], Group]]:
        return iter(sorted(self._groups.items()))
