#include "verify/attest/pool.h"

#include <string.h>

static enum cs_err parse(const struct x509_certificate **out, size_t *count_out,
			 const struct cs_bytes *ders, size_t count, struct cs_arena *arena)
{
	struct x509_certificate *parsed = cs_arena_calloc(arena, count + 1, sizeof *parsed);
	size_t n = 0;
	if (parsed == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		if (x509_certificate_parse(&parsed[n], ders[i], NULL) == CS_OK)
			n++;
	*out = parsed;
	*count_out = n;
	return CS_OK;
}

enum cs_err attest_pool(struct x509_pool *out, const struct attest_collateral *bag,
			const struct cs_bytes *roots, size_t root_count, struct cs_arena *arena)
{
	struct x509_pool pool = {0};
	struct x509_crl *crls = cs_arena_calloc(arena, bag->crl_count + 1, sizeof *crls);
	if (crls == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < bag->crl_count; i++)
		if (x509_crl_parse(&crls[pool.crl_count], bag->crls[i], NULL) == CS_OK)
			pool.crl_count++;
	pool.crls = crls;
	CS_TRY(parse(&pool.roots, &pool.root_count, roots, root_count, arena));
	CS_TRY(parse(&pool.certificates, &pool.certificate_count, bag->certificates,
		     bag->certificate_count, arena));
	*out = pool;
	return CS_OK;
}

void attest_until_path(struct attest_result *result, const struct x509_path *path)
{
	for (size_t i = 0; i + 1 < path->count; i++)
		attest_until(result, path->certificates[i]->not_after_s);
}

static void put_first(struct cs_bytes *list, size_t count, struct cs_bytes first)
{
	memmove(list + 1, list, count * sizeof *list);
	list[0] = first;
}

enum cs_err attest_bag_add_certificate(struct attest_collateral *bag, struct cs_bytes certificate)
{
	if (bag->certificate_count == ATTEST_CERTIFICATES_MAX)
		return CS_ERR_TOO_LARGE;
	put_first(bag->certificates, bag->certificate_count++, certificate);
	return CS_OK;
}

enum cs_err attest_bag_add_crl(struct attest_collateral *bag, struct cs_bytes crl)
{
	if (bag->crl_count == ATTEST_CRLS_MAX)
		return CS_ERR_TOO_LARGE;
	put_first(bag->crls, bag->crl_count++, crl);
	return CS_OK;
}
