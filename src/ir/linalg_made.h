/* linalg_made.h - the functions of linalg.c for one type: T, its name NAME(f), WIDE. Included twice. */

/* r[m,n] = x[n,m] turned. */
static void NAME(turn)(const T *x, T *r, int64_t n, int64_t m) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++) r[j * n + i] = x[i * m + j];
}

/* The row-major a[n,n] is LAPACK's transpose of it: it is turned, as the right sides are. */
static int NAME(solve)(void *user, const T *a, const T *y, T *r, int64_t b, int64_t n, int64_t k) {
    int size = (int)n, sides = (int)k, info = 0, status = too_large(n, k);
    T *lu = bz_mem_alloc(((size_t)n * (size_t)n + 1) * sizeof *lu);
    T *turned = bz_mem_alloc(((size_t)n * (size_t)k + 1) * sizeof *turned);
    int *pivots = bz_mem_alloc(((size_t)n + 1) * sizeof *pivots);
    (void)user;
    if (!lu || !turned || !pivots) status = BZ_ENOMEM;
    for (int64_t i = 0; i < b && !status && n && k; i++, a += n * n, y += n * k, r += n * k) {
        NAME(turn)(a, lu, n, n);
        NAME(turn)(y, turned, n, k);
        status = lapack_call(LAPACK_gesv, WIDE,
                             (void *[]){&size, &sides, lu, &size, pivots, turned, &size, &info});
        if (!status && info) status = failed(i, "matrix is singular");
        NAME(turn)(turned, r, k, n);
    }
    bz_mem_free(lu);
    bz_mem_free(turned);
    bz_mem_free(pivots);
    return status;
}

/* Of LU: det = sign e^log, det[i]; the determinant of the transpose is the same. */
static int NAME(slogdet)(void *user, const T *a, T *det, T *sign, T *log_abs, int64_t b, int64_t n) {
    int size = (int)n, info = 0, status = too_large(n, n);
    T *lu = bz_mem_alloc(((size_t)n * (size_t)n + 1) * sizeof *lu);
    int *pivots = bz_mem_alloc(((size_t)n + 1) * sizeof *pivots);
    (void)user;
    if (!lu || !pivots) status = BZ_ENOMEM;
    for (int64_t i = 0; i < b && !status; i++, a += n * n) {
        T s = 1, product = 1;
        double sum = 0;
        memcpy(lu, a, (size_t)(n * n) * sizeof *lu);
        if (n)
            status = lapack_call(LAPACK_getrf, WIDE,
                                 (void *[]){&size, &size, lu, &size, pivots, &info});
        for (int64_t k = 0; k < n && !status; k++) {
            const T d = lu[k * n + k];
            if (pivots[k] != k + 1) s = -s, product = -product;
            s = d < 0 ? -s : d == 0 ? 0 : d > 0 ? s : d;
            product *= d;
            sum += log(fabs((double)d));
        }
        det[i] = product;
        sign[i] = s;
        log_abs[i] = (T)sum;
    }
    bz_mem_free(lu);
    bz_mem_free(pivots);
    return status;
}

/* The lower triangle, row-major, is LAPACK's upper one: nothing is turned. */
static int NAME(cholesky)(void *user, const T *a, T *r, int64_t b, int64_t n) {
    int size = (int)n, info = 0, status = too_large(n, n);
    (void)user;
    for (int64_t i = 0; i < b && !status && n; i++, a += n * n, r += n * n) {
        memcpy(r, a, (size_t)(n * n) * sizeof *r);
        status = lapack_call(LAPACK_potrf, WIDE, (void *[]){upper, &size, r, &size, &info});
        if (!status && info) status = failed(i, "matrix is not positive definite");
        for (int64_t j = 0; j < n; j++)
            for (int64_t k = j + 1; k < n; k++) r[j * n + k] = 0;
    }
    return status;
}

/* X^T A^T = Y^T, and X^T, A^T, Y^T are LAPACK's reading of x, a, y: nothing is turned. */
static int NAME(triangle)(bool low, const T *a, const T *y, T *r, int64_t b, int64_t n, int64_t k) {
    int size = (int)n, sides = (int)k, status = too_large(n, k);
    T one = 1;
    for (int64_t i = 0; i < b && !status && n && k; i++, a += n * n, y += n * k, r += n * k) {
        memcpy(r, y, (size_t)(n * k) * sizeof *r);
        status = lapack_call(LAPACK_trsm, WIDE,
                             (void *[]){right, low ? upper : lower, plain, plain, &sides, &size,
                                        &one, (void *)(uintptr_t)a, &size, r, &sides});
    }
    return status;
}

static int NAME(lower_solve)(void *user, const T *a, const T *y, T *r, int64_t b, int64_t n,
                             int64_t k) {
    (void)user;
    return NAME(triangle)(true, a, y, r, b, n, k);
}

