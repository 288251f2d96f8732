# The commands. `make run` and `make test` are all that most people need.

.DEFAULT_GOAL := help
.PHONY: help run test check unit fuzz crash simulate tools deny

VENV := .venv
CARGO ?= cargo

help: ## Show this
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

run: ## Build and start the platform on http://127.0.0.1:8000, its data in .function-runner/
	@command -v bwrap >/dev/null || [ "$$(uname)" != Linux ] || echo "bubblewrap is not installed (apt-get install bubblewrap): the next sandbox is used"
	$(CARGO) build --release --locked
	FUNCTION_RUNNER_LOG=$${FUNCTION_RUNNER_LOG:-text} exec target/release/function-runner serve

test: tools check unit fuzz ## Test everything

check: ## Format, lints, licences
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny check bans licenses sources; \
	else echo "cargo-deny is not installed (cargo install --locked cargo-deny): licences are not checked"; fi

unit: ## Unit, property and contract tests
	$(CARGO) test --workspace --locked

fuzz: $(VENV)/.fuzz ## Fuzz a live server by its OpenAPI document
	$(CARGO) build --workspace --locked
	$(VENV)/bin/python shared/testkit/fuzz/run.py target/debug/function-runner

crash: ## Kill a live server 200 times, and check its ledger
	$(CARGO) build --workspace --locked
	FUNCTION_RUNNER_KILLS=200 $(CARGO) test -p localstack --test crash --locked -- --nocapture

simulate: ## Simulate the job machine over 20,000 schedules
	FUNCTION_RUNNER_SCHEDULES=20000 $(CARGO) test --release -p app --test simulation --locked -- --nocapture

$(VENV)/.fuzz: shared/testkit/fuzz/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

tools: ## Say which OS packages are missing, or install them when root
	@[ "$$(uname)" != Linux ] || command -v bwrap >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq bubblewrap; \
	else echo "bubblewrap is not installed (apt-get install bubblewrap): its sandbox is not tested"; fi
