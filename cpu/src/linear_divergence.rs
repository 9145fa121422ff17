//! Divergences of two heads without logits tensors: [`truing_core::linear_divergence`].
//!
//! A group of rows goes through at a time: the logits of both sides as rows in the workspace, the kernels of
//! [`crate::divergence`] on them, dz in the place of the logits, the gradient products of [`crate::linear_logprob`] from it.
//! How many rows that are follows from the workspace. Where gradients of weights cannot be summed over groups (more rows than
//! a reduction block, places that hold no running totals), they are formed afterwards tile by tile of the vocabulary, the
//! logits of a tile computed once more. The bits are the same either way. On a support the gradients of a row are kept in few
//! numbers for the tiles: its columns and theirs, and the two factors of all others.
use crate::divergence::{
    self as rowwise, AtIdsOfShard, Call, Few, Live, LocalPass, Parts, Place, Rest, Totals, Work, check_given,
    check_loss, check_records, conclude_loss, kept_columns, local_at_ids, local_rows, partial_rows, run_rows,
};
use crate::linear_logprob::{
    self as linear, Cuts, ENOUGH, Fill, Given, Grads, Room, Tile, backward_given, given_need, raw_need, raw_rows,
};
use crate::logprob::{Job, no_target, refuse};
use crate::parallel::Context;
use crate::sequence::{Counters, check_space};
use core::ops::Range;
use truing_core::divergence::partial::{AtIds, Figures as PartialFigures, Partial};
use truing_core::divergence::{Figures, Form, STATS, Teacher as Numbers, Upstream};
use truing_core::dtype::Element;
use truing_core::linear_divergence::{Argument, Problem, Side, name_side};
use truing_core::linear_logprob::{self as heads, BLOCK, check_dtype};
use truing_core::logprob::{self, Rows, Target, TransformInputs};
use truing_core::matrix::{Arena, Floats, Ints, Layout, Matrix, MatrixMut, Split, Workspace};
use truing_core::row_loss::RowLossInputs;
use truing_core::{Dtype, Error, Result, Value};

/// One model's hidden states and head.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// `[N, D]`: f32, bf16 or f16.
    pub hidden: Floats<'a>,
    /// `[V, D]`: f32, bf16 or f16.
    pub weight: Floats<'a>,
    /// Bias and row temperatures.
    pub transform: TransformInputs<'a>,
}
/// The teacher.
#[derive(Clone, Copy, Debug)]
pub enum Teacher<'a> {
    /// Hidden states and a head.
    Head(Head<'a>),
    /// Rows of numbers in memory.
    Rows(rowwise::Side<'a>),
    /// Numbers at the ids of a support; bias and row temperatures of logits there.
    AtIds(AtIds<'a>, TransformInputs<'a>),
}
/// The columns of a call on a few of them.
#[derive(Clone, Copy, Debug)]
pub struct Support<'a> {
    /// Who chooses them, and what happens to the rest.
    pub partial: &'a Partial,
    /// `[N, K]`: given ids, of the whole vocabulary.
    pub ids: Option<Ints<'a>>,
    /// `[N, V]`: logits that choose them.
    pub reference: Option<Floats<'a>>,
}
/// What a call reads.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The student.
    pub student: Head<'a>,
    /// The teacher, as the problem says.
    pub teacher: Teacher<'a>,
    /// Targets and mask.
    pub rows: Rows<'a>,
    /// `[N]`, finite, >= 0; a row with 0 is not read.
    pub row_weight: Option<Matrix<'a, f32>>,
}
impl<'a> Inputs<'a> {
    fn head(&self, side: usize) -> Option<Head<'a>> {
        match (side, self.teacher) {
            (0, _) => Some(self.student),
            (_, Teacher::Head(head)) => Some(head),
            (_, Teacher::Rows(_) | Teacher::AtIds(..)) => None,
        }
    }
    fn transform(&self, side: usize) -> TransformInputs<'a> {
        match (side, self.teacher) {
            (0, _) => self.student.transform,
            (_, Teacher::Head(head)) => head.transform,
            (_, Teacher::Rows(rows)) => rows.transform,
            (_, Teacher::AtIds(_, transform)) => transform,
        }
    }
    /// What the rows of logits are read with.
    fn rowwise(&self) -> rowwise::Inputs<'a> {
        rowwise::Inputs {
            student: self.transform(0),
            teacher: self.transform(1),
            rows: self.rows,
            row_weight: self.row_weight,
        }
    }
    /// What the products of a side with a head read.
    fn products(&self, side: usize) -> Result<linear::Inputs<'a>> {
        let h = self.head(side).ok_or(OTHER)?;
        Ok(linear::Inputs::new(h.hidden, h.weight, h.transform, self.rows))
    }
    /// Element types of hidden states and weights of the sides that have heads.
    pub fn dtypes(&self) -> [[Dtype; 2]; 2] {
        let of = |h: Head<'_>| [h.hidden.dtype(), h.weight.dtype()];
        [of(self.student), self.head(1).map_or([Dtype::F32; 2], of)]
    }
}

