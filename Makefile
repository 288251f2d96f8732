# The commands. `make run` and `make test` are all that most people need.

.DEFAULT_GOAL := help
.PHONY: help run test check unit fuzz crash simulate bench tools deny generate costs bench-lambda lambda deploy sam-deploy smoke emulator emulator-test emulator-binaries lint-templates

VENV := .venv
CARGO ?= cargo

help: ## Show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

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

bench: ## Measure against floors and peers, which it installs; writes docs/PERFORMANCE.md
	python3 localstack/bench/run.py

$(VENV)/.fuzz: shared/testkit/fuzz/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

tools: ## Say which OS packages are missing, or install them when root
	@[ "$$(uname)" != Linux ] || command -v bwrap >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq bubblewrap; \
	else echo "bubblewrap is not installed (apt-get install bubblewrap): its sandbox is not tested"; fi

# --- On AWS ---

EMULATOR := .emulator
ENV ?= dev
# What is built for Lambda.
LAMBDAS := -p function-runner-api -p faas-backend-api -p worker -p janitor --features function-runner-api/lambda,faas-backend-api/lambda
# The same packages for each emulator target, so that nothing is built twice.
EMULATED := $(LAMBDAS) -p infra

generate: ## Write infra/*.yaml and infra/openapi/*.json from the code
	$(CARGO) run --locked --quiet -p infra --bin generate

costs: ## Write the tables of AWS calls and dollars in docs/PERFORMANCE.md
	$(CARGO) build --workspace --locked
	FUNCTION_RUNNER_WRITE_COSTS=1 $(CARGO) test --workspace --locked --test every_route -- the_tables_in_the_documents

bench-lambda: ## Measure the Lambda binaries, built for this machine; writes docs/PERFORMANCE.md
	$(CARGO) build --profile lambda --locked --bins --example nothing $(LAMBDAS)
	python3 infra/bench.py target/lambda

lambda: $(EMULATOR)/.cross ## Build and zip the Lambda binaries for AWS (arm64)
	PATH="$(CURDIR)/$(EMULATOR)/bin:$$PATH" cargo-lambda lambda build --arm64 --profile lambda --locked --bins $(LAMBDAS) --lambda-dir target/lambda/arm64
	python3 infra/package.py target/lambda/arm64

deploy: lambda sam-deploy ## Deploy to AWS: make deploy ENV=dev (staging, prod)

sam-deploy: $(EMULATOR)/.ready
	$(EMULATOR)/bin/sam deploy --config-env $(ENV)

smoke: $(EMULATOR)/.ready ## Try what is deployed: make smoke ENV=dev
	$(EMULATOR)/bin/python infra/smoke.py function-runner-$(ENV)

emulator: emulator-binaries ## Deploy the stack to an emulator of AWS on this machine, and serve it
	$(EMULATOR)/bin/python localstack/emulator.py

emulator-test: emulator-binaries ## Run the contract tests against the stack on the emulator
	test="$$($(CARGO) test --locked $(EMULATED) --test contract --no-run --message-format=json | python3 -c 'import json, sys; print([line["executable"] for line in map(json.loads, sys.stdin) if line.get("executable") and line["target"]["name"] == "contract"][-1])')" && \
	$(EMULATOR)/bin/python localstack/emulator.py --skips functions/function-runner/tests/contract/emulator-skips.txt -- "$$test" --test-threads 2

emulator-binaries: $(EMULATOR)/.ready
	$(CARGO) build --locked --bins $(EMULATED)
	python3 infra/package.py target/debug --strip

lint-templates: $(EMULATOR)/.ready ## Check the CloudFormation templates
	$(EMULATOR)/bin/cfn-lint template.yaml infra/*.yaml
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 $(EMULATOR)/bin/sam validate --lint

$(EMULATOR)/.cross: infra/requirements.txt $(EMULATOR)/.ready
	$(EMULATOR)/bin/pip install --quiet --disable-pip-version-check -r $<
	rustup target add aarch64-unknown-linux-gnu
	touch $@

$(EMULATOR)/.ready: localstack/requirements.txt
	python3 -m venv $(EMULATOR)
	$(EMULATOR)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@
