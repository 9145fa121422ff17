//! Token log-prob of logits `[N, V]`: options, checked problem, host views shared with the linear form.
use crate::dtype::Float;
use crate::error::{Error, Result, Value, row};
use crate::matrix::{Floats, Ints, Mask, Matrix, MatrixMut, Split};
use crate::record::{self, BLOCK, Record, RowTransform, RowUpstream, Tree};

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
}

/// Figures of a row; each is computed only when its place is given and changes no other figure's bits.
#[derive(Debug, Default)]
pub struct Figures<'a> {
    /// Log-prob of the target, nats.
    pub logprob: Option<MatrixMut<'a, f32>>,
    /// log sum exp of the transformed logits.
    pub lse: Option<MatrixMut<'a, f32>>,
    /// Largest transformed logit.
    pub max: Option<MatrixMut<'a, f32>>,
    /// Its lowest column.
    pub argmax: Option<MatrixMut<'a, i32>>,
    /// Entropy, nats.
    pub entropy: Option<MatrixMut<'a, f32>>,
    /// log sum p^2.
    pub log_sum_sq: Option<MatrixMut<'a, f32>>,
    /// 1 if the target is the argmax.
    pub is_top1: Option<MatrixMut<'a, u8>>,
    /// `[N, 12]`, for the backward.
    pub stats: Option<MatrixMut<'a, f32>>,
    /// Bits of [`crate::error::row`].
    pub status: Option<MatrixMut<'a, u32>>,
}
impl Split for Figures<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let (mut a, mut b) = (Figures::default(), Figures::default());
        (a.logprob, b.logprob) = self.logprob.split(row);
        (a.lse, b.lse) = self.lse.split(row);
        (a.max, b.max) = self.max.split(row);
        (a.argmax, b.argmax) = self.argmax.split(row);
        (a.entropy, b.entropy) = self.entropy.split(row);
        (a.log_sum_sq, b.log_sum_sq) = self.log_sum_sq.split(row);
        (a.is_top1, b.is_top1) = self.is_top1.split(row);
        (a.stats, b.stats) = self.stats.split(row);
        (a.status, b.status) = self.status.split(row);
        (a, b)
    }
}
impl Figures<'_> {
    /// Refuses places of the wrong shape.
    pub fn check(&self, rows: usize) -> Result<()> {
        let vectors = [
            ("figures.out_logprob", self.logprob.as_ref()),
            ("figures.out_lse", self.lse.as_ref()),
            ("figures.out_max", self.max.as_ref()),
            ("figures.out_entropy", self.entropy.as_ref()),
            ("figures.out_log_sum_sq", self.log_sum_sq.as_ref()),
        ];
        for (field, m) in vectors {
            m.map_or(Ok(()), |m| m.layout().check(field, rows, 1))?;
        }
        self.argmax.as_ref().map_or(Ok(()), |m| m.layout().check("figures.out_argmax", rows, 1))?;
        self.is_top1.as_ref().map_or(Ok(()), |m| m.layout().check("figures.out_is_top1", rows, 1))?;
        self.stats.as_ref().map_or(Ok(()), |m| m.layout().check("figures.out_stats", rows, STATS))?;
        self.status.as_ref().map_or(Ok(()), |m| m.layout().check("figures.out_status", rows, 1))
    }
    /// Whether a figure is asked for that does not exist without targets.
    pub fn needs_target(&self) -> bool {
        self.logprob.is_some() || self.is_top1.is_some()
    }
}

