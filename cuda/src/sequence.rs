//! Token values to sequence scores and back on a device, with the bits of the CPU; `kernels/sequence.cu` says how, and
//! [`truing_core::sequence`] what.
//!
//! What the host cannot look at without waiting is judged on the device: a sequence with offsets that do not cut the tokens,
//! a negative prefix, or weights that are not finite and >= 0 gets the score NaN and the status `OUT_OF_RANGE`. Tokens of a
//! sequence whose offsets are wrong get no gradient.
use crate::driver::{Device, Grid, Stream};
use crate::plan::{F32, F64, FLOATS, I32, I64, IDS, MASK, Tensor, U32, View, WIDE, cover};
use crate::program::{Context, File};
use truing_core::error::row;
use truing_core::sequence::{Divisor, Options, Problem, Score, Segments};
use truing_core::{Error, Result, Value};

pub(crate) const FILE: File = File { name: c"sequence.cu", text: include_str!("../kernels/sequence.cu") };
const THREADS: usize = 128;

/// Which tokens belong to which sequence.
#[derive(Clone, Copy, Debug)]
pub enum Layout {
    /// `[B, T]`.
    Padded {
        /// B.
        sequences: usize,
        /// T.
        width: usize,
    },
    /// `[N]` with offsets `[B + 1]`, i32 or i64, first 0, last N, ascending.
    Packed {
        /// N.
        tokens: usize,
        /// The offsets.
        offsets: Tensor,
    },
}
impl Layout {
    /// N.
    pub fn tokens(&self) -> usize {
        match self {
            Layout::Padded { sequences, width } => sequences.saturating_mul(*width),
            Layout::Packed { tokens, .. } => *tokens,
        }
    }
    /// B.
    pub fn sequences(&self) -> usize {
        match self {
            Layout::Padded { sequences, .. } => *sequences,
            Layout::Packed { offsets, .. } => offsets.layout.rows().saturating_sub(1),
        }
    }
    pub(crate) fn check(&self) -> Result<()> {
        let Layout::Packed { offsets, tokens } = self else { return Ok(()) };
        // no sequence has no tokens: what the offsets hold is for the device to judge
        if offsets.layout.rows() == 0 || (offsets.layout.rows() == 1 && *tokens > 0) {
            return Err(Error::shape("cu_seqlens", offsets.layout.shape(), Value::Text("[B + 1]")));
        }
        offsets.check("cu_seqlens", offsets.layout.rows(), 1, &IDS)
    }
}
/// Token values, mask and weights; see [`truing_core::sequence::Inputs`].
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Inputs {
    /// `[N]`: f32, bf16, f16 or f64. A backward reads it with a clamp only.
    pub logps: Option<Tensor>,
    pub ref_logps: Option<Tensor>,
    /// u8, i32 or i64
    pub mask: Option<Tensor>,
    /// f32
    pub token_weights: Option<Tensor>,
    /// `[B]`, i32 or i64
    pub ld_prefix: Option<Tensor>,
}
/// Where results go, `[B]` each; see [`truing_core::sequence::Outputs`].
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Outputs {
    /// f64 or f32
    pub scores: Option<Tensor>,
    /// i32, as the next two
    pub counts: Option<Tensor>,
    pub first: Option<Tensor>,
    pub last: Option<Tensor>,
    /// u32
    pub status: Option<Tensor>,
    /// `[32]`, i64: sequences by status bit.
    pub counters: Option<Tensor>,
}
/// Upstream gradient and where the tokens' gradients go, `[N]`, f32.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Grads {
    /// `[B]`, f64 or f32
    pub grad_scores: Tensor,
    /// One number, a factor.
    pub grad_output: Option<Tensor>,
    /// Host factor.
    pub grad_scale: f64,
    pub logps: Option<Tensor>,
    pub ref_logps: Option<Tensor>,
}

/// `truing_sequence_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Args {
    logps: View,
    ref_logps: View,
    mask: View,
    weights: View,
    prefix: View,
    offsets: View,
    out_scores: View,
    out_counts: View,
    out_first: View,
    out_last: View,
    out_status: View,
    out_counters: View,
    grad_scores: View,
    grad_output: View,
    grad_logps: View,
    grad_ref_logps: View,
    tokens: i64,
    sequences: i64,
    width: i64,
    alpha: f64,
    normaliser: f64,
    low: f64,
    high: f64,
    grad_scale: f64,
    divisor: u32,
    policy_only: u32,
    clamps: u32,
    reserved: u32,
}
/// Bytes of the arguments, for the test that compares them with the kernels' own.
pub const ARGS: usize = size_of::<Args>();

