#include "core/utc.h"
#include "verify/attest/x509.h"

#include <stdio.h>

/* The common name for a sentence: what is not plain ASCII is not shown as it stands. */
struct shown_name {
	char text[65];
};

static struct shown_name shown(const struct x509_certificate *certificate)
{
	struct cs_bytes name = x509_common_name(certificate->subject);
	struct shown_name out = {{0}};
	for (size_t i = 0; i < name.n && i < sizeof out.text - 1; i++)
		out.text[i] = name.p[i] >= 0x20 && name.p[i] < 0x7f ? (char)name.p[i] : '?';
	return out;
}

enum cs_err x509_in_dates(const struct x509_certificate *certificate, const struct verify_time *now)
{
	CS_TRY(verify_time_reached(now, certificate->not_before_s));
	return verify_time_before(now, certificate->not_after_s + 1);
}

static void write_time(char text[CS_UTC_SIZE], uint64_t seconds)
{
	cs_utc_write(text, seconds < CS_UTC_SECONDS_MAX ? seconds : CS_UTC_SECONDS_MAX);
}

struct x509_dates x509_dates(uint64_t from_s, uint64_t until_s, const struct verify_time *now)
{
	struct x509_dates dates;
	char from[CS_UTC_SIZE], until[CS_UTC_SIZE], at[CS_UTC_SIZE];
	write_time(from, from_s);
	write_time(until, until_s);
	write_time(at, now->low_s);
	(void)snprintf(dates.text, sizeof dates.text, "in force from %s to %s, judged as of %s",
		       from, until, at);
	return dates;
}

/* keyUsage may be absent (RFC 5280, 4.2.1.3): all uses then. */
static bool may(const struct x509_certificate *issuer, uint16_t use)
{
	return issuer->is_ca && !issuer->critical_unknown &&
	       (!issuer->has_key_usage || (issuer->key_usage & use) != 0);
}

enum cs_err x509_issued_by(const struct x509_certificate *certificate,
			   const struct x509_certificate *issuer, struct cs_nistp *nistp)
{
	if (!cs_bytes_eq(certificate->issuer, issuer->subject))
		return CS_ERR_UNLINKED;
	if (!may(issuer, X509_KEY_CERT_SIGN))
		return CS_ERR_FORBIDDEN;
	if (cs_bytes_eq(certificate->verified_by, issuer->key.spki))
		return CS_OK;
	return x509_verify_signature(&issuer->key, &certificate->algorithm, certificate->tbs,
				     certificate->signature, nistp);
}

enum cs_err x509_crl_verify(const struct x509_crl *crl, const struct x509_certificate *issuer,
			    const struct verify_time *now, struct cs_nistp *nistp)
{
	if (!cs_bytes_eq(crl->issuer, issuer->subject))
		return CS_ERR_UNLINKED;
	if (!may(issuer, X509_CRL_SIGN))
		return CS_ERR_FORBIDDEN;
	CS_TRY(verify_time_reached(now, crl->this_update_s));
	CS_TRY(verify_time_before(now, crl->next_update_s + 1));
	if (cs_bytes_eq(crl->verified_by, issuer->key.spki))
		return CS_OK;
	return x509_verify_signature(&issuer->key, &crl->algorithm, crl->tbs, crl->signature,
				     nistp);
}

/* ---- paths ---- */

struct search {
	struct x509_path path;
	const struct x509_pool *pool;
	const struct verify_time *now;
	struct cs_nistp *nistp;
	struct cs_why *why;
	enum cs_err last; /* why the last candidate did not fit */
};

static enum cs_err refuse(struct search *search, const struct x509_certificate *certificate,
			  enum cs_err err, const char *what)
{
	return cs_fail(search->why, err, "%s \"%s\": %s", what, shown(certificate).text,
		       cs_err_sentence(err));
}

static enum cs_err refuse_dates(struct search *search, const struct x509_certificate *certificate,
				enum cs_err err)
{
	return cs_fail(
		search->why, err, "the certificate of \"%s\": %s", shown(certificate).text,
		x509_dates(certificate->not_before_s, certificate->not_after_s, search->now).text);
}

/* Certificates between the leaf and a candidate that would be next: what its path length bounds. */
static size_t between(const struct search *search)
{
	return search->path.count - 1;
}

