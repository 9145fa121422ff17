//! Tilted distributions, Renyi divergences of arrays and the exact best of n: rows of V outcomes (a vocabulary or a list of
//! candidates), each with a log-probability and a reward or a second log-probability. Everything is f64 inside; a row is
//! computed by plain sums in the order of its outcomes. p is the softmax of the log-probabilities; `-inf` excludes an outcome.
use crate::batch::{place, place_matrix, place_of, rows};
use crate::divergence::formula::{Column, difference, power, psi, term};
use crate::divergence::refine;
use crate::error::{Error, Result, Value, row};
use crate::matrix::{Floats, FloatsMut, MatrixMut, Split};
use crate::real::Real;

/// A row of numbers.
pub type Numbers<'a> = &'a dyn Fn(usize) -> f64;

/// phi = p e^(alpha r) / Z, Z = sum p e^(alpha r). `alpha` is given, or solved for: KL(phi || p) is then the target.
#[derive(Clone, Copy, Debug)]
pub struct Tilt<'a> {
    /// `[B, V]`, log p or logits.
    pub logps: Floats<'a>,
    /// `[B, V]`; `-inf` has no share in a tilt with alpha > 0.
    pub rewards: Floats<'a>,
    /// `[B]`: alpha, or with `solve` the divergence that it is to have, >= 0.
    pub alpha: Floats<'a>,
    /// What [`Tilt::alpha`] is.
    pub solve: bool,
    /// `[B]`, d/d log Z.
    pub grad_log_z: Option<Floats<'a>>,
    /// `[B]`, d/d KL.
    pub grad_kl: Option<Floats<'a>>,
}
/// Results of [`Tilt`], and gradients.
#[derive(Debug, Default)]
pub struct TiltOut<'a> {
    /// `[B, V]`: log phi.
    pub log_tilted: Option<FloatsMut<'a>>,
    /// `[B]`
    pub log_z: Option<FloatsMut<'a>>,
    /// `[B]`: mean of the rewards under phi.
    pub mean: Option<FloatsMut<'a>>,
    /// `[B]`: their variance.
    pub variance: Option<FloatsMut<'a>>,
    /// `[B]`: KL(phi || p).
    pub kl: Option<FloatsMut<'a>>,
    /// `[B]`, what was solved for.
    pub alpha: Option<FloatsMut<'a>>,
    /// `[B, V]`
    pub grad_logps: Option<FloatsMut<'a>>,
    /// `[B, V]`
    pub grad_rewards: Option<FloatsMut<'a>>,
    /// `[B]`
    pub grad_alpha: Option<FloatsMut<'a>>,
    /// `[B]`: bits of [`row`].
    pub status: Option<MatrixMut<'a, u32>>,
}
macro_rules! split {
    ($t:ident: $($f:ident)*) => {
        impl Split for $t<'_> {
            fn split(self, row: usize) -> (Self, Self) {
                let (mut a, mut b) = ($t::default(), $t::default());
                $( (a.$f, b.$f) = self.$f.split(row); )*
                (a, b)
            }
        }
    };
}
split!(TiltOut: log_tilted log_z mean variance kl alpha grad_logps grad_rewards grad_alpha status);
impl Tilt<'_> {
    /// Refuses shapes that do not fit, targets that are no divergence and gradients of a solution.
    pub fn check(&self, out: &TiltOut<'_>) -> Result<()> {
        let (b, v) = (self.logps.rows(), self.logps.cols());
        self.rewards.layout().check("rewards", b, v)?;
        self.alpha.layout().check(if self.solve { "target" } else { "alpha" }, b, 1)?;
        rows("grad_log_z", &self.grad_log_z, b)?;
        rows("grad_kl", &self.grad_kl, b)?;
        for i in 0..b {
            let x = self.alpha.get(i);
            if self.solve && !(x >= 0.0) {
                let legal = Value::Range { min: 0.0, max: f64::INFINITY, min_open: false, max_open: false };
                return Err(Error::invalid("target", Value::Float(x), legal));
            }
            if !self.solve && !x.is_finite() {
                return Err(Error::invalid("alpha", Value::Float(x), Value::Text("a finite number")));
            }
        }
        let gradient = [
            ("grad_logps_out", out.grad_logps.is_some()),
            ("grad_rewards_out", out.grad_rewards.is_some()),
            ("grad_alpha_out", out.grad_alpha.is_some()),
        ];
        let given = self.grad_log_z.is_some() || self.grad_kl.is_some();
        if let Some((field, _)) = gradient.iter().find(|x| x.1 && !given) {
            return Err(Error::invalid(
                field,
                Value::Text("a tensor"),
                Value::Text("NULL without grad_log_z and grad_kl"),
            ));
        }
        place_matrix("out_log_tilted", &out.log_tilted, b, v)?;
        place("out_log_z", &out.log_z, b)?;
        place("out_mean", &out.mean, b)?;
        place("out_variance", &out.variance, b)?;
        place("out_kl", &out.kl, b)?;
        place("out_alpha", &out.alpha, b)?;
        place_matrix("grad_logps_out", &out.grad_logps, b, v)?;
        place_matrix("grad_rewards_out", &out.grad_rewards, b, v)?;
        place("grad_alpha_out", &out.grad_alpha, b)?;
        place_of("out_status", &out.status, b)
    }
}
/// Status bits of a row of `n` log-probabilities: a NaN, a `+inf`, no outcome.
pub fn flaws(n: usize, l: Numbers<'_>) -> u32 {
    let (mut status, mut live) = (0, false);
    for j in 0..n {
        let x = l(j);
        status |= if x.is_nan() { row::NAN_INPUT } else { 0 } | if x == f64::INFINITY { row::INF_INPUT } else { 0 };
        live |= x > f64::NEG_INFINITY;
    }
    if status == 0 && !live { row::ALL_NEG_INF } else { status }
}
/// log sum exp of the numbers that `l` gives, and -inf for those to leave out.
pub fn log_sum_exp(n: usize, l: Numbers<'_>) -> f64 {
    let (mut m, mut k) = (f64::NEG_INFINITY, 0);
    for j in 0..n {
        if l(j) > m {
            (m, k) = (l(j), j);
        }
    }
    if m.is_infinite() {
        return m;
    }
    // the maximum's own 1 stays outside: a nearly certain outcome keeps its digits
    let mut rest = 0.0;
    for j in (0..n).filter(|&j| j != k) {
        rest += Real::exp(l(j) - m);
    }
    m + Real::log1p(rest)
}
/// A row tilted by a number: see [`Tilted::new`].
#[derive(Clone, Copy, Debug)]
pub struct Tilted {
    /// log sum exp of the log-probabilities.
    pub lse: f64,
    /// The same of the outcomes that have a share.
    pub lse_live: f64,
    /// Mean of their rewards under p among them.
    pub centre: f64,
    /// log Z among them less alpha times the centre.
    pub kappa: f64,
    /// log Z
    pub log_z: f64,
    /// Reward of the likeliest outcome.
    anchor: f64,
    /// What the mean is above it.
    shift: f64,
    /// Mean of the rewards under phi.
    pub mean: f64,
    /// Their variance.
    pub variance: f64,
    /// KL(phi || p)
    pub kl: f64,
}
/// Whether an outcome has a share.
fn shares(l: f64, r: f64, alpha: f64) -> bool {
    l > f64::NEG_INFINITY && (r > f64::NEG_INFINITY || alpha == 0.0)
}
/// A reward whose outcome has a share; one of `-inf` has it only where rewards do not count.
fn of(r: f64) -> f64 {
    if r == f64::NEG_INFINITY { 0.0 } else { r }
}
impl Tilted {
    /// Of a row without flaws in which some outcome has a share. With s = alpha (r - E_p r), kappa = log1p(sum p (e^s - 1 - s))
    /// and v = s - kappa the divergence is the sum of p (v e^v - (e^v - 1)), every term >= 0.
    pub fn new(n: usize, l: Numbers<'_>, r: Numbers<'_>, alpha: f64) -> Tilted {
        let on = |j: usize| shares(l(j), r(j), alpha);
        let lse = log_sum_exp(n, l);
        let lse_live = log_sum_exp(n, &|j| if on(j) { l(j) } else { f64::NEG_INFINITY });
        let p = |j: usize| Real::exp(l(j) - lse_live);
        let mut centre = 0.0;
        let first = (0..n).find(|&j| on(j)).map_or(0.0, |j| of(r(j)));
        for j in (0..n).filter(|&j| on(j)) {
            centre += p(j) * (of(r(j)) - first);
        }
        centre += first;
        let s = |j: usize| alpha * (of(r(j)) - centre);
        let (mut sum, mut most) = (0.0, 0.0);
        for j in (0..n).filter(|&j| on(j)) {
            most = if s(j).abs() > most { s(j).abs() } else { most };
        }
        let kappa = if most < 30.0 {
            // sum p s is what rounding leaves of 0
            let mut drift = 0.0;
            for j in (0..n).filter(|&j| on(j)) {
                sum += p(j) * s(j).exp_rem();
                drift += p(j) * s(j);
            }
            (sum + drift).log1p()
        } else {
            log_sum_exp(n, &|j| if on(j) { (l(j) - lse_live) + s(j) } else { f64::NEG_INFINITY })
        };
        let (mut kl, mut most, mut anchor) = (0.0, 0.0, centre);
        for j in (0..n).filter(|&j| on(j)) {
            let (p, v) = (p(j), s(j) - kappa);
            let phi = Real::exp((l(j) - lse_live) + v);
            kl += if v.abs() < 0.5 { p * (v * v.expm1() - v.exp_rem()) } else { phi * v - (phi - p) };
            if phi > most {
                (most, anchor) = (phi, of(r(j)));
            }
        }
        let phi = |j: usize| Real::exp((l(j) - lse_live) + (s(j) - kappa));
        let (mut shift, mut variance) = (0.0, 0.0);
        for j in (0..n).filter(|&j| on(j)) {
            shift += phi(j) * (of(r(j)) - anchor);
        }
        for j in (0..n).filter(|&j| on(j)) {
            let d = (of(r(j)) - anchor) - shift;
            variance += phi(j) * d * d;
        }
        let outside = lse_live - lse;
        let kl = (if kl < 0.0 { 0.0 } else { kl }) - outside;
        Tilted {
            lse,
            lse_live,
            centre,
            kappa,
            log_z: alpha * centre + kappa + outside,
            anchor,
            shift,
            mean: anchor + shift,
            variance,
            kl,
        }
    }
    /// r less the mean, which keeps its digits where one outcome is nearly certain; 0 for `-inf`.
    pub fn above_mean(&self, r: f64) -> f64 {
        if r == f64::NEG_INFINITY { 0.0 } else { (r - self.anchor) - self.shift }
    }
    /// log phi of an outcome.
    pub fn log_phi(&self, l: f64, r: f64, alpha: f64) -> f64 {
        if !shares(l, r, alpha) {
            return f64::NEG_INFINITY;
        }
        (l - self.lse_live) + (alpha * (of(r) - self.centre) - self.kappa)
    }
}
/// alpha >= 0 with KL(phi || p) = `target`: Newton's steps inside a bracket, which doubles while it is open. `+inf` where no
/// tilt is so far from p.
pub fn solve(n: usize, l: Numbers<'_>, r: Numbers<'_>, target: f64) -> f64 {
    if target == 0.0 {
        return 0.0;
    }
    let lse = log_sum_exp(n, l);
    let most =
        (0..n).filter(|&j| l(j) > f64::NEG_INFINITY).map(r).fold(f64::NEG_INFINITY, |m, r| if r > m { r } else { m });
    let top = log_sum_exp(n, &|j| if r(j) == most { l(j) } else { f64::NEG_INFINITY });
    // outcomes without a share are left by every alpha > 0
    let start = Tilted::new(n, l, r, f64::MIN_POSITIVE);
    if target >= lse - top || start.variance == 0.0 || target < start.kl {
        return if target < start.kl && start.kl > 0.0 { 0.0 } else { f64::INFINITY };
    }
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mut alpha = Real::exp(0.5 * Real::log(2.0 * (target - start.kl) / start.variance));
    for _ in 0..200 {
        let x = Tilted::new(n, l, r, alpha);
        let off = x.kl - target;
        if off.abs() <= 4.0 * f64::EPSILON * target {
            break;
        }
        if off > 0.0 {
            high = alpha;
        } else {
            low = alpha;
        }
        let step = alpha - off / (alpha * x.variance);
        let next = if step > low && step < high {
            step
        } else if high == f64::INFINITY {
            2.0 * alpha
        } else {
            0.5 * (low + high)
        };
        if next == alpha || next == low || next == high {
            break;
        }
        alpha = next;
    }
    alpha
}

