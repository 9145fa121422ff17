// Token log-prob of logits [N, V], forward and backward, with the bits of the CPU (the mode `portable`; TRUING_FAST takes
// another exponential).
//
// 1. truing_logprob_blocks: a warp reduces blocks of 2048 columns to their records. A block comes in one read, 16 bytes
//    at a time, while other warps add theirs up; none waits for another, so one row of a large vocabulary fills the
//    device as a million short rows do.
// 2. truing_logprob_rows: a few lanes merge the records of a row by the fixed tree; one of them forms the figures, or the
//    constants of the gradient, in f64.
// 3. truing_logprob_grad: a warp writes the gradient of as many blocks. Logits may be overwritten.
//
// A backward from saved statistics runs 2 and 3.
//
// 4. truing_logprob_whole: all of it in one launch, for rows whose logits are what counts (no transform, no bias). A cluster
//    of blocks of threads keeps rows in shared memory, from the one read until the gradient is written: while one comes in,
//    the records of the one before are made, a warp of their own merges them, and the one before that gets its gradient.
//
// Nothing here depends on the number of warps or on the grid.
#include "logits.cuh"

struct truing_logprob_args {
    truing_view logits, grad, target, mask, bias, temperature, stats;
    truing_view grad_logprob, grad_lse, grad_entropy;
    truing_view out_logprob, out_lse, out_max, out_argmax, out_entropy, out_log_sum_sq, out_is_top1, out_stats, out_status;
    void *blocks;  // truing_part::words [rows, parts]
    void *columns; // truing_columns [rows]
    truing_i64 rows, ignore_index;
    double logit_scale, softcap, grad_scale;
    truing_transform transform; // with the fixed temperature
    truing_u32 vocab, valid; // columns; those that can be live, at least 1
    truing_u32 chunk;        // neighbouring blocks of a row that a warp takes, one after the other
    truing_u32 parts;        // blocks of a row: valid / 2048, rounded up
    truing_u32 lanes;        // that merge a row: a power of two, at least 2 if parts > 1, at most 32
    truing_u32 has_ignore;
    truing_u32 all; // u and q1 are needed
    // of 4: blocks of a row that a block of threads holds, a warp each, and one warp more; blocks of threads of a cluster; rows
    // that a cluster takes, at most 32; rows that are on chip at once
    truing_u32 share, cluster, run, buffers;
};
struct alignas(16) truing_columns {
    truing_u32 fill; // every live column has the value m
    float m, c0, c1;
    truing_u32 target; // TRUING_NONE: nowhere
    float target_dz;
    truing_u32 reserved[2];
};
#define TRUING_NONE 0xffffffffu
// 1. Records of blocks.

