//! Preference losses in split form: microseconds of a whole call (scores to loss and d loss / d score, f64) on one thread.
//! `cargo bench --bench preference -- [rounds]`.
use criterion::{BenchmarkId, Criterion, Throughput};
use std::time::Duration;
use truing::core::catalog::{Kind, find};
use truing::core::matrix::{Floats, Matrix, MatrixMut};
use truing::core::preference::{Inputs, Items, Options, Outputs, Problem, Term};
use truing::cpu::{Context, ContextOptions, Isa, Space, preference};
use truing_benches::{Arguments, Goal, line, part};

struct Data {
    scores: Vec<f64>,
    reference: Vec<f64>,
    losses: Vec<f64>,
    rewards: [Vec<f64>; 2],
    grad: Vec<f64>,
    space: Space,
}
impl Data {
    fn new(pairs: usize) -> Data {
        let mut state = 1u64;
        let mut make = || -> Vec<f64> {
            (0..2 * pairs)
                .map(|_| {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    -150.0 + (state >> 40) as f64 / 83886.08
                })
                .collect()
        };
        Data {
            scores: make(),
            reference: make(),
            losses: vec![0.0; pairs],
            rewards: [vec![0.0; pairs], vec![0.0; pairs]],
            grad: vec![0.0; 2 * pairs],
            space: Space::default(),
        }
    }
    fn call(&mut self, context: &Context, name: &str, all: bool) {
        let id = find(Kind::Pair, name).expect("an entry").about.id;
        let terms = [Term { id, ..Term::default() }];
        let problem = Problem::new(self.scores.len(), Items::Stacked, &terms, Options::default()).unwrap();
        let mut inputs = Inputs::new(Floats::F64(Matrix::vector(&self.scores)));
        inputs.ref_scores = Some(Floats::F64(Matrix::vector(&self.reference)));
        let mut loss = [0.0];
        let [chosen, rejected] = &mut self.rewards;
        let out = Outputs {
            loss: Some(MatrixMut::vector(&mut loss).into()),
            losses: all.then(|| MatrixMut::vector(&mut self.losses).into()),
            reward_chosen: all.then(|| MatrixMut::vector(chosen).into()),
            reward_rejected: all.then(|| MatrixMut::vector(rejected).into()),
            grad_scores: Some(MatrixMut::vector(&mut self.grad).into()),
            ..Outputs::default()
        };
        let need = preference::workspace(context, &problem).preferred;
        preference::forward(context, &problem, &inputs, out, self.space.bytes(need)).unwrap();
    }
}

fn main() {
    const CALLS: usize = 200;
    let Arguments { rounds, table } = Arguments::new(15);
    let mut criterion = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(10));
    for (pairs, isa) in [8, 4096].into_iter().flat_map(|pairs| Isa::available().map(move |isa| (pairs, isa))) {
        if isa == Isa::Scalar {
            part(&format!("preference losses, {pairs} pairs, 1 thread"));
        }
        let mut data = Data::new(pairs);
        let context = Context::new(ContextOptions { isa_cap: Some(isa), ..ContextOptions::default() }).unwrap();
        let mut group = criterion.benchmark_group(format!("{pairs} pairs, {}", isa.name()));
        group.throughput(Throughput::Elements(pairs as u64)).measurement_time(Duration::from_millis(300));
        for (name, all) in [("dpo", false), ("dpo", true), ("simpo", false)] {
            let what = format!("{name}, {}", if all { "losses and rewards too" } else { "loss and gradient" });
            let us: Vec<f64> = (0..rounds)
                .map(|_| truing_benches::time(1, || (0..CALLS).for_each(|_| data.call(&context, name, all))))
                .map(|t| t / CALLS as f64 * 1e6)
                .collect();
            line(&format!("{what}, {}", isa.name()), &us, "us", Goal::None, "");
            if table {
                continue;
            }
            group.bench_function(BenchmarkId::from_parameter(what), |b| b.iter(|| data.call(&context, name, all)));
        }
        group.finish();
    }
}
