"""Generate the Python code of the contract beside its .proto files.

    python protos/generate.py            write it
    python protos/generate.py --check    exit 1 if what is committed differs

protoc writes absolute imports from the proto root (``from edge.v1 import``);
the generated package lives under ``protos``, so they are rewritten.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")
ABSOLUTE_IMPORT = re.compile(r"^(from|import) edge\.v1", re.MULTILINE)


def generate(out: Path) -> list[Path]:
    """Run protoc into ``out`` and return the generated files, relative to it."""
    from grpc_tools import protoc  # a build-time dependency

    sources = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("edge/v1/*.proto"))
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={ROOT}",
            f"--python_out={out}",
            f"--pyi_out={out}",
            f"--grpc_python_out={out}",
            *sources,
        ]
    )
    if status:
        raise SystemExit(f"protoc failed with status {status}: see its message above")
    files = sorted(path for path in out.rglob("*") if path.name.endswith(SUFFIXES))
    for path in files:
        path.write_text(ABSOLUTE_IMPORT.sub(r"\1 protos.edge.v1", path.read_text()))
    return [path.relative_to(out) for path in files]


def differing(out: Path, files: list[Path]) -> list[Path]:
    """Name the committed files that are missing, stale or no longer generated."""
    committed = {path.relative_to(ROOT) for path in ROOT.rglob("*") if path.name.endswith(SUFFIXES)}
    stale = {
        name
        for name in files
        if name not in committed or (ROOT / name).read_text() != (out / name).read_text()
    }
    return sorted(stale | (committed - set(files)))


def main() -> int:
    """Write the generated code, or compare it; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        files = generate(out)
        stale = differing(out, files)
        if check:
            for name in stale:
                print(f"protos/{name} is stale: run `make protos`", file=sys.stderr)
            return 1 if stale else 0
        for name in files:
            (ROOT / name).write_text((out / name).read_text())
    print(f"wrote {len(files)} files under protos/edge/v1")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
