// SPDX-License-Identifier: Apache-2.0
// What the runtime prints: states, lists, processes, versions, configurations, features; and the words of its errors.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import type { ContainerState } from '../../../src/container/state.ts'
import { fail, type HutchError } from '../../../src/errors/errors.ts'
import { makeFeatures } from '../../../src/oci/features.ts'
import { ociCommands } from '../../../src/oci/flag-table.ts'
import { formatOciHelp } from '../../../src/oci/help.ts'
import { formatStates } from '../../../src/oci/list.ts'
import { logDebug } from '../../../src/oci/log.ts'
import { selectLines } from '../../../src/oci/ps.ts'
import { refusalLine } from '../../../src/oci/refusal.ts'
import { defaultRoot } from '../../../src/oci/root.ts'
import { makeSpec } from '../../../src/oci/spec.ts'
import { type StateOutput, toStateOutput } from '../../../src/oci/state-output.ts'
import { formatVersion } from '../../../src/oci/version.ts'
import { execError } from '../../../src/run/exec-facts.ts'

const state: ContainerState<{ ociVersion: string; bundle: string }> = {
  version: 1,
  id: 'a',
  created: '2026-11-30T12:12:12.264Z',
  owner: 0,
  annotations: {},
  rootfs: '/b/rootfs',
  driver: 'cgroupfs',
  groups: [],
  process: { pid: 23558, started: 1, pidNamespace: '1' },
  details: { ociVersion: '1.0.2-dev', bundle: '/b' },
}
const shown: StateOutput = {
  ociVersion: '1.0.2-dev',
  id: 'a',
  pid: 23558,
  status: 'running',
  bundle: '/b',
  rootfs: '/b/rootfs',
  created: '2026-11-30T12:12:12.264Z',
  owner: 'root',
}

test('a state has the fields of runc, and no pid after the end', () => {
  expect(toStateOutput(state, 'running')).toEqual(shown)
  expect(toStateOutput(state, 'stopped').pid).toBe(0)
  const { process: _, ...creating } = state
  expect(toStateOutput({ ...creating, annotations: { k: 'v' } }, 'creating')).toEqual({
    ...shown,
    pid: 0,
    status: 'creating',
    annotations: { k: 'v' },
  })
})

test('a list has the columns of runc', () => {
  expect(formatStates([])).toBe('ID          PID         STATUS      BUNDLE      CREATED     OWNER\n')
  const [heading, ...lines] = formatStates([shown, { ...shown, id: 'a-long-name', bundle: '/x\ny' }]).split('\n')
  expect(heading).toMatch(/^ID {12}PID {9}STATUS {6}BUNDLE {6}CREATED {20}OWNER$/)
  expect(lines).toEqual([
    'a             23558       running     /b          2026-11-30T12:12:12.264Z   root',
    'a-long-name   23558       running     /x\\x0ay     2026-11-30T12:12:12.264Z   root',
    '',
  ])
})

test('of the lines of ps, those of the container are shown', () => {
  const output = 'UID        PID  PPID CMD\nroot         1     0 init 23\nroot        23     1 sh 1\n'
  expect(selectLines(output, [23, 99], ['-ef'])).toBe('UID        PID  PPID CMD\nroot        23     1 sh 1\n')
  expect(selectLines('  PID COMMAND\n    7 x\n', [7], [])).toBe('  PID COMMAND\n    7 x\n')
  expect(() => selectLines('COMMAND\nx\n', [7], ['-o', 'comm'])).toThrow(/no column PID/)
})

test('a version is in the form that dockerd and go-runc read', () => {
  expect(formatVersion('1.2.3')).toMatch(/^hutch-oci version 1\.2\.3\ncommit: v1\.2\.3\nspec: 1\.\d+\.\d+\n$/)
})

test.each([
  [{ env: {}, uid: 0, ids: '0 0 4294967295' }, '/run/hutch-oci'],
  [{ env: { XDG_RUNTIME_DIR: '/run/user/0' }, uid: 0, ids: ' 0  0 4294967295\n' }, '/run/hutch-oci'],
  [{ env: { XDG_RUNTIME_DIR: '/run/user/7' }, uid: 7, ids: '0 0 4294967295' }, '/run/user/7/hutch-oci'],
  [{ env: { XDG_RUNTIME_DIR: '/run/user/7' }, uid: 0, ids: '0 7 1' }, '/run/user/7/hutch-oci'],
  [{ env: { XDG_RUNTIME_DIR: '/x', USER: 'root' }, uid: 0, ids: '0 7 1' }, '/run/hutch-oci'],
  [{ env: { XDG_RUNTIME_DIR: '' }, uid: 7, ids: '0 0 4294967295' }, '/run/hutch-oci'],
  [{ env: { XDG_RUNTIME_DIR: '/x' }, uid: 0, ids: '' }, '/run/hutch-oci'],
])('the default root of %j is %s', (facts, root) => {
  expect(defaultRoot(facts)).toBe(root)
})

const status = (action: string, value: string) => fail('CONTAINER_STATUS', { id: 'c1', action, status: value })
const kernel = (errno: string) => fail('FILE_REFUSED', { what: 'open', path: '/x', errno, remedy: 'do\nthis' })

const program = (command: string, errno: string) =>
  execError({ headline: 'h', why: 'w', evidence: [], remedy: 'r', remedies: [] }, command, errno)

