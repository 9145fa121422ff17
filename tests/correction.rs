//! Off-policy corrections and selections of tokens, against 60 digits (`golden/correction.txt`), against loops written here a
//! second time and against identities.
use truing_core::correction::*;
use truing_core::error::row;
use truing_core::matrix::{Floats, Ints, Mask, Matrix, MatrixMut};
use truing_core::policy::Each;
use truing_core::sequence::Segments;
use truing_core::{Error, Status};
use truing_cpu::correction;
use truing_tests::{Cases, GoldenCase, Random, same, with_scratch};

const INF: f64 = f64::INFINITY;
fn f(x: &[f64]) -> Floats<'_> {
    Floats::F64(Matrix::vector(x))
}
fn mask(x: &[u8]) -> Option<Mask<'_>> {
    Some(Mask::U8(Matrix::vector(x)))
}
fn near(what: &str, got: f64, want: f64) {
    assert!(got == want || (got - want).abs() <= 1e-12 * (1.0 + want.abs()), "{what}: got {got}, expected {want}");
}
fn refused<T>(got: Result<T, Error>, field: &str, status: Status) {
    let Err(e) = got else { panic!("{field} was not refused") };
    assert_eq!((e.field, e.status), (field, status), "{e}");
}

struct Data {
    b: usize,
    t: usize,
    old: Vec<f64>,
    sampler: Vec<f64>,
    mask: Vec<u8>,
}
impl Data {
    fn new(seed: u64, b: usize, t: usize) -> Data {
        let mut r = Random(seed);
        let n = b * t;
        let old: Vec<f64> = (0..n).map(|_| -3.0 * r.uniform()).collect();
        let sampler = old.iter().map(|o| (o + 0.5 * r.normal()).min(0.0)).collect();
        let mut mask: Vec<u8> = (0..n).map(|_| (r.below(4) > 0) as u8).collect();
        if b > 2 {
            mask[t..2 * t].fill(0);
        }
        Data { b, t, old, sampler, mask }
    }
    fn segments(&self) -> Segments<'static> {
        Segments::Padded { sequences: self.b, width: self.t }
    }
    fn live(&self, b: usize) -> Vec<usize> {
        (b * self.t..(b + 1) * self.t).filter(|&i| self.mask[i] != 0).collect()
    }
    fn y(&self, i: usize) -> f64 {
        self.old[i] - self.sampler[i]
    }
    fn mean(&self, b: usize, f: impl Fn(usize) -> f64) -> f64 {
        let live = self.live(b);
        live.iter().map(|&i| f(i)).sum::<f64>() / live.len() as f64
    }
}

fn weigh(x: &ImportanceWeight) -> Result<(Vec<f64>, Vec<u8>, [f64; 8], Vec<u32>), Error> {
    let n = x.old.rows();
    let (mut w, mut keep, mut s, mut status) = (vec![7f64; n], vec![7u8; n], [7f64; 8], vec![7u32; n]);
    let out = ImportanceWeightOut {
        weights: Some(MatrixMut::vector(&mut w).into()),
        keep: Some(MatrixMut::vector(&mut keep)),
        statistics: Some(&mut s),
        status: Some(MatrixMut::vector(&mut status)),
    };
    let need = correction::importance_weight_workspace(x).minimum;
    with_scratch(need, |space| correction::importance_weight(x, out, space)).map(|()| (w, keep, s, status))
}

