"""Events: kept whatever the mode, followed in any order, counted as a snapshot counts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools.jobs.events import process
from b24tools.jobs.events.payload import Refusal
from b24tools.jobs.events.process import Processed
from b24tools.sandbox.faults import Fault
from b24tools.store import Store, open_store
from tests.support import events as listening
from tests.support.events import TOKEN, Listener
from tests.support.snapshots import after_answer, change_rows

BODIES = Path(__file__).parent.parent / "data" / "events"
COMMENT = (BODIES / "ontaskcommentadd.txt").read_bytes()


@pytest.fixture
def here(tmp_path: Path) -> Listener:
    return listening.listener(tmp_path / "data")


def body(event: str, task_id: int, **more: Any) -> bytes:
    """An event as a test or a proxy writes it; without the moment of sending no duplicate can be told."""
    half = "FIELDS_BEFORE" if event == "ONTASKDELETE" else "FIELDS_AFTER"
    value = {"event": event, "data": {half: {"ID": task_id}}, "auth": {"application_token": TOKEN}}
    return json.dumps(value | more).encode()


# receiving


@pytest.mark.parametrize(("mode", "answer"), [("webhook", "accepted"), ("polling", "ignored_by_mode")])
@pytest.mark.parametrize("name", ["ontaskadd", "ontaskupdate", "ontaskdelete"])
def test_an_event_is_kept_in_both_modes(here: Listener, name: str, mode: str, answer: str) -> None:
    """The answer tells what will become of it."""
    sent = (BODIES / f"{name}.txt").read_bytes()
    here.switch(mode)

    assert answer == here.receive(sent, tokens=["REDACTED" * 4])
    status = {"accepted": "waiting"}.get(answer, answer)
    shown = sent.decode().replace("REDACTED" * 4, "***")
    assert [(name.upper(), 2536, shown, status)] == here.query("SELECT event, task_id, body, status FROM events")


@pytest.mark.parametrize("mode", ["webhook", "polling"])
def test_other_events_are_of_no_use(here: Listener, mode: str) -> None:
    """They are kept, so that what was answered can be looked up, and never processed."""
    here.switch(mode)

    answer = here.receive(COMMENT, tokens=["REDACTED" * 4])

    assert "event_ignored" == answer
    assert ["ignored"] == here.statuses()
    assert Processed() == here.process()


@pytest.mark.parametrize("tokens", [[], [""], ["another"], [TOKEN + "x"], [TOKEN[:-1]], [TOKEN.upper()]])
def test_a_wrong_token_is_refused_and_nothing_is_kept(here: Listener, tokens: list[str]) -> None:
    """Also when none is set, and before anything is said about the task."""
    for sent in (body("ONTASKADD", 1), body("ONTASKADD", 0), b"event=ONTASKADD", b"a=1"):
        with pytest.raises(Refusal) as caught:
            here.receive(sent, tokens=tokens)
        assert 403 == caught.value.status
        assert TOKEN not in str(caught.value) + caught.value.hint

    assert [] == here.statuses()


def test_several_tokens_are_good_while_one_is_replaced(here: Listener) -> None:
    """The old and the new one; neither is kept."""
    for token in ("old", TOKEN, "nёw"):
        sent = body("ONTASKADD", 1, auth={"application_token": token})
        assert "accepted" == here.receive(sent, tokens=["old", TOKEN, "nёw"])

    assert "old" not in str(here.query("SELECT body FROM events"))


@pytest.mark.sqlite
def test_no_secret_reaches_the_database(here: Listener) -> None:
    """Neither its file nor its log."""
    task_id = here.closed_task()
    here.follow()
    here.receive(body("ONTASKUPDATE", task_id, note=f"the token is {TOKEN}", auth={"application_token": TOKEN}))
    here.receive(f"event=ONTASKADD&data[FIELDS_AFTER][ID]=1&{TOKEN}=1&auth[application_token]={TOKEN}".encode())

    with here.store():
        for path in here.folder.iterdir():
            if path.is_file():
                assert TOKEN.encode() not in path.read_bytes()
                assert here.portal.secret.encode() not in path.read_bytes()


def test_each_body_has_an_answer_of_its_own(here: Listener) -> None:
    """Any of several tokens will do, and who is refused leaves nothing."""
    strange = body("ONTASKADD", 3, auth={"application_token": "another"})
    bodies = [body("ONTASKADD", 1), b"rubbish", body("ONTASKUPDATE", 2), strange, body("ONTASKADD", 0), b"", COMMENT]

    def answer(opened: Store, content: bytes) -> int | str:
        try:
            return process.receive(opened, content, "", [TOKEN, "REDACTED" * 4], here.clock())
        except Refusal as refusal:
            return refusal.status

    with here.store() as opened:
        answers = [answer(opened, content) for content in bodies]

    assert ["accepted", 400, "accepted", 403, 422, 400, "event_ignored"] == answers
    assert [(1, "waiting"), (2, "waiting"), (None, "ignored")] == here.query("SELECT task_id, status FROM events")


@pytest.mark.sqlite
def test_a_database_that_cannot_be_written_keeps_none(here: Listener) -> None:
    """And serves whoever comes later, when it can be written again."""
    with here.store() as opened, closing(sqlite3.connect(here.database, timeout=0)) as other:
        opened.database.connection.execute("PRAGMA busy_timeout = 0")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError):
            process.receive(opened, body("ONTASKADD", 1), "", [TOKEN], here.clock())
        other.rollback()

        assert "accepted" == process.receive(opened, body("ONTASKADD", 2), "", [TOKEN], here.clock())
    assert [(2,)] == here.query("SELECT task_id FROM events")


# processing


def test_a_closed_task_counts_within_one_step(here: Listener) -> None:
    """With who closed it, whom nobody knew, in two requests."""
    task_id = here.closed_task("Козлов")
    here.arrive()

    assert Processed(2, 2) == here.process()
    assert {task_id: here.person("Козлов").id} == here.counted()
    assert [("Виктор Козлов",)] == here.query("SELECT name FROM people")
    assert ["done", "done"] == here.statuses()
    assert 2 == here.asked()


def test_nothing_due_asks_nothing(here: Listener) -> None:
    """No event, no request."""
    assert Processed() == here.process()
    assert 0 == here.asked()


def test_the_saver_is_the_snapshots(here: Listener, tmp_path: Path) -> None:
    """What events brought is to the last column what a snapshot of the same portal brings."""
    made = [here.closed_task(name) for name in ("Козлов", "Белова", "Морозов")]
    here.portal.act("tasks.task.update", {"taskId": made[0], "fields": {"TIME_ESTIMATE": 5400, "TITLE": "Иначе"}})
    here.follow()
    other = listening.Listener(here.portal, tmp_path / "other", here.clock)
    other.collector.take()

    wanted = f"SELECT * FROM tasks WHERE id IN ({', '.join(map(str, made))}) ORDER BY id"
    mine, theirs = here.query(wanted), other.query(wanted)

    assert 3 == len(mine)
    saved_at = 14  # then by which reading, the order's line, and the first deadline
    assert [(*row[:saved_at], row[16:]) for row in mine] == [(*row[:saved_at], row[16:]) for row in theirs]
    assert here.query("SELECT id, name, active FROM people ORDER BY id") == [
        row
        for row in other.query("SELECT id, name, active FROM people ORDER BY id")
        if row[0] in here.counted().values()
    ]


def test_events_of_one_task_are_one_read(here: Listener) -> None:
    """However many; those of fifty tasks are one request."""
    made = [here.new_task() for _number in range(50)]
    for task_id in made:
        here.do("start", task_id)
        here.do("complete", task_id)
    here.arrive()
    before = here.asked()

    assert Processed(150, 150) == here.process()
    assert set(made) == set(here.counted())
    assert [["profile", "server.time", "tasks.task.list"], ["user.get"]] == [
        entry.methods for entry in here.portal.log[before:]
    ]


@pytest.mark.long
def test_more_than_fifty_tasks_go_in_turns(here: Listener) -> None:
    """The longest waiting first."""
    made = [here.closed_task() for _number in range(120)]
    here.arrive()

    assert [100, 100, 40, 0] == [here.process().processed for _turn in range(4)]
    assert made == list(here.counted())


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(
    ("actions", "counts"),
    [
        (["complete"], True),
        (["complete", "renew"], False),
        (["complete", "renew", "complete"], True),
        (["complete", "delete"], False),
        (["delete"], False),
        (["start"], False),
    ],
)
def test_the_count_follows_the_portal_whatever_the_order_of_arrival(
    here: Listener, actions: list[str], counts: bool, backwards: bool
) -> None:
    """All events at once, after the last action: forwards or backwards."""
    task_id = here.new_task()
    for action in actions:
        here.do(action, task_id)
    here.portal.outbox.sort(key=lambda outgoing: outgoing.body, reverse=backwards)
    here.follow()

    assert counts is (task_id in here.counted())


def test_what_is_reopened_deleted_or_given_to_another_leaves_the_count(here: Listener) -> None:
    """Step by step, each with its event; given to another and finished it counts for the other."""
    reopened, deleted, given = (here.closed_task("Козлов") for _number in range(3))
    here.follow()
    here.do("renew", reopened)
    here.do("delete", deleted)
    here.do("renew", given)
    here.do("delegate", given, userId=here.person("Лебедев").id)
    here.do("complete", given)

    assert Processed(5, 5) == here.follow()
    assert {given: here.person("Лебедев").id} == here.counted()


@pytest.mark.parametrize("action", ["renew", "delete"])
@pytest.mark.parametrize("known", [False, True])
def test_an_old_read_does_not_undo_a_newer_one(here: Listener, action: str, known: bool) -> None:
    """A slow answer from before the task was reopened or deleted is saved after it."""
    task_id = here.closed_task()
    if known:
        here.follow()
        here.receive(body("ONTASKUPDATE", task_id))
    here.arrive()

    def meanwhile() -> None:
        """What another process does."""
        here.do(action, task_id)
        here.follow()

    after_answer(here.portal, meanwhile)
    with here.store() as opened, here.client() as slow:
        process.process(opened, slow, here.collector.zone, here.clock())

    assert {} == here.counted()
    assert {"done"} == set(here.statuses())


def test_an_event_that_comes_while_its_task_is_read_is_read_again(here: Listener) -> None:
    """It may be about something that the read had not seen yet."""
    task_id = here.new_task()
    here.arrive()
    after_answer(here.portal, lambda: (here.do("complete", task_id), here.arrive()))
    with here.store() as opened, here.client() as client:
        process.process(opened, client, here.collector.zone, here.clock())

    assert ["done", "waiting"] == here.statuses()
    here.process()
    assert [task_id] == list(here.counted())


def test_a_duplicate_costs_no_read(here: Listener) -> None:
    """The same body again, after it was followed: from a portal that repeats, or a proxy."""
    here.closed_task()
    sent = [outgoing.body for outgoing in here.portal.outbox]
    here.follow()
    asked = here.asked()
    answers = [here.receive(content) for content in sent * 3]

    assert ["accepted"] * 6 == answers
    assert Processed(6, 0, 6) == here.process()
    assert asked == here.asked()
    assert {"done"} == set(here.statuses())


def test_the_same_body_in_the_same_second_may_be_another_event(here: Listener) -> None:
    """`ts` has seconds only: what came before the task was surely read anew is read."""
    task_id = here.new_task()
    update = here.portal.event_body("ONTASKUPDATE", task_id, here.handler)
    here.receive(update)
    with here.store() as opened, here.client() as client:
        process.process(opened, client, here.collector.zone, here.clock())
    here.portal.act("tasks.task.complete", {"taskId": task_id})
    here.receive(update)
    here.process()

    assert [task_id] == list(here.counted())


@pytest.mark.parametrize("age", [timedelta(days=300), None])
def test_a_body_that_does_not_say_when_is_never_a_duplicate(here: Listener, age: timedelta | None) -> None:
    """Somebody tries things out with a body from the documentation: each time the task is read."""
    task_id = here.new_task()
    here.follow()
    stamp = {} if age is None else {"ts": str(int((here.clock() - age).timestamp()))}
    for action in ("complete", "renew", "complete"):
        here.do(action, task_id)
        del here.portal.outbox[:]
        here.receive(body("ONTASKUPDATE", task_id, **stamp))
        here.process()
        assert (action == "complete") is (task_id in here.counted())


def test_a_task_that_somebody_else_sees_is_not_deleted(here: Listener) -> None:
    """A webhook of no administrator: what is missing may be out of sight; only a deletion says that it is gone."""
    hidden, deleted = here.closed_task("Козлов"), here.closed_task("Козлов")
    here.follow()
    here.do("update", hidden, fields={"CREATED_BY": here.person("Авдеев").id, "AUDITORS": []})
    del here.portal.outbox[:]
    here.portal.owner.admin = False
    here.receive(body("ONTASKUPDATE", hidden))
    here.portal.tasks.drop(deleted)
    here.receive(body("ONTASKDELETE", deleted))

    assert Processed(2, 1, 1) == here.process()
    assert [hidden] == list(here.counted())
    assert ["ignored", "done"] == here.statuses()[-2:]


def test_a_portal_that_ignores_the_filter_deletes_nothing(here: Listener) -> None:
    """It sends tasks that nobody asked for, and leaves out those that were: the events fail."""
    task_id = here.closed_task()
    here.follow()
    here.receive(body("ONTASKUPDATE", task_id))
    done = process_odd(here, lambda row: row.update(id="4711"))

    assert (1, 1, ("tasks.task.list: the portal sent tasks that were not asked for",)) == (
        done.processed,
        done.failed,
        done.reasons,
    )
    assert [task_id] == list(here.counted())


# failures


def test_a_portal_that_is_away_leaves_the_events_waiting(here: Listener) -> None:
    """They have not failed: nothing was asked of them yet."""
    here.closed_task()
    here.arrive()
    here.portal.faults.add(Fault("unreachable", times=1000))
    with pytest.raises(Exception, match="cannot connect"):
        here.process()
    assert {"waiting"} == set(here.statuses())

    here.portal.faults.clear()
    here.process()
    assert 1 == len(here.counted())


def test_a_refusal_is_kept_with_its_reason_and_tried_again_later(here: Listener) -> None:
    """Later and later; after the last try only `replay` helps. The other events go on."""
    here.closed_task()
    here.arrive()
    here.portal.scopes.remove("task")
    tried = []
    for _turn in range(len(process.RETRIES) + 1):
        assert here.process().failed == 2
        assert Processed() == here.process()  # it is not due
        attempts, error, again = here.query("SELECT attempts, error, next_try_at FROM events LIMIT 1")[0]
        tried.append((attempts, again is None))
        here.clock.now += timedelta(days=1)

    assert [(number, number > len(process.RETRIES)) for number in range(1, len(tried) + 1)] == tried
    assert "insufficient_scope" in error
    assert ["failed", "failed"] == here.statuses()

    here.portal.scopes.add("task")
    assert Processed() == here.process()
    assert Processed(2, 2) == replay(here, lambda event: event.status == "failed")
    assert ["done", "done"] == here.statuses()
    assert [(7 + 1, None)] * 2 == here.query("SELECT attempts, error FROM events")
    assert 1 == len(here.counted())


def replay(here: Listener, chosen: Callable[[Any], bool]) -> Processed:
    """`b24tools replay`, a moment later."""
    here.clock.now += timedelta(seconds=3)
    with here.store() as opened, here.client() as client:
        events = [event for event in opened.events.find() if chosen(event)]
        return process.replay(opened, client, here.collector.zone, here.clock(), events)


def process_odd(here: Listener, change: Callable[[dict[str, Any]], None]) -> Processed:
    """One step; the portal's rows are changed on their way."""
    handle = here.portal.handle
    change_rows(here.portal, change)
    with here.store() as opened, here.client() as client:
        done = process.process(opened, client, here.collector.zone, here.clock())
    here.portal.handle = handle  # type: ignore[method-assign]
    return done


