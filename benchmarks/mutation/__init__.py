"""Mutation testing: changes the sources one operator at a time, and counts the changes that some test notices.

    python -m benchmarks.mutation [--room core] [--sample 30] [--file core/update.py] [--again]

Run again, it goes on where it was interrupted; `--again` repeats the mutants that survived. The results are in `out/mutation`, and each
run writes `docs/measured/mutation.md`. `mutants` makes the mutants, with the operators of mutmut 3. `rooms` names the sources and their
tests. `coverage` finds the tests that run each line. `forks` runs them: mutmut's own runner leaves out decorated functions and what runs at
import, copies the repository and starts the tests once for each mutant; here pytest collects the tests once, and each mutant is a forked
process in which the mutated code replaces the original; for what runs at import, the package is imported again.
"""
