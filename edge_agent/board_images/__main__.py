"""``python -m edge_agent.board_images``: the engine for riscv64, and boards to try without one."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_agent.board_images import emulation, rootfs, wheel
from ground import plain_text
from wasm_tools.errors import WasmToolsError

_EXAMPLES = """examples:
  python -m edge_agent.board_images wheel --out dist       build wasmtime for riscv64, once
  python -m edge_agent.board_images rootfs riscv64         make a board's file system, once
  python -m edge_agent.board_images run riscv64 -- python3 -m edge_agent capabilities

exit codes: 0 done, 1 something can't be had or a build failed, 2 usage error;
run ends with the code of the program
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m edge_agent.board_images",
        description="Boards of other instruction sets, from a PC with Debian's tools.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="wheel | rootfs | run")
    packing = commands.add_parser("wheel", help="pack wasmtime-py for riscv64")
    packing.add_argument("--out", type=Path, metavar="DIR", help="also copy the wheel there")
    making = commands.add_parser("rootfs", help="make the root file system of a board")
    running = commands.add_parser("run", help="run a program on an emulated board")
    for command in (making, running):
        command.add_argument("isa", choices=sorted(rootfs.BOARD_IMAGES))
    running.add_argument(
        "--bind",
        action="append",
        type=_bind,
        default=[],
        metavar="PATH=DIRECTORY",
        help="let the program see a directory of this machine as PATH (repeatable)",
    )
    running.add_argument("program", nargs="+", help="the program with its arguments, after --")
    plain_text.take_any_text()
    chosen = parser.parse_args(arguments)
    try:
        return _obey(chosen)
    except ModuleNotFoundError as error:
        mend = "pip install -e '.[dev]'"
        print(f"board_images: needs the package {error.name}: {mend}", file=sys.stderr)
        return 2
    except (WasmToolsError, LookupError, OSError) as error:
        print(f"board_images: {error.args[0] if error.args else error}", file=sys.stderr)
        return 1


def _obey(chosen: argparse.Namespace) -> int:
    if chosen.command == "wheel":
        packed = wheel.ensure()
        if chosen.out is not None:
            chosen.out.mkdir(parents=True, exist_ok=True)
            packed = Path(shutil.copy(packed, chosen.out))
        print(packed)
        return 0
    image = rootfs.BOARD_IMAGES[chosen.isa]
    if chosen.command == "rootfs":
        print(rootfs.ensure(image))
        return 0
    if missing := emulation.lacking(image):
        print(f"board_images: an emulated {image.isa} board needs {missing}", file=sys.stderr)
        return 1
    line = emulation.command(image, rootfs.ensure(image), chosen.program, dict(chosen.bind))
    sys.stdout.flush()
    os.execvpe(line[0], line, emulation.environment())  # noqa: S606 - it becomes the program
    return 1


def _bind(text: str) -> tuple[str, Path]:
    path, _, directory = text.partition("=")
    if not path.startswith("/") or not Path(directory).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}: give /PATH=DIRECTORY, one that exists")
    return path, Path(directory).resolve()


if __name__ == "__main__":
    sys.exit(main())
