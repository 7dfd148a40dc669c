"""The file crontab.example: `python -m scripts.write_crontab` writes it as `b24tools schedule cron` prints it."""

from __future__ import annotations

from pathlib import Path

from b24tools.jobs.schedule import Installation
from b24tools.render import schedule

FILE = Path(__file__).parent.parent / "crontab.example"
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


def draw() -> str:
    """Write the example in English."""
    return schedule.cron(EXAMPLE)


if __name__ == "__main__":
    FILE.write_text(draw(), encoding="utf-8")
