// SPDX-License-Identifier: Apache-2.0
// Reads the sizes of huge pages of this host.
import { readdirSync } from '../system/files.ts'

/** Returns the sizes of huge pages as the names of kernel files have them, such as `2MB` and `1GB`. */
export function readPageSizes(): string[] {
  return listSizes().flatMap((name) => {
    const kilobytes = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1])
    if (!(kilobytes > 0)) return []
    const [unit, power] = kilobytes >= 2 ** 20 ? ['GB', 2 ** 20] : kilobytes >= 2 ** 10 ? ['MB', 2 ** 10] : ['KB', 1]
    return [`${kilobytes / power}${unit}`]
  })
}

function listSizes(): string[] {
  try {
    return readdirSync('/sys/kernel/mm/hugepages')
  } catch {
    return []
  }
}