#define TRUING_WARPS 4
// Neighbouring blocks of a row: what a warp works on between two looks at the row's own arrays.
struct truing_task {
    truing_i64 row;
    truing_u32 from, to;
};
TRUING_FN truing_task truing_task_of(const truing_logprob_args &a, truing_i64 i, truing_u32 parts, truing_u32 chunks) {
    truing_task t;
    t.row = i / chunks;
    t.from = (truing_u32)(i % chunks) * a.chunk;
    t.to = parts - t.from < a.chunk ? parts : t.from + a.chunk;
    return t;
}
// The record of block `part` of a row that counts, by a warp.
template <class T, bool TRANSFORM>
TRUING_FN void truing_block_to_part(const truing_logprob_args &a, const truing_transform &t, truing_i64 i, const T *row, truing_u32 part,
                                    unsigned char *stage) {
    const truing_u32 lane = threadIdx.x & 31, first = part * TRUING_BLOCK;
    const truing_u32 n = a.valid - first < TRUING_BLOCK ? a.valid - first : TRUING_BLOCK;
    const T *from = row + first;
    T *place = (T *)truing_stage<T, TRANSFORM>::place(stage, from);
    truing_fetch(row, a.vocab, from, n, (unsigned char *)place);
    truing_copies_done();
    __syncwarp();
    truing_record x;
    if (!TRANSFORM || (t.kind == TRUING_PLAIN && !a.bias.data)) {
        x = truing_block(place, n, a.all != 0);
    } else {
        float *wide = (float *)(sizeof(T) == 2 ? stage : (unsigned char *)place);
#pragma unroll 1
        for (truing_u32 at = lane; at < n + lane; at += 32 * TRUING_SIDE) {
            float y[TRUING_SIDE];
#pragma unroll
            for (int k = 0; k < TRUING_SIDE; k++) {
                const truing_u32 j = at + 32 * k;
                y[k] = j < n ? truing_apply(t, truing_widen(place[j]), a.bias.data != 0, truing_bias(a, first + j)) : 0.0f;
            }
            if (sizeof(T) == 2) __syncwarp(); // all have read before any writes
#pragma unroll
            for (int k = 0; k < TRUING_SIDE; k++)
                if (at + 32 * k < n) wide[at + 32 * k] = y[k];
        }
        __syncwarp();
        x = truing_block(wide, n, a.all != 0);
    }
    if (truing_poisoned(x)) x.flags = truing_causes(a, from, first, n);
    if (lane == 0) {
        x.k = truing_poisoned(x) || x.m == -TRUING_INFF ? 0 : x.k + first;
        ((truing_part::words *)a.blocks)[i * a.parts + part] = truing_part::store(x);
    }
    __syncwarp(); // the stage has been read (shuffles order no memory)
}
template <class T, bool TRANSFORM> TRUING_FN void truing_blocks(const truing_logprob_args &a) {
    __shared__ __align__(16) unsigned char stages[TRUING_WARPS][truing_stage<T, TRANSFORM>::BYTES];
    const truing_u32 chunks = (a.parts + a.chunk - 1) / a.chunk;
    truing_wait();
    const truing_i64 tasks = a.rows * chunks, step = (truing_i64)gridDim.x * TRUING_WARPS;
    for (truing_i64 i = (truing_i64)blockIdx.x * TRUING_WARPS + threadIdx.x / 32; i < tasks; i += step) {
        const truing_task task = truing_task_of(a, i, a.parts, chunks);
        truing_i64 y;
        if (truing_target(a, task.row, y) == TRUING_IGNORED) continue;
        const truing_transform t = truing_transform_of(a, task.row);
        const T *row = truing_row<const T>(a.logits, task.row);
#pragma unroll 1
        for (truing_u32 part = task.from; part < task.to; part++)
            truing_block_to_part<T, TRANSFORM>(a, t, task.row, row, part, stages[threadIdx.x / 32]);
    }
}
#define TRUING_BLOCKS(name, T, TRANSFORM, RESIDENT)                                                                             \
    extern "C" __global__ __launch_bounds__(32 * TRUING_WARPS, RESIDENT) void truing_logprob_##name(const __grid_constant__ truing_logprob_args a) { \
        truing_blocks<T, TRANSFORM>(a);                                                                                        \
    }
#if __CUDA_ARCH__ == 900
#define TRUING_NARROW 8
#else
#define TRUING_NARROW 7 // in the registers of eight they spill
#endif
TRUING_BLOCKS(blocks_f32, float, false, 6)
TRUING_BLOCKS(blocks_bf16, truing_bf16, false, TRUING_NARROW)
TRUING_BLOCKS(blocks_f16, truing_f16, false, TRUING_NARROW)
TRUING_BLOCKS(transformed_f32, float, true, 6)
TRUING_BLOCKS(transformed_bf16, truing_bf16, true, 6)
TRUING_BLOCKS(transformed_f16, truing_f16, true, 6)

// 2. Rows.

