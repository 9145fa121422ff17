// Divergences of the rows of two models, forward and backward, with the bits of the CPU (the mode `portable`): see
// core/src/divergence.rs for the definition. The sides are a and b of the formula.
//
// 1. truing_divergence_blocks_*: a warp reduces 2048 columns of both sides, one read of each, to a joint record: the records
//    of the sides and, where the value divides by the chain rule, the value inside the block.
// 2. truing_divergence_rows_*: a few lanes merge the records of a row by the fixed tree; one of them goes on from there in f64.
//    It writes the figures, or the constants of another pass.
// 3. truing_divergence_sums_*: a warp adds up 2048 columns with the constants of the row: the values that do not divide,
//    the means of weights that need the value first. 2 follows.
// 4. truing_divergence_constants_*, truing_divergence_grad_*: the constants of the gradients of a row, and a warp for 2048
//    columns of them. Logits may be overwritten.
//
// Whole blocks of columns that are used as they are or scaled, and that start 16 bytes, are taken as they lie: a lane works on
// eight neighbours at a time of both sides. That is how gradients, which have no order, are made; and in the mode `fast`, which
// chooses its own order, records and sums (`truing_swift`).
#pragma once
#include "logits.cuh"
#ifdef TRUING_FAST
// What the formulas below are within a few units of the last place of, by the special-function unit.
#define TRUING_LOG2_E 1.4426950408889634f
#define TRUING_LN_2 0.6931471805599453f
// (e^x - 1 - x) / x^2 for abs(x) <= 1/2
TRUING_FN float truing_rem(float x) {
    float y = truing_fma(0.00019844023f, x, 0.0013885451f);
    y = truing_fma(truing_fma(y, x, 0.0083333105f), x, 0.041666735f);
    return truing_fma(truing_fma(y, x, 0.16666667f), x, 0.5f);
}
TRUING_FN float truing_expm1_fast(float x) {
    const float near = truing_fma(x * x, truing_rem(x), x);
    return truing_abs(x) < 0.5f ? near : truing_exp2_fast(x * TRUING_LOG2_E) - 1.0f;
}
TRUING_FN double truing_expm1_fast(double x) { return truing_expm1(x); }
// (x - log(1 + x)) / x^2 for abs(x) <= 1/4
TRUING_FN float truing_log1p_rem(float x) {
    float y = truing_fma(-0.1f, x, 0.11111111f);
    y = truing_fma(truing_fma(y, x, -0.125f), x, 0.14285715f);
    y = truing_fma(truing_fma(y, x, -0.16666667f), x, 0.2f);
    return truing_fma(truing_fma(truing_fma(y, x, -0.25f), x, 0.33333334f), -x, 0.5f);
}
TRUING_FN float truing_log1p_fast(float x) {
    const float near = truing_fma(x * x, -truing_log1p_rem(x), x);
    return truing_abs(x) < 0.25f ? near : truing_log2_fast(1.0f + x) * TRUING_LN_2;
}
TRUING_FN double truing_log1p_fast(double x) { return truing_log1p(x); }
#define truing_expm1 truing_expm1_fast
#define truing_log1p truing_log1p_fast
#include "generated/divergence.cuh"
#undef truing_expm1
#undef truing_log1p
#else
#include "generated/divergence.cuh"
#endif

enum { TRUING_OF_LOGITS, TRUING_OF_LOGPROBS, TRUING_OF_PROBS };
struct truing_side {
    truing_view logits, grad, bias, temperature;
    truing_view shifted; // [rows]: the columns that `shift` is added to
    double logit_scale, softcap, fixed_temperature;
    truing_transform transform; // with the fixed temperature
    truing_u32 vocab, valid;    // columns; those that can be live, at least 1
    float shift;                // 0: none
    truing_u32 numbers;         // what the columns hold; but for logits they are normalised
};
struct truing_divergence_args {
    truing_side side[2];
    truing_view target, mask, weight, stats, grad_values, grad_logprob;
    truing_view out_values, out_entropy[2], out_logprob[2], out_stats, out_status;
    void *blocks;  // words of truing_joint or of truing_added [rows, parts]
    void *states;  // truing_divergence_row [rows]
    void *columns; // truing_divergence_columns [rows]
    double *losses;      // [rows]: the values in f64; NULL: nobody adds them up
    double *ratios;      // [rows]: log ratio of the target, student to teacher; NULL: nobody adds them up
    const double *given; // beside grad_values: gradients of the values, one a row (`each`) or one for all; NULL: none
    truing_i64 rows, ignore_index;
    double form[2], hard_weight, soft_weight, grad_scale;
    float p[2];              // of truing_pair
    truing_u32 parts, lanes; // as for logprob, of the side with more columns
    truing_u32 has_ignore;
    truing_u32 student;          // its side
    truing_u32 entropy, moments; // sums that are asked for
    truing_u32 step;             // what has been summed up: records, values, moments
    truing_u32 infinite;         // 1: the value is where b alone is dead, 2: where a alone is, 4: always by its definition
    truing_u32 zero, renyi, dft, squared;
    truing_u32 each;
    truing_u32 total; // columns of the student's whole vocabulary
    truing_u32 unweighted, ranks; // of a figure: weights only say which rows are read; the columns of the maxima are asked for
    truing_u32 start, reserved; // column of the whole vocabulary that is the first here
};
// A row between passes.
struct alignas(16) truing_divergence_row {
    truing_pair k;
    float r[2], u[2], other[2], y[2];
    truing_u32 column[2], flags, live; // live: the next pass reads it
    double value;
    truing_u32 degenerate, reserved;
};
struct alignas(16) truing_divergence_columns {
    truing_pair k;
    truing_u32 fill; // every column has the value `all`
    float all;
    float hard; // times the probability of the student, subtracted; 0: nothing
    truing_u32 target;
    float own;
};
static_assert(sizeof(truing_divergence_row) == 176 && sizeof(truing_divergence_columns) == 128, "sizes of cuda/src/divergence.rs");
#define TRUING_NOWHERE 0xffffffffu

// The column of a row that the shift of a side is added to.
TRUING_FN truing_u32 truing_shifted(const truing_side &s, truing_i64 row) {
    if (s.shift == 0.0f) return TRUING_NOWHERE;
    const truing_i64 y = truing_int_at(s.shifted, row);
    return y >= 0 && y < (truing_i64)s.valid ? (truing_u32)y : TRUING_NOWHERE;
}
TRUING_FN int truing_pair_target(const truing_divergence_args &a, truing_i64 row, truing_i64 &y) {
    const int kind = truing_target(a, row, y);
    if (kind != TRUING_IGNORED && a.weight.data && *truing_row<const float>(a.weight, row) == 0.0f) return TRUING_IGNORED;
    return kind;
}
TRUING_FN bool truing_weight_wrong(const truing_divergence_args &a, truing_i64 row) {
    return a.weight.data && !(*truing_row<const float>(a.weight, row) >= 0.0f && *truing_row<const float>(a.weight, row) < TRUING_INFF);
}
// Functions that are called a few times a row: inlined each time they would be most of the text.
TRUING_CALL double truing_log1p_of(double x) { return truing_log1p(x); }
TRUING_CALL double truing_exp_wide(double x) { return truing_exp(x); }
TRUING_CALL float truing_log_of(float x) { return truing_log(x); }
// Transformed logit of a column.
TRUING_CALL float truing_at(const truing_side &s, truing_i64 row, truing_i64 j) {
    if (j >= (truing_i64)s.valid) return -TRUING_INFF;
    const float z = truing_float_at(s.logits, row, j);
    float x = truing_apply(truing_transform_of(s, row), z, s.bias.data != 0, truing_bias(s, (truing_u32)j)) + 0.0f;
    if (s.numbers == TRUING_OF_PROBS) x = truing_log_of(x);
    return j == (truing_i64)truing_shifted(s, row) ? x + s.shift : x;
}

// The constants of a form.

TRUING_FN bool truing_bad(const truing_record &x) { return truing_poisoned(x) || x.m == -TRUING_INFF; }
TRUING_FN truing_pair truing_pair_of(const truing_divergence_args &a, float ma, float mb, float ra, float rb) {
    truing_pair k = {};
    k.m[0] = ma;
    k.m[1] = mb;
    k.p[0] = a.p[0];
    k.p[1] = a.p[1];
    const double r0 = ra, r1 = rb, l0 = truing_log1p_of(r0), l1 = truing_log1p_of(r1);
    k.l[0] = (float)l0;
    k.l[1] = (float)l1;
    k.scale[0] = (float)(1.0 / (1.0 + r0));
    k.scale[1] = (float)(1.0 / (1.0 + r1));
    k.gamma = (float)(l0 - l1);
    return k;
}
// Of whole rows: a side that is normalised holds log-probs already.
TRUING_FN truing_pair truing_pair_of_rows(const truing_divergence_args &a, float ma, float mb, float ra, float rb) {
    truing_pair k = truing_pair_of(a, ma, mb, ra, rb);
    if (a.side[0].numbers == TRUING_OF_LOGITS && a.side[1].numbers == TRUING_OF_LOGITS) return k;
    double l[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const double m = k.m[i];
        l[i] = a.side[i].numbers != TRUING_OF_LOGITS ? -m : truing_log1p_of((double)(i ? rb : ra));
        k.l[i] = (float)l[i];
        if (a.side[i].numbers != TRUING_OF_LOGITS) k.scale[i] = (float)truing_exp_wide(m);
    }
    k.gamma = (float)(l[0] - l[1]);
    return k;
}
// The error of gamma that s, the sum of a - b, shows; 0 where it is too large to be one of rounding.
TRUING_FN double truing_refine(double s) {
    const double e = -truing_log1p_of(-s);
    return truing_abs(e) < 1e-3 ? e : 0.0;
}
TRUING_FN double truing_excess(double s) {
    const double e = -truing_log1p_of(-s);
    return truing_abs(e) < 1e-3 ? truing_exp_rem(-e) : 0.0;
}
TRUING_FN truing_column<float> truing_plain(const truing_pair &k, float xa, float xb) {
    float e[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const float d = truing_clamp((i ? xb : xa) - k.m[i]), t = truing_exp_index(d);
        e[i] = truing_exp_power(t, truing_exp_table[truing_bits(t) % 8]) * truing_exp_poly(d, t);
    }
    return truing_column_of(k, xa, xb, e[0], e[1]);
}
// Share of b in the mixture w a + rest b.
TRUING_FN float truing_share(float d, float w, float rest) {
    const double e = truing_exp_wide(-(double)d);
    return e == TRUING_INF ? 1.0f : (float)((double)rest * e / ((double)w + (double)rest * e));
}
TRUING_FN float truing_exp_finite(float x) {
    const double e = truing_exp_wide((double)x);
    return e > TRUING_F32_MAX ? (float)TRUING_F32_MAX : (float)e;
}
typedef const truing_column<float> truing_end;
TRUING_FN void truing_anchors(truing_kl, truing_pair &k, truing_end &a, truing_end &b) {
    k.w[0] = a.r;
    k.w[1] = -b.r;
}
TRUING_FN void truing_anchors(truing_two_way, truing_pair &k, truing_end &a, truing_end &b) { truing_anchors(truing_kl(), k, a, b); }
TRUING_FN void truing_anchors(truing_jsd, truing_pair &k, truing_end &a, truing_end &b) {
    k.w[0] = truing_mix(a.d, k.p[0], k.p[1]);
    k.w[1] = truing_mix(-b.d, k.p[1], k.p[0]);
    k.s[0] = truing_share(a.d, k.p[0], k.p[1]);
    k.s[1] = truing_share(-b.d, k.p[1], k.p[0]);
}
TRUING_FN void truing_anchors(truing_skew, truing_pair &k, truing_end &a, truing_end &b) {
    const float ea = truing_mix(a.d, k.p[0], k.p[1]), eb = truing_mix(b.d, k.p[0], k.p[1]);
    k.w[0] = ea - k.p[0] * truing_expm1(ea);
    k.w[1] = truing_expm1(eb);
    k.s[0] = truing_share(a.d, k.p[0], k.p[1]);
    k.s[1] = truing_share(b.d, k.p[0], k.p[1]);
    k.t[0] = truing_share(-a.d, k.p[1], k.p[0]);
    k.t[1] = truing_share(-b.d, k.p[1], k.p[0]);
}
TRUING_FN void truing_anchors(truing_power, truing_pair &k, truing_end &a, truing_end &b) {
    k.w[0] = truing_exp_finite(-k.p[1] * a.d - k.x[0]);
    k.w[1] = truing_exp_finite(k.p[0] * b.d - k.x[0]);
}
TRUING_FN void truing_anchors(truing_hellinger2, truing_pair &k, truing_end &a, truing_end &b) {
    k.w[0] = truing_exp_finite(-0.5f * a.d);
    k.w[1] = truing_exp_finite(0.5f * b.d);
}
TRUING_FN void truing_anchors(truing_chi2, truing_pair &k, truing_end &a, truing_end &b) {
    k.w[0] = truing_exp_finite(a.d);
    k.w[1] = truing_exp_finite(2.0f * b.d);
}
TRUING_FN float truing_sign(float d) { return 0.0f < d ? 1.0f : d < 0.0f ? -1.0f : 0.0f; }
TRUING_FN void truing_anchors(truing_tvd, truing_pair &k, truing_end &a, truing_end &b) {
    k.w[0] = truing_sign(a.d);
    k.w[1] = truing_sign(b.d);
}
TRUING_FN void truing_anchors(truing_cosine_probs, truing_pair &k, truing_end &a, truing_end &b) {
    float y[2];
    truing_cosine_of(k, a, y);
    const float w = y[0];
    truing_cosine_of(k, b, y);
    k.w[0] = w;
    k.w[1] = y[1];
}
TRUING_FN void truing_anchors(truing_cosine_logits, truing_pair &, truing_end &, truing_end &) {}
TRUING_FN void truing_anchors(truing_cross_entropy, truing_pair &k, truing_end &a, truing_end &b) {
    k.w[0] = k.m[1] - a.x[1];
    k.w[1] = k.m[1] - b.x[1];
}
// Sets what belongs to the largest columns: their transformed logits, of a and b each.
template <class F> TRUING_FN void truing_anchor(truing_pair &k, float aa, float ab, float ba, float bb) {
    truing_end a = truing_plain(k, aa, ab), b = truing_plain(k, ba, bb);
    k.r[0] = a.r;
    k.r[1] = b.r;
    truing_anchors(F(), k, a, b);
}

