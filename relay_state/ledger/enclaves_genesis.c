#include "relay_state/ledger/enclaves_genesis.h"

#include "relay_state/ledger/enclaves.h"
#include "relay_state/ledger/records.h"
#include "relay_state/ledger/remotes.h"

static enum cs_err read_powers(struct ledger_enclaves_terms *terms, const struct cs_json *section,
			       struct cs_why *why)
{
	CS_TRY(cs_json_member_hex(terms->owner.b, sizeof terms->owner.b, section, "owner", why));
	CS_TRY(cs_json_member_hex(terms->guardian.b, sizeof terms->guardian.b, section, "guardian",
				  why));
	return cs_json_member_u64(&terms->delay_s, section, "delay_s", UINT32_MAX, why);
}

static enum cs_err read_administrators(struct ledger_enclaves_terms *terms,
				       const struct cs_json *section, struct cs_why *why)
{
	const struct cs_json *list;
	uint64_t threshold;
	CS_TRY(cs_json_member_u64(&threshold, section, "threshold", LEDGER_ADMINISTRATORS_MAX,
				  why));
	CS_TRY(cs_json_member(&list, section, "administrators", CS_JSON_ARRAY, why));
	if (list->count > LEDGER_ADMINISTRATORS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "enclaves: more than %u administrators",
			       LEDGER_ADMINISTRATORS_MAX);
	terms->threshold = (uint8_t)threshold;
	for (const struct cs_json *item = list->child; item != NULL; item = item->next) {
		struct cs_hash *x = &terms->administrators[terms->administrator_count++];
		if (cs_json_hex(x->b, sizeof x->b, item) != CS_OK)
			return cs_fail(why, CS_ERR_MALFORMED,
				       "enclaves: an administrator is not 32 bytes of hex");
	}
	return CS_OK;
}

/* An exported one is that of the new chain. */
static enum cs_err rename_self(struct ledger_call *call, const struct ledger_genesis *genesis)
{
	struct ledger_self self;
	CS_TRY(ledger_self_get(call, &self));
	if (self.caip2[0] == 0)
		return CS_OK;
	cs_caip2_write_cosmos(self.caip2, genesis->chain_id);
	return ledger_self_put(call, &self);
}

enum cs_err ledger_enclaves_genesis(struct ledger_call *call, const struct ledger_genesis *genesis,
				    const struct cs_json *section)
{
	static const char *const keys[] = {
		"owner",     "guardian",     "delay_s",       "rotation_delay_s",
		"overlap_s", "insecure",     "threshold",     "administrators",
		"bond_min",  "bond_delay_s", "lifetime_max_s"};
	struct ledger_enclaves_terms terms = {.insecure = false};
	struct cs_why *why = call->why;
	if (section == NULL)
		return rename_self(call, genesis);
	CS_TRY(cs_json_only(section, keys, CS_LEN(keys), why));
	CS_TRY(read_powers(&terms, section, why));
	CS_TRY(read_administrators(&terms, section, why));
	CS_TRY(cs_json_member_u64(&terms.rotation_delay_s, section, "rotation_delay_s", UINT32_MAX,
				  why));
	CS_TRY(cs_json_member_u64(&terms.overlap_s, section, "overlap_s", UINT32_MAX, why));
	CS_TRY(cs_json_member_u256(&terms.bond_min, section, "bond_min", why));
	CS_TRY(cs_json_member_u64(&terms.bond_delay_s, section, "bond_delay_s", UINT32_MAX, why));
	CS_TRY(cs_json_member_u64(&terms.lifetime_max_s, section, "lifetime_max_s", UINT32_MAX,
				  why));
	if (cs_json_find(section, "insecure") != NULL)
		CS_TRY(cs_json_member_bool(&terms.insecure, section, "insecure", why));
	return ledger_enclaves_construct(call, genesis->chain_id, &terms);
}

enum cs_err ledger_enclaves_named(struct ledger_call *call, const struct cs_hash *chain_tag)
{
	struct ledger_self self;
	CS_TRY(ledger_self_get(call, &self));
	return self.caip2[0] == 0 ? CS_OK : ledger_enclaves_name(call, chain_tag);
}

enum cs_err ledger_records_genesis(struct ledger_call *call, const struct ledger_genesis *genesis,
				   const struct cs_json *section)
{
	static const char *const keys[] = {"owner", "guardian", "delay_s"};
	struct ledger_enclaves_terms terms = {.insecure = false};
	(void)genesis;
	if (section == NULL)
		return CS_OK;
	CS_TRY(cs_json_only(section, keys, CS_LEN(keys), call->why));
	CS_TRY(read_powers(&terms, section, call->why));
	return ledger_records_construct(call, &terms.owner, &terms.guardian, terms.delay_s);
}
