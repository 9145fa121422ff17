"""Golden vectors of every entry of the catalogue: writes losses.txt next to itself.  Needs mpmath only.

Nothing of the library is imported: each formula is written here a second time, from the source named beside it, in its
textbook form at 50 digits. Inputs are rounded to f32 (what a kernel receives), parameters to f64; token entries receive
their log bounds rounded to f32. Partials are written out and checked against differences of the value at 50 digits.

A section:  @ id kind name part | inputs | outputs
A case:     params | inputs | value slack | value slack | ...
Names of entries as arguments: only these are checked, nothing is written.
`params` are what the caller passes (nan or a missing tail = default), behind `#n` where the entry has variants. `slack` of an output f is what the error bound
multiplies by u: sum |x df/dx| over the inputs plus the sum of the |terms| that f adds up.
"""
import math, os, random, struct, sys
from mpmath import mp, mpf

mp.dps = 50
INF = mpf("inf")
inf, nan = math.inf, math.nan


def f32(x):
    try:
        return struct.unpack("f", struct.pack("f", x))[0]
    except OverflowError:
        return math.copysign(inf, x)


def sigma(x):
    return mpf(0) if x == -INF else mpf(1) if x == INF else 1 / (1 + mp.exp(-x))


def softplus(x):
    return mpf(0) if x == -INF else INF if x == INF else mp.log1p(mp.exp(x))


def times(c, x):
    """a term whose coefficient is 0 is not there"""
    return mpf(0) if c == 0 else c * x


class Undefined(Exception):
    pass


def minus(a, b):
    if mp.isinf(a) and mp.isinf(b) and a == b:
        raise Undefined
    return a - b


# ---------------------------------------------------------------------------------------------------- entries
# An entry returns ([outputs], [terms of each output])

def dpo(p, lc, lr, rc, rr, mc, mr):
    """Rafailov et al. 2023, arXiv:2305.18290, equation 7; smoothing: Mitchell, cdpo.pdf, equation 3"""
    beta, eps = p
    u = minus(beta * minus(minus(lc, rc), minus(lr, rr)), minus(mc, mr))
    value = times(1 - eps, softplus(-u)) + times(eps, softplus(u))
    left, right = (1 - eps) * sigma(-u), eps * sigma(u)
    slope = right - left
    return [value, beta * slope, -beta * slope, -slope, slope], [[value], [beta * left, beta * right], [beta * left, beta * right], [left, right], [left, right]]


def ipo(p, lc, lr, rc, rr, tc, tr, mc, mr):
    """Azar et al. 2023, arXiv:2310.12036, equation 17, with per-token averages as in TRL"""
    (beta,) = p
    a = minus(lc, rc) / tc if tc > 0 else mpf(0)
    b = minus(lr, rr) / tr if tr > 0 else mpf(0)
    q = minus(a, b) - (minus(mc, mr) + mpf(1) / 2) / beta
    parts = abs(a) + abs(b) + abs(mc / beta) + abs(mr / beta) + 1 / (2 * beta)
    gc = 2 * q / tc if tc > 0 else mpf(0)
    gr = -2 * q / tr if tr > 0 else mpf(0)
    terms = [[2 * abs(q) * parts], [2 * parts / tc if tc > 0 else 0], [2 * parts / tr if tr > 0 else 0], [2 * parts / beta], [2 * parts / beta]]
    return [q * q, gc, gr, -2 * q / beta, 2 * q / beta], terms


def simpo(p, lc, lr):
    """Meng et al. 2024, arXiv:2405.14734, equation 6, on given means; smoothing as cDPO"""
    beta, gamma, eps = p
    u = beta * minus(lc, lr) - gamma
    value = times(1 - eps, softplus(-u)) + times(eps, softplus(u))
    left, right = (1 - eps) * sigma(-u), eps * sigma(u)
    g = beta * (right - left)
    return [value, g, -g], [[value], [beta * left, beta * right], [beta * left, beta * right]]


def tdpo1(p, lc, lr, rc, rr, kc, kr):
    """Zeng et al. 2024, arXiv:2404.11999, equation 13"""
    (beta,) = p
    u = minus(beta * minus(minus(lc, rc), minus(lr, rr)), beta * minus(kr, kc))
    s = beta * sigma(-u)
    return [softplus(-u), -s, s, -s, s], [[]] * 5


# ---- pairs: functions of the difference

def logistic(u, eps=mpf(0)):
    """value, slope and the size of what the slope adds up, of -(1 - eps) log sigma(u) - eps log sigma(-u)"""
    left, right = (1 - eps) * sigma(-u), eps * sigma(u)
    return times(1 - eps, softplus(-u)) + times(eps, softplus(u)), right - left, left + right


def of(value, slope, size, beta, parts=None):
    """outputs of F(u), u = beta (a - b) - margin"""
    g = times(slope, beta)
    return [value, g, -g, -slope, slope], [parts or [value], [beta * size], [beta * size], [size], [size]]


def ratio(lc, lr, rc, rr):
    return minus(minus(lc, rc), minus(lr, rr))


def dpo_ln(p, lc, lr, rc, rr, tc, tr, mc, mr):
    """Meng et al. 2024, arXiv:2405.14734, section 4.1 (the length-normalised DPO objective)"""
    beta, eps = p
    a = minus(lc, rc) / tc if tc > 0 else mpf(0)
    b = minus(lr, rr) / tr if tr > 0 else mpf(0)
    value, slope, size = logistic(minus(beta * minus(a, b), minus(mc, mr)), eps)
    c, r = (1 / tc if tc > 0 else 0), (1 / tr if tr > 0 else 0)
    return [value, beta * slope * c, -beta * slope * r, -slope, slope], [[value], [beta * size * c], [beta * size * r], [size], [size]]


def robust_dpo(p, lc, lr, rc, rr, mc, mr):
    """Chowdhury et al. 2024, arXiv:2403.00409, equation 12"""
    beta, eps = p
    u = minus(beta * ratio(lc, lr, rc, rr), minus(mc, mr))
    w = 1 - 2 * eps
    left, right = (1 - eps) * softplus(-u), times(eps, softplus(u))
    dl, dr = (1 - eps) * sigma(-u), eps * sigma(u)
    return of(minus(left, right) / w, -(dl + dr) / w, (dl + dr) / w, beta, [left / w, right / w])


def hinge(p, lc, lr, rc, rr, mc, mr):
    """Liu et al. 2023, arXiv:2309.06657, equation 10 (SLiC on normalised likelihoods)"""
    (beta,) = p
    u = minus(beta * ratio(lc, lr, rc, rr), minus(mc, mr))
    return of(max(mpf(0), 1 - u), mpf(-1) if u < 1 else mpf(0), 1, beta, [1, abs(u)] if u < 1 else [0])


def ipo_sum(p, lc, lr, rc, rr, mc, mr):
    """Azar et al. 2023, arXiv:2310.12036, equation 17"""
    (beta,) = p
    q = ratio(lc, lr, rc, rr) - (minus(mc, mr) + mpf(1) / 2) / beta
    parts = abs(minus(lc, rc)) + abs(minus(lr, rr)) + abs(mc / beta) + abs(mr / beta) + 1 / (2 * beta)
    return [q * q, 2 * q, -2 * q, -2 * q / beta, 2 * q / beta], [[2 * abs(q) * parts], [2 * parts], [2 * parts], [2 * parts / beta], [2 * parts / beta]]


def coins(x, y):
    """KL(Bernoulli(sigma(x)) || Bernoulli(sigma(y))) by its definition, on log-probabilities"""
    with mp.workdps(130):
        total = mpf(0)
        for s in (1, -1):
            p = sigma(s * x)
            if p == 0:
                continue
            if softplus(-s * y) == INF:
                return INF
            total += p * (softplus(-s * y) - softplus(-s * x))
        return total


def gap(x, y):
    with mp.workdps(130):
        return sigma(x) - sigma(y) if x + y < 0 else sigma(-y) - sigma(-x)


def bell(x):
    return sigma(x) * sigma(-x)


def exo_pair(p, lc, lr, rc, rr, mc, mr):
    """Ji et al. 2024, arXiv:2402.00856, equation 17: reverse KL to the smoothed label"""
    beta, eps = p
    u = minus(beta * ratio(lc, lr, rc, rr), minus(mc, mr))
    v = mp.log1p(-eps) - mp.log(eps)
    slope = times(bell(u), u - v)
    return of(coins(u, v), slope, bell(u) * (abs(v) + (abs(u) if mp.isfinite(u) else 0)), beta, [abs(v * gap(v, u))])


def discopop(p, lc, lr, rc, rr, mc, mr):
    """Lu et al. 2024, arXiv:2406.08414, equation 6: (1 - sigma(u / tau)) * logistic + sigma(u / tau) * exponential"""
    beta, tau = p
    u = minus(beta * ratio(lc, lr, rc, rr), minus(mc, mr))
    w = u / tau
    if u == INF:
        return of(mpf(0), mpf(0), 0, beta)
    if u == -INF:
        return of(INF, mpf(-1), 1, beta)
    e = mp.exp(-u) * sigma(w)
    s = sigma(-w) * softplus(-u)
    parts = [sigma(-w) * sigma(-u), e, sigma(-w) / tau * e, sigma(-w) / tau * sigma(w) * softplus(-u)]
    return of(s + e, -parts[0] - parts[1] + parts[2] - parts[3], sum(parts), beta)


def rpo(f):
    def run(p, lc, lr, rc, rr, mc, mr):
        beta, eta = p
        value, du, dv, terms = f(beta * ratio(lc, lr, rc, rr), eta * minus(mc, mr))
        return [value, beta * du, -beta * du, eta * dv, -eta * dv], [[], [beta * terms[0]], [beta * terms[0]], [eta * terms[1]], [eta * terms[1]]]
    return run


# Nvidia 2024 (Nemotron-4 340B), arXiv:2406.11704, section 3.3.2, with the distances of NeMo-Aligner
rpo_backward_kl = rpo(lambda u, v: (coins(v, u), gap(u, v), times(bell(v), v - u), [0, 0]))
rpo_forward_kl = rpo(lambda u, v: (coins(u, v), times(bell(u), u - v), gap(v, u), [0, 0]))
rpo_square = rpo(lambda u, v: (minus(u, v) ** 2, 2 * minus(u, v), -2 * minus(u, v), [0, 0]))


def r_dpo(p, lc, lr, rc, rr, tc, tr):
    """Park et al. 2024, arXiv:2403.19159, equation 9, from the reward beta log ratio + alpha T (alpha > 0 penalises length)"""
    beta, alpha, eps = p
    value, slope, size = logistic(beta * ratio(lc, lr, rc, rr) + alpha * (tc - tr), eps)
    return [value, beta * slope, -beta * slope], [[value], [beta * size], [beta * size]]


def dpo_shift(p, lc, lr, rc, rr):
    """Yang et al. 2025, arXiv:2502.07599, equation 4"""
    beta, lam = p
    u = beta * minus(minus(lc, rc), lam * minus(lr, rr))
    s = sigma(-u)
    return [softplus(-u), -beta * s, beta * lam * s], [[], [], []]


def dpop(p, lc, lr, rc, rr, mc, mr):
    """Pal et al. 2024, arXiv:2402.13228, equation 3"""
    beta, lam = p
    a = minus(lc, rc)
    u = minus(beta * (minus(a, minus(lr, rr)) - times(lam, max(mpf(0), -a))), minus(mc, mr))
    s = sigma(-u)
    return [softplus(-u), -beta * (1 + (lam if a < 0 else 0)) * s, beta * s, s, -s], [[]] * 5


def cal_dpo(p, lc, lr, rc, rr):
    """Xiao et al. 2024, arXiv:2412.14516, equation 9, with the target 1 / (2 beta) and the weight of the authors' code"""
    beta, w = p
    a, b, t = minus(lc, rc), minus(lr, rr), 1 / (2 * beta)
    s = sigma(-minus(a, b))
    value = softplus(-minus(a, b)) + times(w, (a - t) ** 2 + (b + t) ** 2)
    ga, gb = -s + times(w, 2 * (a - t)), s + times(w, 2 * (b + t))
    return [value, ga, gb], [[abs(value), 2 * w * t * (abs(a - t) + abs(b + t))], [s, 2 * w * (abs(a) + t)], [s, 2 * w * (abs(b) + t)]]


def idk_dpo(p, *x):
    """open-unlearning, trainer/unlearn/dpo.py: compute_dpo_loss, 2 / beta in front"""
    y, terms = dpo(p, *x)
    f = 2 / p[0]
    return [f * v for v in y], [[f * t for t in ts] for ts in terms]


# ---- several objectives, token-level, anchors

def modpo(p, lc, lr, rc, rr, mc, mr):
    """Zhou et al. 2023, arXiv:2310.03708, equation 9"""
    beta, w0 = p
    z = minus(beta * ratio(lc, lr, rc, rr), minus(mc, mr)) / w0
    s = sigma(-z) / w0
    return [softplus(-z), -beta * s, beta * s, s, -s], [[]] * 5


def modpo_hinge(p, lc, lr, rc, rr, mc, mr):
    """the same on max(0, 1 - z), the authors' code"""
    beta, w0 = p
    z = minus(beta * ratio(lc, lr, rc, rr), minus(mc, mr)) / w0
    s = 1 / w0 if z < 1 else mpf(0)
    return [max(mpf(0), 1 - z), -beta * s, beta * s, s, -s], [[1, abs(z)] if z < 1 else []] + [[]] * 4


def tdpo2(p, lc, lr, rc, rr, kc, kr):
    """Zeng et al. 2024, arXiv:2404.11999, equation 17; the chosen side's KL is not differentiated"""
    beta, alpha = p
    u = minus(beta * ratio(lc, lr, rc, rr), times(alpha * beta, minus(kr, kc)))
    s = beta * sigma(-u)
    return [softplus(-u), -s, s, mpf(0), alpha * s], [[]] * 5


