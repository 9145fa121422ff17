//! One layout seen by Rust, C, C++ and ctypes; the header is clean in both languages and is what the sources say.
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use truing_core::Status;
use truing_core::catalog::{self, Kind, Score, slot};
use truing_core::error::row;
use truing_ffi::abi::{CONSTANTS, STRUCTS};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn run(command: &mut Command) -> Output {
    let out = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(out.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&out.stderr));
    out
}

/// Compiles `tests/abi/<name>.c` as the given language and returns the program.
fn compile(language: &str, name: &str) -> PathBuf {
    let (compiler, x) = if language.starts_with("c++") { ("CXX", "c++") } else { ("CC", "c") };
    let compiler = std::env::var(compiler).unwrap_or_else(|_| if x == "c" { "cc".into() } else { "c++".into() });
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{language}"));
    run(Command::new(compiler)
        .args(["-x", x, &format!("-std={language}"), "-Wall", "-Wextra", "-pedantic", "-Werror"])
        .arg(format!("-I{}", root().join("include").display()))
        .arg(root().join(format!("tests/abi/{name}.c")))
        .arg("-o")
        .arg(&program));
    program
}

/// What Rust says, in the probe's words.
fn expected(constants: bool) -> String {
    let mut out = String::new();
    for (name, size, fields) in STRUCTS {
        writeln!(out, "struct {name} {size}").unwrap();
        for f in *fields {
            writeln!(out, "field {name} {} {} {}", f.name, f.offset, f.size).unwrap();
        }
    }
    for (name, value) in CONSTANTS.iter().filter(|_| constants) {
        writeln!(out, "constant {name} {value}").unwrap();
    }
    out
}

fn compare(who: &str, got: &str, want: &str) {
    for (got, want) in got.lines().zip(want.lines()) {
        assert_eq!(got, want, "{who} and Rust disagree");
    }
    assert_eq!(got.lines().count(), want.lines().count(), "{who} names more or fewer things than Rust");
}

#[test]
fn c_and_cpp_see_the_layout_of_rust() {
    let want = expected(true);
    let (structs, lines) = (STRUCTS.len(), want.lines().count());
    assert!(
        structs >= 50 && CONSTANTS.len() >= 222 && lines >= 1000,
        "the ABI shrank: {structs} structs, {lines} lines"
    );
    for language in ["c99", "c11", "c++17"] {
        let out = run(&mut Command::new(compile(language, "probe")));
        compare(language, &String::from_utf8(out.stdout).unwrap(), &want);
    }
    println!("{structs} structs, {} constants, {lines} lines compared in three languages", CONSTANTS.len());
}

#[test]
fn tensors_have_the_layout_of_dlpack() {
    for language in ["c99", "c++17"] {
        run(&mut Command::new(compile(language, "dlpack")));
    }
}

#[test]
fn ctypes_sees_the_layout_of_rust() {
    let script = "
import ctypes, importlib.util, sys
spec = importlib.util.spec_from_file_location('_abi', sys.argv[1])
abi = importlib.util.module_from_spec(spec)
spec.loader.exec_module(abi)
for s in abi.STRUCTS:
    print('struct', s.__name__, ctypes.sizeof(s))
    for name, _ in s._fields_:
        f = getattr(s, name)
        print('field', s.__name__, name, f.offset, f.size)
for name, value in vars(abi).items():
    if name.startswith('TRUING_'):
        print('constant', name, value)
";
    let file = root().join("ffi/python/truing/_abi.py");
    let out = run(Command::new("python3").args(["-B", "-c", script]).arg(file));
    compare("ctypes", &String::from_utf8(out.stdout).unwrap(), &expected(true));
}

#[test]
fn structs_have_no_hidden_bytes_and_end_in_reserved_ones() {
    for (name, size, fields) in STRUCTS {
        let mut end = 0;
        for f in *fields {
            assert_eq!(f.offset, end, "{name}.{}: implicit padding", f.name);
            end += f.size;
        }
        assert_eq!(end, *size, "{name}: padding at the end");
        let last = fields.last().unwrap();
        if name.ends_with("_args") {
            assert_eq!((last.name, last.size), ("reserved", 64), "{name}");
        } else if !["truing_device", "truing_dtype", "truing_tensor"].contains(name) {
            assert!(last.name == "reserved" && last.size >= 8, "{name} cannot grow");
        }
    }
}

