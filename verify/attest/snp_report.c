#include "verify/attest/snp_report.h"

#include <string.h>

/* Where fields begin (AMD 56860, table ATTESTATION_REPORT). */
enum {
	AT_VERSION = 0x000,
	AT_GUEST_SVN = 0x004,
	AT_POLICY = 0x008,
	AT_FAMILY_ID = 0x010,
	AT_IMAGE_ID = 0x020,
	AT_VMPL = 0x030,
	AT_SIGNATURE_ALGORITHM = 0x034,
	AT_CURRENT_TCB = 0x038,
	AT_PLATFORM_INFO = 0x040,
	AT_SIGNER_INFO = 0x048,
	AT_REPORT_DATA = 0x050,
	AT_MEASUREMENT = 0x090,
	AT_HOST_DATA = 0x0c0,
	AT_ID_KEY_DIGEST = 0x0e0,
	AT_AUTHOR_KEY_DIGEST = 0x110,
	AT_REPORT_ID = 0x140,
	AT_REPORTED_TCB = 0x180,
	AT_CPUID = 0x188,
	AT_CHIP_ID = 0x1a0,
	AT_COMMITTED_TCB = 0x1e0,
	AT_CURRENT_FIRMWARE = 0x1e8,
	AT_COMMITTED_FIRMWARE = 0x1ec,
	AT_LAUNCH_TCB = 0x1f0,
	AT_LAUNCH_MITIGATIONS = 0x1f8,
	AT_CURRENT_MITIGATIONS = 0x200,
	AT_SIGNATURE = 0x2a0,
};

/* In a report a coordinate of the signature has 72 bytes, little-endian, of which P-384 uses 48. */
#define FIELD_SIZE 72u
#define SCALAR_SIZE 48u
#define ALGORITHM_P384_SHA384 1u
#define VMPL_MAX 3u
/* The author key, the masked chip key, three bits that name the signing key. */
#define SIGNER_INFO_BITS 0x1fu
/* AMD says that this bit of the guest's policy is one. */
#define POLICY_ONE ((uint64_t)1 << 17)

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t le64(const uint8_t *p)
{
	return le32(p) | (uint64_t)le32(p + 4) << 32;
}

static bool is_zero(const uint8_t *p, size_t n)
{
	uint8_t any = 0;
	for (size_t i = 0; i < n; i++)
		any |= p[i];
	return any == 0;
}

const char *snp_product_name(enum snp_product product)
{
	static const char *const names[SNP_PRODUCT_COUNT] = {"Milan", "Genoa", "Turin"};
	cs_assert(product < SNP_PRODUCT_COUNT);
	return names[product];
}

struct snp_tcb snp_tcb_read(const uint8_t raw[8], enum snp_product product)
{
	if (product == SNP_TURIN)
		return (struct snp_tcb){raw[0], raw[1], raw[2], raw[3], raw[7]};
	return (struct snp_tcb){0, raw[0], raw[1], raw[6], raw[7]};
}

bool snp_tcb_eq(const struct snp_tcb *a, const struct snp_tcb *b)
{
	return snp_tcb_covers(a, b) && snp_tcb_covers(b, a);
}

bool snp_tcb_covers(const struct snp_tcb *a, const struct snp_tcb *b)
{
	return a->fmc >= b->fmc && a->boot_loader >= b->boot_loader && a->tee >= b->tee &&
	       a->snp >= b->snp && a->microcode >= b->microcode;
}

/* By combined family and model (AMD's revision guides): 19h 00h–0Fh is Milan; 10h–1Fh Genoa and
 * A0h–AFh Bergamo and Siena; 1Ah 00h–1Fh Turin. */
static bool product_of(enum snp_product *product, const uint8_t cpuid[3])
{
	uint8_t family = cpuid[0], models = cpuid[1] >> 4;
	if (family == 0x19 && models == 0x0)
		*product = SNP_MILAN;
	else if (family == 0x19 && (models == 0x1 || models == 0xa))
		*product = SNP_GENOA;
	else if (family == 0x1a && models <= 0x1)
		*product = SNP_TURIN;
	else
		return false;
	return true;
}

