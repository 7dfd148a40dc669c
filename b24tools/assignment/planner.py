"""Plans for the lines of orders: which task is whose, who gets new work, what has to be written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from math import inf
from typing import Any

from b24tools.assignment import recovery
from b24tools.assignment.ledger import UNKNOWN
from b24tools.assignment.named_people import NamedPeople
from b24tools.assignment.plan import (
    ADD,
    COMPLETE,
    DEFER,
    UPDATE,
    Item,
    PlannedTask,
    Rules,
    is_same_value,
    rounded,
    wanted_end,
)
from b24tools.assignment.portal_state import PortalState
from b24tools.assignment.recovery import Todo, may_still_run
from b24tools.assignment.spans import Spans
from b24tools.assignment.staffing import left_of, open_task, workload_of
from b24tools.assignment.waiting import list_staged
from b24tools.bitrix24.org_cache import OrgData
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.models import DONE, Person, Status, Task
from b24tools.core.names import read_visibly, same_name
from b24tools.core.org_structure import Match
from b24tools.onec import order as onec_order
from b24tools.onec import task_fields
from b24tools.scheduling import sequence
from b24tools.scheduling.calendar import Interval, NoWorkingTime, Timeline, WorkCalendar, whole_minute
from b24tools.scheduling.lane import StagedTask
from b24tools.scheduling.tender import Choice
from b24tools.scheduling.workload import Workload
from b24tools.store.orders import LedgerTask, OurTask


@dataclass
class Planner:
    """Plans all orders of a run together: what one line gets, the next one sees taken.

    `our_tasks`, `last_assigned`, `attached`: what the ledger has of them. `pinned`: lines that went to a person outside
    their position. `under_way`: lines whose task the portal may still be making.
    """

    rules: Rules
    company: OrgData
    portal: PortalState
    calendar: WorkCalendar
    now: datetime
    our_tasks: Mapping[int, OurTask]
    last_assigned: Mapping[int, datetime]
    attached: Mapping[tuple[str, str, str], str]
    pinned: Collection[str] = ()
    under_way: Collection[str] = ()
    open_orders: Mapping[str, Sequence[LedgerTask]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.staff = self.company.staff
        self._taken: set[int] = set()
        self._open = {task.id: task for task in self.portal.open}
        self._people = {**self.staff.people, **self.portal.people}
        self._named = NamedPeople(self.staff, self.portal, self._people, self.rules.fallback_user)
        self._workload = workload_of(
            self._people.values(),
            self.portal,
            self.company,
            self.rules,
            self.calendar,
            self.now,
            our_tasks=self.our_tasks,
            last_assigned=self.last_assigned,
        )
        self.spans = Spans(self.rules, self.calendar, self.now, self._workload, self._people, self.portal.absences)

    @property
    def people(self) -> Mapping[int, Person]:
        """Everybody who is known, by id."""
        return self._people

    @property
    def workload(self) -> Workload:
        """The lanes, with what was given out."""
        return self._workload

    def build_plans(self, items: Sequence[Item]) -> list[PlannedTask]:
        """Plan every line. Work is given out order by order: by priority, by the wanted date, as they came.

        Orders that are finished or cancelled come first, and free their people.
        """
        # what is known by id or key is not free to be adopted by title
        self._taken = {task.id for item in items for task in (item.task, *item.others) if task}
        plans: dict[str, PlannedTask] = {}
        orders = [list(lines) for _order_id, lines in groupby(items, key=lambda item: item.order.id)]
        staged = dict(
            zip(self.open_orders, list_staged(self.open_orders.values(), self.portal, self.rules), strict=True)
        )
        self._workload.let_wait(staged.values())
        for lines in sorted(orders, key=lambda lines: _importance(lines[0].order)):
            plans |= self._plan_order(lines)
            staged[lines[0].order.id] = self._list_staged(lines, plans)
            self._workload.let_wait(staged.values())
        return [plans[item.key] for item in items]

    def _plan_order(self, items: Sequence[Item]) -> dict[str, PlannedTask]:
        """Plan the lines of one order, by key, in the sequence of the route."""
        stages = self._stages(items)
        staged = list(zip(stages, items, strict=False))
        left = list(zip(stages[len(items) :], (self.task_left(row) for row in self._rows_left(items)), strict=True))
        plans = {item.key: self._plan(item, [], None) for stage, item in staged if stage is None}
        done: list[tuple[int, PlannedTask]] = []
        ordered = [(stage, item) for stage, item in staged if stage is not None]
        for stage, item in sorted(ordered, key=lambda pair: pair[0]):
            before = [plan for earlier, plan in done if earlier < stage]
            ends = [
                self.spans.end_of_task(task.responsible_id, task.id)
                for earlier, task in left
                if task and earlier is not None and earlier < stage
            ]
            plans[item.key] = self._plan(item, before, max(filter(None, ends), default=None))
            done.append((stage, plans[item.key]))
            for earlier_plan in before:
                _warn_of_overlap(plans, earlier_plan, plans[item.key])
        return plans

    def _rows_left(self, items: Sequence[Item]) -> list[LedgerTask]:
        """The lines that the order has no longer."""
        keys = {item.key for item in items}
        rows = self.open_orders.get(items[0].order.id, ())
        return [row for row in rows if row.key not in keys and self.portal.of_line(row)]

    def _stages(self, items: Sequence[Item]) -> list[int | None]:
        """The stages of an order's lines, and of those that it has no longer."""
        operations = [(self.rules.in_route(item.line.position), item.line.stage) for item in items]
        operations += [(self.rules.in_route(row.position), row.stage) for row in self._rows_left(items)]
        return sequence.stages(operations, self.rules.route)

    def task_left(self, row: LedgerTask) -> Task | None:
        """The open task of a line that its order has no longer, or of an order that is not sent."""
        task = self._open.get(row.task_id or 0)
        return task if task is not None and row.is_carried_by(task.xml_id) else None

    def _list_staged(self, items: Sequence[Item], plans: Mapping[str, PlannedTask]) -> list[StagedTask]:
        """The operations of an order that was planned: the task, or what stands for it in the lane."""
        places: list[tuple[int, int] | None] = []
        for plan in (plans[item.key] for item in items):
            if plan.choice is not None:
                places.append((plan.choice.responsible_id, plan.choice.number))
            else:
                places.append((plan.task.responsible_id, plan.task.id) if plan.task else None)
        for task in map(self.task_left, self._rows_left(items)):
            places.append((task.responsible_id, task.id) if task else None)
        stages, accepted = self._stages(items), items[0].order.accepted
        return [StagedTask(stage, *place, accepted) for stage, place in zip(stages, places, strict=True) if place]

    def _plan(self, item: Item, before: Sequence[PlannedTask], until: datetime | None) -> PlannedTask:
        """Plan a line; `before`: the operations that have to be done first. `until`: when those left of it are done."""
        estimate_s = rounded(item.line.minutes, self.rules.step_s)
        match = self.staff.position(item.line.position, item.order.department, self.rules.excluded)
        not_before, after = self._not_before(item, before, until)
        plan = PlannedTask(
            item,
            estimate_s=estimate_s,
            ordered_s=estimate_s,
            work_s=self.rules.work_s(item.line.position, estimate_s),
            department=match.departments[0] if match.departments else None,
            inside=frozenset(person.id for person in match.people),
            barred=tuple(person.name for person in match.barred),
            nearest=match.nearest,
            not_before=not_before,
            after=after,
        )
        task = item.task or self._by_title(item)
        if task is not None:
            plan = self._plan_existing(plan, task)
            self._workload.hold(task.responsible_id, task.id, not_before)
            return self._warn_of_person(plan, task, match) if task.is_open and not item.order.done else plan
        if item.order.cancelled:
            plan = plan.warn(_("the order is cancelled and has no task for this line: none is made"))
        elif item.order.done:
            plan = plan.warn(_("the order is finished and has no task for this line: nothing to complete"))
        else:
            plan = self._plan_new(plan, match)
        if recovery.decide(item.known, None, under_way=item.key in self.under_way).todo is Todo.LEAVE:
            plan = replace(plan, error=plan.error or may_still_run())
        return plan

    def _not_before(
        self, item: Item, before: Sequence[PlannedTask], until: datetime | None
    ) -> tuple[datetime | None, PlannedTask | None]:
        """When the work may begin at the earliest, and for which operation it waits."""
        earliest, after = max(filter(None, (item.order.accepted, until)), default=None), None
        for plan in before:
            until = self.spans.end_of(plan)
            if until is not None and (earliest is None or until > earliest):
                earliest, after = until, plan
        return earliest, after

    def _left_of(self, task: Task, position: str) -> int:
        """How much work, at rate 1, is left in a task for its person."""
        own, rate = self._workload.calendar_of(task.responsible_id), self._workload.rate_of(task.responsible_id)
        return left_of(task, position, self.portal, self.rules, own, rate, self.now)

    def _by_title(self, item: Item) -> Task | None:
        """A task without a key, made by the system before us or by us on a portal that drops keys."""
        order = item.order
        for task in self.portal.titled.get(order.id, []):
            if task.xml_id or not task.is_open or task.id in self._taken:
                continue
            if read_visibly(task.title) != read_visibly(item.title):
                continue
            if order.date and task.created_at and task.created_at >= order.date:
                return task
        return None

    # existing tasks

    def _plan_existing(self, plan: PlannedTask, task: Task) -> PlannedTask:
        item = plan.item
        order, known = item.order, item.known
        self._taken.add(task.id)
        is_status_changing = (
            known is not None
            and not order.done
            and (order.cancelled or known.sent_values.get("cancelled", False))
            and recovery.is_under_way(known, self.now)
        )
        step = recovery.decide(known, task, compare=item.compare, under_way=is_status_changing)
        plan = replace(
            plan,
            task=task,
            others=item.others,
            is_trusted=step.todo is Todo.CHANGE,
            waits=step.waits,
            responsible=(task.responsible_id, self._name_of(task)),
            start=task.start,
            end=task.end,
            deadline=task.deadline,
            estimate_s=task.estimate_s or plan.ordered_s,
        )
        if step.todo is Todo.LEAVE:
            return replace(plan, error=may_still_run())
        if known:
            plan = replace(
                plan,
                deadline_from_slot=bool(known.sent_values.get("deadline_from_slot")),
                auditor_id=known.sent_values.get("auditor_id"),
            )
        if known and plan.is_trusted:
            plan, sent_s = replace(plan, before=known.sent_values.get("onec", {})), known.estimate_s
        else:
            plan, sent_s = self._with_sent_inferred(plan, task), task.estimate_s
        if order.done:
            self._workload.take_out(task.responsible_id, task.id)
            return plan if task.status == Status.COMPLETED else replace(plan, action=COMPLETE)
        if order.cancelled:
            return self._put_off(plan, task)
        if (pinned := self.rules.pin_for(item.line.position)) and pinned != task.responsible_id:
            plan = plan.warn(_("the task exists: --to does not change who does it"))
        adopts = not task.xml_id and known is None
        changed = {name for name, value in item.values.items() if not is_same_value(name, plan.before.get(name), value)}
        if task.status in DONE:
            if changed and not adopts:
                plan = plan.warn(_("the task is finished on the portal: changes of the order are not written"))
            return plan
        if known and known.task_id and known.task_id != task.id:
            plan = plan.warn(
                _("task {old} is gone from the portal; task {id}, which carries the same key, is taken for it"),
                old=known.task_id,
                id=task.id,
            )
        if task.status == Status.DEFERRED:
            if known and known.sent_values.get("cancelled"):
                plan = replace(plan, renews=True)
                self._workload.put(open_task(task, self._left_of(task, item.line.position), known))
            else:
                plan = plan.warn(
                    _("task {id} is deferred on the portal: renew it there if the work is to go on"), id=task.id
                )
        if adopts:
            plan = replace(plan, action=UPDATE, adopts=True, fields={"XML_ID": item.key})
            if not task_fields.read_description(task.description):  # made by another system, which knew no keys
                return plan
        plan = self._with_changes(plan, task, changed, sent_s)
        attach = [file for file in order.files if not (plan.is_trusted and self._is_attached(item, file))]
        return self._warn_of_differences(replace(plan, attach=tuple(attach)), task, sent_s)

    def _warn_of_differences(self, plan: PlannedTask, task: Task, sent_s: int | None) -> PlannedTask:
        """Say whatever of the order is neither on the task nor written, though it cannot be known who wants it so."""
        if plan.is_trusted:
            if "TIME_ESTIMATE" not in plan.fields and task.estimate_s and task.estimate_s != sent_s:
                return plan.warn(_("the estimate of task {id} was changed on the portal: it was left"), id=task.id)
            return plan
        if task.start is None or task.end is None:
            plan = plan.warn(_("task {id} has no planned time on the portal"), id=task.id)
        wanted = self._wanted_moment(plan.item.order)
        if "DEADLINE" not in plan.fields and wanted and wanted > self.now and task.deadline != wanted:
            return plan.warn(_("the deadline of task {id} is another one than the order's: it was left"), id=task.id)
        return plan

    def _warn_of_person(self, plan: PlannedTask, task: Task, match: Match) -> PlannedTask:
        """Say so where the person of an open task cannot do it as planned, or should perhaps not do it at all."""
        person, known, line = self._people.get(task.responsible_id), plan.item.known, plan.item.line
        if person is None or plan.is_put_off:
            return plan
        if not person.active:
            return plan.warn(
                _("{name} does not work there any more: task {id} waits for somebody else"),
                name=person.name,
                id=task.id,
            )
        if known and same_name(known.position) != same_name(line.position):
            plan = plan.warn(
                _('1C calls the position "{new}" now; the task was given to {name} as "{old}"'),
                new=line.position,
                old=known.position,
                name=person.name,
            )
        elif (
            match.people
            and person.id not in plan.inside | self.rules.excluded
            and known
            and (known.responsible_id, known.key in self.pinned) == (person.id, False)
        ):
            plan = plan.warn(
                _('{name} does not hold the position "{position}" any more'),
                name=person.name,
                position=line.position,
            )
        for away in self._workload.lost_under_absences(person.id, task.id):
            plan = plan.warn(
                _("{name} is away {days}, when the task is planned: it is counted as work after that"),
                name=person.name,
                days=self._days(away),
            )
        return plan

    def _days(self, away: Interval) -> str:
        """Write an absence as its first and last day."""
        first, last = (moment.astimezone(self.rules.zone) for moment in (away[0], away[1] - timedelta(microseconds=1)))
        return f"{first:%d.%m}" if first.date() == last.date() else f"{first:%d.%m}\u2013{last:%d.%m}"

    def _is_attached(self, item: Item, file: onec_order.Attachment) -> bool:
        return self.attached.get((item.key, file.name, file.sha256)) == "done"

    def _with_sent_inferred(self, plan: PlannedTask, task: Task) -> PlannedTask:
        """Infer what 1C sent last from what the task shows; no value where it shows another."""
        order, line = plan.item.order, plan.item.line
        auditor_id = self._named.find_auditor(order)
        plan = replace(
            plan,
            auditor_id=auditor_id if auditor_id in task.auditor_ids else None,
            deadline_from_slot=task.deadline is not None
            and task.deadline == task.end
            and task.deadline != self._wanted_moment(order),
        )
        before: dict[str, Any] = dict(plan.item.values)
        if task.title.strip() != plan.item.title:
            before["title"] = task.title
        if task.estimate_s != plan.ordered_s:
            before["minutes"] = UNKNOWN
        if auditor_id and plan.auditor_id is None:
            before["manager"] = UNKNOWN
        expected = task_fields.description(order, line, self.rules.show_sum)
        described = task_fields.read_description(task.description)
        if described is not None:
            now = task_fields.read_description(expected) or {}
            names = ("customer", "amount", "wanted")
            before |= {name: UNKNOWN for name in names if described.get(name) != now.get(name)}
        elif not task_fields.is_within(expected, task.description):
            plan = plan.warn(
                _("somebody has edited the description of task {id}: it does not say what the order does"), id=task.id
            )
        return replace(plan, before=before)

    def _put_off(self, plan: PlannedTask, task: Task) -> PlannedTask:
        """The order is cancelled: a task that is not begun frees its person's time."""
        if recovery.is_unbegun(task):
            self._workload.take_out(task.responsible_id, task.id)
            return replace(plan, action=DEFER)
        if task.is_open and task.status != Status.DEFERRED:
            return plan.warn(
                _("the order is cancelled, but {name} has begun task {id}: it was left"),
                name=self._name_of(task),
                id=task.id,
            )
        return plan

    def _with_changes(self, plan: PlannedTask, task: Task, changed: set[str], sent_s: int | None) -> PlannedTask:
        item, order, fields = plan.item, plan.item.order, dict(plan.fields)
        unsure = {name for name in changed if plan.before.get(name) == UNKNOWN}  # an update may be under way
        if "title" in changed and (task.title != item.title or "title" in unsure):
            fields["TITLE"] = item.title
        if "minutes" in changed and plan.ordered_s != sent_s:
            fields["TIME_ESTIMATE"] = plan.ordered_s
            plan = self._with_end_moved(replace(plan, estimate_s=plan.ordered_s), task, fields)
        if "wanted" in changed:
            deadline, is_from_slot = self._deadline(order, plan.end)
            plan = self._warn_of_passed_date(plan) if is_from_slot else plan
            plan = replace(plan, deadline=deadline, deadline_from_slot=is_from_slot)
            fields["DEADLINE"] = self._text(deadline)
        described = {"customer", "wanted", "amount"} if self.rules.show_sum else {"customer", "wanted"}
        if changed & described:
            fields["DESCRIPTION"] = task_fields.description(order, item.line, self.rules.show_sum)
        if "department" in changed and self.portal.owner.admin:
            creator = self._named.find_creator(order)
            if creator and (creator != task.created_by or "department" in unsure):
                fields["CREATED_BY"] = creator
        if "manager" in changed:
            others = [user_id for user_id in task.auditor_ids if user_id != plan.auditor_id]
            plan = replace(plan, auditor_id=self._named.find_auditor(order))
            auditors = list(dict.fromkeys([*others, *([plan.auditor_id] if plan.auditor_id else [])]))
            if auditors != list(task.auditor_ids) or ("manager" in unsure and plan.is_trusted):
                fields["AUDITORS"] = auditors
        if "DEADLINE" in fields and not self.portal.owner.admin:
            fields["DEADLINE_CHANGE_REASON"] = "Изменено в 1С"  # a portal may demand one
        return replace(plan, fields=fields, action=UPDATE) if fields else plan

    def _with_end_moved(self, plan: PlannedTask, task: Task, fields: dict[str, Any]) -> PlannedTask:
        """New minutes keep the start and move the end; who does it stays."""
        if task.start is None:
            return plan
        try:
            if task.responsible_id in self._people:
                left_s = self._left_of(replace(task, estimate_s=plan.estimate_s), plan.item.line.position)
                is_laid = self._workload.find(task.responsible_id, task.id) is not None
                with nullcontext() if is_laid else self._workload.trial():  # put off, or outside: it takes no time
                    end, meets = self._workload.extend(task.responsible_id, task.start, plan.work_s, task.id, left_s)
            else:
                end, meets = Timeline(self.calendar, (), task.start).end_at(plan.work_s), False
        except NoWorkingTime as error:
            return plan.warn(str(error))
        if meets:
            plan = plan.warn(_("with the new time it meets the next work of {name}"), name=self._name_of(task))
        known = plan.item.known
        if plan.deadline_from_slot and task.deadline == (known.deadline if known else task.end):
            plan = replace(plan, deadline=end)
            fields["DEADLINE"] = self._text(end)
        fields["START_DATE_PLAN"] = self._text(task.start)  # one of the two alone would blank the other
        fields["END_DATE_PLAN"] = self._text(end)
        return replace(plan, end=end)

    # new tasks

    def _plan_new(self, plan: PlannedTask, match: Match) -> PlannedTask:
        item = plan.item
        if item.known and item.known.task_id and item.known.state == "done":
            plan = plan.warn(_("task {id} was deleted on the portal: created again"), id=item.known.task_id)
        try:
            plan, choice = self._choose(plan, match)
        except errors.B24ToolsError as error:
            return replace(plan, error=error)
        except NoWorkingTime as error:
            hint = _("Look at the portal's work schedule and the absences.")
            return replace(plan, error=errors.B24ToolsError(str(error), hint))
        deadline, is_from_slot = self._deadline(item.order, choice.finish)
        plan = self._warn_of_passed_date(plan) if is_from_slot else plan
        winner = next(candidate for candidate in choice.candidates if candidate.chosen)
        worked = self._workload.usual_line(winner.id, self.now).worked
        for away in winner.absent:
            if choice.start < away[0] and away[1] < choice.finish and worked(away[0]) < worked(away[1]):
                plan = plan.warn(_("the work is torn: {name} is away {days}"), name=winner.name, days=self._days(away))
        project_end = self.portal.project_end
        if project_end and choice.finish > project_end + timedelta(days=1):
            plan = plan.warn(
                _("the plan ends after the project, which ends on {date}: move its end in Bitrix24"),
                date=f"{project_end:%d.%m.%Y}",
            )
        creator = self._named.find_creator(item.order)
        auditor_id = self._named.find_auditor(item.order)
        fields: dict[str, Any] = {
            "TITLE": item.title,
            "XML_ID": item.key,
            "CREATED_BY": creator,
            "RESPONSIBLE_ID": choice.responsible_id,
            "START_DATE_PLAN": self._text(choice.start),
            "END_DATE_PLAN": self._text(choice.finish),
            "DEADLINE": self._text(deadline),
            "TIME_ESTIMATE": plan.estimate_s,
            "ALLOW_TIME_TRACKING": "Y",
            "TASK_CONTROL": "N",
            "DESCRIPTION": task_fields.description(item.order, item.line, self.rules.show_sum),
        }
        if auditor_id:
            fields["AUDITORS"] = [auditor_id]
        problem = None
        if creator is None:
            problem = errors.B24ToolsError(
                _(
                    "no person can be the creator of the task: the webhook's owner is no employee of the portal any "
                    "more"
                ),
                _("Create the webhook anew as an active administrator, or set B24_FALLBACK_USER."),
            )
        return replace(
            plan,
            action=ADD,
            choice=choice,
            responsible=(choice.responsible_id, self._people[choice.responsible_id].name),
            start=choice.start,
            end=choice.finish,
            deadline=deadline,
            deadline_from_slot=is_from_slot,
            auditor_id=auditor_id,
            fields=fields,
            error=problem,
        )

    def _choose(self, plan: PlannedTask, match: Match) -> tuple[PlannedTask, Choice]:
        position = plan.item.line.position
        not_before = plan.not_before
        ids = [person.id for person in match.people]
        pinned = self.rules.pin_for(position)
        if pinned is not None:
            self._named.find_active(pinned, _("--to {position}={id}").format(position=position, id=pinned))
            return plan, self._workload.pin(pinned, plan.work_s, not_before, ids)
        if ids:
            return plan, self._workload.choose(ids, plan.work_s, not_before)
        fallback = self.rules.fallback_user
        problem = self._named.describe_vacancy(position, match)
        if fallback is None:
            hint = _("Name the department as the position, or in people.json (positions), or set B24_FALLBACK_USER.")
            if match.barred or same_name(position) in self.staff.positions.departments:
                hint = _("Correct people.json, or set B24_FALLBACK_USER to the id of who gets such work.")
            raise errors.B24ToolsError(problem, hint)
        name = self._named.find_active(fallback, f"B24_FALLBACK_USER={fallback}").name
        choice = replace(self._workload.choose([fallback], plan.work_s, not_before), reason="fallback")
        return plan.warn(_("{problem}: given to {name}"), problem=problem, name=name), choice

    def _deadline(self, order: onec_order.Order, slot_end: datetime | None) -> tuple[datetime | None, bool]:
        """The wanted date; if that has passed, or there is none, the end of the slot. Whether it is the latter."""
        wanted = self._wanted_moment(order)
        return (wanted, False) if wanted is not None and wanted > self.now else (slot_end, True)

    def _warn_of_passed_date(self, plan: PlannedTask) -> PlannedTask:
        wanted = plan.item.order.wanted
        if wanted is None:
            return plan
        return plan.warn(
            _("the wanted date {date} has passed: the deadline is the end of the plan"), date=f"{wanted:%d.%m.%Y}"
        )

    def _wanted_moment(self, order: onec_order.Order) -> datetime | None:
        """The wanted moment, without seconds, as the portal has it; of a bare date the end of the last working day."""
        if order.wanted is None:
            return None
        wanted = order.wanted
        if order.wanted_is_day:
            try:
                wanted = self.calendar.end_of_working_day(wanted.date())
            except NoWorkingTime:
                wanted = wanted_end(order) or wanted
        return whole_minute(wanted.astimezone(UTC))

    def list_unmatched(self, order: onec_order.Order) -> list[str]:
        """Say which department or person the order names without meaning one that is on the portal."""
        return self._named.list_unmatched(order)

    def _name_of(self, task: Task) -> str:
        person = self._people.get(task.responsible_id)
        return person.name if person else task.responsible_name or f"#{task.responsible_id}"

    def _text(self, moment: datetime | None) -> str:
        """A date for the portal: with an offset, because without one it would mean the server's zone."""
        return "" if moment is None else moment.astimezone(self.rules.zone).isoformat(timespec="seconds")


def _importance(order: onec_order.Order) -> tuple[bool, float, datetime]:
    """What orders are sorted by: whether they give out work, priority (1 first, none last), wanted date (none last)."""
    return (
        not (order.done or order.cancelled),
        order.priority or inf,
        wanted_end(order) or datetime.max.replace(tzinfo=UTC),
    )


def _warn_of_overlap(plans: dict[str, PlannedTask], before: PlannedTask, after: PlannedTask) -> None:
    """Say so where an operation of the route will begin before the one it needs is done, or may do so."""
    if after.action == ADD and after.error is None and before.error is not None:
        plans[after.item.key] = plans[after.item.key].warn(
            _('the operation before it, "{position}", has no plan: it is not waited for'),
            position=before.item.line.position,
        )
    moved = before.end if "END_DATE_PLAN" in before.fields else None
    if moved and after.task is not None and after.task.is_open and after.start is not None and after.start < moved:
        plans[before.item.key] = plans[before.item.key].warn(
            _('it now ends after the next operation, "{position}", begins'), position=after.item.line.position
        )
