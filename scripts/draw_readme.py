"""Draw the pictures of both READMEs into docs/: `python -m scripts.draw_readme`, and `--board` for the page as well.

Every picture is what the program itself shows of the sandbox portal. The screens of the terminal are drawn on a Monday
morning of their own, so that a test can compare them. The board is a photograph of this week, taken with a Chromium.
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
import time
import urllib.request
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

from rich.console import Console
from rich.text import Text

from b24tools import context
from b24tools.core import i18n
from b24tools.sandbox import demo_company, server

DOCS = Path(__file__).parent.parent / "docs"
SUFFIXES = {"en": "", "ru": ".ru"}
SCREENS = {"assign": ["assign", "order.json"], "load": ["load", "Монтажник"]}
MONDAY = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # 07:00 in Moscow, before the shift
COLUMNS = 80
BOARD_PORT = 8025
BOARD_SIZE = "1280,720"
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
            shot = [f"--window-size={BOARD_SIZE}", f"--screenshot={picture('board', language, 'png')}", page]
            subprocess.run([browser, *flags, *shot], check=True, stderr=subprocess.DEVNULL)
        finally:
            serving.terminate()
            serving.wait()


def _wait_for(url: str) -> None:
    for _try in range(100):
        try:
            urllib.request.urlopen(url).close()  # noqa: S310 - our own server on this machine
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{url} does not answer")


def main() -> None:
    """Write the screens, and with --board the photographs."""
    for language in SUFFIXES:
        for name, svg in draw_screens(language).items():
            picture(name, language).write_text(svg, encoding="utf-8")
    if "--board" in sys.argv[1:]:
        browser = next(filter(None, map(shutil.which, BROWSERS)), None)
        if browser is None:
            sys.exit(f"no Chromium: none of {', '.join(BROWSERS)} is on the PATH")
        for language in SUFFIXES:
            photograph_board(browser, language)


if __name__ == "__main__":
    main()
