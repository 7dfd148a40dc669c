"""Draw the pictures of both READMEs into docs/: `python -m scripts.draw_readme`, and `--pages` for the pages as well.

Every picture is what the program itself shows of the sandbox portal. The screens of the terminal are drawn on a Monday
morning of their own, so that a test can compare them. A Chromium takes photographs of the pages: the board as it is
this week, the plan on the Tuesday after that Monday.
"""

# ruff: noqa: S603 - it starts this program and a browser, with arguments of its own

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from rich.console import Console
from rich.text import Text

from b24tools import context
from b24tools.core import config, i18n
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.state import Portal
from b24tools.server import run
from b24tools.server.auth import Access
from b24tools.server.sockets import listen

DOCS = Path(__file__).parent.parent / "docs"
SUFFIXES = {"en": "", "ru": ".ru"}
SCREENS = {"assign": ["assign", "order.json"], "load": ["load", "Монтажник"]}
MONDAY = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # 07:00 in Moscow, before the shift
COLUMNS = 80
BOARD_PORT = 8025
PLANS = {"plan": "plan?theme=light", "people": "plan?by=people&theme=dark", "orders": "orders?theme=light"}
PLAN_SIZE = "1280,640"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

LINES = {
    "Макетчик": 1310.48,
    "Печатник/плотер": 68.67,
    "Фрезеровщик": 107.13,
    "Сварщик": 216.05,
    "Монтажник": 932.1,
    "Поклейщик": 490.9,
}
ORDER = {
    "ИдентификаторЗаказа": "b7c57163-8c5d-11ef-905d-a41731192b22",
    "НомерЗаказа": "1Ц-00000069",
    "ДатаЗаказа": "2026-11-20T12:00:00",
    "РекоммендуемаяДатаСдачи": "2026-12-04T00:00:00",
    "Исполнитель": "Производство",
    "Калькуляция": [{"Должность": position, "Время": minutes} for position, minutes in LINES.items()],
}


class Terminal(io.StringIO):
    """A terminal that remembers what was written to it."""

    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


def picture(name: str, language: str, kind: str = "svg") -> Path:
    """Where a picture is stored."""
    return DOCS / f"{name}{SUFFIXES[language]}.{kind}"


def draw_screens(language: str) -> dict[str, str]:
    """Run the commands one after the other on a terminal of 80 columns; the screen of each as SVG."""
    portal = demo_company.build(lambda: MONDAY)
    with tempfile.TemporaryDirectory() as folder, server.serve(portal) as base_url:
        Path(folder, "order.json").write_text(json.dumps(ORDER, ensure_ascii=False), encoding="utf-8")
        settings = _environment(folder, portal.webhook_url(base_url), language)
        with mock.patch.dict(os.environ, settings, clear=True), mock.patch.object(context, "now", lambda: MONDAY):
            i18n.use(language)
            try:
                printed = {name: _run(words, folder) for name, words in SCREENS.items()}
            finally:
                i18n.use("en")
    # the sandbox has a port, which is another one each time; a portal has a name
    return {
        name: _draw(SCREENS[name], text.replace(base_url, "https://portal.example")) for name, text in printed.items()
    }


def _environment(folder: str, webhook_url: str, language: str) -> dict[str, str]:
    """The environment of a user of the sandbox: none of this machine's settings, a terminal with colours."""
    ours = ("B24_", "BITRIX_", "TZ_NAME", "NO_COLOR")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {
        "BITRIX_WEBHOOK_URL": webhook_url,
        "B24_DATA_DIR": str(Path(folder, "data")),
        "B24_LANG": language,
        "B24_REQUESTS_PER_SECOND": "1000",
        "COLUMNS": str(COLUMNS),
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
    }


def _run(words: list[str], folder: str) -> str:
    from b24tools.cli import app

    screen, remarks = Terminal(), io.StringIO()
    with redirect_stdout(screen), redirect_stderr(remarks):
        status = app.main([str(Path(folder, word)) if word.endswith(".json") else word for word in words])
    if status != 0:
        sys.exit(f"b24tools {' '.join(words)} ended with {status}: {remarks.getvalue()}")
    return screen.getvalue() + remarks.getvalue()


def _draw(words: list[str], printed: str) -> str:
    console = Console(record=True, width=COLUMNS, force_terminal=True, file=io.StringIO(), highlight=False)
    console.print(f"$ b24tools {' '.join(words)}", markup=False)
    console.print(Text.from_ansi(printed.rstrip("\n")))
    return console.export_svg(title="b24tools", unique_id=f"b24tools-{words[0]}")


