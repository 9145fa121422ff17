// Written by `cargo xtask generate` from ffi/src/abi.rs; do not edit. Valid C99 and C++17.
#include "truing.h"

#include <stdio.h>

#define S(s) printf("struct %s %zu\n", #s, sizeof(s))
#define F(s, f) printf("field %s %s %zu %zu\n", #s, #f, offsetof(s, f), sizeof(((s *)0)->f))
#define C(c) printf("constant %s %lld\n", #c, (long long)(c))

// Constants are constant expressions.
enum {
    probe_truing_abi_version = (int)(TRUING_ABI_VERSION),
    probe_truing_status_ok = (int)(TRUING_STATUS_OK),
    probe_truing_status_invalid_argument = (int)(TRUING_STATUS_INVALID_ARGUMENT),
    probe_truing_status_shape_mismatch = (int)(TRUING_STATUS_SHAPE_MISMATCH),
    probe_truing_status_unsupported_dtype = (int)(TRUING_STATUS_UNSUPPORTED_DTYPE),
    probe_truing_status_unsupported_device = (int)(TRUING_STATUS_UNSUPPORTED_DEVICE),
    probe_truing_status_out_of_range = (int)(TRUING_STATUS_OUT_OF_RANGE),
    probe_truing_status_aliasing = (int)(TRUING_STATUS_ALIASING),
    probe_truing_status_workspace_too_small = (int)(TRUING_STATUS_WORKSPACE_TOO_SMALL),
    probe_truing_status_no_device = (int)(TRUING_STATUS_NO_DEVICE),
    probe_truing_status_launch_failed = (int)(TRUING_STATUS_LAUNCH_FAILED),
    probe_truing_status_abi_mismatch = (int)(TRUING_STATUS_ABI_MISMATCH),
    probe_truing_status_internal = (int)(TRUING_STATUS_INTERNAL),
    probe_truing_row_ignored = (int)(TRUING_ROW_IGNORED),
    probe_truing_row_nan_input = (int)(TRUING_ROW_NAN_INPUT),
    probe_truing_row_inf_input = (int)(TRUING_ROW_INF_INPUT),
    probe_truing_row_target_neg_inf = (int)(TRUING_ROW_TARGET_NEG_INF),
    probe_truing_row_all_neg_inf = (int)(TRUING_ROW_ALL_NEG_INF),
    probe_truing_row_out_of_range = (int)(TRUING_ROW_OUT_OF_RANGE),
    probe_truing_row_target_outside = (int)(TRUING_ROW_TARGET_OUTSIDE),
    probe_truing_row_empty = (int)(TRUING_ROW_EMPTY),
    probe_truing_row_overflow = (int)(TRUING_ROW_OVERFLOW),
    probe_truing_row_saturated = (int)(TRUING_ROW_SATURATED),
    probe_truing_row_infinite = (int)(TRUING_ROW_INFINITE),
    probe_truing_row_degenerate = (int)(TRUING_ROW_DEGENERATE),
    probe_truing_row_neg_inf_cancel = (int)(TRUING_ROW_NEG_INF_CANCEL),
    probe_truing_device_cpu = (int)(TRUING_DEVICE_CPU),
    probe_truing_device_cuda = (int)(TRUING_DEVICE_CUDA),
    probe_truing_device_cuda_host = (int)(TRUING_DEVICE_CUDA_HOST),
    probe_truing_device_cuda_managed = (int)(TRUING_DEVICE_CUDA_MANAGED),
    probe_truing_dtype_int = (int)(TRUING_DTYPE_INT),
    probe_truing_dtype_uint = (int)(TRUING_DTYPE_UINT),
    probe_truing_dtype_float = (int)(TRUING_DTYPE_FLOAT),
    probe_truing_dtype_bfloat = (int)(TRUING_DTYPE_BFLOAT),
    probe_truing_dtype_bool = (int)(TRUING_DTYPE_BOOL),
    probe_truing_mode_portable = (int)(TRUING_MODE_PORTABLE),
    probe_truing_mode_fast = (int)(TRUING_MODE_FAST),
    probe_truing_isa_baseline = (int)(TRUING_ISA_BASELINE),
    probe_truing_isa_avx2 = (int)(TRUING_ISA_AVX2),
    probe_truing_isa_avx512 = (int)(TRUING_ISA_AVX512),
    probe_truing_isa_neon = (int)(TRUING_ISA_NEON),
    probe_truing_isa_avx512_bf16 = (int)(TRUING_ISA_AVX512_BF16),
    probe_truing_kind_pair = (int)(TRUING_KIND_PAIR),
    probe_truing_kind_unpaired = (int)(TRUING_KIND_UNPAIRED),
    probe_truing_kind_list = (int)(TRUING_KIND_LIST),
    probe_truing_kind_token = (int)(TRUING_KIND_TOKEN),
    probe_truing_kind_sequence = (int)(TRUING_KIND_SEQUENCE),
    probe_truing_kind_estimator = (int)(TRUING_KIND_ESTIMATOR),
    probe_truing_slot_logp = (int)(TRUING_SLOT_LOGP),
    probe_truing_slot_ref = (int)(TRUING_SLOT_REF),
    probe_truing_slot_length = (int)(TRUING_SLOT_LENGTH),
    probe_truing_slot_kl = (int)(TRUING_SLOT_KL),
    probe_truing_slot_margin = (int)(TRUING_SLOT_MARGIN),
    probe_truing_slot_anchor = (int)(TRUING_SLOT_ANCHOR),
    probe_truing_slot_beta = (int)(TRUING_SLOT_BETA),
    probe_truing_slot_label = (int)(TRUING_SLOT_LABEL),
    probe_truing_slot_baseline = (int)(TRUING_SLOT_BASELINE),
    probe_truing_slot_shift = (int)(TRUING_SLOT_SHIFT),
    probe_truing_slot_list_target = (int)(TRUING_SLOT_LIST_TARGET),
    probe_truing_slot_old = (int)(TRUING_SLOT_OLD),
    probe_truing_slot_sampler = (int)(TRUING_SLOT_SAMPLER),
    probe_truing_slot_advantage = (int)(TRUING_SLOT_ADVANTAGE),
    probe_truing_slot_entropy = (int)(TRUING_SLOT_ENTROPY),
    probe_truing_slot_flag = (int)(TRUING_SLOT_FLAG),
    probe_truing_slot_log_z = (int)(TRUING_SLOT_LOG_Z),
    probe_truing_slot_importance = (int)(TRUING_SLOT_IMPORTANCE),
    probe_truing_slot_weight = (int)(TRUING_SLOT_WEIGHT),
    probe_truing_has_ignore_index = (int)(TRUING_HAS_IGNORE_INDEX),
    probe_truing_strict = (int)(TRUING_STRICT),
    probe_truing_recompute = (int)(TRUING_RECOMPUTE),
    probe_truing_accumulate_hidden = (int)(TRUING_ACCUMULATE_HIDDEN),
    probe_truing_accumulate_weight = (int)(TRUING_ACCUMULATE_WEIGHT),
    probe_truing_accumulate_grads = (int)(TRUING_ACCUMULATE_GRADS),
    probe_truing_skip_flagged = (int)(TRUING_SKIP_FLAGGED),
    probe_truing_ld_policy_only = (int)(TRUING_LD_POLICY_ONLY),
    probe_truing_has_clamp = (int)(TRUING_HAS_CLAMP),
    probe_truing_lossy_drop = (int)(TRUING_LOSSY_DROP),
    probe_truing_temperature_squared = (int)(TRUING_TEMPERATURE_SQUARED),
    probe_truing_clamp_at_zero = (int)(TRUING_CLAMP_AT_ZERO),
    probe_truing_has_grad_scale = (int)(TRUING_HAS_GRAD_SCALE),
    probe_truing_has_soft_weight = (int)(TRUING_HAS_SOFT_WEIGHT),
    probe_truing_record_sums = (int)(TRUING_RECORD_SUMS),
    probe_truing_round_none = (int)(TRUING_ROUND_NONE),
    probe_truing_round_bf16 = (int)(TRUING_ROUND_BF16),
    probe_truing_round_f16 = (int)(TRUING_ROUND_F16),
    probe_truing_support_bitmask = (int)(TRUING_SUPPORT_BITMASK),
    probe_truing_support_ids = (int)(TRUING_SUPPORT_IDS),
    probe_truing_support_computed = (int)(TRUING_SUPPORT_COMPUTED),
    probe_truing_filter_vllm = (int)(TRUING_FILTER_VLLM),
    probe_truing_filter_hf = (int)(TRUING_FILTER_HF),
    probe_truing_filter_sglang = (int)(TRUING_FILTER_SGLANG),
    probe_truing_ties_index = (int)(TRUING_TIES_INDEX),
    probe_truing_ties_all = (int)(TRUING_TIES_ALL),
    probe_truing_top_p_strict = (int)(TRUING_TOP_P_STRICT),
    probe_truing_top_p_inclusive = (int)(TRUING_TOP_P_INCLUSIVE),
    probe_truing_target_keep = (int)(TRUING_TARGET_KEEP),
    probe_truing_target_neg_inf = (int)(TRUING_TARGET_NEG_INF),
    probe_truing_smoothing_torch = (int)(TRUING_SMOOTHING_TORCH),
    probe_truing_smoothing_megatron = (int)(TRUING_SMOOTHING_MEGATRON),
    probe_truing_scaling_none = (int)(TRUING_SCALING_NONE),
    probe_truing_scaling_dft = (int)(TRUING_SCALING_DFT),
    probe_truing_scaling_chord_phi = (int)(TRUING_SCALING_CHORD_PHI),
    probe_truing_scaling_eaft = (int)(TRUING_SCALING_EAFT),
    probe_truing_scaling_eaft_raw = (int)(TRUING_SCALING_EAFT_RAW),
    probe_truing_scaling_external = (int)(TRUING_SCALING_EXTERNAL),
    probe_truing_reduce_none = (int)(TRUING_REDUCE_NONE),
    probe_truing_reduce_sum = (int)(TRUING_REDUCE_SUM),
    probe_truing_reduce_mean = (int)(TRUING_REDUCE_MEAN),
    probe_truing_reduce_weighted_mean = (int)(TRUING_REDUCE_WEIGHTED_MEAN),
    probe_truing_stats_width = (int)(TRUING_STATS_WIDTH),
    probe_truing_pair_stats_width = (int)(TRUING_PAIR_STATS_WIDTH),
    probe_truing_divergence_forward_kl = (int)(TRUING_DIVERGENCE_FORWARD_KL),
    probe_truing_divergence_reverse_kl = (int)(TRUING_DIVERGENCE_REVERSE_KL),
    probe_truing_divergence_mixed_kl = (int)(TRUING_DIVERGENCE_MIXED_KL),
    probe_truing_divergence_jeffreys = (int)(TRUING_DIVERGENCE_JEFFREYS),
    probe_truing_divergence_jsd = (int)(TRUING_DIVERGENCE_JSD),
    probe_truing_divergence_skew_kl = (int)(TRUING_DIVERGENCE_SKEW_KL),
    probe_truing_divergence_skew_reverse_kl = (int)(TRUING_DIVERGENCE_SKEW_REVERSE_KL),
    probe_truing_divergence_renyi = (int)(TRUING_DIVERGENCE_RENYI),
    probe_truing_divergence_alpha = (int)(TRUING_DIVERGENCE_ALPHA),
    probe_truing_divergence_hellinger2 = (int)(TRUING_DIVERGENCE_HELLINGER2),
    probe_truing_divergence_chi2 = (int)(TRUING_DIVERGENCE_CHI2),
    probe_truing_divergence_chi2_reverse = (int)(TRUING_DIVERGENCE_CHI2_REVERSE),
    probe_truing_divergence_tvd = (int)(TRUING_DIVERGENCE_TVD),
    probe_truing_divergence_cosine_probs = (int)(TRUING_DIVERGENCE_COSINE_PROBS),
    probe_truing_divergence_cosine_logits = (int)(TRUING_DIVERGENCE_COSINE_LOGITS),
    probe_truing_divergence_cross_entropy = (int)(TRUING_DIVERGENCE_CROSS_ENTROPY),
    probe_truing_divergence_reverse_cross_entropy = (int)(TRUING_DIVERGENCE_REVERSE_CROSS_ENTROPY),
    probe_truing_local_records = (int)(TRUING_LOCAL_RECORDS),
    probe_truing_local_counts = (int)(TRUING_LOCAL_COUNTS),
    probe_truing_local_values = (int)(TRUING_LOCAL_VALUES),
    probe_truing_score_sum = (int)(TRUING_SCORE_SUM),
    probe_truing_score_mean = (int)(TRUING_SCORE_MEAN),
    probe_truing_score_ld = (int)(TRUING_SCORE_LD),
    probe_truing_divisor_tokens = (int)(TRUING_DIVISOR_TOKENS),
    probe_truing_divisor_weights = (int)(TRUING_DIVISOR_WEIGHTS),
    probe_truing_divisor_external = (int)(TRUING_DIVISOR_EXTERNAL),
    probe_truing_map_identity = (int)(TRUING_MAP_IDENTITY),
    probe_truing_map_js = (int)(TRUING_MAP_JS),
    probe_truing_map_alpha = (int)(TRUING_MAP_ALPHA),
    probe_truing_map_forward_kl = (int)(TRUING_MAP_FORWARD_KL),
    probe_truing_loss_has_weight = (int)(TRUING_LOSS_HAS_WEIGHT),
    probe_truing_layout_indexed = (int)(TRUING_LAYOUT_INDEXED),
    probe_truing_layout_interleaved = (int)(TRUING_LAYOUT_INTERLEAVED),
    probe_truing_layout_stacked = (int)(TRUING_LAYOUT_STACKED),
    probe_truing_preference_stat_items = (int)(TRUING_PREFERENCE_STAT_ITEMS),
    probe_truing_preference_stat_weight_sum = (int)(TRUING_PREFERENCE_STAT_WEIGHT_SUM),
    probe_truing_preference_stat_loss_sum = (int)(TRUING_PREFERENCE_STAT_LOSS_SUM),
    probe_truing_preference_stat_reward_chosen_sum = (int)(TRUING_PREFERENCE_STAT_REWARD_CHOSEN_SUM),
    probe_truing_preference_stat_reward_rejected_sum = (int)(TRUING_PREFERENCE_STAT_REWARD_REJECTED_SUM),
    probe_truing_preference_stat_correct = (int)(TRUING_PREFERENCE_STAT_CORRECT),
    probe_truing_preference_stat_divisor = (int)(TRUING_PREFERENCE_STAT_DIVISOR),
    probe_truing_preference_stat_count = (int)(TRUING_PREFERENCE_STAT_COUNT),
    probe_truing_phase_single = (int)(TRUING_PHASE_SINGLE),
    probe_truing_phase_figures = (int)(TRUING_PHASE_FIGURES),
    probe_truing_phase_with_coefficients = (int)(TRUING_PHASE_WITH_COEFFICIENTS),
    probe_truing_side_divisor_pooled = (int)(TRUING_SIDE_DIVISOR_POOLED),
    probe_truing_side_divisor_row_mean = (int)(TRUING_SIDE_DIVISOR_ROW_MEAN),
    probe_truing_side_divisor_external = (int)(TRUING_SIDE_DIVISOR_EXTERNAL),
    probe_truing_side_divisor_item_sum = (int)(TRUING_SIDE_DIVISOR_ITEM_SUM),
    probe_truing_side_chosen = (int)(TRUING_SIDE_CHOSEN),
    probe_truing_side_anchor = (int)(TRUING_SIDE_ANCHOR),
    probe_truing_side_masked = (int)(TRUING_SIDE_MASKED),
    probe_truing_wpo_trl = (int)(TRUING_WPO_TRL),
    probe_truing_wpo_plain = (int)(TRUING_WPO_PLAIN),
    probe_truing_level_token = (int)(TRUING_LEVEL_TOKEN),
    probe_truing_level_sequence = (int)(TRUING_LEVEL_SEQUENCE),
    probe_truing_aggregate_token_mean = (int)(TRUING_AGGREGATE_TOKEN_MEAN),
    probe_truing_aggregate_seq_mean_token_mean = (int)(TRUING_AGGREGATE_SEQ_MEAN_TOKEN_MEAN),
    probe_truing_aggregate_seq_mean_token_sum = (int)(TRUING_AGGREGATE_SEQ_MEAN_TOKEN_SUM),
    probe_truing_aggregate_seq_mean_token_sum_norm = (int)(TRUING_AGGREGATE_SEQ_MEAN_TOKEN_SUM_NORM),
    probe_truing_aggregate_token_sum = (int)(TRUING_AGGREGATE_TOKEN_SUM),
    probe_truing_aggregate_seq_mean = (int)(TRUING_AGGREGATE_SEQ_MEAN),
    probe_truing_aggregate_weighted_mean = (int)(TRUING_AGGREGATE_WEIGHTED_MEAN),
    probe_truing_aggregate_none = (int)(TRUING_AGGREGATE_NONE),
    probe_truing_count_all = (int)(TRUING_COUNT_ALL),
    probe_truing_count_nonempty = (int)(TRUING_COUNT_NONEMPTY),
    probe_truing_denominator_original = (int)(TRUING_DENOMINATOR_ORIGINAL),
    probe_truing_denominator_kept = (int)(TRUING_DENOMINATOR_KEPT),
    probe_truing_denominator_weights = (int)(TRUING_DENOMINATOR_WEIGHTS),
    probe_truing_estimator_one = (int)(TRUING_ESTIMATOR_ONE),
    probe_truing_estimator_score = (int)(TRUING_ESTIMATOR_SCORE),
    probe_truing_estimator_ratio = (int)(TRUING_ESTIMATOR_RATIO),
    probe_truing_estimator_ratio_sequence = (int)(TRUING_ESTIMATOR_RATIO_SEQUENCE),
    probe_truing_gradient_pathwise = (int)(TRUING_GRADIENT_PATHWISE),
    probe_truing_gradient_straight_through = (int)(TRUING_GRADIENT_STRAIGHT_THROUGH),
    probe_truing_gradient_straight_through_ratio = (int)(TRUING_GRADIENT_STRAIGHT_THROUGH_RATIO),
    probe_truing_clamp_linear = (int)(TRUING_CLAMP_LINEAR),
    probe_truing_clamp_zero_gradient = (int)(TRUING_CLAMP_ZERO_GRADIENT),
    probe_truing_kl_after_weight = (int)(TRUING_KL_AFTER_WEIGHT),
    probe_truing_kl_before_weight = (int)(TRUING_KL_BEFORE_WEIGHT),
    probe_truing_ratio_old = (int)(TRUING_RATIO_OLD),
    probe_truing_ratio_sampler = (int)(TRUING_RATIO_SAMPLER),
    probe_truing_policy_stat_tokens = (int)(TRUING_POLICY_STAT_TOKENS),
    probe_truing_policy_stat_kept_tokens = (int)(TRUING_POLICY_STAT_KEPT_TOKENS),
    probe_truing_policy_stat_sequences = (int)(TRUING_POLICY_STAT_SEQUENCES),
    probe_truing_policy_stat_clip_low = (int)(TRUING_POLICY_STAT_CLIP_LOW),
    probe_truing_policy_stat_clip_high = (int)(TRUING_POLICY_STAT_CLIP_HIGH),
    probe_truing_policy_stat_clip_dual = (int)(TRUING_POLICY_STAT_CLIP_DUAL),
    probe_truing_policy_stat_ratio_sum = (int)(TRUING_POLICY_STAT_RATIO_SUM),
    probe_truing_policy_stat_log_ratio_min = (int)(TRUING_POLICY_STAT_LOG_RATIO_MIN),
    probe_truing_policy_stat_log_ratio_max = (int)(TRUING_POLICY_STAT_LOG_RATIO_MAX),
    probe_truing_policy_stat_k1_sum = (int)(TRUING_POLICY_STAT_K1_SUM),
    probe_truing_policy_stat_k3_sum = (int)(TRUING_POLICY_STAT_K3_SUM),
    probe_truing_policy_stat_entropy_sum = (int)(TRUING_POLICY_STAT_ENTROPY_SUM),
    probe_truing_policy_stat_weight_sum = (int)(TRUING_POLICY_STAT_WEIGHT_SUM),
    probe_truing_policy_stat_weight_sq_sum = (int)(TRUING_POLICY_STAT_WEIGHT_SQ_SUM),
    probe_truing_policy_stat_kl_sum = (int)(TRUING_POLICY_STAT_KL_SUM),
    probe_truing_policy_stat_loss_sum = (int)(TRUING_POLICY_STAT_LOSS_SUM),
    probe_truing_policy_stat_denominator = (int)(TRUING_POLICY_STAT_DENOMINATOR),
    probe_truing_policy_stat_count = (int)(TRUING_POLICY_STAT_COUNT),
    probe_truing_jsd_peer = (int)(TRUING_JSD_PEER),
    probe_truing_jsd_continuous = (int)(TRUING_JSD_CONTINUOUS),
    probe_truing_jsd_scaled = (int)(TRUING_JSD_SCALED),
    probe_truing_teacher_logits = (int)(TRUING_TEACHER_LOGITS),
    probe_truing_teacher_logprobs = (int)(TRUING_TEACHER_LOGPROBS),
    probe_truing_teacher_probs = (int)(TRUING_TEACHER_PROBS),
    probe_truing_teacher_topk_logprobs = (int)(TRUING_TEACHER_TOPK_LOGPROBS),
    probe_truing_teacher_topk_logits = (int)(TRUING_TEACHER_TOPK_LOGITS),
    probe_truing_teacher_samples = (int)(TRUING_TEACHER_SAMPLES),
    probe_truing_partial_teacher = (int)(TRUING_PARTIAL_TEACHER),
    probe_truing_partial_student = (int)(TRUING_PARTIAL_STUDENT),
    probe_truing_partial_reference = (int)(TRUING_PARTIAL_REFERENCE),
    probe_truing_partial_union = (int)(TRUING_PARTIAL_UNION),
    probe_truing_partial_given = (int)(TRUING_PARTIAL_GIVEN),
    probe_truing_outside_renormalise = (int)(TRUING_OUTSIDE_RENORMALISE),
    probe_truing_outside_tail = (int)(TRUING_OUTSIDE_TAIL),
    probe_truing_outside_zero = (int)(TRUING_OUTSIDE_ZERO),
    probe_truing_outside_raw = (int)(TRUING_OUTSIDE_RAW),
    probe_truing_shift_balanced = (int)(TRUING_SHIFT_BALANCED),
    probe_truing_shift_pooled = (int)(TRUING_SHIFT_POOLED),
    probe_truing_shift_per_step = (int)(TRUING_SHIFT_PER_STEP),
    probe_truing_aot_paired = (int)(TRUING_AOT_PAIRED),
    probe_truing_aot_unpaired = (int)(TRUING_AOT_UNPAIRED),
    probe_truing_weight_level_token = (int)(TRUING_WEIGHT_LEVEL_TOKEN),
    probe_truing_weight_level_sequence_sum = (int)(TRUING_WEIGHT_LEVEL_SEQUENCE_SUM),
    probe_truing_weight_level_sequence_mean = (int)(TRUING_WEIGHT_LEVEL_SEQUENCE_MEAN),
    probe_truing_weight_raw = (int)(TRUING_WEIGHT_RAW),
    probe_truing_weight_truncate = (int)(TRUING_WEIGHT_TRUNCATE),
    probe_truing_weight_mask = (int)(TRUING_WEIGHT_MASK),
    probe_truing_missing_one = (int)(TRUING_MISSING_ONE),
    probe_truing_missing_zero = (int)(TRUING_MISSING_ZERO),
    probe_truing_missing_error = (int)(TRUING_MISSING_ERROR),
    probe_truing_normalise_token_mean = (int)(TRUING_NORMALISE_TOKEN_MEAN),
    probe_truing_normalise_sequence_mean = (int)(TRUING_NORMALISE_SEQUENCE_MEAN),
    probe_truing_rejection_ratio = (int)(TRUING_REJECTION_RATIO),
    probe_truing_rejection_k1 = (int)(TRUING_REJECTION_K1),
    probe_truing_rejection_k2 = (int)(TRUING_REJECTION_K2),
    probe_truing_rejection_k3 = (int)(TRUING_REJECTION_K3),
    probe_truing_rejection_binary_kl = (int)(TRUING_REJECTION_BINARY_KL),
    probe_truing_rejection_tv = (int)(TRUING_REJECTION_TV),
    probe_truing_span_token = (int)(TRUING_SPAN_TOKEN),
    probe_truing_span_sequence_sum = (int)(TRUING_SPAN_SEQUENCE_SUM),
    probe_truing_span_sequence_mean = (int)(TRUING_SPAN_SEQUENCE_MEAN),
    probe_truing_span_sequence_max = (int)(TRUING_SPAN_SEQUENCE_MAX),
    probe_truing_cov_kl = (int)(TRUING_COV_KL),
    probe_truing_cov_clip = (int)(TRUING_COV_CLIP),
    probe_truing_item_probability = (int)(TRUING_ITEM_PROBABILITY),
    probe_truing_item_logit = (int)(TRUING_ITEM_LOGIT),
    probe_truing_item_difference = (int)(TRUING_ITEM_DIFFERENCE),
    probe_truing_item_ratio = (int)(TRUING_ITEM_RATIO),
    probe_truing_value_log_mean_exp = (int)(TRUING_VALUE_LOG_MEAN_EXP),
    probe_truing_value_mean = (int)(TRUING_VALUE_MEAN),
    probe_truing_value_max = (int)(TRUING_VALUE_MAX),
    probe_truing_value_zero = (int)(TRUING_VALUE_ZERO),
    probe_truing_kl_figure_sequences = (int)(TRUING_KL_FIGURE_SEQUENCES),
    probe_truing_kl_figure_tokens = (int)(TRUING_KL_FIGURE_TOKENS),
    probe_truing_kl_figure_k1_per_sequence = (int)(TRUING_KL_FIGURE_K1_PER_SEQUENCE),
    probe_truing_kl_figure_k1_per_token = (int)(TRUING_KL_FIGURE_K1_PER_TOKEN),
    probe_truing_kl_figure_k1_mean_of_means = (int)(TRUING_KL_FIGURE_K1_MEAN_OF_MEANS),
    probe_truing_kl_figure_k3_per_sequence = (int)(TRUING_KL_FIGURE_K3_PER_SEQUENCE),
    probe_truing_kl_figure_k3_per_token = (int)(TRUING_KL_FIGURE_K3_PER_TOKEN),
    probe_truing_kl_figure_k3_mean_of_means = (int)(TRUING_KL_FIGURE_K3_MEAN_OF_MEANS),
    probe_truing_kl_figure_length_mean = (int)(TRUING_KL_FIGURE_LENGTH_MEAN),
    probe_truing_kl_figure_length_std = (int)(TRUING_KL_FIGURE_LENGTH_STD),
    probe_truing_kl_figure_length_std_sample = (int)(TRUING_KL_FIGURE_LENGTH_STD_SAMPLE),
    probe_truing_kl_figure_length_min = (int)(TRUING_KL_FIGURE_LENGTH_MIN),
    probe_truing_kl_figure_length_max = (int)(TRUING_KL_FIGURE_LENGTH_MAX),
    probe_truing_kl_figure_count = (int)(TRUING_KL_FIGURE_COUNT),
    probe_truing_class_mean = (int)(TRUING_CLASS_MEAN),
    probe_truing_class_sum = (int)(TRUING_CLASS_SUM),
    probe_truing_direction_target_to_weights = (int)(TRUING_DIRECTION_TARGET_TO_WEIGHTS),
    probe_truing_direction_weights_to_target = (int)(TRUING_DIRECTION_WEIGHTS_TO_TARGET),
    probe_truing_advantage_grpo = (int)(TRUING_ADVANTAGE_GRPO),
    probe_truing_advantage_grpo_batch_std = (int)(TRUING_ADVANTAGE_GRPO_BATCH_STD),
    probe_truing_advantage_dr_grpo = (int)(TRUING_ADVANTAGE_DR_GRPO),
    probe_truing_advantage_rloo = (int)(TRUING_ADVANTAGE_RLOO),
    probe_truing_advantage_grpo_loo = (int)(TRUING_ADVANTAGE_GRPO_LOO),
    probe_truing_advantage_batch_baseline = (int)(TRUING_ADVANTAGE_BATCH_BASELINE),
    probe_truing_advantage_opo = (int)(TRUING_ADVANTAGE_OPO),
    probe_truing_advantage_gpg = (int)(TRUING_ADVANTAGE_GPG),
    probe_truing_advantage_max_rl = (int)(TRUING_ADVANTAGE_MAX_RL),
    probe_truing_advantage_raw = (int)(TRUING_ADVANTAGE_RAW),
    probe_truing_baseline_none = (int)(TRUING_BASELINE_NONE),
    probe_truing_baseline_group = (int)(TRUING_BASELINE_GROUP),
    probe_truing_baseline_leave_one_out = (int)(TRUING_BASELINE_LEAVE_ONE_OUT),
    probe_truing_baseline_batch = (int)(TRUING_BASELINE_BATCH),
    probe_truing_baseline_length_weighted = (int)(TRUING_BASELINE_LENGTH_WEIGHTED),
    probe_truing_scale_none = (int)(TRUING_SCALE_NONE),
    probe_truing_scale_group_std = (int)(TRUING_SCALE_GROUP_STD),
    probe_truing_scale_batch_std = (int)(TRUING_SCALE_BATCH_STD),
    probe_truing_scale_leave_one_out_std = (int)(TRUING_SCALE_LEAVE_ONE_OUT_STD),
    probe_truing_scale_group_mean = (int)(TRUING_SCALE_GROUP_MEAN),
    probe_truing_scale_nonzero_share = (int)(TRUING_SCALE_NONZERO_SHARE),
    probe_truing_std_unbiased = (int)(TRUING_STD_UNBIASED),
    probe_truing_std_population = (int)(TRUING_STD_POPULATION),
    probe_truing_eps_add = (int)(TRUING_EPS_ADD),
    probe_truing_eps_skip_zero = (int)(TRUING_EPS_SKIP_ZERO),
    probe_truing_eps_variance_add = (int)(TRUING_EPS_VARIANCE_ADD),
    probe_truing_eps_variance_max = (int)(TRUING_EPS_VARIANCE_MAX),
    probe_truing_single_zero = (int)(TRUING_SINGLE_ZERO),
    probe_truing_single_raw = (int)(TRUING_SINGLE_RAW),
    probe_truing_order_sum_first = (int)(TRUING_ORDER_SUM_FIRST),
    probe_truing_order_normalise_first = (int)(TRUING_ORDER_NORMALISE_FIRST),
    probe_truing_batch_step_none = (int)(TRUING_BATCH_STEP_NONE),
    probe_truing_batch_step_standardise = (int)(TRUING_BATCH_STEP_STANDARDISE),
    probe_truing_batch_step_scale = (int)(TRUING_BATCH_STEP_SCALE),
    probe_truing_masks_carry = (int)(TRUING_MASKS_CARRY),
    probe_truing_masks_zero = (int)(TRUING_MASKS_ZERO),
    probe_truing_masks_ignore = (int)(TRUING_MASKS_IGNORE),
    probe_truing_alignment_position = (int)(TRUING_ALIGNMENT_POSITION),
    probe_truing_alignment_live_index = (int)(TRUING_ALIGNMENT_LIVE_INDEX),
    probe_truing_distill_opd = (int)(TRUING_DISTILL_OPD),
    probe_truing_distill_iw_opd = (int)(TRUING_DISTILL_IW_OPD),
    probe_truing_distill_rlsd = (int)(TRUING_DISTILL_RLSD),
    probe_truing_distill_minillm = (int)(TRUING_DISTILL_MINILLM),
    probe_truing_granularity_batch = (int)(TRUING_GRANULARITY_BATCH),
    probe_truing_granularity_sequence = (int)(TRUING_GRANULARITY_SEQUENCE),
    probe_truing_granularity_token = (int)(TRUING_GRANULARITY_TOKEN),
    probe_end
};