TRUING_FN truing_record truing_row_record(const truing_logprob_args &a, truing_i64 row, bool active, truing_u32 lane) {
    truing_part::words *parts = (truing_part::words *)a.blocks + (active ? row * a.parts : 0);
    return truing_tree<truing_part>(a, parts, a.parts, a.lanes, active, lane);
}
TRUING_FN double truing_upstream(const truing_logprob_args &a, const truing_view &v, truing_i64 row) {
    return v.data ? (double)*truing_row<const float>(v, row) * a.grad_scale : 0.0;
}
TRUING_FN void truing_figures(const truing_logprob_args &a, truing_i64 row, int kind, truing_i64 target, const truing_record &x) {
    float logprob = TRUING_NANF, lse = TRUING_NANF, max = TRUING_NANF, entropy = TRUING_NANF, log_sum_sq = TRUING_NANF;
    int argmax = -1;
    unsigned char top = 0;
    if (kind == TRUING_IGNORED) {
        logprob = lse = max = entropy = log_sum_sq = 0.0f;
    } else if (!truing_poisoned(x) && x.m == -TRUING_INFF) {
        lse = max = x.m;
    } else if (!truing_poisoned(x)) {
        const double m = x.m, r = x.r;
        if (a.out_logprob.data || a.out_lse.data || a.out_entropy.data || a.out_log_sum_sq.data) {
            const double l = truing_log1p(r);
            logprob = (float)(((double)x.xy - m) - l);
            lse = (float)(m + l);
            if (a.out_entropy.data) entropy = (float)(l - (double)x.u / (1.0 + r));
            if (a.out_log_sum_sq.data) log_sum_sq = (float)(truing_log1p((double)x.q1) - 2.0 * l);
        }
        max = x.m;
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
        float *s = truing_row<float>(a.out_stats, row);
        const float all[TRUING_STATS] = {x.m, x.r, x.u, x.q1, x.xy, truing_from(x.k), 0.0f, truing_from(x.flags), 0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll
        for (int i = 0; i < TRUING_STATS; i++) s[i] = all[i];
    }
}
// The constants of dx_j = e^a_j (c0 + c1 a_j), gathered in f64, and the gradient at the target, where 1 - p must not
// cancel.
TRUING_FN truing_columns truing_constants(const truing_logprob_args &a, truing_i64 row, int kind, truing_i64 target, float z,
                                          const truing_record &x) {
    truing_columns c;
    c.fill = 1;
    c.m = c.c0 = c.c1 = c.target_dz = 0.0f;
    c.target = TRUING_NONE;
    c.reserved[0] = c.reserved[1] = 0;
    const bool dead = x.flags & (TRUING_ROW_TARGET_NEG_INF | TRUING_ROW_ALL_NEG_INF);
    if (kind != TRUING_IGNORED && truing_poisoned(x)) {
        c.m = TRUING_NANF;
    } else if (kind != TRUING_IGNORED && !dead) {
        const double lp = truing_upstream(a, a.grad_logprob, row), lse = truing_upstream(a, a.grad_lse, row);
        const double h = truing_upstream(a, a.grad_entropy, row);
        const double m = x.m, r = x.r, sum = 1.0 + r, mean = (double)x.u / sum;
        c.fill = 0;
        c.m = x.m;
        double c0 = (lse - lp + h * mean) / sum;
        const double top = TRUING_F32_MAX;
        // a factor beyond the type would turn a column of probability 0 into inf * 0
        if (truing_abs(c0) < TRUING_INF) c0 = c0 < -top ? -top : c0 > top ? top : c0;
        c.c0 = (float)c0;
        c.c1 = (float)(-h / sum);
        if (kind == TRUING_COLUMN && target < (truing_i64)a.valid) {
            const truing_transform t = truing_transform_of(a, row);
            const double d = (double)x.xy - m, logprob = d - truing_log1p(r), p = truing_exp(logprob);
            const double rest = d == 0.0 ? r / sum : -truing_expm1(logprob);
            const double spread = p == 0.0 ? 0.0 : h * p * (d - mean);
            const double others = lp == lp ? 0.0 : TRUING_NAN;
            const double dx = lp * rest + (lse - others) * p - spread;
            const float v = z + truing_bias(a, (truing_u32)target);
            c.target = (truing_u32)target;
            c.target_dz = (float)(dx * truing_slope(t, (double)v));
        }
    }
    return c;
}
// The target's raw logit; 0 where there is none.
TRUING_FN float truing_target_logit(const truing_logprob_args &a, truing_i64 row, int kind, truing_i64 target) {
    return kind == TRUING_COLUMN && target >= 0 && target < (truing_i64)a.valid ? truing_float_at(a.logits, row, target) : 0.0f;
}
// The record of a row with what depends on the target, whose raw logit is z, from the record of all its blocks.
TRUING_FN truing_record truing_complete(const truing_logprob_args &a, truing_i64 row, int kind, truing_i64 target, float z, truing_record x) {
    if (kind == TRUING_IGNORED) {
        x = truing_empty();
        x.flags = TRUING_ROW_IGNORED;
    } else {
        const bool outside = kind == TRUING_COLUMN && (target < 0 || target >= (truing_i64)a.vocab);
        if (outside) {
            // the host could not look: the row says so itself, and nothing is read there
            x = truing_poison((truing_poisoned(x) ? x.flags : 0) | TRUING_ROW_OUT_OF_RANGE);
        } else if (truing_poisoned(x)) {
            // finite logits that the transform takes beyond the type
            x = truing_poison(x.flags == 0 ? TRUING_ROW_OVERFLOW : x.flags);
        } else {
            x.xy = -TRUING_INFF;
            if (kind == TRUING_COLUMN && target < (truing_i64)a.valid) {
                x.xy = truing_apply(truing_transform_of(a, row), z, a.bias.data != 0, truing_bias(a, (truing_u32)target)) + 0.0f;
            }
            if (x.m == -TRUING_INFF) x.flags |= TRUING_ROW_ALL_NEG_INF;
            else if (kind == TRUING_COLUMN && x.xy == -TRUING_INFF) x.flags |= TRUING_ROW_TARGET_NEG_INF;
            else if (x.xy > -TRUING_INFF && x.xy - x.m == -TRUING_INFF) x.flags |= TRUING_ROW_OVERFLOW;
        }
    }
    return x;
}
extern "C" __global__ __launch_bounds__(128) void truing_logprob_rows(const __grid_constant__ truing_logprob_args a) {
    truing_wait();
    const truing_i64 thread = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    const truing_i64 row = thread / a.lanes;
    const truing_u32 lane = (truing_u32)(thread % a.lanes);
    truing_i64 target = 0;
    const int kind = row < a.rows ? truing_target(a, row, target) : TRUING_IGNORED;
    truing_record x = truing_empty();
    if (!a.stats.data) x = truing_row_record(a, row, kind != TRUING_IGNORED, lane);
    if (lane != 0 || row >= a.rows) return;
    if (a.stats.data && kind != TRUING_IGNORED) {
        const float *s = truing_row<const float>(a.stats, row);
        x.m = s[0];
        x.r = s[1];
        x.u = s[2];
        x.q1 = s[3];
        x.k = truing_bits(s[5]);
        x.flags = truing_bits(s[7]) & ~TRUING_ROW_TARGET_NEG_INF;
    }
    const float z = truing_target_logit(a, row, kind, target);
    x = truing_complete(a, row, kind, target, z, x);
    truing_figures(a, row, kind, target, x);
    if (a.columns) ((truing_columns *)a.columns)[row] = truing_constants(a, row, kind, target, z, x);
}

// 3. Gradients.

TRUING_FN float truing_at(const truing_columns &c, float x, truing_u32 entry) {
    float d = x - c.m, w, p;
    truing_exp_factors(d, entry, w, p);
    return w * p * truing_fma(c.c1, d, c.c0);
}
// The same where c1 is 0 and c0 is not: no gradient of an entropy.
TRUING_FN float truing_scaled_at(const truing_columns &c, float x, truing_u32 entry) {
    float d = x - c.m, w, p;
    truing_exp_factors<true>(d, entry, w, p);
    return w * p * c.c0;
}
// Of one column. All lanes call it.
TRUING_FN float truing_dz(const truing_columns &c, const truing_transform &t, float z, bool biased, float b, truing_u32 entry) {
    if (t.kind == TRUING_PLAIN && !biased) return truing_at(c, z, entry);
    const float x = truing_apply(t, z, biased, b), dx = truing_at(c, x, entry);
    const float dz = dx * truing_slope(t, biased ? z + b : z);
    return x == -TRUING_INFF ? 0.0f : dz;
}
// Of columns that start 16 bytes, as many as `vectors` hold: some are under way while others are worked on. The kind of the
// transform is known here: a test in every column would cost as much as the gradient.
template <class T, class G, int KIND, bool STAGED, bool SCALED>
TRUING_FN void truing_vectors(const truing_columns &c, truing_transform t, const T *z, G *g, truing_u32 vectors, truing_u32 entry) {
    const int PER = truing_vector<T>::COLUMNS, OUT = truing_vector<G>::COLUMNS, AHEAD = STAGED ? 2 : 4;
    const truing_u32 lane = threadIdx.x & 31;
    t.kind = KIND;
#pragma unroll 1
    for (truing_u32 s = 0; s < vectors; s += 32 * AHEAD) {
        uint4 q[AHEAD];
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            q[i].x = q[i].y = q[i].z = q[i].w = 0;
            const T *from = z + (s + 32 * i + lane) * PER;
            if (s + 32 * i + lane < vectors) q[i] = STAGED ? *(const uint4 *)from : truing_load16(from);
        }
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            if (s + 32 * i >= vectors) break;
            const truing_u32 w[4] = {q[i].x, q[i].y, q[i].z, q[i].w};
            truing_u32 y[4 * PER / OUT];
#pragma unroll
            for (int k = 0; k < PER; k += 2)
            {
                const float a = truing_vector<T>::get(w, k), b = truing_vector<T>::get(w, k + 1);
                if (SCALED) truing_vector<G>::put2(y, k, truing_scaled_at(c, a, entry), truing_scaled_at(c, b, entry));
                else truing_vector<G>::put2(y, k, truing_dz(c, t, a, false, 0.0f, entry), truing_dz(c, t, b, false, 0.0f, entry));
            }
            if (s + 32 * i + lane < vectors) {
#pragma unroll
                for (int k = 0; k < PER / OUT; k++) {
                    uint4 out;
                    out.x = y[4 * k];
                    out.y = y[4 * k + 1];
                    out.z = y[4 * k + 2];
                    out.w = y[4 * k + 3];
                    truing_store16(g + (s + 32 * i + lane) * PER + k * OUT, out);
                }
            }
        }
    }
}
// Columns `first` to `end` of a row, by a warp; z: where they lie. STAGED: in shared memory, for the plain logits alone.
template <class T, class G, bool STAGED>
TRUING_FN void truing_grad_of(const truing_logprob_args &a, const truing_columns &c, const T *z, truing_i64 row, truing_u32 first,
                              truing_u32 end, truing_u32 entry) {
    const truing_u32 lane = threadIdx.x & 31, n = end - first;
    const truing_u32 live = a.valid <= first ? 0 : a.valid - first < n ? a.valid - first : n;
    G *g = truing_row<G>(a.grad, row) + first;
    for (truing_u32 j = live + lane; j < n; j += 32) truing_narrow(0.0f, g + j);
    if (c.fill) {
        for (truing_u32 j = lane; j < live; j += 32) truing_narrow(c.m, g + j);
        return;
    }
    truing_transform t;
    if (STAGED) t.kind = TRUING_PLAIN;
    else t = truing_transform_of(a, row);
    const bool biased = !STAGED && a.bias.data != 0;
    const int PER = truing_vector<T>::COLUMNS;
    // columns in front of the first that starts 16 bytes, and whole vectors behind it
    truing_u32 head = (truing_u32)((16 - ((truing_u64)z & 15)) % 16 / sizeof(T)), vectors = 0;
    if (head < live && t.kind != TRUING_SOFTCAP && !biased && ((truing_u64)(g + head) & 15) == 0) vectors = (live - head) / PER;
    if (vectors == 0) head = 0;
    if (t.kind == TRUING_PLAIN && c.c1 == 0.0f && c.c0 != 0.0f) truing_vectors<T, G, TRUING_PLAIN, STAGED, true>(c, t, z + head, g + head, vectors, entry);
    else if (t.kind == TRUING_PLAIN) truing_vectors<T, G, TRUING_PLAIN, STAGED, false>(c, t, z + head, g + head, vectors, entry);
    else truing_vectors<T, G, TRUING_SCALE, STAGED, false>(c, t, z + head, g + head, vectors, entry);
    // what is left: the head and the tail, or everything
    const truing_u32 rest = live - vectors * PER;
#pragma unroll 1
    for (truing_u32 s = 0; s < rest; s += 32) {
        const truing_u32 k = s + lane, j = k < head ? k : k + vectors * PER;
        const bool on = k < rest;
        const float x = on ? truing_widen(z[j]) : 0.0f, b = on && biased ? truing_bias(a, first + j) : 0.0f;
        const float dz = truing_dz(c, t, x, biased, b, entry);
        if (on) truing_narrow(dz, g + j);
    }
    __syncwarp();
    if (lane == 0 && c.target - first < live) truing_narrow(c.target_dz, g + (c.target - first));
}
template <class T, class G> TRUING_FN void truing_grad(const truing_logprob_args &a) {
    const truing_u32 entry = truing_exp_table[threadIdx.x % 8];
    const truing_u32 parts = (a.vocab + TRUING_BLOCK - 1) / TRUING_BLOCK, chunks = (parts + a.chunk - 1) / a.chunk;
    truing_wait();
    const truing_i64 tasks = a.rows * chunks, step = (truing_i64)gridDim.x * TRUING_WARPS;
    for (truing_i64 i = (truing_i64)blockIdx.x * TRUING_WARPS + threadIdx.x / 32; i < tasks; i += step) {
        const truing_task task = truing_task_of(a, i, parts, chunks);
        const truing_u32 first = task.from * TRUING_BLOCK, end = task.to == parts ? a.vocab : task.to * TRUING_BLOCK;
        const truing_columns c = ((const truing_columns *)a.columns)[task.row];
        truing_grad_of<T, G, false>(a, c, truing_row<const T>(a.logits, task.row) + first, task.row, first, end, entry);
    }
}
#define TRUING_GRAD(name, T, G)                                                                                                \
    extern "C" __global__ __launch_bounds__(32 * TRUING_WARPS) void truing_logprob_grad_##name(const __grid_constant__ truing_logprob_args a) { \
        truing_grad<T, G>(a);                                                                                                  \
    }
