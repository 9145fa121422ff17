// What is asked of rows of logits now and then, beside logprob.cu: the loss of the rows and its gradient, the shift, ranks, the
// largest columns, extra columns, supports, vocabulary shards. With the bits of the CPU, whose cpu/src/logprob/{extra,over,shard}.rs
// these kernels follow (the mode `portable`; TRUING_FAST takes another exponential, but for the filters of a sampler).
//
// 1. truing_extra_blocks: a warp reduces 2048 columns, or entries of a list, to a record with all sums. Where the first sums are
//    enough, truing_logprob_blocks of logprob.cu makes the records (`narrow`).
// 2. truing_extra_top: a block of threads finds the largest columns of a row, digit by digit of their keys.
// 3. truing_extra_divisor: one block of threads counts what the reduction divides by.
// 4. truing_extra_rows: a warp merges the records of a row; figures, loss, the constants of the gradient.
// 5. truing_extra_total: one block of threads adds up what all rows have together.
// 6. truing_extra_grad: gradients that need more than those constants; truing_logprob_grad writes the others.
// 7. truing_extra_bias: a lane adds up a column of the gradient over the rows.
// 8. truing_extra_filter: a block of threads finds what the filters of a sampler keep of a row, before everything else. It is a
//    given support from there on; truing_extra_mask gives it alone.
#include "logits.cuh"
#include "segments.cuh"

enum { TRUING_ALL, TRUING_BITMASK, TRUING_LIST };
enum { TRUING_SCALING_NONE, TRUING_SCALING_DFT, TRUING_SCALING_CHORD_PHI, TRUING_SCALING_EAFT, TRUING_SCALING_EAFT_RAW, TRUING_SCALING_EXTERNAL };
enum { TRUING_REDUCE_SUM, TRUING_REDUCE_MEAN, TRUING_REDUCE_WEIGHTED_MEAN };
#define TRUING_EXTRA_WARPS 4
#define TRUING_MOST 512 // columns of a list of the largest
#define TRUING_EAFT 20

struct truing_extra_args {
    truing_view logits, grad, target, mask, offsets, bias, temperature, stats;
    truing_view class_weight, external, extra_ids, bitmask, ids, id_offsets;
    truing_view grad_logprob, grad_lse, grad_entropy, grad_extra, back_ids, grad_row_loss, grad_loss, grad_bias;
    truing_view out_logprob, out_lse, out_max, out_argmax, out_entropy, out_log_sum_sq, out_mean_logit, out_is_top1;
    truing_view out_rank, out_ties, out_topk_ids, out_topk_logprobs, out_topk_entropy, out_extra, out_token_scale;
    truing_view out_row_loss, out_loss, out_stats, out_status, out_counters;
    truing_view out_lse_support, out_log_kept_mass, out_size, out_bitmask, out_ids;
    truing_view out_records, out_support_records, out_topk_logits, out_extra_logits, out_counts; // of a shard
    truing_view records, support_records, starts, topk_ids, topk_logits, extra_logits, counts;     // of all shards
    void *blocks;      // truing_wide_part::words [rows, parts]; narrow: truing_part::words
    void *whole;       // the same of all columns, where `blocks` are those of a support
    truing_u64 *tops;  // [rows, top], keys in descending order, 0 behind them
    double *entropies; // [rows, 2]: of the softmax over the first EAFT and the first `entropy_columns` of them
    double *losses;    // [rows]
    truing_u32 *flags; // [rows]
    double *divisor;   // [1], 0: no row counts
    void *columns;     // truing_extra_columns [rows]
    void *stack;       // truing_wide_part::words [rows, depth]: of the tree that joins shards
    float *names;      // [rows, back_columns + 1]: gradients of the target and of the extra columns
    truing_u32 *masks; // [rows, words + 1]: what the filters keep, as `bitmask`; behind it whether the row is poisoned. Else none
    truing_i64 rows, ignore_index, shift, width, sequences, start, total, id_total;
    truing_i64 top_k; // of the filters; the largest number is off
    double logit_scale, softcap, grad_scale, label_smoothing, z_loss, eaft_alpha, normaliser;
    double top_p, log_min_p; // inf, -inf: off
    truing_transform transform;
    truing_u32 vocab, valid; // columns at hand; those that can be live
    truing_u32 parts;        // records of a row
    truing_u32 skip;         // columns of the first block that lie in another shard
    truing_u32 whole_parts, narrow, has_ignore, sums, ranks, top, entropy_columns, topk, extra_columns, back_columns;
    truing_u32 id_columns, id_places; // of padded lists; of out_ids
    truing_u32 shards, depth, listed; // of a finish: columns of the shards' lists
    truing_u32 support, keep_target, scaling, megatron, reduction, loss_gradient, of_loss;
    truing_u32 preset, all_of_k, all_of_p, inclusive; // ties of top_k and top_p, the edge of top_p
};

// A record with all its sums.
struct truing_wide {
    truing_record x;
    float w1, wc, weight;
    truing_u32 above, ties, live;
    truing_u32 size; // columns of the support that are live
};
TRUING_FN truing_wide truing_wide_empty() {
    truing_wide w;
    w.x = truing_empty();
    w.w1 = w.wc = w.weight = 0.0f;
    w.above = w.ties = w.live = w.size = 0;
    return w;
}
// a = x - m of two live logits, finite.
TRUING_FN float truing_distance(float x, float m) {
    const float a = x - m, low = (float)-TRUING_F32_MAX;
    return a < low ? low : a;
}
struct truing_wide_part {
    typedef truing_wide record;
    typedef truing_words<16> words;
    TRUING_FN record empty() { return truing_wide_empty(); }
    TRUING_FN record load(const words &w) {
        record r = truing_wide_empty();
        r.x.m = truing_from(w.x[0]);
        r.x.r = truing_from(w.x[1]);
        r.x.u = truing_from(w.x[2]);
        r.x.q1 = truing_from(w.x[3]);
        r.x.k = w.x[4];
        r.x.flags = w.x[5];
        r.w1 = truing_from(w.x[6]);
        r.wc = truing_from(w.x[7]);
        r.weight = truing_from(w.x[8]);
        r.above = w.x[9];
        r.ties = w.x[10];
        r.live = w.x[11];
        r.size = w.x[12];
        r.x.xy = truing_from(w.x[13]);
        return r;
    }
    TRUING_FN words store(const record &r) {
        const words w = {{truing_bits(r.x.m), truing_bits(r.x.r), truing_bits(r.x.u), truing_bits(r.x.q1), r.x.k, r.x.flags, truing_bits(r.w1),
                          truing_bits(r.wc), truing_bits(r.weight), r.above, r.ties, r.live, r.size, truing_bits(r.x.xy), 0, 0}};
        return w;
    }
    TRUING_FN record merge(const truing_extra_args &, const record &a, const record &b) {
        record y = truing_wide_empty();
        y.x = truing_merge(a.x, b.x);
        y.ties = a.ties + b.ties;
        y.size = a.size + b.size;
        if (truing_poisoned(y.x)) return y;
        const bool second = b.x.m > a.x.m;
        y.w1 = second ? b.w1 : a.w1;
        y.wc = second ? b.wc : a.wc;
        y.weight = second ? b.weight : a.weight;
        const float m = second ? a.x.m : b.x.m;
        if (m != -TRUING_INFF) {
            const float d = truing_distance(m, second ? b.x.m : a.x.m), weight = second ? a.weight : b.weight;
            y.w1 = y.w1 + ((second ? a.w1 : b.w1) + (float)(second ? a.live : b.live) * d);
            y.wc = y.wc + ((second ? a.wc : b.wc) + weight * d);
            y.weight = y.weight + weight;
        }
        y.x.xy = b.x.xy > a.x.xy ? b.x.xy : a.x.xy;
        y.above = a.above + b.above;
        y.live = a.live + b.live;
        return y;
    }
};
// truing_columns of logprob.cu, and what smoothing and a support add.
struct alignas(16) truing_extra_columns {
    truing_u32 fill; // every live column has the value m
    float m, c0, c1;
    truing_u32 target; // TRUING_NOWHERE: none
    float target_dz, tau;
    truing_u32 extra; // a column that counts though the support lacks it; TRUING_NOWHERE: none
};
#define TRUING_NOWHERE 0xffffffffu

// Columns of the whole vocabulary; of a finish as far as there are class weights.
TRUING_FN truing_i64 truing_total(const truing_extra_args &a) {
    if (a.shards == 0) return a.total;
    const truing_i64 end = truing_int_at(a.starts, a.shards);
    return end < a.total ? end : a.total;
}
// Which rows count, and their targets: core's Rows::target. Offsets that do not cut the rows give a target of -1.
TRUING_FN int truing_source(const truing_extra_args &a, truing_i64 row, truing_i64 &y) {
    if (a.mask.data && truing_int_at(a.mask, row) == 0) return TRUING_IGNORED;
    if (!a.target.data) return TRUING_NO_TARGET;
    truing_i64 at = row;
    if (a.shift != 0) {
        truing_i64 end = a.rows;
        if (a.offsets.data) {
            // the first offset above the row
            truing_i64 low = 1, high = a.sequences + 1;
            while (low < high) {
                const truing_i64 middle = (low + high) / 2;
                if (truing_int_at(a.offsets, middle) > row) high = middle;
                else low = middle + 1;
            }
            y = -1;
            if (low > a.sequences || truing_tokens(a.offsets, 0, a.rows, a.sequences, low - 1).wrong) return TRUING_COLUMN;
            if (truing_int_at(a.offsets, low - 1) > row) return TRUING_COLUMN;
            end = truing_int_at(a.offsets, low);
        } else if (a.width != 0) {
            end = (row / a.width + 1) * a.width;
        }
        if (a.shift >= end - row) return TRUING_IGNORED;
        at += a.shift;
    }
    y = truing_int_at(a.target, at);
    return a.has_ignore && y == a.ignore_index ? TRUING_IGNORED : TRUING_COLUMN;
}
// Ids of one row.
struct truing_ids {
    const void *data;
    truing_i64 step;
    bool narrow;
};
TRUING_FN truing_ids truing_ids_of(const truing_view &v, truing_i64 row) {
    truing_ids r;
    r.narrow = v.dtype == TRUING_DTYPE_I32;
    r.step = 1;
    r.data = v.data ? (const char *)v.data + truing_offset(v, row) * (r.narrow ? 4 : 8) : 0;
    return r;
}
TRUING_FN truing_i64 truing_id_at(const truing_ids &r, truing_i64 j) {
    return r.narrow ? (truing_i64)((const int *)r.data)[j * r.step] : ((const truing_i64 *)r.data)[j * r.step];
}
// Element j of a list (its rows lie one stride apart).
TRUING_FN float truing_of_list(const truing_view &v, truing_i64 j) {
    const truing_i64 at = j * v.inner_stride;
    switch (v.dtype) {
    case TRUING_DTYPE_BF16: return truing_widen(((const truing_bf16 *)v.data)[at]);
    case TRUING_DTYPE_F16: return truing_widen(((const truing_f16 *)v.data)[at]);
    case TRUING_DTYPE_F64: return (float)((const double *)v.data)[at];
    default: return ((const float *)v.data)[at];
    }
}
TRUING_FN float truing_bias_at(const truing_extra_args &a, truing_i64 j) { return a.bias.data ? truing_of_list(a.bias, j) : 0.0f; }
// Raw logit of a column.
TRUING_FN float truing_logit(const truing_extra_args &a, const void *z, truing_i64 j) {
    if (a.logits.dtype == TRUING_DTYPE_F32) return ((const float *)z)[j];
    return a.logits.dtype == TRUING_DTYPE_BF16 ? truing_widen(((const truing_bf16 *)z)[j]) : truing_widen(((const truing_f16 *)z)[j]);
}
TRUING_FN const void *truing_logits_of(const truing_extra_args &a, truing_i64 row) {
    if (!a.logits.data) return 0; // a finish has none
    return (const char *)a.logits.data + truing_offset(a.logits, row) * (a.logits.dtype == TRUING_DTYPE_F32 ? 4 : 2);
}
// Transformed logit of a column at hand; -inf of padding.
TRUING_FN float truing_value(const truing_extra_args &a, const truing_transform &t, const void *z, truing_i64 j) {
    if (j < 0 || j >= (truing_i64)a.valid) return -TRUING_INFF;
    return truing_apply(t, truing_logit(a, z, j), a.bias.data != 0, truing_bias_at(a, j));
}

