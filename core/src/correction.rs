//! Off-policy corrections and selections of tokens: constants that a policy loss takes as weights, keep masks and marks.
//! Like the operations of [`crate::batch`], each is a pass or two in the order of the tokens, in f64, on the calling thread,
//! so that its result depends on the tokens and the options alone.
use crate::batch::{masked, missing, place, place_of, rows, unread};
use crate::catalog::{Param, numbers, param};
use crate::error::{Error, Result, Value};
use crate::matrix::{Floats, FloatsMut, Mask, MatrixMut};
use crate::policy::{Advantage, Each};
use crate::real::Real;
use crate::sequence::Segments;

/// A bound of which 0 is none: finite or infinite, not negative.
fn bound(field: &'static str, x: f64) -> Result<()> {
    let legal = Value::Range { min: 0.0, max: f64::INFINITY, min_open: false, max_open: false };
    if x >= 0.0 { Ok(()) } else { Err(Error::invalid(field, Value::Float(x), legal)) }
}
fn advantages(a: &Advantage<'_>, n: usize, b: usize) -> Result<()> {
    match a {
        Each::Token(a) => a.layout().check("advantage", n, 1),
        Each::Sequence(a) => a.layout().check("advantage", b, 1),
    }
}
impl Each<Floats<'_>> {
    /// The number of token `i` of sequence `b`.
    #[inline(always)]
    pub fn get(&self, b: usize, i: usize) -> f64 {
        match self {
            Each::Token(m) => m.get(i),
            Each::Sequence(m) => m.get(b),
        }
    }
}

/// What becomes of a token whose log ratio is not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Missing {
    /// Its ratio counts as 1.
    One = 1,
    /// It counts as 1 in sums and is dropped: weight 0.
    Zero = 2,
    /// The call is refused.
    Error = 3,
}
/// Refuses log ratios that are not finite, if the caller wants that.
fn finite(
    field: &'static str,
    a: &Floats<'_>,
    b: &Floats<'_>,
    mask: &Option<Mask<'_>>,
    missing: Missing,
) -> Result<()> {
    if missing == Missing::Error {
        for i in (0..a.rows()).filter(|&i| mask.is_none_or(|m| m.live(i))) {
            let x = a.get(i) - b.get(i);
            if !x.is_finite() {
                return Err(Error::invalid(field, Value::Float(b.get(i)), Value::Text("finite log ratios")));
            }
        }
    }
    Ok(())
}

/// What decides about a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum WeightLevel {
    /// The token's own log ratio.
    Token = 1,
    /// The sum over the sequence.
    SequenceSum = 2,
    /// The mean over the sequence.
    SequenceMean = 3,
}
/// What happens beyond the bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum WeightAction {
    /// Nothing.
    Raw = 1,
    /// The ratio is cut off at the bound.
    Truncate = 2,
    /// The weight is 0.
    Mask = 3,
}
/// What the weights are divided by, unless it is 1e-8 or less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Normalise {
    /// Nothing.
    Off = 0,
    /// Their mean over the live tokens.
    TokenMean = 1,
    /// The mean over the sequences with a live token of their means.
    SequenceMean = 2,
}
/// Importance weights of a policy against the engine that sampled, constant: y = old - sampler, Y = y of the token, or its
/// sum or mean over the sequence; w = e^Y, cut off at the bounds or 0 beyond them, the bounds inclusive. The
/// `importance_weight` of a policy call. TRL, verl, OpenRLHF, NeMo-RL, ms-swift, slime, open-instruct; truncated: Yao et
/// al. 2025 (TIS); masked: icepop.
#[derive(Clone, Copy, Debug)]
pub struct ImportanceWeight<'a> {
    /// How the tokens form sequences.
    pub segments: Segments<'a>,
    /// `[N]`, nats.
    pub old: Floats<'a>,
    /// `[N]`, nats.
    pub sampler: Floats<'a>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// Bounds of the ratio, 0 is none.
    pub low: f64,
    /// At least `low`.
    pub high: f64,
    /// What decides.
    pub level: WeightLevel,
    /// Beyond the bounds.
    pub action: WeightAction,
    /// Log ratios that are not finite.
    pub missing: Missing,
    /// Divisor.
    pub normalise: Normalise,
    /// Y decides, and the weight of a token is its own e^y, not cut off.
    pub token_weight: bool,
}
/// Results of [`ImportanceWeight`].
#[derive(Debug, Default)]
pub struct ImportanceWeightOut<'a> {
    /// `[N]`, 0 for tokens that are masked.
    pub weights: Option<FloatsMut<'a>>,
    /// `[N]`, 1 within the bounds; 0 beyond them whatever the action, and for tokens that are masked.
    pub keep: Option<MatrixMut<'a, u8>>,
    /// Live tokens, those beyond the bounds, sum of the weights, of their squares; the rest 0.
    pub statistics: Option<&'a mut [f64; 8]>,
    /// `[N]`: `nan_input`, `inf_input` where the log ratio was replaced, `overflow`.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl ImportanceWeight<'_> {
    /// Refuses shapes and bounds that do not fit.
    pub fn check(&self, out: &ImportanceWeightOut<'_>) -> Result<()> {
        let n = self.old.rows();
        self.segments.check(n)?;
        self.old.layout().check("old", n, 1)?;
        self.sampler.layout().check("sampler", n, 1)?;
        masked("mask", &self.mask, n)?;
        bound("low", self.low)?;
        bound("high", self.high)?;
        if self.high != 0.0 && self.high < self.low {
            return Err(Error::invalid("high", Value::Float(self.high), Value::Text("at least low")));
        }
        if self.action == WeightAction::Raw && (self.low != 0.0 || self.high != 0.0) {
            return Err(Error::invalid("action", Value::Text("raw with bounds"), Value::Text("truncate or mask")));
        }
        finite("sampler", &self.old, &self.sampler, &self.mask, self.missing)?;
        place("out_weights", &out.weights, n)?;
        place_of("out_keep", &out.keep, n)?;
        place_of("out_status", &out.status, n)
    }
    /// Log bounds.
    pub fn log_bounds(&self) -> [f64; 2] {
        log_bounds(self.low, self.high)
    }
}
fn log_bounds(low: f64, high: f64) -> [f64; 2] {
    [Real::log(low), if high == 0.0 { f64::INFINITY } else { Real::log(high) }]
}

