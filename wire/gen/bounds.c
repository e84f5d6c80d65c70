/* Generated from enclave.proto, oracle.proto and cluster.proto by tools/wire_bounds.py. */
/* clang-format off */
#include "wire/bounds.h"
#include "wire/cluster.pb-c.h"
#include "wire/enclave.pb-c.h"
#include "wire/oracle.pb-c.h"

static const struct wire_bound message_head[] = {
	{1, 1, 32, 32, false}, /* source */
	{2, 1, 32, 32, false}, /* destination */
	{3, 1, 0, 0, false}, /* sequence */
	{4, 1, 0, 0, false}, /* deadline */
	{5, 1, 32, 32, false}, /* sender_hash */
	{6, 1, 32, 32, false}, /* recipient_hash */
	{7, 1, 32, 32, false}, /* payload_hash */
	{8, 1, 0, 0, false}, /* min_gas_limit */
	{9, 1, 32, 32, false}, /* closer */
	{10, 1, 32, 32, false}, /* refund_to */
	{11, 1, 0, 0, false}, /* finality */
};

static const struct wire_bound message_full[] = {
	{1, 1, 0, 0, true}, /* head */
	{2, 1, 0, 96, false}, /* sender */
	{3, 1, 0, 96, false}, /* recipient */
	{4, 1, 0, 16384, false}, /* payload */
};

static const struct wire_bound outcome[] = {
	{1, 1, 32, 32, false}, /* message_id */
	{2, 1, 0, 0, false}, /* status */
};

static const struct wire_bound statement[] = {
	{1, 1, 0, 0, false}, /* kind */
	{2, 1, 32, 32, false}, /* signer */
	{3, 1, 32, 32, false}, /* receiver */
	{4, 1, 0, 0, false}, /* epoch */
	{5, 1, 0, 0, false}, /* manifest_number */
	{6, 1, 32, 32, false}, /* root */
	{7, 1, 32, 32, false}, /* rx */
	{8, 1, 32, 32, false}, /* ry */
	{9, 1, 32, 32, false}, /* s */
	{10, 16, 32, 32, false}, /* path */
};

static const struct wire_bound proof_nodes[] = {
	{1, 32, 0, 1024, false}, /* nodes */
	{2, 1, 0, 1048576, false}, /* leaf */
	{3, 1, 0, 65536, false}, /* state */
};

static const struct wire_bound client_status[] = {
	{1, 1, 32, 32, false}, /* chain */
	{2, 1, 0, 0, false}, /* head_height */
	{3, 1, 0, 0, false}, /* final_height */
	{4, 1, 32, 32, false}, /* final_hash */
	{5, 1, 0, 0, false}, /* final_time_s */
	{6, 1, 0, 0, false}, /* frozen */
	{7, 1, 0, 0, false}, /* insecure_dev_head */
};

static const struct wire_bound key_info[] = {
	{1, 1, 32, 32, false}, /* chain */
	{2, 1, 0, 0, false}, /* epoch */
	{3, 1, 32, 32, false}, /* public_key */
	{4, 1, 20, 20, false}, /* gas_address */
};

static const struct wire_bound anchor_status[] = {
	{1, 1, 0, 0, false}, /* state */
	{2, 1, 0, 0, false}, /* epoch */
	{3, 1, 0, 0, false}, /* counter */
	{4, 1, 0, 0, false}, /* proven_epoch */
	{5, 1, 0, 0, false}, /* proven_counter */
	{6, 1, 0, 0, false}, /* proof_height */
	{7, 1, 0, 0, false}, /* proof_time_s */
	{8, 1, 0, 0, false}, /* lag_max */
	{9, 1, 0, 0, false}, /* proof_age_max_s */
	{10, 1, 32, 32, false}, /* register_identity */
	{11, 1, 0, 96, false}, /* key */
};

static const struct wire_bound hello_request[] = {
	{1, 1, 32, 32, false}, /* nonce */
};

static const struct wire_bound hello_reply[] = {
	{1, 1, 0, 0, false}, /* version */
	{2, 1, 32, 32, false}, /* schema_digest */
	{3, 1, 32, 32, false}, /* measurement */
	{4, 1, 32, 32, false}, /* manifest_hash */
	{5, 1, 0, 0, false}, /* manifest_number */
	{6, 1, 32, 32, false}, /* lineage */
	{7, 1, 0, 0, false}, /* insecure_flags */
	{8, 1, 0, 16, false}, /* backend */
	{9, 1, 0, 64, false}, /* build */
	{10, 64, 0, 0, false}, /* keys */
	{11, 16, 0, 0, false}, /* clients */
	{12, 1, 32, 32, false}, /* nonce */
	{13, 1, 64, 64, false}, /* report_data */
	{14, 1, 0, 8192, false}, /* evidence */
	{15, 1, 0, 0, false}, /* rollback_detected_only_within_process */
	{16, 1, 0, 0, false}, /* now_low_s */
	{17, 1, 0, 0, false}, /* now_high_s */
	{18, 1, 0, 0, false}, /* anchor */
};