static int NAME(upper_solve)(void *user, const T *a, const T *y, T *r, int64_t b, int64_t n,
                             int64_t k) {
    (void)user;
    return NAME(triangle)(false, a, y, r, b, n, k);
}

/* Eigenvectors are rows of what comes: turned. Of the lower triangle. */
static int NAME(eigh)(void *user, const T *a, T *w, T *v, int64_t b, int64_t n) {
    int size = (int)n, info = 0, status = too_large(n, n), some = -1, ints = -1, first_int = 0;
    T first = 0;
    (void)user;
    if (n && !status)
        status = lapack_call(LAPACK_syevd, WIDE,
                             (void *[]){vectors, upper, &size, v, &size, w, &first, &some,
                                        &first_int, &ints, &info});
    some = (int)first;
    ints = first_int;
    T *work = bz_mem_alloc(((size_t)some + 1) * sizeof *work);
    T *rows = bz_mem_alloc(((size_t)n * (size_t)n + 1) * sizeof *rows);
    int *iwork = bz_mem_alloc(((size_t)ints + 1) * sizeof *iwork);
    if (!status && (!work || !rows || !iwork)) status = BZ_ENOMEM;
    for (int64_t i = 0; i < b && !status && n; i++, a += n * n, w += n, v += n * n) {
        memcpy(rows, a, (size_t)(n * n) * sizeof *rows);
        status = lapack_call(LAPACK_syevd, WIDE,
                             (void *[]){vectors, upper, &size, rows, &size, w, work, &some, iwork,
                                        &ints, &info});
        if (!status && info) status = failed(i, "eigenvalues did not converge");
        NAME(turn)(rows, v, n, n);
    }
    bz_mem_free(work);
    bz_mem_free(rows);
    bz_mem_free(iwork);
    return status;
}

/* A^T = U' S V'^T, so A = V' S U'^T; row-major V' is LAPACK's V'^T, and U'^T its U': nothing is turned. */
static int NAME(svd)(void *user, const T *a, T *u, T *s, T *vh, int64_t b, int64_t m, int64_t n) {
    const int64_t k = m < n ? m : n;
    int rows = (int)n, columns = (int)m, least = (int)k, info = 0, status = too_large(m, n), some = -1;
    T first = 0;
    (void)user;
    T *copy = bz_mem_alloc(((size_t)m * (size_t)n + 1) * sizeof *copy);
    int *iwork = bz_mem_alloc((8 * (size_t)k + 1) * sizeof *iwork);
    if (!copy || !iwork) status = BZ_ENOMEM;
    if (!status && k)
        status = lapack_call(LAPACK_gesdd, WIDE,
                             (void *[]){thin, &rows, &columns, copy, &rows, s, vh, &rows, u, &least,
                                        &first, &some, iwork, &info});
    some = (int)first;
    T *work = bz_mem_alloc(((size_t)some + 1) * sizeof *work);
    if (!work) status = BZ_ENOMEM;
    for (int64_t i = 0; i < b && !status && k; i++, a += m * n, u += m * k, s += k, vh += k * n) {
        memcpy(copy, a, (size_t)(m * n) * sizeof *copy);
        status = lapack_call(LAPACK_gesdd, WIDE,
                             (void *[]){thin, &rows, &columns, copy, &rows, s, vh, &rows, u, &least,
                                        work, &some, iwork, &info});
        if (!status && info) status = failed(i, "singular values did not converge");
    }
    bz_mem_free(copy);
    bz_mem_free(iwork);
    bz_mem_free(work);
    return status;
}

/* A^T = L Q', so A = Q'^T L^T: row-major Q is LAPACK's Q', R its L. */
static int NAME(qr)(void *user, const T *a, T *q, T *r, int64_t b, int64_t m, int64_t n) {
    const int64_t k = m < n ? m : n;
    int rows = (int)n, columns = (int)m, least = (int)k, info = 0, status = too_large(m, n), some = 64;
    (void)user;
    T *copy = bz_mem_alloc(((size_t)m * (size_t)n + 1) * sizeof *copy);
    T *tau = bz_mem_alloc(((size_t)k + 1) * sizeof *tau);
    some *= (int)(n > k ? n : k) + 1;
    T *work = bz_mem_alloc((size_t)some * sizeof *work);
    if (!copy || !tau || !work) status = BZ_ENOMEM;
    for (int64_t i = 0; i < b && !status && k; i++, a += m * n, q += m * k, r += k * n) {
        memcpy(copy, a, (size_t)(m * n) * sizeof *copy);
        status = lapack_call(LAPACK_gelqf, WIDE,
                             (void *[]){&rows, &columns, copy, &rows, tau, work, &some, &info});
        for (int64_t j = 0; j < k && !status; j++)
            for (int64_t c = 0; c < n; c++) r[j * n + c] = c < j ? 0 : copy[j * n + c];
        for (int64_t j = 0; j < m && !status; j++) memcpy(q + j * k, copy + j * n, (size_t)k * sizeof *q);
        if (!status)
            status = lapack_call(LAPACK_orglq, WIDE,
                                 (void *[]){&least, &columns, &least, q, &least, tau, work, &some, &info});
    }
    bz_mem_free(copy);
    bz_mem_free(tau);
    bz_mem_free(work);
    return status;
}

