// SPDX-License-Identifier: Apache-2.0
// Ids of the host that root's sandboxes have: each its own, through every door, given back however its holder ends.
// In a VM only in `npm run test:kernels`.
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { createPool, type RunOptions, run } from '../../../src/index.ts'
import { begin, collect, type Ended, hutch, type Running } from '../../cli/hutch.ts'
import { hutchArgs, hutchCommand, hutchFile } from '../../support/command.ts'
import { killsHutches } from '../../support/leaks.ts'
import { requires } from '../../support/requires.ts'

killsHutches()

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(`${tmpdir()}/hutch-test-${process.pid}-`)
  chmodSync(folder, 0o755)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
beforeEach((context) => requires(context, 'root', 'unshare(1)'))

/** Where all takes ten times as long, a sandbox's own minute is short. */
const slow: RunOptions = process.env.VM ? { timeout: '10m' } : {}
const sandboxed = process.env.VM ? ['--sandbox', '--timeout', '10m'] : ['--sandbox']
const patience = process.env.VM ? 250_000 : 60_000
const holding = 'cat /proc/self/uid_map /proc/self/gid_map; read x'

/** First ids outside and how many, of users and groups, as `cat uid_map gid_map` tells them. */
function mapsOf(text: string): number[] {
  const [, user, users, , group, groups] = text.trim().split(/\s+/).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  expect([user, users]).toEqual([group, groups])
  return [user, users]
}

const told = async (running: Running) => {
  await vi.waitFor(() => expect(running.said()).toMatch(/(\d+\s+){6}/), patience)
  return mapsOf(running.said())
}

/** A process that holds its standard input until it is told to end. */
const hold = (command: string, args: string[]) => begin(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })

/** Ends what holds, and waits. */
const end = (...all: Running[]) => endBy('SIGTERM', all)

async function endBy(signal: NodeJS.Signals, all: Running[]): Promise<void> {
  for (const { pid } of all)
    try {
      process.kill(pid, signal)
    } catch {}
  await Promise.all(all.map(({ ended }) => ended))
}

test('each has its own range, through every door', async () => {
  const file = `${folder}/compiled`
  expect(await hutch(['compile', ...sandboxed, '--output', file, '--', 'sh', '-c', holding])).toMatchObject({
    status: 0,
  })
  const words = ['run', ...sandboxed, '--', 'sh', '-c', holding]
  const held = [
    hold(hutchFile, [...hutchArgs, ...words]),
    hold(hutchFile, [...hutchArgs, ...words]),
    hold(file, []),
    hold(file, []),
  ]
  await using pool = await createPool({ size: 3, plan: { sandbox: true, ...slow } })
  try {
    const jobs = [1, 2, 3].map(() => pool.run(['sh', '-c', 'cat /proc/self/uid_map /proc/self/gid_map; sleep 0.2']))
    const library = [1, 2].map(() =>
      run('sh', ['-c', 'cat /proc/self/uid_map /proc/self/gid_map; sleep 0.2'], { sandbox: true, ...slow }),
    )
    const ended = (await Promise.all([...jobs, ...library])).map(({ stdout }) => mapsOf(stdout!))
    const maps = [...ended, ...(await Promise.all(held.map(told)))]
    expect(new Set(maps.map(([first]) => first)).size).toBe(9)
    for (const [first, count] of maps) {
      expect(count).toBe(65_536)
      expect(first! % 65_536).toBe(0)
      expect(first).toBeGreaterThanOrEqual(524_288)
      expect(first! + 65_535).toBeLessThanOrEqual(1_879_048_191)
    }
  } finally {
    await end(...held)
  }
})

/** A pipe beside many others: what is left of the pages that its user may have for pipes. */
const pipes = `
import fcntl, os, resource, sys
many = []
if sys.argv[1] == "fill":
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    for _ in range(2000):
        try:
            r, w = os.pipe()
        except OSError: break
        many += [r, w]
        try: fcntl.fcntl(w, 1031, 1 << 20)
        except OSError: pass
    print("filled", flush=True)
    sys.stdin.read()
else:
    print(fcntl.fcntl(os.pipe()[1], 1032))
`

test("one that takes all its user's pages of pipes leaves others theirs; with one map for both it does not", async () => {
  const left = async (...map: string[]) => {
    const words = [...hutchArgs, 'run', ...sandboxed, ...map, '--cap-drop', 'ALL', '--', 'python3', '-c', pipes]
    const filling = hold(hutchFile, [...words, 'fill'])
    try {
      await vi.waitFor(() => expect(filling.said()).toBe('filled\n'), patience)
      return Number((await collect(hutchFile, [...words, 'look'])).stdout)
    } finally {
      await end(filling)
    }
  }
  expect(await left()).toBe(65_536)
  expect(await left('--map-users', '0:1999962112:65536')).toBeLessThan(65_536)
})

/** In a mount namespace whose files of accounts are these. */
function accounts(files: { [path: string]: string }, command: string[]): [string, string[]] {
  const binds = Object.entries(files).map(([path, text], i) => {
    const file = `${folder}/account-${i}-${Math.random()}`
    writeFileSync(file, text)
    return `mount --bind ${file} ${path}`
  })
  return ['unshare', ['--mount', 'sh', '-ec', `${binds.join('; ')}; exec "$@"`, 'sh', ...command]]
}

