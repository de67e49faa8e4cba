/* proto/path_mtu.c: narrow paths behind the guest. */
#include "proto/path_mtu.h"

#include "proto/env.h"

#define LIFE_NS		 (10 * 60 * NS_PER_SEC) /* RFC 8201 4 */
#define MTU_OF_UNKNOWING 576			/* RFC 1191 5 */

static const struct path_mtu *find(const struct env *env, const struct addr *dst)
{
	const struct path_mtus *m = &env->path_mtus;

	for (unsigned i = 0; i < m->n; i++)
		if (m->paths[i].until_ns > env->now_ns && addr_eq(&m->paths[i].dst, dst))
			return &m->paths[i];
	return NULL;
}

uint16_t path_mtu(const struct env *env, const struct addr *dst)
{
	const struct path_mtu *p = find(env, dst);

	return p && p->mtu < env->net->mtu ? p->mtu : env->net->mtu;
}

/* The place of this path, of none, or of the path that was told of first. */
static struct path_mtu *place(struct path_mtus *m, const struct addr *dst)
{
	struct path_mtu *oldest = m->paths;

	for (unsigned i = 0; i < m->n; i++) {
		if (addr_eq(&m->paths[i].dst, dst))
			return &m->paths[i];
		if (m->paths[i].until_ns < oldest->until_ns)
			oldest = &m->paths[i];
	}
	return m->n < PATH_MTU_PATHS ? &m->paths[m->n++] : oldest;
}

bool path_mtu_lower(struct env *env, const struct addr *dst, uint32_t mtu)
{
	if (addr_is_ip4(dst)) {
		mtu = mtu ? mtu : MTU_OF_UNKNOWING;
		mtu = mtu < PATH_MTU_MIN4 ? PATH_MTU_MIN4 : mtu;
	} else if (mtu < IP6_MTU_MIN) {
		return false; /* RFC 8201 4 */
	}
	if (mtu >= path_mtu(env, dst))
		return false;
	*place(&env->path_mtus, dst) =
		(struct path_mtu){ *dst, (uint16_t)mtu, env->now_ns + LIFE_NS };
	return true;
}