/// Which number two rows of log-probabilities give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// Renyi's divergence D_tau(q || p) = log(sum q^tau p^(1 - tau)) / (tau - 1), both rows softmaxed; 1: KL, 0: -log p(support of
    /// q), inf: the largest log q - log p.
    Divergence,
    /// H_tau(p; q) = log(sum p q^(tau - 1)) / (1 - tau), rows as they are; 1: -sum p log q.
    CrossEntropy,
}
/// Renyi's divergence or cross entropy of the rows of two arrays.
#[derive(Clone, Copy, Debug)]
pub struct Renyi<'a> {
    /// `[B, V]`: log q of the divergence, log p of the cross entropy.
    pub first: Floats<'a>,
    /// `[B, V]`: log p, log q.
    pub second: Floats<'a>,
    /// tau, >= 0; infinite for the divergence alone.
    pub order: f64,
    /// The number.
    pub pairing: Pairing,
    /// `[B]`, d/d values.
    pub grad_values: Option<Floats<'a>>,
}
/// Results of [`Renyi`].
#[derive(Debug, Default)]
pub struct RenyiOut<'a> {
    /// `[B]`
    pub values: Option<FloatsMut<'a>>,
    /// `[B, V]`
    pub grad_first: Option<FloatsMut<'a>>,
    /// `[B, V]`
    pub grad_second: Option<FloatsMut<'a>>,
    /// `[B]`
    pub status: Option<MatrixMut<'a, u32>>,
}
split!(RenyiOut: values grad_first grad_second status);
impl Renyi<'_> {
    /// Refuses shapes that do not fit and orders out of range.
    pub fn check(&self, out: &RenyiOut<'_>) -> Result<()> {
        let (b, v) = (self.first.rows(), self.first.cols());
        self.second.layout().check("second", b, v)?;
        rows("grad_values", &self.grad_values, b)?;
        let open = self.pairing == Pairing::CrossEntropy;
        if !(self.order >= 0.0) || open && self.order == f64::INFINITY {
            let legal = Value::Range { min: 0.0, max: f64::INFINITY, min_open: false, max_open: open };
            return Err(Error::invalid("order", Value::Float(self.order), legal));
        }
        for (field, wanted) in
            [("grad_first_out", out.grad_first.is_some()), ("grad_second_out", out.grad_second.is_some())]
        {
            if wanted && self.grad_values.is_none() {
                return Err(Error::invalid(field, Value::Text("a tensor"), Value::Text("NULL without grad_values")));
            }
        }
        place("out_values", &out.values, b)?;
        place_matrix("grad_first_out", &out.grad_first, b, v)?;
        place_matrix("grad_second_out", &out.grad_second, b, v)?;
        place_of("out_status", &out.status, b)
    }
}
/// What the gradients of a row of [`Renyi`] need beside its value.
#[derive(Clone, Copy, Debug)]
pub struct RenyiRow {
    /// D or H.
    pub value: f64,
    lse: [f64; 2],
    /// Difference of the two, without its error.
    gamma: f64,
    /// log of the sum.
    log_sum: f64,
    /// Column of the largest log ratio, of order 1 that of the largest q.
    column: usize,
    /// Of order 1: log q - log p there without normalisers, and the mean under q of what the others have above it.
    anchor: f64,
    mean: f64,
}
impl RenyiRow {
    /// Of a row without flaws.
    pub fn new(pairing: Pairing, order: f64, n: usize, a: Numbers<'_>, b: Numbers<'_>) -> RenyiRow {
        let dead = f64::NEG_INFINITY;
        let mut x = RenyiRow { value: 0.0, lse: [0.0; 2], gamma: 0.0, log_sum: 0.0, column: 0, anchor: 0.0, mean: 0.0 };
        if pairing == Pairing::CrossEntropy {
            let live = |j: usize| a(j) > dead;
            if order == 1.0 {
                for j in (0..n).filter(|&j| live(j)) {
                    x.value -= Real::exp(a(j)) * b(j);
                }
                return x;
            }
            // 0 to a negative power
            let hole = order < 1.0 && (0..n).any(|j| live(j) && b(j) == dead);
            x.log_sum = log_sum_exp(n, &|j| if live(j) && b(j) > dead { a(j) + (order - 1.0) * b(j) } else { dead });
            x.value = if hole { f64::INFINITY } else { x.log_sum / (1.0 - order) };
            return x;
        }
        x.lse = [log_sum_exp(n, a), log_sum_exp(n, b)];
        x.gamma = x.lse[0] - x.lse[1];
        let mut apart = 0.0;
        for j in (0..n).filter(|&j| a(j) > dead || b(j) > dead) {
            let c = x.at(a(j), b(j));
            apart += difference(c.p[0], c.p[1], c.d);
        }
        x.gamma += refine(apart).unwrap_or(0.0);
        let ratios = x;
        let c = |j: usize| ratios.at(a(j), b(j));
        if order == f64::INFINITY {
            x.value = dead;
            let mut column = 0;
            for j in (0..n).filter(|&j| a(j) > dead) {
                if c(j).d > x.value {
                    (x.value, column) = (c(j).d, j);
                }
            }
            // at least 0: the masses are equal
            (x.value, x.column) = (if x.value < 0.0 { 0.0 } else { x.value }, column);
            return x;
        }
        if order == 0.0 {
            x.value = x.lse[1] - log_sum_exp(n, &|j| if a(j) > dead { b(j) } else { dead });
            return x;
        }
        let mut sum = 0.0;
        for j in (0..n).filter(|&j| a(j) > dead || b(j) > dead) {
            let c = c(j);
            sum += if order == 1.0 { term(c.p[0], c.p[1], c.d) } else { psi(&c, order, 1.0 - order) };
        }
        if order == 1.0 {
            x.value = sum;
            for j in 0..n {
                if a(j) > a(x.column) {
                    x.column = j;
                }
            }
            x.anchor = a(x.column) - b(x.column);
            for j in (0..n).filter(|&j| a(j) > dead) {
                x.mean += c(j).p[0] * ((a(j) - b(j)) - x.anchor);
            }
            return x;
        }
        let hole = order > 1.0 && (0..n).any(|j| a(j) > dead && b(j) == dead);
        x.log_sum = if hole {
            f64::INFINITY
        } else if sum.abs() < 0.5 {
            (-sum).log1p()
        } else {
            log_sum_exp(n, &|j| if a(j) > dead && b(j) > dead { power(&c(j), order, 1.0 - order) } else { dead })
        };
        let value = x.log_sum / (order - 1.0);
        x.value = if value < 0.0 { 0.0 } else { value };
        x
    }
    /// A column of the divergence.
    fn at(&self, a: f64, b: f64) -> Column<f64> {
        let log = [a - self.lse[0], b - self.lse[1]];
        let dead = f64::NEG_INFINITY;
        let d = if log[0] == dead && log[1] == dead { 0.0 } else { (a - b) - self.gamma };
        Column { p: log.map(Real::exp), log, r: d, d, x: log, finite: false }
    }
    /// d value / d a and d b of a column.
    pub fn gradient(&self, pairing: Pairing, order: f64, j: usize, a: f64, b: f64, hit: f64) -> [f64; 2] {
        let dead = f64::NEG_INFINITY;
        if pairing == Pairing::CrossEntropy {
            if a == dead {
                return [0.0; 2];
            }
            if order == 1.0 {
                return [-Real::exp(a) * b, -Real::exp(a)];
            }
            let rho = if b == dead { 0.0 } else { Real::exp(a + (order - 1.0) * b - self.log_sum) };
            return [rho / (1.0 - order), -rho];
        }
        let c = self.at(a, b);
        let [q, p] = c.p;
        if order == f64::INFINITY {
            let one = if j == self.column { 1.0 } else { 0.0 };
            return [one - q, p - one];
        }
        if order == 0.0 {
            return [0.0, if a > dead { p - p / hit } else { p }];
        }
        if order == 1.0 {
            let own = if q > 0.0 { q * (((a - b) - self.anchor) - self.mean) } else { 0.0 };
            return [own, -difference(q, p, c.d)];
        }
        let both = a > dead && b > dead;
        let e = |s: f64| s * c.d - self.log_sum;
        let pi = if both { Real::exp(power(&c, order, 1.0 - order) - self.log_sum) } else { 0.0 };
        let (to_p, to_q) =
            if both { (difference(pi, p, e(order)), difference(pi, q, e(order - 1.0))) } else { (-p, -q) };
        [-order / (1.0 - order) * to_q, -to_p]
    }
    /// Mass under p of the support of q, which order 0 reads.
    pub fn hit(&self) -> f64 {
        Real::exp(-self.value)
    }
}

