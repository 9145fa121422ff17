// Truing: kernels for the alignment of language models. C99 and C++17, 64-bit targets.
//
// Letters: N rows or tokens (also given as [B,T]), V vocabulary, D hidden size, B or S sequences, P pairs, M list
// members, L lists, G prompt groups, H heads, K ids of a row. "0-d" is a tensor with ndim 0 or shape [1].
// "float" is f32, bf16 or f16; f64 too for values per token, sequence or item and for the logits of logprob, while it is
// reserved for other logits, hidden and weight. "int" is i32 or i64, "mask" is u8, i32 or i64.
//
// Rules for every args struct:
// - zero it, set struct_size to its sizeof, fill in what is needed; 0 and NULL mean off or absent unless said;
// - tensors are borrowed for the call; what a field called out_* or grad_*_out points to is written, the rest is read
//   (an output is a pointer to a constant descriptor, its data is not constant);
// - a tensor has at most 2^48 elements and covers everything from its first to its last one, the gaps of its strides
//   included. An output shares no byte with another tensor of the call (some may be one of the inputs itself, and say so),
//   and nobody else touches that memory during the call: two threads must not write interleaved columns of one buffer;
// - arrays called "host" (params, terms, groups) are read by the call itself; every data tensor lies on one device,
//   which decides where the call runs;
// - a host factor (weight, grad_scale, soft_weight, temperature, logit_scale) of 0 means 1; where 0 is a legal factor, a
//   flag (TRUING_LOSS_HAS_WEIGHT, TRUING_HAS_GRAD_SCALE, TRUING_HAS_SOFT_WEIGHT) says that 0 is meant. coef, hard_weight
//   and entropy_coef of 0 mean off; params take NaN or a missing tail as the default;
// - with CUDA tensors (logprob, divergence, sequence, preference, policy and some advantages so far) a call enqueues on its
//   stream, in the context of the tensors' device, and waits for nothing; it needs a context, and what it points to stays as
//   it is until the stream has passed it. The workspace has the size for that device and lies there. What only the data shows
//   (ids and offsets out of their range) is flagged in the outputs, not returned; fields that the device lacks are refused by
//   name;
// - a *_workspace_size function takes the arguments of its call, data pointers included. What it returns depends on
//   shapes, dtypes, options and the context only; of the data it reads nothing but offsets (cu_seqlens, list_offsets);
// - structs grow at their end or into reserved bytes. Arrays of structs say the bytes of one element (param_size,
//   extra_term_size), and whoever walks them steps by that many bytes;
// - a call refuses flag bits, enum values and non-zero reserved bytes that it does not know;
// - when a call returns an error, nothing has been written.

#ifndef TRUING_H
#define TRUING_H

// Written by `cargo xtask generate` from ffi/src; do not edit.

#include <stddef.h>
#include <stdint.h>

/// Version of this header's structs; compare with `truing_abi_version()`.
#define TRUING_ABI_VERSION 1

// ------------------------------------------------------------ status

/// Result of a call: `TRUING_STATUS_*`. When it is not 0, `truing_last_error()` says which field, what it holds and what it should hold.
typedef int32_t truing_status;
/// Done.
#define TRUING_STATUS_OK 0
/// A value outside its legal range, an unknown flag or enum, non-zero reserved bytes, a combination that makes no sense.
#define TRUING_STATUS_INVALID_ARGUMENT 1
/// Shapes, strides or lengths that do not fit each other.
#define TRUING_STATUS_SHAPE_MISMATCH 2
/// An element type that this call does not take here.
#define TRUING_STATUS_UNSUPPORTED_DTYPE 3
/// A device that this call does not run on, or two different ones.
#define TRUING_STATUS_UNSUPPORTED_DEVICE 4
/// A token id, index or offset outside its range.
#define TRUING_STATUS_OUT_OF_RANGE 5
/// An output that overlaps another tensor where that is not allowed.
#define TRUING_STATUS_ALIASING 6
/// The workspace is smaller than the minimum.
#define TRUING_STATUS_WORKSPACE_TOO_SMALL 7
/// No driver or no such device.
#define TRUING_STATUS_NO_DEVICE 8
/// The device refused a launch.
#define TRUING_STATUS_LAUNCH_FAILED 9
/// `struct_size` is smaller than in version 1, or the unknown tail of a newer struct is not zero.
#define TRUING_STATUS_ABI_MISMATCH 10
/// A bug of the library, caught at its boundary.
#define TRUING_STATUS_INTERNAL 11

// ------------------------------------------------------------ row status: bits of an optional u32 per row, sequence, item or group; out_counters is i64 [32], one per bit
/// Masked or ignored, not read.
#define TRUING_ROW_IGNORED (1u << 0)
/// NaN in a live value.
#define TRUING_ROW_NAN_INPUT (1u << 1)
/// +inf logit, or infinities that leave the result undefined.
#define TRUING_ROW_INF_INPUT (1u << 2)
/// Live target has probability 0.
#define TRUING_ROW_TARGET_NEG_INF (1u << 3)
/// No live column.
#define TRUING_ROW_ALL_NEG_INF (1u << 4)
/// Id outside its range where no error could be returned.
#define TRUING_ROW_OUT_OF_RANGE (1u << 5)
/// Target not in the sampling support.
#define TRUING_ROW_TARGET_OUTSIDE (1u << 6)
/// No live token, sample or element.
#define TRUING_ROW_EMPTY (1u << 7)
/// Finite inputs, result beyond the output type.
#define TRUING_ROW_OVERFLOW (1u << 8)
/// A documented clamp has acted.
#define TRUING_ROW_SATURATED (1u << 9)
/// The exact value is infinite.
#define TRUING_ROW_INFINITE (1u << 10)
/// Undefined statistic, stated fallback used.
#define TRUING_ROW_DEGENERATE (1u << 11)
/// Only a negatively weighted term was -inf (mix_logits).
#define TRUING_ROW_NEG_INF_CANCEL (1u << 12)

// ------------------------------------------------------------ tensors (DLTensor layout)

/// Where a tensor lives: `TRUING_DEVICE_*` (DLPack's numbers), 0 invalid.
typedef int32_t truing_device_type;
/// Host memory.
#define TRUING_DEVICE_CPU 1
/// Memory of a CUDA device.
#define TRUING_DEVICE_CUDA 2
/// Pinned host memory: runs on the CPU.
#define TRUING_DEVICE_CUDA_HOST 3
/// Managed memory: runs on the GPU of `device_id`.
#define TRUING_DEVICE_CUDA_MANAGED 13

/// Kind of an element type: `TRUING_DTYPE_*` (DLPack's numbers). 0 is a legal code, so `bits` = 0 is what marks an unset dtype.
typedef uint8_t truing_dtype_code;
/// Signed integer.
#define TRUING_DTYPE_INT 0
/// Unsigned integer.
#define TRUING_DTYPE_UINT 1
/// IEEE floating point (f16, f32, f64).
#define TRUING_DTYPE_FLOAT 2
/// bfloat16.
#define TRUING_DTYPE_BFLOAT 4
/// Boolean of 8 bits: taken as a u8 mask.
#define TRUING_DTYPE_BOOL 6

/// A device, in DLDevice's layout.
typedef struct truing_device {
    /// TRUING_DEVICE_*, 0 invalid.
    truing_device_type device_type;
    /// Ordinal, 0 for the CPU.
    int32_t device_id;
} truing_device;

/// An element type, in DLDataType's layout.
typedef struct truing_dtype {
    /// TRUING_DTYPE_*.
    truing_dtype_code code;
    /// 8, 16, 32, 64; 0 invalid.
    uint8_t bits;
    /// 1.
    uint16_t lanes;
} truing_dtype;

/// A borrowed array, in DLTensor's layout. Never kept, never freed.
typedef struct truing_tensor {
    /// Address on the device; written only through output fields.
    void *data;
    /// Where data lives.
    struct truing_device device;
    /// 0 to 3.
    int32_t ndim;
    /// Element type.
    struct truing_dtype dtype;
    /// [ndim] host, elements, >= 0.
    const int64_t *shape;
    /// [ndim] host, elements, >= 0, NULL = contiguous; last must be 1 (or 0 for a broadcast input of numbers per token, row or item).
    const int64_t *strides;
    /// Bytes added to data.
    uint64_t byte_offset;
} truing_tensor;

// ------------------------------------------------------------ context

/// Threads, math mode and caches; opaque, immutable after its creation, usable from several threads at once.
typedef struct truing_context truing_context;

/// How results may differ between devices: `TRUING_MODE_*`, 0 = portable.
typedef uint32_t truing_math_mode;
/// The same bits on every instruction set, thread count and device.
#define TRUING_MODE_PORTABLE 1
/// Reproducible on one device within stated bounds.
#define TRUING_MODE_FAST 2

/// Highest instruction set to use: `TRUING_ISA_*`, 0 = no cap. For tests.
typedef uint32_t truing_isa;
/// The target's baseline, no detection.
#define TRUING_ISA_BASELINE 1
/// AVX2 with FMA.
#define TRUING_ISA_AVX2 2
/// AVX-512 F, BW, CD, DQ, VL.
#define TRUING_ISA_AVX512 3
/// NEON.
#define TRUING_ISA_NEON 4
/// AVX-512 with the bf16 dot product.
#define TRUING_ISA_AVX512_BF16 5

/// What `truing_context_create` builds.
typedef struct truing_context_options {
    /// `sizeof(truing_context_options)`.
    uint32_t struct_size;
    /// 0 = calling thread only, at most 1024.
    uint32_t num_threads;
    /// 0.
    uint64_t flags;
    /// UTF-8 path for compiled kernels, NULL = no disk cache.
    const char *cuda_cache_dir;
    /// 0 = portable.
    truing_math_mode mode;
    /// 0 = no cap; for tests.
    truing_isa isa_cap;
    /// 0.
    uint8_t reserved[64];
} truing_context_options;

// ------------------------------------------------------------ catalogue

/// Stable id of a catalogue entry (constants in truing_losses.h), 0 invalid.
typedef uint32_t truing_loss_id;

/// Kind of an entry, which fixes its inputs: `TRUING_KIND_*`, 0 invalid.
typedef uint32_t truing_loss_kind;
/// Pairs of sequences.
#define TRUING_KIND_PAIR 1
/// Single sequences with a label.
#define TRUING_KIND_UNPAIRED 2
/// Ranked or scored lists of sequences.
#define TRUING_KIND_LIST 3
/// Single tokens.
#define TRUING_KIND_TOKEN 4
/// Tokens reduced to one number of a sequence.
#define TRUING_KIND_SEQUENCE 5
/// KL estimators from sampled tokens.
#define TRUING_KIND_ESTIMATOR 6

// ------------------------------------------------------------ input slots that an entry reads or has partials for
/// Slot: log-prob or score.
#define TRUING_SLOT_LOGP (1ull << 0)
/// Slot: reference (or teacher) log-prob or score.
#define TRUING_SLOT_REF (1ull << 1)
/// Slot: scored tokens.
#define TRUING_SLOT_LENGTH (1ull << 2)
/// Slot: KL of a sequence to the reference.
#define TRUING_SLOT_KL (1ull << 3)
/// Slot: the margins.
#define TRUING_SLOT_MARGIN (1ull << 4)
/// Slot: the third sequence of a pair.
#define TRUING_SLOT_ANCHOR (1ull << 5)
/// Slot: beta of an item.
#define TRUING_SLOT_BETA (1ull << 6)
/// Slot: desirable or not.
#define TRUING_SLOT_LABEL (1ull << 7)
/// Slot: baseline of a row.
#define TRUING_SLOT_BASELINE (1ull << 8)
/// Slot: shift of an item.
#define TRUING_SLOT_SHIFT (1ull << 9)
/// Slot: reward or rank of a list member.
#define TRUING_SLOT_LIST_TARGET (1ull << 10)
/// Slot: behaviour policy's log-prob.
#define TRUING_SLOT_OLD (1ull << 11)
/// Slot: inference engine's log-prob.
#define TRUING_SLOT_SAMPLER (1ull << 12)
/// Slot: advantage.
#define TRUING_SLOT_ADVANTAGE (1ull << 13)
/// Slot: entropy.
#define TRUING_SLOT_ENTROPY (1ull << 14)
/// Slot: u8 flag.
#define TRUING_SLOT_FLAG (1ull << 15)
/// Slot: log partition function of a sequence.
#define TRUING_SLOT_LOG_Z (1ull << 16)
/// Slot: importance weight.
#define TRUING_SLOT_IMPORTANCE (1ull << 17)
/// Slot: weight of a row, where the entry itself applies it.
#define TRUING_SLOT_WEIGHT (1ull << 18)

/// One parameter of a catalogue entry. It may grow: step through `params` by `truing_loss_description.param_size` bytes.
typedef struct truing_param_info {
    /// Static string.
    const char *name;
    /// Static string, one line.
    const char *description;
    /// NaN = required.
    double default_value;
    /// Legal range, -inf = none.
    double minimum;
    /// Legal range, +inf = none.
    double maximum;
    /// 1 = bound itself is illegal.
    uint32_t minimum_open;
    /// 1 = bound itself is illegal.
    uint32_t maximum_open;
    /// 0, or the only value of truing_loss.variant with which it is read; with others it need not be given.
    uint32_t variant;
    /// 0.
    uint8_t reserved[28];
} truing_param_info;

/// One catalogue entry.
typedef struct truing_loss_description {
    /// In: `sizeof(truing_loss_description)`.
    uint32_t struct_size;
    /// Out: stable id.
    truing_loss_id id;
    /// Out: static string.
    const char *name;
    /// Out: static string.
    const char *formula;
    /// Out: static string.
    const char *source;
    /// Out: [num_params], catalogue order, static, `param_size` bytes each.
    const struct truing_param_info *params;
    /// Out.
    size_t num_params;
    /// Out: [num_aliases] static.
    const char *const *aliases;
    /// Out.
    size_t num_aliases;
    /// Out: TRUING_SLOT_* read.
    uint64_t inputs;
    /// Out: TRUING_SLOT_* with a partial.
    uint64_t partials;
    /// Out: bit i = a partial wrt params[i] exists.
    uint64_t param_partials;
    /// Out: TRUING_KIND_*.
    truing_loss_kind kind;
    /// Out: 0, or the entry whose formula it uses.
    truing_loss_id preset_of;
    /// Out: bit k = score kind k allowed (TRUING_SCORE_*), 0 = not applicable.
    uint32_t score_kinds;
    /// Out: legal values 1..num_variants of truing_loss.variant, 0 = none.
    uint32_t num_variants;
    /// Out: 1 = a score map is allowed.
    uint32_t takes_map;
    /// Out: bit k = level k allowed (TRUING_LEVEL_*).
    uint32_t levels;
    /// Out: bytes of one `truing_param_info` of this library.
    uint32_t param_size;
    /// 0.
    uint32_t reserved0;
    /// Out: [num_variants] static, the names of variants 1, 2 and so on.
    const char *const *variants;
    /// 0.
    uint8_t reserved[56];
} truing_loss_description;

// ------------------------------------------------------------ flags (one space for all calls; a call refuses bits it does not know)
/// `rows.ignore_index` is set.
#define TRUING_HAS_IGNORE_INDEX (1ull << 0)
/// Check ids and values first; refused with CUDA tensors so far, where it would have to wait for the device.
#define TRUING_STRICT (1ull << 1)
/// Backward: ignore stats and recompute.
#define TRUING_RECOMPUTE (1ull << 2)
/// Add into grad_hidden_out.
#define TRUING_ACCUMULATE_HIDDEN (1ull << 3)
/// Add into grad_weight_out and grad_bias_out.
#define TRUING_ACCUMULATE_WEIGHT (1ull << 4)
/// Add into score, token or logit gradients and out_loss.
#define TRUING_ACCUMULATE_GRADS (1ull << 5)
/// Flagged items leave sum and divisor.
#define TRUING_SKIP_FLAGGED (1ull << 6)
/// `TRUING_SCORE_LD`: the reference stays an unweighted sum.
#define TRUING_LD_POLICY_ONLY (1ull << 7)
/// `score.clamp_low` and `score.clamp_high` are set.
#define TRUING_HAS_CLAMP (1ull << 8)
/// Opt in to gradient filtering.
#define TRUING_LOSSY_DROP (1ull << 9)
/// Divergence: value and gradients times student T^2; not the hard-label term's.
#define TRUING_TEMPERATURE_SQUARED (1ull << 10)
/// Divergence, raw mode: value >= 0.
#define TRUING_CLAMP_AT_ZERO (1ull << 11)
/// `grad_scale` is set: 0 is 0.
#define TRUING_HAS_GRAD_SCALE (1ull << 12)
/// Divergence: `options.soft_weight` is set: 0 is 0.
#define TRUING_HAS_SOFT_WEIGHT (1ull << 13)
/// Log-prob local: records also hold the sums that the mean logit needs; with label smoothing they do anyway.
#define TRUING_RECORD_SUMS (1ull << 14)

// ------------------------------------------------------------ groups shared by several calls (fixed size; they grow into reserved)

/// Rounding of logits of a linear form before the transforms: `TRUING_ROUND_*`.
typedef uint32_t truing_rounding;
/// Off.
#define TRUING_ROUND_NONE 0
/// To bf16, gradient straight through.
#define TRUING_ROUND_BF16 1
/// To f16, gradient straight through.
#define TRUING_ROUND_F16 2

/// What happens to a logit before the softmax: bias, logit_scale, softcap, 1/temperature, in this order.
typedef struct truing_transform {
    /// float [V], finite or -inf.
    const struct truing_tensor *bias;
    /// f32 [N] > 0, replaces temperature.
    const struct truing_tensor *row_temperature;
    /// > 0, 0 = 1.
    double temperature;
    /// > 0, 0 = 1.
    double logit_scale;
    /// > 0 logits, 0 = off.
    double softcap;
    /// Columns, 0 = V; the rest is dead.
    int64_t n_valid_vocab;
    /// Linear forms, fused losses too: rounding of z before the transforms; gradients pass straight through.
    truing_rounding logit_round;
    /// 0.
    uint32_t reserved0;
    /// 0.
    uint8_t reserved[64];
} truing_transform;

/// Logits = hidden x weight^T, then the transforms.
typedef struct truing_head {
    /// float [N,D] or [B,T,D].
    const struct truing_tensor *hidden;
    /// float [V,D].
    const struct truing_tensor *weight;
    /// Its transforms, bias included.
    struct truing_transform transform;
    /// 0.
    uint8_t reserved[40];
} truing_head;

/// Gradients of a head, each NULL = not wanted.
typedef struct truing_head_grads {
    /// float as hidden.
    const struct truing_tensor *grad_hidden_out;
    /// f32, or the weight's dtype where allowed, [V,D].
    const struct truing_tensor *grad_weight_out;
    /// f32 [V].
    const struct truing_tensor *grad_bias_out;
    /// 0.
    uint8_t reserved[24];
} truing_head_grads;

/// Which rows count and what their target is.
typedef struct truing_rows {
    /// int [N] or [B,T].
    const struct truing_tensor *target;
    /// mask [N] or [B,T], row live iff != 0.
    const struct truing_tensor *mask;
    /// int [B+1], packed layout.
    const struct truing_tensor *cu_seqlens;
    /// Token id, only with TRUING_HAS_IGNORE_INDEX.
    int64_t ignore_index;
    /// Rows, 0 to 2^31 - 1: row i uses target[i + shift] of its sequence (cu_seqlens, a row of [B,T], else all rows).
    int64_t shift;
    /// 0.
    uint8_t reserved[24];
} truing_rows;

/// Columns of the vocabulary that this device holds; all 0 = the whole vocabulary.
typedef struct truing_shard {
    /// Global column of local column 0.
    int64_t vocab_start;
    /// Global column behind the last local one, 0 = not sharded.
    int64_t vocab_end;
    /// Global columns.
    int64_t vocab_total;
    /// 0.
    uint8_t reserved[32];
} truing_shard;

/// How a sampling support is given: `TRUING_SUPPORT_*`, 0 = full vocabulary.
typedef uint32_t truing_support_kind;
/// By `bitmask`.
#define TRUING_SUPPORT_BITMASK 1
/// By `ids`.
#define TRUING_SUPPORT_IDS 2
/// By the filters `top_p`, `min_p`, `top_k` in the order of `preset`.
#define TRUING_SUPPORT_COMPUTED 3

/// Whose order, masses and ties the filters follow: `TRUING_FILTER_*`.
typedef uint32_t truing_filter_preset;
/// min_p, top_k, top_p; each sees the renormalised survivors.
#define TRUING_FILTER_VLLM 1
/// top_k, top_p, min_p; each sees the renormalised survivors.
#define TRUING_FILTER_HF 2
/// Judged together on the full distribution.
#define TRUING_FILTER_SGLANG 3

/// What happens to equal values at a filter's edge: `TRUING_TIES_*`, 0 = the preset's.
typedef uint32_t truing_ties;
/// The lower column is kept.
#define TRUING_TIES_INDEX 1
/// All are kept.
#define TRUING_TIES_ALL 2

/// Edge of top_p: `TRUING_TOP_P_*`, 0 = the preset's.
typedef uint32_t truing_top_p_edge;
/// Keep while the mass before a column is < top_p.
#define TRUING_TOP_P_STRICT 1
/// Keep while the mass before a column is <= top_p.
#define TRUING_TOP_P_INCLUSIVE 2

/// What happens to a target outside the support: `TRUING_TARGET_*`, 0 = keep. Flagged either way.
typedef uint32_t truing_target_outside;
/// The target is added to the support.
#define TRUING_TARGET_KEEP 1
/// Log-prob -inf, gradient 0.
#define TRUING_TARGET_NEG_INF 2

/// Sampling support that log-probs are normalised over; kind 0 = full vocabulary. Every figure and gradient is then that of
/// the row whose columns outside the support are dead.
typedef struct truing_support {
    /// u32 [N, ceil(V/32)].
    const struct truing_tensor *bitmask;
    /// int [N,K] padded with -1, or [total] with id_offsets; strictly ascending.
    const struct truing_tensor *ids;
    /// int [N+1].
    const struct truing_tensor *id_offsets;
    /// Mass in (0,1), 0 or >= 1 = off.
    double top_p;
    /// (0,1], 0 = off.
    double min_p;
    /// Columns, <= 0 = off.
    int64_t top_k;
    /// TRUING_SUPPORT_*, 0 = off.
    truing_support_kind kind;
    /// Computed: order and masses, required.
    truing_filter_preset preset;
    /// 0 = the preset's.
    truing_ties ties;
    /// 0 = the preset's.
    truing_top_p_edge top_p_edge;
    /// 0 = keep.
    truing_target_outside target_outside;
    /// 0.
    uint32_t reserved0;
    /// 0.
    uint8_t reserved[24];
} truing_support;

/// Definition of label smoothing: `TRUING_SMOOTHING_*`.
typedef uint32_t truing_smoothing_form;
/// (1-s) nll + s mean over live columns.
#define TRUING_SMOOTHING_TORCH 1
/// The same with s V/(V-1) for s.
#define TRUING_SMOOTHING_MEGATRON 2

/// Constant factor on a token's nll: `TRUING_SCALING_*`.
typedef uint32_t truing_token_scaling;
/// 1.
#define TRUING_SCALING_NONE 0
/// p of the target.
#define TRUING_SCALING_DFT 1
/// p (1 - p) of the target.
#define TRUING_SCALING_CHORD_PHI 2
/// (H/3)^alpha, H the entropy of the 20 largest.
#define TRUING_SCALING_EAFT 3
/// H^alpha.
#define TRUING_SCALING_EAFT_RAW 4
/// The caller's `external_scale`.
#define TRUING_SCALING_EXTERNAL 5

/// Items to one number: `TRUING_REDUCE_*`, 0 invalid.
typedef uint32_t truing_reduction;
/// No reduction: values per item.
#define TRUING_REDUCE_NONE 1
/// Weighted sum.
#define TRUING_REDUCE_SUM 2
/// Weighted sum over live items.
#define TRUING_REDUCE_MEAN 3
/// Weighted sum over the sum of weights.
#define TRUING_REDUCE_WEIGHTED_MEAN 4

/// Loss of a row: omega * smoothed nll + z_loss * lse^2.
typedef struct truing_row_loss {
    /// float [V] >= 0; of the whole vocabulary in a shard too.
    const struct truing_tensor *class_weight;
    /// f32 [N] >= 0, token_scaling EXTERNAL.
    const struct truing_tensor *external_scale;
    /// [0,1).
    double label_smoothing;
    /// >= 0, 1/nat^2.
    double z_loss;
    /// Exponent > 0, 0 = 1.
    double eaft_alpha;
    /// External divisor, 0 = off.
    double normaliser;
    /// Required when label_smoothing > 0.
    truing_smoothing_form smoothing_form;
    /// Constants, not differentiated.
    truing_token_scaling token_scaling;
    /// Required when out_loss is wanted.
    truing_reduction reduction;
    /// 0.
    uint32_t reserved0;
    /// 0.
    uint8_t reserved[24];
} truing_row_loss;
/// Columns of the saved statistics of a row (`stats`, `out_stats`, records), the 12 of [N,12]. What they hold is valid for
/// one version of the library (`truing_version()`) and the same options.
#define TRUING_STATS_WIDTH 12
/// The same of two heads (`pair_stats`, `out_pair_stats`, statistics of a divergence), the 16 of [N,16].
#define TRUING_PAIR_STATS_WIDTH 16

