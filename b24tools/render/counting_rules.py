"""The rules that the leaderboard counts by, in words, and `data` for programs."""

from __future__ import annotations

from typing import Any

from b24tools.core.i18n import _, ngettext
from b24tools.jobs.leaderboard import FEWEST
from b24tools.store.settings import CountingRules


def data(rules: CountingRules) -> list[dict[str, Any]]:
    """Return the `data` of `leaderboard --rules --json`: each rule with its value and its words."""
    return [{"rule": rule, "value": value, "text": text} for rule, value, text in list_rules(rules)]


def list_rules(rules: CountingRules) -> list[tuple[str, str, str]]:
    """List the rules: what it is about, its value, the words. Of people there is only how many, not who."""
    own = (
        _("Tasks that people set themselves count, too.")
        if rules.count_own
        else _(
            "Tasks that people set themselves do not count, those of orders always do. "
            "A task of which it is not known who set it counts."
        )
    )
    return [
        ("count_own", str(int(rules.count_own)), own),
        (
            "lines",
            "once",
            _("A line of an order counts once, for whoever closed its first task. A task that was reopened does not."),
        ),
        (
            "on_time",
            "first_deadline",
            _(
                "On time is measured against the first deadline that is known: that of the order, else the first one "
                "that was seen while the task was open. A task without one is neither on time nor late."
            ),
        ),
        (
            "opted_out_users",
            str(len(rules.opted_out)),
            _(
                "Who does not want to be named counts for the team and in the totals, where the team has {fewest} "
                "members or more, and has no row. Their sum stands alone only where they are {fewest} or more."
            ).format(fewest=FEWEST)
            + " "
            + ngettext("{n} person wants that.", "{n} people want that.", len(rules.opted_out)).format(
                n=len(rules.opted_out)
            ),
        ),
        (
            "hidden_users",
            str(len(rules.hidden)),
            ngettext(
                "{n} person is left out altogether.", "{n} people are left out altogether.", len(rules.hidden)
            ).format(n=len(rules.hidden)),
        ),
        (
            "seasons",
            "7d",
            _(
                "Months and quarters are frozen, with the rules in force, by the first complete snapshot seven days "
                "after their end, if all of them was collected. Weeks and years stay live."
            ),
        ),
        ("zone", rules.zone, _("Days begin at midnight in {zone}.").format(zone=rules.zone)),
    ]
