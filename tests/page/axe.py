"""Axe, which looks for what keeps people with other senses, or without a mouse, from a page."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, expect

SCRIPT = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
"""As package.json names it; `make node_modules/.package-lock.json` installs it."""
RULES: tuple[tuple[Literal["light", "dark"], list[str] | None], ...] = (
    ("dark", ["color-contrast"]),
    ("light", None),
)
"""All rules in one theme; in the other, which differs in its colours, those of colours."""

RUN = """async ([within, rules]) => {
    const options = rules === null ? {} : { runOnly: rules };
    const { violations } = await axe.run(within, { ...options, resultTypes: ["violations"] });
    return violations.flatMap(({ id, help, nodes }) =>
        nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${target}: ${failureSummary}`));
}"""


def complaints(page: Page, within: str = "html") -> list[str]:
    """Return what Axe finds in a part of a page, in both themes; the page is left in light."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(SCRIPT.read_text(encoding="utf-8"))
    found = []
    for theme, rules in RULES:
        page.emulate_media(color_scheme=theme)
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        found += [f"{page.url}, {theme}: {each}" for each in page.evaluate(RUN, [within, rules])]
    return found