/// Outputs per row, each NULL = not wanted and costs nothing. With f64 logits every f32 below is f64.
typedef struct truing_figures {
    /// f32 [N], nats; -inf if the target is dead.
    const struct truing_tensor *out_logprob;
    /// f32 [N], nats.
    const struct truing_tensor *out_lse;
    /// f32 [N], transformed logit.
    const struct truing_tensor *out_max;
    /// i32 [N].
    const struct truing_tensor *out_argmax;
    /// f32 [N], nats.
    const struct truing_tensor *out_entropy;
    /// f32 [N], log of sum p^2.
    const struct truing_tensor *out_log_sum_sq;
    /// f32 [N], over live columns.
    const struct truing_tensor *out_mean_logit;
    /// u8 [N].
    const struct truing_tensor *out_is_top1;
    /// i32 [N], 0-based.
    const struct truing_tensor *out_rank;
    /// i32 [N].
    const struct truing_tensor *out_ties;
    /// i32 [N,K], K <= 512 from the shape.
    const struct truing_tensor *out_topk_ids;
    /// f32 [N,K], nats.
    const struct truing_tensor *out_topk_logprobs;
    /// f32 [N], nats, over the entropy_k largest.
    const struct truing_tensor *out_topk_entropy;
    /// Input: int [K] or [N,K], -1 = none.
    const struct truing_tensor *extra_ids;
    /// f32 [N,K], nats; -inf for -1 and for columns that are dead (a logit or bias of -inf, padding).
    const struct truing_tensor *out_extra_logprobs;
    /// f32 [N], nats.
    const struct truing_tensor *out_lse_support;
    /// f32 [N], nats <= 0.
    const struct truing_tensor *out_log_kept_mass;
    /// i32 [N], live columns of the support; -1 in ignored and bad rows.
    const struct truing_tensor *out_support_size;
    /// u32 [N, ceil(V/32)], the support used; feed back as `support.bitmask`.
    const struct truing_tensor *out_support_bitmask;
    /// i32 [N,K] ascending, -1 pads, the support used; rows with more than K kept hold the first K, flagged SATURATED.
    const struct truing_tensor *out_support_ids;
    /// f32 [N], the omega used; feed back as external_scale in backward.
    const struct truing_tensor *out_token_scale;
    /// f32 [N], unreduced.
    const struct truing_tensor *out_row_loss;
    /// f32 or f64 0-d, reduced.
    const struct truing_tensor *out_loss;
    /// f32 [N,12], opaque: for backward with the same options and library version.
    const struct truing_tensor *out_stats;
    /// u32 [N], TRUING_ROW_*.
    const struct truing_tensor *out_status;
    /// i64 [32].
    const struct truing_tensor *out_counters;
    /// Columns of out_topk_entropy, 0 = min(20, live).
    int64_t entropy_k;
    /// 0.
    uint8_t reserved[64];
} truing_figures;

/// Gradients handed to a backward, each NULL = 0. With f64 logits every f32 below is f64.
typedef struct truing_row_upstream {
    /// f32 [N].
    const struct truing_tensor *grad_logprob;
    /// f32 [N].
    const struct truing_tensor *grad_lse;
    /// f32 [N].
    const struct truing_tensor *grad_entropy;
    /// f32 [N,K], with extra_ids: g (1[j = id] - p_j) each; where the column is dead the second part alone, where it is -1 neither.
    const struct truing_tensor *grad_extra;
    /// f32 [N].
    const struct truing_tensor *grad_row_loss;
    /// float 0-d on the device, of the reduced loss.
    const struct truing_tensor *grad_loss;
    /// int [K] or [N,K].
    const struct truing_tensor *extra_ids;
    /// Host factor on all of them, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    double grad_scale;
    /// 0.
    uint8_t reserved[64];
} truing_row_upstream;

/// Divergence of teacher t and student p: `TRUING_DIVERGENCE_*`, 0 invalid.
typedef uint32_t truing_divergence_kind;
/// KL(t||p).
#define TRUING_DIVERGENCE_FORWARD_KL 1
/// KL(p||t).
#define TRUING_DIVERGENCE_REVERSE_KL 2
/// omega forward + (1 - omega) reverse.
#define TRUING_DIVERGENCE_MIXED_KL 3
/// forward + reverse.
#define TRUING_DIVERGENCE_JEFFREYS 4
/// Jensen-Shannon with weight beta on the teacher.
#define TRUING_DIVERGENCE_JSD 5
/// KL(t||lambda t + (1 - lambda) p).
#define TRUING_DIVERGENCE_SKEW_KL 6
/// KL(p||lambda p + (1 - lambda) t).
#define TRUING_DIVERGENCE_SKEW_REVERSE_KL 7
/// Renyi of order alpha on the teacher.
#define TRUING_DIVERGENCE_RENYI 8
/// Amari's alpha.
#define TRUING_DIVERGENCE_ALPHA 9
/// 1 - sum sqrt(t p).
#define TRUING_DIVERGENCE_HELLINGER2 10
/// sum (t - p)^2/p.
#define TRUING_DIVERGENCE_CHI2 11
/// sum (p - t)^2/t.
#define TRUING_DIVERGENCE_CHI2_REVERSE 12
/// Half the sum of |t - p|.
#define TRUING_DIVERGENCE_TVD 13
/// 1 - cosine of the probabilities.
#define TRUING_DIVERGENCE_COSINE_PROBS 14
/// 1 - cosine of the logits.
#define TRUING_DIVERGENCE_COSINE_LOGITS 15
/// -sum t log p.
#define TRUING_DIVERGENCE_CROSS_ENTROPY 16
/// -sum p log t.
#define TRUING_DIVERGENCE_REVERSE_CROSS_ENTROPY 17

// ------------------------------------------------------------ logprob

/// Figures and loss of rows of logits.
typedef struct truing_logprob_forward_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N,V] or [B,T,V].
    const struct truing_tensor *logits;
    /// Transforms of the logits.
    struct truing_transform transform;
    /// Targets, mask, packing.
    struct truing_rows rows;
    /// Normalise over a sampling support.
    struct truing_support support;
    /// Options of out_row_loss and out_loss.
    struct truing_row_loss row_loss;
    /// Outputs.
    struct truing_figures figures;
    /// Fused gradient of out_loss; may be logits itself.
    const struct truing_tensor *grad_logits_out;
    /// f32 [V], fused gradient of out_loss.
    const struct truing_tensor *grad_bias_out;
    /// Upstream of the fused gradient, float 0-d, NULL = 1.
    const struct truing_tensor *grad_loss;
    /// Host factor of the fused gradient, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    double grad_scale;
    /// 0.
    uint8_t reserved[64];
} truing_logprob_forward_args;

/// Gradient of the logits from gradients of the figures.
typedef struct truing_logprob_backward_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// As in forward.
    const struct truing_tensor *logits;
    /// As in forward.
    struct truing_transform transform;
    /// As in forward.
    struct truing_rows rows;
    /// As in forward; computed filters: run again, or BITMASK with `figures.out_support_bitmask` of the forward.
    struct truing_support support;
    /// As in forward. Without stats eaft finds its entropies again; EXTERNAL with `out_token_scale` saves that.
    struct truing_row_loss row_loss;
    /// Columns of this shard.
    struct truing_shard shard;
    /// f32 [N,12] of forward or finish, NULL = recompute.
    const struct truing_tensor *stats;
    /// Gradients of the figures.
    struct truing_row_upstream upstream;
    /// float as logits or wider; may be logits itself.
    const struct truing_tensor *grad_logits_out;
    /// f32 [V].
    const struct truing_tensor *grad_bias_out;
    /// u32 [N].
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_logprob_backward_args;

/// Round of a vocabulary-sharded call: `TRUING_LOCAL_*`, 0 invalid.
typedef uint32_t truing_local_pass;
/// First pass: records, top-k lists.
#define TRUING_LOCAL_RECORDS 1
/// Second pass, with finished stats: rank, ties, support mass and size.
#define TRUING_LOCAL_COUNTS 2
/// Second pass of a divergence that needs both normalisers first: value sums, with finished stats.
#define TRUING_LOCAL_VALUES 3

/// Records of the columns of one vocabulary shard.
typedef struct truing_logprob_local_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N,V_local].
    const struct truing_tensor *logits;
    /// `bias` is [V_local], `n_valid_vocab` global.
    struct truing_transform transform;
    /// Targets are global ids.
    struct truing_rows rows;
    /// BITMASK or IDS, whose columns count from this shard's first.
    struct truing_support support;
    /// Label smoothing: the records then hold what it needs.
    struct truing_row_loss row_loss;
    /// Required.
    struct truing_shard shard;
    /// f32 [N,12] of finish, second pass only.
    const struct truing_tensor *stats;
    /// int [K] or [N,K], global.
    const struct truing_tensor *extra_ids;
    /// f32 [N,12], record of all live local columns; first pass.
    const struct truing_tensor *out_records;
    /// f32 [N,12], record of those in the support; first pass.
    const struct truing_tensor *out_support_records;
    /// i32 [N,K], global ids.
    const struct truing_tensor *out_topk_ids;
    /// f32 [N,K], transformed.
    const struct truing_tensor *out_topk_logits;
    /// f32 [N,K], -inf where the id is not local.
    const struct truing_tensor *out_extra_logits;
    /// i64 [N,4]: larger and tied (in the support, if there is one), kept, live; second pass, counts add.
    const struct truing_tensor *out_counts;
    /// u32 [N].
    const struct truing_tensor *out_status;
    /// TRUING_LOCAL_*, required.
    truing_local_pass local_pass;
    /// 0.
    uint32_t reserved0;
    /// 0.
    uint8_t reserved[64];
} truing_logprob_local_args;

/// Figures from the records of all shards.
typedef struct truing_logprob_finish_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// f32 [shards,N,12], in shard order.
    const struct truing_tensor *records;
    /// f32 [shards,N,12]; figures are then over the support. NULL = full vocabulary.
    const struct truing_tensor *support_records;
    /// i64 [shards+1] on the CPU, global columns, ascending.
    const struct truing_tensor *shard_starts;
    /// i32 [shards,N,K].
    const struct truing_tensor *topk_ids;
    /// f32 [shards,N,K].
    const struct truing_tensor *topk_logits;
    /// f32 [shards,N,K].
    const struct truing_tensor *extra_logits;
    /// i64 [N,4], already summed over shards.
    const struct truing_tensor *counts;
    /// Scalars only.
    struct truing_transform transform;
    /// As in local.
    struct truing_rows rows;
    /// Options of out_row_loss and out_loss. EAFT needs topk lists of 20.
    struct truing_row_loss row_loss;
    /// Outputs; `extra_ids` as in local. No bitmask and no ids of the support.
    struct truing_figures figures;
    /// 0.
    uint8_t reserved[64];
} truing_logprob_finish_args;

/// Records carry no trace of where logits came from.
typedef struct truing_logprob_finish_args truing_linear_logprob_finish_args;

// ------------------------------------------------------------ linear_logprob

/// Figures and loss of hidden x weight^T, without a logits tensor.
typedef struct truing_linear_logprob_forward_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// Hidden, weight, bias, transforms.
    struct truing_head head;
    /// Targets, mask, packing.
    struct truing_rows rows;
    /// Normalise over a sampling support.
    struct truing_support support;
    /// Options of the loss outputs.
    struct truing_row_loss row_loss;
    /// Outputs.
    struct truing_figures figures;
    /// Fused gradient of out_loss.
    struct truing_head_grads grads;
    /// Upstream of the fused gradient, float 0-d, NULL = 1.
    const struct truing_tensor *grad_loss;
    /// Host factor of the fused gradient, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    double grad_scale;
    /// 0.
    uint8_t reserved[64];
} truing_linear_logprob_forward_args;

/// Gradients of hidden, weight and bias from gradients of the figures.
typedef struct truing_linear_logprob_backward_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// As in forward.
    struct truing_head head;
    /// As in forward.
    struct truing_rows rows;
    /// As in forward.
    struct truing_support support;
    /// As in forward.
    struct truing_row_loss row_loss;
    /// Weight holds these columns; grad_hidden_out is then a partial sum.
    struct truing_shard shard;
    /// f32 [N,12], NULL = recompute.
    const struct truing_tensor *stats;
    /// Gradients of the figures.
    struct truing_row_upstream upstream;
    /// Outputs.
    struct truing_head_grads grads;
    /// u32 [N].
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_linear_logprob_backward_args;

/// Records of the columns of one vocabulary shard of the weight.
typedef struct truing_linear_logprob_local_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// `weight` is [V_local,D].
    struct truing_head head;
    /// Targets are global ids.
    struct truing_rows rows;
    /// BITMASK or IDS, whose columns count from this shard's first.
    struct truing_support support;
    /// Label smoothing: the records then hold what it needs.
    struct truing_row_loss row_loss;
    /// Required.
    struct truing_shard shard;
    /// f32 [N,12] of finish, second pass only.
    const struct truing_tensor *stats;
    /// int [K] or [N,K], global.
    const struct truing_tensor *extra_ids;
    /// f32 [N,12], record of all live local columns; first pass.
    const struct truing_tensor *out_records;
    /// f32 [N,12], record of those in the support; first pass.
    const struct truing_tensor *out_support_records;
    /// i32 [N,K], global ids.
    const struct truing_tensor *out_topk_ids;
    /// f32 [N,K].
    const struct truing_tensor *out_topk_logits;
    /// f32 [N,K], -inf where the id is not local.
    const struct truing_tensor *out_extra_logits;
    /// i64 [N,4]: larger and tied (in the support, if there is one), kept, live; second pass, counts add.
    const struct truing_tensor *out_counts;
    /// u32 [N].
    const struct truing_tensor *out_status;
    /// TRUING_LOCAL_*, required.
    truing_local_pass local_pass;
    /// 0.
    uint32_t reserved0;
    /// 0.
    uint8_t reserved[64];
} truing_linear_logprob_local_args;

/// Which columns the filters of a sampler keep.
typedef struct truing_support_mask_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N,V] or [B,T,V].
    const struct truing_tensor *logits;
    /// Transforms of the logits.
    struct truing_transform transform;
    /// Mask and ignored targets: such rows keep nothing.
    struct truing_rows rows;
    /// Kind COMPUTED: the filters.
    struct truing_support support;
    /// u32 [N, ceil(V/32)], column j = bit j mod 32 of word j/32.
    const struct truing_tensor *out_bitmask;
    /// i32 [N,K] ascending, -1 pads; rows with more than K kept hold the first K and are flagged SATURATED.
    const struct truing_tensor *out_ids;
    /// i32 [N], columns kept; -1 in ignored rows and those with NaN or +inf.
    const struct truing_tensor *out_size;
    /// u32 [N], TRUING_ROW_*.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_support_mask_args;

/// Token distribution shift of an aligned model against its base.
typedef struct truing_tds_rows_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N,V] or [B,T,V], logits of the base model.
    const struct truing_tensor *base;
    /// float as base, logits of the aligned model.
    const struct truing_tensor *aligned;
    /// Transforms of base.
    struct truing_transform base_transform;
    /// Transforms of aligned.
    struct truing_transform aligned_transform;
    /// Tokens (NULL = the largest column of each aligned row), mask.
    struct truing_rows rows;
    /// i32 [N], base columns above the token's; -1 in masked and bad rows.
    const struct truing_tensor *out_rank;
    /// i32 [N], other base columns equal to it.
    const struct truing_tensor *out_ties;
    /// i32 [N], rank + 1.
    const struct truing_tensor *out_eta;
    /// i32 [N], eta + ties.
    const struct truing_tensor *out_eta_max;
    /// f32 [N], nats, of the token under base.
    const struct truing_tensor *out_logp_base;
    /// f32 [N], nats, of the token under aligned.
    const struct truing_tensor *out_logp_aligned;
    /// f32 [N], nats, KL(aligned||base).
    const struct truing_tensor *out_kl_aligned_base;
    /// f32 [N], nats, KL(base||aligned).
    const struct truing_tensor *out_kl_base_aligned;
    /// u8 [N]: 0 eta 1, 1 eta 2 or 3, 2 eta above 3, 255 none.
    const struct truing_tensor *out_class;
    /// i64 [4], rows of classes 0, 1, 2 and 255.
    const struct truing_tensor *out_counts;
    /// u32 [N], TRUING_ROW_*.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_tds_rows_args;

// ------------------------------------------------------------ sequence

/// Tokens to a sequence score: `TRUING_SCORE_*`.
typedef uint32_t truing_score_kind;
/// Weighted sum of live tokens.
#define TRUING_SCORE_SUM 1
/// The sum over a divisor.
#define TRUING_SCORE_MEAN 2
/// Sum up to the prefix plus alpha times the rest (LD-DPO).
#define TRUING_SCORE_LD 3

/// Divisor of a mean score: `TRUING_DIVISOR_*`.
typedef uint32_t truing_score_divisor;
/// Live tokens.
#define TRUING_DIVISOR_TOKENS 1
/// Sum of their weights.
#define TRUING_DIVISOR_WEIGHTS 2
/// The field `normaliser`.
#define TRUING_DIVISOR_EXTERNAL 3

/// How the tokens of a sequence form its score.
typedef struct truing_score {
    /// f32 [N] >= 0, NULL = 1.
    const struct truing_tensor *token_weights;
    /// i32 [B] tokens, score ld: min length of the pair.
    const struct truing_tensor *ld_prefix;
    /// [0,1], weight behind the prefix, used as given.
    double ld_alpha;
    /// Token log-ratio bound, nats, with TRUING_HAS_CLAMP.
    double clamp_low;
    /// Token log-ratio bound, nats, with TRUING_HAS_CLAMP.
    double clamp_high;
    /// Divisor EXTERNAL, > 0.
    double normaliser;
    /// Required.
    truing_score_kind kind;
    /// Mean: required.
    truing_score_divisor divisor;
    /// 0.
    uint8_t reserved[24];
} truing_score;

/// Token values to sequence scores.
typedef struct truing_sequence_forward_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N] or [B,T], nats.
    const struct truing_tensor *logps;
    /// float, same shape; score of the difference.
    const struct truing_tensor *ref_logps;
    /// mask, same shape.
    const struct truing_tensor *mask;
    /// int [B+1], packed layout.
    const struct truing_tensor *cu_seqlens;
    /// Options.
    struct truing_score score;
    /// f64 or f32 [B], nats.
    const struct truing_tensor *out_scores;
    /// i32 [B], live tokens.
    const struct truing_tensor *out_counts;
    /// i32 [B], first live position, -1 if none.
    const struct truing_tensor *out_first;
    /// i32 [B], last live position, -1 if none.
    const struct truing_tensor *out_last;
    /// u32 [B].
    const struct truing_tensor *out_status;
    /// i64 [32].
    const struct truing_tensor *out_counters;
    /// 0.
    uint8_t reserved[64];
} truing_sequence_forward_args;

/// Gradients of the token values.
typedef struct truing_sequence_backward_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// As in forward, needed with a clamp only.
    const struct truing_tensor *logps;
    /// As in forward, needed with a clamp only.
    const struct truing_tensor *ref_logps;
    /// As in forward.
    const struct truing_tensor *mask;
    /// As in forward.
    const struct truing_tensor *cu_seqlens;
    /// As in forward.
    struct truing_score score;
    /// f64 or f32 [B].
    const struct truing_tensor *grad_scores;
    /// float 0-d factor, NULL = 1.
    const struct truing_tensor *grad_output;
    /// f32 as logps.
    const struct truing_tensor *grad_logps_out;
    /// f32 as logps.
    const struct truing_tensor *grad_ref_logps_out;
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    double grad_scale;
    /// 0.
    uint8_t reserved[64];
} truing_sequence_backward_args;

// ------------------------------------------------------------ preference

/// f-divergence map of a pair's scores: `TRUING_MAP_*`, 0 = identity.
typedef uint32_t truing_score_map;
/// x (reverse KL).
#define TRUING_MAP_IDENTITY 0
/// log sigmoid(x).
#define TRUING_MAP_JS 1
/// -exp(-alpha x)/alpha.
#define TRUING_MAP_ALPHA 2
/// `TRUING_MAP_ALPHA` at alpha = 1.
#define TRUING_MAP_FORWARD_KL 3

/// Bits of `truing_loss.flags`: `TRUING_LOSS_HAS_*`.
typedef uint32_t truing_loss_flags;
/// `weight` is set: 0 is 0.
#define TRUING_LOSS_HAS_WEIGHT (1u << 0)

/// One catalogue entry with its settings.
typedef struct truing_loss {
    /// TRUING_PAIR_*, TRUING_TOKEN_* and so on of truing_losses.h; its kind decides which inputs are read.
    truing_loss_id id;
    /// Integer choice of the entry (cispo bounds, bt_ties model), 0 = none.
    uint32_t variant;
    /// [num_params] host, catalogue order, NaN = default.
    const double *params;
    /// Values given; a missing tail means default.
    size_t num_params;
    /// Factor after the reduction, 0 = 1 without TRUING_LOSS_HAS_WEIGHT; a term of weight 0 adds nothing.
    double weight;
    /// External divisor of the reduction, 0 = off.
    double normaliser;
    /// Alpha of the score map (exponent, not TRL's 1 - alpha).
    double map_alpha;
    /// Clamp of the map's exponent, 0 = off.
    double map_max_exponent;
    /// Score map, entries of the difference only.
    truing_score_map map;
    /// Required for pair, unpaired, list; 0 for token and sequence kinds.
    truing_reduction reduction;
    /// TRUING_SCORE_SUM or MEAN of this term, made from sums and live counts; 0 = the call's.
    uint32_t score_kind;
    /// TRUING_LOSS_HAS_*.
    truing_loss_flags flags;
    /// 0.
    uint8_t reserved[24];
} truing_loss;

/// How pairs lie in the sequences: `TRUING_LAYOUT_*`, 0 invalid for pairs.
typedef uint32_t truing_pair_layout;
/// By `chosen_seq`, `rejected_seq`, `anchor_seq`.
#define TRUING_LAYOUT_INDEXED 1
/// Even sequences chosen, odd rejected; with anchors: threes.
#define TRUING_LAYOUT_INTERLEAVED 2
/// First half chosen, second half rejected; with anchors: thirds.
#define TRUING_LAYOUT_STACKED 3

/// How sequences form items: pairs [P], unpaired rows [S] or lists [L].
typedef struct truing_groups {
    /// int [P], sequence index.
    const struct truing_tensor *chosen_seq;
    /// int [P], sequence index.
    const struct truing_tensor *rejected_seq;
    /// int [P], sequence index.
    const struct truing_tensor *anchor_seq;
    /// int [L+1] into members.
    const struct truing_tensor *list_offsets;
    /// int [M], sequence index, NULL = members are the sequences in order.
    const struct truing_tensor *member_seq;
    /// float [M], reward or rank of the entry.
    const struct truing_tensor *list_targets;
    /// mask [items], 0 = ignored.
    const struct truing_tensor *item_mask;
    /// float [items] >= 0 or 0-d, NULL = 1.
    const struct truing_tensor *item_weight;
    /// float [items] > 0 or 0-d, replaces the entry's beta; bt_mse: alpha.
    const struct truing_tensor *item_beta;
    /// float [P] or 0-d, meaning by entry.
    const struct truing_tensor *margin_chosen;
    /// float [P] or 0-d, meaning by entry.
    const struct truing_tensor *margin_rejected;
    /// u8 or i8 [S], unpaired: > 0 desirable.
    const struct truing_tensor *label;
    /// float [S] or 0-d: kto z0, poft m, a_star_po r - V, prime_ce y.
    const struct truing_tensor *baseline;
    /// float [items] or 0-d: bco delta.
    const struct truing_tensor *shift;
    /// Pairs: required.
    truing_pair_layout layout;
    /// 0.
    uint32_t reserved0;
    /// 0.
    uint8_t reserved[32];
} truing_groups;
/// Live items.
#define TRUING_PREFERENCE_STAT_ITEMS 0
/// Sum of item weights.
#define TRUING_PREFERENCE_STAT_WEIGHT_SUM 1
/// Sum of weighted losses.
#define TRUING_PREFERENCE_STAT_LOSS_SUM 2
/// Sum of chosen rewards.
#define TRUING_PREFERENCE_STAT_REWARD_CHOSEN_SUM 3
/// Sum of rejected rewards.
#define TRUING_PREFERENCE_STAT_REWARD_REJECTED_SUM 4
/// Items whose chosen reward is strictly larger.
#define TRUING_PREFERENCE_STAT_CORRECT 5
/// Divisor that the reduction used.
#define TRUING_PREFERENCE_STAT_DIVISOR 6
/// Length of `out_statistics` of a preference term; entries behind the named ones are 0.
#define TRUING_PREFERENCE_STAT_COUNT 16

/// Outputs of one preference term, each NULL = not wanted. Shapes are those of the term's items.
typedef struct truing_item_outputs {
    /// f64 or f32 [items], before weights and reduction (also the partial wrt the item weight).
    const struct truing_tensor *out_losses;
    /// f64 or f32 [P]; unpaired [S]; list [M].
    const struct truing_tensor *out_reward_chosen;
    /// f64 or f32 [P].
    const struct truing_tensor *out_reward_rejected;
    /// f64 or f32 [P], wrt margin_chosen - margin_rejected.
    const struct truing_tensor *grad_margin_out;
    /// f64 or f32 [P], wrt margin_chosen; 0 where the entry has no such partial.
    const struct truing_tensor *grad_margin_chosen_out;
    /// f64 or f32 [P], wrt margin_rejected.
    const struct truing_tensor *grad_margin_rejected_out;
    /// f64 or f32 [S].
    const struct truing_tensor *grad_baseline_out;
    /// f64 [num_params], summed over items; 0 where no partial exists.
    const struct truing_tensor *grad_params_out;
    /// f64 or f32 [items], the entry's second output (poft weight).
    const struct truing_tensor *out_aux;
    /// f64 [TRUING_PREFERENCE_STAT_COUNT], sums over live items.
    const struct truing_tensor *out_statistics;
    /// u32 [items], `TRUING_ROW_*`.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[48];
} truing_item_outputs;

/// Outputs of all terms together, each NULL = not wanted.
typedef struct truing_preference_outputs {
    /// f64 or f32 0-d, sum of all terms after reduction.
    const struct truing_tensor *out_loss;
    /// f64 or f32 [S]; a sequence in several items adds in item order (chosen, rejected, anchor), then term order.
    const struct truing_tensor *grad_scores_out;
    /// f64 or f32 [S].
    const struct truing_tensor *grad_kl_out;
    /// i64 [32], one per status bit.
    const struct truing_tensor *out_counters;
    /// 0.
    uint8_t reserved[32];
} truing_preference_outputs;

