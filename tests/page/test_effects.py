"""What became of a command, and of the model, while the page was open."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.page.conftest import OpenRun, Play
from tests.support.probing import ABSENT, FROZEN, PRESENT, table_row


def test_a_command_says_what_it_saved(play: Play, open_run: OpenRun, run: str) -> None:
    """The measured figures come after the command was verified, and stand in its entry."""
    probe = play(run, "a.weight", "b.weight")
    probe.sample(1, [0.5, 0.25])
    page = open_run(run)
    page.row("a.weight").get_by_role("checkbox").click()
    page.page.keyboard.press("Enter")
    entry = page.page.locator("#commands [data-command]")
    number = int(entry.get_attribute("data-command") or "")
    probe.report(2, number, "verified", step=7, parameters=[0])
    expect(entry.locator(".verified.done")).to_be_visible()
    expect(entry.locator(".saved")).to_have_count(0)
    saved = {
        "backward_before": 0.0123,
        "backward_after": 0.0073,
        "steps": 20,
        "gradient_bytes": 210_000_000,
        "memory_before": None,
        "memory_after": None,
    }
    probe.report(3, number, "verified", step=7, parameters=[0], saved=saved)
    line = "backward −41 % (12.3 → 7.3 ms), −210 MB gradients"
    expect(entry.locator(".saved")).to_have_text(line)


def test_a_saving_within_the_noise_is_no_measurable_change(
    play: Play, open_run: OpenRun, run: str
) -> None:
    """A difference that the steps have among themselves is not stated as a saving."""
    probe = play(run, "a.bias")
    probe.sample(1, [0.5])
    page = open_run(run)
    page.row("a.bias").get_by_role("checkbox").click()
    page.page.keyboard.press("Enter")
    entry = page.page.locator("#commands [data-command]")
    number = int(entry.get_attribute("data-command") or "")
    saved = {
        "backward_before": 0.0123,
        "backward_after": 0.0066,
        "steps": 10,
        "gradient_bytes": 128,
        "memory_before": None,
        "memory_after": None,
        "spread_before": 0.0059,
        "spread_after": 0.004,
        "measurable": False,
    }
    probe.report(2, number, "verified", step=7, parameters=[0], saved=saved)
    line = "no measurable change in backward (12.3 → 6.6 ms), −128 B gradients"
    expect(entry.locator(".saved")).to_have_text(line)


def test_a_freeze_that_drifted_is_a_trouble(play: Play, open_run: OpenRun, run: str) -> None:
    """It is counted among the troubles, which lead to the entry with its reason."""
    probe = play(run, "a.weight", "b.weight")
    probe.sample(1, [0.5, 0.25])
    page = open_run(run)
    trouble = page.page.locator("#trouble")
    expect(trouble).to_contain_text("No trouble now")
    page.row("a.weight").get_by_role("checkbox").click()
    page.page.keyboard.press("Enter")
    entry = page.page.locator("#commands [data-command]")
    number = int(entry.get_attribute("data-command") or "")
    probe.report(2, number, "applied", step=7, parameters=[0])
    reason = "a.weight moved after step 9: the script wrote to it."
    probe.report(3, number, "drifted", step=7, parameters=[0], reason=reason)
    expect(entry.locator(".drifted.ended")).to_be_visible()
    expect(entry.locator(".verified")).to_have_count(0)
    expect(entry.locator(".reason")).to_have_text(reason)
    expect(page.page.locator("#announcement")).to_contain_text(f"drifted: {reason}")
    expect(trouble).not_to_contain_text("No trouble now")
    trouble.get_by_role("button", name="1 drifted").click()
    expect(entry).to_be_focused()

    entry.get_by_role("button", name="Undo").click()
    expect(trouble).to_contain_text("No trouble now")


def test_a_table_that_grows_is_taken_in_without_a_reload(
    play: Play, open_run: OpenRun, run: str
) -> None:
    """A new parameter has its row, its norm and its mark; the one it replaced is out of the way."""
    probe = play(run, "a.weight", "b.weight")
    probe.sample(1, [0.5, 0.25])
    page = open_run(run, "?selected=a.weight")
    page.page.evaluate("window.sameDocument = true")
    marks = page.page.locator("#flow .scatterlayer .point")
    expect(marks.first).to_be_attached()
    old = table_row("a.weight (replaced at step 2)", module="a", removed=True)
    new = [table_row("a.weight"), table_row("a.adapter.weight")]
    table = [old, table_row("b.weight"), *new]
    probe.send({"type": "parameters", "seq": 2, "parameters": table})
    probe.sample(3, [float("nan"), 0.25, 0.125, 0.0625], [ABSENT, PRESENT, PRESENT, PRESENT])

    expect(page.row("a.adapter.weight").locator(".norm")).to_have_text("0.0625")
    expect(page.row("a.weight").locator(".norm")).to_have_text("0.125")
    expect(page.page.locator("#matches")).to_have_text("3 parameters")
    expect(page.page.locator("#trouble")).to_contain_text("No trouble now")
    gone = page.row("a.weight (replaced at step 2)")
    expect(gone.locator(".state")).to_have_text("removed")
    toggle = gone.get_by_role("checkbox")
    expect(toggle).to_be_disabled()
    toggle.click(force=True)
    expect(page.page.get_by_role("dialog")).to_be_hidden()
    expect(marks).to_have_count(4)
    marks.nth(1).hover(force=True)
    expect(page.page.locator("#flow .hoverlayer")).to_contain_text("a.adapter.weight")
    assert page.page.evaluate("window.sameDocument") is True


def test_a_grown_module_is_frozen_as_one(play: Play, open_run: OpenRun, run: str) -> None:
    """What was replaced leaves its module's toggle neither mixed nor open."""
    probe = play(run, "a.weight", "b.weight")
    probe.sample(1, [0.5, 0.25])
    page = open_run(run)
    old = table_row("a.weight (replaced at step 2)", module="a", removed=True)
    table = [old, table_row("b.weight"), table_row("a.weight")]
    probe.send({"type": "parameters", "seq": 2, "parameters": table})
    frozen = {"command": None, "by": "python", "mode": "grad", "since_step": 3, "parameters": [2]}
    probe.send({"type": "frozen", "seq": 3, "frozen": [frozen]})
    probe.sample(4, [float("nan"), 0.25, float("nan")], [ABSENT, PRESENT, FROZEN])
    expect(page.module("a").get_by_role("checkbox")).to_have_attribute("aria-checked", "true")
    page.module("a").get_by_role("checkbox").click()
    expect(page.page.get_by_role("dialog")).to_contain_text("Thaw a.*: 1 parameter, 8 numbers")


def test_the_head_tells_ranks_and_compilation(play: Play, open_run: OpenRun, run: str) -> None:
    """How many processes train together is said where it is more than one."""
    play(run, "a.weight", ranks=4, compiled=True).sample(1, [0.5])
    page = open_run(run)
    job = page.page.locator('[data-fact="job"]')
    expect(job).to_have_text("node7, process 4711, 4 ranks, compiled")
