// SPDX-License-Identifier: Apache-2.0
// Containers as Docker makes them, by runc: the host's own directories as root, Docker's default capabilities, and a profile of the shape of its default.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'

/** What Docker leaves to a container's root. */
export const defaultCapabilities = [
  ...['CHOWN', 'DAC_OVERRIDE', 'FSETID', 'FOWNER', 'MKNOD', 'NET_RAW', 'SETGID', 'SETUID', 'SETFCAP', 'SETPCAP'],
  ...['NET_BIND_SERVICE', 'SYS_CHROOT', 'KILL', 'AUDIT_WRITE'],
].map((name) => `CAP_${name}`)

/** Calls that Docker's default profile allows only with CAP_SYS_ADMIN; Podman's has most of them for everybody. */
const adminCalls = [
  ...['bpf', 'fanotify_init', 'fsconfig', 'fsmount', 'fsopen', 'fspick', 'lookup_dcookie', 'mount', 'mount_setattr'],
  ...['move_mount', 'open_tree', 'perf_event_open', 'pivot_root', 'quotactl', 'setdomainname', 'sethostname', 'setns'],
  ...['syslog', 'umount', 'umount2', 'unshare', 'clone', 'clone3', 'keyctl', 'add_key', 'request_key'],
]
const map = { containerID: 0, hostID: 100_000, size: 65_536 }
const namespaceFlags = 0x7e020000

interface Circumstances {
  caps?: string[]
  arches?: string[]
  minKernel?: string
}

interface Rule {
  name?: string
  names?: string[]
  action: string
  errnoRet?: number
  args?: object[] | null
  includes?: Circumstances
  excludes?: Circumstances
}

interface Profile {
  defaultAction: string
  defaultErrnoRet?: number
  architectures?: string[]
  archMap?: { architecture: string; subArchitectures: string[] }[]
  syscalls?: Rule[]
}

export interface Container {
  /** CAP_SYS_ADMIN, with what the profile then allows. */
  isAdmin?: boolean
  /** clone, unshare and mount are allowed by the profile without that capability, too. */
  allowsNamespaces?: boolean
  /** No /dev/shm. */
  lacksShm?: boolean
  /** /proc is not masked, /sys/fs/cgroup can be written. */
  isOpen?: boolean
  /** A user namespace: id 0 inside is 100000 outside, and 65536 ids. */
  isRootless?: boolean
  /** A seccomp profile in Docker's or Podman's form, instead of one of the shape of Docker's default. */
  profile?: object
  /** Instead of Docker's. */
  capabilities?: string[]
}

/** A bundle for `runc run --bundle`, that runs the command with `directories` of the host beside its programs. */
export function writeBundle(bundle: string, args: string[], directories: string[], container: Container): void {
  const roots = ['bin', 'dev', 'etc', 'lib', 'lib64', 'proc', 'sbin', 'sys', 'tmp', 'usr']
  for (const directory of [...roots, ...directories]) mkdirSync(`${bundle}/rootfs/${directory}`, { recursive: true })
  writeFileSync(`${bundle}/config.json`, JSON.stringify(config(args, directories, container)))
}

function config(args: string[], directories: string[], container: Container): object {
  const caps = [...(container.capabilities ?? defaultCapabilities), ...(container.isAdmin ? ['CAP_SYS_ADMIN'] : [])]
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid: 0, gid: 0 },
      args,
      env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'NO_COLOR=1'],
      cwd: '/',
      capabilities: { bounding: caps, effective: caps, permitted: caps },
    },
    root: { path: 'rootfs' },
    mounts: mountsOf(directories, container),
    linux: {
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'network', 'cgroup', ...(container.isRootless ? ['user'] : [])].map(
        (type) => ({ type }),
      ),
      ...(container.isRootless && { uidMappings: [map], gidMappings: [map] }),
      ...(!container.isOpen && {
        maskedPaths: ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware'],
        readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
      }),
      seccomp: container.profile ? resolveProfile(container.profile, caps) : profileOf(container, caps),
    },
  }
}

function mountsOf(directories: string[], container: Container): object[] {
  const mount = (destination: string, type: string, ...options: string[]) => ({
    destination,
    type,
    source: type,
    options: ['nosuid', 'nodev', ...options],
  })
  const bind = (destination: string) => ({ destination, type: 'bind', source: destination, options: ['rbind', 'ro'] })
  const host = ['/bin', '/etc', '/lib', '/lib64', '/sbin', '/usr', ...directories]
  return [
    mount('/proc', 'proc', 'noexec'),
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
    mount('/dev/pts', 'devpts', 'newinstance', 'ptmxmode=0666', 'mode=0620'),
    ...(container.lacksShm ? [] : [mount('/dev/shm', 'tmpfs', 'noexec', 'mode=1777')]),
    mount('/sys', 'sysfs', 'noexec', 'ro'),
    mount('/sys/fs/cgroup', 'cgroup', 'noexec', ...(container.isOpen ? [] : ['ro'])),
    mount('/tmp', 'tmpfs', 'mode=1777'),
    ...host.map(bind),
  ]
}

const here = process.arch === 'arm64' ? 'arm64' : 'amd64'
const ownArchitecture = process.arch === 'arm64' ? 'SCMP_ARCH_AARCH64' : 'SCMP_ARCH_X86_64'

/** Whether a rule is there for these capabilities, on this machine. Every kernel of the tests is newer than a profile's `minKernel`. */
function applies({ includes, excludes }: Rule, caps: string[]): boolean {
  return (
    (includes?.caps ?? []).every((cap) => caps.includes(cap)) &&
    (includes?.arches ?? [here]).includes(here) &&
    !(excludes?.caps ?? []).some((cap) => caps.includes(cap)) &&
    !(excludes?.arches ?? []).includes(here) &&
    excludes?.minKernel === undefined
  )
}

/** A profile in the form of the OCI runtime specification, as Docker and Podman hand theirs to runc. Flags are left out: runc 1.1 takes none. */
export function resolveProfile(profile: object, caps: string[]): object {
  const { defaultAction, defaultErrnoRet, architectures, archMap, syscalls = [] } = profile as Profile
  const own = archMap?.find(({ architecture }) => architecture === ownArchitecture)
  const all = architectures ?? (own ? [own.architecture, ...own.subArchitectures] : undefined)
  return {
    defaultAction,
    ...(defaultErrnoRet !== undefined && { defaultErrnoRet }),
    ...(all && { architectures: all }),
    syscalls: syscalls
      .filter((rule) => applies(rule, caps))
      .map(({ name, names = [], action, errnoRet, args }) => ({
        names: [...names, ...(name ? [name] : [])],
        action,
        ...(errnoRet !== undefined && { errnoRet }),
        ...(args && { args }),
      })),
  }
}

function profileOf({ isAdmin, allowsNamespaces }: Container, caps: string[]): object {
  const podman = JSON.parse(readFileSync('/usr/share/containers/seccomp.json', 'utf8')) as Profile
  const withNamespaces = isAdmin || allowsNamespaces
  const rules = (resolveProfile(podman, caps) as { syscalls: { names: string[] }[] }).syscalls.map((rule) => ({
    ...rule,
    names: rule.names.filter((name) => withNamespaces || !adminCalls.includes(name)),
  }))
  const docker = [
    {
      names: ['clone'],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: 0, value: namespaceFlags, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
    },
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
  ]
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 1,
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
    syscalls: [...rules.filter(({ names }) => names.length > 0), ...(withNamespaces ? [] : docker)],
  }
}
