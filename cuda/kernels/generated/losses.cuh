// Generated from the loss catalogue by `cargo xtask generate`; never edited.
// Compile without contraction (--fmad=false, -ffp-contract=off). List entries loop and have no text here.
#pragma once
#ifdef __CUDACC_RTC__
typedef unsigned int truing_u32;
typedef unsigned long long truing_u64;
#else
#include <math.h>
#include <stdint.h>
#include <string.h>
typedef uint32_t truing_u32;
typedef uint64_t truing_u64;
#endif
#ifdef __CUDACC__
#define TRUING_FN static __device__ __forceinline__
TRUING_FN truing_u32 truing_bits(float x) { return __float_as_uint(x); }
TRUING_FN truing_u64 truing_bits(double x) { return (truing_u64)__double_as_longlong(x); }
TRUING_FN float truing_from(truing_u32 u) { return __uint_as_float(u); }
TRUING_FN double truing_from(truing_u64 u) { return __longlong_as_double((long long)u); }
#else
#define TRUING_FN static inline
TRUING_FN truing_u32 truing_bits(float x) { truing_u32 u; memcpy(&u, &x, 4); return u; }
TRUING_FN truing_u64 truing_bits(double x) { truing_u64 u; memcpy(&u, &x, 8); return u; }
TRUING_FN float truing_from(truing_u32 u) { float x; memcpy(&x, &u, 4); return x; }
TRUING_FN double truing_from(truing_u64 u) { double x; memcpy(&x, &u, 8); return x; }
#endif
#define TRUING_INFF truing_from((truing_u32)0x7f800000u)
#define TRUING_NANF truing_from((truing_u32)0x7fc00000u)
#define TRUING_INF truing_from((truing_u64)0x7ff0000000000000ull)
#define TRUING_NAN truing_from((truing_u64)0x7ff8000000000000ull)
TRUING_FN float truing_fma(float a, float b, float c) { return fmaf(a, b, c); }
TRUING_FN double truing_fma(double a, double b, double c) { return fma(a, b, c); }
TRUING_FN float truing_abs(float x) { return fabsf(x); }
TRUING_FN double truing_abs(double x) { return fabs(x); }
TRUING_FN float truing_exp2i(float n) { return truing_from((truing_u32)(truing_bits(n + 8388735.0f) << 23)); }
TRUING_FN double truing_exp2i(double n) { return truing_from((truing_u64)(truing_bits(n + 4503599627371519.0) << 52)); }
TRUING_FN float truing_exponent(float x) {
    return truing_from((truing_u32)((truing_bits(x) + 0x004afb0du) >> 23 | 0x4b000000u)) - 8388735.0f;
}
TRUING_FN double truing_exponent(double x) {
    return truing_from((truing_u64)((truing_bits(x) + 0x00095f619980c433ull) >> 52 | 0x4330000000000000ull)) - 4503599627371519.0;
}
TRUING_FN float truing_mantissa(float x) {
    return truing_from((truing_u32)(((truing_bits(x) + 0x004afb0du) & 0x007fffffu) + 0x3f3504f3u));
}
TRUING_FN double truing_mantissa(double x) {
    return truing_from((truing_u64)(((truing_bits(x) + 0x00095f619980c433ull) & 0x000fffffffffffffull) + 0x3fe6a09e667f3bcdull));
}
TRUING_FN float truing_exp(float x) {
    const float v1 = truing_fma(x, 1.442695f, 12582912.0f);
    const float v2 = v1 - 12582912.0f;
    const float v3 = truing_fma(v2, -0.69314575f, x);
    const float v4 = truing_fma(v2, -1.4286068e-6f, v3);
    const float v5 = v4 * v4;
    const float v6 = truing_fma(0.0013950474f, v4, 0.008368881f);
    const float v7 = truing_fma(v6, v4, 0.041666206f);
    const float v8 = truing_fma(v7, v4, 0.1666652f);
    const float v9 = truing_fma(v8, v4, 0.5f);
    const float v10 = truing_fma(v5, v9, v4);
    const float v11 = v2 * 0.5f;
    const float v12 = v11 + 12582912.0f;
    const float v13 = v12 - 12582912.0f;
    const float v14 = v10 + 1.0f;
    const float v15 = truing_exp2i(v13);
    const float v16 = v14 * v15;
    const float v17 = v2 - v13;
    const float v18 = truing_exp2i(v17);
    const float v19 = v16 * v18;
    const float v20 = x < -104.0f ? 0.0f : v19;
    const float v21 = 88.72284f < x ? TRUING_INFF : v20;
    return v21;
}
TRUING_FN float truing_expm1(float x) {
    const float v1 = truing_fma(x, 1.442695f, 12582912.0f);
    const float v2 = v1 - 12582912.0f;
    const float v3 = truing_fma(v2, -0.69314575f, x);
    const float v4 = truing_fma(v2, -1.4286068e-6f, v3);
    const float v5 = v4 * v4;
    const float v6 = truing_fma(0.0013950474f, v4, 0.008368881f);
    const float v7 = truing_fma(v6, v4, 0.041666206f);
    const float v8 = truing_fma(v7, v4, 0.1666652f);
    const float v9 = truing_fma(v8, v4, 0.5f);
    const float v10 = truing_fma(v5, v9, v4);
    const float v11 = v2 - 1.0f;
    const float v12 = truing_exp2i(v11);
    const float v13 = v12 - 0.5f;
    const float v14 = truing_fma(v12, v10, v13);
    const float v15 = v14 + v14;
    const float v16 = x < -18.0f ? -1.0f : v15;
    const float v17 = 88.72284f < x ? TRUING_INFF : v16;
    const float v18 = truing_abs(x);
    const float v19 = v18 < 5.9604645e-8f ? x : v17;
    return v19;
}
TRUING_FN float truing_exp_rem(float x) {
    const float v1 = x * x;
    const float v2 = truing_fma(2.7722842e-6f, x, 2.535483e-5f);
    const float v3 = truing_fma(v2, x, 0.00019844023f);
    const float v4 = truing_fma(v3, x, 0.0013885451f);
    const float v5 = truing_fma(v4, x, 0.0083333105f);
    const float v6 = truing_fma(v5, x, 0.041666735f);
    const float v7 = truing_fma(v6, x, 0.16666667f);
    const float v8 = truing_fma(v7, x, 0.5f);
    const float v9 = v1 * v8;
    const float v10 = truing_fma(x, 1.442695f, 12582912.0f);
    const float v11 = v10 - 12582912.0f;
    const float v12 = truing_fma(v11, -0.69314575f, x);
    const float v13 = truing_fma(v11, -1.4286068e-6f, v12);
    const float v14 = v13 * v13;
    const float v15 = truing_fma(0.0013950474f, v13, 0.008368881f);
    const float v16 = truing_fma(v15, v13, 0.041666206f);
    const float v17 = truing_fma(v16, v13, 0.1666652f);
    const float v18 = truing_fma(v17, v13, 0.5f);
    const float v19 = truing_fma(v14, v18, v13);
    const float v20 = v11 - 1.0f;
    const float v21 = truing_exp2i(v20);
    const float v22 = v21 - 0.5f;
    const float v23 = 0.5f * x;
    const float v24 = v22 - v23;
    const float v25 = truing_fma(v21, v19, v24);
    const float v26 = -1.0f - x;
    const float v27 = v25 + v25;
    const float v28 = x < -18.0f ? v26 : v27;
    const float v29 = 88.72284f < x ? TRUING_INFF : v28;
    const float v30 = truing_abs(x);
    const float v31 = v30 < 1.0f ? v9 : v29;
    return v31;
}
TRUING_FN float truing_log(float x) {
    const float v1 = x * 33554432.0f;
    const float v2 = x < 1.1754944e-38f ? v1 : x;
    const float v3 = truing_exponent(v2);
    const float v4 = x < 1.1754944e-38f ? 25.0f : 0.0f;
    const float v5 = v3 - v4;
    const float v6 = truing_mantissa(v2);
    const float v7 = v6 - 1.0f;
    const float v8 = v7 + 2.0f;
    const float v9 = v7 / v8;
    const float v10 = v9 * v9;
    const float v11 = v7 * v7;
    const float v12 = v11 * 0.5f;
    const float v13 = truing_fma(0.29871827f, v10, 0.3997754f);
    const float v14 = truing_fma(v13, v10, 0.66666776f);
    const float v15 = truing_fma(v10, v14, v12);
    const float v16 = truing_fma(v5, 1.4286068e-6f, 0.0f);
    const float v17 = truing_fma(v9, v15, v16);
    const float v18 = v12 - v17;
    const float v19 = v7 - v18;
    const float v20 = truing_fma(v5, 0.69314575f, v19);
    const float v21 = x < TRUING_INFF ? v20 : x;
    const float v22 = 0.0f <= x ? -TRUING_INFF : TRUING_NANF;
    const float v23 = 0.0f < x ? v21 : v22;
    return v23;
}
TRUING_FN float truing_log1p(float x) {
    const float v1 = x + 1.0f;
    const float v2 = v1 - 1.0f;
    const float v3 = v1 - v2;
    const float v4 = 1.0f - v3;
    const float v5 = x - v2;
    const float v6 = v4 + v5;
    const float v7 = truing_exponent(v1);
    const float v8 = truing_mantissa(v1);
    const float v9 = v8 - 1.0f;
    const float v10 = -(v7);
    const float v11 = truing_exp2i(v10);
    const float v12 = v7 < 64.0f ? v11 : 0.0f;
    const float v13 = v6 * v12;
    const float v14 = 1.0f - v9;
    const float v15 = v9 * v14;
    const float v16 = 1.0f - v15;
    const float v17 = v13 * v16;
    const float v18 = truing_abs(v7);
    const float v19 = v18 < 0.5f ? x : v9;
    const float v20 = v18 < 0.5f ? 0.0f : v17;
    const float v21 = v19 + 2.0f;
    const float v22 = v19 / v21;
    const float v23 = v22 * v22;
    const float v24 = v19 * v19;
    const float v25 = v24 * 0.5f;
    const float v26 = truing_fma(0.29871827f, v23, 0.3997754f);
    const float v27 = truing_fma(v26, v23, 0.66666776f);
    const float v28 = truing_fma(v23, v27, v25);
    const float v29 = truing_fma(v7, 1.4286068e-6f, v20);
    const float v30 = truing_fma(v22, v28, v29);
    const float v31 = v25 - v30;
    const float v32 = v19 - v31;
    const float v33 = truing_fma(v7, 0.69314575f, v32);
    const float v34 = x < TRUING_INFF ? v33 : x;
    const float v35 = -1.0f <= x ? -TRUING_INFF : TRUING_NANF;
    const float v36 = -1.0f < x ? v34 : v35;
    return v36;
}
TRUING_FN float truing_tanh(float x) {
    const float v1 = truing_abs(x);
    const float v2 = v1 + v1;
    const float v3 = -(v2);
    const float v4 = v1 < 1.0f ? v3 : v2;
    const float v5 = truing_expm1(v4);
    const float v6 = -(v5);
    const float v7 = v1 < 1.0f ? v6 : 2.0f;
    const float v8 = v5 + 2.0f;
    const float v9 = v7 / v8;
    const float v10 = 1.0f - v9;
    const float v11 = v1 < 1.0f ? v9 : v10;
    const float v12 = -(v11);
    const float v13 = x < 0.0f ? v12 : v11;
    const float v14 = v1 < 5.9604645e-8f ? x : v13;
    return v14;
}
TRUING_FN float truing_sigmoid(float x) {
    const float v1 = truing_abs(x);
    const float v2 = -(v1);
    const float v3 = truing_exp(v2);
    const float v4 = x < 0.0f ? v3 : 1.0f;
    const float v5 = v3 + 1.0f;
    const float v6 = v4 / v5;
    return v6;
}
TRUING_FN float truing_softplus(float x) {
    const float v1 = 0.0f < x ? x : 0.0f;
    const float v2 = truing_abs(x);
    const float v3 = -(v2);
    const float v4 = truing_exp(v3);
    const float v5 = truing_log1p(v4);
    const float v6 = v1 + v5;
    return v6;
}
TRUING_FN float truing_log1mexp(float x) {
    const float v1 = truing_expm1(x);
    const float v2 = -(v1);
    const float v3 = truing_log(v2);
    const float v4 = truing_exp(x);
    const float v5 = -(v4);
    const float v6 = truing_log1p(v5);
    const float v7 = -0.6931472f < x ? v3 : v6;
    return v7;
}
TRUING_FN double truing_exp(double x) {
    const double v1 = truing_fma(x, 1.4426950408889634, 6755399441055744.0);
    const double v2 = v1 - 6755399441055744.0;
    const double v3 = truing_fma(v2, -0.6931471805592082, x);
    const double v4 = truing_fma(v2, -7.371002565167799e-13, v3);
    const double v5 = v4 * v4;
    const double v6 = truing_fma(2.5117848263027257e-8, v4, 2.763125218004125e-7);
    const double v7 = truing_fma(v6, v4, 2.7557216348605783e-6);
    const double v8 = truing_fma(v7, v4, 2.4801490028815436e-5);
    const double v9 = truing_fma(v8, v4, 0.000198412699173193);
    const double v10 = truing_fma(v9, v4, 0.0013888888946922506);
    const double v11 = truing_fma(v10, v4, 0.008333333333307241);
    const double v12 = truing_fma(v11, v4, 0.04166666666651583);
    const double v13 = truing_fma(v12, v4, 0.166666666666667);
    const double v14 = truing_fma(v13, v4, 0.5000000000000012);
    const double v15 = truing_fma(v5, v14, v4);
    const double v16 = v2 * 0.5;
    const double v17 = v16 + 6755399441055744.0;
    const double v18 = v17 - 6755399441055744.0;
    const double v19 = v15 + 1.0;
    const double v20 = truing_exp2i(v18);
    const double v21 = v19 * v20;
    const double v22 = v2 - v18;
    const double v23 = truing_exp2i(v22);
    const double v24 = v21 * v23;
    const double v25 = x < -745.2 ? 0.0 : v24;
    const double v26 = 709.782712893384 < x ? TRUING_INF : v25;
    return v26;
}
TRUING_FN double truing_expm1(double x) {
    const double v1 = truing_fma(x, 1.4426950408889634, 6755399441055744.0);
    const double v2 = v1 - 6755399441055744.0;
    const double v3 = truing_fma(v2, -0.6931471805592082, x);
    const double v4 = truing_fma(v2, -7.371002565167799e-13, v3);
    const double v5 = v4 * v4;
    const double v6 = truing_fma(2.5117848263027257e-8, v4, 2.763125218004125e-7);
    const double v7 = truing_fma(v6, v4, 2.7557216348605783e-6);
    const double v8 = truing_fma(v7, v4, 2.4801490028815436e-5);
    const double v9 = truing_fma(v8, v4, 0.000198412699173193);
    const double v10 = truing_fma(v9, v4, 0.0013888888946922506);
    const double v11 = truing_fma(v10, v4, 0.008333333333307241);
    const double v12 = truing_fma(v11, v4, 0.04166666666651583);
    const double v13 = truing_fma(v12, v4, 0.166666666666667);
    const double v14 = truing_fma(v13, v4, 0.5000000000000012);
    const double v15 = truing_fma(v5, v14, v4);
    const double v16 = v2 - 1.0;
    const double v17 = truing_exp2i(v16);
    const double v18 = v17 - 0.5;
    const double v19 = truing_fma(v17, v15, v18);
    const double v20 = v19 + v19;
    const double v21 = x < -38.0 ? -1.0 : v20;
    const double v22 = 709.782712893384 < x ? TRUING_INF : v21;
    const double v23 = truing_abs(x);
    const double v24 = v23 < 1.1102230246251565e-16 ? x : v22;
    return v24;
}
TRUING_FN double truing_exp_rem(double x) {
    const double v1 = x * x;
    const double v2 = truing_fma(2.8223397771955013e-15, x, 4.8421089491133374e-14);
    const double v3 = truing_fma(v2, x, 7.647455530446604e-13);
    const double v4 = truing_fma(v3, x, 1.1469730177602238e-11);
    const double v5 = truing_fma(v4, x, 1.6059035975775908e-10);
    const double v6 = truing_fma(v5, x, 2.0876765544812035e-9);
    const double v7 = truing_fma(v6, x, 2.505210845864971e-8);
    const double v8 = truing_fma(v7, x, 2.7557319184093336e-7);
    const double v9 = truing_fma(v8, x, 2.755731922365478e-6);
    const double v10 = truing_fma(v9, x, 2.480158730168815e-5);
    const double v11 = truing_fma(v10, x, 0.00019841269841270579);
    const double v12 = truing_fma(v11, x, 0.0013888888888888764);
    const double v13 = truing_fma(v12, x, 0.008333333333333333);
    const double v14 = truing_fma(v13, x, 0.041666666666666664);
    const double v15 = truing_fma(v14, x, 0.16666666666666666);
    const double v16 = truing_fma(v15, x, 0.5);
    const double v17 = v1 * v16;
    const double v18 = truing_fma(x, 1.4426950408889634, 6755399441055744.0);
    const double v19 = v18 - 6755399441055744.0;
    const double v20 = truing_fma(v19, -0.6931471805592082, x);
    const double v21 = truing_fma(v19, -7.371002565167799e-13, v20);
    const double v22 = v21 * v21;
    const double v23 = truing_fma(2.5117848263027257e-8, v21, 2.763125218004125e-7);
    const double v24 = truing_fma(v23, v21, 2.7557216348605783e-6);
    const double v25 = truing_fma(v24, v21, 2.4801490028815436e-5);
    const double v26 = truing_fma(v25, v21, 0.000198412699173193);
    const double v27 = truing_fma(v26, v21, 0.0013888888946922506);
    const double v28 = truing_fma(v27, v21, 0.008333333333307241);
    const double v29 = truing_fma(v28, v21, 0.04166666666651583);
    const double v30 = truing_fma(v29, v21, 0.166666666666667);
    const double v31 = truing_fma(v30, v21, 0.5000000000000012);
    const double v32 = truing_fma(v22, v31, v21);
    const double v33 = v19 - 1.0;
    const double v34 = truing_exp2i(v33);
    const double v35 = v34 - 0.5;
    const double v36 = 0.5 * x;
    const double v37 = v35 - v36;
    const double v38 = truing_fma(v34, v32, v37);
    const double v39 = -1.0 - x;
    const double v40 = v38 + v38;
    const double v41 = x < -38.0 ? v39 : v40;
    const double v42 = 709.782712893384 < x ? TRUING_INF : v41;
    const double v43 = truing_abs(x);
    const double v44 = v43 < 1.0 ? v17 : v42;
    return v44;
}
TRUING_FN double truing_log(double x) {
    const double v1 = x * 1.8014398509481984e16;
    const double v2 = x < 2.2250738585072014e-308 ? v1 : x;
    const double v3 = truing_exponent(v2);
    const double v4 = x < 2.2250738585072014e-308 ? 54.0 : 0.0;
    const double v5 = v3 - v4;
    const double v6 = truing_mantissa(v2);
    const double v7 = v6 - 1.0;
    const double v8 = v7 + 2.0;
    const double v9 = v7 / v8;
    const double v10 = v9 * v9;
    const double v11 = v7 * v7;
    const double v12 = v11 * 0.5;
    const double v13 = truing_fma(0.14796055032830374, v10, 0.15314041106701273);
    const double v14 = truing_fma(v13, v10, 0.18183564648613496);
    const double v15 = truing_fma(v14, v10, 0.22222198567997464);
    const double v16 = truing_fma(v15, v10, 0.2857142874242647);
    const double v17 = truing_fma(v16, v10, 0.3999999999941457);
    const double v18 = truing_fma(v17, v10, 0.6666666666666734);
    const double v19 = truing_fma(v10, v18, v12);
    const double v20 = truing_fma(v5, 7.371002565167799e-13, 0.0);
    const double v21 = truing_fma(v9, v19, v20);
    const double v22 = v12 - v21;
    const double v23 = v7 - v22;
    const double v24 = truing_fma(v5, 0.6931471805592082, v23);
    const double v25 = x < TRUING_INF ? v24 : x;
    const double v26 = 0.0 <= x ? -TRUING_INF : TRUING_NAN;
    const double v27 = 0.0 < x ? v25 : v26;
    return v27;
}
TRUING_FN double truing_log1p(double x) {
    const double v1 = x + 1.0;
    const double v2 = v1 - 1.0;
    const double v3 = v1 - v2;
    const double v4 = 1.0 - v3;
    const double v5 = x - v2;
    const double v6 = v4 + v5;
    const double v7 = truing_exponent(v1);
    const double v8 = truing_mantissa(v1);
    const double v9 = v8 - 1.0;
    const double v10 = -(v7);
    const double v11 = truing_exp2i(v10);
    const double v12 = v7 < 64.0 ? v11 : 0.0;
    const double v13 = v6 * v12;
    const double v14 = 1.0 - v9;
    const double v15 = v9 * v14;
    const double v16 = 1.0 - v15;
    const double v17 = v13 * v16;
    const double v18 = truing_abs(v7);
    const double v19 = v18 < 0.5 ? x : v9;
    const double v20 = v18 < 0.5 ? 0.0 : v17;
    const double v21 = v19 + 2.0;
    const double v22 = v19 / v21;
    const double v23 = v22 * v22;
    const double v24 = v19 * v19;
    const double v25 = v24 * 0.5;
    const double v26 = truing_fma(0.14796055032830374, v23, 0.15314041106701273);
    const double v27 = truing_fma(v26, v23, 0.18183564648613496);
    const double v28 = truing_fma(v27, v23, 0.22222198567997464);
    const double v29 = truing_fma(v28, v23, 0.2857142874242647);
    const double v30 = truing_fma(v29, v23, 0.3999999999941457);
    const double v31 = truing_fma(v30, v23, 0.6666666666666734);
    const double v32 = truing_fma(v23, v31, v25);
    const double v33 = truing_fma(v7, 7.371002565167799e-13, v20);
    const double v34 = truing_fma(v22, v32, v33);
    const double v35 = v25 - v34;
    const double v36 = v19 - v35;
    const double v37 = truing_fma(v7, 0.6931471805592082, v36);
    const double v38 = x < TRUING_INF ? v37 : x;
    const double v39 = -1.0 <= x ? -TRUING_INF : TRUING_NAN;
    const double v40 = -1.0 < x ? v38 : v39;
    return v40;
}
TRUING_FN double truing_tanh(double x) {
    const double v1 = truing_abs(x);
    const double v2 = v1 + v1;
    const double v3 = -(v2);
    const double v4 = v1 < 1.0 ? v3 : v2;
    const double v5 = truing_expm1(v4);
    const double v6 = -(v5);
    const double v7 = v1 < 1.0 ? v6 : 2.0;
    const double v8 = v5 + 2.0;
    const double v9 = v7 / v8;
    const double v10 = 1.0 - v9;
    const double v11 = v1 < 1.0 ? v9 : v10;
    const double v12 = -(v11);
    const double v13 = x < 0.0 ? v12 : v11;
    const double v14 = v1 < 1.1102230246251565e-16 ? x : v13;
    return v14;
}
TRUING_FN double truing_sigmoid(double x) {
    const double v1 = truing_abs(x);
    const double v2 = -(v1);
    const double v3 = truing_exp(v2);
    const double v4 = x < 0.0 ? v3 : 1.0;
    const double v5 = v3 + 1.0;
    const double v6 = v4 / v5;
    return v6;
}
TRUING_FN double truing_softplus(double x) {
    const double v1 = 0.0 < x ? x : 0.0;
    const double v2 = truing_abs(x);
    const double v3 = -(v2);
    const double v4 = truing_exp(v3);
    const double v5 = truing_log1p(v4);
    const double v6 = v1 + v5;
    return v6;
}
TRUING_FN double truing_log1mexp(double x) {
    const double v1 = truing_expm1(x);
    const double v2 = -(v1);
    const double v3 = truing_log(v2);
    const double v4 = truing_exp(x);
    const double v5 = -(v4);
    const double v6 = truing_log1p(v5);
    const double v7 = -0.6931471805599453 < x ? v3 : v6;
    return v7;
}
// u = beta (a - b) - margin; -(1 - eps) log sigma(u) - eps log sigma(-u)
TRUING_FN void truing_pair_dpo(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double label_smoothing, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = rejected_logp - rejected_ref_logp;
    const double v3 = v1 - v2;
    const double v4 = beta * v3;
    const double v5 = chosen_margin - rejected_margin;
    const double v6 = v4 - v5;
    const double v7 = 1.0 - label_smoothing;
    const double v8 = v6 < 0.0 ? v7 : label_smoothing;
    const double v9 = truing_abs(v6);
    const double v10 = -(v9);
    const double v11 = truing_exp(v10);
    const double v12 = truing_log1p(v11);
    const double v13 = truing_abs(v8);
    const double v14 = v8 * v9;
    const double v15 = 0.0 < v13 ? v14 : v13;
    const double v16 = v12 + v15;
    const double v17 = truing_sigmoid(v6);
    const double v18 = label_smoothing * v17;
    const double v19 = -(v6);
    const double v20 = truing_sigmoid(v19);
    const double v21 = v7 * v20;
    const double v22 = v18 - v21;
    const double v23 = beta * v22;
    const double v24 = -(v23);
    const double v25 = -(v22);
    *value = v16;
    *grad_chosen_logp = v23;
    *grad_rejected_logp = v24;
    *grad_chosen_margin = v25;
    *grad_rejected_margin = v22;
}
// (a / T_c - b / T_r - margin / beta - 1 / (2 beta))^2
TRUING_FN void truing_pair_ipo(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_len, double rejected_len, double chosen_margin, double rejected_margin, double beta, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = v1 / chosen_len;
    const double v3 = 0.0 < chosen_len ? v2 : 0.0;
    const double v4 = rejected_logp - rejected_ref_logp;
    const double v5 = v4 / rejected_len;
    const double v6 = 0.0 < rejected_len ? v5 : 0.0;
    const double v7 = v3 - v6;
    const double v8 = chosen_margin - rejected_margin;
    const double v9 = v8 + 0.5;
    const double v10 = v9 / beta;
    const double v11 = v7 - v10;
    const double v12 = v11 + v11;
    const double v13 = v11 * v11;
    const double v14 = v12 / chosen_len;
    const double v15 = 0.0 < chosen_len ? v14 : 0.0;
    const double v16 = v12 / rejected_len;
    const double v17 = 0.0 < rejected_len ? v16 : 0.0;
    const double v18 = -(v17);
    const double v19 = v12 / beta;
    const double v20 = -(v19);
    *value = v13;
    *grad_chosen_logp = v15;
    *grad_rejected_logp = v18;
    *grad_chosen_margin = v20;
    *grad_rejected_margin = v19;
}
// dpo on means l / T, no reference, margin = gamma
TRUING_FN void truing_pair_simpo(double chosen_logp, double rejected_logp, double beta, double gamma, double label_smoothing, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = chosen_logp - 0.0;
    const double v2 = rejected_logp - 0.0;
    const double v3 = v1 - v2;
    const double v4 = beta * v3;
    const double v5 = gamma - 0.0;
    const double v6 = v4 - v5;
    const double v7 = 1.0 - label_smoothing;
    const double v8 = v6 < 0.0 ? v7 : label_smoothing;
    const double v9 = truing_abs(v6);
    const double v10 = -(v9);
    const double v11 = truing_exp(v10);
    const double v12 = truing_log1p(v11);
    const double v13 = truing_abs(v8);
    const double v14 = v8 * v9;
    const double v15 = 0.0 < v13 ? v14 : v13;
    const double v16 = v12 + v15;
    const double v17 = truing_sigmoid(v6);
    const double v18 = label_smoothing * v17;
    const double v19 = -(v6);
    const double v20 = truing_sigmoid(v19);
    const double v21 = v7 * v20;
    const double v22 = v18 - v21;
    const double v23 = beta * v22;
    const double v24 = -(v23);
    *value = v16;
    *grad_chosen_logp = v23;
    *grad_rejected_logp = v24;
}
// -log sigma(beta ((a - b) - (kl_r - kl_c)))
TRUING_FN void truing_pair_tdpo1(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_kl, double rejected_kl, double beta, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_kl, double *grad_rejected_kl) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = rejected_logp - rejected_ref_logp;
    const double v3 = v1 - v2;
    const double v4 = rejected_kl - chosen_kl;
    const double v5 = v3 - v4;
    const double v6 = beta * v5;
    const double v7 = -(v6);
    const double v8 = truing_softplus(v7);
    const double v9 = truing_sigmoid(v7);
    const double v10 = beta * v9;
    const double v11 = -(v10);
    *value = v8;
    *grad_chosen_logp = v11;
    *grad_rejected_logp = v10;
    *grad_chosen_kl = v11;
    *grad_rejected_kl = v10;
}
// x = beta (a - baseline); desirable: w_d sigma(-x); undesirable: w_u sigma(x)
TRUING_FN void truing_unpaired_kto(double logp, double ref_logp, double label, double baseline, double beta, double desirable_weight, double undesirable_weight, double *value, double *grad_logp) {
    const double v1 = 0.0 < label ? desirable_weight : undesirable_weight;
    const double v2 = -(beta);
    const double v3 = 0.0 < label ? v2 : beta;
    const double v4 = logp - ref_logp;
    const double v5 = v4 - baseline;
    const double v6 = v3 * v5;
    const double v7 = truing_sigmoid(v6);
    const double v8 = v1 * v7;
    const double v9 = v3 * v8;
    const double v10 = -(v6);
    const double v11 = truing_sigmoid(v10);
    const double v12 = v9 * v11;
    *value = v8;
    *grad_logp = v12;
}
// kto with baseline = 0
TRUING_FN void truing_unpaired_apo_zero_unpaired(double logp, double ref_logp, double label, double beta, double desirable_weight, double undesirable_weight, double *value, double *grad_logp) {
    const double v1 = 0.0 < label ? desirable_weight : undesirable_weight;
    const double v2 = -(beta);
    const double v3 = 0.0 < label ? v2 : beta;
    const double v4 = logp - ref_logp;
    const double v5 = v4 - 0.0;
    const double v6 = v3 * v5;
    const double v7 = truing_sigmoid(v6);
    const double v8 = v1 * v7;
    const double v9 = v3 * v8;
    const double v10 = -(v6);
    const double v11 = truing_sigmoid(v10);
    const double v12 = v9 * v11;
    *value = v8;
    *grad_logp = v12;
}
// v = beta a - shift; desirable: -log sigma(v); undesirable: -weight log sigma(-v)
TRUING_FN void truing_unpaired_bco(double logp, double ref_logp, double label, double weight, double shift, double beta, double *value, double *grad_logp) {
    const double v1 = logp - ref_logp;
    const double v2 = beta * v1;
    const double v3 = v2 - shift;
    const double v4 = -(v3);
    const double v5 = 0.0 < label ? v4 : v3;
    const double v6 = 0.0 < label ? 1.0 : weight;
    const double v7 = -(beta);
    const double v8 = 0.0 < label ? v7 : beta;
    const double v9 = truing_softplus(v5);
    const double v10 = truing_abs(v6);
    const double v11 = v6 * v9;
    const double v12 = 0.0 < v10 ? v11 : v10;
    const double v13 = truing_sigmoid(v5);
    const double v14 = v8 * v13;
    const double v15 = v6 * v14;
    const double v16 = 0.0 < v10 ? v15 : v10;
    *value = v12;
    *grad_logp = v16;
}
// -log sigma(beta (l / T - baseline) + gamma)
TRUING_FN void truing_unpaired_poft(double logp, double baseline, double beta, double gamma, double *value, double *grad_logp) {
    const double v1 = logp - baseline;
    const double v2 = beta * v1;
    const double v3 = v2 + gamma;
    const double v4 = -(v3);
    const double v5 = truing_softplus(v4);
    const double v6 = truing_sigmoid(v4);
    const double v7 = beta * v6;
    const double v8 = -(v7);
    *value = v5;
    *grad_logp = v8;
}
// -2 / beta log sigma(-beta a)
TRUING_FN void truing_unpaired_npo(double logp, double ref_logp, double beta, double *value, double *grad_logp) {
    const double v1 = logp - ref_logp;
    const double v2 = beta * v1;
    const double v3 = truing_softplus(v2);
    const double v4 = 2.0 * v3;
    const double v5 = v4 / beta;
    const double v6 = truing_sigmoid(v2);
    const double v7 = 2.0 * v6;
    *value = v5;
    *grad_logp = v7;
}
// -2 / beta log sigma(-beta (l / T + delta))
TRUING_FN void truing_unpaired_simnpo(double logp, double beta, double delta, double *value, double *grad_logp) {
    const double v1 = logp + delta;
    const double v2 = beta * v1;
    const double v3 = truing_softplus(v2);
    const double v4 = 2.0 * v3;
    const double v5 = v4 / beta;
    const double v6 = truing_sigmoid(v2);
    const double v7 = 2.0 * v6;
    *value = v5;
    *grad_logp = v7;
}
// baseline = r - V; (beta2 a - baseline)^2
TRUING_FN void truing_unpaired_a_star_po(double logp, double ref_logp, double baseline, double beta2, double *value, double *grad_logp, double *grad_baseline) {
    const double v1 = logp - ref_logp;
    const double v2 = beta2 * v1;
    const double v3 = v2 - baseline;
    const double v4 = v3 + v3;
    const double v5 = v3 * v3;
    const double v6 = beta2 * v4;
    const double v7 = -(v4);
    *value = v5;
    *grad_logp = v6;
    *grad_baseline = v7;
}
// y = baseline; -y log sigma(beta a) - (1 - y) log sigma(-beta a)
TRUING_FN void truing_unpaired_prime_ce(double logp, double ref_logp, double baseline, double beta, double *value, double *grad_logp) {
    const double v1 = logp - ref_logp;
    const double v2 = beta * v1;
    const double v3 = 1.0 - baseline;
    const double v4 = v2 < 0.0 ? baseline : v3;
    const double v5 = truing_abs(v2);
    const double v6 = -(v5);
    const double v7 = truing_exp(v6);
    const double v8 = truing_log1p(v7);
    const double v9 = truing_abs(v4);
    const double v10 = v4 * v5;
    const double v11 = 0.0 < v9 ? v10 : v9;
    const double v12 = v8 + v11;
    const double v13 = truing_sigmoid(v2);
    const double v14 = v3 * v13;
    const double v15 = -(v2);
    const double v16 = truing_sigmoid(v15);
    const double v17 = baseline * v16;
    const double v18 = v14 - v17;
    const double v19 = beta * v18;
    *value = v12;
    *grad_logp = v19;
}
// r = e^(logp - old); -min(min(r, delta) A, clip(r, 1 - clip_low, 1 + clip_high) A); at most -dual_clip A for A < 0
TRUING_FN void truing_token_ppo_clip(float logp, float old, float advantage, float log_low, float log_cap, float log_roof, float log_dual, float *value, float *grad_logp) {
    const float v1 = logp - old;
    const float v2 = log_dual < log_roof ? log_dual : log_roof;
    const float v3 = advantage < 0.0f ? log_low : -TRUING_INFF;
    const float v4 = advantage < 0.0f ? v2 : log_cap;
    const float v5 = v4 < v1 ? v4 : v1;
    const float v6 = v1 < v3 ? v3 : v5;
    const float v7 = -(advantage);
    const float v8 = truing_exp(v6);
    const float v9 = v7 * v8;
    const float v10 = v4 < v1 ? 0.0f : v9;
    const float v11 = v1 < v3 ? 0.0f : v10;
    const float v12 = truing_abs(advantage);
    const float v13 = 0.0f < v12 ? v9 : v12;
    const float v14 = 0.0f < v12 ? v11 : v12;
    *value = v13;
    *grad_logp = v14;
}
// -logp
TRUING_FN void truing_token_nll(float logp, float *value, float *grad_logp) {
    const float v1 = truing_abs(-1.0f);
    const float v2 = -1.0f * logp;
    const float v3 = 0.0f < v1 ? v2 : v1;
    *value = v3;
    *grad_logp = -1.0f;
}
// -p logp, p = e^logp constant
TRUING_FN void truing_token_dft(float logp, float *value, float *grad_logp) {
    const float v1 = truing_exp(logp);
    const float v2 = -(v1);
    const float v3 = truing_abs(v2);
    const float v4 = v2 * logp;
    const float v5 = 0.0f < v3 ? v4 : v3;
    *value = v5;
    *grad_logp = v2;
}
// -p (1 - p) logp, p = e^logp constant
TRUING_FN void truing_token_chord_phi(float logp, float *value, float *grad_logp) {
    const float v1 = truing_exp(logp);
    const float v2 = truing_expm1(logp);
    const float v3 = v1 * v2;
    const float v4 = truing_abs(v3);
    const float v5 = v3 * logp;
    const float v6 = 0.0f < v4 ? v5 : v4;
    *value = v6;
    *grad_logp = v3;
}
// -(H / 3)^alpha logp, H constant, of the 20 most probable tokens
TRUING_FN void truing_token_eaft(float logp, float entropy, float alpha, float *value, float *grad_logp) {
    const float v1 = entropy / 3.0f;
    const float v2 = 0.0f < alpha ? 0.0f : 1.0f;
    const float v3 = truing_log(v1);
    const float v4 = alpha * v3;
    const float v5 = truing_exp(v4);
    const float v6 = v1 <= 0.0f ? v2 : v5;
    const float v7 = -(v6);
    const float v8 = truing_abs(v7);
    const float v9 = v7 * logp;
    const float v10 = 0.0f < v8 ? v9 : v8;
    *value = v10;
    *grad_logp = v7;
}
// -H^alpha logp, H constant, of the 20 most probable tokens
TRUING_FN void truing_token_eaft_raw(float logp, float entropy, float alpha, float *value, float *grad_logp) {
    const float v1 = 0.0f < alpha ? 0.0f : 1.0f;
    const float v2 = truing_log(entropy);
    const float v3 = alpha * v2;
    const float v4 = truing_exp(v3);
    const float v5 = entropy <= 0.0f ? v1 : v4;
    const float v6 = -(v5);
    const float v7 = truing_abs(v6);
    const float v8 = v6 * logp;
    const float v9 = 0.0f < v7 ? v8 : v7;
    *value = v9;
    *grad_logp = v6;
}
// beta_t = advantage; -2 / beta_t log sigma(beta_t (logp - ref))
TRUING_FN void truing_token_token_constrained(float logp, float ref_logp, float advantage, float *value, float *grad_logp) {
    const float v1 = logp - ref_logp;
    const float v2 = advantage * v1;
    const float v3 = -(v2);
    const float v4 = truing_softplus(v3);
    const float v5 = 2.0f * v4;
    const float v6 = v5 / advantage;
    const float v7 = truing_sigmoid(v3);
    const float v8 = 2.0f * v7;
    const float v9 = -(v8);
    *value = v6;
    *grad_logp = v9;
}
// logp
TRUING_FN void truing_token_gradient_ascent(float logp, float *value, float *grad_logp) {
    const float v1 = truing_abs(1.0f);
    const float v2 = 1.0f * logp;
    const float v3 = 0.0f < v1 ? v2 : v1;
    *value = v3;
    *grad_logp = 1.0f;
}
// p^beta logp, p = e^logp constant
TRUING_FN void truing_token_wga(float logp, float beta, float *value, float *grad_logp) {
    const float v1 = beta * logp;
    const float v2 = truing_exp(v1);
    const float v3 = truing_abs(v2);
    const float v4 = v2 * logp;
    const float v5 = 0.0f < v3 ? v4 : v3;
    *value = v5;
    *grad_logp = v2;
}
// p^beta1 (1 - p)^beta2 logp, p = e^logp constant
TRUING_FN void truing_token_satimp(float logp, float beta1, float beta2, float *value, float *grad_logp) {
    const float v1 = truing_abs(beta1);
    const float v2 = beta1 * logp;
    const float v3 = 0.0f < v1 ? v2 : v1;
    const float v4 = truing_log1mexp(logp);
    const float v5 = truing_abs(beta2);
    const float v6 = beta2 * v4;
    const float v7 = 0.0f < v5 ? v6 : v5;
    const float v8 = v3 + v7;
    const float v9 = truing_exp(v8);
    const float v10 = truing_abs(v9);
    const float v11 = v9 * logp;
    const float v12 = 0.0f < v10 ? v11 : v10;
    *value = v12;
    *grad_logp = v9;
}
// C = mean_t (logp - old); ppo_clip of r = e^C
TRUING_FN void truing_sequence_gspo_map(double logp, double old, double advantage, double log_low, double log_cap, double log_roof, double log_dual, double *value, double *grad_logp) {
    const double v1 = logp - old;
    *value = v1;
    *grad_logp = 1.0;
}
// C = mean_t (logp - old); ppo_clip of r = e^C
TRUING_FN void truing_sequence_gspo(double c, double advantage, double log_low, double log_cap, double log_roof, double log_dual, double *value, double *grad_c) {
    const double v1 = log_dual < log_roof ? log_dual : log_roof;
    const double v2 = advantage < 0.0 ? log_low : -TRUING_INF;
    const double v3 = advantage < 0.0 ? v1 : log_cap;
    const double v4 = v3 < c ? v3 : c;
    const double v5 = c < v2 ? v2 : v4;
    const double v6 = -(advantage);
    const double v7 = truing_exp(v5);
    const double v8 = v6 * v7;
    const double v9 = v3 < c ? 0.0 : v8;
    const double v10 = c < v2 ? 0.0 : v9;
    const double v11 = truing_abs(advantage);
    const double v12 = 0.0 < v11 ? v8 : v11;
    const double v13 = 0.0 < v11 ? v10 : v11;
    *value = v12;
    *grad_c = v13;
}
// logp - ref
TRUING_FN void truing_estimator_k1(float logp, float ref_logp, float *value, float *grad_logp) {
    const float v1 = logp - ref_logp;
    *value = v1;
    *grad_logp = 1.0f;
}
// (logp - ref)^2 / 2
TRUING_FN void truing_estimator_k2(float logp, float ref_logp, float *value, float *grad_logp) {
    const float v1 = logp - ref_logp;
    const float v2 = v1 * v1;
    const float v3 = 0.5f * v2;
    *value = v3;
    *grad_logp = v1;
}
// z = ref - logp; e^z - 1 - z
TRUING_FN void truing_estimator_k3(float logp, float ref_logp, float *value, float *grad_logp) {
    const float v1 = ref_logp - logp;
    const float v2 = truing_exp_rem(v1);
    const float v3 = truing_expm1(v1);
    const float v4 = -(v3);
    *value = v2;
    *grad_logp = v4;
}