@pytest.mark.parametrize("known", [False, True])
def test_an_event_of_a_task_without_a_readable_closing_date_is_settled_with_a_word(here: Listener, known: bool) -> None:
    """The task does not count, also if it did; the others go on."""
    good, odd = here.closed_task(), here.closed_task()
    here.arrive()
    if known:
        here.process()
        here.receive(body("ONTASKUPDATE", odd))
        here.receive(body("ONTASKUPDATE", good))

    def change(row: dict[str, Any]) -> None:
        if row["id"] == str(odd):
            row["closedDate"] = "0000-00-00 00:00:00"

    done = process_odd(here, change)

    said = f"task {odd} has no readable closing date and does not count"
    events_of_each = 1 if known else 2
    assert Processed(2 * events_of_each, 2 * events_of_each, warnings=(said,)) == done
    assert [good] == list(here.counted())
    assert {"done"} == set(here.statuses())
    notes = here.query("SELECT error FROM events WHERE task_id = ?", odd)
    assert [(said,)] * events_of_each == notes[-events_of_each:]
    assert Processed(3, 3) == replay(here, lambda event: event.task_id == odd) if known else True
    assert {good, odd} == set(here.counted()) if known else True


def test_a_row_without_an_id_deletes_no_task(here: Listener) -> None:
    """It may be any of those that seem to be missing: their events fail, the others go on."""
    good, odd, gone = (here.closed_task() for _number in range(3))
    here.follow()
    here.portal.tasks.drop(gone)
    for task_id in (good, odd, gone):
        here.receive(body("ONTASKUPDATE", task_id))

    def change(row: dict[str, Any]) -> None:
        if row["id"] == str(odd):
            row["id"] = None

    done = process_odd(here, change)

    assert (3, 1, 2) == (done.processed, done.applied, done.failed)
    assert {good, odd, gone} == set(here.counted())
    here.clock.now += process.RETRIES[0]
    assert Processed(2, 2) == here.process()
    assert {good, odd} == set(here.counted())


