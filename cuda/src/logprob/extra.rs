//! What is asked of rows of logits now and then: the loss of the rows and its gradient, the shift, ranks, the largest columns,
//! extra columns, supports, gradients in a shard. `kernels/logprob_extra.cu` says how; what asks for none of it goes
//! to the kernels of [`super`]. f64 logits, for reference, have the figures of [`super`], statistics and their gradients, all of
//! them f64; what else is asked of them is refused.
//!
//! Besides what those judge on the device: a row whose extra ids or list of a support are out of range or do not ascend,
//! whose factor or class weight is not finite and >= 0, or that offsets do not cut is NaN and flagged `OUT_OF_RANGE`.
use super::{Inputs as Base, Launch, STATS, Transform, Upstream as BaseUpstream};
use crate::driver::{Device, Grid, Stream};
use crate::plan::{Dtypes, F32, FLOATS, I32, I64, IDS, LOGITS, MASK, Space, Tensor, U32, View, WIDE, cover};
use crate::program::{Context, File};
use core::ffi::CStr;
use truing_core::error::row;
use truing_core::logprob::{Needs, Options, Problem};
use truing_core::matrix::{Arena, Workspace};
use truing_core::record::BLOCK;
use truing_core::row_loss::{MOST, Reduction, RowLoss, Scaling, Smoothing};
use truing_core::support::{Edge, Filters, Outside, Preset, Ties};
use truing_core::{Dtype, Error, Result, Value};

pub(crate) const FILE: File = File { name: c"logprob_extra.cu", text: include_str!("../../kernels/logprob_extra.cu") };

/// The sequences that a shift stays inside.
#[derive(Clone, Copy, Debug)]
pub enum Segments {
    /// Equally long ones.
    Padded {
        /// Their length.
        width: usize,
    },
    /// `[B + 1]`, i32 or i64.
    Packed(Tensor),
}
/// The columns of a support, see [`truing_core::support::Support`].
#[derive(Clone, Copy, Debug)]
pub enum Columns {
    /// `[N, ceil(V / 32)]`, u32.
    Bitmask(Tensor),
    /// `[N, K]`, i32 or i64, ascending, padded with -1.
    Padded(Tensor),
    /// Ids `[total]` and offsets `[N + 1]`.
    Packed(Tensor, Tensor),
    /// What the filters of a sampler keep of each row, found on the device.
    Computed(Filters),
}
/// A support.
#[derive(Clone, Copy, Debug)]
pub struct Support {
    /// The columns.
    pub columns: Columns,
    /// Targets outside.
    pub outside: Outside,
}
/// What both directions read.
#[derive(Clone, Copy, Debug)]
pub struct Inputs {
    /// Logits, targets, mask, transform.
    pub base: Base,
    /// Sequences.
    pub segments: Option<Segments>,
    /// `[V]`: finite, >= 0.
    pub class_weight: Option<Tensor>,
    /// `[N]`, f32: finite, >= 0; exactly with the external scaling.
    pub external_scale: Option<Tensor>,
    /// `None` is the whole vocabulary.
    pub support: Option<Support>,
}
impl Inputs {
    /// Nothing besides.
    pub fn new(base: Base) -> Inputs {
        Inputs { base, segments: None, class_weight: None, external_scale: None, support: None }
    }
}
/// Where figures go; see [`truing_core::logprob::Figures`] and [`truing_core::support::SupportFigures`].
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Figures {
    pub base: super::Figures,
    pub mean_logit: Option<Tensor>,
    /// i32, as `ties`
    pub rank: Option<Tensor>,
    pub ties: Option<Tensor>,
    /// `[N, K]`, i32
    pub topk_ids: Option<Tensor>,
    pub topk_logprobs: Option<Tensor>,
    pub topk_entropy: Option<Tensor>,
    /// The columns of `extra_logprobs`: i32 or i64.
    pub extra_ids: Option<Tensor>,
    pub extra_logprobs: Option<Tensor>,
    pub token_scale: Option<Tensor>,
    pub row_loss: Option<Tensor>,
    /// One number, f64 or f32.
    pub loss: Option<Tensor>,
    /// `[32]`, i64
    pub counters: Option<Tensor>,
    pub lse_support: Option<Tensor>,
    pub log_kept_mass: Option<Tensor>,
    /// i32
    pub support_size: Option<Tensor>,
    /// `[N, ceil(V / 32)]`, u32
    pub support_bitmask: Option<Tensor>,
    /// `[N, K]`, i32
    pub support_ids: Option<Tensor>,
}
/// Gradients of a scalar with respect to the figures; an absent one counts as 0.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Upstream {
    /// With the factor on all of them.
    pub base: BaseUpstream,
    /// `[N, K]`, f32, with its ids.
    pub extra: Option<Tensor>,
    pub extra_ids: Option<Tensor>,
    pub row_loss: Option<Tensor>,
    /// One number, of the reduced loss.
    pub loss: Option<Tensor>,
}
/// What the columns of a shard contribute; see `truing_cpu::logprob::Local`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Local {
    /// `[N, 12]`, f32, as the next.
    pub records: Option<Tensor>,
    /// Of the columns in the support.
    pub support_records: Option<Tensor>,
    /// `[N, K]`, i32
    pub topk_ids: Option<Tensor>,
    /// `[N, K]`, f32
    pub topk_logits: Option<Tensor>,
    /// The columns of `extra_logits`: i32 or i64.
    pub extra_ids: Option<Tensor>,
    /// `[N, K]`, f32
    pub extra_logits: Option<Tensor>,
    /// `[N, 4]`, i64
    pub counts: Option<Tensor>,
    /// u32
    pub status: Option<Tensor>,
}
/// Which round of a sharded call.
#[derive(Clone, Copy, Debug)]
pub enum LocalPass {
    /// Records, lists, extra columns; with the sums that the mean logit and label smoothing need.
    Records {
        /// Also without a row loss that says so.
        sums: bool,
    },
    /// Counts, given the `[N, 12]` statistics of the finish.
    Counts(Tensor),
}
/// The gradient of the reduced loss, with a forward.
#[derive(Clone, Copy, Debug)]
pub struct Fused {
    /// Its place; it may be the logits themselves.
    pub grad: Option<Tensor>,
    /// `[V]`, f32: that of the bias.
    pub bias: Option<Tensor>,
    /// One number, of the loss; 1 without it.
    pub upstream: Option<Tensor>,
    /// Host factor on it.
    pub scale: f64,
}

