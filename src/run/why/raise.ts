// SPDX-License-Identifier: Apache-2.0
// The command that gives a group more. Pure.
import { shellWord } from '../../quote.ts'

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
  return `${set}; so that systemd keeps it: systemctl ${user}set-property ${shellWord(unit)} ${property(value)}`
}
