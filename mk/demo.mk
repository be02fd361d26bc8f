# demo.mk - `make demo`: train on MNIST three ways, export the step, run the export with libc alone.
#
#   examples/mnist.c            trains eager, lazy, compiled; writes step.o, step.h, the pool object, the pictures
#   examples/exported/mnist.c   some 50 lines of C against step.h; reads the data file itself

SEED   ?= 1
BATCH  ?= 128
HIDDEN ?= 512
STEPS  ?= 400
DEMO   := $(B)/demo
DEMO_ARGS = --seed '$(SEED)' --batch '$(BATCH)' --hidden '$(HIDDEN)' --steps '$(STEPS)' --out $(DEMO)

.PHONY: demo run-demo
demo: deps ## Train an MLP on MNIST eager, lazy, compiled and exported (SEED= BATCH= HIDDEN= STEPS=)
	@$(MAKE) $(JOBS) run-demo

run-demo: $(LIBS) $(PLUGIN) $(TOOL) $(B)/examples/mnist
	@mkdir -p $(DEMO)
	@CC='$(CC)' $(B)/examples/mnist $(DEMO_ARGS)
