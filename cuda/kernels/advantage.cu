// Advantages and returns: core/src/advantage.rs, with the bits of cpu/src/advantage.rs.
//
// Groups: a warp has a group and walks its rows 32 at a time, by offsets in a run, by ids among all rows; sums are f64 chains
// over the scored rows in their order. Before it, where the whole batch counts, truing_group_batch: a block's threads read, its
// first adds. The gradient of objectives' weights comes behind the same kernels: what groups give, totals of all, a block for
// each weight. GAE: a warp has a sequence; its lanes form 32 differences side by side and all follow the chain through them.
// Whitening: 1. moments of 1024 values, a block each, eight chains; 2. one warp joins them in order; 3. the values.
// Baselines of tokens and returns of process rewards: 1. a warp has a sequence and leaves what its group needs of it; returns
// then have a warp for each group; at last a warp has a sequence again.
// Objectives and coefficients: what is summed up over tokens has a warp for each sum, what is not a thread; weights of least
// norm are found by one block of threads, whose warps each solve for some of the objectives.
#include "segments.cuh"

// Element j of row i.
TRUING_FN double truing_double_in(const truing_view &v, truing_i64 i, truing_i64 j) {
    return v.dtype == TRUING_DTYPE_F64 ? ((const double *)v.data)[truing_offset(v, i) + j] : (double)truing_float_at(v, i, j);
}
TRUING_FN void truing_put_real_in(const truing_view &v, truing_i64 i, truing_i64 j, double x) {
    if (v.data && v.dtype == TRUING_DTYPE_F64) truing_row<double>(v, i)[j] = x;
    else if (v.data) truing_row<float>(v, i)[j] = (float)x;
}

enum { TRUING_BASELINE_NONE = 1, TRUING_BASELINE_GROUP, TRUING_BASELINE_LEAVE_ONE_OUT, TRUING_BASELINE_BATCH, TRUING_BASELINE_LENGTH_WEIGHTED,
       TRUING_BASELINE_BEST_OF_GROUP };
enum { TRUING_SCALE_NONE = 1, TRUING_SCALE_GROUP_STD, TRUING_SCALE_BATCH_STD, TRUING_SCALE_LEAVE_ONE_OUT_STD, TRUING_SCALE_GROUP_MEAN,
       TRUING_SCALE_NONZERO_SHARE };
enum { TRUING_STEP_NONE = 1, TRUING_STEP_STANDARDISE, TRUING_STEP_SCALE };
// What becomes of the advantages of a group: they are the results; those of rows with a status each; they are weighted and added up.
enum { TRUING_RESULTS, TRUING_ROWS_OF_ALL, TRUING_ADDED };
#define TRUING_WHOLE 8 // numbers of truing_group_args::whole for each source

struct truing_group_args {
    truing_view rewards, lengths, offsets, ids, weights; // rewards [B, K], weights [B, K]: [K] has rows 0 apart
    truing_view out_advantages, out_mean, out_std, out_status, out_combined;
    double *whole;    // [K, 8]: count, first, shift, squares, rows over rows that are not 0, something is wrong
    double *combined; // [B]
    truing_u32 *wrong; // of several objectives: some input cannot be used
    truing_view grad_advantages, grad_weights; // of a gradient, as what follows
    double *grads;   // [B]: of what rows are combined to, summed first
    double *sums;    // [G, 2]: of a group, upstream times centred rewards, and gradients
    double *totals;  // [2]: the same of all rows
    double *columns; // [K, B]: what a weight multiplies, normalised first
    truing_i64 rows, groups, objectives;
    double eps, f_norm, batch_eps;
    truing_u32 baseline, scale, population, skip_zero, raw, becomes, batch_step, sum_first, of_row, reserved;
};

struct truing_moments {
    double count, first, shift, squares;
};
// Of the whole batch, by source.
TRUING_FN truing_moments truing_whole_of(const truing_group_args &a, int k) {
    const double *all = a.whole + k * TRUING_WHOLE;
    truing_moments m;
    m.count = all[0];
    m.first = all[1];
    m.shift = all[2];
    m.squares = all[3];
    return m;
}
TRUING_FN double truing_centred(const truing_moments &m, double x) { return (x - m.first) - m.shift; }
TRUING_FN double truing_variance(double count, double squares, bool population) {
    const double divisor = population ? count : count - 1.0;
    return divisor > 0.0 ? squares / divisor : 0.0;
}
// c / (std + eps); 0 stays 0 whatever divides.
TRUING_FN double truing_over(double c, double std, double eps, bool skip_zero) {
    return c == 0.0 ? 0.0 : skip_zero && std <= 0.0 ? c : c / (std + eps);
}
TRUING_FN truing_u32 truing_judged(double x, const truing_view &v) {
    return !truing_finite(x) ? TRUING_ROW_INFINITE : v.data ? truing_overflow(x, v) : 0;
}
// Reward k of a row, or (k < 0) its combined one.
TRUING_FN double truing_reward(const truing_group_args &a, int k, truing_i64 i) {
    return k < 0 ? a.combined[i] : truing_double_in(a.rewards, i, k);
}
TRUING_FN double truing_weight(const truing_group_args &a, truing_i64 i, int k) {
    return a.weights.data ? truing_double_in(a.weights, i, k) : 1.0;
}
// The rows of a group, 32 at a time.
struct truing_walk {
    truing_i64 start, n, group; // group -1: every row
};
template <class A> TRUING_FN truing_walk truing_walk_of(const A &a, truing_i64 g, bool &wrong) {
    truing_walk w;
    if (a.ids.data) {
        w.start = 0;
        w.n = a.rows;
        w.group = g;
        return w;
    }
    const truing_range range = truing_tokens(a.offsets, 0, a.rows, a.groups, g);
    wrong |= range.wrong;
    w.start = range.start;
    w.n = range.n;
    w.group = -1;
    return w;
}
template <class A> TRUING_FN bool truing_member(const A &a, const truing_walk &w, truing_i64 at, truing_i64 &i) {
    i = w.start + at + (threadIdx.x & 31);
    return at + (threadIdx.x & 31) < w.n && (w.group < 0 || truing_int_at(a.ids, i) == w.group);
}
// Of the scored rows but `without`.
template <class A> TRUING_FN truing_moments truing_moments_of(const A &a, const truing_walk &w, int k, truing_i64 without) {
    truing_moments m;
    m.count = m.first = m.shift = m.squares = 0.0;
    for (int pass = 0; pass < 3; pass++) {
        double sum = 0.0;
        for (truing_i64 at = 0; at < w.n; at += 32) {
            truing_i64 i;
            double x = TRUING_NAN;
            if (truing_member(a, w, at, i) && i != without) x = truing_reward(a, k, i);
            const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, x == x);
            if (which == 0) continue;
            if (pass == 0) {
                if (m.count == 0.0) m.first = __shfl_sync(TRUING_ALL_LANES, x, __ffs((int)which) - 1);
                m.count += (double)__popc(which);
            }
            const double c = pass == 0 ? x - m.first : truing_centred(m, x);
            sum = truing_chain(sum, pass == 2 ? c * c : c, which);
        }
        if (m.count == 0.0) return m;
        if (pass == 0) m.shift = sum / m.count;
        // once more around that mean: what is left of its rounding
        if (pass == 1) m.shift += sum / m.count;
        if (pass == 2) m.squares = sum;
    }
    return m;
}

// What the batch gives to every group. Each block of threads has a source: the rewards of one objective, or
// what they are combined to.
#define TRUING_READERS 1024
struct truing_batch_space {
    double tile[TRUING_READERS];
    truing_u32 marks[TRUING_READERS / 32], first[TRUING_READERS / 32];
};
extern "C" __global__ __launch_bounds__(TRUING_READERS, 1) void truing_group_batch(const __grid_constant__ truing_group_args a) {
    truing_wait();
    truing_let_go();
    __shared__ truing_batch_space s;
    __shared__ truing_moments m;
    const truing_u32 thread = threadIdx.x, lane = thread & 31, warp = thread / 32;
    const int k = a.becomes == TRUING_ROWS_OF_ALL ? -1 : (int)blockIdx.x;
    truing_u32 scored = 0, nonzero = 0, wrong = 0;
    if (thread == 0) m.count = m.first = m.shift = m.squares = 0.0;
    __syncthreads();
    for (int pass = 0; pass < 3; pass++) {
        double sum = 0.0;
        for (truing_i64 at = 0; at < a.rows; at += TRUING_READERS) {
            const truing_i64 i = at + thread;
            const double x = i < a.rows ? truing_reward(a, k, i) : TRUING_NAN;
            if (pass == 0) {
                const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, x == x);
                scored += x == x;
                nonzero += x == x && x != 0.0;
                wrong |= k >= 0 && (truing_abs(x) == TRUING_INF || (a.scale == TRUING_SCALE_GROUP_MEAN && x < 0.0));
                if (lane == 0) {
                    s.first[warp] = which == 0 ? 32 : (truing_u32)__ffs((int)which) - 1;
                    s.marks[warp] = (truing_u32)__popc(which);
                }
                s.tile[thread] = x;
                __syncthreads();
                if (thread == 0)
                    for (truing_u32 q = 0; q < TRUING_READERS / 32; q++) {
                        if (m.count == 0.0 && s.marks[q] != 0) m.first = s.tile[32 * q + s.first[q]];
                        m.count += (double)s.marks[q];
                    }
                __syncthreads();
            }
            // a term of +0 leaves a chain as it is
            const double c = pass == 0 ? x - m.first : truing_centred(m, x);
            s.tile[thread] = x != x ? 0.0 : pass == 2 ? c * c : c;
            __syncthreads();
            const truing_u32 many = a.rows - at < TRUING_READERS ? (truing_u32)(a.rows - at) : TRUING_READERS;
            if (thread == 0)
#pragma unroll 16
                for (truing_u32 q = 0; q < many; q++) sum = sum + s.tile[q];
            __syncthreads();
        }
        if (thread == 0 && m.count > 0.0) {
            if (pass == 0) m.shift = sum / m.count;
            if (pass == 1) m.shift += sum / m.count;
            if (pass == 2) m.squares = sum;
        }
        __syncthreads();
    }
    scored = __reduce_add_sync(TRUING_ALL_LANES, scored);
    nonzero = __reduce_add_sync(TRUING_ALL_LANES, nonzero);
    wrong = __reduce_or_sync(TRUING_ALL_LANES, wrong);
    if (lane == 0) {
        s.first[warp] = nonzero;
        s.marks[warp] = wrong;
    }
    __syncthreads();
    if (warp != 0) return;
    nonzero = __reduce_add_sync(TRUING_ALL_LANES, s.first[lane]);
    wrong = __reduce_or_sync(TRUING_ALL_LANES, s.marks[lane]);
    if (lane != 0) return;
    double *out = a.whole + (truing_i64)blockIdx.x * TRUING_WHOLE;
    out[0] = m.count;
    out[1] = m.first;
    out[2] = m.shift;
    out[3] = m.squares;
    out[4] = m.count / (double)(nonzero > 1 ? nonzero : 1);
    out[5] = (double)wrong;
}

