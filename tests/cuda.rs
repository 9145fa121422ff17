//! The CUDA backend without a GPU: kernel text compiled by g++ over `cuda/shim.h`, behind a stand-in for the driver and one
//! for NVRTC, so that the host path runs unchanged. Every output must have the CPU's bits, in three orders of threads and
//! under the sanitizers; bugs that are planted must be noticed.
//!
//! The stand-ins must be found before the process starts: each test runs this program again, as a child.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
use std::collections::BTreeSet;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::OnceLock;
use truing_core::catalog::{self, Kind};
use truing_core::logprob::{self as spec, Options, Problem, Rows, STATS, Transform, TransformInputs};
use truing_core::matrix::{Ints, Layout, Mask, Matrix, MatrixMut};
use truing_core::{Dtype, Error, Status};
use truing_cuda::logprob::{Figures, Inputs, Upstream};
use truing_cuda::{Context, ContextOptions, Mode, Space, Stream, Tensor, logprob, sequence};
use truing_tests::{Data, Random, same};

#[path = "cuda/abi.rs"]
mod abi;
#[path = "cuda/advantage.rs"]
mod advantage;
#[path = "cuda/baseline.rs"]
mod baseline;
#[path = "cuda/correction.rs"]
mod correction;
#[path = "cuda/divergence.rs"]
mod divergence;
#[path = "cuda/logprob.rs"]
mod extra;
#[path = "cuda/objective.rs"]
mod objective;
#[path = "cuda/partial.rs"]
mod partial;
#[path = "cuda/policy.rs"]
mod policy;
#[path = "cuda/preference.rs"]
mod preference;
#[path = "cuda/selection.rs"]
mod selection;
#[path = "cuda/sequence_kl.rs"]
mod sequence_kl;
#[path = "cuda/tds_rows.rs"]
mod tds_rows;
#[path = "cuda/uld.rs"]
mod uld;

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;
const STREAM: Stream = Stream(std::ptr::null_mut());

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);
impl Folder {
    fn new(name: &str) -> Folder {
        let dir = std::env::temp_dir().join(format!("truing-cuda-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Folder(dir)
    }
}
impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
const FLAGS: [&str; 9] = [
    "-std=c++17",
    "-ffp-contract=off",
    // GCC's straight-line vectoriser fuses whatever -ffp-contract says
    "-fno-tree-slp-vectorize",
    "-march=native",
    "-shared",
    "-fPIC",
    "-Wall",
    "-Wno-unknown-pragmas",
    "-Wno-unused-function",
];
const SANITIZED: [&str; 3] = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
const BOUNDS: [&str; 2] = ["-O1", "-fsanitize=address"];
/// Each family's kernels are a library of their own, so that they compile at the same time, and a changed one alone.
const FAMILIES: [&str; 20] = [
    "logprob",
    "extra",
    "double",
    "sequence",
    "preference",
    "policy",
    "divergence",
    "shard",
    "partial",
    "group",
    "gae",
    "whiten",
    "reward",
    "distill",
    "baseline",
    "objective",
    "tds",
    "correction",
    "selection",
    "uld",
];
/// Compiles a stand-in into `dir`; `kernels` is the folder of the text.
fn compile(dir: &Path, source: &str, name: &str, kernels: &Path, flags: &[String]) -> Child {
    Command::new("g++")
        .args(FLAGS)
        .args(flags)
        .arg(format!("-Wl,-soname,{name}"))
        .args(["-I", kernels.to_str().unwrap(), "-o"])
        .arg(dir.join(name))
        .arg(root().join("tests/cuda").join(source))
        .arg("-ldl")
        .spawn()
        .expect("g++")
}
fn compile_family(dir: &Path, family: &str, kernels: &Path, flags: &[&str], few_forms: bool) -> Child {
    let mut flags: Vec<String> = flags.iter().map(|f| f.to_string()).collect();
    let few_forms = few_forms && family == "divergence";
    let text = match family {
        // one text with the arguments of seven
        "group" | "gae" | "whiten" | "reward" | "distill" | "baseline" | "objective" => "advantage",
        "extra" => "logprob_extra",
        "double" => "logprob_f64",
        "shard" => "divergence_shard",
        "partial" => "divergence_partial",
        "tds" => "tds_rows",
        "uld" => "divergence_uld",
        _ => family,
    };
    flags.extend([
        format!("-DTRUING_PART=<{text}.{}>", if few_forms { "cuh" } else { "cu" }),
        format!("-DTRUING_FAMILY={family}"),
    ]);
    flags.extend(few_forms.then(|| "-DTRUING_FEW_FORMS".to_string()));
    compile(dir, "standin.cpp", &format!("standin_{family}.so"), kernels, &flags)
}
fn done(compilers: impl IntoIterator<Item = Child>) {
    // all of them end before one of them is looked at
    let ends: Vec<_> = compilers.into_iter().map(|mut c| c.wait().unwrap()).collect();
    assert!(ends.iter().all(|e| e.success()), "a stand-in does not compile, see above");
}
/// The stand-ins of the driver and of NVRTC.
fn build_hosts(dir: &Path) {
    let quick = ["-O0".to_string()];
    done(
        [("standin.cpp", "libcuda.so.1"), ("nvrtc.cpp", "libnvrtc.so.12")]
            .map(|(source, name)| compile(dir, source, name, &kernels(), &quick)),
    );
}
fn build_all(dir: &Path, flags: &[&str], few_forms: bool) {
    build_hosts(dir);
    done(FAMILIES.map(|family| compile_family(dir, family, &kernels(), flags, few_forms)));
}
/// Everything as it is, optimised; built once for all tests.
fn optimised() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cuda-standin");
        std::fs::create_dir_all(&dir).unwrap();
        build_all(&dir, &["-O2"], false);
        dir
    })
}
fn kernels() -> PathBuf {
    root().join("cuda/kernels")
}
/// Every text of the kernels.
fn texts() -> Vec<String> {
    let names = |folder: &str| {
        let dir = std::fs::read_dir(kernels().join(folder)).unwrap();
        let files = dir.map(|f| f.unwrap()).filter(|f| f.path().is_file());
        files.map(|f| format!("{folder}{}", f.file_name().to_str().unwrap())).collect::<Vec<_>>()
    };
    [names(""), names("generated/")].concat()
}
/// Runs one of the ignored tests below with the stand-ins in `dir`: whether it passed, and what it said.
fn child(dir: &Path, test: &str, vars: &[(&str, &str)]) -> (bool, String) {
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads", "1"])
        .env("LD_LIBRARY_PATH", dir)
        .env("TRUING_STANDIN", dir)
        .envs(vars.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (out.status.success(), said)
}
/// The number that a child said before `word`.
fn counted(said: &str, word: &str) -> usize {
    let (before, _) = said.split_once(word).unwrap_or_else(|| panic!("no {word} in\n{said}"));
    before.split_whitespace().last().unwrap().parse().unwrap()
}
/// The sanitizers' run-time libraries must come first in a process that was built without them.
fn sanitizer() -> Option<String> {
    let out = Command::new("g++").arg("-print-file-name=libasan.so").output().ok()?.stdout;
    let path = String::from_utf8(out).ok()?.trim().to_string();
    Path::new(&path).is_absolute().then_some(path)
}
const QUIET: (&str, &str) = ("ASAN_OPTIONS", "detect_leaks=0:detect_stack_use_after_return=0");

/// The children that compare bits.
const BITS: [&str; 4] = ["child_bits", "child_extra", "child_divergence", "child_partial"];

#[test]
fn kernels_give_the_bits_of_the_cpu() {
    let dir = optimised();
    let mut all = 0;
    // a shuffled order, in which copies are late too, takes every case
    // one is of a device without clusters
    for (order, cases, major) in [("7", "all", "9"), ("0", "few", "8"), ("1", "few", "9")] {
        for test in BITS {
            let vars = [("TRUING_STANDIN_ORDER", order), ("TRUING_CASES", cases), ("TRUING_STANDIN_MAJOR", major)];
            let (ok, said) = child(dir, test, &vars);
            assert!(ok, "{test}, order {order}:\n{said}");
            all += counted(&said, "values compared");
        }
    }
    println!("{all} values on the stand-in device equal the CPU's, in 3 orders of threads");
    assert!(all > 200_000_000);
    let dir = Folder::new("fast");
    build_all(&dir.0, &["-O2", "-DTRUING_FAST"], false);
    let vars = [("TRUING_STANDIN_ORDER", "7"), ("TRUING_CASES", "few"), ("TRUING_FAST", "1")];
    let mut near = 0;
    for test in BITS {
        let (ok, said) = child(&dir.0, test, &vars);
        assert!(ok, "{test}, fast:\n{said}");
        near += counted(&said, "values compared");
    }
    println!("{near} values of the mode `fast` are within its bound");
    assert!(near > 10_000_000);
}

#[test]
fn kernels_pass_the_sanitizers() {
    let Some(library) = sanitizer() else {
        println!("1 test skipped: g++ has no libasan");
        return;
    };
    let dir = Folder::new("sanitizers");
    build_all(&dir.0, &SANITIZED, false);
    let vars = [("TRUING_STANDIN_ORDER", "3"), ("TRUING_CASES", "fewest"), ("LD_PRELOAD", &*library), QUIET];
    for test in BITS {
        let (ok, said) = child(&dir.0, test, &vars);
        assert!(ok, "{said}");
        println!("{test}: {} values compared under the sanitizers", counted(&said, "values compared"));
    }
}

/// The child that runs a family's cases for a planted bug.
fn cases_of(family: &str) -> &'static str {
    match family {
        "divergence" => "child_few_forms",
        "extra" => "child_extra",
        _ => "child_bits",
    }
}