// 1. Records of blocks.

#define TRUING_PAIRS 2 // warps of a block of threads: each holds two blocks of columns
#define TRUING_ABREAST 4
#define TRUING_PLACES (4 * TRUING_BLOCK + 16) // bytes of a block, of whichever type
#define TRUING_APART_A 0x4000u // a column is dead in b alone
#define TRUING_APART_B 0x8000u

// Sums of columns.
struct truing_added {
    float value[5], delta, moments[2];
    typedef truing_added record;
    typedef truing_words<8> words;
    TRUING_FN record empty() {
        record x = {};
        return x;
    }
    TRUING_FN record load(const words &w) {
        record x;
#pragma unroll
        for (int i = 0; i < 5; i++) x.value[i] = truing_from(w.x[i]);
        x.delta = truing_from(w.x[5]);
        x.moments[0] = truing_from(w.x[6]);
        x.moments[1] = truing_from(w.x[7]);
        return x;
    }
    TRUING_FN words store(const record &x) {
        words w;
#pragma unroll
        for (int i = 0; i < 5; i++) w.x[i] = truing_bits(x.value[i]);
        w.x[5] = truing_bits(x.delta);
        w.x[6] = truing_bits(x.moments[0]);
        w.x[7] = truing_bits(x.moments[1]);
        return w;
    }
    TRUING_FN record merge(const truing_divergence_args &, const record &a, const record &b) {
        record x;
#pragma unroll
        for (int i = 0; i < 5; i++) x.value[i] = a.value[i] + b.value[i];
        x.delta = a.delta + b.delta;
        x.moments[0] = a.moments[0] + b.moments[0];
        x.moments[1] = a.moments[1] + b.moments[1];
        return x;
    }
};

// Columns that a side has of the n from `first` on.
TRUING_FN truing_u32 truing_among(truing_u32 all, truing_u32 first, truing_u32 n) {
    return all <= first ? 0 : all - first < n ? all - first : n;
}
TRUING_FN truing_u32 truing_widest(const truing_divergence_args &a) {
    return a.side[0].valid < a.side[1].valid ? a.side[1].valid : a.side[0].valid;
}
template <class T> TRUING_FN void truing_bring_of(const truing_side &s, truing_i64 row, truing_u32 first, truing_u32 n, unsigned char *stage) {
    const T *all = truing_row<const T>(s.logits, row), *from = all + first;
    truing_fetch(all, s.vocab, from, n, truing_stage<T, true>::place(stage, from));
}
TRUING_FN void truing_bring(const truing_side &s, truing_i64 row, truing_u32 first, truing_u32 n, unsigned char *stage) {
    if (n == 0) return;
    if (s.logits.dtype == TRUING_DTYPE_F32) truing_bring_of<float>(s, row, first, n, stage);
    else truing_bring_of<truing_bf16>(s, row, first, n, stage);
}
// Why a side's n columns are poisoned.
TRUING_FN truing_u32 truing_why(const truing_side &s, truing_i64 row, truing_u32 first, truing_u32 n) {
    if (s.logits.dtype == TRUING_DTYPE_F32) return truing_causes(s, truing_row<const float>(s.logits, row) + first, first, n);
    if (s.logits.dtype == TRUING_DTYPE_BF16) return truing_causes(s, truing_row<const truing_bf16>(s.logits, row) + first, first, n);
    return truing_causes(s, truing_row<const truing_f16>(s.logits, row) + first, first, n);
}
// A whole block of 16-bit columns as f32.
template <class T> TRUING_FN void truing_spread(const unsigned short *place, float *x) {
#pragma unroll 1
    for (truing_u32 j = 8 * (threadIdx.x & 31); j < TRUING_BLOCK; j += 32 * 8) {
        const uint4 q = *(const uint4 *)(place + j);
        const truing_u32 w[4] = {q.x, q.y, q.z, q.w};
        // all have read what is written over here: see truing_stage
        __syncwarp();
#pragma unroll
        for (int i = 0; i < 8; i += 4) {
            uint4 y;
            y.x = truing_bits(truing_vector<T>::get(w, i));
            y.y = truing_bits(truing_vector<T>::get(w, i + 1));
            y.z = truing_bits(truing_vector<T>::get(w, i + 2));
            y.w = truing_bits(truing_vector<T>::get(w, i + 3));
            *(uint4 *)(x + j + i) = y;
        }
    }
}
// The transformed logits of the n columns that a side has of a block, in place of the raw ones, dead ones up to `all`.
TRUING_FN float *truing_ready(const truing_side &s, truing_i64 row, truing_u32 first, truing_u32 n, truing_u32 all, unsigned char *stage) {
    const truing_u32 lane = threadIdx.x & 31;
    const bool narrow = s.logits.dtype != TRUING_DTYPE_F32, half = s.logits.dtype == TRUING_DTYPE_F16, biased = s.bias.data != 0;
    const truing_transform t = truing_transform_of(s, row);
    float *x = (float *)stage;
    const unsigned short *place = (const unsigned short *)truing_stage<truing_bf16, true>::place(stage, truing_row<const truing_bf16>(s.logits, row) + first);
    if (!narrow && n != 0) x = (float *)truing_stage<float, true>::place(stage, truing_row<const float>(s.logits, row) + first);
    const bool probs = s.numbers == TRUING_OF_PROBS, plain = !biased && t.kind == TRUING_PLAIN && !probs;
    if (narrow && plain && n == TRUING_BLOCK && ((truing_u64)place & 15) == 0) {
        if (half) truing_spread<truing_f16>(place, x);
        else truing_spread<truing_bf16>(place, x);
    } else if (n != 0 && (narrow || !plain)) {
#pragma unroll 1
        for (truing_u32 j = lane; j < n + lane; j += 32 * 4) {
            float y[4];
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const truing_u32 at = j + 32 * i < n ? j + 32 * i : 0;
                if (narrow) y[i] = half ? truing_widen_f16(place[at]) : truing_from((truing_u32)place[at] << 16);
                else y[i] = x[at];
            }
            if (!plain) {
#pragma unroll 1
                for (int i = 0; i < 4; i++) {
                    // rotated: an index that is not known would put them into local memory
                    const float z = y[0];
                    y[0] = y[1];
                    y[1] = y[2];
                    y[2] = y[3];
                    const truing_u32 at = j + 32 * i;
                    y[3] = truing_apply(t, z, biased, at < n ? truing_bias(s, first + at) : 0.0f);
                    if (probs) y[3] = truing_log_of(y[3]);
                }
            }
            // all have read what is written over here: see truing_stage
            __syncwarp();
#pragma unroll
            for (int i = 0; i < 4; i++)
                if (j + 32 * i < n) x[j + 32 * i] = y[i];
        }
    }
    const truing_u32 end = (all + 32 * TRUING_ABREAST - 1) / (32 * TRUING_ABREAST) * (32 * TRUING_ABREAST);
    for (truing_u32 j = n + lane; j < end; j += 32) x[j] = -TRUING_INFF;
    const truing_u32 shifted = truing_shifted(s, row) - first;
    if (shifted < n) {
        __syncwarp();
        if (lane == 0) x[shifted] = x[shifted] + s.shift;
    }
    return x;
}
// Both sides of a block from memory; every lane may read them.
struct truing_both {
    float *a, *b;
};
TRUING_FN truing_both truing_read(const truing_divergence_args &a, truing_i64 row, truing_u32 first, truing_u32 n, unsigned char (*stages)[TRUING_PLACES]) {
#pragma unroll 1
    for (int i = 0; i < 2; i++) truing_bring(a.side[i], row, first, truing_among(a.side[i].valid, first, n), stages[i]);
    truing_copies_done();
    __syncwarp();
    truing_both x = {0, 0};
#pragma unroll 1
    for (int i = 0; i < 2; i++) {
        x.a = x.b;
        x.b = truing_ready(a.side[i], row, first, truing_among(a.side[i].valid, first, n), n, stages[i]);
    }
    __syncwarp();
    return x;
}
TRUING_FN float truing_exp_of(float d, truing_u32 entry) {
    float w, p;
    truing_exp_factors(d, entry, w, p);
    return w * p;
}
// Columns of a chain side by side. All lanes call it.
TRUING_FN void truing_abreast(const truing_pair &k, const float *xa, const float *xb, truing_u32 at, truing_u32 entry, truing_column<float> *c) {
#pragma unroll
    for (int i = 0; i < TRUING_ABREAST; i++) {
        const float a = xa[at + 32 * i], b = xb[at + 32 * i];
        const float ea = truing_exp_of(a - k.m[0], entry), eb = truing_exp_of(b - k.m[1], entry);
        c[i] = truing_column_of(k, a, b, ea, eb);
    }
}
// Sums over a block, whose columns `truing_ready` has laid out; every lane gets them. `apart`: some lane saw an infinite ratio.
template <class F, bool VALUE, bool MOMENTS>
TRUING_FN truing_added truing_pass(const truing_pair &k, const float *xa, const float *xb, truing_u32 n, bool &apart) {
    const truing_u32 lane = threadIdx.x & 31, entry = truing_exp_table[lane % 8];
    truing_added s = truing_added::empty();
    bool far = false;
#pragma unroll 1
    for (truing_u32 at = lane; at < n + lane; at += 32 * TRUING_ABREAST) {
        truing_column<float> c[TRUING_ABREAST];
        truing_abreast(k, xa, xb, at, entry, c);
#pragma unroll
        for (int i = 0; i < TRUING_ABREAST; i++) {
            float y[5], delta;
            if (VALUE) {
                F::sums(k, c[i], y, delta);
#pragma unroll
                for (int v = 0; v < F::SUMS; v++) s.value[v] = s.value[v] + y[v];
                s.delta = s.delta + delta;
                far |= truing_abs(c[i].r) == TRUING_INFF;
            }
            if (MOMENTS) {
                F::weighted(k, c[i], y);
                if (F::WEIGHTS & 1) s.moments[0] = s.moments[0] + y[0];
                if (F::WEIGHTS & 2) s.moments[1] = s.moments[1] + y[1];
            }
        }
    }
    if (VALUE) {
#pragma unroll
        for (int v = 0; v < F::SUMS; v++) s.value[v] = truing_combine(s.value[v]);
        s.delta = truing_combine(s.delta);
        apart = __ballot_sync(TRUING_FULL, far) != 0;
    }
    if (MOMENTS && (F::WEIGHTS & 1)) s.moments[0] = truing_combine(s.moments[0]);
    if (MOMENTS && (F::WEIGHTS & 2)) s.moments[1] = truing_combine(s.moments[1]);
    return s;
}
// Which sides have columns that the other has not.
TRUING_FN truing_u32 truing_apart(const float *xa, const float *xb, truing_u32 n) {
    truing_u32 found = 0;
    for (truing_u32 j = threadIdx.x & 31; j < n; j += 32) {
        const bool a = xa[j] == -TRUING_INFF, b = xb[j] == -TRUING_INFF;
        found |= (b && !a ? TRUING_APART_A : 0) | (a && !b ? TRUING_APART_B : 0);
    }
    return __reduce_or_sync(TRUING_FULL, found);
}

