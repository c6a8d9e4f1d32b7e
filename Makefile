# Two environments: .venv serves (no torch, small), .venv-dev builds, trains and tests.
PYTHON ?= python3
SERVE := .venv
DEV := .venv-dev

.PHONY: demo serve test test-container lint clean

demo: $(SERVE)/.installed  ## score the example photographs: boxes, heat maps, a contact sheet
	$(SERVE)/bin/colocalize score examples/images --out demo-output --overlays --contact-sheet
	$(SERVE)/bin/colocalize evaluate demo-output/predictions.jsonl --boxes examples/boxes.csv

serve: $(SERVE)/.installed  ## start the HTTP service on http://127.0.0.1:8000
	$(SERVE)/bin/colocalize serve

test: lint  ## the whole suite, with doctests
	$(DEV)/bin/python -m pytest --numprocesses auto $(PYTEST_ARGS)

test-container: $(DEV)/.installed  ## build the image, start it, post images to it; needs root, buildah, debootstrap
	$(DEV)/bin/python -m pytest -m container tests/container

lint: $(DEV)/.installed
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy

$(SERVE)/.installed: pyproject.toml
	$(PYTHON) -m venv $(SERVE)
	$(SERVE)/bin/pip install --quiet --editable '.[cpu,serve]'
	touch $@

$(DEV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf $(SERVE) $(DEV) demo-output
