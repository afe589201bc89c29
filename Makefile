# Two commands do everything: `make demo` runs the main job, `make test` passes the tests. Both set up what they need.
PYTHON ?= python3
VENV ?= .venv
DOCS ?= .venv-docs
TORCH ?= torch==2.13.0
BIN := $(VENV)/bin
export OMP_WAIT_POLICY ?= PASSIVE  # threads that spin while they wait slow each other down where cores are few

.PHONY: demo test mutation lint docs dist matrix measure bench performance clean

$(VENV)/.ready: pyproject.toml models/pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt "$(TORCH)"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ./models --editable ".[test]"
	$(BIN)/pip install --quiet --no-deps open_clip_torch==3.3.0  # for CLIP's vocabulary alone: its dependencies would pull in CUDA
	touch $@

demo: $(VENV)/.ready  ## unguided and guided pictures of one prompt, in demo/
	$(BIN)/infsplign generate "a cat to the left of a dog" --images 4 --seed 0 --out demo

test: $(VENV)/.ready  ## all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile

mutation: $(VENV)/.ready  ## which changes of the sources no test notices, docs/measured/mutation.md: hours; interrupted, it goes on
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[mutation]"
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.mutation

lint: $(VENV)/.ready  ## style, import order of the folders, types
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/pyright --pythonpath $(BIN)/python

$(DOCS)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/pip install --quiet --constraint constraints.txt --editable ".[docs]"
	touch $@

docs: $(DOCS)/.ready  ## the site, in site/; reads the sources without importing them, so an environment without torch will do
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict --quiet

dist: $(VENV)/.ready  ## wheels in dist/, tried in a fresh environment
	bash .ci/dist $(VENV)

matrix: $(VENV)/.ready  ## tests with older and newest releases of what the package stands on, docs/measured/matrix.md; goes on where it stopped
	$(BIN)/python -m benchmarks.matrix

measure: $(VENV)/.ready  ## every figure of the README, and its first picture: an hour on two cores
	$(BIN)/python -m benchmarks.flops
	$(BIN)/python -m benchmarks.sdxl_memory
	$(BIN)/infsplign eval world --model pictures --prompts 64 --images 4 --batch 16 --methods unguided,infsplign,paper --split heldout --out out/heldout-pictures
	$(BIN)/python -m benchmarks.first_picture out/heldout-pictures --out docs/images/first.png
	$(BIN)/python -m benchmarks.pictures_labels make
	$(BIN)/python -m benchmarks.pictures_labels judge
	$(BIN)/python -m benchmarks.relations --model pictures --images 12
	$(BIN)/python -m benchmarks.scenes --model pictures --prompts 32 --images 2
	$(BIN)/python -m benchmarks.calibration --prompts 0 --batch 16
	$(BIN)/python -m benchmarks.final --prompts 48 --images 2

bench: $(VENV)/.ready  ## all methods on all shipped models, docs/comparison.md and docs/report.html: under an hour on two cores
	$(BIN)/python -m benchmarks.bench

performance: bench  ## and all else in docs/performance.md: counts, timings (on a quiet machine), how cost grows: half an hour more
	$(BIN)/python -m benchmarks.cost
	$(BIN)/python -m benchmarks.steps auto
	$(BIN)/python -m benchmarks.scale

clean:
	rm -rf $(VENV) $(DOCS) .matrix dist site demo out
