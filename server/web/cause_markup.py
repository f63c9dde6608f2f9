"""The pages of causes as markup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from ..protocol.cause_pages import CAUSES, CausePage

_END = ".md"


def cause_markup(page: CausePage, root: str = "") -> Markup:
    """Render the text of a page, which is below the path `root`.

    A link to another cause leads to its page here; one to a guide, which this server does not have,
    is its words alone. Markup in the text stays text.
    """
    reader = MarkdownIt("commonmark", {"html": False})
    tokens = reader.parse(page.text)
    for token in tokens:
        if token.children is not None:
            token.children = list(_linked(token.children, root))
    return Markup(reader.renderer.render(tokens, reader.options, {}))


def _linked(tokens: Iterable[Token], root: str) -> Iterator[Token]:
    """Yield the parts of a paragraph with the links that there are here."""
    dropped = False
    for token in tokens:
        if token.type == "link_open":
            to = str(token.attrs["href"])
            dropped = _END in to and to.removesuffix(_END) not in CAUSES
            if to.endswith(_END):
                token.attrs["href"] = f"{root}/causes/{to.removesuffix(_END)}"
        if not (dropped and token.type in ("link_open", "link_close")):
            yield token
