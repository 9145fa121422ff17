//! Every preference and policy entry at the edges of its inputs: differences of 1e4, log-probs of 0 and -1e4, equal inputs, sequences
//! without tokens, batches of one, ties; and every parameter outside its range. Finite inputs never give NaN, and what is
//! infinite is flagged.
use truing_core::catalog::{ALL, Info, Kind, slot};
use truing_core::error::row;
use truing_core::matrix::{Floats, Ints, Matrix, MatrixMut};
use truing_core::policy as pol;
use truing_core::preference::{Groups, Inputs, Items, Labels, Options, Outputs, Problem, Reduction, Term};
use truing_core::sequence::Segments;
use truing_core::{Error, Status, Value};
use truing_cpu::{Context, policy, preference};
use truing_tests::{Cases, contexts, first_variant, same, variants, with_scratch};

fn entries() -> impl Iterator<Item = &'static Info> {
    ALL.iter().filter(|i| matches!(i.kind, Kind::Pair | Kind::Unpaired | Kind::List))
}
fn params(info: &Info) -> Vec<f64> {
    let of = |p: &truing_core::catalog::Param| match p.default.is_nan() {
        true => *[0.5, 2.0, 0.1].iter().find(|x| p.accepts(**x)).expect("a legal number"),
        false => p.default,
    };
    info.params.iter().map(of).collect()
}
#[derive(Debug)]
struct Got {
    loss: f64,
    losses: Vec<f64>,
    grad: Vec<f64>,
    status: Vec<u32>,
}
/// One item (a pair with its anchor, a row, a list of three) of these scores, references and lengths.
struct One<'a> {
    info: &'a Info,
    variant: u32,
    params: &'a [f64],
    scores: [f64; 3],
    reference: [f64; 3],
    lengths: [i32; 3],
    margins: [f64; 2],
    targets: [f64; 3],
    label: u8,
}
impl One<'_> {
    fn run(&self, c: &Context) -> Result<Got, Error> {
        let about = &self.info.about;
        let offsets = [0i32, 3];
        let (s, items) = match self.info.kind {
            Kind::Pair if about.reads(slot::ANCHOR) => (3, Items::Threes),
            Kind::Pair => (2, Items::Stacked),
            Kind::Unpaired => (1, Items::Rows),
            _ => (3, Items::Lists { offsets: Ints::I32(Matrix::vector(&offsets)), members: None }),
        };
        let (variant, reduction) = (self.variant, Reduction::Sum);
        let terms = [Term { id: about.id, variant, params: self.params, reduction, ..Term::default() }];
        let p = Problem::new(s, items, &terms, Options::default())?;
        let f = |x| Some(Floats::F64(Matrix::vector(x)));
        let kl = [0.5, 2.0, 1.0];
        let label = [self.label];
        let (margin, other) = ([self.margins[0]], [self.margins[1]]);
        let mut x = Inputs::new(Floats::F64(Matrix::vector(&self.scores[..s])));
        x.ref_scores = if about.reads(slot::REF) { f(&self.reference[..s]) } else { None };
        x.lengths = Some(Matrix::vector(&self.lengths[..s]));
        x.kl = if about.reads(slot::KL) { f(&kl[..s]) } else { None };
        x.groups = Groups {
            margin_chosen: if about.reads(slot::MARGIN) { f(&margin) } else { None },
            margin_rejected: if about.reads(slot::MARGIN) { f(&other) } else { None },
            label: about.reads(slot::LABEL).then(|| Labels::U8(Matrix::vector(&label))),
            baseline: if about.reads(slot::BASELINE) { f(&[0.25]) } else { None },
            shift: if about.reads(slot::SHIFT) { f(&[0.1]) } else { None },
            list_targets: if about.reads(slot::LIST_TARGET) { f(&self.targets) } else { None },
            ..Groups::default()
        };
        let (mut loss, mut losses, mut grad, mut status) = ([7.0f64], vec![7.0], vec![7.0; s], vec![7]);
        let out = Outputs {
            loss: Some(MatrixMut::vector(&mut loss).into()),
            losses: Some(MatrixMut::vector(&mut losses).into()),
            grad_scores: Some(MatrixMut::vector(&mut grad).into()),
            status: Some(MatrixMut::vector(&mut status)),
            ..Outputs::default()
        };
        with_scratch(preference::workspace(c, &p).minimum, |w| preference::forward(c, &p, &x, out, w))?;
        Ok(Got { loss: loss[0], losses, grad, status })
    }
}

