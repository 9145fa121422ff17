//! Hostile values through honest pointers: whatever a struct or a tensor says, the library answers with a named error and
//! leaves every output byte as it was, and it never reads a masked row or past the sizes it was given.
use core::ffi::{CStr, c_int, c_void};
use core::ptr::{null, null_mut};
use truing_ffi::abi::*;
use truing_ffi::advantage::*;
use truing_ffi::batch::*;
use truing_ffi::classes::*;
use truing_ffi::context::*;
use truing_ffi::correction::*;
use truing_ffi::divergence::*;
use truing_ffi::linear_divergence::*;
use truing_ffi::linear_logprob::*;
use truing_ffi::linear_policy::*;
use truing_ffi::linear_preference::*;
use truing_ffi::logprob::*;
use truing_ffi::policy::*;
use truing_ffi::preference::*;
use truing_ffi::sequence::*;
use truing_ffi::sequence_kl::*;
use truing_ffi::support::*;
use truing_ffi::tds_rows::*;
use truing_ffi::tilt::*;
use truing_tests::{Counting, Random};

const CANARY: u8 = 0xa5;

fn message() -> String {
    // SAFETY: the message is a NUL-terminated string of this thread.
    unsafe { CStr::from_ptr(truing_ffi::truing_last_error()) }.to_str().unwrap().to_owned()
}

/// A descriptor that owns its shape and strides.
struct Tensor {
    raw: Box<truing_tensor>,
    shape: Array,
    strides: Array,
}
/// Numbers that a descriptor points to. A `Box` would take the right to read them away from the descriptor whenever it is
/// moved or written through, which Miri rightly reports.
struct Array(*mut [i64; 8]);
impl Array {
    fn new(values: [i64; 8]) -> Array {
        Array(Box::into_raw(Box::new(values)))
    }
}
impl core::ops::Deref for Array {
    type Target = [i64; 8];
    fn deref(&self) -> &[i64; 8] {
        // SAFETY: alive until the drop.
        unsafe { &*self.0 }
    }
}
impl core::ops::DerefMut for Array {
    fn deref_mut(&mut self) -> &mut [i64; 8] {
        // SAFETY: alive until the drop.
        unsafe { &mut *self.0 }
    }
}
impl Drop for Array {
    fn drop(&mut self) {
        // SAFETY: from `Box::into_raw`.
        drop(unsafe { Box::from_raw(self.0) });
    }
}
const F32: (u8, u8) = (TRUING_DTYPE_FLOAT, 32);
const F64: (u8, u8) = (TRUING_DTYPE_FLOAT, 64);
const I32: (u8, u8) = (TRUING_DTYPE_INT, 32);
const I64: (u8, u8) = (TRUING_DTYPE_INT, 64);
const U8: (u8, u8) = (TRUING_DTYPE_UINT, 8);
const U32: (u8, u8) = (TRUING_DTYPE_UINT, 32);
impl Tensor {
    fn new<T>(data: *const T, (code, bits): (u8, u8), shape: &[i64]) -> Tensor {
        let mut all = Array::new([0; 8]);
        all[..shape.len()].copy_from_slice(shape);
        let raw = truing_tensor {
            data: data.cast_mut().cast(),
            device: truing_device { device_type: TRUING_DEVICE_CPU, device_id: 0 },
            ndim: shape.len() as i32,
            dtype: truing_dtype { code, bits, lanes: 1 },
            shape: all.0.cast(),
            strides: null(),
            byte_offset: 0,
        };
        Tensor { raw: Box::new(raw), shape: all, strides: Array::new([0; 8]) }
    }
    fn set_strides(&mut self, strides: &[i64]) {
        self.strides[..strides.len()].copy_from_slice(strides);
        self.raw.strides = self.strides.0.cast();
    }
    fn ptr(&self) -> *const truing_tensor {
        &raw const *self.raw
    }
}

fn args<T: Abi>() -> T {
    let mut a = T::ZERO;
    // SAFETY: every struct used here begins with `struct_size: u32`.
    unsafe { (&raw mut a).cast::<u32>().write(size_of::<T>() as u32) };
    a
}

// ---- the struct itself

/// Calls `f` with the struct at the start of a page of zeros.
fn in_page<T: Abi>(a: T, change: impl FnOnce(&mut [u8]), f: unsafe extern "C" fn(*const T) -> i32) -> i32 {
    let mut page = [0u64; 1024];
    let start = page.as_mut_ptr().cast::<u8>();
    // SAFETY: 8 KiB, aligned to 8, more than any struct here.
    unsafe {
        start.cast::<T>().write(a);
        change(core::slice::from_raw_parts_mut(start, 8192));
        f(start.cast())
    }
}
fn set_size(bytes: &mut [u8], size: usize) {
    bytes[..4].copy_from_slice(&(size as u32).to_ne_bytes());
}

fn struct_rules<T: Args>(f: unsafe extern "C" fn(*const T) -> i32) -> usize {
    let size = size_of::<T>();
    let mut cases = 0;
    let mut expect = |got: i32, want: i32, words: &str| {
        cases += 1;
        assert_eq!(got, want, "{} {words}: {}", T::NAME, message());
        assert!(message().contains(words), "{}: {} does not name {words}", T::NAME, message());
    };
    // SAFETY: NULL is refused.
    expect(unsafe { f(null()) }, TRUING_STATUS_INVALID_ARGUMENT, "args");
    // SAFETY: refused before it is read.
    expect(unsafe { f(core::ptr::without_provenance(4097)) }, TRUING_STATUS_INVALID_ARGUMENT, "args");
    for small in [0, 4, 48, T::V1_SIZE - 1] {
        expect(in_page(args::<T>(), |b| set_size(b, small), f), TRUING_STATUS_ABI_MISMATCH, "struct_size");
    }
    for large in [1 << 20, u32::MAX as usize] {
        expect(in_page(args::<T>(), |b| set_size(b, large), f), TRUING_STATUS_ABI_MISMATCH, "struct_size");
    }
    // A newer caller: accepted as far as its size goes, so the next complaint is about a field.
    let newer = in_page(args::<T>(), |b| set_size(b, size + 96), f);
    assert!(newer != TRUING_STATUS_ABI_MISMATCH && newer != TRUING_STATUS_OK, "{}", T::NAME);
    let tail = |b: &mut [u8]| {
        set_size(b, size + 96);
        b[size + 95] = 1;
    };
    expect(in_page(args::<T>(), tail, f), TRUING_STATUS_ABI_MISMATCH, "struct_size");
    for field in T::RESERVED {
        for byte in [field.offset, field.offset + field.size - 1] {
            expect(in_page(args::<T>(), |b| b[byte] = 1, f), TRUING_STATUS_INVALID_ARGUMENT, field.name);
        }
    }
    let flags = core::mem::offset_of!(Head, flags);
    let mut refused = 0;
    for bit in 0..64 {
        let status = in_page(args::<T>(), |b| b[flags + bit / 8] |= 1 << (bit % 8), f);
        assert_ne!(status, TRUING_STATUS_OK, "{}", T::NAME);
        let by_name = status == TRUING_STATUS_INVALID_ARGUMENT && message().contains("flags");
        refused += usize::from(by_name);
        assert!(bit < 15 || by_name, "{}: bit {bit}: {}", T::NAME, message());
    }
    assert!(refused >= 50);
    cases + 64
}

#[test]
fn structs_are_checked_before_anything_else() {
    let cases = struct_rules(truing_logprob_forward)
        + struct_rules(truing_logprob_backward)
        + struct_rules(truing_logprob_local)
        + struct_rules(truing_logprob_finish)
        + struct_rules(truing_support_mask)
        + struct_rules(truing_tds_rows)
        + struct_rules(truing_divergence_forward)
        + struct_rules(truing_divergence_backward)
        + struct_rules(truing_tilt)
        + struct_rules(truing_tilt_solve)
        + struct_rules(truing_renyi_array)
        + struct_rules(truing_renyi_cross_entropy)
        + struct_rules(truing_best_of_n_exact)
        + struct_rules(truing_best_of_n_kl_estimate)
        + struct_rules(truing_uld)
        + struct_rules(truing_divergence_local)
        + struct_rules(truing_divergence_finish)
        + struct_rules(truing_linear_divergence_forward)
        + struct_rules(truing_linear_divergence_local)
        + struct_rules(truing_linear_divergence_finish)
        + struct_rules(truing_sequence_kl_forward)
        + struct_rules(truing_sequence_kl_backward)
        + struct_rules(truing_linear_logprob_forward)
        + struct_rules(truing_linear_logprob_backward)
        + struct_rules(truing_linear_logprob_local)
        + struct_rules(truing_linear_logprob_finish)
        + struct_rules(truing_sequence_forward)
        + struct_rules(truing_sequence_backward)
        + struct_rules(truing_preference_forward)
        + struct_rules(truing_linear_preference_forward)
        + struct_rules(truing_policy_forward)
        + struct_rules(truing_kto_baseline)
        + struct_rules(truing_bco_shift)
        + struct_rules(truing_aot_sort)
        + struct_rules(truing_beta_dpo_stats)
        + struct_rules(truing_wpo_weight)
        + struct_rules(truing_linear_policy_forward)
        + struct_rules(truing_importance_weight)
        + struct_rules(truing_rejection_mask)
        + struct_rules(truing_off_policy_sequence_mask)
        + struct_rules(truing_top_entropy_mask)
        + struct_rules(truing_cov_select)
        + struct_rules(truing_m2po_mask)
        + struct_rules(truing_fipo_weight)
        + struct_rules(truing_density_ratio)
        + struct_rules(truing_odpo_offset)
        + struct_rules(truing_mm_beta)
        + struct_rules(truing_pdu_dual_step)
        + struct_rules(truing_head_weights)
        + struct_rules(truing_modpo_margin)
        + struct_rules(truing_quantile_threshold)
        + struct_rules(truing_a_star_value)
        + struct_rules(truing_hindsight_target)
        + struct_rules(truing_kl_length_figures)
        + struct_rules(truing_ches)
        + struct_rules(truing_prm_ce)
        + struct_rules(truing_rps)
        + struct_rules(truing_brier)
        + struct_rules(truing_confidence_ce)
        + struct_rules(truing_product_target)
        + struct_rules(truing_pdu_flatten)
        + struct_rules(truing_prm_mse)
        + struct_rules(truing_preference_orchestrator)
        + struct_rules(truing_group_advantage)
        + struct_rules(truing_pass_k_advantage)
        + struct_rules(truing_multi_objective_advantage_forward)
        + struct_rules(truing_multi_objective_advantage_backward)
        + struct_rules(truing_gae_forward)
        + struct_rules(truing_gae_backward)
        + struct_rules(truing_discounted_return_forward)
        + struct_rules(truing_discounted_return_backward)
        + struct_rules(truing_whiten)
        + struct_rules(truing_optimal_token_baseline)
        + struct_rules(truing_prime_advantage)
        + struct_rules(truing_distill_advantage)
        + struct_rules(truing_lagrangian_advantage)
        + struct_rules(truing_pama_scalars)
        + struct_rules(truing_interval_weights)
        + struct_rules(truing_gram_matrix)
        + struct_rules(truing_min_norm_weights)
        + struct_rules(truing_token_reward)
        + struct_rules(truing_kl_controller)
        + struct_rules(truing_entropy_controller);
    println!("hostile: {cases} cases of struct_size, reserved bytes and flags");
    assert!(cases >= 64 * 84, "{cases}");
}

#[test]
fn context_options_are_checked() {
    let create = |change: &dyn Fn(&mut truing_context_options)| {
        let mut o: truing_context_options = args();
        change(&mut o);
        let mut context = core::ptr::without_provenance_mut(8);
        // SAFETY: both places are ours.
        let status = unsafe { truing_context_create(&o, &mut context) };
        if status == TRUING_STATUS_OK {
            // SAFETY: just made, not used again.
            unsafe { truing_context_destroy(context) };
        } else {
            assert_eq!(context.addr(), 8, "a refused call writes nothing");
        }
        (status, message())
    };
    assert_eq!(create(&|_| {}).0, TRUING_STATUS_OK);
    assert_eq!(create(&|o| o.num_threads = 3).0, TRUING_STATUS_OK);
    assert_eq!(create(&|o| o.mode = TRUING_MODE_FAST).0, TRUING_STATUS_OK);
    type Change = fn(&mut truing_context_options);
    let bad: [(&str, Change); 6] = [
        ("num_threads", |o| o.num_threads = u32::MAX),
        ("0 <= value < 1025", |o| o.num_threads = 1025),
        ("mode", |o| o.mode = 9),
        ("isa_cap", |o| o.isa_cap = 77),
        ("flags", |o| o.flags = 1 << 40),
        ("reserved", |o| o.reserved[63] = 1),
    ];
    for (field, change) in bad {
        let (status, message) = create(&change);
        assert_eq!(status, TRUING_STATUS_INVALID_ARGUMENT, "{field}");
        assert!(message.contains(field), "{field}: {message}");
    }
    // SAFETY: NULL is refused, or allowed.
    unsafe {
        assert_eq!(truing_context_create(&args(), null_mut()), TRUING_STATUS_INVALID_ARGUMENT);
        truing_context_destroy(null_mut());
    }
}

