# Needs Python 3.11 or newer, git and GNU make; everything else goes into .venv.

VENV   := .venv
PY     := $(VENV)/bin/python
READY  := $(VENV)/.ready
# Choose an interpreter yourself: make setup PYTHON=/path/to/python3.11
PYTHON ?=
# pytest's workers: a number, or auto for one per processor
WORKERS ?= auto

PIP := -m pip --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.PHONY: help setup test browser lint demo bench drill interop docs release audit lock clean FORCE
.DELETE_ON_ERROR:

help: ## print this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1	\2/p' Makefile

setup: $(READY) ## prepare .venv with the locked dependencies and vialwise itself
	@echo "Ready: $(VENV)/bin/vialwise"

test: $(READY) ## set up, check style and types, run the tests
	@$(run_lint)
	@echo "pytest"
	@$(PY) -m pytest -n $(WORKERS) -m "not browser and not interop"

browser: $(READY) ## set up and tell the stories in real Chromium; pictures go to screenshots/
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile -m browser || \
	  { echo "Once more, alone: a page can be late on a busy machine"; \
	    $(PY) -m pytest -m browser --last-failed --last-failed-no-failures none; }

lint: $(READY) ## set up, check style and types only
	@$(run_lint)

demo: $(READY) ## set up and run the main job on bundled patients (Ctrl-C ends it)
	@$(VENV)/bin/vialwise demo

bench: $(READY) ## set up and measure how fast the service answers (docs/performance.md)
	@$(call tools,bench,granian) || \
	  echo ".venv-bench could not be made: no rows for granian and healthchain." >&2
	@$(PY) -m bench

drill: $(READY) ## set up and play failures on the running service: is anything lost? (80 s)
	@$(PY) -m drill

# HAPI FHIR needs Java 17 and Maven, Medplum's router and the OAuth peer Node.js 20 and npm.
INTEROP := requirements/interop.txt
interop: $(READY) ## set up and run with others' servers and clients (downloads 400 MB the first time)
	@test ! -f $(INTEROP) || \
	  $(PY) $(PIP) install --quiet --require-hashes --only-binary :all: -r $(INTEROP)
	@$(PY) -m pytest -m interop

docs: $(READY) ## build the documentation site into site/
	@$(call tools,docs,mkdocs)
	@NO_MKDOCS_2_WARNING=1 PYTHONPATH=. .venv-docs/bin/mkdocs build --clean > .docs.log 2>&1 || \
	  { grep -v "^INFO" .docs.log >&2; rm .docs.log; exit 1; }
	@rm .docs.log; echo "Built: site/index.html"

release: $(READY) ## write wheel, source, list of parts and notes into dist/; KEY=file signs
	@$(call tools,ship,cyclonedx-py)
	@rm -rf dist && $(PY) -m hatchling build --directory dist
	@.venv-ship/bin/cyclonedx-py requirements requirements/server.txt --pyproject pyproject.toml \
	  --output-reproducible --of JSON -o dist/sbom.cdx.json
	@sed -n '/^## [0-9]/{x;s/^/x/;/^xx/q;x};/^## [0-9]/,$$p' CHANGELOG.md > dist/NOTES.md
	@cd dist && sha256sum *.whl *.tar.gz sbom.cdx.json NOTES.md > SHA256SUMS && cat SHA256SUMS
	@test -z "$(KEY)" || ssh-keygen -q -Y sign -n vialwise-release -f "$(KEY)" dist/SHA256SUMS

audit: $(READY) ## ask for known vulnerabilities of every locked package
	@$(call tools,ship,pip-audit)
	@.venv-ship/bin/pip-audit --requirement requirements/server.txt --disable-pip --strict \
	  --progress-spinner off

# $(call tools,NAME,PROGRAM): .venv-NAME with what requirements/NAME.txt locks, made when needed.
define tools
test -x .venv-$(1)/bin/$(2) -a .venv-$(1)/bin/$(2) -nt requirements/$(1).txt || { \
echo "Making .venv-$(1)"; $(PY) -m venv --clear .venv-$(1) && \
.venv-$(1)/bin/python $(PIP) install --quiet --require-hashes --only-binary :all: \
  -r requirements/$(1).txt; }
endef

define run_lint
echo "ruff check" && $(PY) -m ruff check --quiet . && \
echo "ruff format --check" && $(PY) -m ruff format --quiet --check . && \
echo "mypy" && $(PY) -m mypy --no-error-summary
endef

# .venv/.ready holds the directory .venv was made for. A .venv that was moved or
# copied here, never got finished, or lost its Python, is made again from nothing.
ifneq ($(shell test -x $(PY) && cat $(READY) 2>/dev/null),$(CURDIR))
$(PY) $(READY): FORCE
endif
FORCE:

