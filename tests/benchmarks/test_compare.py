"""What a comparison keeps of an earlier one."""

import json

from benchmarks import compare


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
