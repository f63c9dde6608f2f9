"""Why a gradient is missing: in the list of troubles, in the rows and in the panel."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, ViewportSize, expect

from tests.page.conftest import OpenRun, Play
from tests.page.run_page import RunPage
from tests.support.probing import (
    ABSENT,
    FROZEN,
    GATED,
    PRESENT,
    FakeProbe,
    alert,
    explanation,
    gate,
)

NAMES = ("a.weight", "a.bias", "b.weight", "b.bias", "head.weight")
STATES = [ABSENT, ABSENT, ABSENT, PRESENT, PRESENT]
NORMS = [float("nan")] * 3 + [0.25, 0.5]
NOT_CALLED = {
    "cause": "module_not_called",
    "where": "train.py:37",
    "detail": "`b.weight` belongs to `b`, which nothing called.",
    "path": [],
    "source": None,
}
IMAGE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def probe(play: Play, run: str) -> FakeProbe:
    """A probe with three absent gradients: two detached, one of a module that is not called."""
    probe = play(run, *NAMES)
    probe.sample(1, NORMS, STATES)
    tell(probe, 2, 1)
    return probe


def tell(probe: FakeProbe, seq: int, step: int, **more: object) -> None:
    """Tell of the three."""
    others = explanation(1, "a.bias"), explanation(2, "b.weight", **NOT_CALLED)
    probe.explanations(seq, step, explanation(), *others, **more)


def panel(page: RunPage) -> Locator:
    """The panel that explains a parameter."""
    return page.page.locator("#why")


def stations(page: RunPage, flow: str) -> list[str]:
    """The labels of the path's stations to which a gradient flows, where it stops, or behind."""
    return panel(page).locator(f'.path [data-flow="{flow}"] .name').all_inner_texts()


def newest(page: RunPage) -> int:
    """The number of the newest command."""
    entry = page.page.locator("#commands [data-command]").first
    return int(entry.get_attribute("data-command") or "")


def test_troubles_are_counted_by_cause(probe: FakeProbe, open_run: OpenRun, run: str) -> None:
    """Each cause leads to its rows; a gradient that came back is counted no more."""
    page = open_run(run)
    causes = page.page.get_by_role("group", name="Causes").get_by_role("button")
    expect(causes).to_have_text(["2 detached", "1 module not called"])
    expect(page.row("a.weight").locator(".state .words")).to_have_text("absent · detached")
    expect(page.row("b.weight").locator(".state .words")).to_have_text("absent · not called")
    causes.first.click()
    page.expect_rows(["model", "a", "weight", "bias"])
    expect(page.page.locator("#filter")).to_have_value("cause:detached")
    expect(causes.first).to_have_attribute("aria-pressed", "true")
    expect(causes.first).to_be_focused()
    causes.first.press("Enter")
    expect(page.page.locator("#filter")).to_have_value("")

    probe.sample(3, [0.5, *NORMS[1:]], [PRESENT, *STATES[1:]])
    expect(causes.first).to_have_text("1 detached")
    expect(page.row("a.weight").locator(".state .words")).to_have_text("present")


def test_what_ought_to_train_comes_first(probe: FakeProbe, open_run: OpenRun, run: str) -> None:
    """An alert is the first of the troubles, leads to its row, and goes when the job says so."""
    whole_run = alert(None, None, detail="None is held.", where="train.py:7")
    unmoved = alert(3, "b.bias", cause="not_moving", detail="`b.bias` stays.", where="train.py:9")
    probe.alerts(3, whole_run, alert(), alert(1, level="note"), {**unmoved, "level": "note"})
    page = open_run(run)
    whole = page.page.get_by_role("list", name="Of the whole run")
    expect(whole.get_by_role("listitem")).to_have_text(
        ["detached since step 12, train.py:7None is held."]
    )
    chip = page.page.locator("#trouble .chip").first
    expect(chip).to_have_text("1 alert")
    chip.click()
    page.expect_rows(["model", "a", "weight"])
    chip.click()
    page.page.get_by_role("button", name="2 notes").click()
    page.expect_rows(["model", "a", "bias", "b", "bias"])
    page.page.get_by_role("button", name="2 notes").click()
    expect(page.row("b.bias").locator(".state .words")).to_have_text("not moving")
    page.row("b.bias").get_by_role("button", name="Why: b.bias").click()
    expect(panel(page).locator("header .state")).to_have_text("does not move")
    told = panel(page).locator(".told > *")
    expect(told).to_have_text(
        ["Note: does not move, since step 12b.bias stays.train.py:9CopyAbout “does not move”"],
        use_inner_text=False,
    )
    probe.alerts(4)
    expect(told).to_have_count(0)
    expect(chip).to_have_text("3 absent")
    expect(whole).to_be_hidden()


