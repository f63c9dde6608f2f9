"""Seeing and changing a real job through the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.page.conftest import OpenRun
from tests.support.serving import ServerProcess
from tests.support.training import TrainingJob
from tests.support.waiting import wait_for

STEPS_TO_SEE = 5


@pytest.fixture(scope="module")
def job(
    page_server: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TrainingJob]:
    """A real job that trains as long as the module's tests run."""
    with TrainingJob(tmp_path_factory.mktemp("steered"), page_server.url) as job:
        job.wait_for_step(STEPS_TO_SEE)
        job.wait_until_known(page_server)
        yield job


def moved(job: TrainingJob, name: str, since: int) -> bool:
    """Whether a parameter's bits changed at any step after `since`."""
    digests = [step[name] for step in job.history()[since:]]
    return any(digest != digests[0] for digest in digests)


def test_values_change_without_a_reload(job: TrainingJob, open_run: OpenRun) -> None:
    """Step, norm and age follow the job while the document stays the same."""
    run = open_run(job.run)
    run.page.evaluate("window.sameDocument = true")
    norm = run.row("encoder.0.weight").locator(".norm")
    expect(norm).not_to_have_text("–")
    before_step, before_norm = run.step, norm.inner_text()

    run.until_step(before_step + STEPS_TO_SEE)
    expect(norm).not_to_have_text(before_norm)
    expect(run.page.locator("#status")).to_have_text("live")
    expect(run.page.locator("#connection")).to_have_text("connected")
    assert run.page.evaluate("window.sameDocument") is True


def test_trouble_is_counted_and_filters_the_tree(job: TrainingJob, open_run: OpenRun) -> None:
    """The layer that the forward never uses is counted as absent; a click shows only it."""
    run = open_run(job.run)
    absent = run.page.get_by_role("button", name="2 absent")
    absent.click()
    run.expect_rows(["model", "unused", "weight", "bias"])
    expect(run.page.locator("#filter")).to_have_value("state:absent")
    expect(absent).to_have_attribute("aria-pressed", "true")
    absent.click()
    expect(run.row("head.weight")).to_be_visible()


def test_a_module_is_frozen_and_thawed_from_the_keyboard(
    job: TrainingJob, open_run: OpenRun
) -> None:
    """Space asks, Enter confirms, the job's bits stop; Undo in the log sets them free again."""
    run = open_run(job.run)
    number = len(run.page.locator("#commands [data-command]").all())
    run.press("Home", "ArrowDown")
    assert run.current() == "encoder"
    run.press("Space")
    dialog = run.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Freeze encoder.*: 4 parameters, 384 numbers")
    run.page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()

    entry = run.page.locator("#commands [data-command]").first
    expect(entry.locator(".verified.done")).to_be_visible(timeout=15_000)
    expect(entry).to_contain_text("applied at step")
    expect(entry.locator(".saved")).to_contain_text("−1.54 kB gradients", timeout=15_000)
    expect(run.module("encoder").get_by_role("checkbox")).to_have_attribute("aria-checked", "true")
    expect(run.row("encoder.0.weight").locator(".state")).to_have_text("frozen")
    assert len(run.page.locator("#commands [data-command]").all()) == number + 1

    frozen_since = job.step
    job.wait_for_more(STEPS_TO_SEE)
    assert not moved(job, "encoder.0.weight", frozen_since)
    assert moved(job, "head.weight", frozen_since)

    entry.get_by_role("button", name="Undo").click()
    thaw = run.page.locator("#commands [data-command]").first
    expect(thaw).to_contain_text("thaw")
    expect(thaw.locator(".verified.done")).to_be_visible(timeout=15_000)
    expect(run.module("encoder").get_by_role("checkbox")).to_have_attribute("aria-checked", "false")
    thawed_since = job.step
    wait_for(lambda: moved(job, "encoder.0.weight", thawed_since), 30, "the encoder moves again")


