//! Policy losses in split form: token log-probs in, loss, figures and d loss / d log-prob out.
//!
//! Stages, in this order: entry (token, sequence or estimator kind) -> tokens that are kept -> token weight -> importance
//! weight -> + coef * KL estimate -> aggregate -> - coef * entropy, aggregated on its own. A masked token is not read; its
//! outputs are 0. Token and estimator entries are f32 inside, sequence functions and all sums f64.
//!
//! | tokens | term | figures, lengths of sequence entries |
//! |---|---|---|
//! | live: `mask` | | yes |
//! | live and `keep`, `sequence_keep`, `entropy_mask` | loss | |
//! | live and `kl_mask`; with the denominator `kept` also `keep` and `sequence_keep` | KL | |
//! | live and `entropy_mask`; with the denominator `kept` of the loss also `keep` and `sequence_keep` | entropy | |
//!
//! A token that is live and dropped is read; its value, gradient and weight are selected away. The denominator counts the
//! live tokens, or (`kept`) those that `keep` and `sequence_keep` leave; that of the entropy then its own tokens.
//!
//! With N tokens that count, L_b of sequence b and B' sequences (all, or those that are not empty), the weight of a token is
//!
//! | aggregate | weight |
//! |---|---|
//! | `token_mean` | `1 / N` |
//! | `seq_mean_token_mean` | `1 / (B' L_b)` |
//! | `seq_mean_token_sum` | `1 / B'` |
//! | `seq_mean_token_sum_norm` | `1 / (B' T0)` |
//! | `token_sum` | `1` |
//! | `seq_mean` | the same as `seq_mean_token_mean`; sequence kind only |
//! | `weighted_mean` | `a / N`, `a / (sum of a)` with the denominator `weights`; a is the token weight |
//! | `none` | the upstream gradient's own element; values only, and each sequence's value counts once |
//!
//! A `normaliser` replaces what stands in front of L_b. The value of a sequence entry stands for each of its live tokens.
//!
//! List entries ([`Options::groups`]): the sequences of a group are the members, those without a live token or rejected by
//! `sequence_keep` are none. Score as the entry asks (sum or mean over the live tokens), reference `old`, target the
//! advantage (mean of the tokens'). `seq_mean` is then the mean over the groups, all or those that have a member.
//!
//! Further terms ([`Term`]) run over the same tokens, each with tensors and an aggregate of its own and with neither
//! rejection nor importance weights; their gradients (f32) are added in order to that of the main loss.
use crate::catalog::{self, Info, Kind, slot};
use crate::error::{Error, Result, Value, row};
use crate::losses::{self, EstimateOut};
use crate::matrix::{Floats, FloatsMut, Ints, Mask, Matrix, MatrixMut, Split};
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
    /// The same with the exponential of the mean of `logp - old` over the sequence.
    RatioSequence = 4,
}
/// Gradient of a KL estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EstimatorGradient {
    /// The derivative of the value.
    Pathwise = 1,
    /// `-z = logp - ref`, whatever the value and its clamps.
    StraightThrough = 2,
    /// `-z min(rho, ratio_max)`, rho of the sequence with the weight `ratio_sequence`, else of the token.
    StraightThroughRatio = 3,
}
/// What an input clamp does beyond its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ClampMode {
    /// The estimate goes on along its tangent.
    Linear = 1,
    /// The estimate is constant, that of its weight too.
    ZeroGradient = 2,
}
/// The policy below the line of an estimator's ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum RatioSource {
    /// `old`
    Old = 1,
    /// `sampler`
    Sampler = 2,
}
/// Where the KL term is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum KlStage {
    /// The importance weight does not reach it.
    AfterWeight = 1,
    /// The importance weight multiplies it.
    BeforeWeight = 2,
}
/// A KL estimator with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimator {
    /// Entry of the estimator kind, or [`Estimator::GIVEN`] with plain settings.
    pub id: u32,
    /// Factor.
    pub weight: EstimatorWeight,
    /// Gradient.
    pub gradient: EstimatorGradient,
    /// Factor as a term, finite and >= 0; 0 is off but still reported.
    pub coef: f64,
    /// |z| beyond which the clamp acts, above 0, finite; `None`: no clamp. Before the weight.
    pub input_clamp: Option<(f64, ClampMode)>,
    /// Largest size of the weighted estimate, above 0; no gradient beyond. Infinity: none.
    pub output_clamp: f64,
    /// Largest ratio of [`EstimatorGradient::StraightThroughRatio`], >= 1; infinity: none.
    pub ratio_max: f64,
    /// Of weight and gradient.
    pub ratio_source: RatioSource,
    /// As a term.
    pub stage: KlStage,
}
impl Estimator {
    /// No estimate: the term's values are [`Inputs::kl`], its partials [`Outputs::grad_kl`].
    pub const GIVEN: u32 = 0;
    /// The plain estimate, reported only.
    pub const fn new(id: u32) -> Estimator {
        Estimator {
            id,
            weight: EstimatorWeight::One,
            gradient: EstimatorGradient::Pathwise,
            coef: 0.0,
            input_clamp: None,
            output_clamp: f64::INFINITY,
            ratio_max: f64::INFINITY,
            ratio_source: RatioSource::Old,
            stage: KlStage::AfterWeight,
        }
    }
    /// It reads the policy that its ratio is against.
    pub fn reads_ratio(&self) -> bool {
        matches!(self.weight, EstimatorWeight::Ratio | EstimatorWeight::RatioSequence)
            || self.gradient == EstimatorGradient::StraightThroughRatio
    }
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
    WeightedMean = 7,
    None = 8,
}
/// What a denominator counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum Denominator {
    /// Live tokens, dropped ones too.
    #[default]
    Original = 1,
    /// Live tokens that were not rejected.
    Kept = 2,
    /// `weighted_mean`: the sum of the token weights over the live tokens.
    Weights = 3,
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
    /// What counts.
    pub denominator: Denominator,
}
impl Aggregate {
    /// A mode with nothing else set.
    pub const fn new(mode: Mode) -> Aggregate {
        let denominator = Denominator::Original;
        Aggregate { mode, normaliser: 0.0, max_length: 0.0, count_empty: None, denominator }
    }
    /// Values, and what goes together; `field` names the struct.
    fn check(&self, fields: &[&'static str; 5], sequence: bool) -> Result<()> {
        let [mode, normaliser, max_length, count_empty, denominator] = *fields;
        let positive = Value::Range { min: 0.0, max: f64::INFINITY, min_open: true, max_open: true };
        let fits = |v: f64| v > 0.0 && v < f64::INFINITY;
        if self.normaliser != 0.0 && !fits(self.normaliser) {
            return Err(Error::invalid(normaliser, Value::Float(self.normaliser), positive));
        }
        match (self.mode == Mode::SeqMeanTokenSumNorm, self.max_length) {
            (true, v) if !fits(v) => return Err(Error::invalid(max_length, Value::Float(v), positive)),
            (false, v) if v != 0.0 => {
                let expected = Value::Text("0: only seq_mean_token_sum_norm reads it");
                return Err(Error::invalid(max_length, Value::Float(v), expected));
            }
            _ => {}
        }
        if self.mode == Mode::None && self.normaliser != 0.0 {
            let expected = Value::Text("0: nothing is aggregated");
            return Err(Error::invalid(normaliser, Value::Float(self.normaliser), expected));
        }
        let by_token = matches!(self.mode, Mode::TokenMean | Mode::TokenSum | Mode::WeightedMean | Mode::None);
        if !by_token && self.count_empty.is_none() {
            let expected = Value::Text("all or nonempty with a seq_ mode");
            return Err(Error::invalid(count_empty, Value::Text("nothing"), expected));
        }
        if self.mode == Mode::SeqMean && !sequence {
            let expected = Value::Text("a mode over tokens, for this entry");
            return Err(Error::invalid(mode, Value::Text("seq_mean"), expected));
        }
        if self.denominator == Denominator::Weights && self.mode != Mode::WeightedMean {
            let expected = Value::Text("original or kept: only weighted_mean sums weights");
            return Err(Error::invalid(denominator, Value::Text("weights"), expected));
        }
        Ok(())
    }
}
const OF_LOSS: [&str; 5] = [
    "inputs.aggregate.mode",
    "inputs.aggregate.normaliser",
    "inputs.aggregate.max_length",
    "inputs.aggregate.count_empty",
    "inputs.aggregate.denominator",
];
const OF_ENTROPY: [&str; 5] = [
    "inputs.entropy_aggregate.mode",
    "inputs.entropy_aggregate.normaliser",
    "inputs.entropy_aggregate.max_length",
    "inputs.entropy_aggregate.count_empty",
    "inputs.entropy_aggregate.denominator",
];
/// The entropy bonus: `-coef` times the aggregated entropy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bonus {
    /// Finite and > 0.
    pub coef: f64,
    /// Of the entropies.
    pub aggregate: Aggregate,
}
/// A further term over the same tokens: an entry with parameters, a factor and an aggregate of its own.
#[derive(Clone, Copy, Debug)]
pub struct Term<'a> {
    /// Entry of kind token, sequence, list or estimator (the plain estimate) that reads no log_z.
    pub loss: u32,
    /// As in [`Options::variant`].
    pub variant: u32,
    /// As in [`Options::params`].
    pub params: &'a [f64],
    /// Factor after the aggregation, finite; 0: the term adds nothing but its status.
    pub weight: f64,
    /// Of its values; not [`Mode::None`].
    pub aggregate: Aggregate,
    /// Level of the ratio.
    pub level: Level,
}
/// Settings of a call.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Entry of kind token, sequence, list or estimator.
    pub loss: u32,
    /// Which of the entry's variants, from 1 on; 0 where it has none.
    pub variant: u32,
    /// In catalogue order; a missing tail and NaN mean default.
    pub params: &'a [f64],
    /// KL term. If the loss is an estimator itself these are its settings: the same id, coef 0.
    pub kl: Option<Estimator>,
    /// Aggregation of loss and KL.
    pub aggregate: Aggregate,
    /// Entropy bonus.
    pub bonus: Option<Bonus>,
    /// Level of the ratio; of a list entry: sequence.
    pub level: Level,
    /// `[G + 1]`, offsets into the sequences, for entries of the kind list: first 0, last B, ascending.
    pub groups: Option<Ints<'a>>,
    /// Further terms.
    pub terms: &'a [Term<'a>],
}
impl<'a> Options<'a> {
    /// Those of a further term, without groups.
    fn of(term: &Term<'a>) -> Options<'a> {
        let Term { loss, variant, params, aggregate, level, .. } = *term;
        Options { variant, params, ..Options::new(loss, level, aggregate) }
    }
    /// An entry with its default parameters and nothing beside it.
    pub const fn new(loss: u32, level: Level, aggregate: Aggregate) -> Options<'a> {
        Options { loss, variant: 0, params: &[], kl: None, aggregate, bonus: None, level, groups: None, terms: &[] }
    }
}

