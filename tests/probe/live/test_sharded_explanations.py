"""Parameters that are sharded among ranks are explained by the line, or nothing is said of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import explaining
from tests.support.world import ROOT, run_world

EVERY = [f"{layer}.{kind}" for layer in ("first", "second", "last") for kind in ("weight", "bias")]
FIRST = EVERY[:2]
UNUSED = dict.fromkeys(("never.weight", "never.bias"), "module_not_called")
TOLD = {
    "none": {},
    "detached": dict.fromkeys(FIRST, "detached"),
    "switched_off": dict.fromkeys(FIRST, "no_grad"),
    "zeroed": dict.fromkeys([*FIRST, "second.weight"], "zero_gradient"),
    "spoilt": dict.fromkeys(EVERY, "nonfinite"),
    "spoilt_elsewhere": dict.fromkeys(EVERY, "nonfinite"),
    "spoilt_row": dict.fromkeys(FIRST, "nonfinite"),
    "spoilt_row_and_clipped": {
        **dict.fromkeys(EVERY, "overwritten"),
        **dict.fromkeys(FIRST, "nonfinite"),
    },
    "spoilt_weights": dict.fromkeys(EVERY, "nonfinite"),
    "stale": {},
    "hooked": {"first.weight": "nonfinite"},
    "halved": {},
    "cleared": dict.fromkeys(EVERY, "no_backward"),
    "emptied": {"first.weight": "overwritten"},
    "spoilt_one": dict.fromkeys(EVERY, "overwritten"),
    "kept_back": dict.fromkeys(EVERY, "no_backward"),
}
"""What is said of the parameters of layers that are run, by the fault."""
SHARDED = [
    *((kind, fault) for kind in ("sharded", "at once") for fault in TOLD),
    *(("kept_whole_in_bfloat16", each) for each in ("detached", "zeroed", "spoilt", "kept_back")),
    *(("replicated", fault) for fault in ("none", "detached", "zeroed")),
]
OTHERWISE = [
    *(("split", fault) for fault in ("none", "detached", "zeroed", "spoilt")),
    *(("split_and_sharded", fault) for fault in ("none", "detached", "zeroed")),
    *(("originals", fault) for fault in ("none", "detached", "zeroed")),
    *(("flat", fault) for fault in ("none", "detached")),
]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two ranks said in each scenario, by parameter: cause, line and detail."""
    names = [f"{kind}, {fault}" for kind, fault in (*SHARDED, *OTHERWISE)]
    return run_world(explaining, 2, tmp_path_factory.mktemp("explaining"), names)


@pytest.fixture(scope="module")
def told(ranks: list[dict[str, Any]]) -> dict[str, Any]:
    """What rank 0 said, which alone says anything of a run."""
    return ranks[0]


def causes(told: dict[str, Any]) -> dict[str, str]:
    """Return the causes, under the names that the model has without FSDP1."""
    return {name.replace("_fsdp_wrapped_module.", ""): cause for name, (cause, *_) in told.items()}


def line(where: str) -> str:
    """Return the text of a place."""
    file, _, number = where.rpartition(":")
    return (ROOT / file).read_text().splitlines()[int(number) - 1]


@pytest.mark.parametrize(("kind", "fault"), SHARDED)
def test_a_sharded_parameter_is_explained_as_a_whole_one(
    told: dict[str, Any], kind: str, fault: str
) -> None:
    """In the first step and in later ones, resharded or not, and where nothing is split at all."""
    assert causes(told[f"{kind}, {fault}"]) == TOLD[fault] | UNUSED


@pytest.mark.parametrize(
    "fault", ["detached", "switched_off", "zeroed", "spoilt", "hooked", "cleared", "emptied"]
)
def test_the_line_of_a_sharded_parameter_is_that_of_the_fault(
    told: dict[str, Any], fault: str
) -> None:
    """And none of torch's, which puts the whole parameters together and takes them apart."""
    for kind, mine in SHARDED:
        if mine == fault:
            _, where, _ = told[f"{kind}, {fault}"]["first.weight"]
            assert line(where).endswith(f"# <- {fault}")


def test_a_part_without_a_gradient_is_not_all_of_a_parameter(ranks: list[dict[str, Any]]) -> None:
    """One rank has the rows that get zeros, and the other those that train."""
    for rank in ranks:
        assert causes(rank["at once, halved"]) == UNUSED


@pytest.mark.parametrize("kind", ["sharded", "at once"])
def test_nonfinite_gradients_are_laid_to_whom_they_are_from(
    told: dict[str, Any], kind: str
) -> None:
    """To another rank, or to a write after the ranks have added up theirs; a clip spreads it."""
    for _, _, detail in (told[f"{kind}, spoilt_elsewhere"][name] for name in EVERY):
        assert "was finite on this rank" in detail
    _, where, detail = told[f"{kind}, spoilt_weights"]["first.bias"]
    if kind == "sharded":  # they were spoilt in an earlier step
        assert (where, "`second.weight` holds NaN" in detail) == (None, True)
    else:
        assert line(where).endswith("# <- spoilt_weights")
    written = {name: line(told[f"{kind}, spoilt_one"][name][1]) for name in EVERY}
    assert written.pop("first.weight").endswith("# <- multiplied")
    assert all(text.endswith("# <- clipped") for text in written.values())
    for fault in ("spoilt_row", "spoilt_row_and_clipped"):
        _, where, _ = told[f"{kind}, {fault}"]["first.weight"]
        assert line(where).endswith("# <- spoilt_row")


def test_a_gradient_that_is_kept_back_was_not_cleared(told: dict[str, Any]) -> None:
    """It waits in the whole parameter for the ranks to add up theirs."""
    for kind in ("sharded", "at once", "kept_whole_in_bfloat16"):
        for _, _, detail in (told[f"{kind}, kept_back"][name] for name in EVERY):
            assert "fully_shard (FSDP2) has not handed it on" in detail


@pytest.mark.parametrize("kind", ["split", "split_and_sharded", "originals", "flat"])
def test_nothing_is_guessed_of_what_else_shares_parameters_out(
    told: dict[str, Any], kind: str
) -> None:
    """A layer that is run is said to be healthy, or of unknown cause; one that is not is named."""
    whole, cut = causes(told[f"{kind}, none"]), causes(told[f"{kind}, detached"])
    assert {name.partition(".")[0] for name in whole} == {"never"}
    assert set(whole.values()) == {"module_not_called"}
    mine = {cause for name, cause in cut.items() if name.startswith("first.")}
    assert mine == {"detached" if kind == "flat" else "unknown"}
    assert {name.partition(".")[0] for name in cut} == {"first", "never"}


def test_zeros_in_the_part_of_a_split_tensor_are_followed(told: dict[str, Any]) -> None:
    """To the line that makes them, on the rank that was traced."""
    for kind in ("split, zeroed", "split_and_sharded, zeroed"):
        assert causes(told[kind]) == TOLD["zeroed"] | UNUSED
        _, where, _ = told[kind]["first.weight"]
        assert line(where).endswith("# <- zeroed")
    assert set(causes(told["originals, zeroed"]).values()) == {"unknown", "module_not_called"}
    assert causes(told["split, spoilt"]) == TOLD["spoilt"] | UNUSED
    assert line(told["split, spoilt"]["second.bias"][1]).endswith("# <- spoilt")
