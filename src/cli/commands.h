/* SPDX-License-Identifier: Apache-2.0 */
/* cli/commands.h - the rows of all commands; each stands in the cmd_ file of
 * its first word. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/command.h"

extern const struct command command_check;
extern const struct command command_config_check;
extern const struct command command_config_describe;
extern const struct command command_config_dump;
extern const struct command command_dmarc;
extern const struct command command_explain;
extern const struct command command_quarantine_delete;
extern const struct command command_quarantine_list;
extern const struct command command_quarantine_release;
extern const struct command command_quarantine_show;
extern const struct command command_report_own_domain;
extern const struct command command_search;
extern const struct command command_serve;
extern const struct command command_spf;
extern const struct command command_status;
extern const struct command command_trace;

#endif
