/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/options.h"

#include "milter/packet.h"
#include "milter/protocol.h"

static const uint32_t needed_actions = SMFIF_ADDHDRS | SMFIF_CHGHDRS;

static const uint32_t wanted_actions = SMFIF_ADDHDRS | SMFIF_CHGBODY |
				       SMFIF_ADDRCPT | SMFIF_DELRCPT |
				       SMFIF_CHGHDRS | SMFIF_QUARANTINE |
				       SMFIF_ADDRCPT_PAR | SMFIF_SETSYMLIST;

static const uint32_t wanted_steps = SMFIP_NR_HDR | SMFIP_NOUNKNOWN |
				     SMFIP_NODATA | SMFIP_SKIP | SMFIP_NR_CONN |
				     SMFIP_NR_HELO | SMFIP_NR_MAIL |
				     SMFIP_NR_RCPT | SMFIP_NR_DATA |
				     SMFIP_NR_UNKN | SMFIP_NR_EOH |
				     SMFIP_NR_BODY | SMFIP_HDR_LEADSPC;

/* What milter/macros.c reads.  An MTA that is sent one list sends nothing for
 * the commands that have none. */
static const struct {
	uint32_t stage;
	struct slice names;
} symbols[] = {
    {SMFIM_CONNECT, SLICE_INIT("{client_resolve}")},
    {SMFIM_HELO, SLICE_INIT("{tls_version} {cipher} {verify} {cert_subject} "
			    "{cn_subject}")},
    {SMFIM_ENVFROM,
	SLICE_INIT("i {mail_addr} {auth_authen} {auth_type} {tls_version} "
		   "{cipher} {verify} {cert_subject} {cn_subject}")},
    {SMFIM_ENVRCPT, SLICE_INIT("{rcpt_addr}")},
    {SMFIM_EOM, SLICE_INIT("i")},
};

bool options_parse(
    struct slice data, struct milter_options *ret, struct err *err)
{
	struct milter_options options;

	/* What follows in later versions is not for us. */
	if (!packet_take_u32(&data, &options.version) ||
	    !packet_take_u32(&data, &options.actions) ||
	    !packet_take_u32(&data, &options.steps))
		return err_set(err, E_SYNTAX, "options: too short");
	*ret = options;
	return true;
}

bool options_choose(const struct milter_options *offered,
    struct milter_options *ret, struct err *err)
{
	struct milter_options chosen = {
	    .version = offered->version < MILTER_VERSION ? offered->version
							 : MILTER_VERSION,
	    .actions = offered->actions & wanted_actions,
	    .steps = offered->steps & wanted_steps,
	};

	if (chosen.version < MILTER_VERSION_MIN)
		return err_set(err, E_CONFIG,
		    "the MTA speaks version %lu of the protocol; at least %d "
		    "is needed",
		    (unsigned long)offered->version, MILTER_VERSION_MIN);
	if ((chosen.actions & needed_actions) != needed_actions)
		return err_set(err, E_CONFIG,
		    "the MTA does not let a milter add and remove header "
		    "fields (actions 0x%lx)",
		    (unsigned long)offered->actions);
	*ret = chosen;
	return true;
}

static bool add_u32(struct buf *data, uint32_t number)
{
	unsigned char octets[4];

	packet_put_u32(octets, number);
	return buf_add(data, slice_of((const char *)octets, sizeof(octets)));
}

static bool add_symbols(struct buf *data)
{
	bool ok = true;

	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
		ok = ok && add_u32(data, symbols[i].stage) &&
		     buf_add(data, symbols[i].names) && buf_add_byte(data, 0);
	return ok;
}

bool options_write(struct buf *out, const struct milter_options *chosen)
{
	struct buf data;
	bool ok;

	buf_init(&data, 1024);
	ok = add_u32(&data, chosen->version) &&
	     add_u32(&data, chosen->actions) && add_u32(&data, chosen->steps);
	if (chosen->actions & SMFIF_SETSYMLIST)
		ok = ok && add_symbols(&data);
	ok = ok && packet_write(out, SMFIC_OPTNEG, buf_slice(&data));
	buf_release(&data);
	return ok;
}