/// A bug that is planted: what, in which text, the order of threads that shows it, where. In `⟦ ⟧` stands a statement that is
/// left out, or an expression and behind `→` what takes its place.
struct Bug(&'static str, &'static str, &'static str, &'static str);
const BUGS: [Bug; 31] = [
    Bug("a barrier is missing behind the copies", "logprob.cu", "0", "truing_copies_done();\n    ⟦__syncwarp();⟧"),
    Bug("nobody waits for the copies", "logprob.cu", "1", "⟦truing_copies_done();⟧\n    __syncwarp();"),
    Bug(
        "a barrier is missing between the levels of the tree",
        "reduce.cuh",
        "1",
        "count = chunks;\n        ⟦__syncwarp();⟧",
    ),
    Bug(
        "a barrier is missing before the target's gradient",
        "logprob.cu",
        "0",
        "    ⟦__syncwarp();⟧\n    if (lane == 0 && c.target",
    ),
    Bug("the maximum's own 1 is summed up", "reduce.cuh", "0", "⟦if (hit) truing_narrow(-TRUING_INFF, x + from + k);⟧"),
    Bug(
        "a barrier is missing behind the columns that are taken out",
        "reduce.cuh",
        "0",
        "⟦__syncwarp();⟧ // other lanes have taken columns of this one's chain",
    ),
    Bug(
        "one barrier is missing before the items are added up",
        "preference.cu",
        "0",
        "truing_summand(a, rank, k);\n        ⟦__syncthreads();⟧",
    ),
    Bug(
        "the sums of a cluster are read before they are there",
        "preference.cu",
        "0",
        "    ⟦truing_cluster_sync();⟧\n    if (rank == 0 && warp == 0) {",
    ),
    Bug(
        "a barrier is missing behind a tile of tokens",
        "policy.cu",
        "0",
        "        if (broken) s.broken[turn] = 1;\n        ⟦__syncthreads();⟧",
    ),
    Bug(
        "a barrier is missing before what further terms say of a sequence is put together",
        "policy.cu",
        "0",
        "words[thread / 32] = of_tokens;\n    ⟦__syncthreads();⟧",
    ),
    Bug(
        "the partials of a pair are added out of turn",
        "preference.cu",
        "0",
        "which &= ⟦which - 1→~(0x80000000u >> __clz((int)which))⟧) {\n            const int from = \
         ⟦__ffs((int)which) - 1→31 - __clz((int)which)⟧;",
    ),
    Bug(
        "a barrier is missing before the partials of a learned parameter are added up",
        "preference.cu",
        "0",
        "            tile[k] = x;\n        }\n        ⟦__syncthreads();⟧",
    ),
    Bug(
        "a barrier is missing before the weights of a batch are added up",
        "correction.cu",
        "0",
        "tile[k] = a.weights[at + k];\n        ⟦__syncthreads();⟧",
    ),
    Bug(
        "a barrier is missing before the tokens of a warp are counted for the others",
        "selection.cu",
        "0",
        "counts[warp][bin] = __popc(equal);\n        ⟦__syncthreads();⟧",
    ),
    Bug(
        "of equal numbers the last one goes first",
        "selection.cu",
        "0",
        "equal & (⟦(1u << lane) - 1→0u - (2u << lane)⟧)",
    ),
    Bug(
        "a barrier is missing before the columns of a warp are counted for the others",
        "divergence_uld.cu",
        "0",
        "s.counts[warp][digit] = __popc(equal);\n            ⟦__syncthreads();⟧",
    ),
    Bug(
        "a barrier is missing before the differences are added up",
        "divergence_uld.cu",
        "0",
        "truing_uld_sorted(r, 1, j);\n        ⟦__syncthreads();⟧",
    ),
    Bug(
        "a barrier is missing behind the factors of a column",
        "advantage.cu",
        "0",
        "m[i * w + k] = m[i * w + k] / m[k * w + k];\n        ⟦__syncwarp();⟧",
    ),
    Bug("a sequence is summed up from its end", "segments.cuh", "0", "own, ⟦k→31 - k⟧);"),
    Bug(
        "a barrier is missing before the columns that the figures name",
        "logprob_extra.cu",
        "0",
        "    ⟦__syncwarp();⟧\n#pragma unroll 1\n    for (truing_u32 k = lane; k < a.back_columns + 1",
    ),
    Bug(
        "a barrier is missing between two steps of the sort",
        "logprob_extra.cu",
        "0",
        "keys[i + w] = low;\n            }\n            ⟦__syncthreads();⟧",
    ),
    Bug(
        "a barrier is missing before the masses of a filter are added up",
        "logprob_extra.cu",
        "0",
        "o.cut = n;\n        ⟦__syncthreads();⟧",
    ),
    Bug(
        "nobody waits for the records of the cluster",
        "logprob.cu",
        "0",
        "⟦truing_phase_wait(&state.full[slot], turn);⟧",
    ),
    Bug("nobody waits for the constants of a row", "logprob.cu", "0", "⟦truing_phase_wait(&state.ready[slot], turn);⟧"),
    Bug(
        "a block of threads is sent to before it has begun",
        "logprob.cu",
        "1",
        "⟦truing_cluster_sync();⟧ // every block of threads has begun",
    ),
    Bug(
        "a row is reduced before its copies are there",
        "logprob.cu",
        "1",
        "⟦truing_copies_before_last_done();⟧\n            __syncwarp();",
    ),
    Bug("copies run over the end of a row", "logits.cuh", "0", "⟦p + 16 <= end→p < end⟧"),
    Bug(
        "a barrier is missing before the student's gradient of the target",
        "divergence.cuh",
        "0",
        "    ⟦__syncwarp();⟧\n    if (student",
    ),
    Bug(
        "the error of the normalisers stays in gamma",
        "divergence.cuh",
        "0",
        "x.gamma = ⟦(float)((double)k.gamma + truing_refine((double)s.delta))→k.gamma⟧;",
    ),
    Bug(
        "padding of a gradient runs into the next row",
        "divergence.cuh",
        "0",
        "first + valid, ⟦width - valid→TRUING_BLOCK - valid⟧, 0.0f",
    ),
    Bug("a gradient is written behind the last column", "logprob.cu", "0", "if (⟦on→true⟧) truing_narrow(dz, g + j);"),
];
impl Bug {
    /// The family whose cases show it; no other one is compared.
    fn family(&self) -> &'static str {
        match self.1 {
            "reduce.cuh" | "logits.cuh" => "logprob",
            "segments.cuh" => "sequence",
            "logprob_extra.cu" => "extra",
            "advantage.cu" => "objective",
            "divergence_uld.cu" => "uld",
            file => file.split('.').next().unwrap(),
        }
    }
    /// Reads and writes outside an array need the sanitizers.
    fn bounds(&self) -> bool {
        self.0.contains("over the end") || self.0.contains("behind the last")
    }
    /// The places of a text that change, and what they become: the bug where the process says its number.
    fn places(&self, number: usize, text: &str) -> Vec<(usize, usize, String)> {
        let bug = format!("shim::planted({number})");
        let parts: Vec<&str> = self.3.split(['⟦', '⟧']).collect();
        let good = |i: usize| if i % 2 == 1 { parts[i].split('→').next().unwrap() } else { parts[i] };
        let whole: String = (0..parts.len()).map(good).collect();
        let mut at = text.find(&whole).unwrap_or_else(|| panic!("{}: the text to change is not there", self.0));
        let mut places = vec![];
        for i in 0..parts.len() {
            let end = at + good(i).len();
            if i % 2 == 1 {
                let planted = match parts[i].split_once('→') {
                    Some((good, bad)) => format!("({bug} ? {bad} : {good})"),
                    None => format!("if (!{bug}) {}", parts[i]),
                };
                places.push((at, end, planted));
            }
            at = end;
        }
        places
    }
}
/// The kernels' text with every bug in it, each asleep.
fn plant(to: &Path) {
    std::fs::create_dir_all(to.join("generated")).unwrap();
    for name in texts() {
        let mut text = std::fs::read_to_string(kernels().join(&name)).unwrap();
        let bugs = BUGS.iter().enumerate().filter(|(_, bug)| bug.1 == name);
        let mut places: Vec<_> = bugs.flat_map(|(i, bug)| bug.places(i + 1, &text)).collect();
        places.sort_unstable();
        for (from, end, planted) in places.into_iter().rev() {
            text.replace_range(from..end, &planted);
        }
        std::fs::write(to.join(name), text).unwrap();
    }
}
/// Bugs of the kind that only a GPU would show, and then not always.
#[test]
fn planted_bugs_are_noticed() {
    let (dir, own) = (Folder::new("planted"), Folder::new("planted-bounds"));
    let library = sanitizer();
    let texts = dir.0.join("kernels");
    plant(&texts);
    build_hosts(&dir.0);
    let families: BTreeSet<&str> = BUGS.iter().map(Bug::family).collect();
    // rows of f64 are among the cases of log-prob's options, the reduced loss of every divergence among uld's
    let compiled = families.iter().copied().chain(["double", "partial"]).collect::<BTreeSet<_>>();
    let mut compilers: Vec<Child> =
        compiled.iter().map(|family| compile_family(&dir.0, family, &texts, &["-O1"], true)).collect();
    if library.is_some() {
        build_hosts(&own.0);
        compilers.push(compile_family(&own.0, "logprob", &texts, &BOUNDS, true));
    }
    done(compilers);
    let run = |family: &'static str, bounds: bool, number: usize, order: &str| {
        let number = number.to_string();
        let mut vars = vec![
            ("TRUING_STANDIN_ORDER", order),
            ("TRUING_CASES", "fewest"),
            ("TRUING_ONLY", family),
            ("TRUING_PLANTED", &number),
        ];
        if let (true, Some(library)) = (bounds, &library) {
            vars.extend([("LD_PRELOAD", &**library), QUIET]);
        }
        child(if bounds { &own.0 } else { &dir.0 }, cases_of(family), &vars)
    };
    // asleep they change nothing
    for family in families {
        let (ok, said) = run(family, false, 0, "7");
        assert!(ok, "{family} without a bug:\n{said}");
    }
    let mut noticed = 0;
    for (i, bug) in BUGS.iter().enumerate() {
        let Bug(what, _, order, _) = bug;
        if bug.bounds() && library.is_none() {
            println!("1 bug skipped, g++ has no libasan: {what}");
            continue;
        }
        // the order that is known to show it first: a run that notices nothing is a long one
        let orders = [order, "0", "1", "7"];
        let seen = orders.iter().find_map(|order| {
            let (ok, said) = run(bug.family(), bug.bounds(), i + 1, order);
            (!ok).then_some((order, said))
        });
        let (order, said) = seen.unwrap_or_else(|| panic!("not noticed: {what}"));
        assert_eq!(said.contains("AddressSanitizer"), bug.bounds(), "{what}: {said}");
        println!("noticed in order {order}: {what}");
        noticed += 1;
    }
    println!("{noticed} planted bugs noticed");
}

