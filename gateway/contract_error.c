/* What a contract reverted with, in words. */
#include "gateway/contract_error.h"

#include "core/abi.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *signature;
	const char *sentence;
} errors[] = {
#define CONTRACT_ERROR(signature, sentence) {signature, sentence},
#include "gateway/contract_errors.def"
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

bool gateway_contract_error(char *text, size_t size, struct cs_bytes data)
{
	for (size_t i = 0; data.n >= 4 && i < CS_LEN(errors); i++) {
		if (!is_selector(errors[i].signature, data))
			continue;
		const char *name = NULL;
		if (strstr(errors[i].signature, "(bytes4)") != NULL)
			name = attribute_name(cs_bytes(data.p + 4, data.n - 4));
		snprintf(text, size, "%s%s%s%s", name ? "attributes." : "", name ? name : "",
			 name ? ": " : "", errors[i].sentence);
		return true;
	}
	return false;
}
