"""The limits of the wire protocol (docs/protocol.md, "Refusals")."""

from __future__ import annotations

PROTOCOL = 1
FRAME_BYTES = 32 * 1024 * 1024
PARAMETERS = 100_000
NAME_CHARACTERS = 512
SUFFIX_CHARACTERS = 64
PROBE_CONNECTIONS = 256
BROWSER_CONNECTIONS = 256

QUESTIONS = 16
GATES = 1000
CONDITION_CHARACTERS = 1000
TRIAL_SAMPLES = 10_000

# Not in the protocol: bounds that keep texts and numbers within what the store can hold.
TEXT_CHARACTERS = 8192
NUMBER = 2**53
DIMENSIONS = 64
TIED_NAMES = 256
METRICS = 1024
BODY_BYTES = 64 * 1024
TRIAL_VALUES = 100_000
TRIAL_ROWS = 200_000
