# The two that matter: make cluster, make test. Everything else is a part of them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CONTROL_PLANES ?= 1
WORKERS ?= 2
NAME ?= default
TOPOLOGY ?= stacked
ENDPOINT ?=
ONLY ?=
VERSIONS ?=
PYTHON ?= python3
export DEBIAN KUBERNETES_VERSION KUBERNETES_UPGRADE_VERSIONS CONTAINERD_VERSION ETCD_VERSION RUNC_VERSION CNI_PLUGINS_VERSION CRICTL_VERSION

BUILD := .build
VENV := .venv
COLLECTION := $(BUILD)/collections/ansible_collections/groundwork/kubernetes
LAB := PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 $(VENV)/bin/python -m lab
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export MOLECULE_GLOB := molecule/*/molecule.yml

.PHONY: help
help: ## What there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

$(BUILD)/apt: tests/apt-packages.txt
	@missing=$$(for p in $$(cat $<); do dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || echo $$p; done); \
	if [ -n "$$missing" ]; then echo "installing" $$missing; apt-get -qq update; \
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $$missing > /dev/null; fi
	@mkdir -p $(BUILD) && touch $@

$(VENV)/ready: tests/requirements.txt | $(BUILD)/apt
	@echo "preparing the Python environment"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(COLLECTION):
	@mkdir -p $(@D) && ln -sfn ../../../.. $@

.PHONY: setup
setup: $(BUILD)/apt $(VENV)/ready $(COLLECTION) ## Install what everything below needs

# What people read; everything else that calls Ansible has its own output.
cluster verify: export ANSIBLE_STDOUT_CALLBACK := groundwork.kubernetes.report
.PHONY: cluster
cluster: setup ## A real cluster on this machine: lab hosts, and playbooks/site.yml on them; again: keeps it, or changes its size
	@$(LAB) up --control-plane $(CONTROL_PLANES) --worker $(WORKERS)
	@ansible-playbook -i inventories/lab playbooks/site.yml
	@$(LAB) usage

.PHONY: verify
verify: setup ## The end-to-end check on the lab's cluster
	@ansible-playbook -i inventories/lab playbooks/verify.yml

.PHONY: clean
clean: ## Remove the lab: hosts, network, mounts; the cache stays
	@PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m lab down

.PHONY: artifacts
artifacts: setup ## Build, pack and fetch what the lab's mirror serves, without making hosts
	@$(LAB) artifacts

.PHONY: download
download: setup ## Fetch upstream's artifacts into the cache, where there is internet, as make cluster does
	@$(LAB) download

.PHONY: digests
digests: setup ## Add upstream's digests to the collection's, where there is internet: make digests VERSIONS='kubernetes=1.36.5 etcd=3.6.15'
	@$(VENV)/bin/python tests/digests.py $(VERSIONS)

.PHONY: lint
lint: setup ## ruff, mypy, yamllint, ansible-lint
	@tests/lint

.PHONY: unit
unit: setup ## Unit tests
	@tests/unit-tests

.PHONY: sanity
sanity: setup ## ansible-test sanity, the collection's build, and ansible-doc
	@tests/sanity

# What the tests run on their own, such as API servers, are the programs of this version.
integration: export KUBERNETES_VERSION := $(or $(KUBERNETES_VERSION),1.20.2)
.PHONY: integration
integration: artifacts ## Modules against real etcd processes and a real API server on this machine
	@tests/integration/run

.PHONY: scenario
scenario: setup ## One molecule scenario: make scenario NAME=default
	@tests/scenario $(NAME)

.PHONY: reliability
reliability: setup ## Faults of hosts, network, disks and runs on lab clusters, with a probe: make reliability ONLY=kill-1
	@PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 $(VENV)/bin/python -m reliability --topology $(TOPOLOGY) $(addprefix --endpoint ,$(ENDPOINT)) $(addprefix --only ,$(ONLY))

.PHONY: readme
readme: setup ## The README's blocks as they stand there, those of a real cluster as a fresh user with hosts of the lab
	@$(VENV)/bin/python tests/readme.py

.PHONY: bench
bench: setup ## site against a shell script with the same steps, the cost of a second run, and of backups
	@tests/bench/run
	@tests/bench/many
	@tests/bench/backup

.PHONY: test
test: lint unit sanity ## What CI runs
	@$(MAKE) --no-print-directory scenario NAME=default
	@$(MAKE) --no-print-directory scenario NAME=ha

.PHONY: test-all
test-all: test integration ## Every scenario, the modules on real parts, the README's blocks, and the benchmark
	@for scenario in $$(ls molecule | grep -vx -e default -e ha -e shared); do $(MAKE) --no-print-directory scenario NAME=$$scenario; done
	@$(MAKE) --no-print-directory readme
	@$(MAKE) --no-print-directory bench
