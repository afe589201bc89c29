"""Comparing arrays of any library, and gradients with central differences."""

import numpy as np
import torch


def to_numpy(x):
    return x.detach().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)


def assert_close(actual, expected, *, atol=1e-12, rtol=0.0):
    np.testing.assert_allclose(to_numpy(actual), to_numpy(expected), atol=atol, rtol=rtol)


def gradient(f, x):
    """Gradient of the sum of `f`, (B, ...) -> (B,), at `x`."""
    x = torch.asarray(x).clone().requires_grad_()
    return torch.autograd.grad(f(x).sum(), x)[0]


def central_difference(f, x, step=1e-6):
    """Gradient of `f`, (B, ...) -> (B,), at the single row `x` (...): every element is moved in a row of its own."""
    x = torch.asarray(x)
    moves = step * torch.eye(x.numel(), dtype=x.dtype).reshape(-1, *x.shape)
    return ((f(x + moves) - f(x - moves)) / (2 * step)).reshape(x.shape)


def assert_gradient(f, x, *, atol=1e-7, rtol=1e-6):
    """Autograd and central differences agree at the single row `x`, and the gradient is not zero throughout."""
    found = gradient(f, x[None])[0]
    assert float(found.abs().max()) > 1e-6
    assert_close(found, central_difference(f, x), atol=atol, rtol=rtol)
