"""The same work in Quix Streams, written as its documentation writes it.

Sessions are kept in its state: RocksDB with a changelog topic. It reads settings of topics that the
embedded broker does not give, so it runs on Apache Kafka only.
"""

from __future__ import annotations

import os

from answering import KEPT, recommendation
from quixstreams import Application, State, message_context

app = Application(
    broker_address=os.environ["PEER_BROKER"],
    consumer_group=os.environ["PEER_APP"],
    auto_offset_reset="earliest",
    state_dir=os.environ["PEER_DATA"],
    loglevel="WARNING",
)
events = app.topic(os.environ["PEER_EVENTS"], value_deserializer="json")
answers = app.topic(os.environ["PEER_ANSWERS"], value_serializer="json")


def answer(view: dict[str, object], state: State) -> dict[str, object]:
    """Fold one event into its visitor's session and answer it."""
    latest = [*state.get("latest", []), view["product_id"]][-KEPT:]
    state.set("latest", latest)
    read = message_context()
    return recommendation(view, latest, at=(read.topic, read.partition, read.offset))


sessions = app.dataframe(events)
sessions = sessions.apply(answer, stateful=True)
sessions = sessions.to_topic(answers)

if __name__ == "__main__":
    app.run()