static const struct wire_bound init_reply[] = {
	{1, 64, 0, 0, false}, /* keys */
	{2, 1, 0, 1048576, false}, /* sealed */
};

static const struct wire_bound export_reply[] = {
	{1, 1, 0, 1048576, false}, /* sealed */
	{2, 1, 0, 0, false}, /* counter */
};

static const struct wire_bound import_request[] = {
	{1, 1, 0, 1048576, false}, /* sealed */
};

static const struct wire_bound import_reply[] = {
	{1, 1, 0, 0, false}, /* counter */
	{2, 64, 0, 0, false}, /* keys */
};

static const struct wire_bound client_create_request[] = {
	{1, 1, 32, 32, false}, /* chain */
	{2, 1, 0, 65536, false}, /* header */
};

static const struct wire_bound client_update_request[] = {
	{1, 1, 32, 32, false}, /* chain */
	{2, 256, 0, 65536, false}, /* headers */
};

static const struct wire_bound client_reply[] = {
	{1, 1, 0, 0, true}, /* status */
	{2, 1, 0, 0, false}, /* accepted */
};

static const struct wire_bound client_quorum_request[] = {
	{1, 1, 32, 32, false}, /* chain */
};

static const struct wire_bound provider_answer[] = {
	{1, 1, 0, 0, false}, /* code */
	{2, 1, 0, 0, false}, /* height */
	{3, 1, 0, 32, false}, /* hash */
	{4, 1, 0, 0, false}, /* time_s */
	{5, 1, 0, 200, false}, /* why */
};

static const struct wire_bound client_quorum_reply[] = {
	{1, 1, 0, 0, true}, /* status */
	{2, 1, 0, 0, false}, /* named_height */
	{3, 16, 0, 0, false}, /* providers */
};

static const struct wire_bound conflict_request[] = {
	{1, 1, 32, 32, false}, /* chain */
};

static const struct wire_bound conflict_reply[] = {
	{1, 1, 0, 65536, false}, /* first */
	{2, 1, 0, 65536, false}, /* second */
	{3, 1, 0, 0, false}, /* height */
	{4, 1, 32, 32, false}, /* first_hash */
	{5, 1, 32, 32, false}, /* second_hash */
	{6, 1, 0, 128, false}, /* held */
};

static const struct wire_bound message_claim[] = {
	{1, 1, 0, 0, true}, /* head */
	{2, 1, 0, 0, false}, /* log_index */
};

static const struct wire_bound receipt_claim[] = {
	{1, 1, 0, 0, false}, /* height */
	{2, 1, 32, 32, false}, /* block_hash */
	{3, 1, 0, 0, false}, /* tx_index */
	{4, 1, 0, 0, true}, /* proof */
	{5, 64, 0, 0, false}, /* messages */
};

static const struct wire_bound sent_claim[] = {
	{1, 1, 0, 0, true}, /* head */
	{2, 1, 0, 0, true}, /* proof */
};

static const struct wire_bound sign_messages_request[] = {
	{1, 1, 32, 32, false}, /* chain */
	{2, 1, 32, 32, false}, /* receiver */
	{3, 1, 0, 0, false}, /* epoch */
	{4, 64, 0, 0, false}, /* receipts */
	{5, 256, 0, 8192, false}, /* headers */
	{6, 1, 0, 0, false}, /* height */
	{7, 1, 0, 0, false}, /* sentinel */
	{8, 64, 0, 0, false}, /* sent */
};

static const struct wire_bound signed_reply[] = {
	{1, 1, 0, 0, true}, /* statement */
	{2, 64, 32, 32, false}, /* message_ids */
};

static const struct wire_bound status_claim[] = {
	{1, 1, 0, 0, true}, /* head */
	{2, 1, 0, 0, true}, /* proof */
};

