"""Parquet in row groups, and the sentence where it cannot be written."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet as reading

from gradgate.server.export.columns import Batch, Coded, Column, Kind, Numbers, Table
from gradgate.server.export.parquet import ROWS, NoParquet, check_parquet, parquet
from gradgate.server.export.selection import Selection
from gradgate.server.store.database import Store

PART = 1 << 17


def batches(_: Store, __: Selection) -> Iterator[Batch]:
    """Nine batches of two columns."""
    for number in range(9):
        values = np.arange(PART) + number * PART
        words = Coded(np.zeros(PART, np.int32), [f"word {number}"])
        yield [Numbers(values, values % 2 == 1), words]


def test_rows_are_sent_in_groups_as_they_are_read(tmp_path: Path) -> None:
    """A group leaves before the next is read, so that memory does not grow with the run."""
    table = Table((Column("number", Kind.INTEGER), Column("word", Kind.WORD)), batches)
    store = Store(tmp_path)
    pieces = list(parquet(table, store, Selection("a" * 16, "digits", [])))
    store.close()
    sent = [piece for piece in pieces if len(piece) > 1000]
    whole = pyarrow.BufferReader(b"".join(pieces))
    read = reading.ParquetFile(whole)
    groups = [read.metadata.row_group(place).num_rows for place in range(read.num_row_groups)]
    assert groups == [ROWS, ROWS, PART]
    assert len(sent) >= 3
    found = read.read()
    assert found["number"].null_count == 9 * PART // 2
    assert found["number"][9 * PART - 2].as_py() == 9 * PART - 2
    assert found["word"][5 * PART].as_py() == "word 5"


def test_without_pyarrow_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an optional part of an installation."""
    check_parquet()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(NoParquet, match=r"pip install pyarrow.*or take CSV"):
        check_parquet()
