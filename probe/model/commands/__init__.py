"""Commands, one class a kind, and what the probe reports of them."""

from .command import Command
from .explain import ExplainCommand
from .gate import GateCommand, UngateCommand
from .kinds import KINDS, read_command
from .parameters import MODES, FreezeCommand, ParameterCommand, ThawCommand
from .refused import RefusedCommand
from .report import CommandState, Report

__all__ = [
    "KINDS",
    "MODES",
    "Command",
    "CommandState",
    "ExplainCommand",
    "FreezeCommand",
    "GateCommand",
    "ParameterCommand",
    "RefusedCommand",
    "Report",
    "ThawCommand",
    "UngateCommand",
    "read_command",
]
