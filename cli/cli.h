/* The command line: a table of commands, their options, and the exit codes. Everything that talks
 * to a gateway does it over REST; what works without one (config, keygen, verify, the keys file)
 * touches files alone. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "core/hash.h"
#include "host/keyfile.h"

#include <jansson.h>
#include <stdio.h>

/* Exit codes; documented in `caisson --help` and docs/rest.md. */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,      /* it was tried and did not work */
	CLI_USAGE = 2,       /* wrong arguments or configuration */
	CLI_REFUSED = 3,     /* the gateway said no (4xx), or does not do that (501) */
	CLI_UNREACHABLE = 4, /* no gateway, or it failed (the other 5xx) */
	CLI_TIMEOUT = 5,     /* what was waited for did not come */
	CLI_NO = 6, /* the answer is no: refunded, abandoned, request failed, does not verify */
	CLI_CLAIMED = 7, /* it verifies, by a key that only the file itself names */
};

/* A call of the ledger with its arguments. */
#define CLI_POSITIONAL_MAX 8u
#define CLI_OPTIONS_MAX 48u

#define CLI_WORDS_MAX 3u

struct cli_option {
	const char *name;
	const char *value; /* NULL: a flag */
};

struct cli {
	const char *command;
	const char *positional[CLI_POSITIONAL_MAX];
	unsigned positional_count;
	struct cli_option options[CLI_OPTIONS_MAX];
	unsigned option_count;
	bool json;
	bool patient; /* a gateway that does not answer is asked again: nothing is printed */
	struct host_loop *loop; /* made when it is needed */
	struct host_http_client *http;
};

struct cli_command {
	const char *name;    /* one to CLI_WORDS_MAX words: "keys create" */
	const char *usage;   /* after the name */
	const char *options; /* "to= watch arg=+": = takes a value, + may be given again */
	const char *help;
	enum cli_exit (*run)(struct cli *cli);
};

/* NULL when it was not given. */
const char *cli_option(const struct cli *cli, const char *name);
/* The values of one that may be given again, from *at = 0 on; NULL after the last. */
const char *cli_option_next(const struct cli *cli, const char *name, unsigned *at);
bool cli_flag(const struct cli *cli, const char *name);
/* Decimal; false when given and not a number up to max. Absent: untouched. */
bool cli_number(const struct cli *cli, const char *name, uint64_t max, uint64_t *value);
/* "caisson: …" on standard error, or {"error": …} on standard output with --json; returns code. */
enum cli_exit cli_fail(const struct cli *cli, enum cli_exit code, const char *format, ...)
	CS_PRINTF(3, 4);
/* Takes json. One line with --json, so that a stream of them is JSON lines; indented for people. */
void cli_print_json(const struct cli *cli, json_t *json);

/* keys.c: text and a line break into a new file of mode 600; refuses to overwrite one. */
enum cli_exit cli_write_secret(struct cli *cli, const char *path, const char *text);

/* ---- input.c ---- */
/* A file, or standard input where path is "-": malloc'd, with a zero behind a file. An empty input, and what is
 * larger, is a failure of usage, which is printed. */
enum cli_exit cli_read_file(struct cli *cli, uint8_t **bytes, size_t *size, const char *path,
			    size_t size_max);

/* ---- client.c ---- */
/* Members of an answer: "" and 0 where there is none of that type. */
const char *cli_text_of(const json_t *json, const char *name);
long long cli_number_of(const json_t *json, const char *name);
/* The gateway's answer, decoded: *out is NULL for an empty one. Prints the problem itself when it
 * is not 2xx. body may be NULL; is taken. */
enum cli_exit cli_call(struct cli *cli, const char *method, const char *path, json_t *body,
		       json_t **out);
/* Asks for path again and again until step says that a reply is the last: *last, never NULL. One that
 * answered once is waited for when it does not answer. CLI_TIMEOUT: end_ms of host_now_ms passed, of
 * which nothing is printed. */
enum cli_exit cli_poll(struct cli *cli, const char *path, uint64_t end_ms,
		       bool (*step)(void *context, const json_t *reply), void *context,
		       json_t **last);
/* Why a WebSocket of this address (ws, wss) does not open: asked as a plain request, whose refusal
 * is printed and returned. OK: the gateway would open it now. */
