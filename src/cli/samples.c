/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/samples.h"

#include <stdio.h>

enum { SERIES_MAX = 200 };

bool samples_find(struct slice text, struct slice series, uint64_t *ret)
{
	static const uint64_t max = 1ULL << 53;
	struct slice line;

	while (text.len) {
		slice_split(text, '\n', &line, &text);
		if (!slice_starts(line, series))
			continue;
		line = slice_from_pos(line, series.len);
		if (!line.len || line.ptr[0] != ' ')
			continue;
		line = slice_from_pos(line, 1);
		slice_split(line, '.', &line, &(struct slice){0});
		return slice_to_u64(line, max, ret);
	}
	return false;
}

uint64_t samples_value(struct slice text, enum metric metric, size_t value)
{
	const struct metric_spec *spec = &metric_specs[metric];
	char series[SERIES_MAX];
	uint64_t number = 0;

	if (spec->label)
		snprintf(series, sizeof(series), "%s{%s=\"%s\"}", spec->name,
		    spec->label, spec->values[value]);
	else
		snprintf(series, sizeof(series), "%s", spec->name);
	samples_find(text, slice_from(series), &number);
	return number;
}

uint64_t samples_sum(struct slice text, enum metric metric)
{
	size_t count = metric_value_count(&metric_specs[metric]);
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += samples_value(text, metric, i);
	return sum;
}
