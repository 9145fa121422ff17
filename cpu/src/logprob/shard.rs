//! Vocabulary shards: the records of the columns that a device holds, and the figures of the rows from all of them. Both
//! families finish here: a record carries no trace of where its logits came from.
use super::over::{Engine, Lanes, Plain};
use super::*;
use crate::support::{Need, Slot, Slots};
use truing_core::logprob::Piece;
use truing_core::matrix::Ints;
use truing_core::record::Join;
use truing_core::support::SupportFigures;

/// Which round of a sharded call.
#[derive(Clone, Copy, Debug)]
pub enum LocalPass<'a> {
    /// Records, the largest columns, logits of extra columns. `sums`: the records hold what the mean logit and label
    /// smoothing need, also without a row loss that says so.
    Records {
        /// See there.
        sums: bool,
    },
    /// Counts, given the `[N, 12]` statistics of [`finish`].
    Counts(Matrix<'a, f32>),
}
/// What [`local`] writes.
#[derive(Debug, Default)]
pub struct Local<'a> {
    /// `[N, 12]`: the record of the columns at hand.
    pub records: Option<MatrixMut<'a, f32>>,
    /// `[N, 12]`: the record of those in the support.
    pub support_records: Option<MatrixMut<'a, f32>>,
    /// `[N, K]`: the largest columns (of the support, if there is one), of the whole vocabulary; -1 behind them.
    pub topk_ids: Option<MatrixMut<'a, i32>>,
    /// `[N, K]`: their transformed logits, `-inf` behind them.
    pub topk_logits: Option<MatrixMut<'a, f32>>,
    /// `[N, K]`: transformed logits of the extra columns, `-inf` for those that are not at hand.
    pub extra_logits: Option<MatrixMut<'a, f32>>,
    /// `[N, 4]`: columns larger than the target, other columns equal to it (of the support, if there is one), live columns
    /// in the support, live columns.
    pub counts: Option<MatrixMut<'a, i64>>,
    /// Bits of [`truing_core::error::row`], as far as these columns show.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl Split for Local<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let (mut a, mut b) = (Local::default(), Local::default());
        macro_rules! cut {
            ($($f:ident)*) => {$( (a.$f, b.$f) = self.$f.split(row); )*};
        }
        cut!(records support_records topk_ids topk_logits extra_logits counts status);
        (a, b)
    }
}
impl Local<'_> {
    /// Columns of the lists of the largest.
    pub(crate) fn topk(&self) -> usize {
        let ids = self.topk_ids.as_ref().map(MatrixMut::cols);
        ids.or(self.topk_logits.as_ref().map(MatrixMut::cols)).unwrap_or(0)
    }
    /// Refuses places of the wrong shape, and those that the pass does not fill.
    pub(crate) fn check(&self, n: usize, pass: &LocalPass<'_>, over: bool, extra: Option<usize>) -> Result<()> {
        fn shape<T: Element>(m: &Option<MatrixMut<'_, T>>, field: &'static str, n: usize, cols: usize) -> Result<()> {
            m.as_ref().map_or(Ok(()), |m| m.layout().check(field, n, cols))
        }
        let unwanted = |some: bool, field, expected| match some {
            true => Err(Error::invalid(field, Value::Text("a tensor"), Value::Text(expected))),
            false => Ok(()),
        };
        const FIRST: &str = "NULL in the pass of the counts";
        match pass {
            LocalPass::Records { .. } => {
                unwanted(self.counts.is_some(), "out_counts", "NULL in the pass of the records")?;
            }
            LocalPass::Counts(stats) => {
                stats.layout().check("stats", n, STATS)?;
                unwanted(self.records.is_some(), "out_records", FIRST)?;
                unwanted(self.support_records.is_some(), "out_support_records", FIRST)?;
                unwanted(self.topk_ids.is_some(), "out_topk_ids", FIRST)?;
                unwanted(self.topk_logits.is_some(), "out_topk_logits", FIRST)?;
                unwanted(self.extra_logits.is_some(), "out_extra_logits", FIRST)?;
            }
        }
        unwanted(self.support_records.is_some() && !over, "out_support_records", "NULL without a support")?;
        shape(&self.records, "out_records", n, STATS)?;
        shape(&self.support_records, "out_support_records", n, STATS)?;
        if self.topk() > row_loss::MOST {
            return Err(Error::shape("out_topk_ids", Value::Size(self.topk()), Value::Text("at most 512 columns")));
        }
        shape(&self.topk_ids, "out_topk_ids", n, self.topk())?;
        shape(&self.topk_logits, "out_topk_logits", n, self.topk())?;
        match (&self.extra_logits, extra) {
            (Some(_), None) => {
                let expected = Value::Text("ids, which out_extra_logits needs");
                return Err(Error::invalid("extra_ids", Value::Text("NULL"), expected));
            }
            (m, k) => shape(m, "out_extra_logits", n, k.unwrap_or(0))?,
        }
        shape(&self.counts, "out_counts", n, 4)?;
        shape(&self.status, "out_status", n, 1)
    }
    /// Writes row `i`, which is not read.
    pub(crate) fn ignored(&mut self, i: usize) {
        self.put_records(i, Some(&IGNORED), Some(&IGNORED), IGNORED.flags);
        self.topk_ids.iter_mut().for_each(|m| m.row_mut(i).fill(-1));
        self.topk_logits.iter_mut().for_each(|m| m.row_mut(i).fill(0.0));
        self.extra_logits.iter_mut().for_each(|m| m.row_mut(i).fill(0.0));
        self.put_counts(i, [0; 4]);
    }
    pub(crate) fn put_records(&mut self, i: usize, all: Option<&Record>, support: Option<&Record>, flags: u32) {
        for (m, x) in [(&mut self.records, all), (&mut self.support_records, support)] {
            if let (Some(m), Some(x)) = (m, x) {
                m.row_mut(i).copy_from_slice(&x.pack_part());
            }
        }
        self.status.iter_mut().for_each(|m| m.set(i, flags));
    }
    pub(crate) fn put_top(&mut self, i: usize, found: &Found) {
        if let Some(m) = &mut self.topk_ids {
            m.row_mut(i).iter_mut().enumerate().for_each(|(k, id)| *id = found.top.get(k).map_or(-1, |x| x.1 as i32));
        }
        if let Some(m) = &mut self.topk_logits {
            let none = f32::NEG_INFINITY;
            m.row_mut(i).iter_mut().enumerate().for_each(|(k, x)| *x = found.top.get(k).map_or(none, |x| x.0));
        }
    }
    pub(crate) fn put_counts(&mut self, i: usize, counts: [i64; 4]) {
        self.counts.iter_mut().for_each(|m| m.row_mut(i).copy_from_slice(&counts));
    }
}
const IGNORED: Record = Record { flags: row::IGNORED, ..Record::EMPTY };

