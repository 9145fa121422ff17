"""Golden sampling supports: writes supports.txt next to itself.  Needs mpmath only.

Nothing of the library is imported. Each filter is written as its peer applies it, on sets of columns with probabilities at
50 digits:

    vllm    v1/sample/ops/topk_topp_sampler.py and logits_processor/builtin.py: min_p, top_k, top_p; top_k keeps every
            value that is not below the K-th, top_p sorts ascending and drops while the cumulative sum is <= 1 - P, that is,
            keeps a column iff the mass of those before it is < P
    hf      generation/logits_process.py: TopK, TopP, MinP warpers in this order, each renormalised
    sglang  layers/sampler.py, top_k_top_p_min_p_sampling_from_probs_torch: probabilities sorted once; dropped where the
            mass before is > P, where the position is >= K, where p < max p * min_p

A line: seed v unit dead preset top_k top_p min_p ties edge target | size lse log_kept_mass logprob entropy | ids...
with hash(seed, j) as in rows.py and

    logit j = (hash(seed, j) mod 96) * unit, -inf where dead > 0 and hash(seed + 1, j) mod dead == 0 and j != 0

ties: 0 the preset's, 1 index, 2 all; edge: 0 the preset's, 1 strict, 2 inclusive. The figures are over the support with the
target added; size and ids without it. Cases where a mass is within 1e-6 of P without being it are left out.
"""
import os
import sys
from mpmath import mp, mpf
from rows import hash16

mp.dps = 50


class Close(Exception):
    pass


def softmax(x, columns):
    m = max(x[j] for j in columns)
    e = {j: mp.exp(x[j] - m) for j in columns}
    s = mp.fsum(e.values())
    return {j: v / s for j, v in e.items()}


def below(share, p, edge):
    if share != p and abs(share - p) < mpf(10) ** -6:
        raise Close
    return share < p if edge == 1 else share <= p


def order(x, columns):
    return sorted(columns, key=lambda j: (-x[j], j))


def top_k(x, columns, k, ties):
    if k <= 0 or k >= len(columns):
        return columns
    ranked = order(x, columns)
    if ties == 1:
        return set(ranked[:k])
    kth = x[ranked[k - 1]]
    return {j for j in columns if x[j] >= kth}


def top_p(x, columns, p, ties, edge, probabilities=None):
    if p == 0 or p >= 1:
        return columns
    probabilities = probabilities or softmax(x, columns)
    kept, before = [], mpf(0)
    for j in order(x, columns):
        if kept and not below(before, mpf(p), edge):
            break
        kept.append(j)
        before += probabilities[j]
    if ties == 2:
        return {j for j in columns if x[j] >= x[kept[-1]]}
    return set(kept)


def min_p(x, columns, q):
    if q == 0:
        return columns
    probabilities = softmax(x, columns)
    largest = max(probabilities.values())
    return {j for j in columns if probabilities[j] >= q * largest * (1 - mpf(10) ** -40)}


def support(x, preset, k, p, q, ties, edge):
    """ties and edge as in the line; 0 is what the peer does"""
    live = {j for j, a in enumerate(x) if a is not None}
    k_ties, p_ties, p_edge = ties or (1 if preset == 3 else 2), ties or 1, edge or (2 if preset == 3 else 1)
    if preset == 1:
        return top_p(x, top_k(x, min_p(x, live, q), k, k_ties), p, p_ties, p_edge)
    if preset == 2:
        return min_p(x, top_p(x, top_k(x, live, k, k_ties), p, p_ties, p_edge), q)
    return top_k(x, live, k, k_ties) & top_p(x, live, p, p_ties, p_edge) & min_p(x, live, q)


def cases():
    seed = 1
    filters = [
        (0, 0, 0), (1, 0, 0), (5, 0, 0), (50, 0, 0), (0, 0.5, 0), (0, 0.9, 0), (0, 0.99, 0), (0, 0, 0.1), (0, 0, 1),
        (20, 0.8, 0), (20, 0.95, 0.05), (3, 0.25, 0.5), (7, 1, 0.01), (40, 0.6, 0.002), (-1, 0.75, 0.25), (100000, 0.125, 0),
    ]  # fmt: skip
    for v in (1, 2, 8, 33, 300, 2100):
        for unit, dead in ((0.125, 0), (0.125, 3), (0.5, 0), (0.0, 0), (0.03125, 0)):
            for preset in (1, 2, 3):
                for n, (k, p, q) in enumerate(filters):
                    if v == 2100 and n % 3 != seed % 3:
                        continue
                    choices = [(0, 0)] + ([(1, 2), (2, 1), (2, 2), (1, 1)][n % 4 : n % 4 + 1] if v < 1000 else [])
                    for ties, edge in choices:
                        yield seed, v, unit, dead, preset, k, p, q, ties, edge, (seed * 7919) % v
                        seed += 5


def text(a):
    return mp.nstr(a, 20, min_fixed=0, max_fixed=0)


if __name__ == "__main__":
    close, n = 0, 0
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "supports.txt"), "w") as f:
        for case in cases():
            seed, v, unit, dead, preset, k, p, q, ties, edge, y = case
            x = [mpf((hash16(seed, j) % 96) * unit) for j in range(v)]
            if dead:
                x = [None if j and hash16(seed + 1, j) % dead == 0 else a for j, a in enumerate(x)]
            try:
                kept = support(x, preset, k, p, q, ties, edge)
            except Close:
                close += 1
                continue
            live = [a for a in x if a is not None]
            m = max(live)
            used = kept | ({y} if x[y] is not None else set())
            lse = m + mp.log(mp.fsum(mp.exp(x[j] - m) for j in used))
            whole = m + mp.log(mp.fsum(mp.exp(a - m) for a in live))
            probabilities = [mp.exp(x[j] - lse) for j in used]
            logprob = "-inf" if x[y] is None else text(x[y] - lse)
            figures = f"{text(lse)} {text(lse - whole)} {logprob} {text(-mp.fsum(a * mp.log(a) for a in probabilities))}"
            ids = " ".join(map(str, sorted(kept)))
            f.write(f"{' '.join(map(str, case))} | {len(kept)} {figures} | {ids}\n")
            n += 1
    print(f"{n} supports, {close} left out", file=sys.stderr)