#[test]
fn importance_weight() {
    use Normalise::*;
    let mut cases = Cases::default();
    for level in [WeightLevel::Token, WeightLevel::SequenceSum, WeightLevel::SequenceMean] {
        for action in [WeightAction::Raw, WeightAction::Truncate, WeightAction::Mask] {
            for normalise in [Off, TokenMean, SequenceMean] {
                for (token_weight, (low, high)) in
                    [(false, (0.0, 1.2)), (false, (0.8, 1.5)), (true, (0.7, 1.4)), (false, (0.9, 0.0))]
                {
                    let (low, high) = if action == WeightAction::Raw { (0.0, 0.0) } else { (low, high) };
                    let d = Data::new(cases.0 as u64, 5, 9);
                    let x = ImportanceWeight {
                        segments: d.segments(),
                        old: f(&d.old),
                        sampler: f(&d.sampler),
                        mask: mask(&d.mask),
                        low,
                        high,
                        level,
                        action,
                        missing: Missing::One,
                        normalise,
                        token_weight,
                    };
                    let (w, keep, s, status) = weigh(&x).unwrap();
                    let (mut want, mut within) = (vec![0.0; 45], vec![0u8; 45]);
                    for b in 0..5 {
                        let mean = d.mean(b, |i| d.y(i));
                        for &i in &d.live(b) {
                            let y = match level {
                                WeightLevel::Token => d.y(i),
                                WeightLevel::SequenceSum => mean * d.live(b).len() as f64,
                                WeightLevel::SequenceMean => mean,
                            };
                            let r = y.exp();
                            within[i] = (r >= low && (high == 0.0 || r <= high)) as u8;
                            let cut = r.max(low).min(if high == 0.0 { INF } else { high });
                            want[i] = match (action, token_weight) {
                                (WeightAction::Mask, _) if within[i] == 0 => 0.0,
                                (_, true) => d.y(i).exp(),
                                (WeightAction::Truncate, _) => cut,
                                _ => r,
                            };
                        }
                    }
                    let live: Vec<usize> = (0..5).flat_map(|b| d.live(b)).collect();
                    let all = live.iter().map(|&i| want[i]).sum::<f64>() / live.len() as f64;
                    let means = [0, 2, 3, 4].iter().map(|&b| d.mean(b, |i| want[i])).sum::<f64>() / 4.0;
                    let by = [1.0, all, means][normalise as usize];
                    want.iter_mut().for_each(|w| *w /= if by > 1e-8 { by } else { 1.0 });
                    (0..45).for_each(|i| near("weight", w[i], want[i]));
                    assert_eq!(keep, within);
                    assert_eq!(s[0], live.len() as f64);
                    assert_eq!(s[1], live.iter().filter(|&&i| within[i] == 0).count() as f64);
                    near("sum", s[2], want.iter().sum());
                    near("squares", s[3], want.iter().map(|w| w * w).sum());
                    (0..45).for_each(|i| assert_eq!(status[i], if d.mask[i] == 0 { row::IGNORED } else { 0 }));
                    cases.ran();
                }
            }
        }
    }
    // what is not there, and what is beyond f64
    let (old, sampler) = ([-1.0, -1.0, -1.0, -INF], [-1.5, f64::NAN, -INF, -1.0]);
    let x = ImportanceWeight {
        segments: Segments::Padded { sequences: 1, width: 4 },
        old: f(&old),
        sampler: f(&sampler),
        mask: None,
        low: 0.0,
        high: 0.0,
        level: WeightLevel::Token,
        action: WeightAction::Raw,
        missing: Missing::One,
        normalise: Off,
        token_weight: false,
    };
    let (w, _, _, status) = weigh(&x).unwrap();
    assert_eq!((&w[1..], status), (&[1.0; 3][..], vec![0, row::NAN_INPUT, row::INF_INPUT, row::INF_INPUT]));
    assert_eq!(weigh(&ImportanceWeight { missing: Missing::Zero, ..x }).unwrap().0[1..], [0.0; 3]);
    refused(weigh(&ImportanceWeight { missing: Missing::Error, ..x }), "sampler", Status::InvalidArgument);
    refused(weigh(&ImportanceWeight { high: 2.0, ..x }), "action", Status::InvalidArgument);
    let cut = ImportanceWeight { action: WeightAction::Truncate, low: 2.0, high: 1.0, ..x };
    refused(weigh(&cut), "high", Status::InvalidArgument);
    refused(weigh(&ImportanceWeight { low: -1.0, ..cut }), "low", Status::InvalidArgument);
    refused(weigh(&ImportanceWeight { sampler: f(&old[..3]), ..x }), "sampler", Status::ShapeMismatch);
    let far = [1000.0];
    let x = ImportanceWeight {
        segments: Segments::Padded { sequences: 1, width: 1 },
        old: f(&far),
        sampler: f(&[0.0]),
        ..x
    };
    let (w, _, _, status) = weigh(&x).unwrap();
    assert_eq!((w[0], status[0]), (INF, row::OVERFLOW));
    let x =
        ImportanceWeight { segments: Segments::Padded { sequences: 0, width: 0 }, old: f(&[]), sampler: f(&[]), ..x };
    assert_eq!(weigh(&ImportanceWeight { normalise: TokenMean, ..x }).unwrap().2, [0.0; 8]);
    cases.finish("importance_weight", 108);
}

