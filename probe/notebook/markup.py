"""What a notebook shows of a run, as HTML; whatever comes from a job is text in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

MOST = 20
"""Troubles that a table has."""
HEIGHT = 720
"""Pixels of the page in a notebook."""
NO_SERVER = "This run was attached with server=False, so there is no page of it."
_HEAD = ("Parameter", "Trouble", "Since step", "What happened")
_CELL = 'style="padding:2px 14px 2px 0;text-align:left;vertical-align:top;white-space:normal"'


@dataclass(frozen=True)
class Trouble:
    """A row of the table."""

    parameter: str
    word: str
    since: str
    text: str


def run_markup(
    name: str, state: str, url: str | None, troubles: Sequence[Trouble], calm: str
) -> str:
    """Return a run in a few lines: its name, which leads to its page, its state, its troubles.

    ``calm``: the sentence that stands where there are none.
    """
    shown = f"<strong>{escape(name)}</strong>"
    if url is not None:
        shown = f'<a href="{escape(url)}" target="_blank" rel="noopener">{shown}</a>'
    return f"<div><p>{shown} · {escape(state)}</p>{_table(troubles, calm)}</div>"


def _table(troubles: Sequence[Trouble], calm: str) -> str:
    if not troubles:
        return f"<p>{escape(calm)}</p>"
    head = "".join(f'<th scope="col" {_CELL}>{each}</th>' for each in _HEAD)
    rows = "".join(_row(each) for each in troubles[:MOST])
    more = len(troubles) - MOST
    rest = f"<p>and {more:,} more</p>" if more > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{rest}"


def _row(trouble: Trouble) -> str:
    texts = (trouble.parameter, trouble.word, trouble.since)
    cells = [*map(escape, texts), _prose(trouble.text)]
    return f"<tr>{''.join(f'<td {_CELL}>{each}</td>' for each in cells)}</tr>"


def _prose(sentence: str) -> str:
    """Return a sentence in which what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(sentence))


@dataclass(frozen=True)
class LivePage:
    """The page of a run inside a notebook: a frame, and a link for where frames are kept out."""

    name: str
    url: str | None
    """None: there is no page."""
    height: int = HEIGHT
    note: str = ""
    """A sentence above it, or none."""

    def _repr_html_(self) -> str:
        note = f"<p>{escape(self.note)}</p>" if self.note else ""
        if self.url is None:
            return f"<p>{escape(NO_SERVER)}</p>"
        url = escape(self.url)
        return (
            f'<div>{note}<iframe src="{url}" title="{escape(self.name)} on the dashboard" '
            f'style="width:100%;height:{self.height}px;border:0"></iframe>'
            f'<p><a href="{url}" target="_blank" rel="noopener">{url}</a></p></div>'
        )

    def __repr__(self) -> str:
        return NO_SERVER if self.url is None else self.url
