//! The composite of a policy loss: GRPO with a reference, 4 sequences of 128 tokens, hidden 1024, vocabulary 32000, from
//! hidden states to loss and gradients of hidden and head. Time over the floor of its three products at the rate of a
//! multiply-add probe of the same round, on one thread, with the least workspace (logits computed twice) and the preferred
//! one (kept). Then the memory of both composites, in each of their forms. `cargo bench --bench linear_policy -- [rounds]`.
use criterion::{BenchmarkId, Criterion, Throughput};
use std::time::Duration;
use truing::core::Dtype;
use truing::core::catalog::{Kind, find};
use truing::core::dtype::bf16;
use truing::core::linear_policy::{Divergence, Inputs, Options, Outputs, Phase, Problem};
use truing::core::linear_preference as pairs;
use truing::core::logprob::Transform;
use truing::core::matrix::{Floats, Ints, Matrix, MatrixMut};
use truing::core::policy::{self, Advantage, Aggregate, Estimator, Level, Mode};
use truing::core::preference::{Items, Term};
use truing::core::sequence::Segments;
use truing::cpu::linear_logprob::Grads;
use truing::cpu::{Context, ContextOptions, Space, gemm, linear_policy, linear_preference};
use truing_benches::{Arguments, Goal, line, part};

fn main() {
    let arguments = Arguments::new(3);
    part("linear_policy: ppo_clip + k3, 4 x 128 tokens, portable, 1 thread");
    for narrow in [false, true] {
        case([512, 1024, 32000], narrow, arguments);
    }
    memory([512, 1024, 32000]);
}
/// Largest resident memory of the process so far, in kB, where the system says so.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse().ok())
}
/// Workspaces of the composites; a call takes no other memory.
fn memory(shape: [usize; 3]) {
    let id = |kind, name| find(kind, name).expect("an entry").about.id;
    let segments = Segments::Padded { sequences: 4, width: 128 };
    let head = Some((shape[1], Transform::default()));
    for threads in [1, 2] {
        let options = ContextOptions { threads: if threads > 1 { threads } else { 0 }, ..ContextOptions::default() };
        let c = Context::new(options).unwrap();
        for (dtype, name) in [(Dtype::F32, "f32"), (Dtype::Bf16, "bf16")] {
            let print = |what: &str, need: truing::core::matrix::Workspace| {
                let mb = |x: usize| x as f64 / 1e6;
                println!(
                    "{what}, {name}, threads {threads}: {:.2} MB at least, {:.1} MB preferred",
                    mb(need.minimum),
                    mb(need.preferred)
                );
            };
            for (what, reference, divergence) in [
                ("linear_policy", None, None),
                ("linear_policy, reference head", head, None),
                ("linear_policy, divergence to it", head, Some(Divergence::Forward)),
            ] {
                let kl = match divergence {
                    Some(_) => Estimator::GIVEN,
                    None => id(Kind::Estimator, "k3"),
                };
                let policy = policy::Options {
                    kl: Some(Estimator { coef: 0.04, ..Estimator::new(kl) }),
                    ..policy::Options::new(id(Kind::Token, "ppo_clip"), Level::Token, Aggregate::new(Mode::TokenMean))
                };
                let options = Options {
                    logprob: Default::default(),
                    policy,
                    phase: Phase::Single,
                    reference,
                    divergence,
                    support: None,
                };
                let problem = Problem::new(shape, segments, options).unwrap();
                print(what, linear_policy::workspace(&c, &problem, dtype, dtype));
            }
            for (what, entry, reference) in [
                ("linear_preference, dpo", "dpo", None),
                ("linear_preference, reference head", "dpo", head),
                ("linear_preference, tdpo1", "tdpo1", head),
            ] {
                let terms = [Term { id: id(Kind::Pair, entry), ..Term::default() }];
                let options = pairs::Options { reference, ..pairs::Options::default() };
                let problem = pairs::Problem::new(shape, segments, Items::Interleaved, &terms, options).unwrap();
                print(what, linear_preference::workspace(&c, &problem, dtype, dtype));
            }
        }
    }
}
fn case(shape @ [n, d, v]: [usize; 3], narrow: bool, Arguments { rounds, table }: Arguments) {
    let mut state = 1u64;
    let mut make = |len: usize, size: f32| -> Vec<f32> {
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                ((state >> 40) as f32 / 8388608.0 - 1.0) * size
            })
            .collect()
    };
    let (hidden, weight) = (make(n * d, 1.0), make(v * d, 0.1));
    let short = |x: &[f32]| x.iter().map(|&x| bf16::from_f32(x)).collect::<Vec<_>>();
    let (hidden16, weight16) = (short(&hidden), short(&weight));
    let target: Vec<i32> = (0..n).map(|i| (i * 7919 % v) as i32).collect();
    let near: Vec<f32> = make(n, 0.2).iter().map(|x| x - 11.0).collect();
    let advantage = make(4, 1.0);
    let id = |kind, name| find(kind, name).expect("an entry").about.id;
    let options = Options {
        logprob: Default::default(),
        policy: policy::Options {
            kl: Some(Estimator { coef: 0.04, ..Estimator::new(id(Kind::Estimator, "k3")) }),
            ..policy::Options::new(id(Kind::Token, "ppo_clip"), Level::Token, Aggregate::new(Mode::TokenMean))
        },
        phase: Phase::Single,
        reference: None,
        divergence: None,
        support: None,
    };
    let context = Context::default();
    let problem = Problem::new(shape, Segments::Padded { sequences: 4, width: 128 }, options).unwrap();
    let mut loss = policy::Inputs::new(Floats::F32(Matrix::vector(&[])));
    loss.reference = Some(Floats::F32(Matrix::vector(&near)));
    loss.advantage = Some(Advantage::Sequence(Floats::F32(Matrix::vector(&advantage))));
    let (h, w, dtype): (Floats, Floats, _) = if narrow {
        let h = Matrix::contiguous(&hidden16, n, d).unwrap();
        (Floats::Bf16(h), Floats::Bf16(Matrix::contiguous(&weight16, v, d).unwrap()), Dtype::Bf16)
    } else {
        let h = Matrix::contiguous(&hidden, n, d).unwrap();
        (Floats::F32(h), Floats::F32(Matrix::contiguous(&weight, v, d).unwrap()), Dtype::F32)
    };
    let inputs = Inputs::new(h, w, Ints::I32(Matrix::vector(&target)), loss);
    let need = linear_policy::workspace(&context, &problem, dtype, dtype);
    // written, so that they are in memory
    let mut space = Space::default();
    space.bytes(need.preferred).fill(1);
    let (mut gh, mut gw) = (vec![1f32; n * d], vec![1f32; v * d]);
    let mut call = |bytes: usize| {
        let mut loss = [0f64];
        let place = MatrixMut::vector(&mut loss).into();
        let out = Outputs {
            policy: policy::Outputs { loss: Some(place), ..policy::Outputs::default() },
            ..Outputs::default()
        };
        let grads = Grads {
            hidden: Some(MatrixMut::contiguous(&mut gh, n, d).unwrap().into()),
            weight: Some(MatrixMut::contiguous(&mut gw, v, d).unwrap().into()),
            ..Grads::default()
        };
        linear_policy::forward(&context, &problem, &inputs, out, grads, space.bytes(bytes)).unwrap();
    };
    // forward, grad_hidden, grad_weight
    let flops = 3.0 * 2.0 * (n * d * v) as f64;
    let rate = || {
        let mut done = 0.0;
        let t = truing_benches::time(1, || done = gemm::probe(context.isa(), false, 256 << 20));
        done / t
    };
    let name = if narrow { "bf16" } else { "f32" };
    let before = peak();
    call(need.preferred);
    if let (Some(before), Some(after), false) = (before, peak(), narrow) {
        println!("{name}: the first call took {} kB beyond inputs, outputs and workspace", after - before);
    }
    for (what, bytes) in [("minimum", need.minimum), ("preferred", need.preferred)] {
        let results: Vec<(f64, f64)> = (0..rounds)
            .map(|_| {
                let before = rate();
                let t = truing_benches::time(1, || call(bytes));
                (t * (before + rate()) / 2.0 / flops, t)
            })
            .collect();
        let ratios: Vec<f64> = results.iter().map(|r| r.0).collect();
        let mut t: Vec<f64> = results.iter().map(|r| r.1 * 1e3).collect();
        t.sort_by(f64::total_cmp);
        let note = format!("{:.0} ms, {:.1} MB", t[rounds / 2], bytes as f64 / 1e6);
        // of three products: the least workspace makes a fourth
        let goal = match (what, narrow) {
            ("minimum", _) => Goal::None,
            (_, true) => Goal::AtMost(2.2),
            (_, false) => Goal::AtMost(1.35),
        };
        line(
            &format!("{what} workspace, {d} x {v} {name}"),
            &ratios,
            "x the floor of three products in f32",
            goal,
            &note,
        );
    }
    if table {
        return;
    }
    let mut criterion = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(1));
    let mut group = criterion.benchmark_group(format!("linear_policy {d}x{v} {name}"));
    group.throughput(Throughput::Elements(flops as u64)).measurement_time(Duration::from_secs(5));
    group.bench_function(BenchmarkId::from_parameter("grpo"), |b| b.iter(|| call(need.preferred)));
    group.finish();
}
