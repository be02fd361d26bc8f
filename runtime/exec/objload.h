/* objload.h - relocatable object files become callable code (objload.c). */
#ifndef RT_OBJLOAD_H
#define RT_OBJLOAD_H

#include <stddef.h>

typedef enum rt_load_status {
    RT_LOAD_OK,
    RT_LOAD_DAMAGED, /* not a whole, consistent ELF file */
    RT_LOAD_FOREIGN, /* whole, but for another machine, or with features that kernels never use */
    RT_LOAD_UNRESOLVED, /* it needs a symbol that is not among the imports */
    RT_LOAD_SYSTEM,     /* no memory, or the system refuses executable pages */
} rt_load_status;

enum { RT_LOAD_MESSAGE = 160 }; /* bytes of a message, the terminating 0 included */

typedef void rt_function(void); /* any function; cast to its real type before the call */

/* What an object may refer to outside itself. A table ends with a NULL name. */
typedef struct rt_import {
    const char *name;
    rt_function *address;
} rt_import;

typedef struct rt_code rt_code;     /* memory that code lies in */
typedef struct rt_object rt_object; /* one loaded object */

/* Code memory, empty; NULL when there is no memory. May be used by several threads at once. */
rt_code *rt_code_new(void);

/* Unmaps everything; the objects in it must be gone. NULL is fine. */
void rt_code_free(rt_code *code);

/* Loads the ELF64 x86-64 relocatable object in bytes[0..size) into `code` and sets *out. `imports`
 * (may be NULL) and `bytes` are not needed afterwards. On failure *out is NULL and `message` says
 * why; nothing is kept. Any bytes are safe to pass: everything is checked before it is used. The
 * code itself is trusted. */
rt_load_status rt_object_load(rt_code *code, const void *bytes, size_t size,
                              const rt_import *imports, rt_object **out,
                              char message[RT_LOAD_MESSAGE]);

/* The address of the global symbol `name`, NULL when the object does not define it. Valid until the
 * object is freed. */
rt_function *rt_object_find(const rt_object *object, const char *name);

/* Bytes of memory that the object's code and data take. */
size_t rt_object_bytes(const rt_object *object);

/* Gives the memory back; no thread may be inside the code. NULL is fine. */
void rt_object_free(rt_object *object);

#endif
