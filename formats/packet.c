/* SPDX-License-Identifier: BSD-2-Clause */
#include "packet.h"
#include "escape.h"

/* Options of the draft (3.5, 4.3), and what Apple's libpcap added to packets and process blocks. */
enum {
	OPT_COMMENT = 1,
	EPB_FLAGS = 2,
	EPB_PACKETID = 5,
	EPB_PROCESSID_THREADID = 8,
	EPB_DARWIN_PROCESS = 0x8001,
	PROCESS_NAME = 2,
};

#define OUTBOUND 2u       /* of epb_flags */
#define PACKET_AT_DATA 28 /* in its block */
#define IPV4_HEADER 20u
#define IPV6_HEADER 40u
#define TCP_HEADER 20u
#define PROTOCOL_TCP 6
#define TCP_SYN 0x02
#define HOP_LIMIT 64  /* as Linux sends it */
#define WINDOW 64240u /* the same, with an MSS of 1460 */

#define CUT_MARK "\\..." /* a backslash of a text is doubled, so no text ends like this */
#define VALUE_MAX 256u   /* of exe and unit */
#define WORD_MAX 80u     /* of names and ids */

struct comment {
	char *out;
	size_t length;
};

static void put_be16(uint8_t *p, uint16_t value)
{
	value = htobe16(value);
	memcpy(p, &value, sizeof value);
}

static void put_be32(uint8_t *p, uint32_t value)
{
	value = htobe32(value);
	memcpy(p, &value, sizeof value);
}

/*
 * The sum of RFC 1071 goes on; of a multiple of four bytes. It is the same in either byte order,
 * but for its own.
 */
static uint64_t sum(uint64_t sum, const uint8_t *p, size_t length)
{
	for (size_t i = 0; i < length; i += 4)
		sum += get_le32(p + i);
	return sum;
}

static void put_checksum(uint8_t *p, uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put_le16(p, (uint16_t)~sum);
}

/*
 * No two events have the same one soon, so that a repeated attempt from an
 * unknown port is not shown as a retransmission.
 */
static uint32_t initial_sequence(const struct event *event, const uint8_t *session)
{
	return (uint32_t)(get_le32(session + 4) + event->number);
}

/* Returns the length, 0: without a destination. An unknown source is the unspecified address. */
static size_t build_packet(const struct event *event, const uint8_t *session,
	uint8_t p[static IPV6_HEADER + TCP_HEADER])
{
	bool v6 = event->daddr.family == 6;
	size_t size = v6 ? 16 : 4, header = v6 ? IPV6_HEADER : IPV4_HEADER;
	uint8_t *saddr = p + (v6 ? 8 : 12), *daddr = saddr + size, *tcp = p + header;

	if (!event->daddr.family)
		return 0;
	memset(p, 0, header + TCP_HEADER);
	if (event->saddr.family == event->daddr.family)
		memcpy(saddr, event->saddr.bytes, size);
	memcpy(daddr, event->daddr.bytes, size);
	if (v6) {
		p[0] = 0x60;
		put_be16(p + 4, TCP_HEADER);
		p[6] = PROTOCOL_TCP;
		p[7] = HOP_LIMIT;
	} else {
		p[0] = 0x45;
		put_be16(p + 2, IPV4_HEADER + TCP_HEADER);
		p[6] = 0x40; /* do not fragment */
		p[8] = HOP_LIMIT;
		p[9] = PROTOCOL_TCP;
		put_checksum(p + 10, sum(0, p, IPV4_HEADER));
	}
	put_be16(tcp, event->lport);
	put_be16(tcp + 2, event->dport);
	put_be32(tcp + 4, initial_sequence(event, session));
	tcp[12] = TCP_HEADER / 4 << 4;
	tcp[13] = TCP_SYN;
	put_be16(tcp + 14, WINDOW);
	/* The pseudo-header of RFC 793 and of RFC 8200, 8.1, have the same sum. */
	put_checksum(tcp + 16,
		sum(sum((PROTOCOL_TCP + TCP_HEADER) << 8, saddr, 2 * size), tcp, TCP_HEADER));
	return header + TCP_HEADER;
}

/* Inline: the length of a literal is then known. */
static inline void add(struct comment *c, const char *text)
{
	size_t length = strlen(text);

	memcpy(c->out + c->length, text, length);
	c->length += length;
}