#[test]
fn rejection_mask() {
    use Statistic::*;
    let mut cases = Cases::default();
    let run = |x: &RejectionMask, places: usize| -> Result<(Vec<u8>, Vec<u8>, Vec<f64>, i64), Error> {
        let (n, b) = (x.old.rows(), x.segments.sequences());
        let (mut keep, mut of, mut s, mut count) = (vec![7u8; n], vec![7u8; b], vec![7f64; places], [7i64]);
        let out = RejectionMaskOut {
            keep: Some(MatrixMut::vector(&mut keep)),
            sequence_keep: Some(MatrixMut::vector(&mut of)),
            statistic: Some(MatrixMut::vector(&mut s).into()),
            rejected: Some(MatrixMut::vector(&mut count)),
        };
        correction::rejection_mask(x, out).map(|()| (keep, of, s, count[0]))
    };
    for statistic in [Ratio, K1, K2, K3, BinaryKl, Tv] {
        for span in [Span::Token, Span::SequenceSum, Span::SequenceMean, Span::SequenceMax] {
            for (low, high) in [(0.0, 1.2), (0.9, 0.0), (0.02, 0.3), (0.0, 0.0)] {
                let mut d = Data::new(100 + cases.0 as u64, 4, 8);
                let mut r = Random(5);
                d.sampler[1] = d.old[1];
                let other: Vec<u8> = (0..32).map(|_| (r.below(5) > 0) as u8).collect();
                let x = RejectionMask {
                    segments: d.segments(),
                    old: f(&d.old),
                    sampler: f(&d.sampler),
                    mask: mask(&d.mask),
                    keep: mask(&other),
                    statistic,
                    span,
                    low,
                    high,
                    missing: Missing::One,
                };
                let token = span == Span::Token;
                let (keep, of, s, count) = run(&x, if token { 32 } else { 4 }).unwrap();
                let value = |i: usize| {
                    let (y, p, q) = (d.y(i), d.sampler[i].exp(), d.old[i].exp());
                    match statistic {
                        Ratio => y,
                        K1 => -y,
                        K2 => y * y / 2.0,
                        K3 => y.exp() - 1.0 - y,
                        BinaryKl => {
                            let rest = |p: f64, q: f64| if p == 0.0 { 0.0 } else { p * (p / q).ln() };
                            rest(p, q) + rest(1.0 - p, 1.0 - q)
                        }
                        Tv => (p - q).abs(),
                    }
                };
                let log = matches!(statistic, Ratio | K1);
                let (lo, hi) = match log {
                    true => (low.ln(), if high == 0.0 { INF } else { high.ln() }),
                    false => (if low == 0.0 { -INF } else { low }, if high == 0.0 { INF } else { high }),
                };
                let mut dropped = 0;
                for b in 0..4 {
                    let counted: Vec<usize> = d.live(b).into_iter().filter(|&i| other[i] != 0).collect();
                    let sum: f64 = counted.iter().map(|&i| value(i)).sum();
                    let shared = match span {
                        _ if counted.is_empty() => 0.0,
                        Span::SequenceMean => sum / counted.len() as f64,
                        Span::SequenceMax => counted.iter().map(|&i| value(i)).fold(-INF, f64::max),
                        _ => sum,
                    };
                    let mut any = false;
                    for i in b * 8..b * 8 + 8 {
                        let live = counted.contains(&i);
                        let v = if token { value(i) } else { shared };
                        let want = live && lo <= v && v <= hi;
                        assert_eq!(keep[i], want as u8, "{statistic:?} {span:?} {low} {high} {i}: {v}");
                        dropped += (d.mask[i] != 0 && !want) as i64;
                        any |= want;
                        if token && live {
                            assert!((s[i] - v).abs() < 1e-10, "{} {v}", s[i]);
                        }
                    }
                    assert_eq!(of[b], any as u8);
                    assert!(token || (s[b] - shared).abs() < 1e-10);
                }
                assert_eq!(count, dropped);
                cases.ran();
            }
        }
    }
    // digits that a difference of near-equal numbers does not have, certain and impossible tokens
    let x = |old: &'static [f64], sampler: &'static [f64], statistic| RejectionMask {
        segments: Segments::Padded { sequences: 1, width: old.len() },
        old: f(old),
        sampler: f(sampler),
        mask: None,
        keep: None,
        statistic,
        span: Span::Token,
        low: 0.0,
        high: 5.0,
        missing: Missing::Zero,
    };
    let (_, _, s, _) = run(&x(&[-1.0, 0.0, -1.0], &[-1.0 - 1e-8, -0.5, 0.0], BinaryKl), 3).unwrap();
    let p = (-1f64).exp();
    let second = 1e-16 / 2.0 * (p + p * p / (1.0 - p));
    assert!((s[0] / second - 1.0).abs() < 1e-6, "{:e} {second:e}", s[0]);
    assert!(s[1] == INF && (s[2] - 1.0).abs() < 1e-15, "{s:?}");
    let (keep, _, _, count) = run(&x(&[-1.0, f64::NAN], &[-INF, -1.0], Ratio), 2).unwrap();
    assert_eq!((keep, count), (vec![0, 0], 2));
    refused(
        run(&RejectionMask { missing: Missing::Error, ..x(&[-1.0], &[-INF], Ratio) }, 1),
        "sampler",
        Status::InvalidArgument,
    );
    refused(run(&RejectionMask { low: 9.0, ..x(&[-1.0], &[-1.0], Ratio) }, 1), "high", Status::InvalidArgument);
    refused(run(&x(&[-1.0], &[-1.0], Ratio), 2), "out_statistic", Status::ShapeMismatch);
    cases.finish("rejection_mask", 96);
}

