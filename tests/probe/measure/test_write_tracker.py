"""New gradients are told from those that an earlier step left."""

from __future__ import annotations

import gc

import torch
from torch import nn

from gradgate.probe.measure.write_tracker import LEARNING_STEPS, MARK, WriteTracker


def parameter() -> nn.Parameter:
    return nn.Parameter(torch.ones(3))


def is_new(writes: WriteTracker, p: nn.Parameter) -> bool:
    assert p.grad is not None
    return writes.is_new(0, p.grad)


def learned(writes: WriteTracker) -> None:
    """Let samples pass in which no gradient persisted, after which there are no hooks."""
    for _ in range(LEARNING_STEPS):
        writes.count_sample()


def test_a_gradient_is_new_until_a_step_has_used_it() -> None:
    """After the step the same tensor is old, and a backward makes it new again."""
    p = parameter()
    writes = WriteTracker([p])
    p.sum().backward()
    assert is_new(writes, p)
    writes.retire([0], mark=True)
    assert not is_new(writes, p)
    p.sum().backward()
    assert is_new(writes, p)


def test_what_is_there_at_attach_is_new_to_a_step_without_a_backward() -> None:
    """Attached between backward and step; the step after that has to bring its own."""
    first, second = parameter(), parameter()
    (first.sum() + second.sum()).backward()
    writes = WriteTracker([first, second])
    assert is_new(writes, first)
    writes.retire([0, 1], mark=True)
    assert not is_new(writes, first)


def test_what_is_there_at_attach_is_old_beside_what_a_backward_brings() -> None:
    """One that a backward has left out is from an earlier step, as far as anybody can know."""
    first, second = parameter(), parameter()
    (first.sum() + second.sum()).backward()
    writes = WriteTracker([first, second])
    second.sum().backward()
    assert not is_new(writes, first)


def test_without_hooks_the_version_tells_what_was_written_to() -> None:
    """A marked gradient that a backward has added to since is new, one that it has not is old."""
    p = parameter()
    writes = WriteTracker([p])
    learned(writes)
    p.sum().backward()
    writes.retire([0], mark=True)
    assert not is_new(writes, p)
    p.sum().backward()
    assert is_new(writes, p)


def test_with_hooks_a_write_by_the_script_is_no_backward() -> None:
    """Zeroing an old gradient in place raises its version, and it stays old."""
    p = parameter()
    writes = WriteTracker([p])
    p.sum().backward()
    writes.retire([0], mark=True)
    assert p.grad is not None
    p.grad.zero_()
    assert not is_new(writes, p)


def test_a_hook_that_was_called_for_nothing_is_no_write() -> None:
    """Where a backward came by and wrote nothing, the old gradient stays old."""
    p = parameter()
    writes = WriteTracker([p])
    p.sum().backward()
    writes.retire([0], mark=True)

    class Nothing(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: object, *grads: torch.Tensor) -> None:
            return None

    Nothing.apply(p).sum().backward()
    assert not is_new(writes, p)


def test_a_new_tensor_is_new_whatever_was_marked() -> None:
    """Loops that drop their gradients need no hook: what has no mark is new."""
    p = parameter()
    writes = WriteTracker([p])
    learned(writes)
    p.sum().backward()
    writes.retire([0], mark=True)
    p.grad = None
    p.sum().backward()
    assert is_new(writes, p)


def test_a_loop_that_drops_its_gradients_is_never_hooked() -> None:
    """PyTorch keeps what called a hook that was removed, and asks it in every later backward."""
    p = parameter()
    gc.collect()  # what other tests have left standing
    before = torch.autograd._engine_run_backward
    writes = WriteTracker([p])
    for _ in range(LEARNING_STEPS):
        p.sum().backward()
        writes.count_sample()
        writes.retire([0], mark=True)
        p.grad = None
    assert p._post_accumulate_grad_hooks is None
    assert not writes.persist
    assert torch.autograd._engine_run_backward is before


def test_hooks_come_with_a_gradient_that_persists_and_stay() -> None:
    """From the first backward on that finds one, and before it has changed anything."""
    p = parameter()
    writes = WriteTracker([p])
    p.sum().backward()
    writes.count_sample()
    writes.retire([0], mark=True)
    assert not p._post_accumulate_grad_hooks
    p.sum().backward()
    assert p._post_accumulate_grad_hooks
    assert is_new(writes, p)
    for _ in range(LEARNING_STEPS):
        writes.count_sample()
        writes.retire([0], mark=True)
        assert p._post_accumulate_grad_hooks
        assert writes.persist


def test_hooks_come_where_a_gradient_persists_later() -> None:
    """One step may be told wrong by then, and no other."""
    p = parameter()
    writes = WriteTracker([p])
    learned(writes)
    assert not writes.persist
    p.sum().backward()
    writes.retire([0], mark=True)
    assert not is_new(writes, p)
    writes.count_sample()
    writes.retire([0], mark=True)
    assert p._post_accumulate_grad_hooks
    assert writes.persist


def test_nothing_old_is_there_once_zero_grad_has_dropped_all_and_until_a_mark() -> None:
    """So no gradient has to be asked for its mark."""
    p = parameter()
    writes = WriteTracker([p])
    learned(writes)
    assert writes.may_be_old(0)
    p.sum().backward()
    writes.cleared(0, [0])  # it is left, as zeros
    assert writes.may_be_old(0)
    p.grad = None
    writes.cleared(0, [0])
    assert not writes.may_be_old(0)
    p.sum().backward()
    writes.retire_step(0, [0], mark=True)
    assert not writes.may_be_old(0)
    p.sum().backward()  # before any zero_grad
    assert writes.may_be_old(0)


def test_what_nobody_will_ask_about_is_not_marked() -> None:
    """Between two samples a step costs no mark."""
    p = parameter()
    writes = WriteTracker([p])
    learned(writes)
    p.sum().backward()
    writes.retire([0], mark=False)
    assert p.grad is not None
    assert MARK not in p.grad.__dict__


def test_a_frozen_parameter_gets_its_hook_when_it_thaws() -> None:
    """A parameter that needs no gradient cannot be given a hook, and is none the worse for it."""
    p = parameter()
    p.requires_grad_(False)
    writes = WriteTracker([p], wanted=[0])
    assert not p._post_accumulate_grad_hooks
    p.requires_grad_(True)
    writes.retire([0], mark=True)
    assert p._post_accumulate_grad_hooks


def test_nothing_is_left_behind() -> None:
    """Marks and hooks go at the end; those of a parameter that left the model, before."""
    p, q = parameter(), parameter()
    writes = WriteTracker([p, q], wanted=[0, 1])
    (p.sum() + q.sum()).backward()
    writes.retire([0, 1], mark=True)
    writes.forget([1])
    assert p._post_accumulate_grad_hooks
    assert not q._post_accumulate_grad_hooks
    writes.remove()
    assert not p._post_accumulate_grad_hooks
    assert p.grad is not None
    assert MARK not in p.grad.__dict__
