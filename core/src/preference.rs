//! Preference losses in split form: sequence scores in, loss, rewards and partials out.
//!
//! Stages, in this order: score (made by [`crate::sequence`]) -> mean, where a term wants one and is given sums ->
//! minus reference -> map -> entry -> item weight -> reduction -> term weight. Everything is f64 and rounded once.
//!
//! An item is a pair, a row or a list, as the kind of the terms says. An ignored item is not read. Partials of a
//! sequence that occurs in several items add in item order, inside an item chosen, rejected, anchor, term after term.
use crate::catalog::{self, About, Entry, Info, Kind, Score, slot};
use crate::error::{Error, Result, Status, Value, row};
use crate::losses::map::ScoreMap;
use crate::losses::{PreferenceRanking, PrimeCe};
use crate::matrix::{Floats, FloatsMut, Ints, Mask, Matrix, MatrixMut, Split};
use crate::sequence::wide;

pub use crate::sequence::factor;

const PRIME_CE: u32 = <PrimeCe as Entry<_>>::ABOUT.id;
const PREFERENCE_RANKING: u32 = <PreferenceRanking as Entry<_>>::ABOUT.id;

/// How the items of one term become its loss. B is the number of live items, w their weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Reduction {
    /// Values only: no loss, and the upstream gradient is one number an item. For all terms or for none.
    None = 1,
    /// `sum w L`.
    Sum = 2,
    /// `sum w L / B`: weights are not in the divisor.
    Mean = 3,
    /// `sum w L / sum w`.
    WeightedMean = 4,
}

/// One entry of the catalogue with its settings; several are added, each after its own reduction.
#[derive(Clone, Copy, Debug)]
pub struct Term<'a> {
    /// Entry of kind pair, unpaired or list; all terms of a call have one kind.
    pub id: u32,
    /// Which of the entry's variants, from 1 on; 0 where it has none.
    pub variant: u32,
    /// In catalogue order; a missing tail and NaN mean default.
    pub params: &'a [f64],
    /// Factor behind the reduction, finite.
    pub weight: f64,
    /// Replaces the divisor of the reduction, finite and > 0; 0 is off.
    pub normaliser: f64,
    /// The reduction.
    pub reduction: Reduction,
    /// A score of its own, which the entry must allow and [`Options::score`] must be given with: `mean` is made from sums
    /// and lengths. `None`: the call's if the entry allows it, else the one it is defined on.
    pub score: Option<Score>,
    /// What the entry sees in place of the difference of the scores; entries of that difference only. Rewards are not
    /// mapped.
    pub map: ScoreMap,
}
impl Default for Term<'_> {
    /// A mean with weight 1; the id is still to be filled in.
    fn default() -> Self {
        Term {
            id: 0,
            variant: 0,
            params: &[],
            weight: 1.0,
            normaliser: 0.0,
            reduction: Reduction::Mean,
            score: None,
            map: ScoreMap::Identity,
        }
    }
}
impl Term<'_> {
    /// The entry. The id has been checked by [`Problem::new`].
    pub fn about(&self) -> &'static About {
        &catalog::info(self.id).expect("checked by Problem::new").about
    }
}

