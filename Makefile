# Each target is also plain commands; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
LOCK ?= requirements.lock
STAMP := .venv/$(LOCK).installed
P ?= travel_booking
STUDY ?= docs/study
BASE ?= origin/main
OUT ?= recompile
PAGE ?= docs/sweep.md
ARGS ?=
STAR ?= ../shared/data/star
WORDS ?= ../shared/data/multidogo/airline.dev.tsv

# dvc.yaml says `python`: it has to be the environment's, activated or not.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help env params repro frontier recompile compare dryrun study lint import show review interview real_words \
  star_tracker replay test check chat serve

help:
	@echo "make repro               everything: environment, params.yaml, pipeline, report"
	@echo "make repro ARGS=...      the same with other params, for example ARGS='scale=smoke seed=1'"
	@echo "make frontier            the arms with a provider's model, where its key is set (docs/frontier.md), then the rest:"
	@echo "                           dvc repro --single-item --force frontier && dvc repro"
	@echo "make recompile           what an edit made stale, compared with the model of BASE=origin/main; the gate's answer is"
	@echo "                         OUT/gate.json, a page on it OUT/comment.md (docs/recompile.md):"
	@echo "                           python -m scripts.recompile --base origin/main --out recompile"
	@echo "make compare             this commit and its experiments: quality against size, time and cost, as"
	@echo "                         PAGE=docs/sweep.md; only some with ARGS='--name PREFIX':"
	@echo "                           python -m scripts.compare docs/sweep.md"
	@echo "make study               all three procedures, hours on two cores, apart from what is here; its report goes to"
	@echo "                         docs/study: python -m scripts.study docs/study; to try it in minutes:"
	@echo "                           make study STUDY=charts/study ARGS=scale=study_smoke"
	@echo "make params [ARGS=...]   compose conf/ into params.yaml: python -m scripts.compose ARGS"
	@echo "make dryrun P=procedure  what a teacher would be asked and about what it would cost, for ARGS=generate=anthropic:"
	@echo "                           python -m scripts.dry_run data/graphs/P.json src/flowc/prompts ARGS"
	@echo "make lint [P=procedure]  list what is wrong with procedures, of all in data/procedures without P:"
	@echo "                           python -m scripts.lint data/procedures [P]"
	@echo "make import FILE=chart   make a chart an editable procedure, with NAME=, FLOW=, TRUST=1:"
	@echo "                           python -m scripts.import_chart FILE data/procedures [--name NAME --flow FLOW --trust]"
	@echo "make show P=procedure    print a procedure's size, draw it as charts/P.mmd and charts/P.svg:"
	@echo "                           python -m scripts.show data/procedures P --out charts"
	@echo "make review P=procedure  write a page on which people rate its conversations, reviews/P.html; more with ARGS=,"
	@echo "                         as ARGS='--pairs --arms compiled floor':"
	@echo "                           python -m scripts.review data/transcripts/P data/graphs/P.json data/scenarios/P.jsonl"
	@echo "                           --out reviews/P.html"
	@echo "make interview P=procedure   talk to its model as users who attack it or leave the path; others with ARGS=, as"
	@echo "                         ARGS='--kinds vague abuse' or ARGS='--scenarios data/scenarios/P.jsonl' (docs/users.md):"
	@echo "                           python -m scripts.interview models/compiled/P data/graphs/P.json --out interviews/P"
	@echo "make real_words P=procedure  play its scenarios in the words of real customers (docs/human-input.md), WORDS=FILE.tsv:"
	@echo "                           python -m scripts.real_words models/compiled/P data/scenarios/P.jsonl data/graphs/P.json"
	@echo "                           ../shared/data/multidogo/airline.dev.tsv --out docs/human/real-words-P.json"
	@echo "make star_tracker        measure the node tracker on what human wizards typed:"
	@echo "                           python -m scripts.star_tracker ../shared/data/star --out docs/human/star_tracker.json"
	@echo "make replay              compile STAR's hotel booking and replay its human dialogues with each arm (docs/human-input.md):"
	@echo "                           python -m scripts.human_replay ../shared/data/star --out docs/human"
	@echo "make test                all tests, two files at a time, for a single file leave the options out:"
	@echo "                           OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadfile --no-loadscope-reorder"
	@echo "make check               ruff format --check . && ruff check . && mypy"
	@echo "make chat P=procedure    talk to a compiled model:"
	@echo "                           python -m scripts.chat models/compiled/P data/scenarios/P.jsonl data/graphs/P.json"
	@echo "make serve P=procedure   serve it behind an OpenAI-compatible API, with PORT=8000 at that port, else at a free one:"
	@echo "                           python -m scripts.serve models/compiled/P [--port 8000]"
	@echo "make env                 create .venv from requirements.lock; this alone, once:"
	@echo "                           python3 -m venv .venv && . .venv/bin/activate"
	@echo "                           pip install --no-deps -r requirements.lock"
	@echo "                           pip install -c requirements.lock torch==2.13.0"
	@echo "                           pip install --no-deps --no-build-isolation -e ."
	@echo
	@echo "In the activated environment: dvc repro, dvc exp run -S train.epochs=2, dvc metrics diff,"
	@echo "dvc exp run --queue -S base=smollm2-135m-6l,smollm2-135m-12l && dvc queue start -j 1"

