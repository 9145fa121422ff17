//! Token values to sequence scores and back: sums, means and the length-desensitised sum (`ld`), with an optional
//! reference, float token weights and a clamp of the token log-ratio.
//!
//! `d_t = logp_t - ref_t` in f64 (`logp_t` without reference), clamped where asked for. Over the live tokens:
//!
//! | score | value | d score / d logp_t |
//! |---|---|---|
//! | `sum` | `sum w_t d_t` | `w_t` |
//! | `mean` | `sum w_t d_t / Z` | `w_t / Z` |
//! | `ld` | `sum_{i <= P} d_i + alpha sum_{i > P} d_i` | `1` or `alpha` |
//!
//! One f64 chain per sequence over its live tokens in order; masked tokens are skipped, not added as 0, so padding and
//! packing give the same bits. `ld` keeps one chain in front of the prefix and one behind it.
use crate::dtype::Dtype;
use crate::error::{Error, Result, Status, Value, row};
use crate::matrix::{Floats, FloatsMut, Ints, Mask, Matrix, MatrixMut, Split};
use core::ops::Range;

/// Which tokens belong to which sequence.
#[derive(Clone, Copy, Debug)]
pub enum Segments<'a> {
    /// `[B, T]`: sequence b holds tokens `[b T, (b + 1) T)`.
    Padded {
        /// B.
        sequences: usize,
        /// T.
        width: usize,
    },
    /// `[N]`: offsets `[B + 1]`, first 0, last N, ascending; equal neighbours are an empty sequence.
    Packed(Ints<'a>),
}
impl Segments<'_> {
    /// B.
    #[inline(always)]
    pub fn sequences(&self) -> usize {
        match self {
            Segments::Padded { sequences, .. } => *sequences,
            Segments::Packed(cu) => cu.rows().saturating_sub(1),
        }
    }
    /// First token of sequence `b`; of sequence B: the number of tokens.
    #[inline(always)]
    pub fn start(&self, b: usize) -> usize {
        match self {
            Segments::Padded { width, .. } => b * width,
            Segments::Packed(cu) => cu.get(b) as usize,
        }
    }
    /// Tokens of sequence `b`.
    #[inline(always)]
    pub fn range(&self, b: usize) -> Range<usize> {
        self.start(b)..self.start(b + 1)
    }
    /// Refuses offsets that do not cut `tokens` tokens, and sequences whose positions and lengths i32 cannot hold.
    pub fn check(&self, tokens: usize) -> Result<()> {
        const LONGEST: usize = i32::MAX as usize;
        match self {
            Segments::Padded { sequences, width } => match sequences.checked_mul(*width) {
                Some(n) if n == tokens && *width <= LONGEST => Ok(()),
                Some(n) if n == tokens => {
                    Err(Error::shape("logps", Value::Size(*width), Value::Text("sequences of up to 2^31 - 1 tokens")))
                }
                _ => Err(Error::shape(
                    "logps",
                    Value::Size(tokens),
                    Value::Shape([*sequences as i64, *width as i64, 0], 2),
                )),
            },
            Segments::Packed(cu) => {
                if cu.rows() == 0 || cu.cols() != 1 {
                    return Err(Error::shape("cu_seqlens", cu.layout().shape(), Value::Text("[B + 1]")));
                }
                let at = |index: usize, expected: Value| {
                    Error::new(Status::OutOfRange, "cu_seqlens", Value::At { value: cu.get(index), index }, expected)
                };
                if cu.get(0) != 0 {
                    return Err(at(0, Value::Int(0)));
                }
                for i in 1..cu.rows() {
                    if cu.get(i) < cu.get(i - 1) {
                        return Err(at(i, Value::Text("offsets that ascend")));
                    }
                    // `cu` ascends from 0, so this cannot overflow
                    if cu.get(i) - cu.get(i - 1) > LONGEST as i64 {
                        return Err(at(i, Value::Text("sequences of up to 2^31 - 1 tokens")));
                    }
                }
                let last = cu.rows() - 1;
                if cu.get(last) != tokens as i64 {
                    return Err(at(last, Value::Size(tokens)));
                }
                Ok(())
            }
        }
    }
}

