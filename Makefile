# Every target sets up what it needs; .venv is made once and again only when the requirements change.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
PORT ?= 8000
PHOTOS ?=

BIN := .venv/bin
DEMO := .demo
REQUIREMENTS := requirements.txt pyproject.toml
ifeq ($(PHOTOS),)
GALLERY := $(DEMO)/gallery
LIBRARY := $(DEMO)/library
else
GALLERY := $(PHOTOS)
LIBRARY := $(DEMO)/own-library
endif

.PHONY: setup demo test lint messages bench bench-scale cluster cluster-test clean

setup: .venv/.setup

.venv/.setup: $(REQUIREMENTS)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/.demo: .venv/.setup
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	touch $@

.venv/.dev: .venv/.setup
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --editable '.[annoy]' || \
		echo "Annoy needs a C++ compiler, which is missing here: its tests will be skipped"
	touch $@

demo: .venv/.demo
	$(if $(PHOTOS),,$(BIN)/python -m data.samples $(GALLERY))
	$(BIN)/retroflex index --library $(LIBRARY) "$(GALLERY)"
	$(BIN)/retroflex serve --library $(LIBRARY) --port $(PORT)

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 15

# Messages of the page that are new or changed, into the translations.
messages: .venv/.dev
	$(BIN)/python -m bench.messages

bench: .venv/.dev
	$(BIN)/python -m bench

bench-scale: .venv/.dev
	$(BIN)/python -m bench.scale

# What it starts comes from packages: apt-get install postgresql nginx-light; pip install milvus is up to you.
cluster: .venv/.dev
	$(BIN)/python -m bench.deployment --port 8080 $(if $(PHOTOS),--pictures "$(PHOTOS)")

cluster-test: .venv/.dev
	$(BIN)/python -m bench.deployment.parity
	$(BIN)/python -m bench.deployment.failures

clean:
	rm -rf .venv $(DEMO) build *.egg-info