#[test]
fn host_path() {
    let dir = optimised();
    let (ok, said) = child(dir, "child_host", &[]);
    assert!(ok, "{said}");
    // a driver that cannot start, no driver at all, a device that is newer than the compiler
    let (ok, said) = child(dir, "child_refused", &[("TRUING_STANDIN_BROKEN", "1")]);
    assert!(ok, "{said}");
    let (ok, said) = child(dir, "child_newer", &[("TRUING_STANDIN_NEWER", "1")]);
    assert!(ok, "{said}");
    // the same comparisons with device memory apart from the host's, and the program that times
    let vars = [("TRUING_DEVICE", "1"), ("TRUING_CASES", "fewest"), ("TRUING_TIMES_SMALL", "1")];
    for test in ["child_bits", "child_extra", "child_divergence", "child_partial", "child_sanitized", "child_times"] {
        let (ok, said) = child(dir, test, &vars);
        assert!(ok, "{said}");
    }
    let empty = Folder::new("empty");
    let (ok, said) = child(&empty.0, "child_refused", &[]);
    assert!(ok, "{said}");
    println!("10 children passed");
    python_client(dir);
}
/// The Python package on arrays of the stand-in device.
fn python_client(dir: &Path) {
    let Some(python) = std::env::var_os("TRUING_TEST_PYTHON") else {
        println!("SKIPPED 1: TRUING_TEST_PYTHON names no Python with numpy (tests/run sets it)");
        return;
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["build", "--quiet", "--package", "truing-ffi", "--lib", "--message-format=json"]);
    let out = cargo.args(truing_tests::cargo_profile()).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
    let library = said.split('"').find(|w| w.ends_with("libtruing_ffi.so")).unwrap_or_else(|| panic!("{said}"));
    let out = Command::new(python)
        .arg(root().join("tests/python/device.py"))
        .arg(library)
        .env("PYTHONPATH", root().join("ffi/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("LD_LIBRARY_PATH", dir)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && said.contains(" checks"), "{said}");
    print!("{said}");
}

// What the children run.

unsafe extern "C" {
    fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}
/// Calls a function of a stand-in.
fn standin(library: &CStr, name: &CStr, x: c_int) -> c_int {
    // SAFETY: the stand-ins' own functions, all of this type on this machine (those without an argument ignore it).
    unsafe {
        let f = dlsym(dlopen(library.as_ptr(), 2), name.as_ptr());
        assert!(!f.is_null(), "{name:?}");
        std::mem::transmute::<*mut c_void, extern "C" fn(c_int) -> c_int>(f)(x)
    }
}
const CUDA: &CStr = c"libcuda.so.1";
const NVRTC: &CStr = c"libnvrtc.so.12";

/// Device memory. Without `TRUING_DEVICE` it is the host's own: the stand-in runs kernels where the arrays lie. With it, a
/// copy of every array that a call names, on a real device or in the stand-in's heap.
mod memory {
    use super::*;
    use std::cell::RefCell;
    thread_local! {
        static COPIES: RefCell<Vec<(usize, u64, usize)>> = const { RefCell::new(vec![]) };
    }
    pub fn apart() -> bool {
        std::env::var_os("TRUING_DEVICE").is_some()
    }
    /// Calls a function of the driver.
    macro_rules! driver {
        ($name:literal ($($x:expr),*) : $($t:ty),*) => {{
            // SAFETY: the driver's function of this name has these arguments.
            let code = unsafe {
                let f = dlsym(dlopen(CUDA.as_ptr(), 2), $name.as_ptr());
                assert!(!f.is_null(), "{:?}", $name);
                std::mem::transmute::<*mut c_void, extern "C" fn($($t),*) -> c_int>(f)($($x),*)
            };
            assert_eq!(code, 0, "{:?}", $name);
        }};
    }
    pub(crate) use driver;
    /// Makes the first device's primary context current.
    pub fn start() {
        if !apart() {
            return;
        }
        truing_cuda::available().unwrap();
        let (mut device, mut context) = (0, std::ptr::null_mut());
        driver!(c"cuDeviceGet" (&mut device, 0) : &mut c_int, c_int);
        driver!(c"cuDevicePrimaryCtxRetain" (&mut context, device) : &mut *mut c_void, c_int);
        driver!(c"cuCtxSetCurrent" (context) : *mut c_void);
    }
    pub fn alloc(bytes: usize) -> u64 {
        let mut at = 0;
        driver!(c"cuMemAlloc_v2" (&mut at, bytes.max(1)) : &mut u64, usize);
        at
    }
    pub fn free(at: u64) {
        driver!(c"cuMemFree_v2" (at) : u64);
    }
    /// Where the device finds these bytes.
    pub fn up(host: usize, bytes: usize) -> u64 {
        if !apart() {
            return host as u64;
        }
        COPIES.with_borrow_mut(|all| {
            // the copy of an array that lay here before
            all.retain(|(h, at, n)| {
                (*h != host || *n == bytes) || {
                    free(*at);
                    false
                }
            });
            let known = all.iter().find(|(h, _, n)| (*h, *n) == (host, bytes)).map(|x| x.1);
            let at = known.unwrap_or_else(|| {
                let at = alloc(bytes);
                all.push((host, at, bytes));
                at
            });
            driver!(c"cuMemcpyHtoD_v2" (at, host, bytes) : u64, usize, usize);
            at
        })
    }
    /// What the device has made of them.
    pub fn down<T>(x: &mut [T]) {
        let host = x.as_mut_ptr().addr();
        COPIES.with_borrow(|all| {
            for (_, at, bytes) in all.iter().filter(|c| c.0 == host && c.2 <= size_of_val(x)) {
                driver!(c"cuMemcpyDtoH_v2" (host, *at, *bytes) : usize, u64, usize);
            }
        });
    }
    pub fn clear() {
        COPIES.with_borrow_mut(|all| all.drain(..).for_each(|(_, at, _)| free(at)));
    }
}
fn tensor<T>(x: &[T], dtype: Dtype, layout: Layout) -> Tensor {
    let bytes = layout.extent().unwrap() * dtype.size();
    Tensor { data: memory::up(x.as_ptr().addr(), bytes), dtype, layout }
}
fn vector<T>(x: &[T], dtype: Dtype) -> Tensor {
    tensor(x, dtype, Layout::contiguous(x.len(), 1))
}
fn data(x: &Data, layout: Layout) -> Tensor {
    match x {
        Data::F32(y) => tensor(y, x.dtype(), layout),
        Data::Bf16(y) => tensor(y, x.dtype(), layout),
        Data::F16(y) => tensor(y, x.dtype(), layout),
    }
}
/// 64-byte aligned bytes.
struct Scratch(Vec<u64>, usize);
impl Scratch {
    fn new(size: usize) -> Scratch {
        // what a device's memory holds before
        Scratch(vec![0x7fc1_2345_ffff_fff7; size / 8 + 8], size)
    }
    fn space(&self) -> Space {
        if memory::apart() {
            return Space { data: memory::up(self.0.as_ptr().addr(), self.1 + 56), size: self.1 };
        }
        Space { data: (self.0.as_ptr().addr() as u64).next_multiple_of(64), size: self.1 }
    }
}

/// The mode of the context under test.
fn mode() -> Mode {
    if std::env::var_os("TRUING_FAST").is_some() { Mode::Fast } else { Mode::Portable }
}
fn context() -> Context {
    Context::new(ContextOptions { mode: mode(), ..ContextOptions::default() })
}
/// Numbers that follow from sums of exponentials: the CPU's bits or, in the mode `fast`, within its bound. A term of a sum is
/// off by 2^-21.5 of itself and by what the product of its exponent is rounded by (at most 2^-17.5 at an exponent of -88);
/// `own`: what rounding to the stored type may add.
fn agree(what: &str, got: &[f32], want: &[f32], own: f32) {
    if mode() == Mode::Portable {
        return same(what, got, want);
    }
    assert_eq!(got.len(), want.len(), "{what}: length");
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        let good =
            g.to_bits() == w.to_bits() || g.is_nan() && w.is_nan() || (g - w).abs() <= 4e-6 + (6e-6 + own) * w.abs();
        assert!(good, "{what}: element {i}: got {g:?}, expected {w:?}");
    }
}

/// Rows of every kind behind two that are not to be read. The last one is: nothing lies behind it.
struct Batch {
    v: usize,
    z: Vec<f32>,
    target: Vec<i64>,
    mask: Vec<u8>,
}
const KINDS: usize = 14;
const ROWS: usize = KINDS + 2;
impl Batch {
    fn new(v: usize) -> Batch {
        let mut random = Random(v as u64 + 5);
        let mut z: Vec<f32> = (0..2 * v).map(|j| if j % 2 == 0 { NAN } else { INF }).collect();
        let mut target = vec![i64::MAX, -100];
        for kind in 0..KINDS {
            let mut row = random.normals(v, 3.0);
            let at = random.below(v);
            match kind {
                1 => row.fill(1.25),
                2 => row[at] = 40.0,
                3 => row.iter_mut().for_each(|x| *x += 1e4),
                4 => (0..v).filter(|j| j % 3 != at % 3).for_each(|j| row[j] = -INF),
                5 => (0..v).filter(|&j| j / 3000 % 2 == 0 && j != at).for_each(|j| row[j] = -INF),
                6 => row.fill(-INF),
                7 => row[at] = -INF,
                8 => row[at] = NAN,
                9 => row[at] = INF,
                10 => (0..v).for_each(|j| row[j] = if j % 2 == 0 { -0.0 } else { 0.0 }),
                11 => row.iter_mut().for_each(|x| *x = x.round().min(4.0)),
                12 => row.iter_mut().for_each(|x| *x *= 30.0),
                13 => row[random.below(v)] = 6e4,
                _ => {}
            }
            target.push(if kind % 2 == 0 || kind == 7 { at } else { random.below(v) } as i64);
            z.extend(row);
        }
        let mut mask = vec![1; ROWS];
        mask[0] = 0;
        Batch { v, z, target, mask }
    }
    /// Without its first rows.
    fn behind(mut self, rows: usize) -> Batch {
        self.z.drain(..rows * self.v);
        self.target.drain(..rows);
        self.mask.drain(..rows);
        self
    }
    /// The rows elsewhere in memory, NaN between them; nothing lies behind the last.
    fn laid_out(&self, kind: usize, layout: Layout) -> Data {
        let mut all = vec![NAN; layout.extent().unwrap()];
        for i in 0..layout.rows() {
            all[layout.offset(i)..][..self.v].copy_from_slice(&self.z[i * self.v..][..self.v]);
        }
        Data::new(kind, &all)
    }
}
/// Ways to transform logits.
struct Setup {
    name: &'static str,
    options: Options,
    bias: Option<Data>,
    temperatures: Option<Vec<f32>>,
}
fn setups(v: usize) -> Vec<Setup> {
    let mut random = Random(v as u64);
    let base = Options { ignore_index: Some(-100), ..Options::default() };
    let with = |logit_scale, softcap, temperature, n_valid_vocab| Options {
        transform: Transform { logit_scale, softcap, temperature },
        n_valid_vocab,
        ..base
    };
    let bias: Vec<f32> = (0..v).map(|j| if j % 7 == 6 { -INF } else { random.normal() as f32 }).collect();
    let temperatures: Vec<f32> = (0..ROWS).map(|i| [1.0, 0.7, 2.5][i % 3]).collect();
    let half = (v / 2).max(1);
    let setup = |name, options, bias, temperatures| Setup { name, options, bias, temperatures };
    vec![
        setup("plain", base, None, None),
        setup("temperature", with(1.0, 0.0, 0.7, 0), None, None),
        setup("softcap", with(1.25, 20.0, 1.0, 0), None, None),
        setup("bias", base, Some(Data::new(1, &bias)), None),
        setup("row temperatures", base, None, Some(temperatures.clone())),
        setup("n_valid_vocab", with(1.0, 0.0, 1.0, half), None, None),
        setup("beyond f32", with(1e34, 0.0, 1.0, 0), None, None),
        setup("everything", with(0.5, 30.0, 1.0, half), Some(Data::new(0, &bias)), Some(temperatures)),
    ]
}
#[derive(Clone)]
struct Out {
    floats: [Vec<f32>; 5],
    argmax: Vec<i32>,
    is_top1: Vec<u8>,
    stats: Vec<f32>,
    status: Vec<u32>,
}
impl Out {
    fn new(n: usize) -> Out {
        let floats = std::array::from_fn(|_| vec![7.5; n]);
        Out { floats, argmax: vec![-9; n], is_top1: vec![99; n], stats: vec![7.5; n * STATS], status: vec![1 << 31; n] }
    }
    fn cpu(&mut self, which: u32) -> spec::Figures<'_> {
        let n = self.argmax.len();
        let [logprob, lse, max, entropy, log_sum_sq] = &mut self.floats;
        macro_rules! pick {
            ($bit:expr, $x:expr) => {
                (which >> $bit & 1 == 1).then(|| MatrixMut::vector($x))
            };
        }
        spec::Figures {
            logprob: pick!(0, logprob),
            lse: pick!(1, lse),
            max: pick!(2, max),
            entropy: pick!(3, entropy),
            log_sum_sq: pick!(4, log_sum_sq),
            argmax: pick!(5, &mut self.argmax),
            is_top1: pick!(6, &mut self.is_top1),
            stats: (which >> 7 & 1 == 1).then(|| MatrixMut::contiguous(&mut self.stats, n, STATS).unwrap()),
            status: pick!(8, &mut self.status),
            ..spec::Figures::default()
        }
    }
    fn device(&mut self, which: u32) -> Figures {
        let pick = |bit: u32, x: Tensor| (which >> bit & 1 == 1).then_some(x);
        let f = |k: usize| pick(k as u32, vector(&self.floats[k], Dtype::F32));
        Figures {
            logprob: f(0),
            lse: f(1),
            max: f(2),
            entropy: f(3),
            log_sum_sq: f(4),
            argmax: pick(5, vector(&self.argmax, Dtype::I32)),
            is_top1: pick(6, vector(&self.is_top1, Dtype::U8)),
            stats: pick(7, tensor(&self.stats, Dtype::F32, Layout::contiguous(self.argmax.len(), STATS))),
            status: pick(8, vector(&self.status, Dtype::U32)),
        }
    }
    fn fetch(&mut self) {
        self.floats.iter_mut().for_each(|x| memory::down(x));
        memory::down(&mut self.argmax);
        memory::down(&mut self.is_top1);
        memory::down(&mut self.stats);
        memory::down(&mut self.status);
    }
    fn check(&self, what: &str, want: &Out) -> usize {
        for (k, (got, want)) in self.floats.iter().zip(&want.floats).enumerate() {
            agree(&format!("{what}, figure {k}"), got, want, 0.0);
        }
        same(&format!("{what}, argmax"), &self.argmax, &want.argmax);
        same(&format!("{what}, is_top1"), &self.is_top1, &want.is_top1);
        agree(&format!("{what}, stats"), &self.stats, &want.stats, 0.0);
        same(&format!("{what}, status"), &self.status, &want.status);
        self.argmax.len() * (8 + STATS)
    }
}
fn ids(target: &[i64], narrow: bool) -> (Vec<i32>, Vec<i64>) {
    if narrow {
        (target.iter().map(|&y| y.clamp(-1 << 31, i32::MAX as i64) as i32).collect(), vec![])
    } else {
        (vec![], target.to_vec())
    }
}

