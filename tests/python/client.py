"""The Python package over numpy, DLPack and (where installed) torch. Usage: client.py LIBRARY"""

import copy
import ctypes
import math
import os
import pickle
import shutil
import sys
import tempfile
import threading
import time

import numpy as np
import truing
from truing import _abi

truing.load(sys.argv[1])
rng = np.random.default_rng(5)
checks = 0


def check(ok, words=""):
    global checks
    checks += 1
    if not ok:
        raise AssertionError(words)


def close(got, want, tolerance, words=""):
    error = np.max(np.abs(np.asarray(got, "f8") - np.asarray(want, "f8")))
    check(error <= tolerance, f"{words}: off by {error}")


def refused(name, words, call, *args, **keywords):
    try:
        call(*args, **keywords)
    except truing.Error as e:
        check(e.name == name and words in e.message, f"{e}, expected {name} with {words!r}")
    else:
        raise AssertionError(f"not refused: {words}")


def log_softmax(z):
    z = z.astype("f8")
    z = z - z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


# ---- logprob
B, T, V = 3, 4, 501
z = rng.normal(size=(B, T + 1, V)).astype("f4") * 3
y = rng.integers(0, V, (B, T))
y[0, 0] = -100
view = z[:, :-1]  # [B, T, V] inside [B, T + 1, V], no copy
out = truing.logprob(view, y, ignore_index=-100, entropy=True, lse=True, argmax=True, stats=True, status=True)
lp = log_softmax(view)
want = np.take_along_axis(lp, np.maximum(y, 0)[..., None], -1)[..., 0]
want[0, 0] = 0
close(out.logprob, want, 2e-6, "logprob")
entropy = -(np.exp(lp) * lp).sum(-1)
entropy[0, 0] = 0
close(out.entropy, entropy, 3e-6, "entropy")
check(out.argmax[0, 0] == -1 and (out.argmax.ravel()[1:] == view.argmax(-1).ravel()[1:]).all())
check(out.status[0, 0] == _abi.TRUING_ROW_IGNORED and out.status[1, 0] == 0)
check(set(vars(truing.logprob(view, y, ignore_index=-100))) == {"logprob"}, "only what was asked for")

g = rng.normal(size=(B, T)).astype("f4")
grad = truing.logprob_backward(view, y, ignore_index=-100, grad_logprob=g, stats=out.stats).grad_logits
onehot = np.eye(V)[np.maximum(y, 0)]
want = g[..., None] * (onehot - np.exp(lp))
want[0, 0] = 0
close(grad, want, 1e-6, "grad_logits")
place = z.copy()
again = truing.logprob_backward(place[:, :-1], y, ignore_index=-100, grad_logprob=g, grad_logits=place[:, :-1])
check(np.array_equal(place[:, :-1], grad) and np.array_equal(place[:, -1], z[:, -1]), "in place, and only there")

bits = (np.ascontiguousarray(view).view("u4") >> 16).astype("u2")
wide = (bits.astype("u4") << 16).view("f4")
narrow = truing.logprob(truing.tensor(bits, "bf16"), y, ignore_index=-100).logprob
check(np.array_equal(narrow, truing.logprob(wide, y, ignore_index=-100).logprob), "bf16 gives the bits of the widened logits")
half = view.astype("f2")
check(np.array_equal(truing.logprob(half, y, ignore_index=-100).logprob,
                     truing.logprob(half.astype("f4"), y, ignore_index=-100).logprob), "f16 as well")  # fmt: skip
mine = np.full((B, T), 9, "f4")
check(truing.logprob(view, y, ignore_index=-100, logprob=mine).logprob is mine and mine[0, 0] == 0, "a place of the caller")

# ---- row loss and further figures
weight = rng.uniform(0.1, 2, V).astype("f4")
ids = np.array([5, -1, 0], "i4")
loss = dict(ignore_index=-100, class_weight=weight, label_smoothing=0.1, smoothing_form="torch", z_loss=0.01, reduction="mean")
out = truing.logprob(view, y, **loss, mean_logit=True, rank=True, ties=True, topk=3, topk_entropy=True, entropy_k=3,
                     extra_ids=ids, row_loss=True, token_scale=True, stats=True, counters=True, grad_logits=True,
                     grad_bias=True, grad_scale=2.0)  # fmt: skip
live = y >= 0
t = np.maximum(y, 0)
logp_y = np.take_along_axis(lp, t[..., None], -1)[..., 0]
lse = np.log(np.exp(view.astype("f8")).sum(-1))
wide_weight = weight.astype("f8")
rows = live * (-0.9 * wide_weight[t] * logp_y - 0.1 / V * (weight * lp).sum(-1) + 0.01 * lse**2)
close(out.row_loss, rows, 2e-5, "row loss")
close(out.loss, rows.sum() / live.sum(), 1e-5, "loss")
check(out.counters[0] == 1 and out.counters.sum() == 1)
close(out.mean_logit, live * view.mean(-1), 1e-6, "mean logit")
order = np.argsort(-view, -1, kind="stable")[..., :3]
check((out.topk_ids == np.where(live[..., None], order, -1)).all(), "top-k")
top = np.take_along_axis(lp, order, -1) * live[..., None]
close(out.topk_logprobs, top, 2e-6, "top-k log-probs")
three = log_softmax(top)
close(out.topk_entropy, live * -(np.exp(three) * three).sum(-1), 2e-6, "top-k entropy")
check((out.rank == np.where(live, (view > np.take_along_axis(view, t[..., None], -1)).sum(-1), -1)).all(), "rank")
close(out.extra_logprobs[1][:, [0, 2]], lp[1][:, [5, 0]], 2e-6, "extra columns")
check(np.isneginf(out.extra_logprobs[1][:, 1]).all())
again = truing.logprob_backward(view, y, **loss, grad_loss=2.0, grad_bias=True, stats=out.stats)
check(np.array_equal(again.grad_logits, out.grad_logits) and np.array_equal(again.grad_bias, out.grad_bias), "fused gradient")
close(out.grad_bias, out.grad_logits.astype("f8").sum((0, 1)), 1e-5, "grad_bias")
rough = truing.logprob_backward(view, y, **loss, grad_loss=2.0)
check(np.array_equal(rough.grad_logits, out.grad_logits), "recomputed")
double = truing.logprob(view.astype("f8"), y, **loss, row_loss=True, grad_logits=True, grad_scale=2.0)
check(double.row_loss.dtype == np.float64 and double.grad_logits.dtype == np.float64)
close(double.row_loss, rows, 1e-13 * V, "f64")
close(double.grad_logits, out.grad_logits, 1e-6, "f64 gradient")
extra = truing.logprob_backward(view, y, ignore_index=-100, grad_extra=np.ones((B, T, 3), "f4"), extra_ids=ids).grad_logits
close(extra[1], np.eye(V)[5] + np.eye(V)[0] - 2 * np.exp(lp[1]), 1e-6, "grad_extra")
full = rng.integers(0, V, (B, T))
shifted = truing.logprob(view, full, shift=1, status=True)
check((shifted.status[:, -1] == _abi.TRUING_ROW_IGNORED).all() and (shifted.status[:, :-1] == 0).all(), "shift in [B, T]")
check(np.array_equal(shifted.logprob[:, :-1], truing.logprob(view[:, :-1], full[:, 1:]).logprob))
cu = np.array([0, 5, 5, B * T], "i4")
packed = truing.logprob(np.ascontiguousarray(view).reshape(-1, V), full.ravel(), shift=1, cu_seqlens=cu, status=True).status
check((np.flatnonzero(packed) == [4, B * T - 1]).all(), "shift in packed rows")
refused("SHAPE_MISMATCH", "rows.cu_seqlens", truing.logprob, view, full, shift=1, cu_seqlens=cu)
refused("INVALID_ARGUMENT", "row_loss.smoothing_form", truing.logprob, view, full, label_smoothing=0.1)
refused("INVALID_ARGUMENT", "row_loss.reduction", truing.logprob, view, full, loss=True)
refused("INVALID_ARGUMENT", "token_scaling", truing.logprob, view, full, token_scaling="more")
refused("INVALID_ARGUMENT", "rows.shift", truing.logprob, view, full, shift=-1)
refused("INVALID_ARGUMENT", "figures.entropy_k", truing.logprob, view, full, entropy_k=-1)
refused("INVALID_ARGUMENT", "topk", truing.logprob, view, full, topk_ids=True)
refused("INVALID_ARGUMENT", "logits: got no dimension", truing.logprob, np.zeros((), "f4"), np.array(0))
padded = view[0].copy()
padded[:, 500] = np.nan  # padding: its log-prob is -inf, and the gradient of that falls with the lse
valid = dict(n_valid_vocab=500, extra_ids=np.array([3, 500, -1], "i4"))
named = truing.logprob(padded, logprob=False, **valid).extra_logprobs
prob = np.exp(log_softmax(padded[:, :500]))
close(named[:, 0], np.log(prob[:, 3]), 2e-6, "extra column")
check((named[:, 1:] == -np.inf).all(), "padding and none")
falls = truing.logprob_backward(padded, grad_extra=np.array([[2.0, 3.0, 5.0]] * T, "f4"), **valid).grad_logits
close(falls[:, :500], 2.0 * (np.arange(500) == 3) - 5.0 * prob, 5e-6, "gradient of extra columns")
check((falls[:, 500] == 0).all(), "gradient of padding")
refused("OUT_OF_RANGE", "figures.extra_ids: got 501 at index 1", truing.logprob, view, full, extra_ids=np.array([1, V], "i4"))
refused("INVALID_ARGUMENT", "grad_loss", truing.logprob, view, full, grad_loss=1.0, reduction="sum")
refused("UNSUPPORTED_DTYPE", "figures.out_lse: got f32, expected f64", truing.logprob, view.astype("f8"), full, lse=np.zeros((B, T), "f4"))

# ---- every context gives the same bits
serial = truing.logprob(view, y, ignore_index=-100, context=truing.SERIAL).logprob
for threads in (0, 1, 2, 5):
    for isa in (None, "baseline", "avx2"):
        context = truing.Context(threads, isa_cap=isa)
        check(np.array_equal(truing.logprob(view, y, ignore_index=-100, context=context).logprob, serial), f"{threads} {isa}")

# ---- what is refused
frozen = np.zeros((B, T), "f4")
frozen.flags.writeable = False
refused("INVALID_ARGUMENT", "read-only", truing.logprob, view, y, ignore_index=-100, logprob=frozen)
refused("OUT_OF_RANGE", "rows.target: got 501 at index 2", truing.logprob, z[0], np.array([1, 2, V, 3, 4]))
refused("SHAPE_MISMATCH", "logits", truing.logprob, z[0].T, y[0])
refused("SHAPE_MISMATCH", "multiples", truing.logprob, np.zeros(24, "u1")[:24].view("f4")[::1].reshape(2, 3), y[0], mask=np.lib.stride_tricks.as_strided(np.zeros(9, "u1").view("u1")[:8].view("i4"), (2,), (3,)))
refused("SHAPE_MISMATCH", "strides >= 0", truing.logprob, z[0, ::-1], y[0])
refused("UNSUPPORTED_DTYPE", "complex64", truing.logprob, z[0].astype("c8"), y[0])
refused("UNSUPPORTED_DTYPE", "f32", truing.logprob, z[0, :4].astype("f4"), y[0] * 0, lse=np.zeros(4, "f8"))
refused("UNSUPPORTED_DTYPE", ">f4", truing.logprob, z[0].astype(">f4"), y[0])
refused("INVALID_ARGUMENT", "a list", truing.logprob, z[0], [1, 2, 3])
refused("INVALID_ARGUMENT", "a NoneType", truing.logprob, None, y[0])
refused("INVALID_ARGUMENT", "16 bits", truing.logprob, truing.tensor(z[0], "bf16"), y[0])
refused("INVALID_ARGUMENT", "transform.temperature", truing.logprob, z[0], temperature=-1.0, logprob=False)
refused("INVALID_ARGUMENT", "transform.temperature: got '2', expected a number", truing.logprob, z[0], temperature="2", logprob=False, lse=True)
refused("INVALID_ARGUMENT", "transform.logit_scale: got [2.0], expected a number", truing.logprob, z[0], logit_scale=[2.0], logprob=False, lse=True)
refused("INVALID_ARGUMENT", "transform.temperature: got", truing.logprob, z[0], temperature=10**400, logprob=False, lse=True)
refused("INVALID_ARGUMENT", "transform.temperature", truing.logprob, z[0], temperature=math.nan, logprob=False, lse=True)
half = [truing.logprob(z[0], temperature=x, logprob=False, lse=True).lse for x in (0.5, np.float32(0.5), np.array(0.5))]
check(all(np.array_equal(x, half[0]) for x in half), "numbers of other libraries")
refused("INVALID_ARGUMENT", "one of", truing.Context, 0, mode="sloppy")