def test_the_panel_says_why_where_and_what_to_do(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """Verdict, line of code, advice, the way with its stop, and what the trace cost."""
    page = open_run(run)
    page.row("a.weight").get_by_role("button", name="Why: a.weight").click()
    why = panel(page)
    expect(why).to_be_focused()
    expect(why.get_by_role("heading", name="Why a.weight")).to_be_visible()
    expect(why.locator("header .state")).to_have_text("absent · detached")
    expect(why.locator(".detail")).to_have_text(
        "a.weight reaches the loss only through h.detach() at train.py:41."
    )
    expect(why.locator(".advice")).to_contain_text("Remove h.detach()")
    about = why.get_by_role("link", name="About “detached”")
    expect(about).to_have_attribute("href", "/causes/detached")
    meant = why.locator('.line[aria-current="true"]')
    expect(meant).to_have_count(1)
    expect(meant.locator(".number")).to_have_text("41")
    expect(meant.locator("code")).to_have_text("    h = h.detach()", use_inner_text=True)
    expect(why.locator(".line .number")).to_have_text([str(n) for n in range(38, 45)])
    assert stations(page, "flows") == ["loss"]
    assert stations(page, "stops") == ["h.detach()"]
    assert stations(page, "none") == ["a.weight"]
    expect(why.locator(".traced")).to_have_text(
        "Step 1, traced in 250 ms, 3.50 times a normal step. The job looked by itself."
    )
    expect(page.page).to_have_url(re.compile(r"\?why=a\.weight$"))

    why.get_by_role("button", name="a.bias").click()
    expect(why.locator("header .name")).to_have_text("a.bias")
    page.page.reload()
    expect(why.locator("header .name")).to_have_text("a.bias")


def test_the_place_is_copied(probe: FakeProbe, open_run: OpenRun, run: str) -> None:
    """The line goes to the clipboard as an editor takes it."""
    page = open_run(run, "?why=a.weight", permissions=["clipboard-read", "clipboard-write"])
    panel(page).get_by_role("button", name="Copy").click()
    expect(panel(page).get_by_role("button", name="Copied")).to_be_visible()
    assert page.page.evaluate("navigator.clipboard.readText()") == "train.py:41"


def test_the_keyboard_is_enough(probe: FakeProbe, open_run: OpenRun, run: str) -> None:
    """W explains the current row, Escape goes back to it; what the panel covers is not reached."""
    page = open_run(run)
    page.press("Home", "ArrowDown", "w")
    why, keyboard = panel(page), page.page.keyboard
    expect(why).to_be_focused()
    expect(why.locator("header .name")).to_have_text("a.weight")
    keyboard.press("Tab")
    expect(why.get_by_role("button", name="Explain again")).to_be_focused()
    keyboard.press("Shift+Tab")
    section = "document.activeElement.closest('section').ariaLabel"
    assert page.page.evaluate(section) == "Parameters"
    keyboard.press("Escape")
    expect(why).to_be_hidden()
    expect(page.page.locator("#tree")).to_be_focused()
    assert page.current() == "a"
    assert "why" not in page.page.url
    keyboard.press("w")
    why.get_by_role("button", name="Close").press("Enter")
    expect(why).to_be_hidden()
    expect(page.page.locator("#tree")).to_be_focused()


def test_a_selected_parameter_in_trouble_can_be_asked_about(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """The key of the lines has the question beside the name, for those in trouble alone."""
    page = open_run(run, "?selected=a.weight&selected=head.weight")
    key = page.page.locator("#key")
    expect(key.get_by_role("button", name="Why: a.weight")).to_be_visible()
    expect(key.get_by_role("button", name="Why: head.weight")).to_have_count(0)
    key.get_by_role("button", name="Why: a.weight").press("Enter")
    expect(panel(page).locator("header .name")).to_have_text("a.weight")


def test_explain_again_waits_for_the_answer(probe: FakeProbe, open_run: OpenRun, run: str) -> None:
    """Pending until the job has answered; the new answer takes the old one's place."""
    page = open_run(run, "?why=a.weight")
    why = panel(page)
    again = why.get_by_role("button", name="Explain again")
    again.click()
    asked = why.locator(".asked")
    expect(asked).to_have_text(re.compile("^Explain (requested|delivered): the job answers"))
    expect(again).to_have_attribute("aria-disabled", "true")
    command = probe.until_command(number := newest(page))
    assert (command["kind"], command["target"]) == ("explain", "a.weight")
    expect(page.row("a.weight").get_by_role("checkbox")).not_to_have_attribute(
        "data-pending", re.compile("")
    )

    probe.report(3, number, "delivered")
    fresh = explanation(cause="no_grad", where="train.py:7", detail="It ran with gradients off.")
    probe.explanations(4, 9, fresh, command=number, seconds=0.031, ratio=None)
    probe.report(5, number, "applied", step=9, parameters=[0])
    expect(why.locator(".detail")).to_have_text("It ran with gradients off.")
    expect(asked).to_be_hidden()
    expect(again).not_to_have_attribute("aria-disabled", "true")
    expect(why.locator(".traced")).to_have_text(
        f"Step 9, traced in 31.0 ms. Asked by browser (command {number})."
    )
    expect(page.command(number)).to_contain_text("answered at step 9")


def test_a_rejected_question_says_why(probe: FakeProbe, open_run: OpenRun, run: str) -> None:
    """The job's reason is in the panel, and the question can be asked again."""
    page = open_run(run, "?why=a.weight")
    again = panel(page).get_by_role("button", name="Explain again")
    again.click()
    page.page.locator("#commands [data-command]").wait_for()
    reason = f"{IMAGE} matches nothing"
    probe.report(3, newest(page), "rejected", reason=reason)
    expect(panel(page).locator(".asked")).to_have_text(f"Explain rejected: {reason}")
    expect(again).not_to_have_attribute("aria-disabled", "true")


def test_a_question_that_does_not_get_through_says_so(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """What the browser could not send is told in the panel, not in the list that it may cover."""
    page = open_run(run, "?why=a.weight", offline=True)
    page.page.route(f"**/api/runs/{run}/commands", lambda route: route.abort())
    panel(page).get_by_role("button", name="Explain again").click()
    expect(panel(page).locator(".asked")).to_contain_text("The server cannot be reached")


def test_a_finished_run_cannot_be_asked(probe: FakeProbe, open_run: OpenRun, run: str) -> None:
    """The answer stays, and the button says why it does nothing."""
    page = open_run(run, "?why=a.weight")
    probe.bye(1)
    again = panel(page).get_by_role("button", name="Explain again")
    expect(again).to_have_attribute("aria-disabled", "true")
    expect(again).to_have_attribute("title", "The run has finished")
    again.click(force=True)
    expect(panel(page).locator(".detail")).to_be_visible()
    expect(page.page.locator("#commands [data-command]")).to_have_count(0)


def test_without_an_explanation_the_panel_is_honest(
    play: Play, open_run: OpenRun, run: str
) -> None:
    """Not looked at, nothing wrong, and lost since are three things."""
    probe = play(run, *NAMES)
    probe.sample(1, NORMS, STATES)
    page = open_run(run, "?why=head.weight")
    standing = panel(page).locator(".standing")
    expect(standing).to_have_text("Not looked at yet: the job has traced no step so far.")
    expect(panel(page).get_by_role("button", name="Explain", exact=True)).to_be_enabled()
    tell(probe, 2, 2)
    expect(standing).to_have_text("Nothing was wrong with it as of step 2.")
    probe.sample(3, [*NORMS[:4], float("nan")], [*STATES[:4], ABSENT])
    expect(standing).to_contain_text("It had a useful gradient at step 2")
    probe.sample(4, NORMS, [FROZEN, *STATES[1:]])
    page.row("a.weight").locator(".name").click()
    page.press("w")
    expect(standing).to_contain_text("This was so at step 2. In the latest sample it is frozen")


def test_what_no_module_has_is_explained_too(play: Play, open_run: OpenRun, run: str) -> None:
    """A layer in a plain list has no row: its count leads to the panel."""
    probe = play(run, "a.weight")
    probe.sample(1, [0.5])
    page = open_run(run)
    expect(page.page.locator("#trouble")).to_contain_text("No trouble now")
    name = "a.layers[0].weight"
    probe.explanations(2, 1, explanation(None, name, cause="not_in_optimizer"))
    chip = page.page.get_by_role("button", name="1 not in the optimizer, unregistered")
    chip.click()
    expect(panel(page).locator("header .name")).to_have_text(name)
    panel(page).get_by_role("button", name="Explain again").click()
    page.page.locator("#commands [data-command]").wait_for()
    assert probe.until_command(newest(page))["target"] == "*"


def test_what_a_job_says_is_text(play: Play, open_run: OpenRun, run: str) -> None:
    """Markup in a name, a station, a line of source or a place is neither run nor parsed."""
    probe = play(run, IMAGE)
    probe.sample(1, [float("nan")], [ABSENT])
    path = [
        {"label": IMAGE, "kind": kind, "flow": flow, "where": f"{IMAGE}.py:1"}
        for kind, flow in (("loss", "flows"), ("call", "stops"), ("parameter", "none"))
    ]
    lines = [f'x = "{IMAGE}"  # \u202e', "</code><script>alert(2)</script>"]
    source = {"file": f"{IMAGE}.py", "line": 1, "first": 1, "lines": lines}
    texts = {"where": f"{IMAGE}.py:1", "detail": f"`{IMAGE}` {IMAGE}", "advice": IMAGE}
    probe.explanations(2, 1, explanation(0, IMAGE, path=path, source=source, **texts))
    page = open_run(run)
    dialogs: list[str] = []
    page.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.row(IMAGE).locator(".asker").click()
    why = panel(page)
    for part in ("header .name", ".advice", ".place .name", ".path .name >> nth=1"):
        expect(why.locator(part)).to_contain_text(IMAGE)
    expect(why.locator(".line code")).to_have_text([f'x = "{IMAGE}"  # ⟨U+202E⟩', lines[1]])
    assert page.page.locator("img[src=x], body script").count() == 0
    assert dialogs == []


@pytest.mark.exhaustive(1)
@pytest.mark.parametrize("width", [1920, 1280, 800, 420])
def test_opening_moves_nothing(probe: FakeProbe, open_run: OpenRun, run: str, width: int) -> None:
    """The panel takes the charts' place; a long way scrolls inside it, and unfolds."""
    path = [
        {"label": f"encoder.blocks.{n}.attention", "kind": "module", "flow": flow, "where": None}
        for n, flow in enumerate(["flows"] * 50 + ["stops"] + ["none"] * 49)
    ]
    probe.explanations(3, 2, explanation(path=path, where=f"{'deep/' * 60}train.py:41"))
    page = open_run(run, viewport=ViewportSize(width=width, height=800))
    places = """() => ["#tree", "#lines", "#flow", "#commands"].map(id => {
        const box = document.querySelector(id).getBoundingClientRect();
        return [box.x, box.y + scrollY, box.width, box.height];
    })"""
    before = page.page.evaluate(places)
    page.row("a.weight").locator(".asker").click()
    expect(panel(page)).to_be_in_viewport()
    assert page.page.evaluate(places) == before
    sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.page.evaluate(sideways) == 0
    assert len(stations(page, "flows")) == 4
    panel(page).get_by_role("button", name="46 more stations").click()
    assert len(stations(page, "flows")) == 50
    body = panel(page).locator(".why-body")
    assert body.evaluate("body => body.scrollHeight > body.clientHeight")
    assert body.evaluate("body => body.scrollWidth - body.clientWidth") == 0


def test_a_gated_parameter_names_its_gate_at_once(play: Play, open_run: OpenRun, run: str) -> None:
    """Its condition, since when it is closed and by whom, and a link; no step is traced."""
    probe = play(run, *NAMES)
    probe.gates(1, gate(3, by="ada", since_step=1, closed=False))
    probe.sample(2, NORMS, [PRESENT] * 5)
    probe.sample(3, NORMS, [GATED, GATED, PRESENT, PRESENT, PRESENT])
    probe.gates(4, gate(3, by="ada", since_step=1))
    page = open_run(run, "?why=a.weight")
    closed = panel(page).locator(".closed-gates")
    expect(closed).to_contain_text(
        re.compile(r"Gate 3 is closed since step 3: block output:a when norm > 10.* by ada")
    )
    expect(panel(page).locator(".standing")).to_be_hidden()
    expect(page.page.locator("#commands [data-command]")).to_have_count(0)
    closed.get_by_role("button", name="Gate 3").click()
    expect(page.page.locator('#gates [data-gate="3"]')).to_be_focused()
