// Every form of divergence over shards together, as the tests and cuda/compile-check read them.
#include "divergence_shard.cuh"
TRUING_SHARD(kl)
TRUING_SHARD(two_way)
TRUING_SHARD(jsd)
TRUING_SHARD(skew)
TRUING_SHARD(power)
TRUING_SHARD(hellinger2)
TRUING_SHARD(chi2)
TRUING_SHARD(tvd)
TRUING_SHARD(cosine_logits)
TRUING_SHARD(cross_entropy)
