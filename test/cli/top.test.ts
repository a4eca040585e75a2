// SPDX-License-Identifier: Apache-2.0
// hutch top in a terminal, by its keys.
// In a VM only in `npm run test:kernels`.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { readHost } from '../../src/host/host.ts'
import { Cgroup, HutchError } from '../../src/index.ts'
import { cli } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { endOf, endSleepers, sleeper, startQuiet } from '../support/sleeper.ts'
import { hutch } from './hutch.ts'
import { closeTerminal, openTerminal, press, record, resize, screen, start, terminal, until, write } from './tmux.ts'

beforeEach((context) => requires(context, 'hutch for Node'))

const top = `/hutch-test-${process.pid}`

afterEach(async () => {
  closeTerminal()
  await endSleepers()
  try {
    await Cgroup.open(top).remove({ recursive: true, kill: true })
  } catch (error) {
    if (!HutchError.is(error) || error.code !== 'CGROUP_NOT_FOUND') throw error
  }
})

/** `web` with `web/worker`, which burns a quarter of a CPU, and `db`, which sleeps. */
async function ground() {
  const worker = await Cgroup.create(`${top}/web/worker`, {
    files: { 'memory.max': '64M', 'pids.max': 9, 'cpu.max': { quota: 25_000, period: 100_000 } },
  })
  await worker.add(startQuiet('sh', ['-c', 'while :; do :; done']).pid!)
  const db = await Cgroup.create(`${top}/db`, { files: { 'memory.max': '32M' } })
  const pid = sleeper()
  await db.add(pid)
  await Cgroup.create(`${top}/empty`)
  return { worker, db, pid }
}

const topPid = () =>
  Number(execFileSync('pgrep', ['-n', '-f', `^${process.execPath} ${cli} top`], { encoding: 'utf8' }))

/** The shell waits again. */
const back = (text: string) => text.trimEnd().endsWith('prompt>')

/** The names in the list, from the top. */
const names = (text: string) =>
  text
    .split('\n')
    .slice(2)
    .flatMap((line) => /^ *(?:[▾▸] )? *([\w/-]+) +(?:[\d.]+%|-) /.exec(line)?.[1] ?? [])

test('it shows the groups as a tree or flat, sorted, filtered and folded, and one in full', async (context) => {
  requires(context, 'tmux(1)', 'not a VM')
  await ground()
  openTerminal(130, 24)
  start('top', '--interval', '300ms', top)
  const first = await until(/worker +[1-9]\d*\.\d%/)
  expect(first).toMatch(/^hutch top {2}\d\d:\d\d:\d\d {3}4 of \d+ groups {3}by CPU/m)
  expect(first).toMatch(/^GROUP +CPU%▾ +THR% +MEM .* LIMIT +SWAP +PIDS +READ\/s +WRITE\/s +STALLED c\/m\/i +OOM$/m)
  expect(first).toMatch(/^ {4} {2}worker .* 64\.0M .* 1\/9( |$)/m)
  expect(names(first)).toEqual([top, 'web', 'worker', 'db'])
  // fold: the cursor is on the topmost
  press('Down', 'Left')
  await until((text) => names(text).join() === [top, 'web', 'db'].join())
  press('Space')
  await until(/worker/)
  press('t')
  await until(new RegExp(`^${top}/web/worker `, 'm'))
  press('/')
  write('WORK')
  await until((text) => names(text).join() === `${top}/web/worker`)
  press('Escape', 'a', 'S')
  await until(
    (text) => names(text).join() === [top, `${top}/db`, `${top}/empty`, `${top}/web`, `${top}/web/worker`].join(),
  )
  press('End', 'Enter')
  const details = await until(/^cpu +[1-9]\d*\.\d% .*[▁▂▃▄▅▆▇█]{2}/m)
  expect(details).toMatch(new RegExp(`^${top}/web/worker *$`, 'm'))
  expect(details).toMatch(/^ {2}throttled +\d+% .*periods/m)
  expect(details).toMatch(/^ {2}limit +0\.25 CPUs/m)
  expect(details).toMatch(/^ {2}limit +64\.0 MiB {3}[▏▎▍▌▋▊▉█·]+ \d/m)
  expect(details).toMatch(/^tasks +1\/9/m)
  press('Escape', '?')
  await until(/any key goes back/)
  press('x', 'q')
  await until(back)
})

test('freeze, limits and kill ask first, and tell what was done', async (context) => {
  requires(context, 'tmux(1)')
  const { db, pid } = await ground()
  openTerminal(110, 20)
  start('top', '--interval', '300ms', `${top}/db`)
  await until(/ctl|q quit|32\.0M/)
  press('f')
  await until(/freeze .*\/db, and all below it\? y\/n/)
  press('n')
  await until(/nothing was done/)
  expect(db.get('cgroup.freeze')).toBe(false)
  press('f', 'y')
  await until(/\/db is frozen/)
  await until(/\(frozen\)/)
  expect(db.get('cgroup.freeze')).toBe(true)
  press('f', 'y')
  await until((text) => text.includes('goes on') && !text.includes('(frozen)'))
  press('l')
  await until(/which limit\? +m memory\.max/)
  press('m')
  write('48M')
  press('Enter')
  await until(/set memory\.max of .*\/db to 48M\? y\/n/)
  expect(db.get('memory.max')).toBe(32 * 2 ** 20)
  press('y')
  await until(/48\.0M/)
  expect(db.get('memory.max')).toBe(48 * 2 ** 20)
  press('l', 'c')
  write('1.5')
  press('Enter', 'y')
  await until(/cpu\.max of .* is 1\.5/)
  expect(db.get('cpu.max')).toEqual({ quota: 150_000, period: 100_000 })
  press('l', 'p')
  write('many')
  press('Enter', 'y')
  await until(/invalid value many for pids\.max/)
  press('l', 'c')
  write('much')
  press('Enter', 'y')
  await until(/invalid value much for cpu\.max; remedy: give CPUs,\s+such as 0\.5/)
  const ended = endOf(pid)
  press('k', 'y')
  expect(await ended).toBe('SIGKILL')
  await until(/all processes of .*\/db were killed/)
  press('C-c')
  await until(back)
})