/// How sequences form items.
#[derive(Clone, Copy, Debug)]
pub enum Items<'a> {
    /// Pairs by index; a sequence may occur many times.
    Indexed {
        /// `[P]`, sequence of the chosen answer.
        chosen: Ints<'a>,
        /// `[P]`, sequence of the rejected answer.
        rejected: Ints<'a>,
        /// `[P]`, the third sequence, for entries that read the slot `anchor`.
        anchor: Option<Ints<'a>>,
    },
    /// Pair i is sequences 2i (chosen) and 2i + 1.
    Interleaved,
    /// Pair i is sequences i (chosen) and i + S/2.
    Stacked,
    /// Pair i is sequences 3i (chosen), 3i + 1 and 3i + 2 (anchor).
    Threes,
    /// Pair i is sequences i (chosen), i + S/3 and i + 2S/3 (anchor).
    Thirds,
    /// Every sequence is an item.
    Rows,
    /// Lists of any length.
    Lists {
        /// `[L + 1]` into the members: first 0, ascending, last M.
        offsets: Ints<'a>,
        /// `[M]`, sequence of a member; absent: the sequences in order.
        members: Option<Ints<'a>>,
    },
}
impl Items<'_> {
    /// Kind of the terms that read such items.
    pub const fn kind(&self) -> Kind {
        match self {
            Items::Indexed { .. } | Items::Interleaved | Items::Stacked | Items::Threes | Items::Thirds => Kind::Pair,
            Items::Rows => Kind::Unpaired,
            Items::Lists { .. } => Kind::List,
        }
    }
    /// Number of items over `sequences` sequences.
    pub fn count(&self, sequences: usize) -> usize {
        match self {
            Items::Indexed { chosen, .. } => chosen.rows(),
            Items::Interleaved | Items::Stacked => sequences / 2,
            Items::Threes | Items::Thirds => sequences / 3,
            Items::Rows => sequences,
            Items::Lists { offsets, .. } => offsets.rows().saturating_sub(1),
        }
    }
    /// Chosen and rejected sequence of pair `i`.
    #[inline(always)]
    pub fn pair(&self, i: usize, sequences: usize) -> (usize, usize) {
        match self {
            Items::Indexed { chosen, rejected, .. } => (chosen.get(i) as usize, rejected.get(i) as usize),
            Items::Stacked => (i, i + sequences / 2),
            Items::Threes => (3 * i, 3 * i + 1),
            Items::Thirds => (i, i + sequences / 3),
            _ => (2 * i, 2 * i + 1),
        }
    }
    /// Third sequence of pair `i`.
    #[inline(always)]
    pub fn anchor(&self, i: usize, sequences: usize) -> Option<usize> {
        match self {
            Items::Indexed { anchor, .. } => anchor.map(|a| a.get(i) as usize),
            Items::Threes => Some(3 * i + 2),
            Items::Thirds => Some(i + 2 * (sequences / 3)),
            _ => None,
        }
    }
    /// Pairs have a third sequence.
    pub fn anchored(&self) -> bool {
        matches!(self, Items::Indexed { anchor: Some(_), .. } | Items::Threes | Items::Thirds)
    }
    /// Sequence of member `m` of the lists.
    #[inline(always)]
    pub fn member(&self, m: usize) -> usize {
        match self {
            Items::Lists { members: Some(members), .. } => members.get(m) as usize,
            _ => m,
        }
    }
    /// First member of list `i`.
    #[inline(always)]
    pub fn offset(&self, i: usize) -> usize {
        match self {
            Items::Lists { offsets, .. } => offsets.get(i) as usize,
            _ => i,
        }
    }
}

/// Settings of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Options {
    /// What the given scores are. `None`: whatever each entry is defined on; nothing is divided or checked then.
    pub score: Option<Score>,
    /// Items flagged with anything but `ignored` and `saturated` leave sum and divisor.
    pub skip_flagged: bool,
    /// Something beside the terms reads the third sequence of each pair.
    pub anchored: bool,
    /// The loss and the gradients of scores and KL are added to what their places hold.
    pub accumulate: bool,
}

