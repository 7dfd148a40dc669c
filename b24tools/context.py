"""What a command stands on: settings opened into a database, a client, a directory, a lock."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from b24tools.core import clock, config, data_folder, errors, locks
from b24tools.core.database_url import DatabaseUrl
from b24tools.core.i18n import _, os_reason
from b24tools.core.models import Progress, no_progress

if TYPE_CHECKING:  # the commands without network must not pay for it
    from b24tools.assignment.plan import Rules
    from b24tools.assignment.tools import Origin, Tools
    from b24tools.bitrix24.client import Client, Connections, Transport
    from b24tools.bitrix24.org_cache import CacheAnchor
    from b24tools.jobs.messages import Sending, Write
    from b24tools.scheduling.calendar_file import OwnDays
    from b24tools.scheduling.people_file import PeopleFile
    from b24tools.store import Store
    from b24tools.store.database import Database
    from b24tools.store.postgres import HeldLock
    from b24tools.store.shared_text import SharedText
    from b24tools.store.watch import Watch


def now() -> datetime:
    """The moment, aware UTC."""
    return clock.read_clock()


def user_name() -> str:
    """Whose process this is; "" where the system does not say."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


@dataclass
class Session:
    """Settings and the ways to open things by them. `transport` takes the place of the network.

    `connections` to the portal that clients leave to one another, `cache_anchor` holds the cache open: of a service.
    `watch` looks, before the database is used, whether it is the one that a long-running process began with.
    `command`: which one it is, for those who wait for its locks.
    """

    settings: config.Settings
    say: Callable[[str], None]
    transport: Transport | None = None
    watch: Watch | None = None
    connections: Connections | None = None
    cache_anchor: CacheAnchor | None = None
    command: str = ""
    _said: set[str] = field(default_factory=set, repr=False)
    _clients: list[Client] = field(default_factory=list, repr=False)
    _requests: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def portal_url(self) -> str:
        """The URL that people open; raises ConfigError where no webhook is set."""
        from b24tools.bitrix24 import webhook_url

        return webhook_url.read(config.webhook_url(self.settings)).portal

    @contextmanager
    def open_client(self, *, retry_s: float | None = None, leave_no_trace: bool = False) -> Iterator[Client]:
        """The portal of the settings' webhook, with the throttle that all processes of the folder share.

        `retry_s` instead of the setting's; `leave_no_trace` makes no file to share where there is none.
        """
        from b24tools.bitrix24.client import Client
        from b24tools.bitrix24.rate_limit import RateLimiter

        settings = self.settings
        stack = ExitStack()
        path = settings.data_dir / "throttle.json"
        shared: Path | SharedText | None = path
        read_time = time.time
        if isinstance(settings.database, DatabaseUrl):
            from b24tools.store.database import load_server

            load_server()
            from b24tools.store.shared_text import SharedText

            shared = stack.enter_context(closing(SharedText(settings.database, "throttle")))
            read_time = shared.read_clock
        elif leave_no_trace and not os.access(path, os.F_OK):
            shared = None
        per_second, burst = settings.requests_per_second, settings.burst
        rate_limiter = RateLimiter(shared, per_second=per_second, burst=burst, clock=read_time)
        client = Client(
            config.webhook_url(settings),
            rate_limiter=rate_limiter,
            transport=self.transport,
            ca_bundle=settings.ca_bundle,
            retry_s=settings.retry_seconds if retry_s is None else retry_s,
            on_wait=self.say_wait,
            on_warn=self._say_once,
            connections=self.connections,
        )
        is_idle = False
        with stack:
            self._clients.append(client)
            try:
                yield client
                is_idle = True
            finally:
                with self._lock:
                    self._clients.remove(client)
                    self._requests += client.requests
                client.close(is_idle=is_idle)

    def count_requests(self) -> int:
        """Return how many requests this process has sent to the portal."""
        with self._lock:
            return self._requests + sum(client.requests for client in self._clients)

    @contextmanager
    def open_planning(
        self,
        *,
        read_only: bool,
        progress: Progress = no_progress,
        pins: Mapping[str, int | str] = {},
        origin: Origin | None = None,
        retry_s: float | None = None,
    ) -> Iterator[tuple[Tools, Rules]]:
        """Open what jobs work with that plan, or read how plans stand.

        `read_only`: what they write goes nowhere, and no lock is taken. `pins`: the people for positions. `origin`:
        else this user. `retry_s` instead of the setting's.
        """
        from b24tools.assignment.tools import Origin, RunClock, Tools
        from b24tools.bitrix24.org_cache import NameSettings, OrgCache

        settings = self.settings

        def open_cache(client: Client) -> OrgCache:
            own = own_people(settings)  # once the database is open: other machines may have changed it
            names = NameSettings(
                settings.department,
                settings.group,
                settings.folder,
                settings.schedule_id,
                schedules=own.schedules,
                positions=own.positions,
            )
            return OrgCache(
                client,
                settings.data_dir / "cache",
                names,
                directory_h=settings.directory_cache_h,
                people_h=settings.people_cache_h,
                anchor=self.cache_anchor,
                on_warn=self._say_once,
            )

        with (
            self.open_client(retry_s=retry_s) as client,
            self.open_store(dry_run=read_only) as opened,
            closing(open_cache(client)) as directory,
        ):
            opened.settings.check_host(client.host)
            client.before_write = opened.database.check_lock
            lock: AbstractContextManager[object] = nullcontext()
            if not read_only:
                opened.messages.follow(settings.notify, now())
                lock = self.hold_lock("assign", settings.retry_seconds, say=True, database=opened.database)
            clock = RunClock(now, time.sleep, progress, self.say, time.monotonic)
            tools = Tools(client, directory, opened, lock, clock, origin or Origin(by=user_name()))
            yield tools, assign_rules(settings, opened, pins)

    def has_messages(self) -> bool:
        """Whether any are to be sent: people get some, or a digest waits; none where that cannot be seen."""
        if self.settings.notify:
            return True
        try:
            with self.read_store() as opened:
                return opened.messages.has_planned()
        except errors.B24ToolsError:
            return False

    def send_messages(self, write: Write) -> Sending:
        """Send what people and managers have to know by now, with digests that wait. What fails is in the result."""
        from b24tools.jobs import messages

        try:
            with self.open_planning(read_only=False) as (tools, rules):
                with suppress(errors.Busy):
                    with self.hold_lock("assign"):
                        pass  # else a run is in the middle of its writes, and says all of it at its end
                    # An order that comes now is not refused for that; at worst its news is two messages.
                    messages.plan_news(tools.store, self.settings.notify, tools.clock.now())
                return messages.send_due(tools, rules, write)
        except errors.B24ToolsError as error:
            return messages.Sending(problems=(error,))

    @contextmanager
    def snapshot_tools(self) -> Iterator[tuple[Client, Store]]:
        """What the `snapshot` job works with. Raises Busy at once while another one runs."""
        with (
            self.open_client() as client,
            self.hold_lock("snapshot") as held,
            self.open_store() as opened,
        ):
            opened.database.must_hold = held
            opened.settings.check_host(client.host)
            yield client, opened

    @contextmanager
    def hold_lock(
        self, name: str, wait_s: float = 0, *, say: bool = False, database: Database | None = None
    ) -> Iterator[HeldLock | None]:
        """Let one run at a time through, of those that use this data folder or this schema; see `locks.hold`.

        `say`: whom it waits for. `database` writes nothing any more where the lock on a server was lost meanwhile.
        """
        address = self.settings.database
        listener = self.say if say else None
        if not isinstance(address, DatabaseUrl):
            with locks.hold(self.settings.data_dir, name, wait_s, self.local_now, listener, self.command):
                yield None
            return
        from b24tools.store import shared_locks

        with shared_locks.hold(address, name, wait_s, self.local_now, listener, self.command) as held:
            if database is not None:
                database.must_hold = held
            try:
                yield held
            finally:
                if database is not None:
                    database.must_hold = None

    @contextmanager
    def open_store(self, *, dry_run: bool = False, shares_files: bool = True) -> Iterator[Store]:
        """Open the database; in a dry run for reading, and what is written goes nowhere.

        What SQLite refuses in the block becomes an error, of the ledger as of the cache. `shares_files`: as
        `share_files` does.
        """
        from b24tools import store

        path = self.settings.database
        if self.watch is not None:
            self.watch.check()
        try:
            with closing(store.read_store(path, dry_run=True) if dry_run else store.open_store(path)) as opened:
                if self.watch is not None:
                    self.watch.check(opened.database)
                if shares_files:
                    self.share_files(opened.database)
                yield opened
        except store.database.Error as error:
            raise store.database.explain(path, error) from error

    def share_files(self, database: Database) -> None:
        """Bring calendar.json and people.json to the state that all machines have, where several share the database.

        Raises ConfigError where they cannot be written; who only reads goes on with what is there.
        """
        if not database.is_shared:
            return
        from b24tools.core import data_folder
        from b24tools.store import shared_files

        folder = self.settings.data_dir
        try:
            if not database.is_read_only:
                data_folder.prepare(folder)
            shared_files.share(database, folder)
        except OSError as error:
            if database.is_read_only:
                return
            message = _("{path}: {reason}").format(path=error.filename or folder, reason=os_reason(error))
            hint = _("B24_DATA_DIR names it: the user who runs b24tools must be allowed to write there.")
            raise errors.ConfigError(message, hint) from error

    def has_database(self) -> bool:
        """Return whether there is one, or may be where nothing can be seen; a server that is away raises Busy."""
        path = self.settings.database
        if isinstance(path, Path):
            try:
                return path.exists()
            except OSError:  # whoever opens it says so
                return True
        from b24tools.store import database

        return database.exists(path)

    @contextmanager
    def read_store(self) -> Iterator[Store]:
        """Open one state of the database for reading; empty where there is none. Raises ConfigError."""
        from b24tools import store

        path = self.settings.database
        if self.watch is not None:
            self.watch.check()
        with closing(store.read_store(path)) as opened, store.database.explain_failures(path, system=False):
            self.share_files(opened.database)
            yield opened

    def is_fresh(self) -> bool:
        """Whether the last complete snapshot is younger than `snapshot_max_age_h`; what cannot be read is not."""
        try:
            with self.read_store() as opened:
                moment = now()
                run = opened.snapshot_runs.last_taken(moment, non_admin=self.settings.non_admin)
                limit = timedelta(hours=float(opened.settings.get("snapshot_max_age_h")))
        except (errors.B24ToolsError, OSError):
            return False
        return run is not None and moment - run.started_at < limit

    def say_wait(self, seconds: float, reason: str) -> None:
        """Say why nothing happens; what is shorter than a second is no news."""
        if seconds >= 1:
            self.say(_("{reason}; waiting {seconds:.0f} s").format(reason=reason, seconds=seconds))

    def _say_once(self, message: str) -> None:
        """`serve` opens many clients."""
        if message not in self._said:
            self._said.add(message)
            self.say(message)

    def local_now(self) -> datetime:
        """The moment, in the configured zone: for people."""
        return now().astimezone(self.settings.zone)


