/* emit_load.c - the emitter's way to memory: loads, stores, gathers by index.
 *
 *     offset along the vector symbol      0           a scalar
 *                                         1           a vector
 *                                         -4 .. 4     the vectors that lie between, and a shuffle
 *                                         a pattern   a vector, and a shuffle (emit_pattern.c)
 *                                         else        a gather */
#include "src/passes/emit_parts.h"

/* Mask under which the lanes of bundle u may touch memory; 0 = all. */
lp_val emit_mask(emitter *m, unsigned u) {
    lp_val guard = m->guard[m->guard_uniform ? 0 : u];
    if (guard && m->guard_uniform) guard = lp_splat(m->b, guard, m->lanes);
    const lp_val tail = emit_tail(m, u);
    if (!guard || !tail) return guard ? guard : tail;
    return lp_base(m->b, IR_AND, BZ_BOOL, (lp_val[]){guard, tail}, 2);
}

/* The same for a scalar load: does any lane want it? The tail always has one; which of a guard's lanes are in it matters. */
lp_val emit_scalar_mask(emitter *m) {
    if (!m->guard[0] || m->guard_uniform) return m->guard[0];
    lp_val any = 0;
    for (unsigned u = 0; u < m->width; u++) {
        lp_val one = lp_any(m->b, emit_mask(m, u));
        any = any ? lp_base(m->b, IR_OR, BZ_BOOL, (lp_val[]){any, one}, 2) : one;
    }
    return any;
}

/* Asks for the lines of memory that the vectors at `base` need when the loop over `ahead_sym` has come so far. */
static void ask_ahead(emitter *m, lp_val p, ir_ex offset, lp_val base) {
    const size_t line = (size_t)m->t->machine->line;
    size_t bytes = ir_dtype_bytes((bz_dtype)lp_at(m->b, p)->dtype) * m->lanes;
    int64_t coef;
    ir_ex rest;
    if (p != m->ahead || !m->ahead_sym || m->tail || bytes * m->width < line / 2 ||
        !ir_ex_linear(m->x, offset, m->ahead_sym, &coef, &rest) || coef == 0)
        return;
    for (unsigned u = 0; u < m->width; u++)
        if (u * bytes % line == 0)
            lp_prefetch(m->b, p,
                        lp_iadd(m->b, base, lp_index(m->b, u * m->lanes + coef * m->ahead_by)),
                        false);
}

/* A gather can't be foreseen by the processor. */
bool emit_gathers(const emitter *m, int64_t step) {
    const int64_t most = m->t->machine->stride;
    return step < -most || step > most;
}

/* p[first + step * lane] for every lane, from vectors that touch nothing before the first or behind the last of them. */
static lp_val strided(emitter *m, lp_val p, lp_val first, int64_t step) {
    int64_t far = step < 0 ? -step : step, lanes = m->lanes, span = far * (lanes - 1) + 1;
    lp_val low = step < 0 ? lp_iadd(m->b, first, lp_index(m->b, 1 - span)) : first, all = 0;
    uint32_t pick[LP_MAX_LANES];
    for (int64_t have = 0; have < span; have += lanes) {
        int64_t at = have + lanes <= span ? have : span - lanes;
        lp_val x = lp_load(m->b, p, lp_iadd(m->b, low, lp_index(m->b, at)), m->lanes, 0, 0);
        for (int64_t i = 0; i < lanes; i++) {
            int64_t want = far * (step < 0 ? lanes - 1 - i : i), kept = have ? i : 0;
            bool here = want >= have && want < at + lanes;
            pick[i] = (uint32_t)(here ? lanes + want - at : kept);
        }
        all = lp_shuffle(m->b, have ? all : x, x, pick, m->lanes);
    }
    return all;
}

/* ---- where the pointers lead */

void emit_may_move(emitter *m, lp_val p, int64_t count) {
    if (!bz_vec_push(&m->origins, ((emit_origin){.p = p, .count = count}))) emit_fail(m);
}

static emit_origin *origin_of(const emitter *m, lp_val p) {
    for (uint32_t i = 0; i < m->origins.n; i++)
        if (m->origins.p[i].p == p) return &m->origins.p[i];
    return NULL;
}

int64_t emit_moved(const emitter *m, lp_val p) {
    const emit_origin *o = origin_of(m, p);
    return o ? o->at : 0;
}

