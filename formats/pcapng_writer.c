/* SPDX-License-Identifier: BSD-2-Clause */
#include "pcapng.h"

static uint8_t *reserve(struct block_writer *w, size_t length)
{
	uint8_t *p = w->data + w->length;

	if (w->overflow || length > w->capacity - w->length) {
		w->overflow = true;
		return NULL;
	}
	w->length += length;
	return p;
}

static void put(struct block_writer *w, uint64_t value, unsigned int n)
{
	uint8_t *p = reserve(w, n);

	if (p)
		put_le(p, value, n);
}

static void pad(struct block_writer *w)
{
	while (w->length % 4 && !w->overflow)
		put(w, 0, 1);
}

void block_begin(struct block_writer *w, uint32_t type)
{
	w->length = 0;
	w->overflow = false;
	block_u32(w, type);
	block_u32(w, 0);
}

void block_u16(struct block_writer *w, uint16_t value)
{
	put(w, value, 2);
}

void block_u32(struct block_writer *w, uint32_t value)
{
	put(w, value, 4);
}

void block_u64(struct block_writer *w, uint64_t value)
{
	put(w, value, 8);
}

void block_bytes(struct block_writer *w, struct bytes bytes)
{
	uint8_t *p = reserve(w, bytes.length);

	if (p && bytes.length)
		memcpy(p, bytes.data, bytes.length);
}

void block_option(struct block_writer *w, uint16_t code, struct bytes value)
{
	if (!value.length)
		return;
	if (value.length > UINT16_MAX)
		value.length = UINT16_MAX;
	block_u16(w, code);
	block_u16(w, (uint16_t)value.length);
	block_bytes(w, value);
	pad(w);
}

void block_option_u64(struct block_writer *w, uint16_t code, uint64_t value)
{
	block_u16(w, code);
	block_u16(w, 8);
	block_u64(w, value);
}

void block_options_end(struct block_writer *w)
{
	block_u32(w, 0);
}

int block_end(struct block_writer *w)
{
	pad(w);
	block_u32(w, (uint32_t)w->length + 4);
	if (w->overflow)
		return -1;
	put_le(w->data + 4, w->length, 4);
	return 0;
}
