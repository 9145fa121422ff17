//! Policy losses on the stand-in device: every entry of tokens, sequences, lists and estimators, every stage around them, against
//! the CPU's bits.
use super::preference::{Numbers, Place};
use super::{INF, NAN, STREAM, Scratch, memory, vector};
use truing_core::catalog::{self, ALL, Kind, Score, slot};
use truing_core::matrix::{Matrix, MatrixMut};
use truing_core::policy::{
    self as spec, Aggregate, Bonus, ClampMode, CountEmpty, Denominator, Each, Estimator, EstimatorGradient,
    EstimatorWeight, KlStage, Level, Mode, Options, Problem, RatioSource, Term, stat,
};
use truing_core::sequence::Segments;
use truing_core::{Dtype, error::row};
use truing_cuda::Context;
use truing_cuda::policy::{self as device, Each as DeviceEach, Inputs, Layout, Outputs, TermInputs};
use truing_tests::{Random, same, with_scratch};

/// Token values, every other one of another type.
struct Case {
    offsets: Vec<i32>,
    logps: Numbers,
    old: Numbers,
    reference: Numbers,
    sampler: Numbers,
    kl_reference: Numbers,
    kl: Numbers,
    entropy: Numbers,
    advantage: Numbers,
    of_sequence: Numbers,
    log_z: Numbers,
    weights: Numbers,
    importance: Numbers,
    importance_of_sequence: Numbers,
    flag: Vec<u8>,
    mask: Vec<u8>,
    keep: Vec<u8>,
    sequence_keep: Vec<u8>,
    entropy_mask: Vec<u8>,
    kl_mask: Vec<u8>,
}
impl Case {
    fn new(seed: u64, offsets: &[i32], hostile: bool, kind: usize) -> Case {
        let (n, b) = (*offsets.last().unwrap() as usize, offsets.len() - 1);
        let mut r = Random(seed);
        let mut logps: Vec<f64> = (0..n).map(|_| -3.0 * r.uniform()).collect();
        let mut old: Vec<f64> = logps.iter().map(|x| x + 0.2 * r.normal()).collect();
        let mut reference: Vec<f64> = logps.iter().map(|x| x + 0.5 * r.normal()).collect();
        let mut entropy: Vec<f64> = (0..n).map(|_| 3.0 * r.uniform()).collect();
        let mut advantage: Vec<f64> = (0..n).map(|_| r.normal()).collect();
        let mut of_sequence: Vec<f64> = (0..b).map(|_| r.normal()).collect();
        let mut log_z: Vec<f64> = (0..b).map(|_| r.normal()).collect();
        let mut kl: Vec<f64> = logps.iter().zip(&reference).map(|(x, y)| (x - y) * (x - y)).collect();
        let (mut sampler, kl_reference) = (old.clone(), reference.iter().map(|x| x - 0.1).collect());
        if hostile {
            // in the longest sequence alone: the others show their own sums
            let at = (0..b).max_by_key(|&k| offsets[k + 1] - offsets[k]).unwrap();
            let (first, len) = (offsets[at] as usize, (offsets[at + 1] - offsets[at]) as usize);
            let odd = [NAN as f64, INF as f64, -INF as f64, 1e30, -1e30, 0.0, -0.0, 1e300];
            for k in 0..if r.below(2) == 0 { 8 } else { 2 } {
                logps[first + r.below(len)] = odd[k % 7];
                old[first + r.below(len)] = odd[(k + 2) % 7];
                reference[first + r.below(len)] = odd[(k + 4) % 7];
                sampler[first + r.below(len)] = odd[(k + 5) % 7];
                advantage[first + r.below(len)] = odd[(k + 1) % 8];
                entropy[first + r.below(len)] = odd[k % 7];
            }
            odd.iter().enumerate().for_each(|(k, &x)| kl[first + (37 * k + 5) % len] = x);
            let same = first + r.below(len);
            (logps[same], old[same]) = (-INF as f64, -INF as f64);
            of_sequence[at] = odd[r.below(8)];
            log_z[at] = odd[r.below(8)];
        }
        let marks =
            |r: &mut Random, n: usize, of: usize| -> Vec<u8> { (0..n).map(|_| (r.below(of) > 0) as u8).collect() };
        let weights =
            |r: &mut Random, n: usize| -> Vec<f64> { (0..n).map(|_| [0.0, 1.0, 0.5, 2.25][r.below(4)]).collect() };
        let mut keep = marks(&mut r, n, 6);
        let k = offsets[b - 1] as usize;
        keep[k..].fill(0);
        Case {
            offsets: offsets.to_vec(),
            logps: Numbers::new(kind, logps),
            old: Numbers::new(kind, old),
            reference: Numbers::new((kind + 1) % 4, reference),
            sampler: Numbers::new(kind, sampler),
            kl_reference: Numbers::new(kind, kl_reference),
            kl: Numbers::new((kind + 2) % 4, kl),
            entropy: Numbers::new(0, entropy),
            advantage: Numbers::new(3, advantage),
            of_sequence: Numbers::new(3, of_sequence),
            log_z: Numbers::new(3, log_z),
            weights: Numbers::new(0, weights(&mut r, n)),
            importance: Numbers::new(kind, weights(&mut r, n)),
            importance_of_sequence: Numbers::new(3, weights(&mut r, b)),
            flag: marks(&mut r, n, 2),
            mask: marks(&mut r, n, 7),
            sequence_keep: keep[..b].to_vec(),
            keep,
            entropy_mask: marks(&mut r, n, 5),
            kl_mask: marks(&mut r, n, 4),
        }
    }
}

