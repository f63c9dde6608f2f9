"""A run as a line of text, and as a notebook shows it."""

from __future__ import annotations

import torch
from torch import nn

from gradgate import probe
from tests.support.serving import ServerProcess


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


def test_a_run_that_was_just_attached_waits_for_its_dashboard(server: ServerProcess) -> None:
    """The first try to connect has an outcome before somebody reads that nobody answers."""
    model = nn.Linear(2, 1)
    with probe.attach(model, server=server.url, name="a") as attached:
        assert repr(attached) == "<Run 'a', live at step 0>"
        assert "no dashboard yet" not in attached._repr_html_()
    with probe.attach(model, server="http://127.0.0.1:9", name="a") as attached:
        assert repr(attached) == "<Run 'a', live at step 0, no dashboard yet>"
