"""Bring the pages of the repository's root into the site, and point links to pages there."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
ROOT_PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
ICON = "favicon.svg"
LINK = re.compile(r"(?P<mark>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_startup(command: str, dirty: bool) -> None:
    """Lay the probe where the API reference reads it, under the name that it is installed by."""
    package = ROOT / "build" / "api" / "gradgate" / "probe"
    package.parent.mkdir(parents=True, exist_ok=True)
    package.unlink(missing_ok=True)
    package.symlink_to(ROOT / "probe", target_is_directory=True)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the repository's root, and the dashboard's icon, to the files of docs/."""
    for folder, names in ((ROOT, ROOT_PAGES), (ROOT / "static", (ICON,))):
        for name in names:
            files.append(File(name, str(folder), config.site_dir, config.use_directory_urls))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn each link to a file of the repository into one to its page, or into plain text.

    The Markdown is read in the repository, too, so its links are the repository's. A file that is
    no part of the site (a test, the licence) has no address there.
    """
    source = page.file.src_uri
    folder = "" if source in ROOT_PAGES else posixpath.join("docs", posixpath.dirname(source))

    def on_site(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, link["target"]))
        name = path.removeprefix("docs/")
        if files.get_file_from_path(name) is not None:
            target = posixpath.relpath(name, posixpath.dirname(source) or ".")
            return f"{link['mark']}[{link['text']}]({target}{link['anchor'] or ''})"
        return link["text"] if (ROOT / path).exists() else link[0]

    return LINK.sub(on_site, markdown)
