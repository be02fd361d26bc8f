# rules.mk - the emulated driver: a shared library of tests/fakecuda and the interpreter's objects.

FAKE_APART := $(foreach kind,test fuzz bench abi,$(wildcard tests/fakecuda/$(kind)_*.c))
FAKE_SRC := $(filter-out $(FAKE_APART),$(wildcard tests/fakecuda/*.c))
FAKE_LIB := $(GPU_OUT)/libbraze-fakecuda.so

# -z nodelete: a helper thread may live in it; -Bsymbolic: its own names stay its own beside a real
# driver.
$(FAKE_LIB): $(FAKE_SRC:%.c=$(GPU_OUT)/%.o) $(PTX_LIB)
	$(call quiet,LD )$(CC) $(GPU_CFLAGS) -shared -pthread -Wl,-soname,libbraze-fakecuda.so -Wl,-z,nodelete \
	    -Wl,-Bsymbolic -Wl,--exclude-libs,ALL $^ -lm -ldl -o $@

# Replaced in one step: somebody may be running on the old one.
build/libbraze-fakecuda.so: $(FAKE_LIB)
	cp $< $@.new
	mv $@.new $@

gpu-all: build/libbraze-fakecuda.so

# Each suite is linked to the library as a program would be; it finds it beside itself.
FAKE_TESTS := $(patsubst tests/fakecuda/%.c,$(GPU_OUT)/%,$(wildcard tests/fakecuda/test_*.c))
FAKE_TOOLS := $(patsubst tests/fakecuda/%.c,$(GPU_OUT)/%, \
                $(wildcard tests/fakecuda/bench_*.c tests/fakecuda/fuzz_*.c))
FAKE_LINK := -L$(GPU_OUT) -lbraze-fakecuda -Wl,-rpath,'$$ORIGIN' -ldl

$(FAKE_TESTS): $(GPU_OUT)/%: $(GPU_OUT)/tests/fakecuda/%.o $(FAKE_LIB)
	$(call quiet,LD )$(CC) $(GPU_CFLAGS) -pthread $(filter %.o,$^) $(FAKE_LINK) -lcriterion -o $@

$(FAKE_TOOLS): $(GPU_OUT)/%: $(GPU_OUT)/tests/fakecuda/%.o $(FAKE_LIB)
	$(call quiet,LD )$(CC) $(GPU_CFLAGS) -pthread $(filter %.o,$^) $(FAKE_LINK) -o $@

GPU_SUITES += $(FAKE_TESTS)

# The toolkit's header judges our declarations where it is installed.
CUDA_HOME ?= /usr/local/cuda
$(GPU_OUT)/tests/fakecuda/abi_theirs.o: GPU_FLAGS += -isystem $(CUDA_HOME)/include
$(GPU_OUT)/test_abi: $(GPU_OUT)/tests/fakecuda/abi_theirs.o

# Random driver calls under the sanitizers: a tree of objects of its own, one program.
# FAKE_FUZZ_ARGS: sequences, threads, seed.
FAKE_FUZZ_ARGS ?= 20000 2 1
.PHONY: fuzz-calls bench-calls
fuzz-calls:
	$(MAKE) -f mk/gpu.mk GPU_OUT=build/gpu-asan build/gpu-asan/fuzz_calls \
	    GPU_CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	        -fno-sanitize-recover=undefined"
	BRAZE_FAKE_THREADS=1 build/gpu-asan/fuzz_calls $(FAKE_FUZZ_ARGS)

bench-calls: $(GPU_OUT)/bench_calls
	$<
