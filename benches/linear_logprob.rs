//! Linear log-prob: GFLOP/s, share of a register-resident multiply-add probe of the same round, and time against the
//! bare product. Time is the CPU time of the calling thread where the system tells it, so that other tenants of the
//! cores do not count. `cargo bench --bench linear_logprob -- [rounds]`.
use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use std::time::Duration;
use truing::core::dtype::{Dtype, bf16};
use truing::core::linear_logprob::Problem;
use truing::core::logprob::{Figures, Options, Rows, STATS, TransformInputs, Upstream};
use truing::core::matrix::{Floats, Matrix, MatrixMut};
use truing::cpu::linear_logprob::{Grads, Inputs, backward, backward_workspace, forward, forward_workspace};
use truing::cpu::{Context, Space, gemm};
use truing_benches::{Arguments, Goal, line, part, time};

struct Data {
    n: usize,
    d: usize,
    v: usize,
    hidden: [Vec<f32>; 1],
    weight: [Vec<f32>; 1],
    hidden16: Vec<bf16>,
    weight16: Vec<bf16>,
    target: Vec<i32>,
    upstream: Vec<f32>,
}
impl Data {
    fn new(n: usize, d: usize, v: usize) -> Data {
        let mut state = 1u64;
        let mut make = |len: usize, size: f32| -> Vec<f32> {
            (0..len)
                .map(|_| {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    ((state >> 40) as f32 / 8388608.0 - 1.0) * size
                })
                .collect()
        };
        let (h, w) = (make(n * d, 1.0), make(v * d, 4.0 / (d as f32).sqrt()));
        let narrow = |x: &[f32]| x.iter().map(|x| bf16::from_f32(*x)).collect::<Vec<_>>();
        let target = (0..n).map(|i| (i * 7919 % v) as i32).collect();
        Data {
            n,
            d,
            v,
            hidden16: narrow(&h),
            weight16: narrow(&w),
            hidden: [h],
            weight: [w],
            target,
            upstream: vec![0.01; n],
        }
    }
    fn operands(&self, dtype: Dtype) -> (Floats<'_>, Floats<'_>) {
        let (n, d, v) = (self.n, self.d, self.v);
        if dtype == Dtype::F32 {
            let (h, w) = (Matrix::contiguous(&self.hidden[0], n, d), Matrix::contiguous(&self.weight[0], v, d));
            (h.unwrap().into(), w.unwrap().into())
        } else {
            let (h, w) = (Matrix::contiguous(&self.hidden16, n, d), Matrix::contiguous(&self.weight16, v, d));
            (h.unwrap().into(), w.unwrap().into())
        }
    }
    fn inputs(&self, dtype: Dtype) -> Inputs<'_> {
        let (hidden, weight) = self.operands(dtype);
        let rows = Rows { target: Some(Matrix::vector(&self.target).into()), ..Rows::default() };
        Inputs::new(hidden, weight, TransformInputs::default(), rows)
    }
}

