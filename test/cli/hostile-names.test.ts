// SPDX-License-Identifier: Apache-2.0
// Names of groups and processes that others chose: no output of hutch steers a terminal, hides text or turns a line round.
// In a VM only in `npm run test:kernels`.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { Cgroup } from '../../src/index.ts'
import { endSleepers, startQuiet } from '../support/sleeper.ts'
import { becomes, hutch } from './hutch.ts'

const top = `/hutch-test-${process.pid}`
/** The kernel refuses an end of line in a group's name. A colour, a right-to-left override, an isolate, DEL, and the end of a string of C1. */
const hostile = 'ab\x1b[31m\u202egnp\u2066\x7f\u009c'
const group = `${top}/${hostile}`
/** Everything except printable text, ends of lines and tabs. */
const raw = /[^\P{C}\n\t]|[\u2028\u2029]/u

afterEach(async () => {
  await endSleepers()
  await Cgroup.open(top).remove({ recursive: true, kill: true })
})

test('no command prints a hostile name raw', async () => {
  const parent = await Cgroup.create(top, { files: { 'pids.max': 9 } })
  // hutch itself makes no group of such a name
  for (const directory of Object.values(parent.directories)) mkdirSync(`${directory}/${hostile}`)
  const { pid } = startQuiet('sh', [
    '-c',
    `printf '\\033[31m\\342\\200\\256' >/proc/self/comm; sleep 1000; : ${hostile}\nb\x1b[31m`,
  ])
  await becomes(pid!, '\x1b[31m\u202e')
  for (const directory of Object.values(parent.directories))
    writeFileSync(`${directory}/${hostile}/cgroup.procs`, String(pid))
  // the control: a plain list of the directory has them all
  const directory = Object.values(parent.directories)[0]!
  expect(execFileSync('find', [directory, '-type', 'd'], { encoding: 'utf8' })).toMatch(raw)
  const commands = [
    ['metrics', '--once'],
    ['metrics', '--once', '--open-metrics'],
    ['ps', top],
    ['ps', '--json', top],
    ['ps', '--tree', top],
    ['stats', '--no-stream', '--interval', '200ms'],
    ['stats', '--no-stream', '--json', '--interval', '200ms'],
    ['why', String(pid)],
    ['why', '--json', String(pid)],
    ['why', group],
    ['why', `${group}/missing`],
    ['cgroup', 'ls', top],
    ['cgroup', 'ls', '--json', top],
    ['cgroup', 'tree', top],
    ['cgroup', 'tree', '--json', top],
    ['cgroup', 'show', group],
    ['cgroup', 'show', '--json', group],
    ['cgroup', 'save', group],
    ['cgroup', 'set', group, 'pids.max=no'],
    ['cgroup', 'get', `${group}/missing`, 'pids.max'],
    ['run', '--limit', 'none', `/tmp/missing-${hostile}`],
    ['replay', '--list', `/tmp/missing-${hostile}`],
    ['lscgroup'],
    ['lsns'],
    ['lsns', '--json'],
    [hostile],
  ]
  const told: string[] = []
  for (const args of commands) {
    const { stdout, stderr } = await hutch(args)
    const all = stdout + stderr
    if (raw.test(all)) told.push(`${JSON.stringify(args)}: ${JSON.stringify(raw.exec(all)![0])}`)
    // a line that begins as the name goes on
    if (/^b(\\x1b|\x1b)/m.test(all)) told.push(`${JSON.stringify(args)}: a line of its own`)
  }
  expect(told).toEqual([])
  // a parser of JSON has the name as it is
  const list = JSON.parse((await hutch(['ps', '--json', top])).stdout)
  expect(list.map((one: { group: string }) => one.group)).toContain(group)
}, 240_000)
