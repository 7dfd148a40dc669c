"""The views for analysts: their columns are documented, and their rows are those of the tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from b24tools import context
from b24tools.store import Store, open_store
from b24tools.store.views import VIEWS
from tests.support import closed_tasks as closed
from tests.support.orders import MONDAY, Works, order

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Store]:
    """The plant of the leaderboard's tests, in a file: so that it may be on the other engine."""
    with closing(open_store(tmp_path / "b24tools.db")) as store:
        closed.plant(store)
        yield store


def columns(view: str) -> list[str]:
    """The columns of a view."""
    with closing(open_store(None)) as store:
        return [column[0] for column in store.database.connection.execute(f"SELECT * FROM {view}").description]


@pytest.mark.parametrize("page", [DOCS / "analysts.md", DOCS / "ru" / "analysts.md"], ids=["en", "ru"])
def test_every_column_is_documented(page: Path) -> None:
    """In the order of the view."""
    text = page.read_text("utf-8")
    sections = {
        name: re.findall(r"^\| `(\w+)` \|", part, re.M)
        for name, part in re.findall(r"### (v_\w+)\n(.*?)(?=\n##|\Z)", text, re.S)
    }
    assert sections == {view: columns(view) for view in VIEWS}


@pytest.mark.parametrize("page", [DOCS / "analysts.md", DOCS / "ru" / "analysts.md"], ids=["en", "ru"])
def test_the_queries_of_the_page_run_on_both_engines(page: Path, opened: Store) -> None:
    """But for the column of time, which the page has for either."""
    text = page.read_text("utf-8")
    queries = [query for query in re.findall(r"```sql\n(.*?)```", text, re.S) if "v_" in query]
    if opened.database.is_shared:
        (column,) = re.findall(r"PostgreSQL:\s`(.*? AS time)`", text)
        queries = [re.sub(r"SELECT .* AS time", f"SELECT {column}", query) for query in queries]
    results = [opened.database.query(query) for query in queries]
    assert ([True, False, False], 114) == ([bool(rows) for rows in results], sum(row["closed"] for row in results[0]))


def test_weeks_are_those_of_the_leaderboard(opened: Store) -> None:
    """Without who is hidden or has opted out."""
    opened.settings.save("opted_out_users", "1")
    weeks = opened.database.query(
        "SELECT * FROM v_weeks WHERE week = ? ORDER BY tasks DESC, user_id", [closed.THIS.label]
    )
    all_of = opened.database.query("SELECT * FROM closed_by_week WHERE week = ?", [closed.THIS.label])

    assert {2: 7, 3: 7, 4: 4, 5: 4, 6: 3, 8: 2, 7: 1, 77: 1} == {row["user_id"]: row["tasks"] for row in weeks}
    assert {tuple(row) for row in weeks} == {tuple(row) for row in all_of if row["user_id"] not in (1, 9)}


def test_a_task_counts_without_the_name_of_who_has_opted_out(opened: Store) -> None:
    """And without the department, in which that person may be alone."""
    sql = "SELECT responsible_id, responsible, department, count(*) FROM v_tasks GROUP BY 1, 2, 3"
    before = {tuple(row) for row in opened.database.query(sql)}
    opened.settings.save("opted_out_users", "1, 5")
    after = {tuple(row) for row in opened.database.query(sql)}

    assert before - after == {(1, "Иван Петров", "Сварочный цех", 15), (5, "Борис Иванов", "Сварочный цех", 7)}
    assert after - before == {(None, None, None, 22)}


def test_operations_and_orders_have_their_tasks(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours, and what was closed of an order."""
    monkeypatch.setattr(context, "now", lambda: MONDAY)
    works.assign(order([("Сварщик", 60), ("Макетчик", 30)], id="A", number="1Ц-7", customer="ООО"))
    with closing(open_store(works.folder / "b24tools.db")) as store:
        (row,) = store.database.query("SELECT task_id, key FROM order_tasks WHERE position = 'Сварщик'")
        closed.save(store, [closed.task(row["task_id"], 1, MONDAY + timedelta(hours=3), xml_id=row["key"])], MONDAY)
        (order_row,) = store.database.query("SELECT * FROM v_orders")
        operations = store.database.query("SELECT * FROM v_operations ORDER BY line")
        tasks = store.database.query("SELECT order_id, position, estimate_h FROM v_tasks")

    assert ("1Ц-7", "ООО", 2, 1, 1.5) == tuple(
        order_row[name] for name in ("number", "customer", "operations", "closed", "estimate_h")
    )
    assert [("1Ц-7", "Сварщик", 1.0, True), ("1Ц-7", "Макетчик", 0.5, False)] == [
        (row["order_number"], row["position"], row["estimate_h"], row["closed_at"] is not None) for row in operations
    ]
    assert [("a", "Сварщик", 1.0)] == [tuple(row) for row in tasks]


def test_an_operation_has_no_name_once_who_has_opted_out_has_closed_it(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number would lead to the closed task; what is still to be done is planned with names."""
    monkeypatch.setattr(context, "now", lambda: MONDAY)
    works.assign(order([("Сварщик", 60), ("Макетчик", 30)], id="A"))
    sql = "SELECT responsible_id, responsible, closed_at IS NULL FROM v_operations ORDER BY line"
    with closing(open_store(works.folder / "b24tools.db")) as store:
        (before, other) = (tuple(row) for row in store.database.query(sql))
        (row,) = store.database.query("SELECT task_id, key FROM order_tasks WHERE line = 0")
        store.settings.save("opted_out_users", f"{before[0]},{other[0]}")
        open_ones = [tuple(row) for row in store.database.query(sql)]
        closed.save(store, [closed.task(row["task_id"], 1, MONDAY, xml_id=row["key"])], MONDAY)
        after = [tuple(row) for row in store.database.query(sql)]

    assert ([before, other], [(None, None, False), other]) == (open_ones, after)
