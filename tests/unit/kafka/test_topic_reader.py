from __future__ import annotations

from aiokafka import TopicPartition

from stream.kafka.reader import TopicReader

ONE, OTHER = TopicPartition("one", 0), TopicPartition("other", 0)


class Consumer:
    """Stands at the end of what it was told of so far."""

    def __init__(self, *assigned: TopicPartition) -> None:
        self.assigned = set(assigned)

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    def highwater(self, tp: TopicPartition) -> int:
        return 3

    async def position(self, tp: TopicPartition) -> int:
        return 3


async def test_topic_of_which_the_broker_has_not_told_yet_is_not_read() -> None:
    reader = TopicReader(["127.0.0.1:1"], {"one": print, "other": print})

    caught_up = [
        await reader._is_caught_up(Consumer(*assigned)) for assigned in ((), (ONE,), (ONE, OTHER))
    ]

    assert caught_up == [False, False, True]
