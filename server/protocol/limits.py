"""The limits of the wire protocol (docs/protocol.md, "Refusals")."""

from __future__ import annotations

PROTOCOL = 2
OLDEST_PROTOCOL = 1
"""What jobs of earlier versions speak, and are still understood in."""
FRAME_VERSION = 1
"""Of binary frames."""
FRAME_BYTES = 32 * 1024 * 1024
BUNDLE_FRAMES = 1000
SMALL_BYTES = 64 * 1024
"""What a socket that has not said hello may send without being counted."""
WAITING_BYTES = 64 * 1024 * 1024
"""What all sockets together that have not said hello may have sent beyond that."""
PARAMETERS = 100_000
NAME_CHARACTERS = 512
SUFFIX_CHARACTERS = 64
NEIGHBOURS_CHARACTERS = 2 * (NAME_CHARACTERS + SUFFIX_CHARACTERS) + 3
"""The name of a row of a heat map that holds neighbours: the first and the last of them."""
PROBE_CONNECTIONS = 256
BROWSER_CONNECTIONS = 1024
WATCHED = 100
WATCH_SECONDS = 60
FOCUS = 16
HOLDS = 100
LASTING_SECONDS = 10 * 365 * 86400
OCTAVES = 2048
ROW_NORMS = 256

QUESTIONS = 16
GATES = 1000
CONDITION_CHARACTERS = 1000
TRIAL_SAMPLES = 10_000
EXPLANATIONS = 2000
ALERTS = 2000
EXPECTATIONS = 1000
STATIONS = 100
TOTALS = 1000
LABEL_CHARACTERS = 1024
PLACE_CHARACTERS = 5000
SOURCE_LINES = 7
SOURCE_CHARACTERS = 200

# Not in the protocol: bounds that keep texts and numbers within what the store can hold.
TEXT_CHARACTERS = 8192
NUMBER = 2**53
DIMENSIONS = 64
TIED_NAMES = 256
METRICS = 1024
TAGS = 32
TAG_CHARACTERS = 64
BODY_BYTES = 64 * 1024
CONNECTIONS = 2048
"""Of all kinds, at once."""
TRIAL_VALUES = 100_000
TRIAL_ROWS = 200_000
METRIC_POINTS = 1_048_576
