/* api_tape.h - derivatives as anybody would model them: every element that was ever computed is an entry with the entries that it
 * was computed from and the slopes. It knows no storages, recordings, views or modes. */
#ifndef BRAZE_TEST_API_TAPE_H
#define BRAZE_TEST_API_TAPE_H

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t api_entry; /* 0: depends on nothing */

void api_tape_reset(void);
/* A new entry; what it depends on follows. */
api_entry api_tape_new(void);
void api_tape_from(api_entry x, double slope); /* x 0: nothing */
void api_tape_kink(void);                      /* the last entry has no one slope */
/* slopes[e] = d sum(w[i] * of[i]) / d e for every entry e. false: a kink lies on a way from `of`, or a slope that not every dtype
 * can hold. Valid until the next call. */
bool api_tape_slopes(const api_entry *of, const double *w, int64_t n, const double **slopes);

#endif