def test_without_the_right_to_see_people_the_tasks_count_all_the_same(here: Listener) -> None:
    """By the names that tasks have."""
    here.closed_task("Козлов")
    here.portal.scopes.remove("user")
    here.follow()

    assert [("Виктор Козлов", 0)] == here.query("SELECT name, active FROM people")


def test_a_step_that_is_killed_is_done_again(here: Listener) -> None:
    """At every write: what is saved and what is done change together."""
    task_id = here.closed_task()
    here.arrive()
    for number in range(1, 40):
        with here.store() as opened, here.client() as client:
            seen = []

            def killed(sql: str, seen: list[str] = seen, number: int = number) -> None:
                seen.append(sql)
                if len(seen) == number:
                    raise KeyboardInterrupt

            real = opened.database.execute

            def execute(sql: str, *values: Any, real: Any = real, killed: Any = killed) -> Any:
                killed(sql)
                return real(sql, *values)

            opened.database.execute = execute  # type: ignore[method-assign]
            try:
                process.process(opened, client, here.collector.zone, here.clock())
            except KeyboardInterrupt:
                assert ["waiting", "waiting"] == here.statuses()
                assert {} == here.counted()
                continue
        break

    assert number > 3
    assert [task_id] == list(here.counted())
    assert ["done", "done"] == here.statuses()


