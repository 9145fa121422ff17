// Element types, and arrays as the host describes them.
#pragma once
#include "generated/record.cuh"
#include "ptx.cuh"

typedef long long truing_i64;
struct truing_bf16 {
    unsigned short bits;
};
struct truing_f16 {
    unsigned short bits;
};
TRUING_FN float truing_widen(float x) { return x; }
TRUING_FN float truing_widen(truing_bf16 x) { return truing_from((truing_u32)x.bits << 16); }
TRUING_FN float truing_widen(truing_f16 x) { return truing_widen_f16(x.bits); }
// Rounded once, to nearest even.
TRUING_FN void truing_narrow(float x, float *to) { *to = x; }
TRUING_FN void truing_narrow(float x, truing_bf16 *to) { to->bits = truing_round_bf16(x); }
TRUING_FN void truing_narrow(float x, truing_f16 *to) { to->bits = truing_round_f16(x); }
// To a 16-bit type from the upper half of the number, as the CPU rounds it.
template <class T> TRUING_FN void truing_narrow_wide(double x, T *to) {
    const truing_u64 b = x != x ? 0x7ff8000000000000ull : truing_bits(x) & 0xffffffff00000000ull;
    truing_narrow((float)truing_from(b), to);
}
TRUING_FN void truing_narrow_wide(double x, float *to) { *to = (float)x; }

// 16 bytes as the columns that they hold: one, a pair of neighbours (the lower first), the largest.
template <class T> struct truing_vector;
template <> struct truing_vector<float> {
    enum { COLUMNS = 4 };
    TRUING_FN float get(const truing_u32 *w, int i) { return truing_from(w[i]); }
    TRUING_FN void put2(truing_u32 *w, int i, float x, float y) {
        w[i] = truing_bits(x);
        w[i + 1] = truing_bits(y);
    }
    TRUING_FN float largest(const truing_u32 *w) {
        return fmaxf(fmaxf(truing_from(w[0]), truing_from(w[1])), fmaxf(truing_from(w[2]), truing_from(w[3])));
    }
};
template <> struct truing_vector<truing_bf16> {
    enum { COLUMNS = 8 };
    TRUING_FN float get(const truing_u32 *w, int i) {
        return truing_from(i & 1 ? w[i / 2] & 0xffff0000u : w[i / 2] << 16);
    }
    TRUING_FN void put2(truing_u32 *w, int i, float x, float y) { w[i / 2] = truing_round2_bf16(x, y); }
    TRUING_FN float largest(const truing_u32 *w) {
        const truing_u32 y = truing_max2_bf16(truing_max2_bf16(w[0], w[1]), truing_max2_bf16(w[2], w[3]));
        return fmaxf(get(&y, 0), get(&y, 1));
    }
};
template <> struct truing_vector<truing_f16> {
    enum { COLUMNS = 8 };
    TRUING_FN float get(const truing_u32 *w, int i) {
        return truing_widen_f16((unsigned short)(i & 1 ? w[i / 2] >> 16 : w[i / 2]));
    }
    TRUING_FN void put2(truing_u32 *w, int i, float x, float y) { w[i / 2] = truing_round2_f16(x, y); }
    TRUING_FN float largest(const truing_u32 *w) {
        const truing_u32 y = truing_max2_f16(truing_max2_f16(w[0], w[1]), truing_max2_f16(w[2], w[3]));
        return fmaxf(get(&y, 0), get(&y, 1));
    }
};

// Row i starts at element (i / inner) outer_stride + (i % inner) inner_stride; inner 0: i inner_stride. No array: data 0.
struct truing_view {
    const void *data;
    truing_i64 inner, outer_stride, inner_stride;
    truing_u32 dtype, reserved;
};
TRUING_FN truing_i64 truing_offset(const truing_view &v, truing_i64 i) {
    return v.inner == 0 ? i * v.inner_stride : i / v.inner * v.outer_stride + i % v.inner * v.inner_stride;
}
template <class T> TRUING_FN T *truing_row(const truing_view &v, truing_i64 i) {
    return (T *)v.data + truing_offset(v, i);
}
// Element j of row i, widened.
TRUING_FN float truing_float_at(const truing_view &v, truing_i64 i, truing_i64 j) {
    const truing_i64 at = truing_offset(v, i) + j;
    switch (v.dtype) {
    case TRUING_DTYPE_BF16: return truing_widen(((const truing_bf16 *)v.data)[at]);
    case TRUING_DTYPE_F16: return truing_widen(((const truing_f16 *)v.data)[at]);
    case TRUING_DTYPE_F64: return (float)((const double *)v.data)[at];
    default: return ((const float *)v.data)[at];
    }
}
TRUING_FN double truing_double_at(const truing_view &v, truing_i64 i) {
    return v.dtype == TRUING_DTYPE_F64 ? ((const double *)v.data)[truing_offset(v, i)] : (double)truing_float_at(v, i, 0);
}
TRUING_FN truing_i64 truing_int_at(const truing_view &v, truing_i64 i) {
    const truing_i64 at = truing_offset(v, i);
    switch (v.dtype) {
    case TRUING_DTYPE_I8: return ((const signed char *)v.data)[at];
    case TRUING_DTYPE_U8: return ((const unsigned char *)v.data)[at];
    case TRUING_DTYPE_I32: return ((const int *)v.data)[at];
    default: return ((const truing_i64 *)v.data)[at];
    }
}
template <class T> TRUING_FN void truing_put(const truing_view &v, truing_i64 i, T x) {
    if (v.data) *truing_row<T>(v, i) = x;
}
TRUING_FN void truing_put_real(const truing_view &v, truing_i64 i, double x) {
    if (v.data && v.dtype == TRUING_DTYPE_F64) *truing_row<double>(v, i) = x;
    else if (v.data) *truing_row<float>(v, i) = (float)x;
}
