#include "core/nistp_dh.h"

#include "core/ct.h"
#include "core/ossl.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <string.h>

/* 0x04 of SEC 1, then x and y. */
#define POINT_SIZE_MAX (1u + CS_NISTP_KEY_SIZE_MAX)

struct work {
	EC_GROUP *group;
	BIGNUM *secret;
	EC_POINT *point;
	size_t size; /* of a coordinate */
};

static void work_done(struct work *work)
{
	EC_POINT_clear_free(work->point);
	BN_clear_free(work->secret);
	EC_GROUP_free(work->group);
}

static enum cs_err work_init(struct work *work, enum cs_curve curve, struct cs_bytes secret)
{
	*work = (struct work){.size = cs_curve_size(curve)};
	work->group =
		EC_GROUP_new_by_curve_name(curve == CS_P256 ? NID_X9_62_prime256v1 : NID_secp384r1);
	work->secret = BN_bin2bn(secret.p, (int)secret.n, NULL);
	work->point = work->group == NULL ? NULL : EC_POINT_new(work->group);
	if (work->point == NULL || work->secret == NULL)
		return CS_ERR_CRYPTO;
	BN_set_flags(work->secret, BN_FLG_CONSTTIME);
	return BN_is_zero(work->secret) ||
			       BN_cmp(work->secret, EC_GROUP_get0_order(work->group)) >= 0
		       ? CS_ERR_INVALID
		       : CS_OK;
}

/* x and y of work->point. */
static enum cs_err coordinates(uint8_t out[CS_NISTP_KEY_SIZE_MAX], const struct work *work)
{
	uint8_t encoded[POINT_SIZE_MAX];
	const size_t n = EC_POINT_point2oct(work->group, work->point, POINT_CONVERSION_UNCOMPRESSED,
					    encoded, sizeof encoded, NULL);
	if (n != 1 + 2 * work->size)
		return CS_ERR_CRYPTO;
	memcpy(out, encoded + 1, n - 1);
	cs_wipe(encoded, sizeof encoded);
	return CS_OK;
}

static enum cs_err exchange(uint8_t own[CS_NISTP_KEY_SIZE_MAX],
			    uint8_t shared[CS_NISTP_KEY_SIZE_MAX], const struct work *work,
			    struct cs_bytes peer)
{
	uint8_t encoded[POINT_SIZE_MAX] = {0x04};
	if (EC_POINT_mul(work->group, work->point, work->secret, NULL, NULL, NULL) != 1)
		return CS_ERR_CRYPTO;
	CS_TRY(coordinates(own, work));
	if (peer.n != 2 * work->size)
		return CS_ERR_WRONG_KEY;
	memcpy(encoded + 1, peer.p, peer.n);
	/* The order is prime on both curves: a point on the curve is in the group. */
	if (EC_POINT_oct2point(work->group, work->point, encoded, 1 + peer.n, NULL) != 1)
		return CS_ERR_WRONG_KEY;
	if (EC_POINT_mul(work->group, work->point, NULL, work->point, work->secret, NULL) != 1)
		return CS_ERR_CRYPTO;
	return coordinates(shared, work);
}

enum cs_err cs_nistp_exchange(uint8_t *own, uint8_t *shared, enum cs_curve curve,
			      struct cs_bytes secret, struct cs_bytes peer)
{
	uint8_t mine[CS_NISTP_KEY_SIZE_MAX], common[CS_NISTP_KEY_SIZE_MAX];
	struct work work;
	if (secret.n != cs_curve_size(curve))
		return CS_ERR_INVALID;
	enum cs_err err = work_init(&work, curve, secret);
	if (err == CS_OK)
		err = exchange(mine, common, &work, peer);
	if (err == CS_OK) {
		memcpy(own, mine, 2 * work.size);
		memcpy(shared, common, work.size);
	}
	work_done(&work);
	cs_wipe(common, sizeof common);
	return err == CS_OK ? CS_OK : cs_ossl_refused(err);
}
