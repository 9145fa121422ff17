//! The C ABI of Truing: every function parses, checks and calls; nothing is computed here.
#![allow(non_camel_case_types)]

// Shapes in the header's comments, such as [B], are no links.
#[allow(rustdoc::broken_intra_doc_links)]
pub mod abi;
pub mod advantage;
pub mod batch;
pub mod catalog;
pub mod classes;
pub mod context;
pub mod correction;
pub mod divergence;
pub mod linear_divergence;
pub mod linear_logprob;
pub mod linear_policy;
pub mod linear_preference;
pub mod logprob;
pub mod policy;
pub mod preference;
pub mod sequence;
pub mod sequence_kl;
pub mod support;
pub mod tds_rows;
pub mod tilt;

mod boundary;
mod tensor;

pub use boundary::{test_panic, truing_abi_version, truing_last_error, truing_version};
