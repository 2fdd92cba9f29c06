# make prices   a published price table for the example catalog, from nothing
# make test     everything that needs no GPU: lint, types, import floors, dependencies, tests, simulator
# make bill     bill_of_materials.json: every installed distribution, its version and where it came from
# make s3-server   the S3 server of tests/stores, in .venv/s3-server
# make requirements   pins with hashes for the image, from the ranges and constraints.txt; needs uv and the registry
PYTHON ?= python3
BIN := .venv/bin
COMMA := ,
CUDA := $(if $(shell nvidia-smi -L 2>/dev/null),$(COMMA)cuda12)
INSTALL = $(BIN)/python -m pip install --quiet --constraint constraints.txt

FLOATS := float64 float32

COMPILE = uv pip compile --quiet --generate-hashes --no-annotate --custom-compile-command "make requirements" \
	--python-version 3.12 --python-platform x86_64-manylinux_2_39

unexport PYTHONDONTWRITEBYTECODE # the first import of a module compiles it for all later ones

.PHONY: prices test lint simulator compile $(addprefix compile-,$(FLOATS)) suite bill requirements s3-server clean

prices: .venv/prices
	$(BIN)/gpu-pricer run

test: lint compile simulator suite # with --jobs 2 compile runs beside lint, and then the simulator beside the suite

suite: compile # a module's tests share its fixtures in one process; Numba makes PyTorch's threads two, which wait asleep
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest -m "not simulator" --numprocesses 3 --dist loadscope --no-loadscope-reorder

simulator: .venv/dev # the modules that mark a test; to import all others takes half a minute
	NUMBA_ENABLE_CUDASIM=1 $(BIN)/pytest -m simulator $$(grep -rl --include='test_*.py' mark.simulator tests)

compile: $(addprefix compile-,$(FLOATS))

$(addprefix compile-,$(FLOATS)): compile-%: .venv/dev
	$(BIN)/python -m kernels.compiling --continuous $*

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

bill: .venv/dev
	$(BIN)/python -m pip inspect --local > bill_of_materials.json

requirements:
	$(COMPILE) requirements/build.in --output-file requirements/build.txt
	$(COMPILE) requirements/s3-server.in --output-file requirements/s3-server.txt
	$(COMPILE) pyproject.toml requirements/image.in --extra example --extra baselines --extra cuda12 \
		--constraint constraints.txt --constraint requirements/build.txt --output-file requirements/image.txt

s3-server: .venv/s3-server/bin/flask

.venv/s3-server/bin/flask: .venv/bin/python requirements/s3-server.txt
	$(BIN)/python -m venv .venv/s3-server
	.venv/s3-server/bin/python -m pip install --quiet --no-compile --require-hashes --requirement requirements/s3-server.txt
	touch $@

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv

.venv/prices: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) --editable ".[example$(CUDA)]"
	touch $@

.venv/dev: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) --no-compile --editable ".[example,dev$(CUDA)]"
	touch $@ .venv/prices

clean:
	rm -rf .venv work prices bill_of_materials.json