TRUING_GRAD(f32, float, float)
TRUING_GRAD(bf16, truing_bf16, truing_bf16)
TRUING_GRAD(f16, truing_f16, truing_f16)
TRUING_GRAD(bf16_f32, truing_bf16, float)
TRUING_GRAD(f16_f32, truing_f16, float)

// 4. Whole rows, from compute capability 9.0 on.

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
// Rows whose records may be under way at once. A block of threads is at most two rows ahead of a warp that merges: it waits
// for the constants of the row before the one that it has reduced, which need the records of every other block of threads.
#define TRUING_WHOLE_SLOTS 4
#define TRUING_WHOLE_PARTS 128 // blocks of a row, at most
// What a block of threads has in shared memory in front of its blocks of rows.
struct alignas(16) truing_whole_state {
    truing_u64 full[TRUING_WHOLE_SLOTS], ready[TRUING_WHOLE_SLOTS]; // phases: the records of a row are there; its constants are
    truing_columns columns[TRUING_WHOLE_SLOTS];
    truing_part::words records[TRUING_WHOLE_SLOTS][TRUING_WHOLE_PARTS];
};
// The record of a row from those of its blocks, by a warp; right in its first lane.
TRUING_FN truing_record truing_merged(const truing_logprob_args &a, const truing_part::words *parts) {
    const truing_u32 lane = threadIdx.x & 31, each = a.parts > 64 ? 4 : a.parts > 32 ? 2 : 1;
    truing_record x = truing_empty();
#pragma unroll 1
    for (truing_u32 k = 0; k < each; k += 2) {
        const truing_u32 i = lane * each + k;
        truing_record y = truing_empty();
        if (i < a.parts) y = truing_part::load(parts[i]);
        if (each > 1 && i + 1 < a.parts) y = truing_merge(y, truing_part::load(parts[i + 1]));
        x = k == 0 ? y : truing_merge(x, y);
    }
#pragma unroll 1
    for (truing_u32 w = 1; w < 32 && w * each < a.parts; w *= 2) {
        const truing_part::words own = truing_part::store(x);
        truing_part::words other;
#pragma unroll
        for (int k = 0; k < 6; k++) other.x[k] = __shfl_down_sync(TRUING_FULL, own.x[k], w);
        if (lane % (2 * w) == 0) x = truing_merge(x, truing_part::load(other));
    }
    return x;
}
// The warp that merges: for each of `count` rows, once all their records are there.
TRUING_FN void truing_whole_merge(const truing_logprob_args &a, truing_i64 from, truing_u32 count, truing_whole_state &state) {
    const truing_u32 lane = threadIdx.x & 31;
    const bool first = truing_cluster_rank() == 0;
#pragma unroll 1
    for (truing_u32 s = 0; s < count; s++) {
        const truing_u32 slot = s % TRUING_WHOLE_SLOTS, turn = s / TRUING_WHOLE_SLOTS & 1;
        const truing_i64 row = from + s;
        truing_i64 target = 0;
        const int kind = truing_target(a, row, target);
        if (lane == 0) truing_phase_arrive(&state.full[slot], a.cluster == 1 ? 0 : a.parts * (truing_u32)sizeof(truing_part::words));
        truing_phase_wait(&state.full[slot], turn);
        truing_record x = truing_empty();
        const bool needed = first || a.grad.data;
        if (needed && kind != TRUING_IGNORED) x = truing_merged(a, state.records[slot]);
        float z = 0.0f;
        if (lane == 0 && needed) {
            // its block has seen it before a gradient could overwrite it
            if (kind == TRUING_COLUMN && target >= 0 && target < (truing_i64)a.valid)
                z = truing_from(state.records[slot][target / TRUING_BLOCK].x[6]);
            x = truing_complete(a, row, kind, target, z, x);
            if (a.grad.data) state.columns[slot] = truing_constants(a, row, kind, target, z, x);
        }
        __syncwarp();
        if (lane == 0) {
            truing_phase_arrive(&state.ready[slot], 0);
            if (first) truing_figures(a, row, kind, target, x);
        }
    }
}
// A warp that has one block of every row: while one comes in, the one before it is reduced to its record, and the gradient of
// the one before that is written.
template <class T, class G>
TRUING_FN void truing_whole_work(const truing_logprob_args &a, truing_i64 from, truing_u32 count, truing_whole_state &state, unsigned char *stages) {
    typedef truing_stage<T, false> stage;
    const truing_u32 lane = threadIdx.x & 31, warp = threadIdx.x / 32, entry = truing_exp_table[threadIdx.x % 8];
    const truing_u32 part = truing_cluster_rank() * a.share + warp, first = part * TRUING_BLOCK, bytes = a.share * stage::BYTES;
    stages += warp * stage::BYTES;
    // its columns that can be live, and all of them
    const truing_u32 n = a.valid <= first ? 0 : a.valid - first < TRUING_BLOCK ? a.valid - first : TRUING_BLOCK;
    const truing_u32 end = a.vocab <= first ? first : a.vocab - first < TRUING_BLOCK ? a.vocab : first + TRUING_BLOCK;
    // lane i knows of row i whether it counts, and the column of this block that is its target
    truing_u32 at_target = TRUING_NONE;
    bool counts = false;
    if (lane < count) {
        truing_i64 y = -1;
        const int kind = truing_target(a, from + lane, y);
        counts = kind != TRUING_IGNORED;
        if (kind == TRUING_COLUMN && y >= (truing_i64)first && y < (truing_i64)first + n) at_target = (truing_u32)y - first;
    }
    const truing_u32 live = __ballot_sync(TRUING_FULL, counts);
    truing_u32 in = 0, mid = 0, out = 0; // buffers
#pragma unroll 1
    for (truing_u32 s = 0; s < count + 2; s++) {
        // row s comes in, row s - 1 is reduced, row s - 2 gets its gradient
        if (s < count && n != 0 && (live >> s & 1)) {
            const T *row = truing_row<const T>(a.logits, from + s);
            truing_fetch(row, a.vocab, row + first, n, stage::place(stages + in * bytes, row + first));
        }
        truing_copies_commit();
        in = in + 1 == a.buffers ? 0 : in + 1;
        if (s >= 1 && s <= count) {
            truing_copies_before_last_done();
            __syncwarp();
            const truing_u32 slot = (s - 1) % TRUING_WHOLE_SLOTS;
            truing_part::words words = truing_part::store(truing_empty());
            if (n != 0 && (live >> (s - 1) & 1)) {
                const T *row = truing_row<const T>(a.logits, from + s - 1);
                T *place = (T *)stage::place(stages + mid * bytes, row + first);
                const truing_u32 t = __shfl_sync(TRUING_FULL, at_target, (int)s - 1);
                const float z = t == TRUING_NONE ? 0.0f : truing_widen(place[t]);
                __syncwarp(); // the block's largest columns are taken out
                truing_record x = truing_block<T, true>(place, n, a.all != 0);
                if (truing_poisoned(x)) x.flags = truing_causes(a, row + first, first, n);
                if (x.m == 0.0f && a.grad.data) {
                    // a zero among the largest has lost its sign
                    for (truing_u32 j = lane; j < n; j += 32) place[j] = row[first + j];
                    __syncwarp();
                }
                x.k = truing_poisoned(x) || x.m == -TRUING_INFF ? 0 : x.k + first;
                words = truing_part::store(x);
                words.x[6] = truing_bits(z);
            }
            // to every block of threads of the cluster; a block alone cannot send
            if (n != 0 && lane < a.cluster) {
                truing_part::words &to = state.records[slot][part];
                if (a.cluster == 1) {
                    to = words;
                    truing_phase_arrive(&state.full[slot], 0);
                } else {
#pragma unroll
                    for (int k = 0; k < 8; k += 4) {
                        uint4 q;
                        q.x = words.x[k];
                        q.y = words.x[k + 1];
                        q.z = words.x[k + 2];
                        q.w = words.x[k + 3];
                        truing_send16(&to.x[k], q, &state.full[slot], lane);
                    }
                }
            }
            mid = mid + 1 == a.buffers ? 0 : mid + 1;
        }
        if (s >= 2) {
            const truing_u32 slot = (s - 2) % TRUING_WHOLE_SLOTS, turn = (s - 2) / TRUING_WHOLE_SLOTS & 1;
            truing_phase_wait(&state.ready[slot], turn);
            if (a.grad.data && end > first) {
                const truing_i64 row = from + s - 2;
                const T *z = truing_row<const T>(a.logits, row) + first;
                const T *place = (const T *)stage::place(stages + out * bytes, z);
                truing_grad_of<T, G, true>(a, state.columns[slot], place, row, first, end, entry);
            }
            __syncwarp(); // the buffer can be filled again
            out = out + 1 == a.buffers ? 0 : out + 1;
        }
    }
}
template <class T, class G> TRUING_FN void truing_whole(const truing_logprob_args &a) {
    TRUING_DYNAMIC(shared);
    truing_whole_state &state = *(truing_whole_state *)shared;
    if (threadIdx.x == 0)
        for (int i = 0; i < TRUING_WHOLE_SLOTS; i++) {
            truing_phase_init(&state.full[i], a.cluster == 1 ? 1 + a.parts : 1);
            truing_phase_init(&state.ready[i], 1);
        }
    truing_cluster_sync(); // every block of threads has begun and can be sent to
    truing_wait();
    const truing_i64 from = (truing_i64)(blockIdx.x / a.cluster) * a.run;
    const truing_u32 count = a.rows - from < a.run ? (truing_u32)(a.rows - from) : a.run;
    if (threadIdx.x / 32 == a.share) truing_whole_merge(a, from, count, state);
    else truing_whole_work<T, G>(a, from, count, state, (unsigned char *)(&state + 1));
}
// WARPS: at most
#define TRUING_WHOLE(name, T, G, WARPS)                                                                                        \
    extern "C" __global__ __launch_bounds__(32 * WARPS, 1) void truing_logprob_whole_##name(const __grid_constant__ truing_logprob_args a) { \
        truing_whole<T, G>(a);                                                                                                 \
    }
TRUING_WHOLE(f32, float, float, 13)
TRUING_WHOLE(bf16, truing_bf16, truing_bf16, 17)
TRUING_WHOLE(f16, truing_f16, truing_f16, 17)
TRUING_WHOLE(bf16_f32, truing_bf16, float, 17)
TRUING_WHOLE(f16_f32, truing_f16, float, 17)
#endif
