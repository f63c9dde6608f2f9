"""The report of a check, rendered without a server."""

from __future__ import annotations

from ..export.check.page import check_page
from ..protocol.check import CheckReport
from .pages import Pages
from .reports import report_look


def check_markup(report: CheckReport) -> str:
    """Render a report as a page that needs nothing else."""
    return Pages().markup(check_page(report, report_look()))
