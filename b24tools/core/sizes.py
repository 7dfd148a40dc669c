"""Numbers of bytes, as people read them."""

from __future__ import annotations

from b24tools.core.i18n import _

KIB, MIB = 1024, 1024 * 1024


def format_size(count: int) -> str:
    """Write a number of bytes, rounded; what is there is never 0."""
    if count < MIB:
        return _("{n} KiB").format(n=-(-count // KIB))
    if count < 10_000 * MIB:
        return _("{n} MiB").format(n=round(count / MIB))
    return _("{n} GiB").format(n=count // MIB // 1024)