#[test]
fn off_policy_sequence_mask() {
    let mut cases = Cases::default();
    for seed in 0..40 {
        let mut d = Data::new(seed, 6, 7);
        let mut r = Random(seed);
        let advantage = r.normals(6, 1.0).iter().map(|&x| x as f64).collect::<Vec<_>>();
        let delta = 0.1 * r.normal();
        d.sampler[3] = f64::NAN;
        let x = OffPolicySequenceMask {
            segments: d.segments(),
            logps: f(&d.old),
            behaviour: f(&d.sampler),
            advantage: f(&advantage),
            mask: mask(&d.mask),
            delta,
        };
        let (mut keep, mut mean) = ([7u8; 6], [7f64; 6]);
        let out = OffPolicySequenceMaskOut {
            keep: Some(MatrixMut::vector(&mut keep)),
            mean: Some(MatrixMut::vector(&mut mean).into()),
        };
        correction::off_policy_sequence_mask(&x, out).unwrap();
        for b in 0..6 {
            let want = if d.live(b).is_empty() { 0.0 } else { d.mean(b, |i| if i == 3 { 0.0 } else { -d.y(i) }) };
            near("mean", mean[b], want);
            assert_eq!(keep[b], !(advantage[b] < 0.0 && want > delta) as u8);
            cases.ran();
        }
        let bad = OffPolicySequenceMask { delta: f64::NAN, ..x };
        refused(
            correction::off_policy_sequence_mask(&bad, OffPolicySequenceMaskOut::default()),
            "delta",
            Status::InvalidArgument,
        );
    }
    cases.finish("off_policy_sequence_mask", 240);
}

#[test]
fn top_entropy_mask() {
    let mut cases = Cases::default();
    let run = |h: &[f64], live: &[u8], share: f64| -> Result<(Vec<u8>, f64, u32), Error> {
        let x = TopEntropyMask { entropy: f(h), mask: mask(live), share };
        let (mut keep, mut threshold, mut status) = (vec![7u8; h.len()], [7f64], [7u32]);
        let out = TopEntropyMaskOut {
            keep: Some(MatrixMut::vector(&mut keep)),
            threshold: Some(MatrixMut::vector(&mut threshold).into()),
            status: Some(MatrixMut::vector(&mut status)),
        };
        let need = correction::top_entropy_mask_workspace(&x).minimum;
        with_scratch(need, |w| correction::top_entropy_mask(&x, out, w)).map(|()| (keep, threshold[0], status[0]))
    };
    let mut r = Random(3);
    for n in [1usize, 2, 3, 10, 301] {
        for share in [0.2, 0.5, 1.0, 0.01, 0.77] {
            for ties in [false, true] {
                let h: Vec<f64> = (0..n).map(|_| if ties { r.below(4) as f64 } else { 3.0 * r.uniform() }).collect();
                let live: Vec<u8> = (0..n).map(|i| (i == 0 || r.below(4) > 0) as u8).collect();
                let (keep, threshold, status) = run(&h, &live, share).unwrap();
                let mut sorted: Vec<f64> = (0..n).filter(|&i| live[i] != 0).map(|i| h[i]).collect();
                sorted.sort_by(f64::total_cmp);
                let at = (1.0 - share) * (sorted.len() - 1) as f64;
                let k = at.floor() as usize;
                let next = sorted[(k + 1).min(sorted.len() - 1)];
                near("threshold", threshold, sorted[k] + (at - k as f64) * (next - sorted[k]));
                (0..n).for_each(|i| assert_eq!(keep[i], (live[i] != 0 && h[i] >= threshold) as u8));
                assert_eq!(status, 0);
                assert!(share < 1.0 || keep == live);
                cases.ran();
            }
        }
    }
    assert_eq!(run(&[1.0, f64::NAN, 2.0], &[1, 1, 1], 0.5).unwrap(), (vec![0, 0, 1], 1.5, row::NAN_INPUT));
    assert_eq!(run(&[1.0, 2.0], &[0, 0], 0.5).unwrap(), (vec![0, 0], 0.0, row::EMPTY));
    assert_eq!(run(&[], &[], 0.5).unwrap(), (vec![], 0.0, row::EMPTY));
    for share in [0.0, 1.5, f64::NAN] {
        refused(run(&[1.0], &[1], share), "share", Status::InvalidArgument);
    }
    cases.finish("top_entropy_mask", 50);
}

