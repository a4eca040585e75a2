// SPDX-License-Identifier: Apache-2.0
// Each invocation with the real lsns and with hutch's: exit status and stdout are the same, or the difference is a known one.
// Runs alone: it mounts files of namespaces, which all mount tables show.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest'
import { collect, type Ended } from '../cli/hutch.ts'
import { hutchArgs, hutchCommand, hutchFile } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { sampled } from '../support/sample.ts'
import { type Ground, makeGround } from './lsns-ground.ts'

/** Known differences: docs/util-linux.md tells each. `before` 2.42: lsns of that version does as hutch. */
const differences = {
  'older options': { before: 2.42 },
  'mounted namespaces': { before: 2.42 },
  'narrow columns': { before: 2.42 },
  'owners of other kinds': { before: 2.42 },
  'task 0': { before: 2.42 },
  'several mounts in JSON': {},
  'stray bytes in JSON': {},
  'stray characters': {},
  'filtered processes': {},
} as const

interface Case {
  argv: string
  differs?: keyof typeof differences
  /** How hutch's ends where it differs. */
  status?: number
  env?: { [name: string]: string }
  /** The width of the terminal that it is printed to. */
  terminal?: number
}

const older = (argv: string): Case => ({ argv, differs: 'older options' })

const cases: Case[] = [
  ...['', '-n', '-r', '-J', '-l', '--output-all', '-r --output-all', '-J --output-all -W'].map((flags) => ({
    argv: `-p OWN ${flags}`.trim(),
    ...(flags === '-n' ? { differs: 'narrow columns' as const } : {}),
  })),
  ...[
    '-T',
    '-Tparent',
    '-Towner',
    '--tree',
    '--tree=process',
    '-T -r',
    '-T -J',
    '-T -n -o ns',
    '-T -o command,ns',
    '-T -o pid',
  ].map((flags) => ({ argv: `-p CHAIN ${flags}` })),
  { argv: '-T -l -p OTHER -o +uid,ppid,path,pns,ons' },
  { argv: '-p OTHER -T -u -W' },
  { argv: '-p CHAIN -Tparent -t net', differs: 'owners of other kinds' },
  { argv: '-p CHAIN -t user -Tparent', differs: 'narrow columns' },
  { argv: '-p CHAIN -t net -t cgroup' },
  { argv: '-p CHAIN -t net -t cgroup -J -W' },
  { argv: '-p OWN -t cgroup -o pid,ppid,uid,user,pns,ons,netnsid,nprocs,type' },
  { argv: '-p OWN -t cgroup -n -o type,ppid,uid', differs: 'narrow columns' },
  { argv: '--noheadings --task=OWN --type cgroup --output type' },
  { argv: '-p OWN --not --output=+path,+', status: 1 },
  { argv: '-p ODD -t ipc -o command' },
  { argv: '-p ODD -t ipc -o command,ns' },
  { argv: '-p ODD -t ipc -o command', env: { LC_ALL: 'C' } },
  { argv: '-p ODD -r -t ipc -o command' },
  // what is compared are characters: the stray bytes are U+FFFD on both sides
  { argv: '-p ODD -J -t ipc -o command' },
  { argv: '-p CHAIN -T -o ns', env: { LC_ALL: 'C' } },
  { argv: 'UTS' },
  { argv: 'UTS -l' },
  { argv: 'UTS -r' },
  { argv: 'UTS -J' },
  { argv: 'UTS -T' },
  { argv: 'UTS --output-all' },
  { argv: 'NET -o ns,type,path,nprocs,command' },
  { argv: 'NET -n -o type,command', differs: 'narrow columns' },
  { argv: 'UTS NET' },
  { argv: '-p 4194305' },
  { argv: '-J -p 4194305' },
  { argv: '-p OWN,1' },
  { argv: '-p 0', differs: 'task 0', status: 1 },
  { argv: '-p -1', differs: 'task 0', status: 1 },
  { argv: '1' },
  { argv: 'abc' },
  { argv: '99999999999999999999' },
  { argv: 'UTS -p 1' },
  { argv: '-t nosuch' },
  { argv: '-t net,uts' },
  { argv: '-o nosuch' },
  { argv: '-o ns,,type' },
  { argv: '-o' },
  { argv: '-J -r' },
  { argv: '-Tnosuch' },
  { argv: '-T owner' },
  { argv: '--n' },
  { argv: '--nosuch' },
  { argv: '-t net', differs: 'mounted namespaces' },
  { argv: '-l -t uts -o ns,nsfs,pid', differs: 'mounted namespaces' },
  { argv: '-T -t net -t user -o ns,nsfs', differs: 'mounted namespaces' },
  { argv: '-T -t net -t user -o nsfs,ns', differs: 'mounted namespaces' },
  { argv: '-t net -o nsfs,ns -W', differs: 'mounted namespaces' },
  { argv: '-Towner -o ns', differs: 'mounted namespaces' },
  { argv: 'MOUNTED', differs: 'mounted namespaces' },
  { argv: 'HELD', differs: 'mounted namespaces' },
  { argv: 'SOCKET', differs: 'mounted namespaces' },
  { argv: '-J -t net -o ns,nsfs', differs: 'several mounts in JSON' },
  { argv: '-t user', differs: 'mounted namespaces' },
  older('-P'),
  older('-P -T'),
  older('-P -Tparent -t user'),
  older('-P -r --output-all'),
  older('-H'),
  older('-H -J'),
  older('--list-columns --raw'),
  ...[
    'NPROCS<3',
    'TYPE=="uts" && (NPROCS>0 || PID==2)',
    '!TYPE=="uts"',
    'type eq "ipc" or NPROCS ge 2',
    'COMMAND =~ "^sleep.600[12]"',
    'USER !~ "[[:digit:]o]"',
    'NETNSID',
    'NSFS<"z"',
    'PID<=2.5',
    'TYPE=="uts" or TYPE=="user" and NPROCS==2',
  ].map((expression) => older(`-l -p CHAIN -o ns,type -Q ${expression.replaceAll(' ', '␣')}`)),
  ...['FOO==1', '(', 'TYPE=~PID', 'TYPE==1', 'true␣and'].map((expression) => ({ argv: `-Q ${expression}` })),
  { argv: '-Q TYPE=', differs: 'stray characters', status: 1 },
  { argv: 'UTS -Q PID>1', differs: 'filtered processes' },
  { argv: '-P -p 1' },
  { argv: '-p OWN', terminal: 60 },
  { argv: '-p OWN -T', terminal: 40 },
  { argv: '-p OWN -u', terminal: 40 },
  { argv: '-p CHAIN -n -o command,ns', terminal: 17, differs: 'narrow columns' },
  { argv: '-p CHAIN -o command,ns', terminal: 17 },
]