// The advantages of a group for source k, by a warp.
TRUING_FN void truing_group(const truing_group_args &a, truing_i64 g, int k) {
    const truing_u32 lane = threadIdx.x & 31;
    bool broken = false;
    const truing_walk w = truing_walk_of(a, g, broken);
    const bool batch = a.baseline == TRUING_BASELINE_BATCH || a.scale == TRUING_SCALE_BATCH_STD || a.scale == TRUING_SCALE_NONZERO_SHARE;
    truing_moments whole;
    whole.count = whole.first = whole.shift = whole.squares = 0.0;
    double share = 1.0;
    if (batch) {
        const double *all = a.whole + (k < 0 ? 0 : k) * TRUING_WHOLE;
        whole = truing_whole_of(a, k < 0 ? 0 : k);
        share = all[4];
        broken |= all[5] != 0.0;
    }
    // what the host could not look at
    for (truing_i64 at = 0; at < w.n; at += 32) {
        truing_i64 i;
        if (!truing_member(a, w, at, i)) continue;
        const double x = truing_reward(a, k, i);
        broken |= a.becomes == TRUING_RESULTS && (truing_abs(x) == TRUING_INF || (a.scale == TRUING_SCALE_GROUP_MEAN && x < 0.0));
        broken |= a.lengths.data && truing_int_at(a.lengths, i) < 0;
    }
    __syncwarp();
    const truing_moments m = truing_moments_of(a, w, k, -1);
    const bool one = m.count == 1.0, best = a.baseline == TRUING_BASELINE_BEST_OF_GROUP;
    const bool wrong = __ballot_sync(TRUING_ALL_LANES, broken || (best && one)) != 0;
    if (wrong && a.becomes == TRUING_ADDED) *a.wrong = 1;
    const double std = sqrt(truing_variance(m.count, m.squares, a.population)), whole_std = sqrt(truing_variance(whole.count, whole.squares, a.population));
    truing_u32 status = m.count == 0.0 ? TRUING_ROW_EMPTY : one ? TRUING_ROW_DEGENERATE : 0;
    double weighted = 0.0, weight = 0.0, top = -TRUING_INF, second = -TRUING_INF;
    truing_i64 of_top = -1;
    if (best || (a.baseline == TRUING_BASELINE_LENGTH_WEIGHTED && !one)) {
        for (truing_i64 at = 0; at < w.n; at += 32) {
            truing_i64 i;
            double x = TRUING_NAN, l = 0.0;
            if (truing_member(a, w, at, i)) {
                x = truing_reward(a, k, i);
                if (a.lengths.data) l = (double)truing_int_at(a.lengths, i);
            }
            truing_u32 which = __ballot_sync(TRUING_ALL_LANES, x == x);
            if (!best) {
                weighted = truing_chain(weighted, l * (x - m.first), which);
                weight = truing_chain(weight, l, which);
                continue;
            }
            for (; which != 0; which &= which - 1) {
                const int from = __ffs((int)which) - 1;
                const double y = __shfl_sync(TRUING_ALL_LANES, x, from);
                const truing_i64 row = __shfl_sync(TRUING_ALL_LANES, i, from);
                if (y > top) {
                    second = top;
                    top = y;
                    of_top = row;
                } else if (y > second) {
                    second = y;
                }
            }
        }
        if (!best) {
            if (weight == 0.0 && m.count > 0.0) status |= TRUING_ROW_DEGENERATE;
            weighted /= weight;
        }
    }
    truing_u32 bits = 0;
    for (truing_i64 at = 0; at < w.n; at += 32) {
        truing_i64 i;
        const bool member = truing_member(a, w, at, i);
        const double x = member ? truing_reward(a, k, i) : TRUING_NAN, d = truing_centred(m, x);
        double c = 0.0, deviation = 0.0, z = 0.0;
        switch (a.baseline) {
        case TRUING_BASELINE_NONE: c = x; break;
        case TRUING_BASELINE_BATCH: c = truing_centred(whole, x); break;
        default:
            if (one) c = a.raw ? x : 0.0;
            else if (a.baseline == TRUING_BASELINE_GROUP) c = d;
            else if (a.baseline == TRUING_BASELINE_LEAVE_ONE_OUT) c = d * (m.count / (m.count - 1.0));
            else if (best) c = i == of_top ? top - second : 0.0;
            else c = weight == 0.0 ? 0.0 : (x - m.first) - weighted;
        }
        if (a.scale == TRUING_SCALE_LEAVE_ONE_OUT_STD && !one) {
            const double rest = m.squares - d * d * (m.count / (m.count - 1.0));
            deviation = sqrt(truing_variance(m.count - 1.0, rest, a.population));
            // a difference that cancels is formed again from the rows
            truing_u32 again = __ballot_sync(TRUING_ALL_LANES, x == x && !(rest >= 0.25 * m.squares));
            for (; again != 0; again &= again - 1) {
                const int from = __ffs((int)again) - 1;
                const truing_moments others = truing_moments_of(a, w, k, __shfl_sync(TRUING_ALL_LANES, i, from));
                if (lane == (truing_u32)from) deviation = sqrt(truing_variance(others.count, others.squares, a.population));
            }
        }
        switch (a.scale) {
        case TRUING_SCALE_NONE: z = c; break;
        case TRUING_SCALE_BATCH_STD: z = truing_over(c, whole_std, a.eps, a.skip_zero); break;
        case TRUING_SCALE_NONZERO_SHARE: z = c * share / a.f_norm; break;
        default:
            if (one) z = c;
            else if (a.scale == TRUING_SCALE_GROUP_STD) z = truing_over(c, std, a.eps, a.skip_zero);
            else if (a.scale == TRUING_SCALE_LEAVE_ONE_OUT_STD) z = truing_over(c, deviation, a.eps, a.skip_zero);
            else z = truing_over(c, m.first + m.shift, a.eps, false);
        }
        if (!member) continue;
        if (x != x) z = 0.0;
        if (wrong) z = TRUING_NAN;
        if (a.becomes == TRUING_ADDED) {
            a.combined[i] += truing_weight(a, i, k) * z;
            if (a.columns) a.columns[k * a.rows + i] = z;
            continue;
        }
        const truing_u32 own = wrong ? TRUING_ROW_OUT_OF_RANGE : x != x && a.becomes == TRUING_ROWS_OF_ALL ? TRUING_ROW_EMPTY : truing_judged(z, a.out_advantages);
        bits |= own;
        truing_put_real(a.out_advantages, i, z);
        if (a.becomes == TRUING_ROWS_OF_ALL) {
            truing_put(a.out_status, i, own);
            truing_put_real(a.out_combined, i, wrong ? TRUING_NAN : x);
        }
    }
    if (a.becomes != TRUING_RESULTS) return;
    bits = __reduce_or_sync(TRUING_ALL_LANES, bits);
    if (lane != 0) return;
    truing_put_real(a.out_mean, g, wrong ? TRUING_NAN : m.first + m.shift);
    truing_put_real(a.out_std, g, wrong ? TRUING_NAN : std);
    truing_put(a.out_status, g, wrong ? TRUING_ROW_OUT_OF_RANGE : status | bits);
}
TRUING_FN void truing_spoil(const truing_group_args &a, truing_i64 i) {
    truing_put_real(a.out_advantages, i, TRUING_NAN);
    truing_put_real(a.out_combined, i, TRUING_NAN);
    truing_put(a.out_status, i, TRUING_ROW_OUT_OF_RANGE);
}
// A thread has a row too, for what belongs to no group.
extern "C" __global__ __launch_bounds__(128, 4) void truing_group_advantage(const __grid_constant__ truing_group_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 thread = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x, g = thread / 32;
    if (a.becomes == TRUING_RESULTS && a.ids.data && thread < a.rows) {
        const truing_i64 id = truing_int_at(a.ids, thread);
        if (id < 0 || id >= a.groups) truing_put_real(a.out_advantages, thread, TRUING_NAN);
    }
    if (a.becomes == TRUING_ROWS_OF_ALL && *a.wrong != 0) {
        if (thread < a.rows) truing_spoil(a, thread);
        return;
    }
    if (g >= a.groups) return;
    if (a.becomes != TRUING_ADDED) truing_group(a, g, a.becomes == TRUING_RESULTS ? 0 : -1);
    else
        for (int k = 0; k < (int)a.objectives; k++) truing_group(a, g, k);
}

// Of several objectives, one block of threads: what rows are combined to before their groups come in, and whether all can be used.
extern "C" __global__ __launch_bounds__(TRUING_READERS, 1) void truing_group_rows(const __grid_constant__ truing_group_args a) {
    truing_wait();
    truing_let_go();
    __shared__ truing_u32 marks[TRUING_READERS / 32];
    truing_u32 wrong = 0;
    for (truing_i64 i = threadIdx.x; i < a.rows; i += TRUING_READERS) {
        bool some = false;
        double sum = 0.0;
        for (int k = 0; k < (int)a.objectives; k++) {
            const double x = truing_reward(a, k, i), w = truing_weight(a, i, k);
            some |= x == x;
            if (a.sum_first && x == x) sum += w * x;
            wrong |= truing_abs(x) == TRUING_INF || !truing_finite(w) || (a.scale == TRUING_SCALE_GROUP_MEAN && (x < 0.0 || w < 0.0));
        }
        if (a.ids.data) {
            const truing_i64 id = truing_int_at(a.ids, i);
            wrong |= id < 0 || id >= a.groups;
        }
        if (a.lengths.data) wrong |= truing_int_at(a.lengths, i) < 0;
        a.combined[i] = some ? sum : TRUING_NAN;
    }
    if (!a.ids.data)
        for (truing_i64 g = threadIdx.x; g < a.groups; g += TRUING_READERS) wrong |= truing_tokens(a.offsets, 0, a.rows, a.groups, g).wrong;
    wrong = __reduce_or_sync(TRUING_ALL_LANES, wrong);
    if ((threadIdx.x & 31) == 0) marks[threadIdx.x / 32] = wrong;
    __syncthreads();
    if (threadIdx.x >= 32) return;
    wrong = __reduce_or_sync(TRUING_ALL_LANES, marks[threadIdx.x]);
    if (threadIdx.x == 0) *a.wrong = wrong;
}
// The last step where objectives are normalised first; a thread has a row.
extern "C" __global__ __launch_bounds__(128) void truing_group_write(const __grid_constant__ truing_group_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 i = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= a.rows) return;
    if (*a.wrong != 0) {
        truing_spoil(a, i);
        return;
    }
    const truing_moments m = truing_whole_of(a, 0);
    const double x = a.combined[i], std = sqrt(truing_variance(m.count, m.squares, false));
    const double z = x != x ? 0.0
               : a.batch_step == TRUING_STEP_STANDARDISE ? truing_over(truing_centred(m, x), std, a.batch_eps, false)
               : a.batch_step == TRUING_STEP_SCALE ? truing_over(x, std, 0.0, true)
                                                   : x;
    truing_put_real(a.out_advantages, i, z);
    truing_put_real(a.out_combined, i, x);
    truing_put(a.out_status, i, x != x ? TRUING_ROW_EMPTY : truing_judged(z, a.out_advantages));
}