def mdpo(p, lc, lr, rc, rr, le, re):
    """Wang et al. 2024, arXiv:2406.11839, equations 3 to 6"""
    beta, delta = p
    a, b, e = minus(lc, rc), minus(lr, rr), minus(le, re)
    x, y, w = (sigma(-beta * minus(a, b)), sigma(-beta * minus(a, e)), sigma(-(beta * a - delta)))
    value = softplus(-beta * minus(a, b)) + softplus(-beta * minus(a, e)) + softplus(delta - beta * a)
    return [value, -beta * (x + y + w), beta * x, beta * y], [[]] * 4


def povid(p, lc, lr, rc, rr, le, re):
    """Zhou et al. 2024, arXiv:2402.11411, equation 4 with equal weights"""
    (beta,) = p
    a, b, e = minus(lc, rc), minus(lr, rr), minus(le, re)
    x, y = beta * sigma(-beta * minus(a, b)) / 2, beta * sigma(-beta * minus(a, e)) / 2
    return [(softplus(-beta * minus(a, b)) + softplus(-beta * minus(a, e))) / 2, -x - y, x, y], [[]] * 4


def slic(p, lc, lr, le):
    """Zhao et al. 2023, arXiv:2305.10425, equation 1"""
    delta, lam = p
    g = minus(delta + lr, lc)
    on = mpf(1) if g > 0 else mpf(0)
    return [max(mpf(0), g) - times(lam, le), -on, on, -lam], [[delta * on], [], [], []]


# ---- each side on its own

def nca_pair(p, lc, lr, rc, rr):
    """Chen et al. 2024, arXiv:2402.05369, equation 8"""
    (beta,) = p
    a, b = beta * minus(lc, rc), beta * minus(lr, rr)
    value = softplus(-a) + softplus(a) / 2 + softplus(b) / 2
    return [value, beta * (sigma(a) / 2 - sigma(-a)), beta * sigma(b) / 2], [[], [beta * sigma(a) / 2, beta * sigma(-a)], []]


def bco_pair(p, lc, lr, rc, rr, shift):
    """Jung et al. 2024, arXiv:2404.04656, equation 11"""
    (beta,) = p
    a, b = minus(beta * minus(lc, rc), shift), minus(beta * minus(lr, rr), shift)
    return [softplus(-a) + softplus(b), -beta * sigma(-a), beta * sigma(b)], [[]] * 3


def sppo(p, lc, lr, rc, rr, mc, mr):
    """Wu et al. 2024, arXiv:2405.00675, equation 4.7; targets (P - 1/2) / beta"""
    beta, scale = p
    tc, tr = (mc - mpf(1) / 2) / beta, (mr - mpf(1) / 2) / beta
    a, b = minus(lc, rc), minus(lr, rr)
    parts = [abs(a) + abs(tc) + 1 / (2 * beta), abs(b) + abs(tr) + 1 / (2 * beta)]
    value = scale * ((a - tc) ** 2 + (b - tr) ** 2)
    return [value, 2 * scale * (a - tc), 2 * scale * (b - tr)], [[2 * scale * (abs(a - tc) * parts[0] + abs(b - tr) * parts[1])], [2 * scale * parts[0]], [2 * scale * parts[1]]]


def apo_zero(p, lc, lr, rc, rr):
    """D'Oosterlinck et al. 2024, arXiv:2408.06266, equation 4"""
    (beta,) = p
    a, b = beta * minus(lc, rc), beta * minus(lr, rr)
    return [sigma(-a) + sigma(b), -beta * bell(a), beta * bell(b)], [[]] * 3


def apo_down(p, lc, lr, rc, rr):
    """the same, equation 5"""
    (beta,) = p
    a, u = beta * minus(lc, rc), beta * ratio(lc, lr, rc, rr)
    return [sigma(a) + sigma(-u), beta * (bell(a) - bell(u)), beta * bell(u)], [[], [beta * bell(a), beta * bell(u)], []]


# ---- without a reference

def cpo(p, lc, lr, mc, mr):
    """Xu et al. 2024, arXiv:2401.08417, equation 6 without its NLL"""
    return dpo(p, lc, lr, mpf(0), mpf(0), mc, mr)


def arpo(p, lc, lr, tc, tr):
    """github.com/fe1ixxu/CPO_SIMPO, cpo_trainer.py, loss "arpo"; tau is differentiated"""
    (beta,) = p
    c, r = (lc / tc if tc > 0 else mpf(0)), (lr / tr if tr > 0 else mpf(0))
    g = minus(c, r)
    e = INF if mp.isinf(g) else mpf(9) / 10 * mp.exp(mpf(2) / 5 * abs(g))
    tau = min(mpf(1), e - 1)
    steep = mpf(2) / 5 * e * mp.sign(g) if tau < 1 else mpf(0)
    u = beta * minus(lc, tau * lr)
    s = beta * sigma(-u)
    m = [times(steep, lr) / t if t > 0 else mpf(0) for t in (tc, tr)]
    # tau comes from a subtraction of 1
    rounding = 0 if tau == 1 else 3 * (1 + abs(g)) * abs(lr)
    curve = beta * bell(u) * beta * rounding * (1 + abs(m[0]) + abs(m[1]) + abs(tau))
    return [softplus(-u), -s * (1 - m[0]), -s * (m[1] - tau)], [[s * rounding], [s, s * abs(m[0]) * (1 + abs(g)), curve], [s * abs(m[1]) * (1 + abs(g)), s * abs(tau), 2 * s, curve]]


def alphapo(p, lc, lr):
    """Gupta et al. 2025, arXiv:2501.03884, equation 6"""
    beta, alpha, gamma, eps = p
    if abs(alpha) < mpf(10) ** -6:
        d, gc, gr = minus(lc, lr), mpf(1), mpf(1)
    else:
        if mp.isinf(lc) and mp.isinf(lr):
            raise Undefined
        with mp.workdps(80):
            gc, gr = mp.exp(-alpha * lc), mp.exp(-alpha * lr)
            d = (gr - gc) / alpha
    value, slope, size = logistic(beta * d - gamma, eps)
    return [value, times(beta * slope, gc), -times(beta * slope, gr)], [[value], [times(beta * size, gc)], [times(beta * size, gr)]]


def low(x):
    """a mean log-prob that is not below 0 is -2^-24, and has the derivative there"""
    return x if x < 0 else -mpf(2) ** -24


def odds(x):
    return minus(x, mp.log(-mp.expm1(x))) if x > -INF else x


def slope_of_odds(x):
    return -1 / mp.expm1(x)


def orpo(p, lc, lr):
    """Hong et al. 2024, arXiv:2403.07691, equations 6 and 7"""
    lam, n = p
    c, r = low(lc), low(lr)
    o = minus(odds(c), odds(r))
    s = sigma(-o)
    value = times(lam, softplus(-o)) - times(n, c)
    gc, gr = lam * s * slope_of_odds(c), lam * s * slope_of_odds(r)
    return [value, -n - gc, gr], [[], [n, gc], []]


def asft(p, lc, lr):
    """Wang et al. 2024, arXiv:2409.10571, equation 10 on log odds: -l - lam (log sigma(o(l_c)) + log sigma(-o(l_r)))"""
    (lam,) = p
    c, r = low(lc), low(lr)
    value = -c + times(lam, softplus(-odds(c)) + softplus(odds(r)))
    return [value, -(1 + lam), times(lam, mp.exp(r) / -mp.expm1(r))], [[], [], []]


def asft_tempered(p, lc, lr):
    """the same comparison with beta on the log odds"""
    (beta,) = p
    c, r = low(lc), low(lr)
    return [softplus(-beta * odds(c)) + softplus(beta * odds(r)), -beta * sigma(-beta * odds(c)) * slope_of_odds(c), beta * sigma(beta * odds(r)) * slope_of_odds(r)], [[], [], []]


def simper(p, lc, lr):
    """Xiao et al. 2025, arXiv:2502.00883, equation 5"""
    c, r = mp.exp(lc), mp.exp(lr)
    return [r - c, -c, r], [[c, r], [], []]


def relu_po(p, lc, lr):
    """Wu et al. 2025, arXiv:2503.07426, equation 6"""
    g = minus(p[0] + lr, lc)
    on = mpf(1) if g > 0 else mpf(0)
    return [max(mpf(0), g), -on, on], [[abs(p[0]) * on], [], []]


# ---- reward models

def bt(p, c, r, mc, mr):
    """Touvron et al. 2023, arXiv:2307.09288, equation 2"""
    d = minus(minus(c, r), minus(mc, mr))
    s = sigma(-d)
    return [softplus(-d), -s, s, s, -s], [[]] * 5


def bt_center(p, c, r, mc, mr):
    """TRL, reward_trainer.py: center_rewards_coefficient"""
    y, terms = bt(p, c, r, mc, mr)
    s = c + r
    pull = times(p[0], 2 * s)
    parts = 2 * p[0] * (abs(c) + abs(r))
    return [y[0] + times(p[0], s * s), y[1] + pull, y[2] + pull] + y[3:], [[abs(s) * parts], [parts, y[1]], [parts, y[2]], [], []]


def bt_mse(p, c, r, hc, hr):
    """Yang et al. 2023, arXiv:2309.10305, section 4.1, both squares scaled"""
    (alpha,) = p
    s = sigma(-minus(c, r))
    value = softplus(-minus(c, r)) + times(alpha, (c - hc) ** 2 + (r - hr) ** 2)
    return [value, -s + times(alpha, 2 * (c - hc)), s + times(alpha, 2 * (r - hr))], [[], [s, 2 * alpha * (abs(c) + abs(hc))], [s, 2 * alpha * (abs(r) + abs(hr))]]


def bt_focal(p, c, r):
    """Cai et al. 2024, arXiv:2403.17297, section 4.2: (1 - 2 max(0, P - 1/2))^gamma log P"""
    (gamma,) = p
    d = minus(c, r)
    base = 1 - 2 * max(mpf(0), sigma(d) - mpf(1) / 2) if d < 30 else 2 * sigma(-d)
    f = mpf(1) if gamma == 0 or d <= 0 else base ** gamma if base > 0 else mpf(0)
    loss = softplus(-d)
    g = -f * sigma(-d) - (gamma * sigma(d) * times(f, loss) if d > 0 else 0)
    # the weight is an exponential of gamma times a number of the size of d
    wide = (1 + gamma) * (abs(d) if mp.isfinite(d) else 0)
    return [times(f, loss), g, -g], [[wide * times(f, loss)], [abs(g) * (1 + wide)], [abs(g) * (1 + wide)]]


def bt_ties(p, c, r, tied, _):
    """#1 Rao and Kupper 1967, equations 2.10 to 2.12: thetas e^r, threshold e^eta; #2 Davidson 1970, equations 2.3 and 2.4"""
    eta, nu, model = p
    d = minus(c, r)
    if model == 2:
        return davidson(d, tied, nu)
    if tied > 0:
        parts = [softplus(eta - d), softplus(eta + d), 2 * eta]
        value = parts[0] + parts[1] - mp.log(mp.expm1(2 * eta)) if eta > 0 else INF
        g = gap(d - eta, -d - eta)
        return [value, g, -g], [parts, [], []]
    s = sigma(eta - d)
    return [softplus(eta - d), -s, s], [[], [s * eta], [s * eta]]


def davidson(d, tied, nu):
    if mp.isinf(d):
        if tied > 0:
            return [INF, mpf(d > 0) - mpf(1) / 2, mpf(1) / 2 - mpf(d > 0)], [[]] * 3
        return ([mpf(0), mpf(0), mpf(0)] if d > 0 else [INF, mpf(-1), mpf(1)]), [[]] * 3
    with mp.workdps(130):
        top = max(abs(d) / 2, nu)
        plus, minus_, even = mp.exp(d / 2 - top), mp.exp(-d / 2 - top), mp.exp(nu - top)
        z = plus + minus_ + even
        total = top + mp.log(z)
        plus, minus_, even = plus / z, minus_ / z, even / z
        sizes = [abs(d) / 2, abs(nu)]
        if tied > 0:
            g = (plus - minus_) / 2
            return [total - nu, g, -g], [[plus * sum(sizes), minus_ * sum(sizes)], [abs(g) * sum(sizes)], [abs(g) * sum(sizes)]]
        g = -(minus_ + even / 2)
        return [total - d / 2, g, -g], [[abs(g) * 2 * sum(sizes)], [abs(g) * sum(sizes)], [abs(g) * sum(sizes)]]


def cost_model(p, h, l, s, t):
    """Dai et al. 2023, arXiv:2310.12773, equation 6"""
    x, y, z = sigma(-minus(h, l)), sigma(-s * h), sigma(-t * l)
    return [softplus(-minus(h, l)) + softplus(-s * h) + softplus(-t * l), -x - s * y, x - t * z], [[], [x, y], [x, z]]



def kto(p, l, r, label, z0):
    """Ethayarajh et al. 2024, arXiv:2402.01306, equation 8, lambda_y - v"""
    beta, wd, wu = p
    x = beta * minus(minus(l, r), z0)
    if label > 0:
        return [wd * sigma(-x), -wd * beta * sigma(x) * sigma(-x)], [[], []]
    return [wu * sigma(x), wu * beta * sigma(x) * sigma(-x)], [[], []]


def bounds(p, rounded):
    low, high, delta, dual = p
    return [rounded(v) for v in (mp.log(1 - low) if low < 1 else -INF, mp.log(1 + high), mp.log(delta), mp.log(dual))]


