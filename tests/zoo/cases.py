"""Every case of the zoo."""

from __future__ import annotations

from . import (
    detached,
    detached_loops,
    frozen,
    gated,
    healthy,
    healthy_families,
    healthy_gradients,
    healthy_loops,
    inner_loops,
    masks,
    no_backward,
    no_grad,
    nonfinite,
    not_differentiable,
    not_in_loss,
    not_in_optimizer,
    numbers_out,
    overwritten,
    rebuilt,
    unused,
    zero_gradient,
)

BROKEN = (
    *frozen.CASES,
    *gated.CASES,
    *unused.CASES,
    *no_grad.CASES,
    *detached.CASES,
    *detached_loops.CASES,
    *inner_loops.CASES,
    *rebuilt.CASES,
    *numbers_out.CASES,
    *not_differentiable.CASES,
    *not_in_loss.CASES,
    *zero_gradient.CASES,
    *masks.CASES,
    *nonfinite.CASES,
    *overwritten.CASES,
    *not_in_optimizer.CASES,
    *no_backward.CASES,
)

HEALTHY = (
    *healthy.CASES,
    *healthy_families.CASES,
    *healthy_loops.CASES,
    *healthy_gradients.CASES,
    *inner_loops.HEALTHY,
    *numbers_out.HEALTHY,
    *masks.HEALTHY,
)