/// What the tokens of a sequence become.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Score {
    /// `sum w_t d_t`.
    Sum,
    /// `sum w_t d_t / Z`.
    Mean(Divisor),
    /// `sum_{i <= P} d_i + alpha sum_{i > P} d_i`, i counting live tokens from 1, P from [`Weights::ld_prefix`].
    Ld {
        /// In `[0, 1]`.
        alpha: f64,
        /// The reference stays an unweighted sum.
        policy_only: bool,
    },
}
/// Z of [`Score::Mean`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Divisor {
    /// Live tokens.
    Tokens,
    /// Sum of the weights of the live tokens.
    Weights,
    /// This number, finite and > 0.
    External(f64),
}

/// Settings of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// The score.
    pub score: Score,
    /// Bounds of the token log-ratio, `low <= high`, infinities allowed; gradient 0 strictly outside. Needs `ref_logps`.
    pub clamp: Option<(f64, f64)>,
}
impl Default for Options {
    /// A plain sum.
    fn default() -> Self {
        Options { score: Score::Sum, clamp: None }
    }
}

/// A checked problem: what is asked, without the token values.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    tokens: usize,
    segments: Segments<'a>,
    options: Options,
}
impl<'a> Problem<'a> {
    /// Checks offsets and options for `tokens` tokens.
    pub fn new(tokens: usize, segments: Segments<'a>, options: Options) -> Result<Problem<'a>> {
        segments.check(tokens)?;
        match options.score {
            Score::Sum | Score::Mean(Divisor::Tokens | Divisor::Weights) => {}
            Score::Mean(Divisor::External(z)) => {
                if !(z > 0.0 && z < f64::INFINITY) {
                    let legal = Value::Range { min: 0.0, max: f64::INFINITY, min_open: true, max_open: true };
                    return Err(Error::invalid("score.normaliser", Value::Float(z), legal));
                }
            }
            Score::Ld { alpha, policy_only } => {
                if !(0.0..=1.0).contains(&alpha) {
                    let legal = Value::Range { min: 0.0, max: 1.0, min_open: false, max_open: false };
                    return Err(Error::invalid("score.ld_alpha", Value::Float(alpha), legal));
                }
                if policy_only && options.clamp.is_some() {
                    return Err(Error::invalid(
                        "score.clamp_low",
                        Value::Text("a clamp with ld_policy_only"),
                        Value::Text("no clamp: the token log-ratio is never formed there"),
                    ));
                }
            }
        }
        if let Some((low, high)) = options.clamp
            && !(low <= high)
        {
            let legal = Value::Range { min: low, max: f64::INFINITY, min_open: false, max_open: false };
            return Err(Error::invalid("score.clamp_high", Value::Float(high), legal));
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
    pub const fn options(&self) -> &Options {
        &self.options
    }
}

/// Which tokens count, and how much.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weights<'a> {
    /// `[N]`; a token with 0 is not read.
    pub mask: Option<Mask<'a>>,
    /// `[N]`, finite and >= 0; a token with 0 is not read but counts as live. Absent: 1. Not with `ld`.
    pub token_weights: Option<Matrix<'a, f32>>,
    /// `[B]`, P of `ld` (the smaller live length of a pair), >= 0.
    pub ld_prefix: Option<Ints<'a>>,
}
impl Weights<'_> {
    /// Shapes and values.
    pub fn check(&self, problem: &Problem<'_>) -> Result<()> {
        let (n, b) = (problem.tokens, problem.sequences());
        if let Some(m) = self.mask {
            m.layout().check("mask", n, 1)?;
        }
        let ld = matches!(problem.options.score, Score::Ld { .. });
        if let Some(w) = self.token_weights {
            if ld {
                return Err(Error::invalid(
                    "score.token_weights",
                    Value::Text("weights with score ld"),
                    Value::Text("none"),
                ));
            }
            w.layout().check("score.token_weights", n, 1)?;
            for i in 0..n {
                let x = w.get(i);
                if !(0.0..f32::INFINITY).contains(&x) && self.mask.is_none_or(|m| m.live(i)) {
                    let legal = Value::Range { min: 0.0, max: f64::INFINITY, min_open: false, max_open: true };
                    return Err(Error::invalid("score.token_weights", Value::Float(x as f64), legal));
                }
            }
        }
        match self.ld_prefix {
            Some(p) if ld => {
                p.layout().check("score.ld_prefix", b, 1)?;
                for index in 0..b {
                    if p.get(index) < 0 {
                        let got = Value::At { value: p.get(index), index };
                        return Err(Error::new(Status::OutOfRange, "score.ld_prefix", got, Value::Below(0, i64::MAX)));
                    }
                }
            }
            None if ld => {
                return Err(Error::invalid(
                    "score.ld_prefix",
                    Value::Text("nothing"),
                    Value::Text("[B] with score ld"),
                ));
            }
            Some(_) => {
                return Err(Error::invalid(
                    "score.ld_prefix",
                    Value::Text("a prefix"),
                    Value::Text("none without score ld"),
                ));
            }
            None => {}
        }
        Ok(())
    }
}

/// Token values of a forward.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// `[N]` or `[B, T]` as a vector of tokens, nats.
    pub logps: Floats<'a>,
    /// The same shape; the score of the difference.
    pub ref_logps: Option<Floats<'a>>,
    /// Mask, weights, prefix.
    pub weights: Weights<'a>,
}
impl Inputs<'_> {
    /// Shapes and values.
    pub fn check(&self, problem: &Problem<'_>) -> Result<()> {
        self.logps.layout().check("logps", problem.tokens, 1)?;
        if let Some(r) = self.ref_logps {
            r.layout().check("ref_logps", problem.tokens, 1)?;
        }
        if problem.options.clamp.is_some() && self.ref_logps.is_none() {
            return Err(Error::invalid(
                "ref_logps",
                Value::Text("nothing"),
                Value::Text("token reference with a clamp"),
            ));
        }
        self.weights.check(problem)
    }
}

