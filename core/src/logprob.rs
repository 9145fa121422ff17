//! Token log-prob of logits `[N, V]`: options, checked problem, host views shared with the linear form.
use crate::dtype::Float;
use crate::error::{Error, Result, Value, row};
use crate::matrix::{Floats, Ints, Mask, Matrix, MatrixMut, Split};
use crate::record::{self, BLOCK, Record, RowFloat, RowTransform, RowUpstream, Tree};
use crate::row_loss::{self, MOST, RowLoss, RowLossInputs, Top};
use crate::sequence::Segments;

/// Columns of the saved statistics of a row (see [`crate::record`]).
pub const STATS: usize = 12;

/// From raw to transformed logits, in this order: `+ bias`, `* logit_scale`, `softcap tanh(. / softcap)`,
/// `/ temperature`. With neither bias nor any of them set a logit is used as it is, without arithmetic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transform {
    /// Finite, > 0.
    pub logit_scale: f64,
    /// Finite, > 0; 0 is off.
    pub softcap: f64,
    /// Finite, > 0.
    pub temperature: f64,
}
impl Default for Transform {
    fn default() -> Self {
        Transform { logit_scale: 1.0, softcap: 0.0, temperature: 1.0 }
    }
}

impl Transform {
    /// Refuses settings whose constants (scale / temperature, scale / softcap, softcap / temperature) leave f32's normal
    /// range: the transform would be 0 * inf.
    pub(crate) fn fits(&self, field: &'static str, temperature: f64) -> Result<()> {
        let normal = |v: f64| (v as f32).is_normal();
        let softcap =
            self.softcap == 0.0 || normal(self.logit_scale / self.softcap) && normal(self.softcap / temperature);
        if softcap && normal(self.logit_scale / temperature) {
            return Ok(());
        }
        let expected =
            "logit_scale / temperature, logit_scale / softcap and softcap / temperature in the normal range of f32";
        Err(Error::invalid(field, Value::Float(temperature), Value::Text(expected)))
    }
}

/// Settings of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Options {
    /// Transform of the logits.
    pub transform: Transform,
    /// Columns from this one on are padding and count as dead; 0 means all columns are valid.
    pub n_valid_vocab: usize,
    /// A row with this target is not read.
    pub ignore_index: Option<i64>,
    /// Row i uses the target of row i + shift of its sequence; where there is none it is not read.
    pub shift: usize,
    /// Columns of [`Figures::topk_entropy`], at most 512; 0 means 20.
    pub entropy_k: usize,
    /// The row loss.
    pub row_loss: RowLoss,
}

/// A checked problem: what is asked, without the data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Problem {
    rows: usize,
    vocab: usize,
    /// Column of the whole vocabulary at which the columns at hand start.
    start: usize,
    /// Columns of the whole vocabulary.
    total: usize,
    options: Options,
}
impl Problem {
    /// Checks the options. `rows` may be 0; `vocab` must be in `1..=i32::MAX` when there are rows.
    pub fn new(rows: usize, vocab: usize, options: Options) -> Result<Problem> {
        Problem::shard(rows, vocab, options, 0, vocab)
    }
    /// As [`Problem::new`] for the columns `[start, start + vocab)` of a vocabulary of `total`: logits, bias and gradients
    /// hold these columns only, while targets and `n_valid_vocab` count over the whole vocabulary.
    pub fn shard(rows: usize, vocab: usize, options: Options, start: usize, total: usize) -> Result<Problem> {
        if vocab != total && total > i32::MAX as usize {
            let most = Value::Below(1, i32::MAX as i64 + 1);
            return Err(Error::invalid("shard.vocab_total", Value::Size(total), most));
        }
        if start > total || vocab > total - start {
            let inside = Value::Below(0, total.saturating_sub(vocab) as i64 + 1);
            return Err(Error::invalid("shard.vocab_start", Value::Size(start), inside));
        }
        if rows > 0 && (vocab == 0 || vocab > i32::MAX as usize) {
            return Err(Error::shape(
                "logits",
                Value::Shape([rows as i64, vocab as i64, 0], 2),
                Value::Text("1 <= V <= 2^31 - 1"),
            ));
        }
        let t = options.transform;
        let positive = Value::Range { min: 0.0, max: f64::INFINITY, min_open: true, max_open: true };
        let ok = |v: f64| v > 0.0 && v < f64::INFINITY;
        for (field, v) in [("transform.logit_scale", t.logit_scale), ("transform.temperature", t.temperature)] {
            if !ok(v) {
                return Err(Error::invalid(field, Value::Float(v), positive));
            }
        }
        if t.softcap != 0.0 && !ok(t.softcap) {
            return Err(Error::invalid("transform.softcap", Value::Float(t.softcap), positive));
        }
        t.fits("transform.temperature", t.temperature)?;
        if options.n_valid_vocab > total {
            let most = Value::Below(0, total as i64 + 1);
            return Err(Error::invalid("transform.n_valid_vocab", Value::Size(options.n_valid_vocab), most));
        }
        if options.shift > i32::MAX as usize {
            let most = Value::Below(0, i32::MAX as i64 + 1);
            return Err(Error::invalid("rows.shift", Value::Size(options.shift), most));
        }
        if options.entropy_k > MOST {
            let most = Value::Below(0, MOST as i64 + 1);
            return Err(Error::invalid("figures.entropy_k", Value::Size(options.entropy_k), most));
        }
        options.row_loss.check(if options.n_valid_vocab == 0 { total } else { options.n_valid_vocab })?;
        Ok(Problem { rows, vocab, start, total, options })
    }
    /// N.
    pub const fn rows(&self) -> usize {
        self.rows
    }
    /// Columns at hand: V, or those of the shard.
    pub const fn vocab(&self) -> usize {
        self.vocab
    }
    /// V of the whole vocabulary.
    pub const fn total(&self) -> usize {
        self.total
    }
    /// Column of the whole vocabulary at which the columns at hand start.
    pub const fn start(&self) -> usize {
        self.start
    }
    /// Columns at hand that can be live.
    pub const fn valid(&self) -> usize {
        let valid = if self.options.n_valid_vocab == 0 { self.total } else { self.options.n_valid_vocab };
        let valid = valid.saturating_sub(self.start);
        if valid < self.vocab { valid } else { self.vocab }
    }
    /// Where a column of the whole vocabulary lies among those at hand that can be live.
    #[inline(always)]
    pub const fn local(&self, column: usize) -> Option<usize> {
        match column.checked_sub(self.start) {
            Some(j) if j < self.valid() => Some(j),
            _ => None,
        }
    }
    /// The settings.
    pub const fn options(&self) -> &Options {
        &self.options
    }
}

