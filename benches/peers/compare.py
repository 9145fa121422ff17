"""Truing beside torch: log-probs, fused linear log-probs (also beside jax), divergences of logits and of hidden states, whole
training losses and their loss part; beside Liger where it has the operation. A peer that is not installed is named.

Every round runs the probe, then all sides in an order that rotates, so that a noisy machine moves them alike; a ratio is
formed inside a round, medians and quartiles are printed. Both sides work in warm memory: ours in the caller's buffers, torch's
in what its allocator hands out again (`run` keeps the allocator from returning it to the system).

    benches/peers/run [--rounds 9] [--threads 2] [--rows 256] [--mode fast] [--compile] [--only EXPRESSION]
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
parser.add_argument("--mode", default="portable", help="math mode of ours")
parser.add_argument("--compile", action="store_true", help="torch.compile as a further peer of logits and of products; needs a C++ compiler")
parser.add_argument("--only", default="", help="only the cases whose name matches this expression")
options = parser.parse_args()
truing.load(options.library)
torch.set_num_threads(options.threads)
context = truing.Context(options.threads, mode=options.mode)
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


def wanted(*names):
    """Whether `--only` takes one of these cases."""
    return any(re.search(options.only, name) for name in names)


def compare(name, ours, peers, work, unit, probe, warm=3):
    """`peers`: {name: function}. `work` is bytes or flops of one call, `probe` measures the machine's rate of the unit."""
    if not wanted(name):
        return
    sides = [("ours", ours), *peers.items()]
    for _ in range(warm):  # the first calls compile, and fill the allocator
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


def with_compiled(forms):
    """{name: function}, each also compiled if that is asked for."""
    if not options.compile:
        return forms
    # a fresh cache for each case: otherwise the second shape is compiled for shapes of any size
    torch._dynamo.reset()
    return forms | {name.replace("torch", "compiled"): torch.compile(g, dynamic=False) for name, g in forms.items()}


def torch_peers(f, dtype):
    """{name: function of logits and target}: f, in the inputs' type and widened, each also compiled."""
    return with_compiled({"torch": f} if dtype == torch.float32 else {"torch": f, "torch on f32": on_f32(f)})


def with_gradients(f, leaves, upstream=None):
    """f of the leaves, then the gradients of all that need one, new every time."""
    def run():
        for leaf in leaves:
            leaf.grad = None
        y = f(*leaves)
        y.backward(None if upstream is None else upstream.to(y.dtype))
    return run


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

        forms = torch_peers(torch_logprob, dtype)
        compare(f"log-prob forward + backward {name}", both,
                {k: with_gradients(f, (leaf, target), upstream) for k, f in forms.items()}, 3 * size, "GB/s", copy_rate)

try:
    import jax
except ImportError as e:
    jax = None
    print(f"| jax is left out: {e} | | | |")


def jax_peers(hidden, weight, target, upstream):
    """The same product, log-prob and gradients, and the mean loss with its gradients, under jax.jit: {} without jax."""
    if not jax:
        return {}, {}, {}
    place = lambda x: jax.numpy.asarray(x.float().numpy() if x.is_floating_point() else x.int().numpy())  # noqa: E731
    h, w, g = (place(x).astype(str(hidden.dtype)[6:]) for x in (hidden, weight, upstream))
    y = place(target)

    # everything is an argument: a constant would be folded while it compiles
    def logprob(h, w, y):
        return jax.numpy.take_along_axis(jax.nn.log_softmax(h @ w.T), y[:, None], 1)[:, 0]

    def gradients(h, w, y, g):
        value, back = jax.vjp(lambda h, w: logprob(h, w, y), h, w)
        return value, back(g)

    once, both = jax.jit(logprob), jax.jit(gradients)
    mean = jax.jit(jax.value_and_grad(lambda h, w, y: -logprob(h, w, y).mean(), (0, 1)))
    return ({"jax": lambda: once(h, w, y).block_until_ready()}, {"jax": lambda: jax.block_until_ready(both(h, w, y, g))},
            {"jax": lambda: jax.block_until_ready(mean(h, w, y))})


