# braze - one Makefile, out-of-tree under build/.
#
#   make            build/libbraze.so .a, build/libbraze-llvm.so, build/braze, examples, benches
#   make help       every target with a line on what it does
#
# BUILD=release|debug|asan|ubsan|tsan picks the variant: release lies in build/, the others in build/NAME.
# Sources are found by wildcard: a new .c file in a room needs no line here. CC=clang works as CC=gcc does.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules --no-print-directory
# For what installs packages and then builds: as many jobs as processors, unless the caller said how many.
JOBS = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

BUILD  ?= release
B      := build$(if $(filter-out release,$(BUILD)),/$(BUILD))
PREFIX ?= /usr/local
WERROR ?= 0
PYTHON ?= /usr/bin/python3
ifeq ($(origin CC),default)
CC := gcc
endif

version = $(shell awk '$$2 == "BZ_VERSION_$(1)" {print $$3}' include/braze/version.h)
SOVERSION := $(call version,MAJOR)
VERSION   := $(SOVERSION).$(call version,MINOR).$(call version,PATCH)

# ---------------------------------------------------------------------------------------------- flags

FLAGS_release :=
FLAGS_debug   := -O0 -DBZ_DEBUG=1
FLAGS_asan    := -O1 -DBZ_DEBUG=1 -fno-omit-frame-pointer -fsanitize=address
FLAGS_ubsan   := -O1 -DBZ_DEBUG=1 -fno-omit-frame-pointer -fsanitize=undefined -fno-sanitize-recover=all
FLAGS_tsan    := -O1 -fno-omit-frame-pointer -fsanitize=thread
FLAGS_cover   := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
ifeq ($(origin FLAGS_$(BUILD)),undefined)
$(error BUILD=$(BUILD): use release, debug, asan, ubsan or tsan)
endif

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
        $(if $(filter-out 0,$(WERROR)),-Werror)
# The value-relevant flags: no contraction behind the program's back, and no errno so that sqrt is one instruction.
BASE_FLAGS := -std=c11 -O2 -g -fPIC -pthread -ffp-contract=off -fno-math-errno -fvisibility=hidden \
              -ffunction-sections -fdata-sections
CPPFLAGS   := -Iinclude -I. -D_GNU_SOURCE
SANITIZE   := $(filter -fsanitize=%,$(FLAGS_$(BUILD)))
CFLAGS     ?=
ALL_CFLAGS  = $(BASE_FLAGS) $(FLAGS_$(BUILD)) $(CFLAGS)
LDLIBS     := -lm -ldl -pthread

# -------------------------------------------------------------------------------------------- sources

