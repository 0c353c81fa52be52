"""Taking the port that the endpoint listens on, before anything heavy is started."""

from __future__ import annotations

import errno
import socket

from dispatcher.errors import ConfigError


def listen(host: str, port: int) -> socket.socket:
    """Take a port; 0 takes any that is free.

    Raises:
        ConfigError: it is taken, or the address is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=1024)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            mend = "choose another with --port (0 takes any that is free)"
            raise ConfigError(f"port {port} of {host} is taken; {mend}") from None
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"cannot listen on {host} port {port}: {reason}") from None
