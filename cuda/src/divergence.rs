//! Divergences of two models' logits `[N, V]` on a device, forward, backward, or both, with the bits of the CPU.
//! `kernels/divergence.cuh` says how.
//!
//! What the host cannot look at without waiting is judged on the device: a target outside the student's vocabulary and a row
//! weight that is not finite and >= 0 make their row NaN, flagged `OUT_OF_RANGE`; temperatures and biases as for
//! [`crate::logprob`]. Cross entropies are those of the kernels of that divergence, once more over the rows.
use crate::driver::{Device, Grid, Kernel, Stream};
use crate::logprob::Transform;
use crate::plan::{F32, FLOATS, I32, I64, IDS, LOGITS, MASK, Space, Tensor, U32, View, WIDE, cover};
use crate::program::{Context, File};
use core::ffi::CStr;
use truing_core::divergence::formula::{self, Formula};
use truing_core::divergence::{Choice, Form, Problem, STATS, Teacher, name_side};
use truing_core::logprob;
use truing_core::matrix::{Arena, Workspace};
use truing_core::preference::Reduction;
use truing_core::record::BLOCK;
use truing_core::{Dtype, Error, Result, Status, Value};

mod partial;
mod sequence;
mod shard;
mod uld;
pub(crate) use partial::FILE as PARTIAL;
pub use partial::{
    PARTIAL_ARGS, PartialCall, PartialFigures, PartialShards, PartialTeacher, Total, backward_partial, finish_partial,
    forward_partial, local_partial, partial_finish_workspace, partial_workspace,
};
pub use sequence::{SequenceFigures, sequence_kl, sequence_kl_backward, sequence_kl_workspace};
pub use shard::{Finish, Local, LocalPass, SHARD_ARGS, finish, finish_workspace, local, local_workspace};
pub(crate) use uld::FILE as ULD;
pub use uld::{Matched, ULD_ARGS, Uld, UldOut, uld, uld_workspace};

