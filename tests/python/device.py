"""The Python package on CUDA arrays: the bits of the same calls on the CPU, streams, graphs, what is refused.

Usage: device.py LIBRARY [torch]. With `torch`, tensors of torch on the current CUDA device (`cuda/gpu-check` runs that, and its
table is on standard output); without, arrays as CuPy has them over the host's memory, for the stand-in driver of
`tests/cuda.rs`."""

import contextlib
import os
import sys
import tempfile
import threading
import time

import truing

truing.load(sys.argv[1])
TORCH = sys.argv[2:] == ["torch"]
checks = 0


def check(ok, words=""):
    global checks
    checks += 1
    if not ok:
        raise AssertionError(words)


def refused(name, words, call, *args, **keywords):
    try:
        call(*args, **keywords)
    except truing.Error as e:
        check(e.name == name and words in e.message, f"{e}, expected {name} with {words!r}")
    else:
        raise AssertionError(f"not refused: {words}")


if TORCH:
    import torch

    torch.manual_seed(3)
    F32, BF16, F16 = torch.float32, torch.bfloat16, torch.float16

    def normal(*shape, dtype=torch.float32):
        return torch.randn(shape, dtype=torch.float32).to(dtype)

    def whole(low, high, *shape):
        return torch.randint(low, high, shape)

    def put(x):
        return x.cuda() if isinstance(x, torch.Tensor) else x

    def marks(x):
        return (x > -0.8).to(torch.uint8)

    def numbers(x):
        # as numpy has them: floats are f64
        return torch.tensor(x, dtype=torch.float64 if isinstance(x[0], float) else None)

    def same(got, want):
        got = got.cpu()
        words = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[got.element_size()]
        nan = lambda x: x.isnan() if x.is_floating_point() else torch.zeros(())  # noqa: E731
        bits = lambda x: (x.nan_to_num(0, float("inf"), float("-inf")) if x.is_floating_point() else x).reshape(-1).view(words)  # noqa: E731
        return got.dtype == want.dtype and got.shape == want.shape and torch.equal(nan(got), nan(want)) and torch.equal(bits(got), bits(want))

else:
    import numpy

    rng = numpy.random.default_rng(3)
    F32, BF16, F16 = "f4", None, "f2"

    class Array:
        """An array of a library like CuPy, whose device is the stand-in's: the host's memory."""

        device = contextlib.nullcontext()

        def __init__(self, array):
            self.array, self.shape, self.dtype = array, array.shape, array.dtype

        @property
        def __cuda_array_interface__(self):
            a = self.array
            return dict(a.__array_interface__, strides=None if a.flags.c_contiguous else a.strides, version=3, stream=1)

        def __dlpack_device__(self):
            return (2, 0)

        def __getitem__(self, key):
            return Array(self.array[key])

    class Pack:
        """One that knows DLPack only, and wants to be told the stream."""

        streams = []

        def __init__(self, array):
            self.array, self.shape, self.dtype = array, array.shape, array.dtype

        def __dlpack_device__(self):
            return (2, 0)

        def __dlpack__(self, *, stream, max_version):
            self.streams.append(stream)
            # the capsule says CPU; what is read from it is a struct that may be changed
            from truing import _abi, _tensor

            capsule = self.array.__dlpack__(max_version=max_version)
            _tensor._Versioned.from_address(_tensor._pointer(capsule, b"dltensor_versioned")).dl_tensor.device.device_type = _abi.TRUING_DEVICE_CUDA
            return capsule

    def empty(shape, dtype):
        # aligned as a device's allocations are
        room = numpy.full(int(numpy.prod(shape)) * numpy.dtype(dtype).itemsize + 256, 7, "u1")
        start = -room.ctypes.data % 256
        return Array(room[start : len(room) - 256 + start].view(dtype).reshape(shape))

    def normal(*shape, dtype="f4"):
        return rng.normal(size=shape).astype(dtype)

    def whole(low, high, *shape):
        return rng.integers(low, high, shape)

    def put(x):
        return Array(x.copy()) if isinstance(x, numpy.ndarray) else x

    def marks(x):
        return (x > -0.8).astype("u1")

    def numbers(x):
        return numpy.array(x)

    def same(got, want):
        got = got.array
        bits = lambda x: numpy.where(x == x, x, numpy.zeros((), x.dtype)).tobytes()  # noqa: E731
        return got.dtype == want.dtype and got.shape == want.shape and numpy.array_equal(got != got, want != want) and bits(got) == bits(want)


