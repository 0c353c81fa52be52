"""Servers that are commands of this machine."""

from __future__ import annotations

import resource

from edge_agent.backends.launch.keeper_client import Command
from edge_agent.backends.settings import ServerTable
from edge_agent.engine.limits import MIB


def command_of(table: ServerTable) -> Command:
    """What starts a process server: its environment and limits are those of its table."""
    return Command(table.command, table.environment(), table.cwd, limits_of(table))


def limits_of(table: ServerTable) -> list[tuple[int, int]]:
    """The limits that the kernel is told, as pairs of a resource and a value. No core files."""
    limits = table.limits
    pairs = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, limits.open_files)]
    if limits.memory_mib is not None:
        pairs.append((resource.RLIMIT_DATA, limits.memory_mib * MIB))
    if limits.cpu_s is not None:
        pairs.append((resource.RLIMIT_CPU, limits.cpu_s))
    return pairs
