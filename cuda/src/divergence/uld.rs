//! Distances of sorted probabilities, as `truing_cpu::divergence::uld` has them. `kernels/divergence_uld.cu` says how.
//!
//! What the host cannot look at is judged on the device: factors of a side that are not positive and finite make their row NaN,
//! flagged `OUT_OF_RANGE`; ids of pairs outside their vocabulary, or twice in a list, every row that is read.
use super::*;
use truing_core::divergence::uld::{check_pairs, pair_weights};

pub(crate) const FILE: File =
    File { name: c"divergence_uld.cu", text: include_str!("../../kernels/divergence_uld.cu") };
/// Threads of a block, `TRUING_SORTERS` of the kernels.
const SORTERS: u32 = 256;
/// Rows at a time that the preferred workspace has room for.
const ROWS: usize = 128;

/// Pairs of columns with the same text, and how they count; see `truing_cpu::divergence::Matched`.
#[derive(Clone, Copy, Debug)]
pub struct Matched {
    /// `[M]`, i32 or i64: columns of student and teacher.
    pub ids: [Tensor; 2],
    /// In `[0, 1]`.
    pub beta: f64,
    /// Finite and >= 0, both 0: M over the teacher's number of columns, and 1 less that.
    pub weights: [f64; 2],
}
/// What is compared, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uld {
    /// Columns that count one by one, the largest; 0: all.
    pub k: usize,
    /// Columns that are not sorted.
    pub matched: Option<Matched>,
    /// `[N]`, f32: factors of the probabilities of the student's and the teacher's rows.
    pub scale: [Option<Tensor>; 2],
}
/// Where results go.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct UldOut {
    /// `[N]`, f32
    pub values: Option<Tensor>,
    /// `[N]`, u32
    pub status: Option<Tensor>,
    /// One number, f64 or f32: the values after their reduction.
    pub loss: Option<Tensor>,
    pub grads: Grads,
    /// `[N]`, f32: gradient of the student's factors.
    pub grad_scale: Option<Tensor>,
}
impl UldOut {
    fn total(&self) -> Total {
        Total { loss: self.loss, counters: None }
    }
}

/// `truing_uld_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct UldArgs {
    d: Args,
    ids: [View; 2],
    scale: [View; 2],
    out_scale: View,
    marks: [u64; 2],
    wrong: u64,
    slots: u64,
    slot: i64,
    apart: [i64; 2],
    pairs: i64,
    k: i64,
    beta: f64,
    matched: f64,
    unmatched: f64,
}
/// Bytes of the arguments, for the test that compares them with the kernels' own.
pub const ULD_ARGS: usize = size_of::<UldArgs>();

