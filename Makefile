# Two verbs for a newcomer: `make demo` and `make test`. Each sets up what it needs by itself.
PY = .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help demo test check crash simulate security bench scorecard canary audit dist constraints clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: ## watch tmux-sentry work, with nothing configured; leaves nothing behind
	@scripts/setup demo
	@.venv/bin/tmux-sentry demo $(ARGS)

test: ## run all tests (ARGS="tests/test_parser.py -v" runs some)
	@scripts/setup test
	$(PY) -m pytest -n 3 --dist worksteal $(ARGS)

check: ## lint and type-check
	@scripts/setup test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

crash: ## kill the real program 1,000 times, then 25 times at each failpoint (ARGS="--kills 100"; see tests/crash/)
	@scripts/setup test
	$(PY) tests/crash/crash.py $(ARGS)

bench: ## measure latency, CPU and memory beside two pollers, here and over SSH (see benchmarks/)
	@scripts/setup test
	$(PY) benchmarks/bench.py $(ARGS)

scorecard: ## how well the parsers read the labelled screens of real agents (ARGS="--no-title")
	@scripts/setup test
	$(PY) tests/scorecard/scorecard.py $(ARGS)

canary: ## start the agents that are installed here and compare their screens with what the rules expect (ARGS="claude")
	@scripts/setup test
	$(PY) tests/scorecard/canary.py $(ARGS)

simulate: ## simulate a day on 50 panes, with kills, late commands and take-overs (ARGS="--seed 7 --trace")
	@scripts/setup test
	$(PY) core/tests/simulation/simulate.py --size day $(ARGS)

security: ## measure what is promised about hostile input and secrets (see tests/security/)
	@scripts/setup test
	$(PY) tests/security/security.py $(ARGS)

dist: ## build the sdist and the wheel of every member into dist/
	@scripts/setup test
	rm -rf dist
	@for m in . core plugins/*; do $(PY) -m build --no-isolation --outdir dist "$$m" || exit 1; done

audit: ## look for known vulnerabilities in the pinned packages (asks the package index)
	@scripts/setup test
	.venv/bin/pip-audit --strict --disable-pip --require-hashes --requirement constraints.txt $(ARGS)

constraints: ## pin the newest versions that work on every supported Python, with their hashes
	@scripts/setup test
	.venv/bin/uv pip compile --quiet --universal --python-version 3.10 --upgrade --generate-hashes --no-strip-extras \
	  --no-annotate --no-header --no-emit-index-url --no-emit-package tmux-sentry-core \
	  --output-file constraints.txt core/pyproject.toml plugins/*/pyproject.toml requirements-dev.txt

clean: ## remove everything that setting up, building and testing made
	rm -rf .venv dist build htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache uv.lock
	find core plugins tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
