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
    const float v2 = 20.0f < v1 ? 20.0f : v1;
    const float v3 = -(2.0f);
    const float v4 = v2 < 1.0f ? v3 : 2.0f;
    const float v5 = v2 * v4;
    const float v6 = truing_fma(v5, 1.442695f, 12582912.0f);
    const float v7 = v6 - 12582912.0f;
    const float v8 = truing_fma(v7, -0.69314575f, v5);
    const float v9 = truing_fma(v7, -1.4286068e-6f, v8);
    const float v10 = v9 * v9;
    const float v11 = truing_fma(0.0013950474f, v9, 0.008368881f);
    const float v12 = truing_fma(v11, v9, 0.041666206f);
    const float v13 = truing_fma(v12, v9, 0.1666652f);
    const float v14 = truing_fma(v13, v9, 0.5f);
    const float v15 = truing_fma(v10, v14, v9);
    const float v16 = v7 - 1.0f;
    const float v17 = truing_exp2i(v16);
    const float v18 = v17 - 0.5f;
    const float v19 = truing_fma(v17, v15, v18);
    const float v20 = v19 + v19;
    const float v21 = -(v20);
    const float v22 = v2 < 1.0f ? v21 : 2.0f;
    const float v23 = v20 + 2.0f;
    const float v24 = v22 / v23;
    const float v25 = 1.0f - v24;
    const float v26 = v2 < 1.0f ? v24 : v25;
    const float v27 = -(v26);
    const float v28 = x < 0.0f ? v27 : v26;
    const float v29 = v1 < 5.9604645e-8f ? x : v28;
    return v29;
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
    const double v2 = 20.0 < v1 ? 20.0 : v1;
    const double v3 = -(2.0);
    const double v4 = v2 < 1.0 ? v3 : 2.0;
    const double v5 = v2 * v4;
    const double v6 = truing_fma(v5, 1.4426950408889634, 6755399441055744.0);
    const double v7 = v6 - 6755399441055744.0;
    const double v8 = truing_fma(v7, -0.6931471805592082, v5);
    const double v9 = truing_fma(v7, -7.371002565167799e-13, v8);
    const double v10 = v9 * v9;
    const double v11 = truing_fma(2.5117848263027257e-8, v9, 2.763125218004125e-7);
    const double v12 = truing_fma(v11, v9, 2.7557216348605783e-6);
    const double v13 = truing_fma(v12, v9, 2.4801490028815436e-5);
    const double v14 = truing_fma(v13, v9, 0.000198412699173193);
    const double v15 = truing_fma(v14, v9, 0.0013888888946922506);
    const double v16 = truing_fma(v15, v9, 0.008333333333307241);
    const double v17 = truing_fma(v16, v9, 0.04166666666651583);
    const double v18 = truing_fma(v17, v9, 0.166666666666667);
    const double v19 = truing_fma(v18, v9, 0.5000000000000012);
    const double v20 = truing_fma(v10, v19, v9);
    const double v21 = v7 - 1.0;
    const double v22 = truing_exp2i(v21);
    const double v23 = v22 - 0.5;
    const double v24 = truing_fma(v22, v20, v23);
    const double v25 = v24 + v24;
    const double v26 = -(v25);
    const double v27 = v2 < 1.0 ? v26 : 2.0;
    const double v28 = v25 + 2.0;
    const double v29 = v27 / v28;
    const double v30 = 1.0 - v29;
    const double v31 = v2 < 1.0 ? v29 : v30;
    const double v32 = -(v31);
    const double v33 = x < 0.0 ? v32 : v31;
    const double v34 = v1 < 1.1102230246251565e-16 ? x : v33;
    return v34;
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
// u = beta (a / T_c - b / T_r) - margin; -(1 - eps) log sigma(u) - eps log sigma(-u)
TRUING_FN void truing_pair_dpo_ln(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_len, double rejected_len, double chosen_margin, double rejected_margin, double beta, double label_smoothing, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = v1 / chosen_len;
    const double v3 = 0.0 < chosen_len ? v2 : 0.0;
    const double v4 = rejected_logp - rejected_ref_logp;
    const double v5 = v4 / rejected_len;
    const double v6 = 0.0 < rejected_len ? v5 : 0.0;
    const double v7 = v3 - v6;
    const double v8 = beta * v7;
    const double v9 = chosen_margin - rejected_margin;
    const double v10 = v8 - v9;
    const double v11 = 1.0 - label_smoothing;
    const double v12 = v10 < 0.0 ? v11 : label_smoothing;
    const double v13 = truing_abs(v10);
    const double v14 = -(v13);
    const double v15 = truing_exp(v14);
    const double v16 = truing_log1p(v15);
    const double v17 = truing_abs(v12);
    const double v18 = v12 * v13;
    const double v19 = 0.0 < v17 ? v18 : v17;
    const double v20 = v16 + v19;
    const double v21 = truing_sigmoid(v10);
    const double v22 = label_smoothing * v21;
    const double v23 = -(v10);
    const double v24 = truing_sigmoid(v23);
    const double v25 = v11 * v24;
    const double v26 = v22 - v25;
    const double v27 = beta * v26;
    const double v28 = -(v26);
    const double v29 = v27 / chosen_len;
    const double v30 = 0.0 < chosen_len ? v29 : 0.0;
    const double v31 = v27 / rejected_len;
    const double v32 = 0.0 < rejected_len ? v31 : 0.0;
    const double v33 = -(v32);
    *value = v20;
    *grad_chosen_logp = v30;
    *grad_rejected_logp = v33;
    *grad_chosen_margin = v28;
    *grad_rejected_margin = v26;
}
// u = beta (a - b) - margin; (-(1 - eps) log sigma(u) + eps log sigma(-u)) / (1 - 2 eps)
TRUING_FN void truing_pair_robust_dpo(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double label_smoothing, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = rejected_logp - rejected_ref_logp;
    const double v3 = v1 - v2;
    const double v4 = beta * v3;
    const double v5 = chosen_margin - rejected_margin;
    const double v6 = v4 - v5;
    const double v7 = 1.0 - label_smoothing;
    const double v8 = label_smoothing + label_smoothing;
    const double v9 = 1.0 - v8;
    const double v10 = -(label_smoothing);
    const double v11 = v6 < 0.0 ? v7 : v10;
    const double v12 = truing_abs(v6);
    const double v13 = truing_abs(v11);
    const double v14 = v11 * v12;
    const double v15 = 0.0 < v13 ? v14 : v13;
    const double v16 = v15 / v9;
    const double v17 = -(v12);
    const double v18 = truing_exp(v17);
    const double v19 = truing_log1p(v18);
    const double v20 = v19 + v16;
    const double v21 = -(v6);
    const double v22 = truing_sigmoid(v21);
    const double v23 = v7 * v22;
    const double v24 = truing_sigmoid(v6);
    const double v25 = label_smoothing * v24;
    const double v26 = v23 + v25;
    const double v27 = -(v26);
    const double v28 = v27 / v9;
    const double v29 = beta * v28;
    const double v30 = -(v29);
    const double v31 = -(v28);
    *value = v20;
    *grad_chosen_logp = v29;
    *grad_rejected_logp = v30;
    *grad_chosen_margin = v31;
    *grad_rejected_margin = v28;
}
// max(0, 1 - (beta (a - b) - margin))
TRUING_FN void truing_pair_hinge(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = rejected_logp - rejected_ref_logp;
    const double v3 = v1 - v2;
    const double v4 = beta * v3;
    const double v5 = chosen_margin - rejected_margin;
    const double v6 = v4 - v5;
    const double v7 = 1.0 - v6;
    const double v8 = v7 <= 0.0 ? 0.0 : v7;
    const double v9 = -(1.0);
    const double v10 = v6 < 1.0 ? v9 : 0.0;
    const double v11 = beta * v10;
    const double v12 = -(v11);
    const double v13 = -(v10);
    *value = v8;
    *grad_chosen_logp = v11;
    *grad_rejected_logp = v12;
    *grad_chosen_margin = v13;
    *grad_rejected_margin = v10;
}
// (a - b - margin / beta - 1 / (2 beta))^2
TRUING_FN void truing_pair_ipo_sum(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = rejected_logp - rejected_ref_logp;
    const double v3 = v1 - v2;
    const double v4 = chosen_margin - rejected_margin;
    const double v5 = v4 + 0.5;
    const double v6 = v5 / beta;
    const double v7 = v3 - v6;
    const double v8 = v7 + v7;
    const double v9 = v7 * v7;
    const double v10 = -(v8);
    const double v11 = v8 / beta;
    const double v12 = -(v11);
    *value = v9;
    *grad_chosen_logp = v8;
    *grad_rejected_logp = v10;
    *grad_chosen_margin = v12;
    *grad_rejected_margin = v11;
}
// u = beta (a - b) - margin; KL(sigma(u) || 1 - eps) of two coins
TRUING_FN void truing_pair_exo_pair(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double target, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = rejected_logp - rejected_ref_logp;
    const double v3 = v1 - v2;
    const double v4 = beta * v3;
    const double v5 = chosen_margin - rejected_margin;
    const double v6 = v4 - v5;
    const double v7 = v6 - target;
    const double v8 = v7 < 0.0 ? target : v6;
    const double v9 = truing_abs(v7);
    const double v10 = -(v8);
    const double v11 = truing_sigmoid(v10);
    const double v12 = truing_expm1(v9);
    const double v13 = v11 * v12;
    const double v14 = truing_log1p(v13);
    const double v15 = -(v14);
    const double v16 = v7 < 0.0 ? v15 : v14;
    const double v17 = truing_abs(target);
    const double v18 = -(v17);
    const double v19 = truing_exp(v18);
    const double v20 = truing_log1p(v19);
    const double v21 = truing_abs(v6);
    const double v22 = -(v21);
    const double v23 = truing_exp(v22);
    const double v24 = truing_log1p(v23);
    const double v25 = v20 - v24;
    const double v26 = v6 < 0.0 ? 0.0 : v6;
    const double v27 = target < 0.0 ? 0.0 : target;
    const double v28 = -(v6);
    const double v29 = v6 < 0.0 ? v28 : 0.0;
    const double v30 = -(target);
    const double v31 = target < 0.0 ? v30 : 0.0;
    const double v32 = v31 - v29;
    const double v33 = v32 + v25;
    const double v34 = v9 < 1.0 ? v16 : v33;
    const double v35 = v16 - v7;
    const double v36 = v27 - v26;
    const double v37 = v36 + v25;
    const double v38 = v9 < 1.0 ? v35 : v37;
    const double v39 = truing_sigmoid(v6);
    const double v40 = truing_sigmoid(target);
    const double v41 = -(1.0);
    const double v42 = v34 - 1.0;
    const double v43 = v39 * v42;
    const double v44 = v43 + v40;
    const double v45 = -(v34);
    const double v46 = truing_exp_rem(v45);
    const double v47 = v39 * v46;
    const double v48 = v34 < v41 ? v44 : v47;
    const double v49 = 0.0 < v39 ? v48 : v40;
    const double v50 = truing_sigmoid(v28);
    const double v51 = truing_sigmoid(v30);
    const double v52 = v38 - 1.0;
    const double v53 = v50 * v52;
    const double v54 = v53 + v51;
    const double v55 = -(v38);
    const double v56 = truing_exp_rem(v55);
    const double v57 = v50 * v56;
    const double v58 = v38 < v41 ? v54 : v57;
    const double v59 = 0.0 < v50 ? v58 : v51;
    const double v60 = v49 + v59;
    const double v61 = v39 * v50;
    const double v62 = truing_abs(v61);
    const double v63 = v61 * v7;
    const double v64 = 0.0 < v62 ? v63 : v62;
    const double v65 = beta * v64;
    const double v66 = -(v65);
    const double v67 = -(v64);
    *value = v60;
    *grad_chosen_logp = v65;
    *grad_rejected_logp = v66;
    *grad_chosen_margin = v67;
    *grad_rejected_margin = v64;
}
// u = beta (a - b) - margin; -sigma(-u / tau) log sigma(u) + sigma(u / tau) exp(-u)
TRUING_FN void truing_pair_discopop(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double tau, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = rejected_logp - rejected_ref_logp;
    const double v3 = v1 - v2;
    const double v4 = beta * v3;
    const double v5 = chosen_margin - rejected_margin;
    const double v6 = v4 - v5;
    const double v7 = v6 / tau;
    const double v8 = -(v7);
    const double v9 = truing_sigmoid(v8);
    const double v10 = truing_sigmoid(v7);
    const double v11 = 1.0 - tau;
    const double v12 = v11 / tau;
    const double v13 = v6 * v12;
    const double v14 = -(v6);
    const double v15 = v6 < 0.0 ? v13 : v14;
    const double v16 = truing_abs(v7);
    const double v17 = -(v16);
    const double v18 = truing_exp(v17);
    const double v19 = truing_log1p(v18);
    const double v20 = v15 - v19;
    const double v21 = truing_exp(v20);
    const double v22 = truing_softplus(v14);
    const double v23 = truing_abs(v9);
    const double v24 = v9 * v22;
    const double v25 = 0.0 < v23 ? v24 : v23;
    const double v26 = v25 + v21;
    const double v27 = v9 / tau;
    const double v28 = truing_abs(v10);
    const double v29 = v10 * v22;
    const double v30 = 0.0 < v28 ? v29 : v28;
    const double v31 = v21 - v30;
    const double v32 = v27 * v31;
    const double v33 = truing_sigmoid(v14);
    const double v34 = v9 * v33;
    const double v35 = v32 - v34;
    const double v36 = v35 - v21;
    const double v37 = beta * v36;
    const double v38 = -(v37);
    const double v39 = -(v36);
    *value = v26;
    *grad_chosen_logp = v37;
    *grad_rejected_logp = v38;
    *grad_chosen_margin = v39;
    *grad_rejected_margin = v36;
}
// u = beta (a - b), v = eta margin; KL(sigma(v) || sigma(u)) of two coins
TRUING_FN void truing_pair_rpo_backward_kl(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double eta, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = rejected_logp - rejected_ref_logp;
    const double v3 = v1 - v2;
    const double v4 = beta * v3;
    const double v5 = chosen_margin - rejected_margin;
    const double v6 = eta * v5;
    const double v7 = v6 - v4;
    const double v8 = v7 < 0.0 ? v4 : v6;
    const double v9 = truing_abs(v7);
    const double v10 = -(v8);
    const double v11 = truing_sigmoid(v10);
    const double v12 = truing_expm1(v9);
    const double v13 = v11 * v12;
    const double v14 = truing_log1p(v13);
    const double v15 = -(v14);
    const double v16 = v7 < 0.0 ? v15 : v14;
    const double v17 = truing_abs(v4);
    const double v18 = -(v17);
    const double v19 = truing_exp(v18);
    const double v20 = truing_log1p(v19);
    const double v21 = truing_abs(v6);
    const double v22 = -(v21);
    const double v23 = truing_exp(v22);
    const double v24 = truing_log1p(v23);
    const double v25 = v20 - v24;
    const double v26 = v6 < 0.0 ? 0.0 : v6;
    const double v27 = v4 < 0.0 ? 0.0 : v4;
    const double v28 = -(v6);
    const double v29 = v6 < 0.0 ? v28 : 0.0;
    const double v30 = -(v4);
    const double v31 = v4 < 0.0 ? v30 : 0.0;
    const double v32 = v31 - v29;
    const double v33 = v32 + v25;
    const double v34 = v9 < 1.0 ? v16 : v33;
    const double v35 = v16 - v7;
    const double v36 = v27 - v26;
    const double v37 = v36 + v25;
    const double v38 = v9 < 1.0 ? v35 : v37;
    const double v39 = truing_sigmoid(v6);
    const double v40 = truing_sigmoid(v4);
    const double v41 = -(1.0);
    const double v42 = v34 - 1.0;
    const double v43 = v39 * v42;
    const double v44 = v43 + v40;
    const double v45 = -(v34);
    const double v46 = truing_exp_rem(v45);
    const double v47 = v39 * v46;
    const double v48 = v34 < v41 ? v44 : v47;
    const double v49 = 0.0 < v39 ? v48 : v40;
    const double v50 = truing_sigmoid(v28);
    const double v51 = truing_sigmoid(v30);
    const double v52 = v38 - 1.0;
    const double v53 = v50 * v52;
    const double v54 = v53 + v51;
    const double v55 = -(v38);
    const double v56 = truing_exp_rem(v55);
    const double v57 = v50 * v56;
    const double v58 = v38 < v41 ? v54 : v57;
    const double v59 = 0.0 < v50 ? v58 : v51;
    const double v60 = v49 + v59;
    const double v61 = v4 - v6;
    const double v62 = v61 < 0.0 ? v6 : v4;
    const double v63 = v61 < 0.0 ? v4 : v6;
    const double v64 = truing_sigmoid(v62);
    const double v65 = -(v63);
    const double v66 = truing_sigmoid(v65);
    const double v67 = v64 * v66;
    const double v68 = truing_abs(v61);
    const double v69 = -(v68);
    const double v70 = truing_expm1(v69);
    const double v71 = v67 * v70;
    const double v72 = -(v71);
    const double v73 = -(v72);
    const double v74 = v61 < 0.0 ? v73 : v72;
    const double v75 = v39 * v50;
    const double v76 = truing_abs(v75);
    const double v77 = v75 * v7;
    const double v78 = 0.0 < v76 ? v77 : v76;
    const double v79 = beta * v74;
    const double v80 = -(v79);
    const double v81 = eta * v78;
    const double v82 = -(v81);
    *value = v60;
    *grad_chosen_logp = v79;
    *grad_rejected_logp = v80;
    *grad_chosen_margin = v81;
    *grad_rejected_margin = v82;
}
// u = beta (a - b), v = eta margin; KL(sigma(u) || sigma(v)) of two coins
TRUING_FN void truing_pair_rpo_forward_kl(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double eta, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = rejected_logp - rejected_ref_logp;
    const double v3 = v1 - v2;
    const double v4 = beta * v3;
    const double v5 = chosen_margin - rejected_margin;
    const double v6 = eta * v5;
    const double v7 = v4 - v6;
    const double v8 = v7 < 0.0 ? v6 : v4;
    const double v9 = truing_abs(v7);
    const double v10 = -(v8);
    const double v11 = truing_sigmoid(v10);
    const double v12 = truing_expm1(v9);
    const double v13 = v11 * v12;
    const double v14 = truing_log1p(v13);
    const double v15 = -(v14);
    const double v16 = v7 < 0.0 ? v15 : v14;
    const double v17 = truing_abs(v6);
    const double v18 = -(v17);
    const double v19 = truing_exp(v18);
    const double v20 = truing_log1p(v19);
    const double v21 = truing_abs(v4);
    const double v22 = -(v21);
    const double v23 = truing_exp(v22);
    const double v24 = truing_log1p(v23);
    const double v25 = v20 - v24;
    const double v26 = v4 < 0.0 ? 0.0 : v4;
    const double v27 = v6 < 0.0 ? 0.0 : v6;
    const double v28 = -(v4);
    const double v29 = v4 < 0.0 ? v28 : 0.0;
    const double v30 = -(v6);
    const double v31 = v6 < 0.0 ? v30 : 0.0;
    const double v32 = v31 - v29;
    const double v33 = v32 + v25;
    const double v34 = v9 < 1.0 ? v16 : v33;
    const double v35 = v16 - v7;
    const double v36 = v27 - v26;
    const double v37 = v36 + v25;
    const double v38 = v9 < 1.0 ? v35 : v37;
    const double v39 = truing_sigmoid(v4);
    const double v40 = truing_sigmoid(v6);
    const double v41 = -(1.0);
    const double v42 = v34 - 1.0;
    const double v43 = v39 * v42;
    const double v44 = v43 + v40;
    const double v45 = -(v34);
    const double v46 = truing_exp_rem(v45);
    const double v47 = v39 * v46;
    const double v48 = v34 < v41 ? v44 : v47;
    const double v49 = 0.0 < v39 ? v48 : v40;
    const double v50 = truing_sigmoid(v28);
    const double v51 = truing_sigmoid(v30);
    const double v52 = v38 - 1.0;
    const double v53 = v50 * v52;
    const double v54 = v53 + v51;
    const double v55 = -(v38);
    const double v56 = truing_exp_rem(v55);
    const double v57 = v50 * v56;
    const double v58 = v38 < v41 ? v54 : v57;
    const double v59 = 0.0 < v50 ? v58 : v51;
    const double v60 = v49 + v59;
    const double v61 = v39 * v50;
    const double v62 = truing_abs(v61);
    const double v63 = v61 * v7;
    const double v64 = 0.0 < v62 ? v63 : v62;
    const double v65 = v6 - v4;
    const double v66 = v65 < 0.0 ? v4 : v6;
    const double v67 = v65 < 0.0 ? v6 : v4;
    const double v68 = truing_sigmoid(v66);
    const double v69 = -(v67);
    const double v70 = truing_sigmoid(v69);
    const double v71 = v68 * v70;
    const double v72 = truing_abs(v65);
    const double v73 = -(v72);
    const double v74 = truing_expm1(v73);
    const double v75 = v71 * v74;
    const double v76 = -(v75);
    const double v77 = -(v76);
    const double v78 = v65 < 0.0 ? v77 : v76;
    const double v79 = beta * v64;
    const double v80 = -(v79);
    const double v81 = eta * v78;
    const double v82 = -(v81);
    *value = v60;
    *grad_chosen_logp = v79;
    *grad_rejected_logp = v80;
    *grad_chosen_margin = v81;
    *grad_rejected_margin = v82;
}
// (beta (a - b) - eta margin)^2
TRUING_FN void truing_pair_rpo_square(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double eta, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = rejected_logp - rejected_ref_logp;
    const double v3 = v1 - v2;
    const double v4 = beta * v3;
    const double v5 = chosen_margin - rejected_margin;
    const double v6 = eta * v5;
    const double v7 = v4 - v6;
    const double v8 = v7 + v7;
    const double v9 = v7 * v7;
    const double v10 = -(v8);
    const double v11 = beta * v8;
    const double v12 = -(v11);
    const double v13 = eta * v10;
    const double v14 = -(v13);
    *value = v9;
    *grad_chosen_logp = v11;
    *grad_rejected_logp = v12;
    *grad_chosen_margin = v13;
    *grad_rejected_margin = v14;
}
// dpo with margin = alpha log(s_c - s_r)
TRUING_FN void truing_pair_odpo(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double label_smoothing, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
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
// dpo with margin = -alpha (T_c - T_r)
TRUING_FN void truing_pair_r_dpo(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_len, double rejected_len, double beta, double alpha, double label_smoothing, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = rejected_logp - rejected_ref_logp;
    const double v3 = v1 - v2;
    const double v4 = beta * v3;
    const double v5 = chosen_len - rejected_len;
    const double v6 = alpha * v5;
    const double v7 = v4 + v6;
    const double v8 = 1.0 - label_smoothing;
    const double v9 = v7 < 0.0 ? v8 : label_smoothing;
    const double v10 = truing_abs(v7);
    const double v11 = -(v10);
    const double v12 = truing_exp(v11);
    const double v13 = truing_log1p(v12);
    const double v14 = truing_abs(v9);
    const double v15 = v9 * v10;
    const double v16 = 0.0 < v14 ? v15 : v14;
    const double v17 = v13 + v16;
    const double v18 = truing_sigmoid(v7);
    const double v19 = label_smoothing * v18;
    const double v20 = -(v7);
    const double v21 = truing_sigmoid(v20);
    const double v22 = v8 * v21;
    const double v23 = v19 - v22;
    const double v24 = beta * v23;
    const double v25 = -(v24);
    *value = v17;
    *grad_chosen_logp = v24;
    *grad_rejected_logp = v25;
}
// -log sigma(beta (a - lam b))
TRUING_FN void truing_pair_dpo_shift(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double beta, double lam, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = rejected_logp - rejected_ref_logp;
    const double v3 = lam * v2;
    const double v4 = v1 - v3;
    const double v5 = beta * v4;
    const double v6 = -(v5);
    const double v7 = truing_softplus(v6);
    const double v8 = truing_sigmoid(v6);
    const double v9 = -(v8);
    const double v10 = beta * v9;
    const double v11 = beta * lam;
    const double v12 = v11 * v9;
    const double v13 = -(v12);
    *value = v7;
    *grad_chosen_logp = v10;
    *grad_rejected_logp = v13;
}
// -log sigma(beta (a - b - lam max(0, -a)) - margin)
TRUING_FN void truing_pair_dpop(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double lam, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = -(v1);
    const double v3 = 0.0 < v2 ? v2 : 0.0;
    const double v4 = truing_abs(lam);
    const double v5 = lam * v3;
    const double v6 = 0.0 < v4 ? v5 : v4;
    const double v7 = rejected_logp - rejected_ref_logp;
    const double v8 = v1 - v7;
    const double v9 = v8 - v6;
    const double v10 = beta * v9;
    const double v11 = chosen_margin - rejected_margin;
    const double v12 = v10 - v11;
    const double v13 = -(v12);
    const double v14 = truing_softplus(v13);
    const double v15 = truing_sigmoid(v13);
    const double v16 = -(v15);
    const double v17 = beta * v16;
    const double v18 = -(v17);
    const double v19 = -(v16);
    const double v20 = 0.0 < v2 ? lam : 0.0;
    const double v21 = v20 + 1.0;
    const double v22 = beta * v21;
    const double v23 = v22 * v16;
    *value = v14;
    *grad_chosen_logp = v23;
    *grad_rejected_logp = v18;
    *grad_chosen_margin = v19;
    *grad_rejected_margin = v16;
}
// t = 1 / (2 beta); -log sigma(a - b) + w ((a - t)^2 + (b + t)^2)
TRUING_FN void truing_pair_cal_dpo(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double beta, double cal_weight, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = rejected_logp - rejected_ref_logp;
    const double v3 = 0.5 / beta;
    const double v4 = v1 - v2;
    const double v5 = -(v4);
    const double v6 = truing_softplus(v5);
    const double v7 = truing_sigmoid(v5);
    const double v8 = -(v7);
    const double v9 = v1 - v3;
    const double v10 = v2 + v3;
    const double v11 = v9 * v9;
    const double v12 = v10 * v10;
    const double v13 = v11 + v12;
    const double v14 = truing_abs(cal_weight);
    const double v15 = cal_weight * v13;
    const double v16 = 0.0 < v14 ? v15 : v14;
    const double v17 = v6 + v16;
    const double v18 = v9 + v9;
    const double v19 = cal_weight * v18;
    const double v20 = 0.0 < v14 ? v19 : v14;
    const double v21 = v8 + v20;
    const double v22 = v10 + v10;
    const double v23 = cal_weight * v22;
    const double v24 = 0.0 < v14 ? v23 : v14;
    const double v25 = v24 - v8;
    *value = v17;
    *grad_chosen_logp = v21;
    *grad_rejected_logp = v25;
}
// z = (beta (a - b) - margin) / w_0; -log sigma(z)
TRUING_FN void truing_pair_modpo(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double own_weight, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = rejected_logp - rejected_ref_logp;
    const double v3 = v1 - v2;
    const double v4 = beta * v3;
    const double v5 = chosen_margin - rejected_margin;
    const double v6 = v4 - v5;
    const double v7 = v6 / own_weight;
    const double v8 = -(v7);
    const double v9 = truing_softplus(v8);
    const double v10 = truing_sigmoid(v8);
    const double v11 = -(v10);
    const double v12 = v11 / own_weight;
    const double v13 = beta * v12;
    const double v14 = -(v13);
    const double v15 = -(v12);
    *value = v9;
    *grad_chosen_logp = v13;
    *grad_rejected_logp = v14;
    *grad_chosen_margin = v15;
    *grad_rejected_margin = v12;
}
// z = (beta (a - b) - margin) / w_0; max(0, 1 - z)
TRUING_FN void truing_pair_modpo_hinge(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double own_weight, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = rejected_logp - rejected_ref_logp;
    const double v3 = v1 - v2;
    const double v4 = beta * v3;
    const double v5 = chosen_margin - rejected_margin;
    const double v6 = v4 - v5;
    const double v7 = v6 / own_weight;
    const double v8 = 1.0 - v7;
    const double v9 = v8 <= 0.0 ? 0.0 : v8;
    const double v10 = -(1.0);
    const double v11 = v7 < 1.0 ? v10 : 0.0;
    const double v12 = v11 / own_weight;
    const double v13 = beta * v12;
    const double v14 = -(v13);
    const double v15 = -(v12);
    *value = v9;
    *grad_chosen_logp = v13;
    *grad_rejected_logp = v14;
    *grad_chosen_margin = v15;
    *grad_rejected_margin = v12;
}
// -log sigma(beta ((a - b) - alpha (kl_r - sg(kl_c))))
TRUING_FN void truing_pair_tdpo2(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_kl, double rejected_kl, double beta, double alpha, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_kl, double *grad_rejected_kl) {
    const double v1 = rejected_kl - chosen_kl;
    const double v2 = truing_abs(alpha);
    const double v3 = alpha * v1;
    const double v4 = 0.0 < v2 ? v3 : v2;
    const double v5 = chosen_logp - chosen_ref_logp;
    const double v6 = rejected_logp - rejected_ref_logp;
    const double v7 = v5 - v6;
    const double v8 = v7 - v4;
    const double v9 = beta * v8;
    const double v10 = -(v9);
    const double v11 = truing_softplus(v10);
    const double v12 = truing_sigmoid(v10);
    const double v13 = -(v12);
    const double v14 = beta * v13;
    const double v15 = -(v14);
    const double v16 = alpha * v14;
    const double v17 = -(v16);
    *value = v11;
    *grad_chosen_logp = v14;
    *grad_rejected_logp = v15;
    *grad_chosen_kl = 0.0;
    *grad_rejected_kl = v17;
}
// -log sigma(beta (a - b)) - log sigma(beta (a - e)) - log sigma(beta a - delta)
TRUING_FN void truing_pair_mdpo(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double anchor_logp, double anchor_ref_logp, double beta, double delta, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_anchor_logp) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = rejected_logp - rejected_ref_logp;
    const double v3 = anchor_logp - anchor_ref_logp;
    const double v4 = v1 - v2;
    const double v5 = beta * v4;
    const double v6 = -(v5);
    const double v7 = truing_softplus(v6);
    const double v8 = truing_sigmoid(v6);
    const double v9 = -(v8);
    const double v10 = v1 - v3;
    const double v11 = beta * v10;
    const double v12 = -(v11);
    const double v13 = truing_softplus(v12);
    const double v14 = truing_sigmoid(v12);
    const double v15 = -(v14);
    const double v16 = beta * v1;
    const double v17 = v16 - delta;
    const double v18 = -(v17);
    const double v19 = truing_softplus(v18);
    const double v20 = truing_sigmoid(v18);
    const double v21 = -(v20);
    const double v22 = v7 + v13;
    const double v23 = v22 + v19;
    const double v24 = v9 + v15;
    const double v25 = v24 + v21;
    const double v26 = beta * v25;
    const double v27 = beta * v9;
    const double v28 = -(v27);
    const double v29 = beta * v15;
    const double v30 = -(v29);
    *value = v23;
    *grad_chosen_logp = v26;
    *grad_rejected_logp = v28;
    *grad_anchor_logp = v30;
}
// dpo(a, e), the corrupted image in the rejected slot
TRUING_FN void truing_pair_image_dpo(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double label_smoothing, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
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
// -(log sigma(beta (a - b)) + log sigma(beta (a - e))) / 2
TRUING_FN void truing_pair_povid(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double anchor_logp, double anchor_ref_logp, double beta, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_anchor_logp) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = rejected_logp - rejected_ref_logp;
    const double v3 = anchor_logp - anchor_ref_logp;
    const double v4 = v1 - v2;
    const double v5 = beta * v4;
    const double v6 = -(v5);
    const double v7 = truing_softplus(v6);
    const double v8 = truing_sigmoid(v6);
    const double v9 = -(v8);
    const double v10 = v1 - v3;
    const double v11 = beta * v10;
    const double v12 = -(v11);
    const double v13 = truing_softplus(v12);
    const double v14 = truing_sigmoid(v12);
    const double v15 = -(v14);
    const double v16 = beta * 0.5;
    const double v17 = v7 + v13;
    const double v18 = v17 * 0.5;
    const double v19 = v9 + v15;
    const double v20 = v16 * v19;
    const double v21 = v16 * v9;
    const double v22 = -(v21);
    const double v23 = v16 * v15;
    const double v24 = -(v23);
    *value = v18;
    *grad_chosen_logp = v20;
    *grad_rejected_logp = v22;
    *grad_anchor_logp = v24;
}
// max(0, delta - l_c + l_r) - lam l_anchor
TRUING_FN void truing_pair_slic(double chosen_logp, double rejected_logp, double anchor_logp, double delta, double lam, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_anchor_logp) {
    const double v1 = delta - chosen_logp;
    const double v2 = v1 + rejected_logp;
    const double v3 = 0.0 < v2 ? 1.0 : 0.0;
    const double v4 = v2 <= 0.0 ? 0.0 : v2;
    const double v5 = truing_abs(lam);
    const double v6 = lam * anchor_logp;
    const double v7 = 0.0 < v5 ? v6 : v5;
    const double v8 = v4 - v7;
    const double v9 = -(v3);
    const double v10 = -(lam);
    *value = v8;
    *grad_chosen_logp = v9;
    *grad_rejected_logp = v3;
    *grad_anchor_logp = v10;
}
// dpo with scores -error / 2
TRUING_FN void truing_pair_diffusion_dpo(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double label_smoothing, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
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
// dpo with beta_0 (1 + w (1 - exp(-k (r_c - r_r)))) of each pair as beta
TRUING_FN void truing_pair_mm_dpo(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double label_smoothing, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
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
// dpo with the beta and the pairs that the batch statistics give
TRUING_FN void truing_pair_beta_dpo(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double label_smoothing, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
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
// (2 / beta) dpo, the refusal chosen
TRUING_FN void truing_pair_idk_dpo(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double label_smoothing, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
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
    const double v23 = 2.0 / beta;
    const double v24 = v23 * v16;
    const double v25 = v23 * v22;
    const double v26 = -(v25);
    const double v27 = v22 + v22;
    const double v28 = -(v27);
    *value = v24;
    *grad_chosen_logp = v27;
    *grad_rejected_logp = v28;
    *grad_chosen_margin = v26;
    *grad_rejected_margin = v25;
}
// -log sigma(beta a) - log sigma(-beta a) / 2 - log sigma(-beta b) / 2
TRUING_FN void truing_pair_nca_pair(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double beta, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = beta * v1;
    const double v3 = rejected_logp - rejected_ref_logp;
    const double v4 = beta * v3;
    const double v5 = truing_abs(v2);
    const double v6 = -(v5);
    const double v7 = truing_exp(v6);
    const double v8 = truing_log1p(v7);
    const double v9 = v8 * 1.5;
    const double v10 = v2 < 0.0 ? 1.0 : 0.5;
    const double v11 = v10 * v5;
    const double v12 = v9 + v11;
    const double v13 = truing_softplus(v4);
    const double v14 = 0.5 * v13;
    const double v15 = v12 + v14;
    const double v16 = truing_sigmoid(v2);
    const double v17 = 0.5 * v16;
    const double v18 = -(v2);
    const double v19 = truing_sigmoid(v18);
    const double v20 = v17 - v19;
    const double v21 = beta * v20;
    const double v22 = beta * 0.5;
    const double v23 = truing_sigmoid(v4);
    const double v24 = v22 * v23;
    *value = v15;
    *grad_chosen_logp = v21;
    *grad_rejected_logp = v24;
}
// -log sigma(beta a - shift) - log sigma(-(beta b - shift))
TRUING_FN void truing_pair_bco_pair(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double shift, double beta, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = beta * v1;
    const double v3 = v2 - shift;
    const double v4 = -(v3);
    const double v5 = truing_softplus(v4);
    const double v6 = truing_sigmoid(v4);
    const double v7 = -(v6);
    const double v8 = rejected_logp - rejected_ref_logp;
    const double v9 = beta * v8;
    const double v10 = shift - v9;
    const double v11 = -(v10);
    const double v12 = truing_softplus(v11);
    const double v13 = truing_sigmoid(v11);
    const double v14 = -(v13);
    const double v15 = v5 + v12;
    const double v16 = beta * v7;
    const double v17 = beta * v14;
    const double v18 = -(v17);
    *value = v15;
    *grad_chosen_logp = v16;
    *grad_rejected_logp = v18;
}
// t = (P - 1/2) / beta; scale ((a - t_c)^2 + (b - t_r)^2)
TRUING_FN void truing_pair_sppo(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double chosen_margin, double rejected_margin, double beta, double scale, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = chosen_margin - 0.5;
    const double v3 = v2 / beta;
    const double v4 = v1 - v3;
    const double v5 = rejected_logp - rejected_ref_logp;
    const double v6 = rejected_margin - 0.5;
    const double v7 = v6 / beta;
    const double v8 = v5 - v7;
    const double v9 = v4 * v4;
    const double v10 = v8 * v8;
    const double v11 = v9 + v10;
    const double v12 = scale * v11;
    const double v13 = v4 + v4;
    const double v14 = scale * v13;
    const double v15 = v8 + v8;
    const double v16 = scale * v15;
    *value = v12;
    *grad_chosen_logp = v14;
    *grad_rejected_logp = v16;
}
// sigma(-beta a) + sigma(beta b)
TRUING_FN void truing_pair_apo_zero(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double beta, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = beta * v1;
    const double v3 = rejected_logp - rejected_ref_logp;
    const double v4 = beta * v3;
    const double v5 = -(v2);
    const double v6 = truing_sigmoid(v5);
    const double v7 = truing_sigmoid(v4);
    const double v8 = v6 + v7;
    const double v9 = truing_sigmoid(v2);
    const double v10 = v9 * v6;
    const double v11 = truing_abs(v10);
    const double v12 = v10 * beta;
    const double v13 = 0.0 < v11 ? v12 : v11;
    const double v14 = -(v13);
    const double v15 = -(v4);
    const double v16 = truing_sigmoid(v15);
    const double v17 = v7 * v16;
    const double v18 = truing_abs(v17);
    const double v19 = v17 * beta;
    const double v20 = 0.0 < v18 ? v19 : v18;
    *value = v8;
    *grad_chosen_logp = v14;
    *grad_rejected_logp = v20;
}
// sigma(beta a) + sigma(-beta (a - b))
TRUING_FN void truing_pair_apo_down(double chosen_logp, double rejected_logp, double chosen_ref_logp, double rejected_ref_logp, double beta, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = chosen_logp - chosen_ref_logp;
    const double v2 = beta * v1;
    const double v3 = rejected_logp - rejected_ref_logp;
    const double v4 = v1 - v3;
    const double v5 = beta * v4;
    const double v6 = truing_sigmoid(v5);
    const double v7 = -(v5);
    const double v8 = truing_sigmoid(v7);
    const double v9 = v6 * v8;
    const double v10 = truing_abs(v9);
    const double v11 = v9 * beta;
    const double v12 = 0.0 < v10 ? v11 : v10;
    const double v13 = truing_sigmoid(v2);
    const double v14 = v13 + v8;
    const double v15 = -(v2);
    const double v16 = truing_sigmoid(v15);
    const double v17 = v13 * v16;
    const double v18 = truing_abs(v17);
    const double v19 = v17 * beta;
    const double v20 = 0.0 < v18 ? v19 : v18;
    const double v21 = v20 - v12;
    *value = v14;
    *grad_chosen_logp = v21;
    *grad_rejected_logp = v12;
}
// dpo on l, no reference
TRUING_FN void truing_pair_cpo(double chosen_logp, double rejected_logp, double chosen_margin, double rejected_margin, double beta, double label_smoothing, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
    const double v1 = chosen_logp - 0.0;
    const double v2 = rejected_logp - 0.0;
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
// G = l_c / T_c - l_r / T_r, tau = min(1, 0.9 exp(0.4 |G|) - 1); -log sigma(beta (l_c - tau l_r))
TRUING_FN void truing_pair_arpo(double chosen_logp, double rejected_logp, double chosen_len, double rejected_len, double beta, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = chosen_logp / chosen_len;
    const double v2 = 0.0 < chosen_len ? v1 : 0.0;
    const double v3 = rejected_logp / rejected_len;
    const double v4 = 0.0 < rejected_len ? v3 : 0.0;
    const double v5 = v2 - v4;
    const double v6 = -(1.0);
    const double v7 = 0.0 < v5 ? 1.0 : 0.0;
    const double v8 = v5 < 0.0 ? v6 : v7;
    const double v9 = -(v5);
    const double v10 = 0.0 < v5 ? v5 : 0.0;
    const double v11 = v5 < 0.0 ? v9 : v10;
    const double v12 = v11 * 0.4;
    const double v13 = truing_exp(v12);
    const double v14 = v13 * 0.9;
    const double v15 = v14 < 2.0 ? 1.0 : 0.0;
    const double v16 = v14 - 1.0;
    const double v17 = 0.0 < v15 ? v16 : 1.0;
    const double v18 = v14 * 0.4;
    const double v19 = 0.0 < v15 ? v18 : 0.0;
    const double v20 = v8 * v19;
    const double v21 = v17 * rejected_logp;
    const double v22 = chosen_logp - v21;
    const double v23 = beta * v22;
    const double v24 = -(v23);
    const double v25 = truing_softplus(v24);
    const double v26 = truing_sigmoid(v24);
    const double v27 = -(v26);
    const double v28 = beta * v27;
    const double v29 = truing_abs(v20);
    const double v30 = v20 * rejected_logp;
    const double v31 = 0.0 < v29 ? v30 : 0.0;
    const double v32 = v31 / chosen_len;
    const double v33 = 0.0 < chosen_len ? v32 : 0.0;
    const double v34 = 1.0 - v33;
    const double v35 = v28 * v34;
    const double v36 = v31 / rejected_len;
    const double v37 = 0.0 < rejected_len ? v36 : 0.0;
    const double v38 = v37 - v17;
    const double v39 = v28 * v38;
    *value = v25;
    *grad_chosen_logp = v35;
    *grad_rejected_logp = v39;
}
// g(x) = -exp(-alpha x) / alpha; simpo with g(l / T)
TRUING_FN void truing_pair_alphapo(double chosen_logp, double rejected_logp, double beta, double alpha, double gamma, double label_smoothing, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = alpha * chosen_logp;
    const double v2 = -(v1);
    const double v3 = alpha * rejected_logp;
    const double v4 = -(v3);
    const double v5 = truing_exp(v2);
    const double v6 = TRUING_INF < v2 ? 0.0 : v5;
    const double v7 = truing_exp(v4);
    const double v8 = TRUING_INF < v4 ? 0.0 : v7;
    const double v9 = TRUING_INF < v2 ? TRUING_INF : v2;
    const double v10 = TRUING_INF < v4 ? TRUING_INF : v4;
    const double v11 = v9 < v10 ? v10 : v9;
    const double v12 = v9 - v10;
    const double v13 = truing_abs(v12);
    const double v14 = -(v13);
    const double v15 = truing_expm1(v14);
    const double v16 = -(v15);
    const double v17 = v9 < v10 ? v16 : v15;
    const double v18 = truing_exp(v11);
    const double v19 = truing_abs(v17);
    const double v20 = v18 <= 1.7976931348623157e308 ? 0.0 : 1.0;
    const double v21 = v19 <= 0.0 ? v20 : 0.0;
    const double v22 = chosen_logp - rejected_logp;
    const double v23 = v22 * 1.7976931348623157e308;
    const double v24 = v23 * 1.7976931348623157e308;
    const double v25 = v18 * v17;
    const double v26 = v25 / alpha;
    const double v27 = 0.0 < v21 ? v24 : v26;
    const double v28 = truing_abs(alpha);
    const double v29 = v28 < 1e-6 ? 1.0 : 0.0;
    const double v30 = 0.0 < v29 ? v22 : v27;
    const double v31 = 0.0 < v29 ? 1.0 : v6;
    const double v32 = truing_abs(1.0);
    const double v33 = 1.0 * v31;
    const double v34 = 0.0 < v32 ? v33 : v32;
    const double v35 = 0.0 < v29 ? 1.0 : v8;
    const double v36 = 1.0 * v35;
    const double v37 = 0.0 < v32 ? v36 : v32;
    const double v38 = beta * v30;
    const double v39 = v38 - gamma;
    const double v40 = 1.0 - label_smoothing;
    const double v41 = v39 < 0.0 ? v40 : label_smoothing;
    const double v42 = truing_abs(v39);
    const double v43 = -(v42);
    const double v44 = truing_exp(v43);
    const double v45 = truing_log1p(v44);
    const double v46 = truing_abs(v41);
    const double v47 = v41 * v42;
    const double v48 = 0.0 < v46 ? v47 : v46;
    const double v49 = v45 + v48;
    const double v50 = truing_sigmoid(v39);
    const double v51 = label_smoothing * v50;
    const double v52 = -(v39);
    const double v53 = truing_sigmoid(v52);
    const double v54 = v40 * v53;
    const double v55 = v51 - v54;
    const double v56 = beta * v55;
    const double v57 = truing_abs(v56);
    const double v58 = v56 * v34;
    const double v59 = 0.0 < v57 ? v58 : v57;
    const double v60 = v56 * v37;
    const double v61 = 0.0 < v57 ? v60 : v57;
    const double v62 = -(v61);
    *value = v49;
    *grad_chosen_logp = v59;
    *grad_rejected_logp = v62;
}
// o(x) = x - log(1 - e^x); -n l_c - lam log sigma(o(l_c) - o(l_r))
TRUING_FN void truing_pair_orpo(double chosen_logp, double rejected_logp, double lam, double nll_weight, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = chosen_logp - chosen_logp;
    const double v2 = -5.960464477539063e-8 + v1;
    const double v3 = chosen_logp < 0.0 ? chosen_logp : v2;
    const double v4 = rejected_logp - rejected_logp;
    const double v5 = -5.960464477539063e-8 + v4;
    const double v6 = rejected_logp < 0.0 ? rejected_logp : v5;
    const double v7 = truing_log1mexp(v3);
    const double v8 = v3 - v7;
    const double v9 = truing_expm1(v3);
    const double v10 = 1.0 / v9;
    const double v11 = -(v10);
    const double v12 = truing_log1mexp(v6);
    const double v13 = v6 - v12;
    const double v14 = truing_expm1(v6);
    const double v15 = 1.0 / v14;
    const double v16 = -(v15);
    const double v17 = v8 - v13;
    const double v18 = -(v17);
    const double v19 = truing_softplus(v18);
    const double v20 = truing_sigmoid(v18);
    const double v21 = -(v20);
    const double v22 = lam * v21;
    const double v23 = truing_abs(lam);
    const double v24 = lam * v19;
    const double v25 = 0.0 < v23 ? v24 : v23;
    const double v26 = truing_abs(nll_weight);
    const double v27 = nll_weight * v3;
    const double v28 = 0.0 < v26 ? v27 : v26;
    const double v29 = v25 - v28;
    const double v30 = v22 * v11;
    const double v31 = v30 - nll_weight;
    const double v32 = v22 * v16;
    const double v33 = -(v32);
    *value = v29;
    *grad_chosen_logp = v31;
    *grad_rejected_logp = v33;
}
// -(1 + lam) l_c - lam log(1 - e^l_r)
TRUING_FN void truing_pair_asft(double chosen_logp, double rejected_logp, double lam, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = chosen_logp - chosen_logp;
    const double v2 = -5.960464477539063e-8 + v1;
    const double v3 = chosen_logp < 0.0 ? chosen_logp : v2;
    const double v4 = rejected_logp - rejected_logp;
    const double v5 = -5.960464477539063e-8 + v4;
    const double v6 = rejected_logp < 0.0 ? rejected_logp : v5;
    const double v7 = lam + 1.0;
    const double v8 = v7 * v3;
    const double v9 = -(v8);
    const double v10 = truing_log1mexp(v6);
    const double v11 = truing_abs(lam);
    const double v12 = lam * v10;
    const double v13 = 0.0 < v11 ? v12 : v11;
    const double v14 = v9 - v13;
    const double v15 = -(v7);
    const double v16 = -(v6);
    const double v17 = truing_expm1(v16);
    const double v18 = lam / v17;
    *value = v14;
    *grad_chosen_logp = v15;
    *grad_rejected_logp = v18;
}
// o(x) = x - log(1 - e^x); -log sigma(beta o(l_c)) - log sigma(-beta o(l_r))
TRUING_FN void truing_pair_asft_tempered(double chosen_logp, double rejected_logp, double beta, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = chosen_logp - chosen_logp;
    const double v2 = -5.960464477539063e-8 + v1;
    const double v3 = chosen_logp < 0.0 ? chosen_logp : v2;
    const double v4 = truing_log1mexp(v3);
    const double v5 = v3 - v4;
    const double v6 = truing_expm1(v3);
    const double v7 = 1.0 / v6;
    const double v8 = -(v7);
    const double v9 = rejected_logp - rejected_logp;
    const double v10 = -5.960464477539063e-8 + v9;
    const double v11 = rejected_logp < 0.0 ? rejected_logp : v10;
    const double v12 = truing_log1mexp(v11);
    const double v13 = v11 - v12;
    const double v14 = truing_expm1(v11);
    const double v15 = 1.0 / v14;
    const double v16 = -(v15);
    const double v17 = beta * v5;
    const double v18 = -(v17);
    const double v19 = truing_softplus(v18);
    const double v20 = truing_sigmoid(v18);
    const double v21 = -(v20);
    const double v22 = beta * v13;
    const double v23 = -(v22);
    const double v24 = -(v23);
    const double v25 = truing_softplus(v24);
    const double v26 = truing_sigmoid(v24);
    const double v27 = -(v26);
    const double v28 = v19 + v25;
    const double v29 = beta * v21;
    const double v30 = v29 * v8;
    const double v31 = beta * v27;
    const double v32 = v31 * v16;
    const double v33 = -(v32);
    *value = v28;
    *grad_chosen_logp = v30;
    *grad_rejected_logp = v33;
}
// -exp(l_c) + exp(l_r)
TRUING_FN void truing_pair_simper(double chosen_logp, double rejected_logp, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = truing_exp(chosen_logp);
    const double v2 = truing_exp(rejected_logp);
    const double v3 = v2 - v1;
    const double v4 = -(v1);
    *value = v3;
    *grad_chosen_logp = v4;
    *grad_rejected_logp = v2;
}
// max(0, gamma - (l_c - l_r))
TRUING_FN void truing_pair_relu_po(double chosen_logp, double rejected_logp, double gamma, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = chosen_logp - rejected_logp;
    const double v2 = gamma - v1;
    const double v3 = 0.0 < v2 ? 1.0 : 0.0;
    const double v4 = v2 <= 0.0 ? 0.0 : v2;
    const double v5 = -(v3);
    *value = v4;
    *grad_chosen_logp = v5;
    *grad_rejected_logp = v3;
}
// -log sigma(r_c - r_r - margin)
TRUING_FN void truing_pair_bt(double chosen_logp, double rejected_logp, double chosen_margin, double rejected_margin, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
    const double v1 = chosen_logp - rejected_logp;
    const double v2 = chosen_margin - rejected_margin;
    const double v3 = v1 - v2;
    const double v4 = -(v3);
    const double v5 = truing_softplus(v4);
    const double v6 = truing_sigmoid(v4);
    const double v7 = -(v6);
    const double v8 = 1.0 * v7;
    const double v9 = -(v8);
    const double v10 = -(v7);
    *value = v5;
    *grad_chosen_logp = v8;
    *grad_rejected_logp = v9;
    *grad_chosen_margin = v10;
    *grad_rejected_margin = v7;
}
// -log sigma(r_c - r_r - margin) + center (r_c + r_r)^2
TRUING_FN void truing_pair_bt_center(double chosen_logp, double rejected_logp, double chosen_margin, double rejected_margin, double center, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
    const double v1 = chosen_logp - rejected_logp;
    const double v2 = chosen_margin - rejected_margin;
    const double v3 = v1 - v2;
    const double v4 = -(v3);
    const double v5 = truing_softplus(v4);
    const double v6 = truing_sigmoid(v4);
    const double v7 = -(v6);
    const double v8 = 1.0 * v7;
    const double v9 = -(v8);
    const double v10 = -(v7);
    const double v11 = chosen_logp + rejected_logp;
    const double v12 = v11 + v11;
    const double v13 = truing_abs(center);
    const double v14 = center * v12;
    const double v15 = 0.0 < v13 ? v14 : v13;
    const double v16 = v11 * v11;
    const double v17 = center * v16;
    const double v18 = 0.0 < v13 ? v17 : v13;
    const double v19 = v5 + v18;
    const double v20 = v8 + v15;
    const double v21 = v9 + v15;
    *value = v19;
    *grad_chosen_logp = v20;
    *grad_rejected_logp = v21;
    *grad_chosen_margin = v10;
    *grad_rejected_margin = v7;
}
// -log sigma(r_c - r_r) + alpha ((r_c - h_c)^2 + (r_r - h_r)^2)
TRUING_FN void truing_pair_bt_mse(double chosen_logp, double rejected_logp, double chosen_margin, double rejected_margin, double alpha, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = chosen_logp - rejected_logp;
    const double v2 = -(v1);
    const double v3 = truing_softplus(v2);
    const double v4 = truing_sigmoid(v2);
    const double v5 = -(v4);
    const double v6 = chosen_logp - chosen_margin;
    const double v7 = rejected_logp - rejected_margin;
    const double v8 = v6 * v6;
    const double v9 = v7 * v7;
    const double v10 = v8 + v9;
    const double v11 = truing_abs(alpha);
    const double v12 = alpha * v10;
    const double v13 = 0.0 < v11 ? v12 : v11;
    const double v14 = v3 + v13;
    const double v15 = v6 + v6;
    const double v16 = alpha * v15;
    const double v17 = 0.0 < v11 ? v16 : v11;
    const double v18 = v5 + v17;
    const double v19 = v7 + v7;
    const double v20 = alpha * v19;
    const double v21 = 0.0 < v11 ? v20 : v11;
    const double v22 = v21 - v5;
    *value = v14;
    *grad_chosen_logp = v18;
    *grad_rejected_logp = v22;
}
// bt, the strength of a pair as its weight
TRUING_FN void truing_pair_bt_scaled(double chosen_logp, double rejected_logp, double chosen_margin, double rejected_margin, double *value, double *grad_chosen_logp, double *grad_rejected_logp, double *grad_chosen_margin, double *grad_rejected_margin) {
    const double v1 = chosen_logp - rejected_logp;
    const double v2 = chosen_margin - rejected_margin;
    const double v3 = v1 - v2;
    const double v4 = -(v3);
    const double v5 = truing_softplus(v4);
    const double v6 = truing_sigmoid(v4);
    const double v7 = -(v6);
    const double v8 = 1.0 * v7;
    const double v9 = -(v8);
    const double v10 = -(v7);
    *value = v5;
    *grad_chosen_logp = v8;
    *grad_rejected_logp = v9;
    *grad_chosen_margin = v10;
    *grad_rejected_margin = v7;
}
// d = r_c - r_r; -(1 - 2 max(0, sigma(d) - 1/2))^gamma log sigma(d)
TRUING_FN void truing_pair_bt_focal(double chosen_logp, double rejected_logp, double gamma, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = chosen_logp - rejected_logp;
    const double v2 = truing_softplus(v1);
    const double v3 = 0.6931471805599453 - v2;
    const double v4 = 0.0 < v1 ? v3 : 0.0;
    const double v5 = truing_abs(gamma);
    const double v6 = gamma * v4;
    const double v7 = 0.0 < v5 ? v6 : v5;
    const double v8 = truing_exp(v7);
    const double v9 = -(v1);
    const double v10 = truing_softplus(v9);
    const double v11 = truing_sigmoid(v9);
    const double v12 = -(v11);
    const double v13 = v8 * v12;
    const double v14 = truing_sigmoid(v1);
    const double v15 = gamma * v14;
    const double v16 = v15 * v8;
    const double v17 = v16 * v10;
    const double v18 = 0.0 < v1 ? v17 : 0.0;
    const double v19 = v13 - v18;
    const double v20 = v8 * v10;
    const double v21 = -(v19);
    *value = v20;
    *grad_chosen_logp = v19;
    *grad_rejected_logp = v21;
}
// d = r_c - r_r; rao_kupper: won softplus(eta - d), tied softplus(eta - d) + softplus(eta + d) - log(e^(2 eta) - 1); davidson, Z = log(e^(d/2) + e^(-d/2) + nu): won Z - d/2, tied Z - log nu
TRUING_FN void truing_pair_bt_ties(double chosen_logp, double rejected_logp, double chosen_margin, double rejected_margin, double eta, double log_nu, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = chosen_logp - rejected_logp;
    const double v2 = eta + eta;
    const double v3 = eta - v1;
    const double v4 = truing_softplus(v3);
    const double v5 = eta + v1;
    const double v6 = truing_softplus(v5);
    const double v7 = v4 + v6;
    const double v8 = v7 - v2;
    const double v9 = -(v2);
    const double v10 = truing_log1mexp(v9);
    const double v11 = v8 - v10;
    const double v12 = 0.0 < chosen_margin ? v11 : v4;
    const double v13 = v1 - eta;
    const double v14 = v1 + eta;
    const double v15 = -(v14);
    const double v16 = v13 - v15;
    const double v17 = v16 < 0.0 ? v15 : v13;
    const double v18 = v16 < 0.0 ? v13 : v15;
    const double v19 = truing_sigmoid(v17);
    const double v20 = -(v18);
    const double v21 = truing_sigmoid(v20);
    const double v22 = v19 * v21;
    const double v23 = truing_abs(v16);
    const double v24 = -(v23);
    const double v25 = truing_expm1(v24);
    const double v26 = v22 * v25;
    const double v27 = -(v26);
    const double v28 = -(v27);
    const double v29 = v16 < 0.0 ? v28 : v27;
    const double v30 = truing_sigmoid(v3);
    const double v31 = -(v30);
    const double v32 = 0.0 < chosen_margin ? v29 : v31;
    const double v33 = truing_abs(v1);
    const double v34 = v33 * 0.5;
    const double v35 = log_nu <= v34 ? 1.0 : 0.0;
    const double v36 = v34 - log_nu;
    const double v37 = 0.0 < v35 ? 0.0 : v36;
    const double v38 = truing_exp(v37);
    const double v39 = -(v33);
    const double v40 = v34 + log_nu;
    const double v41 = -(v40);
    const double v42 = 0.0 < v35 ? v39 : v41;
    const double v43 = truing_exp(v42);
    const double v44 = log_nu - v34;
    const double v45 = 0.0 < v35 ? v44 : 0.0;
    const double v46 = truing_exp(v45);
    const double v47 = 0.0 < v35 ? v46 : v38;
    const double v48 = v47 + v43;
    const double v49 = truing_log1p(v48);
    const double v50 = 0.0 < v35 ? 0.0 : v44;
    const double v51 = 0.0 < v35 ? v36 : 0.0;
    const double v52 = v38 + v43;
    const double v53 = v52 + v46;
    const double v54 = v1 < 0.0 ? v43 : v38;
    const double v55 = v54 / v53;
    const double v56 = v1 < 0.0 ? v38 : v43;
    const double v57 = v56 / v53;
    const double v58 = v1 < 0.0 ? v33 : 0.0;
    const double v59 = v50 + v58;
    const double v60 = v59 + v49;
    const double v61 = v51 + v49;
    const double v62 = 0.0 < chosen_margin ? v61 : v60;
    const double v63 = v55 - v57;
    const double v64 = v63 * 0.5;
    const double v65 = v46 / v53;
    const double v66 = v65 * 0.5;
    const double v67 = v57 + v66;
    const double v68 = -(v67);
    const double v69 = 0.0 < chosen_margin ? v64 : v68;
    const double v70 = eta < 0.0 ? v62 : v12;
    const double v71 = eta < 0.0 ? v69 : v32;
    const double v72 = chosen_margin - chosen_margin;
    const double v73 = v70 + v72;
    const double v74 = -(v71);
    *value = v73;
    *grad_chosen_logp = v71;
    *grad_rejected_logp = v74;
}
// -log sigma(h - l) - log sigma(s_h h) - log sigma(s_l l)
TRUING_FN void truing_pair_cost_model(double chosen_logp, double rejected_logp, double chosen_margin, double rejected_margin, double *value, double *grad_chosen_logp, double *grad_rejected_logp) {
    const double v1 = chosen_logp - rejected_logp;
    const double v2 = -(v1);
    const double v3 = truing_softplus(v2);
    const double v4 = truing_sigmoid(v2);
    const double v5 = -(v4);
    const double v6 = chosen_margin * chosen_logp;
    const double v7 = -(v6);
    const double v8 = truing_softplus(v7);
    const double v9 = truing_sigmoid(v7);
    const double v10 = -(v9);
    const double v11 = rejected_margin * rejected_logp;
    const double v12 = -(v11);
    const double v13 = truing_softplus(v12);
    const double v14 = truing_sigmoid(v12);
    const double v15 = -(v14);
    const double v16 = v3 + v8;
    const double v17 = v16 + v13;
    const double v18 = chosen_margin * v10;
    const double v19 = v5 + v18;
    const double v20 = rejected_margin * v15;
    const double v21 = v20 - v5;
    *value = v17;
    *grad_chosen_logp = v19;
    *grad_rejected_logp = v21;
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
TRUING_FN void truing_token_ppo_clip(float logp, float old, float advantage, float log_ratio, float log_low, float log_cap, float log_roof, float log_dual, float *value, float *grad_logp) {
    const float v1 = log_dual < log_roof ? log_dual : log_roof;
    const float v2 = advantage < 0.0f ? log_low : -TRUING_INFF;
    const float v3 = advantage < 0.0f ? v1 : log_cap;
    const float v4 = v3 < log_ratio ? v3 : log_ratio;
    const float v5 = log_ratio < v2 ? v2 : v4;
    const float v6 = -(advantage);
    const float v7 = truing_exp(v5);
    const float v8 = v6 * v7;
    const float v9 = v3 < log_ratio ? 0.0f : v8;
    const float v10 = log_ratio < v2 ? 0.0f : v9;
    const float v11 = truing_abs(advantage);
    const float v12 = 0.0f < v11 ? v8 : v11;
    const float v13 = 0.0f < v11 ? v10 : v11;
    *value = v12;
    *grad_logp = v13;
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
// -clip(r, low, high) A logp, r = e^(logp - old) constant; the variant makes low and high
TRUING_FN void truing_token_cispo(float logp, float old, float advantage, float log_ratio, float log_low, float log_high, float *value, float *grad_logp) {
    const float v1 = log_ratio + log_low;
    const float v2 = log_low <= log_ratio ? log_ratio : v1;
    const float v3 = log_ratio < log_low ? log_low : v2;
    const float v4 = v3 + log_high;
    const float v5 = v3 <= log_high ? v3 : v4;
    const float v6 = log_high < v3 ? log_high : v5;
    const float v7 = truing_exp(v6);
    const float v8 = advantage * v7;
    const float v9 = -(v8);
    const float v10 = truing_abs(advantage);
    const float v11 = 0.0f < v10 ? v9 : v10;
    const float v12 = truing_abs(v11);
    const float v13 = v11 * logp;
    const float v14 = 0.0f < v12 ? v13 : v12;
    *value = v14;
    *grad_logp = v11;
}
// r = e^(logp - old), tau = tau_pos for A > 0, else tau_neg; -(4 A / tau) sigma(tau (r - 1))
TRUING_FN void truing_token_sapo(float logp, float old, float advantage, float log_ratio, float tau_pos, float tau_neg, float *value, float *grad_logp) {
    const float v1 = 0.0f < advantage ? tau_pos : tau_neg;
    const float v2 = truing_expm1(log_ratio);
    const float v3 = v1 * v2;
    const float v4 = -4.0f * advantage;
    const float v5 = -(log_ratio);
    const float v6 = -(v3);
    const float v7 = truing_softplus(v6);
    const float v8 = -(v7);
    const float v9 = -(v6);
    const float v10 = truing_softplus(v9);
    const float v11 = -(v10);
    const float v12 = v8 + v11;
    const float v13 = log_ratio + v12;
    const float v14 = TRUING_INFF <= log_ratio ? v5 : v13;
    const float v15 = v4 / v1;
    const float v16 = truing_sigmoid(v3);
    const float v17 = v15 * v16;
    const float v18 = truing_abs(advantage);
    const float v19 = 0.0f < v18 ? v17 : v18;
    const float v20 = truing_exp(v14);
    const float v21 = v4 * v20;
    const float v22 = 0.0f < v18 ? v21 : v18;
    *value = v19;
    *grad_logp = v22;
}
// -A logp
TRUING_FN void truing_token_reinforce(float logp, float advantage, float *value, float *grad_logp) {
    const float v1 = -(advantage);
    const float v2 = truing_abs(v1);
    const float v3 = v1 * logp;
    const float v4 = 0.0f < v2 ? v3 : v2;
    *value = v4;
    *grad_logp = v1;
}
// r = e^(logp - old) constant; -weight_pos A logp where flagged, else -weight_neg min(r, 1) A logp
TRUING_FN void truing_token_topr(float logp, float old, float advantage, float flag, float log_ratio, float weight_pos, float weight_neg, float *value, float *grad_logp) {
    const float v1 = truing_abs(flag);
    const float v2 = log_ratio + 0.0f;
    const float v3 = log_ratio <= 0.0f ? log_ratio : v2;
    const float v4 = 0.0f < log_ratio ? 0.0f : v3;
    const float v5 = truing_exp(v4);
    const float v6 = truing_abs(weight_neg);
    const float v7 = weight_neg * v5;
    const float v8 = 0.0f < v6 ? v7 : v6;
    const float v9 = 0.0f < v1 ? weight_pos : v8;
    const float v10 = v9 * advantage;
    const float v11 = -(v10);
    const float v12 = truing_abs(advantage);
    const float v13 = 0.0f < v12 ? v11 : v12;
    const float v14 = truing_abs(v13);
    const float v15 = v13 * logp;
    const float v16 = 0.0f < v14 ? v15 : v14;
    *value = v16;
    *grad_logp = v13;
}
// r = min(e^(logp - old), ratio_max) constant, d = e^logp - e^old; -r A logp where d <= delta_high for A > 0, d >= -delta_low else
TRUING_FN void truing_token_dppo_tv(float logp, float old, float advantage, float log_ratio, float delta_low, float delta_high, float log_ratio_max, float *value, float *grad_logp) {
    const float v1 = logp + old;
    const float v2 = old <= logp ? logp : v1;
    const float v3 = logp < old ? old : v2;
    const float v4 = truing_exp(v3);
    const float v5 = truing_abs(log_ratio);
    const float v6 = -(v5);
    const float v7 = truing_expm1(v6);
    const float v8 = -(v7);
    const float v9 = v4 * v8;
    const float v10 = -(v9);
    const float v11 = log_ratio < 0.0f ? v10 : v9;
    const float v12 = log_ratio + log_ratio_max;
    const float v13 = log_ratio <= log_ratio_max ? log_ratio : v12;
    const float v14 = log_ratio_max < log_ratio ? log_ratio_max : v13;
    const float v15 = truing_exp(v14);
    const float v16 = advantage * v15;
    const float v17 = -(v16);
    const float v18 = v11 - v11;
    const float v19 = delta_high < v11 ? 0.0f : v18;
    const float v20 = v11 <= delta_high ? v17 : v19;
    const float v21 = -(v11);
    const float v22 = v21 - v21;
    const float v23 = delta_low < v21 ? 0.0f : v22;
    const float v24 = v21 <= delta_low ? v17 : v23;
    const float v25 = 0.0f < advantage ? v20 : v24;
    const float v26 = truing_abs(advantage);
    const float v27 = 0.0f < v26 ? v25 : v26;
    const float v28 = truing_abs(v27);
    const float v29 = v27 * logp;
    const float v30 = 0.0f < v28 ? v29 : v28;
    *value = v30;
    *grad_logp = v27;
}
// r = min(e^(logp - old), ratio_max) constant, D = KL of the coins with e^old and e^logp; -r A logp where D <= delta_high or r <= 1 for A > 0, D <= delta_low or r >= 1 else
TRUING_FN void truing_token_dppo_kl(float logp, float old, float advantage, float log_ratio, float delta_low, float delta_high, float log_ratio_max, float *value, float *grad_logp) {
    const float v1 = logp + 0.0f;
    const float v2 = logp <= 0.0f ? logp : v1;
    const float v3 = 0.0f < logp ? 0.0f : v2;
    const float v4 = old + 0.0f;
    const float v5 = old <= 0.0f ? old : v4;
    const float v6 = 0.0f < old ? 0.0f : v5;
    const float v7 = truing_exp(v6);
    const float v8 = truing_exp(v3);
    const float v9 = -(log_ratio);
    const float v10 = v9 - 1.0f;
    const float v11 = v7 * v10;
    const float v12 = v8 + v11;
    const float v13 = -(v9);
    const float v14 = truing_exp_rem(v13);
    const float v15 = v7 * v14;
    const float v16 = v9 < -8.0f ? v12 : v15;
    const float v17 = v7 <= 0.0f ? v8 : v16;
    const float v18 = truing_expm1(v6);
    const float v19 = -(v18);
    const float v20 = truing_expm1(v3);
    const float v21 = -(v20);
    const float v22 = truing_log1mexp(v6);
    const float v23 = truing_log1mexp(v3);
    const float v24 = v22 - v23;
    const float v25 = v24 - 1.0f;
    const float v26 = v19 * v25;
    const float v27 = v21 + v26;
    const float v28 = -(v24);
    const float v29 = truing_exp_rem(v28);
    const float v30 = v19 * v29;
    const float v31 = v24 < -8.0f ? v27 : v30;
    const float v32 = v19 <= 0.0f ? v21 : v31;
    const float v33 = v17 + v32;
    const float v34 = log_ratio + log_ratio_max;
    const float v35 = log_ratio <= log_ratio_max ? log_ratio : v34;
    const float v36 = log_ratio_max < log_ratio ? log_ratio_max : v35;
    const float v37 = truing_exp(v36);
    const float v38 = advantage * v37;
    const float v39 = -(v38);
    const float v40 = v33 - v33;
    const float v41 = delta_high < v33 ? 0.0f : v40;
    const float v42 = v33 <= delta_high ? v39 : v41;
    const float v43 = log_ratio <= 0.0f ? v39 : v42;
    const float v44 = delta_low < v33 ? 0.0f : v40;
    const float v45 = v33 <= delta_low ? v39 : v44;
    const float v46 = 0.0f <= log_ratio ? v39 : v45;
    const float v47 = 0.0f < advantage ? v43 : v46;
    const float v48 = truing_abs(advantage);
    const float v49 = 0.0f < v48 ? v47 : v48;
    const float v50 = truing_abs(v49);
    const float v51 = v49 * logp;
    const float v52 = 0.0f < v50 ? v51 : v50;
    *value = v52;
    *grad_logp = v49;
}
// x = logp - old, d = e^logp - e^old; -adv_tau A e^x where d <= mask_high for A > 0, d >= -mask_low else; + kl_tau x^2 everywhere
TRUING_FN void truing_token_dppo_tv_ratio(float logp, float old, float advantage, float log_ratio, float adv_tau, float kl_tau, float mask_low, float mask_high, float *value, float *grad_logp) {
    const float v1 = logp + old;
    const float v2 = old <= logp ? logp : v1;
    const float v3 = logp < old ? old : v2;
    const float v4 = truing_exp(v3);
    const float v5 = truing_abs(log_ratio);
    const float v6 = -(v5);
    const float v7 = truing_expm1(v6);
    const float v8 = -(v7);
    const float v9 = v4 * v8;
    const float v10 = -(v9);
    const float v11 = log_ratio < 0.0f ? v10 : v9;
    const float v12 = truing_exp(log_ratio);
    const float v13 = advantage * v12;
    const float v14 = truing_abs(adv_tau);
    const float v15 = adv_tau * v13;
    const float v16 = 0.0f < v14 ? v15 : v14;
    const float v17 = -(v16);
    const float v18 = truing_abs(advantage);
    const float v19 = 0.0f < v18 ? v17 : v18;
    const float v20 = v11 - v11;
    const float v21 = mask_high < v11 ? 0.0f : v20;
    const float v22 = v11 <= mask_high ? v19 : v21;
    const float v23 = -(v11);
    const float v24 = v23 - v23;
    const float v25 = mask_low < v23 ? 0.0f : v24;
    const float v26 = v23 <= mask_low ? v19 : v25;
    const float v27 = 0.0f < advantage ? v22 : v26;
    const float v28 = 0.0f < v18 ? v27 : v18;
    const float v29 = kl_tau + kl_tau;
    const float v30 = log_ratio * log_ratio;
    const float v31 = truing_abs(kl_tau);
    const float v32 = kl_tau * v30;
    const float v33 = 0.0f < v31 ? v32 : v31;
    const float v34 = v28 + v33;
    const float v35 = truing_abs(v29);
    const float v36 = v29 * log_ratio;
    const float v37 = 0.0f < v35 ? v36 : v35;
    const float v38 = v28 + v37;
    *value = v34;
    *grad_logp = v38;
}
// x = logp - old; -adv_tau A e^x where |e^logp - e^old| <= threshold; + kl_tau x^2 everywhere
TRUING_FN void truing_token_prime_ipo(float logp, float old, float advantage, float log_ratio, float adv_tau, float kl_tau, float threshold, float *value, float *grad_logp) {
    const float v1 = logp + old;
    const float v2 = old <= logp ? logp : v1;
    const float v3 = logp < old ? old : v2;
    const float v4 = truing_exp(v3);
    const float v5 = truing_abs(log_ratio);
    const float v6 = -(v5);
    const float v7 = truing_expm1(v6);
    const float v8 = -(v7);
    const float v9 = v4 * v8;
    const float v10 = -(v9);
    const float v11 = log_ratio < 0.0f ? v10 : v9;
    const float v12 = truing_abs(v11);
    const float v13 = truing_exp(log_ratio);
    const float v14 = advantage * v13;
    const float v15 = truing_abs(adv_tau);
    const float v16 = adv_tau * v14;
    const float v17 = 0.0f < v15 ? v16 : v15;
    const float v18 = -(v17);
    const float v19 = truing_abs(advantage);
    const float v20 = 0.0f < v19 ? v18 : v19;
    const float v21 = v12 - v12;
    const float v22 = threshold < v12 ? 0.0f : v21;
    const float v23 = v12 <= threshold ? v20 : v22;
    const float v24 = 0.0f < v19 ? v23 : v19;
    const float v25 = kl_tau + kl_tau;
    const float v26 = log_ratio * log_ratio;
    const float v27 = truing_abs(kl_tau);
    const float v28 = kl_tau * v26;
    const float v29 = 0.0f < v27 ? v28 : v27;
    const float v30 = v24 + v29;
    const float v31 = truing_abs(v25);
    const float v32 = v25 * log_ratio;
    const float v33 = 0.0f < v31 ? v32 : v31;
    const float v34 = v24 + v33;
    *value = v30;
    *grad_logp = v34;
}
// x = logp - old, A = ref - logp constant; -adv_tau A e^x where e^logp - e^old >= -mask_low; + kl_tau x^2 everywhere
TRUING_FN void truing_token_prime_ref_kl(float logp, float old, float ref_logp, float log_ratio, float adv_tau, float kl_tau, float mask_low, float *value, float *grad_logp) {
    const float v1 = ref_logp - logp;
    const float v2 = truing_exp(log_ratio);
    const float v3 = v2 * v1;
    const float v4 = v2 <= 0.0f ? v2 : v3;
    const float v5 = truing_abs(adv_tau);
    const float v6 = adv_tau * v4;
    const float v7 = 0.0f < v5 ? v6 : v5;
    const float v8 = -(v7);
    const float v9 = logp + old;
    const float v10 = old <= logp ? logp : v9;
    const float v11 = logp < old ? old : v10;
    const float v12 = truing_exp(v11);
    const float v13 = truing_abs(log_ratio);
    const float v14 = -(v13);
    const float v15 = truing_expm1(v14);
    const float v16 = -(v15);
    const float v17 = v12 * v16;
    const float v18 = -(v17);
    const float v19 = log_ratio < 0.0f ? v18 : v17;
    const float v20 = -(v19);
    const float v21 = v20 - v20;
    const float v22 = mask_low < v20 ? 0.0f : v21;
    const float v23 = v20 <= mask_low ? v8 : v22;
    const float v24 = truing_abs(v1);
    const float v25 = 0.0f < v24 ? v23 : v24;
    const float v26 = kl_tau + kl_tau;
    const float v27 = log_ratio * log_ratio;
    const float v28 = truing_abs(kl_tau);
    const float v29 = kl_tau * v27;
    const float v30 = 0.0f < v28 ? v29 : v28;
    const float v31 = v25 + v30;
    const float v32 = truing_abs(v26);
    const float v33 = v26 * log_ratio;
    const float v34 = 0.0f < v32 ? v33 : v32;
    const float v35 = v25 + v34;
    *value = v31;
    *grad_logp = v35;
}
// -A logp + tau / 2 (logp - old)^2
TRUING_FN void truing_token_dro(float logp, float old, float advantage, float log_ratio, float tau, float *value, float *grad_logp) {
    const float v1 = tau * 0.5f;
    const float v2 = log_ratio * log_ratio;
    const float v3 = v1 * v2;
    const float v4 = truing_abs(advantage);
    const float v5 = advantage * logp;
    const float v6 = 0.0f < v4 ? v5 : v4;
    const float v7 = v3 - v6;
    const float v8 = TRUING_INFF <= v3 ? v3 : v7;
    const float v9 = tau * log_ratio;
    const float v10 = v9 - advantage;
    *value = v8;
    *grad_logp = v10;
}
// x = logp - old; -A e^x, + coef |x| where flagged
TRUING_FN void truing_token_kl_cov(float logp, float old, float advantage, float flag, float log_ratio, float coef, float *value, float *grad_logp) {
    const float v1 = truing_exp(log_ratio);
    const float v2 = advantage * v1;
    const float v3 = -(v2);
    const float v4 = truing_abs(advantage);
    const float v5 = 0.0f < v4 ? v3 : v4;
    const float v6 = -(log_ratio);
    const float v7 = truing_abs(log_ratio);
    const float v8 = 0.0f < log_ratio ? log_ratio : v7;
    const float v9 = log_ratio < 0.0f ? v6 : v8;
    const float v10 = -(1.0f);
    const float v11 = 0.0f < log_ratio ? 1.0f : v7;
    const float v12 = log_ratio < 0.0f ? v10 : v11;
    const float v13 = truing_abs(flag);
    const float v14 = 0.0f < v13 ? coef : 0.0f;
    const float v15 = truing_abs(v5);
    const float v16 = truing_abs(v14);
    const float v17 = v14 * v9;
    const float v18 = 0.0f < v16 ? v17 : v16;
    const float v19 = v5 + v18;
    const float v20 = TRUING_INFF <= v15 ? v5 : v19;
    const float v21 = v14 * v12;
    const float v22 = 0.0f < v16 ? v21 : v16;
    const float v23 = v5 + v22;
    *value = v20;
    *grad_logp = v23;
}
// r = e^(logp - old); -max(A, 0) min(r, 1 + clip_high)
TRUING_FN void truing_token_noon_ppo(float logp, float old, float advantage, float log_ratio, float log_high, float *value, float *grad_logp) {
    const float v1 = advantage + 0.0f;
    const float v2 = 0.0f <= advantage ? advantage : v1;
    const float v3 = advantage < 0.0f ? 0.0f : v2;
    const float v4 = log_high < log_high ? log_high : log_high;
    const float v5 = v3 < 0.0f ? -TRUING_INFF : -TRUING_INFF;
    const float v6 = v3 < 0.0f ? v4 : log_high;
    const float v7 = v6 < log_ratio ? v6 : log_ratio;
    const float v8 = log_ratio < v5 ? v5 : v7;
    const float v9 = -(v3);
    const float v10 = truing_exp(v8);
    const float v11 = v9 * v10;
    const float v12 = v6 < log_ratio ? 0.0f : v11;
    const float v13 = log_ratio < v5 ? 0.0f : v12;
    const float v14 = truing_abs(v3);
    const float v15 = 0.0f < v14 ? v11 : v14;
    const float v16 = 0.0f < v14 ? v13 : v14;
    *value = v15;
    *grad_logp = v16;
}
// g = sigma(gate_beta (ref - logp)) constant; g (ref - logp)
TRUING_FN void truing_token_sdar(float logp, float ref_logp, float gate_beta, float *value, float *grad_logp) {
    const float v1 = logp - ref_logp;
    const float v2 = -(v1);
    const float v3 = gate_beta * v2;
    const float v4 = truing_sigmoid(v3);
    const float v5 = -(v4);
    const float v6 = truing_abs(v5);
    const float v7 = v5 * v1;
    const float v8 = 0.0f < v6 ? v7 : v6;
    *value = v8;
    *grad_logp = v5;
}
// (beta (logp - ref) - A) logp, the factor constant
TRUING_FN void truing_token_nash_md(float logp, float ref_logp, float advantage, float beta, float *value, float *grad_logp) {
    const float v1 = logp - ref_logp;
    const float v2 = truing_abs(beta);
    const float v3 = beta * v1;
    const float v4 = 0.0f < v2 ? v3 : v2;
    const float v5 = v4 - advantage;
    const float v6 = truing_abs(v5);
    const float v7 = v5 * logp;
    const float v8 = 0.0f < v6 ? v7 : v6;
    *value = v8;
    *grad_logp = v5;
}
// -logp where flagged, else 0
TRUING_FN void truing_token_positive_nll(float logp, float flag, float *value, float *grad_logp) {
    const float v1 = truing_abs(flag);
    const float v2 = 0.0f < v1 ? -1.0f : 0.0f;
    const float v3 = truing_abs(v2);
    const float v4 = v2 * logp;
    const float v5 = 0.0f < v3 ? v4 : v3;
    *value = v5;
    *grad_logp = v2;
}
// value in logp, return in ref; e = logp - ref, c = old + clip(logp - old, -clip, clip) - ref; max(e^2, c^2) / 2
TRUING_FN void truing_token_value_mse(float logp, float old, float ref_logp, float log_ratio, float clip, float *value, float *grad_logp) {
    const float v1 = logp - ref_logp;
    const float v2 = -(clip);
    const float v3 = log_ratio < 0.0f ? v2 : clip;
    const float v4 = old + v3;
    const float v5 = v4 - ref_logp;
    const float v6 = truing_abs(v5);
    const float v7 = truing_abs(v1);
    const float v8 = v6 <= v7 ? 1.0f : 0.0f;
    const float v9 = truing_abs(log_ratio);
    const float v10 = clip < v9 ? v8 : 1.0f;
    const float v11 = 0.0f < v10 ? v1 : v5;
    const float v12 = v11 * v11;
    const float v13 = v12 * 0.5f;
    const float v14 = v10 <= 0.0f ? 0.0f : v11;
    *value = v13;
    *grad_logp = v14;
}
// as value_mse with e^2 / 2 where |e| < delta, else delta (|e| - delta / 2)
TRUING_FN void truing_token_value_huber(float logp, float old, float ref_logp, float log_ratio, float clip, float delta, float *value, float *grad_logp) {
    const float v1 = logp - ref_logp;
    const float v2 = -(clip);
    const float v3 = log_ratio < 0.0f ? v2 : clip;
    const float v4 = old + v3;
    const float v5 = v4 - ref_logp;
    const float v6 = truing_abs(v5);
    const float v7 = truing_abs(v1);
    const float v8 = v6 <= v7 ? 1.0f : 0.0f;
    const float v9 = truing_abs(log_ratio);
    const float v10 = clip < v9 ? v8 : 1.0f;
    const float v11 = 0.0f < v10 ? v1 : v5;
    const float v12 = truing_abs(v11);
    const float v13 = 0.5f * delta;
    const float v14 = v12 - v13;
    const float v15 = delta * v14;
    const float v16 = -(delta);
    const float v17 = v11 + v16;
    const float v18 = v16 <= v11 ? v11 : v17;
    const float v19 = v11 < v16 ? v16 : v18;
    const float v20 = v19 + delta;
    const float v21 = v19 <= delta ? v19 : v20;
    const float v22 = delta < v19 ? delta : v21;
    const float v23 = v11 * v11;
    const float v24 = v23 * 0.5f;
    const float v25 = v12 < delta ? v24 : v15;
    const float v26 = v10 <= 0.0f ? 0.0f : v22;
    *value = v25;
    *grad_logp = v26;
}
// C = mean_t (logp - old); ppo_clip of r = e^C
TRUING_FN void truing_sequence_gspo_map(double logp, double old, double advantage, double log_ratio, double log_low, double log_cap, double log_roof, double log_dual, double *value, double *grad_logp) {
    *value = log_ratio;
    *grad_logp = 1.0;
}
// C = mean_t (logp - old) constant; each token: ppo_clip of r = e^(C + logp - sg(logp)) with its own A
TRUING_FN void truing_sequence_gspo_token_map(double logp, double old, double advantage, double log_ratio, double log_low, double log_cap, double log_roof, double log_dual, double *value, double *grad_logp) {
    *value = log_ratio;
    *grad_logp = 0.0;
}
// C = mean_t (logp - old); L times ppo_clip of r = e^C
TRUING_FN void truing_sequence_luspo_map(double logp, double old, double advantage, double log_ratio, double log_low, double log_cap, double log_roof, double log_dual, double *value, double *grad_logp) {
    *value = log_ratio;
    *grad_logp = 1.0;
}
// C = sum_t (logp - old); ppo_clip of r = e^C
TRUING_FN void truing_sequence_rloo_sequence_map(double logp, double old, double advantage, double log_ratio, double log_low, double log_cap, double log_roof, double log_dual, double *value, double *grad_logp) {
    *value = log_ratio;
    *grad_logp = 1.0;
}
// C = mean_t (logp - old); sapo of r = e^C
TRUING_FN void truing_sequence_sapo_map(double logp, double old, double advantage, double log_ratio, double tau_pos, double tau_neg, double *value, double *grad_logp) {
    *value = log_ratio;
    *grad_logp = 1.0;
}
// x = logp - old; C = mean_t of min(x, clip_high) for A > 0, of max(x, -clip_low) else; -A e^C
TRUING_FN void truing_sequence_gmpo_map(double logp, double old, double advantage, double log_ratio, double clip_low, double clip_high, double *value, double *grad_logp) {
    const double v1 = log_ratio + clip_high;
    const double v2 = log_ratio <= clip_high ? log_ratio : v1;
    const double v3 = clip_high < log_ratio ? clip_high : v2;
    const double v4 = clip_high < log_ratio ? 0.0 : 1.0;
    const double v5 = -(clip_low);
    const double v6 = log_ratio + v5;
    const double v7 = v5 <= log_ratio ? log_ratio : v6;
    const double v8 = log_ratio < v5 ? v5 : v7;
    const double v9 = log_ratio < v5 ? 0.0 : 1.0;
    const double v10 = 0.0 < advantage ? v3 : v8;
    const double v11 = 0.0 < advantage ? v4 : v9;
    *value = v10;
    *grad_logp = v11;
}
// C = sum_t clip(logp - old, -20, 20) + clip(log w, log 1e-8, 20) constant, at most 20, at least log 1e-8; phi = e^(k C - lambda (e^C - 1)); each token: -phi A logp
TRUING_FN void truing_sequence_vespo_map(double logp, double old, double advantage, double importance, double log_ratio, double k_pos, double lambda_pos, double k_neg, double lambda_neg, double *value, double *grad_logp) {
    const double v1 = -(20.0);
    const double v2 = log_ratio + v1;
    const double v3 = v1 <= log_ratio ? log_ratio : v2;
    const double v4 = log_ratio < v1 ? v1 : v3;
    const double v5 = v4 + 20.0;
    const double v6 = v4 <= 20.0 ? v4 : v5;
    const double v7 = 20.0 < v4 ? 20.0 : v6;
    const double v8 = truing_log(importance);
    const double v9 = v8 + -18.420680743952367;
    const double v10 = -18.420680743952367 <= v8 ? v8 : v9;
    const double v11 = v8 < -18.420680743952367 ? -18.420680743952367 : v10;
    const double v12 = v11 + 20.0;
    const double v13 = v11 <= 20.0 ? v11 : v12;
    const double v14 = 20.0 < v11 ? 20.0 : v13;
    const double v15 = v7 + v14;
    *value = v15;
    *grad_logp = 0.0;
}
// w = min(e^(sum_t logp - old), weight_max) constant, D = log_z + mean_t (logp - ref) - reward_scale A; w D^2
TRUING_FN void truing_sequence_flowrl_map(double logp, double old, double ref_logp, double advantage, double log_ratio, double reward_scale, double log_weight_max, double *value, double *grad_logp) {
    const double v1 = logp - ref_logp;
    *value = v1;
    *grad_logp = 1.0;
}
// C = sum_t (logp - old); (C - eta A)^2, A the reward
TRUING_FN void truing_sequence_sppo_reward_map(double logp, double old, double advantage, double log_ratio, double eta, double *value, double *grad_logp) {
    *value = log_ratio;
    *grad_logp = 1.0;
}
// r = e^(sum_t logp - old) constant; each token: -weight_pos A logp where flagged, else -weight_neg min(r, 1) A logp
TRUING_FN void truing_sequence_topr_map(double logp, double old, double advantage, double flag, double log_ratio, double weight_pos, double weight_neg, double *value, double *grad_logp) {
    *value = log_ratio;
    *grad_logp = 0.0;
}
// r = e^(mean_t logp - old) constant; each token: -clip(r, low, high) A logp; the variant makes low and high
TRUING_FN void truing_sequence_cispo_map(double logp, double old, double advantage, double log_ratio, double log_low, double log_high, double *value, double *grad_logp) {
    *value = log_ratio;
    *grad_logp = 0.0;
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
// C = mean_t (logp - old) constant; each token: ppo_clip of r = e^(C + logp - sg(logp)) with its own A
TRUING_FN void truing_sequence_gspo_token(double c, double logp, double advantage, double log_low, double log_cap, double log_roof, double log_dual, double *value, double *grad_logp) {
    const double v1 = logp - logp;
    const double v2 = v1 <= v1 ? v1 : 0.0;
    const double v3 = c + v2;
    const double v4 = log_dual < log_roof ? log_dual : log_roof;
    const double v5 = advantage < 0.0 ? log_low : -TRUING_INF;
    const double v6 = advantage < 0.0 ? v4 : log_cap;
    const double v7 = v6 < v3 ? v6 : v3;
    const double v8 = v3 < v5 ? v5 : v7;
    const double v9 = -(advantage);
    const double v10 = truing_exp(v8);
    const double v11 = v9 * v10;
    const double v12 = v6 < v3 ? 0.0 : v11;
    const double v13 = v3 < v5 ? 0.0 : v12;
    const double v14 = truing_abs(advantage);
    const double v15 = 0.0 < v14 ? v11 : v14;
    const double v16 = 0.0 < v14 ? v13 : v14;
    *value = v15;
    *grad_logp = v16;
}
// C = mean_t (logp - old); L times ppo_clip of r = e^C
TRUING_FN void truing_sequence_luspo(double c, double len, double advantage, double log_low, double log_cap, double log_roof, double log_dual, double *value, double *grad_c) {
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
    const double v14 = truing_abs(len);
    const double v15 = len * v12;
    const double v16 = 0.0 < v14 ? v15 : v14;
    const double v17 = len * v13;
    const double v18 = 0.0 < v14 ? v17 : v14;
    *value = v16;
    *grad_c = v18;
}
// C = sum_t (logp - old); ppo_clip of r = e^C
TRUING_FN void truing_sequence_rloo_sequence(double c, double advantage, double log_low, double log_cap, double log_roof, double log_dual, double *value, double *grad_c) {
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
// C = mean_t (logp - old); sapo of r = e^C
TRUING_FN void truing_sequence_sapo(double c, double advantage, double tau_pos, double tau_neg, double *value, double *grad_c) {
    const double v1 = 0.0 < advantage ? tau_pos : tau_neg;
    const double v2 = truing_expm1(c);
    const double v3 = v1 * v2;
    const double v4 = -4.0 * advantage;
    const double v5 = -(c);
    const double v6 = -(v3);
    const double v7 = truing_softplus(v6);
    const double v8 = -(v7);
    const double v9 = -(v6);
    const double v10 = truing_softplus(v9);
    const double v11 = -(v10);
    const double v12 = v8 + v11;
    const double v13 = c + v12;
    const double v14 = TRUING_INF <= c ? v5 : v13;
    const double v15 = v4 / v1;
    const double v16 = truing_sigmoid(v3);
    const double v17 = v15 * v16;
    const double v18 = truing_abs(advantage);
    const double v19 = 0.0 < v18 ? v17 : v18;
    const double v20 = truing_exp(v14);
    const double v21 = v4 * v20;
    const double v22 = 0.0 < v18 ? v21 : v18;
    *value = v19;
    *grad_c = v22;
}
// x = logp - old; C = mean_t of min(x, clip_high) for A > 0, of max(x, -clip_low) else; -A e^C
TRUING_FN void truing_sequence_gmpo(double c, double advantage, double clip_low, double clip_high, double *value, double *grad_c) {
    const double v1 = truing_exp(c);
    const double v2 = advantage * v1;
    const double v3 = -(v2);
    const double v4 = truing_abs(advantage);
    const double v5 = 0.0 < v4 ? v3 : v4;
    *value = v5;
    *grad_c = v5;
}
// C = sum_t clip(logp - old, -20, 20) + clip(log w, log 1e-8, 20) constant, at most 20, at least log 1e-8; phi = e^(k C - lambda (e^C - 1)); each token: -phi A logp
TRUING_FN void truing_sequence_vespo(double c, double logp, double advantage, double k_pos, double lambda_pos, double k_neg, double lambda_neg, double *value, double *grad_logp) {
    const double v1 = advantage < 0.0 ? k_neg : k_pos;
    const double v2 = advantage < 0.0 ? lambda_neg : lambda_pos;
    const double v3 = c + -18.420680743952367;
    const double v4 = -18.420680743952367 <= c ? c : v3;
    const double v5 = c < -18.420680743952367 ? -18.420680743952367 : v4;
    const double v6 = v5 + 20.0;
    const double v7 = v5 <= 20.0 ? v5 : v6;
    const double v8 = 20.0 < v5 ? 20.0 : v7;
    const double v9 = v1 * v8;
    const double v10 = truing_expm1(v8);
    const double v11 = v2 * v10;
    const double v12 = v9 - v11;
    const double v13 = truing_exp(v12);
    const double v14 = v13 * advantage;
    const double v15 = -(v14);
    const double v16 = truing_abs(advantage);
    const double v17 = 0.0 < v16 ? v15 : v16;
    const double v18 = truing_abs(v17);
    const double v19 = v17 * logp;
    const double v20 = 0.0 < v18 ? v19 : v18;
    *value = v20;
    *grad_logp = v17;
}
// w = min(e^(sum_t logp - old), weight_max) constant, D = log_z + mean_t (logp - ref) - reward_scale A; w D^2
TRUING_FN void truing_sequence_flowrl(double c, double log_ratio, double advantage, double log_z, double reward_scale, double log_weight_max, double *value, double *grad_c, double *grad_log_z) {
    const double v1 = log_ratio + log_weight_max;
    const double v2 = log_ratio <= log_weight_max ? log_ratio : v1;
    const double v3 = log_weight_max < log_ratio ? log_weight_max : v2;
    const double v4 = truing_exp(v3);
    const double v5 = log_z + c;
    const double v6 = truing_abs(reward_scale);
    const double v7 = reward_scale * advantage;
    const double v8 = 0.0 < v6 ? v7 : v6;
    const double v9 = v5 - v8;
    const double v10 = v9 + v9;
    const double v11 = truing_abs(v4);
    const double v12 = v4 * v10;
    const double v13 = 0.0 < v11 ? v12 : v11;
    const double v14 = v9 * v9;
    const double v15 = v4 * v14;
    const double v16 = 0.0 < v11 ? v15 : v11;
    *value = v16;
    *grad_c = v13;
    *grad_log_z = v13;
}
// C = sum_t (logp - old); (C - eta A)^2, A the reward
TRUING_FN void truing_sequence_sppo_reward(double c, double advantage, double eta, double *value, double *grad_c) {
    const double v1 = truing_abs(eta);
    const double v2 = eta * advantage;
    const double v3 = 0.0 < v1 ? v2 : v1;
    const double v4 = c - v3;
    const double v5 = v4 * v4;
    const double v6 = v4 + v4;
    *value = v5;
    *grad_c = v6;
}
// r = e^(sum_t logp - old) constant; each token: -weight_pos A logp where flagged, else -weight_neg min(r, 1) A logp
TRUING_FN void truing_sequence_topr(double c, double logp, double advantage, double flag, double weight_pos, double weight_neg, double *value, double *grad_logp) {
    const double v1 = truing_abs(flag);
    const double v2 = c + 0.0;
    const double v3 = c <= 0.0 ? c : v2;
    const double v4 = 0.0 < c ? 0.0 : v3;
    const double v5 = truing_exp(v4);
    const double v6 = truing_abs(weight_neg);
    const double v7 = weight_neg * v5;
    const double v8 = 0.0 < v6 ? v7 : v6;
    const double v9 = 0.0 < v1 ? weight_pos : v8;
    const double v10 = v9 * advantage;
    const double v11 = -(v10);
    const double v12 = truing_abs(advantage);
    const double v13 = 0.0 < v12 ? v11 : v12;
    const double v14 = truing_abs(v13);
    const double v15 = v13 * logp;
    const double v16 = 0.0 < v14 ? v15 : v14;
    *value = v16;
    *grad_logp = v13;
}
// r = e^(mean_t logp - old) constant; each token: -clip(r, low, high) A logp; the variant makes low and high
TRUING_FN void truing_sequence_cispo(double c, double logp, double advantage, double log_low, double log_high, double *value, double *grad_logp) {
    const double v1 = c + log_low;
    const double v2 = log_low <= c ? c : v1;
    const double v3 = c < log_low ? log_low : v2;
    const double v4 = v3 + log_high;
    const double v5 = v3 <= log_high ? v3 : v4;
    const double v6 = log_high < v3 ? log_high : v5;
    const double v7 = truing_exp(v6);
    const double v8 = advantage * v7;
    const double v9 = -(v8);
    const double v10 = truing_abs(advantage);
    const double v11 = 0.0 < v10 ? v9 : v10;
    const double v12 = truing_abs(v11);
    const double v13 = v11 * logp;
    const double v14 = 0.0 < v12 ? v13 : v12;
    *value = v14;
    *grad_logp = v11;
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
// |logp - ref|
TRUING_FN void truing_estimator_abs(float logp, float ref_logp, float *value, float *grad_logp) {
    const float v1 = logp - ref_logp;
    const float v2 = -(v1);
    const float v3 = truing_abs(v1);
    const float v4 = 0.0f < v1 ? v1 : v3;
    const float v5 = v1 < 0.0f ? v2 : v4;
    const float v6 = -(1.0f);
    const float v7 = 0.0f < v1 ? 1.0f : v3;
    const float v8 = v1 < 0.0f ? v6 : v7;
    *value = v5;
    *grad_logp = v8;
}
TRUING_FN void truing_map_js(double a, double b, double *difference, double *chosen, double *rejected) {
    const double v1 = -(a);
    const double v2 = truing_sigmoid(v1);
    const double v3 = -(b);
    const double v4 = truing_sigmoid(v3);
    const double v5 = a - b;
    const double v6 = v5 < 0.0 ? b : a;
    const double v7 = truing_abs(v5);
    const double v8 = -(v6);
    const double v9 = truing_sigmoid(v8);
    const double v10 = truing_expm1(v7);
    const double v11 = v9 * v10;
    const double v12 = truing_log1p(v11);
    const double v13 = -(v12);
    const double v14 = v5 < 0.0 ? v13 : v12;
    const double v15 = truing_abs(b);
    const double v16 = -(v15);
    const double v17 = truing_exp(v16);
    const double v18 = truing_log1p(v17);
    const double v19 = truing_abs(a);
    const double v20 = -(v19);
    const double v21 = truing_exp(v20);
    const double v22 = truing_log1p(v21);
    const double v23 = v18 - v22;
    const double v24 = a < 0.0 ? v1 : 0.0;
    const double v25 = b < 0.0 ? v3 : 0.0;
    const double v26 = v25 - v24;
    const double v27 = v26 + v23;
    const double v28 = v7 < 1.0 ? v14 : v27;
    *difference = v28;
    *chosen = v2;
    *rejected = v4;
}
TRUING_FN void truing_map_js_by_length(double a, double b, double c, double r, double *difference, double *chosen, double *rejected) {
    const double v1 = -(a);
    const double v2 = truing_sigmoid(v1);
    const double v3 = -(b);
    const double v4 = truing_sigmoid(v3);
    const double v5 = truing_softplus(v1);
    const double v6 = -(v5);
    const double v7 = truing_abs(c);
    const double v8 = c * v6;
    const double v9 = 0.0 < v7 ? v8 : v7;
    const double v10 = truing_softplus(v3);
    const double v11 = -(v10);
    const double v12 = truing_abs(r);
    const double v13 = r * v11;
    const double v14 = 0.0 < v12 ? v13 : v12;
    const double v15 = v9 - v14;
    const double v16 = v2 * c;
    const double v17 = v4 * r;
    *difference = v15;
    *chosen = v16;
    *rejected = v17;
}
TRUING_FN void truing_map_alpha(double alpha, double max_exponent, double a, double b, double *difference, double *chosen, double *rejected) {
    const double v1 = alpha * a;
    const double v2 = -(v1);
    const double v3 = alpha * b;
    const double v4 = -(v3);
    const double v5 = truing_exp(v2);
    const double v6 = max_exponent < v2 ? 0.0 : v5;
    const double v7 = truing_exp(v4);
    const double v8 = max_exponent < v4 ? 0.0 : v7;
    const double v9 = max_exponent < v2 ? max_exponent : v2;
    const double v10 = max_exponent < v4 ? max_exponent : v4;
    const double v11 = v9 < v10 ? v10 : v9;
    const double v12 = v9 - v10;
    const double v13 = truing_abs(v12);
    const double v14 = -(v13);
    const double v15 = truing_expm1(v14);
    const double v16 = -(v15);
    const double v17 = v9 < v10 ? v16 : v15;
    const double v18 = truing_exp(v11);
    const double v19 = truing_abs(v17);
    const double v20 = v18 <= 1.7976931348623157e308 ? 0.0 : 1.0;
    const double v21 = v19 <= 0.0 ? v20 : 0.0;
    const double v22 = a - b;
    const double v23 = v22 * 1.7976931348623157e308;
    const double v24 = v23 * 1.7976931348623157e308;
    const double v25 = v18 * v17;
    const double v26 = v25 / alpha;
    const double v27 = 0.0 < v21 ? v24 : v26;
    const double v28 = truing_abs(alpha);
    const double v29 = v28 < 1e-6 ? 1.0 : 0.0;
    const double v30 = 0.0 < v29 ? v22 : v27;
    const double v31 = 0.0 < v29 ? 1.0 : v6;
    const double v32 = truing_abs(1.0);
    const double v33 = 1.0 * v31;
    const double v34 = 0.0 < v32 ? v33 : v32;
    const double v35 = 0.0 < v29 ? 1.0 : v8;
    const double v36 = 1.0 * v35;
    const double v37 = 0.0 < v32 ? v36 : v32;
    *difference = v30;
    *chosen = v34;
    *rejected = v37;
}
TRUING_FN void truing_map_alpha_by_length(double alpha, double max_exponent, double a, double b, double c, double r, double *difference, double *chosen, double *rejected) {
    const double v1 = alpha * a;
    const double v2 = -(v1);
    const double v3 = alpha * b;
    const double v4 = -(v3);
    const double v5 = truing_exp(v2);
    const double v6 = max_exponent < v2 ? 0.0 : v5;
    const double v7 = truing_exp(v4);
    const double v8 = max_exponent < v4 ? 0.0 : v7;
    const double v9 = max_exponent < v2 ? max_exponent : v2;
    const double v10 = max_exponent < v4 ? max_exponent : v4;
    const double v11 = v9 < v10 ? v10 : v9;
    const double v12 = v9 - v10;
    const double v13 = truing_abs(v12);
    const double v14 = -(v13);
    const double v15 = truing_exp(v14);
    const double v16 = v15 * c;
    const double v17 = r - v16;
    const double v18 = v15 * r;
    const double v19 = v18 - c;
    const double v20 = v9 < v10 ? v17 : v19;
    const double v21 = truing_exp(v11);
    const double v22 = truing_abs(v20);
    const double v23 = v21 <= 1.7976931348623157e308 ? 0.0 : 1.0;
    const double v24 = v22 <= 0.0 ? v23 : 0.0;
    const double v25 = v21 * v20;
    const double v26 = v25 / alpha;
    const double v27 = 0.0 < v24 ? 0.0 : v26;
    const double v28 = truing_abs(alpha);
    const double v29 = v28 < 1e-6 ? 1.0 : 0.0;
    const double v30 = truing_abs(c);
    const double v31 = c * a;
    const double v32 = 0.0 < v30 ? v31 : v30;
    const double v33 = truing_abs(r);
    const double v34 = r * b;
    const double v35 = 0.0 < v33 ? v34 : v33;
    const double v36 = v32 - v35;
    const double v37 = 0.0 < v29 ? v36 : v27;
    const double v38 = 0.0 < v29 ? 1.0 : v6;
    const double v39 = c * v38;
    const double v40 = 0.0 < v30 ? v39 : v30;
    const double v41 = 0.0 < v29 ? 1.0 : v8;
    const double v42 = r * v41;
    const double v43 = 0.0 < v33 ? v42 : v33;
    *difference = v37;
    *chosen = v40;
    *rejected = v43;
}
TRUING_FN double truing_coin_kl(double logp, double old, double log_ratio) {
    const double v1 = logp + 0.0;
    const double v2 = logp <= 0.0 ? logp : v1;
    const double v3 = 0.0 < logp ? 0.0 : v2;
    const double v4 = old + 0.0;
    const double v5 = old <= 0.0 ? old : v4;
    const double v6 = 0.0 < old ? 0.0 : v5;
    const double v7 = truing_exp(v6);
    const double v8 = truing_exp(v3);
    const double v9 = -(log_ratio);
    const double v10 = v9 - 1.0;
    const double v11 = v7 * v10;
    const double v12 = v8 + v11;
    const double v13 = -(v9);
    const double v14 = truing_exp_rem(v13);
    const double v15 = v7 * v14;
    const double v16 = v9 < -8.0 ? v12 : v15;
    const double v17 = v7 <= 0.0 ? v8 : v16;
    const double v18 = truing_expm1(v6);
    const double v19 = -(v18);
    const double v20 = truing_expm1(v3);
    const double v21 = -(v20);
    const double v22 = truing_log1mexp(v6);
    const double v23 = truing_log1mexp(v3);
    const double v24 = v22 - v23;
    const double v25 = v24 - 1.0;
    const double v26 = v19 * v25;
    const double v27 = v21 + v26;
    const double v28 = -(v24);
    const double v29 = truing_exp_rem(v28);
    const double v30 = v19 * v29;
    const double v31 = v24 < -8.0 ? v27 : v30;
    const double v32 = v19 <= 0.0 ? v21 : v31;
    const double v33 = v17 + v32;
    return v33;
}
TRUING_FN double truing_probability_gap(double logp, double old, double log_ratio) {
    const double v1 = logp + old;
    const double v2 = old <= logp ? logp : v1;
    const double v3 = logp < old ? old : v2;
    const double v4 = truing_exp(v3);
    const double v5 = truing_abs(log_ratio);
    const double v6 = -(v5);
    const double v7 = truing_expm1(v6);
    const double v8 = -(v7);
    const double v9 = v4 * v8;
    const double v10 = -(v9);
    const double v11 = log_ratio < 0.0 ? v10 : v9;
    return v11;
}
TRUING_FN double truing_estimated_k1(double logp, double ref_logp) {
    const double v1 = logp - ref_logp;
    return v1;
}
TRUING_FN double truing_estimated_k2(double logp, double ref_logp) {
    const double v1 = logp - ref_logp;
    const double v2 = v1 * v1;
    const double v3 = 0.5 * v2;
    return v3;
}
TRUING_FN double truing_estimated_k3(double logp, double ref_logp) {
    const double v1 = ref_logp - logp;
    const double v2 = truing_exp_rem(v1);
    return v2;
}
TRUING_FN double truing_estimated_abs(double logp, double ref_logp) {
    const double v1 = logp - ref_logp;
    const double v2 = -(v1);
    const double v3 = truing_abs(v1);
    const double v4 = 0.0 < v1 ? v1 : v3;
    const double v5 = v1 < 0.0 ? v2 : v4;
    return v5;
}
// The estimate of this id in f64; 0: k1.
TRUING_FN double truing_estimated(truing_u32 id, double logp, double ref_logp) {
    switch (id) {
    case 6001u: return truing_estimated_k1(logp, ref_logp);
    case 6002u: return truing_estimated_k2(logp, ref_logp);
    case 6003u: return truing_estimated_k3(logp, ref_logp);
    case 6004u: return truing_estimated_abs(logp, ref_logp);
    default: return logp - ref_logp;
    }
}
struct truing_pair_in {
    double chosen_logp, rejected_logp, chosen_ref_logp, rejected_ref_logp, chosen_margin, rejected_margin, chosen_len, rejected_len, chosen_kl, rejected_kl, anchor_logp, anchor_ref_logp, shift;
};
struct truing_pair_out {
    double value, grad_chosen_logp, grad_rejected_logp, grad_chosen_margin, grad_rejected_margin, grad_chosen_kl, grad_rejected_kl, grad_anchor_logp;
};
// The entry of this id; an output that it has not is 0. p: its constants.
TRUING_FN truing_pair_out truing_pair_entry(truing_u32 id, const truing_pair_in &x, const double *p) {
    truing_pair_out y = {};
    switch (id) {
    case 1001u: truing_pair_dpo(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1002u: truing_pair_ipo(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_len, x.rejected_len, x.chosen_margin, x.rejected_margin, p[0], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1003u: truing_pair_simpo(x.chosen_logp, x.rejected_logp, p[0], p[1], p[2], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1004u: truing_pair_tdpo1(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_kl, x.rejected_kl, p[0], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_kl, &y.grad_rejected_kl); break;
    case 1005u: truing_pair_dpo_ln(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_len, x.rejected_len, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1006u: truing_pair_robust_dpo(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1007u: truing_pair_hinge(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1008u: truing_pair_ipo_sum(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1009u: truing_pair_exo_pair(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1010u: truing_pair_discopop(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1011u: truing_pair_rpo_backward_kl(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1012u: truing_pair_rpo_forward_kl(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1013u: truing_pair_rpo_square(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1014u: truing_pair_odpo(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1015u: truing_pair_r_dpo(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_len, x.rejected_len, p[0], p[1], p[2], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1016u: truing_pair_dpo_shift(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1017u: truing_pair_dpop(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1018u: truing_pair_cal_dpo(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1019u: truing_pair_modpo(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1020u: truing_pair_modpo_hinge(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1021u: truing_pair_tdpo2(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_kl, x.rejected_kl, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_kl, &y.grad_rejected_kl); break;
    case 1022u: truing_pair_mdpo(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.anchor_logp, x.anchor_ref_logp, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_anchor_logp); break;
    case 1023u: truing_pair_image_dpo(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1024u: truing_pair_povid(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.anchor_logp, x.anchor_ref_logp, p[0], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_anchor_logp); break;
    case 1025u: truing_pair_slic(x.chosen_logp, x.rejected_logp, x.anchor_logp, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_anchor_logp); break;
    case 1026u: truing_pair_diffusion_dpo(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1027u: truing_pair_mm_dpo(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1028u: truing_pair_beta_dpo(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1029u: truing_pair_idk_dpo(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1030u: truing_pair_nca_pair(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, p[0], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1031u: truing_pair_bco_pair(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.shift, p[0], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1032u: truing_pair_sppo(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1033u: truing_pair_apo_zero(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, p[0], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1034u: truing_pair_apo_down(x.chosen_logp, x.rejected_logp, x.chosen_ref_logp, x.rejected_ref_logp, p[0], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1035u: truing_pair_cpo(x.chosen_logp, x.rejected_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1036u: truing_pair_arpo(x.chosen_logp, x.rejected_logp, x.chosen_len, x.rejected_len, p[0], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1037u: truing_pair_alphapo(x.chosen_logp, x.rejected_logp, p[0], p[1], p[2], p[3], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1038u: truing_pair_orpo(x.chosen_logp, x.rejected_logp, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1039u: truing_pair_asft(x.chosen_logp, x.rejected_logp, p[0], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1040u: truing_pair_asft_tempered(x.chosen_logp, x.rejected_logp, p[0], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1041u: truing_pair_simper(x.chosen_logp, x.rejected_logp, &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1042u: truing_pair_relu_po(x.chosen_logp, x.rejected_logp, p[0], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1043u: truing_pair_bt(x.chosen_logp, x.rejected_logp, x.chosen_margin, x.rejected_margin, &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1044u: truing_pair_bt_center(x.chosen_logp, x.rejected_logp, x.chosen_margin, x.rejected_margin, p[0], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1045u: truing_pair_bt_mse(x.chosen_logp, x.rejected_logp, x.chosen_margin, x.rejected_margin, p[0], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1046u: truing_pair_bt_scaled(x.chosen_logp, x.rejected_logp, x.chosen_margin, x.rejected_margin, &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp, &y.grad_chosen_margin, &y.grad_rejected_margin); break;
    case 1047u: truing_pair_bt_focal(x.chosen_logp, x.rejected_logp, p[0], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1048u: truing_pair_bt_ties(x.chosen_logp, x.rejected_logp, x.chosen_margin, x.rejected_margin, p[0], p[1], &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    case 1050u: truing_pair_cost_model(x.chosen_logp, x.rejected_logp, x.chosen_margin, x.rejected_margin, &y.value, &y.grad_chosen_logp, &y.grad_rejected_logp); break;
    }
    return y;
}
struct truing_unpaired_in {
    double logp, ref_logp, label, baseline, weight, shift;
};
struct truing_unpaired_out {
    double value, grad_logp, grad_baseline;
};
// The entry of this id; an output that it has not is 0. p: its constants.
TRUING_FN truing_unpaired_out truing_unpaired_entry(truing_u32 id, const truing_unpaired_in &x, const double *p) {
    truing_unpaired_out y = {};
    switch (id) {
    case 2001u: truing_unpaired_kto(x.logp, x.ref_logp, x.label, x.baseline, p[0], p[1], p[2], &y.value, &y.grad_logp); break;
    case 2002u: truing_unpaired_apo_zero_unpaired(x.logp, x.ref_logp, x.label, p[0], p[1], p[2], &y.value, &y.grad_logp); break;
    case 2003u: truing_unpaired_bco(x.logp, x.ref_logp, x.label, x.weight, x.shift, p[0], &y.value, &y.grad_logp); break;
    case 2004u: truing_unpaired_poft(x.logp, x.baseline, p[0], p[1], &y.value, &y.grad_logp); break;
    case 2005u: truing_unpaired_npo(x.logp, x.ref_logp, p[0], &y.value, &y.grad_logp); break;
    case 2006u: truing_unpaired_simnpo(x.logp, p[0], p[1], &y.value, &y.grad_logp); break;
    case 2007u: truing_unpaired_a_star_po(x.logp, x.ref_logp, x.baseline, p[0], &y.value, &y.grad_logp, &y.grad_baseline); break;
    case 2008u: truing_unpaired_prime_ce(x.logp, x.ref_logp, x.baseline, p[0], &y.value, &y.grad_logp); break;
    }
    return y;
}
struct truing_token_in {
    float logp, old, advantage, log_ratio, entropy, ref_logp, flag;
};
struct truing_token_out {
    float value, grad_logp;
};
// The entry of this id; an output that it has not is 0. p: its constants.
TRUING_FN truing_token_out truing_token_entry(truing_u32 id, const truing_token_in &x, const float *p) {
    truing_token_out y = {};
    switch (id) {
    case 4001u: truing_token_ppo_clip(x.logp, x.old, x.advantage, x.log_ratio, p[0], p[1], p[2], p[3], &y.value, &y.grad_logp); break;
    case 4002u: truing_token_nll(x.logp, &y.value, &y.grad_logp); break;
    case 4003u: truing_token_dft(x.logp, &y.value, &y.grad_logp); break;
    case 4004u: truing_token_chord_phi(x.logp, &y.value, &y.grad_logp); break;
    case 4005u: truing_token_eaft(x.logp, x.entropy, p[0], &y.value, &y.grad_logp); break;
    case 4006u: truing_token_eaft_raw(x.logp, x.entropy, p[0], &y.value, &y.grad_logp); break;
    case 4007u: truing_token_token_constrained(x.logp, x.ref_logp, x.advantage, &y.value, &y.grad_logp); break;
    case 4008u: truing_token_gradient_ascent(x.logp, &y.value, &y.grad_logp); break;
    case 4009u: truing_token_wga(x.logp, p[0], &y.value, &y.grad_logp); break;
    case 4010u: truing_token_satimp(x.logp, p[0], p[1], &y.value, &y.grad_logp); break;
    case 4011u: truing_token_cispo(x.logp, x.old, x.advantage, x.log_ratio, p[0], p[1], &y.value, &y.grad_logp); break;
    case 4012u: truing_token_sapo(x.logp, x.old, x.advantage, x.log_ratio, p[0], p[1], &y.value, &y.grad_logp); break;
    case 4013u: truing_token_reinforce(x.logp, x.advantage, &y.value, &y.grad_logp); break;
    case 4014u: truing_token_topr(x.logp, x.old, x.advantage, x.flag, x.log_ratio, p[0], p[1], &y.value, &y.grad_logp); break;
    case 4015u: truing_token_dppo_tv(x.logp, x.old, x.advantage, x.log_ratio, p[0], p[1], p[2], &y.value, &y.grad_logp); break;
    case 4016u: truing_token_dppo_kl(x.logp, x.old, x.advantage, x.log_ratio, p[0], p[1], p[2], &y.value, &y.grad_logp); break;
    case 4017u: truing_token_dppo_tv_ratio(x.logp, x.old, x.advantage, x.log_ratio, p[0], p[1], p[2], p[3], &y.value, &y.grad_logp); break;
    case 4018u: truing_token_prime_ipo(x.logp, x.old, x.advantage, x.log_ratio, p[0], p[1], p[2], &y.value, &y.grad_logp); break;
    case 4019u: truing_token_prime_ref_kl(x.logp, x.old, x.ref_logp, x.log_ratio, p[0], p[1], p[2], &y.value, &y.grad_logp); break;
    case 4020u: truing_token_dro(x.logp, x.old, x.advantage, x.log_ratio, p[0], &y.value, &y.grad_logp); break;
    case 4021u: truing_token_kl_cov(x.logp, x.old, x.advantage, x.flag, x.log_ratio, p[0], &y.value, &y.grad_logp); break;
    case 4022u: truing_token_noon_ppo(x.logp, x.old, x.advantage, x.log_ratio, p[0], &y.value, &y.grad_logp); break;
    case 4023u: truing_token_sdar(x.logp, x.ref_logp, p[0], &y.value, &y.grad_logp); break;
    case 4024u: truing_token_nash_md(x.logp, x.ref_logp, x.advantage, p[0], &y.value, &y.grad_logp); break;
    case 4025u: truing_token_positive_nll(x.logp, x.flag, &y.value, &y.grad_logp); break;
    case 4026u: truing_token_value_mse(x.logp, x.old, x.ref_logp, x.log_ratio, p[0], &y.value, &y.grad_logp); break;
    case 4027u: truing_token_value_huber(x.logp, x.old, x.ref_logp, x.log_ratio, p[0], p[1], &y.value, &y.grad_logp); break;
    }
    return y;
}
struct truing_sequence_map_in {
    double logp, old, advantage, log_ratio, importance, ref_logp, flag;
};
struct truing_sequence_map_out {
    double value, grad_logp;
};
// The entry of this id; an output that it has not is 0. p: its constants.
TRUING_FN truing_sequence_map_out truing_sequence_map_entry(truing_u32 id, const truing_sequence_map_in &x, const double *p) {
    truing_sequence_map_out y = {};
    switch (id) {
    case 5001u: truing_sequence_gspo_map(x.logp, x.old, x.advantage, x.log_ratio, p[0], p[1], p[2], p[3], &y.value, &y.grad_logp); break;
    case 5002u: truing_sequence_gspo_token_map(x.logp, x.old, x.advantage, x.log_ratio, p[0], p[1], p[2], p[3], &y.value, &y.grad_logp); break;
    case 5003u: truing_sequence_luspo_map(x.logp, x.old, x.advantage, x.log_ratio, p[0], p[1], p[2], p[3], &y.value, &y.grad_logp); break;
    case 5004u: truing_sequence_rloo_sequence_map(x.logp, x.old, x.advantage, x.log_ratio, p[0], p[1], p[2], p[3], &y.value, &y.grad_logp); break;
    case 5005u: truing_sequence_sapo_map(x.logp, x.old, x.advantage, x.log_ratio, p[0], p[1], &y.value, &y.grad_logp); break;
    case 5006u: truing_sequence_gmpo_map(x.logp, x.old, x.advantage, x.log_ratio, p[0], p[1], &y.value, &y.grad_logp); break;
    case 5007u: truing_sequence_vespo_map(x.logp, x.old, x.advantage, x.importance, x.log_ratio, p[0], p[1], p[2], p[3], &y.value, &y.grad_logp); break;
    case 5008u: truing_sequence_flowrl_map(x.logp, x.old, x.ref_logp, x.advantage, x.log_ratio, p[0], p[1], &y.value, &y.grad_logp); break;
    case 5009u: truing_sequence_sppo_reward_map(x.logp, x.old, x.advantage, x.log_ratio, p[0], &y.value, &y.grad_logp); break;
    case 5010u: truing_sequence_topr_map(x.logp, x.old, x.advantage, x.flag, x.log_ratio, p[0], p[1], &y.value, &y.grad_logp); break;
    case 5011u: truing_sequence_cispo_map(x.logp, x.old, x.advantage, x.log_ratio, p[0], p[1], &y.value, &y.grad_logp); break;
    }
    return y;
}
struct truing_sequence_in {
    double c, advantage, logp, len, log_ratio, log_z, flag;
};
struct truing_sequence_out {
    double value, grad_c, grad_logp, grad_log_z;
};
// The entry of this id; an output that it has not is 0. p: its constants.
TRUING_FN truing_sequence_out truing_sequence_entry(truing_u32 id, const truing_sequence_in &x, const double *p) {
    truing_sequence_out y = {};
    switch (id) {
    case 5001u: truing_sequence_gspo(x.c, x.advantage, p[0], p[1], p[2], p[3], &y.value, &y.grad_c); break;
    case 5002u: truing_sequence_gspo_token(x.c, x.logp, x.advantage, p[0], p[1], p[2], p[3], &y.value, &y.grad_logp); break;
    case 5003u: truing_sequence_luspo(x.c, x.len, x.advantage, p[0], p[1], p[2], p[3], &y.value, &y.grad_c); break;
    case 5004u: truing_sequence_rloo_sequence(x.c, x.advantage, p[0], p[1], p[2], p[3], &y.value, &y.grad_c); break;
    case 5005u: truing_sequence_sapo(x.c, x.advantage, p[0], p[1], &y.value, &y.grad_c); break;
    case 5006u: truing_sequence_gmpo(x.c, x.advantage, p[0], p[1], &y.value, &y.grad_c); break;
    case 5007u: truing_sequence_vespo(x.c, x.logp, x.advantage, p[0], p[1], p[2], p[3], &y.value, &y.grad_logp); break;
    case 5008u: truing_sequence_flowrl(x.c, x.log_ratio, x.advantage, x.log_z, p[0], p[1], &y.value, &y.grad_c, &y.grad_log_z); break;
    case 5009u: truing_sequence_sppo_reward(x.c, x.advantage, p[0], &y.value, &y.grad_c); break;
    case 5010u: truing_sequence_topr(x.c, x.logp, x.advantage, x.flag, p[0], p[1], &y.value, &y.grad_logp); break;
    case 5011u: truing_sequence_cispo(x.c, x.logp, x.advantage, p[0], p[1], &y.value, &y.grad_logp); break;
    }
    return y;
}
struct truing_estimator_in {
    float logp, ref_logp;
};
struct truing_estimator_out {
    float value, grad_logp;
};
// The entry of this id; an output that it has not is 0. p: its constants.
TRUING_FN truing_estimator_out truing_estimator_entry(truing_u32 id, const truing_estimator_in &x, const float *p) {
    truing_estimator_out y = {};
    switch (id) {
    case 6001u: truing_estimator_k1(x.logp, x.ref_logp, &y.value, &y.grad_logp); break;
    case 6002u: truing_estimator_k2(x.logp, x.ref_logp, &y.value, &y.grad_logp); break;
    case 6003u: truing_estimator_k3(x.logp, x.ref_logp, &y.value, &y.grad_logp); break;
    case 6004u: truing_estimator_abs(x.logp, x.ref_logp, &y.value, &y.grad_logp); break;
    }
    return y;
}