/// Results of a forward, each `[B]` and only where a place is given.
#[derive(Debug, Default)]
pub struct Outputs<'a> {
    /// f64 (advised for pair losses) or f32, nats.
    pub scores: Option<FloatsMut<'a>>,
    /// Live tokens.
    pub counts: Option<MatrixMut<'a, i32>>,
    /// First live position inside the sequence, -1 if there is none.
    pub first: Option<MatrixMut<'a, i32>>,
    /// Last live position inside the sequence, -1 if there is none.
    pub last: Option<MatrixMut<'a, i32>>,
    /// Bits of [`crate::error::row`].
    pub status: Option<MatrixMut<'a, u32>>,
}
impl Split for Outputs<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let (mut a, mut b) = (Outputs::default(), Outputs::default());
        (a.scores, b.scores) = self.scores.split(row);
        (a.counts, b.counts) = self.counts.split(row);
        (a.first, b.first) = self.first.split(row);
        (a.last, b.last) = self.last.split(row);
        (a.status, b.status) = self.status.split(row);
        (a, b)
    }
}
/// Refuses any dtype but f64 and f32.
pub(crate) fn wide(field: &'static str, dtype: Dtype) -> Result<()> {
    match dtype {
        Dtype::F32 | Dtype::F64 => Ok(()),
        other => Err(Error::new(Status::UnsupportedDtype, field, Value::Dtype(other), Value::Text("f64 or f32"))),
    }
}
impl Outputs<'_> {
    /// Refuses places of the wrong shape or dtype.
    pub fn check(&self, problem: &Problem<'_>) -> Result<()> {
        let b = problem.sequences();
        if let Some(m) = &self.scores {
            wide("out_scores", m.dtype())?;
            m.layout().check("out_scores", b, 1)?;
        }
        for (field, m) in [("out_counts", &self.counts), ("out_first", &self.first), ("out_last", &self.last)] {
            m.as_ref().map_or(Ok(()), |m| m.layout().check(field, b, 1))?;
        }
        self.status.as_ref().map_or(Ok(()), |m| m.layout().check("out_status", b, 1))
    }
}

