"""The dead man's switch: an address outside that hears of each quiet run, so that silence is noticed there."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit
from urllib.request import Request, urlopen

from b24tools import __version__
from b24tools.core import certificates, errors
from b24tools.core.config import Settings
from b24tools.core.i18n import _, os_reason

if TYPE_CHECKING:
    from pydantic import SecretStr

TIMEOUT_S: Final = 5.0
STARTED: Final = "/start"
FAILED: Final = "/fail"
DONE: Final = ""


@dataclass(frozen=True)
class Ping:
    """The switch of one run of a command."""

    settings: Settings
    command: str

    def start(self) -> None:
        """Say that the command begins."""
        self._call(STARTED)

    def finish(self, status: int) -> None:
        """Say how it ended; of what is to be tried later nothing, so that the switch notices if it goes on."""
        if status != errors.TRY_LATER:
            self._call(FAILED if status else DONE)

    def _call(self, suffix: str) -> None:
        """Call the address. A failure is a line in the log, without the address: it is a secret.

        In a thread, because only the whole of it has a limit: the search for the name has none, and a byte now and
        then is no silence.
        """
        if self.settings.ping_url is None:
            return
        failures: list[str] = []
        thread = threading.Thread(target=self._request, args=(self.settings.ping_url, suffix, failures), daemon=True)
        thread.start()
        thread.join(TIMEOUT_S)
        if thread.is_alive():
            failures = ["timed out"]
        for failure in failures:
            self._log(failure)

    def _request(self, ping_url: SecretStr, suffix: str, failures: list[str]) -> None:
        try:
            address = ping_url.get_secret_value().replace("{command}", self.command)
            parts = urlsplit(address.replace("{profile}", self.settings.profile))
            url = urlunsplit(parts._replace(path=parts.path.rstrip("/") + suffix if suffix else parts.path))
            trust = certificates.open_trust(self.settings.ca_bundle) if parts.scheme == "https" else None
            request = Request(url, headers={"User-Agent": f"b24tools/{__version__}"})  # noqa: S310 - config checks it
            urlopen(request, timeout=TIMEOUT_S, context=trust).close()  # noqa: S310 - likewise
        except (OSError, HTTPException, ValueError, errors.ConfigError) as error:
            reason = getattr(error, "reason", error)
            text = os_reason(reason) if isinstance(reason, OSError) else str(reason)
            failures.append(text or type(error).__name__)

    def _log(self, reason: str) -> None:
        from b24tools.core import log_file

        with log_file.write_command_log(self.settings, ["b24tools.ping"]):
            line = _("B24_PING_URL was not reached: {reason}").format(reason=reason)
            logging.getLogger("b24tools.ping").warning(self.settings.scrubber.scrub(line))