const told = /\s([\d.]+)/.exec(spawnSync('lsns', ['-V'], { encoding: 'utf8' }).stdout ?? '')?.[1] ?? '0'
const [major = 0, minor = 0] = told.split('.').map(Number)
const version = major + minor / 100

let ground: Ground
beforeAll(async () => {
  if (process.getuid!() === 0 && version > 0) ground = await makeGround()
})
afterAll(() => ground?.clear())

async function lsns(one: Case, real: boolean): Promise<Ended> {
  const args = one.argv
    .split(' ')
    .filter((word) => word !== '')
    .map((word) =>
      word.replace(/\b[A-Z]+\b/g, (name) =>
        word === name || word.includes('=') ? (ground.words[name] ?? name) : name,
      ),
    )
    .map((word) => word.replaceAll('␣', ' '))
  const [command, ...first] = real ? ['lsns'] : [...hutchCommand, 'lsns']
  const env = { ...process.env, LC_ALL: 'C.UTF-8', ...one.env }
  if (one.terminal === undefined) return collect(command!, [...first, ...args], { env })
  const words = [command, ...first, ...args].map((word) => `'${word}'`).join(' ')
  return collect('script', ['-qec', `stty cols ${one.terminal}; ${words}`, '/dev/null'], { env })
}

/** How many processes there are moves all the time. */
function settle(text: string): string {
  const settled = text.replace(/"nprocs": \d{2,}/g, '"nprocs": …').replace(/ +\d{2,4}(?= |\n)/g, ' …')
  // how wide 2.38 makes PPID depends on how high process ids are by now
  return version < 2.42 && text.includes('PPID') ? settled.replace(/ +/g, ' ') : settled
}

