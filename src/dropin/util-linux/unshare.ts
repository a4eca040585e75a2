// SPDX-License-Identifier: Apache-2.0
// unshare: runs a program in new namespaces, as util-linux's unshare(1) does.

import { fail } from '../../errors/errors.ts'
import { readDelegation, readPrivileges } from '../../host/privileges.ts'
import type { NamespaceKind } from '../../namespaces/namespace.ts'
import { compileUnshare, type Propagation, propagations, type UnshareRequest } from '../../plan/unshare.ts'
import { readFileSync } from '../../system/files.ts'
import { print } from '../../system/stdout.ts'
import type { OptionTable, ParsedOptions } from '../getopt.ts'
import { lastOf, toolMain, valuesOf } from '../tool.ts'
import { type IdFacts, planMap } from './id-range.ts'
import {
  failure,
  kindLetters,
  kindOptions,
  launchAs,
  parseId,
  parseIdOrName,
  parseSignal,
  parseWord,
  readLaunch,
} from './launch.ts'

declare const HUTCH_VERSION: string

export const options: OptionTable = {
  ...kindOptions('make a', 'long'),
  f: { long: ['fork'], help: 'run the program as a child' },
  'forward-signals': { help: 'pass SIGTERM and SIGINT on to that child (implies --fork)' },
  'kill-child': { value: 'SIGNAL', optional: true, help: 'end the child when unshare ends (implies --fork)' },
  'mount-proc': { value: 'DIR', optional: true, help: 'mount a /proc of the new pid namespace (implies --mount)' },
  'mount-binfmt': { value: 'DIR', optional: true, help: 'mount a binfmt_misc of the user namespace (implies --mount)' },
  l: {
    long: ['load-interp'],
    value: 'DEFINITION',
    help: 'register an interpreter in this binfmt_misc (implies --mount-binfmt)',
  },
  'map-user': { value: 'USER', help: "map the caller's user to this user inside (implies --user)" },
  'map-group': { value: 'GROUP', help: "map the caller's group to this group inside (implies --user)" },
  'map-users': { value: 'RANGE', help: 'INSIDE:OUTSIDE:COUNT, auto, subids or all; can be repeated (implies --user)' },
  'map-groups': { value: 'RANGE', help: 'map groups, as --map-users maps users (implies --user)' },
  'map-auto': { help: 'as --map-users=auto --map-groups=auto' },
  'map-subids': { help: 'as --map-users=subids --map-groups=subids' },
  r: { long: ['map-root-user'], help: 'as --map-user=0 --map-group=0' },
  c: { long: ['map-current-user'], help: 'user and group are the same inside' },
  owner: { value: 'UID:GID', help: 'owner of the user namespace (implies --user)' },
  propagation: { value: 'KIND', help: 'propagation of mounts: private (default), slave, shared or unchanged' },
  setgroups: { value: 'allow|deny', help: 'allow or deny setgroups(2) in the user namespace' },
  'keep-caps': { help: 'keep the capabilities in the user namespace through the exec' },
  R: { long: ['root'], value: 'DIR', help: 'run in this root directory' },
  w: { long: ['wd'], value: 'DIR', help: 'run in this directory' },
  S: { long: ['setuid'], value: 'UID', help: 'run as this user' },
  G: { long: ['setgid'], value: 'GID', help: 'run with only this group' },
  monotonic: { value: 'SECONDS', help: 'offset of this clock in the time namespace' },
  boottime: { value: 'SECONDS', help: 'offset of this clock in the time namespace' },
  'clear-env': { help: 'run with an empty environment' },
  'whitelist-env': { value: 'NAME,…', help: 'run with only these variables; can be repeated' },
  V: { long: ['version'], help: 'print the version' },
}

/** Options of unshare that remedies name, by key. */
export const unshareOptions = { userNamespace: '--user', mapRoot: '--map-root-user' }

export const main = toolMain({
  name: 'unshare',
  usage: ['[OPTIONS] [PROGRAM [ARG…]]'],
  purpose: 'Runs a program, or a login shell, in new namespaces.',
  options,
  toolOptions: unshareOptions,
  permute: false,
  failure,
  run,
})

async function run(parsed: ParsedOptions): Promise<number> {
  if (lastOf(parsed, 'V') !== undefined) {
    print(`unshare from hutch ${HUTCH_VERSION}\n`)
    return 0
  }
  const request = parseUnshare(parsed, readFacts())
  const launch = readLaunch(parsed.words, environmentOf(parsed))
  const forwards = lastOf(parsed, 'forward-signals') !== undefined
  const signals = !request.fork ? 'forward' : forwards ? 'forward-two' : 'ignore-two'
  return launchAs('unshare', compileUnshare(request, launch), signals, unshareOptions)
}

function readFacts(): IdFacts {
  const { uid, gid, permitted } = readPrivileges()
  return {
    uid,
    gid,
    permitted,
    delegation: () => readDelegation(uid),
    ownMap: (which) => readFileSync(`/proc/self/${which === 'users' ? 'uid_map' : 'gid_map'}`, 'utf8'),
  }
}

/**
 * Parses the options of unshare.
 *
 * @throws OPTION_INVALID, OPTION_CONFLICT, USER_UNKNOWN, IDMAP_NOT_DELEGATED
 */
