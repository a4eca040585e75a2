// SPDX-License-Identifier: Apache-2.0
// Offsets of the clocks in a time namespace: time_namespaces(7).

const units: { [unit: string]: number } = { ns: 1e-9, us: 1e-6, ms: 1e-3, '': 1, s: 1, m: 60, h: 3600, d: 86_400 }

/** Clocks that can be set off. The wall clock cannot. */
export const offsetClocks = ['monotonic', 'boottime'] as const

/** Seconds and nanoseconds from `+10s`, `-2h`, `1.5d`, or a number of seconds; the nanoseconds count upwards, as the kernel wants. */
export function parseOffset(value: unknown): { seconds: number; nanoseconds: number } | undefined {
  const match = /^([+-]?)(\d{1,12}(?:\.\d{1,9})?)(ns|us|ms|s|m|h|d)?$/.exec(
    typeof value === 'number' ? String(value) : typeof value === 'string' ? value : '',
  )
  if (!match) return undefined
  const total = (match[1] === '-' ? -1 : 1) * Number(match[2]) * units[match[3] ?? '']!
  const seconds = Math.floor(total)
  // nine digits after the point: more would be the rounding of this arithmetic
  const nanoseconds = Math.min(Math.round((total - seconds) * 1e9), 999_999_999)
  // the kernel takes no clock beyond half of 2^63 ns
  return Math.abs(seconds) <= 4_000_000_000 ? { seconds, nanoseconds } : undefined
}

/** `monotonic=+10s,boottime=-1d`, or the same as an object, as /proc/self/timens_offsets takes it. */
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
