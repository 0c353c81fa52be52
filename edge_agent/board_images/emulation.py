"""Runs a program in a board's root file system, under QEMU's user mode.

The kernel is told how to run the board's programs (binfmt_misc) in a user namespace of the
program's own, which Linux has since 6.7. So whatever the program starts runs too, nothing of it
is seen outside, and nothing is left behind.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from edge_agent.board_images.rootfs import SITE, BoardImage
from wasm_tools.building import debian

CHECKOUT: Final = Path(__file__).resolve().parents[2]
SOURCES: Final = "/sanderling"
# The numbers of the instruction sets in an ELF header (e_machine).
_MACHINES: Final = {"aarch64": 0xB7, "riscv64": 0xF3}


def lacking(image: BoardImage) -> str:
    """What stands in the way of running that board's programs here; nothing: the empty text."""
    if missing := debian.lacking(image.root):
        return missing
    if shutil.which(_emulator(image)) is None:
        return f"{_emulator(image)}, of Debian's package qemu-user-static"
    probe = [*_UNSHARE, "sh", "-c", "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc"]
    if subprocess.run(probe, check=False, capture_output=True).returncode != 0:
        return "binfmt_misc in a user namespace, of Linux 6.7 or later"
    return ""


def command(
    image: BoardImage, root: Path, program: Sequence[str], binds: Mapping[str, Path] | None = None
) -> list[str]:
    """Return the command line that runs ``program`` on that board.

    The process that it starts becomes the program, so signals reach it.

    Args:
        image: whose programs ``root`` holds.
        root: of :func:`edge_agent.board_images.rootfs.ensure`.
        program: a command of the board.
        binds: directories of the host by the path at which the program sees them.
    """
    seen = {SOURCES: CHECKOUT} | dict(binds or {})
    places = [part for inside, outside in seen.items() for part in (str(outside), inside)]
    enter = [*_UNSHARE, "sh", "-c", _ENTER, "enter", _registration(image), str(root)]
    return [*enter, *places, "--", *program]


def environment() -> dict[str, str]:
    """Return the variables that a program on a board gets: none of the host's."""
    return {
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        # Before Debian's packages, of which protobuf is too old.
        "PYTHONPATH": f"{SOURCES}:{SITE}",
        # Compiling is slow there, and the checkout is not written to.
        "PYTHONPYCACHEPREFIX": "/var/cache/python",
    }


def _emulator(image: BoardImage) -> str:
    return f"qemu-{image.isa}-static"


def _registration(image: BoardImage) -> str:
    """Return the line of binfmt_misc for 64-bit programs of that instruction set.

    The header's first 20 bytes are compared but for the one that names the system, and for
    the bit that tells a program from a library. F opens the emulator now, where it can be
    seen. See Documentation/admin-guide/binfmt-misc.rst of Linux.
    """
    magic = b"\x7fELF\x02\x01\x01" + bytes(9) + bytes((2, 0, _MACHINES[image.isa], 0))
    mask = b"\xff" * 7 + b"\x00" + b"\xff" * 8 + b"\xfe\xff\xff\xff"
    hexed = ("".join(f"\\x{byte:02x}" for byte in part) for part in (magic, mask))
    return ":".join(("", image.isa, "M", "", *hexed, str(shutil.which(_emulator(image))), "F"))


_UNSHARE: Final = ("unshare", "--user", "--map-root-user", "--mount", "--propagation", "private")
# $1 the registration, $2 the root, then the pairs; the rest is the program.
_ENTER: Final = f"""
set -e
registration=$1; root=$2; shift 2
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
printf %s "$registration" >/proc/sys/fs/binfmt_misc/register
mkdir -p "$root/dev" "$root/proc" "$root/tmp"
{debian.BIND_PAIRS}
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
mount -t tmpfs none "$root/tmp"
exec chroot "$root" "$@"
"""
