//! The structs and constants of the C ABI, version 1. `include/truing.h`, `truing/_abi.py`, `layout.rs` and the layout
//! probe are generated from this file by `cargo xtask generate`.
//!
//! Rules: a struct for C holds fixed-width types only, has no implicit padding and may be all zero; an args struct starts
//! with the seven fields of the common head and ends with 64 reserved bytes. New fields take reserved bytes first, then
//! are appended behind them; nothing moves. Macros that make structs are not used: cbindgen does not expand them.
use core::ffi::{c_char, c_void};

/// Version of this header's structs; compare with `truing_abi_version()`.
pub const TRUING_ABI_VERSION: u32 = 1;

// ---- status

/// Result of a call: `TRUING_STATUS_*`. When it is not 0, `truing_last_error()` says which field, what it holds and what it should hold.
pub type truing_status = i32;
/// Done.
pub const TRUING_STATUS_OK: truing_status = 0;
/// A value outside its legal range, an unknown flag or enum, non-zero reserved bytes, a combination that makes no sense.
pub const TRUING_STATUS_INVALID_ARGUMENT: truing_status = 1;
/// Shapes, strides or lengths that do not fit each other.
pub const TRUING_STATUS_SHAPE_MISMATCH: truing_status = 2;
/// An element type that this call does not take here.
pub const TRUING_STATUS_UNSUPPORTED_DTYPE: truing_status = 3;
/// A device that this call does not run on, or two different ones.
pub const TRUING_STATUS_UNSUPPORTED_DEVICE: truing_status = 4;
/// A token id, index or offset outside its range.
pub const TRUING_STATUS_OUT_OF_RANGE: truing_status = 5;
/// An output that overlaps another tensor where that is not allowed.
pub const TRUING_STATUS_ALIASING: truing_status = 6;
/// The workspace is smaller than the minimum.
pub const TRUING_STATUS_WORKSPACE_TOO_SMALL: truing_status = 7;
/// No driver or no such device.
pub const TRUING_STATUS_NO_DEVICE: truing_status = 8;
/// The device refused a launch.
pub const TRUING_STATUS_LAUNCH_FAILED: truing_status = 9;
/// `struct_size` is smaller than in version 1, or the unknown tail of a newer struct is not zero.
pub const TRUING_STATUS_ABI_MISMATCH: truing_status = 10;
/// A bug of the library, caught at its boundary.
pub const TRUING_STATUS_INTERNAL: truing_status = 11;

// ---- row status: bits of an optional u32 per row, sequence, item or group; out_counters is i64 [32], one per bit

/// Masked or ignored, not read.
pub const TRUING_ROW_IGNORED: u32 = 1u32 << 0;
/// NaN in a live value.
pub const TRUING_ROW_NAN_INPUT: u32 = 1u32 << 1;
/// +inf logit, or infinities that leave the result undefined.
pub const TRUING_ROW_INF_INPUT: u32 = 1u32 << 2;
/// Live target has probability 0.
pub const TRUING_ROW_TARGET_NEG_INF: u32 = 1u32 << 3;
/// No live column.
pub const TRUING_ROW_ALL_NEG_INF: u32 = 1u32 << 4;
/// Id outside its range where no error could be returned.
pub const TRUING_ROW_OUT_OF_RANGE: u32 = 1u32 << 5;
/// Target not in the sampling support.
pub const TRUING_ROW_TARGET_OUTSIDE: u32 = 1u32 << 6;
/// No live token, sample or element.
pub const TRUING_ROW_EMPTY: u32 = 1u32 << 7;
/// Finite inputs, result beyond the output type.
pub const TRUING_ROW_OVERFLOW: u32 = 1u32 << 8;
/// A documented clamp has acted.
pub const TRUING_ROW_SATURATED: u32 = 1u32 << 9;
/// The exact value is infinite.
pub const TRUING_ROW_INFINITE: u32 = 1u32 << 10;
/// Undefined statistic, stated fallback used.
pub const TRUING_ROW_DEGENERATE: u32 = 1u32 << 11;
/// Only a negatively weighted term was -inf (mix_logits).
pub const TRUING_ROW_NEG_INF_CANCEL: u32 = 1u32 << 12;

// ---- tensors (DLTensor layout)

/// Where a tensor lives: `TRUING_DEVICE_*` (DLPack's numbers), 0 invalid.
pub type truing_device_type = i32;
/// Host memory.
pub const TRUING_DEVICE_CPU: truing_device_type = 1;
/// Memory of a CUDA device.
pub const TRUING_DEVICE_CUDA: truing_device_type = 2;
/// Pinned host memory: runs on the CPU.
pub const TRUING_DEVICE_CUDA_HOST: truing_device_type = 3;
/// Managed memory: runs on the GPU of `device_id`.
pub const TRUING_DEVICE_CUDA_MANAGED: truing_device_type = 13;

/// Kind of an element type: `TRUING_DTYPE_*` (DLPack's numbers). 0 is a legal code, so `bits` = 0 is what marks an unset dtype.
pub type truing_dtype_code = u8;
/// Signed integer.
pub const TRUING_DTYPE_INT: truing_dtype_code = 0;
/// Unsigned integer.
pub const TRUING_DTYPE_UINT: truing_dtype_code = 1;
/// IEEE floating point (f16, f32, f64).
pub const TRUING_DTYPE_FLOAT: truing_dtype_code = 2;
/// bfloat16.
pub const TRUING_DTYPE_BFLOAT: truing_dtype_code = 4;
/// Boolean of 8 bits: taken as a u8 mask.
pub const TRUING_DTYPE_BOOL: truing_dtype_code = 6;

/// A device, in DLDevice's layout.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_device {
    /// TRUING_DEVICE_*, 0 invalid.
    pub device_type: truing_device_type,
    /// Ordinal, 0 for the CPU.
    pub device_id: i32,
}

/// An element type, in DLDataType's layout.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_dtype {
    /// TRUING_DTYPE_*.
    pub code: truing_dtype_code,
    /// 8, 16, 32, 64; 0 invalid.
    pub bits: u8,
    /// 1.
    pub lanes: u16,
}

/// A borrowed array, in DLTensor's layout. Never kept, never freed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_tensor {
    /// Address on the device; written only through output fields.
    pub data: *mut c_void,
    /// Where data lives.
    pub device: truing_device,
    /// 0 to 3.
    pub ndim: i32,
    /// Element type.
    pub dtype: truing_dtype,
    /// [ndim] host, elements, >= 0.
    pub shape: *const i64,
    /// [ndim] host, elements, >= 0, NULL = contiguous; last must be 1 (or 0 for a broadcast input of numbers per token, row or item).
    pub strides: *const i64,
    /// Bytes added to data.
    pub byte_offset: u64,
}

// ---- context

/// Threads, math mode and caches; opaque, immutable after its creation, usable from several threads at once.
pub struct truing_context {
    _opaque: [u8; 0],
}

/// How results may differ between devices: `TRUING_MODE_*`, 0 = portable.
pub type truing_math_mode = u32;
/// The same bits on every instruction set, thread count and device.
pub const TRUING_MODE_PORTABLE: truing_math_mode = 1;
/// Reproducible on one device within stated bounds.
pub const TRUING_MODE_FAST: truing_math_mode = 2;

/// Highest instruction set to use: `TRUING_ISA_*`, 0 = no cap. For tests.
pub type truing_isa = u32;
/// The target's baseline, no detection.
pub const TRUING_ISA_BASELINE: truing_isa = 1;
/// AVX2 with FMA.
pub const TRUING_ISA_AVX2: truing_isa = 2;
/// AVX-512 F, BW, CD, DQ, VL.
pub const TRUING_ISA_AVX512: truing_isa = 3;
/// NEON.
pub const TRUING_ISA_NEON: truing_isa = 4;
/// AVX-512 with the bf16 dot product.
pub const TRUING_ISA_AVX512_BF16: truing_isa = 5;

/// What `truing_context_create` builds.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_context_options {
    /// `sizeof(truing_context_options)`.
    pub struct_size: u32,
    /// 0 = calling thread only, at most 1024.
    pub num_threads: u32,
    /// 0.
    pub flags: u64,
    /// UTF-8 path for compiled kernels, NULL = no disk cache.
    pub cuda_cache_dir: *const c_char,
    /// 0 = portable.
    pub mode: truing_math_mode,
    /// 0 = no cap; for tests.
    pub isa_cap: truing_isa,
    /// 0.
    pub reserved: [u8; 64],
}

// ---- catalogue

/// Stable id of a catalogue entry (constants in truing_losses.h), 0 invalid.
pub type truing_loss_id = u32;

/// Kind of an entry, which fixes its inputs: `TRUING_KIND_*`, 0 invalid.
pub type truing_loss_kind = u32;
/// Pairs of sequences.
pub const TRUING_KIND_PAIR: truing_loss_kind = 1;
/// Single sequences with a label.
pub const TRUING_KIND_UNPAIRED: truing_loss_kind = 2;
/// Ranked or scored lists of sequences.
pub const TRUING_KIND_LIST: truing_loss_kind = 3;
/// Single tokens.
pub const TRUING_KIND_TOKEN: truing_loss_kind = 4;
/// Tokens reduced to one number of a sequence.
pub const TRUING_KIND_SEQUENCE: truing_loss_kind = 5;
/// KL estimators from sampled tokens.
pub const TRUING_KIND_ESTIMATOR: truing_loss_kind = 6;

// ---- input slots that an entry reads or has partials for

/// Slot: log-prob or score.
pub const TRUING_SLOT_LOGP: u64 = 1u64 << 0;
/// Slot: reference (or teacher) log-prob or score.
pub const TRUING_SLOT_REF: u64 = 1u64 << 1;
/// Slot: scored tokens.
pub const TRUING_SLOT_LENGTH: u64 = 1u64 << 2;
/// Slot: KL of a sequence to the reference.
pub const TRUING_SLOT_KL: u64 = 1u64 << 3;
/// Slot: the margins.
pub const TRUING_SLOT_MARGIN: u64 = 1u64 << 4;
/// Slot: the third sequence of a pair.
pub const TRUING_SLOT_ANCHOR: u64 = 1u64 << 5;
/// Slot: beta of an item.
pub const TRUING_SLOT_BETA: u64 = 1u64 << 6;
/// Slot: desirable or not.
pub const TRUING_SLOT_LABEL: u64 = 1u64 << 7;
/// Slot: baseline of a row.
pub const TRUING_SLOT_BASELINE: u64 = 1u64 << 8;
/// Slot: shift of an item.
pub const TRUING_SLOT_SHIFT: u64 = 1u64 << 9;
/// Slot: reward or rank of a list member.
pub const TRUING_SLOT_LIST_TARGET: u64 = 1u64 << 10;
/// Slot: behaviour policy's log-prob.
pub const TRUING_SLOT_OLD: u64 = 1u64 << 11;
/// Slot: inference engine's log-prob.
pub const TRUING_SLOT_SAMPLER: u64 = 1u64 << 12;
/// Slot: advantage.
pub const TRUING_SLOT_ADVANTAGE: u64 = 1u64 << 13;
/// Slot: entropy.
pub const TRUING_SLOT_ENTROPY: u64 = 1u64 << 14;
/// Slot: u8 flag.
pub const TRUING_SLOT_FLAG: u64 = 1u64 << 15;
/// Slot: log partition function of a sequence.
pub const TRUING_SLOT_LOG_Z: u64 = 1u64 << 16;
/// Slot: importance weight.
pub const TRUING_SLOT_IMPORTANCE: u64 = 1u64 << 17;
/// Slot: weight of a row, where the entry itself applies it.
pub const TRUING_SLOT_WEIGHT: u64 = 1u64 << 18;

/// One parameter of a catalogue entry. It may grow: step through `params` by `truing_loss_description.param_size` bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_param_info {
    /// Static string.
    pub name: *const c_char,
    /// Static string, one line.
    pub description: *const c_char,
    /// NaN = required.
    pub default_value: f64,
    /// Legal range, -inf = none.
    pub minimum: f64,
    /// Legal range, +inf = none.
    pub maximum: f64,
    /// 1 = bound itself is illegal.
    pub minimum_open: u32,
    /// 1 = bound itself is illegal.
    pub maximum_open: u32,
    /// 0, or the only value of truing_loss.variant with which it is read; with others it need not be given.
    pub variant: u32,
    /// 0.
    pub reserved: [u8; 28],
}

/// One catalogue entry.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_loss_description {
    /// In: `sizeof(truing_loss_description)`.
    pub struct_size: u32,
    /// Out: stable id.
    pub id: truing_loss_id,
    /// Out: static string.
    pub name: *const c_char,
    /// Out: static string.
    pub formula: *const c_char,
    /// Out: static string.
    pub source: *const c_char,
    /// Out: [num_params], catalogue order, static, `param_size` bytes each.
    pub params: *const truing_param_info,
    /// Out.
    pub num_params: usize,
    /// Out: [num_aliases] static.
    pub aliases: *const *const c_char,
    /// Out.
    pub num_aliases: usize,
    /// Out: TRUING_SLOT_* read.
    pub inputs: u64,
    /// Out: TRUING_SLOT_* with a partial.
    pub partials: u64,
    /// Out: bit i = a partial wrt params[i] exists.
    pub param_partials: u64,
    /// Out: TRUING_KIND_*.
    pub kind: truing_loss_kind,
    /// Out: 0, or the entry whose formula it uses.
    pub preset_of: truing_loss_id,
    /// Out: bit k = score kind k allowed (TRUING_SCORE_*), 0 = not applicable.
    pub score_kinds: u32,
    /// Out: legal values 1..num_variants of truing_loss.variant, 0 = none.
    pub num_variants: u32,
    /// Out: 1 = a score map is allowed.
    pub takes_map: u32,
    /// Out: bit k = level k allowed (TRUING_LEVEL_*).
    pub levels: u32,
    /// Out: bytes of one `truing_param_info` of this library.
    pub param_size: u32,
    /// 0.
    pub reserved0: u32,
    /// Out: [num_variants] static, the names of variants 1, 2 and so on.
    pub variants: *const *const c_char,
    /// 0.
    pub reserved: [u8; 56],
}

// ---- flags (one space for all calls; a call refuses bits it does not know)
/// `rows.ignore_index` is set.
pub const TRUING_HAS_IGNORE_INDEX: u64 = 1u64 << 0;
/// Check ids and values first; refused with CUDA tensors so far, where it would have to wait for the device.
pub const TRUING_STRICT: u64 = 1u64 << 1;
/// Backward: ignore stats and recompute.
pub const TRUING_RECOMPUTE: u64 = 1u64 << 2;
/// Add into grad_hidden_out.
pub const TRUING_ACCUMULATE_HIDDEN: u64 = 1u64 << 3;
/// Add into grad_weight_out and grad_bias_out.
pub const TRUING_ACCUMULATE_WEIGHT: u64 = 1u64 << 4;
/// Add into score, token or logit gradients and out_loss.
pub const TRUING_ACCUMULATE_GRADS: u64 = 1u64 << 5;
/// Flagged items leave sum and divisor.
pub const TRUING_SKIP_FLAGGED: u64 = 1u64 << 6;
/// `TRUING_SCORE_LD`: the reference stays an unweighted sum.
pub const TRUING_LD_POLICY_ONLY: u64 = 1u64 << 7;
/// `score.clamp_low` and `score.clamp_high` are set.
pub const TRUING_HAS_CLAMP: u64 = 1u64 << 8;
/// Opt in to gradient filtering.
pub const TRUING_LOSSY_DROP: u64 = 1u64 << 9;
/// Divergence: value and gradients times student T^2; not the hard-label term's.
pub const TRUING_TEMPERATURE_SQUARED: u64 = 1u64 << 10;
/// Divergence, raw mode: value >= 0.
pub const TRUING_CLAMP_AT_ZERO: u64 = 1u64 << 11;
/// `grad_scale` is set: 0 is 0.
pub const TRUING_HAS_GRAD_SCALE: u64 = 1u64 << 12;
/// Divergence: `options.soft_weight` is set: 0 is 0.
pub const TRUING_HAS_SOFT_WEIGHT: u64 = 1u64 << 13;
/// Log-prob local: records also hold the sums that the mean logit needs; with label smoothing they do anyway.
pub const TRUING_RECORD_SUMS: u64 = 1u64 << 14;

// ---- groups shared by several calls (fixed size; they grow into reserved)

/// Rounding of logits of a linear form before the transforms: `TRUING_ROUND_*`.
pub type truing_rounding = u32;
/// Off.
pub const TRUING_ROUND_NONE: truing_rounding = 0;
/// To bf16, gradient straight through.
pub const TRUING_ROUND_BF16: truing_rounding = 1;
/// To f16, gradient straight through.
pub const TRUING_ROUND_F16: truing_rounding = 2;

/// What happens to a logit before the softmax: bias, logit_scale, softcap, 1/temperature, in this order.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_transform {
    /// float [V], finite or -inf.
    pub bias: *const truing_tensor,
    /// f32 [N] > 0, replaces temperature.
    pub row_temperature: *const truing_tensor,
    /// > 0, 0 = 1.
    pub temperature: f64,
    /// > 0, 0 = 1.
    pub logit_scale: f64,
    /// > 0 logits, 0 = off.
    pub softcap: f64,
    /// Columns, 0 = V; the rest is dead.
    pub n_valid_vocab: i64,
    /// Linear forms, fused losses too: rounding of z before the transforms; gradients pass straight through.
    pub logit_round: truing_rounding,
    /// 0.
    pub reserved0: u32,
    /// 0.
    pub reserved: [u8; 64],
}

/// Logits = hidden x weight^T, then the transforms.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_head {
    /// float [N,D] or [B,T,D].
    pub hidden: *const truing_tensor,
    /// float [V,D].
    pub weight: *const truing_tensor,
    /// Its transforms, bias included.
    pub transform: truing_transform,
    /// 0.
    pub reserved: [u8; 40],
}

/// Gradients of a head, each NULL = not wanted.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_head_grads {
    /// float as hidden.
    pub grad_hidden_out: *const truing_tensor,
    /// f32, or the weight's dtype where allowed, [V,D].
    pub grad_weight_out: *const truing_tensor,
    /// f32 [V].
    pub grad_bias_out: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 24],
}

/// Which rows count and what their target is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_rows {
    /// int [N] or [B,T].
    pub target: *const truing_tensor,
    /// mask [N] or [B,T], row live iff != 0.
    pub mask: *const truing_tensor,
    /// int [B+1], packed layout.
    pub cu_seqlens: *const truing_tensor,
    /// Token id, only with TRUING_HAS_IGNORE_INDEX.
    pub ignore_index: i64,
    /// Rows, 0 to 2^31 - 1: row i uses target[i + shift] of its sequence (cu_seqlens, a row of [B,T], else all rows).
    pub shift: i64,
    /// 0.
    pub reserved: [u8; 24],
}

/// Columns of the vocabulary that this device holds; all 0 = the whole vocabulary.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_shard {
    /// Global column of local column 0.
    pub vocab_start: i64,
    /// Global column behind the last local one, 0 = not sharded.
    pub vocab_end: i64,
    /// Global columns.
    pub vocab_total: i64,
    /// 0.
    pub reserved: [u8; 32],
}

/// How a sampling support is given: `TRUING_SUPPORT_*`, 0 = full vocabulary.
pub type truing_support_kind = u32;
/// By `bitmask`.
pub const TRUING_SUPPORT_BITMASK: truing_support_kind = 1;
/// By `ids`.
pub const TRUING_SUPPORT_IDS: truing_support_kind = 2;
/// By the filters `top_p`, `min_p`, `top_k` in the order of `preset`.
pub const TRUING_SUPPORT_COMPUTED: truing_support_kind = 3;

/// Whose order, masses and ties the filters follow: `TRUING_FILTER_*`.
pub type truing_filter_preset = u32;
/// min_p, top_k, top_p; each sees the renormalised survivors.
pub const TRUING_FILTER_VLLM: truing_filter_preset = 1;
/// top_k, top_p, min_p; each sees the renormalised survivors.
pub const TRUING_FILTER_HF: truing_filter_preset = 2;
/// Judged together on the full distribution.
pub const TRUING_FILTER_SGLANG: truing_filter_preset = 3;

