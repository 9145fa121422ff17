//! Policy losses in split form: token log-probs in, loss, figures and d loss / d log-prob out.
//!
//! Stages, in this order: entry (token, sequence or estimator kind) -> + coef * KL estimate -> aggregate. A masked token
//! is not read; its outputs are 0. Token and estimator entries are f32 inside, sequence functions and all sums f64.
//!
//! With N live tokens, L_b of sequence b and B' sequences (all, or those that are not empty), the weight of a token is
//!
//! | aggregate | weight |
//! |---|---|
//! | `token_mean` | `1 / N` |
//! | `seq_mean_token_mean` | `1 / (B' L_b)` |
//! | `seq_mean_token_sum` | `1 / B'` |
//! | `seq_mean_token_sum_norm` | `1 / (B' T0)` |
//! | `token_sum` | `1` |
//! | `seq_mean` | the same as `seq_mean_token_mean`; sequence kind only |
//!
//! A `normaliser` replaces what stands in front of L_b. The value of a sequence entry stands for each of its live tokens.
use crate::catalog::{self, Info, Kind, slot};
use crate::error::{Error, Result, Value, row};
use crate::losses::EstimateOut;
use crate::matrix::{Floats, FloatsMut, Mask, MatrixMut, Split};
use crate::real::Real;
use crate::sequence::{Segments, factor, wide};

/// Where the ratio is formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Level {
    /// Each token has its own ratio.
    Token = 1,
    /// One ratio for the whole sequence: entries of the sequence kind.
    Sequence = 2,
}
/// Factor of a KL estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EstimatorWeight {
    /// `K`
    One = 1,
    /// `K`, with the gradient of the score function added: `K' + K`.
    Score = 2,
    /// `rho K`, `rho = e^(logp - old)`, differentiated too.
    Ratio = 3,
}
/// Gradient of a KL estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EstimatorGradient {
    /// The derivative of the value.
    Pathwise = 1,
    /// `-z = logp - ref`, whatever the value.
    StraightThrough = 2,
}
/// A KL estimator with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimator {
    /// Entry of the estimator kind.
    pub id: u32,
    /// Factor.
    pub weight: EstimatorWeight,
    /// Gradient.
    pub gradient: EstimatorGradient,
    /// Factor as a term, finite and >= 0; 0 is off but still reported.
    pub coef: f64,
}
/// Token or sequence values to one loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Mode {
    TokenMean = 1,
    SeqMeanTokenMean = 2,
    SeqMeanTokenSum = 3,
    SeqMeanTokenSumNorm = 4,
    TokenSum = 5,
    SeqMean = 6,
}
/// Which sequences B' counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum CountEmpty {
    /// All.
    All = 1,
    /// Those with a live token.
    Nonempty = 2,
}
/// Settings of the aggregation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aggregate {
    /// Mode.
    pub mode: Mode,
    /// Replaces the denominator, finite and > 0; 0 is off.
    pub normaliser: f64,
    /// T0 of `seq_mean_token_sum_norm`, finite and > 0.
    pub max_length: f64,
    /// Needed by the `seq_` modes.
    pub count_empty: Option<CountEmpty>,
}
/// Settings of a call.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Entry of kind token, sequence or estimator.
    pub loss: u32,
    /// In catalogue order; a missing tail and NaN mean default.
    pub params: &'a [f64],
    /// KL term. If the loss is an estimator itself these are its settings: the same id, coef 0.
    pub kl: Option<Estimator>,
    /// Aggregation of loss and KL.
    pub aggregate: Aggregate,
    /// Level of the ratio.
    pub level: Level,
}

