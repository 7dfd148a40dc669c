"""`norms`: what work took against what 1C gave for it, and plans by it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from b24tools import context
from b24tools.assignment.norms import Factors, learn_norms
from b24tools.cli import app
from b24tools.core import config
from b24tools.core.models import TaskRecord
from b24tools.core.periods import MONTH, containing
from b24tools.core.timestamps import to_seconds
from b24tools.jobs.norms import Norm, list_norms
from b24tools.scheduling.people_file import PeopleFile, PersonTerms
from b24tools.store import Store, open_store
from b24tools.store.orders import LedgerTask
from tests.support.orders import MOSCOW

HOUR = 3600
CLOSED = datetime(2026, 10, 20, 12, 0, tzinfo=UTC)
OCTOBER = containing(CLOSED.date(), MONTH, MOSCOW)


def fill(store: Store, *done: tuple[str, int, int | None], assigned: datetime = CLOSED, **changes: Any) -> None:
    """Tasks of an order: position, estimate and the seconds noted; None for one that is not closed."""
    start = store.orders.last_known_task()
    store.orders.save(f"order{start}", str(start), assigned)
    rows, records = [], []
    for number, (position, estimate_s, spent_s) in enumerate(done, start + 1):
        row: dict[str, Any] = dict.fromkeys(LedgerTask.__dataclass_fields__) | {"other_tasks": (), "sent_values": {}}
        row |= {"key": f"1c:{number}", "order_id": f"order{start}", "line": number, "position": position}
        row |= {"title": position, "state": "done", "task_id": number, "responsible_id": 7, "estimate_s": estimate_s}
        rows.append(LedgerTask(**row | {"assigned_at": assigned}))
        if spent_s is not None:
            moment = to_seconds(assigned + timedelta(minutes=number))
            task = TaskRecord(number, position, 7, 1, 1, 5, moment, moment, moment, None, 99, spent_s)
            records.append(task._replace(**changes))
    store.orders.save_lines(rows)
    with store.transaction():
        store.tasks.save(records, assigned, MOSCOW)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """A database of the data folder."""
    opened = open_store(tmp_path / "b24tools.db")
    yield opened
    opened.close()


def test_the_quartiles_of_what_work_took(store: Store) -> None:
    """Of closed tasks with time on them; the estimate is the ledger's, the position is one however it is spelt."""
    fill(store, *(("Сварщик", HOUR, HOUR * n // 10) for n in range(5, 25)), ("Сварщик", HOUR, 0), ("Маляр", HOUR, None))
    fill(store, ("сварщик ", 2 * HOUR, 3 * HOUR), ("Резчик", HOUR, HOUR), assigned=CLOSED - timedelta(days=40))
    fill(store, ("Резчик", HOUR, 9 * HOUR), closed_at=None)
    welder = Factors(21, Fraction(1), Fraction(3, 2), Fraction(19, 10))
    assert list_norms(store, PeopleFile(), OCTOBER) == [
        Norm("Маляр", None, 1, HOUR, HOUR),
        Norm("Резчик", Factors(1, *[Fraction(1)] * 3), 1, HOUR, HOUR),
        Norm("Сварщик", welder, 21, 21 * HOUR, 21 * HOUR * 3 // 2),
    ]
    assert {"сварщик": Fraction(3, 2)} == learn_norms(store, PeopleFile())
    assert ["Сварщик"] == [norm.position for norm in list_norms(store, PeopleFile(), OCTOBER, "сварщик")]


def test_twenty_tasks_are_enough(store: Store) -> None:
    """Nineteen are not; what was seen to be gone does not count."""
    fill(store, *[("Сварщик", HOUR, 2 * HOUR)] * 20)
    assert {"сварщик": Fraction(2)} == learn_norms(store, PeopleFile())
    with store.transaction():
        store.tasks.mark_deleted([1], CLOSED)
    assert {} == learn_norms(store, PeopleFile())
    (norm,) = list_norms(store, PeopleFile(), OCTOBER)
    assert (False, 20, 20 * HOUR, 20 * HOUR) == (norm.is_enough, norm.planned, norm.planned_s, norm.with_norm_s)


def test_the_time_of_slow_people_does_not_count_twice(store: Store) -> None:
    """Who works at half the rate took twice as long for that reason."""
    fill(store, *[("Сварщик", HOUR, 2 * HOUR)] * 20)
    people = PeopleFile({7: PersonTerms(rate=Fraction(1, 2))})
    assert {"сварщик": Fraction(1)} == learn_norms(store, people)


def test_only_learned_norms_are_planned_with(store: Store, tmp_path: Path) -> None:
    """When the setting says so."""
    fill(store, *[("Сварщик", HOUR, 90 * 60)] * 20)
    plain, learned = (config.load({"B24_DATA_DIR": str(tmp_path), "B24_NORMS": word}) for word in ("", "learned"))
    rules = context.assign_rules(learned, store, {})
    assert {} == context.assign_rules(plain, store, {}).norms
    assert [90 * 60, HOUR] == [rules.work_s(name, HOUR) for name in ("СВАРЩИК", "Маляр")]


def test_the_command(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table, CSV for Excel, JSON; without network."""
    monkeypatch.setenv("B24_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(context, "now", lambda: datetime(2026, 11, 23, 7, 0, tzinfo=UTC))
    fill(store, *[("Сварщик", HOUR, 72 * 60)] * 20, ("=Маляр", HOUR, None))

    assert 0 == app.main(["norms", "--json"])
    welder = {"position": "Сварщик", "n": 20, "median": 1.2, "q1": 1.2, "q3": 1.2, "enough": True}
    painter = {"position": "=Маляр", "n": 0, "median": None, "q1": None, "q3": None, "enough": False}
    assert json.loads(capsys.readouterr().out)["data"] == [
        painter | {"last_month": {"tasks": 1, "estimate_s": HOUR, "with_norm_s": HOUR}},
        welder | {"last_month": {"tasks": 20, "estimate_s": 20 * HOUR, "with_norm_s": 24 * HOUR}},
    ]
    assert 0 == app.main(["norms", "--format", "csv"])
    lines = capsys.readouterr().out.split("\r\n")
    assert ["'=Маляр;0;-;-;-;1.0;1.0", "Сварщик;20;1.20;1.20;1.20;20.0;24.0", ""] == lines[1:]
    assert 0 == app.main(["norms"])
    table = capsys.readouterr().out.splitlines()
    assert ["=Маляр", "0", "*"] == table[-3].split()[:3]
    assert "Сварщик 20 1.20 1.20 1.20 20 h 24 h" == " ".join(table[-2].split())
    assert 2 == app.main(["norms", "Сварщиг"])
    assert "Сварщик" in capsys.readouterr().err
    assert 2 == app.main(["norms", "--json", "--format", "csv"])


def test_without_any_task_the_command_says_where_they_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Naming the folder."""
    monkeypatch.setenv("B24_DATA_DIR", str(tmp_path))
    assert 0 == app.main(["norms"])
    assert str(tmp_path) in capsys.readouterr().err
