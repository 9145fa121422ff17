// Distances of sorted probabilities, with the bits of cpu/src/divergence/uld.rs, which says what they are.
//
// 1. truing_uld_mark: one block of threads marks the columns that have a partner.
// 2. truing_uld_rows: a block of threads takes a row in memory of its own. It writes the keys of the columns, sorts them by four
//    digits of 8 bits, equal ones in their order, puts the probabilities beside them, adds up what the definition adds up, each sum
//    by one thread in the order of the keys, and writes the gradients.
#include "divergence.cuh"

#define TRUING_SORTERS 256 // threads
#define TRUING_SORTER_WARPS 8
#define TRUING_DIGITS 256
#define TRUING_SUMS 3
struct truing_uld_args {
    truing_divergence_args d;                 // side 0 is the student's
    truing_view ids[2], scale[2], out_scale;  // [pairs], and [rows]: factors of the sides, the gradient of the student's
    truing_u32 *marks[2];                     // a bit a column: it has a partner
    truing_u32 *wrong;                        // ids that the host could not look at are no pairs
    truing_u64 *slots;                        // of each block of threads: two arrays of a word a column, of either side
    truing_i64 slot, apart[2];                // words of a slot; of an array of a side
    truing_i64 pairs, k;                      // k: columns that count one by one, 0: all
    double beta, matched, unmatched;          // factors of the pairs and of the others
};
struct truing_uld_shared {
    union {
        truing_u32 counts[TRUING_SORTER_WARPS][TRUING_DIGITS];
        double tile[TRUING_SUMS][TRUING_SORTERS];
    };
    truing_u32 starts[4][TRUING_DIGITS];
    truing_u32 low[2], flags[2], bad[2], first[2];
    double sums[TRUING_SUMS];
};

extern "C" __global__ __launch_bounds__(TRUING_SORTERS) void truing_uld_mark(const __grid_constant__ truing_uld_args a) {
    truing_wait();
    const truing_u32 thread = threadIdx.x;
    truing_u32 wrong = 0;
    if (thread == 0) *a.wrong = 0;
#pragma unroll
    for (int side = 0; side < 2; side++)
        for (truing_u32 k = thread; k < (a.d.side[side].vocab + 31) / 32; k += TRUING_SORTERS) a.marks[side][k] = 0;
    __syncthreads();
#pragma unroll
    for (int side = 0; side < 2; side++)
#pragma unroll 1
        for (truing_i64 k = thread; k < a.pairs; k += TRUING_SORTERS) {
            const truing_i64 id = truing_int_at(a.ids[side], k);
            if (id < 0 || id >= (truing_i64)a.d.side[side].valid) wrong = 1;
            else wrong |= atomicOr(a.marks[side] + id / 32, (truing_u32)1 << id % 32) >> id % 32 & 1;
        }
    if (wrong) atomicOr(a.wrong, (truing_u32)1);
}