def assign_rules(settings: config.Settings, opened: Store, pins: Mapping[str, int | str] = {}) -> Rules:
    """The settings that assignment obeys."""
    from b24tools.assignment.plan import Rules

    people, norms = own_people(settings), {}
    if settings.norms:
        from b24tools.assignment.norms import learn_norms

        norms = learn_norms(opened, people)
    return Rules(
        zone=settings.zone,
        department=settings.department,
        group=settings.group,
        folder=settings.folder,
        step_s=settings.step_s,
        show_sum=settings.show_sum,
        non_admin=settings.non_admin,
        fallback_user=settings.fallback_user,
        excluded=opened.settings.excluded_users(),
        pins=pins,
        route=settings.route,
        retry_s=settings.retry_seconds,
        country=settings.country,
        own=own_days(settings),
        people=people,
        norms=norms,
    )


def list_checks() -> frozenset[str]:
    """The names of doctor's checks, for who acknowledges one."""
    from b24tools.jobs.doctor.job import list_names

    return list_names()


def own_days(settings: config.Settings) -> OwnDays:
    """The days of calendar.json in the data folder; none without the file. Raises ConfigError."""
    from b24tools.scheduling.calendar_file import OwnDays, parse

    path = settings.data_dir / data_folder.CALENDAR
    raw = _read_own(path)
    return OwnDays() if raw is None else parse(raw, str(path))


def own_people(settings: config.Settings) -> PeopleFile:
    """What people.json in the data folder says; nothing without the file. Raises ConfigError."""
    from b24tools.scheduling.people_file import PeopleFile, parse

    path = settings.data_dir / data_folder.PEOPLE
    raw = _read_own(path)
    return PeopleFile() if raw is None else parse(raw, str(path))


def _read_own(path: Path) -> bytes | None:
    """Read a file that the user may have put into the data folder."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):  # what is wrong with the folder, whoever opens the database says
        return None
    except OSError as error:
        raise errors.ConfigError(
            _("{path} cannot be read: {reason}").format(path=path, reason=os_reason(error)),
            _("Make it readable for whoever runs this."),
        ) from error