static const struct wire_bound sign_outcomes_request[] = {
	{1, 1, 32, 32, false}, /* chain */
	{2, 1, 32, 32, false}, /* receiver */
	{3, 1, 0, 0, false}, /* epoch */
	{4, 1, 0, 0, false}, /* height */
	{5, 1, 0, 0, true}, /* account */
	{6, 1, 0, 0, true}, /* sentinel */
	{7, 64, 0, 0, false}, /* claims */
	{8, 256, 0, 8192, false}, /* headers */
};

static const struct wire_bound signed_outcomes_reply[] = {
	{1, 1, 0, 0, true}, /* statement */
	{2, 64, 0, 0, false}, /* outcomes */
};

static const struct wire_bound learn_key_request[] = {
	{1, 1, 32, 32, false}, /* chain */
	{2, 1, 32, 32, false}, /* remote */
	{3, 1, 0, 0, false}, /* epoch */
	{4, 1, 0, 0, false}, /* height */
	{5, 1, 0, 0, true}, /* account */
	{6, 1, 0, 0, true}, /* sentinel */
	{7, 1, 0, 0, true}, /* key */
	{8, 1, 0, 0, true}, /* window */
	{9, 1, 0, 0, false}, /* registration_height */
	{10, 7, 0, 65536, false}, /* registration */
};

static const struct wire_bound learn_key_reply[] = {
	{1, 1, 32, 32, false}, /* public_key */
	{2, 1, 0, 0, false}, /* state */
	{3, 1, 0, 0, false}, /* not_before */
	{4, 1, 0, 0, false}, /* not_after */
};

static const struct wire_bound sign_transaction_request[] = {
	{1, 1, 32, 32, false}, /* chain */
	{2, 1, 0, 0, false}, /* action */
	{3, 1, 0, 0, false}, /* statement */
	{4, 64, 0, 0, false}, /* messages */
	{5, 64, 0, 0, false}, /* outcomes */
	{6, 1, 0, 0, false}, /* new_epoch */
	{7, 1, 0, 32, false}, /* new_key */
	{8, 1, 0, 0, false}, /* nonce */
	{9, 1, 0, 0, false}, /* gas_limit */
	{10, 1, 0, 0, false}, /* max_fee_wei */
	{11, 1, 0, 0, false}, /* max_priority_fee_wei */
	{12, 1, 0, 0, false}, /* legacy */
	{13, 1, 0, 20, false}, /* sweep_to */
	{14, 1, 0, 32, false}, /* sweep_value */
	{15, 1, 0, 0, false}, /* valid_until_s */
	{16, 1, 0, 0, false}, /* gas_account */
};

static const struct wire_bound sign_transaction_reply[] = {
	{1, 1, 0, 1048576, false}, /* raw */
	{2, 1, 32, 32, false}, /* hash */
	{3, 1, 20, 20, false}, /* from */
};

static const struct wire_bound rotate_request[] = {
	{1, 1, 32, 32, false}, /* chain */
};

static const struct wire_bound rotate_reply[] = {
	{1, 1, 0, 0, false}, /* new_epoch */
	{2, 1, 32, 32, false}, /* new_key */
	{3, 17, 0, 0, false}, /* statements */
	{4, 1, 0, 1048576, false}, /* sealed */
};

static const struct wire_bound public_keys_request[] = {
	{1, 1, 0, 0, false}, /* gas_accounts */
};

static const struct wire_bound public_keys_reply[] = {
	{1, 64, 0, 0, false}, /* keys */
	{2, 16, 0, 0, false}, /* pools */
};

static const struct wire_bound gas_pool[] = {
	{1, 1, 32, 32, false}, /* chain */
	{2, 16, 20, 20, false}, /* addresses */
};

static const struct wire_bound status_request[] = {
	{1, 1, 32, 32, false}, /* nonce */
};

static const struct wire_bound status_reply[] = {
	{1, 16, 0, 0, false}, /* clients */
	{2, 1, 0, 0, false}, /* insecure_flags */
	{3, 1, 32, 32, false}, /* manifest_hash */
	{4, 1, 0, 0, false}, /* manifest_number */
	{5, 1, 32, 32, false}, /* nonce */
	{6, 1, 32, 32, false}, /* digest */
	{7, 1, 64, 64, false}, /* signature */
	{8, 1, 32, 32, false}, /* public_key */
};

static const struct wire_bound clock_ask_request[] = {
	{1, 64, 32, 32, false}, /* inputs */
};

static const struct wire_bound clock_ask_reply[] = {
	{1, 1, 32, 32, false}, /* nonce */
};