/// What a backward reads. `logps` and `ref_logps` are needed with a clamp only.
#[derive(Clone, Copy, Debug)]
pub struct Upstream<'a> {
    /// As in the forward.
    pub logps: Option<Floats<'a>>,
    /// As in the forward.
    pub ref_logps: Option<Floats<'a>>,
    /// As in the forward.
    pub weights: Weights<'a>,
    /// `[B]`, dL/dscore, f64 or f32.
    pub grad_scores: Floats<'a>,
    /// Factor on all of them, a single number; absent: 1.
    pub grad_output: Option<Floats<'a>>,
    /// Host factor on all of them.
    pub grad_scale: f64,
}
impl Upstream<'_> {
    /// Shapes and values.
    pub fn check(&self, problem: &Problem<'_>) -> Result<()> {
        for (field, m) in [("logps", self.logps), ("ref_logps", self.ref_logps)] {
            match m {
                Some(m) => m.layout().check(field, problem.tokens, 1)?,
                None if problem.options.clamp.is_some() => {
                    return Err(Error::invalid(
                        field,
                        Value::Text("nothing"),
                        Value::Text("token values with a clamp"),
                    ));
                }
                None => {}
            }
        }
        wide("grad_scores", self.grad_scores.dtype())?;
        self.grad_scores.layout().check("grad_scores", problem.sequences(), 1)?;
        factor(self.grad_output, self.grad_scale)?;
        self.weights.check(problem)
    }
    /// The product of the two factors.
    pub fn factor(&self) -> f64 {
        self.grad_output.map_or(1.0, |g| g.get(0)) * self.grad_scale
    }
}
/// Refuses an upstream factor that is no single number, or a host factor that is not finite; returns their product.
pub fn factor(grad_output: Option<Floats<'_>>, grad_scale: f64) -> Result<f64> {
    if let Some(g) = grad_output {
        g.layout().check("grad_output", 1, 1)?;
    }
    if !grad_scale.is_finite() {
        return Err(Error::invalid("grad_scale", Value::Float(grad_scale), Value::Text("a finite number")));
    }
    Ok(grad_output.map_or(1.0, |g| g.get(0)) * grad_scale)
}

/// Gradients, each `[N]` and written whole: masked tokens get 0.
#[derive(Debug, Default)]
pub struct Grads<'a> {
    /// dL/dlogp.
    pub logps: Option<MatrixMut<'a, f32>>,
    /// dL/dref.
    pub ref_logps: Option<MatrixMut<'a, f32>>,
}
impl Split for Grads<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let ((a, b), (c, d)) = (self.logps.split(row), self.ref_logps.split(row));
        (Grads { logps: a, ref_logps: c }, Grads { logps: b, ref_logps: d })
    }
}
impl Grads<'_> {
    /// Refuses places of the wrong shape.
    pub fn check(&self, problem: &Problem<'_>) -> Result<()> {
        for (field, m) in [("grad_logps_out", &self.logps), ("grad_ref_logps_out", &self.ref_logps)] {
            m.as_ref().map_or(Ok(()), |m| m.layout().check(field, problem.tokens, 1))?;
        }
        Ok(())
    }
}

/// One sequence's figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// The score in f64.
    pub score: f64,
    /// Divisor of the mean; 1 for sums.
    pub divisor: f64,
    /// Live tokens.
    pub count: usize,
    /// First and last live position inside the sequence.
    pub live: Option<(usize, usize)>,
    /// Bits of [`crate::error::row`].
    pub status: u32,
}

