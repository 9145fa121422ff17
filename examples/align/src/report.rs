//! What a run says at its end.
use crate::head::{Head, Loss};
use crate::hidden::Rows;
use crate::options::Options;
use crate::plot::{Panel, svg};
use crate::progress::{measure, megabytes};
use crate::{Curves, Result, naive};

/// Share of true values, its standard error.
fn share(of: &[bool]) -> (f64, f64) {
    let n = of.len() as f64;
    let p = of.iter().filter(|x| **x).count() as f64 / n;
    (p, (p * (1.0 - p) / n).sqrt())
}

/// Mean difference after - before and its standard error: both were measured on the same pairs.
fn paired(before: &[bool], after: &[bool]) -> (f64, f64) {
    let n = before.len() as f64;
    let d: Vec<f64> = before.iter().zip(after).map(|(b, a)| *a as u8 as f64 - *b as u8 as f64).collect();
    let mean = d.iter().sum::<f64>() / n;
    (mean, (d.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt())
}

/// Whether the chosen completion of each pair has the higher log-prob per token.
fn prefers_chosen(rows: &Rows, scores: &[f64]) -> Vec<bool> {
    let per_token: Vec<f64> = rows.cu_seqlens.windows(2).zip(scores).map(|(w, s)| s / (w[1] - w[0]) as f64).collect();
    per_token.chunks(2).map(|s| s[0] > s[1]).collect()
}

pub fn held_out(rows: &Rows, reference: &[f64], scores: &[f64], loss: &Loss) {
    let (before, after) = (prefers_chosen(rows, reference), prefers_chosen(rows, scores));
    let line = |name: &str, (value, error): (f64, f64)| {
        println!("  {name:<34} {:6.1} % +- {:.1}", 100.0 * value, 100.0 * error)
    };
    println!("held out   share of {} pairs whose chosen completion is more probable per token", before.len());
    line("before", share(&before));
    line("after", share(&after));
    let (rise, error) = paired(&before, &after);
    line("rise, on the same pairs", (rise, error));
    if error > 0.0 {
        println!("  rise in standard errors            {:6.1}", rise / error);
    }
    if loss.has_reference() {
        let ratios: Vec<f64> = scores.iter().zip(reference).map(|(s, r)| s - r).collect();
        let raised: Vec<bool> = ratios.chunks(2).map(|r| r[0] > r[1]).collect();
        line("raised more than the rejected one", share(&raised));
    }
}

/// Writes `curves.svg` into the cache folder.
pub fn curves(o: &Options, c: &Curves) -> Result<()> {
    let panel = |title, values, colour| Panel { title, values, colour };
    let picture = svg(
        &format!("{}: {} steps of {} pairs", o.loss, o.steps, o.batch),
        &[
            panel("loss of the batch", &c.loss, "#1f6fb4"),
            panel("reward margin, chosen - rejected", &c.margin, "#2a8a4a"),
            panel("share of pairs with margin above 0", &c.accuracy, "#b4501f"),
        ],
    );
    let path = o.cache.join("curves.svg");
    std::fs::write(&path, picture).map_err(|e| format!("{}: cannot write the picture: {e}", path.display()))?;
    println!("curves     {}", path.display());
    Ok(())
}

/// The same step by Truing and naively; refuses to call it a success when they differ.
pub fn against_naive(head: &Head, rows: &Rows, reference: &[f64], loss: &Loss) -> Result<()> {
    let (fast, fast_time, fast_memory) = measure(|| head.step(rows, reference, loss));
    let (slow, slow_time, slow_memory) = measure(|| naive::step(head, rows, reference, loss));
    let (fast, slow) = (fast?, slow?);
    let value = (fast.loss - slow.loss).abs() / slow.loss.abs();
    let score = fast.scores.iter().zip(&slow.scores).map(|(a, b)| (a - b).abs() / b.abs()).fold(0.0, f64::max);
    let length = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let gap = length(&mut fast.grad_hidden.iter().zip(&slow.grad_hidden).map(|(a, b)| *a as f64 - b));
    let grad = gap / length(&mut slow.grad_hidden.iter().copied());
    let memory = |m: Option<u64>| m.map_or("unknown".into(), megabytes);
    println!("one step   {} pairs, {} tokens, both ways", reference.len() / 2, rows.targets.len());
    println!("  {:<26} {:>14} {:>18} {:>12}", "", "Truing", "naive f64 logits", "relative");
    println!("  {:<26} {:>14.9} {:>18.9} {value:>12.1e}", "loss", fast.loss, slow.loss);
    println!("  {:<26} {:>14.6} {:>18.6} {score:>12.1e}", "log-prob (largest gap)", fast.scores[0], slow.scores[0]);
    println!("  {:<26} {:>14} {:>18} {grad:>12.1e}", "gradient of hidden states", "", "");
    println!("  {:<26} {:>12.2} s {:>16.2} s", "time", fast_time, slow_time);
    println!("  {:<26} {:>14} {:>18}", "memory above the inputs", memory(fast_memory), memory(slow_memory));
    // 1e-5, unless the logits themselves are too large for f32 to be that exact.
    let limit = (2.0 * f32::EPSILON as f64 * slow.largest_logit).max(1e-5);
    if value.max(score).max(grad) <= limit {
        return Ok(());
    }
    Err(format!("the two steps differ by more than {limit:.1e}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_shares_and_of_paired_differences() {
        let before = [true, false, false, false];
        let after = [true, true, true, false];
        assert_eq!(share(&before), (0.25, (0.25f64 * 0.75 / 4.0).sqrt()));
        // differences 0, 1, 1, 0: variance 1/3
        let (mean, error) = paired(&before, &after);
        assert!(mean == 0.5 && (error - (1.0f64 / 12.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn the_longer_completion_is_judged_per_token() {
        let rows = Rows { hidden: vec![], targets: vec![0; 5], cu_seqlens: vec![0, 4, 5] };
        assert_eq!(prefers_chosen(&rows, &[-4.0, -2.0]), [true]);
        assert_eq!(prefers_chosen(&rows, &[-9.0, -2.0]), [false]);
    }
}