/// Which rows count and what their targets are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rows<'a> {
    /// `[N]`; needed by every figure of the target.
    pub target: Option<Ints<'a>>,
    /// `[N]`; a row with 0 is not read.
    pub mask: Option<Mask<'a>>,
    /// The sequences that [`Options::shift`] stays inside; `None`: all rows are one.
    pub segments: Option<Segments<'a>>,
}

/// Figures of a row, in f64 for f64 logits; each is computed only when its place is given and changes no other figure's
/// bits.
#[derive(Debug)]
pub struct Figures<'a, F = f32> {
    /// Log-prob of the target, nats.
    pub logprob: Option<MatrixMut<'a, F>>,
    /// log sum exp of the transformed logits.
    pub lse: Option<MatrixMut<'a, F>>,
    /// Largest transformed logit.
    pub max: Option<MatrixMut<'a, F>>,
    /// Its lowest column.
    pub argmax: Option<MatrixMut<'a, i32>>,
    /// Entropy, nats.
    pub entropy: Option<MatrixMut<'a, F>>,
    /// log sum p^2.
    pub log_sum_sq: Option<MatrixMut<'a, F>>,
    /// Mean of the live transformed logits.
    pub mean_logit: Option<MatrixMut<'a, F>>,
    /// 1 if the target is the argmax.
    pub is_top1: Option<MatrixMut<'a, u8>>,
    /// Number of columns larger than the target.
    pub rank: Option<MatrixMut<'a, i32>>,
    /// Number of other live columns that equal the target.
    pub ties: Option<MatrixMut<'a, i32>>,
    /// `[N, K]`, K <= 512: the largest live columns in descending order, ties by ascending column; -1 behind the last.
    pub topk_ids: Option<MatrixMut<'a, i32>>,
    /// `[N, K]`: their log-probs, `-inf` behind the last.
    pub topk_logprobs: Option<MatrixMut<'a, F>>,
    /// Entropy of the softmax over the [`Options::entropy_k`] largest live columns.
    pub topk_entropy: Option<MatrixMut<'a, F>>,
    /// `[N, K]`: log-probs of extra columns, `-inf` for none.
    pub extra_logprobs: Option<MatrixMut<'a, F>>,
    /// Factor omega of the row loss.
    pub token_scale: Option<MatrixMut<'a, F>>,
    /// The row loss; see [`crate::row_loss`].
    pub row_loss: Option<MatrixMut<'a, F>>,
    /// `[N, 12]`, for the backward.
    pub stats: Option<MatrixMut<'a, F>>,
    /// Bits of [`crate::error::row`].
    pub status: Option<MatrixMut<'a, u32>>,
}
macro_rules! each_figure {
    ($go:ident) => {
        $go! {
            logprob lse max argmax entropy log_sum_sq mean_logit is_top1 rank ties topk_ids topk_logprobs topk_entropy
            extra_logprobs token_scale row_loss stats status
        }
    };
}
impl<F> Default for Figures<'_, F> {
    /// None of them.
    fn default() -> Self {
        macro_rules! none {
            ($($f:ident)*) => { Figures { $($f: None),* } };
        }
        each_figure!(none)
    }
}
impl<F: RowFloat> Split for Figures<'_, F> {
    fn split(self, row: usize) -> (Self, Self) {
        let (mut a, mut b) = (Figures::default(), Figures::default());
        macro_rules! cut {
            ($($f:ident)*) => {{ $( (a.$f, b.$f) = self.$f.split(row); )* }};
        }
        each_figure!(cut);
        (a, b)
    }
}
impl<F: RowFloat> Figures<'_, F> {
    /// Refuses places of the wrong shape; `extra` is the number of extra columns.
    pub fn check(&self, rows: usize, extra: Option<usize>) -> Result<()> {
        macro_rules! vectors {
            ($($f:ident $name:literal)*) => {$(
                self.$f.as_ref().map_or(Ok(()), |m| m.layout().check($name, rows, 1))?;
            )*};
        }
        vectors!(logprob "figures.out_logprob" lse "figures.out_lse" max "figures.out_max" argmax "figures.out_argmax"
            entropy "figures.out_entropy" log_sum_sq "figures.out_log_sum_sq" mean_logit "figures.out_mean_logit"
            is_top1 "figures.out_is_top1" rank "figures.out_rank" ties "figures.out_ties"
            topk_entropy "figures.out_topk_entropy" token_scale "figures.out_token_scale"
            row_loss "figures.out_row_loss" status "figures.out_status");
        self.stats.as_ref().map_or(Ok(()), |m| m.layout().check("figures.out_stats", rows, STATS))?;
        let k = self.topk();
        if k > MOST {
            let field = if self.topk_ids.is_some() { "figures.out_topk_ids" } else { "figures.out_topk_logprobs" };
            return Err(Error::shape(field, Value::Size(k), Value::Text("at most 512 columns")));
        }
        self.topk_ids.as_ref().map_or(Ok(()), |m| m.layout().check("figures.out_topk_ids", rows, k))?;
        self.topk_logprobs.as_ref().map_or(Ok(()), |m| m.layout().check("figures.out_topk_logprobs", rows, k))?;
        match (&self.extra_logprobs, extra) {
            (Some(_), None) => {
                let expected = Value::Text("ids, which out_extra_logprobs needs");
                Err(Error::invalid("figures.extra_ids", Value::Text("NULL"), expected))
            }
            (Some(m), Some(k)) => m.layout().check("figures.out_extra_logprobs", rows, k),
            (None, _) => Ok(()),
        }
    }
    /// Columns of the top-k lists.
    pub fn topk(&self) -> usize {
        let ids = self.topk_ids.as_ref().map(MatrixMut::cols);
        ids.or(self.topk_logprobs.as_ref().map(MatrixMut::cols)).unwrap_or(0)
    }
    /// Whether a figure is asked for that does not exist without targets.
    pub fn needs_target(&self) -> bool {
        self.logprob.is_some()
            || self.is_top1.is_some()
            || self.rank.is_some()
            || self.ties.is_some()
            || self.row_loss.is_some()
            || self.token_scale.is_some()
    }
}
fn unserved(field: &'static str, why: &'static str) -> Error {
    Error::invalid(field, Value::Text("a value"), Value::Text(why))
}
impl Options {
    /// Refuses what belongs to the figures and the loss of single rows; `why` says what goes without.
    pub fn check_common(&self, why: &'static str) -> Result<()> {
        let Options { shift, entropy_k, row_loss, .. } = self;
        match () {
            () if *shift != 0 => Err(unserved("rows.shift", why)),
            () if *entropy_k != 0 => Err(unserved("figures.entropy_k", why)),
            () if *row_loss != RowLoss::default() => Err(unserved("row_loss", why)),
            () => Ok(()),
        }
    }
}