test.each<[error: HutchError, words: string]>([
  [fail('CONTAINER_NOT_FOUND', { id: 'c1', root: '/r' }), 'container does not exist'],
  [fail('CONTAINER_EXISTS', { id: 'c1', directory: '/r/c1' }), 'container with given ID already exists'],
  [fail('CONTAINER_ID_INVALID', { id: '/', why: 'bad' }), 'invalid container ID format'],
  [status('start', 'running'), 'cannot start an already running container'],
  [status('start', 'paused'), 'cannot start a container in the paused state'],
  [status('start', 'stopped'), 'cannot start a container that has stopped'],
  [status('start', 'creating'), 'cannot start a container in the creating state'],
  [status('kill', 'stopped'), 'container not running'],
  [status('pause', 'stopped'), 'container not running'],
  [status('resume', 'running'), 'container not paused'],
  [status('exec', 'stopped'), 'cannot exec in a stopped container'],
  [status('exec', 'paused'), 'cannot exec in a paused container (use --ignore-paused to override)'],
  [status('delete', 'running'), 'cannot delete container c1 that is not stopped: running'],
  [program('none', 'ENOENT'), 'exec: "none": executable file not found in $PATH'],
  [program('/bin/none', 'ENOENT'), 'no such file or directory'],
  [program('/etc', 'EACCES'), 'permission denied'],
  [kernel('ENOENT'), 'no such file or directory'],
  [kernel('EACCES'), 'permission denied'],
  [kernel('EPERM'), 'operation not permitted'],
  [kernel('ENOTDIR'), 'not a directory'],
  [kernel('EISDIR'), 'is a directory'],
  [kernel('ESRCH'), 'no such process'],
])('%s has the words that callers look for: %s', (error, words) => {
  const line = refusalLine(error)
  expect(line.startsWith(`${words}: `)).toBe(true)
  expect(line).toContain(error.summary)
  expect(line).toMatch(/; remedy: \S/)
  expect(line).not.toContain('\n')
})

const directory = mkdtempSync(`${tmpdir()}/hutch-oci-log-`)
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test('messages that are not errors are in the log, and only with --debug', () => {
  const log = `${directory}/a`
  logDebug({ log, logFormat: 'json', debug: false }, 'unseen')
  logDebug({ log, logFormat: 'json', debug: true }, 'it\n"worked"')
  logDebug({ log, logFormat: 'text', debug: true }, 'seen', 'warning')
  const [first, second, ...rest] = readFileSync(log, 'utf8').split('\n')
  const line = JSON.parse(first!) as { time: string }
  expect(line).toEqual({ level: 'debug', msg: 'it\n"worked"', time: expect.any(String) })
  expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  expect(second).toMatch(/^time="[^"]+" level=warning msg="seen"$/)
  expect(rest).toEqual([''])
})

test('the configuration to begin with is that of runc, with own ids for a user without root', () => {
  const full = makeSpec({ hasV2: true }) as { linux: { namespaces: { type: string }[]; maskedPaths: string[] } }
  expect(full.linux.namespaces.map(({ type }) => type)).toEqual(['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'])
  expect(full.linux.maskedPaths.every((path) => /^\/[\w/]+$/.test(path))).toBe(true)
  const own = makeSpec({ hasV2: false, rootless: { uid: 7, gid: 8 } })
  expect(own).toMatchObject({
    linux: {
      uidMappings: [{ containerID: 0, hostID: 7, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: 8, size: 1 }],
      namespaces: [{ type: 'pid' }, { type: 'ipc' }, { type: 'uts' }, { type: 'mount' }, { type: 'user' }],
    },
  })
  expect(JSON.stringify(own)).not.toMatch(/gid=5|"sysfs"|"network"|"devices"/)
})

test('features list what the code parses', () => {
  const features = makeFeatures({ kernel: [6, 1] }, '1.2.3') as {
    mountOptions: string[]
    linux: { namespaces: string[]; capabilities: string[]; seccomp: { actions: string[]; archs: string[] } }
  }
  expect(features.mountOptions).toEqual(expect.arrayContaining(['rro', 'tmpcopyup', 'idmap', 'bind', 'rsymfollow']))
  expect(new Set(features.mountOptions).size).toBe(features.mountOptions.length)
  expect(features.linux.namespaces).toEqual(['cgroup', 'ipc', 'mount', 'network', 'pid', 'time', 'user', 'uts'])
  expect(features.linux.capabilities).toContain('CAP_CHECKPOINT_RESTORE')
  const old = makeFeatures({ kernel: [5, 4] }, '') as typeof features
  expect(old.linux.capabilities).not.toContain('CAP_BPF')
  expect(features.linux.seccomp.actions).toEqual(expect.arrayContaining(['SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_NOTIFY']))
  expect(features.linux.seccomp.archs).toContain('SCMP_ARCH_X86_64')
})

test('the help has each command and each option', () => {
  for (const [name, { flags }] of Object.entries(ociCommands)) {
    expect(formatOciHelp('hutch oci')).toMatch(new RegExp(`^ {2}${name} `, 'm'))
    const help = formatOciHelp('hutch oci', name as keyof typeof ociCommands)
    for (const flag of Object.keys(flags)) expect(help).toContain(`--${flag}`)
  }
})