def surrogate(x, A, p, rounded):
    """Schulman et al. 2017, arXiv:1707.06347, equation 7, negated, with the ratio capped by delta (TRL) and, for A < 0,
    the loss capped by dual_clip |A| (Ye et al. 2020, arXiv:1912.09729, equation 5). Bounds act on the log ratio."""
    lo, hi, delta, dual = bounds(p, rounded)
    if A == 0:
        return mpf(0), mpf(0)
    capped = min(x, delta)
    clipped = min(max(x, lo), hi)
    # -min(r' A, clip(r) A) picks the larger ratio for A < 0, the smaller for A > 0
    chosen = min(capped, clipped) if A > 0 else max(capped, clipped)
    if A < 0:
        chosen = min(chosen, dual)
    value = -A * (mpf(0) if chosen == -INF else INF if chosen == INF else mp.exp(chosen))
    return value, (value if chosen == x else mpf(0))


def ppo_clip(p, l, o, A):
    """see surrogate"""
    value, grad = surrogate(minus(l, o), A, p, lambda v: mpf(f32(float(v))) if mp.isfinite(v) else v)
    return [value, grad], [[], []]


def gspo_map(p, l, o, A):
    """Zheng et al. 2025, arXiv:2507.18071, equation 7: the exponent of the sequence ratio is a mean of log ratios"""
    return [minus(l, o), mpf(1)], [[abs(l), abs(o)], []]


def gspo(p, c, A):
    """Zheng et al. 2025, arXiv:2507.18071, equation 5"""
    value, grad = surrogate(c, A, p, lambda v: mpf(float(v)) if mp.isfinite(v) else v)
    return [value, grad], [[], []]


def k1(p, l, r):
    """Schulman 2020, joschu.net/blog/kl-approx.html: k1 = -log r, log r = ref - logp"""
    return [minus(l, r), mpf(1)], [[abs(l), abs(r)], []]


def k2(p, l, r):
    """the same page: k2 = (log r)^2 / 2"""
    x = minus(l, r)
    return [x * x / 2, x], [[], []]


def k3(p, l, r):
    """the same page: k3 = r - 1 - log r"""
    z = minus(r, l)
    if z == INF:
        return [INF, -INF], [[], []]
    if z == -INF:
        return [INF, mpf(1)], [[], []]
    with mp.workdps(120):
        return [mp.exp(z) - 1 - z, 1 - mp.exp(z)], [[], []]


def plackett_luce(p, *x):
    """Rafailov et al. 2023, arXiv:2305.18290, equation 20 (Plackett 1975), best first"""
    beta, top_m = p
    K = len(x) // 2
    r = [beta * minus(l, q) for l, q in zip(x[:K], x[K:])]
    m = int(min(top_m, K - 1)) if K else 0
    value, grad, parts = mpf(0), [mpf(0)] * K, [mpf(0)] * K
    for k in range(m):
        top = max(r[k:])
        if mp.isinf(top):
            raise Undefined
        e = [mp.exp(v - top) for v in r[k:]]
        total = sum(e)
        value += top + mp.log(total) - r[k]
        for i in range(k, K):
            # share - 1 for the winner is minus the share of the others
            term = e[i - k] / total if i != k else -sum(e[1:]) / total
            grad[i] += beta * term
            parts[i] += beta * abs(term)
    return [value] + grad, [[]] + [[v] for v in parts]


def apo_zero_unpaired(p, l, r, label):
    """D'Oosterlinck et al. 2024, arXiv:2408.06266, equation 4, one row at a time: sigma(-x) up, sigma(x) down"""
    return kto(p, l, r, label, mpf(0))


def bco(p, l, r, label, weight, shift):
    """Jung et al. 2024, arXiv:2404.04656, equations 8 and 13: -log sigma(r - delta), -w log sigma(-(r - delta))"""
    (beta,) = p
    x = beta * minus(l, r) - shift
    if label > 0:
        return [softplus(-x), -beta * sigma(-x)], [[], []]
    return [times(weight, softplus(x)), times(weight, beta * sigma(x))], [[], []]


def poft(p, l, m):
    """Fan et al. 2024, arXiv:2412.12865, equation 6, on given means"""
    beta, gamma = p
    x = beta * minus(l, m) + gamma
    return [softplus(-x), -beta * sigma(-x)], [[], []]


def npo(p, l, r):
    """Zhang et al. 2024, arXiv:2404.05868, equation 3: 2 / beta log(1 + (pi / ref)^beta)"""
    (beta,) = p
    x = beta * minus(l, r)
    return [2 / beta * softplus(x), 2 * sigma(x)], [[], []]


def simnpo(p, l):
    """Fan et al. 2024, arXiv:2410.07163, equation 4: -2 / beta log sigma(-beta l / |y| - gamma), gamma = beta delta"""
    beta, delta = p
    x = beta * (l + delta)
    return [2 / beta * softplus(x), 2 * sigma(x)], [[], []]


def a_star_po(p, l, r, z):
    """Brantley et al. 2025, arXiv:2505.20686, equation 4: (beta2 log pi / ref - (r - V))^2"""
    (beta,) = p
    g = beta * minus(l, r) - z
    parts = abs(beta * l) + abs(beta * r) + abs(z)
    return [g * g, 2 * beta * g, -2 * g], [[2 * abs(g) * parts], [2 * beta * parts], [2 * parts]]


def prime_ce(p, l, r, y):
    """Cui et al. 2025, arXiv:2502.01456, equation 5: binary cross entropy of sigma(beta log pi / ref)"""
    (beta,) = p
    x = beta * minus(l, r)
    value = times(y, softplus(-x)) + times(1 - y, softplus(x))
    return [value, beta * (sigma(x) - y)], [[value], [beta * (1 - y) * sigma(x), beta * y * sigma(-x)]]


def nll(p, l):
    """the negative log-likelihood of the token"""
    return [-l, mpf(-1)], [[], []]


def p_of(l):
    return mpf(0) if l == -INF else mp.exp(l)


def held(weight):
    """weight(p, x) is constant: the value with the weight at x and the log-prob at y, for differences"""
    def f(p, *x):
        w = weight(p, *x)
        return [times(w, x[0]), w], [exponent(p, *x), exponent(p, *x)]
    # terms that the exponent of the weight adds up count with the output's derivative by them
    exponent = lambda p, *x: [times(weight(p, *x), max(1, abs(x[0])) if mp.isfinite(x[0]) else 1) * e for e in exponents(p, *x)]
    exponents = getattr(weight, "exponents", lambda p, *x: [])
    f.__name__, f.__doc__ = weight.__name__, weight.__doc__
    f.held = lambda p, x, y: times(weight(p, *x), y[0])
    return f


@held
def dft(p, l):
    """Wu et al. 2025, arXiv:2508.05629, equation 9: sg(p) times the negative log-likelihood"""
    return -p_of(l)


@held
def chord_phi(p, l):
    """Zhang et al. 2025, arXiv:2508.11408, equation 7: phi = p (1 - p), constant"""
    return -p_of(l) * (1 - p_of(l))


def entropy_power(scale, name, doc):
    def weight(p, l, h):
        (alpha,) = p
        return -(mpf(1) if alpha == 0 else mpf(0) if h <= 0 else (h / scale) ** alpha)
    weight.exponents = lambda p, l, h: [p[0] * mp.log(h / scale)] if h > 0 else []
    weight.__name__, weight.__doc__ = name, doc
    return held(weight)


eaft = entropy_power(3, "eaft", "Diao et al. 2026, arXiv:2601.02151, with the scale of LLaMA-Factory: (H_20 / 3)^alpha, constant")
eaft_raw = entropy_power(1, "eaft_raw", "the same as in axolotl: H_20^alpha, constant")


def token_constrained(p, l, r, beta):
    """Qi et al. 2024, arXiv:2406.05946, equation 3: -2 / beta log sigma(beta log pi / ref)"""
    x = beta * minus(l, r)
    return [2 / beta * softplus(-x), -2 * sigma(-x)], [[], []]


def gradient_ascent(p, l):
    """Jang et al. 2022, arXiv:2210.01504, equation 1: the log-likelihood itself"""
    return [l, mpf(1)], [[], []]


@held
def wga(p, l):
    """Wang et al. 2025, arXiv:2502.19301, equation 9: p^beta log p, the power constant"""
    return p_of(l) ** p[0]


def satimp_weight(p, l):
    """Yang et al. 2025, arXiv:2505.11953, section 5: p^beta1 (1 - p)^beta2 log p, the weight constant"""
    q = p_of(l)
    return (q ** p[0] if p[0] else mpf(1)) * ((1 - q) ** p[1] if p[1] else mpf(1))


satimp_weight.__name__ = "satimp"
satimp_weight.exponents = lambda p, l: [times(p[0], l), times(p[1], mp.log(1 - p_of(l)))] if mp.isfinite(l) and l < 0 else []
satimp = held(satimp_weight)


def columns(x, n):
    K = len(x) // n
    return K, [x[k * K:(k + 1) * K] for k in range(n)]


def shares(x):
    """softmax and its logarithm"""
    top = max(x)
    if mp.isinf(top) or any(mp.isnan(v) for v in x):
        raise Undefined
    log_total = top + mp.log(sum(mp.exp(v - top) for v in x))
    logs = [v - log_total for v in x]
    return [mpf(0) if v == -INF else mp.exp(v) for v in logs], logs


def preference_ranking(p, *x):
    """Song et al. 2023, arXiv:2306.17492, equation 7, with T_k^i = r_k - r_i as in the authors' code, and their SFT term"""
    weight, eps = p
    K, (l, t, r) = columns(x, 3)
    s = [a / b if b > 0 else mpf(0) for a, b in zip(l, t)]
    value, grad, parts = mpf(0), [mpf(0)] * K, [mpf(0)] * K
    for k in range(K - 1):
        T = {i: r[k] - r[i] for i in range(k + 1, K)}
        Tk = max(T.values())
        own = mp.exp(s[k] * Tk)
        e = {i: mp.exp(s[i] * T[i]) for i in T}
        total = own + sum(e.values()) + eps
        value += -mp.log(own / total)
        for i in T:
            grad[i] += T[i] * e[i] / total
            parts[i] += T[i] * e[i] / total * (1 + abs(s[i] * T[i]))
        grad[k] -= Tk * (1 - own / total)
        parts[k] += Tk * (1 - own / total) * (1 + abs(s[k] * Tk))
    grad = [g / b if b > 0 else mpf(0) for g, b in zip(grad, t)]
    parts = [[g / b] if b > 0 else [] for g, b in zip(parts, t)]
    if K > 1:
        value -= weight * (K - 1) ** 2 * l[0]
        grad[0] -= weight * (K - 1) ** 2
        parts[0].append(weight * (K - 1) ** 2)
    return [value] + grad, [[weight * (K - 1) ** 2 * l[0]]] + parts


def rrhf(p, *x):
    """Yuan et al. 2023, arXiv:2304.05302, equations 2 to 4, with weights of the parts"""
    power, rank, sft, sft_mean = p
    K, (l, t, r) = columns(x, 3)
    s = [a / b ** power if b > 0 else mpf(0) for a, b in zip(l, t)]
    value, grad, terms = mpf(0), [mpf(0)] * K, [[] for _ in range(K + 1)]
    for i in range(K):
        for j in range(K):
            if r[i] < r[j] and s[i] > s[j]:
                value += rank * (s[i] - s[j])
                terms[0] += [rank * s[i], rank * s[j]]
                for k, sign in ((i, 1), (j, -1)):
                    if t[k] > 0:
                        grad[k] += sign * rank / t[k] ** power
                        terms[1 + k].append(rank / t[k] ** power)
    best = list(r).index(max(r))
    w = sft + (sft_mean / t[best] if t[best] > 0 else 0)
    value -= times(w, l[best])
    grad[best] -= w
    terms[0].append(times(w, l[best]))
    terms[1 + best].append(w)
    return [value] + grad, terms


def infonca(p, *x):
    """Chen et al. 2024, arXiv:2402.05369, equation 6: -sum softmax(r / alpha) log softmax(beta log pi / ref)"""
    beta, alpha = p
    K, (l, q, r) = columns(x, 3)
    (pol, logs), (tgt, _) = shares([beta * minus(a, b) for a, b in zip(l, q)]), shares([v / alpha for v in r])
    value = -sum(times(w, v) for w, v in zip(tgt, logs))
    grad = [beta * (a - b) for a, b in zip(pol, tgt)]
    return [value] + grad, [[value]] + [[beta * a, beta * b] for a, b in zip(pol, tgt)]


def nca(p, *x):
    """Chen et al. 2024, arXiv:2402.05369, equation 10"""
    beta, alpha = p
    K, (l, q, r) = columns(x, 3)
    tgt, _ = shares([v / alpha for v in r])
    h = [beta * minus(a, b) for a, b in zip(l, q)]
    value = sum(times(w, softplus(-v)) + softplus(v) / K for w, v in zip(tgt, h))
    left, right = [beta * w * sigma(-v) for w, v in zip(tgt, h)], [beta * sigma(v) / K for v in h]
    return [value] + [b - a for a, b in zip(left, right)], [[value]] + [[a, b] for a, b in zip(left, right)]


def exo(p, *x):
    """Ji et al. 2024, arXiv:2402.00856, equation 13: KL(softmax(beta_pi log pi / ref) || softmax(r / beta_r))"""
    beta, temperature = p
    K, (l, q, r) = columns(x, 3)
    (a, log_a), (b, log_b) = shares([beta * minus(u, v) for u, v in zip(l, q)]), shares([v / temperature for v in r])
    gaps = [mpf(0) if u == 0 else v - w for u, v, w in zip(a, log_a, log_b)]
    value = sum(times(u, g) for u, g in zip(a, gaps))
    if mp.isinf(value):
        raise Undefined
    size = [abs(u) + abs(v) if w else mpf(0) for u, v, w in zip(log_a, log_b, a)]
    # log q rounds in its own size, so every q is off by that times q
    targets = sum(times(v, 1 + abs(w)) for v, w in zip(b, log_b))
    terms = [[beta * u * s, beta * u * value, beta * u * (targets + sum(c * d for c, d in zip(a, size)))] for u, s in zip(a, size)]
    # a difference of logarithms is off by their size, in p log(p/q) - p + q by that times its slope p (d)
    return [value] + [times(u, beta * (g - value)) for u, g in zip(a, gaps)], [[u * g * s for u, g, s in zip(a, gaps, size)]] + terms