/// `truing_extra_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Args {
    logits: View,
    grad: View,
    target: View,
    mask: View,
    offsets: View,
    bias: View,
    temperature: View,
    stats: View,
    class_weight: View,
    external: View,
    extra_ids: View,
    bitmask: View,
    ids: View,
    id_offsets: View,
    grad_logprob: View,
    grad_lse: View,
    grad_entropy: View,
    grad_extra: View,
    back_ids: View,
    grad_row_loss: View,
    grad_loss: View,
    grad_bias: View,
    out_logprob: View,
    out_lse: View,
    out_max: View,
    out_argmax: View,
    out_entropy: View,
    out_log_sum_sq: View,
    out_mean_logit: View,
    out_is_top1: View,
    out_rank: View,
    out_ties: View,
    out_topk_ids: View,
    out_topk_logprobs: View,
    out_topk_entropy: View,
    out_extra: View,
    out_token_scale: View,
    out_row_loss: View,
    out_loss: View,
    out_stats: View,
    out_status: View,
    out_counters: View,
    out_lse_support: View,
    out_log_kept_mass: View,
    out_size: View,
    out_bitmask: View,
    out_ids: View,
    out_records: View,
    out_support_records: View,
    out_topk_logits: View,
    out_extra_logits: View,
    out_counts: View,
    records: View,
    support_records: View,
    starts: View,
    topk_ids: View,
    topk_logits: View,
    extra_logits: View,
    counts: View,
    space: Places,
    rows: i64,
    ignore_index: i64,
    shift: i64,
    width: i64,
    sequences: i64,
    start: i64,
    total: i64,
    id_total: i64,
    top_k: i64,
    logit_scale: f64,
    softcap: f64,
    grad_scale: f64,
    label_smoothing: f64,
    z_loss: f64,
    eaft_alpha: f64,
    normaliser: f64,
    top_p: f64,
    log_min_p: f64,
    transform: Transform,
    vocab: u32,
    valid: u32,
    parts: u32,
    skip: u32,
    whole_parts: u32,
    narrow: u32,
    has_ignore: u32,
    sums: u32,
    ranks: u32,
    top: u32,
    entropy_columns: u32,
    topk: u32,
    extra_columns: u32,
    back_columns: u32,
    id_columns: u32,
    id_places: u32,
    shards: u32,
    depth: u32,
    listed: u32,
    support: u32,
    keep_target: u32,
    scaling: u32,
    megatron: u32,
    reduction: u32,
    loss_gradient: u32,
    of_loss: u32,
    preset: u32,
    all_of_k: u32,
    all_of_p: u32,
    inclusive: u32,
}
impl Args {
    /// Where the figures go.
    fn figures(&mut self, out: &Figures) {
        let f = View::of;
        (self.out_logprob, self.out_lse, self.out_max) = (f(out.base.logprob), f(out.base.lse), f(out.base.max));
        (self.out_argmax, self.out_entropy) = (f(out.base.argmax), f(out.base.entropy));
        (self.out_log_sum_sq, self.out_is_top1) = (f(out.base.log_sum_sq), f(out.base.is_top1));
        (self.out_stats, self.out_status) = (f(out.base.stats), f(out.base.status));
        (self.out_mean_logit, self.out_rank, self.out_ties) = (f(out.mean_logit), f(out.rank), f(out.ties));
        (self.out_topk_ids, self.out_topk_logprobs) = (f(out.topk_ids), f(out.topk_logprobs));
        (self.out_topk_entropy, self.topk) = (f(out.topk_entropy), out.topk() as u32);
        (self.extra_ids, self.out_extra) = (f(out.extra_ids), f(out.extra_logprobs));
        self.extra_columns = out.extra_ids.map_or(0, |x| x.layout.cols as u32);
        (self.out_token_scale, self.out_row_loss) = (f(out.token_scale), f(out.row_loss));
        (self.out_loss, self.out_counters) = (f(out.loss), f(out.counters));
        (self.out_lse_support, self.out_log_kept_mass) = (f(out.lse_support), f(out.log_kept_mass));
        (self.out_size, self.out_bitmask, self.out_ids) =
            (f(out.support_size), f(out.support_bitmask), f(out.support_ids));
        self.id_places = out.support_ids.map_or(0, |x| x.layout.cols as u32);
    }
}
/// Bytes of the arguments, for the test that compares them with the kernels' own.
pub const ARGS: usize = size_of::<Args>();
/// Addresses in the workspace, 0 for what is not needed, in the order of the kernels; sizes, where they are looked for.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Places {
    blocks: u64,
    whole: u64,
    tops: u64,
    entropies: u64,
    losses: u64,
    flags: u64,
    divisor: u64,
    columns: u64,
    stack: u64,
    names: u64,
    masks: u64,
}
impl Places {
    fn all(&mut self) -> [&mut u64; 11] {
        let Places { blocks, whole, tops, entropies, losses, flags, divisor, columns, stack, names, masks } = self;
        [blocks, whole, tops, entropies, losses, flags, divisor, columns, stack, names, masks]
    }
    fn bytes(mut self) -> Workspace {
        let bytes = Arena::sum(self.all().map(|x| *x as usize));
        Workspace { minimum: bytes, preferred: bytes }
    }
    /// From sizes to addresses.
    fn at(mut self, mut data: u64) -> Places {
        for x in self.all() {
            let size = *x;
            *x = if size == 0 { 0 } else { data };
            data += size;
        }
        self
    }
}
const WARPS: usize = 4;
/// Bytes of a record with all sums.
const WIDE_PART: usize = 64;