/// Extra columns of each row: `[N, K]`, -1 for none.
#[derive(Clone, Copy, Debug)]
pub struct ExtraIds<'a>(pub Ints<'a>);
impl ExtraIds<'_> {
    /// K.
    pub fn cols(&self) -> usize {
        self.0.cols()
    }
    /// Column number `k` of row `i`.
    #[inline]
    pub fn get(&self, i: usize, k: usize) -> Option<usize> {
        let id = match &self.0 {
            Ints::I32(m) => m.row(i)[k] as i64,
            Ints::I64(m) => m.row(i)[k],
        };
        usize::try_from(id).ok()
    }
    /// Shape, and every id of a live row -1 or inside the vocabulary; names the first that is not.
    pub fn check(&self, field: &'static str, problem: &Problem, rows: &Rows<'_>) -> Result<()> {
        self.0.layout().check(field, problem.rows(), self.cols())?;
        for i in 0..problem.rows() {
            if rows.target(i, problem.options()) == Target::Ignored {
                continue;
            }
            for k in 0..self.cols() {
                let id = match &self.0 {
                    Ints::I32(m) => m.row(i)[k] as i64,
                    Ints::I64(m) => m.row(i)[k],
                };
                if id < -1 || id >= problem.total() as i64 {
                    let got = Value::At { value: id, index: i * self.cols() + k };
                    let legal = Value::Below(-1, problem.total() as i64);
                    return Err(Error::new(crate::Status::OutOfRange, field, got, legal));
                }
            }
        }
        Ok(())
    }
}

