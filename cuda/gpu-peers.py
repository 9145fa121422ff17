"""Times of the peers on a device for the calls that cuda/gpu-check times: torch in one expression and compiled, Liger where
it is installed. Each beside a device copy of the same round; the rate counts what the call must move, as there."""
import sys, time, torch
import torch.nn.functional as F


def median_ms(go, rounds=13):
    for _ in range(3):
        go()
    times = []
    for _ in range(rounds):
        a, b = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        a.record()
        go()
        b.record()
        b.synchronize()
        times.append(a.elapsed_time(b))
    return sorted(times)[rounds // 2]


def logprob(z, y):
    return z.float().log_softmax(-1).gather(-1, y[:, None]).squeeze(-1)


def selective(z, y):
    "TRL's selective_log_softmax of f32"
    return z.gather(-1, y[:, None]).squeeze(-1) - z.logsumexp(-1)


def both(z, y):
    l = z.float().log_softmax(-1)
    return l.gather(-1, y[:, None]).squeeze(-1), -(l.exp() * l).sum(-1)


def kl(z, w):
    p, q = z.float().log_softmax(-1), w.float().log_softmax(-1)
    return (q.exp() * (q - p)).sum(-1)


def dpo(a, b, c, d):
    return -F.logsigmoid(0.1 * ((a - b) - (c - d))).mean()


def ppo(logp, old, advantage, mask):
    ratio = (logp - old).exp()
    loss = torch.max(-advantage * ratio, -advantage * ratio.clamp(0.8, 1.2))
    return (loss * mask).sum() / mask.sum()


print(f"torch {torch.__version__}, {torch.cuda.get_device_name()}\n")
print("| peer | shape | ms | GB/s | of copy |\n|---|---|---|---|---|")
compiled = {f.__name__: torch.compile(f, dynamic=True) for f in [logprob, both, kl, dpo, ppo]}
try:
    from liger_kernel.ops.cross_entropy import LigerCrossEntropyFunction
except ImportError:
    LigerCrossEntropyFunction = None
start = time.time()
for n, v in [(8192, 128256), (8192, 32000), (64, 128256), (1, 128256)]:
    for dtype in [torch.bfloat16, torch.float32]:
        z = torch.randn(1, v, device="cuda").mul(3).to(dtype).repeat(n, 1)
        g, y = torch.empty_like(z), torch.full((n,), 3, device="cuda")
        moved = z.numel() * z.element_size()
        name = f"{n} x {v} {str(dtype)[6:]}"
        copy = 2 * moved / median_ms(lambda: g.copy_(z)) * 1e-6

        def line(what, passes, go):
            if time.time() - start > 150:
                return print(f"| {what} | {name} | skipped: out of time | | |")
            try:
                ms = median_ms(go)
            except Exception as e:
                torch.cuda.empty_cache()
                return print(f"| {what} | {name} | skipped: {type(e).__name__} | | |")
            rate = passes * moved / ms * 1e-6
            print(f"| {what} | {name} | {ms:.4f} | {rate:.0f} | {rate / copy:.2f} |", flush=True)

        with torch.no_grad():
            line("torch logprob", 1, lambda: logprob(z, y))
            line("torch.compile logprob", 1, lambda: compiled["logprob"](z, y))
            line("torch.compile logprob, entropy", 1, lambda: compiled["both"](z, y))
        if n > 1000:
            w = z.clone().requires_grad_()

            def step(f):
                w.grad = None
                f(w, y).sum().backward()

            line("torch.compile logprob, forward and backward", 3, lambda: step(compiled["logprob"]))
            if LigerCrossEntropyFunction:
                x = z.clone()

                def liger():
                    # overwrites its input with the gradient
                    t = x.detach().requires_grad_()
                    LigerCrossEntropyFunction.apply(t, y, None)

                line("Liger cross entropy, forward and gradient in place", 3, liger)
                del x
            del w
        if n == 8192 and v == 32000:
            w = z.flip(-1)
            with torch.no_grad():
                line("torch KL", 2, lambda: kl(z, w))
                line("torch.compile KL", 2, lambda: compiled["kl"](z, w))
            del w
        del z, g
        torch.cuda.empty_cache()
print("\n| peer | elements | us |\n|---|---|---|")
for n in [512, 8192]:
    a = [torch.randn(n, device="cuda") for _ in range(3)] + [torch.ones(n, device="cuda")]
    for f in [dpo, ppo]:
        for name, g in [("torch", f), ("torch.compile", compiled[f.__name__])]:
            a[0].requires_grad_()

            def step():
                a[0].grad = None
                g(*a).backward()

            print(f"| {name} {f.__name__}, forward and backward | {n} | {1000 * median_ms(step):.1f} |", flush=True)
