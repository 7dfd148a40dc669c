"""The shapes of what goes back over HTTP, for `/openapi.json` and the generated pages; the same with `--json`.

They describe and are not built for an answer: the tests compare them with real answers. Keys that are not in every
answer have a default. What is said here is English in every language of b24tools; docs/ru has it in Russian.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel
from typing_extensions import TypeAliasType

from b24tools.core.errors import ErrorCode

TaskOutcome = TypeAliasType(
    "TaskOutcome", Literal["created", "updated", "unchanged", "adopted", "completed", "planned", "failed"]
)
OrderOutcome = TypeAliasType(
    "OrderOutcome", Literal["created", "updated", "unchanged", "completed", "partial", "failed", "planned"]
)
OrderState = TypeAliasType("OrderState", Literal["open", "at_risk", "late", "done"])
HoldUpReason = TypeAliasType(
    "HoldUpReason",
    Literal[
        "away",
        "gone",
        "busy",
        "planned",
        "behind",
        "deferred",
        "outside",
        "moved",
        "given",
        "accepted",
        "missing",
        "unwritten",
        "work",
    ],
)
TaskStatus = TypeAliasType(
    "TaskStatus",
    Literal["new", "pending", "in_progress", "awaits_control", "completed", "deferred", "declined"],
)
PeriodKind = TypeAliasType("PeriodKind", Literal["week", "month", "quarter", "year"])
Ranking = TypeAliasType("Ranking", Literal["tasks", "hours"])
BadgeName = TypeAliasType("BadgeName", Literal["most_improved", "best_week", "helped", "all_on_time", "clean_friday"])
ProducerMode = TypeAliasType("ProducerMode", Literal["polling", "webhook"])
SettingKey = TypeAliasType(
    "SettingKey",
    Literal[
        "producer_mode",
        "hidden_users",
        "opted_out_users",
        "excluded_users",
        "team_goal",
        "snapshot_max_age_h",
        "count_own",
        "doctor_ignore",
    ],
)
EventFate = TypeAliasType("EventFate", Literal["accepted", "ignored_by_mode", "event_ignored"])
EventAccess = TypeAliasType("EventAccess", Literal["Y", "N", "undefined"])
ReadyStatus = TypeAliasType("ReadyStatus", Literal["ready", "failed"])
HealthStatus = TypeAliasType("HealthStatus", Literal["ok", "stale", "failed"])


def about(description: str, **more: Any) -> Any:
    """Describe a field. With a default the key is left out where there is nothing to say."""
    return Field(description=description, **more)


class Shape(BaseModel):
    """What is built only when somebody asks for it: `serve` starts without."""

    model_config = ConfigDict(defer_build=True)


# people, orders


class PersonInCharge(Shape):
    """Who is responsible for a task."""

    id: int = about("The user's id on the portal.")
    name: str = about("First and last name.")


class DepartmentName(Shape):
    """A department of the portal."""

    id: int = about("The department's id on the portal.")
    name: str = about("Its name.")


class OrderName(Shape):
    """An order by its identifier and number."""

    id: str = about("The identifier that 1C sent, in its one spelling.")
    number: str = about("The number that 1C sent.")


class ErrorOfTask(Shape):
    """What happened, its code, and what to do."""

    code: ErrorCode = about("What programs tell errors apart by; the same in every language.")
    message: str = about("What happened, for people, in the language of B24_LANG.")
    hint: str = about("What to do about it; may be empty.")


class AssignedTask(Shape):
    """A line of an order and the task that it became, or would become."""

    position: str = about("The position that does it, as 1C names it.")
    outcome: TaskOutcome = about("What was done with the task.")
    task_id: int | None = about("The task's id on the portal; null: there is none.")
    title: str = about("The title of the task.")
    responsible: PersonInCharge | None = about("Who does it; null where that could not be decided.")
    department: DepartmentName | None = about("The department from which the person was chosen.")
    start: AwareDatetime | None = about("When it begins.")
    end: AwareDatetime | None = about("When it ends.")
    ready: AwareDatetime | None = about("When it will be done; null where that is not known or past.")
    deadline: AwareDatetime | None = about("The deadline of the task.")
    estimate_s: int | None = about("Working time from 1C, in seconds.")
    files: list[str] = about("The names of the files of the order that are attached.")
    warnings: list[str] = about("What a person should know, in the language of B24_LANG.")
    error: ErrorOfTask | None = about("Why it failed, or null.")


class OrderBottleneck(Shape):
    """The operation that takes longest of those that decide when the order is ready; all in working time."""

    position: str = about("The position that does it, as 1C names it.")
    wait_s: int = about("Seconds until somebody has time for it, its plan begins, or the order is accepted.")
    work_s: int = about("Seconds from then to its end.")
    person: str | None = about("The name of whoever has it; with the id where somebody else has the same name.")
    away_until: date | None = about("The last day of an absence that takes half of this time or more.")
    planned_later: bool = about("Whether its person has time for most of that wait, and only its plan is so late.")
    accepted: AwareDatetime | None = about("When the order is accepted, where the wait for that takes longest.")


class AssignedOrder(Shape):
    """An order and what was done for it, or would be."""

    order: OrderName = about("Which order it is.")
    outcome: OrderOutcome = about("What came of its tasks together; `partial`: some of them failed.")
    tasks: list[AssignedTask] = about("Its lines, in the order of 1C.")
    finish: AwareDatetime | None = about("When the last of its open tasks ends.")
    wanted: AwareDatetime | None = about("The end of the wanted day, or the wanted moment.")
    late_s: int = about("By how many seconds that is too late, by the clock.")
    late_work_s: int = about("By how many seconds that is too late, in working time.")
    promise: date | None = about("The earliest day to promise; null where nothing is left to do, or it is not known.")
    bottleneck: OrderBottleneck | None = about("What the order waits for most.")
    warnings: list[str] = about("What a person should know of the whole order; only of `POST /plan`.", default=[])


class OrderAnswer(Shape):
    """What 1C is answered when its orders were taken."""

    message: Literal["ok", "При обновлении задачи произошла ошибка"] = about(
        "`ok`, or that an existing task could not be updated; the same in every language."
    )
    warnings: list[str] = about("What a person should know, in the language of B24_LANG.", default=[])
    orders: list[AssignedOrder] = about("What was done for each line; with `details=1`.", default=[])


class HoldUp(Shape):
    """What an order waits for."""

    position: str = about("The position of the operation; may be empty.")
    person: str | None = about("Whose work it is; with the id where somebody else has the same name.")
    reason: HoldUpReason = about("Why that takes its time.")
    until: date | None = about(
        "The last day of the person's absence, or the day of the acceptance, where that is the reason."
    )


class OrderLine(Shape):
    """A line of an order with its task."""

    position: str = about("The position that does it, as 1C names it.")
    task_id: int | None = about("The task's id on the portal; null: there is none.")
    status: TaskStatus | None = about("As the portal has it; null: there is no task.")
    responsible: PersonInCharge | None = about("Who does it; null: there is no task.")
    start: AwareDatetime | None = about("When it begins by the portal's plan.")
    end: AwareDatetime | None = about("When it ends by the portal's plan.")
    ready: AwareDatetime | None = about("When it will be done; null where that is not known or past.")
    estimate_s: int | None = about("Working time, in seconds, as the portal has it.")
    spent_s: int | None = about("Working time noted on the task, in seconds.")
    closed_at: AwareDatetime | None = about("When it was closed.")
    moved_by_hand: bool = about("Whether somebody has changed who does it or when.")


class OrderStanding(Shape):
    """An order as it stands."""

    id: str = about("The identifier that 1C sent, in its one spelling.")
    number: str = about("The number that 1C sent.")
    customer: str | None = about("Who ordered it.")
    wanted: AwareDatetime | None = about("The end of the wanted day, or the wanted moment.")
    promised_first: date | None = about("The day that was promised when the order was sent first.")
    finish: AwareDatetime | None = about("When it is ready, as it stands today, or was; null where that is not known.")
    late_s: int = about("By how many seconds that is too late, by the clock.")
    done: int = about("How many of its lines are finished.")
    of: int = about("How many lines it has, with those that it had before.")
    state: OrderState = about("Whether it is in time: `open` is.")
    cancelled: bool = about("Whether 1C has cancelled it.")
    holds_up: HoldUp | None = about("What it waits for most; null where that is nothing.")
    changed_at: AwareDatetime | None = about("When its last change was noticed.")
    lines: list[OrderLine] = about("Its lines, in the order of 1C.")


class OrdersAsTheyStand(Shape):
    """The orders, late ones first."""

    cursor: str = about("What to ask with, as `changed_since`, for what changes after this.")
    orders: list[OrderStanding] = about("The orders that were asked for.")
    warnings: list[str] = about("What a person should know; over HTTP, and only where there is anything.", default=[])


# what was closed


class RankingPeriod(Shape):
    """A week or a month."""

    kind: PeriodKind = about("Which of them.")
    label: str = about("Its name: `2026-W47`, `2026-11`, `2026-Q4` or `2026`.")
    from_: AwareDatetime = about("Its first moment.", alias="from")
    to: AwareDatetime = about("The first moment after it.")
    complete: bool = about("False where part of it was never collected.")


class RankingRow(Shape):
    """A person, or with `teams` a department, in the ranking."""

    place: int = about("Who has the same figure has the same place.")
    user_id: int | None = about("The user's id on the portal; null of a department.")
    name: str = about("Of the person, or of the department.")
    department: str | None = about("The department of the person.")
    tasks: int = about("Closed tasks.")
    hours: float = about("Their hours by estimate, to 0.1.")
    on_time: int = about("How many of them were closed by their deadline.")
    on_time_of: int = about("How many of them have a deadline.")
    moved: int | Literal["new"] = about("Places up since the period before; `new`: was not on that board.")
    badges: list[BadgeName] = about("Facts worth naming, two at most; only of a person.", default=[])
    shown: str = about("The name and what tells namesakes apart; only of those, with `details=1`.", default="")
    department_id: int = about("The department's id on the portal; only of a department.", default=0)
    people: int = about("Its active members; only of a department.", default=0)
    per_person: float | None = about(
        "Tasks or hours per member; null where there are none; only of a department.", default=None
    )


class RankingTotals(Shape):
    """The sums of everybody, shown or not."""

    rows: int = about("How many rows there are.")
    tasks: int = about("Closed tasks.")
    hours: float = about("Their hours by estimate, to 0.1.")


class OthersWork(Shape):
    """What people without a row have closed together."""

    tasks: int = about("Closed tasks.")
    hours: float = about("Their hours by estimate.")


class FrozenResults(Shape):
    """A month or a quarter whose results change no more."""

    at: AwareDatetime = about("Since when.")
    rules_differ: bool = about("Whether the rules of today are others than those that it was counted by.")


class CountingRule(Shape):
    """A rule that the leaderboard counts by."""

    rule: Literal["count_own", "lines", "on_time", "opted_out_users", "hidden_users", "seasons", "zone"] = about(
        "What it is about."
    )
    value: str = about("Its value; of lists of people how many they are.")
    text: str = about("The rule in words.")


class WeekFigure(Shape):
    """What a person did in a week."""

    week: str = about("Its name: `2026-W47`.")
    figure: float = about("Tasks or hours, as the ranking goes.")


class OwnStanding(Shape):
    """Where a person stands."""

    user_id: int = about("The user's id on the portal.")
    name: str = about("First and last name.")
    place: int | None = about("The place; null where nothing of the period counts yet.")
    figure: float = about("Tasks or hours, as the ranking goes.")
    next_place: int | None = about("The place before it; null for who is first.")
    missing: float | None = about("How much more it takes to share that place.")
    best: WeekFigure | None = about("The best week so far.")
    trend: list[WeekFigure] = about("Four weeks, the last one of the period's.")


class Benchmarks(Shape):
    """What a place is to be seen beside. Figures are tasks or hours, as the ranking goes; of teams per member."""

    ranked: int = about("How many rows there are, shown or not.")
    median: float | None = about("What the one in the middle has; null without rows.")
    first_quarter: float | None = about("What everybody in the first quarter has at least; null below four rows.")
    me: OwnStanding | None = about("Of the person who was asked for.")


class Named(Shape):
    """A department or a project."""

    id: int = about("The id on the portal.")
    name: str = about("The name; `#` and the id where that is not known.")


class RankingScope(Shape):
    """What was asked for alone."""

    group: Named | None = about("The project; null: all.")
    department: Named | None = about("The department, with all below it; null: all.")


class TeamGoal(Shape):
    """What the team is to close in the period, and what it has closed."""

    unit: Ranking = about("What it counts.")
    per_member: float = about("So much for each member in a week without holidays.")
    target: float = about("What that makes for those who are present on the working days of the period.")
    done: float = about("What is closed.")
    members: int = about("The active members of the team.")
    present: float = about("How many of them are present on an average working day.")


class Leaderboard(Shape):
    """The ranking of a period."""

    period: RankingPeriod = about("What was counted.")
    by: Ranking = about("What the ranking goes by.")
    as_of: AwareDatetime | None = about("The moment that the data are true of; null: there are none.")
    rows: list[RankingRow] = about("The first place first.")
    benchmarks: Benchmarks = about("The median, the first quarter, and the person who was asked for.")
    scope: RankingScope = about("Whose work counts.")
    goal: TeamGoal | None = about("The team's goal; null where `team_goal` is not set, and for a single project.")
    mode: ProducerMode = about("How closed tasks are collected; with `details=1`.", default="polling")
    totals: RankingTotals | None = about("With `details=1`.", default=None)
    others: OthersWork | None = about("Of those who do not want to be named, where they are enough.", default=None)
    frozen: FrozenResults | None = about("Only of a month or a quarter whose results are final.", default=None)


class PeopleNames(RootModel[dict[int, str]]):
    """Names by the user's id."""


