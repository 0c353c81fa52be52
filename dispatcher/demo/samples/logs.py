"""A realistic day of logs of a small home server, made anew from a seed.

Two files: what the web server saw (shareable within the site), and who logged
in (private to the device).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

ACCESS_LINES = 4200
AUTH_LINES = 800

_START = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) Firefox/133.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Safari/604.1",
    "curl/8.11.0",
    "kube-probe/1.31",
)
_PAGES = ("/", "/index.html", "/api/v1/readings", "/api/v1/devices/7", "/static/app.js", "/healthz")
_PROBES = ("/wp-login.php", "/.env", "/phpmyadmin/", "/cgi-bin/luci")
_USERS = ("anna", "jonas", "backup", "root", "admin", "pi")


@dataclass(frozen=True, slots=True)
class PlantedLogs:
    """What was written, so that the tools' answers can be checked against it."""

    access: Path
    auth: Path
    server_errors: int
    failed_logins: int


def write_logs(directory: Path, seed: int = 2026) -> PlantedLogs:
    """Write ``access.log`` and ``auth.log`` into ``directory``; return what they hold."""
    rng = random.Random(seed)  # noqa: S311 - sample data, not a secret
    access = directory / "access.log"
    auth = directory / "auth.log"
    server_errors = _write_access(access, rng)
    failed_logins = _write_auth(auth, rng)
    return PlantedLogs(access, auth, server_errors, failed_logins)


def _write_access(path: Path, rng: random.Random) -> int:
    """Write the web server's combined log; return how many answers were 5xx."""
    moment, lines, server_errors = _START, [], 0
    for _ in range(ACCESS_LINES):
        moment += timedelta(seconds=rng.expovariate(ACCESS_LINES / 86_000))
        probe = rng.random() < 0.08  # noqa: PLR2004 - a share of scanners
        page = rng.choice(_PROBES if probe else _PAGES)
        status = 404 if probe else rng.choices((200, 304, 500, 503), (90, 7, 2, 1))[0]
        server_errors += status >= 500  # noqa: PLR2004 - HTTP's class of server errors
        address = (
            f"203.0.113.{rng.randrange(1, 255)}" if probe else f"10.3.0.{rng.randrange(2, 40)}"
        )
        stamp = moment.strftime("%d/%b/%Y:%H:%M:%S +0000")
        size = 0 if status == 304 else rng.randrange(120, 40_000)  # noqa: PLR2004 - no body
        lines.append(
            f'{address} - - [{stamp}] "GET {page} HTTP/1.1" {status} {size} "-" "{rng.choice(_AGENTS)}"'
        )
    path.write_text("\n".join(lines) + "\n")
    return server_errors


def _write_auth(path: Path, rng: random.Random) -> int:
    """Write the login log in syslog form; return how many logins failed."""
    moment, lines, failed = _START, [], 0
    for _ in range(AUTH_LINES):
        moment += timedelta(seconds=rng.expovariate(AUTH_LINES / 86_000))
        stamp = f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S}"
        bad = rng.random() < 0.3  # noqa: PLR2004 - a share of guesses
        failed += bad
        verdict = "Failed password" if bad else "Accepted publickey"
        address = f"198.51.100.{rng.randrange(1, 255)}" if bad else f"10.3.0.{rng.randrange(2, 40)}"
        lines.append(
            f"{stamp} pi4 sshd[{rng.randrange(700, 32_000)}]: {verdict} for {rng.choice(_USERS)} "
            f"from {address} port {rng.randrange(1024, 65_535)} ssh2"
        )
    path.write_text("\n".join(lines) + "\n")
    return failed
