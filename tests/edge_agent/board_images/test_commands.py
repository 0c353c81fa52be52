"""`python -m edge_agent.board_images` where it cannot do what it is asked."""

import pytest

from edge_agent.board_images import emulation
from edge_agent.board_images.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["run", "sparc", "--", "true"], "sparc"),
        (["run", "riscv64"], "program"),
        (["run", "riscv64", "--bind", "/data=/no/such", "--", "true"], "/no/such"),
        (["run", "riscv64", "--bind", "data=.", "--", "true"], "data=."),
        (["flash", "riscv64"], "flash"),
    ],
)
def test_what_cannot_be_meant_is_named(capsys, arguments, named):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert named in capsys.readouterr().err


def test_without_the_emulator_its_package_is_named(monkeypatch, capsys):
    monkeypatch.setattr(emulation.debian, "lacking", lambda _: "")
    monkeypatch.setattr(emulation.shutil, "which", lambda _: None)
    assert main(["run", "riscv64", "--", "true"]) == 1
    assert "qemu-user-static" in capsys.readouterr().err


def test_without_root_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(emulation.debian.os, "geteuid", lambda: 1000)
    assert main(["run", "riscv64", "--", "true"]) == 1
    assert "needs root" in capsys.readouterr().err