/// A checked problem: what is asked, without the token values.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    tokens: usize,
    segments: Segments<'a>,
    options: Options<'a>,
}
const UNSERVED: [(u64, &str); 5] = [
    (slot::SAMPLER, "inputs.sampler"),
    (slot::ENTROPY, "entropy"),
    (slot::FLAG, "inputs.flag"),
    (slot::LOG_Z, "inputs.log_z"),
    (slot::IMPORTANCE, "inputs.importance_weight"),
];
impl<'a> Problem<'a> {
    /// Checks offsets and options for `tokens` tokens, padding included.
    pub fn new(tokens: usize, segments: Segments<'a>, options: Options<'a>) -> Result<Problem<'a>> {
        segments.check(tokens)?;
        let unknown =
            Error::invalid("inputs.loss.id", Value::Int(options.loss as i64), Value::Text("an entry of the catalogue"));
        let info = catalog::info(options.loss).ok_or(unknown)?;
        if !matches!(info.kind, Kind::Token | Kind::Sequence | Kind::Estimator) {
            let expected = Value::Text("an entry of kind token, sequence or estimator");
            return Err(Error::invalid("inputs.loss.id", Value::Text(info.about.name), expected));
        }
        info.params_from(options.params)?;
        for (slot, field) in UNSERVED {
            if info.about.reads(slot) {
                return Err(Error::invalid(
                    field,
                    Value::Text(info.about.name),
                    Value::Text("an entry that does not read it"),
                ));
            }
        }
        let level = if info.kind == Kind::Sequence { Level::Sequence } else { Level::Token };
        if options.level != level {
            let expected = if level == Level::Token { "token, for this entry" } else { "sequence, for this entry" };
            return Err(Error::invalid("inputs.level", Value::Int(options.level as i64), Value::Text(expected)));
        }
        if let Some(kl) = options.kl {
            if catalog::info(kl.id).is_none_or(|i| i.kind != Kind::Estimator) {
                return Err(Error::invalid(
                    "inputs.kl.id",
                    Value::Int(kl.id as i64),
                    Value::Text("an entry of kind estimator"),
                ));
            }
            if !(kl.coef >= 0.0 && kl.coef < f64::INFINITY) {
                let legal = Value::Range { min: 0.0, max: f64::INFINITY, min_open: false, max_open: true };
                return Err(Error::invalid("inputs.kl.coef", Value::Float(kl.coef), legal));
            }
            if info.kind == Kind::Estimator && (kl.id != options.loss || kl.coef != 0.0) {
                let expected = Value::Text("the loss itself with coef 0: these are its settings");
                return Err(Error::invalid("inputs.kl.id", Value::Int(kl.id as i64), expected));
            }
        }
        let a = options.aggregate;
        let positive = Value::Range { min: 0.0, max: f64::INFINITY, min_open: true, max_open: true };
        let fits = |v: f64| v > 0.0 && v < f64::INFINITY;
        if a.normaliser != 0.0 && !fits(a.normaliser) {
            return Err(Error::invalid("inputs.aggregate.normaliser", Value::Float(a.normaliser), positive));
        }
        match (a.mode == Mode::SeqMeanTokenSumNorm, a.max_length) {
            (true, v) if !fits(v) => {
                return Err(Error::invalid("inputs.aggregate.max_length", Value::Float(v), positive));
            }
            (false, v) if v != 0.0 => {
                let expected = Value::Text("0: only seq_mean_token_sum_norm reads it");
                return Err(Error::invalid("inputs.aggregate.max_length", Value::Float(v), expected));
            }
            _ => {}
        }
        if !matches!(a.mode, Mode::TokenMean | Mode::TokenSum) && a.count_empty.is_none() {
            let expected = Value::Text("all or nonempty with a seq_ mode");
            return Err(Error::invalid("inputs.aggregate.count_empty", Value::Text("nothing"), expected));
        }
        if a.mode == Mode::SeqMean && info.kind != Kind::Sequence {
            return Err(Error::invalid(
                "inputs.aggregate.mode",
                Value::Text("seq_mean"),
                Value::Text("a mode over tokens, for this entry"),
            ));
        }
        Ok(Problem { tokens, segments, options })
    }
    /// N, padding included.
    pub const fn tokens(&self) -> usize {
        self.tokens
    }
    /// B.
    pub fn sequences(&self) -> usize {
        self.segments.sequences()
    }
    /// Which tokens belong to which sequence.
    pub const fn segments(&self) -> &Segments<'a> {
        &self.segments
    }
    /// The settings.
    pub const fn options(&self) -> &Options<'a> {
        &self.options
    }
    /// The entry.
    pub fn info(&self) -> &'static Info {
        catalog::info(self.options.loss).expect("checked by Problem::new")
    }
    /// The estimator that runs: the KL term or the loss itself.
    pub fn estimator(&self) -> Option<Estimator> {
        let own = Estimator {
            id: self.options.loss,
            weight: EstimatorWeight::One,
            gradient: EstimatorGradient::Pathwise,
            coef: 0.0,
        };
        self.options.kl.or((self.info().kind == Kind::Estimator).then_some(own))
    }
}

