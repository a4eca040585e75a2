// SPDX-License-Identifier: Apache-2.0
// Each invocation once with util-linux's unshare and once with hutch's: what the program inside saw and how it ended are the same.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, type TestContext, test } from 'vitest'
import { collect } from '../cli/hutch.ts'
import { hutchArgs, hutchCommand, hutchFile } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { sampled } from '../support/sample.ts'
import { differences, isHere } from './differences.ts'
import { type Case, runCase } from './side.ts'

const P = ['sh', '-c', 'PROBE']
/** Options with blanks between them, then the probe. */
const see = (line: string, rest: Omit<Case, 'argv'> = {}): Case => ({
  argv: ['unshare', ...line.split(' ').filter(Boolean), ...P],
  ...rest,
})
const ask = (line: string, rest: Omit<Case, 'argv'> = {}): Case => ({ argv: ['unshare', ...line.split(' ')], ...rest })
const kept = (kind: string, options: string): Case => ({
  ...ask(`${options} true`),
  files: { ns: '' },
  after: `stat -f -c %T D/ns; nsenter --${kind}=D/ns true && echo entered`,
})

const newer = (status = 0) => ({ differs: { as: 'options of 2.42', status } })

const asRoot: Case[] = [
  see(''),
  see('', { env: { PATH: '/usr/bin:/bin', SHELL: '/bin/false' } }),
  see('', { descriptors: 1 }),
  see('', { descriptors: 5 }),
  see('-f', { descriptors: 2 }),
  ...['-m', '-u', '-i', '-n', '-p', '-U', '-C', '-T'].map((option) => see(option)),
  ...['-m', '-p', '-U', '-T', '-n'].map((option) => see(`${option} -f`)),
  see('-f'),
  see('-muinpCT --fork --mount-proc'),
  see('--mount --uts --ipc --net --pid --cgroup --time --user --fork'),
  see('-pf --mount-proc'),
  see('--mount-proc'),
  see('-p --kill-child --mount-proc'),
  see('--fork --kill-child=TERM'),
  see('-m --propagation slave'),
  see('-m --propagation shared'),
  see('-m --propagation unchanged'),
  see('--propagation slave'),
  see('-pf --mount-proc --propagation unchanged'),
  see('-r'),
  see('-c'),
  see('-r -c'),
  see('--map-user=1000 --map-group=1001'),
  see('--map-user=nobody'),
  see('--map-group=daemon'),
  see('-U --keep-caps'),
  see('-c --keep-caps'),
  see('--map-user=12 --keep-caps'),
  see('-U --setgroups=deny'),
  see('-U --setgroups=allow'),
  see('-r --setgroups deny'),
  see('-rmpf --mount-proc'),
  see('-rn'),
  see('-S 1000'),
  see('-G 1000'),
  see('-S 1000 -G 1000'),
  see('-r -S 0'),
  see('-w /tmp'),
  see('--wd=/ -f'),
  see('-R /'),
  see('-R / -w usr'),
  see('-m -R / --mount-proc'),
  see('-T --monotonic 300000 --boottime 500000'),
  see('-T -f --boottime=500000'),
  see('-fT --boottime=500000 -p --mount-proc'),
  see('--mou --prop slave'),
  kept('net', '--net=D/ns'),
  kept('uts', '--uts=D/ns'),
  kept('ipc', '--ipc=D/ns'),
  { ...kept('user', '-r --user=D/ns'), differs: { as: 'kept user namespace', status: 0 } },
  kept('cgroup', '--cgroup=D/ns'),
  kept('time', '--time=D/ns'),
  { ...kept('pid', '--pid=D/ns --fork'), after: 'stat -f -c %T D/ns' },
  ask('--pid=D/ns true', { files: { ns: '' } }),
  ask('--net=D/none true'),
  ask('--mount=D/ns true', {
    files: { ns: '' },
    after: 'mountpoint -q D || { mount --bind D D; mount --make-private D; }; stat -f -c %T D/ns | grep -c nsfs',
  }),
  { argv: ['unshare'], env: { SHELL: '/usr/bin/id' } },
  { argv: ['unshare', '-rf'], env: { SHELL: '/usr/bin/id' } },
  { argv: ['unshare', '-n'], env: { SHELL: '/no/such/shell' } },
  { argv: ['unshare', '-n'] },
  { argv: ['unshare', 'id'], env: { PATH: '/no/such:/usr/bin' } },
  ask('true'),
  ask('false'),
  ask('-f false'),
  ask('-f true'),
  { argv: ['unshare', 'sh', '-c', 'exit 77'] },
  { argv: ['unshare', '-pf', 'sh', '-c', 'exit 78'] },
  { argv: ['unshare', 'sh', '-c', 'kill -KILL $$'] },
  { argv: ['unshare', '-f', 'sh', '-c', 'kill -KILL $$'], differs: { as: 'killed child', status: null } },
  ...['TERM', 'INT', 'USR1', 'SEGV'].flatMap((name): Case[] => [
    { argv: ['unshare', 'sh', '-c', `kill -${name} $$`] },
    { argv: ['unshare', '-f', 'sh', '-c', `kill -${name} $$`] },
  ]),
  ask('no-such-program'),
  ask('/no/such/program'),
  ask('/etc/passwd'),
  ask('/etc'),
  ask('-f no-such-program'),
  ask('sh D/script', { files: { script: 'exit 5\n' } }),
  { argv: ['unshare', 'sh', '-c', 'chmod 755 D/script; D/script'], files: { script: 'exit 5\n' } },
  {
    ...ask('D/script', { files: { script: 'exit 5\n' }, differs: { as: 'no first line', status: 126 } }),
    executable: true,
  },
  ask('-U /root/no/such'),
  { argv: ['unshare', '--', 'echo', '-m', 'word'] },
  { argv: ['unshare', 'echo', '-m', '--fork'] },
  ask('-x'),
  ask('--no-such-option'),
  ask('--fork=1 true'),
  ask('--ma true'),
  ask('-S'),
  ask('-S abc true'),
  ask('-G -5 true', { differs: { as: 'ids out of range', status: 1 } }),
  ask('-U -S 5 true'),
  ask('-U -G 5 true'),
  ask('-T --monotonic=abc true'),
  ask('--monotonic=5 true'),
  ask('--boottime=5 true'),
  ask('-T --boottime=-99999999999 true'),
  ask('--kill-child=NOSIGNAL true'),
  ask('--kill-child=9 true'),
  ask('--kill-child=sigterm true'),
  ask('--propagation=sideways true'),
  ask('--setgroups=maybe true'),
  ask('--setgroups=deny true'),
  ask('-r --setgroups=allow true'),
  ask('--map-user=no-such-user true'),
  ask('--map-users=1,2 true'),
  ask('--mount-proc=/no/such/directory true'),
  ask('-R /no/such/directory true'),
  ask('-w /no/such/directory true'),
  ask('-R /etc true'),
  ask('--map-users=100000,0,1000 true', { differs: { as: 'own maps', status: 0 } }),
  ask('--map-user=4294967296 true', { differs: { as: 'ids out of range', status: 1 } }),
  see('--owner 1000:1000 -r', newer()),
  see('--owner 1000:1000', newer()),
  see('--owner 1000:1000 -n --map-users=0:0:70000 --map-groups=0:0:70000', newer()),
  see('--map-users=0:0:1 --map-users=1:100000:9 --map-groups=all', newer()),
  see('--map-users=all', newer()),
  see('--clear-env', { differs: { as: 'later options', status: 0 } }),
  see('--whitelist-env=HOME,PATH,NONE', { differs: { as: 'later options', status: 0 } }),
  see('--forward-signals', newer()),
  ask('--owner 1000 true', newer(1)),
  ask('--mount-binfmt -r true', newer(1)),
  ask('--mount-binfmt -r -pf true', { differs: { as: 'options of 2.42', status: 0 } }),
  ask('--help', { differs: { as: 'words', status: 0 } }),
  ask('-V', { differs: { as: 'words', status: 0 } }),
]

