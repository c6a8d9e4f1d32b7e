# Environments: .venv serves (no torch, small), .venv-dev builds, trains and tests, .venv-labelstudio holds Label Studio.
PYTHON ?= python3
SERVE := .venv
DEV := .venv-dev
STUDIO := .venv-labelstudio

# LOCKED=1 installs exactly what requirements-dev.txt lists, in place of the newest that pyproject.toml allows.
INSTALL_DEV = $(if $(LOCKED),--requirement requirements-dev.txt && $(DEV)/bin/pip install --quiet --no-deps --editable .,--editable '.[dev]')

.PHONY: demo serve test test-container test-helm test-labelstudio lint docs models lock clean

demo: $(SERVE)/.installed  ## score the example photographs: boxes, heat maps, a contact sheet
	$(SERVE)/bin/colocalize score examples/images --out demo-output --overlays --contact-sheet
	$(SERVE)/bin/colocalize evaluate demo-output/predictions.jsonl --boxes examples/boxes.csv

serve: $(SERVE)/.installed  ## start the HTTP service on http://127.0.0.1:8000
	$(SERVE)/bin/colocalize serve

test: lint  ## the whole suite, with doctests; fails where less is covered than pyproject.toml says
	$(DEV)/bin/python -m pytest --numprocesses auto --cov --cov-report=term $(PYTEST_ARGS)

test-container: $(DEV)/.installed  ## build the image, start it, post images to it; needs root, buildah, debootstrap
	$(DEV)/bin/python -m pytest -m container tests/container

test-helm: $(DEV)/.installed  ## the Helm chart, rendered by Helm's own library
	$(DEV)/bin/pip install --quiet 'helm-python-sdk>=0.2,<0.3'
	$(DEV)/bin/python -m pytest -n0 tests/container/test_chart.py

test-labelstudio: $(DEV)/.installed $(STUDIO)/.installed  ## a real Label Studio: predictions, two corrections, better predictions
	LABEL_STUDIO=$(STUDIO)/bin/label-studio $(DEV)/bin/python -m pytest -n0 tests/labelstudio

lint: $(DEV)/.installed
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy

docs: $(DEV)/.installed  ## the site, into site/; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(DEV)/bin/python -m mkdocs build

MODEL := colocalization/models/efficientnet_lite0_ptap.onnx
SETS := $(filter-out %/background/images,$(wildcard ../shared/data/*/images ../shared/data/unlabelled/*))
models: $(DEV)/.installed  ## the model in the box anew, in both precisions, and their checksums
	@test -n "$(SETS)" || { echo "no sets to learn the foreground prior from: give SETS='FOLDER...'"; exit 2; }
	$(DEV)/bin/colocalize export imagenet:tf_efficientnet_lite0 --out $(MODEL) --precision both --parity-images examples/images
	for file in $(MODEL) $(MODEL:.onnx=_int8.onnx); do $(DEV)/bin/colocalize foreground $(SETS) --model $$file --out $$file; done
	cd $(dir $(MODEL)) && sha256sum *.onnx > SHA256SUMS

lock: $(DEV)/.installed  ## requirements-dev.txt anew, with the newest of everything
	$(DEV)/bin/pip install --quiet pip-tools
	CUSTOM_COMPILE_COMMAND="make lock" $(DEV)/bin/python -m piptools compile --quiet --upgrade --extra dev --strip-extras \
		--unsafe-package colocalize --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --output-file requirements-dev.txt pyproject.toml

$(SERVE)/.installed: pyproject.toml
	$(PYTHON) -m venv $(SERVE)
	$(SERVE)/bin/pip install --quiet --editable '.[cpu,serve]'
	touch $@

$(DEV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/pip install --quiet $(INSTALL_DEV)
	touch $@

$(STUDIO)/.installed:  # of its own: it pins most of what it needs
	$(PYTHON) -m venv $(STUDIO)
	$(STUDIO)/bin/pip install --quiet 'label-studio>=1.23,<2'
	touch $@

clean:
	rm -rf $(SERVE) $(DEV) $(STUDIO) demo-output site