// The gradient of objectives' weights: multi_objective_backward of the CPU.
TRUING_FN double truing_upstream(const truing_group_args &a, truing_i64 i, double combined) {
    return combined != combined ? 0.0 : truing_double_at(a.grad_advantages, i);
}
// What a division has made of an upstream gradient: equal rewards have no direction.
TRUING_FN double truing_kept(double own, double g) { return truing_finite(own) || !truing_finite(g) ? own : 0.0; }
TRUING_FN double truing_through_std(double dot, const truing_moments &m, double std, double eps, bool population) {
    const double divisor = population ? m.count : m.count - 1.0;
    return std > 0.0 ? -dot / ((std + eps) * (std + eps) * divisor * std) : 0.0;
}
// Through the last step where objectives are normalised first.
TRUING_FN double truing_through_step(const truing_group_args &a, double g, double std) {
    return truing_kept(a.batch_step == TRUING_STEP_STANDARDISE ? truing_over(g, std, a.batch_eps, false)
                       : a.batch_step == TRUING_STEP_SCALE     ? truing_over(g, std, 0.0, true)
                                                               : g,
                       g);
}
// Of rewards that are summed first, a warp has a group.
extern "C" __global__ __launch_bounds__(128) void truing_group_slopes(const __grid_constant__ truing_group_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 g = truing_warp();
    if (g >= a.groups || *a.wrong != 0) return;
    bool broken = false;
    const truing_walk w = truing_walk_of(a, g, broken);
    truing_moments whole;
    whole.count = whole.first = whole.shift = whole.squares = 0.0;
    if (a.baseline == TRUING_BASELINE_BATCH || a.scale == TRUING_SCALE_BATCH_STD) whole = truing_whole_of(a, 0);
    const truing_moments m = truing_moments_of(a, w, -1, -1);
    const bool one = m.count == 1.0;
    const double std = sqrt(truing_variance(m.count, m.squares, a.population)), whole_std = sqrt(truing_variance(whole.count, whole.squares, a.population));
    const double ratio = m.count / (m.count - 1.0);
    double dot = 0.0, sum = 0.0;
    for (truing_i64 at = 0; at < w.n; at += 32) {
        truing_i64 i;
        const bool member = truing_member(a, w, at, i);
        const double r = member ? a.combined[i] : TRUING_NAN, up = truing_upstream(a, i, r);
        double c = r, own = up;
        if (a.baseline == TRUING_BASELINE_BATCH) c = truing_centred(whole, r);
        else if (a.baseline != TRUING_BASELINE_NONE) {
            if (one) c = a.raw ? r : 0.0;
            else c = a.baseline == TRUING_BASELINE_LEAVE_ONE_OUT ? truing_centred(m, r) * ratio : truing_centred(m, r);
        }
        if (a.scale == TRUING_SCALE_BATCH_STD) own = truing_over(up, whole_std, a.eps, a.skip_zero);
        else if (a.scale == TRUING_SCALE_GROUP_STD && !one) own = truing_over(up, std, a.eps, a.skip_zero);
        own = truing_kept(own, up);
        if (member) a.grads[i] = own;
        const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, r == r);
        dot = truing_chain(dot, up * c, which);
        sum = truing_chain(sum, own, which);
    }
    const double slope = a.scale == TRUING_SCALE_GROUP_STD && !one ? truing_through_std(dot, m, std, a.eps, a.population) : 0.0;
    for (truing_i64 at = 0; at < w.n; at += 32) {
        truing_i64 i;
        if (!truing_member(a, w, at, i)) continue;
        const double r = a.combined[i];
        double x = a.grads[i];
        if (r != r) continue;
        if (a.baseline == TRUING_BASELINE_GROUP || a.baseline == TRUING_BASELINE_LEAVE_ONE_OUT) {
            if (!one) x -= sum / m.count;
            else if (!a.raw) x = 0.0;
            if (!one && a.baseline == TRUING_BASELINE_LEAVE_ONE_OUT) x *= ratio;
        }
        a.grads[i] = x + slope * truing_centred(m, r);
    }
    if ((threadIdx.x & 31) != 0) return;
    a.sums[2 * g] = dot;
    a.sums[2 * g + 1] = sum;
}
// Adds up n terms in their order; a block of threads forms them, its first has the sum.
template <class F> TRUING_FN double truing_in_order(double *tile, truing_i64 n, F term) {
    double sum = 0.0;
    for (truing_i64 at = 0; at < n; at += TRUING_READERS) {
        tile[threadIdx.x] = at + threadIdx.x < n ? term(at + threadIdx.x) : 0.0;
        __syncthreads();
        const truing_u32 many = n - at < TRUING_READERS ? (truing_u32)(n - at) : TRUING_READERS;
        if (threadIdx.x == 0)
#pragma unroll 16
            for (truing_u32 q = 0; q < many; q++) sum = sum + tile[q];
        __syncthreads();
    }
    return sum;
}
// Totals of all rows, where a later step needs them; one block of threads.
extern "C" __global__ __launch_bounds__(TRUING_READERS, 1) void truing_group_totals(const __grid_constant__ truing_group_args a) {
    truing_wait();
    truing_let_go();
    __shared__ double tile[TRUING_READERS];
    if (*a.wrong != 0) return;
    double all[2];
    if (a.sum_first) {
        for (int k = 0; k < 2; k++) all[k] = truing_in_order(tile, a.groups, [&](truing_i64 g) { return a.sums[2 * g + k]; });
    } else {
        const truing_moments m = truing_whole_of(a, 0);
        const double std = sqrt(truing_variance(m.count, m.squares, false));
        const auto term = [&](truing_i64 i, bool second) {
            const double x = a.combined[i], up = truing_upstream(a, i, x);
            if (x != x) return 0.0;
            return second ? truing_through_step(a, up, std) : up * (a.batch_step == TRUING_STEP_STANDARDISE ? truing_centred(m, x) : x);
        };
        all[0] = truing_in_order(tile, a.rows, [&](truing_i64 i) { return term(i, false); });
        all[1] = truing_in_order(tile, a.rows, [&](truing_i64 i) { return term(i, true); });
    }
    if (threadIdx.x != 0) return;
    a.totals[0] = all[0];
    a.totals[1] = all[1];
}
// A block of threads has the weights of an objective.
extern "C" __global__ __launch_bounds__(TRUING_READERS, 1) void truing_group_weights(const __grid_constant__ truing_group_args a) {
    truing_wait();
    truing_let_go();
    __shared__ double tile[TRUING_READERS];
    const int k = (int)blockIdx.x;
    const bool wrong = *a.wrong != 0;
    truing_moments m;
    m.count = m.first = m.shift = m.squares = 0.0;
    double slope = 0.0, shift = 0.0, std = 0.0;
    if (a.sum_first) {
        if (a.baseline == TRUING_BASELINE_BATCH || a.scale == TRUING_SCALE_BATCH_STD) m = truing_whole_of(a, 0);
        if (a.scale == TRUING_SCALE_BATCH_STD)
            slope = truing_through_std(a.totals[0], m, sqrt(truing_variance(m.count, m.squares, a.population)), a.eps, a.population);
        if (a.baseline == TRUING_BASELINE_BATCH) shift = a.totals[1] / m.count;
    } else {
        m = truing_whole_of(a, 0);
        std = sqrt(truing_variance(m.count, m.squares, false));
        const bool standardise = a.batch_step == TRUING_STEP_STANDARDISE;
        if (standardise || a.batch_step == TRUING_STEP_SCALE)
            slope = truing_through_std(a.totals[0], m, std, standardise ? a.batch_eps : 0.0, false);
        shift = (standardise ? a.totals[1] : 0.0) / m.count;
    }
    const double sum = truing_in_order(tile, a.rows, [&](truing_i64 i) {
        const double x = a.combined[i];
        double own = 0.0;
        if (wrong) own = TRUING_NAN;
        else if (x == x && a.sum_first) {
            double g = a.grads[i];
            if (a.baseline == TRUING_BASELINE_BATCH) g -= shift;
            if (slope != 0.0) g += slope * truing_centred(m, x);
            const double r = truing_reward(a, k, i);
            own = g * (r != r ? 0.0 : r);
        } else if (x == x) {
            const double g = truing_through_step(a, truing_upstream(a, i, x), std) + (slope * truing_centred(m, x) - shift);
            own = g * a.columns[k * a.rows + i];
        }
        if (a.of_row) truing_put_real_in(a.grad_weights, i, k, own);
        return own;
    });
    if (threadIdx.x == 0 && !a.of_row) truing_put_real(a.grad_weights, k, wrong ? TRUING_NAN : sum);
}

