//! What an entry says about itself, and the one list of all entries.
use crate::error::{Error, Result, Value};
use crate::losses;
pub use crate::losses::{
    EstimatorVisitor, ListVisitor, PairVisitor, SequenceVisitor, TokenVisitor, UnpairedVisitor, each_formula,
    with_estimator, with_list, with_pair, with_sequence, with_token, with_unpaired,
};
use crate::real::Real;

/// What an entry is fed with; the numbers are those of the C ABI (`TRUING_KIND_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// Chosen and rejected sequence scores.
    Pair = 1,
    /// Labelled sequence scores, one at a time.
    Unpaired = 2,
    /// The answers to one prompt, ranked or with targets.
    List = 3,
    /// Single tokens of a rollout.
    Token = 4,
    /// A token map, a reduction over the sequence, and a function of the reduced value.
    Sequence = 5,
    /// An estimator of KL(policy || reference) from one sampled token.
    Estimator = 6,
}
impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Kind; 6] = [Kind::Pair, Kind::Unpaired, Kind::List, Kind::Token, Kind::Sequence, Kind::Estimator];
    /// The word in names and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Pair => "pair",
            Kind::Unpaired => "unpaired",
            Kind::List => "list",
            Kind::Token => "token",
            Kind::Sequence => "sequence",
            Kind::Estimator => "estimator",
        }
    }
    /// Entries of this kind evaluate in f32 (`true`) or in f64.
    pub const fn single(self) -> bool {
        matches!(self, Kind::Token | Kind::Estimator)
    }
}

/// How a sequence's score is made of its token log-probs before the entry sees it (`TRUING_SCORE_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Score {
    /// Sum over the live tokens.
    Sum = 1,
    /// Their mean. The stage before the entry divides, and divides the partial again.
    Mean = 2,
}
impl Score {
    /// Its bit in [`About::scores`].
    pub const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Input slots: the bits of [`About::inputs`] and [`About::partials`] (`TRUING_SLOT_*`).
pub mod slot {
    /// Log-prob under the policy (pair: of both sides).
    pub const LOGP: u64 = 1 << 0;
    /// Log-prob under the reference. The partial is the negative of the one with respect to [`LOGP`].
    pub const REF: u64 = 1 << 1;
    /// Number of live tokens, where the entry itself divides by it.
    pub const LENGTH: u64 = 1 << 2;
    /// KL(reference || policy) summed over the tokens.
    pub const KL: u64 = 1 << 3;
    /// Margin, one a side.
    pub const MARGIN: u64 = 1 << 4;
    /// The third sequence of a pair.
    pub const ANCHOR: u64 = 1 << 5;
    /// Parameter 0 may be given for each pair on its own; nothing else is derived from it.
    pub const BETA: u64 = 1 << 6;
    /// Desirable where > 0.
    pub const LABEL: u64 = 1 << 7;
    /// A number of the batch, constant.
    pub const BASELINE: u64 = 1 << 8;
    /// A running shift of the reward, constant.
    pub const SHIFT: u64 = 1 << 9;
    /// Reward or rank of a list's member.
    pub const LIST_TARGET: u64 = 1 << 10;
    /// Log-prob under the policy that sampled the token.
    pub const OLD: u64 = 1 << 11;
    /// Log-prob under the inference engine.
    pub const SAMPLER: u64 = 1 << 12;
    /// Advantage.
    pub const ADVANTAGE: u64 = 1 << 13;
    /// Entropy of the token's distribution.
    pub const ENTROPY: u64 = 1 << 14;
    /// A mark of the token, not 0 where set.
    pub const FLAG: u64 = 1 << 15;
    /// The learned log-normaliser of a sequence.
    pub const LOG_Z: u64 = 1 << 16;
    /// The importance weight, where the entry takes its logarithm; everywhere else it is a stage.
    pub const IMPORTANCE: u64 = 1 << 17;
    /// The row's weight, where the entry itself applies it; everywhere else a stage behind the entry does.
    pub const WEIGHT: u64 = 1 << 18;
}

/// A parameter: a double, legal within an interval.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Name in Python and, in capitals, in C.
    pub name: &'static str,
    /// NaN: there is none, the caller must say.
    pub default: f64,
    /// Lower bound.
    pub min: f64,
    /// Upper bound.
    pub max: f64,
    /// The lower bound itself is illegal.
    pub min_open: bool,
    /// The upper bound itself is illegal.
    pub max_open: bool,
    /// 0, or the number of the only variant that reads it: with the others nobody has to give it.
    pub variant: u32,
    /// One line.
    pub doc: &'static str,
}
/// A parameter with a default, any finite number.
pub const fn param(name: &'static str, default: f64, doc: &'static str) -> Param {
    let (min, max) = (f64::NEG_INFINITY, f64::INFINITY);
    Param { name, default, min, max, min_open: true, max_open: true, variant: 0, doc }
}
/// A parameter that the caller must give, any finite number.
pub const fn required(name: &'static str, doc: &'static str) -> Param {
    param(name, f64::NAN, doc)
}
impl Param {
    /// `[min, ..`
    pub const fn from(self, min: f64) -> Param {
        Param { min, min_open: false, ..self }
    }
    /// `(min, ..`
    pub const fn above(self, min: f64) -> Param {
        Param { min, min_open: true, ..self }
    }
    /// `.., max]`
    pub const fn up_to(self, max: f64) -> Param {
        Param { max, max_open: false, ..self }
    }
    /// `.., max)`
    pub const fn below(self, max: f64) -> Param {
        Param { max, max_open: true, ..self }
    }
    /// `.., inf]`: infinity turns the parameter off.
    pub const fn or_infinite(self) -> Param {
        self.up_to(f64::INFINITY)
    }
    /// Read by the variant of this number alone.
    pub const fn of_variant(self, variant: u32) -> Param {
        Param { variant, ..self }
    }
    /// Whether `v` is legal; NaN is not.
    pub fn accepts(&self, v: f64) -> bool {
        let low = if self.min_open { self.min < v } else { self.min <= v };
        low && if self.max_open { v < self.max } else { v <= self.max }
    }
    /// The legal range, for messages.
    pub const fn range(&self) -> Value {
        Value::Range { min: self.min, max: self.max, min_open: self.min_open, max_open: self.max_open }
    }
    /// `v` if it is legal, the default if it is NaN.
    pub fn check(&self, v: f64) -> Result<f64> {
        if v.is_nan() {
            let missing =
                Error::invalid(self.name, Value::Text("nothing (the parameter has no default)"), self.range());
            return if self.default.is_nan() { Err(missing) } else { Ok(self.default) };
        }
        if self.accepts(v) { Ok(v) } else { Err(Error::invalid(self.name, Value::Float(v), self.range())) }
    }
}

