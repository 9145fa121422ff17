// The row record of core/src/record.rs: its exponential, its merge, the sums of a block. Order and roundings are those
// of that file, whose bits these functions give.
#pragma once
#include "dtype.cuh"

#define TRUING_FULL 0xffffffffu

// 2^(n + j/8) and the polynomial whose product is the exponential; `entry` is TRUING_EXP_TABLE[t's bits % 8].
TRUING_FN float truing_exp_index(float d) { return truing_fma(d, TRUING_EXP_SCALE, TRUING_EXP_MAGIC); }
TRUING_FN float truing_exp_power(float t, truing_u32 entry) { return truing_from(entry + (truing_bits(t) << 20)); }
TRUING_FN float truing_exp_poly(float d, float t) {
    const float f = truing_fma(t - TRUING_EXP_MAGIC, TRUING_EXP_STEP, d);
    return truing_fma(truing_fma(truing_fma(f, TRUING_EXP_C3, TRUING_EXP_C2), f, 1.0f), f, 1.0f);
}
TRUING_FN float truing_clamp(float d) { return truing_max_nan(d, TRUING_EXP_LOW); }

__constant__ truing_u32 truing_exp_table[8] = TRUING_EXP_TABLE;

struct truing_record {
    float m, r, u, q1, xy;
    truing_u32 k, flags;
};
TRUING_FN truing_record truing_empty() {
    truing_record x;
    x.m = x.xy = -TRUING_INFF;
    x.r = x.u = x.q1 = 0.0f;
    x.k = x.flags = 0;
    return x;
}
TRUING_FN truing_record truing_poison(truing_u32 flags) {
    truing_record x;
    x.m = TRUING_INFF;
    x.r = x.u = x.q1 = x.xy = TRUING_NANF;
    x.k = 0;
    x.flags = flags;
    return x;
}
TRUING_FN bool truing_poisoned(const truing_record &x) { return !(x.m < TRUING_INFF && x.r < TRUING_INFF); }
// All columns of a lie below those of b. The target's logit is not merged: it is read once the row is complete.
TRUING_FN truing_record truing_merge(const truing_record &a, const truing_record &b) {
    const truing_u32 flags = a.flags | b.flags;
    if (truing_poisoned(a) || truing_poisoned(b)) return truing_poison(flags);
    truing_record w = b.m > a.m ? b : a;
    const truing_record l = b.m > a.m ? a : b;
    if (l.m != -TRUING_INFF) {
        const float d = truing_clamp(l.m - w.m), t = truing_exp_index(d);
        const float c = truing_exp_power(t, truing_exp_table[truing_bits(t) % 8]) * truing_exp_poly(d, t);
        const float all = 1.0f + l.r;
        w.r = w.r + c * all;
        w.u = w.u + c * (l.u + d * all);
        w.q1 = w.q1 + c * c * (1.0f + l.q1);
    }
    w.flags = flags;
    return w;
}
// Adds the 32 chains, one a lane, in the fixed order; every lane gets the sum.
TRUING_FN float truing_combine(float x) {
#pragma unroll
    for (int w = 16; w > 0; w /= 2) x = x + __shfl_xor_sync(TRUING_FULL, x, w);
    return x;
}
// Columns of a chain that are worked on side by side.
#define TRUING_SIDE 8