#[test]
fn finite_inputs_give_no_nan() {
    let (mut cases, all) = (Cases::default(), contexts());
    let levels = [0.0, -1e-12, -0.5, -40.0, -800.0, -1e4];
    let mut infinite: Vec<&str> = vec![];
    for info in entries() {
        for (variant, a) in variants(info).flat_map(|v| levels.map(|a| (v, a))) {
            let params = params(info);
            for b in levels {
                for e in [a, b, -3.0] {
                    for reference in [[0.0; 3], [b, a, -1.0], [a, b, e], [-1e4, 0.0, -5.0]] {
                        for (lengths, label, margins) in
                            [([3, 1, 2], 1, [0.0, 0.0]), ([0, 4, 0], 0, [1.0, 0.0]), ([1, 1, 1], 1, [1.0, 1e4])]
                        {
                            let one = One {
                                info,
                                variant,
                                params: &params,
                                scores: [a, b, e],
                                reference,
                                lengths,
                                margins,
                                // tied rewards, and far apart
                                targets: if label == 1 { [1.0, 1.0, 0.0] } else { [50.0, 0.5, 0.5] },
                                label,
                            };
                            let got = one.run(&all[0]).unwrap();
                            let name = info.about.name;
                            let all_of = || got.losses.iter().chain(&got.grad);
                            assert!(
                                !got.loss.is_nan() && all_of().all(|x| !x.is_nan()),
                                "{name} {:?}: {got:?}",
                                one.scores
                            );
                            if all_of().any(|x| x.is_infinite()) {
                                let flagged = got.status[0] & (row::INFINITE | row::OVERFLOW) != 0;
                                assert!(flagged, "{name} {:?}: {got:?}", one.scores);
                                if !infinite.contains(&name) {
                                    infinite.push(name);
                                }
                            }
                            if cases.0 % 7 == 0 {
                                let other = one.run(&all[all.len() - 1]).unwrap();
                                same(name, &other.losses, &got.losses);
                                same(name, &other.grad, &got.grad);
                            }
                            cases.ran();
                        }
                    }
                }
            }
        }
    }
    println!("entries that are infinite somewhere on the grid, flagged: {infinite:?}");
    cases.finish("extremes", 75_000);
}

