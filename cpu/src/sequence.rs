//! Sequence scores over threads: a sequence is one ordered f64 chain and belongs to one task.
use crate::parallel::Context;
use core::sync::atomic::{AtomicI64, Ordering};
use truing_core::dtype::Float;
use truing_core::error::row;
use truing_core::matrix::Workspace;
use truing_core::matrix::{FloatsMut, Split};
use truing_core::sequence::{Grads, Inputs, Outputs, Problem, Segments, Upstream, figures, gradients};
use truing_core::{Dtype, Error, Result, Status, Value, matrix::Arena};

/// Tokens that are worth a task.
const GRAIN: usize = 16384;

/// One counter per status bit; whole numbers, so the order in which threads add does not matter.
#[derive(Debug)]
pub(crate) struct Counters([AtomicI64; row::BITS]);
impl Counters {
    pub(crate) fn new() -> Counters {
        Counters([const { AtomicI64::new(0) }; row::BITS])
    }
    #[inline(always)]
    pub(crate) fn add(&self, status: u32) {
        if status != 0 {
            self.add_all(status);
        }
    }
    /// Adds so many tokens that were not read.
    pub(crate) fn ignore(&self, tokens: usize) {
        self.0[row::IGNORED.trailing_zeros() as usize].fetch_add(tokens as i64, Ordering::Relaxed);
    }
    #[cold]
    fn add_all(&self, status: u32) {
        for (bit, counter) in self.0.iter().enumerate() {
            counter.fetch_add((status >> bit & 1) as i64, Ordering::Relaxed);
        }
    }
    pub(crate) fn write(&self, out: Option<&mut [i64; row::BITS]>) {
        if let Some(out) = out {
            for (to, from) in out.iter_mut().zip(&self.0) {
                *to = from.load(Ordering::Relaxed);
            }
        }
    }
}

/// Refuses scratch memory below the minimum or off its alignment.
pub(crate) fn check_space(scratch: &[u8], need: Workspace) -> Result<()> {
    if scratch.len() < need.minimum {
        let (got, expected) = (Value::Size(scratch.len()), Value::Size(need.minimum));
        return Err(Error::new(Status::WorkspaceTooSmall, "workspace_size", got, expected));
    }
    if need.minimum > 0 && !scratch.as_ptr().addr().is_multiple_of(Arena::ALIGN) {
        return Err(Error::invalid("workspace", Value::Text("an unaligned pointer"), Value::Text("64-byte alignment")));
    }
    Ok(())
}

/// Outputs `[N]` cut between sequences.
pub(crate) struct Cut<'a, O> {
    pub(crate) segments: Segments<'a>,
    pub(crate) first: usize,
    pub(crate) out: O,
}
impl<O: Split> Split for Cut<'_, O> {
    fn split(self, row: usize) -> (Self, Self) {
        let (segments, second) = (self.segments, self.first + row);
        let (a, b) = self.out.split(segments.start(second) - segments.start(self.first));
        (Cut { segments, first: self.first, out: a }, Cut { segments, first: second, out: b })
    }
}

/// Sequences of a piece that holds about `tokens` tokens.
pub(crate) fn grain(sequences: usize, tokens: usize, want: usize) -> usize {
    (want * sequences.max(1) / tokens.max(1)).max(1)
}

/// Status bit `OVERFLOW` if a finite `x` does not fit into the place.
#[inline(always)]
pub(crate) fn overflow(x: f64, place: &FloatsMut<'_>) -> u32 {
    if place.dtype() == Dtype::F32 && x.is_finite() && !(x as f32).is_finite() { row::OVERFLOW } else { 0 }
}

/// Scores and counts of every sequence. See [`truing_core::sequence`].
pub fn forward(
    context: &Context,
    problem: &Problem<'_>,
    inputs: &Inputs<'_>,
    out: Outputs<'_>,
    counters: Option<&mut [i64; row::BITS]>,
) -> Result<()> {
    inputs.check(problem)?;
    out.check(problem)?;
    let n = problem.sequences();
    let seen = Counters::new();
    context.rows(n, grain(n, problem.tokens(), GRAIN), out, |first, rows, mut out| {
        for b in 0..rows {
            let mut f = figures(problem, inputs, first + b);
            if let Some(m) = &mut out.scores {
                f.status |= overflow(f.score, m);
                m.set(b, f.score);
            }
            if let Some(m) = &mut out.counts {
                m.set(b, f.count as i32);
            }
            if let Some(m) = &mut out.first {
                m.set(b, f.live.map_or(-1, |(first, _)| first as i32));
            }
            if let Some(m) = &mut out.last {
                m.set(b, f.live.map_or(-1, |(_, last)| last as i32));
            }
            if let Some(m) = &mut out.status {
                m.set(b, f.status);
            }
            seen.add(f.status);
        }
    });
    seen.write(counters);
    Ok(())
}

/// Token gradients of the scores, rounded once to f32: one beyond f32 is infinite, there is no status here that would
/// say so. See [`truing_core::sequence`].
pub fn backward(context: &Context, problem: &Problem<'_>, upstream: &Upstream<'_>, grads: Grads<'_>) -> Result<()> {
    upstream.check(problem)?;
    grads.check(problem)?;
    let (n, segments) = (problem.sequences(), *problem.segments());
    let out = Cut { segments, first: 0, out: grads };
    context.rows(n, grain(n, problem.tokens(), GRAIN), out, |first, rows, cut| {
        let (mut grads, base) = (cut.out, segments.start(first));
        for b in first..first + rows {
            let start = segments.start(b) - base;
            gradients(problem, upstream, b, |t, dl, dr| {
                if let Some(m) = &mut grads.logps {
                    m.set(start + t, f32::from_f64(dl));
                }
                if let Some(m) = &mut grads.ref_logps {
                    m.set(start + t, f32::from_f64(dr));
                }
            });
        }
    });
    Ok(())
}
