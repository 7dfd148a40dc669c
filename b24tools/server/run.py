"""How the service runs: what it needs before it listens, and how it ends."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import uvicorn
from fastapi import FastAPI

from b24tools import context
from b24tools.bitrix24.client import Connections
from b24tools.bitrix24.org_cache import CacheAnchor
from b24tools.core.i18n import _
from b24tools.core.log_file import write_log
from b24tools.jobs.events.worker import Worker
from b24tools.scheduling.holidays import production_calendar
from b24tools.server.app import create_app
from b24tools.server.auth import Access, choose_access
from b24tools.server.connections import Connection, OncePerMinute, allow_connections
from b24tools.server.services import Services
from b24tools.server.sockets import listen
from b24tools.store import database
from b24tools.store.watch import Watch

FINISH_S = 60  # beyond the waits of an order under way, until the service is stopped all the same

_log = logging.getLogger("b24tools.serve")


def serve(
    session: context.Session, say: Callable[[str], None], level: int, host: str, port: int, *, no_auth: bool
) -> None:
    """Listen until SIGTERM or Ctrl+C. `level` (-1 to 2): how much of the log goes to stderr, too."""
    settings = session.settings
    access = choose_access(settings, host, no_auth=no_auth)
    Connection.most = allow_connections()
    os.umask(0o077)  # whatever it writes, it writes into the data folder
    for kind in ("SIGTERM", "SIGBREAK"):  # uvicorn repeats the signal that stopped it to the handler it found
        if hasattr(signal, kind):
            signal.signal(getattr(signal, kind), signal.default_int_handler)
    with (
        listen(host, port) as listener,
        write_log(settings, level) as log,
        open_app(context.Session(settings, _log.info, session.transport, command="serve"), access) as app,
    ):
        # three hundred modules, which the first order would wait for
        production_calendar(settings.country).days.get(context.now().date())
        gc.collect()
        gc.freeze()  # what is loaded now stays: no order has to wait until Python has searched it once more
        gc.set_threshold(7_000)  # a short command may leave its garbage lying, a service may not; an order makes less
        if settings.webhook_url is None:
            say(_("BITRIX_WEBHOOK_URL is not set: orders cannot be taken."))
        if settings.outgoing_token is None:
            say(_("BITRIX_OUTGOING_TOKEN is not set: the portal's events are refused."))
        address, bound_port = listener.getsockname()[:2]
        name = f"[{address}]" if ":" in address else address
        with suppress(KeyboardInterrupt):
            say(
                _("Listening on {url}; /docs describes it, the log is {log}. Ctrl+C stops it.").format(
                    url=f"http://{name}:{bound_port}", log=log
                )
            )
            _log.info("listening on %s port %s", address, bound_port)
            make_server(app, stop_within_s=settings.retry_seconds + FINISH_S).run(sockets=[listener])
        _log.info("stopped")


@contextmanager
def open_app(session: context.Session, access: Access) -> Iterator[FastAPI]:
    """Check what it needs, and start the worker that follows events; it ends with the block."""
    with (
        database.reuse_connections(session.settings.database),
        session.open_store() as store,
        closing(Connections()) as session.connections,
        closing(CacheAnchor()) as session.cache_anchor,
    ):
        if session.settings.webhook_url is not None:
            with session.open_client() as client:
                store.settings.check_host(client.host)
        session.watch = Watch(session.settings.database, store.database)
        worker = Worker(
            session.open_store, session.open_client, session.settings.zone, now=context.now, check=session.watch.check
        )
        worker.start()
        try:
            yield create_app(Services(session, worker.wake, context.now), access)
        finally:
            worker.stop()


def make_server(app: FastAPI, *, stop_within_s: float) -> uvicorn.Server:
    """Make uvicorn with nothing that we do ourselves: no log of requests, no headers from proxies, no WebSockets."""
    for name in ("b24tools.serve.connections", "asyncio", "uvicorn.error"):
        logger = logging.getLogger(name)
        if not logger.filters:
            logger.addFilter(OncePerMinute())
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            # so many come in before one is looked at; asyncio fails so many times at once where no file can be opened
            backlog=max(1, Connection.most // 4),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=int(stop_within_s),
        )
    )