/// What a pass over the columns at hand looks for; `topk` columns are asked for.
pub(crate) fn local_needs(problem: &Problem, pass: &LocalPass<'_>, topk: usize) -> Needs {
    match pass {
        LocalPass::Records { sums } => {
            let sums = *sums || problem.options().row_loss.label_smoothing > 0.0;
            Needs { sums, rank: false, top: topk }
        }
        LocalPass::Counts(_) => Needs { sums: true, rank: true, top: 0 },
    }
}
/// Bytes of workspace of [`local`].
pub fn local_workspace(context: &Context, problem: &Problem, over: Option<&Over<'_>>) -> Workspace {
    Slots::workspace(context, problem, over.map_or(Need::None, Over::need))
}
/// Writes what a shard's columns contribute; `problem` is one of [`Problem::shard`]. Targets and extra ids are columns of the
/// whole vocabulary, supports name columns at hand. Errors: as [`forward`].
pub fn local(
    context: &Context,
    problem: &Problem,
    inputs: Inputs<'_>,
    over: Option<Over<'_>>,
    pass: LocalPass<'_>,
    out: Local<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let n = problem.rows();
    inputs.logits.layout().check("logits", n, problem.vocab())?;
    if inputs.logits.dtype() == Dtype::F64 {
        return Err(refuse("logits", Dtype::F64, "f32, bf16 or f16 in a shard"));
    }
    let Inputs { logits, transform, rows, row_loss, extra_ids } = inputs;
    check_local(problem, &rows, &row_loss, extra_ids.as_ref(), over.as_ref(), &pass, &out)?;
    transform.check(problem, &rows)?;
    let slots = Slots::new(context, problem, over.as_ref().map_or(Need::None, Over::need), workspace)?;
    let job = Job::new(problem, transform, rows, row_loss, extra_ids);
    match logits {
        Floats::F32(z) => local_of(context, job, z, over, pass, out, slots),
        Floats::Bf16(z) => local_of(context, job, z, over, pass, out, slots),
        Floats::F16(z) => local_of(context, job, z, over, pass, out, slots),
        // refused
        Floats::F64(_) => {}
    }
    Ok(())
}
/// The checks that the linear form shares.
pub(crate) fn check_local(
    problem: &Problem,
    rows: &Rows<'_>,
    row_loss: &RowLossInputs<'_>,
    extra_ids: Option<&ExtraIds<'_>>,
    over: Option<&Over<'_>>,
    pass: &LocalPass<'_>,
    out: &Local<'_>,
) -> Result<()> {
    out.check(problem.rows(), pass, over.is_some(), extra_ids.map(ExtraIds::cols))?;
    rows.check(problem)?;
    row_loss.check(problem, rows)?;
    extra_ids.map_or(Ok(()), |ids| ids.check("extra_ids", problem, rows))?;
    over.map_or(Ok(()), |over| {
        over.check_shard(problem)?;
        over.support.check(problem, rows)
    })
}
fn local_of<T: Cell>(
    context: &Context,
    job: Job<'_>,
    z: Matrix<'_, T>,
    over: Option<Over<'_>>,
    pass: LocalPass<'_>,
    out: Local<'_>,
    slots: Slots<'_>,
) {
    let isa = context.isa();
    let grain = slots.grain().unwrap_or(grain(job.problem));
    context.rows(job.problem.rows(), grain, (out, slots), |first, n, (out, slots)| {
        let mut slot = slots.one(job.problem);
        on_lanes!(isa, s => {
            let mut scratch = Scratch::new(z.data().as_ptr_range().end);
            local_rows(&mut Lanes { s, scratch: &mut scratch }, &job, &z, over.as_ref(), &pass, first, n, out, &mut slot)
        }, local_rows(&mut Plain::new(), &job, &z, over.as_ref(), &pass, first, n, out, &mut slot))
    });
}
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn local_rows<T: Cell>(
    engine: &mut impl Engine<T>,
    job: &Job<'_>,
    z: &Matrix<'_, T>,
    over: Option<&Over<'_>>,
    pass: &LocalPass<'_>,
    first: usize,
    n: usize,
    mut out: Local<'_>,
    slot: &mut Slot<'_>,
) {
    let (needs, start, mut found) = (local_needs(job.problem, pass, out.topk()), job.problem.start(), Found::default());
    let sums = Needs { rank: false, top: 0, ..needs };
    for i in 0..n {
        let (at, target) = (first + i, job.target(first + i));
        if target == Target::Ignored {
            out.ignored(i);
            continue;
        }
        let (row, y) = (job.row(at, z.row(at)), job.local(target));
        let xy = match pass {
            LocalPass::Counts(stats) => Some(Record::unpack(stats.row(at)).xy),
            LocalPass::Records { .. } => None,
        };
        // the whole record first: what the support finds is what stays
        let own = match (over, pass) {
            (None, _) => needs,
            (_, LocalPass::Counts(_)) => sums,
            _ => Needs::default(),
        };
        let record = engine.part(&row, start, &mut job.seek(&row, y, xy, own, &mut found));
        // the log-prob is that of the support
        let record = row.complete(record, y.filter(|_| over.is_none()), |_| true);
        found.top.finish(&record);
        let (mut live, mut flags, mut kept) = (record.live as i64, record.flags, None);
        let mut counted = record;
        if let Some(over) = over {
            let seek = Some((needs, xy, &mut found));
            let choice = over.choose(job, at, &row, target, engine, slot, over.words(at), seek);
            (live, counted) = (choice.size.max(0) as i64, choice.record);
            (flags, kept) = (counted.flags, Some(choice.kept));
        }
        out.put_records(i, Some(&record), Some(&counted), flags);
        out.put_top(i, &found);
        if let (Some(m), Some(ids)) = (&mut out.extra_logits, &job.inputs.extra_ids) {
            for (k, x) in m.row_mut(i).iter_mut().enumerate() {
                let j = ids.get(at, k).and_then(|j| job.problem.local(j));
                let j = j.filter(|&j| kept.is_none_or(|kept| kept.has(j)));
                *x = j.map_or(f32::NEG_INFINITY, |j| row.column(j));
            }
        }
        out.put_counts(i, [counted.above as i64, found.ties as i64, live, record.live as i64]);
    }
}
/// The transformed logits of a piece where they stand in its block, `-inf` around them; the number of chunks of 32 columns.
#[inline(always)]
pub(crate) fn load<S: Sixteen, T: Cell>(s: S, row: &LogitRow<'_, T>, piece: Piece, scratch: &mut Scratch<T>) -> usize {
    let n = widen(s, &row.z[piece.first..piece.first + piece.n], &mut scratch.x, scratch.end);
    if !plain(row) {
        transform(s, row.bias.as_ref(), &row.transform, piece.first, piece.n, scratch.buffers());
    }
    if piece.skip == 0 {
        return n;
    }
    let (x, end) = (scratch.x.as_flattened_mut(), piece.skip + piece.n);
    x.copy_within(..piece.n, piece.skip);
    x[..piece.skip].fill(f32::NEG_INFINITY);
    let padded = end.next_multiple_of(32);
    x[end..padded].fill(f32::NEG_INFINITY);
    padded / 32
}