def photograph_board(browser: str, language: str) -> None:
    """Collect what the sandbox's people have closed, serve it, and let a browser take a picture of the board."""
    portal = demo_company.build(lambda: datetime.now(UTC))
    with tempfile.TemporaryDirectory() as folder, server.serve(portal) as base_url:
        environment = _environment(folder, portal.webhook_url(base_url), language)
        b24tools = [sys.executable, "-m", "b24tools", "-q"]
        subprocess.run([*b24tools, "snapshot", "--since", "2026-01-01"], env=environment, check=True)
        serving = subprocess.Popen([*b24tools, "serve", "--port", str(BOARD_PORT)], env=environment)
        try:
            _wait_for(f"http://127.0.0.1:{BOARD_PORT}/ping/")
            page = f"http://127.0.0.1:{BOARD_PORT}/board?theme=light&lang={language}"
            flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=5000"]
            shot = [f"--window-size={PLAN_SIZE}", f"--screenshot={picture('board', language, 'png')}", page]
            subprocess.run([browser, *flags, *shot], check=True, stderr=subprocess.DEVNULL)
        finally:
            serving.terminate()
            serving.wait()


def photograph_plan(browser: str, language: str) -> None:
    """Give the sandbox's people some orders, let a day pass, and take pictures of the plan and of the orders."""
    clock = [MONDAY]
    portal = demo_company.build(lambda: clock[0])
    with tempfile.TemporaryDirectory() as folder, server.serve(portal) as base_url:
        Path(folder, "order.json").write_text(json.dumps(_list_orders(), ensure_ascii=False), encoding="utf-8")
        environment = _environment(folder, portal.webhook_url(base_url), language)
        with mock.patch.dict(os.environ, environment, clear=True), mock.patch.object(context, "now", lambda: clock[0]):
            _run(["assign", "order.json"], folder)
            clock[0] = MONDAY + timedelta(days=1, hours=4, minutes=20)
            _let_a_day_pass(portal, clock[0])
            _photograph(browser, language, config.load())


def _list_orders() -> list[dict[str, Any]]:
    customers = ["ООО «Ромашка»", "Завод «Прогресс»", "ТЦ «Галактика»", "Кафе «У моста»", "АО «Лютик»", "Школа № 12"]
    orders = []
    for number in range(16):
        lines = [
            {"Должность": position, "Время": round(minutes * (1 + number % 4) / 4, 2)}
            for place, (position, minutes) in enumerate(LINES.items())
            if (number + place) % 3
        ]
        orders.append(
            ORDER
            | {
                "ИдентификаторЗаказа": f"b7c57163-8c5d-11ef-905d-{number:012}",
                "НомерЗаказа": f"1Ц-{69 + number:08}",
                "Контрагент": customers[number % len(customers)],
                "РекоммендуемаяДатаСдачи": f"{MONDAY + timedelta(days=2 + number * 5 % 13):%Y-%m-%dT00:00:00}",
                "Калькуляция": lines,
            }
        )
    return orders


def _let_a_day_pass(portal: Portal, now: datetime) -> None:
    """Most of what should be done is done, the rest begun; a welder is ill until Friday."""
    for task in portal.tasks:
        if not (task.xml_id or "").startswith("1c:"):
            continue
        if task.end_plan and task.end_plan < now.timestamp() and task.id % 5:
            portal.act("tasks.task.complete", {"taskId": task.id}, user_id=1)
        elif task.start_plan and task.start_plan < now.timestamp():
            portal.act("tasks.task.start", {"taskId": task.id}, user_id=1)
    ill = next(task.responsible for task in portal.tasks if task.title.startswith("Сварщик: 1Ц") and task.status == 2)
    portal.add_absence(ill, now.date(), (now + timedelta(days=3)).date())


def _photograph(browser: str, language: str, settings: config.Settings) -> None:
    """Serve what there is from this process, whose clock stands."""
    session = context.Session(settings, lambda _text: None)
    with listen("127.0.0.1", BOARD_PORT) as listener, run.open_app(session, Access()) as app:
        service = run.make_server(app, stop_within_s=5)
        thread = threading.Thread(target=service.run, args=([listener],))
        thread.start()
        try:
            for name, address in PLANS.items():
                page = f"http://127.0.0.1:{BOARD_PORT}/{address}&lang={language}"
                flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
                shot = [f"--window-size={PLAN_SIZE}", f"--screenshot={picture(name, language, 'png')}", page]
                subprocess.run([browser, *flags, *shot], check=True, stderr=subprocess.DEVNULL)
        finally:
            service.should_exit = True
            thread.join()


def _wait_for(url: str) -> None:
    for _try in range(600):
        try:
            urllib.request.urlopen(url).close()  # noqa: S310 - our own server on this machine
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{url} does not answer")


def main() -> None:
    """Write the screens, and with --pages the photographs."""
    for language in SUFFIXES:
        for name, svg in draw_screens(language).items():
            picture(name, language).write_text(svg, encoding="utf-8")
    if "--pages" in sys.argv[1:]:
        browser = next(filter(None, map(shutil.which, BROWSERS)), None)
        if browser is None:
            sys.exit(f"no Chromium: none of {', '.join(BROWSERS)} is on the PATH")
        for language in SUFFIXES:
            photograph_board(browser, language)
            photograph_plan(browser, language)


if __name__ == "__main__":
    main()
