"""A report opened from a file, in a browser without network."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page

from gradgate.server.web.reports import report_look
from tests.support.probing import (
    ABSENT,
    FROZEN,
    NONFINITE,
    PRESENT,
    FakeProbe,
    alert,
    explanation,
    gate,
    hello,
    pack_sample,
)
from tests.support.serving import ServerProcess

NAMES = ["encoder.<b>w</b>", "encoder.bias", "head.weight"]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run in which much went wrong."""
    folder = tmp_path_factory.mktemp("report")
    run = "a" * 16
    with (
        ServerProcess(folder / "data") as server,
        FakeProbe(server, hello(run, NAMES, name="<i>digits</i>")) as probe,
    ):
        asked = {"kind": "freeze", "target": "encoder.bias", "by": "browser"}
        server.post(f"/api/runs/{run}/commands", asked)
        probe.until_command(1)
        probe.report(1, 1, "verified", step=300, parameters=[1])
        for step in range(1000):
            states = [PRESENT, FROZEN if step >= 300 else PRESENT, PRESENT]
            norms = [0.5, math.nan if step >= 300 else 0.1, 0.01]
            if 600 <= step < 650:
                states[2], norms[2] = NONFINITE, math.nan
            if step == 999:
                states[0], norms[0] = ABSENT, math.nan
            probe.send(pack_sample(2 + step, step, states, {1: norms}))
        for seq, step in enumerate(range(0, 1000, 10), 1002):
            values = {"loss": 100.0 if step == 500 else 1 / (1 + step)}
            probe.send({"type": "metrics", "seq": seq, "step": step, "time": 1.0, "values": values})
        probe.gates(1102, gate(parameters=[]))
        probe.explanations(1103, 998, explanation(0, NAMES[0]))
        probe.alerts(1104, alert(0, NAMES[0]))
        probe.until_acked(1104)
        answer = server.page(f"/api/runs/{run}/export", params={"format": "html"})
        assert answer.status_code == 200, answer.text
    path = folder / "report.html"
    path.write_bytes(answer.content)
    return path


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Page]:
    """The report, opened without network; whatever is asked for or complained of fails the test."""
    context = browser.new_context(offline=True, color_scheme="dark")
    page = context.new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: heard.append(request.url))
    page.goto(report.as_uri())
    yield page
    context.close()
    assert heard == [report.as_uri()]


def test_a_report_says_all_without_a_server(page: Page) -> None:
    """States, causes, commands, gates, metrics and parameters; names are text, never markup."""
    assert page.locator("h1").inner_text() == "<i>digits</i>"
    counts = page.locator(".counts li").all_inner_texts()
    assert [" ".join(each.split()) for each in counts] == ["1 absent", "1 frozen", "1 present"]
    assert "detached" in page.locator("section", has=page.locator("#now")).inner_text()
    assert "h = h.detach()" in page.locator("pre .meant").inner_text()
    command = page.locator("section", has=page.locator("#commands")).locator("tbody tr")
    assert "freeze encoder.bias" in command.inner_text()
    assert "verified at step 300" in command.inner_text()
    events = page.locator("section", has=page.locator("#events")).inner_text()
    assert "600\tnonfinite\t" in events
    assert "norm > 10" in page.locator("section", has=page.locator("#gates")).inner_text()
    rows = page.locator("section", has=page.locator("#parameters")).locator("tbody tr")
    assert [each.split("\t")[0] for each in rows.all_inner_texts()] == NAMES


def test_the_heatmap_shows_values_and_states(page: Page) -> None:
    """Each state has the steps in which it held, a pattern of its own and its word."""
    titles = page.locator(".stretch title").all_text_contents()
    assert any(
        re.fullmatch(r"head.weight: nonfinite at steps 600 to 6\d\d", each) for each in titles
    )
    assert any(each.startswith("encoder.bias: frozen at steps 300 to") for each in titles)
    assert page.locator(".cells path").count() >= 3
    assert page.locator(".label").all_text_contents() == NAMES
    assert page.locator(".latest").all_text_contents() == ["absent", "frozen", "0.0100"]
    mark = page.locator(".heatmap .effect title").text_content()
    assert mark == "freeze encoder.bias at step 300"
    box = page.locator(".heatmap").bounding_box()
    assert box is not None
    assert box["height"] > 60


def test_a_spike_of_a_metric_is_in_its_band(page: Page) -> None:
    """Its chart reaches up to the largest value, though the last one is small."""
    figure = page.locator("figure")
    assert figure.locator("figcaption").inner_text().split() == ["loss", "0.00101"]
    band = figure.locator(".band").get_attribute("d") or ""
    heights = [float(point.split()[1]) for point in re.split("[MLz]", band) if point]
    assert min(heights) < 20
    assert max(heights) > 120


def test_the_theme_is_that_of_the_reader_until_one_is_chosen(page: Page) -> None:
    """And on paper it is light."""
    background = "getComputedStyle(document.body).getPropertyValue('--panel').trim()"
    assert page.evaluate(background) == "#15191c"
    page.locator("[data-choose-theme=light]").click()
    assert page.evaluate(background) == "#ffffff"
    page.locator("[data-choose-theme=dark]").click()
    page.emulate_media(media="print")
    assert page.evaluate(background) == "#ffffff"


def test_nothing_of_a_report_is_fetched() -> None:
    """Its style and its script ask for nothing, and no tag ends the script early."""
    look = report_look()
    assert "url(" not in look.style
    assert "@import" not in look.style
    assert "</" not in look.script


def test_a_report_has_no_tables(shared_server: ServerProcess, run: str) -> None:
    """It is one page, so that a table is refused; and a run without samples has one, too."""
    with FakeProbe(shared_server, hello(run)):
        path = f"{shared_server.url}/api/runs/{run}/export?format=html"
        refused = httpx.get(f"{path}&table=samples")
        early = httpx.get(path)
    assert (refused.status_code, "leave `table` out" in refused.text) == (422, True)
    assert early.status_code == 200
    assert "unmeasured" in early.text
    assert '<h2 id="norms">' not in early.text