enum { TRUING_MASKS_CARRY = 1, TRUING_MASKS_ZERO, TRUING_MASKS_IGNORE };
struct truing_gae_args {
    truing_view rewards, values, value_end, baseline, mask, offsets, out_advantages, out_returns, out_status;
    truing_view grad_advantages, grad_returns, grad_rewards, grad_values, grad_value_end;
    truing_i64 tokens, sequences, width;
    double gamma, lambda_policy, lambda_value, length_alpha;
    truing_u32 masks, by_length;
};
TRUING_FN truing_u32 truing_inputs(double x) { return x != x ? TRUING_ROW_NAN_INPUT : truing_abs(x) == TRUING_INF ? TRUING_ROW_INF_INPUT : 0; }
// c x + to; what is multiplied by 0 is left out where it is not finite.
TRUING_FN double truing_product(double c, double x, double to) { return c == 0.0 && !truing_finite(x) ? to : truing_fma(c, x, to); }
// lambda of the advantages, and whether any token is live.
TRUING_FN double truing_lambda(const truing_gae_args &a, const truing_range &range, bool &any) {
    any = range.n > 0;
    if (!a.mask.data && !a.by_length) return a.lambda_policy;
    truing_i64 count = 0;
    for (truing_i64 at = 0; at < range.n; at += 32)
        count += __popc(__ballot_sync(TRUING_ALL_LANES, at + (threadIdx.x & 31) < range.n && truing_set(a.mask, range.start + at + (threadIdx.x & 31))));
    any = count > 0;
    if (!a.by_length) return a.lambda_policy;
    const double x = a.length_alpha * (double)count;
    return x > 1.0 ? 1.0 - 1.0 / x : 0.0;
}
extern "C" __global__ __launch_bounds__(128) void truing_gae_forward(const __grid_constant__ truing_gae_args a) {
    truing_wait();
    const truing_i64 b = truing_warp();
    const truing_u32 lane = threadIdx.x & 31;
    if (b >= a.sequences) return;
    const truing_range range = truing_tokens(a.offsets, a.width, a.tokens, a.sequences, b);
    bool any;
    const double policy = truing_lambda(a, range, any);
    const double decay[2] = {a.gamma * policy, a.gamma * a.lambda_value};
    const bool with = a.values.data != 0;
    const double end = a.value_end.data ? truing_double_at(a.value_end, b) : 0.0, baseline = a.baseline.data ? truing_double_at(a.baseline, b) : 0.0;
    // what is behind the end: a value, or without values a return
    double value = with ? end : 0.0, carry[2];
    carry[0] = carry[1] = with ? 0.0 : end;
    truing_u32 status = range.n > 0 ? truing_inputs(end) : 0;
    bool odd = status != 0; // of the tokens behind
    for (truing_i64 at = (range.n - 1) / 32 * 32; at >= 0 && range.n > 0; at -= 32) {
        const truing_i64 i = range.start + at + lane;
        const bool here = at + lane < range.n, live = here && truing_set(a.mask, i);
        const bool reads = live || (here && a.masks == TRUING_MASKS_IGNORE), steps = live || (here && a.masks != TRUING_MASKS_CARRY);
        const double r = reads ? truing_double_at(a.rewards, i) : 0.0, v = reads && with ? truing_double_at(a.values, i) : 0.0;
        const truing_u32 own = truing_inputs(r) | truing_inputs(v), which = __ballot_sync(TRUING_ALL_LANES, steps);
        // the value of the next token that counts
        const truing_u32 behind = lane == 31 ? 0 : which >> (lane + 1);
        const double next = __shfl_sync(TRUING_ALL_LANES, v, behind ? (int)lane + __ffs((int)behind) : (int)lane);
        const double delta = with ? truing_product(a.gamma, behind ? next : value, r) - v : r;
        double mine[2] = {0.0, 0.0};
        if (decay[0] != 0.0 && decay[1] != 0.0) {
            // nothing but the chains waits
#pragma unroll
            for (int k = 31; k >= 0; k--) {
                const double d = __shfl_sync(TRUING_ALL_LANES, delta, k), x = truing_fma(decay[0], carry[0], d), y = truing_fma(decay[1], carry[1], d);
                carry[0] = which >> k & 1 ? x : carry[0];
                carry[1] = which >> k & 1 ? y : carry[1];
                mine[0] = lane == (truing_u32)k ? carry[0] : mine[0];
                mine[1] = lane == (truing_u32)k ? carry[1] : mine[1];
            }
        } else {
            for (int k = 31; k >= 0; k--) {
                const double d = __shfl_sync(TRUING_ALL_LANES, delta, k);
                if (!(which >> k & 1)) continue;
                carry[0] = truing_product(decay[0], carry[0], d);
                carry[1] = truing_product(decay[1], carry[1], d);
                if (lane != (truing_u32)k) continue;
                mine[0] = carry[0];
                mine[1] = carry[1];
            }
        }
        if (which) value = __shfl_sync(TRUING_ALL_LANES, v, __ffs((int)which) - 1);
        const double advantage = !live ? 0.0 : with ? mine[0] : mine[0] - baseline, to_go = !live ? 0.0 : with ? mine[1] + v : mine[1];
        const truing_u32 bad = __ballot_sync(TRUING_ALL_LANES, own != 0);
        if (steps) {
            status |= own;
            if (a.out_advantages.data) status |= truing_overflow(advantage, a.out_advantages);
            if (a.out_returns.data) status |= truing_overflow(to_go, a.out_returns);
            if (!odd && bad >> lane == 0 && !(truing_finite(advantage) && truing_finite(to_go))) status |= TRUING_ROW_OVERFLOW;
        }
        odd |= bad != 0;
        if (!here) continue;
        truing_put_real(a.out_advantages, i, advantage);
        truing_put_real(a.out_returns, i, to_go);
    }
    status = __reduce_or_sync(TRUING_ALL_LANES, status);
    if (lane == 0) truing_put(a.out_status, b, range.wrong ? TRUING_ROW_OUT_OF_RANGE : any ? status : status | TRUING_ROW_EMPTY);
}
extern "C" __global__ __launch_bounds__(128) void truing_gae_backward(const __grid_constant__ truing_gae_args a) {
    truing_wait();
    const truing_i64 b = truing_warp();
    const truing_u32 lane = threadIdx.x & 31;
    if (b >= a.sequences) return;
    const truing_range range = truing_tokens(a.offsets, a.width, a.tokens, a.sequences, b);
    bool any;
    const double policy = truing_lambda(a, range, any);
    const double decay[2] = {a.gamma * policy, a.gamma * a.lambda_value};
    double carry[2] = {0.0, 0.0};
    for (truing_i64 at = 0; at < range.n; at += 32) {
        const truing_i64 i = range.start + at + lane;
        const bool here = at + lane < range.n, live = here && truing_set(a.mask, i);
        const double g = live && a.grad_advantages.data ? truing_double_at(a.grad_advantages, i) : 0.0;
        const double h = live && a.grad_returns.data ? truing_double_at(a.grad_returns, i) : 0.0;
        const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, live || (here && a.masks != TRUING_MASKS_CARRY));
        double before = 0.0, both = 0.0;
#pragma unroll
        for (int k = 0; k < 32; k++) {
            const double x = __shfl_sync(TRUING_ALL_LANES, g, k), y = __shfl_sync(TRUING_ALL_LANES, h, k);
            if (!(which >> k & 1)) continue;
            if (lane == (truing_u32)k) before = carry[0] + carry[1];
            carry[0] = x + decay[0] * carry[0];
            carry[1] = y + decay[1] * carry[1];
            if (lane == (truing_u32)k) both = carry[0] + carry[1];
        }
        if (!here) continue;
        const bool counts = live || a.masks == TRUING_MASKS_IGNORE;
        truing_put_real(a.grad_rewards, i, counts ? both : 0.0);
        truing_put_real(a.grad_values, i, counts ? (a.gamma * before - both) + h : 0.0);
    }
    if (lane == 0) truing_put_real(a.grad_value_end, b, range.wrong ? TRUING_NAN : a.gamma * (carry[0] + carry[1]));
}

enum { TRUING_EPS_ADD = 1, TRUING_EPS_SKIP_ZERO, TRUING_EPS_VARIANCE_ADD, TRUING_EPS_VARIANCE_MAX };
#define TRUING_PORTION 1024
struct truing_whiten_args {
    truing_view values, mask, counts, states, out_values, out_state, out_moments, out_status;
    double *parts;     // [parts, 3]: number, mean, squares
    double *totals;    // mean, divisor, whether anything is written, whether some input cannot be used
    truing_u32 *marks; // [parts]
    truing_i64 rows, many, ranks;
    double eps;
    truing_u32 population, eps_kind, keep_mean, reserved;
};
TRUING_FN double truing_count(const truing_whiten_args &a, truing_i64 i) { return a.counts.data ? (double)truing_int_at(a.counts, i) : 1.0; }
TRUING_FN bool truing_counted(const truing_whiten_args &a, truing_i64 i) { return truing_set(a.mask, i) && truing_count(a, i) > 0.0; }
// Joins eight chains, a lane each; all of them get the sum.
TRUING_FN double truing_eight(double x) {
    for (int w = 1; w < 8; w *= 2) x = x + __shfl_xor_sync(TRUING_ALL_LANES, x, w);
    return x;
}
extern "C" __global__ __launch_bounds__(TRUING_PORTION, 1) void truing_whiten_parts(const __grid_constant__ truing_whiten_args a) {
    truing_wait();
    truing_let_go();
    __shared__ double values[TRUING_PORTION], weights[TRUING_PORTION];
    __shared__ truing_u32 of_warp[TRUING_PORTION / 32], marks[TRUING_PORTION / 32];
    const truing_u32 thread = threadIdx.x, lane = thread & 31, warp = thread / 32;
    const truing_i64 i = (truing_i64)blockIdx.x * TRUING_PORTION + thread;
    const bool counted = i < a.rows && truing_counted(a, i);
    const double x = counted ? truing_double_at(a.values, i) : 0.0;
    const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, counted);
    truing_u32 mark = counted ? truing_inputs(x) : 0;
    if (a.counts.data && i < a.rows && truing_int_at(a.counts, i) < 0) mark |= TRUING_ROW_OUT_OF_RANGE;
    mark = __reduce_or_sync(TRUING_ALL_LANES, mark);
    if (lane == 0) {
        of_warp[warp] = (truing_u32)__popc(which);
        marks[warp] = mark;
    }
    __syncthreads();
    truing_u32 place = (truing_u32)__popc(which & ((1u << lane) - 1)), held = 0;
    for (truing_u32 k = 0; k < TRUING_PORTION / 32; k++) {
        if (k < warp) place += of_warp[k];
        held += of_warp[k];
    }
    if (counted) {
        values[place] = x;
        weights[place] = truing_count(a, i);
    }
    __syncthreads();
    if (warp != 0) return;
    mark = __reduce_or_sync(TRUING_ALL_LANES, marks[lane]);
    double *to = a.parts + 3 * (truing_i64)blockIdx.x;
    if (held == 0) {
        if (lane < 3) to[lane] = 0.0;
        if (lane == 0) a.marks[blockIdx.x] = mark;
        return;
    }
    const double first = values[0];
    const truing_u32 from = lane < 8 ? lane : held;
    double count = 0.0, sum = 0.0, rest = 0.0, squares = 0.0;
    for (truing_u32 k = from; k < held; k += 8) {
        count += weights[k];
        sum += weights[k] * (values[k] - first);
    }
    count = truing_eight(count);
    double shift = truing_eight(sum) / count;
    for (truing_u32 k = from; k < held; k += 8) rest += weights[k] * ((values[k] - first) - shift);
    shift = shift + truing_eight(rest) / count;
    for (truing_u32 k = from; k < held; k += 8) {
        const double d = (values[k] - first) - shift;
        squares += weights[k] * (d * d);
    }
    squares = truing_eight(squares);
    if (lane != 0) return;
    to[0] = count;
    to[1] = first + shift;
    to[2] = squares;
    a.marks[blockIdx.x] = mark;
}
// Chan's formula.
struct truing_state {
    double n, mean, squares;
};
TRUING_FN truing_state truing_join_states(const truing_state &a, const truing_state &b) {
    if (a.n == 0.0) return b;
    if (b.n == 0.0) return a;
    truing_state y;
    const double d = b.mean - a.mean;
    y.n = a.n + b.n;
    y.mean = a.mean + d * (b.n / y.n);
    y.squares = (a.squares + b.squares) + d * d * (a.n * (b.n / y.n));
    return y;
}
extern "C" __global__ __launch_bounds__(32) void truing_whiten_join(const __grid_constant__ truing_whiten_args a) {
    truing_wait();
    truing_let_go();
    const truing_u32 lane = threadIdx.x;
    truing_u32 marks = 0;
    truing_state own = {0.0, 0.0, 0.0}, all = {0.0, 0.0, 0.0};
    for (truing_i64 at = 0; at < a.many; at += 32) {
        truing_state part = {0.0, 0.0, 0.0};
        if (at + lane < a.many) {
            const double *from = a.parts + 3 * (at + lane);
            part.n = from[0];
            part.mean = from[1];
            part.squares = from[2];
            marks |= a.marks[at + lane];
        }
        for (int k = 0; k < 32; k++) {
            truing_state next;
            next.n = __shfl_sync(TRUING_ALL_LANES, part.n, k);
            next.mean = __shfl_sync(TRUING_ALL_LANES, part.mean, k);
            next.squares = __shfl_sync(TRUING_ALL_LANES, part.squares, k);
            own = truing_join_states(own, next);
        }
    }
    marks = __reduce_or_sync(TRUING_ALL_LANES, marks);
    if (lane != 0) return;
    bool wrong = (marks & TRUING_ROW_OUT_OF_RANGE) != 0;
    all = own;
    if (a.states.data) {
        all.n = all.mean = all.squares = 0.0;
        for (truing_i64 k = 0; k < a.ranks; k++) {
            const double *from = truing_row<const double>(a.states, k);
            truing_state next = {from[0], from[1], from[2]};
            wrong |= !(next.n >= 0.0 && next.n < TRUING_INF) || next.squares < 0.0;
            all = truing_join_states(all, next);
        }
    }
    const double variance = truing_variance(all.n, all.squares, a.population), deviation = sqrt(variance);
    truing_u32 status = all.n == 0.0 ? TRUING_ROW_EMPTY : all.n == 1.0 ? TRUING_ROW_DEGENERATE : 0;
    if (!(truing_finite(all.mean) && truing_finite(all.squares))) {
        marks &= TRUING_ROW_NAN_INPUT | TRUING_ROW_INF_INPUT;
        status |= marks == 0 ? TRUING_ROW_NAN_INPUT : marks;
    }
    const double state[3] = {own.n, own.mean, own.squares};
    for (int k = 0; k < 3; k++) truing_put(a.out_state, k, wrong ? TRUING_NAN : state[k]);
    truing_put_real(a.out_moments, 0, wrong ? TRUING_NAN : all.mean);
    truing_put_real(a.out_moments, 1, wrong ? TRUING_NAN : deviation);
    truing_put(a.out_status, 0, wrong ? TRUING_ROW_OUT_OF_RANGE : status);
    // 0 only where all are equal, and then nothing is divided
    const double larger = variance < a.eps ? a.eps : a.eps <= variance ? variance : variance + a.eps;
    a.totals[0] = all.mean;
    a.totals[1] = a.eps_kind == TRUING_EPS_VARIANCE_ADD ? sqrt(variance + a.eps) : a.eps_kind == TRUING_EPS_VARIANCE_MAX ? sqrt(larger) : deviation + a.eps;
    a.totals[2] = all.n > 1.0;
    a.totals[3] = wrong;
}
extern "C" __global__ __launch_bounds__(256) void truing_whiten_values(const __grid_constant__ truing_whiten_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 i = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= a.rows) return;
    double z = 0.0;
    if (a.totals[3] != 0.0) {
        z = TRUING_NAN;
    } else if (a.totals[2] != 0.0 && truing_counted(a, i)) {
        const double x = truing_double_at(a.values, i), mean = a.totals[0];
        z = x == mean ? 0.0 : (x - mean) / a.totals[1];
        if (a.keep_mean) z = z + mean;
    }
    truing_put_real(a.out_values, i, z);
}