/// A checked problem: what is asked, without the data.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    sequences: usize,
    items: Items<'a>,
    terms: &'a [Term<'a>],
    options: Options,
    inputs: u64,
    partials: u64,
}
/// The entry of a term, which must be of kind `kind`.
fn entry(id: u32, kind: Kind) -> Result<&'static Info> {
    let unknown = |expected| Error::invalid("loss.id", Value::Int(id as i64), Value::Text(expected));
    let expected = match kind {
        Kind::Pair => "an entry of kind pair (the items are pairs)",
        Kind::Unpaired => "an entry of kind unpaired (the items are rows)",
        _ => "an entry of kind list (the items are lists)",
    };
    let info = catalog::info(id).ok_or_else(|| unknown("an entry of the catalogue"))?;
    if info.kind == kind {
        Ok(info)
    } else {
        Err(Error::invalid("loss.id", Value::Text(info.about.name), Value::Text(expected)))
    }
}
impl<'a> Problem<'a> {
    /// Checks terms and the form of the items over `sequences` scores.
    pub fn new(sequences: usize, items: Items<'a>, terms: &'a [Term<'a>], options: Options) -> Result<Problem<'a>> {
        if terms.is_empty() {
            return Err(Error::invalid("loss", Value::Text("no term"), Value::Text("at least one")));
        }
        let positive = Value::Range { min: 0.0, max: f64::INFINITY, min_open: true, max_open: true };
        let (mut inputs, mut partials) = (0, 0);
        for t in terms {
            let info = entry(t.id, items.kind())?;
            info.check_variant("loss.variant", t.variant)?;
            info.params_from(t.variant, t.params)?;
            inputs |= info.about.inputs;
            partials |= info.about.partials;
            if !t.weight.is_finite() {
                return Err(Error::invalid("loss.weight", Value::Float(t.weight), Value::Text("a finite number")));
            }
            if t.normaliser != 0.0 && !(t.normaliser > 0.0 && t.normaliser < f64::INFINITY) {
                return Err(Error::invalid("loss.normaliser", Value::Float(t.normaliser), positive));
            }
            if (t.reduction == Reduction::None) != (terms[0].reduction == Reduction::None) {
                return Err(Error::invalid(
                    "loss.reduction",
                    Value::Text("`none` beside another reduction"),
                    Value::Text("`none` for all terms or for no term"),
                ));
            }
            if t.reduction == Reduction::None && t.normaliser != 0.0 {
                return Err(Error::invalid(
                    "loss.normaliser",
                    Value::Float(t.normaliser),
                    Value::Text("0 with reduction `none`"),
                ));
            }
            if t.map != ScoreMap::Identity && !info.about.takes_map {
                let got = Value::Text(info.about.name);
                return Err(Error::invalid(
                    "loss.map",
                    got,
                    Value::Text("an entry of the score difference, or no map"),
                ));
            }
            if let ScoreMap::Alpha { alpha, max_exponent } = t.map {
                if !alpha.is_finite() {
                    let finite = Value::Text("a finite number");
                    return Err(Error::invalid("loss.map_alpha", Value::Float(alpha), finite));
                }
                if !(max_exponent > 0.0) {
                    let got = Value::Float(max_exponent);
                    return Err(Error::invalid("loss.map_max_exponent", got, Value::Text("a number above 0")));
                }
            }
            if let Some(s) = t.score {
                if info.about.scores & s.bit() == 0 {
                    return Err(Error::invalid(
                        "loss.score_kind",
                        Value::Int(s as i64),
                        Value::Text("a score that the entry allows"),
                    ));
                }
                if options.score.is_none() {
                    return Err(Error::invalid(
                        "score_kind",
                        Value::Text("nothing"),
                        Value::Text("a score, as a term names its own"),
                    ));
                }
            }
            if let (Some(given), Some(wanted)) = (options.score, wanted(t, &info.about, options.score))
                && given == Score::Mean
                && wanted == Score::Sum
            {
                return Err(Error::invalid(
                    "score_kind",
                    Value::Text("means"),
                    Value::Text("sums: the entry is defined on them"),
                ));
            }
        }
        let anchored = inputs & slot::ANCHOR != 0 || options.anchored;
        if anchored && !items.anchored() {
            let expected = Value::Text("a third sequence of each pair: a term reads it");
            return Err(Error::invalid("groups.anchor_seq", Value::Text("nothing"), expected));
        }
        match &items {
            Items::Indexed { chosen, rejected, anchor } => {
                chosen.layout().check("groups.chosen_seq", chosen.rows(), 1)?;
                rejected.layout().check("groups.rejected_seq", chosen.rows(), 1)?;
                if let Some(anchor) = anchor {
                    if !anchored {
                        let expected = Value::Text("none: no term reads it");
                        return Err(Error::invalid("groups.anchor_seq", Value::Text("a tensor"), expected));
                    }
                    anchor.layout().check("groups.anchor_seq", chosen.rows(), 1)?;
                }
            }
            Items::Threes | Items::Thirds if sequences % 3 != 0 => {
                let expected = Value::Text("three sequences a pair, as a term reads the anchor");
                return Err(Error::shape("scores", Value::Size(sequences), expected));
            }
            Items::Interleaved | Items::Stacked if sequences % 2 == 1 => {
                return Err(Error::shape("scores", Value::Size(sequences), Value::Text("an even number of sequences")));
            }
            Items::Lists { offsets, members } => {
                let m = members.as_ref().map_or(sequences, |m| m.rows());
                members.as_ref().map_or(Ok(()), |l| l.layout().check("groups.member_seq", m, 1))?;
                if offsets.rows() == 0 || offsets.cols() != 1 {
                    return Err(Error::shape("groups.list_offsets", offsets.layout().shape(), Value::Text("[L + 1]")));
                }
                for index in 0..offsets.rows() {
                    let value = offsets.get(index);
                    let expected = if index == 0 {
                        Value::Int(0)
                    } else if index + 1 == offsets.rows() {
                        Value::Size(m)
                    } else {
                        Value::Text("offsets that ascend from 0 to the number of members")
                    };
                    let fits = match index {
                        0 => value == 0,
                        _ => value >= offsets.get(index - 1) && value <= m as i64,
                    };
                    if !fits || (index + 1 == offsets.rows() && value != m as i64) {
                        return Err(Error::new(
                            Status::OutOfRange,
                            "groups.list_offsets",
                            Value::At { value, index },
                            expected,
                        ));
                    }
                }
            }
            _ => {}
        }
        Ok(Problem { sequences, items, terms, options, inputs, partials })
    }
    /// S.
    pub const fn sequences(&self) -> usize {
        self.sequences
    }
    /// Number of pairs, rows or lists.
    pub fn count(&self) -> usize {
        self.items.count(self.sequences)
    }
    /// Slots of the rewards: members for lists, else items.
    pub fn rewards(&self) -> usize {
        match &self.items {
            Items::Lists { members, .. } => members.as_ref().map_or(self.sequences, |m| m.rows()),
            _ => self.count(),
        }
    }
    /// How sequences form items.
    pub const fn items(&self) -> &Items<'a> {
        &self.items
    }
    /// The terms.
    pub const fn terms(&self) -> &'a [Term<'a>] {
        self.terms
    }
    /// The settings.
    pub const fn options(&self) -> &Options {
        &self.options
    }
    /// Some term reads this slot.
    pub const fn reads(&self, slot: u64) -> bool {
        self.inputs & slot != 0
    }
    /// Some term maps its scores.
    pub fn maps(&self) -> bool {
        self.terms.iter().any(|t| !t.map.is_identity())
    }
    /// Some term has a partial with respect to this slot.
    pub const fn differentiates(&self, slot: u64) -> bool {
        self.partials & slot != 0
    }
    /// Whether the score stage divides sums by lengths for this term.
    pub fn divides(&self, term: &Term<'_>) -> bool {
        self.options.score == Some(Score::Sum) && wanted(term, term.about(), self.options.score) == Some(Score::Mean)
    }
}
/// The score that a term is evaluated on: its own, else the call's if the entry allows it, else the entry's.
fn wanted(term: &Term<'_>, about: &About, given: Option<Score>) -> Option<Score> {
    term.score.or(given.filter(|g| about.scores & g.bit() != 0)).or(about.score)
}