n, d, v = 512, 1024, 32000
for dtype in (torch.float32, torch.bfloat16):
    name = f"{str(dtype)[6:]} {n} x {d} x {v}"
    if not wanted(*(f"linear {case} {name}" for case in ("log-prob", "log-prob forward + backward", "mean loss and gradients"))):
        continue
    hidden, weight = normal(n, d, dtype=dtype), normal(v, d, dtype=dtype, scale=d**-0.5)
    target = torch.randint(v, (n,), generator=generator)
    upstream, out = normal(n), torch.empty(n)
    jax_once, jax_both, jax_mean = jax_peers(hidden, weight, target, upstream)

    def forward(h, w):
        return torch_logprob(h @ w.T, target)

    forms = with_compiled({"torch": forward})
    peers = {k: lambda f=f: f(hidden, weight) for k, f in forms.items()}
    compare(f"linear log-prob {name}", lambda: truing.linear_logprob(hidden, weight, target, logprob=out, context=context),
            peers | jax_once, 2 * n * d * v, "GFLOP/s", product_rate)
    grad_hidden, grad_weight = torch.empty(n, d), torch.empty(v, d)
    h, w = hidden.clone().requires_grad_(), weight.clone().requires_grad_()

    def both():
        s = truing.linear_logprob(hidden, weight, target, logprob=out, stats=True, context=context).stats
        truing.linear_logprob_backward(hidden, weight, target, grad_logprob=upstream, stats=s, grad_hidden=grad_hidden,
                                       grad_weight=grad_weight, context=context)

    peers = {k: with_gradients(f, (h, w), upstream) for k, f in forms.items()}
    compare(f"linear log-prob forward + backward {name}", both, peers | jax_both, 6 * n * d * v, "GFLOP/s", product_rate)

    def cross_entropy(h, w):
        return torch.nn.functional.cross_entropy(h @ w.T, target)

    peers = {k: with_gradients(f, (h, w)) for k, f in with_compiled({"torch": cross_entropy}).items()}
    compare(f"linear mean loss and gradients {name}", lambda: truing.linear_logprob(
        hidden, weight, target, logprob=False, reduction="mean", loss=True, grad_hidden=grad_hidden, grad_weight=grad_weight,
        context=context), peers | jax_mean, 6 * n * d * v, "GFLOP/s", product_rate)

# divergences of logits, teacher fixed, the value of every row; torch's forms are those of TRL and of Liger's references
F = torch.nn.functional


def torch_kl(student, teacher):
    return F.kl_div(F.log_softmax(student, -1), F.log_softmax(teacher, -1), reduction="none", log_target=True).sum(-1)


def torch_jsd(student, teacher):
    p, q = F.log_softmax(teacher, -1), F.log_softmax(student, -1)
    m = torch.logsumexp(torch.stack([p, q]), 0) - 0.6931471805599453
    kl = lambda a: F.kl_div(m, a, reduction="none", log_target=True).sum(-1)  # noqa: E731
    return (kl(p) + kl(q)) / 2


