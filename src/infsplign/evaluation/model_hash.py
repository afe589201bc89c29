"""One hash for all weights of a pipeline."""

import hashlib
import json
from typing import Any

import torch


def model_hash(pipe: Any) -> str:
    """SHA-256 over the weights of a pipeline's modules, by name, and the vocabularies of its tokenizers."""
    digest = hashlib.sha256()
    for name, component in sorted(pipe.components.items()):
        if isinstance(component, torch.nn.Module):
            for key, tensor in sorted(component.state_dict().items()):
                digest.update(f"{name}.{key} {tuple(tensor.shape)} {tensor.dtype}".encode())
                digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        elif hasattr(component, "get_vocab"):
            digest.update(json.dumps(sorted(component.get_vocab().items())).encode())
    return digest.hexdigest()
