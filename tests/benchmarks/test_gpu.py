"""The script that measures a GPU, run without one on tiny models: its order, its resuming, its end, its page."""

import json
import time
from pathlib import Path

import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu import Unit, add, complete, main, measure, opened, units
from benchmarks.gpu_cases import ALL, REAL, TINY, sides
from benchmarks.gpu_page import NOT_RUN, seconds, tables
from benchmarks.gpu_unit import COMPILED, PIECES, ROUNDS, difference, facts, measured
from benchmarks.gpu_unit import main as unit_main
from infsplign.adapters import kernels
from infsplign.engine.config import PLANS
from infsplign.engine.guidance import GuidedPass

ROOT = Path(__file__).parents[2]
WAYS = ["unguided", "published", *PLANS, PIECES]


def test_the_page_shows_the_record_or_that_there_is_none():
    page, record = (ROOT / "docs/gpu.md").read_text("utf-8"), ROOT / "docs/measured/gpu.json"
    assert (tables(json.loads(record.read_text("utf-8"))) if record.exists() else NOT_RUN) in page


def test_the_models_of_the_issue_are_there_and_one_takes_the_size_that_fits():
    assert [name.split()[0] for name in REAL] == ["SD1.5", "SD2.1", "SDXL", "PixArt-XL", "SD3-medium", "Flux-dev"]
    assert [len(sides(name)) > 1 for name in REAL] == [False] * 5 + [True]
    assert all(sides(name)[0] == case.latents for name, case in ALL.items())


@pytest.mark.parametrize("name", TINY)
def test_every_way_runs_and_is_timed(name):
    parts = list(measured(name, torch.float32, "eager", "cpu", seconds=0.0, have=1))
    found = {part["way"]: part for part in parts if "way" in part}
    assert list(found) == WAYS
    assert all(facts["peak"] > 0 and facts["launches"] > 0 for facts in found.values())
    assert found["split"]["launches"] > found["batched"]["launches"] > found["unguided"]["launches"]
    rounds = [part["round"] for part in parts if "round" in part]
    assert [list(each) for each in rounds] == [WAYS] * (ROUNDS[0] - 1)  # one was there
    assert [part["difference"] for part in parts if "difference" in part] == [pytest.approx(0, abs=1e-4)]
    assert kernels.KERNELS["cpu"]


def test_a_way_that_fails_is_told_and_the_others_run():
    def full():
        raise torch.OutOfMemoryError("CUDA out of memory | tried\nmore")

    assert facts(full, "cpu") == {"error": "OutOfMemoryError: CUDA out of memory / tried"}


@pytest.mark.parametrize(("b", "expected"), [([3.0, 4.0], 1.0), ([0.0, 0.0], None), ([float("nan"), 0.0], None)])
def test_gradients_are_compared_by_their_length(b, expected):
    a = torch.tensor([6.0, 8.0])
    assert difference(GuidedPass(None, a, None), GuidedPass(None, torch.tensor(b), None)) == expected


def test_half_precision_of_all_models_comes_before_anything_is_compiled():
    stages = [unit.stage for unit in units(["a", "b"], ["float16", "bfloat16"])]
    assert stages == ["eager"] * 4 + ["planned"] * 2 + ["compiled"] * 4


def fake(log, *, rounds=ROUNDS[0]):
    def run(unit, device, seconds, most, have):
        log.append((unit, have))
        if not have:
            yield {"side": 128, "way": "unguided", "peak": 1, "launches": 1}
        for _ in range(have, rounds):
            yield {"round": {"unguided": 0.5}}
        if rounds == ROUNDS[0]:
            yield {"done": True}

    return run


def test_what_has_been_measured_is_not_measured_again():
    record, wanted, log = {"measured": {}}, units(["a", "b"], ["float16"])[:2], []
    soon = time.monotonic() + 3600
    measure(record, wanted, "cpu", soon, lambda: None, fake(log, rounds=1))  # broken off in each
    assert not any(complete(record, unit) for unit in wanted)
    measure(record, wanted, "cpu", soon, lambda: None, fake(log))
    assert all(complete(record, unit) for unit in wanted)
    measure(record, wanted, "cpu", soon, lambda: None, fake(log))
    assert log == [(wanted[0], 0), (wanted[1], 0), (wanted[0], 1), (wanted[1], 1)]
    assert [len(found["rounds"]) for found in record["measured"].values()] == [ROUNDS[0]] * 2


def test_nothing_is_begun_once_the_time_is_over():
    log = []
    measure({"measured": {}}, units(["a"], ["float16"]), "cpu", time.monotonic(), lambda: None, fake(log))
    assert log == []