// ---- tensors

/// A small log-prob call whose outputs are full of canaries.
struct Call {
    logits: Vec<f32>,
    target: Vec<i64>,
    mask: Vec<u8>,
    out: Vec<u8>,
    t_logits: Tensor,
    t_target: Tensor,
    t_mask: Tensor,
    t_out: Tensor,
    t_stats: Tensor,
}
const N: usize = 4;
const V: usize = 9;
impl Call {
    fn new() -> Call {
        let mut r = Random(7);
        let logits: Vec<f32> = (0..N * V + 8).map(|_| r.between(-3.0, 3.0) as f32).collect();
        let target = vec![0, 3, 8, 5];
        let mask = vec![1, 1, 1, 1];
        let out = vec![CANARY; 4096];
        let t_logits = Tensor::new(logits.as_ptr(), F32, &[N as i64, V as i64]);
        let t_target = Tensor::new(target.as_ptr(), I64, &[N as i64]);
        let t_mask = Tensor::new(mask.as_ptr(), U8, &[N as i64]);
        let place = out.as_ptr().map_addr(|a| a.next_multiple_of(64));
        let t_out = Tensor::new(place, F32, &[N as i64]);
        let t_stats = Tensor::new(place.wrapping_add(512), F32, &[N as i64, 12]);
        Call { logits, target, mask, out, t_logits, t_target, t_mask, t_out, t_stats }
    }
    fn args(&self) -> truing_logprob_forward_args {
        let mut a: truing_logprob_forward_args = args();
        a.logits = self.t_logits.ptr();
        a.rows.target = self.t_target.ptr();
        a.rows.mask = self.t_mask.ptr();
        a.figures.out_logprob = self.t_out.ptr();
        a.figures.out_stats = self.t_stats.ptr();
        a
    }
    fn run(&self) -> i32 {
        // SAFETY: the descriptors describe our own memory, or are refused.
        unsafe { truing_logprob_forward(&self.args()) }
    }
    #[track_caller]
    fn refused(&self, status: i32, words: &str) {
        assert_eq!(self.run(), status, "{}", message());
        assert!(message().contains(words), "{words}: {}", message());
        assert!(self.out.iter().all(|&b| b == CANARY), "a refused call has written");
    }
}

#[test]
fn a_good_call_writes_what_it_should() {
    let c = Call::new();
    assert_eq!(c.run(), TRUING_STATUS_OK, "{}", message());
    let got = c.t_out.raw.data.cast::<f32>();
    for i in 0..N {
        let row = &c.logits[i * V..][..V];
        let sum: f64 = row.iter().map(|&z| f64::from(z).exp()).sum();
        let want = f64::from(row[c.target[i] as usize]) - sum.ln();
        // SAFETY: N floats, just written.
        let got = f64::from(unsafe { *got.add(i) });
        assert!((got - want).abs() < 1e-6, "{got} {want}");
    }
    assert_eq!(c.mask.len(), N);
}

#[test]
fn tensors_are_checked_before_any_access() {
    type Change = fn(&mut Tensor);
    let both: [(&str, i32, Change); 18] = [
        ("NULL", TRUING_STATUS_INVALID_ARGUMENT, |t| t.raw.data = null_mut()),
        ("aligned", TRUING_STATUS_INVALID_ARGUMENT, |t| t.raw.byte_offset = 2),
        ("address space", TRUING_STATUS_INVALID_ARGUMENT, |t| t.raw.byte_offset = u64::MAX - 3),
        ("address space", TRUING_STATUS_INVALID_ARGUMENT, |t| {
            t.raw.data = core::ptr::without_provenance_mut(usize::MAX - 15)
        }),
        ("CUDA", TRUING_STATUS_UNSUPPORTED_DEVICE, |t| t.raw.device.device_type = TRUING_DEVICE_CUDA),
        ("CUDA", TRUING_STATUS_UNSUPPORTED_DEVICE, |t| t.raw.device.device_type = TRUING_DEVICE_CUDA_MANAGED),
        ("CPU", TRUING_STATUS_UNSUPPORTED_DEVICE, |t| t.raw.device.device_type = 0),
        ("CPU", TRUING_STATUS_UNSUPPORTED_DEVICE, |t| t.raw.device.device_type = 12),
        ("lane", TRUING_STATUS_UNSUPPORTED_DTYPE, |t| t.raw.dtype.lanes = 2),
        ("lane", TRUING_STATUS_UNSUPPORTED_DTYPE, |t| t.raw.dtype.bits = 0),
        ("lane", TRUING_STATUS_UNSUPPORTED_DTYPE, |t| t.raw.dtype.code = 200),
        ("got i32", TRUING_STATUS_UNSUPPORTED_DTYPE, |t| (t.raw.dtype.code, t.raw.dtype.bits) = I32),
        ("dimensions", TRUING_STATUS_SHAPE_MISMATCH, |t| t.raw.ndim = -1),
        ("dimensions", TRUING_STATUS_SHAPE_MISMATCH, |t| t.raw.ndim = 4),
        ("dimensions", TRUING_STATUS_SHAPE_MISMATCH, |t| t.shape[0] = -4),
        ("shape NULL", TRUING_STATUS_INVALID_ARGUMENT, |t| t.raw.shape = null()),
        ("at most 2^48 elements", TRUING_STATUS_SHAPE_MISMATCH, |t| t.shape[0] = i64::MAX),
        ("at most 2^48 elements", TRUING_STATUS_SHAPE_MISMATCH, |t| t.shape[0] = (1 << 48) + 1),
    ];
    let mut cases = 0;
    for (words, status, change) in both {
        for which in 0..3 {
            let mut c = Call::new();
            change([&mut c.t_logits, &mut c.t_out, &mut c.t_stats][which]);
            c.refused(status, words);
            // logits elsewhere make the next tensor the one that lies apart
            let name = if words == "CUDA" && which == 0 { 3 } else { which };
            let names = ["logits", "figures.out_logprob", "figures.out_stats", "rows.target"];
            assert!(message().contains(names[name]), "{}", message());
            cases += 1;
        }
    }
    // All of them on a device: a call that runs there needs a context, the others run nowhere else. (On a stand-in for a
    // device: tests/cuda.rs.)
    let mut c = Call::new();
    for t in [&mut c.t_logits, &mut c.t_target, &mut c.t_mask, &mut c.t_out, &mut c.t_stats] {
        t.raw.device.device_type = TRUING_DEVICE_CUDA;
    }
    c.refused(TRUING_STATUS_INVALID_ARGUMENT, "context: got NULL");
    let mut linear: truing_linear_logprob_forward_args = args();
    linear.head.hidden = c.t_logits.ptr();
    // SAFETY: refused by the description.
    assert_eq!(unsafe { truing_linear_logprob_forward(&linear) }, TRUING_STATUS_UNSUPPORTED_DEVICE);
    assert!(message().contains("head.hidden: got a CUDA tensor, expected memory of the CPU"), "{}", message());
    // SAFETY: refused.
    assert_eq!(unsafe { truing_prepare(null(), 0) }, TRUING_STATUS_INVALID_ARGUMENT);
    assert!(message().contains("context"), "{}", message());
    cases += 3;
    let strides: [(&str, usize, &[i64], i32); 9] = [
        ("strides >= 0", 0, &[-9, 1], TRUING_STATUS_SHAPE_MISMATCH),
        ("strides >= 0", 0, &[9, -1], TRUING_STATUS_SHAPE_MISMATCH),
        ("stride 1", 0, &[18, 2], TRUING_STATUS_SHAPE_MISMATCH),
        ("stride 1", 0, &[9, 0], TRUING_STATUS_SHAPE_MISMATCH),
        ("address space", 0, &[i64::MAX / 2, 1], TRUING_STATUS_SHAPE_MISMATCH),
        ("repeat", 1, &[0], TRUING_STATUS_SHAPE_MISMATCH),
        ("stride 1", 1, &[2], TRUING_STATUS_SHAPE_MISMATCH),
        ("repeat", 2, &[0, 1], TRUING_STATUS_SHAPE_MISMATCH),
        ("without overlap", 2, &[11, 1], TRUING_STATUS_SHAPE_MISMATCH),
    ];
    for (words, which, s, status) in strides {
        let mut c = Call::new();
        [&mut c.t_logits, &mut c.t_out, &mut c.t_stats][which].set_strides(s);
        c.refused(status, words);
        cases += 1;
    }
    // Shapes that do not fit each other.
    type Reshape = fn(&mut Call);
    let shapes: [(&str, Reshape); 5] = [
        ("figures.out_logprob", |c| c.t_out.shape[0] = 3),
        ("figures.out_stats", |c| c.t_stats.shape[1] = 11),
        ("rows.target", |c| c.t_target.shape[0] = 5),
        ("rows.mask", |c| c.t_mask.shape[0] = 2),
        ("logits", |c| c.t_logits.raw.ndim = 1),
    ];
    for (words, change) in shapes {
        let mut c = Call::new();
        change(&mut c);
        c.refused(TRUING_STATUS_SHAPE_MISMATCH, words);
        cases += 1;
    }
    // What looks odd and is legal: strides of dimensions of size 1, a broadcast input, pinned memory, an offset.
    let legal: [fn(&mut Call); 4] = [
        |c| {
            c.t_logits.shape[..3].copy_from_slice(&[1, N as i64, V as i64]);
            c.t_logits.raw.ndim = 3;
            c.t_logits.set_strides(&[-77, V as i64, 1]);
        },
        |c| c.t_logits.set_strides(&[0, 1]),
        |c| c.t_logits.raw.device.device_type = TRUING_DEVICE_CUDA_HOST,
        |c| c.t_logits.raw.byte_offset = 32,
    ];
    for change in legal {
        let mut c = Call::new();
        change(&mut c);
        assert_eq!(c.run(), TRUING_STATUS_OK, "{}", message());
        cases += 1;
    }
    println!("hostile: {cases} tensor descriptions");
    assert!(cases >= 72);
}

