/* SPDX-License-Identifier: Apache-2.0 */
/* What every child says in the log, and how. */
#include "base/log.h"
#include "cli/child.h"
#include "cli/command.h"

void child_tell_reload(
    const struct child_process *child, const char *name, const struct err *err)
{
	if (err)
		log_error("child.reload", LOG_T("child", name),
		    LOG_T("result", "kept"), LOG_ERR(err));
	else
		log_notice("child.reload", LOG_T("child", name),
		    LOG_T("result", "loaded"));
	child_tell(child, err ? "kept" : "reloaded");
}

int child_cannot_start(const char *name, const struct err *err)
{
	log_error("child.start", LOG_T("child", name), LOG_ERR(err));
	return command_exit_code(err);
}

void child_set_up_log(const struct config *config)
{
	unsigned int topics = 0;

	log_setup(config->log.level, config->log.format);
	for (size_t i = 0; i < config->log.trace.count; i++)
		topics |= log_topic_from_name(config->log.trace.items[i]);
	log_set_topics(topics);
}
