/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An event as one packet, for tools that know nothing of our records: a TCP SYN
 * as the kernel would have sent it, made up, and who sent it in the options of
 * its block. Nothing of ours reads it back.
 */
#ifndef PACKET_H
#define PACKET_H

#include "event.h"
#include "pcapng.h"
#include "result.h"

/* No block of these two functions is longer. */
#define PACKET_BLOCK_MAX 1280
/* The comment of a packet is valid UTF-8, one line, and not longer. */
#define PACKET_COMMENT_MAX 1024

#define PACKET_RESULT_MAX (RESULT_TEXT_SIZE + 32)

/*
 * What the comments of a process have in common, kept from one packet to the
 * next: to make it takes most of the time of a packet.
 */
struct packet_texts {
	const struct process *process; /* NULL: none */
	uint16_t name, ids, length;    /* where the three parts end in text */
	uint8_t outcome;               /* of the last packet, and its error, */
	uint16_t error;
	uint16_t result_length; /* and the words for them; 0: none */
	char text[PACKET_COMMENT_MAX];
	char result[PACKET_RESULT_MAX];
};

/* What tells this packet from others. */
struct packet_origin {
	const uint8_t *session;     /* 16 bytes */
	int64_t wall_ns;            /* of the event, since 1970 */
	int64_t process;            /* number of its process block in the file; -1: none */
	struct packet_texts *texts; /* of the same process, if of any; NULL: not kept */
};

/* An Enhanced Packet Block. An event without a destination gets none: 0 bytes. */
void packet_block(
	struct block_writer *w, const struct event *event, const struct packet_origin *origin);

/*
 * A Darwin Process Information Block, which Wireshark 4.6 shows as the process
 * of the packets that have its number: that of the block in the file, from 0.
 */
void packet_process_block(struct block_writer *w, const struct process *process);

/*
 * Who connected and what became of it, as the comment of the packet:
 *   NAME[PID] tid=N uid=N(USER) result=WORD latency=Nus retransmits=N query=NAME
 *   exe=PATH container=ID unit=UNIT args=WORD WORD ..
 * What is unknown is left out. No value holds a space (escape_word()), those of
 * args excepted, which is the last: so it can be taken apart again, whatever a
 * program calls itself. A value that is cut ends with \... Returns the length.
 */
size_t packet_comment(const struct event *event, char out[static PACKET_COMMENT_MAX]);

#endif
