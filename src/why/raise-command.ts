// SPDX-License-Identifier: Apache-2.0
// Makes the shell commands that raise a group's limit, or that measure how much it needs. Pure, except that it reads
// the host's available memory.
import { quote, shellWord } from '../text/quote.ts'
import { formatSize } from '../text/units.ts'
import { measuringLimit, sizeText, spareMemory } from '../verdict/memory-need.ts'

/** How systemd names the property for each kernel file, and a function that formats its value. */
const properties: { [file: string]: (value: string) => string } = {
  'memory.max': (value) => `MemoryMax=${value}`,
  'memory.high': (value) => `MemoryHigh=${value}`,
  'pids.max': (value) => `TasksMax=${value}`,
  'cpu.max': (value) => {
    const [quota, period] = value.split(' ').map(Number)
    return `CPUQuota=${Math.round((100 * quota!) / period!)}%`
  },
}

/**
 * Returns a command that raises a limit and can be pasted. For a systemd unit, the command is systemctl, because
 * systemd resets limits that other programs write.
 */
export function raise(path: string, file: string, value: string): string {
  const set = `hutch cgroup set ${shellWord(path)} ${file}=${value.includes(' ') ? `"${value}"` : value}`
  const unit = path.slice(path.lastIndexOf('/') + 1)
  const property = properties[file]
  if (!property || !/^[\w@.:\\-]+\.(service|scope|slice)$/.test(unit) || !/^\d/.test(value)) return set
  const user = /\/user@\d+\.service\//.test(path) ? '--user ' : ''
  return `${set}; to make it permanent in systemd: systemctl ${user}set-property ${shellWord(unit)} ${property(value)}`
}

/**
 * Returns commands that measure how much memory a group needs. They set a large limit that this host can spare. `limit`
 * is the current limit in bytes.
 */
export function measure(path: string, file: string, limit: number): string {
  const enough = measuringLimit(limit, spareMemory())
  if (enough === undefined)
    return `this host has no memory above ${formatSize(limit)}: check whether the memory of ${quote(path)} grows without bound`
  const peak = `hutch cgroup get ${shellWord(path)} memory.peak`
  return `measure how much it needs: ${raise(path, file, sizeText(enough))}; then its peak: ${peak}`
}
