#include "verify/cluster/cluster.h"

const char *cluster_role_name(enum cluster_role role)
{
	switch (role) {
	case CLUSTER_KEY_SERVER:
		return "key-server";
	case CLUSTER_GUARD:
		return "guard";
	case CLUSTER_WORKER:
		return "worker";
	}
	cs_assert(false);
	return NULL;
}

enum cs_err cluster_pair_make(struct cluster_pair *pair, const struct cs_secret *secret)
{
	struct cs_ed25519_key key;
	CS_TRY(cs_ed25519_public(&key, secret));
	pair->secret = *secret;
	pair->key = key;
	return CS_OK;
}