// Whole blocks as they lie.

// Where the columns of a block lie in memory, and their scale; `from` 0: they must be laid out first (`truing_ready`).
struct truing_straight {
    const unsigned char *from;
    float slope;
};
TRUING_FN truing_u32 truing_wide(truing_u32 dtype) { return dtype == TRUING_DTYPE_F32 ? 4 : 2; }
TRUING_FN truing_straight truing_straight_of(const truing_side &s, truing_i64 row, truing_u32 first) {
    const truing_transform t = truing_transform_of(s, row);
    truing_straight x;
    x.slope = t.kind == TRUING_PLAIN ? 1.0f : t.slope;
    x.from = (const unsigned char *)s.logits.data + (truing_offset(s.logits, row) + first) * truing_wide(s.logits.dtype);
    // such a slope takes an infinity to itself
    const bool scales = t.kind != TRUING_SOFTCAP && x.slope >= 1.17549435e-38f && x.slope < TRUING_INFF;
    if (!scales || s.bias.data || first + TRUING_BLOCK > s.valid || ((truing_u64)x.from & 15)) x.from = 0;
    if (s.numbers == TRUING_OF_PROBS || truing_shifted(s, row) - first < TRUING_BLOCK) x.from = 0;
    return x;
}
// Eight columns of a side; those of 16 bits fill the first half.
struct truing_eight {
    uint4 q[2];
};
TRUING_FN void truing_open8(truing_u32 dtype, const truing_eight &y, float slope, float *x) {
    const truing_u32 w[8] = {y.q[0].x, y.q[0].y, y.q[0].z, y.q[0].w, y.q[1].x, y.q[1].y, y.q[1].z, y.q[1].w};
    if (dtype == TRUING_DTYPE_F32) {
#pragma unroll
        for (int i = 0; i < 8; i++) x[i] = truing_from(w[i]) * slope;
    } else if (dtype == TRUING_DTYPE_BF16) {
#pragma unroll
        for (int i = 0; i < 8; i++) x[i] = truing_vector<truing_bf16>::get(w, i) * slope;
    } else {
#pragma unroll
        for (int i = 0; i < 8; i++) x[i] = truing_vector<truing_f16>::get(w, i) * slope;
    }
}
TRUING_FN void truing_store4(unsigned char *to, const truing_u32 *w) {
    uint4 q;
    q.x = w[0];
    q.y = w[1];
    q.z = w[2];
    q.w = w[3];
    truing_store16(to, q);
}
// Eight columns of a gradient, with respect to the raw logits.
TRUING_FN void truing_close8(truing_u32 dtype, unsigned char *to, truing_u32 j, float slope, const float *x) {
    float y[8];
    truing_u32 w[8];
    unsigned char *at = to + j * truing_wide(dtype);
#pragma unroll
    for (int i = 0; i < 8; i++) y[i] = slope != 1.0f && x[i] == 0.0f ? 0.0f : x[i] * slope;
    if (dtype == TRUING_DTYPE_F32) {
#pragma unroll
        for (int i = 0; i < 8; i++) w[i] = truing_bits(y[i]);
        truing_store4(at + 16, w + 4);
    } else if (dtype == TRUING_DTYPE_BF16) {
#pragma unroll
        for (int i = 0; i < 8; i += 2) truing_vector<truing_bf16>::put2(w, i, y[i], y[i + 1]);
    } else {
#pragma unroll
        for (int i = 0; i < 8; i += 2) truing_vector<truing_f16>::put2(w, i, y[i], y[i + 1]);
    }
    truing_store4(at, w);
}
// A whole block as it lies. Each lane brings the eights that it works on, so that it waits for its own copies alone.
struct truing_stream {
    const unsigned char *stage;
    truing_u32 dtype;
    float slope;
};
TRUING_FN truing_stream truing_start(truing_u32 dtype, const truing_straight &z, unsigned char *stage) {
    truing_stream s;
    s.stage = stage;
    s.dtype = dtype;
    s.slope = z.slope;
    const truing_u32 wide = truing_wide(dtype);
#pragma unroll
    for (truing_u32 j = 0; j < TRUING_BLOCK; j += 32 * 8) {
        const truing_u32 at = (j + 8 * (threadIdx.x & 31)) * wide;
        truing_copy16(stage + at, z.from + at);
        if (dtype == TRUING_DTYPE_F32) truing_copy16(stage + at + 16, z.from + at + 16);
    }
    return s;
}
// The lane's eight columns from `at` on.
TRUING_FN void truing_eight_of(const truing_stream &s, truing_u32 at, float *x) {
    truing_eight y;
    const uint4 *from = (const uint4 *)(s.stage + at * truing_wide(s.dtype));
    y.q[0] = from[0];
    y.q[1] = y.q[0];
    if (s.dtype == TRUING_DTYPE_F32) y.q[1] = from[1];
    truing_open8(s.dtype, y, s.slope, x);
}
#ifdef TRUING_FAST
// As truing_pass, of a whole block from memory.
template <class F, bool VALUE, bool MOMENTS>
TRUING_FN truing_added truing_pass_of(const truing_divergence_args &a, const truing_pair &k, const truing_straight *z, unsigned char (*stages)[TRUING_PLACES], bool &apart) {
    truing_added s = truing_added::empty();
    bool far = false;
    const truing_stream za = truing_start(a.side[0].logits.dtype, z[0], stages[0]), zb = truing_start(a.side[1].logits.dtype, z[1], stages[1]);
    truing_copies_done();
#pragma unroll 1
    for (truing_u32 at = 8 * (threadIdx.x & 31); at < TRUING_BLOCK; at += 32 * 8) {
        float xa[8], xb[8];
        truing_eight_of(za, at, xa);
        truing_eight_of(zb, at, xb);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            if (i == 4) __syncwarp(); // as for gradients
            const truing_column<float> c = truing_column_of(k, xa[i], xb[i], truing_exp_of(xa[i] - k.m[0], 0), truing_exp_of(xb[i] - k.m[1], 0));
            float y[5], delta;
            if (VALUE) {
                F::sums(k, c, y, delta);
#pragma unroll
                for (int j = 0; j < F::SUMS; j++) s.value[j] += y[j];
                s.delta += delta;
                far |= truing_abs(c.r) == TRUING_INFF;
            }
            if (MOMENTS) {
                F::weighted(k, c, y);
                if (F::WEIGHTS & 1) s.moments[0] += y[0];
                if (F::WEIGHTS & 2) s.moments[1] += y[1];
            }
        }
    }
#pragma unroll
    for (int j = 0; j < F::SUMS; j++) s.value[j] = truing_combine(s.value[j]);
    s.delta = truing_combine(s.delta);
    s.moments[0] = truing_combine(s.moments[0]);
    s.moments[1] = truing_combine(s.moments[1]);
    apart = __ballot_sync(TRUING_FULL, far) != 0;
    return s;
}
// The sums of a block that is taken as it lies and has no infinite ratio; false: it is not, or has.
template <class F> TRUING_FN bool truing_sums_straight(const truing_divergence_args &a, const truing_pair &k, truing_i64 row, truing_u32 first, unsigned char (*stages)[TRUING_PLACES], truing_added &s) {
    const truing_straight z[2] = {truing_straight_of(a.side[0], row, first), truing_straight_of(a.side[1], row, first)};
    if (!z[0].from || !z[1].from || (F::CHAIN && !F::LATE)) return false;
    bool apart = false;
    if (F::LATE && a.step == 2) s = truing_pass_of<F, false, true>(a, k, z, stages, apart);
    else if (F::CHAIN) return false;
    else if (a.moments && !F::LATE) s = truing_pass_of<F, true, true>(a, k, z, stages, apart);
    else s = truing_pass_of<F, true, false>(a, k, z, stages, apart);
    return F::SUMS >= 5 || !apart;
}
#else
template <class F> TRUING_FN bool truing_sums_straight(const truing_divergence_args &, const truing_pair &, truing_i64, truing_u32, unsigned char (*)[TRUING_PLACES], truing_added &) { return false; }
#endif

// The values of a block from its sums: without what an error of gamma adds.
TRUING_FN void truing_parts(truing_kl, const truing_divergence_args &, double s, const float *sum, double *v) {
    v[0] = (double)sum[0] - truing_excess(s);
}
TRUING_FN void truing_parts(truing_two_way, const truing_divergence_args &a, double s, const float *sum, double *v) {
    v[0] = (double)sum[0] - a.form[0] * truing_excess(s);
    v[1] = (double)sum[1] - a.form[1] * truing_excess(-s);
}
TRUING_FN void truing_parts(truing_power, const truing_divergence_args &a, double s, const float *sum, double *v) {
    v[0] = (double)sum[0] - a.form[0] * (1.0 - a.form[0]) * truing_excess(s);
}
TRUING_FN void truing_parts(truing_hellinger2, const truing_divergence_args &, double s, const float *sum, double *v) {
    v[0] = (double)sum[0] - 0.25 * truing_excess(s);
}
TRUING_FN void truing_parts(truing_chi2, const truing_divergence_args &, double s, const float *sum, double *v) {
    v[0] = (double)sum[0] - 2.0 * truing_excess(s);
}
// log sum a^s b^(1 - s) inside a block; overwrites a.
template <class F> TRUING_FN double truing_log_power(F, const truing_pair &, float *, const float *, truing_u32) { return 0.0; }
TRUING_FN double truing_log_power(truing_power, const truing_pair &k, float *xa, const float *xb, truing_u32 n) {
    const truing_u32 lane = threadIdx.x & 31, entry = truing_exp_table[lane % 8];
#pragma unroll 1
    for (truing_u32 at = lane; at < n + lane; at += 32 * TRUING_ABREAST) {
        truing_column<float> c[TRUING_ABREAST];
        truing_abreast(k, xa, xb, at, entry, c);
#pragma unroll
        for (int i = 0; i < TRUING_ABREAST; i++) truing_power_of(c[i], k.p[0], k.p[1], xa[at + 32 * i]);
    }
    __syncwarp();
    const truing_record x = truing_block(xa, n, false);
    return truing_poisoned(x) ? TRUING_INF : (double)x.m + truing_log1p_of((double)x.r);
}
template <class F> TRUING_FN bool truing_is_power(F) { return false; }
TRUING_FN bool truing_is_power(truing_power) { return true; }

