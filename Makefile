# `make help` lists what there is. Nothing but Python 3.11 or newer and make is needed.

SHELL := /bin/sh
# What is started hundreds of times by the tests is compiled once.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:

# The first Python of 3.11 or newer that can make a virtual environment; or say PYTHON=/path/to/python.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	then echo $$python; break; fi; done)

# Most of a run is waiting for processes to start, die and be missed: four at it, each with servers of its own. One
# keeps a third of a core busy, and six ran past each other on two.
WHOLE := --numprocesses=4

.DEFAULT_GOAL := help

.PHONY: help
help:  ## This list
	@sed -n 's/^\([a-z0-9-]*\):.*  ## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do \
		printf '  make %-16s %s\n' "$$target" "$$text"; done

.PHONY: demo
demo: $(VENV)/embedded.installed $(BIN)/tm  ## Start embedded, take in the sample documents, search them, stop
	PYTHONPATH=client $(BIN)/python -m demo

.PHONY: run
run: $(VENV)/embedded.installed $(BIN)/tm  ## Run the whole service in one process on PORT (8084) until Ctrl-C
	$(BIN)/python -m embedded

.PHONY: test
test: $(VENV)/dev.installed $(VENV)/contract.installed  ## All tests, on a real PostgreSQL and a real RabbitMQ; ARGS="tests/test_x.py -k name" for some
	$(BIN)/python -m pytest $(or $(ARGS),$(WHOLE))

# What keeps the promises about a task, by the tests that run it in their own process: other processes are not seen.
COVERED := tests/actors tests/broker tests/tasks tests/worker

.PHONY: coverage
coverage: $(VENV)/dev.installed  ## Lines and branches that the tests reach; fails below the floor in pyproject.toml; takes some minutes
	$(BIN)/coverage run -m pytest $(COVERED)
	$(BIN)/coverage report --omit='worker/*'
	$(BIN)/coverage report --include='worker/*' --fail-under=78

.PHONY: contract
contract: $(VENV)/dev.installed $(VENV)/contract.installed  ## Hold the service against its OpenAPI document with EXAMPLES=20 requests of each kind; takes some minutes
	CONTRACT_EXAMPLES=$(or $(EXAMPLES),20) $(BIN)/python -m pytest tests/api/description/test_contract.py

.PHONY: docs
docs: $(VENV)/docs.installed  ## The site of docs/, in English and Chinese, into site/; a dead link ends it
	rm -rf site
	NO_MKDOCS_2_WARNING=1 $(VENV)/docs/bin/mkdocs build --quiet
	NO_MKDOCS_2_WARNING=1 DOCS_LANGUAGE=zh $(VENV)/docs/bin/mkdocs build --quiet --site-dir site/zh
	@echo "open site/index.html, or site/zh/index.html"

.PHONY: docs-tables
docs-tables: $(VENV)/dev.installed  ## Write the tables of docs/ that are made from the code anew
	$(BIN)/python -m tests.docs.tables

.PHONY: snippets
snippets: $(VENV)/dev.installed $(VENV)/snippets.installed  ## The programs of docs/ in TypeScript, Go and Java against a running service; some minutes the first time
	$(BIN)/python -m pytest tests/docs/snippets.py

.PHONY: openapi-lint
openapi-lint: $(VENV)/dev.installed $(VENV)/snippets.installed  ## Redocly and Spectral read the OpenAPI document, by the rules that they recommend
	$(BIN)/python -m pytest --numprocesses=0 tests/docs/openapi_lint.py

.PHONY: ledger
ledger: $(VENV)/dev.installed  ## Disturb everything KILLS=300 times, then keep the books; SEED=1 says what is disturbed, and how
	KILLS=$(or $(KILLS),300) SEED=$(or $(SEED),1) $(BIN)/python -m pytest -s tests/reliability/test_ledger.py

.PHONY: bench-ledger
bench-ledger: $(VENV)/dev.installed $(VENV)/peers.installed  ## The disturbances of make ledger, KILLS=300, done to FastAPI and Celery; takes some minutes
	KILLS=$(or $(KILLS),300) SEED=$(or $(SEED),1) $(BIN)/python -m bench.ledger

