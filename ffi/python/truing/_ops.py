"""The operations. Every keyword is a field of the C struct of the same name (`include/truing.h` has the full text);
left out, it stays 0 or NULL, and the library says what that means.

Outputs are asked for with True (a new array of the caller's library) or with a place to write to, and come back as
attributes of one result object.

CUDA tensors (of torch, CuPy, or anything with `__cuda_array_interface__` or DLPack) are worked on where they lie, on `stream`
(a handle, or a stream of torch or CuPy): torch's current stream if it is left out, else the array's own, else the default
stream. Nothing is waited for. Who names a stream sees to it that the arrays are ready on it; numbers in place of tensors lie in
memory of the CPU and do not go with CUDA tensors; an array that does not say on which device it lies is taken to lie on number 0.
"""

import ctypes

from . import _abi, _catalog
from ._library import Call, enum, parameters
from ._tensor import dtype_name, last, refuse, shape

_FIGURES = {
    "logprob": "float32", "lse": "float32", "max": "float32", "argmax": "int32", "entropy": "float32",
    "log_sum_sq": "float32", "is_top1": "uint8", "status": "uint32",
}  # fmt: skip
_MORE_FIGURES = {
    "mean_logit": "float32", "rank": "int32", "ties": "int32", "topk_entropy": "float32", "token_scale": "float32",
    "row_loss": "float32",
}  # fmt: skip


def _flags(**named):
    """`TRUING_<NAME>` for every true keyword."""
    return sum(getattr(_abi, "TRUING_" + name.upper()) for name, on in named.items() if on)


def _numbers(call, **values):
    """The array of parameters by their keywords; None is the default."""
    call.args.params, call.args.num_params = parameters({f"params.{name}": value for name, value in values.items()})


def _transform(call, prefix, bias, row_temperature, temperature, logit_scale, softcap, n_valid_vocab):
    if bias is row_temperature is temperature is logit_scale is softcap is n_valid_vocab is None:
        return
    call.read(**{prefix + "transform__bias": bias, prefix + "transform__row_temperature": row_temperature})
    values = dict(temperature=temperature, logit_scale=logit_scale, softcap=softcap, n_valid_vocab=n_valid_vocab)
    call.set(**{f"{prefix}transform__{name}": value for name, value in values.items()})


def _rows(call, target, mask, ignore_index, cu_seqlens=None, shift=None):
    call.read(rows__target=target, rows__mask=mask, rows__cu_seqlens=cu_seqlens)
    call.set(rows__ignore_index=ignore_index, rows__shift=shift)


def _figures(call, rows, wanted, names=_FIGURES, real="float32"):
    for name, dtype in names.items():
        if wanted[name] is not False:
            call.write("figures.out_" + name, name, wanted[name], rows, real if dtype == "float32" else dtype)
    call.write("figures.out_stats", "stats", wanted["stats"], (*rows, _abi.TRUING_STATS_WIDTH), real)


def _row_loss(call, class_weight, label_smoothing, smoothing_form, z_loss, token_scaling, external_scale, eaft_alpha,
              reduction, normaliser):  # fmt: skip
    call.read(row_loss__class_weight=class_weight, row_loss__external_scale=external_scale)
    call.set(
        row_loss__label_smoothing=label_smoothing, row_loss__z_loss=z_loss, row_loss__eaft_alpha=eaft_alpha,
        row_loss__normaliser=normaliser,
        row_loss__smoothing_form=enum("smoothing_form", "SMOOTHING", smoothing_form),
        row_loss__token_scaling=enum("token_scaling", "SCALING", token_scaling),
        row_loss__reduction=enum("reduction", "REDUCE", reduction),
    )  # fmt: skip


_SUPPORT = {"lse_support": "float32", "log_kept_mass": "float32", "support_size": "int32"}


def _filters(call, preset, top_k, top_p, min_p, ties, top_p_edge):
    call.set(support__preset=enum("preset", "FILTER", preset), support__top_k=top_k, support__top_p=top_p,
             support__min_p=min_p, support__ties=enum("ties", "TIES", ties),
             support__top_p_edge=enum("top_p_edge", "TOP_P", top_p_edge))  # fmt: skip


def _support(call, support):
    """A dict: `bitmask`, or `ids` (and `id_offsets`), or `preset` with `top_k`, `top_p`, `min_p`, `ties`, `top_p_edge`;
    with any of them `target_outside`."""
    if support is None:
        return
    fields = dict(support)
    call.set(support__target_outside=enum("support.target_outside", "TARGET", fields.pop("target_outside", None)))
    given = {name: fields.pop(name) for name in ("bitmask", "ids", "id_offsets") if name in fields}
    call.read(**{"support__" + name: x for name, x in given.items()})
    if given:
        kind = _abi.TRUING_SUPPORT_BITMASK if "bitmask" in given else _abi.TRUING_SUPPORT_IDS
    else:
        kind = _abi.TRUING_SUPPORT_COMPUTED
        names = ("preset", "top_k", "top_p", "min_p", "ties", "top_p_edge")
        _filters(call, *(fields.pop(name, None) for name in names))
    if fields:
        refuse("support", sorted(fields), "the fields of one kind of support")
    call.set(support__kind=kind)


def _support_figures(call, rows, words, wanted):
    for name, dtype in _SUPPORT.items():
        call.write("figures.out_" + name, name, wanted[name], rows, dtype)
    call.write("figures.out_support_bitmask", "support_bitmask", wanted["support_bitmask"], (*rows, words), "uint32")
    _ids(call, "figures.out_support_ids", "support_ids", wanted["support_ids"], rows)


def _ids(call, path, name, want, rows):
    """Ids: the number of columns, or the place."""
    if want is True:
        refuse(path, "True", "a number of columns or a place")
    if isinstance(want, int) and want is not False:
        call.write(path, name, True, (*rows, want), "int32")
    else:
        call.write(path, name, want, None, "int32")


def _shard(call, shard):
    if shard is not None:
        start, end, total = shard
        call.set(shard__vocab_start=start, shard__vocab_end=end, shard__vocab_total=total)


def _head_grads(call, hidden, weight, bias, grad_hidden, grad_weight, grad_bias):
    call.write("grads.grad_hidden_out", "grad_hidden", grad_hidden, shape(hidden), "float32")
    call.write("grads.grad_weight_out", "grad_weight", grad_weight, shape(weight), "float32")
    call.write("grads.grad_bias_out", "grad_bias", grad_bias, shape(weight)[:1], "float32")


def _common(call, prefix, wanted):
    """What every form of the log-prob reads about its rows, by the names of its keywords."""
    take = lambda names: [wanted.get(name) for name in names.split()]  # noqa: E731
    _transform(call, prefix, *take("bias row_temperature temperature logit_scale softcap n_valid_vocab"))
    _rows(call, *take("target mask ignore_index cu_seqlens shift"))
    _support(call, wanted.get("support"))
    _row_loss(call, *take("class_weight label_smoothing smoothing_form z_loss token_scaling external_scale eaft_alpha "
                          "reduction normaliser"))  # fmt: skip
    _shard(call, wanted.get("shard"))
    _head_round(call, wanted.get("logit_round"))


def _head_round(call, own, reference=None):
    """What the logits of a head are rounded to, and those of a reference's if the call has one."""
    call.set(head__transform__logit_round=enum("logit_round", "ROUND", own),
             ref_head__transform__logit_round=enum("ref_logit_round", "ROUND", reference))  # fmt: skip


def _all_figures(call, rows, words, wanted, real="float32"):
    """Every output of a forward or a finish; `words` are those of a mask."""
    call.read(figures__extra_ids=wanted["extra_ids"])
    call.set(figures__entropy_k=wanted["entropy_k"])
    _figures(call, rows, wanted, _FIGURES | _MORE_FIGURES, real)
    _support_figures(call, rows, words, wanted)
    topk, extra_ids = wanted["topk"], wanted["extra_ids"]
    if topk is None and (wanted["topk_ids"] is True or wanted["topk_logprobs"] is True):
        refuse("topk", "None", "the number of columns of topk_ids and topk_logprobs")
    for name, dtype in (("topk_ids", "int32"), ("topk_logprobs", real)):
        place = topk is not None if wanted[name] is False else wanted[name]
        call.write("figures.out_" + name, name, place, (*rows, topk), dtype)
    extra = extra_ids is not None if wanted["extra_logprobs"] is None else wanted["extra_logprobs"]
    columns = last("extra_ids", extra_ids) if extra_ids is not None else 0
    call.write("figures.out_extra_logprobs", "extra_logprobs", extra, (*rows, columns), real)
    loss = wanted["reduction"] not in (None, "none") if wanted["loss"] is None else wanted["loss"]
    call.write("figures.out_loss", "loss", loss, (), "float64")
    call.write("figures.out_counters", "counters", wanted["counters"], (32,), "int64")


