/* faults.h - launches and texts that must fail, and with which CUDA error. */
#ifndef FAULTS_H
#define FAULTS_H

#include "../dev.h"

typedef struct {
    const char *name, *body; /* the kernel's body; %ga is a buffer of 16 bytes */
    uint32_t grid, block, shared;
    const char *kernel; /* asked for, "k" exists */
    int at_load, at_launch;
} fault;

extern const fault fault_table[];
size_t fault_count(void);

/* The codes that `d` answers; false when they are not the expected ones, said in `why`. */
bool fault_run(dev *d, const fault *f, int code[2], char *why, size_t cap);

#endif