/// Gradients of a scalar with respect to the figures, `[N]` each; an absent one counts as 0.
#[derive(Clone, Copy, Debug)]
pub struct Upstream<'a, F = f32> {
    /// d/d logprob.
    pub logprob: Option<Matrix<'a, F>>,
    /// d/d lse.
    pub lse: Option<Matrix<'a, F>>,
    /// d/d entropy.
    pub entropy: Option<Matrix<'a, F>>,
    /// `[N, K]`: d/d log-prob of the extra columns, those that are dead included (they fall with the lse), those that are
    /// -1 not.
    pub extra: Option<Matrix<'a, F>>,
    /// The extra columns; exactly with `extra`.
    pub extra_ids: Option<ExtraIds<'a>>,
    /// d/d row loss.
    pub row_loss: Option<Matrix<'a, F>>,
    /// d/d reduced loss.
    pub loss: Option<f64>,
    /// Host factor on all of them.
    pub scale: f64,
}
impl<F> Default for Upstream<'_, F> {
    fn default() -> Self {
        Upstream {
            logprob: None,
            lse: None,
            entropy: None,
            extra: None,
            extra_ids: None,
            row_loss: None,
            loss: None,
            scale: 1.0,
        }
    }
}
impl<F: RowFloat> Upstream<'_, F> {
    /// Refuses vectors of the wrong length and a factor that is not finite.
    pub fn check(&self, rows: usize) -> Result<()> {
        let all = [
            ("upstream.grad_logprob", &self.logprob),
            ("upstream.grad_lse", &self.lse),
            ("upstream.grad_entropy", &self.entropy),
            ("upstream.grad_row_loss", &self.row_loss),
        ];
        for (field, m) in all {
            m.as_ref().map_or(Ok(()), |m| m.layout().check(field, rows, 1))?;
        }
        match (&self.extra, &self.extra_ids) {
            (None, None) => {}
            (Some(m), Some(ids)) => m.layout().check("upstream.grad_extra", rows, ids.cols())?,
            (Some(_), None) => {
                let expected = Value::Text("ids, which grad_extra needs");
                return Err(Error::invalid("upstream.extra_ids", Value::Text("NULL"), expected));
            }
            (None, Some(_)) => {
                let expected = Value::Text("gradients of the columns that extra_ids names");
                return Err(Error::invalid("upstream.grad_extra", Value::Text("NULL"), expected));
            }
        }
        if !self.scale.is_finite() {
            return Err(Error::invalid(
                "upstream.grad_scale",
                Value::Float(self.scale),
                Value::Text("a finite number"),
            ));
        }
        Ok(())
    }
    /// Whether a gradient is given of something that does not exist without targets.
    pub fn needs_target(&self) -> Option<&'static str> {
        if self.logprob.is_some() {
            Some("targets, which grad_logprob needs")
        } else if self.row_loss.is_some() || self.loss.is_some() {
            Some("targets, which the gradient of the row loss needs")
        } else {
            None
        }
    }
    /// Whether the gradient takes the row loss in.
    pub fn of_loss(&self) -> bool {
        self.row_loss.is_some() || self.loss.is_some()
    }
}

/// Inputs besides the logits themselves that the transform reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransformInputs<'a> {
    /// `[V]`: finite or `-inf` (a dead column).
    pub bias: Option<Floats<'a>>,
    /// `[N]`, finite > 0, replaces [`Transform::temperature`].
    pub row_temperature: Option<Matrix<'a, f32>>,
}

