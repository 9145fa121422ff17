//! Policy losses in split form: microseconds of a whole call on one thread, beside torch eager in the same round if
//! PEERS_PYTHON names a Python that has torch. `cargo bench --bench policy -- [rounds]`.
use criterion::{BenchmarkId, Criterion, Throughput};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use truing::core::catalog::{Kind, find};
use truing::core::matrix::{Floats, Mask, Matrix, MatrixMut};
use truing::core::policy::{
    Advantage, Aggregate, Estimator, EstimatorGradient, EstimatorWeight, Inputs, Level, Mode, Options, Outputs, Problem,
};
use truing::core::sequence::Segments;
use truing::cpu::{Context, ContextOptions, Isa, Space, policy};
use truing_benches::{Arguments, Goal, line, part};

struct Data {
    sequences: usize,
    columns: [Vec<f32>; 4],
    mask: Vec<u8>,
    grad: Vec<f32>,
    space: Space,
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
        Data {
            sequences,
            columns: [logp, old, reference, advantage],
            mask,
            grad: vec![0.0; n],
            space: Space::default(),
        }
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
        policy::forward(context, &problem, &inputs, out, self.space.bytes(need)).unwrap();
    }
}

/// `ppo_clip` + k3 and its gradient by torch on one thread: microseconds of a call for each line that it is sent, which says
/// whether there is a mask.
const EAGER: &str = "
import sys, time, torch
torch.set_num_threads(1)
b, t = 16, 512
near = lambda size: logps + size * (2 * torch.rand(b, t) - 1)
logps = 4 * torch.rand(b, t) - 4
old, ref, advantage = near(0.3), near(0.5), 2 * torch.rand(b, t) - 1
live = (torch.arange(t) < t - torch.arange(b)[:, None] % 16).float()
leaf = logps.clone().requires_grad_()
def loss(masked):
    leaf.grad = None
    ratio = torch.exp(leaf - old)
    x = -torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)
    x = x + 0.04 * (torch.exp(ref - leaf) - (ref - leaf) - 1)
    ((x * live).sum() / live.sum() if masked else x.mean()).backward()
for line in sys.stdin:
    masked = line.strip() == 'mask'
    for _ in range(20):
        loss(masked)
    start = time.perf_counter()
    for _ in range(100):
        loss(masked)
    print((time.perf_counter() - start) * 1e4, flush=True)
";
struct Eager(Child, BufReader<ChildStdout>);
impl Eager {
    fn new() -> Option<Eager> {
        let Some(python) = std::env::var_os("PEERS_PYTHON") else {
            println!("SKIPPED: PEERS_PYTHON is not set, nothing is timed beside torch");
            return None;
        };
        let pipes = Command::new(python).args(["-c", EAGER]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = pipes.expect("the Python of PEERS_PYTHON");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        Some(Eager(child, answers))
    }
    /// Microseconds of a call.
    fn time(&mut self, masked: bool) -> f64 {
        let questions = self.0.stdin.as_mut().expect("a pipe");
        writeln!(questions, "{}", if masked { "mask" } else { "all" }).expect("torch runs");
        let mut answer = String::new();
        self.1.read_line(&mut answer).expect("torch runs");
        answer.trim().parse().expect("torch is installed in PEERS_PYTHON")
    }
}

fn main() {
    const CALLS: usize = 200;
    let Arguments { rounds, table } = Arguments::new(15);
    part("policy losses, 8192 tokens, 1 thread");
    let mut criterion = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(10));
    let mut data = Data::new(16, 512);
    let mut eager = Eager::new();
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
            let (mut us, mut times) = (vec![], vec![]);
            for _ in 0..rounds {
                let own = truing_benches::time(1, || (0..CALLS).for_each(|_| call())) / CALLS as f64 * 1e6;
                us.push(own);
                if let (Some(eager), true) = (&mut eager, kl && !figures && kind == Kind::Token && isa != Isa::Scalar) {
                    times.push(eager.time(masked) / own);
                }
            }
            line(&format!("{what}, {}", isa.name()), &us, "us", Goal::None, "");
            if !times.is_empty() {
                let goal = if isa == Isa::Avx2 { 14.0 } else { 20.0 };
                line(&format!("{what}, {}, torch eager", isa.name()), &times, "x its time", Goal::AtLeast(goal), "");
            }
            if table {
                continue;
            }
            group.bench_function(BenchmarkId::from_parameter(what), |b| b.iter(&mut call));
        }
        group.finish();
    }
}