#[test]
fn an_output_says_so_in_its_name() {
    // The rule of the header: what out_* and grad_*_out point to is written, everything else is read.
    let groups = STRUCTS.iter().filter(|s| s.0.ends_with("_outputs") || s.0 == "truing_head_grads");
    assert!(groups.clone().count() >= 5);
    for (name, _, fields) in groups {
        for f in *fields {
            let output = f.name.starts_with("out_") || (f.name.starts_with("grad_") && f.name.ends_with("_out"));
            assert!(output || f.name == "reserved", "{name}.{}", f.name);
        }
    }
}

#[test]
fn status_numbers_are_those_of_core() {
    let all = [
        ("INVALID_ARGUMENT", Status::InvalidArgument),
        ("SHAPE_MISMATCH", Status::ShapeMismatch),
        ("UNSUPPORTED_DTYPE", Status::UnsupportedDtype),
        ("UNSUPPORTED_DEVICE", Status::UnsupportedDevice),
        ("OUT_OF_RANGE", Status::OutOfRange),
        ("ALIASING", Status::Aliasing),
        ("WORKSPACE_TOO_SMALL", Status::WorkspaceTooSmall),
        ("NO_DEVICE", Status::NoDevice),
        ("LAUNCH_FAILED", Status::LaunchFailed),
        ("ABI_MISMATCH", Status::AbiMismatch),
        ("INTERNAL", Status::Internal),
    ];
    let get = |name: &str| CONSTANTS.iter().find(|c| c.0 == format!("TRUING_STATUS_{name}")).map(|c| c.1);
    assert_eq!(get("OK"), Some(0));
    for (name, status) in all {
        assert_eq!(get(name), Some(status as i64), "{name}");
    }
    assert_eq!(CONSTANTS.iter().filter(|c| c.0.starts_with("TRUING_STATUS_")).count(), all.len() + 1);
}

#[test]
fn bits_and_kinds_are_those_of_core() {
    let get = |name: &str| {
        let found = CONSTANTS.iter().find(|c| c.0.strip_prefix("TRUING_") == Some(name));
        found.unwrap_or_else(|| panic!("TRUING_{name} is missing")).1 as u64
    };
    macro_rules! same {
        ($prefix:literal, $module:ident: $($name:ident),*) => {
            $( assert_eq!(get(concat!($prefix, stringify!($name))), $module::$name as u64, stringify!($name)); )*
            let all = [$(stringify!($name)),*].len();
            assert_eq!(CONSTANTS.iter().filter(|c| c.0.starts_with(concat!("TRUING_", $prefix))).count(), all);
        };
    }
    same!("ROW_", row: IGNORED, NAN_INPUT, INF_INPUT, TARGET_NEG_INF, ALL_NEG_INF, OUT_OF_RANGE, TARGET_OUTSIDE, EMPTY,
        OVERFLOW, SATURATED, INFINITE, DEGENERATE, NEG_INF_CANCEL);
    same!("SLOT_", slot: LOGP, REF, LENGTH, KL, MARGIN, ANCHOR, BETA, LABEL, BASELINE, SHIFT, LIST_TARGET, OLD, SAMPLER,
        ADVANTAGE, ENTROPY, FLAG, LOG_Z, IMPORTANCE, WEIGHT);
    for kind in Kind::ALL {
        assert_eq!(get(&format!("KIND_{}", kind.name().to_uppercase())), kind as u64);
    }
    assert_eq!((get("SCORE_SUM"), get("SCORE_MEAN")), (Score::Sum as u64, Score::Mean as u64));
    assert_eq!(get("STATS_WIDTH"), truing_core::logprob::STATS as u64);
}

#[test]
fn methods_says_how_every_entry_is_expressed() {
    let text = std::fs::read_to_string(root().join("ffi/METHODS.md")).unwrap();
    for entry in catalog::ALL {
        let name = format!("`{}`", entry.about.name);
        assert!(text.contains(&name), "ffi/METHODS.md does not name {name}");
    }
}

#[test]
fn generated_files_are_current() {
    let mut command = Command::new(env!("CARGO"));
    run(command.current_dir(root()).args(["run", "--quiet", "--package", "xtask", "--", "generate", "--check"]));
}