/// Every output and every gradient of one way to call: the device's against the CPU's.
fn compare(context: &Context, b: &Batch, setup: &Setup, kind: usize, layout: Layout, few: bool) -> usize {
    let (n, v) = (layout.rows(), b.v);
    let z = b.laid_out(kind, layout);
    let problem = Problem::new(n, v, setup.options).unwrap();
    let what = format!("{} rows of {v} {}, {}", n, z.dtype(), setup.name);
    let narrow = kind == 1;
    let (t32, t64) = ids(&b.target[..n], narrow);
    let target = if narrow { vector(&t32, Dtype::I32) } else { vector(&t64, Dtype::I64) };
    let mask64: Vec<i64> = b.mask.iter().map(|&x| x as i64 * 1000).collect();
    let temperatures = setup.temperatures.as_ref().map(|t| &t[..n]);
    let rows = Rows {
        target: Some(if narrow { Ints::from(Matrix::vector(&t32)) } else { Matrix::vector(&t64).into() }),
        mask: Some(if narrow { Mask::from(Matrix::vector(&mask64[..n])) } else { Matrix::vector(&b.mask[..n]).into() }),
        ..Rows::default()
    };
    let transform = TransformInputs {
        bias: setup.bias.as_ref().map(|x| x.view(Layout::contiguous(v, 1))),
        row_temperature: temperatures.map(Matrix::vector),
    };
    let inputs = Inputs {
        logits: data(&z, layout),
        bias: setup.bias.as_ref().map(|x| data(x, Layout::contiguous(v, 1))),
        row_temperature: temperatures.map(|t| vector(t, Dtype::F32)),
        target: Some(target),
        mask: Some(if narrow { vector(&mask64[..n], Dtype::I64) } else { vector(&b.mask[..n], Dtype::U8) }),
    };
    let cpu = truing_cpu::Context::default();
    let mut done = 0;
    let mut saved = Out::new(n);
    for which in if few { vec![0x1ff, 0x1] } else { vec![0x1ff, 0x1, 0x2, 0x48, 0x180, 0x37] } {
        let (mut want, mut got) = (Out::new(n), Out::new(n));
        let all = truing_cpu::logprob::Inputs::new(z.view(layout), transform, rows);
        truing_cpu::logprob::forward(&cpu, &problem, all, want.cpu(which)).unwrap();
        let scratch = Scratch::new(logprob::forward_workspace(&problem).minimum);
        let figures = got.device(which);
        // SAFETY: the stand-in's device memory is this process's, and the arrays live.
        unsafe { logprob::forward(context, STREAM, &problem, &inputs, &figures, scratch.space()) }.unwrap();
        got.fetch();
        done += got.check(&format!("{what}, figures {which:#x}"), &want);
        if which == 0x1ff {
            saved = got;
        }
    }
    let g: [Vec<f32>; 3] = std::array::from_fn(|k| Random(77 + k as u64).normals(n, 1.0));
    let back = truing_cpu::logprob::BackwardInputs { transform, rows, ..Default::default() };
    for (which, with_stats, place) in
        [(1, true, 0), (7, true, 1), (7, false, 2), (4, false, 0), (3, true, 2), (2, false, 1)]
    {
        if few && which == 4 {
            continue;
        }
        let pick = |k: usize| (which >> k & 1 == 1).then_some(&g[k][..]);
        let upstream = spec::Upstream {
            logprob: pick(0).map(Matrix::vector),
            lse: pick(1).map(Matrix::vector),
            entropy: pick(2).map(Matrix::vector),
            scale: 0.37,
            ..Default::default()
        };
        let device = |k| pick(k).map(|x| vector(x, Dtype::F32));
        let device = Upstream { logprob: device(0), lse: device(1), entropy: device(2), scale: 0.37 };
        let stats = with_stats.then(|| Matrix::contiguous(&saved.stats, n, STATS).unwrap());
        let d_stats = with_stats.then(|| tensor(&saved.stats, Dtype::F32, Layout::contiguous(n, STATS)));
        // in place, the logits' own type in rows elsewhere, f32
        let (mut want, own) = match place {
            0 => (z.clone(), layout),
            1 => (Data::new(kind, &vec![NAN; n * (v + 3)]), Layout::strided(n, v, v + 3)),
            _ => (Data::new(0, &vec![NAN; n * v]), Layout::contiguous(n, v)),
        };
        let mut got = want.clone();
        let (mut s_want, mut s_got) = (vec![9u32; n], vec![9u32; n]);
        let grad = match place {
            0 => truing_cpu::logprob::Grad::InPlace(want.view_mut(layout)),
            _ => truing_cpu::logprob::Grad::Separate(z.view(layout), want.view_mut(own)),
        };
        let status = Some(MatrixMut::vector(&mut s_want));
        truing_cpu::logprob::backward(&cpu, &problem, back, stats, upstream, grad, status).unwrap();
        let scratch = Scratch::new(logprob::backward_workspace(&problem, with_stats).minimum);
        let inputs = Inputs { logits: if place == 0 { data(&got, layout) } else { inputs.logits }, ..inputs };
        let (grad, status) = (data(&got, own), Some(vector(&s_got, Dtype::U32)));
        // SAFETY: as above.
        unsafe {
            let (p, d) = (&problem, &device);
            logprob::backward(context, STREAM, p, &inputs, d_stats, d, grad, status, scratch.space()).unwrap();
        }
        match &mut got {
            Data::F32(x) => memory::down(x),
            Data::Bf16(x) => memory::down(x),
            Data::F16(x) => memory::down(x),
        }
        memory::down(&mut s_got);
        let what = format!("{what}, upstream {which}, stats {with_stats}, place {place}");
        let what_grad = format!("{what}: gradient of {} columns", own.cols);
        agree(&what_grad, &got.wide(), &want.wide(), [0.0, 1.0 / 128.0, 1.0 / 1024.0][got.kind()]);
        same(&what, &s_got, &s_want);
        done += got.keys().len() + n;
    }
    memory::clear();
    done
}