# ---- numbers that the C type does not hold, which ctypes would cut
refused("INVALID_ARGUMENT", "num_threads: got 4294967297, expected 0 to 4294967295", truing.Context, 2**32 + 1)
refused("INVALID_ARGUMENT", "num_threads: got -1", truing.Context, -1)
refused("INVALID_ARGUMENT", "num_threads: got 1.5, expected a whole number", truing.Context, 1.5)
refused("INVALID_ARGUMENT", "num_threads: got 1025", truing.Context, 1025)
refused("INVALID_ARGUMENT", "transform.n_valid_vocab: got", truing.logprob, z[0], n_valid_vocab=2**64 + 3, logprob=False, lse=True)
refused("INVALID_ARGUMENT", "transform.n_valid_vocab: got 1.5", truing.logprob, z[0], n_valid_vocab=1.5, logprob=False, lse=True)
refused("INVALID_ARGUMENT", f"rows.ignore_index: got {2**63}, expected {-(2**63)} to {2**63 - 1}", truing.logprob, z[0, :T], y[0], ignore_index=2**63)  # fmt: skip
check(np.array_equal(truing.logprob(view, y, ignore_index=np.int64(-100)).logprob, truing.logprob(view, y, ignore_index=-100).logprob), "numpy's integers")  # fmt: skip

once = dict(ignore_index=-100, reduction="sum", grad_logits=True)
for number in (np.float32(0.5), np.float16(0.5), np.float64(0.5)):
    again = truing.logprob(view, y, grad_loss=number, **once).grad_logits
    check(np.array_equal(again, truing.logprob(view, y, grad_loss=0.5, **once).grad_logits), "a number of numpy for a 0-d tensor")

# ---- a context has one owner
one = truing.Context(1)
for copier in (copy.copy, copy.deepcopy, pickle.dumps):
    try:
        copier(one)
    except TypeError as e:
        check("Context cannot be copied" in str(e))
    else:
        raise AssertionError(f"{copier.__name__} copies a context")
del one

# ---- another library in the place of the first: it has threads of its own
with tempfile.TemporaryDirectory() as folder:
    one, want = truing.Context(1), truing.logprob(view, y, ignore_index=-100).logprob
    truing.load(shutil.copy(sys.argv[1], folder))
    check(np.array_equal(truing.logprob(view, y, ignore_index=-100).logprob, want), "the second library")
    refused("INVALID_ARGUMENT", "a context of another library", truing.logprob, view, y, ignore_index=-100, context=one)
    truing.load(sys.argv[1])
    check(np.array_equal(truing.logprob(view, y, ignore_index=-100, context=one).logprob, want), "the first library again")
    del one

# ---- how tokens lie
refused("SHAPE_MISMATCH", "rows.mask: got [4, 3], expected [3, 4]", truing.logprob, view, y, ignore_index=-100, mask=np.ones((T, B), "u1"))
refused("SHAPE_MISMATCH", "rows.target: got [4, 3], expected [3, 4]", truing.logprob, view, y.T.copy(), ignore_index=-100)
refused("SHAPE_MISMATCH", "figures.out_logprob: got [4, 3], expected [3, 4]", truing.logprob, view, y, ignore_index=-100, logprob=np.zeros((T, B), "f4"))
flat = truing.logprob(view, y.ravel(), ignore_index=-100, logprob=np.zeros(B * T, "f4")).logprob
check(np.array_equal(flat, truing.logprob(view, y, ignore_index=-100).logprob.ravel()), "flat tokens")

# ---- DLPack
capsule_new = ctypes.pythonapi.PyCapsule_New
capsule_new.restype, capsule_new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class Foreign:
    """An array of an unknown library; `old` hands out the unversioned form."""

    def __init__(self, array, major=1, flags=0, old=False):
        self.array, self.major, self.flags, self.old = array, major, flags, old
        self.shape = array.shape

    def __dlpack__(self, **keywords):
        from truing._tensor import _Versioned, describe

        t, self.keep = describe("x", self.array)
        if self.old:
            if keywords:
                raise TypeError("__dlpack__() takes no keywords")
            self.managed = t
            return capsule_new(ctypes.addressof(t), b"dltensor", None)
        check(keywords == {"max_version": (1, 1)}, "asks for version 1")
        self.managed = _Versioned()
        self.managed.version.major, self.managed.flags, self.managed.dl_tensor = self.major, self.flags, t
        return capsule_new(ctypes.addressof(self.managed), b"dltensor_versioned", None)


z0, y0 = z[0], rng.integers(0, V, T + 1)
plain = truing.logprob(z0, y0).logprob
check(np.array_equal(truing.logprob(Foreign(z0), Foreign(y0)).logprob, plain), "DLPack 1")
check(np.array_equal(truing.logprob(Foreign(z0, old=True), Foreign(y0, old=True)).logprob, plain), "DLPack without version")
check(np.array_equal(truing.logprob(Foreign(z0, flags=1), y0).logprob, plain), "a read-only input")
place = np.zeros(T + 1, "f4")
truing.logprob(z0, y0, logprob=Foreign(place))
check(np.array_equal(place, plain), "a DLPack output")
place[:] = 7
refused("INVALID_ARGUMENT", "version 2.0", truing.logprob, Foreign(z0, major=2), y0)
refused("INVALID_ARGUMENT", "read-only", truing.logprob, z0, y0, logprob=Foreign(place, flags=1))
refused("INVALID_ARGUMENT", "unversioned", truing.logprob, z0, y0, logprob=Foreign(place, old=True))
check((place == 7).all(), "nothing written")

# ---- linear_logprob
N, D = 7, 24
h, w = rng.normal(size=(N, D)).astype("f4"), (rng.normal(size=(V, D)) * 0.3).astype("f4")
t = rng.integers(0, V, N)
lp = log_softmax(h.astype("f8") @ w.astype("f8").T)
out = truing.linear_logprob(h, w, t, entropy=True, stats=True)
close(out.logprob, lp[np.arange(N), t], 5e-6, "linear logprob")
g = rng.normal(size=N).astype("f4")
dz = g[:, None] * (np.eye(V)[t] - np.exp(lp))
back = truing.linear_logprob_backward(h, w, t, grad_logprob=g, stats=out.stats)
close(back.grad_hidden, dz @ w, 1e-5, "grad_hidden")
close(back.grad_weight, dz.T @ h, 1e-5, "grad_weight")
total = back.grad_weight.copy()
truing.linear_logprob_backward(h, w, t, grad_logprob=g, grad_hidden=False, grad_weight=total, accumulate_weight=True)
check(np.array_equal(total, back.grad_weight + back.grad_weight), "accumulate adds the finished gradient")
refused("INVALID_ARGUMENT", "grads.grad_weight_out: got True", truing.linear_logprob_backward, h, w, t, grad_logprob=g, accumulate_weight=True)
refused("INVALID_ARGUMENT", "grads.grad_hidden_out: got True", truing.linear_logprob_backward, h, w, t, grad_logprob=g, accumulate_hidden=True)