#[test]
fn row_options_are_checked_before_anything_is_written() {
    let c = Call::new();
    let n = N as i64;
    let place = |k: usize| c.t_out.raw.data.cast::<u8>().wrapping_add(768 + 128 * k);
    let (t_top, t_ids) = (Tensor::new(place(0), F32, &[n, 3]), Tensor::new(place(1), I32, &[n, 3]));
    let (t_loss, t_rows) = (Tensor::new(place(2), F64, &[]), Tensor::new(place(3), F32, &[n]));
    let (t_extra, t_counters) = (Tensor::new(place(4), F32, &[n, 2]), Tensor::new(place(6), I64, &[32]));
    let t_grad = Tensor::new(place(10), F32, &[n, V as i64]);
    let t_bias = Tensor::new(place(12), F32, &[V as i64]);
    let (ids, weights, scales) = ([0i32, 5, 8, -1, 3, 3, -1, -1], [1f32; V], [0.5f32; N]);
    let t_extra_ids = Tensor::new(ids.as_ptr(), I32, &[n, 2]);
    let (t_weights, t_scales) =
        (Tensor::new(weights.as_ptr(), F32, &[V as i64]), Tensor::new(scales.as_ptr(), F32, &[n]));
    let mut workspace = vec![0u64; 512];
    let at = workspace.as_mut_ptr().map_addr(|a| a.next_multiple_of(64));
    let good = || {
        let mut a = c.args();
        a.figures.out_topk_logprobs = t_top.ptr();
        a.figures.out_topk_ids = t_ids.ptr();
        a.figures.out_loss = t_loss.ptr();
        a.figures.out_row_loss = t_rows.ptr();
        a.figures.extra_ids = t_extra_ids.ptr();
        a.figures.out_extra_logprobs = t_extra.ptr();
        a.figures.out_counters = t_counters.ptr();
        a.row_loss.class_weight = t_weights.ptr();
        a.row_loss.external_scale = t_scales.ptr();
        a.row_loss.token_scaling = TRUING_SCALING_EXTERNAL;
        (a.row_loss.label_smoothing, a.row_loss.smoothing_form) = (0.1, TRUING_SMOOTHING_TORCH);
        a.row_loss.reduction = TRUING_REDUCE_MEAN;
        (a.grad_logits_out, a.grad_bias_out) = (t_grad.ptr(), t_bias.ptr());
        (a.workspace, a.workspace_size) = (at.cast(), 2048);
        a
    };
    let lists = vec![0f32; N * 513];
    let long = Tensor::new(lists.as_ptr(), F32, &[n, 513]);
    let wide = Tensor::new(place(1), I32, &[n, 4]);
    let (bad_ids, bad_weights, bad_scales) = ([0i32, 9], [f32::NAN; V], [-1f32; N]);
    let t_bad_ids = Tensor::new(bad_ids.as_ptr(), I32, &[2]);
    let float_ids = Tensor::new(weights.as_ptr(), F32, &[2]);
    let t_bad_weights = Tensor::new(bad_weights.as_ptr(), F32, &[V as i64]);
    let short_weights = Tensor::new(weights.as_ptr(), F32, &[V as i64 - 1]);
    let t_bad_scales = Tensor::new(bad_scales.as_ptr(), F32, &[n]);
    let (cu, bad_cu) = ([0i32, 2, 4], [0i32, 5, 4]);
    let (t_cu, t_bad_cu) = (Tensor::new(cu.as_ptr(), I32, &[3]), Tensor::new(bad_cu.as_ptr(), I32, &[3]));
    let small = Tensor::new(place(6), I64, &[31]);
    let t_one = Tensor::new(place(4), F32, &[n, 1]);
    let t_few = Tensor::new(place(12), F32, &[n]);
    let narrow = Tensor::new(place(10), (TRUING_DTYPE_BFLOAT, 16), &[n, V as i64]);
    let pair = Tensor::new(place(2), F64, &[2]);
    type A = truing_logprob_forward_args;
    let (invalid, shape) = (TRUING_STATUS_INVALID_ARGUMENT, TRUING_STATUS_SHAPE_MISMATCH);
    let (range, dtype) = (TRUING_STATUS_OUT_OF_RANGE, TRUING_STATUS_UNSUPPORTED_DTYPE);
    let changes: Vec<(&str, i32, Box<dyn Fn(&mut A) + '_>)> = vec![
        (
            "figures.out_topk_logprobs",
            shape,
            Box::new(|a| (a.figures.out_topk_logprobs, a.figures.out_topk_ids) = (long.ptr(), null())),
        ),
        ("figures.out_topk", shape, Box::new(|a| a.figures.out_topk_ids = wide.ptr())),
        ("figures.extra_ids", range, Box::new(|a| a.figures.extra_ids = t_bad_ids.ptr())),
        ("figures.extra_ids", dtype, Box::new(|a| a.figures.extra_ids = float_ids.ptr())),
        ("figures.extra_ids", invalid, Box::new(|a| a.figures.extra_ids = null())),
        ("figures.out_extra_logprobs", shape, Box::new(|a| a.figures.out_extra_logprobs = t_one.ptr())),
        ("row_loss.class_weight", invalid, Box::new(|a| a.row_loss.class_weight = t_bad_weights.ptr())),
        ("row_loss.class_weight", shape, Box::new(|a| a.row_loss.class_weight = short_weights.ptr())),
        ("row_loss.external_scale", invalid, Box::new(|a| a.row_loss.external_scale = t_bad_scales.ptr())),
        ("row_loss.external_scale", invalid, Box::new(|a| a.row_loss.external_scale = null())),
        ("row_loss.external_scale", invalid, Box::new(|a| a.row_loss.token_scaling = 0)),
        ("row_loss.token_scaling", invalid, Box::new(|a| a.row_loss.token_scaling = 6)),
        ("row_loss.smoothing_form", invalid, Box::new(|a| a.row_loss.smoothing_form = 3)),
        ("row_loss.smoothing_form", invalid, Box::new(|a| a.row_loss.smoothing_form = 0)),
        ("row_loss.label_smoothing", invalid, Box::new(|a| a.row_loss.label_smoothing = 1.0)),
        ("row_loss.z_loss", invalid, Box::new(|a| a.row_loss.z_loss = -1.0)),
        ("row_loss.eaft_alpha", invalid, Box::new(|a| a.row_loss.eaft_alpha = f64::INFINITY)),
        ("row_loss.reduction", invalid, Box::new(|a| a.row_loss.reduction = 5)),
        ("row_loss.reduction", invalid, Box::new(|a| a.row_loss.reduction = 0)),
        ("figures.out_loss", invalid, Box::new(|a| a.row_loss.reduction = TRUING_REDUCE_NONE)),
        ("row_loss.normaliser", invalid, Box::new(|a| a.row_loss.normaliser = f64::NAN)),
        ("figures.out_loss", shape, Box::new(|a| a.figures.out_loss = pair.ptr())),
        ("figures.out_counters", shape, Box::new(|a| a.figures.out_counters = small.ptr())),
        ("figures.entropy_k", invalid, Box::new(|a| a.figures.entropy_k = 513)),
        ("figures.entropy_k", invalid, Box::new(|a| a.figures.entropy_k = -1)),
        ("rows.shift", invalid, Box::new(|a| a.rows.shift = -1)),
        ("rows.shift", invalid, Box::new(|a| a.rows.shift = 1 << 31)),
        ("rows.cu_seqlens", range, Box::new(|a| a.rows.cu_seqlens = t_bad_cu.ptr())),
        ("rows.target", invalid, Box::new(|a| a.rows.target = null())),
        ("grad_logits", dtype, Box::new(|a| a.grad_logits_out = narrow.ptr())),
        ("grad_bias_out", shape, Box::new(|a| a.grad_bias_out = t_few.ptr())),
        ("grad_scale", invalid, Box::new(|a| a.grad_scale = f64::INFINITY)),
        ("grad_loss", shape, Box::new(|a| a.grad_loss = t_extra_ids.ptr())),
        ("workspace_size", TRUING_STATUS_WORKSPACE_TOO_SMALL, Box::new(|a| a.workspace_size = 0)),
        ("figures.out_row_loss", TRUING_STATUS_ALIASING, Box::new(|a| a.figures.out_token_scale = t_rows.ptr())),
    ];
    let count = changes.len();
    for (words, status, change) in changes {
        let mut a = good();
        change(&mut a);
        // SAFETY: the descriptors describe our own memory, or are refused.
        let got = unsafe { truing_logprob_forward(&a) };
        assert_eq!(got, status, "{words}: {}", message());
        assert!(message().contains(words), "{words}: {}", message());
        assert!(c.out.iter().all(|&b| b == CANARY), "{words}: a refused call has written");
    }
    let mut a = good();
    a.rows.cu_seqlens = t_cu.ptr();
    a.rows.shift = 1;
    // SAFETY: the descriptors describe our own memory.
    assert_eq!(unsafe { truing_logprob_forward(&a) }, TRUING_STATUS_OK, "{}", message());
    // SAFETY: 32 numbers, just written: two sequences end.
    assert_eq!(unsafe { *t_counters.raw.data.cast::<i64>() }, 2);
    println!("hostile: {count} row options");
    assert!(count >= 35);
}

#[test]
fn outputs_share_no_byte_with_anything() {
    let mut cases = 0;
    // An output inside an input, inside another output, and one byte's worth of either.
    let changes: [fn(&mut Call); 5] = [
        |c| c.t_out.raw.data = c.t_logits.raw.data,
        |c| c.t_out.raw.data = c.t_logits.raw.data.cast::<f32>().wrapping_add(N * V - 1).cast(),
        |c| c.t_out.raw.data = c.t_target.raw.data.cast::<f32>().wrapping_sub(N - 1).cast(),
        |c| c.t_out.raw.data = c.t_stats.raw.data,
        |c| c.t_stats.raw.data = c.t_out.raw.data.cast::<f32>().wrapping_add(N - 1).cast(),
    ];
    for change in changes {
        let mut c = Call::new();
        change(&mut c);
        c.refused(TRUING_STATUS_ALIASING, "memory of its own");
        cases += 1;
    }
    // Inputs may share memory.
    let mut c = Call::new();
    c.t_mask = Tensor::new(c.logits.as_ptr(), U8, &[N as i64]);
    assert_eq!(c.run(), TRUING_STATUS_OK, "{}", message());

    // The one exception: the gradient may be the logits, exactly.
    let c = Call::new();
    let mut r = Random(1);
    let upstream: Vec<f32> = (0..N).map(|_| r.between(-1.0, 1.0) as f32).collect();
    let t_upstream = Tensor::new(upstream.as_ptr(), F32, &[N as i64]);
    let backward = |logits: &Tensor, grad: &Tensor| {
        let mut a: truing_logprob_backward_args = args();
        a.logits = logits.ptr();
        a.rows.target = c.t_target.ptr();
        a.upstream.grad_logprob = t_upstream.ptr();
        a.grad_logits_out = grad.ptr();
        // SAFETY: the descriptors describe our own memory.
        unsafe { truing_logprob_backward(&a) }
    };
    let mut apart = vec![0f32; N * V];
    let t_apart = Tensor::new(apart.as_mut_ptr(), F32, &[N as i64, V as i64]);
    assert_eq!(backward(&c.t_logits, &t_apart), TRUING_STATUS_OK, "{}", message());
    let mut same = c.logits.clone();
    let t_same = Tensor::new(same.as_mut_ptr(), F32, &[N as i64, V as i64]);
    assert_eq!(backward(&t_same, &t_same), TRUING_STATUS_OK, "{}", message());
    assert!(apart.iter().zip(&same).all(|(a, b)| a.to_bits() == b.to_bits()), "in place gives other bits");
    assert!(apart.iter().any(|&g| g != 0.0));
    let mut buffer = c.logits.clone();
    let t_logits = Tensor::new(buffer.as_mut_ptr(), F32, &[N as i64, V as i64]);
    let shifted = Tensor::new(buffer.as_mut_ptr().wrapping_add(1), F32, &[N as i64, V as i64]);
    assert_eq!(backward(&t_logits, &shifted), TRUING_STATUS_ALIASING);
    let fewer = Tensor::new(buffer.as_mut_ptr(), F32, &[N as i64 - 1, V as i64]);
    assert_eq!(backward(&t_logits, &fewer), TRUING_STATUS_ALIASING);
    let narrow = Tensor::new(buffer.as_mut_ptr(), (TRUING_DTYPE_BFLOAT, 16), &[N as i64, V as i64]);
    assert_eq!(backward(&t_logits, &narrow), TRUING_STATUS_ALIASING);
    assert_eq!(buffer, c.logits, "a refused call has written");
    println!("hostile: {} overlaps", cases + 4);
}

