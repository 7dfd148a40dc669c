"""Files with orders."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from b24tools.cli import stdin
from b24tools.core import errors, inbox
from b24tools.core.i18n import _, os_reason

if TYPE_CHECKING:
    from b24tools.core.config import Settings
    from b24tools.onec.order import Order


def read_orders(path: Path, settings: Settings) -> list[Order]:
    """Read the orders of a file; `-` is stdin. Raise OrderError or ConfigError, which name the file.

    Neither the orders nor the error hold a secret of these settings.
    """
    from b24tools.onec import order

    read = partial(order.read_orders, zone=settings.zone, hide=settings.order_scrubber.hide)
    name = _("stdin") if str(path) == "-" else inbox.show_name(path)
    try:
        if str(path) != "-":
            with path.open("rb") as stream:
                return read(order.read_source(stream))
        return read(order.read_source(stdin.get().buffer))
    except errors.OrderError as error:
        hint = error.hint or _("Correct the order in 1C and send it again.")
        raise type(error)(settings.scrubber.scrub(f"{name}: {error.message}"), hint) from None
    except OSError as error:
        raise errors.UsageError(
            f"{name}: {os_reason(error)}", _("Name a file with an order that this user may read.")
        ) from error
