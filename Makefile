# `make grade`: from a fresh machine to a graded sample class. `make test`: the whole test suite.
# Everything lives in .venv. Another interpreter: make PYTHON=/path/to/python3 grade

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11 python; do \
	$$each -c '$(NEW_ENOUGH)' 2>/dev/null && { echo $$each; exit; }; done; echo python3)
VENV := .venv
# Python compiles what it imports. pip would compile everything, which takes half a minute.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(VENV)/bin/python -m pip install -qq --disable-pip-version-check --no-compile
# torch's threads leave the processor to others while they wait for one another.
export OMP_WAIT_POLICY ?= PASSIVE
# The tests of one file share what they have prepared, so they stay in one process. Which files
# begin stands in tests/conftest.py. There are two processes more than the smallest machine has
# cores, because many tests wait for processes of their own.
TESTS := $(VENV)/bin/python -m pytest --numprocesses=4 --dist=loadfile --durations=30 \
	--no-loadscope-reorder
VERSIONS := pyproject.toml constraints.txt autograder/sandbox/pins.txt
EXTRAS := lab,grade,cluster,demo,test
# READY is a copy of the versions that are installed. UNFINISHED is there while pip works:
# when it is there at the start, an earlier set-up was interrupted.
READY := $(VENV)/keyhole-ready
UNFINISHED := $(VENV)/keyhole-unfinished

.PHONY: setup environment fetch grade demo test check languages lint format lab assignments \
	student-pack bench

setup:
	@test ! -e $(UNFINISHED) && cat $(VERSIONS) | cmp -s - $(READY) \
	&& $(VENV)/bin/python -c '' 2>/dev/null || $(MAKE) --no-print-directory environment

environment:
	@$(PYTHON) -c '$(NEW_ENOUGH)' 2>/dev/null \
	|| { echo "Keyhole needs Python 3.11 or newer; name one with:" \
	"make PYTHON=/path/to/python3 setup" >&2; exit 1; }
	@if test -e $(UNFINISHED) || ! $(VENV)/bin/python -c 'import pip; $(NEW_ENOUGH)' 2>/dev/null; \
	then echo "Making a virtual environment in $(VENV)."; $(PYTHON) -m venv --clear $(VENV); fi
	@touch $(UNFINISHED)
	@echo "Installing the packages into $(VENV): minutes the first time, most of them for torch."
	@$(PIP) --require-hashes --no-deps -r autograder/sandbox/pins.txt \
	&& $(PIP) --constraint constraints.txt --editable ".[$(EXTRAS)]" \
	|| { echo "The set-up did not finish: see pip's message above," \
	"then run the same command again." >&2; exit 1; }
	@cat $(VERSIONS) > $(READY) && rm -f $(UNFINISHED)

fetch: setup
	@$(VENV)/bin/keyhole fetch

grade: fetch  # the sample class is the kit's own, so it may run without isolation
	@$(VENV)/bin/autograder grade data/sample_class --json grading/results.json \
	--i-accept-no-isolation
	@$(VENV)/bin/autograder board grading/results.json --out grading/board.html

test: fetch
	@$(TESTS)

check: fetch
	@$(TESTS) -m "not slow"

languages: fetch  # the notebooks in the languages in which `make test` does not run them
	@$(TESTS) -m other_language

lint: setup
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .

format: setup
	@$(VENV)/bin/ruff check --select I --fix . && $(VENV)/bin/ruff format .

demo: fetch
	@$(VENV)/bin/python -m lecture $(DEMO)

lab: fetch
	@$(VENV)/bin/jupyter lab assignments

assignments: setup
	@$(VENV)/bin/nbgrader generate_assignment model_editing --force --no-db
	@$(VENV)/bin/python -m autograder.making.translation

# make student-pack LANG=zh-TW: the notebooks in Chinese. (The LANG of the environment is another.)
OTHER := $(if $(filter command,$(firstword $(origin LANG))),$(filter-out en,$(LANG)))
student-pack: setup
	@$(VENV)/bin/python -m autograder.making.student_pack \
	keyhole-students$(addprefix -,$(OTHER)).zip $(OTHER)

bench: fetch
	@$(VENV)/bin/python -m bench
