"""From a host's name to a connection with an address that was checked.

The name is resolved once, every address is checked, and the connection is made
to one of those very addresses: between the check and the use nobody is asked
again, so a name that changes its mind (DNS rebinding) gains nothing. TLS still
verifies the name.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Final, Protocol

from edge_agent.egress.refusal import Refused
from edge_agent.egress.rules import Rule, check_addresses
from edge_agent.egress.target import Target

if TYPE_CHECKING:
    import ssl

Resolver = Callable[[str, int], Sequence[str]]
_MOST_ADDRESSES: Final = 4  # that are tried
_MOST_LOOKUPS: Final = 32  # at once; one that hangs cannot be ended
_lookups = threading.BoundedSemaphore(_MOST_LOOKUPS)


class StoppableCall(Protocol):
    """What a request must know of the call that it belongs to."""

    deadline: float  # of time.monotonic
    stopped: str | None  # why, once it is

    def waking(self, wake: Callable[[], None]) -> AbstractContextManager[None]:
        """Have ``wake`` called when the call is stopped, for as long as this is open."""


class Clock:
    """The time of one request: its own, and that of the call it belongs to."""

    def __init__(self, call: StoppableCall, total_ms: float) -> None:
        self.call = call
        self._deadline = min(call.deadline, time.monotonic() + total_ms / 1000)

    def remaining_s(self, most_s: float = float("inf")) -> float:
        """Return the seconds that are left, ``most_s`` at most.

        Raises:
            Refused: none are left, or the call was stopped.
        """
        left = min(self._deadline - time.monotonic(), most_s)
        if left <= 0 or self.call.stopped is not None:
            raise Refused("timeout", "the time of the request is over")
        return left


def resolve(target: Target, resolver: Resolver, clock: Clock) -> list[str]:
    """Return the addresses of a target's host, as the resolver orders them.

    Raises:
        Refused: the name leads nowhere, or not in time.
    """
    if target.address is not None:
        return [target.address]
    if not _lookups.acquire(blocking=False):
        raise Refused("resolve", f"{target.host}: too many names are being looked up; try again")
    found: list[str] = []
    failed: list[OSError] = []
    over = threading.Event()

    def look_up() -> None:
        try:
            found.extend(resolver(target.host, target.port))
        except UnicodeError:  # the resolver's own idea of what a name may be
            failed.append(OSError("no host name"))
        except OSError as error:
            failed.append(error)
        finally:
            _lookups.release()
            over.set()

    # The system's resolver cannot be interrupted, so it is left behind when it is late.
    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    with clock.call.waking(over.set):
        over.wait(clock.remaining_s())
    clock.remaining_s()
    if failed or not found:
        why = (failed[0].strerror or str(failed[0])) if failed else "no address"
        raise Refused("resolve", f"{target.host}: cannot be resolved ({why.lower()})")
    return list(dict.fromkeys(found))


def system_resolver(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a name."""
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in infos if info[0] in {socket.AF_INET, socket.AF_INET6}]


def connect(
    target: Target, rules: Sequence[Rule], resolver: Resolver, clock: Clock, connect_ms: int
) -> tuple[socket.socket, str]:
    """Resolve, check and connect; return the socket and the address it leads to.

    Raises:
        Refused: denied by an address, or nobody answers.
    """
    addresses = resolve(target, resolver, clock)
    check_addresses(rules, target, addresses)
    failures: list[str] = []
    for address in addresses[:_MOST_ADDRESSES]:
        try:
            return _dial(address, target.port, clock, connect_ms), address
        except OSError as error:
            clock.remaining_s()
            failures.append(f"{address}: {_why(error)}")
    raise Refused("connect", f"{target.origin}: cannot be reached ({'; '.join(failures)})")


def _dial(address: str, port: int, clock: Clock, connect_ms: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        with clock.call.waking(lambda: shut(sock)):
            sock.settimeout(clock.remaining_s(connect_ms / 1000))
            sock.connect((address, port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def secure(
    sock: socket.socket, target: Target, context: ssl.SSLContext, clock: Clock
) -> ssl.SSLSocket:
    """Speak TLS on a connection; the certificate must be for the target's name.

    Raises:
        Refused: it is not, or the handshake fails.
    """
    import ssl

    try:
        return _shake_hands(sock, target.host, context, clock)
    except ssl.SSLCertVerificationError as error:
        raise Refused(
            "tls", f"{target.origin}: its certificate is refused ({error.verify_message})"
        ) from None
    except TimeoutError:
        raise Refused("timeout", f"{target.origin}: the TLS handshake took too long") from None
    except (OSError, ValueError) as error:
        clock.remaining_s()
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or "it failed"
        raise Refused("tls", f"{target.origin}: no TLS connection ({str(why).lower()})") from None


def _shake_hands(
    sock: socket.socket, host: str, context: ssl.SSLContext, clock: Clock
) -> ssl.SSLSocket:
    wrapped = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    try:
        with clock.call.waking(lambda: shut(wrapped)):
            wrapped.settimeout(clock.remaining_s())
            wrapped.do_handshake()
    except BaseException:
        wrapped.close()
        raise
    return wrapped


def shut(sock: socket.socket) -> None:
    """Wake whoever waits on a socket, from another thread."""
    with suppress(OSError):
        # The plain socket's own: the one of ssl would change state under the reader.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _why(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (error.strerror or str(error) or type(error).__name__).lower()
