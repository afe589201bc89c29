"""What the trainings of the UNets share: batches of latents with noise and captions, and the weighted loss."""

from dataclasses import dataclass

import torch
from diffusers import DDPMScheduler
from torch import Tensor

from training.pictures.data import latents_and_captions
from training.pictures.text import content
from training.text import encode

DROP = 0.1
"""How often the caption is left out, for classifier-free guidance."""
SCHEDULE = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
MOST_SNR = 5.0
"""min-SNR weighting, arXiv 2303.09556."""
CONTENT_ONLY = 0.75
"""Part of the captions of which the UNet sees the nouns and adjectives alone. A text encoder that is trained along with a UNet may put an
object into whatever word follows it; then the noun's own attention tells nothing about where the object is. In Stable Diffusion, whose
text encoder was trained before, it does."""


@dataclass(frozen=True)
class Batch:
    """A batch.

    Attributes:
        noisy: latents with noise (B, C, H, W).
        timesteps: of the noise (B,).
        ids: token numbers of the captions (B, L).
        dropped: which captions are left out (B, 1).
        seen: which tokens the UNet attends to (B, L).
        target: what is to be predicted (B, C, H, W).
    """

    noisy: Tensor
    timesteps: Tensor
    ids: Tensor
    dropped: Tensor
    seen: Tensor
    target: Tensor


class Denoising:
    """The training set on a device, and the loss of a prediction.

    Args:
        tokenizer: of the captions.
        device: a torch device.
        prediction_type: "epsilon" or "v_prediction".
    """

    def __init__(self, tokenizer, device: str, prediction_type: str) -> None:
        self.device = device
        self.latents, texts = latents_and_captions(device)
        self.several = len(texts[0])
        self.ids = encode(tokenizer, [text for row in texts for text in row]).view(len(texts), self.several, -1).to(device)
        self.empty = encode(tokenizer, [""]).to(device)
        self.content = content(tokenizer).to(device)
        self.scheduler = DDPMScheduler(prediction_type=prediction_type, clip_sample=False, **SCHEDULE)
        alphas = self.scheduler.alphas_cumprod.to(device)
        self.snr = alphas / (1 - alphas)
        self.velocity = prediction_type == "v_prediction"

    def batch(self, size: int) -> Batch:
        """Draws a batch, by torch's global random state."""
        device = self.device
        rows = torch.randint(len(self.latents), (size,), device=device)
        z = self.latents[rows].float().contiguous(memory_format=torch.channels_last)
        noise = torch.randn_like(z)
        # spread evenly over the steps within a batch, so that the loss is less noisy
        t = ((torch.arange(size, device=device) + torch.rand(size, device=device)) / size * 1000).long()
        dropped = torch.rand(size, 1, device=device) < DROP
        said = self.ids[rows, torch.randint(self.several, (size,), device=device)]
        target = self.scheduler.get_velocity(z, noise, t) if self.velocity else noise
        whole = dropped | (torch.rand(size, 1, device=device) >= CONTENT_ONLY)
        return Batch(
            noisy=self.scheduler.add_noise(z, noise, t),
            timesteps=t,
            ids=torch.where(dropped, self.empty, said),
            dropped=dropped,
            seen=whole | self.content[said],
            target=target,
        )

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """The mean over the batch of the squared error, weighted by min-SNR."""
        snr = self.snr[batch.timesteps]
        weight = snr.clamp(max=MOST_SNR) / (snr + 1 if self.velocity else snr)
        return ((output.float() - batch.target).square().mean((1, 2, 3)) * weight).mean()
