"""What a value should have been: pydantic says it in English only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from b24tools.core.i18n import _


def describe_expected(kind: str, context: Mapping[str, Any], message: str) -> str:
    """Say what a value should have been, by the type, the context and the message of pydantic's error."""
    if kind == "value_error":
        return str(context["error"])
    one_of = _("expected one of {values}")
    if kind == "literal_error":
        return one_of.format(values=", ".join(re.findall("'([^']*)'", context["expected"])))
    if kind == "string_pattern_mismatch" and "[" not in context["pattern"]:
        values = str(context["pattern"]).strip("^()$").split("|")
        text = one_of if values[1:] else _("expected {values}, or empty")
        return text.format(values=", ".join(values))
    limits = {
        "string_pattern_mismatch": _("expected a whole number"),  # of digits
        "greater_than": _("expected more than {limit}").format(limit=context.get("gt")),
        "greater_than_equal": _("expected {limit} or more").format(limit=context.get("ge")),
        "less_than_equal": _("expected {limit} or less").format(limit=context.get("le")),
        "int_parsing": _("expected a whole number"),
        "float_parsing": _("expected a number"),
        "bool_parsing": _("expected 1 or 0"),
    }
    return limits.get(kind, message)
