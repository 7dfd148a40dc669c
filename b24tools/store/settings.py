"""Running settings: those that are changed while the jobs run, and hold at once in every process."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from b24tools.core import clock, errors, hosts, team_goal
from b24tools.core.i18n import _
from b24tools.store.database import Database

POLLING, WEBHOOK = "polling", "webhook"  # how closed tasks are collected: by snapshots, by events


@dataclass(frozen=True)
class RunningSetting:
    """A setting's default, the form of its values (a pattern), examples."""

    default: str
    form: str
    examples: str


@dataclass(frozen=True)
class Acknowledged:
    """What a person knows of a check of doctor, and until when it need not be said."""

    check: str
    until: date
    note: str

    @property
    def text(self) -> str:
        """As it is written."""
        return f"{self.check} {self.until} {self.note}".rstrip()

    def covers(self, check: str, day: date) -> bool:
        """Whether this is said of the check, or of all of that name, on this day."""
        return day <= self.until and self.check in (check, check.partition(" ")[0])


_IDS = r"([0-9]{1,15}(\s*,\s*[0-9]{1,15})*)?"
_ACKNOWLEDGED = re.compile(r"(\S.*?)\s+(\d{4}-\d{2}-\d{2})(?:\s+(.*))?")
RUNNING_SETTINGS = {  # portal_host is learned from the first portal that answers
    "producer_mode": RunningSetting(POLLING, f"{POLLING}|{WEBHOOK}", f"{POLLING}, {WEBHOOK}"),
    "hidden_users": RunningSetting("", _IDS, '"7,12"'),
    "opted_out_users": RunningSetting("", _IDS, '"7,12"'),
    "excluded_users": RunningSetting("", _IDS, '"7,12"'),
    "team_goal": RunningSetting("", f"({team_goal.FORM})?", '"5 tasks", 20h'),
    "snapshot_max_age_h": RunningSetting("26", r"[0-9]{1,6}(\.[0-9]{1,3})?", "26"),
    "count_own": RunningSetting("0", r"0|1", "0, 1"),
    "doctor_ignore": RunningSetting("", "[^\n]*", '"disk_space 2027-01-31 a new disk is ordered"'),
    "portal_host": RunningSetting("", r"([^\s/@?#]+(/[^\s/@?#]+)*)?", "example.bitrix24.ru"),
}


@dataclass(frozen=True, slots=True)
class CountingRules:
    """What counts on the leaderboard.

    `count_own`: so do tasks that people set themselves. `opted_out`: who counts without a name. `hidden`: who does
    not count. `zone`: in which the periods begin.
    """

    count_own: bool
    opted_out: frozenset[int]
    hidden: frozenset[int]
    zone: str


class Settings:
    """The running settings."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, key: str) -> str:
        """Return a setting's value, or its default. Raises ConfigError for an unknown one."""
        _check_known(key)
        rows = self._db.query("SELECT value FROM settings WHERE key = ?", [key])
        return str(rows[0]["value"]) if rows else RUNNING_SETTINGS[key].default

    def save(self, key: str, value: str, now: datetime | None = None) -> None:
        """Set a setting; every process sees it at its next step. Raises ConfigError."""
        _check_known(key)
        given = value.strip()
        wanted = hosts.read(given) if key == "portal_host" else given
        if key == "doctor_ignore":
            wanted = "; ".join(entry.text for entry in read_acknowledged(given))
        if not re.fullmatch(RUNNING_SETTINGS[key].form, wanted) or (given and not wanted):
            raise errors.ConfigError(
                _('{key}: "{value}" does not fit').format(key=key, value=value),
                _("Examples: {examples}").format(examples=RUNNING_SETTINGS[key].examples),
            )
        with self._db.transaction():
            if key == "producer_mode" and wanted == WEBHOOK != self.get(key):
                from b24tools.store.events import Events  # the leaderboard need not wait for it

                Events(self._db).queue_stored(now or clock.read_clock())
            self._db.insert("settings", [{"key": key, "value": wanted}], key=["key"])

    def follows_events(self) -> bool:
        """Whether closed tasks are collected by events."""
        return self.get("producer_mode") == WEBHOOK

    def check_host(self, host: str) -> None:
        """Stop before one portal's ledger meets another portal: ids would be mixed up. Raises ConfigError."""
        known = self.get("portal_host")
        if known and not hosts.is_same(known, host):
            raise errors.ConfigError(
                _("the database is about the portal {known}, but the webhook leads to {host}").format(
                    known=known, host=host
                ),
                _(
                    "For another portal set another B24_DATA_DIR; if the portal was renamed, run "
                    "`b24tools config portal_host {host}`."
                ).format(host=host),
            )

    def remember_host(self, host: str) -> None:
        """Learn the portal that this database is about from the first one that answered."""
        if not self.get("portal_host"):
            self.save("portal_host", host)

    def excluded_users(self) -> frozenset[int]:
        """Return the people who are never given work."""
        return self._ids("excluded_users")

    def hidden_users(self) -> frozenset[int]:
        """Return the people who are on no leaderboard."""
        return self._ids("hidden_users")

    def opted_out_users(self) -> frozenset[int]:
        """Return the people who count without a name."""
        return self._ids("opted_out_users")

    def counting_rules(self, zone: ZoneInfo) -> CountingRules:
        """Return the rules of counting in force."""
        count_own = self.get("count_own") == "1"
        return CountingRules(count_own, self.opted_out_users(), self.hidden_users(), zone.key)

    def acknowledged(self) -> tuple[Acknowledged, ...]:
        """Return what is known of doctor's checks."""
        return read_acknowledged(self.get("doctor_ignore"))

    def _ids(self, key: str) -> frozenset[int]:
        return frozenset(int(word) for word in self.get(key).split(",") if word.strip().isdigit())


def lists_people(key: str) -> bool:
    """Whether a setting is a list of people's ids."""
    return key in RUNNING_SETTINGS and RUNNING_SETTINGS[key].form == _IDS


def read_acknowledged(text: str) -> tuple[Acknowledged, ...]:
    """Read `CHECK DATE NOTE; …`. Raises ConfigError where there is no check or no date."""
    by_check = {}
    for words in filter(None, map(str.strip, text.split(";"))):
        parts = _ACKNOWLEDGED.fullmatch(words)
        try:
            entry = Acknowledged(parts[1], date.fromisoformat(parts[2]), parts[3] or "") if parts else None
        except ValueError:
            entry = None
        if entry is None:
            raise errors.ConfigError(
                _('doctor_ignore: "{text}" is not a check, a last day and a note').format(text=words),
                _("For example: {example}").format(
                    example='b24tools config doctor_ignore add "disk_space 2027-01-31 a new disk is ordered"'
                ),
            )
        by_check[entry.check] = entry
    return tuple(by_check.values())


def _check_known(key: str) -> None:
    if key not in RUNNING_SETTINGS:
        raise errors.ConfigError(
            _('there is no running setting "{key}"').format(key=key),
            _("There are: {known}").format(known=", ".join(RUNNING_SETTINGS)),
        )
