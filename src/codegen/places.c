/* places.c - where libbraze-llvm.so may lie, and whether a file there is whole.
 *
 *     $BRAZE_LLVM                          alone when it is set; not in a process that runs with rights of others (setuid)
 *     beside the file that this code       libbraze.so, or the program that libbraze.a was linked into
 *       was loaded from
 *     the library directory                PREFIX/lib of `make install`
 *
 * Every place is an absolute path that neither the program's name nor a chdir moves: the second is the kernel's word
 * (/proc/self/maps), a relative $BRAZE_LLVM counts from the directory in which the process began. Nothing else is searched. */
#include "src/codegen/plugin.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef BZ_LIBRARY_DIRECTORY
#define BZ_LIBRARY_DIRECTORY "" /* a build tree has none */
#endif

#define CHOSEN "BRAZE_LLVM"

/* ---- places */

static char *start; /* working directory at load, for a relative $BRAZE_LLVM */

__attribute__((constructor)) static void remember_start(void) {
    const char *chosen = secure_getenv(CHOSEN);
    if (chosen && *chosen && *chosen != '/') start = getcwd(NULL, 0);
}

bool cg_place_is_chosen(void) {
    const char *chosen = secure_getenv(CHOSEN);
    return chosen && *chosen;
}

static void add_chosen(bz_text *path) {
    const char *chosen = secure_getenv(CHOSEN);
    if (*chosen != '/') {
        if (!start) return; /* set meanwhile: nobody knows what it is relative to */
        bz_textf(path, "%s/", start);
    }
    bz_text_str(path, chosen);
}

/* The file of a line of /proc/self/maps if the line covers `address`; NULL. */
static char *file_at(char *line, uintptr_t address) {
    uintptr_t from, to;
    int path = 0;
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %*s %*s %*s %n", &from, &to, &path) < 2 ||
        !path)
        return NULL;
    if (address < from || address >= to || line[path] != '/') return NULL;
    line[strcspn(line, "\n")] = 0;
    return line + path;
}

static bool is_deleted(const char *file) {
    static const char mark[] = " (deleted)";
    size_t n = strlen(file);
    return n >= sizeof mark - 1 && strcmp(file + n - (sizeof mark - 1), mark) == 0;
}

/* Is this code part of the program itself? */
static bool in_program(const char *file) {
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe);
    return n > 0 && strlen(file) == (size_t)n && memcmp(file, exe, (size_t)n) == 0;
}

/* A program with rights of others may be linked into anybody's directory; a library that it loads is where its owner put it. */
static void add_beside(bz_text *path) {
    FILE *maps = fopen("/proc/self/maps", "re");
    char *line = NULL;
    size_t room = 0;
    while (maps && getline(&line, &room, maps) > 0) {
        char *file = file_at(line, (uintptr_t)&cg_place);
        if (!file) continue;
        if (!is_deleted(file) && !(getauxval(AT_SECURE) && in_program(file))) {
            bz_text_add(path, file, (size_t)(strrchr(file, '/') - file) + 1);
            bz_text_str(path, CG_PLUGIN_FILE);
        }
        break;
    }
    free(line);
    if (maps) fclose(maps);
}

bool cg_place(unsigned k, bz_text *path) {
    if (cg_place_is_chosen()) {
        if (k > 0) return false;
        add_chosen(path);
    } else if (k == 0) {
        add_beside(path);
    } else if (k == 1) {
        if (*BZ_LIBRARY_DIRECTORY) bz_textf(path, "%s/%s", BZ_LIBRARY_DIRECTORY, CG_PLUGIN_FILE);
    } else {
        return false;
    }
    return true;
}

/* ---- whole files: the loader maps what the headers say, and a page behind the end of the file is SIGBUS */

static bool within(uint64_t at, uint64_t n, uint64_t size) {
    return at <= size && n <= size - at;
}

static bool segments_within(int fd, const Elf64_Ehdr *h, uint64_t size) {
    bool dynamic = false;
    for (unsigned i = 0; i < h->e_phnum; i++) {
        Elf64_Phdr p;
        if (pread(fd, &p, sizeof p, (off_t)(h->e_phoff + i * sizeof p)) != (ssize_t)sizeof p)
            return false;
        if (p.p_type == PT_LOAD &&
            (!within(p.p_offset, p.p_filesz, size) || p.p_filesz > p.p_memsz))
            return false;
        dynamic |= p.p_type == PT_DYNAMIC && within(p.p_offset, p.p_filesz, size);
    }
    return dynamic;
}

/* The last thing in a file: zeros there are the end of a copy that broke off. */
static bool sections_within(int fd, const Elf64_Ehdr *h, uint64_t size) {
    Elf64_Shdr names;
    if (!h->e_shoff) return true;
    uint64_t at = h->e_shoff + (uint64_t)h->e_shstrndx * sizeof names;
    return h->e_shentsize == sizeof names && h->e_shstrndx < h->e_shnum &&
           within(h->e_shoff, (uint64_t)h->e_shnum * sizeof names, size) &&
           pread(fd, &names, sizeof names, (off_t)at) == (ssize_t)sizeof names &&
           names.sh_type == SHT_STRTAB && within(names.sh_offset, names.sh_size, size);
}

static const char *damage_of(int fd) {
    struct stat st;
    Elf64_Ehdr h;
    if (fstat(fd, &st)) return strerror(errno);
    if (!S_ISREG(st.st_mode)) return "it is no regular file";
    bool header = pread(fd, &h, sizeof h, 0) == (ssize_t)sizeof h &&
                  !memcmp(h.e_ident, ELFMAG, SELFMAG) && h.e_ident[EI_CLASS] == ELFCLASS64 &&
                  h.e_type == ET_DYN && h.e_machine == EM_X86_64 &&
                  h.e_phentsize == sizeof(Elf64_Phdr);
    if (!header) return "it is no shared object for x86-64";
    uint64_t size = (uint64_t)st.st_size;
    bool whole = within(h.e_phoff, h.e_phnum * sizeof(Elf64_Phdr), size) &&
                 segments_within(fd, &h, size) && sections_within(fd, &h, size);
    return whole ? NULL : "it is damaged or cut off";
}

const char *cg_place_damage(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return strerror(errno);
    const char *why = damage_of(fd);
    close(fd);
    return why;
}