static void probe_device(void) {
    S(truing_device);
    F(truing_device, device_type);
    F(truing_device, device_id);
}

static void probe_dtype(void) {
    S(truing_dtype);
    F(truing_dtype, code);
    F(truing_dtype, bits);
    F(truing_dtype, lanes);
}

static void probe_tensor(void) {
    S(truing_tensor);
    F(truing_tensor, data);
    F(truing_tensor, device);
    F(truing_tensor, ndim);
    F(truing_tensor, dtype);
    F(truing_tensor, shape);
    F(truing_tensor, strides);
    F(truing_tensor, byte_offset);
}

static void probe_context_options(void) {
    S(truing_context_options);
    F(truing_context_options, struct_size);
    F(truing_context_options, num_threads);
    F(truing_context_options, flags);
    F(truing_context_options, cuda_cache_dir);
    F(truing_context_options, mode);
    F(truing_context_options, isa_cap);
    F(truing_context_options, reserved);
}

static void probe_param_info(void) {
    S(truing_param_info);
    F(truing_param_info, name);
    F(truing_param_info, description);
    F(truing_param_info, default_value);
    F(truing_param_info, minimum);
    F(truing_param_info, maximum);
    F(truing_param_info, minimum_open);
    F(truing_param_info, maximum_open);
    F(truing_param_info, variant);
    F(truing_param_info, reserved);
}

static void probe_loss_description(void) {
    S(truing_loss_description);
    F(truing_loss_description, struct_size);
    F(truing_loss_description, id);
    F(truing_loss_description, name);
    F(truing_loss_description, formula);
    F(truing_loss_description, source);
    F(truing_loss_description, params);
    F(truing_loss_description, num_params);
    F(truing_loss_description, aliases);
    F(truing_loss_description, num_aliases);
    F(truing_loss_description, inputs);
    F(truing_loss_description, partials);
    F(truing_loss_description, param_partials);
    F(truing_loss_description, kind);
    F(truing_loss_description, preset_of);
    F(truing_loss_description, score_kinds);
    F(truing_loss_description, num_variants);
    F(truing_loss_description, takes_map);
    F(truing_loss_description, levels);
    F(truing_loss_description, param_size);
    F(truing_loss_description, reserved0);
    F(truing_loss_description, variants);
    F(truing_loss_description, reserved);
}

