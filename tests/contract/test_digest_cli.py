"""Messages as the commands send them: `digest`, and what `assign`, `snapshot` and others send after their work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools import context
from b24tools.cli import app, digest
from b24tools.cli.invocation import Invocation
from b24tools.render.messages import to_plain
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.state import Portal

MONDAY = datetime(2026, 11, 30, 7, 30, tzinfo=UTC)  # 10:30 in Moscow
KEYS = ["to", "what", "outcome", "text"]
Run = Callable[..., tuple[int, str, str]]


class Clock:
    """A clock of ours."""

    now = MONDAY

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Monday morning, for the program as for the portal."""
    clock = Clock()
    monkeypatch.setattr(context, "now", clock)
    return clock


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Portal]:
    """The plant with a chat of the webhook's owner, chat2001, in the settings; people get messages, too."""
    plant = demo_company.build(clock)
    plant.new_chat(plant.owner_id)
    with server.serve(plant) as url:
        monkeypatch.setenv("BITRIX_WEBHOOK_URL", plant.webhook_url(url))
        monkeypatch.setenv("B24_NOTIFY", "people,managers,chat2001")
        monkeypatch.setenv("B24_REQUESTS_PER_SECOND", "1000")
        monkeypatch.setenv("B24_RETRY_SECONDS", "0")
        yield plant


@pytest.fixture
def b24tools(capsys: pytest.CaptureFixture[str]) -> Run:
    """One run of the program inside this process: its status, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        status = app.main(list(arguments))
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def order(portal: Portal, b24tools: Run, tmp_path: Path) -> str:
    """The file of an order for a welder that is late."""
    body = {
        "ИдентификаторЗаказа": "11111111-2222-3333-4444-555555555555",
        "НомерЗаказа": "7",
        "Контрагент": "ООО «Ромашка»",
        "РекомендуемаяДатаСдачи": "2026-11-27T00:00:00",
        "Калькуляция": [{"Должность": "Сварщик", "Время": 240}],
    }
    file = tmp_path / "order.json"
    file.write_text(json.dumps(body), encoding="utf-8")
    return str(file)


def received(portal: Portal) -> list[tuple[str, str]]:
    """Where and what, without markup."""
    return [(message.dialog, to_plain(message.text)) for message in portal.messages]


def test_the_sequence_of_the_parts_changes_no_part(order: str, b24tools: Run) -> None:
    """What changed leaves out what is named as late, also where it is asked for first."""
    b24tools("assign", order)
    b24tools("orders")
    both = [("late", "changes"), ("changes", "late")]
    texts = [b24tools("digest", "--to", "chat1", "--what", a, "--what", b, "--dry-run")[1] for a, b in both]
    assert texts[0] == texts[1] != ""


def test_assign_tells_whom_it_gave_work_to(portal: Portal, order: str, b24tools: Run, tmp_path: Path) -> None:
    """After its work; the log has it, and a dry run sends nothing."""
    assert 0 == b24tools("assign", order, "--dry-run")[0]
    assert [] == portal.messages
    assert 0 == b24tools("assign", order)[0]
    ((dialog, text),) = received(portal)
    task = next(task for task in portal.tasks if task.title == "Сварщик: 7")
    assert (f"notify{task.responsible}", "• Сварщик: 7, ООО «Ромашка», 30.11 10:30-15:30") == (
        dialog,
        text.splitlines()[-1],
    )
    log = next(tmp_path.rglob("log.log")).read_text(encoding="utf-8")
    assert f"message to #{task.responsible}: work: task #{task.id}" in log


def test_what_waits_for_the_morning_goes_with_the_next_command(
    portal: Portal, order: str, b24tools: Run, clock: Clock
) -> None:
    """`snapshot` in both modes, `orders`, `digest`."""
    clock.now = MONDAY - timedelta(hours=5)
    assert 0 == b24tools("assign", order)[0]
    assert 0 == b24tools("snapshot")[0]
    assert [] == portal.messages
    clock.now = MONDAY
    b24tools("mode", "webhook")
    assert 0 == b24tools("snapshot")[0]
    assert 1 == len(portal.messages)


def test_a_message_that_cannot_be_sent_fails_no_work(portal: Portal, order: str, b24tools: Run) -> None:
    """A line on stderr, the exit status of the work."""
    portal.scopes.discard("im")
    status, _out, err = b24tools("assign", order)
    assert (0, 1) == (status, err.count("a message was not sent"))
    status, _out, err = b24tools("-q", "assign", order)
    assert (0, 1) == (status, err.count("a message was not sent"))
    assert (0, "", "") == b24tools("-q", "assign", order)


def test_the_morning_of_a_chat(portal: Portal, order: str, b24tools: Run) -> None:
    """Today's work, late orders and changes, each once a day; of what was said already nothing is sent."""
    b24tools("assign", order)
    portal.messages.clear()
    status, out, _err = b24tools("digest", "--dry-run")
    assert (0, []) == (status, portal.messages)
    assert (0, "", "Sent to chat2001.\n") == b24tools("digest")
    ((dialog, text),) = received(portal)
    assert ("chat2001", out.rstrip("\n")) == (dialog, text)
    welder = next(portal.users[task.responsible] for task in portal.tasks if task.title == "Сварщик: 7")
    assert "Today, 30.11.2026\n" in text
    assert f"• {welder.name} {welder.last_name}: 10:30-15:30 Сварщик: 7, ООО «Ромашка»" in text
    assert "Late orders: 1\n• 7, ООО «Ромашка», late by" in text
    assert (0, "", "The same was sent to chat2001 today.\n") == b24tools("digest")
    assert 1 == len(portal.messages)