/// Bytes of the parts of the workspace.
struct Plan {
    total: usize,
    marks: [usize; 2],
    wrong: usize,
    /// An array of a word a column of either side.
    arrays: [usize; 2],
}
impl Plan {
    fn new(problem: &Problem, how: &Uld, out: &UldOut, upstream: &Upstream) -> Plan {
        let vocab = [problem.student(), problem.teacher()].map(|p| p.vocab());
        let pairs = how.matched.is_some();
        Plan {
            total: out.total().need(problem, out.status.is_some(), upstream.loss.wanted()),
            marks: vocab.map(|v| if pairs { Arena::need::<u32>(v.div_ceil(32)) } else { 0 }),
            wrong: if pairs { Arena::need::<u32>(1) } else { 0 },
            arrays: vocab.map(Arena::need::<u64>),
        }
    }
    fn shared(&self) -> usize {
        Arena::sum([self.total, self.marks[0], self.marks[1], self.wrong])
    }
    /// Of a row.
    fn slot(&self) -> usize {
        Arena::sum([self.arrays[0], self.arrays[0], self.arrays[1], self.arrays[1]])
    }
    fn room(&self, rows: usize) -> usize {
        Arena::sum([self.shared(), self.slot().saturating_mul(rows)])
    }
    fn workspace(&self, n: usize) -> Workspace {
        Workspace { minimum: self.room(n.min(1)), preferred: self.room(n.min(ROWS)) }
    }
}
/// Bytes of workspace of [`uld`]: 16 a column of both sides for each row at a time, one at least and 128 at best, and 8 a row with
/// a loss; with pairs a bit more a column.
pub fn uld_workspace(problem: &Problem, how: &Uld, out: &UldOut, upstream: &Upstream) -> Workspace {
    Plan::new(problem, how, out, upstream).workspace(problem.rows())
}
/// Enqueues the values, their reduction, and the gradients that `out` asks for, given those of the values and of the reduced loss.
/// Of the options of `problem` the reduction alone counts. As many rows are under way as the workspace has room for.
///
/// # Safety
/// As for [`forward`].
pub unsafe fn uld(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    how: &Uld,
    inputs: &Inputs,
    out: &UldOut,
    upstream: &Upstream,
    workspace: Space,
) -> Result<()> {
    let n = problem.rows();
    check(problem, how, inputs, out, upstream).map_err(unprefixed)?;
    let plan = Plan::new(problem, how, out, upstream);
    workspace.check(plan.workspace(n).minimum)?;
    if n == 0 && plan.total == 0 {
        return Ok(());
    }
    let device = Device::current()?;
    let go = Launch { context, stream, device: &device, rows: n, program: program(&problem.choice().form) };
    let mark = if how.matched.is_some() { Some(go.kernel(FILE, c"truing_uld_mark")?) } else { None };
    let rows = go.kernel(FILE, c"truing_uld_rows")?;

    // the student first
    let mut d = arguments_of(problem, &Choice { student_first: true, ..*problem.choice() }, inputs);
    d.out_values = View::of(out.values);
    (d.side[0].grad, d.side[1].grad) = (View::of(out.grads.student), View::of(out.grads.teacher));
    // what the loss gives comes without the host's factor, which the rows multiply by once
    let total = out.total().plan(problem, &mut d, workspace.data, out.status, &upstream.loss, 1.0, false);
    (d.grad_values, d.grad_scale) = (View::of(upstream.values), upstream.scale);
    let of_all = if plan.total > 0 { Some(total.kernels(&go)?) } else { None };
    let marks = workspace.data + plan.total as u64;
    let wrong = marks + (plan.marks[0] + plan.marks[1]) as u64;
    let pairs = how.matched.map_or(0, |m| m.ids[0].layout.rows());
    let [matched, unmatched] =
        how.matched.map_or([0.0, 1.0], |m| pair_weights(m.weights, pairs, problem.teacher().valid()));
    let args = UldArgs {
        d,
        ids: [0, 1].map(|i| View::of(how.matched.map(|m| m.ids[i]))),
        scale: how.scale.map(View::of),
        out_scale: View::of(out.grad_scale),
        marks: [marks, marks + plan.marks[0] as u64],
        wrong,
        slots: wrong + plan.wrong as u64,
        slot: (plan.slot() / 8) as i64,
        apart: plan.arrays.map(|bytes| (bytes / 8) as i64),
        pairs: pairs as i64,
        // beyond all columns it is none
        k: how.k.min(u32::MAX as usize) as i64,
        beta: how.matched.map_or(0.0, |m| m.beta),
        matched,
        unmatched,
    };
    let slots = (workspace.size - plan.shared()) / plan.slot().max(1);
    let grid = n.min(slots).min(i32::MAX as usize) as u32;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        if let Some(kernels) = &of_all {
            total.divisor(&go, kernels)?;
        }
        if n > 0 {
            if let Some(mark) = mark {
                mark.launch(&device, stream, Grid::new(1, SORTERS), &args)?;
            }
            rows.launch(&device, stream, Grid::new(grid, SORTERS), &args)?;
        }
        if let Some(kernels) = &of_all {
            total.total(&go, kernels)?;
        }
    }
    Ok(())
}
/// Fields as this operation has them.
fn unprefixed(e: Error) -> Error {
    let field = e.field.strip_prefix("outputs.").or(e.field.strip_prefix("options.")).unwrap_or(e.field);
    Error { field, ..e }
}
fn check(problem: &Problem, how: &Uld, inputs: &Inputs, out: &UldOut, upstream: &Upstream) -> Result<()> {
    let n = problem.rows();
    check_problem(problem)?;
    check_shards(problem, false, None)?;
    check_inputs(problem, inputs)?;
    for (field, x) in [("student_scale", &how.scale[0]), ("teacher_scale", &how.scale[1])] {
        x.as_ref().map_or(Ok(()), |x| x.check(field, n, 1, &F32))?;
    }
    let results = [
        ("out_values", &out.values, &F32),
        ("out_status", &out.status, &U32),
        ("grad_student_scale_out", &out.grad_scale, &F32),
    ];
    for (field, x, dtypes) in results {
        x.as_ref().map_or(Ok(()), |x| x.check_out(field, n, 1, dtypes))?;
    }
    if out.grad_scale.is_some() && how.scale[0].is_none() {
        let expected = Value::Text("NULL without student_scale");
        return Err(Error::invalid("grad_student_scale_out", Value::Text("a tensor"), expected));
    }
    if let Some(matched) = &how.matched {
        check_pairs(matched.ids.map(|ids| ids.layout.rows()), matched.beta, matched.weights)?;
        let m = matched.ids[0].layout.rows();
        for (field, ids) in [("matched_student_ids", &matched.ids[0]), ("matched_teacher_ids", &matched.ids[1])] {
            ids.check(field, m, 1, &IDS)?;
        }
    }
    out.total().check(problem)?;
    check_gradients(problem, inputs, upstream, &out.grads)
}
