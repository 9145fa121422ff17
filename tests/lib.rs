//! Shared helpers of the conformance suite: random data, equality of bits, counted cases, every instruction set.
use half::{bf16, f16};
use std::alloc::{GlobalAlloc, Layout as Memory, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use truing_core::Dtype;
use truing_core::catalog::{Info, Kind, find};
use truing_core::dtype::{Element, Float};
use truing_core::linear_logprob::Rounding;
use truing_core::logprob::{Figures, STATS};
use truing_core::matrix::{Floats, FloatsMut, Layout, Matrix, MatrixMut};
use truing_cpu::{Context, ContextOptions, Isa};

/// Half an ulp of 1 in f32, the unit of the accuracy promises.
pub const U: f64 = 1.0 / 16777216.0;

/// A small generator (splitmix64): the same numbers on every machine.
#[derive(Clone, Debug)]
pub struct Random(pub u64);
impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
    /// Uniform in `[min, max)`.
    pub fn between(&mut self, min: f64, max: f64) -> f64 {
        min + (max - min) * self.uniform()
    }
    /// A whole number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.uniform() * n as f64) as usize
    }
    /// About normal, standard deviation 1.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
    /// `n` times [`Random::normal`], times `size`.
    pub fn normals(&mut self, n: usize, size: f64) -> Vec<f32> {
        (0..n).map(|_| (self.normal() * size) as f32).collect()
    }
}

/// Values whose bits can be compared; all NaN count as one, because payloads are not promised.
pub trait Bits: Copy {
    /// The bits, one NaN for all.
    fn key(self) -> u64;
}
macro_rules! floats {
    ($($t:ty),*) => {$( impl Bits for $t { fn key(self) -> u64 { if self.is_nan() { u64::MAX } else { self.to_bits() as u64 } } } )*};
}
macro_rules! ints {
    ($($t:ty),*) => {$( impl Bits for $t { fn key(self) -> u64 { self as u64 } } )*};
}
floats!(f32, f64, bf16, f16);
ints!(u8, i32, u32, i64, u64);

/// Panics at the first element whose bits differ.
#[track_caller]
pub fn same<T: Bits + std::fmt::Debug>(what: &str, got: &[T], want: &[T]) {
    assert_eq!(got.len(), want.len(), "{what}: length");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!(g.key() == w.key(), "{what}: element {i}: got {g:?}, expected {w:?}");
    }
}

/// A matrix in one of the three stored types, by number: 0 f32, 1 bf16, 2 f16.
#[allow(missing_docs)]
#[derive(Clone, Debug)]
pub enum Data {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
    F16(Vec<f16>),
}
macro_rules! of_any {
    ($data:expr, $x:ident => $f:expr) => {
        match $data {
            Data::F32($x) => $f,
            Data::Bf16($x) => $f,
            Data::F16($x) => $f,
        }
    };
}
impl Data {
    /// The type of each number.
    pub const DTYPES: [Dtype; 3] = [Dtype::F32, Dtype::Bf16, Dtype::F16];
    /// Every element of `x` rounded to type `kind`.
    pub fn new(kind: usize, x: &[f32]) -> Data {
        match kind {
            0 => Data::F32(x.to_vec()),
            1 => Data::Bf16(x.iter().map(|&x| bf16::from_f32(x)).collect()),
            _ => Data::F16(x.iter().map(|&x| f16::from_f32(x)).collect()),
        }
    }
    /// Number of the type.
    pub fn kind(&self) -> usize {
        match self {
            Data::F32(_) => 0,
            Data::Bf16(_) => 1,
            Data::F16(_) => 2,
        }
    }
    /// The type.
    pub fn dtype(&self) -> Dtype {
        Self::DTYPES[self.kind()]
    }
    /// To read.
    pub fn view(&self, layout: Layout) -> Floats<'_> {
        of_any!(self, x => Matrix::new(x, layout).unwrap().into())
    }
    /// To write.
    pub fn view_mut(&mut self, layout: Layout) -> FloatsMut<'_> {
        of_any!(self, x => MatrixMut::new(x, layout).unwrap().into())
    }
    /// Every element widened.
    pub fn wide(&self) -> Vec<f32> {
        of_any!(self, x => x.iter().map(|&x| Float::to_f32(x)).collect())
    }
    /// [`Bits::key`] of every element.
    pub fn keys(&self) -> Vec<u64> {
        of_any!(self, x => x.iter().map(|x| x.key()).collect())
    }
}