@pytest.mark.long
def test_a_part_is_sent_once_a_day_whatever_the_clock_says(
    portal: Portal, order: str, b24tools: Run, clock: Clock, tmp_path: Path
) -> None:
    """The list is computed from now, and late orders are later; only another late order, or a change, is news."""
    b24tools("assign", order)
    assert (0, "", "Sent to chat2001.\n") == b24tools("digest")
    portal.messages.clear()
    same = (0, "", "The same was sent to chat2001 today.\n")
    clock.now += timedelta(hours=1, minutes=7)
    assert [same] * 2 == [b24tools("digest", "--what", part) for part in ("mine", "late")]
    assert [[]] == [sent["what"] for sent in json.loads(b24tools("digest", "--json")[1])["data"]]  # it is as late
    clock.now += timedelta(hours=8)
    assert [["changes"]] == [sent["what"] for sent in json.loads(b24tools("digest", "--json")[1])["data"]]
    clock.now += timedelta(minutes=3)
    assert [same] * 2 == [b24tools("digest"), b24tools("digest", "--dry-run")]
    assert 1 == len(portal.messages)

    body = json.loads(Path(order).read_text(encoding="utf-8")) | {"ИдентификаторЗаказа": "2", "НомерЗаказа": "8"}
    second = tmp_path / "second.json"
    second.write_text(json.dumps(body), encoding="utf-8")
    b24tools("assign", str(second))
    portal.messages.clear()
    status, out, _err = b24tools("digest", "--dry-run")
    assert (0, 0, True) == (status, out.count("Today,"), out.startswith("Late orders: 2\n"))
    assert (0, "", "Sent to chat2001.\n") == b24tools("digest")
    assert [("chat2001", out.rstrip("\n"))] == received(portal)
    assert same == b24tools("digest")
    clock.now += timedelta(hours=14)
    assert "Today, 01.12.2026" in b24tools("digest", "--dry-run")[1]