static void probe_transform(void) {
    S(truing_transform);
    F(truing_transform, bias);
    F(truing_transform, row_temperature);
    F(truing_transform, temperature);
    F(truing_transform, logit_scale);
    F(truing_transform, softcap);
    F(truing_transform, n_valid_vocab);
    F(truing_transform, logit_round);
    F(truing_transform, reserved0);
    F(truing_transform, reserved);
}

static void probe_head(void) {
    S(truing_head);
    F(truing_head, hidden);
    F(truing_head, weight);
    F(truing_head, transform);
    F(truing_head, reserved);
}

static void probe_head_grads(void) {
    S(truing_head_grads);
    F(truing_head_grads, grad_hidden_out);
    F(truing_head_grads, grad_weight_out);
    F(truing_head_grads, grad_bias_out);
    F(truing_head_grads, reserved);
}

static void probe_rows(void) {
    S(truing_rows);
    F(truing_rows, target);
    F(truing_rows, mask);
    F(truing_rows, cu_seqlens);
    F(truing_rows, ignore_index);
    F(truing_rows, shift);
    F(truing_rows, reserved);
}

static void probe_shard(void) {
    S(truing_shard);
    F(truing_shard, vocab_start);
    F(truing_shard, vocab_end);
    F(truing_shard, vocab_total);
    F(truing_shard, reserved);
}

static void probe_support(void) {
    S(truing_support);
    F(truing_support, bitmask);
    F(truing_support, ids);
    F(truing_support, id_offsets);
    F(truing_support, top_p);
    F(truing_support, min_p);
    F(truing_support, top_k);
    F(truing_support, kind);
    F(truing_support, preset);
    F(truing_support, ties);
    F(truing_support, top_p_edge);
    F(truing_support, target_outside);
    F(truing_support, reserved0);
    F(truing_support, reserved);
}

static void probe_row_loss(void) {
    S(truing_row_loss);
    F(truing_row_loss, class_weight);
    F(truing_row_loss, external_scale);
    F(truing_row_loss, label_smoothing);
    F(truing_row_loss, z_loss);
    F(truing_row_loss, eaft_alpha);
    F(truing_row_loss, normaliser);
    F(truing_row_loss, smoothing_form);
    F(truing_row_loss, token_scaling);
    F(truing_row_loss, reduction);
    F(truing_row_loss, reserved0);
    F(truing_row_loss, reserved);
}

static void probe_figures(void) {
    S(truing_figures);
    F(truing_figures, out_logprob);
    F(truing_figures, out_lse);
    F(truing_figures, out_max);
    F(truing_figures, out_argmax);
    F(truing_figures, out_entropy);
    F(truing_figures, out_log_sum_sq);
    F(truing_figures, out_mean_logit);
    F(truing_figures, out_is_top1);
    F(truing_figures, out_rank);
    F(truing_figures, out_ties);
    F(truing_figures, out_topk_ids);
    F(truing_figures, out_topk_logprobs);
    F(truing_figures, out_topk_entropy);
    F(truing_figures, extra_ids);
    F(truing_figures, out_extra_logprobs);
    F(truing_figures, out_lse_support);
    F(truing_figures, out_log_kept_mass);
    F(truing_figures, out_support_size);
    F(truing_figures, out_support_bitmask);
    F(truing_figures, out_support_ids);
    F(truing_figures, out_token_scale);
    F(truing_figures, out_row_loss);
    F(truing_figures, out_loss);
    F(truing_figures, out_stats);
    F(truing_figures, out_status);
    F(truing_figures, out_counters);
    F(truing_figures, entropy_k);
    F(truing_figures, reserved);
}

static void probe_row_upstream(void) {
    S(truing_row_upstream);
    F(truing_row_upstream, grad_logprob);
    F(truing_row_upstream, grad_lse);
    F(truing_row_upstream, grad_entropy);
    F(truing_row_upstream, grad_extra);
    F(truing_row_upstream, grad_row_loss);
    F(truing_row_upstream, grad_loss);
    F(truing_row_upstream, extra_ids);
    F(truing_row_upstream, grad_scale);
    F(truing_row_upstream, reserved);
}

static void probe_logprob_forward_args(void) {
    S(truing_logprob_forward_args);
    F(truing_logprob_forward_args, struct_size);
    F(truing_logprob_forward_args, reserved_head);
    F(truing_logprob_forward_args, context);
    F(truing_logprob_forward_args, flags);
    F(truing_logprob_forward_args, stream);
    F(truing_logprob_forward_args, workspace);
    F(truing_logprob_forward_args, workspace_size);
    F(truing_logprob_forward_args, logits);
    F(truing_logprob_forward_args, transform);
    F(truing_logprob_forward_args, rows);
    F(truing_logprob_forward_args, support);
    F(truing_logprob_forward_args, row_loss);
    F(truing_logprob_forward_args, figures);
    F(truing_logprob_forward_args, grad_logits_out);
    F(truing_logprob_forward_args, grad_bias_out);
    F(truing_logprob_forward_args, grad_loss);
    F(truing_logprob_forward_args, grad_scale);
    F(truing_logprob_forward_args, reserved);
}

static void probe_logprob_backward_args(void) {
    S(truing_logprob_backward_args);
    F(truing_logprob_backward_args, struct_size);
    F(truing_logprob_backward_args, reserved_head);
    F(truing_logprob_backward_args, context);
    F(truing_logprob_backward_args, flags);
    F(truing_logprob_backward_args, stream);
    F(truing_logprob_backward_args, workspace);
    F(truing_logprob_backward_args, workspace_size);
    F(truing_logprob_backward_args, logits);
    F(truing_logprob_backward_args, transform);
    F(truing_logprob_backward_args, rows);
    F(truing_logprob_backward_args, support);
    F(truing_logprob_backward_args, row_loss);
    F(truing_logprob_backward_args, shard);
    F(truing_logprob_backward_args, stats);
    F(truing_logprob_backward_args, upstream);
    F(truing_logprob_backward_args, grad_logits_out);
    F(truing_logprob_backward_args, grad_bias_out);
    F(truing_logprob_backward_args, out_status);
    F(truing_logprob_backward_args, reserved);
}

static void probe_logprob_local_args(void) {
    S(truing_logprob_local_args);
    F(truing_logprob_local_args, struct_size);
    F(truing_logprob_local_args, reserved_head);
    F(truing_logprob_local_args, context);
    F(truing_logprob_local_args, flags);
    F(truing_logprob_local_args, stream);
    F(truing_logprob_local_args, workspace);
    F(truing_logprob_local_args, workspace_size);
    F(truing_logprob_local_args, logits);
    F(truing_logprob_local_args, transform);
    F(truing_logprob_local_args, rows);
    F(truing_logprob_local_args, support);
    F(truing_logprob_local_args, row_loss);
    F(truing_logprob_local_args, shard);
    F(truing_logprob_local_args, stats);
    F(truing_logprob_local_args, extra_ids);
    F(truing_logprob_local_args, out_records);
    F(truing_logprob_local_args, out_support_records);
    F(truing_logprob_local_args, out_topk_ids);
    F(truing_logprob_local_args, out_topk_logits);
    F(truing_logprob_local_args, out_extra_logits);
    F(truing_logprob_local_args, out_counts);
    F(truing_logprob_local_args, out_status);
    F(truing_logprob_local_args, local_pass);
    F(truing_logprob_local_args, reserved0);
    F(truing_logprob_local_args, reserved);
}

static void probe_logprob_finish_args(void) {
    S(truing_logprob_finish_args);
    F(truing_logprob_finish_args, struct_size);
    F(truing_logprob_finish_args, reserved_head);
    F(truing_logprob_finish_args, context);
    F(truing_logprob_finish_args, flags);
    F(truing_logprob_finish_args, stream);
    F(truing_logprob_finish_args, workspace);
    F(truing_logprob_finish_args, workspace_size);
    F(truing_logprob_finish_args, records);
    F(truing_logprob_finish_args, support_records);
    F(truing_logprob_finish_args, shard_starts);
    F(truing_logprob_finish_args, topk_ids);
    F(truing_logprob_finish_args, topk_logits);
    F(truing_logprob_finish_args, extra_logits);
    F(truing_logprob_finish_args, counts);
    F(truing_logprob_finish_args, transform);
    F(truing_logprob_finish_args, rows);
    F(truing_logprob_finish_args, row_loss);
    F(truing_logprob_finish_args, figures);
    F(truing_logprob_finish_args, reserved);
}

static void probe_linear_logprob_forward_args(void) {
    S(truing_linear_logprob_forward_args);
    F(truing_linear_logprob_forward_args, struct_size);
    F(truing_linear_logprob_forward_args, reserved_head);
    F(truing_linear_logprob_forward_args, context);
    F(truing_linear_logprob_forward_args, flags);
    F(truing_linear_logprob_forward_args, stream);
    F(truing_linear_logprob_forward_args, workspace);
    F(truing_linear_logprob_forward_args, workspace_size);
    F(truing_linear_logprob_forward_args, head);
    F(truing_linear_logprob_forward_args, rows);
    F(truing_linear_logprob_forward_args, support);
    F(truing_linear_logprob_forward_args, row_loss);
    F(truing_linear_logprob_forward_args, figures);
    F(truing_linear_logprob_forward_args, grads);
    F(truing_linear_logprob_forward_args, grad_loss);
    F(truing_linear_logprob_forward_args, grad_scale);
    F(truing_linear_logprob_forward_args, reserved);
}

static void probe_linear_logprob_backward_args(void) {
    S(truing_linear_logprob_backward_args);
    F(truing_linear_logprob_backward_args, struct_size);
    F(truing_linear_logprob_backward_args, reserved_head);
    F(truing_linear_logprob_backward_args, context);
    F(truing_linear_logprob_backward_args, flags);
    F(truing_linear_logprob_backward_args, stream);
    F(truing_linear_logprob_backward_args, workspace);
    F(truing_linear_logprob_backward_args, workspace_size);
    F(truing_linear_logprob_backward_args, head);
    F(truing_linear_logprob_backward_args, rows);
    F(truing_linear_logprob_backward_args, support);
    F(truing_linear_logprob_backward_args, row_loss);
    F(truing_linear_logprob_backward_args, shard);
    F(truing_linear_logprob_backward_args, stats);
    F(truing_linear_logprob_backward_args, upstream);
    F(truing_linear_logprob_backward_args, grads);
    F(truing_linear_logprob_backward_args, out_status);
    F(truing_linear_logprob_backward_args, reserved);
}

static void probe_linear_logprob_local_args(void) {
    S(truing_linear_logprob_local_args);
    F(truing_linear_logprob_local_args, struct_size);
    F(truing_linear_logprob_local_args, reserved_head);
    F(truing_linear_logprob_local_args, context);
    F(truing_linear_logprob_local_args, flags);
    F(truing_linear_logprob_local_args, stream);
    F(truing_linear_logprob_local_args, workspace);
    F(truing_linear_logprob_local_args, workspace_size);
    F(truing_linear_logprob_local_args, head);
    F(truing_linear_logprob_local_args, rows);
    F(truing_linear_logprob_local_args, support);
    F(truing_linear_logprob_local_args, row_loss);
    F(truing_linear_logprob_local_args, shard);
    F(truing_linear_logprob_local_args, stats);
    F(truing_linear_logprob_local_args, extra_ids);
    F(truing_linear_logprob_local_args, out_records);
    F(truing_linear_logprob_local_args, out_support_records);
    F(truing_linear_logprob_local_args, out_topk_ids);
    F(truing_linear_logprob_local_args, out_topk_logits);
    F(truing_linear_logprob_local_args, out_extra_logits);
    F(truing_linear_logprob_local_args, out_counts);
    F(truing_linear_logprob_local_args, out_status);
    F(truing_linear_logprob_local_args, local_pass);
    F(truing_linear_logprob_local_args, reserved0);
    F(truing_linear_logprob_local_args, reserved);
}

static void probe_support_mask_args(void) {
    S(truing_support_mask_args);
    F(truing_support_mask_args, struct_size);
    F(truing_support_mask_args, reserved_head);
    F(truing_support_mask_args, context);
    F(truing_support_mask_args, flags);
    F(truing_support_mask_args, stream);
    F(truing_support_mask_args, workspace);
    F(truing_support_mask_args, workspace_size);
    F(truing_support_mask_args, logits);
    F(truing_support_mask_args, transform);
    F(truing_support_mask_args, rows);
    F(truing_support_mask_args, support);
    F(truing_support_mask_args, out_bitmask);
    F(truing_support_mask_args, out_ids);
    F(truing_support_mask_args, out_size);
    F(truing_support_mask_args, out_status);
    F(truing_support_mask_args, reserved);
}

static void probe_tds_rows_args(void) {
    S(truing_tds_rows_args);
    F(truing_tds_rows_args, struct_size);
    F(truing_tds_rows_args, reserved_head);
    F(truing_tds_rows_args, context);
    F(truing_tds_rows_args, flags);
    F(truing_tds_rows_args, stream);
    F(truing_tds_rows_args, workspace);
    F(truing_tds_rows_args, workspace_size);
    F(truing_tds_rows_args, base);
    F(truing_tds_rows_args, aligned);
    F(truing_tds_rows_args, base_transform);
    F(truing_tds_rows_args, aligned_transform);
    F(truing_tds_rows_args, rows);
    F(truing_tds_rows_args, out_rank);
    F(truing_tds_rows_args, out_ties);
    F(truing_tds_rows_args, out_eta);
    F(truing_tds_rows_args, out_eta_max);
    F(truing_tds_rows_args, out_logp_base);
    F(truing_tds_rows_args, out_logp_aligned);
    F(truing_tds_rows_args, out_kl_aligned_base);
    F(truing_tds_rows_args, out_kl_base_aligned);
    F(truing_tds_rows_args, out_class);
    F(truing_tds_rows_args, out_counts);
    F(truing_tds_rows_args, out_status);
    F(truing_tds_rows_args, reserved);
}

static void probe_score(void) {
    S(truing_score);
    F(truing_score, token_weights);
    F(truing_score, ld_prefix);
    F(truing_score, ld_alpha);
    F(truing_score, clamp_low);
    F(truing_score, clamp_high);
    F(truing_score, normaliser);
    F(truing_score, kind);
    F(truing_score, divisor);
    F(truing_score, reserved);
}

static void probe_sequence_forward_args(void) {
    S(truing_sequence_forward_args);
    F(truing_sequence_forward_args, struct_size);
    F(truing_sequence_forward_args, reserved_head);
    F(truing_sequence_forward_args, context);
    F(truing_sequence_forward_args, flags);
    F(truing_sequence_forward_args, stream);
    F(truing_sequence_forward_args, workspace);
    F(truing_sequence_forward_args, workspace_size);
    F(truing_sequence_forward_args, logps);
    F(truing_sequence_forward_args, ref_logps);
    F(truing_sequence_forward_args, mask);
    F(truing_sequence_forward_args, cu_seqlens);
    F(truing_sequence_forward_args, score);
    F(truing_sequence_forward_args, out_scores);
    F(truing_sequence_forward_args, out_counts);
    F(truing_sequence_forward_args, out_first);
    F(truing_sequence_forward_args, out_last);
    F(truing_sequence_forward_args, out_status);
    F(truing_sequence_forward_args, out_counters);
    F(truing_sequence_forward_args, reserved);
}

static void probe_sequence_backward_args(void) {
    S(truing_sequence_backward_args);
    F(truing_sequence_backward_args, struct_size);
    F(truing_sequence_backward_args, reserved_head);
    F(truing_sequence_backward_args, context);
    F(truing_sequence_backward_args, flags);
    F(truing_sequence_backward_args, stream);
    F(truing_sequence_backward_args, workspace);
    F(truing_sequence_backward_args, workspace_size);
    F(truing_sequence_backward_args, logps);
    F(truing_sequence_backward_args, ref_logps);
    F(truing_sequence_backward_args, mask);
    F(truing_sequence_backward_args, cu_seqlens);
    F(truing_sequence_backward_args, score);
    F(truing_sequence_backward_args, grad_scores);
    F(truing_sequence_backward_args, grad_output);
    F(truing_sequence_backward_args, grad_logps_out);
    F(truing_sequence_backward_args, grad_ref_logps_out);
    F(truing_sequence_backward_args, grad_scale);
    F(truing_sequence_backward_args, reserved);
}

static void probe_loss(void) {
    S(truing_loss);
    F(truing_loss, id);
    F(truing_loss, variant);
    F(truing_loss, params);
    F(truing_loss, num_params);
    F(truing_loss, weight);
    F(truing_loss, normaliser);
    F(truing_loss, map_alpha);
    F(truing_loss, map_max_exponent);
    F(truing_loss, map);
    F(truing_loss, reduction);
    F(truing_loss, score_kind);
    F(truing_loss, flags);
    F(truing_loss, reserved);
}

static void probe_groups(void) {
    S(truing_groups);
    F(truing_groups, chosen_seq);
    F(truing_groups, rejected_seq);
    F(truing_groups, anchor_seq);
    F(truing_groups, list_offsets);
    F(truing_groups, member_seq);
    F(truing_groups, list_targets);
    F(truing_groups, item_mask);
    F(truing_groups, item_weight);
    F(truing_groups, item_beta);
    F(truing_groups, margin_chosen);
    F(truing_groups, margin_rejected);
    F(truing_groups, label);
    F(truing_groups, baseline);
    F(truing_groups, shift);
    F(truing_groups, layout);
    F(truing_groups, reserved0);
    F(truing_groups, reserved);
}