/// The headers that only these kernels include.
pub(crate) const HEADERS: [(&CStr, &str); 3] = [
    (c"divergence.cuh", include_str!("../kernels/divergence.cuh")),
    (c"divergence_shard.cuh", include_str!("../kernels/divergence_shard.cuh")),
    (c"generated/divergence.cuh", include_str!("../kernels/generated/divergence.cuh")),
];
/// The kernels of a form.
#[derive(Debug)]
struct Program {
    file: File,
    blocks: &'static CStr,
    rows: &'static CStr,
    sums: &'static CStr,
    constants: &'static CStr,
    grad: &'static CStr,
    /// A text of its own.
    shard: (File, &'static CStr),
    /// Values come from a pass of their own, and so do the means of weights.
    chain: bool,
    late: bool,
}
macro_rules! program {
    ($name:literal $form:ident) => {{
        const fn c(s: &'static str) -> &'static CStr {
            match CStr::from_bytes_with_nul(s.as_bytes()) {
                Ok(s) => s,
                Err(_) => unreachable!(),
            }
        }
        const PROGRAM: Program = Program {
            file: File {
                name: c(concat!("divergence_", $name, ".cu\0")),
                text: concat!("#include \"divergence.cuh\"\nTRUING_DIVERGENCE(", $name, ")\n"),
            },
            blocks: c(concat!("truing_divergence_blocks_", $name, "\0")),
            rows: c(concat!("truing_divergence_rows_", $name, "\0")),
            sums: c(concat!("truing_divergence_sums_", $name, "\0")),
            constants: c(concat!("truing_divergence_constants_", $name, "\0")),
            grad: c(concat!("truing_divergence_grad_", $name, "\0")),
            shard: (
                File {
                    name: c(concat!("shard_", $name, ".cu\0")),
                    text: concat!("#include \"divergence_shard.cuh\"\nTRUING_SHARD(", $name, ")\n"),
                },
                c(concat!("truing_shard_", $name, "\0")),
            ),
            chain: <formula::$form as Formula>::CHAIN,
            late: <formula::$form as Formula>::LATE,
        };
        &PROGRAM
    }};
}
fn program(form: &Form) -> &'static Program {
    match form {
        Form::Kl => program!("kl" Kl),
        Form::TwoWay { .. } => program!("two_way" TwoWay),
        Form::Jsd { .. } => program!("jsd" Jsd),
        Form::Skew { .. } => program!("skew" Skew),
        Form::Power { .. } => program!("power" Power),
        Form::Hellinger2 => program!("hellinger2" Hellinger2),
        Form::Chi2 => program!("chi2" Chi2),
        Form::Tvd => program!("tvd" Tvd),
        Form::CosineProbs => program!("cosine_probs" CosineProbs),
        Form::CosineLogits => program!("cosine_logits" CosineLogits),
        Form::CrossEntropy | Form::Zero => program!("cross_entropy" CrossEntropy),
    }
}
/// Compiles and loads the kernels of a problem's divergence for the device of the current context. [`Context::prepare`] leaves
/// them out: there is a text for each form, and a run wants one. What cross entropies need besides is loaded by the first call.
pub fn prepare(context: &Context, problem: &Problem) -> Result<()> {
    let program = program(&problem.choice().form);
    context.load(program.file)?;
    if problem.student().total() != problem.student().vocab() {
        context.load(program.shard.0)?;
    }
    // what no form changes
    context.load(partial::FILE)
}

/// One model's rows.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    /// `[N, V]`: f32, bf16 or f16.
    pub logits: Tensor,
    /// `[V]`: finite or `-inf` (a dead column).
    pub bias: Option<Tensor>,
    /// `[N]`, f32, replaces the temperature.
    pub row_temperature: Option<Tensor>,
}
impl Side {
    /// Logits alone.
    pub fn new(logits: Tensor) -> Side {
        Side { logits, bias: None, row_temperature: None }
    }
}
/// What both directions read.
#[derive(Clone, Copy, Debug)]
pub struct Inputs {
    /// The student.
    pub student: Side,
    /// The teacher.
    pub teacher: Side,
    /// `[N]`: i32 or i64; needed by every figure of the target.
    pub target: Option<Tensor>,
    /// `[N]`: u8, i32 or i64; a row with 0 is not read.
    pub mask: Option<Tensor>,
    /// `[N]`, f32; a row with 0 is not read.
    pub row_weight: Option<Tensor>,
}
impl Inputs {
    /// Logits alone.
    pub fn new(student: Tensor, teacher: Tensor) -> Inputs {
        let (student, teacher) = (Side::new(student), Side::new(teacher));
        Inputs { student, teacher, target: None, mask: None, row_weight: None }
    }
}
/// Where figures go, `[N]` each, f32 but for what says otherwise; see [`truing_core::divergence::Figures`].
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Figures {
    pub values: Option<Tensor>,
    pub student_entropy: Option<Tensor>,
    pub teacher_entropy: Option<Tensor>,
    pub cross_entropy: Option<Tensor>,
    pub reverse_cross_entropy: Option<Tensor>,
    pub student_logprob: Option<Tensor>,
    pub teacher_logprob: Option<Tensor>,
    /// i32, as the next.
    pub student_rank: Option<Tensor>,
    pub teacher_rank: Option<Tensor>,
    /// `[N, 16]`, for the backward.
    pub stats: Option<Tensor>,
    /// u32
    pub status: Option<Tensor>,
    /// What all rows have together.
    pub total: Total,
}
/// Gradients of a scalar with respect to the figures, `[N]` each, f32; an absent one counts as 0.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Upstream {
    pub values: Option<Tensor>,
    pub student_logprob: Option<Tensor>,
    /// Of the reduced loss, one number.
    pub loss: Loss,
    /// Host factor on all of them.
    pub scale: f64,
}
impl Default for Upstream {
    fn default() -> Upstream {
        Upstream { values: None, student_logprob: None, loss: Loss::None, scale: 1.0 }
    }
}
/// The gradient of the reduced loss.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    /// 0.
    None,
    /// 1.
    One,
    /// On the device.
    At(Tensor),
}
impl Loss {
    fn wanted(&self) -> bool {
        !matches!(self, Loss::None)
    }
    fn tensor(&self) -> Option<Tensor> {
        if let Loss::At(x) = self { Some(*x) } else { None }
    }
}
/// Where the gradients of both sides' logits go: `[N, V]` of the type of the logits or f32. One may be its own logits.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Grads {
    pub student: Option<Tensor>,
    pub teacher: Option<Tensor>,
}