@pytest.mark.sqlite
def test_after_a_restored_backup_no_change_is_said_again(
    portal: Portal, order: str, b24tools: Run, clock: Clock, tmp_path: Path
) -> None:
    """What changes after that is."""

    def say() -> tuple[str, list[str]]:
        clock.now += timedelta(minutes=5)
        portal.messages.clear()
        return b24tools("digest", "--what", "changes")[2], [text for _dialog, text in received(portal)]

    sent, done = "Sent to chat2001.\n", "Orders that have changed: 1\n• 7, ООО «Ромашка», done, 1 of 1"
    b24tools("assign", order)
    assert sent == say()[0]
    b24tools("backup", str(tmp_path / "a.zip"))
    task = next(task for task in portal.tasks if task.title == "Сварщик: 7")
    portal.act("tasks.task.complete", {"taskId": task.id})
    assert (sent, [done]) == say()
    clock.now += timedelta(minutes=5)
    assert "Messages and the outboxes for 1C go on from now" in b24tools("restore", str(tmp_path / "a.zip"), "--yes")[2]
    assert [("Nothing to say to chat2001.\n", [])] * 2 == [say(), say()]
    portal.act("tasks.task.renew", {"taskId": task.id})
    said, texts = say()
    assert (sent, [True]) == (said, ["0 of 1" in text for text in texts])


