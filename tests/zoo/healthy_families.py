"""Kinds of models that people train, each as small as it can be, and all right."""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

from .case import Case, Job, classifier, inputs


class MixtureOfExperts(nn.Module):
    """Sends each row to the two of three experts that a router scores highest."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(6, 3)
        self.experts = nn.ModuleList(nn.Linear(6, 6) for _ in range(3))
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = self.router(x).softmax(-1).topk(2, dim=-1)
        mixed = torch.zeros_like(x)
        for k, expert in enumerate(self.experts):
            rows, place = (chosen == k).nonzero(as_tuple=True)
            mixed = mixed.index_add(0, rows, weights[rows, place, None] * expert(x[rows]))
        return self.head(mixed)  # type: ignore[no-any-return]


class UNet(nn.Module):
    """Predicts the noise in a signal at a time, with a skip around its lower half."""

    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 8))
        self.down = nn.Conv1d(1, 8, 3, stride=2, padding=1)
        self.norm = nn.GroupNorm(2, 8)
        self.middle = nn.Conv1d(8, 8, 3, padding=1)
        self.up = nn.ConvTranspose1d(16, 8, 4, stride=2, padding=1)
        self.out = nn.Conv1d(8, 1, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        angles = t[:, None] * torch.tensor([1.0, 4.0])
        time = self.time(torch.cat([angles.sin(), angles.cos()], -1))
        low = F.silu(self.norm(self.down(x)) + time[:, :, None])
        low = torch.cat([low, F.silu(self.middle(low))], 1)
        return self.out(F.silu(self.up(low)))  # type: ignore[no-any-return]


def diffusion_with_an_average() -> Job:
    """Denoises, and keeps an exponential moving average of the weights."""
    model = UNet()
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    clean = torch.randn(4, 1, 8)

    def step() -> None:
        optimizer.zero_grad()
        t, noise = torch.rand(4), torch.randn_like(clean)
        keep = torch.cos(t * math.pi / 2)[:, None, None]
        noisy = keep * clean + (1 - keep.square()).sqrt() * noise
        F.mse_loss(model(noisy, t), noise).backward()
        average.update_parameters(model)

    return Job(model, step, optimizer)


class GraphNetwork(nn.Module):
    """Passes messages along the edges of a ring, twice."""

    def __init__(self) -> None:
        super().__init__()
        self.message = nn.Linear(12, 6)
        self.update = nn.GRUCell(6, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        source = torch.arange(len(x))
        target = (source + 1) % len(x)
        for _ in range(2):
            messages = torch.relu(self.message(torch.cat([x[source], x[target]], -1)))
            gathered = torch.zeros_like(x).index_add(0, target, messages)
            x = self.update(gathered, x)
        return self.head(x)  # type: ignore[no-any-return]


class Equilibrium(nn.Module):
    """A deep equilibrium model: its fixed point is found without a graph, its gradient implicitly.

    https://arxiv.org/abs/1909.01377
    """

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.inject, self.head = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        with torch.no_grad():
            self.inner.weight.mul_(0.5)

    def cell(self, z: Tensor, x: Tensor) -> Tensor:
        return torch.tanh(self.inner(z) + self.inject(x))

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            z = torch.zeros_like(x)
            for _ in range(20):
                z = self.cell(z, x)
        z = self.cell(z, x)
        start = z.detach().requires_grad_()
        once_more = self.cell(start, x)

        def solve(grad: Tensor) -> Tensor:
            found = grad
            for _ in range(20):
                found = torch.autograd.grad(once_more, start, found, retain_graph=True)[0] + grad
            return found

        if z.requires_grad:
            z.register_hook(solve)
        return self.head(z)  # type: ignore[no-any-return]


def encoder_and_decoder_of_the_library() -> Job:
    """A tiny T5."""
    config = T5Config(
        vocab_size=23,
        d_model=8,
        d_kv=4,
        d_ff=16,
        num_layers=1,
        num_heads=2,
        dropout_rate=0.0,
        decoder_start_token_id=0,
    )
    model = T5ForConditionalGeneration(config)
    optimizer = torch.optim.AdamW(model.parameters())
    tokens, labels = torch.randint(1, 23, (2, 6)), torch.randint(1, 23, (2, 5))

    def step() -> None:
        optimizer.zero_grad()
        model(input_ids=tokens, labels=labels).loss.backward()

    return Job(model, step, optimizer)


def adapters_on_a_llama() -> Job:
    """Low-rank adapters on a frozen llama, past their first step, when B is no longer zero."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=23,
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    lora = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    model = get_peft_model(LlamaForCausalLM(config), lora)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    tokens = torch.randint(23, (2, 6))

    def step() -> None:
        optimizer.zero_grad()
        model(input_ids=tokens, labels=tokens).loss.backward()

    return Job(model, step, optimizer)


