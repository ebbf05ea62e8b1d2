# make demo   the story of docs/demo.py, pictures in demo_output/
# make test   unit and property tests
# make lint   style, types and the floors of the house
# make docs   write docs/operators.md anew
PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: all install demo test doctest lint docs thorough clean

all: lint test doctest

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/python docs/demo.py --out demo_output

# One thread per worker: more of them than cores slow small networks down a hundredfold.
demo test doctest thorough: export OMP_NUM_THREADS = 1

test: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) tests property_tests

doctest: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --doctest-modules fpipe

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(STAMP)
	$(BIN)/python docs/make_operators.py

thorough: $(STAMP)
	$(BIN)/python benchmarks/california.py
	$(BIN)/python benchmarks/tables.py
	$(BIN)/python benchmarks/images.py
	$(BIN)/python benchmarks/mnist.py
	$(BIN)/python benchmarks/transfer.py
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest -n $(WORKERS) property_tests

clean:
	rm -rf .venv build dist demo_output *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find fpipe tests property_tests docs benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
