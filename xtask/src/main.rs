//! `cargo xtask generate` writes every committed file that follows from the sources, `generate --check` fails where one
//! differs; `cargo xtask dist --prefix P` lays out the C packages; `cargo xtask exhaustive [STRIDE]` judges the
//! elementary functions on every f32 or every STRIDE-th.
use std::path::Path;
use std::process::ExitCode;

mod catalog;
mod dist;
mod header;
mod recorder;

/// Every generated file: where it lies and what it holds.
fn files(root: &Path) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("cuda/kernels/generated/losses.cuh", recorder::losses_cuh()),
        ("cuda/kernels/generated/record.cuh", recorder::record_cuh()),
        ("cuda/kernels/generated/divergence.cuh", recorder::divergence_cuh()),
        ("include/truing_losses.h", catalog::losses_h()),
    ];
    if let Ok(readme) = std::fs::read_to_string(root.join("README.md")) {
        all.push(("README.md", catalog::insert(&readme)));
    }
    all.extend(header::files());
    all
}

fn generate(check: bool) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    let mut stale = vec![];
    let all = files(root);
    for (path, text) in &all {
        let path = root.join(path);
        if std::fs::read_to_string(&path).is_ok_and(|old| old == *text) {
            continue;
        }
        if check {
            stale.push(path.display().to_string());
            continue;
        }
        let folder = path.parent().expect("inside the root");
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|e| format!("{}: {e}", path.display()))?;
        println!("wrote {}", path.display());
    }
    println!("{} generated files, {} differ", all.len(), stale.len());
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!("not what the sources say, run `cargo xtask generate`:\n  {}", stale.join("\n  ")))
}

/// A release job, so it is a program of its own and no test.
fn exhaustive(root: &Path, stride: &str) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let args = ["run", "--release", "--package", "truing-tests", "--bin", "exhaustive", stride];
    let status = std::process::Command::new(cargo).args(args).current_dir(root).status().map_err(|e| e.to_string())?;
    if status.success() { Ok(()) } else { Err("a bound is broken, see above".into()) }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    let done = match args[..] {
        ["generate"] => generate(false),
        ["generate", "--check"] => generate(true),
        ["dist", "--prefix", prefix] => dist::run(root, Path::new(prefix)).map_err(|e| e.to_string()),
        ["exhaustive"] => exhaustive(root, "1"),
        ["exhaustive", stride] => exhaustive(root, stride),
        _ => Err("usage: cargo xtask generate [--check] | dist --prefix PREFIX | exhaustive [STRIDE]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