static void probe_item_outputs(void) {
    S(truing_item_outputs);
    F(truing_item_outputs, out_losses);
    F(truing_item_outputs, out_reward_chosen);
    F(truing_item_outputs, out_reward_rejected);
    F(truing_item_outputs, grad_margin_out);
    F(truing_item_outputs, grad_margin_chosen_out);
    F(truing_item_outputs, grad_margin_rejected_out);
    F(truing_item_outputs, grad_baseline_out);
    F(truing_item_outputs, grad_params_out);
    F(truing_item_outputs, out_aux);
    F(truing_item_outputs, out_statistics);
    F(truing_item_outputs, out_status);
    F(truing_item_outputs, reserved);
}

static void probe_preference_outputs(void) {
    S(truing_preference_outputs);
    F(truing_preference_outputs, out_loss);
    F(truing_preference_outputs, grad_scores_out);
    F(truing_preference_outputs, grad_kl_out);
    F(truing_preference_outputs, out_counters);
    F(truing_preference_outputs, reserved);
}

static void probe_preference_term(void) {
    S(truing_preference_term);
    F(truing_preference_term, loss);
    F(truing_preference_term, reserved);
}

static void probe_preference_forward_args(void) {
    S(truing_preference_forward_args);
    F(truing_preference_forward_args, struct_size);
    F(truing_preference_forward_args, reserved_head);
    F(truing_preference_forward_args, context);
    F(truing_preference_forward_args, flags);
    F(truing_preference_forward_args, stream);
    F(truing_preference_forward_args, workspace);
    F(truing_preference_forward_args, workspace_size);
    F(truing_preference_forward_args, scores);
    F(truing_preference_forward_args, ref_scores);
    F(truing_preference_forward_args, lengths);
    F(truing_preference_forward_args, kl);
    F(truing_preference_forward_args, groups);
    F(truing_preference_forward_args, loss);
    F(truing_preference_forward_args, extra_terms);
    F(truing_preference_forward_args, num_extra_terms);
    F(truing_preference_forward_args, grad_output);
    F(truing_preference_forward_args, grad_scale);
    F(truing_preference_forward_args, score_kind);
    F(truing_preference_forward_args, extra_term_size);
    F(truing_preference_forward_args, items);
    F(truing_preference_forward_args, outputs);
    F(truing_preference_forward_args, reserved);
}

static void probe_side_term(void) {
    S(truing_side_term);
    F(truing_side_term, mask);
    F(truing_side_term, coef);
    F(truing_side_term, normaliser);
    F(truing_side_term, divisor);
    F(truing_side_term, scope);
    F(truing_side_term, divergence);
    F(truing_side_term, reserved0);
    F(truing_side_term, reserved);
}

static void probe_linear_preference_args(void) {
    S(truing_linear_preference_args);
    F(truing_linear_preference_args, struct_size);
    F(truing_linear_preference_args, reserved_head);
    F(truing_linear_preference_args, context);
    F(truing_linear_preference_args, flags);
    F(truing_linear_preference_args, stream);
    F(truing_linear_preference_args, workspace);
    F(truing_linear_preference_args, workspace_size);
    F(truing_linear_preference_args, head);
    F(truing_linear_preference_args, ref_head);
    F(truing_linear_preference_args, rows);
    F(truing_linear_preference_args, support);
    F(truing_linear_preference_args, score);
    F(truing_linear_preference_args, ref_logps);
    F(truing_linear_preference_args, ref_scores);
    F(truing_linear_preference_args, groups);
    F(truing_linear_preference_args, loss);
    F(truing_linear_preference_args, extra_terms);
    F(truing_linear_preference_args, num_extra_terms);
    F(truing_linear_preference_args, side_term);
    F(truing_linear_preference_args, score_coefficients);
    F(truing_linear_preference_args, kl_coefficients);
    F(truing_linear_preference_args, stats);
    F(truing_linear_preference_args, pair_stats);
    F(truing_linear_preference_args, grad_output);
    F(truing_linear_preference_args, grad_scale);
    F(truing_linear_preference_args, phase);
    F(truing_linear_preference_args, wpo);
    F(truing_linear_preference_args, extra_term_size);
    F(truing_linear_preference_args, reserved0);
    F(truing_linear_preference_args, grads);
    F(truing_linear_preference_args, out_logps);
    F(truing_linear_preference_args, out_scores);
    F(truing_linear_preference_args, out_ref_scores);
    F(truing_linear_preference_args, out_kl);
    F(truing_linear_preference_args, out_counts);
    F(truing_linear_preference_args, out_side_term);
    F(truing_linear_preference_args, out_stats);
    F(truing_linear_preference_args, out_pair_stats);
    F(truing_linear_preference_args, out_row_status);
    F(truing_linear_preference_args, items);
    F(truing_linear_preference_args, outputs);
    F(truing_linear_preference_args, reserved);
}

static void probe_aggregate(void) {
    S(truing_aggregate);
    F(truing_aggregate, normaliser);
    F(truing_aggregate, max_length);
    F(truing_aggregate, mode);
    F(truing_aggregate, count_empty);
    F(truing_aggregate, denominator);
    F(truing_aggregate, reserved0);
    F(truing_aggregate, reserved);
}

static void probe_estimator(void) {
    S(truing_estimator);
    F(truing_estimator, id);
    F(truing_estimator, weight);
    F(truing_estimator, gradient);
    F(truing_estimator, input_clamp_mode);
    F(truing_estimator, ratio_source);
    F(truing_estimator, stage);
    F(truing_estimator, divergence);
    F(truing_estimator, reserved0);
    F(truing_estimator, coef);
    F(truing_estimator, input_clamp);
    F(truing_estimator, output_clamp);
    F(truing_estimator, ratio_max);
    F(truing_estimator, reserved);
}

static void probe_policy_term(void) {
    S(truing_policy_term);
    F(truing_policy_term, loss);
    F(truing_policy_term, old);
    F(truing_policy_term, ref);
    F(truing_policy_term, advantage);
    F(truing_policy_term, flag);
    F(truing_policy_term, mask);
    F(truing_policy_term, token_weights);
    F(truing_policy_term, aggregate);
    F(truing_policy_term, level);
    F(truing_policy_term, reserved0);
    F(truing_policy_term, reserved);
}

static void probe_policy_inputs(void) {
    S(truing_policy_inputs);
    F(truing_policy_inputs, old);
    F(truing_policy_inputs, ref);
    F(truing_policy_inputs, sampler);
    F(truing_policy_inputs, kl_ref);
    F(truing_policy_inputs, advantage);
    F(truing_policy_inputs, flag);
    F(truing_policy_inputs, log_z);
    F(truing_policy_inputs, mask);
    F(truing_policy_inputs, keep);
    F(truing_policy_inputs, sequence_keep);
    F(truing_policy_inputs, entropy_mask);
    F(truing_policy_inputs, kl_mask);
    F(truing_policy_inputs, token_weights);
    F(truing_policy_inputs, importance_weight);
    F(truing_policy_inputs, cu_seqlens);
    F(truing_policy_inputs, group_offsets);
    F(truing_policy_inputs, loss);
    F(truing_policy_inputs, kl);
    F(truing_policy_inputs, aggregate);
    F(truing_policy_inputs, entropy_aggregate);
    F(truing_policy_inputs, extra_terms);
    F(truing_policy_inputs, num_extra_terms);
    F(truing_policy_inputs, entropy_coef);
    F(truing_policy_inputs, level);
    F(truing_policy_inputs, extra_term_size);
    F(truing_policy_inputs, advantage_level);
    F(truing_policy_inputs, reserved0);
    F(truing_policy_inputs, reserved);
}

static void probe_policy_outputs(void) {
    S(truing_policy_outputs);
    F(truing_policy_outputs, out_loss);
    F(truing_policy_outputs, out_values);
    F(truing_policy_outputs, out_kl);
    F(truing_policy_outputs, out_terms);
    F(truing_policy_outputs, grad_log_z_out);
    F(truing_policy_outputs, out_statistics);
    F(truing_policy_outputs, out_token_status);
    F(truing_policy_outputs, out_sequence_status);
    F(truing_policy_outputs, out_counters);
    F(truing_policy_outputs, reserved);
}

static void probe_policy_forward_args(void) {
    S(truing_policy_forward_args);
    F(truing_policy_forward_args, struct_size);
    F(truing_policy_forward_args, reserved_head);
    F(truing_policy_forward_args, context);
    F(truing_policy_forward_args, flags);
    F(truing_policy_forward_args, stream);
    F(truing_policy_forward_args, workspace);
    F(truing_policy_forward_args, workspace_size);
    F(truing_policy_forward_args, logps);
    F(truing_policy_forward_args, entropy);
    F(truing_policy_forward_args, topk_entropy);
    F(truing_policy_forward_args, inputs);
    F(truing_policy_forward_args, grad_output);
    F(truing_policy_forward_args, grad_scale);
    F(truing_policy_forward_args, outputs);
    F(truing_policy_forward_args, grad_logps_out);
    F(truing_policy_forward_args, grad_entropy_out);
    F(truing_policy_forward_args, kl);
    F(truing_policy_forward_args, grad_kl_out);
    F(truing_policy_forward_args, reserved);
}

static void probe_linear_policy_args(void) {
    S(truing_linear_policy_args);
    F(truing_linear_policy_args, struct_size);
    F(truing_linear_policy_args, reserved_head);
    F(truing_linear_policy_args, context);
    F(truing_linear_policy_args, flags);
    F(truing_linear_policy_args, stream);
    F(truing_linear_policy_args, workspace);
    F(truing_linear_policy_args, workspace_size);
    F(truing_linear_policy_args, head);
    F(truing_linear_policy_args, ref_head);
    F(truing_linear_policy_args, rows);
    F(truing_linear_policy_args, support);
    F(truing_linear_policy_args, inputs);
    F(truing_linear_policy_args, logp_coefficients);
    F(truing_linear_policy_args, entropy_coefficients);
    F(truing_linear_policy_args, kl_coefficients);
    F(truing_linear_policy_args, stats);
    F(truing_linear_policy_args, pair_stats);
    F(truing_linear_policy_args, grad_output);
    F(truing_linear_policy_args, grad_scale);
    F(truing_linear_policy_args, phase);
    F(truing_linear_policy_args, reserved0);
    F(truing_linear_policy_args, grads);
    F(truing_linear_policy_args, outputs);
    F(truing_linear_policy_args, out_logps);
    F(truing_linear_policy_args, out_entropy);
    F(truing_linear_policy_args, out_log_sum_sq);
    F(truing_linear_policy_args, out_stats);
    F(truing_linear_policy_args, out_pair_stats);
    F(truing_linear_policy_args, reserved);
}

static void probe_partial(void) {
    S(truing_partial);
    F(truing_partial, ids);
    F(truing_partial, teacher_values);
    F(truing_partial, teacher_lse);
    F(truing_partial, reference);
    F(truing_partial, k);
    F(truing_partial, tail_floor);
    F(truing_partial, outside_logprob);
    F(truing_partial, log_prob_floor);
    F(truing_partial, value_clamp);
    F(truing_partial, support);
    F(truing_partial, outside);
    F(truing_partial, reserved);
}

static void probe_divergence_options(void) {
    S(truing_divergence_options);
    F(truing_divergence_options, params);
    F(truing_divergence_options, num_params);
    F(truing_divergence_options, hard_weight);
    F(truing_divergence_options, soft_weight);
    F(truing_divergence_options, teacher_target_shift);
    F(truing_divergence_options, kind);
    F(truing_divergence_options, limits);
    F(truing_divergence_options, teacher_form);
    F(truing_divergence_options, hard_scaling);
    F(truing_divergence_options, aggregate);
    F(truing_divergence_options, reserved);
}

static void probe_divergence_outputs(void) {
    S(truing_divergence_outputs);
    F(truing_divergence_outputs, out_values);
    F(truing_divergence_outputs, out_loss);
    F(truing_divergence_outputs, out_student_entropy);
    F(truing_divergence_outputs, out_teacher_entropy);
    F(truing_divergence_outputs, out_cross_entropy);
    F(truing_divergence_outputs, out_reverse_cross_entropy);
    F(truing_divergence_outputs, out_student_logprob);
    F(truing_divergence_outputs, out_teacher_logprob);
    F(truing_divergence_outputs, out_student_rank);
    F(truing_divergence_outputs, out_teacher_rank);
    F(truing_divergence_outputs, out_student_mass);
    F(truing_divergence_outputs, out_teacher_mass);
    F(truing_divergence_outputs, out_overlap);
    F(truing_divergence_outputs, out_overlap_sum);
    F(truing_divergence_outputs, out_support_ids);
    F(truing_divergence_outputs, out_stats);
    F(truing_divergence_outputs, out_status);
    F(truing_divergence_outputs, out_counters);
    F(truing_divergence_outputs, reserved);
}

static void probe_divergence_forward_args(void) {
    S(truing_divergence_forward_args);
    F(truing_divergence_forward_args, struct_size);
    F(truing_divergence_forward_args, reserved_head);
    F(truing_divergence_forward_args, context);
    F(truing_divergence_forward_args, flags);
    F(truing_divergence_forward_args, stream);
    F(truing_divergence_forward_args, workspace);
    F(truing_divergence_forward_args, workspace_size);
    F(truing_divergence_forward_args, student);
    F(truing_divergence_forward_args, teacher);
    F(truing_divergence_forward_args, student_transform);
    F(truing_divergence_forward_args, teacher_transform);
    F(truing_divergence_forward_args, rows);
    F(truing_divergence_forward_args, row_weight);
    F(truing_divergence_forward_args, options);
    F(truing_divergence_forward_args, partial);
    F(truing_divergence_forward_args, outputs);
    F(truing_divergence_forward_args, grad_student_out);
    F(truing_divergence_forward_args, grad_teacher_out);
    F(truing_divergence_forward_args, grad_loss);
    F(truing_divergence_forward_args, grad_scale);
    F(truing_divergence_forward_args, reserved);
}

static void probe_divergence_backward_args(void) {
    S(truing_divergence_backward_args);
    F(truing_divergence_backward_args, struct_size);
    F(truing_divergence_backward_args, reserved_head);
    F(truing_divergence_backward_args, context);
    F(truing_divergence_backward_args, flags);
    F(truing_divergence_backward_args, stream);
    F(truing_divergence_backward_args, workspace);
    F(truing_divergence_backward_args, workspace_size);
    F(truing_divergence_backward_args, student);
    F(truing_divergence_backward_args, teacher);
    F(truing_divergence_backward_args, student_transform);
    F(truing_divergence_backward_args, teacher_transform);
    F(truing_divergence_backward_args, rows);
    F(truing_divergence_backward_args, row_weight);
    F(truing_divergence_backward_args, options);
    F(truing_divergence_backward_args, partial);
    F(truing_divergence_backward_args, shard);
    F(truing_divergence_backward_args, stats);
    F(truing_divergence_backward_args, grad_values);
    F(truing_divergence_backward_args, grad_loss);
    F(truing_divergence_backward_args, grad_student_logprob);
    F(truing_divergence_backward_args, grad_scale);
    F(truing_divergence_backward_args, grad_student_out);
    F(truing_divergence_backward_args, grad_teacher_out);
    F(truing_divergence_backward_args, out_status);
    F(truing_divergence_backward_args, reserved);
}

static void probe_divergence_local_args(void) {
    S(truing_divergence_local_args);
    F(truing_divergence_local_args, struct_size);
    F(truing_divergence_local_args, reserved_head);
    F(truing_divergence_local_args, context);
    F(truing_divergence_local_args, flags);
    F(truing_divergence_local_args, stream);
    F(truing_divergence_local_args, workspace);
    F(truing_divergence_local_args, workspace_size);
    F(truing_divergence_local_args, student);
    F(truing_divergence_local_args, teacher);
    F(truing_divergence_local_args, student_transform);
    F(truing_divergence_local_args, teacher_transform);
    F(truing_divergence_local_args, rows);
    F(truing_divergence_local_args, row_weight);
    F(truing_divergence_local_args, options);
    F(truing_divergence_local_args, partial);
    F(truing_divergence_local_args, shard);
    F(truing_divergence_local_args, stats);
    F(truing_divergence_local_args, out_records);
    F(truing_divergence_local_args, out_student_at_ids);
    F(truing_divergence_local_args, out_teacher_at_ids);
    F(truing_divergence_local_args, out_status);
    F(truing_divergence_local_args, local_pass);
    F(truing_divergence_local_args, reserved0);
    F(truing_divergence_local_args, reserved);
}

