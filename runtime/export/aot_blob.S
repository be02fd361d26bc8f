/* aot_blob.S - the bytes of aot_rt.o inside libbraze, so that an export can write them beside
 * step.o. C sees:  extern const unsigned char rt_aot_blob[], rt_aot_blob_end[];
 * (runtime/export/aot_blob.h) */
    .section .rodata, "a", @progbits
    .balign 16
    .globl rt_aot_blob, rt_aot_blob_end
    .hidden rt_aot_blob, rt_aot_blob_end
    .type rt_aot_blob, @object
rt_aot_blob:
    .incbin BLOB
rt_aot_blob_end:
    .size rt_aot_blob, rt_aot_blob_end - rt_aot_blob
    .section .note.GNU-stack, "", @progbits
