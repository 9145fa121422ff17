//! Vocabulary shards: what the columns that a device holds contribute, and the figures of the rows from all of them, as
//! `truing_cpu::divergence::{local, finish}` have them. `kernels/divergence_shard.cuh` says how.
use super::partial::{PartialArgs, join, laid_out};
use super::*;

/// Which round of a sharded call.
#[derive(Clone, Copy, Debug)]
pub enum LocalPass {
    /// The joint records.
    Records,
    /// Sums with both normalisers, given the `[N, 16]` statistics of the first [`finish`].
    Values(Tensor),
}
/// Where a shard's part goes.
#[derive(Clone, Copy, Debug)]
pub struct Local {
    /// `[N, 16]`, or `[N, 17]` with a term of the target, f32
    pub records: Tensor,
    /// `[N]`, u32
    pub status: Option<Tensor>,
}
/// What [`finish`] reads.
#[derive(Clone, Copy, Debug)]
pub struct Finish {
    /// `[S * N, 16]`, or `[S * N, 17]` with a term of the target, f32: row i of shard s at s N + i, in the order of the shards.
    pub records: Tensor,
    /// They come from [`LocalPass::Values`].
    pub values: bool,
    /// `[S + 1]`, i32 or i64: the first column of each shard, then V. Starts that cut no vocabulary make every row NaN,
    /// flagged `OUT_OF_RANGE`.
    pub starts: Tensor,
    /// `[N]`: i32 or i64
    pub target: Option<Tensor>,
    /// `[N]`: u8, i32 or i64
    pub mask: Option<Tensor>,
    /// `[N]`, f32
    pub row_weight: Option<Tensor>,
}

/// `truing_shard_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct ShardArgs {
    d: Args,
    records: View,
    starts: View,
    out_records: View,
    stack: u64,
    step: u32,
    shards: u32,
    depth: u32,
    reserved: u32,
}
/// Bytes of the arguments, for the test that compares them with the kernels' own.
pub const SHARD_ARGS: usize = size_of::<ShardArgs>();
const RECORDS: u32 = 0;
const RESUME: u32 = 1;
const SUMS: u32 = 2;
const AFTER_RECORDS: u32 = 3;
const AFTER_SUMS: u32 = 4;
impl ShardArgs {
    fn new(d: Args, step: u32) -> ShardArgs {
        let none = View::NONE;
        ShardArgs {
            d,
            records: none,
            starts: none,
            out_records: none,
            stack: 0,
            step,
            shards: 0,
            depth: 0,
            reserved: 0,
        }
    }
}