/// What is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Statistic {
    /// y = old - sampler, against the logs of the bounds.
    Ratio = 1,
    /// -y, against the logs of the bounds.
    K1 = 2,
    /// y^2 / 2
    K2 = 3,
    /// e^y - 1 - y
    K3 = 4,
    /// KL of the coins with e^sampler and e^old.
    BinaryKl = 5,
    /// |e^old - e^sampler|
    Tv = 6,
}
/// Over what the statistic is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Span {
    /// Each token.
    Token = 1,
    /// Sum over the sequence.
    SequenceSum = 2,
    /// Mean.
    SequenceMean = 3,
    /// Maximum; 0 without a live token.
    SequenceMax = 4,
}
/// Tokens that are not too far from the engine that sampled them: the `keep` of a policy call. Bounds are inclusive; several
/// criteria: one call after the other, each with the last one's result as its `keep`. verl, OpenRLHF, AReaL, NeMo-RL.
#[derive(Clone, Copy, Debug)]
pub struct RejectionMask<'a> {
    /// How the tokens form sequences.
    pub segments: Segments<'a>,
    /// `[N]`, nats.
    pub old: Floats<'a>,
    /// `[N]`, nats.
    pub sampler: Floats<'a>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// `[N]`, what other criteria left; these tokens count in sums.
    pub keep: Option<Mask<'a>>,
    /// What is bounded.
    pub statistic: Statistic,
    /// Over what.
    pub span: Span,
    /// Of the ratio for `ratio` and `k1`, else of the statistic; 0 is none.
    pub low: f64,
    /// At least `low`.
    pub high: f64,
    /// Log ratios that are not finite.
    pub missing: Missing,
}
/// Results of [`RejectionMask`].
#[derive(Debug, Default)]
pub struct RejectionMaskOut<'a> {
    /// `[N]`, 0 for tokens that are masked.
    pub keep: Option<MatrixMut<'a, u8>>,
    /// `[B]`, 1 where a live token is kept.
    pub sequence_keep: Option<MatrixMut<'a, u8>>,
    /// `[N]` for tokens, `[B]` for sequences.
    pub statistic: Option<FloatsMut<'a>>,
    /// Number of live tokens that are not kept.
    pub rejected: Option<MatrixMut<'a, i64>>,
}
impl RejectionMask<'_> {
    /// Refuses shapes and bounds that do not fit.
    pub fn check(&self, out: &RejectionMaskOut<'_>) -> Result<()> {
        let (n, b) = (self.old.rows(), self.segments.sequences());
        self.segments.check(n)?;
        self.old.layout().check("old", n, 1)?;
        self.sampler.layout().check("sampler", n, 1)?;
        masked("mask", &self.mask, n)?;
        masked("keep", &self.keep, n)?;
        bound("low", self.low)?;
        bound("high", self.high)?;
        if self.high != 0.0 && self.high < self.low {
            return Err(Error::invalid("high", Value::Float(self.high), Value::Text("at least low")));
        }
        finite("sampler", &self.old, &self.sampler, &self.mask, self.missing)?;
        place_of("out_keep", &out.keep, n)?;
        place_of("out_sequence_keep", &out.sequence_keep, b)?;
        place("out_statistic", &out.statistic, if self.span == Span::Token { n } else { b })?;
        place_of("out_rejected", &out.rejected, 1)
    }
    /// Bounds of the statistic.
    pub fn bounds(&self) -> [f64; 2] {
        match self.statistic {
            Statistic::Ratio | Statistic::K1 => log_bounds(self.low, self.high),
            _ => {
                let none = |x: f64, other| if x == 0.0 { other } else { x };
                [none(self.low, f64::NEG_INFINITY), none(self.high, f64::INFINITY)]
            }
        }
    }
    /// The statistic of one token.
    #[inline(always)]
    pub fn of(&self, old: f64, sampler: f64) -> f64 {
        let y = old - sampler;
        match self.statistic {
            Statistic::Ratio => y,
            Statistic::K1 => -y,
            Statistic::K2 => 0.5 * y * y,
            Statistic::K3 => y.exp_rem(),
            Statistic::BinaryKl => crate::losses::coin_kl(old, sampler, y),
            Statistic::Tv => crate::losses::probability_gap(old, sampler, y).abs(),
        }
    }
}

