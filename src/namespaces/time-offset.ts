// SPDX-License-Identifier: Apache-2.0
// Parses the clock offsets of a time namespace: time_namespaces(7). Pure.

const units: { [unit: string]: number } = { ns: 1e-9, us: 1e-6, ms: 1e-3, '': 1, s: 1, m: 60, h: 3600, d: 86_400 }

/** Clocks that can have an offset in a time namespace. The wall clock (CLOCK_REALTIME) cannot. */
export const offsetClocks = ['monotonic', 'boottime'] as const

/**
 * Parses an offset such as `+10s`, `-2h`, `1.5d` or a number of seconds. `nanoseconds` is never negative, as the kernel
 * requires, so `seconds` is rounded down.
 */
export function parseOffset(value: unknown): { seconds: number; nanoseconds: number } | undefined {
  const match = /^([+-]?)(\d{1,12}(?:\.\d{1,9})?)(ns|us|ms|s|m|h|d)?$/.exec(
    typeof value === 'number' ? String(value) : typeof value === 'string' ? value : '',
  )
  if (!match) return undefined
  const total = (match[1] === '-' ? -1 : 1) * Number(match[2]) * units[match[3] ?? '']!
  const seconds = Math.floor(total)
  // round to nine decimal places, because further digits would only be floating-point errors
  const nanoseconds = Math.min(Math.round((total - seconds) * 1e9), 999_999_999)
  // the kernel refuses an offset that moves the clock beyond 2^62 ns
  return Math.abs(seconds) <= 4_000_000_000 ? { seconds, nanoseconds } : undefined
}

/** Parses `monotonic=+10s,boottime=-1d`, or an object with these keys. Returns the text to write to /proc/self/timens_offsets. */
export function parseOffsets(value: unknown): string | undefined {
  const pairs =
    typeof value === 'string'
      ? value.split(',').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)] as const)
      : typeof value === 'object' && value !== null
        ? Object.entries(value as object)
        : []
  const lines: string[] = []
  const seen = new Set<string>()
  for (const [clock, amount] of pairs) {
    const offset = parseOffset(amount)
    if (!offset || seen.has(clock) || !(offsetClocks as readonly string[]).includes(clock)) return undefined
    seen.add(clock)
    lines.push(`${clock} ${offset.seconds} ${offset.nanoseconds}\n`)
  }
  return lines.length > 0 ? lines.join('') : undefined
}