$(PY):
	@$(find_python); \
	echo "Making $(VENV) with $$($$python --version)"; \
	"$$python" -m venv --clear $(VENV)

$(READY): requirements/dev.txt pyproject.toml | $(PY)
	@$(install_locked)
	@echo "Installing vialwise, editable"
	@$(PY) $(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@printf '%s\n' "$(CURDIR)" > $@

# pip says "Collecting NAME==VERSION" for each package; this makes it one line that counts.
define install_locked
total=$$(grep -c '^[A-Za-z0-9]' requirements/dev.txt); \
echo "Installing $$total locked packages"; \
{ $(PY) $(PIP) install --require-hashes --only-binary :all: -r requirements/dev.txt; \
  echo "exit $$?"; } | { \
count=0; status=1; \
while read -r word what rest; do \
  case "$$word" in \
    Collecting) count=$$((count + 1)); \
      [ $$((count % 10)) -ne 0 ] || echo "  $$count of $$total found" ;; \
    Installing) echo "  writing them to $(VENV)" ;; \
    exit) status=$$what ;; \
  esac; \
done; \
[ "$$status" -eq 0 ] || echo "The locked packages could not be installed; the reason stands above." >&2; \
exit $$status; }
endef

# Sets $python to the first interpreter that is new enough and can make environments.
define find_python
python=; seen=; \
for candidate in $(or $(PYTHON),python3.11 python3.12 python3.13 python3.14 python3 python); do \
  version=$$("$$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
  if ! "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
    seen="$$seen $$candidate is $$version;"; \
  elif ! "$$candidate" -c 'import ensurepip, venv' 2>/dev/null; then \
    seen="$$seen $$candidate has no venv (Debian, Ubuntu: apt install python$$version-venv);"; \
  else python=$$candidate; break; fi; \
done; \
if [ -z "$$python" ]; then \
  echo "Vialwise needs Python 3.11 or newer. Found:$${seen:- none;}" >&2; \
  echo "Install one, or name it: make setup PYTHON=/path/to/python3.11" >&2; \
  exit 1; \
fi
endef

# The locks are made with Python 3.11, the oldest supported, so that they hold what it needs.
# Newer versions of everything: make lock LOCK_FLAGS=--upgrade
LOCK_TOOLS := pip==26.2 pip-tools==7.6.2
LOCK_FLAGS ?=
PIP_COMPILE = CUSTOM_COMPILE_COMMAND="make lock" .venv-lock/bin/python -m piptools compile --quiet \
	--generate-hashes --strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links \
	--no-emit-trusted-host $(LOCK_FLAGS)

lock: ## rewrite requirements/*.txt from pyproject.toml and bench.in
	@$(find_python); \
	"$$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "Locks are made with Python 3.11: make lock PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	echo "Making .venv-lock with pip-tools"; \
	"$$python" -m venv --clear .venv-lock
	@.venv-lock/bin/python $(PIP) install --quiet $(LOCK_TOOLS)
	@echo "Locking requirements/runtime.txt"
	@$(PIP_COMPILE) --output-file requirements/runtime.txt pyproject.toml
	@echo "Locking requirements/server.txt"
	@$(PIP_COMPILE) --extra postgres --constraint requirements/runtime.txt \
	  --output-file requirements/server.txt pyproject.toml
	@for extra in docs ship; do \
	  echo "Locking requirements/$$extra.txt"; \
	  $(PIP_COMPILE) --extra $$extra --constraint requirements/runtime.txt \
	    --output-file requirements/$$extra.txt pyproject.toml || exit 1; \
	done
	@echo "Locking requirements/dev.txt"
	@$(PIP_COMPILE) --extra dev --constraint requirements/runtime.txt \
	  --output-file requirements/dev.txt pyproject.toml
	@echo "Locking requirements/interop.txt"
	@$(PIP_COMPILE) --extra interop --constraint requirements/dev.txt \
	  --output-file requirements/interop.txt pyproject.toml
	@echo "Locking requirements/bench.txt"
	@grep -E "^(flask|msgspec|orjson|pyyaml|sqlalchemy)==" requirements/dev.txt | cut -d" " -f1 \
	  > .venv-lock/as-in-dev.txt
	@$(PIP_COMPILE) --constraint .venv-lock/as-in-dev.txt \
	  --output-file requirements/bench.txt requirements/bench.in

clean: ## remove .venv, caches and build artefacts
	@rm -rf $(VENV) .venv-bench .venv-lock .venv-docs .venv-ship site build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
