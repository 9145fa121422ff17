# Written by `cargo xtask generate` from ffi/src; do not edit.
"""The C ABI in ctypes: constants, structs and function signatures. No logic."""
import ctypes

TRUING_ABI_VERSION = 1  # Version of this header's structs; compare with `truing_abi_version()`.
TRUING_STATUS_OK = 0  # Done.
TRUING_STATUS_INVALID_ARGUMENT = 1  # A value outside its legal range, an unknown flag or enum, non-zero reserved bytes, a combination that makes no sense.
TRUING_STATUS_SHAPE_MISMATCH = 2  # Shapes, strides or lengths that do not fit each other.
TRUING_STATUS_UNSUPPORTED_DTYPE = 3  # An element type that this call does not take here.
TRUING_STATUS_UNSUPPORTED_DEVICE = 4  # A device that this call does not run on, or two different ones.
TRUING_STATUS_OUT_OF_RANGE = 5  # A token id, index or offset outside its range.
TRUING_STATUS_ALIASING = 6  # An output that overlaps another tensor where that is not allowed.
TRUING_STATUS_WORKSPACE_TOO_SMALL = 7  # The workspace is smaller than the minimum.
TRUING_STATUS_NO_DEVICE = 8  # No driver or no such device.
TRUING_STATUS_LAUNCH_FAILED = 9  # The device refused a launch.
TRUING_STATUS_ABI_MISMATCH = 10  # `struct_size` is smaller than in version 1, or the unknown tail of a newer struct is not zero.
TRUING_STATUS_INTERNAL = 11  # A bug of the library, caught at its boundary.
TRUING_ROW_IGNORED = 1  # Masked or ignored, not read.
TRUING_ROW_NAN_INPUT = 2  # NaN in a live value.
TRUING_ROW_INF_INPUT = 4  # +inf logit, or infinities that leave the result undefined.
TRUING_ROW_TARGET_NEG_INF = 8  # Live target has probability 0.
TRUING_ROW_ALL_NEG_INF = 16  # No live column.
TRUING_ROW_OUT_OF_RANGE = 32  # Id outside its range where no error could be returned.
TRUING_ROW_TARGET_OUTSIDE = 64  # Target not in the sampling support.
TRUING_ROW_EMPTY = 128  # No live token, sample or element.
TRUING_ROW_OVERFLOW = 256  # Finite inputs, result beyond the output type.
TRUING_ROW_SATURATED = 512  # A documented clamp has acted.
TRUING_ROW_INFINITE = 1024  # The exact value is infinite.
TRUING_ROW_DEGENERATE = 2048  # Undefined statistic, stated fallback used.
TRUING_ROW_NEG_INF_CANCEL = 4096  # Only a negatively weighted term was -inf (mix_logits).
TRUING_DEVICE_CPU = 1  # Host memory.
TRUING_DEVICE_CUDA = 2  # Memory of a CUDA device.
TRUING_DEVICE_CUDA_HOST = 3  # Pinned host memory: runs on the CPU.
TRUING_DEVICE_CUDA_MANAGED = 13  # Managed memory: runs on the GPU of `device_id`.
TRUING_DTYPE_INT = 0  # Signed integer.
TRUING_DTYPE_UINT = 1  # Unsigned integer.
TRUING_DTYPE_FLOAT = 2  # IEEE floating point (f16, f32, f64).
TRUING_DTYPE_BFLOAT = 4  # bfloat16.
TRUING_DTYPE_BOOL = 6  # Boolean of 8 bits: taken as a u8 mask.
TRUING_MODE_PORTABLE = 1  # The same bits on every instruction set, thread count and device.
TRUING_MODE_FAST = 2  # Reproducible on one device within stated bounds.
TRUING_ISA_BASELINE = 1  # The target's baseline, no detection.
TRUING_ISA_AVX2 = 2  # AVX2 with FMA.
TRUING_ISA_AVX512 = 3  # AVX-512 F, BW, CD, DQ, VL.
TRUING_ISA_NEON = 4  # NEON.
TRUING_ISA_AVX512_BF16 = 5  # AVX-512 with the bf16 dot product.
TRUING_KIND_PAIR = 1  # Pairs of sequences.
TRUING_KIND_UNPAIRED = 2  # Single sequences with a label.
TRUING_KIND_LIST = 3  # Ranked or scored lists of sequences.
TRUING_KIND_TOKEN = 4  # Single tokens.
TRUING_KIND_SEQUENCE = 5  # Tokens reduced to one number of a sequence.
TRUING_KIND_ESTIMATOR = 6  # KL estimators from sampled tokens.
TRUING_SLOT_LOGP = 1  # Slot: log-prob or score.
TRUING_SLOT_REF = 2  # Slot: reference (or teacher) log-prob or score.
TRUING_SLOT_LENGTH = 4  # Slot: scored tokens.
TRUING_SLOT_KL = 8  # Slot: KL of a sequence to the reference.
TRUING_SLOT_MARGIN = 16  # Slot: the margins.
TRUING_SLOT_ANCHOR = 32  # Slot: the third sequence of a pair.
TRUING_SLOT_BETA = 64  # Slot: beta of an item.
TRUING_SLOT_LABEL = 128  # Slot: desirable or not.
TRUING_SLOT_BASELINE = 256  # Slot: baseline of a row.
TRUING_SLOT_SHIFT = 512  # Slot: shift of an item.
TRUING_SLOT_LIST_TARGET = 1024  # Slot: reward or rank of a list member.
TRUING_SLOT_OLD = 2048  # Slot: behaviour policy's log-prob.
TRUING_SLOT_SAMPLER = 4096  # Slot: inference engine's log-prob.
TRUING_SLOT_ADVANTAGE = 8192  # Slot: advantage.
TRUING_SLOT_ENTROPY = 16384  # Slot: entropy.
TRUING_SLOT_FLAG = 32768  # Slot: u8 flag.
TRUING_SLOT_LOG_Z = 65536  # Slot: log partition function of a sequence.
TRUING_SLOT_IMPORTANCE = 131072  # Slot: importance weight.
TRUING_SLOT_WEIGHT = 262144  # Slot: weight of a row, where the entry itself applies it.
TRUING_HAS_IGNORE_INDEX = 1  # `rows.ignore_index` is set.
TRUING_STRICT = 2  # Check ids and values first; refused with CUDA tensors so far, where it would have to wait for the device.
TRUING_RECOMPUTE = 4  # Backward: ignore stats and recompute.
TRUING_ACCUMULATE_HIDDEN = 8  # Add into grad_hidden_out.
TRUING_ACCUMULATE_WEIGHT = 16  # Add into grad_weight_out and grad_bias_out.
TRUING_ACCUMULATE_GRADS = 32  # Add into score, token or logit gradients and out_loss.
TRUING_SKIP_FLAGGED = 64  # Flagged items leave sum and divisor.
TRUING_LD_POLICY_ONLY = 128  # `TRUING_SCORE_LD`: the reference stays an unweighted sum.
TRUING_HAS_CLAMP = 256  # `score.clamp_low` and `score.clamp_high` are set.
TRUING_LOSSY_DROP = 512  # Opt in to gradient filtering.
TRUING_TEMPERATURE_SQUARED = 1024  # Divergence: value and gradients times student T^2; not the hard-label term's.
TRUING_CLAMP_AT_ZERO = 2048  # Divergence, raw mode: value >= 0.
TRUING_HAS_GRAD_SCALE = 4096  # `grad_scale` is set: 0 is 0.
TRUING_HAS_SOFT_WEIGHT = 8192  # Divergence: `options.soft_weight` is set: 0 is 0.
TRUING_RECORD_SUMS = 16384  # Log-prob local: records also hold the sums that the mean logit needs; with label smoothing they do anyway.
TRUING_ROUND_NONE = 0  # Off.
TRUING_ROUND_BF16 = 1  # To bf16, gradient straight through.
TRUING_ROUND_F16 = 2  # To f16, gradient straight through.
TRUING_SUPPORT_BITMASK = 1  # By `bitmask`.
TRUING_SUPPORT_IDS = 2  # By `ids`.
TRUING_SUPPORT_COMPUTED = 3  # By the filters `top_p`, `min_p`, `top_k` in the order of `preset`.
TRUING_FILTER_VLLM = 1  # min_p, top_k, top_p; each sees the renormalised survivors.
TRUING_FILTER_HF = 2  # top_k, top_p, min_p; each sees the renormalised survivors.
TRUING_FILTER_SGLANG = 3  # Judged together on the full distribution.
TRUING_TIES_INDEX = 1  # The lower column is kept.
TRUING_TIES_ALL = 2  # All are kept.
TRUING_TOP_P_STRICT = 1  # Keep while the mass before a column is < top_p.
TRUING_TOP_P_INCLUSIVE = 2  # Keep while the mass before a column is <= top_p.
TRUING_TARGET_KEEP = 1  # The target is added to the support.
TRUING_TARGET_NEG_INF = 2  # Log-prob -inf, gradient 0.
TRUING_SMOOTHING_TORCH = 1  # (1-s) nll + s mean over live columns.
TRUING_SMOOTHING_MEGATRON = 2  # The same with s V/(V-1) for s.
TRUING_SCALING_NONE = 0  # 1.
TRUING_SCALING_DFT = 1  # p of the target.
TRUING_SCALING_CHORD_PHI = 2  # p (1 - p) of the target.
TRUING_SCALING_EAFT = 3  # (H/3)^alpha, H the entropy of the 20 largest.
TRUING_SCALING_EAFT_RAW = 4  # H^alpha.
TRUING_SCALING_EXTERNAL = 5  # The caller's `external_scale`.
TRUING_REDUCE_NONE = 1  # No reduction: values per item.
TRUING_REDUCE_SUM = 2  # Weighted sum.
TRUING_REDUCE_MEAN = 3  # Weighted sum over live items.
TRUING_REDUCE_WEIGHTED_MEAN = 4  # Weighted sum over the sum of weights.
TRUING_STATS_WIDTH = 12  # Columns of the saved statistics of a row (`stats`, `out_stats`, records), the 12 of [N,12]. What they hold is valid for one version of the library (`truing_version()`) and the same options.
TRUING_PAIR_STATS_WIDTH = 16  # The same of two heads (`pair_stats`, `out_pair_stats`, statistics of a divergence), the 16 of [N,16].
TRUING_DIVERGENCE_FORWARD_KL = 1  # KL(t||p).
TRUING_DIVERGENCE_REVERSE_KL = 2  # KL(p||t).
TRUING_DIVERGENCE_MIXED_KL = 3  # omega forward + (1 - omega) reverse.
TRUING_DIVERGENCE_JEFFREYS = 4  # forward + reverse.
TRUING_DIVERGENCE_JSD = 5  # Jensen-Shannon with weight beta on the teacher.
TRUING_DIVERGENCE_SKEW_KL = 6  # KL(t||lambda t + (1 - lambda) p).
TRUING_DIVERGENCE_SKEW_REVERSE_KL = 7  # KL(p||lambda p + (1 - lambda) t).
TRUING_DIVERGENCE_RENYI = 8  # Renyi of order alpha on the teacher.
TRUING_DIVERGENCE_ALPHA = 9  # Amari's alpha.
TRUING_DIVERGENCE_HELLINGER2 = 10  # 1 - sum sqrt(t p).
TRUING_DIVERGENCE_CHI2 = 11  # sum (t - p)^2/p.
TRUING_DIVERGENCE_CHI2_REVERSE = 12  # sum (p - t)^2/t.
TRUING_DIVERGENCE_TVD = 13  # Half the sum of |t - p|.
TRUING_DIVERGENCE_COSINE_PROBS = 14  # 1 - cosine of the probabilities.
TRUING_DIVERGENCE_COSINE_LOGITS = 15  # 1 - cosine of the logits.
TRUING_DIVERGENCE_CROSS_ENTROPY = 16  # -sum t log p.
TRUING_DIVERGENCE_REVERSE_CROSS_ENTROPY = 17  # -sum p log t.
TRUING_LOCAL_RECORDS = 1  # First pass: records, top-k lists.
TRUING_LOCAL_COUNTS = 2  # Second pass, with finished stats: rank, ties, support mass and size.
TRUING_LOCAL_VALUES = 3  # Second pass of a divergence that needs both normalisers first: value sums, with finished stats.
TRUING_SCORE_SUM = 1  # Weighted sum of live tokens.
TRUING_SCORE_MEAN = 2  # The sum over a divisor.
TRUING_SCORE_LD = 3  # Sum up to the prefix plus alpha times the rest (LD-DPO).
TRUING_DIVISOR_TOKENS = 1  # Live tokens.
TRUING_DIVISOR_WEIGHTS = 2  # Sum of their weights.
TRUING_DIVISOR_EXTERNAL = 3  # The field `normaliser`.
TRUING_MAP_IDENTITY = 0  # x (reverse KL).
TRUING_MAP_JS = 1  # log sigmoid(x).
TRUING_MAP_ALPHA = 2  # -exp(-alpha x)/alpha.
TRUING_MAP_FORWARD_KL = 3  # `TRUING_MAP_ALPHA` at alpha = 1.
TRUING_LOSS_HAS_WEIGHT = 1  # `weight` is set: 0 is 0.
TRUING_LAYOUT_INDEXED = 1  # By `chosen_seq`, `rejected_seq`, `anchor_seq`.
TRUING_LAYOUT_INTERLEAVED = 2  # Even sequences chosen, odd rejected; with anchors: threes.
TRUING_LAYOUT_STACKED = 3  # First half chosen, second half rejected; with anchors: thirds.
TRUING_PREFERENCE_STAT_ITEMS = 0  # Live items.
TRUING_PREFERENCE_STAT_WEIGHT_SUM = 1  # Sum of item weights.
TRUING_PREFERENCE_STAT_LOSS_SUM = 2  # Sum of weighted losses.
TRUING_PREFERENCE_STAT_REWARD_CHOSEN_SUM = 3  # Sum of chosen rewards.
TRUING_PREFERENCE_STAT_REWARD_REJECTED_SUM = 4  # Sum of rejected rewards.
TRUING_PREFERENCE_STAT_CORRECT = 5  # Items whose chosen reward is strictly larger.
TRUING_PREFERENCE_STAT_DIVISOR = 6  # Divisor that the reduction used.
TRUING_PREFERENCE_STAT_COUNT = 16  # Length of `out_statistics` of a preference term; entries behind the named ones are 0.
TRUING_PHASE_SINGLE = 1  # Loss and gradients in one call.
TRUING_PHASE_FIGURES = 2  # Scores, figures and stats only.
TRUING_PHASE_WITH_COEFFICIENTS = 3  # Gradients from the caller's coefficients.
TRUING_SIDE_DIVISOR_POOLED = 1  # All its tokens.
TRUING_SIDE_DIVISOR_ROW_MEAN = 2  # Mean over a sequence's tokens, then over sequences.
TRUING_SIDE_DIVISOR_EXTERNAL = 3  # The field `normaliser`.
TRUING_SIDE_DIVISOR_ITEM_SUM = 4  # Sum of a sequence's tokens, mean over items (xpo with `coef` < 0).
TRUING_SIDE_CHOSEN = 1  # Chosen sequences.
TRUING_SIDE_ANCHOR = 2  # Anchor sequences.
TRUING_SIDE_MASKED = 3  # Every token of the term's mask, also of sequences in no item.
TRUING_WPO_TRL = 1  # exp of the sum over both sides of mean(l - log sum p^2).
TRUING_WPO_PLAIN = 2  # min(1, exp of the sum of both means).
TRUING_LEVEL_TOKEN = 1  # Each token's own.
TRUING_LEVEL_SEQUENCE = 2  # One per sequence.
TRUING_AGGREGATE_TOKEN_MEAN = 1  # Sum over live tokens of the batch.
TRUING_AGGREGATE_SEQ_MEAN_TOKEN_MEAN = 2  # Mean over a sequence's tokens, mean over sequences.
TRUING_AGGREGATE_SEQ_MEAN_TOKEN_SUM = 3  # Sum over a sequence's tokens, mean over sequences.
TRUING_AGGREGATE_SEQ_MEAN_TOKEN_SUM_NORM = 4  # The same over `max_length`.
TRUING_AGGREGATE_TOKEN_SUM = 5  # Sum of live tokens.
TRUING_AGGREGATE_SEQ_MEAN = 6  # Mean over sequences of a sequence or list entry.
TRUING_AGGREGATE_WEIGHTED_MEAN = 7  # Sum of weighted tokens over the denominator.
TRUING_AGGREGATE_NONE = 8  # Values only; the upstream gradient is [N] or [B].
TRUING_COUNT_ALL = 1  # They count.
TRUING_COUNT_NONEMPTY = 2  # They do not.
TRUING_DENOMINATOR_ORIGINAL = 1  # Live tokens, dropped ones included.
TRUING_DENOMINATOR_KEPT = 2  # Live tokens that were not dropped.
TRUING_DENOMINATOR_WEIGHTS = 3  # Weighted mean: the sum of weights.
TRUING_ESTIMATOR_ONE = 1  # 1.
TRUING_ESTIMATOR_SCORE = 2  # 1 in value, the score-function term in the gradient.
TRUING_ESTIMATOR_RATIO = 3  # The token's ratio, differentiated.
TRUING_ESTIMATOR_RATIO_SEQUENCE = 4  # exp of the sequence's mean log ratio, differentiated.
TRUING_GRADIENT_PATHWISE = 1  # Of the value.
TRUING_GRADIENT_STRAIGHT_THROUGH = 2  # -z, z = ref - logp.
TRUING_GRADIENT_STRAIGHT_THROUGH_RATIO = 3  # -z min(ratio, ratio_max).
TRUING_CLAMP_LINEAR = 1  # Continues along the tangent.
TRUING_CLAMP_ZERO_GRADIENT = 2  # Constant.
TRUING_KL_AFTER_WEIGHT = 1  # After the importance weight.
TRUING_KL_BEFORE_WEIGHT = 2  # Before it: the weight multiplies the KL too.
TRUING_RATIO_OLD = 1  # The behaviour policy `old`.
TRUING_RATIO_SAMPLER = 2  # The inference engine `sampler`.
TRUING_POLICY_STAT_TOKENS = 0  # Live tokens.
TRUING_POLICY_STAT_KEPT_TOKENS = 1  # Live tokens that no mask dropped.
TRUING_POLICY_STAT_SEQUENCES = 2  # Sequences in the mean.
TRUING_POLICY_STAT_CLIP_LOW = 3  # Tokens clipped at the low bound.
TRUING_POLICY_STAT_CLIP_HIGH = 4  # Tokens clipped at the high bound.
TRUING_POLICY_STAT_CLIP_DUAL = 5  # Tokens clipped by the dual clip.
TRUING_POLICY_STAT_RATIO_SUM = 6  # Sum of ratios.
TRUING_POLICY_STAT_LOG_RATIO_MIN = 7  # Smallest log ratio (a minimum, not a sum).
TRUING_POLICY_STAT_LOG_RATIO_MAX = 8  # Largest log ratio (a maximum, not a sum).
TRUING_POLICY_STAT_K1_SUM = 9  # Sum of k1 of old to policy.
TRUING_POLICY_STAT_K3_SUM = 10  # Sum of k3 of old to policy.
TRUING_POLICY_STAT_ENTROPY_SUM = 11  # Sum of entropies.
TRUING_POLICY_STAT_WEIGHT_SUM = 12  # Sum of importance weights.
TRUING_POLICY_STAT_WEIGHT_SQ_SUM = 13  # Sum of their squares.
TRUING_POLICY_STAT_KL_SUM = 14  # Sum of the KL term's values.
TRUING_POLICY_STAT_LOSS_SUM = 15  # Sum of the main term's values.
TRUING_POLICY_STAT_DENOMINATOR = 16  # Denominator that the aggregation used.
TRUING_POLICY_STAT_COUNT = 32  # Length of `out_statistics` of a policy call; entries behind the named ones are 0.
TRUING_JSD_PEER = 1  # forward_kl and reverse_kl, as trainers have it.
TRUING_JSD_CONTINUOUS = 2  # 0 with zero gradient.
TRUING_JSD_SCALED = 3  # Divided by beta (1 - beta) everywhere.
TRUING_TEACHER_LOGITS = 1  # Logits of all columns.
TRUING_TEACHER_LOGPROBS = 2  # Log-probs of all columns.
TRUING_TEACHER_PROBS = 3  # Probabilities of all columns, 0 = dead.
TRUING_TEACHER_TOPK_LOGPROBS = 4  # Full-softmax log-probs at ids.
TRUING_TEACHER_TOPK_LOGITS = 5  # Raw logits at ids, optional lse.
TRUING_TEACHER_SAMPLES = 6  # Counts of sampled ids.
TRUING_PARTIAL_TEACHER = 1  # The teacher's largest.
TRUING_PARTIAL_STUDENT = 2  # The student's largest.
TRUING_PARTIAL_REFERENCE = 3  # A third row's largest.
TRUING_PARTIAL_UNION = 4  # The largest of both sides.
TRUING_PARTIAL_GIVEN = 5  # The caller's ids.
TRUING_OUTSIDE_RENORMALISE = 1  # Both sides are renormalised on it.
TRUING_OUTSIDE_TAIL = 2  # One more bucket holds the rest.
TRUING_OUTSIDE_ZERO = 3  # The teacher is 0 there (log-prob `outside_logprob` in reverse terms).
TRUING_OUTSIDE_RAW = 4  # Nothing is added.
TRUING_SHIFT_BALANCED = 1  # Half the sum of the means of both classes.
TRUING_SHIFT_POOLED = 2  # All rows so far (the BCO trainer of TRL).
TRUING_SHIFT_PER_STEP = 3  # The means of the batches (LLaMA-Factory, ms-swift).
TRUING_AOT_PAIRED = 1  # u = chosen - rejected, v = ref_chosen - ref_rejected.
TRUING_AOT_UNPAIRED = 2  # u = chosen - ref_chosen, v = rejected - ref_rejected.
TRUING_WEIGHT_LEVEL_TOKEN = 1  # The log ratio of the token.
TRUING_WEIGHT_LEVEL_SEQUENCE_SUM = 2  # Its sum over the sequence.
TRUING_WEIGHT_LEVEL_SEQUENCE_MEAN = 3  # Its mean over the sequence.
TRUING_WEIGHT_RAW = 1  # Nothing.
TRUING_WEIGHT_TRUNCATE = 2  # It is cut off at the bound.
TRUING_WEIGHT_MASK = 3  # It is 0.
TRUING_MISSING_ONE = 1  # Its ratio counts as 1.
TRUING_MISSING_ZERO = 2  # It is dropped, and counts as 1 in sums.
TRUING_MISSING_ERROR = 3  # The call is refused; with CUDA tensors always, where it would have to wait for the device.
TRUING_NORMALISE_TOKEN_MEAN = 1  # Their mean over the live tokens.
TRUING_NORMALISE_SEQUENCE_MEAN = 2  # The mean of the means of the sequences.
TRUING_REJECTION_RATIO = 1  # y = old - sampler, against the logs of the bounds.
TRUING_REJECTION_K1 = 2  # -y, against the logs of the bounds.
TRUING_REJECTION_K2 = 3  # y^2 / 2.
TRUING_REJECTION_K3 = 4  # e^y - 1 - y.
TRUING_REJECTION_BINARY_KL = 5  # KL of the coins with e^sampler and e^old.
TRUING_REJECTION_TV = 6  # abs(e^old - e^sampler).
TRUING_SPAN_TOKEN = 1  # Each token.
TRUING_SPAN_SEQUENCE_SUM = 2  # Sum over the sequence.
TRUING_SPAN_SEQUENCE_MEAN = 3  # Mean.
TRUING_SPAN_SEQUENCE_MAX = 4  # Maximum, 0 without a live token.
TRUING_COV_KL = 1  # The largest covariances, for kl_cov.
TRUING_COV_CLIP = 2  # A draw from those between two bounds that no clip holds, for clip_cov.
TRUING_ITEM_PROBABILITY = 1  # density_ratio: a probability.
TRUING_ITEM_LOGIT = 2  # density_ratio: a logit.
TRUING_ITEM_DIFFERENCE = 3  # odpo_offset: the difference of the rewards counts.
TRUING_ITEM_RATIO = 4  # odpo_offset: their ratio counts.
TRUING_VALUE_LOG_MEAN_EXP = 1  # beta (lse(r / beta) - log n).
TRUING_VALUE_MEAN = 2  # Mean of the rewards (the authors' beta = 0).
TRUING_VALUE_MAX = 3  # Largest reward.
TRUING_VALUE_ZERO = 4  # 0 (the authors' beta < 0).
TRUING_KL_FIGURE_SEQUENCES = 0  # Sequences with a live token.
TRUING_KL_FIGURE_TOKENS = 1  # Live tokens.
TRUING_KL_FIGURE_K1_PER_SEQUENCE = 2  # Mean of k1 over the sequences.
TRUING_KL_FIGURE_K1_PER_TOKEN = 3  # Sum of k1 over the tokens of all sequences.
TRUING_KL_FIGURE_K1_MEAN_OF_MEANS = 4  # Mean over the sequences of the mean of k1 over their tokens.
TRUING_KL_FIGURE_K3_PER_SEQUENCE = 5  # As with k1.
TRUING_KL_FIGURE_K3_PER_TOKEN = 6  # As with k1.
TRUING_KL_FIGURE_K3_MEAN_OF_MEANS = 7  # As with k1.
TRUING_KL_FIGURE_LENGTH_MEAN = 8  # Mean length.
TRUING_KL_FIGURE_LENGTH_STD = 9  # Standard deviation of the lengths, divisor n.
TRUING_KL_FIGURE_LENGTH_STD_SAMPLE = 10  # The same with divisor n - 1; 0 for one sequence.
TRUING_KL_FIGURE_LENGTH_MIN = 11  # Shortest.
TRUING_KL_FIGURE_LENGTH_MAX = 12  # Longest.
TRUING_KL_FIGURE_COUNT = 16  # Length of `out_figures`; the rest is 0.
TRUING_CLASS_MEAN = 1  # K - 1 (rps) or K (brier).
TRUING_CLASS_SUM = 2  # 1.
TRUING_DIRECTION_TARGET_TO_WEIGHTS = 1  # KL(target || weights).
TRUING_DIRECTION_WEIGHTS_TO_TARGET = 2  # KL(weights || target).
TRUING_ADVANTAGE_GRPO = 1  # (R - mean) / (std + 1e-4).
TRUING_ADVANTAGE_GRPO_BATCH_STD = 2  # (R - mean) / (std of the batch + 1e-4).
TRUING_ADVANTAGE_DR_GRPO = 3  # R - mean.
TRUING_ADVANTAGE_RLOO = 4  # R - mean of the others.
TRUING_ADVANTAGE_GRPO_LOO = 5  # (R - mean of the others) / (std of the others + 1e-6), undivided where that is 0.
TRUING_ADVANTAGE_BATCH_BASELINE = 6  # R - mean of the batch.
TRUING_ADVANTAGE_OPO = 7  # R - mean weighted by length.
TRUING_ADVANTAGE_GPG = 8  # (R - mean) times rows / rows that are not 0.
TRUING_ADVANTAGE_MAX_RL = 9  # (R - mean) / (mean + 1e-6).
TRUING_ADVANTAGE_RAW = 10  # R.
TRUING_BASELINE_NONE = 1  # Nothing.
TRUING_BASELINE_GROUP = 2  # Mean of the group.
TRUING_BASELINE_LEAVE_ONE_OUT = 3  # Mean of the others of the group.
TRUING_BASELINE_BATCH = 4  # Mean of all rows.
TRUING_BASELINE_LENGTH_WEIGHTED = 5  # Mean of the group by `lengths`.
TRUING_SCALE_NONE = 1  # Nothing.
TRUING_SCALE_GROUP_STD = 2  # Deviation of the group.
TRUING_SCALE_BATCH_STD = 3  # Deviation of all rows.
TRUING_SCALE_LEAVE_ONE_OUT_STD = 4  # Deviation of the others of the group.
TRUING_SCALE_GROUP_MEAN = 5  # Mean of the group; rewards >= 0.
TRUING_SCALE_NONZERO_SHARE = 6  # f_norm times the share of rows that are not 0.
TRUING_STD_UNBIASED = 1  # n - 1.
TRUING_STD_POPULATION = 2  # n.
TRUING_EPS_ADD = 1  # std + eps.
TRUING_EPS_SKIP_ZERO = 2  # std + eps, no division where std is 0.
TRUING_EPS_VARIANCE_ADD = 3  # sqrt(var + eps).
TRUING_EPS_VARIANCE_MAX = 4  # sqrt(max(var, eps)).
TRUING_SINGLE_ZERO = 1  # 0.
TRUING_SINGLE_RAW = 2  # The reward.
TRUING_ORDER_SUM_FIRST = 1  # Weighted sum, then the group's advantage.
TRUING_ORDER_NORMALISE_FIRST = 2  # The group's advantage of each, then the weighted sum, then `batch_step`.
TRUING_BATCH_STEP_NONE = 1  # None.
TRUING_BATCH_STEP_STANDARDISE = 2  # (S - mean) / (std + batch_eps).
TRUING_BATCH_STEP_SCALE = 3  # S / std.
TRUING_MASKS_CARRY = 1  # Left out (verl, NeMo-RL, AReaL).
TRUING_MASKS_ZERO = 2  # Reward and value are 0 (OpenRLHF).
TRUING_MASKS_IGNORE = 3  # Rewards and values are read there too; outputs are 0 (torchtune, ROLL, slime).
TRUING_ALIGNMENT_POSITION = 1  # The same position.
TRUING_ALIGNMENT_LIVE_INDEX = 2  # The k-th live ones.
TRUING_DISTILL_OPD = 1  # A - coef clamp(K), K an estimate of KL(student || teacher), k1: -d.
TRUING_DISTILL_IW_OPD = 2  # d, early tokens weighted more.
TRUING_DISTILL_RLSD = 3  # A times a clipped e^d; never another sign.
TRUING_DISTILL_MINILLM = 4  # Discounted sum of d.
TRUING_GRANULARITY_BATCH = 1  # All live tokens.
TRUING_GRANULARITY_SEQUENCE = 2  # Those of a sequence.
TRUING_GRANULARITY_TOKEN = 3  # Nothing.

