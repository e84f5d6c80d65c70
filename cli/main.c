#include "cli/cli.h"
#include "host/config.h"
#include "host/dumps.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ATTRIBUTES " deadline= deadline-in= gas= closer= refund-to= finality="
#define GATEWAY " config= url= ca-file= key-file= json"
#define ATTEST " collateral= policy= at= no-revocation root=+ insecure-root=+"
#define CLUSTER " config= socket= json"
#define SECRETS " secret=+ secrets-key= insecure-host-key"

static enum cli_exit cli_help(struct cli *cli);

static const struct cli_command commands[] = {
	{"help", "[COMMAND]", "json",
	 "what the commands are, or the arguments of one; with --json all of it, of which manual "
	 "page and completion are made",
	 cli_help},
	{"up", "FILE", "config= oracle enclave-only",
	 "start gateway and enclave of a configuration, or an oracle, and start them again when "
	 "they end",
	 cli_up},
	{"doctor", "FILE", GATEWAY,
	 "what keeps the gateway of a configuration from working, and what to do about it",
	 cli_doctor},
	{"status", "", GATEWAY, "is the gateway ready, its chains, its backlog", cli_status},
	{"send", "--to ACCOUNT (--payload HEX | --text TEXT)",
	 "to= payload= text= mode= from= from-chain= watch timeout= idempotency-key=" ATTRIBUTES
		 GATEWAY,
	 "send a message to a contract on another chain", cli_send},
	{"transfer", "--to ACCOUNT --amount N",
	 "to= amount= token= mode= from= from-chain= watch timeout= idempotency-key=" ATTRIBUTES
		 GATEWAY,
	 "send tokens to an account on another chain", cli_transfer},
	{"send submit", "--to ACCOUNT (--payload HEX | --text TEXT) --transaction HEX",
	 "to= payload= text= transaction= from-chain= watch timeout= idempotency-key=" ATTRIBUTES
		 GATEWAY,
	 "give the gateway the message's transaction, which the application signed, to send",
	 cli_send},
	{"transfer submit", "--to ACCOUNT --amount N --transaction HEX",
	 "to= amount= token= transaction= from-chain= watch timeout= idempotency-key=" ATTRIBUTES
		 GATEWAY,
	 "give the gateway the transfer's transaction, which the application signed, to send",
	 cli_transfer},
	{"messages", "[ID]",
	 "state= side= from-chain= to-chain= sender= recipient= tx= limit= before=" GATEWAY,
	 "list messages, newest first, or show one with its eighteen steps", cli_messages},
	{"watch", "ID", "timeout= side=" GATEWAY,
	 "print the steps of a message as they happen, until its end", cli_watch},
	{"events", "", "cursor= events-url=" GATEWAY,
	 "print every change of every message as a line of JSON, until it is stopped", cli_events},
	{"webhooks", "[ID]", GATEWAY, "the webhooks of the API key, or one of them", cli_webhooks},
	{"webhooks create", "URL", "type=+ from-chain= to-chain= message= cursor= out=" GATEWAY,
	 "have events sent to a receiver; the secret that signs them is printed (or written to "
	 "--out) once",
	 cli_webhooks_create},
	{"webhooks delete", "ID", GATEWAY, "end a webhook", cli_webhooks_delete},
	{"webhooks enable", "ID", "cursor=" GATEWAY,
	 "take a disabled webhook up again where it stopped", cli_webhooks_enable},
	{"webhooks rotate", "ID", "out=" GATEWAY,
	 "make its next secret; the one before signs beside it for a while", cli_webhooks_rotate},
	{"webhooks log", "ID", "limit= before=" GATEWAY, "what it was sent, newest first",
	 cli_webhooks_log},
	{"webhooks redeliver", "ID EVENT", GATEWAY, "send an event of its log once more",
	 cli_webhooks_redeliver},
	{"retry", "ID", "gas= side=" GATEWAY,
	 "call the recipient of a failed message again, or bring back now what is past its "
	 "deadline",
	 cli_retry},
	{"abandon", "ID", "side=" GATEWAY,
	 "give a message up that nobody delivered by its deadline: prove that now, and bring it "
	 "back",
	 cli_abandon},
	{"close", "ID", GATEWAY,
	 "print the transaction by which its closer gives a failed message up", cli_close},
	{"envelope", "ID", GATEWAY,
	 "print the signed envelope, for `caisson verify` or for delivering it oneself",
	 cli_envelope},
	{"routes", "", GATEWAY, "the routes, and what an operator paused", cli_routes},
	{"pause", "CHAIN | FROM TO", "refunds reason=" GATEWAY,
	 "hold up a route, or a chain, until it is resumed: what is under way ends, refunds pass",
	 cli_pause},
	{"resume", "CHAIN | FROM TO", GATEWAY, "let what was paused by this name go on",
	 cli_resume},
	{"clear", "FROM TO", GATEWAY,
	 "try again now whatever waits on a route, its failed messages too", cli_clear},
	{"observe", "CHAIN (--tx HASH | --from-height N [--to-height N])",
	 "tx= from-height= to-height=" GATEWAY,
	 "read blocks again, and take what the gateway missed", cli_observe},
	{"accept-reorg", "CHAIN BLOCK_HASH", GATEWAY,
	 "follow a reorganisation that waits for an operator, named by its lowest block",
	 cli_accept_reorg},
	{"transactions", "", GATEWAY, "the gateway's transactions that are under way",
	 cli_transactions},
	{"raise", "N", GATEWAY, "offer more for a transaction that no block takes, up to its cap",
	 cli_raise},
	{"sweep", "CHAIN", "account= all keep=" GATEWAY,
	 "send what is on one of the enclave's gas accounts, or on each, to the manifest's address",
	 cli_sweep},
	{"reload", "", GATEWAY,
	 "let a running gateway read its configuration again: all of it, or nothing of it",
	 cli_reload},
	{"drain", "", "timeout= wait" GATEWAY,
	 "before a stop: begin nothing new, let what is under way end", cli_drain},
	{"undrain", "", GATEWAY, "take work again after a drain", cli_undrain},
	{"keys enclave", "", GATEWAY,
	 "the enclave's keys, evidence digest and manifest: what the owner registers",
	 cli_keys_enclave},
	{"keys rotate", "", "chain=" GATEWAY,
	 "make the enclave's next key and announce it; it signs where it is in force",
	 cli_keys_rotate},
	{"keys create", "NAME --scopes LIST", "config= oracle scopes= out= json",
	 "make an API key: it is printed (or written to --out) once, its hash is kept",
	 cli_keys_create},
	{"keys list", "", "config= oracle json", "the API keys by name", cli_keys_list},
	{"keys revoke", "NAME", "config= oracle json",
	 "forget an API key; gateway and oracle notice within a second", cli_keys_revoke},
	{"keys register", "--evidence FILE --policy FILE --contract ADDRESS",
	 "evidence= contract= remote= epoch= nonce= tier= insecure-verdict" ATTEST " json",
	 "offline: if this evidence is accepted by the policy, the call by which the owner of a "
	 "gateway's "
	 "or oracle's contract names the enclave's key, for a wallet or a multisig",
	 cli_keys_register},
	{"config check", "FILE", "config= oracle json",
	 "read a configuration whole and name every error by its path", cli_config_check},
	{"config sample", "", "oracle", "print a configuration with every key and its default",
	 cli_config_sample},
	{"config reference", "", "oracle", "print the reference page of the configuration",
	 cli_config_reference},
	{"journal export", "FILE --out FILE", "out= config= json",
	 "write a stopped gateway's journal as lines of JSON", cli_journal_export},
	{"journal import", "FILE --from FILE", "from= config= json",
	 "make a gateway's journal, which is empty, of exported lines: all of them, or none",
	 cli_journal_import},
	{"verify", "FILE",
	 "key= outcome-key= manifest=+ audience= spec= feed= lineage= evidence=" ATTEST " json",
	 "offline: does this signed envelope, or this oracle's answer or round of a feed, verify, "
	 "by "
	 "which key, epoch and manifest, secure or not; and of an answer, is it of an enclave "
	 "that a "
	 "policy accepts",
	 cli_verify},
	{"oracle ask", "SPEC",
	 "arg=+" SECRETS " audience= max-age= timeout= idempotency-key= out= key= lineage=" GATEWAY,
	 "ask what a spec says; the signed answer is verified and shown", cli_oracle_ask},
	{"oracle dry-run", "SPEC", "arg=+" GATEWAY,
	 "what a spec extracts, source by source: unsigned, opens no secrets", cli_oracle_dry_run},
	{"oracle get", "ID", "out= key= lineage=" GATEWAY,
	 "show a request; its answer, once it is signed, is verified", cli_oracle_get},
	{"oracle requests", "", "state= kind= limit= after=" GATEWAY,
	 "list requests of apps and of contracts, newest first", cli_oracle_requests},
	{"oracle spec-hash", "SPEC", "out= json",
	 "offline: check a spec, make it canonical, print its hash", cli_oracle_spec_hash},
	{"oracle publish", "SPEC", GATEWAY,
	 "give the oracle a spec that a contract asks for by its hash", cli_oracle_publish},
	{"oracle seal", "SPEC (--audience TEXT | --asker ADDRESS)",
	 "audience= asker= arg=+" SECRETS GATEWAY,
	 "print secrets sealed for one spec and asker, as a contract's request carries them",
	 cli_oracle_seal},
	{"oracle status", "", GATEWAY, "is its enclave ready, its chains and contracts",
	 cli_oracle_status},
	{"oracle key", "", GATEWAY,
	 "the oracle's keys: what answers are signed with and secrets are sealed to",
	 cli_oracle_key},
	{"oracle rotate", "answers|secrets", GATEWAY,
	 "make the enclave's next key of this use; one for answers is announced to the contracts",
	 cli_oracle_rotate},
	{"oracle feeds", "", GATEWAY, "the feeds, their last values, ages and costs",
	 cli_oracle_feeds},
	{"oracle feeds show", "CONTRACT INDEX", "chain=" GATEWAY, "one feed with its last rounds",
	 cli_oracle_feeds_show},
	{"oracle feeds round", "CONTRACT INDEX [ROUND]", "chain= out= key= lineage=" GATEWAY,
	 "a round of a feed as it was signed, verified; without its number the newest",
	 cli_oracle_feeds_round},
	{"oracle feeds add", "CONTRACT INDEX SPEC", "chain= set=+" GATEWAY,
	 "take a feed of the contract into the schedule", cli_oracle_feeds_add},
	{"oracle feeds pause", "CONTRACT INDEX", "chain=" GATEWAY,
	 "observe a feed no more, until it is resumed", cli_oracle_feeds_pause},
	{"oracle feeds resume", "CONTRACT INDEX", "chain=" GATEWAY,
	 "observe it again, after a pause or when disagreement stopped it",
	 cli_oracle_feeds_resume},
	{"oracle feeds remove", "CONTRACT INDEX", "chain=" GATEWAY,
	 "take a feed out of the schedule; the contract keeps it", cli_oracle_feeds_remove},
	{"ledger query", "PATH [HEX] | CONTRACT.FUNCTION [ARGUMENT...]", "url= height= json",
	 "ask a node of the ledger: a path of its application, or a view of a contract",
	 cli_ledger_query},
	{"ledger proof", "KEY", "url= height= json",
	 "a key of the ledger's state with its value, or none, and the proof of that",
	 cli_ledger_proof},
	{"ledger send", "CONTRACT.FUNCTION [ARGUMENT...] --key-file FILE --tag HEX",
	 "key-file= tag= value= gas-price-max= url= json",
	 "sign a call to a contract of the ledger, send it, and wait for its block",
	 cli_ledger_send},
	{"ledger approve",
	 "FILE | --manifest-hash HEX | --policy FILE, --register HEX [--administrator N --key-file "
	 "FILE]",
	 "manifest-hash= lineage= number= policy= tier= root=+ insecure-root=+ register= "
	 "administrator= key-file= json",
	 "offline: sign an enclave's registration, a manifest or a policy for evidence as one of "
	 "the "
	 "ledger's administrators; without a key, print what would be signed",
	 cli_ledger_approve},
	{"ledger register", "FILE | --manifest-hash HEX | --policy FILE, --key-file FILE --tag HEX",
	 "evidence= collateral=+ approval=+ manifest-hash= lineage= number= policy= tier= root=+ "
	 "insecure-root=+ key-file= tag= value= gas-price-max= url= json",
	 "register an enclave with the ledger by its evidence, or by approvals of administrators, "
	 "as "
	 "manifests and policies",
	 cli_ledger_register},
	{"ledger statement", "--party ACCOUNT --role ROLE --period MONTH",
	 "party= role= period= format= out= height= url=",
	 "all usage records of a party in a month, complete and with proofs", cli_ledger_statement},
	{"ledger line", "FILE INDEX", "json",
	 "offline: one line of a statement with its audit path, for somebody who need not see the "
	 "others",
	 cli_ledger_line},
	{"ledger light-block", "[HEIGHT] --out FILE",
	 "url= out= trusted= trusted-height= trusted-hash= trusting-period= validators= json",
	 "ask a node for a light block, newest if no height is given, and check it from what you "
	 "trust",
	 cli_ledger_light_block},
	{"ledger verify", "FILE",
	 "app-hash= light-block= trusted= trusting-period= validators= signatures json",
	 "offline: is this statement complete, or this line or proof right, under an app hash or a "
	 "light block",
	 cli_ledger_verify},
	{"attest verify", "FILE", "report-data= nonce= ear" ATTEST " json",
	 "offline: what is this evidence (SGX, TDX, SEV-SNP, TPM, RA-TLS, simulated), does it "
	 "verify, and what is it worth by a policy; FILE may be -; exit status: "
	 "docs/attestation.md",
	 cli_attest_verify},
	{"attest connect", "HOST:PORT",
	 "collateral= policy= lineage= no-revocation root=+ insecure-root=+ ear json",
	 "talk to an enclave over its attested port: does TLS end in it, does its evidence verify "
	 "for "
	 "this connection, and what is it worth by a policy; exit status as of attest verify",
	 cli_attest_connect},
	{"attest challenge", "FILE --out FILE --keep FILE",
	 "out= keep= collateral= at= no-revocation root=+ json",
	 "offline: for the TPM of a machine that is to be enrolled, which only it opens, while it "
	 "holds the attestation key; FILE is of caisson-tpm-quoter --endorse",
	 cli_attest_challenge},
	{"attest certify", "FILE --keep FILE --ca FILE --ca-key FILE --out FILE",
	 "keep= ca= ca-key= out= days= transcript= json",
	 "offline: the attestation key's certificate by your CA, where FILE, of "
	 "caisson-tpm-quoter --activate, answers the challenge",
	 cli_attest_certify},
	{"cluster init", "", CLUSTER,
	 "of a key server: begin a new cluster, under the manifest that it was started with",
	 cli_cluster_init},
	{"cluster status", "", CLUSTER,
	 "of a key server, a guard or a worker: what it is, its manifest, epochs, key, peers",
	 cli_cluster_status},
	{"cluster join", "", CLUSTER,
	 "of a key server: copy the state of the first of its peers, and stand by",
	 cli_cluster_join},
	{"cluster promote", "", CLUSTER, "of a standby: take over", cli_cluster_promote},
	{"cluster rotate", "", CLUSTER, "of a key server: begin a new epoch now",
	 cli_cluster_rotate},
	{"cluster revoke", "KEY", CLUSTER,
	 "of a key server: this key gets nothing more, and what it holds goes out of use",
	 cli_cluster_revoke},
	{"cluster manifest", "FILE", CLUSTER,
	 "give a running process the next manifest of its lineage", cli_cluster_manifest},
	{"cluster manifest check", "FILE", "json",
	 "offline: a manifest of a key cluster, a draft or signed, as enclaves will read it: its "
	 "form, "
	 "and builds that no evidence can match; FILE may be -",
	 cli_cluster_manifest_check},
	{"cluster seal", "FILE --purpose TEXT", "purpose=" CLUSTER,
	 "of a worker: encrypt a file under its application's key; to standard output",
	 cli_cluster_seal},
	{"cluster open", "FILE --purpose TEXT", "purpose=" CLUSTER,
	 "of a worker: decrypt it, also under an epoch that is not over; to standard output",
	 cli_cluster_open},
	{"cluster share", "FILE --purpose TEXT", "purpose= peer=" CLUSTER,
	 "of a worker: give a file, encrypted, to another worker, which opens it",
	 cli_cluster_share},
	{"cluster recovery export", "--out FILE", "out=" CLUSTER,
	 "of a key server: the recovery of its epoch, as it writes it by itself",
	 cli_cluster_recovery_export},
	{"cluster recovery request", "FILE --out FILE", "out=" CLUSTER,
	 "of a new key server without state: ask the holders of recovery keys for their shares",
	 cli_cluster_recovery_request},
	{"cluster recovery approve",
	 "FILE --request FILE --key-file FILE --manifest FILE... --out FILE",
	 "request= key-file= manifest=+ out= json",
	 "offline, of a holder: check the evidence of who asks, and seal the share to it",
	 cli_cluster_recovery_approve},
	{"cluster recovery restore", "FILE --share FILE...", "share=+" CLUSTER,
	 "of the new key server: take the state by the holders' shares, and begin a new epoch",
	 cli_cluster_recovery_restore},
	{"provision serve", "--listen PATH", "listen= containers=" CLUSTER,
	 "beside a worker: give secrets to the programs of this machine that the manifest names, "
	 "by the "
	 "kernel's word (insecure)",
	 cli_provision_serve},
	{"provision encrypt", "FILE --name NAME", "name=" CLUSTER,
	 "of a worker: encrypt a file so that the programs with this secret can read it; to "
	 "standard "
	 "output",
	 cli_provision_encrypt},
	{"provision rule", "FILE", "user= json",
	 "offline: the manifest's rule for a program, by the hash of its file", cli_provision_rule},
	{"enclave evidence", "", "nonce= digest=" GATEWAY,
	 "fresh evidence of the gateway's or oracle's enclave, for `caisson attest verify`; or "
	 "what "
	 "an oracle's answers name",
	 cli_enclave_evidence},
	{"keygen", "(--seal-root FILE | --operator FILE | --recovery FILE)",
	 "seal-root= operator= recovery= json",
	 "make a secret in a new file of mode 600; prints the operator's address, or the "
	 "recovery's "
	 "public key",
	 cli_keygen},
};