/// Enqueues scores and counts of every sequence.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn forward(
    context: &Context,
    stream: Stream,
    layout: Layout,
    options: &Options,
    inputs: &Inputs,
    out: &Outputs,
) -> Result<()> {
    let mut args = arguments(layout, options, inputs)?;
    let b = layout.sequences();
    if inputs.logps.is_none() {
        return Err(nothing("logps", "token values"));
    }
    let all = [
        ("out_scores", &out.scores, &WIDE),
        ("out_counts", &out.counts, &I32),
        ("out_first", &out.first, &I32),
        ("out_last", &out.last, &I32),
        ("out_status", &out.status, &U32),
    ];
    for (field, x, dtypes) in all {
        x.as_ref().map_or(Ok(()), |x| x.check_out(field, b, 1, dtypes))?;
    }
    out.counters.as_ref().map_or(Ok(()), |x| x.check_out("out_counters", row::BITS, 1, &I64))?;
    (args.out_scores, args.out_counts, args.out_first) =
        (View::of(out.scores), View::of(out.counts), View::of(out.first));
    (args.out_last, args.out_status) = (View::of(out.last), View::of(out.status));
    args.out_counters = View::of(out.counters);
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe {
        if out.counters.is_some() {
            launch(context, stream, 32, c"truing_sequence_clear", &args)?;
        }
        launch(context, stream, b.saturating_mul(32), c"truing_sequence_forward", &args)
    }
}
/// Enqueues the gradients of the tokens.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn backward(
    context: &Context,
    stream: Stream,
    layout: Layout,
    options: &Options,
    inputs: &Inputs,
    grads: &Grads,
) -> Result<()> {
    let mut args = arguments(layout, options, inputs)?;
    let (n, b) = (layout.tokens(), layout.sequences());
    if options.clamp.is_some() && inputs.logps.is_none() {
        return Err(nothing("logps", "token values with a clamp"));
    }
    grads.grad_scores.check("grad_scores", b, 1, &WIDE)?;
    grads.grad_output.as_ref().map_or(Ok(()), |x| x.check("grad_output", 1, 1, &FLOATS))?;
    if !grads.grad_scale.is_finite() {
        return Err(Error::invalid("grad_scale", Value::Float(grads.grad_scale), Value::Text("a finite number")));
    }
    for (field, x) in [("grad_logps_out", &grads.logps), ("grad_ref_logps_out", &grads.ref_logps)] {
        x.as_ref().map_or(Ok(()), |x| x.check_out(field, n, 1, &F32))?;
    }
    (args.grad_scores, args.grad_output) = (View::of(Some(grads.grad_scores)), View::of(grads.grad_output));
    (args.grad_logps, args.grad_ref_logps) = (View::of(grads.logps), View::of(grads.ref_logps));
    args.grad_scale = grads.grad_scale;
    // SAFETY: the caller's promise; the arguments have been checked.
    unsafe { launch(context, stream, b.saturating_mul(32), c"truing_sequence_backward", &args) }
}

/// Where the sums of [`kl_sums`] go, `[B]`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KlSums {
    /// f64, as the next.
    pub(crate) log_ratio: Option<Tensor>,
    pub(crate) kl: Option<Tensor>,
    /// i32
    pub(crate) counts: Option<Tensor>,
    /// u32
    pub(crate) status: Option<Tensor>,
}
impl KlSums {
    pub(crate) fn check(&self, b: usize) -> Result<()> {
        let all = [
            ("out_log_ratio", &self.log_ratio, &F64),
            ("out_kl", &self.kl, &F64),
            ("out_counts", &self.counts, &I32),
            ("out_status", &self.status, &U32),
        ];
        all.into_iter().try_for_each(|(field, x, dtypes)| x.map_or(Ok(()), |x| x.check_out(field, b, 1, dtypes)))
    }
}
/// Adds up log ratios and KL of tokens (f64, with their status) per sequence, for the divergence that has made them.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub(crate) unsafe fn kl_sums(
    context: &Context,
    stream: Stream,
    layout: Layout,
    [ratios, values, status]: [Tensor; 3],
    out: &KlSums,
) -> Result<()> {
    let mut args = arguments(layout, &Options { score: Score::Sum, clamp: None }, &Inputs::default())?;
    (args.logps, args.ref_logps, args.mask) = (View::of(Some(ratios)), View::of(Some(values)), View::of(Some(status)));
    (args.out_scores, args.grad_scores) = (View::of(out.log_ratio), View::of(out.kl));
    (args.out_counts, args.out_status) = (View::of(out.counts), View::of(out.status));
    let threads = layout.sequences().saturating_mul(32);
    // SAFETY: the caller's promise.
    unsafe { launch(context, stream, threads, c"truing_sequence_kl", &args) }
}
/// Gives each token the gradients of its sequence's sums, rounded to f32: `from` of log ratio and KL, `[B]`, f64, an absent one
/// is 0; `to` `[N]`, f32.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub(crate) unsafe fn spread(
    context: &Context,
    stream: Stream,
    layout: Layout,
    from: [Option<Tensor>; 2],
    to: [Tensor; 2],
) -> Result<()> {
    let mut args = arguments(layout, &Options { score: Score::Sum, clamp: None }, &Inputs::default())?;
    (args.logps, args.ref_logps) = (View::of(from[0]), View::of(from[1]));
    (args.grad_logps, args.grad_ref_logps) = (View::of(Some(to[0])), View::of(Some(to[1])));
    // SAFETY: the caller's promise.
    unsafe { launch(context, stream, layout.tokens(), c"truing_sequence_spread", &args) }
}