/// What [`finish`] reads.
#[derive(Clone, Copy, Debug)]
pub struct Finish<'a> {
    /// `[S * N, 12]`: row i of shard s at s N + i, in the order of the shards.
    pub records: Matrix<'a, f32>,
    /// The same of the columns in a support: the figures are then over it.
    pub support_records: Option<Matrix<'a, f32>>,
    /// `[S + 1]`: the first column of each shard, then V.
    pub starts: Ints<'a>,
    /// Targets and mask, as in [`local`].
    pub rows: Rows<'a>,
    /// Arrays of the row loss.
    pub row_loss: RowLossInputs<'a>,
    /// The extra columns, as in [`local`].
    pub extra_ids: Option<ExtraIds<'a>>,
    /// `[S * N, K]`, of [`Local::topk_ids`].
    pub topk_ids: Option<Matrix<'a, i32>>,
    /// `[S * N, K]`, of [`Local::topk_logits`].
    pub topk_logits: Option<Matrix<'a, f32>>,
    /// `[S * N, K]`, of [`Local::extra_logits`].
    pub extra_logits: Option<Matrix<'a, f32>>,
    /// `[N, 4]`: the sum over the shards of [`Local::counts`].
    pub counts: Option<Matrix<'a, i64>>,
}
impl<'a> Finish<'a> {
    /// Records alone.
    pub fn new(records: Matrix<'a, f32>, starts: Ints<'a>, rows: Rows<'a>) -> Finish<'a> {
        Finish {
            records,
            support_records: None,
            starts,
            rows,
            row_loss: RowLossInputs::default(),
            extra_ids: None,
            topk_ids: None,
            topk_logits: None,
            extra_logits: None,
            counts: None,
        }
    }
    fn check(
        &self,
        problem: &Problem,
        shards: usize,
        out: &Figures<'_>,
        sets: &SupportFigures<'_>,
        totals: &Totals<'_>,
    ) -> Result<()> {
        let n = problem.rows();
        let missing = |field, expected| Err(Error::invalid(field, Value::Text("NULL"), Value::Text(expected)));
        check_figures(problem, &self.rows, &self.row_loss, self.extra_ids.as_ref(), out, totals)?;
        self.records.layout().check("records", shards * n, STATS)?;
        self.support_records.map_or(Ok(()), |m| m.layout().check("support_records", shards * n, STATS))?;
        let needs = Needs::figures(problem, out, totals.loss.is_some());
        if needs.rank || sets.size.is_some() {
            match &self.counts {
                Some(m) => m.layout().check("counts", n, 4)?,
                None => return missing("counts", "the counts of the second pass, which rank, ties and size need"),
            }
        }
        match (&self.topk_ids, &self.topk_logits) {
            (Some(ids), Some(x)) => {
                let k = ids.cols();
                if k > row_loss::MOST {
                    return Err(Error::shape("topk_ids", Value::Size(k), Value::Text("at most 512 columns")));
                }
                ids.layout().check("topk_ids", shards * n, k)?;
                x.layout().check("topk_logits", shards * n, k)?;
            }
            (None, None) => {}
            (None, _) => return missing("topk_ids", "the ids of topk_logits"),
            (_, None) => return missing("topk_logits", "the logits of topk_ids"),
        }
        let listed = self.topk_ids.map_or(0, |m| m.cols());
        if listed < needs.top.min(problem.valid()) {
            let expected = Value::Text("lists of all shards that are as long as what the figures need");
            return Err(Error::shape("topk_ids", Value::Size(listed), expected));
        }
        if let (Some(_), Some(ids)) = (&out.extra_logprobs, &self.extra_ids) {
            match &self.extra_logits {
                Some(m) => m.layout().check("extra_logits", shards * n, ids.cols())?,
                None => return missing("extra_logits", "the logits of the extra columns"),
            }
        }
        sets.check(problem, over::NAMES)?;
        if sets.bitmask.is_some() || sets.ids.is_some() {
            let field = if sets.bitmask.is_some() { over::NAMES[1] } else { over::NAMES[2] };
            let expected = Value::Text("NULL over shards: each has its own part of the support");
            return Err(Error::invalid(field, Value::Text("a tensor"), expected));
        }
        if needs.sums {
            let used = self.support_records.unwrap_or(self.records);
            for i in (0..shards * n).filter(|i| self.rows.target(i % n, problem.options()) != Target::Ignored) {
                let x = Record::unpack_part(used.row(i));
                if !x.poisoned() && x.m > f32::NEG_INFINITY && x.live == 0 {
                    let expected = Value::Text("records with the sums that smoothing and the mean logit need");
                    return Err(Error::invalid("records", Value::Text("records without them"), expected));
                }
            }
        }
        Ok(())
    }
}

/// Bytes of workspace of [`finish`]; `loss`: it is asked for.
pub fn finish_workspace(problem: &Problem, loss: bool) -> Workspace {
    forward_workspace(problem, loss)
}
/// Joins the records of all shards ([`Join`]) and writes the figures of the rows; `problem` is that of the whole vocabulary.
pub fn finish(
    context: &Context,
    problem: &Problem,
    inputs: Finish<'_>,
    out: Figures<'_>,
    sets: SupportFigures<'_>,
    totals: Totals<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let (n, shards) = (problem.rows(), check_starts(inputs.starts, problem.vocab())?);
    inputs.check(problem, shards, &out, &sets, &totals)?;
    let loss = totals.loss.is_some();
    check_space(workspace, finish_workspace(problem, loss))?;
    let losses = if loss { Some(Arena::new(workspace).take(n)?) } else { None };
    let job = Job::new(problem, TransformInputs::default(), inputs.rows, inputs.row_loss, inputs.extra_ids);
    let start = |i: usize| inputs.starts.get(i) as usize;
    let join = Join::new((0..shards + 1).map(start));
    let joined = |m: &Matrix<'_, f32>, i: usize| {
        let mut tree = Tree::new();
        for k in 0..shards {
            join.push(&mut tree, Record::unpack_part(m.row(k * n + i)), start(k + 1) - start(k));
        }
        tree.finish().joined()
    };
    let listed = Needs { top: inputs.topk_ids.map_or(0, |m| m.cols()), ..Needs::default() };
    add_up(job, totals, losses, |places| {
        let out = ((out, places), sets);
        context.rows(n, (GRAIN / (64 * shards)).max(1), out, |first, rows, ((mut out, places), mut sets)| {
            let ((mut losses, Counted(counters)), mut found) = (places, Found::default());
            for i in 0..rows {
                let (at, target) = (first + i, job.target(first + i));
                found.start(&listed);
                let record = if target == Target::Ignored {
                    sets.ignored(i);
                    Record::EMPTY.conclude(target)
                } else {
                    let all = joined(&inputs.records, at);
                    let mut record = inputs.support_records.as_ref().map_or(all, |m| joined(m, at));
                    let counts = inputs.counts.map_or(&[0; 4][..], |m| m.row(at));
                    (record.above, found.ties) = (counts[0] as u32, counts[1] as u32);
                    let record = record.conclude(target);
                    if let (Some(ids), Some(x)) = (&inputs.topk_ids, &inputs.topk_logits) {
                        for k in 0..shards {
                            let (ids, x) = (ids.row(k * n + at), x.row(k * n + at));
                            let some = ids.iter().zip(x).filter(|(id, _)| **id >= 0);
                            some.for_each(|(&id, &x)| found.top.push(x, id as u32));
                        }
                    }
                    found.top.finish(&record);
                    let fine = !record.poisoned();
                    sets.lse.iter_mut().for_each(|m| m.set(i, record.figures(target).lse));
                    let mass = if fine { record.log_share(&all) } else { f32::NAN };
                    sets.log_kept_mass.iter_mut().for_each(|m| m.set(i, mass));
                    sets.size.iter_mut().for_each(|m| m.set(i, if fine { counts[2] as i32 } else { -1 }));
                    record
                };
                let column = |k: usize, _| {
                    let logits = inputs.extra_logits.as_ref().expect("extra columns have logits");
                    (0..shards).fold(f32::NEG_INFINITY, |x, shard| x.max(logits.row(shard * n + at)[k]))
                };
                let value = job.inputs.write(&record, target, &found, &column, &mut out, (at, i), loss);
                losses.iter_mut().for_each(|m| m.set(i, value));
                counters.add(record.flags);
            }
        });
    });
    Ok(())
}
/// The number of shards; they must ascend from 0 to `vocab`.
pub(crate) fn check_starts(starts: Ints<'_>, vocab: usize) -> Result<usize> {
    let n = starts.rows();
    if !(2..=1 << 20).contains(&n) {
        return Err(Error::shape(
            "shard_starts",
            Value::Size(n),
            Value::Text("2 to 2^20 elements, one more than shards"),
        ));
    }
    let mut last = 0;
    for i in 0..n {
        let start = starts.get(i);
        let fits = if i == 0 { start == 0 } else { start >= last && start <= vocab as i64 };
        if !fits || i + 1 == n && start != vocab as i64 {
            let expected = Value::Text("columns that ascend from 0 to V");
            return Err(Error::invalid("shard_starts", Value::At { value: start, index: i }, expected));
        }
        last = start;
    }
    Ok(n - 1)
}
