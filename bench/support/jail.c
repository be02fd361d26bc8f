/* jail.c - see jail.h: a filter of system calls (seccomp). Calls whose flags a filter cannot see, clone3 and openat2, are refused as
 * unknown, and the C library falls back to the ones that it can. */
#include "bench/support/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define LOAD(FIELD) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, FIELD))
#define GIVE(WHAT)  BPF_STMT(BPF_RET | BPF_K, (WHAT))
#define DIE         SECCOMP_RET_KILL_PROCESS
#define UNKNOWN     (SECCOMP_RET_ERRNO | ENOSYS)
/* The call of that number gives WHAT. */
#define ON(NUMBER, WHAT) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (NUMBER), 0, 1), GIVE(WHAT)
/* The call of that number dies if a flag is set (SET) or if it is not (CLEAR); the argument's low half is looked at. */
#define ON_FLAGS(NUMBER, ARG, FLAGS, SET, CLEAR)                                                   \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (NUMBER), 0, 4), LOAD(args[ARG]),                          \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (FLAGS), 0, 1), GIVE(SET), GIVE(CLEAR)

enum { MAKES = O_CREAT | (O_TMPFILE & ~O_DIRECTORY) };

bool jail_enter(void) {
    struct sock_filter rule[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        GIVE(DIE),
        LOAD(nr),
        ON(SYS_execve, DIE),
        ON(SYS_execveat, DIE),
        ON(SYS_fork, DIE),
        ON(SYS_vfork, DIE),
        ON(SYS_creat, DIE),
        ON(SYS_mknod, DIE),
        ON(SYS_mknodat, DIE),
        ON(SYS_mkdir, DIE),
        ON(SYS_mkdirat, DIE),
        ON(SYS_memfd_create, DIE),
        ON(SYS_clone3, UNKNOWN),
        ON(SYS_openat2, UNKNOWN),
        ON_FLAGS(SYS_clone, 0, CLONE_THREAD, SECCOMP_RET_ALLOW, DIE),
        ON_FLAGS(SYS_open, 1, MAKES, DIE, SECCOMP_RET_ALLOW),
        ON_FLAGS(SYS_openat, 2, MAKES, DIE, SECCOMP_RET_ALLOW),
        GIVE(SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof rule / sizeof *rule, rule};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
