"""The catalogue of the causes."""

from __future__ import annotations

from gradgate.probe.diagnosis import missing_causes, update_causes, value_causes
from gradgate.probe.diagnosis.cause import Cause
from gradgate.probe.diagnosis.causes import CAUSES, WORDS


def test_every_cause_is_listed_once_under_its_word() -> None:
    """A class that is not in the list would be known to nobody."""
    defined = {
        each
        for module in (missing_causes, value_causes, update_causes)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Cause) and "word" in vars(each)
    }
    assert set(CAUSES) == defined
    assert len(set(WORDS)) == len(CAUSES) == 24
    assert [cause.word for cause in CAUSES] == list(WORDS)
