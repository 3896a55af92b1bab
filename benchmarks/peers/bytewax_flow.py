"""The same work in Bytewax, written as its documentation writes it.

One worker; sessions and positions go to its recovery store every ten seconds, as it has no
consumer group: so it ends by itself at the end of the topic.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import orjson
from answering import KEPT, recommendation
from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

BROKERS = [os.environ["PEER_BROKER"]]

Read = tuple[KafkaSourceMessage, dict[str, object]]


def with_visitor(message: KafkaSourceMessage) -> tuple[str, Read]:
    """Decode one event and key it by its visitor."""
    view = orjson.loads(message.value)
    return view["visitor_id"], (message, view)


def answer(latest: list[str] | None, read: Read) -> tuple[list[str], KafkaSinkMessage]:
    """Fold one event into its visitor's session and answer it."""
    message, view = read
    latest = [*(latest or []), view["product_id"]][-KEPT:]
    at = (message.topic, message.partition, message.offset)
    value = orjson.dumps(recommendation(view, latest, at=at))
    return latest, KafkaSinkMessage(key=message.key, value=value)


flow = Dataflow("sessions")
events = kop.input("events", flow, brokers=BROKERS, topics=[os.environ["PEER_EVENTS"]], tail=False)
op.raises("errors", events.errs)
views = op.map("visitors", events.oks, with_visitor)
answers = op.map("unkeyed", op.stateful_map("sessions", views, answer), lambda keyed: keyed[1])
kop.output(
    "answers",
    answers,
    brokers=BROKERS,
    topic=os.environ["PEER_ANSWERS"],
    add_config={"partitioner": "murmur2_random"},
)

if __name__ == "__main__":
    recovery = Path(os.environ["PEER_DATA"])
    recovery.mkdir(parents=True, exist_ok=True)
    init_db_dir(recovery, 1)
    cli_main(
        flow,
        epoch_interval=timedelta(seconds=10),
        recovery_config=RecoveryConfig(str(recovery), backup_interval=timedelta(0)),
    )
