/* SPDX-License-Identifier: Apache-2.0 */
/* libfyaml 0.7.12 forgets some kilobytes when it meets certain syntax errors;
 * nothing that a server does often.  Leaks of our own are still found.
 */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml\n";
}