static const struct option_help {
	const char *name;
	const char *value; /* NULL: a flag */
	const char *help;
} option_helps[] = {
#define CLI_OPTION(name, value, help) {name, value, help},
#include "cli/options.def"
#undef CLI_OPTION
};

static const char exit_help[] =
	"exit status: 0 done; 1 it did not work; 2 wrong arguments or configuration; 3 the gateway "
	"or oracle refused;\n"
	"  4 no gateway, or it failed; 5 what was waited for did not come in time; 6 the answer is "
	"no: refunded,\n"
	"  abandoned, the request failed, or it does not verify; 7 it verifies, by what only it "
	"names itself\n";

static const char attest_exit_help[] =
	"exit status: 0 affirming; 1 it did not work; 2 wrong arguments, or a file that cannot be "
	"read;\n"
	"  3 a warning, accepted only by an insecure_accept_ of the policy; 4 a TPM: the whole "
	"machine is trusted;\n"
	"  5 another warning; 6 contraindicated, or it does not verify (lists of revoked keys are "
	"missing, too);\n"
	"  7 it verifies, and nobody judged the TCB: --collateral has no TCB info\n";

/* Two commands answer with a verdict. */
static const char *exit_help_of(const struct cli_command *command)
{
	const bool judges = strcmp(command->name, "attest verify") == 0 ||
			    strcmp(command->name, "attest connect") == 0;
	return judges ? attest_exit_help : exit_help;
}

