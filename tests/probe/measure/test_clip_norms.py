"""What the script's own clipping tells of the total norm."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, clip_grads_with_norm_, get_total_norm

from gradgate.probe.base.guard import Guard
from gradgate.probe.measure.clip_norms import MOST_CLIPS, ClipNorms

COUNT = 20
ALL = frozenset(range(COUNT))


@pytest.fixture
def parameters() -> list[nn.Parameter]:
    """Parameters with gradients, of norm 2 each."""
    made = [nn.Parameter(torch.zeros(4)) for _ in range(COUNT)]
    for parameter in made:
        parameter.grad = torch.ones(4)
    return made


@pytest.fixture
def clips(parameters: list[nn.Parameter]) -> Iterator[ClipNorms]:
    """What follows the clips of these."""
    clips = ClipNorms({id(each): index for index, each in enumerate(parameters)}, Guard())
    clips.follow(needed=True)
    yield clips
    clips.follow(needed=False)


def seen(clips: ClipNorms, held: frozenset[int] = ALL) -> list[tuple[list[int], float]]:
    """What is covered, and the norms."""
    return [(sorted(clip.covered), round(clip.norm.item(), 3)) for clip in clips.of(held)]


def test_the_norm_is_that_before_it_was_clipped(
    parameters: list[nn.Parameter], clips: ClipNorms
) -> None:
    """Of what was given, by whatever name the script has the function; and it clips as before."""
    norm = clip_grad_norm_(iter(parameters[:4]), 1.0)
    assert seen(clips) == [([0, 1, 2, 3], 4.0)]
    assert norm.item() == 4.0
    assert parameters[0].grad.norm().item() == pytest.approx(0.5)  # type: ignore[union-attr]
    assert seen(clips, frozenset({7})) == []
    clips.clear()
    assert seen(clips) == []


def test_a_later_clip_takes_the_place_of_one_that_it_overlaps(
    parameters: list[nn.Parameter], clips: ClipNorms
) -> None:
    """What the first knew is no more; one of other parameters stands beside it."""
    made = clips.clips
    clip_grad_norm_(parameters[:4], 1.0)
    clip_grad_norm_(parameters[4:5], 1.0)
    clip_grad_norm_(parameters[:1], 0.1)
    assert seen(clips) == [([4], 2.0), ([0], 0.5)]
    assert made is clips.clips  # as who asks each step keeps it


def test_what_is_no_such_norm_is_left_alone(
    parameters: list[nn.Parameter], clips: ClipNorms
) -> None:
    """Another order, another's parameters, a norm of the script's own, and value clipping."""
    clip_grad_norm_(parameters, 1.0, float("inf"))
    clip_grad_norm_(parameters, 1.0, norm_type=1)
    stranger = nn.Parameter(torch.zeros(2))
    stranger.grad = torch.ones(2)
    clip_grad_norm_([stranger], 1.0)
    get_total_norm([each.grad for each in parameters if each.grad is not None])
    clip_grads_with_norm_(parameters, 1.0, torch.tensor(3.0))
    nn.utils.clip_grad_value_(parameters, 0.1)
    assert seen(clips) == []


def test_a_clip_before_a_scaler_has_unscaled_says_nothing(
    parameters: list[nn.Parameter], clips: ClipNorms
) -> None:
    """Its norm is that of scaled gradients; behind ``unscale_`` it is the right one."""
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    scaler.scale(torch.ones(()))
    clip_grad_norm_(parameters, 1e9)
    scaler.unscale_(optimizer)
    assert seen(clips) == []
    clip_grad_norm_(parameters[:4], 1e9)
    assert seen(clips) == [([0, 1, 2, 3], 0.5)]


def test_a_script_that_clips_each_by_itself_is_not_followed(
    parameters: list[nn.Parameter], clips: ClipNorms
) -> None:
    """It would cost more than to look at the gradients; a step with few clips is, again."""
    for parameter in parameters[: MOST_CLIPS + 1]:
        clip_grad_norm_(parameter, 1.0)
    assert seen(clips) == []
    clips.clear()
    clip_grad_norm_(parameters, 1.0)
    assert [covered for covered, _ in seen(clips)] == [sorted(ALL)]


def test_a_model_that_changed_is_known_anew(parameters: list[nn.Parameter]) -> None:
    """Before, the same list may have covered others."""
    index_of = {id(parameters[0]): 0}
    clips = ClipNorms(index_of, Guard())
    clips.follow(needed=True)
    clip_grad_norm_(parameters[:2], 1.0)
    index_of[id(parameters[1])] = 1
    clips.forget()
    clip_grad_norm_(parameters[:2], 1.0)
    clips.follow(needed=False)
    assert [covered for covered, _ in seen(clips)] == [[0, 1]]


def test_clipping_is_compiled_as_without_it(
    parameters: list[nn.Parameter], clips: ClipNorms
) -> None:
    """In one graph; what is compiled tells nothing."""

    def clip(grads: list[Tensor]) -> Tensor:
        for parameter, grad in zip(parameters, grads, strict=True):
            parameter.grad = grad
        return clip_grad_norm_(parameters, 1.0)

    compiled = torch.compile(clip, backend="eager", fullgraph=True)
    norm = compiled([torch.ones(4) for _ in parameters])
    assert norm.item() == pytest.approx(2 * COUNT**0.5)
    assert seen(clips) == []


def test_torch_is_as_before_afterwards(parameters: list[nn.Parameter], clips: ClipNorms) -> None:
    """Nothing stands around its functions, and nothing is told."""
    clips.follow(needed=False)
    assert torch.nn.utils.clip_grad._get_total_norm is get_total_norm
    assert torch.nn.utils.clip_grad._clip_grads_with_norm_ is clip_grads_with_norm_
    clip_grad_norm_(parameters, 1.0)
    assert seen(clips) == []


def test_who_wants_to_know_hears_of_each_clip(parameters: list[nn.Parameter]) -> None:
    """Before the optimizer applies what was clipped; not of what is no such norm."""
    heard: list[int] = []
    index_of = {id(each): index for index, each in enumerate(parameters)}
    clips = ClipNorms(index_of, Guard(), lambda: heard.append(len(clips.of(ALL))))
    clips.follow(needed=True)
    clip_grad_norm_(parameters[:4], 1.0)
    clip_grad_norm_(parameters[4:], 1.0)
    clip_grad_norm_(parameters, 1.0, norm_type=1.0)
    clips.follow(needed=False)
    clip_grad_norm_(parameters, 1.0)
    assert heard == [1, 2]