/// What the checks of a row's target say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Masked or ignored: the row is not read.
    Ignored,
    /// Live without a target.
    None,
    /// Live with this column.
    Column(usize),
}
impl Rows<'_> {
    /// The row whose target row `i` uses, if the shift stays inside its sequence.
    #[inline]
    fn source(&self, i: usize, shift: usize, rows: usize) -> Option<usize> {
        let end = match &self.segments {
            None => rows,
            Some(Segments::Padded { width, .. }) => (i / width + 1) * width,
            Some(Segments::Packed(cu)) => {
                // the first offset above i
                let (mut low, mut high) = (1, cu.rows());
                while low < high {
                    let middle = (low + high) / 2;
                    if cu.get(middle) as usize > i { high = middle } else { low = middle + 1 }
                }
                cu.get(low) as usize
            }
        };
        (shift < end - i).then(|| i + shift)
    }
    /// The target of row `i`, which [`Rows::check`] has accepted.
    #[inline(always)]
    pub fn target(&self, i: usize, options: &Options) -> Target {
        if self.mask.is_some_and(|m| !m.live(i)) {
            return Target::Ignored;
        }
        match self.target {
            None => Target::None,
            Some(t) => {
                let at = if options.shift == 0 { Some(i) } else { self.source(i, options.shift, t.rows()) };
                let Some(at) = at else { return Target::Ignored };
                let t = t.get(at);
                if options.ignore_index == Some(t) { Target::Ignored } else { Target::Column(t as usize) }
            }
        }
    }
    /// Shapes, and every live target inside the vocabulary; names the first that is not.
    pub fn check(&self, problem: &Problem) -> Result<()> {
        let shift = problem.options().shift;
        if let Some(m) = self.mask {
            let l = m.layout();
            l.check("rows.mask", problem.rows(), 1)?;
        }
        if let Some(s) = &self.segments {
            let field = if let Segments::Packed(_) = s { "rows.cu_seqlens" } else { "rows.target" };
            s.check(problem.rows()).map_err(|e| Error { field, ..e })?;
        }
        let Some(t) = self.target else {
            if shift > 0 {
                let expected = Value::Text("targets, which the shift needs");
                return Err(Error::invalid("rows.target", Value::Text("NULL"), expected));
            }
            return Ok(());
        };
        t.layout().check("rows.target", problem.rows(), 1)?;
        for i in 0..problem.rows() {
            if let Target::Column(_) = self.target(i, problem.options()) {
                let index = if shift == 0 { Some(i) } else { self.source(i, shift, problem.rows()) };
                let index = index.expect("the row has a target");
                let id = t.get(index);
                if id < 0 || id as u64 >= problem.total() as u64 {
                    return Err(Error::new(
                        crate::Status::OutOfRange,
                        "rows.target",
                        Value::At { value: id, index },
                        Value::Below(0, problem.total() as i64),
                    ));
                }
            }
        }
        Ok(())
    }
}
impl TransformInputs<'_> {
    /// Shapes; no bias of a valid column NaN or `+inf`; temperatures of live rows finite and > 0.
    pub fn check(&self, problem: &Problem, rows: &Rows<'_>) -> Result<()> {
        if let Some(bias) = &self.bias {
            bias.layout().check("transform.bias", problem.vocab(), 1)?;
            for j in 0..problem.valid() {
                let b = bias.get(j) as f32;
                // false for a NaN
                if !(b < f32::INFINITY) {
                    let expected = Value::Text("finite or -inf (a dead column)");
                    return Err(Error::invalid("transform.bias", Value::Float(b as f64), expected));
                }
            }
        }
        if let Some(t) = &self.row_temperature {
            t.layout().check("transform.row_temperature", problem.rows(), 1)?;
            for i in 0..problem.rows() {
                let v = t.get(i);
                if rows.target(i, problem.options()) == Target::Ignored {
                    continue;
                }
                if !(v > 0.0 && v < f32::INFINITY) {
                    let expected = Value::Range { min: 0.0, max: f64::INFINITY, min_open: true, max_open: true };
                    return Err(Error::invalid("transform.row_temperature", Value::Float(v as f64), expected));
                }
                problem.options().transform.fits("transform.row_temperature", v as f64)?;
            }
        }
        Ok(())
    }
    /// The transform of row `i`.
    #[inline]
    pub fn row<F: RowFloat>(&self, problem: &Problem, i: usize) -> RowTransform<F> {
        let t = &problem.options().transform;
        RowTransform::new(t, self.row_temperature.map_or(t.temperature, |v| v.get(i) as f64))
    }
}
impl<F: RowFloat> Upstream<'_, F> {
    /// Gradients of row `i`; that of the reduced loss has been divided already.
    #[inline]
    pub fn row(&self, i: usize) -> RowUpstream {
        let at = |m: &Option<Matrix<'_, F>>| m.as_ref().map_or(0.0, |m| m.get(i).to_f64() * self.scale);
        let mut extra = 0.0;
        if let (Some(g), Some(ids)) = (&self.extra, &self.extra_ids) {
            for (k, g) in g.row(i).iter().enumerate() {
                extra += if ids.get(i, k).is_some() { g.to_f64() * self.scale } else { 0.0 };
            }
        }
        RowUpstream {
            logprob: at(&self.logprob),
            lse: at(&self.lse),
            entropy: at(&self.entropy),
            extra,
            loss: at(&self.row_loss) + self.loss.map_or(0.0, |g| g * self.scale),
            class_weight: 1.0,
            ..RowUpstream::default()
        }
    }
    /// Gradient of the log-probs of column `j` of row `i` as an extra column, however often it is named.
    pub fn extra(&self, i: usize, j: usize) -> f64 {
        let (Some(g), Some(ids)) = (&self.extra, &self.extra_ids) else { return 0.0 };
        let named = g.row(i).iter().enumerate().filter(|(k, _)| ids.get(i, *k) == Some(j));
        named.fold(0.0, |sum, (_, g)| sum + g.to_f64() * self.scale)
    }
}

