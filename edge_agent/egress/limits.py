"""How much one request, and all requests of one call, may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Methods that change what they reach are the operator's to add.
DEFAULT_METHODS: Final = ("GET", "HEAD", "POST")


@dataclass(frozen=True, slots=True)
class EgressLimits:
    """Bounds of requests. ``response_bytes`` counts the body after decompression.

    ``total_ms`` is the time of one request with its redirects; the call's own
    deadline holds besides. ``requests`` counts redirects too.
    """

    response_bytes: int = 8 * 1024 * 1024
    request_bytes: int = 1024 * 1024
    header_bytes: int = 64 * 1024
    total_ms: int = 20_000
    connect_ms: int = 10_000
    redirects: int = 20
    requests: int = 64
    methods: tuple[str, ...] = DEFAULT_METHODS