/// The calls that are timed, over one set of data: name, passes over the product, what to do.
struct Calls<'a> {
    data: &'a Data,
    dtype: Dtype,
    context: Context,
    problem: Problem,
    space: Space,
    logprob: Vec<f32>,
    stats: Vec<f32>,
    z: Vec<f32>,
    grads: [Vec<f32>; 2],
}
impl<'a> Calls<'a> {
    fn new(data: &'a Data, dtype: Dtype) -> Self {
        let problem = Problem::new(data.n, data.d, data.v, Options::default()).unwrap();
        let grads = [vec![1.0; data.n * data.d], vec![1.0; data.v * data.d]];
        let (logprob, stats) = (vec![0.0; data.n], vec![0.0; data.n * STATS]);
        let z = vec![1.0; data.n * data.v];
        Calls { data, dtype, context: Context::default(), problem, space: Space::default(), logprob, stats, z, grads }
    }
    fn bare(&mut self) {
        let (h, w) = self.data.operands(self.dtype);
        gemm::rows_by_rows(self.context.isa(), &w, &h, &mut self.z);
    }
    fn forward(&mut self, all: bool) {
        let bytes = forward_workspace(&self.context, &self.problem, self.dtype, self.dtype).preferred;
        let stats = MatrixMut::contiguous(&mut self.stats, self.data.n, STATS).unwrap();
        let out = Figures {
            logprob: Some(MatrixMut::vector(&mut self.logprob)),
            stats: all.then_some(stats),
            ..Figures::default()
        };
        let space = self.space.bytes(bytes);
        forward(&self.context, &self.problem, self.data.inputs(self.dtype), out, space).unwrap();
    }
    fn backward(&mut self) {
        let (n, d, v) = (self.data.n, self.data.d, self.data.v);
        let bytes = backward_workspace(&self.context, &self.problem, self.dtype, self.dtype).preferred;
        let stats = Some(Matrix::contiguous(&self.stats, n, STATS).unwrap());
        let upstream =
            Upstream { logprob: Some(Matrix::vector(&self.data.upstream)), scale: 1.0, ..Upstream::default() };
        let [h, w] = &mut self.grads;
        let grads = Grads {
            hidden: Some(MatrixMut::contiguous(h, n, d).unwrap().into()),
            weight: Some(MatrixMut::contiguous(w, v, d).unwrap().into()),
            ..Grads::default()
        };
        let space = self.space.bytes(bytes);
        backward(&self.context, &self.problem, self.data.inputs(self.dtype), stats, upstream, grads, None, space)
            .unwrap();
    }
}

fn main() {
    let Arguments { rounds, table } = Arguments::new(5);
    part("fused linear log-prob, portable, 1 thread");
    let mut criterion = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(1));
    for (n, d, v) in [(512, 576, 49152), (512, 1024, 32000)] {
        let data = Data::new(n, d, v);
        let flops = 2.0 * (n * d * v) as f64;
        for dtype in [Dtype::F32, Dtype::Bf16] {
            let mut calls = Calls::new(&data, dtype);
            let isa = calls.context.isa();
            let names = ["bare product", "forward logprob", "forward with stats", "backward (3 products)"];
            let mut shares = vec![vec![]; names.len()];
            let mut rates = vec![vec![]; names.len()];
            let mut bare = vec![];
            for _ in 0..rounds {
                for i in 0..names.len() {
                    let probe = || {
                        let mut done = 0.0;
                        let t = time(1, || done = gemm::probe(isa, dtype == Dtype::Bf16, 256 << 20));
                        done / t
                    };
                    let before = probe();
                    let t = time(1, || match i {
                        0 => calls.bare(),
                        1 => calls.forward(false),
                        2 => calls.forward(true),
                        _ => calls.backward(),
                    });
                    let peak = (before + probe()) / 2.0;
                    let passes = if i == 3 { 3.0 } else { 1.0 };
                    rates[i].push(passes * flops / t / 1e9);
                    shares[i].push(100.0 * passes * flops / t / peak);
                }
                bare.push(rates[0][rates[0].len() - 1] / rates[1][rates[1].len() - 1]);
            }
            let narrow = dtype == Dtype::Bf16;
            for i in 0..names.len() {
                let goal = match i {
                    0 => Goal::None,
                    3 => Goal::AtLeast(75.0),
                    _ => Goal::AtLeast(if narrow { 80.0 } else { 85.0 }),
                };
                rates[i].sort_by(f64::total_cmp);
                let note = format!("{:.0} GFLOP/s", rates[i][rounds / 2]);
                line(
                    &format!("{}, {n} x {d} x {v} {dtype}", names[i]),
                    &shares[i],
                    "% of the multiply-add probe",
                    goal,
                    &note,
                );
            }
            let case = format!("forward logprob beside the bare product, {n} x {d} x {v} {dtype}");
            line(&case, &bare, "x its time", Goal::AtMost(1.03), "");
            if table {
                continue;
            }
            let mut group = criterion.benchmark_group(format!("{n}x{d}x{v} {dtype}"));
            group.throughput(Throughput::Elements(flops as u64)).measurement_time(Duration::from_secs(5));
            group
                .bench_function(BenchmarkId::from_parameter("forward"), |b| b.iter(|| calls.forward(black_box(false))));
            group.throughput(Throughput::Elements(3 * flops as u64));
            group.bench_function(BenchmarkId::from_parameter("backward"), |b| b.iter(|| calls.backward()));
            group.finish();
        }
    }
}
