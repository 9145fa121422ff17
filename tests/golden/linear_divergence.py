"""Golden chains of linear_divergence: writes linear_divergence.txt next to itself.  Needs mpmath only.

Nothing of the library is imported. The divergences are the textbook sums of divergence.py; around them stand the two products,
bias, softcap and temperature of each side, the hard-label mix and the row weights, and the chain rule back to hidden states,
weights and biases, all at 60 digits. Where a line says so the gradients are checked here against central differences.

A line "case": seed n d d' v v' cap cap' t t' soft hard, the dashed ones the teacher's, and with h(k, i) = hash16(seed + k, i)

    hidden (h(0, .) mod 33 - 16) / 8        teacher's (h(2, .) mod 33 - 16) / 8
    weight (h(1, .) mod 33 - 16) / 16       teacher's (h(3, .) mod 33 - 16) / 16
    bias   (h(4, .) mod 17 - 8) / 16        teacher's (h(5, .) mod 17 - 8) / 16
    row weight (h(6, i) mod 4 + 1) / 4      target h(7, i) mod v

x = cap tanh((z + bias) / cap) / t, cap 0: none. A column beyond a side's vocabulary has probability 0 there. The loss is the sum
of weight (soft D + hard (-log p of the target)). Then one line a kind: name param limits | values | gradients of hidden, weight
and bias of the student | of the teacher. A row whose value is infinite has gradient 0.
"""
import os
import sys
from mpmath import mp, mpf
from divergence import KINDS, evaluate, softmax, text
from rows import hash16

mp.dps = 60


class Case:
    def __init__(self, line):
        self.seed, self.n, *self.d = line[:4]
        self.v, self.cap, self.t = line[4:6], [mpf(x) for x in line[6:8]], [mpf(x) for x in line[8:10]]
        self.soft, self.hard = [mpf(x) for x in line[10:12]]
        h = lambda k, i: hash16(self.seed + k, i)
        grid = lambda k, count, m, over: [mpf(h(k, i) % m - m // 2) / over for i in range(count)]
        self.hidden = [grid(0, self.n * self.d[0], 33, 8), grid(2, self.n * self.d[1], 33, 8)]
        self.weight = [grid(1, self.v[0] * self.d[0], 33, 16), grid(3, self.v[1] * self.d[1], 33, 16)]
        self.bias = [grid(4, self.v[0], 17, 16), grid(5, self.v[1], 17, 16)]
        self.row_weight = [mpf(h(6, i) % 4 + 1) / 4 for i in range(self.n)]
        self.target = [h(7, i) % self.v[0] for i in range(self.n)]

    def logits(self, side, i):
        """transformed logits and their slopes"""
        d, x, slope = self.d[side], [], []
        for j in range(self.v[side]):
            z = mp.fsum(self.hidden[side][i * d + k] * self.weight[side][j * d + k] for k in range(d)) + self.bias[side][j]
            c = self.cap[side]
            if c:
                x.append(c * mp.tanh(z / c) / self.t[side])
                slope.append((1 - mp.tanh(z / c) ** 2) / self.t[side])
            else:
                x.append(z / self.t[side])
                slope.append(1 / self.t[side])
        return x, slope

    def run(self, name, f, param):
        """values, [grad_hidden, grad_weight, grad_bias] of both sides"""
        width, values = max(self.v), []
        grads = [[[mpf(0)] * len(part[s]) for part in (self.hidden, self.weight, self.bias)] for s in (0, 1)]
        for i in range(self.n):
            both = [self.logits(side, i) for side in (0, 1)]
            x, y = [z + [None] * (width - len(z)) for z, _ in both]
            value, *g = evaluate(name, f, param, x, y)
            if value == mp.inf:
                values.append(value)
                continue
            w, p = self.row_weight[i], softmax(x)
            values.append(w * (self.soft * value - self.hard * mp.log(p[self.target[i]])))
            for side in (0, 1):
                d = self.d[side]
                for j in range(self.v[side]):
                    dx = self.soft * g[side][j]
                    if side == 0:
                        dx -= self.hard * ((j == self.target[i]) - p[j])
                    dz = w * dx * both[side][1][j]
                    for k in range(d):
                        grads[side][0][i * d + k] += dz * self.weight[side][j * d + k]
                        grads[side][1][j * d + k] += dz * self.hidden[side][i * d + k]
                    grads[side][2][j] += dz
        return values, grads

    def check(self, name, f, param, grads):
        h = mpf(10) ** -20
        for side in (0, 1):
            for which, part in enumerate((self.hidden, self.weight, self.bias)):
                for k in range(len(part[side])):
                    ends, own = [], part[side][k]
                    for step in (h, -h):
                        part[side][k] = own + step
                        ends.append(mp.fsum(v for v in self.run(name, f, param)[0] if v != mp.inf))
                    part[side][k] = own
                    slope, want = (ends[0] - ends[1]) / (2 * h), grads[side][which][k]
                    assert abs(slope - want) < mpf(10) ** -15 * (1 + abs(want)), (name, side, which, k)


CASES = [
    # seed n d d' v v' cap cap' t t' soft hard
    ((11, 2, 2, 3, 3, 3, 0, 0, 1, 1, 1, 0), True),
    ((31, 3, 3, 2, 5, 5, 0, 2, 2, 1.5, 0.75, 0.5), False),
    ((51, 3, 2, 4, 6, 4, 3, 0, 1, 0.5, 1, 0), False),
    ((71, 3, 4, 2, 4, 7, 0, 3, 0.5, 2, 0.5, 0.25), False),
]

if __name__ == "__main__":
    count = 0
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "linear_divergence.txt"), "w") as out:
        for line, differences in CASES:
            case = Case(line)
            out.write("case " + " ".join(map(str, line)) + "\n")
            for name, f, param in KINDS:
                values, grads = case.run(name, f, param)
                if differences and name != "tvd":
                    case.check(name, f, param, grads)
                kind, limits = ("jsd", "scaled") if name == "jsd_scaled" else (name, "peer")
                parts = [f"{kind} {param if param is not None else 'nan'} {limits}"]
                for group in [values] + [[x for part in side for x in part] for side in grads]:
                    parts.append(" ".join(map(text, group)))
                out.write(" | ".join(parts) + "\n")
                count += 1
    print(f"{count} chains", file=sys.stderr)
