# rules.mk - the emulated driver: one shared library of tests/fakecuda and the interpreter's objects.

FAKE_SRC := $(filter-out $(wildcard tests/fakecuda/test_*.c tests/fakecuda/fuzz_*.c tests/fakecuda/bench_*.c \
              tests/fakecuda/abi_*.c),$(wildcard tests/fakecuda/*.c))
FAKE_LIB := $(GPU_OUT)/libbraze-fakecuda.so

# -z nodelete: a helper thread may live in it; -Bsymbolic: its own names stay its own beside a real driver.
$(FAKE_LIB): $(FAKE_SRC:%.c=$(GPU_OUT)/%.o) $(PTX_LIB)
	$(CC) $(GPU_CFLAGS) -shared -pthread -Wl,-soname,libbraze-fakecuda.so -Wl,-z,nodelete -Wl,-Bsymbolic \
	    -Wl,--exclude-libs,ALL $^ -lm -ldl -o $@

build/libbraze-fakecuda.so: $(FAKE_LIB)
	cp $< $@

gpu-all: build/libbraze-fakecuda.so

# Each suite is linked to the library as a program would be; it finds it beside itself.
FAKE_TESTS := $(patsubst tests/fakecuda/%.c,$(GPU_OUT)/%,$(wildcard tests/fakecuda/test_*.c))
FAKE_TOOLS := $(patsubst tests/fakecuda/%.c,$(GPU_OUT)/%,$(wildcard tests/fakecuda/bench_*.c tests/fakecuda/fuzz_*.c))

$(FAKE_TESTS): $(GPU_OUT)/%: $(GPU_OUT)/tests/fakecuda/%.o $(FAKE_LIB)
	$(CC) $(GPU_CFLAGS) -pthread $(filter %.o,$^) -L$(GPU_OUT) -lbraze-fakecuda -Wl,-rpath,'$$ORIGIN' -lcriterion -ldl -o $@

$(FAKE_TOOLS): $(GPU_OUT)/%: $(GPU_OUT)/tests/fakecuda/%.o $(FAKE_LIB)
	$(CC) $(GPU_CFLAGS) -pthread $< -L$(GPU_OUT) -lbraze-fakecuda -Wl,-rpath,'$$ORIGIN' -ldl -o $@

GPU_SUITES += $(FAKE_TESTS)

# The toolkit's header judges our declarations where it is installed.
CUDA_HOME ?= /usr/local/cuda
$(GPU_OUT)/tests/fakecuda/abi_theirs.o: GPU_FLAGS += -isystem $(CUDA_HOME)/include
$(GPU_OUT)/test_abi: $(GPU_OUT)/tests/fakecuda/abi_theirs.o
