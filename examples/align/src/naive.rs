//! The same step with all logits in memory, in f64 and plain loops: what the fast one is compared with.
use crate::Result;
use crate::head::{Head, Loss, with_workspace};
use crate::hidden::Rows;
use rayon::prelude::*;
use truing::core::catalog::Score;
use truing::core::matrix::{Floats, FloatsMut, Matrix, MatrixMut};
use truing::core::preference::{Inputs, Options, Outputs, Problem};
use truing::cpu::{Context, preference};

pub struct Step {
    pub loss: f64,
    pub scores: Vec<f64>,
    pub grad_hidden: Vec<f64>,
    /// Largest magnitude of a logit: no logit in f32 is nearer to the truth than the spacing of f32 there.
    pub largest_logit: f64,
}

pub fn step(head: &Head, rows: &Rows, reference: &[f64], loss: &Loss) -> Result<Step> {
    let (v, d) = (head.vocab, head.width);
    let hidden: Vec<f64> = rows.hidden.iter().map(|&x| x as f64).collect();
    let mut probs = vec![0.0; rows.targets.len() * v];
    let (logps, largest): (Vec<f64>, Vec<f64>) = probs
        .par_chunks_mut(v)
        .zip(hidden.par_chunks(d))
        .zip(&rows.targets)
        .map(|((z, h), &target)| {
            for (z, w) in z.iter_mut().zip(head.weight.chunks_exact(d)) {
                *z = dot(h, w);
            }
            let largest = z.iter().fold(0.0, |m: f64, z| m.max(z.abs()));
            let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let lse = top + z.iter().map(|z| (z - top).exp()).sum::<f64>().ln();
            let logp = z[target as usize] - lse;
            z.iter_mut().for_each(|z| *z = (*z - lse).exp());
            (logp, largest)
        })
        .unzip();
    let spans: Vec<_> = rows.cu_seqlens.windows(2).map(|w| w[0] as usize..w[1] as usize).collect();
    let scores: Vec<f64> = spans.iter().map(|s| logps[s.clone()].iter().sum()).collect();
    let (value, slopes) = match loss.info.about.name {
        "dpo" => dpo(&scores, reference, loss.params[0]),
        _ => by_library(&scores, reference, loss, rows)?,
    };
    let mut upstream = vec![0.0; rows.targets.len()];
    for (span, g) in spans.into_iter().zip(&slopes) {
        upstream[span].fill(*g);
    }
    let mut grad_hidden = vec![0.0; hidden.len()];
    grad_hidden.par_chunks_mut(d).zip(probs.par_chunks(v)).zip(&rows.targets).zip(&upstream).for_each(
        |(((out, p), &t), &g)| {
            for (j, (p, w)) in p.iter().zip(head.weight.chunks_exact(d)).enumerate() {
                let dz = g * ((j == t as usize) as u8 as f64 - p);
                out.iter_mut().zip(w).for_each(|(o, w)| *o += dz * *w as f64);
            }
        },
    );
    Ok(Step { loss: value, scores, grad_hidden, largest_logit: largest.into_iter().fold(0.0, f64::max) })
}

/// Eight sums side by side, so that the compiler may use the machine's lanes.
fn dot(h: &[f64], w: &[f32]) -> f64 {
    let (hs, ws) = (h.chunks_exact(8), w.chunks_exact(8));
    let mut total: f64 = hs.remainder().iter().zip(ws.remainder()).map(|(h, w)| h * *w as f64).sum();
    let mut sums = [0.0; 8];
    for (h, w) in hs.zip(ws) {
        for k in 0..8 {
            sums[k] += h[k] * w[k] as f64;
        }
    }
    total += sums.iter().sum::<f64>();
    total
}

/// The mean of -log sigmoid(beta (chosen - rejected)) over the pairs, and its slope for every sequence.
fn dpo(scores: &[f64], reference: &[f64], beta: f64) -> (f64, Vec<f64>) {
    let ratios: Vec<f64> = scores.iter().zip(reference).map(|(s, r)| s - r).collect();
    let pairs = ratios.len() as f64 / 2.0;
    let margins: Vec<f64> = ratios.chunks(2).map(|r| beta * (r[0] - r[1])).collect();
    let loss = margins.iter().map(|m| (-m).exp().ln_1p()).sum::<f64>() / pairs;
    let slopes = margins.iter().map(|m| -beta / (1.0 + m.exp()) / pairs).flat_map(|g| [g, -g]).collect();
    (loss, slopes)
}

