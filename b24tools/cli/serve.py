"""`serve` at the command line."""

from __future__ import annotations

from b24tools import context
from b24tools.render import console
from b24tools.server import run


def serve(session: context.Session, talk: console.Talk, host: str, port: int, *, no_auth: bool) -> int:
    """Listen until SIGTERM or Ctrl+C; return the exit status."""
    run.serve(session, talk.say, talk.level, host, port, no_auth=no_auth)
    return 0