def aft(p, *x):
    """Wang et al. 2023, arXiv:2309.02144, equation 6: log(1 + sum over better, worse of e^(s_worse - s_better))"""
    K, (s, r) = columns(x, 2)
    pairs = [(i, j, minus(s[j], s[i])) for i in range(K) for j in range(K) if r[i] > r[j]]
    if any(v == INF for _, _, v in pairs):
        raise Undefined
    total = 1 + sum(mp.exp(v) for _, _, v in pairs)
    grad, parts = [mpf(0)] * K, [mpf(0)] * K
    for i, j, v in pairs:
        w = mp.exp(v) / total
        grad[j] += w
        grad[i] -= w
        for k in (i, j):
            parts[k] += times(w, 1 + abs(s[i]) + abs(s[j]))
    return [mp.log(total)] + grad, [[]] + [[v] for v in parts]


# ---- tokens of a rollout

def single(v):
    """a parameter as a kernel that runs in f32 receives it"""
    return mpf(f32(float(v))) if mp.isfinite(v) else v


def double(v):
    return mpf(float(v)) if mp.isfinite(v) else v


def e_to(x):
    return mpf(0) if x == -INF else INF if x == INF else mp.exp(x)


def shared_weight(w, l):
    """a weight that is no double decides what an infinite log-prob gives"""
    if mp.isinf(l) and 0 < abs(w) < mpf(10) ** -300:
        raise Undefined
    return times(w, l), w


def frozen(f):
    """f(p, x, y): value at y with the constants of x, gradient, terms. An entry whose gradient leaves parts constant."""
    def entry(p, *x):
        value, grad, terms = f(p, list(x), list(x))
        return [value, grad], terms
    entry.held = lambda p, x, y: f(p, list(x), list(y))[0]
    entry.__name__, entry.__doc__ = f.__name__, f.__doc__
    return entry


def cispo_clip(p, x, rounded):
    """the ratio between the bounds that the variant makes"""
    low, high, variant = p
    log = lambda v: -INF if v <= 0 else mp.log(v) if mp.isfinite(v) else INF
    lo, hi = [(-INF, log(high)), (-INF, log(1 + high)), (log(1 - low), log(1 + high)), (log(low), log(high))][variant - 1]
    return e_to(min(max(x, rounded(lo)), rounded(hi)))


@frozen
def cispo(p, x, y):
    """MiniMax 2025, arXiv:2506.13585, equation 4, negated; bounds of TRL, open-instruct, verl and ROLL (tis)"""
    l, o, A = x
    w = mpf(0) if A == 0 else -A * cispo_clip(p, minus(l, o), single)
    return times(w, y[0]), w, [[], []]


def gate(p, x, A, rounded):
    """Gao et al. 2025, arXiv:2511.20347, equation 5 (TRL's loss type sapo), and its derivative by x"""
    tau = rounded(p[0] if A > 0 else p[1])
    if A == 0:
        return [mpf(0), mpf(0)], [[], []]
    if x == INF:
        return [-4 * A / tau, mpf(0)], [[], []]
    v = tau * (e_to(x) - 1)
    value = -4 * A / tau * sigma(v)
    grad = mpf(0) if x == -INF else -4 * A * sigma(v) * sigma(-v) * mp.exp(x)
    # one exponential of a sum: the parts of the exponent count with the result; in the value v counts with its slope
    parts = [] if x == -INF else [grad * x, grad * v, grad * softplus(v), grad * softplus(-v)]
    return [value, grad], [[4 * A / tau * v * sigma(v) * sigma(-v)] if mp.isfinite(v) else [], parts]


def sapo(p, l, o, A):
    """see gate"""
    return gate(p, minus(l, o), A, single)


@frozen
def reinforce(p, x, y):
    """Williams 1992: the log-prob times a constant"""
    return times(-x[1], y[0]), -x[1], [[], []]


@frozen
def topr(p, x, y):
    """Le Roux et al. 2025, arXiv:2503.14286, equation 9 with ratios cut to [0, 1] where nothing was rewarded (ROLL)"""
    l, o, A, flag = x
    a = single(p[0]) if flag else times(single(p[1]), e_to(min(minus(l, o), mpf(0))))
    w = mpf(0) if A == 0 else -a * A
    return times(w, y[0]), w, [[], []]


def clear_of(x, *bounds):
    """an f32 kernel cannot tell which side of a bound a difference of exponentials lies on where they meet"""
    for b in bounds:
        if x != b and mp.isfinite(x) and abs(x - b) < mpf(10) ** -4 * max(abs(x), abs(b)) + mpf(10) ** -7:
            raise Undefined


def moved(l, o):
    return e_to(l) - e_to(o)


@frozen
def dppo_tv(p, x, y):
    """Qi et al. 2026, arXiv:2602.04879, with the total variation: verl's dppo_tv"""
    l, o, A = x
    d = moved(l, o)
    low, high = single(p[0]), single(p[1])
    clear_of(d, high if A > 0 else -low)
    keep = d <= high if A > 0 else d >= -low
    w = -A * e_to(min(minus(l, o), single(mp.log(p[2]) if mp.isfinite(p[2]) else INF))) if keep and A != 0 else mpf(0)
    return times(w, y[0]), w, [[], []]


@frozen
def dppo_kl(p, x, y):
    """the same with the KL of the coins, p log(p/q) + (1-p) log((1-p)/(1-q)), p = e^old, q = e^logp: verl's dppo_kl"""
    l, o, A = x
    with mp.workdps(400):
        part = lambda u, v: mpf(0) if u == 0 else INF if v == 0 else u * mp.log(u / v)
        a2, q2 = e_to(min(o, mpf(0))), e_to(min(l, mpf(0)))
        d = part(a2, q2) + part(1 - a2, 1 - q2)
    low, high = single(p[0]), single(p[1])
    v = minus(l, o)
    bound = high if A > 0 else low
    clear_of(d, bound)
    if d != 0 and bound == 0 and d < mpf(10) ** -40:
        raise Undefined  # no f32
    keep = d <= bound or (v <= 0 if A > 0 else v >= 0)
    w = -A * e_to(min(v, single(mp.log(p[2]) if mp.isfinite(p[2]) else INF))) if keep and A != 0 else mpf(0)
    return times(w, y[0]), w, [[], []]


def ratio_square(x, A, keep, adv_tau, kl_tau):
    """prime-rl: -adv_tau A e^x keep + kl_tau x^2 and its derivative"""
    pull = times(adv_tau, -A * e_to(x)) if keep and A != 0 else mpf(0)
    square, slope = times(kl_tau, x * x), times(2 * kl_tau, x)
    if mp.isinf(pull) and mp.isinf(square) and pull < 0:
        raise Undefined
    return [pull + square, pull + slope], [[pull, square], [pull, slope]]


def dppo_tv_ratio(p, l, o, A):
    """prime-rl, loss type default"""
    adv_tau, kl_tau, low, high = (single(v) for v in p)
    d = moved(l, o)
    clear_of(d, high if A > 0 else -low)
    return ratio_square(minus(l, o), A, d <= high if A > 0 else d >= -low, adv_tau, kl_tau)


def prime_ipo(p, l, o, A):
    """prime-rl, loss type ipo"""
    adv_tau, kl_tau, threshold = (single(v) for v in p)
    d = abs(moved(l, o))
    clear_of(d, threshold)
    return ratio_square(minus(l, o), A, d <= threshold, adv_tau, kl_tau)


@frozen
def prime_ref_kl(p, x, y):
    """prime-rl, loss type ref_kl: the advantage is ref - logp, constant"""
    adv_tau, kl_tau, low = (single(v) for v in p)
    l, o, r = x
    A, d, v = minus(r, l), moved(l, o), minus(y[0], y[1])
    clear_of(d, -low)
    if A == INF and v == -INF:
        A = mpf(0)  # the ratio outweighs it
    out, terms = ratio_square(v, A, d >= -low, adv_tau, kl_tau)
    size = abs(adv_tau * e_to(v)) if mp.isfinite(v) else 0
    return out[0], out[1], [ts + [times(size, l) if mp.isfinite(l) else 0, times(size, r) if mp.isfinite(r) else 0] for ts in terms]


def dro(p, l, o, A):
    """Richemond et al. 2024, arXiv:2405.19107; verl's dro, ROLL's kimi15"""
    tau, x = single(p[0]), minus(l, o)
    if mp.isinf(x):
        return [INF, tau * x], [[], []]
    return [-A * l + tau / 2 * x * x, -A + tau * x], [[A * l, tau / 2 * x * x], [A, tau * x]]


def kl_cov(p, l, o, A, flag):
    """Cui et al. 2025, arXiv:2505.22617, section 4.2: the ratio, and a distance on the tokens that were selected"""
    coef, x = single(p[0]) if flag else mpf(0), minus(l, o)
    pull = mpf(0) if A == 0 else -A * e_to(x)
    if mp.isinf(pull):
        return [pull, pull], [[], []]
    slope = times(coef, mp.sign(x))
    return [pull + times(coef, abs(x)), pull + slope], [[pull, times(coef, x) if mp.isfinite(x) else 0], [pull, slope]]


def noon_ppo(p, l, o, A):
    """He and Maghsudi 2025, arXiv:2508.07768: ppo_clip with max(A, 0); a negative advantage is none"""
    clear_of(minus(l, o), single(mp.log(1 + p[0])))
    value, grad = surrogate(minus(l, o), max(A, mpf(0)), [mpf(1), p[0], INF, INF], single)
    return [value, grad], [[], []]


@frozen
def sdar(p, x, y):
    """ms-swift: sigma(beta (T - logp)) constant times T - logp"""
    l, T = x
    v = single(p[0]) * minus(T, l)
    g = sigma(v)
    slope = times(g, v * sigma(-v)) if mp.isfinite(v) else mpf(0)
    return times(g, minus(y[1], y[0])), -g, [[times(slope, minus(T, l)) if mp.isfinite(v) else 0], [slope]]


@frozen
def nash_md(p, x, y):
    """Munos et al. 2023, arXiv:2312.00886, as in TRL: beta sg(logp - ref) logp - (P - 1/2) logp"""
    l, r, A = x
    b = single(p[0])
    pull = times(b, minus(l, r))
    w = minus(pull, A)
    size = [times(b, v) for v in (l, r) if mp.isfinite(v)] + [A]
    return times(w, y[0]), w, [[times(v, y[0]) if mp.isfinite(y[0]) else 0 for v in size], size]


def positive_nll(p, l, flag):
    """the negative log-likelihood of what was rewarded"""
    return [-l if flag else mpf(0), mpf(-1 if flag else 0)], [[], []]


def value_error(clip, V, old, R):
    """e, the clipped e, and which of them decides; on a tie the first"""
    e, c = minus(V, R), old + min(max(minus(V, old), -clip), clip) - R
    if abs(V - old) <= clip:
        return e, True, e
    if abs(e) != abs(c) and abs(abs(e) - abs(c)) < mpf(10) ** -5 * (abs(V) + abs(old) + abs(R) + clip):
        raise Undefined  # f32 cannot tell
    return (e, True, c) if abs(e) >= abs(c) else (c, False, c)


def value_mse(p, V, old, R):
    """Schulman's clipped value loss (OpenAI baselines), half the square inside"""
    clip = single(p[0])
    e, own, c = value_error(clip, V, old, R)
    size = times(clip, e) if mp.isfinite(clip) and not own else 0
    return [e * e / 2, e if own else mpf(0)], [[e * V, e * R, e * old if not own else 0, size], [V, R] if own else []]


def value_huber(p, V, old, R):
    """the same with Huber's function"""
    clip, delta = single(p[0]), single(p[1])
    e, own, c = value_error(clip, V, old, R)
    linear = abs(e) >= delta
    value = delta * (abs(e) - delta / 2) if linear else e * e / 2
    slope = min(max(e, -delta), delta)
    parts = [times(slope, v) for v in (V, R, old, clip) if mp.isfinite(v)] + ([delta * e, delta * delta / 2] if linear else [])
    return [value, slope if own else mpf(0)], [parts, [V, R] if own and not linear else []]


# ---- sequences

def ratio_map(p, l, o, *rest):
    """the exponent is made of log ratios"""
    return [minus(l, o), mpf(1)], [[l, o], []]


def constant_map(p, l, o, *rest):
    """the same, constant"""
    return [minus(l, o), mpf(0)], [[l, o], []]


@frozen
def gspo_token(p, x, y):
    """Zheng et al. 2025, arXiv:2507.18071, equations 13 and 14: sg(s) pi / sg(pi)"""
    c, l, A = x
    own = mpf(0) if mp.isinf(l) else y[1] - l
    value, grad = surrogate(c + own, A, p, double)
    return value, grad, [[], []]


def luspo(p, c, n, A):
    """TRL's loss type luspo: gspo times the length"""
    value, grad = surrogate(c, A, p, double)
    return [times(n, value), times(n, grad)], [[], []]


def sapo_sequence(p, c, A):
    """see gate"""
    return gate(p, c, A, double)


def gmpo_map(p, l, o, A):
    """Zhao et al. 2025, arXiv:2507.20673, equation 5: each log ratio clipped on one side, with distances in log space"""
    low, high = p
    x = minus(l, o)
    if A > 0:
        return [min(x, high), mpf(1 if x <= high else 0)], [[l, o] if x <= high else [], []]
    return [max(x, -low), mpf(1 if x >= -low else 0)], [[l, o] if x >= -low else [], []]


def gmpo(p, c, A):
    """the same equation: the advantage times the geometric mean"""
    v = mpf(0) if A == 0 else -A * e_to(c)
    return [v, v], [[], []]


LOW8 = mpf(f"{-18.420680743952367!r}")


