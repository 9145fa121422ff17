//! Vocabulary shards: the records of the columns that a device holds, and the figures of the rows from all of them.
use super::*;
use truing_core::logprob::{Piece, pieces};
use truing_core::matrix::Ints;
use truing_core::record::Join;

/// What [`local`] writes.
#[derive(Debug, Default)]
pub struct Local<'a> {
    /// `[N, 12]`: the record of the columns at hand.
    pub records: Option<MatrixMut<'a, f32>>,
    /// Bits of [`truing_core::error::row`], as far as these columns show.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl Split for Local<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let ((a, b), (c, d)) = (self.records.split(row), self.status.split(row));
        (Local { records: a, status: c }, Local { records: b, status: d })
    }
}

/// Writes the records of the columns of a shard; `problem` is one of [`Problem::shard`]. Targets are columns of the whole
/// vocabulary. Errors: as [`forward`].
pub fn local(context: &Context, problem: &Problem, inputs: Inputs<'_>, out: Local<'_>) -> Result<()> {
    let n = problem.rows();
    inputs.logits.layout().check("logits", n, problem.vocab())?;
    out.records.as_ref().map_or(Ok(()), |m| m.layout().check("out_records", n, STATS))?;
    out.status.as_ref().map_or(Ok(()), |m| m.layout().check("out_status", n, 1))?;
    inputs.rows.check(problem)?;
    inputs.transform.check(problem, &inputs.rows)?;
    let Inputs { logits, transform, rows, row_loss, extra_ids } = inputs;
    check_shard(logits.dtype(), problem, &row_loss)?;
    if extra_ids.is_some() {
        return Err(Error::invalid("extra_ids", Value::Text("a tensor"), Value::Text(NO_SHARD)));
    }
    let job = Job::new(problem, transform, rows, row_loss, None);
    match logits {
        Floats::F32(z) => local_of(context, job, z, out),
        Floats::Bf16(z) => local_of(context, job, z, out),
        Floats::F16(z) => local_of(context, job, z, out),
        // refused
        Floats::F64(_) => {}
    }
    Ok(())
}
fn local_of<T: Cell>(context: &Context, job: Job<'_>, z: Matrix<'_, T>, out: Local<'_>) {
    let isa = context.isa();
    context.rows(job.problem.rows(), grain(job.problem), out, |first, n, out| {
        on_lanes!(isa, s => local_rows(s, &job, &z, first, n, out), local_scalar(&job, &z, first, n, out))
    });
}
#[inline(always)]
fn put(record: Record, out: &mut Local<'_>, i: usize) {
    if let Some(m) = &mut out.records {
        m.row_mut(i).copy_from_slice(&record.pack());
    }
    if let Some(m) = &mut out.status {
        m.set(i, record.flags);
    }
}
const IGNORED: Record = Record { flags: row::IGNORED, ..Record::EMPTY };

#[inline(always)]
fn local_rows<S: Sixteen, T: Cell>(s: S, job: &Job<'_>, z: &Matrix<'_, T>, first: usize, n: usize, mut out: Local<'_>) {
    let mut scratch = Scratch::new(z.data().as_ptr_range().end);
    for i in 0..n {
        let target = job.target(first + i);
        if target == Target::Ignored {
            put(IGNORED, &mut out, i);
            continue;
        }
        let row = job.row(first + i, z.row(first + i));
        let record = part(s, &row, job.problem.start(), &mut scratch);
        put(row.complete(record, job.local(target), |_| true), &mut out, i);
    }
}
fn local_scalar<T: Cell>(job: &Job<'_>, z: &Matrix<'_, T>, first: usize, n: usize, mut out: Local<'_>) {
    for i in 0..n {
        let target = job.target(first + i);
        if target == Target::Ignored {
            put(IGNORED, &mut out, i);
            continue;
        }
        let row = job.row(first + i, z.row(first + i));
        let (record, _) = row.sums(job.problem.start(), |_| true);
        put(row.complete(record, job.local(target), |_| true), &mut out, i);
    }
}
/// [`LogitRow::sums`] of all columns, the first of which is column `start` of the whole vocabulary.
#[inline(never)]
fn part<S: Sixteen, T: Cell>(s: S, row: &LogitRow<'_, T>, start: usize, scratch: &mut Scratch<T>) -> Record {
    s.enter(
        #[inline(always)]
        || {
            if start.is_multiple_of(BLOCK) && plain(row) {
                let x = sums(s, row, scratch, true, true);
                return if x.m.abs() < f32::INFINITY { Record { k: x.k + start as u32, ..x } } else { x };
            }
            let (mut head, mut tree, mut best) = (Record::EMPTY, Tree::new(), f32::NEG_INFINITY);
            for piece in pieces(start, row.z.len()) {
                let n = load(s, row, piece, scratch);
                let x = sums_of_block(s, &scratch.x[..n], piece.block, &mut best);
                if piece.skip > 0 {
                    head = x;
                } else {
                    tree.push(x);
                }
            }
            head.merge(tree.finish())
        },
    )
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
    /// `[S + 1]`: the first column of each shard, then V.
    pub starts: Ints<'a>,
    /// Targets and mask, as in [`local`].
    pub rows: Rows<'a>,
}

/// Joins the records of all shards ([`Join`]) and writes the figures of the rows; `problem` is that of the whole vocabulary.
pub fn finish(context: &Context, problem: &Problem, inputs: Finish<'_>, out: Figures<'_>) -> Result<()> {
    let Finish { records, starts, rows } = inputs;
    let (n, shards) = (problem.rows(), check_starts(starts, problem.vocab())?);
    records.layout().check("records", shards * n, STATS)?;
    out.check_common(NO_SHARD)?;
    check_shard(Dtype::F32, problem, &RowLossInputs::default())?;
    out.check(n, None)?;
    if out.needs_target() && rows.target.is_none() {
        return Err(no_target("targets, which out_logprob and out_is_top1 need"));
    }
    rows.check(problem)?;
    let start = |i: usize| starts.get(i) as usize;
    let join = Join::new((0..shards + 1).map(start));
    context.rows(n, (GRAIN / (64 * shards)).max(1), out, |first, n, mut out| {
        for i in 0..n {
            let target = rows.target(first + i, problem.options());
            let mut tree = Tree::new();
            for k in 0..shards {
                let x = Record::unpack(records.row(k * problem.rows() + first + i));
                join.push(&mut tree, x, start(k + 1) - start(k));
            }
            let record = tree.finish().joined().conclude(target);
            record::write(&record, target, &mut out, i);
        }
    });
    Ok(())
}
/// The number of shards; they must ascend from 0 to `vocab`.
fn check_starts(starts: Ints<'_>, vocab: usize) -> Result<usize> {
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