/// The best of n independent draws from p by reward, exactly; equal rewards share alike.
#[derive(Clone, Copy, Debug)]
pub struct BestOfN<'a> {
    /// `[B, V]`, log p or logits.
    pub logps: Floats<'a>,
    /// `[B, V]`, no NaN.
    pub rewards: Floats<'a>,
    /// n >= 1, any real number.
    pub n: f64,
    /// The worst instead.
    pub worst: bool,
}
/// Results of [`BestOfN`].
#[derive(Debug, Default)]
pub struct BestOfNOut<'a> {
    /// `[B, V]`: log-probabilities of the selected outcome.
    pub log_pmf: Option<FloatsMut<'a>>,
    /// `[B]`: their KL to p.
    pub kl: Option<FloatsMut<'a>>,
    /// `[B]`: probability that it beats a draw from p, ties half.
    pub win_rate: Option<FloatsMut<'a>>,
    /// `[B]`
    pub status: Option<MatrixMut<'a, u32>>,
}
fn check_draws(n: f64) -> Result<()> {
    if !(1.0..f64::INFINITY).contains(&n) {
        let legal = Value::Range { min: 1.0, max: f64::INFINITY, min_open: false, max_open: true };
        return Err(Error::invalid("n", Value::Float(n), legal));
    }
    Ok(())
}
impl BestOfN<'_> {
    /// Refuses shapes that do not fit and n below 1.
    pub fn check(&self, out: &BestOfNOut<'_>) -> Result<()> {
        let (b, v) = (self.logps.rows(), self.logps.cols());
        self.rewards.layout().check("rewards", b, v)?;
        check_draws(self.n)?;
        place_matrix("out_log_pmf", &out.log_pmf, b, v)?;
        place("out_kl", &out.kl, b)?;
        place("out_win_rate", &out.win_rate, b)?;
        place_of("out_status", &out.status, b)
    }
    /// The figures of a row without flaws, KL and win rate; `order` holds its outcomes by ascending reward (descending for the
    /// worst), `put` takes what log-probability the selected outcomes have relative to p.
    pub fn row(&self, order: &[u32], l: Numbers<'_>, r: Numbers<'_>, mut put: impl FnMut(usize, f64)) -> [f64; 2] {
        let lse = log_sum_exp(order.len(), l);
        let p = |j: u32| Real::exp(l(j as usize) - lse);
        let (mut below, mut first, mut kl, mut wins) = (0.0, 0, 0.0, 0.0);
        while first < order.len() {
            let reward = r(order[first] as usize);
            let (mut end, mut mass) = (first, 0.0);
            while end < order.len() && r(order[end] as usize) == reward {
                mass += p(order[end]);
                end += 1;
            }
            // the last live group ends at 1, whatever the rounding of the sum
            let last = order[end..].iter().all(|&j| l(j as usize) == f64::NEG_INFINITY);
            let all = if last { 1.0 } else { below + mass };
            let mut gain = 0.0;
            if mass > 0.0 {
                let share = mass / all;
                let log = if share >= 1.0 { 0.0 } else { (self.n * (-share).log1p()).log1mexp() };
                let log_b = if self.n == 1.0 { Real::log(mass) } else { self.n * Real::log(all) + log };
                gain = log_b - Real::log(mass);
                let b = Real::exp(log_b);
                kl += term(b, mass, gain);
                wins += b * (below + 0.5 * mass);
            }
            for &j in &order[first..end] {
                put(
                    j as usize,
                    if l(j as usize) == f64::NEG_INFINITY { f64::NEG_INFINITY } else { (l(j as usize) - lse) + gain },
                );
            }
            (below, first) = (all, end);
        }
        [kl, wins]
    }
}

