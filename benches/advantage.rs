//! GAE, returns and the operations around them: GB/s of everything read and written, and the share of the rate at which memory
//! is read in the same round. `cargo bench --bench advantage -- [rounds]`.
use criterion::{BenchmarkId, Criterion, Throughput};
use std::time::Duration;
use truing::core::advantage::{
    EpsKind, Gae, GaeOut, GaeParams, GroupAdvantage, GroupAdvantageOut, GroupOptions, Groups, Masks, Preset, StdKind,
    Whiten, WhitenOut,
};
use truing::core::matrix::{Floats, Ints, Mask, Matrix, MatrixMut};
use truing::core::sequence::Segments;
use truing::cpu::{Context, ContextOptions, Space, advantage};
use truing_benches::{Arguments, Goal, Rounds, part, read, threads_word, time};

struct Data {
    sequences: usize,
    width: usize,
    rewards: Vec<f32>,
    values: Vec<f32>,
    mask: Vec<u8>,
    out: [Vec<f32>; 2],
    space: Space,
}
#[derive(Clone, Copy)]
enum Kind {
    Gae { values: bool, masked: bool, status: bool },
    Whiten,
}
const KINDS: [(&str, Kind); 6] = [
    ("gae", Kind::Gae { values: true, masked: false, status: false }),
    ("gae, mask", Kind::Gae { values: true, masked: true, status: false }),
    ("gae, mask, status", Kind::Gae { values: true, masked: true, status: true }),
    ("returns", Kind::Gae { values: false, masked: false, status: false }),
    ("returns, mask", Kind::Gae { values: false, masked: true, status: false }),
    ("whiten", Kind::Whiten),
];
impl Data {
    fn new(sequences: usize, width: usize) -> Data {
        let n = sequences * width;
        let mut state = 1u64;
        let mut make = || -> Vec<f32> {
            (0..n)
                .map(|_| {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    (state >> 40) as f32 / 8388608.0 - 1.0
                })
                .collect()
        };
        let (rewards, values) = (make(), make());
        // a prompt in front, padding behind
        let mask =
            (0..n).map(|i| (i % width > width / 16 && i % width < width - i / width * 7 % (width / 4)) as u8).collect();
        Data { sequences, width, rewards, values, mask, out: [vec![0.0; n], vec![0.0; n]], space: Space::default() }
    }
    fn bytes(&self, kind: Kind) -> usize {
        let n = self.rewards.len();
        match kind {
            Kind::Gae { values, masked, .. } => n * (if values { 16 } else { 8 } + usize::from(masked)),
            // two passes over the values besides the written ones
            Kind::Whiten => n * 12,
        }
    }
    fn run(&mut self, c: &Context, kind: Kind) {
        let (rewards, estimates) =
            (Floats::F32(Matrix::vector(&self.rewards)), Floats::F32(Matrix::vector(&self.values)));
        let [a, r] = &mut self.out;
        match kind {
            Kind::Gae { values, masked, status } => {
                let given: &[f64] = if values { &[0.99, 0.95] } else { &[0.99] };
                let x = Gae {
                    segments: Segments::Padded { sequences: self.sequences, width: self.width },
                    rewards: Some(rewards),
                    values: values.then_some(estimates),
                    value_end: None,
                    baseline: None,
                    mask: masked.then(|| Mask::U8(Matrix::vector(&self.mask))),
                    masks: Masks::Carry,
                    params: GaeParams::new(given, values).unwrap(),
                };
                let mut words = vec![0u32; self.sequences];
                let out = GaeOut {
                    advantages: values.then(|| MatrixMut::vector(a).into()),
                    returns: Some(MatrixMut::vector(r).into()),
                    status: status.then(|| MatrixMut::vector(&mut words)),
                };
                advantage::gae(c, &x, out).unwrap();
            }
            Kind::Whiten => {
                let x = Whiten {
                    values: estimates,
                    mask: None,
                    counts: None,
                    states: None,
                    std_kind: StdKind::Unbiased,
                    eps_kind: EpsKind::VarianceAdd,
                    keep_mean: false,
                    eps: 1e-8,
                };
                let need = advantage::whiten_workspace(&x).minimum;
                let out = WhitenOut { values: Some(MatrixMut::vector(a).into()), ..WhitenOut::default() };
                advantage::whiten(c, &x, out, self.space.bytes(need)).unwrap();
            }
        }
    }
}

fn main() {
    let Arguments { rounds, table } = Arguments::new(9);
    part("advantages and returns, f32");
    let mut criterion = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(1));
    for (sequences, width) in [(64, 65536), (512, 8192), (64, 1024)] {
        let mut data = Data::new(sequences, width);
        // what is small stays in the caches, and memory's rate is that of 64 MB at least
        let words = vec![1u32; (17 * sequences * width / 4).max(1 << 24)];
        for threads in [1, 2] {
            let options =
                ContextOptions { threads: if threads > 1 { threads } else { 0 }, ..ContextOptions::default() };
            let c = Context::new(options).unwrap();
            let mut all = vec![Rounds::default(); KINDS.len()];
            KINDS.iter().for_each(|(_, kind)| data.run(&c, *kind));
            for _ in 0..rounds {
                for ((_, kind), all) in KINDS.iter().zip(&mut all) {
                    let bytes = data.bytes(*kind);
                    let from = &words[..(bytes / 4).max(1 << 24)];
                    let probe = read(c.isa(), threads, from) * bytes as f64 / (4 * from.len()) as f64;
                    all.add(time(threads, || data.run(&c, *kind)), probe);
                }
            }
            for ((name, kind), all) in KINDS.iter().zip(&all) {
                let case = format!("{name}, {sequences} x {width}, {}", threads_word(threads));
                let goal = if matches!(kind, Kind::Gae { .. }) { Goal::AtLeast(50.0) } else { Goal::None };
                all.line(&case, "a read of as many bytes", goal, data.bytes(*kind));
            }
        }
    }
    if table {
        return;
    }
    // groups: a million of eight
    let (groups, size) = (1usize << 20, 8);
    let rewards: Vec<f32> = (0..groups * size).map(|i| (i * 7919 % 101) as f32).collect();
    let offsets: Vec<i64> = (0..=groups).map(|g| (g * size) as i64).collect();
    let mut out = vec![0f32; rewards.len()];
    let mut group = criterion.benchmark_group("group advantages");
    group.throughput(Throughput::Elements(rewards.len() as u64)).measurement_time(Duration::from_secs(1));
    for preset in [Preset::Grpo, Preset::Rloo, Preset::GrpoLoo] {
        group.bench_function(BenchmarkId::from_parameter(format!("{preset:?}")), |b| {
            b.iter(|| {
                let x = GroupAdvantage {
                    rewards: Floats::F32(Matrix::vector(&rewards)),
                    groups: Groups::Offsets(Ints::I64(Matrix::vector(&offsets))),
                    lengths: None,
                    options: GroupOptions::preset(preset),
                };
                let out =
                    GroupAdvantageOut { advantages: Some(MatrixMut::vector(&mut out).into()), ..Default::default() };
                advantage::group_advantage(&x, out, &mut []).unwrap();
            });
        });
    }
    group.finish();
}
