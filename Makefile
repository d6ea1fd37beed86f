# make report              render, preprocess, train, evaluate; then open reports/laptop/index.html
# make test                the tests
# make test-browser        the finished report, and notebook 07 in JupyterLab, in a real Chromium
# make lab                 JupyterLab with the notebooks
# make bench               faces and training steps a second, memory, and the delay of notebook 07
# Settings: PROFILE=smoke|laptop|gpu|paper  CORES=4  PYTHON=python3.12  ARGS="--only 01 --set folds=5"
#           ARGS=--private shows everybody, in reports/<profile>-private
PROFILE ?= laptop
CORES ?=
PYTHON ?= python3
VENV ?= .venv
ARGS ?=

BIN := $(VENV)/bin
READY := $(VENV)/.installed

.PHONY: report test test-browser lint lab bench lock clean help
.DEFAULT_GOAL := report

report: $(READY)
	@$(BIN)/fersyn report --profile $(PROFILE) $(if $(CORES),--cores $(CORES)) $(ARGS)

test: $(READY)
	@$(BIN)/python -m pytest $(ARGS)

# Wants chromium and chromedriver on PATH, and the report of PROFILE; it says so where they are missing.
test-browser: $(READY)
	@FERSYN_PROFILE=$(PROFILE) $(BIN)/python -m pytest -m browser tests/browser $(ARGS)

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

lab: $(READY)
	@$(BIN)/jupyter lab notebooks

bench: $(READY)
	@$(BIN)/python scripts/bench.py $(ARGS)

# A second call installs nothing: the stamp is newer than the files it was made from.
$(READY): requirements.txt requirements-dev.txt pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh "$(VENV)" "$(PYTHON)"
	@touch $@

# Resolve the ranges of pyproject.toml anew (needs uv). requirements-dev.txt holds only what is not in requirements.txt.
lock:
	uv pip compile --quiet --universal --python-version 3.10 --no-header --no-annotate --upgrade pyproject.toml -o requirements.txt
	uv pip compile --quiet --universal --python-version 3.10 --no-header --no-annotate pyproject.toml --extra dev \
		-c requirements.txt -o requirements-dev.tmp
	{ echo "-r requirements.txt"; grep -vxF -f requirements.txt requirements-dev.tmp; } > requirements-dev.txt
	rm requirements-dev.tmp

# Removes the reports, and data/ and runs/ of the four profiles with whatever you put there, and caches; not .venv, not other folders.
clean:
	rm -rf reports/*/ data/smoke data/laptop data/gpu data/paper runs/smoke runs/laptop runs/gpu runs/paper .snakemake .pytest_cache .ruff_cache .hypothesis
	find fersyn tests -name __pycache__ -type d -prune -exec rm -rf {} +

help:
	@sed -n 's/^# \(make .*\)/\1/p; s/^# \(Settings.*\)/\1/p' Makefile