/// Gradients of a scalar with respect to the figures, `[N]` each; an absent one counts as 0.
#[derive(Clone, Copy, Debug)]
pub struct Upstream<'a> {
    /// d/d logprob.
    pub logprob: Option<Matrix<'a, f32>>,
    /// d/d lse.
    pub lse: Option<Matrix<'a, f32>>,
    /// d/d entropy.
    pub entropy: Option<Matrix<'a, f32>>,
    /// Host factor on all of them.
    pub scale: f64,
}
impl Default for Upstream<'_> {
    fn default() -> Self {
        Upstream { logprob: None, lse: None, entropy: None, scale: 1.0 }
    }
}
impl Upstream<'_> {
    /// Refuses vectors of the wrong length and a factor that is not finite.
    pub fn check(&self, rows: usize) -> Result<()> {
        let all = [
            ("upstream.grad_logprob", &self.logprob),
            ("upstream.grad_lse", &self.lse),
            ("upstream.grad_entropy", &self.entropy),
        ];
        for (field, m) in all {
            m.map_or(Ok(()), |m| m.layout().check(field, rows, 1))?;
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
    /// The target of row `i`, which [`Rows::check`] has accepted.
    #[inline(always)]
    pub fn target(&self, i: usize, options: &Options) -> Target {
        if self.mask.is_some_and(|m| !m.live(i)) {
            return Target::Ignored;
        }
        match self.target {
            None => Target::None,
            Some(t) => {
                let t = t.get(i);
                if options.ignore_index == Some(t) { Target::Ignored } else { Target::Column(t as usize) }
            }
        }
    }
    /// Shapes, and every live target inside the vocabulary; names the first that is not.
    pub fn check(&self, problem: &Problem) -> Result<()> {
        if let Some(m) = self.mask {
            let l = m.layout();
            l.check("rows.mask", problem.rows(), 1)?;
        }
        let Some(t) = self.target else { return Ok(()) };
        t.layout().check("rows.target", problem.rows(), 1)?;
        for i in 0..problem.rows() {
            let id = t.get(i);
            let inside = id >= 0 && (id as u64) < problem.total() as u64;
            if !inside && self.target(i, problem.options()) != Target::Ignored {
                return Err(Error::new(
                    crate::Status::OutOfRange,
                    "rows.target",
                    Value::At { value: id, index: i },
                    Value::Below(0, problem.total() as i64),
                ));
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
    pub fn row(&self, problem: &Problem, i: usize) -> RowTransform {
        let t = &problem.options().transform;
        RowTransform::new(t, self.row_temperature.map_or(t.temperature, |v| v.get(i) as f64))
    }
}
impl Upstream<'_> {
    /// Gradients of row `i`.
    #[inline]
    pub fn row(&self, i: usize) -> RowUpstream {
        let at = |m: &Option<Matrix<'_, f32>>| m.as_ref().map_or(0.0, |m| m.get(i) as f64 * self.scale);
        RowUpstream { logprob: at(&self.logprob), lse: at(&self.lse), entropy: at(&self.entropy) }
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
pub struct LogitRow<'a, T> {
    /// Raw logits of the valid columns.
    pub z: &'a [T],
    /// `[V]`
    pub bias: Option<Floats<'a>>,
    /// Constants of this row.
    pub transform: RowTransform,
}
impl<T: Float> LogitRow<'_, T> {
    /// Bias of a column.
    #[inline(always)]
    pub fn bias(&self, j: usize) -> Option<f32> {
        self.bias.as_ref().map(|b| b.get(j) as f32)
    }
    /// Transformed logit of a column.
    #[inline(always)]
    pub fn at(&self, j: usize) -> f32 {
        self.transform.apply(self.z[j].to_f32(), self.bias(j))
    }
    /// Raw logit and bias of a column, the argument of [`RowTransform::slope`].
    #[inline(always)]
    pub fn sum(&self, j: usize) -> f32 {
        self.z[j].to_f32() + self.bias(j).unwrap_or(0.0)
    }
    /// The record of the row, ready for its figures; `target` as [`Rows::target`] gives it.
    pub fn record(&self, target: Target) -> Record {
        self.conclude(self.sums(0, |_| true).0, target)
    }
    /// The record of the columns for which `keep` holds, all others dead, and how many of these are live. The first column
    /// is column `start` of the whole vocabulary. Blocks are cut at columns of the whole vocabulary; one that `start` cuts
    /// has dead columns below it, and merges from the left with the tree of the blocks behind it.
    pub fn sums(&self, start: usize, keep: impl Fn(usize) -> bool) -> (Record, usize) {
        let (mut head, mut tree, mut live) = (Record::EMPTY, Tree::new(), 0);
        for piece in pieces(start, self.z.len()) {
            let mut x = [f32::NEG_INFINITY; BLOCK];
            for j in 0..piece.n {
                if keep(piece.first + j) {
                    x[piece.skip + j] = self.at(piece.first + j);
                }
            }
            live += x.iter().filter(|&&x| x != f32::NEG_INFINITY).count();
            let block = record::block(&x, piece.block);
            if piece.skip > 0 { head = block } else { tree.push(block) }
        }
        (head.merge(tree.finish()), live)
    }
    /// Completes a record of the sums: the target's logit and the flags.
    #[inline(always)]
    pub fn conclude(&self, x: Record, target: Target) -> Record {
        let y = match target {
            Target::Column(y) if y < self.z.len() => Some(y),
            _ => None,
        };
        self.complete(x, y, |_| true).conclude(target)
    }
    /// Sets the logit of the target, `y` if it is among these columns, and why the record is poisoned if it is. `keep`
    /// says which columns count.
    #[inline(always)]
    pub fn complete(&self, mut x: Record, y: Option<usize>, keep: impl Fn(usize) -> bool) -> Record {
        if x.poisoned() {
            x.flags |= self.causes(keep);
        }
        // -0 becomes +0; a padding column is dead
        x.xy = y.map_or(f32::NEG_INFINITY, |y| self.at(y) + 0.0);
        x
    }
    /// Why a row is poisoned.
    #[cold]
    #[inline(never)]
    fn causes(&self, keep: impl Fn(usize) -> bool) -> u32 {
        let mut flags = 0;
        for (j, z) in self.z.iter().enumerate() {
            let z = z.to_f32();
            if self.bias(j) != Some(f32::NEG_INFINITY) && keep(j) {
                flags |= if z.is_nan() { row::NAN_INPUT } else { 0 };
                flags |= if z == f32::INFINITY { row::INF_INPUT } else { 0 };
            }
        }
        // finite logits that the transform takes beyond f32
        if flags == 0 { row::OVERFLOW } else { flags }
    }
}
