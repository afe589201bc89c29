"""The state of a module that an adapter could leave changed: hooks, instance attributes, flags."""

from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import _get_current_function_mode_stack

_FUNCTIONS = (FunctionType, BuiltinFunctionType, staticmethod, classmethod)
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@dataclass(frozen=True)
class ModuleState:
    """The parts of a module's state that an adapter could change; equal when the module was restored."""

    parts: dict[str, Any]

    def missing(self, other: "ModuleState") -> list[str]:
        """Names of what differs."""
        return sorted(key for key in {*self.parts, *other.parts} if self.parts.get(key) != other.parts.get(key))


def module_state(module: nn.Module) -> ModuleState:
    """Records hooks, instance attributes and flags of a module and its submodules, the functions of their classes and of
    `torch.nn.functional`, and whether gradients are enabled."""
    parts: dict[str, Any] = {"torch.is_grad_enabled()": torch.is_grad_enabled()}
    parts["torch's function modes"] = [id(mode) for mode in _get_current_function_mode_stack()]
    owners = {cls for part in module.modules() for cls in type(part).__mro__ if cls is not object}
    for owner in (F, *owners):
        shown = owner.__name__ if owner is F else f"{owner.__module__}.{owner.__qualname__}"
        parts |= {f"{shown}.{key}": id(value) for key, value in list(vars(owner).items()) if isinstance(value, _FUNCTIONS)}
    for name, part in module.named_modules():
        where = name or type(module).__name__
        for hooks in _HOOKS:
            parts[f"{where}.{hooks}"] = list(getattr(part, hooks))
        for key, value in vars(part).items():
            if not key.startswith("_") or key == "_diffusers_hook":
                parts[f"{where}.{key}"] = id(value) if callable(value) or not isinstance(value, str | int | float | bool) else value
    for name, p in module.named_parameters():
        parts[f"{name}.requires_grad"] = p.requires_grad
        parts[f"{name}.grad"] = p.grad is None
    return ModuleState(parts)
