"""CSV that is read back as it was."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gradgate.server.export.columns import Batch, Cells, Coded, Column, Kind, Numbers, Table
from gradgate.server.export.comma_separated import comma_separated
from gradgate.server.export.selection import Selection
from gradgate.server.store.database import Store


def written(tmp_path: Path, **columns: Cells) -> str:
    """A table of the columns as text."""

    def batches(_: Store, __: Selection) -> Iterator[Batch]:
        yield list(columns.values())

    table = Table(tuple(Column(name, Kind.TEXT) for name in columns), batches)
    store = Store(tmp_path)
    chosen = Selection("a" * 16, "digits", [])
    text = b"".join(comma_separated(table, store, chosen)).decode()
    store.close()
    return text


def test_texts_come_back_whole(tmp_path: Path) -> None:
    """Commas, quotes, line ends and blanks at the ends; the empty text is not null."""
    texts = ["plain", 'a "b"', "c,d", "e\nf\r", " g ", "ü", ""]
    text = written(
        tmp_path, text=[*texts, None], word=Coded(np.arange(8, dtype=np.int32), texts * 2)
    )
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[1:] == [[each, each] for each in texts] + [["", "plain"]]
    assert text.splitlines()[-2:] == ['"",""', ",plain"]


def test_numbers_have_the_digits_of_their_type(tmp_path: Path) -> None:
    """As few as tell the number from its neighbours; what is not finite has its word."""
    values = np.array([0.1, 1e-45, 3.4028235e38, -np.inf, np.nan, 7], np.float32)
    missing = np.array([False] * 5 + [True])
    doubles: Cells = [0.1 + 0.2, 5e-324, 1e300, 2**53, True, None]
    text = written(tmp_path, single=Numbers(values, missing), other=doubles)
    assert text.splitlines()[1:] == [
        "0.1,0.30000000000000004",
        "1e-45,5e-324",
        "3.4028235e+38,1e+300",
        "-inf,9007199254740992",
        "nan,true",
        ",",
    ]


def test_lists_are_json(tmp_path: Path) -> None:
    """In quotes where they have commas or quotes."""
    text = written(tmp_path, names=[["a", "b"], []])
    assert text.splitlines()[1:] == ['"[""a"", ""b""]"', '"[]"']


FORMULAS = ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"]


def test_no_text_is_a_formula(tmp_path: Path) -> None:
    """What a spreadsheet would compute has an apostrophe before it, whichever column it is of."""
    codes = np.arange(len(FORMULAS), dtype=np.int32)
    text = written(tmp_path, text=FORMULAS, word=Coded(codes, FORMULAS))
    rows = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert rows == [[f"'{each}", f"'{each}"] for each in FORMULAS]


def test_numbers_and_other_texts_have_no_apostrophe(tmp_path: Path) -> None:
    """A sign before a number is no formula, nor is one within a text."""
    values = np.array([-0.5, -np.inf], np.float32)
    whole = Numbers(values, np.array([False, False]))
    text = written(tmp_path, single=whole, other=[-1, "a=-1"])
    assert text.splitlines()[1:] == ["-0.5,-1", "-inf,a=-1"]