static enum cs_err try_issuer(struct search *search, const struct x509_certificate *candidate)
{
	const struct x509_certificate *last = search->path.certificates[search->path.count - 1];
	enum cs_err err = x509_in_dates(candidate, search->now);
	if (err != CS_OK)
		return refuse_dates(search, candidate, err);
	if (candidate->has_path_length && candidate->path_length < between(search))
		return refuse(search, candidate, CS_ERR_FORBIDDEN, "the path length of");
	err = x509_issued_by(last, candidate, search->nistp);
	if (err != CS_OK)
		return refuse(search, last, err, "the issuer's signature on");
	return CS_OK;
}

/* The first of the list that fits, appended. */
static bool append(struct search *search, const struct x509_certificate *list, size_t count)
{
	const struct x509_certificate *last = search->path.certificates[search->path.count - 1];
	for (size_t i = 0; i < count; i++) {
		if (!cs_bytes_eq(last->issuer, list[i].subject) ||
		    cs_bytes_eq(last->der, list[i].der))
			continue;
		search->last = try_issuer(search, &list[i]);
		if (search->last == CS_OK) {
			search->path.certificates[search->path.count++] = &list[i];
			return true;
		}
	}
	return false;
}

static const struct x509_certificate *root_of(const struct x509_pool *pool,
					      const struct x509_certificate *certificate)
{
	for (size_t i = 0; i < pool->root_count; i++)
		if (cs_bytes_eq(pool->roots[i].der, certificate->der))
			return &pool->roots[i];
	return NULL;
}

enum cs_err x509_path_find(struct x509_path *path, const struct x509_certificate *leaf,
			   const struct x509_pool *pool, const struct verify_time *now,
			   struct cs_nistp *nistp, struct cs_why *why)
{
	struct search search = {.path = {{leaf}, 1},
				.pool = pool,
				.now = now,
				.nistp = nistp,
				.why = why,
				.last = CS_ERR_NOT_FOUND};
	enum cs_err err = x509_in_dates(leaf, now);
	if (err != CS_OK)
		return refuse_dates(&search, leaf, err);
	if (leaf->critical_unknown)
		return refuse(&search, leaf, CS_ERR_UNSUPPORTED, "a critical extension of");
	bool done = root_of(pool, leaf) != NULL;
	while (!done && search.path.count < X509_PATH_MAX) {
		search.last = CS_ERR_NOT_FOUND;
		done = append(&search, pool->roots, pool->root_count);
		if (!done && !append(&search, pool->certificates, pool->certificate_count))
			break;
	}
	if (done) {
		*path = search.path;
		return CS_OK;
	}
	if (search.last == CS_ERR_NOT_FOUND)
		return cs_fail(why, CS_ERR_NOT_FOUND,
			       "the certificate of who issued \"%s\" is not in the collateral",
			       shown(search.path.certificates[search.path.count - 1]).text);
	if (search.last == CS_OK)
		return cs_fail(why, CS_ERR_TOO_LARGE, "the path is too long");
	return search.last;
}

enum cs_err x509_not_revoked(const struct x509_crl **used,
			     const struct x509_certificate *certificate,
			     const struct x509_certificate *issuer, const struct x509_pool *pool,
			     const struct verify_time *now, struct cs_nistp *nistp,
			     struct cs_why *why)
{
	const struct x509_crl *good = NULL, *bad = NULL;
	enum cs_err err = CS_ERR_NOT_FOUND;
	/* Of several good ones the strictest counts. */
	for (size_t i = 0; i < pool->crl_count; i++) {
		const struct x509_crl *crl = &pool->crls[i];
		if (!cs_bytes_eq(crl->issuer, issuer->subject))
			continue;
		err = x509_crl_verify(crl, issuer, now, nistp);
		if (err != CS_OK) {
			bad = crl;
			continue;
		}
		if (x509_crl_lists(crl, certificate->serial))
			return cs_fail(why, CS_ERR_REVOKED, "\"%s\": %s", shown(certificate).text,
				       cs_err_sentence(CS_ERR_REVOKED));
		if (good == NULL || crl->this_update_s > good->this_update_s)
			good = crl;
	}
	if (good == NULL && bad == NULL)
		return cs_fail(why, err, "no revocation list for \"%s\" is in the collateral",
			       shown(certificate).text);
	if (good == NULL)
		return cs_fail(why, err, "the revocation list for \"%s\": %s; %s",
			       shown(certificate).text, cs_err_sentence(err),
			       x509_dates(bad->this_update_s, bad->next_update_s, now).text);
	*used = good;
	return CS_OK;
}