/// What happens to equal values at a filter's edge: `TRUING_TIES_*`, 0 = the preset's.
pub type truing_ties = u32;
/// The lower column is kept.
pub const TRUING_TIES_INDEX: truing_ties = 1;
/// All are kept.
pub const TRUING_TIES_ALL: truing_ties = 2;

/// Edge of top_p: `TRUING_TOP_P_*`, 0 = the preset's.
pub type truing_top_p_edge = u32;
/// Keep while the mass before a column is < top_p.
pub const TRUING_TOP_P_STRICT: truing_top_p_edge = 1;
/// Keep while the mass before a column is <= top_p.
pub const TRUING_TOP_P_INCLUSIVE: truing_top_p_edge = 2;

/// What happens to a target outside the support: `TRUING_TARGET_*`, 0 = keep. Flagged either way.
pub type truing_target_outside = u32;
/// The target is added to the support.
pub const TRUING_TARGET_KEEP: truing_target_outside = 1;
/// Log-prob -inf, gradient 0.
pub const TRUING_TARGET_NEG_INF: truing_target_outside = 2;

/// Sampling support that log-probs are normalised over; kind 0 = full vocabulary. Every figure and gradient is then that of
/// the row whose columns outside the support are dead.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_support {
    /// u32 [N, ceil(V/32)].
    pub bitmask: *const truing_tensor,
    /// int [N,K] padded with -1, or [total] with id_offsets; strictly ascending.
    pub ids: *const truing_tensor,
    /// int [N+1].
    pub id_offsets: *const truing_tensor,
    /// Mass in (0,1), 0 or >= 1 = off.
    pub top_p: f64,
    /// (0,1], 0 = off.
    pub min_p: f64,
    /// Columns, <= 0 = off.
    pub top_k: i64,
    /// TRUING_SUPPORT_*, 0 = off.
    pub kind: truing_support_kind,
    /// Computed: order and masses, required.
    pub preset: truing_filter_preset,
    /// 0 = the preset's.
    pub ties: truing_ties,
    /// 0 = the preset's.
    pub top_p_edge: truing_top_p_edge,
    /// 0 = keep.
    pub target_outside: truing_target_outside,
    /// 0.
    pub reserved0: u32,
    /// 0.
    pub reserved: [u8; 24],
}

/// Definition of label smoothing: `TRUING_SMOOTHING_*`.
pub type truing_smoothing_form = u32;
/// (1-s) nll + s mean over live columns.
pub const TRUING_SMOOTHING_TORCH: truing_smoothing_form = 1;
/// The same with s V/(V-1) for s.
pub const TRUING_SMOOTHING_MEGATRON: truing_smoothing_form = 2;

/// Constant factor on a token's nll: `TRUING_SCALING_*`.
pub type truing_token_scaling = u32;
/// 1.
pub const TRUING_SCALING_NONE: truing_token_scaling = 0;
/// p of the target.
pub const TRUING_SCALING_DFT: truing_token_scaling = 1;
/// p (1 - p) of the target.
pub const TRUING_SCALING_CHORD_PHI: truing_token_scaling = 2;
/// (H/3)^alpha, H the entropy of the 20 largest.
pub const TRUING_SCALING_EAFT: truing_token_scaling = 3;
/// H^alpha.
pub const TRUING_SCALING_EAFT_RAW: truing_token_scaling = 4;
/// The caller's `external_scale`.
pub const TRUING_SCALING_EXTERNAL: truing_token_scaling = 5;

/// Items to one number: `TRUING_REDUCE_*`, 0 invalid.
pub type truing_reduction = u32;
/// No reduction: values per item.
pub const TRUING_REDUCE_NONE: truing_reduction = 1;
/// Weighted sum.
pub const TRUING_REDUCE_SUM: truing_reduction = 2;
/// Weighted sum over live items.
pub const TRUING_REDUCE_MEAN: truing_reduction = 3;
/// Weighted sum over the sum of weights.
pub const TRUING_REDUCE_WEIGHTED_MEAN: truing_reduction = 4;

/// Loss of a row: omega * smoothed nll + z_loss * lse^2.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_row_loss {
    /// float [V] >= 0; of the whole vocabulary in a shard too.
    pub class_weight: *const truing_tensor,
    /// f32 [N] >= 0, token_scaling EXTERNAL.
    pub external_scale: *const truing_tensor,
    /// [0,1).
    pub label_smoothing: f64,
    /// >= 0, 1/nat^2.
    pub z_loss: f64,
    /// Exponent > 0, 0 = 1.
    pub eaft_alpha: f64,
    /// External divisor, 0 = off.
    pub normaliser: f64,
    /// Required when label_smoothing > 0.
    pub smoothing_form: truing_smoothing_form,
    /// Constants, not differentiated.
    pub token_scaling: truing_token_scaling,
    /// Required when out_loss is wanted.
    pub reduction: truing_reduction,
    /// 0.
    pub reserved0: u32,
    /// 0.
    pub reserved: [u8; 24],
}

/// Columns of the saved statistics of a row (`stats`, `out_stats`, records), the 12 of [N,12]. What they hold is valid for
/// one version of the library (`truing_version()`) and the same options.
pub const TRUING_STATS_WIDTH: u32 = 12;
/// The same of two heads (`pair_stats`, `out_pair_stats`, statistics of a divergence), the 16 of [N,16].
pub const TRUING_PAIR_STATS_WIDTH: u32 = 16;

/// Outputs per row, each NULL = not wanted and costs nothing. With f64 logits every f32 below is f64.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_figures {
    /// f32 [N], nats; -inf if the target is dead.
    pub out_logprob: *const truing_tensor,
    /// f32 [N], nats.
    pub out_lse: *const truing_tensor,
    /// f32 [N], transformed logit.
    pub out_max: *const truing_tensor,
    /// i32 [N].
    pub out_argmax: *const truing_tensor,
    /// f32 [N], nats.
    pub out_entropy: *const truing_tensor,
    /// f32 [N], log of sum p^2.
    pub out_log_sum_sq: *const truing_tensor,
    /// f32 [N], over live columns.
    pub out_mean_logit: *const truing_tensor,
    /// u8 [N].
    pub out_is_top1: *const truing_tensor,
    /// i32 [N], 0-based.
    pub out_rank: *const truing_tensor,
    /// i32 [N].
    pub out_ties: *const truing_tensor,
    /// i32 [N,K], K <= 512 from the shape.
    pub out_topk_ids: *const truing_tensor,
    /// f32 [N,K], nats.
    pub out_topk_logprobs: *const truing_tensor,
    /// f32 [N], nats, over the entropy_k largest.
    pub out_topk_entropy: *const truing_tensor,
    /// Input: int [K] or [N,K], -1 = none.
    pub extra_ids: *const truing_tensor,
    /// f32 [N,K], nats; -inf for -1 and for columns that are dead (a logit or bias of -inf, padding).
    pub out_extra_logprobs: *const truing_tensor,
    /// f32 [N], nats.
    pub out_lse_support: *const truing_tensor,
    /// f32 [N], nats <= 0.
    pub out_log_kept_mass: *const truing_tensor,
    /// i32 [N], live columns of the support; -1 in ignored and bad rows.
    pub out_support_size: *const truing_tensor,
    /// u32 [N, ceil(V/32)], the support used; feed back as `support.bitmask`.
    pub out_support_bitmask: *const truing_tensor,
    /// i32 [N,K] ascending, -1 pads, the support used; rows with more than K kept hold the first K, flagged SATURATED.
    pub out_support_ids: *const truing_tensor,
    /// f32 [N], the omega used; feed back as external_scale in backward.
    pub out_token_scale: *const truing_tensor,
    /// f32 [N], unreduced.
    pub out_row_loss: *const truing_tensor,
    /// f32 or f64 0-d, reduced.
    pub out_loss: *const truing_tensor,
    /// f32 [N,12], opaque: for backward with the same options and library version.
    pub out_stats: *const truing_tensor,
    /// u32 [N], TRUING_ROW_*.
    pub out_status: *const truing_tensor,
    /// i64 [32].
    pub out_counters: *const truing_tensor,
    /// Columns of out_topk_entropy, 0 = min(20, live).
    pub entropy_k: i64,
    /// 0.
    pub reserved: [u8; 64],
}

/// Gradients handed to a backward, each NULL = 0. With f64 logits every f32 below is f64.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_row_upstream {
    /// f32 [N].
    pub grad_logprob: *const truing_tensor,
    /// f32 [N].
    pub grad_lse: *const truing_tensor,
    /// f32 [N].
    pub grad_entropy: *const truing_tensor,
    /// f32 [N,K], with extra_ids: g (1[j = id] - p_j) each; where the column is dead the second part alone, where it is -1 neither.
    pub grad_extra: *const truing_tensor,
    /// f32 [N].
    pub grad_row_loss: *const truing_tensor,
    /// float 0-d on the device, of the reduced loss.
    pub grad_loss: *const truing_tensor,
    /// int [K] or [N,K].
    pub extra_ids: *const truing_tensor,
    /// Host factor on all of them, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    pub grad_scale: f64,
    /// 0.
    pub reserved: [u8; 64],
}

/// Divergence of teacher t and student p: `TRUING_DIVERGENCE_*`, 0 invalid.
pub type truing_divergence_kind = u32;
/// KL(t||p).
pub const TRUING_DIVERGENCE_FORWARD_KL: truing_divergence_kind = 1;
/// KL(p||t).
pub const TRUING_DIVERGENCE_REVERSE_KL: truing_divergence_kind = 2;
/// omega forward + (1 - omega) reverse.
pub const TRUING_DIVERGENCE_MIXED_KL: truing_divergence_kind = 3;
/// forward + reverse.
pub const TRUING_DIVERGENCE_JEFFREYS: truing_divergence_kind = 4;
/// Jensen-Shannon with weight beta on the teacher.
pub const TRUING_DIVERGENCE_JSD: truing_divergence_kind = 5;
/// KL(t||lambda t + (1 - lambda) p).
pub const TRUING_DIVERGENCE_SKEW_KL: truing_divergence_kind = 6;
/// KL(p||lambda p + (1 - lambda) t).
pub const TRUING_DIVERGENCE_SKEW_REVERSE_KL: truing_divergence_kind = 7;
/// Renyi of order alpha on the teacher.
pub const TRUING_DIVERGENCE_RENYI: truing_divergence_kind = 8;
/// Amari's alpha.
pub const TRUING_DIVERGENCE_ALPHA: truing_divergence_kind = 9;
/// 1 - sum sqrt(t p).
pub const TRUING_DIVERGENCE_HELLINGER2: truing_divergence_kind = 10;
/// sum (t - p)^2/p.
pub const TRUING_DIVERGENCE_CHI2: truing_divergence_kind = 11;
/// sum (p - t)^2/t.
pub const TRUING_DIVERGENCE_CHI2_REVERSE: truing_divergence_kind = 12;
/// Half the sum of |t - p|.
pub const TRUING_DIVERGENCE_TVD: truing_divergence_kind = 13;
/// 1 - cosine of the probabilities.
pub const TRUING_DIVERGENCE_COSINE_PROBS: truing_divergence_kind = 14;
/// 1 - cosine of the logits.
pub const TRUING_DIVERGENCE_COSINE_LOGITS: truing_divergence_kind = 15;
/// -sum t log p.
pub const TRUING_DIVERGENCE_CROSS_ENTROPY: truing_divergence_kind = 16;
/// -sum p log t.
pub const TRUING_DIVERGENCE_REVERSE_CROSS_ENTROPY: truing_divergence_kind = 17;

// ---- logprob

/// Figures and loss of rows of logits.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_logprob_forward_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N,V] or [B,T,V].
    pub logits: *const truing_tensor,
    /// Transforms of the logits.
    pub transform: truing_transform,
    /// Targets, mask, packing.
    pub rows: truing_rows,
    /// Normalise over a sampling support.
    pub support: truing_support,
    /// Options of out_row_loss and out_loss.
    pub row_loss: truing_row_loss,
    /// Outputs.
    pub figures: truing_figures,
    /// Fused gradient of out_loss; may be logits itself.
    pub grad_logits_out: *const truing_tensor,
    /// f32 [V], fused gradient of out_loss.
    pub grad_bias_out: *const truing_tensor,
    /// Upstream of the fused gradient, float 0-d, NULL = 1.
    pub grad_loss: *const truing_tensor,
    /// Host factor of the fused gradient, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    pub grad_scale: f64,
    /// 0.
    pub reserved: [u8; 64],
}

/// Gradient of the logits from gradients of the figures.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_logprob_backward_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// As in forward.
    pub logits: *const truing_tensor,
    /// As in forward.
    pub transform: truing_transform,
    /// As in forward.
    pub rows: truing_rows,
    /// As in forward; computed filters: run again, or BITMASK with `figures.out_support_bitmask` of the forward.
    pub support: truing_support,
    /// As in forward. Without stats eaft finds its entropies again; EXTERNAL with `out_token_scale` saves that.
    pub row_loss: truing_row_loss,
    /// Columns of this shard.
    pub shard: truing_shard,
    /// f32 [N,12] of forward or finish, NULL = recompute.
    pub stats: *const truing_tensor,
    /// Gradients of the figures.
    pub upstream: truing_row_upstream,
    /// float as logits or wider; may be logits itself.
    pub grad_logits_out: *const truing_tensor,
    /// f32 [V].
    pub grad_bias_out: *const truing_tensor,
    /// u32 [N].
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Round of a vocabulary-sharded call: `TRUING_LOCAL_*`, 0 invalid.
pub type truing_local_pass = u32;
/// First pass: records, top-k lists.
pub const TRUING_LOCAL_RECORDS: truing_local_pass = 1;
/// Second pass, with finished stats: rank, ties, support mass and size.
pub const TRUING_LOCAL_COUNTS: truing_local_pass = 2;
/// Second pass of a divergence that needs both normalisers first: value sums, with finished stats.
pub const TRUING_LOCAL_VALUES: truing_local_pass = 3;

/// Records of the columns of one vocabulary shard.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_logprob_local_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N,V_local].
    pub logits: *const truing_tensor,
    /// `bias` is [V_local], `n_valid_vocab` global.
    pub transform: truing_transform,
    /// Targets are global ids.
    pub rows: truing_rows,
    /// BITMASK or IDS, whose columns count from this shard's first.
    pub support: truing_support,
    /// Label smoothing: the records then hold what it needs.
    pub row_loss: truing_row_loss,
    /// Required.
    pub shard: truing_shard,
    /// f32 [N,12] of finish, second pass only.
    pub stats: *const truing_tensor,
    /// int [K] or [N,K], global.
    pub extra_ids: *const truing_tensor,
    /// f32 [N,12], record of all live local columns; first pass.
    pub out_records: *const truing_tensor,
    /// f32 [N,12], record of those in the support; first pass.
    pub out_support_records: *const truing_tensor,
    /// i32 [N,K], global ids.
    pub out_topk_ids: *const truing_tensor,
    /// f32 [N,K], transformed.
    pub out_topk_logits: *const truing_tensor,
    /// f32 [N,K], -inf where the id is not local.
    pub out_extra_logits: *const truing_tensor,
    /// i64 [N,4]: larger and tied (in the support, if there is one), kept, live; second pass, counts add.
    pub out_counts: *const truing_tensor,
    /// u32 [N].
    pub out_status: *const truing_tensor,
    /// TRUING_LOCAL_*, required.
    pub local_pass: truing_local_pass,
    /// 0.
    pub reserved0: u32,
    /// 0.
    pub reserved: [u8; 64],
}

/// Figures from the records of all shards.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_logprob_finish_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// f32 [shards,N,12], in shard order.
    pub records: *const truing_tensor,
    /// f32 [shards,N,12]; figures are then over the support. NULL = full vocabulary.
    pub support_records: *const truing_tensor,
    /// i64 [shards+1] on the CPU, global columns, ascending.
    pub shard_starts: *const truing_tensor,
    /// i32 [shards,N,K].
    pub topk_ids: *const truing_tensor,
    /// f32 [shards,N,K].
    pub topk_logits: *const truing_tensor,
    /// f32 [shards,N,K].
    pub extra_logits: *const truing_tensor,
    /// i64 [N,4], already summed over shards.
    pub counts: *const truing_tensor,
    /// Scalars only.
    pub transform: truing_transform,
    /// As in local.
    pub rows: truing_rows,
    /// Options of out_row_loss and out_loss. EAFT needs topk lists of 20.
    pub row_loss: truing_row_loss,
    /// Outputs; `extra_ids` as in local. No bitmask and no ids of the support.
    pub figures: truing_figures,
    /// 0.
    pub reserved: [u8; 64],
}

// ---- linear_logprob

/// Figures and loss of hidden x weight^T, without a logits tensor.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_linear_logprob_forward_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// Hidden, weight, bias, transforms.
    pub head: truing_head,
    /// Targets, mask, packing.
    pub rows: truing_rows,
    /// Normalise over a sampling support.
    pub support: truing_support,
    /// Options of the loss outputs.
    pub row_loss: truing_row_loss,
    /// Outputs.
    pub figures: truing_figures,
    /// Fused gradient of out_loss.
    pub grads: truing_head_grads,
    /// Upstream of the fused gradient, float 0-d, NULL = 1.
    pub grad_loss: *const truing_tensor,
    /// Host factor of the fused gradient, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    pub grad_scale: f64,
    /// 0.
    pub reserved: [u8; 64],
}

/// Gradients of hidden, weight and bias from gradients of the figures.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_linear_logprob_backward_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// As in forward.
    pub head: truing_head,
    /// As in forward.
    pub rows: truing_rows,
    /// As in forward.
    pub support: truing_support,
    /// As in forward.
    pub row_loss: truing_row_loss,
    /// Weight holds these columns; grad_hidden_out is then a partial sum.
    pub shard: truing_shard,
    /// f32 [N,12], NULL = recompute.
    pub stats: *const truing_tensor,
    /// Gradients of the figures.
    pub upstream: truing_row_upstream,
    /// Outputs.
    pub grads: truing_head_grads,
    /// u32 [N].
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Records of the columns of one vocabulary shard of the weight.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_linear_logprob_local_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// `weight` is [V_local,D].
    pub head: truing_head,
    /// Targets are global ids.
    pub rows: truing_rows,
    /// BITMASK or IDS, whose columns count from this shard's first.
    pub support: truing_support,
    /// Label smoothing: the records then hold what it needs.
    pub row_loss: truing_row_loss,
    /// Required.
    pub shard: truing_shard,
    /// f32 [N,12] of finish, second pass only.
    pub stats: *const truing_tensor,
    /// int [K] or [N,K], global.
    pub extra_ids: *const truing_tensor,
    /// f32 [N,12], record of all live local columns; first pass.
    pub out_records: *const truing_tensor,
    /// f32 [N,12], record of those in the support; first pass.
    pub out_support_records: *const truing_tensor,
    /// i32 [N,K], global ids.
    pub out_topk_ids: *const truing_tensor,
    /// f32 [N,K].
    pub out_topk_logits: *const truing_tensor,
    /// f32 [N,K], -inf where the id is not local.
    pub out_extra_logits: *const truing_tensor,
    /// i64 [N,4]: larger and tied (in the support, if there is one), kept, live; second pass, counts add.
    pub out_counts: *const truing_tensor,
    /// u32 [N].
    pub out_status: *const truing_tensor,
    /// TRUING_LOCAL_*, required.
    pub local_pass: truing_local_pass,
    /// 0.
    pub reserved0: u32,
    /// 0.
    pub reserved: [u8; 64],
}

/// Records carry no trace of where logits came from.
pub type truing_linear_logprob_finish_args = truing_logprob_finish_args;