static enum cs_err check_form(struct cs_bytes bytes, struct cs_why *why)
{
	if (bytes.n < SNP_REPORT_SIZE)
		return cs_fail(why, CS_ERR_TRUNCATED, "a report has %u bytes, not %zu",
			       SNP_REPORT_SIZE, bytes.n);
	if (bytes.n > SNP_REPORT_SIZE)
		return cs_fail(why, CS_ERR_TRAILING, "a report has %u bytes, not %zu",
			       SNP_REPORT_SIZE, bytes.n);
	const uint8_t *p = bytes.p;
	uint32_t version = le32(p + AT_VERSION), algorithm = le32(p + AT_SIGNATURE_ALGORITHM);
	if (version != 2 && version != 3 && version != 5)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "report version %u", version);
	if (algorithm != ALGORITHM_P384_SHA384)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "signature algorithm %u", algorithm);
	if (!(le64(p + AT_POLICY) & POLICY_ONE))
		return cs_fail(why, CS_ERR_MALFORMED, "bit 17 of the guest policy is 0");
	if (le32(p + AT_VMPL) > VMPL_MAX)
		return cs_fail(why, CS_ERR_MALFORMED, "VMPL %u", le32(p + AT_VMPL));
	if (le32(p + AT_SIGNER_INFO) & ~SIGNER_INFO_BITS)
		return cs_fail(why, CS_ERR_MALFORMED, "reserved bits of the signer's info");
	for (size_t at = AT_SIGNATURE; at < AT_SIGNATURE + 2 * FIELD_SIZE; at += FIELD_SIZE)
		if (!is_zero(p + at + SCALAR_SIZE, FIELD_SIZE - SCALAR_SIZE))
			return cs_fail(why, CS_ERR_MALFORMED, "r or s of more than 48 bytes");
	if (!is_zero(p + AT_SIGNATURE + 2 * FIELD_SIZE,
		     SNP_REPORT_SIZE - AT_SIGNATURE - 2 * FIELD_SIZE))
		return cs_fail(why, CS_ERR_MALFORMED, "bytes after the signature");
	return CS_OK;
}

static enum cs_err read_signer(struct snp_report *report, uint32_t info, struct cs_why *why)
{
	uint32_t kind = info >> 2 & 7;
	if (kind != SNP_SIGNER_VCEK && kind != SNP_SIGNER_VLEK)
		return cs_fail(why, CS_ERR_UNSUPPORTED,
			       kind == 7 ? "the report is not signed" : "signing key %u", kind);
	report->signer = (enum snp_signer)kind;
	report->has_author_key = info & 1;
	report->chip_key_masked = info >> 1 & 1;
	return CS_OK;
}

/* Build, minor, major in the report; people write them the other way. */
static void read_firmware(uint8_t firmware[3], const uint8_t *p)
{
	firmware[0] = p[2];
	firmware[1] = p[1];
	firmware[2] = p[0];
}

static void read_signature(uint8_t signature[SNP_SIGNATURE_SIZE], const uint8_t *p)
{
	for (size_t i = 0; i < SCALAR_SIZE; i++) {
		signature[i] = p[SCALAR_SIZE - 1 - i];
		signature[SCALAR_SIZE + i] = p[FIELD_SIZE + SCALAR_SIZE - 1 - i];
	}
}

static void read_views(struct snp_report *report, const uint8_t *p)
{
	report->family_id = cs_bytes(p + AT_FAMILY_ID, 16);
	report->image_id = cs_bytes(p + AT_IMAGE_ID, 16);
	report->report_data = cs_bytes(p + AT_REPORT_DATA, 64);
	report->measurement = cs_bytes(p + AT_MEASUREMENT, 48);
	report->host_data = cs_bytes(p + AT_HOST_DATA, 32);
	report->id_key_digest = cs_bytes(p + AT_ID_KEY_DIGEST, 48);
	report->author_key_digest = cs_bytes(p + AT_AUTHOR_KEY_DIGEST, 48);
	report->report_id = cs_bytes(p + AT_REPORT_ID, 32);
	report->chip_id = cs_bytes(p + AT_CHIP_ID, SNP_CHIP_ID_SIZE);
	report->signed_part = cs_bytes(p, SNP_REPORT_SIGNED_SIZE);
}

