"""What the server sends to a page that nobody looks at, or of which only a part is seen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Page, WebSocket, expect

from tests.page.conftest import OpenPage, Play
from tests.page.run_page import RunPage
from tests.support.probing import FakeProbe
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for


class Socket:
    """What goes over the live sockets of a page, by its type."""

    def __init__(self, page: Page) -> None:
        self.told: list[str] = []
        self.said: list[dict[str, Any]] = []
        page.on("websocket", self._opened)

    def _opened(self, socket: WebSocket) -> None:
        socket.on("framereceived", lambda data: self.told.append(_type_of(data)))
        socket.on("framesent", lambda data: self.said.append(json.loads(data)))


def _type_of(data: str | bytes) -> str:
    return "samples" if isinstance(data, bytes) else json.loads(data)["type"]


def _until_said(
    page: Page, socket: Socket, topics: Sequence[str], *, without: Sequence[str]
) -> None:
    """Wait until the page wants some topics, and others not."""

    def said() -> bool:
        page.wait_for_timeout(20)
        wanted = socket.said[-1]["topics"] if socket.said else None
        return wanted is not None and {*topics} <= {*wanted} and not {*without} & {*wanted}

    wait_for(said, 20, f"the page wants {topics} without {without}")


def _show(page: Page, shown: bool) -> None:
    """Have another tab in front of the page, or not; in headless Chromium none covers another."""
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        not shown,
    )


def _samples(probe: FakeProbe, first: int, last: int) -> None:
    for seq in range(first, last + 1):
        probe.sample(seq, [float(seq)] * 2, update_ratio=[seq / 100] * 2, weight_norm=[1.0, 2.0])
    probe.until_acked(last)


def test_a_hidden_page_is_told_nothing_and_is_right_when_it_is_shown(
    play: Play, open_page: OpenPage, page_server: ServerProcess, run: str
) -> None:
    """Only the run's row comes meanwhile; what was missed is there at once, without a reload."""
    probe = play(run, "a.weight", "a.bias")
    _samples(probe, 1, 2)
    opened = open_page()
    socket = Socket(opened)
    page = RunPage(opened, f"{page_server.url}/runs/{run}")
    page.until_step(2)
    _until_said(opened, socket, ["samples", "metrics", "parameters"], without=[])

    _show(opened, False)
    _until_said(opened, socket, [], without=["samples", "metrics", "parameters"])
    expect(page.row("a.weight").locator(".norm")).to_have_text("2.00")
    del socket.told[:]
    _samples(probe, 3, 70)
    told = {"parameters", "samples", "metrics"}
    wait_for(
        lambda: opened.wait_for_timeout(20) is None and socket.told.count("run") >= 2,
        20,
        "the row of the run comes",
    )
    assert not told & {*socket.told}

    _show(opened, True)
    expect(page.row("a.weight").locator(".norm")).to_have_text("70.0")
    expect(page.row("a.weight").locator(".ratio")).to_have_text("0.700")
    page.until_step(70)


def test_what_is_scrolled_away_is_not_sent(
    play: Play, open_page: OpenPage, page_server: ServerProcess, run: str
) -> None:
    """The lines at the top of a narrow page get no metrics at its foot, and have them all later."""
    probe = play(run, "a.weight", "a.bias")
    _samples(probe, 1, 2)
    opened = open_page(viewport={"width": 400, "height": 300})
    socket = Socket(opened)
    page = RunPage(opened, f"{page_server.url}/runs/{run}")
    page.until_step(2)
    opened.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    _until_said(opened, socket, ["samples", "commands"], without=["metrics"])
    logged = {"step": 3, "time": 1.0, "values": {"accuracy": 0.5}}
    probe.send({"type": "metrics", "seq": 3, **logged})
    probe.sample(4, [4.0, 4.0])
    page.until_step(4)
    assert "metrics" not in socket.told
    opened.locator("#tree").scroll_into_view_if_needed()
    _until_said(opened, socket, ["samples", "metrics"], without=[])
    expect(opened.locator("#key")).to_contain_text("accuracy")