#[test]
#[ignore = "a child of the tests above"]
fn child_bits() {
    let cases = std::env::var("TRUING_CASES").unwrap();
    let (few, fewest) = (cases != "all", cases == "fewest");
    // a planted bug takes the cases of its own family
    let only = std::env::var("TRUING_ONLY").ok();
    let of = |family: &str| only.as_ref().is_none_or(|only| only == family);
    memory::start();
    let context = context();
    let sizes: &[usize] = if few { &[1, 17, 2049, 5000, 70001] } else { &[1, 15, 17, 2047, 2048, 2049, 5000, 128256] };
    let mut done = 0;
    for &v in sizes.iter().filter(|_| of("logprob")) {
        let b = Batch::new(v);
        let layouts =
            [Layout::contiguous(ROWS, v), Layout::strided(ROWS, v, v + 5), Layout::batched(3, 5, v, 6 * v, v)];
        for (s, setup) in setups(v).iter().enumerate() {
            for kind in 0..3 {
                for (l, &layout) in layouts.iter().enumerate() {
                    // of the large and of the few, one layout each
                    if (few || v > 10_000) && (s + kind) % 3 != l || (fewest || v > 50_000) && ![0, 7].contains(&s) {
                        continue;
                    }
                    // what is large in the fewest is there for its many parts, whatever the dtype
                    if fewest && v > 50_000 && kind != s % 3 {
                        continue;
                    }
                    done += compare(&context, &b, setup, kind, layout, few || v > 10_000);
                }
            }
        }
    }
    if of("logprob") {
        // rows that pass through clusters: gradients of many, figures and gradients of one
        let (b, one) = (Batch::new(30001), Batch::new(70001).behind(2));
        for kind in 0..3 {
            let layout = [Layout::contiguous(ROWS, b.v), Layout::strided(ROWS, b.v, b.v + 5)][kind % 2];
            done += compare(&context, &b, &setups(b.v)[if kind == 2 { 5 } else { 0 }], kind, layout, true);
            done += compare(&context, &one, &setups(one.v)[0], kind, Layout::contiguous(1, one.v), true);
        }
        done += outside(&context);
    }
    if mode() == Mode::Portable {
        let families: [(&str, fn(&Context) -> usize); 11] = [
            ("sequence", sequences),
            ("sequence_kl", sequence_kl::all),
            ("tds", tds_rows::all),
            ("preference", preference::all),
            ("policy", policy::all),
            ("advantage", advantage::all),
            ("baseline", baseline::all),
            ("objective", objective::all),
            ("correction", correction::all),
            ("selection", selection::all),
            ("uld", uld::all),
        ];
        done += families.iter().filter(|(family, _)| of(family)).map(|(_, all)| all(&context)).sum::<usize>();
        if of("abi") {
            done += abi::all();
        }
    }
    println!("{done} values compared");
}
/// What is asked of rows of logits now and then.
#[test]
#[ignore = "a child of the tests above"]
fn child_extra() {
    let cases = std::env::var("TRUING_CASES").unwrap();
    memory::start();
    println!("{} values compared", extra::all(cases != "all", cases == "fewest"));
}
/// Divergences, whose kernels are a text for each form.
#[test]
#[ignore = "a child of the tests above"]
fn child_divergence() {
    let cases = std::env::var("TRUING_CASES").unwrap();
    memory::start();
    println!("{} values compared", divergence::all(&context(), cases != "all", cases == "fewest"));
}
/// Divergences over shards and on a few columns.
#[test]
#[ignore = "a child of the tests above"]
fn child_partial() {
    let cases = std::env::var("TRUING_CASES").unwrap();
    memory::start();
    println!("{} values compared", partial::all(cases != "all", cases == "fewest"));
}
/// Of divergences, what the planted bugs take.
#[test]
#[ignore = "a child of the tests above"]
fn child_few_forms() {
    memory::start();
    println!("{} values compared", divergence::sanitized(&context(), divergence::OWN));
}
/// One small batch, for tools that slow a device down a hundredfold.
#[test]
#[ignore = "needs a device; cuda/gpu-check runs it"]
fn child_sanitized() {
    memory::start();
    let (context, v) = (Context::default(), 2049);
    let (b, mut done) = (Batch::new(v), 0);
    for kind in 0..3 {
        let layout =
            [Layout::contiguous(ROWS, v), Layout::strided(ROWS, v, v + 5), Layout::batched(3, 5, v, 6 * v, v)][kind];
        for setup in setups(v).iter().filter(|s| ["plain", "everything"].contains(&s.name)) {
            done += compare(&context, &b, setup, kind, layout, true);
        }
    }
    println!("{} values compared", done + divergence::sanitized(&context, divergence::ALL));
}
/// What only the device can see: targets out of range and temperatures out of theirs, in rows beside good ones.
fn outside(context: &Context) -> usize {
    let (n, v) = (5, 3000);
    let z = Random(3).normals(n * v, 2.0);
    let target = [5i64, -1, v as i64, i64::MIN, 7];
    let temperature = [1.0f32, 1.0, 1.0, 1.0, -2.0];
    let problem = Problem::new(n, v, Options::default()).unwrap();
    let layout = Layout::contiguous(n, v);
    let inputs = Inputs {
        row_temperature: Some(vector(&temperature, Dtype::F32)),
        ..Inputs::new(tensor(&z, Dtype::F32, layout), Some(vector(&target, Dtype::I64)))
    };
    let mut out = Out::new(n);
    let scratch = Scratch::new(logprob::backward_workspace(&problem, false).minimum);
    let mut grad = vec![3.0f32; n * v];
    let ones = vec![1.0f32; n];
    let upstream = Upstream { logprob: Some(vector(&ones, Dtype::F32)), ..Upstream::default() };
    // SAFETY: as above.
    unsafe {
        let figures = out.device(0x1ff);
        logprob::forward(context, STREAM, &problem, &inputs, &figures, scratch.space()).unwrap();
        let g = tensor(&grad, Dtype::F32, layout);
        logprob::backward(context, STREAM, &problem, &inputs, None, &upstream, g, None, scratch.space()).unwrap();
    }
    out.fetch();
    memory::down(&mut grad);
    memory::clear();
    use truing_core::error::row;
    assert_eq!(out.status, [0, row::OUT_OF_RANGE, row::OUT_OF_RANGE, row::OUT_OF_RANGE, row::OVERFLOW]);
    for i in 0..n {
        let good = i == 0;
        assert!(out.floats.iter().all(|f| f[i].is_nan() != good), "row {i}");
        assert!(grad[i * v..][..v].iter().all(|g| g.is_nan() != good), "row {i}");
        assert_eq!(out.argmax[i] == -1, !good, "row {i}");
    }
    n * (v + 7)
}