#[test]
fn workspaces_are_checked() {
    let (n, d, v) = (3i64, 8i64, 40i64);
    let hidden = vec![0.5f32; (n * d) as usize];
    let weight = vec![0.25f32; (v * d) as usize];
    let target = [1i32, 2, 3];
    let mut out = [7f32; 3];
    let (t_hidden, t_weight) = (Tensor::new(hidden.as_ptr(), F32, &[n, d]), Tensor::new(weight.as_ptr(), F32, &[v, d]));
    // a pointer made from a borrow would die when `out` itself is read
    let t_out = Tensor::new((&raw mut out).cast::<f32>(), F32, &[n]);
    let t_target = Tensor::new(target.as_ptr(), I32, &[n]);
    let mut a: truing_linear_logprob_forward_args = args();
    a.head.hidden = t_hidden.ptr();
    a.head.weight = t_weight.ptr();
    a.rows.target = t_target.ptr();
    a.figures.out_logprob = t_out.ptr();
    let (mut minimum, mut preferred) = (0, 0);
    // SAFETY: everything described is ours.
    unsafe {
        assert_eq!(truing_linear_logprob_forward_workspace_size(&a, &mut minimum, &mut preferred), 0, "{}", message());
        assert_eq!(truing_linear_logprob_forward_workspace_size(&a, null_mut(), null_mut()), 0);
        assert!(0 < minimum && minimum <= preferred);
        assert_eq!(truing_linear_logprob_forward(&a), TRUING_STATUS_WORKSPACE_TOO_SMALL, "{}", message());
        let mut memory = vec![0u64; preferred / 8 + 64];
        let start = memory.as_mut_ptr().cast::<u8>().map_addr(|p| p.next_multiple_of(64));
        a.workspace = start.cast();
        a.workspace_size = minimum - 1;
        assert_eq!(truing_linear_logprob_forward(&a), TRUING_STATUS_WORKSPACE_TOO_SMALL, "{}", message());
        a.workspace = start.wrapping_add(8).cast();
        a.workspace_size = minimum;
        assert_eq!(truing_linear_logprob_forward(&a), TRUING_STATUS_INVALID_ARGUMENT);
        assert!(message().contains("workspace"), "{}", message());
        a.workspace = null_mut();
        assert_eq!(truing_linear_logprob_forward(&a), TRUING_STATUS_INVALID_ARGUMENT);
        let bad = Tensor::new(start.wrapping_add(16).cast::<f32>(), F32, &[n]);
        a.workspace = start.cast();
        a.figures.out_logprob = bad.ptr();
        assert_eq!(truing_linear_logprob_forward(&a), TRUING_STATUS_ALIASING, "{}", message());
        a.figures.out_logprob = t_out.ptr();
        assert_eq!(out, [7.0; 3], "a refused call has written");
        // D5: the size of the workspace never changes bits.
        assert_eq!(truing_linear_logprob_forward(&a), TRUING_STATUS_OK, "{}", message());
        let small = out.map(f32::to_bits);
        a.workspace_size = preferred;
        assert_eq!(truing_linear_logprob_forward(&a), TRUING_STATUS_OK, "{}", message());
        assert_eq!(out.map(f32::to_bits), small);
    }
    assert!((f64::from(out[0]) + 40f64.ln()).abs() < 1e-5, "uniform logits: {}", out[0]);
}

// ---- how tokens lie

#[test]
fn tokens_are_not_transposed() {
    let (b, t, v) = (2i64, 3i64, 4i64);
    let values = vec![0.25f32; (b * t * v) as usize];
    let (target, mask) = (vec![1i32; 6], vec![1u8; 6]);
    let call = |logits: &[i64], target_dims: &[i64], mask_dims: &[i64], out_dims: &[i64]| {
        let mut out = vec![9f32; 6 * 12];
        let t_logits = Tensor::new(values.as_ptr(), F32, logits);
        let t_target = Tensor::new(target.as_ptr(), I32, target_dims);
        let t_mask = Tensor::new(mask.as_ptr(), U8, mask_dims);
        let t_out = Tensor::new(out.as_mut_ptr(), F32, out_dims);
        let mut a: truing_logprob_forward_args = args();
        (a.logits, a.rows.target, a.rows.mask) = (t_logits.ptr(), t_target.ptr(), t_mask.ptr());
        match out_dims.last() {
            Some(12) => a.figures.out_stats = t_out.ptr(),
            _ => a.figures.out_logprob = t_out.ptr(),
        }
        // SAFETY: our own memory, of as many elements as the shapes say.
        let status = unsafe { truing_logprob_forward(&a) };
        (status, message(), out.iter().all(|&x| x == 9.0))
    };
    type Shapes<'a> = [&'a [i64]; 4];
    let (batch, flat, other): (&[i64], &[i64], &[i64]) = (&[b, t], &[b * t], &[t, b]);
    let (three, two): (&[i64], &[i64]) = (&[b, t, v], &[b * t, v]);
    let legal: [Shapes<'_>; 7] = [
        [three, batch, batch, batch],
        [three, flat, batch, flat],
        [three, batch, flat, &[b, t, 12]],
        [three, batch, batch, &[b * t, 12]],
        [two, flat, flat, flat],
        [two, batch, batch, batch],
        [two, other, flat, other],
    ];
    for [l, y, m, o] in legal {
        assert_eq!(call(l, y, m, o).0, TRUING_STATUS_OK, "{l:?} {y:?} {m:?} {o:?}: {}", message());
    }
    let refused: [(Shapes<'_>, &str); 9] = [
        ([three, other, batch, batch], "rows.target: got [3, 2], expected [2, 3]"),
        ([three, batch, other, batch], "rows.mask: got [3, 2], expected [2, 3]"),
        ([three, batch, batch, other], "figures.out_logprob: got [3, 2], expected [2, 3]"),
        ([three, batch, batch, &[t, b, 12]], "figures.out_stats: got [3, 2, 12], expected [2, 3, 12]"),
        ([three, &[6, 1], batch, batch], "rows.target: got [6, 1], expected [2, 3]"),
        ([three, &[], batch, batch], "rows.target: got [], expected [2, 3]"),
        ([two, batch, other, batch], "rows.mask: got [3, 2], expected [2, 3]"),
        ([two, flat, &[5], batch], "rows.mask: got [5], expected [6]"),
        ([two, flat, flat, &[b, t, 1]], "figures.out_logprob: got [2, 3, 1], expected [6]"),
    ];
    for ([l, y, m, o], words) in refused {
        let (status, message, untouched) = call(l, y, m, o);
        assert_eq!(status, TRUING_STATUS_SHAPE_MISMATCH, "{words}: {message}");
        assert!(message.contains(words), "{words}: {message}");
        assert!(untouched, "a refused call has written");
    }
    // Lists have one dimension.
    let scores = [-1f64, -2.0];
    let mut loss = 0f64;
    let (good, bad) = (Tensor::new(scores.as_ptr(), F64, &[2]), Tensor::new(scores.as_ptr(), F64, &[2, 1]));
    let t_loss = Tensor::new(&raw mut loss, F64, &[]);
    for (scores, reference, field) in [(&bad, &good, ": scores"), (&good, &bad, ": ref_scores")] {
        let mut a: truing_preference_forward_args = args();
        (a.scores, a.ref_scores, a.outputs.out_loss) = (scores.ptr(), reference.ptr(), t_loss.ptr());
        (a.loss.id, a.loss.reduction, a.groups.layout) = (1001, TRUING_REDUCE_MEAN, TRUING_LAYOUT_STACKED);
        let got = with_workspace(&mut a, truing_preference_forward_workspace_size, truing_preference_forward);
        let (status, words) = got.unwrap_err();
        assert_eq!(status, TRUING_STATUS_SHAPE_MISMATCH, "{words}");
        assert!(words.contains(field) && words.contains("got [2, 1], expected 1 dimension"), "{words}");
    }
}

/// An advantage `[2]` of two packed tokens.
fn advantage(
    cu: [i32; 3],
    level: truing_level,
    change: impl FnOnce(&mut truing_policy_forward_args),
) -> Result<[f32; 2], (i32, String)> {
    let (logps, advantage) = ([-1f32, -2.0], [1f32, 5.0]);
    let mut grad = [9f32; 2];
    let t_logps = Tensor::new(logps.as_ptr(), F32, &[2]);
    let (t_advantage, t_cu) = (Tensor::new(advantage.as_ptr(), F32, &[2]), Tensor::new(cu.as_ptr(), I32, &[3]));
    let t_grad = Tensor::new(grad.as_mut_ptr(), F32, &[2]);
    let mut a: truing_policy_forward_args = args();
    (a.logps, a.inputs.old, a.grad_logps_out) = (t_logps.ptr(), t_logps.ptr(), t_grad.ptr());
    (a.inputs.advantage, a.inputs.advantage_level, a.inputs.cu_seqlens) = (t_advantage.ptr(), level, t_cu.ptr());
    (a.inputs.loss.id, a.inputs.level) = (4001, TRUING_LEVEL_TOKEN);
    a.inputs.aggregate.mode = TRUING_AGGREGATE_TOKEN_SUM;
    change(&mut a);
    with_workspace(&mut a, truing_policy_forward_workspace_size, truing_policy_forward)?;
    Ok(grad)
}

#[test]
fn an_advantage_says_what_it_belongs_to() {
    let nothing = |_: &mut truing_policy_forward_args| {};
    assert_eq!(advantage([0, 1, 2], 0, nothing), Ok([-1.0, -5.0]));
    assert_eq!(advantage([0, 2, 2], TRUING_LEVEL_TOKEN, nothing), Ok([-1.0, -5.0]));
    assert_eq!(advantage([0, 2, 2], TRUING_LEVEL_SEQUENCE, nothing), Ok([-1.0, -1.0]));
    assert_eq!(advantage([0, 0, 2], TRUING_LEVEL_SEQUENCE, nothing), Ok([-5.0, -5.0]));
    for (cu, level, words) in [
        ([0, 2, 2], 0, "inputs.advantage: got one element a token and one a sequence"),
        ([0, 0, 2], 0, "inputs.advantage: "),
        ([0, 1, 2], 7, "inputs.advantage_level: got 7"),
    ] {
        let (status, message) = advantage(cu, level, nothing).unwrap_err();
        assert!(status == TRUING_STATUS_INVALID_ARGUMENT && message.contains(words), "{message}");
    }
    let (status, message) = advantage([0, 1, 2], TRUING_LEVEL_TOKEN, |a| a.inputs.advantage = null()).unwrap_err();
    assert!(status == TRUING_STATUS_INVALID_ARGUMENT && message.contains("inputs.advantage_level"), "{message}");
}