class ClosedTasks(RootModel[dict[int, list[int]]]):
    """The ids of closed tasks by the id of who is responsible."""


# the service


class Pong(Shape):
    """That it answers."""

    message: Literal["Pong"] = about("Always this word.")


class Problem(Shape):
    """What went wrong."""

    detail: str = about("What happened, for people, in the language of B24_LANG.")
    code: ErrorCode = about("What programs tell errors apart by; the same in every language.")
    hint: str = about("What to do about it; may be empty.")


class OrderProblem(Problem):
    """What went wrong with orders, and what was done all the same."""

    warnings: list[str] = about("What a person should know, in the language of B24_LANG.", default=[])
    orders: list[AssignedOrder] = about("What was done for each line; with `details=1`.", default=[])


class EventTask(Shape):
    """What an event is about: ids, and nothing else."""

    id: str = about("The task's id; of an event about a comment the comment's.", alias="ID")
    task_id: str = about("Of an event about a comment: the task's id.", alias="TASK_ID", default="")
    message_id: str = about(
        "Of an event about a comment in the task's chat: the message's id.", default="", alias="MESSAGE_ID"
    )


class EventData(Shape):
    """Before and after the change; the portal writes `undefined` where there is nothing."""

    before: EventTask | Literal["undefined"] = about("The task before; of a new one undefined.", alias="FIELDS_BEFORE")
    after: EventTask | Literal["undefined"] = about("The task after; of a deleted one undefined.", alias="FIELDS_AFTER")
    accessible_before: EventAccess = about(
        "Whether it was to be seen before.", default="N", alias="IS_ACCESSIBLE_BEFORE"
    )
    accessible_after: EventAccess = about("Whether it is to be seen now.", default="N", alias="IS_ACCESSIBLE_AFTER")


