# test.mk - tests: one program each, run by tests/run.sh, which adds up what they report.
#
# Environment of a test: BRAZE_CACHE_DIR=off, BRAZE_BUILD (the build directory), BRAZE_SRC (the source root), BRAZE_LLVM (the
# plug-in), BRAZE_FAKECUDA (the emulated driver), BRAZE_SANITIZE (flags for programs that link the library), BRAZE_QUICK=1 under `make check`, BRAZE_GOLDEN=update under `make golden-update`.

TEST_ENV = BRAZE_CACHE_DIR=off BRAZE_BUILD=$(abspath $(B)) BRAZE_SRC=$(CURDIR) BRAZE_LLVM=$(abspath $(B))/libbraze-llvm.so \
           BRAZE_TOOL=$(abspath $(B))/braze PYTHON=$(PYTHON) CC='$(CC)' BRAZE_SANITIZE='$(SANITIZE)' ASAN_OPTIONS=allocator_may_return_null=1:$(ASAN_OPTIONS) \
           BRAZE_FAKECUDA=$(CURDIR)/build/libbraze-fakecuda.so UBSAN_OPTIONS=print_stacktrace=1 BRAZE_TEST_FIRST='$(LONGEST)'
LONGEST  = $(addprefix tests/,slow_cuda_api.sh slow_cuda.sh slow_extending.sh slow_far.sh slow_stranger.sh slow_gpu_check.sh slow_complex.py slow_draws.py) \
           $(addprefix $(B)/tests/,slow_ops_cuda test_ops slow_gpu_plans slow_shapes slow_gpu_gates slow_gpu_mutants test_bands) $(GPU_OUT)/test_mutants
NEEDED   = $(LIBS) $(PLUGIN) $(TOOL) $(EXAMPLES) $(BENCHES) $(B)/aot_rt.o $(TEST_OBJECTS) build/libbraze-fakecuda.so
FUZZ_SECONDS ?= 60