/// What a row's figures need beyond its first four sums.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs {
    /// `w1` and `live`, with class weights their sums too.
    pub sums: bool,
    /// Columns above and equal to the target.
    pub rank: bool,
    /// Columns of the list of the largest.
    pub top: usize,
}
impl Needs {
    /// Of a forward; `loss` is asked for besides the figures.
    pub fn figures<F: RowFloat>(problem: &Problem, out: &Figures<'_, F>, loss: bool) -> Needs {
        let options = problem.options();
        let value = out.row_loss.is_some() || out.stats.is_some() || loss;
        let mut needs = Needs::loss(options, value, value || out.token_scale.is_some());
        needs.sums |= out.mean_logit.is_some();
        needs.rank = out.rank.is_some() || out.ties.is_some();
        needs.top = needs.top.max(out.topk());
        if out.topk_entropy.is_some() {
            needs.top = needs.top.max(options.entropy_columns());
        }
        needs
    }
    /// Of the row loss, and of its factor.
    pub fn loss(options: &Options, value: bool, scale: bool) -> Needs {
        let smooth = options.row_loss.label_smoothing > 0.0;
        let top = if scale && options.row_loss.needs_top() { row_loss::EAFT } else { 0 };
        Needs { sums: value && smooth, rank: false, top }
    }
    /// Whether there is anything.
    pub fn any(&self) -> bool {
        self.sums || self.rank || self.top > 0
    }
}
impl Options {
    /// Most columns of [`Figures::topk_entropy`].
    pub fn entropy_columns(&self) -> usize {
        if self.entropy_k == 0 { row_loss::EAFT } else { self.entropy_k }
    }
}
/// What a pass over a row finds besides its record.
#[derive(Clone, Debug, Default)]
pub struct Found<F: RowFloat = f32> {
    /// Live columns other than the target that equal it.
    pub ties: u32,
    /// The largest live columns.
    pub top: Top<F>,
}
impl<F: RowFloat> Found<F> {
    /// Starts a row.
    pub fn start(&mut self, needs: &Needs) {
        self.ties = 0;
        self.top.start(needs.top);
    }
}
/// What a pass over the columns of a row looks for beyond the first sums.
#[derive(Debug)]
pub struct Seek<'a, F: RowFloat = f32> {
    /// What it is.
    pub needs: Needs,
    /// c of the whole vocabulary.
    pub class_weight: Option<Floats<'a>>,
    /// The target's column in the whole vocabulary; `usize::MAX` for none.
    pub target: usize,
    /// Its transformed logit, `-inf` if it has none.
    pub xy: F,
    /// What is found; it has been started.
    pub found: &'a mut Found<F>,
}
impl<'a, F: RowFloat> Seek<'a, F> {
    /// Looks for nothing.
    pub fn nothing(found: &'a mut Found<F>) -> Seek<'a, F> {
        Seek { needs: Needs::default(), class_weight: None, target: usize::MAX, xy: F::NEG_INF, found }
    }
    /// Takes in a block of transformed logits, `-inf` where there is no column. `part` is its record, `x[j]` is column
    /// `ids[j]`, or `first + j` of the whole vocabulary. The plain form of the kernels.
    pub fn block(&mut self, x: &[F], first: usize, ids: Option<&[u32]>, part: &mut Record<F>) {
        let column = |j: usize| ids.map_or(first + j, |ids| ids[j] as usize);
        if self.needs.sums {
            let mut c = [F::ZERO; BLOCK];
            if let Some(weight) = &self.class_weight {
                for (j, c) in c[..x.len()].iter_mut().enumerate().filter(|(j, _)| x[*j] > F::NEG_INF) {
                    *c = F::from_f64(weight.get(column(j)));
                }
            }
            part.extend(x, self.class_weight.map(|_| &c[..x.len()]));
        }
        for (j, &x) in x.iter().enumerate().filter(|(_, x)| **x > F::NEG_INF) {
            if self.needs.rank {
                part.above += (x > self.xy) as u32;
                self.found.ties += (x == self.xy && column(j) != self.target) as u32;
            }
            self.found.top.push(x, column(j) as u32);
        }
    }
}

/// The part of a block that lies among the columns at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// First column of the block in the whole vocabulary.
    pub block: usize,
    /// Columns of the block below the first one at hand.
    pub skip: usize,
    /// First of the columns at hand.
    pub first: usize,
    /// Their number.
    pub n: usize,
}
/// Cuts `n` columns, the first of which is column `start` of the whole vocabulary, at the boundaries of blocks.
pub fn pieces(start: usize, n: usize) -> impl Iterator<Item = Piece> {
    let mut first = 0;
    core::iter::from_fn(move || {
        let skip = (start + first) % BLOCK;
        let piece = Piece { block: start + first - skip, skip, first, n: (BLOCK - skip).min(n - first) };
        first += piece.n;
        (piece.n > 0).then_some(piece)
    })
}