def vespo_map(p, l, o, A, w):
    """TRL's loss type vespo: log ratios in [-20, 20], logs of the weights in [log 1e-8, 20]"""
    x, y = minus(l, o), mp.log(w) if w > 0 else -INF
    return [min(max(x, mpf(-20)), mpf(20)) + min(max(y, LOW8), mpf(20)), mpf(0)], [[l, o, 20] if mp.isfinite(x) else [20], []]


@frozen
def vespo(p, x, y):
    """the same: w^k e^(lambda (1 - w)) with w = e^C, constant, times the log-prob"""
    c, l, A = x
    k, lam = p[:2] if A >= 0 else p[2:]
    c = min(max(c, LOW8), mpf(20))
    w = mpf(0) if A == 0 else -A * mp.exp(k * c + lam * (1 - mp.exp(c)))
    parts = [times(w, v) for v in (k * c, lam * mp.exp(c), lam)]
    return *shared_weight(w, y[1]), [[times(v, y[1]) for v in parts] if mp.isfinite(y[1]) else [], parts]


def flowrl_map(p, l, o, r, A):
    """Zhu et al. 2025, arXiv:2509.15207: log-probs of policy and reference per token"""
    return [minus(l, r), mpf(1)], [[l, r], []]


def flowrl_parts(p, x, y):
    """the paper's equation 9 with the weight of verl-recipe: a one-sided clip of the ratio, constant"""
    scale, cap = p
    c, ratio, A, log_z = x
    w = e_to(min(ratio, mp.log(cap)))
    d = y[0] + y[3] - scale * A
    sizes = [v for v in (c, log_z, scale * A)]
    return w, d, sizes


def flowrl(p, *x):
    """see flowrl_parts"""
    w, d, sizes = flowrl_parts(p, x, x)
    g = times(w, 2 * d)
    rough = [times(w, 2 * v) for v in sizes if mp.isfinite(v)]
    return [times(w, d * d), g, g], [[times(v, d) for v in rough] if mp.isfinite(d) else [], rough, rough]


def flowrl_held(p, x, y):
    w, d, _ = flowrl_parts(p, x, y)
    return times(w, d * d)


flowrl.held = flowrl_held


def sppo_reward(p, c, A):
    """Wu et al. 2024, arXiv:2405.00675, equation 4.5 as verl-recipe writes it on a reward"""
    d = c - times(p[0], A)
    return [d * d, 2 * d], [[d * c, times(p[0], A) * d] if mp.isfinite(d) else [], [2 * c, times(p[0], 2 * A)]]


@frozen
def topr_sequence(p, x, y):
    """Le Roux et al. 2025, arXiv:2503.14286, equation 9: the ratio of the whole answer"""
    c, l, A, flag = x
    a = p[0] if flag else times(p[1], e_to(min(c, mpf(0))))
    w = mpf(0) if A == 0 else -a * A
    return *shared_weight(w, y[1]), [[], []]


@frozen
def cispo_sequence(p, x, y):
    """see cispo_clip, with the ratio of the sequence"""
    c, l, A = x
    w = mpf(0) if A == 0 else -A * cispo_clip(p, c, double)
    return *shared_weight(w, y[1]), [[], []]


# ---- lists of rollouts

def real(p, *x):
    """ms-swift, loss type real: two log-sum-exps with an extra 0"""
    (tau,) = p
    K, (l, o, t) = columns(x, 3)
    s = [minus(a, b) / tau for a, b in zip(l, o)]
    grad, parts = [mpf(0)] * K, [[] for _ in range(K)]
    up = [i for i in range(K) if t[i] > 0]
    down = [i for i in range(K) if t[i] <= 0]
    if not up or not down:
        return [mpf(0)] + grad, [[]] + parts
    value, terms = mpf(0), []
    for group, sign in ((down, 1), (up, -1)):
        if any(sign * s[i] == INF for i in group):
            raise Undefined
        total = 1 + sum(e_to(sign * s[i]) for i in group)
        value += mp.log(total)
        for i in group:
            grad[i] = sign * e_to(sign * s[i]) / total / tau
            size = [v / tau for v in (l[i], o[i]) if mp.isfinite(v)]
            terms += [times(grad[i] * tau, v) for v in size]
            top = max([mpf(0)] + [sign * s[j] for j in group])
            parts[i] = [times(grad[i], v) for v in size + [top]]
            for j in group:
                if mp.isfinite(s[j]):
                    parts[i] += [times(grad[i] * e_to(sign * s[j]) / total, v / tau) for v in (l[j], o[j])]
    return [value] + grad, [terms] + parts


def gvpo_at(p, x, y):
    (beta,) = p
    K, (l, o, t) = columns(x, 3)
    u = [beta * minus(a, b) for a, b in zip(l, o)]
    mean = sum(u) / K
    d = [beta * minus(a, b) - mean - v for a, b, v in zip(y[:K], y[K:2 * K], t)]
    return K, l, o, t, u, mean, d, beta


def gvpo(p, *x):
    """Zhang et al. 2025, arXiv:2504.19599, equation 11, the mean constant (it does not matter for centred rewards)"""
    K, l, o, t, u, mean, d, beta = gvpo_at(p, x, x)
    if K == 1:
        return [mpf(0), mpf(0)], [[], []]
    everything = sum(beta * (abs(a) + abs(b)) for a, b in zip(l, o)) / K
    rough = [beta * (abs(a) + abs(b)) + everything + abs(v) + abs(mean) for a, b, v in zip(l, o, t)]
    grad = [beta * v / (K - 1) for v in d]
    return [sum(v * v for v in d) / 2 / (K - 1)] + grad, [[v * w / (K - 1) for v, w in zip(d, rough)]] + [[beta * w / (K - 1)] for w in rough]


def gvpo_held(p, x, y):
    K, *_, d, beta = gvpo_at(p, x, y)
    return sum(v * v for v in d) / 2 / (K - 1) if K > 1 else mpf(0)


gvpo.held = gvpo_held


# ---- estimators

def abs_of(p, l, r):
    """the size of the log ratio; at equality it has no slope"""
    x = minus(l, r)
    return [abs(x), mp.sign(x)], [[l, r] if mp.isfinite(x) else [], []]


# ---------------------------------------------------------------------------------------------------- cases
D = [0.0, 1e-6, -1e-6, 0.01, -0.01, 0.5, -0.5, 1.0, 3.7, -3.7, 17.3, -17.3, 88.1, -88.1, 104.3, -104.3, 709.0, -709.0, 1500.0, -1500.0, 1e4, -1e4]
rng = random.Random(20240611)


def around(total):
    """a pair of scores with this difference, as differences of two f32 sums"""
    r = -rng.uniform(1, 500)
    return f32(r + total), f32(r)


def pair_cases(params, extra, infinities):
    for p in params:
        beta = p[0] if p and p[0] == p[0] else 0.1
        for d in D:
            for spread in (0.0, 1.0, 250.0):
                b = rng.uniform(-spread, spread)
                lc, rc = around(d / beta + b)
                lr, rr = around(b)
                yield p, (lc, lr, rc, rr) + extra()
        for _ in range(20):
            lc, rc, lr, rr = (f32(-rng.uniform(0, 1e4)) for _ in range(4))
            yield p, (lc, lr, rc, rr) + extra()
        yield p, (-3.5, -3.5, -3.5, -3.5) + extra()
        for x in infinities:
            yield p, x


def dpo_cases():
    margin = lambda: (f32(rng.uniform(-5, 5)), f32(rng.uniform(-5, 5))) if rng.random() < 0.5 else (0.0, 0.0)
    ends = [(-inf, -2.0, -1.0, -3.0, 0.0, 0.0), (-2.0, -inf, -1.0, -3.0, 0.0, 0.0), (-2.0, -2.0, -1.0, -3.0, inf, 0.0), (-2.0, -2.0, -1.0, -3.0, -inf, 0.0), (-2.0, -2.0, -1.0, -3.0, 0.0, inf), (-2.0, -2.0, -inf, -3.0, 0.0, 0.0)]
    return pair_cases([(), (0.5, 0.1), (2.5, 0.49), (nan, 0.2), (1.0, 0.0)], margin, ends)


def ipo_cases():
    def extra():
        m = (f32(rng.uniform(-5, 5)), f32(rng.uniform(-5, 5))) if rng.random() < 0.5 else (0.0, 0.0)
        return (float(rng.choice([0, 1, 7, 512])), float(rng.choice([1, 3, 1000]))) + m
    return pair_cases([(), (0.01,), (2.0,)], extra, [(-inf, -2.0, -1.0, -3.0, 4.0, 5.0, 0.0, 0.0), (-2.0, -2.0, -1.0, -3.0, 4.0, 5.0, inf, 0.0)])


def simpo_cases():
    for p in [(), (10.0, 5.0), (1.0, 0.0, 0.25), (nan, nan, 0.1)]:
        beta = p[0] if p and p[0] == p[0] else 2.0
        for d in D:
            for at in (-0.01, -2.3):
                yield p, (f32(at + d / beta), f32(at))
        for x in [(-inf, -1.0), (-1.0, -inf), (-1e4, -0.5), (-0.5, -1e4), (0.0, 0.0)]:
            yield p, x


def tdpo1_cases():
    kl = lambda: (f32(rng.uniform(0, 300)), f32(rng.uniform(0, 300))) if rng.random() < 0.7 else (0.0, 0.0)
    ends = [(-5.0, -6.0, -5.5, -6.5, inf, 1.0), (-5.0, -6.0, -5.5, -6.5, 1.0, inf), (-inf, -6.0, -5.5, -6.5, 1.0, 2.0)]
    return pair_cases([(), (0.5,), (2.0,)], kl, ends)


def margins(share=0.5, size=5.0):
    return lambda: (f32(rng.uniform(-size, size)), f32(rng.uniform(-size, size))) if rng.random() < share else (0.0, 0.0)


ENDS4 = [(-inf, -2.0, -1.0, -3.0), (-2.0, -inf, -1.0, -3.0), (-2.0, -2.0, -inf, -3.0)]
def ends(*more):
    """one side impossible, with these further inputs"""
    return [x + tuple(more) for x in ENDS4]


def difference_cases(*params, zero=True):
    """entries of u with margins"""
    far = [(-2.0, -2.0, -1.0, -3.0, inf, 0.0), (-2.0, -2.0, -1.0, -3.0, -inf, 0.0)]
    return lambda: pair_cases(params, margins(), (ends(0.0, 0.0) + far))


def plain_cases(*params):
    return lambda: pair_cases(params, lambda: (), ends())


def length_cases(*params, m=True):
    def extra():
        return (float(rng.choice([0, 1, 7, 512])), float(rng.choice([1, 3, 1000]))) + (margins()() if m else ())
    return lambda: pair_cases(params, extra, ends(*((4.0, 5.0, 0.0, 0.0) if m else (4.0, 5.0))))


def rpo_cases(*params, far):
    wide = lambda: (f32(rng.uniform(-30, 30)), f32(rng.uniform(-30, 30)))
    hard = [(-5.0, -7.5, -6.0, -6.0, inf, 0.0), (-5.0, -7.5, -6.0, -6.0, 0.0, inf)] if far else []
    def cases():
        yield from pair_cases(params, wide, hard + ends(1.0, 0.5))
        for p in params:  # near u = v, and exactly there
            beta, eta = (list(p) + [0.1, 1.0][len(p):])[:2]
            for v in (-40.0, -3.0, 0.0, 0.5, 12.0, 90.0):
                for d in (0.0, 1e-6, -1e-3, 0.25):
                    lc, rc = around((v * eta + d) / beta)
                    yield p, (lc, -3.0, rc, -3.0, f32(v), 0.0)
    return cases


def anchor_cases(*params):
    def extra():
        e = rng.uniform(-300, 300) if rng.random() < 0.5 else rng.uniform(-5, 5)
        return around(e)
    return lambda: pair_cases(params, extra, [(-2.0, -2.5, -1.0, -3.0, -inf, -1.0)] + ends(-1.0, -1.5))


def slic_cases():
    for p in [(), (5.0, 0.0), (0.0, 1.0)]:
        for d in D:
            for at in (-0.5, -300.0):
                yield p, (f32(at + d), at, f32(-rng.uniform(0, 500)))
        for x in [(-inf, -1.0, -1.0), (-1.0, -inf, -1.0), (-1.0, -2.0, -inf), (-1e4, -1.0, 0.0), (-1.0, -2.0, 0.0)]:
            yield p, x


def shift_cases():
    shift = lambda: (f32(rng.uniform(-3, 3)) if rng.random() < 0.7 else 0.0,)
    return pair_cases([(), (1.5,)], shift, ends(0.5))


def sppo_cases():
    share = lambda: (f32(rng.random()), f32(rng.random())) if rng.random() < 0.7 else (1.0, 0.0)
    return pair_cases([(), (0.001, 0.5), (2.0,)], share, ends(1.0, 0.0))


def cpo_cases():
    for p in [(), (1.0, 0.1), (0.01, 0.0)]:
        beta = p[0] if p else 0.1
        for d in D:
            for at in (-0.5, -300.0):
                yield p, (f32(at + d / beta), at) + margins(0.3)()
        for x in [(-inf, -1.0), (-1.0, -inf), (-1e4, -0.5), (-0.5, -1e4), (0.0, 0.0)]:
            yield p, x + (0.0, 0.0)


def arpo_cases():
    for p in [(), (1.0,), (0.01,)]:
        for d in [0.0, 1e-3, -1e-3, 0.2, -0.2, 0.9, -0.9, 1.9, 1.99, -1.99, 2.0, -2.0, 5.0, -50.0, 3000.0]:
            for tc, tr in [(1.0, 1.0), (17.0, 40.0), (300.0, 5.0)]:
                mean = -rng.uniform(0, 4)
                yield p, (f32((mean + d) * tc), f32(mean * tr), tc, tr)
        for x in [(-inf, -1.0, 3.0, 4.0), (-1.0, -inf, 3.0, 4.0), (-1e4, -0.5, 9.0, 9.0), (0.0, 0.0, 1.0, 1.0), (-3.0, 0.0, 2.0, 0.0), (0.0, -3.0, 0.0, 2.0), (-6.0, -6.0, 3.0, 3.0)]:
            yield p, x


