"""What the page lets do whoever looks at it, and how somebody gets in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import OpenPage
from tests.page.run_page import RunPage
from tests.support.probing import NONFINITE, PRESENT, FakeProbe, gate, hello
from tests.support.serving import ServerProcess

SECRETS = {kind: f"{kind}-0123456789abcdef" for kind in ("view", "control", "probe")}
NAMES = {"view": "wall", "control": "alice", "probe": "cluster"}
LOOKS_ONLY = "This token may look, not change"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with a token of each kind; a silent probe is not called lost."""
    folder: Path = tmp_path_factory.mktemp("access")
    file = folder / "tokens"
    file.write_text("".join(f"{NAMES[kind]} {kind} {SECRETS[kind]}\n" for kind in SECRETS))
    file.chmod(0o600)
    options = ("--token-file", str(file), "--lost-after", "600")
    with ServerProcess(folder / "data", *options) as server:
        yield server


@pytest.fixture
def probe(guarded: ServerProcess, run: str) -> Iterator[FakeProbe]:
    """A job with a freeze, a gate and an alert."""
    bearer = {"Authorization": f"Bearer {SECRETS['probe']}"}
    with FakeProbe(guarded, hello(run), additional_headers=bearer) as probe:
        probe.sample(1, [0.5, float("nan")], [PRESENT, NONFINITE])
        probe.gates(2, gate(1))
        probe.until_acked(2)
        yield probe


def expect_barred(page: Page, *selectors: str) -> None:
    """Each of these is there, cannot be used, and says why."""
    for selector in selectors:
        control = page.locator(selector).first
        expect(control).to_be_disabled()
        expect(control).to_have_attribute("title", LOOKS_ONLY)


def test_a_view_token_sees_all_and_can_use_nothing_that_changes(
    guarded: ServerProcess, probe: FakeProbe, run: str, open_page: OpenPage
) -> None:
    """Every control that changes something says why it cannot be used, and so do its keys."""
    page = open_page()
    look = RunPage(page, f"{guarded.url}/runs/{run}?token={SECRETS['view']}")
    expect(page.locator(".foot .reader")).to_have_text(f"{LOOKS_ONLY}.")
    toggle = look.row("a.weight").locator(".toggle")
    expect(toggle).to_have_attribute("aria-disabled", "true")
    expect(look.row("a.weight").locator(".gater")).to_have_attribute("aria-disabled", "true")
    toggle.click(force=True)
    expect(page.locator("#failure")).to_have_text(f"{LOOKS_ONLY}.")
    look.press("Home", "Enter", "g")
    expect(page.locator("#confirm")).to_be_hidden()
    expect(page.locator("#gate-editor")).to_be_hidden()
    page.get_by_role("tab", name="Gates").click()
    expect_barred(page, *(f'#gates [data-act="{act}"]' for act in ("edit", "pause", "remove")))
    page.get_by_role("tab", name="Events").click()
    expect_barred(page, '#events [data-does="dismiss"]')
    look.press("End", "w")
    expect_barred(page, "#why .again")
    page.goto(guarded.url)
    page.locator(f'tr[data-run="{run}"] input').check()
    expect_barred(page, *(f"#chosen-runs .{act}" for act in ("edit", "archive", "delete")))
    expect(page.locator("#chosen-runs .compare-chosen")).not_to_have_attribute(
        "aria-disabled", "true"
    )


def test_a_control_token_can_use_them(
    guarded: ServerProcess, probe: FakeProbe, run: str, open_page: OpenPage
) -> None:
    """Somebody signs in, is led to the run, and out again; nothing is barred meanwhile."""
    page = open_page(refusals=[401])
    page.goto(f"{guarded.url}/runs/{run}")
    field = page.get_by_label("Token")
    expect(field).to_be_focused()
    page.keyboard.type("no-such-token")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("no token of this server")
    expect(field).to_be_focused()
    page.keyboard.type(SECRETS["control"])
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{guarded.url}/runs/{run}")
    look = RunPage(page, page.url)
    expect(page.locator(".foot .reader")).to_have_count(0)
    look.row("a.weight").locator(".toggle").click()
    expect(page.locator("#confirm")).to_be_visible()
    page.goto(guarded.url)
    page.locator(f'tr[data-run="{run}"] input').check()
    expect(page.locator("#chosen-runs .edit")).to_be_enabled()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()