/// Scores and token gradients of every kind of score, padded and packed, with what the CPU refuses beside what it takes.
fn sequences(context: &Context) -> usize {
    use truing_core::sequence::{self as spec, Divisor, Options, Score, Segments, Weights};
    let (b, t) = (7, 75);
    let n = b * t;
    let mut random = Random(11);
    let mut values: Vec<f32> = (0..n).map(|_| -3.0 * random.uniform() as f32).collect();
    (values[4], values[2 * t + 1], values[3 * t]) = (NAN, -INF, -3e38);
    let references: Vec<f32> =
        values.iter().map(|x| if *x < -1e30 { *x * -1.0 } else { x + random.normal() as f32 }).collect();
    let mut mask: Vec<i32> = (0..n).map(|_| (random.below(4) > 0) as i32).collect();
    mask[t..2 * t].fill(0);
    let weights: Vec<f32> = (0..n).map(|_| [0.0, 1.0, 0.3, 2.5][random.below(4)]).collect();
    let prefix: Vec<i32> = (0..b as i32).map(|b| b * 12).collect();
    let offsets: Vec<i64> = [0, 0, 1, 33, 65, 65, 400, n as i64].to_vec();
    let scores: Vec<f64> = (0..b).map(|_| random.normal()).collect();
    let (mean, ld) = (|d| Score::Mean(d), |alpha, policy_only| Score::Ld { alpha, policy_only });
    let all = [
        Score::Sum,
        mean(Divisor::Tokens),
        mean(Divisor::Weights),
        mean(Divisor::External(17.0)),
        ld(0.3, false),
        ld(0.0, false),
        ld(0.6, true),
    ];
    let mut done = 0;
    for (score, kind, packed, clamp) in all
        .into_iter()
        .flat_map(|score| (0..12).map(move |k| (score, k % 3, k % 2 == 1, (k > 5).then_some((-0.5, 0.75)))))
    {
        let is_ld = matches!(score, Score::Ld { .. });
        let clamp = clamp.filter(|_| !matches!(score, Score::Ld { policy_only: true, .. }));
        let options = Options { score, clamp };
        let (l, r) = (Data::new(kind, &values), Data::new(kind, &references));
        let flat = Layout::contiguous(n, 1);
        let segments = if packed {
            Segments::Packed(Matrix::vector(&offsets).into())
        } else {
            Segments::Padded { sequences: b, width: t }
        };
        let problem = spec::Problem::new(n, segments, options).unwrap();
        let with_ref = clamp.is_some() || kind != 2;
        let own = Weights {
            mask: Some(Matrix::vector(&mask).into()),
            token_weights: (!is_ld).then(|| Matrix::vector(&weights)),
            ld_prefix: is_ld.then(|| Matrix::vector(&prefix).into()),
        };
        let inputs = spec::Inputs { logps: l.view(flat), ref_logps: with_ref.then(|| r.view(flat)), weights: own };
        let layout = match packed {
            true => sequence::Layout::Packed { tokens: n, offsets: vector(&offsets, Dtype::I64) },
            false => sequence::Layout::Padded { sequences: b, width: t },
        };
        let device = sequence::Inputs {
            logps: Some(data(&l, flat)),
            ref_logps: with_ref.then(|| data(&r, flat)),
            mask: Some(vector(&mask, Dtype::I32)),
            token_weights: (!is_ld).then(|| vector(&weights, Dtype::F32)),
            ld_prefix: is_ld.then(|| vector(&prefix, Dtype::I32)),
        };
        let what = format!("{score:?}, {}, packed {packed}, clamp {clamp:?}", l.dtype());
        let cpu = truing_cpu::Context::default();
        let (mut want, mut got) = (
            (vec![9.0f32; b], [0; 3].map(|_| vec![9i32; b]), vec![9u32; b]),
            (vec![9.0f32; b], [0; 3].map(|_| vec![9i32; b]), vec![9u32; b]),
        );
        let [counts, first, last] = &mut want.1;
        let out = spec::Outputs {
            scores: Some(MatrixMut::vector(&mut want.0).into()),
            counts: Some(MatrixMut::vector(counts)),
            first: Some(MatrixMut::vector(first)),
            last: Some(MatrixMut::vector(last)),
            status: Some(MatrixMut::vector(&mut want.2)),
        };
        let (mut counted, mut seen) = ([9i64; 32], vec![9i64; 32]);
        truing_cpu::sequence::forward(&cpu, &problem, &inputs, out, Some(&mut counted)).unwrap();
        let mut wide = (vec![9.0f64; b], vec![9.0f64; b]);
        let out = spec::Outputs { scores: Some(MatrixMut::vector(&mut wide.0).into()), ..Default::default() };
        truing_cpu::sequence::forward(&cpu, &problem, &inputs, out, None).unwrap();
        let i32s = |x: &[i32]| Some(vector(x, Dtype::I32));
        let out = sequence::Outputs {
            scores: Some(vector(&got.0, Dtype::F32)),
            counts: i32s(&got.1[0]),
            first: i32s(&got.1[1]),
            last: i32s(&got.1[2]),
            status: Some(vector(&got.2, Dtype::U32)),
            counters: Some(vector(&seen, Dtype::I64)),
        };
        let only = sequence::Outputs { scores: Some(vector(&wide.1, Dtype::F64)), ..Default::default() };
        let (mut g_want, mut g_got) = ([0; 2].map(|_| vec![9.0f32; n]), [0; 2].map(|_| vec![9.0f32; n]));
        let factor = [0.5f64];
        let upstream = spec::Upstream {
            logps: Some(inputs.logps),
            ref_logps: inputs.ref_logps,
            weights: own,
            grad_scores: Matrix::vector(&scores).into(),
            grad_output: Some(Matrix::vector(&factor).into()),
            grad_scale: -1.3,
        };
        let [a, c] = &mut g_want;
        let places = spec::Grads { logps: Some(MatrixMut::vector(a)), ref_logps: Some(MatrixMut::vector(c)) };
        truing_cpu::sequence::backward(&cpu, &problem, &upstream, places).unwrap();
        let grads = sequence::Grads {
            grad_scores: vector(&scores, Dtype::F64),
            grad_output: Some(vector(&factor, Dtype::F64)),
            grad_scale: -1.3,
            logps: Some(vector(&g_got[0], Dtype::F32)),
            ref_logps: Some(vector(&g_got[1], Dtype::F32)),
        };
        // SAFETY: as above.
        unsafe {
            sequence::forward(context, STREAM, layout, &options, &device, &out).unwrap();
            sequence::forward(context, STREAM, layout, &options, &device, &only).unwrap();
            sequence::backward(context, STREAM, layout, &options, &device, &grads).unwrap();
        }
        memory::down(&mut got.0);
        got.1.iter_mut().for_each(|x| memory::down(x));
        memory::down(&mut got.2);
        memory::down(&mut seen);
        memory::down(&mut wide.1);
        g_got.iter_mut().for_each(|x| memory::down(x));
        memory::clear();
        same(&what, &got.0, &want.0);
        same(&what, &wide.1, &wide.0);
        same(&what, &got.1.concat(), &want.1.concat());
        same(&what, &got.2, &want.2);
        same(&what, &seen, &counted);
        same(&what, &g_got.concat(), &g_want.concat());
        done += 6 * b + 2 * n + 32;
    }
    done + wrong_sequences(context)
}
/// Offsets, prefixes and weights that only the device can see.
fn wrong_sequences(context: &Context) -> usize {
    use truing_core::error::row;
    use truing_core::sequence::{Options, Score};
    let (values, weights) =
        (vec![-1.0f32; 100], (0..100).map(|i| if i == 45 { -1.0 } else { 1.0 }).collect::<Vec<f32>>());
    let offsets = [0i32, 40, 60, 50, 200, 100];
    let (mut scores, mut status) = (vec![0.0f64; 5], vec![0u32; 5]);
    let layout = sequence::Layout::Packed { tokens: 100, offsets: vector(&offsets, Dtype::I32) };
    let inputs = sequence::Inputs {
        logps: Some(vector(&values, Dtype::F32)),
        token_weights: Some(vector(&weights, Dtype::F32)),
        ..Default::default()
    };
    let out = sequence::Outputs {
        scores: Some(vector(&scores, Dtype::F64)),
        status: Some(vector(&status, Dtype::U32)),
        ..Default::default()
    };
    let options = Options { score: Score::Sum, clamp: None };
    // SAFETY: as above.
    unsafe { sequence::forward(context, STREAM, layout, &options, &inputs, &out) }.unwrap();
    memory::down(&mut scores);
    memory::down(&mut status);
    memory::clear();
    assert_eq!(status, [0, row::OUT_OF_RANGE, row::OUT_OF_RANGE, row::OUT_OF_RANGE, row::OUT_OF_RANGE]);
    assert!(scores[0] == -40.0 && scores[1..].iter().all(|x| x.is_nan()), "{scores:?}");
    10
}

