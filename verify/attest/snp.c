/* SEV-SNP by AMD's rules: the report is signed by an endorsement key, which AMD certified for this chip
 * (or provider) at the TCB that the report names. */
#include "verify/attest/pool.h"
#include "verify/attest/snp_key.h"

#include <stdio.h>
#include <string.h>

/* ARK, ASK or ASVK, VCEK or VLEK. */
#define PATH_COUNT 3u

struct snp_work {
	struct attest_work *work;
	struct snp_report report;
	struct x509_pool pool;
	struct snp_key key;
	struct x509_path path;
	enum snp_product product;
};

static const char *kind_name(enum snp_signer kind)
{
	return kind == SNP_SIGNER_VCEK ? "VCEK" : "VLEK";
}

/* ---- what the report says ---- */

static void put_claims(struct attest_result *result, const struct snp_report *report)
{
	attest_measurement(result, "measurement", report->measurement);
	attest_measurement(result, "host_data", report->host_data);
	attest_measurement(result, "id_key_digest", report->id_key_digest);
	attest_measurement(result, "author_key_digest", report->author_key_digest);
	attest_claim_bytes(result, "family_id", report->family_id);
	attest_claim_bytes(result, "image_id", report->image_id);
	attest_claim_number(result, "guest_svn", report->guest_svn);
	attest_claim_number(result, "report_version", report->version);
	attest_claim_number(result, "policy", report->policy);
	attest_claim_number(result, "vmpl", report->vmpl);
	attest_claim_number(result, "platform_info", report->platform_info);
	attest_claim_number(result, "migration_agent",
			    (report->policy & SNP_POLICY_MIGRATION_AGENT) != 0);
	attest_claim_bytes(result, "chip_id", report->chip_id);
	if (report->version >= 5) {
		attest_claim_number(result, "launch_mitigations", report->launch_mitigations);
		attest_claim_number(result, "current_mitigations", report->current_mitigations);
	}
}

/* The report's own copies: numbers in the vendor's order, as AMD's tools print them. */
static enum cs_err put_tcbs(struct attest_work *work, const struct snp_report *report)
{
	const struct {
		const char *name;
		const uint8_t *raw;
	} tcbs[] = {{"reported_tcb", report->reported_tcb},
		    {"current_tcb", report->current_tcb},
		    {"committed_tcb", report->committed_tcb},
		    {"launch_tcb", report->launch_tcb}};
	for (size_t i = 0; i < CS_LEN(tcbs); i++) {
		struct cs_bytes copy = cs_arena_copy(work->arena, cs_bytes(tcbs[i].raw, 8));
		if (copy.p == NULL)
			return CS_ERR_NO_MEMORY;
		attest_claim_bytes(work->result, tcbs[i].name, copy);
	}
	return CS_OK;
}

/* ---- the endorsement key ---- */

static enum cs_err fill_pool(struct snp_work *snp, const struct snp_table *table)
{
	struct attest_work *work = snp->work;
	struct attest_collateral *bag = cs_arena_alloc(work->arena, sizeof *bag);
	if (bag == NULL)
		return CS_ERR_NO_MEMORY;
	*bag = *work->in->collateral;
	for (size_t i = 0; i < SNP_TABLE_KINDS; i++) {
		enum cs_err err = CS_OK;
		if (table->found[i].n > 0)
			err = i == SNP_TABLE_CRL ? attest_bag_add_crl(bag, table->found[i])
						 : attest_bag_add_certificate(bag, table->found[i]);
		if (err != CS_OK)
			return cs_fail(work->why, err, "too many certificates with the report");
	}
	return attest_pool(&snp->pool, bag, work->in->roots->amd, work->in->roots->amd_count,
			   work->arena);
}

static bool is_turin(const struct snp_key *key)
{
	return key->hwid.n > 0 && key->hwid.n < SNP_CHIP_ID_SIZE;
}

/* What chooses among several; what is chosen is checked by the rules after that. */
static bool fits(const struct snp_key *key, const struct snp_report *report)
{
	struct snp_tcb tcb =
		snp_tcb_read(report->reported_tcb, is_turin(key) ? SNP_TURIN : SNP_MILAN);
	return snp_tcb_eq(&tcb, &key->tcb) &&
	       (key->kind == SNP_SIGNER_VLEK || snp_key_is_of_chip(key, report));
}

/* The key that fits, or else the first: then a check says what does not fit. */
static bool find_key(struct snp_work *snp)
{
	const struct snp_report *report = &snp->report;
	enum cs_err err = CS_ERR_NOT_FOUND;
	struct cs_why why = {"no such certificate came along"};
	struct snp_key key;
	bool found = false;
	for (size_t i = 0; i < snp->pool.certificate_count; i++) {
		const struct x509_certificate *certificate = &snp->pool.certificates[i];
		if (!snp_key_is(certificate, report->signer))
			continue;
		err = snp_key_decode(&key, certificate, report->signer, &why);
		if (err != CS_OK || (found && !fits(&key, report)))
			continue;
		snp->key = key;
		found = true;
		if (fits(&key, report))
			break;
	}
	return attest_check(snp->work->result, "endorsement-key", found, "%s: %s",
			    kind_name(report->signer),
			    found ? "its certificate came along" : why.text);
}

