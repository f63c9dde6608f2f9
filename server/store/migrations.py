"""Stores of earlier versions, brought to this one in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, update

from .packing import pack_tables
from .tables import meta

# What leads from a version to the next. These are texts of their own, since the tables are those
# of this version: a later change of a table must not change how an old store is read.
_RUN_COLUMNS_10 = (
    "created, started, last_seen, sample_time, sample_step, step, host, pid, probe_version, "
    "torch_version, figures, last_seq, sample_seq, frozen_seq, samples, steps_per_second, cost, "
    "every, dropped, faults, parameters, trainable, not_in_optimizer, numel, removed, ranks, "
    "compiled, states, frozen, gates, expect, restraints, alerts, tags, notes, archived, "
    "keep_days, keep_gb"
)
_STEPS: Mapping[int, tuple[str | Callable[[Connection], None], ...]] = {
    1: (
        "ALTER TABLE runs ADD COLUMN sample_time FLOAT",
        "ALTER TABLE runs ADD COLUMN sample_step BIGINT",
        "DROP INDEX spans_by_step",
        "CREATE INDEX spans_by_last_step ON spans (run, level, last_step)",
    ),
    2: (
        "ALTER TABLE runs ADD COLUMN removed INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE runs ADD COLUMN ranks BIGINT NOT NULL DEFAULT 1",
        "ALTER TABLE runs ADD COLUMN compiled BOOLEAN NOT NULL DEFAULT FALSE",
        "ALTER TABLE parameters ADD COLUMN removed BOOLEAN NOT NULL DEFAULT FALSE",
        "ALTER TABLE commands ADD COLUMN hold_stats BOOLEAN NOT NULL DEFAULT FALSE",
        "ALTER TABLE commands ADD COLUMN reset_state BOOLEAN NOT NULL DEFAULT FALSE",
        "ALTER TABLE commands ADD COLUMN saved JSON",
    ),
    3: (
        "ALTER TABLE runs ADD COLUMN gates JSON NOT NULL DEFAULT '[]'",
        "ALTER TABLE commands ADD COLUMN site TEXT",
        'ALTER TABLE commands ADD COLUMN "when" TEXT',
        "ALTER TABLE commands ADD COLUMN action VARCHAR(16)",
        "ALTER TABLE commands ADD COLUMN factor FLOAT",
        "ALTER TABLE commands ADD COLUMN max_norm FLOAT",
        "ALTER TABLE commands ADD COLUMN hold BIGINT",
        "ALTER TABLE commands ADD COLUMN paused BOOLEAN",
        "ALTER TABLE commands ADD COLUMN gate BIGINT",
    ),
    4: (
        "ALTER TABLE runs ADD COLUMN expect JSON NOT NULL DEFAULT '[]'",
        "ALTER TABLE runs ADD COLUMN alerts BIGINT NOT NULL DEFAULT 0",
        "CREATE TABLE explained (run VARCHAR(16) NOT NULL, step BIGINT NOT NULL, "
        "seconds FLOAT NOT NULL, ratio FLOAT, command BIGINT, total BIGINT NOT NULL, "
        "time FLOAT NOT NULL, PRIMARY KEY (run))",
        "CREATE TABLE explanations (run VARCHAR(16) NOT NULL, place INTEGER NOT NULL, "
        "parameter INTEGER, name TEXT NOT NULL, cause VARCHAR(32) NOT NULL, "
        '"where" TEXT, detail TEXT NOT NULL, advice TEXT NOT NULL, path JSON NOT NULL, '
        "source JSON, PRIMARY KEY (run, place))",
        "CREATE TABLE alerts (run VARCHAR(16) NOT NULL, place INTEGER NOT NULL, "
        "parameter INTEGER NOT NULL, name TEXT NOT NULL, since_step BIGINT NOT NULL, "
        "cause VARCHAR(32), detail TEXT, PRIMARY KEY (run, place))",
    ),
    5: (
        "ALTER TABLE runs ADD COLUMN restraints JSON NOT NULL DEFAULT '{}'",
        # No column can be made nullable in place in SQLite, so the table is made anew.
        "CREATE TABLE new_alerts (run VARCHAR(16) NOT NULL, place INTEGER NOT NULL, "
        "parameter INTEGER, name TEXT, since_step BIGINT NOT NULL, cause VARCHAR(32), "
        'detail TEXT, "where" TEXT, level VARCHAR(8) NOT NULL, PRIMARY KEY (run, place))',
        "INSERT INTO new_alerts SELECT run, place, parameter, name, since_step, cause, detail, "
        "NULL, 'alert' FROM alerts",
        "DROP TABLE alerts",
        "ALTER TABLE new_alerts RENAME TO alerts",
    ),
    6: (
        # One frame may hold several steps of a metric: the table is made anew for another key.
        "CREATE TABLE new_metrics (run VARCHAR(16) NOT NULL, name TEXT NOT NULL, "
        "seq BIGINT NOT NULL, step BIGINT NOT NULL, time FLOAT NOT NULL, value FLOAT, "
        "PRIMARY KEY (run, name, seq, step))",
        "INSERT INTO new_metrics SELECT run, name, seq, step, time, value FROM metrics",
        "DROP TABLE metrics",
        "ALTER TABLE new_metrics RENAME TO metrics",
        "ALTER TABLE runs ADD COLUMN tags JSON NOT NULL DEFAULT '[]'",
        "ALTER TABLE runs ADD COLUMN notes TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE runs ADD COLUMN archived BOOLEAN NOT NULL DEFAULT FALSE",
        "ALTER TABLE runs ADD COLUMN keep_days FLOAT",
        "ALTER TABLE runs ADD COLUMN keep_gb FLOAT",
        "CREATE TABLE deletions (run VARCHAR(16) NOT NULL, PRIMARY KEY (run))",
        "CREATE TABLE questions (id VARCHAR(16) NOT NULL, run VARCHAR(16) NOT NULL, "
        "kind VARCHAR(8) NOT NULL, asked TEXT NOT NULL, answer TEXT, time FLOAT NOT NULL, "
        "PRIMARY KEY (id))",
        "DROP INDEX spans_by_last_step",
        "CREATE INDEX spans_by_steps ON spans (run, level, last_step, first_step)",
        "CREATE TABLE metric_blocks (run VARCHAR(16) NOT NULL, name TEXT NOT NULL, "
        "level INTEGER NOT NULL, first BIGINT NOT NULL, low_step BIGINT NOT NULL, "
        "high_step BIGINT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (run, name, level, first))",
        "CREATE INDEX metric_blocks_by_steps ON metric_blocks "
        "(run, name, level, high_step, low_step)",
        "CREATE TABLE events (run VARCHAR(16) NOT NULL, id BIGINT NOT NULL, "
        "kind VARCHAR(16) NOT NULL, level VARCHAR(8) NOT NULL, time FLOAT NOT NULL, "
        "step BIGINT NOT NULL, last_step BIGINT NOT NULL, count INTEGER NOT NULL, members BLOB, "
        "sentence TEXT NOT NULL, figures JSON NOT NULL, dismissed FLOAT, PRIMARY KEY (run, id))",
        "CREATE INDEX events_by_kind ON events (run, kind, id)",
        "CREATE INDEX events_by_last_step ON events (run, last_step)",
        "CREATE TABLE watches (run VARCHAR(16) NOT NULL, state BLOB NOT NULL, PRIMARY KEY (run))",
    ),
    7: (
        "CREATE TABLE optimizers (run VARCHAR(16) NOT NULL, step BIGINT NOT NULL, "
        "told JSON NOT NULL, PRIMARY KEY (run))",
    ),
    8: (
        "ALTER TABLE runs ADD COLUMN not_in_optimizer INTEGER NOT NULL DEFAULT 0",
        "UPDATE runs SET not_in_optimizer = (SELECT COUNT(*) FROM parameters WHERE run = runs.id "
        "AND requires_grad AND NOT in_optimizer AND NOT removed)",
    ),
    9: (
        "CREATE INDEX open_alerts ON events (run, last_step) "
        "WHERE level = 'alert' AND dismissed IS NULL",
    ),
    10: (
        # Several runs may have a name now, and SQLite drops no constraint: the table is made anew.
        # What was shown as `name (2)` has its name again, and a number beside it.
        "CREATE TABLE new_runs (id VARCHAR(16) NOT NULL, name TEXT NOT NULL, "
        'number INTEGER NOT NULL, "group" TEXT, status VARCHAR(16) NOT NULL, '
        "created FLOAT NOT NULL, started FLOAT NOT NULL, last_seen FLOAT, sample_time FLOAT, "
        "sample_step BIGINT, step BIGINT NOT NULL, host TEXT NOT NULL, pid BIGINT NOT NULL, "
        "probe_version TEXT NOT NULL, torch_version TEXT NOT NULL, figures TEXT NOT NULL, "
        "last_seq BIGINT NOT NULL, sample_seq BIGINT NOT NULL, frozen_seq BIGINT NOT NULL, "
        "samples BIGINT NOT NULL, steps_per_second FLOAT, cost FLOAT, every BIGINT, "
        "dropped BIGINT NOT NULL, faults BIGINT NOT NULL, parameters INTEGER NOT NULL, "
        "trainable INTEGER NOT NULL, not_in_optimizer INTEGER NOT NULL, numel BIGINT NOT NULL, "
        "removed INTEGER NOT NULL, ranks BIGINT NOT NULL, compiled BOOLEAN NOT NULL, "
        "states JSON NOT NULL, frozen JSON NOT NULL, gates JSON NOT NULL, expect JSON NOT NULL, "
        "restraints JSON NOT NULL, alerts BIGINT NOT NULL, tags JSON NOT NULL, "
        "notes TEXT NOT NULL, archived BOOLEAN NOT NULL, keep_days FLOAT, keep_gb FLOAT, "
        "PRIMARY KEY (id))",
        "INSERT INTO new_runs SELECT id, name, "
        "ROW_NUMBER() OVER (PARTITION BY name ORDER BY created, id), NULL, status, "
        f"{_RUN_COLUMNS_10} FROM (SELECT id, CASE WHEN "
        "substr(name, 1, length(given_name)) = given_name AND "
        "rtrim(substr(name, length(given_name) + 1), ' (0123456789)') = '' "
        f"THEN given_name ELSE name END AS name, status, {_RUN_COLUMNS_10} FROM runs) AS shown",
        "DROP TABLE runs",
        "ALTER TABLE new_runs RENAME TO runs",
        "CREATE UNIQUE INDEX runs_by_name ON runs (name, number)",
    ),
    11: ("ALTER TABLE alerts ADD COLUMN others JSON NOT NULL DEFAULT '[]'",),
    12: (
        "ALTER TABLE runs ADD COLUMN table_digest VARCHAR(64)",
        pack_tables,
        "DROP TABLE parameters",
    ),
    13: ('ALTER TABLE commands ADD COLUMN "limit" JSON',),
    14: (
        "CREATE TABLE audit (id VARCHAR(16) NOT NULL, time FLOAT NOT NULL, actor TEXT NOT NULL, "
        "address TEXT NOT NULL, action VARCHAR(16) NOT NULL, about VARCHAR(16), name TEXT, "
        "detail JSON NOT NULL, PRIMARY KEY (id))",
        "CREATE INDEX audit_by_time ON audit (time, id)",
    ),
}


def is_older(version: int) -> bool:
    """Return whether a store of a version is brought to this one by `migrate`."""
    return version in _STEPS


def migrate(connection: Connection, version: int) -> int:
    """Bring a store from a version as far as is known, in the caller's transaction.

    Returns the version reached; that of a newer Gradgate is returned as it is.
    """
    reached = version
    while reached in _STEPS:
        for statement in _STEPS[reached]:
            if isinstance(statement, str):
                connection.exec_driver_sql(statement)
            else:
                statement(connection)
        reached += 1
    if reached != version:
        stamp = update(meta).where(meta.c.key == "schema_version")
        connection.execute(stamp.values(value=str(reached)))
    return reached
