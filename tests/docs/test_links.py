"""Links of the documents lead somewhere, in the repository as well as on the site."""

from __future__ import annotations

import pytest

from tests.support.documents import NAMES, ROOT, anchors, links, read


@pytest.mark.parametrize("name", NAMES)
def test_every_link_of_a_page_leads_somewhere(name: str) -> None:
    """A relative link names a file that is there, and behind `#` one of its headings."""
    lost = []
    for link in links(read(name)):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = (ROOT / name).parent / path if path else ROOT / name
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            lost.append(link)
    assert lost == []
