# quality.mk - sanitizers, layering, formatting, documentation checks, benchmarks.

.PHONY: asan ubsan tsan layers format tidy docs bench
asan: deps ## Build and run the quick tests under AddressSanitizer
	@$(MAKE) --no-print-directory BUILD=asan run-check

ubsan: deps ## Build and run the quick tests under UndefinedBehaviorSanitizer
	@$(MAKE) --no-print-directory BUILD=ubsan run-check

tsan: deps ## Build and run the quick tests under ThreadSanitizer
	@$(MAKE) --no-print-directory BUILD=tsan run-check

layers: ## Check who includes whom
	@tools/layers.sh

SOURCES = $(shell git ls-files '*.c' '*.h')
format: ## Reformat every C file with clang-format
	clang-format -i $(SOURCES)

tidy: ## Run clang-tidy over the library
	clang-tidy --quiet $(filter-out $(LLVM_SRC),$(LIB_SRC)) -- $(CPPFLAGS) -std=c11

docs: ## Check that every link in README and docs/ points at something
	@tools/docs.sh

# BRAZE_PEERS=python3 names a Python with PyTorch, JAX or NumPy to compare with. Each line: the case, who, its time, the ratio to
# the case's first line.
bench: $(PLUGIN) $(TOOL) $(BENCHES) ## Build and run every program of bench/; BRAZE_PEERS=PYTHON adds peers; ends with a table of ratios
	@rm -f $(B)/bench/summary.txt
	@for b in $(BENCHES); do \
	    echo "== $$b"; n=$$(basename $$b); args="--json $(B)/bench/$$n.json --summary $(B)/bench/summary.txt"; \
	    [ $$n = overhead ] && args=; \
	    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(TEST_ENV) $$b $$args || exit 1; done
	@echo; echo "== ratios"; cat $(B)/bench/summary.txt
