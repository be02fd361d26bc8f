/* cubin.c - see cubin.h. Opcodes and fields are those of sm_75 to sm_120, as far as a compiler makes them of known statements
 * (tests/test_cubin.c): an instruction has 16 bytes, its opcode is the low 12 bits, of which the upper three say where the operands
 * are; a relative branch counts from the next instruction. */
#include "src/codegen/cubin.h"

#include <elf.h>
#include <string.h>

enum { SIZE = 16, NOP = 0x118, BAR = 0x11d, LDSM = 0x03b };
enum { WARP = 32 }; /* one on a matrix is at least as much as one of each thread on numbers */

typedef struct code {
    const unsigned char *p;
    size_t n; /* instructions */
    unsigned cc;
} code;

typedef struct inst {
    uint64_t low, high;
} inst;

static inst at(const code *c, size_t i) {
    inst x;
    memcpy(&x, c->p + i * SIZE, sizeof x);
    return x;
}

/* The opcode without the place of its operands. */
static unsigned opcode(inst x) {
    return x.low & 0x1ff;
}

/* ---- the file */

static bool lies_within(uint64_t from, uint64_t n, size_t bytes) {
    return from <= bytes && n <= bytes - from;
}

static bool section(const unsigned char *b, size_t bytes, const Elf64_Ehdr *h, unsigned i,
                    Elf64_Shdr *out) {
    const uint64_t from = h->e_shoff + (uint64_t)i * sizeof *out;
    if (i >= h->e_shnum || !lies_within(from, sizeof *out, bytes)) return false;
    memcpy(out, b + from, sizeof *out);
    return lies_within(out->sh_offset, out->sh_type == SHT_NOBITS ? 0 : out->sh_size, bytes);
}

static bool find_text(const void *cubin, size_t bytes, const char *function, code *out) {
    const unsigned char *b = cubin;
    const size_t length = strlen(function) + 1;
    Elf64_Ehdr h;
    Elf64_Shdr names, s;
    if (bytes < sizeof h || memcmp(b, ELFMAG, SELFMAG) != 0) return false;
    memcpy(&h, b, sizeof h);
    if (!section(b, bytes, &h, h.e_shstrndx, &names)) return false;
    for (unsigned i = 0; i < h.e_shnum && section(b, bytes, &h, i, &s); i++) {
        if (s.sh_type != SHT_PROGBITS || !lies_within(s.sh_name, 6 + length, names.sh_size))
            continue;
        const unsigned char *own = b + names.sh_offset + s.sh_name;
        if (memcmp(own, ".text.", 6) != 0 || memcmp(own + 6, function, length) != 0) continue;
        out->p = b + s.sh_offset;
        out->n = s.sh_size / SIZE;
        return true;
    }
    return false;
}

/* ---- instructions */

#define CUBIN_NAME(NAME, name) #name,
const char *const cubin_classes[CUBIN_NCLASSES] = {"other", CUBIN_CLASSES(CUBIN_NAME)};
#undef CUBIN_NAME