for dtype in (torch.float32, torch.bfloat16):
    rows = options.rows // 2
    for kind, param, f in (("forward_kl", None, torch_kl), ("jsd", 0.5, torch_jsd)):
        name = f"{kind} {str(dtype)[6:]} {rows} x 128256"
        if not wanted(name, f"{name} forward + backward"):
            continue
        student, teacher = (normal(rows, 128256, dtype=dtype, scale=3) for _ in range(2))
        upstream, values, grad = normal(rows), torch.empty(rows), torch.empty_like(student)
        leaf = student.clone().requires_grad_()
        size = 2 * student.numel() * student.element_size()
        given = {"param": param, "context": context}
        forms = with_compiled({"torch": f})
        compare(name, lambda: truing.divergence(kind, student, teacher, values=values, **given),
                {k: lambda f=f: f(student, teacher) for k, f in forms.items()}, size, "GB/s", read_rate)

        def both():
            s = truing.divergence(kind, student, teacher, values=values, stats=True, **given).stats
            truing.divergence_backward(kind, student, teacher, grad_values=upstream, stats=s, grad_student=grad, **given)

        compare(f"{name} forward + backward", both, {k: with_gradients(f, (leaf, teacher), upstream) for k, f in forms.items()},
                5 * size // 2, "GB/s", copy_rate)

# from hidden states to loss and gradients: 4 sequences of 128 tokens, the first half chosen; a reference head where the loss
# reads one. Liger's own forms, not compiled.
try:
    from liger_kernel import chunked_loss as liger
except ImportError as e:
    liger = None
    print(f"| Liger is left out: {e} | | | |")
b, t = 4, 128
hidden, ref_hidden = (normal(b, t, d, dtype=torch.bfloat16) for _ in range(2))
weight, ref_weight = (normal(v, d, dtype=torch.bfloat16, scale=d**-0.5) for _ in range(2))
target, old = torch.randint(v, (b, t), generator=generator), -normal(b, t).abs() - 9
h, w = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
desirable, baseline, advantage = torch.tensor([1, 1, 0, 0]).bool(), torch.zeros(()), torch.tensor([1.0, -0.5, 0.3, -0.8])
grad_hidden, grad_weight = torch.empty(b, t, d), torch.empty(v, d)
ref_logps = torch_logprob((ref_hidden.view(-1, d) @ ref_weight.T).float(), target.view(-1)).view(b, t)


def tokens(h, w):
    return torch_logprob((h.view(-1, d) @ w.T).float(), target.view(-1)).view(b, t)


def reference():
    with torch.no_grad():
        return tokens(ref_hidden, ref_weight)


def plain_dpo(l):
    a = (l - reference()).sum(1)
    return -F.logsigmoid(0.1 * (a[:2] - a[2:])).mean()


def plain_simpo(l):
    a = l.mean(1)
    return -F.logsigmoid(0.1 * (a[:2] - a[2:]) - 0.5).mean()


def plain_orpo(l):
    a = l.mean(1)
    odds = a - torch.log1p(-torch.exp(a))
    return -0.1 * F.logsigmoid(odds[:2] - odds[2:]).mean()


def plain_kto(l):
    a = 0.1 * (l - reference()).sum(1)
    return (1 - torch.sigmoid(torch.where(desirable, a, -a))).mean()


def plain_grpo(l):
    ratio, a, r = torch.exp(l - old), advantage[:, None], ref_logps - l
    loss = -torch.min(ratio * a, ratio.clamp(0.8, 1.2) * a) + 0.04 * (torch.exp(r) - r - 1)
    return loss.mean()


def both_heads():
    """Sums of log-probs less the reference's, and of KL(reference || policy) over the vocabulary."""
    y = target.view(-1, 1)
    with torch.no_grad():
        r = torch.log_softmax((ref_hidden.view(-1, d) @ ref_weight.T).float(), -1)
    l = torch.log_softmax((h.view(-1, d) @ w.T).float(), -1)
    kl = F.kl_div(l, r, reduction="none", log_target=True).sum(-1)
    return [x.view(b, t).sum(1) for x in ((l.gather(1, y) - r.gather(1, y))[:, 0], kl)]


def plain_tdpo1():
    a, kl = both_heads()
    return -F.logsigmoid(0.1 * (a[:2] - a[2:]) - 0.1 * (kl[2:] - kl[:2])).mean()


def plain_tdpo2():
    a, kl = both_heads()
    return -F.logsigmoid(0.1 * (a[:2] - a[2:]) - 0.1 * 0.5 * (kl[2:] - kl[:2].detach())).mean()


def backward(f):
    """The loss, its gradients left behind."""
    def run():
        h.grad = w.grad = None
        loss = f()
        loss = loss[0] if isinstance(loss, tuple) else loss
        loss.backward()
        return float(loss.detach())
    return run


def ours_of(name, **fields):
    return lambda: truing.linear_preference(name, hidden, weight, target, phase="single", reduction="mean", grad_hidden=grad_hidden,
                                            grad_weight=grad_weight, context=context, **fields).loss


with_reference = {"ref_hidden": ref_hidden, "ref_weight": ref_weight}
cases = {
    "dpo": (ours_of("dpo", score="sum", layout="stacked", params={"beta": 0.1}, **with_reference), plain_dpo, 4,
            lambda: liger.LigerFusedLinearDPOLoss(compiled=False)(w, h, target, None, ref_hidden, ref_weight)),
    "simpo": (ours_of("simpo", score="mean", divisor="tokens", layout="stacked", params={"beta": 0.1, "gamma": 0.5}), plain_simpo, 3,
              lambda: liger.LigerFusedLinearSimPOLoss(compiled=False, compute_nll_loss=False)(w, h, target)),
    "orpo": (ours_of("orpo", score="mean", divisor="tokens", layout="stacked", params={"lam": 0.1, "nll_weight": 0.0}), plain_orpo, 3,
             lambda: liger.LigerFusedLinearORPOLoss(compiled=False, compute_nll_loss=False)(w, h, target)),
    "kto": (ours_of("kto", score="sum", label=desirable, baseline=baseline, params={"beta": 0.1}, **with_reference), plain_kto, 4,
            lambda: liger.LigerFusedLinearKTOLoss(compiled=False, use_ref_model=True)(
                h, w, target, None, desirable, ref_hidden, ref_weight, None, torch.zeros(()))),
    "grpo": (lambda: truing.linear_policy(
        "ppo_clip", hidden, weight, target, old, phase="single", level="token", aggregate="seq_mean_token_mean", count_empty="all",
        advantage=advantage, ref=ref_logps, kl="k3", kl_weight="one", kl_gradient="pathwise", kl_coef=0.04, grad_hidden=grad_hidden,
        grad_weight=grad_weight, context=context).loss, plain_grpo, 3,
             lambda: liger.LigerFusedLinearGRPOLoss(compiled=False, use_ref_model=True, loss_type="grpo")(
                 h, w, target, torch.ones(b, t), advantage, None, ref_logps, old)),
}
for name, f, params in (("tdpo1", plain_tdpo1, {"beta": 0.1}), ("tdpo2", plain_tdpo2, {"beta": 0.1, "alpha": 0.5})):
    cases[name] = (ours_of(name, score="sum", layout="stacked", params=params, **with_reference), lambda _, f=f: f(), 4, None)
for name, (ours, plain, products, theirs) in cases.items():
    case = f"{name} bfloat16 {b} x {t} tokens, {d} x {v}, loss and gradients"
    if not wanted(case):
        continue
    # what reads whole distributions makes its own log-probs
    own = {"torch": backward((lambda: plain(None)) if theirs is None else (lambda: plain(tokens(h, w))))}
    peers = own | ({"Liger": backward(theirs)} if liger and theirs else {})
    losses = ", ".join(f"{peer} {f():.6f}" for peer, f in peers.items())
    print(f"| {name}: loss ours {float(ours()):.6f}, {losses} | | | |")
    compare(case, ours, peers, products * 2 * b * t * d * v, "GFLOP/s", product_rate, warm=0)  # the losses were

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
