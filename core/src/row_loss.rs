//! The loss of a row of logits: smoothed, weighted, scaled negative log-prob of the target, plus a z-loss.
//!
//! With L = log(1 + r), t = x_y - m and the record's other sums:
//!
//! ```text
//! loss = omega [(1 - s) c_y (L - t) + s / live (W L - sum c_j a_j)] + lambda lse^2
//! ```
//!
//! s is the label smoothing, c_j the class weights and W their sum over the live columns (1 and `live` without them), lambda
//! `z_loss`, omega the token scaling, a constant. Dead columns leave the mean. This equals torch's cross entropy with
//! `label_smoothing` and `weight`; [`Smoothing::Megatron`] puts s live / (live - 1) in the place of s. A factor of 0 removes
//! its term, also where that is infinite.
//!
//! Sources: DFT (arXiv 2508.05629), CHORD (arXiv 2508.11408), EAFT (arXiv 2601.02151), z-loss (PaLM, arXiv 2204.02311).
use crate::error::{Error, Result, Value};
use crate::logprob::{Problem, Rows, Target};
use crate::matrix::{Floats, Matrix};
pub use crate::preference::Reduction;
use crate::real::Real;
use crate::record::{self, Record, RowFloat, RowUpstream};

/// Columns that the entropy of [`Scaling::Eaft`] is taken over.
pub const EAFT: usize = 20;
/// Most columns of a top-k list.
pub const MOST: usize = 512;