# Named one by one: none is called test_*.py, so that `make test` leaves them.
CLUSTER := tests/cluster/fail_over.py tests/cluster/restore.py tests/cluster/mixed_releases.py

.PHONY: test-cluster
test-cluster: $(VENV)/dev.installed  ## Lose one of each of a cluster under load, restore a backup, run two releases side by side; 10 minutes
	$(BIN)/python -m pytest -s $(or $(ARGS),$(CLUSTER))

# What is said to RabbitMQ, and what happens when it stops, is killed, or lets no one publish.
RABBITMQ_4 := tests/broker tests/reliability/test_broker_outages.py tests/reliability/test_queues.py \
              tests/reliability/test_crashes.py tests/reliability/test_lifecycle.py tests/cluster/fail_over.py

.PHONY: test-rabbitmq-4
test-rabbitmq-4: $(VENV)/dev.installed  ## The broker, its outages and a fail-over of the cluster with RabbitMQ 4 of Debian 13; as root, 6 minutes
	$(BIN)/python -m tests.rabbitmq_4 $(BIN)/python -m pytest $(or $(ARGS),$(RABBITMQ_4))

.PHONY: cluster-demo
cluster-demo: $(VENV)/dev.installed  ## The same loss of one of each, drawn into docs/pictures/fail-over.svg; 5 minutes
	$(BIN)/python -m bench.fail_over

.PHONY: screenshots
screenshots: $(VENV)/dev.installed  ## Pictures of every page into FOLDER (screenshots): two languages, colours and widths
	PYTHONPATH=client $(BIN)/python -m tests.dashboard.screenshots $(or $(FOLDER),screenshots)

.PHONY: check
check: $(VENV)/dev.installed  ## Formatter, linter, type checker, and the structure: imports, circles, boxes, lines; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses=0 tests/test_architecture.py

.PHONY: bench
bench: $(VENV)/dev.installed $(VENV)/peers.installed  ## Side by side with its peers, into docs/benchmarks.md; 20 minutes, or ARGS="--only single --rounds 1"
	$(BIN)/python -m bench $(ARGS)

.PHONY: bench-ingest
bench-ingest: $(VENV)/dev.installed $(VENV)/ingest.installed  ## Documents beside other frameworks, into docs/benchmarks-ingest.md; 12 minutes, or ARGS="--documents 20 --rounds 1"
	$(BIN)/python -m bench.ingest $(ARGS)

.PHONY: bench-dashboard
bench-dashboard: $(VENV)/dev.installed $(VENV)/peers.installed  ## Pages over 11 million tasks and what 200 dashboards cost, into docs/benchmarks-dashboard.md; an hour, or ARGS="--ended 100000 --open 10000"
	$(BIN)/python -m bench.dashboard $(ARGS)

.PHONY: bench-footprint
bench-footprint: $(VENV)/dev.installed  ## How soon each process is ready, and its memory after a mixed load; takes a minute
	$(BIN)/python -m bench.footprint

.PHONY: bench-retrieval
bench-retrieval: $(VENV)/dev.installed  ## Recall of search over REST on the question sets below DATA; takes some minutes
	$(BIN)/python -m bench.retrieval --data $(or $(DATA),$(error DATA= must name the folder that holds the question sets; see docs/retrieval.md))

.PHONY: bench-meaning
bench-meaning: $(VENV)/dev.installed  ## Recall of words, vectors and both with each embedder, on the sets below DATA; an hour, or ARGS="--share 10"
	$(BIN)/python -m bench.meaning --data $(or $(DATA),$(error DATA= must name the folder that holds the question sets; see docs/retrieval.md)) $(ARGS)

.PHONY: bench-estimates
bench-estimates: $(VENV)/dev.installed  ## How far estimated_completion is from the truth on real runs; takes some minutes
	$(BIN)/python -m bench.estimates

.PHONY: bench-bloat
bench-bloat: $(VENV)/dev.installed  ## Whether the table of tasks grows for good under load; takes some minutes
	$(BIN)/python -m bench.bloat $(ARGS)

.PHONY: bench-growth
bench-growth: $(VENV)/dev.installed  ## What a task costs with more workers, with many that wait, and with many that have ended; takes some minutes
	$(BIN)/python -m bench.growth $(ARGS)

