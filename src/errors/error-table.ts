// SPDX-License-Identifier: Apache-2.0
// All errors of hutch in one table. docs/errors.md has the same list. Pure.

import { plain, quote } from '../text/quote.ts'
import { cgroupErrors, type ErrorWords, type Kernel } from './cgroup-errors.ts'
import type { Code } from './codes.generated.ts'
import { containerErrors } from './container-errors.ts'
import { asRoot, oneOf, optionOfRun, type RemedyText, text, withOption } from './remedy-text.ts'

export type { ErrorWords as Words }

/** Errors by code. Each row turns the facts of an error into its text. */
export const table = {
  /** `instead`: what to use in place of an option of another tool, or of another function of the library. */
  OPTION_UNKNOWN: (f: {
    name: string
    nearest?: string | undefined
    instead?: string | undefined
    known: string
  }): ErrorWords => ({
    message: `unknown option ${quote(f.name)}`,
    remedy: f.instead ?? (f.nearest ? `did you mean ${f.nearest}?` : f.known),
    value: f.name,
  }),
  /** `why` is undefined if the value simply does not match any accepted form. */
  OPTION_INVALID: (f: { name: string; value: unknown; why?: string | undefined; accepted: string }): ErrorWords => ({
    message:
      f.why === undefined
        ? `invalid value ${quote(f.value)} for ${f.name}`
        : `invalid value ${quote(f.value)} for ${f.name}: ${f.why}`,
    remedy: `give ${f.accepted}`,
    value: plain(f.value),
  }),
  OPTION_CONFLICT: (f: { name: string; why: string; remedy: RemedyText }): ErrorWords => ({
    message: `cannot use ${f.name}: ${f.why}`,
    remedy: f.remedy,
  }),
  STREAM_FAILED: (f: { what: string; why: string }): ErrorWords => ({
    message: `cannot ${f.what}: ${f.why}`,
    remedy: 'see the cause of this error; it comes from the stream that was given',
  }),
  COMMAND_UNKNOWN: (f: { name: string; nearest?: string | undefined; list?: string }): ErrorWords => ({
    message: `unknown command ${quote(f.name)}`,
    remedy: f.nearest ? `did you mean hutch ${f.nearest}?` : `${f.list ?? 'hutch help'} lists the commands`,
    value: f.name,
  }),
  /** `headline` is how the run without limits ended. `isServer` is true if the command was to be ready and serve a load. */
  ADVISE_FAILED: (f: { command: string; headline: string; isServer: boolean }): ErrorWords => ({
    message: `cannot measure ${quote(f.command)}: it does not succeed without limits`,
    evidence: [f.headline],
    remedy: f.isServer
      ? 'raise --duration, or correct the command, --ready or --load, then measure it again'
      : 'correct the command until it exits with status 0, then measure it again',
    value: f.command,
  }),
  COMMAND_MISSING: (f: { usage: string }): ErrorWords => ({
    message: 'the command to run is missing',
    remedy: f.usage,
  }),
  WORDS_MISSING: (f: { usage: string }): ErrorWords => ({
    message: 'an argument is missing',
    remedy: `the usage is: ${f.usage}`,
  }),
  ARGUMENT_UNEXPECTED: (f: { argument: string; usage: string }): ErrorWords => ({
    message: `unexpected argument ${quote(f.argument)}`,
    remedy: `the usage is: ${f.usage}`,
    value: plain(f.argument),
  }),
  CONFIG_INVALID: (f: { origin: string; line: number; found: string; wanted: string }): ErrorWords => ({
    message: `cannot use ${f.origin}: line ${f.line} has ${f.found}`,
    remedy: `give ${f.wanted} there`,
    path: f.origin,
    value: f.found,
  }),
  /** `at` is the path of a property in config.json. `value` is undefined if the property is missing. */
  OCI_CONFIG_INVALID: (f: { at: string; value: unknown; why: string; accepted: string }): ErrorWords => ({
    message: `${f.at}${f.value === undefined ? '' : ` is ${quote(f.value)}`}: ${f.why}`,
    remedy: `give ${f.accepted}`,
    path: f.at,
    ...(f.value !== undefined && { value: plain(f.value) }),
  }),
  SECCOMP_PROFILE_INVALID: (f: {
    origin: string
    at: string
    value: unknown
    why: string
    accepted: string
  }): ErrorWords => ({
    message: `cannot use ${f.origin}: ${f.at}${f.value === undefined ? '' : ` is ${quote(f.value)}`}: ${f.why}`,
    remedy: `give ${f.accepted}`,
    ...(f.value !== undefined && { value: plain(f.value) }),
  }),
  SECCOMP_TOO_LARGE: (f: { origin: string; instructions: number; max: number }): ErrorWords => ({
    message: `cannot use ${f.origin}: its filter has ${f.instructions} instructions, and the kernel accepts at most ${f.max}`,
    remedy: 'give fewer rules with conditions, or fewer architectures',
  }),
  LANDLOCK_MISSING: (f: Kernel & { origin: string }): ErrorWords => ({
    message: `cannot use ${f.origin}: this kernel has no Landlock (${f.errno})`,
    evidence: f.evidence ?? [],
    remedy:
      f.errno === 'EOPNOTSUPP'
        ? 'boot with landlock in the list lsm=…; /sys/kernel/security/lsm lists the active modules'
        : text`use Linux 5.13 or newer, built with CONFIG_SECURITY_LANDLOCK; or ${optionOfRun('mounts')} and ${optionOfRun('readOnly')}, which do not need it`,
    errno: f.errno,
    operation: 'landlock_create_ruleset',
  }),
  LINK_FOREIGN: (f: { path: string; what: string }): ErrorWords => ({
    message: `cannot create the link ${f.path}: ${f.what}`,
    remedy: 'name another directory with --dir, or move that file away',
    path: f.path,
  }),
  STREAM_REFUSED: (f: { stream: string; what: string; errno: string }): ErrorWords => ({
    message: `cannot use ${f.what} as ${f.stream} of a command with its own root: it leads out of the root`,
    remedy: `redirect ${f.stream} to a file, a pipe or /dev/null`,
    value: f.stream,
    errno: f.errno,
    operation: 'fstat',
  }),
  USER_UNKNOWN: (f: { name: string; kind: 'user' | 'group'; origin: string }): ErrorWords => ({
    message: `cannot use ${f.origin}: there is no ${f.kind} ${quote(f.name)}`,
    remedy: `name a ${f.kind} of /etc/${f.kind === 'user' ? 'passwd' : 'group'}, or give its number`,
    value: f.name,
  }),
  ...cgroupErrors,
  ...containerErrors,
  USERNS_FORBIDDEN: (f: Kernel & { what: string; remedy: RemedyText }): ErrorWords => ({
    message: `cannot ${f.what} a user namespace: the kernel refused (${f.errno})`,
    evidence: f.evidence ?? [],
    remedy: f.remedy,
    errno: f.errno,
    operation: 'clone3',
  }),
  PROC_COVERED: (f: Kernel & { path: string; origin: string; covers: string[] }): ErrorWords => ({
    message: `cannot mount a proc at ${f.path}: the kernel refused (${f.errno}), because parts of /proc are masked`,
    evidence: [
      `requested by ${f.origin}`,
      'in a user namespace, a proc can be mounted only if an existing one is fully visible',
      `masked by the container engine: ${f.covers.slice(0, 4).join(', ')}${f.covers.length > 4 ? `, and ${f.covers.length - 4} more` : ''}`,
    ],
    remedy:
      'start the container with /proc unmasked (docker run --security-opt systempaths=unconfined, podman run --security-opt unmask=ALL), or leave out the pid namespace',
    path: f.path,
    errno: f.errno,
    operation: 'mount',
  }),
  IDS_USED_UP: (f: { errno: string }): ErrorWords => ({
    message: 'cannot start another sandbox: no host ids are free',
    evidence: [
      "each sandbox of root has its own host ids, from root's range in /etc/subuid and /etc/subgid, or from 524288 to 1879048191",
    ],
    remedy: text`end a sandbox, give root more ids: echo root:1000000000:6553600 | tee -a /etc/subuid /etc/subgid, or choose them: ${optionOfRun('mapUsers', '0:OUTSIDE:COUNT')}`,
    errno: f.errno,
    operation: 'fcntl',
  }),
  IDMAP_NOT_DELEGATED: (f: {
    name: string
    what: string
    file: string
    own: number
    user: number
    ranges: string
  }): ErrorWords => ({
    message:
      f.file === ''
        ? `cannot use ${f.what} for ${f.name}: newuidmap and newgidmap are not installed`
        : `cannot use ${f.what} for ${f.name}: ${f.file} does not allow it for user ${f.user}`,
    evidence: f.file === '' ? [] : [`allowed: ${f.ranges || 'nothing'}`, `${f.own} can be mapped without it`],
    remedy:
      f.file === ''
        ? 'apt install uidmap, or shadow-utils; or map a single id: root or keep'
        : `as root: usermod --add-${f.file === '/etc/subuid' ? 'subuids' : 'subgids'} 100000-165535 USER; or map a single id: root or keep`,
    path: f.file,
    value: f.what,
  }),
  CAPABILITY_MISSING: (f: { name: string; origin: string; since?: string }): ErrorWords => ({
    message: f.since
      ? `cannot use ${f.name} for ${f.origin}: the kernel has it since ${f.since}`
      : `cannot use ${f.name} for ${f.origin}: this process does not have it`,
    remedy: f.since
      ? 'leave it out, or use a newer kernel'
      : oneOf(
          [
            asRoot('run as root with it'),
            withOption('add user to %: inside its own user namespace a process can have every capability', 'isolate'),
          ],
          'leave it out',
        ),
    value: f.name,
  }),
  NAMESPACE_REFUSED: (f: Kernel & { kinds: string; remedy: RemedyText }): ErrorWords => ({
    message: `cannot make ${f.kinds}: the kernel refused (${f.errno})`,
    evidence: f.evidence ?? [],
    remedy: f.remedy,
    errno: f.errno,
    operation: 'clone3',
  }),
  MOUNT_REFUSED: (
    f: Kernel & { what: string; why: string; path: string; origin: string; remedy: RemedyText },
  ): ErrorWords => ({
    message: `cannot ${f.what}: ${f.why} (${f.errno})`,
    evidence: [`requested by ${f.origin}`, ...(f.evidence ?? [])],
    remedy: f.remedy,
    path: f.path,
    errno: f.errno,
    operation: 'mount',
  }),
  NAMESPACE_UNKNOWN: (f: Kernel): ErrorWords => ({
    message: `cannot find the owner of a namespace: the kernel does not support it (${f.errno})`,
    evidence: f.evidence ?? [],
    remedy: 'use Linux 4.11 or newer',
    errno: f.errno,
    operation: 'ioctl',
  }),
  NAMESPACE_NOT_FOUND: (f: { id: string }): ErrorWords => ({
    message: `cannot find the namespace ${quote(f.id)}: no visible namespace has this number`,
    remedy: 'hutch lsns lists the visible ones; root sees all',
    value: f.id,
  }),
  STEP_REFUSED: (f: Kernel & { what: string; operation: string; origin: string; remedy: RemedyText }): ErrorWords => ({
    message: `cannot ${f.what}: the kernel refused (${f.errno})`,
    evidence: [`requested by ${f.origin}`, ...(f.evidence ?? [])],
    remedy: f.remedy,
    errno: f.errno,
    operation: f.operation,
  }),
  FILE_REFUSED: (f: { what: string; path: string; errno: string; remedy: RemedyText }): ErrorWords => ({
    message: `cannot ${f.what} ${f.path}: ${f.errno}`,
    remedy: f.remedy,
    path: f.path,
    errno: f.errno,
  }),
  POOL_CLOSED: (f: { command: string }): ErrorWords => ({
    message: `cannot run ${quote(f.command)}: its pool is closed`,
    remedy: 'wait for the results before closing the pool',
    value: f.command,
  }),
  POOL_SANDBOX_LOST: (f: { times: number; ending: string }): ErrorWords => ({
    message: `cannot keep a sandbox waiting: ${f.times === 1 ? 'it' : `${f.times} in a row`} ended before its job started`,
    evidence: [`how it ended: ${f.ending}`],
    remedy: 'give it more memory (limits.memory), or check for out-of-memory kills: dmesg',
  }),
  NETWORK_TOOL_MISSING: (f: { what: string; package: string }): ErrorWords => ({
    message: `cannot connect a private network: ${f.what} installed`,
    remedy: `apt-get install ${f.package}`,
  }),
  NETWORK_UNKNOWN: (f: {
    name: string
    directory: string
    nearest?: string | undefined
    known: string
  }): ErrorWords => ({
    message: `cannot use cni:${f.name}: no network configuration in ${quote(f.directory)} has this name`,
    remedy: f.nearest
      ? `did you mean cni:${f.nearest}?`
      : f.known
        ? text`give one of ${f.known}, or another directory with ${optionOfRun('cniConfDir')}`
        : text`write ${quote(`${f.directory}/${f.name}.conflist`)}, or name another directory with ${optionOfRun('cniConfDir')}`,
    path: f.directory,
    value: f.name,
  }),
  NETWORK_CONFIG_INVALID: (f: { path: string; why: string }): ErrorWords => ({
    message: `cannot use ${quote(f.path)}: ${f.why}`,
    remedy: 'correct it: section 1 of the CNI specification has the format',
    path: f.path,
  }),
  NETWORK_REFUSED: (f: { what: string; by: string; evidence: string[]; remedy: RemedyText }): ErrorWords => ({
    message: `cannot ${f.what}: ${f.by} refused`,
    evidence: f.evidence,
    remedy: f.remedy,
  }),
  REPORT_INVALID: (f: { path: string; why: string }): ErrorWords => ({
    message: `cannot use ${quote(f.path)} as the report of a run: ${f.why}`,
    remedy: 'give a file that hutch run --report FILE wrote, a process id, or a group',
    path: f.path,
  }),
  WHY_TARGET_UNKNOWN: (f: { name: string; evidence: string[]; nearest?: string | undefined }): ErrorWords => ({
    message: `cannot explain: there is no process, group or report ${quote(f.name)}`,
    evidence: f.evidence,
    remedy: f.nearest
      ? `did you mean ${f.nearest}?`
      : "give a process id, a group's path, or the file that hutch run --report FILE wrote",
    value: f.name,
  }),
  RECORD_INVALID: (f: { path: string; why: string }): ErrorWords => ({
    message: `cannot use ${quote(f.path)} as a recording: ${plain(f.why)}`,
    remedy: 'name a file that hutch record wrote, or another one for a new recording',
    path: f.path,
  }),
  RECORD_BUSY: (f: { path: string; pid: number }): ErrorWords => ({
    message: `cannot record into ${quote(f.path)}: process ${f.pid} already does`,
    remedy: `end it (kill ${f.pid}), or name another file with --db`,
    path: f.path,
  }),
  TASKS_TOO_FEW: (f: {
    command: string
    group: string
    max: number
    current: number
    left: number
    needed: number
  }): ErrorWords => ({
    message: `cannot start ${quote(f.command)} in ${quote(f.group)}: it is a Node program. ${f.left} tasks are left (pids.max is ${f.max}, pids.current is ${f.current}). Node would hang`,
    remedy: `raise pids.max, so that the group has room for ${f.needed} tasks, or run a program that needs fewer, such as unshare of util-linux`,
    path: f.group,
  }),
  RECORD_EMPTY: (f: { path: string; what: string; why?: string }): ErrorWords => ({
    message: `cannot show ${f.what} of ${quote(f.path)}: the recording has ${f.why ?? 'nothing then'}`,
    remedy: 'hutch replay FILE --list shows its contents; samples are written after a minute at the latest',
    path: f.path,
  }),
  RECORD_LIBRARY_MISSING: (f: { why: string }): ErrorWords => ({
    message: `cannot use recordings: ${f.why}`,
    remedy: 'install the optional package: npm install node-sqlite3-wasm',
  }),
  NODE_MISSING: (f: { what: string; missing: string }): ErrorWords => ({
    message: `cannot ${f.what}: this needs ${f.missing}`,
    remedy: 'install Node 20 or newer, then hutch for Node: npm install --global hutch',
  }),
  NATIVE_MISSING: (f: { path: string; why: string }): ErrorWords => ({
    message: `cannot load ${f.path}: ${f.why}`,
    remedy:
      'npm install hutch brings it for Linux on x64 and arm64; in a checkout, npm ci && npm run build makes it (needs gcc)',
    path: f.path,
  }),
  HOST_UNSUPPORTED: (f: { why: string }): ErrorWords => ({
    message: `cannot run here: ${f.why}`,
    remedy: 'hutch needs Linux 5.11 or newer, with /proc mounted; 5.12 for a root file system',
  }),
} as const satisfies { [code in Code]: unknown }