/// What a call needs.
struct Plan<'a> {
    problem: &'a Problem,
    inputs: &'a Inputs,
    needs: Needs,
    /// The records are those of the usual kernels.
    narrow: bool,
    /// The records have to be made.
    records: bool,
    parts: usize,
    whole: bool,
    loss: bool,
    totals: bool,
    gradient: bool,
    of_loss: bool,
    /// The divisor of the loss is needed.
    divides: bool,
    back_columns: usize,
    /// The usual kernel writes the gradient.
    usual: bool,
    /// This call is one of a shard.
    local: bool,
    /// Of a finish; else 0.
    shards: usize,
}
impl<'a> Plan<'a> {
    fn forward(problem: &'a Problem, inputs: &'a Inputs, out: &Figures, fused: bool) -> Plan<'a> {
        let value = out.row_loss.is_some() || out.base.stats.is_some() || out.loss.is_some() || fused;
        let mut needs = Needs::loss(problem.options(), value, value || out.token_scale.is_some());
        needs.sums |= out.mean_logit.is_some();
        needs.rank = out.rank.is_some() || out.ties.is_some();
        needs.top = needs.top.max(out.topk());
        if out.topk_entropy.is_some() {
            needs.top = needs.top.max(problem.options().entropy_columns());
        }
        let mut plan = Plan::new(problem, inputs, needs, true);
        plan.whole = inputs.support.is_some() && out.log_kept_mass.is_some();
        plan.loss = out.loss.is_some();
        plan.totals = plan.loss || out.counters.is_some();
        plan.gradient = fused;
        plan.of_loss = fused;
        plan.divides = plan.loss || fused;
        plan
    }
    fn backward(problem: &'a Problem, inputs: &'a Inputs, stats: bool, upstream: &Upstream) -> Plan<'a> {
        let of_loss = upstream.row_loss.is_some() || upstream.loss.is_some();
        let mut plan = Plan::new(problem, inputs, Needs::loss(problem.options(), of_loss, of_loss), !stats);
        plan.gradient = true;
        plan.of_loss = of_loss;
        plan.divides = upstream.loss.is_some();
        plan.back_columns = upstream.extra_ids.map_or(0, |x| x.layout.cols);
        plan.usual &= upstream.extra_ids.is_none();
        plan
    }
    fn local(problem: &'a Problem, inputs: &'a Inputs, pass: &LocalPass, out: &Local) -> Plan<'a> {
        let topk = out.topk_ids.or(out.topk_logits).map_or(0, |x| x.layout.cols);
        let needs = match pass {
            LocalPass::Records { sums } => {
                Needs { sums: *sums || problem.options().row_loss.label_smoothing > 0.0, rank: false, top: topk }
            }
            LocalPass::Counts(_) => Needs { sums: true, rank: true, top: 0 },
        };
        let whole = inputs.support.is_some();
        Plan { whole, local: true, narrow: false, ..Plan::new(problem, inputs, needs, true) }
    }
    fn new(problem: &'a Problem, inputs: &'a Inputs, needs: Needs, records: bool) -> Plan<'a> {
        let (valid, skip) = (problem.valid(), problem.start() % BLOCK);
        let parts = match inputs.support.map(|s| s.columns) {
            Some(Columns::Padded(ids)) => (ids.layout.cols.min(problem.vocab()) + 1).div_ceil(BLOCK),
            Some(Columns::Packed(ids, _)) => (ids.layout.rows().min(problem.vocab()) + 1).div_ceil(BLOCK),
            _ if valid == 0 => 0,
            _ => (skip + valid).div_ceil(BLOCK),
        };
        let plain = inputs.support.is_none() && problem.total() == problem.vocab();
        let smooth = problem.options().row_loss.label_smoothing > 0.0;
        Plan {
            problem,
            inputs,
            needs,
            narrow: plain && !needs.sums && !needs.rank,
            records,
            parts,
            whole: false,
            loss: false,
            totals: false,
            gradient: false,
            of_loss: false,
            divides: false,
            back_columns: 0,
            usual: inputs.support.is_none() && !smooth,
            local: false,
            shards: 0,
        }
    }
    /// Blocks of all columns of a row.
    fn whole_parts(&self) -> usize {
        if self.shards > 0 { 1 } else { (self.problem.start() % BLOCK + self.problem.valid()).div_ceil(BLOCK) }
    }
    /// Those that choose the columns.
    fn filters(&self) -> Option<Filters> {
        match self.inputs.support.map(|s| s.columns) {
            Some(Columns::Computed(filters)) => Some(filters),
            _ => None,
        }
    }
    /// Most records that wait in the tree of the shards.
    fn depth(&self) -> usize {
        self.shards.min(22)
    }
    fn places(&self) -> Places {
        let n = self.problem.rows();
        let part = if self.narrow { super::PIECE } else { WIDE_PART };
        let size = |some: bool, bytes: usize| if some { Arena::need::<u8>(n.saturating_mul(bytes)) as u64 } else { 0 };
        let whole = self.whole_parts();
        Places {
            blocks: size(self.records, self.parts.saturating_mul(part)),
            whole: size(self.whole, whole.saturating_mul(WIDE_PART)),
            tops: size(self.needs.top > 0 && self.records, 8 * self.needs.top),
            entropies: size(self.needs.top > 0 && self.records, 16),
            losses: size(self.loss, 8),
            flags: size(self.totals, 4),
            divisor: if self.divides { Arena::need::<f64>(1) as u64 } else { 0 },
            columns: size(self.gradient, super::PIECE),
            stack: size(self.shards > 0, self.depth() * WIDE_PART),
            names: size(self.gradient && !self.usual, 4 * (self.back_columns + 1)),
            masks: size(self.filters().is_some(), 4 * (self.problem.vocab().div_ceil(32) + 1)),
        }
    }
}
impl Figures {
    /// Columns of the top-k lists.
    fn topk(&self) -> usize {
        self.topk_ids.or(self.topk_logprobs).map_or(0, |x| x.layout.cols)
    }
    /// Whether all that is asked for is what the usual kernels give.
    fn usual(&self, options: &Options) -> bool {
        let Figures {
            base,
            mean_logit,
            rank,
            ties,
            topk_ids,
            topk_logprobs,
            topk_entropy,
            extra_ids: _,
            extra_logprobs,
            token_scale,
            row_loss,
            loss,
            counters,
            lse_support,
            log_kept_mass,
            support_size,
            support_bitmask,
            support_ids,
        } = self;
        let more = [
            mean_logit,
            rank,
            ties,
            topk_ids,
            topk_logprobs,
            topk_entropy,
            extra_logprobs,
            token_scale,
            row_loss,
            loss,
            counters,
            lse_support,
            log_kept_mass,
            support_size,
            support_bitmask,
            support_ids,
        ];
        let saves = base.stats.is_some() && (options.row_loss.label_smoothing > 0.0 || options.row_loss.scales());
        more.iter().all(|x| x.is_none()) && !saves
    }
}
/// The same problem without what the usual kernels do not look at.
fn usual(problem: &Problem) -> Result<Problem> {
    let options = Options { shift: 0, entropy_k: 0, row_loss: RowLoss::default(), ..*problem.options() };
    Problem::new(problem.rows(), problem.vocab(), options)
}
/// Whether the rows are read as the usual kernels read them.
fn usual_rows(problem: &Problem, inputs: &Inputs) -> bool {
    problem.options().shift == 0 && problem.total() == problem.vocab() && inputs.support.is_none()
}

/// Bytes of workspace of [`forward`]; `fused`: with a gradient.
pub fn forward_workspace(problem: &Problem, inputs: &Inputs, out: &Figures, fused: bool) -> Workspace {
    if !fused && usual_rows(problem, inputs) && out.usual(problem.options()) {
        let double = inputs.base.logits.dtype == Dtype::F64;
        return if double { super::double::forward_workspace(problem) } else { super::forward_workspace(problem) };
    }
    Plan::forward(problem, inputs, out, fused).places().bytes()
}
/// Bytes of workspace of [`backward`]; `stats`: they are given.
pub fn backward_workspace(
    problem: &Problem,
    inputs: &Inputs,
    stats: bool,
    upstream: &Upstream,
    bias: bool,
) -> Workspace {
    if !bias && usual_rows(problem, inputs) && upstream.usual() {
        let double = inputs.base.logits.dtype == Dtype::F64;
        return match double {
            true => super::double::backward_workspace(problem, stats),
            false => super::backward_workspace(problem, stats),
        };
    }
    Plan::backward(problem, inputs, stats, upstream).places().bytes()
}
impl Upstream {
    fn usual(&self) -> bool {
        [self.extra, self.extra_ids, self.row_loss, self.loss].iter().all(|x| x.is_none())
    }
}

