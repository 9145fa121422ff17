//! Preference losses on the stand-in device: every entry of pairs, rows and lists, every form of items, against the CPU's bits.
use super::{INF, Layout, NAN, STREAM, Scratch, data, memory, vector};
use truing_core::Dtype;
use truing_core::catalog::{self, ALL, Kind, Score, slot};
use truing_core::losses::map::ScoreMap;
use truing_core::matrix::{Floats, FloatsMut, Matrix, MatrixMut};
use truing_core::preference::{self as spec, Groups, Labels, Options, Problem, Reduction, Term, stat};
use truing_cuda::preference::{self as device, Inputs, Items, Outputs};
use truing_cuda::{Context, Tensor};
use truing_tests::{Data, Random, same, with_scratch};

/// Numbers of any stored type: 0 f32, 1 bf16, 2 f16, 3 f64.
pub(super) enum Numbers {
    Narrow(Data),
    Wide(Vec<f64>),
}
impl Numbers {
    pub(super) fn new(kind: usize, x: Vec<f64>) -> Numbers {
        match kind {
            3 => Numbers::Wide(x),
            _ => Numbers::Narrow(Data::new(kind, &x.iter().map(|&x| x as f32).collect::<Vec<_>>())),
        }
    }
    pub(super) fn cpu(&self) -> Floats<'_> {
        match self {
            Numbers::Narrow(x) => x.view(Layout::contiguous(x.keys().len(), 1)),
            Numbers::Wide(x) => Matrix::vector(x).into(),
        }
    }
    /// The first `n` of them.
    fn first(&self, n: usize) -> Numbers {
        match self {
            Numbers::Narrow(x) => Numbers::Narrow(Data::new(x.kind(), &x.wide()[..n])),
            Numbers::Wide(x) => Numbers::Wide(x[..n].to_vec()),
        }
    }
    pub(super) fn device(&self) -> Tensor {
        match self {
            Numbers::Narrow(x) => data(x, Layout::contiguous(x.keys().len(), 1)),
            Numbers::Wide(x) => vector(x, Dtype::F64),
        }
    }
}
/// A place for results, f64 or f32.
pub(super) enum Place {
    Wide(Vec<f64>),
    Narrow(Vec<f32>),
}
impl Place {
    pub(super) fn new(wide: bool, n: usize) -> Place {
        if wide { Place::Wide(vec![7.5; n]) } else { Place::Narrow(vec![7.5; n]) }
    }
    pub(super) fn cpu(&mut self) -> FloatsMut<'_> {
        match self {
            Place::Wide(x) => MatrixMut::vector(x).into(),
            Place::Narrow(x) => MatrixMut::vector(x).into(),
        }
    }
    /// The places of what is always f32.
    pub(super) fn narrow(&mut self) -> &mut [f32] {
        match self {
            Place::Wide(_) => panic!("a place for f64"),
            Place::Narrow(x) => x,
        }
    }
    pub(super) fn device(&self) -> Tensor {
        match self {
            Place::Wide(x) => vector(x, Dtype::F64),
            Place::Narrow(x) => vector(x, Dtype::F32),
        }
    }
    pub(super) fn fetch(&mut self) {
        match self {
            Place::Wide(x) => memory::down(x),
            Place::Narrow(x) => memory::down(x),
        }
    }
    pub(super) fn check(&self, what: &str, want: &Place) -> usize {
        match (self, want) {
            (Place::Wide(a), Place::Wide(b)) => same(what, a, b),
            (Place::Narrow(a), Place::Narrow(b)) => same(what, a, b),
            _ => panic!("{what}: two types"),
        }
        match self {
            Place::Wide(x) => x.len(),
            Place::Narrow(x) => x.len(),
        }
    }
}
/// Every output: loss, losses, rewards, gradients of scores, kl, margin or baseline, the second output, the margins of the
/// sides, learned parameters.
struct Out {
    places: [Place; 10],
    params: Vec<f64>,
    statistics: [f64; stat::COUNT],
    status: Vec<u32>,
    counters: [i64; 32],
}
const NAMES: [&str; 10] = [
    "loss",
    "losses",
    "chosen reward",
    "rejected reward",
    "grad scores",
    "grad kl",
    "grad margin",
    "aux",
    "grad margin chosen",
    "grad margin rejected",
];
impl Out {
    /// `members`: how many rewards there are.
    fn new(wide: bool, s: usize, n: usize, members: usize, params: usize) -> Out {
        let places = [1, n, members, n, s, s, n, n, n, n].map(|n| Place::new(wide, n));
        Out {
            places,
            params: vec![4.0; params],
            statistics: [5.0; stat::COUNT],
            status: vec![9; n],
            counters: [-1; 32],
        }
    }
    fn fetch(&mut self) {
        self.places.iter_mut().for_each(Place::fetch);
        memory::down(&mut self.params);
        memory::down(&mut self.statistics);
        memory::down(&mut self.status);
        memory::down(&mut self.counters);
        memory::clear();
    }
    fn check(&self, what: &str, want: &Out) -> usize {
        same(&format!("{what}: status"), &self.status, &want.status);
        let mut done = 0;
        for (k, name) in NAMES.iter().enumerate() {
            done += self.places[k].check(&format!("{what}: {name}"), &want.places[k]);
        }
        same(&format!("{what}: grad params"), &self.params, &want.params);
        same(&format!("{what}: statistics"), &self.statistics, &want.statistics);
        same(&format!("{what}: counters"), &self.counters, &want.counters);
        done + self.status.len() + self.params.len() + stat::COUNT + 32
    }
}

