"""The whole of `assign`: read the portal, plan, write, report."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from b24tools.assignment import portal_state, recovery, standing
from b24tools.assignment.apply import Writer
from b24tools.assignment.ledger import Ledger
from b24tools.assignment.matching import find_left, items_of, match_tasks, settle_keys, was_written_elsewhere
from b24tools.assignment.named_people import find_anybody
from b24tools.assignment.order_lookup import warn_of_namesakes
from b24tools.assignment.plan import DEFER, Item, PlannedTask, Rules, late_from, wanted_end
from b24tools.assignment.planner import Planner
from b24tools.assignment.portal_state import PortalState, Questions, TitleQuestion
from b24tools.assignment.recovery import CLOCKS_APART, WriteState, find_lost, latest
from b24tools.assignment.replan_writes import let_moves_end, settle_moves
from b24tools.assignment.report import (
    CHANGED_NOTHING,
    COMPLETED,
    FAILED,
    OrderResult,
    TaskResult,
    list_warnings,
    outcome_of,
)
from b24tools.assignment.spans import Spans
from b24tools.assignment.staffing import (
    ask_about,
    list_planned,
    not_known,
    read_handed_over,
    unchecked_years,
    working_hours,
)
from b24tools.assignment.tools import Tools
from b24tools.assignment.waiting import holders_of_staged, read_open_orders
from b24tools.assignment.workspace import EarlyUploads, Workspace, upload_early
from b24tools.assignment.writes import Line
from b24tools.bitrix24 import queries
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.org_cache import OrgData
from b24tools.core import clock, errors
from b24tools.core.i18n import _
from b24tools.core.line_keys import KEY_PREFIX
from b24tools.core.models import DONE, Task
from b24tools.core.names import read_id, same_name, suggest_name
from b24tools.core.org_structure import Staff
from b24tools.onec import order as onec_order
from b24tools.onec import task_fields
from b24tools.store import database
from b24tools.store.history import Entry
from b24tools.store.orders import ENDED_CANCELLED, ENDED_DONE, LedgerTask, OrderRow

_log = logging.getLogger("b24tools.orders")
_log.addHandler(logging.NullHandler())  # where no log is written, logging would print warnings itself

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
            run = _Run(one_round, tools, rules, dry_run=dry_run, warnings=_idle_pins(batch, rules))
            try:
                results += run.run()
            except errors.B24ToolsError as error:
                if run.early is not None:
                    wait([run.early])  # what is under the lock has ended when it is released
                if not dry_run:
                    with suppress(database.Error):  # it may be what has failed
                        for order in one_round:
                            failed = OrderResult(order.id, order.number, FAILED, ())
                            tools.store.history.add(_log_order(tools, failed, error))
                raise
    return results


def _log_order(tools: Tools, result: OrderResult, error: errors.B24ToolsError | None) -> Entry:
    """Log what was done for an order, with all that there is to say about it; return what the history shall have."""
    by, command = tools.origin.by, tools.origin.command
    lines = [(task.position, task.outcome, task.task_id) for task in result.tasks if task.outcome != CHANGED_NOTHING]
    names = [f"{position} {outcome}" + (f" #{task_id}" if task_id else "") for position, outcome, task_id in lines]
    words = f" ({', '.join(names)})" if names else ""
    text = f"order {result.number}: {result.outcome}{words}; {command} by {by or '?'}"
    if error is None:
        _log.info("%s", text)
    else:
        _log.warning("%s: %s", text, error.message)
    for warning in list_warnings(result):
        _log.warning("order %s: %s", result.number, warning)
    reason = error.message if error else None
    return Entry(tools.clock.now(), command, result.id, result.number, result.outcome, by, tuple(lines), reason)


def _is_turn(order: onec_order.Order, before: OrderRow | None, plans: Iterable[PlannedTask]) -> bool:
    """Whether 1C has cancelled the order by this, or taken it up again; also where that had failed in part."""
    was_cancelled = before is not None and before.ended == ENDED_CANCELLED
    if order.cancelled:
        return not was_cancelled or (before is not None and before.outcome in (FAILED, "partial"))
    return was_cancelled or any(plan.renews for plan in plans)


def _idle_pins(batch: Sequence[onec_order.Order], rules: Rules) -> list[str]:
    """A misspelt `--to` would leave the work to somebody else without a word."""
    positions = [line.position for order in batch for line in order.lines]
    warnings = []
    for name, user_id in rules.pins.items():
        if same_name(name) in map(same_name, positions):
            continue
        message = _("--to {position}={id}: no order has this position").format(position=name, id=user_id)
        warnings.append(message + suggest_name(name, positions))
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
    """The orders of one round: the phases one after the other, and what is to be said of all of them."""

    def __init__(
        self, batch: Sequence[onec_order.Order], tools: Tools, rules: Rules, *, dry_run: bool, warnings: Sequence[str]
    ) -> None:
        self._orders = batch
        self._tools = tools
        self._rules = rules
        self._dry_run = dry_run
        self._warnings = list(warnings)
        self._open_orders = read_open_orders(tools.store, {order.id for order in batch}, rules, tools.clock.now())
        self.early: EarlyUploads | None = None
        self._before = tools.store.orders.read([order.id for order in batch])
        self._staged: set[int] = set()  # who has work that waits, or is waited for
        self._was_restored = False
        self._compare: set[str] = set()  # orders of which the portal knows more than the ledger

    def run(self) -> list[OrderResult]:
        """Read, plan, write unless it is a dry run, and report."""
        tools = self._tools
        if not self._dry_run:
            tools.store.packed.unpack(order.id for order in self._orders)
        rows = tools.store.orders.lines([order.id for order in self._orders])
        items = items_of(self._orders, rows)
        company = self._read_company(items)
        self._rules = _with_people(self._rules, company.staff, tools.client)
        self.early = self._upload_early(company)
        portal, questions, under_way = self._read(company, items, rows)
        if self._rules.away is not None:
            name, first, last = self._rules.away
            portal = portal_state.take_as_away(portal, int(name), first, last, self._rules.zone)
        self._check_owner(portal)
        if portal.owner.id not in portal.people and portal.owner.id != tools.client.owner_id:
            owner = tools.client.ask(queries.people_by_id([portal.owner.id]))
            portal = replace(portal, people={**portal.people, **{person.id: person for person in owner}})
        self._notice_restore(portal)
        items = items_of(self._orders, rows, self._compare)  # the rows have learned of tasks since
        items = settle_keys(match_tasks(items, rows, portal, self._rules.step_s))
        items = [replace(item, compare=item.compare or was_written_elsewhere(item)) for item in items]
        held = [item.task for item in items if not (item.order.done or item.order.cancelled)]
        done = {item.key for item in items if item.order.done}  # they are completed, whoever has what else to do
        held += [portal.of_line(row) for row in rows.values() if row.key not in done]
        seen = tools.store.orders.seen_holders() if self._staged else ()  # of those some may have left
        portal, questions = read_handed_over(tools, self._rules, company, portal, questions, held, seen)
        company = _as_answered(company, portal, questions.workers)
        planner, plans = self._plan(company, portal, items, under_way)
        more = portal_state.read_more_absences(tools.client, portal, questions, map(planner.spans.end_of, plans))
        if more is not portal:
            portal = more
            planner, plans = self._plan(company, portal, items, under_way)
        if company.storage_error is not None and portal.places.folder_id is None:
            plans = [replace(plan, error=company.storage_error) if plan.files else plan for plan in plans]
        if self._dry_run:
            lines = [Line(plan) for plan in plans]
            Workspace(tools, portal, self._rules, Ledger(tools.store, tools.clock)).leave_out_attached(lines)
            plans = [line.plan for line in lines]
        else:
            writer = Writer(tools, portal, self._rules, questions.titles, self.early)
            plans, warnings = writer.write(self._orders, plans)
            self._warnings += warnings
            portal = writer.portal
            if portal.places != company.places:
                tools.directory.remember_places(portal.places)
        return [self._report(order, planner, plans, portal, rows) for order in self._orders]

    # reading

    def _read_company(self, items: Sequence[Item]) -> OrgData:
        directory = self._tools.directory
        with_files = any(order.files for order in self._orders)
        company = directory.company(with_files=with_files)
        if not (vacant := _vacant(items, company.staff, self._rules.excluded)):
            return company
        # A department may be new, or renamed since it was cached; with B24_FALLBACK_USER once an hour will do.
        if not company.fresh and not (self._rules.fallback_user and vacant <= directory.unstaffed_positions()):
            company = directory.company(with_files=with_files, refresh=True)
            vacant = _vacant(items, company.staff, self._rules.excluded)
        directory.remember_unstaffed(vacant)
        return company

    def _upload_early(self, company: OrgData) -> EarlyUploads | None:
        """Upload the files of new orders while the portal is read, where nothing should stand in the way.

        An order that is dated before the ledger began may have tasks that it does not know, and its files with them.
        """
        tools, folder_id = self._tools, company.places.folder_id
        if self._dry_run or folder_id is None or not (self._rules.non_admin or tools.directory.is_owner_admin()):
            return None
        new = [order for order in self._orders if order.id not in self._before and order.files and order.lines]
        new = [order for order in new if not (order.done or order.cancelled)]
        new = [order for order in new if order.date and tools.store.orders.has_begun(order.date)]
        return upload_early(tools.client, folder_id, new) if new else None

    def _questions(self, company: OrgData, items: Sequence[Item], rows: Mapping[str, LedgerTask]) -> Questions:
        rules, staff, tools = self._rules, company.staff, self._tools
        special = [user for user in (rules.fallback_user, *map(int, rules.pins.values())) if user]
        workers = {
            person.id
            for item in items
            if not (item.order.done or item.order.cancelled)  # it gives out no work
            for person in staff.position(item.line.position, item.order.department, rules.excluded).people
        }
        open_orders = [order for order in self._orders if not (order.done or order.cancelled)]
        ended = {order.id for order in self._orders} - {order.id for order in open_orders}
        workers.update(row.responsible_id for row in rows.values() if row.responsible_id and row.order_id not in ended)
        workers.update(special)
        self._staged = holders_of_staged(self._open_orders.values(), rules) if open_orders else set()
        if self._staged:  # others' work may have to wait for theirs
            workers |= list_planned(company, rules, tools.store.orders.holders())
        named = (staff.department_named(order.department) for order in self._orders if order.department)
        heads = [department.head_id for department in named if department and department.head_id]
        holders = [row.responsible_id for row in rows.values() if row.responsible_id]
        files = {task_fields.stored_name(order.number, file) for order in open_orders for file in order.files}
        known_files = tools.store.orders.files([order.id for order in open_orders])
        keys_of = [*(item.keys for item in items), *(row.keys for row in _lost(rows))]
        return ask_about(
            tools,
            rules,
            company,
            workers,
            keys=list(dict.fromkeys(key for keys in keys_of for key in keys)),
            task_ids=sorted({id_ for row in rows.values() for id_ in (row.task_id, *row.other_tasks) if id_}),
            titles=self._title_questions(items, rows),
            people=sorted({*special, *heads, *holders, *([tools.client.owner_id] if tools.client.owner_id else [])}),
            managers=sorted({order.manager for order in self._orders if order.manager}),
            file_names=sorted(files | {file.stored_name for file in known_files}) if files else [],
        )

    def _title_questions(self, items: Sequence[Item], rows: Mapping[str, LedgerTask]) -> list[TitleQuestion]:
        """Of orders with lines that have no task yet.

        The replaced service may have made one, without a key, and so may we, on a portal that drops keys.
        """
        questions: dict[str, TitleQuestion] = {}
        for item in items:
            order = item.order
            if order.id in questions or (item.known and item.known.task_id):
                continue
            sent = latest([row.writing_since for row in _lost(rows) if row.order_id == order.id])
            since = (sent or self._tools.clock.now()) - CLOCKS_APART
            part = f": {task_fields.safe_text(order.number).strip()}"
            questions[order.id] = TitleQuestion(order.id, part, min(since, order.date) if order.date else since)
        return list(questions.values())

    def _read(
        self, company: OrgData, items: Sequence[Item], rows: dict[str, LedgerTask]
    ) -> tuple[PortalState, Questions, set[str]]:
        """Read the portal as it is now; `rows` learn which tasks an earlier run that was cut has made.

        The keys are those of lines whose task the portal may still be making.
        """
        tools = self._tools
        if not self._dry_run:
            let_moves_end(tools.clock, rows.values(), self._rules.zone)
        asked_at = tools.clock.machine_clock()
        portal, questions = self._read_once(self._questions(company, items, rows))
        now = tools.clock.now()
        ahead = [row for row in rows.values() if row.writing_since and not clock.known_moment(row.writing_since, now)]
        rows |= {row.key: replace(row, writing_since=LONG_AGO) for row in ahead}
        if ahead or abs(tools.clock.skew) > CLOCKS_APART / 2:  # the questions were about another time
            company = replace(company, places=portal.places)
            asked_at = tools.clock.machine_clock()
            portal, questions = self._read_once(self._questions(company, items, rows))
        asked_at = tools.clock.portal_time(asked_at)
        if not self._dry_run:
            tools.store.settings.remember_host(tools.client.host)
        lost, under_way = _lost(rows), set()
        made = self._find_lost(portal, lost)
        steps = [
            recovery.decide(row, None, under_way=recovery.is_under_way(row, asked_at))
            for row in lost
            if row.key not in made
        ]
        if any(step.waits for step in steps) and not self._dry_run:
            is_settled = self._wait_for_lost(portal, questions, lost)
            portal, questions = self._read_once(questions)
            made = self._find_lost(portal, lost)
            if not is_settled:
                under_way = {row.key for row in lost} - made.keys()
        portal = replace(portal, by_id={**portal.by_id, **{task.id: task for task in made.values()}})
        for key, task in made.items():
            rows[key] = replace(rows[key], task_id=task.id)
        rows |= settle_moves(tools.store, rows.values(), portal, asked_at)
        for key, row in rows.items():
            rows[key] = _with_deadline_as_sent(row, portal.of_line(row))
        counts = dict.fromkeys(questions.workers, 0)
        for task in portal.open:
            counts[task.responsible_id] = counts.get(task.responsible_id, 0) + 1
        tools.directory.remember_open_counts(counts)
        tools.directory.remember_date_order(portal.date_order)
        return portal, questions, under_way

    def _read_once(self, questions: Questions) -> tuple[PortalState, Questions]:
        tools = self._tools
        asked_at = tools.clock.machine_clock()
        portal = portal_state.read_portal(tools.client, questions)
        if portal.server_now is not None:
            tools.clock.sync(portal.server_now, asked_at)
        if portal.places != questions.places:
            tools.directory.remember_places(portal.places)
            questions = replace(questions, places=portal.places)
            if (questions.titles and portal.places.group_id) or (questions.file_names and portal.places.folder_id):
                portal = portal_state.read_portal(tools.client, questions)
        # a task of another order's ledger is not to be taken for this one's because it has the same title
        ours = {order.id for order in self._orders}
        owners = tools.store.orders.owners([task.id for tasks in portal.titled.values() for task in tasks])
        titled = {
            order_id: [task for task in tasks if owners.get(task.id, order_id) in ours]
            for order_id, tasks in portal.titled.items()
        }
        return replace(portal, titled=titled), questions

    def _find_lost(self, portal: PortalState, lost: Sequence[LedgerTask]) -> dict[str, Task]:
        return find_lost(portal, lost, self._tools.store.orders.our_tasks(portal.found_ids()))

    def _wait_for_lost(self, portal: PortalState, questions: Questions, lost: Sequence[LedgerTask]) -> bool:
        """An earlier send was cut: the portal may still be making its tasks. Whether it cannot be any more."""
        keys = [key for row in lost for key in row.keys]

        def look() -> bool:
            nonlocal portal
            portal = portal_state.look_up(self._tools.client, portal, keys, questions.titles)
            return len(self._find_lost(portal, lost)) == len(lost)

        since = latest([row.writing_since for row in lost]) or LONG_AGO
        return recovery.look_until(self._tools.clock, since, look, self._rules.zone, at_most_s=self._rules.retry_s)

    def _check_owner(self, portal: PortalState) -> None:
        self._tools.directory.remember_owner(admin=portal.owner.admin)
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

    def _notice_restore(self, portal: PortalState) -> None:
        """Trust the portal more than a ledger older than the tasks made with it, and than a wrong clock; say so."""
        tools = self._tools
        store, now = tools.store, tools.clock.now()
        if abs(tools.clock.skew) > NOTICEABLE_SKEW:
            self._warnings.append(
                _("this machine's clock shows {machine}, the portal's {portal}: the portal's counts").format(
                    machine=f"{(now - tools.clock.skew).astimezone(self._rules.zone):%d.%m.%Y %H:%M}",
                    portal=f"{now.astimezone(self._rules.zone):%d.%m.%Y %H:%M}",
                )
            )
        last = store.orders.last_known_task()
        newer = {task.id: task.xml_id for task in portal.open if task.id > last > 0}
        newer = {task_id: key for task_id, key in newer.items() if key.startswith(KEY_PREFIX)}
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

    # planning

    def _plan(
        self,
        company: OrgData,
        portal: PortalState,
        items: Sequence[Item],
        under_way: Collection[str],
    ) -> tuple[Planner, list[PlannedTask]]:
        store, now = self._tools.store, self._tools.clock.now()
        calendar, warnings = working_hours(company, self._rules)
        warnings += [*not_known(company, portal), *_unknown_in_route(self._rules.route, items, company.staff)]
        self._warnings = list(dict.fromkeys([*self._warnings, *warnings]))
        planner = Planner(
            self._rules,
            company,
            portal,
            calendar,
            now,
            our_tasks=store.orders.our_tasks([task.id for task in portal.open]),
            last_assigned=store.orders.last_assigned(now),
            attached=store.orders.task_files([item.key for item in items]),
            pinned=store.decisions.pinned(item.key for item in items),
            under_way=under_way,
            open_orders=self._open_orders,
        )
        return planner, planner.build_plans(items)

    # reporting

    def _report(
        self,
        order: onec_order.Order,
        planner: Planner,
        plans: Sequence[PlannedTask],
        portal: PortalState,
        rows: Mapping[str, LedgerTask],
    ) -> OrderResult:
        mine = [plan for plan in plans if plan.item.order is order]
        tasks = [replace(plan.to_result(dry_run=self._dry_run), ready=planner.spans.ready_at(plan)) for plan in mine]
        left, others = find_left(order, mine, portal, rows)
        tasks += [_report_left(*pair, planner.spans) for pair in (*left, *others)]
        warnings = [
            *order.warnings,
            *self._warnings,
            *planner.list_unmatched(order),
            *unchecked_years(mine, self._rules),
        ]
        before = self._before.get(order.id)
        if not order.done and (before is None or before.number != order.number):
            warnings += warn_of_namesakes(self._tools.store.orders, order, self._orders)
        if order.done and not tasks:
            warnings.append(_("the order is finished and has no tasks: nothing to complete"))
        unfinished = before is not None and before.outcome == COMPLETED and not order.done
        unfinished = unfinished and any(plan.task and plan.task.status in DONE for plan in mine)
        if unfinished:
            warnings.append(_("the order was finished before: its tasks stay as they are; reopen them in Bitrix24"))
        unknown = [plan.task for plan in mine if plan.item.known is None and plan.outcome not in ("created", "adopted")]
        if any(task and task.xml_id for task in unknown) and not self._was_restored:
            warnings.append(
                _("the database did not know these tasks: they were found on the portal and compared with the order")
            )
        elif any(plan.item.compare for plan in mine) and order.id not in self._compare:
            warnings.append(_("another data folder has sent this order since: its tasks were compared with the order"))
        if any(plan.action == DEFER and plan.error is None for plan in mine):
            warnings.append(
                _("the order is cancelled: work that has not begun is deferred, and takes no time any more")
            )
        warnings += planner.spans.list_unknown(mine, left)
        promise = planner.spans.promise(order, mine, left)
        finish = None if order.cancelled and not order.done else planner.spans.finish(order, mine, left)
        late_since = late_from(order)
        outcome = outcome_of(tasks, done=order.done, dry_run=self._dry_run)
        result = OrderResult(
            id=order.id,
            number=order.number,
            outcome=outcome,
            tasks=tuple(tasks),
            finish=finish,
            wanted=wanted_end(order),
            late_s=max(0, int((finish - late_since).total_seconds())) if finish and late_since else 0,
            promise=promise,
            warnings=tuple(warnings),
            of_the_run=tuple(self._warnings),
        )
        if not self._dry_run:
            finished = unfinished or (order.done and bool(tasks) and outcome == CHANGED_NOTHING)
            entry = _log_order(self._tools, result, next((task.error for task in tasks if task.error), None))
            if not (order.done or result.exit_status) and _is_turn(order, before, mine):
                entry = replace(entry, outcome="cancelled" if order.cancelled else "renewed")
            store, saved = self._tools.store, COMPLETED if finished and outcome not in (FAILED, "partial") else outcome
            with store.transaction():
                store.orders.save(order.id, order.number, self._tools.clock.now(), saved, entry)
                store.orders.save_header(
                    order.id,
                    customer=order.customer,
                    wanted=order.wanted,
                    priority=order.priority,
                    day=promise.day if promise else None,
                    ended=ENDED_DONE if order.done else ENDED_CANCELLED if order.cancelled else None,
                    unwritten=[task.position for task in tasks if task.outcome == FAILED and task.task_id is None],
                )
                self._save_standing(order, planner, mine)
        return result

    def _save_standing(self, order: onec_order.Order, planner: Planner, plans: Sequence[PlannedTask]) -> None:
        """Let what has changed of the order be asked for from now on."""
        store = self._tools.store.orders
        sent = {id(line) for line in order.lines}  # without removed ones, which a cancelled order has with it
        keys = [plan.item.key for plan in plans if id(plan.item.line) in sent]
        lines = Ledger(self._tools.store, self._tools.clock).mark_removed(order, keys)
        row = store.read([order.id])[order.id]
        if (stands := standing.stand_as_planned(planner, row, lines, plans)) is not None:
            stand = stands.to_compare(planner.calendar), stands.state == standing.OVER
            store.save_standings({order.id: stand}, planner.now)


def _unknown_in_route(route: Sequence[str], items: Sequence[Item], staff: Staff) -> list[str]:
    """Say which names of B24_ROUTE are neither a department of the production nor a position of these orders."""
    if not route:
        return []
    names = [item.line.position for item in items]
    names += [staff.departments[id_].name for id_ in staff.inside if id_ != staff.root_id]
    known = {*map(same_name, names), *staff.positions.departments}
    return [
        _('B24_ROUTE: "{name}" is no position, nothing waits for it').format(name=name) + suggest_name(name, names)
        for name in route
        if same_name(name) not in known
    ]


def _with_people(rules: Rules, staff: Staff, client: Client) -> Rules:
    """Put ids in place of the names that were given for people. Raises ConfigError for one that no person has."""

    def find(name: int | str) -> int:
        number = read_id(str(name))
        return find_anybody(client, str(name), staff.people.values()).id if number is None else number

    away = rules.away and (str(find(rules.away[0])), *rules.away[1:])
    return replace(rules, pins={position: find(name) for position, name in rules.pins.items()}, away=away)


def _vacant(items: Sequence[Item], staff: Staff, excluded: frozenset[int]) -> set[str]:
    """The positions without people for which work is to be given out."""
    lines = [
        (item.line.position, item.order.department)
        for item in items
        if not (item.order.done or item.order.cancelled or (item.known and item.known.task_id))
    ]
    vacant = [line for line in lines if not staff.position(*line, excluded).people]
    return {f"{same_name(position)}|{same_name(department or '')}" for position, department in vacant}


def _as_answered(company: OrgData, portal: PortalState, workers: Sequence[int]) -> OrgData:
    """Who was dismissed or moved since the people were cached; of others than the workers the work is not known."""
    staff = company.staff
    asked = set(workers)
    people = [portal.people.get(id_, person) if id_ in asked else person for id_, person in staff.people.items()]
    return company if people == [*staff.people.values()] else replace(company, staff=staff.with_people(people))


def _lost(rows: Mapping[str, LedgerTask]) -> list[LedgerTask]:
    """Lines whose tasks were being made when a run was cut."""
    return [row for row in rows.values() if recovery.state_of(row) is WriteState.ADDING and row.task_id is None]


def _with_deadline_as_sent(row: LedgerTask, task: Task | None) -> LedgerTask:
    """An update of unknown fate may have set the deadline: then it was not moved by hand."""
    under_way = row.sent_values.get("deadline_under_way")
    if task is None or task.deadline is None or under_way != task.deadline.isoformat():
        return row
    return replace(row, deadline=task.deadline)


def _report_left(position: str, task: Task, spans: Spans) -> TaskResult:
    """Say of the task of a line that its order no longer has that it was left alone."""
    return TaskResult(
        position=position,
        outcome=CHANGED_NOTHING,
        task_id=task.id,
        title=task.title,
        responsible=(task.responsible_id, task.responsible_name),
        start=task.start,
        end=task.end,
        ready=None if spans.is_outside(task) else spans.end_of_task(task.responsible_id, task.id),
        deadline=task.deadline,
        estimate_s=task.estimate_s,
        warnings=(_("the order no longer has this line: its task was left"),),
    )