/// Places of [`local`] in the workspace, in this order.
struct Places {
    states: usize,
    /// Records of all parts of the rows.
    blocks: usize,
    /// Of a row that begins inside a block: that block of either side and its flags, its records, those of the others.
    head: Option<[usize; 5]>,
}
fn skip(problem: &Problem) -> usize {
    problem.student().start() % BLOCK
}
fn local_parts(problem: &Problem) -> usize {
    (skip(problem) + widest(problem)).div_ceil(BLOCK)
}
impl Places {
    fn new(problem: &Problem) -> Places {
        let (n, parts) = (problem.rows(), local_parts(problem));
        let records = |parts: usize| Arena::need::<[u8; PIECE]>(n.saturating_mul(parts));
        let laid = Arena::need::<[f32; BLOCK]>(n);
        let head = [laid, laid, Arena::need::<[u32; 2]>(n), records(1), records(parts.saturating_sub(1))];
        Places {
            states: Arena::need::<[u8; STATE]>(n),
            blocks: records(parts),
            head: (skip(problem) != 0 && parts > 0).then_some(head),
        }
    }
    fn workspace(&self) -> Workspace {
        let bytes = Arena::sum([self.states, self.blocks, Arena::sum(self.head.unwrap_or_default())]);
        Workspace { minimum: bytes, preferred: bytes }
    }
}
/// Bytes of workspace of [`local`].
pub fn local_workspace(problem: &Problem) -> Workspace {
    Places::new(problem).workspace()
}
/// Enqueues what a shard's columns contribute; both sides of `problem` are shards with the same first column.
///
/// # Safety
/// As for [`forward`].
pub unsafe fn local(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    inputs: &Inputs,
    pass: LocalPass,
    out: &Local,
    workspace: Space,
) -> Result<()> {
    let n = problem.rows();
    check_problem(problem)?;
    problem.check_shard()?;
    check_inputs(problem, inputs)?;
    let start = problem.student().start();
    if problem.teacher().start() != start {
        let got = Value::Size(problem.teacher().start());
        return Err(Error::invalid("shard.vocab_start", got, Value::Size(start)));
    }
    out.records.check_out("out_records", n, problem.shard_record(), &F32)?;
    out.status.as_ref().map_or(Ok(()), |x| x.check_out("out_status", n, 1, &U32))?;
    if let LocalPass::Values(stats) = &pass {
        stats.check("stats", n, STATS, &F32)?;
    }
    let (places, parts) = (Places::new(problem), local_parts(problem));
    workspace.check(places.workspace().minimum)?;
    if n == 0 {
        return Ok(());
    }
    let device = Device::current()?;
    let program = program(&problem.choice().form);
    let go = Launch { context, stream, device: &device, rows: n, program };
    let kernels = go.kernels()?;
    let shard = go.kernel(program.shard.0, program.shard.1)?;
    let joined = match &places.head {
        Some(_) => Some((go.kernel(partial::FILE, partial::HEAD)?, go.kernel(partial::FILE, partial::JOIN)?)),
        None => None,
    };
    let mut args = arguments(problem, inputs);
    args.states = workspace.data;
    args.blocks = args.states + places.states as u64;
    (args.parts, args.lanes) = (parts as u32, parts.next_power_of_two().clamp(1, 32) as u32);
    args.entropy = 1;
    args.out_status = View::of(out.status);
    let (kernel, step, reads) = match pass {
        LocalPass::Records => {
            args.moments = program.chain as u32;
            (kernels.blocks, RECORDS, true)
        }
        LocalPass::Values(stats) => {
            args.stats = View::of(Some(stats));
            (args.moments, args.step) = (1, if program.chain { 2 } else { 1 });
            (kernels.sums, SUMS, !program.chain || program.late)
        }
    };
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        if step == SUMS {
            let resume = ShardArgs::new(Args { lanes: 1, ..args }, RESUME);
            shard.launch(&device, stream, Grid::new(cover("student", n, THREADS)?, THREADS as u32), &resume)?;
        }
        match (&places.head, &joined) {
            _ if !reads => {}
            (Some(head), Some((lay, join_up))) => {
                let mut all = PartialArgs::new(args);
                let mut at = args.blocks + places.blocks as u64;
                let [a, b, flags, first, others] = head.map(|size| {
                    at += size as u64;
                    at - size as u64
                });
                (all.laid, all.head_flags, all.head, all.body) = ([a, b], flags, first, others);
                (all.skip, all.parts, all.joined) = (skip(problem) as u32, parts as u32, args.blocks);
                all.words = if step == RECORDS { 16 } else { 8 };
                let grid = cover("student", 2 * n, 4)?;
                lay.launch(&device, stream, Grid::new(grid, 128), &all)?;
                let own = Args { blocks: first, parts: 1, ..laid_out(&args, [a, b], n, BLOCK) };
                go.over_blocks(kernel, 1, &own)?;
                if parts > 1 {
                    let rest = Args { blocks: others, parts: parts as u32 - 1, ..behind(problem, inputs, &args) };
                    go.over_blocks(kernel, parts - 1, &rest)?;
                }
                join(&go, *join_up, &all)?;
            }
            _ if parts > 0 => go.over_blocks(kernel, parts, &args)?,
            _ => {}
        }
        let mut own = ShardArgs::new(args, step);
        own.out_records = View::of(Some(out.records));
        // of sums that nobody has made there are none
        own.d.parts = if reads { own.d.parts } else { 0 };
        let grid = cover("student", n.saturating_mul(own.d.lanes as usize), THREADS)?;
        shard.launch(&device, stream, Grid::new(grid, THREADS as u32), &own)
    }
}
/// The columns behind the block that a shard begins inside.
fn behind(problem: &Problem, inputs: &Inputs, args: &Args) -> Args {
    let cut = BLOCK - skip(problem);
    let side = |x: &Side| {
        let logits = Tensor { data: x.logits.data + (cut * x.logits.dtype.size()) as u64, ..x.logits };
        let bias = x.bias.map(|b| {
            let step = if b.layout.outer == 1 { b.layout.inner_stride } else { b.layout.outer_stride };
            Tensor { data: b.data + (cut * step * b.dtype.size()) as u64, ..b }
        });
        (View::of(Some(logits)), View::of(bias))
    };
    let mut args = *args;
    let views = problem.choice().order([side(&inputs.student), side(&inputs.teacher)]);
    for (to, (logits, bias)) in args.side.iter_mut().zip(views) {
        (to.logits, to.bias) = (logits, bias);
        to.valid = to.valid.saturating_sub(cut as u32);
        to.vocab = to.vocab.saturating_sub(cut as u32);
    }
    args
}

