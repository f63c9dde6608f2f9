"""The pages of causes as markup."""

from __future__ import annotations

from gradgate.server.protocol.cause_pages import CausePage
from gradgate.server.web.cause_markup import cause_markup
from tests.support.serving import ServerProcess


def test_links_lead_to_what_the_server_has() -> None:
    """Another cause by its page here, the web as it is, and a guide by its words alone."""
    text = "[a](no_grad.md), [b](https://docs.pytorch.org/x), [the *guide*](../gates.md#when)."
    assert cause_markup(CausePage("x", "x", text)) == (
        '<p><a href="/causes/no_grad">a</a>, <a href="https://docs.pytorch.org/x">b</a>, '
        "the <em>guide</em>.</p>\n"
    )


def test_links_are_below_the_path_of_a_proxy() -> None:
    """Where there is one."""
    markup = cause_markup(CausePage("x", "x", "[a](no_grad.md)"), "/gradgate")
    assert '<a href="/gradgate/causes/no_grad">' in markup


def test_markup_in_a_text_is_text() -> None:
    """Nothing of a page can be a script."""
    markup = cause_markup(CausePage("x", "x", "<script>alert(1)</script> `<b>`"))
    assert "<script>" not in markup
    assert "<code>&lt;b&gt;</code>" in markup


def test_causes_are_pages(shared_server: ServerProcess) -> None:
    """All are listed, each is a page, and of another there is none."""
    listed = shared_server.page("/causes").text
    assert '<a href="/causes/share"><code>share</code></a>' in listed
    page = shared_server.page("/causes/moved_without_gradient").text
    assert "<h2>How to mend it</h2>" in page
    assert "parameter.grad = None" in page
    missing = shared_server.page("/causes/nothing")
    assert missing.status_code == 404
    assert "/causes lists every cause" in missing.text