/// For the other losses: the entry itself, on scores that were made naively.
fn by_library(scores: &[f64], reference: &[f64], loss: &Loss, rows: &Rows) -> Result<(f64, Vec<f64>)> {
    let counts: Vec<i32> = rows.cu_seqlens.windows(2).map(|w| w[1] - w[0]).collect();
    let (mut value, mut slopes) = ([0.0f64], vec![0.0f64; scores.len()]);
    loss.pose(scores.len(), |items, terms, groups| -> Result<()> {
        let problem = Problem::new(
            scores.len(),
            items,
            terms,
            Options { score: Some(Score::Sum), skip_flagged: false, ..Options::default() },
        )?;
        let mut inputs = Inputs::new(Floats::F64(Matrix::vector(scores)));
        inputs.ref_scores = loss.has_reference().then_some(Floats::F64(Matrix::vector(reference)));
        (inputs.lengths, inputs.groups) = (Some(Matrix::vector(&counts)), groups);
        let out = Outputs {
            loss: Some(FloatsMut::F64(MatrixMut::vector(&mut value))),
            grad_scores: Some(FloatsMut::F64(MatrixMut::vector(&mut slopes))),
            ..Outputs::default()
        };
        let context = Context::default();
        with_workspace(preference::workspace(&context, &problem).minimum, |space| {
            Ok(preference::forward(&context, &problem, &inputs, out, space)?)
        })
    })?;
    Ok((value[0], slopes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const D: usize = 6;
    const V: usize = 11;

    /// A small problem: two pairs, sequences of 1 to 4 tokens.
    fn example() -> (Head, Rows, Vec<f64>) {
        let mut random = Random::new(5);
        let mut draw = |n: usize| (0..n).map(|_| random.normal() as f32).collect::<Vec<_>>();
        let cu_seqlens = vec![0, 3, 5, 6, 10];
        let targets = (0..10).map(|i| i * 7 % V as i32).collect();
        let rows = Rows { hidden: draw(10 * D), targets, cu_seqlens };
        let reference = draw(4).iter().map(|x| *x as f64 - 5.0).collect();
        (Head::new(draw(V * D), V, D, 2).unwrap(), rows, reference)
    }

    #[test]
    fn the_gradient_agrees_with_finite_differences() {
        let (head, mut rows, reference) = example();
        let loss = Loss::new("dpo", Some(0.5)).unwrap();
        let grad = step(&head, &rows, &reference, &loss).unwrap().grad_hidden;
        for (i, want) in grad.iter().enumerate() {
            let kept = rows.hidden[i];
            let mut at = |x: f32| {
                rows.hidden[i] = x;
                step(&head, &rows, &reference, &loss).unwrap().loss
            };
            let (high, low) = (kept + 1e-3, kept - 1e-3);
            let slope = (at(high) - at(low)) / (high as f64 - low as f64);
            rows.hidden[i] = kept;
            assert!((slope - want).abs() < 1e-6, "{i}: {slope} {want}");
        }
    }

    #[test]
    fn every_loss_that_pairs_feed_agrees_with_the_naive_step() {
        let (head, rows, reference) = example();
        let names = Loss::names();
        assert!(names.len() >= 5, "{names:?}");
        for name in names {
            // some have no default beta, or one so small that the gradients are in the hundreds
            let mut loss = Loss::new(name, Some(0.5)).or_else(|_| Loss::new(name, None)).unwrap();
            loss.baseline = 0.25;
            let (a, b) = (head.step(&rows, &reference, &loss).unwrap(), step(&head, &rows, &reference, &loss).unwrap());
            assert!((a.loss - b.loss).abs() <= 1e-5 * b.loss.abs(), "{name}: {} {}", a.loss, b.loss);
            assert!(b.grad_hidden.iter().any(|g| *g != 0.0), "{name}");
            for (x, y) in a.grad_hidden.iter().zip(&b.grad_hidden) {
                assert!((*x as f64 - y).abs() < 1e-5, "{name}: {x} {y}");
            }
        }
    }
}