/// Sequences with a negative advantage that the policy has moved away from: dropped where the mean over the live tokens of
/// `behaviour - logp` is above `delta`. The `sequence_keep` of a policy call. TRL and ms-swift with the sampler, slime
/// (OPSM) with the old policy.
#[derive(Clone, Copy, Debug)]
pub struct OffPolicySequenceMask<'a> {
    /// How the tokens form sequences.
    pub segments: Segments<'a>,
    /// `[N]`, current policy, constant.
    pub logps: Floats<'a>,
    /// `[N]`, sampler or old policy; NaN adds nothing.
    pub behaviour: Floats<'a>,
    /// `[B]`.
    pub advantage: Floats<'a>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// Finite.
    pub delta: f64,
}
/// Results of [`OffPolicySequenceMask`].
#[derive(Debug, Default)]
pub struct OffPolicySequenceMaskOut<'a> {
    /// `[B]`.
    pub keep: Option<MatrixMut<'a, u8>>,
    /// `[B]`, the mean; 0 without a live token.
    pub mean: Option<FloatsMut<'a>>,
}
impl OffPolicySequenceMask<'_> {
    /// Refuses shapes that do not fit.
    pub fn check(&self, out: &OffPolicySequenceMaskOut<'_>) -> Result<()> {
        let (n, b) = (self.logps.rows(), self.segments.sequences());
        self.segments.check(n)?;
        self.logps.layout().check("logps", n, 1)?;
        self.behaviour.layout().check("behaviour", n, 1)?;
        self.advantage.layout().check("advantage", b, 1)?;
        masked("mask", &self.mask, n)?;
        if !self.delta.is_finite() {
            return Err(Error::invalid("delta", Value::Float(self.delta), Value::Text("a finite number")));
        }
        place_of("out_keep", &out.keep, b)?;
        place("out_mean", &out.mean, b)
    }
}

/// The share of the live tokens with the largest entropies, ties kept: the `entropy_mask` of a policy call. The threshold is
/// the quantile at 1 - share of all of them, between neighbours by a straight line. Wang et al. 2025, arXiv:2506.01939; TRL,
/// ms-swift. Over ranks: of the gathered entropies.
#[derive(Clone, Copy, Debug)]
pub struct TopEntropyMask<'a> {
    /// `[N]`; NaN is dropped and does not count.
    pub entropy: Floats<'a>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// In (0, 1].
    pub share: f64,
}
/// Results of [`TopEntropyMask`].
#[derive(Debug, Default)]
pub struct TopEntropyMaskOut<'a> {
    /// `[N]`, 0 for tokens that are masked.
    pub keep: Option<MatrixMut<'a, u8>>,
    /// One number; 0 without a live token.
    pub threshold: Option<FloatsMut<'a>>,
    /// One word: `nan_input`, `empty`.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl TopEntropyMask<'_> {
    /// Refuses shapes that do not fit and shares that are none.
    pub fn check(&self, out: &TopEntropyMaskOut<'_>) -> Result<()> {
        let n = self.entropy.rows();
        self.entropy.layout().check("entropy", n, 1)?;
        masked("mask", &self.mask, n)?;
        if !(self.share > 0.0 && self.share <= 1.0) {
            let legal = Value::Range { min: 0.0, max: 1.0, min_open: true, max_open: false };
            return Err(Error::invalid("share", Value::Float(self.share), legal));
        }
        place_of("out_keep", &out.keep, n)?;
        place("out_threshold", &out.threshold, 1)?;
        place_of("out_status", &out.status, 1)
    }
}