static void usage(FILE *to)
{
	fputs("usage: caisson COMMAND [arguments] [--json]\n\n", to);
	for (size_t i = 0; i < CS_LEN(commands); i++)
		fprintf(to, "  %-20s %s\n", commands[i].name, commands[i].help);
	fputs("\n`caisson COMMAND --help` shows a command's arguments.\n"
	      "The gateway or oracle is found by --url or CAISSON_URL, or by --config or "
	      "CAISSON_CONFIG (its "
	      "own machine); the API key is\n"
	      "read from --key-file or CAISSON_API_KEY_FILE, never from an argument.\n\n",
	      to);
	fputs(exit_help, to);
}

/* The command's own, else what the option is everywhere. */
static const struct option_help *option_help(const struct cli_command *command, const char *name)
{
	char own[64];
	snprintf(own, sizeof(own), "%s/%s", command->name, name);
	const struct option_help *found = NULL;
	for (size_t i = 0; i < CS_LEN(option_helps); i++) {
		if (strcmp(option_helps[i].name, own) == 0)
			return &option_helps[i];
		if (found == NULL && strcmp(option_helps[i].name, name) == 0)
			found = &option_helps[i];
	}
	return found;
}

struct option_view {
	char name[40];
	bool repeats;
	const char *value; /* NULL: a flag */
	const char *help;
};

