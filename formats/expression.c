/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libpcap compiles the expression and runs it. It would also look up names, so
 * none reaches it: every word is a keyword, a number, an address, or a service
 * behind `port', which is replaced by its number from this machine's list. It is
 * loaded when there is an expression: with it come libdbus, libsystemd and others
 * for capturing, which are most of what a program takes to start.
 */
#include "expression.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX 65536
#define IPV4_LENGTH 20
#define IPV6_LENGTH 40
#define TCP_LENGTH 20
#define TCP_SYN 2

struct expression {
	char *text;
	struct bpf_program program;
	struct expression_need needs[EXPRESSION_NEEDS_MAX];
	size_t need_count;
};

/* Of the grammar of pcap-filter(7), what has a meaning for IP and TCP. */
static const char *const keywords[] = {
	"and",
	"broadcast",
	"dst",
	"greater",
	"host",
	"icmp",
	"icmp6",
	"inbound",
	"ip",
	"ip6",
	"len",
	"less",
	"mask",
	"multicast",
	"net",
	"not",
	"or",
	"outbound",
	"port",
	"portrange",
	"proto",
	"protochain",
	"sctp",
	"src",
	"tcp",
	"tcp-ack",
	"tcp-cwr",
	"tcp-ece",
	"tcp-fin",
	"tcp-push",
	"tcp-rst",
	"tcp-syn",
	"tcp-urg",
	"tcpflags",
	"udp",
};

static bool is_keyword(const char *word)
{
	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
		if (!strcmp(keywords[i], word))
			return true;
	return false;
}

/* A number, a dotted prefix of an address, a range of ports, with /LENGTH or not; or IPv6. */
static bool is_numeric(const char *word)
{
	char copy[64];
	uint8_t address[16];
	size_t length = strcspn(word, "/");

	if (length < sizeof copy && strchr(word, ':')) {
		memcpy(copy, word, length);
		copy[length] = '\0';
		return inet_pton(AF_INET6, copy, address) == 1 &&
		       (!word[length] || strspn(word + length + 1, "0123456789") ==
						 strlen(word + length + 1));
	}
	if (word[0] == '0' && (word[1] == 'x' || word[1] == 'X'))
		return word[2] && strspn(word + 2, "0123456789abcdefABCDEF") == strlen(word + 2);
	return word[0] >= '0' && word[0] <= '9' && strspn(word, "0123456789./-") == strlen(word);
}

/* Copies one word to out, or its number for a service. *ports: ports are what is named now. */
static int put_word(const char *word, bool *ports, bool escaped, FILE *out, struct error *error)
{
	static const char *const kinds[] = {
		"host", "net", "src", "dst", "proto", "protochain", "less", "greater"};
	struct servent *service;

	if (escaped && is_keyword(word)) {
		fprintf(out, "\\%s", word);
		return 0;
	}
	if (is_keyword(word) || is_numeric(word)) {
		if (!strcmp(word, "port") || !strcmp(word, "portrange"))
			*ports = true;
		for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
			if (!strcmp(kinds[i], word))
				*ports = false;
		fputs(word, out);
		return 0;
	}
	if (!*ports)
		return error_set(error,
			"'%.64s' is not a word of pcap-filter(7), nor a number or an address: "
			"names "
			"are not looked up",
			word);
	service = getservbyname(word, "tcp");
	if (!service)
		return error_set(error, "'%.64s' is not a service that this machine knows", word);
	fprintf(out, "%u", ntohs((uint16_t)service->s_port));
	return 0;
}

static int put_words(const char *text, FILE *out, struct error *error)
{
	static const char word_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789_.:/-";
	bool ports = false, index = false;

	while (*text) {
		size_t length = strspn(text, word_bytes);
		bool escaped = *text == '\\';
		char word[64];

		/* Inside brackets stand offset and size, and - is a sign. */
		if (*text == '[' || *text == ']')
			index = *text == '[';
		if (index)
			length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789");
		if (escaped)
			length = strspn(text + 1, word_bytes);
		if (!length) {
			putc(*text++, out);
			continue;
		}
		if (length >= sizeof word)
			return error_set(error, "'%.32s..' is too long", text);
		/* "src or dst port": these words are kinds; "&-1": a sign is no word. */
		memcpy(word, text + escaped, length);
		word[length] = '\0';
		if (strspn(word, "-/:") == length)
			fputs(word, out);
		else if (put_word(word, &ports, escaped, out, error))
			return -1;
		text += length + escaped;
	}
	return 0;
}

/* A number up to most and nothing else. */
static bool parse_number(const char *text, unsigned int most, unsigned int *number)
{
	size_t length = strlen(text);

	if (!length || length > 5 || strspn(text, "0123456789") != length)
		return false;
	*number = (unsigned int)strtoul(text, NULL, 10);
	return *number <= most;
}

/* ADDRESS, or ADDRESS/BITS. */
static bool parse_network(const char *text, struct expression_need *need)
{
	char address[64];
	size_t length = strcspn(text, "/");
	unsigned int most, bits;

	if (length >= sizeof address)
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(AF_INET, address, need->network) == 1)
		need->family = 4;
	else if (inet_pton(AF_INET6, address, need->network) == 1)
		need->family = 6;
	else
		return false;
	bits = most = need->family == 4 ? 32 : 128;
	if (text[length] && !parse_number(text + length + 1, most, &bits))
		return false;
	need->bits = (uint8_t)bits;
	return true;
}

static bool parse_ports(char *text, struct expression_need *need)
{
	char *dash = strchr(text, '-');
	unsigned int low, high;

	if (dash)
		*dash = '\0';
	if (!parse_number(text, 65535, &low) || (dash && !parse_number(dash + 1, 65535, &high)))
		return false;
	need->low = (uint16_t)low;
	need->high = (uint16_t)(dash ? high : low);
	return true;
}

/* [tcp|ip|ip6] [src|dst] host|net|port|portrange VALUE, and nothing else. */
static bool parse_need(char **words, size_t count, struct expression_need *need)
{
	size_t i = 0;

	memset(need, 0, sizeof *need);
	if (i < count &&
		(!strcmp(words[i], "tcp") || !strcmp(words[i], "ip") || !strcmp(words[i], "ip6")))
		i++;
	if (i < count && !strcmp(words[i], "src"))
		need->side = SIDE_SOURCE, i++;
	else if (i < count && !strcmp(words[i], "dst"))
		need->side = SIDE_DESTINATION, i++;
	if (count - i != 2)
		return false;
	if (!strcmp(words[i], "host"))
		return !strchr(words[i + 1], '/') && parse_network(words[i + 1], need);
	if (!strcmp(words[i], "net"))
		return parse_network(words[i + 1], need);
	if (!strcmp(words[i], "port") || !strcmp(words[i], "portrange"))
		return parse_ports(words[i + 1], need);
	return false;
}

/*
 * Of parts with "and" between them those that are understood: each of them must
 * match. Of anything else nothing is said; the program of libpcap decides alone.
 */
static void find_needs(struct expression *e, char *text)
{
	char *words[64], *rest = text, *word;
	size_t count = 0;

	if (strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:/- ") !=
		strlen(text))
		return;
	while ((word = strtok_r(rest, " ", &rest)) && count < 64)
		words[count++] = word;
	if (word)
		return;
	for (size_t i = 0; i < count; i++)
		if (!strcmp(words[i], "or") || !strcmp(words[i], "not"))
			return;
	for (size_t begin = 0, end; begin < count; begin = end + 1) {
		for (end = begin; end < count && strcmp(words[end], "and"); end++)
			continue;
		if (e->need_count < EXPRESSION_NEEDS_MAX &&
			parse_need(words + begin, end - begin, &e->needs[e->need_count]))
			e->need_count++;
	}
}

size_t expression_needs(const struct expression *e, const struct expression_need **needs)
{
	*needs = e->needs;
	return e->need_count;
}

bool expression_need_address(const struct expression_need *need, const struct address *address)
{
	unsigned int bytes = need->bits / 8, rest = need->bits % 8;

	if (!address->family)
		return true;
	if (address->family != need->family || memcmp(address->bytes, need->network, bytes))
		return false;
	return !rest || !((address->bytes[bytes] ^ need->network[bytes]) >> (8 - rest));
}

static struct {
	__typeof__(pcap_open_dead) *open_dead;
	__typeof__(pcap_compile) *compile;
	__typeof__(pcap_geterr) *geterr;
	__typeof__(pcap_freecode) *freecode;
	__typeof__(pcap_close) *close;
	__typeof__(pcap_offline_filter) *matches;
} library;

static int load_library(struct error *error)
{
	const struct {
		const char *name;
		void *function;
	} functions[] = {
		{"pcap_open_dead", &library.open_dead},
		{"pcap_compile", &library.compile},
		{"pcap_geterr", &library.geterr},
		{"pcap_freecode", &library.freecode},
		{"pcap_close", &library.close},
		{"pcap_offline_filter", &library.matches},
	};

	void *handle = dlopen("libpcap.so.0.8", RTLD_NOW); /* of Debian */

	if (!handle)
		handle = dlopen("libpcap.so.1", RTLD_NOW);
	if (!handle)
		return error_set(error, "cannot load libpcap: %s", dlerror());
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
		void *found = dlsym(handle, functions[i].name);

		if (!found)
			return error_set(error, "libpcap has no %s", functions[i].name);
		memcpy(functions[i].function, &found, sizeof found);
	}
	return 0;
}

/* Of words that are numeric. */
static int compile(struct expression *e, const char *numeric, struct error *error)
{
	int status = 0;
	pcap_t *pcap;

	if (load_library(error))
		return -1;
	pcap = library.open_dead(DLT_RAW, 65535);
	if (!pcap)
		return error_set(error, "out of memory");
	if (library.compile(pcap, &e->program, numeric, 1, PCAP_NETMASK_UNKNOWN))
		status = error_set(error, "%s", library.geterr(pcap));
	library.close(pcap);
	return status;
}

struct expression *expression_new(const char *text, struct error *error)
{
	struct expression *e = calloc(1, sizeof *e);
	char *numeric = NULL;
	size_t size;
	FILE *out = open_memstream(&numeric, &size);
	int status = -1;

	if (!e || !out)
		error_set(error, "out of memory");
	else if (strlen(text) > TEXT_MAX)
		error_set(error, "longer than %d bytes", TEXT_MAX);
	else
		status = put_words(text, out, error);
	if (out && fclose(out) && !status)
		status = error_set(error, "out of memory");
	if (!status)
		status = compile(e, numeric, error);
	if (!status) {
		find_needs(e, numeric);
		e->text = strdup(text);
		if (!e->text)
			error_set(error, "out of memory");
	}
	free(numeric);
	if (e && e->text)
		return e;
	expression_free(e);
	return NULL;
}

void expression_free(struct expression *e)
{
	if (!e)
		return;
	if (e->program.bf_insns)
		library.freecode(&e->program);
	free(e->text);
	free(e);
}

const char *expression_text(const struct expression *e)
{
	return e->text;
}

static void put_be16(uint8_t *p, unsigned int value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static size_t put_ip(uint8_t *p, const struct event *event)
{
	if (event->daddr.family == 4) {
		p[0] = 0x45; /* version, words of the header */
		put_be16(p + 2, IPV4_LENGTH + TCP_LENGTH);
		p[8] = 64;
		p[9] = IPPROTO_TCP;
		memcpy(p + 12, event->saddr.bytes, 4);
		memcpy(p + 16, event->daddr.bytes, 4);
		return IPV4_LENGTH;
	}
	p[0] = 0x60;
	put_be16(p + 4, TCP_LENGTH);
	p[6] = IPPROTO_TCP;
	p[7] = 64;
	memcpy(p + 8, event->saddr.bytes, 16);
	memcpy(p + 24, event->daddr.bytes, 16);
	return IPV6_LENGTH;
}

bool expression_matches(const struct expression *e, const struct event *event)
{
	uint8_t packet[IPV6_LENGTH + TCP_LENGTH] = {0};
	size_t length = put_ip(packet, event);
	struct pcap_pkthdr header = {0};
	uint8_t *tcp = packet + length;

	put_be16(tcp, event->lport);
	put_be16(tcp + 2, event->dport);
	tcp[12] = TCP_LENGTH / 4 << 4;
	tcp[13] = TCP_SYN;
	header.caplen = header.len = (bpf_u_int32)(length + TCP_LENGTH);
	return library.matches(&e->program, &header, packet) != 0;
}
