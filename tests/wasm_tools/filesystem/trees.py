"""Directory trees of a scenario: made, and looked at afterwards."""

import base64
import hashlib
import os
from pathlib import Path
from typing import Any

# A moment that all files are dated to.
MODIFIED_S = 1_700_000_000


def make(root: Path, tree: dict[str, Any]) -> None:
    """Make a tree: text is a file's content, None a directory, {"link": to}, {"base64": bytes}, {"size": of x's} or {"text", "mode"}."""
    root.mkdir(parents=True, exist_ok=True)
    for name, what in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if what is None:
            path.mkdir(exist_ok=True)
        elif isinstance(what, str):
            path.write_bytes(what.encode())
        elif "link" in what:
            path.symlink_to(what["link"])
        elif "base64" in what:
            path.write_bytes(base64.b64decode(what["base64"]))
        elif "size" in what:
            path.write_bytes(b"x" * what["size"])
        else:
            path.write_bytes(what["text"].encode())
            path.chmod(what["mode"])
    for path in root.rglob("*"):
        os.utime(path, (MODIFIED_S, MODIFIED_S), follow_symlinks=False)


def look(root: Path) -> dict[str, Any]:
    """What a tree holds: digest and permission bits of files, targets of links, None for directories."""
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = {"link": str(path.readlink())}
        elif path.is_dir():
            found[name] = None
        else:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found[name] = {"sha256": digest, "mode": oct(path.stat().st_mode & 0o777)}
    return found