/// Which columns the filters of a sampler keep.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_support_mask_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N,V] or [B,T,V].
    pub logits: *const truing_tensor,
    /// Transforms of the logits.
    pub transform: truing_transform,
    /// Mask and ignored targets: such rows keep nothing.
    pub rows: truing_rows,
    /// Kind COMPUTED: the filters.
    pub support: truing_support,
    /// u32 [N, ceil(V/32)], column j = bit j mod 32 of word j/32.
    pub out_bitmask: *const truing_tensor,
    /// i32 [N,K] ascending, -1 pads; rows with more than K kept hold the first K and are flagged SATURATED.
    pub out_ids: *const truing_tensor,
    /// i32 [N], columns kept; -1 in ignored rows and those with NaN or +inf.
    pub out_size: *const truing_tensor,
    /// u32 [N], TRUING_ROW_*.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Token distribution shift of an aligned model against its base.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_tds_rows_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N,V] or [B,T,V], logits of the base model.
    pub base: *const truing_tensor,
    /// float as base, logits of the aligned model.
    pub aligned: *const truing_tensor,
    /// Transforms of base.
    pub base_transform: truing_transform,
    /// Transforms of aligned.
    pub aligned_transform: truing_transform,
    /// Tokens (NULL = the largest column of each aligned row), mask.
    pub rows: truing_rows,
    /// i32 [N], base columns above the token's; -1 in masked and bad rows.
    pub out_rank: *const truing_tensor,
    /// i32 [N], other base columns equal to it.
    pub out_ties: *const truing_tensor,
    /// i32 [N], rank + 1.
    pub out_eta: *const truing_tensor,
    /// i32 [N], eta + ties.
    pub out_eta_max: *const truing_tensor,
    /// f32 [N], nats, of the token under base.
    pub out_logp_base: *const truing_tensor,
    /// f32 [N], nats, of the token under aligned.
    pub out_logp_aligned: *const truing_tensor,
    /// f32 [N], nats, KL(aligned||base).
    pub out_kl_aligned_base: *const truing_tensor,
    /// f32 [N], nats, KL(base||aligned).
    pub out_kl_base_aligned: *const truing_tensor,
    /// u8 [N]: 0 eta 1, 1 eta 2 or 3, 2 eta above 3, 255 none.
    pub out_class: *const truing_tensor,
    /// i64 [4], rows of classes 0, 1, 2 and 255.
    pub out_counts: *const truing_tensor,
    /// u32 [N], TRUING_ROW_*.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

// ---- sequence

/// Tokens to a sequence score: `TRUING_SCORE_*`.
pub type truing_score_kind = u32;
/// Weighted sum of live tokens.
pub const TRUING_SCORE_SUM: truing_score_kind = 1;
/// The sum over a divisor.
pub const TRUING_SCORE_MEAN: truing_score_kind = 2;
/// Sum up to the prefix plus alpha times the rest (LD-DPO).
pub const TRUING_SCORE_LD: truing_score_kind = 3;

/// Divisor of a mean score: `TRUING_DIVISOR_*`.
pub type truing_score_divisor = u32;
/// Live tokens.
pub const TRUING_DIVISOR_TOKENS: truing_score_divisor = 1;
/// Sum of their weights.
pub const TRUING_DIVISOR_WEIGHTS: truing_score_divisor = 2;
/// The field `normaliser`.
pub const TRUING_DIVISOR_EXTERNAL: truing_score_divisor = 3;

/// How the tokens of a sequence form its score.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_score {
    /// f32 [N] >= 0, NULL = 1.
    pub token_weights: *const truing_tensor,
    /// i32 [B] tokens, score ld: min length of the pair.
    pub ld_prefix: *const truing_tensor,
    /// [0,1], weight behind the prefix, used as given.
    pub ld_alpha: f64,
    /// Token log-ratio bound, nats, with TRUING_HAS_CLAMP.
    pub clamp_low: f64,
    /// Token log-ratio bound, nats, with TRUING_HAS_CLAMP.
    pub clamp_high: f64,
    /// Divisor EXTERNAL, > 0.
    pub normaliser: f64,
    /// Required.
    pub kind: truing_score_kind,
    /// Mean: required.
    pub divisor: truing_score_divisor,
    /// 0.
    pub reserved: [u8; 24],
}

/// Token values to sequence scores.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_sequence_forward_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N] or [B,T], nats.
    pub logps: *const truing_tensor,
    /// float, same shape; score of the difference.
    pub ref_logps: *const truing_tensor,
    /// mask, same shape.
    pub mask: *const truing_tensor,
    /// int [B+1], packed layout.
    pub cu_seqlens: *const truing_tensor,
    /// Options.
    pub score: truing_score,
    /// f64 or f32 [B], nats.
    pub out_scores: *const truing_tensor,
    /// i32 [B], live tokens.
    pub out_counts: *const truing_tensor,
    /// i32 [B], first live position, -1 if none.
    pub out_first: *const truing_tensor,
    /// i32 [B], last live position, -1 if none.
    pub out_last: *const truing_tensor,
    /// u32 [B].
    pub out_status: *const truing_tensor,
    /// i64 [32].
    pub out_counters: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Gradients of the token values.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_sequence_backward_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// As in forward, needed with a clamp only.
    pub logps: *const truing_tensor,
    /// As in forward, needed with a clamp only.
    pub ref_logps: *const truing_tensor,
    /// As in forward.
    pub mask: *const truing_tensor,
    /// As in forward.
    pub cu_seqlens: *const truing_tensor,
    /// As in forward.
    pub score: truing_score,
    /// f64 or f32 [B].
    pub grad_scores: *const truing_tensor,
    /// float 0-d factor, NULL = 1.
    pub grad_output: *const truing_tensor,
    /// f32 as logps.
    pub grad_logps_out: *const truing_tensor,
    /// f32 as logps.
    pub grad_ref_logps_out: *const truing_tensor,
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    pub grad_scale: f64,
    /// 0.
    pub reserved: [u8; 64],
}

// ---- preference

/// f-divergence map of a pair's scores: `TRUING_MAP_*`, 0 = identity.
pub type truing_score_map = u32;
/// x (reverse KL).
pub const TRUING_MAP_IDENTITY: truing_score_map = 0;
/// log sigmoid(x).
pub const TRUING_MAP_JS: truing_score_map = 1;
/// -exp(-alpha x)/alpha.
pub const TRUING_MAP_ALPHA: truing_score_map = 2;
/// `TRUING_MAP_ALPHA` at alpha = 1.
pub const TRUING_MAP_FORWARD_KL: truing_score_map = 3;

/// Bits of `truing_loss.flags`: `TRUING_LOSS_HAS_*`.
pub type truing_loss_flags = u32;
/// `weight` is set: 0 is 0.
pub const TRUING_LOSS_HAS_WEIGHT: truing_loss_flags = 1u32 << 0;

/// One catalogue entry with its settings.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_loss {
    /// TRUING_PAIR_*, TRUING_TOKEN_* and so on of truing_losses.h; its kind decides which inputs are read.
    pub id: truing_loss_id,
    /// Integer choice of the entry (cispo bounds, bt_ties model), 0 = none.
    pub variant: u32,
    /// [num_params] host, catalogue order, NaN = default.
    pub params: *const f64,
    /// Values given; a missing tail means default.
    pub num_params: usize,
    /// Factor after the reduction, 0 = 1 without TRUING_LOSS_HAS_WEIGHT; a term of weight 0 adds nothing.
    pub weight: f64,
    /// External divisor of the reduction, 0 = off.
    pub normaliser: f64,
    /// Alpha of the score map (exponent, not TRL's 1 - alpha).
    pub map_alpha: f64,
    /// Clamp of the map's exponent, 0 = off.
    pub map_max_exponent: f64,
    /// Score map, entries of the difference only.
    pub map: truing_score_map,
    /// Required for pair, unpaired, list; 0 for token and sequence kinds.
    pub reduction: truing_reduction,
    /// TRUING_SCORE_SUM or MEAN of this term, made from sums and live counts; 0 = the call's.
    pub score_kind: u32,
    /// TRUING_LOSS_HAS_*.
    pub flags: truing_loss_flags,
    /// 0.
    pub reserved: [u8; 24],
}

/// How pairs lie in the sequences: `TRUING_LAYOUT_*`, 0 invalid for pairs.
pub type truing_pair_layout = u32;
/// By `chosen_seq`, `rejected_seq`, `anchor_seq`.
pub const TRUING_LAYOUT_INDEXED: truing_pair_layout = 1;
/// Even sequences chosen, odd rejected; with anchors: threes.
pub const TRUING_LAYOUT_INTERLEAVED: truing_pair_layout = 2;
/// First half chosen, second half rejected; with anchors: thirds.
pub const TRUING_LAYOUT_STACKED: truing_pair_layout = 3;

/// How sequences form items: pairs [P], unpaired rows [S] or lists [L].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_groups {
    /// int [P], sequence index.
    pub chosen_seq: *const truing_tensor,
    /// int [P], sequence index.
    pub rejected_seq: *const truing_tensor,
    /// int [P], sequence index.
    pub anchor_seq: *const truing_tensor,
    /// int [L+1] into members.
    pub list_offsets: *const truing_tensor,
    /// int [M], sequence index, NULL = members are the sequences in order.
    pub member_seq: *const truing_tensor,
    /// float [M], reward or rank of the entry.
    pub list_targets: *const truing_tensor,
    /// mask [items], 0 = ignored.
    pub item_mask: *const truing_tensor,
    /// float [items] >= 0 or 0-d, NULL = 1.
    pub item_weight: *const truing_tensor,
    /// float [items] > 0 or 0-d, replaces the entry's beta; bt_mse: alpha.
    pub item_beta: *const truing_tensor,
    /// float [P] or 0-d, meaning by entry.
    pub margin_chosen: *const truing_tensor,
    /// float [P] or 0-d, meaning by entry.
    pub margin_rejected: *const truing_tensor,
    /// u8 or i8 [S], unpaired: > 0 desirable.
    pub label: *const truing_tensor,
    /// float [S] or 0-d: kto z0, poft m, a_star_po r - V, prime_ce y.
    pub baseline: *const truing_tensor,
    /// float [items] or 0-d: bco delta.
    pub shift: *const truing_tensor,
    /// Pairs: required.
    pub layout: truing_pair_layout,
    /// 0.
    pub reserved0: u32,
    /// 0.
    pub reserved: [u8; 32],
}
/// Live items.
pub const TRUING_PREFERENCE_STAT_ITEMS: u32 = 0;
/// Sum of item weights.
pub const TRUING_PREFERENCE_STAT_WEIGHT_SUM: u32 = 1;
/// Sum of weighted losses.
pub const TRUING_PREFERENCE_STAT_LOSS_SUM: u32 = 2;
/// Sum of chosen rewards.
pub const TRUING_PREFERENCE_STAT_REWARD_CHOSEN_SUM: u32 = 3;
/// Sum of rejected rewards.
pub const TRUING_PREFERENCE_STAT_REWARD_REJECTED_SUM: u32 = 4;
/// Items whose chosen reward is strictly larger.
pub const TRUING_PREFERENCE_STAT_CORRECT: u32 = 5;
/// Divisor that the reduction used.
pub const TRUING_PREFERENCE_STAT_DIVISOR: u32 = 6;
/// Length of `out_statistics` of a preference term; entries behind the named ones are 0.
pub const TRUING_PREFERENCE_STAT_COUNT: u32 = 16;

/// Outputs of one preference term, each NULL = not wanted. Shapes are those of the term's items.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_item_outputs {
    /// f64 or f32 [items], before weights and reduction (also the partial wrt the item weight).
    pub out_losses: *const truing_tensor,
    /// f64 or f32 [P]; unpaired [S]; list [M].
    pub out_reward_chosen: *const truing_tensor,
    /// f64 or f32 [P].
    pub out_reward_rejected: *const truing_tensor,
    /// f64 or f32 [P], wrt margin_chosen - margin_rejected.
    pub grad_margin_out: *const truing_tensor,
    /// f64 or f32 [P], wrt margin_chosen; 0 where the entry has no such partial.
    pub grad_margin_chosen_out: *const truing_tensor,
    /// f64 or f32 [P], wrt margin_rejected.
    pub grad_margin_rejected_out: *const truing_tensor,
    /// f64 or f32 [S].
    pub grad_baseline_out: *const truing_tensor,
    /// f64 [num_params], summed over items; 0 where no partial exists.
    pub grad_params_out: *const truing_tensor,
    /// f64 or f32 [items], the entry's second output (poft weight).
    pub out_aux: *const truing_tensor,
    /// f64 [TRUING_PREFERENCE_STAT_COUNT], sums over live items.
    pub out_statistics: *const truing_tensor,
    /// u32 [items], `TRUING_ROW_*`.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 48],
}

/// Outputs of all terms together, each NULL = not wanted.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_preference_outputs {
    /// f64 or f32 0-d, sum of all terms after reduction.
    pub out_loss: *const truing_tensor,
    /// f64 or f32 [S]; a sequence in several items adds in item order (chosen, rejected, anchor), then term order.
    pub grad_scores_out: *const truing_tensor,
    /// f64 or f32 [S].
    pub grad_kl_out: *const truing_tensor,
    /// i64 [32], one per status bit.
    pub out_counters: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 32],
}

/// A further term of the same call: its own entry over the call's items. It may grow: the call's `extra_term_size` says where
/// the next one starts.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_preference_term {
    /// Entry and settings.
    pub loss: truing_loss,
    /// 0.
    pub reserved: [u8; 32],
}

/// Split form: sequence scores in, loss and partials out.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_preference_forward_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// f64 or float [S], nats (or rewards of a reward model).
    pub scores: *const truing_tensor,
    /// f64 or float [S], NULL = no reference or already subtracted.
    pub ref_scores: *const truing_tensor,
    /// i32 [S], scored tokens; required by entries that divide.
    pub lengths: *const truing_tensor,
    /// f64 or float [S], nats: tdpo.
    pub kl: *const truing_tensor,
    /// Pairs, rows or lists.
    pub groups: truing_groups,
    /// First term.
    pub loss: truing_loss,
    /// Host [num_extra_terms], further terms, `extra_term_size` bytes each.
    pub extra_terms: *const truing_preference_term,
    /// Number of further terms, at most 7.
    pub num_extra_terms: usize,
    /// float 0-d, or [items] for REDUCE_NONE; NULL = 1.
    pub grad_output: *const truing_tensor,
    /// Host factor of the partials, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    pub grad_scale: f64,
    /// What scores are; checked against the entry, 0 = not checked.
    pub score_kind: truing_score_kind,
    /// `sizeof(truing_preference_term)` as the caller compiled it, 0 = that of version 1.
    pub extra_term_size: u32,
    /// Outputs of the first term.
    pub items: truing_item_outputs,
    /// Outputs of all terms together.
    pub outputs: truing_preference_outputs,
    /// 0.
    pub reserved: [u8; 64],
}

// ---- linear_preference

/// Part of a fused call to run: `TRUING_PHASE_*`, 0 invalid.
pub type truing_phase = u32;
/// Loss and gradients in one call.
pub const TRUING_PHASE_SINGLE: truing_phase = 1;
/// Scores, figures and stats only.
pub const TRUING_PHASE_FIGURES: truing_phase = 2;
/// Gradients from the caller's coefficients.
pub const TRUING_PHASE_WITH_COEFFICIENTS: truing_phase = 3;

/// Divisor of a side term's token sum: `TRUING_SIDE_DIVISOR_*`.
pub type truing_side_divisor = u32;
/// All its tokens.
pub const TRUING_SIDE_DIVISOR_POOLED: truing_side_divisor = 1;
/// Mean over a sequence's tokens, then over sequences.
pub const TRUING_SIDE_DIVISOR_ROW_MEAN: truing_side_divisor = 2;
/// The field `normaliser`.
pub const TRUING_SIDE_DIVISOR_EXTERNAL: truing_side_divisor = 3;
/// Sum of a sequence's tokens, mean over items (xpo with `coef` < 0).
pub const TRUING_SIDE_DIVISOR_ITEM_SUM: truing_side_divisor = 4;

/// Tokens of a side term: `TRUING_SIDE_*`.
pub type truing_side_scope = u32;
/// Chosen sequences.
pub const TRUING_SIDE_CHOSEN: truing_side_scope = 1;
/// Anchor sequences.
pub const TRUING_SIDE_ANCHOR: truing_side_scope = 2;
/// Every token of the term's mask, also of sequences in no item.
pub const TRUING_SIDE_MASKED: truing_side_scope = 3;

/// A further term over tokens: coef * (nll, or exact divergence to the reference head).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_side_term {
    /// mask [N], may exceed rows.mask (orpo of TRL: prompt too), NULL = rows.mask.
    pub mask: *const truing_tensor,
    /// Factor, finite, either sign.
    pub coef: f64,
    /// Tokens, divisor EXTERNAL.
    pub normaliser: f64,
    /// Required when coef != 0.
    pub divisor: truing_side_divisor,
    /// Its tokens; required when coef != 0.
    pub scope: truing_side_scope,
    /// 0 = -logprob of the target; else this divergence to `ref_head`'s row: FORWARD_KL, or REVERSE_KL (KL(policy||ref)).
    pub divergence: truing_divergence_kind,
    /// 0.
    pub reserved0: u32,
    /// 0.
    pub reserved: [u8; 32],
}

/// Weight of a pair formed from the policy's own figures: `TRUING_WPO_*`, 0 = off.
pub type truing_wpo_form = u32;
/// exp of the sum over both sides of mean(l - log sum p^2).
pub const TRUING_WPO_TRL: truing_wpo_form = 1;
/// min(1, exp of the sum of both means).
pub const TRUING_WPO_PLAIN: truing_wpo_form = 2;

/// Hidden states to preference loss and gradients (`truing_linear_preference_forward`).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_linear_preference_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// Policy.
    pub head: truing_head,
    /// Reference over the same rows, hidden NULL = none (tdpo needs it).
    pub ref_head: truing_head,
    /// Targets; `cu_seqlens` [S+1], or shapes [S,T].
    pub rows: truing_rows,
    /// Sampling support.
    pub support: truing_support,
    /// Tokens to scores.
    pub score: truing_score,
    /// float [N], token reference, nats.
    pub ref_logps: *const truing_tensor,
    /// f64 or float [S], sequence reference, nats.
    pub ref_scores: *const truing_tensor,
    /// Pairs, rows or lists.
    pub groups: truing_groups,
    /// First term.
    pub loss: truing_loss,
    /// Host [num_extra_terms], further terms, `extra_term_size` bytes each.
    pub extra_terms: *const truing_preference_term,
    /// Number of further terms, at most 7.
    pub num_extra_terms: usize,
    /// A further term over tokens.
    pub side_term: truing_side_term,
    /// f64 [S], dL/dscore, phase WITH_COEFFICIENTS.
    pub score_coefficients: *const truing_tensor,
    /// f64 [S], dL/dkl, phase WITH_COEFFICIENTS with `ref_head`.
    pub kl_coefficients: *const truing_tensor,
    /// f32 [N,12] of the first phase, NULL = recompute.
    pub stats: *const truing_tensor,
    /// f32 [N,16] of the first phase, both heads, with `ref_head`; NULL = recompute.
    pub pair_stats: *const truing_tensor,
    /// float 0-d, NULL = 1.
    pub grad_output: *const truing_tensor,
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    pub grad_scale: f64,
    /// Required.
    pub phase: truing_phase,
    /// Pair weight from this head, a further factor beside `groups.item_weight`; 0 = off.
    pub wpo: truing_wpo_form,
    /// `sizeof(truing_preference_term)` as the caller compiled it, 0 = that of version 1.
    pub extra_term_size: u32,
    /// 0.
    pub reserved0: u32,
    /// Outputs, policy head.
    pub grads: truing_head_grads,
    /// f32 [N], nats.
    pub out_logps: *const truing_tensor,
    /// f64 [S].
    pub out_scores: *const truing_tensor,
    /// f64 [S], with ref_head or ref_logps.
    pub out_ref_scores: *const truing_tensor,
    /// f64 [S], sum of KL(ref||policy) (of the side term's divergence, where that is another), with ref_head.
    pub out_kl: *const truing_tensor,
    /// i32 [S], live tokens.
    pub out_counts: *const truing_tensor,
    /// f64 0-d, the side term before `coef`.
    pub out_side_term: *const truing_tensor,
    /// f32 [N,12], opaque.
    pub out_stats: *const truing_tensor,
    /// f32 [N,16], both heads, opaque; with `ref_head`.
    pub out_pair_stats: *const truing_tensor,
    /// u32 [N].
    pub out_row_status: *const truing_tensor,
    /// Outputs of the first term.
    pub items: truing_item_outputs,
    /// Outputs of all terms together.
    pub outputs: truing_preference_outputs,
    /// 0.
    pub reserved: [u8; 64],
}

// ---- policy

/// Level of a ratio: `TRUING_LEVEL_*`, 0 invalid.
pub type truing_level = u32;
/// Each token's own.
pub const TRUING_LEVEL_TOKEN: truing_level = 1;
/// One per sequence.
pub const TRUING_LEVEL_SEQUENCE: truing_level = 2;

