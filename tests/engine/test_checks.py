"""What is not finite at a step: the first thing that went wrong is named, with the remedy for it."""

import warnings

import pytest
import torch

from infsplign import NonFiniteGradientError
from infsplign.core.losses import LossReport
from infsplign.engine.checks import Shifted, check
from infsplign.engine.host_copy import HostCopy

FINE, BAD = torch.ones(2, 3), torch.tensor([[1.0, 1.0, 1.0], [1.0, float("nan"), 1.0]])
HALF = "Run the denoiser in float32 or bfloat16"


def report(*, centroid=FINE, total=FINE[:, 0], **terms):
    return LossReport(total, {"spatial": FINE[:, 0]} | terms, centroid, FINE, ())


def step(finite=False, zero=None, **parts):
    made = {"output": FINE, "gradient": FINE, "latents": FINE, "report": report(), "scale": 1000.0} | parts
    return Shifted(7, 421.5, HostCopy(torch.tensor(finite)), None if zero is None else HostCopy(torch.tensor(zero)), **made)


CAUSES = {
    "the latents": (
        {"latents": BAD, "output": BAD, "gradient": BAD},
        "the latents are not finite at step 7 (timestep 421.5); the latents before it are in `error.latents`. The scheduler's step before "
        "made them so. With zero terminal signal-to-noise ratio (`rescale_betas_zero_snr`) it divides by zero at the first timestep unless "
        "the model predicts v: set that option to False, or use a model of v-prediction",
    ),
    "the output": (
        {"output": BAD, "report": report(centroid=BAD), "gradient": BAD},
        f"the model's own output is not finite at step 7 (timestep 421.5); the latents before it are in `error.latents`. {HALF}",
    ),
    "the attention": (
        {"report": report(centroid=BAD, total=BAD[:, 1], spatial=BAD[:, 1]), "gradient": BAD},
        "the attention of the tapped layers is not finite at step 7 (timestep 421.5); the latents before it are in `error.latents`. "
        + HALF,
    ),
    "a term": (
        {"report": report(mine=BAD[:, 1], total=BAD[:, 1]), "gradient": BAD},
        "the loss term 'mine' is not finite at step 7 (timestep 421.5); the latents before it are in `error.latents`. The maps that it "
        "reads are finite: look for a division by zero, a logarithm or a root in it",
    ),
    "a slope": (
        {"report": report(mine=FINE[:, 0]), "gradient": BAD},
        "the gradient of the loss is not finite at step 7 (timestep 421.5); the latents before it are in `error.latents`. Its value is "
        "finite: look for a root or a logarithm whose slope is infinite in a term of yours ('spatial', 'mine'). If it overflows in half "
        "precision: run the denoiser in float32 or bfloat16, or guide fewer steps",
    ),
    "the total": (
        {"report": report(total=BAD[:, 1]), "gradient": BAD},
        "the gradient of the loss is not finite at step 7 (timestep 421.5); the latents before it are in `error.latents`. " + HALF
        + ", or guide fewer steps",
    ),
    "a gradient of an earlier step": (
        {"report": None, "gradient": BAD},
        "the gradient of the loss is not finite at step 7 (timestep 421.5); the latents before it are in `error.latents`. " + HALF
        + ", or guide fewer steps",
    ),
    "no signal": (
        {"alpha": 0.0},
        "the shift is not finite at step 7 (timestep 421.5); the latents before it are in `error.latents`. alpha is 0 at this timestep "
        "(zero terminal signal-to-noise ratio): lower `max_gain`",
    ),
    "an unknown signal": (
        {"alpha": float("nan")},
        "the shift is not finite at step 7 (timestep 421.5); the latents before it are in `error.latents`. alpha is nan at this timestep "
        "(zero terminal signal-to-noise ratio): lower `max_gain`",
    ),
    "the scale": (
        {"alpha": 0.5},
        "the output shifted by scale 1000 is not finite at step 7 (timestep 421.5); the latents before it are in `error.latents`. "
        "Lower `scale`",
    ),
    "the scale, without latents": (
        {"latents": None},
        "the output shifted by scale 1000 is not finite at step 7 (timestep 421.5). Lower `scale`",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("parts", "message"), CAUSES.values(), ids=CAUSES)
def test_the_first_cause_is_named_with_its_remedy(parts, message):
    made = step(**parts)
    with pytest.raises(NonFiniteGradientError) as error:
        check(made)
    assert str(error.value) == message
    assert (error.value.step, error.value.latents) == (7, made.latents)


@pytest.mark.parametrize("terms", [(), ("mine", "yours")])
def test_a_gradient_of_zero_names_the_terms(terms):
    made = None if not terms else LossReport(FINE, dict.fromkeys(terms, FINE), FINE, FINE, ())
    with pytest.raises(ValueError) as error:
        check(step(finite=True, zero=[True], report=made))
    assert str(error.value) == (
        "the gradient of the loss is exactly zero in every row at step 7, the first guided one, so nothing would be guided. Its terms: "
        + (", ".join(map(repr, terms)) or "none")
        + ". A term must depend on the maps by differentiable functions; check its weight and its levels"
    )


def test_a_loss_of_zero_may_be_satisfied():
    with pytest.warns(UserWarning, match="loss and its gradient") as told:
        check(step(finite=True, zero=[True], report=LossReport(0 * FINE[:, 0], {"mine": FINE[:, 0]}, FINE, FINE, ())))
    assert str(told[0].message) == (
        "the loss and its gradient are exactly zero in every row at step 7, the first guided one, so nothing is shifted there. Its terms: "
        "'mine'. If the scene does not hold yet, check that each depends on the maps, its weight and its levels"
    )
    part = LossReport(torch.tensor([0.0, 1.0]), {"mine": FINE[:, 0]}, FINE, FINE, ())
    with pytest.raises(ValueError, match="exactly zero in every row at step 7"):
        check(step(finite=True, zero=[True], report=part))


@pytest.mark.parametrize("zero", [None, [False]])
def test_a_finite_step_passes(zero):
    check(step(finite=True, zero=zero, gradient=BAD))  # only what was read is looked at


def test_rows_without_a_gradient_are_told_unless_they_are_satisfied():
    some = LossReport(torch.tensor([1.0, 2.0, 0.0]), {"mine": FINE[:, 0]}, FINE, FINE, ())
    with pytest.warns(UserWarning, match="row 1 of 3") as told:
        check(step(finite=True, zero=[False, True, True], report=some))
    assert [str(warning.message) for warning in told] == [
        "the gradient of the loss is exactly zero in row 1 of 3 (from 0) at step 7, the first guided one, so nothing guides it. Its terms: "
        "'mine'. Check that each depends on the maps of every row"
    ]
    check(step(finite=True, zero=[False, False, True], report=some))


def test_an_object_that_nothing_attends_to_is_told():
    with pytest.warns(UserWarning, match="the attention to 'dog'") as told:
        check(step(finite=True, zero=None, looked_at=HostCopy(torch.tensor([[True, False]])), objects=(("cat", "dog"),)))
    assert [str(warning.message) for warning in told] == [
        "the attention to 'dog' is exactly 0 at step 7, the first guided one, so that nothing moves it. Are its `token_indices` masked, or "
        "not of the text?"
    ]


@pytest.mark.parametrize(("size", "told"), [(None, []), (1.0, []), (12.345, ["12.3"])])
def test_a_shift_larger_than_the_noise_is_told(size, told):
    size = None if size is None else HostCopy(torch.tensor(size))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        assert check(step(finite=True, zero=None, size=size)) == bool(told)
    assert [str(warning.message) for warning in found] == [
        f"the shift at step 7 is larger than the noise, {words} of its standard deviations, which usually destroys the picture. Set "
        "`max_shift` in `GuidanceConfig` (`RECOMMENDED` has 0.15), or lower `scale` (1000)"
        for words in told
    ]
