"""The editor of gates: where, when and how, checked by the job while it is written."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, ViewportSize, expect

from tests.page.conftest import OpenRun, Play
from tests.page.run_page import RunPage
from tests.support.probing import FakeProbe, gate

NAMES = ("a.weight", "a.bias", "b.weight")
SAMPLES = 40


@pytest.fixture
def probe(play: Play, run: str) -> FakeProbe:
    """A probe of two modules, with some samples and a metric."""
    probe = play(run, *NAMES)
    for step in range(1, SAMPLES + 1):
        probe.sample(2 * step - 1, [0.5 + step % 3, 0.25, 0.125], step=step)
        log(probe, 2 * step, step, {"loss": 2 / step})
    return probe


def log(probe: FakeProbe, seq: int, step: int, values: dict[str, float]) -> None:
    """Send metrics."""
    probe.send({"type": "metrics", "seq": seq, "step": step, "time": 1.0, "values": values})


def editor(page: RunPage) -> Locator:
    """The editor of a gate."""
    return page.page.get_by_role("dialog")


def until_tried(probe: FakeProbe, when: str) -> dict[str, Any]:
    """Wait until the job is asked about a condition; what was asked before is forgotten."""
    while (question := probe.until_question()).get("when") != when:
        pass
    return question


def write(page: RunPage, probe: FakeProbe, when: str, **answer: Any) -> dict[str, Any]:
    """Write a condition, and let the job answer; what it was asked is returned."""
    editor(page).get_by_label("Closed when").fill(when)
    question = until_tried(probe, when)
    probe.answer_trial(question, **answer)
    return question


def until_made(page: RunPage, probe: FakeProbe) -> dict[str, Any]:
    """The latest command, as the probe received it."""
    entry = page.page.locator("#commands [data-command]").first
    return probe.until_command(int(entry.get_attribute("data-command") or ""))


def test_a_gate_is_written_tried_and_asked_for(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """The dry run has its numbers and bands on the parameter's chart; Enter sends the gate."""
    page = open_run(run)
    page.row("a.weight").get_by_role("button", name="Gates: a.weight").click()
    dialog = editor(page)
    make = dialog.get_by_role("button", name="Make gate")
    expect(make).to_be_disabled()
    expect(dialog.get_by_label("Gradient of a.weight")).to_be_checked()
    question = write(page, probe, "norm > 2", closed=list(range(2, 41, 3)), samples=40)
    assert (question["site"], question["action"], question["hold"]) == (
        "param:a.weight",
        "block",
        0,
    )
    assert len(question["history"]["steps"]) == SAMPLES
    answer = dialog.locator(".answer")
    expect(answer).to_contain_text("Would have been closed in 13 of the last 40 samples (33 %).")
    chart = dialog.locator(".trial-chart")
    expect(chart.locator(".caption")).to_have_text("a.weight, gradient norm; dashed: 2.00")
    expect(chart.locator('.scatterlayer path.js-line[style*="stroke-dasharray"]')).to_have_count(1)
    expect(chart.locator(".scatterlayer .points path")).to_have_count(13)
    expect(chart.locator(".scatterlayer path.js-fill")).to_have_count(1)
    expect(chart.locator('.scatterlayer path.js-line[style*="stroke-width: 3px"]')).to_have_count(
        13
    )
    dialog.get_by_label("Closed when").press("Enter")
    expect(dialog).to_be_hidden()
    entry = page.page.locator("#commands [data-command]")
    expect(entry.locator(".what")).to_have_text("blockparam:a.weight when norm > 2")
    made = until_made(page, probe)
    assert (made["kind"], made["site"], made["when"]) == ("gate", "param:a.weight", "norm > 2")
    assert (made["gate"], made["paused"], made["by"]) == (None, False, "browser")
    expect(page.page.locator("#tree")).to_be_focused()