def test_a_process_that_takes_too_long_is_ended_and_what_it_told_is_kept(monkeypatch, tmp_path):
    script = tmp_path / "slow.sh"
    script.write_text('#!/bin/sh\necho \'{"side": 8}\'\nsleep 600\n')
    script.chmod(0o755)
    monkeypatch.setattr(gpu.sys, "executable", str(script))
    parts = list(gpu.in_process(Unit("a", "float16", "eager"), "cpu", 1.0, 1.0, 0))
    assert parts == [{"side": 8}, {"failed": -9}]


def test_a_record_of_another_machine_is_not_added_to(tmp_path):
    path = tmp_path / "gpu.json"
    path.write_text(json.dumps({"machine": {"device": "A"}, "measured": {"x": 1}}))
    with pytest.raises(ValueError, match="give --again"):
        opened(path, {"device": "B"}, again=False)
    assert opened(path, {"device": "A"}, again=False)["measured"] == {"x": 1}
    assert opened(path, {"device": "B"}, again=True) == {"machine": {"device": "B"}, "measured": {}}


def test_the_real_models_are_refused_without_a_gpu(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        main([])
    assert "--tiny" in capsys.readouterr().err


def test_tables_show_medians_ratios_memory_and_waits():
    record = {"machine": {"device": "G", "memory": 8e9, "torch": "2", "cuda": "13"}, "kernels": {"float16": {"flash": True}},
              "order": ["m"], "measured": {}}  # fmt: skip
    eager, plan, compiled = (Unit("m", "float16", stage) for stage in ("eager", "planned", "compiled"))
    add(record, eager, {"side": 512, "difference": 1e-3})
    for way, peak, waits in (("unguided", 1e9, {"a:1": 2}), ("split", 3e9, {"a:1": 4, "b:7": 1}), (PIECES, 4e9, None)):
        add(record, eager, {"way": way, "peak": peak, "launches": 1000, "waits": waits})
    add(record, eager, {"way": "published", "error": "OutOfMemoryError: full"})
    for time_ in (1.0, 2.0, 9.0):
        add(record, eager, {"round": {"unguided": time_, "split": 1.5 * time_, PIECES: 3 * time_}})
    for way, peak in (("unguided", 1e9), ("split", 2.5e9)):
        add(record, plan, {"side": 512, "way": way, "peak": peak, "operators": 10, "flops": 10})
    add(record, compiled, {"way": COMPILED, "peak": 1, "launches": 5, "waits": None})
    add(record, compiled, {"round": {"unguided": 2.0, COMPILED: 1.0}})
    found = tables(record)
    for line in (
        "| m, 512 pixels, float16 | unguided | 2.0000 | 1.00 | 1.00 GB | +0.00 GB | 1,000 | 3 |",
        "|  | split | 3.0000 | 1.50 | 3.00 GB | +2.00 GB | 1,000 | 3 |",
        "|  | published | OutOfMemoryError: full |  |  |  |  |  |",
        "| m, float16 | 1.0000 | 0.50 | 3.00 | 5 |",
        "| m, float16 | 3.0000 | 6.0000 | 2.00 | -1.00 GB | 1.0e-03 |",
        "| m, float16 | split | +1.50 GB | +2.00 GB | 1.00 | 1.00 | 1.50 |",
        "| m, float16 | split | 2 | b:7 (1) |",
    ):
        assert line in found.splitlines()
    assert seconds(record["measured"][eager.key], "published") is None


def here(unit, device, seconds, most, have):
    """Runs a unit in the test's process: to start one takes longer than to measure."""
    yield from measured(unit.name, getattr(torch, unit.kind), unit.stage, device, seconds=seconds, have=have)
    yield {"done": True}


def test_the_command_runs_on_a_cpu_and_goes_on(tmp_path):
    command = ["--tiny", "--models", "tiny UNet", "--types", "bfloat16", "--minutes", "60", "--out", str(tmp_path)]
    main(command, here)
    record = json.loads((tmp_path / "measured/gpu.json").read_text("utf-8"))
    assert [key.split(" | ")[2] for key in record["measured"]] == ["eager", "planned", "compiled"]
    assert all(found["done"] for found in record["measured"].values())
    assert set(record["measured"]["tiny UNet | bfloat16 | compiled"]["rounds"][0]) == {"unguided", COMPILED}
    assert tables(record) in (tmp_path / "gpu.md").read_text("utf-8")
    main(command, here)
    assert json.loads((tmp_path / "measured/gpu.json").read_text("utf-8")) == record


def test_a_unit_prints_a_line_for_each_part(capsys):
    unit_main(["tiny UNet", "float16", "planned", "cpu", "1", "0"])
    found = {part["way"]: part for part in map(json.loads, capsys.readouterr().out.splitlines())}
    assert list(found) == ["unguided", *PLANS]
    assert found["checkpoint"]["flops"] > found["split"]["flops"] > found["unguided"]["flops"]
