/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void out_of_memory(void)
{
	fputs("gatehouse: out of memory\n", stderr);
	abort();
}

void *memory_new(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size ? size : 1);

	if (!memory)
		out_of_memory();
	return memory;
}

void *memory_resize(void *memory, size_t count, size_t size)
{
	void *larger = reallocarray(memory, count ? count : 1, size);

	if (!larger)
		out_of_memory();
	return larger;
}

char *memory_copy_text(const char *text, size_t len)
{
	char *copy = memory_new(len + 1, 1);

	if (len)
		memcpy(copy, text, len);
	return copy;
}

void memory_free(void *memory)
{
	free(memory);
}

void memory_tune(void)
{
	enum { MIB = 1024 * 1024, ARENAS = 4 };

	mallopt(M_ARENA_MAX, ARENAS);
	mallopt(M_TOP_PAD, MIB / 4);
	mallopt(M_TRIM_THRESHOLD, 4 * MIB);
	mallopt(M_MMAP_THRESHOLD, 8 * MIB);
}