def alphapo_cases():
    for p in [(nan, 0.25), (10.0, 1.0, 5.0), (1.0, -0.5, 0.0, 0.25), (2.0, 0.0), (2.0, 5e-7), (1.0, 2.5)]:
        for d in D:
            for at in (-0.01, -2.3, -40.0):
                yield p, (f32(at + d), at)
        for x in [(-inf, -1.0), (-1.0, -inf), (-1e4, -0.5), (-0.5, -1e4), (0.0, 0.0), (-1e4, -1e4)]:
            yield p, x


MEANS = [0.0, 1e-7, f32(-1e-30), f32(-1e-7), f32(-1e-4), f32(-0.01), f32(-0.3), f32(-0.693), f32(-0.7), -1.0, f32(-2.3), -5.0, -20.0, -88.0, -104.0, -745.0, -1e4]


def mean_cases(*params):
    def cases():
        for p in params:
            for c in MEANS:
                for r in MEANS:
                    if p == params[0] or rng.random() < 0.3:
                        yield p, (c, r)
            yield p, (-inf, -1.0)
            yield p, (-1.0, -inf)
    return cases


def gap_cases(*params, extra=lambda: ()):
    """rewards, or means on any scale"""
    def cases():
        for p in params:
            for d in D:
                for at in (0.0, -2.5, 300.0):
                    yield p, (f32(at + d), at) + extra()
            for x in [(-inf, 1.0), (1.0, -inf), (1e4, -1e4), (-1e4, 1e4), (0.0, 0.0)]:
                yield p, x + extra()
    return cases


def tie_cases(*params):
    return gap_cases(*params, extra=lambda: (float(rng.random() < 0.5), 0.0))


def dpo_preset_cases():
    return pair_cases([(0.5, 0.1), (2.5,)], margins(), ends(0.0, 0.0))


def kto_cases():
    for p in [(), (0.5, 1.5, 0.0), (2.0, 0.0, 1.33)]:
        beta = p[0] if p else 0.1
        for d in D:
            for label in (1.0, 0.0, -1.0):
                z0 = f32(rng.uniform(0, 10)) if rng.random() < 0.7 else 0.0
                l, r = around(d / beta + z0)
                yield p, (l, r, label, z0)
        for x in [(-inf, -2.0, 1.0, 0.0), (-inf, -2.0, 0.0, 0.0), (-2.0, -inf, 1.0, 0.0), (-2.0, -inf, 0.0, 0.0)]:
            yield p, x


CLIPS = [(), (0.2, 0.28, inf, 3.0), (0.2, 0.2, 1.1), (0.3, 0.2, 0.9, 2.0), (1.5, inf), (0.0, 0.0), (inf, inf, inf, inf), (0.2, 0.28, 4.0, 3.0)]
LOGS = [math.log1p(v) for v in (0.2, 0.28, -0.2, -0.3, 0.1, -0.1, 2.0, 1.0, 3.0)]


def clip_points(rounded):
    for x in D + [rounded(v) for v in LOGS] + [0.1, -0.1, 0.18, -0.22, 0.25, 1.2, 30.0, inf, -inf]:
        for A in (1.0, -1.0, 0.0, 0.37, -2.25, 1e-6, -1e4):
            yield rounded(x), rounded(A)


def ppo_clip_cases():
    for p in CLIPS:
        for x, A in clip_points(f32):
            yield p, (x, 0.0, A)  # on the bounds exactly
        for _ in range(25):
            o = -rng.uniform(0, 20)
            yield p, (f32(o + rng.gauss(0, 0.4)), f32(o), f32(rng.gauss(0, 1)))
        for x in [(-1.0, -inf, 1.0), (-1.0, -inf, -1.0), (-inf, -1.0, -1.0), (-1.0, -inf, 0.0), (-1e4, -1e-3, 1.0), (-1e-3, -1e4, 0.5)]:
            yield p, x


def gspo_cases():
    for p in CLIPS + [(3e-4, 4e-4)]:
        for x, A in clip_points(lambda v: v):
            yield p, (float(x), float(f32(A)))
        for _ in range(20):
            yield p, (rng.gauss(0, 1e-3), f32(rng.gauss(0, 1)))


def two_scores():
    for d in D:
        for at in (-0.001, -3.5, -40.0):
            yield (), (f32(at), f32(at + d))
    for _ in range(60):
        yield (), (f32(-rng.uniform(0, 30)), f32(-rng.uniform(0, 30)))
    for x in [(-inf, -1.0), (-1.0, -inf), (0.0, 0.0), (-1e4, -1.0), (-1.0, -1e4)]:
        yield (), x


def gspo_map_cases():
    for _, (l, o) in two_scores():
        yield (), (l, o, 1.0)


def list_cases():
    for p in [(), (1.0,), (0.3, 2.0), (1.0, 1.0), (2.0, 3.0)]:
        beta = p[0] if p else 0.1
        for K in (1, 2, 3, 5, 12):
            for width in (0.0, 1.0, 30.0, 1000.0):
                pairs = [around(rng.uniform(-width, width) / beta) for _ in range(K)]
                yield p, tuple(v for v, _ in pairs) + tuple(v for _, v in pairs)
        yield p, (-1.0, -2.0, -inf, -1.5, -2.0, -3.0)   # the last one drops out
        yield p, (-inf, -2.0, -3.0, -1.5, -2.0, -3.0)   # the best one is impossible
        yield p, (-5.0, -5.0, -5.0, -5.0) + (-6.0,) * 4
        yield p, (-1e4, -1.0, -5e3, -1.0, -1e4, -5e3)


def rows(params, infinities, rest):
    """l, ref at every distance; rest(beta) gives the other inputs of a case"""
    def cases():
        for p in params:
            beta = p[0] if p and p[0] == p[0] else 0.1
            for d in D:
                for _ in range(3):
                    l, r = around(d / beta)
                    yield p, (l, r) + rest(beta)
            for _ in range(15):
                yield p, (f32(-rng.uniform(0, 1e4)), f32(-rng.uniform(0, 1e4))) + rest(beta)
            yield p, (-3.5, -3.5) + rest(beta)
            yield p, (0.0, -1e4) + rest(beta)
            yield p, (-1e4, 0.0) + rest(beta)
            for x in infinities:
                yield p, x + rest(beta)
    return cases


APART = [(-inf, -2.0), (-2.0, -inf)]
label = lambda: rng.choice((1.0, 0.0, -1.0))
apo_zero_unpaired_cases = rows([(), (0.5, 1.5, 0.0), (2.0, 0.0, 1.33)], APART, lambda b: (label(),))
bco_cases = rows([(), (0.5,), (2.0,)], APART, lambda b: (label(), f32(rng.choice((0.0, 1.0, rng.uniform(0.5, 10)))), f32(rng.choice((0.0, rng.uniform(-5, 5))))))
npo_cases = rows([(), (1.0,), (0.01,)], APART, lambda b: ())
a_star_po_cases = rows([(), (0.5,)], [], lambda b: (f32(rng.choice((0.0, rng.uniform(-2, 2)))),))
prime_ce_cases = rows([(), (0.5,), (2.0,)], APART, lambda b: (rng.choice((0.0, 1.0, 0.5, f32(rng.random()))),))


def poft_cases():
    for p in [(), (2.0, 0.5), (0.3, -1.0)]:
        beta = p[0] if p else 1.0
        for d in D:
            for at in (-0.01, -2.3):
                yield p, (f32(at + d / beta), f32(at))
        for x in [(-inf, -1.0), (-1.0, -inf), (-1e4, -0.5), (-0.5, -1e4), (0.0, 0.0)]:
            yield p, x


LOGPROBS = [0.0, -1e-30, -1e-8, -1e-6, -1e-4, -0.01, -0.1, -0.5, -0.6931472, -1.0, -2.3, -5.0, -17.3, -40.0, -88.1, -104.3, -200.0, -1e3, -1e4, -inf]


