// SPDX-License-Identifier: Apache-2.0
// Every error hutch can give, in one table. docs/errors.md has the same list.
import { plain, quote } from './quote.ts'
import { formatSize } from './units.ts'

/** What a table entry makes of its facts. */
export interface Words {
  message: string
  evidence?: string[]
  remedy: string
  errno?: string | undefined
  path?: string
  value?: string
  operation?: string
}

type Kernel = { errno: string; evidence?: string[] }

/** Code → what is said of the facts. */
export const table = {
  OPTION_UNKNOWN: (f: { name: string; nearest?: string | undefined; known: string }): Words => ({
    message: `unknown option ${quote(f.name)}`,
    remedy: f.nearest ? `did you mean ${f.nearest}?` : f.known,
    value: f.name,
  }),
  OPTION_INVALID: (f: { name: string; value: unknown; why: string; accepted: string }): Words => ({
    message: `cannot use ${quote(f.value)} for ${f.name}: ${f.why}`,
    remedy: `give ${f.accepted}`,
    value: plain(f.value),
  }),
  OPTION_CONFLICT: (f: { name: string; why: string; remedy: string }): Words => ({
    message: `cannot use ${f.name}: ${f.why}`,
    remedy: f.remedy,
  }),
  COMMAND_UNKNOWN: (f: { name: string; nearest?: string | undefined }): Words => ({
    message: `unknown command ${quote(f.name)}`,
    remedy: f.nearest ? `did you mean hutch ${f.nearest}?` : 'hutch help lists the commands',
    value: f.name,
  }),
  COMMAND_MISSING: (f: { usage: string }): Words => ({
    message: 'no command to run was given',
    remedy: f.usage,
  }),
  WORDS_MISSING: (f: { usage: string }): Words => ({
    message: 'something is missing behind the options',
    remedy: f.usage,
  }),
  CONFIG_INVALID: (f: { origin: string; line: number; found: string; wanted: string }): Words => ({
    message: `cannot use ${f.origin}: line ${f.line} has ${f.found}`,
    remedy: `give ${f.wanted} there`,
    path: f.origin,
    value: f.found,
  }),
  SECCOMP_PROFILE_INVALID: (f: {
    origin: string
    at: string
    value: unknown
    why: string
    accepted: string
  }): Words => ({
    message: `cannot use ${f.origin}: ${f.at}${f.value === undefined ? '' : ` is ${quote(f.value)}`}: ${f.why}`,
    remedy: `give ${f.accepted}`,
    ...(f.value !== undefined && { value: plain(f.value) }),
  }),
  SECCOMP_TOO_LARGE: (f: { origin: string; instructions: number; most: number }): Words => ({
    message: `cannot use ${f.origin}: its filter has ${f.instructions} instructions, and the kernel takes ${f.most}`,
    remedy: 'give fewer rules with conditions, or fewer architectures',
  }),
  LINK_FOREIGN: (f: { path: string; what: string }): Words => ({
    message: `cannot make the link ${f.path}: ${f.what}`,
    remedy: 'name another directory with --dir, or move that file away',
    path: f.path,
  }),
  USER_UNKNOWN: (f: { name: string; kind: 'user' | 'group'; origin: string }): Words => ({
    message: `cannot use ${f.origin}: there is no ${f.kind} ${quote(f.name)}`,
    remedy: `name a ${f.kind} of /etc/${f.kind === 'user' ? 'passwd' : 'group'}, or give its number`,
    value: f.name,
  }),
  CGROUP_MISSING: (f: { need: string }): Words => ({
    message: `cannot ${f.need}: no cgroup file system is mounted`,
    remedy: 'mount -t cgroup2 cgroup2 /sys/fs/cgroup, or run without limits',
  }),
  CGROUP_CONTROLLER_MISSING: (f: {
    controller: string
    origin: string
    where: string
    available: string
    remedy?: string
  }): Words => ({
    message: `cannot set ${f.origin}: this host has no ${f.controller} controller in ${f.where}`,
    evidence: [`available there: ${f.available || 'none'}`],
    remedy: f.remedy ?? `leave ${f.origin} out, or enable the controller (hutch doctor says how)`,
    path: f.where,
  }),
  CGROUP_NO_DELEGATION: (f: { directory: string; need: string; user: number; without?: string }): Words => ({
    message: `cannot ${f.need} below ${f.directory}: user ${f.user} may not make groups there`,
    remedy: `run as root, or in a delegated group: systemd-run --user --scope -p Delegate=yes hutch run …; from Node: await enterScope() first${f.without ? `; or with ${f.without}: then only ulimits, sizes and the timeout hold` : ''}`,
    path: f.directory,
    errno: 'EACCES',
  }),
  CGROUP_POPULATED: (f: { directory: string; controllers: string; processes: string }): Words => ({
    message: `cannot enable ${f.controllers} below ${f.directory}: processes are in the group itself (EBUSY)`,
    evidence: [
      `processes there: ${f.processes}`,
      'a v2 group has either processes or controlled children, the root excepted',
    ],
    remedy: 'name another group with --parent, or have these processes moved to a child group with --evacuate',
    path: f.directory,
    errno: 'EBUSY',
  }),
  CGROUP_NOT_EVACUATED: (f: Kernel & { directory: string; why: string; remedy: string }): Words => ({
    message: `cannot move the processes of ${f.directory} to a child group: ${f.why} (${f.errno})`,
    evidence: f.evidence ?? [],
    remedy: f.remedy,
    path: f.directory,
    errno: f.errno,
  }),
  CGROUP_THREADED: (f: { directory: string; type: string }): Words => ({
    message: `cannot make groups for processes below ${f.directory}: its type is ${f.type} (EOPNOTSUPP)`,
    remedy: 'name a group of type "domain" with --parent',
    path: f.directory,
    errno: 'EOPNOTSUPP',
  }),
  CGROUP_PARENT_INVALID: (f: { value: string; why: string; origin: string }): Words => ({
    message: `cannot use ${f.value} for ${f.origin}: ${f.why}`,
    remedy: 'give the path of a group below the cgroup mount, such as build/jobs',
    value: f.value,
  }),
  CGROUP_PATH_INVALID: (f: { value: string; why: string; origin: string }): Words => ({
    message: `cannot use ${quote(f.value)} for ${f.origin}: ${f.why}`,
    remedy: 'give the path of a group from the root of its hierarchy, such as build/jobs',
    value: f.value,
  }),
  CGROUP_FILE_INVALID: (f: { value: string; origin: string }): Words => ({
    message: `cannot use ${quote(f.value)} for ${f.origin}: this is not the name of a cgroup file`,
    remedy: 'give a name as it stands in a group, such as memory.max',
    value: f.value,
  }),
  CGROUP_TEXT_UNKNOWN: (f: { file: string; text: string }): Words => ({
    message: `cannot understand ${f.file}: it holds ${quote(f.text)}`,
    remedy: 'read it as text instead; this kernel writes it in a form that hutch does not know',
    path: f.file,
    value: f.text,
  }),
  CGROUP_NOT_FOUND: (f: { group: string; where: string; nearest?: string | undefined }): Words => ({
    message: `cannot find the group ${quote(f.group)} below ${f.where} (ENOENT)`,
    remedy: f.nearest
      ? `did you mean ${f.nearest}?`
      : 'hutch cgroup ls lists the groups; hutch cgroup create makes one',
    path: f.group,
    errno: 'ENOENT',
  }),
  CGROUP_AMBIGUOUS: (f: { name: string; found: string[] }): Words => ({
    message: `cannot tell which group ${quote(f.name)} is: ${f.found.length} have this name`,
    evidence: f.found.slice(0, 5),
    remedy: `give its path, such as ${f.found[0]}`,
    value: f.name,
  }),
  CGROUP_FILE_MISSING: (f: { file: string; group: string; evidence: string[]; remedy: string }): Words => ({
    message: `cannot find ${quote(f.file)} in ${f.group} (ENOENT)`,
    evidence: f.evidence,
    remedy: f.remedy,
    path: f.file,
    errno: 'ENOENT',
  }),
  CGROUP_WRITE_REFUSED: (f: Kernel & { file: string; value: string; group: string; remedy: string }): Words => ({
    message: `cannot set ${f.file} to ${quote(f.value)} in ${f.group}: the kernel refused (${f.errno})`,
    evidence: f.evidence ?? [],
    remedy: f.remedy,
    path: f.file,
    value: f.value,
    errno: f.errno,
  }),
  CGROUP_LIMIT_BELOW_USE: (f: {
    file: string
    value: string
    limit: number
    group: string
    current: number
    peak?: number
  }): Words => ({
    message: `cannot set ${f.file} to ${quote(f.value)} in ${f.group}: more is in use, and the kernel would kill for it`,
    evidence: [
      `now ${formatSize(f.current)}${f.peak === undefined ? '' : `, at most ${formatSize(f.peak)}`}; the limit would be ${formatSize(f.limit)}`,
    ],
    remedy: 'give a higher limit, free some first (hutch cgroup reclaim), or use --force (force: true)',
    path: f.file,
    value: f.value,
  }),
  SNAPSHOT_INVALID: (f: { origin: string; at: string; why: string }): Words => ({
    message: `cannot use ${quote(f.origin)}: at ${quote(f.at)}: ${f.why}`,
    remedy: 'give a file as hutch cgroup save writes it',
    path: f.at,
  }),
  CGROUP_HIERARCHY_MISSING: (f: { controllers: string; origin: string }): Words => ({
    message: `cannot place processes for ${f.origin}: this host has no hierarchy with ${f.controllers}`,
    remedy: 'hutch doctor lists the controllers; leave out those that are not there',
    path: f.origin,
  }),
  CGROUP_LIMIT_UNSUPPORTED: (f: { file: string; origin: string; why: string; remedy: string }): Words => ({
    message: `cannot set ${f.origin}: ${f.why}`,
    remedy: f.remedy,
    path: f.file,
  }),
  CGROUP_LIMIT_REFUSED: (
    f: Kernel & { file: string; value: string; group: string; origin: string; remedy: string },
  ): Words => ({
    message: `cannot set ${f.file} to ${quote(f.value)} in ${f.group}: the kernel refused (${f.errno})`,
    evidence: [`asked for by ${f.origin}`, ...(f.evidence ?? [])],
    remedy: f.remedy,
    path: f.file,
    value: f.value,
    errno: f.errno,
  }),
  CGROUP_REFUSED: (f: Kernel & { what: string; path: string; remedy: string }): Words => ({
    message: `cannot ${f.what} ${f.path}: the kernel refused (${f.errno})`,
    evidence: f.evidence ?? [],
    remedy: f.remedy,
    path: f.path,
    errno: f.errno,
  }),
  CGROUP_LEFT: (f: Kernel & { what: string; path: string }): Words => ({
    message: `cannot ${f.what} ${f.path} after the end of the command: the kernel refused (${f.errno})`,
    remedy: 'it is removed by the next run, once nothing holds it',
    path: f.path,
    errno: f.errno,
  }),
  RULES_INVALID: (f: { origin: string; value: string; why: string }): Words => ({
    message: `cannot use ${quote(f.value)} in ${f.origin}: ${f.why}`,
    remedy: 'give USER[:PROGRAM] CONTROLLERS DESTINATION [OPTIONS], such as: alice:make cpu,memory builds/%u',
    path: f.origin,
    value: f.value,
  }),
  RULES_UNAVAILABLE: (f: Kernel & { remedy: string }): Words => ({
    message: `cannot follow the processes of this machine: the kernel refused (${f.errno})`,
    evidence: f.evidence ?? [],
    remedy: f.remedy,
    errno: f.errno,
    operation: 'process connector',
  }),
  RULES_TAKEN: (f: { path: string; why: string }): Words => ({
    message: `cannot take requests at ${f.path}: ${f.why}`,
    remedy: 'stop the other one (hutch rules watch, or cgrulesengd), or name another path with --socket',
    path: f.path,
  }),
  SYSTEMD_UNREACHABLE: (f: { what: string; whose: string; tried: string[]; remedy: string }): Words => ({
    message: `cannot ${f.what}: ${f.whose} systemd cannot be reached`,
    evidence: f.tried,
    remedy: f.remedy,
  }),
  SYSTEMD_REFUSED: (f: { what: string; errorName: string; text: string; remedy: string }): Words => ({
    message: `cannot ${f.what}: systemd refused (${f.errorName})`,
    evidence: f.text === '' ? [] : [`it says: ${quote(f.text)}`],
    remedy: f.remedy,
  }),
  SYSTEMD_ANSWER_INVALID: (f: { why: string }): Words => ({
    message: `cannot read what came from the bus: ${f.why}`,
    remedy: "see that DBUS_SESSION_BUS_ADDRESS or DBUS_SYSTEM_BUS_ADDRESS names a D-Bus daemon's socket",
  }),
  USERNS_FORBIDDEN: (f: Kernel & { what: string; remedy: string }): Words => ({
    message: `cannot ${f.what} a user namespace: the kernel refused (${f.errno})`,
    evidence: f.evidence ?? [],
    remedy: f.remedy,
    errno: f.errno,
    operation: 'clone3',
  }),
  IDMAP_NOT_DELEGATED: (f: {
    name: string
    what: string
    file: string
    own: number
    user: number
    ranges: string
  }): Words => ({
    message:
      f.file === ''
        ? `cannot use ${f.what} for ${f.name}: newuidmap and newgidmap are not installed`
        : `cannot use ${f.what} for ${f.name}: ${f.file} does not give that to user ${f.user}`,
    evidence: f.file === '' ? [] : [`it gives: ${f.ranges || 'nothing'}`, `besides, ${f.own} may be mapped alone`],
    remedy:
      f.file === ''
        ? 'apt install uidmap, or shadow-utils; or map one id alone: root or keep'
        : `as root: usermod --add-${f.file === '/etc/subuid' ? 'subuids' : 'subgids'} 100000-165535 USER; or map one id alone: root or keep`,
    path: f.file,
    value: f.what,
  }),
  CAPABILITY_MISSING: (f: { name: string; origin: string; since?: string }): Words => ({
    message: f.since
      ? `cannot use ${f.name} for ${f.origin}: the kernel has it since ${f.since}`
      : `cannot use ${f.name} for ${f.origin}: this process does not have it itself`,
    remedy: f.since
      ? 'leave it out, or use a newer kernel'
      : 'run as root with it; or add user to --isolate: inside its own user namespace a process may have all',
    value: f.name,
  }),
  NAMESPACE_REFUSED: (f: Kernel & { kinds: string; remedy: string }): Words => ({
    message: `cannot make ${f.kinds}: the kernel refused (${f.errno})`,
    evidence: f.evidence ?? [],
    remedy: f.remedy,
    errno: f.errno,
    operation: 'clone3',
  }),
  MOUNT_REFUSED: (f: Kernel & { what: string; why: string; path: string; origin: string; remedy: string }): Words => ({
    message: `cannot ${f.what}: ${f.why} (${f.errno})`,
    evidence: [`asked for by ${f.origin}`, ...(f.evidence ?? [])],
    remedy: f.remedy,
    path: f.path,
    errno: f.errno,
    operation: 'mount',
  }),
  NAMESPACE_UNKNOWN: (f: Kernel): Words => ({
    message: `cannot ask for what is above a namespace: the kernel does not know the question (${f.errno})`,
    evidence: f.evidence ?? [],
    remedy: 'use Linux 4.11 or newer',
    errno: f.errno,
    operation: 'ioctl',
  }),
  NAMESPACE_NOT_FOUND: (f: { id: string }): Words => ({
    message: `cannot find the namespace ${quote(f.id)}: none that can be seen from here has this number`,
    remedy: 'hutch lsns lists them; root sees all',
    value: f.id,
  }),
  STEP_REFUSED: (f: Kernel & { what: string; operation: string; origin: string; remedy: string }): Words => ({
    message: `cannot ${f.what}: the kernel refused (${f.errno})`,
    evidence: [`asked for by ${f.origin}`, ...(f.evidence ?? [])],
    remedy: f.remedy,
    errno: f.errno,
    operation: f.operation,
  }),
  FILE_REFUSED: (f: { what: string; path: string; errno: string; remedy: string }): Words => ({
    message: `cannot ${f.what} ${f.path}: ${f.errno}`,
    remedy: f.remedy,
    path: f.path,
    errno: f.errno,
  }),
  NETWORK_TOOL_MISSING: (f: { what: string; package: string }): Words => ({
    message: `cannot connect a private network: ${f.what} installed`,
    remedy: `apt-get install ${f.package}`,
  }),
  NETWORK_UNKNOWN: (f: { name: string; directory: string; nearest?: string | undefined; known: string }): Words => ({
    message: `cannot use cni:${f.name}: no config list in ${quote(f.directory)} has this name`,
    remedy: f.nearest
      ? `did you mean cni:${f.nearest}?`
      : f.known
        ? `give one of ${f.known}, or another directory with --cni-conf-dir`
        : `write ${quote(`${f.directory}/${f.name}.conflist`)}, or name another directory with --cni-conf-dir`,
    path: f.directory,
    value: f.name,
  }),
  NETWORK_CONFIG_INVALID: (f: { path: string; why: string }): Words => ({
    message: `cannot use ${quote(f.path)}: ${f.why}`,
    remedy: 'mend it as the CNI specification has it, section 1',
    path: f.path,
  }),
  NETWORK_REFUSED: (f: { what: string; by: string; evidence: string[]; remedy: string }): Words => ({
    message: `cannot ${f.what}: ${f.by} refused`,
    evidence: f.evidence,
    remedy: f.remedy,
  }),
  RECORD_INVALID: (f: { path: string; why: string }): Words => ({
    message: `cannot use ${quote(f.path)} as a recording: ${plain(f.why)}`,
    remedy: 'name a file that hutch record wrote, or another one for a new recording',
    path: f.path,
  }),
  RECORD_BUSY: (f: { path: string; pid: number }): Words => ({
    message: `cannot record into ${quote(f.path)}: process ${f.pid} does already`,
    remedy: `end it (kill ${f.pid}), or name another file with --db`,
    path: f.path,
  }),
  RECORD_EMPTY: (f: { path: string; what: string }): Words => ({
    message: `cannot show ${f.what} of ${quote(f.path)}: the recording has nothing then`,
    remedy: 'hutch replay FILE --list tells what it has; a look is written a minute after it was taken at the latest',
    path: f.path,
  }),
  RECORD_LIBRARY_MISSING: (f: { why: string }): Words => ({
    message: `cannot use recordings: ${f.why}`,
    remedy: 'install the optional package: npm install node-sqlite3-wasm',
  }),
  NATIVE_MISSING: (f: { path: string; why: string }): Words => ({
    message: `cannot load ${f.path}: ${f.why}`,
    remedy: 'build it: npm run build in the package directory (needs gcc)',
    path: f.path,
  }),
  HOST_UNSUPPORTED: (f: { why: string }): Words => ({
    message: `cannot run here: ${f.why}`,
    remedy: 'hutch needs Linux 5.11 or newer, with /proc mounted; 5.12 for a root file system',
  }),
} as const