/// Enqueues the figures that `out` asks for, and with `fused` the gradient of the reduced loss.
///
/// # Safety
/// As for [`super::forward`].
pub unsafe fn forward(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    inputs: &Inputs,
    out: &Figures,
    fused: Option<&Fused>,
    workspace: Space,
) -> Result<()> {
    let plain = fused.is_none() && usual_rows(problem, inputs) && out.usual(problem.options());
    if plain && inputs.base.logits.dtype == Dtype::F64 {
        check_more(problem, inputs, problem.total())?;
        // SAFETY: the caller's promise.
        return unsafe { super::double::forward(context, stream, problem, &inputs.base, &out.base, workspace) };
    }
    check_inputs(problem, inputs)?;
    check_figures(problem, inputs, out)?;
    if problem.total() != problem.vocab() {
        let (got, expected) = (Value::Size(problem.total()), Value::Size(problem.vocab()));
        return Err(Error::invalid("shard.vocab_total", got, expected));
    }
    if let Some(fused) = fused {
        fused.grad.map_or(Ok(()), |grad| check_grad(problem, inputs, grad))?;
        check_bias(problem, &fused.bias)?;
        check_one("grad_loss", &fused.upstream)?;
        check_scale("grad_scale", fused.scale)?;
        check_loss(problem, inputs, "upstream.grad_loss")?;
    }
    if plain {
        // SAFETY: the caller's promise.
        return unsafe { super::forward(context, stream, &usual(problem)?, &inputs.base, &out.base, workspace) };
    }
    let plan = Plan::forward(problem, inputs, out, fused.is_some());
    workspace.check(plan.places().bytes().minimum)?;
    let (mut args, f) = (arguments(&plan, workspace), View::of);
    args.figures(out);
    if let Some(fused) = fused {
        (args.grad, args.grad_loss, args.grad_scale) = (f(fused.grad), f(fused.upstream), fused.scale);
        (args.loss_gradient, args.grad_bias) = (1, f(fused.bias));
    }
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        run(context, stream, &plan, args, true, fused.and_then(|x| x.grad), fused.is_some_and(|x| x.bias.is_some()))
    }
}
/// Enqueues d/d logits of the figures' upstream gradients; see [`super::backward`]. `bias`: `[V]`, f32, for the sum over the
/// rows.
///
/// # Safety
/// As for [`super::forward`].
#[allow(clippy::too_many_arguments)]
pub unsafe fn backward(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    inputs: &Inputs,
    stats: Option<Tensor>,
    upstream: &Upstream,
    grad: Tensor,
    bias: Option<Tensor>,
    status: Option<Tensor>,
    workspace: Space,
) -> Result<()> {
    let plain = bias.is_none() && usual_rows(problem, inputs) && upstream.usual();
    if plain && inputs.base.logits.dtype == Dtype::F64 {
        check_more(problem, inputs, problem.total())?;
        let (base, up) = (&inputs.base, &upstream.base);
        // SAFETY: the caller's promise.
        return unsafe { super::double::backward(context, stream, problem, base, stats, up, grad, status, workspace) };
    }
    check_inputs(problem, inputs)?;
    check_upstream(problem, inputs, upstream)?;
    check_bias(problem, &bias)?;
    if plain {
        let (problem, base) = (&usual(problem)?, &inputs.base);
        // SAFETY: the caller's promise.
        return unsafe {
            super::backward(context, stream, problem, base, stats, &upstream.base, grad, status, workspace)
        };
    }
    check_grad(problem, inputs, grad)?;
    match &stats {
        Some(s) => s.check("stats", problem.rows(), STATS, &F32)?,
        None if problem.total() != problem.vocab() => {
            let expected = Value::Text("the statistics of finish: a shard alone cannot compute them");
            return Err(Error::invalid("stats", Value::Text("none"), expected));
        }
        None => {}
    }
    status.as_ref().map_or(Ok(()), |x| x.check_out("out_status", problem.rows(), 1, &U32))?;
    let plan = Plan::backward(problem, inputs, stats.is_some(), upstream);
    workspace.check(plan.places().bytes().minimum)?;
    let mut args = arguments(&plan, workspace);
    let f = View::of;
    (args.grad, args.stats, args.out_status) = (f(Some(grad)), f(stats), f(status));
    (args.grad_logprob, args.grad_lse) = (f(upstream.base.logprob), f(upstream.base.lse));
    (args.grad_entropy, args.grad_scale) = (f(upstream.base.entropy), upstream.base.scale);
    (args.grad_extra, args.back_ids) = (f(upstream.extra), f(upstream.extra_ids));
    (args.grad_row_loss, args.grad_loss) = (f(upstream.row_loss), f(upstream.loss));
    args.grad_bias = f(bias);
    args.loss_gradient = upstream.loss.is_some() as u32;
    // SAFETY: as above.
    unsafe { run(context, stream, &plan, args, upstream.base.entropy.is_some(), Some(grad), bias.is_some()) }
}

/// Bytes of workspace of [`local`].
pub fn local_workspace(problem: &Problem, inputs: &Inputs, pass: &LocalPass, out: &Local) -> Workspace {
    Plan::local(problem, inputs, pass, out).places().bytes()
}
/// Enqueues what a shard's columns contribute; `problem` is one of [`Problem::shard`].
///
/// # Safety
/// As for [`super::forward`].
pub unsafe fn local(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    inputs: &Inputs,
    pass: &LocalPass,
    out: &Local,
    workspace: Space,
) -> Result<()> {
    let n = problem.rows();
    check_inputs(problem, inputs)?;
    let plan = Plan::local(problem, inputs, pass, out);
    let (k, extra) = (out.topk_ids.or(out.topk_logits).map_or(0, |x| x.layout.cols), out.extra_ids);
    if k > MOST {
        return Err(Error::shape("out_topk_ids", Value::Size(k), Value::Text("at most 512 columns")));
    }
    let columns = extra.map_or(0, |x| x.layout.cols);
    extra.as_ref().map_or(Ok(()), |x| x.check("extra_ids", n, columns, &IDS))?;
    if out.extra_logits.is_some() && extra.is_none() {
        return missing("extra_ids", "ids, which out_extra_logits needs");
    }
    let counts = matches!(pass, LocalPass::Counts(_));
    let all: [(_, &Option<Tensor>, usize, &Dtypes, bool); 7] = [
        ("out_records", &out.records, STATS, &F32, !counts),
        ("out_support_records", &out.support_records, STATS, &F32, !counts && inputs.support.is_some()),
        ("out_topk_ids", &out.topk_ids, k, &I32, !counts),
        ("out_topk_logits", &out.topk_logits, k, &F32, !counts),
        ("out_extra_logits", &out.extra_logits, columns, &F32, !counts),
        ("out_counts", &out.counts, 4, &I64, counts),
        ("out_status", &out.status, 1, &U32, true),
    ];
    for (field, x, cols, dtypes, legal) in all {
        let Some(x) = x else { continue };
        if !legal {
            let expected = Value::Text("NULL in this pass, and without a support where it is of one");
            return Err(Error::invalid(field, Value::Text("a tensor"), expected));
        }
        x.check_out(field, n, cols, dtypes)?;
    }
    workspace.check(plan.places().bytes().minimum)?;
    let (mut args, f) = (arguments(&plan, workspace), View::of);
    if let LocalPass::Counts(stats) = pass {
        stats.check("stats", n, STATS, &F32)?;
        (args.stats, args.ranks) = (f(Some(*stats)), 2);
    }
    (args.out_records, args.out_support_records) = (f(out.records), f(out.support_records));
    (args.out_topk_ids, args.out_topk_logits, args.topk) = (f(out.topk_ids), f(out.topk_logits), k as u32);
    (args.extra_ids, args.out_extra_logits, args.extra_columns) = (f(extra), f(out.extra_logits), columns as u32);
    (args.out_counts, args.out_status) = (f(out.counts), f(out.status));
    // SAFETY: as above.
    unsafe { run(context, stream, &plan, args, true, None, false) }
}