/// Advantages of tokens or of sequences. A sequence entry averages those of tokens over the mask.
#[derive(Clone, Copy, Debug)]
pub enum Advantage<'a> {
    /// `[N]`.
    Token(Floats<'a>),
    /// `[B]`.
    Sequence(Floats<'a>),
}
/// Token values: `[N]` or `[B, T]` as a vector of tokens, nats.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Current policy.
    pub logps: Floats<'a>,
    /// Policy that sampled the tokens. Absent: the current one, detached (ratio 1, whatever `logps` holds but NaN).
    pub old: Option<Floats<'a>>,
    /// Reference.
    pub reference: Option<Floats<'a>>,
    /// Advantages.
    pub advantage: Option<Advantage<'a>>,
    /// A token with 0 is not read.
    pub mask: Option<Mask<'a>>,
    /// Factor of the gradient, one number; absent: 1.
    pub grad_output: Option<Floats<'a>>,
    /// Host factor of the gradient, finite.
    pub grad_scale: f64,
}
impl Inputs<'_> {
    /// Shapes, and that everything that is read is there.
    pub fn check(&self, problem: &Problem<'_>) -> Result<()> {
        let n = problem.tokens;
        self.logps.layout().check("logps", n, 1)?;
        for (field, m) in [("inputs.old", &self.old), ("inputs.ref", &self.reference)] {
            m.as_ref().map_or(Ok(()), |m| m.layout().check(field, n, 1))?;
        }
        self.mask.map_or(Ok(()), |m| m.layout().check("inputs.mask", n, 1))?;
        match &self.advantage {
            Some(Advantage::Token(a)) => a.layout().check("inputs.advantage", n, 1)?,
            Some(Advantage::Sequence(a)) => a.layout().check("inputs.advantage", problem.sequences(), 1)?,
            None => {}
        }
        factor(self.grad_output, self.grad_scale)?;
        let about = &problem.info().about;
        let nothing = |field, what| Err(Error::invalid(field, Value::Text("nothing"), Value::Text(what)));
        if about.reads(slot::ADVANTAGE) && self.advantage.is_none() {
            return nothing("inputs.advantage", "a tensor: the loss reads it");
        }
        if (about.reads(slot::REF) || problem.options.kl.is_some()) && self.reference.is_none() {
            return nothing("inputs.ref", "a tensor: the loss or the KL term reads it");
        }
        Ok(())
    }
    /// The product of the two factors of the gradient.
    pub fn factor(&self) -> f64 {
        self.grad_output.map_or(1.0, |g| g.get(0)) * self.grad_scale
    }
}

