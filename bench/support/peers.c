/* peers.c - see peers.h. The script says "ready<TAB>VERSIONS" once. Then one line there ("go"), one line per
 * contender back ("torch eager<TAB>MEDIAN<TAB>BEST", in ms), then ".". */
#include "bench/support/peers.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct peers {
    FILE *to, *from;
    pid_t pid;
    char versions[128];
};

static void become(const char *python, const char *name, int threads, const char *const *more,
                   const int *in, const int *out) {
    char count[16];
    snprintf(count, sizeof count, "%d", threads);
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    close(in[1]);
    close(out[0]);
    execlp(python, python, "bench/peers.py", name, count, more[0], more[1], (char *)NULL);
    perror(python);
    _exit(127);
}

static bool is_ready(peers *p) {
    char *line = p->versions;
    if (!p->to || !p->from || !fgets(line, sizeof p->versions, p->from)) return false;
    if (strncmp(line, "ready\t", 6) != 0) return false;
    line[strcspn(line, "\n")] = 0;
    memmove(line, line + 6, strlen(line + 6) + 1);
    return true;
}

peers *peers_start(const char *name, int threads, bool tiny, bool gpu) {
    const char *const more[] = {gpu    ? "--gpu"
                                : tiny ? "--tiny"
                                       : NULL,
                                gpu && tiny ? "--tiny" : NULL};
    const char *python = getenv("BRAZE_PEERS");
    int in[2], out[2];
    peers *p = python && *python ? calloc(1, sizeof *p) : NULL;
    if (!p || pipe(in) || pipe(out)) return free(p), NULL;
    signal(SIGPIPE, SIG_IGN);
    p->pid = fork();
    if (p->pid == 0) become(python, name, threads, more, in, out);
    close(in[0]);
    close(out[1]);
    p->to = fdopen(in[1], "w");
    p->from = fdopen(out[0], "r");
    if (p->pid > 0 && is_ready(p)) return p;
    peers_stop(p);
    return NULL;
}

void peers_ask(peers *p) {
    fputs("go\n", p->to);
    fflush(p->to);
}

const char *peers_versions(const peers *p) {
    return p->versions;
}

bool peers_next(peers *p, char *name, size_t room, double *median, double *best) {
    char line[128], *end;
    if (!fgets(line, sizeof line, p->from) || line[0] == '.') return false;
    char *tab = strchr(line, '\t');
    if (!tab) return false;
    *tab = 0;
    snprintf(name, room, "%s", line);
    *median = strtod(tab + 1, &end);
    *best = strtod(end, NULL);
    return true;
}

void peers_stop(peers *p) {
    if (!p) return;
    if (p->to) fclose(p->to);
    if (p->from) fclose(p->from);
    if (p->pid > 0) waitpid(p->pid, NULL, 0);
    free(p);
}
