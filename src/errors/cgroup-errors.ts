// SPDX-License-Identifier: Apache-2.0
// Errors of control groups, and of rules and systemd, which place processes in groups. A part of the table of errors; pure.

import { quote } from '../text/quote.ts'
import { formatSize } from '../text/units.ts'
import { optionOfRun, type RemedyText, text } from './remedy-text.ts'

/** The parts of an error's text, which a row of the table makes from the facts. */
export interface ErrorWords {
  message: string
  evidence?: string[]
  remedy: RemedyText
  /** Known name that is most similar to an unknown one. */
  nearest?: string
  errno?: string | undefined
  path?: string
  value?: string
  operation?: string
}

/** The kernel's answer. */
export type Kernel = { errno: string; evidence?: string[] }

/** Errors by code. Each row turns the facts of an error into its text. */
export const cgroupErrors = {
  CGROUP_MISSING: (f: { need: string }): ErrorWords => ({
    message: `cannot ${f.need}: no cgroup file system is mounted`,
    remedy: 'mount -t cgroup2 cgroup2 /sys/fs/cgroup, or run without limits',
  }),
  CGROUP_CONTROLLER_MISSING: (f: {
    controller: string
    origin: string
    where: string
    available: string
    remedy?: RemedyText
  }): ErrorWords => ({
    message: `cannot set ${f.origin}: this host has no ${f.controller} controller in ${f.where}`,
    evidence: [`available there: ${f.available || 'none'}`],
    remedy: f.remedy ?? `leave ${f.origin} out, or enable the controller (hutch doctor says how)`,
    path: f.where,
  }),
  CGROUP_NO_DELEGATION: (f: { directory: string; need: string; user: number; without?: string }): ErrorWords => ({
    message: `cannot ${f.need} below ${f.directory}: user ${f.user} cannot create groups there`,
    remedy: `run as root, or in a delegated group: systemd-run --user --scope -p Delegate=yes hutch run …; from Node: await enterScope() first${f.without ? `; or ${f.without}: then only ulimits, sizes and the timeout apply` : ''}`,
    path: f.directory,
    errno: 'EACCES',
  }),
  CGROUP_POPULATED: (f: { directory: string; controllers: string; processes: string }): ErrorWords => ({
    message: `cannot enable ${f.controllers} below ${f.directory}: the group itself has processes (EBUSY)`,
    evidence: [
      `processes there: ${f.processes}`,
      'a v2 group can have processes or controlled children, but not both, except the root',
    ],
    remedy: text`name another group with ${optionOfRun('parent')}, or move these processes to a child group with ${optionOfRun('evacuate')}`,
    path: f.directory,
    errno: 'EBUSY',
  }),
  CGROUP_NOT_EVACUATED: (f: Kernel & { directory: string; why: string; remedy: RemedyText }): ErrorWords => ({
    message: `cannot move the processes of ${f.directory} to a child group: ${f.why} (${f.errno})`,
    evidence: f.evidence ?? [],
    remedy: f.remedy,
    path: f.directory,
    errno: f.errno,
  }),
  CGROUP_PARENT_MISSING: (f: { directory: string; user?: number; remedy: RemedyText }): ErrorWords => ({
    message: `cannot make a group below ${f.directory}: that group does not exist (ENOENT)`,
    evidence: f.user === undefined ? [] : [`user ${f.user} cannot create it there`],
    remedy: f.remedy,
    path: f.directory,
    errno: 'ENOENT',
  }),
  CGROUP_NOT_RESTORED: (f: {
    why: string
    left: { directory: string; file: string; value: string; before: string | undefined }[]
    remedy: RemedyText
  }): ErrorWords => ({
    message: f.why,
    evidence: f.left.map(
      ({ directory, file, value, before }) =>
        `${file} of ${directory} was set to ${value} before, and could not be set back${before === undefined ? '' : ` to ${before}`}`,
    ),
    remedy: f.remedy,
    ...(f.left[0] && { path: f.left[0].directory }),
  }),
  CGROUP_THREADED: (f: { directory: string; type: string }): ErrorWords => ({
    message: `cannot make groups for processes below ${f.directory}: its type is ${f.type} (EOPNOTSUPP)`,
    remedy: text`name a group of type "domain" with ${optionOfRun('parent')}`,
    path: f.directory,
    errno: 'EOPNOTSUPP',
  }),
  CGROUP_PARENT_INVALID: (f: { value: string; why: string; origin: string }): ErrorWords => ({
    message: `invalid path ${quote(f.value)} for ${f.origin}: ${f.why}`,
    remedy: 'give the path of a group below the cgroup mount, such as build/jobs',
    value: f.value,
  }),
  CGROUP_PATH_INVALID: (f: { value: string; why: string; origin: string }): ErrorWords => ({
    message: `invalid path ${quote(f.value)} for ${f.origin}: ${f.why}`,
    remedy: 'give the path of a group from the root of its hierarchy, such as build/jobs',
    value: f.value,
  }),
  CGROUP_FILE_INVALID: (f: { value: string; origin: string }): ErrorWords => ({
    message: `invalid file name ${quote(f.value)} for ${f.origin}: not the name of a cgroup file`,
    remedy: 'give the name of a file in a group, such as memory.max',
    value: f.value,
  }),
  CGROUP_TEXT_UNKNOWN: (f: { file: string; text: string }): ErrorWords => ({
    message: `cannot understand ${f.file}: it holds ${quote(f.text)}`,
    remedy: "read it as text instead; hutch does not know this kernel's format",
    path: f.file,
    value: f.text,
  }),
  CGROUP_NOT_FOUND: (f: { group: string; where: string; nearest?: string | undefined }): ErrorWords => ({
    message: `cannot find the group ${quote(f.group)} below ${f.where} (ENOENT)`,
    remedy: f.nearest
      ? `did you mean ${f.nearest}?`
      : 'hutch cgroup ls lists the groups; hutch cgroup create creates one',
    path: f.group,
    errno: 'ENOENT',
    ...(f.nearest !== undefined && { nearest: f.nearest }),
  }),
  CGROUP_AMBIGUOUS: (f: { name: string; found: string[] }): ErrorWords => ({
    message: `cannot decide which group ${quote(f.name)} is: ${f.found.length} have this name`,
    evidence: f.found.slice(0, 5),
    remedy: `give its path, such as ${f.found[0]}`,
    value: f.name,
  }),
  CGROUP_FILE_MISSING: (f: { file: string; group: string; evidence: string[]; remedy: RemedyText }): ErrorWords => ({
    message: `cannot find ${quote(f.file)} in ${f.group} (ENOENT)`,
    evidence: f.evidence,
    remedy: f.remedy,
    path: f.file,
    errno: 'ENOENT',
  }),
  CGROUP_WRITE_REFUSED: (
    f: Kernel & { file: string; value: string; group: string; remedy: RemedyText },
  ): ErrorWords => ({
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
    remedy?: string
  }): ErrorWords => ({
    message: `cannot set ${f.file} to ${quote(f.value)} in ${f.group}: more is in use, and the kernel would kill processes`,
    evidence: [
      `now ${formatSize(f.current)}${f.peak === undefined ? '' : `, at most ${formatSize(f.peak)}`}; the limit would be ${formatSize(f.limit)}`,
    ],
    remedy: f.remedy ?? 'give a higher limit, free some first (hutch cgroup reclaim), or use --force (force: true)',
    path: f.file,
    value: f.value,
  }),
  SNAPSHOT_INVALID: (f: { origin: string; at: string; why: string }): ErrorWords => ({
    message: `cannot use ${quote(f.origin)}: at ${quote(f.at)}: ${f.why}`,
    remedy: 'give a file that hutch cgroup save wrote',
    path: f.at,
  }),
  CGROUP_HIERARCHY_MISSING: (f: { controllers: string; origin: string }): ErrorWords => ({
    message: `cannot place processes for ${f.origin}: this host has no hierarchy with ${f.controllers}`,
    remedy: 'hutch doctor lists the controllers; leave out the missing ones',
    path: f.origin,
  }),
  CGROUP_LIMIT_UNSUPPORTED: (f: { file: string; origin: string; why: string; remedy: RemedyText }): ErrorWords => ({
    message: `cannot set ${f.origin}: ${f.why}`,
    remedy: f.remedy,
    path: f.file,
  }),
  CGROUP_LIMIT_REFUSED: (
    f: Kernel & { file: string; value: string; group: string; origin: string; remedy: RemedyText },
  ): ErrorWords => ({
    message: `cannot set ${f.file} to ${quote(f.value)} in ${f.group}: the kernel refused (${f.errno})`,
    evidence: [`requested by ${f.origin}`, ...(f.evidence ?? [])],
    remedy: f.remedy,
    path: f.file,
    value: f.value,
    errno: f.errno,
  }),
  CGROUP_REFUSED: (f: Kernel & { what: string; path: string; remedy: RemedyText }): ErrorWords => ({
    message: `cannot ${f.what} ${f.path}: the kernel refused (${f.errno})`,
    evidence: f.evidence ?? [],
    remedy: f.remedy,
    path: f.path,
    errno: f.errno,
  }),
  CGROUP_LEFT: (f: Kernel & { what: string; path: string }): ErrorWords => ({
    message: `cannot ${f.what} ${f.path} after the end of the command: the kernel refused (${f.errno})`,
    remedy: 'the next run removes it when it is no longer in use',
    path: f.path,
    errno: f.errno,
  }),
  RULES_INVALID: (f: { origin: string; value: string; why: string }): ErrorWords => ({
    message: `cannot use ${quote(f.value)} in ${f.origin}: ${f.why}`,
    remedy: 'give USER[:PROGRAM] CONTROLLERS DESTINATION [OPTIONS], such as: alice:make cpu,memory builds/%u',
    path: f.origin,
    value: f.value,
  }),
  RULES_UNAVAILABLE: (f: Kernel & { remedy: RemedyText }): ErrorWords => ({
    message: `cannot watch the processes of this machine: the kernel refused (${f.errno})`,
    evidence: f.evidence ?? [],
    remedy: f.remedy,
    errno: f.errno,
    operation: 'process connector',
  }),
  RULES_TAKEN: (f: { path: string; why: string }): ErrorWords => ({
    message: `cannot accept requests at ${f.path}: ${f.why}`,
    remedy: 'stop the other one (hutch rules watch, or cgrulesengd), or name another path with --socket',
    path: f.path,
  }),
  SYSTEMD_UNREACHABLE: (f: { what: string; whose: string; tried: string[]; remedy: RemedyText }): ErrorWords => ({
    message: `cannot ${f.what}: ${f.whose} systemd cannot be reached`,
    evidence: f.tried,
    remedy: f.remedy,
  }),
  SYSTEMD_REFUSED: (f: { what: string; errorName: string; text: string; remedy: RemedyText }): ErrorWords => ({
    message: `cannot ${f.what}: systemd refused (${f.errorName})`,
    evidence: f.text === '' ? [] : [`it says: ${quote(f.text)}`],
    remedy: f.remedy,
  }),
  SYSTEMD_ANSWER_INVALID: (f: { why: string }): ErrorWords => ({
    message: `cannot read the message from the bus: ${f.why}`,
    remedy: "see that DBUS_SESSION_BUS_ADDRESS or DBUS_SYSTEM_BUS_ADDRESS names a D-Bus daemon's socket",
  }),
} as const