#[test]
fn errors_name_fields_as_the_header_does() {
    let (status, message) = advantage([0, 1, 3], TRUING_LEVEL_TOKEN, |_| {}).unwrap_err();
    assert!(status == TRUING_STATUS_OUT_OF_RANGE && message.contains(": inputs.cu_seqlens: got"), "{message}");
    let params = [-1f64];
    let bad = |a: &mut truing_policy_forward_args| {
        a.inputs.loss.params = params.as_ptr();
        a.inputs.loss.num_params = 1;
    };
    let (_, message) = advantage([0, 1, 2], 0, bad).unwrap_err();
    assert!(message.contains(": inputs.loss.params."), "{message}");
    let (_, message) = advantage([0, 1, 2], 0, |a| a.inputs.loss.num_params = 99).unwrap_err();
    assert!(message.contains(": inputs.loss.num_params: got 99"), "{message}");

    let mut c = Call::new();
    c.target.fill(1);
    let narrow = Tensor::new(c.t_mask.raw.data.cast::<u8>(), U8, &[N as i64, V as i64]);
    let three = Tensor::new(c.logits.as_ptr(), F32, &[3]);
    type Change<'a> = &'a dyn Fn(&mut truing_linear_logprob_forward_args);
    let cases: [(&str, Change<'_>); 7] = [
        ("head.hidden: got NULL", &|a| a.head.hidden = null()),
        ("head.weight: got NULL", &|a| a.head.weight = null()),
        ("head.weight: got [3]", &|a| a.head.weight = three.ptr()),
        ("head.hidden: got u8, expected f32, bf16 or f16", &|a| a.head.hidden = narrow.ptr()),
        ("head.transform.temperature", &|a| a.head.transform.temperature = -1.0),
        ("head.transform.bias: got [3], expected [4]", &|a| a.head.transform.bias = three.ptr()),
        ("head.transform.n_valid_vocab", &|a| a.head.transform.n_valid_vocab = 99),
    ];
    for (words, change) in cases {
        let mut a: truing_linear_logprob_forward_args = args();
        (a.head.hidden, a.head.weight, a.rows.target) = (c.t_logits.ptr(), c.t_logits.ptr(), c.t_target.ptr());
        a.figures.out_logprob = c.t_out.ptr();
        change(&mut a);
        let got = with_workspace(&mut a, truing_linear_logprob_forward_workspace_size, truing_linear_logprob_forward);
        let (_, message) = got.unwrap_err();
        assert!(message.contains(&format!(": {words}")), "{words}: {message}");
    }
}

#[test]
fn sizes_of_broadcast_inputs_do_not_overflow() {
    // One element, said to be repeated: no size that follows from it may wrap around.
    let (one, bf16, offsets) = ([0.5f32], [0u16], [0i64]);
    let mut loss = 9f64;
    let t_loss = Tensor::new(&raw mut loss, F64, &[]);
    let mut cases = 0;
    for power in [48, 49, 59, 60, 61, 62] {
        let n = 1i64 << power;
        let mut vector = Tensor::new(one.as_ptr(), F32, &[n]);
        vector.set_strides(&[0]);
        let mut a: truing_preference_forward_args = args();
        (a.scores, a.ref_scores, a.outputs.out_loss) = (vector.ptr(), vector.ptr(), t_loss.ptr());
        (a.loss.id, a.loss.reduction, a.groups.layout) = (1001, TRUING_REDUCE_MEAN, TRUING_LAYOUT_STACKED);
        let mut p: truing_policy_forward_args = args();
        let mut wide = Tensor::new(one.as_ptr(), F32, &[n / 2, 2]);
        wide.set_strides(&[0, 1]);
        wide.set_strides(&[0, 0]);
        (p.logps, p.inputs.advantage, p.outputs.out_loss) = (wide.ptr(), wide.ptr(), t_loss.ptr());
        (p.inputs.loss.id, p.inputs.level) = (4001, TRUING_LEVEL_TOKEN);
        p.inputs.aggregate.mode = TRUING_AGGREGATE_TOKEN_SUM;
        let (mut minimum, mut preferred) = (0, 0);
        let mut sizes = vec![];
        // SAFETY: one element each is ours, and all that the descriptors cover; without a workspace nothing runs.
        unsafe {
            let size = truing_preference_forward_workspace_size(&a, &mut minimum, &mut preferred);
            sizes.push((size, truing_preference_forward(&a), minimum, message()));
            let size = truing_policy_forward_workspace_size(&p, &mut minimum, &mut preferred);
            sizes.push((size, truing_policy_forward(&p), minimum, message()));
        }
        for (data, bits) in [(one.as_ptr().cast::<u8>(), F32), (bf16.as_ptr().cast::<u8>(), (TRUING_DTYPE_BFLOAT, 16))]
        {
            // Both ends: one row as wide as can be, and as many rows as there can be.
            for (n, d) in [(n, 1), (1, n)] {
                let mut hidden = Tensor::new(data, bits, &[n, d]);
                let mut weight = Tensor::new(data, bits, &[3, d]);
                hidden.set_strides(&[0, if d > 1 { 0 } else { 1 }]);
                weight.set_strides(&[0, if d > 1 { 0 } else { 1 }]);
                let mut x: truing_linear_logprob_backward_args = args();
                (x.head.hidden, x.head.weight) = (hidden.ptr(), weight.ptr());
                // SAFETY: as above.
                let size = unsafe { truing_linear_logprob_backward_workspace_size(&x, &mut minimum, &mut preferred) };
                // A row of stride 0 is refused for that, before any size is formed.
                if d == 1 {
                    // SAFETY: as above.
                    let run = unsafe { truing_linear_logprob_backward(&x) };
                    sizes.push((size, run, minimum, message()));
                } else {
                    assert_eq!(size, TRUING_STATUS_SHAPE_MISMATCH, "{}", message());
                }
            }
        }
        for (size, run, minimum, message) in sizes {
            if power > 48 {
                assert_eq!([size, run], [TRUING_STATUS_SHAPE_MISMATCH; 2], "2^{power}: {message}");
                assert!(message.contains("at most 2^48 elements"), "{message}");
            } else {
                assert_eq!([size, run], [0, TRUING_STATUS_WORKSPACE_TOO_SMALL], "2^{power}: {message}");
                assert!(minimum >= 1 << 48, "2^{power}: {minimum} bytes");
            }
            cases += 1;
        }
    }
    assert_eq!((loss, offsets), (9.0, [0]), "a refused call has written");
    println!("hostile: {cases} sizes of broadcast inputs");
    // For callers in Rust, who pass no such limit.
    use truing_core::matrix::Arena;
    assert_eq!(Arena::need::<f64>(8), 64);
    assert_eq!(Arena::need::<f64>(usize::MAX / 8 + 1), usize::MAX - 63);
    assert_eq!(Arena::need::<u8>(usize::MAX - 3), usize::MAX - 63);
    assert_eq!(Arena::sum([Arena::need::<f64>(usize::MAX), 64, 128]), usize::MAX - 63);
    assert!(Arena::new(&mut []).take::<f64>(usize::MAX).is_err());
}
/// Memory for workspaces is aligned, as long as asked for, and stays where it is large enough.
#[test]
fn space_for_workspaces() {
    use truing_core::matrix::Arena;
    let mut space = truing_cpu::Space::default();
    let mut found = vec![];
    for n in [0, 1, 64, 4097, 100, 1 << 20, 4097] {
        let bytes = space.bytes(n);
        assert_eq!((bytes.len(), bytes.as_ptr().align_offset(Arena::ALIGN)), (n, 0));
        assert!(Arena::new(bytes).take::<u64>(n / 64 * 8).is_ok());
        found.push(bytes.as_ptr().addr());
        bytes.fill(n as u8);
    }
    assert_eq!((found[3], found[5]), (found[4], found[6]), "moved though there was room");
    assert_eq!(space.bytes(4097)[..3], [1; 3], "4097 is the last fill");
}

// ---- values

#[test]
fn targets_out_of_range_write_nothing() {
    let bad = [-1, V as i64, i64::MAX, i64::MIN, i64::from(u32::MAX) + 1];
    for (k, &id) in bad.iter().enumerate() {
        let mut c = Call::new();
        c.target[k % N] = id;
        c.refused(TRUING_STATUS_OUT_OF_RANGE, &format!("rows.target: got {id} at index {}", k % N));
        c.mask[k % N] = 0;
        assert_eq!(c.run(), TRUING_STATUS_OK, "allowed in a masked row: {}", message());
    }
    let mut c = Call::new();
    c.target[2] = -100;
    let mut a = c.args();
    a.flags = TRUING_HAS_IGNORE_INDEX;
    a.rows.ignore_index = -100;
    // SAFETY: our own memory.
    assert_eq!(unsafe { truing_logprob_forward(&a) }, TRUING_STATUS_OK, "{}", message());
    for id in [i32::MIN, i32::MAX, -1] {
        let mut c = Call::new();
        let ids = [0, 1, id, 2];
        c.t_target = Tensor::new(ids.as_ptr(), I32, &[N as i64]);
        c.refused(TRUING_STATUS_OUT_OF_RANGE, "at index 2");
    }
    // ignore_index without its flag is a mistake, not a silent nothing
    let mut a = c.args();
    a.rows.ignore_index = -100;
    // SAFETY: our own memory.
    assert_eq!(unsafe { truing_logprob_forward(&a) }, TRUING_STATUS_INVALID_ARGUMENT);
}

#[test]
fn zero_rows_and_zero_columns() {
    let mut c = Call::new();
    for t in [&mut c.t_logits, &mut c.t_target, &mut c.t_mask, &mut c.t_out, &mut c.t_stats] {
        t.shape[0] = 0;
        t.raw.data = null_mut();
    }
    assert_eq!(c.run(), TRUING_STATUS_OK, "{}", message());
    assert!(c.out.iter().all(|&b| b == CANARY));
    let mut c = Call::new();
    c.t_logits.shape[1] = 0;
    c.refused(TRUING_STATUS_SHAPE_MISMATCH, "logits");

    // Nothing to reduce: loss 0, counted.
    let (mut loss, mut counters) = ([7f64], [7i64; 32]);
    let empty: [f64; 0] = [];
    let t_scores = Tensor::new(empty.as_ptr(), F64, &[0]);
    let (t_loss, t_counters) =
        (Tensor::new(loss.as_mut_ptr(), F64, &[]), Tensor::new(counters.as_mut_ptr(), I64, &[32]));
    let mut a: truing_preference_forward_args = args();
    a.scores = t_scores.ptr();
    a.ref_scores = t_scores.ptr();
    a.loss.id = 1001;
    a.loss.reduction = TRUING_REDUCE_MEAN;
    a.groups.layout = TRUING_LAYOUT_STACKED;
    a.outputs.out_loss = t_loss.ptr();
    a.outputs.out_counters = t_counters.ptr();
    with_workspace(&mut a, truing_preference_forward_workspace_size, truing_preference_forward).unwrap();
    assert_eq!(loss, [0.0]);
    assert_eq!(counters[7], 1, "flagged as empty");

    // An output without a column, whatever its strides.
    for strides in [None, Some([1, 1]), Some([0, 1])] {
        let (c, mut ids) = (Call::new(), [0i32; 0]);
        let mut t_ids = Tensor::new(ids.as_mut_ptr(), I32, &[N as i64, 0]);
        if let Some(s) = strides {
            t_ids.set_strides(&s);
        }
        let mut a = c.args();
        a.figures.out_topk_ids = t_ids.ptr();
        // SAFETY: our own memory; refused.
        assert_eq!(unsafe { truing_logprob_forward(&a) }, TRUING_STATUS_SHAPE_MISMATCH, "{}", message());
        assert!(message().contains("figures.out_topk_ids"), "{}", message());
        assert!(c.out.iter().all(|&b| b == CANARY), "a refused call has written");
    }
    // An input without a column asks for nothing.
    for strides in [None, Some([1, 1])] {
        let (c, ids, none, ones, mut grad) = (Call::new(), [0i32; 0], [0f32; 0], [1f32; N], [7f32; N * V]);
        let mut t_ids = Tensor::new(ids.as_ptr(), I32, &[N as i64, 0]);
        let mut t_extra = Tensor::new(none.as_ptr(), F32, &[N as i64, 0]);
        if let Some(s) = strides {
            t_ids.set_strides(&s);
            t_extra.set_strides(&s);
        }
        let t_ones = Tensor::new(ones.as_ptr(), F32, &[N as i64]);
        let t_grad = Tensor::new(grad.as_mut_ptr(), F32, &[N as i64, V as i64]);
        let mut a: truing_logprob_backward_args = args();
        a.logits = c.t_logits.ptr();
        a.rows.target = c.t_target.ptr();
        a.upstream.grad_logprob = t_ones.ptr();
        a.upstream.grad_extra = t_extra.ptr();
        a.upstream.extra_ids = t_ids.ptr();
        a.grad_logits_out = t_grad.ptr();
        with_workspace(&mut a, truing_logprob_backward_workspace_size, truing_logprob_backward).unwrap();
        assert!(grad.iter().all(|g| g.abs() < 1.0), "{grad:?}");
    }

    // Sequences without a position: scores of 0, a gradient without elements.
    let (mut scores, tokens) = ([7f64; 2], [0f32; 0]);
    let (t_tokens, t_grad) = (Tensor::new(tokens.as_ptr(), F32, &[2, 0]), Tensor::new(tokens.as_ptr(), F32, &[2, 0]));
    let t_scores = Tensor::new(scores.as_mut_ptr(), F64, &[2]);
    let mut a: truing_sequence_forward_args = args();
    a.logps = t_tokens.ptr();
    a.score.kind = TRUING_SCORE_SUM;
    a.out_scores = t_scores.ptr();
    with_workspace(&mut a, truing_sequence_forward_workspace_size, truing_sequence_forward).unwrap();
    assert_eq!(scores, [0.0; 2]);
    let mut a: truing_sequence_backward_args = args();
    a.grad_scores = t_scores.ptr();
    a.score.kind = TRUING_SCORE_SUM;
    a.grad_logps_out = t_grad.ptr();
    with_workspace(&mut a, truing_sequence_backward_workspace_size, truing_sequence_backward).unwrap();
}

/// The third sequence and the score map of a pair, by index and by layout; what does not fit is refused by name.
#[test]
fn anchors_and_maps() {
    let (scores, mut loss, mut grad) = ([-1.0f64, -2.5, -1.5], [7f64], [7f64; 3]);
    let (first, second, third) = ([0i64], [1i64], [2i64]);
    let t_scores = Tensor::new(scores.as_ptr(), F64, &[3]);
    let t_pair = Tensor::new(scores.as_ptr(), F64, &[2]);
    let index = |v: &[i64; 1]| Tensor::new(v.as_ptr(), I64, &[1]);
    let (t_first, t_second, t_third) = (index(&first), index(&second), index(&third));
    let t_loss = Tensor::new(loss.as_mut_ptr(), F64, &[]);
    let t_grad = Tensor::new(grad.as_mut_ptr(), F64, &[3]);
    let soft = |x: f64| x.exp().ln_1p();
    let run = |change: &dyn Fn(&mut truing_preference_forward_args)| {
        let mut a: truing_preference_forward_args = args();
        a.scores = t_scores.ptr();
        a.loss.id = truing_core::catalog::find_any("povid").unwrap().about.id;
        a.loss.reduction = TRUING_REDUCE_SUM;
        a.groups.layout = TRUING_LAYOUT_STACKED;
        a.outputs.out_loss = t_loss.ptr();
        a.outputs.grad_scores_out = t_grad.ptr();
        change(&mut a);
        with_workspace(&mut a, truing_preference_forward_workspace_size, truing_preference_forward)
    };
    for layout in [TRUING_LAYOUT_STACKED, TRUING_LAYOUT_INTERLEAVED, TRUING_LAYOUT_INDEXED] {
        run(&|a| {
            a.groups.layout = layout;
            if layout == TRUING_LAYOUT_INDEXED {
                a.groups.chosen_seq = t_first.ptr();
                a.groups.rejected_seq = t_second.ptr();
                a.groups.anchor_seq = t_third.ptr();
            }
        })
        .unwrap();
        // SAFETY: written by the call above.
        let (loss, grad) = unsafe { (t_loss.raw.data.cast::<f64>().read(), t_grad.raw.data.cast::<[f64; 3]>().read()) };
        assert!((loss - 0.5 * (soft(-0.15) + soft(-0.05))).abs() < 1e-15, "{loss}");
        assert!((grad[2] - 0.05 / (1.0 + 0.05f64.exp())).abs() < 1e-15, "{grad:?}");
    }
    let dpo = |a: &mut truing_preference_forward_args| {
        a.loss.id = 1001;
        a.scores = t_pair.ptr();
        a.outputs.grad_scores_out = core::ptr::null();
    };
    let log_sigma = |x: f64| -soft(-x);
    let difference = [
        (TRUING_MAP_JS, 0.0, log_sigma(-1.0) - log_sigma(-2.5)),
        (TRUING_MAP_ALPHA, 0.5, 2.0 * (1.25f64.exp() - 0.5f64.exp())),
        (TRUING_MAP_FORWARD_KL, 0.0, 2.5f64.exp() - 1f64.exp()),
    ];
    for (map, alpha, d) in difference {
        run(&|a| {
            dpo(a);
            (a.loss.map, a.loss.map_alpha) = (map, alpha);
        })
        .unwrap();
        // SAFETY: as above.
        let loss = unsafe { t_loss.raw.data.cast::<f64>().read() };
        assert!((loss - soft(-0.1 * d)).abs() < 1e-15, "{map}: {loss}");
    }
    type Change = fn(&mut truing_preference_forward_args);
    let refused: [(&str, Change); 4] = [
        ("loss.map:", |a| a.loss.map = 4),
        ("loss.map_alpha", |a| (a.loss.map, a.loss.map_alpha) = (TRUING_MAP_JS, 0.5)),
        ("loss.map_max_exponent", |a| (a.loss.map, a.loss.map_max_exponent) = (TRUING_MAP_JS, 80.0)),
        ("loss.map:", |a| (a.loss.id, a.loss.map) = (1003, TRUING_MAP_JS)),
    ];
    for (field, change) in refused {
        let (status, text) = run(&|a| {
            dpo(a);
            change(a);
        })
        .unwrap_err();
        assert!(status == TRUING_STATUS_INVALID_ARGUMENT && text.contains(field), "{field}: {text}");
    }
    println!("3 layouts with anchors, 3 maps, 4 refusals");
}

/// Calls with the workspace that the call asks for.
fn with_workspace<T: Args>(
    a: &mut T,
    size: unsafe extern "C" fn(*const T, *mut usize, *mut usize) -> i32,
    run: unsafe extern "C" fn(*const T) -> i32,
) -> Result<(), (i32, String)> {
    let (mut minimum, mut preferred) = (0, 0);
    // SAFETY: the caller's descriptors describe memory of the test.
    let status = unsafe { size(a, &mut minimum, &mut preferred) };
    if status != 0 {
        return Err((status, message()));
    }
    let mut memory = vec![0u64; preferred / 8 + 64];
    // SAFETY: `Args` begins with the fields of `Head`.
    let head = unsafe { &mut *(&raw mut *a).cast::<Head>() };
    head.workspace = memory.as_mut_ptr().cast::<u8>().map_addr(|p| p.next_multiple_of(64)).cast();
    head.workspace_size = preferred;
    // SAFETY: as above.
    let status = unsafe { run(a) };
    if status == 0 { Ok(()) } else { Err((status, message())) }
}

#[test]
fn special_rows_stay_in_their_row() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let clean = [0.5f32, -1.0, 2.0, 0.25];
    type Fits = fn(f32) -> bool;
    let rows: [([f32; 4], i64, u32, Fits); 6] = [
        (clean, 2, 0, |x| x < 0.0 && x.is_finite()),
        ([0.5, nan, 2.0, 0.25], 2, row(1), f32::is_nan),
        ([0.5, inf, 2.0, 0.25], 2, row(2), f32::is_nan),
        ([0.5, -1.0, -inf, 0.25], 2, row(3), |x| x == f32::NEG_INFINITY),
        ([-inf; 4], 2, row(4), f32::is_nan),
        ([0.5, -inf, 2.0, -inf], 2, 0, |x| x < 0.0 && x.is_finite()),
    ];
    fn row(bit: u32) -> u32 {
        1 << bit
    }
    let logits: Vec<f32> = rows.iter().flat_map(|r| r.0).collect();
    let target: Vec<i64> = rows.iter().map(|r| r.1).collect();
    let n = rows.len() as i64;
    let mut out = vec![9f32; rows.len()];
    let mut status = vec![0u32; rows.len()];
    let mut grad = vec![9f32; logits.len()];
    let ones = vec![1f32; rows.len()];
    let t_logits = Tensor::new(logits.as_ptr(), F32, &[n, 4]);
    let t_target = Tensor::new(target.as_ptr(), I64, &[n]);
    let (t_out, t_status) = (Tensor::new(out.as_mut_ptr(), F32, &[n]), Tensor::new(status.as_mut_ptr(), U32, &[n]));
    let (t_grad, t_ones) = (Tensor::new(grad.as_mut_ptr(), F32, &[n, 4]), Tensor::new(ones.as_ptr(), F32, &[n]));
    let mut a: truing_logprob_forward_args = args();
    a.logits = t_logits.ptr();
    a.rows.target = t_target.ptr();
    a.figures.out_logprob = t_out.ptr();
    a.figures.out_status = t_status.ptr();
    let mut b: truing_logprob_backward_args = args();
    b.logits = t_logits.ptr();
    b.rows.target = t_target.ptr();
    b.upstream.grad_logprob = t_ones.ptr();
    b.grad_logits_out = t_grad.ptr();
    // SAFETY: our own memory.
    unsafe {
        assert_eq!(truing_logprob_forward(&a), TRUING_STATUS_OK, "{}", message());
        assert_eq!(truing_logprob_backward(&b), TRUING_STATUS_OK, "{}", message());
    }
    for (i, (values, _, bits, fits)) in rows.iter().enumerate() {
        assert!(fits(out[i]), "row {i} {values:?}: {}", out[i]);
        assert_eq!(status[i] & 0x1f, *bits, "row {i} {values:?}");
        let g = &grad[4 * i..][..4];
        match bits {
            2 | 4 => assert!(g.iter().all(|x| x.is_nan()), "row {i}: {g:?}"),
            8 => assert!(g.iter().all(|&x| x == 0.0), "target dead: {g:?}"),
            0 => {
                assert!(g.iter().all(|x| x.is_finite()) && g.iter().sum::<f32>().abs() < 1e-6, "row {i}: {g:?}");
                assert!(values.iter().zip(g).all(|(z, &g)| *z > -inf || g == 0.0), "dead columns: {g:?}");
            }
            _ => {}
        }
    }
    // A common offset changes nothing beyond the rounding of the inputs.
    let offset: Vec<f32> = clean.iter().map(|z| z + 1e6).collect();
    let t_offset = Tensor::new(offset.as_ptr(), F32, &[1, 4]);
    let (t_one, t_first) = (Tensor::new(out.as_mut_ptr(), F32, &[1]), Tensor::new(target.as_ptr(), I64, &[1]));
    a.logits = t_offset.ptr();
    a.rows.target = t_first.ptr();
    a.figures.out_logprob = t_one.ptr();
    a.figures.out_status = null();
    let sum: f64 = offset.iter().map(|z| f64::from(z - offset[2]).exp()).sum();
    // SAFETY: our own memory.
    assert_eq!(unsafe { truing_logprob_forward(&a) }, TRUING_STATUS_OK, "{}", message());
    assert!((f64::from(out[0]) + sum.ln()).abs() < 1e-6);
}