/// What is given beside the scores, in the CPU's types.
struct Case {
    chosen: Vec<i64>,
    rejected: Vec<i32>,
    anchor: Vec<i64>,
    scores: Numbers,
    references: Numbers,
    lengths: Vec<i32>,
    kl: Numbers,
    status: Vec<u32>,
    mask: Vec<u8>,
    weight: Numbers,
    beta: Vec<f64>,
    margins: [Numbers; 2],
    label: Vec<i8>,
    baseline: Numbers,
    shift: Numbers,
    upstream: Vec<f64>,
}
impl Case {
    fn new(seed: u64, s: usize, n: usize, hostile: bool, kind: usize, below: bool) -> Case {
        let mut r = Random(seed);
        let mut scores: Vec<f64> =
            (0..s).map(|_| if below { -0.02 - 2.0 * r.uniform() } else { 4.0 * r.normal() }).collect();
        let mut references: Vec<f64> = scores.iter().map(|x| x + 0.4 * r.normal()).collect();
        let mut kl: Vec<f64> = (0..s).map(|_| r.uniform()).collect();
        let mut lengths: Vec<i32> = (0..s).map(|_| 1 + r.below(40) as i32).collect();
        let mut status = vec![0; s];
        let mut margins = [0; 2].map(|_| (0..n).map(|_| r.normal()).collect::<Vec<f64>>());
        let mut shift: Vec<f64> = (0..n).map(|_| 0.3 * r.normal()).collect();
        let mut baseline: Vec<f64> = (0..n).map(|_| r.uniform()).collect();
        if hostile {
            let odd = [NAN as f64, INF as f64, -INF as f64, 0.0, -0.0, 1e38, -1e38, 30.0];
            for (k, &x) in odd.iter().enumerate() {
                scores[r.below(s)] = x;
                references[r.below(s)] = odd[(k + 3) % 8];
                margins[k % 2][r.below(n)] = x;
            }
            kl[r.below(s)] = NAN as f64;
            shift[r.below(n)] = NAN as f64;
            baseline[r.below(n)] = NAN as f64;
            (lengths[r.below(s)], lengths[r.below(s)]) = (0, 0);
            (status[r.below(s)], status[r.below(s)]) = (0x21, 0x200);
        }
        let index = |r: &mut Random| r.below(s) as i64;
        Case {
            chosen: (0..n).map(|_| index(&mut r)).collect(),
            rejected: (0..n).map(|_| index(&mut r) as i32).collect(),
            anchor: (0..n).map(|_| index(&mut r)).collect(),
            scores: Numbers::new(kind, scores),
            references: Numbers::new((kind + 1) % 4, references),
            lengths,
            kl: Numbers::new(kind, kl),
            status,
            mask: (0..n).map(|_| (r.below(5) > 0) as u8).collect(),
            weight: Numbers::new(kind, (0..n).map(|_| [0.0, 1.0, 0.5, 3.25][r.below(4)]).collect()),
            beta: (0..n).map(|_| 0.05 + 0.3 * r.uniform()).collect(),
            margins: margins.map(|m| Numbers::new(3, m)),
            label: (0..n).map(|_| r.below(3) as i8 - 1).collect(),
            baseline: Numbers::new(3, baseline),
            shift: Numbers::new(3, shift),
            upstream: (0..n).map(|_| r.normal()).collect(),
        }
    }
}

