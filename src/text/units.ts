// SPDX-License-Identifier: Apache-2.0
// Parses and formats sizes, times and counts. Parsers return undefined for invalid values. Pure.

const factors: Record<string, number> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40, p: 2 ** 50 }

/** The value of a limit: a number, or `max` for no limit. */
export type Limit = number | 'max'

/**
 * Parses a size in bytes: `50M`, `1.5G`, `52428800`, `64KiB`, `64Ki` or `max`. Units are powers of 1024, as in the
 * kernel and Docker.
 */
export function parseSize(value: unknown): Limit | undefined {
  if (value === 'max') return 'max'
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgtp]?)(?:(?<=[kmgtp])i|i?b)?$/i.exec(asText(value))
  const bytes = match ? Math.floor(Number(match[1]) * factors[match[2]!.toLowerCase()]!) : undefined
  return bytes !== undefined && Number.isSafeInteger(bytes) ? bytes : undefined
}

/** Parses a whole number of at least 1, or `max`. */
export function parseCount(value: unknown): Limit | undefined {
  if (value === 'max') return 'max'
  const text = asText(value)
  const count = /^\d+$/.test(text) ? Number(text) : 0
  return count >= 1 && Number.isSafeInteger(count) ? count : undefined
}

/**
 * Parses a duration to milliseconds: `10s`, `500ms`, `2m` or `1.5h`. A number without a unit is multiplied by
 * `bareUnit`. That is 1000 on the command line, as in timeout(1), and 1 in the library.
 */
export function parseDuration(value: unknown, bareUnit: number): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(asText(value))
  if (!match) return undefined
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] ?? ''] ?? bareUnit
  const ms = Math.ceil(Number(match[1]) * unit)
  return ms <= 0xffff_ffff ? ms : undefined
}

/** Parses a number of CPUs such as 0.5 or 2. The minimum is 0.01, because the kernel's smallest quota is 1 ms in each 100 ms. */
export function parseCpus(value: unknown): Limit | undefined {
  if (value === 'max') return 'max'
  const text = asText(value)
  const cpus = /^(\d+(\.\d+)?|\.\d+)$/.test(text) ? Number(text) : 0
  return cpus >= 0.01 && cpus <= 1_000_000 ? cpus : undefined
}

/** Parses a list of CPUs in the format of cpuset(7), such as 0-2,5. */
export function parseCpuList(value: unknown): string | undefined {
  const text = asText(value)
  if (!/^\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*$/.test(text)) return undefined
  const backwards = text
    .split(',')
    .some((part) => Number(part.split('-')[0]) > Number(part.split('-')[1] ?? Number.POSITIVE_INFINITY))
  return backwards ? undefined : text
}

/** Returns how many CPUs a list such as `0-2,5` names. Returns 0 if the list is invalid. */
export function parseCpuCount(list: string): number {
  if (parseCpuList(list.trim()) === undefined) return 0
  const ranges = list.split(',').map((part) => part.split('-').map(Number) as [number, number?])
  return ranges.reduce((sum, [first, last = first]) => sum + last - first + 1, 0)
}

/** Formats a size in bytes for people, such as `50.0 MiB` or `900 B`. */
export function formatSize(bytes: Limit): string {
  if (bytes === 'max') return 'max'
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let amount = bytes
  let unit = 0
  for (; amount >= 1024 && unit < units.length - 1; unit++) amount /= 1024
  return unit === 0 ? `${bytes} B` : `${amount.toFixed(1)} ${units[unit]}`
}

/** Formats a duration in milliseconds for people, such as `1.5 s`, `20 ms` or `3 min 5 s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`
}

/** Returns a number or a text as text. Returns '' for an object, or for a number with an exponent (1e21). */
function asText(value: unknown): string {
  if (typeof value === 'string') return value
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : ''
}
