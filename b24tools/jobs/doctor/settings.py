"""Settings: unknown names, values that do not fit, files that are not there, tokens."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from pydantic import SecretStr

from b24tools.core.i18n import _, ngettext
from b24tools.jobs.doctor.checks import Checks, Examination, Finding, fail, from_error, ok, warn

SHORT_TOKEN = 16
LANGUAGES = ("", "ru", "en")

checks = Checks(lambda: _("This machine"))


@checks.add("settings", lambda: _("settings"))
def check_source(exam: Examination) -> Finding:
    given, file = len(exam.inspection.given), exam.inspection.file
    count = ngettext("{n} setting", "{n} settings", given).format(n=given)
    if file is None:
        return ok(_("no .env from this folder upwards; the environment sets {count}"), count=count)
    return ok(_("{file}, with the environment: {count} set"), file=file, count=count)


@checks.add("env_file", lambda: _("settings file"))
def check_env_file(exam: Examination) -> Iterator[Finding]:
    """Find a file that cannot be read, or that everybody may read: the webhook in it is a password."""
    yield from (from_error(problem) for name, problem in exam.inspection.problems if not name)
    file = exam.inspection.file
    if file is not None and os.name != "nt" and os.access(file, os.F_OK):
        mode = file.stat().st_mode
        if stat.S_ISREG(mode) and mode & stat.S_IROTH:  # not of /dev/null
            detail = _("every user of this machine may read {path}, and with it the webhook")
            yield warn(detail, "`chmod 600 {path}`", path=file)


@checks.add("setting", lambda: "")
def check_values(exam: Examination) -> Iterator[Finding]:
    settings = exam.settings
    yield from (from_error(problem, name) for name, problem in exam.inspection.problems if name)
    for unknown in exam.inspection.unknown:
        fix = _("Remove it; .env-example lists all settings.")
        if unknown.nearest:
            fix = _("Write {nearest}, if that is meant; .env-example lists all settings.")
        detail = _("in {where}: there is no such setting")
        yield warn(detail, fix, about=unknown.name, where=unknown.where, nearest=unknown.nearest)
    for text in exam.inspection.repeated:
        yield warn(text, _("Leave one of the two."))
    if settings.lang.lower() not in LANGUAGES:
        detail = _('"{value}" is no language of b24tools; it speaks English')
        yield warn(detail, _("Set B24_LANG to ru or en."), about="B24_LANG", value=settings.lang)
    if settings.ca_bundle is not None and not settings.ca_bundle.exists():
        fix = _("Name the PEM file of the authority that signed the portal's certificate, or leave the setting empty.")
        yield fail(_("there is no {path}"), fix, about="B24_CA_BUNDLE", path=settings.ca_bundle)
    if "B24_DATA_DIR" not in exam.inspection.given:
        detail = _("not set: another user (cron, a service) would have another data folder, and make tasks twice")
        fix = _("Write B24_DATA_DIR={path} into .env.")
        yield warn(detail, fix, about="B24_DATA_DIR", path=settings.data_dir)


@checks.add("serve_token", lambda: _("token of serve"))
def check_serve_token(exam: Examination) -> Finding:
    token = _reveal(exam.settings.serve_token)
    if not token:
        return ok(_("not set: `serve` listens on this machine only"))
    if len(token) < SHORT_TOKEN:
        fix = _("Set B24_SERVE_TOKEN to a long random word: `python3 -c 'import secrets; print(secrets.token_hex())'`.")
        return warn(_("only {n} characters long: it can be guessed"), fix, n=len(token))
    if token == _reveal(exam.settings.board_token):
        detail = _("B24_BOARD_TOKEN is the same: whoever may see the board may send orders")
        return warn(detail, _("Set B24_BOARD_TOKEN to a word of its own."))
    return ok(_("set"))


@checks.add("outgoing_token", lambda: _("token of events"))
def check_outgoing_token(exam: Examination) -> Finding:
    count = len([word for word in _reveal(exam.settings.outgoing_token).split(",") if word.strip()])
    if count:
        return ok(_("set ({tokens})"), tokens=ngettext("{n} token", "{n} tokens", count).format(n=count))
    fix = _("Put the application token of the outgoing webhook into BITRIX_OUTGOING_TOKEN, and start `serve` again")
    if exam.mode == "webhook":
        detail = _("not set, though the mode is webhook: every event is refused with 403")
        return fail(detail, _("{how}; or go back: `b24tools mode polling`."), how=fix)
    detail = _("not set: `serve` would refuse events, which polling mode does not need")
    if _reveal(exam.settings.serve_token):  # the HTTP side is in use
        return warn(detail, _("{how}, should events be wanted."), how=fix)
    return ok(detail)


def _reveal(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()
