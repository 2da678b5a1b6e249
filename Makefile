# `make grade`: from a fresh machine to a graded sample class.   `make test`: the whole test suite.
# Everything lives in .venv; another interpreter: make PYTHON=/path/to/python3 grade

PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11 python; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$each; exit; }; done; echo python3)
VENV := .venv
export OMP_WAIT_POLICY ?= PASSIVE#          torch's threads leave the processor to others while they wait for one another
TESTS := $(VENV)/bin/python -m pytest --numprocesses=2 --dist=loadfile#   a file's tests share what they have prepared
VERSIONS := pyproject.toml autograder/sandbox/pins.txt
READY := $(VENV)/keyhole-ready#             a copy of the versions that are installed
UNFINISHED := $(VENV)/keyhole-unfinished#   there while pip works: found at the start, it tells of an interruption

.PHONY: setup grade test check lab assignments student-pack bench fetch environment

setup:
	@test ! -e $(UNFINISHED) && cat $(VERSIONS) | cmp -s - $(READY) && $(VENV)/bin/python -c '' 2>/dev/null || $(MAKE) --no-print-directory environment

environment:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	|| { echo "Keyhole needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3 setup" >&2; exit 1; }
	@if test -e $(UNFINISHED) || ! $(VENV)/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo "Making a virtual environment in $(VENV)."; $(PYTHON) -m venv --clear $(VENV); fi
	@touch $(UNFINISHED)
	@echo "Installing the packages into $(VENV): minutes the first time, most of them for torch."
	@$(VENV)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps -r autograder/sandbox/pins.txt \
	&& $(VENV)/bin/python -m pip install -qq --disable-pip-version-check --editable . \
	|| { echo "The set-up did not finish: see pip's message above, then run the same command again." >&2; exit 1; }
	@cat $(VERSIONS) > $(READY) && rm -f $(UNFINISHED)

fetch: setup
	@$(VENV)/bin/keyhole fetch

grade: fetch
	@$(VENV)/bin/autograder grade data/sample_class --json grading/results.json --i-accept-no-isolation  # the sample class is the kit's own

test: fetch
	@$(TESTS)

check: fetch
	@$(TESTS) -m "not slow"

lab: fetch
	@$(VENV)/bin/jupyter lab assignments

assignments: setup
	@$(VENV)/bin/nbgrader generate_assignment model_editing --force --no-db

student-pack: setup
	@$(VENV)/bin/python -m autograder.making.student_pack keyhole-students.zip

bench: fetch
	@$(VENV)/bin/python -m bench
