//! Losses over rows of classes, against an independent script and at their edges.
use truing_core::classes::*;
use truing_core::error::row;
use truing_core::matrix::{Floats, Ints, Mask, Matrix, MatrixMut};
use truing_core::preference::Reduction;
use truing_core::sequence::Segments;
use truing_core::{Error, Status};
use truing_cpu::{Context, ContextOptions, classes};
use truing_tests::{Cases, Golden, Random, same, with_scratch};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;
fn m(x: &[f64], rows: usize) -> Floats<'_> {
    Floats::F64(Matrix::contiguous(x, rows, x.len() / rows.max(1)).unwrap())
}
const MEAN: Total<'static> = Total { reduction: Reduction::Mean, normaliser: 0.0, grad_output: None, grad_scale: 1.0 };
const NONE: Total<'static> = Total { reduction: Reduction::None, ..MEAN };
fn rows<'a>(logits: Floats<'a>, targets: Option<Floats<'a>>, rule: Rule) -> Classes<'a> {
    Classes { logits, columns: None, targets, ids: None, threshold: None, mask: None, rule, total: NONE }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Out {
    loss: f64,
    losses: Vec<f64>,
    targets: Vec<f64>,
    grad: Vec<f64>,
    status: Vec<u32>,
}
fn run(context: &Context, x: &Classes) -> Result<Out, Error> {
    let (n, v, k) = (x.logits.rows(), x.logits.cols(), x.classes());
    let (mut loss, mut losses, mut targets) = ([7.0], vec![7.0; n], vec![7.0; n * k]);
    let (mut grad, mut status) = (vec![7.0; n * v], vec![7; n]);
    let target = x.rule != Rule::PduFlatten;
    let out = ClassesOut {
        loss: (x.total.reduction != Reduction::None).then(|| MatrixMut::vector(&mut loss).into()),
        losses: Some(MatrixMut::vector(&mut losses).into()),
        targets: target.then(|| MatrixMut::contiguous(&mut targets, n, k).unwrap().into()),
        grad_logits: Some(MatrixMut::contiguous(&mut grad, n, v).unwrap().into()),
        status: Some(MatrixMut::vector(&mut status)),
    };
    with_scratch(classes::classes_workspace(x).minimum, |w| classes::classes(context, x, out, w))?;
    Ok(Out { loss: loss[0], losses, targets, grad, status })
}
fn refused(x: &Classes, field: &str, status: Status) {
    let e = run(&Context::default(), x).unwrap_err();
    assert_eq!((e.field, e.status), (field, status), "{e}");
}

/// f64 inside: a few roundings of what is added up, which is of size `terms`.
#[track_caller]
fn close(what: &str, got: f64, want: f64, terms: f64) {
    let bound = 64.0 * f64::EPSILON * (want.abs() + terms);
    assert!(
        got == want || (got - want).abs() <= bound,
        "{what}: got {got:e}, expected {want:e}, off by {:e}",
        got - want
    );
}

#[test]
fn golden_rows() {
    let (mut cases, context) = (Cases::default(), Context::default());
    let rules: [(&str, fn(&Golden) -> Rule); 6] = [
        ("prm_ce", |_| Rule::PrmCe),
        ("rps", |_| Rule::Rps { sum: true }),
        ("brier", |_| Rule::Brier { sum: true }),
        ("confidence_ce", |g| Rule::confidence_ce(g.get("params")).unwrap()),
        ("product_target", |g| Rule::product_target(g.get("params")).unwrap()),
        ("pdu_flatten", |_| Rule::PduFlatten),
    ];
    for (name, rule) in rules {
        for g in Golden::of(name) {
            let z = g.get("z");
            let rule = rule(&g);
            let targets = (rule != Rule::PduFlatten).then(|| m(g.get("q"), 1));
            let threshold = matches!(rule, Rule::ConfidenceCe { .. }).then(|| m(g.get("threshold"), 1));
            let x = Classes { threshold, ..rows(m(z, 1), targets, rule) };
            let got = run(&context, &x).unwrap();
            // log p is off by the rounding of the largest finite logit
            let size = z.iter().filter(|z| z.is_finite()).fold(1.0, |a: f64, z| a.max(z.abs()));
            close(name, got.losses[0], g.one("want"), if name == "pdu_flatten" { 0.0 } else { size });
            for (got, want) in got.grad.iter().zip(g.get("grad")) {
                close(name, *got, *want, size);
            }
            if matches!(rule, Rule::ConfidenceCe { .. } | Rule::ProductTarget { .. }) {
                got.targets.iter().zip(g.get("target")).for_each(|(got, want)| close("target", *got, *want, size));
            }
            assert_eq!(got.status, [0], "{name}");
            // the other divisor
            let (other, n) = match rule {
                Rule::Rps { .. } => (Rule::Rps { sum: false }, (z.len().max(2) - 1) as f64),
                Rule::Brier { .. } => (Rule::Brier { sum: false }, z.len() as f64),
                other => (other, 1.0),
            };
            let mean = run(&context, &Classes { rule: other, ..x }).unwrap();
            close("divided", mean.losses[0], g.one("want") / n, size);
            mean.grad.iter().zip(&got.grad).for_each(|(a, b)| close("divided", *a, b / n, size));
            cases.ran();
        }
    }
    cases.finish("golden rows of classes", 180);
}

/// Columns, ids, masks, reductions, factors, dtypes and threads do what they say.
#[test]
fn stages() {
    let mut cases = Cases::default();
    let contexts = [0, 3].map(|threads| Context::new(ContextOptions { threads, ..ContextOptions::default() }).unwrap());
    let (n, v, k) = (7, 9, 3);
    let mut r = Random(3);
    let z: Vec<f64> = (0..n * v).map(|_| r.normal()).collect();
    let columns = [4i32, 0, 7];
    let picked: Vec<f64> = (0..n * k).map(|i| z[i / k * v + columns[i % k] as usize]).collect();
    let ids: Vec<i64> = (0..n).map(|_| r.below(k) as i64).collect();
    let one_hot: Vec<f64> = (0..n * k).map(|i| (ids[i / k] == (i % k) as i64) as u8 as f64).collect();
    let mask: Vec<u8> = (0..n).map(|i| (i != 2) as u8).collect();
    let upstream: Vec<f64> = (0..n).map(|_| r.normal()).collect();
    let wide: Vec<f32> = picked.iter().map(|&x| x as f32).collect();
    for rule in [
        Rule::PrmCe,
        Rule::Rps { sum: false },
        Rule::Brier { sum: true },
        Rule::ProductTarget { own: 1.0, label: 1.0 },
        Rule::PduFlatten,
    ] {
        let target = rule != Rule::PduFlatten;
        let plain = rows(m(&picked, n), target.then(|| m(&one_hot, n)), rule);
        let base = run(&contexts[0], &plain).unwrap();
        // classes among other columns
        let among = Classes {
            logits: m(&z, n),
            columns: Some(Ints::I32(Matrix::vector(&columns))),
            targets: None,
            ids: target.then(|| Ints::I64(Matrix::vector(&ids))),
            ..plain
        };
        let got = run(&contexts[0], &among).unwrap();
        same("losses", &got.losses, &base.losses);
        for i in 0..n {
            for j in 0..v {
                let own = columns.iter().position(|&c| c as usize == j);
                assert_eq!(got.grad[i * v + j], own.map_or(0.0, |k2| base.grad[i * k + k2]));
            }
        }
        // masked, reduced, scaled
        let masked = Classes { mask: Some(Mask::U8(Matrix::vector(&mask))), total: MEAN, ..plain };
        let got = run(&contexts[0], &masked).unwrap();
        let live: f64 = (0..n).filter(|&i| i != 2).map(|i| base.losses[i]).sum();
        close("mean", got.loss, live / 6.0, live.abs());
        assert_eq!((got.losses[2], got.status[2]), (0.0, row::IGNORED));
        assert!(got.grad[2 * k..3 * k].iter().all(|&g| g == 0.0));
        close("gradient", got.grad[0], base.grad[0] / 6.0, 0.0);
        let total = Total { reduction: Reduction::Sum, normaliser: 4.0, grad_scale: -2.0, ..MEAN };
        let got = run(&contexts[0], &Classes { total, ..plain }).unwrap();
        close("normaliser", got.loss, base.losses.iter().sum::<f64>() / 4.0, 1.0);
        close("scaled", got.grad[1], base.grad[1] * -0.5, 0.0);
        let each = Total { grad_output: Some(Floats::F64(Matrix::vector(&upstream))), ..NONE };
        let got = run(&contexts[0], &Classes { total: each, ..plain }).unwrap();
        (0..n * k).for_each(|i| close("upstream", got.grad[i], base.grad[i] * upstream[i / k], 0.0));
        // threads and f32 logits
        assert_eq!(run(&contexts[1], &plain).unwrap(), base);
        let narrow = rows(Floats::F32(Matrix::contiguous(&wide, n, k).unwrap()), plain.targets, rule);
        let widened: Vec<f64> = wide.iter().map(|&x| x.into()).collect();
        assert_eq!(
            run(&contexts[0], &narrow).unwrap(),
            run(&contexts[0], &rows(m(&widened, n), plain.targets, rule)).unwrap()
        );
        cases.ran();
    }
    // one class: nothing to judge
    for rule in [Rule::Rps { sum: false }, Rule::PrmCe] {
        let got = run(&contexts[0], &rows(m(&[3.0], 1), Some(m(&[1.0], 1)), rule)).unwrap();
        assert_eq!((got.losses, got.grad), (vec![0.0], vec![0.0]));
    }
    let empty = run(&contexts[0], &Classes { total: MEAN, ..rows(m(&[], 0), Some(m(&[], 0)), Rule::PrmCe) }).unwrap();
    assert_eq!(empty.loss, 0.0);
    cases.finish("classes", 5);
}

#[test]
fn edges() {
    let context = Context::default();
    for (rule, q) in [(Rule::PrmCe, true), (Rule::Brier { sum: true }, true), (Rule::PduFlatten, false)] {
        let z = [NAN, 1.0, INF, 1.0, -INF, -INF, 0.0, -INF, 1e4, -1e4];
        let q = q.then(|| m(&[0.5; 10], 5));
        let got = run(&context, &rows(m(&z, 5), q, rule)).unwrap();
        assert_eq!(got.status[..3], [row::NAN_INPUT, row::INF_INPUT, row::ALL_NEG_INF]);
        assert!(got.losses[..3].iter().chain(&got.grad[..6]).all(|x| x.is_nan()));
        assert!(got.grad[6..].iter().all(|x| x.is_finite()), "{rule:?}: {got:?}");
        assert!(got.losses[4].is_finite());
    }
    // half the weight on a class that cannot be
    let got = run(&context, &rows(m(&[0.0, -INF], 1), Some(m(&[0.5, 0.5], 1)), Rule::PrmCe)).unwrap();
    assert_eq!((got.losses[0], got.status[0], got.grad), (INF, row::INFINITE, vec![0.5, -0.5]));
    // no class is left of a product
    let none = rows(m(&[0.0, -INF], 1), Some(m(&[0.0, 1.0], 1)), Rule::ProductTarget { own: 1.0, label: 1.0 });
    let got = run(&context, &none).unwrap();
    assert!(got.losses[0].is_nan() && got.status == [row::DEGENERATE]);

    let one = rows(m(&[0.0, 1.0], 1), Some(m(&[0.5, 0.5], 1)), Rule::PrmCe);
    refused(&Classes { targets: Some(m(&[0.5, NAN], 1)), ..one }, "targets", Status::InvalidArgument);
    refused(&Classes { targets: Some(m(&[0.5, -0.5], 1)), ..one }, "targets", Status::InvalidArgument);
    refused(&Classes { targets: None, ..one }, "targets", Status::InvalidArgument);
    refused(&Classes { rule: Rule::PduFlatten, ..one }, "targets", Status::InvalidArgument);
    let id = Some(Ints::I32(Matrix::vector(&[2])));
    refused(&Classes { ids: id, ..one }, "target_ids", Status::InvalidArgument);
    refused(&Classes { ids: id, targets: None, ..one }, "target_ids", Status::OutOfRange);
    refused(&Classes { columns: Some(Ints::I32(Matrix::vector(&[0, 2]))), ..one }, "columns", Status::OutOfRange);
    refused(&Classes { columns: Some(Ints::I32(Matrix::vector(&[1, 1]))), ..one }, "columns", Status::InvalidArgument);
    let confident = Classes { rule: Rule::ConfidenceCe { confidence: 0.5 }, ..one };
    refused(&confident, "threshold", Status::InvalidArgument);
    refused(&Classes { threshold: Some(m(&[1.5], 1)), ..confident }, "threshold", Status::InvalidArgument);
    refused(&Classes { threshold: Some(m(&[0.5], 1)), ..one }, "threshold", Status::InvalidArgument);
    let three = Classes { logits: m(&[0.0; 3], 1), targets: Some(m(&[0.5; 3], 1)), ..confident };
    refused(&Classes { threshold: Some(m(&[0.5], 1)), ..three }, "logits", Status::ShapeMismatch);
    let weighted = Total { reduction: Reduction::WeightedMean, ..MEAN };
    refused(&Classes { total: weighted, ..one }, "reduction", Status::InvalidArgument);
    refused(&Classes { total: Total { normaliser: -1.0, ..MEAN }, ..one }, "normaliser", Status::InvalidArgument);
    refused(&Classes { total: Total { normaliser: 2.0, ..NONE }, ..one }, "normaliser", Status::InvalidArgument);
    assert_eq!(Rule::confidence_ce(&[]).unwrap_err().field, "confidence");
    assert_eq!(Rule::confidence_ce(&[1.5]).unwrap_err().field, "confidence");
    assert_eq!(Rule::product_target(&[-1.0]).unwrap_err().field, "own");
}

#[test]
fn prm_mse() {
    let mut cases = Cases::default();
    let mut r = Random(8);
    let offsets = [0i32, 3, 3, 8, 9, 12];
    let (n, b) = (12, 5);
    let (mut p, mut v): (Vec<f64>, Vec<f64>) =
        ((0..n).map(|_| r.normal()).collect(), (0..n).map(|_| r.normal()).collect());
    let mut mask: Vec<u8> = (0..n).map(|_| (r.below(3) > 0) as u8).collect();
    (p[8], v[8], mask[8]) = (NAN, 1e300, 0); // sample 3 has no label
    for (reduction, normaliser, scale) in [
        (Reduction::Mean, 0.0, 1.0),
        (Reduction::Sum, 0.0, -0.5),
        (Reduction::Mean, 7.0, 1.0),
        (Reduction::None, 0.0, 2.0),
    ] {
        let x = PrmMse {
            predictions: Floats::F64(Matrix::vector(&p)),
            targets: Floats::F64(Matrix::vector(&v)),
            segments: Segments::Packed(Ints::I32(Matrix::vector(&offsets))),
            mask: Some(Mask::U8(Matrix::vector(&mask))),
            total: Total { reduction, normaliser, grad_output: None, grad_scale: scale },
        };
        let (mut loss, mut losses, mut grad, mut status) = ([7.0f64], vec![7.0f64; b], vec![7.0f64; n], vec![7u32; b]);
        let out = PrmMseOut {
            loss: (reduction != Reduction::None).then(|| MatrixMut::vector(&mut loss).into()),
            losses: Some(MatrixMut::vector(&mut losses).into()),
            grad_predictions: Some(MatrixMut::vector(&mut grad).into()),
            status: Some(MatrixMut::vector(&mut status)),
        };
        classes::prm_mse(&x, out).unwrap();
        let live = |s: usize| -> Vec<usize> {
            (offsets[s] as usize..offsets[s + 1] as usize).filter(|&i| mask[i] > 0).collect()
        };
        let samples = (0..b).filter(|&s| !live(s).is_empty()).count() as f64;
        let divisor = match reduction {
            _ if normaliser > 0.0 => normaliser,
            Reduction::Mean => samples,
            _ => 1.0,
        };
        let mut total = 0.0;
        for s in 0..b {
            let steps = live(s);
            let mean = steps.iter().map(|&i| (p[i] - v[i]).powi(2)).sum::<f64>() / steps.len().max(1) as f64;
            close("sample", losses[s], mean, 0.0);
            assert_eq!(status[s], if steps.is_empty() { row::EMPTY } else { 0 });
            for i in offsets[s] as usize..offsets[s + 1] as usize {
                let want = if mask[i] > 0 { 2.0 * (p[i] - v[i]) / steps.len() as f64 / divisor * scale } else { 0.0 };
                close("step", grad[i], want, 0.0);
            }
            total += mean;
        }
        if reduction != Reduction::None {
            close("loss", loss[0], total / divisor, 0.0);
        }
        cases.ran();
    }
    cases.finish("prm_mse", 4);
}

type Orchestra = ([f64; 2], [Vec<f64>; 4], u32);
fn orchestra(x: &Orchestrator) -> Result<Orchestra, Error> {
    let [_, k] = x.shape().unwrap();
    let (mut kl, mut j, mut s) = ([7.0], [7.0], [7]);
    let (mut t, mut w, mut a, mut b) = (vec![7.0; k], vec![7.0; k], vec![7.0; k], vec![7.0; k]);
    let out = OrchestratorOut {
        log_target: Some(MatrixMut::contiguous(&mut t, 1, k).unwrap().into()),
        weights: Some(MatrixMut::contiguous(&mut w, 1, k).unwrap().into()),
        kl: Some(MatrixMut::vector(&mut kl).into()),
        combined: Some(MatrixMut::vector(&mut j).into()),
        grad_kl: Some(MatrixMut::contiguous(&mut a, 1, k).unwrap().into()),
        grad_combined: Some(MatrixMut::contiguous(&mut b, 1, k).unwrap().into()),
        status: Some(MatrixMut::vector(&mut s)),
    };
    with_scratch(classes::orchestrator_workspace(x).minimum, |space| classes::orchestrator(x, out, space))?;
    Ok(([kl[0], j[0]], [t, w, a, b], s[0]))
}
#[test]
fn preference_orchestrator() {
    let mut cases = Cases::default();
    for g in Golden::of("orchestrator") {
        let (s, q) = (g.get("s"), g.get("q"));
        let size = 20.0 * s.iter().filter(|s| s.is_finite()).fold(1.0, |a: f64, s| a.max(s.abs()));
        for (direction, kl, grad) in [
            (Direction::TargetToWeights, "forward", "grad_forward"),
            (Direction::WeightsToTarget, "reverse", "grad_reverse"),
        ] {
            let x = Orchestrator {
                rewards: Some(m(g.get("r"), 1)),
                log_target: None,
                scores: Some(m(s, 1)),
                values: Some(m(q, 1)),
                direction,
                temperature: 0.1,
            };
            let ([got, combined], [t, w, a, b], status) = orchestra(&x).unwrap();
            close(kl, got, g.one(kl), size);
            close("combined", combined, g.one("combined"), size);
            let lists = [(&t, "log_target"), (&w, "w"), (&a, grad), (&b, "grad_combined")];
            for (got, name) in lists {
                got.iter().zip(g.get(name)).for_each(|(got, want)| close(name, *got, *want, size));
            }
            assert_eq!(status, if got == INF { row::INFINITE } else { 0 });
            // the target by itself gives the same
            let again = orchestra(&Orchestrator { rewards: None, log_target: Some(m(&t, 1)), ..x }).unwrap();
            close("again", again.0[0], got, size);
            cases.ran();
        }
    }
    let base = Orchestrator {
        rewards: Some(m(&[1.0, 1.0, -INF], 1)),
        log_target: None,
        scores: Some(m(&[0.0, 0.0, -INF], 1)),
        values: Some(m(&[1.0, 3.0, NAN], 1)),
        direction: Direction::TargetToWeights,
        temperature: 0.1,
    };
    // ties share, a dead objective is not read, equal weights have no divergence
    let ([kl, j], [t, w, ..], s) = orchestra(&base).unwrap();
    assert_eq!((kl, j, s), (0.0, 2.0, 0));
    same("weights", &w, &[0.5, 0.5, 0.0]);
    assert_eq!(t[2], -INF);
    assert!(orchestra(&Orchestrator { rewards: Some(m(&[NAN; 3], 1)), ..base }).unwrap().0[0].is_nan());
    assert_eq!(orchestra(&Orchestrator { scores: None, ..base }).unwrap_err().field, "scores");
    assert_eq!(orchestra(&Orchestrator { values: None, ..base }).unwrap_err().field, "values");
    assert_eq!(orchestra(&Orchestrator { rewards: None, ..base }).unwrap_err().field, "rewards");
    assert_eq!(Orchestrator::params(&[0.0]).unwrap_err().field, "temperature");
    cases.finish("preference_orchestrator", 48);
}
