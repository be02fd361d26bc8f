/* progress.h - a bar on a terminal, a line now and then elsewhere. */
#ifndef EXAMPLES_PROGRESS_H
#define EXAMPLES_PROGRESS_H

/* Step `done` (from 1) of `steps` is over. On standard output. */
void progress(const char *what, int done, int steps, float loss, double images_per_s);

#endif
