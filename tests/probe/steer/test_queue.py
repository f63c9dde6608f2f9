"""The queue of commands that wait for a boundary."""

from __future__ import annotations

import threading

from gradgate.probe.base.guard import Guard
from gradgate.probe.model.commands import CommandState, FreezeCommand, Report
from gradgate.probe.steer.queue import CommandQueue
from gradgate.probe.steer.reports import Reports


def queue() -> tuple[CommandQueue, list[Report]]:
    told: list[Report] = []
    reports = Reports(Guard())
    reports.add_listener(told.append)
    return CommandQueue(reports), told


def freeze(number: int | None, target: str = "a") -> FreezeCommand:
    return FreezeCommand(target, by="rest", id=number)


def test_commands_come_out_once_in_the_order_in_which_they_came() -> None:
    """Each is reported as delivered, without a step."""
    waiting, told = queue()
    for number in (3, 1, 2):
        waiting.submit(freeze(number))
    assert [command.id for command in waiting.take()] == [3, 1, 2]
    assert waiting.take() == []
    assert [(report.command.id, report.state, report.step) for report in told] == [
        (number, CommandState.DELIVERED, None) for number in (3, 1, 2)
    ]


def test_a_command_that_comes_again_is_ignored() -> None:
    """After a reconnection the server sends what it does not know to be applied, even if it is."""
    waiting, told = queue()
    waiting.submit(freeze(1))
    waiting.take()
    waiting.submit(freeze(1))
    assert waiting.take() == []
    assert len(told) == 1


def test_the_scripts_own_commands_have_no_number_to_be_known_by() -> None:
    """The same freeze twice is two commands."""
    waiting, _ = queue()
    waiting.submit(freeze(None))
    waiting.submit(freeze(None))
    assert len(waiting.take()) == 2


def test_a_command_is_reported_before_it_can_be_taken() -> None:
    """The training thread may apply it at once, and applied must not come before delivered."""
    reports = Reports(Guard())
    waiting = CommandQueue(reports)
    found: list[int] = []
    reports.add_listener(lambda _: found.append(0))
    taking = threading.Thread(target=lambda: found.append(len(waiting.take())))

    def start(_: Report) -> None:
        taking.start()

    reports.add_listener(start)
    waiting.submit(freeze(1))
    taking.join(20)
    assert found == [0, 1]