/// Policy entries at every pair of log-probs up to 1e4 apart: nothing is NaN, what is infinite is flagged and nothing else, and
/// only those entries are infinite whose limits are. A ratio beyond its bound has gradient 0, as has an advantage of 0.
#[test]
fn ratios_of_any_size() {
    let levels = [0.0f32, -1e-12, -1e-6, -0.5, -2.0, -40.0, -88.0, -104.0, -200.0, -800.0, -1e4];
    let (mut l, mut o, mut r, mut a) = (vec![], vec![], vec![], vec![]);
    for x in levels {
        for y in levels {
            for z in [x, y, 0.0, -1e4, -3.0] {
                for advantage in [1.0f32, -1.0, 0.0, 1e-6, -1e4, 0.37] {
                    l.push(x);
                    o.push(y);
                    r.push(z);
                    a.push(advantage);
                }
            }
        }
    }
    let (n, all) = (l.len(), contexts());
    let f = |x| Floats::F32(Matrix::vector(x));
    let (log_z, entropy) = (vec![0.5f32; n], a.iter().map(|a| a.abs()).collect::<Vec<f32>>());
    let mut cases = Cases::default();
    let mut infinite: Vec<String> = vec![];
    for info in ALL.iter().filter(|i| matches!(i.kind, Kind::Token | Kind::Sequence | Kind::Estimator)) {
        let (about, params) = (&info.about, params(info));
        let whole = info.kind == Kind::Sequence;
        let level = if whole { pol::Level::Sequence } else { pol::Level::Token };
        for variant in if about.variants.is_empty() { 0..=0 } else { 1..=about.variants.len() as u32 } {
            for mark in [0u8, 1] {
                let o1 = pol::Options {
                    variant,
                    params: &params,
                    ..pol::Options::new(about.id, level, pol::Aggregate::new(pol::Mode::TokenSum))
                };
                let p = pol::Problem::new(n, Segments::Padded { sequences: n, width: 1 }, o1).unwrap();
                let flag = vec![mark; n];
                let x = pol::Inputs {
                    old: Some(f(&o)),
                    reference: Some(f(&r)),
                    advantage: (info.kind != Kind::Estimator).then(|| pol::Advantage::Sequence(f(&a))),
                    entropy: Some(f(&entropy)),
                    log_z: about.reads(slot::LOG_Z).then(|| f(&log_z)),
                    flag: Some(pol::Each::Token(Matrix::vector(&flag))),
                    ..pol::Inputs::new(f(&l))
                };
                let run = |c: &Context| {
                    let (mut values, mut grad, mut status) = (vec![7f32; n], vec![7f32; n], vec![7u32; n]);
                    let out = pol::Outputs {
                        values: Some(MatrixMut::vector(&mut values).into()),
                        grad_logps: Some(MatrixMut::vector(&mut grad)),
                        sequence_status: Some(MatrixMut::vector(&mut status)),
                        ..pol::Outputs::default()
                    };
                    with_scratch(policy::workspace(c, &p).minimum, |w| policy::forward(c, &p, &x, out, w)).unwrap();
                    (values, grad, status)
                };
                let (values, grad, status) = run(&all[0]);
                for c in &all[1..] {
                    let other = run(c);
                    same(about.name, &other.0, &values);
                    same(about.name, &other.1, &grad);
                    same(about.name, &other.2, &status);
                }
                for i in 0..n {
                    let what = || format!("{} {:?} at {} {} {} {}", about.name, info.kind, l[i], o[i], r[i], a[i]);
                    let (v, g) = (values[i], grad[i]);
                    assert!(!v.is_nan() && !g.is_nan(), "{}: {v} {g}", what());
                    let beyond = v.is_infinite() || g.is_infinite();
                    assert_eq!(status[i] & row::OVERFLOW != 0, beyond, "{}: {v} {g} {}", what(), status[i]);
                    assert_eq!(status[i] & !row::OVERFLOW, 0, "{}", what());
                    let name = format!("{} {}", info.kind.name(), about.name);
                    if beyond && !infinite.contains(&name) {
                        infinite.push(name);
                    }
                    let x = l[i] as f64 - o[i] as f64;
                    let clips = ["ppo_clip", "gspo", "gspo_token", "luspo", "rloo_sequence"].contains(&about.name);
                    if clips && (a[i] > 0.0 && x > 0.1824 || a[i] < 0.0 && x < -0.2232) {
                        assert!(g == 0.0, "{}: gradient {g}", what());
                    }
                    if clips && a[i] == 0.0 {
                        assert!(v == 0.0 && g == 0.0, "{}", what());
                    }
                    cases.ran();
                }
            }
        }
    }
    infinite.sort();
    // without a bound on their side (`ppo_clip` and what clips like it for A < 0; `gmpo`), or without any
    let documented = [
        "estimator k3",
        "sequence gmpo",
        "sequence gspo",
        "sequence gspo_token",
        "sequence luspo",
        "sequence rloo_sequence",
        "token dppo_tv_ratio",
        "token kl_cov",
        "token ppo_clip",
        "token prime_ipo",
        "token prime_ref_kl",
        "token token_constrained",
    ];
    assert_eq!(infinite, documented);
    cases.finish("ratios of any size", 300_000);
}