fn select(x: &CovSelect) -> Result<(Vec<i64>, i64, Vec<u8>, Vec<u8>), Error> {
    let n = x.logps.rows();
    let (mut indices, mut count, mut flag, mut keep) = (vec![7i64; n], [7i64], vec![7u8; n], vec![7u8; n]);
    let out = CovSelectOut {
        indices: Some(MatrixMut::vector(&mut indices)),
        count: Some(MatrixMut::vector(&mut count)),
        flag: Some(MatrixMut::vector(&mut flag)),
        keep: Some(MatrixMut::vector(&mut keep)),
    };
    let need = correction::cov_select_workspace(x).minimum;
    with_scratch(need, |w| correction::cov_select(x, out, w)).map(|()| (indices, count[0], flag, keep))
}
#[test]
fn cov_select() {
    let mut cases = Cases::default();
    for form in [CovForm::Kl, CovForm::Clip] {
        for share in [0.0, 0.01, 0.1, 0.5, 1.0] {
            for seed in 0..6 {
                let d = Data::new(seed + 40, 5, 40);
                let mut r = Random(seed);
                let advantage: Vec<f64> = (0..200).map(|_| r.normal()).collect();
                let params = CovSelect::params(&[share, 0.1, 2.0, 0.3, 0.2]).unwrap();
                let x = CovSelect {
                    segments: d.segments(),
                    logps: f(&d.old),
                    old: (form == CovForm::Clip).then(|| f(&d.sampler)),
                    noise: None,
                    advantage: Each::Token(f(&advantage)),
                    mask: mask(&d.mask),
                    params,
                    seed,
                    first_token: 1000,
                    form,
                };
                let (indices, count, flag, keep) = select(&x).unwrap();
                let live: Vec<usize> = (0..5).flat_map(|b| d.live(b)).collect();
                let mean = |v: &[f64]| live.iter().map(|&i| v[i]).sum::<f64>() / live.len() as f64;
                let (a, l) = (mean(&advantage), mean(&d.old));
                let cov = |i: usize| (advantage[i] - a) * (d.old[i] - l);
                let mut all: Vec<usize> = live.clone();
                match form {
                    CovForm::Kl => all.sort_by(|&i, &j| cov(j).total_cmp(&cov(i))),
                    CovForm::Clip => {
                        let clipped = |i: usize| {
                            let ratio = d.y(i).exp();
                            advantage[i] > 0.0 && ratio > 1.2 || advantage[i] < 0.0 && ratio < 0.7
                        };
                        all.retain(|&i| cov(i) > 0.1 && cov(i) < 2.0 && !clipped(i));
                        all.sort_by_key(|&i| CovSelect::key(seed, 1000 + i as u64));
                    }
                }
                all.truncate(((share * live.len() as f64) as usize).max(1));
                all.sort();
                assert_eq!(count as usize, all.len(), "{form:?} {share} {seed}");
                let found: Vec<usize> = indices[..all.len()].iter().map(|&i| i as usize).collect();
                assert_eq!(found, all);
                assert!(indices[all.len()..].iter().all(|&i| i == -1));
                for i in 0..200 {
                    let on = all.contains(&i);
                    assert_eq!((flag[i], keep[i]), (on as u8, (d.mask[i] != 0 && !on) as u8));
                }
                // the same tokens on other ranks: what a rank draws follows from its tokens alone
                assert_eq!(select(&x).unwrap().0, indices);
                cases.ran();
            }
        }
    }
    // the draw: every token as likely, other seeds other tokens
    let (l, a, old) = (vec![-1.0; 1000], vec![1.0; 1000], vec![-1.0; 1000]);
    let draw = |seed| CovSelect {
        segments: Segments::Padded { sequences: 1, width: 1000 },
        logps: f(&l),
        old: Some(f(&old)),
        noise: None,
        advantage: Each::Token(f(&a)),
        mask: None,
        params: CovSelect::params(&[0.1, -1.0, 1.0]).unwrap(),
        seed,
        first_token: 0,
        form: CovForm::Clip,
    };
    let mut hits = vec![0; 10];
    for seed in 0..100 {
        let (indices, count, ..) = select(&draw(seed)).unwrap();
        assert_eq!(count, 100);
        indices[..100].iter().for_each(|&i| hits[i as usize / 100] += 1);
    }
    assert!(hits.iter().all(|h| (850..1150).contains(h)), "{hits:?}");
    assert_ne!(select(&draw(1)).unwrap().0, select(&draw(2)).unwrap().0);
    // the caller's noise: the smallest numbers, of equal ones the first, NaN never
    let noise: Vec<f64> = (0..1000).map(|i| [0.5, -0.0, 3.0, 0.0, f64::NAN, -INF][i % 6]).collect();
    let (indices, count, ..) = select(&CovSelect { noise: Some(f(&noise)), ..draw(0) }).unwrap();
    // 166 at -inf, the first 100 of them; all of them and zeros of either sign beyond
    assert_eq!((count, indices[0], indices[99]), (100, 5, 5 + 99 * 6));
    let more = CovSelect { params: CovSelect::params(&[0.17, -1.0, 1.0]).unwrap(), ..draw(0) };
    let (indices, count, ..) = select(&CovSelect { noise: Some(f(&noise)), ..more }).unwrap();
    assert_eq!((count, &indices[..6]), (170, &[1, 3, 5, 7, 9, 11][..]));
    let all = CovSelect { params: CovSelect::params(&[1.0, -1.0, 1.0]).unwrap(), ..draw(0) };
    assert_eq!(select(&CovSelect { noise: Some(f(&noise)), ..all }).unwrap().1, 1000 - 166);
    refused(select(&CovSelect { noise: Some(f(&noise)), ..draw(1) }), "seed", Status::InvalidArgument);
    // ties by index, broken tokens left out, nothing live
    let kl = |l: &'static [f64], a: &'static [f64]| CovSelect {
        segments: Segments::Padded { sequences: 1, width: l.len() },
        logps: f(l),
        old: None,
        noise: None,
        advantage: Each::Token(f(a)),
        mask: None,
        params: CovSelect::params(&[0.5]).unwrap(),
        seed: 0,
        first_token: 0,
        form: CovForm::Kl,
    };
    assert_eq!(select(&kl(&[-1.0; 4], &[1.0; 4])).unwrap().0, [0, 1, -1, -1]);
    // covariances of +0 and -0 are a tie too
    assert_eq!(select(&kl(&[-1.0, -1.0, -2.0, 0.0], &[0.0, 0.0, -1.0, 1.0])).unwrap().0, [2, 3, -1, -1]);
    assert_eq!(select(&kl(&[-2.0, 0.0, -1.0, -1.0], &[1.0, 1.0, 2.0, 0.0])).unwrap().0, [0, 1, -1, -1]);
    assert_eq!(select(&kl(&[-1.0, f64::NAN, -2.0, -INF], &[1.0, 2.0, 3.0, 1.0])).unwrap().1, 1);
    assert_eq!(select(&kl(&[], &[])).unwrap().1, 0);
    refused(select(&CovSelect { form: CovForm::Clip, ..kl(&[-1.0], &[1.0]) }), "old", Status::InvalidArgument);
    refused(select(&CovSelect { old: Some(f(&[1.0])), ..kl(&[-1.0], &[1.0]) }), "old", Status::InvalidArgument);
    refused(select(&CovSelect { noise: Some(f(&[1.0])), ..kl(&[-1.0], &[1.0]) }), "noise", Status::InvalidArgument);
    assert_eq!(CovSelect::params(&[2.0]).unwrap_err().field, "share");
    cases.finish("cov_select", 60);
}

