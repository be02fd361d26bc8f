/* kernel.c - what a compiled kernel looks like to the loader: constants, calls out, data, bss. */
float fmaf(float x, float y, float z);
void *memset(void *p, int c, unsigned long n);

static const float weights[8] = {1, 2, 3, 4, 5, 6, 7, 8};
static float (*const table[2])(float, float, float) = {fmaf, 0}; /* R_X86_64_64 */
int counter = 5;
static long hits[4];

float dot8(const float *x) {
    float sum = 0;
    for (int i = 0; i < 8; i++) sum = fmaf(x[i], weights[i], sum);
    return sum;
}

float through_table(float x, int which) {
    return table[which & 1] ? table[which & 1](x, 2.0f, 0.5f) : -1.0f;
}

long count(int slot) {
    counter++;
    return ++hits[slot & 3] * 100 + counter;
}

void clear(char *p, unsigned long n) {
    memset(p, 0, n);
}
