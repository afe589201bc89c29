"""The operators of CUDA, whose schemas are known on a machine without a GPU too: every argument arrives under its own name."""

import inspect

import pytest
import torch
from torch.nn.attention import SDPBackend

from infsplign.adapters import kernels
from infsplign.adapters.kernels import KERNELS

QUERY, KEY, VALUE, OUT, GRAD = (torch.full((1, 2, n, 8), float(number)) for number, n in enumerate((3, 5, 5, 3, 3)))
MASK = torch.randn(1, 1, 1, 5)
NAMES = {
    "grad_out_": "grad_out",
    "log_sumexp": "logsumexp",
    "rng_state": "philox_seed",  # flash: one tensor holds seed and offset, the other is unused
    "unused": "philox_offset",
}
"""What torch calls by two names."""


class Operators:
    """Stands in for `torch.ops.aten`: binds the arguments of a call to torch's schema, and returns a text for each result."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        schema = getattr(torch.ops.aten, name).default._schema
        parameters = [
            inspect.Parameter(
                argument.name,
                inspect.Parameter.KEYWORD_ONLY if argument.kwarg_only else inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=argument.default_value if argument.has_default_value() else inspect.Parameter.empty,
            )
            for argument in schema.arguments
        ]

        def operator(*args, **kwargs):
            bound = inspect.Signature(parameters).bind(*args, **kwargs)
            bound.apply_defaults()
            self.calls.append((name, {NAMES.get(key, key): value for key, value in bound.arguments.items()}))
            return tuple(NAMES.get(result.name, result.name) or f"gradient {number}" for number, result in enumerate(schema.returns))

        return operator


def same(a, b):
    return torch.equal(a, b) if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) else a == b


ROLES = {"query": QUERY, "key": KEY, "value": VALUE, "dropout_p": 0.0, "is_causal": False, "scale": 0.3}
CASES = [(kernel, masked) for kernel in KERNELS["cuda"] for masked in (False, True) if kernel.masks or not masked]


@pytest.mark.parametrize(("kernel", "masked"), CASES, ids=lambda x: getattr(x, "name", x))
def test_arguments_arrive_under_their_names_and_the_backward_pass_gets_the_results_of_the_forward_pass(kernel, masked, monkeypatch):
    monkeypatch.setattr(kernels, "aten", operators := Operators())
    mask = MASK if masked else None
    out, lse, rest = kernel.forward(QUERY, KEY, VALUE, mask, 0.3)
    assert (out, lse) == ("output", "logsumexp")
    found = kernel.backward(GRAD, QUERY, KEY, VALUE, mask, OUT, lse, rest, 0.3)
    assert len(found) == 3
    (forward, given), (backward, taken) = operators.calls
    assert backward == f"{forward}_backward"
    bias = mask.expand(1, 2, 3, 5) if masked else None
    for name, value in given.items():
        expected = ROLES | {"attn_bias": bias, "compute_log_sumexp": True, "return_debug_mask": False}
        assert same(value, expected[name]), name
    for name, value in taken.items():
        expected = ROLES | {"attn_bias": bias, "out": OUT, "grad_out": GRAD, "grad_input_mask": [True, True, True, False]}
        # all others are results of the forward pass, which have their own names
        assert same(value, expected.get(name, name)), name


def test_each_kernel_is_torch_s_backend_of_its_operator():
    found = {kernel.name: kernel for kernel in KERNELS["cuda"]}
    assert {name: kernel.backend for name, kernel in found.items()} == {
        "flash": SDPBackend.FLASH_ATTENTION,
        "efficient": SDPBackend.EFFICIENT_ATTENTION,
        "cuDNN": SDPBackend.CUDNN_ATTENTION,
    }
    assert {name: (kernel.masks, kernel.aligned, kernel.widest) for name, kernel in found.items()} == {
        "flash": (False, 8, 256),
        "efficient": (True, 8, 1024),
        "cuDNN": (True, 8, 128),
    }
    half = (torch.float16, torch.bfloat16)
    assert {name: set(kernel.dtypes) for name, kernel in found.items()} == {
        "flash": set(half),
        "efficient": {torch.float32, *half},
        "cuDNN": set(half),
    }
    assert KERNELS["cpu"] == KERNELS["meta"] == (kernels.CPU,)
    assert (kernels.CPU.name, kernels.CPU.backend) == ("flash on the CPU", SDPBackend.FLASH_ATTENTION)
    assert set(kernels.CPU.dtypes) == {torch.float64, torch.float32, *half}


@pytest.mark.parametrize(("size", "taken"), [(8, True), (12, False), (256, True), (264, False)])
def test_head_sizes_are_multiples_of_eight_up_to_the_widest(size, taken):
    flash = KERNELS["cuda"][0]
    assert flash.takes(torch.empty(1, 1, 1, size, dtype=torch.float16), masked=False) is taken