/// `truing_side` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct SideArgs {
    logits: View,
    grad: View,
    bias: View,
    temperature: View,
    shifted: View,
    logit_scale: f64,
    softcap: f64,
    fixed_temperature: f64,
    transform: Transform,
    vocab: u32,
    valid: u32,
    shift: f32,
    numbers: u32,
}
/// `truing_divergence_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Args {
    side: [SideArgs; 2],
    target: View,
    mask: View,
    weight: View,
    stats: View,
    grad_values: View,
    grad_logprob: View,
    out_values: View,
    out_entropy: [View; 2],
    out_logprob: [View; 2],
    out_stats: View,
    out_status: View,
    pub(crate) blocks: u64,
    pub(crate) states: u64,
    columns: u64,
    losses: u64,
    ratios: u64,
    given: u64,
    rows: i64,
    ignore_index: i64,
    form: [f64; 2],
    hard_weight: f64,
    soft_weight: f64,
    grad_scale: f64,
    p: [f32; 2],
    parts: u32,
    pub(crate) lanes: u32,
    has_ignore: u32,
    student: u32,
    entropy: u32,
    moments: u32,
    step: u32,
    infinite: u32,
    zero: u32,
    renyi: u32,
    dft: u32,
    squared: u32,
    each: u32,
    total: u32,
    unweighted: u32,
    ranks: u32,
    start: u32,
    reserved: u32,
}
/// Bytes of the arguments, for the test that compares them with the kernels' own.
pub const ARGS: usize = size_of::<Args>();
/// Bytes of the record of a block, of `truing_divergence_row` and of `truing_divergence_columns`.
const PIECE: usize = 64;
pub(crate) const STATE: usize = 176;
const COLUMNS: usize = 128;
/// Warps of a block of threads, `TRUING_PAIRS` of the kernels.
pub(crate) const WARPS: usize = 2;
pub(crate) const THREADS: usize = 128;

fn widest(problem: &Problem) -> usize {
    problem.student().valid().max(problem.teacher().valid())
}
pub(crate) fn parts(problem: &Problem) -> usize {
    widest(problem).div_ceil(BLOCK)
}
/// Places in the workspace, in this order; each where it is needed.
#[derive(Clone, Copy)]
struct Need {
    /// Of the gradients' constants.
    columns: usize,
    /// Of statistics that the caller does not keep.
    stats: usize,
    /// Of what makes one number of all rows.
    total: usize,
    /// Of the values.
    forward: usize,
}
impl Need {
    fn new(problem: &Problem, forward: bool, stats: bool, gradients: bool, total: usize) -> Need {
        let n = problem.rows();
        let some = |yes: bool, bytes: usize| if yes { bytes } else { 0 };
        let blocks = Arena::need::<[u8; PIECE]>(n.saturating_mul(parts(problem)));
        Need {
            columns: some(gradients, Arena::need::<[u8; COLUMNS]>(n)),
            stats: some(stats, Arena::need::<[f32; STATS]>(n)),
            total,
            forward: some(forward, Arena::sum([Arena::need::<[u8; STATE]>(n), blocks])),
        }
    }
    fn workspace(&self) -> Workspace {
        let bytes = Arena::sum([self.columns, self.stats, self.total, self.forward]);
        Workspace { minimum: bytes, preferred: bytes }
    }
}
/// Bytes of workspace of [`forward`].
pub fn forward_workspace(problem: &Problem, out: &Figures) -> Workspace {
    Need::new(problem, true, false, false, out.total.need(problem, out.status.is_some(), false)).workspace()
}
/// Bytes of workspace of [`backward`]; `stats`: they are given.
pub fn backward_workspace(problem: &Problem, stats: bool, upstream: &Upstream) -> Workspace {
    let total = Total::default().need(problem, false, upstream.loss.wanted());
    Need::new(problem, !stats, !stats, true, total).workspace()
}
/// Bytes of workspace of [`forward_fused`].
pub fn fused_workspace(problem: &Problem, out: &Figures, upstream: &Upstream) -> Workspace {
    let total = out.total.need(problem, out.status.is_some(), upstream.loss.wanted());
    Need::new(problem, true, out.stats.is_none(), true, total).workspace()
}

