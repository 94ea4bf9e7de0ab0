# segtrack: `make help` lists the commands.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SMALLEST := 'stages=[prepare,evaluate,track]' model.weights=shipped model.backend=torch \
	dataset.train=1 dataset.val=1 dataset.test=2 dataset.pool=0 dataset.video_seconds=0.2
PORT ?= 5000

.DEFAULT_GOAL := help

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## make .venv and install everything, with the versions that were tested

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "segtrack needs Python 3.11 or newer; choose one with: make install PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,peers,rfdetr,s3,postgres,scale]'
	@# opencv-python wants the desktop's libGL; its headless twin is the same code without windows
	@$(BIN)/python -c 'import cv2' 2>/dev/null || \
		$(BIN)/python -m pip install --quiet --force-reinstall --no-deps \
		"opencv-python-headless==$$(sed -n 's/^opencv-python==//p' constraints.txt)"
	@echo "compiling loops, and trying them on four pictures (a minute)"
	@# numba compiles a loop at its first call on a machine: here, so that no first command waits for it
	@there=$$(mktemp -d) && cd "$$there" && "$(CURDIR)/$(BIN)/python" "$(CURDIR)/src/run.py" $(SMALLEST) \
		> log 2>&1 && cd / && rm -rf "$$there" || { cat "$$there/log"; exit 1; }
	@touch $(STAMP)

demo: install ## the whole loop on the embedded data set, offline, and a retraining on its reviewed labels
	$(BIN)/python src/run.py experiment=demo
	$(BIN)/python src/run.py experiment=demo dataset=reviewed 'stages=[prepare,train,evaluate]'

test: install ## the whole test suite, two files at a time (some 20 minutes on 2 cores)
	$(BIN)/python -m pytest --numprocesses 2 --durations 40

test-fast: install ## without the slow ones (about ten minutes on 2 cores)
	$(BIN)/python -m pytest --numprocesses 2 -m 'not slow'

test-hydra-%: .venv-hydra-%/.installed ## searches and launchers with the plugins of Hydra 1.3 or 1.4 (test-hydra-1.4)
	.venv-hydra-$*/bin/python -m pytest tests/command/test_search.py tests/integration/test_search.py \
		tests/integration/test_launchers.py tests/command/test_composition.py -rs

# Beside .venv, whose packages it sees, and over it what constraints-hydra-*.txt has.
.venv-hydra-%/.installed: constraints-hydra-%.txt $(STAMP)
	test -x .venv-hydra-$*/bin/python || $(BIN)/python -m venv .venv-hydra-$*
	@site='import sysconfig; print(sysconfig.get_path("purelib"))'; \
		echo "import site; site.addsitedir('$$($(BIN)/python -c "$$site")')" \
		> "$$(.venv-hydra-$*/bin/python -c "$$site")/over_venv.pth"
	.venv-hydra-$*/bin/python -m pip install --quiet --no-deps --requirement constraints-hydra-$*.txt
	@touch $@

.PRECIOUS: .venv-hydra-%/.installed

check: install ## lint, format, types, and which package may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

ui: install ## open the MLflow UI on http://127.0.0.1:5000 (PORT=... for another port)
	$(BIN)/mlflow ui --backend-store-uri sqlite:///mlruns/mlflow.db --host 127.0.0.1 --port $(PORT)

clean: ## remove run folders and caches; mlruns and the store stay
	rm -rf outputs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache build
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help install demo test test-fast check ui clean