def logprob(
    logits, target=None, *, mask=None, ignore_index=None, cu_seqlens=None, shift=None, bias=None, row_temperature=None,
    temperature=None, logit_scale=None, softcap=None, n_valid_vocab=None, logprob=True, lse=False, max=False,
    argmax=False, entropy=False, log_sum_sq=False, mean_logit=False, is_top1=False, rank=False, ties=False, topk=None,
    topk_ids=False, topk_logprobs=False, topk_entropy=False, entropy_k=None, extra_ids=None, extra_logprobs=None,
    class_weight=None, label_smoothing=None, smoothing_form=None, z_loss=None, token_scaling=None, external_scale=None,
    eaft_alpha=None, reduction=None, normaliser=None, token_scale=False, row_loss=False, loss=None, grad_loss=None,
    grad_scale=None, grad_logits=False, grad_bias=False, stats=False, status=False, counters=False, support=None,
    lse_support=False, log_kept_mass=False, support_size=False, support_bitmask=False, support_ids=False, stream=None, context=None,
):  # fmt: skip
    """Figures of every row of `logits` [N, V] or [B, T, V]: the log-prob of its `target` and whatever else is asked for;
    f64 logits give f64 figures.

    `topk`: the number of columns of `topk_ids` and `topk_logprobs`, both on with it. `extra_logprobs` is on with `extra_ids`
    ([K], or [N, K]; -1 for none). `row_loss` is the loss of each row, `loss` their `reduction` ("sum", "mean",
    "weighted_mean"), on with it. `grad_logits` and `grad_bias` are its gradients, times `grad_loss` and `grad_scale`;
    `grad_logits=logits` overwrites the logits.

    `support` normalises over a sampling support, a dict: `bitmask` (uint32 [N, ceil(V/32)]), or `ids` (and `id_offsets`), or
    `preset` ("vllm", "hf", "sglang") with `top_k`, `top_p`, `min_p`, `ties`, `top_p_edge`; with any of them
    `target_outside` ("keep" or "neg_inf"). `support_ids` is a number of columns or a place.
    """
    wanted = dict(locals())
    flags = _flags(has_ignore_index=ignore_index is not None, has_grad_scale=grad_scale is not None)
    call = Call(_abi.truing_logprob_forward_args, logits, context, flags, stream)
    call.read(logits=logits, grad_loss=grad_loss)
    call.set(grad_scale=grad_scale)
    _common(call, "", wanted)
    _all_figures(call, shape(logits)[:-1], -(-last("logits", logits) // 32), wanted, _real(logits))
    call.write("grad_logits_out", "grad_logits", grad_logits, shape(logits), dtype_name(logits))
    call.write("grad_bias_out", "grad_bias", grad_bias, shape(logits)[-1:], _real(logits))
    return call.run("truing_logprob_forward")


def _real(logits):
    """The type of the figures."""
    return "float64" if dtype_name(logits) == "float64" else "float32"


def _upstream(call, wanted):
    call.read(**{"upstream__" + name: wanted[name] for name in (
        "grad_logprob", "grad_lse", "grad_entropy", "grad_extra", "extra_ids", "grad_row_loss", "grad_loss")})  # fmt: skip
    call.set(upstream__grad_scale=wanted["grad_scale"])


def logprob_backward(
    logits, target=None, *, grad_logprob=None, grad_lse=None, grad_entropy=None, grad_extra=None, extra_ids=None,
    grad_row_loss=None, grad_loss=None, grad_scale=None, mask=None, ignore_index=None, cu_seqlens=None, shift=None,
    bias=None, row_temperature=None, temperature=None, logit_scale=None, softcap=None, n_valid_vocab=None,
    class_weight=None, label_smoothing=None, smoothing_form=None, z_loss=None, token_scaling=None, external_scale=None,
    eaft_alpha=None, reduction=None, normaliser=None, stats=None, recompute=False, grad_logits=True, grad_bias=False,
    status=False, support=None, shard=None, stream=None, context=None,
):  # fmt: skip
    """`grad_logits` and `grad_bias` from the gradients of the figures. `grad_logits=logits` overwrites the logits.
    `support` as in :func:`logprob`. `shard` = (vocab_start, vocab_end, vocab_total): logits of these columns, `stats` of
    :func:`logprob_finish`.
    """
    wanted = dict(locals())
    flags = _flags(has_ignore_index=ignore_index is not None, recompute=recompute, has_grad_scale=grad_scale is not None)
    call = Call(_abi.truing_logprob_backward_args, logits, context, flags, stream)
    call.read(logits=logits, stats=stats)
    _common(call, "", wanted)
    _upstream(call, wanted)
    call.write("grad_logits_out", "grad_logits", grad_logits, shape(logits), dtype_name(logits))
    call.write("grad_bias_out", "grad_bias", grad_bias, shape(logits)[-1:], _real(logits))
    call.write("out_status", "status", status, shape(logits)[:-1], "uint32")
    return call.run("truing_logprob_backward")


def _local(call, rows, wanted):
    """What a local call reads and writes; with `stats` it is the second pass."""
    second = wanted["stats"] is not None
    call.read(stats=wanted["stats"], extra_ids=wanted["extra_ids"])
    call.set(local_pass=_abi.TRUING_LOCAL_COUNTS if second else _abi.TRUING_LOCAL_RECORDS)
    topk, extra_ids, width = wanted["topk"], wanted["extra_ids"], _abi.TRUING_STATS_WIDTH
    first = lambda name: not second if wanted[name] is None else wanted[name]  # noqa: E731
    call.write("out_records", "records", first("records"), (*rows, width), "float32")
    call.write("out_support_records", "support_records", wanted["support_records"], (*rows, width), "float32")
    call.write("out_topk_ids", "topk_ids", topk is not None, (*rows, topk), "int32")
    call.write("out_topk_logits", "topk_logits", topk is not None, (*rows, topk), "float32")
    columns = last("extra_ids", extra_ids) if extra_ids is not None else 0
    call.write("out_extra_logits", "extra_logits", extra_ids is not None and not second, (*rows, columns), "float32")
    call.write("out_counts", "counts", second, (*rows, 4), "int64")
    call.write("out_status", "status", wanted["status"], rows, "uint32")


def logprob_local(
    logits, target=None, *, shard, mask=None, ignore_index=None, cu_seqlens=None, shift=None, bias=None,
    row_temperature=None, temperature=None, logit_scale=None, softcap=None, n_valid_vocab=None, class_weight=None,
    label_smoothing=None, smoothing_form=None, support=None, stats=None, sums=False, topk=None, extra_ids=None,
    records=None, support_records=False, status=False, context=None,
):  # fmt: skip
    """What the columns of a vocabulary shard, `shard` = (vocab_start, vocab_end, vocab_total), contribute. Targets and
    `extra_ids` are ids of the whole vocabulary, a `support` (`bitmask` or `ids`) names columns of the shard.

    Without `stats`: `records`, `support_records`, the `topk` largest columns (`topk_ids`, `topk_logits`), `extra_logits`.
    `sums` makes the records hold what the mean logit needs. With the `stats` of :func:`logprob_finish`: `counts`, whose sum
    over the shards a second finish takes for rank, ties and the size of the support.
    """
    wanted = dict(locals())
    flags = _flags(has_ignore_index=ignore_index is not None, record_sums=sums)
    call = Call(_abi.truing_logprob_local_args, logits, context, flags)
    call.read(logits=logits)
    _common(call, "", wanted)
    _local(call, shape(logits)[:-1], wanted)
    return call.run("truing_logprob_local")


def logprob_finish(
    records, shard_starts, target=None, *, support_records=None, list_ids=None, list_logits=None, extra_logits=None,
    counts=None, mask=None, ignore_index=None, cu_seqlens=None, shift=None, n_valid_vocab=None, logprob=True, lse=False,
    max=False, argmax=False, entropy=False, log_sum_sq=False, mean_logit=False, is_top1=False, rank=False, ties=False,
    topk=None, topk_ids=False, topk_logprobs=False, topk_entropy=False, entropy_k=None, extra_ids=None,
    extra_logprobs=None, class_weight=None, label_smoothing=None, smoothing_form=None, z_loss=None, token_scaling=None,
    external_scale=None, eaft_alpha=None, reduction=None, normaliser=None, token_scale=False, row_loss=False, loss=None,
    stats=False, status=False, counters=False, lse_support=False, log_kept_mass=False, support_size=False, context=None,
):  # fmt: skip
    """Figures of the rows from the `records` [shards, N, 12] of all shards of either family; `shard_starts` [shards + 1] ends
    with V. `list_ids`, `list_logits` [shards, N, K] are the `topk_ids` and `topk_logits` of the local calls,
    `extra_logits` [shards, N, K] theirs, `counts` [N, 4] the sum of theirs."""
    wanted = dict(locals(), support_bitmask=False, support_ids=False)
    call = Call(_abi.truing_logprob_finish_args, records, context, _flags(has_ignore_index=ignore_index is not None))
    call.read(records=records, shard_starts=shard_starts, support_records=support_records, topk_ids=list_ids,
              topk_logits=list_logits, extra_logits=extra_logits, counts=counts)  # fmt: skip
    _common(call, "", wanted)
    _all_figures(call, shape(records)[1:2], 0, wanted)
    return call.run("truing_logprob_finish")


def support_mask(
    logits, preset, *, top_k=None, top_p=None, min_p=None, ties=None, top_p_edge=None, mask=None, bias=None,
    row_temperature=None, temperature=None, logit_scale=None, softcap=None, n_valid_vocab=None, bitmask=True, ids=False,
    size=False, status=False, stream=None, context=None,
):  # fmt: skip
    """Which columns of every row a sampler's filters keep; `preset` is "vllm", "hf" or "sglang". `ids` is a number of
    columns or a place."""
    call = Call(_abi.truing_support_mask_args, logits, context, 0, stream)
    call.read(logits=logits, rows__mask=mask)
    _transform(call, "", bias, row_temperature, temperature, logit_scale, softcap, n_valid_vocab)
    call.set(support__kind=_abi.TRUING_SUPPORT_COMPUTED)
    _filters(call, preset, top_k, top_p, min_p, ties, top_p_edge)
    rows = shape(logits)[:-1]
    call.write("out_bitmask", "bitmask", bitmask, (*rows, -(-last("logits", logits) // 32)), "uint32")
    _ids(call, "out_ids", "ids", ids, rows)
    call.write("out_size", "size", size, rows, "int32")
    call.write("out_status", "status", status, rows, "uint32")
    return call.run("truing_support_mask")


_TDS = {
    "rank": "int32", "ties": "int32", "eta": "int32", "eta_max": "int32", "logp_base": "float32",
    "logp_aligned": "float32", "kl_aligned_base": "float32", "kl_base_aligned": "float32", "class_": "uint8",
    "status": "uint32",
}  # fmt: skip


def tds_rows(
    base, aligned, target=None, *, mask=None, ignore_index=None, base_temperature=None, aligned_temperature=None,
    base_n_valid_vocab=None, aligned_n_valid_vocab=None, rank=True, ties=False, eta=False, eta_max=False,
    logp_base=False, logp_aligned=False, kl_aligned_base=False, kl_base_aligned=False, class_=True, counts=False,
    status=False, stream=None, context=None,
):  # fmt: skip
    """Token distribution shift of the logits `aligned` against `base`: rank of each `target` (left out: the aligned argmax)
    under the base, KL both ways, class of each row (`class_`) and rows of each class (`counts`)."""
    wanted = dict(locals())
    call = Call(_abi.truing_tds_rows_args, base, context, _flags(has_ignore_index=ignore_index is not None), stream)
    call.read(base=base, aligned=aligned)
    call.set(base_transform__temperature=base_temperature, aligned_transform__temperature=aligned_temperature,
             base_transform__n_valid_vocab=base_n_valid_vocab,
             aligned_transform__n_valid_vocab=aligned_n_valid_vocab)  # fmt: skip
    _rows(call, target, mask, ignore_index)
    for name, dtype in _TDS.items():
        call.write("out_" + name.rstrip("_"), name, wanted[name], shape(base)[:-1], dtype)
    call.write("out_counts", "counts", counts, (4,), "int64")
    return call.run("truing_tds_rows")


_DIVERGENCE = {
    "values": "float32", "student_entropy": "float32", "teacher_entropy": "float32", "cross_entropy": "float32",
    "reverse_cross_entropy": "float32", "student_logprob": "float32", "teacher_logprob": "float32",
    "student_rank": "int32", "teacher_rank": "int32", "status": "uint32",
}  # fmt: skip
_SIDE = ("bias", "row_temperature", "temperature", "logit_scale", "softcap", "n_valid_vocab")


def _divergence(call, kind, student, teacher, transforms, param, limits, teacher_form, hard_weight, soft_weight,
                hard_scaling, teacher_target_shift, aggregate, normaliser, row_weight, partial):  # fmt: skip
    call.read(student=student, teacher=teacher)
    for side, fields in transforms.items():
        _side(call, side + "_", side + "_transform", fields)
    _divergence_options(call, kind, param, limits, teacher_form, hard_weight, soft_weight, hard_scaling,
                        teacher_target_shift, aggregate, normaliser, row_weight, partial)  # fmt: skip


def _side(call, prefix, name, fields, rounds=False):
    """The transform of one side, a dict."""
    fields = dict(fields or {})
    _transform(call, prefix, *(fields.pop(key, None) for key in _SIDE))
    if rounds:
        call.set(**{prefix + "transform__logit_round": enum("logit_round", "ROUND", fields.pop("logit_round", None))})
    if fields:
        refuse(name, sorted(fields), "the fields of a transform")


def _divergence_options(call, kind, param, limits, teacher_form, hard_weight, soft_weight, hard_scaling,
                        teacher_target_shift, aggregate, normaliser, row_weight, partial):  # fmt: skip
    if partial is not None:
        fields = dict(partial)
        call.read(**{"partial__" + name: fields.pop(name, None) for name in ("ids", "teacher_values", "teacher_lse", "reference")})
        call.set(**{"partial__" + name: fields.pop(name, None)
                    for name in ("k", "tail_floor", "outside_logprob", "log_prob_floor", "value_clamp")},
                 partial__support=enum("partial.support", "PARTIAL", fields.pop("support", None)),
                 partial__outside=enum("partial.outside", "OUTSIDE", fields.pop("outside", None)))  # fmt: skip
        call.args.flags |= _flags(clamp_at_zero=fields.pop("clamp_at_zero", False))
        if fields:
            refuse("partial", sorted(fields), "the fields of a partial divergence")
    call.read(row_weight=row_weight)
    if param is not None:
        call.args.options.params, call.args.options.num_params = parameters({"param": param})
    call.set(
        options__kind=enum("kind", "DIVERGENCE", kind), options__limits=enum("limits", "JSD", limits),
        options__teacher_form=enum("teacher_form", "TEACHER", teacher_form), options__hard_weight=hard_weight,
        options__soft_weight=soft_weight, options__hard_scaling=enum("hard_scaling", "SCALING", hard_scaling),
        options__teacher_target_shift=teacher_target_shift, options__aggregate__normaliser=normaliser,
        options__aggregate__mode=enum("aggregate", "AGGREGATE", aggregate),
    )  # fmt: skip


def divergence(
    kind, student, teacher=None, target=None, *, param=None, limits=None, teacher_form="logits", student_transform=None,
    teacher_transform=None, mask=None, ignore_index=None, row_weight=None, hard_weight=None, soft_weight=None,
    hard_scaling=None, teacher_target_shift=None, temperature_squared=False, aggregate=None, normaliser=None,
    partial=None, student_mass=False, teacher_mass=False, overlap=False, overlap_sum=False, support_ids=False, values=True,
    loss=None, student_entropy=False, teacher_entropy=False, cross_entropy=False, reverse_cross_entropy=False,
    student_logprob=False, teacher_logprob=False, student_rank=False, teacher_rank=False, grad_loss=None,
    grad_scale=None, grad_student=False, grad_teacher=False, stats=False, status=False, counters=False, stream=None, context=None,
):  # fmt: skip
    """Divergence of the rows of `student` [N, V] and `teacher` [N, V'], logits: "forward_kl" (teacher first),
    "reverse_kl", "jsd" and the other kinds of `TRUING_DIVERGENCE_*`, with their `param` (omega, beta, lambda or alpha).

    A transform is a dict of `temperature`, `softcap`, `logit_scale`, `bias`, `row_temperature`, `n_valid_vocab`.
    `aggregate` is "token_mean", "token_sum" or "weighted_mean"; `loss` is on with it, and `grad_student` and
    `grad_teacher` are the gradients of it, times `grad_loss` and `grad_scale`; `grad_student=student` overwrites the
    logits. `teacher_form`: "logits", "logprobs" or "probs".

    `partial` is a dict for a divergence on few columns: `support` ("teacher", "student", "union" with `k`, "given" with `ids`
    [N, K], -1 for none, "reference" with `reference` [N, V]) and `outside`: "renormalise", "tail" (`tail_floor`), or, for KL and
    cross entropy, "zero" (`outside_logprob`) and "raw", both with `log_prob_floor`, `value_clamp`, `clamp_at_zero`. With `teacher_form` "topk_logprobs", "topk_logits" or "samples" (counts) the
    teacher is `teacher_values` [N, K] at the given ids (and `teacher_lse` [N]), and `teacher` is left out. `support_ids` is a
    number of columns or a place.
    """
    wanted = dict(locals())
    flags = _flags(has_ignore_index=ignore_index is not None, has_grad_scale=grad_scale is not None,
                   has_soft_weight=soft_weight is not None, temperature_squared=temperature_squared)  # fmt: skip
    call = Call(_abi.truing_divergence_forward_args, student, context, flags, stream)
    transforms = {"student": student_transform, "teacher": teacher_transform}
    _divergence(call, kind, student, teacher, transforms, param, limits, teacher_form, hard_weight, soft_weight,
                hard_scaling, teacher_target_shift, aggregate, normaliser, row_weight, partial)  # fmt: skip
    _rows(call, target, mask, ignore_index)
    call.read(grad_loss=grad_loss)
    call.set(grad_scale=grad_scale)
    rows = shape(student)[:-1]
    for name, dtype in _DIVERGENCE.items():
        call.write("outputs.out_" + name, name, wanted[name], rows, dtype)
    call.write("outputs.out_stats", "stats", stats, (*rows, _abi.TRUING_PAIR_STATS_WIDTH), "float32")
    if loss is None:
        loss = aggregate not in (None, "none")
    call.write("outputs.out_loss", "loss", loss, (), "float64")
    call.write("outputs.out_counters", "counters", counters, (32,), "int64")
    call.write("grad_student_out", "grad_student", grad_student, shape(student), dtype_name(student))
    _grad_teacher(call, grad_teacher, teacher)
    _few(call, wanted, rows)
    return call.run("truing_divergence_forward")


def _few(call, wanted, rows):
    """Figures of a divergence on few columns."""
    for name in ("student_mass", "teacher_mass", "overlap", "overlap_sum"):
        call.write("outputs.out_" + name, name, wanted[name], rows, "float32")
    _ids(call, "outputs.out_support_ids", "support_ids", wanted["support_ids"], rows)


def _grad_teacher(call, grad_teacher, teacher):
    if grad_teacher is True and teacher is None:
        refuse("grad_teacher", "True", "False without rows of the teacher")
    like = () if teacher is None else (shape(teacher), dtype_name(teacher))
    call.write("grad_teacher_out", "grad_teacher", grad_teacher, *(like or ((), "float32")))


def divergence_backward(
    kind, student, teacher=None, target=None, *, grad_values=None, grad_loss=None, grad_student_logprob=None, grad_scale=None,
    param=None, limits=None, teacher_form="logits", student_transform=None, teacher_transform=None, mask=None,
    ignore_index=None, row_weight=None, hard_weight=None, soft_weight=None, hard_scaling=None,
    teacher_target_shift=None, temperature_squared=False, aggregate=None, normaliser=None, partial=None, stats=None,
    recompute=False, shard=None, grad_student=True, grad_teacher=False, status=False, stream=None, context=None,
):  # fmt: skip
    """`grad_student` and `grad_teacher` from the gradients of :func:`divergence`'s values, loss and log-probs. With `shard` =
    (vocab_start, vocab_end, vocab_total) the logits are these columns, and `stats` those of :func:`divergence_finish`."""
    flags = _flags(has_ignore_index=ignore_index is not None, has_grad_scale=grad_scale is not None,
                   has_soft_weight=soft_weight is not None, temperature_squared=temperature_squared,
                   recompute=recompute)  # fmt: skip
    call = Call(_abi.truing_divergence_backward_args, student, context, flags, stream)
    transforms = {"student": student_transform, "teacher": teacher_transform}
    _divergence(call, kind, student, teacher, transforms, param, limits, teacher_form, hard_weight, soft_weight,
                hard_scaling, teacher_target_shift, aggregate, normaliser, row_weight, partial)  # fmt: skip
    _rows(call, target, mask, ignore_index)
    _shard(call, shard)
    call.read(stats=stats, grad_values=grad_values, grad_loss=grad_loss, grad_student_logprob=grad_student_logprob)
    call.set(grad_scale=grad_scale)
    call.write("grad_student_out", "grad_student", grad_student, shape(student), dtype_name(student))
    _grad_teacher(call, grad_teacher, teacher)
    call.write("out_status", "status", status, shape(student)[:-1], "uint32")
    return call.run("truing_divergence_backward")


def linear_divergence(
    kind, hidden, weight, target=None, *, phase, teacher_hidden=None, teacher_weight=None, teacher_rows=None, param=None,
    limits=None, teacher_form="logits", student_transform=None, teacher_transform=None, mask=None, ignore_index=None,
    row_weight=None, hard_weight=None, soft_weight=None, hard_scaling=None, teacher_target_shift=None,
    temperature_squared=False, aggregate=None, normaliser=None, partial=None, grad_values=None, grad_loss=None,
    grad_student_logprob=None, grad_scale=None, stats=None, recompute=False, shard=None, grad_hidden=None, grad_weight=None,
    grad_bias=False, grad_teacher_hidden=False, grad_teacher_weight=False, grad_teacher_bias=False,
    accumulate_hidden=False, accumulate_weight=False, values=None, loss=None, student_entropy=False,
    teacher_entropy=False, cross_entropy=False, reverse_cross_entropy=False, student_logprob=False,
    teacher_logprob=False, student_rank=False, teacher_rank=False, student_mass=False, teacher_mass=False, overlap=False,
    overlap_sum=False, support_ids=False, out_stats=False, status=False, counters=False, context=None,
):  # fmt: skip
    """:func:`divergence` of the logits `hidden` [N, D] x `weight` [V, D] transposed, which never exist, and those of
    `teacher_hidden` [N, D'] x `teacher_weight` [V', D'], or of `teacher_rows` [N, V']; on few columns with `partial`, also with
    the teacher's numbers at ids alone.

    `phase`: "single" (figures, and the gradients of the reduced loss, or with `grad_values` or `grad_student_logprob` of these),
    "figures", or "with_coefficients" (gradients alone; `stats` are the `out_stats` of an earlier call, or with `shard` =
    (vocab_start, vocab_end, vocab_total), the columns of the heads, those of :func:`divergence_finish`). A transform may have
    `logit_round` ("bf16", "f16"), which rounds the logits before it."""
    wanted = dict(locals())
    gradients, figures = phase != "figures", phase != "with_coefficients"
    flags = _flags(has_ignore_index=ignore_index is not None, has_grad_scale=grad_scale is not None,
                   has_soft_weight=soft_weight is not None, temperature_squared=temperature_squared, recompute=recompute,
                   accumulate_hidden=accumulate_hidden, accumulate_weight=accumulate_weight)  # fmt: skip
    call = Call(_abi.truing_linear_divergence_args, hidden, context, flags)
    call.read(student__hidden=hidden, student__weight=weight, teacher__hidden=teacher_hidden,
              teacher__weight=teacher_weight, teacher_rows=teacher_rows, stats=stats, grad_values=grad_values,
              grad_loss=grad_loss, grad_student_logprob=grad_student_logprob)  # fmt: skip
    _side(call, "student__", "student_transform", student_transform, True)
    head = teacher_hidden is not None
    _side(call, "teacher__" if head else "teacher_", "teacher_transform", teacher_transform, head)
    _divergence_options(call, kind, param, limits, teacher_form, hard_weight, soft_weight, hard_scaling,
                        teacher_target_shift, aggregate, normaliser, row_weight, partial)  # fmt: skip
    _rows(call, target, mask, ignore_index)
    _shard(call, shard)
    call.set(phase=enum("phase", "PHASE", phase), grad_scale=grad_scale)
    rows = shape(hidden)[:-1]
    wanted["values"] = figures if values is None else values
    for name, dtype in _DIVERGENCE.items():
        call.write("outputs.out_" + name, name, wanted[name], rows, dtype)
    _few(call, wanted, rows)
    call.write("outputs.out_stats", "stats", out_stats, (*rows, _abi.TRUING_PAIR_STATS_WIDTH), "float32")
    if loss is None:
        loss = figures and aggregate not in (None, "none")
    call.write("outputs.out_loss", "loss", loss, (), "float64")
    call.write("outputs.out_counters", "counters", counters, (32,), "int64")
    places = (
        ("student", "", hidden, weight, gradients if grad_hidden is None else grad_hidden,
         gradients if grad_weight is None else grad_weight, grad_bias),
        ("teacher", "teacher_", teacher_hidden, teacher_weight, grad_teacher_hidden, grad_teacher_weight, grad_teacher_bias),
    )  # fmt: skip
    for side, name, h, w, to_hidden, to_weight, to_bias in places:
        if h is None and (to_hidden or to_weight or to_bias):
            refuse("grad_teacher_hidden", "True", "False without a head of the teacher")
        if h is not None:
            call.write(f"{side}_grads.grad_hidden_out", f"grad_{name}hidden", to_hidden, shape(h), "float32")
            call.write(f"{side}_grads.grad_weight_out", f"grad_{name}weight", to_weight, shape(w), "float32")
            call.write(f"{side}_grads.grad_bias_out", f"grad_{name}bias", to_bias, shape(w)[:1], "float32")
    return call.run("truing_linear_divergence_forward")


def divergence_local(
    kind, student, teacher, target=None, *, shard, param=None, limits=None, student_transform=None, teacher_transform=None,
    mask=None, ignore_index=None, row_weight=None, hard_weight=None, partial=None, stats=None, records=None,
    student_at_ids=None, teacher_at_ids=None, status=False, context=None,
):  # fmt: skip
    """`records` of the columns of a vocabulary shard, `shard` = (vocab_start, vocab_end, vocab_total), for
    :func:`divergence_finish`. With the `stats` of a first finish: the second round of a kind that reads twice (jsd, skewed KL,
    total variation, cosine of logits, cross entropies), or, for gradients, of renyi, alpha, hellinger2 and chi2. With
    `hard_weight`, as in the finish, records have a 17th number, the student's logit of the `target`. With `partial` ("given" ids,
    "renormalise"; see :func:`divergence`) `student_at_ids` and `teacher_at_ids` in the place of records, which then are there
    with `hard_weight` alone, [N, 12]."""
    call = Call(_abi.truing_divergence_local_args, student, context, _flags(has_ignore_index=ignore_index is not None))
    transforms = {"student": student_transform, "teacher": teacher_transform}
    _divergence(call, kind, student, teacher, transforms, param, limits, "logits", hard_weight, None, None, None, None, None,
                row_weight, partial)  # fmt: skip
    _rows(call, target, mask, ignore_index)
    call.read(stats=stats)
    call.set(local_pass=_abi.TRUING_LOCAL_RECORDS if stats is None else _abi.TRUING_LOCAL_VALUES)
    _shard(call, shard)
    rows = shape(student)[:-1]
    _parts(call, partial, records, student_at_ids, teacher_at_ids, rows, hard_weight)
    call.write("out_status", "status", status, rows, "uint32")
    return call.run("truing_divergence_local")


def _parts(call, partial, records, student_at_ids, teacher_at_ids, rows, hard_weight):
    """What a shard contributes: records, with a term of the target its logit behind them, or logits at the ids of a support, and
    records of what is outside with a term of the target."""
    width = () if partial is None else shape(partial["ids"])[-1:]
    numbers = _abi.TRUING_PAIR_STATS_WIDTH + bool(hard_weight) if partial is None else _abi.TRUING_STATS_WIDTH
    records = partial is None or bool(hard_weight) if records is None else records
    call.write("out_records", "records", records, (*rows, numbers), "float32")
    for name, want in (("student_at_ids", student_at_ids), ("teacher_at_ids", teacher_at_ids)):
        call.write("out_" + name, name, partial is not None if want is None else want, (*rows, *width), "float32")


def linear_divergence_local(
    kind, hidden, weight, teacher_hidden, teacher_weight, target=None, *, shard, param=None, limits=None,
    student_transform=None, teacher_transform=None, mask=None, ignore_index=None, row_weight=None, hard_weight=None,
    partial=None, stats=None, records=None, student_at_ids=None, teacher_at_ids=None, status=False, context=None,
):  # fmt: skip
    """:func:`divergence_local` for the columns of `weight` [V_local, D] and `teacher_weight` [V_local, D']; its records, or with
    `partial` its `student_at_ids` and `teacher_at_ids`, go to :func:`divergence_finish`, and the gradients are those of :func:`linear_divergence` with `shard` and `stats`."""
    call = Call(_abi.truing_linear_divergence_local_args, hidden, context, _flags(has_ignore_index=ignore_index is not None))
    call.read(student__hidden=hidden, student__weight=weight, teacher__hidden=teacher_hidden,
              teacher__weight=teacher_weight, stats=stats)  # fmt: skip
    _side(call, "student__", "student_transform", student_transform, True)
    _side(call, "teacher__", "teacher_transform", teacher_transform, True)
    _divergence_options(call, kind, param, limits, "logits", hard_weight, None, None, None, None, None, row_weight, partial)
    _rows(call, target, mask, ignore_index)
    call.set(local_pass=_abi.TRUING_LOCAL_RECORDS if stats is None else _abi.TRUING_LOCAL_VALUES)
    _shard(call, shard)
    rows = shape(hidden)[:-1]
    _parts(call, partial, records, student_at_ids, teacher_at_ids, rows, hard_weight)
    call.write("out_status", "status", status, rows, "uint32")
    return call.run("truing_linear_divergence_local")


def divergence_finish(
    kind, records, shard_starts, target=None, *, partial=None, student_at_ids=None, teacher_at_ids=None, second=False, param=None, limits=None, mask=None, ignore_index=None,
    row_weight=None, hard_weight=None, soft_weight=None, hard_scaling=None, aggregate=None, normaliser=None, values=None,
    loss=None, student_entropy=False, teacher_entropy=False, stats=False, status=False, counters=False, context=None,
):  # fmt: skip
    """Figures of the rows from the `records` [shards, N, 16] of all shards, or [shards, N, 17] with `hard_weight`;
    `shard_starts` [shards + 1] ends with V. `second`: they are those of the second round. After the first round of a kind that
    reads twice there are no `values`. With `partial`, as in :func:`divergence_local`, `student_at_ids` and `teacher_at_ids` are
    [shards, N, K], and `records` None, or [shards, N, 12] with `hard_weight`."""
    flags = _flags(has_ignore_index=ignore_index is not None, has_soft_weight=soft_weight is not None)
    parts = records if records is not None else student_at_ids
    call = Call(_abi.truing_divergence_finish_args, parts, context, flags)
    _divergence(call, kind, None, None, {}, param, limits, "logits", hard_weight, soft_weight, hard_scaling, None, aggregate,
                normaliser, row_weight, partial)  # fmt: skip
    _rows(call, target, mask, ignore_index)
    call.read(records=records, shard_starts=shard_starts, student_at_ids=student_at_ids, teacher_at_ids=teacher_at_ids)
    call.set(local_pass=_abi.TRUING_LOCAL_VALUES if second else _abi.TRUING_LOCAL_RECORDS)
    rows, wanted = shape(parts)[1:2], dict(locals())
    second = second or partial is not None  # there is one round
    wanted["values"] = (second or kind not in _TWICE) if values is None else values
    for name in ("values", "student_entropy", "teacher_entropy", "status"):
        call.write("outputs.out_" + name, name, wanted[name], rows, _DIVERGENCE[name])
    more = 6 if partial is not None and hard_weight else 0  # the whole row of the term of the target
    call.write("outputs.out_stats", "stats", stats, (*rows, _abi.TRUING_PAIR_STATS_WIDTH + more), "float32")
    if loss is None:
        loss = aggregate not in (None, "none") and (second or kind not in _TWICE)
    call.write("outputs.out_loss", "loss", loss, (), "float64")
    call.write("outputs.out_counters", "counters", counters, (32,), "int64")
    return call.run("truing_divergence_finish")


# kinds whose values need both normalisers first
_TWICE = ("jsd", "skew_kl", "skew_reverse_kl", "tvd", "cosine_logits", "cross_entropy", "reverse_cross_entropy")


def uld(
    student, teacher, *, k=None, student_transform=None, teacher_transform=None, mask=None, row_weight=None, aggregate=None,
    normaliser=None, grad_values=None, grad_loss=None, grad_scale=None, values=True, loss=None, grad_student=False,
    grad_teacher=False, status=False, matched=None, matched_beta=None, matched_weights=None, student_scale=None,
    teacher_scale=None, grad_student_scale=False, context=None,
):  # fmt: skip
    """Distance of the sorted probabilities of `student` [N, V] and `teacher` [N, V'], logits over different vocabularies, and
    the gradients of both; `k` columns one by one and the rest as one (`uld_topk`). `matched`: two arrays of ids, columns of
    both with the same text; these are compared by jsd with `matched_beta` (0 if None), only the others are sorted, and
    `matched_weights` are the factors of the two parts (GOLD). `student_scale` and `teacher_scale` [N] multiply a row's
    probabilities."""
    call = Call(_abi.truing_uld_args, student, context, _flags(has_grad_scale=grad_scale is not None))
    call.read(student=student, teacher=teacher, row_weight=row_weight, grad_values=grad_values, grad_loss=grad_loss,
              student_scale=student_scale, teacher_scale=teacher_scale)  # fmt: skip
    own, other = (None, None) if matched is None else matched
    call.read(matched_student_ids=own, matched_teacher_ids=other)
    weight, rest = (None, None) if matched_weights is None else matched_weights
    call.set(matched_beta=matched_beta, matched_weight=weight, unmatched_weight=rest)
    for side, fields in (("student", student_transform), ("teacher", teacher_transform)):
        fields = dict(fields or {})
        _transform(call, side + "_", *(fields.pop(name, None) for name in _SIDE))
        if fields:
            refuse(side + "_transform", sorted(fields), "the fields of a transform")
    _rows(call, None, mask, None)
    call.set(k=k, grad_scale=grad_scale, aggregate__mode=enum("aggregate", "AGGREGATE", aggregate),
             aggregate__normaliser=normaliser)  # fmt: skip
    rows = shape(student)[:-1]
    call.write("out_values", "values", values, rows, "float32")
    call.write("out_loss", "loss", aggregate not in (None, "none") if loss is None else loss, (), "float64")
    call.write("out_status", "status", status, rows, "uint32")
    call.write("grad_student_out", "grad_student", grad_student, shape(student), dtype_name(student))
    _grad_teacher(call, grad_teacher, teacher)
    call.write("grad_student_scale_out", "grad_student_scale", grad_student_scale, rows, "float32")
    return call.run("truing_uld")


_TILT = ("log_z", "mean", "variance", "kl")


def _tilt(logps, rewards, wanted, context, **fields):
    call = Call(_abi.truing_tilt_args, logps, context, 0)
    call.read(logps=logps, rewards=rewards, **fields)
    rows = shape(logps)[:-1]
    call.write("out_log_tilted", "log_tilted", wanted["log_tilted"], shape(logps), "float64")
    for name in _TILT:
        call.write("out_" + name, name, wanted[name], rows, "float64")
    call.write("out_status", "status", wanted["status"], rows, "uint32")
    return call, rows


def tilt(
    logps, rewards, alpha, *, grad_log_z=None, grad_kl=None, log_tilted=True, log_z=True, mean=False, variance=False,
    kl=True, grad_logps=False, grad_rewards=False, grad_alpha=False, status=False, context=None,
):  # fmt: skip
    """Rows of `logps` [B, V] tilted by `alpha` [B] times `rewards` [B, V]: phi = p e^(alpha r) / Z."""
    call, rows = _tilt(logps, rewards, dict(locals()), context, alpha=alpha, grad_log_z=grad_log_z, grad_kl=grad_kl)
    call.write("grad_logps_out", "grad_logps", grad_logps, shape(logps), "float64")
    call.write("grad_rewards_out", "grad_rewards", grad_rewards, shape(logps), "float64")
    call.write("grad_alpha_out", "grad_alpha", grad_alpha, rows, "float64")
    return call.run("truing_tilt")


def tilt_solve(
    logps, rewards, target, *, alpha=True, log_tilted=False, log_z=False, mean=False, variance=False, kl=False, status=False,
    context=None,
):  # fmt: skip
    """The `alpha` >= 0 of :func:`tilt` whose KL(phi || p) is `target` [B]."""
    call, rows = _tilt(logps, rewards, dict(locals()), context, target=target)
    call.write("out_alpha", "alpha", alpha, rows, "float64")
    return call.run("truing_tilt_solve")


def _renyi(operation, first, second, order, grad_values, values, grad_first, grad_second, status, context):
    call = Call(_abi.truing_renyi_args, first, context, 0)
    call.read(first=first, second=second, grad_values=grad_values)
    call.set(order=order)
    call.write("out_values", "values", values, shape(first)[:-1], "float64")
    call.write("grad_first_out", "grad_first", grad_first, shape(first), "float64")
    call.write("grad_second_out", "grad_second", grad_second, shape(first), "float64")
    call.write("out_status", "status", status, shape(first)[:-1], "uint32")
    return call.run(operation)


def renyi_array(
    first, second, order, *, grad_values=None, values=True, grad_first=False, grad_second=False, status=False, context=None,
):  # fmt: skip
    """Renyi's divergence of softmax(`first`) from softmax(`second`), rows [B, V]; order 1 is the KL."""
    return _renyi("truing_renyi_array", first, second, order, grad_values, values, grad_first, grad_second, status, context)


def renyi_cross_entropy(
    first, second, order, *, grad_values=None, values=True, grad_first=False, grad_second=False, status=False, context=None,
):  # fmt: skip
    """log(sum p q^(order - 1)) / (1 - order) of log p = `first` and log q = `second` as they are; order 1: -sum p log q."""
    return _renyi("truing_renyi_cross_entropy", first, second, order, grad_values, values, grad_first, grad_second, status,
                  context)  # fmt: skip


def best_of_n_exact(
    logps, rewards, n, *, worst=False, log_pmf=True, kl=True, win_rate=True, status=False, context=None,
):  # fmt: skip
    """Distribution, KL and win rate of the best of `n` draws from softmax(`logps`) [B, V] by `rewards`."""
    call = Call(_abi.truing_best_of_n_args, logps, context, 0)
    call.read(logps=logps, rewards=rewards)
    call.set(n=n, worst=int(worst))
    rows = shape(logps)[:-1]
    call.write("out_log_pmf", "log_pmf", log_pmf, shape(logps), "float64")
    call.write("out_kl", "kl", kl, rows, "float64")
    call.write("out_win_rate", "win_rate", win_rate, rows, "float64")
    call.write("out_status", "status", status, rows, "uint32")
    return call.run("truing_best_of_n_exact")


def best_of_n_kl_estimate(logps, n, *, kl=True, status=False, context=None):
    """Estimate of the KL of the best of `n` draws from the log-probs [B] of the draws that were chosen."""
    call = Call(_abi.truing_best_of_n_kl_args, logps, context, 0)
    call.read(logps=logps)
    call.set(n=n)
    call.write("out_kl", "kl", kl, shape(logps), "float64")
    call.write("out_status", "status", status, shape(logps), "uint32")
    return call.run("truing_best_of_n_kl_estimate")


def _sequence_kl(policy, ref, target, policy_transform, ref_transform, mask, ignore_index, cu_seqlens, context, stream):
    call = Call(_abi.truing_sequence_kl_args, policy, context, _flags(has_ignore_index=ignore_index is not None), stream)
    call.read(policy=policy, ref=ref)
    for side, fields in (("policy", policy_transform), ("ref", ref_transform)):
        fields = dict(fields or {})
        _transform(call, side + "_", *(fields.pop(name, None) for name in _SIDE))
        if fields:
            refuse(side + "_transform", sorted(fields), "the fields of a transform")
    _rows(call, target, mask, ignore_index, cu_seqlens)
    sequences = shape(policy)[:1] if cu_seqlens is None else (shape(cu_seqlens)[0] - 1,)
    return call, sequences


def sequence_kl(
    policy, ref, target, *, policy_transform=None, ref_transform=None, mask=None, ignore_index=None, cu_seqlens=None,
    log_ratio=True, kl=True, counts=False, stats=False, status=False, stream=None, context=None,
):  # fmt: skip
    """Per sequence, for token-level DPO: `log_ratio`, the sum of log policy - log ref of the targets, and `kl`, the sum of
    KL(ref || policy). Logits [B, T, V], or [N, V] with `cu_seqlens`; transforms as in :func:`divergence`."""
    call, sequences = _sequence_kl(policy, ref, target, policy_transform, ref_transform, mask, ignore_index, cu_seqlens,
                                   context, stream)  # fmt: skip
    for name, want, dtype in (("log_ratio", log_ratio, "float64"), ("kl", kl, "float64"), ("counts", counts, "int32"),
                              ("status", status, "uint32")):  # fmt: skip
        call.write("out_" + name, name, want, sequences, dtype)
    call.write("out_stats", "stats", stats, (*shape(policy)[:-1], _abi.TRUING_PAIR_STATS_WIDTH), "float32")
    return call.run("truing_sequence_kl_forward")


def sequence_kl_backward(
    policy, ref, target, *, grad_log_ratio=None, grad_kl=None, policy_transform=None, ref_transform=None, mask=None,
    ignore_index=None, cu_seqlens=None, stats=None, grad_policy=True, stream=None, context=None,
):  # fmt: skip
    """`grad_policy` from the gradients of both sums of every sequence; `grad_policy=policy` overwrites the logits."""
    call, _ = _sequence_kl(policy, ref, target, policy_transform, ref_transform, mask, ignore_index, cu_seqlens, context, stream)
    call.read(grad_log_ratio=grad_log_ratio, grad_kl=grad_kl, stats=stats)
    call.write("grad_policy_out", "grad_policy", grad_policy, shape(policy), dtype_name(policy))
    return call.run("truing_sequence_kl_backward")


def linear_logprob(
    hidden, weight, target=None, *, mask=None, ignore_index=None, cu_seqlens=None, shift=None, bias=None,
    row_temperature=None, temperature=None, logit_scale=None, softcap=None, n_valid_vocab=None, logit_round=None,
    logprob=True, lse=False, max=False, argmax=False, entropy=False, log_sum_sq=False, mean_logit=False, is_top1=False,
    rank=False, ties=False, topk=None, topk_ids=False, topk_logprobs=False, topk_entropy=False, entropy_k=None,
    extra_ids=None, extra_logprobs=None, class_weight=None, label_smoothing=None, smoothing_form=None, z_loss=None,
    token_scaling=None, external_scale=None, eaft_alpha=None, reduction=None, normaliser=None, token_scale=False,
    row_loss=False, loss=None, grad_loss=None, grad_scale=None, grad_hidden=False, grad_weight=False, grad_bias=False,
    accumulate_hidden=False, accumulate_weight=False, stats=False, status=False, counters=False, support=None,
    lse_support=False, log_kept_mass=False, support_size=False, support_bitmask=False, support_ids=False, context=None,
):  # fmt: skip
    """The figures of :func:`logprob` for the logits `hidden` [N, D] x `weight` [V, D] transposed, which never exist;
    `grad_hidden`, `grad_weight` and `grad_bias` are the gradients of the reduced loss. `logit_round` ("bf16", "f16") rounds
    the logits before their transforms."""
    wanted = dict(locals())
    flags = _flags(has_ignore_index=ignore_index is not None, has_grad_scale=grad_scale is not None,
                   accumulate_hidden=accumulate_hidden, accumulate_weight=accumulate_weight)  # fmt: skip
    call = Call(_abi.truing_linear_logprob_forward_args, hidden, context, flags)
    call.read(head__hidden=hidden, head__weight=weight, grad_loss=grad_loss)
    call.set(grad_scale=grad_scale)
    _common(call, "head__", wanted)
    _all_figures(call, shape(hidden)[:-1], -(-shape(weight)[0] // 32), wanted)
    _head_grads(call, hidden, weight, bias, grad_hidden, grad_weight, grad_bias)
    return call.run("truing_linear_logprob_forward")


def linear_logprob_backward(
    hidden, weight, target=None, *, grad_logprob=None, grad_lse=None, grad_entropy=None, grad_extra=None, extra_ids=None,
    grad_row_loss=None, grad_loss=None, grad_scale=None, mask=None, ignore_index=None, cu_seqlens=None, shift=None,
    bias=None, row_temperature=None, temperature=None, logit_scale=None, softcap=None, n_valid_vocab=None,
    logit_round=None, class_weight=None, label_smoothing=None, smoothing_form=None, z_loss=None, token_scaling=None,
    external_scale=None, eaft_alpha=None, reduction=None, normaliser=None, stats=None, recompute=False,
    grad_hidden=True, grad_weight=True, grad_bias=False, accumulate_hidden=False, accumulate_weight=False, status=False,
    support=None, shard=None, context=None,
):  # fmt: skip
    """Gradients of hidden, weight and bias from the gradients of the figures. With `shard` = (vocab_start, vocab_end,
    vocab_total) the weight holds these columns, and `grad_hidden` is a partial sum."""
    wanted = dict(locals())
    flags = _flags(has_ignore_index=ignore_index is not None, recompute=recompute, accumulate_hidden=accumulate_hidden,
                   accumulate_weight=accumulate_weight, has_grad_scale=grad_scale is not None)  # fmt: skip
    call = Call(_abi.truing_linear_logprob_backward_args, hidden, context, flags)
    call.read(head__hidden=hidden, head__weight=weight, stats=stats)
    _common(call, "head__", wanted)
    _upstream(call, wanted)
    _head_grads(call, hidden, weight, bias, grad_hidden, grad_weight, grad_bias)
    call.write("out_status", "status", status, shape(hidden)[:-1], "uint32")
    return call.run("truing_linear_logprob_backward")


def linear_logprob_local(
    hidden, weight, target=None, *, shard, mask=None, ignore_index=None, cu_seqlens=None, shift=None, bias=None,
    row_temperature=None, temperature=None, logit_scale=None, softcap=None, n_valid_vocab=None, logit_round=None,
    class_weight=None, label_smoothing=None, smoothing_form=None, support=None, stats=None, sums=False, topk=None,
    extra_ids=None, records=None, support_records=False, status=False, context=None,
):  # fmt: skip
    """:func:`logprob_local` for the columns of `weight` [V_local, D]; :func:`logprob_finish` takes what it gives."""
    wanted = dict(locals())
    flags = _flags(has_ignore_index=ignore_index is not None, record_sums=sums)
    call = Call(_abi.truing_linear_logprob_local_args, hidden, context, flags)
    call.read(head__hidden=hidden, head__weight=weight)
    _common(call, "head__", wanted)
    _local(call, shape(hidden)[:-1], wanted)
    return call.run("truing_linear_logprob_local")


def _score(call, score, divisor, normaliser, token_weights, ld_prefix, ld_alpha, clamp):
    call.set(score__kind=enum("score", "SCORE", score), score__divisor=enum("divisor", "DIVISOR", divisor),
             score__normaliser=normaliser, score__ld_alpha=ld_alpha)  # fmt: skip
    if clamp is not None:
        call.set(score__clamp_low=clamp[0], score__clamp_high=clamp[1])
    call.read(score__token_weights=token_weights, score__ld_prefix=ld_prefix)


def _sequences(tokens, cu_seqlens):
    return shape(cu_seqlens)[0] - 1 if cu_seqlens is not None else shape(tokens)[0]


def sequence(
    logps, ref_logps=None, *, score, mask=None, cu_seqlens=None, divisor=None, normaliser=None, token_weights=None,
    ld_prefix=None, ld_alpha=None, ld_policy_only=False, clamp=None, scores=True, counts=False, first=False, last=False,
    status=False, counters=False, stream=None, context=None,
):  # fmt: skip
    """Scores of sequences from token log-probs [B, T], or [N] with `cu_seqlens` [B + 1]. `score`: "sum", "mean" or "ld"."""
    flags = _flags(has_clamp=clamp is not None, ld_policy_only=ld_policy_only)
    call = Call(_abi.truing_sequence_forward_args, logps, context, flags, stream)
    call.read(logps=logps, ref_logps=ref_logps, mask=mask, cu_seqlens=cu_seqlens)
    _score(call, score, divisor, normaliser, token_weights, ld_prefix, ld_alpha, clamp)
    b = (_sequences(logps, cu_seqlens),)
    call.write("out_scores", "scores", scores, b, "float64")
    for name, want in (("counts", counts), ("first", first), ("last", last)):
        call.write("out_" + name, name, want, b, "int32")
    call.write("out_status", "status", status, b, "uint32")
    call.write("out_counters", "counters", counters, (32,), "int64")
    return call.run("truing_sequence_forward")


def sequence_backward(
    grad_scores, logps, ref_logps=None, *, score, mask=None, cu_seqlens=None, divisor=None, normaliser=None,
    token_weights=None, ld_prefix=None, ld_alpha=None, ld_policy_only=False, clamp=None, grad_output=None,
    grad_scale=None, grad_logps=True, grad_ref_logps=False, stream=None, context=None,
):  # fmt: skip
    """Gradients of the tokens of :func:`sequence`."""
    flags = _flags(has_clamp=clamp is not None, ld_policy_only=ld_policy_only, has_grad_scale=grad_scale is not None)
    call = Call(_abi.truing_sequence_backward_args, logps, context, flags, stream)
    call.read(logps=logps, ref_logps=ref_logps, mask=mask, cu_seqlens=cu_seqlens, grad_scores=grad_scores,
              grad_output=grad_output)  # fmt: skip
    call.set(grad_scale=grad_scale)
    _score(call, score, divisor, normaliser, token_weights, ld_prefix, ld_alpha, clamp)
    call.write("grad_logps_out", "grad_logps", grad_logps, shape(logps), "float32")
    call.write("grad_ref_logps_out", "grad_ref_logps", grad_ref_logps, shape(logps), "float32")
    return call.run("truing_sequence_backward")


def _fill_loss(
    call, place, entry, params, *, reduction=None, weight=None, normaliser=None, score_kind=None, map=None, map_alpha=None,
    map_max_exponent=None, variant=None,
):  # fmt: skip
    place.params, place.num_params = _catalog.params(entry, params)
    place.id = entry.id
    place.reduction = enum("reduction", "REDUCE", reduction)
    place.score_kind = enum("score_kind", "SCORE", score_kind)
    place.map = enum("map", "MAP", map)
    place.variant = _catalog.variant(entry, variant)
    call.set(place, normaliser=normaliser, map_alpha=map_alpha, map_max_exponent=map_max_exponent, weight=weight)
    if weight is not None:
        place.flags = _abi.TRUING_LOSS_HAS_WEIGHT


def _terms(call, extra_terms):
    """Further terms: dicts with `loss`, `reduction` and whatever else `truing_loss` has."""
    if not extra_terms:
        return
    array = (_abi.truing_preference_term * len(extra_terms))()
    for place, term in zip(array, extra_terms):
        term = dict(term)
        _fill_loss(call, place.loss, _catalog.entry(term.pop("loss")), term.pop("params", None), **term)
    call.keep.append(array)
    call.args.extra_terms, call.args.num_extra_terms = array, len(extra_terms)
    call.args.extra_term_size = ctypes.sizeof(_abi.truing_preference_term)


_GROUPS = {name for name, kind in _abi.truing_groups._fields_ if kind is ctypes.POINTER(_abi.truing_tensor)}


def _named(groups):
    for name in groups:
        if name not in _GROUPS and name != "layout":
            raise TypeError(f"unknown keyword {name!r}")


def _groups(call, entry, sequences, groups, outputs):
    """Fields of `truing_groups`, and the outputs whose shapes follow from them."""
    groups = dict(groups)
    layout = groups.pop("layout", None)
    if layout is None and groups.get("chosen_seq") is not None:
        layout = "indexed"
    call.set(groups__layout=enum("layout", "LAYOUT", layout))
    _named(groups)
    for name, value in groups.items():
        call.read(**{"groups__" + name: value})
    chosen, offsets, members = (groups.get(n) for n in ("chosen_seq", "list_offsets", "member_seq"))
    pair, lists = entry.kind == "pair", entry.kind == "list"
    if lists:
        items = (shape(offsets)[0] - 1 if offsets is not None else 0,)
        rewards = shape(members) if members is not None else (sequences,)
    else:
        per = 1 if not pair else 3 if entry.inputs & _abi.TRUING_SLOT_ANCHOR else 2
        items = rewards = shape(chosen) if chosen is not None else (sequences // per,)
    s = (sequences,)
    places = {
        "loss": ("outputs.out_loss", (), "float64"),
        "losses": ("items.out_losses", items, "float64"),
        "reward_chosen": ("items.out_reward_chosen", rewards, "float64"),
        "reward_rejected": ("items.out_reward_rejected", items, "float64"),
        "grad_scores": ("outputs.grad_scores_out", s, "float64"),
        "grad_kl": ("outputs.grad_kl_out", s, "float64"),
        "grad_margin": ("items.grad_margin_out", items, "float64"),
        "grad_margin_chosen": ("items.grad_margin_chosen_out", items, "float64"),
        "grad_margin_rejected": ("items.grad_margin_rejected_out", items, "float64"),
        "grad_baseline": ("items.grad_baseline_out", items, "float64"),
        "grad_params": ("items.grad_params_out", (len(entry.params),), "float64"),
        "aux": ("items.out_aux", items, "float64"),
        "statistics": ("items.out_statistics", (_abi.TRUING_PREFERENCE_STAT_COUNT,), "float64"),
        "status": ("items.out_status", items, "uint32"),
        "counters": ("outputs.out_counters", (32,), "int64"),
    }
    for name, (path, form, dtype) in places.items():
        call.write(path, name, outputs[name], form, dtype)


def preference(
    loss, scores, ref_scores=None, *, reduction, params=None, variant=None, lengths=None, kl=None, score_kind=None, weight=None,
    normaliser=None, term_score_kind=None, map=None, map_alpha=None, map_max_exponent=None, extra_terms=None,
    grad_output=None, grad_scale=None, skip_flagged=False, accumulate_grads=False, out_loss=True, losses=False, reward_chosen=False, reward_rejected=False, grad_scores=True, grad_kl=False,
    grad_margin=False, grad_margin_chosen=False, grad_margin_rejected=False, grad_baseline=False, grad_params=False, aux=False,
    statistics=False, status=False, counters=False, stream=None, context=None, **groups,
):  # fmt: skip
    """Loss and partials of sequence scores [S] for a pair, unpaired or list entry of the catalogue.

    `groups` are the fields of `truing_groups`: `layout` ("interleaved", "stacked") or `chosen_seq` and `rejected_seq` for
    pairs, `label` for rows, `list_offsets` for lists, `item_weight`, `item_mask`, `item_beta`, margins and so on. `variant`:
    name of the entry's variant, or its number from 1 on. `accumulate_grads`: loss, `grad_scores` and `grad_kl` are added to the arrays given.
    """
    entry = _catalog.entry(loss)
    flags = _flags(skip_flagged=skip_flagged, accumulate_grads=accumulate_grads, has_grad_scale=grad_scale is not None)
    call = Call(_abi.truing_preference_forward_args, scores, context, flags, stream)
    call.read(scores=scores, ref_scores=ref_scores, lengths=lengths, kl=kl, grad_output=grad_output)
    call.set(grad_scale=grad_scale, score_kind=enum("score_kind", "SCORE", score_kind))
    _fill_loss(call, call.args.loss, entry, params, reduction=reduction, weight=weight, normaliser=normaliser,
               score_kind=term_score_kind, map=map, map_alpha=map_alpha, map_max_exponent=map_max_exponent, variant=variant)  # fmt: skip
    _terms(call, extra_terms)
    outputs = dict(
        loss=out_loss if reduction != "none" or out_loss is not True else False, losses=losses,
        reward_chosen=reward_chosen, reward_rejected=reward_rejected, grad_scores=grad_scores, grad_kl=grad_kl,
        grad_margin=grad_margin, grad_margin_chosen=grad_margin_chosen, grad_margin_rejected=grad_margin_rejected,
        grad_baseline=grad_baseline, grad_params=grad_params, aux=aux, statistics=statistics,
        status=status, counters=counters,
    )  # fmt: skip
    _groups(call, entry, shape(scores)[0], groups, outputs)
    return call.run("truing_preference_forward")


def linear_preference(
    loss, hidden, weight, target, ref_scores=None, *, score, phase, reduction=None, params=None, variant=None, ref_logps=None, mask=None,
    ignore_index=None, cu_seqlens=None, bias=None, row_temperature=None, temperature=None, logit_scale=None,
    softcap=None, n_valid_vocab=None, logit_round=None, divisor=None, normaliser=None, token_weights=None, ld_prefix=None, ld_alpha=None,
    ld_policy_only=False, clamp=None, loss_weight=None, loss_normaliser=None, term_score_kind=None, map=None,
    map_alpha=None, map_max_exponent=None, extra_terms=None,
    score_coefficients=None, stats=None, recompute=False, grad_output=None, grad_scale=None, skip_flagged=False,
    grad_hidden=None, grad_weight=None, grad_bias=False, accumulate_hidden=False, accumulate_weight=False, logps=False,
    scores=False, counts=False, out_stats=False, row_status=False, out_loss=None, losses=False, reward_chosen=False,
    reward_rejected=False, grad_scores=False, grad_kl=False, grad_margin=False, grad_baseline=False, grad_params=False,
    aux=False, statistics=False, status=False, counters=False, ref_hidden=None, ref_weight=None, ref_bias=None, ref_row_temperature=None, ref_temperature=None,
    ref_logit_scale=None, ref_softcap=None, ref_logit_round=None, side_coef=None, side_scope=None, side_divisor=None, side_normaliser=None,
    side_mask=None, side_divergence=None, ref_scores_out=False, kl=False, side_term=False, wpo=None, kl_coefficients=None,
    pair_stats=None, out_pair_stats=False, grad_margin_chosen=False, grad_margin_rejected=False, context=None, **groups,
):  # fmt: skip
    """Preference loss of hidden states [N, D] (or [S, T, D]) and a head [V, D], and the gradients of both.

    `ref_hidden`, `ref_weight`: the reference's head over the same tokens, which tdpo1 and tdpo2 need. `side_coef`: factor of
    an NLL beside the loss, over `side_scope` ("chosen", "anchor" or "masked") and `side_divisor` ("pooled", "row_mean",
    "external" with `side_normaliser`, "item_sum"); with `side_divergence` ("forward_kl" or "reverse_kl", KL(policy||ref)) of
    that divergence to the reference head. `logit_round`, `ref_logit_round` ("bf16", "f16"): what logits are rounded to before
    their transforms, as a sampler's head does. `wpo`: pairs weighted by the policy's own probabilities, "trl" or "plain".

    `phase`: "single" (loss and gradients), "figures" (scores, and with a reference head `kl` and `out_pair_stats`) or
    "with_coefficients" (gradients from `score_coefficients` and, with the head, `kl_coefficients`). `grad_hidden` and `grad_weight` are on, except in phase "figures". `groups`: see
    :func:`preference`.
    """
    entry = _catalog.entry(loss) if loss is not None else None
    single, gradients = phase == "single", phase != "figures"
    flags = _flags(
        has_ignore_index=ignore_index is not None, recompute=recompute, has_clamp=clamp is not None,
        ld_policy_only=ld_policy_only, skip_flagged=skip_flagged, accumulate_hidden=accumulate_hidden,
        accumulate_weight=accumulate_weight, has_grad_scale=grad_scale is not None,
    )  # fmt: skip
    call = Call(_abi.truing_linear_preference_args, hidden, context, flags)
    call.read(head__hidden=hidden, head__weight=weight, rows__cu_seqlens=cu_seqlens, ref_logps=ref_logps,
              ref_scores=ref_scores, score_coefficients=score_coefficients, kl_coefficients=kl_coefficients, stats=stats,
              pair_stats=pair_stats, grad_output=grad_output)  # fmt: skip
    call.set(phase=enum("phase", "PHASE", phase), grad_scale=grad_scale, wpo=enum("wpo", "WPO", wpo))
    _transform(call, "head__", bias, row_temperature, temperature, logit_scale, softcap, n_valid_vocab)
    _rows(call, target, mask, ignore_index)
    _score(call, score, divisor, normaliser, token_weights, ld_prefix, ld_alpha, clamp)
    call.read(ref_head__hidden=ref_hidden, ref_head__weight=ref_weight, side_term__mask=side_mask)
    _transform(call, "ref_head__", ref_bias, ref_row_temperature, ref_temperature, ref_logit_scale, ref_softcap, None)
    _head_round(call, logit_round, ref_logit_round)
    call.set(side_term__coef=side_coef, side_term__scope=enum("side_scope", "SIDE", side_scope),
             side_term__divisor=enum("side_divisor", "SIDE_DIVISOR", side_divisor),
             side_term__normaliser=side_normaliser,
             side_term__divergence=enum("side_divergence", "DIVERGENCE", side_divergence))  # fmt: skip
    s = (_sequences(target, cu_seqlens),)
    outputs = dict(
        loss=single if out_loss is None else out_loss, losses=losses, reward_chosen=reward_chosen,
        reward_rejected=reward_rejected, grad_scores=grad_scores, grad_kl=grad_kl, grad_margin=grad_margin,
        grad_baseline=grad_baseline, grad_params=grad_params, aux=aux, statistics=statistics, status=status, counters=counters,
        grad_margin_chosen=grad_margin_chosen, grad_margin_rejected=grad_margin_rejected,
    )  # fmt: skip
    if single:
        if entry is None:
            refuse("loss", "None", "an entry of the catalogue in phase single")
        _fill_loss(call, call.args.loss, entry, params, reduction=reduction, weight=loss_weight,
                   normaliser=loss_normaliser, score_kind=term_score_kind, map=map, map_alpha=map_alpha,
                   map_max_exponent=map_max_exponent, variant=variant)  # fmt: skip
        _terms(call, extra_terms)
        _groups(call, entry, s[0], groups, outputs)
    else:
        _named(groups)
        for name, want in outputs.items():
            if want is not None and want is not False:
                refuse(name, "an output", f"none of the loss in phase {phase}")
    _head_grads(call, hidden, weight, bias, gradients if grad_hidden is None else grad_hidden,
                gradients if grad_weight is None else grad_weight, grad_bias)  # fmt: skip
    call.write("out_logps", "logps", logps, shape(target), "float32")
    call.write("out_scores", "scores", scores, s, "float64")
    call.write("out_counts", "counts", counts, s, "int32")
    call.write("out_ref_scores", "ref_scores", ref_scores_out, s, "float64")
    call.write("out_kl", "kl", kl, s, "float64")
    call.write("out_side_term", "side_term", side_term, (), "float64")
    call.write("out_stats", "stats", out_stats, (*shape(target), _abi.TRUING_STATS_WIDTH), "float32")
    call.write("out_pair_stats", "pair_stats", out_pair_stats, (*shape(target), _abi.TRUING_PAIR_STATS_WIDTH), "float32")
    call.write("out_row_status", "row_status", row_status, shape(target), "uint32")
    return call.run("truing_linear_preference_forward")


def _policy_terms(call, extra_terms):
    """Further terms of a policy loss: dicts with `loss`, `level` and whatever else `truing_policy_term` has."""
    array = (_abi.truing_policy_term * len(extra_terms))()
    for place, term in zip(array, extra_terms):
        term = dict(term)
        level = term.pop("level")
        names = ("old", "ref", "advantage", "flag", "mask", "token_weights")
        call.read(place, **{name: term.pop(name) for name in names if name in term})
        place.level = enum("level", "LEVEL", level)
        place.aggregate.mode = enum("aggregate", "AGGREGATE", term.pop("aggregate", None))
        for name, words in (("count_empty", "COUNT"), ("denominator", "DENOMINATOR")):
            setattr(place.aggregate, name, enum(name, words, term.pop(name, None)))
        call.set(place.aggregate, **{name: term.pop(name, None) for name in ("normaliser", "max_length")})
        entry = _catalog.entry(term.pop("loss"), level)
        _fill_loss(call, place.loss, entry, term.pop("params", None), weight=term.pop("weight", None),
                   variant=term.pop("variant", None))  # fmt: skip
        for name in term:
            raise TypeError(f"unexpected key {name!r} of a term")
    call.keep.append(array)
    call.args.inputs.extra_terms, call.args.inputs.num_extra_terms = array, len(extra_terms)
    call.args.inputs.extra_term_size = ctypes.sizeof(_abi.truing_policy_term)


def _policy(call, entry, level, aggregate, given):
    """The fields of `truing_policy_inputs`, taken out of `given`; what is left is returned."""
    take = lambda *names: {f"inputs__{n}": given.pop(n) for n in names if n in given}  # noqa: E731
    call.read(**take("old", "ref", "sampler", "kl_ref", "advantage", "flag", "log_z", "mask", "keep", "sequence_keep",
                     "entropy_mask", "kl_mask", "token_weights", "importance_weight", "cu_seqlens"))  # fmt: skip
    extra_terms = given.pop("extra_terms", None) or ()
    if extra_terms:
        _policy_terms(call, extra_terms)
    # shapes and defaults of outputs follow from these
    given["num_terms"] = 3 + len(extra_terms)
    given["groups"] = given.pop("group_offsets", None)
    call.read(inputs__group_offsets=given["groups"])
    if aggregate == "none":
        given.setdefault("out_loss", False)
    fields = dict(
        inputs__level=enum("level", "LEVEL", level),
        inputs__advantage_level=enum("advantage_level", "LEVEL", given.pop("advantage_level", None)),
        inputs__aggregate__mode=enum("aggregate", "AGGREGATE", aggregate),
        inputs__entropy_coef=given.pop("entropy_coef", None),
    )
    for prefix, place in (("", "aggregate"), ("entropy_", "entropy_aggregate")):
        for name, words in (("count_empty", "COUNT"), ("denominator", "DENOMINATOR")):
            fields[f"inputs__{place}__{name}"] = enum(prefix + name, words, given.pop(prefix + name, None))
        for name in ("normaliser", "max_length"):
            fields[f"inputs__{place}__{name}"] = given.pop(prefix + name, None)
    fields["inputs__entropy_aggregate__mode"] = enum("entropy_aggregate", "AGGREGATE", given.pop("entropy_aggregate", None))
    kl = given.pop("kl", None)
    fields["inputs__kl__id"] = None if kl is None else _catalog.entry(kl).id
    for name, words in (("weight", "ESTIMATOR"), ("gradient", "GRADIENT"), ("input_clamp_mode", "CLAMP"),
                        ("ratio_source", "RATIO"), ("stage", "KL")):  # fmt: skip
        fields[f"inputs__kl__{name}"] = enum("kl_" + name, words, given.pop("kl_" + name, None))
    fields["inputs__kl__divergence"] = enum("kl_divergence", "DIVERGENCE", given.pop("kl_divergence", None))
    for name in ("coef", "input_clamp", "output_clamp", "ratio_max"):
        fields[f"inputs__kl__{name}"] = given.pop("kl_" + name, None)
    call.set(**fields)
    if entry is not None:
        _fill_loss(call, call.args.inputs.loss, entry, given.pop("params", None), variant=given.pop("variant", None))
    return given


def _policy_outputs(call, entry, n, b, wanted):
    kind, groups = None if entry is None else entry.kind, wanted.pop("groups")
    values = {"sequence": b, "list": (None if groups is None else shape(groups)[0] - 1,)}.get(kind, n)
    call.write("outputs.out_loss", "loss", wanted.pop("out_loss", True), (), "float64")
    call.write("outputs.out_values", "values", wanted.pop("values", False), values,
               "float64" if kind in ("sequence", "list") else "float32")  # fmt: skip
    call.write("outputs.out_kl", "kl", wanted.pop("out_kl", False), n, "float32")
    call.write("outputs.out_terms", "terms", wanted.pop("terms", False), (wanted.pop("num_terms"),), "float64")
    call.write("outputs.grad_log_z_out", "grad_log_z", wanted.pop("grad_log_z", False), b, "float32")
    call.write("outputs.out_statistics", "statistics", wanted.pop("statistics", False), (_abi.TRUING_POLICY_STAT_COUNT,),
               "float64")  # fmt: skip
    call.write("outputs.out_token_status", "token_status", wanted.pop("token_status", False), n, "uint32")
    call.write("outputs.out_sequence_status", "sequence_status", wanted.pop("sequence_status", False), b, "uint32")
    call.write("outputs.out_counters", "counters", wanted.pop("counters", False), (32,), "int64")
    for name in wanted:
        raise TypeError(f"unexpected keyword {name!r}")


def policy(
    loss, logps, old=None, *, level, aggregate, params=None, variant=None, entropy=None, topk_entropy=None, grad_output=None,
    grad_scale=None, grad_logps=True, grad_entropy=False, kl_values=None, grad_kl=False, stream=None, context=None, **more,
):  # fmt: skip
    """Loss and `grad_logps` of token log-probs [B, T] (or [N] with `cu_seqlens`) for a token, sequence, list or estimator
    entry.

    `level`: "token" or "sequence"; with "sequence" a name is that of a sequence entry. `aggregate`: "token_mean",
    "seq_mean_token_sum" and so on (`TRUING_AGGREGATE_*`), with `count_empty`, `denominator`, `normaliser`, `max_length`;
    "none": `values` only, and `grad_output` has an element for each. `group_offsets` [G+1]: sequences of the lists that a
    list entry reads. `entropy`: of all tokens, for the bonus, and what eaft reads unless `topk_entropy` is given. `extra_terms`: dicts with `loss`, `level`, and as they are needed `params`, `variant`, `weight`,
    `aggregate` and what belongs to it, `old`, `ref`, `advantage`, `flag`, `mask`, `token_weights`.
    `more`, inputs: `advantage` ([B, T] by token, [B] by sequence; packed, [N] or [B], where `advantage_level` tells them
    apart if N = B), `ref`, `sampler`, `kl_ref`, `flag`, `log_z`, `mask`, `keep`, `sequence_keep`, `entropy_mask`, `kl_mask`,
    `token_weights`, `importance_weight`, `cu_seqlens`; the KL term: `kl` (an estimator) and `kl_weight`, `kl_gradient`,
    `kl_coef`, `kl_input_clamp`, `kl_input_clamp_mode`, `kl_output_clamp`, `kl_ratio_max`, `kl_ratio_source`, `kl_stage`,
    or in place of an estimator `kl_values` (such as exact divergences; `grad_kl`: their gradient) with `kl_coef` and `kl_stage`;
    the entropy bonus: `entropy_coef`, `entropy_aggregate`, `entropy_denominator`, ...; outputs: `out_loss` (on), `values`,
    `out_kl`, `terms`, `grad_log_z`, `statistics`, `token_status`, `sequence_status`, `counters`.
    """
    entry = _catalog.entry(loss, level)
    call = Call(_abi.truing_policy_forward_args, logps, context, _flags(has_grad_scale=grad_scale is not None), stream)
    n, b = shape(logps), (_sequences(logps, more.get("cu_seqlens")),)
    call.read(logps=logps, entropy=entropy, topk_entropy=topk_entropy, kl=kl_values, grad_output=grad_output)
    call.set(grad_scale=grad_scale)
    wanted = _policy(call, entry, level, aggregate, dict(more, old=old, params=params, variant=variant))
    _policy_outputs(call, entry, n, b, wanted)
    call.write("grad_logps_out", "grad_logps", grad_logps, n, "float32")
    call.write("grad_entropy_out", "grad_entropy", grad_entropy, n, "float32")
    call.write("grad_kl_out", "grad_kl", grad_kl, n, "float32")
    return call.run("truing_policy_forward")


def linear_policy(
    loss, hidden, weight, target, old=None, *, phase, level=None, aggregate=None, params=None, variant=None,
    ignore_index=None, cu_seqlens=None, bias=None, row_temperature=None, temperature=None, logit_scale=None, softcap=None,
    n_valid_vocab=None, logit_round=None, logp_coefficients=None, entropy_coefficients=None, stats=None, recompute=False, grad_output=None,
    grad_scale=None, grad_hidden=None, grad_weight=None, grad_bias=False, accumulate_hidden=False,
    accumulate_weight=False, logps=False, entropy=False, log_sum_sq=False, out_stats=False, context=None, ref_hidden=None,
    ref_weight=None, ref_bias=None, ref_row_temperature=None, ref_temperature=None, ref_logit_scale=None, ref_softcap=None,
    ref_logit_round=None, kl_coefficients=None, pair_stats=None, out_pair_stats=False, support=None, **more,
):  # fmt: skip
    """Policy loss of hidden states [N, D] (or [B, T, D]) and a head [V, D], and the gradients of both.

    `ref_hidden`, `ref_weight` and so on: a reference head over the same rows, whose log-probs are `ref` (`kl_ref` where `ref` is
    given); with `kl_divergence` ("forward_kl" or "reverse_kl", KL(policy||ref)) in the place of `kl` the KL term is exact.

    `support`: log-probs and entropies over a sampling support, as in :func:`logprob`. `logit_round`, `ref_logit_round` ("bf16",
    "f16"): what logits are rounded to before their transforms, as a sampler's head does.

    `phase`: "single" (loss and gradients), "figures" (log-probs, entropies, with `kl_divergence` also `out_kl` and
    `out_pair_stats`) or "with_coefficients" (gradients from `logp_coefficients`, `entropy_coefficients`,
    `kl_coefficients`). `more`: see :func:`policy`.
    """
    single, gradients = phase == "single", phase != "figures"
    entry = _catalog.entry(loss, level) if single else None
    flags = _flags(
        has_ignore_index=ignore_index is not None, recompute=recompute, accumulate_hidden=accumulate_hidden,
        accumulate_weight=accumulate_weight, has_grad_scale=grad_scale is not None,
    )  # fmt: skip
    call = Call(_abi.truing_linear_policy_args, hidden, context, flags)
    call.read(head__hidden=hidden, head__weight=weight, rows__cu_seqlens=cu_seqlens, logp_coefficients=logp_coefficients,
              entropy_coefficients=entropy_coefficients, kl_coefficients=kl_coefficients, stats=stats, pair_stats=pair_stats,
              grad_output=grad_output)  # fmt: skip
    call.set(phase=enum("phase", "PHASE", phase), grad_scale=grad_scale)
    _transform(call, "head__", bias, row_temperature, temperature, logit_scale, softcap, n_valid_vocab)
    call.read(ref_head__hidden=ref_hidden, ref_head__weight=ref_weight)
    _transform(call, "ref_head__", ref_bias, ref_row_temperature, ref_temperature, ref_logit_scale, ref_softcap, None)
    _head_round(call, logit_round, ref_logit_round)
    _rows(call, target, None, ignore_index)
    _support(call, support)
    n, b = shape(target), (_sequences(target, cu_seqlens),)
    wanted = _policy(call, entry, level, aggregate, dict(more, old=old, params=params, variant=variant))
    if not single:
        wanted.pop("params", None), wanted.pop("variant", None)
        wanted.setdefault("out_loss", False)
    _policy_outputs(call, entry, n, b, wanted)
    _head_grads(call, hidden, weight, bias, gradients if grad_hidden is None else grad_hidden,
                gradients if grad_weight is None else grad_weight, grad_bias)  # fmt: skip
    call.write("out_logps", "logps", logps, n, "float32")
    call.write("out_entropy", "entropy", entropy, n, "float32")
    call.write("out_log_sum_sq", "log_sum_sq", log_sum_sq, n, "float32")
    call.write("out_stats", "stats", out_stats, (*n, _abi.TRUING_STATS_WIDTH), "float32")
    call.write("out_pair_stats", "pair_stats", out_pair_stats, (*n, _abi.TRUING_PAIR_STATS_WIDTH), "float32")
    return call.run("truing_linear_policy_forward")


def kto_baseline(
    scores, ref_scores=None, *, mask=None, nonzero_only=False, sum=True, count=True, nonzero=False, baseline=True,
    context=None,
):  # fmt: skip
    """The baseline of `kto` from the scores of mismatched prompts and answers."""
    call = Call(_abi.truing_kto_baseline_args, scores, context, 0)
    call.read(scores=scores, ref_scores=ref_scores, mask=mask)
    call.set(nonzero_only=int(nonzero_only))
    call.write("out_sum", "sum", sum, (), "float64")
    call.write("out_count", "count", count, (), "int64")
    call.write("out_nonzero", "nonzero", nonzero, (), "int64")
    call.write("out_baseline", "baseline", baseline, (), "float64")
    return call.run("truing_kto_baseline")


def bco_shift(
    rewards=None, label=None, *, mode, mask=None, state=None, rate=None, shift=True, new_state=True, status=False,
    context=None,
):  # fmt: skip
    """The shift of `bco` and the running state behind it. `mode`: "balanced", "pooled" or "per_step"; `rate`: share of this
    batch in a moving average."""
    call = Call(_abi.truing_bco_shift_args, state if rewards is None else rewards, context, 0)
    call.read(rewards=rewards, label=label, mask=mask, state=state)
    call.set(mode=enum("mode", "SHIFT", mode), rate=rate)
    call.write("out_shift", "shift", shift, (), "float64")
    call.write("out_state", "state", new_state, (4,), "float64")
    call.write("out_status", "status", status, (), "uint32")
    return call.run("truing_bco_shift")


def aot_sort(
    chosen, rejected, ref_chosen=None, ref_rejected=None, *, pairing, u_order=True, v_order=True, difference=False,
    status=False, context=None,
):  # fmt: skip
    """Orders of the two samples of AOT. `pairing`: "paired" or "unpaired"."""
    call = Call(_abi.truing_aot_sort_args, chosen, context, 0)
    call.read(chosen=chosen, rejected=rejected, ref_chosen=ref_chosen, ref_rejected=ref_rejected)
    call.set(pairing=enum("pairing", "AOT", pairing))
    n = shape(chosen)
    call.write("out_u_order", "u_order", u_order, n, "int32")
    call.write("out_v_order", "v_order", v_order, n, "int32")
    call.write("out_difference", "difference", difference, n, "float64")
    call.write("out_status", "status", status, n, "uint32")
    return call.run("truing_aot_sort")


def beta_dpo_stats(
    gaps, uniforms, *, state=None, beta=None, alpha=None, rho=None, gamma=None, keep=True, used_beta=True, new_state=True,
    status=False, context=None,
):  # fmt: skip
    """Rows that `beta_dpo` keeps, its beta, and the running state. `uniforms` are the caller's draws from (0, 1)."""
    call = Call(_abi.truing_beta_dpo_stats_args, gaps, context, 0)
    call.read(gaps=gaps, uniforms=uniforms, state=state)
    _numbers(call, beta=beta, alpha=alpha, rho=rho, gamma=gamma)
    call.write("out_keep", "keep", keep, shape(gaps), "uint8")
    call.write("out_beta", "beta", used_beta, (), "float64")
    call.write("out_state", "state", new_state, (2,), "float64")
    call.write("out_status", "status", status, (), "uint32")
    return call.run("truing_beta_dpo_stats")


def wpo_weight(
    chosen, rejected, chosen_log_sum_sq=None, rejected_log_sum_sq=None, *, form, weight=True, status=False, context=None,
):  # fmt: skip
    """Weights of pairs by the policy's own probabilities, from means over tokens. `form`: "trl" or "plain"."""
    call = Call(_abi.truing_wpo_weight_args, chosen, context, 0)
    call.read(chosen=chosen, rejected=rejected, chosen_log_sum_sq=chosen_log_sum_sq,
              rejected_log_sum_sq=rejected_log_sum_sq)  # fmt: skip
    call.set(form=enum("form", "WPO", form))
    call.write("out_weight", "weight", weight, shape(chosen), "float64")
    call.write("out_status", "status", status, shape(chosen), "uint32")
    return call.run("truing_wpo_weight")


def importance_weight(
    old, sampler, *, level, action, missing, mask=None, cu_seqlens=None, low=None, high=None, normalise=None,
    token_weight=False, weights=True, keep=False, statistics=False, status=False, stream=None, context=None,
):  # fmt: skip
    """Importance weights of `old` against the engine that sampled. `level`: "token", "sequence_sum", "sequence_mean";
    `action`: "raw", "truncate", "mask"; `missing`: "one", "zero", "error"; `normalise`: "token_mean", "sequence_mean"."""
    call = Call(_abi.truing_importance_weight_args, old, context, 0, stream)
    call.read(old=old, sampler=sampler, mask=mask, cu_seqlens=cu_seqlens)
    call.set(low=low, high=high, level=enum("level", "WEIGHT_LEVEL", level), action=enum("action", "WEIGHT", action),
             missing=enum("missing", "MISSING", missing), normalise=enum("normalise", "NORMALISE", normalise),
             token_weight=int(token_weight))  # fmt: skip
    call.write("out_weights", "weights", weights, shape(old), "float32")
    call.write("out_keep", "keep", keep, shape(old), "uint8")
    call.write("out_statistics", "statistics", statistics, (8,), "float64")
    call.write("out_status", "status", status, shape(old), "uint32")
    return call.run("truing_importance_weight")


def rejection_mask(
    old, sampler, *, statistic, span, missing, mask=None, keep=None, cu_seqlens=None, low=None, high=None, out_keep=True,
    sequence_keep=False, out_statistic=False, rejected=False, stream=None, context=None,
):  # fmt: skip
    """Tokens that one criterion keeps. `statistic`: "ratio", "k1", "k2", "k3", "binary_kl", "tv"; `span`: "token",
    "sequence_sum", "sequence_mean", "sequence_max"; `keep`: what other criteria left."""
    call = Call(_abi.truing_rejection_mask_args, old, context, 0, stream)
    call.read(old=old, sampler=sampler, mask=mask, keep=keep, cu_seqlens=cu_seqlens)
    call.set(low=low, high=high, statistic=enum("statistic", "REJECTION", statistic), span=enum("span", "SPAN", span),
             missing=enum("missing", "MISSING", missing))  # fmt: skip
    b = (_sequences(old, cu_seqlens),)
    call.write("out_keep", "keep", out_keep, shape(old), "uint8")
    call.write("out_sequence_keep", "sequence_keep", sequence_keep, b, "uint8")
    call.write("out_statistic", "statistic", out_statistic, shape(old) if span == "token" else b, "float64")
    call.write("out_rejected", "rejected", rejected, (), "int64")
    return call.run("truing_rejection_mask")


def off_policy_sequence_mask(
    logps, behaviour, advantage, *, delta, mask=None, cu_seqlens=None, keep=True, mean=False, stream=None, context=None,
):  # fmt: skip
    """Sequences that are kept: those of a negative advantage only where the mean of `behaviour - logps` is at most `delta`."""
    call = Call(_abi.truing_off_policy_sequence_mask_args, logps, context, 0, stream)
    call.read(logps=logps, behaviour=behaviour, advantage=advantage, mask=mask, cu_seqlens=cu_seqlens)
    call.set(delta=delta)
    b = (_sequences(logps, cu_seqlens),)
    call.write("out_keep", "keep", keep, b, "uint8")
    call.write("out_mean", "mean", mean, b, "float64")
    return call.run("truing_off_policy_sequence_mask")


def top_entropy_mask(entropy, *, share, mask=None, keep=True, threshold=False, status=False, stream=None, context=None):
    """The share of the live tokens with the largest entropies."""
    call = Call(_abi.truing_top_entropy_mask_args, entropy, context, 0, stream)
    call.read(entropy=entropy, mask=mask)
    call.set(share=share)
    call.write("out_keep", "keep", keep, shape(entropy), "uint8")
    call.write("out_threshold", "threshold", threshold, (), "float64")
    call.write("out_status", "status", status, (), "uint32")
    return call.run("truing_top_entropy_mask")


def cov_select(
    logps, advantage, old=None, *, form, noise=None, mask=None, cu_seqlens=None, share=None, cov_low=None, cov_high=None,
    clip_low=None, clip_high=None, seed=None, first_token=None, indices=False, count=True, flag=True, keep=False,
    stream=None, context=None,
):  # fmt: skip
    """Tokens by the covariance of advantage and log-prob. `form`: "kl" (the largest) or "clip" (a draw by `seed`, or of those
    with the smallest `noise`).
    """
    call = Call(_abi.truing_cov_select_args, logps, context, 0, stream)
    call.read(logps=logps, advantage=advantage, old=old, noise=noise, mask=mask, cu_seqlens=cu_seqlens)
    call.set(form=enum("form", "COV", form), seed=seed, first_token=first_token)
    _numbers(call, share=share, cov_low=cov_low, cov_high=cov_high, clip_low=clip_low, clip_high=clip_high)
    n = shape(logps)
    call.write("out_indices", "indices", indices, n, "int64")
    call.write("out_count", "count", count, (), "int64")
    call.write("out_flag", "flag", flag, n, "uint8")
    call.write("out_keep", "keep", keep, n, "uint8")
    return call.run("truing_cov_select")


def m2po_mask(old, proximal, *, threshold, mask=None, keep=True, moment=False, dropped=False, stream=None, context=None):
    """Tokens left when those that moved most are dropped until the mean square of the others is below `threshold`."""
    call = Call(_abi.truing_m2po_mask_args, old, context, 0, stream)
    call.read(old=old, proximal=proximal, mask=mask)
    call.set(threshold=threshold)
    call.write("out_keep", "keep", keep, shape(old), "uint8")
    call.write("out_moment", "moment", moment, (), "float64")
    call.write("out_dropped", "dropped", dropped, (), "int64")
    return call.run("truing_m2po_mask")


def fipo_weight(
    logps, old, advantage, *, high_only, mask=None, cu_seqlens=None, half_life=None, clip=None, delta=None, safety=None,
    weights=True, status=False, stream=None, context=None,
):  # fmt: skip
    """Weights of tokens by the log ratios of those behind them."""
    call = Call(_abi.truing_fipo_weight_args, logps, context, 0, stream)
    call.read(logps=logps, old=old, advantage=advantage, mask=mask, cu_seqlens=cu_seqlens)
    call.set(high_only=int(high_only))
    _numbers(call, half_life=half_life, clip=clip, delta=delta, safety=safety)
    call.write("out_weights", "weights", weights, shape(logps), "float32")
    call.write("out_status", "status", status, shape(logps), "uint32")
    return call.run("truing_fipo_weight")


def _item_numbers(function, first, second, form, numbers, value, status, context):
    call = Call(_abi.truing_item_numbers_args, first, context, 0)
    call.read(first=first, second=second)
    call.set(form=enum("form", "ITEM", form))
    _numbers(call, **numbers)
    call.write("out_value", "value", value, shape(first), "float64")
    call.write("out_status", "status", status, shape(first), "uint32")
    return call.run(function)


def density_ratio(first, *, form, low=None, high=None, value=True, status=False, context=None):
    """Weights of the undesirable rows of `bco`, from probabilities (`form="probability"`) or logits ("logit")."""
    return _item_numbers("truing_density_ratio", first, None, form, dict(low=low, high=high), value, status, context)


def odpo_offset(first, second, *, form, alpha=None, value=True, status=False, context=None):
    """Margins of `odpo` from the rewards of the chosen and the rejected answers. `form`: "difference" or "ratio"."""
    return _item_numbers("truing_odpo_offset", first, second, form, dict(alpha=alpha), value, status, context)


def mm_beta(first, second=None, *, beta=None, weight=None, slope=None, value=True, status=False, context=None):
    """Betas of `mm_dpo` from the rewards of both answers, or from their gaps alone."""
    return _item_numbers("truing_mm_beta", first, second, None, dict(beta=beta, weight=weight, slope=slope), value, status, context)


def pdu_dual_step(first, second, *, step, epsilon=None, value=True, status=False, context=None):
    """Multipliers `first` of the constraints `second <= epsilon` after a step."""
    return _item_numbers("truing_pdu_dual_step", first, second, None, dict(step=step, epsilon=epsilon), value, status, context)


def head_weights(
    head, heads, *, mask=None, alpha=None, present_heads=False, weight=True, counts=True, status=False, context=None,
):  # fmt: skip
    """Weights of pairs that belong to `heads` different heads, to be summed."""
    call = Call(_abi.truing_head_weights_args, head, context, 0)
    call.read(head=head, mask=mask, alpha=alpha)
    call.set(present_heads=int(present_heads))
    call.write("out_weight", "weight", weight, shape(head), "float64")
    call.write("out_counts", "counts", counts, (heads,), "int64")
    call.write("out_status", "status", status, (), "uint32")
    return call.run("truing_head_weights")


def modpo_margin(
    weights, chosen, rejected, grad_margin=None, *, margin_chosen=True, margin_rejected=True, grad_weights=False,
    grad_chosen=False, context=None,
):  # fmt: skip
    """Margins of `modpo`, weighted sums of rewards [n, K], and the gradients of weights and rewards."""
    call = Call(_abi.truing_modpo_margin_args, chosen, context, 0)
    call.read(weights=weights, chosen=chosen, rejected=rejected, grad_margin=grad_margin)
    n = shape(chosen)[:1]
    call.write("out_margin_chosen", "margin_chosen", margin_chosen, n, "float64")
    call.write("out_margin_rejected", "margin_rejected", margin_rejected, n, "float64")
    call.write("grad_weights_out", "grad_weights", grad_weights, shape(weights), "float64")
    call.write("grad_chosen_out", "grad_chosen", grad_chosen, shape(chosen), "float64")
    return call.run("truing_modpo_margin")


def quantile_threshold(values, level, *, mask=None, threshold=True, status=False, context=None):
    """The quantile of `values` at `level`: one number, or one a row, of which the mean counts."""
    call = Call(_abi.truing_quantile_threshold_args, values, context, 0)
    call.read(values=values, mask=mask, level=level)
    call.write("out_threshold", "threshold", threshold, (), "float64")
    call.write("out_status", "status", status, (), "uint32")
    return call.run("truing_quantile_threshold")


def a_star_value(
    rewards, *, mode, beta=None, cu_seqlens=None, mask=None, value=True, share=False, status=False, context=None,
):  # fmt: skip
    """Values of prompts from rewards [P, T], or [N] with `cu_seqlens`. `mode`: "log_mean_exp", "mean", "max", "zero"."""
    call = Call(_abi.truing_a_star_value_args, rewards, context, 0)
    call.read(rewards=rewards, cu_seqlens=cu_seqlens, mask=mask)
    call.set(mode=enum("mode", "VALUE", mode))
    _numbers(call, beta=beta)
    p = (_sequences(rewards, cu_seqlens),)
    call.write("out_value", "value", value, p, "float64")
    call.write("out_share", "share", share, shape(rewards), "float64")
    call.write("out_status", "status", status, p, "uint32")
    return call.run("truing_a_star_value")


def hindsight_target(rewards, outcome, *, gamma=None, cu_seqlens=None, targets=True, context=None):
    """Rewards of steps with the discounted outcome behind them."""
    call = Call(_abi.truing_hindsight_target_args, rewards, context, 0)
    call.read(rewards=rewards, cu_seqlens=cu_seqlens, outcome=outcome)
    _numbers(call, gamma=gamma)
    call.write("out_targets", "targets", targets, shape(rewards), "float64")
    return call.run("truing_hindsight_target")


def kl_length_figures(
    logps, ref_logps=None, *, cu_seqlens=None, mask=None, quantile_levels=None, bin_edges=None, k1=True, k3=True,
    lengths=True, figures=True, quantiles=None, histogram=None, status=False, context=None,
):  # fmt: skip
    """KL by the sampled tokens and lengths; `figures` is indexed by `TRUING_KL_FIGURE_*`."""
    call = Call(_abi.truing_kl_length_figures_args, logps, context, 0)
    call.read(logps=logps, ref_logps=ref_logps, cu_seqlens=cu_seqlens, mask=mask, quantile_levels=quantile_levels,
              bin_edges=bin_edges)  # fmt: skip
    b = (_sequences(logps, cu_seqlens),)
    call.write("out_k1", "k1", k1, b, "float64")
    call.write("out_k3", "k3", k3, b, "float64")
    call.write("out_lengths", "lengths", lengths, b, "int32")
    call.write("out_figures", "figures", figures, (_abi.TRUING_KL_FIGURE_COUNT,), "float64")
    if quantile_levels is not None:
        call.write("out_quantiles", "quantiles", quantiles is None or quantiles, shape(quantile_levels), "float64")
    if bin_edges is not None:
        bins = (shape(bin_edges)[0] - 1,)
        call.write("out_histogram", "histogram", histogram is None or histogram, bins, "int64")
    call.write("out_status", "status", status, b, "uint32")
    return call.run("truing_kl_length_figures")


def ches(hidden, chosen_seq, rejected_seq, *, score, cu_seqlens=None, mask=None, value=True, status=False, context=None):
    """Centred hidden embedding similarity of pairs of answers. `score`: "sum" or "mean" of the live states."""
    call = Call(_abi.truing_ches_args, hidden, context, 0)
    call.read(hidden=hidden, cu_seqlens=cu_seqlens, mask=mask, chosen_seq=chosen_seq, rejected_seq=rejected_seq)
    call.set(score_kind=enum("score", "SCORE", score))
    call.write("out_value", "value", value, shape(chosen_seq), "float64")
    call.write("out_status", "status", status, shape(chosen_seq), "uint32")
    return call.run("truing_ches")


def _class_rows(function, logits, targets, form, numbers, rest):
    """A loss over rows of classes. `rest`: the keywords that all of them share."""
    rest = dict(rest)
    take = lambda name, default=None: rest.pop(name, default)  # noqa: E731
    reduction, grad_scale = take("reduction"), take("grad_scale")
    call = Call(_abi.truing_class_rows_args, logits, take("context"), _flags(has_grad_scale=grad_scale is not None))
    columns, ids = take("columns"), take("target_ids")
    call.read(logits=logits, columns=columns, targets=targets, target_ids=ids, threshold=take("threshold"),
              mask=take("mask"), grad_output=take("grad_output"))  # fmt: skip
    call.set(form=enum("form", "CLASS", form), reduction=enum("reduction", "REDUCE", reduction),
             normaliser=take("normaliser"), grad_scale=grad_scale)  # fmt: skip
    _numbers(call, **numbers)
    n, v = shape(logits)
    k = v if columns is None else shape(columns)[0]
    call.write("out_loss", "loss", take("loss", reduction != "none"), (), "float64")
    call.write("out_losses", "losses", take("losses", False), (n,), "float64")
    call.write("out_targets", "targets", take("out_targets", False), (n, k), "float64")
    call.write("grad_logits_out", "grad_logits", take("grad_logits", True), (n, v), dtype_name(logits))
    call.write("out_status", "status", take("status", False), (n,), "uint32")
    if rest:
        raise TypeError(f"unknown keyword {sorted(rest)[0]!r}")
    return call.run(function)


def prm_ce(logits, targets=None, **rest):
    """Cross entropy of a process reward model: `columns` are the ids of its rewards. Takes `target_ids`, `mask`,
    `reduction`, `normaliser`, `grad_output`, `grad_scale`; gives `loss`, `losses`, `targets`, `grad_logits`, `status`."""
    return _class_rows("truing_prm_ce", logits, targets, None, {}, rest)


def rps(logits, targets=None, *, form, **rest):
    """Ranked probability score of ordered classes; `form`: "mean" (over K - 1) or "sum". The rest as :func:`prm_ce`."""
    return _class_rows("truing_rps", logits, targets, form, {}, rest)


def brier(logits, targets=None, *, form, **rest):
    """Brier score; `form`: "mean" (over K) or "sum". The rest as :func:`prm_ce`."""
    return _class_rows("truing_brier", logits, targets, form, {}, rest)


def confidence_ce(logits, targets=None, *, threshold, confidence, **rest):
    """Cross entropy to weak labels mixed with the student's own hard ones. The rest as :func:`prm_ce`."""
    rest["threshold"] = threshold
    return _class_rows("truing_confidence_ce", logits, targets, None, dict(confidence=confidence), rest)


def product_target(logits, targets=None, *, own=None, label=None, **rest):
    """Cross entropy to the product of the student's and the weak labels. The rest as :func:`prm_ce`."""
    return _class_rows("truing_product_target", logits, targets, None, dict(own=own, label=label), rest)


def pdu_flatten(logits, **rest):
    """Squared gap between the largest logit and the mean. The rest as :func:`prm_ce`, without targets."""
    return _class_rows("truing_pdu_flatten", logits, None, None, {}, rest)


def prm_mse(
    predictions, targets, *, reduction, cu_seqlens=None, mask=None, normaliser=None, grad_output=None, grad_scale=None,
    loss=None, losses=False, grad_predictions=True, status=False, context=None,
):  # fmt: skip
    """Squared error of a process reward model: mean over the steps of a sample, then over samples."""
    call = Call(_abi.truing_prm_mse_args, predictions, context, _flags(has_grad_scale=grad_scale is not None))
    call.read(predictions=predictions, targets=targets, cu_seqlens=cu_seqlens, mask=mask, grad_output=grad_output)
    call.set(reduction=enum("reduction", "REDUCE", reduction), normaliser=normaliser, grad_scale=grad_scale)
    b = (_sequences(predictions, cu_seqlens),)
    call.write("out_loss", "loss", reduction != "none" if loss is None else loss, (), "float64")
    call.write("out_losses", "losses", losses, b, "float64")
    call.write("grad_predictions_out", "grad_predictions", grad_predictions, shape(predictions), dtype_name(predictions))
    call.write("out_status", "status", status, b, "uint32")
    return call.run("truing_prm_mse")


def preference_orchestrator(
    rewards=None, *, log_target=None, scores=None, values=None, temperature=None, direction=None, out_log_target=None,
    weights=None, kl=None, combined=None, grad_scores_kl=None, grad_scores_combined=None, status=False, context=None,
):  # fmt: skip
    """Weights of objectives by prompt: target, KL (`direction`: "target_to_weights" or "weights_to_target"), combination.

    An output that is left at None is computed where its inputs are there."""
    inputs = (rewards, log_target, scores, values)
    first = next((x for x in inputs if x is not None), None)
    call = Call(_abi.truing_preference_orchestrator_args, first, context, 0)
    call.read(rewards=rewards, log_target=log_target, scores=scores, values=values)
    call.set(direction=enum("direction", "DIRECTION", direction))
    _numbers(call, temperature=temperature)
    both = direction is not None and scores is not None
    mixed = scores is not None and values is not None
    rows = shape(first) if first is not None else (0, 0)
    places = [
        ("out_log_target", "log_target", out_log_target, rewards is not None, rows),
        ("out_weights", "weights", weights, scores is not None, rows),
        ("out_kl", "kl", kl, both, rows[:1]),
        ("out_combined", "combined", combined, mixed, rows[:1]),
        ("grad_scores_kl_out", "grad_scores_kl", grad_scores_kl, both, rows),
        ("grad_scores_combined_out", "grad_scores_combined", grad_scores_combined, mixed, rows),
    ]
    for path, name, want, possible, form in places:
        call.write(path, name, possible if want is None else want, form, "float64")
    call.write("out_status", "status", status, rows[:1], "uint32")
    return call.run("truing_preference_orchestrator")


# ---- advantages and returns


def _members(call, group_offsets, group_ids, num_groups):
    call.read(group_offsets=group_offsets, group_ids=group_ids)
    call.set(num_groups=num_groups)
    return (num_groups if group_offsets is None else shape(group_offsets)[0] - 1,)


def _settings(call, preset, baseline, scale, std_kind, eps_kind, single):
    call.set(
        preset=enum("preset", "ADVANTAGE", preset), baseline=enum("baseline", "BASELINE", baseline),
        scale=enum("scale", "SCALE", scale), std_kind=enum("std_kind", "STD", std_kind),
        eps_kind=enum("eps_kind", "EPS", eps_kind), single=enum("single", "SINGLE", single),
    )  # fmt: skip


def group_advantage(
    rewards, group_offsets=None, *, group_ids=None, num_groups=None, lengths=None, preset=None, baseline=None, scale=None,
    std_kind=None, eps_kind=None, single=None, eps=None, f_norm=None, advantages=True, mean=False, std=False, status=False,
    stream=None, context=None,
):  # fmt: skip
    """Advantage of every row from the rewards of its group; NaN is a missing reward.

    Groups: `group_offsets` [G+1], or `group_ids` [B] and `num_groups`. `preset`: "grpo", "grpo_batch_std", "dr_grpo", "rloo",
    "grpo_loo", "batch_baseline", "opo" (with `lengths`), "gpg", "max_rl", "raw"; what is given beside it wins.
    """
    call = Call(_abi.truing_group_advantage_args, rewards, context, stream=stream)
    call.read(rewards=rewards, lengths=lengths)
    groups = _members(call, group_offsets, group_ids, num_groups)
    _settings(call, preset, baseline, scale, std_kind, eps_kind, single)
    _numbers(call, eps=eps, f_norm=f_norm)
    return _of_groups(call, "truing_group_advantage", rewards, groups, advantages, mean, std, status)


def pass_k_advantage(
    rewards, group_offsets=None, *, group_ids=None, num_groups=None, scale=None, std_kind=None, eps_kind=None, eps=None,
    advantages=True, mean=False, std=False, status=False, stream=None, context=None,
):  # fmt: skip
    """The best row of every group gets its distance to the second over the group's deviation (`scale` "none": as it is)."""
    call = Call(_abi.truing_group_advantage_args, rewards, context, stream=stream)
    call.read(rewards=rewards)
    groups = _members(call, group_offsets, group_ids, num_groups)
    _settings(call, None, None, scale, std_kind, eps_kind, None)
    _numbers(call, eps=eps)
    return _of_groups(call, "truing_pass_k_advantage", rewards, groups, advantages, mean, std, status)


def _of_groups(call, function, rewards, groups, advantages, mean, std, status):
    call.write("out_advantages", "advantages", advantages, shape(rewards), _real(rewards))
    call.write("out_mean", "mean", mean, groups, "float64")
    call.write("out_std", "std", std, groups, "float64")
    call.write("out_status", "status", status, groups, "uint32")
    return call.run(function)


def _objectives(rewards, weights, group_offsets, group_ids, num_groups, lengths, order, preset, baseline, scale, std_kind,
                eps_kind, single, batch_step, eps, f_norm, batch_eps, context, stream=None):  # fmt: skip
    call = Call(_abi.truing_multi_objective_advantage_args, rewards, context, stream=stream)
    call.read(rewards=rewards, weights=weights, lengths=lengths)
    _members(call, group_offsets, group_ids, num_groups)
    _settings(call, preset, baseline, scale, std_kind, eps_kind, single)
    call.set(order=enum("order", "ORDER", order), batch_step=enum("batch_step", "BATCH_STEP", batch_step))
    _numbers(call, eps=eps, f_norm=f_norm, batch_eps=batch_eps)
    return call


def multi_objective_advantage(
    rewards, weights=None, group_offsets=None, *, order, group_ids=None, num_groups=None, lengths=None, preset=None,
    baseline=None, scale=None, std_kind=None, eps_kind=None, single=None, batch_step=None, eps=None, f_norm=None,
    batch_eps=None, advantages=True, combined=False, status=False, stream=None, context=None,
):  # fmt: skip
    """Advantage of every row from its rewards [B, K], weighted by `weights` [K] or [B, K].

    `order`: "sum_first" (GRPO; centred only with preset "dr_grpo") or "normalise_first" (GDPO), then `batch_step`: "none",
    "standardise" or "scale". The rest as in :func:`group_advantage`, of the sum or of each objective.
    """
    call = _objectives(rewards, weights, group_offsets, group_ids, num_groups, lengths, order, preset, baseline, scale,
                       std_kind, eps_kind, single, batch_step, eps, f_norm, batch_eps, context, stream)  # fmt: skip
    rows = shape(rewards)[:1]
    call.write("out_advantages", "advantages", advantages, rows, _real(rewards))
    call.write("out_combined", "combined", combined, rows, "float64")
    call.write("out_status", "status", status, rows, "uint32")
    return call.run("truing_multi_objective_advantage_forward")


def multi_objective_advantage_backward(
    grad_advantages, rewards, weights=None, group_offsets=None, *, order, group_ids=None, num_groups=None, lengths=None,
    preset=None, baseline=None, scale=None, std_kind=None, eps_kind=None, single=None, batch_step=None, eps=None,
    f_norm=None, batch_eps=None, grad_weights=True, stream=None, context=None,
):  # fmt: skip
    """`grad_weights` from the gradient of the advantages."""
    call = _objectives(rewards, weights, group_offsets, group_ids, num_groups, lengths, order, preset, baseline, scale,
                       std_kind, eps_kind, single, batch_step, eps, f_norm, batch_eps, context, stream)  # fmt: skip
    call.read(grad_advantages=grad_advantages)
    form = shape(rewards)[1:] if weights is None else shape(weights)
    call.write("grad_weights_out", "grad_weights", grad_weights, form, "float64")
    return call.run("truing_multi_objective_advantage_backward")


def gae(
    rewards, values, *, masks, value_end=None, mask=None, cu_seqlens=None, gamma=None, lambda_policy=None,
    lambda_value=None, length_alpha=None, advantages=True, returns=True, status=False, stream=None, context=None,
):  # fmt: skip
    """Generalised advantage estimation of tokens [B, T] (or [N] with `cu_seqlens`), before any whitening.

    `masks`: what a masked position does to the recursion, "carry" (verl), "zero" (OpenRLHF) or "ignore" (torchtune).
    """
    call = Call(_abi.truing_gae_args, rewards, context, stream=stream)
    call.read(rewards=rewards, values=values, value_end=value_end, mask=mask, cu_seqlens=cu_seqlens)
    call.set(masks=enum("masks", "MASKS", masks))
    _numbers(call, gamma=gamma, lambda_policy=lambda_policy, lambda_value=lambda_value, length_alpha=length_alpha)
    return _returns(call, "truing_gae_forward", rewards, cu_seqlens, advantages, returns, status)


def discounted_return(
    rewards, *, masks, value_end=None, baseline=None, mask=None, cu_seqlens=None, gamma=None, returns=True,
    advantages=None, status=False, stream=None, context=None,
):  # fmt: skip
    """Discounted sums of rewards to come, `returns`; with a `baseline` [B] also `advantages`, what is above it."""
    call = Call(_abi.truing_gae_args, rewards, context, stream=stream)
    call.read(rewards=rewards, value_end=value_end, baseline=baseline, mask=mask, cu_seqlens=cu_seqlens)
    call.set(masks=enum("masks", "MASKS", masks))
    _numbers(call, gamma=gamma)
    advantages = baseline is not None if advantages is None else advantages
    return _returns(call, "truing_discounted_return_forward", rewards, cu_seqlens, advantages, returns, status)


def _returns(call, function, rewards, cu_seqlens, advantages, returns, status):
    call.write("out_advantages", "advantages", advantages, shape(rewards), _real(rewards))
    call.write("out_returns", "returns", returns, shape(rewards), _real(rewards))
    call.write("out_status", "status", status, (_sequences(rewards, cu_seqlens),), "uint32")
    return call.run(function)


def gae_backward(
    grad_advantages=None, grad_returns=None, *, masks, mask=None, cu_seqlens=None, gamma=None, lambda_policy=None,
    lambda_value=None, length_alpha=None, grad_rewards=True, grad_values=True, grad_value_end=False, stream=None, context=None,
):  # fmt: skip
    """Gradients of the rewards and values of :func:`gae`."""
    numbers = dict(gamma=gamma, lambda_policy=lambda_policy, lambda_value=lambda_value, length_alpha=length_alpha)
    return _returns_backward("truing_gae_backward", grad_advantages, grad_returns, masks, mask, cu_seqlens, numbers,
                             grad_rewards, grad_values, grad_value_end, stream, context)  # fmt: skip


def discounted_return_backward(
    grad_returns=None, grad_advantages=None, *, masks, mask=None, cu_seqlens=None, gamma=None, grad_rewards=True,
    grad_value_end=False, stream=None, context=None,
):  # fmt: skip
    """Gradients of the rewards of :func:`discounted_return`."""
    return _returns_backward("truing_discounted_return_backward", grad_advantages, grad_returns, masks, mask, cu_seqlens,
                             dict(gamma=gamma), grad_rewards, False, grad_value_end, stream, context)  # fmt: skip


def _returns_backward(function, grad_advantages, grad_returns, masks, mask, cu_seqlens, numbers, grad_rewards, grad_values,
                      grad_value_end, stream, context):  # fmt: skip
    like = grad_returns if grad_advantages is None else grad_advantages
    call = Call(_abi.truing_gae_args, like, context, stream=stream)
    call.read(grad_advantages=grad_advantages, grad_returns=grad_returns, mask=mask, cu_seqlens=cu_seqlens)
    call.set(masks=enum("masks", "MASKS", masks))
    _numbers(call, **numbers)
    call.write("grad_rewards_out", "grad_rewards", grad_rewards, shape(like), _real(like))
    call.write("grad_values_out", "grad_values", grad_values, shape(like), _real(like))
    call.write("grad_value_end_out", "grad_value_end", grad_value_end, (_sequences(like, cu_seqlens),), "float64")
    return call.run(function)


def whiten(
    values, *, std_kind, eps_kind, mask=None, counts=None, states=None, eps=None, keep_mean=False, whitened=True,
    state=False, moments=False, status=False, stream=None, context=None,
):  # fmt: skip
    """Standardised values. `std_kind`: "unbiased" or "population"; `eps_kind`: "add" and "skip_zero" (beside the deviation),
    "variance_add", "variance_max". Over ranks: `state` of each, then all of them [ranks, 3] as `states`.
    """
    call = Call(_abi.truing_whiten_args, values, context, stream=stream)
    call.read(values=values, mask=mask, counts=counts, states=states)
    call.set(std_kind=enum("std_kind", "STD", std_kind), eps_kind=enum("eps_kind", "EPS", eps_kind),
             keep_mean=int(keep_mean))  # fmt: skip
    _numbers(call, eps=eps)
    call.write("out_values", "values", whitened, shape(values), _real(values))
    call.write("out_state", "state", state, (3,), "float64")
    call.write("out_moments", "moments", moments, (2,), "float64")
    call.write("out_status", "status", status, (), "uint32")
    return call.run("truing_whiten")


def optimal_token_baseline(
    rewards, logps, log_sum_sq, group_offsets=None, *, alignment, importance_weight=None, mask=None, cu_seqlens=None,
    group_ids=None, num_groups=None, keep_tail=False, eps=None, advantages=True, baseline=False, status=False, stream=None, context=None,
):  # fmt: skip
    """Rewards to go minus a baseline for each position of a group. `alignment`: "position" (OTB) or "live_index" (TIR-OTB)."""
    call = Call(_abi.truing_optimal_token_baseline_args, rewards, context, stream=stream)
    call.read(rewards=rewards, logps=logps, log_sum_sq=log_sum_sq, importance_weight=importance_weight, mask=mask,
              cu_seqlens=cu_seqlens)  # fmt: skip
    _members(call, group_offsets, group_ids, num_groups)
    call.set(alignment=enum("alignment", "ALIGNMENT", alignment), keep_tail=int(keep_tail))
    _numbers(call, eps=eps)
    call.write("out_advantages", "advantages", advantages, shape(rewards), _real(rewards))
    call.write("out_baseline", "baseline", baseline, shape(rewards), _real(rewards))
    call.write("out_status", "status", status, (_sequences(rewards, cu_seqlens),), "uint32")
    return call.run("truing_optimal_token_baseline")


def prime_advantage(
    process_rewards=None, outcome=None, group_offsets=None, *, mask=None, cu_seqlens=None, group_ids=None, num_groups=None,
    process_coef=None, outcome_coef=None, returns=True, status=False, stream=None, context=None,
):  # fmt: skip
    """`returns` of PRIME, to be whitened: process rewards [B, T] and an outcome [B], leave-one-out by group."""
    tokens = mask if process_rewards is None else process_rewards
    call = Call(_abi.truing_prime_advantage_args, tokens, context, stream=stream)
    call.read(process_rewards=process_rewards, outcome=outcome, mask=mask, cu_seqlens=cu_seqlens)
    _members(call, group_offsets, group_ids, num_groups)
    _numbers(call, process_coef=process_coef, outcome_coef=outcome_coef)
    real = "float32" if process_rewards is None else _real(process_rewards)
    call.write("out_returns", "returns", returns, shape(tokens), real)
    call.write("out_status", "status", status, (_sequences(tokens, cu_seqlens),), "uint32")
    return call.run("truing_prime_advantage")


_DISTILL = {"opd": ("coef", "clamp"), "iw_opd": ("gain",), "rlsd": ("mix", "eps"), "minillm": ("gamma",)}


def distill_advantage(
    form, student, teacher, advantages=None, *, token_rewards=None, mask=None, cu_seqlens=None, params=None, estimator=None,
    advantage_level=None, missing_zero=False, negative_only=False, per_length=False, position_power=False,
    out_advantages=True, status=False, context=None,
):  # fmt: skip
    """A teacher's log-probs as advantages. `form` and its `params`: "opd" (coef, clamp), "iw_opd" (gain), "rlsd" (mix, eps),
    "minillm" (gamma)."""
    call = Call(_abi.truing_distill_advantage_args, student, context)
    call.read(student=student, teacher=teacher, advantages=advantages, token_rewards=token_rewards, mask=mask,
              cu_seqlens=cu_seqlens)  # fmt: skip
    call.set(
        form=enum("form", "DISTILL", form), estimator=None if estimator is None else _catalog.entry(estimator).id,
        advantage_level=enum("advantage_level", "LEVEL", advantage_level), missing_zero=int(missing_zero),
        negative_only=int(negative_only), per_length=int(per_length), position_power=int(position_power),
    )  # fmt: skip
    names, given = _DISTILL[form], params or {}
    for name in given:
        if name not in names:
            refuse("params", repr(name), f"one of {', '.join(names)}")
    _numbers(call, **{name: given.get(name) for name in names})
    call.write("out_advantages", "advantages", out_advantages, shape(student), _real(student))
    call.write("out_status", "status", status, (_sequences(student, cu_seqlens),), "uint32")
    return call.run("truing_distill_advantage")


def lagrangian_advantage(
    reward_advantages, cost_advantages, log_lambda, *, mask=None, mean_cost=None, cost_limit=None, advantages=True,
    grad_log_lambda=None, context=None,
):  # fmt: skip
    """(A_r - lambda A_c) / (1 + lambda); with `mean_cost` also the gradient of `log_lambda`."""
    call = Call(_abi.truing_lagrangian_advantage_args, reward_advantages, context)
    call.read(reward_advantages=reward_advantages, cost_advantages=cost_advantages, mask=mask, log_lambda=log_lambda,
              mean_cost=mean_cost)  # fmt: skip
    call.set(cost_limit=cost_limit)
    call.write("out_advantages", "advantages", advantages, shape(reward_advantages), _real(reward_advantages))
    if grad_log_lambda is None:
        grad_log_lambda = mean_cost is not None
    call.write("grad_log_lambda_out", "grad_log_lambda", grad_log_lambda, (), "float64")
    return call.run("truing_lagrangian_advantage")


def pama_scalars(
    advantages, logps, anchor, *, granularity, mask=None, cu_seqlens=None, clip_high=None, scalars=True, stream=None,
    context=None,
):  # fmt: skip
    """Mean clipped advantage of every objective of `advantages` [n, N], over the "batch", a "sequence" or a "token"."""
    call = Call(_abi.truing_pama_scalars_args, advantages, context, stream=stream)
    call.read(advantages=advantages, logps=logps, anchor=anchor, mask=mask, cu_seqlens=cu_seqlens)
    call.set(granularity=enum("granularity", "GRANULARITY", granularity))
    _numbers(call, clip_high=clip_high)
    columns = {"batch": 1, "sequence": _sequences(logps, cu_seqlens)}.get(granularity, shape(advantages)[1])
    call.write("out_scalars", "scalars", scalars, (shape(advantages)[0], columns), "float64")
    return call.run("truing_pama_scalars")


def interval_weights(scalars, *, value=True, weights=True, status=False, stream=None, context=None):
    """The element of least size between the numbers of each column of `scalars` [n, m], and the weights that make it."""
    call = Call(_abi.truing_interval_weights_args, scalars, context, stream=stream)
    call.read(scalars=scalars)
    columns = (*shape(scalars)[1:], 1)[:1]
    call.write("out_value", "value", value, columns, "float64")
    call.write("out_weights", "weights", weights, shape(scalars), "float64")
    call.write("out_status", "status", status, columns, "uint32")
    return call.run("truing_interval_weights")


def gram_matrix(values, *, mask=None, unit_rows=False, gram=True, stream=None, context=None):
    """Mean products of all pairs of rows of `values` [n, N]; cosines with `unit_rows`."""
    call = Call(_abi.truing_gram_matrix_args, values, context, stream=stream)
    call.read(values=values, mask=mask)
    call.set(unit_rows=int(unit_rows))
    call.write("out_gram", "gram", gram, shape(values)[:1] * 2, "float64")
    return call.run("truing_gram_matrix")


def min_norm_weights(gram, *, tolerance=None, weights=True, value=True, stream=None, context=None):
    """The weights c >= 0, sum 1, of least c' M c."""
    call = Call(_abi.truing_min_norm_weights_args, gram, context, stream=stream)
    call.read(gram=gram)
    _numbers(call, tolerance=tolerance)
    call.write("out_weights", "weights", weights, shape(gram)[:1], "float64")
    call.write("out_value", "value", value, (), "float64")
    return call.run("truing_min_norm_weights")


def token_reward(
    old, ref_logps, rewards=None, *, estimator, level, coef, mask=None, cu_seqlens=None, kl_clamp=None, reward_min=None,
    reward_max=None, out_rewards=True, kl=False, status=False, stream=None, context=None,
):  # fmt: skip
    """Rewards with a KL penalty: of tokens, the reward at the last live one, or of sequences (`level`)."""
    call = Call(_abi.truing_token_reward_args, old, context, stream=stream)
    call.read(old=old, ref_logps=ref_logps, rewards=rewards, mask=mask, cu_seqlens=cu_seqlens)
    call.set(estimator=_catalog.entry(estimator).id, level=enum("level", "LEVEL", level))
    _numbers(call, coef=coef, kl_clamp=kl_clamp, reward_min=reward_min, reward_max=reward_max)
    b = (_sequences(old, cu_seqlens),)
    call.write("out_rewards", "rewards", out_rewards, b if level == "sequence" else shape(old), _real(old))
    call.write("out_kl", "kl", kl, b, "float64")
    call.write("out_status", "status", status, b, "uint32")
    return call.run("truing_token_reward")


def _controller(function, measured, coef, numbers, applied, status, stream, context):
    call = Call(_abi.truing_controller_args, measured, context, stream=stream)
    call.read(measured=measured, coef=coef)
    _numbers(call, **numbers)
    call.write("out_coef", "coef", True, (), "float64")
    call.write("out_applied", "applied", applied, (), "float64")
    call.write("out_status", "status", status, (), "uint32")
    return call.run(function)


def kl_controller(kl, coef, *, batch, target=None, horizon=None, status=False, stream=None, context=None):
    """The next coefficient of a KL penalty that holds `target`."""
    return _controller("truing_kl_controller", kl, coef, dict(target=target, batch=batch, horizon=horizon), False, status, stream, context)


def entropy_controller(
    entropy, coef, *, target=None, step=None, minimum=None, maximum=None, status=False, stream=None, context=None,
):  # fmt: skip
    """The next coefficient of an entropy bonus, and `applied`: what of it the next step uses."""
    numbers = dict(target=target, step=step, minimum=minimum, maximum=maximum)
    return _controller("truing_entropy_controller", entropy, coef, numbers, True, status, stream, context)