/// Enqueues the figures that `out` asks for.
///
/// # Safety
/// Every array lies in memory that the current context's device reads and writes, with the extent its layout names, until
/// `stream` has passed the call; outputs and workspace overlap nothing.
pub unsafe fn forward(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    inputs: &Inputs,
    out: &Figures,
    workspace: Space,
) -> Result<()> {
    let need = Need::new(problem, true, false, false, out.total.need(problem, out.status.is_some(), false));
    // SAFETY: the caller's promise.
    unsafe { run(context, stream, problem, inputs, out, None, None, None, workspace, need, true) }
}
/// Enqueues the gradients of both sides' logits, given those of the figures; see `truing_cpu::divergence::backward`. `stats`
/// are those of a forward with the same options, or of [`finish`] where the sides are shards; without them the rows are
/// computed again, with the same bits.
///
/// # Safety
/// As for [`forward`].
pub unsafe fn backward(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    inputs: &Inputs,
    stats: Option<Tensor>,
    upstream: &Upstream,
    grads: &Grads,
    status: Option<Tensor>,
    workspace: Space,
) -> Result<()> {
    let out = Figures { status, ..Figures::default() };
    let total = Total::default().need(problem, false, upstream.loss.wanted());
    let need = Need::new(problem, stats.is_none(), stats.is_none(), true, total);
    // SAFETY: the caller's promise.
    unsafe { run(context, stream, problem, inputs, &out, stats, Some((upstream, grads)), None, workspace, need, false) }
}
/// [`forward`], and the gradients in the same call, given those of the figures.
///
/// # Safety
/// As for [`forward`].
pub unsafe fn forward_fused(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    inputs: &Inputs,
    out: &Figures,
    upstream: &Upstream,
    grads: &Grads,
    workspace: Space,
) -> Result<()> {
    let total = out.total.need(problem, out.status.is_some(), upstream.loss.wanted());
    let need = Need::new(problem, true, out.stats.is_none(), true, total);
    // SAFETY: the caller's promise.
    unsafe { run(context, stream, problem, inputs, out, None, Some((upstream, grads)), None, workspace, need, true) }
}
/// `pairs`: where the f64 values of the rows go, and the log ratios of their targets.
///
/// # Safety
/// As for [`forward`].
unsafe fn run(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    inputs: &Inputs,
    out: &Figures,
    stats: Option<Tensor>,
    gradients: Option<(&Upstream, &Grads)>,
    pairs: Option<[u64; 2]>,
    workspace: Space,
    need: Need,
    fused: bool,
) -> Result<()> {
    let n = problem.rows();
    check_problem(problem)?;
    check_shards(problem, stats.is_some(), gradients.map(|x| x.0))?;
    check_inputs(problem, inputs)?;
    check_figures(problem, inputs, out)?;
    out.total.check(problem)?;
    if let Some((upstream, grads)) = gradients {
        check_gradients(problem, inputs, upstream, grads)?;
    }
    if let Some(s) = &stats {
        s.check("stats", n, STATS, &F32)?;
    }
    workspace.check(need.workspace().minimum)?;
    if n == 0 && need.total == 0 {
        return Ok(());
    }
    let device = Device::current()?;
    let program = program(&problem.choice().form);
    let mut args = arguments(problem, inputs);
    args.columns = workspace.data;
    let kept = workspace.data + need.columns as u64;
    let shared = kept + need.stats as u64;
    args.states = shared + need.total as u64;
    args.blocks = args.states + Arena::need::<[u8; STATE]>(n) as u64;
    let own = (need.stats > 0).then(|| Tensor::contiguous(kept, Dtype::F32, n, STATS));
    let (saved, order) = (out.stats.or(own), problem.choice().order([0, 1]));
    args.out_values = View::of(out.values);
    args.out_entropy = order.map(|i| View::of([out.student_entropy, out.teacher_entropy][i]));
    args.out_logprob = order.map(|i| View::of([out.student_logprob, out.teacher_logprob][i]));
    (args.out_stats, args.out_status) = (View::of(saved), View::of(out.status));
    args.entropy = (out.student_entropy.is_some() || out.teacher_entropy.is_some()) as u32;
    args.ranks = (out.student_rank.is_some() || out.teacher_rank.is_some()) as u32;
    let go = Launch { context, stream, device: &device, rows: n, program };
    let loss = gradients.map_or(Loss::None, |x| x.0.loss);
    let scale = gradients.map_or(1.0, |x| x.0.scale);
    let total = out.total.plan(problem, &mut args, shared, out.status, &loss, scale, fused);
    if let Some(pairs) = pairs {
        [args.losses, args.ratios] = pairs;
    }
    // every kernel is there before the first is launched
    let kernels = go.kernels()?;
    let of_all = if need.total > 0 { Some(total.kernels(&go)?) } else { None };
    let ranks = if args.ranks != 0 { Some(go.kernel(partial::FILE, partial::RANKS)?) } else { None };
    let crosses = cross_entropies(problem, inputs, out);
    let cross = Launch { program: self::program(&Form::CrossEntropy), ..go };
    let of_cross = if crosses.iter().any(|x| x.is_some()) { Some(cross.kernels()?) } else { None };
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        if let Some(kernels) = &of_all {
            total.divisor(&go, kernels)?;
        }
        if need.forward > 0 && n > 0 {
            go.values(&kernels, &mut args, parts(problem), saved.is_some())?;
        }
        if let Some(kernels) = &of_all {
            total.total(&go, kernels)?;
        }
        if let Some(ranks) = ranks
            && n > 0
        {
            let mut all = partial::PartialArgs::new(args);
            all.ranks(order.map(|i| [out.student_rank, out.teacher_rank][i]));
            ranks.launch(&device, stream, Grid::new(cover("student", n, 1)?, 256), &all)?;
        }
        // in the place of what the rows left there; a gradient may overwrite the logits
        if let Some(kernels) = &of_cross
            && n > 0
        {
            for own in crosses.iter().flatten() {
                let mut own = Args { states: args.states, blocks: args.blocks, ..*own };
                cross.values(kernels, &mut own, parts(problem), false)?;
            }
        }
        if let Some((upstream, grads)) = gradients
            && n > 0
        {
            let places = problem.choice().order([grads.student, grads.teacher]);
            (args.side[0].grad, args.side[1].grad) = (View::of(places[0]), View::of(places[1]));
            args.stats = View::of(stats.or(saved));
            (args.grad_values, args.grad_logprob) = (View::of(upstream.values), View::of(upstream.student_logprob));
            args.grad_scale = upstream.scale;
            let widths = problem.choice().order([problem.student().vocab(), problem.teacher().vocab()]);
            let width = (0..2).map(|i| if places[i].is_some() { widths[i] } else { 0 }).max().unwrap_or(0);
            go.gradients(&kernels, &args, width)?;
        }
    }
    Ok(())
}
/// The arguments of both cross entropies where they are asked for: weights only say which rows are read.
fn cross_entropies(problem: &Problem, inputs: &Inputs, out: &Figures) -> [Option<Args>; 2] {
    [(out.cross_entropy, false), (out.reverse_cross_entropy, true)].map(|(place, student_first)| {
        place.map(|place| {
            let choice = Choice { form: Form::CrossEntropy, student_first };
            let args = arguments_of(problem, &choice, inputs);
            Args {
                out_values: View::of(Some(place)),
                hard_weight: 0.0,
                soft_weight: 1.0,
                squared: 0,
                dft: 0,
                unweighted: 1,
                ..args
            }
        })
    })
}

