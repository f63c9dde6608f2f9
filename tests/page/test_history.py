"""What happened between two drawings, before the page was opened, or on another clock."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from tests.page.conftest import OpenRun, Play
from tests.page.run_page import RunPage
from tests.support.probing import ABSENT, FROZEN, NONFINITE, PRESENT
from tests.support.waiting import wait_for

NAN = float("nan")
SPIKE = 900.0
TWO_HOURS = 7200


def line(page: Page, name: str) -> dict[str, list[Any]]:
    """The steps and values of a line as Plotly draws it; empty before it does."""
    found: dict[str, list[Any]] = page.locator("#lines .plot").evaluate(
        """(plot, name) => {
            const trace = (plot.data ?? []).find(each => each.name === name);
            return {steps: [...(trace?.x ?? [])], values: [...(trace?.y ?? [])]};
        }""",
        name,
    )
    return found


def ink(page: RunPage, path: str) -> dict[str, Any]:
    """The colours at the foot of a row's sparkline, and the line's share of its height."""
    drawn: dict[str, Any] = (
        page.row(path)
        .locator(".sparkline")
        .evaluate(
            """sparkline => {
                const ticks = [...sparkline.querySelectorAll(".tick")];
                const drawn = ticks.filter(tick => tick.getAttribute("d") !== "");
                const foot = drawn.map(tick => getComputedStyle(tick).stroke);
                const {height} = sparkline.querySelector(".line").getBBox();
                return {foot: [...new Set(foot)], height: height / sparkline.clientHeight};
            }"""
        )
    )
    return drawn


def test_every_logged_point_is_drawn(play: Play, open_run: OpenRun, run: str) -> None:
    """A metric's one-step spike in a burst is in the line, also under JavaScript's own names."""
    probe = play(run, "a.weight")
    probe.sample(1, [0.5])
    page = open_run(run, "?metric=loss&metric=constructor&metric=__proto__").page
    expect(page.locator("#connection")).to_have_text("connected")
    for step in range(1, 201):
        value = SPIKE if step == 77 else 1.0
        values = {"loss": value, "constructor": value, "__proto__": value}
        probe.send(
            {"type": "metrics", "seq": step + 1, "step": step, "time": 1.0, "values": values}
        )
    for name in values:
        wait_for(lambda name=name: line(page, name)["steps"][-1:] == [200], 15, f"{name} is drawn")
        drawn = line(page, name)
        assert drawn["steps"] == list(range(1, 201))
        assert drawn["values"][76] == SPIKE
    expect(page.locator("#resolution")).to_have_text("every point drawn")


def test_more_points_than_pixels_are_a_band(play: Play, open_run: OpenRun, run: str) -> None:
    """A bucketed metric says so, its band holds the spike, and zoomed in the spike is a point.

    The wheel leads back out, and Back undoes each movement by itself.
    """
    probe = play(run, "a.weight")
    for step in range(1, 3001):
        values = {"loss": SPIKE if step == 777 else 1.0}
        probe.send({"type": "metrics", "seq": step, "step": step, "time": 1.0, "values": values})
    probe.until_acked(3000)
    page = open_run(run).page
    expect(page.locator("#resolution")).to_contain_text("last value, band lowest to highest")
    highest = page.locator("#lines .plot").evaluate(
        "plot => Math.max(...plot.data.find(each => each.fill === 'toself').y)"
    )
    assert highest == SPIKE
    page.mouse.move(*place(page, 777))
    expect(page.locator("#lines .tip")).to_contain_text(f"highest {SPIKE:.0f} at step 777")
    drag(page, 700, 850)
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+"))
    expect(page.locator("#resolution")).to_have_text("every point drawn")
    drawn = line(page, "loss")
    assert drawn["values"][drawn["steps"].index(777)] == SPIKE
    assert drawn["steps"][0] in range(695, 706)
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()
    assert f"loss,777,777,{SPIKE:.0f},{SPIKE:.0f},{SPIKE:.0f},," in saved.value.path().read_text()
    with page.expect_download() as saved:
        page.get_by_role("button", name="PNG").click()
    assert saved.value.path().read_bytes().startswith(b"\x89PNG")
    expect(page.locator("#heatmap-whole")).to_be_enabled()
    chosen = page.url
    page.mouse.move(*place(page, 777))
    page.mouse.wheel(0, 200)
    page.mouse.wheel(0, 200)
    expect(page).not_to_have_url(chosen)
    expect(page.locator("#resolution")).to_have_text("every point drawn")
    wheeled = line(page, "loss")["steps"]
    assert wheeled[0] < drawn["steps"][0] < 777 < drawn["steps"][-1] < wheeled[-1]
    page.locator("#lines .plot").press("Home")
    expect(page).not_to_have_url(re.compile("from="))
    page.go_back()
    page.go_back()
    expect(page).to_have_url(chosen)
    page.go_back()
    expect(page.locator("#resolution")).to_contain_text("last value, band lowest to highest")
    page.mouse.move(*place(page, 1))
    expect(page.locator("#lines .tip")).to_contain_text("1.00 at steps 1 to")
    page.goto(f"{page.url.partition('?')[0]}?from=9000&to=9100")
    expect(page.locator("#lines .hint")).to_contain_text("Nothing was sampled at steps 9,000 to")
    page.locator("#lines-whole").click()
    expect(page.locator("#resolution")).to_contain_text("last value, band lowest to highest")


def place(page: Page, step: int) -> tuple[float, float]:
    """Where a step is on the lines, in the window."""
    x, y = page.locator("#lines .plot").evaluate(
        """(plot, step) => {
            const box = plot.getBoundingClientRect();
            const {xaxis, yaxis} = plot._fullLayout;
            const y = box.y + yaxis._offset + yaxis._length / 2;
            return [box.x + xaxis._offset + xaxis.d2p(step), y];
        }""",
        step,
    )
    return x, y


def drag(page: Page, first: int, last: int) -> None:
    """Choose the steps between two on the lines with the mouse."""
    start, end = place(page, first), place(page, last)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, start[1], steps=3)
    page.mouse.move(*end, steps=3)
    page.mouse.up()


def test_states_before_the_page_was_opened_have_their_ticks(
    play: Play, open_run: OpenRun, run: str
) -> None:
    """Also in a finished run, a sparkline tells when there was no norm, and why; so does a line."""
    probe = play(run, "a.weight", "a.bias", "a.gain")
    for step in range(1, 21):
        state = {5: NONFINITE, 9: ABSENT, 14: FROZEN}.get(step, PRESENT)
        probe.sample(step, [0.5 if state == PRESENT else NAN, 0.5, NAN], [state, PRESENT, ABSENT])
    probe.until_acked(20)
    probe.bye(20)
    page = open_run(run)
    expect(page.page.locator("#run-banner")).to_contain_text("has finished")
    wait_for(lambda: len(ink(page, "a.weight")["foot"]) == 3, 10, "three states have ticks")
    assert ink(page, "a.bias")["foot"] == []
    page.row("a.gain").locator(".label").click()
    hint, plot = page.page.locator("#lines .hint"), page.page.locator("#lines .plot")
    expect(hint).to_have_text("No gradient arrived at a.gain so far.")
    plot.press("+")
    expect(hint).to_have_text("No gradient arrived at a.gain in these steps.")
    plot.press("ArrowRight")
    expect(plot).to_be_focused()
    page.page.keyboard.press("Home")
    expect(hint).to_have_text("No gradient arrived at a.gain so far.")
    page.row("a.bias").locator(".label").click(modifiers=["ControlOrMeta"])
    expect(page.page.locator("#resolution")).to_contain_text("No gradient arrived at a.gain so far")
    assert line(page.page, "a.bias")["values"] == [0.5] * 20


def test_a_spike_between_two_frames_is_in_the_sparkline(
    play: Play, open_run: OpenRun, run: str
) -> None:
    """A burst becomes few frames; the range of the samples between them is drawn."""
    probe = play(run, "a.weight")
    probe.sample(1, [0.5])
    page = open_run(run)
    expect(page.page.locator("#connection")).to_have_text("connected")
    wait_for(lambda: page.row("a.weight").locator(".line[d^=M]").count() == 1, 10, "a first point")
    for step in range(2, 102):
        probe.sample(step, [5e6 if step == 51 else 0.5])
    page.until_step(101)
    wait_for(lambda: ink(page, "a.weight")["height"] > 0.7, 10, "the spike reaches up")


@pytest.mark.exhaustive(1)
@pytest.mark.parametrize("shift", [-TWO_HOURS, TWO_HOURS])
def test_the_jobs_clock_does_not_matter(
    shift: int, play: Play, open_run: OpenRun, run: str
) -> None:
    """Ages are by the server's clock, while the run is live and after it has finished."""
    probe = play(run, "a.weight")
    probe.sample(1, [0.5], at=time.time() + shift)
    page = open_run(run).page
    age = page.locator('[data-fact="age"]')
    expect(age).to_contain_text(" s ago")
    probe.bye(1)
    expect(page.locator("#run-banner")).to_contain_text(" s ago")
    page.reload()
    expect(age).to_contain_text(" s ago")


