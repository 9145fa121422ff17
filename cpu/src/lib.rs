//! CPU backend: the problems of `truing-core` over SIMD lanes and threads, with the same bits on every instruction set.

pub mod advantage;
pub mod batch;
pub mod classes;
pub mod correction;
pub mod divergence;
pub mod gemm;
pub mod lanes;
pub mod linear_divergence;
pub mod linear_logprob;
pub mod linear_policy;
pub mod linear_preference;
pub mod logprob;
pub mod parallel;
pub mod policy;
pub mod preference;
pub mod rows;
pub mod sequence;
mod space;
pub mod support;
pub mod tds_rows;
pub mod tilt;

pub use lanes::Isa;
pub use parallel::{Context, ContextOptions, Mode};
pub use space::Space;
