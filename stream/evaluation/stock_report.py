"""What came of the replays of a warehouse, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from stream.demo.report import machine
from stream.evaluation.shop import MIN_SELLING_DAYS, RUN_IN_DAYS, TEST_DAYS, Shop
from stream.evaluation.stock_quality import ByProduct, Measured, ratio_of
from stream.evaluation.stock_trials import (
    AT_FILL_RATE,
    LEAD_DAYS,
    LEVELS,
    OURS,
    Contest,
    Entry,
)
from stream.evaluation.warehouse import REVIEW_DAYS

#: Said with the figures, since the data does not say it.
ASSUMED = (
    f"Lead times of {', '.join(map(str, LEAD_DAYS[:-1]))} and {LEAD_DAYS[-1]} days are assumed: "
    "the data has none, and no stock. What is wanted beyond the shelf is lost."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run was told to do.

    Attributes:
        n_steps: Of training, of each network.
    """

    datasets: tuple[Path, ...]
    seed: int
    n_steps: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """A shop and all contests in it."""

    shop: Shop
    contests: tuple[Contest, ...]

    def at(self, level: str) -> list[Contest]:
        return [each for each in self.contests if each.at == level]


@dataclass(frozen=True, slots=True)
class Compared:
    """Units that we lost over those of the rule that lost the fewest."""

    better_rule: str
    ratio: Measured


def compared(groups: Sequence[Sequence[Contest]]) -> Compared:
    """Return ours beside the better rule, all contests pooled.

    Args:
        groups: Of each shop: its products are drawn for all its contests, and both policies, at once.
    """
    rules = [name for name in groups[0][0].entries if name != OURS]
    better = min(rules, key=lambda name: sum(float(lost.sum()) for lost in _lost(groups, name)))
    return Compared(better, ratio_of(_lost(groups, OURS), _lost(groups, better)))


def _lost(groups: Sequence[Sequence[Contest]], name: str) -> list[ByProduct]:
    lost: list[ByProduct] = []
    for contests in groups:
        of_each = [each.entries[name].outcome.lost for each in contests]
        lost.append(sum(of_each[1:], start=of_each[0]))
    return lost


def report_of(asked: Asked, replayed: Sequence[Replayed]) -> dict[str, object]:
    """Return the figures, on top the ratio where stock is ample."""
    return {
        **_told_ratio([each.at(AT_FILL_RATE) for each in replayed]),
        "at_equal_mean_stock": AT_FILL_RATE,
        "by_level_of_stock": _told_levels(replayed),
        "datasets": {each.shop.name: _told_shop(each) for each in replayed},
        "assumed": {
            "lead_days": LEAD_DAYS,
            "review_days": REVIEW_DAYS,
            "told": ASSUMED,
        },
        "asked": {
            "datasets": [dataset.name for dataset in asked.datasets],
            "seed": asked.seed,
            "steps": asked.n_steps,
        },
        "machine": machine(),
    }


def _told_shop(replayed: Replayed) -> dict[str, object]:
    shop = replayed.shop
    return {
        "sha256": shop.sha256,
        "products": shop.n_products,
        "sold_before_the_test_on_days": MIN_SELLING_DAYS,
        "days_learnt_from": shop.test_from,
        "run_in_days": RUN_IN_DAYS,
        "test_days": TEST_DAYS,
        "open_test_days": int(shop.is_open[shop.test_from :].sum()),
        "by_level_of_stock": _told_levels([replayed]),
        "contests": [_told_contest(each) for each in replayed.contests],
    }


def _told_levels(replayed: Sequence[Replayed]) -> dict[str, object]:
    return {level: _told_ratio([each.at(level) for each in replayed]) for level in LEVELS}


def _told_contest(contest: Contest) -> dict[str, object]:
    return {
        "lead_days": contest.lead_days,
        "at_equal_mean_stock": contest.at,
        "mean_stock": contest.stock,
        "all_keep_it": contest.is_equal,
        **_told_ratio([[contest]]),
        "policies": {name: _told_entry(each) for name, each in contest.entries.items()},
    }


def _told_entry(entry: Entry) -> dict[str, object]:
    outcome = entry.outcome
    return {
        "setting": entry.setting,
        "mean_stock": outcome.mean_stock,
        "units_wanted": float(outcome.wanted.sum()),
        "units_lost": outcome.units_lost,
        "share_lost": outcome.share_lost,
        "share_of_lost_in_bulk": outcome.share_in_bulk,
        "days_out_of_stock": outcome.days_out_of_stock,
        "alerts_a_day": outcome.alerts_a_day,
        "alerts_judged": float(outcome.judged.sum()),
        "share_of_alerts_right": outcome.share_right,
    }


def _told_ratio(groups: Sequence[Sequence[Contest]]) -> dict[str, object]:
    found = compared(groups)
    value, low, high = found.ratio
    return {
        "units_lost_ratio": value,
        "units_lost_ratio_low": low,
        "units_lost_ratio_high": high,
        "better_rule": found.better_rule,
    }


def table(replayed: Replayed, level: str) -> Table:
    """Return one shop at one level of stock, for people."""
    shop = replayed.shop
    headings = (
        "lead, days",
        "policy",
        "stock",
        "units lost",
        "share, 95 %",
        "days out",
        "alerts a day",
        "of them right, 95 %",
    )
    title = f"{shop.name}: {shop.n_products:,} products, {TEST_DAYS} days, {level}"
    found = Table(*headings, title=title)
    for contest in replayed.at(level):
        for name, entry in contest.entries.items():
            found.add_row(str(contest.lead_days), name, *_cells(entry))
        found.add_section()
    return found


def _cells(entry: Entry) -> Iterator[str]:
    outcome = entry.outcome
    yield f"{outcome.mean_stock:,.2f}"
    yield f"{outcome.units_lost.value:,.0f}"
    yield _shares(outcome.share_lost)
    yield f"{outcome.days_out_of_stock.value:.1f}"
    yield f"{outcome.alerts_a_day.value:,.0f}"
    yield _shares(outcome.share_right)


def _shares(share: Measured) -> str:
    return f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%})"


def conclusions(replayed: Sequence[Replayed]) -> Iterator[str]:
    """Yield a sentence for each level of stock."""
    for level in LEVELS:
        found = compared([each.at(level) for each in replayed])
        value, low, high = found.ratio
        yield (
            f"At {level}: {value:.3f} times the units lost by the best rule, "
            f"{found.better_rule} (95 %: {low:.3f} to {high:.3f})."
        )
