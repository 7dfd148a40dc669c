"""Drafts for the lines of orders: which task is whose, who gets new work, what has to be written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from b24tools.assignment import report
from b24tools.assignment.delivery_estimate import promise_of
from b24tools.assignment.ledger import UNKNOWN
from b24tools.assignment.plan import (
    ADD,
    COMPLETE,
    DEFER,
    DONE,
    UPDATE,
    Draft,
    Item,
    Rules,
    rounded,
    surname_of,
    wanted_end,
)
from b24tools.assignment.portal_state import PortalState
from b24tools.assignment.recovery import EXECUTES_S, is_unbegun, may_still_run
from b24tools.assignment.workers import workload_of
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.models import Person, Status, Task
from b24tools.core.org_structure import Match, Staff, matches_person
from b24tools.onec import order as onec_order
from b24tools.scheduling import sequence
from b24tools.scheduling.calendar import NoWorkingTime, Timeline, WorkCalendar
from b24tools.scheduling.workload import Choice, remaining_s


class Drafter:
    """Drafts all orders of a run together: what one line gets, the next one sees taken."""

    def __init__(
        self,
        rules: Rules,
        staff: Staff,
        portal: PortalState,
        calendar: WorkCalendar,
        now: datetime,
        *,
        found: Mapping[str, Task],
        others: Mapping[str, Sequence[Task]],
        our_tasks: Iterable[int],
        last_assigned: Mapping[int, datetime],
        attached: Mapping[tuple[str, str, str], str],
    ) -> None:
        self._found = found
        self._others = others
        self._rules = rules
        self._staff = staff
        self._portal = portal
        self._calendar = calendar
        self._now = now
        self._attached = attached
        self._taken: set[int] = set()
        self._people = {**staff.people, **portal.people}
        self._workload = workload_of(
            self._people.values(),
            portal,
            calendar,
            now,
            our_tasks=our_tasks,
            last_assigned=last_assigned,
            step_s=rules.step_s,
        )

    def draft(self, items: Sequence[Item]) -> list[Draft]:
        """A draft for every line, in the order in which work is given out."""
        # what is known by id or key is not free to be adopted by title
        self._taken = {task.id for tasks in (self._found.values(), *self._others.values()) for task in tasks}
        drafts: dict[str, Draft] = {}
        for _order_id, lines in groupby(items, key=lambda item: item.order.id):
            drafts |= self._draft_order(list(lines))
        return [drafts[item.key] for item in items]

    def _draft_order(self, items: Sequence[Item]) -> dict[str, Draft]:
        """The lines of one order, by key, drafted in the sequence of the route."""
        operations = [(item.line.position, item.line.stage) for item in items]
        staged = list(zip(sequence.stages(operations, self._rules.route), items, strict=True))
        drafts = {item.key: self._draft(item, []) for stage, item in staged if stage is None}
        done: list[tuple[int, Draft]] = []
        ordered = [(stage, item) for stage, item in staged if stage is not None]
        for stage, item in sorted(ordered, key=lambda one: one[0]):
            before = [draft for earlier, draft in done if earlier < stage]
            draft = drafts[item.key] = self._draft(item, before)
            done.append((stage, draft))
            for earlier in before:
                _warn_of_overlap(earlier, draft)
        return drafts

    def ends(self, draft: Draft) -> datetime | None:
        """When its work is done at the earliest; None for finished, failed and unplanned work.

        A task that is behind its plan, or that cannot keep it because the operation before it is behind, ends
        when what is left of it is worked.
        """
        task = draft.task
        if draft.error is not None or draft.action == COMPLETE or draft.is_put_off:
            return None
        if task is not None and task.status in DONE:
            return None
        end, held_up = draft.end, _is_held_up(draft)
        if task is None or (end is not None and end > self._now and not held_up):
            return end
        left_s = remaining_s(draft.estimate_s, task.spent_s, self._rules.step_s)
        try:
            until = self._workload.rest_ends(task.responsible_id, left_s, draft.not_before if held_up else None)
        except NoWorkingTime:
            return None
        return max(until, end or until)

    def promise(self, order: onec_order.Order, drafts: Sequence[Draft]) -> report.Promise | None:
        """What may be promised of the order whose drafts these are."""
        ends = {draft.item.key: until for draft in drafts if (until := self.ends(draft))}
        return promise_of(order, drafts, ends, self._calendar, self._now, self._rules.step_s)

    def _draft(self, item: Item, before: Sequence[Draft]) -> Draft:
        """The draft of a line; `before`: the operations that have to be done first."""
        estimate_s = rounded(item.line.minutes, self._rules.step_s)
        draft = Draft(item, estimate_s=estimate_s, ordered_s=estimate_s)
        draft.task = self._found.get(item.key) or self._by_title(item)
        match = self._staff.position(item.line.position, item.order.department, self._rules.excluded)
        draft.department = match.departments[0] if match.departments else None
        draft.inside = frozenset(person.id for person in match.people)
        draft.nearest = match.nearest
        draft.not_before, draft.after = self._not_before(item, before)
        if draft.task is not None:
            self._taken.add(draft.task.id)
            draft.others = list(self._others.get(item.key, ()))
            self._keep(draft)
        elif item.order.cancelled:
            draft.warnings.append(_("the order is cancelled and has no task for this line: none is made"))
        elif item.order.done:
            draft.warnings.append(_("the order is finished and has no task for this line: nothing to complete"))
        else:
            self._give_out(draft, match)
        return draft

    def _not_before(self, item: Item, before: Sequence[Draft]) -> tuple[datetime | None, Draft | None]:
        """When the work may begin at the earliest, and for which operation it waits."""
        earliest, after = item.order.accepted, None
        for draft in before:
            until = self.ends(draft)
            if until is not None and (earliest is None or until > earliest):
                earliest, after = until, draft
        return earliest, after

    # finding

    def _by_title(self, item: Item) -> Task | None:
        """A task without a key, made by the system before us or by us on a portal that drops keys."""
        order = item.order
        for task in self._portal.titled.get(order.id, []):
            if task.xml_id or not task.is_open or task.id in self._taken or task.title.strip() != item.title:
                continue
            if order.date and task.created_at and task.created_at >= order.date:
                return task
        return None

    # existing tasks

    def _keep(self, draft: Draft) -> None:
        task, item = draft.task, draft.item
        assert task is not None  # noqa: S101 - the caller found it
        draft.responsible = (task.responsible_id, self._name_of(task))
        draft.start, draft.end, draft.deadline = task.start, task.end, task.deadline
        draft.estimate_s = task.estimate_s or draft.ordered_s
        is_trusted = item.is_trusted(task)
        if item.known:
            draft.deadline_from_slot = bool(item.known.sent_values.get("deadline_from_slot"))
            draft.auditor_id = item.known.sent_values.get("auditor_id")
        sent = item.known.sent_values.get("onec", {}) if item.known and is_trusted else None
        draft.before = self._infer_sent(draft, task) if sent is None else sent
        if item.order.done:
            if task.status != Status.COMPLETED:
                draft.action, draft.outcome = COMPLETE, "completed"
            return
        if self._is_being_put_off(item):
            draft.fail(may_still_run())
            return
        if item.order.cancelled:
            self._put_off(draft, task)
            return
        if (pinned := self._rules.pin_for(item.line.position)) and pinned != task.responsible_id:
            draft.warnings.append(_("the task exists: --to does not change who does it"))
        adopting = not task.xml_id and item.known is None
        changed = {name for name, value in item.values.items() if draft.before.get(name) != value}
        if task.status in DONE:
            if changed and not adopting:
                draft.warnings.append(_("the task is finished on the portal: changes of the order are not written"))
            return
        if item.known and item.known.task_id and item.known.task_id != task.id:
            draft.warnings.append(
                _("task {old} is gone from the portal; task {id}, which carries the same key, is taken for it").format(
                    old=item.known.task_id, id=task.id
                )
            )
        if task.status == Status.DEFERRED:
            self._take_up(draft)
        if adopting and not onec_order.read_description(task.description):  # made by another system, which knew no keys
            draft.action, draft.outcome = UPDATE, "adopted"
            draft.fields["XML_ID"] = item.key
            return
        sent_s = item.known.estimate_s if item.known and is_trusted else task.estimate_s
        self._update(draft, task, changed, sent_s)
        self._say_what_differs(draft, task, is_trusted, sent_s)
        draft.attach = [file for file in item.order.files if not (is_trusted and self._is_attached(item, file))]
        if item.known and is_trusted and draft.attach and draft.outcome == report.CHANGED_NOTHING:
            draft.outcome = "updated"
        if adopting:  # made by us, on a portal that drops keys
            draft.action, draft.outcome = UPDATE, "adopted"
            draft.fields["XML_ID"] = item.key

    def _say_what_differs(self, draft: Draft, task: Task, is_trusted: bool, sent_s: int | None) -> None:
        """Whatever of the order is neither on the task nor written, though nobody can tell who wants it so."""
        if is_trusted:
            if "TIME_ESTIMATE" not in draft.fields and task.estimate_s and task.estimate_s != sent_s:
                draft.warnings.append(
                    _("the estimate of task {id} was changed on the portal: it was left").format(id=task.id)
                )
            return
        if task.start is None or task.end is None:
            draft.warnings.append(_("task {id} has no planned time on the portal").format(id=task.id))
        wanted = self._wanted_moment(draft.item.order)
        if "DEADLINE" not in draft.fields and wanted and wanted > self._now and task.deadline != wanted:
            draft.warnings.append(
                _("the deadline of task {id} is another one than the order's: it was left").format(id=task.id)
            )

    def _is_attached(self, item: Item, file: onec_order.Attachment) -> bool:
        return self._attached.get((item.key, file.name, file.sha256)) == "done"

    def _infer_sent(self, draft: Draft, task: Task) -> dict[str, Any]:
        """What 1C sent last, as the task itself shows it; no value where it shows another."""
        order, line = draft.item.order, draft.item.line
        auditor_id = self._auditor(order)
        draft.auditor_id = auditor_id if auditor_id in task.auditor_ids else None
        wanted = self._wanted_moment(order)
        draft.deadline_from_slot = task.deadline is not None and task.deadline == task.end and task.deadline != wanted
        before: dict[str, Any] = dict(draft.item.values)
        if task.title.strip() != draft.item.title:
            before["title"] = task.title
        if task.estimate_s != rounded(line.minutes, self._rules.step_s):
            before["minutes"] = UNKNOWN
        if auditor_id and draft.auditor_id is None:
            before["manager"] = UNKNOWN
        described = onec_order.read_description(task.description)
        if described is None:
            if not onec_order.is_within(onec_order.description(order, line, self._rules.show_sum), task.description):
                draft.warnings.append(
                    _("somebody has edited the description of task {id}: it does not say what the order does").format(
                        id=task.id
                    )
                )
        else:
            now = onec_order.read_description(onec_order.description(order, line, self._rules.show_sum)) or {}
            before |= {
                name: UNKNOWN for name in ("customer", "amount", "wanted") if described.get(name) != now.get(name)
            }
        return before

    def _put_off(self, draft: Draft, task: Task) -> None:
        """The order is cancelled: a task that nobody has begun frees its person's time."""
        if is_unbegun(task):
            draft.action, draft.outcome = DEFER, "updated"
        elif task.is_open and task.status != Status.DEFERRED:
            draft.warnings.append(
                _("the order is cancelled, but {name} has begun task {id}: it was left").format(
                    name=self._name_of(task), id=task.id
                )
            )

    def _is_being_put_off(self, item: Item) -> bool:
        """Whether the portal may still be deferring or renewing the task: its status says nothing yet."""
        known = item.known
        if known is None or known.writing_since is None:
            return False
        concerned = item.order.cancelled or bool(known.sent_values.get("cancelled"))
        return concerned and self._now < known.writing_since + timedelta(seconds=EXECUTES_S)

    def _take_up(self, draft: Draft) -> None:
        """The task was put off: by us, as the order was cancelled, or by a person."""
        known = draft.item.known
        if known and known.sent_values.get("cancelled"):
            draft.renews, draft.outcome = True, "updated"
        else:
            draft.warnings.append(
                _("task {id} is deferred on the portal: renew it there if the work is to go on").format(
                    id=draft.task.id if draft.task else 0
                )
            )

    def _update(self, draft: Draft, task: Task, changed: set[str], sent_s: int | None) -> None:
        item, order, fields = draft.item, draft.item.order, draft.fields
        unsure = {name for name in changed if draft.before.get(name) == UNKNOWN}  # an update may be under way
        if "title" in changed and (task.title != item.title or "title" in unsure):
            fields["TITLE"] = item.title
        if "minutes" in changed and draft.ordered_s != sent_s:
            fields["TIME_ESTIMATE"] = draft.estimate_s = draft.ordered_s
            self._move_end(draft, task)
        if "wanted" in changed:
            self._set_deadline(draft, draft.end)
            fields["DEADLINE"] = self._text(draft.deadline)
        described = {"customer", "wanted", "amount"} if self._rules.show_sum else {"customer", "wanted"}
        if changed & described:
            fields["DESCRIPTION"] = onec_order.description(order, item.line, self._rules.show_sum)
        if "department" in changed and self._portal.owner.admin:
            creator = self._creator(order)
            if creator and (creator != task.created_by or "department" in unsure):
                fields["CREATED_BY"] = creator
        if "manager" in changed:
            others = [one for one in task.auditor_ids if one != draft.auditor_id]
            draft.auditor_id = self._auditor(order)
            auditors = list(dict.fromkeys([*others, *([draft.auditor_id] if draft.auditor_id else [])]))
            if auditors != list(task.auditor_ids) or ("manager" in unsure and item.is_trusted(task)):
                fields["AUDITORS"] = auditors
        if "DEADLINE" in fields and not self._portal.owner.admin:
            fields["DEADLINE_CHANGE_REASON"] = "Изменено в 1С"  # a portal may demand one
        if fields:
            draft.action, draft.outcome = UPDATE, "updated"

    def _move_end(self, draft: Draft, task: Task) -> None:
        """New minutes keep the start and move the end; who does it stays."""
        if task.start is None:
            return
        try:
            if task.responsible_id in self._people:
                end, meets = self._workload.extend(task.responsible_id, task.start, draft.estimate_s, task.id)
            else:
                end, meets = Timeline(self._calendar, (), task.start).end_at(draft.estimate_s), False
        except NoWorkingTime as error:
            draft.warnings.append(str(error))
            return
        if meets:
            draft.warnings.append(
                _("with the new time it meets the next work of {name}").format(name=self._name_of(task))
            )
        known = draft.item.known
        if draft.deadline_from_slot and task.deadline == (known.deadline if known else task.end):
            draft.deadline = end
            draft.fields["DEADLINE"] = self._text(end)
        draft.end = end
        draft.fields["START_DATE_PLAN"] = self._text(task.start)  # one of the two alone would blank the other
        draft.fields["END_DATE_PLAN"] = self._text(end)

    # new tasks

    def _give_out(self, draft: Draft, match: Match) -> None:
        item = draft.item
        if item.known and item.known.task_id and item.known.state == "done":
            draft.warnings.append(_("task {id} was deleted on the portal: created again").format(id=item.known.task_id))
        try:
            draft.choice = self._choose(draft, match)
        except errors.B24ToolsError as error:
            draft.fail(error)
            return
        except NoWorkingTime as error:
            draft.fail(errors.B24ToolsError(str(error), _("Look at the portal's work schedule and the absences.")))
            return
        choice = draft.choice
        draft.responsible = (choice.responsible_id, self._people[choice.responsible_id].name)
        draft.start, draft.end = choice.start, choice.finish
        self._set_deadline(draft, choice.finish)
        creator = self._creator(item.order)
        if creator is None:
            draft.fail(_no_creator())
            return
        draft.action, draft.outcome = ADD, "created"
        draft.auditor_id = self._auditor(item.order)
        draft.fields = self._new_fields(draft, creator)

    def _choose(self, draft: Draft, match: Match) -> Choice:
        position = draft.item.line.position
        not_before = draft.not_before
        ids = [person.id for person in match.people]
        pinned = self._rules.pin_for(position)
        if pinned is not None:
            self._active(pinned, _("--to {position}={id}").format(position=position, id=pinned))
            return self._workload.pin(pinned, draft.estimate_s, not_before, ids)
        if ids:
            return self._workload.choose(ids, draft.estimate_s, not_before)
        fallback = self._rules.fallback_user
        problem = self._nobody(position, match)
        if fallback is None:
            raise errors.B24ToolsError(
                problem,
                _("Name the department as the position, or set B24_FALLBACK_USER to the id of who gets such work."),
            )
        name = self._active(fallback, f"B24_FALLBACK_USER={fallback}").name
        draft.warnings.append(_("{problem}: given to {name}").format(problem=problem, name=name))
        choice = self._workload.choose([fallback], draft.estimate_s, not_before)
        return Choice(choice.responsible_id, choice.start, choice.finish, "fallback", choice.candidates)

    def _nobody(self, position: str, match: Match) -> str:
        if match.departments:
            return _('nobody active works in the department "{name}"').format(name=match.departments[0].name)
        root = self._staff.departments[self._staff.root_id].name
        problem = _('there is no department "{name}" under "{root}"').format(name=position, root=root)
        if match.nearest:
            problem += _(' (the nearest name is "{nearest}")').format(nearest=match.nearest)
        return problem

    def _active(self, user_id: int, source: str) -> Person:
        person = self._people.get(user_id)
        if person is None or not person.active:
            raise errors.B24ToolsError(
                _("{source}: the portal has no active employee {id}").format(source=source, id=user_id),
                _("Give the id from the address of the person's profile page."),
            )
        return person

    def _new_fields(self, draft: Draft, creator: int) -> dict[str, Any]:
        item = draft.item
        fields: dict[str, Any] = {
            "TITLE": item.title,
            "XML_ID": item.key,
            "CREATED_BY": creator,
            "RESPONSIBLE_ID": draft.responsible[0] if draft.responsible else 0,
            "START_DATE_PLAN": self._text(draft.start),
            "END_DATE_PLAN": self._text(draft.end),
            "DEADLINE": self._text(draft.deadline),
            "TIME_ESTIMATE": draft.estimate_s,
            "ALLOW_TIME_TRACKING": "Y",
            "TASK_CONTROL": "N",
            "DESCRIPTION": onec_order.description(item.order, item.line, self._rules.show_sum),
        }
        if draft.auditor_id:
            fields["AUDITORS"] = [draft.auditor_id]
        return fields

    def _set_deadline(self, draft: Draft, slot_end: datetime | None) -> None:
        order = draft.item.order
        wanted = self._wanted_moment(order)
        if wanted is not None and wanted > self._now:
            draft.deadline, draft.deadline_from_slot = wanted, False
            return
        if order.wanted is not None:
            draft.warnings.append(
                _("the wanted date {date} has passed: the deadline is the end of the plan").format(
                    date=order.wanted.strftime("%d.%m.%Y")
                )
            )
        draft.deadline, draft.deadline_from_slot = slot_end, True

    def _wanted_moment(self, order: onec_order.Order) -> datetime | None:
        """The wanted moment; of a bare date the end of that working day, or of the last one before."""
        if order.wanted is None:
            return None
        wanted = order.wanted
        if order.wanted_is_day:
            try:
                wanted = self._calendar.end_of_working_day(wanted.date())
            except NoWorkingTime:
                wanted = wanted_end(order) or wanted
        return wanted.astimezone(UTC)

    def _creator(self, order: onec_order.Order) -> int | None:
        """The head of the order's department, else the webhook's owner, else B24_FALLBACK_USER.

        Only an administrator may name another creator than himself. A webhook that has outlived its owner belongs to a
        system user whom `user.get` does not show: what he creates would belong to no person.
        """
        owner = self._portal.owner
        if not owner.admin:
            return owner.id
        department = self._staff.department_named(order.department) if order.department else None
        ids = (department.head_id if department else None, owner.id, self._rules.fallback_user)
        people = (self._people.get(one) for one in ids if one)
        return next((person.id for person in people if person and person.active), None)

    def _auditor(self, order: onec_order.Order) -> int | None:
        if not order.manager:
            return None
        namesakes = self._portal.surnames.get(surname_of(order.manager), [])
        found = [one for one in namesakes if one.active and matches_person(order.manager, one)]
        return found[0].id if len(found) == 1 else None

    def _name_of(self, task: Task) -> str:
        person = self._people.get(task.responsible_id)
        return person.name if person else task.responsible_name or f"#{task.responsible_id}"

    def _text(self, moment: datetime | None) -> str:
        """A date for the portal: with an offset, because without one it would mean the server's zone."""
        return "" if moment is None else moment.astimezone(self._rules.zone).isoformat(timespec="seconds")


def _no_creator() -> errors.B24ToolsError:
    return errors.B24ToolsError(
        _("no person can be the creator of the task: the webhook's owner is no employee of the portal any more"),
        _("Create the webhook anew as an active administrator, or set B24_FALLBACK_USER."),
    )


def _is_held_up(draft: Draft) -> bool:
    """Whether its task, begun by nobody, has to wait for the operation before it, whatever the plan says."""
    if draft.after is None or draft.not_before is None or draft.task is None:
        return False
    return draft.task.status != Status.IN_PROGRESS and (draft.start is None or draft.start < draft.not_before)


def _warn_of_overlap(before: Draft, after: Draft) -> None:
    """Say so where an operation of the route will begin before the one it needs is done, or may do so."""
    if after.action == ADD and before.error is not None:
        after.warnings.append(
            _('the operation before it, "{position}", has no plan: it is not waited for').format(
                position=before.item.line.position
            )
        )
    moved = before.end if "END_DATE_PLAN" in before.fields else None
    if moved and after.task is not None and after.task.is_open and after.start is not None and after.start < moved:
        before.warnings.append(
            _('it now ends after the next operation, "{position}", begins').format(position=after.item.line.position)
        )