export function parseUnshare(parsed: ParsedOptions, facts: IdFacts): UnshareRequest {
  const has = (...keys: string[]) => keys.some((key) => lastOf(parsed, key) !== undefined)
  const number = (key: string, name: string) => (has(key) ? parseId(name, lastOf(parsed, key)!) : undefined)
  const kinds = new Set<NamespaceKind>()
  const files: UnshareRequest['files'] = []
  for (const [letter, kind] of kindLetters) {
    if (has(letter)) kinds.add(kind)
    for (const file of valuesOf(parsed, letter)) if (file !== '') files.push({ kind, file })
  }
  const binfmt = has('mount-binfmt', 'l')
  if (has('mount-proc') || binfmt) kinds.add('mount')
  if (binfmt) kinds.add('user')
  if (parsed.options.some(([key]) => key.startsWith('map-')) || has('r', 'c', 'owner')) kinds.add('user')
  if (has('monotonic', 'boottime') && !kinds.has('time'))
    throw fail('OPTION_CONFLICT', {
      name: has('monotonic') ? '--monotonic' : '--boottime',
      why: 'it is an offset in a time namespace',
      remedy: 'add --time',
    })
  const single = parseSingle(parsed, facts)
  const owner = has('owner') ? parseOwner(lastOf(parsed, 'owner')!) : undefined
  const users = planMap('users', single.user, rangesOf(parsed, 'users'), facts, has('owner'))
  const groups = planMap('groups', single.group, rangesOf(parsed, 'groups'), facts, has('owner'))
  const setgroups = has('setgroups')
    ? parseWord('--setgroups', lastOf(parsed, 'setgroups')!, ['allow', 'deny'])
    : undefined
  if (setgroups === 'allow' && groups?.by === 'itself')
    throw fail('OPTION_CONFLICT', {
      name: '--setgroups=allow',
      why: "a map of only the caller's group requires that setgroups is denied",
      remedy: 'leave it out, or map groups by --map-groups',
    })
  const killChild = lastOf(parsed, 'kill-child')
  const offset = (key: string) => (has(key) ? { [key]: parseSeconds(`--${key}`, lastOf(parsed, key)!) } : {})
  const text = (key: string, as: string) => (has(key) ? { [as]: lastOf(parsed, key)! } : {})
  return {
    kinds: [...kinds],
    files,
    fork: has('f', 'forward-signals', 'kill-child'),
    killChild: killChild === undefined ? 0 : killChild === '' ? 9 : parseSignal('--kill-child', killChild),
    ...(users && { users }),
    ...(groups && { groups }),
    ...(setgroups && { setgroups }),
    ...(owner && { owner }),
    propagation: has('propagation')
      ? parseWord('--propagation', lastOf(parsed, 'propagation')!, Object.keys(propagations) as Propagation[])
      : 'private',
    // binfmt_misc without a path implies --mount-proc, because its default place is in /proc
    ...((has('mount-proc') || (binfmt && !lastOf(parsed, 'mount-binfmt'))) && {
      mountProc: lastOf(parsed, 'mount-proc') || '/proc',
    }),
    ...(binfmt && { mountBinfmt: lastOf(parsed, 'mount-binfmt') || '/proc/sys/fs/binfmt_misc' }),
    ...text('l', 'loadInterpreter'),
    ...text('R', 'root'),
    ...text('w', 'directory'),
    ...(has('S') && { uid: number('S', '--setuid')! }),
    ...(has('G') && { gid: number('G', '--setgid')! }),
    ...offset('monotonic'),
    ...offset('boottime'),
    keepCapabilities: has('keep-caps'),
  }
}

/** Returns which of the caller's own ids to map; the last of several options counts. */
function parseSingle(parsed: ParsedOptions, facts: IdFacts): { user?: number; group?: number } {
  const single: { user?: number; group?: number } = {}
  for (const [key, value] of parsed.options) {
    if (key === 'r') Object.assign(single, { user: 0, group: 0 })
    if (key === 'c') Object.assign(single, { user: facts.uid, group: facts.gid })
    if (key === 'map-user') single.user = parseIdOrName('--map-user', value, 'user')
    if (key === 'map-group') single.group = parseIdOrName('--map-group', value, 'group')
  }
  return single
}

function rangesOf(parsed: ParsedOptions, which: 'users' | 'groups'): string[] {
  return parsed.options.flatMap(([key, value]) => {
    if (key === `map-${which}`) return [value]
    return key === 'map-auto' ? ['auto'] : key === 'map-subids' ? ['subids'] : []
  })
}

function parseOwner(text: string): { uid: number; gid: number } {
  const [uid, gid, rest] = text.split(':')
  if (uid === undefined || gid === undefined || rest !== undefined)
    throw fail('OPTION_INVALID', { name: '--owner', value: text, why: 'not two ids', accepted: 'UID:GID' })
  return { uid: parseId('--owner', uid), gid: parseId('--owner', gid) }
}

/** Returns the environment to pass to the program: all variables, none, or the named ones. */
function environmentOf(parsed: ParsedOptions): string[] | undefined {
  const names = valuesOf(parsed, 'whitelist-env').flatMap((list) => list.split(','))
  if (names.length === 0) return lastOf(parsed, 'clear-env') === undefined ? undefined : []
  return names.filter((name) => process.env[name] !== undefined).map((name) => `${name}=${process.env[name]}`)
}

function parseSeconds(name: string, text: string): string {
  if (/^[+-]?\d{1,18}$/.test(text)) return text.replace('+', '')
  throw fail('OPTION_INVALID', {
    name,
    value: text,
    why: 'not a whole number',
    accepted: 'seconds, such as 3600',
  })
}