if TORCH:
    torch.zeros(1).cuda()
    folder, seconds = tempfile.TemporaryDirectory(), []
    # the second finds what the first has compiled; its kernels are first launched into a graph, below
    contexts = [truing.Context(len(os.sched_getaffinity(0)), cuda_cache_dir=folder.name) for _ in range(2)]
    for context in contexts:
        begin = time.perf_counter()
        truing.prepare(torch.cuda.current_device(), context=context)
        seconds.append(time.perf_counter() - begin)
    truing._library._defaults[truing._library.library()._handle] = contexts[0]
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}: every kernel compiled in {seconds[0]:.1f} s, loaded from a folder in {seconds[1]:.2f} s")
compared = 0


wrong = []


def both(what, call):
    """`call(put)` makes its arrays with `put`: here once for the CPU, once for the device. What goes wrong is said at the end,
    so that one run on a device tells of everything."""
    global compared
    try:
        want, got = vars(call(lambda x: x)), vars(call(put))
        check(set(got) == set(want), what)
        for name, value in want.items():
            compared += 1
            check(same(got[name], value), f"{what}: {name} has other bits")
    except Exception as e:  # noqa: BLE001
        wrong.append(f"{what}: {type(e).__name__}: {e}")


# ---- every routed operation
B, T, V = 3, 5, 33001
FIGURES = dict(lse=True, max=True, argmax=True, entropy=True, log_sum_sq=True, is_top1=True, stats=True, status=True)
target = whole(0, V, B, T)
target[0, 1] = -100
mask = marks(normal(B, T))
for dtype in (F32, F16) + ((BF16,) if BF16 else ()):
    z = normal(B, T + 1, V, dtype=dtype) * 3
    z[1, 2, 5], z[2, 0, 7] = float("-inf"), float("nan")
    rows = lambda put: put(z)[:, :-1]  # noqa: E731  [B, T, V] inside [B, T + 1, V]
    both(f"logprob {dtype}", lambda put: truing.logprob(rows(put), put(target), ignore_index=-100, mask=put(mask), **FIGURES))
    options = dict(temperature=0.7, softcap=30.0, n_valid_vocab=V - 7)
    bias = normal(V)
    both("logprob with transforms", lambda put: truing.logprob(rows(put), put(target), ignore_index=-100, bias=put(bias), **options, **FIGURES))
    g, h = normal(B, T), normal(B, T)

    def backward(put, stats, **more):
        a, y = rows(put), put(target)
        kept = truing.logprob(a, y, ignore_index=-100, stats=True).stats if stats else None
        return truing.logprob_backward(a, y, ignore_index=-100, grad_logprob=put(g), grad_entropy=put(h), stats=kept, status=True, **more)

    both("backward", lambda put: backward(put, True))
    both("backward without statistics", lambda put: backward(put, False, grad_scale=0.5))

    def in_place(put):
        a = put(z + 0)[:, :-1]
        return truing.logprob_backward(a, put(target), ignore_index=-100, grad_logprob=put(g), grad_logits=a)

    both("backward in place", in_place)
    ids = whole(0, V, 9)
    more = dict(shift=1, label_smoothing=0.1, smoothing_form="torch", token_scaling="dft", reduction="mean")
    lists = dict(rank=True, ties=True, mean_logit=True, topk=7, topk_entropy=True, row_loss=True, counters=True)
    both("loss and lists", lambda put: truing.logprob(rows(put), put(target), ignore_index=-100, mask=put(mask), extra_ids=put(ids), grad_logits=True, grad_bias=True, **more, **lists))

    sampler = dict(preset="vllm", top_k=40, top_p=0.9, min_p=0.01)
    figures = dict(lse_support=True, log_kept_mass=True, support_size=True, support_bitmask=True, support_ids=50, status=True)
    both("filters", lambda put: truing.logprob(rows(put), put(target), ignore_index=-100, mask=put(mask), support=sampler, **figures))
    both("backward over filters", lambda put: backward(put, True, support=dict(preset="sglang", top_p=0.8, target_outside="neg_inf")))
    both("mask of filters", lambda put: truing.support_mask(rows(put), "hf", mask=put(mask), top_p=0.9, size=True, ids=64, status=True))

