/* corpus.h - the texts that fuzzers begin with: the files of tests/ir and the programs of its tables. */
#ifndef BRAZE_TEST_CORPUS_H
#define BRAZE_TEST_CORPUS_H

#include <stddef.h>

typedef struct corpus {
    char **text;
    size_t *size;
    unsigned n;
} corpus;

/* Ends the process when a file cannot be read. */
corpus corpus_read(void);
void corpus_free(corpus *c);

#endif
