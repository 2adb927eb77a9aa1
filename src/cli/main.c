/* SPDX-License-Identifier: Apache-2.0 */
/* cli/main.c - the program: its commands, in the order of --help. */
#include "cli/command.h"
#include "cli/commands.h"

static const struct command *const commands[] = {
    &command_serve,
    &command_check,
    &command_config_check,
    &command_config_dump,
    &command_config_describe,
    &command_dmarc,
    &command_explain,
    &command_quarantine_list,
    &command_quarantine_show,
    &command_quarantine_release,
    &command_quarantine_delete,
    &command_report_own_domain,
    &command_search,
    &command_spf,
    &command_status,
    &command_trace,
    NULL,
};

int main(int argc, char **argv)
{
	return command_main(commands, argc, argv);
}