/// The KL of the best of n draws to p, from the log-probability L of the draw that was chosen alone:
/// `e^a (log n + (n - 1) log(1 - e^L) - (n - 1) / n) + q (log q - L)`, a = n log(1 - e^L), q = 1 - e^a. Rewards are taken to differ;
/// that the mean over draws bounds the KL of [`BestOfN`] from above is a conjecture.
#[derive(Clone, Copy, Debug)]
pub struct BestOfNEstimate<'a> {
    /// `[B]`, <= 0.
    pub logps: Floats<'a>,
    /// n >= 1, any real number.
    pub n: f64,
}
/// Results of [`BestOfNEstimate`].
#[derive(Debug, Default)]
pub struct BestOfNEstimateOut<'a> {
    /// `[B]`, nats.
    pub kl: Option<FloatsMut<'a>>,
    /// `[B]`: bits of [`row`].
    pub status: Option<MatrixMut<'a, u32>>,
}
split!(BestOfNEstimateOut: kl status);
impl BestOfNEstimate<'_> {
    /// Refuses shapes that do not fit and n below 1.
    pub fn check(&self, out: &BestOfNEstimateOut<'_>) -> Result<()> {
        let b = self.logps.rows();
        self.logps.layout().check("logps", b, 1)?;
        check_draws(self.n)?;
        place("out_kl", &out.kl, b)?;
        place_of("out_status", &out.status, b)
    }
    /// The estimate of one draw and its status: NaN for a log-probability that is NaN or above 0. One of `-inf` gives the limit,
    /// log n - (n - 1) / n.
    pub fn row(&self, l: f64) -> (f64, u32) {
        let n = self.n;
        if l.is_nan() || l > 0.0 {
            let above = if l == f64::INFINITY { row::INF_INPUT } else { row::DEGENERATE };
            return (f64::NAN, if l.is_nan() { row::NAN_INPUT } else { above });
        }
        if l == 0.0 || n == 1.0 {
            return (0.0, 0);
        }
        let (p, left) = (Real::exp(l), l.log1mexp());
        let a = n * left;
        let (none, q) = (Real::exp(a), -a.expm1());
        // where q underflows with p the difference of their logarithms does not
        let gain = if n * p < 1e-8 { Real::log(n) - 0.5 * (n - 1.0) * p } else { a.log1mexp() - l };
        // 0 times the logarithm of 0
        let lost = if none == 0.0 { 0.0 } else { none * (Real::log(n) + (n - 1.0) * left - (n - 1.0) / n) };
        (lost + q * gain, 0)
    }
}
