/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The layout of our records on disk, in one place. tcpconnect-trace(5) is its
 * specification; numbers here and there must agree. Each record is the payload
 * of one pcapng Custom Block, behind the enterprise number. All integers are
 * little-endian whatever the byte order of the section. Offsets count from the
 * first byte of the record unless said otherwise.
 *
 * Growth: a newer minor version makes a header longer (header_length says how
 * long it is) or adds columns; a reader uses what it knows and skips the rest.
 */
#ifndef RECORD_H
#define RECORD_H

/* Custom Blocks that other tools may copy, and may not (pcapng draft 4.8). */
#define BLOCK_CUSTOM 0x00000BADu
#define BLOCK_CUSTOM_NO_COPY 0x40000BADu

/* RFC 5612, for documentation, until one is assigned: make PEN=N */
#ifndef RECORD_PEN
#define RECORD_PEN 32473u
#endif

#define RECORD_MAGIC "\x89TCPCON\n"
#define RECORD_MAJOR 1
#define RECORD_MINOR 0
#define RECORD_MINOR_QUERY 1          /* of a batch with EVENT_QUERY or EVENT_ANSWERED */
#define RECORD_LENGTH_MAX (16u << 20) /* a reader refuses more */
/* A writer stays below: Wireshark does not save more again. */
#define RECORD_PAYLOAD_MAX (256u << 10)
/* Of a batch before its body is compressed; the reader of a finished file holds some. */
#define RECORD_PLAIN_MAX (1u << 20)
#define RECORD_ENCODED_MAX 65536   /* rows of a column that is encoded */
#define RECORD_PROCESSES_MAX 65536 /* rows of the process table of a batch */

enum record_kind {
	RECORD_TRACE = 1,   /* once, first: what was recorded, where and how */
	RECORD_BATCH = 2,   /* events, self-contained */
	RECORD_SUMMARY = 3, /* last: totals and the offsets of the batches */
};

/* Common to all records. A "reference" is u32 offset, u32 length; 0, 0: absent. */
enum {
	RECORD_AT_MAGIC = 0,          /* 8 bytes */
	RECORD_AT_KIND = 8,           /* u8 */
	RECORD_AT_MAJOR = 9,          /* u8 */
	RECORD_AT_MINOR = 10,         /* u8 */
	RECORD_AT_LENGTH = 12,        /* u32, from the magic on, without the padding of the block */
	RECORD_AT_HEADER_LENGTH = 16, /* u32 */
	RECORD_AT_SESSION = 24,       /* 16 bytes, random, one for each run of the recorder */
	RECORD_COMMON_LENGTH = 40,
};

enum {
	TRACE_AT_FILE = 40,     /* u32, number of this file in its session, from 1 */
	TRACE_AT_BOOT_NS = 48,  /* u64, anchor: CLOCK_BOOTTIME */
	TRACE_AT_WALL_NS = 56,  /* i64, anchor: CLOCK_REALTIME since 1970 */
	TRACE_AT_HOST = 64,     /* reference: name of the host */
	TRACE_AT_BOOT_ID = 72,  /* reference */
	TRACE_AT_KERNEL = 80,   /* reference: system, release and machine */
	TRACE_AT_RECORDER = 88, /* reference: program and version */
	TRACE_AT_BACKEND = 96,  /* reference */
	TRACE_AT_FILTERS = 104, /* reference: the filters in words, and where they ran */
	TRACE_HEADER_LENGTH = 112,
};