struct truing_reward_args {
    truing_view old, reference, rewards, mask, offsets, out_rewards, out_kl, out_status;
    truing_i64 tokens, sequences, width;
    double coef, clamp, low, high;
    truing_u32 estimator, by_sequence;
};
// Status of a result; where it is not a number, `known` may say so already.
TRUING_FN truing_u32 truing_judged_unless(double x, const truing_view &v, bool known) {
    return x == x ? truing_judged(x, v) : known ? 0 : TRUING_ROW_INF_INPUT;
}
// Rewards with a KL penalty; a warp has a sequence.
extern "C" __global__ __launch_bounds__(128, 4) void truing_reward_tokens(const __grid_constant__ truing_reward_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 b = truing_warp();
    const truing_u32 lane = threadIdx.x & 31;
    if (b >= a.sequences) return;
    const truing_range range = truing_tokens(a.offsets, a.width, a.tokens, a.sequences, b);
    truing_i64 last = -1;
    for (truing_i64 at = (range.n - 1) / 32 * 32; at >= 0 && range.n > 0 && last < 0; at -= 32) {
        const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, at + lane < range.n && truing_set(a.mask, range.start + at + lane));
        if (which) last = at + 31 - __clz((int)which);
    }
    truing_u32 status = last < 0 ? TRUING_ROW_EMPTY : 0;
    double reward = a.rewards.data ? truing_double_at(a.rewards, b) : 0.0, sum = 0.0;
    if (reward != reward) status |= TRUING_ROW_NAN_INPUT;
    if (reward < a.low || reward > a.high) {
        status |= TRUING_ROW_SATURATED;
        reward = reward < a.low ? a.low : a.high;
    }
    const truing_u32 undefined = TRUING_ROW_NAN_INPUT | TRUING_ROW_INF_INPUT;
    bool known = (status & undefined) != 0; // of the tokens before
    for (truing_i64 at = 0; at < range.n; at += 32) {
        const truing_i64 i = range.start + at + lane;
        const bool here = at + lane < range.n, live = here && truing_set(a.mask, i);
        double k = 0.0, r = 0.0;
        truing_u32 own = 0;
        if (live) {
            const double x = truing_double_at(a.old, i), y = truing_double_at(a.reference, i);
            k = truing_estimated(a.estimator, x, y);
            if (k != k) {
                own = x != x || y != y ? TRUING_ROW_NAN_INPUT : TRUING_ROW_INF_INPUT;
            } else if (truing_abs(k) > a.clamp) {
                own = TRUING_ROW_SATURATED;
                k = k < 0.0 ? -a.clamp : a.clamp;
            }
            const double outcome = at + lane == last ? reward : 0.0;
            r = a.coef == 0.0 ? outcome : outcome - a.coef * k;
        }
        sum = truing_chain(sum, k, __ballot_sync(TRUING_ALL_LANES, live));
        const truing_u32 marked = __ballot_sync(TRUING_ALL_LANES, (own & undefined) != 0);
        if (live && !a.by_sequence) own |= truing_judged_unless(r, a.out_rewards, known || (marked & (0xffffffffu >> (31 - lane))) != 0);
        known |= marked != 0;
        status |= own;
        if (here && !a.by_sequence) truing_put_real(a.out_rewards, i, r);
    }
    status = __reduce_or_sync(TRUING_ALL_LANES, status);
    if (lane != 0) return;
    if (a.by_sequence) {
        const double r = a.coef == 0.0 ? reward : reward - a.coef * sum;
        status |= truing_judged_unless(r, a.out_rewards, (status & undefined) != 0);
        truing_put_real(a.out_rewards, b, range.wrong ? TRUING_NAN : r);
    }
    truing_put_real(a.out_kl, b, range.wrong ? TRUING_NAN : sum);
    truing_put(a.out_status, b, range.wrong ? TRUING_ROW_OUT_OF_RANGE : status);
}

// Advantages under a multiplier exp(z): sigma(-z) reward - sigma(z) cost, and the multiplier's gradient. The arguments are those of
// the rewards: `old` are advantages of rewards, `reference` those of costs, `rewards` is z, `offsets` the mean cost.
extern "C" __global__ __launch_bounds__(256) void truing_reward_lagrangian(const __grid_constant__ truing_reward_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 i = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    // one that is NaN, which the host could not refuse, goes through
    const double z = truing_double_at(a.rewards, 0), reward = truing_sigmoid(-z), cost = truing_sigmoid(z);
    if (i == 0 && a.out_kl.data) {
        const double gap = truing_double_at(a.offsets, 0) - a.coef, multiplier = truing_exp(z);
        truing_put_real(a.out_kl, 0, multiplier == 0.0 || gap == 0.0 ? 0.0 : -gap * multiplier);
    }
    if (i >= a.tokens) return;
    double y = 0.0;
    if (truing_set(a.mask, i))
        y = (reward == 0.0 ? 0.0 : reward * truing_double_at(a.old, i)) - (cost == 0.0 ? 0.0 : cost * truing_double_at(a.reference, i));
    truing_put_real(a.out_rewards, i, y);
}

enum { TRUING_OPD, TRUING_IW_OPD, TRUING_RLSD, TRUING_MINILLM };
struct truing_distill_args {
    truing_view student, teacher, advantages, token_rewards, mask, offsets, out_advantages, out_status;
    truing_i64 tokens, sequences, width;
    double p[2]; // coef, clamp; gain; mix, eps; gamma
    truing_u32 form, estimator, by_sequence, missing_zero, negative_only, per_length, position_power, reserved;
};
TRUING_FN double truing_power_of(double x, truing_i64 n) {
    double y = 1.0;
    for (double square = x; n > 0; square *= square, n /= 2)
        if (n % 2 == 1) y *= square;
    return y;
}
// Advantages from a teacher; a warp has a sequence, from its end where the form adds up what follows.
extern "C" __global__ __launch_bounds__(128, 4) void truing_distill_tokens(const __grid_constant__ truing_distill_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 b = truing_warp();
    const truing_u32 lane = threadIdx.x & 31;
    if (b >= a.sequences) return;
    const truing_range range = truing_tokens(a.offsets, a.width, a.tokens, a.sequences, b);
    const truing_u32 undefined = TRUING_ROW_NAN_INPUT | TRUING_ROW_INF_INPUT;
    const double low = truing_log1p(-a.p[1]), high = truing_log1p(a.p[1]), gamma = a.p[0];
    // sums of |d| of all and before a token; numerator and denominator from the end
    double all = 0.0, before = 0.0, sum = 0.0, ones = 0.0;
    for (truing_i64 at = 0; a.form == TRUING_IW_OPD && at < range.n; at += 32) {
        const truing_i64 i = range.start + at + lane;
        const bool live = at + lane < range.n && truing_set(a.mask, i);
        const double t = live ? truing_double_at(a.teacher, i) : 0.0, o = live ? truing_double_at(a.student, i) : 0.0;
        all = truing_chain(all, a.missing_zero && t != t ? 0.0 : truing_abs(t - o), __ballot_sync(TRUING_ALL_LANES, live));
    }
    truing_u32 status = 0;
    bool any = false, known = false;
    for (truing_i64 at = 0; at < range.n; at += 32) {
        const truing_i64 step = at + lane, place = a.form == TRUING_MINILLM ? range.n - 1 - step : step, i = range.start + place;
        const bool here = step < range.n, live = here && truing_set(a.mask, i);
        const double o = live ? truing_double_at(a.student, i) : 0.0, t = live ? truing_double_at(a.teacher, i) : 0.0;
        const bool missing = a.missing_zero && t != t;
        const double d = missing ? 0.0 : t - o;
        const double given = live && a.advantages.data ? truing_double_at(a.advantages, a.by_sequence ? b : i) : 0.0;
        const double q = live && a.token_rewards.data ? truing_double_at(a.token_rewards, i) : d;
        const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, live), steps = __ballot_sync(TRUING_ALL_LANES, here);
        any |= which != 0;
        double y = 0.0, own_before = before, own_sum = 0.0, own_ones = 0.0;
        truing_u32 own = 0;
        // in the order of the tokens, whichever lanes have them
        for (int k = 0; k < 32 && (a.form == TRUING_IW_OPD || a.form == TRUING_MINILLM); k++) {
            const double next = __shfl_sync(TRUING_ALL_LANES, a.form == TRUING_IW_OPD ? truing_abs(d) : q, k);
            if (a.form == TRUING_IW_OPD) {
                if (lane == (truing_u32)k) own_before = before;
                if (which >> k & 1) before += next;
                continue;
            }
            if (!(steps >> k & 1)) continue;
            sum = gamma == 0.0 ? 0.0 : gamma * sum;
            ones = gamma == 0.0 ? 0.0 : gamma * ones;
            if (which >> k & 1) {
                sum += next;
                ones += 1.0;
            }
            if (lane == (truing_u32)k) {
                own_sum = sum;
                own_ones = ones;
            }
        }
        if (live && a.form == TRUING_MINILLM) {
            y = a.per_length ? own_sum / own_ones : own_sum;
            if (a.position_power) y *= truing_power_of(gamma, place);
        } else if (live && a.form == TRUING_OPD) {
            double term = 0.0;
            if (!missing && a.p[0] != 0.0) {
                double k = a.estimator == 0 ? o - t : truing_estimated(a.estimator, o, t);
                if (k != k) {
                    own = o != o || t != t ? TRUING_ROW_NAN_INPUT : TRUING_ROW_INF_INPUT;
                } else if (truing_abs(k) > a.p[1]) {
                    own = TRUING_ROW_SATURATED;
                    k = k < 0.0 ? -a.p[1] : a.p[1];
                }
                term = a.p[0] * k;
            }
            y = given - term;
        } else if (live && a.form == TRUING_IW_OPD) {
            y = d * (1.0 + a.p[0] * (1.0 - own_before / (all < 1e-8 ? 1e-8 : all)));
        } else if (live) {
            y = given;
            if (given != 0.0 && !(a.negative_only && given > 0.0)) {
                const double e = given < 0.0 ? -d : d, raised = e < low ? low : e;
                if (e < low || e > high) own = TRUING_ROW_SATURATED;
                y = given * ((1.0 - a.p[0]) + a.p[0] * truing_exp(raised > high ? high : raised));
            }
        }
        bool carried = false;
        if (live && !truing_finite(y)) {
            const bool nan = a.token_rewards.data ? q != q : d != d && (o != o || t != t);
            if (y == y) own |= TRUING_ROW_INFINITE;
            else if (nan || given != given) own |= TRUING_ROW_NAN_INPUT;
            else carried = true; // from a token that has said so, or it says so itself
        }
        const truing_u32 marked = __ballot_sync(TRUING_ALL_LANES, (own & undefined) != 0);
        if (carried && !known && (marked & (0xffffffffu >> (31 - lane))) == 0) own |= TRUING_ROW_INF_INPUT;
        known |= __ballot_sync(TRUING_ALL_LANES, (own & undefined) != 0) != 0;
        if (here && a.out_advantages.data) {
            own |= truing_overflow(y, a.out_advantages);
            truing_put_real(a.out_advantages, i, y);
        }
        status |= own;
    }
    status = __reduce_or_sync(TRUING_ALL_LANES, status);
    if (lane == 0) truing_put(a.out_status, b, range.wrong ? TRUING_ROW_OUT_OF_RANGE : any ? status : status | TRUING_ROW_EMPTY);
}