env: $(STAMP)

$(STAMP): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "error: $(PYTHON) is $$($(PYTHON) --version 2>&1 | head -n 1), and this needs CPython 3.11 or newer;" \
	       "name one: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Installing into .venv from $(LOCK): some minutes and 4 GB the first time; first all but torch"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --no-deps -r $(LOCK)
	@echo "Now torch, the largest package"
	@$(BIN)/python -m pip install --quiet -c $(LOCK) "$$(grep '^torch==' $(LOCK))"
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

params: $(STAMP)
	@$(BIN)/python -m scripts.compose $(ARGS)

repro: params
	@git rev-parse --git-dir >/dev/null 2>&1 || { \
	  echo "error: DVC needs a Git repository; run 'git init' here, then 'make repro' again" >&2; exit 1; }
	@$(BIN)/dvc repro
	@echo
	@sed -n '/<!-- headline -->/,/<!-- \/headline -->/{/<!--/!p;}' reports/report.md
	@echo
	@echo "The whole report: reports/report.md"

# DVC does not see that a key has been set meanwhile.
frontier: params
	@$(BIN)/dvc repro --single-item --force frontier
	@$(BIN)/dvc repro

dryrun: $(STAMP)
	@$(BIN)/python -m scripts.dry_run data/graphs/$(P).json src/flowc/prompts $(ARGS)

# LINKS: NAME=URL words, shown below the comment. The exit status of a gate that failed is 1, of one that cannot decide 3.
recompile: $(STAMP)
	@$(BIN)/python -m scripts.recompile --base $(BASE) --out $(OUT) $(LINKS:%=--link %) $(ARGS)

compare: $(STAMP)
	@$(BIN)/python -m scripts.compare $(PAGE) $(ARGS)

# The experiment takes what Git holds, with edits of it; new files have to be added first.
study: $(STAMP)
	@$(BIN)/python -m scripts.study $(STUDY) $(ARGS)

# P has a default for the other targets; here none means all.
lint: $(STAMP)
	@$(BIN)/python -m scripts.lint data/procedures $(if $(filter-out file,$(origin P)),$(P))

import: $(STAMP)
	@test -n '$(FILE)' || { echo "error: name the chart: make import FILE=path/to/chart.mmd" >&2; exit 1; }
	@$(BIN)/python -m scripts.import_chart '$(FILE)' data/procedures $(if $(NAME),--name '$(NAME)') \
	  $(if $(FLOW),--flow '$(FLOW)') $(if $(TRUST),--trust)

show: $(STAMP)
	@$(BIN)/python -m scripts.show data/procedures $(P) --out charts

review: $(STAMP)
	@$(BIN)/python -m scripts.review data/transcripts/$(P) data/graphs/$(P).json data/scenarios/$(P).jsonl \
	  --out reviews/$(P).html $(ARGS)

interview: $(STAMP)
	@$(BIN)/python -m scripts.interview models/compiled/$(P) data/graphs/$(P).json --out interviews/$(P) $(ARGS)

real_words: $(STAMP)
	@$(BIN)/python -m scripts.real_words models/compiled/$(P) data/scenarios/$(P).jsonl data/graphs/$(P).json $(WORDS) \
	  --out docs/human/real-words-$(P).json $(ARGS)

star_tracker: $(STAMP)
	@$(BIN)/python -m scripts.star_tracker $(STAR) --out docs/human/star_tracker.json

replay: $(STAMP)
	@$(BIN)/python -m scripts.human_replay $(STAR) --out docs/human $(ARGS)

# Two files at a time on any machine: the dear ones start ranks and servers of several GiB. tests/conftest.py orders them.
test: $(STAMP)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

chat: $(STAMP)
	@$(BIN)/python -m scripts.chat models/compiled/$(P) data/scenarios/$(P).jsonl data/graphs/$(P).json

serve: $(STAMP)
	@$(BIN)/python -m scripts.serve models/compiled/$(P) $(if $(PORT),--port '$(PORT)')