enum {
	BATCH_AT_SEQUENCE = 40, /* u64, records of this session before this batch */
	BATCH_AT_BOOT_NS = 48,  /* u64, anchor taken when the batch was written */
	BATCH_AT_WALL_NS = 56,  /* i64 */
	BATCH_AT_FIRST_NS = 64, /* u64, boot time of the earliest event; 0 without events */
	BATCH_AT_LAST_NS = 72,  /* u64, of the latest */
	BATCH_AT_SEEN = 80,     /* u64 each, cumulative over the session */
	BATCH_AT_RECORDED = 88, /* this batch included */
	BATCH_AT_FILTERED = 96,
	BATCH_AT_LOST = 104,
	BATCH_AT_PARTIAL = 112,
	BATCH_AT_FILE = 120,   /* u32 */
	BATCH_AT_EVENTS = 124, /* u32 each, rows of the tables */
	BATCH_AT_PROCESSES = 128,
	BATCH_AT_STRINGS = 132,
	BATCH_AT_IPV4 = 136,
	BATCH_AT_IPV6 = 140,
	BATCH_AT_HOST = 144,        /* reference */
	BATCH_AT_BACKEND = 152,     /* reference */
	BATCH_AT_SKIP = 160,        /* reference: summary for skipping, skip.h */
	BATCH_AT_BODY = 168,        /* reference: the body as stored */
	BATCH_AT_BODY_LENGTH = 176, /* u32, when not compressed */
	BATCH_AT_COLUMNS = 180,     /* u16, entries of the directory that the body begins with */
	BATCH_AT_COMPRESSION = 182, /* u8, enum compression */
	BATCH_AT_OUTCOMES = 184,    /* u32, rows of the table of late outcomes */
	BATCH_HEADER_MIN = 192,     /* of a reader */
	BATCH_AT_DROPPED = 192,  /* u64, events before this batch that had a number and are lost */
	BATCH_AT_GAP_FROM = 200, /* u64, boot time of the first of those just before this batch */
	BATCH_AT_GAP_TO = 208,   /* u64, of the last */
	BATCH_AT_GAP_REASON = 216, /* u8, enum gap_reason */
	BATCH_HEADER_LENGTH = 224,
};

enum {
	SUMMARY_AT_OWN_OFFSET = 40, /* u64, of this block in its file */
	SUMMARY_AT_FIRST_NS = 48,   /* i64, wall clock of the earliest event; 0 without events */
	SUMMARY_AT_LAST_NS = 56,    /* i64 */
	SUMMARY_AT_EVENTS = 64,     /* u64, in this file */
	SUMMARY_AT_SEEN = 72,       /* u64 each, cumulative over the session */
	SUMMARY_AT_RECORDED = 80,
	SUMMARY_AT_FILTERED = 88,
	SUMMARY_AT_LOST = 96,
	SUMMARY_AT_PARTIAL = 104,
	SUMMARY_AT_FILE = 112,    /* u32 */
	SUMMARY_AT_CRC = 116,     /* u32, CRC-32 (IEEE 802.3) of the record with this field 0 */
	SUMMARY_AT_BATCHES = 120, /* reference: u64 each, offset of the block in the file */
	SUMMARY_HEADER_MIN = 128, /* of a reader */
	SUMMARY_AT_HEADS = 128,   /* reference: headers of the batches, as many as fit */
	SUMMARY_AT_SKIP = 136,    /* reference: summary for skipping of the whole file */
	SUMMARY_AT_COUNT = 144,   /* u64, batches in this file */
	SUMMARY_HEADER_LENGTH = 152,
};

enum compression {
	COMPRESSION_NONE = 0,
	COMPRESSION_ZSTD = 1,
};

/* Why events were dropped. */
enum gap_reason {
	GAP_NONE = 0,
	GAP_SLOW = 1,     /* the writer did not keep up */
	GAP_NO_SPACE = 2, /* disk full, quota */
	GAP_ERROR = 3,    /* another error of the file */
};

/*
 * The body of a batch: the directory, then the columns in any order. The value
 * of row r is base + the width-byte integer at offset + r * width, modulo 2^64;
 * width 0: every row is base. A column that is absent is 0 in every row.
 */
enum {
	COLUMN_AT_ID = 0,       /* u16, enum column_id */
	COLUMN_AT_WIDTH = 2,    /* u8: 0, 1, 2, 4, 8; bits for some encodings */
	COLUMN_AT_ENCODING = 3, /* u8, enum encoding; a column of another one is as absent */
	COLUMN_AT_OFFSET = 4,   /* u32, from the first byte of the body */
	COLUMN_AT_BASE = 8,     /* u64 */
	COLUMN_ENTRY_LENGTH = 16,
};