#define TRUING_OF_GROUP 4 // numbers of truing_baseline_args::moments for each group and source
struct truing_baseline_args {
    truing_view rewards, logps, log_sum_sq, weights, outcome, mask, cu_seqlens, offsets, ids; // offsets and ids: of the groups
    truing_view out_advantages, out_baseline, out_status;
    double *to_go, *path; // [N]: by position, or the k-th live token of a sequence at its k-th place; a path of -1: not live
    double *means;        // [2, B]: of process rewards, outcomes
    double *moments;      // [G, 2, 4]: count, first, shift; rows of the group, or NaN where some input cannot be used
    truing_u32 *reach, *state; // [B]: places up to the last live one, status
    truing_i64 tokens, rows, width, groups;
    double eps, coef[2];
    truing_u32 live_index, keep_tail;
};
TRUING_FN double truing_reward(const truing_baseline_args &a, int k, truing_i64 i) { return a.means[k * a.rows + i]; }
TRUING_FN truing_range truing_sequence_of(const truing_baseline_args &a, truing_i64 b) {
    return truing_tokens(a.cu_seqlens, a.width, a.tokens, a.rows, b);
}
// The group of a row; -1: none, by what the host could not look at.
TRUING_FN truing_i64 truing_group_of(const truing_baseline_args &a, truing_i64 row) {
    if (a.ids.data) {
        const truing_i64 id = truing_int_at(a.ids, row);
        return id < 0 || id >= a.groups ? -1 : id;
    }
    truing_i64 low = 0, high = a.groups;
    while (high - low > 1) {
        const truing_i64 middle = low + (high - low) / 2;
        if (truing_int_at(a.offsets, middle) <= row) low = middle;
        else high = middle;
    }
    const truing_range r = truing_tokens(a.offsets, 0, a.rows, a.groups, low);
    return r.wrong || row < r.start || row - r.start >= r.n ? -1 : low;
}
// The expected squared size of a token's score function.
TRUING_FN double truing_score_size(const truing_baseline_args &a, truing_i64 i) {
    const double l = truing_double_at(a.logps, i), s = truing_double_at(a.log_sum_sq, i), own = truing_expm1(l);
    const double gap = truing_larger(s - 2.0 * l, 0.0), w = a.weights.data ? truing_double_at(a.weights, i) : 1.0;
    return (own * own - truing_exp(s) * truing_expm1(-gap)) * (w * w);
}
// Sums of what a sequence has at each of its live tokens and behind it, in the order of the CPU: from the end.
TRUING_FN double truing_from_end(double own, truing_u32 which, double &sum) {
    double mine = sum;
    // whole, it would need more predicates than some devices have
#pragma unroll 4
    for (int k = 31; k >= 0; k--) {
        const double x = __shfl_sync(TRUING_ALL_LANES, own, k);
        if (which >> k & 1) sum += x;
        if ((threadIdx.x & 31) == (truing_u32)k) mine = sum;
    }
    return mine;
}
extern "C" __global__ __launch_bounds__(128) void truing_baseline_rows(const __grid_constant__ truing_baseline_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 b = truing_warp();
    const truing_u32 lane = threadIdx.x & 31;
    if (b >= a.rows) return;
    const truing_range range = truing_sequence_of(a, b);
    truing_u32 status = 0;
    truing_i64 live = 0, reach = 0;
    double path = 0.0, sum = 0.0;
    for (truing_i64 at = 0; at < range.n; at += 32) {
        const truing_i64 i = range.start + at + lane;
        const bool here = at + lane < range.n, own = here && truing_set(a.mask, i);
        const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, own);
        const double w = own ? truing_score_size(a, i) : 0.0;
        if (own) status |= truing_inputs(truing_double_at(a.rewards, i)) | truing_inputs(w);
        double mine = 0.0;
#pragma unroll 4
        for (int k = 0; k < 32; k++) {
            const double x = __shfl_sync(TRUING_ALL_LANES, w, k);
            if (which >> k & 1) path += x;
            if (lane == (truing_u32)k) mine = path;
        }
        if (!a.live_index && here) a.path[i] = own ? mine : -1.0;
        if (a.live_index && own) a.path[range.start + live + __popc(which & ((1u << lane) - 1))] = mine;
        live += __popc(which);
        if (which) reach = a.live_index ? live : at + 32 - __clz((int)which);
    }
    for (truing_i64 at = (range.n - 1) / 32 * 32, behind = 0; at >= 0 && range.n > 0; at -= 32) {
        const truing_i64 i = range.start + at + lane;
        const bool here = at + lane < range.n, own = here && truing_set(a.mask, i);
        const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, own);
        const double mine = truing_from_end(own ? truing_double_at(a.rewards, i) : 0.0, which, sum);
        if (!a.live_index && here) a.to_go[i] = mine;
        behind += __popc(which);
        if (a.live_index && own) a.to_go[range.start + live - behind + __popc(which & ((1u << lane) - 1))] = mine;
    }
    status = __reduce_or_sync(TRUING_ALL_LANES, status);
    if (lane != 0) return;
    if (live == 0) status |= TRUING_ROW_EMPTY;
    if (status == 0 && !truing_finite(path)) status |= TRUING_ROW_OVERFLOW;
    if (range.wrong || truing_group_of(a, b) < 0) status = TRUING_ROW_OUT_OF_RANGE;
    a.reach[b] = (truing_u32)reach;
    a.state[b] = status;
    truing_put(a.out_status, b, status);
}
extern "C" __global__ __launch_bounds__(128) void truing_baseline_tokens(const __grid_constant__ truing_baseline_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 b = truing_warp();
    const truing_u32 lane = threadIdx.x & 31;
    if (b >= a.rows) return;
    const truing_range range = truing_sequence_of(a, b);
    const truing_i64 g = truing_group_of(a, b);
    bool wrong = g < 0;
    truing_walk walk;
    walk.start = walk.n = 0;
    walk.group = -1;
    if (!wrong) walk = truing_walk_of(a, g, wrong);
    // the second longest row of the group, and whether there is another
    truing_u32 first = 0, second = 0, members = 0;
    for (truing_i64 at = 0; at < walk.n; at += 32) {
        truing_i64 row;
        const bool in = truing_member(a, walk, at, row);
        const truing_u32 reach = in ? a.reach[row] : 0;
        members += __popc(__ballot_sync(TRUING_ALL_LANES, in));
        for (int k = 0; k < 32; k++) {
            const truing_u32 x = __shfl_sync(TRUING_ALL_LANES, reach, k);
            if (x > first) {
                second = first;
                first = x;
            } else if (x > second) {
                second = x;
            }
        }
    }
    truing_i64 live = 0;
    for (truing_i64 at = 0; at < range.n; at += 32) {
        const truing_i64 i = range.start + at + lane;
        const bool here = at + lane < range.n, own = here && truing_set(a.mask, i);
        const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, own);
        const truing_i64 place = a.live_index ? live + __popc(which & ((1u << lane) - 1)) : at + lane;
        live += __popc(which);
        double above = 0.0, below = 0.0;
        for (truing_i64 from = 0; members > 1 && from < walk.n; from += 32) {
            truing_i64 row;
            const bool in = truing_member(a, walk, from, row) && a.state[row] == 0;
            for (truing_u32 rows = __ballot_sync(TRUING_ALL_LANES, in); rows != 0; rows &= rows - 1) {
                const truing_i64 other = __shfl_sync(TRUING_ALL_LANES, row, __ffs((int)rows) - 1);
                if (!own || place >= a.reach[other]) continue;
                const truing_i64 there = truing_sequence_of(a, other).start + place;
                const double path = a.path[there];
                if (path == -1.0) continue;
                above = above + a.to_go[there] * path;
                below = below + path;
            }
            __syncwarp();
        }
        double advantage = 0.0, baseline = 0.0;
        if (own) {
            if (members > 1 && (a.keep_tail || place < second) && below > 0.0) baseline = above / (below + a.eps);
            advantage = a.to_go[range.start + place] - baseline;
        }
        if (wrong) advantage = baseline = TRUING_NAN;
        if (!here) continue;
        truing_put_real(a.out_advantages, i, advantage);
        truing_put_real(a.out_baseline, i, baseline);
    }
}

