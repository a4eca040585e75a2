// SPDX-License-Identifier: Apache-2.0
// Formats figures for the page. Pure.

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** Formats a size in bytes. An unknown size becomes a dash. */
export function formatSize(bytes: number | 'max' | null | undefined): string {
  if (bytes === 'max') return 'max'
  if (bytes == null) return '–'
  let amount = bytes
  let unit = 0
  for (; amount >= 1024 && unit < units.length - 1; unit++) amount /= 1024
  return `${unit === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${units[unit]}`
}

export function formatCpus(cpus: number | 'max' | null | undefined): string {
  if (cpus === 'max') return 'max'
  return cpus == null ? '–' : cpus.toFixed(cpus < 10 ? 2 : 1)
}

export function formatShare(share: number | null | undefined): string {
  if (share == null) return '–'
  return `${(share * 100).toFixed(share < 0.1 && share > 0 ? 1 : 0)} %`
}

export function formatCount(count: number | 'max' | null | undefined): string {
  return count == null ? '–' : String(count)
}

export function formatTime(ms: number): string {
  return new Date(ms).toTimeString().slice(0, 8)
}

export function formatSeconds(usec: number): string {
  const seconds = usec / 1e6
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** Returns the last part of a path. */
export function nameOf(path: string): string {
  return path === '/' ? '/' : path.slice(path.lastIndexOf('/') + 1)
}

/** Returns the path of the parent group. */
export function above(path: string): string | undefined {
  return path === '/' ? undefined : path.slice(0, path.lastIndexOf('/')) || '/'
}
