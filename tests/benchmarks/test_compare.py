"""What a comparison keeps of an earlier one."""

import json

from matplotlib.axes import Axes

from benchmarks import compare, comparison_plot


def test_costs_of_other_numbers_of_prompts_are_measured_again(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(compare, "in_own_process", lambda model, name, prompts: asked.append((name, prompts)) or {"flops": prompts})
    path = tmp_path / "costs.json"
    assert compare.costs("shapes", ["a", "b"], path, 4)["a"]["flops"] == 4
    assert compare.costs("shapes", ["a"], path, 4)["a"]["flops"] == 4
    assert compare.costs("shapes", ["a"], path, 16)["a"]["flops"] == 16
    assert asked == [("a", 4), ("b", 4), ("a", 16)]
    path.write_text(json.dumps({"a": {"flops": 1}}))  # as this command wrote it before
    assert compare.costs("shapes", ["a"], path, 16)["a"]["flops"] == 16


def measured(value):
    return {name: {"value": value, "low": value, "high": value} for name in compare.SHOWN}


def test_time_is_relative_to_the_unguided_image_wherever_it_stands():
    spent = {
        name: {"flops": 1.0, "rows": {"guided": 0.0}, "cpu_seconds": seconds, "peak_mib": 1.0}
        for name, seconds in {"infsplign": 3.0, "unguided": 2.0}.items()
    }
    rows = compare.table({"methods": {name: measured(0.5) for name in spent}}, spent).splitlines()
    assert [row.split(" | ")[-2] for row in rows[2:]] == ["1.50", "1.00"]


def test_fewer_than_four_images_a_prompt_have_no_visor_4():
    """`benchmarks.bench --prompts 2 --images 1`, as its own help says, ended in a KeyError after all images were made."""
    spent = {"unguided": {"flops": 1.0, "rows": {"guided": 0.0}, "cpu_seconds": 1.0, "peak_mib": 1.0}}
    head, _, row = compare.table({"methods": {"unguided": {m: v for m, v in measured(0.5).items() if m != "VISOR-4"}}}, spent).splitlines()
    assert "VISOR" not in head
    assert head.count("|") == row.count("|")


def test_a_measure_that_is_undefined_is_not_drawn_as_0(monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(Axes, "errorbar", lambda _axes, value, row, **_: drawn.append((value, row)))
    quality = {"a": measured(0.5) | {"cond": {"value": None, "low": None, "high": None}}}
    comparison_plot.draw(quality, {"a": {"flops": 1.2}}, tmp_path / "a.png", title="t")
    assert [value for value, _ in drawn] == [50.0, 50.0, 50.0, 50.0, 1.2]


def test_a_measure_without_an_interval_is_drawn_without_a_bar(monkeypatch, tmp_path):
    """Of one prompt there is none; the bar reached from 0, which matplotlib refuses."""
    drawn = []
    monkeypatch.setattr(Axes, "errorbar", lambda _axes, value, row, xerr, **_: drawn.append((value, xerr)))
    quality = {"a": {name: {"value": 0.0 if name == "doubled" else 0.5, "low": None, "high": None} for name in compare.SHOWN}}
    comparison_plot.draw(quality, {"a": {"flops": 1.2}}, tmp_path / "a.png", title="t")
    assert {value for value, _ in drawn} == {0.0, 50.0, 1.2}
    assert all(bar is None for _, bar in drawn)