/// `label[i] > 0` marks a desirable answer.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum Labels<'a> {
    U8(Matrix<'a, u8>),
    I8(Matrix<'a, i8>),
}
impl Labels<'_> {
    /// Whether row `i` is desirable.
    #[inline(always)]
    pub fn desirable(&self, i: usize) -> bool {
        match self {
            Labels::U8(m) => m.get(i) > 0,
            Labels::I8(m) => m.get(i) > 0,
        }
    }
    pub(crate) fn check(&self, field: &'static str, rows: usize) -> Result<()> {
        match self {
            Labels::U8(m) => m.layout().check(field, rows, 1),
            Labels::I8(m) => m.layout().check(field, rows, 1),
        }
    }
}

/// Element `i` of a vector that may also be a single number.
#[inline(always)]
pub fn each(m: &Option<Floats<'_>>, i: usize, absent: f64) -> f64 {
    match m {
        None => absent,
        Some(m) if m.rows() == 1 => m.get(0),
        Some(m) => m.get(i),
    }
}

/// What forms and weighs the items, besides the scores. "or one" means that a vector of one element serves every item.
#[derive(Clone, Copy, Debug, Default)]
pub struct Groups<'a> {
    /// `[items]`; an item with 0 is not read.
    pub item_mask: Option<Mask<'a>>,
    /// `[items]` or one, finite and >= 0; 0 means that the item is not evaluated but counts as live.
    pub item_weight: Option<Floats<'a>>,
    /// `[items]` or one, replaces parameter 0 of entries that read the slot `beta`.
    pub item_beta: Option<Floats<'a>>,
    /// `[P]` or one, meaning by entry; absent: [`About::margins`].
    pub margin_chosen: Option<Floats<'a>>,
    /// `[P]` or one, meaning by entry; absent: [`About::margins`].
    pub margin_rejected: Option<Floats<'a>>,
    /// `[S]`, kind unpaired.
    pub label: Option<Labels<'a>>,
    /// `[S]` or one, kind unpaired.
    pub baseline: Option<Floats<'a>>,
    /// `[items]` or one; absent: 0 for pairs.
    pub shift: Option<Floats<'a>>,
    /// `[M]`, reward or rank of a member.
    pub list_targets: Option<Floats<'a>>,
}
impl Groups<'_> {
    /// Whether item `i` is live.
    #[inline(always)]
    pub fn live(&self, i: usize) -> bool {
        self.item_mask.is_none_or(|m| m.live(i))
    }
}