/// What [`finish`] reads, as `truing_cpu::logprob::Finish` does.
#[derive(Clone, Copy, Debug)]
pub struct Finish {
    /// `[S * N, 12]`, f32, as the next.
    pub records: Tensor,
    /// Of the columns in a support.
    pub support_records: Option<Tensor>,
    /// `[S + 1]`, i32 or i64. They cut the vocabulary where the device looks; else all rows are flagged `OUT_OF_RANGE`.
    pub starts: Tensor,
    /// `[N]`: i32 or i64
    pub target: Option<Tensor>,
    /// `[N]`: u8, i32 or i64
    pub mask: Option<Tensor>,
    /// Sequences.
    pub segments: Option<Segments>,
    /// `[V]`
    pub class_weight: Option<Tensor>,
    /// `[N]`, f32
    pub external_scale: Option<Tensor>,
    /// `[S * N, K]`, i32
    pub topk_ids: Option<Tensor>,
    /// `[S * N, K]`, f32, as the next.
    pub topk_logits: Option<Tensor>,
    /// Of the extra columns.
    pub extra_logits: Option<Tensor>,
    /// `[N, 4]`, i64: the sum over the shards.
    pub counts: Option<Tensor>,
}
impl Finish {
    /// Of the rows; there are no logits.
    fn inputs(&self, problem: &Problem) -> Inputs {
        let none = Tensor::contiguous(0, Dtype::F32, problem.rows(), 1);
        let base = Base { mask: self.mask, ..Base::new(none, self.target) };
        let (segments, class_weight, external_scale) = (self.segments, self.class_weight, self.external_scale);
        Inputs { base, segments, class_weight, external_scale, support: None }
    }
    fn plan<'a>(&self, problem: &'a Problem, inputs: &'a Inputs, out: &Figures) -> Plan<'a> {
        let plan = Plan::forward(problem, inputs, out, false);
        let top = self.topk_ids.map_or(0, |x| x.layout.cols);
        let (shards, whole) = (self.starts.layout.rows().saturating_sub(1), self.support_records.is_some());
        Plan { narrow: false, parts: 1, shards, whole, needs: Needs { top, ..plan.needs }, ..plan }
    }
}
/// Bytes of workspace of [`finish`].
pub fn finish_workspace(problem: &Problem, inputs: &Finish, out: &Figures) -> Workspace {
    inputs.plan(problem, &inputs.inputs(problem), out).places().bytes()
}
/// Enqueues the figures of the rows from what all shards contribute. How many columns there are says `starts`, which the host
/// cannot see: `problem` has the rows and the options.
///
/// # Safety
/// As for [`super::forward`].
pub unsafe fn finish(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    inputs: &Finish,
    out: &Figures,
    workspace: Space,
) -> Result<()> {
    let (n, own) = (problem.rows(), inputs.inputs(problem));
    let starts = inputs.starts.layout.rows();
    if !(2..=1 << 20).contains(&starts) {
        let expected = Value::Text("2 to 2^20 elements, one more than shards");
        return Err(Error::shape("shard_starts", Value::Size(starts), expected));
    }
    let all = (starts - 1).saturating_mul(n);
    let check = |field, x: &Option<Tensor>, rows, cols, dtypes: &Dtypes| {
        x.as_ref().map_or(Ok(()), |x| x.check(field, rows, cols, dtypes))
    };
    inputs.starts.check("shard_starts", starts, 1, &IDS)?;
    check("rows.target", &inputs.target, n, 1, &IDS)?;
    check("rows.mask", &inputs.mask, n, 1, &MASK)?;
    check_more(problem, &own, inputs.class_weight.map_or(0, |x| x.layout.rows()))?;
    check_figures(problem, &own, out)?;
    inputs.records.check("records", all, STATS, &F32)?;
    check("support_records", &inputs.support_records, all, STATS, &F32)?;
    check("counts", &inputs.counts, n, 4, &I64)?;
    let plan = inputs.plan(problem, &own, out);
    if (plan.needs.rank || out.support_size.is_some()) && inputs.counts.is_none() {
        return missing("counts", "the counts of the second pass, which rank, ties and size need");
    }
    let listed = plan.needs.top;
    if inputs.topk_ids.is_some() != inputs.topk_logits.is_some() {
        let field = if inputs.topk_ids.is_some() { "topk_logits" } else { "topk_ids" };
        return missing(field, "ids and logits of the lists");
    }
    check("topk_ids", &inputs.topk_ids, all, listed, &I32)?;
    check("topk_logits", &inputs.topk_logits, all, listed, &F32)?;
    if listed > MOST || listed < Plan::forward(problem, &own, out, false).needs.top {
        let expected = Value::Text("lists of all shards that are as long as what the figures need, at most 512");
        return Err(Error::shape("topk_ids", Value::Size(listed), expected));
    }
    if let (Some(_), Some(ids)) = (&out.extra_logprobs, &out.extra_ids) {
        if inputs.extra_logits.is_none() {
            return missing("extra_logits", "the logits of the extra columns");
        }
        check("extra_logits", &inputs.extra_logits, all, ids.layout.cols, &F32)?;
    }
    for (field, x) in
        [("figures.out_support_bitmask", &out.support_bitmask), ("figures.out_support_ids", &out.support_ids)]
    {
        if x.is_some() {
            let expected = Value::Text("NULL over shards: each has its own part of the support");
            return Err(Error::invalid(field, Value::Text("a tensor"), expected));
        }
    }
    workspace.check(plan.places().bytes().minimum)?;
    if n == 0 && !plan.totals {
        return Ok(());
    }
    let (mut args, f) = (arguments(&plan, workspace), View::of);
    args.figures(out);
    (args.records, args.support_records) = (f(Some(inputs.records)), f(inputs.support_records));
    (args.starts, args.counts, args.listed) = (f(Some(inputs.starts)), f(inputs.counts), listed as u32);
    (args.topk_ids, args.topk_logits) = (f(inputs.topk_ids), f(inputs.topk_logits));
    args.extra_logits = f(inputs.extra_logits);
    args.total = inputs.class_weight.map_or(i64::MAX, |x| x.layout.rows() as i64);
    let device = Device::current()?;
    let kernel = |name: &'static CStr| context.kernel(&device, stream, FILE, name);
    let (join, top) = (kernel(c"truing_extra_join")?, kernel(c"truing_extra_top_shards")?);
    let (divisor, rows) = (kernel(c"truing_extra_divisor")?, kernel(c"truing_extra_rows")?);
    let total = kernel(c"truing_extra_total")?;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        if n > 0 {
            join.launch(&device, stream, Grid::new(cover("records", n, 128)?, 128), &args)?;
            if args.top > 0 {
                top.launch(&device, stream, Grid::new(cover("records", n, 1)?, 256), &args)?;
            }
        }
        if plan.divides {
            divisor.launch(&device, stream, Grid::new(1, 256), &args)?;
        }
        if n > 0 {
            rows.launch(&device, stream, Grid::new(cover("records", n, WARPS)?, 32 * WARPS as u32), &args)?;
        }
        if plan.totals {
            total.launch(&device, stream, Grid::new(1, 256), &args)?;
        }
    }
    Ok(())
}

/// Enqueues the keys of the `k` largest live columns of every row that is read, in descending order, 0 behind the last: u64
/// `[N, k]` at `to`.
///
/// # Safety
/// As for [`super::forward`]; `to` has the room.
pub(crate) unsafe fn largest(
    context: &Context,
    stream: Stream,
    device: &Device,
    problem: &Problem,
    base: &Base,
    k: usize,
    to: u64,
) -> Result<()> {
    let name = match base.logits.dtype {
        Dtype::F32 => c"truing_extra_top_f32",
        Dtype::Bf16 => c"truing_extra_top_bf16",
        _ => c"truing_extra_top_f16",
    };
    let kernel = context.kernel(device, stream, FILE, name)?;
    let inputs = Inputs { base: *base, segments: None, class_weight: None, external_scale: None, support: None };
    let plan = Plan::new(problem, &inputs, Needs { sums: false, rank: false, top: k }, true);
    let mut args = arguments(&plan, Space::NONE);
    args.space = Places { tops: to, ..Places::default() };
    // SAFETY: the caller's promise.
    unsafe { kernel.launch(device, stream, Grid::new(cover("logits", problem.rows(), 1)?, 256), &args) }
}

