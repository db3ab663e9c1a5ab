# Every target that needs the environment sets it up first: see scripts/setup.sh.
# Without make: sh scripts/setup.sh, then .venv/bin/cnnviz.

PICTURE = demo/chelsea-occlude.png
PAGES = README.md docs/*.md
# The pages and some tests call cnnviz by name, so the steps below see .venv first.
IN_VENV = PATH="$$PWD/.venv/bin:$$PATH"

.PHONY: help demo test fast docs clean setup-demo setup-test

help:
	@echo "make demo   make one picture of what a network looks at (sets up .venv the first time)"
	@echo "make test   run every check: style, types, imports, pages, tests"
	@echo "make fast   run only the quick tests"
	@echo "make docs   write the generated parts of the pages anew"
	@echo "make clean  remove what these targets made, except .venv"
	@echo "The first demo or test takes 2 to 5 minutes and about 6 GB of disk, all in .venv."

demo: setup-demo
	@mkdir -p demo
	@rm -f $(PICTURE)
	@echo "== cnnviz occlude sample_images/chelsea.jpg -o $(PICTURE)"
	@.venv/bin/cnnviz occlude sample_images/chelsea.jpg -o $(PICTURE)
	@echo "The picture is in $$PWD/$(PICTURE)"

test: setup-test
	@echo "== ruff check: style"
	@$(IN_VENV) ruff check .
	@echo "== ruff format: layout"
	@$(IN_VENV) ruff format --check .
	@echo "== mypy: types"
	@$(IN_VENV) mypy
	@echo "== lint-imports: which module may import which"
	@$(IN_VENV) lint-imports
	@echo "== cog: generated parts of the pages"
	@$(IN_VENV) cog --check $(PAGES)
	@echo "== guard: results have the bytes of the commit before the restructuring"
	@$(IN_VENV) python tests/guard/byte_guard.py
	@echo "== pytest: all tests"
	@$(IN_VENV) pytest -n 2

fast: setup-test
	@echo "== pytest: quick tests"
	@$(IN_VENV) pytest -n 2 -m "not slow"

docs: setup-test
	@echo "== cog: writing the generated parts of the pages"
	@$(IN_VENV) cog -r $(PAGES)

setup-demo:
	@sh scripts/setup.sh demo

setup-test:
	@sh scripts/setup.sh test

clean:
	rm -rf demo build dist cnnviz.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find cnnviz tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Kept: .venv (rm -rf .venv frees its 6 GB)"
