"""Why an agent could not attach, in the words of whoever has to mend it."""

from __future__ import annotations

import socket
from typing import Final

_TLS_ALERT: Final = b"\x15\x03"
_HTTP2_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_PROBE_S: Final = 2.0
_THE_PORT: Final = "give the port that its ready line calls grpc"

# What gRPC's words have in them, and ours. They are those of releases 1.51 to 1.76.
_WORDS: Final = (
    (
        "http1.x",
        f"a web server answers there; agents have a port of their own: {_THE_PORT}",
    ),
    (
        "Received http2 header with status",
        f"a web server or a proxy answers there; {_THE_PORT}, or set no_proxy",
    ),
    ("Failed parsing HTTP/2", f"what answers there is no dispatcher; {_THE_PORT}"),
    ("resolving", "no such host; check its name"),
    ("lookup", "no such host; check its name"),
    ("DNS", "no such host; check its name"),
    ("onnection refused", f"nothing listens there; start the dispatcher, or {_THE_PORT}"),
    ("No route to host", "no way there; check the host and the network"),
    ("unreachable", "no way there; check the host and the network"),
)
_ENDS: Final = ("Socket closed", "onnection reset", "EOF", "GOAWAY")
_SILENT: Final = ("imed out", "Deadline", "Locally cancelled", "timeout")


def in_words(address: str, details: str) -> str:
    """Return why nothing came of a connection, given gRPC's details; never more than a line."""
    for found, words in _WORDS:
        if found in details:
            return f"{address}: {words}"
    if any(end in details for end in _ENDS):
        if _wants_tls(address):
            return (
                f"{address}: what answers there wants TLS, which agents do not speak by "
                f"themselves; {_THE_PORT}"
            )
        return f"{address}: the connection was ended from there; {_THE_PORT} if it goes on"
    if any(silent in details for silent in _SILENT):
        return f"{address}: nothing answers there; check host, port and firewalls"
    return f"{address}: {' '.join(details.split())}"


def _wants_tls(address: str) -> bool:
    """Whether it answers what is no TLS with an alert of TLS (RFC 8446, 6)."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _PROBE_S) as probe:
            probe.settimeout(_PROBE_S)
            probe.sendall(_HTTP2_PREFACE)
            return probe.recv(2) == _TLS_ALERT
    except (OSError, ValueError):
        return False
