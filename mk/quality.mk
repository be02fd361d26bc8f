# quality.mk - sanitizers, layering, formatting, documentation checks, benchmarks.

.PHONY: api asan ubsan tsan layers format tidy docs bench
asan: test-deps ## Build and run the quick tests under AddressSanitizer
	@$(MAKE) $(JOBS) BUILD=asan run-check

ubsan: test-deps ## Build and run the quick tests under UndefinedBehaviorSanitizer
	@$(MAKE) $(JOBS) BUILD=ubsan run-check

tsan: test-deps ## Build and run the quick tests under ThreadSanitizer
	@$(MAKE) $(JOBS) BUILD=tsan run-check

api: ## Rewrite what is made from the tables of ops: headers, wrappers, pages of docs/
	@$(PYTHON) tools/api.py
	@$(PYTHON) tools/reference.py >$(B)/reference.md && cmp -s $(B)/reference.md docs/reference.md || cp $(B)/reference.md docs/reference.md

layers: ## Check who includes whom
	@tools/layers.sh

SOURCES = $(shell git ls-files '*.c' '*.h')
format: ## Reformat every C file with clang-format
	clang-format -i $(SOURCES)

tidy: ## Run clang-tidy over the library
	clang-tidy --quiet $(filter-out $(LLVM_SRC),$(LIB_SRC)) -- $(CPPFLAGS) -std=c11

docs: ## Check that every link in README and docs/ points at something
	@tools/docs.sh

# BENCH_ARGS: --rounds N, --threads N
bench: $(PLUGIN) $(TOOL) $(BENCHES) ## Time braze against its goals, and beside the systems that the Python $BRAZE_PEERS has
	@$(TEST_ENV) bench/run.sh $(B) $(BENCH_ARGS)