/// The data of a call.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// `[S]`, nats (or rewards of a reward model).
    pub scores: Floats<'a>,
    /// `[S]`, subtracted for entries with a reference. Absent: there is none, or it is already subtracted.
    pub ref_scores: Option<Floats<'a>>,
    /// `[S]`, live tokens; needed where something divides by them.
    pub lengths: Option<Matrix<'a, i32>>,
    /// `[S]`, KL(reference || policy) summed over tokens.
    pub kl: Option<Floats<'a>>,
    /// `[S]`, bits of the tokens behind a score; they are or-ed into its items. `ignored` is left out.
    pub sequence_status: Option<Matrix<'a, u32>>,
    /// Masks, weights, margins, labels.
    pub groups: Groups<'a>,
    /// Factor of the partials: one number, or `[items]` with [`Reduction::None`]. Absent: 1.
    pub grad_output: Option<Floats<'a>>,
    /// Host factor of the partials, finite.
    pub grad_scale: f64,
}
impl<'a> Inputs<'a> {
    /// Scores and nothing else.
    pub fn new(scores: Floats<'a>) -> Self {
        Inputs {
            scores,
            ref_scores: None,
            lengths: None,
            kl: None,
            sequence_status: None,
            groups: Groups::default(),
            grad_output: None,
            grad_scale: 1.0,
        }
    }
    /// Shapes, values, indices, and that every term gets what it reads and nothing is given that no term reads.
    pub fn check(&self, problem: &Problem<'_>) -> Result<()> {
        self.scores.layout().check("scores", problem.sequences, 1)?;
        self.check_but_scores(problem)
    }
    /// All of [`Inputs::check`] but the scores, for forms that make them.
    pub fn check_but_scores(&self, problem: &Problem<'_>) -> Result<()> {
        let (s, n, g) = (problem.sequences, problem.count(), &self.groups);
        for (field, m) in [("ref_scores", &self.ref_scores), ("kl", &self.kl)] {
            m.as_ref().map_or(Ok(()), |m| m.layout().check(field, s, 1))?;
        }
        self.lengths.map_or(Ok(()), |m| m.layout().check("lengths", s, 1))?;
        self.sequence_status.map_or(Ok(()), |m| m.layout().check("sequence_status", s, 1))?;
        g.item_mask.map_or(Ok(()), |m| m.layout().check("groups.item_mask", n, 1))?;
        let vectors = [
            ("groups.item_weight", &g.item_weight),
            ("groups.item_beta", &g.item_beta),
            ("groups.margin_chosen", &g.margin_chosen),
            ("groups.margin_rejected", &g.margin_rejected),
            ("groups.baseline", &g.baseline),
            ("groups.shift", &g.shift),
        ];
        for (field, m) in vectors {
            if let Some(m) = m
                && m.rows() != 1
            {
                m.layout().check(field, n, 1)?;
            }
        }
        if let Some(label) = &g.label {
            label.check("groups.label", n)?;
        }
        if let Some(m) = &g.list_targets {
            m.layout().check("groups.list_targets", problem.rewards(), 1)?;
        }
        match (&self.grad_output, problem.terms[0].reduction) {
            (Some(each), Reduction::None) if each.rows() != 1 => each.layout().check("grad_output", n, 1)?,
            (one, _) => {
                factor(*one, 1.0)?;
            }
        }
        factor(None, self.grad_scale)?;
        let slots = [
            ("kl", slot::KL, self.kl.is_some(), true),
            ("groups.margin_chosen", slot::MARGIN, g.margin_chosen.is_some(), false),
            ("groups.margin_rejected", slot::MARGIN, g.margin_rejected.is_some(), false),
            ("groups.item_beta", slot::BETA, g.item_beta.is_some(), false),
            ("groups.label", slot::LABEL, g.label.is_some(), true),
            ("groups.baseline", slot::BASELINE, g.baseline.is_some(), true),
            ("groups.shift", slot::SHIFT, g.shift.is_some(), problem.items.kind() != Kind::Pair),
            ("groups.list_targets", slot::LIST_TARGET, g.list_targets.is_some(), true),
        ];
        for (field, slot, given, needed) in slots {
            if given && !problem.reads(slot) {
                return Err(Error::invalid(field, Value::Text("a tensor"), Value::Text("none: no term reads it")));
            }
            if !given && needed && problem.reads(slot) {
                return Err(Error::invalid(field, Value::Text("nothing"), Value::Text("a tensor: a term reads it")));
            }
        }
        for (field, given, k) in [
            ("groups.margin_chosen", g.margin_chosen.is_some(), 0),
            ("groups.margin_rejected", g.margin_rejected.is_some(), 1),
        ] {
            let reads = |t: &Term<'_>| t.about().reads(slot::MARGIN) && t.about().margins[k].is_nan();
            if !given && problem.terms.iter().any(reads) {
                return Err(Error::invalid(field, Value::Text("nothing"), Value::Text("a tensor: a term reads it")));
            }
        }
        let divides = problem.reads(slot::LENGTH) || problem.terms.iter().any(|t| problem.divides(t));
        match self.lengths {
            None if divides => {
                return Err(Error::invalid(
                    "lengths",
                    Value::Text("nothing"),
                    Value::Text("[S]: a term divides by them"),
                ));
            }
            None => {}
            Some(l) => {
                for index in 0..s {
                    let value = l.get(index) as i64;
                    if value < 0 {
                        let legal = Value::Below(0, i32::MAX as i64 + 1);
                        return Err(Error::new(Status::OutOfRange, "lengths", Value::At { value, index }, legal));
                    }
                }
            }
        }
        if let Some(z) = &g.baseline
            && z.rows() == 1
            && z.get(0).is_nan()
        {
            return Err(Error::invalid(
                "groups.baseline",
                Value::Float(z.get(0)),
                Value::Text("a number: it serves every row"),
            ));
        }
        let index = |field, m: &Ints<'_>, i: usize| {
            let value = m.get(i);
            if value >= 0 && (value as u64) < s as u64 {
                return Ok(());
            }
            Err(Error::new(Status::OutOfRange, field, Value::At { value, index: i }, Value::Below(0, s as i64)))
        };
        match &problem.items {
            Items::Indexed { chosen, rejected, anchor } => {
                for i in 0..n {
                    if g.live(i) {
                        index("groups.chosen_seq", chosen, i)?;
                        index("groups.rejected_seq", rejected, i)?;
                        anchor.as_ref().map_or(Ok(()), |a| index("groups.anchor_seq", a, i))?;
                    }
                }
            }
            Items::Lists { members: Some(members), .. } => {
                for i in 0..n {
                    if g.live(i) {
                        for m in problem.items.offset(i)..problem.items.offset(i + 1) {
                            index("groups.member_seq", members, m)?;
                        }
                    }
                }
            }
            _ => {}
        }
        if let Some(w) = &g.item_weight {
            for i in 0..w.rows() {
                let x = w.get(i);
                if !(0.0..f64::INFINITY).contains(&x) && (w.rows() == 1 || g.live(i)) {
                    let legal = Value::Range { min: 0.0, max: f64::INFINITY, min_open: false, max_open: true };
                    return Err(Error::invalid("groups.item_weight", Value::Float(x), legal));
                }
            }
        }
        for t in problem.terms {
            self.check_values(problem, t.id)?;
        }
        if let Some(b) = &g.item_beta {
            for t in problem.terms.iter().filter(|t| t.about().reads(slot::BETA)) {
                let param = &catalog::info(t.id).expect("checked by Problem::new").params[0];
                for i in 0..b.rows() {
                    if !param.accepts(b.get(i)) && (b.rows() == 1 || g.live(i)) {
                        return Err(Error::invalid("groups.item_beta", Value::Float(b.get(i)), param.range()));
                    }
                }
            }
        }
        Ok(())
    }
    /// What single entries demand of the values they read.
    fn check_values(&self, problem: &Problem<'_>, id: u32) -> Result<()> {
        let g = &self.groups;
        if let (PRIME_CE, Some(y)) = (id, &g.baseline) {
            for i in 0..y.rows() {
                let legal = Value::Range { min: 0.0, max: 1.0, min_open: false, max_open: false };
                if (y.get(i) < 0.0 || y.get(i) > 1.0) && (y.rows() == 1 || g.live(i)) {
                    return Err(Error::invalid("groups.baseline", Value::Float(y.get(i)), legal));
                }
            }
        }
        if let (PREFERENCE_RANKING, Some(r)) = (id, &g.list_targets) {
            for i in (0..problem.count()).filter(|&i| g.live(i)) {
                for m in problem.items.offset(i) + 1..problem.items.offset(i + 1) {
                    if r.get(m) > r.get(m - 1) {
                        let descending = Value::Text("at most the reward before it: best first");
                        return Err(Error::invalid("groups.list_targets", Value::Float(r.get(m)), descending));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Indices of [`Outputs::statistics`]: f64 sums over live items, of the first term.
pub mod stat {
    /// Live items.
    pub const ITEMS: usize = 0;
    /// Sum of their weights.
    pub const WEIGHT_SUM: usize = 1;
    /// Sum of w L.
    pub const LOSS_SUM: usize = 2;
    /// Sum of the chosen rewards; of the desirable rows; of all members.
    pub const REWARD_CHOSEN_SUM: usize = 3;
    /// Sum of the rejected rewards; of the undesirable rows.
    pub const REWARD_REJECTED_SUM: usize = 4;
    /// Pairs whose chosen reward is strictly larger.
    pub const CORRECT: usize = 5;
    /// What the sum was divided by.
    pub const DIVISOR: usize = 6;
    /// Length of the array; the rest is 0.
    pub const COUNT: usize = 16;
}

/// Results, each only where a place is given; reals are f64 or f32.
#[derive(Debug, Default)]
pub struct Outputs<'a> {
    /// One number: all terms after their reductions. Not with [`Reduction::None`].
    pub loss: Option<FloatsMut<'a>>,
    /// `[items]`: values of the first term before any weight.
    pub losses: Option<FloatsMut<'a>>,
    /// `[P]`, `[S]` or `[M]`: rewards of the first term, detached.
    pub reward_chosen: Option<FloatsMut<'a>>,
    /// `[P]`, pairs only.
    pub reward_rejected: Option<FloatsMut<'a>>,
    /// `[S]`: dL/dscore, added up in item order.
    pub grad_scores: Option<FloatsMut<'a>>,
    /// `[S]`: dL/dkl.
    pub grad_kl: Option<FloatsMut<'a>>,
    /// `[P]`: with respect to `margin_chosen - margin_rejected`.
    pub grad_margin: Option<FloatsMut<'a>>,
    /// `[P]`: with respect to `margin_chosen`.
    pub grad_margin_chosen: Option<FloatsMut<'a>>,
    /// `[P]`: with respect to `margin_rejected`.
    pub grad_margin_rejected: Option<FloatsMut<'a>>,
    /// `[S]`, rows only: with respect to `baseline`.
    pub grad_baseline: Option<FloatsMut<'a>>,
    /// `[params]`, summed over the items in order: with respect to the parameters of the first term, 0 where it has no such
    /// partial ([`crate::losses::PairLoss::learns`]).
    pub grad_params: Option<MatrixMut<'a, f64>>,
    /// `[items]`: the second output of the first term's entry ([`About::aux`]).
    pub aux: Option<FloatsMut<'a>>,
    /// Sums for the caller's log, see [`stat`].
    pub statistics: Option<&'a mut [f64; stat::COUNT]>,
    /// `[items]`, bits of [`crate::error::row`]. `overflow`: a loss or partial beyond f64, or a loss, reward or gradient of
    /// the item that does not fit a place that is given.
    pub status: Option<MatrixMut<'a, u32>>,
    /// Items by status bit. A batch whose divisor is 0 adds one to `empty`, a loss that overflows by itself or does not fit
    /// its place one to `overflow`.
    pub counters: Option<&'a mut [i64; row::BITS]>,
}
impl Outputs<'_> {
    /// Refuses places of the wrong shape or dtype.
    pub fn check(&self, problem: &Problem<'_>) -> Result<()> {
        let (s, n, pairs) = (problem.sequences, problem.count(), problem.items.kind() == Kind::Pair);
        let places = [
            ("outputs.out_loss", &self.loss, 1, true),
            ("items.out_losses", &self.losses, n, true),
            ("items.out_reward_chosen", &self.reward_chosen, problem.rewards(), true),
            ("items.out_reward_rejected", &self.reward_rejected, n, pairs),
            ("outputs.grad_scores_out", &self.grad_scores, s, true),
            ("outputs.grad_kl_out", &self.grad_kl, s, true),
            ("items.grad_margin_out", &self.grad_margin, n, pairs),
            ("items.grad_margin_chosen_out", &self.grad_margin_chosen, n, pairs),
            ("items.grad_margin_rejected_out", &self.grad_margin_rejected, n, pairs),
            ("items.grad_baseline_out", &self.grad_baseline, n, problem.items().kind() == Kind::Unpaired),
        ];
        for (field, m, rows, legal) in places {
            let Some(m) = m else { continue };
            if !legal {
                return Err(Error::invalid(
                    field,
                    Value::Text("a tensor"),
                    Value::Text("none: it exists for items of another kind"),
                ));
            }
            wide(field, m.dtype())?;
            m.layout().check(field, rows, 1)?;
        }
        let first = problem.terms[0].id;
        if let (Some(m), Some(info)) = (&self.grad_params, catalog::info(first)) {
            m.layout().check("items.grad_params_out", info.params.len(), 1)?;
        }
        if let Some(m) = &self.aux {
            wide("items.out_aux", m.dtype())?;
            m.layout().check("items.out_aux", n, 1)?;
            if !problem.terms[0].about().aux {
                let expected = Value::Text("none: the entry has no second output");
                return Err(Error::invalid("items.out_aux", Value::Text("a tensor"), expected));
            }
        }
        if self.loss.is_some() && problem.terms[0].reduction == Reduction::None {
            return Err(Error::invalid(
                "outputs.out_loss",
                Value::Text("a tensor"),
                Value::Text("none with reduction `none`"),
            ));
        }
        self.status.as_ref().map_or(Ok(()), |m| m.layout().check("items.out_status", n, 1))
    }
}
impl Split for Outputs<'_> {
    /// Cuts what has one element an item; the rest stays with the first piece.
    fn split(self, row: usize) -> (Self, Self) {
        let (mut a, mut b) = (self, Outputs::default());
        (a.losses, b.losses) = a.losses.take().split(row);
        (a.status, b.status) = a.status.take().split(row);
        (a.reward_rejected, b.reward_rejected) = a.reward_rejected.take().split(row);
        (a.reward_chosen, b.reward_chosen) = a.reward_chosen.take().split(row);
        (a, b)
    }
}
