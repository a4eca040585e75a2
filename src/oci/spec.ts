// SPDX-License-Identifier: Apache-2.0
// Writes a config.json to begin with: a shell in an own root, without access to devices.

import { fail } from '../errors/errors.ts'
import { readHost } from '../host/host.ts'
import { effectiveGroup, effectiveUser } from '../host/passwd.ts'
import { defaultMaskedPaths, defaultReadonlyPaths } from '../mounts/masked-paths.ts'
import { writeFileSync } from '../system/files.ts'
import type { OciCallOf } from './arguments.ts'
import { ociVersions } from './version.ts'

/** What the configuration depends on. `rootless` has the ids to which root of the container is mapped. */
interface SpecFacts {
  hasV2: boolean
  rootless?: { uid: number; gid: number }
}

const hardened = ['nosuid', 'noexec', 'nodev']
const capabilities = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE']

/** Returns the configuration as an object. */
export function makeSpec({ hasV2, rootless }: SpecFacts): object {
  const mount = (destination: string, type: string, source: string, options?: string[]) => ({
    destination,
    type,
    source,
    ...(options && { options }),
  })
  const idMap = (hostID: number) => [{ containerID: 0, hostID, size: 1 }]
  const kinds = [
    'pid',
    ...(rootless ? [] : ['network']),
    'ipc',
    'uts',
    'mount',
    ...(hasV2 ? ['cgroup'] : []),
    ...(rootless ? ['user'] : []),
  ]
  return {
    ociVersion: ociVersions.max,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ['sh'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
      cwd: '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'hutch',
    mounts: [
      mount('/proc', 'proc', 'proc'),
      mount('/dev', 'tmpfs', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
      mount('/dev/pts', 'devpts', 'devpts', [
        'nosuid',
        'noexec',
        'newinstance',
        'ptmxmode=0666',
        'mode=0620',
        ...(rootless ? [] : ['gid=5']),
      ]),
      mount('/dev/shm', 'tmpfs', 'shm', [...hardened, 'mode=1777', 'size=65536k']),
      mount('/dev/mqueue', 'mqueue', 'mqueue', hardened),
      // a user without root cannot mount a sysfs without an own network namespace
      rootless
        ? mount('/sys', 'none', '/sys', ['rbind', ...hardened, 'ro'])
        : mount('/sys', 'sysfs', 'sysfs', [...hardened, 'ro']),
      mount('/sys/fs/cgroup', 'cgroup', 'cgroup', [...hardened, 'relatime', 'ro']),
    ],
    linux: {
      ...(rootless
        ? { uidMappings: idMap(rootless.uid), gidMappings: idMap(rootless.gid) }
        : { resources: { devices: [{ allow: false, access: 'rwm' }] } }),
      namespaces: kinds.map((type) => ({ type })),
      // a pattern is not a path: the specification has none
      maskedPaths: defaultMaskedPaths.map(({ path }) => path).filter((path) => !path.includes('*')),
      readonlyPaths: defaultReadonlyPaths.map(({ path }) => path),
    },
  }
}

export function run({ options }: OciCallOf<'spec'>): number {
  const path = `${options.bundle ?? '.'}/config.json`
  const rootless = options.rootless ? { uid: effectiveUser(), gid: effectiveGroup() } : undefined
  const spec = makeSpec({ hasV2: readHost().layout === 'v2', ...(rootless && { rootless }) })
  try {
    writeFileSync(path, `${JSON.stringify(spec, null, '\t')}\n`, { flag: 'wx', mode: 0o666 })
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? 'EIO'
    const remedy = errno === 'EEXIST' ? 'remove the file first' : 'name an existing directory that you can write'
    throw fail('FILE_REFUSED', { what: 'write', path, errno, remedy }, error)
  }
  return 0
}