static const struct wire_bound clock_answer[] = {
	{1, 1, 32, 32, false}, /* key */
	{2, 1, 0, 0, false}, /* time_ms */
	{3, 1, 64, 64, false}, /* signature */
};

static const struct wire_bound clock_answers_request[] = {
	{1, 1, 32, 32, false}, /* nonce */
	{2, 32, 0, 0, false}, /* answers */
};

static const struct wire_bound clock_answers_reply[] = {
	{1, 1, 0, 0, false}, /* asked_by_s */
	{2, 1, 0, 0, false}, /* now_from_s */
	{3, 1, 0, 0, false}, /* counted */
};

static const struct wire_bound anchor_prove_request[] = {
	{1, 1, 0, 0, false}, /* height */
	{2, 1, 0, 65536, false}, /* proof */
};

static const struct wire_bound anchor_prove_reply[] = {
	{1, 1, 0, 0, true}, /* status */
};

static const struct wire_bound anchor_sign_request[] = {
	{1, 1, 32, 32, false}, /* digest */
	{2, 1, 0, 0, false}, /* key_epoch */
};

static const struct wire_bound anchor_sign_reply[] = {
	{1, 1, 32, 32, false}, /* register_identity */
	{2, 1, 32, 32, false}, /* lineage */
	{3, 1, 32, 32, false}, /* identity */
	{4, 1, 32, 32, false}, /* public_key */
	{5, 1, 0, 0, false}, /* epoch */
	{6, 1, 0, 0, false}, /* counter */
	{7, 1, 32, 32, false}, /* digest */
	{8, 1, 32, 32, false}, /* rx */
	{9, 1, 32, 32, false}, /* s */
};

static const struct wire_bound attested_request[] = {
	{1, 1, 0, 0, false}, /* connection */
	{2, 1, 0, 65536, false}, /* data */
	{3, 1, 0, 0, false}, /* gone */
};

static const struct wire_bound attested_reply[] = {
	{1, 1, 0, 131072, false}, /* data */
	{2, 1, 0, 0, false}, /* more */
	{3, 1, 0, 0, false}, /* over */
	{4, 1, 0, 32, false}, /* why */
};

static const struct wire_bound error_reply[] = {
	{1, 1, 0, 0, false}, /* code */
	{2, 1, 0, 200, false}, /* why */
};

static const struct wire_bound probe_request[] = {
	{1, 1, 0, 0, false}, /* what */
};

static const struct wire_bound probe_reply[] = {
	{1, 1, 0, 0, false}, /* result */
};

static const struct wire_bound oracle_head[] = {
	{1, 1, 0, 0, false}, /* counter */
	{2, 1, 32, 32, false}, /* asker */
	{3, 1, 32, 32, false}, /* callback */
	{4, 1, 0, 0, false}, /* callback_gas */
	{5, 1, 32, 32, false}, /* fee */
	{6, 1, 0, 0, false}, /* max_age */
	{7, 1, 0, 0, false}, /* time */
	{8, 1, 0, 0, false}, /* deadline */
};

static const struct wire_bound oracle_query[] = {
	{1, 1, 0, 16384, false}, /* spec */
	{2, 8, 0, 512, false}, /* arguments */
	{3, 1, 0, 4144, false}, /* secrets */
};

static const struct wire_bound oracle_source[] = {
	{1, 1, 0, 0, false}, /* index */
	{2, 1, 0, 0, false}, /* code */
	{3, 1, 0, 264, false}, /* host_port */
	{4, 1, 32, 32, false}, /* leaf_spki */
	{5, 1, 32, 32, false}, /* issuer_spki */
	{6, 1, 0, 0, false}, /* protocol */
	{7, 1, 0, 0, false}, /* cipher */
	{8, 1, 32, 32, false}, /* response */
	{9, 1, 0, 0, false}, /* completed */
	{10, 1, 0, 16384, false}, /* value */
	{11, 1, 0, 200, false}, /* why */
};

static const struct wire_bound oracle_result[] = {
	{1, 1, 32, 32, false}, /* request_id */
	{2, 1, 32, 32, false}, /* spec_hash */
	{3, 1, 0, 0, false}, /* code */
	{4, 1, 0, 0, false}, /* observed_at */
	{5, 1, 0, 0, false}, /* time_flags */
	{6, 16, 0, 0, false}, /* sources */
	{7, 1, 32, 32, false}, /* evidence_hash */
	{8, 1, 0, 16384, false}, /* value */
	{9, 1, 0, 0, false}, /* head */
	{10, 1, 0, 200, false}, /* why */
};