/// A further term of the same call: its own entry over the call's items. It may grow: the call's `extra_term_size` says where
/// the next one starts.
typedef struct truing_preference_term {
    /// Entry and settings.
    struct truing_loss loss;
    /// 0.
    uint8_t reserved[32];
} truing_preference_term;

/// Split form: sequence scores in, loss and partials out.
typedef struct truing_preference_forward_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// f64 or float [S], nats (or rewards of a reward model).
    const struct truing_tensor *scores;
    /// f64 or float [S], NULL = no reference or already subtracted.
    const struct truing_tensor *ref_scores;
    /// i32 [S], scored tokens; required by entries that divide.
    const struct truing_tensor *lengths;
    /// f64 or float [S], nats: tdpo.
    const struct truing_tensor *kl;
    /// Pairs, rows or lists.
    struct truing_groups groups;
    /// First term.
    struct truing_loss loss;
    /// Host [num_extra_terms], further terms, `extra_term_size` bytes each.
    const struct truing_preference_term *extra_terms;
    /// Number of further terms, at most 7.
    size_t num_extra_terms;
    /// float 0-d, or [items] for REDUCE_NONE; NULL = 1.
    const struct truing_tensor *grad_output;
    /// Host factor of the partials, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    double grad_scale;
    /// What scores are; checked against the entry, 0 = not checked.
    truing_score_kind score_kind;
    /// `sizeof(truing_preference_term)` as the caller compiled it, 0 = that of version 1.
    uint32_t extra_term_size;
    /// Outputs of the first term.
    struct truing_item_outputs items;
    /// Outputs of all terms together.
    struct truing_preference_outputs outputs;
    /// 0.
    uint8_t reserved[64];
} truing_preference_forward_args;

// ------------------------------------------------------------ linear_preference

/// Part of a fused call to run: `TRUING_PHASE_*`, 0 invalid.
typedef uint32_t truing_phase;
/// Loss and gradients in one call.
#define TRUING_PHASE_SINGLE 1
/// Scores, figures and stats only.
#define TRUING_PHASE_FIGURES 2
/// Gradients from the caller's coefficients.
#define TRUING_PHASE_WITH_COEFFICIENTS 3

/// Divisor of a side term's token sum: `TRUING_SIDE_DIVISOR_*`.
typedef uint32_t truing_side_divisor;
/// All its tokens.
#define TRUING_SIDE_DIVISOR_POOLED 1
/// Mean over a sequence's tokens, then over sequences.
#define TRUING_SIDE_DIVISOR_ROW_MEAN 2
/// The field `normaliser`.
#define TRUING_SIDE_DIVISOR_EXTERNAL 3
/// Sum of a sequence's tokens, mean over items (xpo with `coef` < 0).
#define TRUING_SIDE_DIVISOR_ITEM_SUM 4

/// Tokens of a side term: `TRUING_SIDE_*`.
typedef uint32_t truing_side_scope;
/// Chosen sequences.
#define TRUING_SIDE_CHOSEN 1
/// Anchor sequences.
#define TRUING_SIDE_ANCHOR 2
/// Every token of the term's mask, also of sequences in no item.
#define TRUING_SIDE_MASKED 3

/// A further term over tokens: coef * (nll, or exact divergence to the reference head).
typedef struct truing_side_term {
    /// mask [N], may exceed rows.mask (orpo of TRL: prompt too), NULL = rows.mask.
    const struct truing_tensor *mask;
    /// Factor, finite, either sign.
    double coef;
    /// Tokens, divisor EXTERNAL.
    double normaliser;
    /// Required when coef != 0.
    truing_side_divisor divisor;
    /// Its tokens; required when coef != 0.
    truing_side_scope scope;
    /// 0 = -logprob of the target; else this divergence to `ref_head`'s row: FORWARD_KL, or REVERSE_KL (KL(policy||ref)).
    truing_divergence_kind divergence;
    /// 0.
    uint32_t reserved0;
    /// 0.
    uint8_t reserved[32];
} truing_side_term;

/// Weight of a pair formed from the policy's own figures: `TRUING_WPO_*`, 0 = off.
typedef uint32_t truing_wpo_form;
/// exp of the sum over both sides of mean(l - log sum p^2).
#define TRUING_WPO_TRL 1
/// min(1, exp of the sum of both means).
#define TRUING_WPO_PLAIN 2

/// Hidden states to preference loss and gradients (`truing_linear_preference_forward`).
typedef struct truing_linear_preference_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// Policy.
    struct truing_head head;
    /// Reference over the same rows, hidden NULL = none (tdpo needs it).
    struct truing_head ref_head;
    /// Targets; `cu_seqlens` [S+1], or shapes [S,T].
    struct truing_rows rows;
    /// Sampling support.
    struct truing_support support;
    /// Tokens to scores.
    struct truing_score score;
    /// float [N], token reference, nats.
    const struct truing_tensor *ref_logps;
    /// f64 or float [S], sequence reference, nats.
    const struct truing_tensor *ref_scores;
    /// Pairs, rows or lists.
    struct truing_groups groups;
    /// First term.
    struct truing_loss loss;
    /// Host [num_extra_terms], further terms, `extra_term_size` bytes each.
    const struct truing_preference_term *extra_terms;
    /// Number of further terms, at most 7.
    size_t num_extra_terms;
    /// A further term over tokens.
    struct truing_side_term side_term;
    /// f64 [S], dL/dscore, phase WITH_COEFFICIENTS.
    const struct truing_tensor *score_coefficients;
    /// f64 [S], dL/dkl, phase WITH_COEFFICIENTS with `ref_head`.
    const struct truing_tensor *kl_coefficients;
    /// f32 [N,12] of the first phase, NULL = recompute.
    const struct truing_tensor *stats;
    /// f32 [N,16] of the first phase, both heads, with `ref_head`; NULL = recompute.
    const struct truing_tensor *pair_stats;
    /// float 0-d, NULL = 1.
    const struct truing_tensor *grad_output;
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    double grad_scale;
    /// Required.
    truing_phase phase;
    /// Pair weight from this head, a further factor beside `groups.item_weight`; 0 = off.
    truing_wpo_form wpo;
    /// `sizeof(truing_preference_term)` as the caller compiled it, 0 = that of version 1.
    uint32_t extra_term_size;
    /// 0.
    uint32_t reserved0;
    /// Outputs, policy head.
    struct truing_head_grads grads;
    /// f32 [N], nats.
    const struct truing_tensor *out_logps;
    /// f64 [S].
    const struct truing_tensor *out_scores;
    /// f64 [S], with ref_head or ref_logps.
    const struct truing_tensor *out_ref_scores;
    /// f64 [S], sum of KL(ref||policy) (of the side term's divergence, where that is another), with ref_head.
    const struct truing_tensor *out_kl;
    /// i32 [S], live tokens.
    const struct truing_tensor *out_counts;
    /// f64 0-d, the side term before `coef`.
    const struct truing_tensor *out_side_term;
    /// f32 [N,12], opaque.
    const struct truing_tensor *out_stats;
    /// f32 [N,16], both heads, opaque; with `ref_head`.
    const struct truing_tensor *out_pair_stats;
    /// u32 [N].
    const struct truing_tensor *out_row_status;
    /// Outputs of the first term.
    struct truing_item_outputs items;
    /// Outputs of all terms together.
    struct truing_preference_outputs outputs;
    /// 0.
    uint8_t reserved[64];
} truing_linear_preference_args;

// ------------------------------------------------------------ policy

/// Level of a ratio: `TRUING_LEVEL_*`, 0 invalid.
typedef uint32_t truing_level;
/// Each token's own.
#define TRUING_LEVEL_TOKEN 1
/// One per sequence.
#define TRUING_LEVEL_SEQUENCE 2

/// Token or sequence values to one number: `TRUING_AGGREGATE_*`, 0 invalid.
typedef uint32_t truing_aggregate_mode;
/// Sum over live tokens of the batch.
#define TRUING_AGGREGATE_TOKEN_MEAN 1
/// Mean over a sequence's tokens, mean over sequences.
#define TRUING_AGGREGATE_SEQ_MEAN_TOKEN_MEAN 2
/// Sum over a sequence's tokens, mean over sequences.
#define TRUING_AGGREGATE_SEQ_MEAN_TOKEN_SUM 3
/// The same over `max_length`.
#define TRUING_AGGREGATE_SEQ_MEAN_TOKEN_SUM_NORM 4
/// Sum of live tokens.
#define TRUING_AGGREGATE_TOKEN_SUM 5
/// Mean over sequences of a sequence or list entry.
#define TRUING_AGGREGATE_SEQ_MEAN 6
/// Sum of weighted tokens over the denominator.
#define TRUING_AGGREGATE_WEIGHTED_MEAN 7
/// Values only; the upstream gradient is [N] or [B].
#define TRUING_AGGREGATE_NONE 8

/// Whether sequences without live tokens count in a mean: `TRUING_COUNT_*`.
typedef uint32_t truing_count_empty;
/// They count.
#define TRUING_COUNT_ALL 1
/// They do not.
#define TRUING_COUNT_NONEMPTY 2

/// Tokens that a denominator counts: `TRUING_DENOMINATOR_*`, 0 = original.
typedef uint32_t truing_denominator;
/// Live tokens, dropped ones included.
#define TRUING_DENOMINATOR_ORIGINAL 1
/// Live tokens that were not dropped.
#define TRUING_DENOMINATOR_KEPT 2
/// Weighted mean: the sum of weights.
#define TRUING_DENOMINATOR_WEIGHTS 3

/// How token or sequence values form one loss.
typedef struct truing_aggregate {
    /// Replaces the denominator, 0 = off.
    double normaliser;
    /// Divisor in tokens of SEQ_MEAN_TOKEN_SUM_NORM.
    double max_length;
    /// Required.
    truing_aggregate_mode mode;
    /// Required by the seq_ modes.
    truing_count_empty count_empty;
    /// 0 = original.
    truing_denominator denominator;
    /// 0.
    uint32_t reserved0;
    /// 0.
    uint8_t reserved[32];
} truing_aggregate;

/// Weight of an estimator: `TRUING_ESTIMATOR_*`.
typedef uint32_t truing_estimator_weight;
/// 1.
#define TRUING_ESTIMATOR_ONE 1
/// 1 in value, the score-function term in the gradient.
#define TRUING_ESTIMATOR_SCORE 2
/// The token's ratio, differentiated.
#define TRUING_ESTIMATOR_RATIO 3
/// exp of the sequence's mean log ratio, differentiated.
#define TRUING_ESTIMATOR_RATIO_SEQUENCE 4

/// Gradient of an estimator: `TRUING_GRADIENT_*`.
typedef uint32_t truing_estimator_gradient;
/// Of the value.
#define TRUING_GRADIENT_PATHWISE 1
/// -z, z = ref - logp.
#define TRUING_GRADIENT_STRAIGHT_THROUGH 2
/// -z min(ratio, ratio_max).
#define TRUING_GRADIENT_STRAIGHT_THROUGH_RATIO 3

/// What an input clamp does outside its bound: `TRUING_CLAMP_*`.
typedef uint32_t truing_clamp_mode;
/// Continues along the tangent.
#define TRUING_CLAMP_LINEAR 1
/// Constant.
#define TRUING_CLAMP_ZERO_GRADIENT 2

/// Where the KL term is added: `TRUING_KL_*`, 0 = after the importance weight.
typedef uint32_t truing_kl_stage;
/// After the importance weight.
#define TRUING_KL_AFTER_WEIGHT 1
/// Before it: the weight multiplies the KL too.
#define TRUING_KL_BEFORE_WEIGHT 2

/// Denominator of an estimator's ratio: `TRUING_RATIO_*`, 0 = old.
typedef uint32_t truing_ratio_source;
/// The behaviour policy `old`.
#define TRUING_RATIO_OLD 1
/// The inference engine `sampler`.
#define TRUING_RATIO_SAMPLER 2

/// KL to the reference: as a term beside the loss, or as a catalogue entry of its own.
typedef struct truing_estimator {
    /// `k1`, `k2`, `k3`, `abs`; 0 = off.
    truing_loss_id id;
    /// Required when id is set.
    truing_estimator_weight weight;
    /// Required when id is set.
    truing_estimator_gradient gradient;
    /// Required when input_clamp > 0.
    truing_clamp_mode input_clamp_mode;
    /// 0 = old.
    truing_ratio_source ratio_source;
    /// As a term: 0 = after weight.
    truing_kl_stage stage;
    /// Instead of `id`: exact divergence to `ref_head`'s row, linear_policy only (reverse_kl = KL(policy||ref)); kinds without parameters. 0 = off.
    truing_divergence_kind divergence;
    /// 0.
    uint32_t reserved0;
    /// As a term: factor >= 0, 0 = off but still reported.
    double coef;
    /// Nats, 0 = none.
    double input_clamp;
    /// 0 = none.
    double output_clamp;
    /// >= 1, 0 = none.
    double ratio_max;
    /// 0.
    uint8_t reserved[32];
} truing_estimator;

/// A further token or sequence loss of the same pass with its own inputs and divisor. It may grow: the call's
/// `extra_term_size` says where the next one starts.
typedef struct truing_policy_term {
    /// `positive_nll`, `sdar`, `dft` and others.
    struct truing_loss loss;
    /// float [N], NULL = the call's.
    const struct truing_tensor *old;
    /// float [N], teacher for sdar; NULL = the call's.
    const struct truing_tensor *ref;
    /// float [N] or [B], NULL = the call's.
    const struct truing_tensor *advantage;
    /// u8 [N] or [B], NULL = the call's.
    const struct truing_tensor *flag;
    /// mask [N], NULL = the call's; NULL in linear_policy.
    const struct truing_tensor *mask;
    /// f32 [N], NULL = 1.
    const struct truing_tensor *token_weights;
    /// Mode 0 = the call's.
    struct truing_aggregate aggregate;
    /// Required.
    truing_level level;
    /// 0.
    uint32_t reserved0;
    /// 0.
    uint8_t reserved[32];
} truing_policy_term;

/// What `policy` and `linear_policy` share. [N] also means [B,T].
typedef struct truing_policy_inputs {
    /// float [N], behaviour log-prob, nats; NULL = current, detached.
    const struct truing_tensor *old;
    /// float [N], reference or teacher, nats; value losses: returns.
    const struct truing_tensor *ref;
    /// float [N], inference engine's log-prob, nats.
    const struct truing_tensor *sampler;
    /// float [N], reference of the KL term when ref holds a teacher; NULL = ref.
    const struct truing_tensor *kl_ref;
    /// float [N] or [B]; packed with N = B, `advantage_level` says which.
    const struct truing_tensor *advantage;
    /// u8 [N] or [B], NULL = 1.
    const struct truing_tensor *flag;
    /// float [B], nats: flowrl.
    const struct truing_tensor *log_z;
    /// mask [N], completion tokens.
    const struct truing_tensor *mask;
    /// u8 [N], rejection of tokens, 0 = dropped.
    const struct truing_tensor *keep;
    /// u8 [B], rejection of sequences.
    const struct truing_tensor *sequence_keep;
    /// u8 [N], policy term and entropy bonus only.
    const struct truing_tensor *entropy_mask;
    /// u8 [N], KL term only, NULL = mask.
    const struct truing_tensor *kl_mask;
    /// f32 [N] >= 0.
    const struct truing_tensor *token_weights;
    /// f32 [N] or [B] >= 0, constant; vespo takes its log.
    const struct truing_tensor *importance_weight;
    /// int [B+1], packed layout.
    const struct truing_tensor *cu_seqlens;
    /// int [G+1] into sequences: list kind, whose reference is `old` and whose targets are the advantages.
    const struct truing_tensor *group_offsets;
    /// Token, sequence, list or estimator entry.
    struct truing_loss loss;
    /// KL term, or the settings of an estimator entry.
    struct truing_estimator kl;
    /// Of loss and KL.
    struct truing_aggregate aggregate;
    /// Of the bonus, mode 0 = aggregate.
    struct truing_aggregate entropy_aggregate;
    /// Host [num_extra_terms], further terms, `extra_term_size` bytes each.
    const struct truing_policy_term *extra_terms;
    /// Terms, at most 7.
    size_t num_extra_terms;
    /// Bonus factor >= 0, 0 = off.
    double entropy_coef;
    /// Of the ratio; required.
    truing_level level;
    /// `sizeof(truing_policy_term)` as the caller compiled it, 0 = that of version 1.
    uint32_t extra_term_size;
    /// Of `advantage`; 0 = by its shape: [B,T] tokens by the number of dimensions, packed ones by the number of elements.
    truing_level advantage_level;
    /// 0.
    uint32_t reserved0;
    /// 0.
    uint8_t reserved[64];
} truing_policy_inputs;
/// Live tokens.
#define TRUING_POLICY_STAT_TOKENS 0
/// Live tokens that no mask dropped.
#define TRUING_POLICY_STAT_KEPT_TOKENS 1
/// Sequences in the mean.
#define TRUING_POLICY_STAT_SEQUENCES 2
/// Tokens clipped at the low bound.
#define TRUING_POLICY_STAT_CLIP_LOW 3
/// Tokens clipped at the high bound.
#define TRUING_POLICY_STAT_CLIP_HIGH 4
/// Tokens clipped by the dual clip.
#define TRUING_POLICY_STAT_CLIP_DUAL 5
/// Sum of ratios.
#define TRUING_POLICY_STAT_RATIO_SUM 6
/// Smallest log ratio (a minimum, not a sum).
#define TRUING_POLICY_STAT_LOG_RATIO_MIN 7
/// Largest log ratio (a maximum, not a sum).
#define TRUING_POLICY_STAT_LOG_RATIO_MAX 8
/// Sum of k1 of old to policy.
#define TRUING_POLICY_STAT_K1_SUM 9
/// Sum of k3 of old to policy.
#define TRUING_POLICY_STAT_K3_SUM 10
/// Sum of entropies.
#define TRUING_POLICY_STAT_ENTROPY_SUM 11
/// Sum of importance weights.
#define TRUING_POLICY_STAT_WEIGHT_SUM 12
/// Sum of their squares.
#define TRUING_POLICY_STAT_WEIGHT_SQ_SUM 13
/// Sum of the KL term's values.
#define TRUING_POLICY_STAT_KL_SUM 14
/// Sum of the main term's values.
#define TRUING_POLICY_STAT_LOSS_SUM 15
/// Denominator that the aggregation used.
#define TRUING_POLICY_STAT_DENOMINATOR 16
/// Length of `out_statistics` of a policy call; entries behind the named ones are 0.
#define TRUING_POLICY_STAT_COUNT 32

/// Outputs of a policy call, each NULL = not wanted.
typedef struct truing_policy_outputs {
    /// f64 or f32 0-d, all terms.
    const struct truing_tensor *out_loss;
    /// f32 [N], f64 [B] for sequence or f64 [G] for list entries: main term before aggregation.
    const struct truing_tensor *out_values;
    /// f32 [N], estimator values.
    const struct truing_tensor *out_kl;
    /// f64 [3 + num_extra_terms]: main, KL, entropy, extra; after aggregation.
    const struct truing_tensor *out_terms;
    /// f32 [B].
    const struct truing_tensor *grad_log_z_out;
    /// f64 [32], TRUING_POLICY_STAT_*.
    const struct truing_tensor *out_statistics;
    /// u32 [N].
    const struct truing_tensor *out_token_status;
    /// u32 [B].
    const struct truing_tensor *out_sequence_status;
    /// i64 [32].
    const struct truing_tensor *out_counters;
    /// 0.
    uint8_t reserved[40];
} truing_policy_outputs;

/// Split form: token log-probs in, loss and partials out.
typedef struct truing_policy_forward_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N] or [B,T], nats; value losses: V.
    const struct truing_tensor *logps;
    /// f32 [N], nats: bonus, and eaft without `topk_entropy`.
    const struct truing_tensor *entropy;
    /// f32 [N], nats, of the 20 most probable tokens (`figures.out_topk_entropy`): eaft beside a bonus.
    const struct truing_tensor *topk_entropy;
    /// Everything else.
    struct truing_policy_inputs inputs;
    /// float 0-d, or as out_values for AGGREGATE_NONE; NULL = 1.
    const struct truing_tensor *grad_output;
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    double grad_scale;
    /// Loss, figures.
    struct truing_policy_outputs outputs;
    /// f32 as logps.
    const struct truing_tensor *grad_logps_out;
    /// f32 [N].
    const struct truing_tensor *grad_entropy_out;
    /// float [N], nats: values of the KL term in the place of an estimate, such as exact divergences. Then of `inputs.kl` only `coef` and `stage` count, the rest is 0. NULL = none.
    const struct truing_tensor *kl;
    /// f32 [N], dL/dkl, with `kl`.
    const struct truing_tensor *grad_kl_out;
    /// 0.
    uint8_t reserved[64];
} truing_policy_forward_args;

/// Hidden states to policy loss and gradients (`truing_linear_policy_forward`).
typedef struct truing_linear_policy_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// Policy.
    struct truing_head head;
    /// Reference over the same rows, for `inputs.kl.divergence`; hidden NULL = none.
    struct truing_head ref_head;
    /// Targets, those of the rows themselves: no `shift`; rows.mask NULL = inputs.mask.
    struct truing_rows rows;
    /// Sampling support.
    struct truing_support support;
    /// Old, ref, advantage, loss and the rest.
    struct truing_policy_inputs inputs;
    /// f32 [N], dL/dlogp, phase WITH_COEFFICIENTS.
    const struct truing_tensor *logp_coefficients;
    /// f32 [N], dL/dentropy, phase WITH_COEFFICIENTS.
    const struct truing_tensor *entropy_coefficients;
    /// f32 [N], dL/dKL of the exact divergence, phase WITH_COEFFICIENTS.
    const struct truing_tensor *kl_coefficients;
    /// f32 [N,12] of the first phase, NULL = recompute.
    const struct truing_tensor *stats;
    /// f32 [N,16] of the first phase, both heads, with `ref_head`; NULL = recompute.
    const struct truing_tensor *pair_stats;
    /// float 0-d, NULL = 1.
    const struct truing_tensor *grad_output;
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    double grad_scale;
    /// Required.
    truing_phase phase;
    /// 0.
    uint32_t reserved0;
    /// Outputs.
    struct truing_head_grads grads;
    /// Loss, figures.
    struct truing_policy_outputs outputs;
    /// f32 [N], nats.
    const struct truing_tensor *out_logps;
    /// f32 [N], nats.
    const struct truing_tensor *out_entropy;
    /// f32 [N].
    const struct truing_tensor *out_log_sum_sq;
    /// f32 [N,12], opaque.
    const struct truing_tensor *out_stats;
    /// f32 [N,16], both heads, opaque; with `ref_head`.
    const struct truing_tensor *out_pair_stats;
    /// 0.
    uint8_t reserved[64];
} truing_linear_policy_args;

// ------------------------------------------------------------ divergence

/// jsd at beta = 0 and 1: `TRUING_JSD_*`, 0 = peer.
typedef uint32_t truing_jsd_limits;
/// forward_kl and reverse_kl, as trainers have it.
#define TRUING_JSD_PEER 1
/// 0 with zero gradient.
#define TRUING_JSD_CONTINUOUS 2
/// Divided by beta (1 - beta) everywhere.
#define TRUING_JSD_SCALED 3

/// What the teacher's numbers are: `TRUING_TEACHER_*`, 0 invalid.
typedef uint32_t truing_teacher_form;
/// Logits of all columns.
#define TRUING_TEACHER_LOGITS 1
/// Log-probs of all columns.
#define TRUING_TEACHER_LOGPROBS 2
/// Probabilities of all columns, 0 = dead.
#define TRUING_TEACHER_PROBS 3
/// Full-softmax log-probs at ids.
#define TRUING_TEACHER_TOPK_LOGPROBS 4
/// Raw logits at ids, optional lse.
#define TRUING_TEACHER_TOPK_LOGITS 5
/// Counts of sampled ids.
#define TRUING_TEACHER_SAMPLES 6

/// Who chooses the columns of a partial divergence: `TRUING_PARTIAL_*`, 0 = all columns.
typedef uint32_t truing_partial_support;
/// The teacher's largest.
#define TRUING_PARTIAL_TEACHER 1
/// The student's largest.
#define TRUING_PARTIAL_STUDENT 2
/// A third row's largest.
#define TRUING_PARTIAL_REFERENCE 3
/// The largest of both sides.
#define TRUING_PARTIAL_UNION 4
/// The caller's ids.
#define TRUING_PARTIAL_GIVEN 5

/// What happens outside a partial support: `TRUING_OUTSIDE_*`.
typedef uint32_t truing_outside;
/// Both sides are renormalised on it.
#define TRUING_OUTSIDE_RENORMALISE 1
/// One more bucket holds the rest.
#define TRUING_OUTSIDE_TAIL 2
/// The teacher is 0 there (log-prob `outside_logprob` in reverse terms).
#define TRUING_OUTSIDE_ZERO 3
/// Nothing is added.
#define TRUING_OUTSIDE_RAW 4

/// A divergence on a few columns; support 0 = all columns.
typedef struct truing_partial {
    /// int [N,K], -1 pads: given ids or the teacher's.
    const struct truing_tensor *ids;
    /// float [N,K] at ids: log-probs, logits or counts by teacher_form.
    const struct truing_tensor *teacher_values;
    /// f32 [N], nats, for TOPK_LOGITS with tail, zero, raw: of the whole transformed row.
    const struct truing_tensor *teacher_lse;
    /// float [N,V], logits that choose the support, PARTIAL_REFERENCE.
    const struct truing_tensor *reference;
    /// Columns kept per side, 1..512, 0 = K of ids.
    int64_t k;
    /// Floor of both tail probabilities, 0 = exact (TRL: 1e-7).
    double tail_floor;
    /// Teacher log-prob outside the support with OUTSIDE_ZERO, nats, 0 = -100.
    double outside_logprob;
    /// Floor of both log-probs on the support, nats < 0, 0 = off.
    double log_prob_floor;
    /// The row value is clamped to +- this, 0 = off.
    double value_clamp;
    /// TRUING_PARTIAL_*, 0 = all columns.
    truing_partial_support support;
    /// Required with a support.
    truing_outside outside;
    /// 0.
    uint8_t reserved[32];
} truing_partial;