#[test]
fn m2po_mask() {
    let mut cases = Cases::default();
    let run = |old: &[f64], proximal: &[f64], live: &[u8], threshold: f64| -> Result<(Vec<u8>, f64, i64), Error> {
        let x = M2poMask { old: f(old), proximal: f(proximal), mask: mask(live), threshold };
        let (mut keep, mut moment, mut dropped) = (vec![7u8; old.len()], [7f64], [7i64]);
        let out = M2poMaskOut {
            keep: Some(MatrixMut::vector(&mut keep)),
            moment: Some(MatrixMut::vector(&mut moment).into()),
            dropped: Some(MatrixMut::vector(&mut dropped)),
        };
        let need = correction::m2po_mask_workspace(&x).minimum;
        with_scratch(need, |w| correction::m2po_mask(&x, out, w)).map(|()| (keep, moment[0], dropped[0]))
    };
    for seed in 0..10 {
        for threshold in [1e-9, 0.01, 0.04, 0.2, 9.0] {
            let d = Data::new(seed, 4, 30);
            let (keep, moment, dropped) = run(&d.old, &d.sampler, &d.mask, threshold).unwrap();
            let mut all: Vec<(f64, usize)> = (0..4).flat_map(|b| d.live(b)).map(|i| (d.y(i).powi(2), i)).collect();
            all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let mean = |k: usize| all[k..].iter().map(|x| x.0).sum::<f64>() / (all.len() - k) as f64;
            let k = (0..all.len()).find(|&k| mean(k) < threshold).unwrap_or(all.len() - 1);
            let mut want = vec![0u8; 120];
            all[k..].iter().for_each(|x| want[x.1] = 1);
            assert_eq!((keep, dropped), (want, k as i64));
            near("moment", moment, mean(k));
            cases.ran();
        }
    }
    assert_eq!(run(&[0.0, f64::NAN, 1.0], &[0.0; 3], &[1; 3], 0.6).unwrap(), (vec![1, 0, 1], 0.5, 1));
    assert_eq!(run(&[0.0, 1.0, 1.0], &[0.0; 3], &[1; 3], 0.5).unwrap(), (vec![1, 0, 0], 0.0, 2));
    assert_eq!(run(&[3.0], &[0.0], &[1], 0.1).unwrap(), (vec![1], 9.0, 0));
    assert_eq!(run(&[3.0], &[0.0], &[0], 0.1).unwrap(), (vec![0], 0.0, 0));
    for bad in [0.0, f64::NAN] {
        refused(run(&[3.0], &[0.0], &[1], bad), "threshold", Status::InvalidArgument);
    }
    cases.finish("m2po_mask", 50);
}

