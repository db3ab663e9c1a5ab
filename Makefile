# Each target that needs .venv creates or updates it first, with scripts/setup.sh.
# Without make: sh scripts/setup.sh, then .venv/bin/cnnviz.

PICTURE = demo/chelsea-occlude.png
PAGES = README.md docs/*.md
# The pages and some tests call cnnviz by name, so .venv comes first on the PATH.
IN_VENV = PATH="$$PWD/.venv/bin:$$PATH"

.PHONY: help demo test fast docs clean setup-demo setup-test

help:
	@echo "make demo   draw one occlusion map (the first time also sets up .venv)"
	@echo "make test   run all checks: style, types, imports, pages, tests"
	@echo "make fast   run the quick tests only"
	@echo "make docs   update the generated parts of the pages"
	@echo "make clean  remove the results of these targets, except .venv"
	@echo "The first demo or test takes 2 to 5 minutes and about 6 GB of disk, all in .venv."

demo: setup-demo
	@mkdir -p demo
	@rm -f $(PICTURE)
	@echo "== cnnviz occlude sample_images/chelsea.jpg -o $(PICTURE)"
	@.venv/bin/cnnviz occlude sample_images/chelsea.jpg -o $(PICTURE)
	@echo "The occlusion map is in $$PWD/$(PICTURE)"

test: setup-test
	@echo "== ruff check: style"
	@$(IN_VENV) ruff check .
	@echo "== ruff format: layout"
	@$(IN_VENV) ruff format --check .
	@echo "== mypy: types"
	@$(IN_VENV) mypy
	@echo "== lint-imports: allowed imports between packages"
	@$(IN_VENV) lint-imports
	@echo "== cog: generated parts of the pages"
	@$(IN_VENV) cog --check $(PAGES)
	@echo "== pytest: all tests"
	@$(IN_VENV) pytest -n 2

fast: setup-test
	@echo "== pytest: quick tests"
	@$(IN_VENV) pytest -n 2 -m "not slow"

docs: setup-test
	@echo "== cog: updating the generated parts of the pages and the JSON Schema"
	@$(IN_VENV) python -m docs.help
	@$(IN_VENV) cog -r $(PAGES)

setup-demo:
	@sh scripts/setup.sh demo

setup-test:
	@sh scripts/setup.sh test

clean:
	rm -rf demo build dist cnnviz.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find cnnviz tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Kept: .venv (rm -rf .venv frees its 6 GB)"
