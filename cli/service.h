/* The configuration of a process that the command line serves: a gateway's or an oracle's. Which one
 * the caller says, or the file, where only one of the two could be meant. */
#ifndef CLI_SERVICE_H
#define CLI_SERVICE_H

#include "cli/cli.h"
#include "gateway/config.h"
#include "oracle/config.h"

struct cli_service {
	bool is_oracle;
	struct gateway_config gateway; /* unless is_oracle */
	struct oracle_config oracle;   /* if it is_oracle */
	/* of either */
	const struct host_config *file; /* what is wrong */
	const char *name;
	const struct host_service *common;
	const char *const *scope_names; /* by bit, then NULL */
	const char *scopes;             /* the same, for people */
};

/* --oracle, or a command about oracles: the file is an oracle's. Else it is a gateway's, unless it is
 * none or names an oracle's enclave. with_manifest: reads the manifests too. INVALID: what is wrong
 * is in host_config_error of file, and nothing else may be used. Must not move; freed in any case
 * by cli_service_free. */
CS_NODISCARD enum cs_err cli_service_load(struct cli_service *service, const struct cli *cli,
					  const char *path, bool with_manifest);
/* Is the file an oracle's, by the same rule? */
bool cli_is_oracle(const struct cli *cli, const char *path);
void cli_service_free(struct cli_service *service);

#endif
