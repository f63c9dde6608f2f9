"""A run's page as a person sees it: rows, toggles, commands."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page

from tests.support.waiting import wait_for


class RunPage:
    """Finds things on a run's page by what they are for."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        page.goto(url)
        page.locator("#tree .row").first.wait_for()

    def row(self, path: str, kind: str = "parameter") -> Locator:
        """The tree's row of a parameter, or of a module."""
        return self.page.locator(f'#tree .row[data-kind="{kind}"]').filter(
            has=self.page.get_by_title(path, exact=True)
        )

    def module(self, path: str) -> Locator:
        """The tree's row of a module."""
        return self.row(path, "module")

    def rows(self) -> list[str]:
        """The labels of the rows that the tree holds now, top to bottom."""
        labels: list[str] = self.page.locator("#tree").evaluate(
            """tree => [...tree.querySelectorAll(".row")]
                .sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)
                .map(row => row.querySelector(".name").textContent)"""
        )
        return labels

    def expect_rows(self, labels: list[str]) -> None:
        """Wait until the tree holds these rows and no others."""
        wait_for(lambda: self.rows() == labels, message=f"the tree shows {labels}")

    def expect_top_rows(self, labels: list[str]) -> None:
        """Wait until the tree begins with these rows."""
        wait_for(lambda: self.rows()[: len(labels)] == labels, message=f"the tree begins {labels}")

    def fact(self, name: str) -> str:
        """A fact of the page's head."""
        return self.page.locator(f'[data-fact="{name}"]').inner_text()

    @property
    def step(self) -> int:
        """The step that the page shows, 0 before the first."""
        return int(re.sub(r"\D", "", self.fact("step")) or 0)

    def command(self, number: int) -> Locator:
        """The log's entry of a command."""
        return self.page.locator(f'#commands [data-command="{number}"]')

    def current(self) -> str:
        """The label of the row that the keyboard is at."""
        row: str = self.page.locator("#tree .row.current .name").inner_text()
        return row

    def press(self, *keys: str) -> None:
        """Press keys one after another, in the tree."""
        self.page.locator("#tree").focus()
        for key in keys:
            self.page.keyboard.press(key)

    def until_step(self, step: int) -> None:
        """Wait until the page shows a step or a later one."""
        wait_for(lambda: self.step >= step, 30, f"the page shows step {step}")