enum encoding {
	ENCODING_PLAIN = 0,
	/* Of events only. First byte 0 of all rows, then byte 1 of all rows, and so on. */
	ENCODING_PLANES = 1,
	/* The same, and the value of a row is that of the row before it + base + the integer. */
	ENCODING_STEPS = 2,
	/*
	 * Of events only; the width is in bits, 1 to 64. The lowest bytes of the integers are
	 * planes, and what is left of their bits are parts of 4, 2 and 1 bits: column.h.
	 */
	ENCODING_BITS = 3,
	/* The same, but these last 1 to 7 bits choose one of as many u64 at offset, to be added. */
	ENCODING_PALETTE = 4,
};

/* The high byte is the table that gives the number of rows. */
enum table_id {
	TABLE_EVENTS = 1,
	TABLE_PROCESSES = 2,
	TABLE_STRINGS = 3,
	TABLE_IPV4 = 4,
	TABLE_IPV6 = 5,
	TABLE_OUTCOMES = 6,
};

enum column_id {
	EVENT_TIME = 0x0101,    /* ns since BATCH_AT_FIRST_NS */
	EVENT_PROCESS = 0x0102, /* row of the processes */
	EVENT_TID = 0x0103,     /* tid - pid, modulo 2^32 */
	EVENT_SADDR = 0x0104,   /* 0 unknown, then the rows of IPv4, then those of IPv6 */
	EVENT_DADDR = 0x0105,   /* the same, never 0 */
	EVENT_LPORT = 0x0106,   /* 0 unknown */
	EVENT_DPORT = 0x0107,
	EVENT_FLAGS = 0x0108,       /* EVENT_.. of event.h */
	EVENT_OUTCOME = 0x0109,     /* enum outcome */
	EVENT_ERROR = 0x010a,       /* errno of a failure, 0 unknown */
	EVENT_LATENCY = 0x010b,     /* microseconds */
	EVENT_RETRANSMITS = 0x010c, /* 0 unknown, else 1 + number */
	EVENT_RETURNED = 0x010d,    /* 0 unknown, else 1 + errno */
	EVENT_NET_NS = 0x010e,      /* inode, 0 unknown */
	EVENT_QUERY = 0x010f,       /* 0 none, else 1 + row of the strings */
	EVENT_ANSWERED = 0x0110,    /* ANSWERED_.. of event.h */
	PROCESS_PID = 0x0201,
	PROCESS_UID = 0x0202,
	PROCESS_GID = 0x0203,
	PROCESS_COMM = 0x0204, /* texts: 0 unknown, else 1 + row of the strings */
	PROCESS_EUID = 0x0205, /* this and the next three: 0 unknown, else 1 + id */
	PROCESS_EGID = 0x0206,
	PROCESS_LOGINUID = 0x0207,
	PROCESS_AUDIT_SESSION = 0x0208,
	PROCESS_START = 0x0209,  /* ns of CLOCK_BOOTTIME, 0 unknown */
	PROCESS_PARENT = 0x020a, /* 0 unknown, else 1 + row of the processes */
	PROCESS_PPID = 0x020b,
	PROCESS_PID_INSIDE = 0x020c,
	PROCESS_MOUNT_NS = 0x020d,
	PROCESS_PID_NS = 0x020e,
	PROCESS_FLAGS = 0x020f, /* PROCESS_.. of event.h */
	PROCESS_EXE = 0x0210,
	PROCESS_ARGS = 0x0211,
	PROCESS_CGROUP = 0x0212,
	PROCESS_USER = 0x0213,
	PROCESS_CONTAINER = 0x0214,
	PROCESS_UNIT = 0x0215,
	STRING_END = 0x0301,   /* where string r ends in the bytes; it begins where r - 1 ends */
	STRING_BYTES = 0x0302, /* width 1; as many as the last STRING_END */
	IPV4_ADDRESS = 0x0401, /* as a number: 127.0.0.1 is 0x7f000001 */
	IPV6_HIGH = 0x0501,    /* the first eight bytes as a big-endian number */
	IPV6_LOW = 0x0502,
	OUTCOME_EVENT = 0x0601, /* number of the event in its session */
	OUTCOME_OUTCOME = 0x0602,
	OUTCOME_ERROR = 0x0603,
	OUTCOME_LATENCY = 0x0604,
	OUTCOME_RETRANSMITS = 0x0605,
};

#endif