/// How the entry is called.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// 0 stacked, 1 interleaved, 2 indexed, 3 threes, 4 thirds.
    form: usize,
    hostile: bool,
    kind: usize,
    reduction: Reduction,
    extras: bool,
    map: ScoreMap,
    means: bool,
    two: bool,
    items: usize,
    wide: bool,
}

pub(super) fn all(context: &Context) -> usize {
    let mut done = 0;
    let plain = Way {
        form: 0,
        hostile: false,
        kind: 3,
        reduction: Reduction::Mean,
        extras: false,
        map: ScoreMap::Identity,
        means: false,
        two: false,
        items: 37,
        wide: true,
    };
    let alpha = ScoreMap::Alpha { alpha: 0.7, max_exponent: 11.0 };
    let ways = [
        plain,
        Way { form: 2, hostile: true, extras: true, reduction: Reduction::WeightedMean, wide: false, ..plain },
        Way { form: 1, hostile: true, kind: 0, two: true, reduction: Reduction::Sum, ..plain },
        Way { form: 3, hostile: true, extras: true, reduction: Reduction::None, ..plain },
        Way { form: 4, kind: 1, means: true, extras: true, two: true, wide: false, ..plain },
        Way { form: 2, hostile: true, kind: 2, means: true, map: ScoreMap::Js, ..plain },
        Way { hostile: true, map: alpha, extras: true, ..plain },
        Way { form: 2, hostile: true, map: ScoreMap::Js, extras: true, reduction: Reduction::Sum, ..plain },
        Way { form: 1, means: true, map: alpha, hostile: true, ..plain },
    ];
    let mut entries = 0;
    for info in ALL.iter().filter(|e| matches!(e.kind, Kind::Pair | Kind::Unpaired)) {
        entries += 1;
        for (k, way) in ways.iter().enumerate() {
            if way.map != ScoreMap::Identity && !info.about.takes_map {
                continue;
            }
            done += one(context, info, *way, info.about.id as u64 * 10 + k as u64);
        }
    }
    for (name, form) in [("dpo", 0), ("dpo", 2), ("kto", 0)] {
        let info = catalog::find_any(name).unwrap();
        done += one(context, info, Way { form, hostile: true, items: 2600, extras: true, ..plain }, 3);
    }
    println!("{entries} entries of pairs and rows");
    done + lists(context) + outside(context) + wrong_lists(context)
}

