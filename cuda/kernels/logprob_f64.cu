// Token log-prob of f64 logits [N, V], forward and backward, for reference: the definition of core/src/record.rs in f64, value
// by value, with the bits of the CPU in both modes. Figures of a row, their statistics and gradients; nothing else of a row.
//
// 1. truing_double_blocks: a warp reduces 2048 columns to their record.
// 2. truing_double_rows: a warp merges the records of a row by the fixed tree; figures, or the constants of the gradient.
// 3. truing_double_grad: a warp writes the gradient of 2048 columns. Logits may be overwritten.
#include "logits.cuh"

#define TRUING_DOUBLES 2 // warps of a block of threads
struct truing_double_args {
    truing_view logits, grad, target, mask, bias, temperature, stats;
    truing_view grad_logprob, grad_lse, grad_entropy;
    truing_view out_logprob, out_lse, out_max, out_argmax, out_entropy, out_log_sum_sq, out_is_top1, out_stats, out_status;
    void *blocks;  // truing_double_part::words [rows, parts]
    void *columns; // truing_double_columns [rows]
    truing_i64 rows, ignore_index;
    double logit_scale, softcap, fixed_temperature, grad_scale;
    truing_u32 vocab, valid, parts, has_ignore;
};
struct alignas(16) truing_double_columns {
    double m, c0, c1, target_dz;
    truing_u32 fill; // every live column has the value m
    truing_u32 target; // TRUING_NONE: nowhere
    truing_u32 reserved[2];
};
#define TRUING_NONE 0xffffffffu
static_assert(sizeof(truing_double_columns) == 48, "size of cuda/src/logprob/double.rs");

// The transform of a row; a temperature outside its range counts as a NaN.
struct truing_wide_transform {
    truing_u32 kind;
    double inner, outer, slope;
};
TRUING_FN truing_wide_transform truing_wide_transform_of(const truing_double_args &a, truing_i64 row) {
    double temperature = a.fixed_temperature;
    if (a.temperature.data) {
        temperature = (double)*truing_row<const float>(a.temperature, row);
        if (!(temperature > 0.0 && temperature < TRUING_INF)) temperature = TRUING_NAN;
    }
    truing_wide_transform t;
    t.slope = a.logit_scale / temperature;
    t.inner = t.outer = t.slope;
    t.kind = t.slope == 1.0 ? TRUING_PLAIN : TRUING_SCALE;
    if (a.softcap != 0.0) {
        t.kind = TRUING_SOFTCAP;
        t.inner = a.logit_scale / a.softcap;
        t.outer = a.softcap / temperature;
    }
    return t;
}
TRUING_FN double truing_wide_bias(const truing_double_args &a, truing_i64 j) { return a.bias.data ? truing_double_at(a.bias, j) : 0.0; }
// A dead column (raw logit or bias -inf) is -inf whatever else it holds; a raw +inf stays.
TRUING_FN double truing_wide_apply(const truing_wide_transform &t, double z, bool biased, double b) {
    const double v = biased ? z + b : z;
    double x = t.kind == TRUING_PLAIN ? v : t.kind == TRUING_SCALE ? v * t.slope : truing_tanh(v * t.inner) * t.outer;
    if (truing_abs(z) == TRUING_INF) x = z;
    return biased && b == -TRUING_INF ? -TRUING_INF : x;
}
// dx/dz at v = z + bias of a live column.
TRUING_FN double truing_wide_slope(const truing_wide_transform &t, double v) {
    if (t.kind == TRUING_PLAIN) return 1.0;
    if (t.kind == TRUING_SCALE) return t.slope;
    const double e = truing_exp(truing_abs(v * t.inner) * -2.0), s = 1.0 + e;
    return t.slope * (4.0 * e / (s * s));
}
TRUING_FN double truing_wide_clamp(double d) { return d < -746.0 ? -746.0 : d; }