/// What a call writes, as far as its workspace depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// Of student and teacher: a gradient of the hidden states.
    hidden: [bool; 2],
    /// A gradient of the weight or the bias.
    weight: [bool; 2],
    /// [`Grads::continues`]
    several: [bool; 2],
    /// Values have to be summed.
    loss: bool,
    /// The statistics are neither given nor wanted.
    stats: bool,
    /// Most columns of the support of a row.
    few: Option<usize>,
}
impl Asked {
    /// `loss`: the reduced loss is an output; `stats`: the statistics are an input or an output.
    pub fn new(grads: &[Grads<'_>; 2], loss: bool, stats: bool) -> Asked {
        let [s, t] = grads;
        let each = |f: fn(&Grads<'_>) -> bool| [f(s), f(t)];
        Asked {
            hidden: each(|g| g.hidden.is_some()),
            weight: each(|g| g.weight.is_some() || g.bias.is_some()),
            several: each(|g| g.continues()),
            loss,
            stats: !stats,
            few: None,
        }
    }
    /// On a support.
    pub fn on(self, support: &Support<'_>) -> Asked {
        Asked { stats: false, few: Some(support.partial.most(support.ids.as_ref())), ..self }
    }
    /// Gradients of weights.
    fn weights(&self) -> bool {
        self.weight[0] || self.weight[1]
    }
    fn any(&self) -> bool {
        self.weights() || self.hidden[0] || self.hidden[1]
    }
    /// Gradients of weights can be summed over groups.
    fn several(&self) -> bool {
        [0, 1].iter().all(|&i| !self.weight[i] || self.several[i])
    }
}

/// Elements between rows of logits: whole cache lines, and off the powers of two.
fn stride(columns: usize) -> usize {
    columns.next_multiple_of(64) + 32
}
/// What the sizes of pieces follow from.
struct Sizes<'a> {
    context: &'a Context,
    problem: &'a Problem,
    dtypes: [[Dtype; 2]; 2],
    asked: Asked,
}
impl Sizes<'_> {
    fn heads(&self) -> impl Iterator<Item = (usize, &heads::Problem)> {
        self.problem.heads().into_iter().enumerate().filter_map(|(side, p)| Some((side, p?)))
    }
    /// The columns of the largest probabilities are needed apart from their tiles.
    fn others(&self) -> bool {
        let form = &self.problem.divergence().choice().form;
        self.asked.weights() && self.asked.few.is_none() && *form == Form::CosineProbs
    }
    /// Numbers of a row's gradients on a support that are kept for the tiles.
    fn few(&self) -> Option<usize> {
        self.asked.few.filter(|_| self.asked.weights()).map(kept_columns)
    }
    /// What a call holds from beginning to end.
    fn kept(&self) -> usize {
        let n = self.problem.rows();
        let count = |on: bool, each: usize| if on { n.saturating_mul(each) } else { 0 };
        let stats = self.asked.stats && self.asked.any();
        Arena::sum([
            Arena::need::<usize>(n),
            Arena::need::<f64>(count(self.asked.loss, 1)),
            Arena::need::<f32>(count(stats, STATS)),
            Arena::need::<f32>(count(self.others(), 2)),
            Arena::need::<f64>(n.saturating_mul(self.few().unwrap_or(0))),
        ])
    }
    /// A group of so many rows.
    fn group(&self, rows: usize) -> usize {
        let (mut logits, mut products) = (0, 0);
        for (side, p) in self.heads() {
            logits = Arena::sum([logits, Arena::need::<f32>(rows.saturating_mul(stride(p.vocab())))]);
            // with less room the rows are packed in several turns
            let raw = raw_need(self.context, p, self.dtypes[side], rows).preferred;
            let wanted = [self.asked.weight[side], self.asked.hidden[side]];
            let back = if wanted == [false; 2] {
                0
            } else {
                let wanted = [wanted[0], wanted[1], self.asked.several[side]];
                given_need(self.context, p, self.dtypes[side], rows, wanted, Room::BEST)
            };
            products = products.max(raw).max(back);
        }
        Arena::sum([logits, Arena::need::<u8>(products)])
    }
    /// Tiles for the gradients of weights, of up to so many rows.
    fn tiles(&self, rows: usize, room: Room) -> usize {
        let b = rows.min(BLOCK);
        let (mut logits, mut raw, mut back) = (0, 0, 0);
        for (side, p) in self.heads() {
            logits = Arena::sum([logits, Arena::need::<f32>(b * stride(room.columns))]);
            let need = raw_need(self.context, p, self.dtypes[side], b);
            raw = raw.max(if room.roomy { need.preferred } else { need.minimum });
            if self.asked.weight[side] {
                let wanted = [true, false, self.asked.several[side]];
                back = back.max(given_need(self.context, p, self.dtypes[side], rows, wanted, room));
            }
        }
        Arena::sum([logits, Arena::need::<u8>(raw), Arena::need::<u8>(back)])
    }
    fn workspace(&self) -> Workspace {
        let n = self.problem.rows();
        let least = LEAST.min(n);
        let (mut minimum, mut preferred) = (self.group(least), Cuts::preferred(n, |rows| self.group(rows)));
        if self.asked.weights() {
            minimum = minimum.max(self.tiles(n, Room::LEAST));
            let mut room = Room::BEST;
            while self.tiles(n, room) > preferred
                && let Some(less) = room.less()
            {
                room = less;
            }
            preferred = preferred.max(self.tiles(n, room));
        }
        let (kept, up) = (self.kept(), |x: usize| Arena::need::<u8>(x));
        Workspace {
            minimum: Arena::sum([kept, up(minimum)]),
            preferred: Arena::sum([kept, up(preferred.max(minimum))]),
        }
    }
}
impl Sizes<'_> {
    /// Rows of a group that fits into so many bytes.
    fn most(&self, bytes: usize) -> usize {
        let n = self.problem.rows();
        Cuts::most(n, 0, |rows| self.group(rows), bytes).max(LEAST.min(n))
    }
    /// All columns of student and teacher.
    fn columns(&self) -> [Range<usize>; 2] {
        [0..self.problem.student().vocab(), 0..self.problem.teacher().rows().vocab()]
    }
    /// The logits of some rows of the sides that have heads, and the rest of the memory.
    #[allow(clippy::type_complexity)]
    fn logits<'m>(
        &self,
        inputs: &Inputs<'_>,
        members: &[usize],
        arena: &mut Arena<'m>,
    ) -> Result<([&'m mut [f32]; 2], &'m mut [u8])> {
        let mut z: [&mut [f32]; 2] = [&mut [], &mut []];
        for (side, p) in self.heads() {
            z[side] = arena.take(members.len() * stride(p.vocab()))?;
        }
        let scratch = linear::rest(arena)?;
        for (side, p) in self.heads().filter(|_| !members.is_empty()) {
            let (to, columns) = ((&mut *z[side], stride(p.vocab())), 0..p.logprob().valid());
            raw_rows(self.context, p, inputs.products(side)?, members, columns, to, scratch)?;
        }
        Ok((z, scratch))
    }
}
/// The rows that are read.
fn live_rows<'a>(call: &Call<'_>, place: &'a mut [usize]) -> &'a [usize] {
    let mut count = 0;
    for i in 0..place.len() {
        if call.target(i) != Target::Ignored {
            place[count] = i;
            count += 1;
        }
    }
    &place[..count]
}
/// Rows of a group at least: lanes of the products.
const LEAST: usize = 16;
const OTHER: Error = Error::invalid("teacher", Value::Text("another form"), Value::Text("as the problem says"));

