"""Trainings resume as if nothing had happened, and their checkpoints travel."""

import csv
import json

import pytest
import torch

from training import common, text
from training.pictures import checkpoints
from training.pictures.optimizer import optimizers
from training.pictures.run import FALL, Clock, Run
from training.pictures.text import load_tokenizer, words


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(checkpoints, "RUNS", tmp_path / "runs")


class EndedError(Exception):
    pass


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(8, 8, 3, padding=1), torch.nn.SiLU(), torch.nn.Conv2d(8, 8, 3, padding=1))


def trained(steps, *, minutes=600.0, every=5):
    """The run after so many steps, killed there: only what it saved is left."""
    run = Run("tiny", {"net": network()}, Clock(minutes, "cpu", 4, every), lr=1e-2, ema=0.9)

    def loss_of(step):
        if step == steps:
            raise EndedError
        x = torch.randn(4, 8, 6, 6)
        return (run.modules["net"](x) - x.flip(1)).square().mean()

    with pytest.raises(EndedError):
        run.train(loss_of)
    return run


def weights(run):
    return {**run.modules["net"].state_dict(), **{f"mean {k}": v for k, v in run.averaged["net"].state_dict().items()}}


def test_a_killed_run_goes_on_as_if_it_had_not_been():
    whole = weights(trained(12))
    for path in checkpoints.CACHE.iterdir():
        path.unlink()
    assert trained(8).step == 8
    again = trained(12)  # from the checkpoint of step 5
    assert all(torch.equal(whole[name], value) for name, value in weights(again).items())


def test_the_loss_curve_has_each_step_once_and_loses_none(tmp_path):
    for step in (50, 100, 150, 100, 150, 200):  # killed after 150, with a checkpoint of 50
        common.log_loss(tmp_path, step, 1.0 / step, step / 2)
    rows = list(csv.DictReader((tmp_path / "loss.csv").open()))
    assert [int(row["step"]) for row in rows] == [50, 100, 150, 200]
    assert float(rows[-1]["loss"]) == pytest.approx(1 / 200)


def test_a_kept_checkpoint_is_in_small_parts_and_goes_on_without_the_cache(monkeypatch):
    monkeypatch.setattr(checkpoints, "PART_SIZE", 5000)
    before = weights(trained(5))  # the sixth step ends it, the fifth has been saved
    paths = checkpoints.keep("tiny")
    assert len(paths) > 1
    assert max(path.stat().st_size for path in paths) <= 5000
    (checkpoints.CACHE / "tiny.pt").unlink()
    again = Run("tiny", {"net": network()}, Clock(600, "cpu", 4, 5), lr=1e-2, ema=0.9)
    assert again.step == 5
    for name, value in weights(again).items():
        torch.testing.assert_close(value, before[name], rtol=1e-3, atol=1e-3)


def test_a_longer_training_goes_on_from_before_the_rate_fell():
    run = trained(5)
    run.step, run.seconds = 300, (1 - FALL) * 60 * 10 + 1
    checkpoints.write("tiny" + checkpoints.STABLE, run._state())
    run.step, run.seconds = 400, 600.0
    checkpoints.write("tiny", run._state())
    for minutes, step in ((10, 400), (20, 300)):
        resumed = Run("tiny", {"net": network()}, Clock(minutes, "cpu", 4, 5), lr=1e-2, ema=0.9)
        assert resumed.step == step
    assert resumed.factor() == 1.0


def test_the_rate_warms_up_stays_and_falls_to_nothing():
    run = Run("tiny", {"net": network()}, Clock(10, "cpu", 4, 5), lr=1e-2, warmup=100)
    assert run.factor() == pytest.approx(1 / 100)
    run.step = 1000
    for seconds, factor in ((0, 1.0), (480, 1.0), (540, 0.5), (600, 0.0), (700, 0.0)):
        run.seconds = float(seconds)
        assert run.factor() == pytest.approx(factor)


def test_every_weight_has_one_optimizer():
    net = network()
    groups = [p for optimizer in optimizers([net], 1e-3, 0.0) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(map(id, groups)) == sorted(map(id, net.parameters()))


def test_words_keep_their_numbers(tmp_path):
    """Two builds number them differently; a training that goes on must find those that it began with."""
    first, again = (text.kept_tokenizer(tmp_path / "one", known=words()) for _ in range(2))
    assert first.get_vocab() == again.get_vocab()


def test_the_shipped_tokenizer_knows_every_word_of_the_world():
    tokenizer = load_tokenizer()
    assert all(len(tokenizer(word).input_ids) == 3 for word in words())


def test_a_kept_tokenizer_that_splits_a_known_word_is_refused(tmp_path):
    text.kept_tokenizer(tmp_path, known=["cat", "dog"])
    with pytest.raises(RuntimeError, match="giraffe"):
        text.kept_tokenizer(tmp_path, known=["cat", "dog", "giraffe"])


def test_the_curve_goes_on_behind_the_weights_that_ship():
    """A training that begins from them has its own clock; its curve and its facts count theirs too."""
    trained(110)
    folder = checkpoints.RUNS / "tiny"
    (folder / "facts.json").write_text('{"steps": 110, "seconds": 40, "parameters": 8}')
    (checkpoints.CACHE / "tiny.pt").unlink()
    clock = Clock(600, "cpu", 4, 5)
    run = Run("tiny", {"net": network()}, clock, lr=1e-2, ema=0.9, onward=True)
    assert (run.step, run.seconds) == (0, 0.0)
    run.step, run.seconds = 49, 35_999.999  # one step is left
    run.train(lambda step: (run.modules["net"](torch.randn(4, 8, 6, 6))).square().mean())
    rows = list(csv.DictReader((folder / "loss.csv").open()))
    assert [int(row["step"]) for row in rows] == [50, 100, 160]
    assert json.loads((folder / "facts.json").read_text())["steps"] == 160
    again = Run("tiny", {"net": network()}, clock, lr=1e-2, ema=0.9, onward=True)
    assert again.earlier == {"steps": 110, "seconds": 40}
    assert again.step == 50