fn one(context: &Context, info: &catalog::Info, way: Way, seed: u64) -> usize {
    let (about, rows) = (&info.about, info.kind == Kind::Unpaired);
    let form = match way.form {
        _ if rows => 5,
        0 | 1 if about.reads(slot::ANCHOR) => way.form + 3,
        3 | 4 if !about.reads(slot::ANCHOR) => way.form - 3,
        form => form,
    };
    let n = way.items;
    let s = match form {
        2 => n / 2 + 3,
        3 | 4 => 3 * n,
        5 => n,
        _ => 2 * n,
    };
    let c = Case::new(seed, s, n, way.hostile, way.kind, about.below_zero);
    let params: Vec<f64> = info
        .params
        .iter()
        .map(|p| match p.default {
            x if !x.is_nan() => x,
            _ => *[0.5, 1.5, -0.5, 0.0].iter().find(|&&x| p.accepts(x)).unwrap(),
        })
        .collect();
    let (reduction, map) = (way.reduction, way.map);
    // the second of two variants every other time
    let variant = (about.variants.len() as u64).min(1 + seed % 2) as u32;
    let term = Term { id: about.id, variant, params: &params, reduction, map, ..Term::default() };
    let sums = way.means && about.scores & Score::Sum.bit() != 0;
    let mean = sums && about.scores & Score::Mean.bit() != 0;
    let first = Term { score: mean.then_some(Score::Mean), weight: 1.25, ..term };
    let other = catalog::find_any(if rows { "npo" } else { "hinge" }).unwrap();
    let second = Term {
        id: other.about.id,
        variant: 0,
        params: &[],
        map: ScoreMap::Identity,
        weight: -0.3,
        normaliser: 7.0,
        ..term
    };
    let terms = if way.two && way.reduction != Reduction::None { vec![first, second] } else { vec![first] };
    let options = Options {
        score: sums.then_some(Score::Sum),
        skip_flagged: way.extras && way.kind == 3,
        accumulate: seed % 3 == 0,
        ..Options::default()
    };
    let anchored = about.reads(slot::ANCHOR);
    let (items, own) = match form {
        0 => (spec::Items::Stacked, Items::Stacked),
        1 => (spec::Items::Interleaved, Items::Interleaved),
        2 => (
            spec::Items::Indexed {
                chosen: Matrix::vector(&c.chosen).into(),
                rejected: Matrix::vector(&c.rejected).into(),
                anchor: anchored.then(|| Matrix::vector(&c.anchor).into()),
            },
            Items::Indexed {
                chosen: vector(&c.chosen, Dtype::I64),
                rejected: vector(&c.rejected, Dtype::I32),
                anchor: anchored.then(|| vector(&c.anchor, Dtype::I64)),
            },
        ),
        3 => (spec::Items::Threes, Items::Threes),
        4 => (spec::Items::Thirds, Items::Thirds),
        _ => (spec::Items::Rows, Items::Rows),
    };
    let what = format!("{}, {way:?}", about.name);
    let problem = Problem::new(s, items, &terms, options).unwrap_or_else(|e| panic!("{what}: {e}"));
    let reads = |slot| problem.reads(slot);
    let lengths = way.extras || reads(slot::LENGTH) || terms.iter().any(|t| problem.divides(t));
    let margins = reads(slot::MARGIN) && (way.extras || about.margins.iter().any(|m| m.is_nan()));
    let betas = reads(slot::BETA) && way.extras;
    let shift = reads(slot::SHIFT) && (rows || way.extras);
    let each = way.reduction == Reduction::None;
    let upstream = if each { &c.upstream[..] } else { &c.upstream[..1] };
    let spec_inputs = spec::Inputs {
        scores: c.scores.cpu(),
        ref_scores: Some(c.references.cpu()),
        lengths: lengths.then(|| Matrix::vector(&c.lengths)),
        kl: reads(slot::KL).then(|| c.kl.cpu()),
        sequence_status: way.extras.then(|| Matrix::vector(&c.status)),
        groups: Groups {
            item_mask: way.extras.then(|| Matrix::vector(&c.mask).into()),
            item_weight: way.extras.then(|| c.weight.cpu()),
            item_beta: betas.then(|| Matrix::vector(&c.beta).into()),
            margin_chosen: margins.then(|| c.margins[0].cpu()),
            margin_rejected: margins.then(|| c.margins[1].cpu()),
            label: reads(slot::LABEL).then(|| Labels::I8(Matrix::vector(&c.label))),
            baseline: reads(slot::BASELINE).then(|| c.baseline.cpu()),
            shift: shift.then(|| c.shift.cpu()),
            list_targets: None,
        },
        grad_output: Some(Matrix::vector(upstream).into()),
        grad_scale: 0.7,
    };
    let inputs = Inputs {
        ref_scores: Some(c.references.device()),
        lengths: lengths.then(|| vector(&c.lengths, Dtype::I32)),
        kl: reads(slot::KL).then(|| c.kl.device()),
        sequence_status: way.extras.then(|| vector(&c.status, Dtype::U32)),
        item_mask: way.extras.then(|| vector(&c.mask, Dtype::U8)),
        item_weight: way.extras.then(|| c.weight.device()),
        item_beta: betas.then(|| vector(&c.beta, Dtype::F64)),
        margin_chosen: margins.then(|| c.margins[0].device()),
        margin_rejected: margins.then(|| c.margins[1].device()),
        label: reads(slot::LABEL).then(|| vector(&c.label, Dtype::I8)),
        baseline: reads(slot::BASELINE).then(|| c.baseline.device()),
        shift: shift.then(|| c.shift.device()),
        grad_output: Some(vector(upstream, Dtype::F64)),
        grad_scale: 0.7,
        ..Inputs::new(c.scores.device())
    };
    let [mut want, mut got] = [0; 2].map(|_| Out::new(way.wide, s, n, n, params.len()));
    let cpu = truing_cpu::Context::default();
    let bytes = truing_cpu::preference::workspace(&cpu, &problem).minimum;
    {
        let [loss, losses, chosen, rejected, scores, kl, margin, aux, margin_chosen, margin_rejected] =
            &mut want.places;
        let (mut grad_margin, mut grad_baseline) = (None, None);
        *(if rows { &mut grad_baseline } else { &mut grad_margin }) = Some(margin.cpu());
        let out = spec::Outputs {
            loss: (!each).then(|| loss.cpu()),
            losses: Some(losses.cpu()),
            reward_chosen: Some(chosen.cpu()),
            reward_rejected: (!rows).then(|| rejected.cpu()),
            grad_scores: Some(scores.cpu()),
            grad_kl: Some(kl.cpu()),
            grad_margin,
            grad_margin_chosen: (!rows).then(|| margin_chosen.cpu()),
            grad_margin_rejected: (!rows).then(|| margin_rejected.cpu()),
            grad_baseline,
            grad_params: Some(MatrixMut::vector(&mut want.params)),
            aux: about.aux.then(|| aux.cpu()),
            statistics: Some(&mut want.statistics),
            status: Some(MatrixMut::vector(&mut want.status)),
            counters: Some(&mut want.counters),
        };
        with_scratch(bytes, |scratch| truing_cpu::preference::forward(&cpu, &problem, &spec_inputs, out, scratch))
            .unwrap_or_else(|e| panic!("{what}: {e}"));
    }
    let space = Scratch::new(device::workspace(s, &own).minimum);
    let [loss, losses, chosen, rejected, scores, kl, margin, aux, margin_chosen, margin_rejected] = &got.places;
    let out = Outputs {
        loss: (!each).then(|| loss.device()),
        losses: Some(losses.device()),
        reward_chosen: Some(chosen.device()),
        reward_rejected: (!rows).then(|| rejected.device()),
        grad_scores: Some(scores.device()),
        grad_kl: Some(kl.device()),
        grad_margin: (!rows).then(|| margin.device()),
        grad_margin_chosen: (!rows).then(|| margin_chosen.device()),
        grad_margin_rejected: (!rows).then(|| margin_rejected.device()),
        grad_params: Some(vector(&got.params, Dtype::F64)),
        grad_baseline: rows.then(|| margin.device()),
        aux: about.aux.then(|| aux.device()),
        statistics: Some(vector(&got.statistics, Dtype::F64)),
        status: Some(vector(&got.status, Dtype::U32)),
        counters: Some(vector(&got.counters, Dtype::I64)),
    };
    // SAFETY: the stand-in's device memory is this process's, and the arrays live.
    unsafe { device::forward(context, STREAM, s, own, &terms, options, &inputs, &out, space.space()) }
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    got.fetch();
    got.check(&what, &want)
}

