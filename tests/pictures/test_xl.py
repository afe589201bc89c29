"""`pictures-xl` begins with what it has in common with the model that it grows out of."""

import torch
from transformers import CLIPTextModelWithProjection

from training.pictures import unet, xl
from training.pictures.denoising import Denoising
from training.pictures.text import WIDTH, build_text_encoder, load_tokenizer
from training.text import encode

ONES, WORDS, OTHERS = ("cat", "dog", "car", "red book"), ("and", "above"), ("bus", "tv", "cow")
TEXTS = [f"a {one} {words} a {other}" for one in ONES for words in WORDS for other in OTHERS]


def test_it_begins_with_the_weights_of_the_first_model():
    kept, tokenizer = unet.shipped("pictures"), load_tokenizer()
    one = build_text_encoder(tokenizer)
    one.load_state_dict(kept["text_encoder"])
    two = CLIPTextModelWithProjection(build_text_encoder(tokenizer, layers=xl.SECOND_LAYERS).config)
    grown, ids = xl.build(), encode(tokenizer, TEXTS)
    xl.begin(grown, one, two, kept, ids)
    assert len(grown.down_blocks[1].attentions[0].transformer_blocks) == 2
    new = grown.state_dict()
    same = {name for name, value in new.items() if name in kept["unet"] and torch.equal(value, kept["unet"][name])}
    assert {"conv_in.weight", "down_blocks.0.resnets.0.conv1.weight", "mid_block.resnets.1.conv2.weight", "conv_out.bias"} <= same
    assert torch.equal(new["up_blocks.1.resnets.0.conv1.weight"], kept["unet"]["up_blocks.2.resnets.0.conv1.weight"])
    assert not new["mid_block.attentions.0.transformer_blocks.1.ff.net.2.weight"].any()  # a new block adds nothing

    prompt, pooled = xl.side_by_side(one, two, ids)
    assert prompt.shape == (len(TEXTS), 77, 2 * WIDTH)
    assert pooled.shape == (len(TEXTS), WIDTH)
    old = one(ids).last_hidden_state.detach()
    for name in ("to_k", "to_v"):
        part = f"transformer_blocks.0.attn2.{name}.weight"
        first = old @ kept["unet"][f"up_blocks.1.attentions.0.{part}"].T
        found = prompt.detach() @ new[f"up_blocks.0.attentions.0.{part}"].T
        assert (found - first).norm() < 0.15 * first.norm()


def test_a_new_block_and_the_pooled_text_have_no_effect_yet():
    tokenizer = load_tokenizer()
    kept = {"unet": unet.build().state_dict(), "text_encoder": build_text_encoder(tokenizer).state_dict()}
    one = build_text_encoder(tokenizer)
    two = CLIPTextModelWithProjection(build_text_encoder(tokenizer, layers=xl.SECOND_LAYERS).config)
    grown, ids = xl.build(), encode(tokenizer, TEXTS[:2])
    xl.begin(grown, one, two, kept, ids)
    z, t, (prompt, pooled) = torch.randn(2, 12, 16, 16), torch.tensor([10, 700]), xl.side_by_side(one, two, ids)
    times = torch.tensor([xl.TIME_IDS, xl.TIME_IDS], dtype=torch.float32)
    with torch.no_grad():
        before = grown(z, t, prompt, added_cond_kwargs={"text_embeds": pooled, "time_ids": times}).sample
        after = grown(z, t, prompt, added_cond_kwargs={"text_embeds": torch.randn_like(pooled), "time_ids": 2 * times}).sample
        assert torch.equal(before, after)
        block = grown.mid_block.attentions[0].transformer_blocks[1]
        x = torch.randn(2, 64, 128)
        assert torch.equal(block(x, encoder_hidden_states=prompt), x)


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
