"""A gate of a real job, from the page alone: made, seen to close and open, edited and removed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.page.conftest import OpenRun
from tests.page.run_page import RunPage
from tests.support.serving import ServerProcess
from tests.support.training import TrainingJob
from tests.support.waiting import wait_for

FIRST_STEPS = 30
TRAINED = "encoder.0.weight"


@pytest.fixture
def job(
    page_server: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TrainingJob]:
    """A real job that has some history."""
    with TrainingJob(tmp_path_factory.mktemp("gated"), page_server.url) as job:
        job.wait_for_step(FIRST_STEPS)
        job.wait_until_known(page_server)
        yield job


def held(job: TrainingJob, name: str) -> bool:
    """Whether a parameter's bits stay as they are for ten further steps."""
    step = job.step
    end = job.wait_for_more(10)
    return len({note[name] for note in job.history()[step:end]}) == 1


def standing(page: RunPage) -> Locator:
    """How the one gate in the list stands."""
    return page.page.locator("#gates [data-gate] .standing")


def edit(page: RunPage, condition: str) -> None:
    """Give the gate another condition, by keyboard."""
    page.page.get_by_role("button", name=re.compile("Edit gate")).press("Enter")
    dialog = page.page.get_by_role("dialog")
    field = dialog.get_by_label("Closed when")
    with page.page.expect_response(
        lambda answer: answer.url.endswith("/trial") and condition in str(answer.request.post_data)
    ):
        field.fill(condition)
    # Until the page has handled the answer, the verdict is that of the old condition.
    expect(dialog.locator(".answer")).not_to_have_attribute("aria-busy", "true")
    expect(dialog.locator(".verdict")).to_be_visible()
    field.press("Enter")
    expect(dialog).to_be_hidden()


def test_a_gate_is_made_closes_and_opens_is_edited_and_removed(
    job: TrainingJob, open_run: OpenRun
) -> None:
    """The parameters behind a closed gate keep their bits, and move again when it opens."""
    page = open_run(job.run)
    page.module("encoder").get_by_role("button", name="Gates: encoder").click()
    dialog = page.page.get_by_role("dialog", name="New gate")
    field = dialog.get_by_label("Closed when")
    field.fill("loss.item() > 0")
    expect(dialog.locator(".error")).to_contain_text(re.compile(r"\(at character \d+\)"))
    expect(dialog.get_by_role("button", name="Make gate")).to_be_disabled()
    field.fill("loss > 0")
    expect(dialog.locator(".verdict")).to_contain_text(
        re.compile(r"Would have been closed in (\d[\d,]*) of the last \1 samples \(100 %\)")
    )
    field.press("Enter")
    entry = page.page.locator("#commands [data-command]")
    expect(entry.locator(".what")).to_contain_text("output:encoder when loss > 0")
    expect(entry.locator(".verified.done")).to_be_visible(timeout=20_000)
    page.page.get_by_role("tab", name=re.compile("Gates")).click()
    expect(standing(page)).to_have_text("closed")
    gater = page.module("encoder").get_by_role("button", name=re.compile("Gates: encoder"))
    expect(gater).to_have_attribute("data-gates", "closed")
    state = page.row(TRAINED).locator(".state")
    expect(state).to_have_text("gated")
    expect(state).to_have_attribute("title", re.compile("It was gate 1"))
    expect(page.row("head.weight").locator(".state")).to_have_text("present")
    assert held(job, TRAINED)
    assert not held(job, "head.weight")

    edit(page, "loss < 0")
    expect(standing(page)).to_have_text("open", timeout=20_000)
    expect(gater).to_have_attribute("data-gates", "open")
    expect(state).to_have_text("present")
    wait_for(lambda: not held(job, TRAINED), 20, "the gated parameters move again")
    page.page.get_by_role("tab", name="Metrics").click()
    expect(page.page.locator("#key")).to_contain_text("gate 1 closed")
    drawn = page.page.locator("#key").get_by_role("button")
    expect(drawn).to_contain_text(["loss", "gradgate/total_grad_norm"])

    edit(page, "step > 0")
    expect(standing(page)).to_have_text("closed", timeout=20_000)
    page.page.get_by_role("button", name="Pause gate 1").press("Enter")
    expect(standing(page)).to_have_text("paused", timeout=20_000)
    expect(state).to_have_text("present")
    page.page.get_by_role("button", name="Resume gate 1").press("Enter")
    expect(standing(page)).to_have_text("closed", timeout=20_000)

    page.page.get_by_role("button", name="Remove gate 1").press("Enter")
    expect(page.page.locator("#gates")).to_contain_text("No gates.", timeout=20_000)
    expect(state).to_have_text("present")
    wait_for(lambda: not held(job, TRAINED), 20, "the parameters train again")
    page.page.get_by_role("tab", name="Commands").click()
    removal = entry.first
    expect(removal.locator(".what")).to_contain_text("gate 1")
    removal.get_by_role("button", name="Undo").click()
    expect(gater).to_have_attribute("data-gates", "closed", timeout=20_000)