// Sides alone.
struct truing_none {
    enum { SUMS = 1, EXACT = 0, LATE = 0, CHAIN = 0, WEIGHTS = 0 };
};
struct truing_joint_record {
    truing_record side[2];
    float gamma, value[2], mean[2], other[2];
};
TRUING_FN bool truing_vacant(const truing_joint_record &x) { return x.side[0].m == -TRUING_INFF && x.side[1].m == -TRUING_INFF; }
// A part of a set: its masses, their logarithms and difference.
TRUING_FN truing_column<double> truing_mass(const truing_joint_record &x, const truing_record *sides, const double *all) {
    truing_column<double> c;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        c.log[i] = -TRUING_INF;
        c.p[i] = 0.0;
        if (x.side[i].m > -TRUING_INFF) {
            c.log[i] = ((double)x.side[i].m - (double)sides[i].m) + (truing_log1p_of((double)x.side[i].r) - all[i]);
            c.p[i] = truing_exp_wide(c.log[i]);
        }
        c.x[i] = c.log[i];
    }
    c.r = c.d = 0.0;
    return c;
}
template <class F> TRUING_FN void truing_part_values(F, const truing_pair &k, const truing_column<double> &c, const float *inside, double *value) {
    double first[2], inner[2];
    F::sums(k, c, first);
    F::inner(k, c, inner);
#pragma unroll
    for (int i = 0; i < (F::SUMS < 2 ? F::SUMS : 2); i++) {
        const double x = inside[i];
        // infinite however little of the row this part is
        const bool whole = x == 0.0 || truing_abs(x) == TRUING_INF;
        value[i] += first[i] + (whole ? x : inner[i] * x);
    }
}
TRUING_FN void truing_part_values(truing_none, const truing_pair &, const truing_column<double> &, const float *, double *) {}
// log a^s b^(1 - s) of a part and what is inside it.
TRUING_FN double truing_part_power(const truing_pair &k, const truing_column<double> &c, float inside) {
    if (c.p[0] > 0.0 && c.p[1] > 0.0) {
        double y;
        truing_power_of(c, (double)k.p[0], (double)k.p[1], y);
        return y + (double)inside;
    }
    const float exponent = c.p[0] > 0.0 ? k.p[1] : k.p[0];
    return (c.p[0] > 0.0 || c.p[1] > 0.0) && exponent < 0.0f ? TRUING_INF : -TRUING_INF;
}
// Joint records of columns; the values are those of F.
template <class F> struct truing_joint {
    typedef truing_joint_record record;
    typedef truing_words<16> words;
    TRUING_FN record empty() {
        record x;
        x.side[0] = x.side[1] = truing_empty();
        x.gamma = x.value[0] = x.value[1] = x.mean[0] = x.mean[1] = 0.0f;
        x.other[0] = x.other[1] = -TRUING_INFF;
        return x;
    }
    TRUING_FN record load(const words &w) {
        record x = empty();
#pragma unroll
        for (int i = 0; i < 2; i++) {
            x.side[i].m = truing_from(w.x[4 * i]);
            x.side[i].r = truing_from(w.x[4 * i + 1]);
            x.side[i].u = truing_from(w.x[4 * i + 2]);
            x.side[i].k = w.x[4 * i + 3];
            x.side[i].flags = w.x[15] >> 16 * i & 0xffffu;
            x.value[i] = truing_from(w.x[9 + i]);
            x.mean[i] = truing_from(w.x[11 + i]);
            x.other[i] = truing_from(w.x[13 + i]);
        }
        x.gamma = truing_from(w.x[8]);
        return x;
    }
    TRUING_FN words store(const record &x) {
        words w;
#pragma unroll
        for (int i = 0; i < 2; i++) {
            w.x[4 * i] = truing_bits(x.side[i].m);
            w.x[4 * i + 1] = truing_bits(x.side[i].r);
            w.x[4 * i + 2] = truing_bits(x.side[i].u);
            w.x[4 * i + 3] = x.side[i].k;
            w.x[9 + i] = truing_bits(x.value[i]);
            w.x[11 + i] = truing_bits(x.mean[i]);
            w.x[13 + i] = truing_bits(x.other[i]);
        }
        w.x[8] = truing_bits(x.gamma);
        w.x[15] = x.side[0].flags | x.side[1].flags << 16;
        return w;
    }
    TRUING_FN record merge(const truing_divergence_args &a, const record &x, const record &y) {
        record w = empty();
        w.side[0] = truing_merge(x.side[0], y.side[0]);
        w.side[1] = truing_merge(x.side[1], y.side[1]);
        if (!F::CHAIN) return w;
        if (truing_vacant(y) || truing_vacant(x)) {
            const bool left = truing_vacant(y);
            w.gamma = left ? x.gamma : y.gamma;
#pragma unroll
            for (int i = 0; i < 2; i++) {
                w.value[i] = left ? x.value[i] : y.value[i];
                w.mean[i] = left ? x.mean[i] : y.mean[i];
                w.other[i] = left ? x.other[i] : y.other[i];
            }
            return w;
        }
        if (truing_poisoned(w.side[0]) || truing_poisoned(w.side[1])) return w;
        const double all[2] = {truing_log1p_of((double)w.side[0].r), truing_log1p_of((double)w.side[1].r)};
        const double m[2] = {w.side[0].m, w.side[1].m}, mx[2] = {x.side[0].m, x.side[1].m}, my[2] = {y.side[0].m, y.side[1].m};
        truing_column<double> cx = truing_mass(x, w.side, all), cy = truing_mass(y, w.side, all);
        const bool live_x = mx[0] > -TRUING_INF && mx[1] > -TRUING_INF, live_y = my[0] > -TRUING_INF && my[1] > -TRUING_INF;
        // how far the maxima of a part lie below those of both, of a less of b
        const double below_x = (mx[0] - m[0]) - (mx[1] - m[1]), below_y = (my[0] - m[0]) - (my[1] - m[1]);
        const double apart = ((my[0] - mx[0]) - (my[1] - mx[1])) + ((double)y.gamma - (double)x.gamma);
        double joint;
        if (live_x && live_y && truing_abs(apart) <= 1.0) {
            const bool up = apart >= 0.0;
            const double eta = truing_log1p_of((up ? cy.p[0] : cy.p[1]) * truing_expm1(up ? -apart : apart)), e = up ? -eta : eta;
            joint = below_x + ((double)x.gamma + e);
            cx.d = -e;
            cy.d = apart - e;
        } else {
            joint = all[0] - all[1];
            cx.d = live_x ? below_x + ((double)x.gamma - joint) : cx.log[0] - cx.log[1];
            cy.d = live_y ? below_y + ((double)y.gamma - joint) : cy.log[0] - cy.log[1];
        }
        cx.r = cx.d;
        cy.r = cy.d;
        w.gamma = (float)joint;
        truing_pair k = {};
        k.p[0] = a.p[0];
        k.p[1] = a.p[1];
        double value[2] = {0.0, 0.0};
        truing_part_values(F(), k, cx, x.value, value);
        truing_part_values(F(), k, cy, y.value, value);
        if (truing_is_power(F())) {
            if (truing_abs(value[0]) < 0.5) {
                value[1] = truing_log1p_of(-value[0]);
            } else {
                const double px = truing_part_power(k, cx, x.value[1]), py = truing_part_power(k, cy, y.value[1]);
                const double top = px > -TRUING_INF ? px : -TRUING_INF, most = py > top ? py : top;
                value[1] = truing_abs(most) == TRUING_INF ? most : most + truing_log(truing_exp_wide(px - most) + truing_exp_wide(py - most));
            }
        }
        w.value[0] = (float)value[0];
        w.value[1] = (float)value[1];
#pragma unroll
        for (int i = 0; i < 2; i++) {
            const bool keep_y = my[i] > mx[i];
            w.other[i] = keep_y ? y.other[i] : x.other[i];
            const double lost = keep_y ? cx.p[i] : cy.p[i];
            double mean = (keep_y ? cy.p[i] : cx.p[i]) * (double)(keep_y ? y.mean[i] : x.mean[i]);
            const double down = keep_y ? mx[i] - my[i] : my[i] - mx[i];
            const double step = down - ((double)(keep_y ? x.other[i] : y.other[i]) - (double)w.other[i]);
            // infinite weights belong to an infinite value
            if (lost > 0.0 && truing_abs(step) < TRUING_INF) mean += lost * ((double)(keep_y ? x.mean[i] : y.mean[i]) + step);
            w.mean[i] = (float)mean;
        }
        return w;
    }
};

// The values of a form that divides, inside a block whose sides both have a live column.
template <class F>
TRUING_FN void truing_inside(F, const truing_divergence_args &a, truing_joint_record &x, float *xa, float *xb, truing_u32 n) {
    truing_pair k = truing_pair_of(a, x.side[0].m, x.side[1].m, x.side[0].r, x.side[1].r);
    const bool moments = a.moments && !F::LATE;
    if (moments) {
        x.other[0] = xb[x.side[0].k];
        x.other[1] = xa[x.side[1].k];
        truing_anchor<F>(k, k.m[0], x.other[0], x.other[1], k.m[1]);
    }
    bool apart;
    const truing_added s = moments ? truing_pass<F, true, !F::LATE>(k, xa, xb, n, apart) : truing_pass<F, true, false>(k, xa, xb, n, apart);
    if (apart) x.side[0].flags |= truing_apart(xa, xb, n);
    x.gamma = (float)((double)k.gamma + truing_refine((double)s.delta));
    double value[2] = {0.0, 0.0};
    truing_parts(F(), a, (double)s.delta, s.value, value);
    if (truing_is_power(F())) value[1] = truing_abs(value[0]) < 0.5 ? truing_log1p_of(-value[0]) : truing_log_power(F(), k, xa, xb, n);
    x.value[0] = (float)value[0];
    x.value[1] = (float)value[1];
    x.mean[0] = s.moments[0];
    x.mean[1] = s.moments[1];
}
TRUING_FN void truing_inside(truing_none, const truing_divergence_args &, truing_joint_record &, float *, float *, truing_u32) {}

