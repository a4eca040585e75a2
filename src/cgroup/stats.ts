// SPDX-License-Identifier: Apache-2.0
// The text formats that cgroup files share: cgroup-v2.rst, "Interface Files, Format".

/** Kernel file name → its text; what could not be read is missing. */
export type Figures = { [file: string]: string | undefined }

/** `key value` lines → numbers. Lines of other shapes are left out. */
export function parseFlat(text: string | undefined): { [key: string]: number } {
  const values: { [key: string]: number } = {}
  for (const line of text?.split('\n') ?? []) {
    const [, key, value] = /^(\S+) (\d+)$/.exec(line) ?? []
    if (key) values[key] = Number(value)
  }
  return values
}

/** A file with one number; `max` and anything else is undefined. */
export function parseNumber(text: string | undefined): number | undefined {
  const trimmed = text?.trim()
  return trimmed !== undefined && /^\d+$/.test(trimmed) ? Number(trimmed) : undefined
}

/** Stall totals in microseconds from a *.pressure file (kernel documentation accounting/psi.rst). */
export function parsePressure(text: string | undefined): { someUsec?: number; fullUsec?: number } {
  const total = (kind: string) => new RegExp(`^${kind} .*total=(\\d+)$`, 'm').exec(text ?? '')?.[1]
  const some = total('some')
  const full = total('full')
  return { ...(some && { someUsec: Number(some) }), ...(full && { fullUsec: Number(full) }) }
}