/// How an entry of lists is called.
#[derive(Clone, Copy, Debug)]
struct Lists {
    /// Members by index, of which a sequence may be several; else in order.
    indexed: bool,
    hostile: bool,
    kind: usize,
    reduction: Reduction,
    extras: bool,
    means: bool,
    two: bool,
    /// Parameters other than the defaults.
    odd: bool,
    wide: bool,
    accumulate: bool,
}
/// Every entry of lists: lengths 0, 1, 2, around a warp and beyond a block of threads, many lists, no list.
fn lists(context: &Context) -> usize {
    let plain = Lists {
        indexed: false,
        hostile: false,
        kind: 3,
        reduction: Reduction::Mean,
        extras: false,
        means: false,
        two: false,
        odd: false,
        wide: true,
        accumulate: false,
    };
    let ways = [
        plain,
        Lists { indexed: true, hostile: true, extras: true, wide: false, reduction: Reduction::WeightedMean, ..plain },
        Lists { hostile: true, kind: 0, two: true, reduction: Reduction::Sum, odd: true, accumulate: true, ..plain },
        Lists { indexed: true, hostile: true, kind: 2, means: true, two: true, extras: true, ..plain },
        Lists { kind: 1, extras: true, reduction: Reduction::None, odd: true, ..plain },
        Lists { indexed: true, kind: 1, means: true, odd: true, accumulate: true, wide: false, ..plain },
    ];
    let few: &[usize] = &[3, 0, 1, 15, 2, 17, 5, 33, 4, 0, 8];
    let mut r = Random(5);
    let many: Vec<usize> = (0..2100).map(|_| r.below(3)).collect();
    let (mut done, mut entries) = (0, 0);
    for info in ALL.iter().filter(|e| e.kind == Kind::List) {
        entries += 1;
        for (k, way) in ways.iter().enumerate() {
            done += list(context, info, *way, few, info.about.id as u64 * 10 + k as u64);
        }
        done += list(context, info, Lists { extras: true, ..plain }, &[], 1);
    }
    let info = catalog::find_any("plackett_luce").unwrap();
    for indexed in [false, true] {
        done += list(context, info, Lists { indexed, extras: true, ..plain }, &many, 2);
        done += list(context, info, Lists { indexed, ..plain }, &[2049, 700], 3);
    }
    println!("{entries} entries of lists");
    done
}
fn list(context: &Context, info: &catalog::Info, way: Lists, lengths: &[usize], seed: u64) -> usize {
    let (about, mut r, n) = (&info.about, Random(seed), lengths.len());
    let offsets: Vec<i64> = std::iter::once(0)
        .chain(lengths.iter().scan(0, |at, &k| {
            *at += k as i64;
            Some(*at)
        }))
        .collect();
    let m = *offsets.last().unwrap() as usize;
    let s = if way.indexed { m / 2 + 3 } else { m };
    let c = Case::new(seed, s.max(3), n.max(3), way.hostile, way.kind, about.below_zero);
    let members: Vec<i32> = (0..m).map(|_| r.below(s) as i32).collect();
    let ranked = about.name == "preference_ranking";
    let mut targets: Vec<f64> = (0..m).map(|_| (r.normal() * 8.0).round() / 4.0).collect();
    for i in 0..n {
        let own = &mut targets[offsets[i] as usize..offsets[i + 1] as usize];
        if ranked {
            own.sort_by(|a, b| b.total_cmp(a));
        }
        if way.hostile && i % 4 == 1 && own.len() > 1 {
            own[1] = if ranked { NAN as f64 } else { [NAN as f64, INF as f64][r.below(2)] };
        }
    }
    let (scores, references) = (c.scores.first(s), c.references.first(s));
    let weight = Numbers::new(way.kind, (0..n).map(|_| [0.0, 1.0, 0.5, 3.25][r.below(4)]).collect());
    let target = Numbers::new((way.kind + 2) % 4, targets);
    let params: Vec<f64> = info
        .params
        .iter()
        .map(|p| match p.default {
            x if !way.odd && !x.is_nan() => x,
            _ => *[2.5, 0.5, 1.5, 0.0].iter().find(|&&x| p.accepts(x)).unwrap(),
        })
        .collect();
    let sums = way.means && about.scores & Score::Sum.bit() != 0;
    let mean = sums && about.scores & Score::Mean.bit() != 0;
    let reduction = way.reduction;
    let first = Term {
        id: about.id,
        params: &params,
        reduction,
        weight: 1.25,
        score: mean.then_some(Score::Mean),
        ..Term::default()
    };
    let other = catalog::find_any("plackett_luce").unwrap();
    let second = Term { id: other.about.id, params: &[], weight: -0.3, normaliser: 7.0, score: None, ..first };
    let terms = if way.two && reduction != Reduction::None { vec![first, second] } else { vec![first] };
    let options = Options {
        score: sums.then_some(Score::Sum),
        skip_flagged: way.extras && way.kind == 3,
        accumulate: way.accumulate,
        ..Options::default()
    };
    let narrow: Vec<i32> = offsets.iter().map(|&x| x as i32).collect();
    let thin = seed % 2 == 0;
    let items = spec::Items::Lists {
        offsets: if thin { Matrix::vector(&narrow).into() } else { Matrix::vector(&offsets).into() },
        members: way.indexed.then(|| Matrix::vector(&members).into()),
    };
    let own = Items::Lists {
        offsets: if thin { vector(&narrow, Dtype::I32) } else { vector(&offsets, Dtype::I64) },
        members: way.indexed.then(|| vector(&members, Dtype::I32)),
    };
    let what = format!("{}, {way:?}, {n} lists", about.name);
    let problem = Problem::new(s, items, &terms, options).unwrap_or_else(|e| panic!("{what}: {e}"));
    let long = way.extras || problem.reads(slot::LENGTH) || terms.iter().any(|t| problem.divides(t));
    let each = reduction == Reduction::None;
    let upstream = if each { &c.upstream[..n] } else { &c.upstream[..1] };
    let (by, status, mask) = (&c.lengths[..s], &c.status[..s], &c.mask[..n]);
    let read = problem.reads(slot::LIST_TARGET);
    let spec_inputs = spec::Inputs {
        ref_scores: Some(references.cpu()),
        lengths: long.then(|| Matrix::vector(by)),
        sequence_status: way.extras.then(|| Matrix::vector(status)),
        groups: Groups {
            item_mask: way.extras.then(|| Matrix::vector(mask).into()),
            item_weight: way.extras.then(|| weight.cpu()),
            list_targets: read.then(|| target.cpu()),
            ..Groups::default()
        },
        grad_output: Some(Matrix::vector(upstream).into()),
        grad_scale: 0.7,
        ..spec::Inputs::new(scores.cpu())
    };
    let inputs = Inputs {
        ref_scores: Some(references.device()),
        lengths: long.then(|| vector(by, Dtype::I32)),
        sequence_status: way.extras.then(|| vector(status, Dtype::U32)),
        item_mask: way.extras.then(|| vector(mask, Dtype::U8)),
        item_weight: way.extras.then(|| weight.device()),
        list_targets: read.then(|| target.device()),
        grad_output: Some(vector(upstream, Dtype::F64)),
        grad_scale: 0.7,
        ..Inputs::new(scores.device())
    };
    let [mut want, mut got] = [0; 2].map(|_| Out::new(way.wide, s, n, m, params.len()));
    let cpu = truing_cpu::Context::default();
    let bytes = truing_cpu::preference::workspace(&cpu, &problem).minimum;
    {
        let [loss, losses, chosen, _, scores, kl, ..] = &mut want.places;
        let out = spec::Outputs {
            loss: (!each).then(|| loss.cpu()),
            losses: Some(losses.cpu()),
            reward_chosen: Some(chosen.cpu()),
            grad_scores: Some(scores.cpu()),
            grad_kl: Some(kl.cpu()),
            grad_params: Some(MatrixMut::vector(&mut want.params)),
            statistics: Some(&mut want.statistics),
            status: Some(MatrixMut::vector(&mut want.status)),
            counters: Some(&mut want.counters),
            ..spec::Outputs::default()
        };
        with_scratch(bytes, |scratch| truing_cpu::preference::forward(&cpu, &problem, &spec_inputs, out, scratch))
            .unwrap_or_else(|e| panic!("{what}: {e}"));
    }
    let space = Scratch::new(device::workspace(s, &own).minimum);
    let [loss, losses, chosen, _, scores, kl, ..] = &got.places;
    let out = Outputs {
        loss: (!each).then(|| loss.device()),
        losses: Some(losses.device()),
        reward_chosen: Some(chosen.device()),
        grad_scores: Some(scores.device()),
        grad_kl: Some(kl.device()),
        grad_params: Some(vector(&got.params, Dtype::F64)),
        statistics: Some(vector(&got.statistics, Dtype::F64)),
        status: Some(vector(&got.status, Dtype::U32)),
        counters: Some(vector(&got.counters, Dtype::I64)),
        ..Outputs::default()
    };
    // SAFETY: as above.
    unsafe { device::forward(context, STREAM, s, own, &terms, options, &inputs, &out, space.space()) }
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    got.fetch();
    got.check(&what, &want)
}

