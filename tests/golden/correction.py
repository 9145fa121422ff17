"""Golden cases of off-policy corrections and selections of tokens: writes correction.txt next to itself. Needs mpmath only.

Nothing of the library is imported. Every result is the formula at 60 digits, in ratio space where the library decides in log
space; sums over explicit index sets in place of recursions. Sources: the formulas of the papers and trainers that
core/src/correction.rs names. The format is that of advantage.py.
"""
import os
import random
import sys
from mpmath import mp, mpf

mp.dps = 60
R = random.Random(11)
out = []
cases = 0


def number(x):
    return repr(x) if isinstance(x, float) else str(x) if isinstance(x, int) else mp.nstr(x, 22)


def case(op, options, inputs, results):
    global cases
    cases += 1
    out.append(" ".join(["@", op] + [f"{k}={v}" for k, v in options.items()]))
    for sign, table in (("", inputs), ("> ", results)):
        for name, values in table.items():
            out.append(sign + name + "".join(" " + number(x) for x in values))


class Data:
    """Packed sequences, one of them empty and one masked as a whole."""

    def __init__(self, spread=0.4):
        lengths = [R.randint(1, 7), 0, R.randint(2, 9), 3, R.randint(1, 5)]
        self.cu = [0]
        for n in lengths:
            self.cu.append(self.cu[-1] + n)
        n = self.cu[-1]
        self.old = [-3 * R.random() for _ in range(n)]
        self.other = [min(o + R.gauss(0, spread), 0.0) for o in self.old]
        self.mask = [int(R.random() < 0.75) for _ in range(n)]
        for i in range(self.cu[3], self.cu[4]):
            self.mask[i] = 0
        self.n, self.b = n, len(lengths)

    def live(self, b):
        return [i for i in range(self.cu[b], self.cu[b + 1]) if self.mask[i]]

    def all(self):
        return [i for b in range(self.b) for i in self.live(b)]

    def inputs(self, **more):
        return dict(old=self.old, other=self.other, cu=self.cu, mask=self.mask, **more)


def weight_cases():
    for level in ("token", "sequence_sum", "sequence_mean"):
        for action, low, high in (("raw", 0.0, 0.0), ("truncate", 0.0, 1.5), ("truncate", 0.6, 1.2), ("mask", 0.0, 2.0), ("mask", 0.7, 1.4)):
            for normalise in ("off", "token_mean", "sequence_mean"):
                for own in (0, 1):
                    d = Data()
                    y = [mpf(a) - mpf(b) for a, b in zip(d.old, d.other)]
                    w, keep = [mpf(0)] * d.n, [0] * d.n
                    for b in range(d.b):
                        rows = d.live(b)
                        for i in rows:
                            shared = mp.fsum(y[j] for j in rows) / (len(rows) if level == "sequence_mean" else 1)
                            ratio = mp.exp(y[i] if level == "token" else shared)
                            within = ratio >= mpf(low) and (high == 0.0 or ratio <= mpf(high))
                            keep[i] = int(within)
                            w[i] = mp.exp(y[i]) if own else ratio
                            if action == "mask" and not within:
                                w[i] = mpf(0)
                            if action == "truncate" and not own:
                                w[i] = min(max(ratio, mpf(low)), mpf(high) if high else ratio)
                    rows = d.all()
                    means = [mp.fsum(w[i] for i in d.live(b)) / len(d.live(b)) for b in range(d.b) if d.live(b)]
                    by = {"off": mpf(1), "token_mean": mp.fsum(w[i] for i in rows) / len(rows), "sequence_mean": mp.fsum(means) / len(means)}[normalise]
                    w = [x / by if by > mpf("1e-8") else x for x in w]
                    figures = [len(rows), sum(1 - keep[i] for i in rows), mp.fsum(w), mp.fsum(x * x for x in w)]
                    case("importance_weight", dict(level=level, action=action, low=low, high=high, normalise=normalise, own=own),
                         d.inputs(), dict(weights=w, keep=keep, figures=figures))  # fmt: skip


def coin(p, q):
    """KL of the coins with the probabilities p and q."""
    side = lambda a, b: mpf(0) if a == 0 else a * mp.log(a / b)  # noqa: E731
    return side(p, q) + side(1 - p, 1 - q)


def rejection_cases():
    of = {
        "ratio": lambda y, o, s: y,
        "k1": lambda y, o, s: -y,
        "k2": lambda y, o, s: y * y / 2,
        "k3": lambda y, o, s: mp.exp(y) - 1 - y,
        "binary_kl": lambda y, o, s: coin(mp.exp(s), mp.exp(o)),
        "tv": lambda y, o, s: abs(mp.exp(o) - mp.exp(s)),
    }
    for statistic, f in of.items():
        for span in ("token", "sequence_sum", "sequence_mean", "sequence_max"):
            for low, high in ((0.0, 1.2), (0.8, 1.3), (0.0, 0.05), (0.01, 0.0)):
                d = Data()
                v = [f(mpf(a) - mpf(b), mpf(a), mpf(b)) for a, b in zip(d.old, d.other)]
                logs = statistic in ("ratio", "k1")
                least = (mp.log(mpf(low)) if logs else mpf(low)) if low else mpf("-inf")
                most = (mp.log(mpf(high)) if logs else mpf(high)) if high else mpf("inf")
                keep, shown = [0] * d.n, []
                for b in range(d.b):
                    rows = d.live(b)
                    total = [v[i] for i in rows]
                    shared = mpf(0)
                    if rows and span != "token":
                        shared = max(total) if span == "sequence_max" else mp.fsum(total) / (len(rows) if span == "sequence_mean" else 1)
                    for i in rows:
                        keep[i] = int(least <= (v[i] if span == "token" else shared) <= most)
                    shown.append(shared)
                if span == "token":
                    shown = [v[i] if d.mask[i] else mpf(0) for i in range(d.n)]
                case("rejection_mask", dict(statistic=statistic, span=span, low=low, high=high), d.inputs(),
                     dict(keep=keep, statistic=shown, rejected=[sum(1 - keep[i] for i in d.all())]))  # fmt: skip