/* c = a b for LAPACK's matrices. */
static int NAME(times)(int n, const T *a, const T *b, T *c) {
    T one = 1, zero = 0;
    return lapack_call(LAPACK_gemm, WIDE,
                       (void *[]){plain, plain, &n, &n, &n, &one, (void *)(uintptr_t)a, &n,
                                  (void *)(uintptr_t)b, &n, &zero, c, &n});
}

/* The quotient p(x) / p(-x) of degree 13, x with a norm below `least`, in r. work: six matrices. */
static int NAME(pade)(int n, const T *x, T *r, T *work, int *pivots) {
    static const double c[] = {64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800,
                               129060195264000,   10559470521600,    670442572800,     33522128640,
                               1323241920,        40840800,          960960,           16380,
                               182,               1};
    const size_t all = (size_t)n * (size_t)n;
    T *x2 = work, *x4 = x2 + all, *x6 = x4 + all, *odd = x6 + all, *even = odd + all, *t = even + all;
    int info = 0, status = NAME(times)(n, x, x, x2);
    if (!status) status = NAME(times)(n, x2, x2, x4);
    if (!status) status = NAME(times)(n, x4, x2, x6);
    for (size_t i = 0; i < all && !status; i++) {
        odd[i] = (T)c[13] * x6[i] + (T)c[11] * x4[i] + (T)c[9] * x2[i];
        even[i] = (T)c[12] * x6[i] + (T)c[10] * x4[i] + (T)c[8] * x2[i];
    }
    if (!status) status = NAME(times)(n, x6, odd, t);
    for (size_t i = 0; i < all && !status; i++)
        t[i] += (T)c[7] * x6[i] + (T)c[5] * x4[i] + (T)c[3] * x2[i] + (i % ((size_t)n + 1) ? 0 : (T)c[1]);
    if (!status) status = NAME(times)(n, x, t, odd);
    if (!status) status = NAME(times)(n, x6, even, t);
    for (size_t i = 0; i < all && !status; i++) {
        const T v = t[i] + (T)c[6] * x6[i] + (T)c[4] * x4[i] + (T)c[2] * x2[i] + (i % ((size_t)n + 1) ? 0 : (T)c[0]);
        even[i] = v - odd[i];
        r[i] = v + odd[i];
    }
    if (!status) status = lapack_call(LAPACK_gesv, WIDE, (void *[]){&n, &n, even, &n, pivots, r, &n, &info});
    return status;
}

/* e^(A^T) is LAPACK's reading of e^A: nothing is turned. x = a / 2^k is small, and e^a = (e^x)^(2^k). */
static int NAME(exp_one)(int n, const T *a, T *r, T *work, int *pivots) {
    const size_t all = (size_t)n * (size_t)n;
    const double least = WIDE ? 5.371920351148152 : 1;
    double norm = 0;
    int turns = 0, status;
    for (size_t j = 0; j < (size_t)n; j++) {
        double sum = 0;
        for (size_t i = 0; i < (size_t)n; i++) sum += fabs((double)a[j * (size_t)n + i]);
        norm = sum > norm || sum != sum ? sum : norm;
    }
    if (!isfinite(norm)) {
        for (size_t i = 0; i < all; i++) r[i] = (T)NAN;
        return 0;
    }
    if (norm > least) turns = (int)ceil(log2(norm / least));
    T *x = work, *t = work + 7 * all;
    for (size_t i = 0; i < all; i++) x[i] = (T)ldexp((double)a[i], -turns);
    status = NAME(pade)(n, x, r, work + all, pivots);
    for (; turns > 0 && !status; turns--) {
        status = NAME(times)(n, r, r, t);
        memcpy(r, t, all * sizeof *r);
    }
    return status;
}

static int NAME(exp)(void *user, const T *a, T *r, int64_t b, int64_t n) {
    int status = too_large(n, n);
    T *work = bz_mem_alloc((8 * (size_t)n * (size_t)n + 1) * sizeof *work);
    int *pivots = bz_mem_alloc(((size_t)n + 1) * sizeof *pivots);
    (void)user;
    if (!work || !pivots) status = BZ_ENOMEM;
    for (int64_t i = 0; i < b && !status && n; i++, a += n * n, r += n * n)
        status = NAME(exp_one)((int)n, a, r, work, pivots);
    bz_mem_free(work);
    bz_mem_free(pivots);
    return status;
}