/// What label smoothing means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Smoothing {
    /// (1 - s) nll + s mean over the live columns.
    Torch,
    /// The same with s live / (live - 1) for s, at most 1; no smoothing of a single live column.
    Megatron,
}
/// Constant factor omega on the negative log-prob, not differentiated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scaling {
    /// 1.
    #[default]
    None,
    /// p of the target.
    Dft,
    /// p (1 - p) of the target.
    ChordPhi,
    /// (H / 3)^alpha, H the entropy of the softmax over the [`EAFT`] largest live columns.
    Eaft,
    /// H^alpha.
    EaftRaw,
    /// [`RowLossInputs::external_scale`].
    External,
}
/// Settings of the row loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowLoss {
    /// s, in `[0, 1)`.
    pub label_smoothing: f64,
    /// Which smoothing; needed with `label_smoothing`.
    pub smoothing: Option<Smoothing>,
    /// lambda, finite, >= 0, per square nat.
    pub z_loss: f64,
    /// omega.
    pub scaling: Scaling,
    /// alpha of the two entropies, finite, >= 0.
    pub eaft_alpha: f64,
    /// How the rows become one number; needed for that number and its gradient.
    pub reduction: Option<Reduction>,
    /// Replaces the divisor of the reduction, finite and > 0; 0 is off.
    pub normaliser: f64,
}
impl Default for RowLoss {
    /// The negative log-prob.
    fn default() -> Self {
        RowLoss {
            label_smoothing: 0.0,
            smoothing: None,
            z_loss: 0.0,
            scaling: Scaling::None,
            eaft_alpha: 1.0,
            reduction: None,
            normaliser: 0.0,
        }
    }
}
/// Arrays of the row loss.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowLossInputs<'a> {
    /// c of the whole vocabulary, finite, >= 0.
    pub class_weight: Option<Floats<'a>>,
    /// omega `[N]`, finite, >= 0; exactly with [`Scaling::External`].
    pub external_scale: Option<Matrix<'a, f32>>,
}
impl RowLoss {
    /// Refuses settings outside their ranges; `valid` is the number of columns that can be live.
    pub fn check(&self, valid: usize) -> Result<()> {
        let range = |max, min_open| Value::Range { min: 0.0, max, min_open, max_open: true };
        let s = self.label_smoothing;
        if !(0.0..1.0).contains(&s) {
            return Err(Error::invalid("row_loss.label_smoothing", Value::Float(s), range(1.0, false)));
        }
        if s > 0.0 && self.smoothing.is_none() {
            let expected = Value::Text("a form of smoothing, which label_smoothing needs");
            return Err(Error::invalid("row_loss.smoothing_form", Value::Text("none"), expected));
        }
        if s > 0.0 && self.smoothing == Some(Smoothing::Megatron) && valid > 1 && spread(s, valid) > 1.0 {
            let expected = Value::Text("at most 1 - 1 / V in the form of Megatron");
            return Err(Error::invalid("row_loss.label_smoothing", Value::Float(s), expected));
        }
        let (infinite, finite) = (range(f64::INFINITY, false), |x: f64| (0.0..f64::INFINITY).contains(&x));
        for (field, x) in [("row_loss.z_loss", self.z_loss), ("row_loss.eaft_alpha", self.eaft_alpha)] {
            if !finite(x) {
                return Err(Error::invalid(field, Value::Float(x), infinite));
            }
        }
        if self.normaliser != 0.0 && !(finite(self.normaliser) && self.normaliser > 0.0) {
            let expected = range(f64::INFINITY, true);
            return Err(Error::invalid("row_loss.normaliser", Value::Float(self.normaliser), expected));
        }
        if self.normaliser != 0.0 && !self.reduces() {
            let expected = Value::Text("0 without a reduction");
            return Err(Error::invalid("row_loss.normaliser", Value::Float(self.normaliser), expected));
        }
        Ok(())
    }
    /// Whether the rows become one number.
    pub fn reduces(&self) -> bool {
        !matches!(self.reduction, None | Some(Reduction::None))
    }
    /// Refuses to form one number, or the gradient of one, without a reduction.
    pub fn check_reduces(&self, field: &'static str) -> Result<()> {
        match self.reduction {
            None => {
                let expected = Value::Text("a reduction, which the loss of all rows needs");
                Err(Error::invalid("row_loss.reduction", Value::Text("none"), expected))
            }
            Some(Reduction::None) => {
                Err(Error::invalid(field, Value::Text("a tensor"), Value::Text("NULL with reduction `none`")))
            }
            Some(_) => Ok(()),
        }
    }
    /// Whether omega is more than 1.
    pub fn scales(&self) -> bool {
        self.scaling != Scaling::None
    }
    /// Whether omega needs the largest columns.
    pub fn needs_top(&self) -> bool {
        matches!(self.scaling, Scaling::Eaft | Scaling::EaftRaw)
    }
    /// omega of a row, rounded to what is saved and given out: 0 if the row is ignored, NaN if its log-prob is. `top`
    /// holds the largest live columns, in descending order, where [`RowLoss::needs_top`].
    pub fn scale<F: RowFloat>(&self, record: &Record<F>, target: Target, top: &[F], external: f32) -> F {
        if target == Target::Ignored {
            return F::ZERO;
        }
        if record.poisoned() || record.m == F::NEG_INF {
            return F::NAN;
        }
        let logprob = record.logprob_of(record.xy);
        let power = |h: f64| match self.eaft_alpha {
            1.0 => h,
            0.0 => 1.0,
            _ if h == 0.0 => 0.0,
            alpha => Real::exp(alpha * Real::log(h)),
        };
        F::from_f64(match self.scaling {
            Scaling::None => 1.0,
            Scaling::Dft => Real::exp(logprob),
            Scaling::ChordPhi => Real::exp(logprob) * -logprob.expm1(),
            Scaling::Eaft => power(entropy(&top[..top.len().min(EAFT)]) / 3.0),
            Scaling::EaftRaw => power(entropy(&top[..top.len().min(EAFT)])),
            Scaling::External => external as f64,
        })
    }
    /// Constants of a row whose record is complete; `scale` is its omega.
    pub fn terms<F: RowFloat>(&self, record: &Record<F>, scale: F, class_weight: Option<f64>) -> Terms {
        let live = record.live as usize;
        let s = match self.smoothing {
            _ if self.label_smoothing == 0.0 || live == 0 => 0.0,
            Some(Smoothing::Megatron) if live == 1 => 0.0,
            Some(Smoothing::Megatron) => spread(self.label_smoothing, live).min(1.0),
            _ => self.label_smoothing,
        };
        Terms {
            own: (1.0 - s) * class_weight.unwrap_or(1.0),
            each: if s == 0.0 { 0.0 } else { s / live as f64 },
            weight: if class_weight.is_some() { record.weight.to_f64() } else { live as f64 },
            weighted: class_weight.is_some(),
            class_weight: class_weight.unwrap_or(1.0),
            scale: scale.to_f64(),
            z_loss: self.z_loss,
        }
    }
    /// What the sum of the rows is divided by; `None` if no row counts: the loss and its gradient are then 0.
    pub fn divisor(&self, problem: &Problem, rows: &Rows<'_>, class_weight: Option<&Floats<'_>>) -> Option<f64> {
        let (mut live, mut weight) = (0usize, 0.0);
        for i in 0..problem.rows() {
            match rows.target(i, problem.options()) {
                Target::Ignored => continue,
                Target::Column(y) => weight += class_weight.map_or(1.0, |c| c.get(y)),
                Target::None => {}
            }
            live += 1;
        }
        let z = match self.reduction {
            _ if self.normaliser != 0.0 => self.normaliser,
            Some(Reduction::Mean) => live as f64,
            Some(Reduction::WeightedMean) => weight,
            _ => 1.0,
        };
        (live > 0 && z > 0.0).then_some(z)
    }
}
/// s live / (live - 1)
fn spread(s: f64, live: usize) -> f64 {
    s * live as f64 / (live as f64 - 1.0)
}
/// Entropy of the softmax over at most [`MOST`] values in descending order, by the record of them; NaN of none.
pub fn entropy<F: RowFloat>(top: &[F]) -> f64 {
    if top.is_empty() {
        return f64::NAN;
    }
    let x = record::block(top, 0);
    x.log_sum() - x.u.to_f64() / (1.0 + x.r.to_f64())
}
/// `a` times `b`, 0 where `a` is.
#[inline(always)]
fn times(a: f64, b: f64) -> f64 {
    if a == 0.0 { 0.0 } else { a * b }
}

