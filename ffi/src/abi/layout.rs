// Written by `cargo xtask generate` from ffi/src/abi.rs; do not edit.
use super::*;
use core::mem::offset_of;

const fn f(name: &'static str, offset: usize, size: usize) -> Field {
    Field { name, offset, size }
}

impl Layout for truing_device {
    const NAME: &'static str = "truing_device";
    const FIELDS: &'static [Field] = &[
        f("device_type", offset_of!(truing_device, device_type), size_of::<truing_device_type>()),
        f("device_id", offset_of!(truing_device, device_id), size_of::<i32>()),
    ];
    const RESERVED: &'static [Field] = &[
    ];
}

impl Layout for truing_dtype {
    const NAME: &'static str = "truing_dtype";
    const FIELDS: &'static [Field] = &[
        f("code", offset_of!(truing_dtype, code), size_of::<truing_dtype_code>()),
        f("bits", offset_of!(truing_dtype, bits), size_of::<u8>()),
        f("lanes", offset_of!(truing_dtype, lanes), size_of::<u16>()),
    ];
    const RESERVED: &'static [Field] = &[
    ];
}

impl Layout for truing_tensor {
    const NAME: &'static str = "truing_tensor";
    const FIELDS: &'static [Field] = &[
        f("data", offset_of!(truing_tensor, data), size_of::<*mut c_void>()),
        f("device", offset_of!(truing_tensor, device), size_of::<truing_device>()),
        f("ndim", offset_of!(truing_tensor, ndim), size_of::<i32>()),
        f("dtype", offset_of!(truing_tensor, dtype), size_of::<truing_dtype>()),
        f("shape", offset_of!(truing_tensor, shape), size_of::<*const i64>()),
        f("strides", offset_of!(truing_tensor, strides), size_of::<*const i64>()),
        f("byte_offset", offset_of!(truing_tensor, byte_offset), size_of::<u64>()),
    ];
    const RESERVED: &'static [Field] = &[
    ];
}