enum cli_exit cli_ask_refusal(struct cli *cli, const char *url, const char *authorization);
/* The gateway's REST address, without a slash at its end. */
enum cli_exit cli_find_url(struct cli *cli, char *url, size_t size);
#define CLI_AUTHORIZATION_SIZE (HOST_TOKEN_MAX + 16u)
/* "Bearer …"; the caller wipes it. */
enum cli_exit cli_find_key(struct cli *cli, char authorization[CLI_AUTHORIZATION_SIZE]);
void cli_client_done(struct cli *cli);

/* ---- spec.c ---- */
struct cli_spec {
	struct cs_bytes canonical;
	struct cs_hash hash;
	uint8_t *memory; /* owns canonical */
};
/* A spec from a file ("-": standard input), any JSON: made canonical and checked. What is no spec is
 * a failure of usage, which says where. Freed by cli_free_spec. */
enum cli_exit cli_read_spec(struct cli *cli, struct cli_spec *spec, const char *path);
void cli_free_spec(struct cli_spec *spec);

/* ---- seal.c ---- */
/* What a box is good for, beside the key that opens it. */
struct cli_bound {
	const struct cs_hash *spec;
	const struct cs_hash *asker;     /* a word */
	const struct cs_hash *arguments; /* their hash; NULL: any */
};
/* The secrets of --secret NAME=@FILE, sealed to a key: malloc'd; n is 0 where none was given. */
enum cli_exit cli_seal(struct cli *cli, uint8_t **sealed, size_t *n, const struct cs_hash *key,
		       const struct cli_bound *bound);

/* ---- verify_answer.c ---- */
/* What an answer must be besides signed; NULL: any. */
struct cli_expected {
	const char *audience;
	const struct cs_hash *spec_hash;
	const struct cs_hash *arguments_hash;
	const struct cs_hash *secrets_hash;
	const struct cs_hash *feed_id;          /* then it is a round */
	const struct cs_address *feed_contract; /* the same, with feed_index */
	uint64_t feed_index;
};
/* A signed answer, or a round of a feed. */
bool cli_is_answer(const json_t *file);
/* Checks the document with --key and --lineage, and shows what it says: as a report, with --json as
 * JSON where report_json, else nothing. OK, NO, CLAIMED, USAGE. */
enum cli_exit cli_check_answer(struct cli *cli, const json_t *file,
			       const struct cli_expected *expected, bool report_json);
/* Checked, shown, written to --out; an error's answer is NO. */
enum cli_exit cli_show_answer(struct cli *cli, const json_t *document,
			      const struct cli_expected *expected);

/* ---- up_oracle.c ---- */
/* Runs the oracle of a configuration until a signal ends it. */
enum cli_exit cli_up_oracle(struct cli *cli, const char *path);

