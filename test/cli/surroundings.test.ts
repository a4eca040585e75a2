// SPDX-License-Identifier: Apache-2.0
// hutch started under unusual limits, streams, signals and directories: a job starts, or the error names the cause. Each way to
// start is tried as root and as another user, beside a control that shows that the surroundings are in force.
// In a VM only in `npm run test:kernels`.
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hutchCommand } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { sampled } from '../support/sample.ts'
import { collect, type Ended } from './hutch.ts'

const work = mkdtempSync(`${tmpdir()}/hutch-test-surroundings-`)
afterAll(() => rmSync(work, { recursive: true, force: true }))

const node = process.execPath
const project = process.cwd()
const user = 61235
const asUser = ['setpriv', '--reuid', String(user), '--regid', String(user), '--clear-groups']
const library = `import { run } from '${project}/dist/index.js'
try {
  process.exitCode = (await run('echo', ['ok'], { limits: 'none', stdio: 'inherit' })).exitCode
} catch (error) {
  console.error(error.message)
  process.exitCode = 125
}
`

/** Ways for root to start a job that prints "ok". */
const rootStarts: [name: string, command: string[]][] = [
  ['run', [...hutchCommand, 'run', '--limit', 'none', '--', 'echo', 'ok']],
  ['sandbox with limits', [...hutchCommand, 'run', '--sandbox', '--', 'echo', 'ok']],
  ['library', [node, `${work}/library.mjs`]],
  ['bwrap', [...hutchCommand, 'bwrap', '--ro-bind', '/', '/', '--unshare-all', 'echo', 'ok']],
  ['compiled', ['compiled']],
  ['compiled sandbox with limits', ['compiled-limits']],
]
/** Without a delegated group a user may set no limits. */
const userStarts: typeof rootStarts = [
  ['sandbox', [...hutchCommand, 'run', '--sandbox', '--limit', 'none', '--', 'echo', 'ok']],
  ['compiled sandbox', ['compiled-sandbox']],
]

beforeAll(async () => {
  if (process.getuid!() !== 0) return
  chmodSync(work, 0o755)
  writeFileSync(`${work}/library.mjs`, library)
  mkdirSync(`${work}/0`)
  mkdirSync(`${work}/${user}`)
  chownSync(`${work}/${user}`, user, user)
  const compile = (uid: number, name: string, options: string[]) => {
    const command = [...hutchCommand, 'compile', '-o', `${work}/${uid}/${name}`, ...options, '--', 'echo', 'ok']
    const [program, ...args] = uid === 0 ? command : [...asUser, ...command]
    return collect(program!, args)
  }
  const ended = await Promise.all([
    compile(0, 'compiled', ['--limit', 'none', '--isolate', 'none']),
    compile(0, 'compiled-limits', ['--sandbox']),
    compile(user, 'compiled-sandbox', ['--sandbox', '--limit', 'none']),
  ])
  for (const { stderr } of ended) expect(stderr).toBe('')
}, 60_000)

const works = { status: 0, stdout: 'ok\n', stderr: '' }
const silent = { status: 0, stdout: '' }

interface Surroundings {
  name: string
  /** Shell text that makes them and ends in `exec "$@"`. */
  shell: string
  /** A command, or shell text, that prints a line `shown` in them. */
  control: [command: string | string[], shown: string]
  /** What a start may end with; `works` by default. */
  ends?: (start: string) => object[]
  root?: true
  /** The starts to try if not all: where the test's own directory is hidden, or each start takes long. */
  only?: RegExp
}

const refusedBy = (words: RegExp) => ({
  status: expect.not.toBeOneOf([0, null]),
  stdout: '',
  stderr: expect.stringMatching(words),
})