/// Equal inputs on both sides of a function of the difference: its value there, and opposite gradients.
#[test]
fn equal_inputs() {
    let c = Context::default();
    let mut cases = Cases::default();
    for info in entries().filter(|i| i.about.takes_map) {
        for at in [0.0, -17.5, -1e4] {
            let params = params(info);
            let one = One {
                info,
                variant: first_variant(info),
                params: &params,
                scores: [at; 3],
                reference: [at; 3],
                lengths: [4; 3],
                margins: [0.0; 2],
                targets: [1.0, 0.5, 0.0],
                label: 1,
            };
            let got = one.run(&c).unwrap();
            assert_eq!(got.grad[0], -got.grad[1], "{}: {got:?}", info.about.name);
            assert_eq!(got.status, [0]);
            cases.ran();
        }
    }
    cases.finish("equal inputs", 24);
}

/// A parameter outside its range, or one without default that is missing, is named with the range.
#[test]
fn parameters_name_themselves() {
    let c = Context::default();
    let mut cases = Cases::default();
    for info in entries() {
        let good = params(info);
        let run_as = |params: &[f64], variant| {
            let one = One {
                info,
                variant,
                params,
                scores: [-1.0, -2.0, -3.0],
                reference: [-1.5; 3],
                lengths: [2; 3],
                margins: [1.0, 0.5],
                targets: [1.0, 0.5, 0.0],
                label: 1,
            };
            one.run(&c)
        };
        let run = |params: &[f64]| run_as(params, first_variant(info));
        run(&good).unwrap_or_else(|e| panic!("{}: {e}", info.about.name));
        for (k, p) in info.params.iter().enumerate() {
            let mut bad = vec![f64::NEG_INFINITY];
            bad.extend((p.max < f64::INFINITY).then_some(p.max + 1.0));
            bad.extend((p.max == f64::INFINITY && p.max_open).then_some(f64::INFINITY));
            bad.extend((p.min > f64::NEG_INFINITY).then_some(p.min - 1e-9));
            bad.extend((p.min_open && p.min > f64::NEG_INFINITY).then_some(p.min));
            bad.extend((p.max_open && p.max < f64::INFINITY).then_some(p.max));
            if p.default.is_nan() {
                bad.push(f64::NAN);
            }
            for x in bad {
                let mut given = good.clone();
                given[k] = x;
                let e = run_as(&given, p.variant.max(first_variant(info))).unwrap_err();
                assert_eq!((e.field, e.status), (p.name, Status::InvalidArgument), "{}: {e}", info.about.name);
                assert!(matches!(e.expected, Value::Range { .. }), "{e}");
                cases.ran();
            }
        }
        let mut more = good.clone();
        more.push(0.5);
        assert_eq!(run(&more).unwrap_err().field, "num_params");
        // another number than those of its variants; what another variant reads need not be given
        for variant in [variants(info).end() + 1, if info.about.variants.is_empty() { 7 } else { 0 }] {
            let e = run_as(&good, variant).unwrap_err();
            assert_eq!((e.field, e.status), ("loss.variant", Status::InvalidArgument), "{}: {e}", info.about.name);
        }
        for variant in variants(info) {
            let own = |k: usize| info.params[k].variant == 0 || info.params[k].variant == variant;
            let given: Vec<f64> = (0..good.len()).map(|k| if own(k) { good[k] } else { f64::NAN }).collect();
            run_as(&given, variant).unwrap_or_else(|e| panic!("{}: {e}", info.about.name));
        }
        cases.ran();
    }
    cases.finish("parameters outside their range", 300);
}