/// What is computed from two rows.
typedef struct truing_divergence_options {
    /// The kind's: mixed {omega}, jsd {beta}, skew {lambda}, renyi and alpha {alpha}.
    const double *params;
    /// Values given, NaN or missing = default.
    size_t num_params;
    /// Factor of -log p_target of the student's transformed row (its temperature included), 0 = off. Over vocabulary shards of whole rows too; of a partial support over shards 0.
    double hard_weight;
    /// Factor of the divergence, 0 = 1 without TRUING_HAS_SOFT_WEIGHT.
    double soft_weight;
    /// Nats added to the teacher's target logit, -inf allowed.
    double teacher_target_shift;
    /// Required.
    truing_divergence_kind kind;
    /// `jsd` at 0 and 1, 0 = peer.
    truing_jsd_limits limits;
    /// Required.
    truing_teacher_form teacher_form;
    /// Constant factor on the hard-label term: dft for anchored_sft; 0 = none.
    truing_token_scaling hard_scaling;
    /// Required when out_loss is wanted.
    struct truing_aggregate aggregate;
    /// 0.
    uint8_t reserved[64];
} truing_divergence_options;

/// Outputs of a divergence, each NULL = not wanted.
typedef struct truing_divergence_outputs {
    /// f32 [N], nats.
    const struct truing_tensor *out_values;
    /// f64 or f32 0-d.
    const struct truing_tensor *out_loss;
    /// f32 [N], nats.
    const struct truing_tensor *out_student_entropy;
    /// f32 [N], nats.
    const struct truing_tensor *out_teacher_entropy;
    /// f32 [N], -sum t log p, nats.
    const struct truing_tensor *out_cross_entropy;
    /// f32 [N], -sum p log t, nats.
    const struct truing_tensor *out_reverse_cross_entropy;
    /// f32 [N], of the target, nats.
    const struct truing_tensor *out_student_logprob;
    /// f32 [N], of the target, nats.
    const struct truing_tensor *out_teacher_logprob;
    /// i32 [N], teacher's argmax in the student.
    const struct truing_tensor *out_student_rank;
    /// i32 [N], student's argmax in the teacher.
    const struct truing_tensor *out_teacher_rank;
    /// f32 [N], student's probability of the support.
    const struct truing_tensor *out_student_mass;
    /// f32 [N], teacher's probability of the support.
    const struct truing_tensor *out_teacher_mass;
    /// f32 [N], common ids of both sides' k largest over the teacher's number; given ids are the teacher's.
    const struct truing_tensor *out_overlap;
    /// f32 [N], -sum t(log t - log p) over the common ids, of whole rows; not with renormalise.
    const struct truing_tensor *out_overlap_sum;
    /// i32 [N,K or 2K], -1 pads: the support used.
    const struct truing_tensor *out_support_ids;
    /// f32 [N,16], opaque; of given ids over shards [N,22] with a `hard_weight`.
    const struct truing_tensor *out_stats;
    /// u32 [N].
    const struct truing_tensor *out_status;
    /// i64 [32].
    const struct truing_tensor *out_counters;
    /// 0.
    uint8_t reserved[40];
} truing_divergence_outputs;

/// Divergence between rows of logits.
typedef struct truing_divergence_forward_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N,V] or [B,T,V], logits.
    const struct truing_tensor *student;
    /// float [N,V'], by teacher_form; NULL with a partial teacher.
    const struct truing_tensor *teacher;
    /// Temperature T_s and the rest.
    struct truing_transform student_transform;
    /// Logits only, of rows or at ids.
    struct truing_transform teacher_transform;
    /// Targets for hard label and figures, mask.
    struct truing_rows rows;
    /// f32 [N] >= 0, 0 = row not read.
    const struct truing_tensor *row_weight;
    /// Kind, parameters, reduction.
    struct truing_divergence_options options;
    /// Few columns.
    struct truing_partial partial;
    /// Values, figures.
    struct truing_divergence_outputs outputs;
    /// Fused gradient of out_loss, may be student itself.
    const struct truing_tensor *grad_student_out;
    /// Fused gradient of out_loss, may be teacher itself.
    const struct truing_tensor *grad_teacher_out;
    /// Upstream of the fused gradients, float 0-d, NULL = 1.
    const struct truing_tensor *grad_loss;
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    double grad_scale;
    /// 0.
    uint8_t reserved[64];
} truing_divergence_forward_args;

/// Gradients of both sides' logits.
typedef struct truing_divergence_backward_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// As in forward.
    const struct truing_tensor *student;
    /// As in forward.
    const struct truing_tensor *teacher;
    /// As in forward.
    struct truing_transform student_transform;
    /// As in forward.
    struct truing_transform teacher_transform;
    /// As in forward.
    struct truing_rows rows;
    /// As in forward.
    const struct truing_tensor *row_weight;
    /// As in forward.
    struct truing_divergence_options options;
    /// As in forward, support GIVEN with out_support_ids reuses the choice.
    struct truing_partial partial;
    /// Columns of this shard, both sides cut alike.
    struct truing_shard shard;
    /// f32 [N,16], NULL = recompute; of a shard those of finish.
    const struct truing_tensor *stats;
    /// f32 [N], NULL = 0.
    const struct truing_tensor *grad_values;
    /// float 0-d, NULL = 0.
    const struct truing_tensor *grad_loss;
    /// f32 [N], of the target, NULL = 0.
    const struct truing_tensor *grad_student_logprob;
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    double grad_scale;
    /// float as student, may be student itself.
    const struct truing_tensor *grad_student_out;
    /// float as teacher, may be teacher itself.
    const struct truing_tensor *grad_teacher_out;
    /// u32 [N].
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_divergence_backward_args;

/// Records of the columns of one vocabulary shard. One-read kinds need one pass, the others VALUES after RECORDS are finished.
typedef struct truing_divergence_local_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N,V_local].
    const struct truing_tensor *student;
    /// float [N,V_local].
    const struct truing_tensor *teacher;
    /// `bias` is [V_local].
    struct truing_transform student_transform;
    /// `bias` is [V_local].
    struct truing_transform teacher_transform;
    /// Targets are global ids.
    struct truing_rows rows;
    /// f32 [N].
    const struct truing_tensor *row_weight;
    /// Kind, parameters.
    struct truing_divergence_options options;
    /// Few columns: given global ids.
    struct truing_partial partial;
    /// Required.
    struct truing_shard shard;
    /// f32 [N,16], finished, second pass only.
    const struct truing_tensor *stats;
    /// f32 [N,16], either pass; [N,17] with `options.hard_weight`: the last is the student's transformed logit of the target, -inf where it is not local. With `partial.ids` only beside a `hard_weight`, [N,12]: the record, as of truing_logprob_local, of the student's local columns that are not among the ids, and the logit of the target.
    const struct truing_tensor *out_records;
    /// f32 [N,K], transformed logits at `partial.ids`, -inf where the id is not local; first pass.
    const struct truing_tensor *out_student_at_ids;
    /// f32 [N,K], the same of the teacher.
    const struct truing_tensor *out_teacher_at_ids;
    /// u32 [N].
    const struct truing_tensor *out_status;
    /// RECORDS, then VALUES for the kinds that read twice.
    truing_local_pass local_pass;
    /// 0.
    uint32_t reserved0;
    /// 0.
    uint8_t reserved[64];
} truing_divergence_local_args;

/// Values from the records of all shards.
typedef struct truing_divergence_finish_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// f32 [shards,N,16], in shard order; [shards,N,17] with `options.hard_weight`, [shards,N,12] with that and `partial.ids`.
    const struct truing_tensor *records;
    /// f32 [shards,N,K], of local.
    const struct truing_tensor *student_at_ids;
    /// f32 [shards,N,K], of local.
    const struct truing_tensor *teacher_at_ids;
    /// i64 [shards+1] on the CPU.
    const struct truing_tensor *shard_starts;
    /// As in local.
    struct truing_rows rows;
    /// f32 [N].
    const struct truing_tensor *row_weight;
    /// As in local.
    struct truing_divergence_options options;
    /// As in local.
    struct truing_partial partial;
    /// Values, figures, stats.
    struct truing_divergence_outputs outputs;
    /// The pass that made the records.
    truing_local_pass local_pass;
    /// 0.
    uint32_t reserved0;
    /// 0.
    uint8_t reserved[64];
} truing_divergence_finish_args;

/// Records carry no trace of where logits came from.
typedef struct truing_divergence_finish_args truing_linear_divergence_finish_args;

/// Divergence of two heads and its gradients (`truing_linear_divergence_forward`). Phase SINGLE writes figures and gradients, FIGURES figures, WITH_COEFFICIENTS the gradients from those of the figures and `outputs.out_status`.
typedef struct truing_linear_divergence_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// Student head.
    struct truing_head student;
    /// Teacher head, own hidden size; hidden NULL: teacher_rows or partial.
    struct truing_head teacher;
    /// float [N,V'] by teacher_form, when there is no teacher head.
    const struct truing_tensor *teacher_rows;
    /// Of teacher_rows, or of logits at ids.
    struct truing_transform teacher_transform;
    /// Targets, mask.
    struct truing_rows rows;
    /// f32 [N] >= 0.
    const struct truing_tensor *row_weight;
    /// Kind, parameters, reduction.
    struct truing_divergence_options options;
    /// Few columns.
    struct truing_partial partial;
    /// All 0, or in phase WITH_COEFFICIENTS the columns that the heads hold; `stats` are then those of finish, grad_hidden partial sums.
    struct truing_shard shard;
    /// Values, figures.
    struct truing_divergence_outputs outputs;
    /// f32 [N], upstream of out_values, NULL = 0.
    const struct truing_tensor *grad_values;
    /// float 0-d, NULL = 0, or 1 in phase SINGLE where the other two are NULL.
    const struct truing_tensor *grad_loss;
    /// f32 [N], of the target, NULL = 0.
    const struct truing_tensor *grad_student_logprob;
    /// f32 [N,16] of an earlier call, phase WITH_COEFFICIENTS; NULL = recompute.
    const struct truing_tensor *stats;
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    double grad_scale;
    /// Required.
    truing_phase phase;
    /// 0.
    uint32_t reserved0;
    /// Outputs.
    struct truing_head_grads student_grads;
    /// Outputs.
    struct truing_head_grads teacher_grads;
    /// 0.
    uint8_t reserved[64];
} truing_linear_divergence_args;

/// Records of one vocabulary shard of both heads.
typedef struct truing_linear_divergence_local_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// `weight` is [V_local,D].
    struct truing_head student;
    /// `weight` is [V_local,D'].
    struct truing_head teacher;
    /// Targets are global ids.
    struct truing_rows rows;
    /// f32 [N].
    const struct truing_tensor *row_weight;
    /// Kind, parameters.
    struct truing_divergence_options options;
    /// Few columns: given global ids.
    struct truing_partial partial;
    /// Required.
    struct truing_shard shard;
    /// f32 [N,16], finished, second pass only.
    const struct truing_tensor *stats;
    /// f32 [N,16], either pass; [N,17] with `options.hard_weight`: the last is the student's transformed logit of the target, -inf where it is not local. With `partial.ids` only beside a `hard_weight`, [N,12]: the record, as of truing_logprob_local, of the student's local columns that are not among the ids, and the logit of the target.
    const struct truing_tensor *out_records;
    /// f32 [N,K], transformed logits at `partial.ids`, -inf where the id is not local; first pass.
    const struct truing_tensor *out_student_at_ids;
    /// f32 [N,K], the same of the teacher.
    const struct truing_tensor *out_teacher_at_ids;
    /// u32 [N].
    const struct truing_tensor *out_status;
    /// RECORDS, then VALUES for the kinds that read twice.
    truing_local_pass local_pass;
    /// 0.
    uint32_t reserved0;
    /// 0.
    uint8_t reserved[64];
} truing_linear_divergence_local_args;

/// Log ratio and KL to a reference, summed per sequence. Forward writes out_*, backward reads grad_* and writes grad_policy_out.
typedef struct truing_sequence_kl_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N,V], logits.
    const struct truing_tensor *policy;
    /// float [N,V], logits.
    const struct truing_tensor *ref;
    /// Transforms.
    struct truing_transform policy_transform;
    /// Transforms.
    struct truing_transform ref_transform;
    /// Targets, mask, cu_seqlens.
    struct truing_rows rows;
    /// f64 [B], gradient of `out_log_ratio`; backward.
    const struct truing_tensor *grad_log_ratio;
    /// f64 [B], gradient of `out_kl`; backward.
    const struct truing_tensor *grad_kl;
    /// f32 [N,16]; backward, NULL = recompute.
    const struct truing_tensor *stats;
    /// f64 [B], summed log p - log q of the targets, nats.
    const struct truing_tensor *out_log_ratio;
    /// f64 [B], summed KL(ref||policy), nats.
    const struct truing_tensor *out_kl;
    /// i32 [B], live tokens.
    const struct truing_tensor *out_counts;
    /// f32 [N,16], opaque.
    const struct truing_tensor *out_stats;
    /// u32 [B].
    const struct truing_tensor *out_status;
    /// float as policy; backward.
    const struct truing_tensor *grad_policy_out;
    /// 0.
    uint8_t reserved[64];
} truing_sequence_kl_args;

// ------------------------------------------------------------ numbers of a batch

/// The baseline of kto from KL rows of mismatched prompts and answers. Over ranks: add sums and counts, then max(0, sum / count).
typedef struct truing_kto_baseline_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [n], nats.
    const struct truing_tensor *scores;
    /// float [n]; NULL: scores are differences.
    const struct truing_tensor *ref_scores;
    /// mask [n].
    const struct truing_tensor *mask;
    /// 1: the baseline divides by the rows that are not 0 (HALOs), 0: by all (TRL).
    uint32_t nonzero_only;
    /// 0.
    uint32_t reserved0;
    /// f64 or f32, 0-d, nats.
    const struct truing_tensor *out_sum;
    /// i64, 0-d, live rows.
    const struct truing_tensor *out_count;
    /// i64, 0-d, live rows that are not 0.
    const struct truing_tensor *out_nonzero;
    /// f64 or f32, 0-d: max(0, sum / count), 0 without a row.
    const struct truing_tensor *out_baseline;
    /// 0.
    uint8_t reserved[64];
} truing_kto_baseline_args;

/// What the shift of bco is a mean of: `TRUING_SHIFT_*`, 0 invalid.
typedef uint32_t truing_shift_mode;
/// Half the sum of the means of both classes.
#define TRUING_SHIFT_BALANCED 1
/// All rows so far (the BCO trainer of TRL).
#define TRUING_SHIFT_POOLED 2
/// The means of the batches (LLaMA-Factory, ms-swift).
#define TRUING_SHIFT_PER_STEP 3

/// The shift of bco and bco_pair: a running mean of rewards, this batch included. The state holds sums and counts and may be added over ranks.
typedef struct truing_bco_shift_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [n], beta times the log ratio; NULL: nothing is added, as for evaluation.
    const struct truing_tensor *rewards;
    /// u8 or i8 [n], > 0 = desirable; BALANCED only.
    const struct truing_tensor *label;
    /// mask [n].
    const struct truing_tensor *mask;
    /// f64 [4], what the last call wrote; NULL = zeros.
    const struct truing_tensor *state;
    /// `TRUING_SHIFT_*`.
    truing_shift_mode mode;
    /// 0.
    uint32_t reserved0;
    /// f64 or f32, 0-d; without a row of one class the other's mean.
    const struct truing_tensor *out_shift;
    /// f64 [4]: sum and count of the desirable rows, then of the others; of everything (POOLED); of the batches' means (PER_STEP).
    const struct truing_tensor *out_state;
    /// u32, 0-d: empty where a class has no row.
    const struct truing_tensor *out_status;
    /// Share of this batch in a moving average of the means, in [0, 1]; 0: all rows so far count alike. BALANCED only.
    double rate;
    /// 0.
    uint8_t reserved[64];
} truing_bco_shift_args;

/// The two samples of aot_sort: `TRUING_AOT_*`, 0 invalid.
typedef uint32_t truing_aot_pairing;
/// u = chosen - rejected, v = ref_chosen - ref_rejected.
#define TRUING_AOT_PAIRED 1
/// u = chosen - ref_chosen, v = rejected - ref_rejected.
#define TRUING_AOT_UNPAIRED 2

/// Two samples in ascending order, equal values by index, NaN last: pair k is `out_u_order[k]` against `out_v_order[k]`.
typedef struct truing_aot_sort_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [n], nats.
    const struct truing_tensor *chosen;
    /// float [n], nats.
    const struct truing_tensor *rejected;
    /// float [n]; NULL with UNPAIRED: the scores are log ratios.
    const struct truing_tensor *ref_chosen;
    /// float [n], with `ref_chosen`.
    const struct truing_tensor *ref_rejected;
    /// `TRUING_AOT_*`.
    truing_aot_pairing pairing;
    /// 0.
    uint32_t reserved0;
    /// i32 [n].
    const struct truing_tensor *out_u_order;
    /// i32 [n].
    const struct truing_tensor *out_v_order;
    /// f64 or f32 [n], of equal ranks.
    const struct truing_tensor *out_difference;
    /// u32 [n], by rank.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_aot_sort_args;

/// Which rows beta_dpo keeps, and its beta, from the gaps of the whole batch.
typedef struct truing_beta_dpo_stats_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [n], log ratio of the chosen minus that of the rejected, finite.
    const struct truing_tensor *gaps;
    /// float [n], drawn by the caller from (0, 1).
    const struct truing_tensor *uniforms;
    /// f64 [2], running mean and deviation, what the last call wrote; NULL = zeros.
    const struct truing_tensor *state;
    /// Host: beta (0.1), alpha (0.6), rho (0.2), gamma (0.9); NaN or a missing tail = default.
    const double *params;
    /// 0 to 4.
    size_t num_params;
    /// u8 [n], 1 = kept; serves as `groups.item_mask`.
    const struct truing_tensor *out_keep;
    /// f64 or f32, 0-d; serves as `groups.item_beta`.
    const struct truing_tensor *out_beta;
    /// f64 [2].
    const struct truing_tensor *out_state;
    /// u32, 0-d: degenerate where one row has no deviation, empty where no row is kept.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_beta_dpo_stats_args;

/// Weights of pairs by the policy's own probabilities, constant; serves as `groups.item_weight`.
typedef struct truing_wpo_weight_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [n], mean log-prob over the tokens, nats.
    const struct truing_tensor *chosen;
    /// float [n].
    const struct truing_tensor *rejected;
    /// float [n], mean over the tokens of log sum p^2 (`figures.out_log_sum_sq`); TRL only.
    const struct truing_tensor *chosen_log_sum_sq;
    /// float [n]; TRL only.
    const struct truing_tensor *rejected_log_sum_sq;
    /// `TRUING_WPO_*`: PLAIN is capped at 1, TRL is not.
    truing_wpo_form form;
    /// 0.
    uint32_t reserved0;
    /// f64 or f32 [n].
    const struct truing_tensor *out_weight;
    /// u32 [n].
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_wpo_weight_args;

// ------------------------------------------------------------ off-policy corrections

/// What decides about an importance weight: `TRUING_WEIGHT_LEVEL_*`, 0 invalid.
typedef uint32_t truing_weight_level;
/// The log ratio of the token.
#define TRUING_WEIGHT_LEVEL_TOKEN 1
/// Its sum over the sequence.
#define TRUING_WEIGHT_LEVEL_SEQUENCE_SUM 2
/// Its mean over the sequence.
#define TRUING_WEIGHT_LEVEL_SEQUENCE_MEAN 3

/// What happens to a weight beyond its bounds: `TRUING_WEIGHT_*`, 0 invalid.
typedef uint32_t truing_weight_action;
/// Nothing.
#define TRUING_WEIGHT_RAW 1
/// It is cut off at the bound.
#define TRUING_WEIGHT_TRUNCATE 2
/// It is 0.
#define TRUING_WEIGHT_MASK 3

/// What becomes of a token whose log ratio is not finite: `TRUING_MISSING_*`, 0 invalid.
typedef uint32_t truing_missing;
/// Its ratio counts as 1.
#define TRUING_MISSING_ONE 1
/// It is dropped, and counts as 1 in sums.
#define TRUING_MISSING_ZERO 2
/// The call is refused; with CUDA tensors always, where it would have to wait for the device.
#define TRUING_MISSING_ERROR 3

/// What weights are divided by, unless that is 1e-8 or less: `TRUING_NORMALISE_*`, 0 = nothing.
typedef uint32_t truing_normalise;
/// Their mean over the live tokens.
#define TRUING_NORMALISE_TOKEN_MEAN 1
/// The mean of the means of the sequences.
#define TRUING_NORMALISE_SEQUENCE_MEAN 2

/// Importance weights of `old` against the engine that sampled, constant; serve as `inputs.importance_weight`.
typedef struct truing_importance_weight_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N] or [B,T], nats.
    const struct truing_tensor *old;
    /// float, same shape, nats.
    const struct truing_tensor *sampler;
    /// mask, same shape.
    const struct truing_tensor *mask;
    /// int [B+1], packed layout.
    const struct truing_tensor *cu_seqlens;
    /// Of the ratio, 0 = none.
    double low;
    /// Of the ratio, 0 = none.
    double high;
    /// Required.
    truing_weight_level level;
    /// Required; RAW has no bounds.
    truing_weight_action action;
    /// Required.
    truing_missing missing;
    /// 0 = off.
    truing_normalise normalise;
    /// 1: the level decides what is within, the weight is the token's own ratio, not cut off.
    uint32_t token_weight;
    /// 0.
    uint32_t reserved0;
    /// f32 or f64, same shape.
    const struct truing_tensor *out_weights;
    /// u8, same shape, 1 = within the bounds.
    const struct truing_tensor *out_keep;
    /// f64 [8]: tokens, beyond the bounds, sum of weights, of their squares, rest 0.
    const struct truing_tensor *out_statistics;
    /// u32, same shape.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_importance_weight_args;

/// What rejection bounds: `TRUING_REJECTION_*`, 0 invalid.
typedef uint32_t truing_rejection_statistic;
/// y = old - sampler, against the logs of the bounds.
#define TRUING_REJECTION_RATIO 1
/// -y, against the logs of the bounds.
#define TRUING_REJECTION_K1 2
/// y^2 / 2.
#define TRUING_REJECTION_K2 3
/// e^y - 1 - y.
#define TRUING_REJECTION_K3 4
/// KL of the coins with e^sampler and e^old.
#define TRUING_REJECTION_BINARY_KL 5
/// abs(e^old - e^sampler).
#define TRUING_REJECTION_TV 6

/// Over what a statistic is taken: `TRUING_SPAN_*`, 0 invalid.
typedef uint32_t truing_span;
/// Each token.
#define TRUING_SPAN_TOKEN 1
/// Sum over the sequence.
#define TRUING_SPAN_SEQUENCE_SUM 2
/// Mean.
#define TRUING_SPAN_SEQUENCE_MEAN 3
/// Maximum, 0 without a live token.
#define TRUING_SPAN_SEQUENCE_MAX 4

/// Tokens that are not too far from the engine that sampled them; serve as `inputs.keep`. Several criteria: one call after the other.
typedef struct truing_rejection_mask_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N] or [B,T], nats.
    const struct truing_tensor *old;
    /// float, same shape, nats.
    const struct truing_tensor *sampler;
    /// mask, same shape.
    const struct truing_tensor *mask;
    /// mask, same shape, what other criteria left.
    const struct truing_tensor *keep;
    /// int [B+1], packed layout.
    const struct truing_tensor *cu_seqlens;
    /// Of the ratio (RATIO, K1) or the statistic, 0 = none.
    double low;
    /// 0 = none.
    double high;
    /// Required.
    truing_rejection_statistic statistic;
    /// Required.
    truing_span span;
    /// Required.
    truing_missing missing;
    /// 0.
    uint32_t reserved0;
    /// u8, same shape.
    const struct truing_tensor *out_keep;
    /// u8 [B], 1 = a token is kept.
    const struct truing_tensor *out_sequence_keep;
    /// f64 or f32, same shape for SPAN_TOKEN, else [B].
    const struct truing_tensor *out_statistic;
    /// i64 0-d, live tokens that are not kept.
    const struct truing_tensor *out_rejected;
    /// 0.
    uint8_t reserved[64];
} truing_rejection_mask_args;

/// Sequences with a negative advantage that the policy has moved away from; serve as `inputs.sequence_keep`.
typedef struct truing_off_policy_sequence_mask_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N] or [B,T], current policy, nats.
    const struct truing_tensor *logps;
    /// float, same shape, sampler or old policy; NaN adds nothing.
    const struct truing_tensor *behaviour;
    /// float [B].
    const struct truing_tensor *advantage;
    /// mask, same shape as logps.
    const struct truing_tensor *mask;
    /// int [B+1], packed layout.
    const struct truing_tensor *cu_seqlens;
    /// Largest mean of behaviour - logps that is kept.
    double delta;
    /// u8 [B].
    const struct truing_tensor *out_keep;
    /// f64 or f32 [B].
    const struct truing_tensor *out_mean;
    /// 0.
    uint8_t reserved[64];
} truing_off_policy_sequence_mask_args;

/// The live tokens with the largest entropies, ties kept; serves as `inputs.entropy_mask`.
typedef struct truing_top_entropy_mask_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N] or [B,T]; NaN is dropped.
    const struct truing_tensor *entropy;
    /// mask, same shape.
    const struct truing_tensor *mask;
    /// In (0, 1].
    double share;
    /// u8, same shape.
    const struct truing_tensor *out_keep;
    /// f64 or f32 0-d.
    const struct truing_tensor *out_threshold;
    /// u32 0-d: nan_input, empty.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_top_entropy_mask_args;

/// Which tokens cov_select looks for: `TRUING_COV_*`, 0 invalid.
typedef uint32_t truing_cov_form;
/// The largest covariances, for kl_cov.
#define TRUING_COV_KL 1
/// A draw from those between two bounds that no clip holds, for clip_cov.
#define TRUING_COV_CLIP 2

