"""What comes late moves nothing that one is about to click."""

from __future__ import annotations

from playwright.sync_api import FloatRect, Locator, expect

from tests.page.conftest import OpenRun, Play
from tests.page.previews import answer, until_asked
from tests.support.probing import ABSENT, PRESENT, alert, explanation
from tests.support.waiting import wait_for

NAMES = ("a.weight", "a.bias", "b.weight")
LONG = "A sentence of some length about what is going to happen to all of these. " * 4


def boxes(*places: Locator) -> list[FloatRect | None]:
    """The bounding boxes of what is on the page; what is drawn anew meanwhile is asked again."""
    return [wait_for(place.bounding_box) for place in places]


def test_late_chips_and_alerts_move_no_row(play: Play, open_run: OpenRun, run: str) -> None:
    """Causes, notes, alerts of the run and its end come behind and beside what is there."""
    probe = play(run, *NAMES)
    probe.sample(1, [float("nan"), float("nan"), 0.5], [ABSENT, ABSENT, PRESENT])
    page = open_run(run)
    chip = page.page.get_by_role("button", name="2 absent")
    row = page.row("b.weight").get_by_role("checkbox")
    tab = page.page.get_by_role("tab", name="Gates")
    field = page.page.locator("#filter")
    expect(chip).to_be_visible()
    before = boxes(chip, row, tab, field)
    probe.explanations(2, 1, explanation(0), explanation(1, "a.bias"))
    probe.alerts(3, alert(0), alert(None, name=None, cause="not_moving", detail=LONG))
    expect(page.page.locator("#trouble .cause")).to_be_visible()
    expect(page.page.locator("#trouble .alert")).to_be_visible()
    expect(page.page.locator("#run-alerts")).to_be_visible()
    assert boxes(chip, row, tab, field) == before
    foot = page.page.get_by_role("button", name="Keys and help")
    at_the_end = boxes(foot)
    probe.bye(1)
    expect(page.page.locator("#run-banner")).to_be_visible()
    assert boxes(chip, row, tab, field) == before
    assert boxes(foot) == at_the_end
    page.page.set_viewport_size({"width": 320, "height": 640})
    narrow = boxes(chip, row, tab, field)
    page.page.locator("#run-banner").evaluate("each => { each.hidden = true; }")
    assert boxes(chip, row, tab, field) == narrow


def test_what_is_pressed_stays_until_it_is_let_go(play: Play, open_run: OpenRun, run: str) -> None:
    """A chip whose number changes meanwhile is clicked all the same, and changes after that.

    A press that opens a menu of the browser's, which keeps the release to itself, holds nothing.
    """
    probe = play(run, *NAMES)
    probe.sample(1, [float("nan"), 0.5, 0.5], [ABSENT, PRESENT, PRESENT])
    page, other = open_run(run).page, open_run(run).page
    page.get_by_role("button", name="1 absent").hover()
    page.mouse.down()
    probe.sample(2, [float("nan"), float("nan"), 0.5], [ABSENT, ABSENT, PRESENT])
    expect(other.get_by_role("button", name="2 absent")).to_be_visible()
    page.mouse.up()
    expect(page.locator("#filter")).to_have_value("state:absent")
    expect(page.get_by_role("button", name="2 absent")).to_be_visible()
    page.get_by_role("button", name="2 absent").dispatch_event("pointerdown", {"button": 2})
    probe.sample(3, [float("nan")] * 3, [ABSENT] * 3)
    expect(page.get_by_role("button", name="3 absent")).to_be_visible()


def test_the_jobs_answer_moves_no_button_of_the_question(
    play: Play, open_run: OpenRun, run: str
) -> None:
    """Warnings and a switch that come with the answer have their room before it."""
    probe = play(run, *NAMES)
    probe.sample(1, [0.5, 0.25, 0.125])
    page = open_run(run)
    page.module("a").get_by_role("checkbox").click()
    dialog = page.page.get_by_role("dialog")
    buttons = [dialog.get_by_role("button", name=name) for name in ("Freeze", "Cancel")]
    before = boxes(*buttons, dialog)
    question = until_asked(probe)
    answer(probe, question, warnings=[LONG, LONG], running_stats=["a.norm"])
    expect(dialog.locator(".warnings li")).to_have_count(2)
    expect(dialog.get_by_label("Hold running statistics")).to_be_visible()
    assert boxes(*buttons, dialog) == before


def test_the_jobs_answer_moves_no_button_of_the_gate_editor(
    play: Play, open_run: OpenRun, run: str
) -> None:
    """Neither does an error and its mark, nor what the gate would have done, nor the chart."""
    probe = play(run, *NAMES)
    for step in range(1, 9):
        probe.sample(step, [0.5 + step, 0.25, 0.125])
    page = open_run(run)
    page.press("Home", "ArrowDown", "ArrowDown", "g")
    dialog = page.page.get_by_role("dialog")
    buttons = [dialog.get_by_role("button", name=name) for name in ("Make gate", "Cancel")]
    field = dialog.get_by_label("Closed when")
    before = boxes(*buttons, field, dialog)
    for when, said in (
        ("nrom > 2", {"error": {"message": "no value is called nrom", "column": 0}}),
        ("norm > 2", {"closed": [3, 4, 5], "samples": 8, "notes": [LONG]}),
    ):
        field.fill(when)
        while (asked := probe.until_question()).get("when") != when:
            pass
        probe.answer_trial(asked, **said)
        expect(dialog.locator(".late")).to_contain_text("nrom" if "error" in said else "in 3 of")
        assert boxes(*buttons, field, dialog) == before
    expect(dialog.locator(".trial-chart .main-svg").first).to_be_attached()
    assert boxes(*buttons, field, dialog) == before