/// Constants of the loss of one row.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// (1 - s) c_y
    own: f64,
    /// s / live
    each: f64,
    /// W
    weight: f64,
    weighted: bool,
    class_weight: f64,
    /// omega
    scale: f64,
    z_loss: f64,
}
impl Terms {
    /// The loss: 0 if the row is ignored, NaN if its lse is or there is no live column, `+inf` if its target is dead.
    pub fn value<F: RowFloat>(&self, record: &Record<F>, target: Target) -> f64 {
        if target == Target::Ignored {
            return 0.0;
        }
        if record.poisoned() || record.m == F::NEG_INF {
            return f64::NAN;
        }
        let l = record.log_sum();
        let nll = -record.logprob_of(record.xy);
        let sum = if self.weighted { record.wc } else { record.w1 }.to_f64();
        let smooth = self.weight * l - sum;
        let lse = record.m.to_f64() + l;
        times(self.scale, times(self.own, nll) + times(self.each, smooth)) + times(self.z_loss, lse * lse)
    }
    /// Turns the gradient `g.loss` of the loss into those of the figures.
    pub fn fold<F: RowFloat>(&self, record: &Record<F>, g: RowUpstream) -> RowUpstream {
        if g.loss == 0.0 {
            return RowUpstream { class_weight: self.class_weight, ..g };
        }
        let lse = record.m.to_f64() + record.log_sum();
        let tau = times(self.each, g.loss * self.scale);
        RowUpstream {
            logprob: g.logprob - times(self.own, g.loss * self.scale),
            lse: g.lse + times(self.z_loss, 2.0 * g.loss * lse),
            smooth: tau,
            smooth_sum: tau * self.weight,
            class_weight: self.class_weight,
            ..g
        }
    }
}
impl RowLossInputs<'_> {
    /// Shapes; class weights finite and >= 0, scales of live rows too; the scales are there exactly when they are used.
    pub fn check(&self, problem: &Problem, rows: &Rows<'_>) -> Result<()> {
        let legal = Value::Range { min: 0.0, max: f64::INFINITY, min_open: false, max_open: true };
        let fine = |x: f64| (0.0..f64::INFINITY).contains(&x);
        if let Some(c) = &self.class_weight {
            c.layout().check("row_loss.class_weight", problem.total(), 1)?;
            for j in 0..problem.total() {
                let x = c.get(j);
                if !(fine(x) && (x as f32).is_finite()) {
                    return Err(Error::invalid("row_loss.class_weight", Value::Float(x), legal));
                }
            }
        }
        let external = problem.options().row_loss.scaling == Scaling::External;
        match &self.external_scale {
            None if external => {
                let expected = Value::Text("a factor a row, which the external token scaling needs");
                Err(Error::invalid("row_loss.external_scale", Value::Text("NULL"), expected))
            }
            Some(_) if !external => {
                let expected = Value::Text("NULL without the external token scaling");
                Err(Error::invalid("row_loss.external_scale", Value::Text("a tensor"), expected))
            }
            None => Ok(()),
            Some(m) => {
                m.layout().check("row_loss.external_scale", problem.rows(), 1)?;
                for i in 0..problem.rows() {
                    let x = m.get(i) as f64;
                    if !fine(x) && rows.target(i, problem.options()) != Target::Ignored {
                        return Err(Error::invalid("row_loss.external_scale", Value::Float(x), legal));
                    }
                }
                Ok(())
            }
        }
    }
    /// Class weight of a target.
    #[inline]
    pub fn class<F: RowFloat>(&self, target: Target) -> Option<f64> {
        let c = self.class_weight.as_ref()?;
        Some(if let Target::Column(y) = target { F::from_f64(c.get(y)).to_f64() } else { 1.0 })
    }
    /// External factor of row `i`.
    #[inline]
    pub fn external(&self, i: usize) -> f32 {
        self.external_scale.as_ref().map_or(1.0, |m| m.get(i))
    }
}

