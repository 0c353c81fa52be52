"""The limit of descriptors: raised as far as it may be, and never past what is of use."""

import resource
import subprocess
import sys

import pytest

RAISED = """
import resource
from ground import descriptors
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
print(descriptors.raise_limit(), descriptors.limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(("soft", "hard"), [(64, 512), (512, 512), (100, 101)])
def test_it_is_raised_to_the_hard_one(soft, hard):
    code = RAISED.format(soft=soft, hard=hard)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(hard)] * 3


def test_an_endless_one_counts_as_what_is_of_use(monkeypatch):
    from ground import descriptors

    endless = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda _: endless)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: pytest.fail("it is endless"))
    assert descriptors.raise_limit() == descriptors.MOST


def test_a_system_that_refuses_leaves_what_there_is(monkeypatch):
    from ground import descriptors

    def refuse(*_):
        raise ValueError("not permitted")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert descriptors.raise_limit() == 256