impl Layout for truing_context_options {
    const NAME: &'static str = "truing_context_options";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_context_options, struct_size), size_of::<u32>()),
        f("num_threads", offset_of!(truing_context_options, num_threads), size_of::<u32>()),
        f("flags", offset_of!(truing_context_options, flags), size_of::<u64>()),
        f("cuda_cache_dir", offset_of!(truing_context_options, cuda_cache_dir), size_of::<*const c_char>()),
        f("mode", offset_of!(truing_context_options, mode), size_of::<truing_math_mode>()),
        f("isa_cap", offset_of!(truing_context_options, isa_cap), size_of::<truing_isa>()),
        f("reserved", offset_of!(truing_context_options, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved", offset_of!(truing_context_options, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_param_info {
    const NAME: &'static str = "truing_param_info";
    const FIELDS: &'static [Field] = &[
        f("name", offset_of!(truing_param_info, name), size_of::<*const c_char>()),
        f("description", offset_of!(truing_param_info, description), size_of::<*const c_char>()),
        f("default_value", offset_of!(truing_param_info, default_value), size_of::<f64>()),
        f("minimum", offset_of!(truing_param_info, minimum), size_of::<f64>()),
        f("maximum", offset_of!(truing_param_info, maximum), size_of::<f64>()),
        f("minimum_open", offset_of!(truing_param_info, minimum_open), size_of::<u32>()),
        f("maximum_open", offset_of!(truing_param_info, maximum_open), size_of::<u32>()),
        f("variant", offset_of!(truing_param_info, variant), size_of::<u32>()),
        f("reserved", offset_of!(truing_param_info, reserved), size_of::<[u8; 28]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved", offset_of!(truing_param_info, reserved), size_of::<[u8; 28]>()),
    ];
}

impl Layout for truing_loss_description {
    const NAME: &'static str = "truing_loss_description";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_loss_description, struct_size), size_of::<u32>()),
        f("id", offset_of!(truing_loss_description, id), size_of::<truing_loss_id>()),
        f("name", offset_of!(truing_loss_description, name), size_of::<*const c_char>()),
        f("formula", offset_of!(truing_loss_description, formula), size_of::<*const c_char>()),
        f("source", offset_of!(truing_loss_description, source), size_of::<*const c_char>()),
        f("params", offset_of!(truing_loss_description, params), size_of::<*const truing_param_info>()),
        f("num_params", offset_of!(truing_loss_description, num_params), size_of::<usize>()),
        f("aliases", offset_of!(truing_loss_description, aliases), size_of::<*const *const c_char>()),
        f("num_aliases", offset_of!(truing_loss_description, num_aliases), size_of::<usize>()),
        f("inputs", offset_of!(truing_loss_description, inputs), size_of::<u64>()),
        f("partials", offset_of!(truing_loss_description, partials), size_of::<u64>()),
        f("param_partials", offset_of!(truing_loss_description, param_partials), size_of::<u64>()),
        f("kind", offset_of!(truing_loss_description, kind), size_of::<truing_loss_kind>()),
        f("preset_of", offset_of!(truing_loss_description, preset_of), size_of::<truing_loss_id>()),
        f("score_kinds", offset_of!(truing_loss_description, score_kinds), size_of::<u32>()),
        f("num_variants", offset_of!(truing_loss_description, num_variants), size_of::<u32>()),
        f("takes_map", offset_of!(truing_loss_description, takes_map), size_of::<u32>()),
        f("levels", offset_of!(truing_loss_description, levels), size_of::<u32>()),
        f("param_size", offset_of!(truing_loss_description, param_size), size_of::<u32>()),
        f("reserved0", offset_of!(truing_loss_description, reserved0), size_of::<u32>()),
        f("variants", offset_of!(truing_loss_description, variants), size_of::<*const *const c_char>()),
        f("reserved", offset_of!(truing_loss_description, reserved), size_of::<[u8; 56]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved0", offset_of!(truing_loss_description, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_loss_description, reserved), size_of::<[u8; 56]>()),
    ];
}

impl Layout for truing_transform {
    const NAME: &'static str = "truing_transform";
    const FIELDS: &'static [Field] = &[
        f("bias", offset_of!(truing_transform, bias), size_of::<*const truing_tensor>()),
        f("row_temperature", offset_of!(truing_transform, row_temperature), size_of::<*const truing_tensor>()),
        f("temperature", offset_of!(truing_transform, temperature), size_of::<f64>()),
        f("logit_scale", offset_of!(truing_transform, logit_scale), size_of::<f64>()),
        f("softcap", offset_of!(truing_transform, softcap), size_of::<f64>()),
        f("n_valid_vocab", offset_of!(truing_transform, n_valid_vocab), size_of::<i64>()),
        f("logit_round", offset_of!(truing_transform, logit_round), size_of::<truing_rounding>()),
        f("reserved0", offset_of!(truing_transform, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_transform, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved0", offset_of!(truing_transform, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_transform, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_head {
    const NAME: &'static str = "truing_head";
    const FIELDS: &'static [Field] = &[
        f("hidden", offset_of!(truing_head, hidden), size_of::<*const truing_tensor>()),
        f("weight", offset_of!(truing_head, weight), size_of::<*const truing_tensor>()),
        f("transform", offset_of!(truing_head, transform), size_of::<truing_transform>()),
        f("reserved", offset_of!(truing_head, reserved), size_of::<[u8; 40]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("transform.reserved0", offset_of!(truing_head, transform.reserved0), size_of::<u32>()),
        f("transform.reserved", offset_of!(truing_head, transform.reserved), size_of::<[u8; 64]>()),
        f("reserved", offset_of!(truing_head, reserved), size_of::<[u8; 40]>()),
    ];
}

impl Layout for truing_head_grads {
    const NAME: &'static str = "truing_head_grads";
    const FIELDS: &'static [Field] = &[
        f("grad_hidden_out", offset_of!(truing_head_grads, grad_hidden_out), size_of::<*const truing_tensor>()),
        f("grad_weight_out", offset_of!(truing_head_grads, grad_weight_out), size_of::<*const truing_tensor>()),
        f("grad_bias_out", offset_of!(truing_head_grads, grad_bias_out), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_head_grads, reserved), size_of::<[u8; 24]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved", offset_of!(truing_head_grads, reserved), size_of::<[u8; 24]>()),
    ];
}

impl Layout for truing_rows {
    const NAME: &'static str = "truing_rows";
    const FIELDS: &'static [Field] = &[
        f("target", offset_of!(truing_rows, target), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_rows, mask), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_rows, cu_seqlens), size_of::<*const truing_tensor>()),
        f("ignore_index", offset_of!(truing_rows, ignore_index), size_of::<i64>()),
        f("shift", offset_of!(truing_rows, shift), size_of::<i64>()),
        f("reserved", offset_of!(truing_rows, reserved), size_of::<[u8; 24]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved", offset_of!(truing_rows, reserved), size_of::<[u8; 24]>()),
    ];
}

impl Layout for truing_shard {
    const NAME: &'static str = "truing_shard";
    const FIELDS: &'static [Field] = &[
        f("vocab_start", offset_of!(truing_shard, vocab_start), size_of::<i64>()),
        f("vocab_end", offset_of!(truing_shard, vocab_end), size_of::<i64>()),
        f("vocab_total", offset_of!(truing_shard, vocab_total), size_of::<i64>()),
        f("reserved", offset_of!(truing_shard, reserved), size_of::<[u8; 32]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved", offset_of!(truing_shard, reserved), size_of::<[u8; 32]>()),
    ];
}

impl Layout for truing_support {
    const NAME: &'static str = "truing_support";
    const FIELDS: &'static [Field] = &[
        f("bitmask", offset_of!(truing_support, bitmask), size_of::<*const truing_tensor>()),
        f("ids", offset_of!(truing_support, ids), size_of::<*const truing_tensor>()),
        f("id_offsets", offset_of!(truing_support, id_offsets), size_of::<*const truing_tensor>()),
        f("top_p", offset_of!(truing_support, top_p), size_of::<f64>()),
        f("min_p", offset_of!(truing_support, min_p), size_of::<f64>()),
        f("top_k", offset_of!(truing_support, top_k), size_of::<i64>()),
        f("kind", offset_of!(truing_support, kind), size_of::<truing_support_kind>()),
        f("preset", offset_of!(truing_support, preset), size_of::<truing_filter_preset>()),
        f("ties", offset_of!(truing_support, ties), size_of::<truing_ties>()),
        f("top_p_edge", offset_of!(truing_support, top_p_edge), size_of::<truing_top_p_edge>()),
        f("target_outside", offset_of!(truing_support, target_outside), size_of::<truing_target_outside>()),
        f("reserved0", offset_of!(truing_support, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_support, reserved), size_of::<[u8; 24]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved0", offset_of!(truing_support, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_support, reserved), size_of::<[u8; 24]>()),
    ];
}

impl Layout for truing_row_loss {
    const NAME: &'static str = "truing_row_loss";
    const FIELDS: &'static [Field] = &[
        f("class_weight", offset_of!(truing_row_loss, class_weight), size_of::<*const truing_tensor>()),
        f("external_scale", offset_of!(truing_row_loss, external_scale), size_of::<*const truing_tensor>()),
        f("label_smoothing", offset_of!(truing_row_loss, label_smoothing), size_of::<f64>()),
        f("z_loss", offset_of!(truing_row_loss, z_loss), size_of::<f64>()),
        f("eaft_alpha", offset_of!(truing_row_loss, eaft_alpha), size_of::<f64>()),
        f("normaliser", offset_of!(truing_row_loss, normaliser), size_of::<f64>()),
        f("smoothing_form", offset_of!(truing_row_loss, smoothing_form), size_of::<truing_smoothing_form>()),
        f("token_scaling", offset_of!(truing_row_loss, token_scaling), size_of::<truing_token_scaling>()),
        f("reduction", offset_of!(truing_row_loss, reduction), size_of::<truing_reduction>()),
        f("reserved0", offset_of!(truing_row_loss, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_row_loss, reserved), size_of::<[u8; 24]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved0", offset_of!(truing_row_loss, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_row_loss, reserved), size_of::<[u8; 24]>()),
    ];
}

impl Layout for truing_figures {
    const NAME: &'static str = "truing_figures";
    const FIELDS: &'static [Field] = &[
        f("out_logprob", offset_of!(truing_figures, out_logprob), size_of::<*const truing_tensor>()),
        f("out_lse", offset_of!(truing_figures, out_lse), size_of::<*const truing_tensor>()),
        f("out_max", offset_of!(truing_figures, out_max), size_of::<*const truing_tensor>()),
        f("out_argmax", offset_of!(truing_figures, out_argmax), size_of::<*const truing_tensor>()),
        f("out_entropy", offset_of!(truing_figures, out_entropy), size_of::<*const truing_tensor>()),
        f("out_log_sum_sq", offset_of!(truing_figures, out_log_sum_sq), size_of::<*const truing_tensor>()),
        f("out_mean_logit", offset_of!(truing_figures, out_mean_logit), size_of::<*const truing_tensor>()),
        f("out_is_top1", offset_of!(truing_figures, out_is_top1), size_of::<*const truing_tensor>()),
        f("out_rank", offset_of!(truing_figures, out_rank), size_of::<*const truing_tensor>()),
        f("out_ties", offset_of!(truing_figures, out_ties), size_of::<*const truing_tensor>()),
        f("out_topk_ids", offset_of!(truing_figures, out_topk_ids), size_of::<*const truing_tensor>()),
        f("out_topk_logprobs", offset_of!(truing_figures, out_topk_logprobs), size_of::<*const truing_tensor>()),
        f("out_topk_entropy", offset_of!(truing_figures, out_topk_entropy), size_of::<*const truing_tensor>()),
        f("extra_ids", offset_of!(truing_figures, extra_ids), size_of::<*const truing_tensor>()),
        f("out_extra_logprobs", offset_of!(truing_figures, out_extra_logprobs), size_of::<*const truing_tensor>()),
        f("out_lse_support", offset_of!(truing_figures, out_lse_support), size_of::<*const truing_tensor>()),
        f("out_log_kept_mass", offset_of!(truing_figures, out_log_kept_mass), size_of::<*const truing_tensor>()),
        f("out_support_size", offset_of!(truing_figures, out_support_size), size_of::<*const truing_tensor>()),
        f("out_support_bitmask", offset_of!(truing_figures, out_support_bitmask), size_of::<*const truing_tensor>()),
        f("out_support_ids", offset_of!(truing_figures, out_support_ids), size_of::<*const truing_tensor>()),
        f("out_token_scale", offset_of!(truing_figures, out_token_scale), size_of::<*const truing_tensor>()),
        f("out_row_loss", offset_of!(truing_figures, out_row_loss), size_of::<*const truing_tensor>()),
        f("out_loss", offset_of!(truing_figures, out_loss), size_of::<*const truing_tensor>()),
        f("out_stats", offset_of!(truing_figures, out_stats), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_figures, out_status), size_of::<*const truing_tensor>()),
        f("out_counters", offset_of!(truing_figures, out_counters), size_of::<*const truing_tensor>()),
        f("entropy_k", offset_of!(truing_figures, entropy_k), size_of::<i64>()),
        f("reserved", offset_of!(truing_figures, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved", offset_of!(truing_figures, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_row_upstream {
    const NAME: &'static str = "truing_row_upstream";
    const FIELDS: &'static [Field] = &[
        f("grad_logprob", offset_of!(truing_row_upstream, grad_logprob), size_of::<*const truing_tensor>()),
        f("grad_lse", offset_of!(truing_row_upstream, grad_lse), size_of::<*const truing_tensor>()),
        f("grad_entropy", offset_of!(truing_row_upstream, grad_entropy), size_of::<*const truing_tensor>()),
        f("grad_extra", offset_of!(truing_row_upstream, grad_extra), size_of::<*const truing_tensor>()),
        f("grad_row_loss", offset_of!(truing_row_upstream, grad_row_loss), size_of::<*const truing_tensor>()),
        f("grad_loss", offset_of!(truing_row_upstream, grad_loss), size_of::<*const truing_tensor>()),
        f("extra_ids", offset_of!(truing_row_upstream, extra_ids), size_of::<*const truing_tensor>()),
        f("grad_scale", offset_of!(truing_row_upstream, grad_scale), size_of::<f64>()),
        f("reserved", offset_of!(truing_row_upstream, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved", offset_of!(truing_row_upstream, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_logprob_forward_args {
    const NAME: &'static str = "truing_logprob_forward_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_logprob_forward_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_logprob_forward_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_logprob_forward_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_logprob_forward_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_logprob_forward_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_logprob_forward_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_logprob_forward_args, workspace_size), size_of::<usize>()),
        f("logits", offset_of!(truing_logprob_forward_args, logits), size_of::<*const truing_tensor>()),
        f("transform", offset_of!(truing_logprob_forward_args, transform), size_of::<truing_transform>()),
        f("rows", offset_of!(truing_logprob_forward_args, rows), size_of::<truing_rows>()),
        f("support", offset_of!(truing_logprob_forward_args, support), size_of::<truing_support>()),
        f("row_loss", offset_of!(truing_logprob_forward_args, row_loss), size_of::<truing_row_loss>()),
        f("figures", offset_of!(truing_logprob_forward_args, figures), size_of::<truing_figures>()),
        f("grad_logits_out", offset_of!(truing_logprob_forward_args, grad_logits_out), size_of::<*const truing_tensor>()),
        f("grad_bias_out", offset_of!(truing_logprob_forward_args, grad_bias_out), size_of::<*const truing_tensor>()),
        f("grad_loss", offset_of!(truing_logprob_forward_args, grad_loss), size_of::<*const truing_tensor>()),
        f("grad_scale", offset_of!(truing_logprob_forward_args, grad_scale), size_of::<f64>()),
        f("reserved", offset_of!(truing_logprob_forward_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_logprob_forward_args, reserved_head), size_of::<u32>()),
        f("transform.reserved0", offset_of!(truing_logprob_forward_args, transform.reserved0), size_of::<u32>()),
        f("transform.reserved", offset_of!(truing_logprob_forward_args, transform.reserved), size_of::<[u8; 64]>()),
        f("rows.reserved", offset_of!(truing_logprob_forward_args, rows.reserved), size_of::<[u8; 24]>()),
        f("support.reserved0", offset_of!(truing_logprob_forward_args, support.reserved0), size_of::<u32>()),
        f("support.reserved", offset_of!(truing_logprob_forward_args, support.reserved), size_of::<[u8; 24]>()),
        f("row_loss.reserved0", offset_of!(truing_logprob_forward_args, row_loss.reserved0), size_of::<u32>()),
        f("row_loss.reserved", offset_of!(truing_logprob_forward_args, row_loss.reserved), size_of::<[u8; 24]>()),
        f("figures.reserved", offset_of!(truing_logprob_forward_args, figures.reserved), size_of::<[u8; 64]>()),
        f("reserved", offset_of!(truing_logprob_forward_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_logprob_backward_args {
    const NAME: &'static str = "truing_logprob_backward_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_logprob_backward_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_logprob_backward_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_logprob_backward_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_logprob_backward_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_logprob_backward_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_logprob_backward_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_logprob_backward_args, workspace_size), size_of::<usize>()),
        f("logits", offset_of!(truing_logprob_backward_args, logits), size_of::<*const truing_tensor>()),
        f("transform", offset_of!(truing_logprob_backward_args, transform), size_of::<truing_transform>()),
        f("rows", offset_of!(truing_logprob_backward_args, rows), size_of::<truing_rows>()),
        f("support", offset_of!(truing_logprob_backward_args, support), size_of::<truing_support>()),
        f("row_loss", offset_of!(truing_logprob_backward_args, row_loss), size_of::<truing_row_loss>()),
        f("shard", offset_of!(truing_logprob_backward_args, shard), size_of::<truing_shard>()),
        f("stats", offset_of!(truing_logprob_backward_args, stats), size_of::<*const truing_tensor>()),
        f("upstream", offset_of!(truing_logprob_backward_args, upstream), size_of::<truing_row_upstream>()),
        f("grad_logits_out", offset_of!(truing_logprob_backward_args, grad_logits_out), size_of::<*const truing_tensor>()),
        f("grad_bias_out", offset_of!(truing_logprob_backward_args, grad_bias_out), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_logprob_backward_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_logprob_backward_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_logprob_backward_args, reserved_head), size_of::<u32>()),
        f("transform.reserved0", offset_of!(truing_logprob_backward_args, transform.reserved0), size_of::<u32>()),
        f("transform.reserved", offset_of!(truing_logprob_backward_args, transform.reserved), size_of::<[u8; 64]>()),
        f("rows.reserved", offset_of!(truing_logprob_backward_args, rows.reserved), size_of::<[u8; 24]>()),
        f("support.reserved0", offset_of!(truing_logprob_backward_args, support.reserved0), size_of::<u32>()),
        f("support.reserved", offset_of!(truing_logprob_backward_args, support.reserved), size_of::<[u8; 24]>()),
        f("row_loss.reserved0", offset_of!(truing_logprob_backward_args, row_loss.reserved0), size_of::<u32>()),
        f("row_loss.reserved", offset_of!(truing_logprob_backward_args, row_loss.reserved), size_of::<[u8; 24]>()),
        f("shard.reserved", offset_of!(truing_logprob_backward_args, shard.reserved), size_of::<[u8; 32]>()),
        f("upstream.reserved", offset_of!(truing_logprob_backward_args, upstream.reserved), size_of::<[u8; 64]>()),
        f("reserved", offset_of!(truing_logprob_backward_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_logprob_local_args {
    const NAME: &'static str = "truing_logprob_local_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_logprob_local_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_logprob_local_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_logprob_local_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_logprob_local_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_logprob_local_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_logprob_local_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_logprob_local_args, workspace_size), size_of::<usize>()),
        f("logits", offset_of!(truing_logprob_local_args, logits), size_of::<*const truing_tensor>()),
        f("transform", offset_of!(truing_logprob_local_args, transform), size_of::<truing_transform>()),
        f("rows", offset_of!(truing_logprob_local_args, rows), size_of::<truing_rows>()),
        f("support", offset_of!(truing_logprob_local_args, support), size_of::<truing_support>()),
        f("row_loss", offset_of!(truing_logprob_local_args, row_loss), size_of::<truing_row_loss>()),
        f("shard", offset_of!(truing_logprob_local_args, shard), size_of::<truing_shard>()),
        f("stats", offset_of!(truing_logprob_local_args, stats), size_of::<*const truing_tensor>()),
        f("extra_ids", offset_of!(truing_logprob_local_args, extra_ids), size_of::<*const truing_tensor>()),
        f("out_records", offset_of!(truing_logprob_local_args, out_records), size_of::<*const truing_tensor>()),
        f("out_support_records", offset_of!(truing_logprob_local_args, out_support_records), size_of::<*const truing_tensor>()),
        f("out_topk_ids", offset_of!(truing_logprob_local_args, out_topk_ids), size_of::<*const truing_tensor>()),
        f("out_topk_logits", offset_of!(truing_logprob_local_args, out_topk_logits), size_of::<*const truing_tensor>()),
        f("out_extra_logits", offset_of!(truing_logprob_local_args, out_extra_logits), size_of::<*const truing_tensor>()),
        f("out_counts", offset_of!(truing_logprob_local_args, out_counts), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_logprob_local_args, out_status), size_of::<*const truing_tensor>()),
        f("local_pass", offset_of!(truing_logprob_local_args, local_pass), size_of::<truing_local_pass>()),
        f("reserved0", offset_of!(truing_logprob_local_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_logprob_local_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_logprob_local_args, reserved_head), size_of::<u32>()),
        f("transform.reserved0", offset_of!(truing_logprob_local_args, transform.reserved0), size_of::<u32>()),
        f("transform.reserved", offset_of!(truing_logprob_local_args, transform.reserved), size_of::<[u8; 64]>()),
        f("rows.reserved", offset_of!(truing_logprob_local_args, rows.reserved), size_of::<[u8; 24]>()),
        f("support.reserved0", offset_of!(truing_logprob_local_args, support.reserved0), size_of::<u32>()),
        f("support.reserved", offset_of!(truing_logprob_local_args, support.reserved), size_of::<[u8; 24]>()),
        f("row_loss.reserved0", offset_of!(truing_logprob_local_args, row_loss.reserved0), size_of::<u32>()),
        f("row_loss.reserved", offset_of!(truing_logprob_local_args, row_loss.reserved), size_of::<[u8; 24]>()),
        f("shard.reserved", offset_of!(truing_logprob_local_args, shard.reserved), size_of::<[u8; 32]>()),
        f("reserved0", offset_of!(truing_logprob_local_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_logprob_local_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_logprob_finish_args {
    const NAME: &'static str = "truing_logprob_finish_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_logprob_finish_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_logprob_finish_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_logprob_finish_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_logprob_finish_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_logprob_finish_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_logprob_finish_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_logprob_finish_args, workspace_size), size_of::<usize>()),
        f("records", offset_of!(truing_logprob_finish_args, records), size_of::<*const truing_tensor>()),
        f("support_records", offset_of!(truing_logprob_finish_args, support_records), size_of::<*const truing_tensor>()),
        f("shard_starts", offset_of!(truing_logprob_finish_args, shard_starts), size_of::<*const truing_tensor>()),
        f("topk_ids", offset_of!(truing_logprob_finish_args, topk_ids), size_of::<*const truing_tensor>()),
        f("topk_logits", offset_of!(truing_logprob_finish_args, topk_logits), size_of::<*const truing_tensor>()),
        f("extra_logits", offset_of!(truing_logprob_finish_args, extra_logits), size_of::<*const truing_tensor>()),
        f("counts", offset_of!(truing_logprob_finish_args, counts), size_of::<*const truing_tensor>()),
        f("transform", offset_of!(truing_logprob_finish_args, transform), size_of::<truing_transform>()),
        f("rows", offset_of!(truing_logprob_finish_args, rows), size_of::<truing_rows>()),
        f("row_loss", offset_of!(truing_logprob_finish_args, row_loss), size_of::<truing_row_loss>()),
        f("figures", offset_of!(truing_logprob_finish_args, figures), size_of::<truing_figures>()),
        f("reserved", offset_of!(truing_logprob_finish_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_logprob_finish_args, reserved_head), size_of::<u32>()),
        f("transform.reserved0", offset_of!(truing_logprob_finish_args, transform.reserved0), size_of::<u32>()),
        f("transform.reserved", offset_of!(truing_logprob_finish_args, transform.reserved), size_of::<[u8; 64]>()),
        f("rows.reserved", offset_of!(truing_logprob_finish_args, rows.reserved), size_of::<[u8; 24]>()),
        f("row_loss.reserved0", offset_of!(truing_logprob_finish_args, row_loss.reserved0), size_of::<u32>()),
        f("row_loss.reserved", offset_of!(truing_logprob_finish_args, row_loss.reserved), size_of::<[u8; 24]>()),
        f("figures.reserved", offset_of!(truing_logprob_finish_args, figures.reserved), size_of::<[u8; 64]>()),
        f("reserved", offset_of!(truing_logprob_finish_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_linear_logprob_forward_args {
    const NAME: &'static str = "truing_linear_logprob_forward_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_linear_logprob_forward_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_linear_logprob_forward_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_linear_logprob_forward_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_linear_logprob_forward_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_linear_logprob_forward_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_linear_logprob_forward_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_linear_logprob_forward_args, workspace_size), size_of::<usize>()),
        f("head", offset_of!(truing_linear_logprob_forward_args, head), size_of::<truing_head>()),
        f("rows", offset_of!(truing_linear_logprob_forward_args, rows), size_of::<truing_rows>()),
        f("support", offset_of!(truing_linear_logprob_forward_args, support), size_of::<truing_support>()),
        f("row_loss", offset_of!(truing_linear_logprob_forward_args, row_loss), size_of::<truing_row_loss>()),
        f("figures", offset_of!(truing_linear_logprob_forward_args, figures), size_of::<truing_figures>()),
        f("grads", offset_of!(truing_linear_logprob_forward_args, grads), size_of::<truing_head_grads>()),
        f("grad_loss", offset_of!(truing_linear_logprob_forward_args, grad_loss), size_of::<*const truing_tensor>()),
        f("grad_scale", offset_of!(truing_linear_logprob_forward_args, grad_scale), size_of::<f64>()),
        f("reserved", offset_of!(truing_linear_logprob_forward_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_linear_logprob_forward_args, reserved_head), size_of::<u32>()),
        f("head.transform.reserved0", offset_of!(truing_linear_logprob_forward_args, head.transform.reserved0), size_of::<u32>()),
        f("head.transform.reserved", offset_of!(truing_linear_logprob_forward_args, head.transform.reserved), size_of::<[u8; 64]>()),
        f("head.reserved", offset_of!(truing_linear_logprob_forward_args, head.reserved), size_of::<[u8; 40]>()),
        f("rows.reserved", offset_of!(truing_linear_logprob_forward_args, rows.reserved), size_of::<[u8; 24]>()),
        f("support.reserved0", offset_of!(truing_linear_logprob_forward_args, support.reserved0), size_of::<u32>()),
        f("support.reserved", offset_of!(truing_linear_logprob_forward_args, support.reserved), size_of::<[u8; 24]>()),
        f("row_loss.reserved0", offset_of!(truing_linear_logprob_forward_args, row_loss.reserved0), size_of::<u32>()),
        f("row_loss.reserved", offset_of!(truing_linear_logprob_forward_args, row_loss.reserved), size_of::<[u8; 24]>()),
        f("figures.reserved", offset_of!(truing_linear_logprob_forward_args, figures.reserved), size_of::<[u8; 64]>()),
        f("grads.reserved", offset_of!(truing_linear_logprob_forward_args, grads.reserved), size_of::<[u8; 24]>()),
        f("reserved", offset_of!(truing_linear_logprob_forward_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_linear_logprob_backward_args {
    const NAME: &'static str = "truing_linear_logprob_backward_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_linear_logprob_backward_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_linear_logprob_backward_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_linear_logprob_backward_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_linear_logprob_backward_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_linear_logprob_backward_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_linear_logprob_backward_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_linear_logprob_backward_args, workspace_size), size_of::<usize>()),
        f("head", offset_of!(truing_linear_logprob_backward_args, head), size_of::<truing_head>()),
        f("rows", offset_of!(truing_linear_logprob_backward_args, rows), size_of::<truing_rows>()),
        f("support", offset_of!(truing_linear_logprob_backward_args, support), size_of::<truing_support>()),
        f("row_loss", offset_of!(truing_linear_logprob_backward_args, row_loss), size_of::<truing_row_loss>()),
        f("shard", offset_of!(truing_linear_logprob_backward_args, shard), size_of::<truing_shard>()),
        f("stats", offset_of!(truing_linear_logprob_backward_args, stats), size_of::<*const truing_tensor>()),
        f("upstream", offset_of!(truing_linear_logprob_backward_args, upstream), size_of::<truing_row_upstream>()),
        f("grads", offset_of!(truing_linear_logprob_backward_args, grads), size_of::<truing_head_grads>()),
        f("out_status", offset_of!(truing_linear_logprob_backward_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_linear_logprob_backward_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_linear_logprob_backward_args, reserved_head), size_of::<u32>()),
        f("head.transform.reserved0", offset_of!(truing_linear_logprob_backward_args, head.transform.reserved0), size_of::<u32>()),
        f("head.transform.reserved", offset_of!(truing_linear_logprob_backward_args, head.transform.reserved), size_of::<[u8; 64]>()),
        f("head.reserved", offset_of!(truing_linear_logprob_backward_args, head.reserved), size_of::<[u8; 40]>()),
        f("rows.reserved", offset_of!(truing_linear_logprob_backward_args, rows.reserved), size_of::<[u8; 24]>()),
        f("support.reserved0", offset_of!(truing_linear_logprob_backward_args, support.reserved0), size_of::<u32>()),
        f("support.reserved", offset_of!(truing_linear_logprob_backward_args, support.reserved), size_of::<[u8; 24]>()),
        f("row_loss.reserved0", offset_of!(truing_linear_logprob_backward_args, row_loss.reserved0), size_of::<u32>()),
        f("row_loss.reserved", offset_of!(truing_linear_logprob_backward_args, row_loss.reserved), size_of::<[u8; 24]>()),
        f("shard.reserved", offset_of!(truing_linear_logprob_backward_args, shard.reserved), size_of::<[u8; 32]>()),
        f("upstream.reserved", offset_of!(truing_linear_logprob_backward_args, upstream.reserved), size_of::<[u8; 64]>()),
        f("grads.reserved", offset_of!(truing_linear_logprob_backward_args, grads.reserved), size_of::<[u8; 24]>()),
        f("reserved", offset_of!(truing_linear_logprob_backward_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_linear_logprob_local_args {
    const NAME: &'static str = "truing_linear_logprob_local_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_linear_logprob_local_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_linear_logprob_local_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_linear_logprob_local_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_linear_logprob_local_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_linear_logprob_local_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_linear_logprob_local_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_linear_logprob_local_args, workspace_size), size_of::<usize>()),
        f("head", offset_of!(truing_linear_logprob_local_args, head), size_of::<truing_head>()),
        f("rows", offset_of!(truing_linear_logprob_local_args, rows), size_of::<truing_rows>()),
        f("support", offset_of!(truing_linear_logprob_local_args, support), size_of::<truing_support>()),
        f("row_loss", offset_of!(truing_linear_logprob_local_args, row_loss), size_of::<truing_row_loss>()),
        f("shard", offset_of!(truing_linear_logprob_local_args, shard), size_of::<truing_shard>()),
        f("stats", offset_of!(truing_linear_logprob_local_args, stats), size_of::<*const truing_tensor>()),
        f("extra_ids", offset_of!(truing_linear_logprob_local_args, extra_ids), size_of::<*const truing_tensor>()),
        f("out_records", offset_of!(truing_linear_logprob_local_args, out_records), size_of::<*const truing_tensor>()),
        f("out_support_records", offset_of!(truing_linear_logprob_local_args, out_support_records), size_of::<*const truing_tensor>()),
        f("out_topk_ids", offset_of!(truing_linear_logprob_local_args, out_topk_ids), size_of::<*const truing_tensor>()),
        f("out_topk_logits", offset_of!(truing_linear_logprob_local_args, out_topk_logits), size_of::<*const truing_tensor>()),
        f("out_extra_logits", offset_of!(truing_linear_logprob_local_args, out_extra_logits), size_of::<*const truing_tensor>()),
        f("out_counts", offset_of!(truing_linear_logprob_local_args, out_counts), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_linear_logprob_local_args, out_status), size_of::<*const truing_tensor>()),
        f("local_pass", offset_of!(truing_linear_logprob_local_args, local_pass), size_of::<truing_local_pass>()),
        f("reserved0", offset_of!(truing_linear_logprob_local_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_linear_logprob_local_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_linear_logprob_local_args, reserved_head), size_of::<u32>()),
        f("head.transform.reserved0", offset_of!(truing_linear_logprob_local_args, head.transform.reserved0), size_of::<u32>()),
        f("head.transform.reserved", offset_of!(truing_linear_logprob_local_args, head.transform.reserved), size_of::<[u8; 64]>()),
        f("head.reserved", offset_of!(truing_linear_logprob_local_args, head.reserved), size_of::<[u8; 40]>()),
        f("rows.reserved", offset_of!(truing_linear_logprob_local_args, rows.reserved), size_of::<[u8; 24]>()),
        f("support.reserved0", offset_of!(truing_linear_logprob_local_args, support.reserved0), size_of::<u32>()),
        f("support.reserved", offset_of!(truing_linear_logprob_local_args, support.reserved), size_of::<[u8; 24]>()),
        f("row_loss.reserved0", offset_of!(truing_linear_logprob_local_args, row_loss.reserved0), size_of::<u32>()),
        f("row_loss.reserved", offset_of!(truing_linear_logprob_local_args, row_loss.reserved), size_of::<[u8; 24]>()),
        f("shard.reserved", offset_of!(truing_linear_logprob_local_args, shard.reserved), size_of::<[u8; 32]>()),
        f("reserved0", offset_of!(truing_linear_logprob_local_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_linear_logprob_local_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_support_mask_args {
    const NAME: &'static str = "truing_support_mask_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_support_mask_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_support_mask_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_support_mask_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_support_mask_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_support_mask_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_support_mask_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_support_mask_args, workspace_size), size_of::<usize>()),
        f("logits", offset_of!(truing_support_mask_args, logits), size_of::<*const truing_tensor>()),
        f("transform", offset_of!(truing_support_mask_args, transform), size_of::<truing_transform>()),
        f("rows", offset_of!(truing_support_mask_args, rows), size_of::<truing_rows>()),
        f("support", offset_of!(truing_support_mask_args, support), size_of::<truing_support>()),
        f("out_bitmask", offset_of!(truing_support_mask_args, out_bitmask), size_of::<*const truing_tensor>()),
        f("out_ids", offset_of!(truing_support_mask_args, out_ids), size_of::<*const truing_tensor>()),
        f("out_size", offset_of!(truing_support_mask_args, out_size), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_support_mask_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_support_mask_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_support_mask_args, reserved_head), size_of::<u32>()),
        f("transform.reserved0", offset_of!(truing_support_mask_args, transform.reserved0), size_of::<u32>()),
        f("transform.reserved", offset_of!(truing_support_mask_args, transform.reserved), size_of::<[u8; 64]>()),
        f("rows.reserved", offset_of!(truing_support_mask_args, rows.reserved), size_of::<[u8; 24]>()),
        f("support.reserved0", offset_of!(truing_support_mask_args, support.reserved0), size_of::<u32>()),
        f("support.reserved", offset_of!(truing_support_mask_args, support.reserved), size_of::<[u8; 24]>()),
        f("reserved", offset_of!(truing_support_mask_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_tds_rows_args {
    const NAME: &'static str = "truing_tds_rows_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_tds_rows_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_tds_rows_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_tds_rows_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_tds_rows_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_tds_rows_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_tds_rows_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_tds_rows_args, workspace_size), size_of::<usize>()),
        f("base", offset_of!(truing_tds_rows_args, base), size_of::<*const truing_tensor>()),
        f("aligned", offset_of!(truing_tds_rows_args, aligned), size_of::<*const truing_tensor>()),
        f("base_transform", offset_of!(truing_tds_rows_args, base_transform), size_of::<truing_transform>()),
        f("aligned_transform", offset_of!(truing_tds_rows_args, aligned_transform), size_of::<truing_transform>()),
        f("rows", offset_of!(truing_tds_rows_args, rows), size_of::<truing_rows>()),
        f("out_rank", offset_of!(truing_tds_rows_args, out_rank), size_of::<*const truing_tensor>()),
        f("out_ties", offset_of!(truing_tds_rows_args, out_ties), size_of::<*const truing_tensor>()),
        f("out_eta", offset_of!(truing_tds_rows_args, out_eta), size_of::<*const truing_tensor>()),
        f("out_eta_max", offset_of!(truing_tds_rows_args, out_eta_max), size_of::<*const truing_tensor>()),
        f("out_logp_base", offset_of!(truing_tds_rows_args, out_logp_base), size_of::<*const truing_tensor>()),
        f("out_logp_aligned", offset_of!(truing_tds_rows_args, out_logp_aligned), size_of::<*const truing_tensor>()),
        f("out_kl_aligned_base", offset_of!(truing_tds_rows_args, out_kl_aligned_base), size_of::<*const truing_tensor>()),
        f("out_kl_base_aligned", offset_of!(truing_tds_rows_args, out_kl_base_aligned), size_of::<*const truing_tensor>()),
        f("out_class", offset_of!(truing_tds_rows_args, out_class), size_of::<*const truing_tensor>()),
        f("out_counts", offset_of!(truing_tds_rows_args, out_counts), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_tds_rows_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_tds_rows_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_tds_rows_args, reserved_head), size_of::<u32>()),
        f("base_transform.reserved0", offset_of!(truing_tds_rows_args, base_transform.reserved0), size_of::<u32>()),
        f("base_transform.reserved", offset_of!(truing_tds_rows_args, base_transform.reserved), size_of::<[u8; 64]>()),
        f("aligned_transform.reserved0", offset_of!(truing_tds_rows_args, aligned_transform.reserved0), size_of::<u32>()),
        f("aligned_transform.reserved", offset_of!(truing_tds_rows_args, aligned_transform.reserved), size_of::<[u8; 64]>()),
        f("rows.reserved", offset_of!(truing_tds_rows_args, rows.reserved), size_of::<[u8; 24]>()),
        f("reserved", offset_of!(truing_tds_rows_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_score {
    const NAME: &'static str = "truing_score";
    const FIELDS: &'static [Field] = &[
        f("token_weights", offset_of!(truing_score, token_weights), size_of::<*const truing_tensor>()),
        f("ld_prefix", offset_of!(truing_score, ld_prefix), size_of::<*const truing_tensor>()),
        f("ld_alpha", offset_of!(truing_score, ld_alpha), size_of::<f64>()),
        f("clamp_low", offset_of!(truing_score, clamp_low), size_of::<f64>()),
        f("clamp_high", offset_of!(truing_score, clamp_high), size_of::<f64>()),
        f("normaliser", offset_of!(truing_score, normaliser), size_of::<f64>()),
        f("kind", offset_of!(truing_score, kind), size_of::<truing_score_kind>()),
        f("divisor", offset_of!(truing_score, divisor), size_of::<truing_score_divisor>()),
        f("reserved", offset_of!(truing_score, reserved), size_of::<[u8; 24]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved", offset_of!(truing_score, reserved), size_of::<[u8; 24]>()),
    ];
}

impl Layout for truing_sequence_forward_args {
    const NAME: &'static str = "truing_sequence_forward_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_sequence_forward_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_sequence_forward_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_sequence_forward_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_sequence_forward_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_sequence_forward_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_sequence_forward_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_sequence_forward_args, workspace_size), size_of::<usize>()),
        f("logps", offset_of!(truing_sequence_forward_args, logps), size_of::<*const truing_tensor>()),
        f("ref_logps", offset_of!(truing_sequence_forward_args, ref_logps), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_sequence_forward_args, mask), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_sequence_forward_args, cu_seqlens), size_of::<*const truing_tensor>()),
        f("score", offset_of!(truing_sequence_forward_args, score), size_of::<truing_score>()),
        f("out_scores", offset_of!(truing_sequence_forward_args, out_scores), size_of::<*const truing_tensor>()),
        f("out_counts", offset_of!(truing_sequence_forward_args, out_counts), size_of::<*const truing_tensor>()),
        f("out_first", offset_of!(truing_sequence_forward_args, out_first), size_of::<*const truing_tensor>()),
        f("out_last", offset_of!(truing_sequence_forward_args, out_last), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_sequence_forward_args, out_status), size_of::<*const truing_tensor>()),
        f("out_counters", offset_of!(truing_sequence_forward_args, out_counters), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_sequence_forward_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_sequence_forward_args, reserved_head), size_of::<u32>()),
        f("score.reserved", offset_of!(truing_sequence_forward_args, score.reserved), size_of::<[u8; 24]>()),
        f("reserved", offset_of!(truing_sequence_forward_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_sequence_backward_args {
    const NAME: &'static str = "truing_sequence_backward_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_sequence_backward_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_sequence_backward_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_sequence_backward_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_sequence_backward_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_sequence_backward_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_sequence_backward_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_sequence_backward_args, workspace_size), size_of::<usize>()),
        f("logps", offset_of!(truing_sequence_backward_args, logps), size_of::<*const truing_tensor>()),
        f("ref_logps", offset_of!(truing_sequence_backward_args, ref_logps), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_sequence_backward_args, mask), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_sequence_backward_args, cu_seqlens), size_of::<*const truing_tensor>()),
        f("score", offset_of!(truing_sequence_backward_args, score), size_of::<truing_score>()),
        f("grad_scores", offset_of!(truing_sequence_backward_args, grad_scores), size_of::<*const truing_tensor>()),
        f("grad_output", offset_of!(truing_sequence_backward_args, grad_output), size_of::<*const truing_tensor>()),
        f("grad_logps_out", offset_of!(truing_sequence_backward_args, grad_logps_out), size_of::<*const truing_tensor>()),
        f("grad_ref_logps_out", offset_of!(truing_sequence_backward_args, grad_ref_logps_out), size_of::<*const truing_tensor>()),
        f("grad_scale", offset_of!(truing_sequence_backward_args, grad_scale), size_of::<f64>()),
        f("reserved", offset_of!(truing_sequence_backward_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_sequence_backward_args, reserved_head), size_of::<u32>()),
        f("score.reserved", offset_of!(truing_sequence_backward_args, score.reserved), size_of::<[u8; 24]>()),
        f("reserved", offset_of!(truing_sequence_backward_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_loss {
    const NAME: &'static str = "truing_loss";
    const FIELDS: &'static [Field] = &[
        f("id", offset_of!(truing_loss, id), size_of::<truing_loss_id>()),
        f("variant", offset_of!(truing_loss, variant), size_of::<u32>()),
        f("params", offset_of!(truing_loss, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_loss, num_params), size_of::<usize>()),
        f("weight", offset_of!(truing_loss, weight), size_of::<f64>()),
        f("normaliser", offset_of!(truing_loss, normaliser), size_of::<f64>()),
        f("map_alpha", offset_of!(truing_loss, map_alpha), size_of::<f64>()),
        f("map_max_exponent", offset_of!(truing_loss, map_max_exponent), size_of::<f64>()),
        f("map", offset_of!(truing_loss, map), size_of::<truing_score_map>()),
        f("reduction", offset_of!(truing_loss, reduction), size_of::<truing_reduction>()),
        f("score_kind", offset_of!(truing_loss, score_kind), size_of::<u32>()),
        f("flags", offset_of!(truing_loss, flags), size_of::<truing_loss_flags>()),
        f("reserved", offset_of!(truing_loss, reserved), size_of::<[u8; 24]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved", offset_of!(truing_loss, reserved), size_of::<[u8; 24]>()),
    ];
}

impl Layout for truing_groups {
    const NAME: &'static str = "truing_groups";
    const FIELDS: &'static [Field] = &[
        f("chosen_seq", offset_of!(truing_groups, chosen_seq), size_of::<*const truing_tensor>()),
        f("rejected_seq", offset_of!(truing_groups, rejected_seq), size_of::<*const truing_tensor>()),
        f("anchor_seq", offset_of!(truing_groups, anchor_seq), size_of::<*const truing_tensor>()),
        f("list_offsets", offset_of!(truing_groups, list_offsets), size_of::<*const truing_tensor>()),
        f("member_seq", offset_of!(truing_groups, member_seq), size_of::<*const truing_tensor>()),
        f("list_targets", offset_of!(truing_groups, list_targets), size_of::<*const truing_tensor>()),
        f("item_mask", offset_of!(truing_groups, item_mask), size_of::<*const truing_tensor>()),
        f("item_weight", offset_of!(truing_groups, item_weight), size_of::<*const truing_tensor>()),
        f("item_beta", offset_of!(truing_groups, item_beta), size_of::<*const truing_tensor>()),
        f("margin_chosen", offset_of!(truing_groups, margin_chosen), size_of::<*const truing_tensor>()),
        f("margin_rejected", offset_of!(truing_groups, margin_rejected), size_of::<*const truing_tensor>()),
        f("label", offset_of!(truing_groups, label), size_of::<*const truing_tensor>()),
        f("baseline", offset_of!(truing_groups, baseline), size_of::<*const truing_tensor>()),
        f("shift", offset_of!(truing_groups, shift), size_of::<*const truing_tensor>()),
        f("layout", offset_of!(truing_groups, layout), size_of::<truing_pair_layout>()),
        f("reserved0", offset_of!(truing_groups, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_groups, reserved), size_of::<[u8; 32]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved0", offset_of!(truing_groups, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_groups, reserved), size_of::<[u8; 32]>()),
    ];
}

impl Layout for truing_item_outputs {
    const NAME: &'static str = "truing_item_outputs";
    const FIELDS: &'static [Field] = &[
        f("out_losses", offset_of!(truing_item_outputs, out_losses), size_of::<*const truing_tensor>()),
        f("out_reward_chosen", offset_of!(truing_item_outputs, out_reward_chosen), size_of::<*const truing_tensor>()),
        f("out_reward_rejected", offset_of!(truing_item_outputs, out_reward_rejected), size_of::<*const truing_tensor>()),
        f("grad_margin_out", offset_of!(truing_item_outputs, grad_margin_out), size_of::<*const truing_tensor>()),
        f("grad_margin_chosen_out", offset_of!(truing_item_outputs, grad_margin_chosen_out), size_of::<*const truing_tensor>()),
        f("grad_margin_rejected_out", offset_of!(truing_item_outputs, grad_margin_rejected_out), size_of::<*const truing_tensor>()),
        f("grad_baseline_out", offset_of!(truing_item_outputs, grad_baseline_out), size_of::<*const truing_tensor>()),
        f("grad_params_out", offset_of!(truing_item_outputs, grad_params_out), size_of::<*const truing_tensor>()),
        f("out_aux", offset_of!(truing_item_outputs, out_aux), size_of::<*const truing_tensor>()),
        f("out_statistics", offset_of!(truing_item_outputs, out_statistics), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_item_outputs, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_item_outputs, reserved), size_of::<[u8; 48]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved", offset_of!(truing_item_outputs, reserved), size_of::<[u8; 48]>()),
    ];
}

impl Layout for truing_preference_outputs {
    const NAME: &'static str = "truing_preference_outputs";
    const FIELDS: &'static [Field] = &[
        f("out_loss", offset_of!(truing_preference_outputs, out_loss), size_of::<*const truing_tensor>()),
        f("grad_scores_out", offset_of!(truing_preference_outputs, grad_scores_out), size_of::<*const truing_tensor>()),
        f("grad_kl_out", offset_of!(truing_preference_outputs, grad_kl_out), size_of::<*const truing_tensor>()),
        f("out_counters", offset_of!(truing_preference_outputs, out_counters), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_preference_outputs, reserved), size_of::<[u8; 32]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved", offset_of!(truing_preference_outputs, reserved), size_of::<[u8; 32]>()),
    ];
}

impl Layout for truing_preference_term {
    const NAME: &'static str = "truing_preference_term";
    const FIELDS: &'static [Field] = &[
        f("loss", offset_of!(truing_preference_term, loss), size_of::<truing_loss>()),
        f("reserved", offset_of!(truing_preference_term, reserved), size_of::<[u8; 32]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("loss.reserved", offset_of!(truing_preference_term, loss.reserved), size_of::<[u8; 24]>()),
        f("reserved", offset_of!(truing_preference_term, reserved), size_of::<[u8; 32]>()),
    ];
}

impl Layout for truing_preference_forward_args {
    const NAME: &'static str = "truing_preference_forward_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_preference_forward_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_preference_forward_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_preference_forward_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_preference_forward_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_preference_forward_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_preference_forward_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_preference_forward_args, workspace_size), size_of::<usize>()),
        f("scores", offset_of!(truing_preference_forward_args, scores), size_of::<*const truing_tensor>()),
        f("ref_scores", offset_of!(truing_preference_forward_args, ref_scores), size_of::<*const truing_tensor>()),
        f("lengths", offset_of!(truing_preference_forward_args, lengths), size_of::<*const truing_tensor>()),
        f("kl", offset_of!(truing_preference_forward_args, kl), size_of::<*const truing_tensor>()),
        f("groups", offset_of!(truing_preference_forward_args, groups), size_of::<truing_groups>()),
        f("loss", offset_of!(truing_preference_forward_args, loss), size_of::<truing_loss>()),
        f("extra_terms", offset_of!(truing_preference_forward_args, extra_terms), size_of::<*const truing_preference_term>()),
        f("num_extra_terms", offset_of!(truing_preference_forward_args, num_extra_terms), size_of::<usize>()),
        f("grad_output", offset_of!(truing_preference_forward_args, grad_output), size_of::<*const truing_tensor>()),
        f("grad_scale", offset_of!(truing_preference_forward_args, grad_scale), size_of::<f64>()),
        f("score_kind", offset_of!(truing_preference_forward_args, score_kind), size_of::<truing_score_kind>()),
        f("extra_term_size", offset_of!(truing_preference_forward_args, extra_term_size), size_of::<u32>()),
        f("items", offset_of!(truing_preference_forward_args, items), size_of::<truing_item_outputs>()),
        f("outputs", offset_of!(truing_preference_forward_args, outputs), size_of::<truing_preference_outputs>()),
        f("reserved", offset_of!(truing_preference_forward_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_preference_forward_args, reserved_head), size_of::<u32>()),
        f("groups.reserved0", offset_of!(truing_preference_forward_args, groups.reserved0), size_of::<u32>()),
        f("groups.reserved", offset_of!(truing_preference_forward_args, groups.reserved), size_of::<[u8; 32]>()),
        f("loss.reserved", offset_of!(truing_preference_forward_args, loss.reserved), size_of::<[u8; 24]>()),
        f("items.reserved", offset_of!(truing_preference_forward_args, items.reserved), size_of::<[u8; 48]>()),
        f("outputs.reserved", offset_of!(truing_preference_forward_args, outputs.reserved), size_of::<[u8; 32]>()),
        f("reserved", offset_of!(truing_preference_forward_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_side_term {
    const NAME: &'static str = "truing_side_term";
    const FIELDS: &'static [Field] = &[
        f("mask", offset_of!(truing_side_term, mask), size_of::<*const truing_tensor>()),
        f("coef", offset_of!(truing_side_term, coef), size_of::<f64>()),
        f("normaliser", offset_of!(truing_side_term, normaliser), size_of::<f64>()),
        f("divisor", offset_of!(truing_side_term, divisor), size_of::<truing_side_divisor>()),
        f("scope", offset_of!(truing_side_term, scope), size_of::<truing_side_scope>()),
        f("divergence", offset_of!(truing_side_term, divergence), size_of::<truing_divergence_kind>()),
        f("reserved0", offset_of!(truing_side_term, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_side_term, reserved), size_of::<[u8; 32]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved0", offset_of!(truing_side_term, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_side_term, reserved), size_of::<[u8; 32]>()),
    ];
}

impl Layout for truing_linear_preference_args {
    const NAME: &'static str = "truing_linear_preference_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_linear_preference_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_linear_preference_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_linear_preference_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_linear_preference_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_linear_preference_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_linear_preference_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_linear_preference_args, workspace_size), size_of::<usize>()),
        f("head", offset_of!(truing_linear_preference_args, head), size_of::<truing_head>()),
        f("ref_head", offset_of!(truing_linear_preference_args, ref_head), size_of::<truing_head>()),
        f("rows", offset_of!(truing_linear_preference_args, rows), size_of::<truing_rows>()),
        f("support", offset_of!(truing_linear_preference_args, support), size_of::<truing_support>()),
        f("score", offset_of!(truing_linear_preference_args, score), size_of::<truing_score>()),
        f("ref_logps", offset_of!(truing_linear_preference_args, ref_logps), size_of::<*const truing_tensor>()),
        f("ref_scores", offset_of!(truing_linear_preference_args, ref_scores), size_of::<*const truing_tensor>()),
        f("groups", offset_of!(truing_linear_preference_args, groups), size_of::<truing_groups>()),
        f("loss", offset_of!(truing_linear_preference_args, loss), size_of::<truing_loss>()),
        f("extra_terms", offset_of!(truing_linear_preference_args, extra_terms), size_of::<*const truing_preference_term>()),
        f("num_extra_terms", offset_of!(truing_linear_preference_args, num_extra_terms), size_of::<usize>()),
        f("side_term", offset_of!(truing_linear_preference_args, side_term), size_of::<truing_side_term>()),
        f("score_coefficients", offset_of!(truing_linear_preference_args, score_coefficients), size_of::<*const truing_tensor>()),
        f("kl_coefficients", offset_of!(truing_linear_preference_args, kl_coefficients), size_of::<*const truing_tensor>()),
        f("stats", offset_of!(truing_linear_preference_args, stats), size_of::<*const truing_tensor>()),
        f("pair_stats", offset_of!(truing_linear_preference_args, pair_stats), size_of::<*const truing_tensor>()),
        f("grad_output", offset_of!(truing_linear_preference_args, grad_output), size_of::<*const truing_tensor>()),
        f("grad_scale", offset_of!(truing_linear_preference_args, grad_scale), size_of::<f64>()),
        f("phase", offset_of!(truing_linear_preference_args, phase), size_of::<truing_phase>()),
        f("wpo", offset_of!(truing_linear_preference_args, wpo), size_of::<truing_wpo_form>()),
        f("extra_term_size", offset_of!(truing_linear_preference_args, extra_term_size), size_of::<u32>()),
        f("reserved0", offset_of!(truing_linear_preference_args, reserved0), size_of::<u32>()),
        f("grads", offset_of!(truing_linear_preference_args, grads), size_of::<truing_head_grads>()),
        f("out_logps", offset_of!(truing_linear_preference_args, out_logps), size_of::<*const truing_tensor>()),
        f("out_scores", offset_of!(truing_linear_preference_args, out_scores), size_of::<*const truing_tensor>()),
        f("out_ref_scores", offset_of!(truing_linear_preference_args, out_ref_scores), size_of::<*const truing_tensor>()),
        f("out_kl", offset_of!(truing_linear_preference_args, out_kl), size_of::<*const truing_tensor>()),
        f("out_counts", offset_of!(truing_linear_preference_args, out_counts), size_of::<*const truing_tensor>()),
        f("out_side_term", offset_of!(truing_linear_preference_args, out_side_term), size_of::<*const truing_tensor>()),
        f("out_stats", offset_of!(truing_linear_preference_args, out_stats), size_of::<*const truing_tensor>()),
        f("out_pair_stats", offset_of!(truing_linear_preference_args, out_pair_stats), size_of::<*const truing_tensor>()),
        f("out_row_status", offset_of!(truing_linear_preference_args, out_row_status), size_of::<*const truing_tensor>()),
        f("items", offset_of!(truing_linear_preference_args, items), size_of::<truing_item_outputs>()),
        f("outputs", offset_of!(truing_linear_preference_args, outputs), size_of::<truing_preference_outputs>()),
        f("reserved", offset_of!(truing_linear_preference_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_linear_preference_args, reserved_head), size_of::<u32>()),
        f("head.transform.reserved0", offset_of!(truing_linear_preference_args, head.transform.reserved0), size_of::<u32>()),
        f("head.transform.reserved", offset_of!(truing_linear_preference_args, head.transform.reserved), size_of::<[u8; 64]>()),
        f("head.reserved", offset_of!(truing_linear_preference_args, head.reserved), size_of::<[u8; 40]>()),
        f("ref_head.transform.reserved0", offset_of!(truing_linear_preference_args, ref_head.transform.reserved0), size_of::<u32>()),
        f("ref_head.transform.reserved", offset_of!(truing_linear_preference_args, ref_head.transform.reserved), size_of::<[u8; 64]>()),
        f("ref_head.reserved", offset_of!(truing_linear_preference_args, ref_head.reserved), size_of::<[u8; 40]>()),
        f("rows.reserved", offset_of!(truing_linear_preference_args, rows.reserved), size_of::<[u8; 24]>()),
        f("support.reserved0", offset_of!(truing_linear_preference_args, support.reserved0), size_of::<u32>()),
        f("support.reserved", offset_of!(truing_linear_preference_args, support.reserved), size_of::<[u8; 24]>()),
        f("score.reserved", offset_of!(truing_linear_preference_args, score.reserved), size_of::<[u8; 24]>()),
        f("groups.reserved0", offset_of!(truing_linear_preference_args, groups.reserved0), size_of::<u32>()),
        f("groups.reserved", offset_of!(truing_linear_preference_args, groups.reserved), size_of::<[u8; 32]>()),
        f("loss.reserved", offset_of!(truing_linear_preference_args, loss.reserved), size_of::<[u8; 24]>()),
        f("side_term.reserved0", offset_of!(truing_linear_preference_args, side_term.reserved0), size_of::<u32>()),
        f("side_term.reserved", offset_of!(truing_linear_preference_args, side_term.reserved), size_of::<[u8; 32]>()),
        f("reserved0", offset_of!(truing_linear_preference_args, reserved0), size_of::<u32>()),
        f("grads.reserved", offset_of!(truing_linear_preference_args, grads.reserved), size_of::<[u8; 24]>()),
        f("items.reserved", offset_of!(truing_linear_preference_args, items.reserved), size_of::<[u8; 48]>()),
        f("outputs.reserved", offset_of!(truing_linear_preference_args, outputs.reserved), size_of::<[u8; 32]>()),
        f("reserved", offset_of!(truing_linear_preference_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_aggregate {
    const NAME: &'static str = "truing_aggregate";
    const FIELDS: &'static [Field] = &[
        f("normaliser", offset_of!(truing_aggregate, normaliser), size_of::<f64>()),
        f("max_length", offset_of!(truing_aggregate, max_length), size_of::<f64>()),
        f("mode", offset_of!(truing_aggregate, mode), size_of::<truing_aggregate_mode>()),
        f("count_empty", offset_of!(truing_aggregate, count_empty), size_of::<truing_count_empty>()),
        f("denominator", offset_of!(truing_aggregate, denominator), size_of::<truing_denominator>()),
        f("reserved0", offset_of!(truing_aggregate, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_aggregate, reserved), size_of::<[u8; 32]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved0", offset_of!(truing_aggregate, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_aggregate, reserved), size_of::<[u8; 32]>()),
    ];
}

impl Layout for truing_estimator {
    const NAME: &'static str = "truing_estimator";
    const FIELDS: &'static [Field] = &[
        f("id", offset_of!(truing_estimator, id), size_of::<truing_loss_id>()),
        f("weight", offset_of!(truing_estimator, weight), size_of::<truing_estimator_weight>()),
        f("gradient", offset_of!(truing_estimator, gradient), size_of::<truing_estimator_gradient>()),
        f("input_clamp_mode", offset_of!(truing_estimator, input_clamp_mode), size_of::<truing_clamp_mode>()),
        f("ratio_source", offset_of!(truing_estimator, ratio_source), size_of::<truing_ratio_source>()),
        f("stage", offset_of!(truing_estimator, stage), size_of::<truing_kl_stage>()),
        f("divergence", offset_of!(truing_estimator, divergence), size_of::<truing_divergence_kind>()),
        f("reserved0", offset_of!(truing_estimator, reserved0), size_of::<u32>()),
        f("coef", offset_of!(truing_estimator, coef), size_of::<f64>()),
        f("input_clamp", offset_of!(truing_estimator, input_clamp), size_of::<f64>()),
        f("output_clamp", offset_of!(truing_estimator, output_clamp), size_of::<f64>()),
        f("ratio_max", offset_of!(truing_estimator, ratio_max), size_of::<f64>()),
        f("reserved", offset_of!(truing_estimator, reserved), size_of::<[u8; 32]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved0", offset_of!(truing_estimator, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_estimator, reserved), size_of::<[u8; 32]>()),
    ];
}

impl Layout for truing_policy_term {
    const NAME: &'static str = "truing_policy_term";
    const FIELDS: &'static [Field] = &[
        f("loss", offset_of!(truing_policy_term, loss), size_of::<truing_loss>()),
        f("old", offset_of!(truing_policy_term, old), size_of::<*const truing_tensor>()),
        f("ref", offset_of!(truing_policy_term, r#ref), size_of::<*const truing_tensor>()),
        f("advantage", offset_of!(truing_policy_term, advantage), size_of::<*const truing_tensor>()),
        f("flag", offset_of!(truing_policy_term, flag), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_policy_term, mask), size_of::<*const truing_tensor>()),
        f("token_weights", offset_of!(truing_policy_term, token_weights), size_of::<*const truing_tensor>()),
        f("aggregate", offset_of!(truing_policy_term, aggregate), size_of::<truing_aggregate>()),
        f("level", offset_of!(truing_policy_term, level), size_of::<truing_level>()),
        f("reserved0", offset_of!(truing_policy_term, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_policy_term, reserved), size_of::<[u8; 32]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("loss.reserved", offset_of!(truing_policy_term, loss.reserved), size_of::<[u8; 24]>()),
        f("aggregate.reserved0", offset_of!(truing_policy_term, aggregate.reserved0), size_of::<u32>()),
        f("aggregate.reserved", offset_of!(truing_policy_term, aggregate.reserved), size_of::<[u8; 32]>()),
        f("reserved0", offset_of!(truing_policy_term, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_policy_term, reserved), size_of::<[u8; 32]>()),
    ];
}

impl Layout for truing_policy_inputs {
    const NAME: &'static str = "truing_policy_inputs";
    const FIELDS: &'static [Field] = &[
        f("old", offset_of!(truing_policy_inputs, old), size_of::<*const truing_tensor>()),
        f("ref", offset_of!(truing_policy_inputs, r#ref), size_of::<*const truing_tensor>()),
        f("sampler", offset_of!(truing_policy_inputs, sampler), size_of::<*const truing_tensor>()),
        f("kl_ref", offset_of!(truing_policy_inputs, kl_ref), size_of::<*const truing_tensor>()),
        f("advantage", offset_of!(truing_policy_inputs, advantage), size_of::<*const truing_tensor>()),
        f("flag", offset_of!(truing_policy_inputs, flag), size_of::<*const truing_tensor>()),
        f("log_z", offset_of!(truing_policy_inputs, log_z), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_policy_inputs, mask), size_of::<*const truing_tensor>()),
        f("keep", offset_of!(truing_policy_inputs, keep), size_of::<*const truing_tensor>()),
        f("sequence_keep", offset_of!(truing_policy_inputs, sequence_keep), size_of::<*const truing_tensor>()),
        f("entropy_mask", offset_of!(truing_policy_inputs, entropy_mask), size_of::<*const truing_tensor>()),
        f("kl_mask", offset_of!(truing_policy_inputs, kl_mask), size_of::<*const truing_tensor>()),
        f("token_weights", offset_of!(truing_policy_inputs, token_weights), size_of::<*const truing_tensor>()),
        f("importance_weight", offset_of!(truing_policy_inputs, importance_weight), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_policy_inputs, cu_seqlens), size_of::<*const truing_tensor>()),
        f("group_offsets", offset_of!(truing_policy_inputs, group_offsets), size_of::<*const truing_tensor>()),
        f("loss", offset_of!(truing_policy_inputs, loss), size_of::<truing_loss>()),
        f("kl", offset_of!(truing_policy_inputs, kl), size_of::<truing_estimator>()),
        f("aggregate", offset_of!(truing_policy_inputs, aggregate), size_of::<truing_aggregate>()),
        f("entropy_aggregate", offset_of!(truing_policy_inputs, entropy_aggregate), size_of::<truing_aggregate>()),
        f("extra_terms", offset_of!(truing_policy_inputs, extra_terms), size_of::<*const truing_policy_term>()),
        f("num_extra_terms", offset_of!(truing_policy_inputs, num_extra_terms), size_of::<usize>()),
        f("entropy_coef", offset_of!(truing_policy_inputs, entropy_coef), size_of::<f64>()),
        f("level", offset_of!(truing_policy_inputs, level), size_of::<truing_level>()),
        f("extra_term_size", offset_of!(truing_policy_inputs, extra_term_size), size_of::<u32>()),
        f("advantage_level", offset_of!(truing_policy_inputs, advantage_level), size_of::<truing_level>()),
        f("reserved0", offset_of!(truing_policy_inputs, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_policy_inputs, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("loss.reserved", offset_of!(truing_policy_inputs, loss.reserved), size_of::<[u8; 24]>()),
        f("kl.reserved0", offset_of!(truing_policy_inputs, kl.reserved0), size_of::<u32>()),
        f("kl.reserved", offset_of!(truing_policy_inputs, kl.reserved), size_of::<[u8; 32]>()),
        f("aggregate.reserved0", offset_of!(truing_policy_inputs, aggregate.reserved0), size_of::<u32>()),
        f("aggregate.reserved", offset_of!(truing_policy_inputs, aggregate.reserved), size_of::<[u8; 32]>()),
        f("entropy_aggregate.reserved0", offset_of!(truing_policy_inputs, entropy_aggregate.reserved0), size_of::<u32>()),
        f("entropy_aggregate.reserved", offset_of!(truing_policy_inputs, entropy_aggregate.reserved), size_of::<[u8; 32]>()),
        f("reserved0", offset_of!(truing_policy_inputs, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_policy_inputs, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_policy_outputs {
    const NAME: &'static str = "truing_policy_outputs";
    const FIELDS: &'static [Field] = &[
        f("out_loss", offset_of!(truing_policy_outputs, out_loss), size_of::<*const truing_tensor>()),
        f("out_values", offset_of!(truing_policy_outputs, out_values), size_of::<*const truing_tensor>()),
        f("out_kl", offset_of!(truing_policy_outputs, out_kl), size_of::<*const truing_tensor>()),
        f("out_terms", offset_of!(truing_policy_outputs, out_terms), size_of::<*const truing_tensor>()),
        f("grad_log_z_out", offset_of!(truing_policy_outputs, grad_log_z_out), size_of::<*const truing_tensor>()),
        f("out_statistics", offset_of!(truing_policy_outputs, out_statistics), size_of::<*const truing_tensor>()),
        f("out_token_status", offset_of!(truing_policy_outputs, out_token_status), size_of::<*const truing_tensor>()),
        f("out_sequence_status", offset_of!(truing_policy_outputs, out_sequence_status), size_of::<*const truing_tensor>()),
        f("out_counters", offset_of!(truing_policy_outputs, out_counters), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_policy_outputs, reserved), size_of::<[u8; 40]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved", offset_of!(truing_policy_outputs, reserved), size_of::<[u8; 40]>()),
    ];
}

impl Layout for truing_policy_forward_args {
    const NAME: &'static str = "truing_policy_forward_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_policy_forward_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_policy_forward_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_policy_forward_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_policy_forward_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_policy_forward_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_policy_forward_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_policy_forward_args, workspace_size), size_of::<usize>()),
        f("logps", offset_of!(truing_policy_forward_args, logps), size_of::<*const truing_tensor>()),
        f("entropy", offset_of!(truing_policy_forward_args, entropy), size_of::<*const truing_tensor>()),
        f("topk_entropy", offset_of!(truing_policy_forward_args, topk_entropy), size_of::<*const truing_tensor>()),
        f("inputs", offset_of!(truing_policy_forward_args, inputs), size_of::<truing_policy_inputs>()),
        f("grad_output", offset_of!(truing_policy_forward_args, grad_output), size_of::<*const truing_tensor>()),
        f("grad_scale", offset_of!(truing_policy_forward_args, grad_scale), size_of::<f64>()),
        f("outputs", offset_of!(truing_policy_forward_args, outputs), size_of::<truing_policy_outputs>()),
        f("grad_logps_out", offset_of!(truing_policy_forward_args, grad_logps_out), size_of::<*const truing_tensor>()),
        f("grad_entropy_out", offset_of!(truing_policy_forward_args, grad_entropy_out), size_of::<*const truing_tensor>()),
        f("kl", offset_of!(truing_policy_forward_args, kl), size_of::<*const truing_tensor>()),
        f("grad_kl_out", offset_of!(truing_policy_forward_args, grad_kl_out), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_policy_forward_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_policy_forward_args, reserved_head), size_of::<u32>()),
        f("inputs.loss.reserved", offset_of!(truing_policy_forward_args, inputs.loss.reserved), size_of::<[u8; 24]>()),
        f("inputs.kl.reserved0", offset_of!(truing_policy_forward_args, inputs.kl.reserved0), size_of::<u32>()),
        f("inputs.kl.reserved", offset_of!(truing_policy_forward_args, inputs.kl.reserved), size_of::<[u8; 32]>()),
        f("inputs.aggregate.reserved0", offset_of!(truing_policy_forward_args, inputs.aggregate.reserved0), size_of::<u32>()),
        f("inputs.aggregate.reserved", offset_of!(truing_policy_forward_args, inputs.aggregate.reserved), size_of::<[u8; 32]>()),
        f("inputs.entropy_aggregate.reserved0", offset_of!(truing_policy_forward_args, inputs.entropy_aggregate.reserved0), size_of::<u32>()),
        f("inputs.entropy_aggregate.reserved", offset_of!(truing_policy_forward_args, inputs.entropy_aggregate.reserved), size_of::<[u8; 32]>()),
        f("inputs.reserved0", offset_of!(truing_policy_forward_args, inputs.reserved0), size_of::<u32>()),
        f("inputs.reserved", offset_of!(truing_policy_forward_args, inputs.reserved), size_of::<[u8; 64]>()),
        f("outputs.reserved", offset_of!(truing_policy_forward_args, outputs.reserved), size_of::<[u8; 40]>()),
        f("reserved", offset_of!(truing_policy_forward_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_linear_policy_args {
    const NAME: &'static str = "truing_linear_policy_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_linear_policy_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_linear_policy_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_linear_policy_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_linear_policy_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_linear_policy_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_linear_policy_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_linear_policy_args, workspace_size), size_of::<usize>()),
        f("head", offset_of!(truing_linear_policy_args, head), size_of::<truing_head>()),
        f("ref_head", offset_of!(truing_linear_policy_args, ref_head), size_of::<truing_head>()),
        f("rows", offset_of!(truing_linear_policy_args, rows), size_of::<truing_rows>()),
        f("support", offset_of!(truing_linear_policy_args, support), size_of::<truing_support>()),
        f("inputs", offset_of!(truing_linear_policy_args, inputs), size_of::<truing_policy_inputs>()),
        f("logp_coefficients", offset_of!(truing_linear_policy_args, logp_coefficients), size_of::<*const truing_tensor>()),
        f("entropy_coefficients", offset_of!(truing_linear_policy_args, entropy_coefficients), size_of::<*const truing_tensor>()),
        f("kl_coefficients", offset_of!(truing_linear_policy_args, kl_coefficients), size_of::<*const truing_tensor>()),
        f("stats", offset_of!(truing_linear_policy_args, stats), size_of::<*const truing_tensor>()),
        f("pair_stats", offset_of!(truing_linear_policy_args, pair_stats), size_of::<*const truing_tensor>()),
        f("grad_output", offset_of!(truing_linear_policy_args, grad_output), size_of::<*const truing_tensor>()),
        f("grad_scale", offset_of!(truing_linear_policy_args, grad_scale), size_of::<f64>()),
        f("phase", offset_of!(truing_linear_policy_args, phase), size_of::<truing_phase>()),
        f("reserved0", offset_of!(truing_linear_policy_args, reserved0), size_of::<u32>()),
        f("grads", offset_of!(truing_linear_policy_args, grads), size_of::<truing_head_grads>()),
        f("outputs", offset_of!(truing_linear_policy_args, outputs), size_of::<truing_policy_outputs>()),
        f("out_logps", offset_of!(truing_linear_policy_args, out_logps), size_of::<*const truing_tensor>()),
        f("out_entropy", offset_of!(truing_linear_policy_args, out_entropy), size_of::<*const truing_tensor>()),
        f("out_log_sum_sq", offset_of!(truing_linear_policy_args, out_log_sum_sq), size_of::<*const truing_tensor>()),
        f("out_stats", offset_of!(truing_linear_policy_args, out_stats), size_of::<*const truing_tensor>()),
        f("out_pair_stats", offset_of!(truing_linear_policy_args, out_pair_stats), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_linear_policy_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_linear_policy_args, reserved_head), size_of::<u32>()),
        f("head.transform.reserved0", offset_of!(truing_linear_policy_args, head.transform.reserved0), size_of::<u32>()),
        f("head.transform.reserved", offset_of!(truing_linear_policy_args, head.transform.reserved), size_of::<[u8; 64]>()),
        f("head.reserved", offset_of!(truing_linear_policy_args, head.reserved), size_of::<[u8; 40]>()),
        f("ref_head.transform.reserved0", offset_of!(truing_linear_policy_args, ref_head.transform.reserved0), size_of::<u32>()),
        f("ref_head.transform.reserved", offset_of!(truing_linear_policy_args, ref_head.transform.reserved), size_of::<[u8; 64]>()),
        f("ref_head.reserved", offset_of!(truing_linear_policy_args, ref_head.reserved), size_of::<[u8; 40]>()),
        f("rows.reserved", offset_of!(truing_linear_policy_args, rows.reserved), size_of::<[u8; 24]>()),
        f("support.reserved0", offset_of!(truing_linear_policy_args, support.reserved0), size_of::<u32>()),
        f("support.reserved", offset_of!(truing_linear_policy_args, support.reserved), size_of::<[u8; 24]>()),
        f("inputs.loss.reserved", offset_of!(truing_linear_policy_args, inputs.loss.reserved), size_of::<[u8; 24]>()),
        f("inputs.kl.reserved0", offset_of!(truing_linear_policy_args, inputs.kl.reserved0), size_of::<u32>()),
        f("inputs.kl.reserved", offset_of!(truing_linear_policy_args, inputs.kl.reserved), size_of::<[u8; 32]>()),
        f("inputs.aggregate.reserved0", offset_of!(truing_linear_policy_args, inputs.aggregate.reserved0), size_of::<u32>()),
        f("inputs.aggregate.reserved", offset_of!(truing_linear_policy_args, inputs.aggregate.reserved), size_of::<[u8; 32]>()),
        f("inputs.entropy_aggregate.reserved0", offset_of!(truing_linear_policy_args, inputs.entropy_aggregate.reserved0), size_of::<u32>()),
        f("inputs.entropy_aggregate.reserved", offset_of!(truing_linear_policy_args, inputs.entropy_aggregate.reserved), size_of::<[u8; 32]>()),
        f("inputs.reserved0", offset_of!(truing_linear_policy_args, inputs.reserved0), size_of::<u32>()),
        f("inputs.reserved", offset_of!(truing_linear_policy_args, inputs.reserved), size_of::<[u8; 64]>()),
        f("reserved0", offset_of!(truing_linear_policy_args, reserved0), size_of::<u32>()),
        f("grads.reserved", offset_of!(truing_linear_policy_args, grads.reserved), size_of::<[u8; 24]>()),
        f("outputs.reserved", offset_of!(truing_linear_policy_args, outputs.reserved), size_of::<[u8; 40]>()),
        f("reserved", offset_of!(truing_linear_policy_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_partial {
    const NAME: &'static str = "truing_partial";
    const FIELDS: &'static [Field] = &[
        f("ids", offset_of!(truing_partial, ids), size_of::<*const truing_tensor>()),
        f("teacher_values", offset_of!(truing_partial, teacher_values), size_of::<*const truing_tensor>()),
        f("teacher_lse", offset_of!(truing_partial, teacher_lse), size_of::<*const truing_tensor>()),
        f("reference", offset_of!(truing_partial, reference), size_of::<*const truing_tensor>()),
        f("k", offset_of!(truing_partial, k), size_of::<i64>()),
        f("tail_floor", offset_of!(truing_partial, tail_floor), size_of::<f64>()),
        f("outside_logprob", offset_of!(truing_partial, outside_logprob), size_of::<f64>()),
        f("log_prob_floor", offset_of!(truing_partial, log_prob_floor), size_of::<f64>()),
        f("value_clamp", offset_of!(truing_partial, value_clamp), size_of::<f64>()),
        f("support", offset_of!(truing_partial, support), size_of::<truing_partial_support>()),
        f("outside", offset_of!(truing_partial, outside), size_of::<truing_outside>()),
        f("reserved", offset_of!(truing_partial, reserved), size_of::<[u8; 32]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved", offset_of!(truing_partial, reserved), size_of::<[u8; 32]>()),
    ];
}

impl Layout for truing_divergence_options {
    const NAME: &'static str = "truing_divergence_options";
    const FIELDS: &'static [Field] = &[
        f("params", offset_of!(truing_divergence_options, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_divergence_options, num_params), size_of::<usize>()),
        f("hard_weight", offset_of!(truing_divergence_options, hard_weight), size_of::<f64>()),
        f("soft_weight", offset_of!(truing_divergence_options, soft_weight), size_of::<f64>()),
        f("teacher_target_shift", offset_of!(truing_divergence_options, teacher_target_shift), size_of::<f64>()),
        f("kind", offset_of!(truing_divergence_options, kind), size_of::<truing_divergence_kind>()),
        f("limits", offset_of!(truing_divergence_options, limits), size_of::<truing_jsd_limits>()),
        f("teacher_form", offset_of!(truing_divergence_options, teacher_form), size_of::<truing_teacher_form>()),
        f("hard_scaling", offset_of!(truing_divergence_options, hard_scaling), size_of::<truing_token_scaling>()),
        f("aggregate", offset_of!(truing_divergence_options, aggregate), size_of::<truing_aggregate>()),
        f("reserved", offset_of!(truing_divergence_options, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("aggregate.reserved0", offset_of!(truing_divergence_options, aggregate.reserved0), size_of::<u32>()),
        f("aggregate.reserved", offset_of!(truing_divergence_options, aggregate.reserved), size_of::<[u8; 32]>()),
        f("reserved", offset_of!(truing_divergence_options, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_divergence_outputs {
    const NAME: &'static str = "truing_divergence_outputs";
    const FIELDS: &'static [Field] = &[
        f("out_values", offset_of!(truing_divergence_outputs, out_values), size_of::<*const truing_tensor>()),
        f("out_loss", offset_of!(truing_divergence_outputs, out_loss), size_of::<*const truing_tensor>()),
        f("out_student_entropy", offset_of!(truing_divergence_outputs, out_student_entropy), size_of::<*const truing_tensor>()),
        f("out_teacher_entropy", offset_of!(truing_divergence_outputs, out_teacher_entropy), size_of::<*const truing_tensor>()),
        f("out_cross_entropy", offset_of!(truing_divergence_outputs, out_cross_entropy), size_of::<*const truing_tensor>()),
        f("out_reverse_cross_entropy", offset_of!(truing_divergence_outputs, out_reverse_cross_entropy), size_of::<*const truing_tensor>()),
        f("out_student_logprob", offset_of!(truing_divergence_outputs, out_student_logprob), size_of::<*const truing_tensor>()),
        f("out_teacher_logprob", offset_of!(truing_divergence_outputs, out_teacher_logprob), size_of::<*const truing_tensor>()),
        f("out_student_rank", offset_of!(truing_divergence_outputs, out_student_rank), size_of::<*const truing_tensor>()),
        f("out_teacher_rank", offset_of!(truing_divergence_outputs, out_teacher_rank), size_of::<*const truing_tensor>()),
        f("out_student_mass", offset_of!(truing_divergence_outputs, out_student_mass), size_of::<*const truing_tensor>()),
        f("out_teacher_mass", offset_of!(truing_divergence_outputs, out_teacher_mass), size_of::<*const truing_tensor>()),
        f("out_overlap", offset_of!(truing_divergence_outputs, out_overlap), size_of::<*const truing_tensor>()),
        f("out_overlap_sum", offset_of!(truing_divergence_outputs, out_overlap_sum), size_of::<*const truing_tensor>()),
        f("out_support_ids", offset_of!(truing_divergence_outputs, out_support_ids), size_of::<*const truing_tensor>()),
        f("out_stats", offset_of!(truing_divergence_outputs, out_stats), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_divergence_outputs, out_status), size_of::<*const truing_tensor>()),
        f("out_counters", offset_of!(truing_divergence_outputs, out_counters), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_divergence_outputs, reserved), size_of::<[u8; 40]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved", offset_of!(truing_divergence_outputs, reserved), size_of::<[u8; 40]>()),
    ];
}

impl Layout for truing_divergence_forward_args {
    const NAME: &'static str = "truing_divergence_forward_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_divergence_forward_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_divergence_forward_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_divergence_forward_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_divergence_forward_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_divergence_forward_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_divergence_forward_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_divergence_forward_args, workspace_size), size_of::<usize>()),
        f("student", offset_of!(truing_divergence_forward_args, student), size_of::<*const truing_tensor>()),
        f("teacher", offset_of!(truing_divergence_forward_args, teacher), size_of::<*const truing_tensor>()),
        f("student_transform", offset_of!(truing_divergence_forward_args, student_transform), size_of::<truing_transform>()),
        f("teacher_transform", offset_of!(truing_divergence_forward_args, teacher_transform), size_of::<truing_transform>()),
        f("rows", offset_of!(truing_divergence_forward_args, rows), size_of::<truing_rows>()),
        f("row_weight", offset_of!(truing_divergence_forward_args, row_weight), size_of::<*const truing_tensor>()),
        f("options", offset_of!(truing_divergence_forward_args, options), size_of::<truing_divergence_options>()),
        f("partial", offset_of!(truing_divergence_forward_args, partial), size_of::<truing_partial>()),
        f("outputs", offset_of!(truing_divergence_forward_args, outputs), size_of::<truing_divergence_outputs>()),
        f("grad_student_out", offset_of!(truing_divergence_forward_args, grad_student_out), size_of::<*const truing_tensor>()),
        f("grad_teacher_out", offset_of!(truing_divergence_forward_args, grad_teacher_out), size_of::<*const truing_tensor>()),
        f("grad_loss", offset_of!(truing_divergence_forward_args, grad_loss), size_of::<*const truing_tensor>()),
        f("grad_scale", offset_of!(truing_divergence_forward_args, grad_scale), size_of::<f64>()),
        f("reserved", offset_of!(truing_divergence_forward_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_divergence_forward_args, reserved_head), size_of::<u32>()),
        f("student_transform.reserved0", offset_of!(truing_divergence_forward_args, student_transform.reserved0), size_of::<u32>()),
        f("student_transform.reserved", offset_of!(truing_divergence_forward_args, student_transform.reserved), size_of::<[u8; 64]>()),
        f("teacher_transform.reserved0", offset_of!(truing_divergence_forward_args, teacher_transform.reserved0), size_of::<u32>()),
        f("teacher_transform.reserved", offset_of!(truing_divergence_forward_args, teacher_transform.reserved), size_of::<[u8; 64]>()),
        f("rows.reserved", offset_of!(truing_divergence_forward_args, rows.reserved), size_of::<[u8; 24]>()),
        f("options.aggregate.reserved0", offset_of!(truing_divergence_forward_args, options.aggregate.reserved0), size_of::<u32>()),
        f("options.aggregate.reserved", offset_of!(truing_divergence_forward_args, options.aggregate.reserved), size_of::<[u8; 32]>()),
        f("options.reserved", offset_of!(truing_divergence_forward_args, options.reserved), size_of::<[u8; 64]>()),
        f("partial.reserved", offset_of!(truing_divergence_forward_args, partial.reserved), size_of::<[u8; 32]>()),
        f("outputs.reserved", offset_of!(truing_divergence_forward_args, outputs.reserved), size_of::<[u8; 40]>()),
        f("reserved", offset_of!(truing_divergence_forward_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_divergence_backward_args {
    const NAME: &'static str = "truing_divergence_backward_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_divergence_backward_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_divergence_backward_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_divergence_backward_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_divergence_backward_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_divergence_backward_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_divergence_backward_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_divergence_backward_args, workspace_size), size_of::<usize>()),
        f("student", offset_of!(truing_divergence_backward_args, student), size_of::<*const truing_tensor>()),
        f("teacher", offset_of!(truing_divergence_backward_args, teacher), size_of::<*const truing_tensor>()),
        f("student_transform", offset_of!(truing_divergence_backward_args, student_transform), size_of::<truing_transform>()),
        f("teacher_transform", offset_of!(truing_divergence_backward_args, teacher_transform), size_of::<truing_transform>()),
        f("rows", offset_of!(truing_divergence_backward_args, rows), size_of::<truing_rows>()),
        f("row_weight", offset_of!(truing_divergence_backward_args, row_weight), size_of::<*const truing_tensor>()),
        f("options", offset_of!(truing_divergence_backward_args, options), size_of::<truing_divergence_options>()),
        f("partial", offset_of!(truing_divergence_backward_args, partial), size_of::<truing_partial>()),
        f("shard", offset_of!(truing_divergence_backward_args, shard), size_of::<truing_shard>()),
        f("stats", offset_of!(truing_divergence_backward_args, stats), size_of::<*const truing_tensor>()),
        f("grad_values", offset_of!(truing_divergence_backward_args, grad_values), size_of::<*const truing_tensor>()),
        f("grad_loss", offset_of!(truing_divergence_backward_args, grad_loss), size_of::<*const truing_tensor>()),
        f("grad_student_logprob", offset_of!(truing_divergence_backward_args, grad_student_logprob), size_of::<*const truing_tensor>()),
        f("grad_scale", offset_of!(truing_divergence_backward_args, grad_scale), size_of::<f64>()),
        f("grad_student_out", offset_of!(truing_divergence_backward_args, grad_student_out), size_of::<*const truing_tensor>()),
        f("grad_teacher_out", offset_of!(truing_divergence_backward_args, grad_teacher_out), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_divergence_backward_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_divergence_backward_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_divergence_backward_args, reserved_head), size_of::<u32>()),
        f("student_transform.reserved0", offset_of!(truing_divergence_backward_args, student_transform.reserved0), size_of::<u32>()),
        f("student_transform.reserved", offset_of!(truing_divergence_backward_args, student_transform.reserved), size_of::<[u8; 64]>()),
        f("teacher_transform.reserved0", offset_of!(truing_divergence_backward_args, teacher_transform.reserved0), size_of::<u32>()),
        f("teacher_transform.reserved", offset_of!(truing_divergence_backward_args, teacher_transform.reserved), size_of::<[u8; 64]>()),
        f("rows.reserved", offset_of!(truing_divergence_backward_args, rows.reserved), size_of::<[u8; 24]>()),
        f("options.aggregate.reserved0", offset_of!(truing_divergence_backward_args, options.aggregate.reserved0), size_of::<u32>()),
        f("options.aggregate.reserved", offset_of!(truing_divergence_backward_args, options.aggregate.reserved), size_of::<[u8; 32]>()),
        f("options.reserved", offset_of!(truing_divergence_backward_args, options.reserved), size_of::<[u8; 64]>()),
        f("partial.reserved", offset_of!(truing_divergence_backward_args, partial.reserved), size_of::<[u8; 32]>()),
        f("shard.reserved", offset_of!(truing_divergence_backward_args, shard.reserved), size_of::<[u8; 32]>()),
        f("reserved", offset_of!(truing_divergence_backward_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_divergence_local_args {
    const NAME: &'static str = "truing_divergence_local_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_divergence_local_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_divergence_local_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_divergence_local_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_divergence_local_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_divergence_local_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_divergence_local_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_divergence_local_args, workspace_size), size_of::<usize>()),
        f("student", offset_of!(truing_divergence_local_args, student), size_of::<*const truing_tensor>()),
        f("teacher", offset_of!(truing_divergence_local_args, teacher), size_of::<*const truing_tensor>()),
        f("student_transform", offset_of!(truing_divergence_local_args, student_transform), size_of::<truing_transform>()),
        f("teacher_transform", offset_of!(truing_divergence_local_args, teacher_transform), size_of::<truing_transform>()),
        f("rows", offset_of!(truing_divergence_local_args, rows), size_of::<truing_rows>()),
        f("row_weight", offset_of!(truing_divergence_local_args, row_weight), size_of::<*const truing_tensor>()),
        f("options", offset_of!(truing_divergence_local_args, options), size_of::<truing_divergence_options>()),
        f("partial", offset_of!(truing_divergence_local_args, partial), size_of::<truing_partial>()),
        f("shard", offset_of!(truing_divergence_local_args, shard), size_of::<truing_shard>()),
        f("stats", offset_of!(truing_divergence_local_args, stats), size_of::<*const truing_tensor>()),
        f("out_records", offset_of!(truing_divergence_local_args, out_records), size_of::<*const truing_tensor>()),
        f("out_student_at_ids", offset_of!(truing_divergence_local_args, out_student_at_ids), size_of::<*const truing_tensor>()),
        f("out_teacher_at_ids", offset_of!(truing_divergence_local_args, out_teacher_at_ids), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_divergence_local_args, out_status), size_of::<*const truing_tensor>()),
        f("local_pass", offset_of!(truing_divergence_local_args, local_pass), size_of::<truing_local_pass>()),
        f("reserved0", offset_of!(truing_divergence_local_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_divergence_local_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_divergence_local_args, reserved_head), size_of::<u32>()),
        f("student_transform.reserved0", offset_of!(truing_divergence_local_args, student_transform.reserved0), size_of::<u32>()),
        f("student_transform.reserved", offset_of!(truing_divergence_local_args, student_transform.reserved), size_of::<[u8; 64]>()),
        f("teacher_transform.reserved0", offset_of!(truing_divergence_local_args, teacher_transform.reserved0), size_of::<u32>()),
        f("teacher_transform.reserved", offset_of!(truing_divergence_local_args, teacher_transform.reserved), size_of::<[u8; 64]>()),
        f("rows.reserved", offset_of!(truing_divergence_local_args, rows.reserved), size_of::<[u8; 24]>()),
        f("options.aggregate.reserved0", offset_of!(truing_divergence_local_args, options.aggregate.reserved0), size_of::<u32>()),
        f("options.aggregate.reserved", offset_of!(truing_divergence_local_args, options.aggregate.reserved), size_of::<[u8; 32]>()),
        f("options.reserved", offset_of!(truing_divergence_local_args, options.reserved), size_of::<[u8; 64]>()),
        f("partial.reserved", offset_of!(truing_divergence_local_args, partial.reserved), size_of::<[u8; 32]>()),
        f("shard.reserved", offset_of!(truing_divergence_local_args, shard.reserved), size_of::<[u8; 32]>()),
        f("reserved0", offset_of!(truing_divergence_local_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_divergence_local_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_divergence_finish_args {
    const NAME: &'static str = "truing_divergence_finish_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_divergence_finish_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_divergence_finish_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_divergence_finish_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_divergence_finish_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_divergence_finish_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_divergence_finish_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_divergence_finish_args, workspace_size), size_of::<usize>()),
        f("records", offset_of!(truing_divergence_finish_args, records), size_of::<*const truing_tensor>()),
        f("student_at_ids", offset_of!(truing_divergence_finish_args, student_at_ids), size_of::<*const truing_tensor>()),
        f("teacher_at_ids", offset_of!(truing_divergence_finish_args, teacher_at_ids), size_of::<*const truing_tensor>()),
        f("shard_starts", offset_of!(truing_divergence_finish_args, shard_starts), size_of::<*const truing_tensor>()),
        f("rows", offset_of!(truing_divergence_finish_args, rows), size_of::<truing_rows>()),
        f("row_weight", offset_of!(truing_divergence_finish_args, row_weight), size_of::<*const truing_tensor>()),
        f("options", offset_of!(truing_divergence_finish_args, options), size_of::<truing_divergence_options>()),
        f("partial", offset_of!(truing_divergence_finish_args, partial), size_of::<truing_partial>()),
        f("outputs", offset_of!(truing_divergence_finish_args, outputs), size_of::<truing_divergence_outputs>()),
        f("local_pass", offset_of!(truing_divergence_finish_args, local_pass), size_of::<truing_local_pass>()),
        f("reserved0", offset_of!(truing_divergence_finish_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_divergence_finish_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_divergence_finish_args, reserved_head), size_of::<u32>()),
        f("rows.reserved", offset_of!(truing_divergence_finish_args, rows.reserved), size_of::<[u8; 24]>()),
        f("options.aggregate.reserved0", offset_of!(truing_divergence_finish_args, options.aggregate.reserved0), size_of::<u32>()),
        f("options.aggregate.reserved", offset_of!(truing_divergence_finish_args, options.aggregate.reserved), size_of::<[u8; 32]>()),
        f("options.reserved", offset_of!(truing_divergence_finish_args, options.reserved), size_of::<[u8; 64]>()),
        f("partial.reserved", offset_of!(truing_divergence_finish_args, partial.reserved), size_of::<[u8; 32]>()),
        f("outputs.reserved", offset_of!(truing_divergence_finish_args, outputs.reserved), size_of::<[u8; 40]>()),
        f("reserved0", offset_of!(truing_divergence_finish_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_divergence_finish_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_linear_divergence_args {
    const NAME: &'static str = "truing_linear_divergence_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_linear_divergence_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_linear_divergence_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_linear_divergence_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_linear_divergence_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_linear_divergence_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_linear_divergence_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_linear_divergence_args, workspace_size), size_of::<usize>()),
        f("student", offset_of!(truing_linear_divergence_args, student), size_of::<truing_head>()),
        f("teacher", offset_of!(truing_linear_divergence_args, teacher), size_of::<truing_head>()),
        f("teacher_rows", offset_of!(truing_linear_divergence_args, teacher_rows), size_of::<*const truing_tensor>()),
        f("teacher_transform", offset_of!(truing_linear_divergence_args, teacher_transform), size_of::<truing_transform>()),
        f("rows", offset_of!(truing_linear_divergence_args, rows), size_of::<truing_rows>()),
        f("row_weight", offset_of!(truing_linear_divergence_args, row_weight), size_of::<*const truing_tensor>()),
        f("options", offset_of!(truing_linear_divergence_args, options), size_of::<truing_divergence_options>()),
        f("partial", offset_of!(truing_linear_divergence_args, partial), size_of::<truing_partial>()),
        f("shard", offset_of!(truing_linear_divergence_args, shard), size_of::<truing_shard>()),
        f("outputs", offset_of!(truing_linear_divergence_args, outputs), size_of::<truing_divergence_outputs>()),
        f("grad_values", offset_of!(truing_linear_divergence_args, grad_values), size_of::<*const truing_tensor>()),
        f("grad_loss", offset_of!(truing_linear_divergence_args, grad_loss), size_of::<*const truing_tensor>()),
        f("grad_student_logprob", offset_of!(truing_linear_divergence_args, grad_student_logprob), size_of::<*const truing_tensor>()),
        f("stats", offset_of!(truing_linear_divergence_args, stats), size_of::<*const truing_tensor>()),
        f("grad_scale", offset_of!(truing_linear_divergence_args, grad_scale), size_of::<f64>()),
        f("phase", offset_of!(truing_linear_divergence_args, phase), size_of::<truing_phase>()),
        f("reserved0", offset_of!(truing_linear_divergence_args, reserved0), size_of::<u32>()),
        f("student_grads", offset_of!(truing_linear_divergence_args, student_grads), size_of::<truing_head_grads>()),
        f("teacher_grads", offset_of!(truing_linear_divergence_args, teacher_grads), size_of::<truing_head_grads>()),
        f("reserved", offset_of!(truing_linear_divergence_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_linear_divergence_args, reserved_head), size_of::<u32>()),
        f("student.transform.reserved0", offset_of!(truing_linear_divergence_args, student.transform.reserved0), size_of::<u32>()),
        f("student.transform.reserved", offset_of!(truing_linear_divergence_args, student.transform.reserved), size_of::<[u8; 64]>()),
        f("student.reserved", offset_of!(truing_linear_divergence_args, student.reserved), size_of::<[u8; 40]>()),
        f("teacher.transform.reserved0", offset_of!(truing_linear_divergence_args, teacher.transform.reserved0), size_of::<u32>()),
        f("teacher.transform.reserved", offset_of!(truing_linear_divergence_args, teacher.transform.reserved), size_of::<[u8; 64]>()),
        f("teacher.reserved", offset_of!(truing_linear_divergence_args, teacher.reserved), size_of::<[u8; 40]>()),
        f("teacher_transform.reserved0", offset_of!(truing_linear_divergence_args, teacher_transform.reserved0), size_of::<u32>()),
        f("teacher_transform.reserved", offset_of!(truing_linear_divergence_args, teacher_transform.reserved), size_of::<[u8; 64]>()),
        f("rows.reserved", offset_of!(truing_linear_divergence_args, rows.reserved), size_of::<[u8; 24]>()),
        f("options.aggregate.reserved0", offset_of!(truing_linear_divergence_args, options.aggregate.reserved0), size_of::<u32>()),
        f("options.aggregate.reserved", offset_of!(truing_linear_divergence_args, options.aggregate.reserved), size_of::<[u8; 32]>()),
        f("options.reserved", offset_of!(truing_linear_divergence_args, options.reserved), size_of::<[u8; 64]>()),
        f("partial.reserved", offset_of!(truing_linear_divergence_args, partial.reserved), size_of::<[u8; 32]>()),
        f("shard.reserved", offset_of!(truing_linear_divergence_args, shard.reserved), size_of::<[u8; 32]>()),
        f("outputs.reserved", offset_of!(truing_linear_divergence_args, outputs.reserved), size_of::<[u8; 40]>()),
        f("reserved0", offset_of!(truing_linear_divergence_args, reserved0), size_of::<u32>()),
        f("student_grads.reserved", offset_of!(truing_linear_divergence_args, student_grads.reserved), size_of::<[u8; 24]>()),
        f("teacher_grads.reserved", offset_of!(truing_linear_divergence_args, teacher_grads.reserved), size_of::<[u8; 24]>()),
        f("reserved", offset_of!(truing_linear_divergence_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_linear_divergence_local_args {
    const NAME: &'static str = "truing_linear_divergence_local_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_linear_divergence_local_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_linear_divergence_local_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_linear_divergence_local_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_linear_divergence_local_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_linear_divergence_local_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_linear_divergence_local_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_linear_divergence_local_args, workspace_size), size_of::<usize>()),
        f("student", offset_of!(truing_linear_divergence_local_args, student), size_of::<truing_head>()),
        f("teacher", offset_of!(truing_linear_divergence_local_args, teacher), size_of::<truing_head>()),
        f("rows", offset_of!(truing_linear_divergence_local_args, rows), size_of::<truing_rows>()),
        f("row_weight", offset_of!(truing_linear_divergence_local_args, row_weight), size_of::<*const truing_tensor>()),
        f("options", offset_of!(truing_linear_divergence_local_args, options), size_of::<truing_divergence_options>()),
        f("partial", offset_of!(truing_linear_divergence_local_args, partial), size_of::<truing_partial>()),
        f("shard", offset_of!(truing_linear_divergence_local_args, shard), size_of::<truing_shard>()),
        f("stats", offset_of!(truing_linear_divergence_local_args, stats), size_of::<*const truing_tensor>()),
        f("out_records", offset_of!(truing_linear_divergence_local_args, out_records), size_of::<*const truing_tensor>()),
        f("out_student_at_ids", offset_of!(truing_linear_divergence_local_args, out_student_at_ids), size_of::<*const truing_tensor>()),
        f("out_teacher_at_ids", offset_of!(truing_linear_divergence_local_args, out_teacher_at_ids), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_linear_divergence_local_args, out_status), size_of::<*const truing_tensor>()),
        f("local_pass", offset_of!(truing_linear_divergence_local_args, local_pass), size_of::<truing_local_pass>()),
        f("reserved0", offset_of!(truing_linear_divergence_local_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_linear_divergence_local_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_linear_divergence_local_args, reserved_head), size_of::<u32>()),
        f("student.transform.reserved0", offset_of!(truing_linear_divergence_local_args, student.transform.reserved0), size_of::<u32>()),
        f("student.transform.reserved", offset_of!(truing_linear_divergence_local_args, student.transform.reserved), size_of::<[u8; 64]>()),
        f("student.reserved", offset_of!(truing_linear_divergence_local_args, student.reserved), size_of::<[u8; 40]>()),
        f("teacher.transform.reserved0", offset_of!(truing_linear_divergence_local_args, teacher.transform.reserved0), size_of::<u32>()),
        f("teacher.transform.reserved", offset_of!(truing_linear_divergence_local_args, teacher.transform.reserved), size_of::<[u8; 64]>()),
        f("teacher.reserved", offset_of!(truing_linear_divergence_local_args, teacher.reserved), size_of::<[u8; 40]>()),
        f("rows.reserved", offset_of!(truing_linear_divergence_local_args, rows.reserved), size_of::<[u8; 24]>()),
        f("options.aggregate.reserved0", offset_of!(truing_linear_divergence_local_args, options.aggregate.reserved0), size_of::<u32>()),
        f("options.aggregate.reserved", offset_of!(truing_linear_divergence_local_args, options.aggregate.reserved), size_of::<[u8; 32]>()),
        f("options.reserved", offset_of!(truing_linear_divergence_local_args, options.reserved), size_of::<[u8; 64]>()),
        f("partial.reserved", offset_of!(truing_linear_divergence_local_args, partial.reserved), size_of::<[u8; 32]>()),
        f("shard.reserved", offset_of!(truing_linear_divergence_local_args, shard.reserved), size_of::<[u8; 32]>()),
        f("reserved0", offset_of!(truing_linear_divergence_local_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_linear_divergence_local_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_sequence_kl_args {
    const NAME: &'static str = "truing_sequence_kl_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_sequence_kl_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_sequence_kl_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_sequence_kl_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_sequence_kl_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_sequence_kl_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_sequence_kl_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_sequence_kl_args, workspace_size), size_of::<usize>()),
        f("policy", offset_of!(truing_sequence_kl_args, policy), size_of::<*const truing_tensor>()),
        f("ref", offset_of!(truing_sequence_kl_args, r#ref), size_of::<*const truing_tensor>()),
        f("policy_transform", offset_of!(truing_sequence_kl_args, policy_transform), size_of::<truing_transform>()),
        f("ref_transform", offset_of!(truing_sequence_kl_args, ref_transform), size_of::<truing_transform>()),
        f("rows", offset_of!(truing_sequence_kl_args, rows), size_of::<truing_rows>()),
        f("grad_log_ratio", offset_of!(truing_sequence_kl_args, grad_log_ratio), size_of::<*const truing_tensor>()),
        f("grad_kl", offset_of!(truing_sequence_kl_args, grad_kl), size_of::<*const truing_tensor>()),
        f("stats", offset_of!(truing_sequence_kl_args, stats), size_of::<*const truing_tensor>()),
        f("out_log_ratio", offset_of!(truing_sequence_kl_args, out_log_ratio), size_of::<*const truing_tensor>()),
        f("out_kl", offset_of!(truing_sequence_kl_args, out_kl), size_of::<*const truing_tensor>()),
        f("out_counts", offset_of!(truing_sequence_kl_args, out_counts), size_of::<*const truing_tensor>()),
        f("out_stats", offset_of!(truing_sequence_kl_args, out_stats), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_sequence_kl_args, out_status), size_of::<*const truing_tensor>()),
        f("grad_policy_out", offset_of!(truing_sequence_kl_args, grad_policy_out), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_sequence_kl_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_sequence_kl_args, reserved_head), size_of::<u32>()),
        f("policy_transform.reserved0", offset_of!(truing_sequence_kl_args, policy_transform.reserved0), size_of::<u32>()),
        f("policy_transform.reserved", offset_of!(truing_sequence_kl_args, policy_transform.reserved), size_of::<[u8; 64]>()),
        f("ref_transform.reserved0", offset_of!(truing_sequence_kl_args, ref_transform.reserved0), size_of::<u32>()),
        f("ref_transform.reserved", offset_of!(truing_sequence_kl_args, ref_transform.reserved), size_of::<[u8; 64]>()),
        f("rows.reserved", offset_of!(truing_sequence_kl_args, rows.reserved), size_of::<[u8; 24]>()),
        f("reserved", offset_of!(truing_sequence_kl_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_kto_baseline_args {
    const NAME: &'static str = "truing_kto_baseline_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_kto_baseline_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_kto_baseline_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_kto_baseline_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_kto_baseline_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_kto_baseline_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_kto_baseline_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_kto_baseline_args, workspace_size), size_of::<usize>()),
        f("scores", offset_of!(truing_kto_baseline_args, scores), size_of::<*const truing_tensor>()),
        f("ref_scores", offset_of!(truing_kto_baseline_args, ref_scores), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_kto_baseline_args, mask), size_of::<*const truing_tensor>()),
        f("nonzero_only", offset_of!(truing_kto_baseline_args, nonzero_only), size_of::<u32>()),
        f("reserved0", offset_of!(truing_kto_baseline_args, reserved0), size_of::<u32>()),
        f("out_sum", offset_of!(truing_kto_baseline_args, out_sum), size_of::<*const truing_tensor>()),
        f("out_count", offset_of!(truing_kto_baseline_args, out_count), size_of::<*const truing_tensor>()),
        f("out_nonzero", offset_of!(truing_kto_baseline_args, out_nonzero), size_of::<*const truing_tensor>()),
        f("out_baseline", offset_of!(truing_kto_baseline_args, out_baseline), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_kto_baseline_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_kto_baseline_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_kto_baseline_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_kto_baseline_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_bco_shift_args {
    const NAME: &'static str = "truing_bco_shift_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_bco_shift_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_bco_shift_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_bco_shift_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_bco_shift_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_bco_shift_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_bco_shift_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_bco_shift_args, workspace_size), size_of::<usize>()),
        f("rewards", offset_of!(truing_bco_shift_args, rewards), size_of::<*const truing_tensor>()),
        f("label", offset_of!(truing_bco_shift_args, label), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_bco_shift_args, mask), size_of::<*const truing_tensor>()),
        f("state", offset_of!(truing_bco_shift_args, state), size_of::<*const truing_tensor>()),
        f("mode", offset_of!(truing_bco_shift_args, mode), size_of::<truing_shift_mode>()),
        f("reserved0", offset_of!(truing_bco_shift_args, reserved0), size_of::<u32>()),
        f("out_shift", offset_of!(truing_bco_shift_args, out_shift), size_of::<*const truing_tensor>()),
        f("out_state", offset_of!(truing_bco_shift_args, out_state), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_bco_shift_args, out_status), size_of::<*const truing_tensor>()),
        f("rate", offset_of!(truing_bco_shift_args, rate), size_of::<f64>()),
        f("reserved", offset_of!(truing_bco_shift_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_bco_shift_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_bco_shift_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_bco_shift_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_aot_sort_args {
    const NAME: &'static str = "truing_aot_sort_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_aot_sort_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_aot_sort_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_aot_sort_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_aot_sort_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_aot_sort_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_aot_sort_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_aot_sort_args, workspace_size), size_of::<usize>()),
        f("chosen", offset_of!(truing_aot_sort_args, chosen), size_of::<*const truing_tensor>()),
        f("rejected", offset_of!(truing_aot_sort_args, rejected), size_of::<*const truing_tensor>()),
        f("ref_chosen", offset_of!(truing_aot_sort_args, ref_chosen), size_of::<*const truing_tensor>()),
        f("ref_rejected", offset_of!(truing_aot_sort_args, ref_rejected), size_of::<*const truing_tensor>()),
        f("pairing", offset_of!(truing_aot_sort_args, pairing), size_of::<truing_aot_pairing>()),
        f("reserved0", offset_of!(truing_aot_sort_args, reserved0), size_of::<u32>()),
        f("out_u_order", offset_of!(truing_aot_sort_args, out_u_order), size_of::<*const truing_tensor>()),
        f("out_v_order", offset_of!(truing_aot_sort_args, out_v_order), size_of::<*const truing_tensor>()),
        f("out_difference", offset_of!(truing_aot_sort_args, out_difference), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_aot_sort_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_aot_sort_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_aot_sort_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_aot_sort_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_aot_sort_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_beta_dpo_stats_args {
    const NAME: &'static str = "truing_beta_dpo_stats_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_beta_dpo_stats_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_beta_dpo_stats_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_beta_dpo_stats_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_beta_dpo_stats_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_beta_dpo_stats_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_beta_dpo_stats_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_beta_dpo_stats_args, workspace_size), size_of::<usize>()),
        f("gaps", offset_of!(truing_beta_dpo_stats_args, gaps), size_of::<*const truing_tensor>()),
        f("uniforms", offset_of!(truing_beta_dpo_stats_args, uniforms), size_of::<*const truing_tensor>()),
        f("state", offset_of!(truing_beta_dpo_stats_args, state), size_of::<*const truing_tensor>()),
        f("params", offset_of!(truing_beta_dpo_stats_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_beta_dpo_stats_args, num_params), size_of::<usize>()),
        f("out_keep", offset_of!(truing_beta_dpo_stats_args, out_keep), size_of::<*const truing_tensor>()),
        f("out_beta", offset_of!(truing_beta_dpo_stats_args, out_beta), size_of::<*const truing_tensor>()),
        f("out_state", offset_of!(truing_beta_dpo_stats_args, out_state), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_beta_dpo_stats_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_beta_dpo_stats_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_beta_dpo_stats_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_beta_dpo_stats_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_wpo_weight_args {
    const NAME: &'static str = "truing_wpo_weight_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_wpo_weight_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_wpo_weight_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_wpo_weight_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_wpo_weight_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_wpo_weight_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_wpo_weight_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_wpo_weight_args, workspace_size), size_of::<usize>()),
        f("chosen", offset_of!(truing_wpo_weight_args, chosen), size_of::<*const truing_tensor>()),
        f("rejected", offset_of!(truing_wpo_weight_args, rejected), size_of::<*const truing_tensor>()),
        f("chosen_log_sum_sq", offset_of!(truing_wpo_weight_args, chosen_log_sum_sq), size_of::<*const truing_tensor>()),
        f("rejected_log_sum_sq", offset_of!(truing_wpo_weight_args, rejected_log_sum_sq), size_of::<*const truing_tensor>()),
        f("form", offset_of!(truing_wpo_weight_args, form), size_of::<truing_wpo_form>()),
        f("reserved0", offset_of!(truing_wpo_weight_args, reserved0), size_of::<u32>()),
        f("out_weight", offset_of!(truing_wpo_weight_args, out_weight), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_wpo_weight_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_wpo_weight_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_wpo_weight_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_wpo_weight_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_wpo_weight_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_importance_weight_args {
    const NAME: &'static str = "truing_importance_weight_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_importance_weight_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_importance_weight_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_importance_weight_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_importance_weight_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_importance_weight_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_importance_weight_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_importance_weight_args, workspace_size), size_of::<usize>()),
        f("old", offset_of!(truing_importance_weight_args, old), size_of::<*const truing_tensor>()),
        f("sampler", offset_of!(truing_importance_weight_args, sampler), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_importance_weight_args, mask), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_importance_weight_args, cu_seqlens), size_of::<*const truing_tensor>()),
        f("low", offset_of!(truing_importance_weight_args, low), size_of::<f64>()),
        f("high", offset_of!(truing_importance_weight_args, high), size_of::<f64>()),
        f("level", offset_of!(truing_importance_weight_args, level), size_of::<truing_weight_level>()),
        f("action", offset_of!(truing_importance_weight_args, action), size_of::<truing_weight_action>()),
        f("missing", offset_of!(truing_importance_weight_args, missing), size_of::<truing_missing>()),
        f("normalise", offset_of!(truing_importance_weight_args, normalise), size_of::<truing_normalise>()),
        f("token_weight", offset_of!(truing_importance_weight_args, token_weight), size_of::<u32>()),
        f("reserved0", offset_of!(truing_importance_weight_args, reserved0), size_of::<u32>()),
        f("out_weights", offset_of!(truing_importance_weight_args, out_weights), size_of::<*const truing_tensor>()),
        f("out_keep", offset_of!(truing_importance_weight_args, out_keep), size_of::<*const truing_tensor>()),
        f("out_statistics", offset_of!(truing_importance_weight_args, out_statistics), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_importance_weight_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_importance_weight_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_importance_weight_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_importance_weight_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_importance_weight_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_rejection_mask_args {
    const NAME: &'static str = "truing_rejection_mask_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_rejection_mask_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_rejection_mask_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_rejection_mask_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_rejection_mask_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_rejection_mask_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_rejection_mask_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_rejection_mask_args, workspace_size), size_of::<usize>()),
        f("old", offset_of!(truing_rejection_mask_args, old), size_of::<*const truing_tensor>()),
        f("sampler", offset_of!(truing_rejection_mask_args, sampler), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_rejection_mask_args, mask), size_of::<*const truing_tensor>()),
        f("keep", offset_of!(truing_rejection_mask_args, keep), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_rejection_mask_args, cu_seqlens), size_of::<*const truing_tensor>()),
        f("low", offset_of!(truing_rejection_mask_args, low), size_of::<f64>()),
        f("high", offset_of!(truing_rejection_mask_args, high), size_of::<f64>()),
        f("statistic", offset_of!(truing_rejection_mask_args, statistic), size_of::<truing_rejection_statistic>()),
        f("span", offset_of!(truing_rejection_mask_args, span), size_of::<truing_span>()),
        f("missing", offset_of!(truing_rejection_mask_args, missing), size_of::<truing_missing>()),
        f("reserved0", offset_of!(truing_rejection_mask_args, reserved0), size_of::<u32>()),
        f("out_keep", offset_of!(truing_rejection_mask_args, out_keep), size_of::<*const truing_tensor>()),
        f("out_sequence_keep", offset_of!(truing_rejection_mask_args, out_sequence_keep), size_of::<*const truing_tensor>()),
        f("out_statistic", offset_of!(truing_rejection_mask_args, out_statistic), size_of::<*const truing_tensor>()),
        f("out_rejected", offset_of!(truing_rejection_mask_args, out_rejected), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_rejection_mask_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_rejection_mask_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_rejection_mask_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_rejection_mask_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_off_policy_sequence_mask_args {
    const NAME: &'static str = "truing_off_policy_sequence_mask_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_off_policy_sequence_mask_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_off_policy_sequence_mask_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_off_policy_sequence_mask_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_off_policy_sequence_mask_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_off_policy_sequence_mask_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_off_policy_sequence_mask_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_off_policy_sequence_mask_args, workspace_size), size_of::<usize>()),
        f("logps", offset_of!(truing_off_policy_sequence_mask_args, logps), size_of::<*const truing_tensor>()),
        f("behaviour", offset_of!(truing_off_policy_sequence_mask_args, behaviour), size_of::<*const truing_tensor>()),
        f("advantage", offset_of!(truing_off_policy_sequence_mask_args, advantage), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_off_policy_sequence_mask_args, mask), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_off_policy_sequence_mask_args, cu_seqlens), size_of::<*const truing_tensor>()),
        f("delta", offset_of!(truing_off_policy_sequence_mask_args, delta), size_of::<f64>()),
        f("out_keep", offset_of!(truing_off_policy_sequence_mask_args, out_keep), size_of::<*const truing_tensor>()),
        f("out_mean", offset_of!(truing_off_policy_sequence_mask_args, out_mean), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_off_policy_sequence_mask_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_off_policy_sequence_mask_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_off_policy_sequence_mask_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_top_entropy_mask_args {
    const NAME: &'static str = "truing_top_entropy_mask_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_top_entropy_mask_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_top_entropy_mask_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_top_entropy_mask_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_top_entropy_mask_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_top_entropy_mask_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_top_entropy_mask_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_top_entropy_mask_args, workspace_size), size_of::<usize>()),
        f("entropy", offset_of!(truing_top_entropy_mask_args, entropy), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_top_entropy_mask_args, mask), size_of::<*const truing_tensor>()),
        f("share", offset_of!(truing_top_entropy_mask_args, share), size_of::<f64>()),
        f("out_keep", offset_of!(truing_top_entropy_mask_args, out_keep), size_of::<*const truing_tensor>()),
        f("out_threshold", offset_of!(truing_top_entropy_mask_args, out_threshold), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_top_entropy_mask_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_top_entropy_mask_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_top_entropy_mask_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_top_entropy_mask_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_cov_select_args {
    const NAME: &'static str = "truing_cov_select_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_cov_select_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_cov_select_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_cov_select_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_cov_select_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_cov_select_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_cov_select_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_cov_select_args, workspace_size), size_of::<usize>()),
        f("logps", offset_of!(truing_cov_select_args, logps), size_of::<*const truing_tensor>()),
        f("old", offset_of!(truing_cov_select_args, old), size_of::<*const truing_tensor>()),
        f("noise", offset_of!(truing_cov_select_args, noise), size_of::<*const truing_tensor>()),
        f("advantage", offset_of!(truing_cov_select_args, advantage), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_cov_select_args, mask), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_cov_select_args, cu_seqlens), size_of::<*const truing_tensor>()),
        f("params", offset_of!(truing_cov_select_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_cov_select_args, num_params), size_of::<usize>()),
        f("seed", offset_of!(truing_cov_select_args, seed), size_of::<u64>()),
        f("first_token", offset_of!(truing_cov_select_args, first_token), size_of::<i64>()),
        f("form", offset_of!(truing_cov_select_args, form), size_of::<truing_cov_form>()),
        f("reserved0", offset_of!(truing_cov_select_args, reserved0), size_of::<u32>()),
        f("out_indices", offset_of!(truing_cov_select_args, out_indices), size_of::<*const truing_tensor>()),
        f("out_count", offset_of!(truing_cov_select_args, out_count), size_of::<*const truing_tensor>()),
        f("out_flag", offset_of!(truing_cov_select_args, out_flag), size_of::<*const truing_tensor>()),
        f("out_keep", offset_of!(truing_cov_select_args, out_keep), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_cov_select_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_cov_select_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_cov_select_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_cov_select_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_m2po_mask_args {
    const NAME: &'static str = "truing_m2po_mask_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_m2po_mask_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_m2po_mask_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_m2po_mask_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_m2po_mask_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_m2po_mask_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_m2po_mask_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_m2po_mask_args, workspace_size), size_of::<usize>()),
        f("old", offset_of!(truing_m2po_mask_args, old), size_of::<*const truing_tensor>()),
        f("proximal", offset_of!(truing_m2po_mask_args, proximal), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_m2po_mask_args, mask), size_of::<*const truing_tensor>()),
        f("threshold", offset_of!(truing_m2po_mask_args, threshold), size_of::<f64>()),
        f("out_keep", offset_of!(truing_m2po_mask_args, out_keep), size_of::<*const truing_tensor>()),
        f("out_moment", offset_of!(truing_m2po_mask_args, out_moment), size_of::<*const truing_tensor>()),
        f("out_dropped", offset_of!(truing_m2po_mask_args, out_dropped), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_m2po_mask_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_m2po_mask_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_m2po_mask_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_fipo_weight_args {
    const NAME: &'static str = "truing_fipo_weight_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_fipo_weight_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_fipo_weight_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_fipo_weight_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_fipo_weight_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_fipo_weight_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_fipo_weight_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_fipo_weight_args, workspace_size), size_of::<usize>()),
        f("logps", offset_of!(truing_fipo_weight_args, logps), size_of::<*const truing_tensor>()),
        f("old", offset_of!(truing_fipo_weight_args, old), size_of::<*const truing_tensor>()),
        f("advantage", offset_of!(truing_fipo_weight_args, advantage), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_fipo_weight_args, mask), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_fipo_weight_args, cu_seqlens), size_of::<*const truing_tensor>()),
        f("params", offset_of!(truing_fipo_weight_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_fipo_weight_args, num_params), size_of::<usize>()),
        f("high_only", offset_of!(truing_fipo_weight_args, high_only), size_of::<u32>()),
        f("reserved0", offset_of!(truing_fipo_weight_args, reserved0), size_of::<u32>()),
        f("out_weights", offset_of!(truing_fipo_weight_args, out_weights), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_fipo_weight_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_fipo_weight_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_fipo_weight_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_fipo_weight_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_fipo_weight_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_item_numbers_args {
    const NAME: &'static str = "truing_item_numbers_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_item_numbers_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_item_numbers_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_item_numbers_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_item_numbers_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_item_numbers_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_item_numbers_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_item_numbers_args, workspace_size), size_of::<usize>()),
        f("first", offset_of!(truing_item_numbers_args, first), size_of::<*const truing_tensor>()),
        f("second", offset_of!(truing_item_numbers_args, second), size_of::<*const truing_tensor>()),
        f("params", offset_of!(truing_item_numbers_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_item_numbers_args, num_params), size_of::<usize>()),
        f("form", offset_of!(truing_item_numbers_args, form), size_of::<truing_item_form>()),
        f("reserved0", offset_of!(truing_item_numbers_args, reserved0), size_of::<u32>()),
        f("out_value", offset_of!(truing_item_numbers_args, out_value), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_item_numbers_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_item_numbers_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_item_numbers_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_item_numbers_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_item_numbers_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_uld_args {
    const NAME: &'static str = "truing_uld_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_uld_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_uld_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_uld_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_uld_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_uld_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_uld_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_uld_args, workspace_size), size_of::<usize>()),
        f("student", offset_of!(truing_uld_args, student), size_of::<*const truing_tensor>()),
        f("teacher", offset_of!(truing_uld_args, teacher), size_of::<*const truing_tensor>()),
        f("student_transform", offset_of!(truing_uld_args, student_transform), size_of::<truing_transform>()),
        f("teacher_transform", offset_of!(truing_uld_args, teacher_transform), size_of::<truing_transform>()),
        f("rows", offset_of!(truing_uld_args, rows), size_of::<truing_rows>()),
        f("row_weight", offset_of!(truing_uld_args, row_weight), size_of::<*const truing_tensor>()),
        f("k", offset_of!(truing_uld_args, k), size_of::<i64>()),
        f("aggregate", offset_of!(truing_uld_args, aggregate), size_of::<truing_aggregate>()),
        f("out_values", offset_of!(truing_uld_args, out_values), size_of::<*const truing_tensor>()),
        f("out_loss", offset_of!(truing_uld_args, out_loss), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_uld_args, out_status), size_of::<*const truing_tensor>()),
        f("grad_values", offset_of!(truing_uld_args, grad_values), size_of::<*const truing_tensor>()),
        f("grad_loss", offset_of!(truing_uld_args, grad_loss), size_of::<*const truing_tensor>()),
        f("grad_scale", offset_of!(truing_uld_args, grad_scale), size_of::<f64>()),
        f("grad_student_out", offset_of!(truing_uld_args, grad_student_out), size_of::<*const truing_tensor>()),
        f("grad_teacher_out", offset_of!(truing_uld_args, grad_teacher_out), size_of::<*const truing_tensor>()),
        f("matched_student_ids", offset_of!(truing_uld_args, matched_student_ids), size_of::<*const truing_tensor>()),
        f("matched_teacher_ids", offset_of!(truing_uld_args, matched_teacher_ids), size_of::<*const truing_tensor>()),
        f("matched_beta", offset_of!(truing_uld_args, matched_beta), size_of::<f64>()),
        f("matched_weight", offset_of!(truing_uld_args, matched_weight), size_of::<f64>()),
        f("unmatched_weight", offset_of!(truing_uld_args, unmatched_weight), size_of::<f64>()),
        f("student_scale", offset_of!(truing_uld_args, student_scale), size_of::<*const truing_tensor>()),
        f("teacher_scale", offset_of!(truing_uld_args, teacher_scale), size_of::<*const truing_tensor>()),
        f("grad_student_scale_out", offset_of!(truing_uld_args, grad_student_scale_out), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_uld_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_uld_args, reserved_head), size_of::<u32>()),
        f("student_transform.reserved0", offset_of!(truing_uld_args, student_transform.reserved0), size_of::<u32>()),
        f("student_transform.reserved", offset_of!(truing_uld_args, student_transform.reserved), size_of::<[u8; 64]>()),
        f("teacher_transform.reserved0", offset_of!(truing_uld_args, teacher_transform.reserved0), size_of::<u32>()),
        f("teacher_transform.reserved", offset_of!(truing_uld_args, teacher_transform.reserved), size_of::<[u8; 64]>()),
        f("rows.reserved", offset_of!(truing_uld_args, rows.reserved), size_of::<[u8; 24]>()),
        f("aggregate.reserved0", offset_of!(truing_uld_args, aggregate.reserved0), size_of::<u32>()),
        f("aggregate.reserved", offset_of!(truing_uld_args, aggregate.reserved), size_of::<[u8; 32]>()),
        f("reserved", offset_of!(truing_uld_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_tilt_args {
    const NAME: &'static str = "truing_tilt_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_tilt_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_tilt_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_tilt_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_tilt_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_tilt_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_tilt_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_tilt_args, workspace_size), size_of::<usize>()),
        f("logps", offset_of!(truing_tilt_args, logps), size_of::<*const truing_tensor>()),
        f("rewards", offset_of!(truing_tilt_args, rewards), size_of::<*const truing_tensor>()),
        f("alpha", offset_of!(truing_tilt_args, alpha), size_of::<*const truing_tensor>()),
        f("target", offset_of!(truing_tilt_args, target), size_of::<*const truing_tensor>()),
        f("grad_log_z", offset_of!(truing_tilt_args, grad_log_z), size_of::<*const truing_tensor>()),
        f("grad_kl", offset_of!(truing_tilt_args, grad_kl), size_of::<*const truing_tensor>()),
        f("out_log_tilted", offset_of!(truing_tilt_args, out_log_tilted), size_of::<*const truing_tensor>()),
        f("out_log_z", offset_of!(truing_tilt_args, out_log_z), size_of::<*const truing_tensor>()),
        f("out_mean", offset_of!(truing_tilt_args, out_mean), size_of::<*const truing_tensor>()),
        f("out_variance", offset_of!(truing_tilt_args, out_variance), size_of::<*const truing_tensor>()),
        f("out_kl", offset_of!(truing_tilt_args, out_kl), size_of::<*const truing_tensor>()),
        f("out_alpha", offset_of!(truing_tilt_args, out_alpha), size_of::<*const truing_tensor>()),
        f("grad_logps_out", offset_of!(truing_tilt_args, grad_logps_out), size_of::<*const truing_tensor>()),
        f("grad_rewards_out", offset_of!(truing_tilt_args, grad_rewards_out), size_of::<*const truing_tensor>()),
        f("grad_alpha_out", offset_of!(truing_tilt_args, grad_alpha_out), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_tilt_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_tilt_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_tilt_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_tilt_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_renyi_args {
    const NAME: &'static str = "truing_renyi_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_renyi_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_renyi_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_renyi_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_renyi_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_renyi_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_renyi_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_renyi_args, workspace_size), size_of::<usize>()),
        f("first", offset_of!(truing_renyi_args, first), size_of::<*const truing_tensor>()),
        f("second", offset_of!(truing_renyi_args, second), size_of::<*const truing_tensor>()),
        f("grad_values", offset_of!(truing_renyi_args, grad_values), size_of::<*const truing_tensor>()),
        f("order", offset_of!(truing_renyi_args, order), size_of::<f64>()),
        f("out_values", offset_of!(truing_renyi_args, out_values), size_of::<*const truing_tensor>()),
        f("grad_first_out", offset_of!(truing_renyi_args, grad_first_out), size_of::<*const truing_tensor>()),
        f("grad_second_out", offset_of!(truing_renyi_args, grad_second_out), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_renyi_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_renyi_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_renyi_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_renyi_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_best_of_n_args {
    const NAME: &'static str = "truing_best_of_n_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_best_of_n_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_best_of_n_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_best_of_n_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_best_of_n_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_best_of_n_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_best_of_n_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_best_of_n_args, workspace_size), size_of::<usize>()),
        f("logps", offset_of!(truing_best_of_n_args, logps), size_of::<*const truing_tensor>()),
        f("rewards", offset_of!(truing_best_of_n_args, rewards), size_of::<*const truing_tensor>()),
        f("n", offset_of!(truing_best_of_n_args, n), size_of::<f64>()),
        f("worst", offset_of!(truing_best_of_n_args, worst), size_of::<u32>()),
        f("reserved0", offset_of!(truing_best_of_n_args, reserved0), size_of::<u32>()),
        f("out_log_pmf", offset_of!(truing_best_of_n_args, out_log_pmf), size_of::<*const truing_tensor>()),
        f("out_kl", offset_of!(truing_best_of_n_args, out_kl), size_of::<*const truing_tensor>()),
        f("out_win_rate", offset_of!(truing_best_of_n_args, out_win_rate), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_best_of_n_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_best_of_n_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_best_of_n_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_best_of_n_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_best_of_n_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_best_of_n_kl_args {
    const NAME: &'static str = "truing_best_of_n_kl_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_best_of_n_kl_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_best_of_n_kl_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_best_of_n_kl_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_best_of_n_kl_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_best_of_n_kl_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_best_of_n_kl_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_best_of_n_kl_args, workspace_size), size_of::<usize>()),
        f("logps", offset_of!(truing_best_of_n_kl_args, logps), size_of::<*const truing_tensor>()),
        f("n", offset_of!(truing_best_of_n_kl_args, n), size_of::<f64>()),
        f("out_kl", offset_of!(truing_best_of_n_kl_args, out_kl), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_best_of_n_kl_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_best_of_n_kl_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_best_of_n_kl_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_best_of_n_kl_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_head_weights_args {
    const NAME: &'static str = "truing_head_weights_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_head_weights_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_head_weights_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_head_weights_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_head_weights_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_head_weights_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_head_weights_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_head_weights_args, workspace_size), size_of::<usize>()),
        f("head", offset_of!(truing_head_weights_args, head), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_head_weights_args, mask), size_of::<*const truing_tensor>()),
        f("alpha", offset_of!(truing_head_weights_args, alpha), size_of::<*const truing_tensor>()),
        f("present_heads", offset_of!(truing_head_weights_args, present_heads), size_of::<u32>()),
        f("reserved0", offset_of!(truing_head_weights_args, reserved0), size_of::<u32>()),
        f("out_weight", offset_of!(truing_head_weights_args, out_weight), size_of::<*const truing_tensor>()),
        f("out_counts", offset_of!(truing_head_weights_args, out_counts), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_head_weights_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_head_weights_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_head_weights_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_head_weights_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_head_weights_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_modpo_margin_args {
    const NAME: &'static str = "truing_modpo_margin_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_modpo_margin_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_modpo_margin_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_modpo_margin_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_modpo_margin_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_modpo_margin_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_modpo_margin_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_modpo_margin_args, workspace_size), size_of::<usize>()),
        f("weights", offset_of!(truing_modpo_margin_args, weights), size_of::<*const truing_tensor>()),
        f("chosen", offset_of!(truing_modpo_margin_args, chosen), size_of::<*const truing_tensor>()),
        f("rejected", offset_of!(truing_modpo_margin_args, rejected), size_of::<*const truing_tensor>()),
        f("grad_margin", offset_of!(truing_modpo_margin_args, grad_margin), size_of::<*const truing_tensor>()),
        f("out_margin_chosen", offset_of!(truing_modpo_margin_args, out_margin_chosen), size_of::<*const truing_tensor>()),
        f("out_margin_rejected", offset_of!(truing_modpo_margin_args, out_margin_rejected), size_of::<*const truing_tensor>()),
        f("grad_weights_out", offset_of!(truing_modpo_margin_args, grad_weights_out), size_of::<*const truing_tensor>()),
        f("grad_chosen_out", offset_of!(truing_modpo_margin_args, grad_chosen_out), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_modpo_margin_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_modpo_margin_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_modpo_margin_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_quantile_threshold_args {
    const NAME: &'static str = "truing_quantile_threshold_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_quantile_threshold_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_quantile_threshold_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_quantile_threshold_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_quantile_threshold_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_quantile_threshold_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_quantile_threshold_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_quantile_threshold_args, workspace_size), size_of::<usize>()),
        f("values", offset_of!(truing_quantile_threshold_args, values), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_quantile_threshold_args, mask), size_of::<*const truing_tensor>()),
        f("level", offset_of!(truing_quantile_threshold_args, level), size_of::<*const truing_tensor>()),
        f("out_threshold", offset_of!(truing_quantile_threshold_args, out_threshold), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_quantile_threshold_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_quantile_threshold_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_quantile_threshold_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_quantile_threshold_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_a_star_value_args {
    const NAME: &'static str = "truing_a_star_value_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_a_star_value_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_a_star_value_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_a_star_value_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_a_star_value_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_a_star_value_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_a_star_value_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_a_star_value_args, workspace_size), size_of::<usize>()),
        f("rewards", offset_of!(truing_a_star_value_args, rewards), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_a_star_value_args, cu_seqlens), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_a_star_value_args, mask), size_of::<*const truing_tensor>()),
        f("params", offset_of!(truing_a_star_value_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_a_star_value_args, num_params), size_of::<usize>()),
        f("mode", offset_of!(truing_a_star_value_args, mode), size_of::<truing_value_mode>()),
        f("reserved0", offset_of!(truing_a_star_value_args, reserved0), size_of::<u32>()),
        f("out_value", offset_of!(truing_a_star_value_args, out_value), size_of::<*const truing_tensor>()),
        f("out_share", offset_of!(truing_a_star_value_args, out_share), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_a_star_value_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_a_star_value_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_a_star_value_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_a_star_value_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_a_star_value_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_hindsight_target_args {
    const NAME: &'static str = "truing_hindsight_target_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_hindsight_target_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_hindsight_target_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_hindsight_target_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_hindsight_target_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_hindsight_target_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_hindsight_target_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_hindsight_target_args, workspace_size), size_of::<usize>()),
        f("rewards", offset_of!(truing_hindsight_target_args, rewards), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_hindsight_target_args, cu_seqlens), size_of::<*const truing_tensor>()),
        f("outcome", offset_of!(truing_hindsight_target_args, outcome), size_of::<*const truing_tensor>()),
        f("params", offset_of!(truing_hindsight_target_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_hindsight_target_args, num_params), size_of::<usize>()),
        f("out_targets", offset_of!(truing_hindsight_target_args, out_targets), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_hindsight_target_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_hindsight_target_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_hindsight_target_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_kl_length_figures_args {
    const NAME: &'static str = "truing_kl_length_figures_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_kl_length_figures_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_kl_length_figures_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_kl_length_figures_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_kl_length_figures_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_kl_length_figures_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_kl_length_figures_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_kl_length_figures_args, workspace_size), size_of::<usize>()),
        f("logps", offset_of!(truing_kl_length_figures_args, logps), size_of::<*const truing_tensor>()),
        f("ref_logps", offset_of!(truing_kl_length_figures_args, ref_logps), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_kl_length_figures_args, cu_seqlens), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_kl_length_figures_args, mask), size_of::<*const truing_tensor>()),
        f("quantile_levels", offset_of!(truing_kl_length_figures_args, quantile_levels), size_of::<*const truing_tensor>()),
        f("bin_edges", offset_of!(truing_kl_length_figures_args, bin_edges), size_of::<*const truing_tensor>()),
        f("out_k1", offset_of!(truing_kl_length_figures_args, out_k1), size_of::<*const truing_tensor>()),
        f("out_k3", offset_of!(truing_kl_length_figures_args, out_k3), size_of::<*const truing_tensor>()),
        f("out_lengths", offset_of!(truing_kl_length_figures_args, out_lengths), size_of::<*const truing_tensor>()),
        f("out_figures", offset_of!(truing_kl_length_figures_args, out_figures), size_of::<*const truing_tensor>()),
        f("out_quantiles", offset_of!(truing_kl_length_figures_args, out_quantiles), size_of::<*const truing_tensor>()),
        f("out_histogram", offset_of!(truing_kl_length_figures_args, out_histogram), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_kl_length_figures_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_kl_length_figures_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_kl_length_figures_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_kl_length_figures_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_ches_args {
    const NAME: &'static str = "truing_ches_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_ches_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_ches_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_ches_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_ches_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_ches_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_ches_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_ches_args, workspace_size), size_of::<usize>()),
        f("hidden", offset_of!(truing_ches_args, hidden), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_ches_args, cu_seqlens), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_ches_args, mask), size_of::<*const truing_tensor>()),
        f("chosen_seq", offset_of!(truing_ches_args, chosen_seq), size_of::<*const truing_tensor>()),
        f("rejected_seq", offset_of!(truing_ches_args, rejected_seq), size_of::<*const truing_tensor>()),
        f("score_kind", offset_of!(truing_ches_args, score_kind), size_of::<truing_score_kind>()),
        f("reserved0", offset_of!(truing_ches_args, reserved0), size_of::<u32>()),
        f("out_value", offset_of!(truing_ches_args, out_value), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_ches_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_ches_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_ches_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_ches_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_ches_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_class_rows_args {
    const NAME: &'static str = "truing_class_rows_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_class_rows_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_class_rows_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_class_rows_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_class_rows_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_class_rows_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_class_rows_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_class_rows_args, workspace_size), size_of::<usize>()),
        f("logits", offset_of!(truing_class_rows_args, logits), size_of::<*const truing_tensor>()),
        f("columns", offset_of!(truing_class_rows_args, columns), size_of::<*const truing_tensor>()),
        f("targets", offset_of!(truing_class_rows_args, targets), size_of::<*const truing_tensor>()),
        f("target_ids", offset_of!(truing_class_rows_args, target_ids), size_of::<*const truing_tensor>()),
        f("threshold", offset_of!(truing_class_rows_args, threshold), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_class_rows_args, mask), size_of::<*const truing_tensor>()),
        f("params", offset_of!(truing_class_rows_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_class_rows_args, num_params), size_of::<usize>()),
        f("form", offset_of!(truing_class_rows_args, form), size_of::<truing_class_form>()),
        f("reduction", offset_of!(truing_class_rows_args, reduction), size_of::<truing_reduction>()),
        f("normaliser", offset_of!(truing_class_rows_args, normaliser), size_of::<f64>()),
        f("grad_output", offset_of!(truing_class_rows_args, grad_output), size_of::<*const truing_tensor>()),
        f("grad_scale", offset_of!(truing_class_rows_args, grad_scale), size_of::<f64>()),
        f("out_loss", offset_of!(truing_class_rows_args, out_loss), size_of::<*const truing_tensor>()),
        f("out_losses", offset_of!(truing_class_rows_args, out_losses), size_of::<*const truing_tensor>()),
        f("out_targets", offset_of!(truing_class_rows_args, out_targets), size_of::<*const truing_tensor>()),
        f("grad_logits_out", offset_of!(truing_class_rows_args, grad_logits_out), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_class_rows_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_class_rows_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_class_rows_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_class_rows_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_prm_mse_args {
    const NAME: &'static str = "truing_prm_mse_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_prm_mse_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_prm_mse_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_prm_mse_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_prm_mse_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_prm_mse_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_prm_mse_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_prm_mse_args, workspace_size), size_of::<usize>()),
        f("predictions", offset_of!(truing_prm_mse_args, predictions), size_of::<*const truing_tensor>()),
        f("targets", offset_of!(truing_prm_mse_args, targets), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_prm_mse_args, cu_seqlens), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_prm_mse_args, mask), size_of::<*const truing_tensor>()),
        f("reduction", offset_of!(truing_prm_mse_args, reduction), size_of::<truing_reduction>()),
        f("reserved0", offset_of!(truing_prm_mse_args, reserved0), size_of::<u32>()),
        f("normaliser", offset_of!(truing_prm_mse_args, normaliser), size_of::<f64>()),
        f("grad_output", offset_of!(truing_prm_mse_args, grad_output), size_of::<*const truing_tensor>()),
        f("grad_scale", offset_of!(truing_prm_mse_args, grad_scale), size_of::<f64>()),
        f("out_loss", offset_of!(truing_prm_mse_args, out_loss), size_of::<*const truing_tensor>()),
        f("out_losses", offset_of!(truing_prm_mse_args, out_losses), size_of::<*const truing_tensor>()),
        f("grad_predictions_out", offset_of!(truing_prm_mse_args, grad_predictions_out), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_prm_mse_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_prm_mse_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_prm_mse_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_prm_mse_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_prm_mse_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_preference_orchestrator_args {
    const NAME: &'static str = "truing_preference_orchestrator_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_preference_orchestrator_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_preference_orchestrator_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_preference_orchestrator_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_preference_orchestrator_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_preference_orchestrator_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_preference_orchestrator_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_preference_orchestrator_args, workspace_size), size_of::<usize>()),
        f("rewards", offset_of!(truing_preference_orchestrator_args, rewards), size_of::<*const truing_tensor>()),
        f("log_target", offset_of!(truing_preference_orchestrator_args, log_target), size_of::<*const truing_tensor>()),
        f("scores", offset_of!(truing_preference_orchestrator_args, scores), size_of::<*const truing_tensor>()),
        f("values", offset_of!(truing_preference_orchestrator_args, values), size_of::<*const truing_tensor>()),
        f("params", offset_of!(truing_preference_orchestrator_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_preference_orchestrator_args, num_params), size_of::<usize>()),
        f("direction", offset_of!(truing_preference_orchestrator_args, direction), size_of::<truing_direction>()),
        f("reserved0", offset_of!(truing_preference_orchestrator_args, reserved0), size_of::<u32>()),
        f("out_log_target", offset_of!(truing_preference_orchestrator_args, out_log_target), size_of::<*const truing_tensor>()),
        f("out_weights", offset_of!(truing_preference_orchestrator_args, out_weights), size_of::<*const truing_tensor>()),
        f("out_kl", offset_of!(truing_preference_orchestrator_args, out_kl), size_of::<*const truing_tensor>()),
        f("out_combined", offset_of!(truing_preference_orchestrator_args, out_combined), size_of::<*const truing_tensor>()),
        f("grad_scores_kl_out", offset_of!(truing_preference_orchestrator_args, grad_scores_kl_out), size_of::<*const truing_tensor>()),
        f("grad_scores_combined_out", offset_of!(truing_preference_orchestrator_args, grad_scores_combined_out), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_preference_orchestrator_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_preference_orchestrator_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_preference_orchestrator_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_preference_orchestrator_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_preference_orchestrator_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_group_advantage_args {
    const NAME: &'static str = "truing_group_advantage_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_group_advantage_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_group_advantage_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_group_advantage_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_group_advantage_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_group_advantage_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_group_advantage_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_group_advantage_args, workspace_size), size_of::<usize>()),
        f("rewards", offset_of!(truing_group_advantage_args, rewards), size_of::<*const truing_tensor>()),
        f("group_offsets", offset_of!(truing_group_advantage_args, group_offsets), size_of::<*const truing_tensor>()),
        f("group_ids", offset_of!(truing_group_advantage_args, group_ids), size_of::<*const truing_tensor>()),
        f("num_groups", offset_of!(truing_group_advantage_args, num_groups), size_of::<u64>()),
        f("lengths", offset_of!(truing_group_advantage_args, lengths), size_of::<*const truing_tensor>()),
        f("params", offset_of!(truing_group_advantage_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_group_advantage_args, num_params), size_of::<usize>()),
        f("preset", offset_of!(truing_group_advantage_args, preset), size_of::<truing_advantage_preset>()),
        f("baseline", offset_of!(truing_group_advantage_args, baseline), size_of::<truing_baseline>()),
        f("scale", offset_of!(truing_group_advantage_args, scale), size_of::<truing_advantage_scale>()),
        f("std_kind", offset_of!(truing_group_advantage_args, std_kind), size_of::<truing_std_kind>()),
        f("eps_kind", offset_of!(truing_group_advantage_args, eps_kind), size_of::<truing_eps_kind>()),
        f("single", offset_of!(truing_group_advantage_args, single), size_of::<truing_single>()),
        f("out_advantages", offset_of!(truing_group_advantage_args, out_advantages), size_of::<*const truing_tensor>()),
        f("out_mean", offset_of!(truing_group_advantage_args, out_mean), size_of::<*const truing_tensor>()),
        f("out_std", offset_of!(truing_group_advantage_args, out_std), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_group_advantage_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_group_advantage_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_group_advantage_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_group_advantage_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_multi_objective_advantage_args {
    const NAME: &'static str = "truing_multi_objective_advantage_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_multi_objective_advantage_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_multi_objective_advantage_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_multi_objective_advantage_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_multi_objective_advantage_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_multi_objective_advantage_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_multi_objective_advantage_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_multi_objective_advantage_args, workspace_size), size_of::<usize>()),
        f("rewards", offset_of!(truing_multi_objective_advantage_args, rewards), size_of::<*const truing_tensor>()),
        f("weights", offset_of!(truing_multi_objective_advantage_args, weights), size_of::<*const truing_tensor>()),
        f("group_offsets", offset_of!(truing_multi_objective_advantage_args, group_offsets), size_of::<*const truing_tensor>()),
        f("group_ids", offset_of!(truing_multi_objective_advantage_args, group_ids), size_of::<*const truing_tensor>()),
        f("num_groups", offset_of!(truing_multi_objective_advantage_args, num_groups), size_of::<u64>()),
        f("lengths", offset_of!(truing_multi_objective_advantage_args, lengths), size_of::<*const truing_tensor>()),
        f("params", offset_of!(truing_multi_objective_advantage_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_multi_objective_advantage_args, num_params), size_of::<usize>()),
        f("order", offset_of!(truing_multi_objective_advantage_args, order), size_of::<truing_objective_order>()),
        f("preset", offset_of!(truing_multi_objective_advantage_args, preset), size_of::<truing_advantage_preset>()),
        f("baseline", offset_of!(truing_multi_objective_advantage_args, baseline), size_of::<truing_baseline>()),
        f("scale", offset_of!(truing_multi_objective_advantage_args, scale), size_of::<truing_advantage_scale>()),
        f("std_kind", offset_of!(truing_multi_objective_advantage_args, std_kind), size_of::<truing_std_kind>()),
        f("eps_kind", offset_of!(truing_multi_objective_advantage_args, eps_kind), size_of::<truing_eps_kind>()),
        f("single", offset_of!(truing_multi_objective_advantage_args, single), size_of::<truing_single>()),
        f("batch_step", offset_of!(truing_multi_objective_advantage_args, batch_step), size_of::<truing_batch_step>()),
        f("out_advantages", offset_of!(truing_multi_objective_advantage_args, out_advantages), size_of::<*const truing_tensor>()),
        f("out_combined", offset_of!(truing_multi_objective_advantage_args, out_combined), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_multi_objective_advantage_args, out_status), size_of::<*const truing_tensor>()),
        f("grad_advantages", offset_of!(truing_multi_objective_advantage_args, grad_advantages), size_of::<*const truing_tensor>()),
        f("grad_weights_out", offset_of!(truing_multi_objective_advantage_args, grad_weights_out), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_multi_objective_advantage_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_multi_objective_advantage_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_multi_objective_advantage_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_gae_args {
    const NAME: &'static str = "truing_gae_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_gae_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_gae_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_gae_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_gae_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_gae_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_gae_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_gae_args, workspace_size), size_of::<usize>()),
        f("rewards", offset_of!(truing_gae_args, rewards), size_of::<*const truing_tensor>()),
        f("values", offset_of!(truing_gae_args, values), size_of::<*const truing_tensor>()),
        f("value_end", offset_of!(truing_gae_args, value_end), size_of::<*const truing_tensor>()),
        f("baseline", offset_of!(truing_gae_args, baseline), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_gae_args, mask), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_gae_args, cu_seqlens), size_of::<*const truing_tensor>()),
        f("params", offset_of!(truing_gae_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_gae_args, num_params), size_of::<usize>()),
        f("masks", offset_of!(truing_gae_args, masks), size_of::<truing_mask_handling>()),
        f("reserved0", offset_of!(truing_gae_args, reserved0), size_of::<u32>()),
        f("out_advantages", offset_of!(truing_gae_args, out_advantages), size_of::<*const truing_tensor>()),
        f("out_returns", offset_of!(truing_gae_args, out_returns), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_gae_args, out_status), size_of::<*const truing_tensor>()),
        f("grad_advantages", offset_of!(truing_gae_args, grad_advantages), size_of::<*const truing_tensor>()),
        f("grad_returns", offset_of!(truing_gae_args, grad_returns), size_of::<*const truing_tensor>()),
        f("grad_rewards_out", offset_of!(truing_gae_args, grad_rewards_out), size_of::<*const truing_tensor>()),
        f("grad_values_out", offset_of!(truing_gae_args, grad_values_out), size_of::<*const truing_tensor>()),
        f("grad_value_end_out", offset_of!(truing_gae_args, grad_value_end_out), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_gae_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_gae_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_gae_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_gae_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_whiten_args {
    const NAME: &'static str = "truing_whiten_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_whiten_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_whiten_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_whiten_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_whiten_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_whiten_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_whiten_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_whiten_args, workspace_size), size_of::<usize>()),
        f("values", offset_of!(truing_whiten_args, values), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_whiten_args, mask), size_of::<*const truing_tensor>()),
        f("counts", offset_of!(truing_whiten_args, counts), size_of::<*const truing_tensor>()),
        f("states", offset_of!(truing_whiten_args, states), size_of::<*const truing_tensor>()),
        f("params", offset_of!(truing_whiten_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_whiten_args, num_params), size_of::<usize>()),
        f("std_kind", offset_of!(truing_whiten_args, std_kind), size_of::<truing_std_kind>()),
        f("eps_kind", offset_of!(truing_whiten_args, eps_kind), size_of::<truing_eps_kind>()),
        f("keep_mean", offset_of!(truing_whiten_args, keep_mean), size_of::<u32>()),
        f("reserved0", offset_of!(truing_whiten_args, reserved0), size_of::<u32>()),
        f("out_values", offset_of!(truing_whiten_args, out_values), size_of::<*const truing_tensor>()),
        f("out_state", offset_of!(truing_whiten_args, out_state), size_of::<*const truing_tensor>()),
        f("out_moments", offset_of!(truing_whiten_args, out_moments), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_whiten_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_whiten_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_whiten_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_whiten_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_whiten_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_optimal_token_baseline_args {
    const NAME: &'static str = "truing_optimal_token_baseline_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_optimal_token_baseline_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_optimal_token_baseline_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_optimal_token_baseline_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_optimal_token_baseline_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_optimal_token_baseline_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_optimal_token_baseline_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_optimal_token_baseline_args, workspace_size), size_of::<usize>()),
        f("rewards", offset_of!(truing_optimal_token_baseline_args, rewards), size_of::<*const truing_tensor>()),
        f("logps", offset_of!(truing_optimal_token_baseline_args, logps), size_of::<*const truing_tensor>()),
        f("log_sum_sq", offset_of!(truing_optimal_token_baseline_args, log_sum_sq), size_of::<*const truing_tensor>()),
        f("importance_weight", offset_of!(truing_optimal_token_baseline_args, importance_weight), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_optimal_token_baseline_args, mask), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_optimal_token_baseline_args, cu_seqlens), size_of::<*const truing_tensor>()),
        f("group_offsets", offset_of!(truing_optimal_token_baseline_args, group_offsets), size_of::<*const truing_tensor>()),
        f("group_ids", offset_of!(truing_optimal_token_baseline_args, group_ids), size_of::<*const truing_tensor>()),
        f("num_groups", offset_of!(truing_optimal_token_baseline_args, num_groups), size_of::<u64>()),
        f("params", offset_of!(truing_optimal_token_baseline_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_optimal_token_baseline_args, num_params), size_of::<usize>()),
        f("alignment", offset_of!(truing_optimal_token_baseline_args, alignment), size_of::<truing_alignment>()),
        f("keep_tail", offset_of!(truing_optimal_token_baseline_args, keep_tail), size_of::<u32>()),
        f("out_advantages", offset_of!(truing_optimal_token_baseline_args, out_advantages), size_of::<*const truing_tensor>()),
        f("out_baseline", offset_of!(truing_optimal_token_baseline_args, out_baseline), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_optimal_token_baseline_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_optimal_token_baseline_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_optimal_token_baseline_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_optimal_token_baseline_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_prime_advantage_args {
    const NAME: &'static str = "truing_prime_advantage_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_prime_advantage_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_prime_advantage_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_prime_advantage_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_prime_advantage_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_prime_advantage_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_prime_advantage_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_prime_advantage_args, workspace_size), size_of::<usize>()),
        f("process_rewards", offset_of!(truing_prime_advantage_args, process_rewards), size_of::<*const truing_tensor>()),
        f("outcome", offset_of!(truing_prime_advantage_args, outcome), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_prime_advantage_args, mask), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_prime_advantage_args, cu_seqlens), size_of::<*const truing_tensor>()),
        f("group_offsets", offset_of!(truing_prime_advantage_args, group_offsets), size_of::<*const truing_tensor>()),
        f("group_ids", offset_of!(truing_prime_advantage_args, group_ids), size_of::<*const truing_tensor>()),
        f("num_groups", offset_of!(truing_prime_advantage_args, num_groups), size_of::<u64>()),
        f("params", offset_of!(truing_prime_advantage_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_prime_advantage_args, num_params), size_of::<usize>()),
        f("out_returns", offset_of!(truing_prime_advantage_args, out_returns), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_prime_advantage_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_prime_advantage_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_prime_advantage_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_prime_advantage_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_distill_advantage_args {
    const NAME: &'static str = "truing_distill_advantage_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_distill_advantage_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_distill_advantage_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_distill_advantage_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_distill_advantage_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_distill_advantage_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_distill_advantage_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_distill_advantage_args, workspace_size), size_of::<usize>()),
        f("student", offset_of!(truing_distill_advantage_args, student), size_of::<*const truing_tensor>()),
        f("teacher", offset_of!(truing_distill_advantage_args, teacher), size_of::<*const truing_tensor>()),
        f("advantages", offset_of!(truing_distill_advantage_args, advantages), size_of::<*const truing_tensor>()),
        f("token_rewards", offset_of!(truing_distill_advantage_args, token_rewards), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_distill_advantage_args, mask), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_distill_advantage_args, cu_seqlens), size_of::<*const truing_tensor>()),
        f("params", offset_of!(truing_distill_advantage_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_distill_advantage_args, num_params), size_of::<usize>()),
        f("form", offset_of!(truing_distill_advantage_args, form), size_of::<truing_distill_form>()),
        f("estimator", offset_of!(truing_distill_advantage_args, estimator), size_of::<truing_loss_id>()),
        f("advantage_level", offset_of!(truing_distill_advantage_args, advantage_level), size_of::<truing_level>()),
        f("missing_zero", offset_of!(truing_distill_advantage_args, missing_zero), size_of::<u32>()),
        f("negative_only", offset_of!(truing_distill_advantage_args, negative_only), size_of::<u32>()),
        f("per_length", offset_of!(truing_distill_advantage_args, per_length), size_of::<u32>()),
        f("position_power", offset_of!(truing_distill_advantage_args, position_power), size_of::<u32>()),
        f("reserved0", offset_of!(truing_distill_advantage_args, reserved0), size_of::<u32>()),
        f("out_advantages", offset_of!(truing_distill_advantage_args, out_advantages), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_distill_advantage_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_distill_advantage_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_distill_advantage_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_distill_advantage_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_distill_advantage_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_lagrangian_advantage_args {
    const NAME: &'static str = "truing_lagrangian_advantage_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_lagrangian_advantage_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_lagrangian_advantage_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_lagrangian_advantage_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_lagrangian_advantage_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_lagrangian_advantage_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_lagrangian_advantage_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_lagrangian_advantage_args, workspace_size), size_of::<usize>()),
        f("reward_advantages", offset_of!(truing_lagrangian_advantage_args, reward_advantages), size_of::<*const truing_tensor>()),
        f("cost_advantages", offset_of!(truing_lagrangian_advantage_args, cost_advantages), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_lagrangian_advantage_args, mask), size_of::<*const truing_tensor>()),
        f("log_lambda", offset_of!(truing_lagrangian_advantage_args, log_lambda), size_of::<*const truing_tensor>()),
        f("mean_cost", offset_of!(truing_lagrangian_advantage_args, mean_cost), size_of::<*const truing_tensor>()),
        f("cost_limit", offset_of!(truing_lagrangian_advantage_args, cost_limit), size_of::<f64>()),
        f("out_advantages", offset_of!(truing_lagrangian_advantage_args, out_advantages), size_of::<*const truing_tensor>()),
        f("grad_log_lambda_out", offset_of!(truing_lagrangian_advantage_args, grad_log_lambda_out), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_lagrangian_advantage_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_lagrangian_advantage_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_lagrangian_advantage_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_pama_scalars_args {
    const NAME: &'static str = "truing_pama_scalars_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_pama_scalars_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_pama_scalars_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_pama_scalars_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_pama_scalars_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_pama_scalars_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_pama_scalars_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_pama_scalars_args, workspace_size), size_of::<usize>()),
        f("advantages", offset_of!(truing_pama_scalars_args, advantages), size_of::<*const truing_tensor>()),
        f("logps", offset_of!(truing_pama_scalars_args, logps), size_of::<*const truing_tensor>()),
        f("anchor", offset_of!(truing_pama_scalars_args, anchor), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_pama_scalars_args, mask), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_pama_scalars_args, cu_seqlens), size_of::<*const truing_tensor>()),
        f("params", offset_of!(truing_pama_scalars_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_pama_scalars_args, num_params), size_of::<usize>()),
        f("granularity", offset_of!(truing_pama_scalars_args, granularity), size_of::<truing_granularity>()),
        f("reserved0", offset_of!(truing_pama_scalars_args, reserved0), size_of::<u32>()),
        f("out_scalars", offset_of!(truing_pama_scalars_args, out_scalars), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_pama_scalars_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_pama_scalars_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_pama_scalars_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_pama_scalars_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_interval_weights_args {
    const NAME: &'static str = "truing_interval_weights_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_interval_weights_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_interval_weights_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_interval_weights_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_interval_weights_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_interval_weights_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_interval_weights_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_interval_weights_args, workspace_size), size_of::<usize>()),
        f("scalars", offset_of!(truing_interval_weights_args, scalars), size_of::<*const truing_tensor>()),
        f("out_value", offset_of!(truing_interval_weights_args, out_value), size_of::<*const truing_tensor>()),
        f("out_weights", offset_of!(truing_interval_weights_args, out_weights), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_interval_weights_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_interval_weights_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_interval_weights_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_interval_weights_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_gram_matrix_args {
    const NAME: &'static str = "truing_gram_matrix_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_gram_matrix_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_gram_matrix_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_gram_matrix_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_gram_matrix_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_gram_matrix_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_gram_matrix_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_gram_matrix_args, workspace_size), size_of::<usize>()),
        f("values", offset_of!(truing_gram_matrix_args, values), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_gram_matrix_args, mask), size_of::<*const truing_tensor>()),
        f("unit_rows", offset_of!(truing_gram_matrix_args, unit_rows), size_of::<u32>()),
        f("reserved0", offset_of!(truing_gram_matrix_args, reserved0), size_of::<u32>()),
        f("out_gram", offset_of!(truing_gram_matrix_args, out_gram), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_gram_matrix_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_gram_matrix_args, reserved_head), size_of::<u32>()),
        f("reserved0", offset_of!(truing_gram_matrix_args, reserved0), size_of::<u32>()),
        f("reserved", offset_of!(truing_gram_matrix_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_min_norm_weights_args {
    const NAME: &'static str = "truing_min_norm_weights_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_min_norm_weights_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_min_norm_weights_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_min_norm_weights_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_min_norm_weights_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_min_norm_weights_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_min_norm_weights_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_min_norm_weights_args, workspace_size), size_of::<usize>()),
        f("gram", offset_of!(truing_min_norm_weights_args, gram), size_of::<*const truing_tensor>()),
        f("params", offset_of!(truing_min_norm_weights_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_min_norm_weights_args, num_params), size_of::<usize>()),
        f("out_weights", offset_of!(truing_min_norm_weights_args, out_weights), size_of::<*const truing_tensor>()),
        f("out_value", offset_of!(truing_min_norm_weights_args, out_value), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_min_norm_weights_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_min_norm_weights_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_min_norm_weights_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_token_reward_args {
    const NAME: &'static str = "truing_token_reward_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_token_reward_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_token_reward_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_token_reward_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_token_reward_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_token_reward_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_token_reward_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_token_reward_args, workspace_size), size_of::<usize>()),
        f("old", offset_of!(truing_token_reward_args, old), size_of::<*const truing_tensor>()),
        f("ref_logps", offset_of!(truing_token_reward_args, ref_logps), size_of::<*const truing_tensor>()),
        f("rewards", offset_of!(truing_token_reward_args, rewards), size_of::<*const truing_tensor>()),
        f("mask", offset_of!(truing_token_reward_args, mask), size_of::<*const truing_tensor>()),
        f("cu_seqlens", offset_of!(truing_token_reward_args, cu_seqlens), size_of::<*const truing_tensor>()),
        f("params", offset_of!(truing_token_reward_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_token_reward_args, num_params), size_of::<usize>()),
        f("estimator", offset_of!(truing_token_reward_args, estimator), size_of::<truing_loss_id>()),
        f("level", offset_of!(truing_token_reward_args, level), size_of::<truing_level>()),
        f("out_rewards", offset_of!(truing_token_reward_args, out_rewards), size_of::<*const truing_tensor>()),
        f("out_kl", offset_of!(truing_token_reward_args, out_kl), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_token_reward_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_token_reward_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_token_reward_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_token_reward_args, reserved), size_of::<[u8; 64]>()),
    ];
}

impl Layout for truing_controller_args {
    const NAME: &'static str = "truing_controller_args";
    const FIELDS: &'static [Field] = &[
        f("struct_size", offset_of!(truing_controller_args, struct_size), size_of::<u32>()),
        f("reserved_head", offset_of!(truing_controller_args, reserved_head), size_of::<u32>()),
        f("context", offset_of!(truing_controller_args, context), size_of::<*const truing_context>()),
        f("flags", offset_of!(truing_controller_args, flags), size_of::<u64>()),
        f("stream", offset_of!(truing_controller_args, stream), size_of::<*mut c_void>()),
        f("workspace", offset_of!(truing_controller_args, workspace), size_of::<*mut c_void>()),
        f("workspace_size", offset_of!(truing_controller_args, workspace_size), size_of::<usize>()),
        f("measured", offset_of!(truing_controller_args, measured), size_of::<*const truing_tensor>()),
        f("coef", offset_of!(truing_controller_args, coef), size_of::<*const truing_tensor>()),
        f("params", offset_of!(truing_controller_args, params), size_of::<*const f64>()),
        f("num_params", offset_of!(truing_controller_args, num_params), size_of::<usize>()),
        f("out_coef", offset_of!(truing_controller_args, out_coef), size_of::<*const truing_tensor>()),
        f("out_applied", offset_of!(truing_controller_args, out_applied), size_of::<*const truing_tensor>()),
        f("out_status", offset_of!(truing_controller_args, out_status), size_of::<*const truing_tensor>()),
        f("reserved", offset_of!(truing_controller_args, reserved), size_of::<[u8; 64]>()),
    ];
    const RESERVED: &'static [Field] = &[
        f("reserved_head", offset_of!(truing_controller_args, reserved_head), size_of::<u32>()),
        f("reserved", offset_of!(truing_controller_args, reserved), size_of::<[u8; 64]>()),
    ];
}

/// Every struct: name, size, fields.
pub const STRUCTS: &[(&str, usize, &[Field])] = &[
    (truing_device::NAME, size_of::<truing_device>(), truing_device::FIELDS),
    (truing_dtype::NAME, size_of::<truing_dtype>(), truing_dtype::FIELDS),
    (truing_tensor::NAME, size_of::<truing_tensor>(), truing_tensor::FIELDS),
    (truing_context_options::NAME, size_of::<truing_context_options>(), truing_context_options::FIELDS),
    (truing_param_info::NAME, size_of::<truing_param_info>(), truing_param_info::FIELDS),
    (truing_loss_description::NAME, size_of::<truing_loss_description>(), truing_loss_description::FIELDS),
    (truing_transform::NAME, size_of::<truing_transform>(), truing_transform::FIELDS),
    (truing_head::NAME, size_of::<truing_head>(), truing_head::FIELDS),
    (truing_head_grads::NAME, size_of::<truing_head_grads>(), truing_head_grads::FIELDS),
    (truing_rows::NAME, size_of::<truing_rows>(), truing_rows::FIELDS),
    (truing_shard::NAME, size_of::<truing_shard>(), truing_shard::FIELDS),
    (truing_support::NAME, size_of::<truing_support>(), truing_support::FIELDS),
    (truing_row_loss::NAME, size_of::<truing_row_loss>(), truing_row_loss::FIELDS),
    (truing_figures::NAME, size_of::<truing_figures>(), truing_figures::FIELDS),
    (truing_row_upstream::NAME, size_of::<truing_row_upstream>(), truing_row_upstream::FIELDS),
    (truing_logprob_forward_args::NAME, size_of::<truing_logprob_forward_args>(), truing_logprob_forward_args::FIELDS),
    (truing_logprob_backward_args::NAME, size_of::<truing_logprob_backward_args>(), truing_logprob_backward_args::FIELDS),
    (truing_logprob_local_args::NAME, size_of::<truing_logprob_local_args>(), truing_logprob_local_args::FIELDS),
    (truing_logprob_finish_args::NAME, size_of::<truing_logprob_finish_args>(), truing_logprob_finish_args::FIELDS),
    (truing_linear_logprob_forward_args::NAME, size_of::<truing_linear_logprob_forward_args>(), truing_linear_logprob_forward_args::FIELDS),
    (truing_linear_logprob_backward_args::NAME, size_of::<truing_linear_logprob_backward_args>(), truing_linear_logprob_backward_args::FIELDS),
    (truing_linear_logprob_local_args::NAME, size_of::<truing_linear_logprob_local_args>(), truing_linear_logprob_local_args::FIELDS),
    (truing_support_mask_args::NAME, size_of::<truing_support_mask_args>(), truing_support_mask_args::FIELDS),
    (truing_tds_rows_args::NAME, size_of::<truing_tds_rows_args>(), truing_tds_rows_args::FIELDS),
    (truing_score::NAME, size_of::<truing_score>(), truing_score::FIELDS),
    (truing_sequence_forward_args::NAME, size_of::<truing_sequence_forward_args>(), truing_sequence_forward_args::FIELDS),
    (truing_sequence_backward_args::NAME, size_of::<truing_sequence_backward_args>(), truing_sequence_backward_args::FIELDS),
    (truing_loss::NAME, size_of::<truing_loss>(), truing_loss::FIELDS),
    (truing_groups::NAME, size_of::<truing_groups>(), truing_groups::FIELDS),
    (truing_item_outputs::NAME, size_of::<truing_item_outputs>(), truing_item_outputs::FIELDS),
    (truing_preference_outputs::NAME, size_of::<truing_preference_outputs>(), truing_preference_outputs::FIELDS),
    (truing_preference_term::NAME, size_of::<truing_preference_term>(), truing_preference_term::FIELDS),
    (truing_preference_forward_args::NAME, size_of::<truing_preference_forward_args>(), truing_preference_forward_args::FIELDS),
    (truing_side_term::NAME, size_of::<truing_side_term>(), truing_side_term::FIELDS),
    (truing_linear_preference_args::NAME, size_of::<truing_linear_preference_args>(), truing_linear_preference_args::FIELDS),
    (truing_aggregate::NAME, size_of::<truing_aggregate>(), truing_aggregate::FIELDS),
    (truing_estimator::NAME, size_of::<truing_estimator>(), truing_estimator::FIELDS),
    (truing_policy_term::NAME, size_of::<truing_policy_term>(), truing_policy_term::FIELDS),
    (truing_policy_inputs::NAME, size_of::<truing_policy_inputs>(), truing_policy_inputs::FIELDS),
    (truing_policy_outputs::NAME, size_of::<truing_policy_outputs>(), truing_policy_outputs::FIELDS),
    (truing_policy_forward_args::NAME, size_of::<truing_policy_forward_args>(), truing_policy_forward_args::FIELDS),
    (truing_linear_policy_args::NAME, size_of::<truing_linear_policy_args>(), truing_linear_policy_args::FIELDS),
    (truing_partial::NAME, size_of::<truing_partial>(), truing_partial::FIELDS),
    (truing_divergence_options::NAME, size_of::<truing_divergence_options>(), truing_divergence_options::FIELDS),
    (truing_divergence_outputs::NAME, size_of::<truing_divergence_outputs>(), truing_divergence_outputs::FIELDS),
    (truing_divergence_forward_args::NAME, size_of::<truing_divergence_forward_args>(), truing_divergence_forward_args::FIELDS),
    (truing_divergence_backward_args::NAME, size_of::<truing_divergence_backward_args>(), truing_divergence_backward_args::FIELDS),
    (truing_divergence_local_args::NAME, size_of::<truing_divergence_local_args>(), truing_divergence_local_args::FIELDS),
    (truing_divergence_finish_args::NAME, size_of::<truing_divergence_finish_args>(), truing_divergence_finish_args::FIELDS),
    (truing_linear_divergence_args::NAME, size_of::<truing_linear_divergence_args>(), truing_linear_divergence_args::FIELDS),
    (truing_linear_divergence_local_args::NAME, size_of::<truing_linear_divergence_local_args>(), truing_linear_divergence_local_args::FIELDS),
    (truing_sequence_kl_args::NAME, size_of::<truing_sequence_kl_args>(), truing_sequence_kl_args::FIELDS),
    (truing_kto_baseline_args::NAME, size_of::<truing_kto_baseline_args>(), truing_kto_baseline_args::FIELDS),
    (truing_bco_shift_args::NAME, size_of::<truing_bco_shift_args>(), truing_bco_shift_args::FIELDS),
    (truing_aot_sort_args::NAME, size_of::<truing_aot_sort_args>(), truing_aot_sort_args::FIELDS),
    (truing_beta_dpo_stats_args::NAME, size_of::<truing_beta_dpo_stats_args>(), truing_beta_dpo_stats_args::FIELDS),
    (truing_wpo_weight_args::NAME, size_of::<truing_wpo_weight_args>(), truing_wpo_weight_args::FIELDS),
    (truing_importance_weight_args::NAME, size_of::<truing_importance_weight_args>(), truing_importance_weight_args::FIELDS),
    (truing_rejection_mask_args::NAME, size_of::<truing_rejection_mask_args>(), truing_rejection_mask_args::FIELDS),
    (truing_off_policy_sequence_mask_args::NAME, size_of::<truing_off_policy_sequence_mask_args>(), truing_off_policy_sequence_mask_args::FIELDS),
    (truing_top_entropy_mask_args::NAME, size_of::<truing_top_entropy_mask_args>(), truing_top_entropy_mask_args::FIELDS),
    (truing_cov_select_args::NAME, size_of::<truing_cov_select_args>(), truing_cov_select_args::FIELDS),
    (truing_m2po_mask_args::NAME, size_of::<truing_m2po_mask_args>(), truing_m2po_mask_args::FIELDS),
    (truing_fipo_weight_args::NAME, size_of::<truing_fipo_weight_args>(), truing_fipo_weight_args::FIELDS),
    (truing_item_numbers_args::NAME, size_of::<truing_item_numbers_args>(), truing_item_numbers_args::FIELDS),
    (truing_uld_args::NAME, size_of::<truing_uld_args>(), truing_uld_args::FIELDS),
    (truing_tilt_args::NAME, size_of::<truing_tilt_args>(), truing_tilt_args::FIELDS),
    (truing_renyi_args::NAME, size_of::<truing_renyi_args>(), truing_renyi_args::FIELDS),
    (truing_best_of_n_args::NAME, size_of::<truing_best_of_n_args>(), truing_best_of_n_args::FIELDS),
    (truing_best_of_n_kl_args::NAME, size_of::<truing_best_of_n_kl_args>(), truing_best_of_n_kl_args::FIELDS),
    (truing_head_weights_args::NAME, size_of::<truing_head_weights_args>(), truing_head_weights_args::FIELDS),
    (truing_modpo_margin_args::NAME, size_of::<truing_modpo_margin_args>(), truing_modpo_margin_args::FIELDS),
    (truing_quantile_threshold_args::NAME, size_of::<truing_quantile_threshold_args>(), truing_quantile_threshold_args::FIELDS),
    (truing_a_star_value_args::NAME, size_of::<truing_a_star_value_args>(), truing_a_star_value_args::FIELDS),
    (truing_hindsight_target_args::NAME, size_of::<truing_hindsight_target_args>(), truing_hindsight_target_args::FIELDS),
    (truing_kl_length_figures_args::NAME, size_of::<truing_kl_length_figures_args>(), truing_kl_length_figures_args::FIELDS),
    (truing_ches_args::NAME, size_of::<truing_ches_args>(), truing_ches_args::FIELDS),
    (truing_class_rows_args::NAME, size_of::<truing_class_rows_args>(), truing_class_rows_args::FIELDS),
    (truing_prm_mse_args::NAME, size_of::<truing_prm_mse_args>(), truing_prm_mse_args::FIELDS),
    (truing_preference_orchestrator_args::NAME, size_of::<truing_preference_orchestrator_args>(), truing_preference_orchestrator_args::FIELDS),
    (truing_group_advantage_args::NAME, size_of::<truing_group_advantage_args>(), truing_group_advantage_args::FIELDS),
    (truing_multi_objective_advantage_args::NAME, size_of::<truing_multi_objective_advantage_args>(), truing_multi_objective_advantage_args::FIELDS),
    (truing_gae_args::NAME, size_of::<truing_gae_args>(), truing_gae_args::FIELDS),
    (truing_whiten_args::NAME, size_of::<truing_whiten_args>(), truing_whiten_args::FIELDS),
    (truing_optimal_token_baseline_args::NAME, size_of::<truing_optimal_token_baseline_args>(), truing_optimal_token_baseline_args::FIELDS),
    (truing_prime_advantage_args::NAME, size_of::<truing_prime_advantage_args>(), truing_prime_advantage_args::FIELDS),
    (truing_distill_advantage_args::NAME, size_of::<truing_distill_advantage_args>(), truing_distill_advantage_args::FIELDS),
    (truing_lagrangian_advantage_args::NAME, size_of::<truing_lagrangian_advantage_args>(), truing_lagrangian_advantage_args::FIELDS),
    (truing_pama_scalars_args::NAME, size_of::<truing_pama_scalars_args>(), truing_pama_scalars_args::FIELDS),
    (truing_interval_weights_args::NAME, size_of::<truing_interval_weights_args>(), truing_interval_weights_args::FIELDS),
    (truing_gram_matrix_args::NAME, size_of::<truing_gram_matrix_args>(), truing_gram_matrix_args::FIELDS),
    (truing_min_norm_weights_args::NAME, size_of::<truing_min_norm_weights_args>(), truing_min_norm_weights_args::FIELDS),
    (truing_token_reward_args::NAME, size_of::<truing_token_reward_args>(), truing_token_reward_args::FIELDS),
    (truing_controller_args::NAME, size_of::<truing_controller_args>(), truing_controller_args::FIELDS),
];

/// Every constant: name and value.
pub const CONSTANTS: &[(&str, i64)] = &[
    ("TRUING_ABI_VERSION", TRUING_ABI_VERSION as i64),
    ("TRUING_STATUS_OK", TRUING_STATUS_OK as i64),
    ("TRUING_STATUS_INVALID_ARGUMENT", TRUING_STATUS_INVALID_ARGUMENT as i64),
    ("TRUING_STATUS_SHAPE_MISMATCH", TRUING_STATUS_SHAPE_MISMATCH as i64),
    ("TRUING_STATUS_UNSUPPORTED_DTYPE", TRUING_STATUS_UNSUPPORTED_DTYPE as i64),
    ("TRUING_STATUS_UNSUPPORTED_DEVICE", TRUING_STATUS_UNSUPPORTED_DEVICE as i64),
    ("TRUING_STATUS_OUT_OF_RANGE", TRUING_STATUS_OUT_OF_RANGE as i64),
    ("TRUING_STATUS_ALIASING", TRUING_STATUS_ALIASING as i64),
    ("TRUING_STATUS_WORKSPACE_TOO_SMALL", TRUING_STATUS_WORKSPACE_TOO_SMALL as i64),
    ("TRUING_STATUS_NO_DEVICE", TRUING_STATUS_NO_DEVICE as i64),
    ("TRUING_STATUS_LAUNCH_FAILED", TRUING_STATUS_LAUNCH_FAILED as i64),
    ("TRUING_STATUS_ABI_MISMATCH", TRUING_STATUS_ABI_MISMATCH as i64),
    ("TRUING_STATUS_INTERNAL", TRUING_STATUS_INTERNAL as i64),
    ("TRUING_ROW_IGNORED", TRUING_ROW_IGNORED as i64),
    ("TRUING_ROW_NAN_INPUT", TRUING_ROW_NAN_INPUT as i64),
    ("TRUING_ROW_INF_INPUT", TRUING_ROW_INF_INPUT as i64),
    ("TRUING_ROW_TARGET_NEG_INF", TRUING_ROW_TARGET_NEG_INF as i64),
    ("TRUING_ROW_ALL_NEG_INF", TRUING_ROW_ALL_NEG_INF as i64),
    ("TRUING_ROW_OUT_OF_RANGE", TRUING_ROW_OUT_OF_RANGE as i64),
    ("TRUING_ROW_TARGET_OUTSIDE", TRUING_ROW_TARGET_OUTSIDE as i64),
    ("TRUING_ROW_EMPTY", TRUING_ROW_EMPTY as i64),
    ("TRUING_ROW_OVERFLOW", TRUING_ROW_OVERFLOW as i64),
    ("TRUING_ROW_SATURATED", TRUING_ROW_SATURATED as i64),
    ("TRUING_ROW_INFINITE", TRUING_ROW_INFINITE as i64),
    ("TRUING_ROW_DEGENERATE", TRUING_ROW_DEGENERATE as i64),
    ("TRUING_ROW_NEG_INF_CANCEL", TRUING_ROW_NEG_INF_CANCEL as i64),
    ("TRUING_DEVICE_CPU", TRUING_DEVICE_CPU as i64),
    ("TRUING_DEVICE_CUDA", TRUING_DEVICE_CUDA as i64),
    ("TRUING_DEVICE_CUDA_HOST", TRUING_DEVICE_CUDA_HOST as i64),
    ("TRUING_DEVICE_CUDA_MANAGED", TRUING_DEVICE_CUDA_MANAGED as i64),
    ("TRUING_DTYPE_INT", TRUING_DTYPE_INT as i64),
    ("TRUING_DTYPE_UINT", TRUING_DTYPE_UINT as i64),
    ("TRUING_DTYPE_FLOAT", TRUING_DTYPE_FLOAT as i64),
    ("TRUING_DTYPE_BFLOAT", TRUING_DTYPE_BFLOAT as i64),
    ("TRUING_DTYPE_BOOL", TRUING_DTYPE_BOOL as i64),
    ("TRUING_MODE_PORTABLE", TRUING_MODE_PORTABLE as i64),
    ("TRUING_MODE_FAST", TRUING_MODE_FAST as i64),
    ("TRUING_ISA_BASELINE", TRUING_ISA_BASELINE as i64),
    ("TRUING_ISA_AVX2", TRUING_ISA_AVX2 as i64),
    ("TRUING_ISA_AVX512", TRUING_ISA_AVX512 as i64),
    ("TRUING_ISA_NEON", TRUING_ISA_NEON as i64),
    ("TRUING_ISA_AVX512_BF16", TRUING_ISA_AVX512_BF16 as i64),
    ("TRUING_KIND_PAIR", TRUING_KIND_PAIR as i64),
    ("TRUING_KIND_UNPAIRED", TRUING_KIND_UNPAIRED as i64),
    ("TRUING_KIND_LIST", TRUING_KIND_LIST as i64),
    ("TRUING_KIND_TOKEN", TRUING_KIND_TOKEN as i64),
    ("TRUING_KIND_SEQUENCE", TRUING_KIND_SEQUENCE as i64),
    ("TRUING_KIND_ESTIMATOR", TRUING_KIND_ESTIMATOR as i64),
    ("TRUING_SLOT_LOGP", TRUING_SLOT_LOGP as i64),
    ("TRUING_SLOT_REF", TRUING_SLOT_REF as i64),
    ("TRUING_SLOT_LENGTH", TRUING_SLOT_LENGTH as i64),
    ("TRUING_SLOT_KL", TRUING_SLOT_KL as i64),
    ("TRUING_SLOT_MARGIN", TRUING_SLOT_MARGIN as i64),
    ("TRUING_SLOT_ANCHOR", TRUING_SLOT_ANCHOR as i64),
    ("TRUING_SLOT_BETA", TRUING_SLOT_BETA as i64),
    ("TRUING_SLOT_LABEL", TRUING_SLOT_LABEL as i64),
    ("TRUING_SLOT_BASELINE", TRUING_SLOT_BASELINE as i64),
    ("TRUING_SLOT_SHIFT", TRUING_SLOT_SHIFT as i64),
    ("TRUING_SLOT_LIST_TARGET", TRUING_SLOT_LIST_TARGET as i64),
    ("TRUING_SLOT_OLD", TRUING_SLOT_OLD as i64),
    ("TRUING_SLOT_SAMPLER", TRUING_SLOT_SAMPLER as i64),
    ("TRUING_SLOT_ADVANTAGE", TRUING_SLOT_ADVANTAGE as i64),
    ("TRUING_SLOT_ENTROPY", TRUING_SLOT_ENTROPY as i64),
    ("TRUING_SLOT_FLAG", TRUING_SLOT_FLAG as i64),
    ("TRUING_SLOT_LOG_Z", TRUING_SLOT_LOG_Z as i64),
    ("TRUING_SLOT_IMPORTANCE", TRUING_SLOT_IMPORTANCE as i64),
    ("TRUING_SLOT_WEIGHT", TRUING_SLOT_WEIGHT as i64),
    ("TRUING_HAS_IGNORE_INDEX", TRUING_HAS_IGNORE_INDEX as i64),
    ("TRUING_STRICT", TRUING_STRICT as i64),
    ("TRUING_RECOMPUTE", TRUING_RECOMPUTE as i64),
    ("TRUING_ACCUMULATE_HIDDEN", TRUING_ACCUMULATE_HIDDEN as i64),
    ("TRUING_ACCUMULATE_WEIGHT", TRUING_ACCUMULATE_WEIGHT as i64),
    ("TRUING_ACCUMULATE_GRADS", TRUING_ACCUMULATE_GRADS as i64),
    ("TRUING_SKIP_FLAGGED", TRUING_SKIP_FLAGGED as i64),
    ("TRUING_LD_POLICY_ONLY", TRUING_LD_POLICY_ONLY as i64),
    ("TRUING_HAS_CLAMP", TRUING_HAS_CLAMP as i64),
    ("TRUING_LOSSY_DROP", TRUING_LOSSY_DROP as i64),
    ("TRUING_TEMPERATURE_SQUARED", TRUING_TEMPERATURE_SQUARED as i64),
    ("TRUING_CLAMP_AT_ZERO", TRUING_CLAMP_AT_ZERO as i64),
    ("TRUING_HAS_GRAD_SCALE", TRUING_HAS_GRAD_SCALE as i64),
    ("TRUING_HAS_SOFT_WEIGHT", TRUING_HAS_SOFT_WEIGHT as i64),
    ("TRUING_RECORD_SUMS", TRUING_RECORD_SUMS as i64),
    ("TRUING_ROUND_NONE", TRUING_ROUND_NONE as i64),
    ("TRUING_ROUND_BF16", TRUING_ROUND_BF16 as i64),
    ("TRUING_ROUND_F16", TRUING_ROUND_F16 as i64),
    ("TRUING_SUPPORT_BITMASK", TRUING_SUPPORT_BITMASK as i64),
    ("TRUING_SUPPORT_IDS", TRUING_SUPPORT_IDS as i64),
    ("TRUING_SUPPORT_COMPUTED", TRUING_SUPPORT_COMPUTED as i64),
    ("TRUING_FILTER_VLLM", TRUING_FILTER_VLLM as i64),
    ("TRUING_FILTER_HF", TRUING_FILTER_HF as i64),
    ("TRUING_FILTER_SGLANG", TRUING_FILTER_SGLANG as i64),
    ("TRUING_TIES_INDEX", TRUING_TIES_INDEX as i64),
    ("TRUING_TIES_ALL", TRUING_TIES_ALL as i64),
    ("TRUING_TOP_P_STRICT", TRUING_TOP_P_STRICT as i64),
    ("TRUING_TOP_P_INCLUSIVE", TRUING_TOP_P_INCLUSIVE as i64),
    ("TRUING_TARGET_KEEP", TRUING_TARGET_KEEP as i64),
    ("TRUING_TARGET_NEG_INF", TRUING_TARGET_NEG_INF as i64),
    ("TRUING_SMOOTHING_TORCH", TRUING_SMOOTHING_TORCH as i64),
    ("TRUING_SMOOTHING_MEGATRON", TRUING_SMOOTHING_MEGATRON as i64),
    ("TRUING_SCALING_NONE", TRUING_SCALING_NONE as i64),
    ("TRUING_SCALING_DFT", TRUING_SCALING_DFT as i64),
    ("TRUING_SCALING_CHORD_PHI", TRUING_SCALING_CHORD_PHI as i64),
    ("TRUING_SCALING_EAFT", TRUING_SCALING_EAFT as i64),
    ("TRUING_SCALING_EAFT_RAW", TRUING_SCALING_EAFT_RAW as i64),
    ("TRUING_SCALING_EXTERNAL", TRUING_SCALING_EXTERNAL as i64),
    ("TRUING_REDUCE_NONE", TRUING_REDUCE_NONE as i64),
    ("TRUING_REDUCE_SUM", TRUING_REDUCE_SUM as i64),
    ("TRUING_REDUCE_MEAN", TRUING_REDUCE_MEAN as i64),
    ("TRUING_REDUCE_WEIGHTED_MEAN", TRUING_REDUCE_WEIGHTED_MEAN as i64),
    ("TRUING_STATS_WIDTH", TRUING_STATS_WIDTH as i64),
    ("TRUING_PAIR_STATS_WIDTH", TRUING_PAIR_STATS_WIDTH as i64),
    ("TRUING_DIVERGENCE_FORWARD_KL", TRUING_DIVERGENCE_FORWARD_KL as i64),
    ("TRUING_DIVERGENCE_REVERSE_KL", TRUING_DIVERGENCE_REVERSE_KL as i64),
    ("TRUING_DIVERGENCE_MIXED_KL", TRUING_DIVERGENCE_MIXED_KL as i64),
    ("TRUING_DIVERGENCE_JEFFREYS", TRUING_DIVERGENCE_JEFFREYS as i64),
    ("TRUING_DIVERGENCE_JSD", TRUING_DIVERGENCE_JSD as i64),
    ("TRUING_DIVERGENCE_SKEW_KL", TRUING_DIVERGENCE_SKEW_KL as i64),
    ("TRUING_DIVERGENCE_SKEW_REVERSE_KL", TRUING_DIVERGENCE_SKEW_REVERSE_KL as i64),
    ("TRUING_DIVERGENCE_RENYI", TRUING_DIVERGENCE_RENYI as i64),
    ("TRUING_DIVERGENCE_ALPHA", TRUING_DIVERGENCE_ALPHA as i64),
    ("TRUING_DIVERGENCE_HELLINGER2", TRUING_DIVERGENCE_HELLINGER2 as i64),
    ("TRUING_DIVERGENCE_CHI2", TRUING_DIVERGENCE_CHI2 as i64),
    ("TRUING_DIVERGENCE_CHI2_REVERSE", TRUING_DIVERGENCE_CHI2_REVERSE as i64),
    ("TRUING_DIVERGENCE_TVD", TRUING_DIVERGENCE_TVD as i64),
    ("TRUING_DIVERGENCE_COSINE_PROBS", TRUING_DIVERGENCE_COSINE_PROBS as i64),
    ("TRUING_DIVERGENCE_COSINE_LOGITS", TRUING_DIVERGENCE_COSINE_LOGITS as i64),
    ("TRUING_DIVERGENCE_CROSS_ENTROPY", TRUING_DIVERGENCE_CROSS_ENTROPY as i64),
    ("TRUING_DIVERGENCE_REVERSE_CROSS_ENTROPY", TRUING_DIVERGENCE_REVERSE_CROSS_ENTROPY as i64),
    ("TRUING_LOCAL_RECORDS", TRUING_LOCAL_RECORDS as i64),
    ("TRUING_LOCAL_COUNTS", TRUING_LOCAL_COUNTS as i64),
    ("TRUING_LOCAL_VALUES", TRUING_LOCAL_VALUES as i64),
    ("TRUING_SCORE_SUM", TRUING_SCORE_SUM as i64),
    ("TRUING_SCORE_MEAN", TRUING_SCORE_MEAN as i64),
    ("TRUING_SCORE_LD", TRUING_SCORE_LD as i64),
    ("TRUING_DIVISOR_TOKENS", TRUING_DIVISOR_TOKENS as i64),
    ("TRUING_DIVISOR_WEIGHTS", TRUING_DIVISOR_WEIGHTS as i64),
    ("TRUING_DIVISOR_EXTERNAL", TRUING_DIVISOR_EXTERNAL as i64),
    ("TRUING_MAP_IDENTITY", TRUING_MAP_IDENTITY as i64),
    ("TRUING_MAP_JS", TRUING_MAP_JS as i64),
    ("TRUING_MAP_ALPHA", TRUING_MAP_ALPHA as i64),
    ("TRUING_MAP_FORWARD_KL", TRUING_MAP_FORWARD_KL as i64),
    ("TRUING_LOSS_HAS_WEIGHT", TRUING_LOSS_HAS_WEIGHT as i64),
    ("TRUING_LAYOUT_INDEXED", TRUING_LAYOUT_INDEXED as i64),
    ("TRUING_LAYOUT_INTERLEAVED", TRUING_LAYOUT_INTERLEAVED as i64),
    ("TRUING_LAYOUT_STACKED", TRUING_LAYOUT_STACKED as i64),
    ("TRUING_PREFERENCE_STAT_ITEMS", TRUING_PREFERENCE_STAT_ITEMS as i64),
    ("TRUING_PREFERENCE_STAT_WEIGHT_SUM", TRUING_PREFERENCE_STAT_WEIGHT_SUM as i64),
    ("TRUING_PREFERENCE_STAT_LOSS_SUM", TRUING_PREFERENCE_STAT_LOSS_SUM as i64),
    ("TRUING_PREFERENCE_STAT_REWARD_CHOSEN_SUM", TRUING_PREFERENCE_STAT_REWARD_CHOSEN_SUM as i64),
    ("TRUING_PREFERENCE_STAT_REWARD_REJECTED_SUM", TRUING_PREFERENCE_STAT_REWARD_REJECTED_SUM as i64),
    ("TRUING_PREFERENCE_STAT_CORRECT", TRUING_PREFERENCE_STAT_CORRECT as i64),
    ("TRUING_PREFERENCE_STAT_DIVISOR", TRUING_PREFERENCE_STAT_DIVISOR as i64),
    ("TRUING_PREFERENCE_STAT_COUNT", TRUING_PREFERENCE_STAT_COUNT as i64),
    ("TRUING_PHASE_SINGLE", TRUING_PHASE_SINGLE as i64),
    ("TRUING_PHASE_FIGURES", TRUING_PHASE_FIGURES as i64),
    ("TRUING_PHASE_WITH_COEFFICIENTS", TRUING_PHASE_WITH_COEFFICIENTS as i64),
    ("TRUING_SIDE_DIVISOR_POOLED", TRUING_SIDE_DIVISOR_POOLED as i64),
    ("TRUING_SIDE_DIVISOR_ROW_MEAN", TRUING_SIDE_DIVISOR_ROW_MEAN as i64),
    ("TRUING_SIDE_DIVISOR_EXTERNAL", TRUING_SIDE_DIVISOR_EXTERNAL as i64),
    ("TRUING_SIDE_DIVISOR_ITEM_SUM", TRUING_SIDE_DIVISOR_ITEM_SUM as i64),
    ("TRUING_SIDE_CHOSEN", TRUING_SIDE_CHOSEN as i64),
    ("TRUING_SIDE_ANCHOR", TRUING_SIDE_ANCHOR as i64),
    ("TRUING_SIDE_MASKED", TRUING_SIDE_MASKED as i64),
    ("TRUING_WPO_TRL", TRUING_WPO_TRL as i64),
    ("TRUING_WPO_PLAIN", TRUING_WPO_PLAIN as i64),
    ("TRUING_LEVEL_TOKEN", TRUING_LEVEL_TOKEN as i64),
    ("TRUING_LEVEL_SEQUENCE", TRUING_LEVEL_SEQUENCE as i64),
    ("TRUING_AGGREGATE_TOKEN_MEAN", TRUING_AGGREGATE_TOKEN_MEAN as i64),
    ("TRUING_AGGREGATE_SEQ_MEAN_TOKEN_MEAN", TRUING_AGGREGATE_SEQ_MEAN_TOKEN_MEAN as i64),
    ("TRUING_AGGREGATE_SEQ_MEAN_TOKEN_SUM", TRUING_AGGREGATE_SEQ_MEAN_TOKEN_SUM as i64),
    ("TRUING_AGGREGATE_SEQ_MEAN_TOKEN_SUM_NORM", TRUING_AGGREGATE_SEQ_MEAN_TOKEN_SUM_NORM as i64),
    ("TRUING_AGGREGATE_TOKEN_SUM", TRUING_AGGREGATE_TOKEN_SUM as i64),
    ("TRUING_AGGREGATE_SEQ_MEAN", TRUING_AGGREGATE_SEQ_MEAN as i64),
    ("TRUING_AGGREGATE_WEIGHTED_MEAN", TRUING_AGGREGATE_WEIGHTED_MEAN as i64),
    ("TRUING_AGGREGATE_NONE", TRUING_AGGREGATE_NONE as i64),
    ("TRUING_COUNT_ALL", TRUING_COUNT_ALL as i64),
    ("TRUING_COUNT_NONEMPTY", TRUING_COUNT_NONEMPTY as i64),
    ("TRUING_DENOMINATOR_ORIGINAL", TRUING_DENOMINATOR_ORIGINAL as i64),
    ("TRUING_DENOMINATOR_KEPT", TRUING_DENOMINATOR_KEPT as i64),
    ("TRUING_DENOMINATOR_WEIGHTS", TRUING_DENOMINATOR_WEIGHTS as i64),
    ("TRUING_ESTIMATOR_ONE", TRUING_ESTIMATOR_ONE as i64),
    ("TRUING_ESTIMATOR_SCORE", TRUING_ESTIMATOR_SCORE as i64),
    ("TRUING_ESTIMATOR_RATIO", TRUING_ESTIMATOR_RATIO as i64),
    ("TRUING_ESTIMATOR_RATIO_SEQUENCE", TRUING_ESTIMATOR_RATIO_SEQUENCE as i64),
    ("TRUING_GRADIENT_PATHWISE", TRUING_GRADIENT_PATHWISE as i64),
    ("TRUING_GRADIENT_STRAIGHT_THROUGH", TRUING_GRADIENT_STRAIGHT_THROUGH as i64),
    ("TRUING_GRADIENT_STRAIGHT_THROUGH_RATIO", TRUING_GRADIENT_STRAIGHT_THROUGH_RATIO as i64),
    ("TRUING_CLAMP_LINEAR", TRUING_CLAMP_LINEAR as i64),
    ("TRUING_CLAMP_ZERO_GRADIENT", TRUING_CLAMP_ZERO_GRADIENT as i64),
    ("TRUING_KL_AFTER_WEIGHT", TRUING_KL_AFTER_WEIGHT as i64),
    ("TRUING_KL_BEFORE_WEIGHT", TRUING_KL_BEFORE_WEIGHT as i64),
    ("TRUING_RATIO_OLD", TRUING_RATIO_OLD as i64),
    ("TRUING_RATIO_SAMPLER", TRUING_RATIO_SAMPLER as i64),
    ("TRUING_POLICY_STAT_TOKENS", TRUING_POLICY_STAT_TOKENS as i64),
    ("TRUING_POLICY_STAT_KEPT_TOKENS", TRUING_POLICY_STAT_KEPT_TOKENS as i64),
    ("TRUING_POLICY_STAT_SEQUENCES", TRUING_POLICY_STAT_SEQUENCES as i64),
    ("TRUING_POLICY_STAT_CLIP_LOW", TRUING_POLICY_STAT_CLIP_LOW as i64),
    ("TRUING_POLICY_STAT_CLIP_HIGH", TRUING_POLICY_STAT_CLIP_HIGH as i64),
    ("TRUING_POLICY_STAT_CLIP_DUAL", TRUING_POLICY_STAT_CLIP_DUAL as i64),
    ("TRUING_POLICY_STAT_RATIO_SUM", TRUING_POLICY_STAT_RATIO_SUM as i64),
    ("TRUING_POLICY_STAT_LOG_RATIO_MIN", TRUING_POLICY_STAT_LOG_RATIO_MIN as i64),
    ("TRUING_POLICY_STAT_LOG_RATIO_MAX", TRUING_POLICY_STAT_LOG_RATIO_MAX as i64),
    ("TRUING_POLICY_STAT_K1_SUM", TRUING_POLICY_STAT_K1_SUM as i64),
    ("TRUING_POLICY_STAT_K3_SUM", TRUING_POLICY_STAT_K3_SUM as i64),
    ("TRUING_POLICY_STAT_ENTROPY_SUM", TRUING_POLICY_STAT_ENTROPY_SUM as i64),
    ("TRUING_POLICY_STAT_WEIGHT_SUM", TRUING_POLICY_STAT_WEIGHT_SUM as i64),
    ("TRUING_POLICY_STAT_WEIGHT_SQ_SUM", TRUING_POLICY_STAT_WEIGHT_SQ_SUM as i64),
    ("TRUING_POLICY_STAT_KL_SUM", TRUING_POLICY_STAT_KL_SUM as i64),
    ("TRUING_POLICY_STAT_LOSS_SUM", TRUING_POLICY_STAT_LOSS_SUM as i64),
    ("TRUING_POLICY_STAT_DENOMINATOR", TRUING_POLICY_STAT_DENOMINATOR as i64),
    ("TRUING_POLICY_STAT_COUNT", TRUING_POLICY_STAT_COUNT as i64),
    ("TRUING_JSD_PEER", TRUING_JSD_PEER as i64),
    ("TRUING_JSD_CONTINUOUS", TRUING_JSD_CONTINUOUS as i64),
    ("TRUING_JSD_SCALED", TRUING_JSD_SCALED as i64),
    ("TRUING_TEACHER_LOGITS", TRUING_TEACHER_LOGITS as i64),
    ("TRUING_TEACHER_LOGPROBS", TRUING_TEACHER_LOGPROBS as i64),
    ("TRUING_TEACHER_PROBS", TRUING_TEACHER_PROBS as i64),
    ("TRUING_TEACHER_TOPK_LOGPROBS", TRUING_TEACHER_TOPK_LOGPROBS as i64),
    ("TRUING_TEACHER_TOPK_LOGITS", TRUING_TEACHER_TOPK_LOGITS as i64),
    ("TRUING_TEACHER_SAMPLES", TRUING_TEACHER_SAMPLES as i64),
    ("TRUING_PARTIAL_TEACHER", TRUING_PARTIAL_TEACHER as i64),
    ("TRUING_PARTIAL_STUDENT", TRUING_PARTIAL_STUDENT as i64),
    ("TRUING_PARTIAL_REFERENCE", TRUING_PARTIAL_REFERENCE as i64),
    ("TRUING_PARTIAL_UNION", TRUING_PARTIAL_UNION as i64),
    ("TRUING_PARTIAL_GIVEN", TRUING_PARTIAL_GIVEN as i64),
    ("TRUING_OUTSIDE_RENORMALISE", TRUING_OUTSIDE_RENORMALISE as i64),
    ("TRUING_OUTSIDE_TAIL", TRUING_OUTSIDE_TAIL as i64),
    ("TRUING_OUTSIDE_ZERO", TRUING_OUTSIDE_ZERO as i64),
    ("TRUING_OUTSIDE_RAW", TRUING_OUTSIDE_RAW as i64),
    ("TRUING_SHIFT_BALANCED", TRUING_SHIFT_BALANCED as i64),
    ("TRUING_SHIFT_POOLED", TRUING_SHIFT_POOLED as i64),
    ("TRUING_SHIFT_PER_STEP", TRUING_SHIFT_PER_STEP as i64),
    ("TRUING_AOT_PAIRED", TRUING_AOT_PAIRED as i64),
    ("TRUING_AOT_UNPAIRED", TRUING_AOT_UNPAIRED as i64),
    ("TRUING_WEIGHT_LEVEL_TOKEN", TRUING_WEIGHT_LEVEL_TOKEN as i64),
    ("TRUING_WEIGHT_LEVEL_SEQUENCE_SUM", TRUING_WEIGHT_LEVEL_SEQUENCE_SUM as i64),
    ("TRUING_WEIGHT_LEVEL_SEQUENCE_MEAN", TRUING_WEIGHT_LEVEL_SEQUENCE_MEAN as i64),
    ("TRUING_WEIGHT_RAW", TRUING_WEIGHT_RAW as i64),
    ("TRUING_WEIGHT_TRUNCATE", TRUING_WEIGHT_TRUNCATE as i64),
    ("TRUING_WEIGHT_MASK", TRUING_WEIGHT_MASK as i64),
    ("TRUING_MISSING_ONE", TRUING_MISSING_ONE as i64),
    ("TRUING_MISSING_ZERO", TRUING_MISSING_ZERO as i64),
    ("TRUING_MISSING_ERROR", TRUING_MISSING_ERROR as i64),
    ("TRUING_NORMALISE_TOKEN_MEAN", TRUING_NORMALISE_TOKEN_MEAN as i64),
    ("TRUING_NORMALISE_SEQUENCE_MEAN", TRUING_NORMALISE_SEQUENCE_MEAN as i64),
    ("TRUING_REJECTION_RATIO", TRUING_REJECTION_RATIO as i64),
    ("TRUING_REJECTION_K1", TRUING_REJECTION_K1 as i64),
    ("TRUING_REJECTION_K2", TRUING_REJECTION_K2 as i64),
    ("TRUING_REJECTION_K3", TRUING_REJECTION_K3 as i64),
    ("TRUING_REJECTION_BINARY_KL", TRUING_REJECTION_BINARY_KL as i64),
    ("TRUING_REJECTION_TV", TRUING_REJECTION_TV as i64),
    ("TRUING_SPAN_TOKEN", TRUING_SPAN_TOKEN as i64),
    ("TRUING_SPAN_SEQUENCE_SUM", TRUING_SPAN_SEQUENCE_SUM as i64),
    ("TRUING_SPAN_SEQUENCE_MEAN", TRUING_SPAN_SEQUENCE_MEAN as i64),
    ("TRUING_SPAN_SEQUENCE_MAX", TRUING_SPAN_SEQUENCE_MAX as i64),
    ("TRUING_COV_KL", TRUING_COV_KL as i64),
    ("TRUING_COV_CLIP", TRUING_COV_CLIP as i64),
    ("TRUING_ITEM_PROBABILITY", TRUING_ITEM_PROBABILITY as i64),
    ("TRUING_ITEM_LOGIT", TRUING_ITEM_LOGIT as i64),
    ("TRUING_ITEM_DIFFERENCE", TRUING_ITEM_DIFFERENCE as i64),
    ("TRUING_ITEM_RATIO", TRUING_ITEM_RATIO as i64),
    ("TRUING_VALUE_LOG_MEAN_EXP", TRUING_VALUE_LOG_MEAN_EXP as i64),
    ("TRUING_VALUE_MEAN", TRUING_VALUE_MEAN as i64),
    ("TRUING_VALUE_MAX", TRUING_VALUE_MAX as i64),
    ("TRUING_VALUE_ZERO", TRUING_VALUE_ZERO as i64),
    ("TRUING_KL_FIGURE_SEQUENCES", TRUING_KL_FIGURE_SEQUENCES as i64),
    ("TRUING_KL_FIGURE_TOKENS", TRUING_KL_FIGURE_TOKENS as i64),
    ("TRUING_KL_FIGURE_K1_PER_SEQUENCE", TRUING_KL_FIGURE_K1_PER_SEQUENCE as i64),
    ("TRUING_KL_FIGURE_K1_PER_TOKEN", TRUING_KL_FIGURE_K1_PER_TOKEN as i64),
    ("TRUING_KL_FIGURE_K1_MEAN_OF_MEANS", TRUING_KL_FIGURE_K1_MEAN_OF_MEANS as i64),
    ("TRUING_KL_FIGURE_K3_PER_SEQUENCE", TRUING_KL_FIGURE_K3_PER_SEQUENCE as i64),
    ("TRUING_KL_FIGURE_K3_PER_TOKEN", TRUING_KL_FIGURE_K3_PER_TOKEN as i64),
    ("TRUING_KL_FIGURE_K3_MEAN_OF_MEANS", TRUING_KL_FIGURE_K3_MEAN_OF_MEANS as i64),
    ("TRUING_KL_FIGURE_LENGTH_MEAN", TRUING_KL_FIGURE_LENGTH_MEAN as i64),
    ("TRUING_KL_FIGURE_LENGTH_STD", TRUING_KL_FIGURE_LENGTH_STD as i64),
    ("TRUING_KL_FIGURE_LENGTH_STD_SAMPLE", TRUING_KL_FIGURE_LENGTH_STD_SAMPLE as i64),
    ("TRUING_KL_FIGURE_LENGTH_MIN", TRUING_KL_FIGURE_LENGTH_MIN as i64),
    ("TRUING_KL_FIGURE_LENGTH_MAX", TRUING_KL_FIGURE_LENGTH_MAX as i64),
    ("TRUING_KL_FIGURE_COUNT", TRUING_KL_FIGURE_COUNT as i64),
    ("TRUING_CLASS_MEAN", TRUING_CLASS_MEAN as i64),
    ("TRUING_CLASS_SUM", TRUING_CLASS_SUM as i64),
    ("TRUING_DIRECTION_TARGET_TO_WEIGHTS", TRUING_DIRECTION_TARGET_TO_WEIGHTS as i64),
    ("TRUING_DIRECTION_WEIGHTS_TO_TARGET", TRUING_DIRECTION_WEIGHTS_TO_TARGET as i64),
    ("TRUING_ADVANTAGE_GRPO", TRUING_ADVANTAGE_GRPO as i64),
    ("TRUING_ADVANTAGE_GRPO_BATCH_STD", TRUING_ADVANTAGE_GRPO_BATCH_STD as i64),
    ("TRUING_ADVANTAGE_DR_GRPO", TRUING_ADVANTAGE_DR_GRPO as i64),
    ("TRUING_ADVANTAGE_RLOO", TRUING_ADVANTAGE_RLOO as i64),
    ("TRUING_ADVANTAGE_GRPO_LOO", TRUING_ADVANTAGE_GRPO_LOO as i64),
    ("TRUING_ADVANTAGE_BATCH_BASELINE", TRUING_ADVANTAGE_BATCH_BASELINE as i64),
    ("TRUING_ADVANTAGE_OPO", TRUING_ADVANTAGE_OPO as i64),
    ("TRUING_ADVANTAGE_GPG", TRUING_ADVANTAGE_GPG as i64),
    ("TRUING_ADVANTAGE_MAX_RL", TRUING_ADVANTAGE_MAX_RL as i64),
    ("TRUING_ADVANTAGE_RAW", TRUING_ADVANTAGE_RAW as i64),
    ("TRUING_BASELINE_NONE", TRUING_BASELINE_NONE as i64),
    ("TRUING_BASELINE_GROUP", TRUING_BASELINE_GROUP as i64),
    ("TRUING_BASELINE_LEAVE_ONE_OUT", TRUING_BASELINE_LEAVE_ONE_OUT as i64),
    ("TRUING_BASELINE_BATCH", TRUING_BASELINE_BATCH as i64),
    ("TRUING_BASELINE_LENGTH_WEIGHTED", TRUING_BASELINE_LENGTH_WEIGHTED as i64),
    ("TRUING_SCALE_NONE", TRUING_SCALE_NONE as i64),
    ("TRUING_SCALE_GROUP_STD", TRUING_SCALE_GROUP_STD as i64),
    ("TRUING_SCALE_BATCH_STD", TRUING_SCALE_BATCH_STD as i64),
    ("TRUING_SCALE_LEAVE_ONE_OUT_STD", TRUING_SCALE_LEAVE_ONE_OUT_STD as i64),
    ("TRUING_SCALE_GROUP_MEAN", TRUING_SCALE_GROUP_MEAN as i64),
    ("TRUING_SCALE_NONZERO_SHARE", TRUING_SCALE_NONZERO_SHARE as i64),
    ("TRUING_STD_UNBIASED", TRUING_STD_UNBIASED as i64),
    ("TRUING_STD_POPULATION", TRUING_STD_POPULATION as i64),
    ("TRUING_EPS_ADD", TRUING_EPS_ADD as i64),
    ("TRUING_EPS_SKIP_ZERO", TRUING_EPS_SKIP_ZERO as i64),
    ("TRUING_EPS_VARIANCE_ADD", TRUING_EPS_VARIANCE_ADD as i64),
    ("TRUING_EPS_VARIANCE_MAX", TRUING_EPS_VARIANCE_MAX as i64),
    ("TRUING_SINGLE_ZERO", TRUING_SINGLE_ZERO as i64),
    ("TRUING_SINGLE_RAW", TRUING_SINGLE_RAW as i64),
    ("TRUING_ORDER_SUM_FIRST", TRUING_ORDER_SUM_FIRST as i64),
    ("TRUING_ORDER_NORMALISE_FIRST", TRUING_ORDER_NORMALISE_FIRST as i64),
    ("TRUING_BATCH_STEP_NONE", TRUING_BATCH_STEP_NONE as i64),
    ("TRUING_BATCH_STEP_STANDARDISE", TRUING_BATCH_STEP_STANDARDISE as i64),
    ("TRUING_BATCH_STEP_SCALE", TRUING_BATCH_STEP_SCALE as i64),
    ("TRUING_MASKS_CARRY", TRUING_MASKS_CARRY as i64),
    ("TRUING_MASKS_ZERO", TRUING_MASKS_ZERO as i64),
    ("TRUING_MASKS_IGNORE", TRUING_MASKS_IGNORE as i64),
    ("TRUING_ALIGNMENT_POSITION", TRUING_ALIGNMENT_POSITION as i64),
    ("TRUING_ALIGNMENT_LIVE_INDEX", TRUING_ALIGNMENT_LIVE_INDEX as i64),
    ("TRUING_DISTILL_OPD", TRUING_DISTILL_OPD as i64),
    ("TRUING_DISTILL_IW_OPD", TRUING_DISTILL_IW_OPD as i64),
    ("TRUING_DISTILL_RLSD", TRUING_DISTILL_RLSD as i64),
    ("TRUING_DISTILL_MINILLM", TRUING_DISTILL_MINILLM as i64),
    ("TRUING_GRANULARITY_BATCH", TRUING_GRANULARITY_BATCH as i64),
    ("TRUING_GRANULARITY_SEQUENCE", TRUING_GRANULARITY_SEQUENCE as i64),
    ("TRUING_GRANULARITY_TOKEN", TRUING_GRANULARITY_TOKEN as i64),
];