/// Indices of [`Outputs::statistics`]: f64 sums over live tokens. x = logp - old.
pub mod stat {
    /// Live tokens.
    pub const TOKENS: usize = 0;
    /// The same, as nothing rejects tokens yet.
    pub const KEPT_TOKENS: usize = 1;
    /// Sequences with a live token.
    pub const SEQUENCES: usize = 2;
    /// Tokens (sequences for a sequence entry) clipped from below.
    pub const CLIP_LOW: usize = 3;
    /// Clipped from above.
    pub const CLIP_HIGH: usize = 4;
    /// Stopped by the dual clip.
    pub const CLIP_DUAL: usize = 5;
    /// Sum of e^x.
    pub const RATIO_SUM: usize = 6;
    /// Smallest x; 0 without a live token.
    pub const LOG_RATIO_MIN: usize = 7;
    /// Largest x; 0 without a live token.
    pub const LOG_RATIO_MAX: usize = 8;
    /// Sum of -x.
    pub const K1_SUM: usize = 9;
    /// Sum of e^x - 1 - x.
    pub const K3_SUM: usize = 10;
    /// Sum of the KL estimates, weighted as asked.
    pub const KL_SUM: usize = 14;
    /// Sum of the values of the loss; a sequence's value counts once.
    pub const LOSS_SUM: usize = 15;
    /// What stands in the denominator in front of L_b.
    pub const DENOMINATOR: usize = 16;
    /// Length of the array; the rest is 0.
    pub const COUNT: usize = 32;
}

/// Results, each only where a place is given.
#[derive(Debug, Default)]
pub struct Outputs<'a> {
    /// One number, f64 or f32: all terms after aggregation.
    pub loss: Option<FloatsMut<'a>>,
    /// Token and estimator entries f32 `[N]`, sequence entries f64 or f32 `[B]`: values of the loss before aggregation.
    pub values: Option<FloatsMut<'a>>,
    /// f32 `[N]`: KL estimates, weighted as asked.
    pub kl: Option<MatrixMut<'a, f32>>,
    /// Loss, KL term and entropy bonus (0) after aggregation.
    pub terms: Option<&'a mut [f64; 3]>,
    /// `[N]`: dL/dlogp.
    pub grad_logps: Option<MatrixMut<'a, f32>>,
    /// Sums for the caller's log, see [`stat`]. Asking for them changes no other output's bits.
    pub statistics: Option<&'a mut [f64; stat::COUNT]>,
    /// `[N]`, bits of [`crate::error::row`]: of the slots that the loss or the KL term reads and of what follows from
    /// them. `overflow` also where a gradient does not fit a place that is given.
    pub token_status: Option<MatrixMut<'a, u32>>,
    /// `[B]`, the bits of its live tokens and of its own value, and `empty`.
    pub sequence_status: Option<MatrixMut<'a, u32>>,
    /// Tokens by status bit, and sequences by bits that none of their tokens has; `empty` counts sequences, and a batch
    /// whose denominator is 0 adds one. A loss that overflows by itself or does not fit its place adds one to `overflow`.
    pub counters: Option<&'a mut [i64; row::BITS]>,
}
impl Outputs<'_> {
    /// Refuses places of the wrong shape or dtype.
    pub fn check(&self, problem: &Problem<'_>) -> Result<()> {
        let (n, b) = (problem.tokens, problem.sequences());
        if let Some(m) = &self.loss {
            wide("outputs.out_loss", m.dtype())?;
            m.layout().check("outputs.out_loss", 1, 1)?;
        }
        if let Some(m) = &self.values {
            let sequence = problem.info().kind == Kind::Sequence;
            wide("outputs.out_values", m.dtype())?;
            if !sequence && m.dtype() != crate::Dtype::F32 {
                let status = crate::Status::UnsupportedDtype;
                let expected = Value::Text("f32, for this entry");
                return Err(Error::new(status, "outputs.out_values", Value::Dtype(m.dtype()), expected));
            }
            m.layout().check("outputs.out_values", if sequence { b } else { n }, 1)?;
        }
        for (field, m) in [("outputs.out_kl", &self.kl), ("grad_logps_out", &self.grad_logps)] {
            m.as_ref().map_or(Ok(()), |m| m.layout().check(field, n, 1))?;
        }
        if self.kl.is_some() && problem.estimator().is_none() {
            return Err(Error::invalid(
                "outputs.out_kl",
                Value::Text("a tensor"),
                Value::Text("none: there is no KL estimate"),
            ));
        }
        self.token_status.as_ref().map_or(Ok(()), |m| m.layout().check("outputs.out_token_status", n, 1))?;
        self.sequence_status.as_ref().map_or(Ok(()), |m| m.layout().check("outputs.out_sequence_status", b, 1))
    }
}
/// The places of [`Outputs`] that hold one element a token.
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct TokenOutputs<'a> {
    pub values: Option<FloatsMut<'a>>,
    pub kl: Option<MatrixMut<'a, f32>>,
    pub grad_logps: Option<MatrixMut<'a, f32>>,
    pub status: Option<MatrixMut<'a, u32>>,
}
impl Split for TokenOutputs<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let (mut a, mut b) = (TokenOutputs::default(), TokenOutputs::default());
        (a.values, b.values) = self.values.split(row);
        (a.kl, b.kl) = self.kl.split(row);
        (a.grad_logps, b.grad_logps) = self.grad_logps.split(row);
        (a.status, b.status) = self.status.split(row);
        (a, b)
    }
}

