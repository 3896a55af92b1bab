from __future__ import annotations

from stream.bench.contestants import PEER, plain_faust
from stream.bench.measuring import Measured
from stream.settings import Settings


def test_peer_is_in_the_checkout() -> None:
    assert PEER.is_file()


def test_each_run_of_the_peer_has_topics_of_its_own() -> None:
    first, second = (plain_faust(Settings(), number) for number in (0, 1))

    assert not {topic.name for topic in first.topics} & {topic.name for topic in second.topics}
    assert first.group_id != second.group_id


def test_rate_counts_answers_between_the_first_and_the_last() -> None:
    assert Measured(n_answers=3_000, n_covered=3_000, seconds=1.5).events_per_s == 2_000
    assert Measured(n_answers=0, n_covered=0, seconds=0.0).events_per_s == 0