struct truing_wide_record {
    double m, r, u, q1, xy;
    truing_u32 k, flags;
};
TRUING_FN truing_wide_record truing_wide_empty() {
    truing_wide_record x;
    x.m = x.xy = -TRUING_INF;
    x.r = x.u = x.q1 = 0.0;
    x.k = x.flags = 0;
    return x;
}
TRUING_FN truing_wide_record truing_wide_poison(truing_u32 flags) {
    truing_wide_record x;
    x.m = TRUING_INF;
    x.r = x.u = x.q1 = x.xy = TRUING_NAN;
    x.k = 0;
    x.flags = flags;
    return x;
}
TRUING_FN bool truing_wide_poisoned(const truing_wide_record &x) { return !(x.m < TRUING_INF && x.r < TRUING_INF); }
struct truing_double_part {
    typedef truing_wide_record record;
    typedef truing_words<12> words;
    TRUING_FN record empty() { return truing_wide_empty(); }
    TRUING_FN double number(const words &w, int i) { return truing_from((truing_u64)w.x[i] | (truing_u64)w.x[i + 1] << 32); }
    TRUING_FN record load(const words &w) {
        record x = empty();
        x.m = number(w, 0);
        x.r = number(w, 2);
        x.u = number(w, 4);
        x.q1 = number(w, 6);
        x.k = w.x[8];
        x.flags = w.x[9];
        return x;
    }
    TRUING_FN words store(const record &x) {
        const truing_u64 n[4] = {truing_bits(x.m), truing_bits(x.r), truing_bits(x.u), truing_bits(x.q1)};
        words w;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            w.x[2 * i] = (truing_u32)n[i];
            w.x[2 * i + 1] = (truing_u32)(n[i] >> 32);
        }
        w.x[8] = x.k;
        w.x[9] = x.flags;
        w.x[10] = w.x[11] = 0;
        return w;
    }
    TRUING_FN record merge(const truing_double_args &, const record &a, const record &b) {
        const truing_u32 flags = a.flags | b.flags;
        if (truing_wide_poisoned(a) || truing_wide_poisoned(b)) return truing_wide_poison(flags);
        record w = b.m > a.m ? b : a;
        const record l = b.m > a.m ? a : b;
        if (l.m != -TRUING_INF) {
            const double d = truing_wide_clamp(l.m - w.m), c = truing_exp(d), all = 1.0 + l.r;
            w.r = w.r + c * all;
            w.u = w.u + c * (l.u + d * all);
            w.q1 = w.q1 + c * c * (1.0 + l.q1);
        }
        w.flags = flags;
        return w;
    }
};

// 1. Records of blocks.