truing_status = ctypes.c_int32
truing_device_type = ctypes.c_int32
truing_dtype_code = ctypes.c_uint8
truing_math_mode = ctypes.c_uint32
truing_isa = ctypes.c_uint32
truing_loss_id = ctypes.c_uint32
truing_loss_kind = ctypes.c_uint32
truing_rounding = ctypes.c_uint32
truing_support_kind = ctypes.c_uint32
truing_filter_preset = ctypes.c_uint32
truing_ties = ctypes.c_uint32
truing_top_p_edge = ctypes.c_uint32
truing_target_outside = ctypes.c_uint32
truing_smoothing_form = ctypes.c_uint32
truing_token_scaling = ctypes.c_uint32
truing_reduction = ctypes.c_uint32
truing_divergence_kind = ctypes.c_uint32
truing_local_pass = ctypes.c_uint32
truing_score_kind = ctypes.c_uint32
truing_score_divisor = ctypes.c_uint32
truing_score_map = ctypes.c_uint32
truing_loss_flags = ctypes.c_uint32
truing_pair_layout = ctypes.c_uint32
truing_phase = ctypes.c_uint32
truing_side_divisor = ctypes.c_uint32
truing_side_scope = ctypes.c_uint32
truing_wpo_form = ctypes.c_uint32
truing_level = ctypes.c_uint32
truing_aggregate_mode = ctypes.c_uint32
truing_count_empty = ctypes.c_uint32
truing_denominator = ctypes.c_uint32
truing_estimator_weight = ctypes.c_uint32
truing_estimator_gradient = ctypes.c_uint32
truing_clamp_mode = ctypes.c_uint32
truing_kl_stage = ctypes.c_uint32
truing_ratio_source = ctypes.c_uint32
truing_jsd_limits = ctypes.c_uint32
truing_teacher_form = ctypes.c_uint32
truing_partial_support = ctypes.c_uint32
truing_outside = ctypes.c_uint32
truing_shift_mode = ctypes.c_uint32
truing_aot_pairing = ctypes.c_uint32
truing_weight_level = ctypes.c_uint32
truing_weight_action = ctypes.c_uint32
truing_missing = ctypes.c_uint32
truing_normalise = ctypes.c_uint32
truing_rejection_statistic = ctypes.c_uint32
truing_span = ctypes.c_uint32
truing_cov_form = ctypes.c_uint32
truing_item_form = ctypes.c_uint32
truing_value_mode = ctypes.c_uint32
truing_class_form = ctypes.c_uint32
truing_direction = ctypes.c_uint32
truing_advantage_preset = ctypes.c_uint32
truing_baseline = ctypes.c_uint32
truing_advantage_scale = ctypes.c_uint32
truing_std_kind = ctypes.c_uint32
truing_eps_kind = ctypes.c_uint32
truing_single = ctypes.c_uint32
truing_objective_order = ctypes.c_uint32
truing_batch_step = ctypes.c_uint32
truing_mask_handling = ctypes.c_uint32
truing_alignment = ctypes.c_uint32
truing_distill_form = ctypes.c_uint32
truing_granularity = ctypes.c_uint32


class truing_device(ctypes.Structure):
    """A device, in DLDevice's layout."""

    _fields_ = [
        ("device_type", truing_device_type),  # TRUING_DEVICE_*, 0 invalid.
        ("device_id", ctypes.c_int32),  # Ordinal, 0 for the CPU.
    ]


class truing_dtype(ctypes.Structure):
    """An element type, in DLDataType's layout."""

    _fields_ = [
        ("code", truing_dtype_code),  # TRUING_DTYPE_*.
        ("bits", ctypes.c_uint8),  # 8, 16, 32, 64; 0 invalid.
        ("lanes", ctypes.c_uint16),  # 1.
    ]


class truing_tensor(ctypes.Structure):
    """A borrowed array, in DLTensor's layout. Never kept, never freed."""

    _fields_ = [
        ("data", ctypes.c_void_p),  # Address on the device; written only through output fields.
        ("device", truing_device),  # Where data lives.
        ("ndim", ctypes.c_int32),  # 0 to 3.
        ("dtype", truing_dtype),  # Element type.
        ("shape", ctypes.POINTER(ctypes.c_int64)),  # [ndim] host, elements, >= 0.
        ("strides", ctypes.POINTER(ctypes.c_int64)),  # [ndim] host, elements, >= 0, NULL = contiguous; last must be 1 (or 0 for a broadcast input of numbers per token, row or item).
        ("byte_offset", ctypes.c_uint64),  # Bytes added to data.
    ]


class truing_context_options(ctypes.Structure):
    """What `truing_context_create` builds."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof(truing_context_options)`.
        ("num_threads", ctypes.c_uint32),  # 0 = calling thread only, at most 1024.
        ("flags", ctypes.c_uint64),  # 0.
        ("cuda_cache_dir", ctypes.c_char_p),  # UTF-8 path for compiled kernels, NULL = no disk cache.
        ("mode", truing_math_mode),  # 0 = portable.
        ("isa_cap", truing_isa),  # 0 = no cap; for tests.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_param_info(ctypes.Structure):
    """One parameter of a catalogue entry. It may grow: step through `params` by `truing_loss_description.param_size` bytes."""

    _fields_ = [
        ("name", ctypes.c_char_p),  # Static string.
        ("description", ctypes.c_char_p),  # Static string, one line.
        ("default_value", ctypes.c_double),  # NaN = required.
        ("minimum", ctypes.c_double),  # Legal range, -inf = none.
        ("maximum", ctypes.c_double),  # Legal range, +inf = none.
        ("minimum_open", ctypes.c_uint32),  # 1 = bound itself is illegal.
        ("maximum_open", ctypes.c_uint32),  # 1 = bound itself is illegal.
        ("variant", ctypes.c_uint32),  # 0, or the only value of truing_loss.variant with which it is read; with others it need not be given.
        ("reserved", ctypes.c_uint8 * 28),  # 0.
    ]


class truing_loss_description(ctypes.Structure):
    """One catalogue entry."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # In: `sizeof(truing_loss_description)`.
        ("id", truing_loss_id),  # Out: stable id.
        ("name", ctypes.c_char_p),  # Out: static string.
        ("formula", ctypes.c_char_p),  # Out: static string.
        ("source", ctypes.c_char_p),  # Out: static string.
        ("params", ctypes.POINTER(truing_param_info)),  # Out: [num_params], catalogue order, static, `param_size` bytes each.
        ("num_params", ctypes.c_size_t),  # Out.
        ("aliases", ctypes.POINTER(ctypes.c_char_p)),  # Out: [num_aliases] static.
        ("num_aliases", ctypes.c_size_t),  # Out.
        ("inputs", ctypes.c_uint64),  # Out: TRUING_SLOT_* read.
        ("partials", ctypes.c_uint64),  # Out: TRUING_SLOT_* with a partial.
        ("param_partials", ctypes.c_uint64),  # Out: bit i = a partial wrt params[i] exists.
        ("kind", truing_loss_kind),  # Out: TRUING_KIND_*.
        ("preset_of", truing_loss_id),  # Out: 0, or the entry whose formula it uses.
        ("score_kinds", ctypes.c_uint32),  # Out: bit k = score kind k allowed (TRUING_SCORE_*), 0 = not applicable.
        ("num_variants", ctypes.c_uint32),  # Out: legal values 1..num_variants of truing_loss.variant, 0 = none.
        ("takes_map", ctypes.c_uint32),  # Out: 1 = a score map is allowed.
        ("levels", ctypes.c_uint32),  # Out: bit k = level k allowed (TRUING_LEVEL_*).
        ("param_size", ctypes.c_uint32),  # Out: bytes of one `truing_param_info` of this library.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("variants", ctypes.POINTER(ctypes.c_char_p)),  # Out: [num_variants] static, the names of variants 1, 2 and so on.
        ("reserved", ctypes.c_uint8 * 56),  # 0.
    ]


