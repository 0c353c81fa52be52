"""How cargo is run: with the host's way to its registry, and with no path of the host in a module."""

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wasm_tools.errors import BuildError

# Tables of cargo's configuration that say how to reach a registry. The others, such as
# build and profile, would change what is built.
_REACH_TABLES = ("http", "net", "registries", "registry", "source")
_REACH_VARIABLES = (
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
)
_PROXY_VARIABLES = (
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "ssl_cert_file",
    "ssl_cert_dir",
)


def cargo_environment() -> dict[str, str]:
    """The variables that a build gets: proxies, registries, and quiet, bounded work."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name.lower() in _PROXY_VARIABLES or name.startswith(_REACH_VARIABLES)
    }
    environment["CARGO_INCREMENTAL"] = "0"
    environment["CARGO_TERM_COLOR"] = "never"
    environment["CARGO_BUILD_JOBS"] = os.environ.get(
        "CARGO_BUILD_JOBS", str(min(2, os.cpu_count() or 1))
    )
    return environment


def cargo_flags() -> list[str]:
    """The host's registry configuration as ``--config`` flags, for where its file can't be seen."""
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    flags = []
    for name in ("config.toml", "config"):
        file = home / name
        if file.is_file():
            written = tomllib.loads(file.read_text())
            for table in _REACH_TABLES:
                for key, value in _leaves(written.get(table, {}), (table,)):
                    flags += ["--config", f"{key}={json.dumps(value)}"]
            break
    return flags


def _leaves(table: Any, keys: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(table, dict):
        for key, value in table.items():
            yield from _leaves(value, (*keys, key))
    else:
        yield (
            ".".join(key if re.fullmatch(r"[\w-]+", key) else json.dumps(key) for key in keys),
            table,
        )


def remaps(prefixes: dict[str, str]) -> list[str]:
    """Flags of rustc that rewrite these path prefixes wherever they would enter a module."""
    return [f"--remap-path-prefix={old}={new}" for old, new in prefixes.items()]


def registry_remaps(cargo_home: Path, seen_as: Path) -> list[str]:
    """The same for unpacked crates, whose directory is named after the registry's address.

    Args:
        cargo_home: where cargo's home lies for us.
        seen_as: where the compiler sees it.
    """
    sources = cargo_home / "registry" / "src"
    names = sorted(entry.name for entry in sources.iterdir()) if sources.is_dir() else []
    return remaps({str(seen_as / "registry" / "src" / name): "/crates" for name in names})


def run(what: str, command: list[str], *, cwd: Path, environment: dict[str, str]) -> None:
    """Run a command of the build, called `what` in errors.

    Raises:
        BuildError: with the first error that it printed, and all of its output as second argument.
    """
    done = subprocess.run(
        command, check=False, cwd=cwd, env=environment, capture_output=True, text=True
    )
    if done.returncode == 0:
        return
    output = (done.stderr + done.stdout).strip()
    if "Cargo.lock" in output and "--locked" in output:
        raise BuildError(
            "wasm_tools/Cargo.lock does not fit the Cargo.toml files: "
            "run `cargo update --workspace` in wasm_tools and commit Cargo.lock"
        )
    errors = re.findall(r"^(?:error.*|E: .*|.*: error: .*)$", output, re.MULTILINE)
    first = errors[0] if errors else (output.splitlines() or ["no output"])[-1]
    raise BuildError(f"{what} failed: {first}; --verbose shows all", output)