/// Token or sequence values to one number: `TRUING_AGGREGATE_*`, 0 invalid.
pub type truing_aggregate_mode = u32;
/// Sum over live tokens of the batch.
pub const TRUING_AGGREGATE_TOKEN_MEAN: truing_aggregate_mode = 1;
/// Mean over a sequence's tokens, mean over sequences.
pub const TRUING_AGGREGATE_SEQ_MEAN_TOKEN_MEAN: truing_aggregate_mode = 2;
/// Sum over a sequence's tokens, mean over sequences.
pub const TRUING_AGGREGATE_SEQ_MEAN_TOKEN_SUM: truing_aggregate_mode = 3;
/// The same over `max_length`.
pub const TRUING_AGGREGATE_SEQ_MEAN_TOKEN_SUM_NORM: truing_aggregate_mode = 4;
/// Sum of live tokens.
pub const TRUING_AGGREGATE_TOKEN_SUM: truing_aggregate_mode = 5;
/// Mean over sequences of a sequence or list entry.
pub const TRUING_AGGREGATE_SEQ_MEAN: truing_aggregate_mode = 6;
/// Sum of weighted tokens over the denominator.
pub const TRUING_AGGREGATE_WEIGHTED_MEAN: truing_aggregate_mode = 7;
/// Values only; the upstream gradient is [N] or [B].
pub const TRUING_AGGREGATE_NONE: truing_aggregate_mode = 8;

/// Whether sequences without live tokens count in a mean: `TRUING_COUNT_*`.
pub type truing_count_empty = u32;
/// They count.
pub const TRUING_COUNT_ALL: truing_count_empty = 1;
/// They do not.
pub const TRUING_COUNT_NONEMPTY: truing_count_empty = 2;

/// Tokens that a denominator counts: `TRUING_DENOMINATOR_*`, 0 = original.
pub type truing_denominator = u32;
/// Live tokens, dropped ones included.
pub const TRUING_DENOMINATOR_ORIGINAL: truing_denominator = 1;
/// Live tokens that were not dropped.
pub const TRUING_DENOMINATOR_KEPT: truing_denominator = 2;
/// Weighted mean: the sum of weights.
pub const TRUING_DENOMINATOR_WEIGHTS: truing_denominator = 3;

/// How token or sequence values form one loss.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_aggregate {
    /// Replaces the denominator, 0 = off.
    pub normaliser: f64,
    /// Divisor in tokens of SEQ_MEAN_TOKEN_SUM_NORM.
    pub max_length: f64,
    /// Required.
    pub mode: truing_aggregate_mode,
    /// Required by the seq_ modes.
    pub count_empty: truing_count_empty,
    /// 0 = original.
    pub denominator: truing_denominator,
    /// 0.
    pub reserved0: u32,
    /// 0.
    pub reserved: [u8; 32],
}

/// Weight of an estimator: `TRUING_ESTIMATOR_*`.
pub type truing_estimator_weight = u32;
/// 1.
pub const TRUING_ESTIMATOR_ONE: truing_estimator_weight = 1;
/// 1 in value, the score-function term in the gradient.
pub const TRUING_ESTIMATOR_SCORE: truing_estimator_weight = 2;
/// The token's ratio, differentiated.
pub const TRUING_ESTIMATOR_RATIO: truing_estimator_weight = 3;
/// exp of the sequence's mean log ratio, differentiated.
pub const TRUING_ESTIMATOR_RATIO_SEQUENCE: truing_estimator_weight = 4;

/// Gradient of an estimator: `TRUING_GRADIENT_*`.
pub type truing_estimator_gradient = u32;
/// Of the value.
pub const TRUING_GRADIENT_PATHWISE: truing_estimator_gradient = 1;
/// -z, z = ref - logp.
pub const TRUING_GRADIENT_STRAIGHT_THROUGH: truing_estimator_gradient = 2;
/// -z min(ratio, ratio_max).
pub const TRUING_GRADIENT_STRAIGHT_THROUGH_RATIO: truing_estimator_gradient = 3;

/// What an input clamp does outside its bound: `TRUING_CLAMP_*`.
pub type truing_clamp_mode = u32;
/// Continues along the tangent.
pub const TRUING_CLAMP_LINEAR: truing_clamp_mode = 1;
/// Constant.
pub const TRUING_CLAMP_ZERO_GRADIENT: truing_clamp_mode = 2;

/// Where the KL term is added: `TRUING_KL_*`, 0 = after the importance weight.
pub type truing_kl_stage = u32;
/// After the importance weight.
pub const TRUING_KL_AFTER_WEIGHT: truing_kl_stage = 1;
/// Before it: the weight multiplies the KL too.
pub const TRUING_KL_BEFORE_WEIGHT: truing_kl_stage = 2;

/// Denominator of an estimator's ratio: `TRUING_RATIO_*`, 0 = old.
pub type truing_ratio_source = u32;
/// The behaviour policy `old`.
pub const TRUING_RATIO_OLD: truing_ratio_source = 1;
/// The inference engine `sampler`.
pub const TRUING_RATIO_SAMPLER: truing_ratio_source = 2;

/// KL to the reference: as a term beside the loss, or as a catalogue entry of its own.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_estimator {
    /// `k1`, `k2`, `k3`, `abs`; 0 = off.
    pub id: truing_loss_id,
    /// Required when id is set.
    pub weight: truing_estimator_weight,
    /// Required when id is set.
    pub gradient: truing_estimator_gradient,
    /// Required when input_clamp > 0.
    pub input_clamp_mode: truing_clamp_mode,
    /// 0 = old.
    pub ratio_source: truing_ratio_source,
    /// As a term: 0 = after weight.
    pub stage: truing_kl_stage,
    /// Instead of `id`: exact divergence to `ref_head`'s row, linear_policy only (reverse_kl = KL(policy||ref)); kinds without parameters. 0 = off.
    pub divergence: truing_divergence_kind,
    /// 0.
    pub reserved0: u32,
    /// As a term: factor >= 0, 0 = off but still reported.
    pub coef: f64,
    /// Nats, 0 = none.
    pub input_clamp: f64,
    /// 0 = none.
    pub output_clamp: f64,
    /// >= 1, 0 = none.
    pub ratio_max: f64,
    /// 0.
    pub reserved: [u8; 32],
}

/// A further token or sequence loss of the same pass with its own inputs and divisor. It may grow: the call's
/// `extra_term_size` says where the next one starts.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_policy_term {
    /// `positive_nll`, `sdar`, `dft` and others.
    pub loss: truing_loss,
    /// float [N], NULL = the call's.
    pub old: *const truing_tensor,
    /// float [N], teacher for sdar; NULL = the call's.
    pub r#ref: *const truing_tensor,
    /// float [N] or [B], NULL = the call's.
    pub advantage: *const truing_tensor,
    /// u8 [N] or [B], NULL = the call's.
    pub flag: *const truing_tensor,
    /// mask [N], NULL = the call's; NULL in linear_policy.
    pub mask: *const truing_tensor,
    /// f32 [N], NULL = 1.
    pub token_weights: *const truing_tensor,
    /// Mode 0 = the call's.
    pub aggregate: truing_aggregate,
    /// Required.
    pub level: truing_level,
    /// 0.
    pub reserved0: u32,
    /// 0.
    pub reserved: [u8; 32],
}

/// What `policy` and `linear_policy` share. [N] also means [B,T].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_policy_inputs {
    /// float [N], behaviour log-prob, nats; NULL = current, detached.
    pub old: *const truing_tensor,
    /// float [N], reference or teacher, nats; value losses: returns.
    pub r#ref: *const truing_tensor,
    /// float [N], inference engine's log-prob, nats.
    pub sampler: *const truing_tensor,
    /// float [N], reference of the KL term when ref holds a teacher; NULL = ref.
    pub kl_ref: *const truing_tensor,
    /// float [N] or [B]; packed with N = B, `advantage_level` says which.
    pub advantage: *const truing_tensor,
    /// u8 [N] or [B], NULL = 1.
    pub flag: *const truing_tensor,
    /// float [B], nats: flowrl.
    pub log_z: *const truing_tensor,
    /// mask [N], completion tokens.
    pub mask: *const truing_tensor,
    /// u8 [N], rejection of tokens, 0 = dropped.
    pub keep: *const truing_tensor,
    /// u8 [B], rejection of sequences.
    pub sequence_keep: *const truing_tensor,
    /// u8 [N], policy term and entropy bonus only.
    pub entropy_mask: *const truing_tensor,
    /// u8 [N], KL term only, NULL = mask.
    pub kl_mask: *const truing_tensor,
    /// f32 [N] >= 0.
    pub token_weights: *const truing_tensor,
    /// f32 [N] or [B] >= 0, constant; vespo takes its log.
    pub importance_weight: *const truing_tensor,
    /// int [B+1], packed layout.
    pub cu_seqlens: *const truing_tensor,
    /// int [G+1] into sequences: list kind, whose reference is `old` and whose targets are the advantages.
    pub group_offsets: *const truing_tensor,
    /// Token, sequence, list or estimator entry.
    pub loss: truing_loss,
    /// KL term, or the settings of an estimator entry.
    pub kl: truing_estimator,
    /// Of loss and KL.
    pub aggregate: truing_aggregate,
    /// Of the bonus, mode 0 = aggregate.
    pub entropy_aggregate: truing_aggregate,
    /// Host [num_extra_terms], further terms, `extra_term_size` bytes each.
    pub extra_terms: *const truing_policy_term,
    /// Terms, at most 7.
    pub num_extra_terms: usize,
    /// Bonus factor >= 0, 0 = off.
    pub entropy_coef: f64,
    /// Of the ratio; required.
    pub level: truing_level,
    /// `sizeof(truing_policy_term)` as the caller compiled it, 0 = that of version 1.
    pub extra_term_size: u32,
    /// Of `advantage`; 0 = by its shape: [B,T] tokens by the number of dimensions, packed ones by the number of elements.
    pub advantage_level: truing_level,
    /// 0.
    pub reserved0: u32,
    /// 0.
    pub reserved: [u8; 64],
}
/// Live tokens.
pub const TRUING_POLICY_STAT_TOKENS: u32 = 0;
/// Live tokens that no mask dropped.
pub const TRUING_POLICY_STAT_KEPT_TOKENS: u32 = 1;
/// Sequences in the mean.
pub const TRUING_POLICY_STAT_SEQUENCES: u32 = 2;
/// Tokens clipped at the low bound.
pub const TRUING_POLICY_STAT_CLIP_LOW: u32 = 3;
/// Tokens clipped at the high bound.
pub const TRUING_POLICY_STAT_CLIP_HIGH: u32 = 4;
/// Tokens clipped by the dual clip.
pub const TRUING_POLICY_STAT_CLIP_DUAL: u32 = 5;
/// Sum of ratios.
pub const TRUING_POLICY_STAT_RATIO_SUM: u32 = 6;
/// Smallest log ratio (a minimum, not a sum).
pub const TRUING_POLICY_STAT_LOG_RATIO_MIN: u32 = 7;
/// Largest log ratio (a maximum, not a sum).
pub const TRUING_POLICY_STAT_LOG_RATIO_MAX: u32 = 8;
/// Sum of k1 of old to policy.
pub const TRUING_POLICY_STAT_K1_SUM: u32 = 9;
/// Sum of k3 of old to policy.
pub const TRUING_POLICY_STAT_K3_SUM: u32 = 10;
/// Sum of entropies.
pub const TRUING_POLICY_STAT_ENTROPY_SUM: u32 = 11;
/// Sum of importance weights.
pub const TRUING_POLICY_STAT_WEIGHT_SUM: u32 = 12;
/// Sum of their squares.
pub const TRUING_POLICY_STAT_WEIGHT_SQ_SUM: u32 = 13;
/// Sum of the KL term's values.
pub const TRUING_POLICY_STAT_KL_SUM: u32 = 14;
/// Sum of the main term's values.
pub const TRUING_POLICY_STAT_LOSS_SUM: u32 = 15;
/// Denominator that the aggregation used.
pub const TRUING_POLICY_STAT_DENOMINATOR: u32 = 16;
/// Length of `out_statistics` of a policy call; entries behind the named ones are 0.
pub const TRUING_POLICY_STAT_COUNT: u32 = 32;

/// Outputs of a policy call, each NULL = not wanted.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_policy_outputs {
    /// f64 or f32 0-d, all terms.
    pub out_loss: *const truing_tensor,
    /// f32 [N], f64 [B] for sequence or f64 [G] for list entries: main term before aggregation.
    pub out_values: *const truing_tensor,
    /// f32 [N], estimator values.
    pub out_kl: *const truing_tensor,
    /// f64 [3 + num_extra_terms]: main, KL, entropy, extra; after aggregation.
    pub out_terms: *const truing_tensor,
    /// f32 [B].
    pub grad_log_z_out: *const truing_tensor,
    /// f64 [32], TRUING_POLICY_STAT_*.
    pub out_statistics: *const truing_tensor,
    /// u32 [N].
    pub out_token_status: *const truing_tensor,
    /// u32 [B].
    pub out_sequence_status: *const truing_tensor,
    /// i64 [32].
    pub out_counters: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 40],
}

/// Split form: token log-probs in, loss and partials out.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_policy_forward_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N] or [B,T], nats; value losses: V.
    pub logps: *const truing_tensor,
    /// f32 [N], nats: bonus, and eaft without `topk_entropy`.
    pub entropy: *const truing_tensor,
    /// f32 [N], nats, of the 20 most probable tokens (`figures.out_topk_entropy`): eaft beside a bonus.
    pub topk_entropy: *const truing_tensor,
    /// Everything else.
    pub inputs: truing_policy_inputs,
    /// float 0-d, or as out_values for AGGREGATE_NONE; NULL = 1.
    pub grad_output: *const truing_tensor,
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    pub grad_scale: f64,
    /// Loss, figures.
    pub outputs: truing_policy_outputs,
    /// f32 as logps.
    pub grad_logps_out: *const truing_tensor,
    /// f32 [N].
    pub grad_entropy_out: *const truing_tensor,
    /// float [N], nats: values of the KL term in the place of an estimate, such as exact divergences. Then of `inputs.kl` only `coef` and `stage` count, the rest is 0. NULL = none.
    pub kl: *const truing_tensor,
    /// f32 [N], dL/dkl, with `kl`.
    pub grad_kl_out: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Hidden states to policy loss and gradients (`truing_linear_policy_forward`).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_linear_policy_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// Policy.
    pub head: truing_head,
    /// Reference over the same rows, for `inputs.kl.divergence`; hidden NULL = none.
    pub ref_head: truing_head,
    /// Targets, those of the rows themselves: no `shift`; rows.mask NULL = inputs.mask.
    pub rows: truing_rows,
    /// Sampling support.
    pub support: truing_support,
    /// Old, ref, advantage, loss and the rest.
    pub inputs: truing_policy_inputs,
    /// f32 [N], dL/dlogp, phase WITH_COEFFICIENTS.
    pub logp_coefficients: *const truing_tensor,
    /// f32 [N], dL/dentropy, phase WITH_COEFFICIENTS.
    pub entropy_coefficients: *const truing_tensor,
    /// f32 [N], dL/dKL of the exact divergence, phase WITH_COEFFICIENTS.
    pub kl_coefficients: *const truing_tensor,
    /// f32 [N,12] of the first phase, NULL = recompute.
    pub stats: *const truing_tensor,
    /// f32 [N,16] of the first phase, both heads, with `ref_head`; NULL = recompute.
    pub pair_stats: *const truing_tensor,
    /// float 0-d, NULL = 1.
    pub grad_output: *const truing_tensor,
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    pub grad_scale: f64,
    /// Required.
    pub phase: truing_phase,
    /// 0.
    pub reserved0: u32,
    /// Outputs.
    pub grads: truing_head_grads,
    /// Loss, figures.
    pub outputs: truing_policy_outputs,
    /// f32 [N], nats.
    pub out_logps: *const truing_tensor,
    /// f32 [N], nats.
    pub out_entropy: *const truing_tensor,
    /// f32 [N].
    pub out_log_sum_sq: *const truing_tensor,
    /// f32 [N,12], opaque.
    pub out_stats: *const truing_tensor,
    /// f32 [N,16], both heads, opaque; with `ref_head`.
    pub out_pair_stats: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

// ---- divergence

/// jsd at beta = 0 and 1: `TRUING_JSD_*`, 0 = peer.
pub type truing_jsd_limits = u32;
/// forward_kl and reverse_kl, as trainers have it.
pub const TRUING_JSD_PEER: truing_jsd_limits = 1;
/// 0 with zero gradient.
pub const TRUING_JSD_CONTINUOUS: truing_jsd_limits = 2;
/// Divided by beta (1 - beta) everywhere.
pub const TRUING_JSD_SCALED: truing_jsd_limits = 3;

/// What the teacher's numbers are: `TRUING_TEACHER_*`, 0 invalid.
pub type truing_teacher_form = u32;
/// Logits of all columns.
pub const TRUING_TEACHER_LOGITS: truing_teacher_form = 1;
/// Log-probs of all columns.
pub const TRUING_TEACHER_LOGPROBS: truing_teacher_form = 2;
/// Probabilities of all columns, 0 = dead.
pub const TRUING_TEACHER_PROBS: truing_teacher_form = 3;
/// Full-softmax log-probs at ids.
pub const TRUING_TEACHER_TOPK_LOGPROBS: truing_teacher_form = 4;
/// Raw logits at ids, optional lse.
pub const TRUING_TEACHER_TOPK_LOGITS: truing_teacher_form = 5;
/// Counts of sampled ids.
pub const TRUING_TEACHER_SAMPLES: truing_teacher_form = 6;

/// Who chooses the columns of a partial divergence: `TRUING_PARTIAL_*`, 0 = all columns.
pub type truing_partial_support = u32;
/// The teacher's largest.
pub const TRUING_PARTIAL_TEACHER: truing_partial_support = 1;
/// The student's largest.
pub const TRUING_PARTIAL_STUDENT: truing_partial_support = 2;
/// A third row's largest.
pub const TRUING_PARTIAL_REFERENCE: truing_partial_support = 3;
/// The largest of both sides.
pub const TRUING_PARTIAL_UNION: truing_partial_support = 4;
/// The caller's ids.
pub const TRUING_PARTIAL_GIVEN: truing_partial_support = 5;

/// What happens outside a partial support: `TRUING_OUTSIDE_*`.
pub type truing_outside = u32;
/// Both sides are renormalised on it.
pub const TRUING_OUTSIDE_RENORMALISE: truing_outside = 1;
/// One more bucket holds the rest.
pub const TRUING_OUTSIDE_TAIL: truing_outside = 2;
/// The teacher is 0 there (log-prob `outside_logprob` in reverse terms).
pub const TRUING_OUTSIDE_ZERO: truing_outside = 3;
/// Nothing is added.
pub const TRUING_OUTSIDE_RAW: truing_outside = 4;

/// A divergence on a few columns; support 0 = all columns.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_partial {
    /// int [N,K], -1 pads: given ids or the teacher's.
    pub ids: *const truing_tensor,
    /// float [N,K] at ids: log-probs, logits or counts by teacher_form.
    pub teacher_values: *const truing_tensor,
    /// f32 [N], nats, for TOPK_LOGITS with tail, zero, raw: of the whole transformed row.
    pub teacher_lse: *const truing_tensor,
    /// float [N,V], logits that choose the support, PARTIAL_REFERENCE.
    pub reference: *const truing_tensor,
    /// Columns kept per side, 1..512, 0 = K of ids.
    pub k: i64,
    /// Floor of both tail probabilities, 0 = exact (TRL: 1e-7).
    pub tail_floor: f64,
    /// Teacher log-prob outside the support with OUTSIDE_ZERO, nats, 0 = -100.
    pub outside_logprob: f64,
    /// Floor of both log-probs on the support, nats < 0, 0 = off.
    pub log_prob_floor: f64,
    /// The row value is clamped to +- this, 0 = off.
    pub value_clamp: f64,
    /// TRUING_PARTIAL_*, 0 = all columns.
    pub support: truing_partial_support,
    /// Required with a support.
    pub outside: truing_outside,
    /// 0.
    pub reserved: [u8; 32],
}

