"""The running settings for people: each with what it does, people by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from b24tools.core.i18n import _
from b24tools.render.console import print_text
from b24tools.store.settings import lists_people

if TYPE_CHECKING:
    from b24tools.core.models import Person


def explain(key: str) -> str:
    """Say what a running setting does; "" of one without an explanation."""
    texts = {
        "producer_mode": _("How closed tasks are collected: polling, by snapshots; webhook, by events."),
        "hidden_users": _("People who are left out of the leaderboard."),
        "opted_out_users": _("People who count for their team and in the totals, and are named nowhere."),
        "excluded_users": _("People who are never given work."),
        "snapshot_max_age_h": _("After so many hours without a complete snapshot something is wrong."),
        "count_own": _("1: tasks that people set themselves count on the leaderboard, too."),
        "team_goal": _("What a team is to close a week for each member present: 5 tasks, 20h."),
        "doctor_ignore": _("What doctor finds and is known already: a check, a last day, a note; several with `;`."),
        "portal_host": _("The portal that the database is about; to be changed when it was renamed."),
    }
    return texts.get(key, "")


def print_settings(settings: Iterable[tuple[str, str]], people: Mapping[str, Person]) -> None:
    """Print the settings with their explanations, and the names of the people in a list."""
    for key, value in settings:
        print_text(f"{key} {value}".rstrip())
        print_text(f"    {explain(key)}")
        named = [f"{people[word].name} (#{word})" for word in value.split(",") if word in people]
        if named and lists_people(key):
            print_text(f"    {', '.join(named)}")