enum cs_err snp_report_decode(struct snp_report *out, struct cs_bytes bytes, struct cs_why *why)
{
	struct snp_report report = {0};
	CS_TRY(check_form(bytes, why));
	const uint8_t *p = bytes.p;
	CS_TRY(read_signer(&report, le32(p + AT_SIGNER_INFO), why));
	report.version = le32(p + AT_VERSION);
	report.guest_svn = le32(p + AT_GUEST_SVN);
	report.policy = le64(p + AT_POLICY);
	report.vmpl = le32(p + AT_VMPL);
	report.platform_info = le64(p + AT_PLATFORM_INFO);
	memcpy(report.current_tcb, p + AT_CURRENT_TCB, sizeof report.current_tcb);
	memcpy(report.reported_tcb, p + AT_REPORTED_TCB, sizeof report.reported_tcb);
	memcpy(report.committed_tcb, p + AT_COMMITTED_TCB, sizeof report.committed_tcb);
	memcpy(report.launch_tcb, p + AT_LAUNCH_TCB, sizeof report.launch_tcb);
	read_firmware(report.current_firmware, p + AT_CURRENT_FIRMWARE);
	read_firmware(report.committed_firmware, p + AT_COMMITTED_FIRMWARE);
	if (report.version >= 3) {
		memcpy(report.cpuid, p + AT_CPUID, sizeof report.cpuid);
		report.has_product = product_of(&report.product, report.cpuid);
		if (!report.has_product)
			return cs_fail(why, CS_ERR_UNSUPPORTED, "CPU family %02x model %02x",
				       report.cpuid[0], report.cpuid[1]);
	}
	if (report.version >= 5) {
		report.launch_mitigations = le64(p + AT_LAUNCH_MITIGATIONS);
		report.current_mitigations = le64(p + AT_CURRENT_MITIGATIONS);
	}
	read_views(&report, p);
	read_signature(report.signature, p + AT_SIGNATURE);
	*out = report;
	return CS_OK;
}

/* ---- certificates after a report ---- */

#define GUID_SIZE 16u
#define ENTRY_SIZE 24u

/* As RFC 9562 writes them, which is their order in the table. */
static const uint8_t guids[SNP_TABLE_KINDS][GUID_SIZE] = {
	[SNP_TABLE_VCEK] = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9,
			    0x3b, 0xe8, 0xac, 0xcd},
	[SNP_TABLE_VLEK] = {0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0,
			    0x45, 0xa0, 0xb8, 0xa1},
	[SNP_TABLE_ASK] = {0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae,
			   0xf3, 0x27, 0xc7, 0x82},
	[SNP_TABLE_ARK] = {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6,
			   0x01, 0x4c, 0xd0, 0xae},
	[SNP_TABLE_CRL] = {0x92, 0xf8, 0x1b, 0xc3, 0x58, 0x11, 0x4d, 0x3d, 0x97, 0xff, 0xd1, 0x9f,
			   0x88, 0xdc, 0x67, 0xea},
};

static enum cs_err add_entry(struct snp_table *table, const uint8_t *entry, struct cs_bytes bytes,
			     size_t list_size, struct cs_why *why)
{
	uint32_t offset = le32(entry + GUID_SIZE), size = le32(entry + GUID_SIZE + 4);
	if (offset < list_size || offset > bytes.n || size > bytes.n - offset)
		return cs_fail(why, CS_ERR_MALFORMED, "a certificate at %u of %u bytes in %zu",
			       offset, size, bytes.n);
	for (size_t kind = 0; kind < SNP_TABLE_KINDS; kind++) {
		if (memcmp(entry, guids[kind], GUID_SIZE) != 0)
			continue;
		if (table->found[kind].p != NULL)
			return cs_fail(why, CS_ERR_DUPLICATE, "two certificates of one GUID");
		table->found[kind] = cs_bytes(bytes.p + offset, size);
	}
	return CS_OK;
}

enum cs_err snp_table_decode(struct snp_table *out, struct cs_bytes bytes, struct cs_why *why)
{
	struct snp_table table = {0};
	size_t count = 0;
	if (bytes.n > SNP_TABLE_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%zu bytes of certificates", bytes.n);
	for (; bytes.n > 0; count++) {
		if (count > SNP_TABLE_ENTRIES_MAX)
			return cs_fail(why, CS_ERR_TOO_LARGE, "more than %u certificates",
				       SNP_TABLE_ENTRIES_MAX);
		if (bytes.n - count * ENTRY_SIZE < ENTRY_SIZE)
			return cs_fail(why, CS_ERR_TRUNCATED, "the table does not end");
		if (is_zero(bytes.p + count * ENTRY_SIZE, ENTRY_SIZE))
			break;
	}
	for (size_t i = 0; i < count; i++)
		CS_TRY(add_entry(&table, bytes.p + i * ENTRY_SIZE, bytes, (count + 1) * ENTRY_SIZE,
				 why));
	*out = table;
	return CS_OK;
}
