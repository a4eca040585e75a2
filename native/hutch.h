/* SPDX-License-Identifier: Apache-2.0 */
/* Includes the shared declarations of every folder. Each folder's own header lists its functions. */
#ifndef HUTCH_H
#define HUTCH_H

#include "lib/lib.h"
#include "wire/decode.h"
#include "caller/caller.h"
#include "init/init.h"

#endif