class truing_transform(ctypes.Structure):
    """What happens to a logit before the softmax: bias, logit_scale, softcap, 1/temperature, in this order."""

    _fields_ = [
        ("bias", ctypes.POINTER(truing_tensor)),  # float [V], finite or -inf.
        ("row_temperature", ctypes.POINTER(truing_tensor)),  # f32 [N] > 0, replaces temperature.
        ("temperature", ctypes.c_double),  # > 0, 0 = 1.
        ("logit_scale", ctypes.c_double),  # > 0, 0 = 1.
        ("softcap", ctypes.c_double),  # > 0 logits, 0 = off.
        ("n_valid_vocab", ctypes.c_int64),  # Columns, 0 = V; the rest is dead.
        ("logit_round", truing_rounding),  # Linear forms, fused losses too: rounding of z before the transforms; gradients pass straight through.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_head(ctypes.Structure):
    """Logits = hidden x weight^T, then the transforms."""

    _fields_ = [
        ("hidden", ctypes.POINTER(truing_tensor)),  # float [N,D] or [B,T,D].
        ("weight", ctypes.POINTER(truing_tensor)),  # float [V,D].
        ("transform", truing_transform),  # Its transforms, bias included.
        ("reserved", ctypes.c_uint8 * 40),  # 0.
    ]


class truing_head_grads(ctypes.Structure):
    """Gradients of a head, each NULL = not wanted."""

    _fields_ = [
        ("grad_hidden_out", ctypes.POINTER(truing_tensor)),  # float as hidden.
        ("grad_weight_out", ctypes.POINTER(truing_tensor)),  # f32, or the weight's dtype where allowed, [V,D].
        ("grad_bias_out", ctypes.POINTER(truing_tensor)),  # f32 [V].
        ("reserved", ctypes.c_uint8 * 24),  # 0.
    ]


class truing_rows(ctypes.Structure):
    """Which rows count and what their target is."""

    _fields_ = [
        ("target", ctypes.POINTER(truing_tensor)),  # int [N] or [B,T].
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [N] or [B,T], row live iff != 0.
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [B+1], packed layout.
        ("ignore_index", ctypes.c_int64),  # Token id, only with TRUING_HAS_IGNORE_INDEX.
        ("shift", ctypes.c_int64),  # Rows, 0 to 2^31 - 1: row i uses target[i + shift] of its sequence (cu_seqlens, a row of [B,T], else all rows).
        ("reserved", ctypes.c_uint8 * 24),  # 0.
    ]


class truing_shard(ctypes.Structure):
    """Columns of the vocabulary that this device holds; all 0 = the whole vocabulary."""

    _fields_ = [
        ("vocab_start", ctypes.c_int64),  # Global column of local column 0.
        ("vocab_end", ctypes.c_int64),  # Global column behind the last local one, 0 = not sharded.
        ("vocab_total", ctypes.c_int64),  # Global columns.
        ("reserved", ctypes.c_uint8 * 32),  # 0.
    ]


class truing_support(ctypes.Structure):
    """Sampling support that log-probs are normalised over; kind 0 = full vocabulary. Every figure and gradient is then that of the row whose columns outside the support are dead."""

    _fields_ = [
        ("bitmask", ctypes.POINTER(truing_tensor)),  # u32 [N, ceil(V/32)].
        ("ids", ctypes.POINTER(truing_tensor)),  # int [N,K] padded with -1, or [total] with id_offsets; strictly ascending.
        ("id_offsets", ctypes.POINTER(truing_tensor)),  # int [N+1].
        ("top_p", ctypes.c_double),  # Mass in (0,1), 0 or >= 1 = off.
        ("min_p", ctypes.c_double),  # (0,1], 0 = off.
        ("top_k", ctypes.c_int64),  # Columns, <= 0 = off.
        ("kind", truing_support_kind),  # TRUING_SUPPORT_*, 0 = off.
        ("preset", truing_filter_preset),  # Computed: order and masses, required.
        ("ties", truing_ties),  # 0 = the preset's.
        ("top_p_edge", truing_top_p_edge),  # 0 = the preset's.
        ("target_outside", truing_target_outside),  # 0 = keep.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("reserved", ctypes.c_uint8 * 24),  # 0.
    ]


class truing_row_loss(ctypes.Structure):
    """Loss of a row: omega * smoothed nll + z_loss * lse^2."""

    _fields_ = [
        ("class_weight", ctypes.POINTER(truing_tensor)),  # float [V] >= 0; of the whole vocabulary in a shard too.
        ("external_scale", ctypes.POINTER(truing_tensor)),  # f32 [N] >= 0, token_scaling EXTERNAL.
        ("label_smoothing", ctypes.c_double),  # [0,1).
        ("z_loss", ctypes.c_double),  # >= 0, 1/nat^2.
        ("eaft_alpha", ctypes.c_double),  # Exponent > 0, 0 = 1.
        ("normaliser", ctypes.c_double),  # External divisor, 0 = off.
        ("smoothing_form", truing_smoothing_form),  # Required when label_smoothing > 0.
        ("token_scaling", truing_token_scaling),  # Constants, not differentiated.
        ("reduction", truing_reduction),  # Required when out_loss is wanted.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("reserved", ctypes.c_uint8 * 24),  # 0.
    ]


class truing_figures(ctypes.Structure):
    """Outputs per row, each NULL = not wanted and costs nothing. With f64 logits every f32 below is f64."""

    _fields_ = [
        ("out_logprob", ctypes.POINTER(truing_tensor)),  # f32 [N], nats; -inf if the target is dead.
        ("out_lse", ctypes.POINTER(truing_tensor)),  # f32 [N], nats.
        ("out_max", ctypes.POINTER(truing_tensor)),  # f32 [N], transformed logit.
        ("out_argmax", ctypes.POINTER(truing_tensor)),  # i32 [N].
        ("out_entropy", ctypes.POINTER(truing_tensor)),  # f32 [N], nats.
        ("out_log_sum_sq", ctypes.POINTER(truing_tensor)),  # f32 [N], log of sum p^2.
        ("out_mean_logit", ctypes.POINTER(truing_tensor)),  # f32 [N], over live columns.
        ("out_is_top1", ctypes.POINTER(truing_tensor)),  # u8 [N].
        ("out_rank", ctypes.POINTER(truing_tensor)),  # i32 [N], 0-based.
        ("out_ties", ctypes.POINTER(truing_tensor)),  # i32 [N].
        ("out_topk_ids", ctypes.POINTER(truing_tensor)),  # i32 [N,K], K <= 512 from the shape.
        ("out_topk_logprobs", ctypes.POINTER(truing_tensor)),  # f32 [N,K], nats.
        ("out_topk_entropy", ctypes.POINTER(truing_tensor)),  # f32 [N], nats, over the entropy_k largest.
        ("extra_ids", ctypes.POINTER(truing_tensor)),  # Input: int [K] or [N,K], -1 = none.
        ("out_extra_logprobs", ctypes.POINTER(truing_tensor)),  # f32 [N,K], nats; -inf for -1 and for columns that are dead (a logit or bias of -inf, padding).
        ("out_lse_support", ctypes.POINTER(truing_tensor)),  # f32 [N], nats.
        ("out_log_kept_mass", ctypes.POINTER(truing_tensor)),  # f32 [N], nats <= 0.
        ("out_support_size", ctypes.POINTER(truing_tensor)),  # i32 [N], live columns of the support; -1 in ignored and bad rows.
        ("out_support_bitmask", ctypes.POINTER(truing_tensor)),  # u32 [N, ceil(V/32)], the support used; feed back as `support.bitmask`.
        ("out_support_ids", ctypes.POINTER(truing_tensor)),  # i32 [N,K] ascending, -1 pads, the support used; rows with more than K kept hold the first K, flagged SATURATED.
        ("out_token_scale", ctypes.POINTER(truing_tensor)),  # f32 [N], the omega used; feed back as external_scale in backward.
        ("out_row_loss", ctypes.POINTER(truing_tensor)),  # f32 [N], unreduced.
        ("out_loss", ctypes.POINTER(truing_tensor)),  # f32 or f64 0-d, reduced.
        ("out_stats", ctypes.POINTER(truing_tensor)),  # f32 [N,12], opaque: for backward with the same options and library version.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [N], TRUING_ROW_*.
        ("out_counters", ctypes.POINTER(truing_tensor)),  # i64 [32].
        ("entropy_k", ctypes.c_int64),  # Columns of out_topk_entropy, 0 = min(20, live).
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_row_upstream(ctypes.Structure):
    """Gradients handed to a backward, each NULL = 0. With f64 logits every f32 below is f64."""

    _fields_ = [
        ("grad_logprob", ctypes.POINTER(truing_tensor)),  # f32 [N].
        ("grad_lse", ctypes.POINTER(truing_tensor)),  # f32 [N].
        ("grad_entropy", ctypes.POINTER(truing_tensor)),  # f32 [N].
        ("grad_extra", ctypes.POINTER(truing_tensor)),  # f32 [N,K], with extra_ids: g (1[j = id] - p_j) each; where the column is dead the second part alone, where it is -1 neither.
        ("grad_row_loss", ctypes.POINTER(truing_tensor)),  # f32 [N].
        ("grad_loss", ctypes.POINTER(truing_tensor)),  # float 0-d on the device, of the reduced loss.
        ("extra_ids", ctypes.POINTER(truing_tensor)),  # int [K] or [N,K].
        ("grad_scale", ctypes.c_double),  # Host factor on all of them, 0 = 1 without TRUING_HAS_GRAD_SCALE.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_logprob_forward_args(ctypes.Structure):
    """Figures and loss of rows of logits."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("logits", ctypes.POINTER(truing_tensor)),  # float [N,V] or [B,T,V].
        ("transform", truing_transform),  # Transforms of the logits.
        ("rows", truing_rows),  # Targets, mask, packing.
        ("support", truing_support),  # Normalise over a sampling support.
        ("row_loss", truing_row_loss),  # Options of out_row_loss and out_loss.
        ("figures", truing_figures),  # Outputs.
        ("grad_logits_out", ctypes.POINTER(truing_tensor)),  # Fused gradient of out_loss; may be logits itself.
        ("grad_bias_out", ctypes.POINTER(truing_tensor)),  # f32 [V], fused gradient of out_loss.
        ("grad_loss", ctypes.POINTER(truing_tensor)),  # Upstream of the fused gradient, float 0-d, NULL = 1.
        ("grad_scale", ctypes.c_double),  # Host factor of the fused gradient, 0 = 1 without TRUING_HAS_GRAD_SCALE.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_logprob_backward_args(ctypes.Structure):
    """Gradient of the logits from gradients of the figures."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("logits", ctypes.POINTER(truing_tensor)),  # As in forward.
        ("transform", truing_transform),  # As in forward.
        ("rows", truing_rows),  # As in forward.
        ("support", truing_support),  # As in forward; computed filters: run again, or BITMASK with `figures.out_support_bitmask` of the forward.
        ("row_loss", truing_row_loss),  # As in forward. Without stats eaft finds its entropies again; EXTERNAL with `out_token_scale` saves that.
        ("shard", truing_shard),  # Columns of this shard.
        ("stats", ctypes.POINTER(truing_tensor)),  # f32 [N,12] of forward or finish, NULL = recompute.
        ("upstream", truing_row_upstream),  # Gradients of the figures.
        ("grad_logits_out", ctypes.POINTER(truing_tensor)),  # float as logits or wider; may be logits itself.
        ("grad_bias_out", ctypes.POINTER(truing_tensor)),  # f32 [V].
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [N].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_logprob_local_args(ctypes.Structure):
    """Records of the columns of one vocabulary shard."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("logits", ctypes.POINTER(truing_tensor)),  # float [N,V_local].
        ("transform", truing_transform),  # `bias` is [V_local], `n_valid_vocab` global.
        ("rows", truing_rows),  # Targets are global ids.
        ("support", truing_support),  # BITMASK or IDS, whose columns count from this shard's first.
        ("row_loss", truing_row_loss),  # Label smoothing: the records then hold what it needs.
        ("shard", truing_shard),  # Required.
        ("stats", ctypes.POINTER(truing_tensor)),  # f32 [N,12] of finish, second pass only.
        ("extra_ids", ctypes.POINTER(truing_tensor)),  # int [K] or [N,K], global.
        ("out_records", ctypes.POINTER(truing_tensor)),  # f32 [N,12], record of all live local columns; first pass.
        ("out_support_records", ctypes.POINTER(truing_tensor)),  # f32 [N,12], record of those in the support; first pass.
        ("out_topk_ids", ctypes.POINTER(truing_tensor)),  # i32 [N,K], global ids.
        ("out_topk_logits", ctypes.POINTER(truing_tensor)),  # f32 [N,K], transformed.
        ("out_extra_logits", ctypes.POINTER(truing_tensor)),  # f32 [N,K], -inf where the id is not local.
        ("out_counts", ctypes.POINTER(truing_tensor)),  # i64 [N,4]: larger and tied (in the support, if there is one), kept, live; second pass, counts add.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [N].
        ("local_pass", truing_local_pass),  # TRUING_LOCAL_*, required.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_logprob_finish_args(ctypes.Structure):
    """Figures from the records of all shards."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("records", ctypes.POINTER(truing_tensor)),  # f32 [shards,N,12], in shard order.
        ("support_records", ctypes.POINTER(truing_tensor)),  # f32 [shards,N,12]; figures are then over the support. NULL = full vocabulary.
        ("shard_starts", ctypes.POINTER(truing_tensor)),  # i64 [shards+1] on the CPU, global columns, ascending.
        ("topk_ids", ctypes.POINTER(truing_tensor)),  # i32 [shards,N,K].
        ("topk_logits", ctypes.POINTER(truing_tensor)),  # f32 [shards,N,K].
        ("extra_logits", ctypes.POINTER(truing_tensor)),  # f32 [shards,N,K].
        ("counts", ctypes.POINTER(truing_tensor)),  # i64 [N,4], already summed over shards.
        ("transform", truing_transform),  # Scalars only.
        ("rows", truing_rows),  # As in local.
        ("row_loss", truing_row_loss),  # Options of out_row_loss and out_loss. EAFT needs topk lists of 20.
        ("figures", truing_figures),  # Outputs; `extra_ids` as in local. No bitmask and no ids of the support.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_linear_logprob_forward_args(ctypes.Structure):
    """Figures and loss of hidden x weight^T, without a logits tensor."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("head", truing_head),  # Hidden, weight, bias, transforms.
        ("rows", truing_rows),  # Targets, mask, packing.
        ("support", truing_support),  # Normalise over a sampling support.
        ("row_loss", truing_row_loss),  # Options of the loss outputs.
        ("figures", truing_figures),  # Outputs.
        ("grads", truing_head_grads),  # Fused gradient of out_loss.
        ("grad_loss", ctypes.POINTER(truing_tensor)),  # Upstream of the fused gradient, float 0-d, NULL = 1.
        ("grad_scale", ctypes.c_double),  # Host factor of the fused gradient, 0 = 1 without TRUING_HAS_GRAD_SCALE.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_linear_logprob_backward_args(ctypes.Structure):
    """Gradients of hidden, weight and bias from gradients of the figures."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("head", truing_head),  # As in forward.
        ("rows", truing_rows),  # As in forward.
        ("support", truing_support),  # As in forward.
        ("row_loss", truing_row_loss),  # As in forward.
        ("shard", truing_shard),  # Weight holds these columns; grad_hidden_out is then a partial sum.
        ("stats", ctypes.POINTER(truing_tensor)),  # f32 [N,12], NULL = recompute.
        ("upstream", truing_row_upstream),  # Gradients of the figures.
        ("grads", truing_head_grads),  # Outputs.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [N].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_linear_logprob_local_args(ctypes.Structure):
    """Records of the columns of one vocabulary shard of the weight."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("head", truing_head),  # `weight` is [V_local,D].
        ("rows", truing_rows),  # Targets are global ids.
        ("support", truing_support),  # BITMASK or IDS, whose columns count from this shard's first.
        ("row_loss", truing_row_loss),  # Label smoothing: the records then hold what it needs.
        ("shard", truing_shard),  # Required.
        ("stats", ctypes.POINTER(truing_tensor)),  # f32 [N,12] of finish, second pass only.
        ("extra_ids", ctypes.POINTER(truing_tensor)),  # int [K] or [N,K], global.
        ("out_records", ctypes.POINTER(truing_tensor)),  # f32 [N,12], record of all live local columns; first pass.
        ("out_support_records", ctypes.POINTER(truing_tensor)),  # f32 [N,12], record of those in the support; first pass.
        ("out_topk_ids", ctypes.POINTER(truing_tensor)),  # i32 [N,K], global ids.
        ("out_topk_logits", ctypes.POINTER(truing_tensor)),  # f32 [N,K].
        ("out_extra_logits", ctypes.POINTER(truing_tensor)),  # f32 [N,K], -inf where the id is not local.
        ("out_counts", ctypes.POINTER(truing_tensor)),  # i64 [N,4]: larger and tied (in the support, if there is one), kept, live; second pass, counts add.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [N].
        ("local_pass", truing_local_pass),  # TRUING_LOCAL_*, required.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_support_mask_args(ctypes.Structure):
    """Which columns the filters of a sampler keep."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("logits", ctypes.POINTER(truing_tensor)),  # float [N,V] or [B,T,V].
        ("transform", truing_transform),  # Transforms of the logits.
        ("rows", truing_rows),  # Mask and ignored targets: such rows keep nothing.
        ("support", truing_support),  # Kind COMPUTED: the filters.
        ("out_bitmask", ctypes.POINTER(truing_tensor)),  # u32 [N, ceil(V/32)], column j = bit j mod 32 of word j/32.
        ("out_ids", ctypes.POINTER(truing_tensor)),  # i32 [N,K] ascending, -1 pads; rows with more than K kept hold the first K and are flagged SATURATED.
        ("out_size", ctypes.POINTER(truing_tensor)),  # i32 [N], columns kept; -1 in ignored rows and those with NaN or +inf.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [N], TRUING_ROW_*.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_tds_rows_args(ctypes.Structure):
    """Token distribution shift of an aligned model against its base."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("base", ctypes.POINTER(truing_tensor)),  # float [N,V] or [B,T,V], logits of the base model.
        ("aligned", ctypes.POINTER(truing_tensor)),  # float as base, logits of the aligned model.
        ("base_transform", truing_transform),  # Transforms of base.
        ("aligned_transform", truing_transform),  # Transforms of aligned.
        ("rows", truing_rows),  # Tokens (NULL = the largest column of each aligned row), mask.
        ("out_rank", ctypes.POINTER(truing_tensor)),  # i32 [N], base columns above the token's; -1 in masked and bad rows.
        ("out_ties", ctypes.POINTER(truing_tensor)),  # i32 [N], other base columns equal to it.
        ("out_eta", ctypes.POINTER(truing_tensor)),  # i32 [N], rank + 1.
        ("out_eta_max", ctypes.POINTER(truing_tensor)),  # i32 [N], eta + ties.
        ("out_logp_base", ctypes.POINTER(truing_tensor)),  # f32 [N], nats, of the token under base.
        ("out_logp_aligned", ctypes.POINTER(truing_tensor)),  # f32 [N], nats, of the token under aligned.
        ("out_kl_aligned_base", ctypes.POINTER(truing_tensor)),  # f32 [N], nats, KL(aligned||base).
        ("out_kl_base_aligned", ctypes.POINTER(truing_tensor)),  # f32 [N], nats, KL(base||aligned).
        ("out_class", ctypes.POINTER(truing_tensor)),  # u8 [N]: 0 eta 1, 1 eta 2 or 3, 2 eta above 3, 255 none.
        ("out_counts", ctypes.POINTER(truing_tensor)),  # i64 [4], rows of classes 0, 1, 2 and 255.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [N], TRUING_ROW_*.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_score(ctypes.Structure):
    """How the tokens of a sequence form its score."""

    _fields_ = [
        ("token_weights", ctypes.POINTER(truing_tensor)),  # f32 [N] >= 0, NULL = 1.
        ("ld_prefix", ctypes.POINTER(truing_tensor)),  # i32 [B] tokens, score ld: min length of the pair.
        ("ld_alpha", ctypes.c_double),  # [0,1], weight behind the prefix, used as given.
        ("clamp_low", ctypes.c_double),  # Token log-ratio bound, nats, with TRUING_HAS_CLAMP.
        ("clamp_high", ctypes.c_double),  # Token log-ratio bound, nats, with TRUING_HAS_CLAMP.
        ("normaliser", ctypes.c_double),  # Divisor EXTERNAL, > 0.
        ("kind", truing_score_kind),  # Required.
        ("divisor", truing_score_divisor),  # Mean: required.
        ("reserved", ctypes.c_uint8 * 24),  # 0.
    ]


class truing_sequence_forward_args(ctypes.Structure):
    """Token values to sequence scores."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("logps", ctypes.POINTER(truing_tensor)),  # float [N] or [B,T], nats.
        ("ref_logps", ctypes.POINTER(truing_tensor)),  # float, same shape; score of the difference.
        ("mask", ctypes.POINTER(truing_tensor)),  # mask, same shape.
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [B+1], packed layout.
        ("score", truing_score),  # Options.
        ("out_scores", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B], nats.
        ("out_counts", ctypes.POINTER(truing_tensor)),  # i32 [B], live tokens.
        ("out_first", ctypes.POINTER(truing_tensor)),  # i32 [B], first live position, -1 if none.
        ("out_last", ctypes.POINTER(truing_tensor)),  # i32 [B], last live position, -1 if none.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [B].
        ("out_counters", ctypes.POINTER(truing_tensor)),  # i64 [32].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_sequence_backward_args(ctypes.Structure):
    """Gradients of the token values."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("logps", ctypes.POINTER(truing_tensor)),  # As in forward, needed with a clamp only.
        ("ref_logps", ctypes.POINTER(truing_tensor)),  # As in forward, needed with a clamp only.
        ("mask", ctypes.POINTER(truing_tensor)),  # As in forward.
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # As in forward.
        ("score", truing_score),  # As in forward.
        ("grad_scores", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B].
        ("grad_output", ctypes.POINTER(truing_tensor)),  # float 0-d factor, NULL = 1.
        ("grad_logps_out", ctypes.POINTER(truing_tensor)),  # f32 as logps.
        ("grad_ref_logps_out", ctypes.POINTER(truing_tensor)),  # f32 as logps.
        ("grad_scale", ctypes.c_double),  # Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_loss(ctypes.Structure):
    """One catalogue entry with its settings."""

    _fields_ = [
        ("id", truing_loss_id),  # TRUING_PAIR_*, TRUING_TOKEN_* and so on of truing_losses.h; its kind decides which inputs are read.
        ("variant", ctypes.c_uint32),  # Integer choice of the entry (cispo bounds, bt_ties model), 0 = none.
        ("params", ctypes.POINTER(ctypes.c_double)),  # [num_params] host, catalogue order, NaN = default.
        ("num_params", ctypes.c_size_t),  # Values given; a missing tail means default.
        ("weight", ctypes.c_double),  # Factor after the reduction, 0 = 1 without TRUING_LOSS_HAS_WEIGHT; a term of weight 0 adds nothing.
        ("normaliser", ctypes.c_double),  # External divisor of the reduction, 0 = off.
        ("map_alpha", ctypes.c_double),  # Alpha of the score map (exponent, not TRL's 1 - alpha).
        ("map_max_exponent", ctypes.c_double),  # Clamp of the map's exponent, 0 = off.
        ("map", truing_score_map),  # Score map, entries of the difference only.
        ("reduction", truing_reduction),  # Required for pair, unpaired, list; 0 for token and sequence kinds.
        ("score_kind", ctypes.c_uint32),  # TRUING_SCORE_SUM or MEAN of this term, made from sums and live counts; 0 = the call's.
        ("flags", truing_loss_flags),  # TRUING_LOSS_HAS_*.
        ("reserved", ctypes.c_uint8 * 24),  # 0.
    ]


class truing_groups(ctypes.Structure):
    """How sequences form items: pairs [P], unpaired rows [S] or lists [L]."""

    _fields_ = [
        ("chosen_seq", ctypes.POINTER(truing_tensor)),  # int [P], sequence index.
        ("rejected_seq", ctypes.POINTER(truing_tensor)),  # int [P], sequence index.
        ("anchor_seq", ctypes.POINTER(truing_tensor)),  # int [P], sequence index.
        ("list_offsets", ctypes.POINTER(truing_tensor)),  # int [L+1] into members.
        ("member_seq", ctypes.POINTER(truing_tensor)),  # int [M], sequence index, NULL = members are the sequences in order.
        ("list_targets", ctypes.POINTER(truing_tensor)),  # float [M], reward or rank of the entry.
        ("item_mask", ctypes.POINTER(truing_tensor)),  # mask [items], 0 = ignored.
        ("item_weight", ctypes.POINTER(truing_tensor)),  # float [items] >= 0 or 0-d, NULL = 1.
        ("item_beta", ctypes.POINTER(truing_tensor)),  # float [items] > 0 or 0-d, replaces the entry's beta; bt_mse: alpha.
        ("margin_chosen", ctypes.POINTER(truing_tensor)),  # float [P] or 0-d, meaning by entry.
        ("margin_rejected", ctypes.POINTER(truing_tensor)),  # float [P] or 0-d, meaning by entry.
        ("label", ctypes.POINTER(truing_tensor)),  # u8 or i8 [S], unpaired: > 0 desirable.
        ("baseline", ctypes.POINTER(truing_tensor)),  # float [S] or 0-d: kto z0, poft m, a_star_po r - V, prime_ce y.
        ("shift", ctypes.POINTER(truing_tensor)),  # float [items] or 0-d: bco delta.
        ("layout", truing_pair_layout),  # Pairs: required.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("reserved", ctypes.c_uint8 * 32),  # 0.
    ]


class truing_item_outputs(ctypes.Structure):
    """Outputs of one preference term, each NULL = not wanted. Shapes are those of the term's items."""

    _fields_ = [
        ("out_losses", ctypes.POINTER(truing_tensor)),  # f64 or f32 [items], before weights and reduction (also the partial wrt the item weight).
        ("out_reward_chosen", ctypes.POINTER(truing_tensor)),  # f64 or f32 [P]; unpaired [S]; list [M].
        ("out_reward_rejected", ctypes.POINTER(truing_tensor)),  # f64 or f32 [P].
        ("grad_margin_out", ctypes.POINTER(truing_tensor)),  # f64 or f32 [P], wrt margin_chosen - margin_rejected.
        ("grad_margin_chosen_out", ctypes.POINTER(truing_tensor)),  # f64 or f32 [P], wrt margin_chosen; 0 where the entry has no such partial.
        ("grad_margin_rejected_out", ctypes.POINTER(truing_tensor)),  # f64 or f32 [P], wrt margin_rejected.
        ("grad_baseline_out", ctypes.POINTER(truing_tensor)),  # f64 or f32 [S].
        ("grad_params_out", ctypes.POINTER(truing_tensor)),  # f64 [num_params], summed over items; 0 where no partial exists.
        ("out_aux", ctypes.POINTER(truing_tensor)),  # f64 or f32 [items], the entry's second output (poft weight).
        ("out_statistics", ctypes.POINTER(truing_tensor)),  # f64 [TRUING_PREFERENCE_STAT_COUNT], sums over live items.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [items], `TRUING_ROW_*`.
        ("reserved", ctypes.c_uint8 * 48),  # 0.
    ]


class truing_preference_outputs(ctypes.Structure):
    """Outputs of all terms together, each NULL = not wanted."""

    _fields_ = [
        ("out_loss", ctypes.POINTER(truing_tensor)),  # f64 or f32 0-d, sum of all terms after reduction.
        ("grad_scores_out", ctypes.POINTER(truing_tensor)),  # f64 or f32 [S]; a sequence in several items adds in item order (chosen, rejected, anchor), then term order.
        ("grad_kl_out", ctypes.POINTER(truing_tensor)),  # f64 or f32 [S].
        ("out_counters", ctypes.POINTER(truing_tensor)),  # i64 [32], one per status bit.
        ("reserved", ctypes.c_uint8 * 32),  # 0.
    ]


class truing_preference_term(ctypes.Structure):
    """A further term of the same call: its own entry over the call's items. It may grow: the call's `extra_term_size` says where the next one starts."""

    _fields_ = [
        ("loss", truing_loss),  # Entry and settings.
        ("reserved", ctypes.c_uint8 * 32),  # 0.
    ]


class truing_preference_forward_args(ctypes.Structure):
    """Split form: sequence scores in, loss and partials out."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("scores", ctypes.POINTER(truing_tensor)),  # f64 or float [S], nats (or rewards of a reward model).
        ("ref_scores", ctypes.POINTER(truing_tensor)),  # f64 or float [S], NULL = no reference or already subtracted.
        ("lengths", ctypes.POINTER(truing_tensor)),  # i32 [S], scored tokens; required by entries that divide.
        ("kl", ctypes.POINTER(truing_tensor)),  # f64 or float [S], nats: tdpo.
        ("groups", truing_groups),  # Pairs, rows or lists.
        ("loss", truing_loss),  # First term.
        ("extra_terms", ctypes.POINTER(truing_preference_term)),  # Host [num_extra_terms], further terms, `extra_term_size` bytes each.
        ("num_extra_terms", ctypes.c_size_t),  # Number of further terms, at most 7.
        ("grad_output", ctypes.POINTER(truing_tensor)),  # float 0-d, or [items] for REDUCE_NONE; NULL = 1.
        ("grad_scale", ctypes.c_double),  # Host factor of the partials, 0 = 1 without TRUING_HAS_GRAD_SCALE.
        ("score_kind", truing_score_kind),  # What scores are; checked against the entry, 0 = not checked.
        ("extra_term_size", ctypes.c_uint32),  # `sizeof(truing_preference_term)` as the caller compiled it, 0 = that of version 1.
        ("items", truing_item_outputs),  # Outputs of the first term.
        ("outputs", truing_preference_outputs),  # Outputs of all terms together.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_side_term(ctypes.Structure):
    """A further term over tokens: coef * (nll, or exact divergence to the reference head)."""

    _fields_ = [
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [N], may exceed rows.mask (orpo of TRL: prompt too), NULL = rows.mask.
        ("coef", ctypes.c_double),  # Factor, finite, either sign.
        ("normaliser", ctypes.c_double),  # Tokens, divisor EXTERNAL.
        ("divisor", truing_side_divisor),  # Required when coef != 0.
        ("scope", truing_side_scope),  # Its tokens; required when coef != 0.
        ("divergence", truing_divergence_kind),  # 0 = -logprob of the target; else this divergence to `ref_head`'s row: FORWARD_KL, or REVERSE_KL (KL(policy||ref)).
        ("reserved0", ctypes.c_uint32),  # 0.
        ("reserved", ctypes.c_uint8 * 32),  # 0.
    ]


class truing_linear_preference_args(ctypes.Structure):
    """Hidden states to preference loss and gradients (`truing_linear_preference_forward`)."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("head", truing_head),  # Policy.
        ("ref_head", truing_head),  # Reference over the same rows, hidden NULL = none (tdpo needs it).
        ("rows", truing_rows),  # Targets; `cu_seqlens` [S+1], or shapes [S,T].
        ("support", truing_support),  # Sampling support.
        ("score", truing_score),  # Tokens to scores.
        ("ref_logps", ctypes.POINTER(truing_tensor)),  # float [N], token reference, nats.
        ("ref_scores", ctypes.POINTER(truing_tensor)),  # f64 or float [S], sequence reference, nats.
        ("groups", truing_groups),  # Pairs, rows or lists.
        ("loss", truing_loss),  # First term.
        ("extra_terms", ctypes.POINTER(truing_preference_term)),  # Host [num_extra_terms], further terms, `extra_term_size` bytes each.
        ("num_extra_terms", ctypes.c_size_t),  # Number of further terms, at most 7.
        ("side_term", truing_side_term),  # A further term over tokens.
        ("score_coefficients", ctypes.POINTER(truing_tensor)),  # f64 [S], dL/dscore, phase WITH_COEFFICIENTS.
        ("kl_coefficients", ctypes.POINTER(truing_tensor)),  # f64 [S], dL/dkl, phase WITH_COEFFICIENTS with `ref_head`.
        ("stats", ctypes.POINTER(truing_tensor)),  # f32 [N,12] of the first phase, NULL = recompute.
        ("pair_stats", ctypes.POINTER(truing_tensor)),  # f32 [N,16] of the first phase, both heads, with `ref_head`; NULL = recompute.
        ("grad_output", ctypes.POINTER(truing_tensor)),  # float 0-d, NULL = 1.
        ("grad_scale", ctypes.c_double),  # Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
        ("phase", truing_phase),  # Required.
        ("wpo", truing_wpo_form),  # Pair weight from this head, a further factor beside `groups.item_weight`; 0 = off.
        ("extra_term_size", ctypes.c_uint32),  # `sizeof(truing_preference_term)` as the caller compiled it, 0 = that of version 1.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("grads", truing_head_grads),  # Outputs, policy head.
        ("out_logps", ctypes.POINTER(truing_tensor)),  # f32 [N], nats.
        ("out_scores", ctypes.POINTER(truing_tensor)),  # f64 [S].
        ("out_ref_scores", ctypes.POINTER(truing_tensor)),  # f64 [S], with ref_head or ref_logps.
        ("out_kl", ctypes.POINTER(truing_tensor)),  # f64 [S], sum of KL(ref||policy) (of the side term's divergence, where that is another), with ref_head.
        ("out_counts", ctypes.POINTER(truing_tensor)),  # i32 [S], live tokens.
        ("out_side_term", ctypes.POINTER(truing_tensor)),  # f64 0-d, the side term before `coef`.
        ("out_stats", ctypes.POINTER(truing_tensor)),  # f32 [N,12], opaque.
        ("out_pair_stats", ctypes.POINTER(truing_tensor)),  # f32 [N,16], both heads, opaque; with `ref_head`.
        ("out_row_status", ctypes.POINTER(truing_tensor)),  # u32 [N].
        ("items", truing_item_outputs),  # Outputs of the first term.
        ("outputs", truing_preference_outputs),  # Outputs of all terms together.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_aggregate(ctypes.Structure):
    """How token or sequence values form one loss."""

    _fields_ = [
        ("normaliser", ctypes.c_double),  # Replaces the denominator, 0 = off.
        ("max_length", ctypes.c_double),  # Divisor in tokens of SEQ_MEAN_TOKEN_SUM_NORM.
        ("mode", truing_aggregate_mode),  # Required.
        ("count_empty", truing_count_empty),  # Required by the seq_ modes.
        ("denominator", truing_denominator),  # 0 = original.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("reserved", ctypes.c_uint8 * 32),  # 0.
    ]


class truing_estimator(ctypes.Structure):
    """KL to the reference: as a term beside the loss, or as a catalogue entry of its own."""

    _fields_ = [
        ("id", truing_loss_id),  # `k1`, `k2`, `k3`, `abs`; 0 = off.
        ("weight", truing_estimator_weight),  # Required when id is set.
        ("gradient", truing_estimator_gradient),  # Required when id is set.
        ("input_clamp_mode", truing_clamp_mode),  # Required when input_clamp > 0.
        ("ratio_source", truing_ratio_source),  # 0 = old.
        ("stage", truing_kl_stage),  # As a term: 0 = after weight.
        ("divergence", truing_divergence_kind),  # Instead of `id`: exact divergence to `ref_head`'s row, linear_policy only (reverse_kl = KL(policy||ref)); kinds without parameters. 0 = off.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("coef", ctypes.c_double),  # As a term: factor >= 0, 0 = off but still reported.
        ("input_clamp", ctypes.c_double),  # Nats, 0 = none.
        ("output_clamp", ctypes.c_double),  # 0 = none.
        ("ratio_max", ctypes.c_double),  # >= 1, 0 = none.
        ("reserved", ctypes.c_uint8 * 32),  # 0.
    ]


class truing_policy_term(ctypes.Structure):
    """A further token or sequence loss of the same pass with its own inputs and divisor. It may grow: the call's `extra_term_size` says where the next one starts."""

    _fields_ = [
        ("loss", truing_loss),  # `positive_nll`, `sdar`, `dft` and others.
        ("old", ctypes.POINTER(truing_tensor)),  # float [N], NULL = the call's.
        ("ref", ctypes.POINTER(truing_tensor)),  # float [N], teacher for sdar; NULL = the call's.
        ("advantage", ctypes.POINTER(truing_tensor)),  # float [N] or [B], NULL = the call's.
        ("flag", ctypes.POINTER(truing_tensor)),  # u8 [N] or [B], NULL = the call's.
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [N], NULL = the call's; NULL in linear_policy.
        ("token_weights", ctypes.POINTER(truing_tensor)),  # f32 [N], NULL = 1.
        ("aggregate", truing_aggregate),  # Mode 0 = the call's.
        ("level", truing_level),  # Required.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("reserved", ctypes.c_uint8 * 32),  # 0.
    ]


class truing_policy_inputs(ctypes.Structure):
    """What `policy` and `linear_policy` share. [N] also means [B,T]."""

    _fields_ = [
        ("old", ctypes.POINTER(truing_tensor)),  # float [N], behaviour log-prob, nats; NULL = current, detached.
        ("ref", ctypes.POINTER(truing_tensor)),  # float [N], reference or teacher, nats; value losses: returns.
        ("sampler", ctypes.POINTER(truing_tensor)),  # float [N], inference engine's log-prob, nats.
        ("kl_ref", ctypes.POINTER(truing_tensor)),  # float [N], reference of the KL term when ref holds a teacher; NULL = ref.
        ("advantage", ctypes.POINTER(truing_tensor)),  # float [N] or [B]; packed with N = B, `advantage_level` says which.
        ("flag", ctypes.POINTER(truing_tensor)),  # u8 [N] or [B], NULL = 1.
        ("log_z", ctypes.POINTER(truing_tensor)),  # float [B], nats: flowrl.
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [N], completion tokens.
        ("keep", ctypes.POINTER(truing_tensor)),  # u8 [N], rejection of tokens, 0 = dropped.
        ("sequence_keep", ctypes.POINTER(truing_tensor)),  # u8 [B], rejection of sequences.
        ("entropy_mask", ctypes.POINTER(truing_tensor)),  # u8 [N], policy term and entropy bonus only.
        ("kl_mask", ctypes.POINTER(truing_tensor)),  # u8 [N], KL term only, NULL = mask.
        ("token_weights", ctypes.POINTER(truing_tensor)),  # f32 [N] >= 0.
        ("importance_weight", ctypes.POINTER(truing_tensor)),  # f32 [N] or [B] >= 0, constant; vespo takes its log.
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [B+1], packed layout.
        ("group_offsets", ctypes.POINTER(truing_tensor)),  # int [G+1] into sequences: list kind, whose reference is `old` and whose targets are the advantages.
        ("loss", truing_loss),  # Token, sequence, list or estimator entry.
        ("kl", truing_estimator),  # KL term, or the settings of an estimator entry.
        ("aggregate", truing_aggregate),  # Of loss and KL.
        ("entropy_aggregate", truing_aggregate),  # Of the bonus, mode 0 = aggregate.
        ("extra_terms", ctypes.POINTER(truing_policy_term)),  # Host [num_extra_terms], further terms, `extra_term_size` bytes each.
        ("num_extra_terms", ctypes.c_size_t),  # Terms, at most 7.
        ("entropy_coef", ctypes.c_double),  # Bonus factor >= 0, 0 = off.
        ("level", truing_level),  # Of the ratio; required.
        ("extra_term_size", ctypes.c_uint32),  # `sizeof(truing_policy_term)` as the caller compiled it, 0 = that of version 1.
        ("advantage_level", truing_level),  # Of `advantage`; 0 = by its shape: [B,T] tokens by the number of dimensions, packed ones by the number of elements.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_policy_outputs(ctypes.Structure):
    """Outputs of a policy call, each NULL = not wanted."""

    _fields_ = [
        ("out_loss", ctypes.POINTER(truing_tensor)),  # f64 or f32 0-d, all terms.
        ("out_values", ctypes.POINTER(truing_tensor)),  # f32 [N], f64 [B] for sequence or f64 [G] for list entries: main term before aggregation.
        ("out_kl", ctypes.POINTER(truing_tensor)),  # f32 [N], estimator values.
        ("out_terms", ctypes.POINTER(truing_tensor)),  # f64 [3 + num_extra_terms]: main, KL, entropy, extra; after aggregation.
        ("grad_log_z_out", ctypes.POINTER(truing_tensor)),  # f32 [B].
        ("out_statistics", ctypes.POINTER(truing_tensor)),  # f64 [32], TRUING_POLICY_STAT_*.
        ("out_token_status", ctypes.POINTER(truing_tensor)),  # u32 [N].
        ("out_sequence_status", ctypes.POINTER(truing_tensor)),  # u32 [B].
        ("out_counters", ctypes.POINTER(truing_tensor)),  # i64 [32].
        ("reserved", ctypes.c_uint8 * 40),  # 0.
    ]


class truing_policy_forward_args(ctypes.Structure):
    """Split form: token log-probs in, loss and partials out."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("logps", ctypes.POINTER(truing_tensor)),  # float [N] or [B,T], nats; value losses: V.
        ("entropy", ctypes.POINTER(truing_tensor)),  # f32 [N], nats: bonus, and eaft without `topk_entropy`.
        ("topk_entropy", ctypes.POINTER(truing_tensor)),  # f32 [N], nats, of the 20 most probable tokens (`figures.out_topk_entropy`): eaft beside a bonus.
        ("inputs", truing_policy_inputs),  # Everything else.
        ("grad_output", ctypes.POINTER(truing_tensor)),  # float 0-d, or as out_values for AGGREGATE_NONE; NULL = 1.
        ("grad_scale", ctypes.c_double),  # Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
        ("outputs", truing_policy_outputs),  # Loss, figures.
        ("grad_logps_out", ctypes.POINTER(truing_tensor)),  # f32 as logps.
        ("grad_entropy_out", ctypes.POINTER(truing_tensor)),  # f32 [N].
        ("kl", ctypes.POINTER(truing_tensor)),  # float [N], nats: values of the KL term in the place of an estimate, such as exact divergences. Then of `inputs.kl` only `coef` and `stage` count, the rest is 0. NULL = none.
        ("grad_kl_out", ctypes.POINTER(truing_tensor)),  # f32 [N], dL/dkl, with `kl`.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_linear_policy_args(ctypes.Structure):
    """Hidden states to policy loss and gradients (`truing_linear_policy_forward`)."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("head", truing_head),  # Policy.
        ("ref_head", truing_head),  # Reference over the same rows, for `inputs.kl.divergence`; hidden NULL = none.
        ("rows", truing_rows),  # Targets, those of the rows themselves: no `shift`; rows.mask NULL = inputs.mask.
        ("support", truing_support),  # Sampling support.
        ("inputs", truing_policy_inputs),  # Old, ref, advantage, loss and the rest.
        ("logp_coefficients", ctypes.POINTER(truing_tensor)),  # f32 [N], dL/dlogp, phase WITH_COEFFICIENTS.
        ("entropy_coefficients", ctypes.POINTER(truing_tensor)),  # f32 [N], dL/dentropy, phase WITH_COEFFICIENTS.
        ("kl_coefficients", ctypes.POINTER(truing_tensor)),  # f32 [N], dL/dKL of the exact divergence, phase WITH_COEFFICIENTS.
        ("stats", ctypes.POINTER(truing_tensor)),  # f32 [N,12] of the first phase, NULL = recompute.
        ("pair_stats", ctypes.POINTER(truing_tensor)),  # f32 [N,16] of the first phase, both heads, with `ref_head`; NULL = recompute.
        ("grad_output", ctypes.POINTER(truing_tensor)),  # float 0-d, NULL = 1.
        ("grad_scale", ctypes.c_double),  # Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
        ("phase", truing_phase),  # Required.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("grads", truing_head_grads),  # Outputs.
        ("outputs", truing_policy_outputs),  # Loss, figures.
        ("out_logps", ctypes.POINTER(truing_tensor)),  # f32 [N], nats.
        ("out_entropy", ctypes.POINTER(truing_tensor)),  # f32 [N], nats.
        ("out_log_sum_sq", ctypes.POINTER(truing_tensor)),  # f32 [N].
        ("out_stats", ctypes.POINTER(truing_tensor)),  # f32 [N,12], opaque.
        ("out_pair_stats", ctypes.POINTER(truing_tensor)),  # f32 [N,16], both heads, opaque; with `ref_head`.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_partial(ctypes.Structure):
    """A divergence on a few columns; support 0 = all columns."""

    _fields_ = [
        ("ids", ctypes.POINTER(truing_tensor)),  # int [N,K], -1 pads: given ids or the teacher's.
        ("teacher_values", ctypes.POINTER(truing_tensor)),  # float [N,K] at ids: log-probs, logits or counts by teacher_form.
        ("teacher_lse", ctypes.POINTER(truing_tensor)),  # f32 [N], nats, for TOPK_LOGITS with tail, zero, raw: of the whole transformed row.
        ("reference", ctypes.POINTER(truing_tensor)),  # float [N,V], logits that choose the support, PARTIAL_REFERENCE.
        ("k", ctypes.c_int64),  # Columns kept per side, 1..512, 0 = K of ids.
        ("tail_floor", ctypes.c_double),  # Floor of both tail probabilities, 0 = exact (TRL: 1e-7).
        ("outside_logprob", ctypes.c_double),  # Teacher log-prob outside the support with OUTSIDE_ZERO, nats, 0 = -100.
        ("log_prob_floor", ctypes.c_double),  # Floor of both log-probs on the support, nats < 0, 0 = off.
        ("value_clamp", ctypes.c_double),  # The row value is clamped to +- this, 0 = off.
        ("support", truing_partial_support),  # TRUING_PARTIAL_*, 0 = all columns.
        ("outside", truing_outside),  # Required with a support.
        ("reserved", ctypes.c_uint8 * 32),  # 0.
    ]


class truing_divergence_options(ctypes.Structure):
    """What is computed from two rows."""

    _fields_ = [
        ("params", ctypes.POINTER(ctypes.c_double)),  # The kind's: mixed {omega}, jsd {beta}, skew {lambda}, renyi and alpha {alpha}.
        ("num_params", ctypes.c_size_t),  # Values given, NaN or missing = default.
        ("hard_weight", ctypes.c_double),  # Factor of -log p_target of the student's transformed row (its temperature included), 0 = off. Over vocabulary shards of whole rows too; of a partial support over shards 0.
        ("soft_weight", ctypes.c_double),  # Factor of the divergence, 0 = 1 without TRUING_HAS_SOFT_WEIGHT.
        ("teacher_target_shift", ctypes.c_double),  # Nats added to the teacher's target logit, -inf allowed.
        ("kind", truing_divergence_kind),  # Required.
        ("limits", truing_jsd_limits),  # `jsd` at 0 and 1, 0 = peer.
        ("teacher_form", truing_teacher_form),  # Required.
        ("hard_scaling", truing_token_scaling),  # Constant factor on the hard-label term: dft for anchored_sft; 0 = none.
        ("aggregate", truing_aggregate),  # Required when out_loss is wanted.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_divergence_outputs(ctypes.Structure):
    """Outputs of a divergence, each NULL = not wanted."""

    _fields_ = [
        ("out_values", ctypes.POINTER(truing_tensor)),  # f32 [N], nats.
        ("out_loss", ctypes.POINTER(truing_tensor)),  # f64 or f32 0-d.
        ("out_student_entropy", ctypes.POINTER(truing_tensor)),  # f32 [N], nats.
        ("out_teacher_entropy", ctypes.POINTER(truing_tensor)),  # f32 [N], nats.
        ("out_cross_entropy", ctypes.POINTER(truing_tensor)),  # f32 [N], -sum t log p, nats.
        ("out_reverse_cross_entropy", ctypes.POINTER(truing_tensor)),  # f32 [N], -sum p log t, nats.
        ("out_student_logprob", ctypes.POINTER(truing_tensor)),  # f32 [N], of the target, nats.
        ("out_teacher_logprob", ctypes.POINTER(truing_tensor)),  # f32 [N], of the target, nats.
        ("out_student_rank", ctypes.POINTER(truing_tensor)),  # i32 [N], teacher's argmax in the student.
        ("out_teacher_rank", ctypes.POINTER(truing_tensor)),  # i32 [N], student's argmax in the teacher.
        ("out_student_mass", ctypes.POINTER(truing_tensor)),  # f32 [N], student's probability of the support.
        ("out_teacher_mass", ctypes.POINTER(truing_tensor)),  # f32 [N], teacher's probability of the support.
        ("out_overlap", ctypes.POINTER(truing_tensor)),  # f32 [N], common ids of both sides' k largest over the teacher's number; given ids are the teacher's.
        ("out_overlap_sum", ctypes.POINTER(truing_tensor)),  # f32 [N], -sum t(log t - log p) over the common ids, of whole rows; not with renormalise.
        ("out_support_ids", ctypes.POINTER(truing_tensor)),  # i32 [N,K or 2K], -1 pads: the support used.
        ("out_stats", ctypes.POINTER(truing_tensor)),  # f32 [N,16], opaque; of given ids over shards [N,22] with a `hard_weight`.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [N].
        ("out_counters", ctypes.POINTER(truing_tensor)),  # i64 [32].
        ("reserved", ctypes.c_uint8 * 40),  # 0.
    ]


class truing_divergence_forward_args(ctypes.Structure):
    """Divergence between rows of logits."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("student", ctypes.POINTER(truing_tensor)),  # float [N,V] or [B,T,V], logits.
        ("teacher", ctypes.POINTER(truing_tensor)),  # float [N,V'], by teacher_form; NULL with a partial teacher.
        ("student_transform", truing_transform),  # Temperature T_s and the rest.
        ("teacher_transform", truing_transform),  # Logits only, of rows or at ids.
        ("rows", truing_rows),  # Targets for hard label and figures, mask.
        ("row_weight", ctypes.POINTER(truing_tensor)),  # f32 [N] >= 0, 0 = row not read.
        ("options", truing_divergence_options),  # Kind, parameters, reduction.
        ("partial", truing_partial),  # Few columns.
        ("outputs", truing_divergence_outputs),  # Values, figures.
        ("grad_student_out", ctypes.POINTER(truing_tensor)),  # Fused gradient of out_loss, may be student itself.
        ("grad_teacher_out", ctypes.POINTER(truing_tensor)),  # Fused gradient of out_loss, may be teacher itself.
        ("grad_loss", ctypes.POINTER(truing_tensor)),  # Upstream of the fused gradients, float 0-d, NULL = 1.
        ("grad_scale", ctypes.c_double),  # Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_divergence_backward_args(ctypes.Structure):
    """Gradients of both sides' logits."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("student", ctypes.POINTER(truing_tensor)),  # As in forward.
        ("teacher", ctypes.POINTER(truing_tensor)),  # As in forward.
        ("student_transform", truing_transform),  # As in forward.
        ("teacher_transform", truing_transform),  # As in forward.
        ("rows", truing_rows),  # As in forward.
        ("row_weight", ctypes.POINTER(truing_tensor)),  # As in forward.
        ("options", truing_divergence_options),  # As in forward.
        ("partial", truing_partial),  # As in forward, support GIVEN with out_support_ids reuses the choice.
        ("shard", truing_shard),  # Columns of this shard, both sides cut alike.
        ("stats", ctypes.POINTER(truing_tensor)),  # f32 [N,16], NULL = recompute; of a shard those of finish.
        ("grad_values", ctypes.POINTER(truing_tensor)),  # f32 [N], NULL = 0.
        ("grad_loss", ctypes.POINTER(truing_tensor)),  # float 0-d, NULL = 0.
        ("grad_student_logprob", ctypes.POINTER(truing_tensor)),  # f32 [N], of the target, NULL = 0.
        ("grad_scale", ctypes.c_double),  # Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
        ("grad_student_out", ctypes.POINTER(truing_tensor)),  # float as student, may be student itself.
        ("grad_teacher_out", ctypes.POINTER(truing_tensor)),  # float as teacher, may be teacher itself.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [N].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_divergence_local_args(ctypes.Structure):
    """Records of the columns of one vocabulary shard. One-read kinds need one pass, the others VALUES after RECORDS are finished."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("student", ctypes.POINTER(truing_tensor)),  # float [N,V_local].
        ("teacher", ctypes.POINTER(truing_tensor)),  # float [N,V_local].
        ("student_transform", truing_transform),  # `bias` is [V_local].
        ("teacher_transform", truing_transform),  # `bias` is [V_local].
        ("rows", truing_rows),  # Targets are global ids.
        ("row_weight", ctypes.POINTER(truing_tensor)),  # f32 [N].
        ("options", truing_divergence_options),  # Kind, parameters.
        ("partial", truing_partial),  # Few columns: given global ids.
        ("shard", truing_shard),  # Required.
        ("stats", ctypes.POINTER(truing_tensor)),  # f32 [N,16], finished, second pass only.
        ("out_records", ctypes.POINTER(truing_tensor)),  # f32 [N,16], either pass; [N,17] with `options.hard_weight`: the last is the student's transformed logit of the target, -inf where it is not local. With `partial.ids` only beside a `hard_weight`, [N,12]: the record, as of truing_logprob_local, of the student's local columns that are not among the ids, and the logit of the target.
        ("out_student_at_ids", ctypes.POINTER(truing_tensor)),  # f32 [N,K], transformed logits at `partial.ids`, -inf where the id is not local; first pass.
        ("out_teacher_at_ids", ctypes.POINTER(truing_tensor)),  # f32 [N,K], the same of the teacher.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [N].
        ("local_pass", truing_local_pass),  # RECORDS, then VALUES for the kinds that read twice.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_divergence_finish_args(ctypes.Structure):
    """Values from the records of all shards."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("records", ctypes.POINTER(truing_tensor)),  # f32 [shards,N,16], in shard order; [shards,N,17] with `options.hard_weight`, [shards,N,12] with that and `partial.ids`.
        ("student_at_ids", ctypes.POINTER(truing_tensor)),  # f32 [shards,N,K], of local.
        ("teacher_at_ids", ctypes.POINTER(truing_tensor)),  # f32 [shards,N,K], of local.
        ("shard_starts", ctypes.POINTER(truing_tensor)),  # i64 [shards+1] on the CPU.
        ("rows", truing_rows),  # As in local.
        ("row_weight", ctypes.POINTER(truing_tensor)),  # f32 [N].
        ("options", truing_divergence_options),  # As in local.
        ("partial", truing_partial),  # As in local.
        ("outputs", truing_divergence_outputs),  # Values, figures, stats.
        ("local_pass", truing_local_pass),  # The pass that made the records.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_linear_divergence_args(ctypes.Structure):
    """Divergence of two heads and its gradients (`truing_linear_divergence_forward`). Phase SINGLE writes figures and gradients, FIGURES figures, WITH_COEFFICIENTS the gradients from those of the figures and `outputs.out_status`."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("student", truing_head),  # Student head.
        ("teacher", truing_head),  # Teacher head, own hidden size; hidden NULL: teacher_rows or partial.
        ("teacher_rows", ctypes.POINTER(truing_tensor)),  # float [N,V'] by teacher_form, when there is no teacher head.
        ("teacher_transform", truing_transform),  # Of teacher_rows, or of logits at ids.
        ("rows", truing_rows),  # Targets, mask.
        ("row_weight", ctypes.POINTER(truing_tensor)),  # f32 [N] >= 0.
        ("options", truing_divergence_options),  # Kind, parameters, reduction.
        ("partial", truing_partial),  # Few columns.
        ("shard", truing_shard),  # All 0, or in phase WITH_COEFFICIENTS the columns that the heads hold; `stats` are then those of finish, grad_hidden partial sums.
        ("outputs", truing_divergence_outputs),  # Values, figures.
        ("grad_values", ctypes.POINTER(truing_tensor)),  # f32 [N], upstream of out_values, NULL = 0.
        ("grad_loss", ctypes.POINTER(truing_tensor)),  # float 0-d, NULL = 0, or 1 in phase SINGLE where the other two are NULL.
        ("grad_student_logprob", ctypes.POINTER(truing_tensor)),  # f32 [N], of the target, NULL = 0.
        ("stats", ctypes.POINTER(truing_tensor)),  # f32 [N,16] of an earlier call, phase WITH_COEFFICIENTS; NULL = recompute.
        ("grad_scale", ctypes.c_double),  # Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
        ("phase", truing_phase),  # Required.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("student_grads", truing_head_grads),  # Outputs.
        ("teacher_grads", truing_head_grads),  # Outputs.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_linear_divergence_local_args(ctypes.Structure):
    """Records of one vocabulary shard of both heads."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("student", truing_head),  # `weight` is [V_local,D].
        ("teacher", truing_head),  # `weight` is [V_local,D'].
        ("rows", truing_rows),  # Targets are global ids.
        ("row_weight", ctypes.POINTER(truing_tensor)),  # f32 [N].
        ("options", truing_divergence_options),  # Kind, parameters.
        ("partial", truing_partial),  # Few columns: given global ids.
        ("shard", truing_shard),  # Required.
        ("stats", ctypes.POINTER(truing_tensor)),  # f32 [N,16], finished, second pass only.
        ("out_records", ctypes.POINTER(truing_tensor)),  # f32 [N,16], either pass; [N,17] with `options.hard_weight`: the last is the student's transformed logit of the target, -inf where it is not local. With `partial.ids` only beside a `hard_weight`, [N,12]: the record, as of truing_logprob_local, of the student's local columns that are not among the ids, and the logit of the target.
        ("out_student_at_ids", ctypes.POINTER(truing_tensor)),  # f32 [N,K], transformed logits at `partial.ids`, -inf where the id is not local; first pass.
        ("out_teacher_at_ids", ctypes.POINTER(truing_tensor)),  # f32 [N,K], the same of the teacher.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [N].
        ("local_pass", truing_local_pass),  # RECORDS, then VALUES for the kinds that read twice.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_sequence_kl_args(ctypes.Structure):
    """Log ratio and KL to a reference, summed per sequence. Forward writes out_*, backward reads grad_* and writes grad_policy_out."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("policy", ctypes.POINTER(truing_tensor)),  # float [N,V], logits.
        ("ref", ctypes.POINTER(truing_tensor)),  # float [N,V], logits.
        ("policy_transform", truing_transform),  # Transforms.
        ("ref_transform", truing_transform),  # Transforms.
        ("rows", truing_rows),  # Targets, mask, cu_seqlens.
        ("grad_log_ratio", ctypes.POINTER(truing_tensor)),  # f64 [B], gradient of `out_log_ratio`; backward.
        ("grad_kl", ctypes.POINTER(truing_tensor)),  # f64 [B], gradient of `out_kl`; backward.
        ("stats", ctypes.POINTER(truing_tensor)),  # f32 [N,16]; backward, NULL = recompute.
        ("out_log_ratio", ctypes.POINTER(truing_tensor)),  # f64 [B], summed log p - log q of the targets, nats.
        ("out_kl", ctypes.POINTER(truing_tensor)),  # f64 [B], summed KL(ref||policy), nats.
        ("out_counts", ctypes.POINTER(truing_tensor)),  # i32 [B], live tokens.
        ("out_stats", ctypes.POINTER(truing_tensor)),  # f32 [N,16], opaque.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [B].
        ("grad_policy_out", ctypes.POINTER(truing_tensor)),  # float as policy; backward.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_kto_baseline_args(ctypes.Structure):
    """The baseline of kto from KL rows of mismatched prompts and answers. Over ranks: add sums and counts, then max(0, sum / count)."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("scores", ctypes.POINTER(truing_tensor)),  # float [n], nats.
        ("ref_scores", ctypes.POINTER(truing_tensor)),  # float [n]; NULL: scores are differences.
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [n].
        ("nonzero_only", ctypes.c_uint32),  # 1: the baseline divides by the rows that are not 0 (HALOs), 0: by all (TRL).
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_sum", ctypes.POINTER(truing_tensor)),  # f64 or f32, 0-d, nats.
        ("out_count", ctypes.POINTER(truing_tensor)),  # i64, 0-d, live rows.
        ("out_nonzero", ctypes.POINTER(truing_tensor)),  # i64, 0-d, live rows that are not 0.
        ("out_baseline", ctypes.POINTER(truing_tensor)),  # f64 or f32, 0-d: max(0, sum / count), 0 without a row.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_bco_shift_args(ctypes.Structure):
    """The shift of bco and bco_pair: a running mean of rewards, this batch included. The state holds sums and counts and may be added over ranks."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("rewards", ctypes.POINTER(truing_tensor)),  # float [n], beta times the log ratio; NULL: nothing is added, as for evaluation.
        ("label", ctypes.POINTER(truing_tensor)),  # u8 or i8 [n], > 0 = desirable; BALANCED only.
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [n].
        ("state", ctypes.POINTER(truing_tensor)),  # f64 [4], what the last call wrote; NULL = zeros.
        ("mode", truing_shift_mode),  # `TRUING_SHIFT_*`.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_shift", ctypes.POINTER(truing_tensor)),  # f64 or f32, 0-d; without a row of one class the other's mean.
        ("out_state", ctypes.POINTER(truing_tensor)),  # f64 [4]: sum and count of the desirable rows, then of the others; of everything (POOLED); of the batches' means (PER_STEP).
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32, 0-d: empty where a class has no row.
        ("rate", ctypes.c_double),  # Share of this batch in a moving average of the means, in [0, 1]; 0: all rows so far count alike. BALANCED only.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_aot_sort_args(ctypes.Structure):
    """Two samples in ascending order, equal values by index, NaN last: pair k is `out_u_order[k]` against `out_v_order[k]`."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("chosen", ctypes.POINTER(truing_tensor)),  # float [n], nats.
        ("rejected", ctypes.POINTER(truing_tensor)),  # float [n], nats.
        ("ref_chosen", ctypes.POINTER(truing_tensor)),  # float [n]; NULL with UNPAIRED: the scores are log ratios.
        ("ref_rejected", ctypes.POINTER(truing_tensor)),  # float [n], with `ref_chosen`.
        ("pairing", truing_aot_pairing),  # `TRUING_AOT_*`.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_u_order", ctypes.POINTER(truing_tensor)),  # i32 [n].
        ("out_v_order", ctypes.POINTER(truing_tensor)),  # i32 [n].
        ("out_difference", ctypes.POINTER(truing_tensor)),  # f64 or f32 [n], of equal ranks.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [n], by rank.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_beta_dpo_stats_args(ctypes.Structure):
    """Which rows beta_dpo keeps, and its beta, from the gaps of the whole batch."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("gaps", ctypes.POINTER(truing_tensor)),  # float [n], log ratio of the chosen minus that of the rejected, finite.
        ("uniforms", ctypes.POINTER(truing_tensor)),  # float [n], drawn by the caller from (0, 1).
        ("state", ctypes.POINTER(truing_tensor)),  # f64 [2], running mean and deviation, what the last call wrote; NULL = zeros.
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: beta (0.1), alpha (0.6), rho (0.2), gamma (0.9); NaN or a missing tail = default.
        ("num_params", ctypes.c_size_t),  # 0 to 4.
        ("out_keep", ctypes.POINTER(truing_tensor)),  # u8 [n], 1 = kept; serves as `groups.item_mask`.
        ("out_beta", ctypes.POINTER(truing_tensor)),  # f64 or f32, 0-d; serves as `groups.item_beta`.
        ("out_state", ctypes.POINTER(truing_tensor)),  # f64 [2].
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32, 0-d: degenerate where one row has no deviation, empty where no row is kept.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_wpo_weight_args(ctypes.Structure):
    """Weights of pairs by the policy's own probabilities, constant; serves as `groups.item_weight`."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("chosen", ctypes.POINTER(truing_tensor)),  # float [n], mean log-prob over the tokens, nats.
        ("rejected", ctypes.POINTER(truing_tensor)),  # float [n].
        ("chosen_log_sum_sq", ctypes.POINTER(truing_tensor)),  # float [n], mean over the tokens of log sum p^2 (`figures.out_log_sum_sq`); TRL only.
        ("rejected_log_sum_sq", ctypes.POINTER(truing_tensor)),  # float [n]; TRL only.
        ("form", truing_wpo_form),  # `TRUING_WPO_*`: PLAIN is capped at 1, TRL is not.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_weight", ctypes.POINTER(truing_tensor)),  # f64 or f32 [n].
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [n].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_importance_weight_args(ctypes.Structure):
    """Importance weights of `old` against the engine that sampled, constant; serve as `inputs.importance_weight`."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("old", ctypes.POINTER(truing_tensor)),  # float [N] or [B,T], nats.
        ("sampler", ctypes.POINTER(truing_tensor)),  # float, same shape, nats.
        ("mask", ctypes.POINTER(truing_tensor)),  # mask, same shape.
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [B+1], packed layout.
        ("low", ctypes.c_double),  # Of the ratio, 0 = none.
        ("high", ctypes.c_double),  # Of the ratio, 0 = none.
        ("level", truing_weight_level),  # Required.
        ("action", truing_weight_action),  # Required; RAW has no bounds.
        ("missing", truing_missing),  # Required.
        ("normalise", truing_normalise),  # 0 = off.
        ("token_weight", ctypes.c_uint32),  # 1: the level decides what is within, the weight is the token's own ratio, not cut off.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_weights", ctypes.POINTER(truing_tensor)),  # f32 or f64, same shape.
        ("out_keep", ctypes.POINTER(truing_tensor)),  # u8, same shape, 1 = within the bounds.
        ("out_statistics", ctypes.POINTER(truing_tensor)),  # f64 [8]: tokens, beyond the bounds, sum of weights, of their squares, rest 0.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32, same shape.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_rejection_mask_args(ctypes.Structure):
    """Tokens that are not too far from the engine that sampled them; serve as `inputs.keep`. Several criteria: one call after the other."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("old", ctypes.POINTER(truing_tensor)),  # float [N] or [B,T], nats.
        ("sampler", ctypes.POINTER(truing_tensor)),  # float, same shape, nats.
        ("mask", ctypes.POINTER(truing_tensor)),  # mask, same shape.
        ("keep", ctypes.POINTER(truing_tensor)),  # mask, same shape, what other criteria left.
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [B+1], packed layout.
        ("low", ctypes.c_double),  # Of the ratio (RATIO, K1) or the statistic, 0 = none.
        ("high", ctypes.c_double),  # 0 = none.
        ("statistic", truing_rejection_statistic),  # Required.
        ("span", truing_span),  # Required.
        ("missing", truing_missing),  # Required.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_keep", ctypes.POINTER(truing_tensor)),  # u8, same shape.
        ("out_sequence_keep", ctypes.POINTER(truing_tensor)),  # u8 [B], 1 = a token is kept.
        ("out_statistic", ctypes.POINTER(truing_tensor)),  # f64 or f32, same shape for SPAN_TOKEN, else [B].
        ("out_rejected", ctypes.POINTER(truing_tensor)),  # i64 0-d, live tokens that are not kept.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_off_policy_sequence_mask_args(ctypes.Structure):
    """Sequences with a negative advantage that the policy has moved away from; serve as `inputs.sequence_keep`."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("logps", ctypes.POINTER(truing_tensor)),  # float [N] or [B,T], current policy, nats.
        ("behaviour", ctypes.POINTER(truing_tensor)),  # float, same shape, sampler or old policy; NaN adds nothing.
        ("advantage", ctypes.POINTER(truing_tensor)),  # float [B].
        ("mask", ctypes.POINTER(truing_tensor)),  # mask, same shape as logps.
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [B+1], packed layout.
        ("delta", ctypes.c_double),  # Largest mean of behaviour - logps that is kept.
        ("out_keep", ctypes.POINTER(truing_tensor)),  # u8 [B].
        ("out_mean", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_top_entropy_mask_args(ctypes.Structure):
    """The live tokens with the largest entropies, ties kept; serves as `inputs.entropy_mask`."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("entropy", ctypes.POINTER(truing_tensor)),  # float [N] or [B,T]; NaN is dropped.
        ("mask", ctypes.POINTER(truing_tensor)),  # mask, same shape.
        ("share", ctypes.c_double),  # In (0, 1].
        ("out_keep", ctypes.POINTER(truing_tensor)),  # u8, same shape.
        ("out_threshold", ctypes.POINTER(truing_tensor)),  # f64 or f32 0-d.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 0-d: nan_input, empty.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_cov_select_args(ctypes.Structure):
    """Tokens by the covariance of advantage and log-prob over the live tokens."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("logps", ctypes.POINTER(truing_tensor)),  # float [N] or [B,T], nats, constant.
        ("old", ctypes.POINTER(truing_tensor)),  # float, same shape; CLIP only.
        ("noise", ctypes.POINTER(truing_tensor)),  # float, same shape; CLIP: the smallest are drawn, in the place of a seed; NULL = a draw by `seed`.
        ("advantage", ctypes.POINTER(truing_tensor)),  # float [N] or [B].
        ("mask", ctypes.POINTER(truing_tensor)),  # mask, same shape as logps.
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [B+1], packed layout.
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: share (2e-4), cov_low (1), cov_high (5), clip_low (0.2), clip_high (0.2); NaN or a missing tail = default.
        ("num_params", ctypes.c_size_t),  # 0 to 5.
        ("seed", ctypes.c_uint64),  # Of the draw.
        ("first_token", ctypes.c_int64),  # Index of the first token among those of all ranks, >= 0.
        ("form", truing_cov_form),  # Required.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_indices", ctypes.POINTER(truing_tensor)),  # i64 [N] or [B,T] as logps, flat, ascending; -1 behind the first `count`.
        ("out_count", ctypes.POINTER(truing_tensor)),  # i64 0-d.
        ("out_flag", ctypes.POINTER(truing_tensor)),  # u8, same shape, 1 = selected: `inputs.flag` of kl_cov.
        ("out_keep", ctypes.POINTER(truing_tensor)),  # u8, same shape, 0 = selected: `inputs.keep` of clip_cov.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_m2po_mask_args(ctypes.Structure):
    """Tokens left when those with the largest (old - proximal)^2 are dropped until the mean of the others is below a threshold; serve as `inputs.keep`."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("old", ctypes.POINTER(truing_tensor)),  # float [N] or [B,T], nats.
        ("proximal", ctypes.POINTER(truing_tensor)),  # float, same shape, nats.
        ("mask", ctypes.POINTER(truing_tensor)),  # mask, same shape.
        ("threshold", ctypes.c_double),  # > 0.
        ("out_keep", ctypes.POINTER(truing_tensor)),  # u8, same shape.
        ("out_moment", ctypes.POINTER(truing_tensor)),  # f64 or f32 0-d, mean square of the kept.
        ("out_dropped", ctypes.POINTER(truing_tensor)),  # i64 0-d.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_fipo_weight_args(ctypes.Structure):
    """Tokens weighted by the log ratios of those behind them, constant; serve as `inputs.token_weights`."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("logps", ctypes.POINTER(truing_tensor)),  # float [N] or [B,T], nats, constant.
        ("old", ctypes.POINTER(truing_tensor)),  # float, same shape, nats.
        ("advantage", ctypes.POINTER(truing_tensor)),  # float [N] or [B].
        ("mask", ctypes.POINTER(truing_tensor)),  # mask, same shape as logps.
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [B+1], packed layout.
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: half_life (32), clip (0.2, 0 = any), delta (inf), safety (4); NaN or a missing tail = default.
        ("num_params", ctypes.c_size_t),  # 0 to 4.
        ("high_only", ctypes.c_uint32),  # 1: at least 1 but for `safety`; 0: both sides.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_weights", ctypes.POINTER(truing_tensor)),  # f32 or f64, same shape.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32, same shape.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_item_numbers_args(ctypes.Structure):
    """One number an item from one or two: `truing_density_ratio` (weights of bco), `truing_odpo_offset` (margins of odpo), `truing_mm_beta` (betas of mm_dpo), `truing_pdu_dual_step` (multiplier of a constraint)."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("first", ctypes.POINTER(truing_tensor)),  # float [n]: probability or logit; reward of the chosen answer (mm_beta without `second`: the gap); multiplier.
        ("second", ctypes.POINTER(truing_tensor)),  # float [n]: none for density_ratio; reward of the rejected answer; loss of the constraint.
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: density_ratio low (0.5), high (10); odpo_offset alpha (1); mm_beta beta (0.1), weight (0.5), slope (0.5); pdu_dual_step step, epsilon (0). NaN or a missing tail = default.
        ("num_params", ctypes.c_size_t),  # Numbers given.
        ("form", truing_item_form),  # `TRUING_ITEM_*`.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_value", ctypes.POINTER(truing_tensor)),  # f64 or f32 [n]; serves as `groups.item_weight`, `groups.margin_chosen`, `groups.item_beta`.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [n]: saturated where a bound acts, degenerate where rewards allow no margin, infinite.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_uld_args(ctypes.Structure):
    """Distance of sorted probabilities across vocabularies (ULD), sum of |p_(i) - q_(i)|, and the gradients of both sides in the same call. With `matched_student_ids` and `matched_teacher_ids` those columns are compared one by one and the rest is sorted (GOLD): matched_weight J + unmatched_weight U, J the pairs' terms of jsd(matched_beta), without renormalisation. On CUDA ids that are no pairs make every row NaN, and factors that are not positive and finite their own."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("student", ctypes.POINTER(truing_tensor)),  # float [N,V], logits.
        ("teacher", ctypes.POINTER(truing_tensor)),  # float [N,V'], logits, another vocabulary.
        ("student_transform", truing_transform),  # Transforms.
        ("teacher_transform", truing_transform),  # Transforms.
        ("rows", truing_rows),  # Mask; targets only with ignore_index.
        ("row_weight", ctypes.POINTER(truing_tensor)),  # f32 [N] >= 0.
        ("k", ctypes.c_int64),  # Columns that count one by one, the rest of each side as one; 0 = all (uld), else uld_topk.
        ("aggregate", truing_aggregate),  # Required when out_loss is wanted.
        ("out_values", ctypes.POINTER(truing_tensor)),  # f32 [N].
        ("out_loss", ctypes.POINTER(truing_tensor)),  # f64 or f32, 0-d.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [N].
        ("grad_values", ctypes.POINTER(truing_tensor)),  # f32 [N], dL/dvalues, NULL = 0.
        ("grad_loss", ctypes.POINTER(truing_tensor)),  # float 0-d, dL/dloss, NULL = 0.
        ("grad_scale", ctypes.c_double),  # Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
        ("grad_student_out", ctypes.POINTER(truing_tensor)),  # float as student, may be student itself.
        ("grad_teacher_out", ctypes.POINTER(truing_tensor)),  # float as teacher, may be teacher itself.
        ("matched_student_ids", ctypes.POINTER(truing_tensor)),  # int [M], columns of the student, each once at most; with matched_teacher_ids.
        ("matched_teacher_ids", ctypes.POINTER(truing_tensor)),  # int [M], the column of the teacher with the same text.
        ("matched_beta", ctypes.c_double),  # Weight of the teacher in [0,1]; 0 = sum of t log(t / p), 1 = sum of p log(p / t).
        ("matched_weight", ctypes.c_double),  # Factor of J >= 0; both weights 0 = M / V' and 1 less that.
        ("unmatched_weight", ctypes.c_double),  # Factor of U >= 0.
        ("student_scale", ctypes.POINTER(truing_tensor)),  # f32 [N] > 0, multiplies the student's probabilities, NULL = 1: a token that stands for several, the product of the further ones.
        ("teacher_scale", ctypes.POINTER(truing_tensor)),  # f32 [N] > 0, multiplies the teacher's probabilities, a constant.
        ("grad_student_scale_out", ctypes.POINTER(truing_tensor)),  # f32 [N], with student_scale.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_tilt_args(ctypes.Structure):
    """Distributions tilted by a reward, phi = p e^(alpha r) / Z with p the softmax of `logps`, over the V outcomes of a row; f64 inside. `truing_tilt` takes alpha, `truing_tilt_solve` the KL(phi || p) that it is to have (`out_alpha` infinite and degenerate where none has it)."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("logps", ctypes.POINTER(truing_tensor)),  # float [B,V], log-probs or logits; -inf: no outcome.
        ("rewards", ctypes.POINTER(truing_tensor)),  # float [B,V]; -inf: probability 0 under a positive alpha.
        ("alpha", ctypes.POINTER(truing_tensor)),  # float [B]; tilt.
        ("target", ctypes.POINTER(truing_tensor)),  # float [B], nats, >= 0; tilt_solve.
        ("grad_log_z", ctypes.POINTER(truing_tensor)),  # float [B], dL/dlog Z, NULL = 0; tilt.
        ("grad_kl", ctypes.POINTER(truing_tensor)),  # float [B], dL/dKL, NULL = 0; tilt.
        ("out_log_tilted", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B,V], log phi.
        ("out_log_z", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B], log of the sum of p e^(alpha r).
        ("out_mean", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B], mean of the rewards under phi.
        ("out_variance", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B], their variance.
        ("out_kl", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B], KL(phi || p), nats.
        ("out_alpha", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B]; tilt_solve.
        ("grad_logps_out", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B,V].
        ("grad_rewards_out", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B,V].
        ("grad_alpha_out", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B].
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [B].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_renyi_args(ctypes.Structure):
    """Renyi numbers of two rows; f64 inside. `truing_renyi_array`: the divergence log(sum q^order p^(1 - order)) / (order - 1) of q = softmax(first) from p = softmax(second), order 1 the KL, infinite the largest log ratio. `truing_renyi_cross_entropy`: log(sum p q^(order - 1)) / (1 - order) of log p = first and log q = second as they are, order 1: -sum p log q."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("first", ctypes.POINTER(truing_tensor)),  # float [B,V], log-probs.
        ("second", ctypes.POINTER(truing_tensor)),  # float [B,V], log-probs.
        ("grad_values", ctypes.POINTER(truing_tensor)),  # float [B], dL/dvalues.
        ("order", ctypes.c_double),  # >= 0.
        ("out_values", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B], nats.
        ("grad_first_out", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B,V].
        ("grad_second_out", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B,V].
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [B].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_best_of_n_args(ctypes.Structure):
    """The best of n independent draws from the softmax of a row, by reward; equal rewards share alike. f64 inside."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("logps", ctypes.POINTER(truing_tensor)),  # float [B,V], log-probs or logits.
        ("rewards", ctypes.POINTER(truing_tensor)),  # float [B,V].
        ("n", ctypes.c_double),  # Draws, any number >= 1.
        ("worst", ctypes.c_uint32),  # 1: the worst of n.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_log_pmf", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B,V], log-probs of the selected outcome.
        ("out_kl", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B], KL to the row, nats.
        ("out_win_rate", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B], probability that it beats one draw, ties half.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [B].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_best_of_n_kl_args(ctypes.Structure):
    """Estimate of the KL of the best of n draws from the log-probability of the chosen one; f64 inside. Above 0 or NaN: NaN, flagged."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("logps", ctypes.POINTER(truing_tensor)),  # float [B], log-probs of the chosen draws, <= 0.
        ("n", ctypes.c_double),  # Draws, any number >= 1.
        ("out_kl", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B], nats.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [B].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_head_weights_args(ctypes.Structure):
    """Weights of pairs whose rows belong to different heads (mah_dpo): alpha_i / |B_i|, to be summed; serves as `groups.item_weight`."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("head", ctypes.POINTER(truing_tensor)),  # int [n], head of a pair.
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [n].
        ("alpha", ctypes.POINTER(truing_tensor)),  # float [M], >= 0; NULL: each is 1 / M.
        ("present_heads", ctypes.c_uint32),  # 1: 1 / (number of heads with rows) instead of alpha.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_weight", ctypes.POINTER(truing_tensor)),  # f64 or f32 [n], 0 where masked.
        ("out_counts", ctypes.POINTER(truing_tensor)),  # i64 [M], live rows of a head. Required: its length is M.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32, 0-d: empty where no row is live.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_modpo_margin_args(ctypes.Structure):
    """Margins that are weighted sums of rewards (modpo), and the gradients of weights and rewards."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("weights", ctypes.POINTER(truing_tensor)),  # float [K], or [n,K].
        ("chosen", ctypes.POINTER(truing_tensor)),  # float [n,K], rewards.
        ("rejected", ctypes.POINTER(truing_tensor)),  # float [n,K], rewards.
        ("grad_margin", ctypes.POINTER(truing_tensor)),  # float [n], gradient of margin_chosen - margin_rejected.
        ("out_margin_chosen", ctypes.POINTER(truing_tensor)),  # f64 or f32 [n].
        ("out_margin_rejected", ctypes.POINTER(truing_tensor)),  # f64 or f32 [n].
        ("grad_weights_out", ctypes.POINTER(truing_tensor)),  # f64 or f32 as weights; [K] is summed over the items in order.
        ("grad_chosen_out", ctypes.POINTER(truing_tensor)),  # f64 or f32 [n,K]; that of the rejected rewards is its negative.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_quantile_threshold_args(ctypes.Structure):
    """A quantile of a batch by linear interpolation at position level (n - 1); the threshold of confidence_ce."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("values", ctypes.POINTER(truing_tensor)),  # float [n].
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [n].
        ("level", ctypes.POINTER(truing_tensor)),  # float 0-d in [0, 1], or [n] of which the mean over live rows is the level.
        ("out_threshold", ctypes.POINTER(truing_tensor)),  # f64 or f32, 0-d; NaN without a live value or with a NaN.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32, 0-d.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_a_star_value_args(ctypes.Structure):
    """Optimal value of a prompt from the rewards of samples of the reference model (a_star_po)."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("rewards", ctypes.POINTER(truing_tensor)),  # float [P,T], or [N] with `cu_seqlens`.
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [P+1].
        ("mask", ctypes.POINTER(truing_tensor)),  # mask, same shape.
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: beta (0.5), LOG_MEAN_EXP only. NaN or a missing tail = default.
        ("num_params", ctypes.c_size_t),  # 0 or 1.
        ("mode", truing_value_mode),  # `TRUING_VALUE_*`.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_value", ctypes.POINTER(truing_tensor)),  # f64 or f32 [P]; NaN without a live reward.
        ("out_share", ctypes.POINTER(truing_tensor)),  # f64 or f32 as rewards, the partial of the prompt's value.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [P].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_hindsight_target_args(ctypes.Structure):
    """Rewards of steps with the discounted outcome behind them: r_t + gamma^(n - t) z."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("rewards", ctypes.POINTER(truing_tensor)),  # float [P,T], or [N] with `cu_seqlens`.
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [P+1].
        ("outcome", ctypes.POINTER(truing_tensor)),  # float [P].
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: gamma (0.9). NaN or a missing tail = default.
        ("num_params", ctypes.c_size_t),  # 0 or 1.
        ("out_targets", ctypes.POINTER(truing_tensor)),  # f64 or f32 as rewards.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_kl_length_figures_args(ctypes.Structure):
    """KL to the reference by the sampled tokens (k1 = sum d, k3 = sum (e^-d - 1 + d), d = policy minus reference) and lengths of answers. Sequences without a live token count nowhere."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("logps", ctypes.POINTER(truing_tensor)),  # float [B,T], or [N] with `cu_seqlens`, nats.
        ("ref_logps", ctypes.POINTER(truing_tensor)),  # float, same shape; NULL: `logps` are differences.
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [B+1].
        ("mask", ctypes.POINTER(truing_tensor)),  # mask, same shape.
        ("quantile_levels", ctypes.POINTER(truing_tensor)),  # float [Q] in [0, 1].
        ("bin_edges", ctypes.POINTER(truing_tensor)),  # float [H+1], ascending.
        ("out_k1", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B].
        ("out_k3", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B].
        ("out_lengths", ctypes.POINTER(truing_tensor)),  # i32 [B], live tokens.
        ("out_figures", ctypes.POINTER(truing_tensor)),  # f64 [TRUING_KL_FIGURE_COUNT]; NaN where there is nothing to average over.
        ("out_quantiles", ctypes.POINTER(truing_tensor)),  # f64 or f32 [Q], of the lengths.
        ("out_histogram", ctypes.POINTER(truing_tensor)),  # i64 [H]: lengths in [edge, next edge), the last bin with its upper edge.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [B].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_ches_args(ctypes.Structure):
    """Centred hidden embedding similarity of two answers, <H-, H+> - |H+|^2: a figure for choosing pairs, no gradient."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("hidden", ctypes.POINTER(truing_tensor)),  # float [S,T,D], or [N,D] with `cu_seqlens`; final hidden states.
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [S+1].
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [N] or [S,T]: from the last position of the prompt to the one before the answer's last.
        ("chosen_seq", ctypes.POINTER(truing_tensor)),  # int [P], sequence index.
        ("rejected_seq", ctypes.POINTER(truing_tensor)),  # int [P], sequence index.
        ("score_kind", truing_score_kind),  # TRUING_SCORE_SUM or TRUING_SCORE_MEAN of the live states.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_value", ctypes.POINTER(truing_tensor)),  # f64 or f32 [P].
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [P].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_class_rows_args(ctypes.Structure):
    """Losses over rows of few logits: `truing_prm_ce`, `truing_rps`, `truing_brier`, `truing_confidence_ce`, `truing_product_target`, `truing_pdu_flatten`. Targets are constants."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("logits", ctypes.POINTER(truing_tensor)),  # float [N,V], f64 allowed.
        ("columns", ctypes.POINTER(truing_tensor)),  # int [K], the classes, all different; NULL: all columns. The others get gradient 0.
        ("targets", ctypes.POINTER(truing_tensor)),  # float [N,K] >= 0; none for pdu_flatten.
        ("target_ids", ctypes.POINTER(truing_tensor)),  # int [N], target class; instead of `targets`.
        ("threshold", ctypes.POINTER(truing_tensor)),  # float 0-d in [0, 1]: class 0 is hard from here on; confidence_ce only.
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [N].
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: confidence_ce confidence; product_target own (1), label (1). NaN or a missing tail = default.
        ("num_params", ctypes.c_size_t),  # Numbers given.
        ("form", truing_class_form),  # `TRUING_CLASS_*`.
        ("reduction", truing_reduction),  # TRUING_REDUCE_NONE, SUM or MEAN over live rows.
        ("normaliser", ctypes.c_double),  # External divisor, 0 = off.
        ("grad_output", ctypes.POINTER(truing_tensor)),  # float 0-d, or [N] for REDUCE_NONE; NULL = 1.
        ("grad_scale", ctypes.c_double),  # Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
        ("out_loss", ctypes.POINTER(truing_tensor)),  # f64 or f32, 0-d; not with REDUCE_NONE.
        ("out_losses", ctypes.POINTER(truing_tensor)),  # f64 or f32 [N].
        ("out_targets", ctypes.POINTER(truing_tensor)),  # f64 or f32 [N,K], the target that was used.
        ("grad_logits_out", ctypes.POINTER(truing_tensor)),  # float [N,V].
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [N].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_prm_mse_args(ctypes.Structure):
    """Squared error of a process reward model: mean over a sample's live steps, then over the samples that have one."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("predictions", ctypes.POINTER(truing_tensor)),  # float [B,T], or [N] with `cu_seqlens`.
        ("targets", ctypes.POINTER(truing_tensor)),  # float, same shape.
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [B+1].
        ("mask", ctypes.POINTER(truing_tensor)),  # mask, same shape: labelled steps.
        ("reduction", truing_reduction),  # TRUING_REDUCE_NONE, SUM or MEAN over samples.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("normaliser", ctypes.c_double),  # External divisor, 0 = off.
        ("grad_output", ctypes.POINTER(truing_tensor)),  # float 0-d, or [B] for REDUCE_NONE; NULL = 1.
        ("grad_scale", ctypes.c_double),  # Host factor, 0 = 1 without TRUING_HAS_GRAD_SCALE.
        ("out_loss", ctypes.POINTER(truing_tensor)),  # f64 or f32, 0-d; not with REDUCE_NONE.
        ("out_losses", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B].
        ("grad_predictions_out", ctypes.POINTER(truing_tensor)),  # float as predictions.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [B].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_preference_orchestrator_args(ctypes.Structure):
    """Weights of K objectives that depend on the prompt: target softmax(r / T), KL to w = softmax(s), combination J = sum w q."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("rewards", ctypes.POINTER(truing_tensor)),  # float [B,K], of the preferred answer.
        ("log_target", ctypes.POINTER(truing_tensor)),  # float [B,K], log target weights; instead of `rewards`.
        ("scores", ctypes.POINTER(truing_tensor)),  # float [B,K], s.
        ("values", ctypes.POINTER(truing_tensor)),  # float [B,K], q: rewards or losses of the objectives.
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: temperature (0.1). NaN or a missing tail = default.
        ("num_params", ctypes.c_size_t),  # 0 or 1.
        ("direction", truing_direction),  # `TRUING_DIRECTION_*`, required for the KL.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_log_target", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B,K].
        ("out_weights", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B,K], w; also the partial of J with respect to the values.
        ("out_kl", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B].
        ("out_combined", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B], J.
        ("grad_scores_kl_out", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B,K], dKL/ds.
        ("grad_scores_combined_out", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B,K], dJ/ds; dJ/dw is q.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [B].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_group_advantage_args(ctypes.Structure):
    """Advantage of every row from the rewards of its group."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("rewards", ctypes.POINTER(truing_tensor)),  # float [B], finite, NaN = missing: no part of a statistic, advantage 0.
        ("group_offsets", ctypes.POINTER(truing_tensor)),  # int [G+1], group g holds rows offsets[g] to offsets[g+1]; or `group_ids`.
        ("group_ids", ctypes.POINTER(truing_tensor)),  # int [B], group of each row, in any order, below `num_groups`.
        ("num_groups", ctypes.c_uint64),  # With `group_ids`.
        ("lengths", ctypes.POINTER(truing_tensor)),  # int [B], tokens of each row; LENGTH_WEIGHTED only.
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: eps (the preset's), f_norm (1); NaN or a missing tail = default.
        ("num_params", ctypes.c_size_t),  # Values given.
        ("preset", truing_advantage_preset),  # `TRUING_ADVANTAGE_*`, 0 = the next two are given.
        ("baseline", truing_baseline),  # `TRUING_BASELINE_*`, 0 = the preset's.
        ("scale", truing_advantage_scale),  # `TRUING_SCALE_*`, 0 = the preset's.
        ("std_kind", truing_std_kind),  # `TRUING_STD_*`, 0 = unbiased.
        ("eps_kind", truing_eps_kind),  # `TRUING_EPS_ADD` or `_SKIP_ZERO`, 0 = the preset's, or ADD.
        ("single", truing_single),  # `TRUING_SINGLE_*`, 0 = the preset's, or ZERO.
        ("out_advantages", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B].
        ("out_mean", ctypes.POINTER(truing_tensor)),  # f64 or f32 [G], of the scored rows.
        ("out_std", ctypes.POINTER(truing_tensor)),  # f64 or f32 [G].
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [G]: empty, degenerate (one scored row, or no weight), infinite, overflow.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_multi_objective_advantage_args(ctypes.Structure):
    """Advantage of every row from several rewards, and its gradient with respect to their weights."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("rewards", ctypes.POINTER(truing_tensor)),  # float [B,K], finite, NaN = missing: skipped.
        ("weights", ctypes.POINTER(truing_tensor)),  # float [K] or [B,K], NULL = 1.
        ("group_offsets", ctypes.POINTER(truing_tensor)),  # int [G+1], group g holds rows offsets[g] to offsets[g+1]; or `group_ids`.
        ("group_ids", ctypes.POINTER(truing_tensor)),  # int [B], group of each row, in any order, below `num_groups`.
        ("num_groups", ctypes.c_uint64),  # With `group_ids`.
        ("lengths", ctypes.POINTER(truing_tensor)),  # int [B]; LENGTH_WEIGHTED only.
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: eps (the preset's), f_norm (1), batch_eps (1e-4).
        ("num_params", ctypes.c_size_t),  # Values given.
        ("order", truing_objective_order),  # `TRUING_ORDER_*`.
        ("preset", truing_advantage_preset),  # `TRUING_ADVANTAGE_*`, 0 = the next two are given.
        ("baseline", truing_baseline),  # `TRUING_BASELINE_*`, 0 = the preset's.
        ("scale", truing_advantage_scale),  # `TRUING_SCALE_*`, 0 = the preset's.
        ("std_kind", truing_std_kind),  # `TRUING_STD_*`, 0 = unbiased.
        ("eps_kind", truing_eps_kind),  # `TRUING_EPS_ADD` or `_SKIP_ZERO`, 0 = the preset's, or ADD.
        ("single", truing_single),  # `TRUING_SINGLE_*`, 0 = the preset's, or ZERO.
        ("batch_step", truing_batch_step),  # `TRUING_BATCH_STEP_*`, NORMALISE_FIRST only, 0 = NONE.
        ("out_advantages", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B].
        ("out_combined", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B], before the last step, NaN for a row without a reward.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [B]: empty for a row without a reward, infinite, overflow.
        ("grad_advantages", ctypes.POINTER(truing_tensor)),  # Backward: float [B].
        ("grad_weights_out", ctypes.POINTER(truing_tensor)),  # Backward: f64 or f32 [K], or [B,K] where the weights are.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_gae_args(ctypes.Structure):
    """Generalised advantage estimation, and the discounted return. Backward: rewards, values and baseline are NULL."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("rewards", ctypes.POINTER(truing_tensor)),  # float [N] or [B,T].
        ("values", ctypes.POINTER(truing_tensor)),  # float [N]; NULL in a discounted return.
        ("value_end", ctypes.POINTER(truing_tensor)),  # float [B], value behind a truncated sequence, NULL = 0.
        ("baseline", ctypes.POINTER(truing_tensor)),  # float [B], discounted return: subtracted from it in `out_advantages`.
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [N].
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [B+1], packed layout.
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: gamma (1), lambda_policy (1), lambda_value (lambda_policy), length_alpha (off); of a discounted return gamma.
        ("num_params", ctypes.c_size_t),  # Values given.
        ("masks", truing_mask_handling),  # `TRUING_MASKS_*`.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_advantages", ctypes.POINTER(truing_tensor)),  # f64 or f32 [N].
        ("out_returns", ctypes.POINTER(truing_tensor)),  # f64 or f32 [N], before any whitening.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [B]: empty, nan_input, inf_input, overflow.
        ("grad_advantages", ctypes.POINTER(truing_tensor)),  # Backward: float [N].
        ("grad_returns", ctypes.POINTER(truing_tensor)),  # Backward: float [N].
        ("grad_rewards_out", ctypes.POINTER(truing_tensor)),  # Backward: f64 or f32 [N].
        ("grad_values_out", ctypes.POINTER(truing_tensor)),  # Backward: f64 or f32 [N].
        ("grad_value_end_out", ctypes.POINTER(truing_tensor)),  # Backward: f64 or f32 [B].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_whiten_args(ctypes.Structure):
    """(v - mean) / deviation over live values. Over ranks: `out_state` of each, then all of them as `states`."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("values", ctypes.POINTER(truing_tensor)),  # float [n] or [B,T].
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [n].
        ("counts", ctypes.POINTER(truing_tensor)),  # int [n] >= 0, how many values each stands for; NULL = 1.
        ("states", ctypes.POINTER(truing_tensor)),  # f64 [ranks,3], the states of all ranks; NULL: these values alone.
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: eps (1e-8).
        ("num_params", ctypes.c_size_t),  # Values given.
        ("std_kind", truing_std_kind),  # `TRUING_STD_*`.
        ("eps_kind", truing_eps_kind),  # `TRUING_EPS_*`.
        ("keep_mean", ctypes.c_uint32),  # 1: the mean is added back.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_values", ctypes.POINTER(truing_tensor)),  # f64 or f32 [n]; 0 where there is one value or none.
        ("out_state", ctypes.POINTER(truing_tensor)),  # f64 [3]: number, mean, sum of squares around it.
        ("out_moments", ctypes.POINTER(truing_tensor)),  # f64 or f32 [2]: mean and deviation, without eps.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32, 0-d: empty, degenerate (one value), nan_input, inf_input.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_optimal_token_baseline_args(ctypes.Structure):
    """Reward to go minus a baseline of its own for every position of a group."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("rewards", ctypes.POINTER(truing_tensor)),  # float [N] or [B,T].
        ("logps", ctypes.POINTER(truing_tensor)),  # float [N], nats.
        ("log_sum_sq", ctypes.POINTER(truing_tensor)),  # float [N], log of sum p^2 (`figures.out_log_sum_sq`).
        ("importance_weight", ctypes.POINTER(truing_tensor)),  # float [N], NULL = 1.
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [N].
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [B+1], packed layout.
        ("group_offsets", ctypes.POINTER(truing_tensor)),  # int [G+1], group g holds rows offsets[g] to offsets[g+1]; or `group_ids`.
        ("group_ids", ctypes.POINTER(truing_tensor)),  # int [B], group of each row, in any order, below `num_groups`.
        ("num_groups", ctypes.c_uint64),  # With `group_ids`.
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: eps (1e-8).
        ("num_params", ctypes.c_size_t),  # Values given.
        ("alignment", truing_alignment),  # `TRUING_ALIGNMENT_*`.
        ("keep_tail", ctypes.c_uint32),  # 1: a baseline beyond the second longest row too.
        ("out_advantages", ctypes.POINTER(truing_tensor)),  # f64 or f32 [N].
        ("out_baseline", ctypes.POINTER(truing_tensor)),  # f64 or f32 [N].
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [B]: empty, nan_input, inf_input, overflow.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_prime_advantage_args(ctypes.Structure):
    """Returns of PRIME from process rewards and outcomes, leave-one-out by group; to be whitened."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("process_rewards", ctypes.POINTER(truing_tensor)),  # float [N] or [B,T]; NULL with an outcome: none.
        ("outcome", ctypes.POINTER(truing_tensor)),  # float [B], at the last live token.
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [N].
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [B+1], packed layout.
        ("group_offsets", ctypes.POINTER(truing_tensor)),  # int [G+1], group g holds rows offsets[g] to offsets[g+1]; or `group_ids`.
        ("group_ids", ctypes.POINTER(truing_tensor)),  # int [B], group of each row, in any order, below `num_groups`.
        ("num_groups", ctypes.c_uint64),  # With `group_ids`.
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: process_coef (1), outcome_coef (1).
        ("num_params", ctypes.c_size_t),  # Values given.
        ("out_returns", ctypes.POINTER(truing_tensor)),  # f64 or f32 [N].
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [B]: empty, overflow.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_distill_advantage_args(ctypes.Structure):
    """A teacher's log-probs of sampled tokens as advantage."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("student", ctypes.POINTER(truing_tensor)),  # float [N] or [B,T], log-prob under the policy that sampled, nats.
        ("teacher", ctypes.POINTER(truing_tensor)),  # float [N], nats; NaN = missing.
        ("advantages", ctypes.POINTER(truing_tensor)),  # float [N] or [B]: OPD (NULL = 0) and RLSD.
        ("token_rewards", ctypes.POINTER(truing_tensor)),  # float [N], in the place of teacher - student: MINILLM only.
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [N].
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [B+1], packed layout.
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: OPD coef (1), clamp (inf); IW_OPD gain (0.5); RLSD mix (0.5), eps (0.2); MINILLM gamma (0).
        ("num_params", ctypes.c_size_t),  # Values given.
        ("form", truing_distill_form),  # `TRUING_DISTILL_*`.
        ("estimator", truing_loss_id),  # OPD: entry of the estimator kind, 0 = k1.
        ("advantage_level", truing_level),  # `TRUING_LEVEL_*`, 0 = by the shape.
        ("missing_zero", ctypes.c_uint32),  # 1: a missing teacher value is no opinion, 0: an error.
        ("negative_only", ctypes.c_uint32),  # RLSD, 1: only where the advantage is negative.
        ("per_length", ctypes.c_uint32),  # MINILLM, 1: over the discounted number of tokens.
        ("position_power", ctypes.c_uint32),  # MINILLM, 1: times gamma^t.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_advantages", ctypes.POINTER(truing_tensor)),  # f64 or f32 [N].
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [B]: empty, nan_input, inf_input, infinite, overflow, saturated.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_lagrangian_advantage_args(ctypes.Structure):
    """(A_r - lambda A_c) / (1 + lambda), and the gradient of the multiplier."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("reward_advantages", ctypes.POINTER(truing_tensor)),  # float [N] or [B,T].
        ("cost_advantages", ctypes.POINTER(truing_tensor)),  # float [N].
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [N].
        ("log_lambda", ctypes.POINTER(truing_tensor)),  # float, 0-d, -inf for lambda = 0.
        ("mean_cost", ctypes.POINTER(truing_tensor)),  # float, 0-d, with `grad_log_lambda_out`.
        ("cost_limit", ctypes.c_double),  # What `mean_cost` is held to.
        ("out_advantages", ctypes.POINTER(truing_tensor)),  # f64 or f32 [N].
        ("grad_log_lambda_out", ctypes.POINTER(truing_tensor)),  # f64 or f32, 0-d, of -(mean_cost - cost_limit) lambda.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_pama_scalars_args(ctypes.Structure):
    """Mean clipped advantage of every objective."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("advantages", ctypes.POINTER(truing_tensor)),  # float [n,N].
        ("logps", ctypes.POINTER(truing_tensor)),  # float [N] or [B,T], nats.
        ("anchor", ctypes.POINTER(truing_tensor)),  # float [N], log-prob under the policy that the ratio is taken to.
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [N].
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [B+1], packed layout.
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: clip_high (0.2).
        ("num_params", ctypes.c_size_t),  # Values given.
        ("granularity", truing_granularity),  # `TRUING_GRANULARITY_*`.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_scalars", ctypes.POINTER(truing_tensor)),  # f64 or f32 [n,1], [n,B] or [n,N].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_interval_weights_args(ctypes.Structure):
    """The element of least size between n numbers, and weights that make it; column by column."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("scalars", ctypes.POINTER(truing_tensor)),  # float [n,m], n up to 64.
        ("out_value", ctypes.POINTER(truing_tensor)),  # f64 or f32 [m].
        ("out_weights", ctypes.POINTER(truing_tensor)),  # f64 or f32 [n,m], >= 0, sum 1.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [m]: nan_input, inf_input.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_gram_matrix_args(ctypes.Structure):
    """Mean products of all pairs of rows."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("values", ctypes.POINTER(truing_tensor)),  # float [n,N], n up to 64.
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [N].
        ("unit_rows", ctypes.c_uint32),  # 1: cosines.
        ("reserved0", ctypes.c_uint32),  # 0.
        ("out_gram", ctypes.POINTER(truing_tensor)),  # f64 or f32 [n,n].
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_min_norm_weights_args(ctypes.Structure):
    """The weights c >= 0, sum 1, of least c' M c."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("gram", ctypes.POINTER(truing_tensor)),  # float [n,n], symmetric, positive semidefinite, n up to 64.
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: tolerance (1e-12), where n > 8.
        ("num_params", ctypes.c_size_t),  # Values given.
        ("out_weights", ctypes.POINTER(truing_tensor)),  # f64 or f32 [n].
        ("out_value", ctypes.POINTER(truing_tensor)),  # f64 or f32, 0-d.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_token_reward_args(ctypes.Structure):
    """Rewards with a KL penalty, of tokens or of sequences."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("old", ctypes.POINTER(truing_tensor)),  # float [N] or [B,T], log-prob under the policy that sampled, nats.
        ("ref_logps", ctypes.POINTER(truing_tensor)),  # float [N], nats.
        ("rewards", ctypes.POINTER(truing_tensor)),  # float [B], NULL = 0.
        ("mask", ctypes.POINTER(truing_tensor)),  # mask [N].
        ("cu_seqlens", ctypes.POINTER(truing_tensor)),  # int [B+1], packed layout.
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: coef (required), kl_clamp (inf), reward_min (-inf), reward_max (inf).
        ("num_params", ctypes.c_size_t),  # Values given.
        ("estimator", truing_loss_id),  # Entry of the estimator kind.
        ("level", truing_level),  # `TRUING_LEVEL_*`: of the result.
        ("out_rewards", ctypes.POINTER(truing_tensor)),  # f64 or f32 [N]: the reward at the last live token; or [B].
        ("out_kl", ctypes.POINTER(truing_tensor)),  # f64 or f32 [B], sum of the estimates.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32 [B]: empty, nan_input, inf_input, infinite, overflow, saturated.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


class truing_controller_args(ctypes.Structure):
    """The next value of a coefficient that follows a measured figure."""

    _fields_ = [
        ("struct_size", ctypes.c_uint32),  # `sizeof` of this struct as the caller compiled it.
        ("reserved_head", ctypes.c_uint32),  # 0.
        ("context", ctypes.c_void_p),  # NULL = calling thread only, portable mode.
        ("flags", ctypes.c_uint64),  # TRUING_* bits this call knows.
        ("stream", ctypes.c_void_p),  # CUDA stream, NULL = default stream; NULL on the CPU.
        ("workspace", ctypes.c_void_p),  # On the tensors' device, 64-byte aligned, NULL = 0 bytes.
        ("workspace_size", ctypes.c_size_t),  # Bytes.
        ("measured", ctypes.POINTER(truing_tensor)),  # float, 0-d: mean KL or entropy.
        ("coef", ctypes.POINTER(truing_tensor)),  # float, 0-d, until now.
        ("params", ctypes.POINTER(ctypes.c_double)),  # Host: of KL target (0.1), batch (required), horizon (10000); of entropy target (0.2), step (0.005), minimum (0), maximum (1).
        ("num_params", ctypes.c_size_t),  # Values given.
        ("out_coef", ctypes.POINTER(truing_tensor)),  # f64 or f32, 0-d.
        ("out_applied", ctypes.POINTER(truing_tensor)),  # f64 or f32, 0-d: what the next step applies, of an entropy bonus 0 above the target.
        ("out_status", ctypes.POINTER(truing_tensor)),  # u32, 0-d: nan_input, inf_input (the coefficient stays); on a device out_of_range of a coefficient that is none.
        ("reserved", ctypes.c_uint8 * 64),  # 0.
    ]


truing_linear_logprob_finish_args = truing_logprob_finish_args
truing_linear_divergence_finish_args = truing_divergence_finish_args

STRUCTS = [
    truing_device,
    truing_dtype,
    truing_tensor,
    truing_context_options,
    truing_param_info,
    truing_loss_description,
    truing_transform,
    truing_head,
    truing_head_grads,
    truing_rows,
    truing_shard,
    truing_support,
    truing_row_loss,
    truing_figures,
    truing_row_upstream,
    truing_logprob_forward_args,
    truing_logprob_backward_args,
    truing_logprob_local_args,
    truing_logprob_finish_args,
    truing_linear_logprob_forward_args,
    truing_linear_logprob_backward_args,
    truing_linear_logprob_local_args,
    truing_support_mask_args,
    truing_tds_rows_args,
    truing_score,
    truing_sequence_forward_args,
    truing_sequence_backward_args,
    truing_loss,
    truing_groups,
    truing_item_outputs,
    truing_preference_outputs,
    truing_preference_term,
    truing_preference_forward_args,
    truing_side_term,
    truing_linear_preference_args,
    truing_aggregate,
    truing_estimator,
    truing_policy_term,
    truing_policy_inputs,
    truing_policy_outputs,
    truing_policy_forward_args,
    truing_linear_policy_args,
    truing_partial,
    truing_divergence_options,
    truing_divergence_outputs,
    truing_divergence_forward_args,
    truing_divergence_backward_args,
    truing_divergence_local_args,
    truing_divergence_finish_args,
    truing_linear_divergence_args,
    truing_linear_divergence_local_args,
    truing_sequence_kl_args,
    truing_kto_baseline_args,
    truing_bco_shift_args,
    truing_aot_sort_args,
    truing_beta_dpo_stats_args,
    truing_wpo_weight_args,
    truing_importance_weight_args,
    truing_rejection_mask_args,
    truing_off_policy_sequence_mask_args,
    truing_top_entropy_mask_args,
    truing_cov_select_args,
    truing_m2po_mask_args,
    truing_fipo_weight_args,
    truing_item_numbers_args,
    truing_uld_args,
    truing_tilt_args,
    truing_renyi_args,
    truing_best_of_n_args,
    truing_best_of_n_kl_args,
    truing_head_weights_args,
    truing_modpo_margin_args,
    truing_quantile_threshold_args,
    truing_a_star_value_args,
    truing_hindsight_target_args,
    truing_kl_length_figures_args,
    truing_ches_args,
    truing_class_rows_args,
    truing_prm_mse_args,
    truing_preference_orchestrator_args,
    truing_group_advantage_args,
    truing_multi_objective_advantage_args,
    truing_gae_args,
    truing_whiten_args,
    truing_optimal_token_baseline_args,
    truing_prime_advantage_args,
    truing_distill_advantage_args,
    truing_lagrangian_advantage_args,
    truing_pama_scalars_args,
    truing_interval_weights_args,
    truing_gram_matrix_args,
    truing_min_norm_weights_args,
    truing_token_reward_args,
    truing_controller_args,
]

# Exported functions: result and argument types.
FUNCTIONS = {
    "truing_group_advantage": (truing_status, [ctypes.POINTER(truing_group_advantage_args)]),
    "truing_group_advantage_workspace_size": (truing_status, [ctypes.POINTER(truing_group_advantage_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_pass_k_advantage": (truing_status, [ctypes.POINTER(truing_group_advantage_args)]),
    "truing_pass_k_advantage_workspace_size": (truing_status, [ctypes.POINTER(truing_group_advantage_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_multi_objective_advantage_forward": (truing_status, [ctypes.POINTER(truing_multi_objective_advantage_args)]),
    "truing_multi_objective_advantage_backward": (truing_status, [ctypes.POINTER(truing_multi_objective_advantage_args)]),
    "truing_multi_objective_advantage_forward_workspace_size": (truing_status, [ctypes.POINTER(truing_multi_objective_advantage_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_multi_objective_advantage_backward_workspace_size": (truing_status, [ctypes.POINTER(truing_multi_objective_advantage_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_gae_forward": (truing_status, [ctypes.POINTER(truing_gae_args)]),
    "truing_discounted_return_forward": (truing_status, [ctypes.POINTER(truing_gae_args)]),
    "truing_gae_forward_workspace_size": (truing_status, [ctypes.POINTER(truing_gae_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_gae_backward": (truing_status, [ctypes.POINTER(truing_gae_args)]),
    "truing_discounted_return_backward": (truing_status, [ctypes.POINTER(truing_gae_args)]),
    "truing_gae_backward_workspace_size": (truing_status, [ctypes.POINTER(truing_gae_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_discounted_return_forward_workspace_size": (truing_status, [ctypes.POINTER(truing_gae_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_discounted_return_backward_workspace_size": (truing_status, [ctypes.POINTER(truing_gae_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_whiten": (truing_status, [ctypes.POINTER(truing_whiten_args)]),
    "truing_whiten_workspace_size": (truing_status, [ctypes.POINTER(truing_whiten_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_optimal_token_baseline": (truing_status, [ctypes.POINTER(truing_optimal_token_baseline_args)]),
    "truing_optimal_token_baseline_workspace_size": (truing_status, [ctypes.POINTER(truing_optimal_token_baseline_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_prime_advantage": (truing_status, [ctypes.POINTER(truing_prime_advantage_args)]),
    "truing_prime_advantage_workspace_size": (truing_status, [ctypes.POINTER(truing_prime_advantage_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_distill_advantage": (truing_status, [ctypes.POINTER(truing_distill_advantage_args)]),
    "truing_distill_advantage_workspace_size": (truing_status, [ctypes.POINTER(truing_distill_advantage_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_lagrangian_advantage": (truing_status, [ctypes.POINTER(truing_lagrangian_advantage_args)]),
    "truing_lagrangian_advantage_workspace_size": (truing_status, [ctypes.POINTER(truing_lagrangian_advantage_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_pama_scalars": (truing_status, [ctypes.POINTER(truing_pama_scalars_args)]),
    "truing_pama_scalars_workspace_size": (truing_status, [ctypes.POINTER(truing_pama_scalars_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_interval_weights": (truing_status, [ctypes.POINTER(truing_interval_weights_args)]),
    "truing_interval_weights_workspace_size": (truing_status, [ctypes.POINTER(truing_interval_weights_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_gram_matrix": (truing_status, [ctypes.POINTER(truing_gram_matrix_args)]),
    "truing_gram_matrix_workspace_size": (truing_status, [ctypes.POINTER(truing_gram_matrix_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_min_norm_weights": (truing_status, [ctypes.POINTER(truing_min_norm_weights_args)]),
    "truing_min_norm_weights_workspace_size": (truing_status, [ctypes.POINTER(truing_min_norm_weights_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_token_reward": (truing_status, [ctypes.POINTER(truing_token_reward_args)]),
    "truing_token_reward_workspace_size": (truing_status, [ctypes.POINTER(truing_token_reward_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_kl_controller": (truing_status, [ctypes.POINTER(truing_controller_args)]),
    "truing_entropy_controller": (truing_status, [ctypes.POINTER(truing_controller_args)]),
    "truing_kl_controller_workspace_size": (truing_status, [ctypes.POINTER(truing_controller_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_entropy_controller_workspace_size": (truing_status, [ctypes.POINTER(truing_controller_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_kto_baseline": (truing_status, [ctypes.POINTER(truing_kto_baseline_args)]),
    "truing_bco_shift": (truing_status, [ctypes.POINTER(truing_bco_shift_args)]),
    "truing_aot_sort": (truing_status, [ctypes.POINTER(truing_aot_sort_args)]),
    "truing_aot_sort_workspace_size": (truing_status, [ctypes.POINTER(truing_aot_sort_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_beta_dpo_stats": (truing_status, [ctypes.POINTER(truing_beta_dpo_stats_args)]),
    "truing_beta_dpo_stats_workspace_size": (truing_status, [ctypes.POINTER(truing_beta_dpo_stats_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_wpo_weight": (truing_status, [ctypes.POINTER(truing_wpo_weight_args)]),
    "truing_kto_baseline_workspace_size": (truing_status, [ctypes.POINTER(truing_kto_baseline_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_bco_shift_workspace_size": (truing_status, [ctypes.POINTER(truing_bco_shift_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_wpo_weight_workspace_size": (truing_status, [ctypes.POINTER(truing_wpo_weight_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_density_ratio": (truing_status, [ctypes.POINTER(truing_item_numbers_args)]),
    "truing_odpo_offset": (truing_status, [ctypes.POINTER(truing_item_numbers_args)]),
    "truing_mm_beta": (truing_status, [ctypes.POINTER(truing_item_numbers_args)]),
    "truing_pdu_dual_step": (truing_status, [ctypes.POINTER(truing_item_numbers_args)]),
    "truing_head_weights": (truing_status, [ctypes.POINTER(truing_head_weights_args)]),
    "truing_modpo_margin": (truing_status, [ctypes.POINTER(truing_modpo_margin_args)]),
    "truing_quantile_threshold": (truing_status, [ctypes.POINTER(truing_quantile_threshold_args)]),
    "truing_quantile_threshold_workspace_size": (truing_status, [ctypes.POINTER(truing_quantile_threshold_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_a_star_value": (truing_status, [ctypes.POINTER(truing_a_star_value_args)]),
    "truing_hindsight_target": (truing_status, [ctypes.POINTER(truing_hindsight_target_args)]),
    "truing_kl_length_figures": (truing_status, [ctypes.POINTER(truing_kl_length_figures_args)]),
    "truing_kl_length_figures_workspace_size": (truing_status, [ctypes.POINTER(truing_kl_length_figures_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_ches": (truing_status, [ctypes.POINTER(truing_ches_args)]),
    "truing_ches_workspace_size": (truing_status, [ctypes.POINTER(truing_ches_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_density_ratio_workspace_size": (truing_status, [ctypes.POINTER(truing_item_numbers_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_odpo_offset_workspace_size": (truing_status, [ctypes.POINTER(truing_item_numbers_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_mm_beta_workspace_size": (truing_status, [ctypes.POINTER(truing_item_numbers_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_pdu_dual_step_workspace_size": (truing_status, [ctypes.POINTER(truing_item_numbers_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_head_weights_workspace_size": (truing_status, [ctypes.POINTER(truing_head_weights_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_modpo_margin_workspace_size": (truing_status, [ctypes.POINTER(truing_modpo_margin_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_a_star_value_workspace_size": (truing_status, [ctypes.POINTER(truing_a_star_value_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_hindsight_target_workspace_size": (truing_status, [ctypes.POINTER(truing_hindsight_target_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_last_error": (ctypes.c_char_p, []),
    "truing_abi_version": (ctypes.c_uint32, []),
    "truing_version": (ctypes.c_char_p, []),
    "truing_loss_count": (ctypes.c_size_t, []),
    "truing_loss_at": (truing_status, [ctypes.c_size_t, ctypes.POINTER(truing_loss_description)]),
    "truing_loss_info": (truing_status, [truing_loss_id, ctypes.POINTER(truing_loss_description)]),
    "truing_loss_find": (truing_status, [ctypes.c_char_p, ctypes.POINTER(truing_loss_id)]),
    "truing_prm_ce": (truing_status, [ctypes.POINTER(truing_class_rows_args)]),
    "truing_rps": (truing_status, [ctypes.POINTER(truing_class_rows_args)]),
    "truing_brier": (truing_status, [ctypes.POINTER(truing_class_rows_args)]),
    "truing_confidence_ce": (truing_status, [ctypes.POINTER(truing_class_rows_args)]),
    "truing_product_target": (truing_status, [ctypes.POINTER(truing_class_rows_args)]),
    "truing_pdu_flatten": (truing_status, [ctypes.POINTER(truing_class_rows_args)]),
    "truing_prm_ce_workspace_size": (truing_status, [ctypes.POINTER(truing_class_rows_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_rps_workspace_size": (truing_status, [ctypes.POINTER(truing_class_rows_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_brier_workspace_size": (truing_status, [ctypes.POINTER(truing_class_rows_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_confidence_ce_workspace_size": (truing_status, [ctypes.POINTER(truing_class_rows_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_product_target_workspace_size": (truing_status, [ctypes.POINTER(truing_class_rows_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_pdu_flatten_workspace_size": (truing_status, [ctypes.POINTER(truing_class_rows_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_prm_mse": (truing_status, [ctypes.POINTER(truing_prm_mse_args)]),
    "truing_prm_mse_workspace_size": (truing_status, [ctypes.POINTER(truing_prm_mse_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_preference_orchestrator": (truing_status, [ctypes.POINTER(truing_preference_orchestrator_args)]),
    "truing_preference_orchestrator_workspace_size": (truing_status, [ctypes.POINTER(truing_preference_orchestrator_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_context_create": (truing_status, [ctypes.POINTER(truing_context_options), ctypes.POINTER(ctypes.c_void_p)]),
    "truing_context_destroy": (None, [ctypes.c_void_p]),
    "truing_prepare": (truing_status, [ctypes.c_void_p, ctypes.c_int32]),
    "truing_importance_weight": (truing_status, [ctypes.POINTER(truing_importance_weight_args)]),
    "truing_importance_weight_workspace_size": (truing_status, [ctypes.POINTER(truing_importance_weight_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_rejection_mask": (truing_status, [ctypes.POINTER(truing_rejection_mask_args)]),
    "truing_off_policy_sequence_mask": (truing_status, [ctypes.POINTER(truing_off_policy_sequence_mask_args)]),
    "truing_top_entropy_mask": (truing_status, [ctypes.POINTER(truing_top_entropy_mask_args)]),
    "truing_top_entropy_mask_workspace_size": (truing_status, [ctypes.POINTER(truing_top_entropy_mask_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_cov_select": (truing_status, [ctypes.POINTER(truing_cov_select_args)]),
    "truing_cov_select_workspace_size": (truing_status, [ctypes.POINTER(truing_cov_select_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_m2po_mask": (truing_status, [ctypes.POINTER(truing_m2po_mask_args)]),
    "truing_m2po_mask_workspace_size": (truing_status, [ctypes.POINTER(truing_m2po_mask_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_fipo_weight": (truing_status, [ctypes.POINTER(truing_fipo_weight_args)]),
    "truing_rejection_mask_workspace_size": (truing_status, [ctypes.POINTER(truing_rejection_mask_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_off_policy_sequence_mask_workspace_size": (truing_status, [ctypes.POINTER(truing_off_policy_sequence_mask_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_fipo_weight_workspace_size": (truing_status, [ctypes.POINTER(truing_fipo_weight_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_divergence_forward": (truing_status, [ctypes.POINTER(truing_divergence_forward_args)]),
    "truing_divergence_backward": (truing_status, [ctypes.POINTER(truing_divergence_backward_args)]),
    "truing_divergence_forward_workspace_size": (truing_status, [ctypes.POINTER(truing_divergence_forward_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_divergence_backward_workspace_size": (truing_status, [ctypes.POINTER(truing_divergence_backward_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_divergence_local": (truing_status, [ctypes.POINTER(truing_divergence_local_args)]),
    "truing_divergence_local_workspace_size": (truing_status, [ctypes.POINTER(truing_divergence_local_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_divergence_finish": (truing_status, [ctypes.POINTER(truing_divergence_finish_args)]),
    "truing_divergence_finish_workspace_size": (truing_status, [ctypes.POINTER(truing_divergence_finish_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_uld": (truing_status, [ctypes.POINTER(truing_uld_args)]),
    "truing_uld_workspace_size": (truing_status, [ctypes.POINTER(truing_uld_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_linear_divergence_forward": (truing_status, [ctypes.POINTER(truing_linear_divergence_args)]),
    "truing_linear_divergence_forward_workspace_size": (truing_status, [ctypes.POINTER(truing_linear_divergence_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_linear_divergence_local": (truing_status, [ctypes.POINTER(truing_linear_divergence_local_args)]),
    "truing_linear_divergence_local_workspace_size": (truing_status, [ctypes.POINTER(truing_linear_divergence_local_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_linear_divergence_finish": (truing_status, [ctypes.POINTER(truing_linear_divergence_finish_args)]),
    "truing_linear_divergence_finish_workspace_size": (truing_status, [ctypes.POINTER(truing_linear_divergence_finish_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_linear_logprob_forward": (truing_status, [ctypes.POINTER(truing_linear_logprob_forward_args)]),
    "truing_linear_logprob_backward": (truing_status, [ctypes.POINTER(truing_linear_logprob_backward_args)]),
    "truing_linear_logprob_forward_workspace_size": (truing_status, [ctypes.POINTER(truing_linear_logprob_forward_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_linear_logprob_backward_workspace_size": (truing_status, [ctypes.POINTER(truing_linear_logprob_backward_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_linear_logprob_local": (truing_status, [ctypes.POINTER(truing_linear_logprob_local_args)]),
    "truing_linear_logprob_local_workspace_size": (truing_status, [ctypes.POINTER(truing_linear_logprob_local_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_linear_logprob_finish": (truing_status, [ctypes.POINTER(truing_linear_logprob_finish_args)]),
    "truing_linear_logprob_finish_workspace_size": (truing_status, [ctypes.POINTER(truing_linear_logprob_finish_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_linear_policy_forward": (truing_status, [ctypes.POINTER(truing_linear_policy_args)]),
    "truing_linear_policy_forward_workspace_size": (truing_status, [ctypes.POINTER(truing_linear_policy_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_linear_preference_forward": (truing_status, [ctypes.POINTER(truing_linear_preference_args)]),
    "truing_linear_preference_forward_workspace_size": (truing_status, [ctypes.POINTER(truing_linear_preference_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_logprob_forward": (truing_status, [ctypes.POINTER(truing_logprob_forward_args)]),
    "truing_logprob_backward": (truing_status, [ctypes.POINTER(truing_logprob_backward_args)]),
    "truing_logprob_forward_workspace_size": (truing_status, [ctypes.POINTER(truing_logprob_forward_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_logprob_backward_workspace_size": (truing_status, [ctypes.POINTER(truing_logprob_backward_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_logprob_local": (truing_status, [ctypes.POINTER(truing_logprob_local_args)]),
    "truing_logprob_local_workspace_size": (truing_status, [ctypes.POINTER(truing_logprob_local_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_logprob_finish": (truing_status, [ctypes.POINTER(truing_logprob_finish_args)]),
    "truing_logprob_finish_workspace_size": (truing_status, [ctypes.POINTER(truing_logprob_finish_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_policy_forward": (truing_status, [ctypes.POINTER(truing_policy_forward_args)]),
    "truing_policy_forward_workspace_size": (truing_status, [ctypes.POINTER(truing_policy_forward_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_preference_forward": (truing_status, [ctypes.POINTER(truing_preference_forward_args)]),
    "truing_preference_forward_workspace_size": (truing_status, [ctypes.POINTER(truing_preference_forward_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_sequence_forward": (truing_status, [ctypes.POINTER(truing_sequence_forward_args)]),
    "truing_sequence_backward": (truing_status, [ctypes.POINTER(truing_sequence_backward_args)]),
    "truing_sequence_forward_workspace_size": (truing_status, [ctypes.POINTER(truing_sequence_forward_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_sequence_backward_workspace_size": (truing_status, [ctypes.POINTER(truing_sequence_backward_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_sequence_kl_forward": (truing_status, [ctypes.POINTER(truing_sequence_kl_args)]),
    "truing_sequence_kl_backward": (truing_status, [ctypes.POINTER(truing_sequence_kl_args)]),
    "truing_sequence_kl_forward_workspace_size": (truing_status, [ctypes.POINTER(truing_sequence_kl_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_sequence_kl_backward_workspace_size": (truing_status, [ctypes.POINTER(truing_sequence_kl_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_support_mask": (truing_status, [ctypes.POINTER(truing_support_mask_args)]),
    "truing_support_mask_workspace_size": (truing_status, [ctypes.POINTER(truing_support_mask_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_tds_rows": (truing_status, [ctypes.POINTER(truing_tds_rows_args)]),
    "truing_tds_rows_workspace_size": (truing_status, [ctypes.POINTER(truing_tds_rows_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_tilt": (truing_status, [ctypes.POINTER(truing_tilt_args)]),
    "truing_tilt_solve": (truing_status, [ctypes.POINTER(truing_tilt_args)]),
    "truing_renyi_array": (truing_status, [ctypes.POINTER(truing_renyi_args)]),
    "truing_renyi_cross_entropy": (truing_status, [ctypes.POINTER(truing_renyi_args)]),
    "truing_best_of_n_exact": (truing_status, [ctypes.POINTER(truing_best_of_n_args)]),
    "truing_best_of_n_exact_workspace_size": (truing_status, [ctypes.POINTER(truing_best_of_n_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_best_of_n_kl_estimate": (truing_status, [ctypes.POINTER(truing_best_of_n_kl_args)]),
    "truing_best_of_n_kl_estimate_workspace_size": (truing_status, [ctypes.POINTER(truing_best_of_n_kl_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_tilt_workspace_size": (truing_status, [ctypes.POINTER(truing_tilt_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_tilt_solve_workspace_size": (truing_status, [ctypes.POINTER(truing_tilt_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_renyi_array_workspace_size": (truing_status, [ctypes.POINTER(truing_renyi_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
    "truing_renyi_cross_entropy_workspace_size": (truing_status, [ctypes.POINTER(truing_renyi_args), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_size_t)]),
}
