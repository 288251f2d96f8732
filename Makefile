# The commands. `make run` and `make test` are all that most people need.

.DEFAULT_GOAL := help
.PHONY: help run test check unit fuzz crash simulate bench tools deny generate bench-lambda lambda deploy sam-deploy smoke emulator emulator-test emulator-binaries lint-templates

VENV := .venv
CARGO ?= cargo
# What tests and emulators run: built with the one set of flags that `cargo test --workspace` has, so nothing is built twice.
BUILD := $(CARGO) build --workspace --bins --tests --locked

help: ## Show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

# DynamoDB on this machine, for tests. A program of its own: what it links must not decide which SQLite the platform does.
DYNOXIDE := 3.2.0
TOOLS := $(or $(CARGO_TARGET_DIR),target)/tools
DYNAMODB := $(TOOLS)/.dynoxide-$(DYNOXIDE)

run: ## Build and start the platform on http://127.0.0.1:8000, its data in .function-runner/
	@command -v bwrap >/dev/null || [ "$$(uname)" != Linux ] || echo "bubblewrap is not installed (apt-get install bubblewrap): the next sandbox is used"
	$(CARGO) build --release --locked
	FUNCTION_RUNNER_LOG=$${FUNCTION_RUNNER_LOG:-text} exec target/release/function-runner serve

test: tools check unit fuzz lint-templates emulator-test ## Test everything

check: ## Format, lints, licences, advisories
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(MAKE) --no-print-directory deny; \
	else echo "cargo-deny is not installed (cargo install --locked cargo-deny): licences and advisories are not checked"; fi

deny: ## Check licences, sources and advisories
	$(CARGO) deny check bans licenses sources
	@if $(CARGO) deny fetch db 2>/dev/null; then $(CARGO) deny --offline check advisories; \
	else echo "The advisory database can't be fetched from github.com: advisories are not checked"; fi

unit: $(DYNAMODB) ## Unit, property and contract tests
	$(CARGO) test --workspace --locked

fuzz: $(VENV)/.fuzz ## Fuzz a live server by its OpenAPI document
	$(BUILD)
	$(VENV)/bin/python shared/testkit/fuzz/run.py target/debug/function-runner

crash: ## Kill a live server 200 times, and check its ledger
	$(BUILD)
	FUNCTION_RUNNER_KILLS=200 $(CARGO) test -p function-runner --test crash --locked -- --nocapture

simulate: ## Simulate the job machine over 20,000 schedules
	FUNCTION_RUNNER_SCHEDULES=20000 $(CARGO) test --release -p app --test simulation --locked -- --nocapture

bench: ## Measure against floors and peers, which it installs; writes docs/PERFORMANCE.md (ARGS="invoke --seconds 1")
	python3 localstack/bench/run.py $(ARGS)

$(VENV)/.fuzz: shared/testkit/fuzz/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

$(DYNAMODB):
	$(CARGO) install --quiet --locked --debug --root $(TOOLS) dynoxide-rs@$(DYNOXIDE) --no-default-features --features native-sqlite,http-server,cli
	touch $@

tools: $(DYNAMODB) ## Build the tools that tests need; say which OS packages are missing, or install them when root
	@[ "$$(uname)" != Linux ] || command -v bwrap >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq bubblewrap; \
	else echo "bubblewrap is not installed (apt-get install bubblewrap): its sandbox is not tested"; fi

# --- On AWS ---

EMULATOR := .emulator
ENV ?= dev
# What runs on AWS: arm64 or x86_64. (LocalStack runs what its own machine does: localstack/compose.yaml.)
LAMBDA_ARCH ?= arm64
# The API documents, as they were generated from the catalogue, and what works behind the door.
LAMBDAS := $(addprefix -p ,$(patsubst infra/openapi/%.json,%-api,$(wildcard infra/openapi/*.json)) fallback worker janitor)

generate: $(DYNAMODB) ## Write what comes of the code: infra/, the suites' lists of files, the costs in docs/PERFORMANCE.md
	$(BUILD)
	target/debug/generate
	FUNCTION_RUNNER_WRITE_COSTS=1 $(CARGO) test --workspace --locked --test every_route -- the_tables_in_the_documents

bench-lambda: ## Measure the Lambda binaries, built for this machine; writes docs/PERFORMANCE.md
	$(CARGO) build --profile lambda --locked --bins --example nothing $(LAMBDAS)
	python3 infra/bench.py target/lambda

lambda: $(EMULATOR)/.cross ## Build and zip the Lambda binaries for AWS (arm64)
	rustup target add $(subst arm64,aarch64,$(LAMBDA_ARCH))-unknown-linux-gnu
	PATH="$(CURDIR)/$(EMULATOR)/bin:$$PATH" cargo-lambda lambda build --$(subst _,-,$(LAMBDA_ARCH)) --profile lambda --locked --bins $(LAMBDAS) --lambda-dir target/lambda/$(LAMBDA_ARCH)
	python3 infra/package.py target/lambda/$(LAMBDA_ARCH)

deploy: lambda sam-deploy ## Deploy to AWS: make deploy ENV=dev (staging, prod)

sam-deploy: $(EMULATOR)/.ready
	$(EMULATOR)/bin/sam deploy --config-env $(ENV)

smoke: $(EMULATOR)/.ready ## Try what is deployed: make smoke ENV=dev
	$(EMULATOR)/bin/python infra/smoke.py function-runner-$(ENV)

emulator: emulator-binaries ## Deploy the stack to an emulator of AWS on this machine, and serve it
	$(EMULATOR)/bin/python localstack/emulator.py

emulator-test: emulator-binaries $(DYNAMODB) ## Run the contract tests against the stack on the emulator
	$(EMULATOR)/bin/python localstack/emulator.py --test

emulator-binaries: $(EMULATOR)/.ready
	$(BUILD)
	python3 infra/package.py target/debug --strip

# The templates name the zips.
lint-templates: emulator-binaries ## Check the CloudFormation templates
	$(EMULATOR)/bin/cfn-lint template.yaml infra/*.yaml
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 $(EMULATOR)/bin/sam validate --lint

$(EMULATOR)/.cross: infra/requirements.txt $(EMULATOR)/.ready
	$(EMULATOR)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

$(EMULATOR)/.ready: localstack/requirements.txt
	python3 -m venv $(EMULATOR)
	$(EMULATOR)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@