.PHONY: bench-watches
bench-watches: $(VENV)/dev.installed  ## What 1,000 Watch streams cost the calls beside them, over gRPC; takes some minutes
	$(BIN)/python -m bench.watches $(ARGS)

.PHONY: bench-documents
bench-documents: $(VENV)/dev.installed .venv-bench/installed  ## Readers and splitters beside others; ARGS="--documents DIR"
	$(BIN)/python -m bench.documents $(ARGS)

.PHONY: fuzz
fuzz: $(VENV)/fuzz.installed  ## Fuzz every reader and the chunker, SECONDS=60 each; TARGETS="pdf docx" for some
	$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),60) $(TARGETS)

.PHONY: format
format: $(VENV)/dev.installed  ## Format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: proto
proto: $(VENV)/dev.installed  ## Add fields of a task to rpc/proto that it lacks, write rpc/generated anew; ends at what breaks clients
	$(BIN)/python -m rpc.generate
	$(BIN)/buf lint rpc/proto
	$(BIN)/buf breaking rpc/proto --against rpc/proto/baseline.binpb
	$(BIN)/buf build rpc/proto --exclude-source-info -o rpc/proto/baseline.binpb

.PHONY: up
up:  ## docker compose: PostgreSQL, RabbitMQ, web, worker, clock, Prometheus, Grafana
	docker compose up --build

.PHONY: requirements
requirements: $(VENV)/dev.installed  ## Compile requirements/*.in anew; UPGRADE=1 takes the newest versions
	sh requirements/compile.sh $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean:  ## Remove what was built or cached; .data, where embedded mode keeps its documents, stays
	rm -rf $(VENV) .venv-bench site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "No Python 3.11 or newer with the venv module was found. Install one (Debian: apt-get install" >&2; \
		echo "python3 python3-venv), or name yours: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; fi
	$(PYTHON) -m venv $(VENV)

# The command of the client in this repository; elsewhere `pip install 'client/[cli]'` installs it.
$(BIN)/tm: | $(BIN)/python
	@printf '#!/bin/sh\nPYTHONPATH="%s/client" exec "%s/$(BIN)/python" -m task_manager_client.command.main "$$@"\n' \
		"$(CURDIR)" "$(CURDIR)" > $@ && chmod +x $@

# One stamp for each set: it is installed again only when its requirements change.
$(VENV)/embedded.installed: requirements/embedded.txt | $(BIN)/python
	$(INSTALL) -r $<
	@touch $@

$(VENV)/dev.installed: requirements/dev.txt | $(BIN)/python
	$(INSTALL) -r $<
	@touch $@ $(VENV)/embedded.installed

$(VENV)/fuzz.installed: requirements/fuzz.txt | $(BIN)/python
	$(INSTALL) -r $<
	@touch $@ $(VENV)/dev.installed $(VENV)/embedded.installed

# What generates a client and what tries requests, apart from what is deployed.
$(VENV)/contract.installed: requirements/contract.txt | $(BIN)/python
	$(BIN)/python -m venv $(VENV)/contract
	$(VENV)/contract/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $<
	@touch $@

$(VENV)/docs.installed: requirements/docs.txt | $(BIN)/python
	$(BIN)/python -m venv $(VENV)/docs
	$(VENV)/docs/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $<
	@touch $@

$(VENV)/snippets.installed: requirements/snippets.txt | $(BIN)/python
	$(BIN)/python -m venv $(VENV)/snippets
	$(VENV)/snippets/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $<
	@touch $@

# The peers of the benchmark, apart from what is deployed.
$(VENV)/peers.installed: requirements/bench.txt | $(BIN)/python
	$(BIN)/python -m venv $(VENV)/peers
	$(VENV)/peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $<
	@touch $@

# Frameworks that take in documents. Everything is pinned; and an extra of what is pinned counts as unpinned for pip.
$(VENV)/ingest.installed: requirements/ingest.txt | $(BIN)/python
	$(BIN)/python -m venv $(VENV)/ingest
	$(VENV)/ingest/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: -r $<
	@touch $@

# Other readers and splitters, which share nothing with the service.
.venv-bench/installed: requirements/bench-documents.txt | $(BIN)/python
	$(BIN)/python -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $<
	@touch $@