/// Most records that wait in the tree of the shards.
fn depth(shards: usize) -> usize {
    shards.min(22)
}
/// Bytes of workspace of [`finish`].
pub fn finish_workspace(problem: &Problem, inputs: &Finish, out: &Figures) -> Workspace {
    let shards = inputs.starts.layout.rows().saturating_sub(1);
    let stack = Arena::need::<[u8; PIECE]>(problem.rows().saturating_mul(depth(shards)));
    let bytes = Arena::sum([stack, out.total.need(problem, out.status.is_some(), false)]);
    Workspace { minimum: bytes, preferred: bytes }
}
/// Enqueues the figures of the rows from what all shards contribute. How many columns there are says `starts`, which the host
/// cannot see: `problem` has the rows and the options.
///
/// # Safety
/// As for [`forward`].
pub unsafe fn finish(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    x: &Finish,
    out: &Figures,
    workspace: Space,
) -> Result<()> {
    let n = problem.rows();
    let none = Tensor::contiguous(0, Dtype::F32, n, 1);
    let inputs = Inputs { target: x.target, mask: x.mask, row_weight: x.row_weight, ..Inputs::new(none, none) };
    check_problem(problem)?;
    problem.check_shard()?;
    let starts = x.starts.layout.rows();
    if !(2..=1 << 20).contains(&starts) {
        let expected = Value::Text("2 to 2^20 elements, one more than shards");
        return Err(Error::shape("shard_starts", Value::Size(starts), expected));
    }
    x.starts.check("shard_starts", starts, 1, &IDS)?;
    x.records.check("records", (starts - 1).saturating_mul(n), problem.shard_record(), &F32)?;
    check_rows(problem, &inputs)?;
    check_figures(problem, &inputs, out)?;
    out.total.check(problem)?;
    let unwanted = |some: bool, field, expected| match some {
        true => Err(Error::invalid(field, Value::Text("a tensor"), Value::Text(expected))),
        false => Ok(()),
    };
    const NONE: &str = "NULL over shards";
    unwanted(out.cross_entropy.is_some(), "outputs.out_cross_entropy", NONE)?;
    unwanted(out.reverse_cross_entropy.is_some(), "outputs.out_reverse_cross_entropy", NONE)?;
    unwanted(out.student_logprob.is_some(), "outputs.out_student_logprob", NONE)?;
    unwanted(out.teacher_logprob.is_some(), "outputs.out_teacher_logprob", NONE)?;
    unwanted(out.student_rank.is_some(), "outputs.out_student_rank", NONE)?;
    unwanted(out.teacher_rank.is_some(), "outputs.out_teacher_rank", NONE)?;
    let program = program(&problem.choice().form);
    if x.values {
        const FIRST: &str = "NULL in the pass of the values: it comes with the records";
        unwanted(out.student_entropy.is_some(), "outputs.out_student_entropy", FIRST)?;
        unwanted(out.teacher_entropy.is_some(), "outputs.out_teacher_entropy", FIRST)?;
    } else if !program.chain {
        const LATER: &str = "NULL in the first pass of a kind that reads twice";
        unwanted(out.values.is_some(), "outputs.out_values", LATER)?;
        unwanted(out.total.loss.is_some(), "outputs.out_loss", LATER)?;
    }
    workspace.check(finish_workspace(problem, x, out).minimum)?;
    let shared = out.total.need(problem, out.status.is_some(), false);
    if n == 0 && shared == 0 {
        return Ok(());
    }
    let device = Device::current()?;
    let go = Launch { context, stream, device: &device, rows: n, program };
    let kernel = go.kernel(program.shard.0, program.shard.1)?;
    let mut args = Args { parts: 0, lanes: 1, ..arguments(problem, &inputs) };
    args.out_values = View::of(out.values);
    args.out_entropy = problem.choice().order([0, 1]).map(|i| View::of([out.student_entropy, out.teacher_entropy][i]));
    (args.out_stats, args.out_status) = (View::of(out.stats), View::of(out.status));
    let total = out.total.plan(problem, &mut args, workspace.data, out.status, &Loss::None, 1.0, true);
    let of_all = if shared > 0 { Some(total.kernels(&go)?) } else { None };
    let mut own = ShardArgs::new(args, if x.values { AFTER_SUMS } else { AFTER_RECORDS });
    (own.records, own.starts) = (View::of(Some(x.records)), View::of(Some(x.starts)));
    (own.shards, own.depth) = (starts as u32 - 1, depth(starts - 1) as u32);
    own.stack = workspace.data + shared as u64;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        if let Some(kernels) = &of_all {
            total.divisor(&go, kernels)?;
        }
        if n > 0 {
            kernel.launch(&device, stream, Grid::new(cover("records", n, THREADS)?, THREADS as u32), &own)?;
        }
        match &of_all {
            Some(kernels) => total.total(&go, kernels),
            None => Ok(()),
        }
    }
}
