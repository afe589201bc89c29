"""A small part of `python -m benchmarks.fuzz --inputs 2000`: no file and no option gives a traceback."""

from benchmarks.fuzz_commands import COMMANDS, run


def test_spoiled_files_and_options_are_read_or_refused():
    found, _ = run(60, 0)
    assert sum(counts.total() for counts in found.values()) == 60
    assert found.keys() <= {*COMMANDS, "options"}
    assert sum(counts["refused"] for counts in found.values()) >= 20