def sharpness_aware() -> Job:
    """Climbs to the worst weights nearby, and takes the gradient there.

    https://arxiv.org/abs/2010.01412
    """
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = inputs(), torch.arange(8) % 3

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        with torch.no_grad():
            norm = nn.utils.get_total_norm([p.grad for p in model.parameters()])
            climbs = [0.05 * p.grad / norm for p in model.parameters() if p.grad is not None]
            for parameter, climb in zip(model.parameters(), climbs, strict=True):
                parameter.add_(climb)
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        with torch.no_grad():
            for parameter, climb in zip(model.parameters(), climbs, strict=True):
                parameter.sub_(climb)

    return Job(model, step, optimizer)


def momentum_contrast() -> Job:
    """MoCo: keys by an encoder that follows the query's, and a queue of earlier keys.

    https://arxiv.org/abs/1911.05722
    """
    query = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
    key = copy.deepcopy(query).requires_grad_(False)
    optimizer = torch.optim.SGD(query.parameters(), lr=0.1)
    x, queue = inputs(), F.normalize(torch.randn(16, 4))

    def step() -> None:
        nonlocal queue
        optimizer.zero_grad()
        with torch.no_grad():
            for kept, now in zip(key.parameters(), query.parameters(), strict=True):
                kept.lerp_(now, 0.01)
            keys = F.normalize(key(x + 0.1 * torch.randn_like(x)))
        queries = F.normalize(query(x + 0.1 * torch.randn_like(x)))
        positive = (queries * keys).sum(-1, keepdim=True)
        logits = torch.cat([positive, queries @ queue.T], 1) / 0.1
        F.cross_entropy(logits, torch.zeros(len(x), dtype=torch.long)).backward()
        queue = torch.cat([keys, queue])[:16]

    return Job(query, step, optimizer)


def proximal_policy() -> Job:
    """PPO: a clipped ratio to an older policy, a value and an entropy.

    https://arxiv.org/abs/1707.06347
    """
    body, actor, critic = nn.Linear(6, 8), nn.Linear(8, 3), nn.Linear(8, 1)
    models = {"body": body, "actor": actor, "critic": critic}
    optimizer = torch.optim.Adam([p for each in models.values() for p in each.parameters()])
    observations, advantages, returns = inputs(), torch.randn(8), torch.randn(8)
    with torch.no_grad():
        older = torch.distributions.Categorical(logits=actor(torch.tanh(body(observations))))
        actions = older.sample()
        older_log = older.log_prob(actions) + 0.05 * torch.randn(8)

    def step() -> None:
        optimizer.zero_grad()
        h = torch.tanh(body(observations))
        policy = torch.distributions.Categorical(logits=actor(h))
        ratio = (policy.log_prob(actions) - older_log).exp()
        clipped = ratio.clamp(0.8, 1.2)
        surrogate = -torch.min(ratio * advantages, clipped * advantages).mean()
        value = F.mse_loss(critic(h).squeeze(1), returns)
        (surrogate + 0.5 * value - 0.01 * policy.entropy().mean()).backward()

    return Job(models, step, optimizer)