const FILTER: [&CStr; 3] = [c"truing_extra_filter_f32", c"truing_extra_filter_bf16", c"truing_extra_filter_f16"];
/// Where [`support_mask`] writes, as [`Figures`] has them.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct MaskFigures {
    pub bitmask: Option<Tensor>,
    pub ids: Option<Tensor>,
    pub size: Option<Tensor>,
    pub status: Option<Tensor>,
}
/// Bytes of workspace of [`support_mask`].
pub fn support_mask_workspace(problem: &Problem, inputs: &Base, filters: &Filters) -> Workspace {
    Plan::new(problem, &filtered(inputs, filters), Needs::default(), false).places().bytes()
}
fn filtered(base: &Base, filters: &Filters) -> Inputs {
    let support = Support { columns: Columns::Computed(*filters), outside: Outside::NegInf };
    Inputs { support: Some(support), ..Inputs::new(*base) }
}
/// Enqueues what the filters keep of every row, see `truing_cpu::support::support_mask`; a target outside the vocabulary
/// makes its row keep nothing, flagged `OUT_OF_RANGE`.
///
/// # Safety
/// As for [`super::forward`].
pub unsafe fn support_mask(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    inputs: &Base,
    filters: &Filters,
    out: &MaskFigures,
    workspace: Space,
) -> Result<()> {
    let n = problem.rows();
    super::check_rows(problem, inputs, &LOGITS)?;
    let all: [(_, &Option<Tensor>, usize, &Dtypes); 4] = [
        ("out_size", &out.size, 1, &I32),
        ("out_bitmask", &out.bitmask, problem.vocab().div_ceil(32), &U32),
        ("out_ids", &out.ids, out.ids.map_or(0, |x| x.layout.cols), &I32),
        ("out_status", &out.status, 1, &U32),
    ];
    for (field, x, cols, dtypes) in all {
        x.as_ref().map_or(Ok(()), |x| x.check_out(field, n, cols, dtypes))?;
    }
    workspace.check(support_mask_workspace(problem, inputs, filters).minimum)?;
    if n == 0 {
        return Ok(());
    }
    let inputs = filtered(inputs, filters);
    let plan = Plan::new(problem, &inputs, Needs::default(), false);
    let (mut args, f) = (arguments(&plan, workspace), View::of);
    (args.out_size, args.out_bitmask, args.out_ids) = (f(out.size), f(out.bitmask), f(out.ids));
    (args.out_status, args.id_places) = (f(out.status), out.ids.map_or(0, |x| x.layout.cols as u32));
    let device = Device::current()?;
    let kernel = |name| context.kernel(&device, stream, FILE, name);
    let filter = kernel(match inputs.base.logits.dtype {
        Dtype::F32 => FILTER[0],
        Dtype::Bf16 => FILTER[1],
        _ => FILTER[2],
    })?;
    let mask = kernel(c"truing_extra_mask")?;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        let whole = Args { support: 0, ..args };
        filter.launch(&device, stream, Grid::new(cover("logits", n, 1)?, 256), &whole)?;
        mask.launch(&device, stream, Grid::new(cover("logits", n, WARPS)?, 32 * WARPS as u32), &args)
    }
}

/// The launches of a call; `all`: u and q1 are needed.
///
/// # Safety
/// As for [`super::forward`].
unsafe fn run(
    context: &Context,
    stream: Stream,
    plan: &Plan<'_>,
    args: Args,
    all: bool,
    grad: Option<Tensor>,
    bias: bool,
) -> Result<()> {
    let (problem, inputs) = (plan.problem, plan.inputs);
    let (n, dtype) = (problem.rows(), inputs.base.logits.dtype);
    if n == 0 && !plan.totals && !bias {
        return Ok(());
    }
    let device = Device::current()?;
    let kernel = |name: &'static CStr| context.kernel(&device, stream, FILE, name);
    let of = |names: [&'static CStr; 3]| {
        kernel(match dtype {
            Dtype::F32 => names[0],
            Dtype::Bf16 => names[1],
            _ => names[2],
        })
    };
    let grid = |field, warps: usize| cover(field, warps, WARPS);
    let threads = 32 * WARPS as u32;
    let columns = problem.vocab().div_ceil(BLOCK);
    let tasks = |parts: usize| n.saturating_mul(parts).div_ceil(WARPS).min(i32::MAX as usize) as u32;
    // the usual kernels; a mask says all that they need, and a row too many does no harm
    let plain = usual(problem);
    let go = plain.as_ref().ok().map(|problem| Launch { context, stream, device: &device, problem });
    let mut base = None;
    if let (Ok(problem), true) = (&plain, problem.total() == problem.vocab()) {
        let target = if args.shift == 0 { inputs.base.target } else { None };
        let mut own = super::arguments(problem, &Base { target, ..inputs.base });
        (own.blocks, own.columns, own.grad, own.all) = (args.space.blocks, args.space.columns, args.grad, all as u32);
        base = Some(own);
    }
    let usual = go.zip(base);
    let narrow = plan.narrow && plan.records;
    // all kernels first: what cannot be loaded stops the call before it starts
    let blocks = of([c"truing_extra_blocks_f32", c"truing_extra_blocks_bf16", c"truing_extra_blocks_f16"])?;
    let top = of([c"truing_extra_top_f32", c"truing_extra_top_bf16", c"truing_extra_top_f16"])?;
    let rows = if plan.local { c"truing_extra_local" } else { c"truing_extra_rows" };
    let [divisor, rows, total] = [c"truing_extra_divisor", rows, c"truing_extra_total"].map(kernel);
    let (divisor, rows, total) = (divisor?, rows?, total?);
    let thin = match &usual {
        Some((go, own)) if narrow => Some(go.blocks(&inputs.base, own)?),
        _ => None,
    };
    let of_bias = match bias {
        true => Some(of([c"truing_extra_bias_f32", c"truing_extra_bias_bf16", c"truing_extra_bias_f16"])?),
        false => None,
    };
    let filter = match plan.filters() {
        Some(_) => Some(of(FILTER)?),
        None => None,
    };
    let gradient = match (grad.map(|x| x.dtype), &usual) {
        (None, _) => None,
        (Some(g), Some((go, _))) if plan.usual => Some(go.kernel(super::grad_kernel(dtype, g))?),
        (Some(g), _) => Some(kernel(match (dtype, g) {
            (Dtype::F32, _) => c"truing_extra_grad_f32",
            (Dtype::Bf16, Dtype::F32) => c"truing_extra_grad_bf16_f32",
            (Dtype::Bf16, _) => c"truing_extra_grad_bf16",
            (_, Dtype::F32) => c"truing_extra_grad_f16_f32",
            _ => c"truing_extra_grad_f16",
        })?),
    };
    // SAFETY: the caller's promise.
    unsafe {
        if let Some(filter) = filter
            && n > 0
        {
            let all = Args { support: 0, ..args };
            filter.launch(&device, stream, Grid::new(cover("logits", n, 1)?, 256), &all)?;
        }
        if n > 0 && plan.records {
            match (thin, &usual) {
                (Some(thin), Some((go, own))) => go.over_blocks(thin, plan.parts, own)?,
                _ if plan.parts > 0 => blocks.launch(&device, stream, Grid::new(tasks(plan.parts), threads), &args)?,
                _ => {}
            }
            if plan.whole && args.whole_parts > 0 {
                let whole = Places { blocks: args.space.whole, ..args.space };
                let (class_weight, parts) = (View::NONE, args.whole_parts);
                // of all columns of a shard their number may be asked for
                let sums = (plan.local && plan.needs.rank) as u32;
                let whole = Args { space: whole, parts, support: 0, sums, ranks: 0, class_weight, ..args };
                blocks.launch(&device, stream, Grid::new(tasks(parts as usize), threads), &whole)?;
            }
            if args.top > 0 {
                top.launch(&device, stream, Grid::new(cover("logits", n, 1)?, 256), &args)?;
            }
        }
        if plan.divides {
            divisor.launch(&device, stream, Grid::new(1, 256), &args)?;
        }
        if n > 0 {
            rows.launch(&device, stream, Grid::new(grid("logits", n)?, threads), &args)?;
        }
        if plan.totals {
            total.launch(&device, stream, Grid::new(1, 256), &args)?;
        }
        // before the gradient, which may be the logits themselves
        if let Some(of_bias) = of_bias {
            let warps = problem.vocab().div_ceil(32);
            of_bias.launch(&device, stream, Grid::new(grid("grad_bias_out", warps)?, threads), &args)?;
        }
        match (gradient, &usual) {
            (Some(gradient), Some((go, own))) if n > 0 && plan.usual => go.over_blocks(gradient, columns, own),
            (Some(gradient), _) if n > 0 => gradient.launch(&device, stream, Grid::new(tasks(columns), threads), &args),
            _ => Ok(()),
        }
    }
}