/// Which tokens [`CovSelect`] looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum CovForm {
    /// Those with the largest covariance, for `kl_cov`.
    Kl = 1,
    /// A draw from those between two bounds that no clip holds, by a seed or by the caller's noise, for `clip_cov`.
    Clip = 2,
}
/// Tokens by the covariance of advantage and log-prob, (A - mean A) (l - mean l) over the live tokens: max(1, floor(share N))
/// of them, fewer where there are fewer. The draw takes the smallest keys of a hash of seed and token index, or the tokens with
/// the smallest noise, so that it depends on neither threads nor ranks. Cui et al. 2025, arXiv:2505.22617; verl (which draws from a global state).
#[derive(Clone, Copy, Debug)]
pub struct CovSelect<'a> {
    /// How the tokens form sequences.
    pub segments: Segments<'a>,
    /// `[N]`, constant. A token whose log-prob or advantage is not finite is left out.
    pub logps: Floats<'a>,
    /// `[N]`, form `clip`.
    pub old: Option<Floats<'a>>,
    /// `[N]`, form `clip`: numbers of the caller's in the place of the hash; a token whose number is NaN is not drawn.
    pub noise: Option<Floats<'a>>,
    /// `[N]` or `[B]`.
    pub advantage: Advantage<'a>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// Checked by [`CovSelect::params`].
    pub params: [f64; 5],
    /// Of the draw.
    pub seed: u64,
    /// Index of the first token among those of all ranks.
    pub first_token: u64,
    /// What is looked for.
    pub form: CovForm,
}
/// Results of [`CovSelect`].
#[derive(Debug, Default)]
pub struct CovSelectOut<'a> {
    /// `[N]`, the tokens that were selected, ascending; -1 behind them.
    pub indices: Option<MatrixMut<'a, i64>>,
    /// How many.
    pub count: Option<MatrixMut<'a, i64>>,
    /// `[N]`, 1 where selected: the `flag` of `kl_cov`.
    pub flag: Option<MatrixMut<'a, u8>>,
    /// `[N]`, 0 where selected or masked: the `keep` of `clip_cov`.
    pub keep: Option<MatrixMut<'a, u8>>,
}
impl CovSelect<'_> {
    /// Parameters in their order.
    pub const PARAMS: [Param; 5] = [
        param("share", 2e-4, "share of the live tokens that is selected").from(0.0).up_to(1.0),
        param("cov_low", 1.0, "lower bound of the covariance, exclusive").or_infinite(),
        param("cov_high", 5.0, "upper bound, exclusive").or_infinite(),
        param("clip_low", 0.2, "ratios below 1 - clip_low are clipped already").from(0.0).or_infinite(),
        param("clip_high", 0.2, "ratios above 1 + clip_high are").from(0.0).or_infinite(),
    ];
    /// The checked parameters; a missing tail and NaN mean default.
    pub fn params(given: &[f64]) -> Result<[f64; 5]> {
        numbers(&Self::PARAMS, given)
    }
    /// Refuses shapes that do not fit and an old policy that is missing or not read.
    pub fn check(&self, out: &CovSelectOut<'_>) -> Result<()> {
        let n = self.logps.rows();
        self.segments.check(n)?;
        self.logps.layout().check("logps", n, 1)?;
        rows("old", &self.old, n)?;
        rows("noise", &self.noise, n)?;
        if self.noise.is_some() && self.form == CovForm::Kl {
            return unread("noise", "none: the largest covariances are not drawn");
        }
        if self.noise.is_some() && self.seed != 0 {
            let zero = Value::Text("0 with noise, which takes its place");
            return Err(Error::invalid("seed", Value::Int(self.seed as i64), zero));
        }
        match (&self.old, self.form) {
            (None, CovForm::Clip) => return missing("old", "[N]: what is clipped already is left out"),
            (Some(_), CovForm::Kl) => return unread("old", "none: the largest covariances do without"),
            _ => {}
        }
        advantages(&self.advantage, n, self.segments.sequences())?;
        masked("mask", &self.mask, n)?;
        place_of("out_indices", &out.indices, n)?;
        place_of("out_count", &out.count, 1)?;
        place_of("out_flag", &out.flag, n)?;
        place_of("out_keep", &out.keep, n)
    }
    /// Key of a token: two rounds of splitmix64 over its index and the seed.
    pub const fn key(seed: u64, token: u64) -> u64 {
        const fn mix(x: u64) -> u64 {
            let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^ (x >> 31)
        }
        mix(mix(seed) ^ token)
    }
}

