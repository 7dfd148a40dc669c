"""Draws the pictures of the terminal for both READMEs: `python -m tests.picture` writes docs/assign*.svg."""

from __future__ import annotations

import io
import tempfile
from datetime import datetime
from pathlib import Path

from rich.console import Console

from b24tools.core import i18n
from b24tools.onec import order as onec_order
from b24tools.render import assign
from b24tools.render.console import Messenger, Screen
from b24tools.sandbox import demo_company
from tests.plant import MOSCOW, Clock, Works, order

DOCS = Path(__file__).parent.parent / "docs"
PICTURES = {"en": DOCS / "assign.svg", "ru": DOCS / "assign.ru.svg"}
LINES = (
    ("Макетчик", 1310.48),
    ("Печатник/плотер", 68.67),
    ("Фрезеровщик", 107.13),
    ("Сварщик", 216.05),
    ("Монтажник", 932.1),
    ("Поклейщик", 490.9),
)


def draw(language: str = "en") -> str:
    """The table that `b24tools assign order.json` prints on the demo plant, as SVG."""
    i18n.use(language)
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()
        works = Works(demo_company.build(clock), Path(folder), clock)
        wanted = datetime(2026, 12, 4, tzinfo=MOSCOW)
        sent = order(LINES, id="b7c57163-8c5d-11ef-905d-a41731192b22", number="1Ц-00000069", wanted=wanted)
        assert isinstance(sent, onec_order.Order)
        results = works.assign(sent)
        console = Console(record=True, width=80, force_terminal=True, file=io.StringIO(), highlight=False)
        console.print("$ b24tools assign order.json")
        assign.print_orders(results, MOSCOW, "https://portal.example", clock(), Messenger(-1), Screen(console))
    return console.export_svg(title="b24tools", unique_id="b24tools")


if __name__ == "__main__":
    for language, path in PICTURES.items():
        path.write_text(draw(language), encoding="utf-8")
