"""What people, managers and chats are sent: each thing once, in one message a run, while they are at work."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from b24tools.bitrix24.batch import Batch
from b24tools.core import errors
from b24tools.jobs import replan
from b24tools.jobs.orders import list_orders
from b24tools.jobs.replan import Request
from tests.support.crash import new_works
from tests.support.messages import follow, received, send, states
from tests.support.orders import MOSCOW, Works, order, rules

NINE = datetime(2026, 11, 23, 9, 30, tzinfo=MOSCOW)


@pytest.fixture
def works(tmp_path: Path) -> Works:
    """The plant on Monday at half past nine, with people and managers followed."""
    works = new_works(tmp_path)
    follow(works)
    works.clock.now = NINE
    return works


def welder_of(works: Works, number: str = "1Ц-00000100") -> int:
    """Who has the welding of this order."""
    return next(task.responsible for task in works.portal.tasks if task.title == f"Сварщик: {number}")


def fall_ill(works: Works, user_id: int) -> None:
    """Away for two weeks; the work goes to others."""
    works.portal.add_absence(user_id, date(2026, 11, 23), date(2026, 12, 4))
    with works.tools() as tools:
        replan.write(tools, rules(), Request(), None, None)


def test_a_person_learns_of_new_work_once(works: Works) -> None:
    """With order, customer, times and a link; sent again the order is no news."""
    works.assign(order(customer="ООО «Ромашка»"))
    sending = send(works)
    welder = welder_of(works)
    task = next(task.id for task in works.portal.tasks if task.title == "Сварщик: 1Ц-00000100")
    assert [f"#{welder}"] == [message.to for message in sending.sent]
    assert [
        (
            f"notify{welder}",
            "Your work has changed\nGiven to you: 1\n• Сварщик: 1Ц-00000100, ООО «Ромашка», 23.11 09:30-10:30",
        )
    ] == received(works)
    url = f"https://portal.example/company/personal/user/0/tasks/task/view/{task}/"
    assert f"[URL={url}]Сварщик: 1Ц-00000100[/URL]" in works.portal.messages[0].text
    works.assign(order(customer="ООО «Ромашка»"))
    assert () == send(works).sent
    assert 1 == len(works.portal.messages)


def test_who_loses_work_and_who_gets_it_learn_of_it(works: Works) -> None:
    """The one who is ill learns of it when he is back."""
    works.assign(order([("Сварщик", 240)]))
    send(works)
    ill = welder_of(works)
    fall_ill(works, ill)
    send(works)
    healthy = welder_of(works)
    assert [f"notify{ill}", f"notify{healthy}"] == [dialog for dialog, _text in received(works)]
    assert "Given to you: 1" in received(works)[1][1]
    assert [(f"#{ill}", "done"), (f"#{healthy}", "done"), (f"#{ill}", "planned")] == sorted(
        states(works), key=lambda state: (state[1], state != (f"#{ill}", "done"))
    )
    works.clock.now = datetime(2026, 12, 7, 9, 30, tzinfo=MOSCOW)
    send(works)
    assert (
        f"notify{ill}",
        "Your work has changed\nNot yours any more: 1\n• Сварщик: 1Ц-00000100, was 23.11 09:30-14:30",
    ) == received(works)[2]


def test_moved_work_says_from_when_to_when(works: Works) -> None:
    """New minutes move the end."""
    works.assign(order([("Сварщик", 60)]))
    send(works)
    works.assign(order([("Сварщик", 120)]))
    send(works)
    assert "Moved: 1\n• Сварщик: 1Ц-00000100, 23.11 09:30-11:30 (was 23.11 09:30-10:30)" in received(works)[1][1]


def test_a_cancelled_order_is_taken_from_its_people(works: Works) -> None:
    """Its people learn that they need not do it; and that they must, if it comes back."""
    works.assign(order())
    send(works)
    works.assign(order(called_off=True))
    send(works)
    works.assign(order())
    send(works)
    words = [text.splitlines()[1] for _dialog, text in received(works)]
    assert ["Given to you: 1", "Not yours any more: 1", "Given to you: 1"] == words


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 23, 7, 0, tzinfo=MOSCOW),
        datetime(2026, 11, 23, 13, 30, tzinfo=MOSCOW),
        datetime(2026, 11, 28, 11, 0, tzinfo=MOSCOW),
    ],
    ids=["before the shift", "in the break", "on Saturday"],
)
def test_outside_of_the_hours_nothing_is_sent_or_asked(moment: datetime, works: Works) -> None:
    """It goes with the first command within them, as one message of all that has come together."""
    works.clock.now = moment
    works.assign(order(number="1", id="a"))
    assert ["planned"] == [message.state for message in send(works).waiting]
    works.assign(order([("Сварщик", 30)], number="2", id="b"), excluded=frozenset({20, 21} - {welder_of(works, "1")}))
    works.portal.log.clear()
    waiting = send(works).waiting
    assert ([], []) == (works.portal.log, works.portal.messages)
    works.clock.now = datetime(2026, 11, 30, 9, 30, tzinfo=MOSCOW)
    assert [message.to for message in waiting] == [message.to for message in send(works).sent]


def test_what_was_given_and_taken_away_again_is_no_news(works: Works) -> None:
    """While no message has left."""
    works.clock.now = datetime(2026, 11, 23, 7, 0, tzinfo=MOSCOW)
    works.assign(order())
    send(works)
    works.assign(order(called_off=True))
    send(works)
    assert [] == states(works)
    works.clock.now = NINE
    assert () == send(works).sent


@pytest.mark.long
def test_200_changes_of_a_run_are_one_message_a_person(works: Works) -> None:
    """With ten lines, and how many more there are."""
    orders = [order([("Сварщик", 10)] * 50, id=f"order-{n}", number=str(n)) for n in range(4)]
    works.assign(*orders)
    before = len(works.portal.log)
    sending = send(works)
    people = {task.responsible for task in works.portal.tasks if task.title.startswith("Сварщик: ")}
    counts = [len(message.content["changes"]) for message in sending.sent]
    assert len(people) >= len(counts)
    assert 200 == sum(counts)
    assert len(set(dialog for dialog, _text in received(works))) == len(works.portal.messages) == len(counts)
    assert 2 == len(works.portal.log) - before
    for (_dialog, text), count in zip(received(works), counts, strict=True):
        assert 10 == text.count("•")
        assert f"… and {count - 10} more: all your tasks" in text


def test_the_manager_learns_once_for_each_new_day_that_a_promise_slips(works: Works) -> None:
    """Of the order's `Менеджер`: worked out again nothing is said, and a day that comes nearer again is no news."""
    manager = works.portal.add_user("Мария", "Продажина", departments=[1]).id
    works.assign(order([("Сварщик", 240)], manager="Продажина Мария"))
    send(works, ["managers"])
    assert [] == works.portal.messages
    welder = welder_of(works)
    counts = []
    for first, last in ((23, 24), (23, 24), (23, 25), (23, 26)):
        works.portal.absences.clear()
        works.portal.add_absence(welder, date(2026, 11, first), date(2026, 11, last))
        for _again in range(2):
            with works.tools() as tools:
                list_orders(tools, rules())
            send(works, ["managers"])
        counts.append(len(works.portal.messages))
    works.portal.absences.clear()
    with works.tools() as tools:
        list_orders(tools, rules())
    send(works, ["managers"])
    assert [1, 1, 2, 3, 3] == [*counts, len(works.portal.messages)]
    assert {f"notify{manager}"} == {dialog for dialog, _text in received(works)}
    name = works.portal.users[welder]
    assert [
        f"Orders that will be ready later\n• 1Ц-00000100: {after}.11.2026 instead of {before}.11.2026"
        f" (Сварщик - {name.name} {name.last_name} is away)"
        for before, after in ((23, 25), (25, 26), (26, 27))
    ] == [text for _dialog, text in received(works)]