LLVM_SRC := $(sort $(wildcard src/codegen/llvm_*.c))
IR_SRC   := $(sort $(wildcard src/ir/*.c src/ir/*/*.c))
AOT_CUDA := $(sort $(wildcard runtime/aot/cuda_*.c))
AOT_BOTH := $(patsubst %,runtime/aot/%.c,env sizes table told)
AOT_SRC  := $(filter-out $(AOT_CUDA),$(sort $(wildcard runtime/aot/*.c)))
LIB_SRC  := $(IR_SRC) $(sort $(wildcard src/passes/*.c src/passes/*/*.c) $(filter-out $(LLVM_SRC),$(wildcard src/codegen/*.c)) \
            $(wildcard runtime/*/*.c))
TOOL_SRC := $(sort $(wildcard tools/*.c))

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
LIB_OBJ  := $(filter-out %/zip.o,$(call obj,$(LIB_SRC))) $(B)/obj/runtime/io/zip_whole.o $(B)/obj/runtime/export/aot_blob.o

LIBS     := $(B)/libbraze.a $(B)/libbraze.so
PLUGIN   := $(if $(LLVM_SRC),$(B)/libbraze-llvm.so)
TOOL     := $(if $(TOOL_SRC),$(B)/braze)
EXAMPLES := $(patsubst %.c,$(B)/%,$(sort $(wildcard examples/*.c)))
BENCHES  := $(patsubst %.c,$(B)/%,$(sort $(wildcard bench/*.c)))

# Tests are programs: Criterion ones from tests/NAME.c, or scripts that end with `N passed, N failed`.
# test_* belongs to `make check` and `make test`, slow_* to `make test` alone, fuzz_* to `make fuzz`.
# mk/*.mk may add to TESTS_QUICK and TESTS_SLOW.
programs = $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/$(1)_*.c))) \
           $(sort $(wildcard tests/$(1)_*.sh tests/$(1)_*.py))
TESTS_QUICK := $(call programs,test)
TESTS_SLOW  := $(call programs,slow)
FUZZERS     := $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/fuzz_*.c)))
TEST_SUPPORT_OBJ := $(call obj,$(sort $(wildcard tests/support/*.c tests/far/*.c)))

-include mk/gpu.mk
TESTS_SLOW += $(if $(filter release,$(BUILD)),$(GPU_SUITES))
include mk/llvm.mk
include mk/test.mk
include mk/quality.mk
include mk/install.mk
include mk/demo.mk

# -------------------------------------------------------------------------------------------- targets

.PHONY: all deps test-deps clean help
all: $(LIBS) $(PLUGIN) $(TOOL) $(EXAMPLES) $(BENCHES) ## Build everything but the tests (BUILD=release|debug|asan|ubsan|tsan)

deps: ## Install the Debian packages that building needs, if they are missing
	@CC='$(CC)' tools/deps.sh build

test-deps: ## Install what the tests need beside that
	@CC='$(CC)' PYTHON='$(PYTHON)' tools/deps.sh test

clean: ## Remove build/
	rm -rf build

help: ## Show this list
	@echo "braze $(VERSION): make [TARGET] [BUILD=release|debug|asan|ubsan|tsan] [CC=gcc|clang] [WERROR=1]"
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---------------------------------------------------------------------------------------------- rules

# V=1 shows the commands.
quiet = $(if $(V),,@echo '  $(1)  $@';)

# Rebuilds everything when the compiler or its flags change; WERROR alone does not count. The first object that is built asks
# for the packages.
FLAGS_TEXT = $(CC) $(CPPFLAGS) $(filter-out -Werror,$(WARN)) $(ALL_CFLAGS) zip=$(ZIP)
$(B)/.flags: FORCE
	@[ -e $@ ] || CC='$(CC)' tools/deps.sh --check build
	@mkdir -p $(B) && echo '$(FLAGS_TEXT)' | cmp -s - $@ || echo '$(FLAGS_TEXT)' > $@
.PHONY: FORCE
FORCE:

$(B)/obj/%.o: %.c $(B)/.flags
	@mkdir -p $(@D)
	$(call quiet,CC )$(CC) $(CPPFLAGS) $(WARN) $(ALL_CFLAGS) $(EXTRA_CPPFLAGS) -MMD -MP -c $< -o $@

# The number of a build, part of the key of code that is kept: of all that kernels are made by.
MAKES_CODE := $(sort $(wildcard $(foreach d,src/ir src/ir/* src/codegen,$(d)/*.c $(d)/*.h $(d)/*.def)) include/braze/version.h)
$(B)/obj/src/codegen/build.o: $(MAKES_CODE) mk/llvm.mk
$(B)/obj/src/codegen/build.o: EXTRA_CPPFLAGS = -DCG_BUILD='"llvm $(shell $(LLVM_CONFIG) --version 2>/dev/null), build $(shell cat $(MAKES_CODE) mk/llvm.mk | sha256sum | cut -c1-16)"'

# runtime/io/zip.c with what it uses of minizip and zlib, as one object in which their names are local: a program's own zlib never
# meets ours, and who links libbraze names neither. Without the archives (or by ZIP=0) .npz files are an error that says so.
ZIP_LIBS := $(foreach l,libminizip.a libz.a,$(filter /%,$(shell $(CC) -print-file-name=$(l) 2>/dev/null)))
ZIP ?= $(if $(word 2,$(ZIP_LIBS)),1,0)
$(B)/obj/runtime/io/zip.o: EXTRA_CPPFLAGS = $(if $(filter 0,$(ZIP)),-DBZ_NO_ZIP)
$(B)/obj/runtime/io/zip_whole.o: $(B)/obj/runtime/io/zip.o
ifeq ($(ZIP),0)
	@cp $< $@
else
	$(call quiet,LD )$(CC) -r -nostdlib $< $(ZIP_LIBS) -o $@
	@nm -P -g --defined-only $(ZIP_LIBS) | sed 's/ .*//' >$@.names && objcopy --localize-symbols=$@.names $@
endif

$(B)/libbraze.a: $(LIB_OBJ)
	@rm -f $@
	$(call quiet,AR )ar rcs $@ $^

# nodelete: worker threads and loaded kernels may outlive a dlclose.
link_shared = $(call quiet,LD )$(CC) $(ALL_CFLAGS) -shared -Wl,-soname,libbraze.so.$(SOVERSION) -Wl,-z,nodelete $(1) $(LDLIBS) -o $(if $(2),$(2),$@)
$(B)/libbraze.so: $(LIB_OBJ)
	$(call link_shared,$^,$@.$(VERSION))
	@ln -sf $(@F).$(VERSION) $@.$(SOVERSION) && ln -sf $(@F).$(SOVERSION) $@

$(B)/braze: $(call obj,$(TOOL_SRC)) $(B)/libbraze.a
	$(call quiet,LD )$(CC) $(ALL_CFLAGS) $^ $(LDLIBS) -o $@

# What an exported artefact needs at run time: runtime/aot/*.c as one plain object for processors and one for GPUs, free of sanitizers
# in every variant, because strangers link them. libbraze carries their bytes so that an export can write them out.
plain = $(patsubst %.c,$(B)/plain/%.o,$(1))
$(B)/plain/%.o: %.c $(B)/.flags
	@mkdir -p $(@D)
	$(call quiet,CC )$(CC) $(CPPFLAGS) $(WARN) $(filter-out -g -fPIC,$(BASE_FLAGS)) -fPIC -MMD -MP -c $< -o $@

$(B)/aot_rt.o: $(call plain,$(AOT_SRC))
$(B)/aot_rt_cuda.o: $(call plain,$(AOT_CUDA) $(AOT_BOTH))
$(B)/aot_rt.o $(B)/aot_rt_cuda.o:
	$(call quiet,LD )$(CC) -r -nostdlib $^ -o $@

$(B)/obj/runtime/export/aot_blob.o: runtime/export/aot_blob.S $(B)/aot_rt.o $(B)/aot_rt_cuda.o $(B)/.flags
	@mkdir -p $(@D)
	$(call quiet,AS )$(CC) -DBLOB='"$(B)/aot_rt.o"' -DBLOB_CUDA='"$(B)/aot_rt_cuda.o"' -c $< -o $@

# examples/support/*.c serve all examples; those that read compressed data need zlib.
$(B)/examples/%: $(B)/obj/examples/%.o $(call obj,$(sort $(wildcard examples/support/*.c))) $(B)/libbraze.so
	@mkdir -p $(@D)
	$(call quiet,LD )$(CC) $(ALL_CFLAGS) $(filter %.o,$^) -L$(B) -lbraze -Wl,-rpath,'$$ORIGIN/..' -Wl,--gc-sections -Wl,--as-needed -lz $(LDLIBS) -o $@

$(B)/bench/%: $(B)/obj/bench/%.o $(call obj,$(sort $(wildcard bench/support/*.c)) examples/support/mlp.c examples/support/adam.c) $(B)/libbraze.a
	@mkdir -p $(@D)
	$(call quiet,LD )$(CC) $(ALL_CFLAGS) $^ $(LDLIBS) -o $@

-include $(shell find $(B)/obj $(B)/plain -name '*.d' 2>/dev/null)