TRUING_FN double truing_wide_combine(double x) {
#pragma unroll
    for (int w = 16; w > 0; w /= 2) x = x + __shfl_xor_sync(TRUING_FULL, x, w);
    return x;
}
// The record of n columns in shared memory; `k` counts from the first of them.
TRUING_FN truing_wide_record truing_wide_block(const double *x, truing_u32 n) {
    const truing_u32 lane = threadIdx.x & 31;
    double m = -TRUING_INF;
#pragma unroll 1
    for (truing_u32 j = lane; j < n; j += 32) m = x[j] > m ? x[j] : m;
#pragma unroll
    for (int w = 16; w > 0; w /= 2) {
        const double other = __shfl_xor_sync(TRUING_FULL, m, w);
        m = other > m ? other : m;
    }
    m = m + 0.0;
    const double centre = m == -TRUING_INF ? 0.0 : m;
    double r = 0.0, u = 0.0, q1 = 0.0;
    truing_u32 ties = 0, first = TRUING_BLOCK;
#pragma unroll 1
    for (truing_u32 j = lane; j < n; j += 32) {
        const double d = truing_wide_clamp(x[j] - centre), e = truing_exp(d);
        u = truing_fma(e, d, u);
        if (x[j] == m) {
            ties++;
            first = j < first ? j : first;
        } else {
            r = truing_fma(e, 1.0, r);
            q1 = truing_fma(e, e, q1);
        }
    }
    r = truing_wide_combine(r);
    u = truing_wide_combine(u);
    q1 = truing_wide_combine(q1);
    ties = __reduce_add_sync(TRUING_FULL, ties);
    first = __reduce_min_sync(TRUING_FULL, first);
    if (!(r <= TRUING_INF) || m == TRUING_INF) return truing_wide_poison(0);
    truing_wide_record out = truing_wide_empty();
    if (m == -TRUING_INF) return out;
    const double more = (double)ties - 1.0;
    out.m = m;
    out.r = r + more;
    out.u = u;
    out.q1 = q1 + more;
    out.k = first;
    return out;
}
extern "C" __global__ __launch_bounds__(32 * TRUING_DOUBLES) void truing_double_blocks(const __grid_constant__ truing_double_args a) {
    __shared__ __align__(16) double stages[TRUING_DOUBLES][TRUING_BLOCK];
    truing_wait();
    double *x = stages[threadIdx.x / 32];
    const truing_u32 lane = threadIdx.x & 31;
    const truing_i64 tasks = a.rows * a.parts, step = (truing_i64)gridDim.x * TRUING_DOUBLES;
    for (truing_i64 i = (truing_i64)blockIdx.x * TRUING_DOUBLES + threadIdx.x / 32; i < tasks; i += step) {
        const truing_i64 row = i / a.parts;
        truing_i64 y;
        if (truing_target(a, row, y) == TRUING_IGNORED) continue;
        const truing_u32 first = (truing_u32)(i % a.parts) * TRUING_BLOCK, n = a.valid - first < TRUING_BLOCK ? a.valid - first : TRUING_BLOCK;
        const truing_wide_transform t = truing_wide_transform_of(a, row);
        const double *z = truing_row<const double>(a.logits, row) + first;
        truing_u32 flags = 0;
#pragma unroll 1
        for (truing_u32 j = lane; j < n; j += 32) {
            const double b = truing_wide_bias(a, first + j);
            if (b != -TRUING_INF) flags |= (z[j] != z[j] ? TRUING_ROW_NAN_INPUT : 0) | (z[j] == TRUING_INF ? TRUING_ROW_INF_INPUT : 0);
            x[j] = truing_wide_apply(t, z[j], a.bias.data != 0, b);
        }
        __syncwarp();
        truing_wide_record record = truing_wide_block(x, n);
        flags = __reduce_or_sync(TRUING_FULL, flags);
        if (truing_wide_poisoned(record)) record.flags = flags;
        else if (record.m > -TRUING_INF) record.k += first;
        if (lane == 0) ((truing_double_part::words *)a.blocks)[i] = truing_double_part::store(record);
        __syncwarp(); // x has been read
    }
}

// 2. Rows.

