"""What a check is. To add one, write a function under `@checks.add(…)` in the file of its part.

A new file goes into `PARTS` of `job`. What is looked at of each order takes the order, too, and its name begins with
`order {number}`. A test asks for the row of a new name in the pages of doctor.

`job` runs the checks in the order in which they are written down, after one batch has asked the portal for all that
they need (a second one, for what depends on the first).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Generic, Literal, TypeVar

from b24tools.bitrix24 import webhook_url
from b24tools.bitrix24.batch import Batch
from b24tools.bitrix24.client import Client
from b24tools.core import config, errors
from b24tools.core.i18n import _, ngettext
from b24tools.onec.order import Order
from b24tools.scheduling.calendar_file import OwnDays
from b24tools.scheduling.people_file import PeopleFile
from b24tools.store import Store
from b24tools.store.inspection import Looked
from b24tools.store.settings import POLLING, Acknowledged

T = TypeVar("T")
Status = Literal["ok", "warn", "fail"]
MOST_NAMES = 6  # that a line lists


class NotLookedAt(Exception):
    """What a check needs is not there; why, another check reports."""


@dataclass(frozen=True)
class Finding:
    """What a check says: how something is, and how to fix it. `about`: which of several things."""

    status: Status
    detail: str
    fix: str = ""
    about: str = ""


@dataclass(frozen=True)
class Report(Finding):
    """A finding with where it comes from.

    `check` is the name for programs, the same in every language: the check's, and after a blank what it is `about`
    (`scope task`). `title` and `section` are for people. `known`: until when and why it need not be repeated.
    """

    check: str = ""
    title: str = ""
    section: str = ""
    known: str = ""


def judge(status: Status, detail: str, fix: str = "", *, about: str = "", **values: object) -> Finding:
    """Make a finding; the `values` are put into its texts, where there are any."""
    if values:
        detail, fix = detail.format(**values), fix.format(**values)
    return Finding(status, detail, fix, about)


ok = partial(judge, "ok")  # all is well
warn = partial(judge, "warn")  # it works, but somebody should look at it
fail = partial(judge, "fail")  # something will not work


def from_error(error: errors.B24ToolsError, about: str = "") -> Finding:
    """Make a finding of what could not be looked at, or is wrong in the way that the error describes."""
    return fail(error.message, error.hint_sentence or _("See what the portal's administrator says."), about=about)


@dataclass(frozen=True, eq=False)
class Need(Generic[T]):
    """What checks need of the portal, asked for once: `add` puts it into a batch, `exam[need]` is what `add` returned.

    `late`: it depends on the answers of the first batch, and rides in the second. A need may refer to one that stands
    before it in the check's `needs`.
    """

    add: Callable[[Batch, Examination], T]
    late: bool = False


@dataclass(eq=False)
class Examination:
    """What is examined. `client` to `reported` are of the portal, `looked` to `last_key` of the database.

    `own_days`: of calendar.json. `people`: people.json. `order_file`: its path, with the orders in it or the error that
    it has none. `reads_all`: a large database, too, is read through for damage.
    `failure`: why the portal did not answer, or not all. `asked_at`, `answered_at`: our clock around the first batch.
    """

    inspection: config.Inspection
    clock: Callable[[], datetime]
    own_days: OwnDays = field(default_factory=OwnDays)
    people: PeopleFile = field(default_factory=PeopleFile)
    order_file: str = ""
    orders: Sequence[Order] = ()
    order_error: errors.B24ToolsError | None = None
    reads_all: bool = True

    client: Client | None = None
    answers: dict[Need[Any], Any] = field(default_factory=dict)
    failure: errors.B24ToolsError | None = None
    reported: list[errors.PortalError] = field(default_factory=list)

    looked: Looked | None = None
    database_error: errors.B24ToolsError | None = None
    database: Store | None = None
    mode: str = POLLING
    excluded: frozenset[int] = frozenset()
    hidden: frozenset[int] = frozenset()
    opted_out: frozenset[int] = frozenset()
    positions: Sequence[str] = ()
    last_key: str = ""
    acknowledged: Sequence[Acknowledged] = ()

    def __post_init__(self) -> None:
        self.settings = self.inspection.settings
        self.now = self.asked_at = self.answered_at = self.clock()
        self.webhook: webhook_url.Address | None = None
        self.webhook_error: errors.ConfigError | None = None
        try:
            self.webhook = webhook_url.read(config.webhook_url(self.settings))
        except errors.ConfigError as error:
            self.webhook_error = None if self.inspection.is_unread else error  # it may stand there

    def __getitem__(self, need: Need[T]) -> T:
        answer: T | Exception = self.answers.get(need, NotLookedAt())
        if isinstance(answer, Exception):
            raise answer
        return answer


def require(value: T | None) -> T:
    """Insist on what may not be there."""
    if value is None:
        raise NotLookedAt
    return value


Look = Callable[..., Finding | Iterable[Finding] | None]


@dataclass(frozen=True)
class Check:
    """A registered check. `look` takes the examination; those of orders take the order, too.

    In the name and the section of these `{number}` is the order's.
    """

    name: str
    title: Callable[[], str]
    section: Callable[[], str]
    look: Look
    needs: Sequence[Need[Any]] = ()

    def run(self, exam: Examination, *orders: Order) -> list[Report]:
        """Look, if all that is needed is there. A failure of the portal is reported once, by the first to meet it.

        A missing scope is reported by the check of the scopes.
        """
        try:
            result = self.look(exam, *orders)
            findings = [result] if isinstance(result, Finding) else list(result or ())
        except NotLookedAt:
            return []
        except errors.PortalError as error:
            if error.portal_code.lower() == "insufficient_scope" or error in exam.reported:
                return []
            exam.reported.append(error)
            findings = [from_error(error)]
        number = "".join(order.number for order in orders)
        name, title, section = self.name.format(number=number), self.title(), self.section().format(number=number)
        return [
            Report(
                **vars(one), check=f"{name} {one.about}".strip(), title=f"{title} {one.about}".strip(), section=section
            )
            for one in findings
        ]


class Checks(list[Check]):
    """The checks of a part of the installation, in the order of the report, with the heading of their section."""

    def __init__(self, section: Callable[[], str]) -> None:
        super().__init__()
        self.section = section

    def add(self, name: str, title: Callable[[], str], *needs: Need[Any]) -> Callable[[Look], Look]:
        """Register the function below as a check. `needs`: what it reads of the portal's answers."""

        def register(look: Look) -> Look:
            self.append(Check(name, title, self.section, look, needs))
            return look

        return register


def listed(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    shown, rest = ", ".join(names[:MOST_NAMES]), len(names) - MOST_NAMES
    more = ngettext("{names} and {n} more", "{names} and {n} more", rest)
    return more.format(names=shown, n=rest) if rest > 0 else shown