/// A checked problem: what is asked, without the token values.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    tokens: usize,
    segments: Segments<'a>,
    options: Options<'a>,
}
impl<'a> Problem<'a> {
    /// Checks offsets and options for `tokens` tokens, padding included.
    pub fn new(tokens: usize, segments: Segments<'a>, options: Options<'a>) -> Result<Problem<'a>> {
        segments.check(tokens)?;
        let unknown =
            Error::invalid("inputs.loss.id", Value::Int(options.loss as i64), Value::Text("an entry of the catalogue"));
        let info = catalog::info(options.loss).ok_or(unknown)?;
        if !matches!(info.kind, Kind::Token | Kind::Sequence | Kind::List | Kind::Estimator) {
            let expected = Value::Text("an entry of kind token, sequence, list or estimator");
            return Err(Error::invalid("inputs.loss.id", Value::Text(info.about.name), expected));
        }
        info.params_from(options.variant, options.params)?;
        info.check_variant("inputs.loss.variant", options.variant)?;
        let whole = matches!(info.kind, Kind::Sequence | Kind::List);
        let level = if whole { Level::Sequence } else { Level::Token };
        if options.level != level {
            let expected = if level == Level::Token { "token, for this entry" } else { "sequence, for this entry" };
            return Err(Error::invalid("inputs.level", Value::Int(options.level as i64), Value::Text(expected)));
        }
        if let Some(kl) = options.kl {
            let plain = Estimator { coef: kl.coef, stage: kl.stage, ..Estimator::new(Estimator::GIVEN) };
            if kl != plain && catalog::info(kl.id).is_none_or(|i| i.kind != Kind::Estimator) {
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
            let bound = |field, v: f64, min: f64, open| {
                let legal = Value::Range { min, max: f64::INFINITY, min_open: open, max_open: false };
                let fits = if open { v > min } else { v >= min };
                if fits { Ok(()) } else { Err(Error::invalid(field, Value::Float(v), legal)) }
            };
            if let Some((a, _)) = kl.input_clamp {
                bound("inputs.kl.input_clamp", a, 0.0, true)?;
            }
            bound("inputs.kl.output_clamp", kl.output_clamp, 0.0, true)?;
            bound("inputs.kl.ratio_max", kl.ratio_max, 1.0, false)?;
            if kl.ratio_max < f64::INFINITY && kl.gradient != EstimatorGradient::StraightThroughRatio {
                let expected = Value::Text("0: only the gradient straight_through_ratio reads it");
                return Err(Error::invalid("inputs.kl.ratio_max", Value::Float(kl.ratio_max), expected));
            }
            if info.kind == Kind::Estimator && (kl.id != options.loss || kl.coef != 0.0) {
                let expected = Value::Text("the loss itself with coef 0: these are its settings");
                return Err(Error::invalid("inputs.kl.id", Value::Int(kl.id as i64), expected));
            }
        }
        options.aggregate.check(&OF_LOSS, whole)?;
        let aggregate = options.aggregate;
        if info.kind == Kind::List {
            let refuse = |field, got, expected| Err(Error::invalid(field, Value::Text(got), Value::Text(expected)));
            if info.about.scores != catalog::Score::Sum.bit() && info.about.scores != catalog::Score::Mean.bit() {
                return refuse("inputs.loss.id", info.about.name, "a list entry of sums only or of means only");
            }
            if !matches!(aggregate.mode, Mode::SeqMean | Mode::None) {
                return refuse("inputs.aggregate.mode", "a mode over tokens", "seq_mean or none, for this entry");
            }
            if options.kl.is_some_and(|kl| kl.coef != 0.0) {
                let expected = "0 beside a list entry: a further term has an aggregate of its own";
                return refuse("inputs.kl.coef", "a factor", expected);
            }
            if options.groups.is_none() {
                return refuse("inputs.group_offsets", "nothing", "[G + 1]: the loss reads it");
            }
        }
        if let Some(groups) = options.groups {
            let named = |e: Error| Error { field: "inputs.group_offsets", ..e };
            Segments::Packed(groups).check(segments.sequences()).map_err(named)?;
            let list = |id: u32| catalog::info(id).is_some_and(|i| i.kind == Kind::List);
            if !list(options.loss) && !options.terms.iter().any(|t| list(t.loss)) {
                let expected = Value::Text("none without an entry of kind list");
                return Err(Error::invalid("inputs.group_offsets", Value::Text("a tensor"), expected));
            }
        }
        if aggregate.mode == Mode::None {
            let refuse = |field, got, expected| Err(Error::invalid(field, Value::Text(got), Value::Text(expected)));
            if whole && options.kl.is_some_and(|kl| kl.coef != 0.0) {
                return refuse("inputs.kl.coef", "a factor", "0 with aggregate none at sequence level");
            }
            if options.bonus.is_some() {
                return refuse("inputs.entropy_coef", "a factor", "0 with aggregate none");
            }
            if !options.terms.is_empty() {
                return refuse("inputs.num_extra_terms", "terms", "none with aggregate none");
            }
        }
        for term in options.terms {
            let named = |e: Error| Error {
                field: match e.field {
                    "inputs.loss.id" => "inputs.extra_terms.loss.id",
                    "inputs.loss.variant" => "inputs.extra_terms.loss.variant",
                    "inputs.level" => "inputs.extra_terms.level",
                    "inputs.aggregate.mode" => "inputs.extra_terms.aggregate.mode",
                    "inputs.aggregate.normaliser" => "inputs.extra_terms.aggregate.normaliser",
                    "inputs.aggregate.max_length" => "inputs.extra_terms.aggregate.max_length",
                    "inputs.aggregate.count_empty" => "inputs.extra_terms.aggregate.count_empty",
                    "inputs.aggregate.denominator" => "inputs.extra_terms.aggregate.denominator",
                    "inputs.group_offsets" => "inputs.group_offsets",
                    _ => "inputs.extra_terms.loss.params",
                },
                ..e
            };
            let refuse = |field, got, expected| Err(Error::invalid(field, got, Value::Text(expected)));
            if !term.weight.is_finite() {
                return refuse("inputs.extra_terms.loss.weight", Value::Float(term.weight), "a finite number");
            }
            if term.aggregate.mode == Mode::None {
                return refuse("inputs.extra_terms.aggregate.mode", Value::Text("none"), "a mode that aggregates");
            }
            let list = catalog::info(term.loss).is_some_and(|i| i.kind == Kind::List);
            let own = Options { groups: options.groups.filter(|_| list), ..Options::of(term) };
            Problem::new(tokens, segments, own).map_err(named)?;
            let about = &catalog::info(term.loss).expect("checked by Problem::new").about;
            if about.reads(slot::LOG_Z) || about.reads(slot::IMPORTANCE) {
                let expected = "an entry that reads neither log_z nor importance weights";
                return refuse("inputs.extra_terms.loss.id", Value::Text(about.name), expected);
            }
        }
        if let Some(bonus) = options.bonus {
            if !(bonus.coef > 0.0 && bonus.coef < f64::INFINITY) {
                let legal = Value::Range { min: 0.0, max: f64::INFINITY, min_open: true, max_open: true };
                return Err(Error::invalid("inputs.entropy_coef", Value::Float(bonus.coef), legal));
            }
            bonus.aggregate.check(&OF_ENTROPY, false)?;
            if bonus.aggregate.mode == Mode::None {
                let expected = Value::Text("a mode that aggregates");
                return Err(Error::invalid(OF_ENTROPY[0], Value::Text("none"), expected));
            }
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
    /// G; 0 without groups.
    pub fn groups(&self) -> usize {
        self.options.groups.map_or(0, |g| g.rows() - 1)
    }
    /// Values of the loss: one a group, a sequence or a token.
    pub fn values(&self) -> usize {
        match self.info().kind {
            Kind::List => self.groups(),
            Kind::Sequence => self.sequences(),
            _ => self.tokens,
        }
    }
    /// The problem of a further term.
    pub fn term(&self, term: &Term<'a>) -> Problem<'a> {
        Problem { options: Options { groups: self.options.groups, ..Options::of(term) }, ..*self }
    }
    /// The entry.
    pub fn info(&self) -> &'static Info {
        catalog::info(self.options.loss).expect("checked by Problem::new")
    }
    /// The loss or a further term reads one of these slots.
    pub fn reads(&self, slots: u64) -> bool {
        let mut ids = self.options.terms.iter().map(|t| t.loss).chain([self.options.loss]);
        ids.any(|id| catalog::info(id).is_some_and(|i| i.about.reads(slots)))
    }
    /// The estimator that runs: the KL term or the loss itself.
    pub fn estimator(&self) -> Option<Estimator> {
        let own = Estimator::new(self.options.loss);
        self.options.kl.or((self.info().kind == Kind::Estimator).then_some(own))
    }
}

/// Numbers of tokens or of sequences.
#[derive(Clone, Copy, Debug)]
pub enum Each<T> {
    /// `[N]`.
    Token(T),
    /// `[B]`.
    Sequence(T),
}
/// Advantages. A sequence entry averages those of tokens over the mask, unless it is evaluated for each token.
pub type Advantage<'a> = Each<Floats<'a>>;
/// What a further term reads in the place of the call's own; absent: the call's.
#[derive(Clone, Copy, Debug, Default)]
pub struct TermInputs<'a> {
    /// As [`Inputs::old`].
    pub old: Option<Floats<'a>>,
    /// As [`Inputs::reference`].
    pub reference: Option<Floats<'a>>,
    /// As [`Inputs::advantage`].
    pub advantage: Option<Advantage<'a>>,
    /// As [`Inputs::flag`].
    pub flag: Option<Each<Matrix<'a, u8>>>,
    /// As [`Inputs::mask`].
    pub mask: Option<Mask<'a>>,
    /// As [`Inputs::token_weights`]; absent: 1.
    pub token_weights: Option<Floats<'a>>,
}
/// Token values: `[N]` or `[B, T]` as a vector of tokens, nats.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Current policy.
    pub logps: Floats<'a>,
    /// Policy that sampled the tokens. Absent: the current one, detached (ratio 1, whatever `logps` holds but NaN).
    pub old: Option<Floats<'a>>,
    /// Reference, or a teacher; returns for value losses.
    pub reference: Option<Floats<'a>>,
    /// Inference engine.
    pub sampler: Option<Floats<'a>>,
    /// Reference of the KL term; absent: `reference`.
    pub kl_reference: Option<Floats<'a>>,
    /// The KL term's values, with [`Estimator::GIVEN`].
    pub kl: Option<Floats<'a>>,
    /// Entropy of the current policy, for the bonus and entries that read it.
    pub entropy: Option<Floats<'a>>,
    /// What entries that read an entropy take in its place: `eaft` wants that of the 20 most probable tokens, the bonus that
    /// of all.
    pub topk_entropy: Option<Floats<'a>>,
    /// Advantages.
    pub advantage: Option<Advantage<'a>>,
    /// A mark, not 0 where set; absent: all are set.
    pub flag: Option<Each<Matrix<'a, u8>>>,
    /// `[B]`, log-normalisers.
    pub log_z: Option<Floats<'a>>,
    /// A token with 0 is not read.
    pub mask: Option<Mask<'a>>,
    /// 0: the token was rejected.
    pub keep: Option<Matrix<'a, u8>>,
    /// `[B]`, 0: the sequence was rejected.
    pub sequence_keep: Option<Matrix<'a, u8>>,
    /// 0: neither loss nor entropy bonus.
    pub entropy_mask: Option<Matrix<'a, u8>>,
    /// 0: no KL term.
    pub kl_mask: Option<Matrix<'a, u8>>,
    /// Factor of the loss, finite and >= 0, constant.
    pub token_weights: Option<Floats<'a>>,
    /// Importance weight, finite and >= 0, constant: a further factor, or what the entry takes the logarithm of.
    pub importance: Option<Each<Floats<'a>>>,
    /// Factor of the gradient, one number; absent: 1. With [`Mode::None`] also one for each value of the loss.
    pub grad_output: Option<Floats<'a>>,
    /// Host factor of the gradient, finite.
    pub grad_scale: f64,
    /// Of the further terms, as many as they are.
    pub terms: &'a [TermInputs<'a>],
}
impl<'a> Inputs<'a> {
    /// Log-probs and nothing else.
    pub const fn new(logps: Floats<'a>) -> Inputs<'a> {
        Inputs {
            logps,
            old: None,
            reference: None,
            sampler: None,
            kl_reference: None,
            kl: None,
            entropy: None,
            topk_entropy: None,
            advantage: None,
            flag: None,
            log_z: None,
            mask: None,
            keep: None,
            sequence_keep: None,
            entropy_mask: None,
            kl_mask: None,
            token_weights: None,
            importance: None,
            grad_output: None,
            grad_scale: 1.0,
            terms: &[],
        }
    }
    /// Those of a further term of this weight.
    pub fn term(&self, term: &TermInputs<'a>, weight: f64) -> Inputs<'a> {
        Inputs {
            old: term.old.or(self.old),
            reference: term.reference.or(self.reference),
            entropy: self.entropy,
            topk_entropy: self.topk_entropy,
            advantage: term.advantage.or(self.advantage),
            flag: term.flag.or(self.flag),
            mask: term.mask.or(self.mask),
            token_weights: term.token_weights,
            grad_output: self.grad_output,
            grad_scale: self.grad_scale * weight,
            ..Inputs::new(self.logps)
        }
    }
    /// The upstream gradient, where it has an element for each value.
    pub fn upstream(&self, problem: &Problem<'_>) -> Option<Floats<'a>> {
        self.grad_output.filter(|g| problem.options.aggregate.mode == Mode::None && g.rows() != 1)
    }
    /// Token `i` is read.
    #[inline(always)]
    pub fn live(&self, i: usize) -> bool {
        self.mask.is_none_or(|m| m.live(i))
    }
    /// Token `i` of sequence `b` was not rejected.
    #[inline(always)]
    pub fn kept(&self, b: usize, i: usize) -> bool {
        self.sequence_keep.is_none_or(|m| m.get(b) != 0) && self.keep.is_none_or(|m| m.get(i) != 0)
    }
    /// Shapes, values of weights, and that everything that is read is there.
    pub fn check(&self, problem: &Problem<'_>) -> Result<()> {
        let (n, b) = (problem.tokens, problem.sequences());
        self.logps.layout().check("logps", n, 1)?;
        let token_floats = [
            ("inputs.old", &self.old),
            ("inputs.ref", &self.reference),
            ("inputs.sampler", &self.sampler),
            ("inputs.kl_ref", &self.kl_reference),
            ("entropy", &self.entropy),
            ("topk_entropy", &self.topk_entropy),
            ("inputs.token_weights", &self.token_weights),
        ];
        for (field, m) in token_floats {
            m.as_ref().map_or(Ok(()), |m| m.layout().check(field, n, 1))?;
        }
        self.mask.map_or(Ok(()), |m| m.layout().check("inputs.mask", n, 1))?;
        let marks = [
            ("inputs.keep", &self.keep, n),
            ("inputs.sequence_keep", &self.sequence_keep, b),
            ("inputs.entropy_mask", &self.entropy_mask, n),
            ("inputs.kl_mask", &self.kl_mask, n),
        ];
        for (field, m, n) in marks {
            m.as_ref().map_or(Ok(()), |m| m.layout().check(field, n, 1))?;
        }
        match &self.flag {
            Some(Each::Token(m)) => m.layout().check("inputs.flag", n, 1)?,
            Some(Each::Sequence(m)) => m.layout().check("inputs.flag", b, 1)?,
            None => {}
        }
        self.log_z.map_or(Ok(()), |m| m.layout().check("inputs.log_z", b, 1))?;
        let legal = |field, x: f64| match (0.0..f64::INFINITY).contains(&x) {
            true => Ok(()),
            false => {
                let legal = Value::Range { min: 0.0, max: f64::INFINITY, min_open: false, max_open: true };
                Err(Error::invalid(field, Value::Float(x), legal))
            }
        };
        let token_weights = [
            ("inputs.token_weights", self.token_weights),
            (
                "inputs.importance_weight",
                match self.importance {
                    Some(Each::Token(m)) => Some(m),
                    _ => None,
                },
            ),
        ];
        for (field, m) in token_weights {
            let Some(m) = m else { continue };
            m.layout().check(field, n, 1)?;
            (0..n).filter(|&i| self.live(i)).try_for_each(|i| legal(field, m.get(i)))?;
        }
        if let Some(Each::Sequence(m)) = self.importance {
            m.layout().check("inputs.importance_weight", b, 1)?;
            (0..b).try_for_each(|k| legal("inputs.importance_weight", m.get(k)))?;
        }
        match &self.advantage {
            Some(Advantage::Token(a)) => a.layout().check("inputs.advantage", n, 1)?,
            Some(Advantage::Sequence(a)) => a.layout().check("inputs.advantage", problem.sequences(), 1)?,
            None => {}
        }
        let upstream = self.upstream(problem);
        upstream.map_or(Ok(()), |g| g.layout().check("grad_output", problem.values(), 1))?;
        factor(if upstream.is_some() { None } else { self.grad_output }, self.grad_scale)?;
        let about = &problem.info().about;
        let list = problem.info().kind == Kind::List;
        if list || (problem.info().kind == Kind::Sequence && problem.options.aggregate.mode == Mode::None) {
            // what would weigh or drop single tokens of a value that counts once
            let given = [
                ("inputs.keep", self.keep.is_some()),
                ("inputs.entropy_mask", self.entropy_mask.is_some()),
                ("inputs.token_weights", self.token_weights.is_some()),
                ("inputs.importance_weight", self.importance.is_some() && !about.reads(slot::IMPORTANCE)),
                ("inputs.sequence_keep", self.sequence_keep.is_some() && !list),
            ];
            if let Some((field, _)) = given.iter().find(|(_, given)| *given) {
                let expected = Value::Text("none beside a value that counts once");
                return Err(Error::invalid(field, Value::Text("a tensor"), expected));
            }
        }
        let nothing = |field, what| Err(Error::invalid(field, Value::Text("nothing"), Value::Text(what)));
        if (about.reads(slot::ADVANTAGE) || about.reads(slot::LIST_TARGET)) && self.advantage.is_none() {
            return nothing("inputs.advantage", "a tensor: the loss reads it");
        }
        let estimator = problem.estimator();
        let given = estimator.is_some_and(|e| e.id == Estimator::GIVEN);
        if let Some(m) = &self.kl {
            m.layout().check("kl", n, 1)?;
        }
        if given != self.kl.is_some() {
            let got = Value::Text(if given { "nothing" } else { "a tensor" });
            return Err(Error::invalid("kl", got, Value::Text("values of the KL term where it has no estimator")));
        }
        let kl_reference = estimator.is_some() && !given && self.kl_reference.is_none();
        let reads_ref = about.reads(slot::REF) && !matches!(problem.info().kind, Kind::Estimator | Kind::List);
        if (reads_ref || kl_reference) && self.reference.is_none() {
            return nothing("inputs.ref", "a tensor: the loss or the KL term reads it");
        }
        let by_sampler = |e: Estimator| e.reads_ratio() && e.ratio_source == RatioSource::Sampler;
        if estimator.is_some_and(by_sampler) && self.sampler.is_none() {
            return nothing("inputs.sampler", "a tensor: the ratio of the KL term reads it");
        }
        if about.reads(slot::LOG_Z) && self.log_z.is_none() {
            return nothing("inputs.log_z", "[B]: the loss reads it");
        }
        let by_entry = about.reads(slot::ENTROPY) && self.topk_entropy.is_none();
        if (by_entry || problem.options.bonus.is_some()) && self.entropy.is_none() {
            return nothing("entropy", "a tensor: the loss or the bonus reads it");
        }
        if self.topk_entropy.is_some() && !problem.reads(slot::ENTROPY) {
            let expected = Value::Text("none: no entry reads an entropy");
            return Err(Error::invalid("topk_entropy", Value::Text("a tensor"), expected));
        }
        let weighs = problem.options.aggregate.mode == Mode::WeightedMean
            || problem.options.bonus.is_some_and(|b| b.aggregate.mode == Mode::WeightedMean);
        if weighs && self.token_weights.is_none() {
            return nothing("inputs.token_weights", "a tensor: weighted_mean reads it");
        }
        if self.terms.len() != problem.options.terms.len() {
            let (got, expected) = (self.terms.len(), problem.options.terms.len());
            return Err(Error::shape("inputs.extra_terms", Value::Size(got), Value::Size(expected)));
        }
        for (term, own) in problem.options.terms.iter().zip(self.terms) {
            let (of_term, mut given) = (problem.term(term), self.term(own, term.weight));
            given.topk_entropy = given.topk_entropy.filter(|_| of_term.reads(slot::ENTROPY));
            given.check(&of_term).map_err(name_term)?;
        }
        Ok(())
    }
    /// The product of the two factors of the gradient.
    pub fn factor(&self) -> f64 {
        self.grad_output.map_or(1.0, |g| g.get(0)) * self.grad_scale
    }
}

/// An error of what a further term reads, with the field's name there.
pub fn name_term(e: Error) -> Error {
    let field = match e.field {
        "inputs.old" => "inputs.extra_terms.old",
        "inputs.ref" => "inputs.extra_terms.ref",
        "inputs.advantage" => "inputs.extra_terms.advantage",
        "inputs.flag" => "inputs.extra_terms.flag",
        "inputs.mask" => "inputs.extra_terms.mask",
        "inputs.token_weights" => "inputs.extra_terms.token_weights",
        field => field,
    };
    Error { field, ..e }
}

/// Indices of [`Outputs::statistics`]: f64 sums over live tokens. x = logp - old.
pub mod stat {
    /// Live tokens.
    pub const TOKENS: usize = 0;
    /// Live tokens that no mask dropped: those of the loss.
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
    /// Sum of the entropies, where they are given.
    pub const ENTROPY_SUM: usize = 11;
    /// Sum of the importance weights, where they are given: the effective sample size is its square over the next sum.
    pub const WEIGHT_SUM: usize = 12;
    /// Sum of their squares.
    pub const WEIGHT_SQ_SUM: usize = 13;
    /// Sum of the KL estimates over the tokens of the KL term, weighted as asked.
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
    /// One number, f64 or f32: all terms after aggregation. Not with [`Mode::None`], nor [`Outputs::terms`].
    pub loss: Option<FloatsMut<'a>>,
    /// Token and estimator entries f32 `[N]`, sequence entries f64 or f32 `[B]`, list entries f64 `[G]`: values of the loss
    /// before any weight, 0 for tokens that were dropped. For a sequence entry that is evaluated for each token: their mean.
    pub values: Option<FloatsMut<'a>>,
    /// f32 `[N]`: KL estimates, weighted as asked.
    pub kl: Option<MatrixMut<'a, f32>>,
    /// Loss, KL term, entropy bonus and further terms after aggregation.
    pub terms: Option<MatrixMut<'a, f64>>,
    /// `[N]`: dL/dlogp.
    pub grad_logps: Option<MatrixMut<'a, f32>>,
    /// `[N]`: dL/dentropy, with a bonus.
    pub grad_entropy: Option<MatrixMut<'a, f32>>,
    /// `[N]`: dL/dkl, with [`Estimator::GIVEN`].
    pub grad_kl: Option<MatrixMut<'a, f32>>,
    /// `[B]`: dL/dlog_z, for an entry that reads it.
    pub grad_log_z: Option<MatrixMut<'a, f32>>,
    /// Sums for the caller's log, see [`stat`]. Asking for them changes no other output's bits.
    pub statistics: Option<&'a mut [f64; stat::COUNT]>,
    /// `[N]`, bits of [`crate::error::row`]: of the slots that the loss or the KL term reads and of what follows from
    /// them. `overflow` also where a gradient does not fit a place that is given.
    pub token_status: Option<MatrixMut<'a, u32>>,
    /// `[B]`, the bits of its live tokens and of its own value, and `empty`.
    pub sequence_status: Option<MatrixMut<'a, u32>>,
    /// Tokens by status bit, and sequences by bits that none of their tokens has; `empty` counts sequences, and every term
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
        self.terms
            .as_ref()
            .map_or(Ok(()), |m| m.layout().check("outputs.out_terms", 3 + problem.options.terms.len(), 1))?;
        if problem.options.aggregate.mode == Mode::None {
            let given = [("outputs.out_loss", self.loss.is_some()), ("outputs.out_terms", self.terms.is_some())];
            if let Some((field, _)) = given.iter().find(|(_, given)| *given) {
                let expected = Value::Text("none: nothing is aggregated");
                return Err(Error::invalid(field, Value::Text("a tensor"), expected));
            }
        }
        if let Some(m) = &self.values {
            let sequence = matches!(problem.info().kind, Kind::Sequence | Kind::List);
            wide("outputs.out_values", m.dtype())?;
            if problem.info().kind == Kind::List && m.dtype() != crate::Dtype::F64 {
                let (status, got) = (crate::Status::UnsupportedDtype, Value::Dtype(m.dtype()));
                return Err(Error::new(status, "outputs.out_values", got, Value::Text("f64, for this entry")));
            }
            if !sequence && m.dtype() != crate::Dtype::F32 {
                let status = crate::Status::UnsupportedDtype;
                let expected = Value::Text("f32, for this entry");
                return Err(Error::new(status, "outputs.out_values", Value::Dtype(m.dtype()), expected));
            }
            m.layout().check("outputs.out_values", problem.values(), 1)?;
        }
        let floats = [
            ("outputs.out_kl", &self.kl, n),
            ("grad_logps_out", &self.grad_logps, n),
            ("grad_entropy_out", &self.grad_entropy, n),
            ("grad_kl", &self.grad_kl, n),
            ("outputs.grad_log_z_out", &self.grad_log_z, b),
        ];
        for (field, m, n) in floats {
            m.as_ref().map_or(Ok(()), |m| m.layout().check(field, n, 1))?;
        }
        let unwanted = |field, expected| Err(Error::invalid(field, Value::Text("a tensor"), Value::Text(expected)));
        if self.grad_entropy.is_some() && problem.options.bonus.is_none() {
            return unwanted("grad_entropy_out", "none: there is no bonus");
        }
        if self.grad_kl.is_some() && problem.estimator().is_none_or(|e| e.id != Estimator::GIVEN) {
            return unwanted("grad_kl", "none: the KL term is an estimate");
        }
        if self.grad_log_z.is_some() && !problem.info().about.differentiates(slot::LOG_Z) {
            return unwanted("outputs.grad_log_z_out", "none: the entry does not read log_z");
        }
        if self.kl.is_some() && problem.estimator().is_none() {
            return unwanted("outputs.out_kl", "none: there is no KL estimate");
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
    pub grad_entropy: Option<MatrixMut<'a, f32>>,
    pub grad_kl: Option<MatrixMut<'a, f32>>,
    pub status: Option<MatrixMut<'a, u32>>,
}
impl Split for TokenOutputs<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let (mut a, mut b) = (TokenOutputs::default(), TokenOutputs::default());
        (a.values, b.values) = self.values.split(row);
        (a.kl, b.kl) = self.kl.split(row);
        (a.grad_logps, b.grad_logps) = self.grad_logps.split(row);
        (a.grad_entropy, b.grad_entropy) = self.grad_entropy.split(row);
        (a.grad_kl, b.grad_kl) = self.grad_kl.split(row);
        (a.status, b.status) = self.status.split(row);
        (a, b)
    }
}

/// Log bounds for the clip figures: low, high, roof (the larger of high and delta), dual. `None` for an entry that clips no
/// ratio.
pub fn clip_bounds(info: &Info, options: &Options<'_>) -> Option<[f64; 4]> {
    let p = info.params_from(options.variant, options.params).ok()?;
    let get = |name: &str| info.params.iter().position(|q| q.name == name).map(|at| p[at]);
    let (none, any) = (f64::INFINITY, f64::NEG_INFINITY);
    let high = get("clip_high")?;
    if !info.about.variants.is_empty() {
        let [low, high] = losses::cispo_bounds(options.variant, [get("clip_low")?, high]);
        return Some([low, high, none, none]);
    }
    if info.about.id == losses::GMPO_ID {
        return Some([-get("clip_low")?, high, none, none]);
    }
    let low = get("clip_low").map_or(any, |low| if low >= 1.0 { any } else { Real::log1p(-low) });
    let high = Real::log1p(high);
    let cap = |name| get(name).map_or(none, Real::log);
    Some([low, high, Real::max(high, cap("delta")), cap("dual_clip")])
}

/// `rho * v`, and 0 where the ratio is 0: e^x outweighs every power of x. Where z is NaN the input is, and stays. 0 also
/// where v is 0 and the ratio beyond the format.
#[inline(always)]
fn scaled<R: Real>(rho: R, v: R, z: R) -> R {
    let (zero, infinity) = (rho.lit(0.0), rho.lit(f64::INFINITY));
    let y = infinity.select_le(rho, v.abs().select_le(zero, zero, rho * v), rho * v);
    rho.select_le(zero, z.abs().select_le(infinity, zero, z), y)
}
/// The log ratios that the stage around an estimator takes.
#[derive(Clone, Copy, Debug)]
pub struct Ratios<R> {
    /// `logp` minus what the ratio is against; 0 without another policy. Of the sequence for `ratio_sequence`.
    pub x: R,
    /// `ref - logp`
    pub z: R,
    /// `ref` minus what the ratio is against.
    pub apart: R,
}
/// What the stage around an estimator gives.
#[derive(Clone, Copy, Debug)]
pub struct Weighted<R> {
    /// The estimate.
    pub value: R,
    /// Its partial with respect to the token's log-prob.
    pub logp: R,
    /// `ratio_sequence`: the partial with respect to the log ratio of the sequence.
    pub shared: R,
}
/// z as the estimator sees it: within the input clamp.
#[inline(always)]
pub fn clamped<R: Real>(z: R, how: &Estimator) -> R {
    match how.input_clamp {
        Some((a, _)) => z.max(z.lit(-a)).min(z.lit(a)),
        None => z,
    }
}
/// The stage around an estimator: clamps, factor, gradient. `k` is the estimate at [`clamped`] z. `k3`: its closed forms are
/// used, which lose no digits where the sum of value and derivative cancels, and stay finite as logp goes to -inf.
#[inline(always)]
pub fn weighted<R: Real>(k: EstimateOut<R>, k3: bool, at: Ratios<R>, how: &Estimator) -> Weighted<R> {
    let Ratios { x, z, apart } = at;
    let (zero, infinity) = (z.lit(0.0), z.lit(f64::INFINITY));
    let inner = clamped(z, how);
    // an infinite value outweighs its derivative
    let total = if k3 { -inner } else { infinity.select_le(k.value, k.value, k.value + k.logp) };
    let (mut k, mut total, mut free) = (k, total, z.lit(1.0));
    match how.input_clamp {
        Some((a, ClampMode::Linear)) => {
            let beyond = z.lit(a).select_lt(z.abs(), -(k.logp * (z - inner)), zero);
            (k.value, total) = (k.value + beyond, total + beyond);
        }
        Some((a, ClampMode::ZeroGradient)) => {
            let gone = |v: R| z.lit(a).select_lt(z.abs(), zero, v);
            (k.logp, total, free) = (gone(k.logp), gone(total), gone(free));
        }
        None => {}
    }
    let by_ratio = how.weight == EstimatorWeight::Ratio || how.weight == EstimatorWeight::RatioSequence;
    let rho = if by_ratio || how.gradient == EstimatorGradient::StraightThroughRatio { x.exp() } else { zero };
    let mut out = match how.weight {
        EstimatorWeight::One => Weighted { value: k.value, logp: k.logp, shared: zero },
        EstimatorWeight::Score => Weighted { value: k.value, logp: total, shared: zero },
        EstimatorWeight::Ratio => {
            let mut value = scaled(rho, k.value, z);
            if k3 && how.input_clamp.is_none() {
                // e^x (e^z - 1 - z) with e^x e^z = e^(ref - old), which is infinite where e^x (1 + z) is
                let small = scaled(rho, z.lit(1.0) + z, z);
                let far = apart.exp() - infinity.select_le(small, zero, small);
                value = z.lit(8.0).select_lt(z, far, value);
            }
            Weighted { value, logp: scaled(rho, total, z), shared: zero }
        }
        EstimatorWeight::RatioSequence => {
            let value = scaled(rho, k.value, z);
            Weighted { value, logp: scaled(rho, k.logp, z), shared: free.select_le(zero, zero, value) }
        }
    };
    if how.output_clamp < f64::INFINITY {
        let b = z.lit(how.output_clamp);
        let (top, bottom) = (b.select_lt(out.value, zero, out.logp), b.select_lt(out.value, zero, out.shared));
        let within = |v: R| out.value.select_lt(-b, zero, v);
        out = Weighted { value: out.value.max(-b).min(b), logp: within(top), shared: within(bottom) };
    }
    match how.gradient {
        EstimatorGradient::Pathwise => {}
        EstimatorGradient::StraightThrough => (out.logp, out.shared) = (-z, zero),
        EstimatorGradient::StraightThroughRatio => {
            (out.logp, out.shared) = (scaled(rho.min(z.lit(how.ratio_max)), -z, z), zero);
        }
    }
    out
}