static const struct wire_bound oracle_reply[] = {
	{1, 1, 0, 0, false}, /* statement */
	{2, 16, 0, 0, false}, /* results */
	{3, 1, 0, 0, false}, /* failed_statement */
	{4, 16, 0, 0, false}, /* failed */
};

static const struct wire_bound answer_app_request[] = {
	{1, 1, 0, 64, false}, /* audience */
	{2, 1, 0, 0, true}, /* query */
	{3, 1, 0, 0, false}, /* max_age */
	{4, 1, 0, 0, false}, /* timeout_s */
	{5, 1, 0, 0, false}, /* epoch */
};

static const struct wire_bound oracle_claim[] = {
	{1, 1, 0, 0, false}, /* height */
	{2, 1, 32, 32, false}, /* block_hash */
	{3, 1, 0, 0, false}, /* tx_index */
	{4, 1, 0, 0, true}, /* proof */
	{5, 1, 0, 0, false}, /* log_index */
	{6, 1, 0, 0, true}, /* head */
	{7, 1, 0, 0, true}, /* query */
};

static const struct wire_bound answer_chain_request[] = {
	{1, 1, 32, 32, false}, /* receiver */
	{2, 1, 0, 0, false}, /* epoch */
	{3, 16, 0, 0, false}, /* claims */
	{4, 256, 0, 8192, false}, /* headers */
};

static const struct wire_bound feed_claim[] = {
	{1, 1, 0, 0, false}, /* index */
	{2, 1, 0, 16384, false}, /* spec */
};

static const struct wire_bound feeds_request[] = {
	{1, 1, 32, 32, false}, /* receiver */
	{2, 1, 0, 0, false}, /* epoch */
	{3, 16, 0, 0, false}, /* claims */
};

static const struct wire_bound dry_run_request[] = {
	{1, 1, 0, 16384, false}, /* spec */
	{2, 8, 0, 512, false}, /* arguments */
};

static const struct wire_bound cluster_collateral[] = {
	{1, 32, 0, 16384, false}, /* certificates */
	{2, 16, 0, 65536, false}, /* crls */
	{3, 1, 0, 65536, false}, /* tcb_info */
	{4, 1, 0, 64, false}, /* tcb_info_signature */
	{5, 1, 0, 65536, false}, /* qe_identity */
	{6, 1, 0, 64, false}, /* qe_identity_signature */
};

static const struct wire_bound cluster_evidence[] = {
	{1, 1, 0, 0, false}, /* manifest_number */
	{2, 1, 32, 32, false}, /* manifest_hash */
	{3, 1, 0, 0, false}, /* insecure_flags */
	{4, 1, 0, 131072, false}, /* evidence */
	{5, 1, 0, 0, false}, /* collateral */
};

static const struct wire_bound cluster_anchor[] = {
	{1, 1, 32, 32, false}, /* key_server */
	{2, 1, 0, 0, false}, /* manifest_number */
	{3, 1, 0, 0, false}, /* epoch */
	{4, 1, 0, 0, false}, /* counter */
	{5, 1, 32, 32, false}, /* authority */
	{6, 1, 64, 64, false}, /* signature */
};

static const struct wire_bound cluster_hello[] = {
	{1, 1, 0, 0, false}, /* role */
	{2, 1, 0, 0, true}, /* evidence */
	{3, 1, 0, 0, false}, /* anchor */
};

static const struct wire_bound cluster_csr[] = {
	{1, 1, 0, 32, false}, /* application */
	{2, 1, 32, 32, false}, /* key */
	{3, 1, 32, 32, false}, /* box_key */
	{4, 1, 32, 32, false}, /* nonce */
	{5, 1, 64, 64, false}, /* signature */
};

static const struct wire_bound cluster_vouch_request[] = {
	{1, 1, 0, 0, true}, /* csr */
	{2, 1, 0, 128, false}, /* build */
	{3, 1, 0, 0, false}, /* kind */
	{4, 1, 0, 0, false}, /* manifest_number */
	{5, 1, 32, 32, false}, /* guard_key */
	{6, 1, 64, 64, false}, /* signature */
	{7, 1, 0, 32, false}, /* platform */
};

static const struct wire_bound cluster_statement[] = {
	{1, 1, 0, 0, false}, /* issued_s */
	{2, 4, 0, 1024, false}, /* authorities */
	{3, 1, 32, 32, false}, /* anchor_key */
	{4, 1, 0, 0, true}, /* evidence */
};

