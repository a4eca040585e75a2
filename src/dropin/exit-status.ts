// SPDX-License-Identifier: Apache-2.0
// Exit statuses of libcgroup's tools: the low byte of its error numbers, which start at 50000; scripts test for them.
import { HutchError } from '../errors/errors.ts'

export const statuses = {
  /** The command line is wrong. */
  usage: 129,
  /** lsns: the kernel does not know what it is asked. */
  unknownIoctl: 2,
  /** What cgcreate says of a mode, and cgexec of a command that could not be run. */
  failed: 255,
  groupMissing: 82,
  controllerUnmounted: 84,
  notAllowed: 87,
  givenTwice: 90,
  invalid: 91,
  operationFailed: 93,
  valueMissing: 95,
  /** The kernel refused: errno. */
  refused: 96,
  rulesMissing: 99,
  mountFailed: 101,
  configInvalid: 104,
  mountAndNamespace: 107,
  noTranslation: 111,
} as const

const marked = new WeakMap<object, number>()

/** Gives an error the exit status that the tool ends with, unless it has one: the innermost knows best. */
export function withStatus<E>(status: number, error: E): E {
  if (HutchError.is(error) && !marked.has(error)) marked.set(error, status)
  return error
}

/** Runs a step; an error that it throws gets this status. */
export function orStatus<T>(status: number, step: () => T): T {
  try {
    return step()
  } catch (error) {
    throw withStatus(status, error)
  }
}

/** The exit status of an error that ended a tool. */
export function statusOf(error: unknown, failure?: number): number {
  return HutchError.is(error) ? (marked.get(error) ?? failure ?? statuses.usage) : (failure ?? statuses.failed)
}
