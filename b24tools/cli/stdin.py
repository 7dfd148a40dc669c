"""The standard input, which may be a terminal, a pipe, or closed (`<&-`, pythonw, some services): then it is None."""

from __future__ import annotations

import sys
from typing import TextIO

from b24tools.core.i18n import _


def is_terminal() -> bool:
    """Return whether there is somebody to ask."""
    return sys.stdin is not None and sys.stdin.isatty()


def get() -> TextIO:
    """Return the standard input. Raises OSError where it is closed."""
    if sys.stdin is None:
        raise OSError(_("it is closed"))
    return sys.stdin
