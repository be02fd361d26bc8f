# rules.mk - tests/gpu: the zoo, the conformance suite, the mutation proof, vectors of a real GPU.

ZOO_SRC := $(addprefix tests/gpu/,dev_ptx.c dev_driver.c nvrtc.c zoo_run.c zoo_vector.c zoo_matrix.c)
CONF_SRC := $(filter-out %/test_conformance.c,$(wildcard tests/gpu/conformance/*.c))
ZOO_OBJ := $(ZOO_SRC:%.c=$(GPU_OUT)/%.o)
CONF_OBJ := $(CONF_SRC:%.c=$(GPU_OUT)/%.o)
GPU_LIBS := -lm -ldl -lmpfr

$(GPU_OUT)/test_zoo: $(GPU_OUT)/tests/gpu/test_zoo.o $(ZOO_OBJ) $(PTX_LIB)
	$(call quiet,LD )$(CC) $(GPU_CFLAGS) -pthread $^ -lcriterion $(GPU_LIBS) -o $@

# NVRTC whose machine code is PTX, in a folder of its own for LD_LIBRARY_PATH.
NVRTC_TEXT := $(GPU_OUT)/nvrtc-text/libnvrtc.so.13
$(NVRTC_TEXT): $(GPU_OUT)/tests/gpu/nvrtc_text.o
	@mkdir -p $(@D)
	$(call quiet,LD )$(CC) $(GPU_CFLAGS) -shared $^ -ldl -o $@
gpu-all: $(NVRTC_TEXT)
$(GPU_OUT)/test_nvrtc_text: $(GPU_OUT)/tests/gpu/test_nvrtc_text.o | $(NVRTC_TEXT)
	$(call quiet,LD )$(CC) $(GPU_CFLAGS) $(filter %.o,$^) -lcriterion -ldl -o $@

$(GPU_OUT)/test_findings: $(GPU_OUT)/tests/gpu/test_findings.o $(ZOO_OBJ) $(PTX_LIB)
	$(call quiet,LD )$(CC) $(GPU_CFLAGS) -pthread $^ -lcriterion $(GPU_LIBS) -o $@

$(GPU_OUT)/test_conformance: $(GPU_OUT)/tests/gpu/conformance/test_conformance.o $(CONF_OBJ) \
                             $(ZOO_OBJ) $(PTX_LIB)
	$(call quiet,LD )$(CC) $(GPU_CFLAGS) -pthread $^ -lcriterion $(GPU_LIBS) -o $@

$(GPU_OUT)/test_by_driver: $(GPU_OUT)/tests/gpu/test_by_driver.o $(CONF_OBJ) $(ZOO_OBJ) $(PTX_LIB)
	$(call quiet,LD )$(CC) $(GPU_CFLAGS) -pthread $^ -lcriterion $(GPU_LIBS) -o $@

$(GPU_OUT)/gpu_vectors: $(GPU_OUT)/tests/gpu/vectors.o $(CONF_OBJ) $(ZOO_OBJ) $(PTX_LIB)
	$(call quiet,LD )$(CC) $(GPU_CFLAGS) -pthread $^ $(GPU_LIBS) -o $@

$(GPU_OUT)/mutate: $(addprefix $(GPU_OUT)/tests/,gpu/mutate.o mutants/mutate_sites.o) $(ZOO_OBJ) $(PTX_LIB)
	$(call quiet,LD )$(CC) $(GPU_CFLAGS) -pthread $^ $(GPU_LIBS) -o $@

$(GPU_OUT)/zoo_ptx: $(GPU_OUT)/tests/gpu/zoo_ptx.o $(ZOO_OBJ) $(PTX_LIB)
	$(call quiet,LD )$(CC) $(GPU_CFLAGS) -pthread $^ $(GPU_LIBS) -o $@

.PHONY: gpu-zoo-ptx gpu-vectors gpu-mutate

# Compiles the zoo anew and writes the PTX that is checked in (needs NVRTC).
gpu-zoo-ptx: $(GPU_OUT)/zoo_ptx
	$< $(patsubst tests/gpu/zoo/%.cu,%,$(wildcard tests/gpu/zoo/*.cu))

# A real driver ($BRAZE_LIBCUDA, else libcuda.so.1) beside the interpreter; keeps its answers.
gpu-vectors: $(GPU_OUT)/gpu_vectors
	$< $(GPU_OUT)/vectors.txt

# Every mutant of the zoo and of the host client; test_mutants runs a sample.
gpu-mutate: $(GPU_OUT)/mutate build/libbraze-fakecuda.so
	$< --reasons tests/gpu/mutate_survivors.txt kernels
	$< --reasons tests/gpu/mutate_survivors.txt host tests/gpu/host_client.c build/libbraze-fakecuda.so

$(GPU_OUT)/test_mutants: $(GPU_OUT)/tests/gpu/test_mutants.o | $(GPU_OUT)/mutate build/libbraze-fakecuda.so
	$(call quiet,LD )$(CC) $(GPU_CFLAGS) -pthread $^ -lcriterion -o $@

GPU_SUITES += $(addprefix $(GPU_OUT)/,test_zoo test_findings test_nvrtc_text test_conformance test_by_driver test_mutants)
