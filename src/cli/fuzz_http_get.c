/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/http_get.h"
#include "cli/samples.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct slice text = slice_of((const char *)bytes, size);
	struct http_answer answer = {.body = text};

	http_answer_parse(text, &answer, NULL);
	for (int i = 0; i < METRIC_COUNT; i++)
		samples_sum(answer.body, (enum metric)i);
	return 0;
}