#ifdef TRUING_FAST
// What is summed of a block besides the sides: nothing, a against b, both ways.
template <class F> struct truing_swift_how {
    enum { HOW = 0 };
};
template <> struct truing_swift_how<truing_kl> {
    enum { HOW = 1 };
};
template <> struct truing_swift_how<truing_two_way> {
    enum { HOW = 2 };
};
// t - log(1 + t), t > -1
TRUING_FN float truing_lost(float t) { return truing_abs(t) < 0.25f ? t * t * truing_log1p_rem(t) : t - truing_log2_fast(1.0f + t) * TRUING_LN_2; }
// The first column of the block that is the largest, which this lane has in its vector `v` or not at all (`mine`).
template <class T> TRUING_FN truing_u32 truing_swift_top(const uint4 *from, int v, bool mine, float slope, float m) {
    const int PER = truing_vector<T>::COLUMNS;
    truing_u32 found = TRUING_BLOCK;
    if (mine) {
        const uint4 q = from[32 * v];
        const truing_u32 w[4] = {q.x, q.y, q.z, q.w}, at = (32 * (truing_u32)v + (threadIdx.x & 31)) * PER;
#pragma unroll
        for (int i = PER - 1; i >= 0; i--)
            if (truing_vector<T>::get(w, i) * slope == m) found = at + i;
    }
    return __reduce_min_sync(TRUING_FULL, found);
}
// The record of a whole block: with d the difference of the sides' logits less their maxima,
// KL(a, b) = G / A + log(1 + t) - t, A the sum of e^a, G that of e^a (e^-d - 1 + d) >= 0, t = B / A, B = sum (e^b - e^a): small
// terms where the sides are close. False: some column is no finite number, or the sums are not.
template <class T, int HOW> TRUING_FN bool truing_swift_of(const truing_divergence_args &a, const truing_straight *z, unsigned char (*stages)[TRUING_PLACES], bool tops, truing_joint_record &x) {
    const int PER = truing_vector<T>::COLUMNS, VECTORS = TRUING_BLOCK / (32 * PER);
    const truing_u32 lane = threadIdx.x & 31;
    const float slope_a = z[0].slope, slope_b = z[1].slope;
    // a lane reads what it has brought itself
    const uint4 *qa = (const uint4 *)stages[0] + lane, *qb = (const uint4 *)stages[1] + lane;
#pragma unroll
    for (int v = 0; v < VECTORS; v++) {
        truing_copy16((void *)(qa + 32 * v), (const uint4 *)z[0].from + 32 * v + lane);
        truing_copy16((void *)(qb + 32 * v), (const uint4 *)z[1].from + 32 * v + lane);
    }
    truing_copies_done();
    float best_a = -TRUING_INFF, best_b = -TRUING_INFF;
    int at_a = 0, at_b = 0; // the first vectors that have it
#pragma unroll
    for (int v = 0; v < VECTORS; v++) {
        const uint4 ua = qa[32 * v], ub = qb[32 * v];
        const truing_u32 wa[4] = {ua.x, ua.y, ua.z, ua.w}, wb[4] = {ub.x, ub.y, ub.z, ub.w};
        const float ya = truing_vector<T>::largest(wa), yb = truing_vector<T>::largest(wb);
        if (ya > best_a) at_a = v;
        if (yb > best_b) at_b = v;
        best_a = fmaxf(best_a, ya);
        best_b = fmaxf(best_b, yb);
    }
    const float raw_a = truing_largest_of(best_a), raw_b = truing_largest_of(best_b);
    const float ma = raw_a * slope_a + 0.0f, mb = raw_b * slope_b + 0.0f;
    if (!(truing_abs(ma) < TRUING_INFF && truing_abs(mb) < TRUING_INFF)) return false;
    const float apart = ma - mb;
    const bool close = truing_abs(apart) <= 1.0f;
    if (tops) {
        const truing_u32 ka = truing_swift_top<T>(qa, at_a, best_a == raw_a, slope_a, raw_a * slope_a);
        const truing_u32 kb = truing_swift_top<T>(qb, at_b, best_b == raw_b, slope_b, raw_b * slope_b);
        x.side[0].k = ka;
        x.side[1].k = kb;
        x.other[0] = truing_widen(((const T *)z[1].from)[ka]) * slope_b;
        x.other[1] = truing_widen(((const T *)z[0].from)[kb]) * slope_a;
    }
    // the means are measured from the columns of the maxima, whose weight is the largest
    float ra = 0.0f, rb = 0.0f;
    if (tops && HOW != 0) {
        ra = close ? (ma - x.other[0]) - apart : mb - x.other[0];
        rb = close ? (x.other[1] - mb) - apart : x.other[1] - ma;
    }
    float sum_a = 0.0f, sum_b = 0.0f, d_a = 0.0f, d_b = 0.0f, g = 0.0f, g_b = 0.0f;
#pragma unroll 2
    for (int v = 0; v < VECTORS; v++) {
        const uint4 ua = qa[32 * v], ub = qb[32 * v];
        const truing_u32 wa[4] = {ua.x, ua.y, ua.z, ua.w}, wb[4] = {ub.x, ub.y, ub.z, ub.w};
        float ea[PER], eb[PER], d[PER], far = 0.0f;
#pragma unroll
        for (int i = 0; i < PER; i++) {
            const float xa = truing_vector<T>::get(wa, i) * slope_a, xb = truing_vector<T>::get(wb, i) * slope_b;
            const float below_a = xa - ma, below_b = xb - mb;
            ea[i] = truing_exp2_fast(below_a * TRUING_LOG2_E);
            eb[i] = truing_exp2_fast(below_b * TRUING_LOG2_E);
            sum_a += ea[i];
            sum_b += eb[i];
            if (HOW != 0) {
                d[i] = close ? (xa - xb) - apart : below_a - below_b;
                far = fmaxf(far, truing_abs(d[i]));
            }
        }
        if (HOW == 0) continue;
        if (__ballot_sync(TRUING_FULL, !(far < 0.5f)) == 0) {
#pragma unroll
            for (int i = 0; i < PER; i++) {
                d_a = truing_fma(ea[i], d[i] - ra, d_a);
                g = truing_fma(ea[i] * (d[i] * d[i]), truing_rem(-d[i]), g);
                if (HOW == 2) {
                    d_b = truing_fma(eb[i], d[i] - rb, d_b);
                    g_b = truing_fma(eb[i] * (d[i] * d[i]), truing_rem(d[i]), g_b);
                }
            }
        } else {
#pragma unroll
            for (int i = 0; i < PER; i++) {
                const float up = eb[i] - ea[i];
                d_a = truing_fma(ea[i], d[i] - ra, d_a);
                g += truing_fma(ea[i], d[i], up);
                if (HOW == 2) {
                    d_b = truing_fma(eb[i], d[i] - rb, d_b);
                    g_b -= truing_fma(eb[i], d[i], up);
                }
            }
        }
    }
    sum_a = truing_combine(sum_a);
    sum_b = truing_combine(sum_b);
    if (HOW != 0) {
        g = truing_combine(g);
        d_a = truing_combine(d_a);
    }
    if (HOW == 2) {
        g_b = truing_combine(g_b);
        d_b = truing_combine(d_b);
    }
    // infinities and NaN of the columns are in one of these
    if (!(sum_a < TRUING_INFF && sum_b < TRUING_INFF && truing_abs(g + d_a) < TRUING_INFF && truing_abs(g_b + d_b) < TRUING_INFF)) return false;
    x.side[0].m = ma;
    x.side[1].m = mb;
    x.side[0].r = fmaxf(sum_a - 1.0f, 0.0f);
    x.side[1].r = fmaxf(sum_b - 1.0f, 0.0f);
    if (HOW == 0) return true;
    const float up = g - truing_fma(ra, sum_a, d_a), ta = up / sum_a, tb = -up / sum_b;
    // log of sum_b / sum_a
    const float gamma = truing_log1p_fast(ta);
    x.gamma = -(ta > -0.5f ? gamma : truing_log2_fast(sum_b / sum_a) * TRUING_LN_2);
    x.value[0] = g / sum_a - (ta > -0.5f ? truing_lost(ta) : ta + x.gamma);
    if (HOW == 2) {
        x.value[0] = (float)a.form[0] * x.value[0];
        x.value[1] = (float)a.form[1] * (g_b / sum_b - (tb > -0.5f ? truing_lost(tb) : tb - x.gamma));
    }
    x.mean[0] = d_a / sum_a;
    if (HOW == 2) x.mean[1] = -d_b / sum_b;
    return true;
}
// `tops`: the columns of the maxima are asked for.
template <class F> TRUING_FN bool truing_swift(const truing_divergence_args &a, truing_i64 row, truing_u32 first, unsigned char (*stages)[TRUING_PLACES], bool tops, truing_joint_record &x) {
    const int HOW = truing_swift_how<F>::HOW;
    const truing_u32 dtype = a.side[0].logits.dtype;
    if ((HOW == 0 && F::CHAIN) || a.entropy || dtype != a.side[1].logits.dtype) return false;
    const truing_straight z[2] = {truing_straight_of(a.side[0], row, first), truing_straight_of(a.side[1], row, first)};
    if (!z[0].from || !z[1].from) return false;
    if (dtype == TRUING_DTYPE_F32) return truing_swift_of<float, HOW>(a, z, stages, tops, x);
    if (dtype == TRUING_DTYPE_BF16) return truing_swift_of<truing_bf16, HOW>(a, z, stages, tops, x);
    return truing_swift_of<truing_f16, HOW>(a, z, stages, tops, x);
}
#else
template <class F> TRUING_FN bool truing_swift(const truing_divergence_args &, truing_i64, truing_u32, unsigned char (*)[TRUING_PLACES], bool, truing_joint_record &) { return false; }
#endif

// What a form reads first: its own values, the exact normalisers, the sides alone.
template <class F, int HOW> struct truing_first_of {
    typedef truing_none type;
};
template <class F> struct truing_first_of<F, 1> {
    typedef truing_kl type; // for the exact normalisers
};
template <class F> struct truing_first_of<F, 2> {
    typedef F type;
};
template <class F> struct truing_first : truing_first_of<F, F::CHAIN ? 2 : F::EXACT ? 1 : 0> {};
template <class X> TRUING_FN void truing_divergence_blocks(const truing_divergence_args &a) {
    typedef typename truing_first<X>::type F;
    __shared__ __align__(16) unsigned char stages[TRUING_PAIRS][2][TRUING_PLACES];
    const truing_u32 lane = threadIdx.x & 31, warp = threadIdx.x / 32;
    const truing_i64 tasks = a.rows * a.parts, step = (truing_i64)gridDim.x * TRUING_PAIRS;
    for (truing_i64 i = (truing_i64)blockIdx.x * TRUING_PAIRS + warp; i < tasks; i += step) {
        const truing_i64 row = i / a.parts;
        truing_i64 y;
        if (truing_pair_target(a, row, y) == TRUING_IGNORED) continue;
        const truing_u32 first = (truing_u32)(i % a.parts) * TRUING_BLOCK, n = truing_among(truing_widest(a), first, TRUING_BLOCK);
        truing_joint_record x = truing_joint<F>::empty();
        if (truing_swift<F>(a, row, first, stages[warp], a.moments || a.ranks || !X::CHAIN, x)) {
            if (lane == 0) {
                x.side[0].k += first;
                x.side[1].k += first;
                ((typename truing_joint<F>::words *)a.blocks)[i] = truing_joint<F>::store(x);
            }
            continue;
        }
        x = truing_joint<F>::empty();
        __syncwarp();
        const truing_both z = truing_read(a, row, first, n, stages[warp]);
#pragma unroll 1
        for (int of = 0; of < 2; of++) {
            x.side[0] = x.side[1];
            x.side[1] = truing_block<float, true>(of ? z.b : z.a, n, a.entropy != 0);
            if (truing_poisoned(x.side[1])) x.side[1].flags = truing_why(a.side[of], row, first, truing_among(a.side[of].valid, first, n));
        }
        const bool bad_a = truing_bad(x.side[0]), bad_b = truing_bad(x.side[1]);
        if (F::CHAIN && !bad_a && !bad_b) truing_inside(F(), a, x, z.a, z.b, n);
        if (!bad_a && bad_b) x.side[0].flags |= TRUING_APART_A;
        if (bad_a && !bad_b) x.side[0].flags |= TRUING_APART_B;
        if (lane == 0) {
            x.side[0].k = bad_a ? 0 : x.side[0].k + first;
            x.side[1].k = bad_b ? 0 : x.side[1].k + first;
            ((typename truing_joint<F>::words *)a.blocks)[i] = truing_joint<F>::store(x);
        }
        __syncwarp(); // the stages have been read
    }
}
// 3. Sums over a row whose constants are known.