// The columns of a row that count.
struct truing_choice {
    const void *z;            // the row's logits
    const truing_u32 *words;  // its mask
    truing_ids ids;           // its list
    truing_i64 listed;        // ids in it
    truing_i64 y;             // the target, if it is among them; else -1
    truing_i64 extra, place;  // a column that the support lacks, and its place in the list; else -1
    truing_i64 count;         // columns, or entries of the list, that are looked at
    truing_u32 flags;
    bool wrong; // offsets that the host could not look at
};
// Entries of the list in front of the first that is not below a column.
TRUING_FN truing_i64 truing_below(const truing_choice &c, truing_i64 column) {
    truing_i64 low = 0, high = c.listed;
    while (low < high) {
        const truing_i64 middle = (low + high) / 2;
        if (truing_id_at(c.ids, middle) < column) low = middle + 1;
        else high = middle;
    }
    return low;
}
// Whether a column, one of those that can be live, is in the support.
TRUING_FN bool truing_has(const truing_extra_args &a, const truing_choice &c, truing_i64 j) {
    if (a.support == TRUING_ALL || j == c.extra) return true;
    if (a.support == TRUING_BITMASK) return c.words[j / 32] >> (j % 32) & 1;
    const truing_i64 at = truing_below(c, j);
    return at < c.listed && truing_id_at(c.ids, at) == j;
}
TRUING_FN truing_choice truing_choose(const truing_extra_args &a, const truing_transform &t, truing_i64 row, int kind, truing_i64 target) {
    truing_choice c;
    c.z = truing_logits_of(a, row);
    c.words = 0;
    bool poisoned = false; // the filters have seen it, and keep every column
    if (a.support == TRUING_BITMASK && a.masks) {
        const truing_u32 words = (a.vocab + 31) / 32;
        c.words = a.masks + row * (words + 1);
        poisoned = c.words[words] != 0;
    } else if (a.support == TRUING_BITMASK) {
        c.words = truing_row<const truing_u32>(a.bitmask, row);
    }
    c.ids.data = 0;
    c.listed = 0;
    c.y = c.extra = c.place = -1;
    c.flags = 0;
    c.wrong = false;
    c.count = (truing_i64)a.skip + a.valid;
    const truing_i64 j = target - a.start;
    const bool here = kind == TRUING_COLUMN && j >= 0 && j < (truing_i64)a.vocab;
    if (a.support == TRUING_ALL) {
        if (here && j < (truing_i64)a.valid) c.y = j;
        return c;
    }
    if (a.support == TRUING_LIST && a.id_offsets.data) {
        const truing_i64 first = truing_int_at(a.id_offsets, row), end = truing_int_at(a.id_offsets, row + 1);
        c.listed = end - first;
        c.wrong = first < 0 || end < first || end > a.id_total || c.listed > (truing_i64)a.vocab || (row == 0 && first != 0) ||
                  (row + 1 == a.rows && end != a.id_total);
        if (c.wrong) c.listed = 0;
        c.ids = truing_ids_of(a.ids, c.wrong ? 0 : first);
        c.ids.step = a.ids.inner_stride;
    } else if (a.support == TRUING_LIST) {
        truing_i64 high = a.id_columns;
        c.ids = truing_ids_of(a.ids, row);
        while (c.listed < high) { // in front of the first -1
            const truing_i64 middle = (c.listed + high) / 2;
            if (truing_id_at(c.ids, middle) >= 0) c.listed = middle + 1;
            else high = middle;
        }
        c.wrong = c.listed > (truing_i64)a.vocab;
        if (c.wrong) c.listed = 0;
    }
    const bool live = here && truing_value(a, t, c.z, j) != -TRUING_INFF;
    if (live && truing_has(a, c, j)) {
        c.y = j;
    } else if (here && !poisoned) {
        c.flags = TRUING_ROW_TARGET_OUTSIDE;
        if (live && a.keep_target) c.y = c.extra = j;
    }
    if (a.support == TRUING_LIST) {
        if (c.extra >= 0) c.place = truing_below(c, c.extra);
        c.count = truing_below(c, a.valid) + (c.extra >= 0);
    }
    return c;
}
// The column at a place that is looked at; -1: none, or one that a wrong list names.
TRUING_FN truing_i64 truing_column_at(const truing_extra_args &a, const truing_choice &c, truing_i64 place) {
    truing_i64 j = place - (truing_i64)a.skip;
    if (a.support == TRUING_LIST) {
        if (place == c.place) return c.extra;
        j = truing_id_at(c.ids, place - (c.place >= 0 && place > c.place));
    } else if (a.support == TRUING_BITMASK && j >= 0 && !truing_has(a, c, j)) {
        return -1;
    }
    return j < (truing_i64)a.valid ? j : -1;
}

// 1. Records of blocks.

template <class T> TRUING_FN void truing_extra_block(const truing_extra_args &a, truing_i64 row, truing_u32 part, float *x) {
    truing_i64 target = 0;
    const int kind = truing_source(a, row, target);
    if (kind == TRUING_IGNORED) return;
    const truing_u32 lane = threadIdx.x & 31;
    const truing_transform t = truing_transform_of(a, row);
    const truing_choice c = truing_choose(a, t, row, kind, target);
    const truing_i64 first = (truing_i64)part * TRUING_BLOCK;
    const T *z = truing_row<const T>(a.logits, row);
    const bool biased = a.bias.data != 0;
    truing_u32 flags = 0, live = 0;
    const truing_u32 n = c.count <= first ? 0 : c.count - first < TRUING_BLOCK ? (truing_u32)(c.count - first) : TRUING_BLOCK;
#pragma unroll 1
    for (truing_u32 at = lane; at < n; at += 32 * TRUING_SIDE) {
        // all are asked for before one is waited for; what is no column reads the first one
        truing_i64 j[TRUING_SIDE];
        float raw[TRUING_SIDE];
#pragma unroll
        for (int i = 0; i < TRUING_SIDE; i++) j[i] = at + 32 * i < n ? truing_column_at(a, c, first + at + 32 * i) : -1;
#pragma unroll
        for (int i = 0; i < TRUING_SIDE; i++) raw[i] = truing_widen(z[j[i] < 0 ? 0 : j[i]]);
#pragma unroll
        for (int i = 0; i < TRUING_SIDE; i++) {
            float v = -TRUING_INFF;
            if (j[i] >= 0) {
                const float b = truing_bias_at(a, j[i]);
                v = truing_apply(t, raw[i], biased, b);
                if (b != -TRUING_INFF) flags |= (raw[i] != raw[i] ? TRUING_ROW_NAN_INPUT : 0) | (raw[i] == TRUING_INFF ? TRUING_ROW_INF_INPUT : 0);
                live += v != -TRUING_INFF;
            }
            if (at + 32 * i < n) x[at + 32 * i] = v;
        }
    }
    __syncwarp();
    truing_wide w = truing_wide_empty();
    w.x = truing_block<float, true>(x, n, true);
    w.size = __reduce_add_sync(TRUING_FULL, live);
    flags = __reduce_or_sync(TRUING_FULL, flags);
    if (truing_poisoned(w.x)) {
        w.x.flags = flags;
    } else if (w.x.m != -TRUING_INFF) {
        w.x.k += a.support == TRUING_LIST ? (truing_u32)first : (truing_u32)(a.start - a.skip + first);
        if (a.sums) {
            truing_u32 count = 0;
#pragma unroll 1
            for (truing_u32 k = lane; k < n; k += 32) {
                if (!(x[k] > -TRUING_INFF)) continue;
                const float d = truing_distance(x[k], w.x.m);
                count++;
                w.w1 = w.w1 + d;
                if (a.class_weight.data) {
                    float weight = truing_of_list(a.class_weight, a.start + truing_column_at(a, c, first + k));
                    if (!(weight >= 0.0f && weight < TRUING_INFF)) weight = TRUING_NANF;
                    w.wc = truing_fma(weight, d, w.wc);
                    w.weight = w.weight + weight;
                }
            }
            w.live = __reduce_add_sync(TRUING_FULL, count);
            w.w1 = truing_combine(w.w1);
            w.wc = truing_combine(w.wc);
            w.weight = truing_combine(w.weight);
        }
    }
    if (a.ranks) {
        const float y = a.ranks == 2 ? truing_row<const float>(a.stats, row)[4] : c.y < 0 ? -TRUING_INFF : truing_value(a, t, c.z, c.y) + 0.0f;
        truing_u32 above = 0, ties = 0;
#pragma unroll 4
        for (truing_u32 k = lane; k < n; k += 32) {
            above += x[k] > y;
            ties += x[k] == y && y > -TRUING_INFF && (c.y < 0 || truing_column_at(a, c, first + k) != c.y);
        }
        w.above = __reduce_add_sync(TRUING_FULL, above);
        w.ties = __reduce_add_sync(TRUING_FULL, ties);
    }
    if (lane == 0) ((truing_wide_part::words *)a.blocks)[row * a.parts + part] = truing_wide_part::store(w);
    __syncwarp(); // x has been read
}
template <class T> TRUING_FN void truing_extra_blocks(const truing_extra_args &a) {
    __shared__ __align__(16) float stages[TRUING_EXTRA_WARPS][TRUING_BLOCK];
    truing_wait();
    const truing_i64 tasks = a.rows * a.parts, step = (truing_i64)gridDim.x * TRUING_EXTRA_WARPS;
    for (truing_i64 i = (truing_i64)blockIdx.x * TRUING_EXTRA_WARPS + threadIdx.x / 32; i < tasks; i += step)
        truing_extra_block<T>(a, i / a.parts, (truing_u32)(i % a.parts), stages[threadIdx.x / 32]);
}
#define TRUING_EXTRA_BLOCKS(name, T)                                                                                                  \
    extern "C" __global__ __launch_bounds__(32 * TRUING_EXTRA_WARPS) void truing_extra_blocks_##name(const __grid_constant__ truing_extra_args a) { \
        truing_extra_blocks<T>(a);                                                                                                    \
    }
