// SPDX-License-Identifier: Apache-2.0
// The commands that give a group more, and that measure how much it needs. Pure, except for the host's free memory.
import { quote, shellWord } from '../text/quote.ts'
import { formatSize } from '../text/units.ts'
import { measuringLimit, sizeText, spareMemory } from '../verdict/memory-need.ts'

/** What systemd calls a limit, and how it writes a value. */
const properties: { [file: string]: (value: string) => string } = {
  'memory.max': (value) => `MemoryMax=${value}`,
  'memory.high': (value) => `MemoryHigh=${value}`,
  'pids.max': (value) => `TasksMax=${value}`,
  'cpu.max': (value) => {
    const [quota, period] = value.split(' ').map(Number)
    return `CPUQuota=${Math.round((100 * quota!) / period!)}%`
  },
}

/** To be copied as it is. A unit of systemd's keeps a limit only if systemd is told of it. */
export function raise(path: string, file: string, value: string): string {
  const set = `hutch cgroup set ${shellWord(path)} ${file}=${value.includes(' ') ? `"${value}"` : value}`
  const unit = path.slice(path.lastIndexOf('/') + 1)
  const property = properties[file]
  if (!property || !/^[\w@.:\\-]+\.(service|scope|slice)$/.test(unit) || !/^\d/.test(value)) return set
  const user = /\/user@\d+\.service\//.test(path) ? '--user ' : ''
  return `${set}; to make it permanent in systemd: systemctl ${user}set-property ${shellWord(unit)} ${property(value)}`
}

/** How to find out how much memory a group needs: by a limit that this host can spare. `limit` is the present one, in bytes. */
export function measure(path: string, file: string, limit: number): string {
  const enough = measuringLimit(limit, spareMemory())
  if (enough === undefined)
    return `this host has no memory above ${formatSize(limit)}: check whether the memory of ${quote(path)} grows without bound`
  const peak = `hutch cgroup get ${shellWord(path)} memory.peak`
  return `measure how much it needs: ${raise(path, file, sizeText(enough))}; then its peak: ${peak}`
}