/// The numbers that the scripts of the golden rows make logits from: 16 bits of a hash of row and column.
pub fn hash(seed: u32, j: u32) -> u32 {
    let x = seed.wrapping_mul(2654435761).wrapping_add(j.wrapping_mul(40503)).wrapping_add(12345);
    x.wrapping_mul(2246822519) >> 16
}
/// The numbers of a part of a golden line.
pub fn numbers(s: &str) -> Vec<f64> {
    s.split_whitespace().map(|x| x.parse().expect("a number")).collect()
}
/// The id of an entry.
pub fn id(kind: Kind, name: &str) -> u32 {
    find(kind, name).expect("an entry").about.id
}

/// The numbers of an entry's variants: 0 alone where it has none.
pub fn variants(info: &Info) -> std::ops::RangeInclusive<u32> {
    let n = info.about.variants.len() as u32;
    n.min(1)..=n
}
/// The first of them.
pub fn first_variant(info: &Info) -> u32 {
    *variants(info).start()
}

/// The columns of a matrix of `cols` columns as rows.
pub fn transpose(x: &[f32], cols: usize) -> Vec<f32> {
    let rows = x.len() / cols;
    (0..cols).flat_map(|j| (0..rows).map(move |i| (i, j))).map(|(i, j)| x[i * cols + j]).collect()
}
/// Every row of `a` times every row of `b`, of `k` elements each, by the rule of the products.
pub fn product(a: &[f32], b: &[f32], k: usize) -> Vec<f32> {
    let (m, n) = (a.len() / k, b.len() / k);
    let mut out = vec![0.0; m * n];
    let (a, b) = (Matrix::contiguous(a, m, k).unwrap(), Matrix::contiguous(b, n, k).unwrap());
    truing_cpu::gemm::rows_by_rows(Isa::Scalar, &a.into(), &b.into(), &mut out);
    out
}
/// A line of `golden/operations.txt`: numbers by name.
#[derive(Debug)]
pub struct Golden(std::collections::HashMap<&'static str, Vec<f64>>);
impl Golden {
    /// All lines of an operation.
    pub fn of(operation: &str) -> Vec<Golden> {
        let files = [include_str!("golden/operations.txt"), include_str!("golden/tilt.txt")];
        let lines = files.into_iter().flat_map(str::lines).map(|l| l.split(" | "));
        let mine = lines.filter_map(|mut columns| (columns.next() == Some(operation)).then_some(columns));
        let column = |c: &'static str| {
            let mut words = c.split(' ');
            let name = words.next().expect("a name");
            (name, words.map(|w| w.parse().expect("a number")).collect())
        };
        mine.map(|columns| Golden(columns.map(column).collect())).collect()
    }
    /// The numbers of a column.
    pub fn get(&self, name: &str) -> &[f64] {
        self.0.get(name).unwrap_or_else(|| panic!("a golden line has no column {name}"))
    }
    /// The one number of a column.
    pub fn one(&self, name: &str) -> f64 {
        assert_eq!(self.get(name).len(), 1, "{name}");
        self.get(name)[0]
    }
}

/// Aligned scratch memory full of NaN.
pub fn with_scratch<T>(bytes: usize, f: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut v = vec![0xffu8; bytes + 64];
    let at = v.as_ptr().align_offset(64);
    f(&mut v[at..at + bytes])
}

/// Counts cases and fails when fewer ran than were recorded, so that no case is skipped silently.
#[derive(Debug, Default)]
pub struct Cases(pub usize);
impl Cases {
    /// One more.
    pub fn ran(&mut self) {
        self.0 += 1;
    }
    /// Prints the number; fails below `floor`.
    #[track_caller]
    pub fn finish(self, what: &str, floor: usize) {
        println!("{what}: {} cases", self.0);
        assert!(self.0 >= floor, "{what}: only {} cases ran, {floor} are recorded", self.0);
    }
}

