// SPDX-License-Identifier: Apache-2.0
// Exit statuses of libcgroup's tools, which scripts test: the low byte of its error numbers, which start at 50000. Pure.
import { HutchError } from '../errors/errors.ts'

export const statuses = {
  /** The command line is invalid. */
  usage: 129,
  /** lsns: the kernel does not support a needed ioctl. */
  unknownIoctl: 2,
  /** cgcreate: an invalid mode. cgexec: the command could not be executed. */
  failed: 255,
  groupMissing: 82,
  controllerUnmounted: 84,
  notAllowed: 87,
  givenTwice: 90,
  invalid: 91,
  operationFailed: 93,
  valueMissing: 95,
  /** The kernel refused an operation, with an errno. */
  refused: 96,
  rulesMissing: 99,
  mountFailed: 101,
  configInvalid: 104,
  mountAndNamespace: 107,
  noTranslation: 111,
} as const

const marked = new WeakMap<object, number>()

/** Assigns an exit status to an error, unless the error already has one: the innermost assignment is the most specific. */
export function withStatus<E>(status: number, error: E): E {
  if (HutchError.is(error) && !marked.has(error)) marked.set(error, status)
  return error
}

/** Runs a step. If the step throws an error, assigns this exit status to the error. */
export function orStatus<T>(status: number, step: () => T): T {
  try {
    return step()
  } catch (error) {
    throw withStatus(status, error)
  }
}

/** Returns the exit status for an error that ended a tool. */
export function statusOf(error: unknown, failure?: number): number {
  return HutchError.is(error) ? (marked.get(error) ?? failure ?? statuses.usage) : (failure ?? statuses.failed)
}