TRUING_FN double truing_wide_up(const truing_double_args &a, const truing_view &v, truing_i64 row) {
    return v.data ? *truing_row<const double>(v, row) * a.grad_scale : 0.0;
}
TRUING_FN void truing_wide_figures(const truing_double_args &a, truing_i64 row, int kind, truing_i64 target, const truing_wide_record &x) {
    double logprob = TRUING_NAN, lse = TRUING_NAN, max = TRUING_NAN, entropy = TRUING_NAN, log_sum_sq = TRUING_NAN;
    int argmax = -1;
    unsigned char top = 0;
    if (kind == TRUING_IGNORED) {
        logprob = lse = max = entropy = log_sum_sq = 0.0;
    } else if (!truing_wide_poisoned(x) && x.m == -TRUING_INF) {
        lse = max = x.m;
    } else if (!truing_wide_poisoned(x)) {
        const double l = truing_log1p(x.r);
        logprob = (x.xy - x.m) - l;
        lse = x.m + l;
        max = x.m;
        entropy = l - x.u / (1.0 + x.r);
        log_sum_sq = truing_log1p(x.q1) - 2.0 * l;
        argmax = (int)x.k;
        top = kind == TRUING_COLUMN && target == (truing_i64)x.k;
    }
    truing_put(a.out_logprob, row, logprob);
    truing_put(a.out_lse, row, lse);
    truing_put(a.out_max, row, max);
    truing_put(a.out_argmax, row, argmax);
    truing_put(a.out_entropy, row, entropy);
    truing_put(a.out_log_sum_sq, row, log_sum_sq);
    truing_put(a.out_is_top1, row, top);
    truing_put(a.out_status, row, x.flags);
    if (a.out_stats.data) {
        double *s = truing_row<double>(a.out_stats, row);
        const double all[TRUING_STATS] = {x.m, x.r, x.u, x.q1, x.xy, truing_from((truing_u64)x.k), 0.0, truing_from((truing_u64)x.flags), 0.0, 0.0, 0.0, 0.0};
#pragma unroll
        for (int i = 0; i < TRUING_STATS; i++) s[i] = all[i];
    }
}
// As truing_constants of logprob.cu.
TRUING_FN truing_double_columns truing_wide_constants(const truing_double_args &a, const truing_wide_transform &t, truing_i64 row, int kind, truing_i64 target,
                                                      const truing_wide_record &x) {
    truing_double_columns c;
    c.fill = 1;
    c.m = c.c0 = c.c1 = c.target_dz = 0.0;
    c.target = TRUING_NONE;
    c.reserved[0] = c.reserved[1] = 0;
    if (kind != TRUING_IGNORED && truing_wide_poisoned(x)) {
        c.m = TRUING_NAN;
    } else if (kind != TRUING_IGNORED && !(x.flags & (TRUING_ROW_TARGET_NEG_INF | TRUING_ROW_ALL_NEG_INF))) {
        const double lp = truing_wide_up(a, a.grad_logprob, row), lse = truing_wide_up(a, a.grad_lse, row), h = truing_wide_up(a, a.grad_entropy, row);
        const double sum = 1.0 + x.r, mean = x.u / sum;
        c.fill = 0;
        c.m = x.m;
        c.c0 = (lse - lp + h * mean) / sum;
        c.c1 = -h / sum;
        if (kind == TRUING_COLUMN && target < (truing_i64)a.valid) {
            const double d = x.xy - x.m, logprob = d - truing_log1p(x.r), p = truing_exp(logprob);
            const double rest = d == 0.0 ? x.r / sum : -truing_expm1(logprob), spread = p == 0.0 ? 0.0 : h * p * (d - mean);
            const double others = lp == lp ? 0.0 : TRUING_NAN, dx = lp * rest + (lse - others) * p - spread;
            const double v = truing_row<const double>(a.logits, row)[target] + truing_wide_bias(a, target);
            c.target = (truing_u32)target;
            c.target_dz = dx * truing_wide_slope(t, v);
        }
    }
    return c;
}
extern "C" __global__ __launch_bounds__(128) void truing_double_rows(const __grid_constant__ truing_double_args a) {
    truing_wait();
    const truing_i64 row = ((truing_i64)blockIdx.x * blockDim.x + threadIdx.x) / 32;
    const truing_u32 lane = threadIdx.x & 31;
    if (row >= a.rows) return;
    truing_i64 target = 0;
    const int kind = truing_target(a, row, target);
    truing_wide_record x = truing_wide_empty();
    if (a.stats.data && kind != TRUING_IGNORED) {
        const double *s = truing_row<const double>(a.stats, row);
        x.m = s[0];
        x.r = s[1];
        x.u = s[2];
        x.q1 = s[3];
        x.k = (truing_u32)truing_bits(s[5]);
        x.flags = (truing_u32)truing_bits(s[7]) & ~TRUING_ROW_TARGET_NEG_INF;
    } else if (!a.stats.data) {
        const bool active = kind != TRUING_IGNORED;
        x = truing_tree<truing_double_part>(a, (truing_double_part::words *)a.blocks + (active ? row * a.parts : 0), a.parts, 32, active, lane);
    }
    if (lane != 0) return;
    const truing_wide_transform t = truing_wide_transform_of(a, row);
    if (kind == TRUING_IGNORED) {
        x = truing_wide_empty();
        x.flags = TRUING_ROW_IGNORED;
    } else if (kind == TRUING_COLUMN && (target < 0 || target >= (truing_i64)a.vocab)) {
        // the host could not look: the row says so itself, and nothing is read there
        x = truing_wide_poison((truing_wide_poisoned(x) ? x.flags : 0) | TRUING_ROW_OUT_OF_RANGE);
    } else if (truing_wide_poisoned(x)) {
        // finite logits that the transform takes beyond the type
        x = truing_wide_poison(x.flags == 0 ? TRUING_ROW_OVERFLOW : x.flags);
    } else {
        x.xy = -TRUING_INF;
        if (kind == TRUING_COLUMN && target < (truing_i64)a.valid)
            x.xy = truing_wide_apply(t, truing_row<const double>(a.logits, row)[target], a.bias.data != 0, truing_wide_bias(a, target)) + 0.0;
        if (x.m == -TRUING_INF) x.flags |= TRUING_ROW_ALL_NEG_INF;
        else if (kind == TRUING_COLUMN && x.xy == -TRUING_INF) x.flags |= TRUING_ROW_TARGET_NEG_INF;
        else if (x.xy > -TRUING_INF && x.xy - x.m == -TRUING_INF) x.flags |= TRUING_ROW_OVERFLOW;
    }
    truing_wide_figures(a, row, kind, target, x);
    if (a.columns) ((truing_double_columns *)a.columns)[row] = truing_wide_constants(a, t, row, kind, target, x);
}

