//! Divergences on a few columns: the columns are gathered into a short row, which runs through the kernels of whole rows; the
//! rest of a side is one more column, whose logit is the log sum exp of what it holds.
use super::*;
use truing_core::divergence::Options;
use truing_core::divergence::partial::{
    AtIds, Chosen, Figures as PartialFigures, OfTarget, Open, Outside, Partial, Rest as Beyond, id,
};
use truing_core::matrix::{Ints, Layout, Mask};
use truing_core::record::Join;
use truing_core::row_loss::{MOST, Top};

/// The teacher of a partial divergence.
#[derive(Debug)]
pub enum PartialTeacher<'a> {
    /// Rows of logits, and where their gradient goes.
    Rows(Grad<'a>),
    /// Numbers at the given ids.
    At(AtIds<'a>),
}
/// Most columns of a short row.
const WIDTH: usize = 2 * MOST + 1;

/// Values and gradients of divergences on a support. `upstream`: the gradients of the values and of the reduced loss, where
/// gradients are asked for. The hard-label term is that of the whole row, whatever S is; a shift of the teacher's target and
/// other forms of the teacher's rows have no place here. A row without a column in its support has value 0 and no gradient,
/// flagged `EMPTY`.
#[allow(clippy::too_many_arguments)]
pub fn partial(
    context: &Context,
    problem: &Problem,
    partial: &Partial,
    student: Grad<'_>,
    teacher: PartialTeacher<'_>,
    reference: Option<Floats<'_>>,
    ids: Option<Ints<'_>>,
    inputs: Inputs<'_>,
    out: PartialFigures<'_>,
    totals: Totals<'_>,
    upstream: Upstream<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let few = Asked { partial, reference, ids, stats: None, of_target: None };
    run_partial(context, problem, few, student, teacher, inputs, out, totals, upstream, workspace)
}
/// What the rows are asked for.
#[derive(Clone, Copy)]
struct Asked<'a> {
    partial: &'a Partial,
    reference: Option<Floats<'a>>,
    ids: Option<Ints<'a>>,
    /// Of the whole of S; the rows at hand are then a shard of the vocabulary.
    stats: Option<Matrix<'a, f32>>,
    /// [`Few::of_target`].
    of_target: Option<Matrix<'a, f32>>,
}
#[allow(clippy::too_many_arguments)]
fn run_partial(
    context: &Context,
    problem: &Problem,
    Asked { partial, reference, ids, stats, of_target }: Asked<'_>,
    student: Grad<'_>,
    teacher: PartialTeacher<'_>,
    inputs: Inputs<'_>,
    out: PartialFigures<'_>,
    totals: Totals<'_>,
    upstream: Upstream<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let (at, teacher) = match teacher {
        PartialTeacher::Rows(grad) => (None, Some(grad)),
        PartialTeacher::At(at) => (Some(at), None),
    };
    let n = problem.rows();
    let mut grads = [Some(student), teacher];
    let call = Call { stats, ..Call::new(problem, &inputs) };
    let few = Few { call, partial, at, ids, reference, from: None, of_target };
    check_sides(problem, &grads, &inputs, stats.is_some())?;
    few.check(&out, &totals, &upstream, grads[1].as_ref().is_some_and(|g| !matches!(g, Grad::Absent(_))))?;
    check_space(workspace, forward_workspace(problem, totals.loss.is_some()))?;
    let divisor = problem.divisor(&inputs.rows, inputs.row_weight.as_ref());
    let upstream = Upstream { loss: upstream.loss.map(|g| divisor.map_or(0.0, |z| g / z)), ..upstream };
    let few = Few { call: Call { upstream, ..few.call }, ..few };
    let counters = Counters::new();
    let mut losses = match &totals.loss {
        Some(_) => Some(MatrixMut::vector(Arena::new(workspace).take::<f64>(n)?)),
        None => None,
    };
    let places = grads.each_mut().map(|g| g.take().map(Place::from));
    let work = Rest { places, out, losses: losses.as_mut().map(MatrixMut::reborrow), kept: None };
    partial_rows(context, &few, 0..n, work, &counters);
    conclude_loss(totals, losses, divisor, &counters);
    Ok(())
}
/// The rows of a range, whose outputs `work` begins with.
pub(crate) fn partial_rows(context: &Context, few: &Few<'_>, rows: Range<usize>, work: Rest<'_>, counters: &Counters) {
    let (isa, grain) = (context.isa(), (GRAIN / few.call.valid().max(1)).max(1));
    context.rows(rows.len(), grain, work, |first, n, mut work| {
        let first = rows.start + first;
        on_lanes!(isa, s => work.run(&mut Lanes::new(s), few, first, n, counters), work.run(&mut Plain::new(), few, first, n, counters))
    });
}
/// Over shards only columns that the caller names, each side renormalised on them.
pub(crate) fn check_given(partial: &Partial) -> Result<()> {
    let refuse = |field, expected| Err(Error::invalid(field, Value::Text("another"), Value::Text(expected)));
    if partial.chosen != Chosen::Given {
        return refuse("partial.support", "given ids over shards");
    }
    if partial.outside != Outside::Renormalise {
        return refuse("partial.outside", "renormalise over shards");
    }
    Ok(())
}
/// Writes the transformed logits of student and teacher at the given ids, `[N, K]` each: `-inf` where an id is not among the
/// columns of the shard, and in rows that are not read. With a term of the target also `records`, `[N, 12]`: those of the
/// student's columns at hand that are not among the ids, with the target's logit, as [`crate::logprob::local`] has them.
#[allow(clippy::too_many_arguments)]
pub fn partial_local(
    context: &Context,
    problem: &Problem,
    partial: &Partial,
    ids: Ints<'_>,
    logits: [Floats<'_>; 2],
    inputs: Inputs<'_>,
    [student, teacher]: [MatrixMut<'_, f32>; 2],
    records: Option<MatrixMut<'_, f32>>,
    status: Option<MatrixMut<'_, u32>>,
) -> Result<()> {
    let (n, columns) = (problem.rows(), ids.layout().cols);
    problem.check_shard()?;
    check_given(partial)?;
    check_sides(problem, &[Some(&Grad::Absent(logits[0])), Some(&Grad::Absent(logits[1]))], &inputs, true)?;
    check_target(problem, &inputs.rows)?;
    partial.check(problem, &inputs.rows, Some(&ids), None)?;
    student.layout().check("out_student_at_ids", n, columns)?;
    teacher.layout().check("out_teacher_at_ids", n, columns)?;
    check_records(problem, "out_records", records.as_ref().map(|m| m.layout()), n)?;
    status.as_ref().map_or(Ok(()), |m| m.layout().check("out_status", n, 1))?;
    let out = AtIdsOfShard { places: logits.map(|z| Place::Read(z, 0)), at_ids: [student, teacher], records, status };
    local_at_ids(context, &Call::new(problem, &inputs), ids, 0..n, out);
    Ok(())
}
/// The records of the columns outside the ids, which are there with a term of the target alone.
pub(crate) fn check_records(problem: &Problem, field: &'static str, given: Option<Layout>, rows: usize) -> Result<()> {
    let refuse = |got, expected| Err(Error::invalid(field, Value::Text(got), Value::Text(expected)));
    match (given, problem.options().hard_weight != 0.0) {
        (Some(layout), true) => layout.check(field, rows, logprob::STATS),
        (None, true) => refuse("NULL", "records, which the term of the target needs"),
        (Some(_), false) => refuse("a tensor", "NULL on ids without a hard_weight"),
        (None, false) => Ok(()),
    }
}
/// Some rows of a shard and what it has at the ids.
pub(crate) struct AtIdsOfShard<'a> {
    pub(crate) places: [Place<'a>; 2],
    pub(crate) at_ids: [MatrixMut<'a, f32>; 2],
    pub(crate) records: Option<MatrixMut<'a, f32>>,
    pub(crate) status: Option<MatrixMut<'a, u32>>,
}
impl Split for AtIdsOfShard<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let ([p, q], [x, y]) = (self.places, self.at_ids);
        let (p, q, x, y) = (p.split(row), q.split(row), x.split(row), y.split(row));
        let (records, status) = (self.records.split(row), self.status.split(row));
        let a = AtIdsOfShard { places: [p.0, q.0], at_ids: [x.0, y.0], records: records.0, status: status.0 };
        (a, AtIdsOfShard { places: [p.1, q.1], at_ids: [x.1, y.1], records: records.1, status: status.1 })
    }
}
impl AtIdsOfShard<'_> {
    /// The records of rows; `at` is the first in the call.
    #[inline(always)]
    fn records(&mut self, engine: &mut impl Engine, call: &Call<'_>, ids: Ints<'_>, at: usize, n: usize) {
        let Some(records) = &mut self.records else { return };
        let job = &call.jobs[0];
        for i in 0..n {
            let (at, target) = (at + i, call.target(at + i));
            let record = if target == Target::Ignored {
                Record { flags: row::IGNORED, ..Record::EMPTY }
            } else {
                let view = View::new(job, at, self.places[0].raw(i));
                let (mut own, mut len, mut bad) = ([0; MOST], 0, false);
                for k in 0..ids.layout().cols {
                    let local = usize::try_from(id(&ids, at, k)).ok().and_then(|j| j.checked_sub(job.problem.start()));
                    if let Some(j) = local.filter(|&j| j < job.problem.valid()) {
                        (own[len], len) = (j as u32, len + 1);
                        bad |= !(view.at(j) < f32::INFINITY);
                    }
                }
                let record = outside(engine, &view, job.problem.start(), &own[..len]);
                let record = if bad || record.poisoned() { view.complete(Record::poison(0)) } else { record };
                Record { xy: job.local(target).map_or(f32::NEG_INFINITY, |y| view.at(y)), ..record }
            };
            records.row_mut(i).copy_from_slice(&record.pack_part());
        }
    }
}
/// The record of the columns that are not among `ids`; `start` is the column of the whole vocabulary that comes first.
#[inline(always)]
fn outside(engine: &mut impl Engine, view: &View<'_>, start: usize, ids: &[u32]) -> Record {
    let (mut tree, mut best) = (Tree::<Record>::new(), f32::NEG_INFINITY);
    for piece in pieces(start, view.valid()) {
        engine.load(0, view, piece, false);
        for &j in ids {
            if (piece.first..piece.first + piece.n).contains(&(j as usize)) {
                engine.put(0, piece.skip + (j as usize - piece.first), f32::NEG_INFINITY);
            }
        }
        tree.push(engine.record(0, piece, &mut best));
    }
    tree.finish()
}
/// The rows of a range, whose outputs `work` begins with.
pub(crate) fn local_at_ids(
    context: &Context,
    call: &Call<'_>,
    ids: Ints<'_>,
    rows: Range<usize>,
    work: AtIdsOfShard<'_>,
) {
    let start = call.problem.student().start();
    let grain = if work.records.is_some() { (GRAIN / call.valid().max(1)).max(1) } else { 256 };
    let isa = context.isa();
    context.rows(rows.len(), grain, work, |first, n, mut work| {
        let from = rows.start + first;
        if work.records.is_some() {
            on_lanes!(isa, s => work.records(&mut Lanes::new(s), call, ids, from, n), work.records(&mut Plain::new(), call, ids, from, n));
        }
        for i in 0..n {
            let at = from + i;
            let live = call.target(at) != Target::Ignored;
            let mut flags = if live { 0 } else { row::IGNORED };
            for (side, out) in work.at_ids.iter_mut().enumerate() {
                let view = View::new(&call.jobs[side], at, work.places[side].raw(i));
                for (k, place) in out.row_mut(i).iter_mut().enumerate() {
                    let local = usize::try_from(id(&ids, at, k)).ok().and_then(|j| j.checked_sub(start));
                    // beyond the columns at hand there is -inf
                    let x = local.filter(|_| live).map_or(f32::NEG_INFINITY, |j| view.at(j));
                    flags |= if x.is_nan() { row::NAN_INPUT } else { 0 };
                    flags |= if x == f32::INFINITY { row::INF_INPUT } else { 0 };
                    *place = x;
                }
            }
            work.status.iter_mut().for_each(|m| m.set(i, flags));
        }
    });
}
/// What [`partial_finish`] reads.
#[derive(Clone, Copy, Debug)]
pub struct PartialShards<'a> {
    /// `[S * N, K]`, student and teacher: row i of shard s of [`partial_local`] at s N + i.
    pub at_ids: [Matrix<'a, f32>; 2],
    /// `[S * N, 12]`, with a term of the target.
    pub records: Option<Matrix<'a, f32>>,
    /// `[S + 1]`: the first column of each shard, then V.
    pub starts: Ints<'a>,
    /// `[N, K]`, as in [`partial_local`].
    pub ids: Ints<'a>,
    /// Targets and mask, as there.
    pub rows: Rows<'a>,
    /// As there.
    pub row_weight: Option<Matrix<'a, f32>>,
}
/// Bytes of workspace of [`partial_finish`] with `columns` ids a row; `loss`: it is asked for.
pub fn partial_finish_workspace(problem: &Problem, columns: usize, loss: bool) -> Workspace {
    let (n, all) = (problem.rows(), problem.rows().saturating_mul(columns));
    let bytes = Arena::sum([
        Arena::need::<u8>(n),
        Arena::need::<f32>(all),
        Arena::need::<f32>(all),
        Arena::need::<i32>(all),
        Arena::need::<f32>(n.saturating_mul(problem.stats_on_ids() - STATS)),
        Arena::need::<u8>(forward_workspace(problem, loss).minimum),
    ]);
    Workspace { minimum: bytes, preferred: bytes }
}
/// The figures of the rows from what all shards have at the given ids: those of [`partial`], bit for bit (a term of the target
/// where the shards are nodes of the rows' tree, [`Join`]), and statistics for [`partial_shard`]. `problem` is of the whole
/// vocabulary.
pub fn partial_finish(
    context: &Context,
    problem: &Problem,
    partial: &Partial,
    x: PartialShards<'_>,
    out: PartialFigures<'_>,
    totals: Totals<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let (n, columns) = (problem.rows(), x.ids.layout().cols);
    problem.check_shard()?;
    check_given(partial)?;
    x.rows.check(problem.student())?;
    check_target(problem, &x.rows)?;
    partial.check(problem, &x.rows, Some(&x.ids), None)?;
    let shards = crate::logprob::check_starts(x.starts, problem.student().vocab())?;
    for (field, m) in [("student_at_ids", &x.at_ids[0]), ("teacher_at_ids", &x.at_ids[1])] {
        m.layout().check(field, shards * n, columns)?;
    }
    check_records(problem, "records", x.records.as_ref().map(|m| m.layout()), shards * n)?;
    let of_columns =
        [("outputs.out_support_ids", out.support_ids.is_some()), ("outputs.out_overlap", out.overlap.is_some())];
    if let Some((field, _)) = of_columns.iter().find(|x| x.1) {
        return Err(Error::invalid(field, Value::Text("a tensor"), Value::Text("NULL over shards")));
    }
    check_space(workspace, partial_finish_workspace(problem, columns, totals.loss.is_some()))?;
    let mut arena = Arena::new(workspace);
    let live = arena.take::<u8>(n)?;
    let (student, teacher) = (arena.take::<f32>(n * columns)?, arena.take::<f32>(n * columns)?);
    let places = arena.take::<i32>(n * columns)?;
    let width = problem.stats_on_ids() - STATS;
    let of_target = arena.take::<f32>(n * width)?;
    let rest = arena.take::<u8>(arena.left() / Arena::ALIGN * Arena::ALIGN)?;
    for i in 0..n {
        live[i] = (problem.target(&x.rows, x.row_weight.as_ref(), i) != Target::Ignored) as u8;
        for k in 0..columns {
            let to = i * columns + k;
            places[to] = if id(&x.ids, i, k) < 0 { -1 } else { k as i32 };
            for (side, row) in [&mut *student, &mut *teacher].into_iter().enumerate() {
                // one shard has the column
                row[to] = (0..shards).fold(f32::NEG_INFINITY, |z, s| {
                    let own = x.at_ids[side].row(s * n + i)[k];
                    if own > z || own.is_nan() { own } else { z }
                });
            }
        }
    }
    if let Some(records) = x.records {
        let start = |i: usize| x.starts.get(i) as usize;
        let join = Join::new((0..shards + 1).map(start));
        for (i, to) in of_target.chunks_mut(width).enumerate().filter(|(i, _)| live[*i] != 0) {
            let (mut tree, mut y) = (Tree::<Record>::new(), f32::NEG_INFINITY);
            for shard in 0..shards {
                let part = Record::unpack_part(records.row(shard * n + i));
                // one shard has the column; where that has a NaN there is no log-prob
                y = if part.xy > y { part.xy } else { y };
                join.push(&mut tree, part, start(shard + 1) - start(shard));
            }
            let rest = tree.finish().joined();
            let whole = Whole::new(rest.m, rest, &student[i * columns..][..columns]);
            to.copy_from_slice(&of_row(&rest, whole.as_ref().map(|x| (x.lse, x.logprob(y)))).pack());
        }
    }
    let side = logprob::Problem::new(n, columns, logprob::Options::default())?;
    let own = Problem::new(side, side, *problem.options())?;
    let view = |z| -> Result<Floats<'_>> { Ok(Matrix::contiguous(z, n, columns)?.into()) };
    let [student, teacher] = [view(&*student)?, view(&*teacher)?].map(Grad::Absent);
    let rows = Rows { mask: Some(Mask::U8(Matrix::vector(live))), ..Rows::default() };
    let inputs = Inputs { rows, row_weight: x.row_weight, ..Inputs::default() };
    let ids = Some(Ints::I32(Matrix::contiguous(places, n, columns)?));
    let of_target = if width > 0 { Some(Matrix::contiguous(&*of_target, n, width)?) } else { None };
    let asked = Asked { partial, reference: None, ids, stats: None, of_target };
    let teacher = PartialTeacher::Rows(teacher);
    run_partial(context, &own, asked, student, teacher, inputs, out, totals, Upstream::default(), rest)
}
/// The gradients of a shard's logits with the statistics of [`partial_finish`]: those of [`partial`] in these columns.
#[allow(clippy::too_many_arguments)]
pub fn partial_shard(
    context: &Context,
    problem: &Problem,
    partial: &Partial,
    [student, teacher]: [Grad<'_>; 2],
    ids: Ints<'_>,
    inputs: Inputs<'_>,
    stats: Matrix<'_, f32>,
    upstream: Upstream<'_>,
    status: Option<MatrixMut<'_, u32>>,
) -> Result<()> {
    problem.check_shard()?;
    check_given(partial)?;
    stats.layout().check("stats", problem.rows(), problem.stats_on_ids())?;
    let asked = Asked { partial, reference: None, ids: Some(ids), stats: Some(stats), of_target: None };
    let (teacher, out) = (PartialTeacher::Rows(teacher), PartialFigures { status, ..PartialFigures::default() });
    run_partial(context, problem, asked, student, teacher, inputs, out, Totals::default(), upstream, &mut [])
}
/// A row of its own and the place of its gradient.
fn short_place<'a>(x: &'a [f32], g: &'a mut [f32]) -> Place<'a> {
    let n = x.len();
    let z = Floats::F32(Matrix::contiguous(x, 1, n).expect("so long"));
    Place::Apart(z, 0, FloatsMut::F32(MatrixMut::contiguous(g, 1, n).expect("so long")))
}
/// The largest columns of a row.
#[inline(always)]
fn largest(engine: &mut impl Engine, view: &View<'_>, k: usize, top: &mut Top<f32>) {
    top.start(k);
    for piece in pieces(0, view.valid()) {
        engine.load(0, view, piece, false);
        engine.top(0, piece, top);
    }
    top.finish(&Record::EMPTY);
}
/// What all rows share.
pub(crate) struct Few<'a> {
    pub(crate) call: Call<'a>,
    pub(crate) partial: &'a Partial,
    pub(crate) at: Option<AtIds<'a>>,
    pub(crate) ids: Option<Ints<'a>>,
    pub(crate) reference: Option<Floats<'a>>,
    /// Gradients that [`Rest::kept`] holds, of columns from this one on.
    pub(crate) from: Option<(Matrix<'a, f64>, usize)>,
    /// `[N, 6]`: [`OfTarget`], where the rows at hand are S alone.
    pub(crate) of_target: Option<Matrix<'a, f32>>,
}
impl Few<'_> {
    /// What is known of the whole row where the columns at hand are some of it.
    fn known(&self, at: usize) -> Option<OfTarget> {
        if self.call.problem.options().hard_weight == 0.0 {
            return None;
        }
        match (&self.call.stats, &self.of_target) {
            (Some(stats), _) => Some(OfTarget::unpack(&stats.row(at)[STATS..])),
            (None, Some(x)) => Some(OfTarget::unpack(x.row(at))),
            (None, None) => None,
        }
    }
    /// Settings, arrays and places; `teacher`: the gradient of the teacher's logits is asked for.
    pub(crate) fn check(
        &self,
        out: &PartialFigures<'_>,
        totals: &Totals<'_>,
        upstream: &Upstream<'_>,
        teacher: bool,
    ) -> Result<()> {
        let (problem, partial, rows) = (self.call.problem, self.partial, &self.call.jobs[0].rows);
        let (n, options) = (problem.rows(), problem.options());
        if options.teacher_target_shift != 0.0 || options.teacher != Teacher::Logits {
            let expected = Value::Text("NULL or 0 with a shift of the target or a teacher of other numbers");
            return Err(Error::invalid("partial.support", Value::Text("a support"), expected));
        }
        if self.of_target.is_none() {
            check_target(problem, rows)?;
        }
        if let Some(AtIds::Logprobs(_) | AtIds::Counts(_)) = self.at {
            let given = self.call.jobs[1].transform;
            let set = problem.teacher().options().transform != logprob::Transform::default();
            if set || given.bias.is_some() || given.row_temperature.is_some() {
                let expected = Value::Text("nothing: the teacher has no logits");
                return Err(Error::invalid("teacher_transform", Value::Text("a transform"), expected));
            }
        }
        partial.check(problem, rows, self.ids.as_ref(), self.at.as_ref())?;
        let refuse = |field, got, expected| Err(Error::invalid(field, Value::Text(got), Value::Text(expected)));
        match (&self.reference, partial.chosen == Chosen::Reference) {
            (None, true) => return refuse("partial.reference", "NULL", "logits, which the support `reference` needs"),
            (Some(_), false) => return refuse("partial.reference", "a tensor", "NULL without the support `reference`"),
            (Some(z), true) => {
                z.layout().check("partial.reference", n, problem.student().vocab())?;
                if z.dtype() == Dtype::F64 {
                    return Err(super::refuse("partial.reference", Dtype::F64, "f32, bf16 or f16"));
                }
            }
            _ => {}
        }
        if matches!(partial.outside, Outside::Zero | Outside::Raw) && teacher {
            return refuse("grad_teacher_out", "a tensor", "NULL with `zero` and `raw`");
        }
        out.check(n, partial.most(self.ids.as_ref()), partial.outside, problem.stats_on_ids())?;
        check_loss(problem, totals)?;
        upstream.check(n)?;
        if upstream.loss.is_some() { problem.check_reduces("grad_loss") } else { Ok(()) }
    }
}
/// What a target that is dead leaves.
fn target_flag(x: &Gathered) -> u32 {
    if x.logprob == Some(f64::NEG_INFINITY) { row::TARGET_NEG_INF } else { 0 }
}
/// Some rows and their outputs.
pub(crate) struct Rest<'a> {
    pub(crate) places: [Option<Place<'a>>; 2],
    pub(crate) out: PartialFigures<'a>,
    pub(crate) losses: Option<MatrixMut<'a, f64>>,
    /// `[N, kept_columns]`: the gradients of both sides in few numbers, for places that come later ([`Few::from`]).
    pub(crate) kept: Option<MatrixMut<'a, f64>>,
}
impl Split for Rest<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let [student, teacher] = self.places;
        let (student, teacher) = (student.split(row), teacher.split(row));
        let (out, losses, kept) = (self.out.split(row), self.losses.split(row), self.kept.split(row));
        let a = Rest { places: [student.0, teacher.0], out: out.0, losses: losses.0, kept: kept.0 };
        (a, Rest { places: [student.1, teacher.1], out: out.1, losses: losses.1, kept: kept.1 })
    }
}
/// The gradients of a row.
struct Slopes {
    /// S and the target, where it has a term of its own, of both sides.
    ids: [u32; WIDTH],
    /// What belongs to their columns.
    g: [[f64; WIDTH]; 2],
    sides: [Option<Slope>; 2],
}
/// That of a side besides.
#[derive(Clone, Copy)]
struct Slope {
    /// How many columns have their own.
    len: usize,
    /// The others have e^(x - m) (first + second (x - m)).
    m: f32,
    outside: [f64; 2],
    /// All columns alike.
    fill: Option<f32>,
}
/// Numbers of a row of [`Rest::kept`] with `most` columns of S: these and the target, then of each side theirs and [`OF_ROW`].
pub(crate) fn kept_columns(most: usize) -> usize {
    3 * (most + 1) + 2 * OF_ROW
}
/// How many columns, m, both factors, the fill; of a side without a gradient -1 columns.
const OF_ROW: usize = 5;
/// What stands for no fill.
const NO_FILL: f64 = 1.0;
impl Slopes {
    fn new() -> Slopes {
        Slopes { ids: [0; WIDTH], g: [[0.0; WIDTH]; 2], sides: [None; 2] }
    }
    /// All columns of both sides are `x`.
    fn fill(&mut self, x: f32) {
        self.sides = [Some(Slope { len: 0, m: f32::NEG_INFINITY, outside: [0.0; 2], fill: Some(x) }); 2];
    }
    fn keep(&self, kept: &mut [f64]) {
        let most = (kept.len() - 2 * OF_ROW) / 3;
        let (ids, rest) = kept.split_at_mut(most);
        ids.iter_mut().zip(&self.ids).for_each(|(to, &j)| *to = j as f64);
        for (side, own) in rest.chunks_mut(most + OF_ROW).enumerate() {
            let (g, of_row) = own.split_at_mut(most);
            g.copy_from_slice(&self.g[side][..most]);
            of_row.copy_from_slice(&match self.sides[side] {
                Some(x) => [x.len as f64, x.m as f64, x.outside[0], x.outside[1], x.fill.map_or(NO_FILL, f64::from)],
                None => [-1.0; OF_ROW],
            });
        }
    }
    /// What [`Slopes::keep`] kept.
    fn take(&mut self, kept: &[f64]) {
        let most = (kept.len() - 2 * OF_ROW) / 3;
        self.ids.iter_mut().zip(&kept[..most]).for_each(|(to, &j)| *to = j as u32);
        for (side, own) in kept[most..].chunks(most + OF_ROW).enumerate() {
            let (g, of_row) = own.split_at(most);
            let &[len, m, first, second, fill] = of_row else { unreachable!("so many") };
            self.g[side][..most].copy_from_slice(g);
            self.sides[side] = (len >= 0.0).then(|| Slope {
                len: len as usize,
                m: m as f32,
                outside: [first, second],
                fill: (fill != NO_FILL).then_some(fill as f32),
            });
        }
    }
    /// Writes those of the columns from `start` on of a side, which `job` and `place` are of. Called from one place: what is
    /// inlined here is much.
    #[inline(always)]
    fn write(
        &self,
        engine: &mut impl Engine,
        side: usize,
        job: &Job<'_>,
        at: usize,
        place: &mut Place<'_>,
        i: usize,
        start: usize,
    ) {
        let Some(x) = &self.sides[side] else { return };
        let (width, valid) = (job.problem.vocab(), job.problem.valid());
        if let Some(x) = x.fill {
            return place.fill(i, 0, width, x as f64);
        }
        let (ids, of_ids) = (&self.ids[..x.len], &self.g[side][..x.len]);
        let local = |j: u32| (j as usize).checked_sub(start).filter(|&j| j < valid);
        let mut own = [0f64; WIDTH];
        let view = View::new(job, at, place.raw(i));
        for (own, (&j, &g)) in own.iter_mut().zip(ids.iter().zip(of_ids)) {
            *own = local(j).filter(|_| g != 0.0).map_or(0.0, |j| g * view.slope(j));
        }
        let [first, second] = x.outside.map(|x| x as f32);
        if x.m > f32::NEG_INFINITY && x.outside != [0.0; 2] {
            for piece in pieces(0, valid) {
                {
                    let view = View::new(job, at, place.raw(i));
                    let slopes = view.transform() != RowTransform::Plain;
                    engine.load(0, &view, piece, slopes);
                    engine.spread(0, piece, x.m, [first, second], slopes);
                }
                engine.store(0, place.gradient(i, piece.first, piece.n).expect("wanted"));
            }
            place.fill(i, valid, width - valid, 0.0);
        } else {
            place.fill(i, 0, width, 0.0);
        }
        for (&j, &x) in ids.iter().zip(&own) {
            if let Some(j) = local(j) {
                place.fill(i, j, 1, x);
            }
        }
    }
}
/// A side's whole row, from its columns outside S and from those of S.
struct Whole {
    rest: Record,
    /// Largest logit.
    m: f32,
    /// Sum of e^(x - m) over S.
    sum: f64,
    /// log of the same over the columns outside, and over all.
    beyond: f64,
    all: f64,
    lse: f64,
}
impl Whole {
    /// `x`: the logits of S; `most`: the largest outside; `rest` is poisoned where one of the row is NaN or `+inf`. None if no
    /// column is live.
    fn new(most: f32, rest: Record, x: &[f32]) -> Option<Whole> {
        let m = x.iter().fold(most, |m, &x| if x > m { x } else { m });
        if m == f32::NEG_INFINITY {
            return None;
        }
        let sum = x.iter().fold(0.0, |sum, &x| sum + Real::exp(x as f64 - m as f64));
        let beyond =
            if rest.m > f32::NEG_INFINITY { (rest.m as f64 - m as f64) + rest.log_sum() } else { f64::NEG_INFINITY };
        let all = Real::log(sum + Real::exp(beyond));
        let lse = if rest.poisoned() { f64::NAN } else { m as f64 + all };
        Some(Whole { rest, m, sum, beyond, all, lse })
    }
    /// Log-prob of a column with the logit `y`.
    fn logprob(&self, y: f32) -> f64 {
        if self.rest.poisoned() { f64::NAN } else { (y as f64 - self.m as f64) - self.all }
    }
}
/// What goes with the statistics of a row; `known`: log sum exp of the row and log-prob of the target.
fn of_row(rest: &Record, known: Option<(f64, f64)>) -> OfTarget {
    let (lse, logprob) = known.unwrap_or((f64::NEG_INFINITY, f64::NAN));
    OfTarget { m: rest.m, lse, logprob, flags: rest.flags }
}
/// What a row gathers.
struct Gathered {
    /// S, and behind it the target where it is not of S and has a term of its own.
    ids: [u32; WIDTH],
    len: usize,
    /// Logits of S and behind them that of the rest, of student and teacher.
    x: [[f32; WIDTH]; 2],
    /// Of the columns outside S.
    rest: [Record; 2],
    /// log sum exp of the whole row, where it is known.
    lse: [f64; 2],
    mass: [f32; 2],
    /// [`PartialFigures::overlap`] and its sum.
    overlap: [f32; 2],
    /// The floor of the bucket acts.
    floored: [bool; 2],
    /// log p of the target where it has a term of its own.
    logprob: Option<f64>,
}
impl Rest<'_> {
    #[inline(always)]
    fn run(&mut self, engine: &mut impl Engine, few: &Few<'_>, first: usize, n: usize, counters: &Counters) {
        let (mut top, mut slopes) = ([Top::<f32>::default(), Top::<f32>::default()], Slopes::new());
        for i in 0..n {
            let at = first + i;
            let start = match &few.from {
                Some((kept, start)) => {
                    if few.call.target(at) == Target::Ignored {
                        slopes.fill(0.0);
                    } else {
                        slopes.take(kept.row(at));
                    }
                    *start
                }
                None => {
                    self.visit(engine, few, at, i, &mut top, &mut slopes, counters);
                    if let Some(kept) = &mut self.kept {
                        slopes.keep(kept.row_mut(i));
                    }
                    0
                }
            };
            for (side, place) in self.places.iter_mut().enumerate() {
                if let Some(place) = place.as_mut().filter(|place| place.wanted()) {
                    slopes.write(engine, side, &few.call.jobs[side], at, place, i, start);
                }
            }
        }
    }
    /// The figures of a row, and its gradients.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    fn visit(
        &mut self,
        engine: &mut impl Engine,
        few: &Few<'_>,
        at: usize,
        i: usize,
        top: &mut [Top<f32>; 2],
        slopes: &mut Slopes,
        counters: &Counters,
    ) {
        let of_all = few.call.stats.as_ref().map(|s| Saved::unpack(s.row(at)));
        let (mut flags, row) = match few.call.target(at) {
            Target::Ignored => (row::IGNORED, None),
            _ => {
                let row = self.gather(engine, few, at, i, top);
                // a shard without a column of S still has part of the target's term
                let empty = match &of_all {
                    Some(all) if row.logprob.is_some() => all.flags & row::EMPTY != 0,
                    _ => row.len == 0,
                };
                if empty { (row::EMPTY, None) } else { (0, Some(row)) }
            }
        };
        let (mut value, mut saved) = (0.0, of_all.unwrap_or(Saved { flags, ..Saved::default() }));
        if let Some(row) = &row {
            (flags, value, saved) = self.short(engine, few, at, i, row, of_all, slopes);
        } else {
            flags = saved.flags;
            slopes.fill(saved.fill().unwrap_or(0.0));
        }
        if let Some(m) = &mut self.out.stats {
            let (own, more) = m.row_mut(i).split_at_mut(STATS);
            own.copy_from_slice(&saved.pack());
            let of_target = row.as_ref().map(|x| of_row(&x.rest[0], x.logprob.map(|logprob| (x.lse[0], logprob))));
            let of_target = of_target.unwrap_or(of_row(&Record::EMPTY, None)).pack();
            more.copy_from_slice(&of_target[..more.len()]);
        }
        macro_rules! put {
            ($($f:ident: $x:expr),*) => {$( if let Some(m) = &mut self.out.$f { m.set(i, $x) } )*};
        }
        let mass = row.as_ref().map_or([0.0; 2], |row| row.mass);
        let [share, sum] =
            row.as_ref().map_or([0.0; 2], |row| if value.is_nan() { [f32::NAN; 2] } else { row.overlap });
        put!(overlap: share, overlap_sum: sum);
        put!(values: value as f32, student_mass: mass[0], teacher_mass: mass[1], status: flags);
        if let Some(m) = &mut self.out.support_ids {
            for (k, place) in m.row_mut(i).iter_mut().enumerate() {
                *place = row.as_ref().filter(|row| k < row.len).map_or(-1, |row| row.ids[k] as i32);
            }
        }
        if let Some(m) = &mut self.losses {
            m.set(i, value);
        }
        counters.add(flags);
    }
    /// The gradient of a side is asked for.
    fn wanted(&self, side: usize) -> bool {
        self.places[side].as_ref().is_some_and(|place| place.wanted() || self.kept.is_some())
    }
    /// One side of a row; none of a teacher at ids.
    fn view<'b>(&'b self, few: &'b Few<'_>, side: usize, at: usize, i: usize) -> Option<View<'b>> {
        self.places[side].as_ref().map(|place| View::new(&few.call.jobs[side], at, place.raw(i)))
    }
    #[inline(always)]
    fn gather(
        &self,
        engine: &mut impl Engine,
        few: &Few<'_>,
        at: usize,
        i: usize,
        top: &mut [Top<f32>; 2],
    ) -> Gathered {
        let mut row = Gathered {
            ids: [0; WIDTH],
            len: 0,
            x: [[f32::NEG_INFINITY; WIDTH]; 2],
            rest: [Record::EMPTY; 2],
            lse: [0.0; 2],
            mass: [0.0; 2],
            overlap: [0.0; 2],
            floored: [false; 2],
            logprob: None,
        };
        let target = match few.call.target(at) {
            Target::Column(y) if few.call.problem.options().hard_weight != 0.0 => Some(y),
            _ => None,
        };
        let known = few.known(at);
        let third = few.reference.as_ref().map(|z| View::new(&few.call.jobs[0], at, Raw::of(z, at)));
        let open = matches!(few.partial.outside, Outside::Zero | Outside::Raw);
        let views = [self.view(few, 0, at, i), self.view(few, 1, at, i)];
        let mut given = [0usize; MOST];
        let order: &[usize] = match few.partial.chosen {
            Chosen::Given => {
                let ids = few.ids.as_ref().expect("checked");
                let problems = [&few.call.jobs[0], &few.call.jobs[1]].map(|job| job.problem);
                let (start, columns) = (problems[0].start(), problems[0].vocab().max(problems[1].vocab()));
                for k in 0..ids.layout().cols {
                    let local = usize::try_from(id(ids, at, k)).ok().and_then(|j| j.checked_sub(start));
                    if let Some(j) = local.filter(|&j| j < columns) {
                        (row.ids[row.len], given[row.len]) = (j as u32, k);
                        row.len += 1;
                    }
                }
                &[]
            }
            Chosen::Teacher => &[1],
            Chosen::Student => &[0],
            Chosen::Union => &[1, 0],
            Chosen::Reference => &[2],
        };
        for &side in order {
            let chosen = if side == 2 { &third } else { &views[side] };
            let (view, side) = (chosen.as_ref().expect("rows of both sides"), side % 2);
            largest(engine, view, few.partial.k, &mut top[side]);
            for k in 0..top[side].len() {
                let (_, j) = top[side].get(k).expect("there are so many");
                if !row.ids[..row.len].contains(&j) {
                    row.ids[row.len] = j;
                    row.len += 1;
                }
            }
        }
        for side in 0..2 {
            let (ids, x) = (&row.ids[..row.len], &mut row.x[side]);
            let Some(view) = &views[side] else {
                let at_ids = few.at.as_ref().expect("no rows");
                let values = at_ids.values();
                let job = &few.call.jobs[side];
                let transform: RowTransform = job.transform.row(job.problem, at);
                for ((x, &k), &j) in x.iter_mut().zip(&given[..row.len]).zip(ids) {
                    let j = j as usize;
                    if j >= job.problem.valid() {
                        continue; // dead
                    }
                    *x = values.at(at, k) as f32;
                    if let AtIds::Logits(..) = at_ids {
                        *x = transform.apply(*x, job.transform.bias.as_ref().map(|b| b.get(j) as f32));
                    }
                }
                match at_ids {
                    AtIds::Logits(_, Some(lse)) => row.lse[side] = lse.get(at) as f64,
                    AtIds::Counts(_) => {
                        let sum: f64 = given[..row.len].iter().map(|&k| values.at(at, k)).sum();
                        if sum == 0.0 {
                            row.len = 0;
                            return row;
                        }
                        row.lse[side] = Real::log(sum);
                        for x in &mut x[..row.len] {
                            *x = Real::log(*x as f64) as f32;
                        }
                    }
                    _ => {}
                }
                if open {
                    let sum: f64 = x[..row.len].iter().map(|&x| Real::exp(x as f64 - row.lse[side])).sum();
                    row.mass[side] = sum as f32;
                }
                if few.partial.outside == Outside::Tail {
                    let lse = row.lse[side];
                    let mut sum = 0.0;
                    for x in &mut x[..row.len] {
                        let l = *x as f64 - lse;
                        *x = l as f32;
                        sum += Real::exp(l);
                    }
                    // what the log-probs leave of 1
                    let left = if sum < 1.0 {
                        1.0 - sum
                    } else if sum.is_nan() {
                        sum
                    } else {
                        0.0
                    };
                    let low = few.partial.tail_floor;
                    row.floored[side] = left < low;
                    x[row.len] = Real::log(if left < low { low } else { left }) as f32;
                    row.mass[side] = (1.0 - left) as f32;
                }
                continue;
            };
            for (x, &j) in x.iter_mut().zip(ids) {
                *x = view.at(j as usize);
            }
            let tail = few.partial.outside == Outside::Tail;
            let target = target.filter(|_| side == 0 && known.is_none());
            if open || tail || target.is_some() {
                let rest = outside(engine, view, 0, ids);
                let bad = rest.poisoned() || x[..row.len].iter().any(|x| !(*x < f32::INFINITY));
                let most = rest.m;
                let rest = if bad { view.complete(Record::poison(0)) } else { rest };
                if let Some(whole) = Whole::new(most, rest, &x[..row.len]) {
                    let Whole { m, sum, beyond, all, lse, .. } = whole;
                    row.lse[side] = lse;
                    row.mass[side] = (sum / (sum + Real::exp(beyond))) as f32;
                    row.logprob = row.logprob.or(target.map(|y| whole.logprob(view.at(y))));
                    if tail {
                        x[..row.len].iter_mut().for_each(|x| *x -= m);
                        let low = Real::log(few.partial.tail_floor) + all;
                        row.floored[side] = beyond < low;
                        x[row.len] = if bad {
                            f32::NAN
                        } else if beyond < low {
                            low as f32
                        } else {
                            beyond as f32
                        };
                    }
                }
                row.rest[side] = rest;
            }
        }
        if let Some(x) = known {
            row.rest[0] = Record { m: x.m, flags: x.flags, ..Record::EMPTY };
            row.lse[0] = x.lse;
            row.logprob = (x.lse != f64::NEG_INFINITY).then_some(x.logprob);
        }
        if let Some(y) = target.and_then(|y| few.call.jobs[0].local(Target::Column(y))) {
            row.ids[row.len] = y as u32;
        }
        if row.len > 0 && (self.out.overlap.is_some() || self.out.overlap_sum.is_some()) {
            let by_caller = few.partial.chosen == Chosen::Given;
            for side in 0..2 {
                let chosen = match few.partial.chosen {
                    Chosen::Teacher => side == 1,
                    Chosen::Student => side == 0,
                    Chosen::Union => true,
                    Chosen::Given => side == 1,
                    Chosen::Reference => false,
                };
                if let (false, Some(view)) = (chosen, &views[side]) {
                    largest(engine, view, if by_caller { row.len } else { few.partial.k }, &mut top[side]);
                }
            }
            let of = |k: usize| match by_caller {
                true => (k < row.len).then(|| row.ids[k]),
                false => top[1].get(k).map(|x| x.1),
            };
            let (mut n, mut common, mut sum) = (0, 0, 0.0);
            while let Some(j) = of(n) {
                if (0..top[0].len()).any(|k| top[0].get(k).is_some_and(|x| x.1 == j)) {
                    common += 1;
                    let lp = views[0].as_ref().expect("the student has rows").at(j as usize) as f64 - row.lse[0];
                    let lt = match &views[1] {
                        Some(view) => view.at(j as usize) as f64 - row.lse[1],
                        // given ids: j is the n-th of them; of a bucket's row the log-probs are there already
                        None if few.partial.outside == Outside::Tail => row.x[1][n] as f64,
                        None => row.x[1][n] as f64 - row.lse[1],
                    };
                    let t = Real::exp(lt);
                    sum -= if t > 0.0 { t * (lt - lp) } else { 0.0 };
                }
                n += 1;
            }
            row.overlap = [if n > 0 { common as f32 / n as f32 } else { 0.0 }, sum as f32];
        }
        row
    }
    /// The divergence of the gathered columns; flags, value, statistics. `of_all` are those where the columns are some of S.
    #[inline(always)]
    fn short(
        &mut self,
        engine: &mut impl Engine,
        few: &Few<'_>,
        at: usize,
        i: usize,
        row: &Gathered,
        of_all: Option<Saved>,
        slopes: &mut Slopes,
    ) -> (u32, f64, Saved) {
        (slopes.ids, slopes.sides) = (row.ids, [None; 2]);
        if matches!(few.partial.outside, Outside::Zero | Outside::Raw) {
            let (flags, value) = self.open(few, at, i, row, slopes);
            return (flags, value, Saved { flags, ..Saved::default() });
        }
        let tail = few.partial.outside == Outside::Tail;
        // a dead column stands for a shard without one of S
        let n = (row.len + usize::from(tail)).max(1);
        let options = few.call.problem.options();
        let side = logprob::Problem::new(1, n, logprob::Options::default()).expect("a short row");
        let own = Options { kind: options.kind, param: options.param, limits: options.limits, ..Options::default() };
        let problem = Problem::new(side, side, own).expect("checked before");
        let inputs = Inputs::default();
        let ([_, soft], hard) = (few.call.factors(at), self.hard(few, at, row));
        let up = &few.call.upstream;
        let g = up.values.as_ref().map_or(0.0, |m| m.get(at) as f64 * up.scale) + up.loss.map_or(0.0, |g| g * up.scale);
        let wanted = [0, 1].map(|side| self.wanted(side));
        let any = wanted[0] || wanted[1];
        let upstream = Upstream { loss: Some(g * soft), ..Upstream::default() };
        let call = Call { upstream, moments: any || self.out.stats.is_some(), ..Call::new(&problem, &inputs) };
        let mut grads = [[0f32; WIDTH]; 2];
        let [gs, gt] = &mut grads;
        let mut work = Work {
            places: [short_place(&row.x[0][..n], &mut gs[..n]), short_place(&row.x[1][..n], &mut gt[..n])],
            out: Figures::default(),
            losses: None,
            others: None,
        };
        let (x, [value, _]) = match of_all {
            Some(saved) => (Row { saved, status: saved.flags, ..Row::without(0.0, 0) }, [0.0; 2]),
            None => {
                let views = work.views(&call, 0, 0, Target::None);
                figures(engine, &call, 0, &views, Target::None)
            }
        };
        if any {
            work.gradients(engine, &call, 0, 0, Target::None, &x.saved);
        }
        let mut value = if soft == 0.0 { 0.0 } else { soft * value };
        let mut saved = x.saved;
        if hard != 0.0 {
            let logprob = row.logprob.unwrap_or(f64::NAN);
            value -= hard * logprob;
            saved.flags |= target_flag(row);
            if logprob.is_nan() {
                // what lies outside S spoils the row
                (saved.value, saved.flags) = (f32::NAN, saved.flags | row.rest[0].flags);
            }
        }
        let (upstream, dead) = (g, hard != 0.0 && row.logprob == Some(f64::NEG_INFINITY));
        for side in 0..2 {
            if !wanted[side] {
                continue;
            }
            let g = &mut slopes.g[side];
            g.iter_mut().zip(&grads[side]).for_each(|(to, &g)| *to = g as f64);
            let (rest, outside) =
                (&row.rest[side], if tail { g[row.len] / (1.0 + row.rest[side].r as f64) } else { 0.0 });
            let outside = if row.floored[side] || rest.m == f32::NEG_INFINITY { 0.0 } else { outside };
            let (mut len, mut outside, fill) = (row.len, [outside, 0.0], saved.fill().or(dead.then_some(0.0)));
            if side == 0 && hard != 0.0 && fill.is_none() {
                len = self.add_hard(few, at, i, row, -upstream * hard, g, &mut outside);
            }
            slopes.sides[side] = Some(Slope { len, m: rest.m, outside, fill });
        }
        (saved.flags, value, saved)
    }
    /// Factor of -log p of the target in the value of a row.
    fn hard(&self, few: &Few<'_>, at: usize, row: &Gathered) -> f64 {
        let [weight, _] = few.call.factors(at);
        row.logprob.map_or(0.0, |logprob| weight * few.call.hard(logprob))
    }
    /// Adds `factor` times the gradient of log p of a live target to that of the student's logits; how many columns have their
    /// own then.
    #[allow(clippy::too_many_arguments)]
    fn add_hard(
        &self,
        few: &Few<'_>,
        at: usize,
        i: usize,
        row: &Gathered,
        factor: f64,
        g: &mut [f64; WIDTH],
        outside: &mut [f64; 2],
    ) -> usize {
        let Some(logprob) = row.logprob else { return row.len };
        let y = few.call.jobs[0].local(few.call.target(at));
        let (view, m) = (self.view(few, 0, at, i).expect("the student has rows"), row.rest[0].m as f64);
        let mut len = row.len;
        for (g, &j) in g.iter_mut().zip(&row.ids[..len]) {
            let own = Some(j as usize) == y;
            // 1 - p must not cancel
            *g += factor * if own { -logprob.expm1() } else { -Real::exp(view.at(j as usize) as f64 - row.lse[0]) };
        }
        if let Some(y) = y.filter(|&y| !row.ids[..len].contains(&(y as u32))) {
            let at_y = view.at(y) as f64;
            let own = Real::exp(at_y - m) * (outside[0] + outside[1] * (at_y - m));
            g[len] = own - factor * logprob.expm1();
            len += 1;
        }
        if m > f64::NEG_INFINITY {
            outside[0] -= factor * Real::exp(m - row.lse[0]);
        }
        len
    }
    /// The divergence of the gathered columns with the log-probs of the whole softmax; flags and value.
    #[inline(always)]
    fn open(&self, few: &Few<'_>, at: usize, i: usize, row: &Gathered, slopes: &mut Slopes) -> (u32, f64) {
        let (options, choice) = (few.call.problem.options(), few.call.problem.choice());
        let rest = &row.rest[0];
        let beyond = if rest.m > f32::NEG_INFINITY {
            let logprob = rest.m as f64 - row.lse[0];
            Beyond { scale: Real::exp(logprob), sum: 1.0 + rest.r as f64, moment: rest.u as f64, logprob }
        } else {
            Beyond::NONE
        };
        let cross = options.kind == Kind::CrossEntropy;
        let factors = match choice.form {
            Form::TwoWay { forward, reverse } => [forward, reverse],
            _ if choice.student_first => [0.0, 1.0],
            _ => [1.0, 0.0],
        };
        let open = Open { partial: few.partial, factors, cross, rest: beyond };
        let log = |k: usize| [0, 1].map(|side| row.x[side][k] as f64 - row.lse[side]);
        let g = &mut slopes.g[0];
        g[..row.len].fill(0.0);
        let bad = row.lse.iter().any(|l| l.is_nan());
        let mut flags = row.rest[0].flags | row.rest[1].flags;
        for side in 0..2 {
            // no live column at all
            if row.x[side][..row.len].iter().all(|x| *x == f32::NEG_INFINITY) && row.rest[side].m == f32::NEG_INFINITY {
                flags |= row::ALL_NEG_INF;
            }
        }
        let (mut value, outside, alive) =
            if bad || flags & row::ALL_NEG_INF != 0 { (f64::NAN, [0.0; 2], false) } else { open.row(row.len, log, g) };
        let hard = self.hard(few, at, row);
        // at a clamp the term of the target goes on
        let clamped = !alive && value.is_finite() && hard != 0.0;
        let dead = hard != 0.0 && row.logprob == Some(f64::NEG_INFINITY);
        let fill = if value.is_nan() { Some(f32::NAN) } else { (!alive && !clamped || dead).then_some(0.0) };
        if value.is_nan() && flags == 0 {
            flags |= row::NAN_INPUT;
        }
        if value == f64::INFINITY {
            flags |= row::INFINITE;
        }
        let ([_, soft], up) = (few.call.factors(at), &few.call.upstream);
        let upstream =
            up.values.as_ref().map_or(0.0, |m| m.get(at) as f64 * up.scale) + up.loss.map_or(0.0, |g| g * up.scale);
        value = if soft == 0.0 { 0.0 } else { soft * value };
        if hard != 0.0 {
            value -= hard * row.logprob.unwrap_or(f64::NAN);
            flags |= target_flag(row);
        }
        if self.wanted(0) {
            let factor = upstream * soft;
            g[..row.len].iter_mut().for_each(|g| *g *= factor);
            let mut outside = outside.map(|x| x * beyond.scale * factor);
            let mut len = row.len;
            if hard != 0.0 && fill.is_none() {
                len = self.add_hard(few, at, i, row, -upstream * hard, g, &mut outside);
            }
            slopes.sides[0] = Some(Slope { len, m: row.rest[0].m, outside, fill });
        }
        (flags, value)
    }
}