/// How an entry is called.
#[derive(Clone, Copy, Debug)]
struct Way {
    hostile: bool,
    kind: usize,
    packed: bool,
    old: bool,
    by_sequence: bool,
    mask: bool,
    rejects: bool,
    weights: bool,
    importance: bool,
    flags: bool,
    aggregate: Aggregate,
    bonus: Option<Bonus>,
    kl: Option<Estimator>,
    kl_reference: bool,
    wide: bool,
    statistics: bool,
    terms: bool,
    /// An upstream gradient for each value.
    each: bool,
}
const PLAIN: Way = Way {
    hostile: false,
    kind: 0,
    packed: false,
    old: true,
    by_sequence: false,
    mask: false,
    rejects: false,
    weights: false,
    importance: false,
    flags: true,
    aggregate: Aggregate::new(Mode::TokenMean),
    bonus: None,
    kl: None,
    kl_reference: false,
    wide: true,
    statistics: true,
    terms: false,
    each: false,
};

pub(super) fn all(context: &Context) -> usize {
    let id = |name| catalog::find(Kind::Estimator, name).unwrap().about.id;
    let aggregate = |mode, count_empty, denominator| Aggregate { count_empty, denominator, ..Aggregate::new(mode) };
    let kl = Estimator { coef: 0.3, ..Estimator::new(id("k3")) };
    let whole = Estimator {
        weight: EstimatorWeight::RatioSequence,
        input_clamp: Some((0.4, ClampMode::Linear)),
        output_clamp: 0.5,
        stage: KlStage::BeforeWeight,
        ..kl
    };
    // values of the KL term in the place of an estimate
    let given = Estimator { coef: 0.3, ..Estimator::new(Estimator::GIVEN) };
    let weighed = Estimator { stage: KlStage::BeforeWeight, ..given };
    let some = Some(CountEmpty::Nonempty);
    let bonus = |mode, denominator| Some(Bonus { coef: 0.01, aggregate: aggregate(mode, some, denominator) });
    // nothing is aggregated
    let alone = Way { aggregate: Aggregate::new(Mode::None), ..PLAIN };
    let ways = [
        PLAIN,
        Way { hostile: true, packed: true, by_sequence: true, mask: true, kind: 1, wide: false, ..PLAIN },
        Way {
            old: false,
            hostile: true,
            packed: true,
            mask: true,
            kind: 3,
            flags: false,
            aggregate: aggregate(Mode::SeqMeanTokenMean, some, Denominator::Original),
            kl: Some(kl),
            ..PLAIN
        },
        Way {
            mask: true,
            rejects: true,
            weights: true,
            importance: true,
            packed: true,
            kind: 2,
            aggregate: aggregate(Mode::WeightedMean, None, Denominator::Weights),
            bonus: bonus(Mode::SeqMeanTokenMean, Denominator::Kept),
            kl: Some(Estimator { ratio_source: RatioSource::Sampler, weight: EstimatorWeight::Ratio, ..kl }),
            kl_reference: true,
            ..PLAIN
        },
        Way {
            rejects: true,
            importance: true,
            by_sequence: true,
            hostile: true,
            aggregate: Aggregate {
                max_length: 300.0,
                ..aggregate(Mode::SeqMeanTokenSumNorm, Some(CountEmpty::All), Denominator::Kept)
            },
            bonus: bonus(Mode::TokenMean, Denominator::Original),
            kl: Some(whole),
            statistics: false,
            ..PLAIN
        },
        Way {
            packed: true,
            mask: true,
            weights: true,
            aggregate: Aggregate { normaliser: 77.0, ..Aggregate::new(Mode::TokenSum) },
            kl: Some(Estimator { ratio_source: RatioSource::Sampler, ..whole }),
            ..PLAIN
        },
        Way { terms: true, packed: true, mask: true, hostile: true, kl: Some(kl), kind: 3, wide: false, ..PLAIN },
        Way {
            terms: true,
            rejects: true,
            importance: true,
            statistics: false,
            bonus: bonus(Mode::TokenMean, Denominator::Original),
            ..PLAIN
        },
        Way { each: true, packed: true, mask: true, hostile: true, kl: Some(kl), kind: 1, wide: false, ..alone },
        Way { each: true, by_sequence: true, rejects: true, weights: true, importance: true, kl: Some(whole), ..alone },
        Way { mask: true, rejects: true, hostile: true, packed: true, statistics: false, ..alone },
        Way { kl: Some(given), hostile: true, packed: true, mask: true, kind: 1, kl_reference: true, ..PLAIN },
        Way {
            kl: Some(weighed),
            rejects: true,
            weights: true,
            importance: true,
            kind: 2,
            aggregate: aggregate(Mode::SeqMeanTokenMean, some, Denominator::Kept),
            ..PLAIN
        },
        Way {
            kl: Some(weighed),
            importance: true,
            by_sequence: true,
            hostile: true,
            packed: true,
            terms: true,
            ..PLAIN
        },
        Way { kl: Some(weighed), each: true, packed: true, mask: true, hostile: true, importance: true, ..alone },
    ];
    let (mut done, mut entries) = (0, 0);
    for info in ALL.iter().filter(|e| matches!(e.kind, Kind::Token | Kind::Sequence | Kind::Estimator)) {
        entries += 1;
        let variants = if info.about.variants.is_empty() { 0..1 } else { 1..info.about.variants.len() as u32 + 1 };
        for variant in variants {
            for (k, way) in ways.iter().enumerate() {
                done += one(context, info, variant, *way, info.about.id as u64 * 10 + k as u64);
            }
        }
    }
    // lists, whose values count once: of sums and of means
    let of_lists = Way { aggregate: aggregate(Mode::SeqMean, some, Denominator::Original), ..PLAIN };
    let ways = [
        Way { by_sequence: true, ..of_lists },
        Way { packed: true, mask: true, kind: 1, kl: Some(Estimator { coef: 0.0, ..kl }), ..of_lists },
        Way { packed: true, mask: true, hostile: true, rejects: true, by_sequence: true, kind: 2, ..of_lists },
        Way { old: false, hostile: true, kind: 3, statistics: false, terms: true, ..of_lists },
        Way {
            packed: true,
            rejects: true,
            terms: true,
            bonus: bonus(Mode::TokenMean, Denominator::Kept),
            aggregate: Aggregate { count_empty: Some(CountEmpty::All), ..of_lists.aggregate },
            ..of_lists
        },
        Way { aggregate: Aggregate { normaliser: 7.0, ..of_lists.aggregate }, packed: true, ..of_lists },
        Way { each: true, packed: true, mask: true, hostile: true, rejects: true, kind: 1, ..alone },
        Way { by_sequence: true, statistics: false, ..alone },
        Way { kl: Some(Estimator { coef: 0.0, ..given }), packed: true, hostile: true, each: true, ..alone },
    ];
    let mut lists = 0;
    for info in ALL.iter().filter(|e| e.kind == Kind::List) {
        if info.about.scores != Score::Sum.bit() && info.about.scores != Score::Mean.bit() {
            continue;
        }
        lists += 1;
        for (k, way) in ways.iter().enumerate() {
            done += one(context, info, 0, *way, info.about.id as u64 * 10 + k as u64);
        }
    }
    println!("{lists} entries of lists");
    // every stage around an estimator
    let loss = catalog::find(Kind::Token, "ppo_clip").unwrap();
    let mut seed = 0;
    for name in ["k1", "k3"] {
        for weight in
            [EstimatorWeight::One, EstimatorWeight::Score, EstimatorWeight::Ratio, EstimatorWeight::RatioSequence]
        {
            for (gradient, ratio_max) in [
                (EstimatorGradient::Pathwise, f64::INFINITY),
                (EstimatorGradient::StraightThrough, f64::INFINITY),
                (EstimatorGradient::StraightThroughRatio, 1.2),
            ] {
                for input_clamp in [None, Some((0.3, ClampMode::Linear)), Some((0.3, ClampMode::ZeroGradient))] {
                    for output_clamp in [0.2, f64::INFINITY] {
                        let kl = Estimator { weight, gradient, ratio_max, input_clamp, output_clamp, ..kl };
                        let kl = Estimator { id: id(name), ..kl };
                        seed += 1;
                        let way =
                            Way { kl: Some(kl), hostile: true, statistics: seed % 2 == 0, old: seed % 3 > 0, ..PLAIN };
                        done += one(context, loss, 0, way, seed);
                    }
                }
            }
        }
    }
    println!("{entries} entries of tokens, sequences and estimators");
    done + outside(context)
}

