"""Why a real job's gradients are missing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.page.conftest import OpenRun
from tests.support.serving import ServerProcess
from tests.support.training import JOB, TrainingJob
from tests.support.waiting import wait_for

CUT = "style = style.detach()"
LINE = next(n for n, text in enumerate(JOB.read_text().splitlines(), 1) if text.strip() == CUT)


@pytest.fixture(scope="module")
def job(
    page_server: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TrainingJob]:
    """A job with a branch that is detached; it has looked by itself why."""
    folder = tmp_path_factory.mktemp("detached")
    with TrainingJob(folder, page_server.url, "--model", "detached") as job:
        job.wait_until_known(page_server)
        path = f"/api/runs/{job.run}/explanations"
        wait_for(lambda: page_server.get(path)["step"], 60, "the job has looked by itself")
        yield job


def test_the_cut_is_shown_in_the_jobs_own_code(job: TrainingJob, open_run: OpenRun) -> None:
    """The strip counts the branch, and its panel has the line and the way up to the cut."""
    page = open_run(job.run)
    page.page.get_by_role("button", name="4 detached").click()
    page.expect_rows(["model", "style", "0", "weight", "bias", "2", "weight", "bias"])
    page.row("style.0.weight").get_by_role("button", name="Why: style.0.weight").click()
    why = page.page.locator("#why")
    expect(why.locator(".place .name")).to_have_text(re.compile(rf"job\.py:{LINE}$"))
    meant = why.locator('.line[aria-current="true"]')
    expect(meant.locator(".number")).to_have_text(str(LINE))
    expect(meant.locator("code")).to_have_text(CUT)
    way = [
        (item.get_attribute("data-flow"), item.locator(".name").inner_text())
        for item in why.locator(".path li").all()
    ]
    stop = way.index(("stops", "detach()"))
    assert ("flows", "head") in way[:stop]
    assert {flow for flow, _ in way[:stop]} == {"flows"}
    assert {flow for flow, _ in way[stop + 1 :]} == {"none"}
    assert way[-1] == ("none", "style.0.weight")
    expect(why.locator(".traced")).to_contain_text("The job looked by itself.")
    optimizer = why.locator(".optimizer")
    expect(optimizer).to_have_text(re.compile(r"^AdamW \(\d+ parameters\): learning rate 0\.\d+, "))


def test_the_job_answers_when_it_is_asked_again(job: TrainingJob, open_run: OpenRun) -> None:
    """The command goes through the job's next step, and the panel is as of that one."""
    page = open_run(job.run, "?why=style.0.weight")
    why = page.page.locator("#why")
    expect(why.locator(".traced")).to_contain_text("The job looked by itself.")
    why.get_by_role("button", name="Explain again").click()
    entry = page.page.locator("#commands [data-command]").first
    expect(entry.locator(".stage").last).to_have_text(
        re.compile(r"^answered at step [\d,]+$"), timeout=20_000
    )
    step = entry.locator(".stage").last.inner_text().rpartition(" ")[2]
    traced = why.locator(".traced")
    expect(traced).to_have_text(re.compile(rf"^Step {step}, .*Asked by browser \(command \d+\)\.$"))
    expect(why.locator(".asked")).to_be_hidden()


def test_a_healthy_parameter_is_told_of_as_such(job: TrainingJob, open_run: OpenRun) -> None:
    """Nothing is made up for a parameter that trains."""
    page = open_run(job.run, "?why=head.weight")
    standing = page.page.locator("#why .standing")
    expect(standing).to_have_text(re.compile(r"^Nothing was wrong with it as of step [\d,]+\.$"))
    expect(page.row("head.weight").locator(".asker")).to_have_count(0)
