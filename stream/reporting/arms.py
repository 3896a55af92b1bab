"""What was shown, clicked and bought, added up by variant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from stream.domain.experiments import Rate, rate_of
from stream.reporting.claims import Display
from stream.reporting.purchases import Credit


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One variant.

    Attributes:
        click_through: Clicked of the shown.
        conversion: Visitors who bought what it recommended, of all to whom it was shown.
        revenue: By currency.
        n_unpriced: Products bought of it without a price, which are in no revenue.
    """

    variant: str
    n_visitors: int
    n_shown: int
    n_clicked: int
    n_degraded: int
    n_buyers: int
    click_through: Rate
    conversion: Rate
    revenue: Mapping[str, float]
    n_unpriced: int


@dataclass(slots=True)
class _Sums:
    """Of one variant in the making; visitors have clicked and shown."""

    visitors: dict[str, list[int]] = field(default_factory=dict)
    buyers: set[str] = field(default_factory=set)
    revenue: dict[str, float] = field(default_factory=dict)
    n_degraded: int = 0
    n_unpriced: int = 0

    def show(self, visitor_id: str, display: Display) -> None:
        sums = self.visitors.setdefault(visitor_id, [0, 0])
        sums[0] += display.is_clicked
        sums[1] += 1
        self.n_degraded += display.is_degraded

    def buy(self, credit: Credit) -> None:
        self.buyers.add(credit.visitor_id)
        if credit.amount is None:
            self.n_unpriced += 1
        else:
            before = self.revenue.get(credit.currency, 0.0)
            self.revenue[credit.currency] = before + credit.amount

    def arm(self, variant: str) -> Arm:
        clicks = [(clicked, shown) for clicked, shown in self.visitors.values()]
        buys = [(int(visitor_id in self.buyers), 1) for visitor_id in self.visitors]
        click_through, conversion = rate_of(clicks), rate_of(buys)
        if click_through is None or conversion is None:
            raise ValueError(f"{variant}: nothing was shown")
        return Arm(
            variant=variant,
            n_visitors=len(self.visitors),
            n_shown=sum(shown for _, shown in clicks),
            n_clicked=sum(clicked for clicked, _ in clicks),
            n_degraded=self.n_degraded,
            n_buyers=len(self.buyers),
            click_through=click_through,
            conversion=conversion,
            revenue={currency: round(amount, 2) for currency, amount in self.revenue.items()},
            n_unpriced=self.n_unpriced,
        )


def arms_of(displays: Mapping[str, Sequence[Display]], credits_: Iterable[Credit]) -> list[Arm]:
    """Return the variants of *displays*, those with most visitors first.

    A visitor who was in several is a visitor of each, with what each has shown.
    """
    sums: dict[str, _Sums] = {}
    for visitor_id, shown in displays.items():
        for display in shown:
            sums.setdefault(display.variant, _Sums()).show(visitor_id, display)
    for credit in credits_:
        sums[credit.variant].buy(credit)
    arms = [each.arm(variant) for variant, each in sums.items()]
    return sorted(arms, key=lambda arm: (-arm.n_visitors, arm.variant))