/// What is logged as the reward of a side with score minus reference a.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reward {
    /// `beta (a + kl)`; beta is 1 for an entry whose first parameter has another name, kl 0 for one that does not read it.
    Scaled,
    /// `(beta a - margin) / p`, p the second parameter: the reward of one of several objectives.
    Objective,
}

/// What an entry says about itself.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Never changed, never reused; `kind * 1000 + n`.
    pub id: u32,
    /// Name in Python and, in capitals behind the kind, in C (`TRUING_PAIR_DPO`).
    pub name: &'static str,
    /// Other names that [`find`] knows.
    pub aliases: &'static [&'static str],
    /// The score that the entry is defined on; `None` for kinds that see single tokens.
    pub score: Option<Score>,
    /// Bits of all scores that may be asked for.
    pub scores: u32,
    /// Bits of [`slot`] that are read.
    pub inputs: u64,
    /// Bits of [`slot`] that have a partial.
    pub partials: u64,
    /// Names of the variants, numbered from 1; empty where there is nothing to choose.
    pub variants: &'static [&'static str],
    /// 0, or the entry whose formula this one uses with fixed settings.
    pub preset_of: u32,
    /// A function of the score difference, which may be mapped before ([`crate::losses::map::ScoreMap`]).
    pub takes_map: bool,
    /// Margins of a pair to which none are given; NaN: they must be given.
    pub margins: [f64; 2],
    /// Scores are means of log-probs; one that is not below 0 is lowered to -2^-24 and flagged `saturated`.
    pub below_zero: bool,
    /// What is logged as the reward of a side.
    pub reward: Reward,
    /// The entry has a second output, minus its partial over its first parameter: the factor on a plain NLL.
    pub aux: bool,
    /// The value.
    pub formula: &'static str,
    /// Where it comes from.
    pub source: &'static str,
}
impl About {
    /// The entry reads this slot.
    pub const fn reads(&self, slot: u64) -> bool {
        self.inputs & slot != 0
    }
    /// The entry has a partial with respect to this slot.
    pub const fn differentiates(&self, slot: u64) -> bool {
        self.partials & slot != 0
    }
    /// For `..` in an entry's own description.
    pub const EMPTY: About = About {
        id: 0,
        name: "",
        aliases: &[],
        score: None,
        scores: 0,
        inputs: slot::LOGP,
        partials: slot::LOGP,
        variants: &[],
        preset_of: 0,
        takes_map: false,
        margins: [0.0; 2],
        below_zero: false,
        reward: Reward::Scaled,
        aux: false,
        formula: "",
        source: "",
    };
    /// Defined on the sum; the mean may be asked for.
    pub const SUM_OR_MEAN: About =
        About { score: Some(Score::Sum), scores: Score::Sum.bit() | Score::Mean.bit(), ..About::EMPTY };
    /// Defined on the sum only.
    pub const SUM: About = About { score: Some(Score::Sum), scores: Score::Sum.bit(), ..About::EMPTY };
    /// Defined on the mean only.
    pub const MEAN: About = About { score: Some(Score::Mean), scores: Score::Mean.bit(), ..About::EMPTY };
}

