/* turn.c - n vectors of n lanes transposed in registers: within blocks of 16 bytes first, which processors shuffle fastest, then
 * the blocks among one another. n log2(n) shuffles. */
#include "src/ir/loops/facts.h"
#include "src/passes/cpu/cpu.h"

#include <string.h>

/* n vectors, of `lanes` elements in blocks of `block`, pass log2(n) rounds; the shuffles of a round take `pick` of each pair. Rounds of
 * interleaving transpose n = block rows within each block; rounds of parting even and odd blocks transpose the blocks of n rows. */
static void rounds(lp_builder *b, lp_val *v, unsigned n, uint32_t pick[2][LP_MAX_LANES],
                   unsigned lanes, bool parting) {
    lp_val next[LP_MAX_LANES];
    for (unsigned round = n; round > 1; round /= 2) {
        for (unsigned i = 0; i < n / 2; i++) {
            lp_val x = parting ? v[2 * i] : v[i], y = parting ? v[2 * i + 1] : v[i + n / 2];
            next[parting ? i : 2 * i] = lp_shuffle(b, x, y, pick[0], lanes);
            next[parting ? i + n / 2 : 2 * i + 1] = lp_shuffle(b, x, y, pick[1], lanes);
        }
        memcpy(v, next, n * sizeof *v);
    }
}

void lower_transpose(lp_builder *b, lp_val *v, unsigned n, bz_dtype t) {
    uint32_t low_high[2][LP_MAX_LANES], even_odd[2][LP_MAX_LANES];
    lp_val row[LP_MAX_LANES];
    unsigned block = 16 / (unsigned)ir_dtype_bytes(t);
    block = block < n ? block : n;
    const unsigned blocks = n / block;
    for (unsigned i = 0; i < n; i++) {
        unsigned at = i / block, in = i % block;
        for (unsigned odd = 0; odd < 2; odd++) {
            low_high[odd][i] = at * block + in / 2 + odd * (block / 2) + (in % 2) * n;
            even_odd[odd][i] = (2 * at + odd) * block + in;
        }
    }
    for (unsigned g = 0; g < blocks; g++) rounds(b, v + g * block, block, low_high, n, false);
    for (unsigned c = 0; c < block; c++) {
        for (unsigned g = 0; g < blocks; g++) row[g] = v[g * block + c];
        rounds(b, row, blocks, even_odd, n, true);
        for (unsigned g = 0; g < blocks; g++) v[g * block + c] = row[g];
    }
}