const asUser: Case[] = [
  ...['', '-U', '-r', '-c', '-U --keep-caps', '-c --keep-caps', '-rn', '-rmpf --mount-proc', '-Ur -muinpCT -f'].map(
    (line) => see(line, { as: 'user' as const }),
  ),
  see('--map-user=5 --map-group=6', { as: 'user' }),
  see('-r --setgroups=deny', { as: 'user' }),
  see('-rT --boottime=500000', { as: 'user' }),
  see('-r -S 0', { as: 'user' }),
  see('--map-auto', { as: 'delegated' }),
  see('-r --map-auto', { as: 'delegated' }),
  see('-c --map-auto', { as: 'delegated' }),
  see('--map-user=5 --map-users=auto --map-group=7 --map-groups=auto', { as: 'delegated' }),
  see('--map-users=100000,0,1000 --map-groups=100000,0,1000', { as: 'delegated' }),
  see('-r --map-users=auto', { as: 'delegated' }),
  see('-r --map-auto -S 5 -G 5', { as: 'delegated' }),
  see('-r --map-auto -pf --mount-proc', { as: 'delegated' }),
  ...['-m', '-n', '-p', '-muin', '-S 5', '-G 5', '-R /', '-r -G 5', '-r -S 5', '--mount-proc', '--map-auto'].map(
    (line) => ask(`${line} true`, { as: 'user' as const }),
  ),
  ask('--map-users=5,0,1000 true', { as: 'delegated' }),
  ask('--net=D/ns true', { as: 'user', files: { ns: '' } }),
]