static const struct wire_bound cluster_grant[] = {
	{1, 1, 0, 0, true}, /* statement */
	{2, 1, 0, 0, true}, /* anchor */
	{3, 1, 0, 1024, false}, /* certificate */
	{4, 1, 0, 1024, false}, /* sealed */
	{5, 256, 32, 32, false}, /* revoked */
	{6, 1, 64, 64, false}, /* signature */
};

static const struct wire_bound cluster_copy_request[] = {
	{1, 1, 32, 32, false}, /* box_key */
};

static const struct wire_bound cluster_copy_reply[] = {
	{1, 1, 0, 65536, false}, /* sealed */
};

static const struct wire_bound cluster_challenge_reply[] = {
	{1, 1, 32, 32, false}, /* challenge */
	{2, 1, 32, 32, false}, /* guard_key */
};

static const struct wire_bound cluster_join_request[] = {
	{1, 1, 32, 32, false}, /* challenge */
	{2, 1, 0, 0, true}, /* csr */
	{3, 1, 0, 0, true}, /* evidence */
};

static const struct wire_bound cluster_revoked_request[] = {
	{1, 1, 0, 0, false}, /* count */
};

static const struct wire_bound cluster_revoked_reply[] = {
	{1, 256, 32, 32, false}, /* revoked */
	{2, 1, 0, 64, false}, /* signature */
};

static const struct wire_bound cluster_share_request[] = {
	{1, 1, 0, 32, false}, /* purpose */
	{2, 1, 0, 65536, false}, /* sealed */
};

static const struct wire_bound cluster_share_reply[] = {
	{1, 1, 32, 32, false}, /* hash */
};

static const struct wire_bound cluster_epoch[] = {
	{1, 1, 0, 0, false}, /* number */
	{2, 1, 0, 0, false}, /* begun_s */
	{3, 1, 0, 0, false}, /* decrypt_until_s */
	{4, 1, 32, 32, false}, /* root */
};

static const struct wire_bound cluster_key_server_state[] = {
	{1, 1, 0, 0, false}, /* manifest_number */
	{2, 1, 32, 32, false}, /* manifest_hash */
	{3, 1, 32, 32, false}, /* lineage */
	{4, 1, 0, 0, false}, /* counter */
	{5, 1, 0, 0, false}, /* standby */
	{6, 1, 32, 32, false}, /* identity */
	{7, 1, 32, 32, false}, /* anchor */
	{8, 4, 0, 0, false}, /* epochs */
	{9, 256, 32, 32, false}, /* revoked */
};

static const struct wire_bound cluster_guard_state[] = {
	{1, 1, 32, 32, false}, /* lineage */
	{2, 1, 32, 32, false}, /* identity */
	{3, 1, 0, 32, false}, /* anchor_key */
	{4, 1, 0, 0, false}, /* anchor */
};

static const struct wire_bound cluster_worker_state[] = {
	{1, 1, 32, 32, false}, /* lineage */
	{2, 1, 0, 32, false}, /* application */
	{3, 1, 32, 32, false}, /* identity */
	{4, 1, 0, 0, false}, /* manifest_number */
	{5, 1, 0, 0, false}, /* epoch */
	{6, 1, 0, 1024, false}, /* grant_keys */
	{7, 1, 0, 1024, false}, /* certificate */
	{8, 4, 0, 1024, false}, /* authorities */
	{9, 256, 32, 32, false}, /* revoked */
	{10, 1, 0, 32, false}, /* anchor_key */
};

static const struct wire_bound cluster_recovery[] = {
	{1, 1, 32, 32, false}, /* lineage */
	{2, 1, 0, 0, false}, /* manifest_number */
	{3, 1, 0, 0, false}, /* epoch */
	{4, 1, 0, 0, false}, /* threshold */
	{5, 16, 81, 81, false}, /* shares */
	{6, 1, 0, 65536, false}, /* sealed */
};

static const struct wire_bound cluster_recover_request[] = {
	{1, 1, 32, 32, false}, /* key */
	{2, 1, 32, 32, false}, /* box_key */
	{3, 1, 0, 0, true}, /* evidence */
};

static const struct wire_bound cluster_recover_share[] = {
	{1, 1, 81, 81, false}, /* sealed */
};