def logps(params, count=140):
    def cases():
        for p in params:
            for l in LOGPROBS:
                yield p, (f32(l),)
            for _ in range(count // len(params)):
                yield p, (f32(-math.exp(rng.uniform(-12, 5))),)
    return cases


def simnpo_cases():
    yield from logps([(), (1.0, 0.5), (10.0, -0.3)])()


def eaft_cases():
    for p in [(), (0.0,), (0.5,), (2.0,), (1.7,)]:
        for l in LOGPROBS:
            for h in (0.0, 1e-6, f32(rng.uniform(0, 3)), 3.0):
                yield p, (f32(l), f32(h))


def token_constrained_cases():
    for l, r in [x for _, x in two_scores()]:
        for beta in (0.1, 2.0):
            yield (), (l, r, f32(beta))
    for d in D:
        for beta in (0.1, 0.5):
            yield (), (f32(-2.0 + d / beta), -2.0, f32(beta))


def lists(params, reference, lengths, ends, order):
    """lists of every size; targets: distinct, with ties, all equal, far apart"""
    def cases():
        for p in params:
            for K in (1, 2, 3, 5, 12):
                for width in (0.0, 1.0, 30.0, 1000.0):
                    for kind in range(4):
                        l = [f32(-rng.uniform(0, 1) * width - (0.25 if width else 3.5)) for _ in range(K)]
                        r = [f32(v + rng.uniform(-1, 1) * width) for v in l]
                        t = [float(rng.choice((0, 1, 7, 512)) if kind else 1) for _ in range(K)]
                        y = [[f32(rng.gauss(0, 1)), float(rng.randrange(3)), 0.5, f32(rng.uniform(-100, 100))][kind] for _ in range(K)]
                        y.sort(reverse=True) if order else None
                        yield p, tuple(l) + (tuple(r) if reference else ()) + (tuple(t) if lengths else ()) + tuple(y)
            for x in ends:
                if min(p[1:], default=1) > 1e-3:  # where a share is no double, 0 times infinity decides
                    yield p, x
    return cases


ENDS = [(-inf, -2.0, -3.0, -1.5, -2.0, -3.0, 0.0, 1.0, 2.0), (-5.0, -5.0, -6.0, -6.0, 0.0, -inf), (0.0, -1e4, -1e4, 0.0, 1.0, 2.0)]
ranking_cases = lists([(), (0.0,), (2.0, 1e-10)], False, True, [(-1e4, -1e3, 10.0, 10.0, 2.0, 1.0), (-8.0, -6.0, 4.0, 3.0, 1.0, 1.0)], True)
rrhf_cases = lists([(), (0.5, 100.0, 0.0, 1.0), (0.0, 1.0, 0.5)], False, True, [(-8.0, -4.0, 4.0, 2.0, 1.0, 2.0), (-1e4, -1.0, 3.0, 3.0, 1.0, 0.0)], False)
infonca_cases = lists([(nan, 1.0), (1.0, 0.1), (0.01, 1e-4)], True, False, ENDS, False)
exo_cases = lists([(), (0.1, 0.5), (2.0, 3.0)], True, False, ENDS[:1] + ENDS[2:], False)
aft_cases = lists([()] * 2, False, False, [(-1e4, 0.0, 1.0, 0.0), (0.0, -1e4, 1.0, 0.0), (-2.0, -inf, 1.0, 0.0), (-1.0, -1.0, 0.5, 0.5)], False)


def rollout(params, *rest, infinities=((-inf, -1.0), (-1.0, -inf)), near=()):
    """log-probs under policy and old at every distance, near and far from certainty; rest(): advantages and so on"""
    def cases():
        for p in params:
            for d in D[:15] + [1e4, -1e4] + [f32(v) for v in near]:
                for at in (-0.001, -2.5):
                    yield p, (f32(at + min(d, 0)), f32(at - max(d, 0))) + tuple(r() for r in rest)
            for _ in range(30):
                o = -rng.uniform(0, 12)
                yield p, (f32(min(o + rng.gauss(0, 0.5), 0)), f32(o)) + tuple(r() for r in rest)
            yield p, (-3.5, -3.5) + tuple(r() for r in rest)
            yield p, (0.0, -1e4) + tuple(r() for r in rest)
            for x in infinities:
                for _ in range(3):
                    yield p, x + tuple(r() for r in rest)
    return cases


advantage = lambda: f32(rng.choice((1.0, -1.0, 0.0, rng.gauss(0, 1), rng.gauss(0, 1), 1e-6, -1e4)))
flag = lambda: rng.choice((0.0, 1.0))
value = lambda: f32(rng.choice((rng.gauss(0, 1), rng.gauss(0, 30))))
CISPO = [("#1", nan, 0.2), ("#1", nan, 5.0), ("#2", nan, 0.272), ("#3", 0.1, 0.1), ("#3", 1.5, 4.0), ("#4", 0.0, 1.0), ("#4", 0.25, 2.0), ("#4", 0.5, 1e4)]
CISPO_LOGS = [math.log(v) for v in (0.2, 5.0, 1.272, 0.9, 1.1, 0.25, 2.0, 0.5, 1e4)]


def value_cases(*params):
    def cases():
        for p in params:
            for _ in range(60):
                V = value()
                yield p, (V, f32(V + rng.gauss(0, 1) * rng.choice((0.01, 0.3, 3))), value())
            for V in (0.0, 0.5, -0.5, 1e4, -1e-5):
                yield p, (V, V, V)
                yield p, (V, V, 0.0)
                yield p, (V, f32(V + 0.25), f32(V - 11.0))
    return cases


def shared(params, *rest, points=(), ends=True):
    """C, and what else the sequence function reads"""
    def cases():
        for p in params:
            for c in D + list(points):
                yield p, (float(c),) + tuple(r() for r in rest)
            for _ in range(30):
                yield p, (rng.gauss(0, 0.3),) + tuple(r() for r in rest)
            if ends:
                for c in (inf, -inf):
                    yield p, (c,) + tuple(r() for r in rest)
                    yield p, (c,) + tuple(r() for r in rest)
    return cases


token_logp = lambda: f32(rng.choice((0.0, -1e-6, -rng.uniform(0, 10), -rng.uniform(0, 10), -1e4, -inf)))
length = lambda: float(rng.choice((1, 2, 17, 512)))


def flowrl_cases():
    for p in [(), (1.0, 2.0), (0.0, inf)]:
        for c in D:
            for ratio in (0.0, rng.gauss(0, 1), 5.0, -300.0):
                yield p, (float(c), ratio, f32(rng.gauss(0, 1)), f32(rng.gauss(0, 3)))
        yield p, (-inf, -inf, 1.0, 0.0)
        yield p, (-inf, 1.0, 1.0, 0.0)


def rollout_lists(*params, centred):
    def cases():
        for p in params:
            for K in (1, 2, 3, 5, 12):
                for width in (0.0, 1.0, 30.0, 1000.0):
                    for kind in range(4):
                        l = [f32(-rng.uniform(0, 1) * width - 0.25) for _ in range(K)]
                        o = [f32(v + rng.uniform(-1, 1) * width) for v in l]
                        A = [[rng.gauss(0, 1), rng.choice((-1.0, 1.0)), 0.5, rng.choice((0.0, 1.0))][kind] for _ in range(K)]
                        if centred:
                            A = [v - sum(A) / K for v in A]
                        yield p, tuple(l) + tuple(o) + tuple(f32(v) for v in A)
    return cases


PAIR6 = "chosen_logp rejected_logp chosen_ref_logp rejected_ref_logp"
PAIR_GRADS = "value grad_chosen_logp grad_rejected_logp"
MARGINS, MARGIN_GRADS = " chosen_margin rejected_margin", " grad_chosen_margin grad_rejected_margin"
# inputs whose partial is not the derivative of the value: constants of the gradient, and clamps that keep their slope
DETACHED = [("tdpo2", "chosen_kl"), ("constant_map", "logp"), ("vespo_map", "logp")]
CLAMPED = ["orpo", "asft", "asft_tempered"]
#  kind name part, inputs, outputs, function, defaults, cases
ENTRIES = [
    ("1001 pair dpo -", PAIR6 + " chosen_margin rejected_margin", PAIR_GRADS + " grad_chosen_margin grad_rejected_margin", dpo, (0.1, 0.0), dpo_cases),
    ("1002 pair ipo -", PAIR6 + " chosen_len rejected_len chosen_margin rejected_margin", PAIR_GRADS + " grad_chosen_margin grad_rejected_margin", ipo, (0.1,), ipo_cases),
    ("1003 pair simpo -", "chosen_logp rejected_logp", PAIR_GRADS, simpo, (2.0, 0.5, 0.0), simpo_cases),
    ("1004 pair tdpo1 -", PAIR6 + " chosen_kl rejected_kl", PAIR_GRADS + " grad_chosen_kl grad_rejected_kl", tdpo1, (0.1,), tdpo1_cases),
    ("1005 pair dpo_ln -", PAIR6 + " chosen_len rejected_len" + MARGINS, PAIR_GRADS + MARGIN_GRADS, dpo_ln, (nan, 0.0), length_cases((5.0,), (0.5, 0.1), (50.0, 0.0))),
    ("1006 pair robust_dpo -", PAIR6 + MARGINS, PAIR_GRADS + MARGIN_GRADS, robust_dpo, (0.1, 0.0), difference_cases((), (0.5, 0.1), (2.5, 0.49))),
    ("1007 pair hinge -", PAIR6 + MARGINS, PAIR_GRADS + MARGIN_GRADS, hinge, (0.1,), difference_cases((), (0.5,))),
    ("1008 pair ipo_sum -", PAIR6 + MARGINS, PAIR_GRADS + MARGIN_GRADS, ipo_sum, (0.1,), difference_cases((), (0.01,), (2.0,))),
    ("1009 pair exo_pair -", PAIR6 + MARGINS, PAIR_GRADS + MARGIN_GRADS, exo_pair, (0.1, 1e-3), difference_cases((), (0.5, 0.1), (2.5, 0.49))),
    ("1010 pair discopop -", PAIR6 + MARGINS, PAIR_GRADS + MARGIN_GRADS, discopop, (0.05, 0.05), difference_cases((), (0.5, 0.9), (0.1, 0.05))),
    ("1011 pair rpo_backward_kl -", PAIR6 + MARGINS, PAIR_GRADS + MARGIN_GRADS, rpo_backward_kl, (0.1, 1.0), rpo_cases((), (0.5, 2.0), far=True)),
    ("1012 pair rpo_forward_kl -", PAIR6 + MARGINS, PAIR_GRADS + MARGIN_GRADS, rpo_forward_kl, (0.1, 1.0), rpo_cases((), (0.5, 2.0), far=False)),
    ("1013 pair rpo_square -", PAIR6 + MARGINS, PAIR_GRADS + MARGIN_GRADS, rpo_square, (0.1, 1.0), rpo_cases((), (0.5, 2.0), far=False)),
    ("1014 pair odpo -", PAIR6 + MARGINS, PAIR_GRADS + MARGIN_GRADS, dpo, (0.1, 0.0), dpo_preset_cases),
    ("1015 pair r_dpo -", PAIR6 + " chosen_len rejected_len", PAIR_GRADS, r_dpo, (0.1, nan, 0.0), length_cases((nan, 0.01), (0.5, -0.1, 0.1), m=False)),
    ("1016 pair dpo_shift -", PAIR6, PAIR_GRADS, dpo_shift, (0.1, 0.75), plain_cases((), (0.5, 1.0))),
    ("1017 pair dpop -", PAIR6 + MARGINS, PAIR_GRADS + MARGIN_GRADS, dpop, (0.1, 50.0), difference_cases((), (0.3, 5.0), (0.5, 0.0))),
    ("1018 pair cal_dpo -", PAIR6, PAIR_GRADS, cal_dpo, (1e-3, 0.5), plain_cases((), (0.5, 0.0), (1.0, 2.0))),
    ("1019 pair modpo -", PAIR6 + MARGINS, PAIR_GRADS + MARGIN_GRADS, modpo, (0.1, nan), difference_cases((nan, 0.5), (0.5, 2.0))),
    ("1020 pair modpo_hinge -", PAIR6 + MARGINS, PAIR_GRADS + MARGIN_GRADS, modpo_hinge, (0.1, nan), difference_cases((nan, 0.5), (0.5, 2.0))),
    ("1021 pair tdpo2 -", PAIR6 + " chosen_kl rejected_kl", PAIR_GRADS + " grad_chosen_kl grad_rejected_kl", tdpo2, (0.1, 0.5), tdpo1_cases),
    ("1022 pair mdpo -", PAIR6 + " anchor_logp anchor_ref_logp", PAIR_GRADS + " grad_anchor_logp", mdpo, (0.1, 0.0), anchor_cases((), (0.5, 1.5))),
    ("1023 pair image_dpo -", PAIR6 + MARGINS, PAIR_GRADS + MARGIN_GRADS, dpo, (0.1, 0.0), dpo_preset_cases),
    ("1024 pair povid -", PAIR6 + " anchor_logp anchor_ref_logp", PAIR_GRADS + " grad_anchor_logp", povid, (0.1,), anchor_cases((), (0.5,))),
    ("1025 pair slic -", "chosen_logp rejected_logp anchor_logp", PAIR_GRADS + " grad_anchor_logp", slic, (1.0, 0.1), slic_cases),
    ("1026 pair diffusion_dpo -", PAIR6 + MARGINS, PAIR_GRADS + MARGIN_GRADS, dpo, (nan, 0.0), dpo_preset_cases),
    ("1027 pair mm_dpo -", PAIR6 + MARGINS, PAIR_GRADS + MARGIN_GRADS, dpo, (0.1, 0.0), dpo_preset_cases),
    ("1028 pair beta_dpo -", PAIR6 + MARGINS, PAIR_GRADS + MARGIN_GRADS, dpo, (0.1, 0.0), dpo_preset_cases),
    ("1029 pair idk_dpo -", PAIR6 + MARGINS, PAIR_GRADS + MARGIN_GRADS, idk_dpo, (0.1, 0.0), dpo_preset_cases),
    ("1030 pair nca_pair -", PAIR6, PAIR_GRADS, nca_pair, (0.1,), plain_cases((), (0.5,))),
    ("1031 pair bco_pair -", PAIR6 + " shift", PAIR_GRADS, bco_pair, (0.1,), shift_cases),
    ("1032 pair sppo -", PAIR6 + MARGINS, PAIR_GRADS, sppo, (0.1, 1.0), sppo_cases),
    ("1033 pair apo_zero -", PAIR6, PAIR_GRADS, apo_zero, (0.1,), plain_cases((), (0.5,))),
    ("1034 pair apo_down -", PAIR6, PAIR_GRADS, apo_down, (0.1,), plain_cases((), (0.5,))),
    ("1035 pair cpo -", "chosen_logp rejected_logp" + MARGINS, PAIR_GRADS + MARGIN_GRADS, cpo, (0.1, 0.0), cpo_cases),
    ("1036 pair arpo -", "chosen_logp rejected_logp chosen_len rejected_len", PAIR_GRADS, arpo, (0.1,), arpo_cases),
    ("1037 pair alphapo -", "chosen_logp rejected_logp", PAIR_GRADS, alphapo, (2.0, nan, 0.5, 0.0), alphapo_cases),
    ("1038 pair orpo -", "chosen_logp rejected_logp", PAIR_GRADS, orpo, (0.1, 1.0), mean_cases((), (0.5, 0.0), (0.0,))),
    ("1039 pair asft -", "chosen_logp rejected_logp", PAIR_GRADS, asft, (0.1,), mean_cases((), (2.0,), (0.0,))),
    ("1040 pair asft_tempered -", "chosen_logp rejected_logp", PAIR_GRADS, asft_tempered, (nan,), mean_cases((0.1,), (2.0,), (0.001,))),
    ("1041 pair simper -", "chosen_logp rejected_logp", PAIR_GRADS, simper, (), mean_cases(())),
    ("1042 pair relu_po -", "chosen_logp rejected_logp", PAIR_GRADS, relu_po, (nan,), gap_cases((0.4,), (0.0,), (-1.0,))),
    ("1043 pair bt -", "chosen_logp rejected_logp" + MARGINS, PAIR_GRADS + MARGIN_GRADS, bt, (), lambda: list(gap_cases((), extra=margins())()) + list(gap_cases((), extra=margins(1.0))())),
    ("1044 pair bt_center -", "chosen_logp rejected_logp" + MARGINS, PAIR_GRADS + MARGIN_GRADS, bt_center, (0.01,), gap_cases((), (0.5,), (0.0,), extra=margins())),
    ("1045 pair bt_mse -", "chosen_logp rejected_logp" + MARGINS, PAIR_GRADS, bt_mse, (0.0,), gap_cases((0.1,), (2.0,), (), extra=margins(1.0))),
    ("1046 pair bt_scaled -", "chosen_logp rejected_logp" + MARGINS, PAIR_GRADS + MARGIN_GRADS, bt, (), lambda: list(gap_cases((), extra=margins())()) + list(gap_cases((), extra=margins(1.0))())),
    ("1047 pair bt_focal -", "chosen_logp rejected_logp", PAIR_GRADS, bt_focal, (2.0,), gap_cases((), (0.5,), (0.0,))),
    ("1048 pair bt_ties -", "chosen_logp rejected_logp" + MARGINS, PAIR_GRADS, bt_ties, (nan, nan), tie_cases(("#1", 0.5), ("#1", 0.0), ("#1", 20.0), ("#1", 1e-3), ("#2", nan, 0.0), ("#2", nan, -3.0), ("#2", nan, 15.0), ("#2", nan, 2.0))),
    ("1050 pair cost_model -", "chosen_logp rejected_logp" + MARGINS, PAIR_GRADS, cost_model, (), lambda: [c for _ in range(3) for c in gap_cases((), extra=lambda: (rng.choice([-1.0, 1.0]), rng.choice([-1.0, 1.0])))()]),
    ("2001 unpaired kto -", "logp ref_logp label baseline", "value grad_logp", kto, (0.1, 1.0, 1.0), kto_cases),
    ("2002 unpaired apo_zero_unpaired -", "logp ref_logp label", "value grad_logp", apo_zero_unpaired, (0.1, 1.0, 1.0), apo_zero_unpaired_cases),
    ("2003 unpaired bco -", "logp ref_logp label weight shift", "value grad_logp", bco, (0.1,), bco_cases),
    ("2004 unpaired poft -", "logp baseline", "value grad_logp", poft, (1.0, 0.0), poft_cases),
    ("2005 unpaired npo -", "logp ref_logp", "value grad_logp", npo, (0.1,), npo_cases),
    ("2006 unpaired simnpo -", "logp", "value grad_logp", simnpo, (4.5, 0.0), simnpo_cases),
    ("2007 unpaired a_star_po -", "logp ref_logp baseline", "value grad_logp grad_baseline", a_star_po, (1e-3,), a_star_po_cases),
    ("2008 unpaired prime_ce -", "logp ref_logp baseline", "value grad_logp", prime_ce, (0.05,), prime_ce_cases),
    ("3001 list plackett_luce -", "logp ref_logp", "value grad_logp", plackett_luce, (0.1, inf), list_cases),
    ("3002 list preference_ranking -", "logp len target", "value grad_logp", preference_ranking, (0.05, 0.0), ranking_cases),
    ("3003 list rrhf -", "logp len target", "value grad_logp", rrhf, (1.0, 1.0, 1.0, 0.0), rrhf_cases),
    ("3004 list infonca -", "logp ref_logp target", "value grad_logp", infonca, (0.1, nan), infonca_cases),
    ("3005 list nca -", "logp ref_logp target", "value grad_logp", nca, (0.1, nan), infonca_cases),
    ("3006 list exo -", "logp ref_logp target", "value grad_logp", exo, (1.0, 1.0), exo_cases),
    ("3007 list aft -", "logp target", "value grad_logp", aft, (), aft_cases),
    ("3008 list real -", "logp ref_logp target", "value grad_logp", real, (0.5,), rollout_lists((), (0.1,), (2.0,), centred=False)),
    ("3009 list gvpo -", "logp ref_logp target", "value grad_logp", gvpo, (0.1,), rollout_lists((), (1.0,), (0.01,), centred=True)),
    ("4001 token ppo_clip -", "logp old advantage", "value grad_logp", ppo_clip, (0.2, 0.2, inf, inf), ppo_clip_cases),
    ("4002 token nll -", "logp", "value grad_logp", nll, (), logps([()])),
    ("4003 token dft -", "logp", "value grad_logp", dft, (), logps([()])),
    ("4004 token chord_phi -", "logp", "value grad_logp", chord_phi, (), logps([()])),
    ("4005 token eaft -", "logp entropy", "value grad_logp", eaft, (1.0,), eaft_cases),
    ("4006 token eaft_raw -", "logp entropy", "value grad_logp", eaft_raw, (1.0,), eaft_cases),
    ("4007 token token_constrained -", "logp ref_logp advantage", "value grad_logp", token_constrained, (), token_constrained_cases),
    ("4008 token gradient_ascent -", "logp", "value grad_logp", gradient_ascent, (), logps([()])),
    ("4009 token wga -", "logp", "value grad_logp", wga, (1.0,), logps([(), (0.3,), (2.0,)])),
    ("4010 token satimp -", "logp", "value grad_logp", satimp, (5.0, 1.0), logps([(), (1.0, 0.0), (0.0, 2.0), (0.5, 0.5)])),
    ("4011 token cispo -", "logp old advantage", "value grad_logp", cispo, (0.0, nan), rollout(CISPO, advantage, near=CISPO_LOGS)),
    ("4012 token sapo -", "logp old advantage", "value grad_logp", sapo, (1.0, 1.05), rollout([(), (0.5, 2.0), (5.0, 0.1)], advantage, near=(1.5, 3.0, 6.0, 89.0))),
    ("4013 token reinforce -", "logp advantage", "value grad_logp", reinforce, (), lambda: [((), (f32(l), advantage())) for l in LOGPROBS * 12]),
    ("4014 token topr -", "logp old advantage flag", "value grad_logp", topr, (1.0, 1.0), rollout([(), (0.5, 2.0), (1.0, 0.0)], advantage, flag)),
    ("4015 token dppo_tv -", "logp old advantage", "value grad_logp", dppo_tv, (0.2, 0.2, 20.0), rollout([(), (0.05, 0.3, 3.0), (0.0, 0.0, inf)], advantage)),
    ("4016 token dppo_kl -", "logp old advantage", "value grad_logp", dppo_kl, (0.2, 0.2, 20.0), rollout([(), (0.01, 0.05, 3.0), (0.0, 0.0, inf)], advantage)),
    ("4017 token dppo_tv_ratio -", "logp old advantage", "value grad_logp", dppo_tv_ratio, (1.0, 1e-3, 0.2, 0.2), rollout([(), (0.5, 0.1, 0.05, 0.3), (0.0, 1.0), (2.0, 0.0)], advantage)),
    ("4018 token prime_ipo -", "logp old advantage", "value grad_logp", prime_ipo, (1.0, 1e-3, 0.1), rollout([(), (0.5, 0.1, 0.3), (1.0, 0.0, 0.0)], advantage)),
    ("4019 token prime_ref_kl -", "logp old ref_logp", "value grad_logp", prime_ref_kl, (1.0, 1e-3, 0.2), rollout([(), (0.5, 0.1, 0.05), (0.0, 1.0), (2.0, 0.0)], lambda: f32(-rng.uniform(0, 9)))),
    ("4020 token dro -", "logp old advantage", "value grad_logp", dro, (0.1,), rollout([(), (1.0,), (0.01,)], advantage)),
    ("4021 token kl_cov -", "logp old advantage flag", "value grad_logp", kl_cov, (1.0,), rollout([(), (0.3,), (0.0,)], advantage, flag)),
    ("4022 token noon_ppo -", "logp old advantage", "value grad_logp", noon_ppo, (0.2,), rollout([(), (0.28,), (inf,)], advantage, near=LOGS)),
    ("4023 token sdar -", "logp ref_logp", "value grad_logp", sdar, (5.0,), rollout([(), (1.0,), (0.25,)])),
    ("4024 token nash_md -", "logp ref_logp advantage", "value grad_logp", nash_md, (0.1,), rollout([(), (1.0,), (0.0,)], lambda: f32(rng.uniform(-0.5, 0.5)))),
    ("4025 token positive_nll -", "logp flag", "value grad_logp", positive_nll, (), lambda: [((), (f32(-math.exp(rng.uniform(-12, 5))), flag())) for _ in range(140)] + [((), (-inf, 0.0)), ((), (-inf, 1.0))]),
    ("4026 token value_mse -", "logp old ref_logp", "value grad_logp", value_mse, (inf,), value_cases((), (0.2,), (0.0,), (0.5,))),
    ("4027 token value_huber -", "logp old ref_logp", "value grad_logp", value_huber, (inf, 10.0), value_cases((), (0.2,), (0.5, 1.0))),
    ("5001 sequence gspo _map", "logp old advantage", "value grad_logp", gspo_map, (0.2, 0.2, inf, inf), gspo_map_cases),
    ("5001 sequence gspo -", "c advantage", "value grad_c", gspo, (0.2, 0.2, inf, inf), gspo_cases),
    ("5002 sequence gspo_token _map", "logp old advantage", "value grad_logp", constant_map, (0.2, 0.2, inf, inf), gspo_map_cases),
    ("5002 sequence gspo_token -", "c logp advantage", "value grad_logp", gspo_token, (0.2, 0.2, inf, inf), shared(CLIPS, token_logp, advantage, points=LOGS)),
    ("5003 sequence luspo _map", "logp old advantage", "value grad_logp", ratio_map, (0.2, 0.2, inf, inf), gspo_map_cases),
    ("5003 sequence luspo -", "c len advantage", "value grad_c", luspo, (0.2, 0.2, inf, inf), shared(CLIPS, length, advantage, points=LOGS)),
    ("5004 sequence rloo_sequence _map", "logp old advantage", "value grad_logp", ratio_map, (0.2, 0.2, inf, inf), gspo_map_cases),
    ("5004 sequence rloo_sequence -", "c advantage", "value grad_c", gspo, (0.2, 0.2, inf, inf), gspo_cases),
    ("5005 sequence sapo _map", "logp old advantage", "value grad_logp", ratio_map, (1.0, 1.05), gspo_map_cases),
    ("5005 sequence sapo -", "c advantage", "value grad_c", sapo_sequence, (1.0, 1.05), shared([(), (0.5, 2.0), (5.0, 0.1)], advantage)),
    ("5006 sequence gmpo _map", "logp old advantage", "value grad_logp", gmpo_map, (0.4, 0.4), rollout([(), (0.2, 0.3), (inf, inf)], advantage)),
    ("5006 sequence gmpo -", "c advantage", "value grad_c", gmpo, (0.4, 0.4), shared([(), (0.2, 0.3), (0.0, 1.0)], advantage)),
    ("5007 sequence vespo _map", "logp old advantage importance", "value grad_logp", vespo_map, (2.0, 3.0, 3.0, 2.0), rollout([(), (1.0, 1.0)], advantage, lambda: f32(rng.choice((0.0, 1.0, 1e-9, 3.5, 1e12))))),
    ("5007 sequence vespo -", "c logp advantage", "value grad_logp", vespo, (2.0, 3.0, 3.0, 2.0), shared([(), (1.0, 0.5, 0.5, 1.0), (-1.0, 1e-3)], token_logp, advantage)),
    ("5008 sequence flowrl _map", "logp old ref_logp advantage", "value grad_logp", flowrl_map, (15.0, 10.0), rollout([(), (1.0,)], lambda: f32(-rng.uniform(0, 9)), advantage, infinities=((-inf, -1.0),))),
    ("5008 sequence flowrl -", "c log_ratio advantage log_z", "value grad_c grad_log_z", flowrl, (15.0, 10.0), flowrl_cases),
    ("5009 sequence sppo_reward _map", "logp old advantage", "value grad_logp", ratio_map, (1.0,), gspo_map_cases),
    ("5009 sequence sppo_reward -", "c advantage", "value grad_c", sppo_reward, (1.0,), shared([(), (0.0,), (5.0,)], advantage)),
    ("5010 sequence topr _map", "logp old advantage flag", "value grad_logp", constant_map, (1.0, 1.0), rollout([(), (1.0,)], advantage, flag)),
    ("5010 sequence topr -", "c logp advantage flag", "value grad_logp", topr_sequence, (1.0, 1.0), shared([(), (0.5, 2.0), (1.0, 0.0)], token_logp, advantage, flag)),
    ("5011 sequence cispo _map", "logp old advantage", "value grad_logp", constant_map, (0.0, nan), lambda: [(("#1", nan, 0.2), x) for _, x in gspo_map_cases()]),
    ("5011 sequence cispo -", "c logp advantage", "value grad_logp", cispo_sequence, (0.0, nan), shared(CISPO, token_logp, advantage, points=CISPO_LOGS)),
    ("6001 estimator k1 -", "logp ref_logp", "value grad_logp", k1, (), two_scores),
    ("6002 estimator k2 -", "logp ref_logp", "value grad_logp", k2, (), two_scores),
    ("6003 estimator k3 -", "logp ref_logp", "value grad_logp", k3, (), two_scores),
    ("6004 estimator abs -", "logp ref_logp", "value grad_logp", abs_of, (), two_scores),
]


def number(v):
    if mp.isnan(v):
        return "nan"
    if mp.isinf(v):
        return "inf" if v > 0 else "-inf"
    if abs(v) >= mpf(2) ** 1024:
        return "inf" if v > 0 else "-inf"
    return repr(float(v))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    lines, counts, checked, worst = [], {}, 0, mpf(0)
    named = sys.argv[1:]  # entries to check without writing anything
    for head, inputs, outputs, f, defaults, cases in ENTRIES:
        if named and head.split()[2] not in named:
            continue
        lines.append(f"@ {head} | {inputs} | {outputs}")
        names, outs = inputs.split(), outputs.split()
        rng.seed(head)  # an entry's vectors do not depend on those before it
        seen = set()
        for given, x in cases():
            if (given, x) in seen:
                continue
            seen.add((given, x))
            variant = [int(given[0][1:])] if given and isinstance(given[0], str) else []
            params = list(defaults)
            for k, v in enumerate(given[len(variant):]):
                if not math.isnan(v):
                    params[k] = v
            p = [mpf(v) for v in params] + variant
            xs = [mpf(v) for v in x]
            try:
                y, terms = f(p, *xs)
            except Undefined:
                continue
            slack = [sum((abs(t) for t in ts if not mp.isnan(t)), mpf(0)) for ts in terms]  # 0 * inf: not there
            # one difference on either side of each input: the smaller is free of a kink that lies on the other side
            sides = []
            for i, v in enumerate(xs):
                if not mp.isfinite(v):
                    sides.append(None)
                    continue
                h = max(abs(v), mpf(1)) * mpf(10) ** -22
                try:
                    left = f(p, *xs[:i], v - h, *xs[i + 1:])[0]
                    right = f(p, *xs[:i], v + h, *xs[i + 1:])[0]
                except Undefined:
                    sides.append(None)
                    continue
                sides.append((left, right, h))
                for k, out in enumerate(y):
                    if mp.isfinite(out) and mp.isfinite(left[k]) and mp.isfinite(right[k]):
                        slack[k] += abs(v) * min(abs(out - left[k]), abs(right[k] - out)) / h
            # the partials against differences of the value, where nothing is infinite or on a kink
            for i, side in enumerate(sides):
                if side is None or not mp.isfinite(y[0]) or not mp.isfinite(side[0][0]) or not mp.isfinite(side[1][0]):
                    continue
                if (f.__name__, names[i % len(names)]) in DETACHED or (f.__name__ in CLAMPED and xs[i] >= 0):
                    continue
                if " list " not in head:
                    if "grad_" + names[i] not in outs:
                        continue
                    want = y[outs.index("grad_" + names[i])]
                elif i < len(xs) // len(names):
                    want = y[1 + i]
                else:
                    continue
                left, right, h = side
                if hasattr(f, "held"):
                    moved = lambda v: [f.held(p, xs, xs[:i] + [v] + xs[i + 1:])]
                    left, right = moved(xs[i] - h), moved(xs[i] + h)
                one, two = (y[0] - left[0]) / h, (right[0] - y[0]) / h
                scale = max(abs(want), abs(y[0]) * mpf(10) ** -12, mpf(10) ** -12)
                if abs(one - two) > scale * mpf(10) ** -12:
                    continue  # a kink
                error = abs((one + two) / 2 - want) / scale
                assert error < mpf(10) ** -12, (head, given, x, names, i, want, one, two)
                worst = max(worst, error)
                checked += 1
            values = " | ".join(f"{number(v)} {float(min(s, mpf(10) ** 300)):.3g}" for v, s in zip(y, slack))
            lines.append(f"{' '.join(v if isinstance(v, str) else repr(v) for v in given)} | {' '.join(repr(v) for v in x)} | {values}")
            counts[head] = counts.get(head, 0) + 1
    if not named:
        with open(os.path.join(here, "losses.txt"), "w") as out:
            out.write("\n".join(lines) + "\n")
    for head, n in counts.items():
        print(f"{n:6} {head}")
    print(f"{sum(counts.values())} cases; {checked} partials agree with differences, worst {float(worst):.1e}")


main()