// 3. Gradients.

extern "C" __global__ __launch_bounds__(32 * TRUING_DOUBLES) void truing_double_grad(const __grid_constant__ truing_double_args a) {
    truing_wait();
    const truing_u32 lane = threadIdx.x & 31, parts = (a.vocab + TRUING_BLOCK - 1) / TRUING_BLOCK;
    const truing_i64 tasks = a.rows * parts, step = (truing_i64)gridDim.x * TRUING_DOUBLES;
    for (truing_i64 i = (truing_i64)blockIdx.x * TRUING_DOUBLES + threadIdx.x / 32; i < tasks; i += step) {
        const truing_i64 row = i / parts;
        const truing_u32 first = (truing_u32)(i % parts) * TRUING_BLOCK, end = a.vocab - first < TRUING_BLOCK ? a.vocab : first + TRUING_BLOCK;
        const truing_double_columns c = ((const truing_double_columns *)a.columns)[row];
        const truing_wide_transform t = truing_wide_transform_of(a, row);
        const bool biased = a.bias.data != 0, plain = t.kind == TRUING_PLAIN && !biased;
        const double *z = truing_row<const double>(a.logits, row);
        double *g = truing_row<double>(a.grad, row);
#pragma unroll 1
        for (truing_u32 j = first + lane; j < end; j += 32) {
            double y = 0.0;
            if (j < a.valid && c.fill) {
                y = c.m;
            } else if (j < a.valid && j == c.target) {
                y = c.target_dz;
            } else if (j < a.valid) {
                const double b = truing_wide_bias(a, j), x = truing_wide_apply(t, z[j], biased, b), d = truing_wide_clamp(x - c.m);
                y = truing_exp(d) * truing_fma(c.c1, d, c.c0);
                if (!plain) y = x == -TRUING_INF ? 0.0 : y * truing_wide_slope(t, z[j] + b);
            }
            g[j] = y;
        }
    }
}
