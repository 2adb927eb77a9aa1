/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#include "base/ascii.h"

static int64_t read_ms(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_now_ms(const struct clock *clock)
{
	if (clock && clock->fixed)
		return clock->fixed_at * 1000;
	return read_ms(CLOCK_REALTIME);
}

int64_t clock_now(const struct clock *clock)
{
	return clock_now_ms(clock) / 1000;
}

int64_t clock_monotonic_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

int64_t clock_boot_ms(void)
{
	return read_ms(CLOCK_BOOTTIME);
}

struct deadline deadline_in(int64_t ms)
{
	int64_t now = clock_monotonic_ms();

	return ms < INT64_MAX - now ? (struct deadline){now + ms}
				    : DEADLINE_NEVER;
}

struct deadline deadline_min(struct deadline a, struct deadline b)
{
	return a.at_ms < b.at_ms ? a : b;
}

bool deadline_passed(struct deadline deadline)
{
	return clock_monotonic_ms() >= deadline.at_ms;
}

int deadline_poll_ms(struct deadline deadline)
{
	int64_t left;

	if (deadline.at_ms == DEADLINE_NEVER.at_ms)
		return -1;
	left = deadline.at_ms - clock_monotonic_ms();
	if (left < 0)
		return 0;
	return left > INT32_MAX ? INT32_MAX : (int)left;
}

/* Takes exactly digits digits from the front of *text. */
static bool take_number(struct slice *text, size_t digits, int *ret)
{
	uint64_t value;

	if (!slice_to_u64(slice_sub(*text, 0, digits), 9999, &value) ||
	    text->len < digits)
		return false;
	*ret = (int)value;
	*text = slice_from_pos(*text, digits);
	return true;
}

static bool take_byte(struct slice *text, char byte)
{
	if (text->len == 0 || ascii_lower(text->ptr[0]) != byte)
		return false;
	*text = slice_from_pos(*text, 1);
	return true;
}

static int days_of(int year, int month)
{
	static const int days[] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_date(struct slice *text, struct tm *tm)
{
	int year, month, day;

	if (!take_number(text, 4, &year) || !take_byte(text, '-') ||
	    !take_number(text, 2, &month) || !take_byte(text, '-') ||
	    !take_number(text, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_of(year, month))
		return false;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	return true;
}

static bool take_time(struct slice *text, struct tm *tm)
{
	if (!take_number(text, 2, &tm->tm_hour) || !take_byte(text, ':') ||
	    !take_number(text, 2, &tm->tm_min) || !take_byte(text, ':') ||
	    !take_number(text, 2, &tm->tm_sec))
		return false;
	if (take_byte(text, '.')) {
		if (text->len == 0 || !ascii_is_digit(text->ptr[0]))
			return false;
		while (text->len && ascii_is_digit(text->ptr[0]))
			*text = slice_from_pos(*text, 1);
	}
	return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 61;
}

static bool take_offset(struct slice *text, int *ret_seconds)
{
	int hours, minutes, sign = 1;

	*ret_seconds = 0;
	if (take_byte(text, 'z'))
		return true;
	if (take_byte(text, '-'))
		sign = -1;
	else if (!take_byte(text, '+'))
		return false;
	if (!take_number(text, 2, &hours) || !take_byte(text, ':') ||
	    !take_number(text, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

bool clock_parse_rfc3339(struct slice text, int64_t *ret, struct err *err)
{
	struct slice rest = text;
	struct tm tm = {0};
	int offset = 0;
	bool ok = take_date(&rest, &tm);

	if (ok && rest.len)
		ok = (take_byte(&rest, 't') || take_byte(&rest, ' ')) &&
		     take_time(&rest, &tm) && take_offset(&rest, &offset);
	if (!ok || rest.len)
		return err_set(err, E_SYNTAX,
		    "\"%.*s\" is not a time like 2027-01-31T10:00:00Z",
		    SLICE_ARGS(slice_sub(text, 0, 64)));
	*ret = (int64_t)timegm(&tm) - offset;
	return true;
}

struct slice clock_format_rfc3339(struct arena *arena, int64_t seconds)
{
	time_t when = (time_t)seconds;
	struct tm tm;
	char text[64];

	if (!gmtime_r(&when, &tm))
		return SLICE("invalid-time");
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return arena_slice(arena, slice_from(text));
}

struct slice clock_format_rfc5322(struct arena *arena, int64_t seconds)
{
	static const char days[7][4] = {
	    "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t when = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&when, &tm))
		return SLICE("invalid-time");
	return arena_format_slice(arena, "%s, %d %s %d %02d:%02d:%02d +0000",
	    days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
	    tm.tm_hour, tm.tm_min, tm.tm_sec);
}