def test_the_job_says_what_a_freeze_would_touch(job: TrainingJob, open_run: OpenRun) -> None:
    """The real job's answer is in the question, and its objection to running without a graph."""
    run = open_run(job.run)
    commands = run.page.locator("#commands [data-command]").count()
    run.module("head").get_by_role("checkbox").click()
    dialog = run.page.get_by_role("dialog")
    expect(dialog).to_contain_text("No warnings", timeout=15_000)
    expect(dialog).to_contain_text("204 B freed")
    dialog.get_by_label("Run without a graph").check()
    warnings = dialog.get_by_role("list", name="Warnings")
    expect(warnings).to_contain_text("encoder.0.weight", timeout=15_000)
    expect(dialog.locator('dt:text-is("Cut off upstream") + dd')).to_contain_text("encoder.0.bias")
    expect(dialog.get_by_role("button", name="Freeze")).to_be_disabled()
    run.page.keyboard.press("Escape")
    assert run.page.locator("#commands [data-command]").count() == commands


def test_one_parameter_is_frozen_with_the_mouse(job: TrainingJob, open_run: OpenRun) -> None:
    """A click on a snowflake freezes that parameter; its module's toggle is then mixed."""
    run = open_run(job.run)
    run.row("head.bias").get_by_role("checkbox").click()
    run.page.get_by_role("button", name="Freeze", exact=True).click()
    expect(run.row("head.bias").get_by_role("checkbox")).to_have_attribute("aria-checked", "true")
    expect(run.module("head").get_by_role("checkbox")).to_have_attribute("aria-checked", "mixed")
    since = job.step
    job.wait_for_more(STEPS_TO_SEE)
    assert not moved(job, "head.bias", since)
    assert moved(job, "head.weight", since)


def test_escape_leaves_everything_as_it_was(job: TrainingJob, open_run: OpenRun) -> None:
    """The question can be left without a command; the focus is in the tree again."""
    run = open_run(job.run)
    commands = run.page.locator("#commands [data-command]").count()
    run.press("Home", "Space")
    expect(run.page.get_by_role("dialog")).to_contain_text("the whole model")
    run.page.keyboard.press("Escape")
    expect(run.page.get_by_role("dialog")).to_be_hidden()
    expect(run.page.locator("#tree")).to_be_focused()
    assert run.page.locator("#commands [data-command]").count() == commands


def test_a_rejected_command_shows_its_reason(
    job: TrainingJob, open_run: OpenRun, page_server: ServerProcess
) -> None:
    """What somebody else asked for appears by itself, with the job's own reason."""
    run = open_run(job.run)
    body = {"kind": "freeze", "target": "encodr.*", "mode": "grad", "by": "somebody"}
    answer = page_server.post(f"/api/runs/{job.run}/commands", body)
    entry = run.command(answer.json()["id"])
    expect(entry).to_have_attribute("data-state", "rejected", timeout=15_000)
    expect(entry.locator(".stepper")).to_contain_text("rejected")
    reason = page_server.get(f"/api/runs/{job.run}/commands/{answer.json()['id']}")["reason"]
    expect(entry.locator(".reason")).to_have_text(reason)
    expect(entry.get_by_role("button", name="Undo")).to_have_count(0)


def test_a_selected_parameter_is_drawn_over_time(job: TrainingJob, open_run: OpenRun) -> None:
    """A click draws one line, P adds a second, and a click on its key takes it away."""
    run = open_run(job.run)
    run.row("head.weight").locator(".label").click()
    lines = run.page.locator("#lines .scatterlayer .js-line")
    keys = run.page.locator("#key .entry")
    expect(keys).to_have_count(1)
    expect(lines.first).to_be_visible()
    run.press("Home", "ArrowDown", "ArrowDown", "ArrowDown", "p")
    expect(keys).to_have_count(2)
    keys.last.click()
    expect(keys).to_have_count(1)
    expect(keys).to_contain_text("head.weight")