/// M2PO: the tokens that moved most, in squares of `old - prox`, are dropped until the mean of the others is below a
/// threshold; one is kept at least. The `keep` of a policy call. Zheng et al. 2025, arXiv:2510.01161; AReaL.
#[derive(Clone, Copy, Debug)]
pub struct M2poMask<'a> {
    /// `[N]`, nats. A token whose difference is not finite is dropped first.
    pub old: Floats<'a>,
    /// `[N]`, the proximal policy.
    pub proximal: Floats<'a>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// Above 0.
    pub threshold: f64,
}
/// Results of [`M2poMask`].
#[derive(Debug, Default)]
pub struct M2poMaskOut<'a> {
    /// `[N]`, 0 for tokens that are masked.
    pub keep: Option<MatrixMut<'a, u8>>,
    /// Mean square of the tokens that are kept; 0 without one.
    pub moment: Option<FloatsMut<'a>>,
    /// Number of live tokens that are dropped.
    pub dropped: Option<MatrixMut<'a, i64>>,
}
impl M2poMask<'_> {
    /// Refuses shapes that do not fit and a threshold that is none.
    pub fn check(&self, out: &M2poMaskOut<'_>) -> Result<()> {
        let n = self.old.rows();
        self.old.layout().check("old", n, 1)?;
        self.proximal.layout().check("proximal", n, 1)?;
        masked("mask", &self.mask, n)?;
        if !(self.threshold > 0.0) {
            let legal = Value::Range { min: 0.0, max: f64::INFINITY, min_open: true, max_open: false };
            return Err(Error::invalid("threshold", Value::Float(self.threshold), legal));
        }
        place_of("out_keep", &out.keep, n)?;
        place("out_moment", &out.moment, 1)?;
        place_of("out_dropped", &out.dropped, 1)
    }
}

/// FIPO: tokens weighted by where the policy goes after them, constant. With x = logp - old, f = x where live and not above
/// log delta, else 0: F_t = f_t + gamma F_(t+1) over the positions of the sequence, masked ones too, gamma =
/// 2^(-1 / half_life); w = e^F, within [1 - clip, 1 + clip] or (high_only) [1, 1 + clip]; where the advantage is negative and
/// the ratio above `safety`, within [0.8, 1] too. The `token_weights` of a policy call. ms-swift.
#[derive(Clone, Copy, Debug)]
pub struct FipoWeight<'a> {
    /// How the tokens form sequences.
    pub segments: Segments<'a>,
    /// `[N]`, constant.
    pub logps: Floats<'a>,
    /// `[N]`.
    pub old: Floats<'a>,
    /// `[N]` or `[B]`.
    pub advantage: Advantage<'a>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// Checked by [`FipoWeight::params`].
    pub params: [f64; 4],
    /// The weight is never below 1 (but for `safety`).
    pub high_only: bool,
}
/// Results of [`FipoWeight`].
#[derive(Debug, Default)]
pub struct FipoWeightOut<'a> {
    /// `[N]`, 0 for tokens that are masked.
    pub weights: Option<FloatsMut<'a>>,
    /// `[N]`: `nan_input`, `overflow`.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl FipoWeight<'_> {
    /// Parameters in their order.
    pub const PARAMS: [Param; 4] = [
        param("half_life", 32.0, "positions after which a log ratio counts half").above(0.0),
        param("clip", 0.2, "largest distance of the weight from 1; 0: any").from(0.0).below(1.0),
        param("delta", f64::INFINITY, "ratios above do not count; infinity: all do").above(0.0).or_infinite(),
        param("safety", 4.0, "ratio above which a negative advantage is not weighted up; infinity: never")
            .above(0.0)
            .or_infinite(),
    ];
    /// The checked parameters; a missing tail and NaN mean default.
    pub fn params(given: &[f64]) -> Result<[f64; 4]> {
        numbers(&Self::PARAMS, given)
    }
    /// Refuses shapes that do not fit.
    pub fn check(&self, out: &FipoWeightOut<'_>) -> Result<()> {
        let n = self.logps.rows();
        self.segments.check(n)?;
        self.logps.layout().check("logps", n, 1)?;
        self.old.layout().check("old", n, 1)?;
        advantages(&self.advantage, n, self.segments.sequences())?;
        masked("mask", &self.mask, n)?;
        place("out_weights", &out.weights, n)?;
        place_of("out_status", &out.status, n)
    }
}
