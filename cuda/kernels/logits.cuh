// Rows of logits: which rows count, their transform, blocks of them in shared memory. `a` is what describes the rows: the
// arguments of a kernel, or one of their sides.
#pragma once
#include "reduce.cuh"

enum { TRUING_PLAIN, TRUING_SCALE, TRUING_SOFTCAP };
// The transform of a row: constants formed in f64 and rounded once.
struct truing_transform {
    truing_u32 kind;
    float inner, outer, slope;
};
enum { TRUING_IGNORED, TRUING_NO_TARGET, TRUING_COLUMN };

template <class A> TRUING_FN int truing_target(const A &a, truing_i64 row, truing_i64 &y) {
    if (a.mask.data && truing_int_at(a.mask, row) == 0) return TRUING_IGNORED;
    if (!a.target.data) return TRUING_NO_TARGET;
    y = truing_int_at(a.target, row);
    return a.has_ignore && y == a.ignore_index ? TRUING_IGNORED : TRUING_COLUMN;
}
// A temperature outside its range counts as a NaN.
template <class A> TRUING_FN truing_transform truing_transform_of(const A &a, truing_i64 row) {
    if (!a.temperature.data) return a.transform;
    double temperature = (double)*truing_row<const float>(a.temperature, row);
    if (!(temperature > 0.0 && temperature < TRUING_INF)) temperature = TRUING_NAN;
    truing_transform t;
    t.slope = (float)(a.logit_scale / temperature);
    t.inner = t.outer = t.slope;
    t.kind = t.slope == 1.0f ? TRUING_PLAIN : TRUING_SCALE;
    if (a.softcap != 0.0) {
        t.kind = TRUING_SOFTCAP;
        t.inner = (float)(a.logit_scale / a.softcap);
        t.outer = (float)(a.softcap / temperature);
    }
    return t;
}
// A dead column (raw logit or bias -inf) is -inf whatever else it holds; a raw +inf stays.
TRUING_FN float truing_apply(const truing_transform &t, float z, bool biased, float b) {
    const float v = biased ? z + b : z;
    float x = t.kind == TRUING_PLAIN ? v : t.kind == TRUING_SCALE ? v * t.slope : truing_tanh(v * t.inner) * t.outer;
    x = TRUING_INFF <= z ? TRUING_INFF : x;
    x = z <= -TRUING_INFF ? -TRUING_INFF : x;
    return biased && b <= -TRUING_INFF ? -TRUING_INFF : x;
}
// dx/dz at v = z + bias of a live column.
template <class R> TRUING_FN R truing_slope(const truing_transform &t, R v) {
    if (t.kind == TRUING_PLAIN) return (R)1.0;
    if (t.kind == TRUING_SCALE) return (R)t.slope;
    const R e = truing_exp(truing_abs(v * (R)t.inner) * (R)-2.0), s = (R)1.0 + e;
    return (R)t.slope * ((R)4.0 * e / (s * s));
}
// Sorts like (value ascending, column descending); 0 is the key of no column. Of a live value.
TRUING_FN truing_u64 truing_key(float x, truing_u32 column) {
    const truing_u32 b = truing_bits(x + 0.0f);
    return (truing_u64)(b >> 31 ? ~b : b | 0x80000000u) << 32 | (truing_u32)~column;
}
TRUING_FN float truing_key_value(truing_u64 key) {
    const truing_u32 b = (truing_u32)(key >> 32);
    return truing_from(b >> 31 ? b & 0x7fffffffu : ~b);
}
TRUING_FN truing_u32 truing_key_column(truing_u64 key) { return (truing_u32)~key; }
template <class A> TRUING_FN float truing_bias(const A &a, truing_u32 j) {
    return a.bias.data ? truing_float_at(a.bias, j, 0) : 0.0f;
}

// Where a block lies in shared memory: at its own distance from 16 bytes. A transform widens 16-bit columns in place, from the
// lowest on, if they lie in the upper half: step i writes below byte 1024 (i + 1) and has read below 4096 + 512 (i + 1).
template <class T, bool TRANSFORM> struct truing_stage {
    enum { LOWER = sizeof(T) == 2 && TRANSFORM ? 2 * TRUING_BLOCK : 0, BYTES = LOWER + TRUING_BLOCK * sizeof(T) + 16 };
    TRUING_FN unsigned char *place(unsigned char *stage, const T *from) { return stage + LOWER + ((truing_u64)from & 15); }
};
// Brings n columns of a row (it begins at `row` and has `vocab`) from memory to their place in shared memory: whole pieces of 16 bytes where
// they lie inside the row (a neighbour's columns may come along), the others element by element.
template <class T>
TRUING_FN void truing_fetch(const T *row, truing_u32 vocab, const T *from, truing_u32 n, unsigned char *place) {
    const truing_u32 lane = threadIdx.x & 31;
    const truing_u64 begin = (truing_u64)row, end = begin + (truing_u64)vocab * sizeof(T);
    const truing_u64 low = (truing_u64)from, high = low + n * sizeof(T), base = low & ~15ull;
    unsigned char *origin = place - (low - base);
    const truing_u32 bytes = TRUING_BLOCK * sizeof(T);
    if (n == TRUING_BLOCK && base >= begin && base + bytes + 16 <= end) {
#pragma unroll
        for (truing_u32 k = 0; k < bytes; k += 16 * 32) truing_copy16(origin + k + 16 * lane, (const void *)(base + k + 16 * lane));
        if (low != base && lane == 0) truing_copy16(origin + bytes, (const void *)(base + bytes));
        return;
    }
    for (truing_u64 p = base + 16 * lane; p < high; p += 16 * 32)
        if (p >= begin && p + 16 <= end) truing_copy16(origin + (p - base), (const void *)p);
    const truing_u32 per = 16 / sizeof(T);
    if (base < begin) {
        const truing_u32 count = (truing_u32)((base + 16 - low) / sizeof(T));
        if (lane < count && lane < n) ((T *)place)[lane] = from[lane];
    }
    const truing_u64 last = (high - 1) & ~15ull;
    if (last + 16 > end) {
        const truing_u32 at = last < low ? 0 : (truing_u32)((last - low) / sizeof(T));
        if (lane < per && at + lane < n) ((T *)place)[at + lane] = from[at + lane];
    }
}
// Why a block of n columns is poisoned, which are those from `first` on.
template <class T, class A> TRUING_FN truing_u32 truing_causes(const A &a, const T *from, truing_u32 first, truing_u32 n) {
    truing_u32 flags = 0;
#pragma unroll 1
    for (truing_u32 j = threadIdx.x & 31; j < n; j += 32) {
        if (truing_bias(a, first + j) == -TRUING_INFF) continue;
        const float z = truing_widen(from[j]);
        flags |= (z != z ? TRUING_ROW_NAN_INPUT : 0) | (z == TRUING_INFF ? TRUING_ROW_INF_INPUT : 0);
    }
    return __reduce_or_sync(TRUING_FULL, flags);
}
