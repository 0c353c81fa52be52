"""``python -m wasm_tools``: list, build and verify the built-in tool servers."""

import argparse
import json
import sys
from collections.abc import Sequence

from ground import plain_text
from wasm_tools.errors import WasmToolsError
from wasm_tools.manifest import Server, load

_EXAMPLES = """examples:
  python -m wasm_tools list                     the servers, their sizes and tools
  python -m wasm_tools build                    build all of them into wasm_tools/dist
  python -m wasm_tools build time               build one
  python -m wasm_tools verify                   sizes, digests and tool lists agree?
  python -m wasm_tools verify --rebuild time    does a fresh build give the same bytes?

exit codes: 0 done, 1 a check or build failed, 2 usage error
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m wasm_tools",
        description="The built-in WasmMCP tool servers.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | build | verify")
    listing = commands.add_parser("list", help="print the servers and their tools")
    building = commands.add_parser("build", help="build modules from their Rust sources")
    verifying = commands.add_parser("verify", help="check the modules against the manifest")
    verifying.add_argument(
        "--rebuild", action="store_true", help="also build afresh and compare the bytes"
    )
    for command in (building, verifying):
        command.add_argument("names", nargs="*", metavar="NAME", help="a server (none: all)")
        command.add_argument(
            "--toolchain",
            choices=("auto", "debian", "rustup"),
            default="auto",
            help="debian: the canonical one, in a chroot (needs root); rustup: the installed one; "
            "auto: debian where possible, else rustup",
        )
        command.add_argument(
            "--verbose", action="store_true", help="show all that a failed build printed"
        )
    for command in (listing, building, verifying):
        command.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _print_servers(found: Sequence[Server], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([entry.to_json() for entry in found], indent=2))
        return
    for entry in found:
        size_kib = entry.size / 1024
        print(f"{entry.name:<20} {entry.version:<8} {size_kib:>7.0f} KiB  {', '.join(entry.tools)}")


def _verify(options: argparse.Namespace) -> int:
    from wasm_tools.building.verify import verify

    findings = verify(options.names, rebuild=options.rebuild, toolchain=options.toolchain)
    if options.json:
        report = [
            {
                "server": finding.server,
                "problems": list(finding.problems),
                "rebuilt": finding.rebuilt,
            }
            for finding in findings
        ]
        print(json.dumps(report, indent=2))
    else:
        for finding in findings:
            good = "ok, and a rebuild gives the same bytes" if finding.rebuilt else "ok"
            print(f"{finding.server:<20} {'; '.join(finding.problems) or good}")
    return 1 if any(finding.problems for finding in findings) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 failed, 2 usage (by argparse)."""
    plain_text.take_any_text()
    options = _parser().parse_args(arguments)
    try:
        if options.command == "list":
            _print_servers(load().servers, as_json=options.json)
            return 0
        if options.command == "verify":
            return _verify(options)
        from wasm_tools.building.build import build

        _print_servers(build(options.names, options.toolchain), as_json=options.json)
    except WasmToolsError as error:
        print(f"wasm_tools: {error.args[0]}", file=sys.stderr)
        if getattr(options, "verbose", False):
            print(*error.args[1:], sep="\n", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(
            f"wasm_tools: {options.command} needs {error.name}: pip install {error.name}",
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:
        plain_text.drop_output()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
