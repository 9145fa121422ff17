//! KL to a reference and log ratio of the targets, summed per sequence: a divergence of tokens whose f64 values a kernel of
//! `kernels/sequence.cu` adds up.
use super::{Figures, Grads, Inputs, Need, Upstream, backward, backward_workspace, no_target, run};
use crate::driver::Stream;
use crate::plan::{F64, Space, Tensor};
use crate::program::Context;
use crate::sequence::{KlSums, Layout, kl_sums, spread};
use truing_core::divergence::Problem;
use truing_core::matrix::{Arena, Workspace};
use truing_core::{Dtype, Error, Result, Value};

/// Where sums go; see `truing_cpu::divergence::SequenceFigures`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SequenceFigures {
    /// `[B]`, f64: sum of log p - log q of the targets, p the policy, q the reference.
    pub log_ratio: Option<Tensor>,
    /// `[B]`, f64: sum of KL(q || p).
    pub kl: Option<Tensor>,
    /// `[B]`, i32: tokens that count.
    pub counts: Option<Tensor>,
    /// `[N, 16]`, f32, for the backward.
    pub stats: Option<Tensor>,
    /// `[B]`, u32.
    pub status: Option<Tensor>,
}
/// What the tokens hand to the sums or get from them: a number each for both, and status in a forward.
fn sizes(n: usize) -> [usize; 3] {
    [Arena::need::<f64>(n), Arena::need::<f64>(n), Arena::need::<u32>(n)]
}
/// Bytes of workspace of [`sequence_kl`], or with `backward` of [`sequence_kl_backward`]; `stats`: they are given.
pub fn sequence_kl_workspace(problem: &Problem, backward: bool, stats: bool) -> Workspace {
    let tokens = match backward {
        true => backward_workspace(problem, stats, &Upstream::default()),
        false => Need::new(problem, true, false, false, 0).workspace(),
    };
    let bytes = Arena::sum([Arena::sum(sizes(problem.rows())), tokens.minimum]);
    Workspace { minimum: bytes, preferred: bytes }
}
fn check(problem: &Problem, layout: &Layout, inputs: &Inputs) -> Result<()> {
    layout.check().map_err(|e| Error { field: "rows.cu_seqlens", ..e })?;
    if layout.tokens() != problem.rows() {
        return Err(Error::shape("policy", Value::Size(problem.rows()), Value::Size(layout.tokens())));
    }
    match inputs.target {
        None => Err(no_target("targets, which the log ratio needs")),
        Some(_) => Ok(()),
    }
}
/// Enqueues the sequential KL of token-level DPO: student is the policy, teacher the reference, `problem` of
/// [`truing_core::divergence::Kind::ForwardKl`] without weights.
///
/// # Safety
/// As for [`super::forward`].
pub unsafe fn sequence_kl(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    layout: Layout,
    inputs: &Inputs,
    out: &SequenceFigures,
    workspace: Space,
) -> Result<()> {
    check(problem, &layout, inputs)?;
    let (log_ratio, kl, counts, status) = (out.log_ratio, out.kl, out.counts, out.status);
    let sums = KlSums { log_ratio, kl, counts, status };
    sums.check(layout.sequences())?;
    workspace.check(sequence_kl_workspace(problem, false, false).minimum)?;
    let n = problem.rows();
    let [values, ratios, rest] = sizes(n).map(|x| x as u64);
    let at = workspace.data;
    let own = Tensor::vector(at + values + ratios, Dtype::U32, n);
    let figures = Figures { stats: out.stats, status: Some(own), ..Figures::default() };
    let used = values + ratios + rest;
    let space = Space { data: at + used, size: workspace.size - used as usize };
    let need = Need::new(problem, true, false, false, 0);
    let pairs = [at, at + values];
    // SAFETY: the caller's promise.
    unsafe {
        run(context, stream, problem, inputs, &figures, None, None, Some(pairs), space, need, true)
            .map_err(|e| if e.field == "outputs.out_stats" { Error { field: "out_stats", ..e } } else { e })?;
        let number = |at| Tensor::vector(at, Dtype::F64, n);
        kl_sums(context, stream, layout, [number(pairs[1]), number(pairs[0]), own], &sums)
    }
}
/// Enqueues the gradient of the policy's logits, given those of both sums of every sequence (log ratio, KL: `[B]`, f64); an
/// absent one is 0.
///
/// # Safety
/// As for [`super::forward`].
pub unsafe fn sequence_kl_backward(
    context: &Context,
    stream: Stream,
    problem: &Problem,
    layout: Layout,
    inputs: &Inputs,
    stats: Option<Tensor>,
    upstream: [Option<Tensor>; 2],
    grad: Tensor,
    workspace: Space,
) -> Result<()> {
    check(problem, &layout, inputs)?;
    for (field, x) in ["grad_log_ratio", "grad_kl"].into_iter().zip(&upstream) {
        x.as_ref().map_or(Ok(()), |x| x.check(field, layout.sequences(), 1, &F64))?;
    }
    workspace.check(sequence_kl_workspace(problem, true, stats.is_some()).minimum)?;
    let n = problem.rows();
    let [values, ratios, rest] = sizes(n).map(|x| x as u64);
    let to = [workspace.data + values, workspace.data].map(|at| Tensor::vector(at, Dtype::F32, n));
    let used = values + ratios + rest;
    let space = Space { data: workspace.data + used, size: workspace.size - used as usize };
    let tokens = Upstream { values: Some(to[1]), student_logprob: Some(to[0]), ..Upstream::default() };
    let grads = Grads { student: Some(grad), teacher: None };
    // SAFETY: the caller's promise.
    unsafe {
        spread(context, stream, layout, upstream, to)?;
        backward(context, stream, problem, inputs, stats, &tokens, &grads, None, space)
    }
}