const sandbox = (files: { [path: string]: string }) =>
  hold(...accounts(files, [...hutchCommand, 'run', ...sandboxed, '--', 'sh', '-c', holding]))
const attempt = (files: { [path: string]: string }): Promise<Ended> =>
  collect(
    ...accounts(files, [...hutchCommand, 'run', ...sandboxed, '--', 'cat', '/proc/self/uid_map', '/proc/self/gid_map']),
  )
const both = (text: string) => ({ '/etc/subuid': text, '/etc/subgid': text })

test("root's range in /etc/subuid is used; when it is used up the start is refused, and a killed holder gives back", async (context) => {
  if (!existsSync('/etc/subuid') || !existsSync('/etc/subgid')) return context.skip('no /etc/subuid to mount over')
  const range = both('joe:100000:65536\nroot:1950000128:131072\n')
  const held = [sandbox(range), sandbox(range)]
  try {
    const maps = await Promise.all(held.map(told))
    expect(maps.toSorted(([a], [b]) => a! - b!)).toEqual([
      [1_950_000_128, 65_536],
      [1_950_065_664, 65_536],
    ])
    const refused = await attempt(range)
    expect(refused.status).toBe(125)
    expect(refused.stderr).toMatch(/no host ids are free.*remedy: end a sandbox.*--map-users/s)
    // with ids of one's own choice it starts
    const chosen = [...hutchCommand, 'run', ...sandboxed, '--map-users', '0:1960000000:9', '--', 'true']
    expect(await collect(...accounts(range, chosen))).toMatchObject({ status: 0 })
    await endBy('SIGKILL', [held[0]!])
    // its processes are on their way out
    await vi.waitFor(async () => expect((await attempt(range)).status).toBe(0), patience)
    expect(mapsOf((await attempt(range)).stdout)).toEqual(maps[0])
  } finally {
    await end(...held)
  }
})

test('of a small range each gets one id; accounts and living user namespaces keep theirs', async (context) => {
  if (!existsSync('/etc/subuid') || !existsSync('/etc/subgid')) return context.skip('no /etc/subuid to mount over')
  const small = {
    ...both('root:1951000000:4\njoe:1951000003:1\n'),
    '/etc/passwd': 'root:x:0:0::/:/bin/sh\njim:x:1951000002:7::/:/bin/sh\n',
  }
  const foreign = hold(hutchFile, [
    ...hutchArgs,
    'run',
    '--isolate',
    'user',
    '--map-users',
    '0:1951000000:1',
    '--',
    'sh',
    '-c',
    holding,
  ])
  let held: Running | undefined
  try {
    await told(foreign)
    held = sandbox(small)
    expect(await told(held)).toEqual([1_951_000_001, 1])
    expect((await attempt(small)).stderr).toContain('no host ids are free')
    await end(held)
    expect(mapsOf((await attempt(small)).stdout)).toEqual([1_951_000_001, 1])
  } finally {
    await end(foreign, ...(held ? [held] : []))
  }
})

const inNamespace: [what: string, outer: string[], ids: RegExp][] = [
  [
    'a rootless container',
    [...hutchCommand, 'run', '--limit', 'none', '--isolate', 'user,mount', '--map-users', '0:1952000000:65536', '--'],
    /^ +0 +\d+ +1\n +0 +\d+ +1\n0$/,
  ],
  ['a user namespace with one id', ['unshare', '--map-root-user'], /^ +0 +0 +1\n +0 +0 +1\n0$/],
  [
    'a container that has ids from 524288 on',
    [
      ...hutchCommand,
      'run',
      '--limit',
      'none',
      '--isolate',
      'user,mount',
      '--map-users',
      '0:1952000000:1',
      '--map-users',
      '524288:1953000000:200000',
      '--map-groups',
      '0:1952000000:1',
      '--map-groups',
      '524288:1953000000:200000',
      '--',
    ],
    /^ +0 +\d+ +65536\n +0 +\d+ +65536\n0$/,
  ],
]

test.each(inNamespace)(
  'as root of %s it starts with the ids that are there',
  async (_what, [command, ...words], ids) => {
    const inner = [
      ...hutchCommand,
      'run',
      ...sandboxed,
      '--limit',
      'none',
      '--',
      'sh',
      '-c',
      'cat /proc/self/uid_map /proc/self/gid_map; id -u',
    ]
    const { stdout, stderr, status } = await collect(command!, [...words, ...inner])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout.trimEnd().replace(/^ */, ' ')).toMatch(ids)
  },
)

test('without a /run that can be written it starts, beside those that are there', async () => {
  const words = [...hutchCommand, 'run', ...sandboxed, '--', 'sh', '-c', holding]
  const held = [1, 2].map(() =>
    hold('unshare', ['--mount', 'sh', '-ec', 'mount -t tmpfs -o ro none /run; exec "$@"', 'sh', ...words]),
  )
  try {
    const maps = await Promise.all(held.map(told))
    expect(new Set(maps.map(([first]) => first)).size).toBe(2)
  } finally {
    await end(...held)
  }
})