def selection_cases():
    for delta in (-0.2, 0.0, 1e-4, 0.1, 0.5):
        for _ in range(4):
            d = Data()
            a = [R.gauss(0, 1) for _ in range(d.b)]
            means = [mp.fsum(mpf(d.other[i]) - mpf(d.old[i]) for i in d.live(b)) / max(len(d.live(b)), 1) for b in range(d.b)]
            keep = [int(not (a[b] < 0 and means[b] > mpf(delta))) for b in range(d.b)]
            case("off_policy_sequence_mask", dict(delta=delta), d.inputs(advantage=a), dict(keep=keep, mean=means))
    for share in (1.0, 0.8, 0.5, 0.2, 0.013):
        for _ in range(4):
            d = Data()
            h = [R.choice((1.25, 0.5, 3 * R.random())) for _ in range(d.n)]
            live = sorted(mpf(h[i]) for i in d.all())
            at = (1 - mpf(share)) * (len(live) - 1)
            k = int(at)
            threshold = live[k] + (at - k) * (live[k + 1] - live[k]) if k + 1 < len(live) else live[k]
            keep = [int(d.mask[i] and mpf(h[i]) >= threshold) for i in range(d.n)]
            case("top_entropy_mask", dict(share=share), d.inputs(entropy=h), dict(keep=keep, threshold=[threshold]))
    for form in ("kl", "clip"):
        for share in (0.0, 0.2, 0.5, 1.0):
            for _ in range(3):
                d = Data()
                a, noise = [R.gauss(0, 1) for _ in range(d.n)], [R.choice((0.5, R.random())) for _ in range(d.n)]
                rows = d.all()
                mean = lambda x: mp.fsum(mpf(x[i]) for i in rows) / len(rows)  # noqa: E731
                ma, ml = mean(a), mean(d.old)
                cov = {i: (mpf(a[i]) - ma) * (mpf(d.old[i]) - ml) for i in rows}
                if form == "kl":
                    order = sorted(rows, key=lambda i: (-cov[i], i))
                else:
                    ratio = {i: mp.exp(mpf(d.old[i]) - mpf(d.other[i])) for i in rows}
                    clipped = lambda i: (a[i] > 0 and ratio[i] > mpf("1.3")) or (a[i] < 0 and ratio[i] < mpf("0.8"))  # noqa: E731
                    order = sorted((i for i in rows if mpf(-1) < cov[i] < mpf(0.75) and not clipped(i)), key=lambda i: (noise[i], i))
                chosen = order[: max(1, int(mpf(share) * len(rows)))]
                case("cov_select", dict(form=form, share=share), d.inputs(advantage=a, noise=noise),
                     dict(flag=[int(i in chosen) for i in range(d.n)], count=[len(chosen)]))  # fmt: skip
    for threshold in (1e-3, 0.01, 0.05, 0.2, 10.0):
        for _ in range(4):
            d = Data()
            order = sorted(d.all(), key=lambda i: (-((mpf(d.old[i]) - mpf(d.other[i])) ** 2), i))
            square = lambda i: (mpf(d.old[i]) - mpf(d.other[i])) ** 2  # noqa: E731
            mean = lambda k: mp.fsum(square(i) for i in order[k:]) / (len(order) - k)  # noqa: E731
            k = next((k for k in range(len(order)) if mean(k) < mpf(threshold)), len(order) - 1)
            case("m2po_mask", dict(threshold=threshold), d.inputs(),
                 dict(keep=[int(i in order[k:]) for i in range(d.n)], moment=[mean(k)], dropped=[k]))  # fmt: skip
    for half_life in (32.0, 2.0):
        for clip in (0.2, 0.0, 0.9):
            for delta in (float("inf"), 1.3):
                for safety in (4.0, 1.1):
                    for high_only in (0, 1):
                        d = Data()
                        a = [R.gauss(0, 1) for _ in range(d.n)]
                        gamma = mpf(2) ** (-1 / mpf(half_life))
                        x = [mpf(o) - mpf(s) for o, s in zip(d.old, d.other)]
                        counts = lambda j: d.mask[j] and not (delta < 1e300 and mp.exp(x[j]) > mpf(delta))  # noqa: E731
                        w = [mpf(0)] * d.n
                        for b in range(d.b):
                            for i in d.live(b):
                                e = mp.exp(mp.fsum(gamma ** (j - i) * x[j] for j in range(i, d.cu[b + 1]) if counts(j)))
                                if clip:
                                    e = min(max(e, mpf(1) if high_only else 1 - mpf(clip)), 1 + mpf(clip))
                                if a[i] < 0 and mp.exp(x[i]) > mpf(safety):
                                    e = min(max(e, mpf("0.8")), mpf(1))
                                w[i] = e
                        case("fipo_weight", dict(half_life=half_life, clip=clip, delta=delta, safety=safety, high_only=high_only),
                             d.inputs(advantage=a), dict(weights=w))  # fmt: skip


if __name__ == "__main__":
    for make in (weight_cases, rejection_cases, selection_cases):
        make()
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "correction.txt"), "w") as f:
        f.write("\n".join(out) + "\n")
    print(f"{cases} cases", file=sys.stderr)