/// One row of logits: its valid columns and what the transform reads. Its methods are the plain form of the kernels.
#[derive(Clone, Copy, Debug)]
pub struct LogitRow<'a, T, F = f32> {
    /// Raw logits of the valid columns.
    pub z: &'a [T],
    /// `[V]`
    pub bias: Option<Floats<'a>>,
    /// Constants of this row.
    pub transform: RowTransform<F>,
}
impl<T: Float, F: RowFloat> LogitRow<'_, T, F> {
    /// Bias of a column.
    #[inline(always)]
    pub fn bias(&self, j: usize) -> Option<F> {
        self.bias.as_ref().map(|b| F::from_f64(b.get(j)))
    }
    /// Transformed logit of a column.
    #[inline(always)]
    pub fn at(&self, j: usize) -> F {
        self.transform.apply(F::of(self.z[j]), self.bias(j))
    }
    /// Transformed logit of a column, `-inf` if it is padding; `-0` becomes `+0`.
    #[inline(always)]
    pub fn column(&self, j: usize) -> F {
        if j < self.z.len() { self.at(j) + F::ZERO } else { F::NEG_INF }
    }
    /// Raw logit and bias of a column, the argument of [`RowTransform::slope`].
    #[inline(always)]
    pub fn sum(&self, j: usize) -> F {
        F::of(self.z[j]) + self.bias(j).unwrap_or(F::ZERO)
    }
    /// The record of the row, ready for its figures; `target` as [`Rows::target`] gives it.
    pub fn record(&self, target: Target) -> Record<F> {
        self.scan(target, &mut Seek::nothing(&mut Found::default()))
    }
    /// The record of the row with whatever else is looked for.
    pub fn scan(&self, target: Target, seek: &mut Seek<'_, F>) -> Record<F> {
        let (record, _) = self.sums(0, |_| true, seek);
        self.finish(record, target, seek.found)
    }
    /// The record of the columns for which `keep` holds, all others dead, and how many of these are live. The first column
    /// is column `start` of the whole vocabulary. Blocks are cut at columns of the whole vocabulary; one that `start` cuts
    /// has dead columns below it, and merges from the left with the tree of the blocks behind it.
    pub fn sums(&self, start: usize, keep: impl Fn(usize) -> bool, seek: &mut Seek<'_, F>) -> (Record<F>, usize) {
        let (mut head, mut tree, mut live) = (Record::EMPTY, Tree::new(), 0);
        for piece in pieces(start, self.z.len()) {
            let (mut x, n) = ([F::NEG_INF; BLOCK], piece.skip + piece.n);
            for j in 0..piece.n {
                if keep(piece.first + j) {
                    x[piece.skip + j] = self.at(piece.first + j);
                }
            }
            live += x.iter().filter(|&&x| x != F::NEG_INF).count();
            let mut block = record::block(&x[..n], piece.block);
            if seek.needs.any() {
                seek.block(&x[..n], piece.block, None, &mut block);
            }
            if piece.skip > 0 { head = block } else { tree.push(block) }
        }
        (head.merge(tree.finish()), live)
    }
    /// Completes what a pass over the row has found.
    #[inline]
    pub fn finish(&self, x: Record<F>, target: Target, found: &mut Found<F>) -> Record<F> {
        let x = self.conclude(x, target);
        if found.top.want() > 0 {
            found.top.finish(&x);
        }
        x
    }
    /// Completes a record of the sums: the target's logit and the flags.
    #[inline(always)]
    pub fn conclude(&self, x: Record<F>, target: Target) -> Record<F> {
        let y = match target {
            Target::Column(y) if y < self.z.len() => Some(y),
            _ => None,
        };
        self.complete(x, y, |_| true).conclude(target)
    }
    /// Sets the logit of the target, `y` if it is among these columns, and why the record is poisoned if it is. `keep`
    /// says which columns count.
    #[inline(always)]
    pub fn complete(&self, mut x: Record<F>, y: Option<usize>, keep: impl Fn(usize) -> bool) -> Record<F> {
        if x.poisoned() {
            x.flags |= self.causes(keep);
            return x;
        }
        x.xy = y.map_or(F::NEG_INF, |y| self.column(y));
        x
    }
    /// Why a row is poisoned.
    #[cold]
    #[inline(never)]
    fn causes(&self, keep: impl Fn(usize) -> bool) -> u32 {
        let mut flags = 0;
        for (j, z) in self.z.iter().enumerate() {
            let z = F::of(*z);
            if self.bias(j) != Some(F::NEG_INF) && keep(j) {
                flags |= if z.to_f64().is_nan() { row::NAN_INPUT } else { 0 };
                flags |= if z == F::INF { row::INF_INPUT } else { 0 };
            }
        }
        // finite logits that the transform takes beyond the type
        if flags == 0 { row::OVERFLOW } else { flags }
    }
}

