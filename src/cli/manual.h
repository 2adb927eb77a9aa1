/* SPDX-License-Identifier: Apache-2.0 */
/* cli/manual.h - help texts and man pages, made from the command rows. */
#ifndef CLI_MANUAL_H
#define CLI_MANUAL_H

#include <stdio.h>

#include "cli/command.h"

void manual_print_overview(const struct command *const *commands, FILE *out);

/* The commands that begin with word, a line each. */
void manual_print_group(
    const struct command *const *commands, const char *word, FILE *out);

/* --help of one command; returns EXIT_DONE. */
int manual_print_command(const struct command *command, FILE *out);

/* Text for troff: nothing of it is taken for a request. */
void manual_roff_text(const char *text, FILE *out);

/* gatehouse.yaml.5: every field, from its row.  False: said on stderr. */
bool manual_write_config(const char *directory);

/* `gatehouse manual DIRECTORY` writes every man page there; used by the
 * build.  `gatehouse manual` alone lists their names. */
int manual_print_pages(
    const struct command *const *commands, int argc, char *const *argv);

#endif
