/* SPDX-License-Identifier: Apache-2.0 */
/* The shared functions of all rooms: each room's header lists its own. */
#ifndef HUTCH_H
#define HUTCH_H

#include "lib/lib.h"
#include "wire/decode.h"
#include "caller/caller.h"
#include "init/init.h"

#endif