def linear_options():
    logits = truing.linear_logprob(h, w, t, topk=V).topk_logprobs  # in descending order
    names = dict(label_smoothing=0.1, smoothing_form="torch", token_scaling="eaft", reduction="mean")
    ids = np.stack([t, (t + 3) % V], -1)
    out = truing.linear_logprob(h, w, t, rank=True, ties=True, mean_logit=True, extra_ids=ids, row_loss=True, stats=True,
                                grad_hidden=True, grad_weight=True, **names)  # fmt: skip
    check(np.array_equal(out.extra_logprobs[:, 0], out.logprob), "extra columns")
    check(np.array_equal(out.rank, (logits > out.logprob[:, None]).sum(-1)) and (out.ties == 0).all(), "rank")
    close(float(out.loss), out.row_loss.astype("f8").mean(), 1e-6, "loss")
    back = truing.linear_logprob_backward(h, w, t, grad_loss=np.ones((), "f4"), stats=out.stats, **names)
    check(np.array_equal(back.grad_hidden, out.grad_hidden) and np.array_equal(back.grad_weight, out.grad_weight), "fused")
    # shards
    cuts = [(0, V // 3), (V // 3, V // 2), (V // 2, V)]
    fields = dict(sums=True, topk=20, extra_ids=ids, label_smoothing=0.1, smoothing_form="torch")
    parts = [truing.linear_logprob_local(h, w[a:b], t, shard=(a, b, V), **fields) for a, b in cuts]
    pile = lambda name: np.stack([getattr(p, name) for p in parts])  # noqa: E731
    starts = np.array([0, V // 3, V // 2, V])
    given = dict(list_ids=pile("topk_ids"), list_logits=pile("topk_logits"), extra_logits=pile("extra_logits"), extra_ids=ids)
    first = truing.logprob_finish(pile("records"), starts, t, stats=True, **given, **names)
    counts = sum(truing.linear_logprob_local(h, w[a:b], t, shard=(a, b, V), stats=first.stats).counts for a, b in cuts)
    done = truing.logprob_finish(pile("records"), starts, t, rank=True, mean_logit=True, counts=counts, **given, **names)
    check(np.array_equal(done.rank, out.rank), "rank over shards")
    for name in ("logprob", "mean_logit", "extra_logprobs", "loss"):
        close(getattr(done, name), getattr(out, name), 2e-6, name + " over shards")
    total = sum(truing.linear_logprob_backward(h, w[a:b], t, grad_loss=np.ones((), "f4"), stats=first.stats,
                                               shard=(a, b, V), **names).grad_hidden for a, b in cuts)  # fmt: skip
    close(total, out.grad_hidden, 1e-6, "partial sums of grad_hidden")
    # supports
    kept = truing.linear_logprob(h, w, t, support=dict(preset="vllm", top_k=5), support_bitmask=True, support_ids=9,
                                 support_size=True, log_kept_mass=True)  # fmt: skip
    for support in (dict(bitmask=kept.support_bitmask), dict(ids=kept.support_ids)):
        again = truing.linear_logprob(h, w, t, support=support)
        close(again.logprob, kept.logprob, 2e-6, "given support")
        truing.linear_logprob_backward(h, w, t, grad_logprob=g, support=support)
    half = truing.linear_logprob(h, w, t, logit_round="bf16", max=True).max
    check((half.view("u4") & 0xFFFF == 0).all(), "logit_round")
    refused("INVALID_ARGUMENT", "shard.vocab_end", truing.linear_logprob_local, h, w, t, shard=(0, 0, 0))
    refused("INVALID_ARGUMENT", "support.kind", truing.linear_logprob_local, h, w, t, shard=(0, V, V + 1),
            support=dict(preset="hf", top_k=3))  # fmt: skip


linear_options()

# ---- sequence and preference
logps = -rng.random((4, 6)).astype("f4")
mask = np.ones((4, 6), "u1")
mask[1, 3:] = 0
s = truing.sequence(logps, score="sum", mask=mask, counts=True)
close(s.scores, (logps.astype("f8") * mask).sum(1), 1e-12, "sums")
check(s.counts.tolist() == [6, 3, 6, 6])
cu = np.array([0, 6, 9, 15, 21], "i4")
packed = truing.sequence(logps[mask > 0], score="sum", cu_seqlens=cu)
check(np.array_equal(packed.scores, s.scores), "packed and padded sequences give the same bits")
mean = truing.sequence(logps, score="mean", divisor="tokens", mask=mask).scores
close(mean, s.scores / s.counts, 1e-15, "means")
gs = truing.sequence_backward(np.array([1.0, 2, 3, 4]), logps, score="sum", mask=mask).grad_logps
check(np.array_equal(gs, mask * np.array([[1], [2], [3], [4]], "f4")))
refused("INVALID_ARGUMENT", "one of sum, mean, ld", truing.sequence, logps, score="total")
refused("INVALID_ARGUMENT", "cu_seqlens", truing.sequence, logps[0], score="sum")

ref = s.scores + rng.normal(size=4)
delta = 0.3 * ((s.scores - ref)[0::2] - (s.scores - ref)[1::2])
want = np.log1p(np.exp(-delta))
out = truing.losses.dpo(s.scores, ref, beta=0.3, layout="interleaved", reduction="mean", losses=True, reward_chosen=True)
close(out.losses, want, 1e-14, "dpo")
close(out.loss, want.mean(), 1e-14, "dpo mean")
close(out.grad_scores[0::2], -0.3 / (1 + np.exp(delta)) / 2, 1e-14, "dpo gradient")
index = truing.preference("dpo", s.scores, ref, params={"beta": 0.3}, reduction="mean", losses=True,
                          chosen_seq=np.array([0, 2]), rejected_seq=np.array([1, 3]))  # fmt: skip
check(np.array_equal(index.losses, out.losses) and np.array_equal(index.grad_scores, out.grad_scores), "indexed pairs")
two = truing.losses.dpo(s.scores, ref, beta=0.3, layout="interleaved", reduction="mean",
                        extra_terms=[dict(loss="dpo", params={"beta": 0.3}, reduction="sum", weight=0.5)])  # fmt: skip
close(two.loss, 2 * out.loss, 1e-14, "a mean and half a sum of two")
none = truing.losses.dpo(s.scores, ref, beta=0.3, layout="interleaved", reduction="mean", weight=0.0,
                         extra_terms=[dict(loss="dpo", params={"beta": 0.3}, reduction="mean", weight=0)])  # fmt: skip
check(none.loss == 0 and not none.grad_scores.any(), "a weight of 0 is 0")
still = truing.losses.dpo(s.scores, ref, beta=0.3, layout="interleaved", reduction="mean", grad_scale=0)
check(still.loss == out.loss and not still.grad_scores.any(), "a grad_scale of 0 is 0")

summed, total = np.ones(4), np.array(1.0)
truing.losses.dpo(s.scores, ref, beta=0.3, layout="interleaved", reduction="mean", accumulate_grads=True, out_loss=total, grad_scores=summed)
check(np.array_equal(summed, 1 + out.grad_scores) and total == 1 + out.loss, "accumulate adds")
refused("INVALID_ARGUMENT", "outputs.grad_scores_out: got True", truing.losses.dpo, s.scores, ref, layout="interleaved",
        reduction="mean", accumulate_grads=True, out_loss=False)  # fmt: skip

# ---- numbers of a batch
gaps = np.array([0.5, -0.25, 0.0, 1.0])
base = truing.kto_baseline(gaps, nonzero=True)
check((float(base.sum), int(base.count), int(base.nonzero), float(base.baseline)) == (1.25, 4, 3, 1.25 / 4), "kto baseline")
marks = np.array([1, 0, 1, 0], "u1")
first = truing.bco_shift(gaps, marks, mode="balanced")
second = truing.bco_shift(gaps, marks, mode="balanced", state=first.state)
check(first.state.tolist() == [0.5, 2, 0.75, 2] and second.state.tolist() == [1, 4, 1.5, 4], "bco state")
close(second.shift, 0.5 * (0.25 + 0.375), 1e-15, "bco shift")
with_shift = truing.losses.bco(s.scores, ref, label=marks, shift=second.shift, reduction="mean")
check(np.isfinite(with_shift.loss), "the shift goes back in")
order = truing.aot_sort(s.scores[:2], s.scores[2:], ref[:2], ref[2:], pairing="unpaired", difference=True)
ratio = s.scores - ref
check(order.u_order.tolist() == np.argsort(ratio[:2]).tolist(), "aot order")
aot = truing.preference("dpo", s.scores, ref, reduction="mean", losses=True, chosen_seq=order.u_order,
                        rejected_seq=order.v_order + np.int32(2))  # fmt: skip
close(aot.losses, np.log1p(np.exp(-0.1 * (np.sort(ratio[:2]) - np.sort(ratio[2:])))), 1e-14, "aot_unpaired is dpo by rank")
kept = truing.beta_dpo_stats(gaps, np.full(4, 0.5), rho=0.5, alpha=0.0)
check(int(kept.keep.sum()) == 2 and float(kept.beta) == 0.1 and kept.state.shape == (2,), "beta_dpo")
refused("INVALID_ARGUMENT", "params.rho", truing.beta_dpo_stats, gaps, np.full(4, 0.5), rho=1.5)
pair_weight = truing.wpo_weight(-gaps, -gaps - 1, form="plain").weight
close(pair_weight, np.minimum(1, np.exp(-2 * gaps - 1)), 1e-15, "wpo")
refused("INVALID_ARGUMENT", "chosen_log_sum_sq", truing.wpo_weight, gaps, gaps, form="trl")

chance = np.array([0.2, 0.5, 0.9])
close(truing.density_ratio(chance, form="probability", low=0.1).value, [0.25, 1, 9], 1e-14, "density ratio")
close(truing.density_ratio(np.log(chance), form="logit", low=0.1).value, chance, 1e-15, "density ratio of logits")
offset = truing.odpo_offset(gaps + 3, gaps, form="difference", alpha=0.5)
close(offset.value, 0.5 * np.log(3.0), 1e-15, "odpo")
close(truing.mm_beta(gaps).value, np.clip(0.1 * (1 + 0.5 * -np.expm1(-0.5 * gaps)), 0.1, 0.15), 1e-15, "mm_beta")
close(truing.pdu_dual_step(np.array([0.1]), np.array([-1.0]), step=0.5).value, [0.0], 0, "dual step")
heads = truing.head_weights(np.array([0, 1, 1, 1], "i4"), 2)
close(heads.weight, [0.5, 1 / 6, 1 / 6, 1 / 6], 1e-15, "head weights")
objectives = np.arange(6.0).reshape(3, 2)
margin = truing.modpo_margin(np.array([0.5, 2.0]), objectives, -objectives, np.ones(3), grad_weights=True)
close(margin.margin_chosen, objectives @ [0.5, 2.0], 1e-15, "modpo margin")
close(margin.grad_weights, 2 * objectives.sum(0), 1e-15, "modpo weights")
close(truing.quantile_threshold(gaps, 0.3).threshold, np.quantile(gaps, 0.3), 1e-15, "quantile")
star = truing.a_star_value(gaps.reshape(2, 2), mode="log_mean_exp", share=True)
close(star.value, 0.5 * np.log(np.exp(gaps.reshape(2, 2) / 0.5).mean(1)), 1e-14, "a star value")
close(star.share.sum(1), [1, 1], 1e-15, "shares")
steps = truing.hindsight_target(np.zeros((1, 3)), np.ones(1), gamma=0.5).targets
close(steps, [[0.25, 0.5, 1]], 0, "hindsight")
figures = truing.kl_length_figures(gaps, cu_seqlens=np.array([0, 1, 4]), quantile_levels=np.array([0.5]),
                                   bin_edges=np.array([0.0, 2.0, 4.0]))  # fmt: skip
close(figures.k1, [0.5, 0.75], 1e-15, "k1")
check(figures.quantiles.tolist() == [2] and figures.histogram.tolist() == [1, 1] and figures.figures.shape == (16,), "lengths")
states = rng.normal(size=(2, 3, 4)).astype("f4")
both = states.astype("f8").sum(1)
close(truing.ches(states, np.array([0]), np.array([1]), score="sum").value, [both[1] @ both[0] - both[0] @ both[0]], 1e-12, "ches")
judged = rng.normal(size=(3, 4))
soft = np.exp(judged - judged.max(1, keepdims=True))
soft /= soft.sum(1, keepdims=True)
truth = np.eye(4)[[0, 2, 3]]
close(truing.brier(judged, truth, form="sum", reduction="mean").loss, ((soft - truth) ** 2).sum(1).mean(), 1e-14, "brier")
ranked = (np.cumsum(soft - truth, 1)[:, :3] ** 2).sum(1) / 3
close(truing.rps(judged, target_ids=np.array([0, 2, 3]), form="mean", reduction="none", losses=True).losses, ranked, 1e-14, "rps")
step = truing.prm_ce(judged, truth, reduction="sum")
close(step.loss, -(truth * np.log(soft)).sum(), 1e-14, "prm_ce")
close(step.grad_logits, soft - truth, 1e-13, "prm_ce gradient")
sure = truing.confidence_ce(judged[:, :2], truth[:, :2], threshold=0.5, confidence=0.0, reduction="none", losses=True)
close(sure.losses[1], 0, 0, "a row without a target")
check(truing.product_target(judged, soft, reduction="mean", out_targets=True).targets.shape == (3, 4), "product target")
flat = truing.pdu_flatten(judged, reduction="sum")
close(flat.loss, ((judged.max(1) - judged.mean(1)) ** 2).sum(), 1e-13, "pdu_flatten")
close(truing.prm_mse(judged, truth, reduction="mean").loss, ((judged - truth) ** 2).mean(), 1e-14, "prm_mse")
mixed = truing.preference_orchestrator(judged, scores=judged, values=truth, direction="target_to_weights")
close(mixed.combined, (soft * truth).sum(1), 1e-14, "combined objectives")
check((mixed.kl >= 0).all() and mixed.grad_scores_kl.shape == (3, 4), "orchestrator")
refused("INVALID_ARGUMENT", "params.confidence", truing.confidence_ce, judged[:, :2], soft[:, :2], threshold=0.5,
        confidence=2.0, reduction="mean")  # fmt: skip

# ---- a reference head, token-level DPO, an NLL beside the loss
def two_heads():
    n, d, v = 4, 5, 11
    h, r = rng.normal(size=(4, n, d)).astype("f4"), rng.normal(size=(4, n, d)).astype("f4")
    w, wr = rng.normal(size=(v, d)).astype("f4"), rng.normal(size=(v, d)).astype("f4")
    y = rng.integers(0, v, size=(4, n))

    def rows_of(hidden, weight):
        z = hidden.astype("f8") @ weight.astype("f8").T
        z -= z.max(-1, keepdims=True)
        return z - np.log(np.exp(z).sum(-1, keepdims=True))

    policy, other = rows_of(h, w), rows_of(r, wr)
    taken = [np.take_along_axis(x, y[..., None], -1)[..., 0] for x in (policy, other)]
    ratio, kl = (taken[0] - taken[1]).sum(1), (np.exp(other) * (other - policy)).sum((1, 2))
    both = dict(ref_hidden=r, ref_weight=wr, score="sum", phase="single", reduction="mean", layout="interleaved")
    fused = truing.linear_preference("dpo", h, w, y, params={"beta": 0.3}, ref_scores_out=True, **both)
    want = np.log1p(np.exp(-0.3 * (ratio[0::2] - ratio[1::2]))).mean()
    close(fused.loss, want, 1e-5, "dpo with both heads")
    close(fused.ref_scores, taken[1].sum(1), 1e-4, "scores of the reference")
    by_token = truing.linear_preference("tdpo1", h, w, y, params={"beta": 0.3}, kl=True, grad_kl=True, **both)
    u = 0.3 * ((ratio[0::2] - ratio[1::2]) - (kl[1::2] - kl[0::2]))
    close(by_token.loss, np.log1p(np.exp(-u)).mean(), 1e-5, "tdpo1")
    close(by_token.kl, kl, 1e-5, "KL to the reference")
    close(by_token.grad_kl[1::2], 0.3 / (1 + np.exp(u)) / 2, 1e-5, "tdpo1 by the KL")
    # the exact KL beside a policy loss: at a ratio of 1 the main term is minus the advantage
    heads = dict(ref_hidden=r, ref_weight=wr, phase="single", level="token", aggregate="token_mean", advantage=np.ones(4, "f4"))
    ways = (("forward_kl", np.exp(other) * (other - policy)), ("reverse_kl", np.exp(policy) * (policy - other)))
    for way, columns in ways:
        got = truing.linear_policy("ppo_clip", h, w, y, kl_divergence=way, kl_coef=0.5, out_kl=True, **heads)
        close(got.kl, columns.sum(-1), 1e-5, way)
        close(got.loss, -1 + 0.5 * columns.sum(-1).mean(), 1e-5, f"loss with the {way}")
    k1 = truing.linear_policy("ppo_clip", h, w, y, kl="k1", kl_weight="one", kl_gradient="pathwise", out_kl=True, **heads)
    close(k1.kl, taken[0] - taken[1], 1e-4, "log-probs of a reference head")
    # logits of both heads rounded as a sampler's head does
    rounded = [truing.linear_logprob(x, head, y, logit_round=to).logprob for x, head, to in ((h, w, "bf16"), (r, wr, "f16"))]
    both_rounded = dict(logit_round="bf16", ref_logit_round="f16")
    k1 = truing.linear_policy("ppo_clip", h, w, y, kl="k1", kl_weight="one", kl_gradient="pathwise", out_kl=True, logps=True,
                              **both_rounded, **heads)  # fmt: skip
    check((k1.logps == rounded[0]).all() and (k1.logps != taken[0].astype("f4")).any(), "logit_round of a policy loss")
    close(k1.kl, rounded[0] - rounded[1].astype("f8"), 1e-6, "logit_round of a reference head")
    dpo = truing.linear_preference("dpo", h, w, y, ref_scores_out=True, scores=True, **both_rounded, **both)
    own, reference = (logps.astype("f8").sum(1) for logps in rounded)
    close(dpo.scores, own - reference, 1e-9, "logit_round of a preference loss")
    close(dpo.ref_scores, reference, 1e-9, "logit_round of its reference")
    refused("INVALID_ARGUMENT", "ref_head.transform.logit_round", truing.linear_policy, "ppo_clip", h, w, y,
            ref_logit_round="bf16", **{k: v for k, v in heads.items() if not k.startswith("ref_")})  # fmt: skip
    refused("INVALID_ARGUMENT", "inputs.kl.id", truing.linear_policy, "ppo_clip", h, w, y, kl="k1", kl_divergence="forward_kl", **heads)
    # the same in two phases: figures, the split form, gradients
    of_heads = dict(ref_hidden=r, ref_weight=wr)
    kl_way = dict(kl_divergence="forward_kl", kl_coef=0.5)
    whole = truing.linear_policy("ppo_clip", h, w, y, **kl_way, **heads)
    first = truing.linear_policy(None, h, w, y, phase="figures", logps=True, out_kl=True, out_pair_stats=True, **of_heads,
                                 kl_divergence="forward_kl")  # fmt: skip
    close(first.kl, ways[0][1].sum(-1), 1e-5, "divergence in phase figures")
    second = truing.linear_policy(None, h, w, y, phase="with_coefficients", pair_stats=first.pair_stats, **of_heads,
                                  logp_coefficients=np.full((4, n), -1 / (4 * n), "f4"), kl_divergence="forward_kl",
                                  kl_coefficients=np.full((4, n), 0.5 / (4 * n), "f4"))  # fmt: skip
    check((second.grad_hidden == whole.grad_hidden).all(), "a divergence in two phases")
    pairs = dict(score="sum", **of_heads)
    first = truing.linear_preference(None, h, w, y, phase="figures", scores=True, kl=True, out_pair_stats=True, **pairs)
    split = truing.preference("tdpo1", first.scores, kl=first.kl, params={"beta": 0.3}, reduction="mean", layout="interleaved",
                              grad_kl=True)  # fmt: skip
    second = truing.linear_preference(None, h, w, y, phase="with_coefficients", score_coefficients=split.grad_scores,
                                      kl_coefficients=split.grad_kl, pair_stats=first.pair_stats, **pairs)  # fmt: skip
    check((second.grad_weight == by_token.grad_weight).all(), "tdpo1 in two phases")
    refused("INVALID_ARGUMENT", "ref_head", truing.linear_preference, None, h, w, y, score="sum",
            phase="with_coefficients", score_coefficients=split.grad_scores, kl_coefficients=split.grad_kl)  # fmt: skip
    retain = truing.linear_preference("cpo", h, w, y, side_coef=2.0, side_scope="masked", side_divisor="pooled",
                                      side_divergence="forward_kl", side_term=True, **both)  # fmt: skip
    close(retain.side_term, kl.sum() / (4 * n), 1e-5, "divergence as side term")
    refused("INVALID_ARGUMENT", "side_term.divergence", truing.linear_preference, "cpo", h, w, y, side_coef=2.0,
            side_scope="masked", side_divisor="pooled", side_divergence="jsd", **both)  # fmt: skip
    means, squares = taken[0].mean(1), np.log(np.exp(2 * policy).sum(-1)).mean(1)
    for form, log in (("plain", np.minimum(means[0::2] + means[1::2], 0)), ("trl", (means - squares)[0::2] + (means - squares)[1::2])):
        got = truing.linear_preference("dpo", h, w, y, params={"beta": 0.3}, wpo=form, **both)
        want = np.log1p(np.exp(-0.3 * (ratio[0::2] - ratio[1::2])))
        close(got.loss, (np.exp(log) * want).mean(), 1e-5, f"wpo {form}")
    # over the three most probable columns; eaft, whose entropy is that of the 20 most probable tokens
    kept = truing.linear_policy("reinforce", h, w, y, phase="single", level="token", aggregate="token_sum", logps=True,
                                advantage=np.ones(4, "f4"), support=dict(preset="hf", top_k=3))  # fmt: skip
    thresholds = np.sort(policy, -1)[..., -3:]
    inside = np.log(np.exp(np.where(policy >= thresholds[..., :1], policy, -np.inf)).sum(-1))
    outside = np.logaddexp(inside, np.where(taken[0] < thresholds[..., 0], taken[0], -np.inf))
    close(kept.logps, taken[0] - outside, 1e-5, "log-probs over a support")
    close(kept.loss, -(taken[0] - outside).sum(), 1e-4, "a loss over a support")
    entropy = -(np.exp(policy) * policy).sum(-1)
    fused = truing.linear_policy("eaft", h, w, y, phase="single", level="token", aggregate="token_mean", entropy_coef=0.1)
    want = -(entropy / 3 * taken[0]).mean() - 0.1 * entropy.mean()
    close(fused.loss, want, 1e-5, "eaft beside a bonus")
    split = truing.policy("eaft", taken[0], level="token", aggregate="token_mean", entropy_coef=0.1, entropy=2 * entropy.astype("f4"),
                          topk_entropy=entropy.astype("f4"))  # fmt: skip
    close(split.loss, want - 0.1 * entropy.mean(), 1e-5, "entropies of its own for eaft")
    refused("INVALID_ARGUMENT", "topk_entropy", truing.policy, "nll", taken[0], level="token", aggregate="token_mean",
            topk_entropy=entropy.astype("f4"))  # fmt: skip
    plain = dict(score="sum", phase="single", reduction="mean", layout="interleaved", params={"beta": 0.3})
    alone = truing.linear_preference("cpo", h, w, y, **plain)
    nll = truing.linear_preference("cpo", h, w, y, side_coef=0.5, side_scope="chosen", side_divisor="pooled", side_term=True, **plain)
    close(nll.side_term, -taken[0][0::2].mean(), 1e-5, "chosen NLL")
    close(nll.loss, alone.loss + 0.5 * nll.side_term, 1e-12, "cpo with its NLL")
    check(np.abs(nll.grad_hidden - alone.grad_hidden)[1::2].max() == 0, "the NLL is the chosen answers'")
    refused("INVALID_ARGUMENT", "loss.id", truing.linear_preference, "tdpo1", h, w, y, **plain)
    refused("INVALID_ARGUMENT", "side_term.scope", truing.linear_preference, "cpo", h, w, y, side_coef=0.5,
            side_divisor="pooled", **plain)  # fmt: skip
    # the divergence of both heads, and of a head and rows in memory
    flat, target = h.reshape(-1, d), y.reshape(-1)
    heads = dict(teacher_hidden=r.reshape(-1, d), teacher_weight=wr)
    kl = (np.exp(other) * (other - policy)).sum(-1).reshape(-1)
    call = dict(phase="single", aggregate="token_mean", out_stats=True, grad_teacher_hidden=True, **heads)
    got = truing.linear_divergence("forward_kl", flat, w, target, student_logprob=True, **call)
    close(got.values, kl, 1e-5, "forward_kl of two heads")
    close(got.loss, kl.mean(), 1e-6, "its mean")
    close(got.student_logprob, taken[0].reshape(-1), 1e-4, "log-prob beside it")
    dz = ((np.exp(policy) - np.exp(other)) / (4 * n)).reshape(-1, v)
    close(got.grad_hidden, dz @ w, 1e-6, "gradient of the student's hidden states")
    close(got.grad_weight, dz.T @ flat, 1e-6, "gradient of the student's weight")
    check(got.grad_teacher_hidden.shape == r.reshape(-1, d).shape, "gradient of the teacher's hidden states")
    back = truing.linear_divergence("forward_kl", flat, w, phase="with_coefficients", stats=got.stats,
                                    grad_values=np.full(4 * n, 1 / (4 * n), "f4"), **heads)  # fmt: skip
    check((back.grad_weight == got.grad_weight).all() and (back.grad_hidden == got.grad_hidden).all(), "backward")
    starts, cuts = np.array([0, 3, v], "i8"), ((0, 3), (3, v))
    records = np.stack([
        truing.linear_divergence_local("forward_kl", flat, w[a:b], r.reshape(-1, d), wr[a:b], shard=(a, b, v)).records
        for a, b in cuts
    ])  # fmt: skip
    found = truing.divergence_finish("forward_kl", records, starts, stats=True)
    close(found.values, kl, 1e-5, "forward_kl of two heads in shards")
    parts = [
        truing.linear_divergence("forward_kl", flat, w[a:b], phase="with_coefficients", stats=found.stats,
                                 teacher_hidden=r.reshape(-1, d), teacher_weight=wr[a:b], shard=(a, b, v),
                                 grad_values=np.full(4 * n, 1 / (4 * n), "f4"))
        for a, b in cuts
    ]  # fmt: skip
    close(np.concatenate([x.grad_weight for x in parts]), got.grad_weight, 1e-6, "gradient of a weight in shards")
    close(sum(x.grad_hidden for x in parts), got.grad_hidden, 1e-6, "gradients of hidden states add up")
    refused("INVALID_ARGUMENT", "shard.vocab_total", truing.linear_divergence, "forward_kl", flat, w[:3], phase="figures",
            teacher_hidden=r.reshape(-1, d), teacher_weight=wr[:3], shard=(0, 3, v))  # fmt: skip
    rows = truing.linear_divergence("forward_kl", flat, w, phase="figures", teacher_rows=other.reshape(-1, v).astype("f4"),
                                    teacher_form="logprobs")  # fmt: skip
    close(rows.values, kl, 1e-5, "forward_kl to rows of log-probs")
    refused("INVALID_ARGUMENT", "teacher_rows", truing.linear_divergence, "forward_kl", flat, w, phase="figures",
            teacher_rows=flat, **heads)  # fmt: skip
    # on a support: the teacher's two largest as numbers at ids, and in shards
    k = 2
    ids = np.argsort(-other.reshape(-1, v), axis=-1, kind="stable")[:, :k].astype("i4")
    at_ids = np.take_along_axis(other.reshape(-1, v), ids, -1).astype("f4")
    few = dict(support="given", outside="tail", ids=ids, teacher_values=at_ids)
    call = dict(partial=few, teacher_form="topk_logprobs", aggregate="token_sum", teacher_mass=True)
    z = policy.reshape(-1, v).astype("f4")
    want = truing.divergence("jsd", z, target=target, hard_weight=0.25, grad_student=True, support_ids=k, **call)
    got = truing.linear_divergence("jsd", flat, w, target, hard_weight=0.25, phase="single", support_ids=k, **call)
    close(got.values, want.values, 1e-5, "a head and the teacher's largest")
    close(got.teacher_mass, np.exp(at_ids).sum(-1), 1e-6, "their mass")
    check((got.support_ids == ids).all(), "their ids")
    close(got.grad_hidden, want.grad_student @ w, 1e-5, "gradient of hidden states on them")
    close(got.grad_weight, want.grad_student.T @ flat, 1e-5, "gradient of the weight on them")
    again = truing.linear_divergence("jsd", flat, w, target, hard_weight=0.25, phase="with_coefficients", partial=few,
                                     teacher_form="topk_logprobs", grad_values=np.ones(4 * n, "f4"))  # fmt: skip
    check((again.grad_weight == got.grad_weight).all(), "the gradients alone")
    given = dict(support="given", outside="renormalise", ids=ids)
    whole = truing.linear_divergence("forward_kl", flat, w, phase="single", aggregate="token_mean", partial=given, **heads)
    parts = [
        truing.linear_divergence_local("forward_kl", flat, w[a:b], r.reshape(-1, d), wr[a:b], shard=(a, b, v), partial=given)
        for a, b in cuts
    ]  # fmt: skip
    found = truing.divergence_finish("forward_kl", None, starts, partial=given, stats=True,
                                     student_at_ids=np.stack([x.student_at_ids for x in parts]),
                                     teacher_at_ids=np.stack([x.teacher_at_ids for x in parts]))  # fmt: skip
    check((found.values == whole.values).all(), "given ids over shards of two heads")
    parts = [
        truing.linear_divergence("forward_kl", flat, w[a:b], phase="with_coefficients", stats=found.stats, partial=given,
                                 teacher_hidden=r.reshape(-1, d), teacher_weight=wr[a:b], shard=(a, b, v),
                                 grad_values=np.full(4 * n, 1 / (4 * n), "f4"))
        for a, b in cuts
    ]  # fmt: skip
    close(np.concatenate([x.grad_weight for x in parts]), whole.grad_weight, 1e-7, "and their gradients")
    call = dict(partial=given, hard_weight=0.5, **heads)
    whole = truing.linear_divergence("forward_kl", flat, w, target, phase="single", aggregate="token_mean", **call)
    parts = [
        truing.linear_divergence_local("forward_kl", flat, w[a:b], r.reshape(-1, d), wr[a:b], target, shard=(a, b, v), partial=given,
                                       hard_weight=0.5)
        for a, b in cuts
    ]  # fmt: skip
    found = truing.divergence_finish("forward_kl", np.stack([x.records for x in parts]), starts, target, partial=given,
                                     hard_weight=0.5, stats=True, student_at_ids=np.stack([x.student_at_ids for x in parts]),
                                     teacher_at_ids=np.stack([x.teacher_at_ids for x in parts]))  # fmt: skip
    close(found.values, whole.values, 1e-6, "with a term of the target")
    parts = [
        truing.linear_divergence("forward_kl", flat, w[a:b], target, phase="with_coefficients", stats=found.stats, partial=given,
                                 teacher_hidden=r.reshape(-1, d), teacher_weight=wr[a:b], shard=(a, b, v), hard_weight=0.5,
                                 grad_values=np.full(4 * n, 1 / (4 * n), "f4"))
        for a, b in cuts
    ]  # fmt: skip
    close(np.concatenate([x.grad_weight for x in parts]), whole.grad_weight, 1e-6, "and its gradients")
    close(sum(x.grad_hidden for x in parts), whole.grad_hidden, 1e-6, "and those of hidden states")
    refused("INVALID_ARGUMENT", "stats", truing.linear_divergence, "forward_kl", flat, w[:3], phase="with_coefficients",
            partial=given, teacher_hidden=r.reshape(-1, d), teacher_weight=wr[:3], shard=(0, 3, v))  # fmt: skip
    refused("INVALID_ARGUMENT", "teacher_rows", truing.linear_divergence, "jsd", flat, w, phase="figures",
            teacher_rows=z, partial=few, teacher_form="topk_logprobs")  # fmt: skip
    refused("INVALID_ARGUMENT", "teacher_transform", truing.linear_divergence, "jsd", flat, w, phase="figures",
            partial=few, teacher_form="topk_logprobs", teacher_transform=dict(temperature=2.0))  # fmt: skip
    refused("SHAPE_MISMATCH", "teacher.hidden", truing.linear_divergence, "forward_kl", flat, w, phase="figures",
            teacher_hidden=flat[:3], teacher_weight=wr)  # fmt: skip
    learned = truing.preference("modpo", s.scores, ref, params={"beta": 0.3, "own_weight": 0.5}, reduction="mean",
                                layout="interleaved", grad_params=True)  # fmt: skip
    check(learned.grad_params.shape == (2,) and learned.grad_params[0] == 0 and learned.grad_params[1] != 0, "learned weight")
    factor = truing.preference("poft", np.array([-1.0, -2.0]), baseline=-1.0, reduction="mean", aux=True).aux
    close(factor, [0.5, 1 / (1 + np.exp(-1.0))], 1e-15, "factor of poft")


two_heads()
# ---- corrections
was, now = np.log(np.array([[0.5, 0.25, 0.5], [0.5, 0.5, 0.1]])), np.log(np.array([[0.5, 0.5, 0.25], [0.25, 0.5, 0.1]]))
seen = np.array([[1, 1, 1], [1, 1, 0]], "u1")
made = truing.importance_weight(now, was, mask=seen, level="token", action="truncate", missing="one", high=1.5)
close(made.weights, [[1, 1.5, 0.5], [0.5, 1, 0]], 1e-6, "truncated weights")
made = truing.importance_weight(now, was, mask=seen, level="sequence_sum", action="mask", missing="one", low=0.75, keep=True)
check(made.weights.tolist() == [[1, 1, 1], [0, 0, 0]] and made.keep.tolist() == [[1, 1, 1], [0, 0, 0]], "whole sequences")
near = truing.rejection_mask(now, was, mask=seen, statistic="tv", span="token", missing="one", high=0.2)
check(near.keep.tolist() == [[1, 0, 0], [0, 1, 0]], "tokens that moved")
off = truing.off_policy_sequence_mask(now, was, np.array([1.0, -1.0]), mask=seen, delta=0.1, mean=True)
check(off.keep.tolist() == [1, 0], "a sequence that the policy left")
close(off.mean, [0, np.log(2) / 2], 1e-15, "how far")
top = truing.top_entropy_mask(np.array([[0.1, 0.4, 0.2], [0.3, 0.5, 9.0]]), mask=seen, share=0.5, threshold=True)
check(top.keep.tolist() == [[0, 1, 0], [1, 1, 0]] and float(top.threshold) == 0.3, "the larger half")
up = np.array([[1.0, 2.0, -3.0], [0.0, 0.0, 0.0]])
most = truing.cov_select(now, up, form="kl", mask=seen, share=0.4, indices=True)
check(most.indices.ravel()[: int(most.count)].tolist() == [1, 2] and most.flag.sum() == 2, "largest covariances")
noise = np.array([[0.5, 0.1, 0.9], [0.2, 0.3, 0.0]])
drawn = truing.cov_select(now, up, now, form="clip", noise=noise, mask=seen, share=0.4, cov_low=-9.0, cov_high=9.0, keep=True)
check(drawn.flag.tolist() == [[0, 1, 0], [1, 0, 0]] and drawn.keep.tolist() == [[1, 0, 1], [0, 1, 0]], "the smallest noise")
seeds = [truing.cov_select(now, up, now, form="clip", mask=seen, share=0.4, cov_low=-9.0, cov_high=9.0, seed=k).flag for k in (1, 1)]
check(np.array_equal(*seeds) and seeds[0].sum() == 2, "a seed draws the same")
refused("INVALID_ARGUMENT", "seed", truing.cov_select, now, up, now, form="clip", noise=noise, seed=1)
moved = truing.m2po_mask(was, now, mask=seen, threshold=0.2, moment=True, dropped=True)
check(int(moved.dropped) == 2 and moved.keep.sum() == 3, "what moved most")
ahead = truing.fipo_weight(now, was, np.ones(2), mask=seen, high_only=True, half_life=1.0)
close(ahead.weights, [[np.exp(np.log(2) / 4), 1.2, 1], [1, 1, 0]], 1e-6, "weights by what follows")
# ---- advantages and returns
reward = np.array([1.0, 0.0, 0.5, np.nan, 2.0, 2.0])
two = np.array([0, 4, 6])
a = truing.group_advantage(reward, two, preset="grpo", mean=True, std=True, status=True)
close(a.advantages, np.array([0.5, -0.5, 0, 0, 0, 0]) / (0.5 + 1e-4), 1e-15, "grpo")
check(a.mean.tolist() == [0.5, 2] and a.std.tolist() == [0.5, 0] and a.status.tolist() == [0, 0])
ids = truing.group_advantage(reward[::-1].copy(), group_ids=np.array([1, 1, 0, 0, 0, 0], "i4"), num_groups=2, preset="grpo")
check(np.array_equal(ids.advantages, a.advantages[::-1]), "ids")
own = truing.group_advantage(reward, two, baseline="group", scale="group_std", eps=1e-4)
check(np.array_equal(own.advantages, a.advantages), "a preset is its settings")
refused("INVALID_ARGUMENT", "preset", truing.group_advantage, reward, two)
refused("INVALID_ARGUMENT", "params.eps", truing.group_advantage, reward, two, preset="grpo", eps=-1.0)
refused("INVALID_ARGUMENT", "group_offsets", truing.group_advantage, reward, preset="grpo")
best = truing.pass_k_advantage(reward, two)
close(best.advantages, np.array([0.5, 0, 0, 0, 0, 0]) / (0.5 + 1e-6), 1e-15, "pass at k")
check(truing.pass_k_advantage(reward, two, scale="none").advantages.tolist() == [0.5, 0, 0, 0, 0, 0], "the bare distance")
refused("INVALID_ARGUMENT", "scale", truing.pass_k_advantage, reward, two, scale="batch_std")
refused("INVALID_ARGUMENT", "rewards", truing.pass_k_advantage, reward[:1], np.array([0, 1]))
several = np.stack([reward, reward * 10], 1)
weights = np.array([0.5, 0.05])
many = truing.multi_objective_advantage(several, weights, two, order="sum_first", preset="grpo")
close(many.advantages, a.advantages, 1e-15, "equal objectives are one")
up = rng.normal(size=6)
back = truing.multi_objective_advantage_backward(up, several, weights, two, order="sum_first", preset="dr_grpo")
close(back.grad_weights[1], 10 * back.grad_weights[0], 1e-14, "gradient of weights")
gdpo = truing.multi_objective_advantage(several, weights, two, order="normalise_first", preset="grpo", batch_step="standardise")
check(abs(np.nansum(gdpo.advantages)) < 1e-14)
steps, estimate = rng.normal(size=(2, 5)).astype("f4"), rng.normal(size=(2, 5)).astype("f4")
keep = np.array([[1, 1, 0, 1, 1], [1, 0, 0, 0, 0]], bool)
g = truing.gae(steps, estimate, mask=keep, masks="carry", gamma=0.9, lambda_policy=0.5)
last = float(steps[1, 0]) - float(estimate[1, 0])
close(g.advantages[1], [last, 0, 0, 0, 0], 1e-6, "gae")
close(g.returns, np.where(keep, g.advantages + estimate, 0), 1e-6, "returns")
sums = truing.discounted_return(steps, mask=keep, masks="carry", baseline=np.array([1.0, 2.0]))
close(sums.advantages[:, 0], (steps * keep).sum(1) - [1, 2], 1e-5, "above a baseline")
refused("INVALID_ARGUMENT", "values", truing.gae, steps, None, mask=keep, masks="carry")
slopes = truing.discounted_return_backward(np.ones_like(steps), masks="carry", mask=keep, gamma=0.5)
close(slopes.grad_rewards[0], [1, 1.5, 0, 1.75, 1.875], 1e-6, "gradient of returns")
grads = truing.gae_backward(np.ones_like(steps), masks="carry", mask=keep, gamma=0.9, lambda_policy=0.5)
total = (g.advantages).sum()
close((grads.grad_rewards * steps + grads.grad_values * estimate).sum(), total, 1e-5, "the map is linear")
z = truing.whiten(g.advantages, mask=keep, std_kind="unbiased", eps_kind="variance_add", state=True)
close(z.values[keep].std(ddof=1), 1, 1e-6, "whitened")
again = truing.whiten(g.advantages, mask=keep, std_kind="unbiased", eps_kind="variance_add", states=z.state[None])
check(np.array_equal(again.values, z.values), "one rank's state")
prob = -rng.random((2, 5))
one = np.array([0, 2])
otb = truing.optimal_token_baseline(steps, prob, prob, one, alignment="live_index", mask=keep, baseline=True)
check(otb.advantages.shape == (2, 5) and (otb.baseline[:, 1:] == 0).all(), "nothing beyond the second longest")
prime = truing.prime_advantage(steps, np.array([1.0, 0.0]), one, mask=keep)
check(np.isfinite(prime.returns).all())
d = truing.distill_advantage("opd", prob, prob + 0.25, np.array([1.0, 2.0]), params={"coef": 2.0}, mask=keep)
close(d.advantages, np.where(keep, [[1.5], [2.5]], 0), 1e-14, "opd")
refused("INVALID_ARGUMENT", "params.eps", truing.distill_advantage, "rlsd", prob, prob, prob, params={"eps": 1.0})
lag = truing.lagrangian_advantage(steps, estimate, 0.0, mask=keep, mean_cost=2.0, cost_limit=1.0)
close(lag.advantages, np.where(keep, (steps - estimate) / 2, 0), 1e-6, "lambda 1")
close(lag.grad_log_lambda, -1, 1e-15, "multiplier")
pama = truing.pama_scalars(rng.normal(size=(3, 10)), prob, prob, granularity="sequence", mask=keep)
least = truing.interval_weights(pama.scalars)
close(least.weights.sum(0), [1, 1], 1e-15, "weights of an interval")
gram = truing.gram_matrix(np.array([[1.0, 0], [0, 2]]), unit_rows=True).gram
norm = truing.min_norm_weights(gram)
check(norm.weights.tolist() == [0.5, 0.5] and float(norm.value) == 0.5, "min norm")
paid = truing.token_reward(prob, prob - 0.5, np.array([3.0, 4.0]), estimator="k1", level="token", coef=0.1, mask=keep, kl=True)
close(paid.kl, [2, 0.5], 1e-14, "kl of sequences")
close(paid.rewards.sum(1), [3 - 0.2, 4 - 0.05], 1e-14, "reward at the last live token")
refused("INVALID_ARGUMENT", "params.coef", truing.token_reward, prob, prob, estimator="k1", level="token", coef=None)
close(truing.kl_controller(0.2, 0.1, batch=100.0).coef, 0.1 * 1.002, 1e-15, "kl controller")
bonus = truing.entropy_controller(0.1, 0.5)
check(float(bonus.coef) == 0.505 and float(bonus.applied) == 0.505, "entropy controller")

rows = truing.losses.kto(s.scores, ref, label=np.array([1, 0, 1, 0], "u1"), baseline=0.1, reduction="mean")
check(np.isfinite(rows.loss) and rows.grad_scores.shape == (4,))
lists = truing.losses.plackett_luce(s.scores, ref, list_offsets=np.array([0, 4], "i4"), reduction="mean",
                                    **({"list_targets": np.array([1.0, 2, 3, 4])} if truing.losses.plackett_luce.entry.inputs & _abi.TRUING_SLOT_LIST_TARGET else {}))  # fmt: skip
check(lists.loss > 0)
refused("INVALID_ARGUMENT", "loss.params.beta", truing.losses.dpo, s.scores, ref, beta=-1.0, layout="stacked", reduction="mean")
refused("INVALID_ARGUMENT", "groups.layout", truing.losses.dpo, s.scores, ref, reduction="mean")
refused("INVALID_ARGUMENT", "params", truing.preference, "dpo", s.scores, ref, params={"gamma": 1}, reduction="mean")
refused("INVALID_ARGUMENT", "name", truing.preference, "no such loss", s.scores, reduction="mean")


# ---- parameters: None is the default, NaN is none
pairs = dict(layout="interleaved", reduction="mean")
usual = truing.preference("dpo", s.scores, ref, params={"beta": 0.1}, **pairs)
for default in (None, {}, [], [None], {"beta": None}, [None, None], [0.1], {"beta": np.float64(0.1)}):
    check(truing.preference("dpo", s.scores, ref, params=default, **pairs).loss == usual.loss, f"{default}")
check(truing.losses.dpo(s.scores, ref, beta=None, **pairs).loss == usual.loss)
NAN = "got nan, expected a number, or None for the default"
refused("INVALID_ARGUMENT", f"params.beta: {NAN}", truing.losses.dpo, s.scores, ref, beta=math.nan, **pairs)
refused("INVALID_ARGUMENT", f"params.beta: {NAN}", truing.losses.dpo, s.scores, ref, beta=np.float32(np.nan), **pairs)
refused("INVALID_ARGUMENT", f"params.label_smoothing: {NAN}", truing.preference, "dpo", s.scores, ref, params=[0.1, math.nan], **pairs)
refused("INVALID_ARGUMENT", "params.beta: got '0.1', expected a number", truing.losses.dpo, s.scores, ref, beta="0.1", **pairs)
refused("INVALID_ARGUMENT", "params[2]: got 'x', expected a number", truing.preference, "dpo", s.scores, ref, params=[0.1, 0, "x"], **pairs)
refused("INVALID_ARGUMENT", "loss.num_params", truing.preference, "dpo", s.scores, ref, params=[0.1, 0, 1], **pairs)
refused("INVALID_ARGUMENT", f"params.eps: {NAN}", truing.group_advantage, reward, two, preset="grpo", eps=math.nan)
refused("INVALID_ARGUMENT", f"params.mix: {NAN}", truing.distill_advantage, "rlsd", prob, prob, prob, params={"mix": math.nan})
refused("INVALID_ARGUMENT", f"param: {NAN}", truing.divergence, "jsd", view[0], view[1], param=math.nan)
refused("INVALID_ARGUMENT", "normaliser: got '4'", truing.preference, "dpo", s.scores, ref, normaliser="4", **pairs)
refused("INVALID_ARGUMENT", "weight: got 'x'", truing.preference, "dpo", s.scores, ref, extra_terms=[dict(loss="ipo", weight="x")], **pairs)

# ---- the catalogue
check(len(truing.losses.ENTRIES) == truing._library.library().truing_loss_count() > 0)
for e in truing.losses.ENTRIES:
    f = getattr(truing.losses, e.name, None) or getattr(truing.losses, f"{e.name}_{e.kind}")
    check(f.entry is e and e.formula in f.__doc__, e.name)
    check(len(e.variants) == e.num_variants == len(set(e.variants)) and all(v in f.__doc__ for v in e.variants), e.name)
    check(all(p.description and f"{p.name}: {p.description}" in f.__doc__ for p in e.params), e.name)
check(truing.preference("sigmoid", s.scores, ref, layout="interleaved", reduction="mean", params=[0.3]).loss == out.loss, "an alias")
for e in truing.losses.ENTRIES:
    for alias in e.aliases:
        kinds = {other.kind for other in truing.losses.ENTRIES if alias in (other.name, *other.aliases)}
        check(getattr(truing.losses, alias).entry.kind in kinds, f"alias {alias}")
check(truing.losses.sigmoid is truing.losses.dpo and not hasattr(truing.losses, "no_loss"))
refused("INVALID_ARGUMENT", "loss: got 'dpoo'", truing.preference, "dpoo", s.scores, ref, layout="interleaved", reduction="mean")
bounds = dict(level="token", aggregate="token_mean", advantage=np.ones(4), clip_high=0.2)
for number, name in enumerate(("raw_high", "one_plus_high", "two_sided", "raw_two_sided"), 1):
    named = truing.losses.cispo_token(logps, logps - 0.5, variant=name, **bounds)
    check(named.loss == truing.losses.cispo_token(logps, logps - 0.5, variant=number, **bounds).loss, name)
refused("INVALID_ARGUMENT", "variant: got 'raw', expected one of raw_high", truing.losses.cispo_token, logps, logps, variant="raw", **bounds)
refused("INVALID_ARGUMENT", "variant: got 4294967297", truing.preference, "dpo", s.scores, ref, layout="interleaved", reduction="mean",
        variant=2**32 + 1)  # fmt: skip

# ---- linear_preference
S, L = 4, 5
h = rng.normal(size=(S * L, D)).astype("f4")
t = rng.integers(0, V, (S, L))
first = truing.linear_preference(None, h, w, t, score="sum", phase="figures", scores=True, counts=True, out_stats=True)
lp = log_softmax(h.astype("f8") @ w.astype("f8").T)[np.arange(S * L), t.ravel()].reshape(S, L)
close(first.scores, lp.sum(1), 2e-5, "scores")
ref = first.scores + np.array([0.5, -0.5, 0.2, 0.1])
keywords = dict(score="sum", params={"beta": 0.5}, reduction="mean", layout="stacked")
full = truing.linear_preference("dpo", h, w, t, ref, phase="single", grad_scores=True, **keywords)
split = truing.preference("dpo", first.scores, ref, params={"beta": 0.5}, reduction="mean", layout="stacked")
check(full.loss == split.loss and np.array_equal(full.grad_scores, split.grad_scores), "split and composite agree in bits")
second = truing.linear_preference(None, h, w, t, score="sum", phase="with_coefficients", stats=first.stats,
                                  score_coefficients=split.grad_scores)  # fmt: skip
check(np.array_equal(second.grad_weight, full.grad_weight) and np.array_equal(second.grad_hidden, full.grad_hidden), "two phases")
direction = rng.normal(size=h.shape)
step = 1e-2
at = [truing.linear_preference("dpo", (h + k * step * direction).astype("f4"), w, t, ref, phase="single", grad_hidden=False,
                               grad_weight=False, **keywords).loss for k in (-1, 1)]  # fmt: skip
slope, want = float(at[1] - at[0]) / (2 * step), float((full.grad_hidden * direction).sum())
check(abs(slope - want) < 2e-3 * abs(want) + 1e-4, f"finite difference {slope}, gradient {want}")
refused("INVALID_ARGUMENT", "losses: got an output", truing.linear_preference, None, h, w, t, score="sum", phase="figures", losses=True)
try:
    truing.linear_preference(None, h, w, t, score="sum", phase="figures", layot="stacked")
except TypeError as e:
    check("layot" in str(e))
else:
    raise AssertionError("an unknown keyword in phase figures")
refused("INVALID_ARGUMENT", "kl", truing.linear_preference, "tdpo1", h, w, t, ref, score="sum", phase="single",
        reduction="mean", layout="stacked")  # fmt: skip

# ---- every entry, called with what it says that it reads: split form, composite, tokens
def numbers(e, variant):
    # what another variant reads is left out
    return {p.name: 0.5 for p in e.params if math.isnan(p.default) and p.variant in (0, variant)}


S, L = 6, 3
h, t = rng.normal(size=(S * L, D)).astype("f4"), rng.integers(0, V, (S, L))
lp = log_softmax(h.astype("f8") @ w.astype("f8").T)[np.arange(S * L), t.ravel()].reshape(S, L)
ref = lp.sum(1) + rng.normal(size=S)
reached = set()
for e in truing.losses.ENTRIES:
    reads = lambda slot: bool(e.inputs & getattr(_abi, "TRUING_SLOT_" + slot))  # noqa: B023, E731
    for variant in range(min(e.num_variants, 1), e.num_variants + 1):
        params, f = numbers(e, variant), getattr(truing.losses, e.name, None) or getattr(truing.losses, f"{e.name}_{e.kind}")
        if e.kind in ("token", "sequence", "estimator"):
            tokens = dict(level="sequence" if e.kind == "sequence" else "token", aggregate="seq_mean", count_empty="all")
            if e.kind != "sequence":
                tokens = dict(level="token", aggregate="token_mean")
            like = lambda x: (lp + x * rng.normal(size=lp.shape)).astype("f4")  # noqa: E731
            for name, slot in (("ref", "REF"), ("sampler", "SAMPLER")):
                tokens |= {name: like(0.2)} if reads(slot) else {}
            tokens |= dict(advantage=np.abs(rng.normal(size=S)).astype("f4")) if reads("ADVANTAGE") else {}
            tokens |= dict(flag=(rng.random(lp.shape if e.kind == "token" else S) < 0.5).astype("u1")) if reads("FLAG") else {}
            tokens |= dict(entropy=np.abs(like(0.1))) if reads("ENTROPY") else {}
            tokens |= dict(log_z=np.zeros(S, "f4")) if reads("LOG_Z") else {}
            tokens |= dict(importance_weight=np.ones(lp.shape, "f4")) if reads("IMPORTANCE") else {}
            old = like(0.1) if reads("OLD") else None
            got = truing.policy(e, lp.astype("f4"), old, params=params, variant=variant or None, **tokens)
            check(np.isfinite(got.loss) and np.isfinite(got.grad_logps).all(), f"{e.kind} {e.name}")
            reached.add(e.id)
            continue
        anchored = e.kind == "pair" and reads("ANCHOR")
        groups = dict(layout="stacked") if e.kind == "pair" else {}
        if e.kind == "pair" and reads("MARGIN"):
            n = S // 3 if anchored else S // 2
            groups |= dict(margin_chosen=np.array([1.0, 0.0, 1.0])[:n], margin_rejected=np.array([0.25, 0.5, 0.75])[:n])
        groups |= dict(label=np.array([1, 0, 1, 1, 0, 0], "u1")) if reads("LABEL") else {}
        groups |= dict(baseline=0.25) if reads("BASELINE") else {}
        groups |= dict(shift=0.1) if reads("SHIFT") else {}
        if e.kind == "list":
            groups |= dict(list_offsets=np.array([0, 2, 6], "i4"))
            groups |= dict(list_targets=np.array([0.9, -0.1, 1.5, 0.75, -0.5, -0.625])) if reads("LIST_TARGET") else {}
        own = dict(reduction="mean", params=params, variant=variant or None, **groups)
        rest = dict(ref_scores=ref if reads("REF") else None)
        if reads("KL"):
            rest = dict(ref_hidden=h[:, ::-1].copy(), ref_weight=w)
        full = truing.linear_preference(e, h, w, t, score="sum", phase="single", scores=True, grad_scores=True, kl=reads("KL"),
                                        counts=True, **own, **rest)  # fmt: skip
        kl = dict(kl=full.kl) if reads("KL") else {}
        # with a head the scores are differences already
        split = f(full.scores, rest.get("ref_scores"), lengths=full.counts, score_kind="sum",
                  **{k: v for k, v in own.items() if k != "params"}, **params, **kl)  # fmt: skip
        check(np.isfinite(full.loss) and full.loss == split.loss, f"{e.kind} {e.name}")
        check(np.array_equal(full.grad_scores, split.grad_scores) and np.isfinite(full.grad_weight).all(), f"{e.kind} {e.name}")
        reached.add(e.id)
check(len(reached) == len(truing.losses.ENTRIES), "every entry was called")

# ---- policy
old = logps + rng.normal(size=logps.shape).astype("f4") * 0.2
advantage = rng.normal(size=4).astype("f4")
out = truing.losses.ppo_clip(logps, old, advantage=advantage, mask=mask, level="token", aggregate="token_mean",
                             clip_low=0.1, clip_high=0.1, values=True, statistics=True)  # fmt: skip
ratio = np.exp(logps.astype("f8") - old)
want = np.maximum(-ratio * advantage[:, None], -np.clip(ratio, 0.9, 1.1) * advantage[:, None]) * mask
close(out.values, want, 1e-6, "ppo_clip")
close(out.loss, want.sum() / mask.sum(), 1e-7, "token mean")
check(out.statistics[_abi.TRUING_POLICY_STAT_TOKENS] == mask.sum() and (out.grad_logps[mask == 0] == 0).all())
kl = truing.policy("ppo_clip", logps, old, ref=old, advantage=advantage, mask=mask, level="token", aggregate="token_mean",
                   kl="k3", kl_weight="one", kl_gradient="pathwise", kl_coef=0.1, out_kl=True, terms=True)  # fmt: skip
d = old.astype("f8") - logps
close(kl.kl, (np.expm1(d) - d) * mask, 1e-7, "k3")
close(kl.loss, kl.terms.sum(), 1e-9, "terms add up")
given = truing.policy("ppo_clip", logps, old, advantage=advantage, mask=mask, level="token", aggregate="token_mean",
                      kl_values=kl.kl, kl_coef=0.1, grad_kl=True, terms=True)  # fmt: skip
check((given.terms == kl.terms).all() and given.loss == kl.loss, "a KL that is given")
close(given.grad_kl, 0.1 * mask / mask.sum(), 1e-7, "its gradient")
refused("INVALID_ARGUMENT", "grad_kl_out", truing.policy, "ppo_clip", logps, old, advantage=advantage, level="token", aggregate="token_mean", grad_kl=True)
refused("INVALID_ARGUMENT", "inputs.kl.id", truing.policy, "ppo_clip", logps, old, advantage=advantage, level="token", aggregate="token_mean", kl="k3", kl_values=old)
more = truing.policy(
    "ppo_clip", logps, old, advantage=advantage, mask=mask, level="token", aggregate="token_mean", terms=True,
    extra_terms=[dict(loss="sdar", level="token", ref=old, weight=0.25), dict(loss="real", level="sequence", aggregate="seq_mean", count_empty="all")],
    group_offsets=np.array([0, 2, 4], "i4"),
)  # fmt: skip
alone = truing.policy("sdar", logps, old, ref=old, mask=mask, level="token", aggregate="token_mean")
lists = truing.policy("real", logps, old, advantage=advantage, mask=mask, level="sequence", aggregate="seq_mean", count_empty="all",
                      group_offsets=np.array([0, 2, 4], "i4"), values=True)  # fmt: skip
check(lists.values.shape == (2,), "a value for each list")
main = truing.policy("ppo_clip", logps, old, advantage=advantage, mask=mask, level="token", aggregate="token_mean")
close(more.terms, np.array([main.loss, 0, 0, 0.25 * alone.loss, lists.loss]), 1e-12, "extra terms")
close(more.loss, more.terms.sum(), 1e-9, "extra terms add up")
each = truing.policy("ppo_clip", logps, old, advantage=advantage, mask=mask, level="token", aggregate="none", values=True,
                     grad_output=np.full(logps.shape, 2, "f4"))  # fmt: skip
whole = truing.policy("ppo_clip", logps, old, advantage=advantage, mask=mask, level="token", aggregate="token_sum", values=True)
check(np.array_equal(each.values, whole.values) and np.array_equal(each.grad_logps, 2 * whole.grad_logps), "values alone")
refused("INVALID_ARGUMENT", "outputs.out_loss", truing.policy, "ppo_clip", logps, old, advantage=advantage, level="token",
        aggregate="none", out_loss=True)  # fmt: skip
refused("INVALID_ARGUMENT", "inputs.kl.divergence", truing.policy, "ppo_clip", logps, old, advantage=advantage, level="token",
        aggregate="token_sum", kl_divergence="reverse_kl")  # fmt: skip
check(truing.losses.gspo(logps, old, advantage=advantage, level="sequence", aggregate="seq_mean", count_empty="all",
                         values=True).values.shape == (4,))  # fmt: skip
two = np.array([-1, -2], "f4")
packed = dict(old=two, level="token", aggregate="token_sum", advantage=np.array([1, 5], "f4"), cu_seqlens=np.array([0, 2, 2], "i4"))
refused("INVALID_ARGUMENT", "inputs.advantage: got", truing.policy, "ppo_clip", two, **packed)
for level, want in (("sequence", [-1, -1]), ("token", [-1, -5])):
    check(truing.policy("ppo_clip", two, advantage_level=level, **packed).grad_logps.tolist() == want, f"advantage by {level}")
packed["cu_seqlens"] = np.array([0, 1, 2], "i4")
check(truing.policy("ppo_clip", two, **packed).grad_logps.tolist() == [-1, -5], "sequences of one token")
square = np.zeros((2, 2), "f4")
got = truing.policy("ppo_clip", square, square, level="token", aggregate="token_sum", advantage=np.array([1, 5], "f4"))
check(got.grad_logps.tolist() == [[-1, -1], [-5, -5]], "[B] of [B, T]")
got = truing.policy("ppo_clip", square, square, level="token", aggregate="token_sum", advantage=np.array([[1, 2], [3, 4]], "f4"))
check(got.grad_logps.tolist() == [[-1, -2], [-3, -4]], "[B, T]")
refused("SHAPE_MISMATCH", "inputs.advantage: got [4], expected [2]", truing.policy, "ppo_clip", square, square, level="token",
        aggregate="token_sum", advantage=np.zeros(4, "f4"))  # fmt: skip
refused("INVALID_ARGUMENT", "inputs.advantage_level", truing.policy, "k1", square, square, ref=square, level="token",
        aggregate="token_sum", advantage_level="token")  # fmt: skip
refused("INVALID_ARGUMENT", "inputs.loss.params.clip_low", truing.losses.ppo_clip, square, square, level="token",
        aggregate="token_sum", advantage=square, clip_low=-1.0)  # fmt: skip
refused("OUT_OF_RANGE", "inputs.cu_seqlens", truing.policy, "ppo_clip", two, **(packed | {"cu_seqlens": np.array([0, 1, 3], "i4"), "advantage_level": "token"}))
refused("INVALID_ARGUMENT", "inputs.level", truing.losses.gspo, logps, old, advantage=advantage, level="token", aggregate="token_mean")

# ---- threads: the call runs without the interpreter's lock
big, ids = rng.normal(size=(256, 40000)).astype("f4"), rng.integers(0, 40000, 256)
stamps, done = [], threading.Event()


# ---- vocabulary shards, supports, shift
def shards_supports_shift():
    zs, ys = rng.normal(size=(5, 5000)).astype("f4") * 3, rng.integers(0, 5000, 5)
    whole = truing.logprob(zs, ys, entropy=True, stats=True)
    starts = np.array([0, 2048, 4096, 5000])
    parts = [truing.logprob_local(np.ascontiguousarray(zs[:, a:b]), ys, shard=(a, b, 5000)).records for a, b in zip(starts, starts[1:])]
    done = truing.logprob_finish(np.stack(parts), starts, ys, entropy=True, stats=True)
    check(np.array_equal(done.logprob, whole.logprob) and np.array_equal(done.entropy, whole.entropy), "shards")
    ones = np.ones(5, "f4")
    grad = truing.logprob_backward(zs, ys, grad_logprob=ones).grad_logits
    part = truing.logprob_backward(np.ascontiguousarray(zs[:, 100:333]), ys, grad_logprob=ones, stats=done.stats,
                                   shard=(100, 333, 5000)).grad_logits  # fmt: skip
    check(np.array_equal(part, grad[:, 100:333]), "gradient of a shard")
    kept = truing.support_mask(zs, "vllm", top_k=40, top_p=0.9, size=True, ids=64)
    over = truing.logprob(zs, ys, support=dict(preset="vllm", top_k=40, top_p=0.9, target_outside="neg_inf"),
                          lse_support=True, support_bitmask=True, log_kept_mass=True)  # fmt: skip
    check(np.array_equal(over.support_bitmask, kept.bitmask) and (kept.size <= 40).all(), "support")
    for k in range(5):
        ids = kept.ids[k, : kept.size[k]]
        close(over.lse_support[k], np.log(np.exp(zs[k, ids].astype("f8")).sum()), 2e-6, "lse over the support")
    for support in (dict(bitmask=kept.bitmask), dict(ids=kept.ids)):
        given = truing.logprob(zs, ys, support=dict(support, target_outside="neg_inf"), logprob=True)
        check(np.allclose(given.logprob, over.logprob, atol=1e-6), "given support")
        back = truing.logprob_backward(zs, ys, grad_lse=ones, support=support).grad_logits
        check(abs(back.sum(-1) - 1).max() < 1e-5 and (np.count_nonzero(back, -1) <= 42).all(), "gradient over a support")
    refused("INVALID_ARGUMENT", "support", truing.logprob, zs, ys, support=dict(bitmask=kept.bitmask, top_k=3))
    refused("INVALID_ARGUMENT", "preset", truing.support_mask, zs, "ollama")
    # what supports do in one call, and what they and shards do without
    over = dict(support=dict(bitmask=kept.bitmask))
    fused = truing.logprob(zs, ys, reduction="sum", grad_logits=True, grad_bias=True, bias=np.zeros(5000, "f4"), **over)
    apart = truing.logprob_backward(zs, ys, grad_logprob=-ones, **over).grad_logits
    check(np.allclose(fused.grad_logits, apart, atol=1e-6), "fused gradient over a support")
    check(np.allclose(fused.grad_bias, apart.sum(0), atol=1e-5), "fused gradient of the bias over a support")
    refused("UNSUPPORTED_DTYPE", "logits: got f64", truing.logprob, zs.astype("f8"), ys, **over)
    refused("UNSUPPORTED_DTYPE", "logits: got f64", truing.logprob_backward, zs.astype("f8"), ys, **over)
    refused("UNSUPPORTED_DTYPE", "logits: got f64", truing.logprob_local, zs.astype("f8")[:, :9], ys, shard=(0, 9, 5000))
    shard = dict(stats=done.stats, shard=(100, 333, 5000))
    columns = np.ascontiguousarray(zs[:, 100:333])
    refused("UNSUPPORTED_DTYPE", "logits: got f64", truing.logprob_backward, columns.astype("f8"), ys, **shard)
    refused("INVALID_ARGUMENT", "support.kind", truing.logprob_backward, columns, ys, **shard,
            support=dict(preset="hf", top_k=3))  # fmt: skip
    bias = np.zeros(5000, "f4")
    whole_bias = truing.logprob_backward(zs, ys, grad_logprob=ones, bias=bias, grad_bias=True).grad_bias
    part = truing.logprob_backward(columns, ys, grad_logprob=ones, bias=bias[100:333], grad_bias=True, **shard).grad_bias
    check(np.array_equal(part, whole_bias[100:333]), "gradient of the bias of a shard")
    shift = truing.tds_rows(zs, zs + rng.normal(size=zs.shape).astype("f4") * 0.1, kl_aligned_base=True, counts=True)
    check(shift.counts.sum() == 5 and (shift.kl_aligned_base > 0).all() and (shift.rank >= 0).all(), "tds_rows")


shards_supports_shift()


def watch():
    while not done.is_set():
        stamps.append(time.perf_counter())
        time.sleep(0.0005)


watcher = threading.Thread(target=watch)
watcher.start()
start = time.perf_counter()
while time.perf_counter() - start < 0.3:
    begin = time.perf_counter()
    truing.logprob(big, ids, context=truing.SERIAL)
    end = time.perf_counter()
done.set()
watcher.join()
inside = sum(begin < x < end for x in stamps)
check(inside >= 2, f"another thread ran {inside} times inside a call of {1e3 * (end - begin):.1f} ms")
results = [None] * 4


def work(k):
    results[k] = truing.logprob(big[:64], ids[:64]).logprob


workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
[w_.start() for w_ in workers]
[w_.join() for w_ in workers]
check(all(np.array_equal(r, results[0]) for r in results), "one context, four threads")

# ---- fork
parent = truing.Context(2)
want = truing.logprob(view, y, ignore_index=-100).logprob  # the parent's own context exists now
for _ in range(3):
    child = os.fork()
    if child == 0:
        try:
            ok = np.array_equal(truing.logprob(view, y, ignore_index=-100, context=truing.SERIAL).logprob, want)
            ok &= np.array_equal(truing.logprob(view, y, ignore_index=-100).logprob, want)
            try:
                truing.logprob(view, y, ignore_index=-100, context=parent)
                ok = False
            except truing.Error as e:
                ok &= "parent process" in e.message
            os._exit(0 if ok else 1)
        except BaseException as e:
            print("child:", e, flush=True)
            os._exit(2)
    check(os.waitpid(child, 0)[1] == 0, "calls in a forked child")

# ---- divergences
draws = np.random.default_rng(3)
zs = draws.normal(size=(3, 50)).astype("f4")
zt = (zs + 0.3 * draws.normal(size=(3, 50))).astype("f4")
lp, lt = (x - np.log(np.exp(x).sum(-1, keepdims=True)) for x in (zs.astype("f8"), zt.astype("f8")))
p, t = np.exp(lp), np.exp(lt)
kl = (t * (lt - lp)).sum(-1)
d = truing.divergence("forward_kl", zs, zt, aggregate="token_mean", student_entropy=True, stats=True, grad_student=True)
close(d.values, kl, 1e-6, "forward_kl")
close(d.loss, kl.mean(), 1e-6, "its mean")
close(d.grad_student, (p - t) / 3, 1e-7, "its gradient")
close(d.student_entropy, -(p * lp).sum(-1), 1e-5, "entropy")
g = truing.divergence_backward("forward_kl", zs, zt, aggregate="token_mean", grad_loss=np.array(1.0), stats=d.stats)
check(np.array_equal(g.grad_student, d.grad_student), "backward from statistics")
starts = np.array([0, 20, 50])
for kind, want in (("reverse_kl", (p * (lp - lt)).sum(-1)), ("jsd", None)):
    if want is None:
        mid = np.log((p + t) / 2)
        want = (p * (lp - mid) + t * (lt - mid)).sum(-1) / 2
    cut = [(np.ascontiguousarray(z[:, a:b]), (a, b, 50)) for z in (zs, zt) for a, b in ((0, 20), (20, 50))]
    local = lambda stats: np.stack([  # noqa: E731
        truing.divergence_local(kind, cut[i][0], cut[2 + i][0], shard=cut[i][1], stats=stats).records for i in (0, 1)
    ])
    whole = truing.divergence_finish(kind, local(None), starts, stats=True)
    if kind == "jsd":
        whole = truing.divergence_finish(kind, local(whole.stats), starts, second=True, stats=True)
    close(whole.values, want, 1e-6, f"{kind} of shards")
    ones = np.ones(3, "f4")
    one = truing.divergence_backward(kind, zs, zt, grad_values=ones).grad_student
    for i in (0, 1):
        part = truing.divergence_backward(kind, cut[i][0], cut[2 + i][0], grad_values=ones, stats=whole.stats, shard=cut[i][1])
        close(part.grad_student, one[:, starts[i]:starts[i + 1]], 1e-6, f"gradient of a shard, {kind}")
refused("INVALID_ARGUMENT", "stats", truing.divergence_backward, "jsd", cut[0][0], cut[2][0], grad_values=ones, shard=(0, 20, 50))
# a term of the target over shards
names, mix = np.array([3, 19, 45]), dict(hard_weight=0.25, soft_weight=0.75)
want = truing.divergence("jsd", zs, zt, names, **mix).values
one = truing.divergence_backward("jsd", zs, zt, names, grad_values=ones, **mix).grad_student
found = None
for second in (False, True):
    parts = [truing.divergence_local("jsd", cut[i][0], cut[2 + i][0], names, shard=cut[i][1], hard_weight=0.25,
                                     stats=found.stats if second else None).records for i in (0, 1)]  # fmt: skip
    found = truing.divergence_finish("jsd", np.stack(parts), starts, names, second=second, stats=True, **mix)
close(found.values, want, 1e-6, "a term of the target over shards")
for i in (0, 1):
    part = truing.divergence_backward("jsd", cut[i][0], cut[2 + i][0], names, grad_values=ones, stats=found.stats,
                                      shard=cut[i][1], **mix)  # fmt: skip
    close(part.grad_student, one[:, starts[i]:starts[i + 1]], 1e-6, "gradient of a shard, a term of the target")
refused("OUT_OF_RANGE", "rows.target", truing.divergence_local, "jsd", cut[0][0], cut[2][0], np.array([3, 50, 4]),
        shard=(0, 20, 50), hard_weight=0.25)  # fmt: skip
# over shards T squared is a weight
warm = dict(student_transform=dict(temperature=2.5), teacher_transform=dict(temperature=2.5))
parts = [truing.divergence_local("forward_kl", cut[i][0], cut[2 + i][0], shard=cut[i][1], **warm) for i in (0, 1)]
joined = truing.divergence_finish("forward_kl", np.stack([x.records for x in parts]), starts, stats=True, soft_weight=6.25)
close(joined.values, truing.divergence("forward_kl", zs, zt, temperature_squared=True, **warm).values, 1e-6, "T squared of shards")
one = truing.divergence_backward("forward_kl", zs, zt, grad_values=ones, temperature_squared=True, **warm).grad_student
for i in (0, 1):
    part = truing.divergence_backward("forward_kl", cut[i][0], cut[2 + i][0], grad_values=ones, stats=joined.stats,
                                      shard=cut[i][1], soft_weight=6.25, **warm)  # fmt: skip
    close(part.grad_student, one[:, starts[i]:starts[i + 1]], 1e-6, "gradient of a shard, T squared")
few = np.array([[3, 7, -1]] * 3, "i4")
some = dict(support="given", ids=np.array([[3, 30, -1, 49]] * 3, "i4"), outside="renormalise")
whole = truing.divergence("jsd", zs, zt, partial=some)
parts = [truing.divergence_local("jsd", cut[i][0], cut[2 + i][0], shard=cut[i][1], partial=some) for i in (0, 1)]
at_ids = {f"{side}_at_ids": np.stack([getattr(x, f"{side}_at_ids") for x in parts]) for side in ("student", "teacher")}
joined = truing.divergence_finish("jsd", None, starts, partial=some, stats=True, **at_ids)
check(np.array_equal(joined.values, whole.values), "ids over shards")
one = truing.divergence_backward("jsd", zs, zt, grad_values=ones, partial=some).grad_student
for i in (0, 1):
    part = truing.divergence_backward("jsd", cut[i][0], cut[2 + i][0], grad_values=ones, stats=joined.stats, partial=some,
                                      shard=cut[i][1])  # fmt: skip
    check(np.array_equal(part.grad_student, one[:, starts[i]:starts[i + 1]]), "gradient of a shard, ids")
# a term of the target beside ids is that of the whole row, over shards too; T squared is a weight there
for mix, warm in ((dict(hard_weight=0.25, soft_weight=0.75), {}), (dict(hard_weight=0.5, soft_weight=6.25), warm)):
    want = truing.divergence("jsd", zs, zt, names, partial=some, aggregate="token_mean", **mix, **warm)
    parts = [truing.divergence_local("jsd", cut[i][0], cut[2 + i][0], names, shard=cut[i][1], partial=some, hard_weight=mix["hard_weight"],
                                     **warm) for i in (0, 1)]  # fmt: skip
    check(parts[0].records.shape == (3, 12), "records of the columns outside")
    at_ids = {f"{side}_at_ids": np.stack([getattr(x, f"{side}_at_ids") for x in parts]) for side in ("student", "teacher")}
    joined = truing.divergence_finish("jsd", np.stack([x.records for x in parts]), starts, names, partial=some, stats=True,
                                      aggregate="token_mean", **mix, **at_ids)  # fmt: skip
    close(joined.values, want.values, 1e-6, "a term of the target beside ids over shards")
    close(joined.loss, want.loss, 1e-6, "its loss")
    of_target = log_softmax(zs / warm["student_transform"]["temperature"] if warm else zs)[np.arange(3), names]
    soft = truing.divergence("jsd", zs, zt, partial=some, **warm).values
    close(joined.values, mix["soft_weight"] * soft - mix["hard_weight"] * of_target, 1e-6, "of the whole row")
    one = truing.divergence_backward("jsd", zs, zt, names, grad_values=ones, partial=some, **mix, **warm).grad_student
    for i in (0, 1):
        part = truing.divergence_backward("jsd", cut[i][0], cut[2 + i][0], names, grad_values=ones, stats=joined.stats,
                                          partial=some, shard=cut[i][1], **mix, **warm)  # fmt: skip
        close(part.grad_student, one[:, starts[i]:starts[i + 1]], 1e-6, "gradient of a shard, a term of the target beside ids")
refused("INVALID_ARGUMENT", "records", truing.divergence_finish, "jsd", None, starts, names, partial=some, **mix, **at_ids)
refused("INVALID_ARGUMENT", "out_records", truing.divergence_local, "jsd", cut[0][0], cut[2][0], names, shard=(0, 20, 50), partial=some,
        hard_weight=0.25, records=False)  # fmt: skip
refused("INVALID_ARGUMENT", "out_records", truing.divergence_local, "jsd", cut[0][0], cut[2][0], names, shard=(0, 20, 50), partial=some,
        records=True)  # fmt: skip
refused("SHAPE_MISMATCH", "stats", truing.divergence_backward, "jsd", cut[0][0], cut[2][0], names, grad_values=ones, partial=some,
        shard=(0, 20, 50), stats=joined.stats[:, :16].copy(), **mix)  # fmt: skip
refused("INVALID_ARGUMENT", "partial.outside", truing.divergence_local, "jsd", cut[0][0], cut[2][0], shard=(0, 20, 50),
        partial=dict(some, outside="tail"))  # fmt: skip
raw = truing.divergence("forward_kl", zs, zt, partial=dict(support="given", ids=few, outside="raw"), grad_student=False)
close(raw.values, (t * (lt - lp))[:, [3, 7]].sum(-1), 1e-6, "raw outside")
far = dict(support="reference", reference=zt, k=4, outside="zero", outside_logprob=-20.0)
top = np.argsort(-zt, axis=-1)[:, :4]
inside = np.zeros_like(p, bool)
np.put_along_axis(inside, top, True, -1)
zero = truing.divergence("reverse_kl", zs, zt, partial=far)
close(zero.values, (p * (lp - np.where(inside, lt, -20.0))).sum(-1), 1e-5, "zero outside")
counts = np.array([[1, 3, 0]] * 3, "f4")
drawn = truing.divergence("cross_entropy", zs, teacher_form="samples",
                          partial=dict(support="given", ids=few, teacher_values=counts, outside="raw"))  # fmt: skip
close(drawn.values, -(lp[:, 3] + 3 * lp[:, 7]) / 4, 1e-6, "drawn ids")
refused("INVALID_ARGUMENT", "options.kind", truing.divergence, "jsd", zs, zt, partial=dict(support="teacher", k=4, outside="raw"))
refused("INVALID_ARGUMENT", "flags", truing.divergence, "forward_kl", zs, zt,
        partial=dict(support="teacher", k=4, outside="tail", clamp_at_zero=True))  # fmt: skip
sorted_p, sorted_t = -np.sort(-p, -1), -np.sort(-t[:, :40] / t[:, :40].sum(-1, keepdims=True), -1)
u = truing.uld(zs, np.ascontiguousarray(zt[:, :40]), aggregate="token_mean")
close(u.values, np.abs(sorted_p - np.pad(sorted_t, ((0, 0), (0, 10)))).sum(-1), 1e-6, "uld")
close(u.loss, u.values.mean(), 1e-6, "uld mean")
own, other, few = np.array([3, 0, 49]), np.array([7, 1, 39], "i4"), t[:, :40] / t[:, :40].sum(-1, keepdims=True)
a, b = 0.5 * p[:, own], few[:, other]
rest = -np.sort(-0.5 * np.delete(p, own, -1), -1), -np.sort(-np.delete(few, other, -1), -1)
apart = np.abs(rest[0] - np.pad(rest[1], ((0, 0), (0, 10)))).sum(-1)
half = (0.5 * (b * np.log(b / (0.5 * a + 0.5 * b)) + a * np.log(a / (0.5 * a + 0.5 * b)))).sum(-1)
fields = dict(matched=(own, other), student_scale=np.full(3, 0.5, "f4"))
u = truing.uld(zs, np.ascontiguousarray(zt[:, :40]), matched_beta=0.5, **fields)
close(u.values, 3 / 40 * half + 37 / 40 * apart, 1e-6, "pairs of columns")
u = truing.uld(zs, np.ascontiguousarray(zt[:, :40]), matched_beta=1.0, matched_weights=(2.0, 0.25), **fields)
close(u.values, 2 * (a * np.log(a / b)).sum(-1) + 0.25 * apart, 1e-6, "weights of pairs and of the rest")
refused("OUT_OF_RANGE", "matched_teacher_ids", truing.uld, zs, zt, matched=(own, np.array([0, 1, 50])))
refused("INVALID_ARGUMENT", "matched_beta", truing.uld, zs, zt, matched_beta=0.5)
refused("INVALID_ARGUMENT", "grad_student_scale_out", truing.uld, zs, zt, grad_student_scale=True)

# ---- tilted distributions
reward = draws.normal(size=(3, 50))
tilted = truing.tilt(lp, reward, np.array([0.5, -1.0, 0.0]), mean=True)
w = lp + np.array([[0.5], [-1.0], [0.0]]) * reward
close(tilted.log_z, np.log(np.exp(w).sum(-1)), 1e-13, "log Z")
close(tilted.mean, (np.exp(w) * reward).sum(-1) / np.exp(w).sum(-1), 1e-13, "mean of a tilt")
solved = truing.tilt_solve(lp, reward, np.full(3, 0.1), kl=True)
close(solved.kl, 0.1, 1e-13, "solved tilt")
check(bool((solved.alpha > 0).all()))
refused("INVALID_ARGUMENT", "target", truing.tilt_solve, lp, reward, np.full(3, -1.0))
close(truing.renyi_array(lt, lp, 1.0).values, kl, 1e-13, "Renyi of order 1")
close(truing.renyi_array(lt, lp, 2.0).values, np.log((t**2 / p).sum(-1)), 1e-13, "Renyi of order 2")
close(truing.renyi_cross_entropy(lp, lt, 3.0).values, np.log((p * t**2).sum(-1)) / -2, 1e-13, "Renyi cross entropy")
one = truing.best_of_n_exact(lp, reward, 1)
close(one.log_pmf, lp, 1e-13, "best of one")
close(one.win_rate, 0.5, 1e-13, "win rate of one")
check(bool((truing.best_of_n_exact(lp, reward, 8).kl <= np.log(8) - 7 / 8 + 1e-12).all()), "KL of the best of 8")
refused("INVALID_ARGUMENT", "n", truing.best_of_n_exact, lp, reward, 0.5)
estimate = truing.best_of_n_kl_estimate(np.array([-np.inf, 0.0, 0.5]), 8, status=True)
close(estimate.kl[:2], np.array([np.log(8) - 7 / 8, 0.0]), 1e-15, "estimate of the KL of the best of 8")
check(bool(np.isnan(estimate.kl[2])) and estimate.status[2] != 0, "no probability above 1")
refused("INVALID_ARGUMENT", "n", truing.best_of_n_kl_estimate, lp[:, 0].copy(), 0.5)

# ---- from hidden states: what must not leak, and what must be written
draws = np.random.default_rng(11)
n, d, v = 12, 4, 7
h, w = draws.normal(size=(n, d)).astype("f4"), draws.normal(size=(v, d)).astype("f4")
y, cu, alone = draws.integers(0, v - 1, n), np.arange(0, n + 1, 3), np.arange(n) != 4
gw, gb = np.full((v, d), 5, "f4"), np.full(v, 5, "f4")
none = np.zeros((0, d), "f4")
truing.linear_logprob(none, w, np.zeros(0, "i8"), reduction="mean", grad_weight=gw, grad_bias=gb)
check(bool((gw == 0).all() and (gb == 0).all()), "gradients of no rows")
# a weight row that is no number, outside a support
odd = w.copy()
odd[v - 1] = np.nan
for support, bias in ((dict(bitmask=np.full((n, 1), 2 ** (v - 1) - 1, np.uint32)), None), (None, np.where(np.arange(v) == v - 1, -np.inf, 0))):
    keywords = dict(reduction="sum", grad_hidden=True, grad_weight=True, support=support)
    keywords |= {} if bias is None else dict(bias=bias.astype("f4"))
    got, want = truing.linear_logprob(h, odd, y, **keywords), truing.linear_logprob(h, w, y, **keywords)
    check(np.array_equal(got.grad_hidden, want.grad_hidden), "a dead column's weights")
    check(np.array_equal(got.grad_weight, want.grad_weight), "a dead column's weights")
# rows of the reference that are no numbers, where their divergence does not count
bad = h.copy()
bad[4] = np.nan
how = dict(level="token", aggregate="token_mean", advantage=np.ones(n, "f4"), cu_seqlens=cu, phase="single", ref_weight=w)
for kind in ("forward_kl", "reverse_kl"):
    keywords = how | dict(kl_divergence=kind, kl_coef=0.1, kl_mask=alone.astype("u1"))
    got, want = (truing.linear_policy("ppo_clip", h, w, y, -np.ones(n, "f4"), ref_hidden=r, **keywords) for r in (bad, h))
    check(np.array_equal(got.grad_weight, want.grad_weight), f"{kind} that does not count")
    check(np.array_equal(got.grad_hidden, want.grad_hidden), f"{kind} that does not count")
# the workspace that the library names is enough, whatever rows a group must hold
for n in (240, 256, 304, 496, 736):
    h, y = draws.normal(size=(n, 8)).astype("f4"), draws.integers(0, 64, n)
    w = draws.normal(size=(64, 8)).astype("f4")
    for more in ({}, dict(accumulate_weight=True, grad_weight=np.zeros_like(w)), dict(skip_flagged=True)):
        out = truing.linear_preference(
            "tdpo1", h, w, y, score="sum", phase="single", reduction="mean", layout="interleaved",
            cu_seqlens=np.array([0, n // 2, n]), ref_hidden=h, ref_weight=w, **more)
        check(math.isfinite(out.loss), "tdpo1")

# ---- torch
try:
    import torch
except ImportError:
    print("SKIPPED 1: torch is not installed, its tensors are not tried")
else:
    tz, ty = torch.from_numpy(z0.copy()), torch.from_numpy(y0)
    got = truing.logprob(tz, ty, entropy=True, status=True)
    check(isinstance(got.logprob, torch.Tensor) and np.array_equal(got.logprob.numpy(), plain), "torch in, torch out")
    tb = tz.to(torch.bfloat16)
    check(torch.equal(truing.logprob(tb, ty).logprob, truing.logprob(tb.float(), ty).logprob), "bf16 of torch")
    tg = truing.logprob_backward(tb, ty, grad_logprob=torch.ones(T + 1))
    check(tg.grad_logits.dtype == torch.bfloat16 and tg.grad_logits.shape == tb.shape)
    place = torch.zeros(T + 1, requires_grad=True)
    refused("INVALID_ARGUMENT", "requires grad", truing.logprob, tz, ty, logprob=place)
    check(torch.equal(truing.logprob(tz.clone().requires_grad_(), ty).logprob, got.logprob), "an input that requires grad")
check(math.isfinite(checks))
print(f"client.py: {checks} checks")
