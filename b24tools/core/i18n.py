"""Messages in the reader's language: English in the code, Russian beside it, through gettext."""

from __future__ import annotations

import errno
import gettext
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

LANGUAGES = ("en", "ru")
_LOCALE = Path(__file__).parent.parent / "locale"
_current: gettext.NullTranslations = gettext.NullTranslations()
_here: ContextVar[gettext.NullTranslations | None] = ContextVar("_here", default=None)


def use(language: str) -> None:
    """Speak `language` ("ru" or "en") from now on; gettext's own convention is one per process."""
    global _current  # noqa: PLW0603 - as gettext.install() has it
    _current = _translation(language)
    # Typer's own words (below) go through the process-wide gettext
    os.environ["LANGUAGE"] = language
    gettext.bindtextdomain("b24tools", str(_LOCALE))
    gettext.textdomain("b24tools")


@contextmanager
def speaking(language: str | None) -> Iterator[None]:
    """Speak `language` within the block, in this thread only; None: as everywhere."""
    before = _here.set(_translation(language) if language else None)
    try:
        yield
    finally:
        _here.reset(before)


def _translation(language: str) -> gettext.NullTranslations:
    return gettext.translation("b24tools", _LOCALE, [language], fallback=True)


def _(message: str) -> str:
    """The message in the language in use."""
    return (_here.get() or _current).gettext(message)


def ngettext(one: str, many: str, n: int) -> str:
    """The form of a message that fits the number `n` (Russian has three)."""
    return (_here.get() or _current).ngettext(one, many, n)


def pgettext(context: str, message: str) -> str:
    """The message as it is said of `context`: one English word may need several Russian ones."""
    return (_here.get() or _current).pgettext(context, message)


def os_reason(error: Exception) -> str:
    """Why the system refused; its own words are English even on a Russian machine."""
    words = {
        errno.ENOENT: _("No such file or directory"),
        errno.EACCES: _("Permission denied"),
        errno.EPERM: _("Operation not permitted"),
        errno.EISDIR: _("Is a directory"),
        errno.ENOTDIR: _("Not a directory"),
        errno.ENOSPC: _("No space left on device"),
        errno.EROFS: _("Read-only file system"),
        errno.EADDRINUSE: _("Address already in use"),
    }
    number = error.errno if isinstance(error, OSError) else None
    return words.get(number or 0) or getattr(error, "strerror", None) or str(error)


def typer_words() -> tuple[str, ...]:
    """What Typer says by itself, so that the catalogue has it."""
    return (
        _("Arguments"),
        _("Commands"),
        _("Options"),
        _("required"),
        _("default: {default}"),
        _("Missing command."),
        _("No such command {name!r}."),
    )