const struct wire_message_bounds wire_bounds[] = {
	{&caisson__wire__message_head__descriptor, message_head, 11},
	{&caisson__wire__message_full__descriptor, message_full, 4},
	{&caisson__wire__outcome__descriptor, outcome, 2},
	{&caisson__wire__statement__descriptor, statement, 10},
	{&caisson__wire__proof_nodes__descriptor, proof_nodes, 3},
	{&caisson__wire__client_status__descriptor, client_status, 7},
	{&caisson__wire__key_info__descriptor, key_info, 4},
	{&caisson__wire__anchor_status__descriptor, anchor_status, 11},
	{&caisson__wire__hello_request__descriptor, hello_request, 1},
	{&caisson__wire__hello_reply__descriptor, hello_reply, 18},
	{&caisson__wire__init_request__descriptor, NULL, 0},
	{&caisson__wire__init_reply__descriptor, init_reply, 2},
	{&caisson__wire__export_request__descriptor, NULL, 0},
	{&caisson__wire__export_reply__descriptor, export_reply, 2},
	{&caisson__wire__import_request__descriptor, import_request, 1},
	{&caisson__wire__import_reply__descriptor, import_reply, 2},
	{&caisson__wire__client_create_request__descriptor, client_create_request, 2},
	{&caisson__wire__client_update_request__descriptor, client_update_request, 2},
	{&caisson__wire__client_reply__descriptor, client_reply, 2},
	{&caisson__wire__client_quorum_request__descriptor, client_quorum_request, 1},
	{&caisson__wire__provider_answer__descriptor, provider_answer, 5},
	{&caisson__wire__client_quorum_reply__descriptor, client_quorum_reply, 3},
	{&caisson__wire__conflict_request__descriptor, conflict_request, 1},
	{&caisson__wire__conflict_reply__descriptor, conflict_reply, 6},
	{&caisson__wire__message_claim__descriptor, message_claim, 2},
	{&caisson__wire__receipt_claim__descriptor, receipt_claim, 5},
	{&caisson__wire__sent_claim__descriptor, sent_claim, 2},
	{&caisson__wire__sign_messages_request__descriptor, sign_messages_request, 8},
	{&caisson__wire__signed_reply__descriptor, signed_reply, 2},
	{&caisson__wire__status_claim__descriptor, status_claim, 2},
	{&caisson__wire__sign_outcomes_request__descriptor, sign_outcomes_request, 8},
	{&caisson__wire__signed_outcomes_reply__descriptor, signed_outcomes_reply, 2},
	{&caisson__wire__learn_key_request__descriptor, learn_key_request, 10},
	{&caisson__wire__learn_key_reply__descriptor, learn_key_reply, 4},
	{&caisson__wire__sign_transaction_request__descriptor, sign_transaction_request, 16},
	{&caisson__wire__sign_transaction_reply__descriptor, sign_transaction_reply, 3},
	{&caisson__wire__rotate_request__descriptor, rotate_request, 1},
	{&caisson__wire__rotate_reply__descriptor, rotate_reply, 4},
	{&caisson__wire__public_keys_request__descriptor, public_keys_request, 1},
	{&caisson__wire__public_keys_reply__descriptor, public_keys_reply, 2},
	{&caisson__wire__gas_pool__descriptor, gas_pool, 2},
	{&caisson__wire__status_request__descriptor, status_request, 1},
	{&caisson__wire__status_reply__descriptor, status_reply, 8},
	{&caisson__wire__clock_ask_request__descriptor, clock_ask_request, 1},
	{&caisson__wire__clock_ask_reply__descriptor, clock_ask_reply, 1},
	{&caisson__wire__clock_answer__descriptor, clock_answer, 3},
	{&caisson__wire__clock_answers_request__descriptor, clock_answers_request, 2},
	{&caisson__wire__clock_answers_reply__descriptor, clock_answers_reply, 3},
	{&caisson__wire__anchor_prove_request__descriptor, anchor_prove_request, 2},
	{&caisson__wire__anchor_prove_reply__descriptor, anchor_prove_reply, 1},
	{&caisson__wire__anchor_sign_request__descriptor, anchor_sign_request, 2},
	{&caisson__wire__anchor_sign_reply__descriptor, anchor_sign_reply, 9},
	{&caisson__wire__attested_request__descriptor, attested_request, 3},
	{&caisson__wire__attested_reply__descriptor, attested_reply, 4},
	{&caisson__wire__error_reply__descriptor, error_reply, 2},
	{&caisson__wire__probe_request__descriptor, probe_request, 1},
	{&caisson__wire__probe_reply__descriptor, probe_reply, 1},
	{&caisson__wire__oracle_head__descriptor, oracle_head, 8},
	{&caisson__wire__oracle_query__descriptor, oracle_query, 3},
	{&caisson__wire__oracle_source__descriptor, oracle_source, 11},
	{&caisson__wire__oracle_result__descriptor, oracle_result, 10},
	{&caisson__wire__oracle_reply__descriptor, oracle_reply, 4},
	{&caisson__wire__answer_app_request__descriptor, answer_app_request, 5},
	{&caisson__wire__oracle_claim__descriptor, oracle_claim, 7},
	{&caisson__wire__answer_chain_request__descriptor, answer_chain_request, 4},
	{&caisson__wire__feed_claim__descriptor, feed_claim, 2},
	{&caisson__wire__feeds_request__descriptor, feeds_request, 3},
	{&caisson__wire__dry_run_request__descriptor, dry_run_request, 2},
	{&caisson__wire__cluster_collateral__descriptor, cluster_collateral, 6},
	{&caisson__wire__cluster_evidence__descriptor, cluster_evidence, 5},
	{&caisson__wire__cluster_anchor__descriptor, cluster_anchor, 6},
	{&caisson__wire__cluster_hello__descriptor, cluster_hello, 3},
	{&caisson__wire__cluster_csr__descriptor, cluster_csr, 5},
	{&caisson__wire__cluster_vouch_request__descriptor, cluster_vouch_request, 7},
	{&caisson__wire__cluster_statement__descriptor, cluster_statement, 4},
	{&caisson__wire__cluster_grant__descriptor, cluster_grant, 6},
	{&caisson__wire__cluster_copy_request__descriptor, cluster_copy_request, 1},
	{&caisson__wire__cluster_copy_reply__descriptor, cluster_copy_reply, 1},
	{&caisson__wire__cluster_challenge_request__descriptor, NULL, 0},
	{&caisson__wire__cluster_challenge_reply__descriptor, cluster_challenge_reply, 2},
	{&caisson__wire__cluster_join_request__descriptor, cluster_join_request, 3},
	{&caisson__wire__cluster_revoked_request__descriptor, cluster_revoked_request, 1},
	{&caisson__wire__cluster_revoked_reply__descriptor, cluster_revoked_reply, 2},
	{&caisson__wire__cluster_share_request__descriptor, cluster_share_request, 2},
	{&caisson__wire__cluster_share_reply__descriptor, cluster_share_reply, 1},
	{&caisson__wire__cluster_epoch__descriptor, cluster_epoch, 4},
	{&caisson__wire__cluster_key_server_state__descriptor, cluster_key_server_state, 9},
	{&caisson__wire__cluster_guard_state__descriptor, cluster_guard_state, 4},
	{&caisson__wire__cluster_worker_state__descriptor, cluster_worker_state, 10},
	{&caisson__wire__cluster_recovery__descriptor, cluster_recovery, 6},
	{&caisson__wire__cluster_recover_request__descriptor, cluster_recover_request, 3},
	{&caisson__wire__cluster_recover_share__descriptor, cluster_recover_share, 1},
};
const size_t wire_bounds_count = 92;

