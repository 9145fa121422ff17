// The same trainer in C++17 through truing.hpp, with a context of its own and errors as exceptions.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "truing.hpp"
#include "truing_losses.h"

static int checks;
#define CHECK(ok)                                                                                                      \
    do {                                                                                                               \
        checks++;                                                                                                      \
        if (!(ok)) {                                                                                                   \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #ok);                                              \
            std::exit(1);                                                                                              \
        }                                                                                                              \
    } while (0)

#include "every_entry.h"

int main() {
    constexpr std::int64_t S = 6, T = 5, N = S * T, D = 12, V = 77;
    std::uint64_t state = 7;
    auto uniform = [&state] {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return static_cast<float>(static_cast<double>(state >> 11) / 9007199254740992.0 - 0.5);
    };
    std::vector<float> hidden(N * D), weight(V * D), grad_hidden(N * D), grad_weight(V * D);
    std::vector<std::int64_t> targets(N);
    for (float &x : hidden) {
        x = uniform();
    }
    for (float &x : weight) {
        x = uniform();
    }
    for (std::int64_t &y : targets) {
        y = static_cast<std::int64_t>((uniform() + 0.5f) * V) % V;
    }
    std::vector<double> ref(S), scores(S);
    double loss = 0;

    const truing::context context(2);
    const truing::tensor t_hidden(hidden.data(), {N, D}), t_weight(weight.data(), {V, D}), target(targets.data(), {S, T});
    const truing::tensor t_ref(ref.data(), {S}), t_scores(scores.data(), {S}), t_loss(&loss, {});
    const truing::tensor t_grad_hidden(grad_hidden.data(), {N, D}), t_grad_weight(grad_weight.data(), {V, D});

    // A descriptor points into its own object, copies included.
    const truing::tensor strided(hidden.data(), {S, T, 2}, {T * D, D, 1});
    truing::tensor copied(strided), assigned(t_loss);
    assigned = copied;
    CHECK(copied.get()->shape != strided.get()->shape && copied.get()->strides != strided.get()->strides);
    CHECK(assigned.get()->shape != copied.get()->shape && assigned.get()->shape[2] == 2);
    CHECK(assigned.get()->strides[0] == T * D && assigned.get()->data == hidden.data() && assigned.get()->ndim == 3);
    assigned = t_loss;
    CHECK(assigned.get()->strides == nullptr && assigned.get()->ndim == 0);

    auto a = truing::args<truing_linear_preference_args>();
    a.context = context;
    a.head.hidden = t_hidden;
    a.head.weight = t_weight;
    a.rows.target = target;
    a.score.kind = TRUING_SCORE_MEAN;
    a.score.divisor = TRUING_DIVISOR_TOKENS;
    a.phase = TRUING_PHASE_FIGURES;
    a.out_scores = t_ref;
    truing::linear_preference_forward(a);
    CHECK(ref[0] < -1 && ref[S - 1] < -1);

    a.phase = TRUING_PHASE_SINGLE;
    a.groups.layout = TRUING_LAYOUT_STACKED;
    a.loss.id = TRUING_PAIR_SIMPO;
    a.loss.reduction = TRUING_REDUCE_MEAN;
    a.out_scores = t_scores;
    a.outputs.out_loss = t_loss;
    a.grads.grad_hidden_out = t_grad_hidden;
    a.grads.grad_weight_out = t_grad_weight;
    double first = 0;
    for (int step = 0; step < 20; step++) {
        const double before = loss;
        truing::linear_preference_forward(a);
        CHECK(step == 0 || loss < before);
        first = step == 0 ? loss : first;
        for (std::size_t i = 0; i < hidden.size(); i++) {
            hidden[i] -= 0.5f * grad_hidden[i];
        }
        for (std::size_t i = 0; i < weight.size(); i++) {
            weight[i] -= 0.5f * grad_weight[i];
        }
    }
    CHECK(loss < 0.5 * first);

    // The split form gives the loss of the same scores.
    double split = 0;
    const truing::tensor t_split(&split, {});
    truing::linear_preference_forward(a); // scores of the weights as they are now
    auto p = truing::args<truing_preference_forward_args>();
    p.scores = t_scores;
    p.groups.layout = TRUING_LAYOUT_STACKED;
    p.loss = a.loss;
    p.outputs.out_loss = t_split;
    truing::preference_forward(p);
    CHECK(split == loss);

    // bf16 logits equal the widened ones, bit for bit.
    std::vector<truing::bf16> narrow(V);
    std::vector<float> wide(V);
    for (std::int64_t j = 0; j < V; j++) {
        const float x = 8 * uniform();
        std::uint32_t bits;
        static_assert(sizeof bits == sizeof x, "");
        __builtin_memcpy(&bits, &x, 4);
        narrow[static_cast<std::size_t>(j)].bits = static_cast<std::uint16_t>(bits >> 16);
        bits &= 0xffff0000u;
        __builtin_memcpy(&wide[static_cast<std::size_t>(j)], &bits, 4);
    }
    float from_narrow = 0, from_wide = 0;
    const std::int32_t y = 3;
    const truing::tensor t_narrow(narrow.data(), {1, V}), t_wide(wide.data(), {1, V}), t_y(&y, {1});
    const truing::tensor t_from_narrow(&from_narrow, {1}), t_from_wide(&from_wide, {1});
    auto f = truing::args<truing_logprob_forward_args>();
    f.logits = t_narrow;
    f.rows.target = t_y;
    f.figures.out_logprob = t_from_narrow;
    truing::logprob_forward(f);
    f.logits = t_wide;
    f.figures.out_logprob = t_from_wide;
    truing::logprob_forward(f);
    CHECK(from_narrow == from_wide && from_wide < 0);

    CHECK(every_entry() >= 67);

    bool thrown = false;
    try {
        f.transform.temperature = -1;
        truing::logprob_forward(f);
    } catch (const truing::error &e) {
        thrown = e.status() == TRUING_STATUS_INVALID_ARGUMENT &&
                 std::string(e.what()).find("transform.temperature") != std::string::npos;
    }
    CHECK(thrown);

    // Tensors on a CUDA device: their workspace is the caller's, and where there is no device, or no CUDA context, the status
    // says so. Nothing is read from the addresses.
    const truing::context shared(0);
    double rewards[4] = {0, 1, 2, 3}, whitened[4] = {};
    const truing_device device = truing::cuda(0);
    const truing::tensor d_logits(wide.data(), {1, V}, {}, device), d_y(&y, {1}, {}, device);
    const truing::tensor d_logprob(&from_wide, {1}, {}, device);
    f = truing::args<truing_logprob_forward_args>();
    f.context = shared;
    f.logits = d_logits;
    f.rows.target = d_y;
    f.figures.out_logprob = d_logprob;
    const auto status_of = [](auto &&call) {
        try {
            call();
        } catch (const truing::error &e) {
            return e.status();
        }
        return TRUING_STATUS_OK;
    };
    CHECK(status_of([&] { truing::logprob_forward(f); }) == TRUING_STATUS_WORKSPACE_TOO_SMALL);
    alignas(64) static unsigned char memory[4096];
    f.workspace = memory;
    f.workspace_size = sizeof memory;
    CHECK(status_of([&] { truing::logprob_forward(f); }) == TRUING_STATUS_NO_DEVICE);
    CHECK(status_of([&] { shared.prepare(0); }) == TRUING_STATUS_NO_DEVICE);
    auto white = truing::args<truing_whiten_args>();
    white.context = shared;
    white.std_kind = TRUING_STD_UNBIASED;
    white.eps_kind = TRUING_EPS_ADD;
    const truing::tensor d_rewards(rewards, {4}, {}, device), d_white(whitened, {4}, {}, device);
    white.values = d_rewards;
    white.out_values = d_white;
    CHECK(status_of([&] { truing::whiten(white); }) == TRUING_STATUS_WORKSPACE_TOO_SMALL);
    // An operation over a batch, through the wrapper like every other.
    double baseline = -1;
    const truing::tensor t_rewards(rewards, {4}), t_baseline(&baseline, {});
    auto kto = truing::args<truing_kto_baseline_args>();
    kto.scores = t_rewards;
    kto.out_baseline = t_baseline;
    truing::kto_baseline(kto);
    CHECK(baseline == 1.5);
    std::printf("trainer.cpp: %d checks, SimPO loss %.4f -> %.4f\n", checks, first, loss);
    return 0;
}