/// A context with this instruction set and number of threads (0: the calling thread).
pub fn context(isa: Isa, threads: usize) -> Context {
    Context::new(ContextOptions { isa_cap: Some(isa), threads, ..ContextOptions::default() }).expect("a context")
}
/// One context for each instruction set of this machine, `Scalar` first; says which.
pub fn contexts() -> Vec<Context> {
    let all: Vec<Context> = Isa::available().map(|isa| context(isa, 0)).collect();
    println!("instruction sets: {}", all.iter().map(|c| c.isa().name()).collect::<Vec<_>>().join(", "));
    all
}

/// The system's allocator, counted; a test that judges memory makes it its `#[global_allocator]`.
#[derive(Debug)]
pub struct Counting;
thread_local!(static ALLOCATIONS: Cell<usize> = const { Cell::new(0) });
static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
impl Counting {
    /// Allocations of this thread so far.
    pub fn allocations() -> usize {
        ALLOCATIONS.get()
    }
    /// The most bytes of all threads that live at once during `f`, beyond those that live now.
    pub fn peak(f: impl FnOnce()) -> usize {
        let now = NOW.load(Relaxed);
        PEAK.store(now, Relaxed);
        f();
        PEAK.load(Relaxed) - now
    }
}
// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, m: Memory) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        PEAK.fetch_max(NOW.fetch_add(m.size(), Relaxed) + m.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(m) }
    }
    unsafe fn dealloc(&self, p: *mut u8, m: Memory) {
        NOW.fetch_sub(m.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(p, m) }
    }
}

