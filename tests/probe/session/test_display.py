"""A run as a line of text, and as a notebook shows it."""

from __future__ import annotations

import torch
from torch import nn

from gradgate import probe


def test_a_run_says_where_it_is_and_that_nothing_is_wrong() -> None:
    """Before its first step, while it trains, and when it has ended."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = probe.attach(model, optimizer, server=False, name="digits")
    assert repr(run) == "<Run 'digits', live at step 0, without a dashboard>"
    assert "No step yet." in run._repr_html_()
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert "No trouble now." in run._repr_html_()
    run.detach()
    assert repr(run) == "<Run 'digits', ended at step 1>"
    assert "No trouble at the end." in run._repr_html_()