def test_an_error_is_pointed_at_and_cannot_be_sent(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """The marker stands under the character that the job names; another text takes it away."""
    page = open_run(run)
    page.module("a").get_by_role("button", name="Gates: a").click()
    dialog = editor(page)
    error = {"message": "an attribute is not allowed", "column": 7}
    write(page, probe, "norm > a.b", error=error, closed=None, samples=0)
    text = "an attribute is not allowed (at character 8)"
    expect(dialog.locator(".error")).to_have_text(text)
    field = dialog.get_by_label("Closed when")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(text)
    ahead = dialog.locator(".marker .ahead")
    expect(ahead).to_have_text("norm > ")
    start, end = field.bounding_box(), dialog.locator(".marker span").nth(1).bounding_box()
    assert start is not None
    assert end is not None
    width = page.page.evaluate(
        """() => { const context = document.createElement("canvas").getContext("2d");
            context.font = getComputedStyle(document.querySelector("#gate-when")).font;
            return context.measureText("norm > ").width; }"""
    )
    assert end["x"] - start["x"] == pytest.approx(width + 9, abs=2)
    make = dialog.get_by_role("button", name="Make gate")
    expect(make).to_be_disabled()
    field.press("Enter")
    expect(dialog).to_be_visible()
    expect(page.page.locator("#commands [data-command]")).to_have_count(0)

    field.fill("norm > 3")
    expect(dialog.locator(".marker")).to_be_hidden()
    probe.answer_trial(until_tried(probe, "norm > 3"), closed=None, samples=0, missing=["norm"])
    expect(dialog.locator(".answer")).to_contain_text("There is no history to play it over.")
    expect(dialog.locator(".answer")).to_contain_text("No history of norm.")
    expect(make).to_be_enabled()
    expect(field).not_to_have_attribute("aria-invalid", "true")


def test_an_older_answer_changes_nothing(probe: FakeProbe, open_run: OpenRun, run: str) -> None:
    """Only what the job says of the text in sight counts."""
    page = open_run(run)
    page.press("Home", "ArrowDown", "g")
    dialog = editor(page)
    field = dialog.get_by_label("Closed when")
    field.fill("norm > 1")
    first = until_tried(probe, "norm > 1")
    write(page, probe, "norm > 2", closed=[4], samples=40)
    expect(dialog.locator(".answer")).to_contain_text("in 1 of the last 40 samples")
    probe.answer_trial(first, closed=[1, 2, 3], samples=40)
    probe.sample(2 * SAMPLES + 1, [0.5, 0.25, 0.125], step=99)
    page.until_step(99)
    expect(dialog.locator(".answer")).to_contain_text("in 1 of the last 40 samples")


def test_names_are_completed_by_keyboard(probe: FakeProbe, open_run: OpenRun, run: str) -> None:
    """A metric, a name of the language, a function; Escape leaves the list before the editor."""
    page = open_run(run)
    expect(page.page.locator("#key")).to_contain_text("loss")
    page.press("Home", "ArrowDown", "g")
    dialog = editor(page)
    field = dialog.get_by_label("Closed when")
    expect(field).to_be_focused()
    options = dialog.get_by_role("listbox", name="Names").get_by_role("option")
    keyboard = page.page.keyboard
    keyboard.type("lo")
    expect(options).to_have_text([re.compile("loss.*metric"), re.compile("log.*function")])
    keyboard.press("Tab")
    expect(field).to_have_value("loss")
    expect(options).to_have_count(0)
    keyboard.type(" > no")
    keyboard.press("ArrowDown")
    keyboard.press("ArrowDown")
    expect(dialog.get_by_role("option", name="norm_avg")).to_have_attribute("aria-selected", "true")
    expect(field).to_have_attribute("aria-activedescendant", "gate-name-1")
    keyboard.press("Enter")
    expect(field).to_have_value("loss > norm_avg")
    expect(dialog).to_be_visible()
    keyboard.type(" + is")
    expect(options).to_have_count(2)
    keyboard.press("Escape")
    expect(options).to_have_count(0)
    expect(dialog).to_be_visible()
    keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.page.locator("#tree")).to_be_focused()


