"""Begin a tool server: a project that builds and tests on its own."""

import re
import shutil
from pathlib import Path
from typing import Literal

from wasm_tools.errors import WasmToolsError
from wasm_tools.manifest import ROOT

Language = Literal["rust", "python"]
_TEMPLATES = ROOT / "templates"
_SUFFIX = ".tmpl"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
# Names that a crate or the bindings of a component would collide with.
_TAKEN = frozenset({"app", "sdk", "server", "test", "wasmmcp", "wit"})


def new_project(name: str, language: Language, directory: Path) -> list[Path]:
    """Write the project NAME into ``directory``, which must not exist; return its files.

    Raises:
        WasmToolsError: the name cannot be used, or something is there already.
    """
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise WasmToolsError(
            f"{name!r}: call it by a-z, 0-9 and '-', beginning with a letter, "
            f"and none of {', '.join(sorted(_TAKEN))}"
        )
    if directory.exists():
        raise WasmToolsError(f"{directory} is there already; name another with --directory")
    if language == "rust" and not (ROOT / "sdk").is_dir():
        raise WasmToolsError("the Rust SDK is not part of this installation; use a clone")
    source = _TEMPLATES / language
    for template in sorted(source.rglob(f"*{_SUFFIX}")):
        target = directory / template.relative_to(source).with_suffix("")
        if target.name == "gitignore":
            target = target.with_name(".gitignore")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(template.read_text().replace("{{name}}", name))
    if language == "rust":
        ignored = shutil.ignore_patterns("target")
        shutil.copytree(ROOT / "sdk", directory / "sdk", ignore=ignored)
    return sorted(path for path in directory.rglob("*") if path.is_file())