#[test]
fn what_a_caller_hands_back_may_hold_anything() {
    // records and statistics of any bits: some answer, no panic
    let mut r = Random(3);
    let mut records: Vec<f32> = (0..2 * 3 * 12).map(|_| f32::from_bits(r.bits() as u32)).collect();
    records[..12].fill(f32::from_bits(u32::MAX));
    let (starts, target, mut out) = ([0i64, 5, 9], [1i64, 8, 3], [9f32; 3]);
    let t_records = Tensor::new(records.as_ptr(), F32, &[2, 3, 12]);
    let (t_starts, t_target) = (Tensor::new(starts.as_ptr(), I64, &[3]), Tensor::new(target.as_ptr(), I64, &[3]));
    let t_out = Tensor::new(out.as_mut_ptr(), F32, &[3]);
    let mut a: truing_logprob_finish_args = args();
    (a.records, a.shard_starts, a.rows.target) = (t_records.ptr(), t_starts.ptr(), t_target.ptr());
    (a.figures.out_logprob, a.figures.out_lse) = (t_out.ptr(), null());
    // SAFETY: our own memory.
    assert_eq!(unsafe { truing_logprob_finish(&a) }, TRUING_STATUS_OK, "{}", message());
    let mut refused = |status: i32, words: &str, a: &truing_logprob_finish_args| {
        out.fill(9.0);
        // SAFETY: our own memory.
        assert_eq!(unsafe { truing_logprob_finish(a) }, status, "{words}: {}", message());
        assert!(message().contains(words) && out == [9.0; 3], "{words}: {}", message());
    };
    let two = Tensor::new(starts.as_ptr(), I64, &[2]);
    refused(TRUING_STATUS_SHAPE_MISMATCH, "shard_starts", &truing_logprob_finish_args { shard_starts: two.ptr(), ..a });
    let flat = Tensor::new(records.as_ptr(), F32, &[6, 12]);
    refused(TRUING_STATUS_SHAPE_MISMATCH, "records", &truing_logprob_finish_args { records: flat.ptr(), ..a });
    let none = Tensor::new(records.as_ptr(), F32, &[0, 3, 12]);
    refused(TRUING_STATUS_SHAPE_MISMATCH, "shard_starts", &truing_logprob_finish_args { records: none.ptr(), ..a });
    for bad in [[0, 10, 9], [0, -1, 9], [1, 5, 9], [i64::MIN, 0, i64::MAX]] {
        let t = Tensor::new(bad.as_ptr(), I64, &[3]);
        let a = truing_logprob_finish_args { shard_starts: t.ptr(), ..a };
        // SAFETY: our own memory.
        assert_ne!(unsafe { truing_logprob_finish(&a) }, TRUING_STATUS_OK);
        assert!(message().contains("shard_starts") || message().contains("logits"), "{}", message());
    }
    // shards that no vocabulary has
    let logits = [0.5f32; 12];
    let (t_logits, t_place) =
        (Tensor::new(logits.as_ptr(), F32, &[3, 4]), Tensor::new(records.as_mut_ptr(), F32, &[3, 12]));
    let weight = [0.25f32; 16];
    let t_weight = Tensor::new(weight.as_ptr(), F32, &[4, 4]);
    for shard in
        [(0, 0, 4), (0, 5, 9), (-1, 3, 9), (6, 10, 9), (i64::MAX - 2, i64::MIN + 1, 9), (0, 4, -1), (0, 4, i64::MAX)]
    {
        let mut a: truing_logprob_local_args = args();
        (a.logits, a.rows.target, a.out_records) = (t_logits.ptr(), t_target.ptr(), t_place.ptr());
        (a.shard.vocab_start, a.shard.vocab_end, a.shard.vocab_total) = shard;
        a.local_pass = TRUING_LOCAL_RECORDS;
        // SAFETY: our own memory.
        assert_eq!(unsafe { truing_logprob_local(&a) }, TRUING_STATUS_INVALID_ARGUMENT, "{shard:?}: {}", message());
        assert!(message().contains("shard.vocab"), "{}", message());
        let mut a: truing_linear_logprob_local_args = args();
        (a.head.hidden, a.head.weight) = (t_logits.ptr(), t_weight.ptr());
        (a.rows.target, a.out_records, a.local_pass) = (t_target.ptr(), t_place.ptr(), TRUING_LOCAL_RECORDS);
        (a.shard.vocab_start, a.shard.vocab_end, a.shard.vocab_total) = shard;
        // SAFETY: our own memory.
        let status = unsafe { truing_linear_logprob_local(&a) };
        assert_eq!(status, TRUING_STATUS_INVALID_ARGUMENT, "linear {shard:?}: {}", message());
        assert!(message().contains("shard.vocab"), "{}", message());
    }
    // a second pass over statistics of any bits, lists and counts of any bits
    let mut counts = [0i64; 12];
    let (t_stats, t_counts) =
        (Tensor::new(records.as_ptr(), F32, &[3, 12]), Tensor::new(counts.as_mut_ptr(), I64, &[3, 4]));
    let mut a: truing_linear_logprob_local_args = args();
    (a.head.hidden, a.head.weight, a.rows.target) = (t_logits.ptr(), t_weight.ptr(), t_target.ptr());
    (a.shard.vocab_start, a.shard.vocab_end, a.shard.vocab_total) = (5, 9, 9);
    (a.local_pass, a.stats, a.out_counts) = (TRUING_LOCAL_COUNTS, t_stats.ptr(), t_counts.ptr());
    with_workspace(&mut a, truing_linear_logprob_local_workspace_size, truing_linear_logprob_local).unwrap();
    let wild: Vec<i64> = (0..12).map(|_| r.bits() as i64).collect();
    let ids: Vec<i32> = (0..2 * 3 * 4).map(|_| r.bits() as i32).collect();
    let (t_wild, t_ids) = (Tensor::new(wild.as_ptr(), I64, &[3, 4]), Tensor::new(ids.as_ptr(), I32, &[2, 3, 4]));
    let t_values = Tensor::new(records.as_ptr(), F32, &[2, 3, 4]);
    let (mut top, mut rank) = ([0i32; 12], [0i32; 3]);
    let (t_top, t_rank) = (Tensor::new(top.as_mut_ptr(), I32, &[3, 4]), Tensor::new(rank.as_mut_ptr(), I32, &[3]));
    let mut a: truing_linear_logprob_finish_args = args();
    (a.records, a.shard_starts, a.rows.target) = (t_records.ptr(), t_starts.ptr(), t_target.ptr());
    (a.counts, a.topk_ids, a.topk_logits) = (t_wild.ptr(), t_ids.ptr(), t_values.ptr());
    (a.figures.out_topk_ids, a.figures.out_rank) = (t_top.ptr(), t_rank.ptr());
    // SAFETY: our own memory.
    assert_eq!(unsafe { truing_linear_logprob_finish(&a) }, TRUING_STATUS_OK, "{}", message());
}

