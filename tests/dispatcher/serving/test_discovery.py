"""What a running dispatcher leaves for commands to find it."""

import os
import stat
import subprocess
import sys

import pytest

from dispatcher.errors import ConfigError
from dispatcher.serving.discovery import (
    DispatcherAddress,
    client_token,
    find,
    publish,
    withdraw,
)


def test_what_is_published_is_found_until_it_is_withdrawn(tmp_path):
    running = DispatcherAddress("http://127.0.0.1:1/mcp", os.getpid(), 12.5, "t")
    assert find(tmp_path) is None
    publish(tmp_path, running)
    assert find(tmp_path) == running
    assert stat.S_IMODE((tmp_path / "dispatcher.json").stat().st_mode) == 0o600
    withdraw(tmp_path)
    withdraw(tmp_path)
    assert find(tmp_path) is None


def test_a_dead_dispatcher_is_not_found(tmp_path):
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], stdout=-1, check=True
    )
    publish(tmp_path, DispatcherAddress("http://127.0.0.1:1/mcp", int(dead.stdout), 1.0))
    assert find(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"url": 1}', '{"url":"","pid":"x"}', "\0"])
def test_a_file_that_cannot_be_read_is_none(tmp_path, text):
    (tmp_path / "dispatcher.json").write_text(text)
    assert find(tmp_path) is None


def test_the_client_token_is_made_once_and_private(tmp_path):
    token = client_token(tmp_path / "new")
    assert len(token) >= 32
    assert client_token(tmp_path / "new") == token
    assert stat.S_IMODE((tmp_path / "new/client-token").stat().st_mode) == 0o600


def test_an_empty_client_token_is_never_used(tmp_path):
    (tmp_path / "client-token").write_text("\n")
    with pytest.raises(ConfigError, match="remove it"):
        client_token(tmp_path)
