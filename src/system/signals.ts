// SPDX-License-Identifier: Apache-2.0
// Names of signals. Pure.
import { systemConstants } from './constants.ts'

/** Returns the number of a signal by name (`INT`, `SIGINT`, in any case) or number; undefined if there is no such signal. */
export function parseSignalWord(value: unknown): number | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const word = String(value).toUpperCase()
  if (/^\d{1,2}$/.test(word)) return Number(word) >= 1 && Number(word) <= 64 ? Number(word) : undefined
  const name = word.startsWith('SIG') ? word : `SIG${word}`
  return Object.hasOwn(systemConstants.signals, name) ? systemConstants.signals[name as NodeJS.Signals] : undefined
}

/** Returns the name of a signal, such as `SIGTERM`; undefined for a number without a name. */
export function signalName(number: number): string | undefined {
  return Object.entries(systemConstants.signals).find(([, value]) => value === number)?.[0]
}