/* Opcodes without the place of operands: the first range that has one counts. from, below: compute capabilities that it is for. */
static const struct {
    unsigned short first, last, of, from, below; /* below 0: for all that follow */
} ranges[] = {
    {0x180, 0x181, CUBIN_GLOBAL, 0, 0},    /* LD, LDG */
    {0x185, 0x186, CUBIN_GLOBAL, 0, 0},    /* ST, STG */
    {0x03b, 0x03b, CUBIN_SHARED, 0, 0},    /* LDSM */
    {0x184, 0x184, CUBIN_SHARED, 0, 0},    /* LDS */
    {0x188, 0x188, CUBIN_SHARED, 0, 0},    /* STS */
    {0x183, 0x183, CUBIN_LOCAL, 0, 0},     /* LDL */
    {0x187, 0x187, CUBIN_LOCAL, 0, 0},     /* STL */
    {0x0b9, 0x0b9, CUBIN_CONSTANT, 0, 0},  /* ULDC */
    {0x182, 0x182, CUBIN_CONSTANT, 0, 0},  /* LDC */
    {0x1ac, 0x1ac, CUBIN_CONSTANT, 0, 0},  /* LDCU */
    {0x18a, 0x18e, CUBIN_ATOMIC, 0, 0},    /* ATOM, ATOMS, RED */
    {0x1a6, 0x1a6, CUBIN_ATOMIC, 0, 0},    /* REDG */
    {0x1a8, 0x1a9, CUBIN_ATOMIC, 0, 0},    /* ATOMG */
    {0x11a, 0x11a, CUBIN_ASYNC, 0, 0},     /* DEPBAR */
    {0x1ae, 0x1af, CUBIN_ASYNC, 0, 0},     /* LDGSTS, LDGDEPBAR */
    {0x023, 0x023, CUBIN_FMA, 0, 0},       /* FFMA */
    {0x049, 0x049, CUBIN_FMA, 100, 0},     /* FFMA2 */
    {0x04a, 0x04a, CUBIN_INTEGER, 120, 0}, /* adds two numbers */
    {0x04a, 0x04b, CUBIN_FLOAT, 100, 0},   /* FMUL2, FADD2 */
    {0x076, 0x076, CUBIN_FLOAT, 100, 0},   /* FMNMX3 */
    {0x055, 0x055, CUBIN_FMA, 0, 0},       /* UFFMA */
    {0x009, 0x00b, CUBIN_FLOAT, 0, 0},     /* FMNMX, FSET, FSETP */
    {0x020, 0x022, CUBIN_FLOAT, 0, 0},     /* FMUL, FADD, FSWZADD */
    {0x050, 0x057, CUBIN_FLOAT, 0, 0},     /* UFADD, UFMUL, UFSETP */
    {0x102, 0x102, CUBIN_FLOAT, 0, 0},     /* FCHK */
    {0x030, 0x034, CUBIN_HALF, 0, 0},      /* HADD2, HFMA2, HMUL2, HSET2, HSETP2 */
    {0x035, 0x035, CUBIN_HALF, 0, 100},    /* HFMA2.BF16 */
    {0x035, 0x035, CUBIN_INTEGER, 100, 0}, /* IADD.64 */
    {0x040, 0x040, CUBIN_HALF, 0, 0},      /* HMNMX2 */
    {0x028, 0x02b, CUBIN_DOUBLE, 0, 0},    /* DMUL, DADD, DSETP, DFMA */
    {0x037, 0x037, CUBIN_MATRIX, 0, 0},    /* IMMA */
    {0x03c, 0x03d, CUBIN_MATRIX, 0, 0},    /* HMMA, BMMA */
    {0x03f, 0x03f, CUBIN_MATRIX, 0, 0},    /* DMMA */
    {0x108, 0x108, CUBIN_SPECIAL, 0, 0},   /* MUFU */
    {0x03e, 0x03e, CUBIN_CONVERT, 0, 0},   /* F2FP */
    {0x045, 0x045, CUBIN_CONVERT, 0, 0},   /* I2FP */
    {0x05a, 0x05e, CUBIN_CONVERT, 0, 0},   /* UI2F, UF2F, UF2I, UFRND, UI2FP */
    {0x104, 0x107, CUBIN_CONVERT, 0, 0},   /* F2F, F2I, I2F, FRND */
    {0x110, 0x113, CUBIN_CONVERT, 0, 0},   /* the same of 64 bits */
    {0x00c, 0x00c, CUBIN_INTEGER, 0, 0},   /* ISETP */
    {0x00f, 0x00f, CUBIN_INTEGER, 0, 0},   /* VIMNMX3 */
    {0x010, 0x013, CUBIN_INTEGER, 0, 0},   /* IADD3, LEA, LOP3, IABS */
    {0x017, 0x017, CUBIN_INTEGER, 0, 0},   /* IMNMX */
    {0x019, 0x01c, CUBIN_INTEGER, 0, 0},   /* SHF, SGXT, BMSK, PLOP3 */
    {0x024, 0x027, CUBIN_INTEGER, 0, 0},   /* IMAD, IDP */
    {0x036, 0x036, CUBIN_INTEGER, 0, 0},   /* VIADD */
    {0x038, 0x038, CUBIN_INTEGER, 0, 0},   /* I2I */
    {0x046, 0x046, CUBIN_INTEGER, 0, 0},   /* VIADDMNMX */
    {0x048, 0x048, CUBIN_INTEGER, 0, 0},   /* VIMNMX */
    {0x100, 0x101, CUBIN_INTEGER, 0, 0},   /* FLO, BREV */
    {0x109, 0x109, CUBIN_INTEGER, 0, 0},   /* POPC */
    {0x002, 0x005, CUBIN_MOVE, 0, 0},      /* MOV, P2R, R2P, CS2R */
    {0x007, 0x008, CUBIN_MOVE, 0, 0},      /* SEL, FSEL */
    {0x016, 0x016, CUBIN_MOVE, 0, 0},      /* PRMT */
    {0x082, 0x083, CUBIN_MOVE, 0, 0},      /* UMOV, UP2UR */
    {0x087, 0x087, CUBIN_MOVE, 0, 0},      /* USEL */
    {0x0ca, 0x0ca, CUBIN_MOVE, 0, 0},      /* R2UR */
    {0x119, 0x119, CUBIN_MOVE, 0, 0},      /* S2R */
    {0x1c2, 0x1c3, CUBIN_MOVE, 0, 0},      /* R2UR, S2UR */
    {0x006, 0x006, CUBIN_EXCHANGE, 0, 0},  /* VOTE */
    {0x086, 0x086, CUBIN_EXCHANGE, 0, 0},  /* VOTEU */
    {0x0cc, 0x0cc, CUBIN_EXCHANGE, 0, 0},  /* CREDUX */
    {0x11b, 0x11b, CUBIN_EXCHANGE, 0, 0},  /* ENDCOLLECTIVE */
    {0x11d, 0x11d, CUBIN_EXCHANGE, 0, 0},  /* BAR */
    {0x148, 0x148, CUBIN_EXCHANGE, 0, 0},  /* WARPSYNC */
    {0x189, 0x189, CUBIN_EXCHANGE, 0, 0},  /* SHFL */
    {0x192, 0x192, CUBIN_EXCHANGE, 0, 0},  /* MEMBAR */
    {0x1a1, 0x1a1, CUBIN_EXCHANGE, 0, 0},  /* MATCH */
    {0x1c4, 0x1c4, CUBIN_EXCHANGE, 0, 0},  /* REDUX */
    {0x080, 0x0bf, CUBIN_INTEGER, 0, 0},   /* what is uniform, but for the above */
    {0x118, 0x118, CUBIN_CONTROL, 0, 0},   /* NOP */
    {0x141, 0x147, CUBIN_CONTROL, 0, 0},   /* BSYNC to BRA */
    {0x149, 0x14d, CUBIN_CONTROL, 0, 0},   /* BRX, JMP, EXIT */
    {0x150, 0x150, CUBIN_CONTROL, 0, 0},   /* RET */
    {0x155, 0x156, CUBIN_CONTROL, 0, 0},   /* BMOV */
    {0x15b, 0x15d, CUBIN_CONTROL, 0, 0},   /* KILL, BPT, NANOSLEEP */
    {0x18f, 0x18f, CUBIN_CONTROL, 0, 0},   /* CCTL */
    {0x1ab, 0x1ab, CUBIN_CONTROL, 0, 0},   /* ERRBAR */
};