fn one(context: &Context, info: &catalog::Info, variant: u32, way: Way, seed: u64) -> usize {
    let about = &info.about;
    let (list, sequence) = (info.kind == Kind::List, info.kind == Kind::Sequence);
    let offsets: &[i32] = if way.packed { &[0, 0, 1, 256, 256, 513, 530, 1100] } else { &[0, 300, 600, 900] };
    let (b, n) = (offsets.len() - 1, *offsets.last().unwrap() as usize);
    let c = Case::new(seed, offsets, way.hostile, way.kind);
    let params: Vec<f64> = info
        .params
        .iter()
        .map(|p| match p.default {
            x if !x.is_nan() => x,
            _ => *[0.5, 1.5, -0.5, 0.0].iter().find(|&&x| p.accepts(x)).unwrap(),
        })
        .collect();
    let own = info.kind == Kind::Estimator;
    let none = way.aggregate.mode == Mode::None;
    // a value that counts once takes nothing that weighs or drops its tokens
    let once = list || (sequence && none);
    let way = Way {
        importance: way.importance && (!once || about.reads(slot::IMPORTANCE)),
        weights: way.weights && !once,
        // such a value has no KL term, but one that is given may be reported
        kl: way.kl.filter(|k| !(none && once) || k.id == Estimator::GIVEN).map(|k| match none && once {
            true => Estimator { coef: 0.0, ..k },
            false => k,
        }),
        ..way
    };
    let level = if sequence || list { Level::Sequence } else { Level::Token };
    // of every kind; two that read the call's own tensors, one that reads an entropy, one that weighs nothing, one whose
    // gradients leave f32 where they are added
    let term = |kind, name, weight, level, aggregate| Term {
        loss: catalog::find(kind, name).unwrap().about.id,
        variant: 0,
        params: &[],
        weight,
        aggregate,
        level,
    };
    let nonempty = |mode| Aggregate { count_empty: Some(CountEmpty::Nonempty), ..Aggregate::new(mode) };
    let mut terms = vec![
        term(Kind::Token, "nll", 0.5, Level::Token, Aggregate::new(Mode::WeightedMean)),
        term(Kind::Sequence, "gspo", -0.25, Level::Sequence, nonempty(Mode::SeqMean)),
        term(Kind::Estimator, "k3", 0.0, Level::Token, Aggregate::new(Mode::TokenSum)),
        term(Kind::Token, "eaft", 2.0, Level::Token, nonempty(Mode::SeqMeanTokenMean)),
        term(Kind::Token, "ppo_clip", 1e36, Level::Token, Aggregate::new(Mode::TokenMean)),
    ];
    terms.push(Term { params: &[0.5], ..term(Kind::List, "gvpo", 3.0, Level::Sequence, nonempty(Mode::SeqMean)) });
    terms.truncate(if way.terms { 6 } else { 0 });
    let groups: &[i32] = if way.packed { &[0, 2, 2, 6, 7] } else { &[0, 2, 3] };
    let grouped = list || way.terms;
    let options = Options {
        variant,
        params: &params,
        terms: &terms,
        groups: grouped.then(|| Matrix::vector(groups).into()),
        kl: way.kl.map(|k| if own { Estimator { id: about.id, coef: 0.0, ..k } } else { k }),
        bonus: way.bonus,
        ..Options::new(about.id, level, way.aggregate)
    };
    let segments = if way.packed {
        Segments::Packed(Matrix::vector(&c.offsets).into())
    } else {
        Segments::Padded { sequences: b, width: n / b }
    };
    let what = format!("{}, variant {variant}, {way:?}", about.name);
    let problem = Problem::new(n, segments, options).unwrap_or_else(|e| panic!("{what}: {e}"));
    // of the few largest columns, in place of the whole one for the entry
    let topk = (about.reads(slot::ENTROPY) || way.terms) && way.packed;
    let entropy = (about.reads(slot::ENTROPY) && !topk) || way.bonus.is_some() || way.terms;
    let weights = way.weights || way.aggregate.mode == Mode::WeightedMean;
    let given = !own && way.kl.is_some_and(|k| k.id == Estimator::GIVEN);
    let sampler = way.kl.is_some_and(|k| k.ratio_source == RatioSource::Sampler);
    let values = if list {
        groups.len() - 1
    } else if sequence {
        b
    } else {
        n
    };
    let upstream = match way.each {
        // zeros, and what is not finite, in a few places
        true => Numbers::new(
            way.kind,
            (0..values)
                .map(|k| match (way.hostile, k % 61) {
                    (true, 7) => NAN as f64,
                    (true, 9) => INF as f64,
                    (_, 5) => 0.0,
                    (_, k) => 0.5 - k as f64 / 31.0,
                })
                .collect(),
        ),
        false => Numbers::new(3, vec![0.75]),
    };
    let own = [
        spec::TermInputs {
            mask: Some(Matrix::vector(&c.kl_mask).into()),
            token_weights: Some(c.weights.cpu()),
            ..Default::default()
        },
        spec::TermInputs {
            old: Some(c.sampler.cpu()),
            advantage: Some(Each::Sequence(c.of_sequence.cpu())),
            ..Default::default()
        },
        spec::TermInputs { reference: Some(c.kl_reference.cpu()), ..Default::default() },
        spec::TermInputs {
            flag: Some(Each::Token(Matrix::vector(&c.entropy_mask))),
            token_weights: Some(c.importance.cpu()),
            ..Default::default()
        },
        spec::TermInputs::default(),
        spec::TermInputs { mask: Some(Matrix::vector(&c.keep).into()), ..Default::default() },
    ];
    let spec_inputs = spec::Inputs {
        terms: &own[..terms.len()],
        old: way.old.then(|| c.old.cpu()),
        reference: Some(c.reference.cpu()),
        sampler: sampler.then(|| c.sampler.cpu()),
        kl_reference: way.kl_reference.then(|| c.kl_reference.cpu()),
        kl: given.then(|| c.kl.cpu()),
        entropy: entropy.then(|| c.entropy.cpu()),
        topk_entropy: topk.then(|| c.kl_reference.cpu()),
        advantage: Some(if way.by_sequence {
            Each::Sequence(c.of_sequence.cpu())
        } else {
            Each::Token(c.advantage.cpu())
        }),
        flag: match (way.flags, way.by_sequence) {
            (false, _) => None,
            (true, false) => Some(Each::Token(Matrix::vector(&c.flag))),
            (true, true) => Some(Each::Sequence(Matrix::vector(&c.flag[..b]))),
        },
        log_z: about.reads(slot::LOG_Z).then(|| c.log_z.cpu()),
        mask: way.mask.then(|| Matrix::vector(&c.mask).into()),
        keep: (way.rejects && !once).then(|| Matrix::vector(&c.keep)),
        sequence_keep: (way.rejects && (list || !once)).then(|| Matrix::vector(&c.sequence_keep)),
        entropy_mask: (way.rejects && !once).then(|| Matrix::vector(&c.entropy_mask)),
        kl_mask: way.rejects.then(|| Matrix::vector(&c.kl_mask)),
        token_weights: weights.then(|| c.weights.cpu()),
        importance: way.importance.then(|| match way.by_sequence {
            true => Each::Sequence(c.importance_of_sequence.cpu()),
            false => Each::Token(c.importance.cpu()),
        }),
        grad_output: Some(upstream.cpu()),
        grad_scale: -1.3,
        ..spec::Inputs::new(c.logps.cpu())
    };
    let u8s = |x: &[u8]| vector(x, Dtype::U8);
    let own = [
        TermInputs { mask: Some(u8s(&c.kl_mask)), token_weights: Some(c.weights.device()), ..Default::default() },
        TermInputs {
            old: Some(c.sampler.device()),
            advantage: Some(DeviceEach::Sequence(c.of_sequence.device())),
            ..Default::default()
        },
        TermInputs { reference: Some(c.kl_reference.device()), ..Default::default() },
        TermInputs {
            flag: Some(DeviceEach::Token(u8s(&c.entropy_mask))),
            token_weights: Some(c.importance.device()),
            ..Default::default()
        },
        TermInputs::default(),
        TermInputs { mask: Some(u8s(&c.keep)), ..Default::default() },
    ];
    let inputs = Inputs {
        terms: &own[..terms.len()],
        old: way.old.then(|| c.old.device()),
        reference: Some(c.reference.device()),
        sampler: sampler.then(|| c.sampler.device()),
        kl_reference: way.kl_reference.then(|| c.kl_reference.device()),
        kl: given.then(|| c.kl.device()),
        entropy: entropy.then(|| c.entropy.device()),
        topk_entropy: topk.then(|| c.kl_reference.device()),
        advantage: Some(match way.by_sequence {
            true => DeviceEach::Sequence(c.of_sequence.device()),
            false => DeviceEach::Token(c.advantage.device()),
        }),
        flag: match (way.flags, way.by_sequence) {
            (false, _) => None,
            (true, false) => Some(DeviceEach::Token(u8s(&c.flag))),
            (true, true) => Some(DeviceEach::Sequence(u8s(&c.flag[..b]))),
        },
        log_z: about.reads(slot::LOG_Z).then(|| c.log_z.device()),
        mask: way.mask.then(|| u8s(&c.mask)),
        keep: (way.rejects && !once).then(|| u8s(&c.keep)),
        sequence_keep: (way.rejects && (list || !once)).then(|| u8s(&c.sequence_keep)),
        entropy_mask: (way.rejects && !once).then(|| u8s(&c.entropy_mask)),
        kl_mask: way.rejects.then(|| u8s(&c.kl_mask)),
        token_weights: weights.then(|| c.weights.device()),
        importance: way.importance.then(|| match way.by_sequence {
            true => DeviceEach::Sequence(c.importance_of_sequence.device()),
            false => DeviceEach::Token(c.importance.device()),
        }),
        grad_output: Some(upstream.device()),
        grad_scale: -1.3,
        group_offsets: grouped.then(|| vector(groups, Dtype::I32)),
        ..Inputs::new(c.logps.device())
    };
    let (estimates, bonus, log_z) = (problem.estimator().is_some(), way.bonus.is_some(), about.reads(slot::LOG_Z));
    let figures = stat::COUNT + 3 + terms.len();
    let values = |n| match (list, sequence) {
        (true, _) => Place::new(true, groups.len() - 1),
        (_, true) => Place::new(way.wide, b),
        _ => Place::new(false, n),
    };
    let new = || [Place::new(way.wide, 1), values(n), floats(n), floats(n), floats(n), floats(b), floats(n)];
    let (mut want, mut got) = (
        (new(), vec![5.0f64; figures], [vec![9u32; n], vec![9; b]], [-1i64; 32]),
        (new(), vec![5.0f64; figures], [vec![9u32; n], vec![9; b]], [-1i64; 32]),
    );
    let cpu = truing_cpu::Context::default();
    {
        let [loss, values, kl, grad, grad_entropy, grad_log_z, grad_kl] = &mut want.0;
        let (statistics, terms) = want.1.split_at_mut(stat::COUNT);
        let [of_tokens, of_sequences] = &mut want.2;
        let out = spec::Outputs {
            loss: (!none).then(|| loss.cpu()),
            values: Some(values.cpu()),
            kl: estimates.then(|| MatrixMut::vector(kl.narrow())),
            terms: (!none).then(|| MatrixMut::vector(terms)),
            grad_logps: Some(MatrixMut::vector(grad.narrow())),
            grad_kl: given.then(|| MatrixMut::vector(grad_kl.narrow())),
            grad_entropy: bonus.then(|| MatrixMut::vector(grad_entropy.narrow())),
            grad_log_z: log_z.then(|| MatrixMut::vector(grad_log_z.narrow())),
            statistics: way.statistics.then(|| statistics.try_into().unwrap()),
            token_status: Some(MatrixMut::vector(of_tokens)),
            sequence_status: Some(MatrixMut::vector(of_sequences)),
            counters: Some(&mut want.3),
        };
        let bytes = truing_cpu::policy::workspace(&cpu, &problem).minimum;
        with_scratch(bytes, |scratch| truing_cpu::policy::forward(&cpu, &problem, &spec_inputs, out, scratch))
            .unwrap_or_else(|e| panic!("{what}: {e}"));
    }
    let layout = match way.packed {
        true => Layout::Packed { tokens: n, offsets: vector(&c.offsets, Dtype::I32) },
        false => Layout::Padded { sequences: b, width: n / b },
    };
    let space = Scratch::new(device::workspace(&layout, &options).minimum);
    let [loss, values, kl, grad, grad_entropy, grad_log_z, grad_kl] = &got.0;
    let (statistics, terms) = got.1.split_at(stat::COUNT);
    let out = Outputs {
        loss: (!none).then(|| loss.device()),
        values: Some(values.device()),
        kl: estimates.then(|| kl.device()),
        terms: (!none).then(|| vector(terms, Dtype::F64)),
        grad_logps: Some(grad.device()),
        grad_entropy: bonus.then(|| grad_entropy.device()),
        grad_log_z: log_z.then(|| grad_log_z.device()),
        grad_kl: given.then(|| grad_kl.device()),
        statistics: way.statistics.then(|| vector(statistics, Dtype::F64)),
        token_status: Some(vector(&got.2[0], Dtype::U32)),
        sequence_status: Some(vector(&got.2[1], Dtype::U32)),
        counters: Some(vector(&got.3, Dtype::I64)),
    };
    // SAFETY: the stand-in's device memory is this process's, and the arrays live.
    unsafe { device::forward(context, STREAM, layout, &options, &inputs, &out, space.space()) }
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    got.0.iter_mut().for_each(Place::fetch);
    let (statistics, terms) = got.1.split_at_mut(stat::COUNT);
    memory::down(statistics);
    memory::down(terms);
    got.2.iter_mut().for_each(|x| memory::down(x));
    memory::down(&mut got.3);
    memory::clear();
    let mut done = 0;
    for (k, name) in ["loss", "values", "kl", "grad logps", "grad entropy", "grad log_z", "grad kl"].iter().enumerate()
    {
        done += got.0[k].check(&format!("{what}: {name}"), &want.0[k]);
    }
    same(&format!("{what}: status of tokens"), &got.2[0], &want.2[0]);
    same(&format!("{what}: status of sequences"), &got.2[1], &want.2[1]);
    same(&format!("{what}: statistics and terms"), &got.1, &want.1);
    same(&format!("{what}: counters"), &got.3, &want.3);
    done + n + b + figures + 32
}
fn floats(n: usize) -> Place {
    Place::new(false, n)
}

