"""Prompts of the benchmarks: SR2D is generated, T2I-CompBench and GenEval are read from your copies of the published files."""

from infsplign.evaluation.prompts.geneval import read_geneval
from infsplign.evaluation.prompts.prompt import BenchmarkPrompt, PromptFileError, read_prompts, write_prompts
from infsplign.evaluation.prompts.sr2d import published, read_sr2d, spatial, sr2d
from infsplign.evaluation.prompts.t2i_compbench import read_t2i

__all__ = [
    "BenchmarkPrompt",
    "PromptFileError",
    "published",
    "read_geneval",
    "read_prompts",
    "read_sr2d",
    "read_t2i",
    "spatial",
    "sr2d",
    "write_prompts",
]
