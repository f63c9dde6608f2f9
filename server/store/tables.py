"""The schema of the store, in SQLAlchemy Core; nothing in it is special to one data base."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

SCHEMA_VERSION = 15

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("group", Text),
    Column("status", String(16), nullable=False),
    Column("created", Float(53), nullable=False),
    Column("started", Float(53), nullable=False),
    Column("last_seen", Float(53)),
    Column("sample_time", Float(53)),
    Column("sample_step", BigInteger),
    Column("step", BigInteger, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("probe_version", Text, nullable=False),
    Column("torch_version", Text, nullable=False),
    Column("figures", Text, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("sample_seq", BigInteger, nullable=False),
    Column("frozen_seq", BigInteger, nullable=False),
    Column("samples", BigInteger, nullable=False),
    Column("steps_per_second", Float(53)),
    Column("cost", Float(53)),
    Column("every", BigInteger),
    Column("dropped", BigInteger, nullable=False),
    Column("faults", BigInteger, nullable=False),
    Column("parameters", Integer, nullable=False),
    Column("trainable", Integer, nullable=False),
    Column("not_in_optimizer", Integer, nullable=False),
    Column("numel", BigInteger, nullable=False),
    Column("removed", Integer, nullable=False),
    Column("table_digest", String(64)),
    Column("ranks", BigInteger, nullable=False),
    Column("compiled", Boolean, nullable=False),
    Column("states", JSON, nullable=False),
    Column("frozen", JSON, nullable=False),
    Column("gates", JSON, nullable=False),
    Column("expect", JSON, nullable=False),
    Column("restraints", JSON, nullable=False),
    Column("alerts", BigInteger, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("notes", Text, nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("keep_days", Float(53)),
    Column("keep_gb", Float(53)),
    Index("runs_by_name", "name", "number", unique=True),
)

# Runs that were deleted and of which data may still be left, in any table with a column `run`.
deletions = Table("deletions", metadata, Column("run", String(16), primary_key=True))

# A block is `parameter_table.BLOCK` parameters of a run's table, or the rest of them, packed.
parameter_blocks = Table(
    "parameter_blocks",
    metadata,
    Column("run", String(16), primary_key=True),
    Column("first", Integer, primary_key=True, autoincrement=False),
    Column("size", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

# A span is what one commit appended to a run's history: so many samples, the first of which is the
# run's sample number `first`. `axis` holds their steps, times and flags, the tiles their figures.
spans = Table(
    "spans",
    metadata,
    Column("run", String(16), primary_key=True),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("samples", Integer, nullable=False),
    Column("first_step", BigInteger, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("axis", LargeBinary, nullable=False),
    Index("spans_by_steps", "run", "level", "last_step", "first_step"),
)

# A tile is one statistic (0: the states) of one block of parameters over one span.
tiles = Table(
    "tiles",
    metadata,
    Column("run", String(16), primary_key=True),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("statistic", Integer, primary_key=True, autoincrement=False),
    Column("block", Integer, primary_key=True, autoincrement=False),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("width", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

metrics = Table(
    "metrics",
    metadata,
    Column("run", String(16), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    Column("time", Float(53), nullable=False),
    Column("value", Float(53)),
)

# The oldest values of a metric, in blocks (level 0) and summed up in the tiles of the levels above:
# `first` is the number of a block's first value since the metric was first logged.
metric_blocks = Table(
    "metric_blocks",
    metadata,
    Column("run", String(16), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("low_step", BigInteger, nullable=False),
    Column("high_step", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("metric_blocks_by_steps", "run", "name", "level", "high_step", "low_step"),
)

commands = Table(
    "commands",
    metadata,
    Column("run", String(16), primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("local", BigInteger),
    Column("kind", String(16), nullable=False),
    Column("target", Text, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("hold_stats", Boolean, nullable=False),
    Column("reset_state", Boolean, nullable=False),
    Column("by", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("step", BigInteger),
    Column("parameters", JSON, nullable=False),
    Column("reason", Text),
    Column("detail", Text),
    Column("saved", JSON(none_as_null=True)),
    Column("requested", Float(53), nullable=False),
    Column("times", JSON, nullable=False),
    Column("site", Text),
    Column("when", Text),
    Column("action", String(16)),
    Column("factor", Float(53)),
    Column("max_norm", Float(53)),
    Column("hold", BigInteger),
    Column("paused", Boolean),
    Column("gate", BigInteger),
    Column("limit", JSON(none_as_null=True)),
    UniqueConstraint("run", "local"),
)

# The latest traced step of a run. What it showed is apart, a row a parameter, since the cause alone
# is read far more often than all of it.
explained = Table(
    "explained",
    metadata,
    Column("run", String(16), primary_key=True),
    Column("step", BigInteger, nullable=False),
    Column("seconds", Float(53), nullable=False),
    Column("ratio", Float(53)),
    Column("command", BigInteger),
    Column("total", BigInteger, nullable=False),
    Column("time", Float(53), nullable=False),
)

explanations = Table(
    "explanations",
    metadata,
    Column("run", String(16), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("parameter", Integer),
    Column("name", Text, nullable=False),
    Column("cause", String(32), nullable=False),
    Column("where", Text),
    Column("detail", Text, nullable=False),
    Column("advice", Text, nullable=False),
    Column("path", JSON, nullable=False),
    Column("source", JSON(none_as_null=True)),
)

# What is asked of a job through another server than it is connected to; as JSON, like the answer.
questions = Table(
    "questions",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("run", String(16), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("asked", Text, nullable=False),
    Column("answer", Text),
    Column("time", Float(53), nullable=False),
)

# What a job last told of its optimizers' groups.
optimizers = Table(
    "optimizers",
    metadata,
    Column("run", String(16), primary_key=True),
    Column("step", BigInteger, nullable=False),
    Column("told", JSON, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("run", String(16), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("parameter", Integer),
    Column("name", Text),
    Column("since_step", BigInteger, nullable=False),
    Column("cause", String(32)),
    Column("detail", Text),
    Column("where", Text),
    Column("level", String(8), nullable=False),
    Column("others", JSON, nullable=False),
)

# What happened in a run. `members` holds all of its parameters, packed by `events.pack_members`.
events = Table(
    "events",
    metadata,
    Column("run", String(16), primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("level", String(8), nullable=False),
    Column("time", Float(53), nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("members", LargeBinary),
    Column("sentence", Text, nullable=False),
    Column("figures", JSON, nullable=False),
    Column("dismissed", Float(53)),
    Index("events_by_kind", "run", "kind", "id"),
    Index("events_by_last_step", "run", "last_step"),
)
OPEN_ALERT = (events.c.level == text("'alert'")) & events.c.dismissed.is_(None)
"""Whether an event is an alert that nobody has dismissed."""
Index(
    "open_alerts",
    events.c.run,
    events.c.last_step,
    sqlite_where=OPEN_ALERT,
    postgresql_where=OPEN_ALERT,
)

# What the detectors of a run's events have to know after a restart.
watches = Table(
    "watches",
    metadata,
    Column("run", String(16), primary_key=True),
    Column("state", LargeBinary, nullable=False),
)

# What people did. `about` is the id of the run to which, and not called `run`, since whatever is of
# a run goes when that is deleted.
audit = Table(
    "audit",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("time", Float(53), nullable=False),
    Column("actor", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("action", String(16), nullable=False),
    Column("about", String(16)),
    Column("name", Text),
    Column("detail", JSON, nullable=False),
    Index("audit_by_time", "time", "id"),
)