/// Scratch memory of a call for operands of these types; every size from the minimum on gives the same bits.
pub fn workspace(context: &Context, problem: &Problem, dtypes: [[Dtype; 2]; 2], asked: &Asked) -> Workspace {
    Sizes { context, problem, dtypes, asked: *asked }.workspace()
}

/// Gradients formed with the figures, for upstream gradients that are known before.
#[derive(Debug, Default)]
pub struct Fused<'a> {
    /// Of the values, of the reduced loss, of the student's log-probs.
    pub upstream: Upstream<'a>,
    /// Where the gradients of student and teacher go.
    pub grads: [Grads<'a>; 2],
}
/// Writes the figures that `out` asks for: those of [`crate::divergence::forward`] on the logits of both sides, bit for bit;
/// and the gradients that `fused` has places for, which are those of [`backward`]. Errors: shapes, element types, targets out
/// of range, temperatures and biases that are not finite, weights of read rows that are not finite and >= 0, a workspace below
/// the minimum; nothing is written then.
pub fn forward(
    context: &Context,
    problem: &Problem,
    inputs: &Inputs<'_>,
    out: Figures<'_>,
    totals: Totals<'_>,
    fused: Fused<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let Fused { upstream, grads } = fused;
    problem.check_whole()?;
    check(problem, inputs, &grads)?;
    out.check(problem.rows(), inputs.rows.target.is_some())?;
    check_loss(problem.divergence(), &totals)?;
    check_upstream(problem, inputs, &upstream)?;
    let asked = Asked::new(&grads, totals.loss.is_some(), out.stats.is_some());
    run(context, problem, inputs, asked, (Wanted::Whole(out), totals), None, upstream, grads, workspace)
}
/// Values and gradients on a support: those of [`crate::divergence::partial`] on the logits of both sides, bit for bit, and of a
/// shard with the `stats` of [`crate::divergence::partial_finish`] the gradients of [`crate::divergence::partial_shard`]. The
/// gradients have places in `fused`; `out` may be empty.
#[allow(clippy::too_many_arguments)]
pub fn partial(
    context: &Context,
    problem: &Problem,
    support: Support<'_>,
    inputs: &Inputs<'_>,
    stats: Option<Matrix<'_, f32>>,
    out: PartialFigures<'_>,
    totals: Totals<'_>,
    fused: Fused<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let (Fused { upstream, grads }, n) = (fused, problem.rows());
    let refuse = |field, got, expected| Err(Error::invalid(field, Value::Text(got), Value::Text(expected)));
    match (problem.shard(), &stats) {
        (true, Some(stats)) => {
            problem.divergence().check_shard()?;
            check_given(support.partial)?;
            stats.layout().check("stats", n, problem.divergence().stats_on_ids())?;
        }
        (true, None) => return refuse("stats", "NULL", "the statistics of finish, which a shard needs"),
        (false, Some(_)) => {
            return refuse("stats", "a tensor", "NULL with a partial support: there are none but over shards");
        }
        (false, None) => {}
    }
    check(problem, inputs, &grads)?;
    if upstream.student_logprob.is_some() {
        return refuse("grad_student_logprob", "a tensor", "NULL with a partial support");
    }
    let row_inputs = inputs.rowwise();
    let few = few(&support, inputs, Call::new(problem.divergence(), &row_inputs));
    let teacher = grads[1].hidden.is_some() || grads[1].weight.is_some() || grads[1].bias.is_some();
    let named = |e: Error| Error { field: if e.field == "grad_teacher_out" { "teacher_grads" } else { e.field }, ..e };
    few.check(&out, &totals, &upstream, teacher).map_err(named)?;
    let asked = Asked::new(&grads, totals.loss.is_some(), true).on(&support);
    run(context, problem, inputs, asked, (Wanted::Few(out, support), totals), stats, upstream, grads, workspace)
}
fn few<'a>(support: &Support<'a>, inputs: &Inputs<'a>, call: Call<'a>) -> Few<'a> {
    let Support { partial, ids, reference } = *support;
    let at = if let Teacher::AtIds(at, _) = inputs.teacher { Some(at) } else { None };
    Few { call, partial, at, ids, reference, from: None, of_target: None }
}
/// Writes what a shard of both heads has at the given ids, as [`crate::divergence::partial_local`] on its logits;
/// [`crate::divergence::partial_finish`] takes it. The workspace is that of a call that is asked for nothing.
#[allow(clippy::too_many_arguments)]
pub fn partial_local(
    context: &Context,
    problem: &Problem,
    partial: &Partial,
    ids: Ints<'_>,
    inputs: &Inputs<'_>,
    [mut student, mut teacher]: [MatrixMut<'_, f32>; 2],
    mut records: Option<MatrixMut<'_, f32>>,
    mut status: Option<MatrixMut<'_, u32>>,
    workspace: &mut [u8],
) -> Result<()> {
    let (n, columns) = (problem.rows(), ids.layout().cols);
    problem.divergence().check_shard()?;
    check_given(partial)?;
    check(problem, inputs, &Default::default())?;
    partial.check(problem.divergence(), &inputs.rows, Some(&ids), None)?;
    student.layout().check("out_student_at_ids", n, columns)?;
    teacher.layout().check("out_teacher_at_ids", n, columns)?;
    check_records(problem.divergence(), "out_records", records.as_ref().map(|m| m.layout()), n)?;
    status.as_ref().map_or(Ok(()), |m| m.layout().check("out_status", n, 1))?;
    visit(context, problem, inputs, workspace, &mut |call, range, places| {
        let at_ids = [piece_of(student.reborrow(), &range), piece_of(teacher.reborrow(), &range)];
        let (records, status) = (piece(&mut records, &range), piece(&mut status, &range));
        local_at_ids(context, call, ids, range, AtIdsOfShard { places, at_ids, records, status });
    })
}
/// Writes the gradients of hidden states, weights and biases of both sides, given those of the figures. `stats` are those of a
/// forward with the same options; without them the rows are computed again, with the same bits. The gradients of the logits
/// are those of [`crate::divergence::backward`]. `status` gets the bits of the rows. Of a shard the statistics are those of
/// [`crate::divergence::finish`], and the gradients of the hidden states partial sums over the shards.
#[allow(clippy::too_many_arguments)]
pub fn backward(
    context: &Context,
    problem: &Problem,
    inputs: &Inputs<'_>,
    stats: Option<Matrix<'_, f32>>,
    upstream: Upstream<'_>,
    grads: [Grads<'_>; 2],
    status: Option<MatrixMut<'_, u32>>,
    workspace: &mut [u8],
) -> Result<()> {
    check(problem, inputs, &grads)?;
    check_upstream(problem, inputs, &upstream)?;
    if problem.shard() {
        problem.divergence().check_shard()?;
        let missing = |field, got, expected| Err(Error::invalid(field, Value::Text(got), Value::Text(expected)));
        if stats.is_none() {
            return missing("stats", "NULL", "the statistics of finish, which a shard needs");
        }
        if upstream.student_logprob.is_some() {
            return missing("grad_student_logprob", "a tensor", "NULL over shards");
        }
    }
    if let Some(s) = stats {
        s.layout().check("stats", problem.rows(), STATS)?;
    }
    if let Some(s) = &status {
        s.layout().check("outputs.out_status", problem.rows(), 1)?;
    }
    let asked = Asked::new(&grads, false, stats.is_some());
    let out = Wanted::Whole(Figures { status, ..Figures::default() });
    run(context, problem, inputs, asked, (out, Totals::default()), stats, upstream, grads, workspace)
}
/// Writes the records of a shard of both heads, `[N, 16]`, or `[N, 17]` with a term of the target: those of [`crate::divergence::local`] on its logits bit for bit;
/// [`crate::divergence::finish`] takes them. The workspace is that of a call that is asked for nothing.
#[allow(clippy::too_many_arguments)]
pub fn local(
    context: &Context,
    problem: &Problem,
    inputs: &Inputs<'_>,
    pass: LocalPass<'_>,
    mut records: MatrixMut<'_, f32>,
    mut status: Option<MatrixMut<'_, u32>>,
    workspace: &mut [u8],
) -> Result<()> {
    let n = problem.rows();
    problem.divergence().check_shard()?;
    check(problem, inputs, &Default::default())?;
    records.layout().check("out_records", n, problem.divergence().shard_record())?;
    status.as_ref().map_or(Ok(()), |m| m.layout().check("out_status", n, 1))?;
    if let LocalPass::Values(stats) = &pass {
        stats.layout().check("stats", n, STATS)?;
    }
    visit(context, problem, inputs, workspace, &mut |call, range, places| {
        let records = piece_of(records.reborrow(), &range);
        local_rows(context, call, range.clone(), pass, Parts { places, records, status: piece(&mut status, &range) });
    })
}
/// What a call does with some rows whose logits are there.
type Visit<'v> = dyn FnMut(&Call<'_>, Range<usize>, [Place<'_>; 2]) + 'v;
/// Goes through all rows in groups, forms their logits and reads them.
fn visit(
    context: &Context,
    problem: &Problem,
    inputs: &Inputs<'_>,
    workspace: &mut [u8],
    go: &mut Visit<'_>,
) -> Result<()> {
    let n = problem.rows();
    let sizes = Sizes { context, problem, dtypes: inputs.dtypes(), asked: Asked::default() };
    check_space(workspace, sizes.workspace())?;
    let row_inputs = inputs.rowwise();
    let call = Call::new(problem.divergence(), &row_inputs);
    let mut arena = Arena::new(workspace);
    let live = live_rows(&call, arena.take(n)?);
    let space = linear::rest(&mut arena)?;
    let most = sizes.most(space.len());
    let (mut next, mut before) = (0, 0);
    while next < n {
        let members = &live[before..live.len().min(before + most)];
        let end = live.get(before + members.len()).copied().unwrap_or(n);
        let range = next..end;
        let mut arena = Arena::new(&mut *space);
        let (mut z, _) = sizes.logits(inputs, members, &mut arena)?;
        let group = Members { live: members, rows: range.clone(), wanted: [false; 2] };
        go(&call, range, both(group.places(inputs, &mut z, sizes.columns(), None)?));
        (next, before) = (end, before + members.len());
    }
    Ok(())
}
/// Rows of both sides.
fn both([student, teacher]: [Option<Place<'_>>; 2]) -> [Place<'_>; 2] {
    [student.expect("a head"), teacher.expect("rows")]
}
fn check_upstream(problem: &Problem, inputs: &Inputs<'_>, upstream: &Upstream<'_>) -> Result<()> {
    upstream.check(problem.rows())?;
    if upstream.student_logprob.is_some() && inputs.rows.target.is_none() {
        return Err(no_target("targets, which grad_student_logprob needs"));
    }
    if upstream.loss.is_some() { problem.divergence().check_reduces("grad_loss") } else { Ok(()) }
}
/// Shapes and types of hidden states, weights and rows in memory, and that the teacher is what the problem says.
pub fn check_operands(problem: &Problem, inputs: &Inputs<'_>) -> Result<()> {
    match (problem.teacher(), &inputs.teacher) {
        (Side::Head(_), Teacher::Head(_)) => {}
        (Side::Rows(p), Teacher::Rows(rows)) => {
            rows.logits.layout().check("teacher_rows", problem.rows(), p.vocab())?;
            if rows.logits.dtype() == Dtype::F64 {
                return Err(refuse("teacher_rows", Dtype::F64, "f32, bf16 or f16"));
            }
            let given = rows.transform.bias.is_some() || rows.transform.row_temperature.is_some();
            if given && problem.divergence().options().teacher != Numbers::Logits {
                let expected = Value::Text("nothing: the teacher has no logits");
                return Err(Error::invalid("teacher_transform", Value::Text("a tensor"), expected));
            }
        }
        // the support checks them
        (Side::Rows(_), Teacher::AtIds(..)) => {}
        _ => return Err(OTHER),
    }
    for side in 0..2 {
        if let (Some(p), Some(head)) = (problem.heads()[side], inputs.head(side)) {
            let checked = p.check_operands(&head.hidden, &head.weight);
            checked.map_err(|e| name_side(e, argument(problem, side)))?;
        }
    }
    Ok(())
}
fn argument(problem: &Problem, side: usize) -> Argument {
    if side == 0 { Argument::Student } else { problem.teacher().argument() }
}
fn check(problem: &Problem, inputs: &Inputs<'_>, grads: &[Grads<'_>; 2]) -> Result<()> {
    let (n, sides) = (problem.rows(), [problem.student().logprob(), problem.teacher().rows()]);
    inputs.rows.check(sides[0])?;
    check_operands(problem, inputs)?;
    for side in 0..2 {
        let own = || -> Result<()> {
            let transform = inputs.transform(side);
            if let (Some(p), Some(head)) = (problem.heads()[side], inputs.head(side)) {
                let (weight, d, v) = (head.weight.dtype(), p.hidden_size(), p.vocab());
                if let Some(bias) = &transform.bias {
                    check_dtype("transform.bias", bias.dtype())?;
                }
                let bias = transform.bias.map_or(weight, |b| b.dtype());
                let g = &grads[side];
                let places = [
                    ("grad_hidden", &g.hidden, head.hidden.dtype(), n, d),
                    ("grad_weight", &g.weight, weight, v, d),
                    ("grad_bias", &g.bias, bias, v, 1),
                ];
                for (field, g, own, rows, cols) in places {
                    g.as_ref().map_or(Ok(()), |g| p.check_grad(field, (g.dtype(), g.layout()), own, rows, cols))?;
                }
            } else if grads[side].hidden.is_some() || grads[side].weight.is_some() || grads[side].bias.is_some() {
                let expected = Value::Text("NULL without a teacher's head");
                return Err(Error::invalid("teacher_grads", Value::Text("a tensor"), expected));
            }
            transform.check(sides[side], &inputs.rows)
        };
        own().map_err(|e| name_side(e, argument(problem, side)))?;
    }
    problem.divergence().check_weight(&inputs.rows, inputs.row_weight.as_ref())?;
    match problem.divergence().needs_target() {
        Some(expected) if inputs.rows.target.is_none() => Err(no_target(expected)),
        _ => Ok(()),
    }
}

/// What is written of each row.
enum Wanted<'a> {
    Whole(Figures<'a>),
    Few(PartialFigures<'a>, Support<'a>),
}
#[allow(clippy::too_many_arguments)]
fn run(
    context: &Context,
    problem: &Problem,
    inputs: &Inputs<'_>,
    asked: Asked,
    (mut out, totals): (Wanted<'_>, Totals<'_>),
    given_stats: Option<Matrix<'_, f32>>,
    upstream: Upstream<'_>,
    mut grads: [Grads<'_>; 2],
    workspace: &mut [u8],
) -> Result<()> {
    let sizes = Sizes { context, problem, dtypes: inputs.dtypes(), asked };
    check_space(workspace, sizes.workspace())?;
    let (n, rows) = (problem.rows(), problem.divergence());
    let row_inputs = inputs.rowwise();
    let divisor = rows.divisor(&inputs.rows, inputs.row_weight.as_ref());
    let upstream = Upstream { loss: upstream.loss.map(|g| divisor.map_or(0.0, |z| g / z)), ..upstream };
    let call = match &out {
        Wanted::Whole(out) => Call::new(rows, &row_inputs).asked(out, upstream, asked.any()),
        Wanted::Few(..) => Call { upstream, ..Call::new(rows, &row_inputs) },
    };
    let call = Call { stats: given_stats, ..call };

    let mut arena = Arena::new(workspace);
    let live = live_rows(&call, arena.take(n)?);
    let count = live.len();
    let mut losses = if asked.loss { Some(MatrixMut::vector(arena.take::<f64>(n)?)) } else { None };
    let mut stats = if let Wanted::Whole(out) = &mut out { out.stats.take() } else { None };
    if asked.stats && asked.any() {
        stats = Some(MatrixMut::contiguous(arena.take(n * STATS)?, n, STATS)?);
    }
    let mut others = if sizes.others() { Some(MatrixMut::contiguous(arena.take(2 * n)?, n, 2)?) } else { None };
    let mut kept = match sizes.few() {
        Some(columns) => Some(MatrixMut::contiguous(arena.take::<f64>(n * columns)?, n, columns)?),
        None => None,
    };
    let space = linear::rest(&mut arena)?;

    // live rows of a group, and how many rows form the gradients of weights group by group
    let most = sizes.most(space.len());
    let inside = match () {
        () if !asked.weights() || most < ENOUGH.min(count) => 0,
        () if asked.several() => count.min(BLOCK),
        () if count <= most => count,
        () => 0,
    };
    let later = asked.weights() && (inside < count || count == 0);
    if !later {
        (others, kept) = (None, None);
    }
    let on_few = matches!(out, Wanted::Few(..));
    // with statistics at hand and nothing to form in groups only the tiles read logits
    let reads = on_few || given_stats.is_none() || asked.hidden != [false; 2] || inside > 0 || others.is_some();
    let counters = Counters::new();
    let (mut next, mut before) = (0, 0);
    while next < n {
        let forms = before < inside;
        let limit = if forms { most.min(inside - before) } else { most };
        let members = &live[before..count.min(before + limit)];
        let end = live.get(before + members.len()).copied().unwrap_or(n);
        let range = next..end;
        let wanted = [0, 1].map(|side| asked.hidden[side] || forms && asked.weight[side]);

        let mut arena = Arena::new(&mut *space);
        let group = Members { live: if reads { members } else { &[] }, rows: range.clone(), wanted };
        let (mut z, scratch) = sizes.logits(inputs, group.live, &mut arena)?;
        let places = group.places(inputs, &mut z, sizes.columns(), None)?;
        let own = losses.as_mut().map(|m| piece_of(m.reborrow(), &range));
        match &mut out {
            Wanted::Whole(out) => {
                let (mut figures, rest) = core::mem::take(out).split(range.len());
                *out = rest;
                figures.stats = piece(&mut stats, &range);
                let (places, others) = (both(places), piece(&mut others, &range));
                run_rows(context, &call, range.clone(), Work { places, out: figures, losses: own, others }, &counters);
            }
            Wanted::Few(out, support) => {
                let (figures, rest) = core::mem::take(out).split(range.len());
                *out = rest;
                let work = Rest { places, out: figures, losses: own, kept: piece(&mut kept, &range) };
                partial_rows(context, &few(support, inputs, call), range.clone(), work, &counters);
            }
        }

        for (side, p) in sizes.heads().filter(|(side, _)| wanted[*side]) {
            let (z, ld) = (&*z[side], stride(p.vocab()));
            let fill: &mut Fill<'_> = &mut |rows, columns, tile| {
                tile.put(&z[rows.start * ld + columns.start..], ld, rows.len(), columns.len());
                Ok(())
            };
            let g = grads[side].reborrow();
            let g = if forms { g } else { Grads { weight: None, bias: None, ..g } };
            let given = Given { rows: range.clone(), live: members, most, before, room: Room::BEST, fill };
            backward_given(context, p, inputs.products(side)?, given, g, scratch)?;
        }
        (next, before) = (end, before + members.len());
    }
    if later {
        let stats = given_stats.or(stats.as_ref().map(MatrixMut::view));
        let call = Call { stats, others: others.as_ref().map(MatrixMut::view), ..call };
        let kept = kept.as_ref().map(MatrixMut::view);
        let from = if let (Wanted::Few(_, support), Some(kept)) = (&out, kept) { Some((support, kept)) } else { None };
        for side in 0..2 {
            if asked.weight[side] {
                let g = Grads { hidden: None, ..grads[side].reborrow() };
                tiles(&sizes, inputs, &call, from, side, &live[inside..], inside, g, space)?;
            }
        }
    }
    conclude_loss(totals, losses, divisor, &counters);
    Ok(())
}

/// Rows `range` of an output.
fn piece<'a, T: Element>(m: &'a mut Option<MatrixMut<'_, T>>, range: &Range<usize>) -> Option<MatrixMut<'a, T>> {
    m.as_mut().map(|m| piece_of(m.reborrow(), range))
}
fn piece_of<'a, T: Element>(m: MatrixMut<'a, T>, range: &Range<usize>) -> MatrixMut<'a, T> {
    m.split(range.start).1.split(range.len()).0
}
/// Live rows among neighbours.
struct Members<'a> {
    live: &'a [usize],
    rows: Range<usize>,
    /// Gradients of these sides take the place of the logits.
    wanted: [bool; 2],
}
impl<'a> Members<'a> {
    /// Where the logits of both sides are: `z` of heads, columns `columns` of rows in memory. `ld`: elements between rows, if
    /// not those of all columns.
    fn places(
        &self,
        inputs: &Inputs<'a>,
        z: &'a mut [&mut [f32]; 2],
        columns: [Range<usize>; 2],
        ld: Option<usize>,
    ) -> Result<[Option<Place<'a>>; 2]> {
        let [student, teacher] = z;
        let place = |side: usize, z: &'a mut [f32]| -> Result<Option<Place<'a>>> {
            let columns = &columns[side];
            match (side, &inputs.teacher) {
                (1, Teacher::Rows(rows)) => {
                    return Ok(Some(Place::Read(narrowed(&rows.logits, columns)?, self.rows.start)));
                }
                (1, Teacher::AtIds(..)) => return Ok(None),
                _ => {}
            }
            let layout = Layout::strided(self.live.len(), columns.len(), ld.unwrap_or(stride(columns.len())));
            let (z, live, first) = (MatrixMut::new(z, layout)?, self.live, self.rows.start);
            Ok(Some(Place::Live(Live { z, live, first, wanted: self.wanted[side] })))
        };
        Ok([place(0, student)?, place(1, teacher)?])
    }
}
macro_rules! of_floats {
    ($m:expr, $f:expr) => {
        match $m {
            Floats::F32(m) => $f(m)?.into(),
            Floats::Bf16(m) => $f(m)?.into(),
            Floats::F16(m) => $f(m)?.into(),
            Floats::F64(m) => $f(m)?.into(),
        }
    };
}
/// Columns of a matrix.
fn narrowed<'a>(m: &Floats<'a>, columns: &Range<usize>) -> Result<Floats<'a>> {
    fn of<'a, T: Element>(m: &Matrix<'a, T>, columns: &Range<usize>) -> Result<Matrix<'a, T>> {
        let first = columns.start.min(m.data().len());
        Matrix::new(&m.data()[first..], Layout { cols: columns.len(), ..m.layout() })
    }
    Ok(of_floats!(m, |m| of(m, columns)))
}
/// Entries of a vector.
fn entries<'a>(m: &Floats<'a>, range: &Range<usize>) -> Result<Floats<'a>> {
    fn of<'a, T: Element>(m: &Matrix<'a, T>, range: &Range<usize>) -> Result<Matrix<'a, T>> {
        let layout = m.layout();
        if layout.outer != 1 {
            return Err(Error::shape("transform.bias", layout.shape(), Value::Text("one dimension")));
        }
        let first = layout.offset(range.start).min(m.data().len());
        Matrix::new(&m.data()[first..], Layout { inner: range.len(), ..layout })
    }
    Ok(of_floats!(m, |m| of(m, range)))
}