/* Of the command's options, the one at *at; false after the last. */
static bool next_option(const struct cli_command *command, const char **at,
			struct option_view *option)
{
	const size_t size = strcspn(*at, " ");
	const size_t n = strcspn(*at, "= ");
	if (size == 0)
		return false;
	*option = (struct option_view){.repeats = (*at)[size - 1] == '+', .help = ""};
	snprintf(option->name, sizeof(option->name), "%.*s", (int)n, *at);
	const struct option_help *help = option_help(command, option->name);
	if (help)
		option->help = help->help;
	if (n < size)
		option->value = help && help->value ? help->value : "VALUE";
	*at += size + strspn(*at + size, " ");
	return true;
}

static const char *first_option(const struct cli_command *command)
{
	return command->options + strspn(command->options, " ");
}

static void usage_of(FILE *to, const struct cli_command *command)
{
	struct option_view option;
	fprintf(to, "usage: caisson %s%s%s%s\n%s\n\n", command->name, command->usage[0] ? " " : "",
		command->usage, command->options[0] ? " [options]" : "", command->help);
	for (const char *at = first_option(command); next_option(command, &at, &option);) {
		char left[64];
		snprintf(left, sizeof(left), "--%s %s", option.name,
			 option.value ? option.value : "");
		fprintf(to, "  %-23s %s\n", left, option.help);
	}
	fprintf(to, "%s%s", command->options[0] ? "\n" : "", exit_help_of(command));
}

