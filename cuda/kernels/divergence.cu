// Every form of divergence together, as the tests and cuda/compile-check read them.
#include "divergence.cuh"
TRUING_DIVERGENCE(kl)
TRUING_DIVERGENCE(two_way)
TRUING_DIVERGENCE(jsd)
TRUING_DIVERGENCE(skew)
TRUING_DIVERGENCE(power)
TRUING_DIVERGENCE(hellinger2)
TRUING_DIVERGENCE(chi2)
TRUING_DIVERGENCE(tvd)
TRUING_DIVERGENCE(cosine_probs)
TRUING_DIVERGENCE(cosine_logits)
TRUING_DIVERGENCE(cross_entropy)
