"""A real Chromium, and pages that fail their test when the console has an error."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Literal

import pytest
from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    ViewportSize,
    expect,
)

from tests.page.run_page import RunPage
from tests.support.browsing import Chromium
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess

OpenPage = Callable[..., Page]
OpenRun = Callable[..., RunPage]
Play = Callable[..., FakeProbe]
ColorScheme = Literal["light", "dark"]

VIEWPORT = ViewportSize(width=1280, height=800)


@pytest.fixture(scope="session")
def profile(
    chromium: Chromium, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """A browser that keeps what it has compiled, which is most of the work of opening a page."""
    # A page that is opened beside two others waits longer for a core than the five seconds of old.
    expect.set_options(timeout=15_000)
    context = chromium.launch_with_profile(tmp_path_factory.mktemp("profile"))
    yield context
    context.close()


@pytest.fixture
def open_page(profile: BrowserContext) -> Iterator[OpenPage]:
    """Opens pages; a console error or a breach of the content security policy fails the test.

    `offline=True` is for a test that takes the server away, and `refusals` for one that has it
    answer with these statuses: the browser's own notes of them are then no errors.
    """
    complaints: list[str] = []
    opened: list[Page] = []

    def open_page(
        *,
        offline: bool = False,
        refusals: Sequence[int] = (),
        viewport: ViewportSize = VIEWPORT,
        color_scheme: ColorScheme = "light",
        permissions: Sequence[str] = (),
    ) -> Page:
        expected = ["net::ERR_"] * offline + [f"status of {code} " for code in refusals]
        profile.grant_permissions(permissions)
        page = profile.new_page()
        opened.append(page)
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=color_scheme)

        def heard(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning") and not any(
                each in message.text for each in expected
            ):
                complaints.append(f"{message.type}: {message.text}")

        def failed(error: Error) -> None:
            complaints.append(f"exception: {error}")

        page.on("console", heard)
        page.on("pageerror", failed)
        return page

    yield open_page
    for page in opened:
        forget(page)
        page.close()
    profile.clear_permissions()
    assert complaints == []


def forget(page: Page) -> None:
    """Let the browser know nothing of what a page has kept."""
    if page.url.startswith("http"):
        page.evaluate("localStorage.clear(); sessionStorage.clear()")
    page.context.clear_cookies()


@pytest.fixture(scope="session")
def page_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for every test that leaves it running; a silent probe is not called lost."""
    data = tmp_path_factory.mktemp("page") / "data"
    with ServerProcess(data, "--lost-after", "600") as process:
        yield process


@pytest.fixture
def open_run(open_page: OpenPage, page_server: ServerProcess) -> OpenRun:
    """Opens the page of a run on the shared server."""

    def open_run(run: str, query: str = "", **options: object) -> RunPage:
        return RunPage(open_page(**options), f"{page_server.url}/runs/{run}{query}")

    return open_run


@pytest.fixture
def play(page_server: ServerProcess) -> Iterator[Play]:
    """Connects probes that a test plays itself."""
    with ExitStack() as probes:

        def play(run: str, *names: str, **changes: object) -> FakeProbe:
            return probes.enter_context(FakeProbe(page_server, hello(run, names, **changes)))

        yield play


@pytest.fixture
def run() -> str:
    """The identifier of a new run."""
    return secrets.token_hex(8)