/// What is computed from two rows.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_divergence_options {
    /// The kind's: mixed {omega}, jsd {beta}, skew {lambda}, renyi and alpha {alpha}.
    pub params: *const f64,
    /// Values given, NaN or missing = default.
    pub num_params: usize,
    /// Factor of -log p_target of the student's transformed row (its temperature included), 0 = off. Over vocabulary shards of whole rows too; of a partial support over shards 0.
    pub hard_weight: f64,
    /// Factor of the divergence, 0 = 1 without TRUING_HAS_SOFT_WEIGHT.
    pub soft_weight: f64,
    /// Nats added to the teacher's target logit, -inf allowed.
    pub teacher_target_shift: f64,
    /// Required.
    pub kind: truing_divergence_kind,
    /// `jsd` at 0 and 1, 0 = peer.
    pub limits: truing_jsd_limits,
    /// Required.
    pub teacher_form: truing_teacher_form,
    /// Constant factor on the hard-label term: dft for anchored_sft; 0 = none.
    pub hard_scaling: truing_token_scaling,
    /// Required when out_loss is wanted.
    pub aggregate: truing_aggregate,
    /// 0.
    pub reserved: [u8; 64],
}

/// Outputs of a divergence, each NULL = not wanted.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_divergence_outputs {
    /// f32 [N], nats.
    pub out_values: *const truing_tensor,
    /// f64 or f32 0-d.
    pub out_loss: *const truing_tensor,
    /// f32 [N], nats.
    pub out_student_entropy: *const truing_tensor,
    /// f32 [N], nats.
    pub out_teacher_entropy: *const truing_tensor,
    /// f32 [N], -sum t log p, nats.
    pub out_cross_entropy: *const truing_tensor,
    /// f32 [N], -sum p log t, nats.
    pub out_reverse_cross_entropy: *const truing_tensor,
    /// f32 [N], of the target, nats.
    pub out_student_logprob: *const truing_tensor,
    /// f32 [N], of the target, nats.
    pub out_teacher_logprob: *const truing_tensor,
    /// i32 [N], teacher's argmax in the student.
    pub out_student_rank: *const truing_tensor,
    /// i32 [N], student's argmax in the teacher.
    pub out_teacher_rank: *const truing_tensor,
    /// f32 [N], student's probability of the support.
    pub out_student_mass: *const truing_tensor,
    /// f32 [N], teacher's probability of the support.
    pub out_teacher_mass: *const truing_tensor,
    /// f32 [N], common ids of both sides' k largest over the teacher's number; given ids are the teacher's.
    pub out_overlap: *const truing_tensor,
    /// f32 [N], -sum t(log t - log p) over the common ids, of whole rows; not with renormalise.
    pub out_overlap_sum: *const truing_tensor,
    /// i32 [N,K or 2K], -1 pads: the support used.
    pub out_support_ids: *const truing_tensor,
    /// f32 [N,16], opaque; of given ids over shards [N,22] with a `hard_weight`.
    pub out_stats: *const truing_tensor,
    /// u32 [N].
    pub out_status: *const truing_tensor,
    /// i64 [32].
    pub out_counters: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 40],
}

/// Divergence between rows of logits.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_divergence_forward_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N,V] or [B,T,V], logits.
    pub student: *const truing_tensor,
    /// float [N,V'], by teacher_form; NULL with a partial teacher.
    pub teacher: *const truing_tensor,
    /// Temperature T_s and the rest.
    pub student_transform: truing_transform,
    /// Logits only, of rows or at ids.
    pub teacher_transform: truing_transform,
    /// Targets for hard label and figures, mask.
    pub rows: truing_rows,
    /// f32 [N] >= 0, 0 = row not read.
    pub row_weight: *const truing_tensor,
    /// Kind, parameters, reduction.
    pub options: truing_divergence_options,
    /// Few columns.
    pub partial: truing_partial,
    /// Values, figures.
    pub outputs: truing_divergence_outputs,
    /// Fused gradient of out_loss, may be student itself.
    pub grad_student_out: *const truing_tensor,
    /// Fused gradient of out_loss, may be teacher itself.
    pub grad_teacher_out: *const truing_tensor,
    /// Upstream of the fused gradients, float 0-d, NULL = 1.
    pub grad_loss: *const truing_tensor,
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    pub grad_scale: f64,
    /// 0.
    pub reserved: [u8; 64],
}

/// Gradients of both sides' logits.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_divergence_backward_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// As in forward.
    pub student: *const truing_tensor,
    /// As in forward.
    pub teacher: *const truing_tensor,
    /// As in forward.
    pub student_transform: truing_transform,
    /// As in forward.
    pub teacher_transform: truing_transform,
    /// As in forward.
    pub rows: truing_rows,
    /// As in forward.
    pub row_weight: *const truing_tensor,
    /// As in forward.
    pub options: truing_divergence_options,
    /// As in forward, support GIVEN with out_support_ids reuses the choice.
    pub partial: truing_partial,
    /// Columns of this shard, both sides cut alike.
    pub shard: truing_shard,
    /// f32 [N,16], NULL = recompute; of a shard those of finish.
    pub stats: *const truing_tensor,
    /// f32 [N], NULL = 0.
    pub grad_values: *const truing_tensor,
    /// float 0-d, NULL = 0.
    pub grad_loss: *const truing_tensor,
    /// f32 [N], of the target, NULL = 0.
    pub grad_student_logprob: *const truing_tensor,
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    pub grad_scale: f64,
    /// float as student, may be student itself.
    pub grad_student_out: *const truing_tensor,
    /// float as teacher, may be teacher itself.
    pub grad_teacher_out: *const truing_tensor,
    /// u32 [N].
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Records of the columns of one vocabulary shard. One-read kinds need one pass, the others VALUES after RECORDS are finished.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_divergence_local_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N,V_local].
    pub student: *const truing_tensor,
    /// float [N,V_local].
    pub teacher: *const truing_tensor,
    /// `bias` is [V_local].
    pub student_transform: truing_transform,
    /// `bias` is [V_local].
    pub teacher_transform: truing_transform,
    /// Targets are global ids.
    pub rows: truing_rows,
    /// f32 [N].
    pub row_weight: *const truing_tensor,
    /// Kind, parameters.
    pub options: truing_divergence_options,
    /// Few columns: given global ids.
    pub partial: truing_partial,
    /// Required.
    pub shard: truing_shard,
    /// f32 [N,16], finished, second pass only.
    pub stats: *const truing_tensor,
    /// f32 [N,16], either pass; [N,17] with `options.hard_weight`: the last is the student's transformed logit of the target, -inf where it is not local. With `partial.ids` only beside a `hard_weight`, [N,12]: the record, as of truing_logprob_local, of the student's local columns that are not among the ids, and the logit of the target.
    pub out_records: *const truing_tensor,
    /// f32 [N,K], transformed logits at `partial.ids`, -inf where the id is not local; first pass.
    pub out_student_at_ids: *const truing_tensor,
    /// f32 [N,K], the same of the teacher.
    pub out_teacher_at_ids: *const truing_tensor,
    /// u32 [N].
    pub out_status: *const truing_tensor,
    /// RECORDS, then VALUES for the kinds that read twice.
    pub local_pass: truing_local_pass,
    /// 0.
    pub reserved0: u32,
    /// 0.
    pub reserved: [u8; 64],
}

/// Values from the records of all shards.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_divergence_finish_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// f32 [shards,N,16], in shard order; [shards,N,17] with `options.hard_weight`, [shards,N,12] with that and `partial.ids`.
    pub records: *const truing_tensor,
    /// f32 [shards,N,K], of local.
    pub student_at_ids: *const truing_tensor,
    /// f32 [shards,N,K], of local.
    pub teacher_at_ids: *const truing_tensor,
    /// i64 [shards+1] on the CPU.
    pub shard_starts: *const truing_tensor,
    /// As in local.
    pub rows: truing_rows,
    /// f32 [N].
    pub row_weight: *const truing_tensor,
    /// As in local.
    pub options: truing_divergence_options,
    /// As in local.
    pub partial: truing_partial,
    /// Values, figures, stats.
    pub outputs: truing_divergence_outputs,
    /// The pass that made the records.
    pub local_pass: truing_local_pass,
    /// 0.
    pub reserved0: u32,
    /// 0.
    pub reserved: [u8; 64],
}

/// Divergence of two heads and its gradients (`truing_linear_divergence_forward`). Phase SINGLE writes figures and gradients, FIGURES figures, WITH_COEFFICIENTS the gradients from those of the figures and `outputs.out_status`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_linear_divergence_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// Student head.
    pub student: truing_head,
    /// Teacher head, own hidden size; hidden NULL: teacher_rows or partial.
    pub teacher: truing_head,
    /// float [N,V'] by teacher_form, when there is no teacher head.
    pub teacher_rows: *const truing_tensor,
    /// Of teacher_rows, or of logits at ids.
    pub teacher_transform: truing_transform,
    /// Targets, mask.
    pub rows: truing_rows,
    /// f32 [N] >= 0.
    pub row_weight: *const truing_tensor,
    /// Kind, parameters, reduction.
    pub options: truing_divergence_options,
    /// Few columns.
    pub partial: truing_partial,
    /// All 0, or in phase WITH_COEFFICIENTS the columns that the heads hold; `stats` are then those of finish, grad_hidden partial sums.
    pub shard: truing_shard,
    /// Values, figures.
    pub outputs: truing_divergence_outputs,
    /// f32 [N], upstream of out_values, NULL = 0.
    pub grad_values: *const truing_tensor,
    /// float 0-d, NULL = 0, or 1 in phase SINGLE where the other two are NULL.
    pub grad_loss: *const truing_tensor,
    /// f32 [N], of the target, NULL = 0.
    pub grad_student_logprob: *const truing_tensor,
    /// f32 [N,16] of an earlier call, phase WITH_COEFFICIENTS; NULL = recompute.
    pub stats: *const truing_tensor,
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    pub grad_scale: f64,
    /// Required.
    pub phase: truing_phase,
    /// 0.
    pub reserved0: u32,
    /// Outputs.
    pub student_grads: truing_head_grads,
    /// Outputs.
    pub teacher_grads: truing_head_grads,
    /// 0.
    pub reserved: [u8; 64],
}

/// Records of one vocabulary shard of both heads.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_linear_divergence_local_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// `weight` is [V_local,D].
    pub student: truing_head,
    /// `weight` is [V_local,D'].
    pub teacher: truing_head,
    /// Targets are global ids.
    pub rows: truing_rows,
    /// f32 [N].
    pub row_weight: *const truing_tensor,
    /// Kind, parameters.
    pub options: truing_divergence_options,
    /// Few columns: given global ids.
    pub partial: truing_partial,
    /// Required.
    pub shard: truing_shard,
    /// f32 [N,16], finished, second pass only.
    pub stats: *const truing_tensor,
    /// f32 [N,16], either pass; [N,17] with `options.hard_weight`: the last is the student's transformed logit of the target, -inf where it is not local. With `partial.ids` only beside a `hard_weight`, [N,12]: the record, as of truing_logprob_local, of the student's local columns that are not among the ids, and the logit of the target.
    pub out_records: *const truing_tensor,
    /// f32 [N,K], transformed logits at `partial.ids`, -inf where the id is not local; first pass.
    pub out_student_at_ids: *const truing_tensor,
    /// f32 [N,K], the same of the teacher.
    pub out_teacher_at_ids: *const truing_tensor,
    /// u32 [N].
    pub out_status: *const truing_tensor,
    /// RECORDS, then VALUES for the kinds that read twice.
    pub local_pass: truing_local_pass,
    /// 0.
    pub reserved0: u32,
    /// 0.
    pub reserved: [u8; 64],
}

/// Records carry no trace of where logits came from.
pub type truing_linear_divergence_finish_args = truing_divergence_finish_args;

/// Log ratio and KL to a reference, summed per sequence. Forward writes out_*, backward reads grad_* and writes grad_policy_out.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_sequence_kl_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N,V], logits.
    pub policy: *const truing_tensor,
    /// float [N,V], logits.
    pub r#ref: *const truing_tensor,
    /// Transforms.
    pub policy_transform: truing_transform,
    /// Transforms.
    pub ref_transform: truing_transform,
    /// Targets, mask, cu_seqlens.
    pub rows: truing_rows,
    /// f64 [B], gradient of `out_log_ratio`; backward.
    pub grad_log_ratio: *const truing_tensor,
    /// f64 [B], gradient of `out_kl`; backward.
    pub grad_kl: *const truing_tensor,
    /// f32 [N,16]; backward, NULL = recompute.
    pub stats: *const truing_tensor,
    /// f64 [B], summed log p - log q of the targets, nats.
    pub out_log_ratio: *const truing_tensor,
    /// f64 [B], summed KL(ref||policy), nats.
    pub out_kl: *const truing_tensor,
    /// i32 [B], live tokens.
    pub out_counts: *const truing_tensor,
    /// f32 [N,16], opaque.
    pub out_stats: *const truing_tensor,
    /// u32 [B].
    pub out_status: *const truing_tensor,
    /// float as policy; backward.
    pub grad_policy_out: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

// ---- numbers of a batch

/// The baseline of kto from KL rows of mismatched prompts and answers. Over ranks: add sums and counts, then max(0, sum / count).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_kto_baseline_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [n], nats.
    pub scores: *const truing_tensor,
    /// float [n]; NULL: scores are differences.
    pub ref_scores: *const truing_tensor,
    /// mask [n].
    pub mask: *const truing_tensor,
    /// 1: the baseline divides by the rows that are not 0 (HALOs), 0: by all (TRL).
    pub nonzero_only: u32,
    /// 0.
    pub reserved0: u32,
    /// f64 or f32, 0-d, nats.
    pub out_sum: *const truing_tensor,
    /// i64, 0-d, live rows.
    pub out_count: *const truing_tensor,
    /// i64, 0-d, live rows that are not 0.
    pub out_nonzero: *const truing_tensor,
    /// f64 or f32, 0-d: max(0, sum / count), 0 without a row.
    pub out_baseline: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// What the shift of bco is a mean of: `TRUING_SHIFT_*`, 0 invalid.
pub type truing_shift_mode = u32;
/// Half the sum of the means of both classes.
pub const TRUING_SHIFT_BALANCED: truing_shift_mode = 1;
/// All rows so far (the BCO trainer of TRL).
pub const TRUING_SHIFT_POOLED: truing_shift_mode = 2;
/// The means of the batches (LLaMA-Factory, ms-swift).
pub const TRUING_SHIFT_PER_STEP: truing_shift_mode = 3;

/// The shift of bco and bco_pair: a running mean of rewards, this batch included. The state holds sums and counts and may be added over ranks.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_bco_shift_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [n], beta times the log ratio; NULL: nothing is added, as for evaluation.
    pub rewards: *const truing_tensor,
    /// u8 or i8 [n], > 0 = desirable; BALANCED only.
    pub label: *const truing_tensor,
    /// mask [n].
    pub mask: *const truing_tensor,
    /// f64 [4], what the last call wrote; NULL = zeros.
    pub state: *const truing_tensor,
    /// `TRUING_SHIFT_*`.
    pub mode: truing_shift_mode,
    /// 0.
    pub reserved0: u32,
    /// f64 or f32, 0-d; without a row of one class the other's mean.
    pub out_shift: *const truing_tensor,
    /// f64 [4]: sum and count of the desirable rows, then of the others; of everything (POOLED); of the batches' means (PER_STEP).
    pub out_state: *const truing_tensor,
    /// u32, 0-d: empty where a class has no row.
    pub out_status: *const truing_tensor,
    /// Share of this batch in a moving average of the means, in [0, 1]; 0: all rows so far count alike. BALANCED only.
    pub rate: f64,
    /// 0.
    pub reserved: [u8; 64],
}

/// The two samples of aot_sort: `TRUING_AOT_*`, 0 invalid.
pub type truing_aot_pairing = u32;
/// u = chosen - rejected, v = ref_chosen - ref_rejected.
pub const TRUING_AOT_PAIRED: truing_aot_pairing = 1;
/// u = chosen - ref_chosen, v = rejected - ref_rejected.
pub const TRUING_AOT_UNPAIRED: truing_aot_pairing = 2;

/// Two samples in ascending order, equal values by index, NaN last: pair k is `out_u_order[k]` against `out_v_order[k]`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_aot_sort_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [n], nats.
    pub chosen: *const truing_tensor,
    /// float [n], nats.
    pub rejected: *const truing_tensor,
    /// float [n]; NULL with UNPAIRED: the scores are log ratios.
    pub ref_chosen: *const truing_tensor,
    /// float [n], with `ref_chosen`.
    pub ref_rejected: *const truing_tensor,
    /// `TRUING_AOT_*`.
    pub pairing: truing_aot_pairing,
    /// 0.
    pub reserved0: u32,
    /// i32 [n].
    pub out_u_order: *const truing_tensor,
    /// i32 [n].
    pub out_v_order: *const truing_tensor,
    /// f64 or f32 [n], of equal ranks.
    pub out_difference: *const truing_tensor,
    /// u32 [n], by rank.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Which rows beta_dpo keeps, and its beta, from the gaps of the whole batch.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_beta_dpo_stats_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [n], log ratio of the chosen minus that of the rejected, finite.
    pub gaps: *const truing_tensor,
    /// float [n], drawn by the caller from (0, 1).
    pub uniforms: *const truing_tensor,
    /// f64 [2], running mean and deviation, what the last call wrote; NULL = zeros.
    pub state: *const truing_tensor,
    /// Host: beta (0.1), alpha (0.6), rho (0.2), gamma (0.9); NaN or a missing tail = default.
    pub params: *const f64,
    /// 0 to 4.
    pub num_params: usize,
    /// u8 [n], 1 = kept; serves as `groups.item_mask`.
    pub out_keep: *const truing_tensor,
    /// f64 or f32, 0-d; serves as `groups.item_beta`.
    pub out_beta: *const truing_tensor,
    /// f64 [2].
    pub out_state: *const truing_tensor,
    /// u32, 0-d: degenerate where one row has no deviation, empty where no row is kept.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Weights of pairs by the policy's own probabilities, constant; serves as `groups.item_weight`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_wpo_weight_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [n], mean log-prob over the tokens, nats.
    pub chosen: *const truing_tensor,
    /// float [n].
    pub rejected: *const truing_tensor,
    /// float [n], mean over the tokens of log sum p^2 (`figures.out_log_sum_sq`); TRL only.
    pub chosen_log_sum_sq: *const truing_tensor,
    /// float [n]; TRL only.
    pub rejected_log_sum_sq: *const truing_tensor,
    /// `TRUING_WPO_*`: PLAIN is capped at 1, TRL is not.
    pub form: truing_wpo_form,
    /// 0.
    pub reserved0: u32,
    /// f64 or f32 [n].
    pub out_weight: *const truing_tensor,
    /// u32 [n].
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

// ---- off-policy corrections

/// What decides about an importance weight: `TRUING_WEIGHT_LEVEL_*`, 0 invalid.
pub type truing_weight_level = u32;
/// The log ratio of the token.
pub const TRUING_WEIGHT_LEVEL_TOKEN: truing_weight_level = 1;
/// Its sum over the sequence.
pub const TRUING_WEIGHT_LEVEL_SEQUENCE_SUM: truing_weight_level = 2;
/// Its mean over the sequence.
pub const TRUING_WEIGHT_LEVEL_SEQUENCE_MEAN: truing_weight_level = 3;

/// What happens to a weight beyond its bounds: `TRUING_WEIGHT_*`, 0 invalid.
pub type truing_weight_action = u32;
/// Nothing.
pub const TRUING_WEIGHT_RAW: truing_weight_action = 1;
/// It is cut off at the bound.
pub const TRUING_WEIGHT_TRUNCATE: truing_weight_action = 2;
/// It is 0.
pub const TRUING_WEIGHT_MASK: truing_weight_action = 3;

/// What becomes of a token whose log ratio is not finite: `TRUING_MISSING_*`, 0 invalid.
pub type truing_missing = u32;
/// Its ratio counts as 1.
pub const TRUING_MISSING_ONE: truing_missing = 1;
/// It is dropped, and counts as 1 in sums.
pub const TRUING_MISSING_ZERO: truing_missing = 2;
/// The call is refused; with CUDA tensors always, where it would have to wait for the device.
pub const TRUING_MISSING_ERROR: truing_missing = 3;

