// SPDX-License-Identifier: Apache-2.0
// Finds kills by systemd-oomd. It stores their number in the extended attribute user.oomd_kill of the group's
// directory: systemd-oomd.service(8).
import { findLevels } from '../cgroup/ancestors.ts'
import { readMany, walkGroups } from '../cgroup/files.ts'
import type { GroupPaths } from '../cgroup/group-paths.ts'
import { parseNumber } from '../cgroup/stats.ts'
import type { Host } from '../host/host.ts'
import { quote } from '../text/quote.ts'
import type { WhyCause } from './explanation.ts'

/** The number of processes that systemd-oomd killed in a group, and how often it killed. */
export interface DaemonKill {
  path: string
  whose: 'own' | 'ancestor' | 'below'
  kills: number
  times: number | undefined
}

const attributes = ['user.oomd_kill', 'user.oomd_ooms'] as const
const maxBelow = 5000

/** Returns the kills by systemd-oomd in a group, in its ancestors and in the groups below it. */
export function readDaemonKills(host: Host, paths: GroupPaths): DaemonKill[] {
  const levels = findLevels(host, paths, '')
  const [own] = levels
  if (!own || own.path === '/') return []
  const below = walkGroups(own.directory)
    .slice(1, maxBelow)
    .map((directory) => ({ directory, path: `${own.path}${directory.slice(own.directory.length)}` }))
  const all = [...levels, ...below]
  const texts = readMany(
    all.map(({ directory }) => directory),
    attributes,
  )
  return all.flatMap(({ path }, i) => {
    const [kills = 0, times] = attributes.map((name) => parseNumber(texts[i]!(name)))
    const whose = i === 0 ? 'own' : i < levels.length ? 'ancestor' : 'below'
    return kills > 0 ? [{ path, whose, kills, times }] : []
  })
}

export function daemonCauses(kills: readonly DaemonKill[]): WhyCause[] {
  return kills.map((kill) => ({
    kind: 'oomd',
    confidence: 'likely',
    wouldTell: 'journalctl -u systemd-oomd: a user with write access to the group could also have set the attributes',
    cause: 'oomd',
    whose: kill.whose,
    group: kill.path,
    count: kill.kills,
    headline: `systemd-oomd, not the kernel, killed ${kill.kills} ${kill.kills === 1 ? 'process' : 'processes'} of ${quote(kill.path)} because memory was short`,
    evidence: [
      ['attributes', `user.oomd_kill ${kill.kills}   user.oomd_ooms ${kill.times ?? 'not there'}`],
      ['noted by', 'systemd-oomd, or another user with write access to the group'],
    ],
    remedy:
      'check when and why systemd-oomd acted: journalctl -u systemd-oomd; to prevent such kills: ManagedOOMPreference=avoid in its unit, or more memory or swap',
  }))
}
