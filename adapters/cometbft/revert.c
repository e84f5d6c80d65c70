#include "adapters/cometbft/revert.h"

#include "core/abi.h"
#include "core/hash.h"

#include <stdio.h>
#include <string.h>

#define SELECTOR_SIZE 4u
#define WORD_SIZE sizeof(struct cs_hash)

static const char *const reverts[] = {
#define LEDGER_REVERT(signature) signature,
#include "adapters/cometbft/reverts.def"
#undef LEDGER_REVERT
};

/* NULL: no contract of the ledger has it. */
static const char *find_revert(struct cs_bytes data)
{
	for (size_t i = 0; data.n >= SELECTOR_SIZE && i < CS_LEN(reverts); i++) {
		const struct cs_hash topic = cs_abi_topic(reverts[i]);
		if (memcmp(topic.b, data.p, SELECTOR_SIZE) == 0)
			return reverts[i];
	}
	return NULL;
}

/* A short text as Solidity writes it, zeros behind: the name of a check. */
static bool put_text(char text[CS_U256_DECIMAL_SIZE], const struct cs_hash *word)
{
	size_t n = 0;
	while (n < sizeof word->b && word->b[n] > 0x20 && word->b[n] < 0x7f)
		n++;
	for (size_t i = n; i < sizeof word->b; i++) {
		if (word->b[i] != 0)
			return false;
	}
	if (n == 0 || n == sizeof word->b)
		return false;
	memcpy(text, word->b, n);
	text[n] = 0;
	return true;
}

static void put_argument(char text[CS_U256_DECIMAL_SIZE], const char *type,
			 const struct cs_hash *word)
{
	const struct cs_u256 number = cs_u256_from_word(word);
	size_t from = sizeof word->b;
	if (strncmp(type, "address", 7) == 0)
		from = sizeof word->b - sizeof(struct cs_address);
	else if (strncmp(type, "bytes", 5) == 0)
		from = 0;
	if (from == 0 && put_text(text, word))
		return;
	if (from == sizeof word->b) {
		cs_u256_decimal(text, &number);
		return;
	}
	memcpy(text, "0x", 3);
	cs_hex(text + 2, cs_bytes(word->b + from, sizeof word->b - from));
}

/* Words that are missing are left out. */
static void put_revert(char *text, size_t size, const char *signature, struct cs_bytes data)
{
	const char *type = strchr(signature, '(') + 1;
	size_t at = SELECTOR_SIZE;
	int n = snprintf(text, size, "%.*s(", (int)(type - signature - 1), signature);
	while (*type != ')' && at + WORD_SIZE <= data.n && n > 0 && (size_t)n < size) {
		char argument[CS_U256_DECIMAL_SIZE];
		struct cs_hash word;
		memcpy(word.b, data.p + at, sizeof word.b);
		put_argument(argument, type, &word);
		n += snprintf(text + n, size - (size_t)n, "%s%s", at > SELECTOR_SIZE ? ", " : "",
			      argument);
		at += WORD_SIZE;
		type += strcspn(type, ",)");
		type += *type == ',';
	}
	if (n > 0 && (size_t)n < size)
		snprintf(text + n, size - (size_t)n, ")");
}

void comet_revert_text(char text[ADAPTER_CONTRACT_ERROR_MAX], struct cs_bytes data)
{
	const char *signature = find_revert(data);
	if (signature == NULL || adapter_contract_error(text, ADAPTER_CONTRACT_ERROR_MAX, data))
		(void)adapter_contract_refusal(text, data);
	else
		put_revert(text, ADAPTER_CONTRACT_ERROR_MAX, signature, data);
}
