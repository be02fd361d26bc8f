# rules.mk - tests/gpu: the zoo, the conformance suite, the mutation proof, vectors of a real GPU.

ZOO_SRC := $(addprefix tests/gpu/,dev_ptx.c dev_driver.c nvrtc.c zoo_run.c zoo_vector.c zoo_matrix.c)
CONF_SRC := $(filter-out %/test_conformance.c,$(wildcard tests/gpu/conformance/*.c))
ZOO_OBJ := $(ZOO_SRC:%.c=$(GPU_OUT)/%.o)
CONF_OBJ := $(CONF_SRC:%.c=$(GPU_OUT)/%.o)
GPU_LIBS := -lm -ldl -lmpfr

$(GPU_OUT)/test_zoo: $(GPU_OUT)/tests/gpu/test_zoo.o $(ZOO_OBJ) $(PTX_LIB)
	$(CC) $(GPU_CFLAGS) -pthread $^ -lcriterion $(GPU_LIBS) -o $@

$(GPU_OUT)/test_conformance: $(GPU_OUT)/tests/gpu/conformance/test_conformance.o $(CONF_OBJ) $(ZOO_OBJ) $(PTX_LIB)
	$(CC) $(GPU_CFLAGS) -pthread $^ -lcriterion $(GPU_LIBS) -o $@

$(GPU_OUT)/zoo_ptx: $(GPU_OUT)/tests/gpu/zoo_ptx.o $(ZOO_OBJ) $(PTX_LIB)
	$(CC) $(GPU_CFLAGS) -pthread $^ $(GPU_LIBS) -o $@

# Compiles the zoo anew and writes the PTX that is checked in (needs NVRTC).
.PHONY: gpu-zoo-ptx
gpu-zoo-ptx: $(GPU_OUT)/zoo_ptx
	$< $(patsubst tests/gpu/zoo/%.cu,%,$(wildcard tests/gpu/zoo/*.cu))

GPU_SUITES += $(GPU_OUT)/test_zoo