/// Tokens by the covariance of advantage and log-prob over the live tokens.
typedef struct truing_cov_select_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N] or [B,T], nats, constant.
    const struct truing_tensor *logps;
    /// float, same shape; CLIP only.
    const struct truing_tensor *old;
    /// float, same shape; CLIP: the smallest are drawn, in the place of a seed; NULL = a draw by `seed`.
    const struct truing_tensor *noise;
    /// float [N] or [B].
    const struct truing_tensor *advantage;
    /// mask, same shape as logps.
    const struct truing_tensor *mask;
    /// int [B+1], packed layout.
    const struct truing_tensor *cu_seqlens;
    /// Host: share (2e-4), cov_low (1), cov_high (5), clip_low (0.2), clip_high (0.2); NaN or a missing tail = default.
    const double *params;
    /// 0 to 5.
    size_t num_params;
    /// Of the draw.
    uint64_t seed;
    /// Index of the first token among those of all ranks, >= 0.
    int64_t first_token;
    /// Required.
    truing_cov_form form;
    /// 0.
    uint32_t reserved0;
    /// i64 [N] or [B,T] as logps, flat, ascending; -1 behind the first `count`.
    const struct truing_tensor *out_indices;
    /// i64 0-d.
    const struct truing_tensor *out_count;
    /// u8, same shape, 1 = selected: `inputs.flag` of kl_cov.
    const struct truing_tensor *out_flag;
    /// u8, same shape, 0 = selected: `inputs.keep` of clip_cov.
    const struct truing_tensor *out_keep;
    /// 0.
    uint8_t reserved[64];
} truing_cov_select_args;

/// Tokens left when those with the largest (old - proximal)^2 are dropped until the mean of the others is below a threshold; serve as `inputs.keep`.
typedef struct truing_m2po_mask_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N] or [B,T], nats.
    const struct truing_tensor *old;
    /// float, same shape, nats.
    const struct truing_tensor *proximal;
    /// mask, same shape.
    const struct truing_tensor *mask;
    /// > 0.
    double threshold;
    /// u8, same shape.
    const struct truing_tensor *out_keep;
    /// f64 or f32 0-d, mean square of the kept.
    const struct truing_tensor *out_moment;
    /// i64 0-d.
    const struct truing_tensor *out_dropped;
    /// 0.
    uint8_t reserved[64];
} truing_m2po_mask_args;

/// Tokens weighted by the log ratios of those behind them, constant; serve as `inputs.token_weights`.
typedef struct truing_fipo_weight_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N] or [B,T], nats, constant.
    const struct truing_tensor *logps;
    /// float, same shape, nats.
    const struct truing_tensor *old;
    /// float [N] or [B].
    const struct truing_tensor *advantage;
    /// mask, same shape as logps.
    const struct truing_tensor *mask;
    /// int [B+1], packed layout.
    const struct truing_tensor *cu_seqlens;
    /// Host: half_life (32), clip (0.2, 0 = any), delta (inf), safety (4); NaN or a missing tail = default.
    const double *params;
    /// 0 to 4.
    size_t num_params;
    /// 1: at least 1 but for `safety`; 0: both sides.
    uint32_t high_only;
    /// 0.
    uint32_t reserved0;
    /// f32 or f64, same shape.
    const struct truing_tensor *out_weights;
    /// u32, same shape.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_fipo_weight_args;

/// What the input of `truing_density_ratio` and `truing_odpo_offset` is: `TRUING_ITEM_*`, 0 for the others.
typedef uint32_t truing_item_form;
/// density_ratio: a probability.
#define TRUING_ITEM_PROBABILITY 1
/// density_ratio: a logit.
#define TRUING_ITEM_LOGIT 2
/// odpo_offset: the difference of the rewards counts.
#define TRUING_ITEM_DIFFERENCE 3
/// odpo_offset: their ratio counts.
#define TRUING_ITEM_RATIO 4

/// One number an item from one or two: `truing_density_ratio` (weights of bco), `truing_odpo_offset` (margins of odpo), `truing_mm_beta` (betas of mm_dpo), `truing_pdu_dual_step` (multiplier of a constraint).
typedef struct truing_item_numbers_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [n]: probability or logit; reward of the chosen answer (mm_beta without `second`: the gap); multiplier.
    const struct truing_tensor *first;
    /// float [n]: none for density_ratio; reward of the rejected answer; loss of the constraint.
    const struct truing_tensor *second;
    /// Host: density_ratio low (0.5), high (10); odpo_offset alpha (1); mm_beta beta (0.1), weight (0.5), slope (0.5); pdu_dual_step step, epsilon (0). NaN or a missing tail = default.
    const double *params;
    /// Numbers given.
    size_t num_params;
    /// `TRUING_ITEM_*`.
    truing_item_form form;
    /// 0.
    uint32_t reserved0;
    /// f64 or f32 [n]; serves as `groups.item_weight`, `groups.margin_chosen`, `groups.item_beta`.
    const struct truing_tensor *out_value;
    /// u32 [n]: saturated where a bound acts, degenerate where rewards allow no margin, infinite.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_item_numbers_args;

/// Distance of sorted probabilities across vocabularies (ULD), sum of |p_(i) - q_(i)|, and the gradients of both sides in the same call. With `matched_student_ids` and `matched_teacher_ids` those columns are compared one by one and the rest is sorted (GOLD): matched_weight J + unmatched_weight U, J the pairs' terms of jsd(matched_beta), without renormalisation. On CUDA ids that are no pairs make every row NaN, and factors that are not positive and finite their own.
typedef struct truing_uld_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N,V], logits.
    const struct truing_tensor *student;
    /// float [N,V'], logits, another vocabulary.
    const struct truing_tensor *teacher;
    /// Transforms.
    struct truing_transform student_transform;
    /// Transforms.
    struct truing_transform teacher_transform;
    /// Mask; targets only with ignore_index.
    struct truing_rows rows;
    /// f32 [N] >= 0.
    const struct truing_tensor *row_weight;
    /// Columns that count one by one, the rest of each side as one; 0 = all (uld), else uld_topk.
    int64_t k;
    /// Required when out_loss is wanted.
    struct truing_aggregate aggregate;
    /// f32 [N].
    const struct truing_tensor *out_values;
    /// f64 or f32, 0-d.
    const struct truing_tensor *out_loss;
    /// u32 [N].
    const struct truing_tensor *out_status;
    /// f32 [N], dL/dvalues, NULL = 0.
    const struct truing_tensor *grad_values;
    /// float 0-d, dL/dloss, NULL = 0.
    const struct truing_tensor *grad_loss;
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    double grad_scale;
    /// float as student, may be student itself.
    const struct truing_tensor *grad_student_out;
    /// float as teacher, may be teacher itself.
    const struct truing_tensor *grad_teacher_out;
    /// int [M], columns of the student, each once at most; with matched_teacher_ids.
    const struct truing_tensor *matched_student_ids;
    /// int [M], the column of the teacher with the same text.
    const struct truing_tensor *matched_teacher_ids;
    /// Weight of the teacher in [0,1]; 0 = sum of t log(t / p), 1 = sum of p log(p / t).
    double matched_beta;
    /// Factor of J >= 0; both weights 0 = M / V' and 1 less that.
    double matched_weight;
    /// Factor of U >= 0.
    double unmatched_weight;
    /// f32 [N] > 0, multiplies the student's probabilities, NULL = 1: a token that stands for several, the product of the further ones.
    const struct truing_tensor *student_scale;
    /// f32 [N] > 0, multiplies the teacher's probabilities, a constant.
    const struct truing_tensor *teacher_scale;
    /// f32 [N], with student_scale.
    const struct truing_tensor *grad_student_scale_out;
    /// 0.
    uint8_t reserved[64];
} truing_uld_args;

/// Distributions tilted by a reward, phi = p e^(alpha r) / Z with p the softmax of `logps`, over the V outcomes of a row; f64 inside. `truing_tilt` takes alpha, `truing_tilt_solve` the KL(phi || p) that it is to have (`out_alpha` infinite and degenerate where none has it).
typedef struct truing_tilt_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [B,V], log-probs or logits; -inf: no outcome.
    const struct truing_tensor *logps;
    /// float [B,V]; -inf: probability 0 under a positive alpha.
    const struct truing_tensor *rewards;
    /// float [B]; tilt.
    const struct truing_tensor *alpha;
    /// float [B], nats, >= 0; tilt_solve.
    const struct truing_tensor *target;
    /// float [B], dL/dlog Z, NULL = 0; tilt.
    const struct truing_tensor *grad_log_z;
    /// float [B], dL/dKL, NULL = 0; tilt.
    const struct truing_tensor *grad_kl;
    /// f64 or f32 [B,V], log phi.
    const struct truing_tensor *out_log_tilted;
    /// f64 or f32 [B], log of the sum of p e^(alpha r).
    const struct truing_tensor *out_log_z;
    /// f64 or f32 [B], mean of the rewards under phi.
    const struct truing_tensor *out_mean;
    /// f64 or f32 [B], their variance.
    const struct truing_tensor *out_variance;
    /// f64 or f32 [B], KL(phi || p), nats.
    const struct truing_tensor *out_kl;
    /// f64 or f32 [B]; tilt_solve.
    const struct truing_tensor *out_alpha;
    /// f64 or f32 [B,V].
    const struct truing_tensor *grad_logps_out;
    /// f64 or f32 [B,V].
    const struct truing_tensor *grad_rewards_out;
    /// f64 or f32 [B].
    const struct truing_tensor *grad_alpha_out;
    /// u32 [B].
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_tilt_args;

/// Renyi numbers of two rows; f64 inside. `truing_renyi_array`: the divergence log(sum q^order p^(1 - order)) / (order - 1) of q = softmax(first) from p = softmax(second), order 1 the KL, infinite the largest log ratio. `truing_renyi_cross_entropy`: log(sum p q^(order - 1)) / (1 - order) of log p = first and log q = second as they are, order 1: -sum p log q.
typedef struct truing_renyi_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [B,V], log-probs.
    const struct truing_tensor *first;
    /// float [B,V], log-probs.
    const struct truing_tensor *second;
    /// float [B], dL/dvalues.
    const struct truing_tensor *grad_values;
    /// >= 0.
    double order;
    /// f64 or f32 [B], nats.
    const struct truing_tensor *out_values;
    /// f64 or f32 [B,V].
    const struct truing_tensor *grad_first_out;
    /// f64 or f32 [B,V].
    const struct truing_tensor *grad_second_out;
    /// u32 [B].
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_renyi_args;

/// The best of n independent draws from the softmax of a row, by reward; equal rewards share alike. f64 inside.
typedef struct truing_best_of_n_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [B,V], log-probs or logits.
    const struct truing_tensor *logps;
    /// float [B,V].
    const struct truing_tensor *rewards;
    /// Draws, any number >= 1.
    double n;
    /// 1: the worst of n.
    uint32_t worst;
    /// 0.
    uint32_t reserved0;
    /// f64 or f32 [B,V], log-probs of the selected outcome.
    const struct truing_tensor *out_log_pmf;
    /// f64 or f32 [B], KL to the row, nats.
    const struct truing_tensor *out_kl;
    /// f64 or f32 [B], probability that it beats one draw, ties half.
    const struct truing_tensor *out_win_rate;
    /// u32 [B].
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_best_of_n_args;

/// Estimate of the KL of the best of n draws from the log-probability of the chosen one; f64 inside. Above 0 or NaN: NaN, flagged.
typedef struct truing_best_of_n_kl_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [B], log-probs of the chosen draws, <= 0.
    const struct truing_tensor *logps;
    /// Draws, any number >= 1.
    double n;
    /// f64 or f32 [B], nats.
    const struct truing_tensor *out_kl;
    /// u32 [B].
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_best_of_n_kl_args;

/// Weights of pairs whose rows belong to different heads (mah_dpo): alpha_i / |B_i|, to be summed; serves as `groups.item_weight`.
typedef struct truing_head_weights_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// int [n], head of a pair.
    const struct truing_tensor *head;
    /// mask [n].
    const struct truing_tensor *mask;
    /// float [M], >= 0; NULL: each is 1 / M.
    const struct truing_tensor *alpha;
    /// 1: 1 / (number of heads with rows) instead of alpha.
    uint32_t present_heads;
    /// 0.
    uint32_t reserved0;
    /// f64 or f32 [n], 0 where masked.
    const struct truing_tensor *out_weight;
    /// i64 [M], live rows of a head. Required: its length is M.
    const struct truing_tensor *out_counts;
    /// u32, 0-d: empty where no row is live.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_head_weights_args;

/// Margins that are weighted sums of rewards (modpo), and the gradients of weights and rewards.
typedef struct truing_modpo_margin_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [K], or [n,K].
    const struct truing_tensor *weights;
    /// float [n,K], rewards.
    const struct truing_tensor *chosen;
    /// float [n,K], rewards.
    const struct truing_tensor *rejected;
    /// float [n], gradient of margin_chosen - margin_rejected.
    const struct truing_tensor *grad_margin;
    /// f64 or f32 [n].
    const struct truing_tensor *out_margin_chosen;
    /// f64 or f32 [n].
    const struct truing_tensor *out_margin_rejected;
    /// f64 or f32 as weights; [K] is summed over the items in order.
    const struct truing_tensor *grad_weights_out;
    /// f64 or f32 [n,K]; that of the rejected rewards is its negative.
    const struct truing_tensor *grad_chosen_out;
    /// 0.
    uint8_t reserved[64];
} truing_modpo_margin_args;

/// A quantile of a batch by linear interpolation at position level (n - 1); the threshold of confidence_ce.
typedef struct truing_quantile_threshold_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [n].
    const struct truing_tensor *values;
    /// mask [n].
    const struct truing_tensor *mask;
    /// float 0-d in [0, 1], or [n] of which the mean over live rows is the level.
    const struct truing_tensor *level;
    /// f64 or f32, 0-d; NaN without a live value or with a NaN.
    const struct truing_tensor *out_threshold;
    /// u32, 0-d.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_quantile_threshold_args;

/// Value of a prompt: `TRUING_VALUE_*`, 0 invalid.
typedef uint32_t truing_value_mode;
/// beta (lse(r / beta) - log n).
#define TRUING_VALUE_LOG_MEAN_EXP 1
/// Mean of the rewards (the authors' beta = 0).
#define TRUING_VALUE_MEAN 2
/// Largest reward.
#define TRUING_VALUE_MAX 3
/// 0 (the authors' beta < 0).
#define TRUING_VALUE_ZERO 4

/// Optimal value of a prompt from the rewards of samples of the reference model (a_star_po).
typedef struct truing_a_star_value_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [P,T], or [N] with `cu_seqlens`.
    const struct truing_tensor *rewards;
    /// int [P+1].
    const struct truing_tensor *cu_seqlens;
    /// mask, same shape.
    const struct truing_tensor *mask;
    /// Host: beta (0.5), LOG_MEAN_EXP only. NaN or a missing tail = default.
    const double *params;
    /// 0 or 1.
    size_t num_params;
    /// `TRUING_VALUE_*`.
    truing_value_mode mode;
    /// 0.
    uint32_t reserved0;
    /// f64 or f32 [P]; NaN without a live reward.
    const struct truing_tensor *out_value;
    /// f64 or f32 as rewards, the partial of the prompt's value.
    const struct truing_tensor *out_share;
    /// u32 [P].
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_a_star_value_args;

/// Rewards of steps with the discounted outcome behind them: r_t + gamma^(n - t) z.
typedef struct truing_hindsight_target_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [P,T], or [N] with `cu_seqlens`.
    const struct truing_tensor *rewards;
    /// int [P+1].
    const struct truing_tensor *cu_seqlens;
    /// float [P].
    const struct truing_tensor *outcome;
    /// Host: gamma (0.9). NaN or a missing tail = default.
    const double *params;
    /// 0 or 1.
    size_t num_params;
    /// f64 or f32 as rewards.
    const struct truing_tensor *out_targets;
    /// 0.
    uint8_t reserved[64];
} truing_hindsight_target_args;
/// Sequences with a live token.
#define TRUING_KL_FIGURE_SEQUENCES 0
/// Live tokens.
#define TRUING_KL_FIGURE_TOKENS 1
/// Mean of k1 over the sequences.
#define TRUING_KL_FIGURE_K1_PER_SEQUENCE 2
/// Sum of k1 over the tokens of all sequences.
#define TRUING_KL_FIGURE_K1_PER_TOKEN 3
/// Mean over the sequences of the mean of k1 over their tokens.
#define TRUING_KL_FIGURE_K1_MEAN_OF_MEANS 4
/// As with k1.
#define TRUING_KL_FIGURE_K3_PER_SEQUENCE 5
/// As with k1.
#define TRUING_KL_FIGURE_K3_PER_TOKEN 6
/// As with k1.
#define TRUING_KL_FIGURE_K3_MEAN_OF_MEANS 7
/// Mean length.
#define TRUING_KL_FIGURE_LENGTH_MEAN 8
/// Standard deviation of the lengths, divisor n.
#define TRUING_KL_FIGURE_LENGTH_STD 9
/// The same with divisor n - 1; 0 for one sequence.
#define TRUING_KL_FIGURE_LENGTH_STD_SAMPLE 10
/// Shortest.
#define TRUING_KL_FIGURE_LENGTH_MIN 11
/// Longest.
#define TRUING_KL_FIGURE_LENGTH_MAX 12
/// Length of `out_figures`; the rest is 0.
#define TRUING_KL_FIGURE_COUNT 16

/// KL to the reference by the sampled tokens (k1 = sum d, k3 = sum (e^-d - 1 + d), d = policy minus reference) and lengths of answers. Sequences without a live token count nowhere.
typedef struct truing_kl_length_figures_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [B,T], or [N] with `cu_seqlens`, nats.
    const struct truing_tensor *logps;
    /// float, same shape; NULL: `logps` are differences.
    const struct truing_tensor *ref_logps;
    /// int [B+1].
    const struct truing_tensor *cu_seqlens;
    /// mask, same shape.
    const struct truing_tensor *mask;
    /// float [Q] in [0, 1].
    const struct truing_tensor *quantile_levels;
    /// float [H+1], ascending.
    const struct truing_tensor *bin_edges;
    /// f64 or f32 [B].
    const struct truing_tensor *out_k1;
    /// f64 or f32 [B].
    const struct truing_tensor *out_k3;
    /// i32 [B], live tokens.
    const struct truing_tensor *out_lengths;
    /// f64 [TRUING_KL_FIGURE_COUNT]; NaN where there is nothing to average over.
    const struct truing_tensor *out_figures;
    /// f64 or f32 [Q], of the lengths.
    const struct truing_tensor *out_quantiles;
    /// i64 [H]: lengths in [edge, next edge), the last bin with its upper edge.
    const struct truing_tensor *out_histogram;
    /// u32 [B].
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_kl_length_figures_args;

/// Centred hidden embedding similarity of two answers, <H-, H+> - |H+|^2: a figure for choosing pairs, no gradient.
typedef struct truing_ches_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [S,T,D], or [N,D] with `cu_seqlens`; final hidden states.
    const struct truing_tensor *hidden;
    /// int [S+1].
    const struct truing_tensor *cu_seqlens;
    /// mask [N] or [S,T]: from the last position of the prompt to the one before the answer's last.
    const struct truing_tensor *mask;
    /// int [P], sequence index.
    const struct truing_tensor *chosen_seq;
    /// int [P], sequence index.
    const struct truing_tensor *rejected_seq;
    /// TRUING_SCORE_SUM or TRUING_SCORE_MEAN of the live states.
    truing_score_kind score_kind;
    /// 0.
    uint32_t reserved0;
    /// f64 or f32 [P].
    const struct truing_tensor *out_value;
    /// u32 [P].
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_ches_args;

// ------------------------------------------------------------ losses over rows of classes

/// Divisor of `truing_rps` and `truing_brier`: `TRUING_CLASS_*`, 0 for the others.
typedef uint32_t truing_class_form;
/// K - 1 (rps) or K (brier).
#define TRUING_CLASS_MEAN 1
/// 1.
#define TRUING_CLASS_SUM 2

/// Losses over rows of few logits: `truing_prm_ce`, `truing_rps`, `truing_brier`, `truing_confidence_ce`, `truing_product_target`, `truing_pdu_flatten`. Targets are constants.
typedef struct truing_class_rows_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N,V], f64 allowed.
    const struct truing_tensor *logits;
    /// int [K], the classes, all different; NULL: all columns. The others get gradient 0.
    const struct truing_tensor *columns;
    /// float [N,K] >= 0; none for pdu_flatten.
    const struct truing_tensor *targets;
    /// int [N], target class; instead of `targets`.
    const struct truing_tensor *target_ids;
    /// float 0-d in [0, 1]: class 0 is hard from here on; confidence_ce only.
    const struct truing_tensor *threshold;
    /// mask [N].
    const struct truing_tensor *mask;
    /// Host: confidence_ce confidence; product_target own (1), label (1). NaN or a missing tail = default.
    const double *params;
    /// Numbers given.
    size_t num_params;
    /// `TRUING_CLASS_*`.
    truing_class_form form;
    /// TRUING_REDUCE_NONE, SUM or MEAN over live rows.
    truing_reduction reduction;
    /// External divisor, 0 = off.
    double normaliser;
    /// float 0-d, or [N] for REDUCE_NONE; NULL = 1.
    const struct truing_tensor *grad_output;
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    double grad_scale;
    /// f64 or f32, 0-d; not with REDUCE_NONE.
    const struct truing_tensor *out_loss;
    /// f64 or f32 [N].
    const struct truing_tensor *out_losses;
    /// f64 or f32 [N,K], the target that was used.
    const struct truing_tensor *out_targets;
    /// float [N,V].
    const struct truing_tensor *grad_logits_out;
    /// u32 [N].
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_class_rows_args;

/// Squared error of a process reward model: mean over a sample's live steps, then over the samples that have one.
typedef struct truing_prm_mse_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [B,T], or [N] with `cu_seqlens`.
    const struct truing_tensor *predictions;
    /// float, same shape.
    const struct truing_tensor *targets;
    /// int [B+1].
    const struct truing_tensor *cu_seqlens;
    /// mask, same shape: labelled steps.
    const struct truing_tensor *mask;
    /// TRUING_REDUCE_NONE, SUM or MEAN over samples.
    truing_reduction reduction;
    /// 0.
    uint32_t reserved0;
    /// External divisor, 0 = off.
    double normaliser;
    /// float 0-d, or [B] for REDUCE_NONE; NULL = 1.
    const struct truing_tensor *grad_output;
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    double grad_scale;
    /// f64 or f32, 0-d; not with REDUCE_NONE.
    const struct truing_tensor *out_loss;
    /// f64 or f32 [B].
    const struct truing_tensor *out_losses;
    /// float as predictions.
    const struct truing_tensor *grad_predictions_out;
    /// u32 [B].
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_prm_mse_args;

/// Which way round `truing_preference_orchestrator` measures: `TRUING_DIRECTION_*`, 0 without a KL.
typedef uint32_t truing_direction;
/// KL(target || weights).
#define TRUING_DIRECTION_TARGET_TO_WEIGHTS 1
/// KL(weights || target).
#define TRUING_DIRECTION_WEIGHTS_TO_TARGET 2

/// Weights of K objectives that depend on the prompt: target softmax(r / T), KL to w = softmax(s), combination J = sum w q.
typedef struct truing_preference_orchestrator_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [B,K], of the preferred answer.
    const struct truing_tensor *rewards;
    /// float [B,K], log target weights; instead of `rewards`.
    const struct truing_tensor *log_target;
    /// float [B,K], s.
    const struct truing_tensor *scores;
    /// float [B,K], q: rewards or losses of the objectives.
    const struct truing_tensor *values;
    /// Host: temperature (0.1). NaN or a missing tail = default.
    const double *params;
    /// 0 or 1.
    size_t num_params;
    /// `TRUING_DIRECTION_*`, required for the KL.
    truing_direction direction;
    /// 0.
    uint32_t reserved0;
    /// f64 or f32 [B,K].
    const struct truing_tensor *out_log_target;
    /// f64 or f32 [B,K], w; also the partial of J with respect to the values.
    const struct truing_tensor *out_weights;
    /// f64 or f32 [B].
    const struct truing_tensor *out_kl;
    /// f64 or f32 [B], J.
    const struct truing_tensor *out_combined;
    /// f64 or f32 [B,K], dKL/ds.
    const struct truing_tensor *grad_scores_kl_out;
    /// f64 or f32 [B,K], dJ/ds; dJ/dw is q.
    const struct truing_tensor *grad_scores_combined_out;
    /// u32 [B].
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_preference_orchestrator_args;

// ------------------------------------------------------------ advantages and returns

/// A usual advantage of a group: `TRUING_ADVANTAGE_*`.
typedef uint32_t truing_advantage_preset;
/// (R - mean) / (std + 1e-4).
#define TRUING_ADVANTAGE_GRPO 1
/// (R - mean) / (std of the batch + 1e-4).
#define TRUING_ADVANTAGE_GRPO_BATCH_STD 2
/// R - mean.
#define TRUING_ADVANTAGE_DR_GRPO 3
/// R - mean of the others.
#define TRUING_ADVANTAGE_RLOO 4
/// (R - mean of the others) / (std of the others + 1e-6), undivided where that is 0.
#define TRUING_ADVANTAGE_GRPO_LOO 5
/// R - mean of the batch.
#define TRUING_ADVANTAGE_BATCH_BASELINE 6
/// R - mean weighted by length.
#define TRUING_ADVANTAGE_OPO 7
/// (R - mean) times rows / rows that are not 0.
#define TRUING_ADVANTAGE_GPG 8
/// (R - mean) / (mean + 1e-6).
#define TRUING_ADVANTAGE_MAX_RL 9
/// R.
#define TRUING_ADVANTAGE_RAW 10

/// What is subtracted from a reward: `TRUING_BASELINE_*`.
typedef uint32_t truing_baseline;
/// Nothing.
#define TRUING_BASELINE_NONE 1
/// Mean of the group.
#define TRUING_BASELINE_GROUP 2
/// Mean of the others of the group.
#define TRUING_BASELINE_LEAVE_ONE_OUT 3
/// Mean of all rows.
#define TRUING_BASELINE_BATCH 4
/// Mean of the group by `lengths`.
#define TRUING_BASELINE_LENGTH_WEIGHTED 5

