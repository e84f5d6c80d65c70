#include "relay_state/node/forensics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *type_name(enum cmt_signed_type type)
{
	switch (type) {
	case CMT_PREVOTE:
		return "prevote";
	case CMT_PRECOMMIT:
		return "precommit";
	case CMT_PROPOSAL:
		return "proposal";
	}
	return "";
}

static const char *kind_name(enum node_finding_kind kind)
{
	return kind == NODE_EQUIVOCATION ? "equivocation" : "amnesia";
}

/* tendermint.types.Vote or Proposal: with the chain's id, what the signature is of. */
static struct cs_bytes encode(const struct node_statement *s, uint8_t bytes[CMT_VOTE_SIZE_MAX(0)])
{
	struct cs_buf buf;
	cs_buf_init(&buf, bytes, CMT_VOTE_SIZE_MAX(0));
	if (s->type == CMT_PROPOSAL) {
		const struct cmt_proposal p = {s->height,   s->round, s->pol_round,
					       s->block_id, s->time,  s->signature};
		cmt_proposal_encode(&buf, &p);
	} else {
		const struct cmt_vote v = {.type = s->type,
					   .height = s->height,
					   .round = s->round,
					   .block_id = s->block_id,
					   .time = s->time,
					   .validator = s->validator,
					   .index = s->index,
					   .signature = s->signature};
		cmt_vote_encode(&buf, &v);
	}
	cs_assert(cs_buf_end(&buf) == CS_OK);
	return cs_buf_view(&buf);
}

/* ---- JSON ---- */

static json_t *homes_json(uint32_t homes)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < NODE_HOMES_MAX; i++) {
		if ((homes >> i & 1) != 0)
			(void)json_array_append_new(list, json_integer(i));
	}
	return list;
}

/* Block "": of a vote for none. */
static json_t *statement_json(const struct node_statement *s, bool whole)
{
	uint8_t bytes[CMT_VOTE_SIZE_MAX(0)];
	json_t *root =
		json_pack("{sosososo}", "validator", cometbft_json_hex(CS_BYTES_OF(s->validator.b)),
			  "block", cometbft_json_hex(cmt_hash_bytes(&s->block_id.hash)), "time",
			  cometbft_json_time(s->time), "homes", homes_json(s->homes));
	if (s->type == CMT_PROPOSAL)
		(void)json_object_set_new(root, "pol_round", json_integer(s->pol_round));
	if (!whole)
		return root;
	(void)json_object_set_new(root, "height", cometbft_json_number(s->height));
	(void)json_object_set_new(root, "round", json_integer(s->round));
	(void)json_object_set_new(root, "type", json_string(type_name(s->type)));
	(void)json_object_set_new(root, "bytes", cometbft_json_base64(encode(s, bytes)));
	return root;
}

static json_t *new_round(json_t *rounds, int32_t round)
{
	json_t *root = json_pack("{sis[]s[]s[]}", "round", (int)round, "proposals", "prevotes",
				 "precommits");
	(void)json_array_append_new(rounds, root);
	return root;
}

static json_t *heights_json(const struct node_forensics *f)
{
	json_t *heights = json_array(), *rounds = NULL, *round = NULL;
	for (size_t i = 0; i < f->count; i++) {
		const struct node_statement *s = &f->statements[i], *before = i > 0 ? s - 1 : s;
		bool is_new = i == 0 || before->height != s->height;
		char list[16];
		if (is_new) {
			rounds = json_array();
			(void)json_array_append_new(heights,
						    json_pack("{soso}", "height",
							      cometbft_json_number(s->height),
							      "rounds", rounds));
		}
		if (is_new || before->round != s->round)
			round = new_round(rounds, s->round);
		(void)snprintf(list, sizeof list, "%ss", type_name(s->type));
		(void)json_array_append_new(json_object_get(round, list), statement_json(s, false));
	}
	return heights;
}

static json_t *findings_json(const struct node_forensics *f, enum node_finding_kind kind)
{
	json_t *list = json_array();
	for (size_t i = 0; i < f->finding_count; i++) {
		const struct node_finding *finding = &f->findings[i];
		const struct node_statement *a = &f->statements[finding->first];
		const struct node_statement *b = &f->statements[finding->second];
		if (finding->kind == kind)
			(void)json_array_append_new(
				list, json_pack("{sosssos[oo]}", "validator",
						cometbft_json_hex(CS_BYTES_OF(a->validator.b)),
						"kind", kind_name(kind), "height",
						cometbft_json_number(a->height), "statements",
						statement_json(a, true), statement_json(b, true)));
	}
	return list;
}