/// What only the device can see of lists, beside good ones: offsets, members, weights, the order of targets.
fn wrong_lists(context: &Context) -> usize {
    use truing_core::error::row;
    let bad = row::OUT_OF_RANGE;
    let scores: Vec<f64> = (0..7).map(|k| -1.0 - k as f64).collect();
    let targets = [2.0f64, 1.0, 1.0, 2.0, 3.0, 2.0, 1.0];
    let weight = [1.0f64, 1.0, -1.0];
    let whole = [0i64, 2, 4, 7];
    // entry, offsets, members, weights, status
    type Wrong<'a> = (&'a str, &'a [i64], Option<[i64; 7]>, bool, [u32; 3]);
    let cases: [Wrong<'_>; 6] = [
        ("plackett_luce", &whole, Some([0, 1, 2, 7, 4, 5, 6]), false, [0, bad, 0]),
        ("plackett_luce", &whole, Some([0, 1, 2, 3, 4, -1, 6]), true, [0, 0, bad]),
        ("preference_ranking", &whole, None, false, [0, bad, 0]),
        ("plackett_luce", &[0, 2, 9, 7], None, false, [0, bad, bad]),
        ("plackett_luce", &[1, 2, 4, 7], None, false, [bad, 0, 0]),
        ("plackett_luce", &[0, 2, 4, i64::MIN], None, false, [0, 0, bad]),
    ];
    for (name, offsets, members, weighted, expected) in cases {
        let entry = catalog::find_any(name).unwrap();
        let terms = [Term { id: entry.about.id, ..Term::default() }];
        let (losses, rewards, grad, status) = (vec![9.0f64; 3], vec![9.0f64; 7], vec![9.0f64; 7], vec![0u32; 3]);
        let (lengths, params) = ([3i32; 7], vec![9.0f64; 2]);
        let ranked = entry.about.reads(slot::LIST_TARGET);
        let items = Items::Lists {
            offsets: vector(offsets, Dtype::I64),
            members: members.as_ref().map(|m| vector(m, Dtype::I64)),
        };
        let inputs = Inputs {
            item_weight: weighted.then(|| vector(&weight, Dtype::F64)),
            list_targets: ranked.then(|| vector(&targets, Dtype::F64)),
            lengths: ranked.then(|| vector(&lengths, Dtype::I32)),
            ..Inputs::new(vector(&scores, Dtype::F64))
        };
        let out = Outputs {
            losses: Some(vector(&losses, Dtype::F64)),
            reward_chosen: Some(vector(&rewards, Dtype::F64)),
            grad_scores: Some(vector(&grad, Dtype::F64)),
            grad_params: Some(vector(&params, Dtype::F64)),
            status: Some(vector(&status, Dtype::U32)),
            ..Outputs::default()
        };
        let space = Scratch::new(device::workspace(7, &items).minimum);
        // SAFETY: as above.
        unsafe { device::forward(context, STREAM, 7, items, &terms, Options::default(), &inputs, &out, space.space()) }
            .unwrap();
        let (mut losses, mut grad, mut status) = (losses, grad, status);
        memory::down(&mut losses);
        memory::down(&mut grad);
        memory::down(&mut status);
        memory::clear();
        assert_eq!(status, expected, "{name} {offsets:?}");
        for (i, &bits) in expected.iter().enumerate() {
            assert_eq!(losses[i].is_nan(), bits != 0, "{name} {offsets:?}: {losses:?}");
        }
        for (s, g) in grad.iter().enumerate() {
            // sequences of no good list have no finite gradient, but for those that no member names
            let named = members.is_none_or(|m| m.contains(&(s as i64)));
            let place = members.map_or(Some(s), |m| m.iter().position(|&x| x == s as i64));
            let good = (0..3)
                .any(|i| expected[i] == 0 && place.is_some_and(|p| (offsets[i]..offsets[i + 1]).contains(&(p as i64))));
            assert_eq!(g.is_nan(), named && !good, "{name} {offsets:?}: {grad:?}");
        }
    }
    // members without a list
    let items = Items::Lists { offsets: vector(&whole[..1], Dtype::I64), members: None };
    let (dpo, out) = (catalog::find_any("plackett_luce").unwrap(), Outputs::default());
    let terms = [Term { id: dpo.about.id, ..Term::default() }];
    let (inputs, space) = (Inputs::new(vector(&scores, Dtype::F64)), Scratch::new(1 << 16));
    // SAFETY: refused.
    let refused =
        unsafe { device::forward(context, STREAM, 7, items, &terms, Options::default(), &inputs, &out, space.space()) };
    assert_eq!(refused.unwrap_err().field, "groups.list_offsets");
    memory::clear();
    cases.len() * 13
}

