"""Random plants that live on for days: what 1C sends, what people do, what `replan` moves; and what must hold then."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from b24tools.assignment.report import OrderResult
from b24tools.assignment.team import read_team
from b24tools.assignment.tools import Tools
from b24tools.jobs import assign, load, orders, replan, today
from b24tools.onec import order as onec_order
from b24tools.onec import task_fields
from b24tools.sandbox.records import Task
from b24tools.sandbox.state import Portal
from b24tools.scheduling.calendar import DAY_OFF
from b24tools.scheduling.calendar_file import OwnDays
from b24tools.scheduling.lane import Slot
from tests.support.minute_plant import (
    DAY,
    DEFERRED,
    IN_PROGRESS,
    PENDING,
    MinutePlant,
    PlantOrder,
    PlantTask,
    Shift,
    Stands,
)
from tests.support.orders import MOSCOW, Clock, Works, order, rules

POSITIONS = ("Раскрой", "Сварка", "Сборка", "Покраска")
MIDNIGHT = datetime(2026, 11, 23, tzinfo=MOSCOW)  # a Monday
STEP = 5
MINUTE = timedelta(minutes=1)
SHIFTS = (Shift(9 * 60, 18 * 60, 60, frozenset(range(5))),) * 3 + (
    Shift(8 * 60, 16 * 60, 30, frozenset(range(5))),
    Shift(7 * 60, 13 * 60, 0, frozenset(range(6))),
    Shift(10 * 60, 20 * 60, 60, frozenset({0, 1, 3, 4})),
)


def at(minute: int) -> datetime:
    """A moment, of minutes since the plant's first midnight."""
    return (MIDNIGHT + minute * MINUTE).astimezone(UTC)


def minute(moment: datetime | float | None) -> int | None:
    """Minutes since the plant's first midnight, of a moment or the portal's stamp."""
    if moment is None:
        return None
    moment = moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
    whole, rest = divmod(moment - MIDNIGHT, MINUTE)
    assert not rest, moment
    return whole


@dataclass
class Sent:
    """An order as 1C sent it last, with every line that it ever had: key → position, stage as last sent."""

    order: onec_order.Order
    lines: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    promised: int | None = None
    ever_cancelled: bool = False
    resized: set[str] = field(default_factory=set)


