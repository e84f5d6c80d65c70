/* The engine's write-ahead log as bytes: records with checksums, and what to think of a log that
 * does not read to its end. Never touches a file: the node appends, syncs and cuts as told.
 *
 * A record is length (4, of the bytes), CRC-32C (4, Castagnoli, RFC 3720 appendix B.4: of length,
 * type and bytes), type (1), bytes. Numbers are big-endian. A record of type BFT_WAL_SYNCED says up
 * to which offset an fsync has returned, which is its own; the node writes it before the first record
 * after every fsync. It tells a torn tail (nothing was promised about it) from damage to what was
 * promised. */
#ifndef BFT_WAL_H
#define BFT_WAL_H

#include "core/buf.h"

#define BFT_WAL_HEADER_SIZE 9u
/* An own proposal is logged as its whole block; everything else is smaller. */
#define BFT_WAL_BYTES_SIZE_MAX (4u * 1024 * 1024 + 4096)

/* Behind a break, checksums are looked at over as many times the bytes of the log. Good records take
 * one; what others sent may look like records within records. */
#define BFT_WAL_SEARCH_FACTOR 16u

enum bft_wal_type {
	BFT_WAL_SYNCED = 1, /* offset (8) */
	BFT_WAL_EVENT = 2,  /* an input of the engine, see record.h */
	BFT_WAL_TYPE_END
};

enum bft_wal_verdict {
	BFT_WAL_CLEAN = 1,   /* every byte belongs to a good record */
	BFT_WAL_TORN = 2,    /* cut at `good`: what follows was never promised to be there */
	BFT_WAL_DAMAGED = 3, /* at `good` something is broken that an fsync had promised: no node
				starts on it as if nothing had happened */
};

struct bft_wal_record {
	enum bft_wal_type type;
	struct cs_bytes bytes; /* a view into the log */
};

/* Appends one record; bytes above BFT_WAL_BYTES_SIZE_MAX are a bug. */
void bft_wal_put(struct cs_buf *buf, enum bft_wal_type type, struct cs_bytes bytes);
void bft_wal_put_synced(struct cs_buf *buf, uint64_t offset);
/* The record at *offset, which moves behind it. NOT_FOUND at the end; TRUNCATED, TOO_LARGE,
 * MALFORMED (checksum, unknown type) where no good record begins. */
CS_NODISCARD enum cs_err bft_wal_get(struct bft_wal_record *record, size_t *offset,
				     struct cs_bytes log);
/* Reads the whole log. *good: how many bytes from the begin are good records. */
enum bft_wal_verdict bft_wal_check(size_t *good, struct cs_bytes log);

/* CRC-32C of several pieces: begin with 0, give the result of the piece before. */
uint32_t bft_crc32c(uint32_t crc, struct cs_bytes bytes);

#endif