#[test]
fn fipo_weight() {
    let mut cases = Cases::default();
    let run = |x: &FipoWeight| -> Result<(Vec<f64>, Vec<u32>), Error> {
        let n = x.logps.rows();
        let (mut w, mut status) = (vec![7f64; n], vec![7u32; n]);
        let out = FipoWeightOut {
            weights: Some(MatrixMut::vector(&mut w).into()),
            status: Some(MatrixMut::vector(&mut status)),
        };
        correction::fipo_weight(x, out).map(|()| (w, status))
    };
    for seed in 0..8 {
        for high_only in [false, true] {
            for given in [&[][..], &[4.0, 0.5, 1.3, 1.2], &[1.0, 0.0], &[100.0, 0.9, 2.0, INF]] {
                let d = Data::new(seed + 9, 4, 12);
                let mut r = Random(seed);
                let advantage: Vec<f64> = (0..4).map(|_| r.normal()).collect();
                let params = FipoWeight::params(given).unwrap();
                let x = FipoWeight {
                    segments: d.segments(),
                    logps: f(&d.old),
                    old: f(&d.sampler),
                    advantage: Each::Sequence(f(&advantage)),
                    mask: mask(&d.mask),
                    params,
                    high_only,
                };
                let (w, status) = run(&x).unwrap();
                let [half, clip, delta, safety] = params;
                for i in 0..48 {
                    let b = i / 12;
                    // the peer's product with a matrix of powers
                    let future: f64 = (i..12 * b + 12)
                        .filter(|&j| d.mask[j] != 0 && d.y(j) <= delta.ln())
                        .map(|j| 0.5f64.powf((j - i) as f64 / half) * d.y(j))
                        .sum();
                    let mut want = future.exp();
                    if clip > 0.0 {
                        want = want.clamp(if high_only { 1.0 } else { 1.0 - clip }, 1.0 + clip);
                    }
                    if advantage[b] < 0.0 && d.y(i) > safety.ln() {
                        want = want.clamp(0.8, 1.0);
                    }
                    near("weight", w[i], if d.mask[i] != 0 { want } else { 0.0 });
                    assert_eq!(status[i], if d.mask[i] == 0 { row::IGNORED } else { 0 });
                    cases.ran();
                }
            }
        }
    }
    let cu = [0i32, 2, 3];
    let l = [-1.0, f64::NAN, -1.0];
    let x = FipoWeight {
        segments: Segments::Packed(Ints::I32(Matrix::vector(&cu))),
        logps: f(&l),
        old: f(&[-1.0; 3]),
        advantage: Each::Token(f(&[1.0; 3])),
        mask: None,
        params: FipoWeight::params(&[]).unwrap(),
        high_only: true,
    };
    let (w, status) = run(&x).unwrap();
    assert!(w[0].is_nan() && w[1].is_nan() && w[2] == 1.0);
    assert_eq!(status, [row::NAN_INPUT, row::NAN_INPUT, 0]);
    let params = FipoWeight::params(&[1.0, 0.0]).unwrap();
    let far = [1000.0, 0.0, 0.0];
    let (w, status) = run(&FipoWeight { logps: f(&far), params, ..x }).unwrap();
    assert_eq!((w[0], status[0]), (INF, row::OVERFLOW));
    assert_eq!(FipoWeight::params(&[32.0, 1.0]).unwrap_err().field, "clip");
    refused(run(&FipoWeight { old: f(&[0.0]), ..x }), "old", Status::ShapeMismatch);
    same(
        "empty",
        &run(&FipoWeight {
            segments: Segments::Padded { sequences: 0, width: 4 },
            logps: f(&[]),
            old: f(&[]),
            advantage: Each::Token(f(&[])),
            ..x
        })
        .unwrap()
        .0,
        &[0f64; 0],
    );
    cases.finish("fipo_weight", 3072);
}

