//! Log-prob of logits: GB/s and share of the memory's own rate, measured in the same round. Forward against the better of
//! a plain and a prefetching read of the same buffer, what writes a gradient against a copy of the same bytes.
//! `cargo bench --bench logprob -- [rounds] [--table]`. Buffers stand on whatever pages the system gives.
use criterion::{BenchmarkId, Criterion, Throughput};
use std::time::Duration;
use truing::core::Dtype;
use truing::core::dtype::{Element, Float, bf16, f16};
use truing::core::logprob::{Figures, Options, Problem, Rows, STATS, Transform, TransformInputs, Upstream};
use truing::core::matrix::{Floats, FloatsMut, Matrix, MatrixMut};
use truing::core::row_loss::{Reduction, RowLoss};
use truing::cpu::logprob::{BackwardInputs, Fused, Grad, Inputs, Totals, backward, forward, forward_fused};
use truing::cpu::{Context, ContextOptions, Mode, Space};
use truing_benches::{Arguments, Goal, Rounds, copy, part, read, threads_word, time};

/// Bytes of the logits: several times the last-level cache's share of a core.
const BYTES: usize = 96 << 20;

/// A call, of which there are several kinds.
#[derive(Clone, Copy)]
enum Kind {
    Logprob,
    Everything,
    Softcap,
    Temperature,
    Backward,
    InPlace,
    Fused,
}
const KINDS: [(&str, Kind); 7] = [
    ("forward logprob", Kind::Logprob),
    ("forward, every figure", Kind::Everything),
    ("forward, softcap", Kind::Softcap),
    ("forward, temperature", Kind::Temperature),
    ("backward", Kind::Backward),
    ("backward in place", Kind::InPlace),
    ("forward and gradient", Kind::Fused),
];

struct Data {
    n: usize,
    v: usize,
    target: Vec<i32>,
    upstream: Vec<f32>,
    vectors: [Vec<f32>; 5],
    stats: Vec<f32>,
    argmax: Vec<i32>,
}
impl Data {
    fn new(n: usize, v: usize) -> Data {
        let f = vec![1.0f32; n];
        Data {
            n,
            v,
            target: (0..n).map(|i| (i * 7919 % v) as i32).collect(),
            upstream: f.clone(),
            vectors: std::array::from_fn(|_| f.clone()),
            stats: vec![0.0; n * STATS],
            argmax: vec![0; n],
        }
    }
    fn forward<T: Element>(&mut self, c: &Context, z: &[T], kind: Kind)
    where
        for<'a> Floats<'a>: From<Matrix<'a, T>>,
    {
        let transform = match kind {
            Kind::Softcap => Transform { softcap: 30.0, ..Transform::default() },
            Kind::Temperature => Transform { temperature: 0.7, ..Transform::default() },
            _ => Transform::default(),
        };
        let problem = Problem::new(self.n, self.v, Options { transform, ..Options::default() }).unwrap();
        let [logprob, lse, max, entropy, square] = &mut self.vectors;
        let mut out = Figures { logprob: Some(MatrixMut::vector(logprob)), ..Figures::default() };
        if matches!(kind, Kind::Everything) {
            out.lse = Some(MatrixMut::vector(lse));
            out.max = Some(MatrixMut::vector(max));
            out.entropy = Some(MatrixMut::vector(entropy));
            out.log_sum_sq = Some(MatrixMut::vector(square));
            out.argmax = Some(MatrixMut::vector(&mut self.argmax));
            out.stats = Some(MatrixMut::contiguous(&mut self.stats, self.n, STATS).unwrap());
        }
        let rows = Rows { target: Some(Matrix::vector(&self.target).into()), ..Rows::default() };
        let logits = Matrix::contiguous(z, self.n, self.v).unwrap().into();
        forward(c, &problem, Inputs::new(logits, TransformInputs::default(), rows), out).unwrap();
    }
    /// The loss of the rows and its gradient in one call.
    fn fused(&self, c: &Context, grad: Grad<'_>, workspace: &mut [u8]) {
        let row_loss = RowLoss { reduction: Some(Reduction::Sum), ..RowLoss::default() };
        let problem = Problem::new(self.n, self.v, Options { row_loss, ..Options::default() }).unwrap();
        let rows = Rows { target: Some(Matrix::vector(&self.target).into()), ..Rows::default() };
        let inputs = BackwardInputs { transform: TransformInputs::default(), rows, ..Default::default() };
        let fused = Fused { grad, bias: None, upstream: 1.0, scale: 1.0 };
        let (out, totals) = (Figures::default(), Totals::default());
        forward_fused::<f32>(c, &problem, inputs, None, out, totals, fused, workspace).unwrap();
    }
    fn backward(&self, c: &Context, grad: Grad<'_>) {
        let problem = Problem::new(self.n, self.v, Options::default()).unwrap();
        let rows = Rows { target: Some(Matrix::vector(&self.target).into()), ..Rows::default() };
        let inputs = BackwardInputs { transform: TransformInputs::default(), rows, ..Default::default() };
        let stats = Matrix::contiguous(&self.stats, self.n, STATS).unwrap();
        let g = Some(Matrix::vector(&self.upstream));
        let upstream = Upstream { logprob: g, lse: None, entropy: g, scale: 1.0, ..Upstream::default() };
        backward(c, &problem, inputs, Some(stats), upstream, grad, None).unwrap();
    }
}

