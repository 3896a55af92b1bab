"""What counts as a difference between a topic as wanted and as found."""

from __future__ import annotations

from stream.kafka.administration import Topic, differences


def make_topic(
    *, partitions: int = 4, replication: int = 1, config: dict[str, str] | None = None
) -> Topic:
    return Topic("a.topic", partitions, replication, config or {"cleanup.policy": "compact"})


def test_topic_as_wanted_has_no_difference() -> None:
    found = make_topic(config={"cleanup.policy": "compact", "nobody.asked": "1"})

    assert list(differences(make_topic(), found)) == []


def test_missing_topic_is_one_difference() -> None:
    (difference,) = differences(make_topic(), None)

    assert str(difference) == "a.topic: topic: Expected it on the broker, got no such topic"


def test_partitions_replication_and_settings_are_compared() -> None:
    found = make_topic(partitions=3, replication=2, config={"cleanup.policy": "delete"})

    assert [str(difference) for difference in differences(make_topic(), found)] == [
        "a.topic: partitions: Expected 4, got 3",
        "a.topic: replication: Expected 1, got 2",
        "a.topic: cleanup.policy: Expected compact, got delete",
    ]


def test_setting_that_the_broker_does_not_report_is_no_certain_difference() -> None:
    (difference,) = differences(make_topic(), make_topic(config={"other": "1"}))

    assert not difference.is_certain
    assert str(difference) == "a.topic: cleanup.policy: Expected compact, it is not reported"