/// Inputs of a row that its figures are made from; the rest of what [`write`] needs.
#[derive(Clone, Copy, Debug)]
pub struct RowInputs<'a> {
    /// The problem.
    pub problem: &'a Problem,
    /// Arrays of the row loss.
    pub row_loss: RowLossInputs<'a>,
    /// Extra columns.
    pub extra_ids: Option<ExtraIds<'a>>,
}
impl RowInputs<'_> {
    /// omega of row `i` of the batch, from its record and its largest columns.
    pub fn scale<F: RowFloat>(&self, i: usize, record: &Record<F>, target: Target, found: &Found<F>) -> F {
        let (loss, mut place) = (&self.problem.options().row_loss, [F::ZERO; MOST]);
        let top = if loss.needs_top() { found.top.values(&mut place) } else { &[] };
        loss.scale(record, target, top, self.row_loss.external(i))
    }
    /// Constants of the loss of a row.
    pub fn terms<F: RowFloat>(&self, record: &Record<F>, scale: F, target: Target) -> row_loss::Terms {
        self.problem.options().row_loss.terms(record, scale, self.row_loss.class::<F>(target))
    }
    /// Writes what is asked for about row `i` of `out`, which is row `at` of the batch, and returns its loss where
    /// `loss` or a place asks for it. `record` is complete; `column(k, j)` is the transformed logit of column j, the k-th
    /// extra one.
    #[allow(clippy::too_many_arguments)]
    pub fn write<F: RowFloat>(
        &self,
        record: &Record<F>,
        target: Target,
        found: &Found<F>,
        column: &dyn Fn(usize, usize) -> F, // compiled once
        out: &mut Figures<'_, F>,
        (at, i): (usize, usize),
        loss: bool,
    ) -> f64 {
        record::write(record, target, out, i);
        let (options, ignored) = (self.problem.options(), target == Target::Ignored);
        let (none, fill) = if ignored { (F::ZERO, F::ZERO) } else { (F::NEG_INF, F::NAN) };
        // the row has figures
        let fine = !ignored && !record.poisoned() && record.m > F::NEG_INF;
        if let Some(m) = &mut out.ties {
            m.set(i, if fine { found.ties as i32 } else { -1 });
        }
        if let Some(m) = &mut out.topk_ids {
            for (k, id) in m.row_mut(i).iter_mut().enumerate() {
                *id = found.top.get(k).map_or(-1, |(_, j)| j as i32);
            }
        }
        let poisoned = !ignored && record.poisoned();
        if let Some(m) = &mut out.topk_logprobs {
            for (k, lp) in m.row_mut(i).iter_mut().enumerate() {
                let missing = if poisoned { F::NAN } else { none };
                *lp = found.top.get(k).map_or(missing, |(x, _)| F::from_f64(record.logprob_of(x)));
            }
        }
        if let Some(m) = &mut out.topk_entropy {
            let mut place = [F::ZERO; MOST];
            let top = found.top.values(&mut place);
            let top = &top[..top.len().min(options.entropy_columns())];
            m.set(i, if fine { F::from_f64(row_loss::entropy(top)) } else { fill });
        }
        if let (Some(m), Some(ids)) = (&mut out.extra_logprobs, &self.extra_ids) {
            for (k, lp) in m.row_mut(i).iter_mut().enumerate() {
                *lp = match ids.get(at, k) {
                    _ if ignored || poisoned => fill,
                    None => F::NEG_INF,
                    Some(j) => F::from_f64(record.logprob_of(column(k, j))),
                };
            }
        }
        if !(loss || out.row_loss.is_some() || out.token_scale.is_some() || out.stats.is_some()) {
            return 0.0;
        }
        let scale = if options.row_loss.scales() || out.token_scale.is_some() {
            self.scale(at, record, target, found)
        } else {
            F::from_f64(1.0)
        };
        if let Some(m) = &mut out.token_scale {
            m.set(i, scale);
        }
        if let Some(m) = &mut out.stats {
            // what they hold follows from the options, not from the other figures
            let mut saved = Record { above: 0, ..*record };
            if options.row_loss.label_smoothing == 0.0 {
                (saved.live, saved.weight) = (0, F::ZERO);
            }
            if options.row_loss.scales() {
                saved.scale = scale;
            }
            m.row_mut(i).copy_from_slice(&saved.pack());
        }
        if !(loss || out.row_loss.is_some()) {
            return 0.0;
        }
        let value = self.terms(record, scale, target).value(record, target);
        if let Some(m) = &mut out.row_loss {
            m.set(i, F::from_f64(value));
        }
        value
    }
}
