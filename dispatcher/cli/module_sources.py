"""Where a module comes from that is to be added: a file, or a URL that is fetched once."""

from __future__ import annotations

import hashlib
import http.client
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urljoin, urlsplit

from dispatcher.errors import ConfigError, SanderlingError
from ground.addresses import is_loopback
from protos.contract import LARGEST_MODULE_BYTES

FETCH_S: Final = 60.0
_REDIRECTS: Final = 5
_REDIRECTED: Final = frozenset({301, 302, 303, 307, 308})
_CHUNK_BYTES: Final = 1024 * 1024


def read_module(source: str, digest: str | None) -> bytes:
    """The bytes of a module, given as a path or a URL.

    ``digest`` is the SHA-256 that they must have, in hex; a "sha256:" before it is allowed.

    Raises:
        ConfigError: the source cannot be used.
        SanderlingError: it cannot be read, is too large, or has another digest.
    """
    data = _fetch(source) if "://" in source else _read(Path(source))
    found = hashlib.sha256(data).hexdigest()
    if digest is not None and found != digest.removeprefix("sha256:").lower():
        raise SanderlingError(f"{source}: its SHA-256 is {found}, not the one given with --digest")
    return data


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST_MODULE_BYTES:
            raise SanderlingError(f"{path}: over {LARGEST_MODULE_BYTES} bytes; build it smaller")
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None


def _fetch(url: str) -> bytes:
    for _ in range(_REDIRECTS + 1):
        answer = _get(url)
        if isinstance(answer, bytes):
            return answer
        url = urljoin(url, answer)
    raise SanderlingError(f"{url}: redirected more than {_REDIRECTS} times")


def _get(url: str) -> bytes | str:
    """The body at a URL, or where it redirects to."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ConfigError(f"{url}: modules are fetched over https; http only from this machine")
    try:
        port = parts.port
        connection = (
            http.client.HTTPSConnection(
                host, port, timeout=FETCH_S, context=ssl.create_default_context()
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=FETCH_S)
        )
    except ValueError as error:
        raise ConfigError(f"{url}: {error}") from None
    try:
        target = parts.path or "/"
        connection.request("GET", f"{target}?{parts.query}" if parts.query else target)
        response = connection.getresponse()
        if response.status in _REDIRECTED and response.getheader("Location"):
            return str(response.getheader("Location"))
        if response.status != http.client.OK:
            raise SanderlingError(f"{url}: HTTP {response.status}")
        return _body(url, response)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise SanderlingError(f"{url}: {reason.lower()}") from None
    finally:
        connection.close()


def _body(url: str, response: http.client.HTTPResponse) -> bytes:
    data = bytearray()
    while chunk := response.read(_CHUNK_BYTES):
        data += chunk
        if len(data) > LARGEST_MODULE_BYTES:
            raise SanderlingError(f"{url}: over {LARGEST_MODULE_BYTES} bytes; build it smaller")
    return bytes(data)