/* A guarded offset may begin before the buffer or behind it: the pointer never does. */
ir_ex emit_from(emitter *m, lp_val p, ir_ex offset) {
    emit_origin *o = origin_of(m, p);
    if (!o || m->x->failed) return offset;
    if (!o->known) {
        int64_t first = ir_ex_constant(m->x, offset);
        o->at = first > 0 && first < o->count ? first : 0;
        o->known = true;
    }
    return o->at ? ir_ex_addc(m->x, offset, -o->at) : offset;
}

void emit_asked(emitter *m, lp_val p) {
    emit_origin *o = origin_of(m, p);
    if (o) o->asked = true;
}

unsigned emit_alignment(const emitter *m, lp_val p, ir_ex offset) {
    const emit_origin *o = origin_of(m, p);
    const bool begins = !o || o->asked || o->at % (int64_t)m->lanes == 0;
    int64_t rest;
    const bool whole = emit_residue(m, offset, m->lanes, &rest) && rest == 0;
    return m->aligned && begins && whole ? LP_ALIGNED : 0;
}

/* ---- loads */

/* The offset of the first lane of vector u. */
static lp_val index_of_vector(emitter *m, ir_ex offset, unsigned u) {
    const lp_val base = emit_index(m, m->vec);
    emit_sym(m, m->vec, lp_iadd(m->b, base, lp_index(m->b, u * m->lanes)));
    const lp_val at = emit_index(m, offset);
    emit_sym(m, m->vec, base);
    return at;
}

emit_value emit_load(emitter *m, lp_val p, ir_ex offset) {
    int64_t coef;
    ir_ex rest;
    emit_value r = {0};
    for (unsigned i = 0; i < m->nstaged; i++)
        if (m->staged[i].p == p && m->staged[i].offset == offset)
            return emit_load(m, m->staged[i].local, m->staged[i].at);
    offset = emit_from(m, p, offset);
    if (!m->vec || !ir_ex_uses(m->x, offset, m->vec))
        return emit_uniform(lp_load(m->b, p, emit_index(m, offset), 1, emit_scalar_mask(m), 0));
    bool linear = ir_ex_linear(m->x, offset, m->vec, &coef, &rest);
    if (linear && coef == 1) {
        lp_val base = emit_index(m, offset);
        unsigned flags = p == m->ahead && !m->ahead_sym ? LP_STREAM : 0;
        flags |= emit_alignment(m, p, offset);
        for (unsigned u = 0; u < m->width; u++)
            r.v[u] = lp_load(m->b, p, lp_iadd(m->b, base, lp_index(m->b, u * m->lanes)), m->lanes,
                             emit_mask(m, u), flags);
        ask_ahead(m, p, offset, base);
        return r;
    }
    bool near = linear && !emit_gathers(m, coef) && m->lanes > 1;
    lane_pattern lanes;
    const bool patterned = !linear && emit_pattern(m, offset, &lanes);
    for (unsigned u = 0; u < m->width; u++) {
        lp_val mask = emit_mask(m, u);
        if (patterned && (!mask || lanes.times <= MASKED_TIMES)) {
            r.v[u] = emit_patterned(m, p, index_of_vector(m, offset, u), &lanes, mask);
            continue;
        }
        if (near && !mask) {
            lp_val moved = lp_index(m->b, coef * (int64_t)(u * m->lanes));
            r.v[u] = strided(m, p, lp_iadd(m->b, emit_index(m, offset), moved), coef);
            continue;
        }
        lp_val at = emit_index_lanes(m, offset, u);
        r.v[u] = m->lanes == 1 ? lp_load(m->b, p, at, 1, mask, 0) : lp_gather(m->b, p, at, mask);
    }
    return r;
}

void emit_store(emitter *m, lp_val p, ir_ex offset, const emit_value *v, unsigned flags) {
    int64_t coef;
    ir_ex rest;
    offset = emit_from(m, p, offset);
    if (!m->vec || !ir_ex_uses(m->x, offset, m->vec)) {
        lp_store(m->b, p, emit_index(m, offset), v->v[0], 0, 0);
        return;
    }
    const bool linear = ir_ex_linear(m->x, offset, m->vec, &coef, &rest);
    lane_pattern lanes;
    const bool dense = linear && coef == 1;
    const bool by_vectors = !linear && emit_pattern(m, offset, &lanes) && lanes.side_by_side;
    lp_val base = emit_index(m, offset);
    flags |= emit_alignment(m, p, offset);
    for (unsigned u = 0; u < m->width; u++) {
        const lp_val x = emit_lane_value(m, v, u), tail = emit_tail(m, u);
        if (dense)
            lp_store(m->b, p, lp_iadd(m->b, base, lp_index(m->b, u * m->lanes)), x, tail,
                     tail ? 0 : flags);
        else if (by_vectors)
            lp_store(m->b, p, index_of_vector(m, offset, u), x, tail, 0);
        else if (m->lanes == 1)
            lp_store(m->b, p, base, x, tail, 0);
        else
            lp_scatter(m->b, p, emit_index_lanes(m, offset, u), x, tail);
    }
}