/// Times on a device: each call beside a copy of as many bytes as it must move, in the same round.
#[test]
#[ignore = "needs a device; cuda/gpu-check runs it"]
fn child_times() {
    use memory::{alloc, driver, free};
    assert!(memory::apart(), "this needs TRUING_DEVICE");
    memory::start();
    let context = context();
    context.prepare().unwrap();
    let small = std::env::var_os("TRUING_TIMES_SMALL").is_some();
    let (mut from, mut to) = (std::ptr::null_mut::<c_void>(), std::ptr::null_mut::<c_void>());
    driver!(c"cuEventCreate" (&mut from, 0) : &mut *mut c_void, u32);
    driver!(c"cuEventCreate" (&mut to, 0) : &mut *mut c_void, u32);
    let median = |go: &mut dyn FnMut()| -> f64 {
        let mut all: Vec<f32> = (0..if small { 1 } else { 21 })
            .map(|_| {
                let mut ms = 0.0f32;
                driver!(c"cuEventRecord" (from, STREAM.0) : *mut c_void, *mut c_void);
                go();
                driver!(c"cuEventRecord" (to, STREAM.0) : *mut c_void, *mut c_void);
                driver!(c"cuEventSynchronize" (to) : *mut c_void);
                driver!(c"cuEventElapsedTime" (&mut ms, from, to) : &mut f32, *mut c_void, *mut c_void);
                ms
            })
            .collect();
        all.sort_by(f32::total_cmp);
        all[all.len() / 2] as f64
    };
    println!("| call | shape | ms | GB/s | of copy |");
    println!("|---|---|---|---|---|");
    extra::times(&context, small, &median);
    let shapes = [(8192, 128256), (8192, 32000), (4096, 151936), (64, 128256), (1, 128256)];
    for (n, v) in shapes.map(|(n, v)| if small { (2, v / 100) } else { (n, v) }) {
        let row: Vec<f32> = Random(1).normals(v, 3.0);
        for kind in [1, 0] {
            let (z, layout) = (Data::new(kind, &row), Layout::contiguous(n, v));
            let (size, bytes) = (z.dtype().size(), n * v * z.dtype().size());
            let [a, g] = [alloc(bytes), alloc(bytes)];
            let one = data(&z, Layout::contiguous(1, v));
            for i in 0..n {
                driver!(c"cuMemcpyDtoD_v2" (a + (i * v * size) as u64, one.data, v * size) : u64, u64, usize);
            }
            let (target, f) = (vec![3i64; n], vec![1.0f32; n]);
            let out: Vec<Vec<f32>> = vec![vec![0.0; n], vec![0.0; n], vec![0.0; n * STATS]];
            let problem = Problem::new(n, v, Options::default()).unwrap();
            let logits = Tensor { data: a, dtype: z.dtype(), layout };
            let inputs = Inputs::new(logits, Some(vector(&target, Dtype::I64)));
            let logprob_only = Figures { logprob: Some(vector(&out[0], Dtype::F32)), ..Figures::default() };
            let stats = tensor(&out[2], Dtype::F32, Layout::contiguous(n, STATS));
            let entropy = Figures { entropy: Some(vector(&out[1], Dtype::F32)), stats: Some(stats), ..logprob_only };
            let need = logprob::backward_workspace(&problem, false).minimum;
            let space = Space { data: alloc(need), size: need };
            let upstream = Upstream { logprob: Some(vector(&f, Dtype::F32)), ..Upstream::default() };
            let copy =
                median(&mut || driver!(c"cuMemcpyDtoDAsync_v2" (g, a, bytes, STREAM.0) : u64, u64, usize, *mut c_void));
            let copy = 2.0 * bytes as f64 / copy * 1e-6;
            let line = |name: &str, passes: usize, go: &mut dyn FnMut() -> Result<(), Error>| {
                go().unwrap();
                let ms = median(&mut || go().unwrap());
                let rate = (passes * bytes) as f64 / ms * 1e-6;
                println!("| {name} | {n} x {v} {} | {ms:.4} | {rate:.0} | {:.2} |", z.dtype(), rate / copy);
            };
            let (p, grad) = (&problem, Tensor { data: g, ..logits });
            let forward = |out: &Figures| {
                // SAFETY: device memory of the right extents, freed once the device is idle.
                unsafe { logprob::forward(&context, STREAM, p, &inputs, out, space) }
            };
            let backward = |stats| {
                // SAFETY: as above.
                unsafe { logprob::backward(&context, STREAM, p, &inputs, stats, &upstream, grad, None, space) }
            };
            line("copy", 2, &mut || {
                driver!(c"cuMemcpyDtoDAsync_v2" (g, a, bytes, STREAM.0) : u64, u64, usize, *mut c_void);
                Ok(())
            });
            line("logprob", 1, &mut || forward(&logprob_only));
            line("logprob, entropy, stats", 1, &mut || forward(&entropy));
            line("backward from stats", 2, &mut || backward(Some(stats)));
            line("backward from logits", 3, &mut || backward(None));
            driver!(c"cuCtxSynchronize" () :);
            [a, g, space.data].into_iter().for_each(free);
            memory::clear();
        }
    }
    for kind in [1, 0] {
        divergence::times(&context, kind, small, &median);
    }
    if mode() == Mode::Fast {
        return;
    }
    println!("| loss and gradient | elements | us | without the wait between calls |");
    println!("|---|---|---|---|");
    let line = |name: &str, n: usize, go: &mut dyn FnMut() -> Result<(), Error>| {
        go().unwrap();
        let us = 1000.0 * median(&mut || go().unwrap());
        let each = 1000.0 / 50.0 * median(&mut || (0..50).for_each(|_| go().unwrap()));
        println!("| {name} | {n} | {us:.1} | {each:.1} |");
    };
    for n in [512, 8192] {
        let numbers: [Vec<f32>; 3] = std::array::from_fn(|k| Random(k as u64).normals(2 * n, 1.0));
        let (loss, grad) = (vec![0.0f64], vec![0.0f32; 2 * n]);
        let (out_loss, f) =
            (Some(vector(&loss, Dtype::F64)), |k: usize, n: usize| vector(&numbers[k][..n], Dtype::F32));
        let id = |kind, name| catalog::find(kind, name).unwrap().about.id;
        {
            use truing_core::preference::{Options, Term};
            use truing_cuda::preference as device;
            let items = device::Items::Interleaved;
            let inputs = device::Inputs { ref_scores: Some(f(1, 2 * n)), ..device::Inputs::new(f(0, 2 * n)) };
            let grad_scores = Some(vector(&grad, Dtype::F32));
            let out = device::Outputs { loss: out_loss, grad_scores, ..device::Outputs::default() };
            let need = device::workspace(2 * n, &items).minimum;
            let space = Space { data: alloc(need), size: need };
            let terms = [Term { id: id(Kind::Pair, "dpo"), ..Term::default() }];
            line("preference, dpo", n, &mut || {
                // SAFETY: as above.
                unsafe {
                    device::forward(&context, STREAM, 2 * n, items, &terms, Options::default(), &inputs, &out, space)
                }
            });
            driver!(c"cuCtxSynchronize" () :);
            free(space.data);
        }
        {
            use truing_core::policy::{Aggregate, Level, Mode, Options};
            use truing_cuda::policy as device;
            let layout = device::Layout::Padded { sequences: n / 256, width: 256 };
            let advantage = Some(device::Each::Token(f(2, n)));
            let inputs = device::Inputs { old: Some(f(1, n)), advantage, ..device::Inputs::new(f(0, n)) };
            let out = device::Outputs {
                loss: out_loss,
                grad_logps: Some(tensor(&grad, Dtype::F32, Layout::contiguous(n, 1))),
                ..Default::default()
            };
            let own = Options::new(id(Kind::Token, "ppo_clip"), Level::Token, Aggregate::new(Mode::TokenMean));
            let need = device::workspace(&layout, &own).minimum;
            let space = Space { data: alloc(need), size: need };
            line("policy, ppo_clip", n, &mut || {
                // SAFETY: as above.
                unsafe { device::forward(&context, STREAM, layout, &own, &inputs, &out, space) }
            });
            driver!(c"cuCtxSynchronize" () :);
            free(space.data);
        }
        memory::clear();
    }
}

/// One row whose log-prob is known.
fn tiny(context: &Context) -> Result<f32, Error> {
    let (z, target, lp) = (vec![0.0f32; 4], vec![2i64], vec![0.0f32]);
    let problem = Problem::new(1, 4, Options::default())?;
    let inputs = Inputs::new(tensor(&z, Dtype::F32, Layout::contiguous(1, 4)), Some(vector(&target, Dtype::I64)));
    let figures = Figures { logprob: Some(vector(&lp, Dtype::F32)), ..Figures::default() };
    let scratch = Scratch::new(logprob::forward_workspace(&problem).minimum);
    // SAFETY: the stand-in's device memory is this process's, and the arrays live.
    unsafe { logprob::forward(context, STREAM, &problem, &inputs, &figures, scratch.space()) }?;
    // the kernel wrote it behind the compiler's back
    Ok(std::hint::black_box(&lp)[0])
}
const QUARTER: f32 = -1.3862944;

