/* Leases: which of several gateways works on a route's side just now. The fencing number rises with
 * each holder, so that what an earlier one still does is told apart (a state proof shows it). */
#include "core/reader.h"
#include "relay_state/ledger/records_parts.h"

#include <string.h>

#define KIND_LEASE 'l'
#define LEASE_SIZE (20u + 8u + 8u)

struct route {
	struct cs_hash source;
	struct cs_hash destination;
	uint8_t side;
};

struct lease {
	struct cs_address holder;
	uint64_t until_s;
	uint64_t fencing; /* 0: nobody ever had it */
};

static enum cs_err read_route(struct ledger_call *call, struct cs_abi_reader *in,
			      struct route *route)
{
	CS_TRY(cs_abi_get_word(in, &route->source));
	CS_TRY(cs_abi_get_word(in, &route->destination));
	CS_TRY(cs_abi_get_u8(in, &route->side));
	return records_check_side(call, route->side);
}

static struct ledger_key lease_key(const struct route *route)
{
	struct ledger_key key = ledger_key_of(KIND_LEASE, CS_BYTES_OF(route->source.b));
	ledger_key_add(&key, CS_BYTES_OF(route->destination.b));
	ledger_key_add(&key, cs_bytes(&route->side, sizeof route->side));
	return key;
}

static enum cs_err get_lease(struct ledger_call *call, struct lease *lease,
			     const struct route *route)
{
	uint8_t value[LEASE_SIZE];
	struct cs_reader in;
	const struct ledger_key key = lease_key(route);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	cs_reader_init(&in, CS_BYTES_OF(value));
	cs_get_copy(&in, lease->holder.b, sizeof lease->holder.b);
	lease->until_s = cs_get_u64(&in);
	lease->fencing = cs_get_u64(&in);
	return cs_reader_end(&in);
}

static enum cs_err put_lease(struct ledger_call *call, const struct route *route,
			     const struct lease *lease)
{
	uint8_t value[LEASE_SIZE];
	struct cs_buf buf;
	const struct ledger_key key = lease_key(route);
	cs_buf_init(&buf, value, sizeof value);
	cs_put(&buf, CS_BYTES_OF(lease->holder.b));
	cs_put_u64(&buf, lease->until_s);
	cs_put_u64(&buf, lease->fencing);
	CS_TRY(cs_buf_end(&buf));
	CS_TRY(ledger_put_fixed(call, &key, value, sizeof value));
	return ledger_emit_words(
		call, "LeaseChanged(bytes32,bytes32,uint8,address,uint64,uint64)",
		(const struct cs_hash[]){route->source, route->destination}, 2,
		LEDGER_WORDS(ledger_word_u64(route->side), ledger_word_address(&lease->holder),
			     ledger_word_u64(lease->until_s), ledger_word_u64(lease->fencing)));
}

static enum cs_err check_gateway(struct ledger_call *call, const struct route *route)
{
	bool is = false;
	CS_TRY(records_is_gateway(call, &is, &call->sender,
				  route->side == RELAY_SOURCE ? &route->source
							      : &route->destination));
	return is ? CS_OK : ledger_revert_plain(call, "NotGateway()");
}

static enum cs_err read_until(struct ledger_call *call, struct cs_abi_reader *in, uint64_t *until_s)
{
	uint64_t seconds;
	CS_TRY(cs_abi_get_u64(in, &seconds));
	if (seconds == 0 || seconds > LEDGER_LEASE_MAX_S)
		return ledger_revert_plain(call, "LeaseTooLong()");
	*until_s = call->block->time_s + seconds;
	return CS_OK;
}

/* Is the fencing number of the new holder. */
enum cs_err records_take_lease(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct route route;
	struct lease lease;
	uint64_t until_s = 0;
	CS_TRY(read_route(call, in, &route));
	CS_TRY(read_until(call, in, &until_s));
	CS_TRY(check_gateway(call, &route));
	CS_TRY(get_lease(call, &lease, &route));
	if (call->block->time_s < lease.until_s)
		return ledger_revert(call, "LeaseHeld(address,uint64)",
				     LEDGER_WORDS(ledger_word_address(&lease.holder),
						  ledger_word_u64(lease.until_s)));
	if (lease.fencing == UINT64_MAX)
		return CS_ERR_OVERFLOW;
	lease = (struct lease){call->sender, until_s, lease.fencing + 1};
	cs_abi_put_u64(out, lease.fencing);
	return put_lease(call, &route, &lease);
}

/* The holder's own, which has not ended. */
static enum cs_err own_lease(struct ledger_call *call, struct cs_abi_reader *in,
			     struct lease *lease, const struct route *route)
{
	uint64_t fencing;
	CS_TRY(cs_abi_get_u64(in, &fencing));
	CS_TRY(get_lease(call, lease, route));
	return cs_address_eq(&lease->holder, &call->sender) && lease->fencing == fencing &&
			       call->block->time_s < lease->until_s
		       ? CS_OK
		       : ledger_revert_plain(call, "LeaseNotHeld()");
}

/* Only whoever is still a gateway of the route renews: one that was removed ends with its lease. */
enum cs_err records_renew_lease(struct ledger_call *call, struct cs_abi_reader *in,
				struct cs_abi *out)
{
	struct route route;
	struct lease lease;
	(void)out;
	CS_TRY(read_route(call, in, &route));
	CS_TRY(own_lease(call, in, &lease, &route));
	CS_TRY(read_until(call, in, &lease.until_s));
	CS_TRY(check_gateway(call, &route));
	return put_lease(call, &route, &lease);
}

enum cs_err records_release_lease(struct ledger_call *call, struct cs_abi_reader *in,
				  struct cs_abi *out)
{
	struct route route;
	struct lease lease;
	(void)out;
	CS_TRY(read_route(call, in, &route));
	CS_TRY(own_lease(call, in, &lease, &route));
	lease.until_s = call->block->time_s;
	return put_lease(call, &route, &lease);
}

/* Holder, until when, fencing number; the holder counts before `until` alone. */
enum cs_err records_lease_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct route route;
	struct lease lease;
	CS_TRY(read_route(call, in, &route));
	CS_TRY(get_lease(call, &lease, &route));
	cs_abi_put_address(out, &lease.holder);
	cs_abi_put_u64(out, lease.until_s);
	cs_abi_put_u64(out, lease.fencing);
	return CS_OK;
}