class EventAuth(Shape):
    """Which portal sends an event, and what proves it."""

    domain: str = about("The portal's host.", default="")
    client_endpoint: str = about("The portal's REST address.", default="")
    server_endpoint: str = about("The REST address of the authorization server.", default="")
    member_id: str = about("The portal's id.", default="")
    application_token: str = about("The token of the outgoing webhook, as BITRIX_OUTGOING_TOKEN has it.")


class PortalEvent(Shape):
    """An event of the portal; of a form, with PHP's brackets in the names: `data[FIELDS_AFTER][ID]`."""

    event: str = about("What happened: ONTASKADD, ONTASKUPDATE, ONTASKDELETE, …")
    event_handler_id: str = about("The id of the outgoing webhook.", default="")
    data: EventData = about("The ids of what has changed.")
    ts: str = about("When it was sent, in seconds since 1970.", default="")
    auth: EventAuth = about("The portal, and the application_token that proves it.")


class Received(Shape):
    """What happens with an event."""

    status: EventFate = about(
        "It will be followed; or it is only stored, because the mode is `polling`; or it is of no kind that counts."
    )


class Setting(Shape):
    """A setting that may change while b24tools runs."""

    key: SettingKey = about("Its name.")
    value: str = about("Its value, as text; lists are ids with commas.")


class Health(Shape):
    """How old everything is. Ages are seconds; null where there is nothing yet."""

    status: HealthStatus = about("`stale`: something is too old; `failed`: something does not work.")
    snapshot_age_s: int | None = about("Since the last complete snapshot began.")
    oldest_event_age_s: int | None = about("How long the oldest event waits.")
    inbox_oldest_age_s: int | None = about(
        "How long the oldest order of an inbox waits; only where `assign --inbox` has one.", default=None
    )
    inbox_failed: int = about("Orders of the inboxes that failed; only where `assign --inbox` has one.", default=0)
    failed_orders: int = about(
        "Orders whose last send failed, in part or whole, or did not end; only once orders were sent.", default=0
    )
    last_intake_age_s: int = about("Since an order or an event came last; only once one came.", default=0)
    problem: str = about("What does not work; only of `failed`.", default="")


class Readiness(Shape):
    """Whether this process can store an order and an event."""

    status: ReadyStatus = about("With `failed` the status is 503.")
    problem: str = about("Why it cannot; only of `failed`.", default="")