// The largest of n columns in shared memory, +0 if it is a zero. A NaN is passed over: the sums see it.
template <class T> TRUING_FN float truing_largest(const T *x, truing_u32 n) {
    const truing_u32 lane = threadIdx.x & 31;
    // columns in front of the first that starts 16 bytes, whole vectors behind it, the rest
    truing_u32 head = (16 - ((truing_u32)(truing_u64)x & 15)) % 16 / (truing_u32)sizeof(T);
    if (head > n) head = n;
    const truing_u32 tail = head + (n - head) / truing_vector<T>::COLUMNS * truing_vector<T>::COLUMNS;
    float m = -TRUING_INFF;
    if (lane < head) m = truing_widen(x[lane]);
    if (lane < n - tail) m = fmaxf(m, truing_widen(x[tail + lane]));
#pragma unroll 2
    for (truing_u32 j = head + lane * truing_vector<T>::COLUMNS; j < tail; j += 32 * truing_vector<T>::COLUMNS) {
        const uint4 q = *(const uint4 *)(x + j);
        const truing_u32 w[4] = {q.x, q.y, q.z, q.w};
#pragma unroll
        for (int k = 0; k < truing_vector<T>::COLUMNS; k++) m = fmaxf(m, truing_vector<T>::get(w, k));
    }
#pragma unroll
    for (int w = 16; w > 0; w /= 2) m = fmaxf(m, __shfl_xor_sync(TRUING_FULL, m, w));
    return m + 0.0f;
}
struct truing_chains {
    float r, u, q1;
    truing_u32 ties, first; // columns with the maximum; this lane's first
};
// A lane is a chain: it takes the columns lane, lane + 32, .. in this order. ALL: u and q1 too.
template <class T, bool ALL>
TRUING_FN truing_chains truing_sums(const T *place, truing_u32 n, float centre) {
    const truing_u32 lane = threadIdx.x & 31, entry = truing_exp_table[lane % 8];
    truing_chains c;
    c.r = c.u = c.q1 = 0.0f;
    c.ties = 0;
    c.first = TRUING_BLOCK;
#pragma unroll 1
    for (truing_u32 at = lane; at < n + lane; at += 32 * TRUING_SIDE) {
        float x[TRUING_SIDE], d[TRUING_SIDE], w[TRUING_SIDE], p[TRUING_SIDE];
        if (at - lane + 32 * TRUING_SIDE <= n) {
#pragma unroll
            for (int i = 0; i < TRUING_SIDE; i++) x[i] = truing_widen(place[at + 32 * i]);
        } else {
#pragma unroll
            for (int i = 0; i < TRUING_SIDE; i++) x[i] = at + 32 * i < n ? truing_widen(place[at + 32 * i]) : -TRUING_INFF;
        }
        bool top = false;
#pragma unroll
        for (int i = 0; i < TRUING_SIDE; i++) {
            d[i] = truing_clamp(x[i] - centre);
            const float t = truing_exp_index(d[i]);
            // the table is spread over the lanes: a shuffle takes the index modulo 8 by itself
            w[i] = truing_exp_power(t, __shfl_sync(TRUING_FULL, entry, (int)truing_bits(t), 8));
            p[i] = truing_exp_poly(d[i], t);
            top |= x[i] == centre;
        }
        // the maximum and its ties are few: a branch costs less than a select and a count in every column
        if (!top) {
#pragma unroll
            for (int i = 0; i < TRUING_SIDE; i++) {
                const float e = w[i] * p[i];
                c.r = truing_fma(w[i], p[i], c.r);
                if (ALL) c.u = truing_fma(e, d[i], c.u);
                if (ALL) c.q1 = truing_fma(e, e, c.q1);
            }
        } else {
#pragma unroll
            for (int i = 0; i < TRUING_SIDE; i++) {
                const bool hit = x[i] == centre;
                const float e = w[i] * p[i];
                if (!hit) c.r = truing_fma(w[i], p[i], c.r);
                if (ALL) c.u = truing_fma(e, d[i], c.u);
                if (ALL && !hit) c.q1 = truing_fma(e, e, c.q1);
                if (hit && c.ties == 0) c.first = at + 32 * i;
                c.ties += hit;
            }
        }
    }
    return c;
}
// The record of a block of n columns in shared memory; every lane gets it. A poisoned one carries no flags. `k` counts
// from the block's first column.
template <class T> TRUING_FN truing_record truing_block(const T *x, truing_u32 n, bool all) {
    const float m = truing_largest(x, n), centre = m == -TRUING_INFF ? 0.0f : m;
    truing_chains c = all ? truing_sums<T, true>(x, n, centre) : truing_sums<T, false>(x, n, centre);
    c.r = truing_combine(c.r);
    c.u = truing_combine(c.u);
    c.q1 = truing_combine(c.q1);
    c.ties = __reduce_add_sync(TRUING_FULL, c.ties);
    c.first = __reduce_min_sync(TRUING_FULL, c.first);
    if (!(c.r <= TRUING_INFF) || m == TRUING_INFF) return truing_poison(0);
    truing_record out = truing_empty();
    if (m == -TRUING_INFF) return out;
    const float more = (float)c.ties - 1.0f;
    out.m = m;
    out.r = c.r + more;
    out.u = c.u;
    out.q1 = c.q1 + more;
    out.k = c.first;
    return out;
}

// Numbers that lanes hand to each other and that the workspace holds.
template <int N> struct alignas(16) truing_words {
    truing_u32 x[N];
};
// The record of a row of `count` parts that `lanes` neighbouring lanes share, merged as N does it in the fixed order; right in
// the first of them. All lanes of the warp take part. Nodes of the tree overwrite the records of blocks, each only behind
// the ones that it joins.
template <class N, class A>
TRUING_FN typename N::record truing_tree(const A &a, typename N::words *parts, truing_u32 count, truing_u32 lanes, bool active, truing_u32 lane) {
    for (;;) {
        const truing_u32 chunks = (count + lanes - 1) / lanes;
        typename N::record x;
#pragma unroll 1
        for (truing_u32 c = 0; c < chunks; c++) {
            const truing_u32 i = c * lanes + lane;
            x = N::empty();
            if (active && i < count) x = N::load(parts[i]);
#pragma unroll 1
            for (truing_u32 w = 1; w < lanes; w *= 2) {
                const typename N::words own = N::store(x);
                typename N::words other;
#pragma unroll
                for (int k = 0; k < (int)(sizeof own / 4); k++) other.x[k] = __shfl_down_sync(TRUING_FULL, own.x[k], w, lanes);
                // what is missing is empty and changes nothing
                if (lane % (2 * w) == 0) x = N::merge(a, x, N::load(other));
            }
            if (chunks > 1 && active && lane == 0) parts[c] = N::store(x);
        }
        if (chunks == 1) return x;
        count = chunks;
        __syncwarp();
    }
}