/// The largest columns of a row, found in one pass in ascending order of the columns.
#[derive(Clone, Debug)]
pub struct Top<F: RowFloat> {
    keys: [F::Key; 2 * MOST],
    len: usize,
    want: usize,
    /// What is not larger cannot be among them.
    limit: F,
}
impl<F: RowFloat> Default for Top<F> {
    fn default() -> Self {
        Top { keys: [F::Key::default(); 2 * MOST], len: 0, want: 0, limit: F::NEG_INF }
    }
}
impl<F: RowFloat> Top<F> {
    /// Starts a row; at most [`MOST`] are wanted.
    pub fn start(&mut self, want: usize) {
        (self.len, self.want, self.limit) = (0, want.min(MOST), F::NEG_INF);
    }
    /// Starts a part of a row from what [`Top::save`] has left of the parts below it.
    pub fn resume(&mut self, saved: &[F::Key]) {
        self.start(saved.len());
        self.len = saved.iter().position(|k| *k == F::Key::default()).unwrap_or(saved.len());
        self.keys[..self.len].copy_from_slice(&saved[..self.len]);
        if self.len > 0 && self.len == self.want {
            self.limit = F::unkey(self.keys[self.want - 1]).0;
        }
    }
    /// Leaves the largest columns so far, in order, in as many places as are looked for; a place without one is 0, which is
    /// the key of no column.
    pub fn save(&mut self, place: &mut [F::Key]) {
        self.shrink();
        let (some, none) = place.split_at_mut(self.len.min(place.len()));
        some.copy_from_slice(&self.keys[..some.len()]);
        none.fill(F::Key::default());
    }
    /// Takes in what another part of the row has saved.
    pub fn join(&mut self, saved: &[F::Key]) {
        for key in saved.iter().filter(|k| **k != F::Key::default()) {
            let (x, column) = F::unkey(*key);
            self.push(x, column);
        }
    }
    /// How many are looked for.
    pub fn want(&self) -> usize {
        self.want
    }
    /// A value that is not larger need not be pushed.
    #[inline(always)]
    pub fn limit(&self) -> F {
        self.limit
    }
    /// The next column; dead columns and NaN are left out.
    #[inline]
    pub fn push(&mut self, x: F, column: u32) {
        if x > self.limit && self.want > 0 {
            self.keys[self.len] = x.key(column);
            self.len += 1;
            if self.len == (2 * self.want).clamp(64, 2 * MOST) {
                self.shrink();
                self.limit = F::unkey(self.keys[self.want - 1]).0;
            }
        }
    }
    fn shrink(&mut self) {
        self.keys[..self.len].sort_unstable_by(|a, b| b.cmp(a));
        self.len = self.len.min(self.want);
    }
    /// Brings what was found into order; a poisoned row has nothing.
    pub fn finish(&mut self, record: &Record<F>) {
        self.shrink();
        if record.poisoned() {
            self.len = 0;
        }
    }
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// Value and column number `i`, the largest first, ties in ascending order of the columns.
    pub fn get(&self, i: usize) -> Option<(F, u32)> {
        (i < self.len).then(|| F::unkey(self.keys[i]))
    }
    /// Copies the values.
    pub fn values<'a>(&self, place: &'a mut [F; MOST]) -> &'a [F] {
        for (to, key) in place.iter_mut().zip(&self.keys[..self.len]) {
            *to = F::unkey(*key).0;
        }
        &place[..self.len]
    }
}