def test_two_digests_of_one_minute_are_one(
    portal: Portal, order: str, b24tools: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cron may run on two machines: the second one waits until it can see what the first one says."""
    b24tools("assign", order)
    portal.messages.clear()
    plan, others = digest._plan, []

    def plan_meanwhile(*arguments: Any) -> digest.Digest:
        if not others:
            others.append("")
            with ThreadPoolExecutor(1) as pool:
                others[0] = pool.submit(app.main, ["-q", "digest"]).result()
        return plan(*arguments)

    monkeypatch.setattr(digest, "_plan", plan_meanwhile)
    status, _out, err = b24tools("digest")
    assert (0, "Sent to chat2001.") == (status, err.splitlines()[-1])
    assert ([75], 1) == (others, len(portal.messages))


def test_a_person_has_a_work_list_within_the_hours(portal: Portal, order: str, b24tools: Run, clock: Clock) -> None:
    """By id or name; before the shift it waits, and is given up at the end of the day."""
    b24tools("assign", order)
    portal.messages.clear()
    welder = next(task.responsible for task in portal.tasks if task.title == "Сварщик: 7")
    status, out, _err = b24tools("digest", "--to", str(welder), "--what", "mine", "--json")
    (data,) = json.loads(out)["data"]
    assert (0, KEYS, str(welder), ["mine"], "sent") == (status, list(data), *(data[key] for key in KEYS[:3]))
    assert [f"notify{welder}"] == [dialog for dialog, _text in received(portal)]
    assert "[URL=" in portal.messages[0].text == data["text"]
    clock.now = datetime(2026, 12, 1, 3, tzinfo=UTC)
    last_name = portal.users[welder].last_name
    _status, out, _err = b24tools("digest", "--to", last_name, "--what", "mine", "--json")
    assert ["waiting"] == [sent["outcome"] for sent in json.loads(out)["data"]]
    clock.now = datetime(2026, 12, 2, 8, tzinfo=UTC)
    b24tools("snapshot")
    assert 1 == len(portal.messages)


def test_a_digest_for_the_morning_goes_also_where_nobody_gets_messages(
    portal: Portal, order: str, b24tools: Run, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without B24_NOTIFY only who was named gets something: with the first command within the hours, as was said."""
    monkeypatch.delenv("B24_NOTIFY")
    b24tools("assign", order)
    welder = next(task.responsible for task in portal.tasks if task.title == "Сварщик: 7")
    clock.now = datetime(2026, 12, 1, 3, tzinfo=UTC)
    name = f"{portal.users[welder].name} {portal.users[welder].last_name}"
    said = f"It goes to {name} with the first command within today's working hours.\n"
    assert (0, "", said) == b24tools("digest", "--to", str(welder), "--what", "mine")
    b24tools("snapshot")
    assert [] == portal.messages
    clock.now = datetime(2026, 12, 1, 7, tzinfo=UTC)
    b24tools("snapshot")
    assert [f"notify{welder}"] == [dialog for dialog, _text in received(portal)]


def test_a_digest_that_another_command_sends_is_sent(
    portal: Portal, order: str, b24tools: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cron's `assign` of the same minute may be the first to see that it waits."""
    b24tools("assign", order)
    portal.messages.clear()
    send = Invocation.send_waiting

    def send_after_another(invocation: Invocation, session: context.Session) -> Any:
        send(invocation, session)
        return send(invocation, session)

    monkeypatch.setattr(Invocation, "send_waiting", send_after_another)
    assert (0, "", "Sent to chat2001.\n") == b24tools("digest")
    assert 1 == len(portal.messages)


def test_a_chat_reads_whose_work_it_is(portal: Portal, order: str, b24tools: Run) -> None:
    """Also where only one person has work; a person reads a line for each task."""
    for task in portal.tasks:
        task.status = 5
    b24tools("assign", order)
    (task,) = [task for task in portal.tasks if task.title == "Сварщик: 7"]
    name = portal.users[task.responsible].full_name
    texts = [
        b24tools("digest", "--to", to, "--what", "mine", "--dry-run")[1].splitlines()[1:]
        for to in ("chat2001", str(task.responsible))
    ]
    line = "10:30-15:30 Сварщик: 7, ООО «Ромашка»"
    assert [[f"• {name}: {line}"], [f"• {line}"]] == texts


def test_nothing_to_say_sends_nothing(portal: Portal, b24tools: Run) -> None:
    """Exit status 0, an empty text."""
    assert (0, "", "Nothing to say to chat7.\n") == b24tools(
        "digest", "--to", "chat7", "--what", "board", "--what", "late", "--what", "changes"
    )
    assert [] == portal.messages


def test_doctor_reports_to_a_chat_what_is_not_ok(portal: Portal, b24tools: Run) -> None:
    """Only that."""
    assert 0 == b24tools("digest", "--what", "doctor")[0]
    ((_dialog, text),) = received(portal)
    assert "snapshot: never taken" in text
    assert "owner" not in text


def test_a_chat_that_the_owner_is_not_in_is_named(portal: Portal, order: str, b24tools: Run) -> None:
    """With what to do; once that is done, the same is sent."""
    b24tools("assign", order)
    portal.messages.clear()
    status, _out, err = b24tools("digest", "--to", "chat2999", "--what", "late")
    assert 1 == status
    assert "Make the webhook's owner a member of the chat." in err
    portal.chats[2999] = {portal.owner_id}
    assert (0, "", "Sent to chat2999.\n") == b24tools("digest", "--to", "chat2999", "--what", "late")


@pytest.mark.parametrize(
    ("notify", "arguments", "text"),
    [
        ("", (), "--to"),
        ("people", ("--to", "Кощеев"), "there is no person called"),
        ("people,everybody", (), 'B24_NOTIFY (from the environment): "everybody" is none of people, managers'),
    ],
)
def test_what_cannot_be_meant_is_refused(
    notify: str, arguments: tuple[str, ...], text: str, portal: Portal, b24tools: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 2."""
    monkeypatch.setenv("B24_NOTIFY", notify)
    status, _out, err = b24tools("digest", *arguments)
    assert 2 == status
    assert text in err


@pytest.mark.parametrize(("notify", "is_asked"), [("", False), ("people", True)])
def test_doctor_asks_for_the_right_only_where_messages_are_sent(
    notify: str, is_asked: bool, portal: Portal, b24tools: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`im`."""
    portal.scopes.discard("im")
    monkeypatch.setenv("B24_NOTIFY", notify)
    _status, out, _err = b24tools("doctor", "--json")
    statuses = [check["status"] for check in json.loads(out)["data"] if check["check"] == "scope im"]
    assert (["warn"] if is_asked else []) == statuses
