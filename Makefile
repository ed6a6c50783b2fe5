# make book · make pdf · make test · make execute · make lint · make clean. README.md has the plain forms, for machines without make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: book pdf test slow proof safety execute from-twins lint lock clean repository

book: .venv/installed
	$(BIN)/jupyter-book build book/
	@echo
	@echo "The book is ready. Open it in a browser:  $(CURDIR)/book/_build/html/index.html"

# The site, and from it the whole book as one PDF and one archive, offered on the landing page. Needs Chromium.
pdf: .venv/installed
	$(BIN)/jupyter-book build book/
	$(BIN)/python tools/whole_book.py

test: .venv/installed
	$(BIN)/pytest --nbval

# The tests that take longest and seldom find anything: processes that die, printing, every variant of every study.
slow: .venv/installed
	$(BIN)/pytest -m slow tests
	$(BIN)/pytest --hypothesis-profile=thorough --hypothesis-seed=0 -k "random_stacks or no_border_cuts" tests/receptive

# What can go wrong, tried for so many minutes beyond the tests of every day; writes the table of the page "How it was measured".
MINUTES ?= 80
proof: .venv/installed
	$(BIN)/python tools/proof.py --minutes $(MINUTES)

# Known holes and licences of what .venv holds, and habits in our own source that let code in. Tools in an environment of
# their own, which no reader needs; asks the package index about holes.
safety: .venv/installed
	$(PYTHON) -m venv .safety
	.safety/bin/pip install -q -r tools/safety.txt
	.safety/bin/bandit -q -c pyproject.toml -r src
	.safety/bin/pip-licenses --python $(BIN)/python
	.safety/bin/pip-audit --path $$($(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))") --skip-editable

# Re-run every chapter top to bottom on a fresh kernel, store the outputs, refresh the text twins.
execute: .venv/installed
	$(BIN)/python tools/notebooks.py execute $(CHAPTERS)

# The other way round: after editing a twin, take its text over into the chapter; then `make execute`.
from-twins: .venv/installed
	$(BIN)/python tools/notebooks.py from-twins $(CHAPTERS)

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy
	$(BIN)/python tools/notebooks.py check

# Exact versions, with hashes, of all that requirements.txt leads to, but for torch: which of its builds is right, and so
# which hashes, depends on the machine.
lock: .venv/installed
	grep -vE '^(-e|torch)' requirements.txt >.requirements.in
	$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header --no-annotate --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host --no-emit-options --output-file requirements.lock .requirements.in
	rm .requirements.in

# The repository's address stands in pyproject.toml; this changes it everywhere: make repository URL=https://github.com/…
repository: .venv/installed
	$(BIN)/python tools/repository.py "$(URL)"

clean:
	rm -rf .venv .safety book/_build build dist .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis src/*.egg-info

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and 'Python 3.11 to 3.13 is needed, this is ' + sys.version.split()[0] + ': make PYTHON=python3.12')"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -r requirements.txt
	touch $@
