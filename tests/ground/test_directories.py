"""The default directories follow XDG, and the home of whoever asks."""

from ground.directories import agent_directory, state_directory


def test_they_are_in_the_users_home(monkeypatch, tmp_path):
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_directory() == tmp_path / ".local/state/sanderling"
    assert agent_directory() == tmp_path / ".cache/sanderling/edge-agent"


def test_xdg_has_the_last_word(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert state_directory() == tmp_path / "state/sanderling"
    assert agent_directory() == tmp_path / "cache/sanderling/edge-agent"