test('it does not stop or kill the group that it is in', async (context) => {
  requires(context, 'tmux(1)', 'not a VM')
  await Cgroup.create(top)
  openTerminal(100, 20)
  start('cgroup', 'exec', top, '--', process.execPath, 'dist/cli.cjs', 'top', top)
  await until(/hutch top/)
  press('k')
  await until(/hutch top itself is in .*: this would kill hutch top/)
  press('f')
  await until(/this would stop hutch top/)
  press('q')
  await until(back)
})

test('the terminal is given back as it was, whatever ends it', async (context) => {
  requires(context, 'tmux(1)', 'not a VM')
  openTerminal(100, 20)
  write('stty -a > /dev/null; echo before')
  press('Enter')
  // the shell changes the settings itself before it waits
  await until((text) => /^before$/m.test(text) && back(text))
  const settings = () => execFileSync('sh', ['-c', `stty -a < ${tty}`], { encoding: 'utf8' })
  const tty = terminal()
  const before = settings()
  const ends: [string, (pid: number) => void][] = [
    ['q', () => press('q')],
    ['Ctrl-C', () => press('C-c')],
    ['SIGTERM', (pid) => process.kill(pid, 'SIGTERM')],
    ['SIGQUIT', (pid) => process.kill(pid, 'SIGQUIT')],
  ]
  for (const [name, end] of ends) {
    start('top')
    await until(/^hutch top/m)
    expect([name, settings() === before]).toEqual([name, false])
    end(topPid())
    const after = await until((text) => /^before$/m.test(text) && back(text), name)
    expect([name, after.includes('hutch top  ')]).toEqual([name, false])
    // the shell sets the terminal before or after it prompts
    await vi.waitFor(() => expect([name, settings()]).toEqual([name, before]), 5000)
  }
  // Ctrl-Z, and back again, also where a shell that is no interactive one waits for it
  write(`sh -c '${process.execPath} ${cli} top; echo ended'`)
  press('Enter')
  await until(/^hutch top/m)
  press('C-z')
  await until((text) => /Stopped/.test(text) && back(text))
  await vi.waitFor(() => expect(settings()).toBe(before), 5000)
  write('clear; fg')
  press('Enter')
  await until(/^hutch top/m)
  // what stops it unasked leaves its screen to the shell
  process.kill(-Number(execFileSync('ps', ['-o', 'pgid=', '-p', String(topPid())])), 'SIGSTOP')
  await until(/Stopped/)
  write('clear; fg')
  press('Enter')
  await until(/^hutch top/m)
  press('q')
  await until(/^ended$/m)
  await until(back)
  await vi.waitFor(() => expect(settings()).toBe(before), 5000)
})

test('it fits every size, and writes only what changed, all at once', async (context) => {
  requires(context, 'tmux(1)', 'not a VM')
  await ground()
  openTerminal(130, 24)
  start('top', '--interval', '100ms', top)
  await until(/worker +[1-9]\d*\.\d%/)
  const directory = mkdtempSync(`${tmpdir()}/hutch-top-`)
  try {
    record(`${directory}/out`)
    let out = ''
    let frames: string[] = []
    while (frames.length < 6) {
      await pause(100)
      out = readFileSync(`${directory}/out`, 'utf8')
      // the last may not be there as a whole
      frames = out.split('\x1b[?2026h').slice(1, -1)
    }
    expect(frames.every((frame) => frame.endsWith('\x1b[?2026l'))).toBe(true)
    expect(out).not.toContain('\x1b[2J')
    // the line of a group that sleeps is not written again and again
    expect(out.split('db').length).toBeLessThan(4)
    resize(60, 12)
    const small = await until((text) => /^GROUP +CPU%▾ .*PIDS/m.test(text) && !/READ/.test(text))
    expect(Math.max(...small.split('\n').map((line) => line.length))).toBeLessThanOrEqual(60)
    expect(small).toMatch(/worker/)
    for (const [columns, rows] of [
      [20, 3],
      [2, 2],
    ] as const) {
      resize(columns, rows)
      await until(/h/)
    }
    resize(130, 24)
    await until(/WRITE\/s[\s\S]*worker/)
    press('q')
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('names that steer a terminal do not reach it', async (context) => {
  requires(context, 'tmux(1)', 'not a VM')
  await Cgroup.create(top)
  const { unified, v1 } = readHost()
  const directory = `${(unified ?? Object.values(v1)[0]!).mount}${top}/\x1b]0;evil\x07\u202e`
  mkdirSync(directory)
  try {
    openTerminal(130, 20)
    start('top', top)
    await until(/hutch top/)
    press('a')
    await until(/\\x1b\]0;evil\\x07\\u\{202e\}/)
    press('q')
    await until(back)
  } finally {
    closeTerminal()
    rmdirSync(directory)
  }
  expect(screen).toThrow()
})

test('without a terminal it says what to use instead', async (context) => {
  const { status, stderr } = await hutch(['top'])
  expect(status).toBe(125)
  expect(stderr).toContain('it needs a terminal')
  expect(stderr).toContain('hutch stats')
  requires(context, 'tmux(1)', 'not a VM')
  openTerminal(100, 20)
  write(`TERM=dumb ${process.execPath} ${cli} top`)
  press('Enter')
  await until(/a terminal of type dumb cannot show a full screen/)
})