/// An entry of the catalogue as data.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// Its kind.
    pub kind: Kind,
    /// What it says about itself.
    pub about: About,
    /// Its parameters, in order.
    pub params: &'static [Param],
}
impl Info {
    /// Refuses a variant that the entry does not have: 1 up to their number, 0 where it has none.
    pub fn check_variant(&self, field: &'static str, variant: u32) -> Result<()> {
        check_variant(&self.about, field, variant)
    }
    /// The checked parameters of a variant (0: the entry has none), [`MAX_PARAMS`] of them with zeros behind. A missing tail
    /// and NaN mean default.
    pub fn params_from(&self, variant: u32, given: &[f64]) -> Result<[f64; MAX_PARAMS]> {
        let mut all = [0.0; MAX_PARAMS];
        fill(self.params, variant, given, &mut all[..self.params.len()])?;
        Ok(all)
    }
}
/// No entry has more parameters.
pub const MAX_PARAMS: usize = 8;

/// Implemented by every entry. `N` is the number of parameters, so that the table, the names in the formula and the
/// values cannot disagree.
pub trait Entry<const N: usize> {
    /// Identity.
    const ABOUT: About;
    /// Parameters with defaults and ranges. Parameter 0 of an entry that reads [`slot::BETA`] may vary by pair.
    const PARAMS: [Param; N];
    /// Names of what [`Entry::derive`] returns; `None` where that is the parameters themselves.
    const CONSTANTS: Option<[&'static str; N]> = None;
    /// Constants formed once, in f64, from the checked parameters (log bounds and the like).
    fn derive(p: [f64; N]) -> [f64; N] {
        p
    }
    /// The same for an entry with variants.
    fn derive_variant(_variant: u32, p: [f64; N]) -> [f64; N] {
        Self::derive(p)
    }
}

fn fill(params: &[Param], variant: u32, given: &[f64], out: &mut [f64]) -> Result<()> {
    if given.len() > params.len() {
        return Err(Error::invalid("num_params", Value::Size(given.len()), Value::Below(0, params.len() as i64 + 1)));
    }
    for (k, param) in params.iter().enumerate() {
        let value = given.get(k).copied().unwrap_or(f64::NAN);
        let unread = param.variant != 0 && param.variant != variant;
        out[k] = if unread && value.is_nan() { 0.0 } else { param.check(value)? };
    }
    Ok(())
}
fn check_variant(about: &About, field: &'static str, variant: u32) -> Result<()> {
    let (first, end) = if about.variants.is_empty() { (0, 1) } else { (1, about.variants.len() as i64 + 1) };
    let fits = (first..end).contains(&(variant as i64));
    if fits { Ok(()) } else { Err(Error::invalid(field, Value::Int(variant.into()), Value::Below(first, end))) }
}
/// The checked parameters of an operation; a missing tail and NaN mean default.
pub fn numbers<const N: usize>(params: &[Param; N], given: &[f64]) -> Result<[f64; N]> {
    let mut all = [0.0; N];
    fill(params, 0, given, &mut all)?;
    Ok(all)
}
/// Checks the caller's parameters (a missing tail and NaN mean default) and forms the constants that the formula takes.
pub fn resolve<E: Entry<N>, const N: usize>(given: &[f64]) -> Result<[f64; N]> {
    resolve_variant::<E, N>(0, given)
}
/// The same with a choice of the entry's variants, 0 where it has none.
pub fn resolve_variant<E: Entry<N>, const N: usize>(variant: u32, given: &[f64]) -> Result<[f64; N]> {
    check_variant(&E::ABOUT, "variant", variant)?;
    let mut p = [0.0; N];
    fill(&E::PARAMS, variant, given, &mut p)?;
    Ok(E::derive_variant(variant, p))
}
/// Constants as literals in the shape of `x`.
#[inline(always)]
pub fn lits<R: Real, const N: usize>(x: R, p: &[f64; N]) -> [R; N] {
    let mut out = [x; N];
    for k in 0..N {
        out[k] = x.lit(p[k]);
    }
    out
}

/// The entry of this id.
pub fn info(id: u32) -> Option<&'static Info> {
    ALL.iter().find(|e| e.about.id == id)
}
/// The entry of this kind with this name or alias.
pub fn find(kind: Kind, name: &str) -> Option<&'static Info> {
    ALL.iter().find(|e| e.kind == kind && (e.about.name == name || e.about.aliases.contains(&name)))
}
/// The entry with this name or alias, of whatever kind. A name beats an alias, the list's order decides between kinds.
pub fn find_any(name: &str) -> Option<&'static Info> {
    let named = ALL.iter().find(|e| e.about.name == name);
    named.or_else(|| ALL.iter().find(|e| e.about.aliases.contains(&name)))
}

/// Every entry of every kind; each kind's list stands at the end of its own file in `losses/`.
pub static ALL: &[Info] = &concat::<TOTAL>();
const LISTS: [&[Info]; 6] = losses::LISTS;
const TOTAL: usize = {
    let (mut n, mut k) = (0, 0);
    while k < LISTS.len() {
        n += LISTS[k].len();
        k += 1;
    }
    n
};
const fn concat<const N: usize>() -> [Info; N] {
    let mut all = [LISTS[0][0]; N];
    let (mut n, mut k) = (0, 0);
    while k < LISTS.len() {
        let mut i = 0;
        while i < LISTS[k].len() {
            all[n] = LISTS[k][i];
            (n, i) = (n + 1, i + 1);
        }
        k += 1;
    }
    all
}
