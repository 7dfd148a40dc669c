"""How much time work takes of what 1C gives for it, by position: from the ledger and closed tasks. No network."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from b24tools.assignment.norms import ENOUGH, Factors, learn_norms, measure
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.names import hint_nearest, nearest_name, same_name
from b24tools.core.periods import Period
from b24tools.scheduling.people_file import PeopleFile
from b24tools.store import Store


@dataclass(frozen=True)
class Norm:
    """A position. `factors` None: no time was noted on any closed task of it.

    `planned`: how many of its tasks were given out last month, `planned_s` what 1C gave for them, `with_norm_s` what
    that would have been with the norm.
    """

    position: str
    factors: Factors | None
    planned: int
    planned_s: int
    with_norm_s: int

    @property
    def is_enough(self) -> bool:
        """Whether there are tasks enough to plan by it."""
        return self.factors is not None and self.factors.n >= ENOUGH


def list_norms(store: Store, people: PeopleFile, month: Period, position: str | None = None) -> list[Norm]:
    """Return the norms of all positions by name, or of one. Raises ConfigError for one that is not known.

    `month`: whose plans are compared.
    """
    measured, planned = store.norms.measured(), store.norms.planned(month.start, month.end)
    names: dict[str, str] = {}
    for name in [*(one.position for one in measured), *(name for name, _estimate_s in planned)]:
        names.setdefault(same_name(name), name)
    factors, norms = measure(measured, people), learn_norms(store, people)
    found = []
    for folded, name in sorted(names.items(), key=lambda one: one[1].casefold()):
        estimates = [estimate_s for one, estimate_s in planned if same_name(one) == folded]
        with_norm_s = sum(ceil(estimate_s * norms.get(folded, 1)) for estimate_s in estimates)
        found.append(Norm(name, factors.get(folded), len(estimates), sum(estimates), with_norm_s))
    if position is None:
        return found
    chosen = [one for one in found if same_name(one.position) == same_name(position)]
    if not chosen:
        otherwise = _("`b24tools norms` shows all positions; `b24tools snapshot` collects closed tasks.")
        raise errors.UsageError(
            _('the position "{name}" is in no closed task and in no plan of last month').format(name=position),
            hint_nearest(nearest_name(position, names.values()), otherwise),
        )
    return chosen