/// What weights are divided by, unless that is 1e-8 or less: `TRUING_NORMALISE_*`, 0 = nothing.
pub type truing_normalise = u32;
/// Their mean over the live tokens.
pub const TRUING_NORMALISE_TOKEN_MEAN: truing_normalise = 1;
/// The mean of the means of the sequences.
pub const TRUING_NORMALISE_SEQUENCE_MEAN: truing_normalise = 2;

/// Importance weights of `old` against the engine that sampled, constant; serve as `inputs.importance_weight`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_importance_weight_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N] or [B,T], nats.
    pub old: *const truing_tensor,
    /// float, same shape, nats.
    pub sampler: *const truing_tensor,
    /// mask, same shape.
    pub mask: *const truing_tensor,
    /// int [B+1], packed layout.
    pub cu_seqlens: *const truing_tensor,
    /// Of the ratio, 0 = none.
    pub low: f64,
    /// Of the ratio, 0 = none.
    pub high: f64,
    /// Required.
    pub level: truing_weight_level,
    /// Required; RAW has no bounds.
    pub action: truing_weight_action,
    /// Required.
    pub missing: truing_missing,
    /// 0 = off.
    pub normalise: truing_normalise,
    /// 1: the level decides what is within, the weight is the token's own ratio, not cut off.
    pub token_weight: u32,
    /// 0.
    pub reserved0: u32,
    /// f32 or f64, same shape.
    pub out_weights: *const truing_tensor,
    /// u8, same shape, 1 = within the bounds.
    pub out_keep: *const truing_tensor,
    /// f64 [8]: tokens, beyond the bounds, sum of weights, of their squares, rest 0.
    pub out_statistics: *const truing_tensor,
    /// u32, same shape.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// What rejection bounds: `TRUING_REJECTION_*`, 0 invalid.
pub type truing_rejection_statistic = u32;
/// y = old - sampler, against the logs of the bounds.
pub const TRUING_REJECTION_RATIO: truing_rejection_statistic = 1;
/// -y, against the logs of the bounds.
pub const TRUING_REJECTION_K1: truing_rejection_statistic = 2;
/// y^2 / 2.
pub const TRUING_REJECTION_K2: truing_rejection_statistic = 3;
/// e^y - 1 - y.
pub const TRUING_REJECTION_K3: truing_rejection_statistic = 4;
/// KL of the coins with e^sampler and e^old.
pub const TRUING_REJECTION_BINARY_KL: truing_rejection_statistic = 5;
/// abs(e^old - e^sampler).
pub const TRUING_REJECTION_TV: truing_rejection_statistic = 6;

/// Over what a statistic is taken: `TRUING_SPAN_*`, 0 invalid.
pub type truing_span = u32;
/// Each token.
pub const TRUING_SPAN_TOKEN: truing_span = 1;
/// Sum over the sequence.
pub const TRUING_SPAN_SEQUENCE_SUM: truing_span = 2;
/// Mean.
pub const TRUING_SPAN_SEQUENCE_MEAN: truing_span = 3;
/// Maximum, 0 without a live token.
pub const TRUING_SPAN_SEQUENCE_MAX: truing_span = 4;

/// Tokens that are not too far from the engine that sampled them; serve as `inputs.keep`. Several criteria: one call after the other.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_rejection_mask_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N] or [B,T], nats.
    pub old: *const truing_tensor,
    /// float, same shape, nats.
    pub sampler: *const truing_tensor,
    /// mask, same shape.
    pub mask: *const truing_tensor,
    /// mask, same shape, what other criteria left.
    pub keep: *const truing_tensor,
    /// int [B+1], packed layout.
    pub cu_seqlens: *const truing_tensor,
    /// Of the ratio (RATIO, K1) or the statistic, 0 = none.
    pub low: f64,
    /// 0 = none.
    pub high: f64,
    /// Required.
    pub statistic: truing_rejection_statistic,
    /// Required.
    pub span: truing_span,
    /// Required.
    pub missing: truing_missing,
    /// 0.
    pub reserved0: u32,
    /// u8, same shape.
    pub out_keep: *const truing_tensor,
    /// u8 [B], 1 = a token is kept.
    pub out_sequence_keep: *const truing_tensor,
    /// f64 or f32, same shape for SPAN_TOKEN, else [B].
    pub out_statistic: *const truing_tensor,
    /// i64 0-d, live tokens that are not kept.
    pub out_rejected: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Sequences with a negative advantage that the policy has moved away from; serve as `inputs.sequence_keep`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_off_policy_sequence_mask_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N] or [B,T], current policy, nats.
    pub logps: *const truing_tensor,
    /// float, same shape, sampler or old policy; NaN adds nothing.
    pub behaviour: *const truing_tensor,
    /// float [B].
    pub advantage: *const truing_tensor,
    /// mask, same shape as logps.
    pub mask: *const truing_tensor,
    /// int [B+1], packed layout.
    pub cu_seqlens: *const truing_tensor,
    /// Largest mean of behaviour - logps that is kept.
    pub delta: f64,
    /// u8 [B].
    pub out_keep: *const truing_tensor,
    /// f64 or f32 [B].
    pub out_mean: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// The live tokens with the largest entropies, ties kept; serves as `inputs.entropy_mask`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_top_entropy_mask_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N] or [B,T]; NaN is dropped.
    pub entropy: *const truing_tensor,
    /// mask, same shape.
    pub mask: *const truing_tensor,
    /// In (0, 1].
    pub share: f64,
    /// u8, same shape.
    pub out_keep: *const truing_tensor,
    /// f64 or f32 0-d.
    pub out_threshold: *const truing_tensor,
    /// u32 0-d: nan_input, empty.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Which tokens cov_select looks for: `TRUING_COV_*`, 0 invalid.
pub type truing_cov_form = u32;
/// The largest covariances, for kl_cov.
pub const TRUING_COV_KL: truing_cov_form = 1;
/// A draw from those between two bounds that no clip holds, for clip_cov.
pub const TRUING_COV_CLIP: truing_cov_form = 2;

/// Tokens by the covariance of advantage and log-prob over the live tokens.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_cov_select_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N] or [B,T], nats, constant.
    pub logps: *const truing_tensor,
    /// float, same shape; CLIP only.
    pub old: *const truing_tensor,
    /// float, same shape; CLIP: the smallest are drawn, in the place of a seed; NULL = a draw by `seed`.
    pub noise: *const truing_tensor,
    /// float [N] or [B].
    pub advantage: *const truing_tensor,
    /// mask, same shape as logps.
    pub mask: *const truing_tensor,
    /// int [B+1], packed layout.
    pub cu_seqlens: *const truing_tensor,
    /// Host: share (2e-4), cov_low (1), cov_high (5), clip_low (0.2), clip_high (0.2); NaN or a missing tail = default.
    pub params: *const f64,
    /// 0 to 5.
    pub num_params: usize,
    /// Of the draw.
    pub seed: u64,
    /// Index of the first token among those of all ranks, >= 0.
    pub first_token: i64,
    /// Required.
    pub form: truing_cov_form,
    /// 0.
    pub reserved0: u32,
    /// i64 [N] or [B,T] as logps, flat, ascending; -1 behind the first `count`.
    pub out_indices: *const truing_tensor,
    /// i64 0-d.
    pub out_count: *const truing_tensor,
    /// u8, same shape, 1 = selected: `inputs.flag` of kl_cov.
    pub out_flag: *const truing_tensor,
    /// u8, same shape, 0 = selected: `inputs.keep` of clip_cov.
    pub out_keep: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Tokens left when those with the largest (old - proximal)^2 are dropped until the mean of the others is below a threshold; serve as `inputs.keep`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_m2po_mask_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N] or [B,T], nats.
    pub old: *const truing_tensor,
    /// float, same shape, nats.
    pub proximal: *const truing_tensor,
    /// mask, same shape.
    pub mask: *const truing_tensor,
    /// > 0.
    pub threshold: f64,
    /// u8, same shape.
    pub out_keep: *const truing_tensor,
    /// f64 or f32 0-d, mean square of the kept.
    pub out_moment: *const truing_tensor,
    /// i64 0-d.
    pub out_dropped: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Tokens weighted by the log ratios of those behind them, constant; serve as `inputs.token_weights`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_fipo_weight_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N] or [B,T], nats, constant.
    pub logps: *const truing_tensor,
    /// float, same shape, nats.
    pub old: *const truing_tensor,
    /// float [N] or [B].
    pub advantage: *const truing_tensor,
    /// mask, same shape as logps.
    pub mask: *const truing_tensor,
    /// int [B+1], packed layout.
    pub cu_seqlens: *const truing_tensor,
    /// Host: half_life (32), clip (0.2, 0 = any), delta (inf), safety (4); NaN or a missing tail = default.
    pub params: *const f64,
    /// 0 to 4.
    pub num_params: usize,
    /// 1: at least 1 but for `safety`; 0: both sides.
    pub high_only: u32,
    /// 0.
    pub reserved0: u32,
    /// f32 or f64, same shape.
    pub out_weights: *const truing_tensor,
    /// u32, same shape.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// What the input of `truing_density_ratio` and `truing_odpo_offset` is: `TRUING_ITEM_*`, 0 for the others.
pub type truing_item_form = u32;
/// density_ratio: a probability.
pub const TRUING_ITEM_PROBABILITY: truing_item_form = 1;
/// density_ratio: a logit.
pub const TRUING_ITEM_LOGIT: truing_item_form = 2;
/// odpo_offset: the difference of the rewards counts.
pub const TRUING_ITEM_DIFFERENCE: truing_item_form = 3;
/// odpo_offset: their ratio counts.
pub const TRUING_ITEM_RATIO: truing_item_form = 4;

/// One number an item from one or two: `truing_density_ratio` (weights of bco), `truing_odpo_offset` (margins of odpo), `truing_mm_beta` (betas of mm_dpo), `truing_pdu_dual_step` (multiplier of a constraint).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_item_numbers_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [n]: probability or logit; reward of the chosen answer (mm_beta without `second`: the gap); multiplier.
    pub first: *const truing_tensor,
    /// float [n]: none for density_ratio; reward of the rejected answer; loss of the constraint.
    pub second: *const truing_tensor,
    /// Host: density_ratio low (0.5), high (10); odpo_offset alpha (1); mm_beta beta (0.1), weight (0.5), slope (0.5); pdu_dual_step step, epsilon (0). NaN or a missing tail = default.
    pub params: *const f64,
    /// Numbers given.
    pub num_params: usize,
    /// `TRUING_ITEM_*`.
    pub form: truing_item_form,
    /// 0.
    pub reserved0: u32,
    /// f64 or f32 [n]; serves as `groups.item_weight`, `groups.margin_chosen`, `groups.item_beta`.
    pub out_value: *const truing_tensor,
    /// u32 [n]: saturated where a bound acts, degenerate where rewards allow no margin, infinite.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Distance of sorted probabilities across vocabularies (ULD), sum of |p_(i) - q_(i)|, and the gradients of both sides in the same call. With `matched_student_ids` and `matched_teacher_ids` those columns are compared one by one and the rest is sorted (GOLD): matched_weight J + unmatched_weight U, J the pairs' terms of jsd(matched_beta), without renormalisation. On CUDA ids that are no pairs make every row NaN, and factors that are not positive and finite their own.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_uld_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N,V], logits.
    pub student: *const truing_tensor,
    /// float [N,V'], logits, another vocabulary.
    pub teacher: *const truing_tensor,
    /// Transforms.
    pub student_transform: truing_transform,
    /// Transforms.
    pub teacher_transform: truing_transform,
    /// Mask; targets only with ignore_index.
    pub rows: truing_rows,
    /// f32 [N] >= 0.
    pub row_weight: *const truing_tensor,
    /// Columns that count one by one, the rest of each side as one; 0 = all (uld), else uld_topk.
    pub k: i64,
    /// Required when out_loss is wanted.
    pub aggregate: truing_aggregate,
    /// f32 [N].
    pub out_values: *const truing_tensor,
    /// f64 or f32, 0-d.
    pub out_loss: *const truing_tensor,
    /// u32 [N].
    pub out_status: *const truing_tensor,
    /// f32 [N], dL/dvalues, NULL = 0.
    pub grad_values: *const truing_tensor,
    /// float 0-d, dL/dloss, NULL = 0.
    pub grad_loss: *const truing_tensor,
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    pub grad_scale: f64,
    /// float as student, may be student itself.
    pub grad_student_out: *const truing_tensor,
    /// float as teacher, may be teacher itself.
    pub grad_teacher_out: *const truing_tensor,
    /// int [M], columns of the student, each once at most; with matched_teacher_ids.
    pub matched_student_ids: *const truing_tensor,
    /// int [M], the column of the teacher with the same text.
    pub matched_teacher_ids: *const truing_tensor,
    /// Weight of the teacher in [0,1]; 0 = sum of t log(t / p), 1 = sum of p log(p / t).
    pub matched_beta: f64,
    /// Factor of J >= 0; both weights 0 = M / V' and 1 less that.
    pub matched_weight: f64,
    /// Factor of U >= 0.
    pub unmatched_weight: f64,
    /// f32 [N] > 0, multiplies the student's probabilities, NULL = 1: a token that stands for several, the product of the further ones.
    pub student_scale: *const truing_tensor,
    /// f32 [N] > 0, multiplies the teacher's probabilities, a constant.
    pub teacher_scale: *const truing_tensor,
    /// f32 [N], with student_scale.
    pub grad_student_scale_out: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Distributions tilted by a reward, phi = p e^(alpha r) / Z with p the softmax of `logps`, over the V outcomes of a row; f64 inside. `truing_tilt` takes alpha, `truing_tilt_solve` the KL(phi || p) that it is to have (`out_alpha` infinite and degenerate where none has it).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_tilt_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [B,V], log-probs or logits; -inf: no outcome.
    pub logps: *const truing_tensor,
    /// float [B,V]; -inf: probability 0 under a positive alpha.
    pub rewards: *const truing_tensor,
    /// float [B]; tilt.
    pub alpha: *const truing_tensor,
    /// float [B], nats, >= 0; tilt_solve.
    pub target: *const truing_tensor,
    /// float [B], dL/dlog Z, NULL = 0; tilt.
    pub grad_log_z: *const truing_tensor,
    /// float [B], dL/dKL, NULL = 0; tilt.
    pub grad_kl: *const truing_tensor,
    /// f64 or f32 [B,V], log phi.
    pub out_log_tilted: *const truing_tensor,
    /// f64 or f32 [B], log of the sum of p e^(alpha r).
    pub out_log_z: *const truing_tensor,
    /// f64 or f32 [B], mean of the rewards under phi.
    pub out_mean: *const truing_tensor,
    /// f64 or f32 [B], their variance.
    pub out_variance: *const truing_tensor,
    /// f64 or f32 [B], KL(phi || p), nats.
    pub out_kl: *const truing_tensor,
    /// f64 or f32 [B]; tilt_solve.
    pub out_alpha: *const truing_tensor,
    /// f64 or f32 [B,V].
    pub grad_logps_out: *const truing_tensor,
    /// f64 or f32 [B,V].
    pub grad_rewards_out: *const truing_tensor,
    /// f64 or f32 [B].
    pub grad_alpha_out: *const truing_tensor,
    /// u32 [B].
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Renyi numbers of two rows; f64 inside. `truing_renyi_array`: the divergence log(sum q^order p^(1 - order)) / (order - 1) of q = softmax(first) from p = softmax(second), order 1 the KL, infinite the largest log ratio. `truing_renyi_cross_entropy`: log(sum p q^(order - 1)) / (1 - order) of log p = first and log q = second as they are, order 1: -sum p log q.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_renyi_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [B,V], log-probs.
    pub first: *const truing_tensor,
    /// float [B,V], log-probs.
    pub second: *const truing_tensor,
    /// float [B], dL/dvalues.
    pub grad_values: *const truing_tensor,
    /// >= 0.
    pub order: f64,
    /// f64 or f32 [B], nats.
    pub out_values: *const truing_tensor,
    /// f64 or f32 [B,V].
    pub grad_first_out: *const truing_tensor,
    /// f64 or f32 [B,V].
    pub grad_second_out: *const truing_tensor,
    /// u32 [B].
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// The best of n independent draws from the softmax of a row, by reward; equal rewards share alike. f64 inside.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_best_of_n_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [B,V], log-probs or logits.
    pub logps: *const truing_tensor,
    /// float [B,V].
    pub rewards: *const truing_tensor,
    /// Draws, any number >= 1.
    pub n: f64,
    /// 1: the worst of n.
    pub worst: u32,
    /// 0.
    pub reserved0: u32,
    /// f64 or f32 [B,V], log-probs of the selected outcome.
    pub out_log_pmf: *const truing_tensor,
    /// f64 or f32 [B], KL to the row, nats.
    pub out_kl: *const truing_tensor,
    /// f64 or f32 [B], probability that it beats one draw, ties half.
    pub out_win_rate: *const truing_tensor,
    /// u32 [B].
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Estimate of the KL of the best of n draws from the log-probability of the chosen one; f64 inside. Above 0 or NaN: NaN, flagged.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_best_of_n_kl_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [B], log-probs of the chosen draws, <= 0.
    pub logps: *const truing_tensor,
    /// Draws, any number >= 1.
    pub n: f64,
    /// f64 or f32 [B], nats.
    pub out_kl: *const truing_tensor,
    /// u32 [B].
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Weights of pairs whose rows belong to different heads (mah_dpo): alpha_i / |B_i|, to be summed; serves as `groups.item_weight`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_head_weights_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// int [n], head of a pair.
    pub head: *const truing_tensor,
    /// mask [n].
    pub mask: *const truing_tensor,
    /// float [M], >= 0; NULL: each is 1 / M.
    pub alpha: *const truing_tensor,
    /// 1: 1 / (number of heads with rows) instead of alpha.
    pub present_heads: u32,
    /// 0.
    pub reserved0: u32,
    /// f64 or f32 [n], 0 where masked.
    pub out_weight: *const truing_tensor,
    /// i64 [M], live rows of a head. Required: its length is M.
    pub out_counts: *const truing_tensor,
    /// u32, 0-d: empty where no row is live.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Margins that are weighted sums of rewards (modpo), and the gradients of weights and rewards.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_modpo_margin_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [K], or [n,K].
    pub weights: *const truing_tensor,
    /// float [n,K], rewards.
    pub chosen: *const truing_tensor,
    /// float [n,K], rewards.
    pub rejected: *const truing_tensor,
    /// float [n], gradient of margin_chosen - margin_rejected.
    pub grad_margin: *const truing_tensor,
    /// f64 or f32 [n].
    pub out_margin_chosen: *const truing_tensor,
    /// f64 or f32 [n].
    pub out_margin_rejected: *const truing_tensor,
    /// f64 or f32 as weights; [K] is summed over the items in order.
    pub grad_weights_out: *const truing_tensor,
    /// f64 or f32 [n,K]; that of the rejected rewards is its negative.
    pub grad_chosen_out: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// A quantile of a batch by linear interpolation at position level (n - 1); the threshold of confidence_ce.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_quantile_threshold_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [n].
    pub values: *const truing_tensor,
    /// mask [n].
    pub mask: *const truing_tensor,
    /// float 0-d in [0, 1], or [n] of which the mean over live rows is the level.
    pub level: *const truing_tensor,
    /// f64 or f32, 0-d; NaN without a live value or with a NaN.
    pub out_threshold: *const truing_tensor,
    /// u32, 0-d.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Value of a prompt: `TRUING_VALUE_*`, 0 invalid.
pub type truing_value_mode = u32;
/// beta (lse(r / beta) - log n).
pub const TRUING_VALUE_LOG_MEAN_EXP: truing_value_mode = 1;
/// Mean of the rewards (the authors' beta = 0).
pub const TRUING_VALUE_MEAN: truing_value_mode = 2;
/// Largest reward.
pub const TRUING_VALUE_MAX: truing_value_mode = 3;
/// 0 (the authors' beta < 0).
pub const TRUING_VALUE_ZERO: truing_value_mode = 4;

