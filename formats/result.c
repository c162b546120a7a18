/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A trace has the errno numbers of Linux's asm-generic/errno.h, so the names
 * are not asked of the machine that reads. Those that connect(2) and TCP give.
 */
#include "result.h"

#include <stdio.h>

static const struct {
	uint16_t number;
	const char *name;
} names[] = {
	{1, "EPERM"},
	{4, "EINTR"},
	{5, "EIO"},
	{9, "EBADF"},
	{11, "EAGAIN"},
	{12, "ENOMEM"},
	{13, "EACCES"},
	{14, "EFAULT"},
	{16, "EBUSY"},
	{19, "ENODEV"},
	{22, "EINVAL"},
	{32, "EPIPE"},
	{36, "ENAMETOOLONG"},
	{71, "EPROTO"},
	{88, "ENOTSOCK"},
	{89, "EDESTADDRREQ"},
	{90, "EMSGSIZE"},
	{92, "ENOPROTOOPT"},
	{93, "EPROTONOSUPPORT"},
	{95, "EOPNOTSUPP"},
	{97, "EAFNOSUPPORT"},
	{98, "EADDRINUSE"},
	{99, "EADDRNOTAVAIL"},
	{100, "ENETDOWN"},
	{101, "ENETUNREACH"},
	{102, "ENETRESET"},
	{103, "ECONNABORTED"},
	{104, "ECONNRESET"},
	{105, "ENOBUFS"},
	{106, "EISCONN"},
	{107, "ENOTCONN"},
	{110, "ETIMEDOUT"},
	{111, "ECONNREFUSED"},
	{112, "EHOSTDOWN"},
	{113, "EHOSTUNREACH"},
	{114, "EALREADY"},
	{115, "EINPROGRESS"},
	{126, "ENOKEY"},
	{127, "EKEYEXPIRED"},
	{128, "EKEYREVOKED"},
	{129, "EKEYREJECTED"},
};

static char *errno_text(unsigned int number, char out[static RESULT_TEXT_SIZE])
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].number == number)
			return strcpy(out, names[i].name);
	snprintf(out, RESULT_TEXT_SIZE, "errno%u", number);
	return out;
}

char *result_text(const struct result *result, char out[static RESULT_TEXT_SIZE])
{
	if (result->outcome == OUTCOME_ESTABLISHED)
		return strcpy(out, "ok");
	if (result->outcome == OUTCOME_ABANDONED)
		return strcpy(out, "abandoned");
	if (result->outcome != OUTCOME_FAILED)
		return strcpy(out, "pending");
	return result->error ? errno_text(result->error, out) : strcpy(out, "failed");
}

char *returned_text(const struct event *event, char out[static RESULT_TEXT_SIZE])
{
	if (event->returned > 1)
		return errno_text(event->returned - 1u, out);
	if (!event->returned)
		return strcpy(out, "");
	return strcpy(out, event->flags & EVENT_NONBLOCKING ? "EINPROGRESS" : "0");
}

uint16_t errno_by_name(const char *name)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(names[i].name, name))
			return names[i].number;
	return 0;
}

bool result_is_failure(const struct result *result)
{
	return result->outcome == OUTCOME_FAILED || result->outcome == OUTCOME_ABANDONED;
}
