/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers are read before the attempts that came with them, see samples.c: those that came
 * behind the attempt that is asked for have to wait. So they stand in a queue until one is
 * asked for that is younger. An attempt that was held back until it failed is much older:
 * for it the answer before the last is remembered too.
 */
#include "dns.h"
#include "shared_text.h"

#include <arpa/nameser.h>
#include <linux/types.h>
#include <stdlib.h>
#include <sys/random.h>

#include "../bpf/tcpconnect.h"

#define ADDRESSES_MAX 10240
#define WAITING_MAX 8192 /* a power of two */
#define BUCKETS 16384    /* a power of two */
#define DAY_NS UINT64_C(86400000000000)
#define MDNS_FLUSH 0x8000u /* RFC 6762, 10.2: not of the class */

struct said {
	struct shared_text *name;
	uint64_t time_ns;
};

struct known {
	struct address address;
	struct said last, before; /* before: its name may be NULL */
	/* Numbers plus 1; 0: none. Of the bucket; and from the oldest to the youngest answer. */
	uint32_t next, younger, older;
};

struct waiting {
	struct address address;
	struct said said;
};

struct dns {
	uint64_t seed;             /* nobody can choose addresses that are all in one bucket */
	uint64_t missing_since_ns; /* answers that did not come, or are forgotten; 0: none */
	uint32_t count, oldest, youngest;
	uint32_t head, tail; /* of waiting: count on, modulo its size */
	uint32_t buckets[BUCKETS];
	struct known known[ADDRESSES_MAX];
	struct waiting waiting[WAITING_MAX];
};

struct dns *dns_new(void)
{
	struct dns *d = calloc(1, sizeof *d); /* pages that are not needed stay untouched */

	if (d && getrandom(&d->seed, sizeof d->seed, GRND_NONBLOCK) != sizeof d->seed)
		d->seed = (uintptr_t)d;
	return d;
}

static void release(struct said *said)
{
	shared_text_release(said->name);
	said->name = NULL;
}

void dns_free(struct dns *d)
{
	if (!d)
		return;
	for (uint32_t i = 0; i < d->count; i++) {
		release(&d->known[i].last);
		release(&d->known[i].before);
	}
	for (; d->head != d->tail; d->head++)
		release(&d->waiting[d->head % WAITING_MAX].said);
	free(d);
}

static uint32_t *bucket_of(struct dns *d, const struct address *address)
{
	const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t words[2], hash;

	memcpy(words, address->bytes, sizeof words);
	hash = ((words[0] ^ d->seed) * odd) ^ (words[1] + d->seed);
	hash = (hash ^ hash >> 29) * odd;
	return &d->buckets[(hash >> 32) % BUCKETS];
}

/* NULL: it is in no answer. */
static struct known *find(struct dns *d, const struct address *address)
{
	uint32_t at = *bucket_of(d, address);

	while (at && !address_equal(&d->known[at - 1].address, address))
		at = d->known[at - 1].next;
	return at ? &d->known[at - 1] : NULL;
}

static void leave_order(struct dns *d, struct known *k)
{
	*(k->older ? &d->known[k->older - 1].younger : &d->oldest) = k->younger;
	*(k->younger ? &d->known[k->younger - 1].older : &d->youngest) = k->older;
}

static void become_youngest(struct dns *d, struct known *k)
{
	uint32_t at = (uint32_t)(k - d->known) + 1;

	k->older = d->youngest;
	k->younger = 0;
	*(d->youngest ? &d->known[d->youngest - 1].younger : &d->oldest) = at;
	d->youngest = at;
}

void dns_miss(struct dns *d, uint64_t since_ns)
{
	if (since_ns && (!d->missing_since_ns || since_ns < d->missing_since_ns))
		d->missing_since_ns = since_ns;
}

static void forget_oldest(struct dns *d, uint64_t now_ns)
{
	struct known *k = &d->known[d->oldest - 1];
	uint32_t *link = bucket_of(d, &k->address);

	if (now_ns - k->last.time_ns < DAY_NS)
		dns_miss(d, now_ns);
	while (*link != d->oldest)
		link = &d->known[*link - 1].next;
	*link = k->next;
	leave_order(d, k);
	release(&k->last);
	release(&k->before);
}

