/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log_client.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/log_private.h"

_Thread_local struct log_client log_client;

/* Of the process; the lock is taken only while there are rules. */
static struct {
	atomic_size_t count;
	pthread_mutex_t lock;
	struct log_client_rule items[LOG_CLIENT_RULES_MAX];
} rules = {.lock = PTHREAD_MUTEX_INITIALIZER};

void log_client_set(size_t count, const struct log_client_rule *wanted)
{
	if (count > LOG_CLIENT_RULES_MAX)
		count = LOG_CLIENT_RULES_MAX;
	pthread_mutex_lock(&rules.lock);
	for (size_t i = 0; i < count; i++)
		rules.items[i] = wanted[i];
	atomic_store(&rules.count, count);
	pthread_mutex_unlock(&rules.lock);
}

static unsigned int topics_of(const struct ip *ip)
{
	int64_t now = clock_now_ms(NULL);
	unsigned int topics = 0;
	size_t count;

	pthread_mutex_lock(&rules.lock);
	count = atomic_load(&rules.count);
	for (size_t i = 0; i < count; i++)
		if (now < rules.items[i].until_ms &&
		    ip_network_contains(&rules.items[i].network, ip))
			topics |= rules.items[i].topics;
	pthread_mutex_unlock(&rules.lock);
	return topics;
}

void log_client_begin(const struct ip *ip, uint16_t port)
{
	log_client.known = true;
	log_client.ip = *ip;
	log_client.port = port;
	log_client.topics = 0;
	if (atomic_load_explicit(&rules.count, memory_order_relaxed))
		log_client.topics = topics_of(ip);
}

void log_client_end(void)
{
	log_client.known = false;
	log_client.topics = 0;
}
