"""From where a number left torch to where one came in, by the variables of the script."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gradgate.probe.base.source import Callers, Chain
from gradgate.probe.diagnosis.variables import Variables
from tests.support.tracing import chain


class Torch:
    """Stands for torch: notes where a number leaves, and where one comes in."""

    def __init__(self) -> None:
        self._callers = Callers()
        self.left: list[Chain] = []
        self.back: list[Chain] = []
        self.total = 0.0
        self.history: list[float] = []

    def item(self) -> float:
        self.left.append(self._callers.chain(sys._getframe(1)))
        return 1.5

    def mul(self, _: float) -> None:
        self.back.append(self._callers.chain(sys._getframe(1)))


def at_once(t: Torch) -> None:
    t.mul(math.exp(-t.item()))


def summed(t: Torch) -> None:
    total = sum(t.item() for _ in range(3))
    t.mul(total / 3)


def added_up_in_a_loop(t: Torch) -> None:
    total = 0.0
    for i in range(3):
        total += t.item() * i
    mean = total / 3
    t.mul(
        mean + 1,
    )


def of_the_round_before(t: Torch) -> None:
    before = 0.0
    for _ in range(2):
        if before:
            t.mul(before)
        before = t.item()


def collected(t: Torch) -> None:
    seen: list[float] = []
    for _ in range(2):
        number = t.item()
        seen.append(number)
    t.mul(max(seen))


def in_a_dict(t: Torch) -> None:
    stats = {"loss": 0.0}
    stats["loss"] += t.item()
    low, high = 0, stats["loss"]
    t.mul(high - low)


def as_text(t: Torch) -> None:
    text = f"{t.item():.2f}"
    t.mul(float(text))


def by_walrus(t: Torch) -> None:
    if (number := t.item()) > 1:
        number = number + 1
    t.mul(number)


def of_a_with(t: Torch) -> None:
    from contextlib import nullcontext

    with nullcontext(t.item()) as number:
        pass
    t.mul(number)


def returned(t: Torch) -> None:
    def measure() -> float:
        number = t.item()
        return number * 2

    t.mul(measure() - 1)


def yielded(t: Torch) -> None:
    def measure() -> Iterator[float]:
        for _ in range(2):
            yield t.item()

    for number in measure():
        t.mul(number)


def by_a_lambda(t: Torch) -> None:
    measure = lambda: t.item() / 2  # noqa: E731
    number = measure()
    t.mul(number)


def by_a_partial(t: Torch) -> None:
    number = functools.reduce(lambda a, _: a + t.item(), range(2), 0.0)
    t.mul(number)


def handed_to_a_function(t: Torch) -> None:
    def use(weight: float) -> None:
        t.mul(weight)

    number = t.item()
    use(number + 1)


def kept_in_an_attribute(t: Torch) -> None:
    def measure() -> None:
        t.total += t.item()

    def use() -> None:
        mean = t.total / 2
        t.mul(mean)

    measure()
    use()


def kept_in_an_outer_variable(t: Torch) -> None:
    best = 0.0

    def measure() -> None:
        nonlocal best
        best = max(best, t.item())

    measure()
    t.mul(best)


def collected_outside(t: Torch) -> None:
    seen: list[float] = []

    def measure() -> None:
        seen.append(t.item())

    measure()
    t.mul(sum(seen))


LEADS = (
    at_once,
    summed,
    added_up_in_a_loop,
    of_the_round_before,
    collected,
    in_a_dict,
    as_text,
    by_walrus,
    of_a_with,
    returned,
    yielded,
    by_a_lambda,
    by_a_partial,
    handed_to_a_function,
    kept_in_an_attribute,
    kept_in_an_outer_variable,
    collected_outside,
)


def logged(t: Torch) -> None:
    losses: list[float] = []
    losses.append(t.item())
    mean = sum(losses) / len(losses)
    t.mul(0.1)
    losses.append(mean)


def logged_in_an_attribute(t: Torch) -> None:
    t.history.append(t.item())
    t.mul(t.total)


def logged_by_a_method_of_its_own(t: Torch) -> None:
    class Trainer:
        def __init__(self) -> None:
            self.weight = 0.5

        def log(self, number: float) -> None:
            self.logged = number

        def update(self, number: float) -> None:
            self.logged = number

        def step(self) -> None:
            self.log(t.item())
            self.update(t.item())
            t.mul(self.weight)

    Trainer().step()


def only_compared(t: Torch) -> None:
    weight = 1.0
    if t.item() > 1:
        weight = 2.0
    t.mul(weight)


def overwritten(t: Torch) -> None:
    number = t.item()
    print(end=f"{number}"[:0])
    number = 2.0
    t.mul(number)


def a_name_of_a_comprehension(t: Torch) -> None:
    x = 2.0
    print(end=str([t.item() for x in range(2)])[:0])
    t.mul(x)


def of_a_function_that_returns_another(t: Torch) -> None:
    def measure() -> float:
        t.history.append(t.item())
        return 2.0

    number = measure()
    t.mul(number)


def a_method_of_the_same_name(t: Torch) -> None:
    t.total = t.item()
    t.mul(Other().total())


def a_variable_of_another_function(t: Torch) -> None:
    def measure() -> None:
        number = t.item()
        print(end=f"{number}"[:0])

    measure()
    number = 2.0
    t.mul(number)


class Other:
    """Has a method that is called as another's attribute is."""

    def total(self) -> float:
        return 2.0


LEADS_NOT = (
    logged,
    logged_in_an_attribute,
    logged_by_a_method_of_its_own,
    only_compared,
    overwritten,
    a_name_of_a_comprehension,
    of_a_function_that_returns_another,
    a_method_of_the_same_name,
    a_variable_of_another_function,
)


@pytest.mark.parametrize(
    ("script", "expected"),
    [*((each, True) for each in LEADS), *((each, False) for each in LEADS_NOT)],
)
def test_a_number_is_followed_through_variables(
    script: Callable[[Any], None], expected: bool
) -> None:
    """Through what is computed, kept, returned and handed on; not to where it has no part."""
    t = Torch()
    script(t)
    variables = Variables()
    found = {variables.lead(left, back) for left in t.left for back in t.back}
    assert found == {expected}


def test_without_a_source_nothing_leads_anywhere() -> None:
    """As in a shell, or a file that is no Python."""
    there: dict[str, Any] = {"t": Torch()}
    exec("number = t.item()\nt.mul(number)", there)
    assert not Variables().lead(there["t"].left[0], there["t"].back[0])
    assert not Variables().lead(chain("README.md:1"), chain("README.md:1"))
    assert not Variables().lead(chain(), chain())
