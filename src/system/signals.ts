// SPDX-License-Identifier: Apache-2.0
// Parses and returns names of signals. Pure.
import { systemConstants } from './constants.ts'

/**
 * Returns the number of a signal from its name (`INT` or `SIGINT`, in any case) or number. Returns undefined if there
 * is no such signal.
 */
export function parseSignalWord(value: unknown): number | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const word = String(value).toUpperCase()
  if (/^\d{1,2}$/.test(word)) return Number(word) >= 1 && Number(word) <= 64 ? Number(word) : undefined
  const name = word.startsWith('SIG') ? word : `SIG${word}`
  return Object.hasOwn(systemConstants.signals, name) ? systemConstants.signals[name as NodeJS.Signals] : undefined
}

/** Returns the name of a signal, such as `SIGTERM`. Returns undefined if the number has no name. */
export function signalName(number: number): string | undefined {
  return Object.entries(systemConstants.signals).find(([, value]) => value === number)?.[0]
}