TRUING_EXTRA_BLOCKS(f32, float)
TRUING_EXTRA_BLOCKS(bf16, truing_bf16)
TRUING_EXTRA_BLOCKS(f16, truing_f16)

// 2. The largest columns.

#define TRUING_TOP_THREADS 256
struct truing_shards {}; // the lists of all shards in the place of logits
template <class T>
TRUING_FN truing_u64 truing_key_at(const T *, const truing_extra_args &a, const truing_transform &t, const truing_choice &c, truing_i64 place) {
    // no branch around the read, so that several can be under way: what is no column reads the first one
    const truing_i64 j = truing_column_at(a, c, place), at = j < 0 ? 0 : j;
    const float x = truing_apply(t, truing_widen(((const T *)c.z)[at]), a.bias.data != 0, truing_bias_at(a, at));
    return j >= 0 && x > -TRUING_INFF ? truing_key(x, (truing_u32)(a.start + j)) : 0;
}
TRUING_FN truing_u64 truing_key_at(const truing_shards *, const truing_extra_args &a, const truing_transform &, const truing_choice &c, truing_i64 place) {
    const truing_i64 row = place / a.listed * a.rows + c.y, k = place % a.listed;
    const int id = truing_row<const int>(a.topk_ids, row)[k];
    const float x = truing_row<const float>(a.topk_logits, row)[k];
    return id >= 0 && x > -TRUING_INFF ? truing_key(x, (truing_u32)id) : 0;
}
// The keys at the places from `place` on that a thread looks at side by side, 0 behind the last.
#define TRUING_KEYS 4
struct truing_keys {
    truing_u64 x[TRUING_KEYS];
};
template <class T>
TRUING_FN truing_keys truing_keys_from(const truing_extra_args &a, const truing_transform &t, const truing_choice &c, truing_i64 place) {
    truing_keys keys;
#pragma unroll
    for (int i = 0; i < TRUING_KEYS; i++) {
        const truing_i64 p = place + i * TRUING_TOP_THREADS;
        const truing_u64 key = truing_key_at((const T *)0, a, t, c, p < c.count ? p : place);
        keys.x[i] = p < c.count ? key : 0;
    }
    return keys;
}
// The entropy of the softmax over the first n of the sorted keys, by their record. A warp.
TRUING_FN double truing_top_entropy(const truing_u64 *keys, truing_u32 n, float *x) {
    const truing_u32 lane = threadIdx.x & 31;
    for (truing_u32 k = lane; k < n; k += 32) x[k] = truing_key_value(keys[k]);
    __syncwarp();
    const truing_record r = truing_block<float, true>(x, n, true);
    return truing_log1p((double)r.r) - (double)r.u / (1.0 + (double)r.r);
}
template <class T> TRUING_FN void truing_extra_top(const truing_extra_args &a) {
    __shared__ truing_u32 bins[256];
    __shared__ truing_u64 keys[TRUING_MOST];
    __shared__ __align__(16) float stage[TRUING_MOST];
    __shared__ truing_u32 found, digit, left, stop;
    truing_wait();
    const truing_i64 row = blockIdx.x;
    truing_i64 target = 0;
    const int kind = truing_source(a, row, target);
    if (kind == TRUING_IGNORED) return;
    const truing_transform t = truing_transform_of(a, row);
    truing_choice c = truing_choose(a, t, row, kind, target);
    if (a.shards != 0) {
        c.y = row;
        c.count = (truing_i64)a.shards * a.listed;
    }
    const truing_u32 thread = threadIdx.x;
    truing_u64 from = 0, known = 0; // keys from here on are wanted; the digits of it that are known
    truing_u32 want = a.top;
#pragma unroll 1
    for (int shift = 56; shift >= 0; shift -= 8) {
        bins[thread] = 0;
        __syncthreads();
#pragma unroll 1
        for (truing_i64 p = thread; p < c.count; p += TRUING_TOP_THREADS * TRUING_KEYS) {
            const truing_keys keys = truing_keys_from<T>(a, t, c, p);
#pragma unroll
            for (int i = 0; i < TRUING_KEYS; i++)
                if (keys.x[i] != 0 && (keys.x[i] & known) == from) atomicAdd(&bins[(truing_u32)(keys.x[i] >> shift) & 255], 1u);
        }
        __syncthreads();
        if (thread == 0) {
            // the digit with which as many as are wanted are there
            truing_u32 sum = 0, d = 255;
            while (d > 0 && sum + bins[d] < want) sum += bins[d--];
            digit = d;
            left = want - sum;
            stop = sum + bins[d] <= want;
        }
        __syncthreads();
        from |= (truing_u64)digit << shift;
        known |= (truing_u64)255 << shift;
        want = left;
        if (stop) break;
    }
    if (thread == 0) found = 0;
    keys[thread] = keys[thread + 256] = 0;
    __syncthreads();
#pragma unroll 1
    for (truing_i64 p = thread; p < c.count; p += TRUING_TOP_THREADS * TRUING_KEYS) {
        const truing_keys some = truing_keys_from<T>(a, t, c, p);
#pragma unroll
        for (int i = 0; i < TRUING_KEYS; i++)
            if (some.x[i] != 0 && some.x[i] >= from) keys[atomicAdd(&found, 1u) % TRUING_MOST] = some.x[i];
    }
    __syncthreads();
    // in descending order, whatever order they came in
#pragma unroll 1
    for (truing_u32 run = 2; run <= TRUING_MOST; run *= 2)
#pragma unroll 1
        for (truing_u32 w = run / 2; w > 0; w /= 2) {
            const truing_u32 i = 2 * w * (thread / w) + thread % w;
            const truing_u64 low = keys[i], high = keys[i + w];
            if ((low < high) == ((i & run) == 0)) {
                keys[i] = high;
                keys[i + w] = low;
            }
            __syncthreads();
        }
    for (truing_u32 k = thread; k < a.top; k += TRUING_TOP_THREADS) a.tops[row * a.top + k] = keys[k];
    if (thread >= 32 || !a.entropies) return;
    const truing_u32 n = found < a.top ? found : a.top;
    const truing_u32 counts[2] = {n < TRUING_EAFT ? n : TRUING_EAFT, n < a.entropy_columns ? n : a.entropy_columns};
#pragma unroll
    for (int k = 0; k < 2; k++) {
        const double h = truing_top_entropy(keys, counts[k], stage);
        if (thread == 0) a.entropies[2 * row + k] = h;
        __syncwarp();
    }
}
#define TRUING_EXTRA_TOP(name, T)                                                                                                     \
    extern "C" __global__ __launch_bounds__(TRUING_TOP_THREADS) void truing_extra_top_##name(const __grid_constant__ truing_extra_args a) { \
        truing_extra_top<T>(a);                                                                                                       \
    }
TRUING_EXTRA_TOP(f32, float)
TRUING_EXTRA_TOP(bf16, truing_bf16)
TRUING_EXTRA_TOP(f16, truing_f16)
TRUING_EXTRA_TOP(shards, truing_shards)

// 3. What the reduction divides by.

#define TRUING_EXTRA_TILE 256
// Class weight of a target, as it is stored; NaN where there is none.
TRUING_FN double truing_class(const truing_extra_args &a, truing_i64 y) {
    return y < 0 || y >= truing_total(a) ? TRUING_NAN : truing_double_at(a.class_weight, y);
}
extern "C" __global__ __launch_bounds__(TRUING_EXTRA_TILE) void truing_extra_divisor(const __grid_constant__ truing_extra_args a) {
    __shared__ double tile[TRUING_EXTRA_TILE];
    __shared__ truing_u64 live;
    truing_wait();
    const truing_u32 thread = threadIdx.x;
    if (thread == 0) live = 0;
    __syncthreads();
    const bool weighs = a.normaliser == 0.0 && a.reduction == TRUING_REDUCE_WEIGHTED_MEAN && a.class_weight.data;
    double weight = 0.0;
    truing_u64 own = 0;
#pragma unroll 1
    for (truing_i64 first = 0; first < a.rows; first += TRUING_EXTRA_TILE) {
        const truing_i64 row = first + thread;
        truing_i64 y = 0;
        const int kind = row < a.rows ? truing_source(a, row, y) : TRUING_IGNORED;
        own += kind != TRUING_IGNORED;
        if (!weighs) continue;
        tile[thread] = kind == TRUING_COLUMN ? truing_class(a, y) : 0.0;
        __syncthreads();
        if (thread == 0) {
#pragma unroll 8
            for (int k = 0; k < TRUING_EXTRA_TILE; k++) weight += tile[k];
        }
        __syncthreads();
    }
    atomicAdd(&live, own);
    __syncthreads();
    if (thread != 0) return;
    double z = 1.0;
    if (a.normaliser != 0.0) z = a.normaliser;
    else if (weighs) z = weight;
    else if (a.reduction != TRUING_REDUCE_SUM) z = (double)live;
    *a.divisor = live == 0 || z <= 0.0 ? 0.0 : z;
}

// 4. Rows.

// The records of all shards joined as core's record::Join does it, a thread a row: records of blocks of a row of one part.
TRUING_FN truing_wide truing_joined(const truing_extra_args &a, const truing_view &records, bool nodes, truing_i64 row, bool &wrong) {
    truing_wide_part::words *stack = (truing_wide_part::words *)a.stack + row * a.depth;
    truing_u32 depth = 0, count = 0;
#pragma unroll 1
    for (truing_u32 k = 0; k < a.shards; k++) {
        const float *s = truing_row<const float>(records, (truing_i64)k * a.rows + row);
        truing_wide x = truing_wide_empty();
        x.x.m = s[0];
        x.x.r = s[1];
        x.x.u = s[2];
        x.x.q1 = s[3];
        x.x.xy = s[4];
        x.x.k = truing_bits(s[5]);
        x.above = truing_bits(s[6]);
        x.x.flags = truing_bits(s[7]);
        x.live = truing_bits(s[8]);
        x.weight = s[9];
        x.w1 = s[10];
        x.wc = s[11];
        wrong |= a.sums && !truing_poisoned(x.x) && x.x.m > -TRUING_INFF && x.live == 0;
        // a run of 2^level blocks
        truing_u32 level = 0;
        const truing_i64 columns = truing_int_at(a.starts, k + 1) - truing_int_at(a.starts, k);
        if (nodes)
            while (((truing_i64)TRUING_BLOCK << level) < columns) level++;
#pragma unroll 1
        for (truing_u32 n = count >> level; n & 1; n >>= 1) x = truing_wide_part::merge(a, truing_wide_part::load(stack[--depth]), x);
        if (depth < a.depth) stack[depth++] = truing_wide_part::store(x);
        count += 1u << level;
    }
    truing_wide x = truing_wide_empty();
    if (depth > 0) x = truing_wide_part::load(stack[--depth]);
#pragma unroll 1
    while (depth > 0) x = truing_wide_part::merge(a, truing_wide_part::load(stack[--depth]), x);
    if (truing_poisoned(x.x)) {
        // where one has a NaN or a +inf, an overflow of another is none of the row's
        const truing_u32 raw = TRUING_ROW_NAN_INPUT | TRUING_ROW_INF_INPUT;
        x.x = truing_poison(x.x.flags & raw ? x.x.flags & ~TRUING_ROW_OVERFLOW : x.x.flags);
    }
    return x;
}
extern "C" __global__ __launch_bounds__(128) void truing_extra_join(const __grid_constant__ truing_extra_args a) {
    truing_wait();
    const truing_i64 row = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= a.rows) return;
    // whether every shard is a node of the tree of the whole row
    bool nodes = true, wrong = truing_int_at(a.starts, 0) != 0;