# modes


def test_what_polling_kept_since_the_last_snapshot_is_followed_after_the_switch(here: Listener) -> None:
    """And no more than that; once."""
    here.switch("polling")
    here.closed_task()
    here.arrive()
    here.clock.now += timedelta(minutes=5)
    here.collector.take()
    here.clock.now += timedelta(minutes=5)
    late = here.closed_task()
    here.arrive()
    assert Processed() == here.process()

    here.switch("webhook")

    assert ["ignored_by_mode"] * 2 + ["waiting"] * 2 == here.statuses()
    assert Processed(2, 2) == here.process()
    assert late in here.counted()
    here.switch("webhook")
    assert Processed() == here.process()


def test_a_snapshot_of_an_old_week_overtakes_nothing(here: Listener) -> None:
    """What polling kept is about this week."""
    here.switch("polling")
    late = here.closed_task()
    here.arrive()
    here.clock.now += timedelta(minutes=5)
    here.collector.take([here.collector.week("2026-W40")])
    here.switch("webhook")
    here.process()

    assert [late] == list(here.counted())


def test_without_any_snapshot_all_that_was_kept_is_followed(here: Listener) -> None:
    """Nothing is dropped by either mode."""
    here.switch("polling")
    made = [here.closed_task() for _number in range(60)]
    here.arrive()
    here.switch("webhook")
    here.process()
    here.process()

    assert made == list(here.counted())