/// Optimal value of a prompt from the rewards of samples of the reference model (a_star_po).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_a_star_value_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [P,T], or [N] with `cu_seqlens`.
    pub rewards: *const truing_tensor,
    /// int [P+1].
    pub cu_seqlens: *const truing_tensor,
    /// mask, same shape.
    pub mask: *const truing_tensor,
    /// Host: beta (0.5), LOG_MEAN_EXP only. NaN or a missing tail = default.
    pub params: *const f64,
    /// 0 or 1.
    pub num_params: usize,
    /// `TRUING_VALUE_*`.
    pub mode: truing_value_mode,
    /// 0.
    pub reserved0: u32,
    /// f64 or f32 [P]; NaN without a live reward.
    pub out_value: *const truing_tensor,
    /// f64 or f32 as rewards, the partial of the prompt's value.
    pub out_share: *const truing_tensor,
    /// u32 [P].
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Rewards of steps with the discounted outcome behind them: r_t + gamma^(n - t) z.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_hindsight_target_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [P,T], or [N] with `cu_seqlens`.
    pub rewards: *const truing_tensor,
    /// int [P+1].
    pub cu_seqlens: *const truing_tensor,
    /// float [P].
    pub outcome: *const truing_tensor,
    /// Host: gamma (0.9). NaN or a missing tail = default.
    pub params: *const f64,
    /// 0 or 1.
    pub num_params: usize,
    /// f64 or f32 as rewards.
    pub out_targets: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Sequences with a live token.
pub const TRUING_KL_FIGURE_SEQUENCES: u32 = 0;
/// Live tokens.
pub const TRUING_KL_FIGURE_TOKENS: u32 = 1;
/// Mean of k1 over the sequences.
pub const TRUING_KL_FIGURE_K1_PER_SEQUENCE: u32 = 2;
/// Sum of k1 over the tokens of all sequences.
pub const TRUING_KL_FIGURE_K1_PER_TOKEN: u32 = 3;
/// Mean over the sequences of the mean of k1 over their tokens.
pub const TRUING_KL_FIGURE_K1_MEAN_OF_MEANS: u32 = 4;
/// As with k1.
pub const TRUING_KL_FIGURE_K3_PER_SEQUENCE: u32 = 5;
/// As with k1.
pub const TRUING_KL_FIGURE_K3_PER_TOKEN: u32 = 6;
/// As with k1.
pub const TRUING_KL_FIGURE_K3_MEAN_OF_MEANS: u32 = 7;
/// Mean length.
pub const TRUING_KL_FIGURE_LENGTH_MEAN: u32 = 8;
/// Standard deviation of the lengths, divisor n.
pub const TRUING_KL_FIGURE_LENGTH_STD: u32 = 9;
/// The same with divisor n - 1; 0 for one sequence.
pub const TRUING_KL_FIGURE_LENGTH_STD_SAMPLE: u32 = 10;
/// Shortest.
pub const TRUING_KL_FIGURE_LENGTH_MIN: u32 = 11;
/// Longest.
pub const TRUING_KL_FIGURE_LENGTH_MAX: u32 = 12;
/// Length of `out_figures`; the rest is 0.
pub const TRUING_KL_FIGURE_COUNT: u32 = 16;

/// KL to the reference by the sampled tokens (k1 = sum d, k3 = sum (e^-d - 1 + d), d = policy minus reference) and lengths of answers. Sequences without a live token count nowhere.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_kl_length_figures_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [B,T], or [N] with `cu_seqlens`, nats.
    pub logps: *const truing_tensor,
    /// float, same shape; NULL: `logps` are differences.
    pub ref_logps: *const truing_tensor,
    /// int [B+1].
    pub cu_seqlens: *const truing_tensor,
    /// mask, same shape.
    pub mask: *const truing_tensor,
    /// float [Q] in [0, 1].
    pub quantile_levels: *const truing_tensor,
    /// float [H+1], ascending.
    pub bin_edges: *const truing_tensor,
    /// f64 or f32 [B].
    pub out_k1: *const truing_tensor,
    /// f64 or f32 [B].
    pub out_k3: *const truing_tensor,
    /// i32 [B], live tokens.
    pub out_lengths: *const truing_tensor,
    /// f64 [TRUING_KL_FIGURE_COUNT]; NaN where there is nothing to average over.
    pub out_figures: *const truing_tensor,
    /// f64 or f32 [Q], of the lengths.
    pub out_quantiles: *const truing_tensor,
    /// i64 [H]: lengths in [edge, next edge), the last bin with its upper edge.
    pub out_histogram: *const truing_tensor,
    /// u32 [B].
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Centred hidden embedding similarity of two answers, <H-, H+> - |H+|^2: a figure for choosing pairs, no gradient.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_ches_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [S,T,D], or [N,D] with `cu_seqlens`; final hidden states.
    pub hidden: *const truing_tensor,
    /// int [S+1].
    pub cu_seqlens: *const truing_tensor,
    /// mask [N] or [S,T]: from the last position of the prompt to the one before the answer's last.
    pub mask: *const truing_tensor,
    /// int [P], sequence index.
    pub chosen_seq: *const truing_tensor,
    /// int [P], sequence index.
    pub rejected_seq: *const truing_tensor,
    /// TRUING_SCORE_SUM or TRUING_SCORE_MEAN of the live states.
    pub score_kind: truing_score_kind,
    /// 0.
    pub reserved0: u32,
    /// f64 or f32 [P].
    pub out_value: *const truing_tensor,
    /// u32 [P].
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

// ---- losses over rows of classes

/// Divisor of `truing_rps` and `truing_brier`: `TRUING_CLASS_*`, 0 for the others.
pub type truing_class_form = u32;
/// K - 1 (rps) or K (brier).
pub const TRUING_CLASS_MEAN: truing_class_form = 1;
/// 1.
pub const TRUING_CLASS_SUM: truing_class_form = 2;

/// Losses over rows of few logits: `truing_prm_ce`, `truing_rps`, `truing_brier`, `truing_confidence_ce`, `truing_product_target`, `truing_pdu_flatten`. Targets are constants.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_class_rows_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N,V], f64 allowed.
    pub logits: *const truing_tensor,
    /// int [K], the classes, all different; NULL: all columns. The others get gradient 0.
    pub columns: *const truing_tensor,
    /// float [N,K] >= 0; none for pdu_flatten.
    pub targets: *const truing_tensor,
    /// int [N], target class; instead of `targets`.
    pub target_ids: *const truing_tensor,
    /// float 0-d in [0, 1]: class 0 is hard from here on; confidence_ce only.
    pub threshold: *const truing_tensor,
    /// mask [N].
    pub mask: *const truing_tensor,
    /// Host: confidence_ce confidence; product_target own (1), label (1). NaN or a missing tail = default.
    pub params: *const f64,
    /// Numbers given.
    pub num_params: usize,
    /// `TRUING_CLASS_*`.
    pub form: truing_class_form,
    /// TRUING_REDUCE_NONE, SUM or MEAN over live rows.
    pub reduction: truing_reduction,
    /// External divisor, 0 = off.
    pub normaliser: f64,
    /// float 0-d, or [N] for REDUCE_NONE; NULL = 1.
    pub grad_output: *const truing_tensor,
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    pub grad_scale: f64,
    /// f64 or f32, 0-d; not with REDUCE_NONE.
    pub out_loss: *const truing_tensor,
    /// f64 or f32 [N].
    pub out_losses: *const truing_tensor,
    /// f64 or f32 [N,K], the target that was used.
    pub out_targets: *const truing_tensor,
    /// float [N,V].
    pub grad_logits_out: *const truing_tensor,
    /// u32 [N].
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Squared error of a process reward model: mean over a sample's live steps, then over the samples that have one.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_prm_mse_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [B,T], or [N] with `cu_seqlens`.
    pub predictions: *const truing_tensor,
    /// float, same shape.
    pub targets: *const truing_tensor,
    /// int [B+1].
    pub cu_seqlens: *const truing_tensor,
    /// mask, same shape: labelled steps.
    pub mask: *const truing_tensor,
    /// TRUING_REDUCE_NONE, SUM or MEAN over samples.
    pub reduction: truing_reduction,
    /// 0.
    pub reserved0: u32,
    /// External divisor, 0 = off.
    pub normaliser: f64,
    /// float 0-d, or [B] for REDUCE_NONE; NULL = 1.
    pub grad_output: *const truing_tensor,
    /// Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
    pub grad_scale: f64,
    /// f64 or f32, 0-d; not with REDUCE_NONE.
    pub out_loss: *const truing_tensor,
    /// f64 or f32 [B].
    pub out_losses: *const truing_tensor,
    /// float as predictions.
    pub grad_predictions_out: *const truing_tensor,
    /// u32 [B].
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Which way round `truing_preference_orchestrator` measures: `TRUING_DIRECTION_*`, 0 without a KL.
pub type truing_direction = u32;
/// KL(target || weights).
pub const TRUING_DIRECTION_TARGET_TO_WEIGHTS: truing_direction = 1;
/// KL(weights || target).
pub const TRUING_DIRECTION_WEIGHTS_TO_TARGET: truing_direction = 2;

/// Weights of K objectives that depend on the prompt: target softmax(r / T), KL to w = softmax(s), combination J = sum w q.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_preference_orchestrator_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [B,K], of the preferred answer.
    pub rewards: *const truing_tensor,
    /// float [B,K], log target weights; instead of `rewards`.
    pub log_target: *const truing_tensor,
    /// float [B,K], s.
    pub scores: *const truing_tensor,
    /// float [B,K], q: rewards or losses of the objectives.
    pub values: *const truing_tensor,
    /// Host: temperature (0.1). NaN or a missing tail = default.
    pub params: *const f64,
    /// 0 or 1.
    pub num_params: usize,
    /// `TRUING_DIRECTION_*`, required for the KL.
    pub direction: truing_direction,
    /// 0.
    pub reserved0: u32,
    /// f64 or f32 [B,K].
    pub out_log_target: *const truing_tensor,
    /// f64 or f32 [B,K], w; also the partial of J with respect to the values.
    pub out_weights: *const truing_tensor,
    /// f64 or f32 [B].
    pub out_kl: *const truing_tensor,
    /// f64 or f32 [B], J.
    pub out_combined: *const truing_tensor,
    /// f64 or f32 [B,K], dKL/ds.
    pub grad_scores_kl_out: *const truing_tensor,
    /// f64 or f32 [B,K], dJ/ds; dJ/dw is q.
    pub grad_scores_combined_out: *const truing_tensor,
    /// u32 [B].
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

// ---- advantages and returns

/// A usual advantage of a group: `TRUING_ADVANTAGE_*`.
pub type truing_advantage_preset = u32;
/// (R - mean) / (std + 1e-4).
pub const TRUING_ADVANTAGE_GRPO: truing_advantage_preset = 1;
/// (R - mean) / (std of the batch + 1e-4).
pub const TRUING_ADVANTAGE_GRPO_BATCH_STD: truing_advantage_preset = 2;
/// R - mean.
pub const TRUING_ADVANTAGE_DR_GRPO: truing_advantage_preset = 3;
/// R - mean of the others.
pub const TRUING_ADVANTAGE_RLOO: truing_advantage_preset = 4;
/// (R - mean of the others) / (std of the others + 1e-6), undivided where that is 0.
pub const TRUING_ADVANTAGE_GRPO_LOO: truing_advantage_preset = 5;
/// R - mean of the batch.
pub const TRUING_ADVANTAGE_BATCH_BASELINE: truing_advantage_preset = 6;
/// R - mean weighted by length.
pub const TRUING_ADVANTAGE_OPO: truing_advantage_preset = 7;
/// (R - mean) times rows / rows that are not 0.
pub const TRUING_ADVANTAGE_GPG: truing_advantage_preset = 8;
/// (R - mean) / (mean + 1e-6).
pub const TRUING_ADVANTAGE_MAX_RL: truing_advantage_preset = 9;
/// R.
pub const TRUING_ADVANTAGE_RAW: truing_advantage_preset = 10;

/// What is subtracted from a reward: `TRUING_BASELINE_*`.
pub type truing_baseline = u32;
/// Nothing.
pub const TRUING_BASELINE_NONE: truing_baseline = 1;
/// Mean of the group.
pub const TRUING_BASELINE_GROUP: truing_baseline = 2;
/// Mean of the others of the group.
pub const TRUING_BASELINE_LEAVE_ONE_OUT: truing_baseline = 3;
/// Mean of all rows.
pub const TRUING_BASELINE_BATCH: truing_baseline = 4;
/// Mean of the group by `lengths`.
pub const TRUING_BASELINE_LENGTH_WEIGHTED: truing_baseline = 5;

/// What divides: `TRUING_SCALE_*`.
pub type truing_advantage_scale = u32;
/// Nothing.
pub const TRUING_SCALE_NONE: truing_advantage_scale = 1;
/// Deviation of the group.
pub const TRUING_SCALE_GROUP_STD: truing_advantage_scale = 2;
/// Deviation of all rows.
pub const TRUING_SCALE_BATCH_STD: truing_advantage_scale = 3;
/// Deviation of the others of the group.
pub const TRUING_SCALE_LEAVE_ONE_OUT_STD: truing_advantage_scale = 4;
/// Mean of the group; rewards >= 0.
pub const TRUING_SCALE_GROUP_MEAN: truing_advantage_scale = 5;
/// f_norm times the share of rows that are not 0.
pub const TRUING_SCALE_NONZERO_SHARE: truing_advantage_scale = 6;

/// Divisor of a variance: `TRUING_STD_*`.
pub type truing_std_kind = u32;
/// n - 1.
pub const TRUING_STD_UNBIASED: truing_std_kind = 1;
/// n.
pub const TRUING_STD_POPULATION: truing_std_kind = 2;

/// How eps enters: `TRUING_EPS_*`.
pub type truing_eps_kind = u32;
/// std + eps.
pub const TRUING_EPS_ADD: truing_eps_kind = 1;
/// std + eps, no division where std is 0.
pub const TRUING_EPS_SKIP_ZERO: truing_eps_kind = 2;
/// sqrt(var + eps).
pub const TRUING_EPS_VARIANCE_ADD: truing_eps_kind = 3;
/// sqrt(max(var, eps)).
pub const TRUING_EPS_VARIANCE_MAX: truing_eps_kind = 4;

/// Advantage in a group with one scored row: `TRUING_SINGLE_*`.
pub type truing_single = u32;
/// 0.
pub const TRUING_SINGLE_ZERO: truing_single = 1;
/// The reward.
pub const TRUING_SINGLE_RAW: truing_single = 2;

/// Where objectives become one: `TRUING_ORDER_*`, 0 invalid.
pub type truing_objective_order = u32;
/// Weighted sum, then the group's advantage.
pub const TRUING_ORDER_SUM_FIRST: truing_objective_order = 1;
/// The group's advantage of each, then the weighted sum, then `batch_step`.
pub const TRUING_ORDER_NORMALISE_FIRST: truing_objective_order = 2;

/// Last step of NORMALISE_FIRST: `TRUING_BATCH_STEP_*`.
pub type truing_batch_step = u32;
/// None.
pub const TRUING_BATCH_STEP_NONE: truing_batch_step = 1;
/// (S - mean) / (std + batch_eps).
pub const TRUING_BATCH_STEP_STANDARDISE: truing_batch_step = 2;
/// S / std.
pub const TRUING_BATCH_STEP_SCALE: truing_batch_step = 3;

/// A masked position in a recursion: `TRUING_MASKS_*`, 0 invalid.
pub type truing_mask_handling = u32;
/// Left out (verl, NeMo-RL, AReaL).
pub const TRUING_MASKS_CARRY: truing_mask_handling = 1;
/// Reward and value are 0 (OpenRLHF).
pub const TRUING_MASKS_ZERO: truing_mask_handling = 2;
/// Rewards and values are read there too; outputs are 0 (torchtune, ROLL, slime).
pub const TRUING_MASKS_IGNORE: truing_mask_handling = 3;

/// Tokens that share a baseline: `TRUING_ALIGNMENT_*`, 0 invalid.
pub type truing_alignment = u32;
/// The same position.
pub const TRUING_ALIGNMENT_POSITION: truing_alignment = 1;
/// The k-th live ones.
pub const TRUING_ALIGNMENT_LIVE_INDEX: truing_alignment = 2;

/// How a teacher becomes an advantage, d = teacher - student: `TRUING_DISTILL_*`, 0 invalid.
pub type truing_distill_form = u32;
/// A - coef clamp(K), K an estimate of KL(student || teacher), k1: -d.
pub const TRUING_DISTILL_OPD: truing_distill_form = 1;
/// d, early tokens weighted more.
pub const TRUING_DISTILL_IW_OPD: truing_distill_form = 2;
/// A times a clipped e^d; never another sign.
pub const TRUING_DISTILL_RLSD: truing_distill_form = 3;
/// Discounted sum of d.
pub const TRUING_DISTILL_MINILLM: truing_distill_form = 4;

/// What pama_scalars averages over: `TRUING_GRANULARITY_*`, 0 invalid.
pub type truing_granularity = u32;
/// All live tokens.
pub const TRUING_GRANULARITY_BATCH: truing_granularity = 1;
/// Those of a sequence.
pub const TRUING_GRANULARITY_SEQUENCE: truing_granularity = 2;
/// Nothing.
pub const TRUING_GRANULARITY_TOKEN: truing_granularity = 3;

