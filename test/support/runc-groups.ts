// SPDX-License-Identifier: Apache-2.0
// The control: the settings of groups that runc makes for the same resources.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { readFileNames, readGroupFile } from '../../src/cgroup/files.ts'
import { readHost } from '../../src/host/host.ts'
import type { LinuxResources } from '../../src/oci/resources/linux-resources.ts'

/** Files that hold what was set, not what is used. */
const settings =
  /^(cpu\.(shares|idle|cfs_\w+|rt_\w+|weight|max|max\.burst)|cpuset\.(cpus|mems)|memory\.(limit_in_bytes|memsw\.limit_in_bytes|soft_limit_in_bytes|swappiness|oom_control|max|low|high|swap\.max)|pids\.max|devices\.list|blkio\.(bfq\.|leaf_)?weight(_device)?|blkio\.throttle\.\w+_device|io\.(max|weight|bfq\.weight)|hugetlb\.\w+\.(rsvd\.)?(max|limit_in_bytes)|cgroup\.max\.\w+)$/

/** Returns the settings of a group in all hierarchies, as lines. */
export function settingsOf(path: string): string[] {
  const host = readHost()
  const mounts = new Set([...Object.values(host.v1), ...(host.unified ? [host.unified] : [])].map(({ mount }) => mount))
  return [...mounts].flatMap((mount) =>
    readFileNames(`${mount}${path}`)
      .filter((file) => settings.test(file))
      .map((file) => `${mount}/${file}: ${readGroupFile(`${mount}${path}`, file)?.split('\n').toSorted()}`),
  )
}

/** JSON with the digits of bigints. */
export function stringify(value: unknown): string {
  return JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `#${part}#` : part)).replace(
    /"#(-?\d+)#"/g,
    '$1',
  )
}

/**
 * Creates a container by runc, with the image `rootfs` in `place`; updates it; reads its groups' settings, and deletes it. Returns the
 * settings after creation and after each update, or what runc said of the first call that failed.
 */
export function settingsByRunc(
  place: string,
  path: string,
  resources: LinuxResources,
  updates: readonly LinuxResources[] = [],
): (string[] | string)[] {
  const name = path.slice(1).replaceAll('/', '-')
  const bundle = `${place}/${name}`
  mkdirSync(bundle)
  execFileSync('runc', ['spec', '--bundle', bundle])
  const config = JSON.parse(readFileSync(`${bundle}/config.json`, 'utf8'))
  config.root.path = `${place}/rootfs`
  config.process.terminal = false
  config.process.args = ['/bin/true']
  config.linux.cgroupsPath = path
  config.linux.resources = resources
  writeFileSync(`${bundle}/config.json`, stringify(config))
  // the container keeps its streams open
  const runc = (input: string | undefined, ...args: string[]) => {
    const log = `${bundle}/log`
    const { status } = spawnSync('runc', ['--root', `${place}/runc`, '--log', log, ...args], {
      stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', 'ignore'],
      input,
    })
    return status === 0 ? settingsOf(path) : readFileSync(log, 'utf8')
  }
  try {
    const results = [runc(undefined, 'create', '--bundle', bundle, name)]
    for (const update of updates) results.push(runc(stringify(update), 'update', '--resources', '-', name))
    return results
  } finally {
    spawnSync('runc', ['--root', `${place}/runc`, 'delete', '--force', name])
  }
}
