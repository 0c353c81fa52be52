"""A module built afresh, in another place, has the bytes that are committed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import wasm_tools
from wasm_tools.building import rust_chroot

pytestmark = [
    pytest.mark.extended,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not rust_chroot.possible(), reason="the canonical toolchain needs root, unshare and apt"
    ),
]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A second checkout, at another path."""
    root = tmp_path / "another" / "place"
    ignored = shutil.ignore_patterns("target", "__pycache__")
    shutil.copytree(Path(wasm_tools.__file__).parent, root / "wasm_tools", ignore=ignored)
    return root


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wasm_tools", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_a_rebuild_elsewhere_gives_the_same_bytes(elsewhere: Path) -> None:
    done = run(elsewhere, "verify", "--rebuild", "--toolchain", "debian", "time")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a rebuild gives the same bytes" in done.stdout
    assert str(elsewhere) not in Path("/proc/mounts").read_text()
    assert str(rust_chroot.directory()) not in Path("/proc/mounts").read_text()


def test_changed_sources_give_other_bytes(elsewhere: Path) -> None:
    main = elsewhere / "wasm_tools/servers/time/src/main.rs"
    main.write_text(main.read_text().replace("Tell the current time", "Say the current time"))
    done = run(elsewhere, "verify", "--rebuild", "--toolchain", "debian", "time")
    assert done.returncode == 1
    assert "time.wasm gives sha256" in done.stdout


def test_sources_that_do_not_compile_are_one_line(elsewhere: Path) -> None:
    (elsewhere / "wasm_tools/servers/time/src/main.rs").write_text("fn main() { nonsense }\n")
    done = run(elsewhere, "build", "--toolchain", "debian", "time")
    assert done.returncode == 1
    assert done.stderr.startswith("wasm_tools: cargo build failed: error")
    assert len(done.stderr.splitlines()) == 1