static void probe_divergence_finish_args(void) {
    S(truing_divergence_finish_args);
    F(truing_divergence_finish_args, struct_size);
    F(truing_divergence_finish_args, reserved_head);
    F(truing_divergence_finish_args, context);
    F(truing_divergence_finish_args, flags);
    F(truing_divergence_finish_args, stream);
    F(truing_divergence_finish_args, workspace);
    F(truing_divergence_finish_args, workspace_size);
    F(truing_divergence_finish_args, records);
    F(truing_divergence_finish_args, student_at_ids);
    F(truing_divergence_finish_args, teacher_at_ids);
    F(truing_divergence_finish_args, shard_starts);
    F(truing_divergence_finish_args, rows);
    F(truing_divergence_finish_args, row_weight);
    F(truing_divergence_finish_args, options);
    F(truing_divergence_finish_args, partial);
    F(truing_divergence_finish_args, outputs);
    F(truing_divergence_finish_args, local_pass);
    F(truing_divergence_finish_args, reserved0);
    F(truing_divergence_finish_args, reserved);
}

static void probe_linear_divergence_args(void) {
    S(truing_linear_divergence_args);
    F(truing_linear_divergence_args, struct_size);
    F(truing_linear_divergence_args, reserved_head);
    F(truing_linear_divergence_args, context);
    F(truing_linear_divergence_args, flags);
    F(truing_linear_divergence_args, stream);
    F(truing_linear_divergence_args, workspace);
    F(truing_linear_divergence_args, workspace_size);
    F(truing_linear_divergence_args, student);
    F(truing_linear_divergence_args, teacher);
    F(truing_linear_divergence_args, teacher_rows);
    F(truing_linear_divergence_args, teacher_transform);
    F(truing_linear_divergence_args, rows);
    F(truing_linear_divergence_args, row_weight);
    F(truing_linear_divergence_args, options);
    F(truing_linear_divergence_args, partial);
    F(truing_linear_divergence_args, shard);
    F(truing_linear_divergence_args, outputs);
    F(truing_linear_divergence_args, grad_values);
    F(truing_linear_divergence_args, grad_loss);
    F(truing_linear_divergence_args, grad_student_logprob);
    F(truing_linear_divergence_args, stats);
    F(truing_linear_divergence_args, grad_scale);
    F(truing_linear_divergence_args, phase);
    F(truing_linear_divergence_args, reserved0);
    F(truing_linear_divergence_args, student_grads);
    F(truing_linear_divergence_args, teacher_grads);
    F(truing_linear_divergence_args, reserved);
}

static void probe_linear_divergence_local_args(void) {
    S(truing_linear_divergence_local_args);
    F(truing_linear_divergence_local_args, struct_size);
    F(truing_linear_divergence_local_args, reserved_head);
    F(truing_linear_divergence_local_args, context);
    F(truing_linear_divergence_local_args, flags);
    F(truing_linear_divergence_local_args, stream);
    F(truing_linear_divergence_local_args, workspace);
    F(truing_linear_divergence_local_args, workspace_size);
    F(truing_linear_divergence_local_args, student);
    F(truing_linear_divergence_local_args, teacher);
    F(truing_linear_divergence_local_args, rows);
    F(truing_linear_divergence_local_args, row_weight);
    F(truing_linear_divergence_local_args, options);
    F(truing_linear_divergence_local_args, partial);
    F(truing_linear_divergence_local_args, shard);
    F(truing_linear_divergence_local_args, stats);
    F(truing_linear_divergence_local_args, out_records);
    F(truing_linear_divergence_local_args, out_student_at_ids);
    F(truing_linear_divergence_local_args, out_teacher_at_ids);
    F(truing_linear_divergence_local_args, out_status);
    F(truing_linear_divergence_local_args, local_pass);
    F(truing_linear_divergence_local_args, reserved0);
    F(truing_linear_divergence_local_args, reserved);
}

static void probe_sequence_kl_args(void) {
    S(truing_sequence_kl_args);
    F(truing_sequence_kl_args, struct_size);
    F(truing_sequence_kl_args, reserved_head);
    F(truing_sequence_kl_args, context);
    F(truing_sequence_kl_args, flags);
    F(truing_sequence_kl_args, stream);
    F(truing_sequence_kl_args, workspace);
    F(truing_sequence_kl_args, workspace_size);
    F(truing_sequence_kl_args, policy);
    F(truing_sequence_kl_args, ref);
    F(truing_sequence_kl_args, policy_transform);
    F(truing_sequence_kl_args, ref_transform);
    F(truing_sequence_kl_args, rows);
    F(truing_sequence_kl_args, grad_log_ratio);
    F(truing_sequence_kl_args, grad_kl);
    F(truing_sequence_kl_args, stats);
    F(truing_sequence_kl_args, out_log_ratio);
    F(truing_sequence_kl_args, out_kl);
    F(truing_sequence_kl_args, out_counts);
    F(truing_sequence_kl_args, out_stats);
    F(truing_sequence_kl_args, out_status);
    F(truing_sequence_kl_args, grad_policy_out);
    F(truing_sequence_kl_args, reserved);
}

static void probe_kto_baseline_args(void) {
    S(truing_kto_baseline_args);
    F(truing_kto_baseline_args, struct_size);
    F(truing_kto_baseline_args, reserved_head);
    F(truing_kto_baseline_args, context);
    F(truing_kto_baseline_args, flags);
    F(truing_kto_baseline_args, stream);
    F(truing_kto_baseline_args, workspace);
    F(truing_kto_baseline_args, workspace_size);
    F(truing_kto_baseline_args, scores);
    F(truing_kto_baseline_args, ref_scores);
    F(truing_kto_baseline_args, mask);
    F(truing_kto_baseline_args, nonzero_only);
    F(truing_kto_baseline_args, reserved0);
    F(truing_kto_baseline_args, out_sum);
    F(truing_kto_baseline_args, out_count);
    F(truing_kto_baseline_args, out_nonzero);
    F(truing_kto_baseline_args, out_baseline);
    F(truing_kto_baseline_args, reserved);
}

static void probe_bco_shift_args(void) {
    S(truing_bco_shift_args);
    F(truing_bco_shift_args, struct_size);
    F(truing_bco_shift_args, reserved_head);
    F(truing_bco_shift_args, context);
    F(truing_bco_shift_args, flags);
    F(truing_bco_shift_args, stream);
    F(truing_bco_shift_args, workspace);
    F(truing_bco_shift_args, workspace_size);
    F(truing_bco_shift_args, rewards);
    F(truing_bco_shift_args, label);
    F(truing_bco_shift_args, mask);
    F(truing_bco_shift_args, state);
    F(truing_bco_shift_args, mode);
    F(truing_bco_shift_args, reserved0);
    F(truing_bco_shift_args, out_shift);
    F(truing_bco_shift_args, out_state);
    F(truing_bco_shift_args, out_status);
    F(truing_bco_shift_args, rate);
    F(truing_bco_shift_args, reserved);
}

static void probe_aot_sort_args(void) {
    S(truing_aot_sort_args);
    F(truing_aot_sort_args, struct_size);
    F(truing_aot_sort_args, reserved_head);
    F(truing_aot_sort_args, context);
    F(truing_aot_sort_args, flags);
    F(truing_aot_sort_args, stream);
    F(truing_aot_sort_args, workspace);
    F(truing_aot_sort_args, workspace_size);
    F(truing_aot_sort_args, chosen);
    F(truing_aot_sort_args, rejected);
    F(truing_aot_sort_args, ref_chosen);
    F(truing_aot_sort_args, ref_rejected);
    F(truing_aot_sort_args, pairing);
    F(truing_aot_sort_args, reserved0);
    F(truing_aot_sort_args, out_u_order);
    F(truing_aot_sort_args, out_v_order);
    F(truing_aot_sort_args, out_difference);
    F(truing_aot_sort_args, out_status);
    F(truing_aot_sort_args, reserved);
}

static void probe_beta_dpo_stats_args(void) {
    S(truing_beta_dpo_stats_args);
    F(truing_beta_dpo_stats_args, struct_size);
    F(truing_beta_dpo_stats_args, reserved_head);
    F(truing_beta_dpo_stats_args, context);
    F(truing_beta_dpo_stats_args, flags);
    F(truing_beta_dpo_stats_args, stream);
    F(truing_beta_dpo_stats_args, workspace);
    F(truing_beta_dpo_stats_args, workspace_size);
    F(truing_beta_dpo_stats_args, gaps);
    F(truing_beta_dpo_stats_args, uniforms);
    F(truing_beta_dpo_stats_args, state);
    F(truing_beta_dpo_stats_args, params);
    F(truing_beta_dpo_stats_args, num_params);
    F(truing_beta_dpo_stats_args, out_keep);
    F(truing_beta_dpo_stats_args, out_beta);
    F(truing_beta_dpo_stats_args, out_state);
    F(truing_beta_dpo_stats_args, out_status);
    F(truing_beta_dpo_stats_args, reserved);
}

static void probe_wpo_weight_args(void) {
    S(truing_wpo_weight_args);
    F(truing_wpo_weight_args, struct_size);
    F(truing_wpo_weight_args, reserved_head);
    F(truing_wpo_weight_args, context);
    F(truing_wpo_weight_args, flags);
    F(truing_wpo_weight_args, stream);
    F(truing_wpo_weight_args, workspace);
    F(truing_wpo_weight_args, workspace_size);
    F(truing_wpo_weight_args, chosen);
    F(truing_wpo_weight_args, rejected);
    F(truing_wpo_weight_args, chosen_log_sum_sq);
    F(truing_wpo_weight_args, rejected_log_sum_sq);
    F(truing_wpo_weight_args, form);
    F(truing_wpo_weight_args, reserved0);
    F(truing_wpo_weight_args, out_weight);
    F(truing_wpo_weight_args, out_status);
    F(truing_wpo_weight_args, reserved);
}

static void probe_importance_weight_args(void) {
    S(truing_importance_weight_args);
    F(truing_importance_weight_args, struct_size);
    F(truing_importance_weight_args, reserved_head);
    F(truing_importance_weight_args, context);
    F(truing_importance_weight_args, flags);
    F(truing_importance_weight_args, stream);
    F(truing_importance_weight_args, workspace);
    F(truing_importance_weight_args, workspace_size);
    F(truing_importance_weight_args, old);
    F(truing_importance_weight_args, sampler);
    F(truing_importance_weight_args, mask);
    F(truing_importance_weight_args, cu_seqlens);
    F(truing_importance_weight_args, low);
    F(truing_importance_weight_args, high);
    F(truing_importance_weight_args, level);
    F(truing_importance_weight_args, action);
    F(truing_importance_weight_args, missing);
    F(truing_importance_weight_args, normalise);
    F(truing_importance_weight_args, token_weight);
    F(truing_importance_weight_args, reserved0);
    F(truing_importance_weight_args, out_weights);
    F(truing_importance_weight_args, out_keep);
    F(truing_importance_weight_args, out_statistics);
    F(truing_importance_weight_args, out_status);
    F(truing_importance_weight_args, reserved);
}

static void probe_rejection_mask_args(void) {
    S(truing_rejection_mask_args);
    F(truing_rejection_mask_args, struct_size);
    F(truing_rejection_mask_args, reserved_head);
    F(truing_rejection_mask_args, context);
    F(truing_rejection_mask_args, flags);
    F(truing_rejection_mask_args, stream);
    F(truing_rejection_mask_args, workspace);
    F(truing_rejection_mask_args, workspace_size);
    F(truing_rejection_mask_args, old);
    F(truing_rejection_mask_args, sampler);
    F(truing_rejection_mask_args, mask);
    F(truing_rejection_mask_args, keep);
    F(truing_rejection_mask_args, cu_seqlens);
    F(truing_rejection_mask_args, low);
    F(truing_rejection_mask_args, high);
    F(truing_rejection_mask_args, statistic);
    F(truing_rejection_mask_args, span);
    F(truing_rejection_mask_args, missing);
    F(truing_rejection_mask_args, reserved0);
    F(truing_rejection_mask_args, out_keep);
    F(truing_rejection_mask_args, out_sequence_keep);
    F(truing_rejection_mask_args, out_statistic);
    F(truing_rejection_mask_args, out_rejected);
    F(truing_rejection_mask_args, reserved);
}

static void probe_off_policy_sequence_mask_args(void) {
    S(truing_off_policy_sequence_mask_args);
    F(truing_off_policy_sequence_mask_args, struct_size);
    F(truing_off_policy_sequence_mask_args, reserved_head);
    F(truing_off_policy_sequence_mask_args, context);
    F(truing_off_policy_sequence_mask_args, flags);
    F(truing_off_policy_sequence_mask_args, stream);
    F(truing_off_policy_sequence_mask_args, workspace);
    F(truing_off_policy_sequence_mask_args, workspace_size);
    F(truing_off_policy_sequence_mask_args, logps);
    F(truing_off_policy_sequence_mask_args, behaviour);
    F(truing_off_policy_sequence_mask_args, advantage);
    F(truing_off_policy_sequence_mask_args, mask);
    F(truing_off_policy_sequence_mask_args, cu_seqlens);
    F(truing_off_policy_sequence_mask_args, delta);
    F(truing_off_policy_sequence_mask_args, out_keep);
    F(truing_off_policy_sequence_mask_args, out_mean);
    F(truing_off_policy_sequence_mask_args, reserved);
}

static void probe_top_entropy_mask_args(void) {
    S(truing_top_entropy_mask_args);
    F(truing_top_entropy_mask_args, struct_size);
    F(truing_top_entropy_mask_args, reserved_head);
    F(truing_top_entropy_mask_args, context);
    F(truing_top_entropy_mask_args, flags);
    F(truing_top_entropy_mask_args, stream);
    F(truing_top_entropy_mask_args, workspace);
    F(truing_top_entropy_mask_args, workspace_size);
    F(truing_top_entropy_mask_args, entropy);
    F(truing_top_entropy_mask_args, mask);
    F(truing_top_entropy_mask_args, share);
    F(truing_top_entropy_mask_args, out_keep);
    F(truing_top_entropy_mask_args, out_threshold);
    F(truing_top_entropy_mask_args, out_status);
    F(truing_top_entropy_mask_args, reserved);
}

static void probe_cov_select_args(void) {
    S(truing_cov_select_args);
    F(truing_cov_select_args, struct_size);
    F(truing_cov_select_args, reserved_head);
    F(truing_cov_select_args, context);
    F(truing_cov_select_args, flags);
    F(truing_cov_select_args, stream);
    F(truing_cov_select_args, workspace);
    F(truing_cov_select_args, workspace_size);
    F(truing_cov_select_args, logps);
    F(truing_cov_select_args, old);
    F(truing_cov_select_args, noise);
    F(truing_cov_select_args, advantage);
    F(truing_cov_select_args, mask);
    F(truing_cov_select_args, cu_seqlens);
    F(truing_cov_select_args, params);
    F(truing_cov_select_args, num_params);
    F(truing_cov_select_args, seed);
    F(truing_cov_select_args, first_token);
    F(truing_cov_select_args, form);
    F(truing_cov_select_args, reserved0);
    F(truing_cov_select_args, out_indices);
    F(truing_cov_select_args, out_count);
    F(truing_cov_select_args, out_flag);
    F(truing_cov_select_args, out_keep);
    F(truing_cov_select_args, reserved);
}

static void probe_m2po_mask_args(void) {
    S(truing_m2po_mask_args);
    F(truing_m2po_mask_args, struct_size);
    F(truing_m2po_mask_args, reserved_head);
    F(truing_m2po_mask_args, context);
    F(truing_m2po_mask_args, flags);
    F(truing_m2po_mask_args, stream);
    F(truing_m2po_mask_args, workspace);
    F(truing_m2po_mask_args, workspace_size);
    F(truing_m2po_mask_args, old);
    F(truing_m2po_mask_args, proximal);
    F(truing_m2po_mask_args, mask);
    F(truing_m2po_mask_args, threshold);
    F(truing_m2po_mask_args, out_keep);
    F(truing_m2po_mask_args, out_moment);
    F(truing_m2po_mask_args, out_dropped);
    F(truing_m2po_mask_args, reserved);
}

static void probe_fipo_weight_args(void) {
    S(truing_fipo_weight_args);
    F(truing_fipo_weight_args, struct_size);
    F(truing_fipo_weight_args, reserved_head);
    F(truing_fipo_weight_args, context);
    F(truing_fipo_weight_args, flags);
    F(truing_fipo_weight_args, stream);
    F(truing_fipo_weight_args, workspace);
    F(truing_fipo_weight_args, workspace_size);
    F(truing_fipo_weight_args, logps);
    F(truing_fipo_weight_args, old);
    F(truing_fipo_weight_args, advantage);
    F(truing_fipo_weight_args, mask);
    F(truing_fipo_weight_args, cu_seqlens);
    F(truing_fipo_weight_args, params);
    F(truing_fipo_weight_args, num_params);
    F(truing_fipo_weight_args, high_only);
    F(truing_fipo_weight_args, reserved0);
    F(truing_fipo_weight_args, out_weights);
    F(truing_fipo_weight_args, out_status);
    F(truing_fipo_weight_args, reserved);
}

static void probe_item_numbers_args(void) {
    S(truing_item_numbers_args);
    F(truing_item_numbers_args, struct_size);
    F(truing_item_numbers_args, reserved_head);
    F(truing_item_numbers_args, context);
    F(truing_item_numbers_args, flags);
    F(truing_item_numbers_args, stream);
    F(truing_item_numbers_args, workspace);
    F(truing_item_numbers_args, workspace_size);
    F(truing_item_numbers_args, first);
    F(truing_item_numbers_args, second);
    F(truing_item_numbers_args, params);
    F(truing_item_numbers_args, num_params);
    F(truing_item_numbers_args, form);
    F(truing_item_numbers_args, reserved0);
    F(truing_item_numbers_args, out_value);
    F(truing_item_numbers_args, out_status);
    F(truing_item_numbers_args, reserved);
}