static unsigned class_of(const code *c, unsigned op) {
    for (size_t i = 0; i < BZ_LEN(ranges); i++)
        if (op >= ranges[i].first && op <= ranges[i].last && c->cc >= ranges[i].from &&
            (!ranges[i].below || c->cc < ranges[i].below))
            return ranges[i].of;
    return CUBIN_OTHER;
}

static unsigned width_of(inst x) {
    const unsigned w = x.high >> 9 & 7;
    return w == 6 ? CUBIN_128 : w == 5 ? CUBIN_64 : CUBIN_32;
}

static void count(const code *c, cubin_kernel *k) {
    for (size_t i = 0; i < c->n; i++) {
        const inst x = at(c, i);
        const unsigned op = opcode(x), of = class_of(c, op);
        if (op == NOP) continue;
        k->all++;
        k->mix[of]++;
        k->barriers += op == BAR;
        if (of == CUBIN_GLOBAL) k->global[width_of(x)]++;
    }
}

/* ---- loops */

/* Where branch i goes; n: it is none, or leaves. */
static size_t target_of(const code *c, size_t i) {
    const inst x = at(c, i);
    const unsigned op = x.low & 0xfff;
    if (op != 0x947 && op != 0x547) return c->n;
    int64_t far;
    if (c->cc < 90) /* up to sm_89: a number of bytes from bit 32 on */
        far = (int64_t)((x.low >> 32 | x.high << 32) << 14) >> 14;
    else /* from bit 34 on, and below that eight bits at bit 16: in fours */
        far = ((int64_t)((x.low >> 34 | x.high << 30) << 16) >> 16) * 1024 +
              (int64_t)(x.low >> 16 & 0xff) * 4;
    const int64_t to = (int64_t)i + 1 + far / SIZE;
    return to < 0 || to > (int64_t)c->n ? c->n : (size_t)to;
}

/* The loops of a kernel begin behind and end with a branch back; the last instructions are a branch to itself. */
static void find_loop(const code *c, cubin_kernel *k) {
    for (size_t i = 0; i < c->n; i++) {
        const size_t from = target_of(c, i);
        unsigned fma = 0, matrix = 0, ldmatrix = 0;
        if (from >= i) continue;
        for (size_t j = from; j <= i; j++) {
            const unsigned op = opcode(at(c, j)), of = class_of(c, op);
            fma += of == CUBIN_FMA;
            matrix += of == CUBIN_MATRIX;
            ldmatrix += op == LDSM;
        }
        const unsigned all = (unsigned)(i + 1 - from);
        const uint64_t is = fma + matrix * WARP, was = k->loop_fma + k->loop_matrix * WARP;
        if (is * k->loop <= was * all && k->loop) continue;
        k->loop = all;
        k->loop_fma = fma;
        k->loop_matrix = matrix;
        k->loop_ldmatrix = ldmatrix;
    }
}

static bool read_log(const char *log, const char *function, cubin_kernel *k) {
    for (nvrtc_use u; nvrtc_next_use(&log, &u);) {
        if (u.name_bytes != strlen(function) || memcmp(u.name, function, u.name_bytes) != 0)
            continue;
        k->registers = u.registers;
        k->frame = u.stack;
        k->spilled = u.spilled;
        k->shared = u.shared;
        return true;
    }
    return false;
}

bool cubin_read(const nvrtc_image *i, unsigned cc, const char *function, cubin_kernel *out) {
    code c = {.cc = cc};
    *out = (cubin_kernel){0};
    if (!i->cubin || !find_text(i->cubin, i->cubin_bytes, function, &c) ||
        !read_log(i->log, function, out))
        return false;
    count(&c, out);
    find_loop(&c, out);
    return true;
}