#[test]
#[ignore = "a child of the tests above"]
fn child_host() {
    let sizes = [
        logprob::ARGS,
        sequence::ARGS,
        truing_cuda::preference::ARGS,
        truing_cuda::policy::ARGS,
        truing_cuda::divergence::ARGS,
        truing_cuda::advantage::ARGS[0],
        truing_cuda::advantage::ARGS[1],
        truing_cuda::advantage::ARGS[2],
        truing_cuda::advantage::ARGS[3],
        logprob::extra::ARGS,
        truing_cuda::divergence::SHARD_ARGS,
        truing_cuda::divergence::PARTIAL_ARGS,
        truing_cuda::advantage::ARGS[4],
        truing_cuda::advantage::ARGS[5],
        truing_cuda::tds_rows::ARGS,
        truing_cuda::correction::ARGS,
        logprob::DOUBLE_ARGS,
        truing_cuda::selection::ARGS,
        truing_cuda::advantage::ARGS[6],
        truing_cuda::divergence::ULD_ARGS,
    ];
    for (family, size) in sizes.into_iter().enumerate() {
        assert_eq!(
            standin(CUDA, c"standin_args", family as c_int) as usize,
            size,
            "the kernels' arguments have another size"
        );
    }
    let compiled = || standin(NVRTC, c"standin_compiled", 0);
    let dir = PathBuf::from(std::env::var_os("TRUING_STANDIN").unwrap()).join("cache");
    // what an earlier run has left there
    let _ = std::fs::remove_dir_all(&dir);
    let cached =
        |dir: &Path| Context::new(ContextOptions { cache_dir: Some(dir.to_path_buf()), ..ContextOptions::default() });

    // no current context
    standin(CUDA, c"standin_context", 0);
    assert_eq!(tiny(&Context::default()).unwrap_err().status, Status::NoDevice);
    standin(CUDA, c"standin_context", 1);

    // compiled once a context of ours, not at all where `prepare` has been
    let context = Context::default();
    assert_eq!(tiny(&context), Ok(QUARTER));
    assert_eq!(tiny(&context), Ok(QUARTER));
    assert_eq!(compiled(), 1);
    let context = Context::default();
    standin(CUDA, c"standin_capture", 1);
    let e = tiny(&context).unwrap_err();
    assert_eq!((e.status, e.field), (Status::LaunchFailed, "stream"));
    standin(CUDA, c"standin_capture", 0);
    context.prepare().unwrap();
    standin(CUDA, c"standin_capture", 1);
    assert_eq!(tiny(&context), Ok(QUARTER));
    standin(CUDA, c"standin_capture", 0);
    let files = 12;
    assert_eq!(compiled(), 1 + files);
    let compiled = || standin(NVRTC, c"standin_compiled", 0) - files + 1;

    // the cache: a folder that is not there, one that fills, corrupt files, several threads
    assert_eq!(tiny(&cached(&dir)), Ok(QUARTER));
    assert_eq!(compiled(), 3);
    std::fs::create_dir_all(&dir).unwrap();
    assert_eq!(tiny(&cached(&dir)), Ok(QUARTER));
    assert_eq!(compiled(), 4);
    assert_eq!(tiny(&cached(&dir)), Ok(QUARTER));
    assert_eq!(compiled(), 4, "the cache was not used");
    let files: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|f| f.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let whole = std::fs::read(&files[0]).unwrap();
    let mut bent = whole.clone();
    bent[20] ^= 1;
    for (k, bad) in [&bent[..], &whole[..10], b""].into_iter().enumerate() {
        std::fs::write(&files[0], bad).unwrap();
        assert_eq!(tiny(&cached(&dir)), Ok(QUARTER));
        assert_eq!(compiled(), 5 + k as i32);
        assert_eq!(std::fs::read(&files[0]).unwrap(), whole, "the file was not repaired");
    }
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| assert_eq!(tiny(&cached(&dir)), Ok(QUARTER)));
        }
    });
    assert_eq!(compiled(), 7);

    // compiled beforehand: nothing is compiled, unless it is for another device or of another text
    let made = truing_cuda::images((9, 0)).unwrap();
    for (change, arch, compiles) in [(0, (9, 0), 0), (1, (9, 0), 1), (0, (9, 1), 1), (0, (8, 0), 1)] {
        let image = |(file, key, code): &(&'static str, u64, Vec<u8>)| truing_cuda::Image {
            file,
            key: key ^ change,
            arch,
            code: code.clone().leak(),
        };
        let images = made.iter().map(image).collect::<Vec<_>>().leak();
        let before = compiled();
        assert_eq!(tiny(&Context::new(ContextOptions { images, ..ContextOptions::default() })), Ok(QUARTER));
        assert_eq!(compiled() - before, compiles, "{arch:?}");
    }

    refusals(&Context::default());
    abi::host();
    println!("15 ways of the host path passed");
}
/// Every check of the arguments names its field; nothing is launched.
fn refusals(context: &Context) {
    let launches = || standin(CUDA, c"standin_launches", 0);
    let before = launches();
    let (n, v) = (3, 40);
    let (z, ids, mask, f) = (vec![0.0f32; n * v], vec![0i64; n], vec![1u8; n], vec![0.0f32; n * v + 1]);
    let layout = Layout::contiguous(n, v);
    let (zt, ok) = (tensor(&z, Dtype::F32, layout), Options::default());
    let inputs = Inputs::new(zt, Some(vector(&ids, Dtype::I64)));
    let out = |t| Figures { logprob: Some(t), ..Figures::default() };
    let good = vector(&f[..n], Dtype::F32);
    let scratch = Scratch::new(1 << 12);
    let mut refused = 0;
    let mut go = |field: &str, status, options: Options, inputs: Inputs, figures: Figures, space: Space| {
        let problem = Problem::new(n, v, options).unwrap();
        // SAFETY: refused, or of the stand-in's memory.
        let e = unsafe { logprob::forward(context, STREAM, &problem, &inputs, &figures, space) }.unwrap_err();
        assert_eq!((e.field, e.status), (field, status), "{e}");
        refused += 1;
    };
    use Status::*;
    let space = scratch.space();
    let shape = tensor(&z, Dtype::F32, Layout::contiguous(n, v - 1));
    go("logits", ShapeMismatch, ok, Inputs { logits: shape, ..inputs }, out(good), space);
    let wide = Tensor { dtype: Dtype::F64, ..zt };
    go("logits", UnsupportedDtype, ok, Inputs { logits: wide, ..inputs }, out(good), space);
    let odd = Tensor { data: zt.data + 1, ..zt };
    go("logits", InvalidArgument, ok, Inputs { logits: odd, ..inputs }, out(good), space);
    go("logits", InvalidArgument, ok, Inputs { logits: Tensor { data: 0, ..zt }, ..inputs }, out(good), space);
    go("rows.target", InvalidArgument, ok, Inputs { target: None, ..inputs }, out(good), space);
    go("rows.target", UnsupportedDtype, ok, Inputs { target: Some(good), ..inputs }, out(good), space);
    go(
        "rows.mask",
        ShapeMismatch,
        ok,
        Inputs { mask: Some(vector(&mask[..2], Dtype::U8)), ..inputs },
        out(good),
        space,
    );
    go("transform.bias", ShapeMismatch, ok, Inputs { bias: Some(good), ..inputs }, out(good), space);
    let t = Some(vector(&ids, Dtype::I64));
    go("transform.row_temperature", UnsupportedDtype, ok, Inputs { row_temperature: t, ..inputs }, out(good), space);
    go("figures.out_logprob", ShapeMismatch, ok, inputs, out(vector(&f[..2], Dtype::F32)), space);
    go("figures.out_logprob", UnsupportedDtype, ok, inputs, out(vector(&ids, Dtype::I64)), space);
    let same_place = Tensor { layout: Layout::strided(n, 1, 0), ..good };
    go("figures.out_logprob", ShapeMismatch, ok, inputs, out(same_place), space);
    go("workspace_size", WorkspaceTooSmall, ok, inputs, out(good), Space { size: 8, ..space });
    go("workspace", InvalidArgument, ok, inputs, out(good), Space { data: space.data + 8, ..space });
    go("rows.shift", InvalidArgument, Options { shift: 1, ..ok }, inputs, out(good), space);
    go("figures.entropy_k", InvalidArgument, Options { entropy_k: 3, ..ok }, inputs, out(good), space);
    let z_loss = spec::Options { row_loss: truing_core::row_loss::RowLoss { z_loss: 0.1, ..Default::default() }, ..ok };
    go("row_loss", InvalidArgument, z_loss, inputs, out(good), space);
    let problem = Problem::new(n, v, ok).unwrap();
    let mut go = |field: &str, status, inputs: Inputs, stats: Option<Tensor>, upstream: Upstream, grad: Tensor| {
        // SAFETY: refused.
        let r = unsafe { logprob::backward(context, STREAM, &problem, &inputs, stats, &upstream, grad, None, space) };
        let e = r.unwrap_err();
        assert_eq!((e.field, e.status), (field, status), "{e}");
        refused += 1;
    };
    let g = tensor(&f, Dtype::F32, layout);
    let up = Upstream { logprob: Some(good), ..Upstream::default() };
    go("grad_logits", Aliasing, inputs, None, up, Tensor { data: zt.data + 4, ..zt });
    go("grad_logits", ShapeMismatch, inputs, None, up, shape);
    go("grad_logits", UnsupportedDtype, inputs, None, up, Tensor { dtype: Dtype::F16, ..g });
    go("stats", ShapeMismatch, inputs, Some(good), up, g);
    go("upstream.grad_lse", UnsupportedDtype, inputs, None, Upstream { lse: inputs.target, ..up }, g);
    go("upstream.grad_scale", InvalidArgument, inputs, None, Upstream { scale: f64::NAN, ..up }, g);
    go("rows.target", InvalidArgument, Inputs { target: None, ..inputs }, None, up, g);
    refused += divergence::refusals(context);
    assert_eq!(launches(), before);
    // no rows: nothing to do, nothing to launch
    let none = Problem::new(0, v, ok).unwrap();
    let empty = Tensor::contiguous(0, Dtype::F32, 0, v);
    // SAFETY: there is nothing to touch.
    unsafe { logprob::forward(context, STREAM, &none, &Inputs::new(empty, None), &Figures::default(), Space::NONE) }
        .unwrap();
    assert_eq!(launches(), before);
    println!("{refused} refusals");
}

#[test]
#[ignore = "a child of the tests above"]
fn child_refused() {
    let e = truing_cuda::available().unwrap_err();
    assert_eq!(e.status, Status::NoDevice, "{e}");
    assert_eq!(tiny(&Context::default()).unwrap_err().status, Status::NoDevice);
    abi::without_driver();
}
#[test]
#[ignore = "a child of the tests above"]
fn child_newer() {
    assert_eq!(tiny(&Context::default()), Ok(QUARTER));
    assert_eq!(standin(NVRTC, c"standin_compiled", 0), 1);
}
