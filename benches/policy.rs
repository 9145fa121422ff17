//! Policy losses in split form: microseconds of a whole call on one thread. `cargo bench --bench policy -- [rounds]`.
use criterion::{BenchmarkId, Criterion, Throughput};
use std::time::Duration;
use truing::core::catalog::{Kind, find};
use truing::core::matrix::{Floats, Mask, Matrix, MatrixMut};
use truing::core::policy::{
    Advantage, Aggregate, Estimator, EstimatorGradient, EstimatorWeight, Inputs, Level, Mode, Options, Outputs, Problem,
};
use truing::core::sequence::Segments;
use truing::cpu::{Context, ContextOptions, Isa, policy};
use truing_benches::{Arguments, Goal, line, part};

struct Data {
    sequences: usize,
    columns: [Vec<f32>; 4],
    mask: Vec<u8>,
    grad: Vec<f32>,
    space: Vec<u8>,
}
impl Data {
    fn new(sequences: usize, width: usize) -> Data {
        let n = sequences * width;
        let mut state = 1u64;
        let mut make = |size: f32| -> Vec<f32> {
            (0..n)
                .map(|_| {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    ((state >> 40) as f32 / 8388608.0 - 1.0) * size
                })
                .collect()
        };
        let logp: Vec<f32> = make(2.0).iter().map(|x| x - 2.0).collect();
        let mut near = |size: f32| make(size).iter().zip(&logp).map(|(d, l)| l + d).collect::<Vec<f32>>();
        let (old, reference) = (near(0.3), near(0.5));
        let advantage = make(1.0);
        let mask = (0..n).map(|i| (i % width < width - i / width % 16) as u8).collect();
        Data { sequences, columns: [logp, old, reference, advantage], mask, grad: vec![0.0; n], space: vec![] }
    }
    fn call(&mut self, context: &Context, kind: Kind, name: &str, kl: bool, masked: bool, figures: bool) {
        let id = |kind, name| find(kind, name).expect("an entry").about.id;
        let estimator = Estimator {
            id: id(Kind::Estimator, "k3"),
            weight: EstimatorWeight::One,
            gradient: EstimatorGradient::Pathwise,
            coef: 0.04,
            ..Estimator::new(0)
        };
        let options = Options {
            loss: id(kind, name),
            params: &[],
            kl: kl.then_some(estimator),
            aggregate: Aggregate {
                mode: Mode::TokenMean,
                normaliser: 0.0,
                max_length: 0.0,
                count_empty: None,
                ..Aggregate::new(Mode::TokenMean)
            },
            level: if kind == Kind::Sequence { Level::Sequence } else { Level::Token },
            variant: 0,
            bonus: None,
            groups: None,
            terms: &[],
        };
        let n = self.grad.len();
        let segments = Segments::Padded { sequences: self.sequences, width: n / self.sequences };
        let problem = Problem::new(n, segments, options).unwrap();
        let [logps, old, reference, advantage] = [0, 1, 2, 3].map(|k| Floats::F32(Matrix::vector(&self.columns[k])));
        let inputs = Inputs {
            logps,
            old: Some(old),
            reference: Some(reference),
            advantage: Some(Advantage::Token(advantage)),
            mask: masked.then_some(Mask::U8(Matrix::vector(&self.mask))),
            grad_output: None,
            grad_scale: 1.0,
            ..Inputs::new(Floats::F32(Matrix::vector(&[])))
        };
        let (mut loss, mut statistics) = ([0f64], [0.0; 32]);
        let out = Outputs {
            loss: Some(MatrixMut::vector(&mut loss).into()),
            grad_logps: Some(MatrixMut::vector(&mut self.grad)),
            statistics: figures.then_some(&mut statistics),
            ..Outputs::default()
        };
        let need = policy::workspace(context, &problem).preferred;
        self.space.resize(need + 64, 0);
        let at = self.space.as_ptr().align_offset(64);
        policy::forward(context, &problem, &inputs, out, &mut self.space[at..at + need]).unwrap();
    }
}

fn main() {
    const CALLS: usize = 200;
    let Arguments { rounds, table } = Arguments::new(15);
    part("policy losses, 8192 tokens, 1 thread");
    let mut criterion = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(10));
    let mut data = Data::new(16, 512);
    for isa in Isa::available() {
        let context = Context::new(ContextOptions { isa_cap: Some(isa), ..ContextOptions::default() }).unwrap();
        let mut group = criterion.benchmark_group(format!("8192 tokens, {}", isa.name()));
        group.throughput(Throughput::Elements(8192)).measurement_time(Duration::from_millis(300));
        for (kind, name, kl, masked, figures) in [
            (Kind::Token, "ppo_clip", false, false, false),
            (Kind::Token, "ppo_clip", true, false, false),
            (Kind::Token, "ppo_clip", true, true, false),
            (Kind::Token, "ppo_clip", true, true, true),
            (Kind::Sequence, "gspo", true, true, false),
        ] {
            let mut what = name.to_string();
            for (on, word) in [(kl, " + k3"), (masked, ", mask"), (figures, ", figures")] {
                what.push_str(if on { word } else { "" });
            }
            let mut call = || data.call(&context, kind, name, kl, masked, figures);
            let us: Vec<f64> = (0..rounds)
                .map(|_| truing_benches::time(1, || (0..CALLS).for_each(|_| call())) / CALLS as f64 * 1e6)
                .collect();
            let goal = match (isa, kl && !figures && kind == Kind::Token) {
                // 20 and 14 times torch eager, 702 us on this class of machine
                (Isa::Avx512, true) => Goal::AtMost(35.0),
                (Isa::Avx2, true) => Goal::AtMost(50.0),
                _ => Goal::None,
            };
            line(&format!("{what}, {}", isa.name()), &us, "us", goal, "");
            if table {
                continue;
            }
            group.bench_function(BenchmarkId::from_parameter(what), |b| b.iter(&mut call));
        }
        group.finish();
    }
}