fn missing<T>(field: &'static str, expected: &'static str) -> Result<T> {
    Err(Error::invalid(field, Value::Text("NULL"), Value::Text(expected)))
}
fn check_inputs(problem: &Problem, inputs: &Inputs) -> Result<()> {
    if inputs.base.logits.dtype == Dtype::F64 {
        return Err(super::double::refused());
    }
    super::check_rows(problem, &inputs.base, &LOGITS)?;
    check_more(problem, inputs, problem.total())
}
/// Of what is beside the logits; `classes`: class weights.
fn check_more(problem: &Problem, inputs: &Inputs, classes: usize) -> Result<()> {
    let (n, v, options) = (problem.rows(), problem.vocab(), problem.options());
    let check = |field, x: &Option<Tensor>, rows, cols, dtypes: &Dtypes| {
        x.as_ref().map_or(Ok(()), |x| x.check(field, rows, cols, dtypes))
    };
    check("row_loss.class_weight", &inputs.class_weight, classes, 1, &FLOATS)?;
    check("row_loss.external_scale", &inputs.external_scale, n, 1, &F32)?;
    let external = options.row_loss.scaling == Scaling::External;
    match &inputs.external_scale {
        None if external => {
            return missing("row_loss.external_scale", "a factor a row, which the external token scaling needs");
        }
        Some(_) if !external => {
            let expected = Value::Text("NULL without the external token scaling");
            return Err(Error::invalid("row_loss.external_scale", Value::Text("a tensor"), expected));
        }
        _ => {}
    }
    if options.shift > 0 && inputs.base.target.is_none() {
        return missing("rows.target", "targets, which the shift needs");
    }
    match inputs.segments {
        Some(Segments::Packed(offsets)) => {
            offsets.check("rows.cu_seqlens", offsets.layout.rows(), 1, &IDS)?;
            if offsets.layout.rows() == 0 {
                return Err(Error::shape("rows.cu_seqlens", offsets.layout.shape(), Value::Text("[B + 1]")));
            }
        }
        Some(Segments::Padded { width }) if width == 0 || !n.is_multiple_of(width) => {
            return Err(Error::shape("rows.target", Value::Size(width), Value::Size(n)));
        }
        _ => {}
    }
    match inputs.support.map(|s| s.columns) {
        None => Ok(()),
        Some(Columns::Computed(_)) if problem.total() != v => {
            let expected = Value::Text("a given support in a shard: the filters need the columns of all");
            Err(Error::invalid("support.kind", Value::Text("filters"), expected))
        }
        Some(Columns::Computed(_)) => Ok(()),
        Some(Columns::Bitmask(x)) => x.check("support.bitmask", n, v.div_ceil(32), &U32),
        Some(Columns::Padded(x)) => x.check("support.ids", n, x.layout.cols, &IDS),
        Some(Columns::Packed(x, offsets)) => {
            x.check("support.ids", x.layout.rows(), 1, &IDS)?;
            offsets.check("support.id_offsets", n + 1, 1, &IDS)
        }
    }
}
fn check_figures(problem: &Problem, inputs: &Inputs, out: &Figures) -> Result<()> {
    let n = problem.rows();
    super::check_figures(problem, &inputs.base, &out.base, &F32)?;
    if out.topk() > MOST {
        let field = if out.topk_ids.is_some() { "figures.out_topk_ids" } else { "figures.out_topk_logprobs" };
        return Err(Error::shape(field, Value::Size(out.topk()), Value::Text("at most 512 columns")));
    }
    let (k, words) = (out.topk(), problem.vocab().div_ceil(32));
    let extra = out.extra_ids.map_or(0, |x| x.layout.cols);
    if let Some(ids) = &out.extra_ids {
        ids.check("figures.extra_ids", n, extra, &IDS)?;
    } else if out.extra_logprobs.is_some() {
        return missing("figures.extra_ids", "ids, which out_extra_logprobs needs");
    }
    let all: [(_, &Option<Tensor>, usize, usize, &Dtypes); 16] = [
        ("figures.out_mean_logit", &out.mean_logit, n, 1, &F32),
        ("figures.out_rank", &out.rank, n, 1, &I32),
        ("figures.out_ties", &out.ties, n, 1, &I32),
        ("figures.out_topk_ids", &out.topk_ids, n, k, &I32),
        ("figures.out_topk_logprobs", &out.topk_logprobs, n, k, &F32),
        ("figures.out_topk_entropy", &out.topk_entropy, n, 1, &F32),
        ("figures.out_extra_logprobs", &out.extra_logprobs, n, extra, &F32),
        ("figures.out_token_scale", &out.token_scale, n, 1, &F32),
        ("figures.out_row_loss", &out.row_loss, n, 1, &F32),
        ("figures.out_loss", &out.loss, 1, 1, &WIDE),
        ("figures.out_counters", &out.counters, row::BITS, 1, &I64),
        ("figures.out_lse_support", &out.lse_support, n, 1, &F32),
        ("figures.out_log_kept_mass", &out.log_kept_mass, n, 1, &F32),
        ("figures.out_support_size", &out.support_size, n, 1, &I32),
        ("figures.out_support_bitmask", &out.support_bitmask, n, words, &U32),
        ("figures.out_support_ids", &out.support_ids, n, out.support_ids.map_or(0, |x| x.layout.cols), &I32),
    ];
    for (field, x, rows, cols, dtypes) in all {
        x.as_ref().map_or(Ok(()), |x| x.check_out(field, rows, cols, dtypes))?;
    }
    let of_target = [out.rank, out.ties, out.row_loss, out.token_scale].iter().any(|x| x.is_some());
    if of_target && inputs.base.target.is_none() {
        return missing("rows.target", "targets, which out_logprob and the other figures of the target need");
    }
    if problem.options().row_loss.scales() && inputs.base.target.is_none() {
        return missing("rows.target", "targets, which row_loss.token_scaling needs");
    }
    if out.loss.is_some() { check_loss(problem, inputs, "figures.out_loss") } else { Ok(()) }
}
/// That the rows become one number.
fn check_loss(problem: &Problem, inputs: &Inputs, field: &'static str) -> Result<()> {
    problem.options().row_loss.check_reduces(field)?;
    if inputs.base.target.is_none() {
        return missing("rows.target", "targets, which the loss needs");
    }
    Ok(())
}
fn check_one(field: &'static str, x: &Option<Tensor>) -> Result<()> {
    x.as_ref().map_or(Ok(()), |x| x.check(field, 1, 1, &FLOATS))
}
fn check_scale(field: &'static str, x: f64) -> Result<()> {
    if x.is_finite() {
        return Ok(());
    }
    Err(Error::invalid(field, Value::Float(x), Value::Text("a finite number")))
}
fn check_bias(problem: &Problem, bias: &Option<Tensor>) -> Result<()> {
    bias.as_ref().map_or(Ok(()), |x| x.check_out("grad_bias_out", problem.vocab(), 1, &F32))
}
fn check_grad(problem: &Problem, inputs: &Inputs, grad: Tensor) -> Result<()> {
    super::check_grad(problem, &inputs.base, grad)
}
fn check_upstream(problem: &Problem, inputs: &Inputs, upstream: &Upstream) -> Result<()> {
    let n = problem.rows();
    super::check_upstream(n, &inputs.base, &upstream.base, &F32)?;
    upstream.row_loss.as_ref().map_or(Ok(()), |x| x.check("upstream.grad_row_loss", n, 1, &F32))?;
    check_one("upstream.grad_loss", &upstream.loss)?;
    match (&upstream.extra, &upstream.extra_ids) {
        (None, None) => {}
        (Some(x), Some(ids)) => {
            ids.check("upstream.extra_ids", n, ids.layout.cols, &IDS)?;
            x.check("upstream.grad_extra", n, ids.layout.cols, &F32)?;
        }
        (Some(_), None) => return missing("upstream.extra_ids", "ids, which grad_extra needs"),
        (None, Some(_)) => return missing("upstream.grad_extra", "gradients of the columns that extra_ids names"),
    }
    if (upstream.row_loss.is_some() || upstream.loss.is_some()) && inputs.base.target.is_none() {
        return missing("rows.target", "targets, which the gradient of the row loss needs");
    }
    if upstream.loss.is_some() { check_loss(problem, inputs, "upstream.grad_loss") } else { Ok(()) }
}
fn arguments(plan: &Plan<'_>, workspace: Space) -> Args {
    let Plan { problem, inputs, needs, .. } = plan;
    let (options, none, base) = (problem.options(), View::NONE, &inputs.base);
    let (width, offsets) = match inputs.segments {
        Some(Segments::Padded { width }) => (width, None),
        Some(Segments::Packed(offsets)) => (0, Some(offsets)),
        None => (0, None),
    };
    let (bitmask, ids, id_offsets) = match inputs.support.map(|s| s.columns) {
        None | Some(Columns::Computed(_)) => (None, None, None),
        Some(Columns::Bitmask(x)) => (Some(x), None, None),
        Some(Columns::Padded(x)) => (None, Some(x), None),
        Some(Columns::Packed(x, offsets)) => (None, Some(x), Some(offsets)),
    };
    let (loss, filters) = (&options.row_loss, plan.filters());
    let keep = inputs.support.is_some_and(|s| s.outside == Outside::Keep);
    let flag = |x: bool| x as u32;
    Args {
        logits: View::of(Some(base.logits)),
        grad: none,
        target: View::of(base.target),
        mask: View::of(base.mask),
        offsets: View::of(offsets),
        bias: View::of(base.bias),
        temperature: View::of(base.row_temperature),
        stats: none,
        class_weight: View::of(inputs.class_weight),
        external: View::of(inputs.external_scale),
        extra_ids: none,
        bitmask: View::of(bitmask),
        ids: View::of(ids),
        id_offsets: View::of(id_offsets),
        grad_logprob: none,
        grad_lse: none,
        grad_entropy: none,
        grad_extra: none,
        back_ids: none,
        grad_row_loss: none,
        grad_loss: none,
        grad_bias: none,
        out_logprob: none,
        out_lse: none,
        out_max: none,
        out_argmax: none,
        out_entropy: none,
        out_log_sum_sq: none,
        out_mean_logit: none,
        out_is_top1: none,
        out_rank: none,
        out_ties: none,
        out_topk_ids: none,
        out_topk_logprobs: none,
        out_topk_entropy: none,
        out_extra: none,
        out_token_scale: none,
        out_row_loss: none,
        out_loss: none,
        out_stats: none,
        out_status: none,
        out_counters: none,
        out_lse_support: none,
        out_log_kept_mass: none,
        out_size: none,
        out_bitmask: none,
        out_ids: none,
        out_records: none,
        out_support_records: none,
        out_topk_logits: none,
        out_extra_logits: none,
        out_counts: none,
        records: none,
        support_records: none,
        starts: none,
        topk_ids: none,
        topk_logits: none,
        extra_logits: none,
        counts: none,
        space: plan.places().at(workspace.data),
        rows: problem.rows() as i64,
        ignore_index: options.ignore_index.unwrap_or(0),
        shift: options.shift as i64,
        width: width as i64,
        sequences: offsets.map_or(0, |x| x.layout.rows() as i64 - 1),
        start: problem.start() as i64,
        total: problem.total() as i64,
        id_total: ids.filter(|_| id_offsets.is_some()).map_or(0, |x| x.layout.rows() as i64),
        top_k: filters.map_or(0, |f| i64::try_from(f.top_k()).unwrap_or(i64::MAX)),
        logit_scale: options.transform.logit_scale,
        softcap: options.transform.softcap,
        grad_scale: 1.0,
        label_smoothing: loss.label_smoothing,
        z_loss: loss.z_loss,
        eaft_alpha: loss.eaft_alpha,
        normaliser: loss.normaliser,
        top_p: filters.map_or(0.0, |f| f.top_p()),
        log_min_p: filters.map_or(0.0, |f| f.reach()),
        transform: Transform::of(&options.transform),
        vocab: problem.vocab() as u32,
        valid: problem.valid() as u32,
        parts: plan.parts as u32,
        skip: (problem.start() % BLOCK) as u32,
        whole_parts: if plan.whole { plan.whole_parts() as u32 } else { 0 },
        narrow: flag(plan.narrow),
        has_ignore: flag(options.ignore_index.is_some()),
        sums: flag(needs.sums),
        ranks: flag(needs.rank),
        top: needs.top as u32,
        entropy_columns: options.entropy_columns() as u32,
        topk: 0,
        extra_columns: 0,
        back_columns: plan.back_columns as u32,
        id_columns: ids.filter(|_| id_offsets.is_none()).map_or(0, |x| x.layout.cols as u32),
        id_places: 0,
        shards: plan.shards as u32,
        depth: plan.depth() as u32,
        listed: 0,
        support: if bitmask.is_some() || filters.is_some() { 1 } else { 2 * flag(ids.is_some()) },
        keep_target: flag(keep),
        scaling: loss.scaling as u32,
        megatron: flag(loss.smoothing == Some(Smoothing::Megatron)),
        reduction: match loss.reduction {
            Some(Reduction::Mean) => 1,
            Some(Reduction::WeightedMean) => 2,
            _ => 0,
        },
        loss_gradient: 0,
        of_loss: flag(plan.of_loss),
        preset: filters.map_or(0, |f| match f.preset() {
            Preset::Vllm => 0,
            Preset::Hf => 1,
            Preset::Sglang => 2,
        }),
        all_of_k: flag(filters.is_some_and(|f| f.ties()[0] == Ties::All)),
        all_of_p: flag(filters.is_some_and(|f| f.ties()[1] == Ties::All)),
        inclusive: flag(filters.is_some_and(|f| f.edge() == Edge::Inclusive)),
    }
}
