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

// e^d as w p; d is clamped. All lanes of the warp call it: the table is spread over them (`entry`), and a shuffle takes the
// index modulo 8 by itself. ALONE: d is not needed any more, and where the exponential ends in 0 by itself it is not clamped.
template <bool ALONE = false> TRUING_FN void truing_exp_factors(float &d, truing_u32 entry, float &w, float &p) {
#ifdef TRUING_FAST
    (void)entry;
    if (!ALONE) d = truing_clamp(d);
    w = 1.0f;
    p = truing_exp2_fast(d * 1.4426950408889634f);
#else
    d = truing_clamp(d);
    const float t = truing_exp_index(d);
    w = truing_exp_power(t, __shfl_sync(TRUING_FULL, entry, (int)truing_bits(t), 8));
    p = truing_exp_poly(d, t);
#endif
}

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
// The largest over the lanes of a warp; a NaN is passed over.
TRUING_FN float truing_largest_of(float m) {
#pragma unroll
    for (int w = 16; w > 0; w /= 2) m = fmaxf(m, __shfl_xor_sync(TRUING_FULL, m, w));
    return m;
}
// Adds the 32 chains, one a lane, in the fixed order; every lane gets the sum.
TRUING_FN float truing_combine(float x) {
#pragma unroll
    for (int w = 16; w > 0; w /= 2) x = x + __shfl_xor_sync(TRUING_FULL, x, w);
    return x;
}
// Columns of a chain that are worked on side by side.
#define TRUING_SIDE 8

