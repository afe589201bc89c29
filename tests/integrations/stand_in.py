"""A stand-in for the calls of ComfyUI that the nodes use, written from its documentation: no weights, no files, no server.

`installed` puts it where `import comfy...` finds it. `integrations/comfyui/check_real_core.py` checks the same against ComfyUI itself.
"""

import copy
import itertools
import re
import sys
import types
from types import SimpleNamespace

import torch
from torch import nn

from tests import tiny

CHUNK, WIDTH = 77, 16
SIGMAS = torch.linspace(0.03, 14.6, 1000)
WEIGHTED = re.compile(r"\(((?:[^()\\]|\\.)*):([\d.]+)\)")


def installed(monkeypatch):
    """Makes `comfy.samplers` and `comfy.ldm.modules.attention` importable for a test."""
    for name in ("comfy", "comfy.samplers", "comfy.ldm", "comfy.ldm.modules", "comfy.ldm.modules.attention"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["comfy.samplers"].calc_cond_batch = calc_cond_batch
    sys.modules["comfy.ldm.modules.attention"].attention_pytorch = attention_pytorch


def attention_pytorch(q, k, v, heads, **_options):
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    return torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class WithoutBackward(torch.autograd.Function):
    """An attention kernel that has no gradient, as those of Sage attention."""

    @staticmethod
    def forward(ctx, q, k, v, heads):
        return attention_pytorch(q, k, v, heads)

    @staticmethod
    def backward(ctx, *gradients):
        raise NotImplementedError("this kernel has no backward pass")


class Attention(nn.Module):
    def __init__(self, channels, context, heads=2):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k, self.to_v = nn.Linear(context, channels, bias=False), nn.Linear(context, channels, bias=False)
        self.to_out = nn.Linear(channels, channels)

    def forward(self, x, context, value, options):
        inputs = self.to_q(x), self.to_k(context), self.to_v(value), self.heads
        override = options.get("optimized_attention_override")
        return self.to_out(override(WithoutBackward.apply, *inputs) if override else WithoutBackward.apply(*inputs))


class Block(nn.Module):
    def __init__(self, channels, context):
        super().__init__()
        self.attn1, self.attn2 = Attention(channels, channels), Attention(channels, context)

    def forward(self, x, context, options):
        n = _norm(x)
        x = x + self.attn1(n, n, n, options)
        extra = {key: value for key, value in options.items() if key not in ("patches", "patches_replace")}
        n, value = _norm(x), context
        for patch in options.get("patches", {}).get("attn2_patch", []):
            n, context, value = patch(n, context, value, extra | {"n_heads": 2, "dim_head": n.shape[-1] // 2})
        return x + self.attn2(n, context, value, options)


class SpatialTransformer(nn.Module):
    def __init__(self, channels, context, depth):
        super().__init__()
        self.transformer_blocks = nn.ModuleList(Block(channels, context) for _ in range(depth))

    def forward(self, x, context, options):
        height, width = x.shape[-2:]
        options["activations_shape"] = list(x.shape)
        y = x.flatten(2).transpose(1, 2)
        for index, block in enumerate(self.transformer_blocks):
            options["block_index"] = index
            y = block(y, context, options)
        return x + y.transpose(1, 2).unflatten(2, (height, width))


class Upsample(nn.Upsample):
    """ComfyUI's name of the layer that ends a level."""


class UNet(nn.Module):
    """Output blocks as in Stable Diffusion, behind one convolution; `levels` has for each block how many transformer blocks it has."""

    def __init__(self, levels=((0, 0), (1, 1), (1, 1)), channels=8, context=WIDTH):
        super().__init__()
        self.down = nn.Conv2d(4, channels, 2 ** (len(levels) - 1), 2 ** (len(levels) - 1))
        self.output_blocks = nn.ModuleList()
        for number, level in enumerate(levels):
            for place, depth in enumerate(level):
                layers = [nn.Conv2d(channels, channels, 3, padding=1)]
                layers += [SpatialTransformer(channels, context, depth)] if depth else []
                layers += [Upsample(scale_factor=2)] if place + 1 == len(level) and number + 1 < len(levels) else []
                self.output_blocks.append(nn.ModuleList(layers))
        self.out = nn.Conv2d(channels, 4, 1)

    def forward(self, x, context, control, options):
        x = self.down(x)
        for number, block in enumerate(self.output_blocks):
            options["block"] = ("output", number)
            if control is not None:
                x += control["output"][0]
            for layer in block:
                x = layer(x, context, options) if isinstance(layer, SpatialTransformer) else layer(x)
        return torch.tanh(self.out(x))  # of the size of noise


class Sampling:
    """`x = x_0 + sigma eps`, of a model that predicts the noise."""

    sigmas = SIGMAS

    def calculate_input(self, sigma, x):
        return x / (_wide(sigma) ** 2 + 1) ** 0.5

    def noise_scaling(self, sigma, noise, latent):
        return latent + _wide(sigma) * noise


class Flow(Sampling):
    def noise_scaling(self, sigma, noise, latent):
        return (1 - _wide(sigma)) * latent + _wide(sigma) * noise


class Model(nn.Module):
    """ComfyUI's model: the U-Net, how its input is scaled, and the patcher that is running it."""

    def __init__(self, unet=None, sampling=None):
        super().__init__()
        self.diffusion_model, self.model_sampling = unet or UNet(), sampling or Sampling()
        self.manual_cast_dtype = self.current_patcher = None
        self.passes = []  # rows of each pass that ended

    def get_dtype(self):
        return next(self.diffusion_model.parameters()).dtype

    def apply_model(self, x, sigma, context, control, options):
        dtype = self.manual_cast_dtype or self.get_dtype()
        x_in = self.model_sampling.calculate_input(sigma, x).to(dtype)
        eps = self.diffusion_model(x_in, context.to(dtype), control, dict(options)).float()
        self.passes.append(len(x))
        return x - _wide(sigma) * eps


class Patcher:
    """A MODEL: its clones share the weights and have options of their own."""

    def __init__(self, model):
        self.model, self.model_options = model, {"transformer_options": {}}

    def clone(self):
        other = Patcher(self.model)
        other.model_options = copy.deepcopy(self.model_options)
        return other

    def get_model_object(self, name):
        return getattr(self.model, name)

    def set_model_sampler_post_cfg_function(self, function):
        self.model_options.setdefault("sampler_post_cfg_function", []).append(function)


def loaded(unet=None, sampling=None):
    """A MODEL whose weights were made under inference mode, as ComfyUI's are."""
    torch.manual_seed(0)
    with torch.inference_mode():
        model = Model(unet() if unet else None, sampling)
        for parameter in model.parameters():
            parameter.copy_(2 * parameter)
    return Patcher(model)


def calc_cond_batch(model, conds, x, sigma, model_options, uncond_first=True):
    """Runs all conditionings of one size as one batch, the last first."""
    found, counts = [torch.zeros_like(x) for _ in conds], [0 for _ in conds]
    parts = [(i, cond) for i, group in enumerate(conds) for cond in group or [] if _runs(cond, sigma)]
    for i, cond in reversed(parts) if uncond_first else parts:
        options = model_options.get("transformer_options", {}) | {"cond_or_uncond": [i], "sigmas": sigma}
        control = cond.get("control")
        control = control and control.get_control(x, sigma, cond, 1, options)
        context = cond["cross_attn"].expand(len(x), -1, -1)
        found[i] = found[i] + model.apply_model(x, sigma, context, control, options)
        counts[i] += 1
    return [total / max(1, count) for total, count in zip(found, counts, strict=True)]


def _runs(cond, sigma):
    return not (sigma[0] > cond.get("timestep_start", float("inf")) or sigma[0] < cond.get("timestep_end", 0.0))


def euler(patcher, positive, negative, x, sigmas, scale=4.0, **order):
    """Samples as ComfyUI does: under inference mode, with a copy of the MODEL's options that holds the sigmas. Returns all `denoised`."""
    seen = []
    with torch.inference_mode():
        x = x.clone()
        options = copy.copy(patcher.model_options)
        options["transformer_options"] = patcher.model_options["transformer_options"] | {"sample_sigmas": sigmas}
        patcher.model.current_patcher = patcher
        try:
            for sigma, sigma_next in itertools.pairwise(sigmas):
                level = sigma * x.new_ones(len(x))
                cond, uncond = calc_cond_batch(patcher.model, [positive, negative], x, level, options, **order)
                denoised = uncond + scale * (cond - uncond)
                args = {"model": patcher.model, "model_options": options, "cond": positive, "uncond": negative, "cond_scale": scale}
                args |= {"sigma": level, "input": x, "cond_denoised": cond, "uncond_denoised": uncond}
                for function in options.get("sampler_post_cfg_function", []):
                    denoised = function(args | {"denoised": denoised})
                seen.append(denoised)
                x = x + (x - denoised) / sigma * (sigma_next - sigma)
        finally:
            patcher.model.current_patcher = None
    return torch.stack(seen)


class Tokenizer:
    """Tokens with weights and word ids in chunks of 77, as ComfyUI's CLIP tokenizers give them."""

    def __init__(self, embeddings=None, width=WIDTH):
        self.bpe, self.embeddings, self.embedding_size = tiny.tokenizer(), embeddings or {}, width
        self.start, self.end = self.bpe.bos_token_id, self.bpe.eos_token_id

    def tokenize_with_weights(self, text, return_word_ids=False):
        groups = [group for part, weight in _segments(text) for group in self._groups(part, weight)]
        chunks = [[(self.start, 1.0, 0)]]
        for word, group in enumerate(groups, 1):
            for token, weight in group:
                if len(chunks[-1]) == CHUNK - 1:
                    chunks[-1].append((self.end, 1.0, 0))
                    chunks.append([(self.start, 1.0, 0)])
                chunks[-1].append((token, weight, word))
        chunks[-1] += [(self.end, 1.0, 0)] * (CHUNK - len(chunks[-1]))
        return chunks if return_word_ids else [[entry[:2] for entry in chunk] for chunk in chunks]

    def _groups(self, text, weight):
        for part in re.split(r"(embedding:[^\s,]+)", text):
            name = part.removeprefix("embedding:")
            if name != part and name in self.embeddings:
                yield [(vector, weight) for vector in self.embeddings[name]]
            elif name == part and part.strip():
                yield [(token, weight) for token in self.bpe(part)["input_ids"][1:-1]]

    def untokenize(self, pairs):
        return [(pair, self.bpe.convert_ids_to_tokens(pair[0])) for pair in pairs]


def _segments(text):
    """A text's pieces and their weights: "a (cat:1.2)" is "a " at 1 and "cat" at 1.2. "\\(" is a bracket."""
    place, found = 0, []
    for match in WEIGHTED.finditer(text):
        found += [(text[place : match.start()], 1.0), (match[1], float(match[2]))]
        place = match.end()
    return [(re.sub(r"\\([()])", r"\1", part), weight) for part, weight in [*found, (text[place:], 1.0)] if part]


class Clip:
    """A CLIP whose embedding of a token depends on the tokens before it, as in a causal text encoder."""

    def __init__(self, keys="l", embeddings=None):
        named = {"l": "clip_l", "g": "clip_g", "h": "clip_h", "t5xxl": "t5xxl"}
        self.keys = list(keys)
        given = {key: Tokenizer((embeddings or {}).get(key)) for key in self.keys}
        self.tokenizer = SimpleNamespace(**{named[key]: tokenizer for key, tokenizer in given.items()})
        self.given = given
        self.table = torch.randn(len(tiny.tokenizer()), WIDTH // len(self.keys), generator=torch.Generator().manual_seed(0))

    def tokenize(self, text, return_word_ids=False):
        return {key: tokenizer.tokenize_with_weights(text, return_word_ids) for key, tokenizer in self.given.items()}

    def encode_from_tokens_scheduled(self, tokens):
        encoders = [torch.cat([self._chunk(chunk) for chunk in chunks]) for chunks in tokens.values()]
        length = min(map(len, encoders))
        return [[torch.cat([encoder[:length] for encoder in encoders], -1)[None], {}]]

    def _chunk(self, chunk):
        rows = [token[: self.table.shape[1]] if isinstance(token, torch.Tensor) else self.table[token] for token, _ in chunk]
        running = torch.zeros_like(rows[0])
        found = []
        for row, (_, weight) in zip(rows, chunk, strict=True):
            running = 0.5 * running + row
            found.append(weight * running)
        return torch.stack(found)

    def encode(self, text):
        return self.encode_from_tokens_scheduled(self.tokenize(text))[0][0]


def conditioning(clip, text, **more):
    """One conditioning as post-CFG functions get it."""
    with torch.inference_mode():
        return {"cross_attn": clip.encode(text), **more}


def _norm(x):
    return torch.nn.functional.layer_norm(x, x.shape[-1:])


def _wide(sigma):
    return sigma.reshape(-1, 1, 1, 1)