static bool check_chain(struct snp_work *snp, enum cs_err *err)
{
	struct attest_work *work = snp->work;
	struct cs_why why = {""};
	*err = x509_path_find(&snp->path, snp->key.certificate, &snp->pool, &work->in->now,
			      work->nistp, &why);
	if (*err == CS_ERR_NO_MEMORY || *err == CS_ERR_CRYPTO)
		return false;
	bool good = *err == CS_OK && snp->path.count == PATH_COUNT;
	if (good)
		attest_until_path(work->result, &snp->path);
	if (*err == CS_OK && !good)
		cs_why_write(&why, "%zu certificates, not %u", snp->path.count, PATH_COUNT);
	*err = CS_OK;
	return attest_check(work->result, "snp-chain", good, "%s",
			    good ? "the chain leads to a root of AMD's" : why.text);
}

static bool name_is(const struct x509_certificate *certificate, const char *prefix,
		    const char *product)
{
	struct cs_bytes name = x509_common_name(certificate->subject);
	size_t n = strlen(prefix);
	return name.n > n && memcmp(name.p, prefix, n) == 0 &&
	       cs_bytes_eq(cs_bytes(name.p + n, name.n - n), cs_bytes_str(product));
}

/* The root's name says the product, and all else must agree: the key between (an ASK certifies VCEKs, an
 * ASVK VLEKs), the endorsement key's extension, and the CPUID where the report has one. */
static bool check_product(struct snp_work *snp)
{
	const struct snp_report *report = &snp->report;
	struct attest_result *result = snp->work->result;
	const char *issuer = report->signer == SNP_SIGNER_VCEK ? "SEV-" : "SEV-VLEK-";
	size_t i = 0;
	while (i < SNP_PRODUCT_COUNT &&
	       !name_is(snp->path.certificates[2], "ARK-", snp_product_name((enum snp_product)i)))
		i++;
	if (i == SNP_PRODUCT_COUNT)
		return attest_check(result, "product", false, "a root of no known product");
	const char *name = snp_product_name((enum snp_product)i);
	struct cs_bytes shown = snp->key.product_name;
	snp->product = (enum snp_product)i;
	if (!name_is(snp->path.certificates[1], issuer, name))
		return attest_check(result, "product", false, "the issuer is not %s%s", issuer,
				    name);
	if (shown.n < strlen(name) || memcmp(shown.p, name, strlen(name)) != 0 ||
	    (shown.n > strlen(name) && shown.p[strlen(name)] != '-'))
		return attest_check(result, "product", false,
				    "the key's certificate names another product than %s", name);
	if (report->has_product && report->product != snp->product)
		return attest_check(result, "product", false, "a CPU of %s under the root of %s",
				    snp_product_name(report->product), name);
	attest_claim_bytes(result, "product", cs_bytes_str(name));
	return attest_check(result, "product", true, "%s", name);
}

struct tcb_text {
	char text[5 * 4];
};

static struct tcb_text tcb_text(const struct snp_tcb *tcb)
{
	struct tcb_text out;
	(void)snprintf(out.text, sizeof out.text, "%u.%u.%u.%u.%u", tcb->fmc, tcb->boot_loader,
		       tcb->tee, tcb->snp, tcb->microcode);
	return out;
}

static bool check_tcb(struct snp_work *snp)
{
	struct snp_tcb want = snp->key.tcb,
		       got = snp_tcb_read(snp->report.reported_tcb, snp->product);
	return attest_check(snp->work->result, "reported-tcb", snp_tcb_eq(&want, &got),
			    "the report's is %s, the certificate's %s (FMC, boot loader, TEE, SNP, "
			    "microcode)",
			    tcb_text(&got).text, tcb_text(&want).text);
}

static bool check_chip(struct snp_work *snp)
{
	static const uint8_t zeros[SNP_CHIP_ID_SIZE];
	const struct snp_report *report = &snp->report;
	struct attest_result *result = snp->work->result;
	bool masked = memcmp(report->chip_id.p, zeros, SNP_CHIP_ID_SIZE) == 0;
	if (report->chip_key_masked && !masked)
		return attest_check(result, "chip-id", false,
				    "the chip is named though its key is masked");
	if (report->signer == SNP_SIGNER_VLEK)
		return attest_check(result, "chip-id", true, "of a provider, not of a chip");
	if (is_turin(&snp->key) != (snp->product == SNP_TURIN))
		return attest_check(result, "chip-id", false,
				    "an identifier of %zu bytes is not %s's", snp->key.hwid.n,
				    snp_product_name(snp->product));
	if (masked)
		return attest_check(result, "chip-id", false, "the report does not name its chip");
	return attest_check(result, "chip-id", snp_key_is_of_chip(&snp->key, report),
			    "the report's chip is %s, the certificate's %s",
			    attest_hex(report->chip_id, 0).text, attest_hex(snp->key.hwid, 0).text);
}