struct truing_top {
    float m;                // the largest column, +0 if it is a zero
    truing_u32 ties, first; // how many of this lane's have it; the first of these
    truing_u64 taken;       // which of this lane's columns: a bit for each, but for the edge
    truing_u32 edge;        // TRUING_BLOCK: not taken
};
// A lane's columns of one vector, which begins at column `from` of the block: those that are the maximum become -inf.
template <class T> TRUING_FN void truing_take_of(T *x, truing_u32 from, int vector, truing_top &top) {
    const int PER = truing_vector<T>::COLUMNS;
    const uint4 q = *(const uint4 *)(x + from);
    const truing_u32 w[4] = {q.x, q.y, q.z, q.w};
    truing_u32 first = PER, taken = 0;
#pragma unroll
    for (int k = PER - 1; k >= 0; k--) {
        const bool hit = truing_vector<T>::get(w, k) == top.m;
        if (hit) truing_narrow(-TRUING_INFF, x + from + k);
        first = hit ? k : first;
        top.ties += hit;
        taken |= (truing_u32)hit << k;
    }
    top.taken |= (truing_u64)taken << vector * PER;
    top.first = from + first < top.first ? from + first : top.first;
}
// The largest of n columns in shared memory. A NaN is passed over: the sums see it. The columns that have it become -inf:
// they are exact ones, counted here, and the sums then need no test in every column. WHOLE: a block that starts 16 bytes.
template <class T, bool WHOLE> TRUING_FN truing_top truing_take(T *x, truing_u32 n) {
    const int PER = truing_vector<T>::COLUMNS, VECTORS = TRUING_BLOCK / (32 * PER);
    const truing_u32 lane = threadIdx.x & 31;
    // columns in front of the first that starts 16 bytes, whole vectors behind it, the rest: PER - 1 of each at most
    truing_u32 head = 0, vectors = TRUING_BLOCK / PER, edge = TRUING_BLOCK;
    float at_edge = -TRUING_INFF;
    if (!WHOLE) {
        head = (16 - ((truing_u32)(truing_u64)x & 15)) % 16 / (truing_u32)sizeof(T);
        if (head > n) head = n;
        vectors = (n - head) / PER;
        edge = lane < PER ? (lane < head ? lane : n) : head + vectors * PER + lane - PER;
        if (lane >= 2 * PER || edge >= n) edge = TRUING_BLOCK;
        if (edge < TRUING_BLOCK) at_edge = truing_widen(x[edge]);
    }
    float best[VECTORS], m = fmaxf(at_edge, -TRUING_INFF);
#pragma unroll
    for (int v = 0; v < VECTORS; v++) {
        best[v] = -TRUING_INFF;
        if (WHOLE || 32 * v + lane < vectors) {
            const uint4 q = *(const uint4 *)(x + head + (32 * v + lane) * PER);
            const truing_u32 w[4] = {q.x, q.y, q.z, q.w};
            best[v] = truing_vector<T>::largest(w);
        }
        m = fmaxf(m, best[v]);
    }
    truing_top top;
    top.m = truing_largest_of(m) + 0.0f;
    top.ties = 0;
    top.first = top.edge = TRUING_BLOCK;
    top.taken = 0;
    if (top.m == -TRUING_INFF) return top;
    truing_u32 found = 0;
#pragma unroll
    for (int v = 0; v < VECTORS; v++) found |= (truing_u32)(best[v] == top.m) << v;
    if (!WHOLE && at_edge == top.m) {
        top.ties = 1;
        top.first = top.edge = edge;
        truing_narrow(-TRUING_INFF, x + edge);
    }
#pragma unroll 1
    for (; found; found &= found - 1) {
        const int v = __ffs((int)found) - 1;
        truing_take_of(x, head + (32 * (truing_u32)v + lane) * PER, v, top);
    }
    return top;
}
// Puts back what was taken: a zero as +0.
template <class T> TRUING_FN void truing_give_back(T *x, truing_u32 n, const truing_top &top) {
    const int PER = truing_vector<T>::COLUMNS;
    truing_u32 head = (16 - ((truing_u32)(truing_u64)x & 15)) % 16 / (truing_u32)sizeof(T);
    if (head > n) head = n;
    if (top.edge < TRUING_BLOCK) truing_narrow(top.m, x + top.edge);
#pragma unroll 1
    for (int half = 0; half < 2; half++)
#pragma unroll 1
        for (truing_u32 taken = (truing_u32)(top.taken >> 32 * half); taken; taken &= taken - 1) {
            const truing_u32 bit = 32 * half + (truing_u32)__ffs((int)taken) - 1;
            truing_narrow(top.m, x + head + (32 * (bit / PER) + (threadIdx.x & 31)) * PER + bit % PER);
        }
}
struct truing_chains {
    float r, u, q1;
};
// A lane is a chain: it takes the columns lane, lane + 32, .. in this order. ALL: u and q1 too.
template <class T, bool ALL, bool WHOLE>
TRUING_FN truing_chains truing_sums(const T *place, truing_u32 n, float centre) {
    const truing_u32 lane = threadIdx.x & 31, entry = truing_exp_table[lane % 8];
    truing_chains c;
    c.r = c.u = c.q1 = 0.0f;
    const T *column = place + lane;
#pragma unroll 1
    for (truing_u32 at = 0; at < (WHOLE ? TRUING_BLOCK : n); at += 32 * TRUING_SIDE, column += 32 * TRUING_SIDE) {
        float d[TRUING_SIDE], w[TRUING_SIDE], p[TRUING_SIDE];
        if (WHOLE || at + 32 * TRUING_SIDE <= n) {
#pragma unroll
            for (int i = 0; i < TRUING_SIDE; i++) d[i] = truing_widen(column[32 * i]);
        } else {
#pragma unroll
            for (int i = 0; i < TRUING_SIDE; i++) d[i] = at + lane + 32 * i < n ? truing_widen(column[32 * i]) : -TRUING_INFF;
        }
#pragma unroll
        for (int i = 0; i < TRUING_SIDE; i++) {
            d[i] = d[i] - centre;
            truing_exp_factors<!ALL>(d[i], entry, w[i], p[i]);
        }
#pragma unroll
        for (int i = 0; i < TRUING_SIDE; i++) {
            const float e = w[i] * p[i];
            c.r = truing_fma(w[i], p[i], c.r);
            if (ALL) c.u = truing_fma(e, d[i], c.u);
            if (ALL) c.q1 = truing_fma(e, e, c.q1);
        }
    }
    return c;
}
template <class T, bool WHOLE, bool KEEP> TRUING_FN truing_record truing_block_of(T *x, truing_u32 n, bool all) {
    truing_top top = truing_take<T, WHOLE>(x, n);
    const float m = top.m, centre = m == -TRUING_INFF ? 0.0f : m;
    __syncwarp(); // other lanes have taken columns of this one's chain
    truing_chains c = all ? truing_sums<T, true, WHOLE>(x, n, centre) : truing_sums<T, false, WHOLE>(x, n, centre);
    if (KEEP) {
        __syncwarp(); // all lanes have read
        truing_give_back(x, n, top);
        __syncwarp();
    }
    c.r = truing_combine(c.r);
    if (all) {
        c.u = truing_combine(c.u);
        c.q1 = truing_combine(c.q1);
    }
    top.ties = __reduce_add_sync(TRUING_FULL, top.ties);
    top.first = __reduce_min_sync(TRUING_FULL, top.first);
    if (!(c.r <= TRUING_INFF) || m == TRUING_INFF) return truing_poison(0);
    truing_record out = truing_empty();
    if (m == -TRUING_INFF) return out;
    const float more = (float)top.ties - 1.0f;
    out.m = m;
    out.r = c.r + more;
    out.u = c.u;
    out.q1 = c.q1 + more;
    out.k = top.first;
    return out;
}
// The record of a block of n columns in shared memory, which are lost but for KEEP; every lane gets it. A poisoned one carries
// no flags. `k` counts from the block's first column.
template <class T, bool KEEP = false> TRUING_FN truing_record truing_block(T *x, truing_u32 n, bool all) {
    if (n == TRUING_BLOCK && ((truing_u64)x & 15) == 0) return truing_block_of<T, true, KEEP>(x, n, all);
    return truing_block_of<T, false, KEEP>(x, n, all);
}

// Numbers that lanes hand to each other and that the workspace holds.
template <int N> struct alignas(16) truing_words {
    truing_u32 x[N];
};
// The record of a block as the workspace holds it.
struct truing_part {
    typedef truing_record record;
    typedef truing_words<8> words;
    TRUING_FN record empty() { return truing_empty(); }
    TRUING_FN record load(const words &w) {
        record x = empty();
        x.m = truing_from(w.x[0]);
        x.r = truing_from(w.x[1]);
        x.u = truing_from(w.x[2]);
        x.q1 = truing_from(w.x[3]);
        x.k = w.x[4];
        x.flags = w.x[5];
        return x;
    }
    TRUING_FN words store(const record &x) {
        const words w = {{truing_bits(x.m), truing_bits(x.r), truing_bits(x.u), truing_bits(x.q1), x.k, x.flags, 0, 0}};
        return w;
    }
    template <class A> TRUING_FN record merge(const A &, const record &a, const record &b) { return truing_merge(a, b); }
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
