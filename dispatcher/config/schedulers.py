"""Schedulers by name: those of the solver, and those that installed packages bring.

A package offers one as an entry point of the group ``sanderling.schedulers``: a factory without
arguments that returns what :class:`solver.baselines.Scheduler` describes. Names are read from the
packages' metadata; only the chosen one is imported.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final, cast

from dispatcher.errors import ConfigError

if TYPE_CHECKING:
    from solver.baselines import Scheduler

GROUP: Final = "sanderling.schedulers"

#: Those of ``solver.baselines.SCHEDULERS``, named here so that a command line need not load numpy.
BUILT_IN: Final = (
    "exact",
    "cp_sat",
    "static",
    "all_device",
    "all_edge",
    "all_cloud",
    "heuristic",
    "brute_force",
    "round_robin",
    "random",
)


def known() -> tuple[str, ...]:
    """The names that can be chosen; a built-in one is never replaced by a package's."""
    return (*BUILT_IN, *sorted({point.name for point in entry_points(group=GROUP)} - {*BUILT_IN}))


def check(name: str) -> str:
    """The name, if it can be chosen.

    Raises:
        ValueError: it cannot; one line with the names that can.
    """
    names = known()
    if name not in names:
        raise ValueError(f"no scheduler is called {name!r}; choose one of {', '.join(names)}")
    return name


def make(name: str) -> Scheduler:
    """A new scheduler of that name.

    Raises:
        ConfigError: there is none, or its package cannot make it.
    """
    from solver.baselines import SCHEDULERS

    try:
        check(name)
    except ValueError as error:
        raise ConfigError(f"dispatcher.scheduler: {error}") from None
    if name in BUILT_IN:
        return SCHEDULERS[name]()
    (point, *_) = entry_points(group=GROUP, name=name)
    try:
        made = point.load()()
    except Exception as error:
        raise ConfigError(
            f"dispatcher.scheduler: {name!r} of {_whose(point)} cannot be made: "
            f"{type(error).__name__}: {' '.join(str(error).split())}; mend it or choose another"
        ) from error
    if not callable(made):
        raise ConfigError(
            f"dispatcher.scheduler: {name!r} of {_whose(point)} made a {type(made).__name__}, "
            f"which cannot be called; its factory must return a scheduler"
        )
    return cast("Scheduler", made)


def _whose(point: EntryPoint) -> str:
    return f"{point.dist.name if point.dist else 'a package'} ({point.value})"
