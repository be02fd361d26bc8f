/* aot_blob.S - the bytes of aot_rt.o and aot_rt_cuda.o inside libbraze, so that an export can write them beside
 * step.o (runtime/export/aot_blob.h). */
    .section .rodata, "a", @progbits
.macro blob name, file
    .balign 16
    .globl \name, \name\()_end
    .hidden \name, \name\()_end
    .type \name, @object
\name:
    .incbin "\file"
\name\()_end:
    .size \name, \name\()_end - \name
.endm
    blob rt_aot_blob, BLOB
    blob rt_aot_cuda_blob, BLOB_CUDA
    .section .note.GNU-stack, "", @progbits
