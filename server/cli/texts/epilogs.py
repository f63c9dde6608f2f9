"""Sentences that the help of several commands ends with."""

from __future__ import annotations

RUN = (
    "RUN is an id of `gradgate runs`, the beginning of one, NAME#N, or a name: of the runs that "
    "have it the one that is live, or else the latest. "
)
TARGET = "TARGET is a parameter's name, a module's path, or a glob such as '*.bias'. "
SITE = "SITE is param:NAME, output:MODULE, input:MODULE or site:LABEL. "
GATE = "GATE is a number of `gradgate gates`. "
FAULTS = (
    "with 2 when the run or an option is wrong; with 3 without a server; with 4 without its token."
)

EDITED = RUN + "Ends with 0 when it is done; with 1 when the server refuses it; " + FAULTS

_VERIFIED = "Ends with 0 when the job has verified it (or was asked, with --no-wait); "
CHANGED = _VERIFIED + "with 1 when it was rejected, superseded or has drifted; " + FAULTS
GATED = RUN + _VERIFIED + "with 1 when it was rejected or superseded; " + FAULTS
