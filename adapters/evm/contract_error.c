/* What a contract reverted with, in words. */
#include "adapters/evm/contract_error.h"

#include "core/abi.h"
#include "host/log.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *signature;
	enum adapter_lasts lasts;
	const char *sentence;
} errors[] = {
#define CONTRACT_ERROR(signature, lasts, sentence) {signature, ADAPTER_LASTS_##lasts, sentence},
#include "adapters/evm/contract_errors.def"
#undef CONTRACT_ERROR
};

/* As the API calls them, by the selector that the contract knows. */
static const struct {
	const char *signature;
	const char *name;
} attributes[] = {
	{"deadline(uint64)", "deadline"}, {"minGasLimit(uint256)", "min_gas_limit"},
	{"closer(bytes)", "closer"},      {"refundTo(address)", "refund_to"},
	{"finality(uint8)", "finality"},
};

static bool is_selector(const char *signature, struct cs_bytes data)
{
	struct cs_hash topic = cs_abi_topic(signature);
	return memcmp(topic.b, data.p, 4) == 0;
}

static const char *attribute_name(struct cs_bytes data)
{
	for (size_t i = 0; data.n >= 4 && i < CS_LEN(attributes); i++) {
		if (is_selector(attributes[i].signature, data))
			return attributes[i].name;
	}
	return NULL;
}

/* CS_LEN(errors): none. */
static size_t find_error(struct cs_bytes data)
{
	size_t i = 0;
	while (i < CS_LEN(errors) && (data.n < 4 || !is_selector(errors[i].signature, data)))
		i++;
	return i;
}

bool adapter_contract_error(char *text, size_t size, struct cs_bytes data)
{
	const char *name = NULL;
	size_t i = find_error(data);
	if (i == CS_LEN(errors))
		return false;
	if (strstr(errors[i].signature, "(bytes4)") != NULL)
		name = attribute_name(cs_bytes(data.p + 4, data.n - 4));
	snprintf(text, size, "%s%s%s%s", name ? "attributes." : "", name ? name : "",
		 name ? ": " : "", errors[i].sentence);
	return true;
}

/* Error(string) of a require: one argument, whose text is bounded by what is shown. */
static bool read_message(char *text, size_t size, struct cs_bytes data)
{
	struct cs_abi_reader reader;
	struct cs_bytes message;
	if (!is_selector("Error(string)", data) ||
	    cs_abi_read(&reader, cs_bytes(data.p + 4, data.n - 4), 1) != CS_OK ||
	    cs_abi_get_bytes(&reader, data.n, &message) != CS_OK)
		return false;
	host_plain_text(text, size, (const char *)message.p, message.n);
	return true;
}

enum adapter_lasts adapter_contract_refusal(char text[ADAPTER_CONTRACT_ERROR_MAX],
					    struct cs_bytes data)
{
	char selector[9];
	size_t i = find_error(data);
	if (i < CS_LEN(errors)) {
		snprintf(text, ADAPTER_CONTRACT_ERROR_MAX, "%.*s: %s",
			 (int)strcspn(errors[i].signature, "("), errors[i].signature,
			 errors[i].sentence);
		return errors[i].lasts;
	}
	if (data.n < 4) {
		snprintf(text, ADAPTER_CONTRACT_ERROR_MAX, "the call gives no reason");
	} else if (!read_message(text, ADAPTER_CONTRACT_ERROR_MAX, data)) {
		cs_hex(selector, cs_bytes(data.p, 4));
		snprintf(text, ADAPTER_CONTRACT_ERROR_MAX, "error 0x%s", selector);
	}
	return ADAPTER_LASTS_PASSING;
}
