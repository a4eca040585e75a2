/* SPDX-License-Identifier: Apache-2.0 */
/* Declares what the files of Node-API share. */
#ifndef HUTCH_NAPI_H
#define HUTCH_NAPI_H

#include "engine.h"
#include "../node/job.h"

#define SLOTS 256

struct napi_env__ {
	JSValue slots[SLOTS];
	int used;
	void *instance;
	void (*hooks[8])(void *);
	void *hook_data[8];
	int hook_count;
	JSClassID external;
};

extern struct napi_env__ env_one;

napi_status hold(napi_env env, JSValue value, napi_value *out);
JSValue value_of(napi_value value);
void drop(napi_env env, int used);

#endif