#pragma unroll 1
    for (truing_u32 k = 0; k < a.shards; k++) {
        const truing_i64 start = truing_int_at(a.starts, k), end = truing_int_at(a.starts, k + 1);
        truing_i64 run = TRUING_BLOCK;
        wrong |= start < 0 || end < start || end > 0x7fffffff;
        while (!wrong && run < end - start) run *= 2;
        nodes = nodes && start % run == 0 && (k + 1 == a.shards || end - start == run);
    }
    const bool over = a.support_records.data != 0;
    truing_wide x = truing_wide_empty(), all = x;
    if (!wrong) {
        bool unsummed = false;
        all = truing_joined(a, a.records, nodes, row, unsummed);
        if (over) {
            unsummed = false;
            x = truing_joined(a, a.support_records, nodes, row, unsummed);
        } else {
            x = all;
        }
        wrong = unsummed;
    }
    if (wrong) x.x = truing_poison((truing_poisoned(x.x) ? x.x.flags : 0) | TRUING_ROW_OUT_OF_RANGE);
    if (a.counts.data) {
        const truing_i64 *counts = truing_row<const truing_i64>(a.counts, row);
        x.above = (truing_u32)counts[0];
        x.ties = (truing_u32)counts[1];
        x.size = (truing_u32)counts[2];
    } else {
        x.above = x.ties = 0;
    }
    ((truing_wide_part::words *)a.blocks)[row] = truing_wide_part::store(x);
    if (a.whole) ((truing_wide_part::words *)a.whole)[row] = truing_wide_part::store(all);
}