/** What both did. Again when it differs: others make and end namespaces between the two, too. */
async function runBoth(one: Case): Promise<{ theirs: Ended; ours: Ended }> {
  for (let tries = 0; ; tries++) {
    const [theirs, ours] = [await lsns(one, true), await lsns(one, false)]
    for (const ended of [theirs, ours]) ended.stdout = settle(ended.stdout)
    const isSame = theirs.stdout === ours.stdout && theirs.status === ours.status
    if (tries === 3 || isKnown(one) || isSame) return { theirs, ours }
  }
}

/** Whether the real one here is known to differ. */
function isKnown({ differs }: Case): boolean {
  const known: { before?: number } | undefined = differs && differences[differs]
  return known !== undefined && version < (known.before ?? 99)
}

const titled = cases.map((one, i) => [`${i} ${one.argv} ${one.terminal ?? ''}`.trim(), one] as const)

describe('beside the real lsns', () => {
  test.for(sampled(titled, true))('%s', async ([, one], context: TestContext) => {
    requires(context, 'root', 'lsns(8)')
    if (one.terminal !== undefined) requires(context, 'script(1)')
    const { theirs, ours } = await runBoth(one)
    const [real, own] = [theirs, ours].map(({ status, stdout }) => ({ status, stdout, stderr: ours.stderr }))
    if (isKnown(one)) {
      expect({ status: ours.status, stderr: ours.stderr }).toEqual({ status: one.status ?? 0, stderr: ours.stderr })
      // an entry that is no longer true has to go; filters came with 2.40
      if (version >= 2.4 || !one.argv.includes('-Q')) expect(own).not.toEqual(real)
    } else expect(own).toEqual(real)
    if (ours.status !== 0) expect(ours.stderr).toMatch(/^lsns: [\s\S]*\n {2}remedy: .+\n$/)
  })
})

test('what only a descriptor or a socket holds is listed without a process, and its network is entered by the socket', async (context) => {
  requires(context, 'root', 'lsns(8)')
  const { HELD, SOCKET, HOLDER } = ground.words
  const line = (argv: string) => collect(hutchFile, [...hutchArgs, ...argv.split(' ')])
  const persistent = await line('lsns -P -r -n -o ns,type,nprocs,pid,user')
  expect(persistent.stdout.split('\n')).toEqual(
    expect.arrayContaining([`${HELD} uts 0  root`, `${SOCKET} net 0  root`]),
  )
  const entered = await line(`nsenter -t ${HOLDER} --net-socket 3 readlink /proc/self/ns/net`)
  expect(entered).toEqual({ status: 0, stdout: `net:[${SOCKET}]\n`, stderr: '' })
  const stays = await line(`nsenter -t ${HOLDER} --net readlink /proc/self/ns/net`)
  expect(stays.stdout).not.toContain(SOCKET)
  for (const [argv, words] of [
    [`-t ${HOLDER} -N 77`, 'EBADF'],
    [`-t ${HOLDER} -N 0`, 'ENOTTY'],
    ['-N 3', 'no process is named'],
    [`-t ${HOLDER} -N x`, 'not the number of a descriptor'],
  ] as const) {
    const refused = await line(`nsenter ${argv} true`)
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining(words) })
  }
})

test('docs/util-linux.md has every known difference, and no other', () => {
  const section = readFileSync('docs/util-linux.md', 'utf8')
    .split(/^## /m)
    .find((text) => text.startsWith('lsns'))!
  const rows = [...section.matchAll(/^\| ([^|`]+?) +\| [^|]+\|$/gm)].map(([, name]) => name!)
  expect(rows.filter((name) => !/^(-+|difference)$/.test(name))).toEqual(Object.keys(differences))
})