const cases = [...asRoot, ...asUser]
const titled = cases.map((one, i) => [`${i} ${one.as ?? ''} ${one.argv.slice(1).join(' ')}`, one] as const)

async function compare(one: Case, context: TestContext): Promise<void> {
  requires(context, 'root', 'unshare(1)')
  const { expect } = context
  const { stderr: theirWords, ...theirs } = await runCase(one, true)
  const { stderr, ...ours } = await runCase(one, false)
  const differs = one.differs && isHere(one.differs.as) ? one.differs : undefined
  if (differs) {
    expect({ status: ours.status, stderr }).toEqual({ status: differs.status, stderr })
    expect(Object.keys(differences)).toContain(differs.as)
    // an entry that is no longer true has to go
    if (differs.status !== 1 || theirs.status === 0) expect(ours).not.toEqual(theirs)
  } else expect({ ...ours, stderr, theirWords }).toEqual({ ...theirs, stderr, theirWords })
  if (ours.status !== 0 && stderr.startsWith('unshare: '))
    expect(stderr).toMatch(/^unshare: [\s\S]*\n {2}remedy: .+\n$/)
}

describe.concurrent('beside the real unshare', () => {
  test.for(sampled(titled, true, 6))('%s', ([, one], context) => compare(one, context))
})

test('enough is compared', () => {
  expect(cases.length).toBeGreaterThan(60)
})

