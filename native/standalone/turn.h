/* SPDX-License-Identifier: Apache-2.0 */
/* Declares the reactor's turn. */
#ifndef HUTCH_TURN_H
#define HUTCH_TURN_H

struct reactor;

int reactor_turn(struct reactor *r);

#endif