fn bench<T: Element + Float>(criterion: &mut Criterion, mode: Mode, v: usize, Arguments { rounds, table }: Arguments)
where
    for<'a> Floats<'a>: From<Matrix<'a, T>>,
    for<'a> FloatsMut<'a>: From<MatrixMut<'a, T>>,
{
    let n = BYTES / size_of::<T>() / v;
    let mut state = 1u64;
    let mut z: Vec<T> = (0..n * v)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            T::from_f32((state >> 40) as f32 / 1048576.0 - 8.0)
        })
        .collect();
    let mut g = z.clone();
    let mut data = Data::new(n, v);
    let mut space = Space::default();
    let workspace = space.bytes(n * STATS * size_of::<f32>() + 64);
    let bytes = n * v * size_of::<T>();
    for threads in [1, 2] {
        let threads_of_pool = if threads > 1 { threads } else { 0 };
        let options = ContextOptions { threads: threads_of_pool, mode, ..ContextOptions::default() };
        let c = Context::new(options).unwrap();
        let mut all = vec![Rounds::default(); KINDS.len()];
        data.forward(&c, &z, Kind::Everything);
        for _ in 0..rounds {
            for ((_, kind), all) in KINDS.iter().zip(&mut all) {
                let words: &[u32] = bytes_of(&z);
                let probe = match kind {
                    Kind::Backward | Kind::InPlace | Kind::Fused => copy(threads, words, bytes_of_mut(&mut g)),
                    _ => read(c.isa(), threads, words),
                };
                let seconds = match kind {
                    Kind::Backward => {
                        let grad = MatrixMut::contiguous(&mut g, n, v).unwrap().into();
                        let logits = Matrix::contiguous(&z, n, v).unwrap().into();
                        time(threads, || data.backward(&c, Grad::Separate(logits, grad)))
                    }
                    Kind::Fused => {
                        let grad = MatrixMut::contiguous(&mut g, n, v).unwrap().into();
                        let logits = Matrix::contiguous(&z, n, v).unwrap().into();
                        time(threads, || data.fused(&c, Grad::Separate(logits, grad), workspace))
                    }
                    Kind::InPlace => {
                        let logits = MatrixMut::contiguous(&mut g, n, v).unwrap().into();
                        time(threads, || data.backward(&c, Grad::InPlace(logits)))
                    }
                    _ => time(threads, || data.forward(&c, &z, *kind)),
                };
                all.add(seconds, probe);
            }
        }
        for ((name, kind), all) in KINDS.iter().zip(&all) {
            let narrow = T::DTYPE != Dtype::F32;
            let [forward, backward] = match (mode, narrow) {
                (Mode::Portable, false) => [90.0, 90.0],
                (Mode::Portable, true) => [60.0, 60.0],
                (Mode::Fast, false) => [95.0, 90.0],
                (Mode::Fast, true) => [85.0, 85.0],
            };
            let goal = match kind {
                Kind::Logprob => Goal::AtLeast(forward),
                Kind::Backward | Kind::InPlace => Goal::AtLeast(backward),
                // 1.1 and 1.25 times the time of the log-prob alone
                Kind::Everything => Goal::AtLeast(f64::round(forward / if narrow { 1.25 } else { 1.1 })),
                _ => Goal::None,
            };
            let (probe, traffic) = match kind {
                Kind::Backward | Kind::InPlace | Kind::Fused => ("a copy", 2),
                _ => ("a read", 1),
            };
            all.line(
                &format!("{name}, {}, V = {v}, {}", T::DTYPE, threads_word(threads)),
                probe,
                goal,
                traffic * bytes,
            );
        }
    }
    if table || mode == Mode::Fast {
        return;
    }
    let c = Context::default();
    let mut group = criterion.benchmark_group(format!("logprob {} {v}", T::DTYPE));
    group.throughput(Throughput::Bytes(bytes as u64)).measurement_time(Duration::from_secs(2));
    for (name, kind) in [KINDS[0], KINDS[1]] {
        group.bench_function(BenchmarkId::from_parameter(name), |b| b.iter(|| data.forward(&c, &z, kind)));
    }
    group.bench_function(BenchmarkId::from_parameter("backward in place"), |b| {
        b.iter(|| data.backward(&c, Grad::InPlace(MatrixMut::contiguous(&mut z, n, v).unwrap().into())));
    });
    group.finish();
}
/// The same memory as words, which both kinds of logits fill without a rest.
fn bytes_of<T: Element>(x: &[T]) -> &[u32] {
    bytemuck::cast_slice(x)
}
fn bytes_of_mut<T: Element>(x: &mut [T]) -> &mut [u32] {
    bytemuck::cast_slice_mut(x)
}

fn main() {
    let arguments = Arguments::new(9);
    let mut criterion = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(1));
    for (mode, title) in [(Mode::Portable, "log-prob of logits, portable"), (Mode::Fast, "log-prob of logits, fast")] {
        part(title);
        for v in [128256, 32000] {
            bench::<f32>(&mut criterion, mode, v, arguments);
            bench::<bf16>(&mut criterion, mode, v, arguments);
        }
        bench::<f16>(&mut criterion, mode, 32000, arguments);
    }
}
