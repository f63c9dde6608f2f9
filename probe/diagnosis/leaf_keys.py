"""What the leaves of a step are known by: the parameters of the models that they stand for."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from ..torch_compat.fsdp import ShardedGroups


class LeafKeys:
    """Knows a whole parameter of ``fully_shard`` (FSDP2) as the part of it that this rank keeps.

    Models and optimizers have the parts, by which parameters are known everywhere else; forwards
    are given the whole parameters, which the first of them makes.
    """

    def __init__(self, known: Iterable[Tensor] = (), sharded: ShardedGroups | None = None) -> None:
        """``known``: the parameters of the models; ``sharded``: the groups that parts belong to."""
        self._known = {id(parameter) for parameter in known}
        self._sharded = ShardedGroups({}) if sharded is None else sharded
        self._parts: dict[int, Tensor] = {}
        """By ``id`` of the whole parameter."""
        self.wholes: list[Tensor] = []
        """The whole parameters that there are."""
        self.waits = False
        """Some parts have no whole parameter yet, as far as is known."""
        self._learn()

    def of(self, leaf: Tensor) -> int:
        """Return the ``id`` of the parameter that a leaf stands for; else that of the leaf."""
        key = id(leaf)
        if key in self._known:
            return key
        if self.waits and key not in self._parts and isinstance(leaf, nn.Parameter):
            self._learn()
        part = self._parts.get(key)
        return key if part is None else id(part)

    def is_parameter(self, key: int) -> bool:
        """Return whether something is known by a parameter of the models."""
        return key in self._known

    def part_of(self, leaf: Tensor) -> Tensor | None:
        """Return the part that a whole parameter stands for; None for any other leaf."""
        return None if self.of(leaf) == id(leaf) else self._parts[id(leaf)]

    def is_part(self, key: int) -> bool:
        """Return whether a parameter is a part, which forwards have used a whole one for."""
        return any(id(part) == key for part in self._parts.values())

    def follows(self, leaf: Tensor) -> bool:
        """Return whether a whole parameter requires a gradient just if its part does.

        FSDP2 has it do so before each forward; the script may set either of the two.
        """
        part = self._parts.get(id(leaf))
        return part is not None and part.requires_grad == leaf.requires_grad

    def _learn(self) -> None:
        pairs = self._sharded.wholes()
        self._parts = {id(whole): part for whole, part in pairs}
        self.wholes = [whole for whole, _ in pairs]
        self.waits = len(pairs) < len(self._sharded.parameters())