w = normal(B, T, V) * 3
share = abs(normal(B, T, V))
share = share / share.sum(-1)[:, :, None]
MORE = dict(cross_entropy=True, reverse_cross_entropy=True, student_rank=True, teacher_rank=True, status=True)
for kind in ("forward_kl", "jsd"):
    both(kind, lambda put: truing.divergence(kind, put(z[:, 1:]), put(w), mask=put(mask), student_entropy=True, stats=True, status=True))
    both(kind + " backward", lambda put: truing.divergence_backward(kind, put(z[:, 1:]), put(w), mask=put(mask), grad_values=put(g), grad_teacher=True))
    both(kind + " reduced", lambda put: truing.divergence(kind, put(z[:, 1:]), put(w), mask=put(mask), aggregate="token_mean", grad_student=True, counters=True))
    few = dict(support="union", k=9, outside="tail")
    both(kind + " on few columns", lambda put: truing.divergence(kind, put(z[:, 1:]), put(w), mask=put(mask), partial=few, overlap=True, student_mass=True, support_ids=18, status=True))
    both(kind + " and more figures", lambda put: truing.divergence(kind, put(z[:, 1:]), put(w), put(target), ignore_index=-100, teacher_target_shift=-0.5, **MORE))
    both(kind + " from probabilities", lambda put: truing.divergence(kind, put(z[:, 1:]), put(share), mask=put(mask), teacher_form="probs", aggregate="token_mean", grad_student=True, **MORE))
    both(kind + " of a shard", lambda put: truing.divergence_local(kind, put(z[:, 1:, : V // 2]), put(w[:, :, : V // 2]), mask=put(mask), shard=(0, V // 2, V), status=True))

own, scale = V // 8, abs(normal(B, T)) + 0.1
both("uld", lambda put: truing.uld(put(z[:, 1:, :own]), put(w[:, :, : own // 2]), mask=put(mask), aggregate="token_mean", grad_loss=put(numbers([0.5]).reshape(())), grad_student=True, grad_teacher=True, status=True))
ids = numbers(list(range(0, 150, 3)))
both("uld of pairs", lambda put: truing.uld(put(z[:, 1:, :own]), put(w[:, :, : own // 2]), mask=put(mask), matched=[put(ids), put(ids)], matched_beta=0.5, student_scale=put(scale), grad_values=put(g), grad_student=True, grad_student_scale=True))

far = whole(0, V, B, T)
both("sequence_kl", lambda put: truing.sequence_kl(put(z[:, 1:]), put(w), put(far), mask=put(mask), counts=True, stats=True, status=True))
both("sequence_kl backward", lambda put: truing.sequence_kl_backward(put(z[:, 1:]), put(w), put(far), mask=put(mask), grad_kl=put(numbers([0.5, -1.0, 2.0]))))
both("tds_rows", lambda put: truing.tds_rows(put(w), put(z[:, 1:]), put(far), mask=put(mask), ties=True, kl_aligned_base=True, counts=True, status=True))

S = 64
logps, refs, old = -abs(normal(S, 130)), -abs(normal(S, 130)), -abs(normal(S, 130))
live = marks(normal(S, 130))
both("sequence", lambda put: truing.sequence(put(logps), put(refs), mask=put(live), score="sum", counts=True, first=True, last=True, status=True))
scores, ref_scores = -40 * abs(normal(S)), -40 * abs(normal(S))
up = normal(S)
both("sequence backward", lambda put: truing.sequence_backward(put(up), put(logps), mask=put(live), score="mean", divisor="tokens"))
cu = numbers([0, 100, 101, 101, 4000, S * 130])
flat = logps.reshape(-1)
both("packed", lambda put: truing.sequence(put(flat), cu_seqlens=put(cu), score="sum", counts=True))
FULL = dict(losses=True, reward_chosen=True, reward_rejected=True, statistics=True, status=True, counters=True)
both("dpo", lambda put: truing.losses.dpo(put(scores), put(ref_scores), beta=0.3, layout="interleaved", reduction="mean", **FULL))
both("simpo", lambda put: truing.losses.simpo(put(scores), layout="stacked", reduction="sum", score_kind="mean", **FULL))
weight = abs(normal(S))
label = marks(up)
both("kto", lambda put: truing.losses.kto(put(scores), put(ref_scores), label=put(label), baseline=put(up[:1]), item_weight=put(weight), reduction="mean", losses=True))
cu_lists, index, wanted = numbers([0, 3, 20, 20, S]), whole(0, S, S), normal(S)
LISTS = dict(losses=True, reward_chosen=True, statistics=True, status=True, counters=True)
both("plackett_luce", lambda put: truing.losses.plackett_luce(put(scores), put(ref_scores), list_offsets=put(cu_lists), reduction="mean", **LISTS))
both("infonca", lambda put: truing.losses.infonca(put(scores), put(ref_scores), alpha=0.5, list_offsets=put(cu_lists), member_seq=put(index), list_targets=put(wanted), reduction="sum", **LISTS))
both("modpo", lambda put: truing.losses.modpo(put(scores), put(ref_scores), own_weight=0.5, layout="stacked", reduction="mean", margin_chosen=put(up[: S // 2]), margin_rejected=put(up[S // 2 :]), grad_params=True, grad_margin_chosen=True, grad_margin_rejected=True))
advantage = normal(S)
TOKENS = dict(level="token", aggregate="token_mean", values=True, statistics=True, token_status=True, counters=True)
both("ppo_clip", lambda put: truing.losses.ppo_clip(put(logps), put(old), advantage=put(advantage), mask=put(live), **TOKENS))
KL = dict(kl="k3", kl_coef=0.04, kl_weight="one", kl_gradient="pathwise", out_kl=True)
GRPO = dict(TOKENS, aggregate="seq_mean_token_mean", count_empty="all")
both("grpo", lambda put: truing.losses.ppo_clip(put(logps), put(old), advantage=put(advantage), mask=put(live), ref=put(refs), **KL, **GRPO))
both("a KL that is given", lambda put: truing.losses.ppo_clip(put(logps), put(old), advantage=put(advantage), mask=put(live), kl_values=put(refs), kl_coef=0.04, grad_kl=True, out_kl=True, **GRPO))
WHOLE = dict(level="sequence", aggregate="seq_mean", count_empty="all", values=True, statistics=True, sequence_status=True)
both("gspo", lambda put: truing.losses.gspo(put(logps), put(old), advantage=put(advantage), mask=put(live), **WHOLE))
TERMS = dict(TOKENS, terms=True, sequence_status=True)
both("further terms", lambda put: truing.losses.ppo_clip(put(logps), put(old), advantage=put(advantage), mask=put(live), extra_terms=[dict(loss="nll", level="token", weight=0.5, mask=put(marks(old))), dict(loss="gspo", level="sequence", aggregate="seq_mean", count_empty="all", weight=-2.0, old=put(refs))], **TERMS))

rewards = normal(S)
both("real", lambda put: truing.policy("real", put(logps), put(old), params=[0.5], advantage=put(advantage), mask=put(live), group_offsets=put(cu_lists), **WHOLE))
cu_groups, group_of = numbers([0, 3, 20, 20, S]), whole(0, 5, S)
both("group_advantage", lambda put: truing.group_advantage(put(rewards), put(cu_groups), preset="grpo", mean=True, std=True, status=True))
both("groups by ids", lambda put: truing.group_advantage(put(rewards), group_ids=put(group_of), num_groups=5, preset="gpg", status=True))
table = normal(S, 3)
both("gdpo", lambda put: truing.multi_objective_advantage(put(table), group_offsets=put(cu_groups), order="normalise_first", preset="grpo", batch_step="standardise", combined=True, status=True))
both("gdpo backward", lambda put: truing.multi_objective_advantage_backward(put(up), put(table), group_offsets=put(cu_groups), order="normalise_first", preset="grpo", batch_step="standardise"))
values = normal(S, 130)
both("token_reward", lambda put: truing.token_reward(put(old), put(refs), rewards=put(rewards), mask=put(live), level="token", estimator="k3", coef=0.05, kl=True, status=True))
both("gae", lambda put: truing.gae(put(logps), put(values), mask=put(live), masks="carry", gamma=0.99, lambda_policy=0.95, status=True))
both("gae backward", lambda put: truing.gae_backward(put(values), mask=put(live), masks="zero", gamma=0.99, lambda_policy=0.95))
both("optimal_token_baseline", lambda put: truing.optimal_token_baseline(put(values), put(logps), put(refs), put(cu_groups), alignment="live_index", mask=put(live), baseline=True, status=True))
both("prime_advantage", lambda put: truing.prime_advantage(put(values), put(rewards), put(cu_groups), mask=put(live), status=True))
both("importance_weight", lambda put: truing.importance_weight(put(old), put(refs), level="token", action="truncate", missing="one", high=2.0, normalise="token_mean", mask=put(live), keep=True, statistics=True, status=True))
both("rejection_mask", lambda put: truing.rejection_mask(put(old), put(refs), statistic="k3", span="sequence_mean", missing="one", high=1.0, mask=put(live), sequence_keep=True, out_statistic=True, rejected=True))
both("off_policy_sequence_mask", lambda put: truing.off_policy_sequence_mask(put(old), put(refs), put(rewards), delta=0.1, mask=put(live), mean=True))
both("top_entropy_mask", lambda put: truing.top_entropy_mask(put(values), share=0.2, mask=put(live), threshold=True, status=True))
both("cov_select", lambda put: truing.cov_select(put(logps), put(rewards), form="kl", share=0.01, mask=put(live), indices=True, keep=True))
both("cov_select, a draw", lambda put: truing.cov_select(put(logps), put(values), put(old), form="clip", share=0.01, cov_low=0.1, seed=7, mask=put(live), indices=True, keep=True))
both("m2po_mask", lambda put: truing.m2po_mask(put(old), put(refs), threshold=0.04, mask=put(live), moment=True, dropped=True))
both("fipo_weight", lambda put: truing.fipo_weight(put(logps), put(old), put(rewards), high_only=True, mask=put(live), status=True))
several = normal(3, S * 130)
both("pama_scalars", lambda put: truing.pama_scalars(put(several), put(logps), put(old), granularity="sequence", mask=put(live)))
both("interval_weights", lambda put: truing.interval_weights(put(table), status=True))
gram = truing.gram_matrix(several).gram
both("gram_matrix", lambda put: truing.gram_matrix(put(several), mask=put(live), unit_rows=True))
both("min_norm_weights", lambda put: truing.min_norm_weights(put(gram)))
both("kl_controller", lambda put: truing.kl_controller(put(up[:1]), put(weight[:1]), batch=64, status=True))
both("entropy_controller", lambda put: truing.entropy_controller(put(up[:1]), put(weight[:1]), status=True))
both("whiten", lambda put: truing.whiten(put(values), mask=put(live), std_kind="unbiased", eps_kind="add", moments=True, status=True))

# ---- what is refused, by name
z = normal(4, 100)
y = whole(0, 100, 4)
refused("UNSUPPORTED_DEVICE", "rows.target: got memory of the CPU", truing.logprob, put(z), y)
refused("UNSUPPORTED_DEVICE", "rows.target: got a CUDA tensor", truing.logprob, z, put(y))
refused("UNSUPPORTED_DEVICE", "hidden: got a CUDA tensor", truing.linear_logprob, put(z), put(z), put(y))
refused("INVALID_ARGUMENT", "context: got NULL", truing.logprob, put(z), put(y), context=truing.SERIAL)
refused("INVALID_ARGUMENT", "stream", truing.logprob, z, y, stream=4096)

if not TORCH:
    # DLPack: the producer is told the stream, 1 for the default one
    want = truing.logprob(z, y, stats=False).logprob
    got = truing.logprob(Pack(z), Pack(y), logprob=Array(numpy.zeros(4, "f4")), stream=4096).logprob
    check(same(got, want) and Pack.streams == [4096, 4096], Pack.streams)
    refused("INVALID_ARGUMENT", "output: got True", truing.logprob, Pack(z), Pack(y))
    broken = Array(z)
    broken.array = z.astype(">f4")
    refused("UNSUPPORTED_DTYPE", "logits", truing.logprob, broken, put(y))
    frozen = z.copy()
    frozen.flags.writeable = False
    refused("INVALID_ARGUMENT", "a read-only array", truing.logprob, put(z), put(y), logprob=Array(frozen[:, 0]))

    class Stream:
        ptr = 8192

    check(same(truing.logprob(put(z), put(y), stream=Stream()).logprob, want))
    truing.prepare(0)
    refused("NO_DEVICE", "device: got 9", truing.prepare, 9)
else:
    # ---- streams: what is asked for on one runs behind what it has to wait for
    side = torch.cuda.Stream()
    a, b = put(normal(64, V)), put(whole(0, V, 64))
    want = truing.logprob(a.cpu(), b.cpu()).logprob
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        torch.cuda._sleep(20_000_000)
        moved = a * 1
        got = truing.logprob(moved, b).logprob
    side.synchronize()
    check(same(got, want), "torch's current stream")
    torch.cuda.synchronize()
    explicit = truing.logprob(a, b, stream=side).logprob
    side.synchronize()
    check(same(explicit, want), "a stream by name")
    # the default stream by name, from within another one: what is allocated belongs to the default stream
    for name in [0, 1, torch.cuda.default_stream()]:
        torch.cuda.synchronize()
        with torch.cuda.stream(side):
            default = truing.logprob(a * 1, b, stream=name).logprob
        torch.cuda.synchronize()
        check(same(default, want), f"the default stream as {name}")
    # nothing is waited for: the call returns while the stream sleeps (torch has the memory from the call before)
    truing.logprob(a, b)
    torch.cuda._sleep(2_000_000_000)
    busy = truing.logprob(a, b).logprob
    check(not torch.cuda.current_stream().query(), "the call waited for the device")
    torch.cuda.synchronize()
    check(same(busy, want))

    # ---- graphs
    table = []

    def captured(what, call, inputs, again, calls=100):
        """Captures `call()`, replays it with other numbers in `inputs`, and times the replay."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            out = call(inputs)
        for x, new in zip(inputs, again):
            x.copy_(new)
        graph.replay()
        torch.cuda.synchronize()
        for name, value in vars(call([x.cpu() for x in inputs])).items():
            check(same(getattr(out, name), value), f"{what}: {name} of a graph has other bits")
        many = torch.cuda.CUDAGraph()
        with torch.cuda.graph(many):
            for _ in range(calls):
                call(inputs)
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        times = []
        for _ in range(15):
            start.record()
            many.replay()
            end.record()
            torch.cuda.synchronize()
            times.append(start.elapsed_time(end) * 1000 / calls)
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(100):
            call(inputs)
        host = (time.perf_counter() - begin) * 1e4
        torch.cuda.synchronize()
        table.append(f"| {what} | {sorted(times)[7]:.1f} | {host:.0f} |")

    fresh = lambda *xs: [put(x) for x in xs]  # noqa: E731
    first = lambda x: truing.logprob(*x, context=contexts[1])  # noqa: E731
    captured("logprob 64 x 33001 f32", first, [a, b], [a.flip(0), b.flip(0)], 20)
    n = 8192
    t = [-abs(normal(64, n // 64)) for _ in range(3)] + [normal(64)]
    captured("ppo_clip, 8192 tokens", lambda x: truing.losses.ppo_clip(x[0], x[1], advantage=x[3], level="token", aggregate="token_mean"),
             fresh(*t), fresh(*[x.flip(0) for x in t]))  # fmt: skip
    captured("ppo_clip with k3, 8192 tokens", lambda x: truing.losses.ppo_clip(x[0], x[1], advantage=x[3], ref=x[2], level="token", aggregate="token_mean", kl="k3",
             kl_coef=0.04, kl_weight="one", kl_gradient="pathwise"), fresh(*t), fresh(*[x.flip(0) for x in t]))  # fmt: skip
    p = [-40 * abs(normal(n)), -40 * abs(normal(n))]
    captured("dpo, 4096 pairs", lambda x: truing.losses.dpo(*x, layout="interleaved", reduction="mean"), fresh(*p), fresh(*[x.flip(0) for x in p]))
    captured("sequence, 64 x 128", lambda x: truing.sequence(*x, score="sum"), fresh(t[0]), fresh(t[1]))
    rewards, starts = normal(n), torch.arange(0, n + 1, 8)
    captured("group_advantage, 1024 groups of 8", lambda x: truing.group_advantage(*x, preset="grpo"), fresh(rewards, starts), fresh(rewards.flip(0), starts))
    captured("gae, 64 x 128", lambda x: truing.gae(*x, masks="carry", gamma=0.99, lambda_policy=0.95), fresh(t[0], t[1]), fresh(t[1], t[0]))
    captured("whiten, 64 x 128", lambda x: truing.whiten(*x, std_kind="unbiased", eps_kind="add"), fresh(t[0]), fresh(t[1]))
    print("| call from Python | us in a graph | us to enqueue |\n|---|---|---|\n" + "\n".join(table))

    # ---- a thread that has no current context, another device where there is one
    found = []
    thread = threading.Thread(target=lambda: found.append(truing.logprob(a, b).logprob))
    thread.start()
    thread.join()
    check(len(found) == 1 and same(found[0], truing.logprob(a.cpu(), b.cpu()).logprob), "a thread of its own")
    if torch.cuda.device_count() > 1:
        far = truing.logprob(a.to("cuda:1"), b.to("cuda:1")).logprob
        check(same(far, found[0].cpu()), "another device than the current one")
        check(torch.cuda.current_device() == 0)
    else:
        print("skipped: a second device (there is one)")

if wrong:
    sys.exit("\n".join([f"{len(wrong)} calls went wrong", *wrong[:20]]))
print(f"device.py: {checks} checks, {compared} arrays have the CPU's bits")