TRUING_FN truing_wide truing_row_of(const truing_extra_args &a, void *blocks, truing_u32 parts, truing_u32 skip, truing_i64 row, truing_u32 lane) {
    truing_wide x = truing_wide_empty();
    if (parts == 0) return x;
    if (a.narrow) {
        x.x = truing_tree<truing_part>(a, (truing_part::words *)blocks + row * parts, parts, 32, true, lane);
    } else {
        // a block that another shard has a part of joins last, from the left
        truing_wide_part::words *part = (truing_wide_part::words *)blocks + row * parts;
        const truing_u32 head = skip != 0;
        if (parts > head) x = truing_tree<truing_wide_part>(a, part + head, parts - head, 32, true, lane);
        if (head) x = truing_wide_part::merge(a, truing_wide_part::load(part[0]), x);
    }
    truing_wide_part::words w = truing_wide_part::store(x);
#pragma unroll
    for (int k = 0; k < 16; k++) w.x[k] = __shfl_sync(TRUING_FULL, w.x[k], 0);
    return truing_wide_part::load(w);
}
// What the host could not look at: ids, factors.
TRUING_FN bool truing_wrong(const truing_extra_args &a, const truing_choice &c, truing_i64 row, int kind, truing_i64 target, truing_u32 lane) {
    truing_u32 bad = c.wrong;
    if (kind == TRUING_COLUMN) {
        bad |= target < 0 || target >= truing_total(a);
        if (!bad && a.class_weight.data) {
            const float weight = truing_of_list(a.class_weight, target);
            bad |= !(weight >= 0.0f && weight < TRUING_INFF);
        }
    }
    if (a.external.data) {
        const float scale = *truing_row<const float>(a.external, row);
        bad |= !(scale >= 0.0f && scale < TRUING_INFF);
    }
    if (a.support == TRUING_LIST && !c.wrong) {
        const truing_i64 end = a.id_offsets.data ? c.listed : (truing_i64)a.id_columns;
#pragma unroll 1
        for (truing_i64 k = lane; k < end; k += 32) {
            const truing_i64 j = truing_id_at(c.ids, k);
            if (k >= c.listed) bad |= j != -1;
            else bad |= j < 0 || j >= (truing_i64)a.vocab || (k > 0 && j <= truing_id_at(c.ids, k - 1));
        }
    }
#pragma unroll 1
    for (int both = 0; both < 2; both++) {
        const truing_ids ids = truing_ids_of(both ? a.back_ids : a.extra_ids, row);
        const truing_u32 columns = both ? a.back_columns : a.extra_columns;
        if (!ids.data) continue;
#pragma unroll 1
        for (truing_u32 k = lane; k < columns; k += 32) {
            const truing_i64 j = truing_id_at(ids, k);
            bad |= j < -1 || j >= truing_total(a);
        }
    }
    return __reduce_or_sync(TRUING_FULL, bad) != 0;
}
// The set of a row where a place asks for it; a warp. Returns a flag if it does not fit the place of the ids.
TRUING_FN truing_u32 truing_put_support(const truing_extra_args &a, const truing_transform &t, const truing_choice &c, truing_i64 row, bool some,
                                        truing_u32 lane) {
    if (!a.out_bitmask.data && !a.out_ids.data) return 0;
    truing_u32 n = 0;
    const truing_u32 columns = a.id_places;
    int *ids = a.out_ids.data ? truing_row<int>(a.out_ids, row) : 0;
#pragma unroll 1
    for (truing_u32 first = 0; first < a.vocab; first += 32) {
        const truing_u32 j = first + lane;
        const bool on = some && j < a.valid && truing_has(a, c, j) && truing_value(a, t, c.z, j) != -TRUING_INFF;
        const truing_u32 word = __ballot_sync(TRUING_FULL, on), place = n + __popc(word & ((1u << lane) - 1));
        if (lane == 0 && a.out_bitmask.data) truing_row<truing_u32>(a.out_bitmask, row)[first / 32] = word;
        if (on && ids && place < columns) ids[place] = (int)j;
        n += __popc(word);
    }
    if (!ids) return 0;
    for (truing_u32 k = n + lane; k < columns; k += 32) ids[k] = -1;
    return n > columns ? TRUING_ROW_SATURATED : 0;
}
// The loss of a row: core's row_loss.rs.
TRUING_FN double truing_factor(double a, double b) { return a == 0.0 ? 0.0 : a * b; }
TRUING_FN double truing_logprob_of(const truing_record &x, float v) {
    if (truing_poisoned(x) || x.m == -TRUING_INFF) return TRUING_NAN;
    return ((double)v - (double)x.m) - truing_log1p((double)x.r);
}
TRUING_FN double truing_eaft_power(const truing_extra_args &a, double h) {
    if (a.eaft_alpha == 1.0) return h;
    if (a.eaft_alpha == 0.0) return 1.0;
    return h == 0.0 ? 0.0 : truing_exp(a.eaft_alpha * truing_log(h));
}
TRUING_FN float truing_omega(const truing_extra_args &a, truing_i64 row, const truing_record &x) {
    if (truing_poisoned(x) || x.m == -TRUING_INFF) return TRUING_NANF;
    double y = 1.0;
    if (a.scaling == TRUING_SCALING_DFT) y = truing_exp(truing_logprob_of(x, x.xy));
    else if (a.scaling == TRUING_SCALING_CHORD_PHI) y = truing_exp(truing_logprob_of(x, x.xy)) * -truing_expm1(truing_logprob_of(x, x.xy));
    else if (a.scaling == TRUING_SCALING_EAFT) y = truing_eaft_power(a, a.entropies[2 * row] / 3.0);
    else if (a.scaling == TRUING_SCALING_EAFT_RAW) y = truing_eaft_power(a, a.entropies[2 * row]);
    else if (a.scaling == TRUING_SCALING_EXTERNAL) y = (double)*truing_row<const float>(a.external, row);
    return (float)y;
}
struct truing_terms {
    double own, each, weight, class_weight, scale;
};
TRUING_FN truing_terms truing_terms_of(const truing_extra_args &a, const truing_wide &x, float scale, int kind, truing_i64 target) {
    truing_terms k;
    const double live = (double)x.live;
    double s = a.label_smoothing;
    if (s == 0.0 || x.live == 0 || (a.megatron && x.live == 1)) {
        s = 0.0;
    } else if (a.megatron) {
        s = s * live / (live - 1.0);
        s = s > 1.0 ? 1.0 : s;
    }
    k.class_weight = a.class_weight.data && kind == TRUING_COLUMN ? (double)truing_of_list(a.class_weight, target) : 1.0;
    k.own = (1.0 - s) * k.class_weight;
    k.each = s == 0.0 ? 0.0 : s / live;
    k.weight = a.class_weight.data ? (double)x.weight : live;
    k.scale = (double)scale;
    return k;
}
TRUING_FN double truing_row_loss(const truing_extra_args &a, const truing_wide &x, const truing_terms &k) {
    if (truing_poisoned(x.x) || x.x.m == -TRUING_INFF) return TRUING_NAN;
    const double l = truing_log1p((double)x.x.r), nll = -truing_logprob_of(x.x, x.x.xy);
    const double smooth = k.weight * l - (double)(a.class_weight.data ? x.wc : x.w1), lse = (double)x.x.m + l;
    return truing_factor(k.scale, truing_factor(k.own, nll) + truing_factor(k.each, smooth)) + truing_factor(a.z_loss, lse * lse);
}
TRUING_FN void truing_extra_figures(const truing_extra_args &a, truing_i64 row, int kind, truing_i64 target, const truing_wide &w, const truing_terms &k,
                                    float scale) {
    const truing_record &x = w.x;
    float logprob = TRUING_NANF, lse = TRUING_NANF, max = TRUING_NANF, entropy = TRUING_NANF, log_sum_sq = TRUING_NANF, mean = TRUING_NANF;
    int argmax = -1, rank = -1, ties = -1;
    unsigned char top = 0;
    const bool fine = kind != TRUING_IGNORED && !truing_poisoned(x) && x.m != -TRUING_INFF;
    if (kind == TRUING_IGNORED) {
        logprob = lse = max = entropy = log_sum_sq = mean = 0.0f;
    } else if (fine) {
        const double m = x.m, r = x.r, l = truing_log1p(r);
        logprob = (float)(((double)x.xy - m) - l);
        lse = (float)(m + l);
        entropy = (float)(l - (double)x.u / (1.0 + r));
        if (a.out_log_sum_sq.data) log_sum_sq = (float)(truing_log1p((double)x.q1) - 2.0 * l);
        mean = (float)(m + (double)w.w1 / (double)w.live);
        max = x.m;
        argmax = (int)x.k;
        top = kind == TRUING_COLUMN && target == (truing_i64)x.k;
        rank = (int)w.above;
        ties = (int)w.ties;
    } else if (!truing_poisoned(x)) {
        lse = max = x.m;
    }
    truing_put(a.out_logprob, row, logprob);
    truing_put(a.out_lse, row, lse);
    truing_put(a.out_max, row, max);
    truing_put(a.out_argmax, row, argmax);
    truing_put(a.out_entropy, row, entropy);
    truing_put(a.out_log_sum_sq, row, log_sum_sq);
    truing_put(a.out_mean_logit, row, mean);
    truing_put(a.out_is_top1, row, top);
    truing_put(a.out_rank, row, rank);
    truing_put(a.out_ties, row, ties);
    truing_put(a.out_lse_support, row, lse);
    truing_put(a.out_status, row, x.flags);
    truing_put(a.out_token_scale, row, scale);
    if (a.out_topk_entropy.data)
        truing_put(a.out_topk_entropy, row, fine ? (float)a.entropies[2 * row + 1] : kind == TRUING_IGNORED ? 0.0f : TRUING_NANF);
    if (a.flags) a.flags[row] = x.flags;
    if (a.losses || a.out_row_loss.data) {
        const double loss = kind == TRUING_IGNORED ? 0.0 : truing_row_loss(a, w, k);
        truing_put(a.out_row_loss, row, (float)loss);
        if (a.losses) a.losses[row] = loss;
    }
    if (a.out_stats.data) {
        // what they hold follows from the options, not from the other figures
        float *s = truing_row<float>(a.out_stats, row);
        const bool smooth = a.label_smoothing != 0.0;
        const float all[TRUING_STATS] = {x.m, x.r, x.u, x.q1, x.xy, truing_from(x.k), 0.0f, truing_from(x.flags), truing_from(smooth ? w.live : 0u),
                                         smooth ? w.weight : 0.0f, a.scaling != TRUING_SCALING_NONE ? scale : 0.0f, 0.0f};
#pragma unroll
        for (int i = 0; i < TRUING_STATS; i++) s[i] = all[i];
    }
}
// The lists of a row, by a warp.
TRUING_FN void truing_extra_lists(const truing_extra_args &a, const truing_transform &t, const truing_choice &c, truing_i64 row, int kind, const truing_record &x,
                                  truing_u32 lane) {
    const bool ignored = kind == TRUING_IGNORED, poisoned = !ignored && truing_poisoned(x);
#pragma unroll 1
    for (truing_u32 k = lane; k < a.topk; k += 32) {
        const truing_u64 key = ignored || poisoned ? 0 : a.tops[row * a.top + k];
        float logprob = ignored ? 0.0f : poisoned ? TRUING_NANF : -TRUING_INFF;
        if (key != 0) logprob = (float)truing_logprob_of(x, truing_key_value(key));
        if (a.out_topk_ids.data) truing_row<int>(a.out_topk_ids, row)[k] = key == 0 ? -1 : (int)(truing_u32)~key;
        if (a.out_topk_logprobs.data) truing_row<float>(a.out_topk_logprobs, row)[k] = logprob;
    }
    if (!a.out_extra.data) return;
    const truing_ids ids = truing_ids_of(a.extra_ids, row);
    float *out = truing_row<float>(a.out_extra, row);
#pragma unroll 1
    for (truing_u32 k = lane; k < a.extra_columns; k += 32) {
        float logprob = ignored ? 0.0f : TRUING_NANF;
        if (!ignored && !poisoned) {
            const truing_i64 id = truing_id_at(ids, k);
            const bool in = a.shards == 0 && id >= 0 && id < (truing_i64)a.valid && truing_has(a, c, id);
            float v = -TRUING_INFF;
            if (in) v = truing_value(a, t, c.z, id) + 0.0f;
#pragma unroll 1
            for (truing_u32 n = 0; n < a.shards; n++) v = fmaxf(v, truing_row<const float>(a.extra_logits, (truing_i64)n * a.rows + row)[k]);
            logprob = id < 0 ? -TRUING_INFF : (float)truing_logprob_of(x, v);
        }
        out[k] = logprob;
    }
}
// Gradients of the figures of a row; see core's RowUpstream.
struct truing_up {
    double logprob, lse, entropy, extra, smooth, smooth_sum, class_weight;
};
TRUING_FN double truing_up_at(const truing_extra_args &a, const truing_view &v, truing_i64 row) {
    return v.data ? (double)*truing_row<const float>(v, row) * a.grad_scale : 0.0;
}
TRUING_FN double truing_up_extra(const truing_extra_args &a, truing_i64 row, truing_i64 column) { // -1: of all
    double sum = 0.0;
    if (a.back_columns == 0) return sum;
    const truing_ids ids = truing_ids_of(a.back_ids, row);
    const float *g = truing_row<const float>(a.grad_extra, row);
#pragma unroll 1
    for (truing_u32 k = 0; k < a.back_columns; k++) {
        const truing_i64 id = truing_id_at(ids, k);
        if (column < 0 ? id >= 0 : id == column) sum += (double)g[k] * a.grad_scale;
    }
    return sum;
}
TRUING_FN truing_up truing_upstream_of(const truing_extra_args &a, truing_i64 row, const truing_record &x, const truing_terms &k) {
    truing_up g;
    g.logprob = truing_up_at(a, a.grad_logprob, row);
    g.lse = truing_up_at(a, a.grad_lse, row);
    g.entropy = truing_up_at(a, a.grad_entropy, row);
    g.extra = truing_up_extra(a, row, -1);
    g.smooth = g.smooth_sum = 0.0;
    g.class_weight = 1.0;
    if (!a.of_loss) return g;
    double loss = truing_up_at(a, a.grad_row_loss, row);
    if (a.loss_gradient) {
        const double own = a.grad_loss.data ? truing_double_at(a.grad_loss, 0) : 1.0, z = *a.divisor;
        loss = loss + (z == 0.0 ? 0.0 : own / z) * a.grad_scale;
    }
    g.class_weight = k.class_weight;
    if (loss == 0.0) return g;
    const double lse = (double)x.m + truing_log1p((double)x.r);
    g.smooth = truing_factor(k.each, loss * k.scale);
    g.smooth_sum = g.smooth * k.weight;
    g.logprob = g.logprob - truing_factor(k.own, loss * k.scale);
    g.lse = g.lse + truing_factor(a.z_loss, 2.0 * loss * lse);
    return g;
}
// With respect to a transformed logit that the figures name; `own` is that of its log-prob.
TRUING_FN double truing_named(const truing_up &g, const truing_record &x, float v, double own, double class_weight) {
    const double r = x.r, sum = 1.0 + r, mean = (double)x.u / sum, d = (double)v - (double)x.m;
    const double logprob = d - truing_log1p(r), p = truing_exp(logprob);
    const double rest = d == 0.0 ? r / sum : -truing_expm1(logprob);
    const double spread = p == 0.0 ? 0.0 : g.entropy * p * (d - mean);
    const double others = own == g.logprob ? g.extra : (g.logprob + g.extra) - own;
    double dx = own * rest + (g.lse - others) * p - spread;
    if (g.smooth != 0.0) dx += g.smooth_sum * p - g.smooth * class_weight;
    return dx;
}
// The constants of dx_j = e^a_j (c0 + c1 a_j) - tau c_j and the gradients of the columns that the figures name, by a warp.
TRUING_FN void truing_extra_constants(const truing_extra_args &a, const truing_transform &t, const truing_choice &c, truing_i64 row, int kind, truing_i64 target,
                                      const truing_record &x, const truing_terms &k, truing_u32 lane) {
    truing_extra_columns o;
    o.fill = 1;
    o.m = o.c0 = o.c1 = o.target_dz = o.tau = 0.0f;
    o.target = TRUING_NOWHERE;
    o.extra = c.extra < 0 ? TRUING_NOWHERE : (truing_u32)c.extra;
    if (kind != TRUING_IGNORED && truing_poisoned(x)) {
        o.m = TRUING_NANF;
    } else if (kind != TRUING_IGNORED && !(x.flags & (TRUING_ROW_TARGET_NEG_INF | TRUING_ROW_ALL_NEG_INF))) {
        const truing_up g = truing_upstream_of(a, row, x, k);
        const double r = x.r, sum = 1.0 + r, mean = (double)x.u / sum, top = TRUING_F32_MAX;
        double c0 = g.lse - g.logprob + g.entropy * mean;
        if (g.smooth != 0.0 || g.extra != 0.0) c0 += g.smooth_sum - g.extra;
        c0 = c0 / sum;
        // a factor beyond the type would turn a column of probability 0 into inf * 0
        if (truing_abs(c0) < TRUING_INF) c0 = c0 < -top ? -top : c0 > top ? top : c0;
        o.fill = 0;
        o.m = x.m;
        o.c0 = (float)c0;
        o.c1 = (float)(-g.entropy / sum);
        o.tau = (float)g.smooth;
        const bool raw = a.support == TRUING_ALL && !a.grad_extra.data && o.tau == 0.0f;
        const truing_ids ids = truing_ids_of(a.back_ids, row);
        const truing_i64 local = kind == TRUING_COLUMN ? target - a.start : -1;
        const truing_i64 y = local >= 0 && local < (truing_i64)a.valid ? local : -1;
#pragma unroll 1
        for (truing_u32 n = lane; n < a.back_columns + 1; n += 32) {
            truing_i64 j = y;
            if (n > 0) {
                const truing_i64 id = truing_id_at(ids, n - 1);
                j = id < 0 ? -1 : id - a.start;
            }
            float dz = 0.0f;
            const float v = truing_value(a, t, c.z, j) + 0.0f;
            if (v != -TRUING_INFF) {
                double own = j == y ? g.logprob : 0.0, weight = g.class_weight;
                if (!raw) {
                    own = own + truing_up_extra(a, row, a.start + j);
                    weight = a.class_weight.data ? (double)truing_of_list(a.class_weight, a.start + j) : 1.0;
                }
                const float z = truing_logit(a, c.z, j) + truing_bias_at(a, j);
                dz = (float)(truing_named(g, x, v, own, weight) * truing_slope(t, (double)z));
            }
            if (n == 0 && y >= 0) {
                o.target = (truing_u32)y;
                o.target_dz = dz;
            }
            if (a.names) a.names[row * (a.back_columns + 1) + n] = dz;
        }
    }
    if (lane == 0) ((truing_extra_columns *)a.columns)[row] = o;
}
extern "C" __global__ __launch_bounds__(32 * TRUING_EXTRA_WARPS) void truing_extra_rows(const __grid_constant__ truing_extra_args a) {
    truing_wait();
    const truing_i64 row = (truing_i64)blockIdx.x * TRUING_EXTRA_WARPS + threadIdx.x / 32;
    const truing_u32 lane = threadIdx.x & 31;
    if (row >= a.rows) return;
    truing_i64 target = 0;
    const int kind = truing_source(a, row, target);
    const truing_transform t = truing_transform_of(a, row);
    const truing_choice c = truing_choose(a, t, row, kind, target);
    truing_wide w = truing_wide_empty();
    float scale = 0.0f, saved = 0.0f, share = 0.0f;
    int size = -1;
    if (kind != TRUING_IGNORED) {
        if (a.stats.data) {
            const float *s = truing_row<const float>(a.stats, row);
            w.x.m = s[0];
            w.x.r = s[1];
            w.x.u = s[2];
            w.x.q1 = s[3];
            w.x.xy = s[4];
            w.x.k = truing_bits(s[5]);
            w.above = truing_bits(s[6]);
            w.x.flags = truing_bits(s[7]) & ~TRUING_ROW_TARGET_NEG_INF;
            w.live = truing_bits(s[8]);
            w.weight = s[9];
            saved = s[10];
        } else {
            w = truing_row_of(a, a.blocks, a.parts, a.support == TRUING_LIST ? 0 : a.skip, row, lane);
            if (a.support == TRUING_LIST && !truing_poisoned(w.x) && w.x.m != -TRUING_INFF)
                w.x.k = (truing_u32)(a.start + truing_column_at(a, c, w.x.k));
        }
        truing_record &x = w.x;
        bool wrong = truing_wrong(a, c, row, kind, target, lane);
        if (a.label_smoothing != 0.0 && a.class_weight.data && w.weight != w.weight) wrong = true;
        if (wrong) {
            // the host could not look: the row says so itself
            x = truing_poison((truing_poisoned(x) ? x.flags : 0) | TRUING_ROW_OUT_OF_RANGE);
            w.live = 0;
        } else if (truing_poisoned(x)) {
            // finite logits that the transform takes beyond the type
            x = truing_poison((x.flags == 0 ? TRUING_ROW_OVERFLOW : x.flags) | c.flags);
        } else {
            // in a shard the statistics know: the target may lie in another
            if (a.shards == 0 && a.total == (truing_i64)a.vocab) {
                x.xy = c.y < 0 ? -TRUING_INFF : truing_value(a, t, c.z, c.y) + 0.0f;
                x.flags |= c.flags;
            }
        }
        if (!truing_poisoned(x)) size = (int)w.size;
        x.flags |= truing_put_support(a, t, c, row, size > 0, lane);
        if (!truing_poisoned(x)) {
            if (x.m == -TRUING_INFF) x.flags |= TRUING_ROW_ALL_NEG_INF;
            else if (kind == TRUING_COLUMN && x.xy == -TRUING_INFF) x.flags |= TRUING_ROW_TARGET_NEG_INF;
            else if (x.xy > -TRUING_INFF && x.xy - x.m == -TRUING_INFF) x.flags |= TRUING_ROW_OVERFLOW;
        }
        if (a.out_log_kept_mass.data) {
            const truing_record all = a.whole ? truing_row_of(a, a.whole, a.whole_parts, a.skip, row, lane).x : x;
            share = TRUING_NANF;
            if (!truing_poisoned(x) && !truing_poisoned(all)) {
                const double y = ((double)x.m - (double)all.m) + (truing_log1p((double)x.r) - truing_log1p((double)all.r));
                share = (float)(y > 0.0 ? 0.0 : y);
            }
        }
        const bool eaft = a.scaling == TRUING_SCALING_EAFT || a.scaling == TRUING_SCALING_EAFT_RAW;
        const bool scaled = a.of_loss || a.losses || a.out_row_loss.data || a.out_stats.data || a.out_token_scale.data;
        // the largest columns are not at hand with statistics
        scale = !scaled ? 1.0f : a.stats.data && eaft ? saved : truing_omega(a, row, x);
    } else {
        w.x.flags = TRUING_ROW_IGNORED;
        truing_put_support(a, t, c, row, false, lane);
    }
    const truing_terms k = truing_terms_of(a, w, scale, truing_poisoned(w.x) ? TRUING_IGNORED : kind, target);
    if (lane == 0) {
        truing_extra_figures(a, row, kind, target, w, k, scale);
        truing_put(a.out_log_kept_mass, row, share);
        truing_put(a.out_size, row, size);
    }
    truing_extra_lists(a, t, c, row, kind, w.x, lane);
    if (a.columns) truing_extra_constants(a, t, c, row, kind, target, w.x, k, lane);
}