// Returns of process rewards and outcomes. Of a sequence: the mean of its live tokens, and the outcome if it has one.
extern "C" __global__ __launch_bounds__(128) void truing_baseline_means(const __grid_constant__ truing_baseline_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 b = truing_warp();
    const truing_u32 lane = threadIdx.x & 31;
    if (b >= a.rows) return;
    const truing_range range = truing_sequence_of(a, b);
    const double outcome = a.outcome.data ? truing_double_at(a.outcome, b) : 0.0;
    bool wrong = range.wrong || !truing_finite(outcome);
    double count = 0.0, first = 0.0, shift = 0.0;
    for (int pass = 0; pass < 2; pass++) {
        double sum = 0.0;
        for (truing_i64 at = 0; at < range.n; at += 32) {
            const truing_i64 i = range.start + at + lane;
            const bool own = at + lane < range.n && truing_set(a.mask, i);
            const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, own);
            if (which == 0) continue;
            const double x = own && a.rewards.data ? truing_double_at(a.rewards, i) : 0.0;
            wrong |= !truing_finite(x);
            if (pass == 0) {
                if (count == 0.0) first = __shfl_sync(TRUING_ALL_LANES, x, __ffs((int)which) - 1);
                count += (double)__popc(which);
            }
            sum = truing_chain(sum, pass == 0 ? x - first : (x - first) - shift, which);
        }
        if (count > 0.0) shift = pass == 0 ? sum / count : shift + sum / count;
    }
    wrong = __ballot_sync(TRUING_ALL_LANES, wrong) != 0;
    if (lane != 0) return;
    a.means[b] = first + shift;
    a.means[a.rows + b] = count > 0.0 ? outcome : 0.0;
    a.state[b] = wrong ? TRUING_ROW_OUT_OF_RANGE : count > 0.0 ? 0 : TRUING_ROW_EMPTY;
}
extern "C" __global__ __launch_bounds__(128) void truing_baseline_groups(const __grid_constant__ truing_baseline_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 g = truing_warp();
    if (g >= a.groups) return;
    bool wrong = false;
    const truing_walk walk = truing_walk_of(a, g, wrong);
    truing_i64 members = 0;
    for (truing_i64 at = 0; at < walk.n; at += 32) {
        truing_i64 row;
        const bool in = truing_member(a, walk, at, row);
        members += __popc(__ballot_sync(TRUING_ALL_LANES, in));
        wrong |= in && a.state[row] == TRUING_ROW_OUT_OF_RANGE;
    }
    wrong = __ballot_sync(TRUING_ALL_LANES, wrong) != 0 || members == 1;
    for (int k = 0; k < 2; k++) {
        const truing_moments m = truing_moments_of(a, walk, k, -1);
        double *to = a.moments + (g * 2 + k) * TRUING_OF_GROUP;
        if ((threadIdx.x & 31) != 0) continue;
        to[0] = m.count;
        to[1] = m.first;
        to[2] = m.shift;
        to[3] = wrong ? TRUING_NAN : (double)members;
    }
}
extern "C" __global__ __launch_bounds__(128) void truing_baseline_returns(const __grid_constant__ truing_baseline_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 b = truing_warp();
    const truing_u32 lane = threadIdx.x & 31;
    if (b >= a.rows) return;
    const truing_range range = truing_sequence_of(a, b);
    const truing_i64 g = truing_group_of(a, b);
    truing_moments m[2];
    double members = TRUING_NAN;
    for (int k = 0; k < 2; k++) {
        const double *from = a.moments + ((g < 0 ? 0 : g) * 2 + k) * TRUING_OF_GROUP;
        m[k].count = m[k].first = m[k].shift = m[k].squares = 0.0;
        if (g < 0) continue;
        m[k].first = from[1];
        m[k].shift = from[2];
        members = from[3];
    }
    const bool wrong = members != members;
    const double ratio = members / (members - 1.0);
    const double last = a.outcome.data ? a.coef[1] * (truing_centred(m[1], truing_double_at(a.outcome, b)) * ratio) : 0.0;
    truing_u32 status = a.state[b];
    double sum = 0.0;
    bool ended = !a.outcome.data;
    for (truing_i64 at = (range.n - 1) / 32 * 32; at >= 0 && range.n > 0; at -= 32) {
        const truing_i64 i = range.start + at + lane;
        const bool here = at + lane < range.n, own = here && truing_set(a.mask, i);
        const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, own);
        const double step = own && a.rewards.data ? a.coef[0] * (truing_centred(m[0], truing_double_at(a.rewards, i)) * ratio) : 0.0;
        // at the last live token the outcome comes behind its own step
        const int end = ended || which == 0 ? -1 : 31 - __clz((int)which);
        double mine = sum;
#pragma unroll
        for (int k = 31; k >= 0; k--) {
            const double x = __shfl_sync(TRUING_ALL_LANES, step, k);
            if (which >> k & 1) sum += x;
            if (k == end) sum += last;
            if (lane == (truing_u32)k) mine = sum;
        }
        ended |= which != 0;
        if (own) status |= (truing_finite(mine) ? 0 : TRUING_ROW_OVERFLOW) | (a.out_advantages.data ? truing_overflow(mine, a.out_advantages) : 0);
        if (here) truing_put_real(a.out_advantages, i, wrong ? TRUING_NAN : own ? mine : 0.0);
    }
    status = __reduce_or_sync(TRUING_ALL_LANES, status);
    if (lane == 0) truing_put(a.out_status, b, wrong || range.wrong ? TRUING_ROW_OUT_OF_RANGE : status);
}

// Operations over objectives, and the step of a coefficient.
#define TRUING_OBJECTIVES 64 // most
#define TRUING_AHEAD 4       // times 32 tokens are read before one of them is added
enum { TRUING_OF_BATCH = 1, TRUING_OF_SEQUENCE, TRUING_OF_TOKEN };
struct truing_objective_args {
    truing_view values;                    // [n, N]; [n, m]; [n, n]
    truing_view logps, anchor, mask, offsets; // of tokens; or the measured figure and the coefficient
    truing_view out, out_weights, out_status;
    truing_i64 rows, columns, tokens, sequences, width;
    double p[4];
    truing_u32 form, reserved;
};
// The clipped advantage of a token that counts, and whether it is none.
TRUING_FN double truing_clipped(const truing_objective_args &a, truing_i64 row, truing_i64 t, bool &nan) {
    const double x = truing_double_in(a.values, row, t), ratio = truing_double_at(a.logps, t) - truing_double_at(a.anchor, t);
    nan |= x != x || ratio != ratio;
    return x > 0.0 && ratio <= a.p[0] ? x : 0.0;
}
extern "C" __global__ __launch_bounds__(128) void truing_objective_sums(const __grid_constant__ truing_objective_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 warp = truing_warp();
    const truing_u32 lane = threadIdx.x & 31;
    if (warp >= a.rows * a.columns) return;
    const truing_i64 row = warp / a.columns, column = warp % a.columns;
    truing_range range;
    range.start = 0;
    range.n = a.tokens;
    range.wrong = false;
    if (a.form == TRUING_OF_SEQUENCE) range = truing_tokens(a.offsets, a.width, a.tokens, a.sequences, column);
    double sum = 0.0;
    truing_i64 count = 0;
    bool nan = false;
    for (truing_i64 at = 0; at < range.n; at += 32 * TRUING_AHEAD) {
        double own[TRUING_AHEAD];
        truing_u32 which = 0;
#pragma unroll
        for (int q = 0; q < TRUING_AHEAD; q++) {
            const truing_i64 here = at + 32 * q + lane, t = range.start + here;
            const bool live = here < range.n && truing_set(a.mask, t);
            own[q] = live ? truing_clipped(a, row, t, nan) : 0.0;
            which += live;
        }
        count += __reduce_add_sync(TRUING_ALL_LANES, which);
#pragma unroll
        for (int q = 0; q < TRUING_AHEAD; q++) sum = truing_chain(sum, own[q], __ballot_sync(TRUING_ALL_LANES, own[q] > 0.0));
    }
    nan = __ballot_sync(TRUING_ALL_LANES, nan) != 0 || range.wrong;
    if (lane == 0) truing_put_real_in(a.out, row, column, nan ? TRUING_NAN : count == 0 ? 0.0 : sum / (double)count);
}
extern "C" __global__ __launch_bounds__(128) void truing_objective_tokens(const __grid_constant__ truing_objective_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 thread = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (thread >= a.rows * a.tokens) return;
    const truing_i64 row = thread / a.tokens, t = thread % a.tokens;
    bool nan = false;
    const double x = truing_set(a.mask, t) ? truing_clipped(a, row, t, nan) : 0.0;
    truing_put_real_in(a.out, row, t, nan ? TRUING_NAN : x);
}
// A thread has a column.
extern "C" __global__ __launch_bounds__(128) void truing_objective_interval(const __grid_constant__ truing_objective_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 k = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= a.columns) return;
    truing_u32 status = 0;
    truing_i64 low = 0, high = 0;
    double least = 0.0, most = 0.0;
    for (truing_i64 i = 0; i < a.rows; i++) {
        const double x = truing_double_in(a.values, i, k);
        status |= truing_inputs(x);
        if (i == 0 || x < least) {
            low = i;
            least = x;
        }
        if (i == 0 || x > most) {
            high = i;
            most = x;
        }
    }
    // the objective that has all of the weight; of numbers of either sign none
    const truing_i64 all = least > 0.0 || least == most ? low : most < 0.0 ? high : -1;
    double value = least > 0.0 ? least : most < 0.0 ? most : 0.0;
    if (status != 0) value = TRUING_NAN;
    // halves, so that their distance is a number
    const double p = 0.5 * least, q = 0.5 * most;
    for (truing_i64 i = 0; i < a.rows; i++) {
        double w = 0.0;
        if (status != 0) w = TRUING_NAN;
        else if (all >= 0) w = all == i ? 1.0 : 0.0;
        else if (i == low) w = q / (q - p);
        else if (i == high) w = -p / (q - p);
        truing_put_real_in(a.out_weights, i, k, w);
    }
    truing_put_real(a.out, k, value);
    truing_put(a.out_status, k, status);
}
// A warp has a pair of rows; with rows of length 1 it adds up their own squares beside their product.
extern "C" __global__ __launch_bounds__(128) void truing_objective_gram(const __grid_constant__ truing_objective_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 warp = truing_warp(), i = warp / a.rows, j = warp % a.rows;
    const truing_u32 lane = threadIdx.x & 31;
    if (i >= a.rows || j > i) return;
    double sum = 0.0, squares[2] = {0.0, 0.0};
    truing_i64 count = 0;
    for (truing_i64 at = 0; at < a.tokens; at += 32 * TRUING_AHEAD) {
        double x[TRUING_AHEAD], y[TRUING_AHEAD];
        truing_u32 which[TRUING_AHEAD];
#pragma unroll
        for (int q = 0; q < TRUING_AHEAD; q++) {
            const truing_i64 t = at + 32 * q + lane;
            const bool live = t < a.tokens && truing_set(a.mask, t);
            x[q] = live ? truing_double_in(a.values, i, t) : 0.0;
            y[q] = live ? truing_double_in(a.values, j, t) : 0.0;
            which[q] = __ballot_sync(TRUING_ALL_LANES, live);
            count += __popc(which[q]);
        }
#pragma unroll
        for (int q = 0; q < TRUING_AHEAD; q++) {
            sum = truing_chain(sum, x[q] * y[q], which[q]);
            if (!a.form) continue;
            squares[0] = truing_chain(squares[0], x[q] * x[q], which[q]);
            squares[1] = truing_chain(squares[1], y[q] * y[q], which[q]);
        }
    }
    if (lane != 0) return;
    double m = count == 0 ? 0.0 : sum / (double)count;
    if (a.form) {
        const double p = sqrt(squares[0]), q = sqrt(squares[1]);
        m = sum / ((p > 0.0 ? p : 1.0) * (q > 0.0 ? q : 1.0));
    }
    truing_put_real_in(a.out, i, j, m);
    if (i != j) truing_put_real_in(a.out, j, i, m);
}

