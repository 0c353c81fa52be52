"""Why a request has no response: one kind for programs, one line for people."""

from __future__ import annotations

from typing import Final, Literal

Kind = Literal[
    "invalid",  # the request itself: its URL, method, headers or body
    "denied",  # the rules of this node, or of this call, do not permit it
    "resolve",  # the host's name leads nowhere
    "connect",  # nobody answers at the address, or the connection broke
    "tls",  # the certificate or the handshake
    "timeout",  # the time of the request, or of the call, is over
    "protocol",  # the response is not HTTP
    "redirect",  # more redirects than permitted, or one that leads nowhere
    "too_large",  # the response, or its headers, are over the limit
    "too_many",  # the call has used up its requests
]
DENIED: Final[Kind] = "denied"


class Refused(Exception):
    """The request has no response. The message is one line that a module may show."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind: Kind = kind

    def as_answer(self) -> dict[str, str]:
        """What the module is told."""
        return {"error": str(self), "kind": self.kind}
