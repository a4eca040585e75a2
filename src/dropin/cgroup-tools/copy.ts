// SPDX-License-Identifier: Apache-2.0
// cgset --copy-from: what one group has, written to another.
import { readEntries, readGroupFile, readMode, readRaw, writeGroupFile } from '../../cgroup/files.ts'
import type { Place } from '../../cgroup/group-paths.ts'
import { explainWrite } from '../../cgroup/write-errors.ts'
import { statuses, withStatus } from '../exit-status.ts'

/** Files that steer a group rather than limit it, and such as do something when they are written. */
const notCopied =
  /^(cgroup\.|tasks$|notify_on_release$|release_agent$)|\.(force_empty|pressure_level|pressure|reclaim|reset_stats|kmem\.|failcnt|max_usage_in_bytes|peak|usage)|^memory\.(oom_control|kmem\.)|^cpuacct\.usage$|^devices\./

/** @throws CGROUP_WRITE_REFUSED */
export function copyFiles(from: Place, to: Place): void {
  for (const [key, source] of Object.entries(from.directories)) {
    const target = to.directories[key]
    if (target === undefined || source === target) continue
    let left = readEntries(source).files.filter((file) => isSetting(source, file) && differs(source, target, file))
    // a limit may wait for another: memory and swap for memory, a quota for its period
    for (let refused: string[] = []; left.length > 0; left = refused, refused = []) {
      for (const file of left) {
        const value = readGroupFile(source, file)!
        const errno = writeGroupFile(target, file, value)
        if (errno === undefined) continue
        refused.push(file)
        if (refused.length === left.length)
          throw withStatus(statuses.refused, explainWrite({ directory: target, file, value, errno }))
      }
    }
  }
}

/** Whether a file holds what was set, and takes it again. */
export function isSetting(directory: string, file: string): boolean {
  const mode = readMode(`${directory}/${file}`)
  return (mode & 0o600) === 0o600 && !notCopied.test(file)
}

function differs(source: string, target: string, file: string): boolean {
  const { text } = readRaw(source, file)
  return text !== undefined && text !== '' && !text.includes('\n') && text !== readRaw(target, file).text
}