class LivingPlant:
    """A plant on the sandbox, its people and orders, and a clock of its own. All chance comes from the seed."""

    tools: Tools

    def __init__(self, seed: int, folder: Path) -> None:
        self.chance = chance = random.Random(seed)
        self.clock = Clock(at(7 * 60))
        portal = Portal(self.clock, default_time_zone="Europe/Moscow", sleep=self.clock.sleep)
        self.works = Works(portal, folder, self.clock)
        self.shift = chance.choice(SHIFTS)
        days = "".join(str(day + 1) for day in sorted(self.shift.weekdays))
        portal.add_schedule(self.shift.start / 60, self.shift.end / 60, days=days, break_s=self.shift.pause * 60)
        root = portal.add_department("Производство")
        self.people: dict[int, str] = {}
        self.positions = POSITIONS[: chance.randint(2, 4)]
        for position in self.positions:
            home = portal.add_department(position, parent=root.id)
            for number in range(chance.choice((1, 1, 2, 2, 3, 5))):
                person = portal.add_user("Иван", f"{position}{number}", departments=[home.id])
                self.people[person.id] = position
        portal.add_group("Задачи из 1с", 1, members=[1, *self.people])
        self.route = self.positions if chance.random() < 0.5 else ()
        self.has_stages = chance.random() < 0.4
        self.away: dict[int, list[tuple[int, int]]] = {id_: [] for id_ in self.people}
        self.sent: dict[str, Sent] = {}
        self.by_hand: set[int] = set()  # tasks that people have moved or given to others
        self.put_at: dict[int, tuple[Any, Any]] = {}  # the plans that people have made, until another one is written
        self.log: list[str] = []

    # what there is

    @property
    def portal(self) -> Portal:
        return self.works.portal

    @property
    def now(self) -> int:
        """Minutes since the first midnight."""
        return minute(self.clock.now) or 0

    @property
    def rules(self) -> Any:
        return rules(route=self.route, own=OwnDays({_day(number): DAY_OFF for number in self.shift.days_off}))

    def keys(self) -> dict[str, Task]:
        """The tasks of orders on the portal, by key."""
        return {
            task.xml_id: task for task in self.portal.tasks if (task.xml_id or "").startswith("1c:") and task.xml_id
        }

    def tasks(self) -> list[Task]:
        """The open tasks of orders, in a fixed sequence."""
        return [task for task in self.keys().values() if task.status in (1, 2, 3)]

    def active(self, position: str | None = None) -> list[int]:
        """Who works there."""
        return [id_ for id_, own in self.people.items() if self.portal.users[id_].active and position in (None, own)]

    def model(self) -> MinutePlant:
        """The plant as the specification sees it now, read off the portal and what was sent."""
        ours = self.keys()
        tasks = {
            task.id: PlantTask(
                task.id,
                task.responsible,
                task.status,
                task.time_estimate // 60,
                task.time_spent // 60,
                minute(task.start_plan),
                minute(task.end_plan),
                minute(task.date_start),
                minute(task.closed_at),
                ours=(task.xml_id or "").startswith("1c:"),
                is_abandoned=not self.portal.users[task.responsible].active,
                by_hand=self.put_at.get(task.id) == (task.start_plan, task.end_plan),
            )
            for task in self.portal.tasks
        }
        plant_orders = {}
        for id_, sent in self.sent.items():
            is_own = any(stage for _position, stage in sent.lines.values())
            lines = []
            there = task_fields.line_keys(sent.order)
            for key, (position, stage) in sent.lines.items():
                if key not in there and key not in ours:
                    continue  # 1C has it no longer, nor has the portal
                if key not in there and tasks[ours[key].id].status == DEFERRED and not sent.order.cancelled:
                    continue  # or it is put off there
                if not is_own:
                    stage = self.route.index(position) if position in self.route else None
                lines.append((tasks[ours[key].id] if key in ours else None, stage))
            wanted = sent.order.wanted
            late_from = None
            if wanted is not None:
                late_from = (minute(wanted) or 0) + (DAY if sent.order.wanted_is_day else 0)
            is_ended = sent.order.done or sent.order.cancelled
            accepted = minute(sent.order.accepted) or 0
            known = is_ended, sent.order.cancelled, sent.promised, accepted
            plant_orders[id_] = PlantOrder(tuple(lines), late_from, *known)
        away = {person: spans for person, spans in self.away.items()}
        return MinutePlant(self.shift, away, self.now, STEP, tasks.values(), plant_orders)

    # what happens

    def say(self, text: str) -> None:
        """Note it, for whoever looks for a failure."""
        day, rest = divmod(self.now, DAY)
        self.log.append(f"day {day} {rest // 60:02}:{rest % 60:02} {text}")

    def go_on(self, minutes: int) -> None:
        """Let time pass."""
        self.clock.now += minutes * MINUTE

    def live(self, **measures: int) -> None:
        """Live for some days; after each compare. The data folder is opened once, for all runs of the program."""
        with self.works.tools() as tools:
            self.tools = replace(tools, lock=nullcontext())
            self._live(**measures)

    def _live(self, days: int, events: int, orders_at_first: int, days_off: int = 0) -> None:
        for _number in range(orders_at_first):
            self.new_order()
            self.go_on(1)
        self.compare()
        for day in range(days):
            self.clock.now = max(self.clock.now, at(day * DAY + 7 * 60 - self.chance.choice((0, 0, 30))))
            for _number in range(days_off):
                self.declare_day_off(self.chance.randint(day, day + 3))
                self.compare()
            if self.chance.random() < 0.5:
                self.replan()
            moments = sorted(self.chance.sample(range(day * DAY + 7 * 60 + 15, day * DAY + 19 * 60), events))
            for moment in moments:
                self.clock.now = at(moment)
                self.happen()
            self.go_on(1)
            self.compare()

    def declare_day_off(self, day: int) -> None:
        """Nobody works on that day, whatever is planned there."""
        self.say(f"day {day} is a day off")
        self.shift = replace(self.shift, days_off=self.shift.days_off | {day})

    def happen(self) -> None:
        """One thing happens."""
        kinds: list[tuple[Callable[[], None], int]] = [
            (self.new_order, 6),
            (self.send_again, 3),
            (self.change_order, 4),
            (self.cancel_or_renew, 2),
            (self.finish_order, 1),
            (self.start_task, 10),
            (self.pause_task, 2),
            (self.spend_time, 4),
            (self.close_task, 8),
            (self.fall_ill, 3),
            (self.dismiss, 1),
            (self.give_to_another, 2),
            (self.move_slot, 2),
            (self.defer_or_delete, 1),
            (self.other_work, 3),
            (self.replan_without, 1),
        ]
        self.chance.choices([kind for kind, _weight in kinds], [weight for _kind, weight in kinds])[0]()

    def pick(self, choices: list[Any]) -> Any:
        """Any of them; None of none."""
        return self.chance.choice(choices) if choices else None

    def lines(self, count: int) -> tuple[onec_order.Line, ...]:
        """Lines with and without stages."""
        chance = self.chance
        positions = [chance.choice(self.positions) for _number in range(count)]
        staged = self.has_stages and chance.random() < 0.6
        return tuple(
            onec_order.Line(
                position=position,
                minutes=chance.choice((20, 60, 90, 240, 480, 725, 1300)),
                stage=chance.choice((1, 2, 2, 3, None)) if staged else None,
            )
            for position in positions
        )

    def wanted(self) -> datetime | None:
        """No date, a day, or a moment."""
        day = MIDNIGHT + timedelta(days=self.now // DAY + self.chance.randint(0, 12))
        return self.chance.choice((None, day, day, day, day + timedelta(hours=15)))

    def new_order(self) -> None:
        """1C sends an order."""
        number = len(self.sent) + 1
        accepted = at(self.now + self.chance.randint(1, 2 * DAY)) if self.chance.random() < 0.15 else None
        new = order(
            (),
            id=f"order-{number}",
            number=str(number),
            wanted=self.wanted(),
            priority=self.chance.choice((None, None, None, 1, 2)),
            accepted=accepted,
        )
        self.send(new.model_copy(update={"lines": self.lines(self.chance.randint(1, 4))}))

    def send(self, sent: onec_order.Order) -> OrderResult:
        """Send an order, and compare what is answered with the model after it."""
        flags = ", cancelled" * sent.cancelled + ", done" * sent.done
        lines = [(line.position, line.minutes, line.stage) for line in sent.lines]
        accepted = minute(sent.accepted)
        self.say(f"send {sent.id}, wanted {minute(sent.wanted)}, accepted {accepted}{flags}: {lines}")
        known = self.sent.setdefault(sent.id, Sent(sent))
        known.ever_cancelled |= known.order.cancelled or sent.cancelled
        before = {key: task.id for key, task in self.keys().items()}
        (result,) = assign.orders([sent], self.tools, self.rules)
        assert result.exit_status == 0, (result, self.log)
        keys, ours = task_fields.line_keys(sent), self.keys()
        if not (sent.done or sent.cancelled):
            minutes = dict(zip(task_fields.line_keys(known.order), known.order.lines, strict=True))
            for key, line in zip(keys, sent.lines, strict=True):
                if key in minutes and minutes[key].minutes != line.minutes:
                    known.resized.add(key)
        for key, line in zip(keys, sent.lines, strict=True):
            if key in ours:
                known.lines[key] = line.position, line.stage
        known.order = sent
        model = self.model()
        if known.promised is None and result.promise is not None and not sent.cancelled:
            known.promised = ((minute(result.promise.ready) or 0) - 1) // DAY
        self.check_answer(result, model)
        self.check_slots([task for key, task in self.keys().items() if before.get(key) != task.id])
        return result

    def open_order(self) -> Sent | None:
        """An order that is not over."""
        return self.pick([sent for sent in self.sent.values() if not (sent.order.done or sent.order.cancelled)])

    def send_again(self) -> None:
        """The same again."""
        if sent := self.open_order():
            self.send(sent.order)

    def change_order(self) -> None:
        """Other minutes, another date, one line more or less."""
        sent = self.open_order()
        if sent is None:
            return
        lines, changes = list(sent.order.lines), {}
        match self.chance.choice(("minutes", "wanted", "more", "less", "accepted")):
            case "minutes":
                number = self.chance.randrange(len(lines))
                minutes = self.chance.choice((30, 120, 600))
                lines[number] = lines[number].model_copy(update={"minutes": minutes})
            case "wanted":
                changes = {"wanted": self.wanted()}
            case "accepted":
                changes = {"accepted": at(self.now + self.chance.randint(-DAY, 4 * DAY))}
            case "more":
                lines += self.lines(1)
            case "less":
                lines = lines[:-1] or lines
        self.send(sent.order.model_copy(update={"lines": tuple(lines), **changes}))

    def cancel_or_renew(self) -> None:
        """1C takes an order back, or takes it up again."""
        sent = self.pick([sent for sent in self.sent.values() if not sent.order.done])
        if sent is not None:
            self.send(sent.order.model_copy(update={"called_off": not sent.order.called_off}))

    def finish_order(self) -> None:
        """1C says that it is done."""
        if sent := self.open_order():
            self.send(sent.order.model_copy(update={"done": True}))

    def act(self, method: str, task: Task, user: int, **params: Any) -> None:
        """Let a person do something to a task."""
        self.say(f"{method} {task.id} ({task.title}) by {user} {params}")
        self.portal.act(f"tasks.task.{method}", {"taskId": task.id, **params}, user_id=user)

    def start_task(self) -> None:
        """Somebody begins: mostly what is next."""
        tasks = [task for task in self.tasks() if task.status == PENDING]
        tasks.sort(key=lambda task: (task.start_plan or 0, task.id))
        if task := self.pick(tasks[:4] if self.chance.random() < 0.8 else tasks):
            self.act("start", task, task.responsible)

    def pause_task(self) -> None:
        """Somebody stops."""
        if task := self.pick([task for task in self.tasks() if task.status == IN_PROGRESS]):
            self.act("pause", task, task.responsible)

    def spend_time(self) -> None:
        """Somebody notes time."""
        if task := self.pick([task for task in self.tasks() if task.date_start]):
            minutes = self.chance.choice((10, 35, 120, 600))
            self.say(f"{minutes} minutes spent on {task.id}")
            fields = {"SECONDS": minutes * 60, "COMMENT_TEXT": ""}
            self.portal.act("task.elapseditem.add", {"taskId": task.id, "fields": fields}, user_id=task.responsible)

    def close_task(self) -> None:
        """Somebody finishes, early or late."""
        tasks = sorted(self.tasks(), key=lambda task: (task.status != IN_PROGRESS, task.start_plan or 0, task.id))
        if task := self.pick(tasks[:3]):
            self.act("complete", task, task.responsible)

    def fall_ill(self) -> None:
        """Somebody is away, from now or from later on, for days or hours."""
        person = self.pick(self.active())
        today = self.now // DAY
        first = today + self.chance.choice((0, 0, 0, 1, 3))
        if self.chance.random() < 0.25:
            start = first * DAY + 60 * self.chance.randint(9, 14)
            end = start + 60 * self.chance.randint(1, 4)
            self.portal.add_meeting(person, at(start), at(end), accessibility="absent")
        else:
            last = first + self.chance.choice((0, 1, 2, 4))
            start, end = first * DAY, (last + 1) * DAY
            self.portal.add_absence(person, _day(first), _day(last))
        self.say(f"{person} is away {start // DAY} {start % DAY} .. {end // DAY} {end % DAY}")
        self.away[person].append((start, end))

    def dismiss(self) -> None:
        """Somebody leaves; in each department one stays."""
        person = self.pick(self.active())
        if len(self.active(self.people[person])) > 1:
            self.say(f"{person} leaves")
            self.portal.users[person].active = False

    def give_to_another(self) -> None:
        """A task is given to another person by hand."""
        if task := self.pick(self.tasks()):
            self.by_hand.add(task.id)
            self.act("delegate", task, 1, userId=self.pick(self.active()))

    def move_slot(self) -> None:
        """A slot is moved by hand, now and then out of the working hours."""
        task = self.pick([task for task in self.tasks() if task.start_plan])
        if task is None:
            return
        worked = [moment for moment in self.shift.minutes if moment > self.now][: 4 * 480]
        start = self.chance.choice(worked)
        length = self.chance.choice((20, 60, 240))
        if self.chance.random() < 0.2:
            start = (start // DAY) * DAY + 21 * 60
        fields = {"START_DATE_PLAN": at(start).isoformat(), "END_DATE_PLAN": at(start + length).isoformat()}
        self.by_hand.add(task.id)
        self.act("update", task, 1, fields=fields)
        self.put_at[task.id] = task.start_plan, task.end_plan

    def defer_or_delete(self) -> None:
        """Somebody puts a task off, or deletes it."""
        if task := self.pick(self.tasks()):
            self.act(self.chance.choice(("defer", "delete")), task, 1)

    def other_work(self) -> None:
        """A task of another project."""
        start = self.now + self.chance.randint(-2 * DAY, 3 * DAY)
        plan: dict[str, Any] = {}
        if self.chance.random() < 0.6:
            plan = {"start_plan": at(start), "end_plan": at(start + self.chance.randint(1, 20) * 30)}
        if self.chance.random() < 0.3:
            plan |= {"status": IN_PROGRESS, "date_start": at(self.now - self.chance.randint(0, 600))}
        person = self.pick(self.active())
        estimate = self.chance.choice((0, 1800, 7200, 36000))
        self.say(f"other work of {person}: {estimate // 60} {plan}")
        self.portal.add_task("Другое", responsible=person, creator=1, time_estimate=estimate, **plan)

    # replan

    def run_replan(self, **request: Any) -> replan.Replan:
        """One run that does not ask."""
        return replan.write(self.tools, self.rules, replan.Request(**request), None, None)

    def replan(self) -> None:
        """Move; then nothing of ours that may move begins inside an absence, and once more changes nothing."""
        frozen_days = self.chance.choice((0, 1, 1))
        self.say(f"replan, {frozen_days} days frozen")
        result = self.run_replan(frozen_days=frozen_days)
        moved = [move for move in result.planned if move.outcome == "moved"]
        assert moved == result.planned, result
        self.say_moves(result)
        self.check_slots([self.portal.tasks[move.task_id] for move in moved])
        model = self.model()
        for change in result.orders:
            stands = model.stands(model.orders[change.order_id])
            assert (stands.finish, stands.late) == (minute(change.finish_after), change.late_after_s // 60), self.story(
                *self.lanes(model), change.order_id, stands, change
            )
        staying = {move.task_id for move in result.moves if move.after is None and move.reason != "late"}
        for task in self.unmoved():
            if task.id in staying or task.date_start or task.time_spent or task.status not in (1, PENDING):
                continue
            planned = max(minute(task.start_plan) or 0, self.now)
            start = next(moment for moment in self.shift.minutes if moment >= planned)
            under = [span for span in self.away[task.responsible] if span[0] <= start < span[1]]
            assert not under, self.story(task.id, task.title, under)
        writes = len(self.portal.writes())
        again = self.run_replan(frozen_days=frozen_days)
        assert ([], []) == (again.planned, self.portal.writes()[writes:]), self.story(again.planned)

    def say_moves(self, result: replan.Replan) -> None:
        """Note what moved, and what stayed though it should."""
        for move in result.moves:
            places = [
                (place.responsible[0], *(divmod(minute(moment) or 0, DAY) for moment in (place.start, place.end)))
                for place in (move.before, move.after)
                if place
            ]
            self.say(f"  {move.task_id} {move.reason} {move.outcome} {places} {move.note}")

    def replan_without(self) -> None:
        """Somebody is to be planned without, for some days."""
        person = self.pick(self.active())
        since = at(self.now)
        self.say(f"replan without {person}")
        result = self.run_replan(without=str(person), since=since, until=since + timedelta(days=2))
        self.say_moves(result)
        self.check_slots([self.portal.tasks[move.task_id] for move in result.planned])

    # what must hold

    def story(self, *what: Any) -> str:
        """Everything that happened, and what is wrong now."""
        return "\n".join([*self.log, f"now {self.now // DAY} {self.now % DAY}", *map(str, what)])

    def unmoved(self) -> list[Task]:
        """Open tasks of orders that lie as b24tools wrote them."""
        ledger = self.ledger()
        tasks = []
        for task in self.tasks():
            row = ledger.get(task.id)
            if task.id not in self.by_hand and row == (
                task.responsible,
                minute(task.start_plan),
                minute(task.end_plan),
            ):
                tasks.append(task)
        return tasks

    def ledger(self) -> dict[int, tuple[int | None, int | None, int | None]]:
        """Person and plan of each task, as last written."""
        rows = self.tools.store.orders.lines(self.sent).values()
        return {row.task_id or 0: (row.responsible_id, minute(row.start), minute(row.end)) for row in rows}

    def check_slots(self, placed: list[Task]) -> None:
        """What was just given out meets no other slot of ours that nobody has moved, or changed, or begun."""
        resized = {key for sent in self.sent.values() for key in sent.resized}
        renewed = {key for sent in self.sent.values() if sent.ever_cancelled for key in sent.lines}
        others = [
            task
            for task in self.unmoved()
            if task.xml_id not in resized | renewed
            and task.status != IN_PROGRESS  # what is begun is done now, whatever its plan
            and (minute(task.start_plan) or 0) > self.now
        ]
        for task in placed:
            assert (minute(task.start_plan) or 0) >= self.now, self.story(task)
            for other in others:
                if other.id != task.id and other.responsible == task.responsible:
                    is_apart = task.end_plan <= other.start_plan or other.end_plan <= task.start_plan
                    assert is_apart, self.story(*(self.show(item) for item in (task, other)))

    def show(self, task: Task) -> str:
        """A task in a line."""
        start, end = (minute(task.start_plan) or 0, minute(task.end_plan) or 0)
        return f"{task.id} {task.title} of {task.responsible}: {divmod(start, DAY)} .. {divmod(end, DAY)}"

    def check_answer(self, result: OrderResult, model: MinutePlant) -> None:
        """What was answered for an order is what the model says, where 1C has not ended it."""
        order_ = model.orders[result.id]
        stands = model.stands(order_)
        if order_.is_ended or stands.state == "done" or stands.finish is None:
            return
        answer = minute(result.finish), result.late_s // 60
        assert (stands.finish, stands.late) == answer, self.story(result.id, stands, answer, *self.lanes(model))

    def lanes(self, model: MinutePlant) -> list[str]:
        """Every lane in lines."""
        return [
            f"{person}: {task.id} {task.status} left {lane.left(task)} plan "
            f"{task.start and divmod(task.start, DAY)} {task.end and divmod(task.end, DAY)} "
            f"ends {divmod(lane.ends[task.id], DAY)} held {lane.held.get(task.id) and divmod(lane.held[task.id], DAY)}"
            for person, lane in model.lanes.items()
            for task in sorted(lane.tasks, key=lambda laid: lane.ends[laid.id])
        ]

    def compare(self) -> None:
        """`orders`, each order sent again, and `load` agree with the model."""
        model = self.model()
        ready = self.compare_orders(model)
        self.compare_promises(model, ready)
        self.compare_load(model)
        self.compare_today()

    def compare_orders(self, model: MinutePlant) -> dict[int | None, datetime | None]:
        """All orders as they stand. Returns when tasks are ready, by id."""
        listing = orders.list_orders(self.tools, self.rules, states=orders.STATES)
        for standing in listing.orders:
            expected = model.stands(model.orders[standing.row.id])
            answer = Stands(standing.state, standing.done, standing.of, minute(standing.finish), standing.late_s // 60)
            assert expected == answer, self.story(standing.row.id, expected, answer, *self.lanes(model))
        return {line.row.task_id: line.ready for standing in listing.orders for line in standing.lines}

    def compare_promises(self, model: MinutePlant, ready: dict[int | None, datetime | None]) -> None:
        """Orders sent again alone, and all together; nothing is written."""
        open_ = [
            sent.order
            for id_, sent in self.sent.items()
            if not (sent.order.done or sent.order.cancelled)
            and all(task is not None for task, _stage in model.orders[id_].lines)
        ]
        if not open_:
            return
        alone = self.chance.sample(open_, min(3, len(open_)))
        results = [assign.orders([sent], self.tools, self.rules, dry_run=True)[0] for sent in alone]
        for result in results + assign.orders(open_, self.tools, self.rules, dry_run=True):
            self.check_answer(result, model)
            lines = result.tasks
            said = {task.task_id: task.ready for task in lines}
            assert said == {id_: ready.get(id_) for id_ in said}, self.story(result.id, said, *self.lanes(model))

    def compare_load(self, model: MinutePlant) -> None:
        """Everybody's open work, first free moment and days."""
        report = load.load(self.tools, self.rules, None)
        for person in (person for group in report.groups for person in group.people):
            lane = model.lanes[person.id]
            days = [(day.busy_s / 60, day.work_s / 60) for day in person.days]
            answer = person.open_s / 60, minute(person.free), days
            expected = lane.open, lane.free, lane.days(len(person.days))
            assert expected == answer, self.story(person.name, expected, answer, *self.lanes(model))

    def compare_today(self) -> None:
        """The work lists of three weeks: each task begins and ends there when `load` says, and days are as full."""
        rows = self.tools.store.orders.list_open()
        standings, team = read_team(self.tools, self.rules, None, rows)
        slots: dict[int, list[Slot]] = {}
        for number in range(21):
            day = _day(self.now // DAY + number)
            for work_list in today.list_work(standings, team, "", day).lists:
                for job in work_list.jobs:
                    slots.setdefault(job.task.id, []).append(job.slot)
                busy_s = standings.workload.load(work_list.person.id, 21).days[number].busy_s
                assert work_list.busy_s == busy_s, self.story(work_list.person.name, day)
        end = datetime.combine(_day(self.now // DAY + 21), time(), MOSCOW)
        for person in self.active():
            for task, span in standings.workload.tasks_of(person):
                listed = slots.get(task.id, [])
                answer = [(slot.start, slot.end) for slot in listed if slot is listed[0] or slot.is_last]
                if span[1] <= end and (not answer or (answer[0][0], answer[-1][1]) != span):
                    raise AssertionError(self.story(self.show(self.portal.tasks[task.id]), span, listed))


def _day(number: int) -> date:
    return (MIDNIGHT + timedelta(days=number)).date()