// What the columns of a shard contribute: the record of all of them, that of those in the support, lists, counts. A warp a row.
TRUING_FN void truing_put_part(const truing_view &v, truing_i64 row, const truing_wide &w) {
    if (!v.data) return;
    float *s = truing_row<float>(v, row);
    const truing_record &x = w.x;
    const float all[TRUING_STATS] = {x.m, x.r, x.u, x.q1, x.xy, truing_from(x.k), truing_from(w.above), truing_from(x.flags), truing_from(w.live), w.weight,
                                     w.w1, w.wc};
#pragma unroll
    for (int i = 0; i < TRUING_STATS; i++) s[i] = all[i];
}
TRUING_FN void truing_complete(const truing_extra_args &a, const truing_transform &t, const truing_choice &c, bool wrong, truing_i64 y, truing_wide &w) {
    if (wrong || truing_poisoned(w.x)) {
        const truing_u32 flags = truing_poisoned(w.x) ? w.x.flags == 0 ? TRUING_ROW_OVERFLOW : w.x.flags : 0, ties = w.ties;
        w = truing_wide_empty();
        w.x = truing_poison(wrong ? flags | TRUING_ROW_OUT_OF_RANGE : flags);
        w.ties = ties;
    } else {
        w.x.xy = y < 0 ? -TRUING_INFF : truing_value(a, t, c.z, y) + 0.0f;
    }
}
extern "C" __global__ __launch_bounds__(32 * TRUING_EXTRA_WARPS) void truing_extra_local(const __grid_constant__ truing_extra_args a) {
    truing_wait();
    const truing_i64 row = (truing_i64)blockIdx.x * TRUING_EXTRA_WARPS + threadIdx.x / 32;
    const truing_u32 lane = threadIdx.x & 31;
    if (row >= a.rows) return;
    truing_i64 target = 0;
    const int kind = truing_source(a, row, target);
    const bool ignored = kind == TRUING_IGNORED, over = a.support != TRUING_ALL;
    const truing_transform t = truing_transform_of(a, row);
    const truing_choice c = truing_choose(a, t, row, kind, target);
    truing_wide w = truing_wide_empty(), all = w;
    if (ignored) {
        w.x.flags = all.x.flags = TRUING_ROW_IGNORED;
    } else {
        const bool wrong = truing_wrong(a, c, row, kind, target, lane);
        w = truing_row_of(a, a.blocks, a.parts, a.support == TRUING_LIST ? 0 : a.skip, row, lane);
        if (a.support == TRUING_LIST && !truing_poisoned(w.x) && w.x.m != -TRUING_INFF)
            w.x.k = (truing_u32)(a.start + truing_column_at(a, c, w.x.k));
        all = over ? truing_row_of(a, a.whole, a.whole_parts, a.skip, row, lane) : w;
        truing_complete(a, t, c, wrong, c.y, w);
        truing_complete(a, t, c, wrong, over ? -1 : c.y, all);
        w.x.flags |= c.flags;
    }
    if (lane == 0) {
        truing_put_part(a.out_records, row, all);
        truing_put_part(a.out_support_records, row, w);
        truing_put(a.out_status, row, w.x.flags);
        if (a.out_counts.data) {
            truing_i64 *counts = truing_row<truing_i64>(a.out_counts, row);
            counts[0] = w.above;
            counts[1] = w.ties;
            counts[2] = over ? w.size : w.live;
            counts[3] = all.live;
        }
    }
#pragma unroll 1
    for (truing_u32 k = lane; k < a.topk; k += 32) {
        const truing_u64 key = ignored || truing_poisoned(w.x) ? 0 : a.tops[row * a.top + k];
        if (a.out_topk_ids.data) truing_row<int>(a.out_topk_ids, row)[k] = key == 0 ? -1 : (int)(truing_u32)~key;
        if (a.out_topk_logits.data) truing_row<float>(a.out_topk_logits, row)[k] = key != 0 ? truing_key_value(key) : ignored ? 0.0f : -TRUING_INFF;
    }
    if (!a.out_extra_logits.data) return;
    const truing_ids ids = truing_ids_of(a.extra_ids, row);
#pragma unroll 1
    for (truing_u32 k = lane; k < a.extra_columns; k += 32) {
        const truing_i64 id = ignored ? -1 : truing_id_at(ids, k), j = id < 0 ? -1 : id - a.start;
        const bool in = j >= 0 && j < (truing_i64)a.valid && truing_has(a, c, j);
        truing_row<float>(a.out_extra_logits, row)[k] = ignored ? 0.0f : in ? truing_value(a, t, c.z, j) + 0.0f : -TRUING_INFF;
    }
}

// 5. What all rows have together.

extern "C" __global__ __launch_bounds__(TRUING_SUMMED) void truing_extra_total(const __grid_constant__ truing_extra_args a) {
    truing_wait();
    truing_view flags = {};
    flags.data = a.flags;
    flags.inner_stride = 1;
    truing_sum_rows(a.rows, a.losses, a.divisor, flags, a.out_loss, a.out_counters);
}

// 6. Gradients.

#define TRUING_GRADS 2 // columns of a lane side by side

