//! CUDA backend of Truing. It builds on every machine: driver and compiler are looked for at run time only.
//!
//! Floor plan. `kernels/` holds CUDA C++ text without any toolkit header: `dtype.cuh`, `segments.cuh`, `reduce.cuh`,
//! `logits.cuh`, `ptx.cuh`, the entries of lists in `lists.cuh`, one `<family>.cu` a family (two of `logprob`, four of `divergence`), and `generated/`, which `cargo xtask generate` writes. `src/driver.rs` is the one
//! file that touches the driver, `src/program.rs` compiles and loads text, `src/plan.rs` turns a checked problem of
//! `truing-core` into a launch, and `src/<family>.rs` is called by the C ABI.
//!
//! Calls enqueue on the caller's stream, in the caller's current context, on the caller's memory, and do nothing else: no
//! allocation, no synchronisation, no event. A call can be captured into a graph once [`Context::prepare`] has run.
//! [`Entered`] is for callers whose tensors lie on another device than the current one.
//!
//! Streams: [`Stream`] from cudarc's by `From`, from a raw handle of any other library; `cust/` beside `src/` is a crate of its
//! own for cust's streams and device memory.

pub mod advantage;
pub mod correction;
pub mod divergence;
pub mod driver;
pub mod logprob;
mod plan;
pub mod policy;
pub mod preference;
mod program;
pub mod selection;
pub mod sequence;
pub mod tds_rows;

pub use driver::{Entered, Stream, available};
pub use plan::{Space, Tensor};
pub use program::{Context, ContextOptions, Image, Mode, images};

/// Every catalogue entry and every elementary function as straight-line CUDA C++, with the bits of the Rust code.
/// Compile it without contraction (`--fmad=false`); a host compiler takes it too (`-ffp-contract=off`).
pub const LOSSES: &str = include_str!("../kernels/generated/losses.cuh");
