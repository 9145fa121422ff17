//! The caller's floating-point environment changes no bit and is left as it was (x86-64: MXCSR).
#![cfg(target_arch = "x86_64")]
use truing_ffi::abi::*;
use truing_ffi::logprob::{truing_logprob_backward, truing_logprob_forward};

fn mxcsr() -> u32 {
    let mut word = 0u32;
    // SAFETY: stores the control word into `word`.
    unsafe { core::arch::asm!("stmxcsr [{}]", in(reg) &mut word, options(nostack)) };
    word
}
fn set_mxcsr(word: u32) {
    // SAFETY: the word comes from `mxcsr` or sets documented bits of it.
    unsafe { core::arch::asm!("ldmxcsr [{}]", in(reg) &word, options(nostack, readonly)) };
}

struct Tensor {
    shape: [i64; 2],
    tensor: truing_tensor,
}
impl Tensor {
    fn new<T>(data: &mut [T], shape: [i64; 2], ndim: i32, code: u8) -> Box<Tensor> {
        let dtype = truing_dtype { code, bits: 8 * size_of::<T>() as u8, lanes: 1 };
        let device = truing_device { device_type: TRUING_DEVICE_CPU, device_id: 0 };
        let data = data.as_mut_ptr().cast();
        let tensor = truing_tensor { data, device, ndim, dtype, ..Default::default() };
        let mut all = Box::new(Tensor { shape, tensor });
        all.tensor.shape = all.shape.as_ptr();
        all
    }
}

/// Log-probs and gradients of rows whose smallest probabilities are denormal.
fn run(environment: u32) -> (Vec<u32>, u32) {
    let (n, v) = (4usize, 600usize);
    let mut logits: Vec<f32> = (0..n * v).map(|i| -((i * 7919 % 1200) as f32) * 0.08).collect();
    let mut target: Vec<i64> = (0..n as i64).map(|i| i * 13).collect();
    let (mut logprob, mut upstream, mut grad) = (vec![0f32; n], vec![1e-3f32; n], vec![0f32; n * v]);
    let (rows, cells) = ([n as i64, 0], [n as i64, v as i64]);
    let z = Tensor::new(&mut logits, cells, 2, TRUING_DTYPE_FLOAT);
    let y = Tensor::new(&mut target, rows, 1, TRUING_DTYPE_INT);
    let lp = Tensor::new(&mut logprob, rows, 1, TRUING_DTYPE_FLOAT);
    let g = Tensor::new(&mut upstream, rows, 1, TRUING_DTYPE_FLOAT);
    let dz = Tensor::new(&mut grad, cells, 2, TRUING_DTYPE_FLOAT);
    let mut forward = truing_logprob_forward_args::default();
    forward.struct_size = size_of_val(&forward) as u32;
    forward.logits = &z.tensor;
    forward.rows.target = &y.tensor;
    forward.figures.out_logprob = &lp.tensor;
    let mut backward = truing_logprob_backward_args::default();
    backward.struct_size = size_of_val(&backward) as u32;
    backward.logits = &z.tensor;
    backward.rows.target = &y.tensor;
    backward.upstream.grad_logprob = &g.tensor;
    backward.grad_logits_out = &dz.tensor;
    let before = mxcsr();
    set_mxcsr(environment);
    // SAFETY: every tensor describes a live vector of its size.
    let status = unsafe { [truing_logprob_forward(&forward), truing_logprob_backward(&backward)] };
    let after = mxcsr();
    set_mxcsr(before);
    assert_eq!(status, [TRUING_STATUS_OK; 2]);
    (logprob.iter().chain(&grad).map(|x| x.to_bits()).collect(), after & !0x3f)
}

#[test]
fn flushing_and_rounding_of_the_caller_change_nothing() {
    let default = 0x1f80;
    let (want, _) = run(default);
    assert!(
        want.iter().any(|&b| b & 0x7f80_0000 == 0 && b & 0x7f_ffff != 0),
        "no denormal gradient: the test sees nothing"
    );
    let environments = [0x1f80 | 0x8000, 0x1f80 | 0x0040, 0x1f80 | 0x8040, 0x1f80 | 0x2000, 0x1f80 | 0x6000];
    for environment in environments {
        let (got, after) = run(environment);
        assert_eq!(got, want, "environment {environment:#x}");
        assert_eq!(after, environment, "the caller's environment is not given back");
    }
    println!("float environment: {} settings, {} outputs each", environments.len(), want.len());
}
