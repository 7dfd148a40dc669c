"""What a command said for each of many portals: lines with the portal in front, a table of doctor's, `data`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from b24tools.core.i18n import _, ngettext, pgettext
from b24tools.jobs.each import Answer
from b24tools.render.console import Column, Screen, clean

MOST_NAMED = 10


def data(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """The `data` of `each --json`."""
    return [
        {
            "profile": answer.profile,
            "status": answer.status,
            "answer": read_envelope(answer),
            "said": answer.err.splitlines(),
        }
        for answer in answers
    ]


def list_lines(answer: Answer, width: int, limit: str, *, quiet: bool) -> tuple[list[str], list[str]]:
    """Return the lines for stdout and for stderr, the profile in front of each; one at least, unless `quiet`."""
    out, err = answer.out.splitlines(), answer.err.splitlines()
    if not answer.in_time:
        err.append(describe_cut(limit))
    elif not (out or err or quiet):
        out.append(describe_status(answer.status))
    name = answer.profile.ljust(width)
    return [f"{name}  {line}".rstrip() for line in out], [f"{name}  {line}".rstrip() for line in err]


def describe_status(status: int) -> str:
    """Say how a command ended that has said nothing."""
    return _("exit status {status}").format(status=status) if status else pgettext("portal", "done")


def describe_cut(limit: str) -> str:
    """Say that a command took too long."""
    return _("Cut off after {limit}; it is safe to run it again.").format(limit=limit)


def summarize(answers: Sequence[Answer]) -> str:
    """Say how many portals are done, and name the others with their exit statuses."""
    others = [f"{answer.profile} ({answer.status})" for answer in answers if answer.status]
    count = ngettext("{n} portal", "{n} portals", len(answers)).format(n=len(answers))
    if not others:
        return _("{portals}: all done.").format(portals=count)
    named = others[:MOST_NAMED]
    if len(others) > MOST_NAMED:
        named.append(_("{n} more").format(n=len(others) - MOST_NAMED))
    text = _("{portals}: {done} done; with another exit status: {names}.")
    return text.format(portals=count, done=len(answers) - len(others), names=", ".join(named))


def print_checks(answers: Sequence[Answer], limit: str, relay: Callable[[str], object]) -> None:
    """Print what doctor found, a line for each portal: how much is well, and the first that is not.

    What is no answer of doctor's goes to `relay`.
    """
    columns = [
        Column(_("Portal")),
        Column(_("OK"), right=True),
        Column(_("To look at"), right=True),
        Column(_("Fail"), right=True),
        Column(_("Begin with"), overflow="fold"),
    ]
    rows = []
    for answer in answers:
        envelope = read_envelope(answer) or {}
        findings = envelope.get("data") or []
        by_status: dict[str, list[str]] = {status: [] for status in ("ok", "warn", "fail")}
        for finding in findings:
            by_status["ok" if "known" in finding else finding["status"]].append(
                f"{finding['check']}: {finding['detail']}"
            )
        first = next(iter(by_status["fail"] or by_status["warn"]), "")
        if not answer.in_time:
            first = describe_cut(limit)
        elif not findings:
            first = (envelope.get("error") or {}).get("message") or describe_status(answer.status)
        if not envelope:
            for line in answer.err.splitlines():
                relay(f"{answer.profile}  {line}")
        numbers = [str(len(texts)) if findings else "-" for texts in by_status.values()]
        rows.append([answer.profile, *numbers, clean(first) or "-"])
    Screen().print_table(columns, rows)


def read_envelope(answer: Answer) -> dict[str, Any] | None:
    """Return the object that the command has printed; None where it has printed none."""
    try:
        envelope = json.loads(answer.out)
    except ValueError:
        return None
    return envelope if isinstance(envelope, dict) else None