template <class T, class G> TRUING_FN void truing_extra_grad_of(const truing_extra_args &a, truing_i64 row, truing_u32 first, truing_u32 end, truing_u32 entry) {
    const truing_u32 lane = threadIdx.x & 31, n = end - first;
    const truing_u32 live = a.valid <= first ? 0 : a.valid - first < n ? a.valid - first : n;
    const truing_extra_columns o = ((const truing_extra_columns *)a.columns)[row];
    const T *z = truing_row<const T>(a.logits, row) + first;
    G *g = truing_row<G>(a.grad, row) + first;
    for (truing_u32 j = live + lane; j < n; j += 32) truing_narrow(0.0f, g + j);
    if (o.fill) {
        for (truing_u32 j = lane; j < live; j += 32) truing_narrow(o.m, g + j);
        return;
    }
    const truing_transform t = truing_transform_of(a, row);
    truing_choice c = truing_choose(a, t, row, TRUING_IGNORED, 0);
    c.extra = o.extra == TRUING_NOWHERE ? -1 : (truing_i64)o.extra;
    const bool biased = a.bias.data != 0, plain = t.kind == TRUING_PLAIN && !biased;
    const bool raw = a.support == TRUING_ALL && !a.grad_extra.data && o.tau == 0.0f;
#pragma unroll 1
    for (truing_u32 s = 0; s < live; s += 32 * TRUING_GRADS) {
        // all are asked for before one is waited for
        float v[TRUING_GRADS], b[TRUING_GRADS];
#pragma unroll
        for (int i = 0; i < TRUING_GRADS; i++) {
            const truing_u32 k = s + 32 * i + lane;
            v[i] = k < live ? truing_widen(z[k]) : 0.0f;
            b[i] = k < live ? truing_bias_at(a, first + k) : 0.0f;
        }
#pragma unroll
        for (int i = 0; i < TRUING_GRADS; i++) {
            const truing_u32 k = s + 32 * i + lane, j = first + k;
            const bool on = k < live;
            const float x = truing_apply(t, v[i], biased, b[i]);
            float d = x - o.m, w, p;
            truing_exp_factors(d, entry, w, p);
            float dz = w * p * truing_fma(o.c1, d, o.c0);
            if (o.tau != 0.0f) dz = truing_fma(-o.tau, on && a.class_weight.data ? truing_of_list(a.class_weight, a.start + j) : 1.0f, dz);
            if (!plain) dz = dz * truing_slope(t, biased ? v[i] + b[i] : v[i]);
            if (x == -TRUING_INFF && !(raw && plain)) dz = 0.0f;
            if (on) truing_narrow(truing_has(a, c, j) ? dz : 0.0f, g + k);
        }
    }
    const truing_ids ids = truing_ids_of(a.back_ids, row);
    __syncwarp();
#pragma unroll 1
    for (truing_u32 k = lane; k < a.back_columns + 1; k += 32) {
        truing_i64 j = o.target == TRUING_NOWHERE ? -1 : (truing_i64)o.target;
        if (k > 0) {
            const truing_i64 id = truing_id_at(ids, k - 1);
            j = id < 0 ? -1 : id - a.start;
        }
        if (j < (truing_i64)first || j >= (truing_i64)first + live || !truing_has(a, c, j)) continue;
        truing_narrow(a.names[row * (a.back_columns + 1) + k], g + (j - first));
    }
}
template <class T, class G> TRUING_FN void truing_extra_grad(const truing_extra_args &a) {
    const truing_u32 entry = truing_exp_table[threadIdx.x % 8];
    const truing_u32 parts = (a.vocab + TRUING_BLOCK - 1) / TRUING_BLOCK;
    truing_wait();
    const truing_i64 tasks = a.rows * parts, step = (truing_i64)gridDim.x * TRUING_EXTRA_WARPS;
    for (truing_i64 i = (truing_i64)blockIdx.x * TRUING_EXTRA_WARPS + threadIdx.x / 32; i < tasks; i += step) {
        const truing_u32 first = (truing_u32)(i % parts) * TRUING_BLOCK;
        truing_extra_grad_of<T, G>(a, i / parts, first, a.vocab - first < TRUING_BLOCK ? a.vocab : first + TRUING_BLOCK, entry);
    }
}
#define TRUING_EXTRA_GRAD(name, T, G)                                                                                                 \
    extern "C" __global__ __launch_bounds__(32 * TRUING_EXTRA_WARPS) void truing_extra_grad_##name(const __grid_constant__ truing_extra_args a) { \
        truing_extra_grad<T, G>(a);                                                                                                   \
    }
TRUING_EXTRA_GRAD(f32, float, float)
TRUING_EXTRA_GRAD(bf16, truing_bf16, truing_bf16)
TRUING_EXTRA_GRAD(f16, truing_f16, truing_f16)
TRUING_EXTRA_GRAD(bf16_f32, truing_bf16, float)
TRUING_EXTRA_GRAD(f16_f32, truing_f16, float)

// 7. The gradient of the bias.

template <class T> TRUING_FN void truing_extra_bias(const truing_extra_args &a) {
    const truing_u32 lane = threadIdx.x & 31, entry = truing_exp_table[lane % 8];
    truing_wait();
    const truing_i64 j = ((truing_i64)blockIdx.x * TRUING_EXTRA_WARPS + threadIdx.x / 32) * 32 + lane;
    const bool on = j < (truing_i64)a.valid;
    const float b = on ? truing_bias_at(a, j) : 0.0f, weight = on && a.class_weight.data ? truing_of_list(a.class_weight, a.start + j) : 1.0f;
    const bool biased = a.bias.data != 0;
    float total = 0.0f, part = 0.0f;
    truing_u32 rows = 0;
#pragma unroll 1
    for (truing_i64 row = 0; row < a.rows; row++) {
        truing_i64 target = 0;
        if (truing_source(a, row, target) == TRUING_IGNORED) continue;
        const truing_extra_columns o = ((const truing_extra_columns *)a.columns)[row];
        const truing_transform t = truing_transform_of(a, row);
        truing_choice c = truing_choose(a, t, row, TRUING_IGNORED, 0);
        c.extra = o.extra == TRUING_NOWHERE ? -1 : (truing_i64)o.extra;
        const bool plain = t.kind == TRUING_PLAIN && !biased, raw = a.support == TRUING_ALL && !a.grad_extra.data && o.tau == 0.0f;
        const float v = on ? truing_widen(((const T *)c.z)[j]) : 0.0f, x = truing_apply(t, v, biased, b);
        float d = x - o.m, w, p;
        truing_exp_factors(d, entry, w, p);
        float dz = w * p * truing_fma(o.c1, d, o.c0);
        if (o.tau != 0.0f) dz = truing_fma(-o.tau, weight, dz);
        if (!plain) dz = dz * truing_slope(t, biased ? v + b : v);
        if (x == -TRUING_INFF && !(raw && plain)) dz = 0.0f;
        if (o.target != TRUING_NOWHERE && (truing_i64)o.target == j) dz = o.target_dz;
        const truing_ids ids = truing_ids_of(a.back_ids, row);
#pragma unroll 1
        for (truing_u32 k = 0; a.names && k < a.back_columns; k++) {
            const truing_i64 id = truing_id_at(ids, k);
            if (id >= 0 && id - a.start == j) dz = a.names[row * (a.back_columns + 1) + k + 1];
        }
        if (on && !truing_has(a, c, j)) dz = 0.0f;
        if (o.fill) dz = o.m;
        if (rows != 0 && rows % TRUING_BLOCK == 0) {
            total = rows == TRUING_BLOCK ? part : total + part;
            part = 0.0f;
        }
        rows++;
        part = part + dz;
    }
    if (j < (truing_i64)a.vocab) *truing_row<float>(a.grad_bias, j) = !on ? 0.0f : rows <= TRUING_BLOCK ? part : total + part;
}
#define TRUING_EXTRA_BIAS(name, T)                                                                                                    \
    extern "C" __global__ __launch_bounds__(32 * TRUING_EXTRA_WARPS) void truing_extra_bias_##name(const __grid_constant__ truing_extra_args a) { \
        truing_extra_bias<T>(a);                                                                                                      \
    }
TRUING_EXTRA_BIAS(f32, float)
TRUING_EXTRA_BIAS(bf16, truing_bf16)
TRUING_EXTRA_BIAS(f16, truing_f16)

// 8. What the filters of a sampler keep: core/src/support.rs.

