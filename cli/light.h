/* Light blocks in files: what an auditor holds to be true about a ledger, and what follows from it. Asks
 * nobody; ledger_block.c asks nodes for them. */
#ifndef CLI_LIGHT_H
#define CLI_LIGHT_H

#include "cli/cli.h"
#include "verify/cometbft/light.h"

#define LIGHT_VALIDATORS_MAX CMT_VALIDATORS_MAX
/* Two thirds of the ledger's unbonding_s by default (docs/ledger.md). */
#define LIGHT_TRUSTING_PERIOD_S (14u * 86400u)

/* tendermint.types.LightBlock. Owned: light_clear. */
struct light {
	struct cmt_light_block block;
	struct cs_hash hash; /* of the header */
	void *memory;
};
void light_clear(struct light *light);
/* All of it that the block itself can say: the parts belong together, and more than 2/3 of the set that it
 * names signed it. Prints what is wrong. */
enum cli_exit light_check(const struct cli *cli, const struct cmt_light_block *block,
			  const char *name);
/* Reads and checks a file; prints. */
enum cli_exit light_load(const struct cli *cli, struct light *light, const char *path);
/* From bytes, which are not kept; prints. `name` is for what it prints. */
enum cli_exit light_decode(const struct cli *cli, struct light *light, struct cs_bytes bytes,
			   const char *name);

/* --trusting-period, or the default; prints. */
enum cli_exit light_options(const struct cli *cli, struct cmt_light_options *options);
/* One step of the light client, as of this machine's clock. CLI_OK; CLI_NO and *pivot: NOT_ENOUGH_TRUST, a
 * block of that height is needed in between, nothing is printed; else CLI_NO, printed. The same header as
 * the trusted one follows; another of its height is a conflict. */
enum cli_exit light_follow(const struct cli *cli, const struct light *trusted,
			   const struct light *untrusted, const struct cmt_light_options *options,
			   int64_t *pivot);

/* The chain's id for a terminal: what is no printable ASCII is a question mark. */
#define LIGHT_CHAIN_ID_SIZE (CMT_CHAIN_ID_SIZE_MAX + 1u)
void light_chain_id(char text[LIGHT_CHAIN_ID_SIZE], const struct cmt_header *header);

/* Whether a header's hash, or its validators', is this one in hex (`option` is for what it prints). */
enum cli_exit light_expect(const struct cli *cli, const char *option, const struct cs_hash *found);

#endif
