//! The distance of sorted probabilities, for models of different vocabularies: D = sum of |p_(i) - q_(i)|, p and q each in
//! descending order, the shorter one padded with 0. With k > 0 the k largest of each and the difference of what is left: a
//! lower bound. Boizard et al. 2024, arXiv:2402.12030 (ULD). In f64, in row order on the calling thread: a sort of both rows
//! costs more than all else.
use super::*;
use truing_core::record::RowFloat;

/// Bytes of workspace: 8 a column of either side, and 8 a row with a loss.
pub fn uld_workspace(problem: &Problem, loss: bool) -> Workspace {
    let [s, t] = problems(problem).map(|p| Arena::need::<u64>(p.vocab()));
    let bytes = Arena::sum([s, t, forward_workspace(problem, loss).minimum]);
    Workspace { minimum: bytes, preferred: bytes }
}
/// Values `[N]`, their reduction, and with `upstream` the gradients of both sides. Of the options of `problem` the reduction alone
/// counts. A row with a NaN or a `+inf`, or without a live column on a side, gives NaN.
#[allow(clippy::too_many_arguments)]
pub fn uld(
    problem: &Problem,
    k: usize,
    grads: [Grad<'_>; 2],
    inputs: Inputs<'_>,
    mut values: Option<MatrixMut<'_, f32>>,
    mut status: Option<MatrixMut<'_, u32>>,
    totals: Totals<'_>,
    upstream: Upstream<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let n = problem.rows();
    check(problem, &grads, &inputs, false)?;
    values.as_ref().map_or(Ok(()), |m| m.layout().check("out_values", n, 1))?;
    status.as_ref().map_or(Ok(()), |m| m.layout().check("out_status", n, 1))?;
    let unprefixed = |e: Error| match e.field {
        "outputs.out_loss" => Error { field: "out_loss", ..e },
        "options.aggregate.mode" => Error { field: "aggregate.mode", ..e },
        _ => e,
    };
    check_loss(problem, &totals).map_err(unprefixed)?;
    upstream.check(n)?;
    if upstream.loss.is_some() {
        problem.check_reduces("grad_loss").map_err(unprefixed)?;
    }
    check_space(workspace, uld_workspace(problem, totals.loss.is_some()))?;
    let divisor = problem.divisor(&inputs.rows, inputs.row_weight.as_ref());
    let loss = upstream.loss.map_or(0.0, |g| divisor.map_or(0.0, |z| g / z));
    let mut arena = Arena::new(workspace);
    let mut keys = [arena.take::<u64>(problem.student().vocab())?, arena.take::<u64>(problem.teacher().vocab())?];
    let mut losses = match &totals.loss {
        Some(_) => Some(MatrixMut::vector(arena.take::<f64>(n)?)),
        None => None,
    };
    let (call, counters) = (Call::new(problem, &inputs), Counters::new());
    let mut places = grads.map(Place::from);
    for i in 0..n {
        let (mut value, mut flags) = (0.0, row::IGNORED);
        let [weight, _] = call.factors(i);
        if call.target(i) == Target::Ignored {
            for (place, side) in places.iter_mut().zip(problems(problem)) {
                place.fill(i, 0, side.vocab(), 0.0);
            }
        } else {
            let g = upstream.values.as_ref().map_or(0.0, |m| m.get(i) as f64) + loss;
            (value, flags) = row_of(&call, k, &mut places, &mut keys, i, g * upstream.scale * weight);
            value *= weight;
        }
        values.iter_mut().for_each(|m| m.set(i, value as f32));
        status.iter_mut().for_each(|m| m.set(i, flags));
        losses.iter_mut().for_each(|m| m.set(i, value));
        counters.add(flags);
    }
    conclude_loss(totals, losses, divisor, &counters);
    Ok(())
}
/// The value of a row and its flags; the gradients are written where they are wanted, times `g`.
fn row_of(
    call: &Call<'_>,
    k: usize,
    places: &mut [Place<'_>; 2],
    keys: &mut [&mut [u64]; 2],
    i: usize,
    g: f64,
) -> (f64, u32) {
    let (mut flags, mut top, mut sum, mut lens) = (0, [0f64; 2], [0f64; 2], [0usize; 2]);
    for side in 0..2 {
        let view = View::new(&call.jobs[side], i, places[side].raw(i));
        let (mut m, mut bad) = (f32::NEG_INFINITY, false);
        lens[side] = view.valid();
        for (j, key) in keys[side][..lens[side]].iter_mut().enumerate() {
            let x = view.at(j);
            bad |= !(x < f32::INFINITY);
            m = if x > m { x } else { m };
            *key = x.key(j as u32);
        }
        if bad {
            flags |= view.complete(Record::poison(0)).flags;
        } else if m == f32::NEG_INFINITY {
            flags |= row::ALL_NEG_INF;
        }
        let (keys, kept) = (&mut keys[side][..lens[side]], if k == 0 { lens[side] } else { k.min(lens[side]) });
        if kept < keys.len() {
            keys.select_nth_unstable_by(kept, |a, b| b.cmp(a));
        }
        keys[..kept].sort_unstable_by(|a, b| b.cmp(a));
        top[side] = m as f64;
        for key in keys {
            sum[side] += Real::exp(f32::unkey(*key).0 as f64 - top[side]);
        }
    }
    if flags != 0 {
        for (place, job) in places.iter_mut().zip(&call.jobs) {
            place.fill(i, 0, job.problem.vocab(), f64::NAN);
        }
        return (f64::NAN, flags);
    }
    let p = |keys: &[&mut [u64]; 2], side: usize, at: usize| {
        if at < lens[side] { Real::exp(f32::unkey(keys[side][at]).0 as f64 - top[side]) / sum[side] } else { 0.0 }
    };
    let sign = |x: f64| {
        if x > 0.0 {
            1.0
        } else if x < 0.0 {
            -1.0
        } else {
            0.0
        }
    };
    let most = lens[0].max(lens[1]);
    let ranked = if k == 0 { most } else { k.min(most) };
    let (mut value, mut mean) = (0.0, [0.0; 2]);
    for at in 0..ranked {
        let d = p(keys, 0, at) - p(keys, 1, at);
        value += d.abs();
        mean[0] += sign(d) * p(keys, 0, at);
        mean[1] -= sign(d) * p(keys, 1, at);
    }
    let tail = [0, 1].map(|side| (ranked..lens[side]).map(|at| p(keys, side, at)).sum::<f64>());
    let rest = tail[0] - tail[1];
    value += rest.abs();
    mean[0] += sign(rest) * tail[0];
    mean[1] -= sign(rest) * tail[1];
    for side in 0..2 {
        if !places[side].wanted() {
            continue;
        }
        let (own, width) = (if side == 0 { 1.0 } else { -1.0 }, call.jobs[side].problem.vocab());
        for at in 0..lens[side] {
            let d = if at < ranked { p(keys, 0, at) - p(keys, 1, at) } else { rest };
            let (x, j) = f32::unkey(keys[side][at]);
            let dx = if x == f32::NEG_INFINITY { 0.0 } else { g * p(keys, side, at) * (own * sign(d) - mean[side]) };
            // the raw logit is read before its place is written
            let slope = View::new(&call.jobs[side], i, places[side].raw(i)).slope(j as usize);
            places[side].fill(i, j as usize, 1, if dx == 0.0 { 0.0 } else { dx * slope });
        }
        places[side].fill(i, lens[side], width - lens[side], 0.0);
    }
    (value, 0)
}