/* Its first words, as many as the command's name has. */
static void first_words(char *text, size_t size, const char *name, int argc, char **argv)
{
	size_t n = 0;
	text[0] = 0;
	for (int i = 1; i < argc && n < size; i++) {
		n += (size_t)snprintf(text + n, size - n, "%s%s", i > 1 ? " " : "", argv[i]);
		const char *space = strchr(name, ' ');
		if (space == NULL)
			return;
		name = space + 1;
	}
}

/* The command that two letters or less make of the words; NULL: none. */
static const char *nearest_command(int argc, char **argv)
{
	const char *nearest = NULL;
	size_t least = 3;
	for (size_t i = 0; i < CS_LEN(commands); i++) {
		char words[64];
		first_words(words, sizeof(words), commands[i].name, argc, argv);
		size_t cost = host_text_distance(words, commands[i].name);
		if (cost < least && 2 * cost < strlen(words)) {
			least = cost;
			nearest = commands[i].name;
		}
	}
	return nearest;
}

/* Nothing, or what is near: the commands that begin with the word, or are written much like it. */
static void no_such_command(int argc, char **argv)
{
	const char *word = argv[1];
	bool any = false;
	size_t n = strlen(word);
	for (size_t i = 0; i < CS_LEN(commands) && n > 0; i++) {
		if (strncmp(commands[i].name, word, n) != 0)
			continue;
		fprintf(stderr, "%s%s", any ? ", " : "caisson: which one? ", commands[i].name);
		any = true;
	}
	const char *nearest = any ? NULL : nearest_command(argc, argv);
	if (any)
		fputc('\n', stderr);
	else if (nearest)
		fprintf(stderr, "caisson: no command %.40s; did you mean %s?\n", word, nearest);
	else
		fprintf(stderr, "caisson: no command %.40s; `caisson --help` lists them\n", word);
}