// Sorts n keys, the largest first, by the 32 bits from `shift` on; what is equal there stays in its order. `other` is used.
TRUING_FN void truing_uld_sort(truing_uld_shared &s, truing_u64 *keys, truing_u64 *other, truing_u32 n, truing_u32 shift) {
    const truing_u32 thread = threadIdx.x, lane = thread & 31, warp = thread / 32;
#pragma unroll
    for (int pass = 0; pass < 4; pass++) s.starts[pass][thread] = 0;
    __syncthreads();
#pragma unroll 1
    for (truing_u32 j = thread; j < n; j += TRUING_SORTERS) {
        const truing_u32 word = ~(truing_u32)(keys[j] >> shift);
#pragma unroll
        for (int pass = 0; pass < 4; pass++) atomicAdd(&s.starts[pass][word >> 8 * pass & 255], (truing_u32)1);
    }
    __syncthreads();
    // a warp a digit: how many lie before each of its values
    if (warp < 4) {
        truing_u32 own[TRUING_DIGITS / 32], sum = 0;
#pragma unroll
        for (int k = 0; k < TRUING_DIGITS / 32; k++) {
            own[k] = sum;
            sum += s.starts[warp][TRUING_DIGITS / 32 * lane + k];
        }
        truing_u32 before = 0;
#pragma unroll
        for (int k = 0; k < 31; k++) {
            const truing_u32 x = __shfl_sync(TRUING_FULL, sum, k);
            before += (truing_u32)k < lane ? x : 0;
        }
#pragma unroll
        for (int k = 0; k < TRUING_DIGITS / 32; k++) s.starts[warp][TRUING_DIGITS / 32 * lane + k] = before + own[k];
    }
    __syncthreads();
#pragma unroll 1
    for (truing_u32 pass = 0; pass < 4; pass++) {
#pragma unroll 1
        for (truing_u32 at = 0; at < n; at += TRUING_SORTERS) {
            const truing_u32 j = at + thread;
            const bool here = j < n;
            const truing_u64 key = here ? keys[j] : 0;
            const truing_u32 digit = ~(truing_u32)(key >> shift) >> 8 * pass & 255;
#pragma unroll
            for (int w = 0; w < TRUING_SORTER_WARPS; w++) s.counts[w][thread] = 0;
            truing_u32 equal = __ballot_sync(TRUING_FULL, here);
#pragma unroll
            for (int bit = 0; bit < 8; bit++) {
                const truing_u32 set = __ballot_sync(TRUING_FULL, digit >> bit & 1);
                equal &= digit >> bit & 1 ? set : ~set;
            }
            const truing_u32 rank = __popc(equal & (((truing_u32)1 << lane) - 1));
            __syncthreads();
            if (here && rank == 0) s.counts[warp][digit] = __popc(equal);
            __syncthreads();
            // where those of each warp go
            truing_u32 to = s.starts[pass][thread];
#pragma unroll
            for (int w = 0; w < TRUING_SORTER_WARPS; w++) {
                const truing_u32 own = s.counts[w][thread];
                s.counts[w][thread] = to;
                to += own;
            }
            s.starts[pass][thread] = to;
            __syncthreads();
            if (here) other[s.counts[warp][digit] + rank] = key;
            __syncthreads(); // the keys of the next pass are there, and the counts have been read
        }
        truing_u64 *const from = keys;
        keys = other;
        other = from;
    }
}

// Adds the n terms of a tile to sums that the first lanes of the first warps hold.
TRUING_FN double truing_uld_chain(const truing_uld_shared &s, truing_u32 sums, truing_u32 n, double sum) {
    const truing_u32 warp = threadIdx.x / 32;
    if ((threadIdx.x & 31) == 0 && warp < sums) {
        const double *const tile = s.tile[warp];
#pragma unroll 8
        for (truing_u32 k = 0; k < n; k++) sum = sum + tile[k];
    }
    return sum;
}
// The sums as every thread sees them.
TRUING_FN void truing_uld_publish(truing_uld_shared &s, double sum) {
    __syncthreads(); // the sums before them have been read
    if ((threadIdx.x & 31) == 0 && threadIdx.x / 32 < TRUING_SUMS) s.sums[threadIdx.x / 32] = sum;
    __syncthreads();
}
TRUING_FN double truing_uld_sign(double x) { return (double)((x > 0.0) - (x < 0.0)); }
TRUING_CALL double truing_mix_wide(double d, double w, double rest) { return truing_mix(d, w, rest); }
TRUING_CALL double truing_log_wide(double x) { return truing_log(x); }

