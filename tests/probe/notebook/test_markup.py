"""What a notebook shows of a run."""

from __future__ import annotations

from gradgate.probe.notebook.markup import MOST, NO_SERVER, LivePage, Trouble, run_markup

MARKUP = "<script>alert('1')</script>"
URL = 'http://127.0.0.1:8765/runs/"><b>'


def test_whatever_comes_from_a_job_is_text() -> None:
    """Names, troubles and addresses alike, in the summary and around the page."""
    trouble = Trouble(MARKUP, MARKUP, MARKUP, MARKUP)
    summary = run_markup(MARKUP, MARKUP, URL, [trouble], MARKUP)
    page = LivePage(MARKUP, URL, note=MARKUP)._repr_html_()
    for shown in (summary, page):
        assert "<script" not in shown
        assert "<b>" not in shown
        assert "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;" in shown
        assert 'href="http://127.0.0.1:8765/runs/&quot;&gt;&lt;b&gt;"' in shown


def test_many_troubles_are_counted() -> None:
    """The table stays short, and a run without any says so."""
    troubles = [Trouble(f"layer.{place}", "absent", "3", "") for place in range(MOST + 2)]
    shown = run_markup("digits", "live", None, troubles, "")
    assert (shown.count("<tr>"), "and 2 more" in shown) == (1 + MOST, True)
    assert "<a " not in shown
    assert "<p>All is well.</p>" in run_markup("digits", "live", None, [], "All is well.")


def test_what_is_code_in_a_sentence_is_shown_as_code() -> None:
    """Names and calls stand between backticks there."""
    shown = run_markup("digits", "live", None, [Trouble("a", "detached", "3", "`a<b>` is")], "")
    assert "><code>a&lt;b&gt;</code> is</td>" in shown


def test_a_run_without_a_server_has_no_page() -> None:
    """A sentence stands where it would be."""
    page = LivePage("digits", None)
    assert (page._repr_html_(), repr(page)) == (f"<p>{NO_SERVER}</p>", NO_SERVER)
    assert repr(LivePage("digits", "http://a/runs/1")) == "http://a/runs/1"
