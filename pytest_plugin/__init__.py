"""The pytest plugin: a test holds what it trains to an expectation, and fails with the line.

pytest loads it wherever Gradgate is installed, so that torch is imported by the tests that need
it alone: not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .expectation import Expectation

MARK = """\
gradgate(trains=[...], frozen=[...], frozen_stats=[...], share=(least, most)): the test fails \
where what it trains is not as gradgate.probe.expect says; without arguments, where something \
that requires a gradient does not train."""
_FORM = MARK.partition(":")[0]
_EXPECTATION: pytest.StashKey[Expectation] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line("markers", MARK)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin to watch before fixtures make models, where a test asks for it."""
    mark = item.get_closest_marker("gradgate")
    wanted = mark is not None or "gradgate" in getattr(item, "fixturenames", ())
    if wanted:
        from .expectation import Expectation

        if mark is not None and mark.args:
            pytest.fail(
                f"@pytest.mark.gradgate has its arguments by name, such as trains=['encoder'], "
                f"and was given {mark.args!r}.",
                pytrace=False,
            )
        try:
            item.stash[_EXPECTATION] = Expectation({} if mark is None else mark.kwargs)
        except (TypeError, ValueError) as error:
            pytest.fail(f"{error}. The mark is @pytest.mark.{_FORM}.", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that has passed where what it trained is not as it ought to be."""
    yield
    expectation = item.stash.get(_EXPECTATION, None)
    if expectation is not None:
        failure = expectation.failure()
        if failure:
            pytest.fail(failure, pytrace=False)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Watch no more."""
    expectation = item.stash.get(_EXPECTATION, None)
    if expectation is not None:
        expectation.stop()


@pytest.fixture
def gradgate(request: pytest.FixtureRequest) -> Expectation:
    """Follow what the test trains: `gradgate.run` is its run, `gradgate.runs` are all."""
    expectation: Expectation | None = request.node.stash.get(_EXPECTATION, None)
    if expectation is None:
        raise LookupError("`gradgate` is watched from the start of a test: name it as an argument.")
    return expectation