// Weights of least norm, with the CPU's steps in its order. Each warp has a system of its own; up to 8 objectives eight of
// them take the supports in turn, beyond one goes Wolfe's way.
#define TRUING_SOLVERS 256
struct truing_solver {
    double matrix[(TRUING_OBJECTIVES + 1) * (TRUING_OBJECTIVES + 2)];
    double weights[TRUING_OBJECTIVES], trial[TRUING_OBJECTIVES], product[TRUING_OBJECTIVES];
    double values[TRUING_SOLVERS]; // of supports, NaN where there are no such weights
    truing_u32 support[TRUING_OBJECTIVES], wrong, best;
};
struct truing_system {
    double *matrix, *trial, *product;
    truing_u32 *support;
    double scale;
    int n;
};
TRUING_FN double truing_gram(const truing_objective_args &a, double scale, int i, int j) { return truing_double_in(a.values, i, j) / scale; }
// c' M c; the products of the rows stay.
TRUING_FN double truing_norm(const truing_objective_args &a, const truing_system &x, const double *c) {
    __syncwarp();
    for (int i = threadIdx.x & 31; i < x.n; i += 32) {
        double row = 0.0;
        for (int j = 0; j < x.n; j++) row += truing_gram(a, x.scale, i, j) * c[j];
        x.product[i] = row;
    }
    __syncwarp();
    double sum = 0.0;
    for (int i = 0; i < x.n; i++) sum += c[i] * x.product[i];
    return sum;
}
// Solves [[M_S, 1], [1', 0]] [c; -v] = [0; 1] over the s rows of the support, c in `trial`. False if it is singular.
TRUING_FN bool truing_bordered(const truing_objective_args &a, const truing_system &x, int s) {
    const int n = s + 1, w = n + 1, lane = threadIdx.x & 31;
    double *m = x.matrix;
    __syncwarp();
    for (int e = lane; e < n * w; e += 32) {
        const int i = e / w, j = e % w;
        m[e] = j == n ? (i == s ? 1.0 : 0.0) : i < s && j < s ? truing_gram(a, x.scale, x.support[i], x.support[j]) : i != j ? 1.0 : 0.0;
    }
    __syncwarp();
    for (int k = 0; k < n; k++) {
        int pivot = k;
        double top = truing_abs(m[k * w + k]);
        for (int i = k + 1; i < n; i++) {
            const double own = truing_abs(m[i * w + k]);
            if (own > top) {
                pivot = i;
                top = own;
            }
        }
        if (top < 1e-14) return false;
        __syncwarp();
        for (int j = lane; j < w && pivot != k; j += 32) {
            const double own = m[k * w + j];
            m[k * w + j] = m[pivot * w + j];
            m[pivot * w + j] = own;
        }
        __syncwarp();
        // below the pivot its column holds the factors
        for (int i = k + 1 + lane; i < n; i += 32) m[i * w + k] = m[i * w + k] / m[k * w + k];
        __syncwarp();
        const int rest = w - k - 1;
        for (int e = lane; e < (n - k - 1) * rest; e += 32) {
            const int i = k + 1 + e / rest, j = k + 1 + e % rest;
            m[i * w + j] -= m[i * w + k] * m[k * w + j];
        }
        __syncwarp();
    }
    if (lane == 0)
        for (int k = n - 1; k >= 0; k--) {
            double own = m[k * w + n];
            for (int j = k + 1; j < n; j++) own -= m[k * w + j] * m[j * w + n];
            m[k * w + n] = own / m[k * w + k];
        }
    __syncwarp();
    for (int i = lane; i < s; i += 32) x.trial[i] = m[i * w + n];
    __syncwarp();
    return true;
}
// The weights of the objectives in `bits`, all others 0; false where there are none.
TRUING_FN bool truing_of_support(const truing_objective_args &a, const truing_system &x, truing_u32 bits, double *c) {
    const int lane = threadIdx.x & 31;
    __syncwarp();
    if (lane == 0)
        for (int i = 0, k = 0; i < x.n; i++)
            if (bits >> i & 1) x.support[k++] = (truing_u32)i;
    __syncwarp();
    const int s = __popc(bits);
    if (!truing_bordered(a, x, s)) return false;
    bool negative = false;
    for (int i = 0; i < s; i++) negative |= x.trial[i] < 0.0;
    if (negative) return false;
    for (int i = lane; i < x.n; i += 32) c[i] = bits >> i & 1 ? x.trial[__popc(bits & ((1u << i) - 1))] : 0.0;
    __syncwarp();
    return true;
}
// The support grows by the row that the point sees least of, and loses rows whose weight would be negative; one warp.
TRUING_FN void truing_wolfe(const truing_objective_args &a, const truing_system &x, double *c) {
    const int lane = threadIdx.x & 31;
    int first = 0, size = 1;
    for (int i = 1; i < x.n; i++)
        if (truing_gram(a, x.scale, i, i) < truing_gram(a, x.scale, first, first)) first = i;
    if (lane == 0) {
        x.support[0] = (truing_u32)first;
        c[first] = 1.0;
    }
    for (int round = 0; round < 64 * x.n; round++) {
        const double value = truing_norm(a, x, c);
        int least = 0;
        for (int i = 1; i < x.n; i++)
            if (x.product[i] < x.product[least]) least = i;
        bool known = false;
        for (int k = 0; k < size; k++) known |= x.support[k] == (truing_u32)least;
        if (value - x.product[least] <= a.p[0] || known) return;
        __syncwarp();
        if (lane == 0) x.support[size] = (truing_u32)least;
        size++;
        while (size > 1) {
            if (!truing_bordered(a, x, size)) return;
            bool inside = true;
            for (int k = 0; k < size; k++) inside &= x.trial[k] >= 0.0;
            if (inside) {
                for (int i = lane; i < x.n; i += 32) c[i] = 0.0;
                __syncwarp();
                for (int k = lane; k < size; k += 32) c[x.support[k]] = x.trial[k];
                break;
            }
            int kept = 0;
            if (lane == 0) {
                double step = 1.0;
                for (int k = 0; k < size; k++) {
                    const double own = c[x.support[k]], most = own / (own - x.trial[k]);
                    if (x.trial[k] < 0.0) step = most < step ? most : step <= most ? step : step + most;
                }
                for (int k = 0; k < size; k++) {
                    const truing_u32 i = x.support[k];
                    const double moved = c[i] + step * (x.trial[k] - c[i]);
                    c[i] = moved > 1e-15 ? moved : 0.0;
                    if (c[i] > 0.0) x.support[kept++] = i;
                }
            }
            size = __shfl_sync(TRUING_ALL_LANES, kept, 0);
        }
    }
}
extern "C" __global__ __launch_bounds__(TRUING_SOLVERS, 1) void truing_objective_weights(const __grid_constant__ truing_objective_args a) {
    truing_wait();
    truing_let_go();
    __shared__ truing_solver s;
    const int n = (int)a.rows, thread = (int)threadIdx.x, warp = thread / 32, lane = thread & 31;
    if (thread == 0) s.wrong = s.best = 0;
    if (thread < n) s.weights[thread] = 0.0;
    __syncthreads();
    for (int e = thread; e < n * n; e += TRUING_SOLVERS) {
        const double x = truing_double_in(a.values, e / n, e % n);
        if (!truing_finite(x) || x != truing_double_in(a.values, e % n, e / n) || (e / n == e % n && x < 0.0)) s.wrong = 1;
    }
    __syncthreads();
    double top = 0.0;
    for (int i = 0; i < n; i++) top = truing_larger(top, truing_double_in(a.values, i, i));
    truing_system x;
    x.scale = top > 0.0 ? top : 1.0;
    x.n = n;
    int zero = -1;
    for (int i = n - 1; i >= 0; i--)
        if (truing_gram(a, x.scale, i, i) == 0.0) zero = i;
    const bool every = s.wrong == 0 && zero < 0 && n > 2 && n <= 8;
    const int share = every ? warp : 0;
    x.matrix = s.matrix + 90 * share;
    x.trial = s.trial + 8 * share;
    x.product = s.product + 8 * share;
    x.support = s.support + 8 * share;
    double *c = s.weights + 8 * share;
    if (every) {
        for (truing_u32 bits = 1 + warp; bits < 1u << n; bits += TRUING_SOLVERS / 32) {
            const bool some = truing_of_support(a, x, bits, c);
            const double value = some ? truing_norm(a, x, c) : TRUING_NAN;
            if (lane == 0) s.values[bits] = value;
            __syncwarp();
        }
        __syncthreads();
        // by size, then by number, so that of equal values the smaller support stays
        double least = TRUING_INF;
        if (thread == 0)
            for (int size = 1; size <= n; size++)
                for (truing_u32 bits = 1; bits < 1u << n; bits++)
                    if (__popc(bits) == size && s.values[bits] < least - 1e-15) {
                        least = s.values[bits];
                        s.best = bits;
                    }
        __syncthreads();
    }
    if (warp != 0) return;
    if (s.wrong != 0) {
        for (int i = lane; i < n; i += 32) truing_put_real(a.out_weights, i, TRUING_NAN);
        if (lane == 0) truing_put_real(a.out, 0, TRUING_NAN);
        return;
    }
    if (every) {
        for (int i = lane; i < n; i += 32) c[i] = 0.0;
        if (s.best != 0) truing_of_support(a, x, s.best, c);
    } else if (zero < 0 && n > 2) {
        truing_wolfe(a, x, c);
    } else if (lane == 0) {
        if (zero >= 0 || n == 1) {
            c[zero < 0 ? 0 : zero] = 1.0;
        } else {
            const double p = truing_gram(a, x.scale, 0, 0), q = truing_gram(a, x.scale, 0, 1), r = truing_gram(a, x.scale, 1, 1);
            const double below = (p - q) + (r - q), ratio = truing_larger((r - q) / below, 0.0);
            c[0] = below <= 0.0 ? 0.5 : 1.0 < ratio ? 1.0 : ratio <= 1.0 ? ratio : ratio + 1.0;
            c[1] = 1.0 - c[0];
        }
    }
    const double value = truing_norm(a, x, c) * x.scale;
    for (int i = lane; i < n; i += 32) truing_put_real(a.out_weights, i, c[i]);
    if (lane == 0) truing_put_real(a.out, 0, value);
}

enum { TRUING_RULE_KL, TRUING_RULE_ENTROPY };
extern "C" __global__ __launch_bounds__(32) void truing_objective_coefficient(const __grid_constant__ truing_objective_args a) {
    truing_wait();
    truing_let_go();
    if (threadIdx.x != 0) return;
    const double measured = truing_double_at(a.logps, 0), coef = truing_double_at(a.anchor, 0);
    truing_u32 status = truing_inputs(measured);
    double next = coef, applied = coef;
    if (!(coef >= 0.0 && coef < TRUING_INF)) {
        status = TRUING_ROW_OUT_OF_RANGE;
        next = applied = TRUING_NAN;
    } else if (status == 0 && a.form == TRUING_RULE_KL) {
        // target, batch, horizon; the least of two and the larger leave the first where they are equal
        const double raised = truing_larger(measured / a.p[0] - 1.0, -0.2), error = 0.2 < raised ? 0.2 : raised;
        next = applied = truing_larger(coef * (1.0 + error * a.p[1] / a.p[2]), 0.0);
    } else if (status == 0) {
        // target, step, minimum, maximum
        const bool below = measured <= a.p[0];
        const double raised = truing_larger(below ? coef + a.p[1] : coef - a.p[1], a.p[2]);
        next = a.p[3] < raised ? a.p[3] : raised;
        applied = below ? next : 0.0;
    }
    truing_put_real(a.out, 0, next);
    truing_put_real(a.out_weights, 0, applied);
    truing_put(a.out_status, 0, status);
}
