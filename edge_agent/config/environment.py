"""What a node's configuration tells Wasm servers: variables, by the server's name.

A server finds them as its WASI environment. They are for what anyone may know, such as the
address of a model; a secret belongs to ``[[secrets]]``, which no module ever sees.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from edge_agent.errors import ConfigError

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_SECRET: Final = re.compile(
    r"(?:^|_)(?:KEY|APIKEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PWD|AUTH|AUTHORIZATION"
    r"|BEARER|CREDENTIALS?|COOKIE)S?(?:_|$)",
    re.IGNORECASE,
)
_SECRET_IN_URL: Final = re.compile(
    r"[a-z][a-z0-9+.-]*://(?:[^/?#\s]*@|\S*[?&][^=&#]*(?:key|token|secret|password|sig)[^=&#]*=)",
    re.IGNORECASE,
)
_GIT_KEY: Final = re.compile(r"GIT_CONFIG_KEY_\d+")  # names a setting, and is no secret
_MEND: Final = "a module must not see it; use [[secrets]]"
MOST_BYTES: Final = 4096  # of one value


def check_environments(
    environments: Mapping[str, Mapping[str, str]],
) -> Mapping[str, Mapping[str, str]]:
    """Return the variables of each server, checked.

    Raises:
        ConfigError: names the variable that cannot be used, never its value, and the mend.
    """
    for server, variables in environments.items():
        for name, value in variables.items():
            check_variable(f"env.{server}", name, value)
    return environments


def parse_variables(texts: Sequence[str]) -> dict[str, str]:
    """Read variables as a command line has them: ``NAME=VALUE``.

    Raises:
        ConfigError: one has another form, or cannot be used.
    """
    variables = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"{name!r}: write NAME=VALUE")
        check_variable("env", name, value)
        variables[name] = value
    return variables


def check_variable(where: str, name: str, value: str) -> None:
    """Check one variable, which ``where`` holds.

    Raises:
        ConfigError: it cannot be used, or looks like a secret.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{where}: {name!r} is no name of a variable; write one such as A_NAME")
    if _SECRET.search(name) and not _GIT_KEY.fullmatch(name):
        raise ConfigError(f"{where}.{name}: looks like a secret; {_MEND}")
    if _SECRET_IN_URL.match(value):
        raise ConfigError(f"{where}.{name}: a URL with a user or a key in it; {_MEND}")
    if "\0" in value or len(value.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise ConfigError(f"{where}.{name}: write at most {MOST_BYTES} bytes without a zero")
