"""How much time work takes of what 1C gives for it, by position: what closed tasks teach planning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from statistics import quantiles

from b24tools.core.names import same_name
from b24tools.scheduling.people_file import PeopleFile
from b24tools.store import Store
from b24tools.store.norms import Measured

ENOUGH = 20  # closed tasks with time noted on them: of fewer no norm is learned
HUNDREDTH = Fraction(1, 100)


@dataclass(frozen=True)
class Factors:
    """The time noted on `n` closed tasks as shares of their estimates, to hundredths."""

    n: int
    q1: Fraction
    median: Fraction
    q3: Fraction


def learn_norms(store: Store, people: PeopleFile) -> dict[str, Fraction]:
    """Return the medians of positions with tasks enough, by folded name: what B24_NORMS=learned plans with."""
    factors = measure(store.norms.measured(), people)
    return {folded: one.median for folded, one in factors.items() if one.n >= ENOUGH}


def measure(measured: Iterable[Measured], people: PeopleFile) -> dict[str, Factors]:
    """Compare time with estimates, by folded position; the time of slow people counts as if they were not."""
    shares: dict[str, list[Fraction]] = {}
    for one in measured:
        share = Fraction(one.spent_s, one.estimate_s) * people.of(one.person_id).rate
        shares.setdefault(same_name(one.position), []).append(share)
    found = {}
    for folded, some in shares.items():
        quartiles = quantiles(some, n=4, method="inclusive") if len(some) > 1 else some * 3
        found[folded] = Factors(len(some), *(max(HUNDREDTH, Fraction(round(one * 100), 100)) for one in quartiles))
    return found