# Objects that tests read as data: tests/objects/NAME.c -> build/tests/objects/NAME.o, never instrumented.
TEST_OBJECTS := $(patsubst %.c,$(B)/%.o,$(sort $(wildcard tests/objects/*.c)))

.PHONY: check test golden-update fuzz run-check run-test run-golden
check: test-deps ## Build and run the quick tests
	@$(MAKE) $(JOBS) run-check

test: test-deps ## Install what is missing, build, run every test; ends with `N passed, N failed`
	@$(MAKE) $(JOBS) run-test

golden-update: test-deps ## Rewrite the golden files from what the passes and emitters give now
	@$(MAKE) $(JOBS) run-golden

run-check: $(NEEDED) $(TESTS_QUICK) $(FUZZERS)
	@$(TEST_ENV) BRAZE_QUICK=1 tests/run.sh $(B) $(TESTS_QUICK)

run-test: all $(NEEDED) $(TESTS_QUICK) $(TESTS_SLOW) $(FUZZERS)
	@$(TEST_ENV) tests/run.sh $(B) $(TESTS_QUICK) $(TESTS_SLOW)

run-golden: $(NEEDED) $(TESTS_QUICK)
	@$(TEST_ENV) BRAZE_GOLDEN=update tests/run.sh $(B) $(filter %golden,$(TESTS_QUICK))

# On the machine's GPU: tests/gpu_check.sh. Without one it says so and ends well.
.PHONY: gpu-check run-gpu-check
GPU_CHECKED := $(addprefix $(B)/tests/,test_gpu_golden slow_ops_cuda slow_gpu_plans slow_gpu_fast fuzz_graphs fuzz_api $(addprefix test_,api api_ops autocast callgrad calls \
    compile customgrad donate edges errors export index index_errors jvp_api lineage memory misuse npz operands overwrite record variables view_bits views vjp vmap_api))
gpu-check: test-deps ## On this machine's GPU: is every bit right, and how fast is it; JSON= names the file of figures
	@$(MAKE) $(JOBS) run-gpu-check

run-gpu-check: $(NEEDED) $(GPU_CHECKED) $(GPU_OUT)/gpu_vectors
	@$(TEST_ENV) tests/gpu_check.sh $(if $(JSON),--json $(JSON))

fuzz: test-deps ## Run each fuzzer for FUZZ_SECONDS (60) under AddressSanitizer
	@$(MAKE) $(JOBS) BUILD=asan run-fuzz

.PHONY: run-fuzz
run-fuzz: $(NEEDED) $(FUZZERS)
	@for f in $(FUZZERS); do $(TEST_ENV) $$f $(FUZZ_SECONDS) || exit 1; done

$(B)/tests/objects/%.o: tests/objects/%.c
	@mkdir -p $(@D)
	$(call quiet,CC )$(CC) -std=c11 -O2 -fPIC -fno-asynchronous-unwind-tables -fno-stack-protector -fcf-protection=none -c $< -o $@

# `make fuzz-cover`: the same fuzzers, their inputs chosen by clang's libFuzzer by what they reach. A find lies in
# build/cover/finds; what is minimised and mended goes to tests/cover/NAME, which `make check` replays. None of them compiles
# machine code: the plug-in is not built. Entropic schedules cost as much as an input of the whole pipeline.
T ?= 60
COVER      ?= text loops npy npz objload mutants graphs grads api
.PHONY: fuzz-cover run-cover
fuzz-cover: ## Coverage-guided fuzzing with clang's libFuzzer, T= seconds (60) for each of COVER=
	@command -v clang >/dev/null || { echo "fuzz-cover needs clang: apt-get install clang"; exit 1; }
	@$(MAKE) --no-print-directory BUILD=cover CC=clang run-cover

run-cover: $(TEST_OBJECTS) $(COVER:%=$(B)/tests/cover_%) $(B)/words.dict
	@for t in $(COVER); do \
	    mkdir -p $(B)/corpus/$$t $(B)/finds && tests/cover_seeds.sh $$t $(B)/corpus/$$t && echo "== $$t" && \
	    $(TEST_ENV) $(B)/tests/cover_$$t -max_total_time=$(T) -timeout=60 -rss_limit_mb=4096 -max_len=16384 -verbosity=0 -print_final_stats=1 -entropic=0 \
	        -dict=$(B)/words.dict -artifact_prefix=$(B)/finds/$$t- $(B)/corpus/$$t >$(B)/finds/$$t.log 2>&1; s=$$?; \
	    grep -E 'number_of_executed|new_units' $(B)/finds/$$t.log; \
	    [ $$s = 0 ] || { tail -n 40 $(B)/finds/$$t.log; exit 1; }; done

$(B)/words.dict: $(B)/tests/fuzz_text
	@$< --words >$@

# Kernels on the interpreter of loops: tests/support/loops_code.h.
$(B)/tests/fuzz_api $(B)/tests/cover_api: TEST_LDFLAGS := -Wl,--wrap=rt_kernels_get -Wl,--wrap=rt_kernels_release

$(B)/tests/cover_%: $(B)/obj/tests/fuzz_%.o $(B)/obj/tests/main_cover.o $(TEST_SUPPORT_OBJ) $(B)/libbraze.a
	@mkdir -p $(@D)
	$(call quiet,LD )$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -rdynamic $(TEST_WRAP) $(TEST_LDFLAGS) $^ -lcriterion -lmpfr -lgmp $(LDLIBS) -o $@

# The mutation proof's scanner, for emitted kernels.
$(B)/tests/slow_gpu_mutants: $(B)/obj/tests/mutants/mutate_sites.o
.PHONY: gpu-mutate-emitted
gpu-mutate-emitted: $(B)/tests/slow_gpu_mutants build/libbraze-fakecuda.so
	@MUTANTS=all $(TEST_ENV) $<

# Every wrong driver call of runtime/cuda, on the tests of that: some 25 minutes of a processor.
RUNTIME_MUTANT_TESTS := $(addprefix $(B)/tests/,test_cuda test_cuda_graphs test_cuda_memory test_cuda_reset slow_cuda_lacks slow_cuda_faults)
.PHONY: gpu-mutate-runtime
gpu-mutate-runtime: $(RUNTIME_MUTANT_TESTS) build/libbraze-fakecuda.so
	@$(TEST_ENV) $(PYTHON) tests/gpu/mutate_runtime.py $(B)

# Contexts of tests on another device than they ask for: tests/support/devices.c.
TEST_WRAP := -Wl,--wrap=bz_open

# Criterion's own runner cannot start under ThreadSanitizer; fuzzers have a main of their own.
TEST_MAIN := $(if $(filter tsan,$(BUILD)),$(B)/obj/tests/plain_main.o)
$(FUZZERS): TEST_MAIN := $(B)/obj/tests/main_fuzz.o
$(FUZZERS): $(B)/obj/tests/main_fuzz.o

$(B)/tests/%: $(B)/obj/tests/%.o $(TEST_MAIN) $(TEST_SUPPORT_OBJ) $(B)/libbraze.a
	@mkdir -p $(@D)
	$(call quiet,LD )$(CC) $(ALL_CFLAGS) $(TEST_WRAP) $(TEST_LDFLAGS) $(filter-out $(filter-out $(TEST_MAIN),$(B)/obj/tests/plain_main.o),$^) -lcriterion -lmpfr -lgmp $(LDLIBS) -o $@