/// Where and with what a call launches.
#[derive(Clone, Copy)]
struct Launch<'a> {
    context: &'a Context,
    stream: Stream,
    device: &'a Device,
    rows: usize,
    program: &'a Program,
}
/// The kernels of a form.
struct Kernels {
    blocks: Kernel,
    rows: Kernel,
    sums: Kernel,
    constants: Kernel,
    grad: Kernel,
}
impl Launch<'_> {
    fn kernel(&self, file: File, name: &'static CStr) -> Result<Kernel> {
        self.context.kernel(self.device, self.stream, file, name)
    }
    fn kernels(&self) -> Result<Kernels> {
        let kernel = |name| self.kernel(self.program.file, name);
        Ok(Kernels {
            blocks: kernel(self.program.blocks)?,
            rows: kernel(self.program.rows)?,
            sums: kernel(self.program.sums)?,
            constants: kernel(self.program.constants)?,
            grad: kernel(self.program.grad)?,
        })
    }
    /// The figures of rows of so many parts; `moments`: the means of weights too, which statistics hold.
    ///
    /// # Safety
    /// As for [`Kernel::launch`].
    unsafe fn values(&self, kernels: &Kernels, args: &mut Args, parts: usize, moments: bool) -> Result<()> {
        let moments = moments as u32;
        // values inside a block that only lead to the normalisers need no means
        args.moments = if self.program.chain { moments } else { 0 };
        args.step = 0;
        // SAFETY: the caller's promise.
        unsafe {
            self.over_blocks(kernels.blocks, parts, args)?;
            self.over_rows(kernels.rows, args)?;
            args.moments = moments;
            for (step, wanted) in [(1, !self.program.chain), (2, self.program.late && moments != 0)] {
                if wanted {
                    args.step = step;
                    self.over_blocks(kernels.sums, parts, args)?;
                    self.over_rows(kernels.rows, args)?;
                }
            }
        }
        Ok(())
    }
    /// Gradients of `width` columns.
    ///
    /// # Safety
    /// As for [`Kernel::launch`].
    unsafe fn gradients(&self, kernels: &Kernels, args: &Args, width: usize) -> Result<()> {
        let grid = cover("student", self.rows, THREADS)?;
        // SAFETY: the caller's promise.
        unsafe {
            kernels.constants.launch(self.device, self.stream, Grid::new(grid, THREADS as u32), args)?;
            if width > 0 {
                self.over_blocks(kernels.grad, width.div_ceil(BLOCK), args)?;
            }
        }
        Ok(())
    }
    /// A warp for each of the `parts` blocks of every row.
    ///
    /// # Safety
    /// As for [`Kernel::launch`].
    unsafe fn over_blocks(&self, kernel: Kernel, parts: usize, args: &Args) -> Result<()> {
        // a warp that has a task left takes it when the grid has no room for more
        let grid = self.rows.saturating_mul(parts).div_ceil(WARPS).min(i32::MAX as usize) as u32;
        // SAFETY: the caller's promise.
        unsafe { kernel.launch(self.device, self.stream, Grid::new(grid, 32 * WARPS as u32), args) }
    }
    /// `args.lanes` lanes for each row.
    ///
    /// # Safety
    /// As for [`Kernel::launch`].
    unsafe fn over_rows(&self, kernel: Kernel, args: &Args) -> Result<()> {
        let grid = cover("student", self.rows.saturating_mul(args.lanes as usize), THREADS)?;
        // SAFETY: the caller's promise.
        unsafe { kernel.launch(self.device, self.stream, Grid::new(grid, THREADS as u32), args) }
    }
}
/// Refuses options of rows that divergences do not have.
fn check_problem(problem: &Problem) -> Result<()> {
    for side in [problem.student(), problem.teacher()] {
        side.options().check_common("nothing: divergences have none")?;
    }
    Ok(())
}
/// Of shards there are gradients, from the statistics of [`finish`]; a forward is [`local`] and [`finish`].
fn check_shards(problem: &Problem, stats: bool, gradients: Option<&Upstream>) -> Result<()> {
    let [student, teacher] = [problem.student(), problem.teacher()];
    let total = |side: &logprob::Problem| {
        Err(Error::invalid("shard.vocab_total", Value::Size(side.total()), Value::Size(side.vocab())))
    };
    let whole = |side: &logprob::Problem| side.total() == side.vocab();
    match gradients {
        _ if whole(student) && whole(teacher) => Ok(()),
        None => total(if whole(student) { teacher } else { student }),
        Some(upstream) => {
            problem.check_shard()?;
            let missing = |field, got, expected| Err(Error::invalid(field, Value::Text(got), Value::Text(expected)));
            if !stats {
                return missing("stats", "NULL", "the statistics of finish, which a shard needs");
            }
            if upstream.student_logprob.is_some() {
                return missing("grad_student_logprob", "a tensor", "NULL over shards");
            }
            Ok(())
        }
    }
}
fn check_inputs(problem: &Problem, inputs: &Inputs) -> Result<()> {
    check_side(problem, &inputs.student, false)?;
    check_side(problem, &inputs.teacher, true)?;
    if problem.options().teacher != Teacher::Logits {
        let Side { bias, row_temperature, .. } = &inputs.teacher;
        check_no_logits("teacher_transform", bias.is_some() || row_temperature.is_some())?;
    }
    check_rows(problem, inputs)
}
/// What a teacher of other numbers cannot have.
fn check_no_logits(field: &'static str, given: bool) -> Result<()> {
    if !given {
        return Ok(());
    }
    Err(Error::invalid(field, Value::Text("a tensor"), Value::Text("nothing: the teacher has no logits")))
}
pub(crate) fn check_side(problem: &Problem, side: &Side, teacher: bool) -> Result<()> {
    let (n, v) = (problem.rows(), if teacher { problem.teacher() } else { problem.student() }.vocab());
    side.logits.check("logits", n, v, &LOGITS).map_err(|e| name_side(e, teacher))?;
    check_transform(problem, side, teacher)
}
fn check_transform(problem: &Problem, side: &Side, teacher: bool) -> Result<()> {
    let (n, v) = (problem.rows(), if teacher { problem.teacher() } else { problem.student() }.vocab());
    let own = || {
        side.bias.as_ref().map_or(Ok(()), |x| x.check("transform.bias", v, 1, &FLOATS))?;
        side.row_temperature.as_ref().map_or(Ok(()), |x| x.check("transform.row_temperature", n, 1, &F32))
    };
    own().map_err(|e| name_side(e, teacher))
}
/// What the rows have beside logits.
fn check_rows(problem: &Problem, inputs: &Inputs) -> Result<()> {
    let n = problem.rows();
    let optional = [
        ("rows.target", &inputs.target, &IDS),
        ("rows.mask", &inputs.mask, &MASK),
        ("row_weight", &inputs.row_weight, &F32),
    ];
    for (field, x, dtypes) in optional {
        x.as_ref().map_or(Ok(()), |x| x.check(field, n, 1, dtypes))?;
    }
    match problem.needs_target() {
        Some(expected) if inputs.target.is_none() => Err(no_target(expected)),
        _ => Ok(()),
    }
}
fn no_target(expected: &'static str) -> Error {
    Error::invalid("rows.target", Value::Text("NULL"), Value::Text(expected))
}
fn check_figures(problem: &Problem, inputs: &Inputs, out: &Figures) -> Result<()> {
    let all = [
        ("outputs.out_values", &out.values, 1, &F32),
        ("outputs.out_student_entropy", &out.student_entropy, 1, &F32),
        ("outputs.out_teacher_entropy", &out.teacher_entropy, 1, &F32),
        ("outputs.out_cross_entropy", &out.cross_entropy, 1, &F32),
        ("outputs.out_reverse_cross_entropy", &out.reverse_cross_entropy, 1, &F32),
        ("outputs.out_student_rank", &out.student_rank, 1, &I32),
        ("outputs.out_teacher_rank", &out.teacher_rank, 1, &I32),
        ("outputs.out_student_logprob", &out.student_logprob, 1, &F32),
        ("outputs.out_teacher_logprob", &out.teacher_logprob, 1, &F32),
        ("outputs.out_stats", &out.stats, STATS, &F32),
        ("outputs.out_status", &out.status, 1, &U32),
    ];
    for (field, x, cols, dtypes) in all {
        x.as_ref().map_or(Ok(()), |x| x.check_out(field, problem.rows(), cols, dtypes))?;
    }
    if (out.student_logprob.is_some() || out.teacher_logprob.is_some()) && inputs.target.is_none() {
        return Err(no_target("targets, which the log-probs of the target need"));
    }
    Ok(())
}
fn check_loss(problem: &Problem, loss: &Loss) -> Result<()> {
    if let Loss::At(x) = loss {
        x.check("grad_loss", 1, 1, &FLOATS)?;
    }
    if loss.wanted() { problem.check_reduces("grad_loss") } else { Ok(()) }
}
fn check_gradients(problem: &Problem, inputs: &Inputs, upstream: &Upstream, grads: &Grads) -> Result<()> {
    let n = problem.rows();
    for (field, x) in [("grad_values", &upstream.values), ("grad_student_logprob", &upstream.student_logprob)] {
        x.as_ref().map_or(Ok(()), |x| x.check(field, n, 1, &F32))?;
    }
    if !upstream.scale.is_finite() {
        return Err(Error::invalid("grad_scale", Value::Float(upstream.scale), Value::Text("a finite number")));
    }
    if upstream.student_logprob.is_some() && inputs.target.is_none() {
        return Err(no_target("targets, which grad_student_logprob needs"));
    }
    check_loss(problem, &upstream.loss)?;
    check_no_logits("grad_teacher_out", problem.options().teacher != Teacher::Logits && grads.teacher.is_some())?;
    let (student, teacher) = (&inputs.student.logits, &inputs.teacher.logits);
    let places = [
        ("grad_student_out", &grads.student, problem.student(), student, teacher),
        ("grad_teacher_out", &grads.teacher, problem.teacher(), teacher, student),
    ];
    for (field, grad, of, z, other) in places {
        let Some(g) = grad else { continue };
        g.check_out(field, n, of.vocab(), &LOGITS)?;
        if g.dtype != z.dtype && g.dtype != Dtype::F32 {
            let expected = Value::Text("the type of the logits or f32");
            return Err(Error::new(Status::UnsupportedDtype, field, Value::Dtype(g.dtype), expected));
        }
        let meets = |x: &Tensor| {
            let ((a, b), (c, d)) = (x.range(), g.range());
            a < d && c < b
        };
        if z != g && meets(z) || meets(other) {
            let expected = Value::Text("its own logits or memory apart from all logits");
            return Err(Error::new(Status::Aliasing, field, Value::Text("a part of the logits"), expected));
        }
    }
    if let (Some(a), Some(b)) = (&grads.student, &grads.teacher) {
        let ((a, b), (c, d)) = (a.range(), b.range());
        if a < d && c < b {
            let expected = Value::Text("memory apart from grad_student_out");
            return Err(Error::new(Status::Aliasing, "grad_teacher_out", Value::Text("a part of it"), expected));
        }
    }
    Ok(())
}
pub(crate) fn arguments(problem: &Problem, inputs: &Inputs) -> Args {
    arguments_of(problem, problem.choice(), inputs)
}
/// Of another form or order of the sides.
fn arguments_of(problem: &Problem, choice: &Choice, inputs: &Inputs) -> Args {
    let (options, none) = (problem.options(), View::NONE);
    let parts = parts(problem) as u32;
    let side = |x: &Side, of: &logprob::Problem, teacher: bool| {
        let t = of.options().transform;
        let shift = if teacher { options.teacher_target_shift } else { 0.0 };
        SideArgs {
            logits: View::of(Some(x.logits)),
            grad: none,
            bias: View::of(x.bias),
            temperature: View::of(x.row_temperature),
            shifted: View::of(inputs.target.filter(|_| shift != 0.0)),
            logit_scale: t.logit_scale,
            softcap: t.softcap,
            fixed_temperature: t.temperature,
            transform: Transform::of(&t),
            vocab: of.vocab() as u32,
            valid: of.valid() as u32,
            shift: shift as f32,
            numbers: match options.teacher {
                Teacher::Logprobs if teacher => 1,
                Teacher::Probs if teacher => 2,
                _ => 0,
            },
        }
    };
    let form = match choice.form {
        Form::TwoWay { forward, reverse } => [forward, reverse],
        Form::Jsd { beta, scale } => [beta, scale],
        Form::Skew { lambda } => [lambda, 0.0],
        Form::Power { alpha, .. } => [alpha, 0.0],
        _ => [0.0; 2],
    };
    let [left, right] = choice.form.infinite();
    // no column is live on both sides
    let always = matches!(choice.form, Form::Power { alpha, .. } if alpha < 1.0 && alpha > 0.0);
    let ignore_index = problem.student().options().ignore_index;
    Args {
        side: choice
            .order([side(&inputs.student, problem.student(), false), side(&inputs.teacher, problem.teacher(), true)]),
        target: View::of(inputs.target),
        mask: View::of(inputs.mask),
        weight: View::of(inputs.row_weight),
        stats: none,
        grad_values: none,
        grad_logprob: none,
        out_values: none,
        out_entropy: [none; 2],
        out_logprob: [none; 2],
        out_stats: none,
        out_status: none,
        blocks: 0,
        states: 0,
        columns: 0,
        losses: 0,
        ratios: 0,
        given: 0,
        rows: problem.rows() as i64,
        ignore_index: ignore_index.unwrap_or(0),
        form,
        hard_weight: options.hard_weight,
        soft_weight: options.soft_weight,
        grad_scale: 1.0,
        p: choice.form.params(),
        parts,
        lanes: parts.next_power_of_two().min(32),
        has_ignore: ignore_index.is_some() as u32,
        student: choice.student() as u32,
        entropy: 0,
        moments: 0,
        step: 0,
        infinite: left as u32 | (right as u32) << 1 | (always as u32) << 2,
        zero: (choice.form == Form::Zero) as u32,
        renyi: matches!(choice.form, Form::Power { renyi: true, .. }) as u32,
        dft: options.hard_dft as u32,
        squared: options.temperature_squared as u32,
        each: 0,
        total: problem.student().total() as u32,
        unweighted: 0,
        ranks: 0,
        start: problem.student().start() as u32,
        reserved: 0,
    }
}