template <class F> TRUING_FN void truing_divergence_sums(const truing_divergence_args &a) {
    __shared__ __align__(16) unsigned char stages[TRUING_PAIRS][2][TRUING_PLACES];
    const truing_u32 lane = threadIdx.x & 31, warp = threadIdx.x / 32;
    const truing_i64 tasks = a.rows * a.parts, step = (truing_i64)gridDim.x * TRUING_PAIRS;
    for (truing_i64 i = (truing_i64)blockIdx.x * TRUING_PAIRS + warp; i < tasks; i += step) {
        const truing_i64 row = i / a.parts;
        const truing_divergence_row &state = ((const truing_divergence_row *)a.states)[row];
        if (!state.live) continue;
        const truing_u32 first = (truing_u32)(i % a.parts) * TRUING_BLOCK, n = truing_among(truing_widest(a), first, TRUING_BLOCK);
        const truing_pair k = state.k;
        truing_added s;
        if (truing_sums_straight<F>(a, k, row, first, stages[warp], s)) {
            if (lane == 0) ((truing_added::words *)a.blocks)[i] = truing_added::store(s);
            continue;
        }
        const truing_both z = truing_read(a, row, first, n, stages[warp]);
        const float *xa = z.a, *xb = z.b;
        bool apart = false;
        if (F::LATE && a.step == 2) s = truing_pass<F, false, true>(k, xa, xb, n, apart);
        else if (F::CHAIN) s = truing_added::empty();
        else if (a.moments && !F::LATE) s = truing_pass<F, true, true>(k, xa, xb, n, apart);
        else s = truing_pass<F, true, false>(k, xa, xb, n, apart);
        // no form with five sums is ever infinite
        if (F::SUMS < 5 && apart && (truing_apart(xa, xb, n) & TRUING_APART_A)) s.value[4] = 1.0f;
        if (lane == 0) ((truing_added::words *)a.blocks)[i] = truing_added::store(s);
        __syncwarp(); // the stages have been read
    }
}
// 2. Rows.

// What the value of a row found.
struct truing_outcome {
    double value, x[4];
    bool degenerate;
};
TRUING_FN truing_outcome truing_found(double value) {
    truing_outcome o = {};
    // sums of terms >= 0 less what rounding added
    o.value = value < 0.0 ? 0.0 : value;
    return o;
}
// From the values of a form that divides.
template <class F> TRUING_FN truing_outcome truing_outcome_of(F, const truing_divergence_args &, double x, double y) { return truing_found(x + y); }
TRUING_FN truing_outcome truing_outcome_of(truing_power, const truing_divergence_args &a, double x, double y) {
    truing_outcome o = truing_found(a.renyi ? y / (a.form[0] - 1.0) : x / (a.form[0] * (1.0 - a.form[0])));
    o.x[0] = y;
    return o;
}
// From the sums of all columns of the others.
template <class F> TRUING_FN truing_outcome truing_value_of(F, const truing_divergence_args &, const truing_pair &, const truing_added &s) {
    return truing_found((double)s.value[0]);
}
TRUING_FN truing_outcome truing_value_of(truing_jsd, const truing_divergence_args &a, const truing_pair &, const truing_added &s) {
    return truing_found(((double)s.value[0] - a.form[0] * (1.0 - a.form[0]) * truing_excess((double)s.delta)) * a.form[1]);
}
TRUING_FN truing_outcome truing_value_of(truing_skew, const truing_divergence_args &a, const truing_pair &, const truing_added &s) {
    return truing_found((double)s.value[0] - (1.0 - a.form[0]) * (1.0 - a.form[0]) * truing_excess((double)s.delta));
}
TRUING_FN truing_outcome truing_value_of(truing_cross_entropy, const truing_divergence_args &a, const truing_pair &k, const truing_added &s) {
    return truing_found(a.zero ? 0.0 : (double)k.l[1] + (double)s.value[0]);
}
TRUING_FN double truing_root(double x) { return x > 0.0 ? truing_exp_wide(0.5 * truing_log(x)) : x; }
TRUING_FN truing_outcome truing_cosine(const truing_added &s) {
    const double apart = s.value[0], product = s.value[1], n = truing_root((double)s.value[2]), m = truing_root((double)s.value[3]);
    if (n == 0.0 || m == 0.0) {
        truing_outcome o = truing_found(0.0);
        o.degenerate = true;
        return o;
    }
    const double q = product / (n + m), ab = s.value[4];
    // each where it has the smaller terms
    const double value = apart < 2.0 * n * m ? (apart - q * q) / (2.0 * n * m) : 1.0 - ab / (n * m);
    truing_outcome o = truing_found(value);
    o.x[0] = value > 0.0 ? value : 0.0;
    o.x[1] = n;
    o.x[2] = m;
    o.x[3] = q;
    return o;
}
TRUING_FN truing_outcome truing_value_of(truing_cosine_probs, const truing_divergence_args &, const truing_pair &, const truing_added &s) { return truing_cosine(s); }
TRUING_FN truing_outcome truing_value_of(truing_cosine_logits, const truing_divergence_args &, const truing_pair &, const truing_added &s) { return truing_cosine(s); }
template <class F> TRUING_FN bool truing_is_cosine(F) { return false; }
TRUING_FN bool truing_is_cosine(truing_cosine_probs) { return true; }
TRUING_FN bool truing_is_cosine(truing_cosine_logits) { return true; }
// The transformed logits of the cosine of logits are not normalised.
template <class F> TRUING_FN bool truing_refines(F) { return !F::EXACT && !F::CHAIN; }
TRUING_FN bool truing_refines(truing_cosine_logits) { return false; }

// Weight of a row, and the factor of its divergence.
struct truing_factors {
    double weight, soft;
};
TRUING_FN truing_factors truing_factors_of(const truing_divergence_args &a, truing_i64 row) {
    const truing_side &s = a.side[a.student];
    truing_factors f;
    f.weight = a.weight.data && !a.unweighted ? (double)*truing_row<const float>(a.weight, row) : 1.0;
    const double t = s.temperature.data ? (double)*truing_row<const float>(s.temperature, row) : s.fixed_temperature;
    f.soft = f.weight * a.soft_weight * (a.squared ? t * t : 1.0);
    return f;
}
// Factor of -log p of the target beside its weight.
TRUING_FN double truing_hard(const truing_divergence_args &a, double logprob) { return a.hard_weight * (a.dft ? truing_exp_wide(logprob) : 1.0); }

// A row without figures: `x` stands for each.
TRUING_FN void truing_without(const truing_divergence_args &a, truing_i64 row, float x, truing_u32 flags) {
    truing_put(a.out_values, row, x);
#pragma unroll
    for (int i = 0; i < 2; i++) {
        truing_put(a.out_entropy[i], row, x);
        truing_put(a.out_logprob[i], row, x);
    }
    truing_put(a.out_status, row, flags);
    if (a.losses) a.losses[row] = (double)x;
    if (a.ratios) a.ratios[row] = (double)x;
    if (!a.out_stats.data) return;
    float *s = truing_row<float>(a.out_stats, row);
#pragma unroll
    for (int i = 0; i < TRUING_DIVERGENCE_STATS - 2; i++) s[i] = 0.0f;
    s[TRUING_DIVERGENCE_STATS - 2] = x;
    s[TRUING_DIVERGENCE_STATS - 1] = truing_from(flags);
}
template <class F>
TRUING_FN void truing_conclude(const truing_divergence_args &a, truing_i64 row, int kind, const truing_divergence_row &s) {
    truing_u32 flags = s.flags & ~(TRUING_APART_A | TRUING_APART_B);
    const float found = (float)s.value;
    if (s.degenerate) flags |= TRUING_ROW_DEGENERATE;
    if (s.value != s.value) flags |= TRUING_ROW_OVERFLOW;
    if (found == TRUING_INFF) {
        const bool exact = (a.infinite & 4) || ((a.infinite & 1) && (s.flags & TRUING_APART_A)) || ((a.infinite & 2) && (s.flags & TRUING_APART_B));
        flags |= exact ? TRUING_ROW_INFINITE : TRUING_ROW_OVERFLOW;
    }
    const truing_factors f = truing_factors_of(a, row);
    double l[2], logprob[2] = {0.0, 0.0}, value = 0.0;
    if (f.soft != 0.0) value += f.soft * s.value;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const double r = s.r[i];
        l[i] = truing_log1p_of(r);
        if (kind == TRUING_COLUMN) logprob[i] = a.side[i].numbers != TRUING_OF_LOGITS ? (double)s.y[i] : ((double)s.y[i] - (double)s.k.m[i]) - l[i];
        truing_put(a.out_logprob[i], row, (float)logprob[i]);
        truing_put(a.out_entropy[i], row, (float)(l[i] - (double)s.u[i] / (1.0 + r)));
    }
    const double own = a.student ? logprob[1] : logprob[0];
    if (kind == TRUING_COLUMN) {
        const double hard = f.weight * truing_hard(a, own);
        if (hard != 0.0) value -= hard * own;
    }
    truing_put(a.out_values, row, (float)value);
    truing_put(a.out_status, row, flags);
    if (a.losses) a.losses[row] = value;
    if (a.ratios) a.ratios[row] = kind == TRUING_COLUMN ? own - (a.student ? logprob[0] : logprob[1]) : 0.0;
    if (a.out_stats.data) {
        const float all[TRUING_DIVERGENCE_STATS] = {
            s.k.m[0], s.k.m[1], s.r[0], s.r[1], truing_from(s.column[0]), truing_from(s.column[1]), s.k.gamma, s.k.mean[0],
            s.k.mean[1], s.k.x[0], s.k.x[1], s.k.x[2], s.k.x[3], (float)own, found, truing_from(flags)};
        float *to = truing_row<float>(a.out_stats, row);
#pragma unroll
        for (int i = 0; i < TRUING_DIVERGENCE_STATS; i++) to[i] = all[i];
    }
}
// The value is there: the means of weights that need it follow, or the figures.
template <class F>
TRUING_FN void truing_valued(const truing_divergence_args &a, truing_i64 row, int kind, truing_divergence_row &s, const truing_outcome &o) {
    s.value = o.value;
    s.degenerate = o.degenerate;
#pragma unroll
    for (int i = 0; i < 4; i++) s.k.x[i] = (float)o.x[i];
    if (!truing_is_cosine(F())) {
        s.k.x[2] = s.other[0];
        s.k.x[3] = s.other[1];
    }
    s.live = F::LATE && a.moments && !o.degenerate && truing_abs(o.value) < TRUING_INF;
    if (!s.live) {
        truing_conclude<F>(a, row, kind, s);
        return;
    }
    truing_anchor<F>(s.k, s.k.m[0], s.other[0], s.other[1], s.k.m[1]);
}
// The flags of a side, and its target's transformed logit.
TRUING_FN truing_u32 truing_flags_of(const truing_record &x, float y, bool wanted, bool probs) {
    const truing_u32 own = x.flags & ~(TRUING_APART_A | TRUING_APART_B);
    // finite logits that the transform takes beyond the type, or the logarithm of a negative number
    if (truing_poisoned(x)) return own != 0 ? own : probs ? TRUING_ROW_NAN_INPUT : TRUING_ROW_OVERFLOW;
    if (x.m == -TRUING_INFF) return own | TRUING_ROW_ALL_NEG_INF;
    if (wanted && y == -TRUING_INFF) return own | TRUING_ROW_TARGET_NEG_INF;
    return y > -TRUING_INFF && y - x.m == -TRUING_INFF ? own | TRUING_ROW_OVERFLOW : own;
}
// gamma of a row from its joint record, and the values where the masses of the rows are not 1, as those of a teacher's own
// log-probs: core's Pair::gather.
template <class F> TRUING_FN float truing_gathered(const truing_divergence_args &a, const truing_joint_record &x, double *value) {
    truing_column<double> c;
    bool one = true;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        c.log[i] = a.side[i].numbers != TRUING_OF_LOGITS ? (double)x.side[i].m + truing_log1p_of((double)x.side[i].r) : 0.0;
        // log-probs that are rounded sum to nearly 1: that is no mass of its own
        one = one && truing_abs(c.log[i]) < 1e-3;
    }
    if (one) return x.gamma;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        c.p[i] = truing_exp_wide(c.log[i]);
        c.x[i] = c.log[i];
    }
    c.r = c.d = c.log[0] - c.log[1];
    truing_pair k = {};
    k.p[0] = a.p[0];
    k.p[1] = a.p[1];
    value[0] = value[1] = 0.0;
    truing_part_values(F(), k, c, x.value, value);
    if (truing_is_power(F())) {
        if (truing_abs(value[0]) < 0.5) {
            value[1] = truing_log1p_of(-value[0]);
        } else {
            const double own = truing_part_power(k, c, x.value[1]);
            value[1] = truing_abs(own) == TRUING_INF ? own : own + truing_log(truing_exp_wide(own - own));
        }
    }
    return (float)((double)x.gamma - (c.log[0] - c.log[1]));
}
template <class F> TRUING_FN void truing_divergence_rows(const truing_divergence_args &a) {
    typedef truing_joint<typename truing_first<F>::type> joint;
    const truing_i64 thread = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    const truing_i64 row = thread / a.lanes;
    const truing_u32 lane = (truing_u32)(thread % a.lanes);
    truing_i64 target = 0;
    const int kind = row < a.rows ? truing_pair_target(a, row, target) : TRUING_IGNORED;
    truing_divergence_row &s = ((truing_divergence_row *)a.states)[row < a.rows ? row : 0];
    if (a.step != 0) {
        const bool active = kind != TRUING_IGNORED && s.live;
        const truing_added sums = truing_tree<truing_added>(a, (truing_added::words *)a.blocks + (active ? row * a.parts : 0), a.parts, a.lanes, active, lane);
        if (lane != 0 || !active) return;
        if (F::LATE && a.step == 2) {
            s.k.mean[0] = sums.moments[0];
            s.k.mean[1] = sums.moments[1];
            s.live = 0;
            truing_conclude<F>(a, row, kind, s);
        } else {
            if (F::SUMS < 5 && sums.value[4] > 0.0f) s.flags |= TRUING_APART_A;
            const truing_outcome o = truing_value_of(F(), a, s.k, sums);
            if (truing_refines(F())) s.k.gamma = (float)((double)s.k.gamma + truing_refine((double)sums.delta));
            s.k.mean[0] = F::LATE ? 0.0f : sums.moments[0];
            s.k.mean[1] = F::LATE ? 0.0f : sums.moments[1];
            truing_valued<F>(a, row, kind, s, o);
        }
        return;
    }
    const bool active = kind != TRUING_IGNORED;
    const truing_joint_record x = truing_tree<joint>(a, (typename joint::words *)a.blocks + (active ? row * a.parts : 0), a.parts, a.lanes, active, lane);
    if (lane != 0 || row >= a.rows) return;
    s.live = 0;
    s.column[0] = TRUING_NOWHERE;
    if (!active) {
        truing_without(a, row, 0.0f, TRUING_ROW_IGNORED);
        return;
    }
    // the host could not look: the row says so itself, and nothing is read there
    const bool outside = (kind == TRUING_COLUMN && (target < 0 || target >= (truing_i64)a.total)) ||
                         (a.weight.data && !(*truing_row<const float>(a.weight, row) >= 0.0f && *truing_row<const float>(a.weight, row) < TRUING_INFF));
    truing_u32 flags = 0;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        s.y[i] = kind == TRUING_COLUMN && !outside ? truing_at(a.side[i], row, target) : -TRUING_INFF;
        flags |= truing_flags_of(x.side[i], s.y[i], kind == TRUING_COLUMN && !outside && i == (int)a.student, a.side[i].numbers == TRUING_OF_PROBS);
    }
    if (outside || truing_bad(x.side[0]) || truing_bad(x.side[1])) {
        truing_without(a, row, TRUING_NANF, flags | (outside ? TRUING_ROW_OUT_OF_RANGE : 0));
        return;
    }
    s.flags = flags | (x.side[0].flags & (TRUING_APART_A | TRUING_APART_B));
    s.k = truing_pair_of_rows(a, x.side[0].m, x.side[1].m, x.side[0].r, x.side[1].r);
