/* The bounds that more than one module relies on, each with its reason. A bound of one module lives
 * in that module's header. */
#ifndef CS_LIMITS_H
#define CS_LIMITS_H

/* A frame's body: a full batch of 64 receipts with proofs is about 1.5 MiB. wire/enclave.proto is
 * bounded below it. */
#define CS_FRAME_BODY_SIZE_MAX (2u * 1024 * 1024)
/* Items of a batch: deliveries of 64 messages fill a block of 8 M gas. Equal to the bound of the
 * schema. */
#define CS_BATCH_MAX 64u
/* Siblings of a batch's path; 2^16 leaves are far above any batch. */
#define CS_PATH_MAX 16u
/* Nesting of RLP that is walked as a whole: headers, receipts and trie nodes need 4; ethereum-tests
 * go to 6. */
#define CS_RLP_DEPTH_MAX 16u
/* ERC-7930 bytes: 2 + 2 + 1 + 32 + 1 + 32 = 70 for what CAIP-350 allows today, with room for longer
 * accounts. */
#define CS_INTEROP_SIZE_MAX 96u
/* The payload of a message: what a recipient decodes within an ordinary gas limit. */
#define CS_PAYLOAD_SIZE_MAX 16384u
/* An RLP header of an EVM chain: 200 Clique signers take 4 KiB, QBFT seals of 100 validators 6.5
 * KiB. */
#define CS_HEADER_SIZE_MAX 8192u
/* CAIP-2: 8 of namespace, a colon, 32 of reference. */
#define CS_CAIP2_SIZE_MAX 41u
/* A manifest: 16 chains that all know each other, with policies and abandoned messages, and every
 * administrator's signature. */
#define CS_MANIFEST_SIZE_MAX 65536u
#define CS_MANIFEST_CHAINS_MAX 16u
/* Identities that one chain may talk with: the other chains of a manifest, and one to spare. */
#define CS_MANIFEST_REMOTES_MAX 16u
#define CS_MANIFEST_NAME_SIZE_MAX 64u
/* JSON that the enclave reads (the manifest): nesting and nodes. */
#define CS_JSON_DEPTH_MAX 32u
#define CS_JSON_NODES_MAX 16384u
/* Members of one object: duplicate keys are found by comparing all pairs. */
#define CS_JSON_MEMBERS_MAX 512u

#endif
