"""The leaderboard as a file: CSV, Markdown, a page."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from b24tools.core import i18n
from b24tools.jobs import leaderboard
from b24tools.jobs.leaderboard import Board, Row
from b24tools.render import leaderboard_export
from b24tools.store.seasons import Season
from b24tools.store.settings import CountingRules
from tests.support import golden as screens
from tests.support.closed_tasks import MOSCOW, NOW, THIS, invented
from tests.support.leaderboards import opened, plant

__all__ = ["opened", "plant"]  # fixtures


@pytest.mark.parametrize("language", ["en", "ru"])
def test_csv_opens_in_excel(plant: Callable[..., Board], language: str) -> None:
    """A BOM, semicolons, CRLF; in Russian a decimal comma."""
    i18n.use(language)

    text = leaderboard_export.to_csv(plant())

    screens.check(f"leaderboard/people.{language}.csv", text)
    assert text.startswith("\ufeff")
    assert text.count("\r\n") == text.count("\n") == 1 + 9


@pytest.mark.parametrize("name", ["=1+1", "+7 900", "-1", "@SUM(A1)", "\t=1", "=cmd|' /C calc'!A0", '"; =1'])
def test_no_cell_of_csv_is_a_formula(name: str) -> None:
    """Names come from people, and Excel runs what begins like a formula."""
    text = leaderboard_export.to_csv(invented((Row(1, 0, 1, name, name, 1, 1, 1.0, 0, 0),)))

    cells = list(csv.reader(io.StringIO(text.lstrip("\ufeff")), delimiter=";"))[1]
    assert 9 == len(cells)
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert name.strip().lstrip("'") in cells[2]


def test_markdown(plant: Callable[..., Board]) -> None:
    """A table for GitHub."""
    screens.check("leaderboard/people.en.md", leaderboard_export.to_markdown(plant(), MOSCOW, NOW))
    screens.check("leaderboard/teams.en.md", leaderboard_export.to_markdown(plant(teams=True), MOSCOW, NOW))


def test_markdown_escapes_what_would_break_the_table() -> None:
    """Pipes, emphasis, links, tags, line breaks."""
    row = Row(1, 0, 1, "a|b *c* [d](e) <b>\nf\\", "`g_h`", 1, 1, 1.0, 0, 0)

    line = leaderboard_export.to_markdown(invented((row,)), MOSCOW, NOW).splitlines()[4]

    assert r"| 🥇 | = | a\|b \*c\* \[d\](e) \<b\> f\\ | \`g\_h\` | 1 | 1.0 | - |" == line


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_page(plant: Callable[..., Board], language: str) -> None:
    """One file that needs nothing from outside."""
    i18n.use(language)

    page = leaderboard_export.to_html(plant(), MOSCOW, NOW)

    screens.check(f"leaderboard/people.{language}.html", page)
    assert f'<html lang="{language}">' in page
    assert not re.findall(r"(?:src|href|url\(|@import|https?:)", page)


def test_the_page_escapes_names() -> None:
    """A name is text, wherever it came from; a dollar is no place of the template."""
    row = Row(1, None, 1, "<script>alert(1)</script>", '"$title" & Co', 1, 1, 1.0, 0, 0)

    page = leaderboard_export.to_html(invented((row,)), MOSCOW, NOW)

    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&quot;$title&quot; &amp; Co" in page


def test_files_say_that_they_are_final(plant: Callable[..., Board]) -> None:
    """And by whose rules; of a live ranking whether own tasks count."""
    rules = CountingRules(count_own=True, opted_out=frozenset(), hidden=frozenset(), zone="Europe/Moscow")
    live = replace(plant(), rules=rules)
    frozen = replace(live, season=Season("2026-W47", NOW, NOW, rules, {}), rules_differ=True)
    final = "Final since 20.11.2026, by other rules than today's: `b24tools leaderboard --rules 2026-W47`."
    own = "Tasks that people set themselves count, too."

    def said(board: Board) -> list[list[str]]:
        page = html.unescape(leaderboard_export.to_html(board, MOSCOW, NOW))
        texts = [page, leaderboard_export.to_markdown(board, MOSCOW, NOW)]
        return [[sentence for sentence in (final, own) if sentence in text] for text in texts]

    assert [[], []] == said(plant())
    assert [[own], [own]] == said(live)
    assert [[final, own], [final, own]] == said(frozen)
    assert [final, own] == leaderboard_export.list_reservations(frozen, NOW)


def test_files_without_data_say_so() -> None:
    """A header alone in CSV, a sentence in the others."""
    board = leaderboard.Board(THIS, leaderboard.TASKS, teams=False, complete=False, as_of=None, mode="polling")

    assert 1 == leaderboard_export.to_csv(board).count("\n")
    assert "No data yet." in leaderboard_export.to_markdown(board, MOSCOW, NOW)
    assert "No data yet." in leaderboard_export.to_html(board, MOSCOW, NOW)