static void probe_uld_args(void) {
    S(truing_uld_args);
    F(truing_uld_args, struct_size);
    F(truing_uld_args, reserved_head);
    F(truing_uld_args, context);
    F(truing_uld_args, flags);
    F(truing_uld_args, stream);
    F(truing_uld_args, workspace);
    F(truing_uld_args, workspace_size);
    F(truing_uld_args, student);
    F(truing_uld_args, teacher);
    F(truing_uld_args, student_transform);
    F(truing_uld_args, teacher_transform);
    F(truing_uld_args, rows);
    F(truing_uld_args, row_weight);
    F(truing_uld_args, k);
    F(truing_uld_args, aggregate);
    F(truing_uld_args, out_values);
    F(truing_uld_args, out_loss);
    F(truing_uld_args, out_status);
    F(truing_uld_args, grad_values);
    F(truing_uld_args, grad_loss);
    F(truing_uld_args, grad_scale);
    F(truing_uld_args, grad_student_out);
    F(truing_uld_args, grad_teacher_out);
    F(truing_uld_args, matched_student_ids);
    F(truing_uld_args, matched_teacher_ids);
    F(truing_uld_args, matched_beta);
    F(truing_uld_args, matched_weight);
    F(truing_uld_args, unmatched_weight);
    F(truing_uld_args, student_scale);
    F(truing_uld_args, teacher_scale);
    F(truing_uld_args, grad_student_scale_out);
    F(truing_uld_args, reserved);
}

static void probe_tilt_args(void) {
    S(truing_tilt_args);
    F(truing_tilt_args, struct_size);
    F(truing_tilt_args, reserved_head);
    F(truing_tilt_args, context);
    F(truing_tilt_args, flags);
    F(truing_tilt_args, stream);
    F(truing_tilt_args, workspace);
    F(truing_tilt_args, workspace_size);
    F(truing_tilt_args, logps);
    F(truing_tilt_args, rewards);
    F(truing_tilt_args, alpha);
    F(truing_tilt_args, target);
    F(truing_tilt_args, grad_log_z);
    F(truing_tilt_args, grad_kl);
    F(truing_tilt_args, out_log_tilted);
    F(truing_tilt_args, out_log_z);
    F(truing_tilt_args, out_mean);
    F(truing_tilt_args, out_variance);
    F(truing_tilt_args, out_kl);
    F(truing_tilt_args, out_alpha);
    F(truing_tilt_args, grad_logps_out);
    F(truing_tilt_args, grad_rewards_out);
    F(truing_tilt_args, grad_alpha_out);
    F(truing_tilt_args, out_status);
    F(truing_tilt_args, reserved);
}

static void probe_renyi_args(void) {
    S(truing_renyi_args);
    F(truing_renyi_args, struct_size);
    F(truing_renyi_args, reserved_head);
    F(truing_renyi_args, context);
    F(truing_renyi_args, flags);
    F(truing_renyi_args, stream);
    F(truing_renyi_args, workspace);
    F(truing_renyi_args, workspace_size);
    F(truing_renyi_args, first);
    F(truing_renyi_args, second);
    F(truing_renyi_args, grad_values);
    F(truing_renyi_args, order);
    F(truing_renyi_args, out_values);
    F(truing_renyi_args, grad_first_out);
    F(truing_renyi_args, grad_second_out);
    F(truing_renyi_args, out_status);
    F(truing_renyi_args, reserved);
}

static void probe_best_of_n_args(void) {
    S(truing_best_of_n_args);
    F(truing_best_of_n_args, struct_size);
    F(truing_best_of_n_args, reserved_head);
    F(truing_best_of_n_args, context);
    F(truing_best_of_n_args, flags);
    F(truing_best_of_n_args, stream);
    F(truing_best_of_n_args, workspace);
    F(truing_best_of_n_args, workspace_size);
    F(truing_best_of_n_args, logps);
    F(truing_best_of_n_args, rewards);
    F(truing_best_of_n_args, n);
    F(truing_best_of_n_args, worst);
    F(truing_best_of_n_args, reserved0);
    F(truing_best_of_n_args, out_log_pmf);
    F(truing_best_of_n_args, out_kl);
    F(truing_best_of_n_args, out_win_rate);
    F(truing_best_of_n_args, out_status);
    F(truing_best_of_n_args, reserved);
}

static void probe_best_of_n_kl_args(void) {
    S(truing_best_of_n_kl_args);
    F(truing_best_of_n_kl_args, struct_size);
    F(truing_best_of_n_kl_args, reserved_head);
    F(truing_best_of_n_kl_args, context);
    F(truing_best_of_n_kl_args, flags);
    F(truing_best_of_n_kl_args, stream);
    F(truing_best_of_n_kl_args, workspace);
    F(truing_best_of_n_kl_args, workspace_size);
    F(truing_best_of_n_kl_args, logps);
    F(truing_best_of_n_kl_args, n);
    F(truing_best_of_n_kl_args, out_kl);
    F(truing_best_of_n_kl_args, out_status);
    F(truing_best_of_n_kl_args, reserved);
}

static void probe_head_weights_args(void) {
    S(truing_head_weights_args);
    F(truing_head_weights_args, struct_size);
    F(truing_head_weights_args, reserved_head);
    F(truing_head_weights_args, context);
    F(truing_head_weights_args, flags);
    F(truing_head_weights_args, stream);
    F(truing_head_weights_args, workspace);
    F(truing_head_weights_args, workspace_size);
    F(truing_head_weights_args, head);
    F(truing_head_weights_args, mask);
    F(truing_head_weights_args, alpha);
    F(truing_head_weights_args, present_heads);
    F(truing_head_weights_args, reserved0);
    F(truing_head_weights_args, out_weight);
    F(truing_head_weights_args, out_counts);
    F(truing_head_weights_args, out_status);
    F(truing_head_weights_args, reserved);
}

static void probe_modpo_margin_args(void) {
    S(truing_modpo_margin_args);
    F(truing_modpo_margin_args, struct_size);
    F(truing_modpo_margin_args, reserved_head);
    F(truing_modpo_margin_args, context);
    F(truing_modpo_margin_args, flags);
    F(truing_modpo_margin_args, stream);
    F(truing_modpo_margin_args, workspace);
    F(truing_modpo_margin_args, workspace_size);
    F(truing_modpo_margin_args, weights);
    F(truing_modpo_margin_args, chosen);
    F(truing_modpo_margin_args, rejected);
    F(truing_modpo_margin_args, grad_margin);
    F(truing_modpo_margin_args, out_margin_chosen);
    F(truing_modpo_margin_args, out_margin_rejected);
    F(truing_modpo_margin_args, grad_weights_out);
    F(truing_modpo_margin_args, grad_chosen_out);
    F(truing_modpo_margin_args, reserved);
}

static void probe_quantile_threshold_args(void) {
    S(truing_quantile_threshold_args);
    F(truing_quantile_threshold_args, struct_size);
    F(truing_quantile_threshold_args, reserved_head);
    F(truing_quantile_threshold_args, context);
    F(truing_quantile_threshold_args, flags);
    F(truing_quantile_threshold_args, stream);
    F(truing_quantile_threshold_args, workspace);
    F(truing_quantile_threshold_args, workspace_size);
    F(truing_quantile_threshold_args, values);
    F(truing_quantile_threshold_args, mask);
    F(truing_quantile_threshold_args, level);
    F(truing_quantile_threshold_args, out_threshold);
    F(truing_quantile_threshold_args, out_status);
    F(truing_quantile_threshold_args, reserved);
}

static void probe_a_star_value_args(void) {
    S(truing_a_star_value_args);
    F(truing_a_star_value_args, struct_size);
    F(truing_a_star_value_args, reserved_head);
    F(truing_a_star_value_args, context);
    F(truing_a_star_value_args, flags);
    F(truing_a_star_value_args, stream);
    F(truing_a_star_value_args, workspace);
    F(truing_a_star_value_args, workspace_size);
    F(truing_a_star_value_args, rewards);
    F(truing_a_star_value_args, cu_seqlens);
    F(truing_a_star_value_args, mask);
    F(truing_a_star_value_args, params);
    F(truing_a_star_value_args, num_params);
    F(truing_a_star_value_args, mode);
    F(truing_a_star_value_args, reserved0);
    F(truing_a_star_value_args, out_value);
    F(truing_a_star_value_args, out_share);
    F(truing_a_star_value_args, out_status);
    F(truing_a_star_value_args, reserved);
}

static void probe_hindsight_target_args(void) {
    S(truing_hindsight_target_args);
    F(truing_hindsight_target_args, struct_size);
    F(truing_hindsight_target_args, reserved_head);
    F(truing_hindsight_target_args, context);
    F(truing_hindsight_target_args, flags);
    F(truing_hindsight_target_args, stream);
    F(truing_hindsight_target_args, workspace);
    F(truing_hindsight_target_args, workspace_size);
    F(truing_hindsight_target_args, rewards);
    F(truing_hindsight_target_args, cu_seqlens);
    F(truing_hindsight_target_args, outcome);
    F(truing_hindsight_target_args, params);
    F(truing_hindsight_target_args, num_params);
    F(truing_hindsight_target_args, out_targets);
    F(truing_hindsight_target_args, reserved);
}

static void probe_kl_length_figures_args(void) {
    S(truing_kl_length_figures_args);
    F(truing_kl_length_figures_args, struct_size);
    F(truing_kl_length_figures_args, reserved_head);
    F(truing_kl_length_figures_args, context);
    F(truing_kl_length_figures_args, flags);
    F(truing_kl_length_figures_args, stream);
    F(truing_kl_length_figures_args, workspace);
    F(truing_kl_length_figures_args, workspace_size);
    F(truing_kl_length_figures_args, logps);
    F(truing_kl_length_figures_args, ref_logps);
    F(truing_kl_length_figures_args, cu_seqlens);
    F(truing_kl_length_figures_args, mask);
    F(truing_kl_length_figures_args, quantile_levels);
    F(truing_kl_length_figures_args, bin_edges);
    F(truing_kl_length_figures_args, out_k1);
    F(truing_kl_length_figures_args, out_k3);
    F(truing_kl_length_figures_args, out_lengths);
    F(truing_kl_length_figures_args, out_figures);
    F(truing_kl_length_figures_args, out_quantiles);
    F(truing_kl_length_figures_args, out_histogram);
    F(truing_kl_length_figures_args, out_status);
    F(truing_kl_length_figures_args, reserved);
}

static void probe_ches_args(void) {
    S(truing_ches_args);
    F(truing_ches_args, struct_size);
    F(truing_ches_args, reserved_head);
    F(truing_ches_args, context);
    F(truing_ches_args, flags);
    F(truing_ches_args, stream);
    F(truing_ches_args, workspace);
    F(truing_ches_args, workspace_size);
    F(truing_ches_args, hidden);
    F(truing_ches_args, cu_seqlens);
    F(truing_ches_args, mask);
    F(truing_ches_args, chosen_seq);
    F(truing_ches_args, rejected_seq);
    F(truing_ches_args, score_kind);
    F(truing_ches_args, reserved0);
    F(truing_ches_args, out_value);
    F(truing_ches_args, out_status);
    F(truing_ches_args, reserved);
}

static void probe_class_rows_args(void) {
    S(truing_class_rows_args);
    F(truing_class_rows_args, struct_size);
    F(truing_class_rows_args, reserved_head);
    F(truing_class_rows_args, context);
    F(truing_class_rows_args, flags);
    F(truing_class_rows_args, stream);
    F(truing_class_rows_args, workspace);
    F(truing_class_rows_args, workspace_size);
    F(truing_class_rows_args, logits);
    F(truing_class_rows_args, columns);
    F(truing_class_rows_args, targets);
    F(truing_class_rows_args, target_ids);
    F(truing_class_rows_args, threshold);
    F(truing_class_rows_args, mask);
    F(truing_class_rows_args, params);
    F(truing_class_rows_args, num_params);
    F(truing_class_rows_args, form);
    F(truing_class_rows_args, reduction);
    F(truing_class_rows_args, normaliser);
    F(truing_class_rows_args, grad_output);
    F(truing_class_rows_args, grad_scale);
    F(truing_class_rows_args, out_loss);
    F(truing_class_rows_args, out_losses);
    F(truing_class_rows_args, out_targets);
    F(truing_class_rows_args, grad_logits_out);
    F(truing_class_rows_args, out_status);
    F(truing_class_rows_args, reserved);
}

static void probe_prm_mse_args(void) {
    S(truing_prm_mse_args);
    F(truing_prm_mse_args, struct_size);
    F(truing_prm_mse_args, reserved_head);
    F(truing_prm_mse_args, context);
    F(truing_prm_mse_args, flags);
    F(truing_prm_mse_args, stream);
    F(truing_prm_mse_args, workspace);
    F(truing_prm_mse_args, workspace_size);
    F(truing_prm_mse_args, predictions);
    F(truing_prm_mse_args, targets);
    F(truing_prm_mse_args, cu_seqlens);
    F(truing_prm_mse_args, mask);
    F(truing_prm_mse_args, reduction);
    F(truing_prm_mse_args, reserved0);
    F(truing_prm_mse_args, normaliser);
    F(truing_prm_mse_args, grad_output);
    F(truing_prm_mse_args, grad_scale);
    F(truing_prm_mse_args, out_loss);
    F(truing_prm_mse_args, out_losses);
    F(truing_prm_mse_args, grad_predictions_out);
    F(truing_prm_mse_args, out_status);
    F(truing_prm_mse_args, reserved);
}

static void probe_preference_orchestrator_args(void) {
    S(truing_preference_orchestrator_args);
    F(truing_preference_orchestrator_args, struct_size);
    F(truing_preference_orchestrator_args, reserved_head);
    F(truing_preference_orchestrator_args, context);
    F(truing_preference_orchestrator_args, flags);
    F(truing_preference_orchestrator_args, stream);
    F(truing_preference_orchestrator_args, workspace);
    F(truing_preference_orchestrator_args, workspace_size);
    F(truing_preference_orchestrator_args, rewards);
    F(truing_preference_orchestrator_args, log_target);
    F(truing_preference_orchestrator_args, scores);
    F(truing_preference_orchestrator_args, values);
    F(truing_preference_orchestrator_args, params);
    F(truing_preference_orchestrator_args, num_params);
    F(truing_preference_orchestrator_args, direction);
    F(truing_preference_orchestrator_args, reserved0);
    F(truing_preference_orchestrator_args, out_log_target);
    F(truing_preference_orchestrator_args, out_weights);
    F(truing_preference_orchestrator_args, out_kl);
    F(truing_preference_orchestrator_args, out_combined);
    F(truing_preference_orchestrator_args, grad_scores_kl_out);
    F(truing_preference_orchestrator_args, grad_scores_combined_out);
    F(truing_preference_orchestrator_args, out_status);
    F(truing_preference_orchestrator_args, reserved);
}

static void probe_group_advantage_args(void) {
    S(truing_group_advantage_args);
    F(truing_group_advantage_args, struct_size);
    F(truing_group_advantage_args, reserved_head);
    F(truing_group_advantage_args, context);
    F(truing_group_advantage_args, flags);
    F(truing_group_advantage_args, stream);
    F(truing_group_advantage_args, workspace);
    F(truing_group_advantage_args, workspace_size);
    F(truing_group_advantage_args, rewards);
    F(truing_group_advantage_args, group_offsets);
    F(truing_group_advantage_args, group_ids);
    F(truing_group_advantage_args, num_groups);
    F(truing_group_advantage_args, lengths);
    F(truing_group_advantage_args, params);
    F(truing_group_advantage_args, num_params);
    F(truing_group_advantage_args, preset);
    F(truing_group_advantage_args, baseline);
    F(truing_group_advantage_args, scale);
    F(truing_group_advantage_args, std_kind);
    F(truing_group_advantage_args, eps_kind);
    F(truing_group_advantage_args, single);
    F(truing_group_advantage_args, out_advantages);
    F(truing_group_advantage_args, out_mean);
    F(truing_group_advantage_args, out_std);
    F(truing_group_advantage_args, out_status);
    F(truing_group_advantage_args, reserved);
}