const table: Surroundings[] = [
  { name: '40 open files', shell: 'ulimit -n 40; exec "$@"', control: ['ulimit -n', '40'] },
  {
    name: '25 open files, which Node alone uses up',
    shell: 'ulimit -n 25; exec "$@"',
    control: ['ulimit -n', '25'],
    ends: (start) =>
      start.startsWith('compiled')
        ? [works]
        : [works, refusedBy(/EMFILE[\s\S]*RLIMIT_NOFILE[\s\S]*remedy: .*ulimit -n/)],
  },
  {
    name: 'files of no size',
    shell: 'ulimit -f 0; exec "$@"',
    control: [`sh -c 'echo x >${work}/file'; echo $?`, '153'],
    ends: () => [refusedBy(/EFBIG[\s\S]*remedy.*ulimit -f unlimited/)],
  },
  { name: 'umask 0777', shell: 'umask 0777; exec "$@"', control: ['umask', '0777'] },
  { name: 'stdin closed', shell: 'exec "$@" <&-', control: ['[ -e /proc/$$/fd/0 ] || echo closed', 'closed'] },
  {
    name: 'stdout closed',
    shell: 'exec "$@" >&-',
    control: ['[ -e /proc/$$/fd/1 ] || echo closed >&2', 'closed'],
    ends: () => [silent],
  },
  {
    name: 'all streams closed',
    shell: `exec 9>&1; exec "$@" <&- >&- 2>&-`,
    // without a pipe, which would take these numbers
    control: ['[ -e /proc/$$/fd/0 ] || [ -e /proc/$$/fd/1 ] || [ -e /proc/$$/fd/2 ] || echo closed >&9', 'closed'],
    ends: () => [silent],
  },
  {
    name: 'a working directory that is gone',
    shell: `mkdir /tmp/hutch-gone-$$ && cd /tmp/hutch-gone-$$ && rmdir /tmp/hutch-gone-$$; exec "$@"`,
    control: ['readlink /proc/$$/cwd | sed "s/.* //"', '(deleted)'],
  },
  { name: 'an empty environment', shell: 'exec env -i "$@"', control: ['tr -d "\\0" </proc/$$/environ | wc -c', '0'] },
  {
    name: 'SIGCHLD and SIGPIPE ignored',
    shell: 'exec env --ignore-signal=CHLD,PIPE "$@"',
    control: [['grep', '-o', 'SigIgn:.*11000$', '/proc/self/status'], 'SigIgn:\t0000000000011000'],
  },
  {
    name: 'signals blocked',
    shell: 'exec env --block-signal=CHLD,TERM,INT,HUP,USR1,PIPE "$@"',
    control: [['grep', 'SigBlk', '/proc/self/status'], 'SigBlk:\t0000000000015203'],
  },
  {
    name: '3000 more descriptors',
    shell: `ulimit -n 4096; exec python3 -c '
import os, sys
null = os.open("/dev/null", os.O_RDONLY)
for number in range(100, 3100): os.dup2(null, number, True)
os.execvp(sys.argv[1], sys.argv[1:])' "$@"`,
    control: ['[ "$(ls /proc/$$/fd | wc -l)" -gt 3000 ] && echo more', 'more'],
    only: /^sandbox|^compiled sandbox/,
  },
  {
    name: '/tmp and /dev/shm read-only',
    shell: `exec unshare --mount sh -c 'mount --bind ${project} /mnt && mount -t tmpfs none /tmp && mkdir -p ${project} &&
      mount --bind /mnt ${project} && mount -o remount,ro none /tmp && mount -t tmpfs -o ro none /dev/shm && exec "$@"' sh "$@"`,
    control: ['touch /tmp/x /dev/shm/x 2>/dev/null || echo refused', 'refused'],
    root: true,
    only: /^(run|bwrap|sandbox)/,
  },
  {
    name: 'no /proc',
    shell: `exec unshare --mount sh -c 'umount -l /proc && exec "$@"' sh "$@"`,
    control: ['[ -e /proc/self ] || echo none', 'none'],
    ends: () => [refusedBy(/\/proc/)],
    root: true,
  },
]

/** A start in the surroundings. */
function startIn({ shell }: Surroundings, before: string[], command: string[]): Promise<Ended> {
  const [program, ...args] = [...before, 'sh', '-c', shell, 'sh', ...command]
  return collect(program!, args, { env: { PATH: process.env.PATH, HOME: '/tmp' }, cwd: '/' })
}

test.for(sampled(table, true))('$name', { timeout: 120_000 }, async (surroundings, context) => {
  const { name, control, ends = () => [works], root, only = /./ } = surroundings
  requires(context, 'root', 'setpriv(1)', 'python3')
  const { stdout, stderr } = await startIn(
    surroundings,
    [],
    typeof control[0] === 'string' ? ['/bin/sh', '-c', control[0]] : control[0],
  )
  expect(
    (stdout + stderr).split('\n').map((line) => line.trim()),
    `control: ${name}`,
  ).toContain(control[1])
  const users: [uid: number, before: string[], list: typeof rootStarts][] = [
    [0, [], rootStarts],
    [user, asUser, root ? [] : userStarts],
  ]
  for (const [uid, before, all] of users) {
    const list = all.filter(([start]) => only.test(start))
    const run = ([, [program, ...args]]: (typeof rootStarts)[number]) =>
      startIn(surroundings, before, [program!.startsWith('/') ? program! : `${work}/${uid}/${program}`, ...args])
    const ended = await Promise.all(list.map(run))
    for (const [i, [start]] of list.entries())
      expect(ended[i], `${start} as ${uid}`).toEqual(
        expect.toBeOneOf(ends(start).map((end) => expect.objectContaining(end))),
      )
  }
})