/* ---- arguments ---- */

/* How many of the words are the command's name; 0: they are not. */
static int words_of(const struct cli_command *command, int argc, char **argv)
{
	const char *at = command->name;
	for (int i = 1; i < argc; i++) {
		size_t n = strcspn(at, " ");
		if (strlen(argv[i]) != n || strncmp(argv[i], at, n) != 0)
			return 0;
		if (at[n] == 0)
			return i;
		at += n + 1;
	}
	return 0;
}

/* The longest name: "oracle feeds add" before "oracle feeds". */
static const struct cli_command *find_command(int argc, char **argv, int *used)
{
	const struct cli_command *found = NULL;
	int words = 0;
	for (size_t i = 0; i < CS_LEN(commands); i++) {
		int n = words_of(&commands[i], argc, argv);
		if (n > words) {
			words = n;
			found = &commands[i];
		}
	}
	*used = words + 1;
	return found;
}

/* 0: unknown, 1: a flag, 2: takes a value, 3: again and again. */
static int option_kind(const struct cli_command *command, const char *name)
{
	size_t n = strlen(name);
	for (const char *at = command->options; (at = strstr(at, name)) != NULL; at += n) {
		bool begins = at == command->options || at[-1] == ' ';
		if (begins && (at[n] == 0 || at[n] == ' '))
			return 1;
		if (begins && at[n] == '=')
			return at[n + 1] == '+' ? 3 : 2;
	}
	return 0;
}