static void probe_multi_objective_advantage_args(void) {
    S(truing_multi_objective_advantage_args);
    F(truing_multi_objective_advantage_args, struct_size);
    F(truing_multi_objective_advantage_args, reserved_head);
    F(truing_multi_objective_advantage_args, context);
    F(truing_multi_objective_advantage_args, flags);
    F(truing_multi_objective_advantage_args, stream);
    F(truing_multi_objective_advantage_args, workspace);
    F(truing_multi_objective_advantage_args, workspace_size);
    F(truing_multi_objective_advantage_args, rewards);
    F(truing_multi_objective_advantage_args, weights);
    F(truing_multi_objective_advantage_args, group_offsets);
    F(truing_multi_objective_advantage_args, group_ids);
    F(truing_multi_objective_advantage_args, num_groups);
    F(truing_multi_objective_advantage_args, lengths);
    F(truing_multi_objective_advantage_args, params);
    F(truing_multi_objective_advantage_args, num_params);
    F(truing_multi_objective_advantage_args, order);
    F(truing_multi_objective_advantage_args, preset);
    F(truing_multi_objective_advantage_args, baseline);
    F(truing_multi_objective_advantage_args, scale);
    F(truing_multi_objective_advantage_args, std_kind);
    F(truing_multi_objective_advantage_args, eps_kind);
    F(truing_multi_objective_advantage_args, single);
    F(truing_multi_objective_advantage_args, batch_step);
    F(truing_multi_objective_advantage_args, out_advantages);
    F(truing_multi_objective_advantage_args, out_combined);
    F(truing_multi_objective_advantage_args, out_status);
    F(truing_multi_objective_advantage_args, grad_advantages);
    F(truing_multi_objective_advantage_args, grad_weights_out);
    F(truing_multi_objective_advantage_args, reserved);
}

static void probe_gae_args(void) {
    S(truing_gae_args);
    F(truing_gae_args, struct_size);
    F(truing_gae_args, reserved_head);
    F(truing_gae_args, context);
    F(truing_gae_args, flags);
    F(truing_gae_args, stream);
    F(truing_gae_args, workspace);
    F(truing_gae_args, workspace_size);
    F(truing_gae_args, rewards);
    F(truing_gae_args, values);
    F(truing_gae_args, value_end);
    F(truing_gae_args, baseline);
    F(truing_gae_args, mask);
    F(truing_gae_args, cu_seqlens);
    F(truing_gae_args, params);
    F(truing_gae_args, num_params);
    F(truing_gae_args, masks);
    F(truing_gae_args, reserved0);
    F(truing_gae_args, out_advantages);
    F(truing_gae_args, out_returns);
    F(truing_gae_args, out_status);
    F(truing_gae_args, grad_advantages);
    F(truing_gae_args, grad_returns);
    F(truing_gae_args, grad_rewards_out);
    F(truing_gae_args, grad_values_out);
    F(truing_gae_args, grad_value_end_out);
    F(truing_gae_args, reserved);
}

static void probe_whiten_args(void) {
    S(truing_whiten_args);
    F(truing_whiten_args, struct_size);
    F(truing_whiten_args, reserved_head);
    F(truing_whiten_args, context);
    F(truing_whiten_args, flags);
    F(truing_whiten_args, stream);
    F(truing_whiten_args, workspace);
    F(truing_whiten_args, workspace_size);
    F(truing_whiten_args, values);
    F(truing_whiten_args, mask);
    F(truing_whiten_args, counts);
    F(truing_whiten_args, states);
    F(truing_whiten_args, params);
    F(truing_whiten_args, num_params);
    F(truing_whiten_args, std_kind);
    F(truing_whiten_args, eps_kind);
    F(truing_whiten_args, keep_mean);
    F(truing_whiten_args, reserved0);
    F(truing_whiten_args, out_values);
    F(truing_whiten_args, out_state);
    F(truing_whiten_args, out_moments);
    F(truing_whiten_args, out_status);
    F(truing_whiten_args, reserved);
}

static void probe_optimal_token_baseline_args(void) {
    S(truing_optimal_token_baseline_args);
    F(truing_optimal_token_baseline_args, struct_size);
    F(truing_optimal_token_baseline_args, reserved_head);
    F(truing_optimal_token_baseline_args, context);
    F(truing_optimal_token_baseline_args, flags);
    F(truing_optimal_token_baseline_args, stream);
    F(truing_optimal_token_baseline_args, workspace);
    F(truing_optimal_token_baseline_args, workspace_size);
    F(truing_optimal_token_baseline_args, rewards);
    F(truing_optimal_token_baseline_args, logps);
    F(truing_optimal_token_baseline_args, log_sum_sq);
    F(truing_optimal_token_baseline_args, importance_weight);
    F(truing_optimal_token_baseline_args, mask);
    F(truing_optimal_token_baseline_args, cu_seqlens);
    F(truing_optimal_token_baseline_args, group_offsets);
    F(truing_optimal_token_baseline_args, group_ids);
    F(truing_optimal_token_baseline_args, num_groups);
    F(truing_optimal_token_baseline_args, params);
    F(truing_optimal_token_baseline_args, num_params);
    F(truing_optimal_token_baseline_args, alignment);
    F(truing_optimal_token_baseline_args, keep_tail);
    F(truing_optimal_token_baseline_args, out_advantages);
    F(truing_optimal_token_baseline_args, out_baseline);
    F(truing_optimal_token_baseline_args, out_status);
    F(truing_optimal_token_baseline_args, reserved);
}

static void probe_prime_advantage_args(void) {
    S(truing_prime_advantage_args);
    F(truing_prime_advantage_args, struct_size);
    F(truing_prime_advantage_args, reserved_head);
    F(truing_prime_advantage_args, context);
    F(truing_prime_advantage_args, flags);
    F(truing_prime_advantage_args, stream);
    F(truing_prime_advantage_args, workspace);
    F(truing_prime_advantage_args, workspace_size);
    F(truing_prime_advantage_args, process_rewards);
    F(truing_prime_advantage_args, outcome);
    F(truing_prime_advantage_args, mask);
    F(truing_prime_advantage_args, cu_seqlens);
    F(truing_prime_advantage_args, group_offsets);
    F(truing_prime_advantage_args, group_ids);
    F(truing_prime_advantage_args, num_groups);
    F(truing_prime_advantage_args, params);
    F(truing_prime_advantage_args, num_params);
    F(truing_prime_advantage_args, out_returns);
    F(truing_prime_advantage_args, out_status);
    F(truing_prime_advantage_args, reserved);
}

static void probe_distill_advantage_args(void) {
    S(truing_distill_advantage_args);
    F(truing_distill_advantage_args, struct_size);
    F(truing_distill_advantage_args, reserved_head);
    F(truing_distill_advantage_args, context);
    F(truing_distill_advantage_args, flags);
    F(truing_distill_advantage_args, stream);
    F(truing_distill_advantage_args, workspace);
    F(truing_distill_advantage_args, workspace_size);
    F(truing_distill_advantage_args, student);
    F(truing_distill_advantage_args, teacher);
    F(truing_distill_advantage_args, advantages);
    F(truing_distill_advantage_args, token_rewards);
    F(truing_distill_advantage_args, mask);
    F(truing_distill_advantage_args, cu_seqlens);
    F(truing_distill_advantage_args, params);
    F(truing_distill_advantage_args, num_params);
    F(truing_distill_advantage_args, form);
    F(truing_distill_advantage_args, estimator);
    F(truing_distill_advantage_args, advantage_level);
    F(truing_distill_advantage_args, missing_zero);
    F(truing_distill_advantage_args, negative_only);
    F(truing_distill_advantage_args, per_length);
    F(truing_distill_advantage_args, position_power);
    F(truing_distill_advantage_args, reserved0);
    F(truing_distill_advantage_args, out_advantages);
    F(truing_distill_advantage_args, out_status);
    F(truing_distill_advantage_args, reserved);
}

static void probe_lagrangian_advantage_args(void) {
    S(truing_lagrangian_advantage_args);
    F(truing_lagrangian_advantage_args, struct_size);
    F(truing_lagrangian_advantage_args, reserved_head);
    F(truing_lagrangian_advantage_args, context);
    F(truing_lagrangian_advantage_args, flags);
    F(truing_lagrangian_advantage_args, stream);
    F(truing_lagrangian_advantage_args, workspace);
    F(truing_lagrangian_advantage_args, workspace_size);
    F(truing_lagrangian_advantage_args, reward_advantages);
    F(truing_lagrangian_advantage_args, cost_advantages);
    F(truing_lagrangian_advantage_args, mask);
    F(truing_lagrangian_advantage_args, log_lambda);
    F(truing_lagrangian_advantage_args, mean_cost);
    F(truing_lagrangian_advantage_args, cost_limit);
    F(truing_lagrangian_advantage_args, out_advantages);
    F(truing_lagrangian_advantage_args, grad_log_lambda_out);
    F(truing_lagrangian_advantage_args, reserved);
}

static void probe_pama_scalars_args(void) {
    S(truing_pama_scalars_args);
    F(truing_pama_scalars_args, struct_size);
    F(truing_pama_scalars_args, reserved_head);
    F(truing_pama_scalars_args, context);
    F(truing_pama_scalars_args, flags);
    F(truing_pama_scalars_args, stream);
    F(truing_pama_scalars_args, workspace);
    F(truing_pama_scalars_args, workspace_size);
    F(truing_pama_scalars_args, advantages);
    F(truing_pama_scalars_args, logps);
    F(truing_pama_scalars_args, anchor);
    F(truing_pama_scalars_args, mask);
    F(truing_pama_scalars_args, cu_seqlens);
    F(truing_pama_scalars_args, params);
    F(truing_pama_scalars_args, num_params);
    F(truing_pama_scalars_args, granularity);
    F(truing_pama_scalars_args, reserved0);
    F(truing_pama_scalars_args, out_scalars);
    F(truing_pama_scalars_args, reserved);
}

static void probe_interval_weights_args(void) {
    S(truing_interval_weights_args);
    F(truing_interval_weights_args, struct_size);
    F(truing_interval_weights_args, reserved_head);
    F(truing_interval_weights_args, context);
    F(truing_interval_weights_args, flags);
    F(truing_interval_weights_args, stream);
    F(truing_interval_weights_args, workspace);
    F(truing_interval_weights_args, workspace_size);
    F(truing_interval_weights_args, scalars);
    F(truing_interval_weights_args, out_value);
    F(truing_interval_weights_args, out_weights);
    F(truing_interval_weights_args, out_status);
    F(truing_interval_weights_args, reserved);
}

static void probe_gram_matrix_args(void) {
    S(truing_gram_matrix_args);
    F(truing_gram_matrix_args, struct_size);
    F(truing_gram_matrix_args, reserved_head);
    F(truing_gram_matrix_args, context);
    F(truing_gram_matrix_args, flags);
    F(truing_gram_matrix_args, stream);
    F(truing_gram_matrix_args, workspace);
    F(truing_gram_matrix_args, workspace_size);
    F(truing_gram_matrix_args, values);
    F(truing_gram_matrix_args, mask);
    F(truing_gram_matrix_args, unit_rows);
    F(truing_gram_matrix_args, reserved0);
    F(truing_gram_matrix_args, out_gram);
    F(truing_gram_matrix_args, reserved);
}

static void probe_min_norm_weights_args(void) {
    S(truing_min_norm_weights_args);
    F(truing_min_norm_weights_args, struct_size);
    F(truing_min_norm_weights_args, reserved_head);
    F(truing_min_norm_weights_args, context);
    F(truing_min_norm_weights_args, flags);
    F(truing_min_norm_weights_args, stream);
    F(truing_min_norm_weights_args, workspace);
    F(truing_min_norm_weights_args, workspace_size);
    F(truing_min_norm_weights_args, gram);
    F(truing_min_norm_weights_args, params);
    F(truing_min_norm_weights_args, num_params);
    F(truing_min_norm_weights_args, out_weights);
    F(truing_min_norm_weights_args, out_value);
    F(truing_min_norm_weights_args, reserved);
}

static void probe_token_reward_args(void) {
    S(truing_token_reward_args);
    F(truing_token_reward_args, struct_size);
    F(truing_token_reward_args, reserved_head);
    F(truing_token_reward_args, context);
    F(truing_token_reward_args, flags);
    F(truing_token_reward_args, stream);
    F(truing_token_reward_args, workspace);
    F(truing_token_reward_args, workspace_size);
    F(truing_token_reward_args, old);
    F(truing_token_reward_args, ref_logps);
    F(truing_token_reward_args, rewards);
    F(truing_token_reward_args, mask);
    F(truing_token_reward_args, cu_seqlens);
    F(truing_token_reward_args, params);
    F(truing_token_reward_args, num_params);
    F(truing_token_reward_args, estimator);
    F(truing_token_reward_args, level);
    F(truing_token_reward_args, out_rewards);
    F(truing_token_reward_args, out_kl);
    F(truing_token_reward_args, out_status);
    F(truing_token_reward_args, reserved);
}

static void probe_controller_args(void) {
    S(truing_controller_args);
    F(truing_controller_args, struct_size);
    F(truing_controller_args, reserved_head);
    F(truing_controller_args, context);
    F(truing_controller_args, flags);
    F(truing_controller_args, stream);
    F(truing_controller_args, workspace);
    F(truing_controller_args, workspace_size);
    F(truing_controller_args, measured);
    F(truing_controller_args, coef);
    F(truing_controller_args, params);
    F(truing_controller_args, num_params);
    F(truing_controller_args, out_coef);
    F(truing_controller_args, out_applied);
    F(truing_controller_args, out_status);
    F(truing_controller_args, reserved);
}

