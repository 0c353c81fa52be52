"""Taking the port that the endpoint listens on, before anything heavy is started."""

from __future__ import annotations

import errno
import socket
from typing import Final

from dispatcher.errors import ConfigError

_BACKLOG: Final = 1024


def listen(host: str, port: int) -> socket.socket:
    """Take a port; 0 takes any that is free.

    Raises:
        ConfigError: it is taken, or the address is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's delay off only where it is: without it
    # every answer waits 40 ms for the client's acknowledgement of its headers.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host.strip("[]"), port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            mend = "choose another with --port (0 takes any that is free)"
            raise ConfigError(f"port {port} of {host} is taken; {mend}") from None
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"cannot listen on {host} port {port}: {reason}") from None
    return listening
