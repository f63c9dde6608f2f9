"""Every model of the zoo that ``fully_shard`` can train is explained as it is without."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.optim import Optimizer

from gradgate import probe

from .case import Case, Job
from .cases import BROKEN, HEALTHY
from .conftest import commanded

# As some models do on purpose; torch says it once in a process.
pytestmark = [
    pytest.mark.usefixtures("alone"),
    pytest.mark.filterwarnings("ignore:Converting a tensor"),
    pytest.mark.filterwarnings("ignore:DTensor random operators"),
    pytest.mark.filterwarnings("ignore:FSDP2-wrapped module"),
]

NOT_TRAINED = {
    "a weight outside of a forward is a DTensor": """
        weight_from_a_state_dict start_of_truncated_backpropagation stacked_copies much_logging
        one_row_kept_by_a_mask diffusion_with_an_average momentum_contrast bootstrapped_latents
        averaged_copy masked_rows balanced_experts quantised_by_numpy slope_by_torch_func
        learner_has_the_state
    """,
    "autograd.grad is asked for parts, which no forward works with": """
        fast_weights_under_no_grad fast_weights_of_data outer_loss_by_grad_too
        learned_loss_of_no_use learned_rates_as_numbers distilled_data outer_loss_forgotten
        maml_of_the_second_order maml_of_the_first_order almost_no_inner_loop learned_rates
        balanced_losses
    """,
    "it is copied": """
        learner_is_a_deep_copy gradients_of_a_copy gradients_of_a_copy_handed_back reptile
    """,
    "a gradient of a second order finds the weights given back": "gradient_penalty",
    "a weight that was made whole for inference has no count of writes": """
        trained_after_an_evaluation
    """,
    "sparse gradients are not reduced": "rows_that_never_occur_sparse",
}
"""Cases that raise under ``fully_shard`` by themselves, and why."""
OTHERWISE = {
    "flat_buffer_cleared": "a reduced gradient is a new tensor, and none of the buffer's",
    "gradients_of_tasks_without_conflict": "what is put into whole parameters reaches no optimizer",
    "thawed_after_the_forward": "the flag of a whole parameter is not that of its part",
}
"""Cases in which something else goes wrong there, and what."""
RAISES = {name for names in NOT_TRAINED.values() for name in names.split()}
EVERY = (*BROKEN, *HEALTHY)
TRAINED = [each for each in EVERY if each.name not in RAISES | set(OTHERWISE)]


def sharded(job: Job) -> Job:
    """Shard the models of a job, and give its optimizers the parts."""
    models = [job.model] if isinstance(job.model, nn.Module) else list(job.model.values())
    before = [dict(model.named_parameters(remove_duplicate=False)) for model in models]
    mesh = init_device_mesh("cpu", (1,))
    for model in models:
        shard(model, mesh)
    parts: dict[int, nn.Parameter] = {}
    for model, whole in zip(models, before, strict=True):
        for name, part in model.named_parameters(remove_duplicate=False):
            parts[id(whole[name])] = part
    given = job.optimizer
    for optimizer in [given] if isinstance(given, Optimizer) else given or ():
        for group in optimizer.param_groups:
            group["params"] = [parts.get(id(each), each) for each in group["params"]]
    return job


def shard(model: nn.Module, mesh: DeviceMesh) -> None:
    """Shard a model; of one without a forward, such as a ModuleDict, what is in it."""
    if type(model).forward is nn.Module.forward:
        for child in model.children():
            shard(child, mesh)
        return
    scalars = {parameter for parameter in model.parameters() if parameter.dim() == 0}
    fully_shard(model, mesh=mesh, ignored_params=scalars)


def explained(case: Case) -> Mapping[str, probe.Explanation]:
    with commanded(case, sharded) as job:
        return probe.explain(job.model, job.closure, job.optimizer)


@pytest.mark.exhaustive(50)
@pytest.mark.parametrize("case", TRAINED, ids=str)
def test_a_sharded_model_gets_its_causes_and_lines(case: Case) -> None:
    """Those of the same model in one piece, also in its very first step."""
    found = explained(case)
    assert {name: each.cause for name, each in found.items()} == case.expected
    for name, explanation in found.items():
        places = case.places(name)
        where = explanation.where
        assert where in places if places else where is None, f"{name}: {where}"


@pytest.mark.exhaustive(0)
@pytest.mark.parametrize("case", [each for each in EVERY if each.name in RAISES], ids=str)
def test_what_is_left_out_cannot_be_trained_sharded(case: Case) -> None:
    """Not by the torch that this is written for; where a later one can, nothing wrong is said."""
    job = sharded(case.job())
    try:
        job.closure()
    except (RuntimeError, AssertionError, AttributeError, NotImplementedError):
        return
    for name, each in explained(case).items():
        assert each.cause in (case.expected[name], "unknown")


def test_no_case_is_left_out_that_is_not_there() -> None:
    """A name that no case has would leave out nothing."""
    assert {each.name for each in EVERY} >= RAISES | set(OTHERWISE)