def test_what_was_accepted_is_followed_in_polling_mode_too(here: Listener) -> None:
    """The answer was a promise; what comes after the switch is left to the snapshot."""
    first = here.closed_task()
    here.arrive()
    here.switch("polling")
    here.closed_task()
    here.arrive()

    assert Processed(2, 2) == here.process()
    assert [first] == list(here.counted())


def test_the_mode_changes_between_two_events_of_one_connection(here: Listener) -> None:
    """A server that has long been open sees what another process set."""
    with here.store() as opened:
        answers = []
        for mode in ("polling", "webhook", "polling"):
            here.switch(mode)
            answers.append(process.receive(opened, body("ONTASKADD", 1), "", [TOKEN], here.clock()))

    assert ["ignored_by_mode", "accepted", "ignored_by_mode"] == answers


# age


def test_the_oldest_event_that_waits_is_known(here: Listener) -> None:
    """Also one that failed and will be tried again; not one that is done, of no use or given up."""

    def oldest() -> Any:
        with here.store() as opened:
            return opened.events.oldest_unprocessed()

    assert None is oldest()
    here.switch("polling")
    here.receive(body("ONTASKADD", 1))
    assert None is oldest()
    here.switch("webhook")
    start = here.clock()
    assert start == oldest()
    here.portal.scopes.remove("task")
    for _turn in range(len(process.RETRIES) + 1):
        assert start == oldest()
        here.process()
        here.clock.now += timedelta(days=1)
    assert None is oldest()