enum { TRUING_FILTER_VLLM, TRUING_FILTER_HF, TRUING_FILTER_SGLANG };
enum { TRUING_BY_VALUE, TRUING_BY_MASS, TRUING_OF_MASS };
#define TRUING_ORDERED 2048 // columns of the order that are at hand at once
// The mode `fast` keeps the same columns.
TRUING_FN double truing_mass_of(float x, float m) {
    const float d = truing_clamp(x - m), t = truing_exp_index(d);
    return (double)(truing_exp_power(t, truing_exp_table[truing_bits(t) % 8]) * truing_exp_poly(d, t));
}
// The order of a row, made as far as it is asked for; in shared memory.
struct truing_order {
    truing_u64 keys[TRUING_ORDERED]; // in descending order
    double masses[TRUING_ORDERED];
    truing_u32 bins[TRUING_TOP_THREADS];
    truing_u32 digit, taken, found, cut, bad;
    double sum;
};
// The next columns of the order, those with keys below `upper`: as many as fit, at least one where there is one.
template <class T>
TRUING_FN truing_u32 truing_next_columns(const truing_extra_args &a, const truing_transform &t, const truing_choice &c, truing_u64 upper, truing_order &o) {
    const truing_u32 thread = threadIdx.x;
    truing_u64 from = 0, known = 0; // keys from here on fit; the digits of it that are known
#pragma unroll 1
    for (int shift = 56; shift >= 0; shift -= 8) {
        o.bins[thread] = 0;
        if (thread == 0 && shift == 56) o.taken = o.found = 0;
        __syncthreads();
#pragma unroll 1
        for (truing_i64 p = thread; p < c.count; p += TRUING_TOP_THREADS * TRUING_KEYS) {
            const truing_keys keys = truing_keys_from<T>(a, t, c, p);
#pragma unroll
            for (int i = 0; i < TRUING_KEYS; i++) {
                const truing_u64 key = keys.x[i];
                if (key != 0 && key < upper && (key & known) == from) atomicAdd(&o.bins[(truing_u32)(key >> shift) & 255], 1u);
            }
        }
        __syncthreads();
        if (thread == 0) {
            // digits from here on fit
            truing_u32 sum = o.taken, d = 256;
            while (d > 0 && sum + o.bins[d - 1] <= TRUING_ORDERED) sum += o.bins[--d];
            o.digit = d;
            o.taken = sum;
        }
        __syncthreads();
        const truing_u32 d = o.digit;
        if (d == 0 || o.taken >= TRUING_ORDERED / 4) {
            from += (truing_u64)d << shift;
            break;
        }
        // the next one does not: a part of it
        from |= (truing_u64)(d - 1) << shift;
        known |= (truing_u64)255 << shift;
    }
#pragma unroll 1
    for (truing_i64 p = thread; p < c.count; p += TRUING_TOP_THREADS * TRUING_KEYS) {
        const truing_keys keys = truing_keys_from<T>(a, t, c, p);
#pragma unroll
        for (int i = 0; i < TRUING_KEYS; i++) {
            const truing_u64 key = keys.x[i];
            if (key != 0 && key < upper && key >= from) o.keys[atomicAdd(&o.found, 1u) % TRUING_ORDERED] = key;
        }
    }
    __syncthreads();
    const truing_u32 n = o.found;
    truing_u32 size = 2;
    while (size < n) size *= 2;
    for (truing_u32 k = n + thread; k < size; k += TRUING_TOP_THREADS) o.keys[k] = 0;
    __syncthreads();
    // in descending order, whatever order they came in
#pragma unroll 1
    for (truing_u32 run = 2; run <= size; run *= 2)
#pragma unroll 1
        for (truing_u32 w = run / 2; w > 0; w /= 2) {
#pragma unroll 1
            for (truing_u32 k = thread; k < size / 2; k += TRUING_TOP_THREADS) {
                const truing_u32 i = 2 * w * (k / w) + k % w;
                const truing_u64 low = o.keys[i], high = o.keys[i + w];
                if ((low < high) == ((i & run) == 0)) {
                    o.keys[i] = high;
                    o.keys[i + w] = low;
                }
            }
            __syncthreads();
        }
    return n;
}
// Where a filter stands in a row.
struct truing_walk {
    float m;           // the largest column
    truing_u64 upper;  // that the columns at hand lie below
    truing_u32 held;   // columns at hand
    truing_u64 kept;   // columns that are kept so far
    truing_u64 last;   // key of the last of them
    double sum;        // of TRUING_OF_MASS
};
#define TRUING_EVERY 0xffffffffffffffffull // columns: no filter has cut
// Goes through the first w.kept columns of the order and keeps those in front of the first that a filter drops, by value (k:
// top_k, q: min_p) or by the mass in front of it, a share of `sum`. TRUING_OF_MASS only adds up.
template <class T>
TRUING_FN void truing_filter(const truing_extra_args &a, const truing_transform &t, const truing_choice &c, truing_order &o, truing_walk &w, int how, bool k,
                             bool q, double sum) {
    const truing_u32 thread = threadIdx.x;
    const truing_i64 top_k = k ? a.top_k : 0x7fffffffffffffffll;
    const double floor = q ? (double)w.m + a.log_min_p : -TRUING_INF;
    truing_u64 kept = 0, upper = ~0ull;
    float previous = w.m;
    double mass = 0.0;
#pragma unroll 1
    while (kept < w.kept) {
        if (w.upper != upper) {
            w.held = truing_next_columns<T>(a, t, c, upper, o);
            w.upper = upper;
        }
        const truing_u32 n = w.kept - kept < w.held ? (truing_u32)(w.kept - kept) : w.held;
        if (n == 0) break;
        if (how != TRUING_BY_VALUE)
            for (truing_u32 i = thread; i < n; i += TRUING_TOP_THREADS) o.masses[i] = truing_mass_of(truing_key_value(o.keys[i]), w.m);
        if (thread == 0) o.cut = n;
        __syncthreads();
        if (how != TRUING_BY_VALUE && thread == 0) {
            // the mass in front of each, in the order
#pragma unroll 1
            for (truing_u32 i = 0; i < n; i++) {
                const double own = o.masses[i];
                o.masses[i] = mass;
                mass = mass + own;
            }
            o.sum = mass;
        }
        __syncthreads();
        if (how != TRUING_OF_MASS) {
#pragma unroll 1
            for (truing_u32 i = thread; i < n; i += TRUING_TOP_THREADS) {
                const float x = truing_key_value(o.keys[i]);
                const bool tied = x == (i == 0 ? previous : truing_key_value(o.keys[i - 1]));
                bool drops;
                if (how == TRUING_BY_VALUE) {
                    drops = ((truing_i64)(kept + i) >= top_k && !(a.all_of_k && tied)) || (double)x < floor;
                } else {
                    const double share = o.masses[i] / sum;
                    drops = !(a.inclusive ? share <= a.top_p : share < a.top_p) && !(a.all_of_p && tied);
                }
                if (drops && kept + i > 0) {
                    atomicMin(&o.cut, i);
                    break;
                }
            }
            __syncthreads();
        }
        const truing_u32 cut = o.cut;
        if (cut > 0) w.last = o.keys[cut - 1];
        kept += cut;
        if (cut < n) break;
        upper = w.last;
        previous = truing_key_value(upper);
    }
    if (how == TRUING_OF_MASS) w.sum = o.sum;
    else w.kept = kept;
    __syncthreads(); // all have read
}
// The mass of the whole row: core's support::Total, a thread a chain.
template <class T>
TRUING_FN double truing_total_mass(const truing_extra_args &a, const truing_transform &t, const truing_choice &c, truing_order &o, float m) {
    const truing_u32 thread = threadIdx.x;
    double chain = 0.0;
#pragma unroll 1
    for (truing_i64 first = 0; first < c.count; first += TRUING_ORDERED) {
        for (truing_u32 k = thread; k < TRUING_ORDERED; k += TRUING_TOP_THREADS) {
            const truing_u64 key = first + k < c.count ? truing_key_at((const T *)0, a, t, c, first + k) : 0;
            o.masses[k] = key == 0 ? 0.0 : truing_mass_of(truing_key_value(key), m);
        }
        __syncthreads();
        if (thread < 8) {
#pragma unroll 8
            for (truing_u32 k = thread; k < TRUING_ORDERED; k += 8) chain = chain + o.masses[k];
        }
        __syncthreads();
    }
    if (thread < 8) o.masses[thread] = chain;
    __syncthreads();
    if (thread == 0) {
        for (int w = 4; w > 0; w /= 2)
            for (int i = 0; i < w; i++) o.masses[i] = o.masses[i] + o.masses[i + w];
        o.sum = o.masses[0];
    }
    __syncthreads();
    return o.sum;
}
// `a` has no support: the order is that of the whole row.
template <class T> TRUING_FN void truing_extra_filter(const truing_extra_args &a) {
    __shared__ truing_order o;
    truing_wait();
    const truing_i64 row = blockIdx.x;
    truing_i64 target = 0;
    const int kind = truing_source(a, row, target);
    const truing_u32 thread = threadIdx.x, lane = thread & 31, words = (a.vocab + 31) / 32;
    truing_u32 *mask = a.masks + row * (words + 1);
    if (thread == 0) mask[words] = o.bad = 0;
    if (kind == TRUING_IGNORED) return;
    const truing_transform t = truing_transform_of(a, row);
    const truing_choice c = truing_choose(a, t, row, kind, target);
    __syncthreads();
    truing_u32 bad = 0;
#pragma unroll 4
    for (truing_i64 j = thread; j < c.count; j += TRUING_TOP_THREADS) bad |= !(truing_value(a, t, c.z, j) < TRUING_INFF);
    if (bad) atomicAdd(&o.bad, 1u);
    __syncthreads();
    const bool poisoned = o.bad != 0;
    truing_walk w;
    w.m = 0.0f;
    w.sum = 0.0;
    w.kept = TRUING_EVERY;
    w.last = 1;
    w.upper = ~0ull;
    w.held = poisoned ? 0 : truing_next_columns<T>(a, t, c, w.upper, o);
    if (w.held > 0) {
        w.m = truing_key_value(o.keys[0]);
        const bool k = a.top_k < 0x7fffffffffffffffll, q = a.log_min_p > -TRUING_INF;
        const bool first = a.preset == TRUING_FILTER_VLLM ? k || q : a.preset == TRUING_FILTER_HF && k;
        const bool last = a.preset == TRUING_FILTER_SGLANG ? k || q : a.preset == TRUING_FILTER_HF && q;
        if (first) truing_filter<T>(a, t, c, o, w, TRUING_BY_VALUE, k, a.preset == TRUING_FILTER_VLLM && q, 0.0);
        if (a.top_p < TRUING_INF) {
            if (w.kept == TRUING_EVERY) w.sum = truing_total_mass<T>(a, t, c, o, w.m);
            else truing_filter<T>(a, t, c, o, w, TRUING_OF_MASS, false, false, 0.0);
            truing_filter<T>(a, t, c, o, w, TRUING_BY_MASS, false, false, w.sum);
        }
        if (last) truing_filter<T>(a, t, c, o, w, TRUING_BY_VALUE, a.preset == TRUING_FILTER_SGLANG && k, q, 0.0);
    }
#pragma unroll 1
    for (truing_u32 i = thread / 32; i < words; i += TRUING_TOP_THREADS / 32) {
        const truing_i64 j = 32 * (truing_i64)i + lane;
        bool on = j < (truing_i64)a.valid;
        // a key that is 0 is none
        if (on && !poisoned) on = truing_key_at((const T *)0, a, t, c, j) >= w.last;
        const truing_u32 word = __ballot_sync(TRUING_FULL, on);
        if (lane == 0) mask[i] = word;
    }
    if (thread == 0 && poisoned) mask[words] = 1;
}
#define TRUING_EXTRA_FILTER(name, T)                                                                                                  \
    extern "C" __global__ __launch_bounds__(TRUING_TOP_THREADS) void truing_extra_filter_##name(const __grid_constant__ truing_extra_args a) { \
        truing_extra_filter<T>(a);                                                                                                    \
    }
TRUING_EXTRA_FILTER(f32, float)
TRUING_EXTRA_FILTER(bf16, truing_bf16)
TRUING_EXTRA_FILTER(f16, truing_f16)

// What the filters keep, and the bits of the rows; the targets only say which rows are ignored. A warp a row.
extern "C" __global__ __launch_bounds__(32 * TRUING_EXTRA_WARPS) void truing_extra_mask(const __grid_constant__ truing_extra_args a) {
    truing_wait();
    const truing_i64 row = (truing_i64)blockIdx.x * TRUING_EXTRA_WARPS + threadIdx.x / 32;
    const truing_u32 lane = threadIdx.x & 31, words = (a.vocab + 31) / 32;
    if (row >= a.rows) return;
    truing_i64 target = 0;
    const int kind = truing_source(a, row, target);
    const truing_transform t = truing_transform_of(a, row);
    const truing_choice c = truing_choose(a, t, row, TRUING_NO_TARGET, 0);
    truing_u32 flags = TRUING_ROW_IGNORED;
    int size = -1;
    if (kind != TRUING_IGNORED && truing_wrong(a, c, row, kind, target, lane)) {
        flags = TRUING_ROW_OUT_OF_RANGE;
    } else if (kind != TRUING_IGNORED && c.words[words]) {
        truing_u32 causes = 0;
#pragma unroll 1
        for (truing_u32 j = lane; j < a.valid; j += 32) {
            if (truing_bias_at(a, j) == -TRUING_INFF) continue;
            const float z = truing_logit(a, c.z, j);
            causes |= (z != z ? TRUING_ROW_NAN_INPUT : 0) | (z == TRUING_INFF ? TRUING_ROW_INF_INPUT : 0);
        }
        flags = __reduce_or_sync(TRUING_FULL, causes);
        if (flags == 0) flags = TRUING_ROW_OVERFLOW;
    } else if (kind != TRUING_IGNORED) {
        truing_u32 n = 0;
        for (truing_u32 i = lane; i < words; i += 32) n += (truing_u32)__popc(c.words[i]);
        size = (int)__reduce_add_sync(TRUING_FULL, n);
        flags = size == 0 ? TRUING_ROW_ALL_NEG_INF : 0;
    }
    flags |= truing_put_support(a, t, c, row, size > 0, lane);
    if (lane == 0) {
        truing_put(a.out_size, row, size);
        truing_put(a.out_status, row, flags);
    }
}