/* ---- commands ---- */
enum cli_exit cli_up(struct cli *cli);
enum cli_exit cli_status(struct cli *cli);
/* Before the end of what somebody has to renew: an operator has days, not weeks. */
#define CLI_ENDS_WARN_S (7 * 86400)
/* The line of the bridge's ledger, of a gateway or an oracle; nothing for null. */
void cli_print_ledger(const json_t *ledger);
/* A line for each thing that an operator paused. */
void cli_print_pauses(const json_t *pauses);
enum cli_exit cli_send(struct cli *cli);
enum cli_exit cli_transfer(struct cli *cli);
enum cli_exit cli_messages(struct cli *cli);
enum cli_exit cli_watch(struct cli *cli);
enum cli_exit cli_events(struct cli *cli);
enum cli_exit cli_webhooks(struct cli *cli);
enum cli_exit cli_webhooks_create(struct cli *cli);
enum cli_exit cli_webhooks_delete(struct cli *cli);
enum cli_exit cli_webhooks_enable(struct cli *cli);
enum cli_exit cli_webhooks_rotate(struct cli *cli);
enum cli_exit cli_webhooks_log(struct cli *cli);
enum cli_exit cli_webhooks_redeliver(struct cli *cli);
enum cli_exit cli_retry(struct cli *cli);
enum cli_exit cli_abandon(struct cli *cli);
enum cli_exit cli_close(struct cli *cli);
enum cli_exit cli_pause(struct cli *cli);
enum cli_exit cli_resume(struct cli *cli);
enum cli_exit cli_routes(struct cli *cli);
enum cli_exit cli_observe(struct cli *cli);
enum cli_exit cli_accept_reorg(struct cli *cli);
enum cli_exit cli_clear(struct cli *cli);
enum cli_exit cli_reload(struct cli *cli);
enum cli_exit cli_transactions(struct cli *cli);
enum cli_exit cli_raise(struct cli *cli);
enum cli_exit cli_sweep(struct cli *cli);
enum cli_exit cli_doctor(struct cli *cli);
enum cli_exit cli_journal_export(struct cli *cli);
enum cli_exit cli_journal_import(struct cli *cli);
enum cli_exit cli_drain(struct cli *cli);
enum cli_exit cli_undrain(struct cli *cli);
enum cli_exit cli_envelope(struct cli *cli);
enum cli_exit cli_keys_create(struct cli *cli);
enum cli_exit cli_keys_list(struct cli *cli);
enum cli_exit cli_keys_revoke(struct cli *cli);
enum cli_exit cli_keys_register(struct cli *cli);
enum cli_exit cli_keys_enclave(struct cli *cli);
enum cli_exit cli_keys_rotate(struct cli *cli);
enum cli_exit cli_config_check(struct cli *cli);
enum cli_exit cli_config_sample(struct cli *cli);
enum cli_exit cli_config_reference(struct cli *cli);
enum cli_exit cli_ledger_query(struct cli *cli);
enum cli_exit cli_ledger_proof(struct cli *cli);
enum cli_exit cli_ledger_send(struct cli *cli);
enum cli_exit cli_ledger_approve(struct cli *cli);
enum cli_exit cli_ledger_register(struct cli *cli);
enum cli_exit cli_ledger_statement(struct cli *cli);
enum cli_exit cli_ledger_line(struct cli *cli);
enum cli_exit cli_ledger_light_block(struct cli *cli);
enum cli_exit cli_ledger_verify(struct cli *cli);
enum cli_exit cli_verify(struct cli *cli);
enum cli_exit cli_attest_verify(struct cli *cli);
enum cli_exit cli_attest_connect(struct cli *cli);
enum cli_exit cli_attest_challenge(struct cli *cli);
enum cli_exit cli_attest_certify(struct cli *cli);
enum cli_exit cli_enclave_evidence(struct cli *cli);
enum cli_exit cli_keygen(struct cli *cli);
enum cli_exit cli_cluster_init(struct cli *cli);
enum cli_exit cli_cluster_status(struct cli *cli);
enum cli_exit cli_cluster_join(struct cli *cli);
enum cli_exit cli_cluster_promote(struct cli *cli);
enum cli_exit cli_cluster_rotate(struct cli *cli);
enum cli_exit cli_cluster_revoke(struct cli *cli);
enum cli_exit cli_cluster_manifest(struct cli *cli);
enum cli_exit cli_cluster_manifest_check(struct cli *cli);
enum cli_exit cli_cluster_seal(struct cli *cli);
enum cli_exit cli_cluster_open(struct cli *cli);
enum cli_exit cli_cluster_share(struct cli *cli);
enum cli_exit cli_provision_serve(struct cli *cli);
enum cli_exit cli_provision_encrypt(struct cli *cli);
enum cli_exit cli_provision_rule(struct cli *cli);
enum cli_exit cli_cluster_recovery_export(struct cli *cli);
enum cli_exit cli_cluster_recovery_request(struct cli *cli);
enum cli_exit cli_cluster_recovery_approve(struct cli *cli);
enum cli_exit cli_cluster_recovery_restore(struct cli *cli);
enum cli_exit cli_oracle_ask(struct cli *cli);
enum cli_exit cli_oracle_dry_run(struct cli *cli);
enum cli_exit cli_oracle_get(struct cli *cli);
enum cli_exit cli_oracle_requests(struct cli *cli);
enum cli_exit cli_oracle_spec_hash(struct cli *cli);
enum cli_exit cli_oracle_publish(struct cli *cli);
enum cli_exit cli_oracle_seal(struct cli *cli);
enum cli_exit cli_oracle_status(struct cli *cli);
enum cli_exit cli_oracle_key(struct cli *cli);
enum cli_exit cli_oracle_rotate(struct cli *cli);
enum cli_exit cli_oracle_feeds(struct cli *cli);
enum cli_exit cli_oracle_feeds_show(struct cli *cli);
enum cli_exit cli_oracle_feeds_round(struct cli *cli);
enum cli_exit cli_oracle_feeds_add(struct cli *cli);
enum cli_exit cli_oracle_feeds_pause(struct cli *cli);
enum cli_exit cli_oracle_feeds_resume(struct cli *cli);
enum cli_exit cli_oracle_feeds_remove(struct cli *cli);

#endif
