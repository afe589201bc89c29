"""`pictures-xl` begins as the model that it grows out of."""

import torch
from transformers import CLIPTextModelWithProjection

from training.pictures import unet, xl
from training.pictures.denoising import Denoising
from training.pictures.text import WIDTH, build_text_encoder, load_tokenizer


def test_it_begins_as_the_first_model():
    torch.manual_seed(0)
    first, text = unet.build(), build_text_encoder(load_tokenizer())
    one = build_text_encoder(load_tokenizer(), layers=4)
    two = CLIPTextModelWithProjection(one.config)
    grown = xl.build()
    xl.begin(grown, [one, two], {"unet": first.state_dict(), "text_encoder": text.state_dict()})
    assert len(grown.down_blocks[1].attentions[0].transformer_blocks) == 2
    z, t, prompt = torch.randn(2, 12, 16, 16), torch.tensor([10, 700]), torch.randn(2, 77, WIDTH)
    ids = torch.tensor([xl.TIME_IDS, xl.TIME_IDS], dtype=torch.float32)
    with torch.no_grad():
        expected = first(z, t, prompt).sample
        found = grown(
            z, t, torch.cat([prompt, prompt], -1), added_cond_kwargs={"text_embeds": torch.randn(2, WIDTH), "time_ids": ids}
        ).sample
        torch.testing.assert_close(found, expected)
        tokens = torch.randint(0, 100, (2, 77))
        (left, _), (right, pooled) = xl.states(one, tokens), xl.states(two, tokens)
    assert torch.equal(left, right)
    assert pooled.shape == (2, WIDTH)


def test_a_prediction_that_is_right_has_no_loss(monkeypatch):
    latents, texts = torch.randn(6, 12, 16, 16).half(), [["a cat", "a dog"]] * 6
    monkeypatch.setattr("training.pictures.denoising.latents_and_captions", lambda device: (latents, texts))
    for kind in ("epsilon", "v_prediction"):
        denoising = Denoising(load_tokenizer(), "cpu", kind)
        batch = denoising.batch(4)
        assert denoising.loss(batch.target, batch) == 0
        alpha = denoising.scheduler.alphas_cumprod[batch.timesteps].view(-1, 1, 1, 1)
        if kind == "v_prediction":  # z = sqrt(alpha) x - sqrt(1 - alpha) v, Salimans and Ho, arXiv 2202.00512
            clean = alpha.sqrt() * batch.noisy - (1 - alpha).sqrt() * batch.target
        else:
            clean = (batch.noisy - (1 - alpha).sqrt() * batch.target) / alpha.sqrt()
        nearest = (clean[:, None] - latents.float()[None]).square().mean((2, 3, 4)).amin(1)
        assert nearest.max() < 1e-3 if kind == "v_prediction" else nearest.median() < 1e-2


def test_v_and_epsilon_weigh_the_same_error_alike(monkeypatch):
    """An error d of the clean latents is d sqrt(snr) in epsilon and d sqrt(snr + 1) in v."""
    monkeypatch.setattr(
        "training.pictures.denoising.latents_and_captions", lambda device: (torch.randn(6, 12, 16, 16).half(), [["a cat"]] * 6)
    )
    losses = []
    for kind in ("epsilon", "v_prediction"):
        denoising = Denoising(load_tokenizer(), "cpu", kind)
        torch.manual_seed(3)
        batch = denoising.batch(6)
        snr = denoising.snr[batch.timesteps].view(-1, 1, 1, 1)
        error = 0.1 * ((snr + 1).sqrt() if kind == "v_prediction" else snr.sqrt())
        losses.append(float(denoising.loss(batch.target + error, batch)))
    assert abs(losses[0] / losses[1] - 1) < 1e-3
