//! What a set of columns of two rows is reduced to where a divergence divides by the chain rule: with the parts b of a set,
//! their masses T_b and P_b and the distributions inside them,
//! `KL(t || p) = sum over b of T_b KL_b + F(T_b, P_b, log T_b - log P_b)`, every term >= 0, and the others alike
//! ([`Formula::inner`]). So a block is finished while it is in the cache, and a row is read once.
//!
//! A block's gamma is refined by its own sum of a - b; two parts join by d_b = log T_b - log P_b, which comes from the
//! difference of their gammas where that is small, so that nothing is lost where both rows are nearly alike.
use super::formula::{Column, Formula, Pair, Sums, power};
use super::{Form, refine};
use crate::real::Real;
use crate::record::{Node, Record};
use crate::with_formula;

/// The joint record of both sides.
#[derive(Clone, Copy, Debug)]
pub struct Joint {
    /// Records of a and b.
    pub sides: [Record; 2],
    /// log sum exp of a less that of b, both less their maxima, without its error.
    pub gamma: f32,
    /// Values of the distributions on these columns, see [`Form::parts`]; of [`Form::Power`] the second is the logarithm of its
    /// sum, which a value near its end does not hold.
    pub value: [f32; 2],
    /// Means of the weights relative to those at the largest columns.
    pub mean: [f32; 2],
    /// Transformed logits of b at the largest column of a, and of a at that of b.
    pub other: [f32; 2],
    form: Form,
}
impl Joint {
    /// The constants inside a block, of which both sides have a live column and nothing bad; else none.
    #[inline(always)]
    pub fn pair(form: &Form, sides: &[Record; 2]) -> Option<Pair> {
        let [a, b] = sides;
        (!super::bad(a) && !super::bad(b)).then(|| Pair::new(form, [a.m, b.m], [a.r, b.r], [false; 2]))
    }
    /// Of a block: `sums` of its columns with the constants `k`, where there are any. `log_power` gives
    /// log sum a^alpha b^(1 - alpha) directly, for rows that are far apart.
    #[inline(always)]
    pub fn of_block(
        form: &Form,
        sides: [Record; 2],
        found: Option<(&Pair, &Sums)>,
        other: [f32; 2],
        log_power: impl FnOnce() -> f64,
    ) -> Joint {
        let mut x = Joint { sides, other, form: *form, ..Joint::EMPTY };
        if let Some((k, sums)) = found {
            let error = refine(sums.delta as f64).unwrap_or(0.0);
            x.gamma = (k.gamma as f64 + error) as f32;
            let mut value = form.parts(sums);
            if let Form::Power { .. } = form {
                value[1] = log_of_rest(value[0], log_power);
            }
            x.value = value.map(|v| v as f32);
            x.mean = sums.moments;
        }
        x
    }
    /// Of columns whose sums were made in another way.
    pub fn of_values(
        form: &Form,
        sides: [Record; 2],
        gamma: f64,
        value: [f64; 2],
        mean: [f64; 2],
        other: [f32; 2],
    ) -> Joint {
        let [value, mean] = [value, mean].map(|x| x.map(|x| x as f32));
        Joint { sides, gamma: gamma as f32, value, mean, other, form: *form }
    }
    /// Of columns whose values are not known yet.
    pub fn of_sides(form: &Form, sides: [Record; 2], other: [f32; 2]) -> Joint {
        Joint { sides, other, form: *form, ..Joint::EMPTY }
    }
    /// The 16 numbers of a part of a row, whole ones as their bits.
    pub fn pack(&self) -> [f32; super::STATS] {
        let [a, b] = &self.sides;
        let word = f32::from_bits;
        let flags = word(a.flags | b.flags);
        let ([v, w], [ma, mb], [oa, ob]) = (self.value, self.mean, self.other);
        [a.m, a.r, a.u, word(a.k), b.m, b.r, b.u, word(b.k), self.gamma, v, w, ma, mb, oa, ob, flags]
    }
    /// The inverse of [`Joint::pack`].
    pub fn unpack(form: &Form, x: &[f32]) -> Joint {
        let side = |i: usize| Record {
            m: x[i],
            r: x[i + 1],
            u: x[i + 2],
            k: x[i + 3].to_bits(),
            flags: x[15].to_bits(),
            ..Record::EMPTY
        };
        Joint {
            sides: [side(0), side(4)],
            gamma: x[8],
            value: [x[9], x[10]],
            mean: [x[11], x[12]],
            other: [x[13], x[14]],
            form: *form,
        }
    }
    fn empty(&self) -> bool {
        self.sides.iter().all(|x| x.m == f32::NEG_INFINITY)
    }
    /// A part among `sides`: the logarithms of its masses, and the masses.
    #[inline(always)]
    fn masses(&self, sides: &[Record; 2], all: [f64; 2]) -> [[f64; 2]; 2] {
        let (mut log, mut mass) = ([f64::NEG_INFINITY; 2], [0.0; 2]);
        for i in 0..2 {
            let x = &self.sides[i];
            if x.m > f32::NEG_INFINITY {
                log[i] = (x.m as f64 - sides[i].m as f64) + (x.log_sum() - all[i]);
                mass[i] = Real::exp(log[i]);
            }
        }
        [log, mass]
    }
    /// The values where the masses of the whole row are not 1, as those of a teacher's own log-probs: `log` of a's and b's.
    pub fn scaled(&self, log: [f64; 2]) -> [f64; 2] {
        together(
            &self.form,
            &[Part { log, mass: log.map(Real::exp), d: log[0] - log[1], inside: self.value.map(f64::from) }],
        )
    }
}
/// A part of a set: its masses, their logarithms and difference, the values inside.
#[derive(Clone, Copy)]
struct Part<R> {
    log: [R; 2],
    mass: [R; 2],
    d: R,
    inside: [R; 2],
}
impl<R: Real> Part<R> {
    #[inline(always)]
    fn column(&self) -> Column<R> {
        Column { p: self.mass, log: self.log, r: self.d, d: self.d, x: self.log, finite: false }
    }
}
/// Two parts of a set, live on both sides, of as many sets as `R` has lanes: what joins their [`Joint`]s.
#[derive(Clone, Copy, Debug)]
pub struct Halves<R> {
    /// Maxima of a and b of the parts.
    pub m: [[R; 2]; 2],
    /// Those of the set.
    pub top: [R; 2],
    /// [`Record::log_sum`] of a and b of the parts.
    pub log: [[R; 2]; 2],
    /// Those of the set.
    pub all: [R; 2],
    /// [`Joint::gamma`] of the parts.
    pub gamma: [R; 2],
    /// [`Joint::value`] of the parts.
    pub value: [[R; 2]; 2],
}
impl<R: Real> Halves<R> {
    /// Logarithms of the masses of part `i`.
    #[inline(always)]
    fn logs(&self, i: usize) -> [R; 2] {
        let mut log = self.top;
        for side in 0..2 {
            log[side] = (self.m[i][side] - self.top[side]) + (self.log[i][side] - self.all[side]);
        }
        log
    }
    /// How far the maxima of part `i` lie below the set's, on a less on b.
    #[inline(always)]
    fn below(&self, i: usize) -> R {
        (self.m[i][0] - self.top[0]) - (self.m[i][1] - self.top[1])
    }
    /// gamma of the set and the log ratios of the parts' masses, `mass` those of the second.
    #[inline(always)]
    fn distances(&self, mass: [R; 2]) -> (R, [R; 2]) {
        let [[ma, mb], [na, nb]] = self.m;
        let apart = ((na - ma) - (nb - mb)) + (self.gamma[1] - self.gamma[0]);
        let (zero, one, size) = (apart.lit(0.0), apart.lit(1.0), apart.abs());
        let l = (zero.select_le(apart, mass[0], mass[1]) * (-size).expm1()).log1p();
        let eta = zero.select_le(apart, -l, l);
        let joint = size.select_le(one, self.below(0) + (self.gamma[0] + eta), self.all[0] - self.all[1]);
        let far = [self.below(0) + (self.gamma[0] - joint), self.below(1) + (self.gamma[1] - joint)];
        (joint, [size.select_le(one, -eta, far[0]), size.select_le(one, apart - eta, far[1])])
    }
    /// gamma and the values of the set, for a form other than [`Form::Power`].
    #[inline(always)]
    pub fn join(&self, form: &Form) -> (R, [R; 2]) {
        let (log, mut mass) = ([self.logs(0), self.logs(1)], self.m);
        for i in 0..2 {
            for side in 0..2 {
                mass[i][side] = log[i][side].exp();
            }
        }
        let (joint, d) = self.distances(mass[1]);
        let first = Part { log: log[0], mass: mass[0], d: d[0], inside: self.value[0] };
        let second = Part { log: log[1], mass: mass[1], d: d[1], inside: self.value[1] };
        (joint, sums_of_parts(form, &[first, second]))
    }
}
/// log(1 - c), from c where that keeps its digits.
#[inline(always)]
fn log_of_rest(c: f64, directly: impl FnOnce() -> f64) -> f64 {
    if c.abs() < 0.5 { (-c).log1p() } else { directly() }
}
/// What the parts add to the values.
#[inline(always)]
fn sums_of_parts<R: Real, const N: usize>(form: &Form, parts: &[Part<R>; N]) -> [R; 2] {
    let k = Pair { p: form.params(), ..Pair::default() };
    let (zero, inf) = (parts[0].d.lit(0.0), parts[0].d.lit(f64::INFINITY));
    let mut value = [zero; 2];
    with_formula!(form, F => {
        if F::CHAIN {
            for x in parts {
                let c = x.column();
                let (first, inner) = (F::sums(&k, &c), F::inner(&k, &c));
                for i in 0..if F::SUMS < 2 { F::SUMS } else { 2 } {
                    // infinite however little of the row this part is
                    let (inside, size) = (x.inside[i], x.inside[i].abs());
                    let inside = size.select_le(zero, inside, inf.select_le(size, inside, inner[i] * inside));
                    value[i] = value[i] + (first[i] + inside);
                }
            }
        }
    });
    value
}
/// The values of the parts together.
#[inline(always)]
fn together<const N: usize>(form: &Form, parts: &[Part<f64>; N]) -> [f64; 2] {
    let mut value = sums_of_parts(form, parts);
    if let Form::Power { .. } = form {
        let k = Pair { p: form.params(), ..Pair::default() };
        value[1] = log_of_rest(value[0], || {
            let log = |x: &Part<f64>| {
                let both = x.mass[0] > 0.0 && x.mass[1] > 0.0;
                if both { power(&x.column(), k.p[0] as f64, k.p[1] as f64) + x.inside[1] } else { half(&k, x) }
            };
            let most = parts.iter().map(log).fold(f64::NEG_INFINITY, |m, x| if x > m { x } else { m });
            if most.is_infinite() {
                return most;
            }
            most + Real::log(parts.iter().map(|x| Real::exp(log(x) - most)).sum::<f64>())
        });
    }
    value
}
/// log a^s b^(1 - s) of a part that is dead on a side.
fn half(k: &Pair, x: &Part<f64>) -> f64 {
    let exponent = if x.mass[0] > 0.0 { k.p[1] } else { k.p[0] };
    if (x.mass[0] > 0.0 || x.mass[1] > 0.0) && exponent < 0.0 { f64::INFINITY } else { f64::NEG_INFINITY }
}
impl Node for Joint {
    const EMPTY: Joint = Joint {
        sides: [Record::EMPTY; 2],
        gamma: 0.0,
        value: [0.0; 2],
        mean: [0.0; 2],
        other: [f32::NEG_INFINITY; 2],
        form: Form::Zero,
    };
    #[inline(always)]
    fn merge(self, b: Joint) -> Joint {
        let sides = [self.sides[0].merge(b.sides[0]), self.sides[1].merge(b.sides[1])];
        if b.empty() {
            return Joint { sides, ..self };
        }
        if self.empty() {
            return Joint { sides, ..b };
        }
        if sides.iter().any(Record::poisoned) {
            return Joint { sides, form: self.form, ..Joint::EMPTY };
        }
        let parts = [&self, &b];
        let all = [sides[0].log_sum(), sides[1].log_sum()];
        let of = |x: usize, i: usize| parts[x].sides[i].m as f64;
        let masses = [self.masses(&sides, all), b.masses(&sides, all)];
        let live = |x: usize| of(x, 0) > f64::NEG_INFINITY && of(x, 1) > f64::NEG_INFINITY;
        let halves = Halves {
            m: [0, 1].map(|x| [of(x, 0), of(x, 1)]),
            top: sides.map(|x| x.m as f64),
            log: parts.map(|x| x.sides.map(|x| x.log_sum())),
            all,
            gamma: parts.map(|x| x.gamma as f64),
            value: parts.map(|x| x.value.map(f64::from)),
        };
        let (joint, d) = if live(0) && live(1) {
            halves.distances(masses[1][1])
        } else {
            let joint = all[0] - all[1];
            let d = [0, 1].map(|x| {
                if live(x) { halves.below(x) + (halves.gamma[x] - joint) } else { masses[x][0][0] - masses[x][0][1] }
            });
            (joint, d)
        };
        let mut x = Joint { sides, gamma: joint as f32, form: self.form, ..Joint::EMPTY };
        let part = |x: usize| Part { log: masses[x][0], mass: masses[x][1], d: d[x], inside: halves.value[x] };
        x.value = together(&self.form, &[part(0), part(1)]).map(|v| v as f32);
        for i in 0..2 {
            let (keep, lose) = if of(1, i) > of(0, i) { (1, 0) } else { (0, 1) };
            let (kept, lost) = (parts[keep], parts[lose]);
            x.other[i] = kept.other[i];
            let mut mean = masses[keep][1][i] * kept.mean[i] as f64;
            let step = (of(lose, i) - of(keep, i)) - (lost.other[i] as f64 - kept.other[i] as f64);
            // infinite weights belong to an infinite value
            if masses[lose][1][i] > 0.0 && step.is_finite() {
                mean += masses[lose][1][i] * (lost.mean[i] as f64 + step);
            }
            x.mean[i] = mean as f32;
        }
        x
    }
}