/* AMD lists revoked ASKs and ASVKs under the ARK, and endorsement keys nowhere: their TCB or chip is
 * what ages. */
static bool check_revocation(struct snp_work *snp, enum cs_err *err)
{
	struct attest_work *work = snp->work;
	const struct x509_certificate *const *path = snp->path.certificates;
	const struct x509_crl *used;
	struct cs_why why = {""};
	*err = CS_OK;
	if (work->in->no_revocation) {
		attest_skip(work->result, "snp-crl", "revocation lists are not looked at");
		return true;
	}
	enum cs_err found = x509_not_revoked(&used, path[1], path[2], &snp->pool, &work->in->now,
					     work->nistp, &why);
	if (found == CS_OK) {
		attest_collateral_dates(work->result, used->this_update_s, used->next_update_s);
		found = x509_not_revoked(&used, path[0], path[1], &snp->pool, &work->in->now,
					 work->nistp, &why);
		if (found == CS_OK)
			attest_collateral_dates(work->result, used->this_update_s,
						used->next_update_s);
		if (found == CS_ERR_NOT_FOUND)
			found = CS_OK;
	} else if (found == CS_ERR_NOT_FOUND) {
		cs_why_write(&why, "no list of revoked keys of %s's root",
			     snp_product_name(snp->product));
	}
	if (found == CS_ERR_NO_MEMORY || found == CS_ERR_CRYPTO) {
		*err = found;
		return false;
	}
	work->result->revocation = found == CS_OK;
	return attest_check(work->result, "snp-crl", found == CS_OK, "%s",
			    found == CS_OK ? "neither the key nor its CA is revoked" : why.text);
}

static bool check_signature(struct snp_work *snp, enum cs_err *err)
{
	struct attest_work *work = snp->work;
	struct cs_digest digest = cs_digest(CS_SHA384, snp->report.signed_part);
	*err = cs_nistp_verify(work->nistp, CS_P384, snp->key.certificate->key.point,
			       cs_digest_view(&digest), CS_BYTES_OF(snp->report.signature));
	if (*err == CS_ERR_CRYPTO || *err == CS_ERR_NO_MEMORY)
		return false;
	bool good = *err == CS_OK;
	const char *detail = good ? "by the endorsement key" : cs_err_sentence(*err);
	*err = CS_OK;
	return attest_check(work->result, "report-signature", good, "%s", detail);
}

/* AMD publishes no list of TCB levels. The report itself says which one the platform can no longer go
 * back behind: a host that has its guests report less is behind its own firmware. */
static void judge_tcb(struct snp_work *snp)
{
	const struct snp_report *report = &snp->report;
	struct snp_tcb reported = snp_tcb_read(report->reported_tcb, snp->product),
		       committed = snp_tcb_read(report->committed_tcb, snp->product);
	const enum attest_tcb_status status = snp_tcb_covers(&reported, &committed)
						      ? ATTEST_TCB_UP_TO_DATE
						      : ATTEST_TCB_OUT_OF_DATE;
	snp->work->result->tcb_status = status;
	attest_check(snp->work->result, "tcb-level", true, "%s: reported %s, committed %s",
		     attest_tcb_status_name(status), tcb_text(&reported).text,
		     tcb_text(&committed).text);
}

enum cs_err snp_verify(struct attest_work *work, struct cs_bytes bytes)
{
	struct snp_work snp = {.work = work};
	struct snp_table table;
	enum cs_err err = CS_OK;
	size_t n = bytes.n < SNP_REPORT_SIZE ? bytes.n : SNP_REPORT_SIZE;
	CS_TRY(snp_report_decode(&snp.report, cs_bytes(bytes.p, n), work->why));
	CS_TRY(snp_table_decode(&table, cs_bytes(bytes.p + n, bytes.n - n), work->why));
	work->result->hardware = ATTEST_SNP;
	work->result->debug = work->result->debug || (snp.report.policy & SNP_POLICY_DEBUG);
	put_claims(work->result, &snp.report);
	CS_TRY(put_tcbs(work, &snp.report));
	attest_report_data(work->result, snp.report.report_data);
	CS_TRY(fill_pool(&snp, &table));
	if (!find_key(&snp) || !check_chain(&snp, &err) || !check_product(&snp))
		return err;
	if (snp.key.kind == SNP_SIGNER_VLEK)
		attest_claim_bytes(work->result, "csp_id", snp.key.csp_id);
	bool good = check_tcb(&snp);
	good = check_chip(&snp) && good;
	good = check_revocation(&snp, &err) && good;
	CS_TRY(err);
	good = check_signature(&snp, &err) && good;
	CS_TRY(err);
	if (good)
		judge_tcb(&snp);
	return CS_OK;
}
