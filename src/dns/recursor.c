/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/recursor.h"

bool recursor_open(const struct dns_settings *settings,
    recursor_deliver *deliver, struct recursor **ret, struct err *err)
{
	(void)settings;
	(void)deliver;
	(void)ret;
	return err_set(err, E_CONFIG, "only zone files are answered so far");
}

void recursor_close(struct recursor *recursor)
{
	(void)recursor;
}

size_t recursor_capacity(const struct recursor *recursor)
{
	(void)recursor;
	return 0;
}

bool recursor_post(struct recursor *recursor, const struct question *question,
    void *request, struct err *err)
{
	(void)recursor;
	(void)question;
	(void)request;
	return err_set(err, E_TEMP, "no recursor");
}
