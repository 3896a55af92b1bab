from __future__ import annotations

from itertools import accumulate, takewhile
from random import Random

from stream.bench.loading import Sent, Visits, arrivals


async def test_as_many_arrive_as_the_process_has_in_that_time() -> None:
    random = Random(1)
    drawn = accumulate(random.expovariate(2_000) for _ in range(1_000))
    expected = sum(1 for _ in takewhile(lambda at_s: at_s <= 0.1, drawn))

    arrived = [n async for n in arrivals(2_000, 0.1, Random(1))]

    assert sum(arrived) == expected > 0
    assert len(arrived) > 1


def test_no_event_comes_twice_and_another_number_has_other_visitors() -> None:
    visits, others = (Visits(("p1", "p2"), number=number, n_visitors=3) for number in (1, 2))
    drawn = [visits.draw() for _ in range(50)]
    other = {others.draw().visitor_id for _ in range(50)}

    assert len({event.event_id for event in drawn}) == 50
    assert len({event.visitor_id for event in drawn}) == 3
    assert other.isdisjoint(event.visitor_id for event in drawn)


def test_rate_is_that_of_what_was_sent() -> None:
    assert Sent(3_000, began_ms=1_000, handed_ms=2_500, ended_ms=9_000).events_per_s == 2_000
