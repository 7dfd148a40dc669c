"""Settings: names that are none, values that do not fit, files that are not there, tokens."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from b24tools.core.i18n import _, ngettext
from b24tools.jobs.doctor.checks import Check, fail, from_error, ok, warn
from b24tools.jobs.doctor.subject import Stray, Subject

SHORT_TOKEN = 16
LANGUAGES = ("", "ru", "en")
USUAL_RATE, USUAL_BURST = 2.0, 50
BEST_RATE, BEST_BURST = 5.0, 250
CLOUD = ".bitrix24."


def check(subject: Subject) -> Iterator[Check]:
    """What can be said of the settings without the portal and the database."""
    if subject.env_file is None:
        where = _("no .env from this folder upwards; the environment sets {count}")
    else:
        where = _("{file}, with the environment: {count} set")
    count = ngettext("{n} setting", "{n} settings", len(subject.given)).format(n=len(subject.given))
    yield ok("settings", where.format(file=subject.env_file, count=count))
    for name, problem in subject.problems:
        yield from_error(f"setting {name}" if name else "env_file", problem)
    yield from map(_stray, subject.strays)
    if subject.env_file is not None:
        yield from _readable_by_others(subject.env_file)
    if subject.lang.lower() not in LANGUAGES:
        yield warn(
            "setting B24_LANG",
            _('"{value}" is no language of b24tools; it speaks English').format(value=subject.lang),
            _("Set B24_LANG to ru or en."),
        )
    if subject.ca_bundle is not None and not subject.ca_bundle.exists():
        yield fail(
            "setting B24_CA_BUNDLE",
            _("there is no {path}").format(path=subject.ca_bundle),
            _("Name the PEM file of the authority that signed the portal's certificate, or leave the setting empty."),
        )
    yield _serve_token(subject)


def rate(subject: Subject, host: str) -> Check:
    """More than the portal's plan allows would be refused; less only takes longer."""
    told = _("{rate:g} a second, {burst} at once").format(rate=subject.requests_per_second, burst=subject.burst)
    if CLOUD in f".{host}." and (subject.requests_per_second > BEST_RATE or subject.burst > BEST_BURST):
        return warn(
            "rate",
            _("{told}: more than any plan of Bitrix24 allows").format(told=told),
            _("Set B24_REQUESTS_PER_SECOND and B24_BURST to 2 and 50 (Enterprise: 5 and 250)."),
        )
    if subject.requests_per_second > USUAL_RATE or subject.burst > USUAL_BURST:
        told = _("{told}: right for the plan Enterprise and for an own server").format(told=told)
    return ok("rate", told)


def outgoing_token(subject: Subject, mode: str) -> Check:
    """Without one every event is refused."""
    if subject.outgoing_tokens:
        tokens = ngettext("{n} token", "{n} tokens", subject.outgoing_tokens).format(n=subject.outgoing_tokens)
        return ok("outgoing_token", _("set ({tokens})").format(tokens=tokens))
    mend = _("Put the application token of the outgoing webhook into BITRIX_OUTGOING_TOKEN, and start `serve` again")
    if mode == "webhook":
        return fail(
            "outgoing_token",
            _("not set, though the mode is webhook: every event is refused with 403"),
            _("{mend}; or go back: `b24tools mode polling`.").format(mend=mend),
        )
    told = _("not set: `serve` would refuse events; in polling mode nobody misses them")
    if subject.serve_token_length:  # the HTTP side is in use
        return warn("outgoing_token", told, _("{mend}, should events be wanted.").format(mend=mend))
    return ok("outgoing_token", told)


def _stray(stray: Stray) -> Check:
    mend = _("Remove it; .env-example lists all settings.")
    if stray.nearest:
        mend = _("Write {nearest}, if that is meant; .env-example lists all settings.").format(nearest=stray.nearest)
    return warn(f"setting {stray.name}", _("in {where}: there is no such setting").format(where=stray.where), mend)


def _serve_token(subject: Subject) -> Check:
    if not subject.serve_token_length:
        return ok("serve_token", _("not set: `serve` listens on this machine only"))
    if subject.serve_token_length < SHORT_TOKEN:
        return warn(
            "serve_token",
            _("only {n} signs long: it can be guessed").format(n=subject.serve_token_length),
            _("Set B24_SERVE_TOKEN to a long random word: `python3 -c 'import secrets; print(secrets.token_hex())'`."),
        )
    if subject.tokens_alike:
        return warn(
            "serve_token",
            _("B24_BOARD_TOKEN is the same: whoever may see the board may send orders"),
            _("Set B24_BOARD_TOKEN to a word of its own."),
        )
    return ok("serve_token", _("set"))


def _readable_by_others(path: Path) -> Iterator[Check]:
    """The webhook in it is a password."""
    if os.name == "nt":
        return
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if stat.S_ISREG(mode) and mode & stat.S_IROTH:  # not of /dev/null
        yield warn(
            "env_file",
            _("every user of this machine may read {path}, and with it the webhook").format(path=path),
            f"`chmod 600 {path}`",
        )