const start = (args: string[]) =>
  spawn(hutchFile, [...hutchArgs, 'unshare', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
const until = async (holds: () => boolean) => {
  while (!holds()) await pause(25)
}

test('without --fork a signal to unshare is one to the program', async (context) => {
  requires(context, 'root')
  const child = start(['-p', 'sh', '-c', 'trap "echo caught; exit 5" TERM; echo ready; while :; do sleep 0.1; done'])
  let text = ''
  child.stdout.on('data', (data) => {
    text += data
  })
  await until(() => text.includes('ready'))
  const ended = new Promise((resolve) => child.on('close', resolve))
  child.kill('SIGTERM')
  expect([await ended, text]).toEqual([5, 'ready\ncaught\n'])
})

test.for([
  [[], undefined],
  [['--forward-signals'], 'caught'],
] as const)('with --fork %j unshare does not end at SIGTERM', async ([options, caught], context) => {
  requires(context, 'root')
  // until the signal comes, or for as long as it may take to end what must not end
  const wait = caught ? 'while :; do sleep 0.2; done' : 'for i in 1 2 3 4 5 6 7 8; do sleep 0.2; done; exit 6'
  const child = start(['-f', ...options, 'sh', '-c', `trap "echo caught; exit 5" TERM; echo $$; ${wait}`])
  let text = ''
  child.stdout.on('data', (data) => {
    text += data
  })
  await until(() => text !== '')
  const ended = new Promise((resolve) => child.on('close', resolve))
  child.kill('SIGTERM')
  expect([await ended, text.includes('caught')]).toEqual([caught ? 5 : 6, caught !== undefined])
})

test.for([
  [['-f'], true],
  [['--kill-child'], false],
] as const)('when unshare %j is killed, its child %j', async ([options, lives], context) => {
  requires(context, 'root')
  const child = start([...options, 'sh', '-c', 'echo $$; exec sleep 100'])
  let text = ''
  child.stdout.on('data', (data) => {
    text += data
  })
  await until(() => text.includes('\n'))
  const pid = Number(text)
  child.kill('SIGKILL')
  if (lives) await pause(300)
  else await until(() => !existsSync(`/proc/${pid}`))
  expect(existsSync(`/proc/${pid}`)).toBe(lives)
  if (lives) process.kill(pid, 'SIGKILL')
})

test('the program has the soft limit of open files that its caller has', async (context) => {
  requires(context, 'root', 'not a VM')
  const line = [...hutchCommand, 'unshare', '-r', 'sh', '-c', 'ulimit -Sn; ulimit -Hn']
  const limited = await collect('sh', ['-c', 'ulimit -Sn 500; ulimit -Hn; "$@"; :', 'sh', ...line])
  const hard = limited.stdout.split('\n')[0]
  expect(limited.stdout).toBe(`${hard}\n500\n${hard}\n`)
})

test.for([['unshare'], ['unshare', '-pf']])(
  'what a terminal sends comes to the program of %j once',
  async (line, context) => {
    requires(context, 'root', 'script(1)', 'not a VM')
    // waits for the first, and then a while for a second
    const inside = `trap 'echo caught; got=1' INT; echo ready; i=0; while [ $i -lt 8 ]; do sleep 0.1; i=$((i+got)); done; exit 4`
    const words = [...hutchCommand, ...line, 'sh', '-c', inside].map((word) => `'${word.replaceAll("'", "'\\''")}'`)
    // exec: not every shell that script(1) may use leaves its place to its last command
    const child = spawn('script', ['-qec', `exec ${words.join(' ')}`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    let text = ''
    child.stdout.on('data', (data) => {
      text += data
    })
    await until(() => text.includes('ready'))
    const ended = new Promise((resolve) => child.on('close', resolve))
    child.stdin.write('\x03')
    expect([await ended, text.match(/caught/g)?.length]).toEqual([4, 1])
  },
)

test('the command of the article, both halves by hutch', async (context) => {
  requires(context, 'root')
  const name = `hutch-test-${process.pid}-article`
  const run = (...args: string[]) => collect(hutchFile, [...hutchArgs, ...args])
  expect((await run('cgcreate', '-g', `memory:${name}`)).status).toBe(0)
  try {
    const line = ['cgexec', '-g', `memory:${name}`, ...hutchCommand, 'unshare', '--pid', '--fork', '--mount-proc']
    const inside = await run(...line, 'sh', '-c', 'echo $$; ls -d /proc/[0-9]*; cat /proc/self/cgroup')
    expect(inside.stderr).toBe('')
    expect(inside.stdout).toMatch(/^1\n\/proc\/1\n/)
    expect(inside.stdout).toContain(`/${name}\n`)
  } finally {
    await run('cgdelete', '-g', `memory:${name}`)
  }
})
