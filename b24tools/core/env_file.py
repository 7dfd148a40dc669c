"""The settings file, `.env`: looked for from the current folder upwards, unless one is named."""

from __future__ import annotations

import io
import locale
import os
from pathlib import Path

import dotenv

from b24tools.core import errors
from b24tools.core.i18n import _, os_reason


def read(chosen: Path | None = None) -> tuple[Path | None, dict[str, str]]:
    """Read the file's non-empty values. A chosen file must exist, a found one need not. Raise ConfigError."""
    if chosen is None:
        found = dotenv.find_dotenv(usecwd=True)
        if not found:
            return None, {}
        chosen = Path(found)
    try:
        # utf-8-sig: Windows editors put a BOM before the first name
        text = chosen.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise errors.ConfigError(
            _("{path} is not UTF-8 text").format(path=chosen), _("Save it again in the encoding UTF-8.")
        ) from None
    except OSError as error:
        raise errors.ConfigError(
            _("{path} cannot be read: {reason}").format(path=chosen, reason=os_reason(error)),
            _("Name an existing file with --env-file, or leave the option out."),
        ) from None
    values = dotenv.dotenv_values(stream=io.StringIO(text), interpolate=False)
    return chosen, {name: value for name, value in values.items() if value and value.strip()}


def choose_language(chosen: Path | None = None) -> str:
    """Return "ru" or "en": B24_LANG of the environment or of the file, else the locale's language."""
    language = os.environ.get("B24_LANG", "").strip()
    if not language:
        try:
            language = read(chosen)[1].get("B24_LANG", "").strip()
        except errors.ConfigError:
            language = ""  # the command that needs the settings will say so
    if not language:
        language = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    language = language or locale.getlocale()[0] or ""
    return "ru" if language.lower().startswith(("ru", "russian")) else "en"
