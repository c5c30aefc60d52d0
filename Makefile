# Every target sets up what is missing first; see tools/setup.sh.

BIN := .venv/bin
ARGS ?=

.PHONY: help
help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' Makefile | \
	    while read -r target text; do printf '  make %-10s %s\n' "$$target" "$$text"; done

.PHONY: demo
demo: setup ## Photos to proven predictions on an emulated STM32F405. ARGS="--board host" and such.
	@$(BIN)/edgemcu run --project examples/demo $(ARGS)

.PHONY: setup
setup: ## Only set up: .venv, and the cross compiler and emulator.
	@tools/setup.sh run

.PHONY: setup-dev
setup-dev:
	@tools/setup.sh dev

.PHONY: lint
lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: check
check: lint ## The inner loop: lint, types, fast tests; under a minute.
	$(BIN)/python -m pytest -q -n 2 -m "not slow and not emulator" $(ARGS)

.PHONY: test
test: lint ## Everything: slow tests, emulators, the commands in the docs; up to an hour.
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations 10 $(ARGS)

.PHONY: clean
clean: ## Remove what was built: build folders, caches. Downloads and .venv stay.
	rm -rf build dist examples/*/build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## Remove .venv too.
	rm -rf .venv
