"""The port that the service listens on."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from b24tools.core import errors
from b24tools.core.i18n import _, os_reason


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """Open the socket. Raises ConfigError when the address or the port cannot be had."""
    family, kind, protocol, _name, address = resolve(host, port)[0]
    # with the protocol named: asyncio turns Nagle's delay off only then, which would cost 40 ms a request
    with closing(socket.socket(family, kind, protocol)) as listener:
        try:
            if os.name == "posix":  # elsewhere it would let two programs have one port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()
        except OSError as error:
            raise errors.ConfigError(
                _("port {port} cannot be used: {reason}").format(port=port, reason=os_reason(error)),
                _("Choose another one with --port."),
            ) from None
        yield listener


def resolve(host: str, port: int) -> list[Any]:
    """Look a name up, as `socket.getaddrinfo` does. Raises ConfigError for one that there is not."""
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE))
    except (OSError, UnicodeError):
        raise errors.ConfigError(
            _("--host {host}: there is no such address").format(host=host),
            _("127.0.0.1 is this machine only, 0.0.0.0 its whole network."),
        ) from None
