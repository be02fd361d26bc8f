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
