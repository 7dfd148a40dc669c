"""Messages in the reader's language: English in the code, Russian beside it, through gettext."""

from __future__ import annotations

import errno
import gettext
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

_LOCALE = Path(__file__).parent.parent / "locale"
_everywhere = "en"
_in_this_thread: ContextVar[str | None] = ContextVar("_in_this_thread", default=None)


def use(language: str) -> None:
    """Speak `language` ("ru" or "en") from now on, in the whole process, as gettext.install() would have it."""
    global _everywhere  # noqa: PLW0603 - gettext's own convention is one language a process
    _everywhere = language
    # Typer translates its own words through the process-wide gettext, where our catalogue has them
    os.environ["LANGUAGE"] = language
    gettext.bindtextdomain("b24tools", str(_LOCALE))
    gettext.textdomain("b24tools")


@contextmanager
def speaking(language: str | None) -> Iterator[None]:
    """Speak `language` within the block, in this thread only; None: as everywhere."""
    before = _in_this_thread.set(language)
    try:
        yield
    finally:
        _in_this_thread.reset(before)


def current_language() -> str:
    """Return the language in use: "ru" or "en"."""
    return _in_this_thread.get() or _everywhere


@cache
def _translation(language: str) -> gettext.NullTranslations:
    return gettext.translation("b24tools", _LOCALE, [language], fallback=True)


def _(message: str) -> str:
    """Return the message in the language in use."""
    return _translation(current_language()).gettext(message)


def ngettext(one: str, many: str, n: int) -> str:
    """Return the form of a message that fits the number `n` (Russian has three)."""
    return _translation(current_language()).ngettext(one, many, n)


def pgettext(context: str, message: str) -> str:
    """Return the message as it is said of `context`: one English word may need several Russian ones."""
    return _translation(current_language()).pgettext(context, message)


def quote(text: str) -> str:
    """Put a name between the quotation marks of the language in use."""
    return _('"{text}"').format(text=text)


def os_reason(error: Exception) -> str:
    """Return why the system refused; its own words are English even on a Russian machine."""
    words = {
        errno.ENOENT: _("No such file or directory"),
        errno.EACCES: _("Permission denied"),
        errno.EPERM: _("Operation not permitted"),
        errno.EISDIR: _("Is a directory"),
        errno.ENOTDIR: _("Not a directory"),
        errno.ENOSPC: _("No space left on device"),
        errno.EROFS: _("Read-only file system"),
        errno.EADDRINUSE: _("Address already in use"),
        errno.EMFILE: _("Too many open files"),
    }
    number = error.errno if isinstance(error, OSError) else None
    return words.get(number or 0) or getattr(error, "strerror", None) or str(error)


def os_hint(error: OSError) -> str:
    """Return what is to be done where the system refused a file."""
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR | errno.EISDIR | errno.EEXIST:
            return _("Check the name, and the folders in it.")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return _("The user who runs b24tools must be allowed to read and write there.")
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return _("Make room on that disk.")
        case errno.EMFILE | errno.ENFILE:
            return _("Let a process open more files: `ulimit -n` shows how many, 256 are enough.")
    return _("Check the disk.")
