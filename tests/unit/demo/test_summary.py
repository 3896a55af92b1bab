from __future__ import annotations

from io import StringIO

from rich.console import Console

from stream.codec import encode
from stream.demo.audit import Audit, Lost
from stream.demo.ledger import Chunk
from stream.demo.report import Requests, Story
from stream.demo.sending import Replayed
from stream.demo.summary import summary
from stream.domain.outputs import StockAlert
from stream.model_specs import RECOMMENDER
from stream.topics import STOCK_ALERTS
from tests.unit.builders import Record
from tests.unit.planning.alerts import make_alert


def shown(*alerts: StockAlert) -> list[str]:
    audit = Audit(n_partitions=1, sent={})
    audit.take(Chunk(STOCK_ALERTS.name, 0, [Record(encode(alert)) for alert in alerts]))
    story = Story(
        n_past=0,
        replayed=Replayed(),
        audit=audit,
        lost=Lost(0, 0, 0, 0),
        requests={RECOMMENDER.name: Requests(1, 1)},
        triton_version="2.51.0",
    )
    out = StringIO()
    Console(file=out, width=120).print(summary(story, []))
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def test_alerts_of_every_kind_are_told_by_status_a_line_a_kind() -> None:
    lines = shown(
        make_alert("a", "overstock"),
        make_alert("b", "low_stock", status="snoozed"),
        make_alert("c", "low_stock", status="snoozed"),
        make_alert("b", "low_stock", status="resolved"),
    )

    at = lines.index("stock alerts low_stock: 2 snoozed, 1 resolved")
    assert lines[at + 1] == "overstock: 1 opened"


def test_command_that_needs_the_broker_is_not_named_once_it_is_gone() -> None:
    lines = shown()

    assert "stock alerts none" in lines
    assert not any("storestream stock" in line for line in lines)
