"""Truing beside torch: log-probs, fused linear log-probs, DPO.

Every round runs the probe, then all sides in an order that rotates, so that a noisy machine moves them alike; a ratio is
formed inside a round, medians and quartiles are printed. Both sides work in warm memory: ours in the caller's buffers, torch's
in what its allocator hands out again (`run` keeps the allocator from returning it to the system).

    benches/peers/run [--rounds 9] [--threads 2] [--rows 256] [--compile] [--only EXPRESSION]
"""
import argparse
import pathlib
import re
import statistics
import sys
import time

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "ffi/python"))
import truing  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--library", required=True)
parser.add_argument("--rounds", type=int, default=9)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rows", type=int, default=256, help="rows of logits")
parser.add_argument("--compile", action="store_true", help="torch.compile as a further peer of the logits form; needs a C++ compiler")
parser.add_argument("--only", default="", help="only the cases whose name matches this expression")
options = parser.parse_args()
truing.load(options.library)
torch.set_num_threads(options.threads)
context = truing.Context(options.threads)
generator = torch.Generator().manual_seed(1)


def normal(*shape, dtype=torch.float32, scale=1.0):
    return (torch.randn(*shape, generator=generator) * scale).to(dtype)


def seconds(f):
    start = time.perf_counter()
    f()
    return time.perf_counter() - start


def quartiles(values):
    values = sorted(values)
    q = len(values) // 4
    return f"{statistics.median(values):.2f} ({values[q]:.2f} .. {values[-1 - q]:.2f})"


def compare(name, ours, peers, work, unit, probe):
    """`peers`: {name: function}. `work` is bytes or flops of one call, `probe` measures the machine's rate of the unit."""
    if not re.search(options.only, name):
        return
    sides = [("ours", ours), *peers.items()]
    for _ in range(3):  # the first calls compile, and fill the allocator
        for _, f in sides:
            f()
    rows = []
    for r in range(options.rounds):
        row = {"probe": probe()}
        for k in range(len(sides)):
            side, f = sides[(r + k) % len(sides)]
            row[side] = seconds(f)
        rows.append(row)
    rate = work / statistics.median(r["ours"] for r in rows) / 1e9
    cells = [f"{peer} {quartiles([r[peer] / r['ours'] for r in rows])}" for peer in peers]
    print(f"| {name} | {statistics.median(r['ours'] for r in rows) * 1e3:.2f} ms, {rate:.1f} {unit} |",
          quartiles([work / r["ours"] / r["probe"] for r in rows]), "|", "; ".join(cells), "|", flush=True)


buffer, target_buffer = torch.ones(1 << 26), torch.empty(1 << 26)


def read_rate():
    """Bytes a second of a plain sum over 256 MB."""
    return buffer.numel() * 4 / min(seconds(lambda: buffer.sum()) for _ in range(3))


def copy_rate():
    return 2 * buffer.numel() * 4 / min(seconds(lambda: target_buffer.copy_(buffer)) for _ in range(3))


square = normal(1024, 1024)


def product_rate():
    """Flops a second of torch's own f32 product, the best that this machine's BLAS does on a square."""
    return 2 * 1024**3 / min(seconds(lambda: square @ square) for _ in range(3))


def torch_logprob(logits, target):
    return torch.log_softmax(logits, -1).gather(-1, target[:, None])[:, 0]


def torch_logprob_entropy(logits, target):
    logp = torch.log_softmax(logits, -1)
    return logp.gather(-1, target[:, None])[:, 0], -(logp.exp() * logp).sum(-1)


def torch_lse(logits, target):
    """The form that writes no matrix of log-probs."""
    return logits.gather(-1, target[:, None])[:, 0] - torch.logsumexp(logits, -1)


def on_f32(f):
    """The same after widening, which is as exact as ours."""
    return lambda logits, target: f(logits.float(), target)


def torch_peers(f, dtype):
    """{name: function of logits and target}: f, in the inputs' type and widened, each also compiled."""
    forms = {"torch": f} if dtype == torch.float32 else {"torch": f, "torch on f32": on_f32(f)}
    if options.compile:
        # a fresh cache for each case: otherwise the second shape is compiled for shapes of any size
        torch._dynamo.reset()
        forms |= {name.replace("torch", "compiled"): torch.compile(g, dynamic=False) for name, g in forms.items()}
    return forms


print(f"torch {torch.__version__}, {options.threads} threads, {options.rounds} rounds; ratio = peer's time / ours; median (quartiles)\n")
print("| case | ours | share of the probe | peers: time / ours |\n|---|---|---|---|")
for dtype in (torch.float32, torch.bfloat16):
    for n, v in ((options.rows, 32000), (options.rows, 128256)):
        logits, target = normal(n, v, dtype=dtype, scale=3), torch.randint(v, (n,), generator=generator)
        size = logits.numel() * logits.element_size()
        name = f"{str(dtype)[6:]} {n} x {v}"
        call = lambda f: lambda: f(logits, target)  # noqa: E731
        out, entropy = torch.empty(n), torch.empty(n)
        forms = torch_peers(torch_logprob, dtype) | {"torch logsumexp": torch_lse}
        compare(f"log-prob {name}", lambda: truing.logprob(logits, target, logprob=out, context=context),
                {k: call(f) for k, f in forms.items()}, size, "GB/s", read_rate)
        forms = torch_peers(torch_logprob_entropy, dtype)
        compare(f"log-prob + entropy {name}", lambda: truing.logprob(logits, target, logprob=out, entropy=entropy, context=context),
                {k: call(f) for k, f in forms.items()}, size, "GB/s", read_rate)
        upstream = normal(n)
        stats = truing.logprob(logits, target, logprob=False, stats=True, context=context).stats
        grad = torch.empty_like(logits)
        leaf = logits.clone().requires_grad_()

        def both():
            s = truing.logprob(logits, target, logprob=out, stats=stats, context=context).stats
            truing.logprob_backward(logits, target, grad_logprob=upstream, stats=s, grad_logits=grad, context=context)

        def torch_both(f):
            def run():
                leaf.grad = None
                y = f(leaf, target)
                y.backward(upstream.to(y.dtype))
            return run

        forms = torch_peers(torch_logprob, dtype)
        compare(f"log-prob forward + backward {name}", both, {k: torch_both(f) for k, f in forms.items()}, 3 * size, "GB/s", copy_rate)