/// Advantage of every row from the rewards of its group.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_group_advantage_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [B], finite, NaN = missing: no part of a statistic, advantage 0.
    pub rewards: *const truing_tensor,
    /// int [G+1], group g holds rows offsets[g] to offsets[g+1]; or `group_ids`.
    pub group_offsets: *const truing_tensor,
    /// int [B], group of each row, in any order, below `num_groups`.
    pub group_ids: *const truing_tensor,
    /// With `group_ids`.
    pub num_groups: u64,
    /// int [B], tokens of each row; LENGTH_WEIGHTED only.
    pub lengths: *const truing_tensor,
    /// Host: eps (the preset's), f_norm (1); NaN or a missing tail = default.
    pub params: *const f64,
    /// Values given.
    pub num_params: usize,
    /// `TRUING_ADVANTAGE_*`, 0 = the next two are given.
    pub preset: truing_advantage_preset,
    /// `TRUING_BASELINE_*`, 0 = the preset's.
    pub baseline: truing_baseline,
    /// `TRUING_SCALE_*`, 0 = the preset's.
    pub scale: truing_advantage_scale,
    /// `TRUING_STD_*`, 0 = unbiased.
    pub std_kind: truing_std_kind,
    /// `TRUING_EPS_ADD` or `_SKIP_ZERO`, 0 = the preset's, or ADD.
    pub eps_kind: truing_eps_kind,
    /// `TRUING_SINGLE_*`, 0 = the preset's, or ZERO.
    pub single: truing_single,
    /// f64 or f32 [B].
    pub out_advantages: *const truing_tensor,
    /// f64 or f32 [G], of the scored rows.
    pub out_mean: *const truing_tensor,
    /// f64 or f32 [G].
    pub out_std: *const truing_tensor,
    /// u32 [G]: empty, degenerate (one scored row, or no weight), infinite, overflow.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Advantage of every row from several rewards, and its gradient with respect to their weights.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_multi_objective_advantage_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [B,K], finite, NaN = missing: skipped.
    pub rewards: *const truing_tensor,
    /// float [K] or [B,K], NULL = 1.
    pub weights: *const truing_tensor,
    /// int [G+1], group g holds rows offsets[g] to offsets[g+1]; or `group_ids`.
    pub group_offsets: *const truing_tensor,
    /// int [B], group of each row, in any order, below `num_groups`.
    pub group_ids: *const truing_tensor,
    /// With `group_ids`.
    pub num_groups: u64,
    /// int [B]; LENGTH_WEIGHTED only.
    pub lengths: *const truing_tensor,
    /// Host: eps (the preset's), f_norm (1), batch_eps (1e-4).
    pub params: *const f64,
    /// Values given.
    pub num_params: usize,
    /// `TRUING_ORDER_*`.
    pub order: truing_objective_order,
    /// `TRUING_ADVANTAGE_*`, 0 = the next two are given.
    pub preset: truing_advantage_preset,
    /// `TRUING_BASELINE_*`, 0 = the preset's.
    pub baseline: truing_baseline,
    /// `TRUING_SCALE_*`, 0 = the preset's.
    pub scale: truing_advantage_scale,
    /// `TRUING_STD_*`, 0 = unbiased.
    pub std_kind: truing_std_kind,
    /// `TRUING_EPS_ADD` or `_SKIP_ZERO`, 0 = the preset's, or ADD.
    pub eps_kind: truing_eps_kind,
    /// `TRUING_SINGLE_*`, 0 = the preset's, or ZERO.
    pub single: truing_single,
    /// `TRUING_BATCH_STEP_*`, NORMALISE_FIRST only, 0 = NONE.
    pub batch_step: truing_batch_step,
    /// f64 or f32 [B].
    pub out_advantages: *const truing_tensor,
    /// f64 or f32 [B], before the last step, NaN for a row without a reward.
    pub out_combined: *const truing_tensor,
    /// u32 [B]: empty for a row without a reward, infinite, overflow.
    pub out_status: *const truing_tensor,
    /// Backward: float [B].
    pub grad_advantages: *const truing_tensor,
    /// Backward: f64 or f32 [K], or [B,K] where the weights are.
    pub grad_weights_out: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Generalised advantage estimation, and the discounted return. Backward: rewards, values and baseline are NULL.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_gae_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N] or [B,T].
    pub rewards: *const truing_tensor,
    /// float [N]; NULL in a discounted return.
    pub values: *const truing_tensor,
    /// float [B], value behind a truncated sequence, NULL = 0.
    pub value_end: *const truing_tensor,
    /// float [B], discounted return: subtracted from it in `out_advantages`.
    pub baseline: *const truing_tensor,
    /// mask [N].
    pub mask: *const truing_tensor,
    /// int [B+1], packed layout.
    pub cu_seqlens: *const truing_tensor,
    /// Host: gamma (1), lambda_policy (1), lambda_value (lambda_policy), length_alpha (off); of a discounted return gamma.
    pub params: *const f64,
    /// Values given.
    pub num_params: usize,
    /// `TRUING_MASKS_*`.
    pub masks: truing_mask_handling,
    /// 0.
    pub reserved0: u32,
    /// f64 or f32 [N].
    pub out_advantages: *const truing_tensor,
    /// f64 or f32 [N], before any whitening.
    pub out_returns: *const truing_tensor,
    /// u32 [B]: empty, nan_input, inf_input, overflow.
    pub out_status: *const truing_tensor,
    /// Backward: float [N].
    pub grad_advantages: *const truing_tensor,
    /// Backward: float [N].
    pub grad_returns: *const truing_tensor,
    /// Backward: f64 or f32 [N].
    pub grad_rewards_out: *const truing_tensor,
    /// Backward: f64 or f32 [N].
    pub grad_values_out: *const truing_tensor,
    /// Backward: f64 or f32 [B].
    pub grad_value_end_out: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// (v - mean) / deviation over live values. Over ranks: `out_state` of each, then all of them as `states`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_whiten_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [n] or [B,T].
    pub values: *const truing_tensor,
    /// mask [n].
    pub mask: *const truing_tensor,
    /// int [n] >= 0, how many values each stands for; NULL = 1.
    pub counts: *const truing_tensor,
    /// f64 [ranks,3], the states of all ranks; NULL: these values alone.
    pub states: *const truing_tensor,
    /// Host: eps (1e-8).
    pub params: *const f64,
    /// Values given.
    pub num_params: usize,
    /// `TRUING_STD_*`.
    pub std_kind: truing_std_kind,
    /// `TRUING_EPS_*`.
    pub eps_kind: truing_eps_kind,
    /// 1: the mean is added back.
    pub keep_mean: u32,
    /// 0.
    pub reserved0: u32,
    /// f64 or f32 [n]; 0 where there is one value or none.
    pub out_values: *const truing_tensor,
    /// f64 [3]: number, mean, sum of squares around it.
    pub out_state: *const truing_tensor,
    /// f64 or f32 [2]: mean and deviation, without eps.
    pub out_moments: *const truing_tensor,
    /// u32, 0-d: empty, degenerate (one value), nan_input, inf_input.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Reward to go minus a baseline of its own for every position of a group.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_optimal_token_baseline_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N] or [B,T].
    pub rewards: *const truing_tensor,
    /// float [N], nats.
    pub logps: *const truing_tensor,
    /// float [N], log of sum p^2 (`figures.out_log_sum_sq`).
    pub log_sum_sq: *const truing_tensor,
    /// float [N], NULL = 1.
    pub importance_weight: *const truing_tensor,
    /// mask [N].
    pub mask: *const truing_tensor,
    /// int [B+1], packed layout.
    pub cu_seqlens: *const truing_tensor,
    /// int [G+1], group g holds rows offsets[g] to offsets[g+1]; or `group_ids`.
    pub group_offsets: *const truing_tensor,
    /// int [B], group of each row, in any order, below `num_groups`.
    pub group_ids: *const truing_tensor,
    /// With `group_ids`.
    pub num_groups: u64,
    /// Host: eps (1e-8).
    pub params: *const f64,
    /// Values given.
    pub num_params: usize,
    /// `TRUING_ALIGNMENT_*`.
    pub alignment: truing_alignment,
    /// 1: a baseline beyond the second longest row too.
    pub keep_tail: u32,
    /// f64 or f32 [N].
    pub out_advantages: *const truing_tensor,
    /// f64 or f32 [N].
    pub out_baseline: *const truing_tensor,
    /// u32 [B]: empty, nan_input, inf_input, overflow.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Returns of PRIME from process rewards and outcomes, leave-one-out by group; to be whitened.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_prime_advantage_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N] or [B,T]; NULL with an outcome: none.
    pub process_rewards: *const truing_tensor,
    /// float [B], at the last live token.
    pub outcome: *const truing_tensor,
    /// mask [N].
    pub mask: *const truing_tensor,
    /// int [B+1], packed layout.
    pub cu_seqlens: *const truing_tensor,
    /// int [G+1], group g holds rows offsets[g] to offsets[g+1]; or `group_ids`.
    pub group_offsets: *const truing_tensor,
    /// int [B], group of each row, in any order, below `num_groups`.
    pub group_ids: *const truing_tensor,
    /// With `group_ids`.
    pub num_groups: u64,
    /// Host: process_coef (1), outcome_coef (1).
    pub params: *const f64,
    /// Values given.
    pub num_params: usize,
    /// f64 or f32 [N].
    pub out_returns: *const truing_tensor,
    /// u32 [B]: empty, overflow.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// A teacher's log-probs of sampled tokens as advantage.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_distill_advantage_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N] or [B,T], log-prob under the policy that sampled, nats.
    pub student: *const truing_tensor,
    /// float [N], nats; NaN = missing.
    pub teacher: *const truing_tensor,
    /// float [N] or [B]: OPD (NULL = 0) and RLSD.
    pub advantages: *const truing_tensor,
    /// float [N], in the place of teacher - student: MINILLM only.
    pub token_rewards: *const truing_tensor,
    /// mask [N].
    pub mask: *const truing_tensor,
    /// int [B+1], packed layout.
    pub cu_seqlens: *const truing_tensor,
    /// Host: OPD coef (1), clamp (inf); IW_OPD gain (0.5); RLSD mix (0.5), eps (0.2); MINILLM gamma (0).
    pub params: *const f64,
    /// Values given.
    pub num_params: usize,
    /// `TRUING_DISTILL_*`.
    pub form: truing_distill_form,
    /// OPD: entry of the estimator kind, 0 = k1.
    pub estimator: truing_loss_id,
    /// `TRUING_LEVEL_*`, 0 = by the shape.
    pub advantage_level: truing_level,
    /// 1: a missing teacher value is no opinion, 0: an error.
    pub missing_zero: u32,
    /// RLSD, 1: only where the advantage is negative.
    pub negative_only: u32,
    /// MINILLM, 1: over the discounted number of tokens.
    pub per_length: u32,
    /// MINILLM, 1: times gamma^t.
    pub position_power: u32,
    /// 0.
    pub reserved0: u32,
    /// f64 or f32 [N].
    pub out_advantages: *const truing_tensor,
    /// u32 [B]: empty, nan_input, inf_input, infinite, overflow, saturated.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// (A_r - lambda A_c) / (1 + lambda), and the gradient of the multiplier.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_lagrangian_advantage_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N] or [B,T].
    pub reward_advantages: *const truing_tensor,
    /// float [N].
    pub cost_advantages: *const truing_tensor,
    /// mask [N].
    pub mask: *const truing_tensor,
    /// float, 0-d, -inf for lambda = 0.
    pub log_lambda: *const truing_tensor,
    /// float, 0-d, with `grad_log_lambda_out`.
    pub mean_cost: *const truing_tensor,
    /// What `mean_cost` is held to.
    pub cost_limit: f64,
    /// f64 or f32 [N].
    pub out_advantages: *const truing_tensor,
    /// f64 or f32, 0-d, of -(mean_cost - cost_limit) lambda.
    pub grad_log_lambda_out: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Mean clipped advantage of every objective.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_pama_scalars_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [n,N].
    pub advantages: *const truing_tensor,
    /// float [N] or [B,T], nats.
    pub logps: *const truing_tensor,
    /// float [N], log-prob under the policy that the ratio is taken to.
    pub anchor: *const truing_tensor,
    /// mask [N].
    pub mask: *const truing_tensor,
    /// int [B+1], packed layout.
    pub cu_seqlens: *const truing_tensor,
    /// Host: clip_high (0.2).
    pub params: *const f64,
    /// Values given.
    pub num_params: usize,
    /// `TRUING_GRANULARITY_*`.
    pub granularity: truing_granularity,
    /// 0.
    pub reserved0: u32,
    /// f64 or f32 [n,1], [n,B] or [n,N].
    pub out_scalars: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// The element of least size between n numbers, and weights that make it; column by column.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_interval_weights_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [n,m], n up to 64.
    pub scalars: *const truing_tensor,
    /// f64 or f32 [m].
    pub out_value: *const truing_tensor,
    /// f64 or f32 [n,m], >= 0, sum 1.
    pub out_weights: *const truing_tensor,
    /// u32 [m]: nan_input, inf_input.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Mean products of all pairs of rows.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_gram_matrix_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [n,N], n up to 64.
    pub values: *const truing_tensor,
    /// mask [N].
    pub mask: *const truing_tensor,
    /// 1: cosines.
    pub unit_rows: u32,
    /// 0.
    pub reserved0: u32,
    /// f64 or f32 [n,n].
    pub out_gram: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// The weights c >= 0, sum 1, of least c' M c.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_min_norm_weights_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [n,n], symmetric, positive semidefinite, n up to 64.
    pub gram: *const truing_tensor,
    /// Host: tolerance (1e-12), where n > 8.
    pub params: *const f64,
    /// Values given.
    pub num_params: usize,
    /// f64 or f32 [n].
    pub out_weights: *const truing_tensor,
    /// f64 or f32, 0-d.
    pub out_value: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// Rewards with a KL penalty, of tokens or of sequences.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_token_reward_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float [N] or [B,T], log-prob under the policy that sampled, nats.
    pub old: *const truing_tensor,
    /// float [N], nats.
    pub ref_logps: *const truing_tensor,
    /// float [B], NULL = 0.
    pub rewards: *const truing_tensor,
    /// mask [N].
    pub mask: *const truing_tensor,
    /// int [B+1], packed layout.
    pub cu_seqlens: *const truing_tensor,
    /// Host: coef (required), kl_clamp (inf), reward_min (-inf), reward_max (inf).
    pub params: *const f64,
    /// Values given.
    pub num_params: usize,
    /// Entry of the estimator kind.
    pub estimator: truing_loss_id,
    /// `TRUING_LEVEL_*`: of the result.
    pub level: truing_level,
    /// f64 or f32 [N]: the reward at the last live token; or [B].
    pub out_rewards: *const truing_tensor,
    /// f64 or f32 [B], sum of the estimates.
    pub out_kl: *const truing_tensor,
    /// u32 [B]: empty, nan_input, inf_input, infinite, overflow, saturated.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

/// The next value of a coefficient that follows a measured figure.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct truing_controller_args {
    /// `sizeof` of this struct as the caller compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved_head: u32,
    /// NULL = calling thread only, portable mode.
    pub context: *const truing_context,
    /// TRUING_* bits this call knows.
    pub flags: u64,
    /// CUDA stream, NULL = default stream; NULL on the CPU.
    pub stream: *mut c_void,
    /// On the tensors' device, 64-byte aligned, NULL = 0 bytes.
    pub workspace: *mut c_void,
    /// Bytes.
    pub workspace_size: usize,
    /// float, 0-d: mean KL or entropy.
    pub measured: *const truing_tensor,
    /// float, 0-d, until now.
    pub coef: *const truing_tensor,
    /// Host: of KL target (0.1), batch (required), horizon (10000); of entropy target (0.2), step (0.005), minimum (0), maximum
    /// (1).
    pub params: *const f64,
    /// Values given.
    pub num_params: usize,
    /// f64 or f32, 0-d.
    pub out_coef: *const truing_tensor,
    /// f64 or f32, 0-d: what the next step applies, of an entropy bonus 0 above the target.
    pub out_applied: *const truing_tensor,
    /// u32, 0-d: nan_input, inf_input (the coefficient stays); on a device out_of_range of a coefficient that is none.
    pub out_status: *const truing_tensor,
    /// 0.
    pub reserved: [u8; 64],
}

// ---- Rust only: nothing below reaches the header

/// A struct that C callers fill in.
///
/// # Safety
/// The type is `repr(C)`, all zero bytes are a value of it, and it has no implicit padding.
pub unsafe trait Abi: Copy + Default + Layout + 'static {
    /// `size_of` in version 1: the smallest `struct_size` that a library of any later version accepts.
    const V1_SIZE: usize;
    /// All fields 0.
    const ZERO: Self;
}

/// An [`Abi`] struct of a call, which starts with the fields of [`Head`].
///
/// # Safety
/// The first fields are those of [`Head`], at the same offsets.
pub unsafe trait Args: Abi {
    /// The common head.
    fn head(&self) -> &Head {
        // SAFETY: the trait promises that the struct starts with these fields at these offsets.
        unsafe { &*core::ptr::from_ref(self).cast() }
    }
}

/// What every args struct starts with.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Head {
    pub struct_size: u32,
    pub reserved_head: u32,
    pub context: *const truing_context,
    pub flags: u64,
    pub stream: *mut c_void,
    pub workspace: *mut c_void,
    pub workspace_size: usize,
}

/// Bytes of a struct: a field, or reserved bytes that must be 0.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name in C, a path for those of nested structs (`head.transform.reserved0`).
    pub name: &'static str,
    /// Bytes from the start of the struct.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
}

/// Where the fields of a struct lie; implemented in `layout.rs`.
pub trait Layout {
    /// Name in C.
    const NAME: &'static str;
    /// Fields in order.
    const FIELDS: &'static [Field];
    /// Bytes that must be 0, those of nested structs included.
    const RESERVED: &'static [Field];
}

#[rustfmt::skip]
mod layout;
pub use layout::{CONSTANTS, STRUCTS};

// The structs hold pointers and sizes of 8 bytes.
const _: () = assert!(size_of::<usize>() == 8);

/// Whether the fields follow each other without a gap and fill `size` bytes.
const fn dense(fields: &[Field], size: usize) -> bool {
    let (mut i, mut end) = (0, 0);
    while i < fields.len() {
        if fields[i].offset != end {
            return false;
        }
        end += fields[i].size;
        i += 1;
    }
    end == size
}

macro_rules! abi {
    ($($t:ident: $v1:literal,)*) => {$(
        // SAFETY: repr(C), integers, floats, raw pointers and arrays of them only; no padding by the assertion below.
        unsafe impl Abi for $t {
            const V1_SIZE: usize = $v1;
            // SAFETY: zero is a value of integers, floats and raw pointers.
            const ZERO: Self = unsafe { core::mem::zeroed() };
        }
        impl Default for $t {
            fn default() -> Self {
                Self::ZERO
            }
        }
        const _: () = assert!(dense(<$t>::FIELDS, size_of::<$t>()) && size_of::<$t>() >= $v1);
    )*};
}
macro_rules! args {
    ($($t:ident: $v1:literal,)*) => {
        abi! { $($t: $v1,)* }
        $(
        // SAFETY: the assertions below.
        unsafe impl Args for $t {}
        const _: () = {
            use core::mem::offset_of;
            assert!(offset_of!($t, struct_size) == offset_of!(Head, struct_size));
            assert!(offset_of!($t, reserved_head) == offset_of!(Head, reserved_head));
            assert!(offset_of!($t, context) == offset_of!(Head, context));
            assert!(offset_of!($t, flags) == offset_of!(Head, flags));
            assert!(offset_of!($t, stream) == offset_of!(Head, stream));
            assert!(offset_of!($t, workspace) == offset_of!(Head, workspace));
            assert!(offset_of!($t, workspace_size) == offset_of!(Head, workspace_size));
        };
    )*};
}

// Sizes of version 1: add lines, never change one but those of structs that no function takes.
abi! {
    truing_device: 8,
    truing_dtype: 4,
    truing_tensor: 48,
    truing_context_options: 96,
    truing_param_info: 80,
    truing_loss_description: 184,
    truing_transform: 120,
    truing_head: 176,
    truing_head_grads: 48,
    truing_rows: 64,
    truing_shard: 56,
    truing_support: 96,
    truing_row_loss: 88,
    truing_figures: 280,
    truing_row_upstream: 128,
    truing_score: 80,
    truing_loss: 96,
    truing_groups: 152,
    truing_item_outputs: 136,
    truing_preference_outputs: 64,
    truing_preference_term: 128,
    truing_side_term: 72,
    truing_aggregate: 64,
    truing_estimator: 96,
    truing_policy_term: 248,
    truing_policy_inputs: 552,
    truing_policy_outputs: 112,
    truing_partial: 112,
    truing_divergence_options: 184,
    truing_divergence_outputs: 184,
}
args! {
    truing_logprob_forward_args: 800,
    truing_logprob_backward_args: 704,
    truing_logprob_local_args: 624,
    truing_logprob_finish_args: 720,
    truing_support_mask_args: 432,
    truing_tds_rows_args: 520,
    truing_linear_logprob_forward_args: 880,
    truing_linear_logprob_backward_args: 784,
    truing_linear_logprob_local_args: 672,
    truing_sequence_forward_args: 272,
    truing_sequence_backward_args: 264,
    truing_preference_forward_args: 632,
    truing_linear_preference_args: 1440,
    truing_policy_forward_args: 832,
    truing_linear_policy_args: 1440,
    truing_divergence_forward_args: 952,
    truing_divergence_backward_args: 856,
    truing_divergence_local_args: 840,
    truing_divergence_finish_args: 704,
    truing_linear_divergence_args: 1344,
    truing_linear_divergence_local_args: 936,
    truing_sequence_kl_args: 504,
    truing_kto_baseline_args: 176,
    truing_bco_shift_args: 176,
    truing_aot_sort_args: 184,
    truing_beta_dpo_stats_args: 184,
    truing_wpo_weight_args: 168,
    truing_importance_weight_args: 216,
    truing_rejection_mask_args: 216,
    truing_off_policy_sequence_mask_args: 176,
    truing_top_entropy_mask_args: 160,
    truing_cov_select_args: 232,
    truing_m2po_mask_args: 168,
    truing_fipo_weight_args: 192,
    truing_item_numbers_args: 168,
    truing_head_weights_args: 168,
    truing_uld_args: 640,
    truing_tilt_args: 240,
    truing_renyi_args: 176,
    truing_best_of_n_args: 176,
    truing_best_of_n_kl_args: 144,
    truing_modpo_margin_args: 176,
    truing_quantile_threshold_args: 152,
    truing_a_star_value_args: 184,
    truing_hindsight_target_args: 160,
    truing_kl_length_figures_args: 216,
    truing_ches_args: 176,
    truing_class_rows_args: 248,
    truing_prm_mse_args: 208,
    truing_preference_orchestrator_args: 224,
    truing_group_advantage_args: 224,
    truing_multi_objective_advantage_args: 248,
    truing_gae_args: 248,
    truing_whiten_args: 208,
    truing_optimal_token_baseline_args: 232,
    truing_prime_advantage_args: 200,
    truing_distill_advantage_args: 224,
    truing_lagrangian_advantage_args: 176,
    truing_pama_scalars_args: 184,
    truing_interval_weights_args: 144,
    truing_gram_matrix_args: 144,
    truing_min_norm_weights_args: 152,
    truing_token_reward_args: 200,
    truing_controller_args: 168,
}