def test_after_a_replan_the_manager_learns_the_same_as_from_orders(works: Works) -> None:
    """What is saved after the moves is what `orders` works out: nothing changes once more."""
    works.assign(*(order([("Сварщик", 240)], id=f"order-{n}", number=str(n)) for n in range(3)))
    fall_ill(works, welder_of(works, "0"))
    with works.tools() as tools:
        orders = tools.store.orders
        saved = orders.read([f"order-{n}" for n in range(3)])
        list_orders(tools, rules())
        assert saved == orders.read(saved)
        assert ["2026-11-24"] == [saved["order-0"].standing["finish"]]


def test_who_has_left_gets_nothing(works: Works) -> None:
    """And is not asked about again."""
    works.assign(order())
    works.portal.users[welder_of(works)].active = False
    assert ((), ()) == (send(works).sent, send(works).waiting)
    assert ["failed"] == [state for _to, state in states(works)]
    assert [] == works.portal.messages


def test_what_was_there_before_it_was_switched_on_is_no_news(tmp_path: Path) -> None:
    """Nor is what happened while it was off."""
    works = new_works(tmp_path)
    works.clock.now = NINE
    works.assign(order(number="1", id="a"))
    follow(works)
    assert () == send(works).sent
    follow(works, [])
    works.assign(order(number="2", id="b"))
    follow(works)
    works.assign(order(number="3", id="c"))
    assert [1] == [len(message.content["changes"]) for message in send(works).sent]
    assert "Сварщик: 3" in received(works)[0][1]


