//! CUDA backend of Truing. It builds on every machine: driver and compiler are looked for at run time only.
//!
//! Floor plan. `kernels/` holds CUDA C++ text without any toolkit header: `dtype.cuh`, `reduce.cuh`, `ptx.cuh`, one
//! `<family>.cu` a family, and `generated/losses.cuh`, which `cargo xtask generate` writes from the catalogue.
//! `src/driver.rs` is the one file that touches the driver, `src/program.rs` loads or compiles text, `src/plan.rs`
//! turns a checked problem of `truing-core` into a launch, and `src/<family>.rs` is called by the C ABI.
//!
//! Today the crate holds the loss text. Kernels on logits and the host path come with it in a later version.

/// Every catalogue entry and every elementary function as straight-line CUDA C++, with the bits of the Rust code.
/// Compile it without contraction (`--fmad=false`); a host compiler takes it too (`-ffp-contract=off`).
pub const LOSSES: &str = include_str!("../kernels/generated/losses.cuh");
