// SPDX-License-Identifier: Apache-2.0
// Parses --interval and other times, and waits between samples, for commands that sample repeatedly.
import { fail } from '../errors/errors.ts'
import { parseDuration } from '../text/units.ts'
import type { Flag, Parsed } from './flags.ts'

export const intervalFlag: Flag = { value: 'TIME', help: 'Time between two samples.', default: '1s' }

/**
 * Returns the time between two samples (--interval) in milliseconds. It is `usual` by default, and must be at least `least`. @throws
 * OPTION_INVALID
 */
export function readInterval({ interval }: Parsed['values'], usual = 1000, least = 50): number {
  const text = interval?.at(-1)
  const ms = text === undefined ? usual : parseDuration(text, 1000)
  if (ms !== undefined && ms >= least && ms < 2 ** 31) return ms
  throw fail('OPTION_INVALID', {
    name: '--interval',
    value: text,
    why: ms === undefined ? undefined : 'too short or too long',
    accepted: `a time such as 1s, 500ms or 2m, ${least} ms at least`,
  })
}

/** Accepted values of options for how long recorded samples are kept or shown. */
export const longTime = { least: 1000, accepted: 'a time such as 90s, 10m, 12h or 7d, up to 49d' }

/** Returns the value of an option as a time in milliseconds; undefined if the option is not given. @throws OPTION_INVALID */
export function readTime(
  values: Parsed['values'],
  name: string,
  { least, accepted } = { least: 0, accepted: 'a time such as 10s, 500ms or 2m' },
): number | undefined {
  const text = values[name]?.at(-1)
  if (text === undefined) return undefined
  const ms = parseDuration(text, 1000)
  if (ms !== undefined && ms >= least) return ms
  throw fail('OPTION_INVALID', {
    name: `--${name}`,
    value: text,
    why: ms === undefined ? undefined : 'too short',
    accepted,
  })
}

const signals = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const

interface Pauses {
  /** Waits for the time of the next sample. Resolves with false as soon as a signal has arrived. */
  next(wait?: number): Promise<boolean>
  isOver(): boolean
  end(): void
}

/** Returns a timer that waits between samples, until a signal ends it. */
export function pauses(ms: number): Pauses {
  let over = false
  let wake = () => {}
  const stop = () => {
    over = true
    wake()
  }
  for (const signal of signals) process.on(signal, stop)
  return {
    next: (wait = ms) =>
      new Promise((resolve) => {
        if (over) return resolve(false)
        const timer = setTimeout(() => resolve(true), wait)
        wake = () => {
          clearTimeout(timer)
          resolve(false)
        }
      }),
    isOver: () => over,
    end: () => {
      for (const signal of signals) process.off(signal, stop)
    },
  }
}