/// What divides: `TRUING_SCALE_*`.
typedef uint32_t truing_advantage_scale;
/// Nothing.
#define TRUING_SCALE_NONE 1
/// Deviation of the group.
#define TRUING_SCALE_GROUP_STD 2
/// Deviation of all rows.
#define TRUING_SCALE_BATCH_STD 3
/// Deviation of the others of the group.
#define TRUING_SCALE_LEAVE_ONE_OUT_STD 4
/// Mean of the group; rewards >= 0.
#define TRUING_SCALE_GROUP_MEAN 5
/// f_norm times the share of rows that are not 0.
#define TRUING_SCALE_NONZERO_SHARE 6

/// Divisor of a variance: `TRUING_STD_*`.
typedef uint32_t truing_std_kind;
/// n - 1.
#define TRUING_STD_UNBIASED 1
/// n.
#define TRUING_STD_POPULATION 2

/// How eps enters: `TRUING_EPS_*`.
typedef uint32_t truing_eps_kind;
/// std + eps.
#define TRUING_EPS_ADD 1
/// std + eps, no division where std is 0.
#define TRUING_EPS_SKIP_ZERO 2
/// sqrt(var + eps).
#define TRUING_EPS_VARIANCE_ADD 3
/// sqrt(max(var, eps)).
#define TRUING_EPS_VARIANCE_MAX 4

/// Advantage in a group with one scored row: `TRUING_SINGLE_*`.
typedef uint32_t truing_single;
/// 0.
#define TRUING_SINGLE_ZERO 1
/// The reward.
#define TRUING_SINGLE_RAW 2

/// Where objectives become one: `TRUING_ORDER_*`, 0 invalid.
typedef uint32_t truing_objective_order;
/// Weighted sum, then the group's advantage.
#define TRUING_ORDER_SUM_FIRST 1
/// The group's advantage of each, then the weighted sum, then `batch_step`.
#define TRUING_ORDER_NORMALISE_FIRST 2

/// Last step of NORMALISE_FIRST: `TRUING_BATCH_STEP_*`.
typedef uint32_t truing_batch_step;
/// None.
#define TRUING_BATCH_STEP_NONE 1
/// (S - mean) / (std + batch_eps).
#define TRUING_BATCH_STEP_STANDARDISE 2
/// S / std.
#define TRUING_BATCH_STEP_SCALE 3

/// A masked position in a recursion: `TRUING_MASKS_*`, 0 invalid.
typedef uint32_t truing_mask_handling;
/// Left out (verl, NeMo-RL, AReaL).
#define TRUING_MASKS_CARRY 1
/// Reward and value are 0 (OpenRLHF).
#define TRUING_MASKS_ZERO 2
/// Rewards and values are read there too; outputs are 0 (torchtune, ROLL, slime).
#define TRUING_MASKS_IGNORE 3

/// Tokens that share a baseline: `TRUING_ALIGNMENT_*`, 0 invalid.
typedef uint32_t truing_alignment;
/// The same position.
#define TRUING_ALIGNMENT_POSITION 1
/// The k-th live ones.
#define TRUING_ALIGNMENT_LIVE_INDEX 2

/// How a teacher becomes an advantage, d = teacher - student: `TRUING_DISTILL_*`, 0 invalid.
typedef uint32_t truing_distill_form;
/// A - coef clamp(K), K an estimate of KL(student || teacher), k1: -d.
#define TRUING_DISTILL_OPD 1
/// d, early tokens weighted more.
#define TRUING_DISTILL_IW_OPD 2
/// A times a clipped e^d; never another sign.
#define TRUING_DISTILL_RLSD 3
/// Discounted sum of d.
#define TRUING_DISTILL_MINILLM 4

/// What pama_scalars averages over: `TRUING_GRANULARITY_*`, 0 invalid.
typedef uint32_t truing_granularity;
/// All live tokens.
#define TRUING_GRANULARITY_BATCH 1
/// Those of a sequence.
#define TRUING_GRANULARITY_SEQUENCE 2
/// Nothing.
#define TRUING_GRANULARITY_TOKEN 3

/// Advantage of every row from the rewards of its group.
typedef struct truing_group_advantage_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [B], finite, NaN = missing: no part of a statistic, advantage 0.
    const struct truing_tensor *rewards;
    /// int [G+1], group g holds rows offsets[g] to offsets[g+1]; or `group_ids`.
    const struct truing_tensor *group_offsets;
    /// int [B], group of each row, in any order, below `num_groups`.
    const struct truing_tensor *group_ids;
    /// With `group_ids`.
    uint64_t num_groups;
    /// int [B], tokens of each row; LENGTH_WEIGHTED only.
    const struct truing_tensor *lengths;
    /// Host: eps (the preset's), f_norm (1); NaN or a missing tail = default.
    const double *params;
    /// Values given.
    size_t num_params;
    /// `TRUING_ADVANTAGE_*`, 0 = the next two are given.
    truing_advantage_preset preset;
    /// `TRUING_BASELINE_*`, 0 = the preset's.
    truing_baseline baseline;
    /// `TRUING_SCALE_*`, 0 = the preset's.
    truing_advantage_scale scale;
    /// `TRUING_STD_*`, 0 = unbiased.
    truing_std_kind std_kind;
    /// `TRUING_EPS_ADD` or `_SKIP_ZERO`, 0 = the preset's, or ADD.
    truing_eps_kind eps_kind;
    /// `TRUING_SINGLE_*`, 0 = the preset's, or ZERO.
    truing_single single;
    /// f64 or f32 [B].
    const struct truing_tensor *out_advantages;
    /// f64 or f32 [G], of the scored rows.
    const struct truing_tensor *out_mean;
    /// f64 or f32 [G].
    const struct truing_tensor *out_std;
    /// u32 [G]: empty, degenerate (one scored row, or no weight), infinite, overflow.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_group_advantage_args;

/// Advantage of every row from several rewards, and its gradient with respect to their weights.
typedef struct truing_multi_objective_advantage_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [B,K], finite, NaN = missing: skipped.
    const struct truing_tensor *rewards;
    /// float [K] or [B,K], NULL = 1.
    const struct truing_tensor *weights;
    /// int [G+1], group g holds rows offsets[g] to offsets[g+1]; or `group_ids`.
    const struct truing_tensor *group_offsets;
    /// int [B], group of each row, in any order, below `num_groups`.
    const struct truing_tensor *group_ids;
    /// With `group_ids`.
    uint64_t num_groups;
    /// int [B]; LENGTH_WEIGHTED only.
    const struct truing_tensor *lengths;
    /// Host: eps (the preset's), f_norm (1), batch_eps (1e-4).
    const double *params;
    /// Values given.
    size_t num_params;
    /// `TRUING_ORDER_*`.
    truing_objective_order order;
    /// `TRUING_ADVANTAGE_*`, 0 = the next two are given.
    truing_advantage_preset preset;
    /// `TRUING_BASELINE_*`, 0 = the preset's.
    truing_baseline baseline;
    /// `TRUING_SCALE_*`, 0 = the preset's.
    truing_advantage_scale scale;
    /// `TRUING_STD_*`, 0 = unbiased.
    truing_std_kind std_kind;
    /// `TRUING_EPS_ADD` or `_SKIP_ZERO`, 0 = the preset's, or ADD.
    truing_eps_kind eps_kind;
    /// `TRUING_SINGLE_*`, 0 = the preset's, or ZERO.
    truing_single single;
    /// `TRUING_BATCH_STEP_*`, NORMALISE_FIRST only, 0 = NONE.
    truing_batch_step batch_step;
    /// f64 or f32 [B].
    const struct truing_tensor *out_advantages;
    /// f64 or f32 [B], before the last step, NaN for a row without a reward.
    const struct truing_tensor *out_combined;
    /// u32 [B]: empty for a row without a reward, infinite, overflow.
    const struct truing_tensor *out_status;
    /// Backward: float [B].
    const struct truing_tensor *grad_advantages;
    /// Backward: f64 or f32 [K], or [B,K] where the weights are.
    const struct truing_tensor *grad_weights_out;
    /// 0.
    uint8_t reserved[64];
} truing_multi_objective_advantage_args;

/// Generalised advantage estimation, and the discounted return. Backward: rewards, values and baseline are NULL.
typedef struct truing_gae_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N] or [B,T].
    const struct truing_tensor *rewards;
    /// float [N]; NULL in a discounted return.
    const struct truing_tensor *values;
    /// float [B], value behind a truncated sequence, NULL = 0.
    const struct truing_tensor *value_end;
    /// float [B], discounted return: subtracted from it in `out_advantages`.
    const struct truing_tensor *baseline;
    /// mask [N].
    const struct truing_tensor *mask;
    /// int [B+1], packed layout.
    const struct truing_tensor *cu_seqlens;
    /// Host: gamma (1), lambda_policy (1), lambda_value (lambda_policy), length_alpha (off); of a discounted return gamma.
    const double *params;
    /// Values given.
    size_t num_params;
    /// `TRUING_MASKS_*`.
    truing_mask_handling masks;
    /// 0.
    uint32_t reserved0;
    /// f64 or f32 [N].
    const struct truing_tensor *out_advantages;
    /// f64 or f32 [N], before any whitening.
    const struct truing_tensor *out_returns;
    /// u32 [B]: empty, nan_input, inf_input, overflow.
    const struct truing_tensor *out_status;
    /// Backward: float [N].
    const struct truing_tensor *grad_advantages;
    /// Backward: float [N].
    const struct truing_tensor *grad_returns;
    /// Backward: f64 or f32 [N].
    const struct truing_tensor *grad_rewards_out;
    /// Backward: f64 or f32 [N].
    const struct truing_tensor *grad_values_out;
    /// Backward: f64 or f32 [B].
    const struct truing_tensor *grad_value_end_out;
    /// 0.
    uint8_t reserved[64];
} truing_gae_args;

/// (v - mean) / deviation over live values. Over ranks: `out_state` of each, then all of them as `states`.
typedef struct truing_whiten_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [n] or [B,T].
    const struct truing_tensor *values;
    /// mask [n].
    const struct truing_tensor *mask;
    /// int [n] >= 0, how many values each stands for; NULL = 1.
    const struct truing_tensor *counts;
    /// f64 [ranks,3], the states of all ranks; NULL: these values alone.
    const struct truing_tensor *states;
    /// Host: eps (1e-8).
    const double *params;
    /// Values given.
    size_t num_params;
    /// `TRUING_STD_*`.
    truing_std_kind std_kind;
    /// `TRUING_EPS_*`.
    truing_eps_kind eps_kind;
    /// 1: the mean is added back.
    uint32_t keep_mean;
    /// 0.
    uint32_t reserved0;
    /// f64 or f32 [n]; 0 where there is one value or none.
    const struct truing_tensor *out_values;
    /// f64 [3]: number, mean, sum of squares around it.
    const struct truing_tensor *out_state;
    /// f64 or f32 [2]: mean and deviation, without eps.
    const struct truing_tensor *out_moments;
    /// u32, 0-d: empty, degenerate (one value), nan_input, inf_input.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_whiten_args;

/// Reward to go minus a baseline of its own for every position of a group.
typedef struct truing_optimal_token_baseline_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N] or [B,T].
    const struct truing_tensor *rewards;
    /// float [N], nats.
    const struct truing_tensor *logps;
    /// float [N], log of sum p^2 (`figures.out_log_sum_sq`).
    const struct truing_tensor *log_sum_sq;
    /// float [N], NULL = 1.
    const struct truing_tensor *importance_weight;
    /// mask [N].
    const struct truing_tensor *mask;
    /// int [B+1], packed layout.
    const struct truing_tensor *cu_seqlens;
    /// int [G+1], group g holds rows offsets[g] to offsets[g+1]; or `group_ids`.
    const struct truing_tensor *group_offsets;
    /// int [B], group of each row, in any order, below `num_groups`.
    const struct truing_tensor *group_ids;
    /// With `group_ids`.
    uint64_t num_groups;
    /// Host: eps (1e-8).
    const double *params;
    /// Values given.
    size_t num_params;
    /// `TRUING_ALIGNMENT_*`.
    truing_alignment alignment;
    /// 1: a baseline beyond the second longest row too.
    uint32_t keep_tail;
    /// f64 or f32 [N].
    const struct truing_tensor *out_advantages;
    /// f64 or f32 [N].
    const struct truing_tensor *out_baseline;
    /// u32 [B]: empty, nan_input, inf_input, overflow.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_optimal_token_baseline_args;

/// Returns of PRIME from process rewards and outcomes, leave-one-out by group; to be whitened.
typedef struct truing_prime_advantage_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N] or [B,T]; NULL with an outcome: none.
    const struct truing_tensor *process_rewards;
    /// float [B], at the last live token.
    const struct truing_tensor *outcome;
    /// mask [N].
    const struct truing_tensor *mask;
    /// int [B+1], packed layout.
    const struct truing_tensor *cu_seqlens;
    /// int [G+1], group g holds rows offsets[g] to offsets[g+1]; or `group_ids`.
    const struct truing_tensor *group_offsets;
    /// int [B], group of each row, in any order, below `num_groups`.
    const struct truing_tensor *group_ids;
    /// With `group_ids`.
    uint64_t num_groups;
    /// Host: process_coef (1), outcome_coef (1).
    const double *params;
    /// Values given.
    size_t num_params;
    /// f64 or f32 [N].
    const struct truing_tensor *out_returns;
    /// u32 [B]: empty, overflow.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_prime_advantage_args;

/// A teacher's log-probs of sampled tokens as advantage.
typedef struct truing_distill_advantage_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N] or [B,T], log-prob under the policy that sampled, nats.
    const struct truing_tensor *student;
    /// float [N], nats; NaN = missing.
    const struct truing_tensor *teacher;
    /// float [N] or [B]: OPD (NULL = 0) and RLSD.
    const struct truing_tensor *advantages;
    /// float [N], in the place of teacher - student: MINILLM only.
    const struct truing_tensor *token_rewards;
    /// mask [N].
    const struct truing_tensor *mask;
    /// int [B+1], packed layout.
    const struct truing_tensor *cu_seqlens;
    /// Host: OPD coef (1), clamp (inf); IW_OPD gain (0.5); RLSD mix (0.5), eps (0.2); MINILLM gamma (0).
    const double *params;
    /// Values given.
    size_t num_params;
    /// `TRUING_DISTILL_*`.
    truing_distill_form form;
    /// OPD: entry of the estimator kind, 0 = k1.
    truing_loss_id estimator;
    /// `TRUING_LEVEL_*`, 0 = by the shape.
    truing_level advantage_level;
    /// 1: a missing teacher value is no opinion, 0: an error.
    uint32_t missing_zero;
    /// RLSD, 1: only where the advantage is negative.
    uint32_t negative_only;
    /// MINILLM, 1: over the discounted number of tokens.
    uint32_t per_length;
    /// MINILLM, 1: times gamma^t.
    uint32_t position_power;
    /// 0.
    uint32_t reserved0;
    /// f64 or f32 [N].
    const struct truing_tensor *out_advantages;
    /// u32 [B]: empty, nan_input, inf_input, infinite, overflow, saturated.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_distill_advantage_args;

/// (A_r - lambda A_c) / (1 + lambda), and the gradient of the multiplier.
typedef struct truing_lagrangian_advantage_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N] or [B,T].
    const struct truing_tensor *reward_advantages;
    /// float [N].
    const struct truing_tensor *cost_advantages;
    /// mask [N].
    const struct truing_tensor *mask;
    /// float, 0-d, -inf for lambda = 0.
    const struct truing_tensor *log_lambda;
    /// float, 0-d, with `grad_log_lambda_out`.
    const struct truing_tensor *mean_cost;
    /// What `mean_cost` is held to.
    double cost_limit;
    /// f64 or f32 [N].
    const struct truing_tensor *out_advantages;
    /// f64 or f32, 0-d, of -(mean_cost - cost_limit) lambda.
    const struct truing_tensor *grad_log_lambda_out;
    /// 0.
    uint8_t reserved[64];
} truing_lagrangian_advantage_args;

/// Mean clipped advantage of every objective.
typedef struct truing_pama_scalars_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [n,N].
    const struct truing_tensor *advantages;
    /// float [N] or [B,T], nats.
    const struct truing_tensor *logps;
    /// float [N], log-prob under the policy that the ratio is taken to.
    const struct truing_tensor *anchor;
    /// mask [N].
    const struct truing_tensor *mask;
    /// int [B+1], packed layout.
    const struct truing_tensor *cu_seqlens;
    /// Host: clip_high (0.2).
    const double *params;
    /// Values given.
    size_t num_params;
    /// `TRUING_GRANULARITY_*`.
    truing_granularity granularity;
    /// 0.
    uint32_t reserved0;
    /// f64 or f32 [n,1], [n,B] or [n,N].
    const struct truing_tensor *out_scalars;
    /// 0.
    uint8_t reserved[64];
} truing_pama_scalars_args;

/// The element of least size between n numbers, and weights that make it; column by column.
typedef struct truing_interval_weights_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [n,m], n up to 64.
    const struct truing_tensor *scalars;
    /// f64 or f32 [m].
    const struct truing_tensor *out_value;
    /// f64 or f32 [n,m], >= 0, sum 1.
    const struct truing_tensor *out_weights;
    /// u32 [m]: nan_input, inf_input.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_interval_weights_args;

/// Mean products of all pairs of rows.
typedef struct truing_gram_matrix_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [n,N], n up to 64.
    const struct truing_tensor *values;
    /// mask [N].
    const struct truing_tensor *mask;
    /// 1: cosines.
    uint32_t unit_rows;
    /// 0.
    uint32_t reserved0;
    /// f64 or f32 [n,n].
    const struct truing_tensor *out_gram;
    /// 0.
    uint8_t reserved[64];
} truing_gram_matrix_args;

/// The weights c >= 0, sum 1, of least c' M c.
typedef struct truing_min_norm_weights_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [n,n], symmetric, positive semidefinite, n up to 64.
    const struct truing_tensor *gram;
    /// Host: tolerance (1e-12), where n > 8.
    const double *params;
    /// Values given.
    size_t num_params;
    /// f64 or f32 [n].
    const struct truing_tensor *out_weights;
    /// f64 or f32, 0-d.
    const struct truing_tensor *out_value;
    /// 0.
    uint8_t reserved[64];
} truing_min_norm_weights_args;

/// Rewards with a KL penalty, of tokens or of sequences.
typedef struct truing_token_reward_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float [N] or [B,T], log-prob under the policy that sampled, nats.
    const struct truing_tensor *old;
    /// float [N], nats.
    const struct truing_tensor *ref_logps;
    /// float [B], NULL = 0.
    const struct truing_tensor *rewards;
    /// mask [N].
    const struct truing_tensor *mask;
    /// int [B+1], packed layout.
    const struct truing_tensor *cu_seqlens;
    /// Host: coef (required), kl_clamp (inf), reward_min (-inf), reward_max (inf).
    const double *params;
    /// Values given.
    size_t num_params;
    /// Entry of the estimator kind.
    truing_loss_id estimator;
    /// `TRUING_LEVEL_*`: of the result.
    truing_level level;
    /// f64 or f32 [N]: the reward at the last live token; or [B].
    const struct truing_tensor *out_rewards;
    /// f64 or f32 [B], sum of the estimates.
    const struct truing_tensor *out_kl;
    /// u32 [B]: empty, nan_input, inf_input, infinite, overflow, saturated.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_token_reward_args;

/// The next value of a coefficient that follows a measured figure.
typedef struct truing_controller_args {
    /// `sizeof` of this struct as the caller compiled it.
    uint32_t struct_size;
    /// 0.
    uint32_t reserved_head;
    /// NULL = calling thread only, portable mode.
    const struct truing_context *context;
    /// TRUING_* bits this call knows.
    uint64_t flags;
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    void *stream;
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    void *workspace;
    /// Bytes.
    size_t workspace_size;
    /// float, 0-d: mean KL or entropy.
    const struct truing_tensor *measured;
    /// float, 0-d, until now.
    const struct truing_tensor *coef;
    /// Host: of KL target (0.1), batch (required), horizon (10000); of entropy target (0.2), step (0.005), minimum (0), maximum
    /// (1).
    const double *params;
    /// Values given.
    size_t num_params;
    /// f64 or f32, 0-d.
    const struct truing_tensor *out_coef;
    /// f64 or f32, 0-d: what the next step applies, of an entropy bonus 0 above the target.
    const struct truing_tensor *out_applied;
    /// u32, 0-d: nan_input, inf_input (the coefficient stays); on a device out_of_range of a coefficient that is none.
    const struct truing_tensor *out_status;
    /// 0.
    uint8_t reserved[64];
} truing_controller_args;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/// Advantage of every row from the rewards of its group; see `truing_group_advantage_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields and `params` describe is readable, what its outputs
/// describe is writable, and nobody else writes to any of it during the call.
truing_status truing_group_advantage(const struct truing_group_advantage_args *args);

/// Bytes of workspace for `truing_group_advantage`.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_group_advantage_workspace_size(const struct truing_group_advantage_args *args,
                                                    size_t *minimum,
                                                    size_t *preferred);

/// The best row of every group gets its distance to the second over the group's deviation, all others 0; see
/// `truing_group_advantage_args`, where `preset`, `baseline` and `single` are 0 and `scale` is GROUP_STD (0 too) or NONE.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_pass_k_advantage(const struct truing_group_advantage_args *args);

/// Bytes of workspace for `truing_pass_k_advantage`.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_pass_k_advantage_workspace_size(const struct truing_group_advantage_args *args,
                                                     size_t *minimum,
                                                     size_t *preferred);

/// Advantage of every row from several rewards; see `truing_multi_objective_advantage_args`.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_multi_objective_advantage_forward(const struct truing_multi_objective_advantage_args *args);

/// Gradient of the weights of the rewards; see `truing_multi_objective_advantage_args`. With CUDA tensors it is NaN where the CPU
/// refuses what they hold.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_multi_objective_advantage_backward(const struct truing_multi_objective_advantage_args *args);

/// Bytes of workspace for `truing_multi_objective_advantage_forward`.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_multi_objective_advantage_forward_workspace_size(const struct truing_multi_objective_advantage_args *args,
                                                                      size_t *minimum,
                                                                      size_t *preferred);

/// Bytes of workspace for `truing_multi_objective_advantage_backward`.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_multi_objective_advantage_backward_workspace_size(const struct truing_multi_objective_advantage_args *args,
                                                                       size_t *minimum,
                                                                       size_t *preferred);

/// Advantages and returns of every sequence; see `truing_gae_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_gae_forward(const struct truing_gae_args *args);

/// Discounted sums of the rewards to come; see `truing_gae_args`, where `values` is NULL. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_discounted_return_forward(const struct truing_gae_args *args);

/// Bytes of workspace for `truing_gae_forward`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_gae_forward_workspace_size(const struct truing_gae_args *args, size_t *minimum, size_t *preferred);

/// Gradients of rewards and values; see `truing_gae_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_gae_backward(const struct truing_gae_args *args);

/// Gradients of the rewards of discounted returns; see `truing_gae_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_discounted_return_backward(const struct truing_gae_args *args);

/// Bytes of workspace for `truing_gae_backward`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_gae_backward_workspace_size(const struct truing_gae_args *args,
                                                 size_t *minimum,
                                                 size_t *preferred);

/// Bytes of workspace for `truing_discounted_return_forward`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_discounted_return_forward_workspace_size(const struct truing_gae_args *args,
                                                              size_t *minimum,
                                                              size_t *preferred);

/// Bytes of workspace for `truing_discounted_return_backward`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_discounted_return_backward_workspace_size(const struct truing_gae_args *args,
                                                               size_t *minimum,
                                                               size_t *preferred);

/// Standardised values, or the moments of a rank; see `truing_whiten_args`.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_whiten(const struct truing_whiten_args *args);

/// Bytes of workspace for `truing_whiten`.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_whiten_workspace_size(const struct truing_whiten_args *args, size_t *minimum, size_t *preferred);

/// Reward to go minus the best baseline of each position; see `truing_optimal_token_baseline_args`.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_optimal_token_baseline(const struct truing_optimal_token_baseline_args *args);

/// Bytes of workspace for `truing_optimal_token_baseline`.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_optimal_token_baseline_workspace_size(const struct truing_optimal_token_baseline_args *args,
                                                           size_t *minimum,
                                                           size_t *preferred);

/// Returns of process rewards and outcomes; see `truing_prime_advantage_args`.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_prime_advantage(const struct truing_prime_advantage_args *args);

/// Bytes of workspace for `truing_prime_advantage`.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_prime_advantage_workspace_size(const struct truing_prime_advantage_args *args,
                                                    size_t *minimum,
                                                    size_t *preferred);

/// Advantages from a teacher's log-probs; see `truing_distill_advantage_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_distill_advantage(const struct truing_distill_advantage_args *args);

/// Bytes of workspace for `truing_distill_advantage`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_distill_advantage_workspace_size(const struct truing_distill_advantage_args *args,
                                                      size_t *minimum,
                                                      size_t *preferred);

/// Advantages under a multiplier; see `truing_lagrangian_advantage_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_lagrangian_advantage(const struct truing_lagrangian_advantage_args *args);

/// Bytes of workspace for `truing_lagrangian_advantage`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_lagrangian_advantage_workspace_size(const struct truing_lagrangian_advantage_args *args,
                                                         size_t *minimum,
                                                         size_t *preferred);

/// Mean clipped advantage of every objective; see `truing_pama_scalars_args`. No workspace. With CUDA tensors a sequence whose
/// offsets are wrong is NaN.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_pama_scalars(const struct truing_pama_scalars_args *args);

/// Bytes of workspace for `truing_pama_scalars`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_pama_scalars_workspace_size(const struct truing_pama_scalars_args *args,
                                                 size_t *minimum,
                                                 size_t *preferred);

/// The least element between numbers; see `truing_interval_weights_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_interval_weights(const struct truing_interval_weights_args *args);