/// A type of logits.
pub trait Logit: Element + Float + Bits {
    /// As an input.
    fn view(m: Matrix<'_, Self>) -> Floats<'_>;
    /// As an output.
    fn view_mut(m: MatrixMut<'_, Self>) -> FloatsMut<'_>;
}
macro_rules! logits {
    ($($t:ty),*) => {$( impl Logit for $t {
        fn view(m: Matrix<'_, Self>) -> Floats<'_> { m.into() }
        fn view_mut(m: MatrixMut<'_, Self>) -> FloatsMut<'_> { m.into() }
    } )*};
}
logits!(f32, bf16, f16, f64);

/// Every figure, filled with values that no kernel writes.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct RowOut {
    pub logprob: Vec<f32>,
    pub lse: Vec<f32>,
    pub max: Vec<f32>,
    pub argmax: Vec<i32>,
    pub entropy: Vec<f32>,
    pub log_sum_sq: Vec<f32>,
    pub is_top1: Vec<u8>,
    pub stats: Vec<f32>,
    pub status: Vec<u32>,
}
/// Figures of a [`RowOut`].
pub const FIGURES: usize = 9;
/// A bit for each.
pub const ALL: u32 = (1 << FIGURES) - 1;
impl RowOut {
    /// Of `n` rows.
    pub fn new(n: usize) -> RowOut {
        let f = vec![7.5f32; n];
        RowOut {
            logprob: f.clone(),
            lse: f.clone(),
            max: f.clone(),
            argmax: vec![77; n],
            entropy: f.clone(),
            log_sum_sq: f,
            is_top1: vec![77; n],
            stats: vec![7.5; n * STATS],
            status: vec![1 << 31; n],
        }
    }
    /// Places for those that `which` has a bit of.
    pub fn figures(&mut self, which: u32) -> Figures<'_> {
        let n = self.lse.len();
        macro_rules! pick {
            ($bit:expr, $f:ident) => {
                (which >> $bit & 1 == 1).then(|| MatrixMut::vector(&mut self.$f))
            };
        }
        Figures {
            logprob: pick!(0, logprob),
            lse: pick!(1, lse),
            max: pick!(2, max),
            argmax: pick!(3, argmax),
            entropy: pick!(4, entropy),
            log_sum_sq: pick!(5, log_sum_sq),
            is_top1: pick!(6, is_top1),
            stats: (which >> 7 & 1 == 1).then(|| MatrixMut::contiguous(&mut self.stats, n, STATS).unwrap()),
            status: pick!(8, status),
            ..Figures::default()
        }
    }
    /// Figures that were asked for equal those of `want`, the others are untouched.
    #[track_caller]
    pub fn check(&self, what: &str, want: &RowOut, which: u32) {
        let canary = RowOut::new(self.lse.len());
        macro_rules! each {
            ($($bit:expr, $f:ident;)*) => {$(
                let from = if which >> $bit & 1 == 1 { want } else { &canary };
                same(&format!("{what}: {}", stringify!($f)), &self.$f, &from.$f);
            )*};
        }
        each!(0, logprob; 1, lse; 2, max; 3, argmax; 4, entropy; 5, log_sum_sq; 6, is_top1; 7, stats; 8, status;);
    }
    /// Rows `i..i + n`.
    pub fn rows(&self, i: usize, n: usize) -> RowOut {
        macro_rules! cut {
            ($($f:ident)*) => { RowOut { stats: self.stats[i * STATS..(i + n) * STATS].to_vec(), $($f: self.$f[i..i + n].to_vec()),* } };
        }
        cut!(logprob lse max argmax entropy log_sum_sq is_top1 status)
    }
}

/// What makes cargo build in the profile of the running test, where the kernels are built already.
pub fn cargo_profile() -> [String; 2] {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(|deps| deps.parent()).and_then(|profile| profile.file_name()).unwrap();
    let folder = folder.to_str().unwrap();
    ["--profile".to_string(), if folder == "debug" { "dev" } else { folder }.to_string()]
}

/// A case of golden vectors of an operation: a line `@ operation option=word ...`, lines `name numbers` of inputs, lines
/// `> name numbers` of results.
#[derive(Default)]
pub struct GoldenCase {
    /// Operation.
    pub op: String,
    /// Its options.
    pub options: BTreeMap<String, String>,
    /// Inputs.
    pub x: BTreeMap<String, Vec<f64>>,
    /// Results.
    pub want: BTreeMap<String, Vec<f64>>,
}
impl GoldenCase {
    /// All cases of a file.
    pub fn read(text: &str) -> Vec<GoldenCase> {
        let mut all: Vec<GoldenCase> = vec![];
        for line in text.lines() {
            let mut words = line.split(' ');
            let first = words.next().unwrap();
            if first == "@" {
                let op = words.next().unwrap().to_string();
                let options = words.map(|w| w.split_once('=').unwrap()).map(|(a, b)| (a.into(), b.into())).collect();
                all.push(GoldenCase { op, options, ..GoldenCase::default() });
                continue;
            }
            let case = all.last_mut().expect("a case");
            let (to, name) = if first == ">" { (&mut case.want, words.next().unwrap()) } else { (&mut case.x, first) };
            to.insert(name.into(), words.map(|w| w.parse().unwrap()).collect());
        }
        all
    }
    /// An option.
    pub fn word(&self, name: &str) -> &str {
        self.options.get(name).unwrap_or_else(|| panic!("{}: no option {name}", self.op))
    }
    /// An option that is a number.
    pub fn number(&self, name: &str) -> f64 {
        self.word(name).parse().unwrap()
    }
    /// An option that is 0 or not.
    pub fn on(&self, name: &str) -> bool {
        self.number(name) != 0.0
    }
    /// An input.
    pub fn x(&self, name: &str) -> &[f64] {
        self.x.get(name).unwrap_or_else(|| panic!("{}: no input {name}", self.op))
    }
    /// An input of integers.
    pub fn ints(&self, name: &str) -> Vec<i64> {
        self.x(name).iter().map(|&x| x as i64).collect()
    }
    /// The input `mask`.
    pub fn mask(&self) -> Vec<u8> {
        self.x("mask").iter().map(|&x| x as u8).collect()
    }
}

/// Puts hidden states and a head on a grid, where a few products add up exactly, and returns what rounding adds to each logit.
/// Gradients pass that through as a constant.
pub fn on_grid(hidden: &mut [f32], weight: &mut [f32], d: usize, rounding: Rounding) -> Vec<f64> {
    hidden.iter_mut().for_each(|x| *x = (*x * 32.0).round() / 32.0);
    weight.iter_mut().for_each(|x| *x = (*x * 64.0).round() / 64.0);
    let added = |h: &[f32], w: &[f32]| {
        let z = h.iter().zip(w).map(|(h, w)| h * w).sum::<f32>();
        let rounded = match rounding {
            Rounding::None => z,
            Rounding::Bf16 => bf16::from_f32(z).to_f32(),
            Rounding::F16 => f16::from_f32(z).to_f32(),
        };
        rounded as f64 - z as f64
    };
    hidden.chunks_exact(d).flat_map(|h| weight.chunks_exact(d).map(move |w| added(h, w))).collect()
}