// ---- memory that must not be read

unsafe extern "C" {
    fn mmap(addr: *mut c_void, len: usize, prot: c_int, flags: c_int, fd: c_int, offset: i64) -> *mut c_void;
    fn mprotect(addr: *mut c_void, len: usize, prot: c_int) -> c_int;
    fn munmap(addr: *mut c_void, len: usize) -> c_int;
}
/// Pages of f32 (1024 a page); page `k` can be made unreadable. One more behind them always is.
struct Pages {
    start: *mut f32,
    pages: usize,
}
impl Pages {
    fn new(pages: usize) -> Pages {
        let (read_write, private_anonymous) = (3, 0x22);
        // SAFETY: a new mapping.
        let start = unsafe { mmap(null_mut(), (pages + 1) * 4096, read_write, private_anonymous, -1, 0) };
        assert_ne!(start.addr(), usize::MAX, "mmap");
        let p = Pages { start: start.cast(), pages };
        p.close(pages);
        p
    }
    fn row(&self, k: usize) -> *mut f32 {
        assert!(k < self.pages);
        self.start.wrapping_add(1024 * k)
    }
    fn fill(&self, k: usize, f: impl Fn(usize) -> f32) {
        for j in 0..1024 {
            // SAFETY: inside the mapping, readable and writable so far.
            unsafe { self.row(k).add(j).write(f(j)) };
        }
    }
    fn close(&self, k: usize) {
        // SAFETY: a page of this mapping.
        assert_eq!(unsafe { mprotect(self.start.wrapping_add(1024 * k).cast(), 4096, 0) }, 0);
    }
}
impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the whole mapping, not used any more.
        unsafe { munmap(self.start.cast(), (self.pages + 1) * 4096) };
    }
}

#[test]
fn masked_rows_and_the_end_are_not_read() {
    let v = 1024i64;
    let logits = Pages::new(4);
    for k in [0, 1, 2, 3] {
        logits.fill(k, |j| if k == 1 { f32::NAN } else { (j % 17) as f32 * 0.1 });
    }
    logits.close(1); // reading the masked row is a crash
    let (target, mask) = ([5i64, 99999, 7, 1023], [1u8, 0, 1, 1]);
    let (mut lp, mut arg, mut entropy) = ([9f32; 4], [9i32; 4], [9f32; 4]);
    let mut grad = vec![9f32; 4096];
    let ones = [1f32; 4];
    let t_logits = Tensor::new(logits.row(0), F32, &[4, v]);
    let (t_target, t_mask) = (Tensor::new(target.as_ptr(), I64, &[4]), Tensor::new(mask.as_ptr(), U8, &[4]));
    let (t_lp, t_arg) = (Tensor::new(lp.as_mut_ptr(), F32, &[4]), Tensor::new(arg.as_mut_ptr(), I32, &[4]));
    let (t_entropy, t_ones) = (Tensor::new(entropy.as_mut_ptr(), F32, &[4]), Tensor::new(ones.as_ptr(), F32, &[4]));
    let t_grad = Tensor::new(grad.as_mut_ptr(), F32, &[4, v]);
    let mut a: truing_logprob_forward_args = args();
    a.logits = t_logits.ptr();
    a.rows.target = t_target.ptr();
    a.rows.mask = t_mask.ptr();
    a.figures.out_logprob = t_lp.ptr();
    a.figures.out_argmax = t_arg.ptr();
    a.figures.out_entropy = t_entropy.ptr();
    let mut b: truing_logprob_backward_args = args();
    b.logits = t_logits.ptr();
    b.rows = a.rows;
    b.upstream.grad_logprob = t_ones.ptr();
    b.upstream.grad_entropy = t_ones.ptr();
    b.grad_logits_out = t_grad.ptr();
    // SAFETY: the masked row may not be read, the rest is ours.
    unsafe {
        assert_eq!(truing_logprob_forward(&a), TRUING_STATUS_OK, "{}", message());
        assert_eq!(truing_logprob_backward(&b), TRUING_STATUS_OK, "{}", message());
    }
    assert_eq!((lp[1], arg[1], entropy[1]), (0.0, -1, 0.0));
    assert!(lp[3] < -1.0 && entropy[3] > 1.0 && lp[0] < -1.0);
    assert!(grad[1024..2048].iter().all(|g| g.to_bits() == 0), "the gradient of a masked row is +0");
    assert!(grad[3072..].iter().any(|&g| g != 0.0));

    // The same for hidden states of the linear form; the weight ends at the guard page.
    let hidden = Pages::new(3);
    for k in 0..3 {
        hidden.fill(k, |j| ((j * (k + 3)) % 11) as f32 * 0.01 - 0.05);
    }
    hidden.close(1);
    let weight = Pages::new(5);
    for k in 0..5 {
        weight.fill(k, |j| ((j * 7 + k) % 13) as f32 * 0.01 - 0.06);
    }
    let (target, mask) = ([1i32, 77, 4], [1u8, 0, 1]);
    let (mut lp, mut grad_hidden, mut grad_weight) = ([9f32; 3], vec![9f32; 3 * 1024], vec![9f32; 5 * 1024]);
    let (t_hidden, t_weight) =
        (Tensor::new(hidden.row(0), F32, &[3, 1024]), Tensor::new(weight.row(0), F32, &[5, 1024]));
    let (t_target, t_mask) = (Tensor::new(target.as_ptr(), I32, &[3]), Tensor::new(mask.as_ptr(), U8, &[3]));
    let (t_lp, t_ones) = (Tensor::new(lp.as_mut_ptr(), F32, &[3]), Tensor::new(ones.as_ptr(), F32, &[3]));
    let t_gh = Tensor::new(grad_hidden.as_mut_ptr(), F32, &[3, 1024]);
    let t_gw = Tensor::new(grad_weight.as_mut_ptr(), F32, &[5, 1024]);
    let mut a: truing_linear_logprob_forward_args = args();
    a.head.hidden = t_hidden.ptr();
    a.head.weight = t_weight.ptr();
    a.rows.target = t_target.ptr();
    a.rows.mask = t_mask.ptr();
    a.figures.out_logprob = t_lp.ptr();
    with_workspace(&mut a, truing_linear_logprob_forward_workspace_size, truing_linear_logprob_forward).unwrap();
    let mut b: truing_linear_logprob_backward_args = args();
    b.head = a.head;
    b.rows = a.rows;
    b.upstream.grad_logprob = t_ones.ptr();
    b.grads.grad_hidden_out = t_gh.ptr();
    b.grads.grad_weight_out = t_gw.ptr();
    with_workspace(&mut b, truing_linear_logprob_backward_workspace_size, truing_linear_logprob_backward).unwrap();
    assert!(lp[1] == 0.0 && lp[0] < 0.0 && lp[2] < 0.0);
    assert!(grad_hidden[1024..2048].iter().all(|g| g.to_bits() == 0));
    assert!(grad_weight.iter().all(|g| g.is_finite()) && grad_weight.iter().any(|&g| g != 0.0));

    // A masked sequence of token log-probs.
    let logps = Pages::new(2);
    logps.fill(1, |_| -0.5);
    logps.close(0);
    let mut mask = vec![0u8; 2048];
    mask[1024..].fill(1);
    let (mut scores, mut counts, mut loss) = ([9f64; 2], [9i32; 2], [9f64]);
    let mut grad = vec![9f32; 2048];
    let (t_logps, t_mask) = (Tensor::new(logps.row(0), F32, &[2, 1024]), Tensor::new(mask.as_ptr(), U8, &[2, 1024]));
    let (t_scores, t_counts) =
        (Tensor::new(scores.as_mut_ptr(), F64, &[2]), Tensor::new(counts.as_mut_ptr(), I32, &[2]));
    let mut s: truing_sequence_forward_args = args();
    s.logps = t_logps.ptr();
    s.mask = t_mask.ptr();
    s.score.kind = TRUING_SCORE_SUM;
    s.out_scores = t_scores.ptr();
    s.out_counts = t_counts.ptr();
    // SAFETY: our own memory, and a page that must not be read.
    assert_eq!(unsafe { truing_sequence_forward(&s) }, TRUING_STATUS_OK, "{}", message());
    assert_eq!((scores, counts), ([0.0, -512.0], [0, 1024]));
    let advantage = [1f32, 2.0];
    let (t_advantage, t_loss) = (Tensor::new(advantage.as_ptr(), F32, &[2]), Tensor::new(loss.as_mut_ptr(), F64, &[]));
    let t_grad = Tensor::new(grad.as_mut_ptr(), F32, &[2, 1024]);
    let mut p: truing_policy_forward_args = args();
    p.logps = t_logps.ptr();
    p.inputs.mask = t_mask.ptr();
    p.inputs.advantage = t_advantage.ptr();
    p.inputs.loss.id = 4001;
    p.inputs.level = TRUING_LEVEL_TOKEN;
    p.inputs.aggregate.mode = TRUING_AGGREGATE_TOKEN_MEAN;
    p.outputs.out_loss = t_loss.ptr();
    p.grad_logps_out = t_grad.ptr();
    with_workspace(&mut p, truing_policy_forward_workspace_size, truing_policy_forward).unwrap();
    assert!(grad[..1024].iter().all(|g| g.to_bits() == 0) && loss[0] == -2.0, "{loss:?}");
}

// ---- random descriptions

