"""crontab.example and the units on the pages: `python -m scripts.write_schedule` writes them as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

from b24tools.jobs.schedule import Installation
from b24tools.render import schedule

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "docs" / "deploy.md", ROOT / "docs" / "ru" / "deploy.md")
EXAMPLE = Installation(
    ("/opt/b24tools/.venv/bin/b24tools",),
    "/opt/b24tools/.env",
    "/var/lib/b24tools",
    "/srv/1c/orders",
    user="b24tools",
    notify=True,
    serve=True,
    zone="Europe/Moscow",
)


def fill() -> dict[Path, str]:
    """Return the files as they should be, in English: the crontab, and the pages with their units."""
    units = schedule.units(EXAMPLE)

    def write(found: re.Match[str]) -> str:
        return f"```ini\n# /etc/systemd/system/{found[1]}\n{units[found[1]]}```"

    pages = {page: page.read_text(encoding="utf-8") for page in PAGES}
    return {ROOT / "crontab.example": schedule.cron(EXAMPLE)} | {
        page: re.sub(r"```ini\n# /etc/systemd/system/(\S+)\n.*?```", write, text, flags=re.S)
        for page, text in pages.items()
    }


if __name__ == "__main__":
    for path, text in fill().items():
        path.write_text(text, encoding="utf-8")
