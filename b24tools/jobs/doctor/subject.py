"""What is examined: the settings as far as they matter here, without where they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from b24tools.core import errors
from b24tools.onec import order
from b24tools.scheduling.calendar_file import OwnDays


@dataclass(frozen=True)
class Stray:
    """A name in `.env` or the environment that is no setting; the likeliest one meant."""

    name: str
    where: str
    nearest: str | None


@dataclass(frozen=True)
class OrderFile:
    """An order file: its orders, or why it has none."""

    path: str
    orders: Sequence[order.Order] = ()
    error: errors.B24ToolsError | None = None


@dataclass(frozen=True)
class Subject:
    """The settings. `webhook_url` is a secret; empty where `webhook_problem` says why.

    `problems`: by the setting's name, "" for the file.

    `given`: the names that have a value. `tokens_alike`: the token of the board opens everything else, too.
    `country`: whose production calendar counts; `own`: the days of calendar.json.
    """

    env_file: Path | None
    given: frozenset[str]
    strays: Sequence[Stray]
    problems: Sequence[tuple[str, errors.ConfigError]]
    data_dir: Path
    database: Path
    zone: ZoneInfo
    lang: str
    department: str
    group: str
    folder: str
    schedule_id: int
    fallback_user: int | None
    route: Sequence[str]
    non_admin: bool
    ca_bundle: Path | None
    requests_per_second: float
    burst: int
    outgoing_tokens: int
    serve_token_length: int
    tokens_alike: bool
    webhook_url: str = field(default="", repr=False)
    webhook_problem: errors.ConfigError | None = None
    country: str = "none"
    own: OwnDays = field(default_factory=OwnDays)
    order_file: OrderFile | None = None