#[test]
fn random_descriptions() {
    let mut r = Random(20_26);
    let inputs = vec![0u8; 1 << 20];
    let mut outputs = vec![CANARY; 1 << 16];
    let dims = [0i64, 1, 1, 2, 2, 3, 3, 4, 5, -1, i64::MAX];
    let strides = [1i64, 1, 1, 2, 3, 5, 12, 40, -1, i64::MAX];
    let codes = [
        (2u8, 32u8),
        (2, 32),
        (2, 32),
        (2, 16),
        (4, 16),
        (2, 64),
        (0, 32),
        (0, 64),
        (1, 8),
        (1, 32),
        (6, 8),
        (5, 64),
        (2, 8),
    ];
    let (mut counts, iterations) = ([0usize; 12], 60_000);
    // What fits, changed in up to three ways.
    let make = |r: &mut Random, base: *const u8, size: usize, dtype: (u8, u8), fit: &[i64]| {
        let at = base.wrapping_add(r.below(size / 4)).map_addr(|a| a.next_multiple_of(64));
        let mut t = Tensor::new(at, dtype, fit);
        for _ in 0..[0, 0, 0, 1, 1, 2, 3][r.below(7)] {
            match r.below(10) {
                0 => t.shape[r.below(3)] = dims[r.below(dims.len())],
                1 => t.raw.ndim = [0, 1, 2, 3, 4, -1][r.below(6)],
                2 | 3 => {
                    let mut s = [0; 3];
                    s.fill_with(|| strides[r.below(strides.len())]);
                    t.set_strides(&s);
                }
                4 => (t.raw.dtype.code, t.raw.dtype.bits) = codes[r.below(codes.len())],
                5 => t.raw.device.device_type = r.below(15) as i32,
                6 => t.raw.dtype.lanes = r.below(3) as u16,
                7 => t.raw.data = null_mut(),
                8 => t.raw.byte_offset = [1, 4, 64, u64::MAX, u64::MAX - 64][r.below(5)],
                _ if t.raw.data.is_null() => {}
                _ => t.raw.data = t.raw.data.wrapping_byte_add(r.below(16)),
            }
        }
        t
    };
    for _ in 0..iterations {
        let logits = make(&mut r, inputs.as_ptr(), inputs.len(), F32, &[3, 5]);
        let target = make(&mut r, inputs.as_ptr(), inputs.len(), I64, &[3]);
        let mask = make(&mut r, inputs.as_ptr(), inputs.len(), U8, &[3]);
        let out = [(F32, &[3i64][..]), (I32, &[3]), (F32, &[3, 12])]
            .map(|(dtype, fit)| make(&mut r, outputs.as_ptr(), outputs.len(), dtype, fit));
        let mut a: truing_logprob_forward_args = args();
        a.logits = logits.ptr();
        if r.below(2) == 0 {
            a.rows.target = target.ptr();
        }
        if r.below(3) == 0 {
            a.rows.mask = mask.ptr();
        }
        if r.below(2) == 0 {
            a.figures.out_lse = out[0].ptr();
        }
        if r.below(2) == 0 {
            a.figures.out_argmax = out[1].ptr();
        }
        if r.below(2) == 0 {
            a.figures.out_stats = out[2].ptr();
        }
        // SAFETY: whatever passes the checks covers a few hundred KiB at most (3 * 5 * 40 elements of 8 bytes) behind a
        // start in the first quarter of a buffer; larger ones overflow and are refused.
        let status = unsafe { truing_logprob_forward(&a) };
        assert!((0..11).contains(&status), "{status}: {}", message());
        counts[status as usize] += 1;
        if status == 0 {
            outputs.fill(CANARY);
        } else {
            assert!(outputs.iter().all(|&b| b == CANARY), "a refused call has written: {}", message());
        }
    }
    println!("hostile: {iterations} random descriptions, by status {counts:?}");
    assert!(counts[0] > 100, "too few calls pass for this to mean anything: {counts:?}");
    for status in [1, 2, 3, 4, 6] {
        assert!(counts[status] > 10, "status {status} never came: {counts:?}");
    }
}

// ---- memory of the calls

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Sizes, calls and counts: `run` must not allocate, whatever it answers.
fn without_allocation<T: Args>(
    mut a: T,
    size: unsafe extern "C" fn(*const T, *mut usize, *mut usize) -> i32,
    run: unsafe extern "C" fn(*const T) -> i32,
) {
    let (mut minimum, mut preferred) = (0, 0);
    let mut memory = vec![0u64; 1 << 20];
    let mut bad = a;
    // SAFETY: `Args` begins with the fields of `Head`.
    let (head, bad_head) = unsafe { (&mut *(&raw mut a).cast::<Head>(), &mut *(&raw mut bad).cast::<Head>()) };
    head.workspace = memory.as_mut_ptr().cast::<u8>().map_addr(|p| p.next_multiple_of(64)).cast();
    head.workspace_size = 7 << 20;
    bad_head.flags = 1 << 63;
    let before = Counting::allocations();
    // SAFETY: the caller's descriptors describe memory of the test.
    let statuses = unsafe { [size(&a, &mut minimum, &mut preferred), run(&a), run(&bad)] };
    let after = Counting::allocations();
    assert_eq!(statuses, [0, 0, TRUING_STATUS_INVALID_ARGUMENT], "{}: {}", T::NAME, message());
    assert!(preferred <= 7 << 20);
    assert_eq!(after - before, 0, "{} allocates without a context", T::NAME);
}

#[test]
fn calls_without_a_context_allocate_nothing() {
    let (s, t, n, d, v) = (2i64, 3i64, 6i64, 8i64, 40i64);
    let real = |count: i64| (0..count).map(|i| (i * 37 % 101) as f32 * 0.01 - 0.5).collect::<Vec<f32>>();
    let (hidden, weight, logits, logps) = (real(n * d), real(v * d), real(n * v), real(n));
    let (target, scores) = (vec![3i32; 6], [-1.0f64, -2.0]);
    let (mut a, mut b, mut c) = (vec![0f32; (n * v) as usize], vec![0f32; (v * d) as usize], vec![0f32; n as usize]);
    let (mut out_scores, mut loss) = ([0f64; 2], [0f64]);
    let t_hidden = Tensor::new(hidden.as_ptr(), F32, &[n, d]);
    let t_weight = Tensor::new(weight.as_ptr(), F32, &[v, d]);
    let t_logits = Tensor::new(logits.as_ptr(), F32, &[n, v]);
    let t_target = Tensor::new(target.as_ptr(), I32, &[s, t]);
    let t_logps = Tensor::new(logps.as_ptr(), F32, &[s, t]);
    let t_flat = Tensor::new(logps.as_ptr(), F32, &[n]);
    let t_scores = Tensor::new(scores.as_ptr(), F64, &[s]);
    let t_grad_logits = Tensor::new(a.as_mut_ptr(), F32, &[n, v]);
    let t_grad_hidden = Tensor::new(a.as_mut_ptr(), F32, &[n, d]);
    let t_grad_weight = Tensor::new(b.as_mut_ptr(), F32, &[v, d]);
    let t_vector = Tensor::new(c.as_mut_ptr(), F32, &[s, t]);
    let (t_out, t_loss) = (Tensor::new(out_scores.as_mut_ptr(), F64, &[s]), Tensor::new(loss.as_mut_ptr(), F64, &[]));

    let mut x: truing_logprob_forward_args = args();
    (x.logits, x.rows.target, x.figures.out_logprob) = (t_logits.ptr(), t_target.ptr(), t_vector.ptr());
    without_allocation(x, truing_logprob_forward_workspace_size, truing_logprob_forward);
    let mut x: truing_logprob_backward_args = args();
    (x.logits, x.rows.target, x.grad_logits_out) = (t_logits.ptr(), t_target.ptr(), t_grad_logits.ptr());
    x.upstream.grad_logprob = t_flat.ptr();
    without_allocation(x, truing_logprob_backward_workspace_size, truing_logprob_backward);
    let mut x: truing_linear_logprob_forward_args = args();
    (x.head.hidden, x.head.weight, x.rows.target) = (t_hidden.ptr(), t_weight.ptr(), t_target.ptr());
    x.figures.out_logprob = t_vector.ptr();
    without_allocation(x, truing_linear_logprob_forward_workspace_size, truing_linear_logprob_forward);
    let mut y: truing_linear_logprob_backward_args = args();
    (y.head, y.rows, y.upstream.grad_logprob) = (x.head, x.rows, t_flat.ptr());
    (y.grads.grad_hidden_out, y.grads.grad_weight_out) = (t_grad_hidden.ptr(), t_grad_weight.ptr());
    without_allocation(y, truing_linear_logprob_backward_workspace_size, truing_linear_logprob_backward);
    let mut x: truing_sequence_forward_args = args();
    (x.logps, x.out_scores, x.score.kind) = (t_logps.ptr(), t_out.ptr(), TRUING_SCORE_SUM);
    without_allocation(x, truing_sequence_forward_workspace_size, truing_sequence_forward);
    let mut x: truing_sequence_backward_args = args();
    (x.grad_scores, x.grad_logps_out, x.score.kind) = (t_scores.ptr(), t_vector.ptr(), TRUING_SCORE_SUM);
    without_allocation(x, truing_sequence_backward_workspace_size, truing_sequence_backward);
    let mut x: truing_preference_forward_args = args();
    (x.scores, x.ref_scores, x.outputs.out_loss) = (t_scores.ptr(), t_scores.ptr(), t_loss.ptr());
    (x.loss.id, x.loss.reduction, x.groups.layout) = (1001, TRUING_REDUCE_MEAN, TRUING_LAYOUT_STACKED);
    x.outputs.grad_scores_out = t_out.ptr();
    without_allocation(x, truing_preference_forward_workspace_size, truing_preference_forward);
    let mut z: truing_linear_preference_args = args();
    (z.head, z.rows, z.grads, z.loss, z.groups) = (y.head, y.rows, y.grads, x.loss, x.groups);
    (z.ref_scores, z.outputs.out_loss) = (t_scores.ptr(), t_loss.ptr());
    (z.score.kind, z.phase) = (TRUING_SCORE_SUM, TRUING_PHASE_SINGLE);
    without_allocation(z, truing_linear_preference_forward_workspace_size, truing_linear_preference_forward);
    let mut x: truing_policy_forward_args = args();
    (x.logps, x.inputs.advantage, x.grad_logps_out) = (t_logps.ptr(), t_logps.ptr(), t_vector.ptr());
    (x.inputs.loss.id, x.inputs.level) = (4001, TRUING_LEVEL_TOKEN);
    x.inputs.aggregate.mode = TRUING_AGGREGATE_TOKEN_MEAN;
    without_allocation(x, truing_policy_forward_workspace_size, truing_policy_forward);
    assert!((loss[0] - 2f64.ln()).abs() > 1e-6, "the last loss was that of other scores: {loss:?}");
    println!("hostile: 9 operations allocate nothing without a context");
}

// ---- threads

#[test]
fn calls_and_contexts_from_several_threads() {
    let mut context = null_mut();
    let mut o: truing_context_options = args();
    o.num_threads = 3;
    // SAFETY: both places are ours.
    assert_eq!(unsafe { truing_context_create(&o, &mut context) }, TRUING_STATUS_OK);
    let context = context.expose_provenance();
    let (n, v) = (64usize, 3000usize);
    let mut r = Random(3);
    let logits = r.normals(n * v, 1.0);
    let target: Vec<i32> = (0..n).map(|_| r.below(v) as i32).collect();
    let run = |context: usize| {
        let mut out = vec![0f32; n];
        let t_logits = Tensor::new(logits.as_ptr(), F32, &[n as i64, v as i64]);
        let t_target = Tensor::new(target.as_ptr(), I32, &[n as i64]);
        let t_out = Tensor::new(out.as_mut_ptr(), F32, &[n as i64]);
        let mut a: truing_logprob_forward_args = args();
        a.context = core::ptr::with_exposed_provenance(context);
        a.logits = t_logits.ptr();
        a.rows.target = t_target.ptr();
        a.figures.out_logprob = t_out.ptr();
        // SAFETY: the context is alive, the rest is ours.
        assert_eq!(unsafe { truing_logprob_forward(&a) }, TRUING_STATUS_OK, "{}", message());
        out.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
    };
    let want = run(0);
    std::thread::scope(|s| {
        for k in 0..6 {
            let (run, want) = (&run, &want);
            s.spawn(move || {
                for _ in 0..10 {
                    assert_eq!(run(if k % 2 == 0 { context } else { 0 }), *want);
                }
                // An error of this thread is this thread's own.
                // SAFETY: NULL is refused.
                assert_eq!(unsafe { truing_logprob_forward(null()) }, TRUING_STATUS_INVALID_ARGUMENT);
                assert!(message().starts_with("truing_logprob_forward: args"));
            });
        }
    });
    assert!(!message().contains("args"), "another thread's error came through: {}", message());
    // SAFETY: no call uses it any more.
    unsafe { truing_context_destroy(core::ptr::with_exposed_provenance_mut(context)) };
}