n, d, v = 512, 1024, 32000
for dtype in (torch.float32, torch.bfloat16):
    hidden, weight = normal(n, d, dtype=dtype), normal(v, d, dtype=dtype, scale=d**-0.5)
    target = torch.randint(v, (n,), generator=generator)
    upstream, out = normal(n), torch.empty(n)
    name = f"{str(dtype)[6:]} {n} x {d} x {v}"
    compare(f"linear log-prob {name}", lambda: truing.linear_logprob(hidden, weight, target, logprob=out, context=context),
            {"torch": lambda: torch_logprob(hidden @ weight.T, target)}, 2 * n * d * v, "GFLOP/s", product_rate)
    grad_hidden, grad_weight = torch.empty(n, d), torch.empty(v, d)
    h, w = hidden.clone().requires_grad_(), weight.clone().requires_grad_()

    def both():
        s = truing.linear_logprob(hidden, weight, target, logprob=out, stats=True, context=context).stats
        truing.linear_logprob_backward(hidden, weight, target, grad_logprob=upstream, stats=s, grad_hidden=grad_hidden,
                                       grad_weight=grad_weight, context=context)

    def torch_both():
        h.grad = w.grad = None
        torch_logprob(h @ w.T, target).backward(upstream.to(dtype))

    compare(f"linear log-prob forward + backward {name}", both, {"torch": torch_both}, 6 * n * d * v, "GFLOP/s", product_rate)

pairs = 4096
scores, refs = normal(2 * pairs, scale=30), normal(2 * pairs, scale=30)
grads, leaf = torch.empty(2 * pairs, dtype=torch.float64), scores.clone().requires_grad_()


def torch_dpo():
    leaf.grad = None
    a = leaf - refs
    (-torch.nn.functional.logsigmoid(0.1 * (a[:pairs] - a[pairs:]))).mean().backward()


compare(f"dpo, {pairs} pairs, loss and gradients", lambda: truing.preference("dpo", scores, refs, reduction="mean", layout="stacked", grad_scores=grads, context=truing.SERIAL),
        {"torch": torch_dpo}, 4 * 6 * pairs, "GB/s", read_rate)

b, t = 16, 512
logps, old, ref = (-normal(b, t).abs() for _ in range(3))
old, ref = logps + 0.1 * old, logps + 0.1 * ref
advantage, live = normal(b, t), (torch.rand(b, t, generator=generator) < 0.9).to(torch.uint8)
grad, leaf = torch.empty(b, t), logps.clone().requires_grad_()


def torch_grpo():
    leaf.grad = None
    ratio = torch.exp(leaf - old)
    loss = -torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)
    loss = loss + 0.04 * (torch.exp(ref - leaf) - (ref - leaf) - 1)
    ((loss * live).sum() / live.sum()).backward()


compare(f"ppo_clip + k3, {b} x {t} tokens, loss and gradients", lambda: truing.policy(
    "ppo_clip", logps, old, level="token", aggregate="token_mean", advantage=advantage, ref=ref, mask=live, kl="k3",
    kl_weight="one", kl_gradient="pathwise", kl_coef=0.04, grad_logps=grad, context=truing.SERIAL),
        {"torch": torch_grpo}, 4 * 5 * b * t, "GB/s", read_rate)

print("\nAccuracy of bf16 log-probs, 256 x 32000, largest error in nats against f64 of the same logits:")
logits, target = normal(256, 32000, dtype=torch.bfloat16, scale=3), torch.randint(32000, (256,), generator=generator)
exact = torch_logprob(logits.double(), target)
ours = truing.logprob(logits, target, context=context).logprob
widened = truing.logprob(logits.float(), target, context=context).logprob
print(f"  truing {float((ours.double() - exact).abs().max()):.1e}, torch {float((torch_logprob(logits, target).double() - exact).abs().max()):.1e};"
      f" truing's bits equal those of the widened logits: {torch.equal(ours, widened)}")
peaked = torch.zeros(1, 32000)
peaked[0, 7] = 24.0
exact = torch_logprob(peaked.double(), torch.tensor([7]))
ours, theirs = truing.logprob(peaked, torch.tensor([7]), context=context).logprob, torch_logprob(peaked, torch.tensor([7]))
print(f"Near-certain token, log-prob {float(exact):.6e}: relative error truing {float((ours - exact).abs() / exact.abs()):.1e}, torch {float((theirs - exact).abs() / exact.abs()):.1e}")