/// The specification and, as the work is one ordered chain, also what the backends run: sequence `b` of checked inputs.
pub fn figures(problem: &Problem<'_>, inputs: &Inputs<'_>, b: usize) -> Figures {
    let (options, weights) = (&problem.options, &inputs.weights);
    let tokens = problem.segments.range(b);
    let (alpha, policy_only) = match options.score {
        Score::Ld { alpha, policy_only } => (alpha, policy_only),
        _ => (1.0, false),
    };
    let prefix = weights.ld_prefix.map_or(usize::MAX, |p| usize::try_from(p.get(b)).unwrap_or(usize::MAX));
    let (mut count, mut status, mut live) = (0, 0, None);
    // front: up to the prefix, back: behind it, apart: the reference where it is no part of the token's difference
    let (mut front, mut back, mut apart, mut total) = (0.0, 0.0, 0.0, 0.0);
    let mut infinite = false;
    for (t, i) in tokens.enumerate() {
        if weights.mask.is_some_and(|m| !m.live(i)) {
            continue;
        }
        count += 1;
        live = Some((live.map_or(t, |(first, _)| first), t));
        let w = weights.token_weights.map_or(1.0, |w| w.get(i) as f64);
        total += w;
        let behind = count > prefix;
        let coefficient = if behind { w * alpha } else { w };
        if policy_only && let Some(r) = inputs.ref_logps {
            let r = r.get(i);
            nan_or_inf(r, &mut status, &mut infinite);
            apart += r;
        }
        if coefficient == 0.0 {
            continue;
        }
        let l = inputs.logps.get(i);
        nan_or_inf(l, &mut status, &mut infinite);
        let mut d = l;
        if !policy_only && let Some(r) = inputs.ref_logps {
            let r = r.get(i);
            nan_or_inf(r, &mut status, &mut infinite);
            d = l - r;
            if d.is_nan() && !l.is_nan() && !r.is_nan() {
                status |= row::INF_INPUT;
            }
            if let Some((low, high)) = options.clamp {
                if d < low || d > high {
                    status |= row::SATURATED;
                }
                // the order keeps a NaN
                d = if d < low {
                    low
                } else if d > high {
                    high
                } else {
                    d
                };
            }
        }
        if behind {
            back += d;
        } else {
            front += w * d;
        }
    }
    let mut score = if alpha == 0.0 { front } else { front + alpha * back } - apart;
    let mut divisor = match options.score {
        Score::Mean(Divisor::Tokens) => count as f64,
        Score::Mean(Divisor::Weights) => total,
        Score::Mean(Divisor::External(z)) => z,
        _ => 1.0,
    };
    if count == 0 || divisor == 0.0 {
        (score, divisor) = (0.0, 0.0);
        status |= row::EMPTY;
    } else if matches!(options.score, Score::Mean(_)) {
        score /= divisor;
    }
    if score.is_nan() && status & row::NAN_INPUT == 0 {
        status |= row::INF_INPUT;
    } else if score.is_infinite() {
        status |= if infinite { row::INFINITE } else { row::OVERFLOW };
    }
    Figures { score, divisor, count, live, status }
}
#[inline(always)]
fn nan_or_inf(x: f64, status: &mut u32, infinite: &mut bool) {
    if x.is_nan() {
        *status |= row::NAN_INPUT;
    }
    *infinite |= x.is_infinite();
}

/// d score / d logp of every token of sequence `b`, times `upstream`, in order: calls `put(position, d/dlogp, d/dref)`,
/// zeros for tokens that are not read.
pub fn gradients(problem: &Problem<'_>, upstream: &Upstream<'_>, b: usize, mut put: impl FnMut(usize, f64, f64)) {
    let (options, weights) = (&problem.options, &upstream.weights);
    let tokens = problem.segments.range(b);
    let g = upstream.grad_scores.get(b) * upstream.factor();
    let live = |i: usize| weights.mask.is_none_or(|m| m.live(i));
    let weight = |i: usize| weights.token_weights.map_or(1.0, |w| w.get(i) as f64);
    let divisor = match options.score {
        Score::Mean(Divisor::Tokens) => tokens.clone().filter(|&i| live(i)).count() as f64,
        Score::Mean(Divisor::Weights) => tokens.clone().filter(|&i| live(i)).map(weight).sum(),
        Score::Mean(Divisor::External(z)) => z,
        _ => 1.0,
    };
    let (alpha, policy_only) = match options.score {
        Score::Ld { alpha, policy_only } => (alpha, policy_only),
        _ => (1.0, false),
    };
    let prefix = weights.ld_prefix.map_or(usize::MAX, |p| usize::try_from(p.get(b)).unwrap_or(usize::MAX));
    let mut count = 0;
    for (t, i) in tokens.enumerate() {
        if !live(i) {
            put(t, 0.0, 0.0);
            continue;
        }
        count += 1;
        let coefficient = if count > prefix { weight(i) * alpha } else { weight(i) };
        let mut dl = if coefficient == 0.0 || divisor == 0.0 { 0.0 } else { g * coefficient / divisor };
        if let (Some((low, high)), Some(l), Some(r)) = (options.clamp, upstream.logps, upstream.ref_logps) {
            let d = l.get(i) - r.get(i);
            if d < low || d > high {
                dl = 0.0;
            } else if d.is_nan() && dl != 0.0 {
                dl = f64::NAN;
            }
        }
        put(t, dl, if policy_only { -g } else { -dl });
    }
}
