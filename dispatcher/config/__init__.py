"""The dispatcher's configuration: one TOML file, every key optional.

Precedence: overrides (the command line) over the file over the defaults here. Paths in the file
are relative to the folder of the file, others to the working directory.
"""

from dispatcher.config.agents import AgentConfig
from dispatcher.config.faults import describe
from dispatcher.config.policy import (
    HintConfig,
    LimitsConfig,
    Narrowing,
    PolicyConfig,
    PriceConfig,
    RuleConfig,
)
from dispatcher.config.reading import load
from dispatcher.config.tables import Config, LinkConfig
from dispatcher.config.words import NODE_NAME, Word, close, nearest

__all__ = [
    "NODE_NAME",
    "AgentConfig",
    "Config",
    "HintConfig",
    "LimitsConfig",
    "LinkConfig",
    "Narrowing",
    "PolicyConfig",
    "PriceConfig",
    "RuleConfig",
    "Word",
    "close",
    "describe",
    "load",
    "nearest",
]
