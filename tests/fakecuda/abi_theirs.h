/* abi_theirs.h - facts about a binary interface, by name. */
#ifndef ABI_THEIRS_H
#define ABI_THEIRS_H

#include <stddef.h>

typedef struct {
    const char *what;
    size_t value;
} abi_fact;
extern const abi_fact abi_theirs[];
extern const size_t abi_n_theirs; /* 0 where no toolkit is */

#endif