/// What only the device can see, in items beside good ones.
fn outside(context: &Context) -> usize {
    use truing_core::error::row;
    let scores: Vec<f64> = (0..6).map(|k| -1.0 - k as f64).collect();
    let (chosen, rejected) = ([0i64, 6, 2, 3, 4], [1i64, 1, -1, 2, 5]);
    let weight = [1.0f64, 1.0, 1.0, -1.0, 1.0];
    let beta = [0.1f64, 0.1, 0.1, 0.1, 0.0];
    let (losses, grad, status) = (vec![9.0f64; 5], vec![9.0f64; 6], vec![0u32; 5]);
    let dpo = catalog::find_any("dpo").unwrap();
    let terms = [Term { id: dpo.about.id, ..Term::default() }];
    let items =
        Items::Indexed { chosen: vector(&chosen, Dtype::I64), rejected: vector(&rejected, Dtype::I64), anchor: None };
    let inputs = Inputs {
        item_weight: Some(vector(&weight, Dtype::F64)),
        item_beta: Some(vector(&beta, Dtype::F64)),
        ..Inputs::new(vector(&scores, Dtype::F64))
    };
    let out = Outputs {
        losses: Some(vector(&losses, Dtype::F64)),
        grad_scores: Some(vector(&grad, Dtype::F64)),
        status: Some(vector(&status, Dtype::U32)),
        ..Outputs::default()
    };
    let space = Scratch::new(device::workspace(6, &items).minimum);
    // SAFETY: as above.
    unsafe { device::forward(context, STREAM, 6, items, &terms, Options::default(), &inputs, &out, space.space()) }
        .unwrap();
    let (mut losses, mut grad, mut status) = (losses, grad, status);
    memory::down(&mut losses);
    memory::down(&mut grad);
    memory::down(&mut status);
    memory::clear();
    let bad = row::OUT_OF_RANGE;
    assert_eq!(status, [0, bad, bad, bad, bad]);
    assert!(losses[0].is_finite() && losses[1..].iter().all(|x| x.is_nan()), "{losses:?}");
    // sequence 0 is in a good pair alone, the others in a bad one too
    assert!(grad[0].is_finite() && grad[0] < 0.0 && grad[1..].iter().all(|x| x.is_nan()), "{grad:?}");
    16
}