def test_what_is_missing_is_said_before_the_job_is_asked(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """A number belongs to its action, and a clip without one is neither tried nor sent."""
    page = open_run(run)
    page.module("a").get_by_role("button", name="Gates: a").click()
    dialog = editor(page)
    expect(dialog.locator(".answer")).to_contain_text("True closes it for good")
    write(page, probe, "True", closed=[], samples=40)
    expect(dialog.locator(".answer")).to_contain_text("open in all of the last 40 samples")
    dialog.get_by_role("radio", name="Clip to norm").check()
    expect(dialog.locator(".answer")).to_contain_text("Give the largest norm, above 0.")
    expect(dialog.get_by_role("button", name="Make gate")).to_be_disabled()
    dialog.get_by_label("Factor").fill("-1")
    expect(dialog.get_by_role("radio", name="Scale by")).to_be_checked()
    dialog.get_by_label("The input of a").check()
    dialog.get_by_label("Hold for steps").fill("5")
    while (question := until_tried(probe, "True"))["hold"] != 5:
        pass
    assert (question["action"], question["factor"], question["max_norm"]) == ("scale", -1, None)
    assert question["site"] == "input:a"
    probe.answer_trial(question, closed=[], samples=40)
    dialog.get_by_role("button", name="Make gate").click()
    entry = page.page.locator("#commands [data-command]")
    expect(entry).to_contain_text("scale")
    expect(entry).to_contain_text("input:a by −1 always, for at least 5 steps")
    made = until_made(page, probe)
    assert (made["action"], made["factor"], made["hold"]) == ("scale", -1, 5)


def test_a_silent_job_can_be_asked_all_the_same(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """The server's sentence takes the place of the dry run, and the command goes out."""
    page = open_run(run, refusals=[504])
    sentence = "The job did not answer within 5 seconds."
    page.page.route("**/trial", lambda route: route.fulfill(status=504, json={"detail": sentence}))
    page.press("Home", "ArrowDown", "g")
    dialog = editor(page)
    dialog.get_by_label("Closed when").fill("norm > 2")
    expect(dialog.locator(".answer")).to_have_text(sentence)
    dialog.get_by_role("button", name="Make gate").click()
    assert until_made(page, probe)["when"] == "norm > 2"


def test_a_refusal_of_the_server_stays_in_the_editor(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """What was written is not lost when it cannot be sent."""
    page = open_run(run, refusals=[422])
    sentence = "A gate cannot be held for so long."
    page.page.route(
        "**/commands", lambda route: route.fulfill(status=422, json={"detail": sentence})
    )
    page.press("Home", "ArrowDown", "g")
    dialog = editor(page)
    write(page, probe, "norm > 2", closed=[], samples=40)
    dialog.get_by_role("button", name="Make gate").click()
    expect(dialog.locator(".error")).to_have_text(sentence)
    expect(dialog.get_by_label("Closed when")).to_have_value("norm > 2")


def test_a_labelled_site_can_be_named(probe: FakeProbe, open_run: OpenRun, run: str) -> None:
    """Labels that gates name are offered, any other can be written."""
    probe.gates(2 * SAMPLES + 1, gate(1, site="site:latent", closed=False, parameters=[]))
    page = open_run(run)
    expect(page.page.get_by_role("tab", name="Gates (1)")).to_be_visible()
    page.press("Home", "g")
    dialog = editor(page)
    offered = dialog.locator("datalist option").evaluate_all("all => all.map(each => each.value)")
    assert offered == ["latent"]
    dialog.get_by_role("radio", name="Site").check()
    expect(dialog.locator(".answer")).to_contain_text("Give the label")
    dialog.get_by_label("Label of the site").fill("fusion")
    assert write(page, probe, "True", closed=[], samples=1)["site"] == "site:fusion"


def test_a_run_that_ends_locks_the_editor_and_keeps_the_text(
    probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """What is written stays in sight; it cannot be sent, and no other editor opens."""
    page = open_run(run)
    page.press("Home", "ArrowDown", "g")
    dialog = editor(page)
    write(page, probe, "norm > 2", closed=[], samples=40)
    make = dialog.get_by_role("button", name="Make gate")
    expect(make).to_be_enabled()
    probe.bye(SAMPLES)
    expect(make).to_be_disabled()
    expect(make).to_have_attribute("title", "The run has finished")
    expect(dialog.get_by_label("Closed when")).to_have_value("norm > 2")
    dialog.get_by_role("button", name="Cancel").click()
    page.press("g")
    expect(dialog).to_be_hidden()
    expect(page.page.locator("#failure")).to_have_text("The run has finished.")


@pytest.mark.exhaustive(1)
@pytest.mark.parametrize("size", [(1280, 800), (400, 700), (800, 420)])
def test_the_editor_fits_into_the_window(
    size: tuple[int, int], probe: FakeProbe, open_run: OpenRun, run: str
) -> None:
    """However much the job says, nothing is cut at the side and the buttons can be reached."""
    page = open_run(run, viewport=ViewportSize(width=size[0], height=size[1]))
    page.press("Home", "ArrowDown", "ArrowDown", "g")
    dialog = editor(page)
    condition = " and ".join(f"a_very_long_name_{i} > norm_avg" for i in range(12))
    notes = [f"{'a_name_without_any_blank_' * 6}{i}: not logged yet." for i in range(4)]
    write(page, probe, condition, closed=[3, 4, 9], samples=40, notes=notes, missing=["x" * 90])
    expect(dialog.locator(".answer")).to_contain_text("in 3 of the last 40 samples")
    expect(dialog.locator(".trial-chart .main-svg").first).to_be_visible()
    box = dialog.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert box["x"] + box["width"] <= size[0]
    assert box["y"] + box["height"] <= size[1]
    assert dialog.evaluate("dialog => dialog.scrollWidth - dialog.clientWidth") == 0
    dialog.get_by_role("button", name="Make gate").click()
    expect(dialog).to_be_hidden()