/* Element offset of x[..., i, ...]: the affine part, plus i * stride. */
emit_value emit_gather(emitter *m, ir_ref r, const ir_ex *idx) {
    const ir_node n = *ir_at(m->g, r);
    const unsigned axis = (unsigned)ir_attrs(m->g, &n)[0];
    ir_ref x = ir_in(m->g, &n)[0];
    int64_t shape[IR_MAX_RANK], stride = 1;
    access_step s;
    access_shape(m->g, x, shape);
    for (unsigned d = axis + 1; d < ir_at(m->g, x)->rank; d++) stride *= shape[d];
    access_take(m->g, m->x, r, idx, 1, &s);
    emit_value i = emit_node(m, s.x, s.at), out = {0};
    ir_ex offset = access_picked_offset(m->g, m->x, r, idx);
    lp_val p = m->bind[x].p;
    offset = emit_from(m, p, offset);
    lp_val zero = lp_index(m->b, 0), size = emit_size(m, shape[axis]);
    out.uniform = i.uniform && (!m->vec || !ir_ex_uses(m->x, offset, m->vec));
    int64_t coef;
    ir_ex rest;
    bool row =
        i.uniform && !out.uniform && ir_ex_linear(m->x, offset, m->vec, &coef, &rest) && coef == 1;
    for (unsigned u = 0; u < (out.uniform ? 1 : m->width); u++) {
        lp_val v = i.uniform ? i.v[0] : i.v[u];
        lp_val low = lp_base(m->b, IR_LT, BZ_BOOL, (lp_val[]){v, zero}, 2);
        lp_val wrapped =
            lp_base(m->b, IR_SELECT, BZ_I64, (lp_val[]){low, lp_iadd(m->b, v, size), v}, 3);
        lp_val neg = lp_base(m->b, IR_LT, BZ_BOOL, (lp_val[]){wrapped, zero}, 2);
        lp_val big = lp_base(m->b, IR_LE, BZ_BOOL, (lp_val[]){size, wrapped}, 2);
        lp_val bad = lp_base(m->b, IR_OR, BZ_BOOL, (lp_val[]){neg, big}, 2), mask = emit_mask(m, u),
               bad_here = bad;
        if (i.uniform)
            bad_here = emit_scalar_mask(m)
                           ? lp_base(m->b, IR_AND, BZ_BOOL, (lp_val[]){bad, emit_scalar_mask(m)}, 2)
                           : bad;
        else if (mask)
            bad_here = lp_base(m->b, IR_AND, BZ_BOOL, (lp_val[]){bad, mask}, 2);
        lp_error_if(m->b, i.uniform ? bad_here : lp_any(m->b, bad_here), BZ_EINDEX,
                    emit_site(m, r));
        lp_val safe = lp_base(m->b, IR_SELECT, BZ_I64, (lp_val[]){bad, zero, wrapped}, 3);
        lp_val moved = lp_imul(m->b, safe, lp_index(m->b, stride));
        if (out.uniform) {
            out.v[u] = lp_load(m->b, p, lp_iadd(m->b, emit_index(m, offset), moved), 1,
                               emit_scalar_mask(m), 0);
        } else if (row || m->lanes == 1) {
            lp_val start = lp_iadd(m->b, lp_iadd(m->b, emit_index(m, offset), moved),
                                   lp_index(m->b, u * m->lanes));
            out.v[u] = lp_load(m->b, p, start, m->lanes, mask,
                               stride % (int64_t)m->lanes ? 0 : emit_alignment(m, p, offset));
        } else {
            lp_val lanes = lp_iadd(m->b, emit_index_lanes(m, offset, u), moved);
            out.v[u] = lp_gather(m->b, p, lanes, mask);
        }
    }
    return out;
}
