// SPDX-License-Identifier: Apache-2.0
// Makes the commands that raise a group's limit or measure its need. Pure, except for the host's free memory.
import { quote, shellWord } from '../text/quote.ts'
import { formatSize } from '../text/units.ts'
import { measuringLimit, sizeText, spareMemory } from '../verdict/memory-need.ts'

/** systemd's name of each limit and its format of the value. */
const properties: { [file: string]: (value: string) => string } = {
  'memory.max': (value) => `MemoryMax=${value}`,
  'memory.high': (value) => `MemoryHigh=${value}`,
  'pids.max': (value) => `TasksMax=${value}`,
  'cpu.max': (value) => {
    const [quota, period] = value.split(' ').map(Number)
    return `CPUQuota=${Math.round((100 * quota!) / period!)}%`
  },
}

/** Returns a command that can be pasted. For a systemd unit it uses systemctl, because systemd resets limits that others write. */
export function raise(path: string, file: string, value: string): string {
  const set = `hutch cgroup set ${shellWord(path)} ${file}=${value.includes(' ') ? `"${value}"` : value}`
  const unit = path.slice(path.lastIndexOf('/') + 1)
  const property = properties[file]
  if (!property || !/^[\w@.:\\-]+\.(service|scope|slice)$/.test(unit) || !/^\d/.test(value)) return set
  const user = /\/user@\d+\.service\//.test(path) ? '--user ' : ''
  return `${set}; to make it permanent in systemd: systemctl ${user}set-property ${shellWord(unit)} ${property(value)}`
}

/** Returns a command that measures a group's need of memory with a limit that this host can spare. `limit` is the current one in bytes. */
export function measure(path: string, file: string, limit: number): string {
  const enough = measuringLimit(limit, spareMemory())
  if (enough === undefined)
    return `this host has no memory above ${formatSize(limit)}: check whether the memory of ${quote(path)} grows without bound`
  const peak = `hutch cgroup get ${shellWord(path)} memory.peak`
  return `measure how much it needs: ${raise(path, file, sizeText(enough))}; then its peak: ${peak}`
}