class Variational(nn.Module):
    """A variational autoencoder, with the trick of reparameterisation."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(6, 4), nn.Linear(2, 6)

    def forward(self, x: Tensor) -> Tensor:
        mean, log_variance = self.encoder(x).chunk(2, -1)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        divergence = 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(-1)
        return (F.mse_loss(self.decoder(z), x, reduction="none").sum(-1) + divergence).mean()


def variational() -> Job:
    model = Variational()
    optimizer = torch.optim.Adam(model.parameters())
    x = inputs()

    def step() -> None:
        optimizer.zero_grad()
        model(x).backward()

    return Job(model, step, optimizer)


def bootstrapped_latents() -> Job:
    """BYOL: a predictor of what a slower copy makes, with a stop on that side.

    https://arxiv.org/abs/2006.07733
    """
    online, predictor = nn.Linear(6, 4), nn.Linear(4, 4)
    target = copy.deepcopy(online)
    optimizer = torch.optim.SGD([*online.parameters(), *predictor.parameters()], lr=0.1)
    x = inputs()

    def step() -> None:
        optimizer.zero_grad()
        first, second = x + 0.1 * torch.randn_like(x), x + 0.1 * torch.randn_like(x)
        loss = torch.zeros(())
        for one, other in ((first, second), (second, first)):
            goal = target(other).detach()
            loss = loss + 1 - F.cosine_similarity(predictor(online(one)), goal).mean()
        loss.backward()
        with torch.no_grad():
            for kept, now in zip(target.parameters(), online.parameters(), strict=True):
                kept.lerp_(now, 0.01)

    return Job({"online": online, "predictor": predictor}, step, optimizer)


def actor_and_critic_with_targets() -> Job:
    """DDPG: two networks with an optimizer each; the actor's loss runs through the critic.

    https://arxiv.org/abs/1509.02971
    """
    actor = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2), nn.Tanh())
    critic = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))
    slow_actor, slow_critic = copy.deepcopy(actor), copy.deepcopy(critic)
    for_actor = torch.optim.Adam(actor.parameters())
    for_critic = torch.optim.Adam(critic.parameters())
    states, later, rewards = inputs(), inputs(), torch.randn(8, 1)
    actions = torch.rand(8, 2) * 2 - 1

    def step() -> None:
        for_actor.zero_grad()
        (-critic(torch.cat([states, actor(states)], -1)).mean()).backward()
        for_critic.zero_grad()
        with torch.no_grad():
            value = slow_critic(torch.cat([later, slow_actor(later)], -1))
        guess = critic(torch.cat([states, actions], -1))
        F.mse_loss(guess, rewards + 0.9 * value).backward()

    return Job({"actor": actor, "critic": critic}, step, [for_actor, for_critic])


LLAMA = "base_model.model.model"
FROZEN_LLAMA = dict.fromkeys(
    (
        f"{LLAMA}.embed_tokens.weight",
        f"{LLAMA}.norm.weight",
        "base_model.model.lm_head.weight",
        *(
            f"{LLAMA}.layers.{layer}.{name}.weight"
            for layer in range(2)
            for name in (
                *(f"self_attn.{each}_proj.base_layer" for each in "qv"),
                *(f"self_attn.{each}_proj" for each in "ko"),
                *(f"mlp.{each}_proj" for each in ("gate", "up", "down")),
                "input_layernorm",
                "post_attention_layernorm",
            )
        ),
    ),
    "frozen_by_script",
)
"""What the script froze on purpose, which is said and is no fault."""

CASES = (
    Case("mixture_of_experts", lambda: classifier(MixtureOfExperts())),
    Case("diffusion_with_an_average", diffusion_with_an_average),
    Case("graph_network", lambda: classifier(GraphNetwork())),
    Case("deep_equilibrium", lambda: classifier(Equilibrium())),
    Case("encoder_and_decoder_of_the_library", encoder_and_decoder_of_the_library),
    Case("adapters_on_a_llama", adapters_on_a_llama, FROZEN_LLAMA),
    Case("sharpness_aware", sharpness_aware),
    Case("momentum_contrast", momentum_contrast),
    Case("proximal_policy", proximal_policy),
    Case("variational", variational),
    Case("bootstrapped_latents", bootstrapped_latents),
    Case("actor_and_critic_with_targets", actor_and_critic_with_targets),
)
