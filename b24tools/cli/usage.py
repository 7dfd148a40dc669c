"""Options that do not go together."""

from __future__ import annotations

from collections.abc import Mapping

from b24tools.core import errors
from b24tools.core.i18n import _


def refuse_together(options: Mapping[str, bool], hint: str = "") -> None:
    """Raise UsageError where more than one of these options is given."""
    *earlier, last = [option for option, is_given in options.items() if is_given] or [""]
    if earlier:
        message = _("{one} and {other} exclude each other").format(one=", ".join(earlier), other=last)
        raise errors.UsageError(message, hint or _("Name one of them."))


def refuse_json_with(form: str, *, as_json: bool) -> None:
    """Raise UsageError for --json together with another --format than the usual one."""
    if as_json and form != "table":
        raise errors.UsageError(_("--json is a format of its own"), _("Leave out --json or --format."))