/* Length of the character or escape sequence at p. */
static size_t unit_length(const char *p)
{
	uint8_t c = (uint8_t)*p;

	if (c == '\\')
		return p[1] == 'x' ? 4 : 2;
	return c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* Appends the text as one word of at most most characters. Returns true if it is cut. */
static bool add_word(struct comment *c, struct bytes text, size_t most)
{
	char word[ESCAPED_MAX(PACKET_COMMENT_MAX)];
	size_t length, kept = 0;
	/* A byte takes at least one character: the rest would not show. */
	bool cut = text.length > most;

	if (cut)
		text.length = most;
	length = escape_word(text, word);
	if (!cut && length <= most) {
		memcpy(c->out + c->length, word, length);
		c->length += length;
		return false;
	}
	while (kept + unit_length(word + kept) <= most - strlen(CUT_MARK))
		kept += unit_length(word + kept);
	memcpy(c->out + c->length, word, kept);
	c->length += kept;
	add(c, CUT_MARK);
	return true;
}

/* By hand: printf took half of the time that a packet takes. */
static void add_number(struct comment *c, const char *before, uint64_t value)
{
	char digits[20];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	add(c, before);
	memcpy(c->out + c->length, digits + at, sizeof digits - at);
	c->length += sizeof digits - at;
}

static void add_text(struct comment *c, const char *key, struct bytes text, size_t most)
{
	if (!text.length)
		return;
	add(c, key);
	add_word(c, text, most);
}

/* The arguments as words, as many as there is room for. */
static void add_args(struct comment *c, const struct process *process)
{
	static const char key[] = " args=";
	struct bytes rest = process->args;
	bool cut = process->flags & PROCESS_ARGS_CUT, marked = false;
	size_t room = sizeof key - 1;

	while (rest.length) {
		const uint8_t *nul = memchr(rest.data, 0, rest.length);
		size_t length = nul ? (size_t)(nul - rest.data) : rest.length;
		size_t left = PACKET_COMMENT_MAX - c->length - room;

		/* The shortest that can be cut, and the mark of what is missing. */
		if (left < 4 * strlen(CUT_MARK)) {
			cut = true;
			break;
		}
		add(c, room > 1 ? key : " ");
		marked = add_word(c, (struct bytes){rest.data, length}, left - strlen(CUT_MARK));
		room = 1;
		length += nul != NULL;
		rest.data += length;
		rest.length -= length;
	}
	if (cut && room == 1 && !marked)
		add(c, CUT_MARK);
}

/* The parts of a comment that are of the process alone. */

static void add_name(struct comment *c, const struct process *p)
{
	add_word(c, p->comm, WORD_MAX);
	add_number(c, "[", p->pid);
	add(c, "]");
}

static void add_ids(struct comment *c, const struct process *p)
{
	add_number(c, " uid=", p->uid);
	if (p->user.length) {
		add_text(c, "(", p->user, WORD_MAX);
		add(c, ")");
	}
}

static void add_program(struct comment *c, const struct process *p)
{
	add_text(c, " exe=", p->exe, VALUE_MAX);
	add_text(c, " container=", p->container, WORD_MAX);
	add_text(c, " unit=", p->unit, VALUE_MAX);
	add_args(c, p);
}

/* Those of the event. */

static void add_tid(struct comment *c, const struct event *event)
{
	if (event->tid != event->process->pid)
		add_number(c, " tid=", event->tid);
}

/* Nothing of one that is pending. */
static void add_outcome(struct comment *c, const struct result *result)
{
	char word[RESULT_TEXT_SIZE];

	if (!strcmp(result_text(result, word), "pending"))
		return;
	add(c, " result=");
	add(c, word);
	add(c, " latency=");
}

static void add_times(struct comment *c, const struct result *result)
{
	add_number(c, "", result->latency_us);
	add(c, "us");
	if (result->retransmits > 1)
		add_number(c, " retransmits=", result->retransmits - 1);
}

static void add_result(struct comment *c, const struct result *result)
{
	size_t before = c->length;

	add_outcome(c, result);
	if (c->length != before)
		add_times(c, result);
}

static void add_query(struct comment *c, const struct event *event)
{
	add_text(c, " query=", event->query, WORD_MAX);
}

size_t packet_comment(const struct event *event, char out[static PACKET_COMMENT_MAX])
{
	struct comment c = {.out = out};

	add_name(&c, event->process);
	add_tid(&c, event);
	add_ids(&c, event->process);
	add_result(&c, &event->result);
	add_query(&c, event);
	add_program(&c, event->process);
	return c.length;
}

/* How much longer those of another event can be, and what add_args() looks at beyond the end. */
#define EVENT_PARTS_MAX 160u
#define QUERY_PART_MAX (7 + WORD_MAX)

static void keep_texts(struct packet_texts *texts, const struct process *process)
{
	struct comment c = {.out = texts->text};

	add_name(&c, process);
	texts->name = (uint16_t)c.length;
	add_ids(&c, process);
	texts->ids = (uint16_t)c.length;
	add_program(&c, process);
	texts->length = (uint16_t)c.length;
	texts->process = process;
	texts->result_length = 0;
}

static void add_part(struct comment *c, const char *text, size_t length)
{
	memcpy(c->out + c->length, text, length);
	c->length += length;
}

/* As add_result(). The words of the last one are kept. */
static void add_kept_result(
	struct comment *c, struct packet_texts *texts, const struct result *result)
{
	struct comment words = {.out = texts->result};

	if (!texts->result_length || texts->outcome != result->outcome ||
		texts->error != result->error) {
		add_outcome(&words, result);
		texts->result_length = (uint16_t)words.length;
		texts->outcome = result->outcome;
		texts->error = result->error;
	}
	if (!texts->result_length)
		return;
	add_part(c, texts->result, texts->result_length);
	add_times(c, result);
}

/* The same as packet_comment(). Near the limit the arguments are cut as the event leaves room. */
static size_t comment_of(
	const struct event *event, struct packet_texts *texts, char out[static PACKET_COMMENT_MAX])
{
	struct comment c = {.out = out};

	if (!texts)
		return packet_comment(event, out);
	if (texts->process != event->process)
		keep_texts(texts, event->process);
	if (texts->length >
		PACKET_COMMENT_MAX - EVENT_PARTS_MAX - (event->query.length ? QUERY_PART_MAX : 0))
		return packet_comment(event, out);
	add_part(&c, texts->text, texts->name);
	add_tid(&c, event);
	add_part(&c, texts->text + texts->name, (size_t)(texts->ids - texts->name));
	add_kept_result(&c, texts, &event->result);
	add_query(&c, event);
	add_part(&c, texts->text + texts->ids, (size_t)(texts->length - texts->ids));
	return c.length;
}

/* Of four or eight bytes. Returns its end. */
static uint8_t *put_option32(uint8_t *p, uint16_t code, uint32_t value)
{
	put_le16(p, code);
	put_le16(p + 2, 4);
	put_le32(p + 4, value);
	return p + 8;
}

static uint8_t *put_option64(uint8_t *p, uint16_t code, uint64_t value)
{
	put_le16(p, code);
	put_le16(p + 2, 8);
	put_le64(p + 4, value);
	return p + 12;
}

/*
 * By hand, into a block that is large enough for any packet: there is one for
 * each event, and the functions of pcapng.h ask at each number whether it is.
 */
void packet_block(
	struct block_writer *w, const struct event *event, const struct packet_origin *origin)
{
	/* The format knows no time before 1970. */
	uint64_t time = origin->wall_ns > 0 ? (uint64_t)origin->wall_ns : 0;
	uint8_t *p = w->data;
	size_t length;

	w->length = 0;
	w->overflow = w->capacity < PACKET_BLOCK_MAX;
	if (!event->daddr.family || w->overflow)
		return;
	length = build_packet(event, origin->session, p + PACKET_AT_DATA);
	put_le32(p, BLOCK_PACKET);
	put_le32(p + 8, 0); /* interface */
	put_le32(p + 12, (uint32_t)(time >> 32));
	put_le32(p + 16, (uint32_t)time);
	put_le32(p + 20, (uint32_t)length); /* kept, and original; both are multiples of 4 */
	put_le32(p + 24, (uint32_t)length);
	p += PACKET_AT_DATA + length;
	length = comment_of(event, origin->texts, (char *)p + 4);
	put_le16(p, OPT_COMMENT);
	put_le16(p + 2, (uint16_t)length);
	put_le32(p + 4 + length, 0); /* what is needed of it to the next multiple of 4 */
	p += 4 + (length + 3) / 4 * 4;
	p = put_option32(p, EPB_FLAGS, OUTBOUND);
	p = put_option64(p, EPB_PACKETID,
		(uint64_t)get_le32(origin->session) << 32 | (uint32_t)event->number);
	p = put_option64(
		p, EPB_PROCESSID_THREADID, event->process->pid | (uint64_t)event->tid << 32);
	if (origin->process >= 0)
		p = put_option32(p, EPB_DARWIN_PROCESS, (uint32_t)origin->process);
	put_le32(p, 0); /* the end of the options */
	w->length = (size_t)(p + 8 - w->data);
	put_le32(p + 4, (uint32_t)w->length);
	put_le32(w->data + 4, (uint32_t)w->length);
}

void packet_process_block(struct block_writer *w, const struct process *process)
{
	char name[ESCAPED_MAX(WORD_MAX)];
	struct comment text = {.out = name};

	add_word(&text, process->comm, WORD_MAX);
	block_begin(w, BLOCK_PROCESS);
	block_u32(w, process->pid);
	block_option(w, PROCESS_NAME, (struct bytes){(const uint8_t *)name, text.length});
	block_options_end(w);
	block_end(w);
}
