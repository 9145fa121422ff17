//! `cargo run -p truing-tests --bin hashes`: writes `golden/hashes.txt` anew. Run it only together with a line in
//! CHANGELOG.md that says which values changed and why.
#[path = "hashes.rs"]
mod hashes;

fn main() -> std::io::Result<()> {
    let context = truing_tests::context(truing_cpu::Isa::Scalar, 0);
    std::fs::write(hashes::FILE, hashes::text(&context))?;
    println!("wrote {}: {} operations, {} cases each", hashes::FILE, hashes::OPERATIONS.len(), hashes::CASES);
    Ok(())
}