/// Log bounds of an entry that clips like `ppo_clip`, for the clip figures: low, high, roof (the larger of high and
/// delta), dual. `None` for any other entry.
pub fn clip_bounds(info: &Info, given: &[f64]) -> Option<[f64; 4]> {
    let names = ["clip_low", "clip_high", "delta", "dual_clip"];
    let mut p = [0.0; 4];
    for (k, name) in names.iter().enumerate() {
        let at = info.params.iter().position(|q| q.name == *name)?;
        p[k] = info.params_from(given).ok()?[at];
    }
    let low = if p[0] >= 1.0 { f64::NEG_INFINITY } else { Real::log1p(-p[0]) };
    let high = Real::log1p(p[1]);
    Some([low, high, Real::max(high, Real::log(p[2])), Real::log(p[3])])
}

/// `rho * v`, and 0 where the ratio is 0: e^x outweighs every power of x. Where z is NaN the input is, and stays. 0 also
/// where v is 0 and the ratio beyond the format.
#[inline(always)]
fn scaled<R: Real>(rho: R, v: R, z: R) -> R {
    let (zero, infinity) = (rho.lit(0.0), rho.lit(f64::INFINITY));
    let y = infinity.select_le(rho, v.abs().select_le(zero, zero, rho * v), rho * v);
    rho.select_le(zero, z.abs().select_le(infinity, zero, z), y)
}
/// The stage around an estimator: factor and gradient. `x = logp - old` (0 without an `old`), `z = ref - logp`,
/// `apart = ref - old`. `k3`: its closed forms are used, which lose no digits where the sum of value and derivative
/// cancels, and stay finite as logp goes to -inf.
#[inline(always)]
pub fn weighted<R: Real>(
    k: EstimateOut<R>,
    k3: bool,
    (x, z, apart): (R, R, R),
    weight: EstimatorWeight,
    gradient: EstimatorGradient,
) -> EstimateOut<R> {
    let infinity = z.lit(f64::INFINITY);
    // an infinite value outweighs its derivative
    let total = if k3 { -z } else { infinity.select_le(k.value, k.value, k.value + k.logp) };
    let mut out = match weight {
        EstimatorWeight::One => k,
        EstimatorWeight::Score => EstimateOut { value: k.value, logp: total },
        EstimatorWeight::Ratio => {
            let rho = x.exp();
            let mut value = scaled(rho, k.value, z);
            if k3 {
                // e^x (e^z - 1 - z) with e^x e^z = e^(ref - old), which is infinite where e^x (1 + z) is
                let small = scaled(rho, z.lit(1.0) + z, z);
                let far = apart.exp() - infinity.select_le(small, z.lit(0.0), small);
                value = z.lit(8.0).select_lt(z, far, value);
            }
            EstimateOut { value, logp: scaled(rho, total, z) }
        }
    };
    if gradient == EstimatorGradient::StraightThrough {
        out.logp = -z;
    }
    out
}
