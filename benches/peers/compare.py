"""Truing beside torch: log-probs, fused linear log-probs, DPO. Everything is interleaved in rounds; a ratio is formed
inside a round and its median and quartiles are printed, so that a noisy machine moves both sides alike.

    benches/peers/run [--rounds 9] [--threads 2] [--compile]
"""
import argparse
import pathlib
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
parser.add_argument("--compile", action="store_true", help="torch.compile as a further peer")
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


def compare(name, ours, peers, work, unit, probe):
    """`peers`: {name: function}. `work` is bytes or flops of one call, `probe` measures the machine's rate of the unit."""
    for f in (ours, *peers.values()):
        f()
    rows = [{"probe": probe(), "ours": seconds(ours), **{k: seconds(f) for k, f in peers.items()}} for _ in range(options.rounds)]
    share = sorted(work / r["ours"] / r["probe"] for r in rows)
    rate = work / statistics.median(r["ours"] for r in rows) / 1e9
    line = f"| {name} | {statistics.median(r['ours'] for r in rows) * 1e3:.2f} ms | {rate:.1f} {unit} | {statistics.median(share):.2f} ({share[0]:.2f}..{share[-1]:.2f}) |"
    cells = []
    for peer in peers:
        ratios = sorted(r[peer] / r["ours"] for r in rows)
        q = len(ratios) // 4
        cells.append(f"{peer} {statistics.median(ratios):.1f}x ({ratios[q]:.1f}..{ratios[-1 - q]:.1f})")
    print(line, ", ".join(cells), "|", flush=True)


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


compiled = {"torch.compile": torch.compile} if options.compile else {}
print(f"torch {torch.__version__}, {options.threads} threads, {options.rounds} rounds; ratio = peer's time / ours, median (quartiles)\n")
print("| case | ours | rate | share of the probe, median (range) | peers |\n|---|---|---|---|---|")
for dtype in (torch.float32, torch.bfloat16):
    for n, v in ((256, 32000), (128, 128256)):
        logits, target = normal(n, v, dtype=dtype, scale=3), torch.randint(v, (n,), generator=generator)
        bytes = logits.numel() * logits.element_size()
        name = f"{str(dtype)[6:]} {n} x {v}"
        out = torch.empty(n)
        wide = {"torch": lambda: torch_logprob(logits, target), "torch on f32 copy": lambda: torch_logprob(logits.float(), target)}
        if dtype == torch.float32:
            wide.popitem()
        peers = {**wide, **{k: (lambda g: lambda: g(logits, target))(c(torch_logprob)) for k, c in compiled.items()}}
        compare(f"log-prob {name}", lambda: truing.logprob(logits, target, logprob=out, context=context), peers, bytes, "GB/s", read_rate)
        entropy = torch.empty(n)
        compare(f"log-prob + entropy {name}", lambda: truing.logprob(logits, target, logprob=out, entropy=entropy, context=context),
                {"torch": lambda: torch_logprob_entropy(logits, target)}, bytes, "GB/s", read_rate)
        upstream = normal(n)
        stats = truing.logprob(logits, target, logprob=False, stats=True, context=context).stats
        grad = torch.empty_like(logits)
        leaf = logits.clone().requires_grad_()

        def both():
            s = truing.logprob(logits, target, logprob=out, stats=stats, context=context).stats
            truing.logprob_backward(logits, target, grad_logprob=upstream, stats=s, grad_logits=grad, context=context)

        def torch_both():
            leaf.grad = None
            torch_logprob(leaf, target).backward(upstream.to(dtype))

        compare(f"log-prob forward + backward {name}", both, {"torch": torch_both}, 3 * bytes, "GB/s", copy_rate)

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