// p W as x + p y, W the slope of the value in the scaled probability.
struct truing_uld_weight {
    double x, y;
};
// A row whose keys are sorted.
struct truing_uld_row {
    const truing_u64 *keys[2]; // those that are sorted, then those that have a partner
    const double *p[2];
    double top[2], log_sum[2], scale[2], log_scale[2];
    double rest; // difference of what counts as one
    truing_u32 sorted[2], ranked;
};
TRUING_FN double truing_uld_sorted(const truing_uld_row &r, int side, truing_u32 at) { return at < r.sorted[side] ? r.p[side][at] : 0.0; }
TRUING_FN double truing_uld_apart(const truing_uld_row &r, truing_u32 at) {
    return r.scale[0] * truing_uld_sorted(r, 0, at) - r.scale[1] * truing_uld_sorted(r, 1, at);
}
// The term of a pair and its weights, with the factor of the pairs.
TRUING_FN double truing_uld_pair(const truing_uld_args &a, const truing_uld_row &r, truing_u32 pair, truing_uld_weight *w) {
#pragma unroll
    for (int side = 0; side < 2; side++) w[side].x = w[side].y = 0.0;
    if (!(a.matched > 0.0)) return 0.0;
    double l[2], scaled[2];
#pragma unroll
    for (int side = 0; side < 2; side++) {
        const truing_u32 at = r.sorted[side] + pair;
        l[side] = r.log_scale[side] + (((double)truing_key_value(r.keys[side][at]) - r.top[side]) - r.log_sum[side]);
        scaled[side] = r.scale[side] * r.p[side][at];
    }
    const double p = scaled[0], t = scaled[1], d = l[1] - l[0];
    const bool live_p = l[0] > -TRUING_INF, live_t = l[1] > -TRUING_INF;
    double value = 0.0;
    if (a.beta == 0.0) {
        if (live_t) {
            value = live_p ? t * d : TRUING_INF;
            w[1].y = d + 1.0;
            w[0].x = -t / r.scale[0];
        }
    } else if (a.beta == 1.0) {
        if (live_p) {
            value = live_t ? p * -d : TRUING_INF;
            w[0].y = -d + 1.0;
            w[1].x = -p / r.scale[1];
        }
    } else {
        const double rest = 1.0 - a.beta;
        double of_t = 0.0, of_p = 0.0;
        if (live_t) {
            const double e = truing_mix_wide(d, a.beta, rest);
            of_t = a.beta * (t * e);
            w[1].y = a.beta * e;
        }
        if (live_p) {
            const double e = truing_mix_wide(-d, rest, a.beta);
            of_p = rest * (p * e);
            w[0].y = rest * e;
        }
        value = of_t + of_p;
    }
#pragma unroll
    for (int side = 0; side < 2; side++) {
        w[side].x = a.matched * w[side].x;
        w[side].y = a.matched * w[side].y;
    }
    return a.matched * value;
}
// Of the column at a place among the keys.
TRUING_FN truing_uld_weight truing_uld_weight_of(const truing_uld_args &a, const truing_uld_row &r, int side, truing_u32 at) {
    truing_uld_weight w[2];
    if (at >= r.sorted[side]) {
        truing_uld_pair(a, r, at - r.sorted[side], w);
        return w[side];
    }
    const double s = truing_uld_sign(at < r.ranked ? truing_uld_apart(r, at) : r.rest);
    w[0].x = 0.0;
    w[0].y = a.unmatched * (side == 0 ? s : -s);
    return w[0];
}
TRUING_FN void truing_uld_put(const truing_view &g, truing_i64 at, double x) {
    if (g.dtype == TRUING_DTYPE_F32) truing_narrow_wide(x, (float *)g.data + at);
    else if (g.dtype == TRUING_DTYPE_BF16) truing_narrow_wide(x, (truing_bf16 *)g.data + at);
    else truing_narrow_wide(x, (truing_f16 *)g.data + at);
}
TRUING_FN void truing_uld_fill(const truing_side &of, truing_i64 row, truing_u32 first, double x) {
    if (!of.grad.data) return;
    const truing_i64 base = truing_offset(of.grad, row);
#pragma unroll 1
    for (truing_u32 j = first + threadIdx.x; j < of.vocab; j += TRUING_SORTERS) truing_uld_put(of.grad, base + j, x);
}
// What a row says; `value` has its weight.
TRUING_FN void truing_uld_say(const truing_uld_args &a, truing_i64 row, double value, double slope, truing_u32 flags) {
    if (threadIdx.x != 0) return;
    truing_put(a.d.out_values, row, (float)value);
    truing_put(a.out_scale, row, (float)slope);
    truing_put(a.d.out_status, row, flags);
    if (a.d.losses) a.d.losses[row] = value;
}
TRUING_FN void truing_uld_none(const truing_uld_args &a, truing_i64 row, double x, truing_u32 flags) {
    truing_uld_fill(a.d.side[0], row, 0, x);
    truing_uld_fill(a.d.side[1], row, 0, x);
    truing_uld_say(a, row, x, x, flags);
}
// Writes the keys of a row in their order, those with a partner as if they were the smallest; leaves the largest value's word, and
// why the row has no figures.
TRUING_FN void truing_uld_keys(truing_uld_shared &s, const truing_uld_args &a, int side, truing_i64 row, truing_u64 *keys) {
    const truing_side &of = a.d.side[side];
    const truing_transform t = truing_transform_of(of, row);
    const truing_u32 warp = threadIdx.x / 32;
    truing_u32 low = ~(truing_u32)0, bad = 0;
#pragma unroll 1
    for (truing_u32 j = threadIdx.x; j < of.valid; j += TRUING_SORTERS) {
        const float x = truing_apply(t, truing_float_at(of.logits, row, j), of.bias.data != 0, truing_bias(of, j));
        truing_u64 key = truing_key(x, j);
        const truing_u32 word = ~(truing_u32)(key >> 32);
        bad |= !(x < TRUING_INFF);
        low = word < low ? word : low;
        if (a.pairs != 0 && a.marks[side][j / 32] >> j % 32 & 1) key &= 0xffffffffu;
        keys[j] = key;
    }
    low = __reduce_min_sync(TRUING_FULL, low);
    bad = __reduce_or_sync(TRUING_FULL, bad);
    if ((threadIdx.x & 31) == 0) {
        atomicMin(&s.low[side], low);
        if (bad) atomicOr(&s.bad[side], (truing_u32)1);
    }
    __syncthreads();
    if (!s.bad[side]) return;
    truing_u32 why = 0;
#pragma unroll 1
    for (truing_u32 first = warp * TRUING_BLOCK; first < of.valid; first += TRUING_SORTER_WARPS * TRUING_BLOCK)
        why |= truing_why(of, row, first, truing_among(of.valid, first, TRUING_BLOCK));
    if ((threadIdx.x & 31) == 0) atomicOr(&s.flags[side], why);
}
TRUING_FN void truing_uld_one(truing_uld_shared &s, const truing_uld_args &a, truing_i64 row) {
    const truing_divergence_args &d = a.d;
    const truing_u32 thread = threadIdx.x, warp = thread / 32, pairs = (truing_u32)a.pairs;
    truing_u64 *keys[2], *other[2];
    keys[0] = a.slots + blockIdx.x * a.slot;
    other[0] = keys[0] + a.apart[0];
    keys[1] = other[0] + a.apart[0];
    other[1] = keys[1] + a.apart[1];
    truing_i64 target = 0;
    const int kind = truing_pair_target(d, row, target);
    if (kind == TRUING_IGNORED) return truing_uld_none(a, row, 0.0, TRUING_ROW_IGNORED);
    truing_uld_row r;
    // the host could not look: the row says so itself
    bool wrong = (kind == TRUING_COLUMN && (target < 0 || target >= (truing_i64)d.total)) || truing_weight_wrong(d, row) || (pairs != 0 && *a.wrong != 0);
#pragma unroll
    for (int side = 0; side < 2; side++) {
        r.scale[side] = a.scale[side].data ? (double)*truing_row<const float>(a.scale[side], row) : 1.0;
        wrong = wrong || !(r.scale[side] > 0.0 && r.scale[side] < TRUING_INF);
    }
    if (wrong) return truing_uld_none(a, row, TRUING_NAN, TRUING_ROW_OUT_OF_RANGE);
    const double weight = d.weight.data ? (double)*truing_row<const float>(d.weight, row) : 1.0;

    if (thread < 2) {
        s.low[thread] = s.first[thread] = ~(truing_u32)0;
        s.flags[thread] = s.bad[thread] = 0;
    }
    __syncthreads();
#pragma unroll
    for (int side = 0; side < 2; side++) truing_uld_keys(s, a, side, row, keys[side]);
    __syncthreads();
    truing_u32 flags = 0;
#pragma unroll
    for (int side = 0; side < 2; side++) {
        const float top = truing_key_value((truing_u64)~s.low[side] << 32);
        if (s.bad[side]) flags |= s.flags[side] ? s.flags[side] : TRUING_ROW_OVERFLOW;
        else if (top == -TRUING_INFF) flags |= TRUING_ROW_ALL_NEG_INF;
        r.top[side] = (double)top;
        r.sorted[side] = d.side[side].valid - pairs;
    }
    if (flags) return truing_uld_none(a, row, TRUING_NAN, flags);

#pragma unroll 1
    for (int side = 0; side < 2; side++) {
        const truing_u32 n = side ? r.sorted[1] : r.sorted[0], kept = a.k > 0 && a.k < (truing_i64)n ? (truing_u32)a.k : n;
        truing_u64 *const own = side ? keys[1] : keys[0], *const free = side ? other[1] : other[0];
        truing_uld_sort(s, own, free, n + pairs, 32);
        // what counts as one is added up in the order of the columns
        if (kept < n) truing_uld_sort(s, own + kept, free + kept, n - kept, 0);
    }
#pragma unroll
    for (int side = 0; side < 2; side++) {
#pragma unroll 1
        for (truing_u32 k = thread; k < pairs; k += TRUING_SORTERS) {
            const truing_i64 id = truing_int_at(a.ids[side], k);
            const float x = truing_at(d.side[side], row, id);
            keys[side][r.sorted[side] + k] = truing_key(x, (truing_u32)id);
            if ((double)x == r.top[side]) atomicMin(&s.first[side], r.sorted[side] + k);
        }
        r.keys[side] = keys[side];
        r.p[side] = (const double *)other[side];
    }
    __syncthreads();

    // probabilities
    const truing_u32 all[2] = {d.side[0].valid, d.side[1].valid}, longest = all[0] < all[1] ? all[1] : all[0];
    double sum = 0.0;
#pragma unroll 1
    for (truing_u32 at = 0; at < longest; at += TRUING_SORTERS) {
        const truing_u32 j = at + thread;
#pragma unroll
        for (int side = 0; side < 2; side++) {
            double e = 0.0;
            if (j < all[side]) {
                e = truing_exp_wide((double)truing_key_value(keys[side][j]) - r.top[side]);
                ((double *)other[side])[j] = e;
            }
            s.tile[side][thread] = e;
        }
        __syncthreads();
        sum = truing_uld_chain(s, 2, longest - at < TRUING_SORTERS ? longest - at : TRUING_SORTERS, sum);
        __syncthreads();
    }
    truing_uld_publish(s, sum);
#pragma unroll
    for (int side = 0; side < 2; side++) {
        const double own = s.sums[side];
#pragma unroll 1
        for (truing_u32 j = thread; j < all[side]; j += TRUING_SORTERS) ((double *)other[side])[j] /= own;
        r.log_sum[side] = truing_log_wide(own);
        r.log_scale[side] = truing_log_wide(r.scale[side]);
    }
    // the first of the largest
    truing_u32 first[2];
#pragma unroll
    for (int side = 0; side < 2; side++)
        first[side] = r.sorted[side] > 0 && (double)truing_key_value(keys[side][0]) == r.top[side] ? 0 : s.first[side];
    __syncthreads();

    // what counts as one
    const truing_u32 most = r.sorted[0] < r.sorted[1] ? r.sorted[1] : r.sorted[0];
    r.ranked = a.k > 0 && a.k < (truing_i64)most ? (truing_u32)a.k : most;
    sum = 0.0;
#pragma unroll 1
    for (truing_u32 at = r.ranked; at < most; at += TRUING_SORTERS) {
#pragma unroll
        for (int side = 0; side < 2; side++) s.tile[side][thread] = truing_uld_sorted(r, side, at + thread);
        __syncthreads();
        sum = truing_uld_chain(s, 2, most - at < TRUING_SORTERS ? most - at : TRUING_SORTERS, sum);
        __syncthreads();
    }
    truing_uld_publish(s, sum);
    const double tail[2] = {s.sums[0], s.sums[1]};
    r.rest = r.scale[0] * tail[0] - r.scale[1] * tail[1];
    // weights are taken relative to the largest column's: a nearly certain row would lose its gradient otherwise
    double anchor[2] = {0.0, 0.0};
    if (pairs != 0)
#pragma unroll
        for (int side = 0; side < 2; side++) {
            const truing_uld_weight w = truing_uld_weight_of(a, r, side, first[side]);
            anchor[side] = w.x / r.p[side][first[side]] + w.y;
        }

    // the distance and the means of the weights of both sides, then the terms of the pairs in the place of the first
    sum = 0.0;
#pragma unroll 1
    for (truing_u32 at = 0; at < r.ranked; at += TRUING_SORTERS) {
        const truing_u32 j = at + thread;
        const double apart = truing_uld_apart(r, j), sign = truing_uld_sign(apart);
        s.tile[0][thread] = truing_abs(apart);
        s.tile[1][thread] = (a.unmatched * sign - anchor[0]) * truing_uld_sorted(r, 0, j);
        s.tile[2][thread] = (a.unmatched * -sign - anchor[1]) * truing_uld_sorted(r, 1, j);
        __syncthreads();
        sum = truing_uld_chain(s, 3, r.ranked - at < TRUING_SORTERS ? r.ranked - at : TRUING_SORTERS, sum);
        __syncthreads();
    }
    const double sign = truing_uld_sign(r.rest);
    if (warp == 0) sum += truing_abs(r.rest);
    else if (warp == 1) sum += (a.unmatched * sign - anchor[0]) * tail[0];
    else sum += (a.unmatched * -sign - anchor[1]) * tail[1];
    truing_uld_publish(s, sum);
    const double distance = s.sums[0];
    if (warp == 0) sum = 0.0;
#pragma unroll 1
    for (truing_u32 at = 0; at < pairs; at += TRUING_SORTERS) {
        if (at + thread < pairs) {
            truing_uld_weight w[2];
            s.tile[0][thread] = truing_uld_pair(a, r, at + thread, w);
#pragma unroll
            for (int side = 0; side < 2; side++) {
                const truing_u32 j = r.sorted[side] + at + thread;
                s.tile[1 + side][thread] = j == first[side] ? 0.0 : w[side].x + (w[side].y - anchor[side]) * r.p[side][j];
            }
        }
        __syncthreads();
        sum = truing_uld_chain(s, 3, pairs - at < TRUING_SORTERS ? pairs - at : TRUING_SORTERS, sum);
        __syncthreads();
    }
    truing_uld_publish(s, sum);
    const double value = a.unmatched * distance + s.sums[0], mean[2] = {s.sums[1], s.sums[2]};
    const bool infinite = value == TRUING_INF;
    double g = d.grad_values.data ? (double)*truing_row<const float>(d.grad_values, row) : 0.0;
    g = (g + (d.given ? d.given[0] : 0.0)) * d.grad_scale * weight;
    truing_uld_say(a, row, value * weight, infinite ? 0.0 : g * (anchor[0] + mean[0]), infinite ? TRUING_ROW_INFINITE : 0);
    if (infinite) {
        truing_uld_fill(d.side[0], row, 0, 0.0);
        truing_uld_fill(d.side[1], row, 0, 0.0);
        return;
    }
#pragma unroll
    for (int side = 0; side < 2; side++) {
        const truing_side &of = d.side[side];
        if (!of.grad.data) continue;
        const truing_transform t = truing_transform_of(of, row);
        const truing_i64 base = truing_offset(of.grad, row);
        const double own = g * r.scale[side];
#pragma unroll 1
        for (truing_u32 at = thread; at < all[side]; at += TRUING_SORTERS) {
            const truing_u64 key = keys[side][at];
            const truing_u32 j = truing_key_column(key);
            const double p = r.p[side][at];
            double dx = 0.0;
            if (truing_key_value(key) != -TRUING_INFF) {
                if (pairs != 0 && at == first[side]) {
                    dx = own * p * -mean[side];
                } else {
                    const truing_uld_weight w = truing_uld_weight_of(a, r, side, at);
                    dx = own * p * (w.y - anchor[side] - mean[side]) + own * w.x;
                }
            }
            if (dx == 0.0) {
                dx = 0.0;
            } else {
                // the raw logit is read before its place is written
                const float z = t.kind == TRUING_SOFTCAP ? truing_float_at(of.logits, row, j) : 0.0f;
                dx *= truing_slope(t, (double)(of.bias.data ? z + truing_bias(of, j) : z));
            }
            truing_uld_put(of.grad, base + j, dx);
        }
        truing_uld_fill(of, row, all[side], 0.0);
    }
}
extern "C" __global__ __launch_bounds__(TRUING_SORTERS) void truing_uld_rows(const __grid_constant__ truing_uld_args a) {
    __shared__ truing_uld_shared s;
    truing_wait();
#pragma unroll 1
    for (truing_i64 row = blockIdx.x; row < a.d.rows; row += gridDim.x) {
        truing_uld_one(s, a, row);
        __syncthreads(); // all have read what the next row overwrites
    }
}
