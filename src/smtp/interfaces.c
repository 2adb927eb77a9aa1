/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/interfaces.h"

#include <ifaddrs.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/memory.h"

enum { KEPT_MS = 1000 };

/* Of the process: they are those of the host. */
static struct {
	pthread_mutex_t lock;
	int64_t until_ms; /* so long the list holds */
	size_t count, room;
	struct ip *list;
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* With the lock. */
static void add(const struct ip *ip)
{
	if (known.count == known.room) {
		known.room = known.room ? known.room * 2 : 16;
		known.list = memory_resize(
		    known.list, known.room, sizeof(*known.list));
	}
	known.list[known.count++] = *ip;
}

/* With the lock.  A failure is not asked about again at once, either. */
static void read_list(int64_t now_ms)
{
	struct ifaddrs *all;
	struct ip ip;

	known.until_ms = now_ms + KEPT_MS;
	known.count = 0;
	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *one = all; one; one = one->ifa_next)
		if (one->ifa_addr && ip_from_sockaddr(one->ifa_addr, &ip, NULL))
			add(&ip);
	freeifaddrs(all);
}

/* With the lock. */
static bool is_listed(const struct ip *ip)
{
	for (size_t i = 0; i < known.count; i++)
		if (ip_equal(&known.list[i], ip))
			return true;
	return false;
}

bool interfaces_have(const struct ip *ip)
{
	int64_t now_ms;
	bool found = ip_is_loopback(ip);

	if (found)
		return true;
	now_ms = clock_monotonic_ms();
	pthread_mutex_lock(&known.lock);
	if (now_ms >= known.until_ms)
		read_list(now_ms);
	found = is_listed(ip);
	pthread_mutex_unlock(&known.lock);
	return found;
}