/// Weights and offsets that only the device can see.
fn outside(context: &Context) -> usize {
    let logps = vec![-1.0f32; 8];
    let weights = [1.0f32, 1.0, -1.0, 1.0, f32::NAN, 1.0, 1.0, 1.0];
    let offsets = [0i32, 4, 2, 30, 8];
    let options = Options::new(
        catalog::find(Kind::Token, "nll").unwrap().about.id,
        Level::Token,
        Aggregate::new(Mode::TokenMean),
    );
    let bad = row::OUT_OF_RANGE;
    for packed in [false, true] {
        let layout = match packed {
            false => Layout::Padded { sequences: 2, width: 4 },
            true => Layout::Packed { tokens: 8, offsets: vector(&offsets, Dtype::I32) },
        };
        let b = if packed { 4 } else { 2 };
        let (values, of_tokens, of_sequences) = (vec![9.0f32; 8], vec![7u32; 8], vec![7u32; 4]);
        let inputs =
            Inputs { token_weights: Some(vector(&weights, Dtype::F32)), ..Inputs::new(vector(&logps, Dtype::F32)) };
        let loss = vec![1.0f64];
        let out = Outputs {
            loss: Some(vector(&loss, Dtype::F64)),
            values: Some(vector(&values, Dtype::F32)),
            token_status: Some(vector(&of_tokens, Dtype::U32)),
            sequence_status: Some(vector(&of_sequences[..b], Dtype::U32)),
            ..Outputs::default()
        };
        let space = Scratch::new(device::workspace(&layout, &options).minimum);
        // SAFETY: as above.
        unsafe { device::forward(context, STREAM, layout, &options, &inputs, &out, space.space()) }.unwrap();
        let (mut loss, mut tokens, mut sequences) = (loss, of_tokens, of_sequences);
        memory::down(&mut loss);
        memory::down(&mut tokens);
        memory::down(&mut sequences[..b]);
        memory::clear();
        let (loss, sequences) = (std::hint::black_box(&loss)[0], sequences[..b].to_vec());
        assert!(!packed || loss.is_nan());
        if packed {
            assert_eq!(sequences, [bad, bad, bad, bad]);
        } else {
            assert_eq!((tokens, sequences), (vec![0, 0, bad, 0, bad, 0, 0, 0], vec![bad, bad]));
        }
    }
    // no sequence at all: nothing to divide by, in the loss and in a further term
    let terms = [Term {
        loss: options.loss,
        variant: 0,
        params: &[],
        weight: 1.0,
        aggregate: Aggregate::new(Mode::TokenMean),
        level: Level::Token,
    }];
    let options = Options { terms: &terms, ..options };
    let layout = Layout::Padded { sequences: 0, width: 4 };
    let (mut loss, mut counters) = (vec![1.0f64], vec![7i64; 32]);
    let out = Outputs {
        loss: Some(vector(&loss, Dtype::F64)),
        counters: Some(vector(&counters, Dtype::I64)),
        ..Outputs::default()
    };
    let own = [TermInputs::default()];
    let space = Scratch::new(device::workspace(&layout, &options).minimum);
    let logps = vector(&logps[..0], Dtype::F32);
    // SAFETY: as above.
    let go = |inputs: &Inputs<'_>| unsafe {
        device::forward(context, STREAM, layout, &options, inputs, &out, space.space())
    };
    assert_eq!(go(&Inputs::new(logps)).unwrap_err().field, "inputs.extra_terms");
    let masked = [TermInputs { mask: Some(vector(&weights, Dtype::F32)), ..own[0] }];
    assert_eq!(go(&Inputs { terms: &masked, ..Inputs::new(logps) }).unwrap_err().field, "inputs.extra_terms.mask");
    go(&Inputs { terms: &own, ..Inputs::new(logps) }).unwrap();
    memory::down(&mut loss);
    memory::down(&mut counters);
    memory::clear();
    let empty = row::EMPTY.trailing_zeros() as usize;
    assert_eq!(std::hint::black_box(&loss)[0], 0.0);
    assert!(counters.iter().enumerate().all(|(k, &x)| x == if k == empty { 2 } else { 0 }), "{counters:?}");
    // groups that do not cut the sequences: nothing is right; and a group without a member is none
    let lists = Options {
        params: &[0.5],
        ..Options::new(
            catalog::find(Kind::List, "gvpo").unwrap().about.id,
            Level::Sequence,
            Aggregate { count_empty: Some(CountEmpty::Nonempty), ..Aggregate::new(Mode::SeqMean) },
        )
    };
    let (logps, advantage) = ([-1.0f64, -2.0, -0.5, -3.0], [1.0f64, -1.0]);
    let layout = Layout::Padded { sequences: 2, width: 2 };
    for (groups, good) in [([0i32, 1, 1, 2], true), ([0, 2, 1, 2], false), ([0, 1, 1, 1], false)] {
        let (mut values, mut loss, mut status, mut grad) =
            (vec![9.0f64; 3], vec![9.0f64], vec![9u32; 2], vec![9.0f32; 4]);
        let out = Outputs {
            loss: Some(vector(&loss, Dtype::F64)),
            values: Some(vector(&values, Dtype::F64)),
            sequence_status: Some(vector(&status, Dtype::U32)),
            grad_logps: Some(vector(&grad, Dtype::F32)),
            ..Outputs::default()
        };
        let inputs = Inputs {
            advantage: Some(DeviceEach::Sequence(vector(&advantage, Dtype::F64))),
            group_offsets: Some(vector(&groups, Dtype::I32)),
            ..Inputs::new(vector(&logps, Dtype::F64))
        };
        let space = Scratch::new(device::workspace(&layout, &lists).minimum);
        // SAFETY: as above.
        unsafe { device::forward(context, STREAM, layout, &lists, &inputs, &out, space.space()) }.unwrap();
        memory::down(&mut values);
        memory::down(&mut loss);
        memory::down(&mut status);
        memory::down(&mut grad);
        memory::clear();
        let (values, loss) = (std::hint::black_box(&values), std::hint::black_box(&loss)[0]);
        assert_eq!((loss == 0.0, loss.is_nan()), (good, !good), "{groups:?}: {loss}");
        assert_eq!(status, if good { [0, 0] } else { [bad, bad] }, "{groups:?}");
        assert_eq!(grad, if good { [0.0f32; 4] } else { [9.0; 4] }, "{groups:?}");
        assert_eq!(values.iter().any(|x| x.is_nan()), !good, "{groups:?}: {values:?}");
    }
    83
}
