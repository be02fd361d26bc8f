# demo.mk - `make demo`: train on MNIST three ways, export the step, run the export with libc alone.
#
#   examples/mnist.c            trains eager, lazy, compiled; writes step.o, step.h, the pool object, the pictures
#   DEVICE=cuda                 trains on a GPU, too; DEVICE=fake: on the emulated driver, a few steps, and its reports are a failure
#   examples/exported/mnist.c   some 50 lines of C against step.h; reads the data file itself

SEED   ?= 1
BATCH  ?= 128
HIDDEN ?= 512
STEPS  ?= $(if $(filter fake,$(DEVICE)),20,400)
DEVICE ?=
DEMO   := $(B)/demo
DEMO_ARGS = --seed '$(SEED)' --batch '$(BATCH)' --hidden '$(HIDDEN)' --steps '$(STEPS)' --out $(DEMO) $(if $(DEVICE),--device cuda)
DEMO_ENV  = CC='$(CC)' $(if $(filter fake,$(DEVICE)),BRAZE_LIBCUDA=$(CURDIR)/$(FAKE_DRIVER))
FAKE_DRIVER := build/libbraze-fakecuda.so
ifneq ($(filter-out cuda fake,$(DEVICE)),)
$(error DEVICE=$(DEVICE): use cuda or fake)
endif

.PHONY: demo run-demo
demo: deps ## Train an MLP on MNIST eager, lazy, compiled and exported (SEED= BATCH= HIDDEN= STEPS= DEVICE=cuda|fake)
	@$(MAKE) $(JOBS) run-demo

run-demo: $(LIBS) $(PLUGIN) $(TOOL) $(B)/examples/mnist $(if $(filter fake,$(DEVICE)),$(FAKE_DRIVER))
	@mkdir -p $(DEMO)
	@$(DEMO_ENV) BRAZE_CACHE_DIR=off $(B)/examples/mnist $(DEMO_ARGS)
