"""Emulated boards, as tests/prepare-all.sh leaves them in the cache."""

import json
import subprocess

import pytest

from edge_agent.board_images import emulation
from edge_agent.board_images.rootfs import BOARD_IMAGES

# QEMU takes some thirty times as long as a processor, and CI's machine may be busy.
PATIENCE_S = 900


class Emulated:
    """A board to run programs on; ``state`` is seen as /state, and kept between them."""

    def __init__(self, board, root, state):
        self.board, self.root, self.state = board, root, state

    @property
    def isa(self):
        return self.board.isa

    def command(self, *program, binds=None):
        binds = {"/state": self.state} | (binds or {})
        return emulation.command(self.board, self.root, [*map(str, program)], binds)

    def run(self, *program, binds=None, **variables):
        return subprocess.run(
            self.command(*program, binds=binds),
            capture_output=True,
            check=False,
            text=True,
            timeout=PATIENCE_S,
            env=emulation.environment() | variables,
        )

    def agent(self, *arguments, **more):
        """Run `edge-agent` to its end and return what it printed, as JSON."""
        done = self.run("python3", "-m", "edge_agent", *arguments, **more)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def scenarios(self, state="/state/scenarios", *flags, **more):
        done = self.run(
            "python3",
            "/sanderling/tests/edge_agent/board_images/scenarios.py",
            state,
            *flags,
            **more,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="session", params=sorted(BOARD_IMAGES))
def board(request, tmp_path_factory):
    chosen = BOARD_IMAGES[request.param]
    if missing := emulation.lacking(chosen):
        pytest.skip(f"an emulated {chosen.isa} board needs {missing}")
    if not chosen.root.is_dir():
        pytest.skip(f"no {chosen.isa} board was made: see the output of tests/prepare-all.sh")
    return Emulated(chosen, chosen.root, tmp_path_factory.mktemp(f"state-{chosen.isa}"))
