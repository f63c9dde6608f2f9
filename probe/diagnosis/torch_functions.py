"""What kinds of torch functions there are, as far as the flow of gradient goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..torch_compat.grad_scaler import UNSCALE

ATTRIBUTES = frozenset(
    {
        ("data", "__get__"),
        ("data", "__set__"),
        ("grad", "__set__"),
        ("grad", "__delete__"),
        ("requires_grad", "__set__"),
        ("T", "__get__"),
        ("mT", "__get__"),
        ("H", "__get__"),
        ("mH", "__get__"),
        ("real", "__get__"),
        ("imag", "__get__"),
    }
)
"""Attributes of tensors that give or change a tensor; the others are passed by."""

BACKWARDS = frozenset({"backward", "grad"})
"""``Tensor.backward``, ``torch.autograd.backward`` and ``torch.autograd.grad``."""

SHAPE_OF_ALL = frozenset(
    {
        "zeros_like",
        "ones_like",
        "empty_like",
        "full_like",
        "rand_like",
        "randn_like",
        "randint_like",
        "new_zeros",
        "new_ones",
        "new_empty",
        "new_full",
        "new_empty_strided",
    }
)
"""Their result depends on no value of what they take."""

SHAPE_OF_OTHERS = frozenset({"view_as", "expand_as", "reshape_as", "type_as", "resize_as_"})
"""Their result depends on the values of the first tensor alone."""

_NUMBERS = frozenset(
    {
        "item",
        "tolist",
        "numpy",
        "__array__",
        "__float__",
        "__int__",
        "__index__",
        "__complex__",
        "__dlpack__",
    }
)

LEAVES_TORCH = _NUMBERS | {"__format__", "data_ptr"}
"""They hand values on to where autograd does not follow."""

_WRITES_UNCOUNTED = frozenset(
    {
        "numpy",
        "__array__",
        "__dlpack__",
        "data_ptr",
        "untyped_storage",
        UNSCALE,
    }
)


def writes_unseen(function: Callable[..., Any], name: str) -> bool:
    """Return whether a function may write to what it takes, now or later, and not count as one.

    So do collectives, and what hands the memory on.
    """
    module = getattr(function, "__module__", None) or ""
    return name in _WRITES_UNCOUNTED or module.startswith("torch.distributed")


ENTERS_TORCH = frozenset(
    {
        "tensor",
        "as_tensor",
        "asarray",
        "from_numpy",
        "scalar_tensor",
        "full",
        "new_tensor",
        "new_full",
        "full_like",
        "fill_",
        "from_dlpack",
        "frombuffer",
    }
)
"""They make tensors out of numbers."""

COMPUTES = ENTERS_TORCH | {
    "add",
    "add_",
    "sub",
    "sub_",
    "mul",
    "mul_",
    "div",
    "div_",
    "pow",
    "pow_",
    "true_divide",
    "multiply",
    "__rsub__",
    "__rdiv__",
    "__rpow__",
    "__setitem__",
}
"""They compute with the numbers that they are given."""

DETACHES = _NUMBERS | {
    "detach",
    "detach_",
    "data",
    "data =",
    "tensor",
    "as_tensor",
    "asarray",
    "new_tensor",
    "__deepcopy__",
    "requires_grad_",
}
"""They give the same values without their past."""

NO_DERIVATIVE = frozenset(
    {
        "argmax",
        "argmin",
        "argsort",
        "argwhere",
        "nonzero",
        "searchsorted",
        "bucketize",
        "one_hot",
        "multinomial",
        "bernoulli",
        "poisson",
        "histc",
        "unique",
        "count_nonzero",
        "all",
        "any",
        "isfinite",
        "isnan",
        "isinf",
        "isclose",
        "gt",
        "lt",
        "ge",
        "le",
        "eq",
        "ne",
        "logical_and",
        "logical_or",
        "logical_not",
        "logical_xor",
        "signbit",
        "floor_divide",
    }
)
"""Their result has no derivative at all."""

FLAT = frozenset(
    {
        "round",
        "floor",
        "ceil",
        "trunc",
        "fix",
        "sign",
        "sgn",
        "heaviside",
        "round_",
        "floor_",
        "ceil_",
        "trunc_",
        "sign_",
        "bernoulli",
        "fake_quantize_per_tensor_affine",
    }
)
"""Their derivative is zero wherever there is one."""

MASKS = frozenset(
    {"masked_fill", "masked_fill_", "where", "full", "full_like", "triu", "tril", "fill_"}
)
"""They put infinities where they are meant."""

PRODUCTS = frozenset(
    {
        "linear",
        "bilinear",
        "matmul",
        "__matmul__",
        "__rmatmul__",
        "mm",
        "mv",
        "bmm",
        "dot",
        "inner",
        "outer",
        "einsum",
        "addmm",
        "addbmm",
        "baddbmm",
        "conv1d",
        "conv2d",
        "conv3d",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
        "mul",
        "mul_",
        "multiply",
        "layer_norm",
        "rms_norm",
        "group_norm",
    }
)
"""They multiply their first two tensors (those after the first, where they add to it): where one
is all zeros, so is the gradient of the other."""

_QUOTIENTS = frozenset({"div", "true_divide", "divide", "truediv", "itruediv", "idiv"})
_POWERS = frozenset({"pow", "ipow", "float_power"})

SINGULAR = (
    _QUOTIENTS
    | _POWERS
    | frozenset(
        {
            "rtruediv",
            "rdiv",
            "rpow",
            "reciprocal",
            "sqrt",
            "rsqrt",
            "log",
            "log2",
            "log10",
            "log1p",
            "exp",
            "exp2",
            "expm1",
            "cosh",
            "sinh",
            "acos",
            "arccos",
            "asin",
            "arcsin",
            "acosh",
            "arccosh",
            "atanh",
            "arctanh",
            "hypot",
            "logit",
            "erfinv",
            "lgamma",
            "digamma",
            "xlogy",
            "det",
            "logdet",
            "slogdet",
            "inverse",
            "inv",
            "solve",
            "cholesky",
            "svd",
            "eigh",
            "eig",
            "qr",
        }
    )
)
"""They have finite inputs, none of them huge, at which their value or their derivative is not
finite (norms, ``std`` and ``prod`` have none); names without the underscores around them and the
prefix of ``torch.linalg``."""


def is_singular(name: str) -> bool:
    """Return whether a function has finite inputs at which it, or its derivative, is not."""
    return name.strip("_").removeprefix("linalg_") in SINGULAR


def is_smooth(name: str, args: Sequence[Any]) -> bool:
    """Return whether a singular function is given a number that takes its bad points away."""
    number = args[1] if len(args) > 1 else None
    if not isinstance(number, (int, float)):
        return False
    bare = name.strip("_")
    whole = number >= 1 and float(number).is_integer()
    return (bare in _QUOTIENTS and number != 0) or (bare in _POWERS and whole)


CASTS = frozenset(
    {"to", "type", "type_as", "float", "half", "bfloat16", "double"}
    | {"long", "int", "short", "byte", "char", "bool"}
)
"""They give the same values in another type."""

OVERWRITES = frozenset({"zero_", "fill_", "copy_", "__setitem__", "masked_fill_"})
"""They write values over others."""

RECTIFIES = frozenset(
    {"relu", "relu6", "threshold", "hardtanh", "hardswish", "hardsigmoid", "prelu", "elu", "celu"}
    | {"selu", "gelu", "silu", "mish", "softplus", "leaky_relu", "hardshrink", "softshrink"}
    | {"clamp", "clip", "clamp_min", "maximum", "max"}
)
"""They are flat on one side, or may be."""

SATURATES = frozenset({"sigmoid", "tanh", "softsign", "logsigmoid", "erf"})
"""They are flat far from zero."""

SELECTS = frozenset(
    {"maximum", "minimum", "max", "min", "amax", "amin", "topk", "sort", "kthvalue", "median"}
    | {"max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d"}
    | {"fmax", "fmin"}
)
"""They choose among values by their size."""

JOINS = frozenset({"cat", "concat", "stack", "hstack", "vstack", "dstack", "column_stack"})
"""They put tensors side by side."""

NORMALIZES = frozenset(
    {"layer_norm", "batch_norm", "group_norm", "instance_norm", "rms_norm", "local_response_norm"}
)
"""They bring what they are given to one size."""

REDUCES = frozenset(
    {"mean", "sum", "nansum", "add", "mul", "div", "__rmul__", "reshape", "view", "flatten"}
    | {"squeeze", "float", "to", "neg", "sub"}
)
"""They make a number of many, or take parts in that."""

MARGINS = frozenset(
    {"margin_ranking_loss", "hinge_embedding_loss", "triplet_margin_loss", "multi_margin_loss"}
    | {"triplet_margin_with_distance_loss", "multilabel_margin_loss", "cosine_embedding_loss"}
)
"""Losses that are zero beyond a margin."""

LABELLED = frozenset({"cross_entropy", "nll_loss"})
"""Losses that leave out rows by their label."""

PASSES = frozenset(
    {"__getitem__", "unsqueeze", "squeeze", "view", "reshape", "expand", "expand_as", "flatten"}
    | {"permute", "transpose", "t", "T", "mT", "narrow", "select", "contiguous", "clone"}
) | (CASTS - {"bool"})
"""They give what they are given in another shape or type, or a part of it."""

ATTENDS = frozenset(
    {"softmax", "log_softmax", "scaled_dot_product_attention", "multi_head_attention_forward"}
)
"""They take minus infinity for what is masked, and give NaN where all of a row is."""

ADDS = frozenset({"add", "add_", "sub", "baddbmm", "addmm"})
"""They add a mask to scores."""
