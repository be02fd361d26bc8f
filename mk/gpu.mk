# gpu.mk - the GPU proving ground: PTX interpreter, emulated CUDA driver, zoo, conformance, mutation.
#
#   make -f mk/gpu.mk gpu-proof        builds and runs every test that needs no GPU
#
# Three rooms, a section each; nothing here includes src/ or runtime/. Output lies under build/gpu/,
# the two products (ptxrun, libbraze-fakecuda.so) under build/.

CC ?= cc
GPU_OUT := build/gpu
GPU_STD := -std=c11 -D_GNU_SOURCE
GPU_WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wvla -Werror
GPU_CFLAGS ?= -O2 -g
GPU_FLAGS = $(GPU_STD) $(GPU_WARN) $(GPU_CFLAGS) -fPIC -fvisibility=hidden -MMD -MP -pthread
# Suites add their programs' names here: gpu-proof runs each and expects status 0.
GPU_SUITES :=

.PHONY: gpu-all gpu-proof gpu-clean
gpu-all:

# ---- tests/ptx: the interpreter (libptx.a) and ptxrun ------------------------------------------------
# Lane loops (lanes_*.c) are compiled once per instruction set and chosen at run time.

PTX_SRC := $(filter-out %/ptxrun.c $(wildcard tests/ptx/run_*.c) $(wildcard tests/ptx/lanes_*.c) \
             $(wildcard tests/ptx/test_*.c) $(wildcard tests/ptx/fuzz_*.c) $(wildcard tests/ptx/bench_*.c),$(wildcard tests/ptx/*.c))
PTX_LANES := $(wildcard tests/ptx/lanes_*.c)
# The loops run under directed roundings too, but with -frounding-math they would not vectorise. There is
# nothing to fold in them, and the conformance suite looks (PTX_LANES=base|avx2 for the lesser sets).
PTX_LANE_MATH := -ffp-contract=off -fno-math-errno -fno-trapping-math
PTX_LANE_MATH += $(if $(findstring clang,$(shell $(CC) --version 2>/dev/null)),-Wno-pass-failed)
PTX_ISA_base :=
PTX_ISA_avx2 := -mavx2 -mfma -mf16c
PTX_ISA_avx512 := $(PTX_ISA_avx2) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512
PTX_OBJ := $(PTX_SRC:%.c=$(GPU_OUT)/%.o) \
           $(foreach isa,base avx2 avx512,$(PTX_LANES:%.c=$(GPU_OUT)/%.$(isa).o))
PTX_LIB := $(GPU_OUT)/libptx.a

$(GPU_OUT)/tests/ptx/exec_%.o $(GPU_OUT)/tests/ptx/race.o $(GPU_OUT)/tests/ptx/sched.o: GPU_HOT := -O3

$(GPU_OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(call quiet,CC )$(CC) $(GPU_FLAGS) $(GPU_HOT) -c $< -o $@

define PTX_LANE_RULE
$(GPU_OUT)/tests/ptx/lanes_%.$(1).o: tests/ptx/lanes_%.c
	@mkdir -p $$(@D)
	$$(call quiet,CC )$$(CC) $$(GPU_FLAGS) -O3 $(PTX_LANE_MATH) -DPTX_ISA=$(1) $$(PTX_ISA_$(1)) -c $$< -o $$@
endef
$(foreach isa,base avx2 avx512,$(eval $(call PTX_LANE_RULE,$(isa))))

$(PTX_LIB): $(PTX_OBJ)
	@rm -f $@
	$(call quiet,AR )ar rcs $@ $^

PTXRUN_OBJ := $(patsubst %.c,$(GPU_OUT)/%.o,tests/ptx/ptxrun.c $(wildcard tests/ptx/run_*.c) \
                tests/fakecuda/image.c tests/gpu/nvrtc.c)
build/ptxrun: $(PTXRUN_OBJ) $(PTX_LIB)
	$(call quiet,LD )$(CC) $(GPU_CFLAGS) -pthread $^ -lm -ldl -o $@

PTX_TESTS := $(patsubst tests/ptx/%.c,$(GPU_OUT)/%,$(wildcard tests/ptx/test_*.c))
$(PTX_TESTS): $(GPU_OUT)/%: $(GPU_OUT)/tests/ptx/%.o $(GPU_OUT)/tests/ptx/run_memory.o $(PTX_LIB)
	$(call quiet,LD )$(CC) $(GPU_CFLAGS) -pthread $^ -lcriterion -lm -o $@

GPU_SUITES += $(PTX_TESTS)
$(GPU_OUT)/test_ptxrun: | build/ptxrun
gpu-all: build/ptxrun

.PHONY: gpu-bench
gpu-bench: $(GPU_OUT)/bench_ptx
	$< $(filter-out %a.ptx,$(wildcard tests/gpu/zoo/ptx/*.ptx))

$(GPU_OUT)/bench_ptx: $(GPU_OUT)/tests/ptx/bench_ptx.o $(GPU_OUT)/tests/ptx/run_memory.o $(PTX_LIB)
	$(call quiet,LD )$(CC) $(GPU_CFLAGS) -pthread $^ -lm -o $@

$(GPU_OUT)/fuzz_ptx: $(GPU_OUT)/tests/ptx/fuzz_ptx.o $(GPU_OUT)/tests/ptx/run_memory.o $(PTX_LIB)
	$(call quiet,LD )$(CC) $(GPU_CFLAGS) -pthread $^ -lm -o $@

# Mutated texts under the sanitizers, in a build of their own: make gpu-fuzz FUZZ_SECONDS=60 FUZZ_SEED=2
FUZZ_SECONDS ?= 20
FUZZ_SEED ?= 1
GPU_SANITIZE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined
.PHONY: gpu-fuzz
gpu-fuzz:
	$(MAKE) -f mk/gpu.mk GPU_OUT=build/gpu-san GPU_CFLAGS="$(GPU_SANITIZE)" build/gpu-san/fuzz_ptx
	build/gpu-san/fuzz_ptx $(FUZZ_SECONDS) $(FUZZ_SEED) $(wildcard tests/gpu/zoo/ptx/*.ptx)

# ---- tests/fakecuda: the driver (build/libbraze-fakecuda.so) -----------------------------------------

-include tests/fakecuda/rules.mk

# ---- tests/gpu: zoo, conformance, mutation -----------------------------------------------------------

-include tests/gpu/rules.mk

# ---- running -----------------------------------------------------------------------------------------

# Criterion's last line of each suite becomes "SUITE: N passed, N failed"; a crash counts as a failure.
gpu-proof: gpu-all $(GPU_SUITES)
	@failed=0; summary=; for t in $(GPU_SUITES); do \
	    echo "== $$t"; \
	    ./$$t > $$t.log 2>&1 && bad=0 || bad=1; \
	    grep -v 'Synthesis' $$t.log || true; \
	    line=$$(sed -n 's/.*Passing: \([0-9]*\) | Failing: \([0-9]*\) .*/\1 passed, \2 failed/p' $$t.log | tail -1); \
	    echo "$$t: $${line:-0 passed, 1 failed}"; failed=$$((failed + bad)); done; \
	echo "gpu-proof: $(words $(GPU_SUITES)) suites, $$failed failed"; test $$failed -eq 0

gpu-clean:
	rm -rf $(GPU_OUT) build/ptxrun build/libbraze-fakecuda.so

-include $(shell find $(GPU_OUT) -name '*.d' 2>/dev/null)