static struct known *add(struct dns *d, const struct address *address, uint64_t now_ns)
{
	uint32_t at = d->count == ADDRESSES_MAX ? d->oldest : d->count + 1;
	struct known *k = &d->known[at - 1];
	uint32_t *bucket;

	if (d->count == ADDRESSES_MAX)
		forget_oldest(d, now_ns);
	else
		d->count++;
	bucket = bucket_of(d, address);
	*k = (struct known){.address = *address, .next = *bucket};
	*bucket = at;
	return k;
}

static void learn_first(struct dns *d)
{
	struct waiting *w = &d->waiting[d->head++ % WAITING_MAX];
	struct known *k = find(d, &w->address);

	if (k)
		leave_order(d, k);
	else
		k = add(d, &w->address, w->said.time_ns);
	release(&k->before);
	k->before = k->last;
	k->last = w->said;
	become_youngest(d, k);
}

static void learn_later(struct dns *d, const struct address *address, const struct said *said)
{
	if (d->tail - d->head == WAITING_MAX)
		learn_first(d);
	d->waiting[d->tail++ % WAITING_MAX] =
		(struct waiting){*address, {shared_text_share(said->name), said->time_ns}};
}

/* Of a record that is one; as events have it: no IPv4-mapped address. */
static bool address_of(const ns_rr *record, struct address *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const uint8_t *data = ns_rr_rdata(*record);
	size_t length = ns_rr_rdlen(*record);

	memset(address, 0, sizeof *address);
	if ((ns_rr_class(*record) & ~MDNS_FLUSH) != ns_c_in)
		return false;
	if (ns_rr_type(*record) == ns_t_a && length == 4)
		address->family = 4;
	else if (ns_rr_type(*record) == ns_t_aaaa && length == 16)
		address->family = 6;
	else
		return false;
	if (length == 16 && !memcmp(data, mapped, sizeof mapped)) {
		address->family = 4;
		data += sizeof mapped;
		length = 4;
	}
	memcpy(address->bytes, data, length);
	return true;
}

/* NULL: the root, which is no name, or out of memory. */
static struct shared_text *name_of(const ns_rr *record)
{
	const char *name = ns_rr_name(*record);

	return strcmp(name, ".") ? shared_text_new(bytes_of(name)) : NULL;
}

void dns_take(struct dns *d, const void *sample, size_t length)
{
	const uint8_t *message = (const uint8_t *)sample + sizeof(struct sample_answer);
	struct sample_answer head;
	struct said said = {0};
	struct address address;
	ns_rr record;
	ns_msg m;

	if (length < sizeof head)
		return;
	memcpy(&head, sample, sizeof head);
	if (head.length > length - sizeof head || head.length > ANSWER_MAX ||
		ns_initparse(message, (int)head.length, &m))
		return;
	said.time_ns = head.time_ns;
	/* An answer of multicast DNS does not say what was asked. */
	if (ns_msg_count(m, ns_s_qd)) {
		if (ns_parserr(&m, ns_s_qd, 0, &record))
			return;
		said.name = name_of(&record);
	}
	for (int i = 0; i < ns_msg_count(m, ns_s_an); i++) {
		if (ns_parserr(&m, ns_s_an, i, &record))
			break;
		if (!address_of(&record, &address))
			continue;
		if (!ns_msg_count(m, ns_s_qd)) {
			shared_text_release(said.name);
			said.name = name_of(&record);
		}
		if (said.name)
			learn_later(d, &address, &said);
	}
	shared_text_release(said.name);
}

void dns_find(struct dns *d, struct event *event)
{
	const struct said *said;
	const struct known *k;

	while (d->head != d->tail &&
		d->waiting[d->head % WAITING_MAX].said.time_ns <= event->time_ns)
		learn_first(d);
	event->query = (struct bytes){NULL, 0};
	event->answered = d->missing_since_ns && event->time_ns >= d->missing_since_ns
				  ? ANSWERED_UNKNOWN
				  : ANSWERED_NEVER;
	k = find(d, &event->daddr);
	if (!k)
		return;
	said = k->last.time_ns <= event->time_ns ? &k->last : &k->before;
	if (!said->name || said->time_ns > event->time_ns ||
		event->time_ns - said->time_ns > DAY_NS)
		return;
	event->query = shared_text_bytes(said->name);
	event->answered = ANSWERED_AGE + (event->time_ns - said->time_ns) / 1000;
}