int main(void) {
    probe_device();
    probe_dtype();
    probe_tensor();
    probe_context_options();
    probe_param_info();
    probe_loss_description();
    probe_transform();
    probe_head();
    probe_head_grads();
    probe_rows();
    probe_shard();
    probe_support();
    probe_row_loss();
    probe_figures();
    probe_row_upstream();
    probe_logprob_forward_args();
    probe_logprob_backward_args();
    probe_logprob_local_args();
    probe_logprob_finish_args();
    probe_linear_logprob_forward_args();
    probe_linear_logprob_backward_args();
    probe_linear_logprob_local_args();
    probe_support_mask_args();
    probe_tds_rows_args();
    probe_score();
    probe_sequence_forward_args();
    probe_sequence_backward_args();
    probe_loss();
    probe_groups();
    probe_item_outputs();
    probe_preference_outputs();
    probe_preference_term();
    probe_preference_forward_args();
    probe_side_term();
    probe_linear_preference_args();
    probe_aggregate();
    probe_estimator();
    probe_policy_term();
    probe_policy_inputs();
    probe_policy_outputs();
    probe_policy_forward_args();
    probe_linear_policy_args();
    probe_partial();
    probe_divergence_options();
    probe_divergence_outputs();
    probe_divergence_forward_args();
    probe_divergence_backward_args();
    probe_divergence_local_args();
    probe_divergence_finish_args();
    probe_linear_divergence_args();
    probe_linear_divergence_local_args();
    probe_sequence_kl_args();
    probe_kto_baseline_args();
    probe_bco_shift_args();
    probe_aot_sort_args();
    probe_beta_dpo_stats_args();
    probe_wpo_weight_args();
    probe_importance_weight_args();
    probe_rejection_mask_args();
    probe_off_policy_sequence_mask_args();
    probe_top_entropy_mask_args();
    probe_cov_select_args();
    probe_m2po_mask_args();
    probe_fipo_weight_args();
    probe_item_numbers_args();
    probe_uld_args();
    probe_tilt_args();
    probe_renyi_args();
    probe_best_of_n_args();
    probe_best_of_n_kl_args();
    probe_head_weights_args();
    probe_modpo_margin_args();
    probe_quantile_threshold_args();
    probe_a_star_value_args();
    probe_hindsight_target_args();
    probe_kl_length_figures_args();
    probe_ches_args();
    probe_class_rows_args();
    probe_prm_mse_args();
    probe_preference_orchestrator_args();
    probe_group_advantage_args();
    probe_multi_objective_advantage_args();
    probe_gae_args();
    probe_whiten_args();
    probe_optimal_token_baseline_args();
    probe_prime_advantage_args();
    probe_distill_advantage_args();
    probe_lagrangian_advantage_args();
    probe_pama_scalars_args();
    probe_interval_weights_args();
    probe_gram_matrix_args();
    probe_min_norm_weights_args();
    probe_token_reward_args();
    probe_controller_args();
    C(TRUING_ABI_VERSION);
    C(TRUING_STATUS_OK);
    C(TRUING_STATUS_INVALID_ARGUMENT);
    C(TRUING_STATUS_SHAPE_MISMATCH);
    C(TRUING_STATUS_UNSUPPORTED_DTYPE);
    C(TRUING_STATUS_UNSUPPORTED_DEVICE);
    C(TRUING_STATUS_OUT_OF_RANGE);
    C(TRUING_STATUS_ALIASING);
    C(TRUING_STATUS_WORKSPACE_TOO_SMALL);
    C(TRUING_STATUS_NO_DEVICE);
    C(TRUING_STATUS_LAUNCH_FAILED);
    C(TRUING_STATUS_ABI_MISMATCH);
    C(TRUING_STATUS_INTERNAL);
    C(TRUING_ROW_IGNORED);
    C(TRUING_ROW_NAN_INPUT);
    C(TRUING_ROW_INF_INPUT);
    C(TRUING_ROW_TARGET_NEG_INF);
    C(TRUING_ROW_ALL_NEG_INF);
    C(TRUING_ROW_OUT_OF_RANGE);
    C(TRUING_ROW_TARGET_OUTSIDE);
    C(TRUING_ROW_EMPTY);
    C(TRUING_ROW_OVERFLOW);
    C(TRUING_ROW_SATURATED);
    C(TRUING_ROW_INFINITE);
    C(TRUING_ROW_DEGENERATE);
    C(TRUING_ROW_NEG_INF_CANCEL);
    C(TRUING_DEVICE_CPU);
    C(TRUING_DEVICE_CUDA);
    C(TRUING_DEVICE_CUDA_HOST);
    C(TRUING_DEVICE_CUDA_MANAGED);
    C(TRUING_DTYPE_INT);
    C(TRUING_DTYPE_UINT);
    C(TRUING_DTYPE_FLOAT);
    C(TRUING_DTYPE_BFLOAT);
    C(TRUING_DTYPE_BOOL);
    C(TRUING_MODE_PORTABLE);
    C(TRUING_MODE_FAST);
    C(TRUING_ISA_BASELINE);
    C(TRUING_ISA_AVX2);
    C(TRUING_ISA_AVX512);
    C(TRUING_ISA_NEON);
    C(TRUING_ISA_AVX512_BF16);
    C(TRUING_KIND_PAIR);
    C(TRUING_KIND_UNPAIRED);
    C(TRUING_KIND_LIST);
    C(TRUING_KIND_TOKEN);
    C(TRUING_KIND_SEQUENCE);
    C(TRUING_KIND_ESTIMATOR);
    C(TRUING_SLOT_LOGP);
    C(TRUING_SLOT_REF);
    C(TRUING_SLOT_LENGTH);
    C(TRUING_SLOT_KL);
    C(TRUING_SLOT_MARGIN);
    C(TRUING_SLOT_ANCHOR);
    C(TRUING_SLOT_BETA);
    C(TRUING_SLOT_LABEL);
    C(TRUING_SLOT_BASELINE);
    C(TRUING_SLOT_SHIFT);
    C(TRUING_SLOT_LIST_TARGET);
    C(TRUING_SLOT_OLD);
    C(TRUING_SLOT_SAMPLER);
    C(TRUING_SLOT_ADVANTAGE);
    C(TRUING_SLOT_ENTROPY);
    C(TRUING_SLOT_FLAG);
    C(TRUING_SLOT_LOG_Z);
    C(TRUING_SLOT_IMPORTANCE);
    C(TRUING_SLOT_WEIGHT);
    C(TRUING_HAS_IGNORE_INDEX);
    C(TRUING_STRICT);
    C(TRUING_RECOMPUTE);
    C(TRUING_ACCUMULATE_HIDDEN);
    C(TRUING_ACCUMULATE_WEIGHT);
    C(TRUING_ACCUMULATE_GRADS);
    C(TRUING_SKIP_FLAGGED);
    C(TRUING_LD_POLICY_ONLY);
    C(TRUING_HAS_CLAMP);
    C(TRUING_LOSSY_DROP);
    C(TRUING_TEMPERATURE_SQUARED);
    C(TRUING_CLAMP_AT_ZERO);
    C(TRUING_HAS_GRAD_SCALE);
    C(TRUING_HAS_SOFT_WEIGHT);
    C(TRUING_RECORD_SUMS);
    C(TRUING_ROUND_NONE);
    C(TRUING_ROUND_BF16);
    C(TRUING_ROUND_F16);
    C(TRUING_SUPPORT_BITMASK);
    C(TRUING_SUPPORT_IDS);
    C(TRUING_SUPPORT_COMPUTED);
    C(TRUING_FILTER_VLLM);
    C(TRUING_FILTER_HF);
    C(TRUING_FILTER_SGLANG);
    C(TRUING_TIES_INDEX);
    C(TRUING_TIES_ALL);
    C(TRUING_TOP_P_STRICT);
    C(TRUING_TOP_P_INCLUSIVE);
    C(TRUING_TARGET_KEEP);
    C(TRUING_TARGET_NEG_INF);
    C(TRUING_SMOOTHING_TORCH);
    C(TRUING_SMOOTHING_MEGATRON);
    C(TRUING_SCALING_NONE);
    C(TRUING_SCALING_DFT);
    C(TRUING_SCALING_CHORD_PHI);
    C(TRUING_SCALING_EAFT);
    C(TRUING_SCALING_EAFT_RAW);
    C(TRUING_SCALING_EXTERNAL);
    C(TRUING_REDUCE_NONE);
    C(TRUING_REDUCE_SUM);
    C(TRUING_REDUCE_MEAN);
    C(TRUING_REDUCE_WEIGHTED_MEAN);
    C(TRUING_STATS_WIDTH);
    C(TRUING_PAIR_STATS_WIDTH);
    C(TRUING_DIVERGENCE_FORWARD_KL);
    C(TRUING_DIVERGENCE_REVERSE_KL);
    C(TRUING_DIVERGENCE_MIXED_KL);
    C(TRUING_DIVERGENCE_JEFFREYS);
    C(TRUING_DIVERGENCE_JSD);
    C(TRUING_DIVERGENCE_SKEW_KL);
    C(TRUING_DIVERGENCE_SKEW_REVERSE_KL);
    C(TRUING_DIVERGENCE_RENYI);
    C(TRUING_DIVERGENCE_ALPHA);
    C(TRUING_DIVERGENCE_HELLINGER2);
    C(TRUING_DIVERGENCE_CHI2);
    C(TRUING_DIVERGENCE_CHI2_REVERSE);
    C(TRUING_DIVERGENCE_TVD);
    C(TRUING_DIVERGENCE_COSINE_PROBS);
    C(TRUING_DIVERGENCE_COSINE_LOGITS);
    C(TRUING_DIVERGENCE_CROSS_ENTROPY);
    C(TRUING_DIVERGENCE_REVERSE_CROSS_ENTROPY);
    C(TRUING_LOCAL_RECORDS);
    C(TRUING_LOCAL_COUNTS);
    C(TRUING_LOCAL_VALUES);
    C(TRUING_SCORE_SUM);
    C(TRUING_SCORE_MEAN);
    C(TRUING_SCORE_LD);
    C(TRUING_DIVISOR_TOKENS);
    C(TRUING_DIVISOR_WEIGHTS);
    C(TRUING_DIVISOR_EXTERNAL);
    C(TRUING_MAP_IDENTITY);
    C(TRUING_MAP_JS);
    C(TRUING_MAP_ALPHA);
    C(TRUING_MAP_FORWARD_KL);
    C(TRUING_LOSS_HAS_WEIGHT);
    C(TRUING_LAYOUT_INDEXED);
    C(TRUING_LAYOUT_INTERLEAVED);
    C(TRUING_LAYOUT_STACKED);
    C(TRUING_PREFERENCE_STAT_ITEMS);
    C(TRUING_PREFERENCE_STAT_WEIGHT_SUM);
    C(TRUING_PREFERENCE_STAT_LOSS_SUM);
    C(TRUING_PREFERENCE_STAT_REWARD_CHOSEN_SUM);
    C(TRUING_PREFERENCE_STAT_REWARD_REJECTED_SUM);
    C(TRUING_PREFERENCE_STAT_CORRECT);
    C(TRUING_PREFERENCE_STAT_DIVISOR);
    C(TRUING_PREFERENCE_STAT_COUNT);
    C(TRUING_PHASE_SINGLE);
    C(TRUING_PHASE_FIGURES);
    C(TRUING_PHASE_WITH_COEFFICIENTS);
    C(TRUING_SIDE_DIVISOR_POOLED);
    C(TRUING_SIDE_DIVISOR_ROW_MEAN);
    C(TRUING_SIDE_DIVISOR_EXTERNAL);
    C(TRUING_SIDE_DIVISOR_ITEM_SUM);
    C(TRUING_SIDE_CHOSEN);
    C(TRUING_SIDE_ANCHOR);
    C(TRUING_SIDE_MASKED);
    C(TRUING_WPO_TRL);
    C(TRUING_WPO_PLAIN);
    C(TRUING_LEVEL_TOKEN);
    C(TRUING_LEVEL_SEQUENCE);
    C(TRUING_AGGREGATE_TOKEN_MEAN);
    C(TRUING_AGGREGATE_SEQ_MEAN_TOKEN_MEAN);
    C(TRUING_AGGREGATE_SEQ_MEAN_TOKEN_SUM);
    C(TRUING_AGGREGATE_SEQ_MEAN_TOKEN_SUM_NORM);
    C(TRUING_AGGREGATE_TOKEN_SUM);
    C(TRUING_AGGREGATE_SEQ_MEAN);
    C(TRUING_AGGREGATE_WEIGHTED_MEAN);
    C(TRUING_AGGREGATE_NONE);
    C(TRUING_COUNT_ALL);
    C(TRUING_COUNT_NONEMPTY);
    C(TRUING_DENOMINATOR_ORIGINAL);
    C(TRUING_DENOMINATOR_KEPT);
    C(TRUING_DENOMINATOR_WEIGHTS);
    C(TRUING_ESTIMATOR_ONE);
    C(TRUING_ESTIMATOR_SCORE);
    C(TRUING_ESTIMATOR_RATIO);
    C(TRUING_ESTIMATOR_RATIO_SEQUENCE);
    C(TRUING_GRADIENT_PATHWISE);
    C(TRUING_GRADIENT_STRAIGHT_THROUGH);
    C(TRUING_GRADIENT_STRAIGHT_THROUGH_RATIO);
    C(TRUING_CLAMP_LINEAR);
    C(TRUING_CLAMP_ZERO_GRADIENT);
    C(TRUING_KL_AFTER_WEIGHT);
    C(TRUING_KL_BEFORE_WEIGHT);
    C(TRUING_RATIO_OLD);
    C(TRUING_RATIO_SAMPLER);
    C(TRUING_POLICY_STAT_TOKENS);
    C(TRUING_POLICY_STAT_KEPT_TOKENS);
    C(TRUING_POLICY_STAT_SEQUENCES);
    C(TRUING_POLICY_STAT_CLIP_LOW);
    C(TRUING_POLICY_STAT_CLIP_HIGH);
    C(TRUING_POLICY_STAT_CLIP_DUAL);
    C(TRUING_POLICY_STAT_RATIO_SUM);
    C(TRUING_POLICY_STAT_LOG_RATIO_MIN);
    C(TRUING_POLICY_STAT_LOG_RATIO_MAX);
    C(TRUING_POLICY_STAT_K1_SUM);
    C(TRUING_POLICY_STAT_K3_SUM);
    C(TRUING_POLICY_STAT_ENTROPY_SUM);
    C(TRUING_POLICY_STAT_WEIGHT_SUM);
    C(TRUING_POLICY_STAT_WEIGHT_SQ_SUM);
    C(TRUING_POLICY_STAT_KL_SUM);
    C(TRUING_POLICY_STAT_LOSS_SUM);
    C(TRUING_POLICY_STAT_DENOMINATOR);
    C(TRUING_POLICY_STAT_COUNT);
    C(TRUING_JSD_PEER);
    C(TRUING_JSD_CONTINUOUS);
    C(TRUING_JSD_SCALED);
    C(TRUING_TEACHER_LOGITS);
    C(TRUING_TEACHER_LOGPROBS);
    C(TRUING_TEACHER_PROBS);
    C(TRUING_TEACHER_TOPK_LOGPROBS);
    C(TRUING_TEACHER_TOPK_LOGITS);
    C(TRUING_TEACHER_SAMPLES);
    C(TRUING_PARTIAL_TEACHER);
    C(TRUING_PARTIAL_STUDENT);
    C(TRUING_PARTIAL_REFERENCE);
    C(TRUING_PARTIAL_UNION);
    C(TRUING_PARTIAL_GIVEN);
    C(TRUING_OUTSIDE_RENORMALISE);
    C(TRUING_OUTSIDE_TAIL);
    C(TRUING_OUTSIDE_ZERO);
    C(TRUING_OUTSIDE_RAW);
    C(TRUING_SHIFT_BALANCED);
    C(TRUING_SHIFT_POOLED);
    C(TRUING_SHIFT_PER_STEP);
    C(TRUING_AOT_PAIRED);
    C(TRUING_AOT_UNPAIRED);
    C(TRUING_WEIGHT_LEVEL_TOKEN);
    C(TRUING_WEIGHT_LEVEL_SEQUENCE_SUM);
    C(TRUING_WEIGHT_LEVEL_SEQUENCE_MEAN);
    C(TRUING_WEIGHT_RAW);
    C(TRUING_WEIGHT_TRUNCATE);
    C(TRUING_WEIGHT_MASK);
    C(TRUING_MISSING_ONE);
    C(TRUING_MISSING_ZERO);
    C(TRUING_MISSING_ERROR);
    C(TRUING_NORMALISE_TOKEN_MEAN);
    C(TRUING_NORMALISE_SEQUENCE_MEAN);
    C(TRUING_REJECTION_RATIO);
    C(TRUING_REJECTION_K1);
    C(TRUING_REJECTION_K2);
    C(TRUING_REJECTION_K3);
    C(TRUING_REJECTION_BINARY_KL);
    C(TRUING_REJECTION_TV);
    C(TRUING_SPAN_TOKEN);
    C(TRUING_SPAN_SEQUENCE_SUM);
    C(TRUING_SPAN_SEQUENCE_MEAN);
    C(TRUING_SPAN_SEQUENCE_MAX);
    C(TRUING_COV_KL);
    C(TRUING_COV_CLIP);
    C(TRUING_ITEM_PROBABILITY);
    C(TRUING_ITEM_LOGIT);
    C(TRUING_ITEM_DIFFERENCE);
    C(TRUING_ITEM_RATIO);
    C(TRUING_VALUE_LOG_MEAN_EXP);
    C(TRUING_VALUE_MEAN);
    C(TRUING_VALUE_MAX);
    C(TRUING_VALUE_ZERO);
    C(TRUING_KL_FIGURE_SEQUENCES);
    C(TRUING_KL_FIGURE_TOKENS);
    C(TRUING_KL_FIGURE_K1_PER_SEQUENCE);
    C(TRUING_KL_FIGURE_K1_PER_TOKEN);
    C(TRUING_KL_FIGURE_K1_MEAN_OF_MEANS);
    C(TRUING_KL_FIGURE_K3_PER_SEQUENCE);
    C(TRUING_KL_FIGURE_K3_PER_TOKEN);
    C(TRUING_KL_FIGURE_K3_MEAN_OF_MEANS);
    C(TRUING_KL_FIGURE_LENGTH_MEAN);
    C(TRUING_KL_FIGURE_LENGTH_STD);
    C(TRUING_KL_FIGURE_LENGTH_STD_SAMPLE);
    C(TRUING_KL_FIGURE_LENGTH_MIN);
    C(TRUING_KL_FIGURE_LENGTH_MAX);
    C(TRUING_KL_FIGURE_COUNT);
    C(TRUING_CLASS_MEAN);
    C(TRUING_CLASS_SUM);
    C(TRUING_DIRECTION_TARGET_TO_WEIGHTS);
    C(TRUING_DIRECTION_WEIGHTS_TO_TARGET);
    C(TRUING_ADVANTAGE_GRPO);
    C(TRUING_ADVANTAGE_GRPO_BATCH_STD);
    C(TRUING_ADVANTAGE_DR_GRPO);
    C(TRUING_ADVANTAGE_RLOO);
    C(TRUING_ADVANTAGE_GRPO_LOO);
    C(TRUING_ADVANTAGE_BATCH_BASELINE);
    C(TRUING_ADVANTAGE_OPO);
    C(TRUING_ADVANTAGE_GPG);
    C(TRUING_ADVANTAGE_MAX_RL);
    C(TRUING_ADVANTAGE_RAW);
    C(TRUING_BASELINE_NONE);
    C(TRUING_BASELINE_GROUP);
    C(TRUING_BASELINE_LEAVE_ONE_OUT);
    C(TRUING_BASELINE_BATCH);
    C(TRUING_BASELINE_LENGTH_WEIGHTED);
    C(TRUING_SCALE_NONE);
    C(TRUING_SCALE_GROUP_STD);
    C(TRUING_SCALE_BATCH_STD);
    C(TRUING_SCALE_LEAVE_ONE_OUT_STD);
    C(TRUING_SCALE_GROUP_MEAN);
    C(TRUING_SCALE_NONZERO_SHARE);
    C(TRUING_STD_UNBIASED);
    C(TRUING_STD_POPULATION);
    C(TRUING_EPS_ADD);
    C(TRUING_EPS_SKIP_ZERO);
    C(TRUING_EPS_VARIANCE_ADD);
    C(TRUING_EPS_VARIANCE_MAX);
    C(TRUING_SINGLE_ZERO);
    C(TRUING_SINGLE_RAW);
    C(TRUING_ORDER_SUM_FIRST);
    C(TRUING_ORDER_NORMALISE_FIRST);
    C(TRUING_BATCH_STEP_NONE);
    C(TRUING_BATCH_STEP_STANDARDISE);
    C(TRUING_BATCH_STEP_SCALE);
    C(TRUING_MASKS_CARRY);
    C(TRUING_MASKS_ZERO);
    C(TRUING_MASKS_IGNORE);
    C(TRUING_ALIGNMENT_POSITION);
    C(TRUING_ALIGNMENT_LIVE_INDEX);
    C(TRUING_DISTILL_OPD);
    C(TRUING_DISTILL_IW_OPD);
    C(TRUING_DISTILL_RLSD);
    C(TRUING_DISTILL_MINILLM);
    C(TRUING_GRANULARITY_BATCH);
    C(TRUING_GRANULARITY_SEQUENCE);
    C(TRUING_GRANULARITY_TOKEN);
    return 0;
}
