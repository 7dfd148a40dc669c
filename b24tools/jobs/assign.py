"""The whole of `assign`: read, draft, write, report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from b24tools.assignment import portal_state
from b24tools.assignment.apply import Writer
from b24tools.assignment.files import Files, files_of
from b24tools.assignment.matching import items_of, match_tasks, settle_keys, was_written_elsewhere
from b24tools.assignment.plan import DEFER, DONE, Draft, Item, Rules, late_from, rounded, surname_of, wanted_end
from b24tools.assignment.planner import Drafter
from b24tools.assignment.portal_state import UNKNOWN_PERSON_TASKS, Portal, Questions, TitleQuestion
from b24tools.assignment.recovery import CLOCKS_APART, EXECUTES_S, find_lost, latest, may_still_run
from b24tools.assignment.report import CHANGED_NOTHING, COMPLETED, OrderResult, TaskResult, outcome_of
from b24tools.assignment.staffing import not_known, unchecked_years, working_hours
from b24tools.assignment.tools import Tools
from b24tools.bitrix24.org_cache import Company
from b24tools.bitrix24.queries import methods
from b24tools.core import clock, errors
from b24tools.core.i18n import _
from b24tools.core.models import Person, Task
from b24tools.core.org_structure import Staff, nearest_name, same_name
from b24tools.onec import order as onec_order
from b24tools.scheduling.calendar import WorkCalendar
from b24tools.store.orders import LedgerTask

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)  # what a stamp from the future counts as
NOTICEABLE_SKEW = timedelta(minutes=5)


def orders(
    batch: Sequence[onec_order.Order], tools: Tools, rules: Rules, *, dry_run: bool = False
) -> list[OrderResult]:
    """Plan all orders together and write them; one result per order, in their sequence.

    Raises PortalError or ConfigError when nothing could be planned; what fails later is in the results.
    With `dry_run` nothing is written to the portal (nor to the database, which the caller opens for a dry run).
    """
    results: list[OrderResult] = []
    with tools.lock:  # once: it is taken before anything is read that another run may be changing
        for one_round in _rounds(batch):
            results += _Run(one_round, tools, rules, dry_run=dry_run, warnings=_idle_pins(batch, rules)).run()
    return results


def _idle_pins(batch: Sequence[onec_order.Order], rules: Rules) -> list[str]:
    """A misspelt `--to` would leave the work to somebody else without a word."""
    positions = [line.position for order in batch for line in order.lines]
    warnings = []
    for name, user_id in rules.pins.items():
        if same_name(name) in map(same_name, positions):
            continue
        message = _("--to {position}={id}: no order has this position").format(position=name, id=user_id)
        if nearest := nearest_name(name, positions):
            message += _(' (the nearest is "{nearest}")').format(nearest=nearest)
        warnings.append(message)
    return warnings


def _rounds(batch: Sequence[onec_order.Order]) -> Iterator[list[onec_order.Order]]:
    """An order that comes twice in one run is a change of the first: they go one after the other."""
    current: list[onec_order.Order] = []
    for order in batch:
        if any(order.id == other.id for other in current):
            yield current
            current = []
        current.append(order)
    if current:
        yield current


class _Run:
    def __init__(
        self, batch: Sequence[onec_order.Order], tools: Tools, rules: Rules, *, dry_run: bool, warnings: Sequence[str]
    ) -> None:
        self._orders = batch
        self._tools = tools
        self._rules = rules
        self._dry_run = dry_run
        self._warnings = list(warnings)
        self._before: dict[str, str | None] = {}
        self._under_way: set[str] = set()  # lines whose task the portal may still be making
        self._found: dict[str, Task] = {}  # the task of each line, by its key
        self._others: dict[str, list[Task]] = {}  # what else carries a key of it
        self._was_restored = False
        self._compare: set[str] = set()  # orders of which the portal knows more than the ledger

    def run(self) -> list[OrderResult]:
        ids = [order.id for order in self._orders]
        self._before = self._tools.store.orders.outcomes(ids)
        ledger = self._tools.store.orders.lines(ids)
        company = self._company(ledger)
        portal, questions = self._read(company, ledger)
        self._check_owner(portal)
        if portal.owner.id not in portal.people and portal.owner.id != self._tools.client.owner_id:
            owner = methods.people_by_id([portal.owner.id]).run(self._tools.client)
            portal.people |= {person.id: person for person in owner}
        self._notice_restore(portal)
        items = items_of(self._orders, ledger, self._compare)
        found, others = match_tasks(items, ledger, portal, self._rules.step_s)
        items, self._found, self._others = settle_keys(items, found, others)
        items = [
            replace(item, compare=True)
            if (task := self._found.get(item.key)) and was_written_elsewhere(item, task)
            else item
            for item in items
        ]
        if handed_over := _handed_over(items, self._found, self._rules.step_s, questions.workers):
            portal_state.read_workers(self._tools.client, portal, questions, handed_over)
            questions = replace(questions, workers=[*questions.workers, *handed_over])
        company = _as_answered(company, portal, questions.workers)
        drafter, drafts = self._draft(company, portal, questions, items)
        if company.storage_error is not None and portal.places.folder_id is None:
            for draft in drafts:
                if files_of(draft) and draft.error is None:
                    draft.fail(company.storage_error)
        if self._dry_run:
            files = Files(self._tools.client, self._tools.store, portal, self._rules, self._tools.pace)
            files.leave_out_attached(drafts)
        else:
            for draft in drafts:
                if draft.item.key in self._under_way and draft.task is None and draft.error is None:
                    draft.fail(may_still_run())
            self._write(company, portal, questions.titles, drafts)
        return [self._report(order, drafter, drafts, portal, ledger) for order in self._orders]

    # reading

    def _company(self, ledger: Mapping[str, LedgerTask]) -> Company:
        directory = self._tools.directory
        with_files = any(order.files for order in self._orders)
        company = directory.company(with_files=with_files)
        vacant = self._vacant(company, ledger)
        if not vacant:
            return company
        # A department may have been made or renamed since it was cached. Where somebody takes such work
        # it is the rule that it has none: then looking once an hour will do.
        if not company.fresh and not (self._rules.fallback_user and vacant <= directory.vacant()):
            company = directory.company(with_files=with_files, refresh=True)
            vacant = self._vacant(company, ledger)
        directory.remember_vacant(vacant)
        return company

    def _vacant(self, company: Company, ledger: Mapping[str, LedgerTask]) -> set[str]:
        """The positions without people for which work is to be given out."""
        lines = [
            (item.line.position, item.order.department)
            for item in items_of(self._orders, ledger)
            if not (item.order.done or item.order.cancelled or (item.known and item.known.task_id))
        ]
        vacant = [line for line in lines if not company.staff.position(*line).people]
        return {f"{same_name(position)}|{same_name(department or '')}" for position, department in vacant}

    def _questions(self, company: Company, ledger: Mapping[str, LedgerTask]) -> Questions:
        rules, staff = self._rules, company.staff
        items = items_of(self._orders, ledger)
        workers: dict[int, Person | None] = {}
        for item in items:
            if item.order.done or item.order.cancelled:
                continue  # it gives out no work
            for person in staff.position(item.line.position, item.order.department, rules.excluded).people:
                workers[person.id] = person
        special = [user for user in (rules.fallback_user, *rules.pins.values()) if user]
        workers |= dict.fromkeys(special)
        owner_id = self._tools.client.owner_id
        named = (staff.department_named(order.department) for order in self._orders if order.department)
        heads = [department.head_id for department in named if department and department.head_id]
        files = {onec_order.stored_name(order.number, file) for order in self._orders for file in order.files}
        known_files = self._tools.store.orders.files([order.id for order in self._orders])
        keys_of = [*(item.keys for item in items), *(row.keys for row in _lost(ledger))]
        return Questions(
            keys=list(dict.fromkeys(key for keys in keys_of for key in keys)),
            task_ids=sorted({one for row in ledger.values() for one in (row.task_id, *row.other_tasks) if one}),
            titles=self._title_questions(items, ledger),
            people=sorted({*special, *heads, *([owner_id] if owner_id else [])}),
            surnames=sorted({surname_of(order.manager) for order in self._orders if order.manager}),
            workers=sorted(workers),
            file_names=sorted(files | {file.stored_name for file in known_files}) if files else [],
            expected_open=self._expected_open(company, sorted(workers)),
            today=self._tools.pace.clock().astimezone(rules.zone).date(),
            zone=rules.zone,
            group=rules.group,
            folder=rules.folder,
            places=company.places,
            date_order=self._tools.directory.date_order(),
        )

    def _title_questions(self, items: Sequence[Item], ledger: Mapping[str, LedgerTask]) -> list[TitleQuestion]:
        """Of orders with lines that have no task yet.

        The replaced service may have made one, without a key, and so may we, on a portal that drops keys.
        """
        found: dict[str, TitleQuestion] = {}
        for item in items:
            order = item.order
            if order.id in found or (item.known and item.known.task_id):
                continue
            sent = latest([line.writing_since for line in _lost(ledger) if line.order_id == order.id])
            since = (sent or self._tools.pace.clock()) - CLOCKS_APART
            part = f": {onec_order.safe_text(order.number).strip()}"
            found[order.id] = TitleQuestion(order.id, part, min(since, order.date) if order.date else since)
        return list(found.values())

    def _expected_open(self, company: Company, workers: Sequence[int]) -> int:
        counts = self._tools.directory.open_counts()
        known = sum(counts.get(user_id, 0) for user_id in workers)
        strangers = [user_id for user_id in workers if user_id not in counts]
        if strangers and company.open_total is not None:
            return company.open_total
        return known + UNKNOWN_PERSON_TASKS * len(strangers)

    def _read(self, company: Company, ledger: dict[str, LedgerTask]) -> tuple[Portal, Questions]:
        """The portal as it is now; the ledger learns which tasks an earlier run that was cut has made."""
        tools = self._tools
        now = tools.pace.clock
        questions = self._questions(company, ledger)
        asked_at = tools.pace.machine_clock()
        portal, questions = self._read_once(questions)
        ahead = [
            row for row in ledger.values() if row.writing_since and not clock.known_moment(row.writing_since, now())
        ]
        ledger |= {row.key: replace(row, writing_since=LONG_AGO) for row in ahead}
        if ahead or abs(tools.pace.skew) > CLOCKS_APART / 2:  # the questions were about another time
            company = replace(company, places=portal.places)
            asked_at = tools.pace.machine_clock()
            portal, questions = self._read_once(self._questions(company, ledger))
        asked_at = tools.pace.portal_time(asked_at)
        if not self._dry_run:
            tools.store.settings.remember_host(tools.client.host)
        lost = _lost(ledger)
        found = self._find_lost(portal, lost)
        missing = [line.writing_since for line in lost if line.key not in found]
        sent = latest(missing)
        if sent is not None and sent + timedelta(seconds=EXECUTES_S) >= asked_at and not self._dry_run:
            settled = self._wait_for_lost(portal, questions, lost)
            portal, questions = self._read_once(questions)
            found = self._find_lost(portal, lost)
            if not settled:
                self._under_way = {line.key for line in lost} - found.keys()
        for key, task in found.items():
            portal.by_id[task.id] = task
            ledger[key] = replace(ledger[key], task_id=task.id)
        for key, line in ledger.items():
            ledger[key] = _with_deadline_as_sent(line, portal.of_line(line))
        counts = dict.fromkeys(questions.workers, 0)
        for task in portal.open:
            counts[task.responsible_id] = counts.get(task.responsible_id, 0) + 1
        tools.directory.remember_open_counts(counts)
        tools.directory.remember_date_order(portal.date_order)
        return portal, questions

    def _read_once(self, questions: Questions) -> tuple[Portal, Questions]:
        tools = self._tools
        asked_at = tools.pace.machine_clock()
        portal = portal_state.read_portal(tools.client, questions)
        if portal.server_now is not None:
            tools.pace.sync(portal.server_now, asked_at)
        if portal.places != questions.places:
            tools.directory.remember_places(portal.places)
            questions = replace(questions, places=portal.places)
            if (questions.titles and portal.places.group_id) or (questions.file_names and portal.places.folder_id):
                portal = portal_state.read_portal(tools.client, questions)
        self._leave_out_others(portal)
        return portal, questions

    def _leave_out_others(self, portal: Portal) -> None:
        """A task of another order's ledger is not to be taken for this one's because it has the same title."""
        ours = {order.id for order in self._orders}
        owners = self._tools.store.orders.owners([task.id for tasks in portal.titled.values() for task in tasks])
        for order_id, tasks in portal.titled.items():
            portal.titled[order_id] = [task for task in tasks if owners.get(task.id, order_id) in ours]

    def _find_lost(self, portal: Portal, lost: Sequence[LedgerTask]) -> dict[str, Task]:
        return find_lost(portal, lost, self._tools.store.orders.our_tasks(portal.found_ids()))

    def _wait_for_lost(self, portal: Portal, questions: Questions, lost: Sequence[LedgerTask]) -> bool:
        """An earlier send was cut: the portal may still be making its tasks. Whether it cannot be any more."""
        keys = [key for line in lost for key in line.keys]

        def look() -> bool:
            portal_state.look_up(self._tools.client, portal, keys, questions.titles)
            return len(self._find_lost(portal, lost)) == len(lost)

        since = latest([line.writing_since for line in lost])
        if since is None:
            return True
        return self._tools.pace.look_until(since, look, self._rules.zone, at_most_s=self._rules.retry_s)

    def _check_owner(self, portal: Portal) -> None:
        if portal.owner.admin:
            return
        if not self._rules.non_admin:
            raise errors.PortalDenied(
                _("the webhook's owner, {name}, is not an administrator and sees only part of the tasks").format(
                    name=portal.owner.name or portal.owner.id
                ),
                _("Let an administrator create the webhook; or set B24_NON_ADMIN=1 to plan by what the owner sees."),
                method="profile",
            )
        self._warnings.append(_("the webhook's owner is not an administrator: people may be busier than they look"))

    def _notice_restore(self, portal: Portal) -> None:
        """Trust the portal more than a ledger older than the tasks made with it, and than a wrong clock; say so."""
        tools = self._tools
        store, now = tools.store, tools.pace.clock()
        if abs(tools.pace.skew) > NOTICEABLE_SKEW:
            self._warnings.append(
                _("this machine's clock shows {machine}, the portal's {portal}: the portal's counts").format(
                    machine=f"{(now - tools.pace.skew).astimezone(self._rules.zone):%d.%m.%Y %H:%M}",
                    portal=f"{now.astimezone(self._rules.zone):%d.%m.%Y %H:%M}",
                )
            )
        last = store.orders.last_known_task()
        newer = {task.id: task.xml_id for task in portal.open if task.id > last > 0}
        newer = {task_id: key for task_id, key in newer.items() if key.startswith(onec_order.KEY_PREFIX)}
        known = store.orders.known_keys(newer.values())
        self._was_restored = store.orders.notice_restore(
            now, newer=[task_id for task_id, key in newer.items() if key not in known]
        )
        if self._was_restored:
            self._warnings.append(
                _(
                    "the database is older than the tasks on the portal: was a backup restored, or does another data "
                    "folder serve this portal? Orders sent again are compared with the portal's tasks; "
                    "b24tools snapshot --since brings the closed tasks back"
                )
            )
        self._compare = store.orders.to_compare(order.id for order in self._orders)

    # drafting

    def _draft(
        self, company: Company, portal: Portal, questions: Questions, items: Sequence[Item]
    ) -> tuple[Drafter, list[Draft]]:
        drafter = self._drafter(company, portal, items)
        drafts = drafter.draft(items)
        last = max((draft.end.date() for draft in drafts if draft.choice and draft.end), default=portal.absences_until)
        if last > portal.absences_until and not (portal.missing_scopes or portal.absences_problem):
            portal_state.read_more_absences(self._tools.client, portal, questions, last + timedelta(days=31))
            drafter = self._drafter(company, portal, items)
            drafts = drafter.draft(items)
        return drafter, drafts

    def _drafter(self, company: Company, portal: Portal, items: Sequence[Item]) -> Drafter:
        store = self._tools.store
        calendar = self._calendar(company, portal)
        return Drafter(
            self._rules,
            company.staff,
            portal,
            calendar,
            self._tools.pace.clock(),
            found=self._found,
            others=self._others,
            our_tasks=store.orders.our_tasks([task.id for task in portal.open]),
            last_assigned=store.orders.last_assigned(self._tools.pace.clock()),
            attached=store.orders.task_files([item.key for item in items]),
        )

    def _calendar(self, company: Company, portal: Portal) -> WorkCalendar:
        calendar, warnings = working_hours(company, self._rules)
        for warning in (*warnings, *not_known(company, portal)):
            if warning not in self._warnings:
                self._warnings.append(warning)
        return calendar

    # writing

    def _write(
        self, company: Company, portal: Portal, titles: Sequence[TitleQuestion], drafts: Sequence[Draft]
    ) -> None:
        tools = self._tools
        now = tools.pace.clock()
        for order in self._orders:
            tools.store.orders.save(order.id, order.number, now)
        writer = Writer(tools.client, tools.store, portal, self._rules, tools.pace, titles)
        self._warnings += writer.write(drafts)
        if portal.places != company.places:
            tools.directory.remember_places(portal.places)

    # reporting

    def _report(
        self,
        order: onec_order.Order,
        drafter: Drafter,
        drafts: Sequence[Draft],
        portal: Portal,
        ledger: Mapping[str, LedgerTask],
    ) -> OrderResult:
        mine = [draft for draft in drafts if draft.item.order is order]
        tasks = [draft.to_result(dry_run=self._dry_run) for draft in mine]
        tasks += _removed_lines(order, mine, portal, ledger)
        warnings = [*order.warnings, *self._warnings, *unchecked_years(mine, self._rules)]
        if order.done and not tasks:
            warnings.append(_("the order is finished and has no tasks: nothing to complete"))
        before = self._before.get(order.id) == COMPLETED
        unfinished = before and not order.done and any(draft.task and draft.task.status in DONE for draft in mine)
        if unfinished:
            warnings.append(_("the order was finished before: its tasks stay as they are; reopen them in Bitrix24"))
        found = [
            draft.task for draft in mine if draft.item.known is None and draft.outcome not in ("created", "adopted")
        ]
        if any(task and task.xml_id for task in found) and not self._was_restored:
            warnings.append(
                _("the database did not know these tasks: they were found on the portal and compared with the order")
            )
        elif any(draft.item.compare for draft in mine) and order.id not in self._compare:
            warnings.append(_("another data folder has sent this order since: its tasks were compared with the order"))
        if any(draft.action == DEFER for draft in mine):
            warnings.append(_("the order is cancelled: what nobody has begun is deferred, and takes no time any more"))
        promise = drafter.promise(order, mine)
        ends = [draft.end for draft in mine if draft.end and draft.error is None and not draft.is_put_off]
        ends += [task.end for task in tasks[len(mine) :] if task.end]
        finish = max([*ends, *([promise.ready] if promise else [])], default=None)
        finish = None if order.cancelled and not order.done else finish
        late_since = late_from(order)
        outcome = outcome_of(tasks, done=order.done, dry_run=self._dry_run)
        if not self._dry_run:
            finished = unfinished or (order.done and bool(tasks) and outcome == CHANGED_NOTHING)
            noted = COMPLETED if finished else outcome
            self._tools.store.orders.save(order.id, order.number, self._tools.pace.clock(), noted)
        return OrderResult(
            id=order.id,
            number=order.number,
            outcome=outcome,
            tasks=tuple(tasks),
            finish=finish,
            wanted=wanted_end(order),
            late_s=max(0, int((finish - late_since).total_seconds())) if finish and late_since else 0,
            promise=promise,
            warnings=tuple(warnings),
        )


def _as_answered(company: Company, portal: Portal, workers: Sequence[int]) -> Company:
    """Who was dismissed or moved since the people were cached; of others than the workers the work is not known."""
    staff = company.staff
    asked = set(workers)
    people = [portal.people.get(one, person) if one in asked else person for one, person in staff.people.items()]
    return replace(company, staff=Staff(staff.departments.values(), people, staff.root_id))


def _handed_over(items: Sequence[Item], found: Mapping[str, Task], step_s: int, workers: Sequence[int]) -> list[int]:
    """Who has a task whose minutes changed without being asked about: people of other departments."""
    people = set()
    for item in items:
        task = found.get(item.key)
        if task is None or not task.is_open or item.order.done or task.responsible_id in workers:
            continue
        if item.known and item.is_trusted(task):
            is_changed = item.known.sent_values.get("onec", {}).get("minutes") != item.line.minutes
        else:
            is_changed = task.estimate_s != rounded(item.line.minutes, step_s)
        if is_changed:
            people.add(task.responsible_id)
    return sorted(people)


def _lost(ledger: Mapping[str, LedgerTask]) -> list[LedgerTask]:
    """Lines whose tasks were being made when a run was cut."""
    return [line for line in ledger.values() if line.state == "writing" and line.task_id is None]


def _with_deadline_as_sent(line: LedgerTask, task: Task | None) -> LedgerTask:
    """An update of unknown fate may have set the deadline: then it was not moved by hand."""
    under_way = line.sent_values.get("deadline_under_way")
    if task is None or task.deadline is None or under_way != task.deadline.isoformat():
        return line
    return replace(line, deadline=task.deadline)


def _removed_lines(
    order: onec_order.Order, drafts: Sequence[Draft], portal: Portal, ledger: Mapping[str, LedgerTask]
) -> list[TaskResult]:
    """Tasks of lines that the order no longer has: left alone, and said so.

    Those that the ledger does not know are told by the order's GUID in their keys.
    """
    keys = {draft.item.key for draft in drafts}
    rows = [row for row in ledger.values() if row.order_id == order.id and row.key not in keys]
    tasks = [(row.position, task) for row in rows if (task := portal.of_line(row))]
    taken = {task.id for draft in drafts for task in (draft.task, *draft.others) if task}
    taken |= {row.task_id for row in ledger.values() if row.task_id}
    for task in portal.titled.get(order.id, ()):
        if task.xml_id.startswith(f"{onec_order.KEY_PREFIX}{order.id}:") and task.id not in taken:
            tasks.append((task.title.rpartition(":")[0] or task.title, task))
    return [
        TaskResult(
            position=position,
            outcome=CHANGED_NOTHING,
            task_id=task.id,
            title=task.title,
            responsible=(task.responsible_id, task.responsible_name),
            start=task.start,
            end=task.end,
            deadline=task.deadline,
            estimate_s=task.estimate_s,
            warnings=(_("the order no longer has this line: its task was left"),),
        )
        for position, task in tasks
        if task.is_open
    ]