/// The gradients of weight and bias of side `of` from the rows `live`, of which `before` came before, tile by tile of the
/// vocabulary.
#[allow(clippy::too_many_arguments)]
fn tiles(
    sizes: &Sizes<'_>,
    inputs: &Inputs<'_>,
    call: &Call<'_>,
    from: Option<(&Support<'_>, Matrix<'_, f64>)>,
    of: usize,
    live: &[usize],
    before: usize,
    grads: Grads<'_>,
    space: &mut [u8],
) -> Result<()> {
    let (context, problem, n) = (sizes.context, sizes.problem, sizes.problem.rows());
    let mut room = Room::BEST;
    while sizes.tiles(n, room) > space.len()
        && let Some(less) = room.less()
    {
        room = less;
    }
    let mut arena = Arena::new(space);
    let (mut z, ld): ([&mut [f32]; 2], _) = ([&mut [], &mut []], stride(room.columns));
    let mut raw = 0;
    for (side, p) in sizes.heads() {
        z[side] = arena.take(n.min(BLOCK) * ld)?;
        let need = raw_need(context, p, sizes.dtypes[side], n.min(BLOCK));
        raw = raw.max(if room.roomy { need.preferred } else { need.minimum });
    }
    let scratch = arena.take::<u8>(raw)?;
    let all = [problem.student().logprob(), problem.teacher().rows()];
    let mut wanted = [false; 2];
    wanted[of] = true;
    let fill: &mut Fill<'_> = &mut |rows: Range<usize>, columns: Range<usize>, tile: &Tile<'_>| {
        let members = &live[rows];
        let columns = [0, 1].map(|side| {
            let valid = all[side].valid();
            columns.start.min(valid)..columns.end.min(valid)
        });
        for (side, p) in sizes.heads() {
            let to = (&mut *z[side], ld);
            raw_rows(context, p, inputs.products(side)?, members, columns[side].clone(), to, scratch)?;
        }
        let part = |side: usize| -> Result<(logprob::Problem, TransformInputs<'_>)> {
            let (p, own) = (all[side], &columns[side]);
            let (start, total) = (p.start() + own.start, p.total());
            let problem = logprob::Problem::shard(0, own.len(), *p.options(), start, total)?;
            let transform = inputs.transform(side);
            let bias = transform.bias.as_ref().map(|b| entries(b, own)).transpose()?;
            Ok((problem, TransformInputs { bias, ..transform }))
        };
        let parts = [part(0)?, part(1)?];
        let jobs = [0, 1].map(|side| {
            let (problem, transform) = &parts[side];
            Job::new(problem, *transform, inputs.rows, RowLossInputs::default(), None)
        });
        let [Some(&first), Some(&last)] = [members.first(), members.last()] else { return Ok(()) };
        let group = Members { live: members, rows: first..last + 1, wanted };
        let places = group.places(inputs, &mut z, columns.clone(), Some(ld))?;
        let (call, rows) = (Call { jobs, ..*call }, first..last + 1);
        match from {
            None => {
                let work = Work { places: both(places), out: Figures::default(), losses: None, others: None };
                run_rows(context, &call, rows, work, &Counters::new());
            }
            Some((support, kept)) => {
                let few = Few { from: Some((kept, columns[of].start)), ..few(support, inputs, call) };
                let work = Rest { places, out: PartialFigures::default(), losses: None, kept: None };
                partial_rows(context, &few, rows, work, &Counters::new());
            }
        }
        tile.put(&*z[of], ld, members.len(), columns[of].len());
        Ok(())
    };
    let p = problem.heads()[of].ok_or(OTHER)?;
    let given = Given { rows: 0..n, live, most: n, before, room, fill };
    backward_given(context, p, inputs.products(of)?, given, grads, linear::rest(&mut arena)?)
}