def test_processed_events_are_forgotten_after_a_month(here: Listener) -> None:
    """Those that failed wait for somebody; what a snapshot has overtaken goes, too."""
    here.closed_task()
    here.follow()  # two that are done
    here.receive(COMMENT, tokens=["REDACTED" * 4])
    here.receive(body("ONTASKADD", 1))
    here.portal.scopes.remove("task")
    here.process()
    here.switch("polling")
    here.receive(body("ONTASKADD", 2))
    here.portal.scopes.add("task")
    here.clock.now += timedelta(days=29)
    with here.store() as opened:
        assert 0 == opened.events.forget_old(here.clock())
    here.clock.now += timedelta(days=2)
    with here.store() as opened:
        assert 3 == opened.events.forget_old(here.clock())
    assert ["failed", "ignored_by_mode"] == here.statuses()
    here.collector.take()
    assert ["failed"] == here.statuses()


@pytest.mark.sqlite
def test_the_table_says_what_it_holds_in_plain_words(tmp_path: Path) -> None:
    """For whoever opens it in another tool."""
    with closing(open_store(tmp_path / "b24tools.db")):
        pass
    with closing(sqlite3.connect(tmp_path / "b24tools.db")) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(events)")]

    assert columns == [
        *("id", "received_at", "event", "task_id", "body", "body_sha256", "status", "attempts", "error"),
        *("next_try_at", "processed_at", "read_no"),
    ]


@pytest.mark.parametrize("seconds", [0, 60, -3600])
@pytest.mark.parametrize("action", ["renew", "delete"])
@pytest.mark.parametrize("known", [False, True])
def test_a_snapshot_does_not_undo_what_an_event_brought_meanwhile(
    here: Listener, action: str, known: bool, seconds: int
) -> None:
    """Its page had the task closed; by the time it is saved, the task is open again, or gone.

    All within one second, or later; or our clock was set back in between.
    """
    task_id = here.closed_task()
    if known:
        here.follow()
    here.arrive()
    run = here.portal.handle
    changed: list[str] = []

    def handle(*request: Any, **options: Any) -> Any:
        answer = run(*request, **options)
        if not changed:
            changed.append(action)
            here.clock.now += timedelta(seconds=seconds)
            here.portal.act(f"tasks.task.{action}", {"taskId": task_id})
            here.arrive()
            with here.store() as opened, here.client() as client:
                process.process(opened, client, here.collector.zone, here.clock())
        return answer

    here.portal.handle = handle  # type: ignore[method-assign]
    here.collector.take()

    assert changed
    assert task_id not in here.counted()


@pytest.mark.parametrize("by", ["event", "snapshot"])
def test_a_deleted_task_that_is_restored_counts_again(here: Listener, by: str) -> None:
    """From the recycle bin, as it was: its CHANGED_DATE is no newer than what is known."""
    task_id = here.closed_task()
    here.follow()
    task = here.portal.tasks[task_id]
    here.do("delete", task_id)
    here.follow()
    assert task_id not in here.counted()
    here.portal.tasks.put(task)
    if by == "event":
        here.receive(body("ONTASKUPDATE", task_id))
        here.process()
    else:
        here.collector.take()
    assert task_id in here.counted()