static bool take_option(struct cli *cli, const struct cli_command *command, int argc, char **argv,
			int *at)
{
	char name[64];
	const char *text = argv[*at] + 2;
	const char *equals = strchr(text, '=');
	size_t n = equals ? (size_t)(equals - text) : strlen(text);
	if (n == 0 || n >= sizeof(name))
		return false;
	memcpy(name, text, n);
	name[n] = 0;
	int kind = option_kind(command, name);
	if (kind == 0 || (kind == 1 && equals) || cli->option_count == CLI_OPTIONS_MAX ||
	    (kind != 3 && cli_flag(cli, name))) {
		fprintf(stderr, "caisson %s: --%s is %s\n", command->name, name,
			kind == 0 ? "unknown" : "wrong here");
		return false;
	}
	const char *value = NULL;
	if (kind >= 2 && equals)
		value = equals + 1;
	else if (kind >= 2 && *at + 1 < argc)
		value = argv[++*at];
	else if (kind >= 2) {
		fprintf(stderr, "caisson %s: --%s needs a value\n", command->name, name);
		return false;
	}
	char *copy = strdup(name);
	if (!copy)
		return false;
	cli->options[cli->option_count++] = (struct cli_option){copy, value};
	return true;
}

static bool take_arguments(struct cli *cli, const struct cli_command *command, int argc,
			   char **argv, int at)
{
	for (; at < argc; at++) {
		if (strncmp(argv[at], "--", 2) == 0 && argv[at][2] != 0) {
			if (!take_option(cli, command, argc, argv, &at))
				return false;
		} else if (cli->positional_count < CLI_POSITIONAL_MAX) {
			cli->positional[cli->positional_count++] = argv[at];
		} else {
			return false;
		}
	}
	cli->json = cli_flag(cli, "json");
	if (cli->positional_count > 0 &&
	    (command->usage[0] == 0 || command->usage[0] == '-' || command->usage[0] == '(')) {
		fprintf(stderr, "caisson %s: takes no argument such as %.60s\n", command->name,
			cli->positional[0]);
		return false;
	}
	return true;
}

const char *cli_option(const struct cli *cli, const char *name)
{
	for (unsigned i = 0; i < cli->option_count; i++) {
		if (strcmp(cli->options[i].name, name) == 0)
			return cli->options[i].value;
	}
	return NULL;
}

const char *cli_option_next(const struct cli *cli, const char *name, unsigned *at)
{
	while (*at < cli->option_count) {
		const struct cli_option *option = &cli->options[(*at)++];
		if (strcmp(option->name, name) == 0)
			return option->value;
	}
	return NULL;
}

bool cli_flag(const struct cli *cli, const char *name)
{
	for (unsigned i = 0; i < cli->option_count; i++) {
		if (strcmp(cli->options[i].name, name) == 0)
			return true;
	}
	return false;
}