/// `golden/correction.txt`, from an independent script.
#[test]
fn golden() {
    let mut cases = Cases::default();
    let mut ops = std::collections::BTreeSet::new();
    for c in GoldenCase::read(include_str!("golden/correction.txt")) {
        let (cu, m, old, other) = (c.ints("cu"), c.mask(), c.x("old"), c.x("other"));
        let (n, b) = (m.len(), cu.len() - 1);
        let segments = Segments::Packed(Ints::I64(Matrix::vector(&cu)));
        let all = |name: &str, got: &[f64]| {
            let want = &c.want[name];
            assert_eq!(got.len(), want.len(), "{} {name}", c.op);
            for (i, (g, w)) in got.iter().zip(want).enumerate() {
                assert!((g - w).abs() <= 1e-13 * (1.0 + w.abs()), "{} {:?} {name} {i}: {g} {w}", c.op, c.options);
            }
        };
        let marks = |name: &str, got: &[u8]| all(name, &got.iter().map(|&x| x as f64).collect::<Vec<f64>>());
        let (mut keep, mut to) = (vec![7u8; n], vec![7f64; n]);
        match c.op.as_str() {
            "importance_weight" => {
                let x = ImportanceWeight {
                    segments,
                    old: f(old),
                    sampler: f(other),
                    mask: mask(&m),
                    low: c.number("low"),
                    high: c.number("high"),
                    level: match c.word("level") {
                        "token" => WeightLevel::Token,
                        "sequence_sum" => WeightLevel::SequenceSum,
                        _ => WeightLevel::SequenceMean,
                    },
                    action: match c.word("action") {
                        "raw" => WeightAction::Raw,
                        "truncate" => WeightAction::Truncate,
                        _ => WeightAction::Mask,
                    },
                    missing: Missing::Error,
                    normalise: match c.word("normalise") {
                        "off" => Normalise::Off,
                        "token_mean" => Normalise::TokenMean,
                        _ => Normalise::SequenceMean,
                    },
                    token_weight: c.on("own"),
                };
                let (w, keep, s, _) = weigh(&x).unwrap();
                all("weights", &w);
                marks("keep", &keep);
                all("figures", &s[..4]);
            }
            "rejection_mask" => {
                let span = match c.word("span") {
                    "token" => Span::Token,
                    "sequence_sum" => Span::SequenceSum,
                    "sequence_mean" => Span::SequenceMean,
                    _ => Span::SequenceMax,
                };
                let x = RejectionMask {
                    segments,
                    old: f(old),
                    sampler: f(other),
                    mask: mask(&m),
                    keep: None,
                    statistic: match c.word("statistic") {
                        "ratio" => Statistic::Ratio,
                        "k1" => Statistic::K1,
                        "k2" => Statistic::K2,
                        "k3" => Statistic::K3,
                        "binary_kl" => Statistic::BinaryKl,
                        _ => Statistic::Tv,
                    },
                    span,
                    low: c.number("low"),
                    high: c.number("high"),
                    missing: Missing::Error,
                };
                let (mut s, mut rejected) = (vec![7f64; if span == Span::Token { n } else { b }], [7i64]);
                let out = RejectionMaskOut {
                    keep: Some(MatrixMut::vector(&mut keep)),
                    sequence_keep: None,
                    statistic: Some(MatrixMut::vector(&mut s).into()),
                    rejected: Some(MatrixMut::vector(&mut rejected)),
                };
                correction::rejection_mask(&x, out).unwrap();
                marks("keep", &keep);
                // what is masked is 0
                all("statistic", &s);
                all("rejected", &[rejected[0] as f64]);
            }
            "off_policy_sequence_mask" => {
                let x = OffPolicySequenceMask {
                    segments,
                    logps: f(old),
                    behaviour: f(other),
                    advantage: f(c.x("advantage")),
                    mask: mask(&m),
                    delta: c.number("delta"),
                };
                let (mut keep, mut mean) = (vec![7u8; b], vec![7f64; b]);
                let out = OffPolicySequenceMaskOut {
                    keep: Some(MatrixMut::vector(&mut keep)),
                    mean: Some(MatrixMut::vector(&mut mean).into()),
                };
                correction::off_policy_sequence_mask(&x, out).unwrap();
                marks("keep", &keep);
                all("mean", &mean);
            }
            "top_entropy_mask" => {
                let x = TopEntropyMask { entropy: f(c.x("entropy")), mask: mask(&m), share: c.number("share") };
                let mut threshold = [7f64];
                let out = TopEntropyMaskOut {
                    keep: Some(MatrixMut::vector(&mut keep)),
                    threshold: Some(MatrixMut::vector(&mut threshold).into()),
                    status: None,
                };
                let need = correction::top_entropy_mask_workspace(&x).minimum;
                with_scratch(need, |w| correction::top_entropy_mask(&x, out, w)).unwrap();
                marks("keep", &keep);
                all("threshold", &threshold);
            }
            "cov_select" => {
                let clip = c.word("form") == "clip";
                let x = CovSelect {
                    segments,
                    logps: f(old),
                    old: clip.then(|| f(other)),
                    noise: clip.then(|| f(c.x("noise"))),
                    advantage: Each::Token(f(c.x("advantage"))),
                    mask: mask(&m),
                    params: CovSelect::params(&[c.number("share"), -1.0, 0.75, 0.2, 0.3]).unwrap(),
                    seed: 0,
                    first_token: 0,
                    form: if clip { CovForm::Clip } else { CovForm::Kl },
                };
                let (_, count, flag, _) = select(&x).unwrap();
                marks("flag", &flag);
                all("count", &[count as f64]);
            }
            "m2po_mask" => {
                let x = M2poMask { old: f(old), proximal: f(other), mask: mask(&m), threshold: c.number("threshold") };
                let (mut moment, mut dropped) = ([7f64], [7i64]);
                let out = M2poMaskOut {
                    keep: Some(MatrixMut::vector(&mut keep)),
                    moment: Some(MatrixMut::vector(&mut moment).into()),
                    dropped: Some(MatrixMut::vector(&mut dropped)),
                };
                let need = correction::m2po_mask_workspace(&x).minimum;
                with_scratch(need, |w| correction::m2po_mask(&x, out, w)).unwrap();
                marks("keep", &keep);
                all("moment", &moment);
                all("dropped", &[dropped[0] as f64]);
            }
            "fipo_weight" => {
                let given = ["half_life", "clip", "delta", "safety"].map(|name| c.number(name));
                let x = FipoWeight {
                    segments,
                    logps: f(old),
                    old: f(other),
                    advantage: Each::Token(f(c.x("advantage"))),
                    mask: mask(&m),
                    params: FipoWeight::params(&given).unwrap(),
                    high_only: c.on("high_only"),
                };
                let out = FipoWeightOut { weights: Some(MatrixMut::vector(&mut to).into()), status: None };
                correction::fipo_weight(&x, out).unwrap();
                all("weights", &to);
            }
            other => panic!("{other}"),
        }
        ops.insert(c.op.clone());
        cases.ran();
    }
    assert_eq!(ops.len(), 7);
    cases.finish("golden corrections", 318);
}