/// Bytes of workspace for `truing_interval_weights`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_interval_weights_workspace_size(const struct truing_interval_weights_args *args,
                                                     size_t *minimum,
                                                     size_t *preferred);

/// Mean products of all pairs of rows; see `truing_gram_matrix_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_gram_matrix(const struct truing_gram_matrix_args *args);

/// Bytes of workspace for `truing_gram_matrix`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_gram_matrix_workspace_size(const struct truing_gram_matrix_args *args,
                                                size_t *minimum,
                                                size_t *preferred);

/// Weights of least norm; see `truing_min_norm_weights_args`. With CUDA tensors a matrix that the CPU refuses gives NaN.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_min_norm_weights(const struct truing_min_norm_weights_args *args);

/// Bytes of workspace for `truing_min_norm_weights`: 0 for CUDA tensors.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_min_norm_weights_workspace_size(const struct truing_min_norm_weights_args *args,
                                                     size_t *minimum,
                                                     size_t *preferred);

/// Rewards with a KL penalty; see `truing_token_reward_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_token_reward(const struct truing_token_reward_args *args);

/// Bytes of workspace for `truing_token_reward`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_token_reward_workspace_size(const struct truing_token_reward_args *args,
                                                 size_t *minimum,
                                                 size_t *preferred);

/// The next coefficient of a KL penalty: coef (1 + clip(kl / target - 1, -0.2, 0.2) batch / horizon); see
/// `truing_controller_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_kl_controller(const struct truing_controller_args *args);

/// The next coefficient of an entropy bonus: coef + step while the entropy is at most the target, else - step; see
/// `truing_controller_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
truing_status truing_entropy_controller(const struct truing_controller_args *args);

/// Bytes of workspace for `truing_kl_controller`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_kl_controller_workspace_size(const struct truing_controller_args *args,
                                                  size_t *minimum,
                                                  size_t *preferred);

/// Bytes of workspace for `truing_entropy_controller`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
truing_status truing_entropy_controller_workspace_size(const struct truing_controller_args *args,
                                                       size_t *minimum,
                                                       size_t *preferred);

/// Sum, counts and mean of the KL rows that `kto` takes as its baseline; see `truing_kto_baseline_args`. No workspace.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe is writable, and nobody else writes to any of it during the call.
truing_status truing_kto_baseline(const struct truing_kto_baseline_args *args);

/// Running mean of rewards that `bco` takes as its shift; see `truing_bco_shift_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`.
truing_status truing_bco_shift(const struct truing_bco_shift_args *args);

/// Order of two samples, for `dpo` on the differences of equal ranks; see `truing_aot_sort_args`.
///
/// # Safety
/// As for `truing_kto_baseline`.
truing_status truing_aot_sort(const struct truing_aot_sort_args *args);

/// Bytes of workspace for `truing_aot_sort`.
///
/// # Safety
/// As for `truing_aot_sort`; `minimum` and `preferred` are NULL or writable.
truing_status truing_aot_sort_workspace_size(const struct truing_aot_sort_args *args,
                                             size_t *minimum,
                                             size_t *preferred);

/// Rows that `beta_dpo` keeps and the beta that it uses; see `truing_beta_dpo_stats_args`.
///
/// # Safety
/// As for `truing_kto_baseline`; the host array `params` is readable.
truing_status truing_beta_dpo_stats(const struct truing_beta_dpo_stats_args *args);

/// Bytes of workspace for `truing_beta_dpo_stats`.
///
/// # Safety
/// As for `truing_beta_dpo_stats`; `minimum` and `preferred` are NULL or writable.
truing_status truing_beta_dpo_stats_workspace_size(const struct truing_beta_dpo_stats_args *args,
                                                   size_t *minimum,
                                                   size_t *preferred);

/// Weights of pairs by the policy's own probabilities; see `truing_wpo_weight_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`.
truing_status truing_wpo_weight(const struct truing_wpo_weight_args *args);

/// Bytes of workspace for `truing_kto_baseline`: 0.
///
/// # Safety
/// As for `truing_kto_baseline`; `minimum` and `preferred` are NULL or writable.
truing_status truing_kto_baseline_workspace_size(const struct truing_kto_baseline_args *args,
                                                 size_t *minimum,
                                                 size_t *preferred);

/// Bytes of workspace for `truing_bco_shift`: 0.
///
/// # Safety
/// As for `truing_bco_shift`; `minimum` and `preferred` are NULL or writable.
truing_status truing_bco_shift_workspace_size(const struct truing_bco_shift_args *args,
                                              size_t *minimum,
                                              size_t *preferred);

/// Bytes of workspace for `truing_wpo_weight`: 0.
///
/// # Safety
/// As for `truing_wpo_weight`; `minimum` and `preferred` are NULL or writable.
truing_status truing_wpo_weight_workspace_size(const struct truing_wpo_weight_args *args,
                                               size_t *minimum,
                                               size_t *preferred);

/// Weights of undesirable rows in `bco`; see `truing_item_numbers_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`; the host array `params` is readable.
truing_status truing_density_ratio(const struct truing_item_numbers_args *args);

/// Margins of `odpo` from rewards; see `truing_item_numbers_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`; the host array `params` is readable.
truing_status truing_odpo_offset(const struct truing_item_numbers_args *args);

/// Betas of `mm_dpo` from rewards; see `truing_item_numbers_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`; the host array `params` is readable.
truing_status truing_mm_beta(const struct truing_item_numbers_args *args);

/// One step of the multiplier of a constraint; see `truing_item_numbers_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`; the host array `params` is readable.
truing_status truing_pdu_dual_step(const struct truing_item_numbers_args *args);

/// Weights of the rows of several heads; see `truing_head_weights_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`.
truing_status truing_head_weights(const struct truing_head_weights_args *args);

/// Margins of `modpo` and their gradients; see `truing_modpo_margin_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`.
truing_status truing_modpo_margin(const struct truing_modpo_margin_args *args);

/// A quantile of a batch; see `truing_quantile_threshold_args`.
///
/// # Safety
/// As for `truing_kto_baseline`.
truing_status truing_quantile_threshold(const struct truing_quantile_threshold_args *args);

/// Bytes of workspace for `truing_quantile_threshold`.
///
/// # Safety
/// As for `truing_quantile_threshold`; `minimum` and `preferred` are NULL or writable.
truing_status truing_quantile_threshold_workspace_size(const struct truing_quantile_threshold_args *args,
                                                       size_t *minimum,
                                                       size_t *preferred);

/// Values of prompts from samples of the reference model; see `truing_a_star_value_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`; the host array `params` is readable.
truing_status truing_a_star_value(const struct truing_a_star_value_args *args);

/// Targets of steps with the outcome behind them; see `truing_hindsight_target_args`. No workspace.
///
/// # Safety
/// As for `truing_kto_baseline`; the host array `params` is readable.
truing_status truing_hindsight_target(const struct truing_hindsight_target_args *args);

/// KL by sampled tokens and lengths of a batch; see `truing_kl_length_figures_args`.
///
/// # Safety
/// As for `truing_kto_baseline`.
truing_status truing_kl_length_figures(const struct truing_kl_length_figures_args *args);

/// Bytes of workspace for `truing_kl_length_figures`.
///
/// # Safety
/// As for `truing_kl_length_figures`; `minimum` and `preferred` are NULL or writable.
truing_status truing_kl_length_figures_workspace_size(const struct truing_kl_length_figures_args *args,
                                                      size_t *minimum,
                                                      size_t *preferred);

/// Similarity of the hidden states of both answers of pairs; see `truing_ches_args`.
///
/// # Safety
/// As for `truing_kto_baseline`.
truing_status truing_ches(const struct truing_ches_args *args);

/// Bytes of workspace for `truing_ches`.
///
/// # Safety
/// As for `truing_ches`; `minimum` and `preferred` are NULL or writable.
truing_status truing_ches_workspace_size(const struct truing_ches_args *args, size_t *minimum, size_t *preferred);

/// Bytes of workspace for `truing_density_ratio`: 0.
///
/// # Safety
/// As for `truing_density_ratio`; `minimum` and `preferred` are NULL or writable.
truing_status truing_density_ratio_workspace_size(const struct truing_item_numbers_args *args,
                                                  size_t *minimum,
                                                  size_t *preferred);

/// Bytes of workspace for `truing_odpo_offset`: 0.
///
/// # Safety
/// As for `truing_odpo_offset`; `minimum` and `preferred` are NULL or writable.
truing_status truing_odpo_offset_workspace_size(const struct truing_item_numbers_args *args,
                                                size_t *minimum,
                                                size_t *preferred);

/// Bytes of workspace for `truing_mm_beta`: 0.
///
/// # Safety
/// As for `truing_mm_beta`; `minimum` and `preferred` are NULL or writable.
truing_status truing_mm_beta_workspace_size(const struct truing_item_numbers_args *args,
                                            size_t *minimum,
                                            size_t *preferred);

/// Bytes of workspace for `truing_pdu_dual_step`: 0.
///
/// # Safety
/// As for `truing_pdu_dual_step`; `minimum` and `preferred` are NULL or writable.
truing_status truing_pdu_dual_step_workspace_size(const struct truing_item_numbers_args *args,
                                                  size_t *minimum,
                                                  size_t *preferred);

/// Bytes of workspace for `truing_head_weights`: 0.
///
/// # Safety
/// As for `truing_head_weights`; `minimum` and `preferred` are NULL or writable.
truing_status truing_head_weights_workspace_size(const struct truing_head_weights_args *args,
                                                 size_t *minimum,
                                                 size_t *preferred);

/// Bytes of workspace for `truing_modpo_margin`: 0.
///
/// # Safety
/// As for `truing_modpo_margin`; `minimum` and `preferred` are NULL or writable.
truing_status truing_modpo_margin_workspace_size(const struct truing_modpo_margin_args *args,
                                                 size_t *minimum,
                                                 size_t *preferred);

/// Bytes of workspace for `truing_a_star_value`: 0.
///
/// # Safety
/// As for `truing_a_star_value`; `minimum` and `preferred` are NULL or writable.
truing_status truing_a_star_value_workspace_size(const struct truing_a_star_value_args *args,
                                                 size_t *minimum,
                                                 size_t *preferred);

/// Bytes of workspace for `truing_hindsight_target`: 0.
///
/// # Safety
/// As for `truing_hindsight_target`; `minimum` and `preferred` are NULL or writable.
truing_status truing_hindsight_target_workspace_size(const struct truing_hindsight_target_args *args,
                                                     size_t *minimum,
                                                     size_t *preferred);

/// The message of the latest failed call of this thread: function, field, what it held, what was expected. Never
/// NULL, empty before the first failure, overwritten by the next failed call of this thread.
const char *truing_last_error(void);

/// `TRUING_ABI_VERSION` of this library. A caller compiled for another number must not call anything else.
uint32_t truing_abi_version(void);

/// Version of this library, "0.1.0". Saved statistics (`out_stats`, `out_pair_stats`) are valid for one version only.
const char *truing_version(void);

/// Number of entries of the catalogue.
size_t truing_loss_count(void);

/// Describes entry `index` of the catalogue, `0 <= index < truing_loss_count()`. `out` is zeroed by the caller except for
/// its `struct_size`.
///
/// # Safety
/// `out` is NULL or points to `struct_size` writable bytes.
truing_status truing_loss_at(size_t index,
                             struct truing_loss_description *out);

/// Describes the entry with this id. `out` is zeroed by the caller except for its `struct_size`.
///
/// # Safety
/// `out` is NULL or points to `struct_size` writable bytes.
truing_status truing_loss_info(truing_loss_id id, struct truing_loss_description *out);

/// Finds an entry by its name or one of its aliases.
///
/// # Safety
/// `name` is NULL or a NUL-terminated string; `out_id` is NULL or writable.
truing_status truing_loss_find(const char *name, truing_loss_id *out_id);

/// Cross entropy of a process reward model at its steps; see `truing_class_rows_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes; the host array `params` is readable. What its fields describe is
/// readable, what its outputs describe and the workspace are writable, and nobody else writes to any of it during the call.
truing_status truing_prm_ce(const struct truing_class_rows_args *args);

/// Ranked probability score of ordered classes; see `truing_class_rows_args`.
///
/// # Safety
/// As for `truing_prm_ce`.
truing_status truing_rps(const struct truing_class_rows_args *args);

/// Brier score of classes; see `truing_class_rows_args`.
///
/// # Safety
/// As for `truing_prm_ce`.
truing_status truing_brier(const struct truing_class_rows_args *args);

/// Cross entropy to weak labels mixed with the student's own hard ones; see `truing_class_rows_args`.
///
/// # Safety
/// As for `truing_prm_ce`.
truing_status truing_confidence_ce(const struct truing_class_rows_args *args);

/// Cross entropy to the product of the student's and the weak labels; see `truing_class_rows_args`.
///
/// # Safety
/// As for `truing_prm_ce`.
truing_status truing_product_target(const struct truing_class_rows_args *args);

/// Squared gap between the largest logit and the mean; see `truing_class_rows_args`. No workspace.
///
/// # Safety
/// As for `truing_prm_ce`.
truing_status truing_pdu_flatten(const struct truing_class_rows_args *args);

/// Bytes of workspace for `truing_prm_ce`.
///
/// # Safety
/// As for `truing_prm_ce`; `minimum` and `preferred` are NULL or writable.
truing_status truing_prm_ce_workspace_size(const struct truing_class_rows_args *args,
                                           size_t *minimum,
                                           size_t *preferred);

/// Bytes of workspace for `truing_rps`.
///
/// # Safety
/// As for `truing_rps`; `minimum` and `preferred` are NULL or writable.
truing_status truing_rps_workspace_size(const struct truing_class_rows_args *args, size_t *minimum, size_t *preferred);

/// Bytes of workspace for `truing_brier`.
///
/// # Safety
/// As for `truing_brier`; `minimum` and `preferred` are NULL or writable.
truing_status truing_brier_workspace_size(const struct truing_class_rows_args *args,
                                          size_t *minimum,
                                          size_t *preferred);

/// Bytes of workspace for `truing_confidence_ce`.
///
/// # Safety
/// As for `truing_confidence_ce`; `minimum` and `preferred` are NULL or writable.
truing_status truing_confidence_ce_workspace_size(const struct truing_class_rows_args *args,
                                                  size_t *minimum,
                                                  size_t *preferred);

/// Bytes of workspace for `truing_product_target`.
///
/// # Safety
/// As for `truing_product_target`; `minimum` and `preferred` are NULL or writable.
truing_status truing_product_target_workspace_size(const struct truing_class_rows_args *args,
                                                   size_t *minimum,
                                                   size_t *preferred);

/// Bytes of workspace for `truing_pdu_flatten`.
///
/// # Safety
/// As for `truing_pdu_flatten`; `minimum` and `preferred` are NULL or writable.
truing_status truing_pdu_flatten_workspace_size(const struct truing_class_rows_args *args,
                                                size_t *minimum,
                                                size_t *preferred);

/// Squared error of a process reward model; see `truing_prm_mse_args`. No workspace.
///
/// # Safety
/// As for `truing_prm_ce`.
truing_status truing_prm_mse(const struct truing_prm_mse_args *args);

/// Bytes of workspace for `truing_prm_mse`: 0.
///
/// # Safety
/// As for `truing_prm_mse`; `minimum` and `preferred` are NULL or writable.
truing_status truing_prm_mse_workspace_size(const struct truing_prm_mse_args *args, size_t *minimum, size_t *preferred);

/// Weights of objectives by prompt, their target, KL and combination; see `truing_preference_orchestrator_args`.
///
/// # Safety
/// As for `truing_prm_ce`.
truing_status truing_preference_orchestrator(const struct truing_preference_orchestrator_args *args);

/// Bytes of workspace for `truing_preference_orchestrator`.
///
/// # Safety
/// As for `truing_preference_orchestrator`; `minimum` and `preferred` are NULL or writable.
truing_status truing_preference_orchestrator_workspace_size(const struct truing_preference_orchestrator_args *args,
                                                            size_t *minimum,
                                                            size_t *preferred);

/// Creates a context: a pool of threads, the math mode, a cap on the instruction set, the kernels of CUDA devices. It is
/// immutable, may be used from several threads and for several devices at once, and must not be used on the other side of a
/// fork. Nothing of CUDA is touched before a call with CUDA tensors, which needs a context.
///
/// # Safety
/// `options` is NULL or points to `struct_size` readable bytes, its `cuda_cache_dir` is NULL or a string that ends in a 0;
/// `out_context` is NULL or writable.
truing_status truing_context_create(const struct truing_context_options *options,
                                    struct truing_context **out_context);

/// Destroys a context that no call uses any more; NULL is allowed. Kernels that it has loaded stay in the process: a stream may
/// not have passed them yet, and a graph may hold them.
///
/// # Safety
/// `context` is NULL or came from `truing_context_create` and is not used again.
void truing_context_destroy(struct truing_context *context);

/// Compiles, or reads from the context's folder, and loads every kernel for CUDA device number `device_id`, but those
/// that divergences have for each kind. Calls load what they lack themselves, but not while their stream is captured
/// into a graph: prepare first; a divergence has run once first. Where there is no driver, no such
/// device or no compiler, and in a library that is built without CUDA, the status is `TRUING_STATUS_NO_DEVICE`.
///
/// # Safety
/// `context` is NULL, which is refused, or came from `truing_context_create`.
truing_status truing_prepare(const struct truing_context *context, int32_t device_id);

/// Importance weights and what is within their bounds; see `truing_importance_weight_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs and the
/// workspace describe is writable, and nobody else writes to any of it during the call.
truing_status truing_importance_weight(const struct truing_importance_weight_args *args);

/// Bytes of workspace for `truing_importance_weight`.
///
/// # Safety
/// As for `truing_importance_weight`; `minimum` and `preferred` are NULL or writable.
truing_status truing_importance_weight_workspace_size(const struct truing_importance_weight_args *args,
                                                      size_t *minimum,
                                                      size_t *preferred);

/// Tokens that one criterion keeps; see `truing_rejection_mask_args`. No workspace.
///
/// # Safety
/// As for `truing_importance_weight`.
truing_status truing_rejection_mask(const struct truing_rejection_mask_args *args);

/// Sequences that are kept; see `truing_off_policy_sequence_mask_args`. No workspace.
///
/// # Safety
/// As for `truing_importance_weight`.
truing_status truing_off_policy_sequence_mask(const struct truing_off_policy_sequence_mask_args *args);

/// Tokens with the largest entropies; see `truing_top_entropy_mask_args`.
///
/// # Safety
/// As for `truing_importance_weight`.
truing_status truing_top_entropy_mask(const struct truing_top_entropy_mask_args *args);

/// Bytes of workspace for `truing_top_entropy_mask`.
///
/// # Safety
/// As for `truing_top_entropy_mask`; `minimum` and `preferred` are NULL or writable.
truing_status truing_top_entropy_mask_workspace_size(const struct truing_top_entropy_mask_args *args,
                                                     size_t *minimum,
                                                     size_t *preferred);

/// Tokens by the covariance of advantage and log-prob; see `truing_cov_select_args`.
///
/// # Safety
/// As for `truing_importance_weight`; the host array `params` is readable.
truing_status truing_cov_select(const struct truing_cov_select_args *args);

/// Bytes of workspace for `truing_cov_select`.
///
/// # Safety
/// As for `truing_cov_select`; `minimum` and `preferred` are NULL or writable.
truing_status truing_cov_select_workspace_size(const struct truing_cov_select_args *args,
                                               size_t *minimum,
                                               size_t *preferred);

/// Tokens left of those that moved most; see `truing_m2po_mask_args`.
///
/// # Safety
/// As for `truing_importance_weight`.
truing_status truing_m2po_mask(const struct truing_m2po_mask_args *args);

/// Bytes of workspace for `truing_m2po_mask`.
///
/// # Safety
/// As for `truing_m2po_mask`; `minimum` and `preferred` are NULL or writable.
truing_status truing_m2po_mask_workspace_size(const struct truing_m2po_mask_args *args,
                                              size_t *minimum,
                                              size_t *preferred);

/// Weights by what follows; see `truing_fipo_weight_args`. No workspace.
///
/// # Safety
/// As for `truing_importance_weight`; the host array `params` is readable.
truing_status truing_fipo_weight(const struct truing_fipo_weight_args *args);

/// Bytes of workspace for `truing_rejection_mask`: 0.
///
/// # Safety
/// As for `truing_rejection_mask`; `minimum` and `preferred` are NULL or writable.
truing_status truing_rejection_mask_workspace_size(const struct truing_rejection_mask_args *args,
                                                   size_t *minimum,
                                                   size_t *preferred);

/// Bytes of workspace for `truing_off_policy_sequence_mask`: 0.
///
/// # Safety
/// As for `truing_off_policy_sequence_mask`; `minimum` and `preferred` are NULL or writable.
truing_status truing_off_policy_sequence_mask_workspace_size(const struct truing_off_policy_sequence_mask_args *args,
                                                             size_t *minimum,
                                                             size_t *preferred);

/// Bytes of workspace for `truing_fipo_weight`: 0.
///
/// # Safety
/// As for `truing_fipo_weight`; `minimum` and `preferred` are NULL or writable.
truing_status truing_fipo_weight_workspace_size(const struct truing_fipo_weight_args *args,
                                                size_t *minimum,
                                                size_t *preferred);

/// Values and figures of every row pair, their reduction and its gradients; see `truing_divergence_forward_args`.
///
/// # Safety
/// As for `truing_logprob_forward`.
truing_status truing_divergence_forward(const struct truing_divergence_forward_args *args);

/// Gradients of both sides' logits, given those of the values, of the reduced loss and of the student's log-probs; see
/// `truing_divergence_backward_args`. No workspace on the CPU.
///
/// # Safety
/// As for `truing_logprob_forward`.
truing_status truing_divergence_backward(const struct truing_divergence_backward_args *args);

/// Bytes of workspace for `truing_divergence_forward`: 0 without `outputs.out_loss` on the CPU; of a device's memory for CUDA
/// tensors.
///
/// # Safety
/// As for `truing_divergence_forward`; `minimum` and `preferred` are NULL or writable.
truing_status truing_divergence_forward_workspace_size(const struct truing_divergence_forward_args *args,
                                                       size_t *minimum,
                                                       size_t *preferred);

/// Bytes of workspace for `truing_divergence_backward`: 0 on the CPU; of a device's memory for CUDA tensors.
///
/// # Safety
/// As for `truing_divergence_backward`; `minimum` and `preferred` are NULL or writable.
truing_status truing_divergence_backward_workspace_size(const struct truing_divergence_backward_args *args,
                                                        size_t *minimum,
                                                        size_t *preferred);

/// What the columns of one vocabulary shard contribute; see `truing_divergence_local_args`. No workspace on the CPU.
///
/// # Safety
/// As for `truing_logprob_forward`.
truing_status truing_divergence_local(const struct truing_divergence_local_args *args);

/// Bytes of workspace for `truing_divergence_local`: 0 on the CPU; of a device's memory for CUDA tensors.
///
/// # Safety
/// As for `truing_divergence_local`; `minimum` and `preferred` are NULL or writable.
truing_status truing_divergence_local_workspace_size(const struct truing_divergence_local_args *args,
                                                     size_t *minimum,
                                                     size_t *preferred);

/// Figures of the rows from what all shards contribute; see `truing_divergence_finish_args`.
///
/// # Safety
/// As for `truing_logprob_forward`.
truing_status truing_divergence_finish(const struct truing_divergence_finish_args *args);

/// Bytes of workspace for `truing_divergence_finish`: 0 without `outputs.out_loss` on the CPU; of a device's memory for CUDA
/// tensors.
///
/// # Safety
/// As for `truing_divergence_finish`; `minimum` and `preferred` are NULL or writable.
truing_status truing_divergence_finish_workspace_size(const struct truing_divergence_finish_args *args,
                                                      size_t *minimum,
                                                      size_t *preferred);

/// Distance of sorted probabilities; see `truing_uld_args`.
///
/// # Safety
/// As for `truing_logprob_forward`.
truing_status truing_uld(const struct truing_uld_args *args);

/// Bytes of workspace for `truing_uld`: 16 a column of both sides, at best as much for every thread, a bit more a column with matched
/// ids, and 8 a row with `out_loss`. On CUDA of a device's memory, at best for 128 rows.
///
/// # Safety
/// As for `truing_uld`; `minimum` and `preferred` are NULL or writable.
truing_status truing_uld_workspace_size(const struct truing_uld_args *args,
                                        size_t *minimum,
                                        size_t *preferred);

/// Divergences of the rows of two models from hidden states and heads, and the gradients of these, without logits tensors; see
/// `truing_linear_divergence_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe and the workspace are writable, and nobody else writes to any of it during the call.
truing_status truing_linear_divergence_forward(const struct truing_linear_divergence_args *args);

/// Bytes of workspace for `truing_linear_divergence_forward`.
///
/// # Safety
/// As for `truing_linear_divergence_forward`; `minimum` and `preferred` are NULL or writable.
truing_status truing_linear_divergence_forward_workspace_size(const struct truing_linear_divergence_args *args,
                                                              size_t *minimum,
                                                              size_t *preferred);

/// What the columns of one vocabulary shard of both heads contribute; see `truing_linear_divergence_local_args`.
///
/// # Safety
/// As for `truing_linear_divergence_forward`.
truing_status truing_linear_divergence_local(const struct truing_linear_divergence_local_args *args);

/// Bytes of workspace for `truing_linear_divergence_local`.
///
/// # Safety
/// As for `truing_linear_divergence_local`; `minimum` and `preferred` are NULL or writable.
truing_status truing_linear_divergence_local_workspace_size(const struct truing_linear_divergence_local_args *args,
                                                            size_t *minimum,
                                                            size_t *preferred);

/// Figures of the rows from what all shards contribute: `truing_divergence_finish` under the name of this family.
///
/// # Safety
/// As for `truing_linear_divergence_forward`.
truing_status truing_linear_divergence_finish(const truing_linear_divergence_finish_args *args);