bool cli_number(const struct cli *cli, const char *name, uint64_t max, uint64_t *value)
{
	const char *text = cli_option(cli, name);
	char *end = NULL;
	if (!text)
		return true;
	if (text[0] < '0' || text[0] > '9' || strlen(text) > 19)
		return false;
	uint64_t number = strtoull(text, &end, 10);
	if (*end != 0 || number > max)
		return false;
	*value = number;
	return true;
}

/* ---- output ---- */

void cli_print_json(const struct cli *cli, json_t *json)
{
	size_t form = cli->json ? JSON_COMPACT : JSON_INDENT(2);
	json_dumpf(json, stdout, form | JSON_PRESERVE_ORDER);
	fputc('\n', stdout);
	fflush(stdout);
	json_decref(json);
}

enum cli_exit cli_fail(const struct cli *cli, enum cli_exit code, const char *format, ...)
{
	char text[1024];
	va_list args;
	if (cli->patient && code == CLI_UNREACHABLE)
		return code;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* What a gateway wrote is no terminal's command. */
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	if (cli->json)
		cli_print_json(cli, json_pack("{s:s,s:i}", "error", text, "exit", (int)code));
	fprintf(stderr, "caisson %s: %s\n", cli->command, text);
	return code;
}

/* ---- help ---- */

static json_t *options_json(const struct cli_command *command)
{
	json_t *options = json_array();
	struct option_view option;
	for (const char *at = first_option(command); next_option(command, &at, &option);)
		json_array_append_new(options, json_pack("{s:s,s:s?,s:b,s:s}", "name", option.name,
							 "value", option.value, "repeats",
							 (int)option.repeats, "help", option.help));
	return options;
}

static json_t *command_json(const struct cli_command *command)
{
	return json_pack("{s:s,s:s,s:s,s:o}", "name", command->name, "arguments", command->usage,
			 "help", command->help, "options", options_json(command));
}

static enum cli_exit cli_help(struct cli *cli)
{
	json_t *list = json_array();
	const struct cli_command *one = NULL;
	int used = 0;
	char *words[CLI_POSITIONAL_MAX + 1] = {NULL};
	for (unsigned i = 0; i < cli->positional_count; i++)
		words[i + 1] = (char *)(uintptr_t)cli->positional[i];
	one = find_command((int)cli->positional_count + 1, words, &used);
	if (cli->positional_count > 0 && (!one || used != (int)cli->positional_count + 1)) {
		json_decref(list);
		return cli_fail(cli, CLI_USAGE, "no such command; `caisson help` lists them");
	}
	for (size_t i = 0; cli->json && i < CS_LEN(commands); i++) {
		if (!one || one == &commands[i])
			json_array_append_new(list, command_json(&commands[i]));
	}
	if (cli->json) {
		cli_print_json(cli, json_pack("{s:s,s:s,s:o,s:s}", "program", "caisson", "version",
					      CAISSON_VERSION, "commands", list, "exit_status",
					      exit_help));
		return CLI_OK;
	}
	json_decref(list);
	if (one)
		usage_of(stdout, one);
	else
		usage(stdout);
	return CLI_OK;
}

int main(int argc, char **argv)
{
	struct cli cli = {0};
	int used = 0;
	/* Keys and secrets pass through most commands, and `up` has its services' configuration. */
	if (host_dumps_off() != CS_OK) {
		fputs("caisson: core dumps cannot be switched off\n", stderr);
		return CLI_FAILED;
	}
	if (argc < 2 || strcmp(argv[1], "--help") == 0) {
		usage(argc < 2 ? stderr : stdout);
		return argc < 2 ? CLI_USAGE : CLI_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("caisson " CAISSON_VERSION);
		return CLI_OK;
	}
	const struct cli_command *command = find_command(argc, argv, &used);
	if (!command) {
		no_such_command(argc, argv);
		return CLI_USAGE;
	}
	for (int i = used; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			usage_of(stdout, command);
			return CLI_OK;
		}
	}
	cli.command = command->name;
	if (!take_arguments(&cli, command, argc, argv, used)) {
		usage_of(stderr, command);
		return CLI_USAGE;
	}
	enum cli_exit code = command->run(&cli);
	cli_client_done(&cli);
	for (unsigned i = 0; i < cli.option_count; i++)
		free((void *)(uintptr_t)cli.options[i].name);
	return code;
}