/// # Safety
/// As for [`crate::driver::Kernel::launch`].
unsafe fn launch(
    context: &Context,
    stream: Stream,
    threads: usize,
    name: &'static core::ffi::CStr,
    args: &Args,
) -> Result<()> {
    if threads == 0 {
        return Ok(());
    }
    let (grid, width) = (cover("logps", threads, THREADS)?, threads.min(THREADS) as u32);
    let device = Device::current()?;
    let kernel = context.kernel(&device, stream, FILE, name)?;
    // SAFETY: the caller's promise.
    unsafe { kernel.launch(&device, stream, Grid::new(grid, width), args) }
}
fn nothing(field: &'static str, expected: &'static str) -> Error {
    Error::invalid(field, Value::Text("nothing"), Value::Text(expected))
}
fn arguments(layout: Layout, options: &Options, inputs: &Inputs) -> Result<Args> {
    let (n, b) = (layout.tokens(), layout.sequences());
    // the options are core's to judge, and the segments where the host has them
    let (sequences, width) = if let Layout::Padded { sequences, width } = layout { (sequences, width) } else { (b, 1) };
    Problem::new(sequences.saturating_mul(width), Segments::Padded { sequences, width }, *options)?;
    let (mut offsets, none) = (None, View::NONE);
    layout.check()?;
    if let Layout::Packed { offsets: x, .. } = layout {
        offsets = Some(x);
    }
    let all = [
        ("logps", &inputs.logps, n, &FLOATS),
        ("ref_logps", &inputs.ref_logps, n, &FLOATS),
        ("mask", &inputs.mask, n, &MASK),
        ("score.token_weights", &inputs.token_weights, n, &F32),
        ("score.ld_prefix", &inputs.ld_prefix, b, &IDS),
    ];
    for (field, x, rows, dtypes) in all {
        x.as_ref().map_or(Ok(()), |x| x.check(field, rows, 1, dtypes))?;
    }
    let ld = matches!(options.score, Score::Ld { .. });
    match (ld, inputs.ld_prefix, inputs.token_weights) {
        (true, None, _) => return Err(nothing("score.ld_prefix", "[B] with score ld")),
        (false, Some(_), _) => {
            let (got, expected) = (Value::Text("a prefix"), Value::Text("none without score ld"));
            return Err(Error::invalid("score.ld_prefix", got, expected));
        }
        (true, _, Some(_)) => {
            let (got, expected) = (Value::Text("weights with score ld"), Value::Text("none"));
            return Err(Error::invalid("score.token_weights", got, expected));
        }
        _ => {}
    }
    if options.clamp.is_some() && inputs.ref_logps.is_none() {
        return Err(nothing("ref_logps", "token reference with a clamp"));
    }
    let (divisor, normaliser, alpha, policy_only) = match options.score {
        Score::Sum => (0, 1.0, 1.0, false),
        Score::Mean(Divisor::Tokens) => (1, 1.0, 1.0, false),
        Score::Mean(Divisor::Weights) => (2, 1.0, 1.0, false),
        Score::Mean(Divisor::External(z)) => (3, z, 1.0, false),
        Score::Ld { alpha, policy_only } => (0, 1.0, alpha, policy_only),
    };
    let (low, high) = options.clamp.unwrap_or((0.0, 0.0));
    Ok(Args {
        logps: View::of(inputs.logps),
        ref_logps: View::of(inputs.ref_logps),
        mask: View::of(inputs.mask),
        weights: View::of(inputs.token_weights),
        prefix: View::of(inputs.ld_prefix),
        offsets: View::of(offsets),
        out_scores: none,
        out_counts: none,
        out_first: none,
        out_last: none,
        out_status: none,
        out_counters: none,
        grad_scores: none,
        grad_output: none,
        grad_logps: none,
        grad_ref_logps: none,
        tokens: n as i64,
        sequences: b as i64,
        width: if offsets.is_some() { 0 } else { width as i64 },
        alpha,
        normaliser,
        low,
        high,
        grad_scale: 1.0,
        divisor,
        policy_only: policy_only as u32,
        clamps: options.clamp.is_some() as u32,
        reserved: 0,
    })
}