#pragma unroll
    for (int i = 0; i < 2; i++) {
        s.r[i] = x.side[i].r;
        s.u[i] = x.side[i].u;
        s.column[i] = x.side[i].k;
        s.other[i] = truing_at(a.side[1 - i], row, x.side[i].k);
    }
    double value[2] = {(double)x.value[0], (double)x.value[1]};
    if (F::CHAIN || F::EXACT) s.k.gamma = truing_gathered<typename truing_first<F>::type>(a, x, value);
    if (F::CHAIN) {
        s.k.mean[0] = x.mean[0];
        s.k.mean[1] = x.mean[1];
        truing_valued<F>(a, row, kind, s, truing_outcome_of(F(), a, value[0], value[1]));
        return;
    }
    truing_anchor<F>(s.k, s.k.m[0], s.other[0], s.other[1], s.k.m[1]);
    s.live = 1;
}

// 4. Gradients.

// Factors of the weighted terms and of a - b.
struct truing_slopes {
    double c[2], e[2];
};
TRUING_FN truing_slopes truing_terms(double ca, double cb, double ea, double eb) {
    const truing_slopes s = {{ca, cb}, {ea, eb}};
    return s;
}
TRUING_FN truing_slopes truing_slopes_of(truing_kl, const truing_divergence_args &, double) { return truing_terms(1.0, 0.0, 0.0, -1.0); }
TRUING_FN truing_slopes truing_slopes_of(truing_two_way, const truing_divergence_args &a, double) {
    return truing_terms(a.form[0], a.form[1], a.form[1], -a.form[0]);
}
TRUING_FN truing_slopes truing_slopes_of(truing_jsd, const truing_divergence_args &a, double) {
    return truing_terms(a.form[0] * a.form[1], (1.0 - a.form[0]) * a.form[1], 0.0, 0.0);
}
TRUING_FN truing_slopes truing_slopes_of(truing_skew, const truing_divergence_args &a, double) { return truing_terms(1.0, 1.0 - a.form[0], 0.0, 0.0); }
TRUING_FN truing_slopes truing_slopes_of(truing_power, const truing_divergence_args &a, double x) {
    const double alpha = a.form[0], all = truing_exp_wide(x);
    return a.renyi ? truing_terms(alpha / (alpha - 1.0), -1.0, 0.0, 0.0) : truing_terms(all / (alpha - 1.0), -all / alpha, 0.0, 0.0);
}
TRUING_FN truing_slopes truing_slopes_of(truing_hellinger2, const truing_divergence_args &, double) { return truing_terms(-0.5, -0.5, 0.0, 0.0); }
TRUING_FN truing_slopes truing_slopes_of(truing_chi2, const truing_divergence_args &, double) { return truing_terms(2.0, -1.0, 0.0, 0.0); }
TRUING_FN truing_slopes truing_slopes_of(truing_tvd, const truing_divergence_args &, double) { return truing_terms(0.5, -0.5, 0.0, 0.0); }
TRUING_FN truing_slopes truing_slopes_of(truing_cosine_probs, const truing_divergence_args &, double) { return truing_terms(1.0, 1.0, 0.0, 0.0); }
TRUING_FN truing_slopes truing_slopes_of(truing_cosine_logits, const truing_divergence_args &, double) { return truing_terms(1.0, 1.0, 0.0, 0.0); }
TRUING_FN truing_slopes truing_slopes_of(truing_cross_entropy, const truing_divergence_args &a, double) {
    return a.zero ? truing_terms(0.0, 0.0, 0.0, 0.0) : truing_terms(1.0, 0.0, 0.0, -1.0);
}
TRUING_FN double truing_given(const truing_divergence_args &a, const truing_view &v, truing_i64 row) {
    return v.data ? (double)*truing_row<const float>(v, row) * a.grad_scale : 0.0;
}
template <class F> TRUING_FN void truing_divergence_constants(const truing_divergence_args &a) {
    const truing_i64 row = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= a.rows) return;
    truing_i64 target = 0;
    int kind = truing_pair_target(a, row, target);
    truing_divergence_columns &c = ((truing_divergence_columns *)a.columns)[row];
    const float *s = truing_row<const float>(a.stats, row);
    const truing_u32 flags = kind == TRUING_IGNORED ? TRUING_ROW_IGNORED : truing_bits(s[15]);
    truing_put(a.out_status, row, flags);
    c.fill = 1;
    c.all = 0.0f;
    c.hard = c.own = 0.0f;
    c.target = TRUING_NOWHERE;
    if (kind == TRUING_IGNORED) return;
    const float value = s[14], logprob = s[13];
    // x_0 is log sum a^alpha b^(1 - alpha): without a common column the gradient is 0
    if (value == TRUING_INFF || s[9] == -TRUING_INFF || (flags & (TRUING_ROW_IGNORED | TRUING_ROW_DEGENERATE))) return;
    if (value != value || (kind == TRUING_COLUMN && (target < 0 || target >= (truing_i64)a.total))) {
        c.all = TRUING_NANF;
        return;
    }
    const truing_factors f = truing_factors_of(a, row);
    const double g = truing_given(a, a.grad_values, row) + (a.given ? a.given[a.each ? row : 0] : 0.0), factor = g * f.soft;
    const double hard = truing_given(a, a.grad_logprob, row) - g * f.weight * truing_hard(a, (double)logprob);
    if (hard != 0.0 && (flags & TRUING_ROW_TARGET_NEG_INF)) return;
    c.fill = 0;
    truing_pair k = truing_pair_of_rows(a, s[0], s[1], s[2], s[3]);
    k.gamma = s[6];
    k.mean[0] = s[7];
    k.mean[1] = s[8];
#pragma unroll
    for (int i = 0; i < 4; i++) k.x[i] = s[9 + i];
    const truing_slopes d = truing_slopes_of(F(), a, (double)k.x[0]);