def test_only_what_is_new_is_fetched(play: Play, open_run: OpenRun, run: str) -> None:
    """While samples come, a series is asked for from its last step on, and the line grows."""
    probe = play(run, "a.weight")
    probe.sample(1, [0.5])
    probe.until_acked(1)
    queries: list[str] = []
    page = open_run(run, "?selected=a.weight").page
    wait_for(lambda: line(page, "a.weight")["steps"] == [1], 10, "the first sample is drawn")

    def heard(request: Request) -> None:
        if "/series" in request.url:
            queries.append(request.url)

    page.on("request", heard)
    for step in (2, 3, 4):
        probe.sample(step, [0.5])
        steps = list(range(1, step + 1))
        wait_for(lambda steps=steps: line(page, "a.weight")["steps"] == steps, 10, "it grows")
    assert queries
    assert all("from=" in query for query in queries)


def test_a_hidden_page_draws_nothing(play: Play, open_run: OpenRun, run: str) -> None:
    """While nobody looks it asks for nothing; once seen again it draws what came, and asks once."""
    probe = play(run, "a.weight")
    probe.sample(1, [0.5])
    page = open_run(run)
    page.until_step(1)
    page.page.locator("#flow .scatterlayer").first.wait_for(state="attached")
    page.page.locator("#heatmap canvas:not([aria-busy])").wait_for()
    page.page.wait_for_load_state("networkidle")
    page.page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => window.away, configurable: true});"
        "window.away = true; document.dispatchEvent(new Event('visibilitychange'));"
        "window.changed = 0;"
        "new MutationObserver(() => window.changed += 1)"
        ".observe(document.body, {subtree: true, childList: true, attributes: true, "
        "characterData: true});"
    )
    asked: list[str] = []
    page.page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    probe.sample(2, [0.125])
    for seq in (3, 5):
        probe.explanations(seq, 2)
        probe.send({"type": "frozen", "seq": seq + 1, "frozen": []})
    probe.until_acked(6)
    assert page.page.evaluate("window.changed") == 0
    assert asked == []
    with (
        page.page.expect_response(lambda response: "/explanations" in response.url),
        page.page.expect_response(lambda response: "/parameters" in response.url),
    ):
        page.page.evaluate(
            "window.away = false; document.dispatchEvent(new Event('visibilitychange'))"
        )
    page.until_step(2)
    expect(page.row("a.weight").locator(".norm")).to_have_text("0.125")
    assert asked.count("explanations") == 1
    assert asked.count("parameters") == 1
