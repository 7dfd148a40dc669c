"""A piece of work offered to some people: who may finish it when, and who is to have it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import groupby, repeat
from operator import attrgetter

from b24tools.core.i18n import _
from b24tools.scheduling.calendar import NoWorkingTime, Timeline
from b24tools.scheduling.lane import Candidate, Layout, Offer, Rank

NEVER = 2**62  # a position that no timeline has

_REASONS = ("first", "less_open", "least_recent", "lower_id")


@dataclass(frozen=True)
class Choice:
    """Who does it, when (UTC), and why.

    `reason`: "first" (to finish), of those who finish at once "less_open" work, "least_recent"
    assignment, "lower_id"; "only" one was there; "pinned"; "holder": who had it keeps it. `candidates`: the best first,
    those who cannot last.
    `margin_s`: how much more work the chosen one could have had and still be the first. `number`: what the work is
    called in the lane as long as it is no task.
    """

    responsible_id: int
    start: datetime
    finish: datetime
    reason: str
    candidates: tuple[Candidate, ...]
    margin_s: int | None = None
    number: int = 0


class Tender:
    """Work of so many seconds, not before a moment, offered to people as their lanes lie now; it never changes.

    `usual`: everybody's time. `known`: an earlier tender for the same work to the same people; whose lane lies as it
    did then is not asked again.
    """

    def __init__(
        self,
        usual: Timeline,
        layouts: Sequence[Layout],
        length_s: int,
        earliest: datetime,
        known: Tender | None = None,
    ) -> None:
        if length_s <= 0:
            raise ValueError(f"work of {length_s} s")
        self.usual, self.layouts, self.length_s, self.earliest = usual, layouts, length_s, earliest
        self._known = (known.layouts, known._ends) if known and known._ends else None
        self._position = usual.worked(earliest)
        self._ends: list[int] | None = None
        self._choices: dict[tuple[int | None, int | None], Choice] = {}
        self._soonest: datetime | None = None

    def soonest(self) -> datetime:
        """Tell before when none of them can have finished. Raises NoWorkingTime."""
        if self._soonest is None:
            end = min(self._soonest_ends(), default=NEVER)
            if end == NEVER:
                raise NoWorkingTime
            self._soonest = self.usual.end_at(end)
        return self._soonest

    def choose(self, most: int | None = None, holder: int | None = None) -> Choice:
        """Find out who finishes first; or let the one of them who has it keep it.

        With `most`, only so many candidates are reckoned, besides those who could be the first.
        Raises NoWorkingTime if none of them can.
        """
        choice = self._choices.get((most, holder))
        if choice is None:
            offers = self.offers(most)
            choice = self._choose(offers)
            if holder is not None and choice.responsible_id != holder:
                choice = self._let_keep(holder, offers)
            self._choices[most, holder] = choice
        return choice

    @cached_property
    def first(self) -> tuple[int, datetime, datetime] | None:
        """Who finishes first, from when to when; None if none of them can."""
        _ranks, candidates = _sort(self.offers(1))
        best = candidates[0] if candidates else None
        return (best.id, best.start, best.finish) if best and best.start and best.finish else None

    def offer_of(self, worker_id: int) -> tuple[int, datetime, datetime] | None:
        """From when to when this one of them would do it, as `first` has it; None if that cannot be."""
        for _rank, candidate in self._offers_of(worker_id):
            if candidate.start and candidate.finish:
                return candidate.id, candidate.start, candidate.finish
        return None

    def _offers_of(self, worker_id: int) -> list[Offer]:
        return [self._offer(layout) for layout in self.layouts if layout.time.worker.id == worker_id]

    def _let_keep(self, holder: int, offers: list[Offer]) -> Choice:
        if all(candidate.id != holder for _rank, candidate in offers):
            offers = offers + self._offers_of(holder)
        _ranks, candidates = _sort(offers)
        return _chosen(next(candidate for candidate in candidates if candidate.id == holder), "holder", candidates)

    def pin(self, worker_id: int) -> Choice:
        """Let this one of them do it. Raises NoWorkingTime if that cannot be."""
        _ranks, candidates = _sort(self.offers())
        winner = next(candidate for candidate in candidates if candidate.id == worker_id)
        return _chosen(winner, "pinned", candidates)

    def offers(self, most: int | None = None) -> list[Offer]:
        """What they offer; with `most`, so many of them, and all who may be the first.

        None finishes before the gap's own end; and of those who are always there, and have the same gap, none
        before the first one by open work, unless that one's gap turns out to be too short for a whole step.
        """
        if most is None:
            return [self._offer(layout) for layout in self.layouts]
        ends = self._soonest_ends()
        offers: list[Offer] = []
        best: datetime | None = None
        sequence = sorted(range(len(ends)), key=ends.__getitem__)
        for end, numbers in groupby(sequence, key=ends.__getitem__):
            if best is not None and len(offers) >= most and end > self.usual.worked(best):
                break
            layouts = [self.layouts[number] for number in numbers]
            if end == NEVER:
                return offers + [self._offer(layout) for layout in layouts[: max(0, most - len(offers))]]
            is_settled, sure = False, None
            for layout in sorted(layouts, key=attrgetter("tie")):
                is_usual = layout.line is self.usual and layout.time.is_usual
                if is_settled and is_usual and len(offers) >= most:
                    continue
                offer = self._offer(layout)
                offers.append(offer)
                if offer[0] is None:
                    continue
                finish = offer[0][0]
                best = finish if best is None else min(best, finish)
                if is_usual and not is_settled:
                    sure = sure or self._end_on_step(end, layout.time.step_s)
                    is_settled = finish == sure
        return offers

    def _choose(self, offers: Collection[Offer]) -> Choice:
        ranks, candidates = _sort(offers)
        if not ranks:
            raise NoWorkingTime(_("none of the candidates has working time for it in the next six years"))
        reason, margin_s = "only", None
        if len(ranks) > 1:
            reason = next(name for name, a, b in zip(_REASONS, *ranks[:2], strict=True) if a != b)
            line = next(layout.line for layout in self.layouts if layout.time.worker.id == candidates[0].id)
            margin_s = line.worked(ranks[1][0]) - line.worked(ranks[0][0])
        return _chosen(candidates[0], reason, candidates, margin_s)

    def _soonest_ends(self) -> list[int]:
        """Where in everybody's time each may be done at the earliest."""
        if self._ends is None:
            known, self._known = self._known or (repeat(None), repeat(NEVER)), None
            usual, length_s, position = self.usual, self.length_s, self._position
            self._ends = [
                end
                if layout is before
                else layout.gap_end(length_s, position)
                if layout.line is usual
                else self._soonest_end(layout, layout.line)
                for layout, before, end in zip(self.layouts, *known, strict=False)
            ]
        return self._ends

    def _soonest_end(self, layout: Layout, line: Timeline) -> int:
        if line.calendar is self.usual.calendar:
            return line.shared_end(layout.gap_end(self.length_s, line.own(self._position)))
        try:
            return self.usual.worked(line.end_at(layout.gap_end(self.length_s, line.worked(self.earliest))))
        except NoWorkingTime:
            return NEVER

    def _offer(self, layout: Layout) -> Offer:
        is_usual = layout.line is self.usual
        return layout.offer(self.length_s, self._position if is_usual else layout.line.worked(self.earliest))

    def _end_on_step(self, end: int, step_s: int) -> datetime:
        """When work is done that ends there at the earliest and begins on a whole step."""
        aligned, _start = self.usual.aligned_start(end - self.length_s, step_s)
        return self.usual.end_at(aligned + self.length_s)


def _sort(offers: Collection[Offer]) -> tuple[list[Rank], list[Candidate]]:
    """The ranks, the best first, and the candidates in that sequence, those who cannot last."""
    ranked = sorted((rank, candidate) for rank, candidate in offers if rank is not None)
    candidates = [candidate for _rank, candidate in ranked] + [candidate for rank, candidate in offers if rank is None]
    return [rank for rank, _candidate in ranked], candidates


def _chosen(winner: Candidate, reason: str, candidates: Sequence[Candidate], margin_s: int | None = None) -> Choice:
    if winner.start is None or winner.finish is None:
        raise NoWorkingTime(_("{name} has no working time for it in the next six years").format(name=winner.name))
    listed = tuple(replace(candidate, chosen=True) if candidate is winner else candidate for candidate in candidates)
    return Choice(winner.id, winner.start, winner.finish, reason, listed, margin_s)