#pragma unroll
    for (int i = 0; i < 2; i++) {
        k.c[i] = (float)(d.c[i] * factor);
        k.e[i] = (float)(d.e[i] * factor);
    }
    if (truing_is_cosine(F())) {
        const truing_i64 ja = truing_bits(s[4]), jb = truing_bits(s[5]);
        truing_anchor<F>(k, truing_at(a.side[0], row, ja), truing_at(a.side[1], row, ja), truing_at(a.side[0], row, jb), truing_at(a.side[1], row, jb));
    } else {
        truing_anchor<F>(k, k.m[0], k.x[2], k.x[3], k.m[1]);
    }
    const truing_side &own = a.side[a.student];
    const truing_i64 at = target - (truing_i64)a.start;
    if (kind == TRUING_COLUMN && hard != 0.0 && at >= 0 && at < (truing_i64)own.valid) {
        // the target's own: 1 - p must not cancel
        const float xa = truing_at(a.side[0], row, at), xb = truing_at(a.side[1], row, at);
        float y[2];
        F::gradient(k, truing_plain(k, xa, xb), y);
        const double m = a.student ? k.m[1] : k.m[0], r = a.student ? s[3] : s[2], x = a.student ? xb : xa;
        const double lp = (x - m) - truing_log1p_of(r), rest = x == m ? r / (1.0 + r) : -truing_expm1(lp);
        const float v = truing_float_at(own.logits, row, at) + truing_bias(own, (truing_u32)at);
        const double slope = truing_slope(truing_transform_of(own, row), (double)v);
        c.target = (truing_u32)at;
        c.own = (float)(((double)(a.student ? y[1] : y[0]) + hard * rest) * slope);
    }
    c.hard = (float)hard;
    c.k = k;
}
// Writes the n columns of a gradient, those of the transformed logits at hand.
template <class G>
TRUING_FN void truing_write(const truing_side &s, const truing_transform &t, truing_i64 row, truing_u32 first, truing_u32 n, const float *x) {
    const truing_u32 lane = threadIdx.x & 31;
    G *g = truing_row<G>(s.grad, row) + first;
    truing_u32 done = 0;
    if (t.kind != TRUING_SOFTCAP && (((truing_u64)g | (truing_u64)x) & 15) == 0) {
        const int PER = truing_vector<G>::COLUMNS;
        done = n / PER * PER;
#pragma unroll 1
        for (truing_u32 j = lane * PER; j < done; j += 32 * PER) {
            truing_u32 w[4];
            float y[8];
#pragma unroll
            for (int i = 0; i < PER; i += 4) {
                const uint4 q = *(const uint4 *)(x + j + i);
                y[i] = truing_from(q.x);
                y[i + 1] = truing_from(q.y);
                y[i + 2] = truing_from(q.z);
                y[i + 3] = truing_from(q.w);
            }
#pragma unroll
            for (int i = 0; i < PER; i++)
                if (t.kind != TRUING_PLAIN) y[i] = y[i] == 0.0f ? 0.0f : y[i] * t.slope;
#pragma unroll
            for (int i = 0; i < PER; i += 2) truing_vector<G>::put2(w, i, y[i], y[i + 1]);
            truing_store4((unsigned char *)(g + j), w);
        }
    }
#pragma unroll 1
    for (truing_u32 j = done + lane; j < n; j += 32) {
        float y = x[j];
        // a slope of a dead column may be anything
        if (t.kind != TRUING_PLAIN)
            y = y == 0.0f ? 0.0f : y * truing_slope(t, truing_float_at(s.logits, row, first + j) + truing_bias(s, first + j));
        truing_narrow(y, g + j);
    }
}
template <class G> TRUING_FN void truing_fill(const truing_side &s, truing_i64 row, truing_u32 first, truing_u32 n, float x) {
    G *g = truing_row<G>(s.grad, row) + first;
    for (truing_u32 j = threadIdx.x & 31; j < n; j += 32) truing_narrow(x, g + j);
}
// What a side's gradient gets of a block: its valid columns, 0 behind them, the target's own.
template <class G>
TRUING_FN void truing_deliver(const truing_side &s, const truing_divergence_columns &c, bool student, truing_i64 row, truing_u32 first, truing_u32 n, const float *x) {
    const truing_u32 valid = truing_among(s.valid, first, n), width = truing_among(s.vocab, first, TRUING_BLOCK);
    if (c.fill) {
        truing_fill<G>(s, row, first, width, c.all);
        return;
    }
    if (valid != 0) truing_write<G>(s, truing_transform_of(s, row), row, first, valid, x);
    truing_fill<G>(s, row, first + valid, width - valid, 0.0f);
    __syncwarp();
    if (student && (threadIdx.x & 31) == 0 && c.target - first < valid) truing_narrow(c.own, truing_row<G>(s.grad, row) + c.target);
}
TRUING_FN void truing_deliver(const truing_side &s, const truing_divergence_columns &c, bool student, truing_i64 row, truing_u32 first, truing_u32 n, const float *x) {
    if (s.grad.dtype == TRUING_DTYPE_F32) truing_deliver<float>(s, c, student, row, first, n, x);
    else if (s.grad.dtype == TRUING_DTYPE_BF16) truing_deliver<truing_bf16>(s, c, student, row, first, n, x);
    else truing_deliver<truing_f16>(s, c, student, row, first, n, x);
}
// The gradients of the transformed logits in place of them; WHICH: 1 of a, 2 of b, 3 of both.
template <class F, int WHICH>
TRUING_FN void truing_gradients(const truing_pair &k, float *xa, float *xb, truing_u32 n, float hard_a, float hard_b) {
    const truing_u32 lane = threadIdx.x & 31, entry = truing_exp_table[lane % 8];
#pragma unroll 1
    for (truing_u32 at = lane; at < n + lane; at += 32 * TRUING_ABREAST) {
        truing_column<float> c[TRUING_ABREAST];
        truing_abreast(k, xa, xb, at, entry, c);
#pragma unroll
        for (int i = 0; i < TRUING_ABREAST; i++) {
            float y[2];
            F::gradient(k, c[i], y);
            if (hard_a != 0.0f) y[0] = y[0] - c[i].p[0] * hard_a;
            if (hard_b != 0.0f) y[1] = y[1] - c[i].p[1] * hard_b;
            if (WHICH & 1) xa[at + 32 * i] = c[i].x[0] == -TRUING_INFF ? 0.0f : y[0];
            if (WHICH & 2) xb[at + 32 * i] = c[i].x[1] == -TRUING_INFF ? 0.0f : y[1];
        }
    }
}
// The same for a whole block, from memory to memory: a lane overwrites what it alone has read.
template <class F, int WHICH>
TRUING_FN void truing_gradients_of(const truing_divergence_args &a, const truing_pair &k, const truing_straight *z, unsigned char (*stages)[TRUING_PLACES], unsigned char *const *to, float hard_a, float hard_b) {
    const truing_u32 lane = threadIdx.x & 31, entry = truing_exp_table[lane % 8];
    const truing_stream za = truing_start(a.side[0].logits.dtype, z[0], stages[0]), zb = truing_start(a.side[1].logits.dtype, z[1], stages[1]);
    truing_copies_done();
#pragma unroll 1
    for (truing_u32 at = 8 * lane; at < TRUING_BLOCK; at += 32 * 8) {
        float xa[8], xb[8];
        truing_eight_of(za, at, xa);
        truing_eight_of(zb, at, xb);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            if (i == 4) __syncwarp(); // four side by side: eight need more registers than there are
            const float ea = truing_exp_of(xa[i] - k.m[0], entry), eb = truing_exp_of(xb[i] - k.m[1], entry);
            const truing_column<float> c = truing_column_of(k, xa[i], xb[i], ea, eb);
            float y[2];
            F::gradient(k, c, y);
            if (hard_a != 0.0f) y[0] = y[0] - c.p[0] * hard_a;
            if (hard_b != 0.0f) y[1] = y[1] - c.p[1] * hard_b;
            xa[i] = c.x[0] == -TRUING_INFF ? 0.0f : y[0];
            xb[i] = c.x[1] == -TRUING_INFF ? 0.0f : y[1];
        }
        if (WHICH & 1) truing_close8(a.side[0].grad.dtype, to[0], at, z[0].slope, xa);
        if (WHICH & 2) truing_close8(a.side[1].grad.dtype, to[1], at, z[1].slope, xb);
    }
}
// The gradients of a block that is taken as it lies; false: it is not.
template <class F> TRUING_FN bool truing_gradients_straight(const truing_divergence_args &a, const truing_divergence_columns &c, truing_i64 row, truing_u32 first, unsigned char (*stages)[TRUING_PLACES]) {
    const truing_straight z[2] = {truing_straight_of(a.side[0], row, first), truing_straight_of(a.side[1], row, first)};
    unsigned char *to[2];
    bool aligned = z[0].from && z[1].from;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const truing_view &g = a.side[i].grad;
        to[i] = (unsigned char *)g.data;
        if (to[i]) to[i] += (truing_offset(g, row) + first) * truing_wide(g.dtype);
        aligned = aligned && ((truing_u64)to[i] & 15) == 0;
    }
    if (!aligned) return false;
    const truing_pair k = c.k;
    const float hard_a = a.student ? 0.0f : c.hard, hard_b = a.student ? c.hard : 0.0f;
    if (to[0] && to[1]) truing_gradients_of<F, 3>(a, k, z, stages, to, hard_a, hard_b);
    else if (to[0]) truing_gradients_of<F, 1>(a, k, z, stages, to, hard_a, hard_b);
    else truing_gradients_of<F, 2>(a, k, z, stages, to, hard_a, hard_b);
    __syncwarp();
    const truing_side &own = a.side[a.student];
    if (own.grad.data && (threadIdx.x & 31) == 0 && c.target - first < TRUING_BLOCK) {
        if (own.grad.dtype == TRUING_DTYPE_F32) truing_narrow(c.own, truing_row<float>(own.grad, row) + c.target);
        else if (own.grad.dtype == TRUING_DTYPE_BF16) truing_narrow(c.own, truing_row<truing_bf16>(own.grad, row) + c.target);
        else truing_narrow(c.own, truing_row<truing_f16>(own.grad, row) + c.target);
    }
    return true;
}
template <class F> TRUING_FN void truing_divergence_grad(const truing_divergence_args &a) {
    __shared__ __align__(16) unsigned char stages[TRUING_PAIRS][2][TRUING_PLACES];
    const truing_u32 warp = threadIdx.x / 32;
    const bool of_a = a.side[0].grad.data != 0, of_b = a.side[1].grad.data != 0;
    truing_u32 width = of_a ? a.side[0].vocab : 0;
    if (of_b && width < a.side[1].vocab) width = a.side[1].vocab;
    const truing_u32 parts = (width + TRUING_BLOCK - 1) / TRUING_BLOCK;
    const truing_i64 tasks = a.rows * parts, step = (truing_i64)gridDim.x * TRUING_PAIRS;
    for (truing_i64 i = (truing_i64)blockIdx.x * TRUING_PAIRS + warp; i < tasks; i += step) {
        const truing_i64 row = i / parts;
        const truing_u32 first = (truing_u32)(i % parts) * TRUING_BLOCK, n = truing_among(truing_widest(a), first, TRUING_BLOCK);
        const truing_divergence_columns &c = ((const truing_divergence_columns *)a.columns)[row];
        if (!c.fill && truing_gradients_straight<F>(a, c, row, first, stages[warp])) continue;
        const float *xa = 0, *xb = 0;
        if (!c.fill && n != 0) {
            const truing_both z = truing_read(a, row, first, n, stages[warp]);
            const truing_pair k = c.k;
            const float hard_a = a.student ? 0.0f : c.hard, hard_b = a.student ? c.hard : 0.0f;
            if (of_a && of_b) truing_gradients<F, 3>(k, z.a, z.b, n, hard_a, hard_b);
            else if (of_a) truing_gradients<F, 1>(k, z.a, z.b, n, hard_a, hard_b);
            else truing_gradients<F, 2>(k, z.a, z.b, n, hard_a, hard_b);
            __syncwarp();
            xa = z.a;
            xb = z.b;
        }
#pragma unroll 1
        for (int of = 0; of < 2; of++)
            if (of ? of_b : of_a) truing_deliver(a.side[of], c, a.student == (truing_u32)of, row, first, n, of ? xb : xa);
        __syncwarp(); // the stages have been read
    }
}
#define TRUING_KERNEL(kernel, name, threads, resident)                                                                         \
    extern "C" __global__ __launch_bounds__(threads, resident) void truing_divergence_##kernel##_##name(                       \
        const __grid_constant__ truing_divergence_args a) {                                                                    \
        truing_wait();                                                                                                         \
        truing_divergence_##kernel<truing_##name>(a);                                                                          \
    }
// The kernels of a form. Each form is a text of its own, compiled where it is asked for.
#define TRUING_DIVERGENCE(name)                                                                                                \
    TRUING_KERNEL(blocks, name, 32 * TRUING_PAIRS, 6)                                                                          \
    TRUING_KERNEL(rows, name, 128, 1)                                                                                          \
    TRUING_KERNEL(sums, name, 32 * TRUING_PAIRS, 6)                                                                            \
    TRUING_KERNEL(constants, name, 128, 1)                                                                                     \
    TRUING_KERNEL(grad, name, 32 * TRUING_PAIRS, 6)