/// Bytes of workspace for `truing_linear_divergence_finish`: 0 without `outputs.out_loss`.
///
/// # Safety
/// As for `truing_linear_divergence_finish`; `minimum` and `preferred` are NULL or writable.
truing_status truing_linear_divergence_finish_workspace_size(const truing_linear_divergence_finish_args *args,
                                                             size_t *minimum,
                                                             size_t *preferred);

/// Figures of every row of `hidden x weight^T`, the loss of the rows and its gradients; see
/// `truing_linear_logprob_forward_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe and the workspace are writable, and nobody else writes to any of it during the call.
truing_status truing_linear_logprob_forward(const struct truing_linear_logprob_forward_args *args);

/// Gradients of hidden, weight and bias, given the gradients of the figures and of the loss; see
/// `truing_linear_logprob_backward_args`.
///
/// # Safety
/// As for `truing_linear_logprob_forward`.
truing_status truing_linear_logprob_backward(const struct truing_linear_logprob_backward_args *args);

/// Bytes of workspace for `truing_linear_logprob_forward`.
///
/// # Safety
/// As for `truing_linear_logprob_forward`; `minimum` and `preferred` are NULL or writable.
truing_status truing_linear_logprob_forward_workspace_size(const struct truing_linear_logprob_forward_args *args,
                                                           size_t *minimum,
                                                           size_t *preferred);

/// Bytes of workspace for `truing_linear_logprob_backward`.
///
/// # Safety
/// As for `truing_linear_logprob_backward`; `minimum` and `preferred` are NULL or writable.
truing_status truing_linear_logprob_backward_workspace_size(const struct truing_linear_logprob_backward_args *args,
                                                            size_t *minimum,
                                                            size_t *preferred);

/// What the columns of one vocabulary shard of the weight contribute; see `truing_linear_logprob_local_args`.
///
/// # Safety
/// As for `truing_linear_logprob_forward`.
truing_status truing_linear_logprob_local(const struct truing_linear_logprob_local_args *args);

/// Bytes of workspace for `truing_linear_logprob_local`.
///
/// # Safety
/// As for `truing_linear_logprob_local`; `minimum` and `preferred` are NULL or writable.
truing_status truing_linear_logprob_local_workspace_size(const struct truing_linear_logprob_local_args *args,
                                                         size_t *minimum,
                                                         size_t *preferred);

/// Figures of the rows from what all shards contribute: `truing_logprob_finish` under the name of this family.
///
/// # Safety
/// As for `truing_linear_logprob_forward`.
truing_status truing_linear_logprob_finish(const truing_linear_logprob_finish_args *args);

/// Bytes of workspace for `truing_linear_logprob_finish`: 0 without `figures.out_loss`.
///
/// # Safety
/// As for `truing_linear_logprob_finish`; `minimum` and `preferred` are NULL or writable.
truing_status truing_linear_logprob_finish_workspace_size(const truing_linear_logprob_finish_args *args,
                                                          size_t *minimum,
                                                          size_t *preferred);

/// Policy loss of hidden states and a head, and the gradients of both, without a logits tensor; see
/// `truing_linear_policy_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe and the workspace are writable, and nobody else writes to any of it during the call.
truing_status truing_linear_policy_forward(const struct truing_linear_policy_args *args);

/// Bytes of workspace for `truing_linear_policy_forward`.
///
/// # Safety
/// As for `truing_linear_policy_forward`; `minimum` and `preferred` are NULL or writable.
truing_status truing_linear_policy_forward_workspace_size(const struct truing_linear_policy_args *args,
                                                          size_t *minimum,
                                                          size_t *preferred);

/// Preference loss of hidden states and a head, and the gradients of both, without a logits tensor; see
/// `truing_linear_preference_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe and the workspace are writable, and nobody else writes to any of it during the call.
truing_status truing_linear_preference_forward(const struct truing_linear_preference_args *args);

/// Bytes of workspace for `truing_linear_preference_forward`.
///
/// # Safety
/// As for `truing_linear_preference_forward`; `minimum` and `preferred` are NULL or writable.
truing_status truing_linear_preference_forward_workspace_size(const struct truing_linear_preference_args *args,
                                                              size_t *minimum,
                                                              size_t *preferred);

/// Figures of every row of `logits`: log-prob of the target, lse, entropy and the rest of `truing_figures`, the loss of the
/// rows and its gradient; see `truing_logprob_forward_args`. f64 logits give f64 figures, at reference speed. With CUDA
/// tensors `grad_bias_out`, `TRUING_SUPPORT_COMPUTED` and f64 are refused so far; ids, lists and factors of a row that are out
/// of their ranges make the row NaN, with `out_status` saying so.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe and the workspace are writable, and nobody else writes to any of it during the call.
truing_status truing_logprob_forward(const struct truing_logprob_forward_args *args);

/// Gradient of the logits and of the bias, given the gradients of the figures and of the loss; see
/// `truing_logprob_backward_args`. `grad_logits_out` may be `logits` itself.
///
/// # Safety
/// As for `truing_logprob_forward`.
truing_status truing_logprob_backward(const struct truing_logprob_backward_args *args);

/// Bytes of workspace for `truing_logprob_forward`: 0 without `figures.out_loss`, a gradient and a support; of a device's memory
/// for CUDA tensors, 32 for each 2048 columns of a row (64 with smoothing, ranks or a support), and what lists and losses of rows take.
///
/// # Safety
/// As for `truing_logprob_forward`; `minimum` and `preferred` are NULL or writable.
truing_status truing_logprob_forward_workspace_size(const struct truing_logprob_forward_args *args,
                                                    size_t *minimum,
                                                    size_t *preferred);

/// Bytes of workspace for `truing_logprob_backward`: 0 without `grad_bias_out` and a support; of a device's memory for CUDA
/// tensors, 32 a row and, without `stats`, 32 for each 2048 columns of it.
///
/// # Safety
/// As for `truing_logprob_backward`; `minimum` and `preferred` are NULL or writable.
truing_status truing_logprob_backward_workspace_size(const struct truing_logprob_backward_args *args,
                                                     size_t *minimum,
                                                     size_t *preferred);

/// What the columns of one vocabulary shard contribute; see `truing_logprob_local_args`.
///
/// # Safety
/// As for `truing_logprob_forward`.
truing_status truing_logprob_local(const struct truing_logprob_local_args *args);

/// Bytes of workspace for `truing_logprob_local`: 0 without lists of ids.
///
/// # Safety
/// As for `truing_logprob_local`; `minimum` and `preferred` are NULL or writable.
truing_status truing_logprob_local_workspace_size(const struct truing_logprob_local_args *args,
                                                  size_t *minimum,
                                                  size_t *preferred);

/// Figures of the rows from what all shards contribute; see `truing_logprob_finish_args`.
///
/// # Safety
/// As for `truing_logprob_forward`.
truing_status truing_logprob_finish(const struct truing_logprob_finish_args *args);

/// Bytes of workspace for `truing_logprob_finish`: 0 without `figures.out_loss`.
///
/// # Safety
/// As for `truing_logprob_finish`; `minimum` and `preferred` are NULL or writable.
truing_status truing_logprob_finish_workspace_size(const struct truing_logprob_finish_args *args,
                                                   size_t *minimum,
                                                   size_t *preferred);

/// Loss, figures and gradients of token log-probs; see `truing_policy_forward_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe is writable, and nobody else writes to any of it during the call.
truing_status truing_policy_forward(const struct truing_policy_forward_args *args);

/// Bytes of workspace for `truing_policy_forward`.
///
/// # Safety
/// As for `truing_policy_forward`; `minimum` and `preferred` are NULL or writable.
truing_status truing_policy_forward_workspace_size(const struct truing_policy_forward_args *args,
                                                   size_t *minimum,
                                                   size_t *preferred);

/// Loss, rewards and partials of pairs, rows or lists of sequence scores; see `truing_preference_forward_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe is writable, and nobody else writes to any of it during the call.
truing_status truing_preference_forward(const struct truing_preference_forward_args *args);

/// Bytes of workspace for `truing_preference_forward`.
///
/// # Safety
/// As for `truing_preference_forward`; `minimum` and `preferred` are NULL or writable.
truing_status truing_preference_forward_workspace_size(const struct truing_preference_forward_args *args,
                                                       size_t *minimum,
                                                       size_t *preferred);

/// Scores and counts of sequences, `sum`, `mean` or `ld` over their live tokens; see `truing_sequence_forward_args`.
/// No workspace.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe is writable, and nobody else writes to any of it during the call.
truing_status truing_sequence_forward(const struct truing_sequence_forward_args *args);

/// Gradients of the token values; see `truing_sequence_backward_args`. No workspace.
///
/// # Safety
/// As for `truing_sequence_forward`.
truing_status truing_sequence_backward(const struct truing_sequence_backward_args *args);

/// Bytes of workspace for `truing_sequence_forward`: 0.
///
/// # Safety
/// As for `truing_sequence_forward`; `minimum` and `preferred` are NULL or writable.
truing_status truing_sequence_forward_workspace_size(const struct truing_sequence_forward_args *args,
                                                     size_t *minimum,
                                                     size_t *preferred);

/// Bytes of workspace for `truing_sequence_backward`: 0.
///
/// # Safety
/// As for `truing_sequence_backward`; `minimum` and `preferred` are NULL or writable.
truing_status truing_sequence_backward_workspace_size(const struct truing_sequence_backward_args *args,
                                                      size_t *minimum,
                                                      size_t *preferred);

/// Sums of log p - log q of the targets and of KL(q || p) per sequence, p the policy and q the reference; see
/// `truing_sequence_kl_args`. Reads no `grad_*` and no `stats`.
///
/// # Safety
/// As for `truing_logprob_forward`.
truing_status truing_sequence_kl_forward(const struct truing_sequence_kl_args *args);

/// Gradient of the policy's logits, given those of the sums of every sequence; see `truing_sequence_kl_args`. Writes no
/// `out_*`. `grad_policy_out` may be `policy` itself.
///
/// # Safety
/// As for `truing_logprob_forward`.
truing_status truing_sequence_kl_backward(const struct truing_sequence_kl_args *args);

/// Bytes of workspace for `truing_sequence_kl_forward`.
///
/// # Safety
/// As for `truing_sequence_kl_forward`; `minimum` and `preferred` are NULL or writable.
truing_status truing_sequence_kl_forward_workspace_size(const struct truing_sequence_kl_args *args,
                                                        size_t *minimum,
                                                        size_t *preferred);

/// Bytes of workspace for `truing_sequence_kl_backward`.
///
/// # Safety
/// As for `truing_sequence_kl_backward`; `minimum` and `preferred` are NULL or writable.
truing_status truing_sequence_kl_backward_workspace_size(const struct truing_sequence_kl_args *args,
                                                         size_t *minimum,
                                                         size_t *preferred);

/// What the filters of a sampler keep of every row; see `truing_support_mask_args`.
///
/// # Safety
/// As for `truing_logprob_forward`.
truing_status truing_support_mask(const struct truing_support_mask_args *args);

/// Bytes of workspace for `truing_support_mask`; of a device's memory for CUDA tensors.
///
/// # Safety
/// As for `truing_support_mask`; `minimum` and `preferred` are NULL or writable.
truing_status truing_support_mask_workspace_size(const struct truing_support_mask_args *args,
                                                 size_t *minimum,
                                                 size_t *preferred);

/// Rank of every token under the base model and KL between the models; see `truing_tds_rows_args`. No workspace on the CPU.
///
/// # Safety
/// As for `truing_logprob_forward`.
truing_status truing_tds_rows(const struct truing_tds_rows_args *args);

/// Bytes of workspace for `truing_tds_rows`: 0 on the CPU; of a device's memory for CUDA tensors.
///
/// # Safety
/// As for `truing_tds_rows`; `minimum` and `preferred` are NULL or writable.
truing_status truing_tds_rows_workspace_size(const struct truing_tds_rows_args *args,
                                             size_t *minimum,
                                             size_t *preferred);

/// Rows tilted by alpha times a reward, figures and gradients; see `truing_tilt_args`. No workspace.
///
/// # Safety
/// As for `truing_logprob_forward`.
truing_status truing_tilt(const struct truing_tilt_args *args);

/// The alpha that tilts a row so far that its KL to the row is a target; see `truing_tilt_args`. No workspace.
///
/// # Safety
/// As for `truing_logprob_forward`.
truing_status truing_tilt_solve(const struct truing_tilt_args *args);

/// Renyi's divergence of two arrays and its gradients; see `truing_renyi_args`. No workspace.
///
/// # Safety
/// As for `truing_logprob_forward`.
truing_status truing_renyi_array(const struct truing_renyi_args *args);

/// Renyi's cross entropy of two arrays and its gradients; see `truing_renyi_args`. No workspace.
///
/// # Safety
/// As for `truing_logprob_forward`.
truing_status truing_renyi_cross_entropy(const struct truing_renyi_args *args);

/// Distribution, KL and win rate of the best of n draws; see `truing_best_of_n_args`.
///
/// # Safety
/// As for `truing_logprob_forward`.
truing_status truing_best_of_n_exact(const struct truing_best_of_n_args *args);

/// Bytes of workspace for `truing_best_of_n_exact`.
///
/// # Safety
/// As for `truing_best_of_n_exact`; `minimum` and `preferred` are NULL or writable.
truing_status truing_best_of_n_exact_workspace_size(const struct truing_best_of_n_args *args,
                                                    size_t *minimum,
                                                    size_t *preferred);

/// Estimate of the KL of the best of n draws from the chosen one; see `truing_best_of_n_kl_args`. No workspace.
///
/// # Safety
/// As for `truing_logprob_forward`.
truing_status truing_best_of_n_kl_estimate(const struct truing_best_of_n_kl_args *args);

/// Bytes of workspace for `truing_best_of_n_kl_estimate`: 0.
///
/// # Safety
/// As for `truing_best_of_n_kl_estimate`; `minimum` and `preferred` are NULL or writable.
truing_status truing_best_of_n_kl_estimate_workspace_size(const struct truing_best_of_n_kl_args *args,
                                                          size_t *minimum,
                                                          size_t *preferred);

/// Bytes of workspace for `truing_tilt`: 0.
///
/// # Safety
/// As for `truing_tilt`; `minimum` and `preferred` are NULL or writable.
truing_status truing_tilt_workspace_size(const struct truing_tilt_args *args, size_t *minimum, size_t *preferred);

/// Bytes of workspace for `truing_tilt_solve`: 0.
///
/// # Safety
/// As for `truing_tilt_solve`; `minimum` and `preferred` are NULL or writable.
truing_status truing_tilt_solve_workspace_size(const struct truing_tilt_args *args, size_t *minimum, size_t *preferred);

/// Bytes of workspace for `truing_renyi_array`: 0.
///
/// # Safety
/// As for `truing_renyi_array`; `minimum` and `preferred` are NULL or writable.
truing_status truing_renyi_array_workspace_size(const struct truing_renyi_args *args,
                                                size_t *minimum,
                                                size_t *preferred);

/// Bytes of workspace for `truing_renyi_cross_entropy`: 0.
///
/// # Safety
/// As for `truing_renyi_cross_entropy`; `minimum` and `preferred` are NULL or writable.
truing_status truing_renyi_cross_entropy_workspace_size(const struct truing_renyi_args *args,
                                                        size_t *minimum,
                                                        size_t *preferred);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#if defined(__cplusplus)
#define TRUING_STATIC_ASSERT(name, condition) static_assert(condition, #name)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define TRUING_STATIC_ASSERT(name, condition) _Static_assert(condition, #name)
#else
#define TRUING_STATIC_ASSERT(name, condition) typedef char truing_assert_##name[(condition) ? 1 : -1]
#endif

TRUING_STATIC_ASSERT(lp64, sizeof(void *) == 8 && sizeof(size_t) == 8);
TRUING_STATIC_ASSERT(device_size, sizeof(truing_device) == 8);
TRUING_STATIC_ASSERT(dtype_size, sizeof(truing_dtype) == 4);
TRUING_STATIC_ASSERT(tensor_size, sizeof(truing_tensor) == 48);
TRUING_STATIC_ASSERT(context_options_size, sizeof(truing_context_options) == 96);
TRUING_STATIC_ASSERT(param_info_size, sizeof(truing_param_info) == 80);
TRUING_STATIC_ASSERT(loss_description_size, sizeof(truing_loss_description) == 184);
TRUING_STATIC_ASSERT(transform_size, sizeof(truing_transform) == 120);
TRUING_STATIC_ASSERT(head_size, sizeof(truing_head) == 176);
TRUING_STATIC_ASSERT(head_grads_size, sizeof(truing_head_grads) == 48);
TRUING_STATIC_ASSERT(rows_size, sizeof(truing_rows) == 64);
TRUING_STATIC_ASSERT(shard_size, sizeof(truing_shard) == 56);
TRUING_STATIC_ASSERT(support_size, sizeof(truing_support) == 96);
TRUING_STATIC_ASSERT(row_loss_size, sizeof(truing_row_loss) == 88);
TRUING_STATIC_ASSERT(figures_size, sizeof(truing_figures) == 280);
TRUING_STATIC_ASSERT(row_upstream_size, sizeof(truing_row_upstream) == 128);
TRUING_STATIC_ASSERT(logprob_forward_args_size, sizeof(truing_logprob_forward_args) == 800);
TRUING_STATIC_ASSERT(logprob_backward_args_size, sizeof(truing_logprob_backward_args) == 704);
TRUING_STATIC_ASSERT(logprob_local_args_size, sizeof(truing_logprob_local_args) == 624);
TRUING_STATIC_ASSERT(logprob_finish_args_size, sizeof(truing_logprob_finish_args) == 720);
TRUING_STATIC_ASSERT(linear_logprob_forward_args_size, sizeof(truing_linear_logprob_forward_args) == 880);
TRUING_STATIC_ASSERT(linear_logprob_backward_args_size, sizeof(truing_linear_logprob_backward_args) == 784);
TRUING_STATIC_ASSERT(linear_logprob_local_args_size, sizeof(truing_linear_logprob_local_args) == 672);
TRUING_STATIC_ASSERT(support_mask_args_size, sizeof(truing_support_mask_args) == 432);
TRUING_STATIC_ASSERT(tds_rows_args_size, sizeof(truing_tds_rows_args) == 520);
TRUING_STATIC_ASSERT(score_size, sizeof(truing_score) == 80);
TRUING_STATIC_ASSERT(sequence_forward_args_size, sizeof(truing_sequence_forward_args) == 272);
TRUING_STATIC_ASSERT(sequence_backward_args_size, sizeof(truing_sequence_backward_args) == 264);
TRUING_STATIC_ASSERT(loss_size, sizeof(truing_loss) == 96);
TRUING_STATIC_ASSERT(groups_size, sizeof(truing_groups) == 152);
TRUING_STATIC_ASSERT(item_outputs_size, sizeof(truing_item_outputs) == 136);
TRUING_STATIC_ASSERT(preference_outputs_size, sizeof(truing_preference_outputs) == 64);
TRUING_STATIC_ASSERT(preference_term_size, sizeof(truing_preference_term) == 128);
TRUING_STATIC_ASSERT(preference_forward_args_size, sizeof(truing_preference_forward_args) == 632);
TRUING_STATIC_ASSERT(side_term_size, sizeof(truing_side_term) == 72);
TRUING_STATIC_ASSERT(linear_preference_args_size, sizeof(truing_linear_preference_args) == 1440);
TRUING_STATIC_ASSERT(aggregate_size, sizeof(truing_aggregate) == 64);
TRUING_STATIC_ASSERT(estimator_size, sizeof(truing_estimator) == 96);
TRUING_STATIC_ASSERT(policy_term_size, sizeof(truing_policy_term) == 248);
TRUING_STATIC_ASSERT(policy_inputs_size, sizeof(truing_policy_inputs) == 552);
TRUING_STATIC_ASSERT(policy_outputs_size, sizeof(truing_policy_outputs) == 112);
TRUING_STATIC_ASSERT(policy_forward_args_size, sizeof(truing_policy_forward_args) == 848);
TRUING_STATIC_ASSERT(linear_policy_args_size, sizeof(truing_linear_policy_args) == 1440);
TRUING_STATIC_ASSERT(partial_size, sizeof(truing_partial) == 112);
TRUING_STATIC_ASSERT(divergence_options_size, sizeof(truing_divergence_options) == 184);
TRUING_STATIC_ASSERT(divergence_outputs_size, sizeof(truing_divergence_outputs) == 184);
TRUING_STATIC_ASSERT(divergence_forward_args_size, sizeof(truing_divergence_forward_args) == 952);
TRUING_STATIC_ASSERT(divergence_backward_args_size, sizeof(truing_divergence_backward_args) == 856);
TRUING_STATIC_ASSERT(divergence_local_args_size, sizeof(truing_divergence_local_args) == 840);
TRUING_STATIC_ASSERT(divergence_finish_args_size, sizeof(truing_divergence_finish_args) == 704);
TRUING_STATIC_ASSERT(linear_divergence_args_size, sizeof(truing_linear_divergence_args) == 1344);
TRUING_STATIC_ASSERT(linear_divergence_local_args_size, sizeof(truing_linear_divergence_local_args) == 936);
TRUING_STATIC_ASSERT(sequence_kl_args_size, sizeof(truing_sequence_kl_args) == 504);
TRUING_STATIC_ASSERT(kto_baseline_args_size, sizeof(truing_kto_baseline_args) == 176);
TRUING_STATIC_ASSERT(bco_shift_args_size, sizeof(truing_bco_shift_args) == 184);
TRUING_STATIC_ASSERT(aot_sort_args_size, sizeof(truing_aot_sort_args) == 184);
TRUING_STATIC_ASSERT(beta_dpo_stats_args_size, sizeof(truing_beta_dpo_stats_args) == 184);
TRUING_STATIC_ASSERT(wpo_weight_args_size, sizeof(truing_wpo_weight_args) == 168);
TRUING_STATIC_ASSERT(importance_weight_args_size, sizeof(truing_importance_weight_args) == 216);
TRUING_STATIC_ASSERT(rejection_mask_args_size, sizeof(truing_rejection_mask_args) == 216);
TRUING_STATIC_ASSERT(off_policy_sequence_mask_args_size, sizeof(truing_off_policy_sequence_mask_args) == 176);
TRUING_STATIC_ASSERT(top_entropy_mask_args_size, sizeof(truing_top_entropy_mask_args) == 160);
TRUING_STATIC_ASSERT(cov_select_args_size, sizeof(truing_cov_select_args) == 232);
TRUING_STATIC_ASSERT(m2po_mask_args_size, sizeof(truing_m2po_mask_args) == 168);
TRUING_STATIC_ASSERT(fipo_weight_args_size, sizeof(truing_fipo_weight_args) == 192);
TRUING_STATIC_ASSERT(item_numbers_args_size, sizeof(truing_item_numbers_args) == 168);
TRUING_STATIC_ASSERT(uld_args_size, sizeof(truing_uld_args) == 640);
TRUING_STATIC_ASSERT(tilt_args_size, sizeof(truing_tilt_args) == 240);
TRUING_STATIC_ASSERT(renyi_args_size, sizeof(truing_renyi_args) == 176);
TRUING_STATIC_ASSERT(best_of_n_args_size, sizeof(truing_best_of_n_args) == 176);
TRUING_STATIC_ASSERT(best_of_n_kl_args_size, sizeof(truing_best_of_n_kl_args) == 144);
TRUING_STATIC_ASSERT(head_weights_args_size, sizeof(truing_head_weights_args) == 168);
TRUING_STATIC_ASSERT(modpo_margin_args_size, sizeof(truing_modpo_margin_args) == 176);
TRUING_STATIC_ASSERT(quantile_threshold_args_size, sizeof(truing_quantile_threshold_args) == 152);
TRUING_STATIC_ASSERT(a_star_value_args_size, sizeof(truing_a_star_value_args) == 184);
TRUING_STATIC_ASSERT(hindsight_target_args_size, sizeof(truing_hindsight_target_args) == 160);
TRUING_STATIC_ASSERT(kl_length_figures_args_size, sizeof(truing_kl_length_figures_args) == 216);
TRUING_STATIC_ASSERT(ches_args_size, sizeof(truing_ches_args) == 176);
TRUING_STATIC_ASSERT(class_rows_args_size, sizeof(truing_class_rows_args) == 248);
TRUING_STATIC_ASSERT(prm_mse_args_size, sizeof(truing_prm_mse_args) == 208);
TRUING_STATIC_ASSERT(preference_orchestrator_args_size, sizeof(truing_preference_orchestrator_args) == 224);
TRUING_STATIC_ASSERT(group_advantage_args_size, sizeof(truing_group_advantage_args) == 224);
TRUING_STATIC_ASSERT(multi_objective_advantage_args_size, sizeof(truing_multi_objective_advantage_args) == 248);
TRUING_STATIC_ASSERT(gae_args_size, sizeof(truing_gae_args) == 248);
TRUING_STATIC_ASSERT(whiten_args_size, sizeof(truing_whiten_args) == 208);
TRUING_STATIC_ASSERT(optimal_token_baseline_args_size, sizeof(truing_optimal_token_baseline_args) == 232);
TRUING_STATIC_ASSERT(prime_advantage_args_size, sizeof(truing_prime_advantage_args) == 200);
TRUING_STATIC_ASSERT(distill_advantage_args_size, sizeof(truing_distill_advantage_args) == 224);
TRUING_STATIC_ASSERT(lagrangian_advantage_args_size, sizeof(truing_lagrangian_advantage_args) == 176);
TRUING_STATIC_ASSERT(pama_scalars_args_size, sizeof(truing_pama_scalars_args) == 184);
TRUING_STATIC_ASSERT(interval_weights_args_size, sizeof(truing_interval_weights_args) == 144);
TRUING_STATIC_ASSERT(gram_matrix_args_size, sizeof(truing_gram_matrix_args) == 144);
TRUING_STATIC_ASSERT(min_norm_weights_args_size, sizeof(truing_min_norm_weights_args) == 152);
TRUING_STATIC_ASSERT(token_reward_args_size, sizeof(truing_token_reward_args) == 200);
TRUING_STATIC_ASSERT(controller_args_size, sizeof(truing_controller_args) == 168);

#endif  /* TRUING_H */
