//! Vocabulary shards of the linear form: what [`crate::logprob::local`] writes about the logits `z`, bit for bit.
//! [`crate::logprob::finish`] serves both families.
use super::*;
use crate::logprob::shard::{check_local, local_needs};
use crate::logprob::{Local, LocalPass};

impl Asked {
    /// Of a local call with these outputs.
    pub fn local(
        problem: &Problem,
        over: Option<&Over<'_>>,
        extra_ids: Option<&ExtraIds<'_>>,
        pass: &LocalPass<'_>,
        out: &Local<'_>,
    ) -> Asked {
        Asked {
            needs: local_needs(problem.logprob(), pass, out.topk()),
            extra: if out.extra_logits.is_some() { extra_ids.map_or(0, ExtraIds::cols) } else { 0 },
            whole: over.is_some() && out.records.is_some(),
            ..Asked::support(problem, over)
        }
    }
}
/// Workspace of [`local`] for operands of these types and what [`Asked::local`] says.
pub fn local_workspace(context: &Context, problem: &Problem, hidden: Dtype, weight: Dtype, asked: &Asked) -> Workspace {
    forward_need(context, problem, hidden, weight, asked)
}
/// Writes what a shard's columns contribute; `problem` is one of [`Problem::shard`], `weight` and the bias hold its columns
/// only. Targets and extra ids are columns of the whole vocabulary, supports name columns at hand. Errors: as [`forward`].
pub fn local(
    context: &Context,
    problem: &Problem,
    inputs: Inputs<'_>,
    pass: LocalPass<'_>,
    mut out: Local<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    check(problem, &inputs)?;
    let Inputs { hidden, weight, rows, row_loss, extra_ids, over, .. } = inputs;
    check_local(problem.logprob(), &rows, &row_loss, extra_ids.as_ref(), over.as_ref(), &pass, &out)?;
    let asked = Asked::local(problem, over.as_ref(), extra_ids.as_ref(), &pass, &out);
    check_space(workspace, local_workspace(context, problem, hidden.dtype(), weight.dtype(), &asked))?;
    let stats = if let LocalPass::Counts(stats) = &pass { Some(stats) } else { None };
    // with a support, the live columns of all are counted first
    if over.is_some() && stats.is_some() {
        let needs = truing_core::logprob::Needs { sums: true, ..Default::default() };
        let job = Job::new(context, problem, Inputs { over: None, ..inputs }, Asked { needs, ..Asked::default() });
        with_kernel!(context.isa(), job.paired, k => local_on(k, &job, stats, workspace, &mut |i, seen, _| {
            let live = seen.map_or(0, |seen| seen.record.live as i64);
            out.put_counts(i, [0, 0, 0, live]);
        }))?;
    }
    let job = Job::new(context, problem, inputs, asked);
    with_kernel!(context.isa(), job.paired, k => local_on(k, &job, stats, workspace, &mut |i, seen, found| {
        let Some(seen) = seen else { return out.ignored(i) };
        let all = if job.asked.over { &seen.whole } else { &seen.record };
        out.put_records(i, Some(all), Some(&seen.record), seen.record.flags);
        out.put_top(i, found);
        if let Some(m) = &mut out.extra_logits {
            m.row_mut(i).copy_from_slice(&seen.named[1..]);
        }
        let (record, kept) = (&seen.record, seen.record.live as i64);
        let live = match &out.counts {
            Some(m) if job.asked.over => m.row(i)[3],
            _ => kept,
        };
        out.put_counts(i, [record.above as i64, found.ties as i64, kept, live]);
    }))
}
/// Calls `sink` for every row in order.
fn local_on<K: Kernel>(
    k: K,
    job: &Job<'_>,
    stats: Option<&Matrix<'_, f32>>,
    workspace: &mut [u8],
    sink: &mut dyn FnMut(usize, Option<&Seen<'_>>, &Found),
) -> Result<()> {
    let n = job.problem.rows();
    let sizes = Sizes::of(job, &Group { rows: 0..n, before: 0, logprob_only: false, logits: None });
    if n == 0 {
        return Ok(());
    }
    let waves = Waves::fit::<K>(&sizes, workspace.len())?;
    let mut arena = Arena::new(workspace);
    let live = arena.take::<usize>(waves.wave)?;
    let mut space = Space::<K>::new(&waves, &sizes, &mut arena)?;
    let (mut next, nothing) = (0, Found::default());
    while next < n {
        let (mut done, mut count) = (next, 0);
        while next < n && count < waves.wave {
            if job.target(next) != Target::Ignored {
                live[count] = next;
                count += 1;
            }
            next += 1;
        }
        records(k, job, &waves, &sizes, &mut space, &live[..count], None, stats, true, &mut |i, seen, found| {
            (done..i).for_each(|i| sink(i, None, &nothing));
            done = i + 1;
            sink(i, Some(seen), found);
        });
        (done..next).for_each(|i| sink(i, None, &nothing));
    }
    Ok(())
}