json_t *node_forensics_json(const struct node_forensics *f)
{
	json_t *homes = json_array(), *unread = json_array();
	for (size_t i = 0; i < f->home_count; i++)
		(void)json_array_append_new(homes, json_string(f->homes[i]));
	for (size_t i = 0; i < f->unread_count; i++) {
		const struct node_unread *u = &f->unread[i];
		(void)json_array_append_new(unread,
					    json_pack("{sIssss}", "home", (json_int_t)u->home,
						      "file", u->file, "why", u->why));
	}
	return json_pack("{sosososIsososo}", "chain_id",
			 cometbft_json_text(cmt_chain_id_bytes(&f->chain_id)), "homes", homes,
			 "unread", unread, "unverified", (json_int_t)f->unverified, "guilty",
			 findings_json(f, NODE_EQUIVOCATION), "suspects",
			 findings_json(f, NODE_AMNESIA), "heights", heights_json(f));
}

/* ---- text ---- */

static void print_statement(const struct node_statement *s)
{
	char validator[41], block[65] = "nil", time[COMETBFT_TIME_SIZE];
	cometbft_hex(validator, CS_BYTES_OF(s->validator.b));
	if (!cmt_block_id_is_nil(&s->block_id))
		cometbft_hex(block, cmt_hash_bytes(&s->block_id.hash));
	cometbft_time(time, s->time);
	(void)printf("  %-9s %s block %.12s at %s, homes", type_name(s->type), validator, block,
		     time);
	for (unsigned i = 0; i < NODE_HOMES_MAX; i++) {
		if ((s->homes >> i & 1) != 0)
			(void)printf(" %u", i);
	}
	(void)putchar('\n');
}

static void print_finding(const struct node_forensics *f, const struct node_finding *finding)
{
	const size_t pair[] = {finding->first, finding->second};
	const struct node_statement *a = &f->statements[finding->first];
	uint8_t bytes[CMT_VOTE_SIZE_MAX(0)];
	char validator[41], text[COMETBFT_BASE64_SIZE(CMT_VOTE_SIZE_MAX(0))];
	cometbft_hex(validator, CS_BYTES_OF(a->validator.b));
	(void)printf("%s %s: %s at height %" PRId64 "\n",
		     finding->kind == NODE_EQUIVOCATION ? "guilty" : "suspect", validator,
		     kind_name(finding->kind), a->height);
	for (size_t i = 0; i < 2; i++) {
		const struct node_statement *s = &f->statements[pair[i]];
		cometbft_base64(text, encode(s, bytes));
		(void)printf("  round %" PRId32 " %s %s\n", s->round, type_name(s->type), text);
	}
}

void node_forensics_print(const struct node_forensics *f)
{
	struct cs_bytes chain_id = cmt_chain_id_bytes(&f->chain_id);
	(void)printf("chain %.*s: %zu signatures, %" PRIu64 " of nobody that is known\n",
		     (int)chain_id.n, (const char *)chain_id.p, f->count, f->unverified);
	for (size_t i = 0; i < f->home_count; i++)
		(void)printf("home %zu: %s\n", i, f->homes[i]);
	for (size_t i = 0; i < f->unread_count; i++)
		(void)printf("home %zu: %s was not read to its end: %s\n", f->unread[i].home,
			     f->unread[i].file, f->unread[i].why);
	for (size_t i = 0; i < f->count; i++) {
		const struct node_statement *s = &f->statements[i];
		if (i == 0 || s->height != s[-1].height || s->round != s[-1].round)
			(void)printf("height %" PRId64 " round %" PRId32 "\n", s->height, s->round);
		print_statement(s);
	}
	for (size_t i = 0; i < f->finding_count; i++)
		print_finding(f, &f->findings[i]);
	if (f->finding_count == 0)
		(void)puts("nobody is guilty, as far as these homes know");
}

enum cs_err node_command_forensics(const struct node_command *command, struct cs_why *why)
{
	struct node_forensics *f;
	const char *one[] = {command->home};
	CS_TRY(node_forensics_read(&f, command->home_count > 0 ? command->homes : one,
				   command->home_count > 0 ? command->home_count : 1, command->from,
				   command->to, why));
	if (command->json) {
		json_t *root = node_forensics_json(f);
		char *text = cometbft_json_dump(root, 0);
		(void)puts(text);
		free(text);
		json_decref(root);
	} else {
		node_forensics_print(f);
	}
	node_forensics_free(f);
	return CS_OK;
}
