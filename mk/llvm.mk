# llvm.mk - the plug-in libbraze-llvm.so: src/codegen/llvm_*.c, its own hidden copy of src/ir, and LLVM.
#
# LLVM is linked statically (X86 only) and hidden, so that loading costs ~2 ms instead of 12 to 50, and an
# application that uses another LLVM never meets ours. Where the static archives are absent, the shared
# libLLVM is used instead. The only dynamic symbol is the one entry in mk/llvm.map.

LLVM_CONFIG ?= $(firstword $(shell command -v llvm-config-19 llvm-config 2>/dev/null) llvm-config-19)

ifneq ($(LLVM_SRC),)
LLVM_LIBDIR := $(shell $(LLVM_CONFIG) --libdir 2>/dev/null)
LLVM_STATIC ?= $(if $(wildcard $(LLVM_LIBDIR)/libLLVMX86CodeGen.a),1,0)
LLVM_CFLAGS  = -isystem $(shell $(LLVM_CONFIG) --includedir)

ifeq ($(LLVM_STATIC),1)
# Everything but libc and libm lies inside. Packed relative relocations save 2 MB and ~0.5 ms of each load.
LLVM_LINK = -Wl,--start-group $(shell $(LLVM_CONFIG) --link-static --libs x86codegen) -Wl,--end-group \
            -l:libstdc++.a -l:libgcc_eh.a -l:libz.a -l:libzstd.a -lm -Wl,-z,pack-relative-relocs
else
LLVM_LINK = -Wl,-rpath,$(LLVM_LIBDIR) -lLLVM-19 -lm
endif

$(call obj,$(LLVM_SRC)): EXTRA_CPPFLAGS = $(LLVM_CFLAGS)
$(B)/libbraze-llvm.so: $(call obj,$(LLVM_SRC) $(IR_SRC) src/codegen/build.c) mk/llvm.map mk/llvm.mk
	@$(LLVM_CONFIG) --version >/dev/null 2>&1 || { echo "LLVM 19 is missing: run 'make deps'"; exit 1; }
	$(call quiet,LD )$(CC) $(ALL_CFLAGS) -shared -Wl,-soname,$(@F) -Wl,-Bsymbolic -Wl,--gc-sections -Wl,--exclude-libs,ALL \
	    -Wl,--version-script=mk/llvm.map $(filter %.o,$^) -L$(LLVM_LIBDIR) $(LLVM_LINK) -o $@
endif
