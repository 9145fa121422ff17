// Truing for C++17, header-only over truing.h: contexts, tensor views, errors as exceptions. It fills in struct_size and
// the workspace; every formula and default is the library's own.
#ifndef TRUING_HPP
#define TRUING_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "truing.h"

namespace truing {

// A refused call; nothing has been written.
class error : public std::runtime_error {
public:
    error(truing_status status, const std::string &message) : std::runtime_error(message), status_(status) {}
    truing_status status() const noexcept { return status_; }

private:
    truing_status status_;
};

inline void check(truing_status status) {
    if (status != TRUING_STATUS_OK) {
        throw error(status, truing_last_error());
    }
}

// Owns a truing_context. Converts to what the field `context` takes.
class context {
public:
    explicit context(std::uint32_t num_threads) : context(with_threads(num_threads)) {}
    explicit context(truing_context_options options) {
        options.struct_size = sizeof options;
        truing_context *made = nullptr;
        check(truing_context_create(&options, &made));
        owned_.reset(made);
    }
    operator const truing_context *() const noexcept { return owned_.get(); }
    // Loads every kernel for a CUDA device, before calls are captured into a graph.
    void prepare(std::int32_t device_id) const { check(truing_prepare(owned_.get(), device_id)); }

private:
    struct destroy {
        void operator()(truing_context *c) const noexcept { truing_context_destroy(c); }
    };
    static truing_context_options with_threads(std::uint32_t n) {
        truing_context_options options{};
        options.num_threads = n;
        return options;
    }
    std::unique_ptr<truing_context, destroy> owned_;
};

// Bits of a 16-bit number; this header does no arithmetic on them.
struct bf16 {
    std::uint16_t bits;
};
struct f16 {
    std::uint16_t bits;
};

template <class T> struct element;
#define TRUING_ELEMENT(type, dtype_code)                                                                               \
    template <> struct element<type> {                                                                                 \
        static constexpr truing_dtype dtype = {dtype_code, sizeof(type) * 8, 1};                                       \
    }
TRUING_ELEMENT(float, TRUING_DTYPE_FLOAT);
TRUING_ELEMENT(double, TRUING_DTYPE_FLOAT);
TRUING_ELEMENT(bf16, TRUING_DTYPE_BFLOAT);
TRUING_ELEMENT(f16, TRUING_DTYPE_FLOAT);
TRUING_ELEMENT(std::int8_t, TRUING_DTYPE_INT);
TRUING_ELEMENT(std::int32_t, TRUING_DTYPE_INT);
TRUING_ELEMENT(std::int64_t, TRUING_DTYPE_INT);
TRUING_ELEMENT(std::uint8_t, TRUING_DTYPE_UINT);
TRUING_ELEMENT(std::uint32_t, TRUING_DTYPE_UINT);
TRUING_ELEMENT(bool, TRUING_DTYPE_BOOL);
#undef TRUING_ELEMENT

// A CUDA device, for tensors in its memory.
constexpr truing_device cuda(std::int32_t id) { return {TRUING_DEVICE_CUDA, id}; }

// A view of the caller's memory: a pointer, a shape and, unless contiguous, strides in elements. It must outlive the calls
// whose arguments it was assigned to.
class tensor {
public:
    template <class T> tensor(T *data, std::initializer_list<std::int64_t> shape) : tensor(data, shape, {}) {}
    template <class T> tensor(const T *data, std::initializer_list<std::int64_t> shape) : tensor(data, shape, {}) {}
    // `device`: `truing::cuda(id)` for an address on a device.
    template <class T>
    tensor(const T *data, std::initializer_list<std::int64_t> shape, std::initializer_list<std::int64_t> strides,
           truing_device device = {TRUING_DEVICE_CPU, 0}) {
        if (shape.size() > 3 || (strides.size() != 0 && strides.size() != shape.size())) {
            throw error(TRUING_STATUS_SHAPE_MISMATCH, "truing::tensor: at most 3 dimensions, as many strides as dimensions");
        }
        // The library writes only through output fields.
        tensor_.data = const_cast<T *>(data);
        tensor_.device = device;
        tensor_.ndim = static_cast<std::int32_t>(shape.size());
        tensor_.dtype = element<T>::dtype;
        std::size_t k = 0;
        for (std::int64_t n : shape) {
            shape_[k++] = n;
        }
        k = 0;
        for (std::int64_t n : strides) {
            strides_[k++] = n;
        }
        point(k != 0);
    }
    tensor(const tensor &other) noexcept : tensor_(other.tensor_), shape_(other.shape_), strides_(other.strides_) {
        point(other.tensor_.strides != nullptr);
    }
    tensor &operator=(const tensor &other) noexcept {
        tensor_ = other.tensor_;
        shape_ = other.shape_;
        strides_ = other.strides_;
        point(tensor_.strides != nullptr);
        return *this;
    }
    ~tensor() = default;
    // The descriptor, pointing into this object.
    const truing_tensor *get() const & noexcept { return &tensor_; }
    operator const truing_tensor *() const & noexcept { return get(); }
    operator const truing_tensor *() const && = delete; // a temporary would be gone before the call

private:
    void point(bool strided) noexcept {
        tensor_.shape = shape_.data();
        tensor_.strides = strided ? strides_.data() : nullptr;
    }
    truing_tensor tensor_{};
    std::array<std::int64_t, 3> shape_{}, strides_{};
};

// An args struct with everything 0 but its size.
template <class Args> Args args() {
    Args a{};
    a.struct_size = sizeof a;
    return a;
}

namespace detail {
struct release {
    void operator()(void *p) const noexcept { ::operator delete(p, std::align_val_t(64)); }
};

template <class Args>
void call(Args a, std::initializer_list<const truing_tensor *> operands, truing_status (*run)(const Args *),
          truing_status (*size)(const Args *, std::size_t *, std::size_t *)) {
    a.struct_size = sizeof a;
    std::unique_ptr<void, release> memory;
    if (a.workspace == nullptr) {
        std::size_t minimum = 0, preferred = 0;
        check(size(&a, &minimum, &preferred));
        const truing_tensor *x = nullptr;
        for (const truing_tensor *operand : operands) {
            x = x != nullptr ? x : operand;
        }
        if (preferred != 0 && x != nullptr && x->device.device_type != TRUING_DEVICE_CPU &&
            x->device.device_type != TRUING_DEVICE_CUDA_HOST) {
            throw error(TRUING_STATUS_WORKSPACE_TOO_SMALL, "truing: workspace: got none, expected " +
                                                               std::to_string(preferred) + " bytes on the tensors' device");
        }
        if (preferred != 0) {
            memory.reset(::operator new(preferred, std::align_val_t(64)));
            a.workspace = memory.get();
            a.workspace_size = preferred;
        }
    }
    check(run(&a));
}
} // namespace detail

// One function per operation. Without a workspace in the arguments one is allocated for the call, on the CPU only. Behind
// the struct stand tensors of the call; the device of the first that is given is the call's.
#define TRUING_CALL(op, args_type, ...)                                                                                \
    inline void op(const args_type &a) {                                                                               \
        detail::call(a, {__VA_ARGS__}, &::truing_##op, &::truing_##op##_workspace_size);                               \
    }
TRUING_CALL(logprob_forward, truing_logprob_forward_args, a.logits)
TRUING_CALL(logprob_backward, truing_logprob_backward_args, a.logits)
TRUING_CALL(logprob_local, truing_logprob_local_args, a.logits)
TRUING_CALL(logprob_finish, truing_logprob_finish_args, a.records, a.support_records)
TRUING_CALL(linear_logprob_forward, truing_linear_logprob_forward_args, a.head.hidden)
TRUING_CALL(linear_logprob_backward, truing_linear_logprob_backward_args, a.head.hidden)
TRUING_CALL(linear_logprob_local, truing_linear_logprob_local_args, a.head.hidden)
TRUING_CALL(linear_logprob_finish, truing_linear_logprob_finish_args, a.records, a.support_records)
TRUING_CALL(support_mask, truing_support_mask_args, a.logits)
TRUING_CALL(tds_rows, truing_tds_rows_args, a.base)
TRUING_CALL(divergence_forward, truing_divergence_forward_args, a.student)
TRUING_CALL(divergence_backward, truing_divergence_backward_args, a.student)
TRUING_CALL(linear_divergence_forward, truing_linear_divergence_args, a.student.hidden)
TRUING_CALL(linear_divergence_local, truing_linear_divergence_local_args, a.student.hidden)
TRUING_CALL(linear_divergence_finish, truing_linear_divergence_finish_args, a.records, a.student_at_ids)
TRUING_CALL(divergence_local, truing_divergence_local_args, a.student)
TRUING_CALL(divergence_finish, truing_divergence_finish_args, a.records, a.student_at_ids)
TRUING_CALL(uld, truing_uld_args, a.student)
TRUING_CALL(tilt, truing_tilt_args, a.logps)
TRUING_CALL(tilt_solve, truing_tilt_args, a.logps)
TRUING_CALL(renyi_array, truing_renyi_args, a.first)
TRUING_CALL(renyi_cross_entropy, truing_renyi_args, a.first)
TRUING_CALL(best_of_n_exact, truing_best_of_n_args, a.logps)
TRUING_CALL(best_of_n_kl_estimate, truing_best_of_n_kl_args, a.logps)
TRUING_CALL(sequence_kl_forward, truing_sequence_kl_args, a.policy)
TRUING_CALL(sequence_kl_backward, truing_sequence_kl_args, a.policy)
TRUING_CALL(sequence_forward, truing_sequence_forward_args, a.logps)
TRUING_CALL(sequence_backward, truing_sequence_backward_args, a.grad_scores)
TRUING_CALL(preference_forward, truing_preference_forward_args, a.scores)
TRUING_CALL(linear_preference_forward, truing_linear_preference_args, a.head.hidden)
TRUING_CALL(kto_baseline, truing_kto_baseline_args, a.scores)
TRUING_CALL(bco_shift, truing_bco_shift_args, a.rewards, a.state)
TRUING_CALL(aot_sort, truing_aot_sort_args, a.chosen)
TRUING_CALL(beta_dpo_stats, truing_beta_dpo_stats_args, a.gaps)
TRUING_CALL(wpo_weight, truing_wpo_weight_args, a.chosen)
TRUING_CALL(density_ratio, truing_item_numbers_args, a.first)
TRUING_CALL(odpo_offset, truing_item_numbers_args, a.first)
TRUING_CALL(mm_beta, truing_item_numbers_args, a.first)
TRUING_CALL(pdu_dual_step, truing_item_numbers_args, a.first)
TRUING_CALL(head_weights, truing_head_weights_args, a.head)
TRUING_CALL(modpo_margin, truing_modpo_margin_args, a.weights)
TRUING_CALL(quantile_threshold, truing_quantile_threshold_args, a.values)
TRUING_CALL(a_star_value, truing_a_star_value_args, a.rewards)
TRUING_CALL(hindsight_target, truing_hindsight_target_args, a.rewards)
TRUING_CALL(kl_length_figures, truing_kl_length_figures_args, a.logps)
TRUING_CALL(ches, truing_ches_args, a.hidden)
TRUING_CALL(prm_ce, truing_class_rows_args, a.logits)
TRUING_CALL(prm_mse, truing_prm_mse_args, a.predictions)
TRUING_CALL(rps, truing_class_rows_args, a.logits)
TRUING_CALL(brier, truing_class_rows_args, a.logits)
TRUING_CALL(confidence_ce, truing_class_rows_args, a.logits)
TRUING_CALL(product_target, truing_class_rows_args, a.logits)
TRUING_CALL(pdu_flatten, truing_class_rows_args, a.logits)
TRUING_CALL(preference_orchestrator, truing_preference_orchestrator_args, a.rewards, a.log_target, a.scores, a.values)
TRUING_CALL(policy_forward, truing_policy_forward_args, a.logps)
TRUING_CALL(linear_policy_forward, truing_linear_policy_args, a.head.hidden)
TRUING_CALL(importance_weight, truing_importance_weight_args, a.old)
TRUING_CALL(rejection_mask, truing_rejection_mask_args, a.old)
TRUING_CALL(off_policy_sequence_mask, truing_off_policy_sequence_mask_args, a.logps)
TRUING_CALL(top_entropy_mask, truing_top_entropy_mask_args, a.entropy)
TRUING_CALL(cov_select, truing_cov_select_args, a.logps)
TRUING_CALL(m2po_mask, truing_m2po_mask_args, a.old)
TRUING_CALL(fipo_weight, truing_fipo_weight_args, a.logps)
TRUING_CALL(group_advantage, truing_group_advantage_args, a.rewards)
TRUING_CALL(pass_k_advantage, truing_group_advantage_args, a.rewards)
TRUING_CALL(multi_objective_advantage_forward, truing_multi_objective_advantage_args, a.rewards)
TRUING_CALL(multi_objective_advantage_backward, truing_multi_objective_advantage_args, a.grad_advantages)
TRUING_CALL(gae_forward, truing_gae_args, a.rewards)
TRUING_CALL(gae_backward, truing_gae_args, a.grad_advantages, a.grad_returns)
TRUING_CALL(discounted_return_forward, truing_gae_args, a.rewards)
TRUING_CALL(discounted_return_backward, truing_gae_args, a.grad_advantages, a.grad_returns)
TRUING_CALL(whiten, truing_whiten_args, a.values)
TRUING_CALL(optimal_token_baseline, truing_optimal_token_baseline_args, a.rewards)
TRUING_CALL(prime_advantage, truing_prime_advantage_args, a.process_rewards)
TRUING_CALL(distill_advantage, truing_distill_advantage_args, a.student)
TRUING_CALL(lagrangian_advantage, truing_lagrangian_advantage_args, a.reward_advantages)
TRUING_CALL(pama_scalars, truing_pama_scalars_args, a.advantages)
TRUING_CALL(interval_weights, truing_interval_weights_args, a.scalars)
TRUING_CALL(gram_matrix, truing_gram_matrix_args, a.values)
TRUING_CALL(min_norm_weights, truing_min_norm_weights_args, a.gram)
TRUING_CALL(token_reward, truing_token_reward_args, a.old)
TRUING_CALL(kl_controller, truing_controller_args, a.measured)
TRUING_CALL(entropy_controller, truing_controller_args, a.measured)
#undef TRUING_CALL

} // namespace truing

#endif