def test_what_waits_when_it_is_switched_off_is_given_up(works: Works) -> None:
    """Who took the audience out of B24_NOTIFY wants it to get nothing, in the morning neither."""
    works.clock.now = datetime(2026, 11, 23, 22, tzinfo=MOSCOW)
    works.assign(order())
    assert 1 == len(send(works).waiting)
    works.clock.now = NINE + timedelta(days=1)
    assert ((), ()) == ((sending := send(works, ())).sent, sending.waiting)
    assert ["failed"] == [state for _to, state in states(works)]
    assert ([], []) == (works.portal.messages, list(send(works).sent))


@pytest.mark.sqlite
def test_after_a_restored_backup_it_goes_on_from_now(works: Works) -> None:
    """The ledger is as of then: what it has not is no news."""
    works.assign(order(number="1", id="a"))
    path = works.folder / "b24tools.db"
    backup = path.read_bytes()
    works.assign(order(number="2", id="b"))
    send(works)
    for name in ("b24tools.db-wal", "b24tools.db-shm"):
        (works.folder / name).unlink(missing_ok=True)
    path.write_bytes(backup)
    count = len(works.portal.messages)
    works.clock.now += timedelta(minutes=5)
    works.assign(order(number="2", id="b"))
    send(works)
    assert count == len(works.portal.messages)


def test_a_missing_right_is_said_and_the_message_waits(works: Works) -> None:
    """The work itself is done."""
    works.portal.scopes.discard("im")
    works.assign(order())
    (problem,) = send(works).problems
    assert isinstance(problem, errors.PortalDenied)
    assert "“im”" in problem.hint
    works.portal.scopes.add("im")
    assert 1 == len(send(works).sent)


def test_what_cannot_leave_waits(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """The portal's certificate is over, say: in a chat a message of unknown fate would never be sent again."""
    with works.tools() as tools:
        tools.store.messages.plan("digest:chat7:1", "digest", {"text": "Today"}, works.clock(), chat="chat7")

    def refuse(_batch: Batch) -> None:
        raise errors.ConfigError("the certificate of portal.example cannot be verified")

    with monkeypatch.context() as broken, pytest.raises(errors.ConfigError):
        broken.setattr(Batch, "send", refuse)
        send(works)
    assert [("chat7", "planned")] == states(works)


def test_news_that_came_while_a_message_was_about_to_leave_are_told(works: Works) -> None:
    """Another run adds to what waits: who had read the message before must not send it in the place of the new one."""
    works.assign(order())
    with works.tools() as tools:
        messages = tools.store.messages
        messages.plan_work(works.clock())
        (before,) = messages.list_waiting(works.clock())
        works.assign(order(number="2", id="b"), pins={"Сварщик": welder_of(works)})
        messages.plan_work(works.clock())
        assert [] == messages.book([before], works.clock())
    assert [2] == [len(message.content["changes"]) for message in send(works).sent]


def test_a_message_has_no_markup_but_ours(works: Works) -> None:
    """Brackets of 1C become round ones."""
    works.assign(order(number="[URL=https://evil.example]7[/URL]", customer="[user=all]Все[/user]\n>>x"))
    send(works)
    text = works.portal.messages[0].text
    assert text.count("[") == text.replace("[B]", "").replace("[/B]", "").count("[") + 2
    assert "(user=all)Все(/user) >>x" in text
    assert "[URL=https://evil" not in text
