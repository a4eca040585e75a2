// SPDX-License-Identifier: Apache-2.0
// cgset --copy-from: copies the settings of one group to another.
import { readEntries, readGroupFile, readMode, readRaw, writeGroupFile } from '../../cgroup/files.ts'
import type { GroupPaths } from '../../cgroup/group-paths.ts'
import { explainWrite } from '../../cgroup/write-errors.ts'
import { statuses, withStatus } from '../exit-status.ts'

/** Files that are not copied to a new group: they manage the group instead of limiting it, or trigger an action. */
const notCopied =
  /^(cgroup\.|tasks$|notify_on_release$|release_agent$)|\.(force_empty|pressure_level|pressure|reclaim|reset_stats|kmem\.|failcnt|max_usage_in_bytes|peak|usage)|^memory\.(oom_control|kmem\.)|^cpuacct\.usage$|^devices\./

/** Copies the settings of one group to another. @throws CGROUP_WRITE_REFUSED */
export function copyFiles(from: GroupPaths, to: GroupPaths): void {
  for (const [key, source] of Object.entries(from.directories)) {
    const target = to.directories[key]
    if (target === undefined || source === target) continue
    let left = readEntries(source).files.filter((file) => isSetting(source, file) && differs(source, target, file))
    // repeat refused writes: a limit can depend on another, such as a quota on its period
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

/** Returns true if a file contains a setting that can be written back. */
export function isSetting(directory: string, file: string): boolean {
  const mode = readMode(`${directory}/${file}`)
  return (mode & 0o600) === 0o600 && !notCopied.test(file)
}

function differs(source: string, target: string, file: string): boolean {
  const { text } = readRaw(source, file)
  return text !== undefined && text !== '' && !text.includes('\n') && text !== readRaw(target, file).text
}