const struct cs_hash wire_schema_digest = {{
	0x3c, 0xe5, 0xae, 0x8e, 0x59, 0x5d, 0xf2, 0xa4,
	0x52, 0x44, 0xee, 0xe9, 0xb1, 0xf6, 0x01, 0xee,
	0xda, 0x76, 0x05, 0x7e, 0x04, 0xae, 0xc1, 0x85,
	0x42, 0x2d, 0xd7, 0xac, 0x12, 0xa1, 0x70, 0xc9,
}};
const struct cs_hash wire_oracle_schema_digest = {{
	0xac, 0x3e, 0x3f, 0x87, 0x27, 0xdd, 0x15, 0xc5,
	0x46, 0x05, 0x50, 0xee, 0x14, 0x74, 0x67, 0x9e,
	0x7f, 0xd3, 0x87, 0x59, 0x6e, 0x3a, 0xfa, 0x51,
	0x7e, 0x33, 0xcf, 0x36, 0x04, 0x4d, 0x5b, 0x4c,
}};
const struct cs_hash wire_cluster_schema_digest = {{
	0xf5, 0x07, 0x18, 0x20, 0x4e, 0xb7, 0x24, 0xf5,
	0x2a, 0x36, 0x19, 0x64, 0x58, 0x7c, 0x36, 0x0f,
	0x72, 0x62, 0x51, 0x91, 0x35, 0x53, 0x7b, 0x0e,
	0x27, 0xa2, 0xbd, 0x35, 0x90, 0xd9, 0x02, 0x98,
}};
